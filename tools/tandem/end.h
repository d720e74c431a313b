/* SPDX-License-Identifier: GPL-2.0-only */
/* How a run ended: exit statuses of `tandem run` and their texts. */
#ifndef TANDEM_END_H
#define TANDEM_END_H

#include "device.h"

/*
 * A test guest's status from port 0xf4 is always odd, so ours are even (124 and
 * 128 + signal follow timeout(1) and the shell).
 */
#define TDM_EXIT_OK 0
#define TDM_EXIT_USAGE 2
#define TDM_EXIT_FILE 4 /* a kernel, initrd or firmware file cannot be used */
#define TDM_EXIT_HOST 6 /* no device, no permission, or it refuses a VM */
#define TDM_EXIT_RESET 8
#define TDM_EXIT_TRIPLE 10
#define TDM_EXIT_INTERNAL 12
#define TDM_EXIT_HALTED 14
#define TDM_EXIT_CONSOLE 16
#define TDM_EXIT_USER 18
#define TDM_EXIT_AUDIT 20 /* --audit found wrong mappings, or could not look */
#define TDM_EXIT_TIMEOUT 124

int tdm_end_status(enum tdm_end why, int value);
void tdm_end_say(enum tdm_end why, int value);

#endif
