// SPDX-License-Identifier: GPL-2.0-only
/*
 * enter(): run the guest until there is something for the core to do.
 *
 * The loop here goes on by itself after what is the engine's own business:
 * continuations, indirect branches not yet in the lookup table, system calls.
 * Host interrupts end it: they hit the guest at once, since the real IF is always
 * on there; so it cannot run for long.
 */
#include <asm/processor-flags.h>

#include "arch/x86/dr.h"
#include "bt/bt.h"
#include "bt/trace.h"
#include "shadow_mmu/mmu.h"

/* ---- what runs where ---- */

/* Enabled breakpoints on execution: they are at guest addresses, not in the TC. */
static bool code_breakpoints(const struct tdm_vcpu *vcpu)
{
	u64 dr7 = tdm_dr7_effective(vcpu);
	int i;

	if (likely(!(dr7 & 0xff)))
		return false;
	for (i = 0; i < 4; i++)
		if (tdm_dr_is_exec(dr7, i))
			return true;
	return false;
}

/**
 * tdm_bt_must_emulate() - tdm_engine_ops.must_emulate
 * @vcpu: loaded vCPU
 *
 * Legacy modes, compatibility-mode kernels and rings 1 and 2; and what translated
 * code cannot show at every instruction: single steps, breakpoints on guest
 * addresses, the instruction in the shadow of STI or MOV SS, an IOPL for CPL 0's
 * own PUSHF.
 */
bool tdm_bt_must_emulate(struct tdm_vcpu *vcpu)
{
	const struct tdm_segment *seg = vcpu->st.seg;
	int cpl = (seg[TDM_SEG_SS].ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT;

	if (unlikely(!tdm_long_mode(vcpu)))
		return true;
	if (cpl == 3)
		return vcpu->ev.int_shadow || tdm_bt_user_selectors(to_bt(vcpu));
	return cpl || !(seg[TDM_SEG_CS].ar & TDM_AR_L) || vcpu->ev.int_shadow ||
	       (vcpu->regs.rflags & (X86_EFLAGS_TF | X86_EFLAGS_IOPL)) ||
	       (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP) || code_breakpoints(vcpu);
}

/* ---- windows ---- */

/**
 * tdm_bt_request_window() - tdm_engine_ops.request_window
 * @vcpu: loaded vCPU
 * @windows: TDM_WINDOW_*; CR8 writes always exit, so there is nothing to do for a TPR class
 */
void tdm_bt_request_window(struct tdm_vcpu *vcpu, u32 windows)
{
	struct tdm_bt *b = to_bt(vcpu);
	u32 changed = b->windows ^ windows;

	b->windows = windows;
	if (changed & TDM_WINDOW_IRQ)
		tdm_bt_window(b, windows & TDM_WINDOW_IRQ);
}

static bool window_open(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = b->vcpu;

	if ((b->windows & TDM_WINDOW_NMI) && vcpu->ops->nmi_allowed(vcpu)) {
		exit->kind = TDM_EXIT_NMI_WINDOW;
		return true;
	}
	if ((b->windows & TDM_WINDOW_IRQ) && vcpu->ops->irq_allowed(vcpu)) {
		exit->kind = TDM_EXIT_IRQ_WINDOW;
		return true;
	}
	return false;
}

/* ---- in ---- */

static void enter_user(struct tdm_bt *b)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_bt_frame *f = &b->frame;
	u64 flags = TDM_BT_REAL_FLAGS | X86_EFLAGS_TF | X86_EFLAGS_RF;

	b->user = true;
	f->rip = vcpu->regs.rip;
	f->rflags = (vcpu->regs.rflags & flags) | X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		f->rflags |= X86_EFLAGS_TF;
	f->rsp = vcpu->regs.gpr[TDM_RSP];
}

/* Where the guest has come to by itself, or is sent: handlers mostly. */
static u64 entry_at(struct tdm_bt *b, u64 rip, u64 gen)
{
	typeof(&b->entry[0]) e = &b->entry[(rip >> 4 ^ rip >> 12) % TDM_BT_ENTRIES];
	u64 tc;

	if (likely(e->rip == rip && e->gen == gen && e->space == b->space))
		return e->tc;
	tc = tdm_bt_tc_find(b, rip);
	if (tc) {
		e->rip = rip;
		e->tc = tc;
		e->gen = gen;
		e->space = b->space;
	}
	return tc;
}

/* Where translated code for the guest's RIP is; 0: nowhere yet. */
static u64 resume_at(struct tdm_bt *b)
{
	u64 rip = b->vcpu->regs.rip, gen;

	if (unlikely(!tdm_bt_space_fast(b)))
		return 0;
	/* Before the search: what is found may have gone since. */
	gen = tdm_bt_tc_gen(b->vcpu->vm);
	if (likely(b->resume_gen == gen)) {
		if (rip == b->resume_rip[0] && b->resume_tc[0])
			return b->resume_tc[0];
		if (rip == b->resume_rip[1] && b->resume_tc[1])
			return b->resume_tc[1];
	}
	return entry_at(b, rip, gen);
}

static bool enter_kernel(struct tdm_bt *b)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_bt_frame *f = &b->frame;

	f->rip = resume_at(b);
	if (unlikely(!f->rip))
		return false;
	b->user = false;
	f->cs = TDM_BT_SEL_C64;
	f->ss = TDM_BT_SEL_D1;
	f->rflags = (vcpu->regs.rflags & TDM_BT_REAL_FLAGS) | X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	f->rsp = vcpu->regs.gpr[TDM_RSP];
	b->state->vif = vcpu->regs.rflags & TDM_BT_IF;
	b->state->kernel_gs = vcpu->st.kernel_gs_base;
	b->state->cr0 = vcpu->st.cr0;
	b->state->cr2 = vcpu->st.cr2;
	b->state->cr3 = vcpu->st.cr3;
	b->state->cr4 = vcpu->st.cr4;
	tdm_bt_iret_enter(b);
	return true;
}

/* Canonical state to the CPU; false: *exit is filled, do not run. */
static bool go_in(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = b->vcpu;

	if (unlikely(b->inject_valid) && !tdm_bt_deliver(b)) {
		vcpu->ops->cancel_injection(vcpu);
		exit->kind = TDM_EXIT_EMULATE;
		return false;
	}
	if (unlikely(b->windows) && window_open(b, exit))
		return false;
	if (unlikely(READ_ONCE(vcpu->mmu.mon_conflict))) {
		b->slow = TDM_BT_SLOW_MOVE;
		exit->kind = TDM_EXIT_ENGINE;
		return false;
	}
	if (unlikely(tdm_bt_must_emulate(vcpu))) {
		exit->kind = TDM_EXIT_EMULATE;
		return false;
	}
	if (tdm_cpl(vcpu) == 3 && unlikely(tdm_bt_gdt_stale(b))) {
		b->slow = TDM_BT_SLOW_GDT;
		exit->kind = TDM_EXIT_ENGINE;
		return false;
	}
	tdm_bt_switch_in(b);
	if (vcpu->dirty & TDM_ST_SEG_REST)
		tdm_bt_segs_in(b);
	if (unlikely(vcpu->dirty & (TDM_ST_CR | TDM_ST_DR7 | TDM_ST_MSRS)))
		tdm_bt_guest_changed(b);
	if (unlikely(vcpu->dirty & TDM_ST_TABLES))
		b->iret_key = 0;
	vcpu->dirty = 0;
	if (tdm_cpl(vcpu) == 3) {
		enter_user(b);
		return true;
	}
	if (likely(enter_kernel(b)))
		return true;
	b->slow = TDM_BT_SLOW_FILL;
	exit->kind = TDM_EXIT_ENGINE;
	return false;
}

/** tdm_bt_enter() - tdm_engine_ops.enter */
void tdm_bt_enter(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	struct tdm_bt *b = to_bt(vcpu);

	exit->insn_len = 0;
	exit->hw_reason = 0;
	exit->hw_qual = 0;
	do {
		if (!go_in(b, exit))
			return;
		do {
			tdm_bt_run(b);
			exit->kind = TDM_EXIT_NONE;
			exit->hw_reason = b->frame.vector;
			exit->hw_qual = b->frame.rip;
			trace_tdm_bt_light_exit(vcpu->id, b->frame.vector, b->frame.rip, b->user);
		} while (tdm_bt_decode_exit(b, exit));
	} while (exit->kind == TDM_EXIT_NONE && likely(!READ_ONCE(vcpu->requests)) &&
		 likely(!tdm_bt_verify));
}

/*
 * The guest began to use the PML4 entry that the monitor slot is in: take another.
 * Only those that the host's kernel leaves to hypervisors will do: its upper half is
 * mapped beside the slot in the monitor's root.
 */
static int move_monitor(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	unsigned int i;
	u64 entry;
	int r;

	for (i = 256; i < 272; i++) {
		if (i == vcpu->mmu.mon_index)
			continue;
		if (!tdm_mmu_root_entry(vcpu, i, &entry) || (entry & 1))
			continue;
		preempt_disable();
		tdm_bt_mon_move(b, i);
		preempt_enable();
		/* All of these are addresses in the slot. */
		b->resume_gen = ~0ull;
		b->iret_key = 0;
		memset(b->entry, 0, sizeof(b->entry));
		r = tdm_mmu_move_monitor(vcpu, i);
		return r ? r : 1;
	}
	/* None is left for the monitor. */
	exit->kind = TDM_EXIT_EMULATE;
	return 0;
}

/* The page that translated code reads an operand from, for the monitor's sake. */
static int map_operand(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_page_fault pf;
	int r = tdm_shadow_fault(b->vcpu, b->frame.cr2, b->frame.error, &pf);

	if (r == TDM_MMU_RESUME)
		return 1;
	if (r < 0)
		return r;
	exit->kind = TDM_EXIT_EMULATE;
	return 0;
}

/**
 * tdm_bt_slow() - tdm_engine_ops.slow
 * @vcpu: loaded vCPU, process context
 * @exit: TDM_EXIT_ENGINE; filled with another kind if 0 is returned
 *
 * Return: 1 enter again; 0; negative errno.
 */
int tdm_bt_slow(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	struct tdm_bt *b = to_bt(vcpu);

	switch (b->slow) {
	case TDM_BT_SLOW_DEAD:
		/* What it was about: where it was last seen, and where it jumped last. */
		tdm_bt_explain(vcpu, vcpu->regs.rip);
		tdm_bt_explain(vcpu, READ_ONCE(b->state->ind_rip));
		exit->kind = TDM_EXIT_INTERNAL;
		return 0;
	case TDM_BT_SLOW_USER:
		return tdm_bt_user_trap(b, exit);
	case TDM_BT_SLOW_GDT:
		return tdm_bt_gdt_refresh(b) ?: 1;
	case TDM_BT_SLOW_MOVE:
		return move_monitor(b, exit);
	case TDM_BT_SLOW_OPERAND:
		return map_operand(b, exit);
	default:
		return tdm_bt_tc_fill(b, vcpu->regs.rip, exit);
	}
}
