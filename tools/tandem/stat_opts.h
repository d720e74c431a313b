/* SPDX-License-Identifier: GPL-2.0-only */
/* Options that stat and top share, and the search for VMs. */
#ifndef TANDEM_STAT_OPTS_H
#define TANDEM_STAT_OPTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "stats.h"

struct tdm_stat_opts {
	char root[128];		     /* debugfs directory of the device's VMs */
	bool all;		     /* counters that are zero, too */
	uint64_t interval_s, rounds; /* top only; rounds 0 = for ever */
	pid_t pid;		     /* 0 = every VM */
	const char *code;	     /* stat only: translations of what, or NULL */
	const char *symbols;	     /* ditto: names for guest addresses, or NULL */
};

/* Return: 0 go on, 1 help was printed, -1 usage error, reported. */
int tdm_stat_opts(int argc, char **argv, bool top, struct tdm_stat_opts *o);
int tdm_stat_find_vms(const struct tdm_stat_opts *o,
		      char names[TDM_VMS_MAX][TDM_VM_NAME]);
void tdm_stat_title(const char *vm, char *buf, size_t size);

#endif
