/* SPDX-License-Identifier: GPL-2.0-only */
/* Subcommands: each takes its own argc and argv (argv[0] is its name). */
#ifndef TANDEM_CMD_H
#define TANDEM_CMD_H

struct tdm_cmd {
	const char *name;
	const char *help;
	int (*main)(int argc, char **argv);
};

int tdm_cmd_run(int argc, char **argv);
int tdm_cmd_check(int argc, char **argv);
int tdm_cmd_stat(int argc, char **argv);
int tdm_cmd_top(int argc, char **argv);

#endif
