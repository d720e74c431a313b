// SPDX-License-Identifier: GPL-2.0-only
/*
 * One step of the emulator: fetch, decode, check, execute, commit or restore.
 *
 * Beware: everything a handler changes before the commit must be undone by
 * restore() when the step is not DONE: that is c->regs, the cached segments,
 * and nothing else. What ops->set_*() changes cannot be undone, so a handler
 * calls those last.
 */
#include "internal.h"

/* How often a locked instruction that lost a race is run again at once. */
#define MAX_RACES 64

/* How many elements of a REP instruction a step does, exits included. */
#define MAX_REP 1024

/**
 * tdm_emul_init() - set up a context
 * @c: zeroed context
 * @ops: the surroundings, valid as long as the context
 * @priv: for the ops
 * @regs: the caller's general registers, worked on in place
 * @sregs: the caller's segment registers, TDM_NR_SEGS of them, read in place
 */
void tdm_emul_init(struct tdm_emul_ctxt *c, const struct tdm_emul_ops *ops,
		   void *priv, struct tdm_regs *regs,
		   const struct tdm_segment *sregs)
{
	c->ops = ops;
	c->priv = priv;
	c->regs = regs;
	c->sregs = sregs;
	c->insn = &emul_no_insn;
	tdm_emul_reset(c);
}

/**
 * tdm_emul_reset() - forget an instruction that waits for userspace
 * @c: context
 *
 * To be called when registers or memory are replaced from outside.
 */
void tdm_emul_reset(struct tdm_emul_ctxt *c)
{
	c->io_pending = false;
	c->io_count = 0;
}

/**
 * tdm_emul_io_done() - userspace has done the outstanding access
 * @c: context after TDM_EMUL_IO
 * @data: what was read, size (MMIO) or size * count (port) bytes; ignored for
 *	  writes, where it may be NULL
 */
void tdm_emul_io_done(struct tdm_emul_ctxt *c, const void *data)
{
	struct tdm_emul_io *io;

	if (!c->io_pending)
		return;
	c->io_pending = false;
	io = &c->io[c->io_count - 1];
	if (io->kind == TDM_EMUL_MMIO_READ) {
		io->data = 0;
		memcpy(&io->data, data, min_t(unsigned int, io->size, 8));
	} else if (io->kind == TDM_EMUL_PIO_IN) {
		memcpy(c->pio_data, data,
		       min_t(unsigned int, io->size * io->count,
			     TDM_EMUL_PIO_BYTES));
	}
}

/**
 * tdm_emul_fault() - say which exception an op raises
 * @c: context
 * @vector: exception vector
 * @has_error: it pushes an error code (suppressed in real mode)
 * @error: error code
 * @address: CR2 for #PF
 *
 * Return: TDM_EMUL_FAULT, to be returned by the op.
 */
int tdm_emul_fault(struct tdm_emul_ctxt *c, u8 vector, bool has_error,
		   u32 error, u64 address)
{
	c->event = (struct tdm_emul_event) {
		.vector = vector,
		.type = TDM_EMUL_EXC,
		.has_error = has_error && emul_prot(c),
		.error = error,
		.address = address,
	};
	return TDM_EMUL_FAULT;
}

/* An exception without error code. */
int emul_exc(struct tdm_emul_ctxt *c, u8 vector)
{
	return tdm_emul_fault(c, vector, false, 0, 0);
}

/* An exception with error code. */
int emul_exc_err(struct tdm_emul_ctxt *c, u8 vector, u32 error)
{
	return tdm_emul_fault(c, vector, true, error, 0);
}

/**
 * emul_checkpoint() - an iteration of a REP instruction is complete
 * @c: context
 *
 * A fault in a later iteration restores to here; device accesses up to here
 * are done for good.
 */
void emul_checkpoint(struct tdm_emul_ctxt *c)
{
	c->saved = *c->regs;
	c->io_count = 0;
	c->io_pos = 0;
	c->mem_valid = false;
}

static inline u8 current_mode(struct tdm_emul_ctxt *c)
{
	u32 ar;

	if (emul_real_segs(c))
		return TDM_MODE_REAL;
	ar = emul_seg(c, TDM_SEG_CS)->ar;
	if (emul_lma(c) && (ar & TDM_AR_L))
		return TDM_MODE_LONG64;
	return ar & TDM_AR_DB ? TDM_MODE_PROT32 : TDM_MODE_PROT16;
}

static bool uses_vec(const struct tdm_insn *insn)
{
	unsigned int i;

	for (i = 0; i < insn->nr_opnds; i++)
		if (insn->opnd[i].kind == TDM_OPND_VEC)
			return true;
	return false;
}

/* State of the vector units that makes an instruction #UD or #NM. */
static noinline int check_vector_state(struct tdm_emul_ctxt *c)
{
	u64 xcr0;

	if (c->insn->prefixes & TDM_PFX_VEX) {
		if (emul_real_segs(c) || !(c->features & TDM_EMUL_F_AVX) ||
		    !(c->cr4 & X86_CR4_OSXSAVE) ||
		    c->ops->get_xcr(c, 0, &xcr0) || (xcr0 & 6) != 6)
			return emul_ud(c);
	} else if (c->cr0 & X86_CR0_EM) {
		return emul_ud(c);
	} else if (uses_vec(c->insn) && !(c->cr4 & X86_CR4_OSFXSR)) {
		return emul_ud(c);
	}
	if (c->cr0 & X86_CR0_TS)
		return emul_exc(c, EMUL_NM);
	return TDM_EMUL_DONE;
}

/* An instruction that not every mode, CPL or processor has. */
static noinline int check_op(struct tdm_emul_ctxt *c, const struct tdm_emul_op *op)
{
	if ((op->feature & c->features) != op->feature)
		return emul_ud(c);
	if (((op->flags & OP_PROT) && emul_real_segs(c)) ||
	    ((op->flags & OP_LONG64) && !emul_long64(c)))
		return emul_ud(c);
	if ((op->flags & OP_CPL0) && emul_cpl(c))
		return emul_gp(c, 0);
	return op->flags & OP_SIMD ? check_vector_state(c) : TDM_EMUL_DONE;
}

static int execute(struct tdm_emul_ctxt *c)
{
	const struct tdm_emul_op *op = c->op;
	int rc;

	if (unlikely(!op))
		return TDM_EMUL_UNHANDLED;
	if (op->feature || op->flags) {
		rc = check_op(c, op);
		if (rc)
			return rc;
	}
	return op->fn(c);
}

static inline u8 current_cpl(struct tdm_emul_ctxt *c)
{
	if (!emul_prot(c))
		return 0;
	if (c->regs->rflags & X86_EFLAGS_VM)
		return 3;
	return (emul_seg(c, TDM_SEG_SS)->ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT;
}

/* Forget what was cached for the last step; what guest mode is it now? */
static inline void start(struct tdm_emul_ctxt *c)
{
	c->seg_dirty = 0;
	c->trap_dr6 = 0;
	c->ext = 0;
	c->mode = current_mode(c);
	c->cpl = current_cpl(c);
}

/* Before each attempt to execute the instruction. */
static inline void begin(struct tdm_emul_ctxt *c)
{
	c->saved = *c->regs;
	c->io_pos = 0;
	c->mem_valid = false;
	c->keep_rf = false;
	c->no_trap = false;
	c->rep_more = false;
	c->new_shadow = 0;
	c->next_rip = c->regs->rip + c->insn->len;
	if (!emul_long64(c))
		c->next_rip = (u32)c->next_rip;
}

static void store_segments(struct tdm_emul_ctxt *c)
{
	unsigned int seg;

	for (seg = 0; seg < TDM_NR_SEGS; seg++)
		if (c->seg_dirty & (1u << seg))
			c->ops->set_segment(c, seg, &c->seg[seg]);
}

static noinline void commit_rare(struct tdm_emul_ctxt *c)
{
	bool stepping = c->saved.rflags & X86_EFLAGS_TF;

	if (c->seg_dirty)
		store_segments(c);
	if (!c->rep_more)
		c->regs->rip = c->next_rip;
	if (!c->keep_rf)
		c->regs->rflags &= ~(u64)X86_EFLAGS_RF;
	/*
	 * A trap between two iterations pushes RF = 1 (SDM vol. 3, "Resume
	 * Flag"); AMD processors leave RF alone.
	 */
	if (c->rep_more && stepping && !(c->features & TDM_EMUL_F_AMD))
		c->regs->rflags |= X86_EFLAGS_RF;
	if (stepping && !c->no_trap)
		c->trap_dr6 |= TDM_EMUL_DR6_BS;
}

static void commit(struct tdm_emul_ctxt *c)
{
	struct tdm_regs *regs = c->regs;

	if (unlikely(c->seg_dirty || c->rep_more || c->keep_rf ||
		     (c->saved.rflags & X86_EFLAGS_TF))) {
		commit_rare(c);
	} else {
		regs->rip = c->next_rip;
		regs->rflags &= ~(u64)X86_EFLAGS_RF;
	}
	regs->rflags |= X86_EFLAGS_FIXED;
	c->int_shadow = c->new_shadow;
	c->io_count = 0;
	c->nr_emulated++;
}

static void restore(struct tdm_emul_ctxt *c, int rc)
{
	*c->regs = c->saved;
	c->io_rip = c->regs->rip;
	if (rc == TDM_EMUL_FAULT || rc == TDM_EMUL_UNHANDLED)
		c->io_count = 0;
}

static int run(struct tdm_emul_ctxt *c)
{
	unsigned int races = 0;
	int rc;

	for (;;) {
		begin(c);
		rc = execute(c);
		if (rc != TDM_EMUL_RACED)
			return rc;
		if (++races == MAX_RACES)
			return TDM_EMUL_RETRY;
		/* Anew from the start. */
		*c->regs = c->saved;
		start(c);
	}
}

/**
 * tdm_emul_deliver() - deliver an event to the guest
 * @c: context with its inputs filled in, as for a step
 * @ev: the event; insn_len is added to the RIP that is pushed. For #PF the
 *	caller sets CR2, for a fault RF in regs.rflags.
 *
 * Return: DONE (regs and segments are those of the handler); FAULT: delivery
 * itself raised c->event, nothing changed; IO, RETRY, UNHANDLED (task gate) as
 * a step.
 */
int tdm_emul_deliver(struct tdm_emul_ctxt *c, const struct tdm_emul_event *ev)
{
	struct tdm_emul_event event = *ev;
	int rc;

	if (c->io_pending)
		return TDM_EMUL_IO;
	start(c);
	begin(c);
	c->no_trap = true;
	rc = emul_deliver(c, &event, c->regs->rip + event.insn_len);
	if (rc == TDM_EMUL_DONE)
		commit(c);
	else
		restore(c, rc);
	return rc;
}

/**
 * tdm_emul_step() - emulate one instruction
 * @c: context with its inputs filled in, see the top of emul.h
 *
 * Return: DONE, FAULT, IO, RETRY or UNHANDLED.
 */
int tdm_emul_step(struct tdm_emul_ctxt *c)
{
	int rc;

	if (c->io_pending)
		return TDM_EMUL_IO;

	start(c);
	/* With accesses on the log, the same instruction goes on. */
	if (likely(!c->io_count) || c->io_rip != c->regs->rip ||
	    c->insn->mode != c->mode) {
		c->io_count = 0;
		c->rep_left = MAX_REP;
		rc = emul_fetch(c);
		if (unlikely(rc))
			return rc;
		if (c->fast && emul_fast(c))
			return TDM_EMUL_DONE;
	}

	rc = run(c);
	if (rc == TDM_EMUL_DONE)
		commit(c);
	else
		restore(c, rc);
	return rc;
}
