// SPDX-License-Identifier: GPL-2.0-only
/*
 * Callouts that are over at once: the guest goes on in the TC without the core
 * having seen its state. What they do may change general registers and bt_state,
 * nothing that decides where or how the guest runs.
 *
 * Canonical state is stale here: RSP is in the frame, RIP and RFLAGS nowhere. Who
 * needs more than registers is no business of this file.
 */
#include <asm/msr.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/host.h"
#include "bt/bt.h"
#include "bt/trace.h"

static u64 *reg_of(struct tdm_bt *b, unsigned int reg)
{
	return reg == TDM_RSP ? &b->frame.rsp : &b->vcpu->regs.gpr[reg & 15];
}

static bool light_rdtsc(struct tdm_bt *b, const struct tdm_bt_rec *rec)
{
	u64 now = rdtsc() + b->vcpu->st.tsc_offset;

	b->vcpu->regs.gpr[TDM_RAX] = (u32)now;
	b->vcpu->regs.gpr[TDM_RDX] = now >> 32;
	return true;
}

static bool light_rdtscp(struct tdm_bt *b, const struct tdm_bt_rec *rec)
{
	if (!tdm_guest_has(b->vcpu, X86_FEATURE_RDTSCP))
		return false;
	b->vcpu->regs.gpr[TDM_RCX] = (u32)b->vcpu->st.tsc_aux;
	return light_rdtsc(b, rec);
}

/* CS and SS are read in the TC. */
static bool light_sreg_read(struct tdm_bt *b, const struct tdm_bt_rec *rec)
{
	unsigned int seg = rec->a < TDM_SEG_LDTR ? rec->a : TDM_SEG_DS;
	u64 *reg = reg_of(b, rec->b);

	tdm_need(b->vcpu, TDM_ST_SEG_REST);
	if (rec->c == 2)
		*(u16 *)reg = b->vcpu->st.seg[seg].selector;
	else
		*reg = b->vcpu->st.seg[seg].selector;
	return true;
}

/* Where translated code could not use WRGSBASE. */
static bool light_swapgs(struct tdm_bt *b, const struct tdm_bt_rec *rec)
{
	u64 gs = READ_ONCE(b->state->kernel_gs);

	if (unlikely(!__is_canonical_address(gs, 48)))
		return false;
	/* While the guest is loaded its GS base is the one that SWAPGS brings. */
	b->state->kernel_gs = tdm_host_kernel_gs_base();
	tdm_host_set_kernel_gs_base(gs);
	b->vcpu->st.seg[TDM_SEG_GS].base = gs;
	return true;
}

static bool (*const light_ops[TDM_NR_BT_OPS])(struct tdm_bt *b, const struct tdm_bt_rec *rec) = {
	[TDM_BT_OP_RDTSC]	= light_rdtsc,
	[TDM_BT_OP_RDTSCP]	= light_rdtscp,
	[TDM_BT_OP_SREG_READ]	= light_sreg_read,
	[TDM_BT_OP_SWAPGS]	= light_swapgs,
};

/**
 * tdm_bt_light() - finish a callout here, if it is one of those
 * @b: vCPU in monitor state, stopped by that callout in translated code; nothing
 *	for the host or from other threads waits
 * @pos: from tdm_bt_callout()
 * @what: ditto
 *
 * Return: true: tdm_bt_run() may be called again at once. False: nothing has
 * happened.
 */
bool tdm_bt_light(struct tdm_bt *b, const struct tdm_bt_pos *pos, u32 what)
{
	bool (*op)(struct tdm_bt *b, const struct tdm_bt_rec *rec);
	u64 to = pos->tc_this;

	if (what < TDM_BT_WHAT_LINK0) {
		to = pos->tc_next;
		op = pos->rec.op < TDM_NR_BT_OPS ? light_ops[pos->rec.op] : NULL;
		if (!to || !op || !op(b, &pos->rec))
			return false;
		tdm_stat(b->vcpu, bt_callouts);
		trace_tdm_bt_callout(b->vcpu->id, pos->rip, pos->rec.op);
	} else {
		if (!to)
			return false;
		if (what == TDM_BT_WHAT_MISS)
			tdm_stat(b->vcpu, bt_lookup_misses);
		else
			tdm_stat(b->vcpu, bt_continuations);
	}
	/* The rest of the frame is as the guest left it; tdm_bt_run() looks at the flags. */
	b->frame.rip = to;
	b->frame.cs = TDM_BT_SEL_C64;
	b->frame.ss = TDM_BT_SEL_D1;
	return true;
}
