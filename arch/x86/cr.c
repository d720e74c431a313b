// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to control registers, EFER and XCR0, with every check of SDM vol. 3,
 * 2.5 and 4.1 and the TLB invalidations of 4.10.4.1.
 *
 * Must not decide what the hardware needs: the engine derives that from the
 * canonical state it is told about with tdm_touch().
 */
#include <linux/mm.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/cr.h"
#include "arch/x86/fpu.h"
#include "kmod/devices/irq.h"
#include "shadow_mmu/mmu.h"

#define CR0_DEFINED	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | \
			 X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | \
			 X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
/* Writes of these load the PDPTRs in PAE paging (SDM vol. 3, 4.4.1) */
#define CR0_LOADS_PDPTRS	(X86_CR0_CD | X86_CR0_NW | X86_CR0_PG)
#define CR4_LOADS_PDPTRS	(X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)
#define CR3_PCID		0xfffull
#define CR3_NOFLUSH		BIT_ULL(63)

/* ---- checks without state ---- */

/** tdm_cr0_valid() - no combination that is #GP whatever else holds */
bool tdm_cr0_valid(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD))
		return false;
	return !(cr0 & X86_CR0_PG) || (cr0 & X86_CR0_PE);
}

/** tdm_cr4_valid() - only bits this guest has */
bool tdm_cr4_valid(struct tdm_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & tdm_cr4_reserved(vcpu));
}

/** tdm_xcr0_valid() - what XSETBV accepts (SDM vol. 1, 13.3) */
bool tdm_xcr0_valid(struct tdm_vcpu *vcpu, u64 xcr0)
{
	u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	if (!(xcr0 & XFEATURE_MASK_FP))
		return false;
	if (xcr0 & ~(tdm_xcr0_supported(vcpu) | XFEATURE_MASK_FP))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (avx512 && (avx512 != XFEATURE_MASK_AVX512 || !(xcr0 & XFEATURE_MASK_YMM)))
		return false;
	return true;
}

/* ---- what follows a change ---- */

/* What a walk of the guest's tables depends on, besides the tables. */
#define CR0_MODE	((u64)(X86_CR0_PG | X86_CR0_WP))
#define CR4_MODE	((u64)(X86_CR4_PAE | X86_CR4_PSE | X86_CR4_SMEP | \
			       X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LA57 | \
			       X86_CR4_PCIDE))

static bool change_of_mode(const struct tdm_state *st, u64 old_cr0, u64 old_cr4,
			   u64 old_efer)
{
	return ((st->cr0 ^ old_cr0) & CR0_MODE) || ((st->cr4 ^ old_cr4) & CR4_MODE) ||
	       ((st->efer ^ old_efer) & (EFER_LMA | EFER_NX));
}

/* SDM vol. 3, 4.10.4.1: which writes drop TLB entries */
static bool change_flushes(const struct tdm_state *st, u64 old_cr0, u64 old_cr4,
			   u64 old_efer)
{
	u64 diff = st->cr4 ^ old_cr4;

	/*
	 * Off flushes. On finds an empty TLB: shadow tables from before, with what
	 * was written to the guest's meanwhile not in them, must not take its place.
	 */
	if ((st->cr0 ^ old_cr0) & X86_CR0_PG)
		return true;
	if (diff & (X86_CR4_PGE | X86_CR4_PAE | X86_CR4_PSE))
		return true;
	if ((diff & X86_CR4_PCIDE) && !(st->cr4 & X86_CR4_PCIDE))
		return true;
	if ((diff & X86_CR4_SMEP) && (st->cr4 & X86_CR4_SMEP))
		return true;
	/* NX makes bit 63 of entries already cached mean something else. */
	return (st->efer ^ old_efer) & EFER_NX;
}

/**
 * tdm_cr_changed() - CR0, CR4 or EFER were written: tell everyone concerned
 * @vcpu: loaded vCPU; st.cr0, cr4 and efer are new
 * @old_cr0: before
 * @old_cr4: before
 * @old_efer: before
 */
void tdm_cr_changed(struct tdm_vcpu *vcpu, u64 old_cr0, u64 old_cr4, u64 old_efer)
{
	struct tdm_state *st = &vcpu->st;

	tdm_touch(vcpu, TDM_ST_CR);
	if (change_flushes(st, old_cr0, old_cr4, old_efer))
		tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ALL);
	if (change_of_mode(st, old_cr0, old_cr4, old_efer))
		tdm_mmu_guest_flush(vcpu, TDM_FLUSH_MODE);
	if ((st->cr4 ^ old_cr4) & (X86_CR4_OSXSAVE | X86_CR4_PKE)) {
		tdm_cpuid_refresh(vcpu);
		tdm_fpu_refresh(vcpu);
	}
}

/* ---- the registers ---- */

/* The PDPTRs as MOV to CR0 and to CR4 load them; flushes nothing by itself. */
static int reload_pdptrs(struct tdm_vcpu *vcpu)
{
	int r = tdm_load_pdptrs(vcpu, vcpu->st.cr3);

	if (!r)
		tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ROOT);
	return r;
}

/* LMA follows LME and PG. The rules for turning paging on and off. */
static int cr0_paging(struct tdm_vcpu *vcpu, u64 val, u64 *efer)
{
	struct tdm_state *st = &vcpu->st;
	u64 diff = val ^ st->cr0;

	if (!(val & X86_CR0_PG)) {
		if ((diff & X86_CR0_PG) &&
		    (tdm_64bit_code(vcpu) || (st->cr4 & X86_CR4_PCIDE)))
			return -EINVAL;
		*efer &= ~(u64)EFER_LMA;
		return 0;
	}
	if (st->efer & EFER_LME) {
		if (diff & X86_CR0_PG) {
			tdm_need(vcpu, TDM_ST_SEG);
			if (!(st->cr4 & X86_CR4_PAE) ||
			    (st->seg[TDM_SEG_CS].ar & TDM_AR_L))
				return -EINVAL;
		}
		*efer |= EFER_LMA;
		return 0;
	}
	if ((st->cr4 & X86_CR4_PAE) && (diff & CR0_LOADS_PDPTRS))
		return reload_pdptrs(vcpu);
	return 0;
}

/**
 * tdm_set_cr0() - MOV to CR0
 * @vcpu: loaded vCPU
 * @val: new value; undefined bits below 32 are ignored
 *
 * Return: 0; -EINVAL for #GP(0).
 */
int tdm_set_cr0(struct tdm_vcpu *vcpu, u64 val)
{
	struct tdm_state *st = &vcpu->st;
	u64 old, old_efer, efer;
	int r;

	if (!tdm_cr0_valid(val))
		return -EINVAL;
	tdm_need(vcpu, TDM_ST_CR);
	val = (val & CR0_DEFINED) | X86_CR0_ET;
	old = st->cr0;
	old_efer = st->efer;
	efer = st->efer;
	r = cr0_paging(vcpu, val, &efer);
	if (r)
		return r;
	st->cr0 = val;
	st->efer = efer;
	tdm_cr_changed(vcpu, old, st->cr4, old_efer);
	return 0;
}

/**
 * tdm_set_cr3() - MOV to CR3
 * @vcpu: loaded vCPU
 * @val: new value; bit 63 with PCIDs: keep the TLB
 *
 * Return: 0; -EINVAL for #GP(0).
 */
int tdm_set_cr3(struct tdm_vcpu *vcpu, u64 val)
{
	struct tdm_state *st = &vcpu->st;
	/* With shadow paging the engine never sees the guest's CR3: nothing to sync. */
	bool shadow = vcpu->vm->mmu_mode == TDM_MMU_MODE_SHADOW;
	bool flush = true;
	int r;

	if (!shadow)
		tdm_need(vcpu, TDM_ST_CR);
	if (st->cr4 & X86_CR4_PCIDE) {
		flush = !(val & CR3_NOFLUSH);
		val &= ~CR3_NOFLUSH;
	}
	if (val >> tdm_maxphyaddr(vcpu))
		return -EINVAL;
	if (tdm_pae_paging(st)) {
		r = tdm_load_pdptrs(vcpu, val);
		if (r)
			return r;
	}
	st->cr3 = val;
	if (!shadow)
		tdm_touch(vcpu, TDM_ST_CR);
	tdm_mmu_guest_flush(vcpu, flush ? TDM_FLUSH_CR3 : TDM_FLUSH_ROOT);
	return 0;
}

/**
 * tdm_set_cr4() - MOV to CR4
 * @vcpu: loaded vCPU
 * @val: new value
 *
 * Return: 0; -EINVAL for #GP(0).
 */
int tdm_set_cr4(struct tdm_vcpu *vcpu, u64 val)
{
	struct tdm_state *st = &vcpu->st;
	u64 old, diff;
	int r;

	if (!tdm_cr4_valid(vcpu, val))
		return -EINVAL;
	tdm_need(vcpu, TDM_ST_CR);
	old = st->cr4;
	diff = val ^ old;
	if (st->efer & EFER_LMA) {
		if (!(val & X86_CR4_PAE) || (diff & X86_CR4_LA57))
			return -EINVAL;
	}
	if ((val & X86_CR4_PCIDE) && (diff & X86_CR4_PCIDE)) {
		if (!(st->efer & EFER_LMA) || (st->cr3 & CR3_PCID))
			return -EINVAL;
	}
	if ((st->cr0 & X86_CR0_PG) && !(st->efer & EFER_LMA) &&
	    (val & X86_CR4_PAE) && (diff & CR4_LOADS_PDPTRS)) {
		r = reload_pdptrs(vcpu);
		if (r)
			return r;
	}
	st->cr4 = val;
	tdm_cr_changed(vcpu, st->cr0, old, st->efer);
	return 0;
}

/**
 * tdm_set_cr8() - MOV to CR8
 * @vcpu: loaded vCPU
 * @val: task priority, 0..15
 *
 * Return: 0; -EINVAL for #GP(0).
 */
int tdm_set_cr8(struct tdm_vcpu *vcpu, u64 val)
{
	if (val > 15)
		return -EINVAL;
	if (vcpu->lapic)
		tdm_lapic_set_tpr(vcpu, val);
	else
		vcpu->st.cr8 = val;
	return 0;
}

/** tdm_get_cr8() - MOV from CR8 */
u64 tdm_get_cr8(struct tdm_vcpu *vcpu)
{
	return vcpu->lapic ? tdm_lapic_get_tpr(vcpu) : vcpu->st.cr8;
}

/**
 * tdm_set_efer() - WRMSR to IA32_EFER
 * @vcpu: loaded vCPU
 * @val: new value; LMA is read-only, what is written there is ignored
 *
 * Return: 0; -EINVAL for #GP(0): a bit the guest does not have, or LME changed
 * while paging is on.
 */
int tdm_set_efer(struct tdm_vcpu *vcpu, u64 val)
{
	struct tdm_state *st = &vcpu->st;
	u64 old;

	tdm_need(vcpu, TDM_ST_CR);
	old = st->efer;
	if (val & tdm_efer_reserved(vcpu))
		return -EINVAL;
	if ((st->cr0 & X86_CR0_PG) && ((val ^ old) & EFER_LME))
		return -EINVAL;
	st->efer = (val & ~(u64)EFER_LMA) | (old & EFER_LMA);
	tdm_cr_changed(vcpu, st->cr0, st->cr4, old);
	return 0;
}

/**
 * tdm_set_xcr0() - XSETBV with ECX = 0, privilege and CR4.OSXSAVE checked
 * @vcpu: loaded vCPU
 * @val: new value
 *
 * Return: 0; -EINVAL for #GP(0).
 */
int tdm_set_xcr0(struct tdm_vcpu *vcpu, u64 val)
{
	if (!tdm_xcr0_valid(vcpu, val))
		return -EINVAL;
	vcpu->st.xcr0 = val;
	tdm_cpuid_refresh(vcpu);
	tdm_fpu_refresh(vcpu);
	return 0;
}
