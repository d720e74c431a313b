// SPDX-License-Identifier: GPL-2.0-only
/*
 * Canonical state to and from the VMCS, by parts (TDM_ST_*).
 *
 * sync_in makes what the core wrote fit the entry checks where hardware would
 * have kept it fitting (accessed bits, busy TSS, fixed control-register bits);
 * what is plainly wrong goes in as it is, and check.c explains the failed entry.
 *
 * The VMCS is current; preemption may be on: the preempt notifier brings it
 * back.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr-index.h>

#include "arch/x86/vmx/inv.h"
#include "arch/x86/vmx/vmx.h"

/* ---- segments ---- */

#define CS_SS	(BIT(TDM_SEG_CS) | BIT(TDM_SEG_SS))
#define REST	(GENMASK(TDM_NR_SEGS - 1, 0) & ~CS_SS)

/* Without a loop over fields: the emulator asks for CS and SS at each of its runs. */
static __always_inline void seg_out(struct tdm_vcpu *vcpu, const int i)
{
	struct tdm_segment *s = &vcpu->st.seg[i];

	s->base = vmcs_read_again(VMCS_GUEST_ES_BASE + 2 * i);
	s->limit = vmcs_read_again(VMCS_GUEST_ES_LIMIT + 2 * i);
	s->ar = vmcs_read_again(VMCS_GUEST_ES_AR + 2 * i);
	s->selector = vmcs_read_again(VMCS_GUEST_ES_SEL + 2 * i);
}

static void cs_ss_out(struct tdm_vcpu *vcpu)
{
	seg_out(vcpu, TDM_SEG_CS);
	seg_out(vcpu, TDM_SEG_SS);
}

static void segs_rest_out(struct tdm_vcpu *vcpu)
{
	seg_out(vcpu, TDM_SEG_ES);
	seg_out(vcpu, TDM_SEG_DS);
	seg_out(vcpu, TDM_SEG_FS);
	seg_out(vcpu, TDM_SEG_GS);
	seg_out(vcpu, TDM_SEG_LDTR);
	seg_out(vcpu, TDM_SEG_TR);
}

/* A loaded code or data segment has been accessed, a loaded TSS is busy. */
static u32 fit_ar(int i, u32 ar)
{
	if (ar & TDM_AR_UNUSABLE)
		return ar;
	if (i == TDM_SEG_TR)
		return ar | TDM_AR_RW;
	if (ar & TDM_AR_S)
		return ar | TDM_AR_ACCESSED;
	return ar;
}

static void segs_in(struct tdm_vcpu *vcpu, unsigned long which)
{
	const struct tdm_segment *s;
	int i;

	for_each_set_bit(i, &which, TDM_NR_SEGS) {
		s = &vcpu->st.seg[i];
		vmcs_write_raw(VMCS_GUEST_ES_BASE + 2 * i, s->base);
		vmcs_write_raw(VMCS_GUEST_ES_LIMIT + 2 * i, s->limit);
		vmcs_write_raw(VMCS_GUEST_ES_AR + 2 * i, fit_ar(i, s->ar));
		vmcs_write_raw(VMCS_GUEST_ES_SEL + 2 * i, s->selector);
	}
}

/* ---- descriptor tables ---- */

static void tables_out(struct tdm_vcpu *vcpu)
{
	vcpu->st.gdt.base = vmcs_readn(VMCS_GUEST_GDTR_BASE);
	vcpu->st.gdt.limit = vmcs_read32(VMCS_GUEST_GDTR_LIMIT);
	vcpu->st.idt.base = vmcs_readn(VMCS_GUEST_IDTR_BASE);
	vcpu->st.idt.limit = vmcs_read32(VMCS_GUEST_IDTR_LIMIT);
}

static void tables_in(struct tdm_vcpu *vcpu)
{
	vmcs_writen(VMCS_GUEST_GDTR_BASE, vcpu->st.gdt.base);
	vmcs_write32(VMCS_GUEST_GDTR_LIMIT, vcpu->st.gdt.limit);
	vmcs_writen(VMCS_GUEST_IDTR_BASE, vcpu->st.idt.base);
	vmcs_write32(VMCS_GUEST_IDTR_LIMIT, vcpu->st.idt.limit);
}

/* ---- control registers ---- */

static bool pae_paging(const struct tdm_state *st)
{
	return (st->cr0 & X86_CR0_PG) && (st->cr4 & X86_CR4_PAE) &&
	       !(st->efer & EFER_LMA);
}

static void cr_out(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	struct tdm_state *st = &vcpu->st;

	/* The other bits cannot change without an exit, and hardware's differ. */
	st->cr0 = (st->cr0 & ~v->cr0_owned) | (vmcs_readn(VMCS_GUEST_CR0) & v->cr0_owned);
	st->cr4 = (st->cr4 & ~v->cr4_owned) | (vmcs_readn(VMCS_GUEST_CR4) & v->cr4_owned);
	if (v->shadow)
		return;
	st->cr3 = vmcs_readn(VMCS_GUEST_CR3);
	if (pae_paging(st)) {
		st->pdptr[0] = vmcs_read64(VMCS_GUEST_PDPTE0);
		st->pdptr[1] = vmcs_read64(VMCS_GUEST_PDPTE1);
		st->pdptr[2] = vmcs_read64(VMCS_GUEST_PDPTE2);
		st->pdptr[3] = vmcs_read64(VMCS_GUEST_PDPTE3);
	}
}

static u64 hw_cr0(const struct tdm_vmx *v, u64 cr0)
{
	/*
	 * CD and NW stay the host's: entries do not load them, and a guest
	 * must not slow the machine down.
	 */
	cr0 &= ~(u64)(X86_CR0_CD | X86_CR0_NW);
	if (v->shadow)
		return cr0 | tdm_vmx_caps.cr0_fixed0 | X86_CR0_WP;
	/* Unrestricted guests may clear PE and PG. */
	return cr0 | (tdm_vmx_caps.cr0_fixed0 & ~(u64)(X86_CR0_PE | X86_CR0_PG));
}

/*
 * With shadow paging, how the tables we built are to be read: PAE at least, no
 * PCIDs and no global pages (each entry flushes), and nothing that looks at user
 * pages as long as the guest has no paging: all its pages are user pages then.
 */
static u64 hw_cr4(const struct tdm_vmx *v, const struct tdm_state *st)
{
	/* A machine check while the guest runs is the host's. */
	u64 cr4 = st->cr4 | tdm_vmx_caps.cr4_fixed0 | (native_read_cr4() & X86_CR4_MCE);

	if (!v->shadow)
		return cr4;
	cr4 = (cr4 & ~(u64)(X86_CR4_PCIDE | X86_CR4_PGE)) | X86_CR4_PAE;
	if (!(st->cr0 & X86_CR0_PG))
		cr4 &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE);
	return cr4;
}

/* CR3 and PDPTRs; shadow paging has its own, which load_root() (enter.c) writes. */
static void cr3_in(struct tdm_vmx *v, const struct tdm_state *st)
{
	if (v->shadow)
		return;
	vmcs_writen(VMCS_GUEST_CR3, st->cr3);
	if (pae_paging(st)) {
		vmcs_write64(VMCS_GUEST_PDPTE0, st->pdptr[0]);
		vmcs_write64(VMCS_GUEST_PDPTE1, st->pdptr[1]);
		vmcs_write64(VMCS_GUEST_PDPTE2, st->pdptr[2]);
		vmcs_write64(VMCS_GUEST_PDPTE3, st->pdptr[3]);
	}
	/* Unlike the guest's own moves, these flush nothing by themselves. */
	if (v->vpid)
		tdm_invvpid(INV_SINGLE, v->vpid);
}

static void cr_in(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	const struct tdm_state *st = &vcpu->st;

	vmcs_writen(VMCS_GUEST_CR0, hw_cr0(v, st->cr0));
	vmcs_writen(VMCS_CR0_SHADOW, st->cr0);
	vmcs_writen(VMCS_GUEST_CR4, hw_cr4(v, st));
	vmcs_writen(VMCS_CR4_SHADOW, st->cr4);
	tdm_vmx_set_entry_ctl(v, ENTRY_IA32E, st->efer & EFER_LMA);
	tdm_vmx_efer_in(vcpu);
	cr3_in(v, st);
}

/* ---- flags, shadows, pending debug exceptions ---- */

static u64 hw_rflags(const struct tdm_vcpu *vcpu)
{
	u64 rflags = vcpu->regs.rflags | X86_EFLAGS_FIXED;

	if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		rflags |= X86_EFLAGS_TF;
	return rflags;
}

static void rflags_out(struct tdm_vcpu *vcpu)
{
	u64 rflags = vmcs_readn(VMCS_GUEST_RFLAGS);

	/* TF is the caller's while it single-steps. */
	if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		rflags &= ~(u64)X86_EFLAGS_TF;
	vcpu->regs.rflags = rflags;
}

static void shadow_out(struct tdm_vcpu *vcpu)
{
	u32 intr = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

	vcpu->ev.int_shadow = intr & (INTR_BLOCK_STI | INTR_BLOCK_MOV_SS);
	vcpu->ev.nmi_masked = intr & INTR_BLOCK_NMI;
}

/*
 * In a shadow, "pending BS" must say whether single-stepping is on (SDM vol. 3,
 * 26.3.1.5); when the core ended a shadow it has raised the trap itself.
 */
static void pending_dbg_in(bool shadow, bool shadow_changed)
{
	bool step = (vmcs_readn(VMCS_GUEST_RFLAGS) & X86_EFLAGS_TF) &&
		    !(vmcs_read64(VMCS_GUEST_DEBUGCTL) & DEBUGCTLMSR_BTF);
	unsigned long pdbg;

	if (!shadow && !shadow_changed)
		return;
	pdbg = vmcs_readn(VMCS_GUEST_PENDING_DBG) & ~PDBG_BS;
	if (shadow && step)
		pdbg |= PDBG_BS;
	vmcs_writen(VMCS_GUEST_PENDING_DBG, pdbg);
}

static void flags_in(struct tdm_vcpu *vcpu, u32 mask)
{
	u32 intr;

	if (mask & TDM_ST_RFLAGS)
		vmcs_writen(VMCS_GUEST_RFLAGS, hw_rflags(vcpu));
	if (mask & TDM_ST_SHADOW) {
		intr = vcpu->ev.int_shadow;
		/* Hardware never has both; MOV SS blocks all that STI does. */
		if (intr & INTR_BLOCK_MOV_SS)
			intr &= ~INTR_BLOCK_STI;
		if (vcpu->ev.nmi_masked)
			intr |= INTR_BLOCK_NMI;
	} else {
		intr = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
	}
	/* An STI shadow exists only with IF set; without, nothing is to block. */
	if ((intr & INTR_BLOCK_STI) &&
	    !(vmcs_readn(VMCS_GUEST_RFLAGS) & X86_EFLAGS_IF))
		intr &= ~INTR_BLOCK_STI;
	vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, intr);
	pending_dbg_in(intr & (INTR_BLOCK_STI | INTR_BLOCK_MOV_SS),
		       mask & TDM_ST_SHADOW);
}

/* ---- debug ---- */

static void dr7_out(struct tdm_vcpu *vcpu)
{
	/* While the caller's breakpoints are in, the guest's DR7 is not. */
	if (!(vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP))
		vcpu->st.dr7 = vmcs_readn(VMCS_GUEST_DR7);
	vcpu->st.debugctl = vmcs_read64(VMCS_GUEST_DEBUGCTL);
}

static void dr7_in(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u64 dr7 = vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ?
		  vcpu->debug_dr7 : vcpu->st.dr7;

	vmcs_writen(VMCS_GUEST_DR7, dr7);
	vmcs_write64(VMCS_GUEST_DEBUGCTL, vcpu->st.debugctl);
	if ((dr7 & DR_GLOBAL_ENABLE_MASK) || (dr7 & DR_LOCAL_ENABLE_MASK))
		v->before |= BEFORE_DR;
	else if (!v->dr_granted)
		v->before &= ~BEFORE_DR;
	tdm_vmx_update_valid_after(vcpu);
}

/* ---- MSRs ---- */

static void sysenter_out(struct tdm_vcpu *vcpu)
{
	vcpu->st.sysenter_cs = vmcs_read32(VMCS_GUEST_SYSENTER_CS);
	vcpu->st.sysenter_esp = vmcs_readn(VMCS_GUEST_SYSENTER_ESP);
	vcpu->st.sysenter_eip = vmcs_readn(VMCS_GUEST_SYSENTER_EIP);
}

static void sysenter_in(struct tdm_vcpu *vcpu)
{
	vmcs_write32(VMCS_GUEST_SYSENTER_CS, vcpu->st.sysenter_cs);
	vmcs_writen(VMCS_GUEST_SYSENTER_ESP, vcpu->st.sysenter_esp);
	vmcs_writen(VMCS_GUEST_SYSENTER_EIP, vcpu->st.sysenter_eip);
}

static void msrs_out(struct tdm_vcpu *vcpu)
{
	/* The syscall MSRs exit on writes; only SWAPGS changes one unseen. */
	preempt_disable();
	if (to_vmx(vcpu)->segs.loaded)
		vcpu->st.kernel_gs_base = tdm_host_kernel_gs_base();
	preempt_enable();
}

static void msrs_in(struct tdm_vcpu *vcpu)
{
	preempt_disable();
	if (to_vmx(vcpu)->segs.loaded) {
		tdm_host_set_kernel_gs_base(vcpu->st.kernel_gs_base);
		tdm_vmx_load_msrs(vcpu);
	}
	preempt_enable();
}

/* ---- all ---- */

/** tdm_vmx_sync_out() - tdm_engine_ops.sync_out */
void tdm_vmx_sync_out(struct tdm_vcpu *vcpu, u32 mask)
{
	if (mask & TDM_ST_RIP)
		vcpu->regs.rip = vmcs_readn(VMCS_GUEST_RIP);
	if (mask & TDM_ST_RSP)
		vcpu->regs.gpr[TDM_RSP] = vmcs_readn(VMCS_GUEST_RSP);
	if (mask & TDM_ST_RFLAGS)
		rflags_out(vcpu);
	if (mask & TDM_ST_SHADOW)
		shadow_out(vcpu);
	if (mask & TDM_ST_CS_SS)
		cs_ss_out(vcpu);
	if (mask & TDM_ST_SEG_REST)
		segs_rest_out(vcpu);
	if (mask & TDM_ST_TABLES)
		tables_out(vcpu);
	if (mask & TDM_ST_CR)
		cr_out(vcpu);
	if (mask & TDM_ST_DR7)
		dr7_out(vcpu);
	if (mask & TDM_ST_SYSENTER)
		sysenter_out(vcpu);
	if ((mask & TDM_ST_PAT) && !to_vmx(vcpu)->shadow)
		vcpu->st.pat = vmcs_read64(VMCS_GUEST_PAT);
	if (mask & TDM_ST_MSRS)
		msrs_out(vcpu);
	vcpu->valid |= mask;
}

/** tdm_vmx_sync_in() - tdm_engine_ops.sync_in */
void tdm_vmx_sync_in(struct tdm_vcpu *vcpu, u32 mask)
{
	mask &= vcpu->dirty;
	vcpu->dirty &= ~mask;
	if (mask & TDM_ST_RIP)
		vmcs_writen(VMCS_GUEST_RIP, vcpu->regs.rip);
	if (mask & TDM_ST_RSP)
		vmcs_writen(VMCS_GUEST_RSP, vcpu->regs.gpr[TDM_RSP]);
	/* Before the flags: they look at DEBUGCTL. */
	if (mask & TDM_ST_DR7)
		dr7_in(vcpu);
	if (mask & (TDM_ST_RFLAGS | TDM_ST_SHADOW))
		flags_in(vcpu, mask);
	if (mask & TDM_ST_CS_SS)
		segs_in(vcpu, CS_SS);
	if (mask & TDM_ST_SEG_REST)
		segs_in(vcpu, REST);
	if (mask & TDM_ST_TABLES)
		tables_in(vcpu);
	if (mask & TDM_ST_CR)
		cr_in(vcpu);
	if (mask & TDM_ST_SYSENTER)
		sysenter_in(vcpu);
	/* Shadow paging keeps the host's PAT; the guest's is a number to read. */
	if ((mask & TDM_ST_PAT) && !to_vmx(vcpu)->shadow)
		vmcs_write64(VMCS_GUEST_PAT, vcpu->st.pat);
	if (mask & TDM_ST_MSRS)
		msrs_in(vcpu);
}
