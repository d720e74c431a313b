// SPDX-License-Identifier: GPL-2.0-only
/* tandem run: parse the options, build the machine, load the guest, run it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "cmd.h"
#include "elf_load.h"
#include "end.h"
#include "load.h"
#include "machine.h"
#include "mainloop.h"
#include "term.h"
#include "util.h"

#define KERNEL_MAX (1 * TDM_GIB)
#define INITRD_MAX (3 * TDM_GIB)
#define DEFAULT_MEM (512 * TDM_MIB)
#define DEFAULT_APPEND "console=ttyS0"

struct options {
	const char *kernel, *elf, *bios, *append, *engine, *mmu;
	char *initrd[TDM_INITRDS_MAX];
	unsigned int nr_initrds;
	bool audit;
	struct tdm_machine_config config;
};

enum {
	OPT_KERNEL = 256,
	OPT_ELF,
	OPT_BIOS,
	OPT_INITRD,
	OPT_APPEND,
	OPT_MEM,
	OPT_CPUS,
	OPT_ENGINE,
	OPT_MMU,
	OPT_STATS,
	OPT_AUDIT,
	OPT_TIMEOUT,
	OPT_DEVICE,
	OPT_PREALLOC,
	OPT_COUNT,
	OPT_MARKER,
	OPT_NO_ACPI,
	OPT_TRACE_IO,
	OPT_VERBOSE,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "elf", required_argument, NULL, OPT_ELF },
	{ "bios", required_argument, NULL, OPT_BIOS },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "mem", required_argument, NULL, OPT_MEM },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "mmu", required_argument, NULL, OPT_MMU },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "audit", no_argument, NULL, OPT_AUDIT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "prealloc", no_argument, NULL, OPT_PREALLOC },
	{ "count-insns", no_argument, NULL, OPT_COUNT },
	{ "marker", no_argument, NULL, OPT_MARKER },
	{ "no-acpi", no_argument, NULL, OPT_NO_ACPI },
	{ "trace-io", no_argument, NULL, OPT_TRACE_IO },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *out)
{
	fputs("usage: tandem run --kernel FILE [OPTION]...\n"
	      "       tandem run --elf FILE [OPTION]...\n"
	      "       tandem run --bios FILE [OPTION]...\n\n"
	      "what to run\n"
	      "  --kernel FILE     Linux: a bzImage (vmlinuz) or an uncompressed 64-bit vmlinux\n"
	      "  --elf FILE        a multiboot 1 kernel\n"
	      "  --bios FILE       firmware, started at the reset vector\n"
	      "  --initrd FILE     initial ramdisk; may be repeated (multiboot: modules)\n"
	      "  --append TEXT     command line (Linux: '" DEFAULT_APPEND
	      "' unless given)\n"
	      "the machine\n"
	      "  --mem SIZE        memory, in MiB or with a suffix K, M, G (512M)\n"
	      "  --cpus N          processors, 1 to 254 (1)\n"
	      "  --no-acpi         no ACPI tables (then one processor only)\n"
	      "  --prealloc        populate guest memory before the start\n"
	      "how to run it\n"
	      "  --engine E        bt, vmx or auto (auto)\n"
	      "  --mmu M           shadow, ept or auto (auto)\n"
	      "  --device PATH     device to drive (" TDM_DEFAULT_DEVICE
	      "; /dev/kvm works too)\n"
	      "  --timeout SECS    end the VM after that time, with status 124\n"
	      "what to report, on standard error\n"
	      "  --stats           counters at the end\n"
	      "  --audit           check all guest mappings at the end; wrong ones: status 20\n"
	      "  --count-insns     time-stamp counter ticks from first entry to the end\n"
	      "  --marker          a line with ticks and exits when the guest writes to port 0xf5\n"
	      "  --trace-io        ports, pages and MSRs the guest touched, at the end\n"
	      "  --verbose         what the launcher does\n\n"
	      "The serial port COM1 is standard input and output. On a terminal Ctrl-A is the\n"
	      "escape key: Ctrl-A x ends the VM, Ctrl-A h shows the others.\n"
	      "Exit status: 0 the guest powered off, 2 usage, 4 a file cannot be used, 6 the host\n"
	      "refused, 8 reset, 10 triple fault, 12 internal error, 14 halted for good, 16 lost\n"
	      "standard output, 18 Ctrl-A x, 20 wrong mappings, 124 time-out, 128+N signal N,\n"
	      "(v << 1) | 1 the guest wrote v to port 0xf4.\n",
	      out);
}

static int bad_value(const char *option, const char *value, const char *wanted)
{
	tdm_error("%s wants %s, not '%s'", option, wanted, value);
	return -EINVAL;
}

static int set_numbers(struct options *o, int opt, const char *arg)
{
	uint64_t v;

	switch (opt) {
	case OPT_MEM:
		if (tdm_parse_size(arg, TDM_MIB, &o->config.mem) ||
		    o->config.mem < TDM_MEM_MIN ||
		    o->config.mem > TDM_MEM_MAX || o->config.mem % 4096)
			return bad_value("--mem", arg,
					 "a size from 2M to 1T, such as 512M");
		return 0;
	case OPT_CPUS:
		if (tdm_parse_u64(arg, 1, TDM_CPUS_MAX, &v))
			return bad_value("--cpus", arg,
					 "a number from 1 to 254");
		o->config.cpus = (unsigned int)v;
		return 0;
	default:
		if (tdm_parse_u64(arg, 1, 365 * 86400, &o->config.timeout_s))
			return bad_value("--timeout", arg,
					 "a number of seconds");
		return 0;
	}
}

static int add_initrd(struct options *o, char *path)
{
	if (o->nr_initrds == TDM_INITRDS_MAX) {
		tdm_error("--initrd can be given %d times at most",
			  TDM_INITRDS_MAX);
		return -EINVAL;
	}
	o->initrd[o->nr_initrds++] = path;
	return 0;
}

static int set_option(struct options *o, int opt, char *arg)
{
	switch (opt) {
	case OPT_KERNEL:
		o->kernel = arg;
		return 0;
	case OPT_ELF:
		o->elf = arg;
		return 0;
	case OPT_BIOS:
		o->bios = arg;
		return 0;
	case OPT_INITRD:
		return add_initrd(o, arg);
	case OPT_APPEND:
		o->append = arg;
		return 0;
	case OPT_MEM:
	case OPT_CPUS:
	case OPT_TIMEOUT:
		return set_numbers(o, opt, arg);
	case OPT_ENGINE:
		o->engine = arg;
		return 0;
	case OPT_MMU:
		o->mmu = arg;
		return 0;
	case OPT_AUDIT:
		o->audit = true;
		return 0;
	case OPT_STATS:
		o->config.stats = true;
		return 0;
	case OPT_DEVICE:
		o->config.device = arg;
		return 0;
	case OPT_PREALLOC:
		o->config.prealloc = true;
		return 0;
	case OPT_COUNT:
		o->config.count = true;
		return 0;
	case OPT_MARKER:
		o->config.markers = true;
		return 0;
	case OPT_NO_ACPI:
		o->config.acpi = false;
		return 0;
	case OPT_TRACE_IO:
		o->config.trace_io = true;
		return 0;
	case OPT_VERBOSE:
		tdm_verbose = true;
		return 0;
	default:
		return -EINVAL; /* getopt has said what is wrong */
	}
}

static int check_options(struct options *o)
{
	if (!o->kernel + !o->elf + !o->bios != 2) {
		tdm_error("give exactly one of --kernel, --elf and --bios");
		return -EINVAL;
	}
	if (o->bios && (o->nr_initrds || o->append)) {
		tdm_error(
			"--initrd and --append need --kernel or --elf; firmware takes neither");
		return -EINVAL;
	}
	if (!o->append)
		o->append = o->kernel ? DEFAULT_APPEND : "";
	if (!o->config.acpi && o->config.cpus > 1)
		tdm_warn(
			"without ACPI tables the guest cannot find its other processors");
	o->config.firmware = o->bios;
	return tdm_engine_parse(o->engine, o->mmu, &o->config.engine);
}

static int load_guest(const struct options *o, struct tdm_machine *m,
		      struct tdm_load *load, struct tdm_entry *entry)
{
	if (o->bios) {
		*entry = (struct tdm_entry){ .mode = TDM_ENTRY_RESET };
		return 0;
	}
	load->mem = &m->mem;
	load->rsdp = m->rsdp;
	if (o->elf)
		return tdm_load_multiboot(load, entry);
	if (tdm_elf_is(load->image))
		return tdm_load_vmlinux(load, entry);
	return tdm_load_linux(load, entry);
}

/* Files first: a mistyped name should not cost a VM. Return: exit status, 0 =
 * go on. */
static int read_files(const struct options *o, struct tdm_load *load,
		      struct tdm_blob *image)
{
	const char *what = o->bios ? "firmware" : "kernel";

	load->path = o->kernel ? o->kernel : o->elf ? o->elf : o->bios;
	load->cmdline = o->append;
	load->image = image;
	load->initrd_path = (char **)o->initrd;
	if (tdm_blob_read(image, load->path, KERNEL_MAX, what))
		return TDM_EXIT_FILE;
	for (unsigned int i = 0; i < o->nr_initrds; i++) {
		if (tdm_blob_read(&load->initrd[i], o->initrd[i], INITRD_MAX,
				  "initrd"))
			return TDM_EXIT_FILE;
		load->nr_initrds++;
	}
	return 0;
}

static int run_machine(const struct options *o, struct tdm_load *load)
{
	static struct tdm_machine m; /* too big for the stack */
	struct tdm_entry entry;
	int status = TDM_EXIT_HOST;

	if (tdm_machine_init(&m, &o->config))
		goto destroy;
	status = TDM_EXIT_FILE;
	if (o->bios &&
	    tdm_mem_add_rom(&m.mem, load->image->data, load->image->size))
		goto destroy;
	if (!o->bios && tdm_machine_add_firmware(&m))
		goto destroy;
	if (load_guest(o, &m, load, &entry))
		goto destroy;
	status = TDM_EXIT_HOST;
	if (tdm_machine_add_vcpus(&m, &entry))
		goto destroy;
	status = tdm_machine_run(&m);
	if (o->config.stats)
		tdm_machine_stats(&m);
	if (o->audit && tdm_audit())
		status = TDM_EXIT_AUDIT;
destroy:
	tdm_machine_destroy(&m);
	return status;
}

/** tdm_cmd_run() - the subcommand. Return: exit status as end.h lists them. */
int tdm_cmd_run(int argc, char **argv)
{
	struct options o = {
		.config = { .device = TDM_DEFAULT_DEVICE,
			    .mem = DEFAULT_MEM,
			    .cpus = 1,
			    .acpi = true },
	};
	struct tdm_blob image = { 0 }, initrd[TDM_INITRDS_MAX] = { 0 };
	struct tdm_load load = { .initrd = initrd };
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (opt == OPT_HELP) {
			usage(stdout);
			return 0;
		}
		if (set_option(&o, opt, optarg))
			return TDM_EXIT_USAGE;
	}
	if (optind < argc) {
		tdm_error(
			"'%s' is not an option; 'tandem run --help' lists them",
			argv[optind]);
		return TDM_EXIT_USAGE;
	}
	if (check_options(&o))
		return TDM_EXIT_USAGE;
	tdm_mainloop_block_signals();
	tdm_term_init();
	status = read_files(&o, &load, &image);
	if (!status)
		status = run_machine(&o, &load);
	for (unsigned int i = 0; i < load.nr_initrds; i++)
		tdm_blob_free(&initrd[i]);
	tdm_blob_free(&image);
	return status;
}
