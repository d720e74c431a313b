/* SPDX-License-Identifier: GPL-2.0-only */
/* Those that are used. */
#define X86_TRAP_PF	14
