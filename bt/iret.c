// SPDX-License-Identifier: GPL-2.0-only
/*
 * IRETQ of the guest's kernel, in the cases that matter: to 64-bit code at CPL 0 or
 * 3, nothing odd (SDM vol. 2, IRET, IA-32e mode). What is odd or faults goes to the
 * interpreter, which has the whole instruction.
 *
 * Translated code has read the stack, and the descriptors that iret_ptr[] points
 * to: with the guest's own mappings and rights, as the instruction would. Here
 * nothing of guest memory is touched.
 *
 * An IRETQ to the same CS and SS does not even come here, once one has: translated
 * code compares the descriptors with what was found good.
 */
#include <asm/processor-flags.h>

#include "arch/x86/segment.h"
#include "bt/bt.h"

/* Slots of tdm_bt_state.iret_ptr. */
enum { USER_CS, USER_SS, KERNEL_CS, KERNEL_SS };

/* struct tdm_bt_state.args */
enum { ARG_RIP, ARG_CS, ARG_RFLAGS, ARG_RSP, ARG_SS, ARG_DESC };
/* Of the image: what IRETQ at CPL 0 loads. RF included. */
#define IRET_FLAGS	0x3d7fd5ull

/* The descriptor of a selector, if the slot is for it; else it will be, next time. */
static bool descriptor(struct tdm_bt *b, u16 selector, int slot, struct tdm_segment *s)
{
	const struct tdm_table *gdt = &b->vcpu->st.gdt;
	u64 at = gdt->base + (selector & ~7u);

	if ((selector & 4) || (selector | 7u) > gdt->limit)
		return false;
	if (b->iret_at[slot] != at) {
		b->iret_at[slot] = at;
		b->iret_key = 0;
		return false;
	}
	tdm_segment_from_desc(s, READ_ONCE(b->state->args[ARG_DESC + slot]), selector);
	return true;
}

/* Present, accessed, of that kind and level, nothing that needs a closer look. */
static bool good_cs(const struct tdm_segment *s, unsigned int rpl)
{
	const u32 want = TDM_AR_P | TDM_AR_S | TDM_AR_CODE | TDM_AR_ACCESSED | TDM_AR_L;

	return (s->ar & (want | TDM_AR_DC | TDM_AR_DB)) == want &&
	       (s->ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT == rpl;
}

static bool good_ss(const struct tdm_segment *s, unsigned int rpl)
{
	const u32 want = TDM_AR_P | TDM_AR_S | TDM_AR_RW | TDM_AR_ACCESSED;

	return (s->ar & (want | TDM_AR_CODE)) == want &&
	       (s->ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT == rpl;
}

/* Segments that the outer level may not keep are loaded with null: not here. */
static bool keeps_segments(struct tdm_vcpu *vcpu)
{
	static const u8 segs[] = { TDM_SEG_ES, TDM_SEG_DS, TDM_SEG_FS, TDM_SEG_GS };
	const struct tdm_segment *s;
	int i;

	tdm_need(vcpu, TDM_ST_SEG_REST);
	for (i = 0; i < ARRAY_SIZE(segs); i++) {
		s = &vcpu->st.seg[segs[i]];
		if (!(s->ar & TDM_AR_UNUSABLE) && (s->ar & TDM_AR_DPL) != TDM_AR_DPL)
			return false;
	}
	return true;
}

/* Both were found good: from now on translated code may do the same alone. */
static void learn_same(struct tdm_bt *b, u16 cs, u16 ss)
{
	b->same.cs = cs;
	b->same.ss = ss;
	b->same.gdt = b->vcpu->st.gdt;
	b->same.raw[0] = READ_ONCE(b->state->args[ARG_DESC + KERNEL_CS]);
	b->same.raw[1] = READ_ONCE(b->state->args[ARG_DESC + KERNEL_SS]);
	b->iret_key = 0;
}

static bool same_allowed(const struct tdm_bt *b)
{
	const struct tdm_vcpu *vcpu = b->vcpu;

	return b->same.cs && b->same.cs == vcpu->st.seg[TDM_SEG_CS].selector &&
	       b->same.ss == vcpu->st.seg[TDM_SEG_SS].selector &&
	       b->same.gdt.base == vcpu->st.gdt.base && b->same.gdt.limit == vcpu->st.gdt.limit &&
	       !vcpu->ev.nmi_masked;
}

/**
 * tdm_bt_iret_enter() - what translated IRETQs need in bt_state
 * @b: the vCPU, about to enter at CPL 0
 */
void tdm_bt_iret_enter(struct tdm_bt *b)
{
	const struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_bt_state *s = b->state;
	bool smp = tdm_bt_tc_smp(vcpu->vm);
	u64 key = vcpu->st.seg[TDM_SEG_CS].selector |
		  (u64)vcpu->st.seg[TDM_SEG_SS].selector << 16 |
		  (u64)vcpu->ev.nmi_masked << 32 | (u64)smp << 33 | BIT_ULL(34);
	u64 none = b->base + TDM_BT_STATE + TDM_BTS_IRET_SAME + 8;
	unsigned int i;

	/* What the guest may have scribbled there since harms itself only. */
	if (likely(b->iret_key == key))
		return;
	b->iret_key = key;
	s->cs = vcpu->st.seg[TDM_SEG_CS].selector;
	s->ss = vcpu->st.seg[TDM_SEG_SS].selector;
	for (i = 0; i < ARRAY_SIZE(b->iret_at); i++)
		s->iret_ptr[i] = b->iret_at[i] ?: b->base + TDM_BT_STATE + TDM_BTS_ARGS;
	/* IRETQ serialises: code that another vCPU has changed must be seen behind it. */
	s->iret_bad = smp || !same_allowed(b);
	if (s->iret_bad) {
		s->iret_same[0].ptr = none;
		s->iret_same[1].ptr = none;
		return;
	}
	s->iret_same[0].ptr = b->same.gdt.base + (b->same.cs & ~7u);
	s->iret_same[0].raw = b->same.raw[0];
	/* The null selector has no descriptor. */
	s->iret_same[1].ptr = b->same.ss ? b->same.gdt.base + (b->same.ss & ~7u) : none;
	s->iret_same[1].raw = b->same.ss ? b->same.raw[1] : b->same.raw[0];
}

static bool do_iret(struct tdm_bt *b)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_segment cs, ss = { .ar = TDM_AR_UNUSABLE };
	u16 cs_sel = READ_ONCE(b->state->args[ARG_CS]);
	u16 ss_sel = READ_ONCE(b->state->args[ARG_SS]);
	u64 rip = READ_ONCE(b->state->args[ARG_RIP]);
	u64 flags = READ_ONCE(b->state->args[ARG_RFLAGS]);
	unsigned int rpl = cs_sel & 3;
	bool user = rpl == 3;

	if ((vcpu->regs.rflags & X86_EFLAGS_NT) || vcpu->ev.nmi_masked ||
	    (flags & X86_EFLAGS_VM) || (rpl && !user) || (ss_sel & 3) != rpl ||
	    !__is_canonical_address(rip, 48))
		return false;
	if (!descriptor(b, cs_sel, user ? USER_CS : KERNEL_CS, &cs) || !good_cs(&cs, rpl))
		return false;
	if (user || ss_sel) {
		if (!descriptor(b, ss_sel, user ? USER_SS : KERNEL_SS, &ss) ||
		    !good_ss(&ss, rpl))
			return false;
	}
	if (user && !keeps_segments(vcpu))
		return false;
	vcpu->regs.rip = rip;
	vcpu->regs.gpr[TDM_RSP] = READ_ONCE(b->state->args[ARG_RSP]);
	vcpu->regs.rflags = (flags & IRET_FLAGS) | X86_EFLAGS_FIXED;
	vcpu->st.seg[TDM_SEG_CS] = cs;
	vcpu->st.seg[TDM_SEG_SS] = ss;
	vcpu->dirty |= TDM_ST_CS_SS;
	if (!user)
		learn_same(b, cs_sel, ss_sel);
	return true;
}

/**
 * tdm_bt_op_iret() - TDM_BT_OP_IRET
 * @b: the vCPU, before the instruction; monitor state
 * @exit: filled: TDM_EXIT_NONE if done, TDM_EXIT_INSN if the interpreter is to do it
 */
void tdm_bt_op_iret(struct tdm_bt *b, struct tdm_exit *exit)
{
	exit->kind = do_iret(b) ? TDM_EXIT_NONE : TDM_EXIT_INSN;
}
