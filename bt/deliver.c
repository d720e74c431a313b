// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts and exceptions into the guest, in the cases that matter: 64-bit, to CPL 0,
 * no IST, everything mapped in the shadow tables (SDM vol. 3, 6.14). What is odd or
 * faults goes to the interpreter, which delivers any event; here nothing has
 * happened then.
 *
 * Interrupts are off, in host or monitor state: guest memory is reached through the
 * shadow tables and the direct map only.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "arch/x86/segment.h"
#include "bt/bt.h"
#include "shadow_mmu/mmu.h"

#define GATE_TYPE(raw)		((raw) >> 40 & 0x1f)
#define GATE_INT64		0x0eu
#define GATE_TRAP64		0x0fu
#define GATE_PRESENT		BIT_ULL(47)
#define GATE_IST(raw)		((raw) >> 32 & 7)

#define FLAGS_CLEARED		(X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_VM | X86_EFLAGS_RF)
#define TSS64_RSP0		4
#define FRAME_WORDS		6

static bool in_slot(const struct tdm_bt *b, u64 gva)
{
	return gva - b->base < TDM_BT_SLOT_SIZE;
}

/* Eight bytes of a table; they do not cross a page if it is aligned as it should be. */
static bool read_table(struct tdm_bt *b, u64 gva, u64 *val)
{
	u64 *p;

	if (in_slot(b, gva) || offset_in_page(gva) > PAGE_SIZE - sizeof(*val))
		return false;
	p = tdm_shadow_reach(b->vcpu, gva, false);
	if (!p)
		return false;
	__get_kernel_nofault(val, p, u64, fault);
	return true;
fault:
	return false;
}

struct handler {
	struct tdm_segment cs;
	u64 rip;
	bool keep_if;
};

static bool find_handler(struct tdm_bt *b, u8 vector, struct handler *h)
{
	const struct tdm_table *idt = &b->vcpu->st.idt, *gdt = &b->vcpu->st.gdt;
	const u32 want = TDM_AR_P | TDM_AR_S | TDM_AR_CODE | TDM_AR_ACCESSED | TDM_AR_L;
	u64 gate, upper, desc;
	u16 sel;

	if (vector * 16u + 15 > idt->limit ||
	    !read_table(b, idt->base + vector * 16u, &gate) ||
	    !read_table(b, idt->base + vector * 16u + 8, &upper))
		return false;
	if ((GATE_TYPE(gate) & ~1u) != GATE_INT64 || !(gate & GATE_PRESENT) || GATE_IST(gate))
		return false;
	sel = gate >> 16;
	if (!(sel & ~3u) || (sel & 4) || (sel | 7u) > gdt->limit ||
	    !read_table(b, gdt->base + (sel & ~7u), &desc))
		return false;
	tdm_segment_from_desc(&h->cs, desc, sel & ~3u);
	if ((h->cs.ar & (want | TDM_AR_DC | TDM_AR_DB | TDM_AR_DPL)) != want)
		return false;
	h->rip = (gate & 0xffff) | (gate >> 48 << 16) | upper << 32;
	h->keep_if = GATE_TYPE(gate) == GATE_TRAP64;
	return __is_canonical_address(h->rip, 48);
}

/* The stack the frame goes to, before alignment. */
static bool find_stack(struct tdm_bt *b, u64 *rsp)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	const struct tdm_segment *tr = &vcpu->st.seg[TDM_SEG_TR];

	if (!tdm_cpl(vcpu)) {
		*rsp = vcpu->regs.gpr[TDM_RSP];
		return true;
	}
	return TSS64_RSP0 + 7 <= tr->limit && read_table(b, tr->base + TSS64_RSP0, rsp);
}

static bool push_frame(struct tdm_bt *b, u64 *rsp, const struct tdm_event *ev)
{
	const struct tdm_vcpu *vcpu = b->vcpu;
	const u64 frame[FRAME_WORDS] = {
		ev->error, vcpu->regs.rip, vcpu->st.seg[TDM_SEG_CS].selector, vcpu->regs.rflags,
		vcpu->regs.gpr[TDM_RSP], vcpu->st.seg[TDM_SEG_SS].selector,
	};
	unsigned int i, first = ev->has_error ? 0 : 1;
	u64 *p;

	*rsp = (*rsp & ~15ull) - (FRAME_WORDS - first) * sizeof(u64);
	if (in_slot(b, *rsp) || offset_in_page(*rsp) > PAGE_SIZE - sizeof(frame))
		return false;
	p = tdm_shadow_reach(vcpu, *rsp, true);
	if (!p)
		return false;
	/* If it faults at all then at the first. */
	for (i = first; i < FRAME_WORDS; i++, p++)
		__put_kernel_nofault(p, &frame[i], u64, fault);
	return true;
fault:
	return false;
}

/* The ones whose delivery is just that. */
static bool plain_event(struct tdm_vcpu *vcpu, const struct tdm_event *ev)
{
	const u32 odd = BIT(X86_TRAP_DB) | BIT(X86_TRAP_NMI) | BIT(X86_TRAP_DF) | BIT(X86_TRAP_MC);
	unsigned int cpl = tdm_cpl(vcpu);

	if (ev->type == TDM_EV_EXC ? ev->vector >= 32 || (BIT(ev->vector) & odd) :
	    ev->type != TDM_EV_IRQ)
		return false;
	return tdm_long_mode(vcpu) && (cpl == 0 || cpl == 3) &&
	       (cpl || (vcpu->st.seg[TDM_SEG_CS].ar & TDM_AR_L)) &&
	       !vcpu->ev.int_shadow && !vcpu->guest_debug;
}

/**
 * tdm_bt_deliver() - deliver b->inject through the guest's IDT
 * @b: the vCPU, canonical state; about to enter, interrupts off. Payload and RF are
 *	already where they belong
 *
 * Return: true: done, it is not pending any more. False: the interpreter has to do it.
 */
bool tdm_bt_deliver(struct tdm_bt *b)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_segment *ss = &vcpu->st.seg[TDM_SEG_SS];
	struct handler h;
	u64 rsp;

	if (tdm_bt_verify || !plain_event(vcpu, &b->inject) ||
	    !find_handler(b, b->inject.vector, &h) || !find_stack(b, &rsp) ||
	    !push_frame(b, &rsp, &b->inject))
		return false;
	/* From another level SS is null (SDM vol. 3, 6.14.2). */
	if (tdm_cpl(vcpu))
		*ss = (struct tdm_segment){ .ar = TDM_AR_UNUSABLE };
	vcpu->st.seg[TDM_SEG_CS] = h.cs;
	vcpu->regs.rip = h.rip;
	vcpu->regs.gpr[TDM_RSP] = rsp;
	vcpu->regs.rflags &= ~(u64)(FLAGS_CLEARED | (h.keep_if ? 0 : X86_EFLAGS_IF));
	vcpu->dirty |= TDM_ST_CS_SS;
	b->inject_valid = false;
	tdm_stat(vcpu, bt_delivered);
	return true;
}
