// SPDX-License-Identifier: GPL-2.0-only
/*
 * States a processor can be in but a VM entry without "unrestricted guest"
 * refuses (SDM vol. 3, 26.3.1.2): real mode, and for a few instructions after
 * CR0.PE was set or cleared, segments that protected mode would never have
 * loaded. The core interprets the guest while it is in one.
 *
 * Only what is new in software is looked at: what comes out of the hardware
 * goes in again. Must not say yes to what no processor would let a guest have
 * (that is the caller's mistake, and check.c names it when the entry fails).
 */
#include "arch/x86/vmx/vmx.h"

#define AR_V86		(TDM_AR_P | TDM_AR_DPL | TDM_AR_S | TDM_AR_RW | TDM_AR_ACCESSED)
#define AR_MODE		(AR_V86 | TDM_AR_TYPE | TDM_AR_L | TDM_AR_DB | TDM_AR_G | TDM_AR_UNUSABLE)

static u8 dpl(const struct tdm_segment *s)
{
	return (s->ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT;
}

static u8 rpl(const struct tdm_segment *s)
{
	return s->selector & 3;
}

/* In virtual-8086 mode nothing but what its own loads give. */
static bool v86_fits(const struct tdm_segment *seg)
{
	int i;

	for (i = TDM_SEG_ES; i <= TDM_SEG_GS; i++)
		if (seg[i].base != (u64)seg[i].selector << 4 || seg[i].limit != 0xffff ||
		    ((seg[i].ar | TDM_AR_ACCESSED) & AR_MODE) != AR_V86)
			return false;
	return true;
}

static bool cs_ss_fit(const struct tdm_segment *seg)
{
	const struct tdm_segment *cs = &seg[TDM_SEG_CS], *ss = &seg[TDM_SEG_SS];

	if (rpl(cs) != rpl(ss) || dpl(ss) != rpl(ss))
		return false;
	/* Data in CS is what real mode leaves there. */
	if (!(cs->ar & TDM_AR_CODE))
		return false;
	if (!(ss->ar & TDM_AR_UNUSABLE) && (ss->ar & (TDM_AR_CODE | TDM_AR_RW)) != TDM_AR_RW)
		return false;
	return cs->ar & TDM_AR_DC ? dpl(cs) <= dpl(ss) : dpl(cs) == dpl(ss);
}

static bool data_fits(const struct tdm_segment *s)
{
	/* Conforming code has no level of its own. */
	if ((s->ar & TDM_AR_UNUSABLE) ||
	    (s->ar & (TDM_AR_CODE | TDM_AR_DC)) == (TDM_AR_CODE | TDM_AR_DC))
		return true;
	return dpl(s) >= rpl(s);
}

static bool rest_fits(const struct tdm_segment *seg)
{
	return data_fits(&seg[TDM_SEG_ES]) && data_fits(&seg[TDM_SEG_DS]) &&
	       data_fits(&seg[TDM_SEG_FS]) && data_fits(&seg[TDM_SEG_GS]);
}

/**
 * tdm_vmx_must_emulate() - tdm_engine_ops.must_emulate
 * @vcpu: loaded vCPU
 *
 * Asked at each entry with something new, and after each instruction that is
 * interpreted: cheap.
 */
bool tdm_vmx_must_emulate(struct tdm_vcpu *vcpu)
{
	const struct tdm_segment *seg = vcpu->st.seg;
	u32 new = vcpu->dirty;

	if (!to_vmx(vcpu)->shadow)
		return false;
	/* PE never changes unseen. */
	if (!(vcpu->st.cr0 & X86_CR0_PE))
		return true;
	if (!(new & (TDM_ST_SEG | TDM_ST_RFLAGS)))
		return false;
	tdm_need(vcpu, TDM_ST_RFLAGS);
	if (unlikely(vcpu->regs.rflags & X86_EFLAGS_VM)) {
		tdm_need(vcpu, TDM_ST_SEG);
		return !v86_fits(seg);
	}
	if ((new & TDM_ST_CS_SS) && !cs_ss_fit(seg))
		return true;
	return (new & TDM_ST_SEG_REST) && !rest_fits(seg);
}
