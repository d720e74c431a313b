// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory and device accesses: splits at page borders, tells RAM from devices,
 * and keeps the log that makes an instruction with device accesses
 * restartable (see emul.h).
 *
 * Beware: an access that straddles two pages must not write the first page
 * before the second is known to be writable.
 */
#include "internal.h"

static bool same_access(const struct tdm_emul_io *a, const struct tdm_emul_io *b)
{
	return a->kind == b->kind && a->addr == b->addr && a->size == b->size;
}

/**
 * emul_device() - do one device access, or take it from the log
 * @c: context; for port output pio_data holds the data
 * @want: the access
 * @done: where the completed access is, its data and count valid
 *
 * A log entry that does not match means that the instruction took another
 * path this time, because another CPU changed memory it reads: what was
 * logged from there on belongs to a run that no longer counts.
 *
 * Return: DONE, IO (the entry waits for userspace), or what the op said.
 */
int emul_device(struct tdm_emul_ctxt *c, const struct tdm_emul_io *want,
		struct tdm_emul_io **done)
{
	struct tdm_emul_io *io;
	int rc;

	if (c->io_pos < c->io_count) {
		io = &c->io[c->io_pos];
		if (same_access(io, want)) {
			c->io_pos++;
			*done = io;
			return TDM_EMUL_DONE;
		}
		c->io_count = c->io_pos;
	}
	if (c->io_count == TDM_EMUL_IO_LOG)
		return TDM_EMUL_UNHANDLED;

	io = &c->io[c->io_count];
	*io = *want;
	if (io->kind == TDM_EMUL_PIO_IN || io->kind == TDM_EMUL_PIO_OUT)
		rc = c->ops->pio(c, io);
	else
		rc = c->ops->mmio(c, io);
	if (rc == TDM_EMUL_IO) {
		c->io_count++;
		c->io_pending = true;
	} else if (rc == TDM_EMUL_DONE) {
		c->io_pos = ++c->io_count;
		*done = io;
	}
	return rc;
}

static int mmio_read(struct tdm_emul_ctxt *c, u64 gpa, u8 *data, unsigned int size)
{
	while (size) {
		struct tdm_emul_io *io, want = {
			.kind = TDM_EMUL_MMIO_READ,
			.addr = gpa,
			.size = min_t(unsigned int, size, 8),
			.count = 1,
		};
		int rc = emul_device(c, &want, &io);

		if (rc)
			return rc;
		memcpy(data, &io->data, want.size);
		data += want.size;
		gpa += want.size;
		size -= want.size;
	}
	return TDM_EMUL_DONE;
}

static int mmio_write(struct tdm_emul_ctxt *c, u64 gpa, const u8 *data,
		      unsigned int size)
{
	while (size) {
		struct tdm_emul_io *io, want = {
			.kind = TDM_EMUL_MMIO_WRITE,
			.addr = gpa,
			.size = min_t(unsigned int, size, 8),
			.count = 1,
		};
		int rc;

		memcpy(&want.data, data, want.size);
		rc = emul_device(c, &want, &io);
		if (rc)
			return rc;
		data += want.size;
		gpa += want.size;
		size -= want.size;
	}
	return TDM_EMUL_DONE;
}

/**
 * emul_read_rest() - emul_read_lin() where one read of RAM did not do
 * @c: context
 * @lin: linear address, wrapped
 * @data: buffer
 * @size: bytes, at most a page
 * @acc: TDM_ACC_*, USER included
 * @rc: what the read said, EMUL_CROSSES if it was not tried
 *
 * Return: enum tdm_emul_rc.
 */
int emul_read_rest(struct tdm_emul_ctxt *c, u64 lin, void *data,
		   unsigned int size, unsigned int acc, int rc)
{
	u8 *p = data;
	unsigned int n;

	if (rc == TDM_EMUL_MMIO)
		return mmio_read(c, c->mmio_gpa, p, size);
	if (rc != EMUL_CROSSES)
		return rc;
	while (size) {
		lin = emul_wrap(c, lin);
		n = min_t(unsigned int, size, emul_to_page_end(lin));
		rc = c->ops->read(c, lin, p, n, acc);
		if (rc == TDM_EMUL_MMIO)
			rc = mmio_read(c, c->mmio_gpa, p, n);
		if (rc)
			return rc;
		p += n;
		lin += n;
		size -= n;
	}
	return TDM_EMUL_DONE;
}

/**
 * emul_probe_lin() - check that an access would not fault
 * @c: context
 * @lin: linear address; may cross a page
 * @size: bytes
 * @acc: TDM_ACC_*
 *
 * Return: DONE for RAM and devices alike; FAULT, RETRY, UNHANDLED.
 */
int emul_probe_lin(struct tdm_emul_ctxt *c, u64 lin, unsigned int size,
		   unsigned int acc)
{
	acc = emul_acc(c, acc);
	while (size) {
		unsigned int n;
		int rc;

		lin = emul_wrap(c, lin);
		n = min_t(unsigned int, size, emul_to_page_end(lin));
		rc = c->ops->probe(c, lin, n, acc);
		if (rc && rc != TDM_EMUL_MMIO)
			return rc;
		lin += n;
		size -= n;
	}
	return TDM_EMUL_DONE;
}

static int write_part(struct tdm_emul_ctxt *c, u64 lin, const u8 *data,
		      unsigned int size, unsigned int acc)
{
	int rc = c->ops->write(c, lin, data, size, acc);

	if (rc == TDM_EMUL_MMIO)
		rc = mmio_write(c, c->mmio_gpa, data, size);
	return rc;
}

/*
 * A write over a page border. Both parts are probed before either is written.
 * A device goes first: if its access has to wait for userspace the instruction
 * is run again, and must not find in memory what it wrote the last time.
 */
static int write_crossing(struct tdm_emul_ctxt *c, u64 lin, const u8 *data,
			  unsigned int size, unsigned int acc)
{
	unsigned int first = emul_to_page_end(lin), second = size - first;
	u64 lin2 = emul_wrap(c, lin + first);
	bool second_first;
	int rc;

	rc = c->ops->probe(c, lin, first, acc);
	if (rc && rc != TDM_EMUL_MMIO)
		return rc;
	second_first = rc != TDM_EMUL_MMIO;
	rc = c->ops->probe(c, lin2, second, acc);
	if (rc && rc != TDM_EMUL_MMIO)
		return rc;
	second_first &= rc == TDM_EMUL_MMIO;

	if (second_first) {
		rc = write_part(c, lin2, data + first, second, acc);
		return rc ? rc : write_part(c, lin, data, first, acc);
	}
	rc = write_part(c, lin, data, first, acc);
	return rc ? rc : write_part(c, lin2, data + first, second, acc);
}

/**
 * emul_write_rest() - emul_write_lin() where one write of RAM did not do
 * @c: context
 * @lin: linear address, wrapped
 * @data: what to write
 * @size: bytes, at most a page
 * @acc: TDM_ACC_*, USER included
 * @rc: what the write said, EMUL_CROSSES if it was not tried
 *
 * Return: enum tdm_emul_rc.
 */
int emul_write_rest(struct tdm_emul_ctxt *c, u64 lin, const void *data,
		    unsigned int size, unsigned int acc, int rc)
{
	if (rc == TDM_EMUL_MMIO)
		return mmio_write(c, c->mmio_gpa, data, size);
	if (rc != EMUL_CROSSES)
		return rc;
	return write_crossing(c, lin, data, size, acc);
}

/**
 * emul_cmpxchg_lin() - the write half of a locked read-modify-write
 * @c: context
 * @lin: linear address
 * @old: what the read half saw
 * @new: what to store
 * @size: 1, 2, 4, 8 or 16 bytes
 *
 * An operand that straddles two pages is stored without atomicity: there is no
 * way to exchange in two places at once short of stopping all other CPUs.
 *
 * Return: enum tdm_emul_rc; RACED if memory changed since the read.
 */
int emul_cmpxchg_lin(struct tdm_emul_ctxt *c, u64 lin, const void *old,
		     const void *new, unsigned int size)
{
	unsigned int acc = emul_acc(c, TDM_ACC_READ | TDM_ACC_WRITE);
	int rc;

	if (size > emul_to_page_end(lin))
		return emul_write_lin(c, lin, new, size, acc);
	rc = c->ops->cmpxchg(c, lin, old, new, size, acc);
	if (rc == TDM_EMUL_MMIO)
		rc = mmio_write(c, c->mmio_gpa, new, size);
	return rc;
}

/**
 * emul_read_seg() - read memory by segment and offset
 * @c: context
 * @seg: segment
 * @ea: offset
 * @data: buffer
 * @size: bytes
 *
 * Return: enum tdm_emul_rc.
 */
int emul_read_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
		  void *data, unsigned int size)
{
	u64 lin;
	int rc = emul_linear(c, seg, ea, size, TDM_ACC_READ, &lin);

	if (!rc && size <= 8)
		rc = emul_check_align(c, lin, size);
	return rc ? rc : emul_read_lin(c, lin, data, size, TDM_ACC_READ);
}

/**
 * emul_write_seg() - write memory by segment and offset
 * @c: context
 * @seg: segment
 * @ea: offset
 * @data: what to write
 * @size: bytes
 *
 * Return: enum tdm_emul_rc.
 */
int emul_write_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
		   const void *data, unsigned int size)
{
	u64 lin;
	int rc = emul_linear(c, seg, ea, size, TDM_ACC_WRITE, &lin);

	if (!rc && size <= 8)
		rc = emul_check_align(c, lin, size);
	return rc ? rc : emul_write_lin(c, lin, data, size, TDM_ACC_WRITE);
}
