// SPDX-License-Identifier: GPL-2.0-only
/*
 * INT n, INT3, INTO, INT1 and IRET.
 *
 * In real mode interrupts are delivered here. In protected mode a software
 * interrupt is handed to the caller as an event, who injects it through the
 * engine or has tdm_emul_deliver() do it.
 */
#include "internal.h"
#include "desc.h"
#include "table.h"

#define IRET_FLAGS (EMUL_ARITH_FLAGS | X86_EFLAGS_TF | X86_EFLAGS_DF | \
		    X86_EFLAGS_NT)
#define IRET_FLAGS32 (X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID)

static int soft_event(struct tdm_emul_ctxt *c, u8 vector, u8 type)
{
	struct tdm_emul_event ev = {
		.vector = vector, .type = type, .insn_len = c->insn->len,
	};

	if (emul_prot(c)) {
		c->event = ev;
		return TDM_EMUL_FAULT;
	}
	/* TF is off in the handler; no trap is due after the INT itself. */
	c->no_trap = true;
	return emul_deliver(c, &ev, c->next_rip);
}

/*
 * INT n in virtual-8086 mode under CR4.VME: the redirection bitmap in the TSS
 * says whether the program's own vector table is used. Sets *own if so.
 */
static int vme_redirected(struct tdm_emul_ctxt *c, u8 vector, bool *own)
{
	const struct tdm_segment *tr = emul_seg(c, TDM_SEG_TR);
	unsigned int acc = TDM_ACC_READ | TDM_ACC_IMPLICIT;
	u16 map;
	u8 bits;
	int rc;

	*own = false;
	if (!(c->cr4 & X86_CR4_VME) || tr->limit < 103)
		return TDM_EMUL_DONE;
	rc = emul_read_lin(c, tr->base + 102, &map, 2, acc);
	if (rc || map < 32 || map - 32u + vector / 8 > tr->limit)
		return rc;
	rc = emul_read_lin(c, tr->base + map - 32 + vector / 8, &bits, 1, acc);
	*own = !(bits >> (vector & 7) & 1);
	return rc;
}

static int int_vm86(struct tdm_emul_ctxt *c, u8 vector)
{
	bool own, low_iopl = emul_iopl(c) < 3;
	u64 flags = c->regs->rflags;
	int rc = vme_redirected(c, vector, &own);

	if (rc)
		return rc;
	if (!own)
		return low_iopl ? emul_gp(c, 0) :
				  soft_event(c, vector, TDM_EMUL_SOFT_INT);
	if (low_iopl) {
		flags |= X86_EFLAGS_IOPL | X86_EFLAGS_IF;
		if (!(c->regs->rflags & X86_EFLAGS_VIF))
			flags &= ~(u64)X86_EFLAGS_IF;
	}
	c->no_trap = true;
	rc = emul_deliver_real(c, 0, vector, c->next_rip, flags);
	if (!rc)
		emul_set_flags(c, X86_EFLAGS_TF |
			       (low_iopl ? X86_EFLAGS_VIF : X86_EFLAGS_IF), 0);
	return rc;
}

/* INT n */
int emul_op_int(struct tdm_emul_ctxt *c)
{
	u8 vector = emul_opnd(c, 0)->imm;

	if (emul_vm86(c))
		return int_vm86(c, vector);
	return soft_event(c, vector, TDM_EMUL_SOFT_INT);
}

int emul_op_int3(struct tdm_emul_ctxt *c)
{
	return soft_event(c, EMUL_BP, TDM_EMUL_SOFT_EXC);
}

int emul_op_int1(struct tdm_emul_ctxt *c)
{
	return soft_event(c, EMUL_DB, TDM_EMUL_PRIV_EXC);
}

int emul_op_into(struct tdm_emul_ctxt *c)
{
	if (!(c->regs->rflags & X86_EFLAGS_OF))
		return TDM_EMUL_DONE;
	return soft_event(c, EMUL_OF, TDM_EMUL_SOFT_EXC);
}

/* IRET in virtual-8086 mode with IOPL below 3 under CR4.VME */
static int iret_vme(struct tdm_emul_ctxt *c, u64 rip, u16 sel, u64 flags)
{
	if (((flags & X86_EFLAGS_IF) && (c->regs->rflags & X86_EFLAGS_VIP)) ||
	    (flags & X86_EFLAGS_TF))
		return emul_gp(c, 0);
	emul_load_seg_real(c, TDM_SEG_CS, sel);
	c->next_rip = rip;
	emul_set_flags(c, IRET_FLAGS, flags);
	emul_flag(c, X86_EFLAGS_VIF, flags & X86_EFLAGS_IF);
	return TDM_EMUL_DONE;
}

static int iret_real(struct tdm_emul_ctxt *c, u64 rip, u16 sel, u64 flags)
{
	u64 mask = IRET_FLAGS | X86_EFLAGS_IF;
	int rc = emul_check_target(c, emul_seg(c, TDM_SEG_CS), rip);

	if (rc)
		return rc;
	if (emul_vm86(c) && emul_iopl(c) < 3)
		return iret_vme(c, rip, sel, flags);
	if (!emul_vm86(c))
		mask |= X86_EFLAGS_IOPL;
	if (c->insn->opsize != 2)
		mask |= IRET_FLAGS32;
	emul_load_seg_real(c, TDM_SEG_CS, sel);
	c->next_rip = rip;
	emul_set_flags(c, mask, flags);
	return TDM_EMUL_DONE;
}

/* From level 0 into virtual-8086 mode: everything comes from the stack. */
static int iret_to_vm86(struct tdm_emul_ctxt *c, u64 rip, u16 sel, u64 flags)
{
	static const u8 order[] = { TDM_SEG_SS, TDM_SEG_ES, TDM_SEG_DS,
				    TDM_SEG_FS, TDM_SEG_GS };
	u64 sp, v[ARRAY_SIZE(order)];
	unsigned int i;
	int rc = emul_pop(c, &sp, 4);

	for (i = 0; i < ARRAY_SIZE(order) && !rc; i++)
		rc = emul_pop(c, &v[i], 4);
	if (rc)
		return rc;
	if (rip > 0xffff)
		return emul_gp(c, 0);
	c->regs->rflags = (flags & (IRET_FLAGS | IRET_FLAGS32 | X86_EFLAGS_IF |
				   X86_EFLAGS_IOPL | X86_EFLAGS_VM |
				   X86_EFLAGS_VIF | X86_EFLAGS_VIP));
	emul_load_seg_real(c, TDM_SEG_CS, sel);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		emul_load_seg_real(c, order[i], v[i]);
	c->regs->gpr[TDM_RSP] = (u32)sp;
	c->next_rip = rip;
	return TDM_EMUL_DONE;
}

static void iret_flags(struct tdm_emul_ctxt *c, u64 flags, unsigned int cpl)
{
	u64 mask = IRET_FLAGS;

	if (c->insn->opsize != 2)
		mask |= IRET_FLAGS32;
	if (cpl <= emul_iopl(c))
		mask |= X86_EFLAGS_IF;
	if (!cpl) {
		mask |= X86_EFLAGS_IOPL;
		if (c->insn->opsize != 2)
			mask |= X86_EFLAGS_VIF | X86_EFLAGS_VIP;
	}
	emul_set_flags(c, mask, flags);
}

static int iret_prot(struct tdm_emul_ctxt *c, u64 rip, u16 sel, u64 flags)
{
	unsigned int cpl = emul_cpl(c), size = c->insn->opsize;
	struct emul_desc d;
	u64 sp, ss;
	int rc = emul_return_cs(c, sel, &d);

	if (rc)
		return rc;
	if ((sel & 3) == cpl && !emul_long64(c)) {
		rc = emul_load_cs(c, &d, sel, cpl, rip);
	} else {
		rc = emul_pop(c, &sp, size);
		if (!rc)
			rc = emul_pop(c, &ss, size);
		if (!rc)
			rc = emul_load_cs(c, &d, sel, sel & 3, rip);
		if (!rc)
			rc = emul_return_outer(c, ss, sp, 0, size);
	}
	if (!rc)
		iret_flags(c, flags, cpl);
	return rc;
}

/* IRET, IRETD, IRETQ */
int emul_op_iret(struct tdm_emul_ctxt *c)
{
	unsigned int size = c->insn->opsize;
	u64 rip, sel, flags;
	int rc;

	if (emul_vm86(c) && emul_iopl(c) < 3 &&
	    (!(c->cr4 & X86_CR4_VME) || size != 2))
		return emul_gp(c, 0);
	if (!emul_real_segs(c) && (c->regs->rflags & X86_EFLAGS_NT))
		return emul_lma(c) ? emul_gp(c, 0) : TDM_EMUL_UNHANDLED;

	rc = emul_pop(c, &rip, size);
	if (!rc)
		rc = emul_pop(c, &sel, size);
	if (!rc)
		rc = emul_pop(c, &flags, size);
	if (rc)
		return rc;
	c->keep_rf = size != 2;
	if (emul_real_segs(c))
		rc = iret_real(c, rip, sel, flags);
	else if (size == 4 && (flags & X86_EFLAGS_VM) && !emul_cpl(c) &&
		 !emul_lma(c))
		rc = iret_to_vm86(c, rip, sel, flags);
	else
		rc = iret_prot(c, rip, sel, flags);
	if (!rc && c->ops->nmi_unmask)
		c->ops->nmi_unmask(c);
	return rc;
}
