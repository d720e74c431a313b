// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT: fast transfers with flat segments that
 * come from MSRs, not from descriptors.
 *
 * Intel and AMD differ in where they are valid: SYSCALL outside 64-bit mode is
 * AMD only, SYSENTER in IA-32e mode Intel only.
 */
#include "internal.h"
#include "desc.h"
#include "table.h"

#define SYSRET_FLAGS 0x3c7fd7ull	/* what R11 may give (SDM, SYSRET) */

static void flat(struct tdm_emul_ctxt *c, enum tdm_seg seg, u16 sel, u32 ar)
{
	struct tdm_segment s = {
		.selector = sel,
		.limit = 0xffffffff,
		.ar = ar | TDM_AR_P | TDM_AR_S | TDM_AR_G | TDM_AR_RW |
		      TDM_AR_ACCESSED | (sel & 3u) << TDM_AR_DPL_SHIFT,
	};

	emul_store_seg(c, seg, &s);
}

static void flat_code(struct tdm_emul_ctxt *c, u16 sel, bool is64)
{
	flat(c, TDM_SEG_CS, sel, TDM_AR_CODE | (is64 ? TDM_AR_L : TDM_AR_DB));
}

static void flat_stack(struct tdm_emul_ctxt *c, u16 sel)
{
	flat(c, TDM_SEG_SS, sel, TDM_AR_DB);
}

/* SYSCALL */
int emul_op_syscall(struct tdm_emul_ctxt *c)
{
	bool amd = c->features & TDM_EMUL_F_AMD;
	u64 star, target, mask = ~0ull;
	int rc;

	if (!(c->efer & EMUL_EFER_SCE) || emul_real_segs(c) ||
	    (!amd && !emul_long64(c)))
		return emul_ud(c);
	rc = c->ops->get_msr(c, EMUL_MSR_STAR, &star);
	if (rc)
		return rc;
	if (!emul_lma(c)) {
		c->regs->gpr[TDM_RCX] = (u32)c->next_rip;
		target = (u32)star;
		mask = X86_EFLAGS_IF | X86_EFLAGS_VM | X86_EFLAGS_RF;
	} else {
		rc = c->ops->get_msr(c, emul_long64(c) ? EMUL_MSR_LSTAR :
							 EMUL_MSR_CSTAR, &target);
		if (!rc)
			rc = c->ops->get_msr(c, EMUL_MSR_FMASK, &mask);
		if (rc)
			return rc;
		c->regs->gpr[TDM_RCX] = c->next_rip;
		c->regs->gpr[TDM_R11] = c->regs->rflags & ~(u64)X86_EFLAGS_RF;
		mask |= X86_EFLAGS_RF;
	}
	emul_set_flags(c, mask, 0);
	flat_code(c, (star >> 32) & 0xfffc, emul_lma(c));
	flat_stack(c, ((star >> 32) + 8) & 0xfffc);
	c->next_rip = target;
	/* A trap is due only if TF survives the mask. */
	c->no_trap = !(c->regs->rflags & X86_EFLAGS_TF);
	return TDM_EMUL_DONE;
}

/* SYSRET */
int emul_op_sysret(struct tdm_emul_ctxt *c)
{
	bool amd = c->features & TDM_EMUL_F_AMD, to64 = c->insn->opsize == 8;
	u64 star, rip = c->regs->gpr[TDM_RCX];
	u16 sel;
	int rc;

	if (!(c->efer & EMUL_EFER_SCE) || emul_real_segs(c) ||
	    (!amd && !emul_long64(c)))
		return emul_ud(c);
	if (emul_cpl(c))
		return emul_gp(c, 0);
	if (to64 && !emul_canonical(c, rip))
		return emul_gp(c, 0);
	rc = c->ops->get_msr(c, EMUL_MSR_STAR, &star);
	if (rc)
		return rc;
	sel = star >> 48;
	if (emul_long64(c))
		c->regs->rflags = (c->regs->gpr[TDM_R11] & SYSRET_FLAGS) |
				 X86_EFLAGS_FIXED;
	else
		emul_flag(c, X86_EFLAGS_IF, true);
	flat_code(c, (sel + (to64 ? 16 : 0)) | 3, to64);
	flat_stack(c, (sel + 8) | 3);
	c->next_rip = to64 ? rip : (u32)rip;
	return TDM_EMUL_DONE;
}

/* SYSENTER */
int emul_op_sysenter(struct tdm_emul_ctxt *c)
{
	u64 cs, sp, ip;
	int rc;

	if (emul_lma(c) && (c->features & TDM_EMUL_F_AMD))
		return emul_ud(c);
	if (!emul_prot(c))
		return emul_gp(c, 0);
	rc = c->ops->get_msr(c, EMUL_MSR_SYSENTER_CS, &cs);
	if (!rc)
		rc = c->ops->get_msr(c, EMUL_MSR_SYSENTER_ESP, &sp);
	if (!rc)
		rc = c->ops->get_msr(c, EMUL_MSR_SYSENTER_EIP, &ip);
	if (rc)
		return rc;
	if (!(cs & 0xfffc))
		return emul_gp(c, 0);
	emul_set_flags(c, X86_EFLAGS_VM | X86_EFLAGS_IF, 0);
	flat_code(c, cs & 0xfffc, emul_lma(c));
	flat_stack(c, (cs & 0xfffc) + 8);
	c->regs->gpr[TDM_RSP] = emul_lma(c) ? sp : (u32)sp;
	c->next_rip = emul_lma(c) ? ip : (u32)ip;
	return TDM_EMUL_DONE;
}

/* SYSEXIT */
int emul_op_sysexit(struct tdm_emul_ctxt *c)
{
	u64 cs, rip = c->regs->gpr[TDM_RDX], rsp = c->regs->gpr[TDM_RCX];
	bool to64 = c->insn->opsize == 8;
	int rc;

	if (emul_lma(c) && (c->features & TDM_EMUL_F_AMD))
		return emul_ud(c);
	if (emul_real_segs(c) || emul_cpl(c))
		return emul_gp(c, 0);
	rc = c->ops->get_msr(c, EMUL_MSR_SYSENTER_CS, &cs);
	if (rc)
		return rc;
	if (!(cs & 0xfffc))
		return emul_gp(c, 0);
	if (to64 && (!emul_canonical(c, rip) || !emul_canonical(c, rsp)))
		return emul_gp(c, 0);
	cs = (cs & 0xfffc) + (to64 ? 32 : 16);
	flat_code(c, cs | 3, to64);
	flat_stack(c, (cs + 8) | 3);
	c->regs->gpr[TDM_RSP] = to64 ? rsp : (u32)rsp;
	c->next_rip = to64 ? rip : (u32)rip;
	return TDM_EMUL_DONE;
}
