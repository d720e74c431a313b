// SPDX-License-Identifier: GPL-2.0-only
/* The launcher's main(): finds the subcommand and lets it do the rest. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "end.h"
#include "util.h"

static const struct tdm_cmd commands[] = {
	{ "run", "start a virtual machine", tdm_cmd_run },
	{ "check", "tell what this machine can run, and why not",
	  tdm_cmd_check },
	{ "stat", "print the counters of running VMs", tdm_cmd_stat },
	{ "top", "show the counters of running VMs as they change",
	  tdm_cmd_top },
};

static void usage(FILE *out)
{
	fprintf(out, "usage: tandem COMMAND [OPTION]...\n\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fprintf(out,
		"\n'tandem COMMAND --help' lists a command's options; see also tandem(1).\n");
}

/*
 * A closed standard descriptor would be given to the next file opened, and the
 * guest's console would then be read from or written to that.
 */
static void fill_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(TDM_EXIT_HOST);
}

int main(int argc, char **argv)
{
	fill_standard_fds();
	if (argc < 2) {
		usage(stderr);
		return TDM_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	tdm_error("there is no command '%s'; 'tandem --help' lists them",
		  argv[1]);
	return TDM_EXIT_USAGE;
}
