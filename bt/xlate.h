/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The translator's state while it makes one TU, shared by its files:
 * translate.c (the loop, IDENT, callouts), branch.c (branches and the common
 * code), sequence.c (what needs bt_state).
 *
 * The rule of every sequence: before each host instruction, xl_before() or
 * xl_after() says how to get the guest's state there.
 */
#ifndef TDM_BT_XLATE_H
#define TDM_BT_XLATE_H

#include "bt/classify.h"
#include "bt/emit.h"
#include "bt/quick.h"
#include "bt/tu.h"

/* Room that is there for each instruction: its code and records at most. */
#define XL_ROOM_HOST	512
#define XL_ROOM_RECS	24

#define XL_BIT(reg)	(1u << (reg))

/**
 * struct tdm_xl - one TU in the making
 * @tr: what the caller sees
 * @e: emitter, into tr->out
 * @rec: pattern of this instruction's records
 * @off: this instruction, from the TU's start
 * @n: its number
 * @verdict: what to do with it
 * @stop: the TU ends after it, and is finished
 */
struct tdm_xl {
	struct tdm_bt_tr *tr;
	struct tdm_emit e;
	struct tdm_bt_rec rec;
	u32 off;
	u8 n;
	struct tdm_bt_verdict verdict;
	bool stop;
};

void tdm_xl_start(struct tdm_xl *x, struct tdm_bt_tr *tr);
void tdm_xl_record(struct tdm_xl *x, u8 kind, u16 restore, u8 flags);
void tdm_xl_link(struct tdm_xl *x, unsigned int n, u64 target, bool elide);
bool tdm_xl_callout(struct tdm_xl *x, u8 op);

/* Guest address of this instruction, and of the next. */
static inline u64 xl_rip(const struct tdm_xl *x)
{
	return x->tr->rip + x->off;
}

static inline u64 xl_next(const struct tdm_xl *x)
{
	return xl_rip(x) + x->tr->insn.len;
}

/* From here on: before the instruction, but for @restore. */
static inline void xl_before(struct tdm_xl *x, u16 restore)
{
	tdm_xl_record(x, TDM_REC_BEFORE, restore, 0);
}

/* From here on: after it, but for @restore. */
static inline void xl_after(struct tdm_xl *x, u16 restore)
{
	tdm_xl_record(x, TDM_REC_AFTER, restore, 0);
}

static inline void xl_spill(struct tdm_xl *x, unsigned int reg)
{
	tdm_emit_state(&x->e, TDM_X86_STORE, reg, TDM_BTS_SPILL + 8 * reg);
}

static inline void xl_unspill(struct tdm_xl *x, unsigned int reg)
{
	tdm_emit_state(&x->e, TDM_X86_LOAD, reg, TDM_BTS_SPILL + 8 * reg);
}

/* Is @v a sign-extended 32-bit value? */
static inline bool xl_fits32(u64 v)
{
	return v == (u64)(s64)(s32)v;
}

/*
 * One per class. They emit the instruction of x->tr->insn. False: not this one
 * (nothing was emitted): a callout takes its place.
 */
void tdm_xl_go_spilled(struct tdm_xl *x);
bool tdm_xl_jmp(struct tdm_xl *x);
bool tdm_xl_jcc(struct tdm_xl *x);
bool tdm_xl_loop(struct tdm_xl *x);
bool tdm_xl_call(struct tdm_xl *x);
bool tdm_xl_ret(struct tdm_xl *x);
bool tdm_xl_jmp_ind(struct tdm_xl *x);
bool tdm_xl_call_ind(struct tdm_xl *x);
bool tdm_xl_cli(struct tdm_xl *x);
bool tdm_xl_sti(struct tdm_xl *x);
bool tdm_xl_pushf(struct tdm_xl *x);
bool tdm_xl_popf(struct tdm_xl *x);
bool tdm_xl_swapgs(struct tdm_xl *x);
bool tdm_xl_stac(struct tdm_xl *x);
bool tdm_xl_clac(struct tdm_xl *x);
bool tdm_xl_cr_read(struct tdm_xl *x);
bool tdm_xl_sreg_read(struct tdm_xl *x);
bool tdm_xl_iret(struct tdm_xl *x);

#endif /* TDM_BT_XLATE_H */
