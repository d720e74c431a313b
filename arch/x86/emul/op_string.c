// SPDX-License-Identifier: GPL-2.0-only
/*
 * MOVS, CMPS, STOS, LODS, SCAS, with REP.
 *
 * An iteration is complete, and kept, before the next begins. RAM is moved in
 * blocks where that cannot be told from single steps; devices always get single
 * elements. A step does a bounded amount of work, then returns DONE with RIP
 * still on the instruction, so that interrupts get their turn.
 */
#include "internal.h"

#define BLOCK_WEIGHT	32	/* elements that a block counts for */
#define MIN_BLOCK	32	/* bytes; less is not worth the preparation */

/*
 * How many bytes a block may have: at most the buffer, the elements left, and
 * what lies in one page.
 */
static unsigned int block_bytes(struct tdm_emul_ctxt *c, u64 lin,
				unsigned int size, u64 count)
{
	u64 n = min_t(u64, count, sizeof(c->buf) / size) * size;

	n = min_t(u64, n, 4096 - (lin & 4095));
	return n - n % size;
}

/* Would offset arithmetic wrap within the block? Then single steps decide. */
static bool wraps(const struct tdm_emul_ctxt *c, u64 ea, unsigned int n)
{
	return ea + n - 1 > emul_mask(c->insn->addrsize) || ea + n - 1 < ea;
}

/*
 * Try to move or fill one block. Sets *done to the number of elements, 0 if
 * it has to be single steps. Faults are left to the single step too: it knows
 * exactly how far to get.
 */
static int movs_block(struct tdm_emul_ctxt *c, unsigned int size, u64 count,
		      u64 *done)
{
	unsigned int n, gap, acc = emul_cpl(c) == 3 ? TDM_ACC_USER : 0;
	u64 src = emul_addr_reg(c, TDM_RSI), dst = emul_addr_reg(c, TDM_RDI);
	u64 slin, dlin;

	*done = 0;
	if (emul_linear(c, emul_string_seg(c), src, size, TDM_ACC_READ, &slin) ||
	    emul_linear(c, TDM_SEG_ES, dst, size, TDM_ACC_WRITE, &dlin))
		return TDM_EMUL_DONE;
	n = block_bytes(c, slin, size, count);
	n = min_t(unsigned int, n, block_bytes(c, dlin, size, count));
	/*
	 * A destination closely above its source repeats a pattern. Compare
	 * page offsets only, as two linear pages may be one physical page.
	 */
	gap = (dlin - slin) & 4095;
	if (gap && gap < n)
		n = gap - gap % size;
	if (n < MIN_BLOCK || wraps(c, src, n) || wraps(c, dst, n) ||
	    emul_linear(c, emul_string_seg(c), src, n, TDM_ACC_READ, &slin) ||
	    emul_linear(c, TDM_SEG_ES, dst, n, TDM_ACC_WRITE, &dlin))
		return TDM_EMUL_DONE;

	if (c->ops->read(c, slin, c->buf, n, TDM_ACC_READ | acc) ||
	    c->ops->write(c, dlin, c->buf, n, TDM_ACC_WRITE | acc))
		return TDM_EMUL_DONE;
	emul_advance(c, TDM_RSI, n);
	emul_advance(c, TDM_RDI, n);
	*done = n / size;
	return TDM_EMUL_DONE;
}

static int stos_block(struct tdm_emul_ctxt *c, unsigned int size, u64 count,
		      u64 *done)
{
	unsigned int n, i, acc = emul_cpl(c) == 3 ? TDM_ACC_USER : 0;
	u64 dst = emul_addr_reg(c, TDM_RDI);
	u64 dlin;

	*done = 0;
	if (emul_linear(c, TDM_SEG_ES, dst, size, TDM_ACC_WRITE, &dlin))
		return TDM_EMUL_DONE;
	n = block_bytes(c, dlin, size, count);
	if (n < MIN_BLOCK || wraps(c, dst, n) ||
	    emul_linear(c, TDM_SEG_ES, dst, n, TDM_ACC_WRITE, &dlin))
		return TDM_EMUL_DONE;

	for (i = 0; i < n; i += size)
		memcpy(c->buf + i, &c->regs->gpr[TDM_RAX], size);
	if (c->ops->write(c, dlin, c->buf, n, TDM_ACC_WRITE | acc))
		return TDM_EMUL_DONE;
	emul_advance(c, TDM_RDI, n);
	*done = n / size;
	return TDM_EMUL_DONE;
}

/* One element of each instruction; size is op->arg. */
static int movs_one(struct tdm_emul_ctxt *c, unsigned int size)
{
	u64 v = 0;
	int rc;

	rc = emul_read_seg(c, emul_string_seg(c), emul_addr_reg(c, TDM_RSI), &v, size);
	if (!rc)
		rc = emul_write_seg(c, TDM_SEG_ES, emul_addr_reg(c, TDM_RDI), &v, size);
	if (rc)
		return rc;
	emul_advance(c, TDM_RSI, size);
	emul_advance(c, TDM_RDI, size);
	return TDM_EMUL_DONE;
}

static int cmps_one(struct tdm_emul_ctxt *c, unsigned int size)
{
	u64 a = 0, b = 0;
	int rc;

	/* In this order: if both fault, the processor reports the latter. */
	rc = emul_read_seg(c, TDM_SEG_ES, emul_addr_reg(c, TDM_RDI), &b, size);
	if (!rc)
		rc = emul_read_seg(c, emul_string_seg(c), emul_addr_reg(c, TDM_RSI),
				   &a, size);
	if (rc)
		return rc;
	emul_sub(c, a, b, 0, size);
	emul_advance(c, TDM_RSI, size);
	emul_advance(c, TDM_RDI, size);
	return TDM_EMUL_DONE;
}

static int stos_one(struct tdm_emul_ctxt *c, unsigned int size)
{
	u64 v = emul_gpr(c, TDM_RAX, size);
	int rc = emul_write_seg(c, TDM_SEG_ES, emul_addr_reg(c, TDM_RDI), &v, size);

	if (!rc)
		emul_advance(c, TDM_RDI, size);
	return rc;
}

static int lods_one(struct tdm_emul_ctxt *c, unsigned int size)
{
	u64 v = 0;
	int rc = emul_read_seg(c, emul_string_seg(c), emul_addr_reg(c, TDM_RSI), &v, size);

	if (rc)
		return rc;
	emul_set_gpr(c, TDM_RAX, size, v);
	emul_advance(c, TDM_RSI, size);
	return TDM_EMUL_DONE;
}

static int scas_one(struct tdm_emul_ctxt *c, unsigned int size)
{
	u64 v = 0;
	int rc = emul_read_seg(c, TDM_SEG_ES, emul_addr_reg(c, TDM_RDI), &v, size);

	if (rc)
		return rc;
	emul_sub(c, emul_gpr(c, TDM_RAX, size), v, 0, size);
	emul_advance(c, TDM_RDI, size);
	return TDM_EMUL_DONE;
}

/**
 * struct string_op - a string instruction
 * @one: does one element
 * @block: moves several at once, may be NULL
 * @compares: ends also when ZF says so
 */
struct string_op {
	int (*one)(struct tdm_emul_ctxt *c, unsigned int size);
	int (*block)(struct tdm_emul_ctxt *c, unsigned int size, u64 count,
		     u64 *done);
	bool compares;
};

static bool zf_ends(const struct tdm_emul_ctxt *c)
{
	bool zf = c->regs->rflags & X86_EFLAGS_ZF;

	return c->insn->prefixes & TDM_PFX_REPE ? !zf : zf;
}

/* One iteration or one block; counts them off RCX and makes them final. */
static int rep_once(struct tdm_emul_ctxt *c, const struct string_op *op,
		    unsigned int size, bool blocks)
{
	u64 done = 0, count = emul_addr_reg(c, TDM_RCX);
	int rc;

	if (blocks && c->io_count == 0) {
		rc = op->block(c, size, count, &done);
		if (rc)
			return rc;
	}
	if (!done) {
		rc = op->one(c, size);
		if (rc)
			return rc;
		done = 1;
	}
	emul_set_gpr(c, TDM_RCX, c->insn->addrsize, count - done);
	emul_checkpoint(c);
	return TDM_EMUL_DONE;
}

static int string_insn(struct tdm_emul_ctxt *c, const struct string_op *op)
{
	unsigned int size = c->op->arg, n;
	bool stepping = c->regs->rflags & X86_EFLAGS_TF;
	bool blocks = op->block && !stepping &&
		      !(c->regs->rflags & (X86_EFLAGS_DF | X86_EFLAGS_AC));
	int rc;

	if (!emul_is_rep(c))
		return op->one(c, size);

	while (emul_addr_reg(c, TDM_RCX)) {
		u64 before = emul_addr_reg(c, TDM_RCX);

		rc = rep_once(c, op, size, blocks);
		if (rc)
			return rc;
		if (op->compares && zf_ends(c))
			break;
		n = before - emul_addr_reg(c, TDM_RCX) > 1 ? BLOCK_WEIGHT : 1;
		c->rep_left -= min_t(unsigned int, c->rep_left, n);
		if (!emul_addr_reg(c, TDM_RCX))
			break;
		if (!c->rep_left || stepping ||
		    (c->ops->irq_pending && c->ops->irq_pending(c))) {
			c->rep_more = true;
			c->keep_rf = true;
			break;
		}
	}
	return TDM_EMUL_DONE;
}

int emul_op_movs(struct tdm_emul_ctxt *c)
{
	static const struct string_op op = { .one = movs_one, .block = movs_block };

	return string_insn(c, &op);
}

int emul_op_cmps(struct tdm_emul_ctxt *c)
{
	static const struct string_op op = { .one = cmps_one, .compares = true };

	return string_insn(c, &op);
}

int emul_op_stos(struct tdm_emul_ctxt *c)
{
	static const struct string_op op = { .one = stos_one, .block = stos_block };

	return string_insn(c, &op);
}

int emul_op_lods(struct tdm_emul_ctxt *c)
{
	static const struct string_op op = { .one = lods_one };

	return string_insn(c, &op);
}

int emul_op_scas(struct tdm_emul_ctxt *c)
{
	static const struct string_op op = { .one = scas_one, .compares = true };

	return string_insn(c, &op);
}
