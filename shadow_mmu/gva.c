// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page walker of arch/x86/paging.c at work for a vCPU: its registers, and
 * guest-physical memory to read tables from.
 *
 * Where a table lies outside every memslot the walk reads all ones, which is
 * what a processor reads where no memory answers; mostly that is a #PF with
 * reserved bits set.
 */
#include "arch/x86/cpuid.h"
#include "arch/x86/fpu.h"
#include "shadow_mmu/internal.h"

static int read_table(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	int r = tdm_read_gpa(ctx, gpa, buf, len);

	if (r != -ENOENT)
		return r ? -EIO : 0;
	memset(buf, 0xff, len);
	return 0;
}

static int cmpxchg_table(void *ctx, u64 gpa, u64 old, u64 new, unsigned int len)
{
	int r = tdm_cmpxchg_gpa(ctx, gpa, &old, &new, len);

	if (r == -ENOENT)
		return -EROFS;	/* no memory there: the write is lost, as on hardware */
	return r == -EFAULT ? -EIO : r;
}

static const struct tdm_walk_ops walk_ops = {
	.read = read_table,
	.cmpxchg = cmpxchg_table,
};

static u8 maxphyaddr(struct tdm_vcpu *vcpu)
{
	/* The caller's CPUID table can say anything. */
	return clamp_t(u8, tdm_maxphyaddr(vcpu), 32, 52);
}

static void fill_regs(struct tdm_vcpu *vcpu, struct tdm_walk_regs *r)
{
	tdm_need(vcpu, TDM_ST_CR | TDM_ST_RFLAGS);
	r->cr0 = vcpu->st.cr0;
	r->cr3 = vcpu->st.cr3;
	r->cr4 = vcpu->st.cr4;
	r->efer = vcpu->st.efer;
	memcpy(r->pdptr, vcpu->st.pdptr, sizeof(r->pdptr));
	r->pkru = r->cr4 & X86_CR4_PKE ? tdm_fpu_pkru(vcpu) : 0;
	r->features = tdm_guest_has(vcpu, X86_FEATURE_PSE36) ? TDM_WALK_PSE36 : 0;
	if (tdm_guest_has(vcpu, X86_FEATURE_GBPAGES))
		r->features |= TDM_WALK_1G;
	r->maxphyaddr = maxphyaddr(vcpu);
	r->ac = !!(vcpu->regs.rflags & X86_EFLAGS_AC);
}

/**
 * tdm_gva_walk() - as tdm_gva_to_gpa(), and tell the way
 * @vcpu: loaded vCPU; may sleep, takes slots_sem
 * @gva: canonical linear address
 * @access: TDM_ACCESS_*, TDM_WALK_*
 * @walk: filled in
 *
 * Return: as tdm_gva_to_gpa().
 */
int tdm_gva_walk(struct tdm_vcpu *vcpu, u64 gva, u32 access, struct tdm_walk *walk)
{
	struct tdm_walk_regs regs;

	fill_regs(vcpu, &regs);
	return tdm_walk(&regs, &walk_ops, vcpu->vm, gva, access, walk);
}

/**
 * tdm_gva_to_gpa() - translate a guest-linear address, exactly as the guest's CPU
 * @vcpu: loaded vCPU; may sleep, takes slots_sem
 * @gva: canonical linear address
 * @access: TDM_ACCESS_*, TDM_WALK_*
 * @gpa: result
 * @pf: filled on -EFAULT
 *
 * Sets accessed and dirty bits in the guest's tables unless told not to.
 *
 * Return: 0; -EFAULT: a #PF for the guest; -EIO: the host could not give a
 * table's memory; -EBUSY: entries kept changing, run the instruction again;
 * -EOPNOTSUPP: 5-level paging.
 */
int tdm_gva_to_gpa(struct tdm_vcpu *vcpu, u64 gva, u32 access, u64 *gpa,
		   struct tdm_page_fault *pf)
{
	struct tdm_walk walk;
	int r = tdm_gva_walk(vcpu, gva, access, &walk);

	*gpa = walk.gpa;
	*pf = walk.fault;
	return r;
}

/**
 * tdm_load_pdptrs() - load the PAE page-directory-pointer registers
 * @vcpu: loaded vCPU; may sleep, takes slots_sem
 * @cr3: the value being loaded into CR3
 *
 * Return: 0, or -EINVAL: an entry has reserved bits set, the guest gets #GP and
 * keeps its old registers.
 */
int tdm_load_pdptrs(struct tdm_vcpu *vcpu, u64 cr3)
{
	u64 pdptr[4];

	if (tdm_read_gpa(vcpu->vm, cr3 & 0xffffffe0, pdptr, sizeof(pdptr)))
		return -EINVAL;
	if (tdm_pdptrs_check(pdptr, maxphyaddr(vcpu)))
		return -EINVAL;
	tdm_need(vcpu, TDM_ST_CR);
	memcpy(vcpu->st.pdptr, pdptr, sizeof(pdptr));
	tdm_touch(vcpu, TDM_ST_CR);
	return 0;
}
