// SPDX-License-Identifier: GPL-2.0-only
/*
 * tandem check: what this machine can run, and if something is missing, what it
 * is and what to do about it.
 *
 * Each fact is one line, "ok", "no" or "--" (does not matter or cannot be
 * told), with the remedy below a "no". The verdict is not guessed from the
 * facts: every engine the module calls ready is proved by entering a guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd.h"
#include "end.h"
#include "host.h"
#include "kvm.h"
#include "probe.h"
#include "uapi/tandem.h"
#include "util.h"

enum mark { OK, NO, NEUTRAL };

static void fact(enum mark mark, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fact(enum mark mark, const char *what, const char *fmt, ...)
{
	static const char *const marks[] = { "ok", "no", "--" };
	va_list ap;

	printf("%s  %-12s ", marks[mark], what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void remedy(const char *text)
{
	printf("    %-12s -> %s\n", "", text);
}

static void check_cpu(void)
{
	char vendor[16], model[64];
	bool vmx, svm;

	if (!tdm_host_cpu(vendor, sizeof(vendor), model, sizeof(model), &vmx,
			  &svm)) {
		fact(NO, "processor", "has no CPUID");
		return;
	}
	fact(OK, "processor", "%s %s", vendor, model);
	if (svm)
		fact(NEUTRAL, "AMD SVM",
		     "present; there is no engine for it yet");
	if (!vmx) {
		fact(NEUTRAL, "Intel VMX",
		     "absent: the exit engine (vmx) cannot run here, the BT engine (bt) needs none of it");
		return;
	}
	switch (tdm_host_vmx_lock()) {
	case TDM_LOCK_OFF:
		fact(NO, "Intel VMX",
		     "present, but switched off and locked by the firmware");
		remedy("enable 'Intel Virtualization Technology' (VT-x) in the firmware setup, then power off and on");
		break;
	case TDM_LOCK_OPEN:
		fact(OK, "Intel VMX",
		     "present, not locked off by the firmware");
		break;
	default:
		fact(OK, "Intel VMX",
		     "present; whether the firmware locked it cannot be read (as root: modprobe msr)");
		break;
	}
}

static void check_owners(void)
{
	static const struct {
		const char *module, *who, *how;
	} owners[] = {
		{ "kvm_intel", "KVM",
		  "stop its VMs, then: modprobe -r kvm_intel" },
		{ "vboxdrv", "VirtualBox",
		  "stop its VMs, then: modprobe -r vboxnetadp vboxnetflt vboxdrv" },
		{ "vmmon", "VMware",
		  "stop its VMs, then: /etc/init.d/vmware stop" },
	};
	bool any = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(owners); i++) {
		int users = tdm_host_module_users(owners[i].module);

		if (users < 0)
			continue;
		any = true;
		fact(NEUTRAL, "VMX owner",
		     "%s (module %s) is loaded, use count %d: it may hold VMX while it runs VMs",
		     owners[i].who, owners[i].module, users);
		remedy(owners[i].how);
	}
	if (!any)
		fact(OK, "VMX owner", "no other hypervisor's module is loaded");
}

static void check_loading(void)
{
	bool enforced = tdm_host_sig_enforced();
	char mode[32] = "unknown", headers[128];
	struct utsname un;
	int secure = tdm_host_secure_boot();

	if (tdm_host_lockdown(mode, sizeof(mode)) && strcmp(mode, "none"))
		enforced = true;
	fact(enforced ? NO : OK, "module rules",
	     "lockdown %s, Secure Boot %s, unsigned modules %s", mode,
	     secure < 0 ? "not reported"
	     : secure	? "on"
			: "off",
	     enforced ? "refused" : "accepted");
	if (enforced)
		remedy("sign tandem.ko with a key the kernel trusts (mokutil), or switch Secure Boot off in the firmware setup");
	if (uname(&un) < 0)
		return;
	snprintf(headers, sizeof(headers), "/lib/modules/%.64s/build",
		 un.release);
	if (!access(headers, F_OK)) {
		fact(OK, "headers", "for the running kernel, %s", un.release);
		return;
	}
	fact(NEUTRAL, "headers",
	     "for the running kernel, %s, are not installed (only needed to build the module)",
	     un.release);
	printf("    %-12s -> apt-get install linux-headers-%s\n", "",
	       un.release);
}

/* Return: a descriptor, or -1 after saying what is wrong. */
static int check_device(const char *path)
{
	bool tandem = !strcmp(path, TDM_DEFAULT_DEVICE);
	struct stat st;
	int fd, err;

	if (tandem && tdm_host_module_users("tandem") >= 0)
		fact(OK, "module", "tandem is loaded");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, KVM_GET_API_VERSION, 0) == KVM_API_VERSION) {
		fact(OK, "device", "%s opens and speaks the KVM interface",
		     path);
		return fd;
	}
	err = errno;
	if (fd >= 0) {
		close(fd);
		fact(NO, "device", "%s does not speak the KVM interface", path);
		remedy("give the right one with --device");
		return -1;
	}
	fact(NO, "device", "%s: %s", path, strerror(err));
	remedy(tdm_kvm_open_hint(path, err));
	if (err == EACCES && !stat(path, &st))
		printf("    %-12s    (owner %u, group %u, mode %o)\n", "",
		       st.st_uid, st.st_gid, st.st_mode & 07777);
	return -1;
}

/* Prove one engine and MMU mode. Return: does it run? */
static bool prove(const char *path, const char *what,
		  const struct tdm_engine_choice *choice)
{
	int err;

	fflush(stdout); /* the probe reports on stderr */
	err = tdm_probe(path, choice);
	if (!err) {
		fact(OK, what, "a guest was entered and left");
		return true;
	}
	fact(NO, what, "a guest could not be run (messages on stderr)");
	remedy("see dmesg; report it with this output");
	return false;
}

static bool check_engine(int fd, const char *path, uint32_t engine)
{
	static const uint32_t modes[] = { TDM_MMU_EPT, TDM_MMU_SHADOW };
	struct tdm_engine_info info = { .engine = engine };
	char what[32];
	bool any = false;

	snprintf(what, sizeof(what), "engine %s", tdm_engine_name(engine));
	if (ioctl(fd, TDM_ENGINE_INFO, &info) < 0) {
		fact(NO, what, "the module does not tell: %s", strerror(errno));
		return false;
	}
	info.why[sizeof(info.why) - 1] = '\0';
	if (info.error) {
		fact(NO, what, "%s (%s)", info.why, strerror(info.error));
		return false;
	}
	if (info.why[0])
		fact(NEUTRAL, what, "%s", info.why);
	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		struct tdm_engine_choice choice = { engine, modes[i] };

		if (!(info.mmu_modes & 1U << modes[i]))
			continue;
		snprintf(what, sizeof(what), "%s, %s", tdm_engine_name(engine),
			 tdm_mmu_name(modes[i]));
		any = prove(path, what, &choice) || any;
	}
	if (!any && !info.mmu_modes)
		fact(NO, what, "no MMU mode works on this machine");
	return any;
}

/* @only: the engine that matters, or TDM_ENGINE_AUTO: any that runs is fine. */
static bool check_engines(int fd, const char *path, uint32_t only)
{
	struct tdm_engine_choice any = { TDM_ENGINE_AUTO, TDM_MMU_AUTO };
	int version = ioctl(fd, TDM_GET_ABI_VERSION, 0);
	bool vmx, bt;

	if (version < 0 && only != TDM_ENGINE_AUTO) {
		fact(NO, "engines", "%s has none to choose from", path);
		remedy("leave out --engine, or use " TDM_DEFAULT_DEVICE);
		return false;
	}
	if (version < 0)
		return prove(path, "guest", &any);
	if (version != TDM_ABI_VERSION) {
		fact(NO, "module",
		     "speaks version %d of tandem's own interface, this launcher version %d",
		     version, TDM_ABI_VERSION);
		remedy("build module and launcher from the same source");
		return false;
	}
	if (only != TDM_ENGINE_AUTO)
		return check_engine(fd, path, only);
	vmx = check_engine(fd, path, TDM_ENGINE_VMX);
	bt = check_engine(fd, path, TDM_ENGINE_BT);
	return vmx || bt;
}

static void usage(FILE *out)
{
	fputs("usage: tandem check [--device PATH] [--engine bt|vmx|auto]\n\n"
	      "Tells what this machine can run, and why not; each engine, or the one named, is\n"
	      "proved by running a guest. Exit status: 0 a guest can run, 1 none can, 2 usage.\n",
	      out);
}

/** tdm_cmd_check() - the subcommand. Return: exit status. */
int tdm_cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "engine", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct tdm_engine_choice only = { TDM_ENGINE_AUTO, TDM_MMU_AUTO };
	const char *path = TDM_DEFAULT_DEVICE;
	bool good = false;
	int opt, fd;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h') {
			usage(stdout);
			return 0;
		}
		if (opt == 'd')
			path = optarg;
		else if (opt != 'e' || tdm_engine_parse(optarg, NULL, &only))
			return TDM_EXIT_USAGE;
	}
	if (optind < argc) {
		usage(stderr);
		return TDM_EXIT_USAGE;
	}
	check_cpu();
	check_owners();
	check_loading();
	fd = check_device(path);
	if (fd >= 0) {
		good = check_engines(fd, path, only.engine);
		close(fd);
	}
	printf("\n%s\n", good ? "This machine can run guests."
			      : "This machine cannot run guests yet.");
	return good ? 0 : 1;
}
