// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event delivery through the IVT or IDT, for callers whose engine cannot
 * inject: real mode without hardware help, and the translator.
 *
 * SDM vol. 3, 6.12 (protected mode), 6.14 (IA-32e), 20.1.4 (real mode). Task
 * gates are not emulated. What a fault during delivery turns into (#DF, triple
 * fault) is the caller's to decide.
 */
#include "internal.h"
#include "desc.h"

#define INT_FLAGS_CLEARED (X86_EFLAGS_TF | X86_EFLAGS_RF | X86_EFLAGS_NT | \
			   X86_EFLAGS_VM)

/**
 * emul_deliver_real() - deliver through the real-mode vector table
 * @c: context
 * @table: linear address of the table
 * @vector: which
 * @rip: offset to return to
 * @flags: FLAGS image to push
 *
 * Return: enum tdm_emul_rc; the caller changes the flags.
 */
int emul_deliver_real(struct tdm_emul_ctxt *c, u64 table, u8 vector, u64 rip,
		      u64 flags)
{
	u64 frame[3] = { flags, emul_seg(c, TDM_SEG_CS)->selector, rip };
	u16 entry[2];
	int rc;

	rc = emul_read_lin(c, table + vector * 4, entry, 4, TDM_ACC_READ);
	if (!rc)
		rc = emul_push_many(c, frame, 3, 2);
	if (rc)
		return rc;
	emul_load_seg_real(c, TDM_SEG_CS, entry[1]);
	c->next_rip = entry[0];
	return TDM_EMUL_DONE;
}

static int deliver_real(struct tdm_emul_ctxt *c, u8 vector, u64 rip)
{
	struct tdm_table idt;
	int rc;

	c->ops->get_table(c, true, &idt);
	if (vector * 4u + 3 > idt.limit)
		return emul_gp(c, 0);
	rc = emul_deliver_real(c, idt.base, vector, rip, c->regs->rflags);
	if (!rc)
		emul_set_flags(c, X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_AC |
			       X86_EFLAGS_RF, 0);
	return rc;
}

/**
 * struct idt_gate - an interrupt or trap gate
 * @raw: low 8 bytes
 * @off: offset of the handler
 * @size: bytes of each pushed value
 * @err: error code that names the gate
 */
struct idt_gate {
	u64 raw;
	u64 off;
	unsigned int size;
	u32 err;
};

static int read_gate(struct tdm_emul_ctxt *c, const struct tdm_emul_event *ev,
		     struct idt_gate *g)
{
	unsigned int entry = emul_lma(c) ? 16 : 8;
	unsigned int acc = TDM_ACC_READ | TDM_ACC_IMPLICIT;
	struct tdm_table idt;
	u64 lin;
	int rc;

	g->err = ev->vector * 8u + 2 + c->ext;
	c->ops->get_table(c, true, &idt);
	if (ev->vector * entry + entry - 1 > idt.limit)
		return emul_gp(c, g->err);
	lin = idt.base + ev->vector * entry;
	rc = emul_read_lin(c, lin, &g->raw, 8, acc);
	if (rc)
		return rc;
	g->off = g->raw & 0xffff;
	switch (g->raw >> 40 & 0x1f) {
	case EMUL_SYS_TASK:
		return emul_lma(c) ? emul_gp(c, g->err) : TDM_EMUL_UNHANDLED;
	case EMUL_SYS_INT16:
	case EMUL_SYS_TRAP16:
		if (emul_lma(c))
			return emul_gp(c, g->err);
		g->size = 2;
		break;
	case EMUL_SYS_INT:
	case EMUL_SYS_TRAP:
		g->size = emul_lma(c) ? 8 : 4;
		g->off |= g->raw >> 48 << 16;
		break;
	default:
		return emul_gp(c, g->err);
	}
	if (g->size == 8) {
		u64 upper;

		rc = emul_read_lin(c, lin + 8, &upper, 8, acc);
		if (rc)
			return rc;
		g->off |= upper << 32;
	}
	return TDM_EMUL_DONE;
}

static int check_gate(struct tdm_emul_ctxt *c, const struct tdm_emul_event *ev,
		      const struct idt_gate *g)
{
	struct emul_desc d = { .raw = g->raw };

	/* Software events must be allowed to use the gate. */
	if ((ev->type == TDM_EMUL_SOFT_INT || ev->type == TDM_EMUL_SOFT_EXC) &&
	    emul_desc_dpl(&d) < emul_cpl(c))
		return emul_gp(c, g->err);
	if (!(g->raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, g->err);
	return TDM_EMUL_DONE;
}

static int check_handler(struct tdm_emul_ctxt *c, u16 sel, struct emul_desc *d)
{
	u32 err = (sel & ~3u) | c->ext;
	bool inner;
	u64 lin;
	int rc;

	if (!(sel & ~3u))
		return emul_gp(c, c->ext);
	if (!emul_desc_linear(c, sel, 8, &lin))
		return emul_gp(c, err);
	rc = emul_read_desc(c, sel, EMUL_GP, d);
	if (rc)
		return rc;
	if (!emul_desc_is_code(c, d) || emul_desc_dpl(d) > emul_cpl(c))
		return emul_gp(c, err);
	if (emul_lma(c) && !(d->raw & EMUL_DESC_L))
		return emul_gp(c, err);
	inner = !(emul_desc_type(d) & TDM_AR_DC) && emul_desc_dpl(d) < emul_cpl(c);
	/* Virtual-8086 mode is left for level 0 or not at all. */
	if (emul_vm86(c) && (!inner || emul_desc_dpl(d)))
		return emul_gp(c, err);
	if (!(d->raw & EMUL_DESC_PRESENT))
		return emul_exc_err(c, EMUL_NP, err);
	return TDM_EMUL_DONE;
}

/* Push what the handler needs to return. Returns the number of values. */
static unsigned int build_frame(struct tdm_emul_ctxt *c,
				const struct tdm_emul_event *ev, bool outer_sp,
				u64 rip, u64 *frame)
{
	static const u8 data[] = { TDM_SEG_GS, TDM_SEG_FS, TDM_SEG_DS, TDM_SEG_ES };
	unsigned int n = 0, i;

	if (emul_vm86(c))
		for (i = 0; i < ARRAY_SIZE(data); i++)
			frame[n++] = emul_seg(c, data[i])->selector;
	if (outer_sp) {
		frame[n++] = emul_seg(c, TDM_SEG_SS)->selector;
		frame[n++] = c->regs->gpr[TDM_RSP];
	}
	frame[n++] = c->regs->rflags;
	frame[n++] = emul_seg(c, TDM_SEG_CS)->selector;
	frame[n++] = rip;
	if (ev->has_error)
		frame[n++] = ev->error;
	return n;
}

static void leave_vm86(struct tdm_emul_ctxt *c)
{
	struct tdm_segment null = { .ar = TDM_AR_UNUSABLE };

	emul_store_seg(c, TDM_SEG_ES, &null);
	emul_store_seg(c, TDM_SEG_DS, &null);
	emul_store_seg(c, TDM_SEG_FS, &null);
	emul_store_seg(c, TDM_SEG_GS, &null);
}

static int deliver_prot(struct tdm_emul_ctxt *c, const struct tdm_emul_event *ev,
			u64 rip)
{
	u64 *frame = (u64 *)c->buf;
	unsigned int n, cpl, ist;
	struct idt_gate g;
	struct emul_desc d;
	bool inner, vm86 = emul_vm86(c);
	int rc;

	rc = read_gate(c, ev, &g);
	if (!rc)
		rc = check_gate(c, ev, &g);
	if (!rc)
		rc = check_handler(c, g.raw >> 16, &d);
	if (rc)
		return rc;

	inner = !(emul_desc_type(&d) & TDM_AR_DC) && emul_desc_dpl(&d) < emul_cpl(c);
	cpl = inner ? emul_desc_dpl(&d) : emul_cpl(c);
	ist = g.size == 8 ? g.raw >> 32 & 7 : 0;
	n = build_frame(c, ev, inner || g.size == 8, rip, frame);
	/* VM is gone from here on, for the accesses to the new stack. */
	emul_flag(c, X86_EFLAGS_VM, false);
	if (inner || ist)
		rc = emul_inner_stack(c, cpl, ist);
	if (rc)
		return rc;
	if (g.size == 8) {
		c->mode = TDM_MODE_LONG64;
		c->regs->gpr[TDM_RSP] &= ~15ull;
	}
	rc = emul_push_many(c, frame, n, g.size);
	if (rc == TDM_EMUL_FAULT && c->event.vector == EMUL_SS && !c->event.error)
		c->event.error = inner && g.size != 8 ?
			(emul_seg(c, TDM_SEG_SS)->selector & ~3u) | c->ext : c->ext;
	if (!rc) {
		rc = emul_load_cs(c, &d, g.raw >> 16, cpl, g.off);
		if (rc == TDM_EMUL_FAULT && c->event.vector == EMUL_GP && !c->event.error)
			c->event.error = c->ext;
	}
	if (rc)
		return rc;
	if (vm86)
		leave_vm86(c);
	emul_set_flags(c, INT_FLAGS_CLEARED |
		       (g.raw >> 40 & 1 ? 0 : X86_EFLAGS_IF), 0);
	return TDM_EMUL_DONE;
}

/**
 * emul_deliver() - deliver an event, without commit
 * @c: context
 * @ev: the event; may be &c->event only as a copy
 * @rip: return offset to push
 *
 * Return: enum tdm_emul_rc.
 */
int emul_deliver(struct tdm_emul_ctxt *c, const struct tdm_emul_event *ev, u64 rip)
{
	c->ext = ev->type == TDM_EMUL_EXC || ev->type == TDM_EMUL_PRIV_EXC ||
		 ev->type == TDM_EMUL_EXT_INT;
	return emul_prot(c) ? deliver_prot(c, ev, rip) :
			      deliver_real(c, ev->vector, rip);
}
