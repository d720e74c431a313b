/* SPDX-License-Identifier: GPL-2.0-only */
/* The main thread's loop while the guest runs. */
#ifndef TANDEM_MAINLOOP_H
#define TANDEM_MAINLOOP_H

struct tdm_machine;

int tdm_mainloop(struct tdm_machine *m);
int tdm_mainloop_block_signals(void);

#endif
