/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing to be defined: see linux/tracepoint.h. */
