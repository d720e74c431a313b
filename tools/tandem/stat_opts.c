// SPDX-License-Identifier: GPL-2.0-only
/* Options of tandem stat and tandem top, and what both do before they print. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvm.h"
#include "stat_opts.h"
#include "util.h"

static void usage(FILE *out, bool top)
{
	fprintf(out,
		"usage: tandem %s [--device PATH] [--all]%s [PID]\n%s\n"
		"%s of every VM, or of PID's, from debugfs (needs root).\n\n"
		"  --device PATH   the device the VMs run on (" TDM_DEFAULT_DEVICE
		"; /dev/kvm works too)\n"
		"  --all           also counters that are zero\n",
		top ? "top" : "stat",
		top ? " [--interval SECS] [--rounds N]" : "",
		top ? "" : "       tandem stat --code ADDR|NAME|all [--symbols FILE] [PID]\n",
		top ? "Shows how fast the counters grow"
		    : "Prints the counters");
	if (!top)
		fputs("  --code WHAT     instead: what the BT engine made of the guest's\n"
		      "                  instruction at an address, or of all\n"
		      "  --symbols FILE  the guest's System.map, for names\n",
		      out);
	if (top)
		fputs("  --interval SECS seconds between two looks (1)\n"
		      "  --rounds N      end after N looks (for ever)\n",
		      out);
}

/** tdm_stat_opts() - parse. Return: 0 go on, 1 help was printed, -1 usage
 * error. */
int tdm_stat_opts(int argc, char **argv, bool top, struct tdm_stat_opts *o)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "all", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ "interval", required_argument, NULL, 'i' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "code", required_argument, NULL, 'c' },
		{ "symbols", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t pid = 0;
	int opt, bad = 0;

	*o = (struct tdm_stat_opts){ .interval_s = 1 };
	tdm_stat_root(TDM_DEFAULT_DEVICE, o->root, sizeof(o->root));
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'd')
			tdm_stat_root(optarg, o->root, sizeof(o->root));
		else if (opt == 'a')
			o->all = true;
		else if (opt == 'i' && top)
			bad |= tdm_parse_u64(optarg, 1, 3600, &o->interval_s);
		else if (opt == 'r' && top)
			bad |= tdm_parse_u64(optarg, 1, UINT32_MAX, &o->rounds);
		else if (opt == 'c' && !top)
			o->code = optarg;
		else if (opt == 's' && !top)
			o->symbols = optarg;
		else if (opt == 'h')
			return usage(stdout, top), 1;
		else
			bad = 1;
	}
	if (optind < argc)
		bad |= tdm_parse_u64(argv[optind++], 1, INT32_MAX, &pid);
	o->pid = (pid_t)pid;
	bad |= o->symbols && !o->code;
	if (!bad && optind == argc)
		return 0;
	usage(stderr, top);
	return -1;
}

/**
 * tdm_stat_find_vms() - the VMs the options mean.
 *
 * Return: how many, 0 after saying that or why there are none.
 */
int tdm_stat_find_vms(const struct tdm_stat_opts *o,
		      char names[TDM_VMS_MAX][TDM_VM_NAME])
{
	int n = tdm_stat_vms(o->root, o->pid, names, TDM_VMS_MAX);

	if (n == -ENOENT)
		tdm_error(
			"%s does not exist: the module is not loaded, or debugfs is not mounted (mount -t debugfs debugfs /sys/kernel/debug)",
			o->root);
	else if (n == -EACCES)
		tdm_error("%s may not be read: run as root", o->root);
	else if (n < 0)
		tdm_error("%s: %s", o->root, strerror(-n));
	else if (!n)
		tdm_error("no VM is running%s",
			  o->pid ? " in that process" : "");
	return n < 0 ? 0 : n;
}

/** tdm_stat_title() - "PID-NUMBER (command)" for a VM's directory name. */
void tdm_stat_title(const char *vm, char *buf, size_t size)
{
	char path[64], command[64] = "?";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", atoi(vm));
	f = fopen(path, "re");
	if (f) {
		if (fgets(command, sizeof(command), f))
			command[strcspn(command, "\n")] = '\0';
		fclose(f);
	}
	snprintf(buf, size, "VM %s (%s)", vm, command);
}
