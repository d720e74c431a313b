// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads what the host says about itself: CPUID, /proc, /sys, the feature
 * control MSR. Nothing is changed, and whatever cannot be read is "unknown",
 * not "no".
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "util.h"

#define MSR_FEATURE_CONTROL 0x3a
#define FEATURE_LOCKED 1U
#define FEATURE_VMX 4U
#define SECURE_BOOT                                                            \
	"/sys/firmware/efi/efivars/"                                           \
	"SecureBoot-8be4df61-93ca-11d2-"                                       \
	"aa0d-00e098032b8c"

/* The first line of a small file, without its newline. */
static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool good = f && fgets(buf, (int)size, f);

	if (f)
		fclose(f);
	if (good)
		buf[strcspn(buf, "\n")] = '\0';
	return good;
}

/**
 * tdm_host_cpu() - vendor, model name and virtualisation extensions.
 *
 * From CPUID, not /proc/cpuinfo: the kernel hides a flag there that firmware
 * locked off, and the difference matters.
 *
 * Return: false when even CPUID's basic leaves are missing.
 */
bool tdm_host_cpu(char *vendor, size_t vendor_size, char *model,
		  size_t model_size, bool *vmx, bool *svm)
{
	unsigned int a, b, c, d, brand[12] = { 0 };

	*vmx = false;
	*svm = false;
	if (!__get_cpuid(0, &a, &b, &c, &d))
		return false;
	snprintf(vendor, vendor_size, "%.4s%.4s%.4s", (char *)&b, (char *)&d,
		 (char *)&c);
	if (__get_cpuid(1, &a, &b, &c, &d))
		*vmx = c & (1U << 5);
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		*svm = c & (1U << 2);
	for (unsigned int i = 0; i < 3; i++)
		__get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1],
			    &brand[4 * i + 2], &brand[4 * i + 3]);
	snprintf(model, model_size, "%.48s", (char *)brand);
	return true;
}

/** tdm_host_vmx_lock() - did firmware switch VMX off (IA32_FEATURE_CONTROL)? */
enum tdm_lock tdm_host_vmx_lock(void)
{
	int fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
	uint64_t v = 0;
	ssize_t got;

	if (fd < 0)
		return TDM_LOCK_UNKNOWN;
	got = pread(fd, &v, sizeof(v), MSR_FEATURE_CONTROL);
	close(fd);
	if (got != sizeof(v))
		return TDM_LOCK_UNKNOWN;
	return (v & FEATURE_LOCKED) && !(v & FEATURE_VMX) ? TDM_LOCK_OFF
							  : TDM_LOCK_OPEN;
}

/** tdm_host_module_users() - use count of a loaded module, -1 if not loaded. */
int tdm_host_module_users(const char *name)
{
	FILE *f = fopen("/proc/modules", "re");
	char line[512], got[64];
	int users = -1, n;

	if (!f)
		return -1;
	while (users < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %*u %d", got, &n) == 2 &&
		    !strcmp(got, name))
			users = n;
	fclose(f);
	return users;
}

/**
 * tdm_host_lockdown() - the kernel's lockdown mode ("none", "integrity"...).
 *
 * Return: false when the kernel does not say.
 */
bool tdm_host_lockdown(char *mode, size_t size)
{
	char line[128], *open, *close;

	if (!read_line("/sys/kernel/security/lockdown", line, sizeof(line)))
		return false;
	open = strchr(line, '[');
	close = open ? strchr(open, ']') : NULL;
	if (!close)
		return false;
	*close = '\0';
	snprintf(mode, size, "%s", open + 1);
	return true;
}

/** tdm_host_secure_boot() - 1 on, 0 off, -1 not an EFI machine or unknown. */
int tdm_host_secure_boot(void)
{
	int fd = open(SECURE_BOOT, O_RDONLY | O_CLOEXEC);
	uint8_t v[5];
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, v, sizeof(v)); /* four bytes of attributes come first */
	close(fd);
	return got == sizeof(v) ? v[4] : -1;
}

/** tdm_host_sig_enforced() - does the kernel refuse unsigned modules? */
bool tdm_host_sig_enforced(void)
{
	char line[16];

	return read_line("/sys/module/module/parameters/sig_enforce", line,
			 sizeof(line)) &&
	       (line[0] == 'Y' || line[0] == '1');
}
