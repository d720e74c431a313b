/* SPDX-License-Identifier: GPL-2.0-only */
/* The controlling terminal: raw mode while the guest runs, restored on every
 * way out. */
#ifndef TANDEM_TERM_H
#define TANDEM_TERM_H

#include <stdbool.h>

void tdm_term_init(void);
bool tdm_term_enter(void);
void tdm_term_leave(void);
bool tdm_term_is_raw(void);
void tdm_term_suspend(void);

#endif
