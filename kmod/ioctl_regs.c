// SPDX-License-Identifier: GPL-2.0-only
/*
 * General and system registers for the caller: KVM_GET/SET_REGS, SREGS,
 * SREGS2, and the same through the shared page (KVM_CAP_SYNC_REGS).
 *
 * What can never be right is refused before anything is changed. What is
 * merely odd is taken: the processor judges it at the next entry, and the
 * caller gets KVM_EXIT_FAIL_ENTRY.
 *
 * Beware: the shared page can change under our hands; copy first, then check.
 */
#include <linux/bitmap.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/cpuid_offer.h"
#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/segment.h"
#include "kmod/core.h"
#include "kmod/ioctl_state.h"
#include "shadow_mmu/mmu.h"

/* ---- general registers ---- */

/* Where each general register is in struct kvm_regs, in instruction order */
static const u16 kvm_regs_offset[TDM_NR_GPRS] = {
	[TDM_RAX] = offsetof(struct kvm_regs, rax),
	[TDM_RCX] = offsetof(struct kvm_regs, rcx),
	[TDM_RDX] = offsetof(struct kvm_regs, rdx),
	[TDM_RBX] = offsetof(struct kvm_regs, rbx),
	[TDM_RSP] = offsetof(struct kvm_regs, rsp),
	[TDM_RBP] = offsetof(struct kvm_regs, rbp),
	[TDM_RSI] = offsetof(struct kvm_regs, rsi),
	[TDM_RDI] = offsetof(struct kvm_regs, rdi),
	[TDM_R8] = offsetof(struct kvm_regs, r8),
	[TDM_R9] = offsetof(struct kvm_regs, r9),
	[TDM_R10] = offsetof(struct kvm_regs, r10),
	[TDM_R11] = offsetof(struct kvm_regs, r11),
	[TDM_R12] = offsetof(struct kvm_regs, r12),
	[TDM_R13] = offsetof(struct kvm_regs, r13),
	[TDM_R14] = offsetof(struct kvm_regs, r14),
	[TDM_R15] = offsetof(struct kvm_regs, r15),
};

/** tdm_regs_get() - KVM_GET_REGS */
void tdm_regs_get(struct tdm_vcpu *vcpu, struct kvm_regs *r)
{
	int i;

	tdm_need(vcpu, TDM_ST_RIP | TDM_ST_RSP | TDM_ST_RFLAGS);
	for (i = 0; i < TDM_NR_GPRS; i++)
		*(__u64 *)((char *)r + kvm_regs_offset[i]) = vcpu->regs.gpr[i];
	r->rip = vcpu->regs.rip;
	r->rflags = vcpu->regs.rflags;
}

/** tdm_regs_set() - KVM_SET_REGS; an exception not yet delivered is dropped */
void tdm_regs_set(struct tdm_vcpu *vcpu, const struct kvm_regs *r)
{
	int i;

	for (i = 0; i < TDM_NR_GPRS; i++)
		vcpu->regs.gpr[i] = *(const __u64 *)((const char *)r + kvm_regs_offset[i]);
	vcpu->regs.rip = r->rip;
	vcpu->regs.rflags = r->rflags | X86_EFLAGS_FIXED;
	vcpu->ev.exc_pending = false;
	tdm_touch(vcpu, TDM_ST_RIP | TDM_ST_RSP | TDM_ST_RFLAGS);
	tdm_request(vcpu, TDM_REQ_EVENT);
}

/* ---- system registers ---- */

#define SREGS_PARTS	(TDM_ST_SEG | TDM_ST_TABLES | TDM_ST_CR)

/* struct kvm_sregs and kvm_sregs2 agree up to and including apic_base. */
#define SREGS_COMMON	offsetof(struct kvm_sregs, interrupt_bitmap)
static_assert(offsetof(struct kvm_sregs2, flags) == SREGS_COMMON);

static void sregs_get_common(struct tdm_vcpu *vcpu, struct kvm_sregs *s)
{
	const struct tdm_state *st = &vcpu->st;

	tdm_need(vcpu, SREGS_PARTS);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_CS], &s->cs);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_DS], &s->ds);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_ES], &s->es);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_FS], &s->fs);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_GS], &s->gs);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_SS], &s->ss);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_TR], &s->tr);
	tdm_segment_to_kvm(&st->seg[TDM_SEG_LDTR], &s->ldt);
	s->gdt = (struct kvm_dtable){ .base = st->gdt.base, .limit = st->gdt.limit };
	s->idt = (struct kvm_dtable){ .base = st->idt.base, .limit = st->idt.limit };
	s->cr0 = st->cr0;
	s->cr2 = st->cr2;
	s->cr3 = st->cr3;
	s->cr4 = st->cr4;
	s->cr8 = tdm_get_cr8(vcpu);
	s->efer = st->efer;
	s->apic_base = st->apic_base;
}

/* An interrupt whose delivery was cut short by an exit. */
static bool irq_in_flight(const struct tdm_vcpu *vcpu)
{
	return vcpu->ev.cur_valid && vcpu->ev.cur.type == TDM_EV_IRQ;
}

/** tdm_sregs_get() - KVM_GET_SREGS */
void tdm_sregs_get(struct tdm_vcpu *vcpu, struct kvm_sregs *s)
{
	int vector = -1;

	memset(s, 0, sizeof(*s));
	sregs_get_common(vcpu, s);
	if (irq_in_flight(vcpu))
		vector = vcpu->ev.cur.vector;
	else if (!vcpu->ev.cur_valid)
		vector = vcpu->ev.user_irq;
	if (vector >= 0)
		s->interrupt_bitmap[vector / 64] |= 1ull << (vector % 64);
}

/** tdm_sregs2_get() - KVM_GET_SREGS2: with PDPTRs instead of the interrupt */
void tdm_sregs2_get(struct tdm_vcpu *vcpu, struct kvm_sregs2 *s)
{
	struct kvm_sregs common;
	int i;

	memset(s, 0, sizeof(*s));
	sregs_get_common(vcpu, &common);
	memcpy(s, &common, SREGS_COMMON);
	if (!tdm_pae_paging(&vcpu->st))
		return;
	for (i = 0; i < 4; i++)
		s->pdptrs[i] = vcpu->st.pdptr[i];
	s->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
}

/* Is this a state a processor with this CPUID can be in? */
static bool sregs_valid(struct tdm_vcpu *vcpu, const struct kvm_sregs *s)
{
	if ((s->efer & EFER_LME) && (s->cr0 & X86_CR0_PG)) {
		if (!(s->cr4 & X86_CR4_PAE) || !(s->efer & EFER_LMA))
			return false;
		if (s->cr3 >> tdm_maxphyaddr(vcpu))
			return false;
	} else {
		if ((s->efer & EFER_LMA) || s->cs.l)
			return false;
		if (s->cr3 >> tdm_offer_maxphyaddr())
			return false;
	}
	if (s->efer & ~tdm_offer_efer() || s->cr8 > 15)
		return false;
	return tdm_cr4_valid(vcpu, s->cr4) && tdm_cr0_valid(s->cr0);
}

static void set_segments(struct tdm_state *st, const struct kvm_sregs *s)
{
	tdm_segment_from_kvm(&st->seg[TDM_SEG_CS], &s->cs);
	tdm_segment_from_kvm(&st->seg[TDM_SEG_DS], &s->ds);
	tdm_segment_from_kvm(&st->seg[TDM_SEG_ES], &s->es);
	tdm_segment_from_kvm(&st->seg[TDM_SEG_FS], &s->fs);
	tdm_segment_from_kvm(&st->seg[TDM_SEG_GS], &s->gs);
	tdm_segment_from_kvm(&st->seg[TDM_SEG_SS], &s->ss);
	tdm_segment_from_kvm(&st->seg[TDM_SEG_TR], &s->tr);
	tdm_segment_from_kvm(&st->seg[TDM_SEG_LDTR], &s->ldt);
	st->gdt = (struct tdm_table){ .base = s->gdt.base, .limit = s->gdt.limit };
	st->idt = (struct tdm_table){ .base = s->idt.base, .limit = s->idt.limit };
}

/* Old VMMs reset a CPU by its registers alone and expect it to run. */
static void wake_reset_bsp(struct tdm_vcpu *vcpu)
{
	const struct tdm_state *st = &vcpu->st;

	tdm_need(vcpu, TDM_ST_RIP);
	if (vcpu->id == vcpu->vm->bsp_vcpu_id && vcpu->regs.rip == 0xfff0 &&
	    st->seg[TDM_SEG_CS].selector == 0xf000 &&
	    st->seg[TDM_SEG_CS].base == 0xffff0000 && !(st->cr0 & X86_CR0_PE))
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
}

/* All but the PDPTRs and the pending interrupt. Changes nothing on an error. */
static int sregs_set_common(struct tdm_vcpu *vcpu, const struct kvm_sregs *s)
{
	struct tdm_state *st = &vcpu->st;
	u64 old_cr0, old_cr4, old_efer;

	if (!sregs_valid(vcpu, s))
		return -EINVAL;
	if (tdm_msr_set(vcpu, MSR_IA32_APICBASE, s->apic_base, true))
		return -EINVAL;
	tdm_need(vcpu, SREGS_PARTS);
	old_cr0 = st->cr0;
	old_cr4 = st->cr4;
	old_efer = st->efer;
	set_segments(st, s);
	st->cr0 = s->cr0 | X86_CR0_ET;	/* which no processor has as 0 */
	st->cr2 = s->cr2;
	st->cr3 = s->cr3;
	st->cr4 = s->cr4;
	st->efer = s->efer;
	tdm_touch(vcpu, SREGS_PARTS);
	tdm_set_cr8(vcpu, s->cr8);
	tdm_cr_changed(vcpu, old_cr0, old_cr4, old_efer);
	tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ALL);
	tdm_request(vcpu, TDM_REQ_EVENT);
	wake_reset_bsp(vcpu);
	return 0;
}

/* Vector of the lowest bit set, or -1. */
static int pending_vector(const struct kvm_sregs *s)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(s->interrupt_bitmap); i++)
		if (s->interrupt_bitmap[i])
			return i * 64 + __ffs64(s->interrupt_bitmap[i]);
	return -1;
}

/**
 * tdm_sregs_set() - KVM_SET_SREGS
 * @vcpu: loaded vCPU
 * @s: new values
 *
 * Return: 0; -EINVAL, with nothing changed, for control registers, EFER or an
 * APIC base that this vCPU cannot have, or for an interrupt when something
 * else is half delivered.
 */
int tdm_sregs_set(struct tdm_vcpu *vcpu, const struct kvm_sregs *s)
{
	int r, vector = pending_vector(s);

	if (vector >= 0 && vcpu->ev.cur_valid && !irq_in_flight(vcpu))
		return -EINVAL;
	r = sregs_set_common(vcpu, s);
	if (r)
		return r;
	/*
	 * Where the tables are bad, or not there yet, the entry will say so;
	 * the order in which a VMM sets memory and registers is its own.
	 */
	if (tdm_pae_paging(&vcpu->st))
		(void)tdm_load_pdptrs(vcpu, vcpu->st.cr3);
	if (vector >= 0) {
		vcpu->ev.user_irq = -1;
		vcpu->ev.cur = (struct tdm_event){ .type = TDM_EV_IRQ, .vector = vector };
		vcpu->ev.cur_valid = true;
	}
	return 0;
}

/**
 * tdm_sregs2_set() - KVM_SET_SREGS2
 * @vcpu: loaded vCPU
 * @s: new values; the PDPTRs too if the flag says so
 *
 * Return: as tdm_sregs_set(); -EINVAL too for unknown flags, and for PDPTRs
 * without PAE paging.
 */
int tdm_sregs2_set(struct tdm_vcpu *vcpu, const struct kvm_sregs2 *s)
{
	bool pae = (s->cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) &&
		   !(s->efer & EFER_LMA);
	bool given = s->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	struct kvm_sregs common = {};
	int i, r;

	if (s->flags & ~KVM_SREGS2_FLAGS_PDPTRS_VALID || (given && !pae))
		return -EINVAL;
	memcpy(&common, s, SREGS_COMMON);
	r = sregs_set_common(vcpu, &common);
	if (r)
		return r;
	if (!given) {
		if (pae)
			(void)tdm_load_pdptrs(vcpu, vcpu->st.cr3);
		return 0;
	}
	for (i = 0; i < 4; i++)
		vcpu->st.pdptr[i] = s->pdptrs[i];
	tdm_touch(vcpu, TDM_ST_CR);
	return 0;
}

/* ---- the shared page ---- */

/**
 * tdm_sync_regs_check() - kvm_valid_regs and kvm_dirty_regs name only sets we know
 * @run: the shared page
 *
 * Return: 0 or -EINVAL.
 */
int tdm_sync_regs_check(const struct kvm_run *run)
{
	u64 asked = READ_ONCE(run->kvm_valid_regs) | READ_ONCE(run->kvm_dirty_regs);

	return asked & ~(u64)KVM_SYNC_X86_VALID_FIELDS ? -EINVAL : 0;
}

/** tdm_sync_regs_to_run() - state the caller wants in the shared page */
void tdm_sync_regs_to_run(struct tdm_vcpu *vcpu)
{
	struct kvm_sync_regs *s = &vcpu->run->s.regs;
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs);

	BUILD_BUG_ON(sizeof(vcpu->run->s) < sizeof(*s));
	if (valid & KVM_SYNC_X86_REGS)
		tdm_regs_get(vcpu, &s->regs);
	if (valid & KVM_SYNC_X86_SREGS)
		tdm_sregs_get(vcpu, &s->sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		tdm_events_get(vcpu, &s->events);
}

/**
 * tdm_sync_regs_from_run() - take over state the caller changed in the shared page
 * @vcpu: loaded vCPU
 *
 * Clears the bits of what was taken.
 *
 * Return: 0, or -EINVAL as the ioctls would.
 */
int tdm_sync_regs_from_run(struct tdm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	union {
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_vcpu_events events;
	} copy;

	if (dirty & KVM_SYNC_X86_REGS) {
		memcpy(&copy.regs, &run->s.regs.regs, sizeof(copy.regs));
		tdm_regs_set(vcpu, &copy.regs);
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_REGS;
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		memcpy(&copy.sregs, &run->s.regs.sregs, sizeof(copy.sregs));
		if (tdm_sregs_set(vcpu, &copy.sregs))
			return -EINVAL;
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_SREGS;
	}
	if (dirty & KVM_SYNC_X86_EVENTS) {
		memcpy(&copy.events, &run->s.regs.events, sizeof(copy.events));
		if (tdm_events_set(vcpu, &copy.events))
			return -EINVAL;
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_EVENTS;
	}
	return 0;
}
