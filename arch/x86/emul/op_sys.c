// SPDX-License-Identifier: GPL-2.0-only
/*
 * System instructions: control and debug registers, MSRs, time, caches, TLB,
 * HLT. What they mean is up to the ops; the checks common to all are here.
 */
#include "internal.h"
#include "table.h"

#define DR7_GD		0x2000u
#define DR6_BD		0x2000u

/* MOV to and from control registers; CR8 through the APIC's TPR. */
int emul_mov_cr(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *to = emul_opnd(c, 0), *from = emul_opnd(c, 1);
	bool write = to->kind == TDM_OPND_CR;
	unsigned int cr = write ? to->reg : from->reg;
	unsigned int size = emul_long64(c) ? 8 : 4;

	if (cr > 8 || !(0x11d >> cr & 1))
		return emul_ud(c);
	if (emul_cpl(c))
		return emul_gp(c, 0);
	if (write)
		return c->ops->set_cr(c, cr, emul_gpr(c, from->reg, size));
	emul_set_gpr(c, to->reg, size, c->ops->get_cr(c, cr));
	return TDM_EMUL_DONE;
}

/* MOV to and from debug registers */
int emul_mov_dr(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *to = emul_opnd(c, 0), *from = emul_opnd(c, 1);
	bool write = to->kind == TDM_OPND_DR;
	unsigned int dr = write ? to->reg : from->reg;
	unsigned int size = emul_long64(c) ? 8 : 4;

	if (dr > 7 || ((dr == 4 || dr == 5) && (c->cr4 & X86_CR4_DE)))
		return emul_ud(c);
	if (emul_cpl(c))
		return emul_gp(c, 0);
	if (dr == 4 || dr == 5)
		dr += 2;
	if (c->ops->get_dr(c, 7) & DR7_GD)
		return tdm_emul_fault(c, EMUL_DB, false, 0, DR6_BD);
	if (write)
		return c->ops->set_dr(c, dr, emul_gpr(c, from->reg, size));
	emul_set_gpr(c, to->reg, size, c->ops->get_dr(c, dr));
	return TDM_EMUL_DONE;
}

/* CLTS */
int emul_op_clts(struct tdm_emul_ctxt *c)
{
	return c->ops->set_cr(c, 0, c->cr0 & ~(u64)X86_CR0_TS);
}

static void put_edx_eax(struct tdm_emul_ctxt *c, u64 v)
{
	c->regs->gpr[TDM_RAX] = (u32)v;
	c->regs->gpr[TDM_RDX] = v >> 32;
}

static u64 get_edx_eax(const struct tdm_emul_ctxt *c)
{
	return emul_gpr(c, TDM_RDX, 4) << 32 | emul_gpr(c, TDM_RAX, 4);
}

/* RDMSR */
int emul_op_rdmsr(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc = c->ops->get_msr(c, c->regs->gpr[TDM_RCX], &v);

	if (!rc)
		put_edx_eax(c, v);
	return rc;
}

/* WRMSR */
int emul_op_wrmsr(struct tdm_emul_ctxt *c)
{
	return c->ops->set_msr(c, c->regs->gpr[TDM_RCX], get_edx_eax(c));
}

/* RDTSC, RDTSCP; op->arg: RDTSCP */
int emul_op_rdtsc(struct tdm_emul_ctxt *c)
{
	u64 aux = 0;
	int rc;

	if (emul_prot(c) && (c->cr4 & X86_CR4_TSD) && emul_cpl(c))
		return emul_gp(c, 0);
	if (c->op->arg) {
		rc = c->ops->get_msr(c, EMUL_MSR_TSC_AUX, &aux);
		if (rc)
			return rc;
		c->regs->gpr[TDM_RCX] = (u32)aux;
	}
	put_edx_eax(c, c->ops->rdtsc(c));
	return TDM_EMUL_DONE;
}

/* RDPID */
int emul_op_rdpid(struct tdm_emul_ctxt *c)
{
	u64 aux;
	int rc = c->ops->get_msr(c, EMUL_MSR_TSC_AUX, &aux);

	return rc ? rc : emul_put(c, 0, (u32)aux);
}

/* RDPMC */
int emul_op_rdpmc(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc;

	if (!c->ops->rdpmc ||
	    (emul_prot(c) && !(c->cr4 & X86_CR4_PCE) && emul_cpl(c)))
		return emul_gp(c, 0);
	rc = c->ops->rdpmc(c, c->regs->gpr[TDM_RCX], &v);
	if (!rc)
		put_edx_eax(c, v);
	return rc;
}

/* CPUID */
int emul_op_cpuid(struct tdm_emul_ctxt *c)
{
	u32 a = c->regs->gpr[TDM_RAX], b = 0, cx = c->regs->gpr[TDM_RCX], d = 0;

	c->ops->cpuid(c, &a, &b, &cx, &d);
	c->regs->gpr[TDM_RAX] = a;
	c->regs->gpr[TDM_RBX] = b;
	c->regs->gpr[TDM_RCX] = cx;
	c->regs->gpr[TDM_RDX] = d;
	return TDM_EMUL_DONE;
}

/* HLT */
int emul_op_hlt(struct tdm_emul_ctxt *c)
{
	c->ops->halt(c);
	return TDM_EMUL_DONE;
}

/* WBINVD, INVD */
int emul_op_wbinvd(struct tdm_emul_ctxt *c)
{
	c->ops->wbinvd(c);
	return TDM_EMUL_DONE;
}

/* INVLPG: takes an address, accesses nothing, checks no limit. */
int emul_op_invlpg(struct tdm_emul_ctxt *c)
{
	const struct tdm_operand *op = emul_opnd(c, 0);
	u64 lin = emul_ea(c, op);

	if (!emul_long64(c))
		lin = (u32)(lin + emul_seg(c, op->seg)->base);
	else if (op->seg == TDM_SEG_FS || op->seg == TDM_SEG_GS)
		lin += emul_seg(c, op->seg)->base;
	/* A non-canonical address names no page. */
	if (!emul_long64(c) || emul_canonical(c, lin))
		c->ops->invlpg(c, lin);
	return TDM_EMUL_DONE;
}

/* CLFLUSH, CLFLUSHOPT, CLWB: faults as a load of a byte, does nothing else. */
int emul_op_clflush(struct tdm_emul_ctxt *c)
{
	u64 lin;
	int rc = emul_mem_linear(c, emul_opnd(c, 0), 1, TDM_ACC_READ, &lin);

	return rc ? rc : emul_probe_lin(c, lin, 1, TDM_ACC_READ);
}

/* INVPCID */
int emul_op_invpcid(struct tdm_emul_ctxt *c)
{
	u64 type, desc[2];
	u64 lin;
	int rc = emul_get(c, 0, &type);

	if (!rc)
		rc = emul_mem_linear(c, emul_opnd(c, 1), 16, TDM_ACC_READ, &lin);
	if (!rc)
		rc = emul_read_lin(c, lin, desc, 16, TDM_ACC_READ);
	if (rc)
		return rc;
	if (!emul_long64(c))
		type = (u32)type;
	if (type > 3 || desc[0] >> 12 || (type == 0 && !emul_canonical(c, desc[1])))
		return emul_gp(c, 0);
	if (type < 2 && desc[0] && !(c->cr4 & X86_CR4_PCIDE))
		return emul_gp(c, 0);
	return c->ops->invpcid(c, type, desc[0], desc[1]);
}

/* XGETBV */
int emul_op_xgetbv(struct tdm_emul_ctxt *c)
{
	u64 v;
	int rc;

	if (!(c->cr4 & X86_CR4_OSXSAVE))
		return emul_ud(c);
	rc = c->ops->get_xcr(c, c->regs->gpr[TDM_RCX], &v);
	if (!rc)
		put_edx_eax(c, v);
	return rc;
}

/* XSETBV */
int emul_op_xsetbv(struct tdm_emul_ctxt *c)
{
	if (!(c->cr4 & X86_CR4_OSXSAVE))
		return emul_ud(c);
	if (emul_cpl(c))
		return emul_gp(c, 0);
	return c->ops->set_xcr(c, c->regs->gpr[TDM_RCX], get_edx_eax(c));
}

/* CLAC, STAC; op->arg: STAC */
int emul_op_clac(struct tdm_emul_ctxt *c)
{
	if (emul_cpl(c))
		return emul_ud(c);
	emul_flag(c, X86_EFLAGS_AC, c->op->arg);
	return TDM_EMUL_DONE;
}

/* SWAPGS */
int emul_op_swapgs(struct tdm_emul_ctxt *c)
{
	struct tdm_segment gs = *emul_seg(c, TDM_SEG_GS);
	u64 base = gs.base;
	int rc;

	rc = c->ops->get_msr(c, EMUL_MSR_KERNEL_GS_BASE, &gs.base);
	if (!rc)
		rc = c->ops->set_msr(c, EMUL_MSR_KERNEL_GS_BASE, base);
	if (!rc)
		emul_store_seg(c, TDM_SEG_GS, &gs);
	return rc;
}

/* RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE; op->arg: segment, bit 8: write */
int emul_op_fsbase(struct tdm_emul_ctxt *c)
{
	enum tdm_seg seg = c->op->arg & 0xff;
	struct tdm_segment s;
	u64 v;
	int rc;

	if (!(c->cr4 & X86_CR4_FSGSBASE))
		return emul_ud(c);
	if (!(c->op->arg & FSBASE_WRITE))
		return emul_put(c, 0, emul_seg(c, seg)->base);
	rc = emul_get(c, 0, &v);
	if (rc)
		return rc;
	if (!emul_canonical(c, v))
		return emul_gp(c, 0);
	s = *emul_seg(c, seg);
	s.base = v;
	emul_store_seg(c, seg, &s);
	return TDM_EMUL_DONE;
}

/* VMCALL; VMMCALL is another vendor's */
int emul_op_vmcall(struct tdm_emul_ctxt *c)
{
	return c->ops->hypercall ? c->ops->hypercall(c) : emul_ud(c);
}

/* MONITOR, MWAIT: hints; sleeping for no time at all is allowed. */
int emul_op_monitor(struct tdm_emul_ctxt *c)
{
	if (emul_cpl(c) || !c->ops->may_monitor || !c->ops->may_monitor(c))
		return emul_ud(c);
	return TDM_EMUL_DONE;
}

/* What is undefined wherever this emulator runs. */
int emul_op_ud(struct tdm_emul_ctxt *c)
{
	return emul_ud(c);
}
