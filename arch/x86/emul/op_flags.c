// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single flags, CLI and STI, LAHF and SAHF.
 */
#include "internal.h"
#include "table.h"

#define SAHF_FLAGS (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
		    X86_EFLAGS_ZF | X86_EFLAGS_SF)

/* CLC, STC, CMC, CLD, STD; op->arg says which. */
int emul_op_flag(struct tdm_emul_ctxt *c)
{
	switch (c->op->arg) {
	case FLAG_CLC:
		emul_flag(c, X86_EFLAGS_CF, false);
		break;
	case FLAG_STC:
		emul_flag(c, X86_EFLAGS_CF, true);
		break;
	case FLAG_CMC:
		c->regs->rflags ^= X86_EFLAGS_CF;
		break;
	case FLAG_CLD:
		emul_flag(c, X86_EFLAGS_DF, false);
		break;
	default:
		emul_flag(c, X86_EFLAGS_DF, true);
	}
	return TDM_EMUL_DONE;
}

/*
 * Which flag CLI and STI act on: IF where IOPL allows, VIF under CR4.VME or
 * CR4.PVI, 0 (#GP) otherwise.
 */
static u64 interrupt_flag(struct tdm_emul_ctxt *c)
{
	if (!emul_prot(c) || emul_cpl(c) <= emul_iopl(c))
		return X86_EFLAGS_IF;
	if (emul_vm86(c))
		return c->cr4 & X86_CR4_VME ? X86_EFLAGS_VIF : 0;
	if (emul_cpl(c) == 3 && (c->cr4 & X86_CR4_PVI))
		return X86_EFLAGS_VIF;
	return 0;
}

/* CLI */
int emul_op_cli(struct tdm_emul_ctxt *c)
{
	u64 flag = interrupt_flag(c);

	if (!flag)
		return emul_gp(c, 0);
	emul_flag(c, flag, false);
	return TDM_EMUL_DONE;
}

/* STI: holds interrupts off for one more instruction if they were off. */
int emul_op_sti(struct tdm_emul_ctxt *c)
{
	u64 flag = interrupt_flag(c);

	if (!flag)
		return emul_gp(c, 0);
	if (flag == X86_EFLAGS_VIF && (c->regs->rflags & X86_EFLAGS_VIP))
		return emul_gp(c, 0);
	if (flag == X86_EFLAGS_IF && !(c->regs->rflags & X86_EFLAGS_IF))
		c->new_shadow = TDM_EMUL_SHADOW_STI;
	emul_flag(c, flag, true);
	return TDM_EMUL_DONE;
}

/* LAHF, SAHF: in 64-bit mode only where CPUID says so */
int emul_op_lahf(struct tdm_emul_ctxt *c)
{
	u64 f = (c->regs->rflags & SAHF_FLAGS) | X86_EFLAGS_FIXED;

	if (emul_long64(c) && !(c->features & TDM_EMUL_F_LAHF_LM))
		return emul_ud(c);
	c->regs->gpr[TDM_RAX] = (c->regs->gpr[TDM_RAX] & ~0xff00ull) | f << 8;
	return TDM_EMUL_DONE;
}

int emul_op_sahf(struct tdm_emul_ctxt *c)
{
	if (emul_long64(c) && !(c->features & TDM_EMUL_F_LAHF_LM))
		return emul_ud(c);
	emul_set_flags(c, SAHF_FLAGS, c->regs->gpr[TDM_RAX] >> 8);
	return TDM_EMUL_DONE;
}
