/* SPDX-License-Identifier: GPL-2.0-only */
/* The translation cache's model: what its two files share. */
#ifndef BT_TC_MODEL_H
#define BT_TC_MODEL_H

#include "bt/tc.h"

#define SLOT		0xffff840000000000ull
#define NR_GFNS		24u

/** struct m_tu - what a TU was made from, and what of it */
struct m_tu {
	u64 rip;
	u32 len;
	u8 bytes[TDM_TC_FETCH + TDM_INSN_MAX_LEN];
	u8 host[128];
};

extern struct tdm_vm vm;
extern u8 memory[NR_GFNS][PAGE_SIZE];
extern u32 tracks[NR_GFNS];
extern struct m_tu made[];		/* by number */

__attribute__((format(printf, 1, 2), noreturn))
void fail(const char *fmt, ...);
#define must(cond, fmt, ...) do { if (!(cond)) fail(fmt, ##__VA_ARGS__); } while (0)

/* All structures against each other and against memory; ends the test if they are wrong. */
void audit(void);

/* What the model has for code of a stub. */
struct m_stub {
	u64 va;
	u64 rip;
	u64 fragment;
};

#endif /* BT_TC_MODEL_H */
