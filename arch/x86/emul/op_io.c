// SPDX-License-Identifier: GPL-2.0-only
/*
 * IN, OUT, INS, OUTS and the I/O permission check.
 *
 * INS and OUTS with REP move a batch of elements in one port access where
 * memory allows: KVM_EXIT_IO has a count. The batch size is kept in the device
 * log, so that the second run, after userspace has answered, takes the same.
 */
#include "internal.h"

#define TSS_IO_BASE 102	/* offset of the I/O map base in a 32- or 64-bit TSS */

/**
 * emul_check_io() - may the instruction access these ports?
 * @c: context
 * @port: first port
 * @size: 1, 2 or 4
 *
 * SDM vol. 1, 19.5: IOPL first; where that does not allow it (and always in
 * virtual-8086 mode) the bitmap in the TSS.
 *
 * Return: DONE or FAULT, #GP(0).
 */
int emul_check_io(struct tdm_emul_ctxt *c, u16 port, unsigned int size)
{
	const struct tdm_segment *tr;
	u16 base, map;
	int rc;

	if (!emul_prot(c))
		return TDM_EMUL_DONE;
	if (!emul_vm86(c) && emul_cpl(c) <= emul_iopl(c))
		return TDM_EMUL_DONE;

	tr = emul_seg(c, TDM_SEG_TR);
	/* Only 32- and 64-bit TSSs (type 9 or 11) have the bitmap. */
	if ((tr->ar & TDM_AR_UNUSABLE) || !(tr->ar & TDM_AR_P) ||
	    ((tr->ar & TDM_AR_TYPE) | 2) != 11 || tr->limit < TSS_IO_BASE + 1)
		return emul_gp(c, 0);
	rc = emul_read_lin(c, tr->base + TSS_IO_BASE, &base, 2,
			   TDM_ACC_READ | TDM_ACC_IMPLICIT);
	if (rc)
		return rc;
	if ((u32)base + port / 8 + 1 > tr->limit)
		return emul_gp(c, 0);
	rc = emul_read_lin(c, tr->base + base + port / 8, &map, 2,
			   TDM_ACC_READ | TDM_ACC_IMPLICIT);
	if (rc)
		return rc;
	if ((map >> (port & 7)) & ((1u << size) - 1))
		return emul_gp(c, 0);
	return TDM_EMUL_DONE;
}

static int port_of(struct tdm_emul_ctxt *c, unsigned int i, unsigned int size,
		   u16 *port)
{
	u64 v;
	int rc = emul_get(c, i, &v);

	if (rc)
		return rc;
	/* An immediate port is one byte, however the decoder extends it. */
	*port = emul_opnd(c, i)->kind == TDM_OPND_IMM ? (u8)v : (u16)v;
	return emul_check_io(c, *port, size);
}

static int port_access(struct tdm_emul_ctxt *c, u8 kind, u16 port,
		       unsigned int size, unsigned int count,
		       struct tdm_emul_io **io)
{
	struct tdm_emul_io want = {
		.kind = kind, .addr = port, .size = size, .count = count,
	};

	return emul_device(c, &want, io);
}

/* IN */
int emul_op_in(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 0)->size;
	struct tdm_emul_io *io;
	u32 v = 0;
	u16 port;
	int rc;

	rc = port_of(c, 1, size, &port);
	if (!rc)
		rc = port_access(c, TDM_EMUL_PIO_IN, port, size, 1, &io);
	if (rc)
		return rc;
	memcpy(&v, c->pio_data, size);
	return emul_put(c, 0, v);
}

/* OUT */
int emul_op_out(struct tdm_emul_ctxt *c)
{
	unsigned int size = emul_opnd(c, 1)->size;
	struct tdm_emul_io *io;
	u64 v;
	u16 port;
	int rc;

	rc = port_of(c, 0, size, &port);
	if (!rc)
		rc = emul_get(c, 1, &v);
	if (rc)
		return rc;
	memcpy(c->pio_data, &v, size);
	return port_access(c, TDM_EMUL_PIO_OUT, port, size, 1, &io);
}

/*
 * Number of elements to do in one port access: 1 without REP, when single
 * stepping or going down; else what fits buffer, page and offset range.
 */
static unsigned int batch(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
			  unsigned int size, unsigned int acc)
{
	u64 lin, n = emul_addr_reg(c, TDM_RCX);

	if (!emul_is_rep(c) || (c->regs->rflags & (X86_EFLAGS_DF | X86_EFLAGS_TF)))
		return 1;
	n = min_t(u64, n, TDM_EMUL_PIO_BYTES / size);
	if (emul_linear(c, seg, ea, size, acc, &lin))
		return 1;
	n = min_t(u64, n, (4096 - (lin & 4095)) / size);
	if (n < 2 || ea + n * size - 1 > emul_mask(c->insn->addrsize) ||
	    emul_linear(c, seg, ea, n * size, acc, &lin))
		return 1;
	/* Devices want their elements one by one; faults exactly placed. */
	if (c->ops->probe(c, lin, n * size,
			  acc | (emul_cpl(c) == 3 ? TDM_ACC_USER : 0)))
		return 1;
	return n;
}

/*
 * Elements that count: what was transferred, but no more than RCX asks for now.
 * A caller that did the access may have changed RCX meanwhile.
 */
static unsigned int transferred(const struct tdm_emul_ctxt *c,
				const struct tdm_emul_io *io)
{
	if (!emul_is_rep(c))
		return io->count;
	return min_t(u64, io->count, emul_addr_reg(c, TDM_RCX));
}

static int ins_batch(struct tdm_emul_ctxt *c, u16 port, unsigned int size,
		     unsigned int *count)
{
	u64 lin, ea = emul_addr_reg(c, TDM_RDI);
	unsigned int n = batch(c, TDM_SEG_ES, ea, size, TDM_ACC_WRITE);
	struct tdm_emul_io *io;
	int rc;

	/* What the port gives must have a place to go before it is read. */
	rc = emul_linear(c, TDM_SEG_ES, ea, size, TDM_ACC_WRITE, &lin);
	if (!rc)
		rc = emul_probe_lin(c, lin, size, TDM_ACC_WRITE);
	if (!rc)
		rc = port_access(c, TDM_EMUL_PIO_IN, port, size, n, &io);
	if (rc)
		return rc;
	*count = transferred(c, io);
	rc = emul_write_seg(c, TDM_SEG_ES, ea, c->pio_data, size * *count);
	if (rc)
		return rc;
	emul_advance(c, TDM_RDI, size * *count);
	return TDM_EMUL_DONE;
}

static int outs_batch(struct tdm_emul_ctxt *c, u16 port, unsigned int size,
		      unsigned int *count)
{
	u64 ea = emul_addr_reg(c, TDM_RSI);
	unsigned int seg = emul_string_seg(c);
	unsigned int n = batch(c, seg, ea, size, TDM_ACC_READ);
	struct tdm_emul_io *io;
	int rc;

	rc = emul_read_seg(c, seg, ea, c->pio_data, size * n);
	if (!rc)
		rc = port_access(c, TDM_EMUL_PIO_OUT, port, size, n, &io);
	if (rc)
		return rc;
	*count = transferred(c, io);
	emul_advance(c, TDM_RSI, size * *count);
	return TDM_EMUL_DONE;
}

static int string_io(struct tdm_emul_ctxt *c,
		     int (*one)(struct tdm_emul_ctxt *c, u16 port,
				unsigned int size, unsigned int *count))
{
	unsigned int count, size = c->op->arg;
	u16 port = c->regs->gpr[TDM_RDX];
	int rc;

	/* Permission is checked even if RCX is 0. */
	rc = emul_check_io(c, port, size);
	if (rc)
		return rc;
	if (!emul_is_rep(c))
		return one(c, port, size, &count);
	if (!emul_addr_reg(c, TDM_RCX))
		return TDM_EMUL_DONE;
	rc = one(c, port, size, &count);
	if (rc)
		return rc;
	emul_set_gpr(c, TDM_RCX, c->insn->addrsize,
		     emul_addr_reg(c, TDM_RCX) - count);
	/* A port access is dear: leave the rest to the next step. */
	if (emul_addr_reg(c, TDM_RCX)) {
		c->rep_more = true;
		c->keep_rf = true;
	}
	return TDM_EMUL_DONE;
}

int emul_op_ins(struct tdm_emul_ctxt *c)
{
	return string_io(c, ins_batch);
}

int emul_op_outs(struct tdm_emul_ctxt *c)
{
	return string_io(c, outs_batch);
}
