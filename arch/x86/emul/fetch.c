// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fetching and decoding, and the cache of decoded instructions.
 *
 * A cached instruction is used only if it was decoded for the same mode from
 * the very bytes that memory holds now. So the cache cannot be stale: code that
 * is written to, remapped or entered in another mode is decoded anew. It is an
 * optional layer: without it (c->lines is NULL) all goes through the one line
 * in the context, and is decoded each time.
 */
#include "internal.h"
#include "table.h"

/* In place of an instruction that could not be fetched. */
const struct tdm_insn emul_no_insn;

/*
 * Fetch all 15 bytes an instruction can have, where that takes no thought: false
 * if they cross a page or the segment's end, or reading fails for whatever reason.
 */
static inline bool fetch_all(struct tdm_emul_ctxt *c)
{
	u64 lin = c->regs->rip;

	if (!emul_long64(c)) {
		const struct tdm_segment *cs = emul_seg(c, TDM_SEG_CS);

		if (lin + TDM_INSN_MAX_LEN - 1 > cs->limit ||
		    (cs->ar & (TDM_AR_CODE | TDM_AR_DC)) == TDM_AR_DC)
			return false;
		lin = (u32)(cs->base + lin);
	} else if ((u64)((s64)(lin << 16) >> 16) != lin) {
		return false;
	}
	return emul_to_page_end(lin) > TDM_INSN_MAX_LEN &&
	       !c->ops->fetch(c, lin, c->fetch, TDM_INSN_MAX_LEN,
			      emul_acc(c, TDM_ACC_FETCH));
}

/* Fetch up to 15 code bytes behind those there are; stops at a page end. */
static int fetch_more(struct tdm_emul_ctxt *c, unsigned int *have)
{
	unsigned int n = TDM_INSN_MAX_LEN - *have;
	u64 ip = c->regs->rip + *have;
	u64 lin;
	int rc;

	if (!emul_long64(c)) {
		u32 limit = emul_seg(c, TDM_SEG_CS)->limit;

		ip = (u32)ip;
		if (ip <= limit)
			n = min_t(u64, n, limit - ip + 1);
	}
	rc = emul_linear(c, TDM_SEG_CS, ip, 1, TDM_ACC_FETCH, &lin);
	if (rc)
		return rc;
	n = min_t(unsigned int, n, 4096 - (lin & 4095));
	rc = c->ops->fetch(c, lin, c->fetch + *have, n, emul_acc(c, TDM_ACC_FETCH));
	*have += n;
	/* Fetching from a device is beyond us; it must not even be read. */
	return rc == TDM_EMUL_MMIO ? TDM_EMUL_UNHANDLED : rc;
}

/* Are the first @len bytes equal? Both have 16 that can be read, @len >= 1. */
static inline bool same_bytes(const u8 *a, const u8 *b, unsigned int len)
{
	u64 x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	x ^= y;
	if (likely(len <= 8))
		return !(x << (64 - 8 * len));
	if (x)
		return false;
	memcpy(&x, a + 8, sizeof(x));
	memcpy(&y, b + 8, sizeof(y));
	return !((x ^ y) << (128 - 8 * len));
}

static inline struct tdm_emul_line *line_of(struct tdm_emul_ctxt *c)
{
	u64 rip = c->regs->rip;

	if (!c->lines)
		return &c->line;
	return &c->lines[(rip ^ rip >> 8) % TDM_EMUL_LINES];
}

static bool has_memory_operand(const struct tdm_insn *insn)
{
	return insn->opnd[0].kind == TDM_OPND_MEM ||
	       insn->opnd[1].kind == TDM_OPND_MEM;
}

/* Where the decoder's view of an instruction is not that of its handler. */
static void amend(struct tdm_emul_line *line)
{
	struct tdm_insn *insn = &line->insn;

	if (!line->op)
		return;
	/* With memory it is always locked, prefix or not. */
	if (line->op->fn == emul_op_xchg && has_memory_operand(insn))
		insn->prefixes |= TDM_PFX_LOCK;
	/* It may leave its operand alone, and then needs no right to write it. */
	if (line->op->fn == emul_op_arpl)
		insn->opnd[0].actions &= ~TDM_OPND_WRITE;
}

static int decode(struct tdm_emul_ctxt *c, struct tdm_emul_line *line,
		  unsigned int have, u8 mode)
{
	int rc;

	line->key = 0;
	rc = tdm_insn_decode(&line->insn, &c->work, c->fetch, have, mode);
	if (rc)
		return rc;
	line->op = emul_lookup(&line->insn);
	amend(line);
	line->fast = emul_fast_kind(line->op, &line->insn);
	line->key = mode + 1;
	c->nr_decoded++;
	return 0;
}

static u8 decode_mode(const struct tdm_emul_ctxt *c)
{
	return c->mode | (c->features & TDM_EMUL_F_AMD ? TDM_DECODE_AMD : 0);
}

static noinline int fetch_decode(struct tdm_emul_ctxt *c, struct tdm_emul_line *line)
{
	unsigned int have = 0;
	int rc;

	c->insn = &emul_no_insn;
	c->fast = EMUL_FAST_NONE;
	do {
		rc = fetch_more(c, &have);
		if (rc)
			return rc;
		/* Here are those that lie across pages. */
		if (c->lines && line->key == decode_mode(c) + 1 &&
		    line->insn.len <= have &&
		    same_bytes(line->insn.bytes, c->fetch, line->insn.len))
			break;
		rc = decode(c, line, have, decode_mode(c));
	} while (rc == -E2BIG && have < TDM_INSN_MAX_LEN);

	if (unlikely(rc))
		return rc == -E2BIG ? emul_gp(c, 0) : emul_ud(c);
	c->insn = &line->insn;
	c->op = line->op;
	return TDM_EMUL_DONE;
}

/**
 * emul_fetch() - the instruction at RIP, decoded
 * @c: context, start() done
 *
 * Sets c->insn and c->op; c->insn has no bytes if there is none.
 *
 * Return: DONE, FAULT, or what reading memory said.
 */
int emul_fetch(struct tdm_emul_ctxt *c)
{
	struct tdm_emul_line *line = line_of(c);

	if (likely(c->lines && line->key == decode_mode(c) + 1 && fetch_all(c) &&
		   same_bytes(line->insn.bytes, c->fetch, line->insn.len))) {
		c->insn = &line->insn;
		c->op = line->op;
		c->fast = line->fast;
		c->line_no = line - c->lines;
		return TDM_EMUL_DONE;
	}
	return fetch_decode(c, line);
}
