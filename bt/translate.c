// SPDX-License-Identifier: GPL-2.0-only
/*
 * The translator: guest bytes in, one fragment with its records and links out.
 * A pure function of struct tdm_bt_tr; the same code runs in the unit tests.
 *
 * It must not change anything a guest could see: flags least of all, which no
 * instruction of a sequence touches unless they are kept. Beware of order: what
 * may fault comes before what cannot be undone.
 */
#include "bt/xlate.h"

#include "arch/x86/insn-zydis.h"

/**
 * tdm_xl_start() - nothing emitted so far
 * @x: TU
 * @tr: what it is for
 */
void tdm_xl_start(struct tdm_xl *x, struct tdm_bt_tr *tr)
{
	memset(x, 0, sizeof(*x));
	x->tr = tr;
	x->e = (struct tdm_emit) {
		.buf = tr->out,
		.max = sizeof(tr->out),
		.va = tr->va,
		.state = tr->base + TDM_BT_STATE,
	};
	tr->nr_recs = 0;
	tr->nr_links = 0;
	tr->nr_ident = 0;
	tr->nr_insns = 0;
	tr->guest_len = 0;
	tr->out_len = 0;
}

/**
 * tdm_xl_record() - the guest's state is so from the next byte on
 * @x: TU
 * @kind: enum tdm_rec_kind
 * @restore: registers that are in their spill slots
 * @flags: TDM_REC_F_*, besides those of the instruction
 */
void tdm_xl_record(struct tdm_xl *x, u8 kind, u16 restore, u8 flags)
{
	struct tdm_bt_tr *tr = x->tr;
	struct tdm_bt_rec *rec;

	if (tr->nr_recs && tr->recs[tr->nr_recs - 1].hoff == x->e.len)
		tr->nr_recs--;
	if (EMUL_CANNOT_BE(tr->nr_recs >= TDM_TU_MAX_RECS)) {
		x->e.overflow = true;
		return;
	}
	rec = &tr->recs[tr->nr_recs++];
	*rec = x->rec;
	rec->hoff = x->e.len;
	rec->kind = kind;
	rec->restore = restore;
	/* After it, the shadow is over. */
	if (kind != TDM_REC_BEFORE)
		rec->flags = 0;
	rec->flags |= flags;
}

/**
 * tdm_xl_link() - the rel32 just emitted is a direct way out
 * @x: TU
 * @n: which: its continuation is tr->cont[@n]
 * @target: guest address
 * @elide: it is a JMP and the last of the fragment
 */
void tdm_xl_link(struct tdm_xl *x, unsigned int n, u64 target, bool elide)
{
	struct tdm_bt_link *link = &x->tr->links[n];

	link->target = target;
	link->patch = x->e.len - 4;
	link->elide = elide;
	if (x->tr->nr_links < n + 1)
		x->tr->nr_links = n + 1;
}

/**
 * tdm_xl_callout() - have the monitor do this instruction
 * @x: TU
 * @op: enum tdm_bt_op
 *
 * Return: true, always.
 */
bool tdm_xl_callout(struct tdm_xl *x, u8 op)
{
	const struct tdm_insn *insn = &x->tr->insn;

	x->rec.op = op;
	switch (op) {
	case TDM_BT_OP_CR_WRITE:
		x->rec.a = insn->opnd[0].reg;
		x->rec.b = insn->opnd[1].reg;
		break;
	case TDM_BT_OP_CR_READ:
		x->rec.a = insn->opnd[1].reg;
		x->rec.b = insn->opnd[0].reg;
		break;
	case TDM_BT_OP_SREG_READ:
		x->rec.a = insn->opnd[1].reg;
		x->rec.b = insn->opnd[0].reg;
		x->rec.c = insn->opsize;
		break;
	case TDM_BT_OP_IO:
		x->rec.b = insn->mnemonic == ZYDIS_MNEMONIC_IN;
		x->rec.a = insn->opnd[x->rec.b ? 0 : 1].size;
		x->rec.c = insn->opcode >= 0xec;
		if (!x->rec.c)
			x->rec.imm = (u8)insn->opnd[x->rec.b ? 1 : 0].imm;
	}
	xl_before(x, 0);
	tdm_emit_callout(&x->e, TDM_BT_ID(x->tr->tu, x->n));
	return true;
}

/* A register that the instruction does not use, and that needs no REX.B. */
static unsigned int free_register(const struct tdm_insn *insn)
{
	/* RBX: CMPXCHG16B uses it, but none of the other two. */
	static const u8 candidates[] = { TDM_RSI, TDM_RDI, TDM_RBX };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(candidates); i++) {
		for (j = 0; j < insn->nr_opnds; j++)
			if ((insn->opnd[j].kind == TDM_OPND_GPR ||
			     insn->opnd[j].kind == TDM_OPND_GPR_HIGH) &&
			    insn->opnd[j].reg == candidates[i])
				break;
		if (j == insn->nr_opnds)
			return candidates[i];
	}
	return TDM_REG_NONE;
}

/* A RIP-relative operand has no index and no extended base: clear X and B. */
static void clear_xb(u8 *bytes, const ZydisDecodedInstruction *zi)
{
	switch (zi->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
		if (zi->attributes & ZYDIS_ATTRIB_HAS_REX)
			bytes[zi->raw.rex.offset] &= ~3;
		break;
	case ZYDIS_INSTRUCTION_ENCODING_VEX:
		if (zi->raw.vex.size == 3)
			bytes[zi->raw.vex.offset + 1] |= 0x60;
		break;
	case ZYDIS_INSTRUCTION_ENCODING_XOP:
		bytes[zi->raw.xop.offset + 1] |= 0x60;
		break;
	default:
		bytes[zi->raw.evex.offset + 1] |= 0x60;
	}
}

/*
 * The instruction in @bytes with absolute address @addr instead of its
 * RIP-relative operand: by SIB without base and index, one byte more.
 */
static void emit_absolute(struct tdm_xl *x, u8 *bytes, unsigned int len, unsigned int modrm,
			  u64 addr)
{
	bytes[modrm] = (bytes[modrm] & 0x38) | 4;
	tdm_emit_bytes(&x->e, bytes, modrm + 1);
	tdm_emit_u8(&x->e, 0x25);
	tdm_emit_u32(&x->e, addr);
	tdm_emit_bytes(&x->e, bytes + modrm + 5, len - modrm - 5);
}

/* The same with register @base, which is below 8 and neither RSP nor RBP. */
static void emit_based(struct tdm_xl *x, u8 *bytes, unsigned int len, unsigned int modrm,
		       unsigned int base)
{
	bytes[modrm] = (bytes[modrm] & 0x38) | base;
	tdm_emit_bytes(&x->e, bytes, modrm + 1);
	tdm_emit_bytes(&x->e, bytes + modrm + 5, len - modrm - 5);
}

/* Does the instruction have a RIP-relative operand, and where is it? */
static bool rip_relative(const struct tdm_xl *x, u64 *addr)
{
	const struct tdm_insn *insn = &x->tr->insn;
	const ZydisDecodedInstruction *zi = &tdm_insn_raw(&x->tr->work)->zi;

	if (insn->modrm_mod || !(zi->attributes & ZYDIS_ATTRIB_HAS_MODRM) ||
	    zi->raw.modrm.rm != 5)
		return false;
	*addr = xl_next(x) + zi->raw.disp.value;
	if (insn->addrsize == 4)
		*addr = (u32)*addr;
	return true;
}

static bool xl_ident(struct tdm_xl *x)
{
	const struct tdm_insn *insn = &x->tr->insn;
	const ZydisDecodedInstruction *zi = &tdm_insn_raw(&x->tr->work)->zi;
	u8 bytes[TDM_INSN_MAX_LEN];
	unsigned int reg;
	u64 addr;

	xl_before(x, 0);
	if (!rip_relative(x, &addr)) {
		tdm_emit_bytes(&x->e, insn->bytes, insn->len);
		x->tr->nr_ident++;
		return true;
	}
	memcpy(bytes, insn->bytes, sizeof(bytes));
	clear_xb(bytes, zi);
	/* With 67h the sum is cut to 32 bits in either form. */
	if (xl_fits32(addr) || insn->addrsize == 4) {
		if (insn->len == TDM_INSN_MAX_LEN)
			return false;
		emit_absolute(x, bytes, insn->len, zi->raw.modrm.offset, addr);
		x->tr->nr_ident++;
		return true;
	}
	reg = free_register(insn);
	if (reg == TDM_REG_NONE)
		return false;
	xl_spill(x, reg);
	tdm_emit_mov_imm(&x->e, reg, addr);
	xl_before(x, XL_BIT(reg));
	emit_based(x, bytes, insn->len, zi->raw.modrm.offset, reg);
	xl_after(x, XL_BIT(reg));
	xl_unspill(x, reg);
	return true;
}

static bool xl_ident_stop(struct tdm_xl *x)
{
	x->stop = xl_ident(x);
	return x->stop;
}

static bool xl_lea(struct tdm_xl *x)
{
	const struct tdm_insn *insn = &x->tr->insn;
	unsigned int reg = insn->opnd[0].reg;
	u64 addr;

	if (!rip_relative(x, &addr))
		return xl_ident(x);
	xl_before(x, 0);
	if (insn->opsize == 2) {
		tdm_emit_u8(&x->e, 0x66);
		if (reg & 8)
			tdm_emit_u8(&x->e, 0x41);
		tdm_emit_u8(&x->e, 0xb8 | (reg & 7));
		tdm_emit_u8(&x->e, addr);
		tdm_emit_u8(&x->e, addr >> 8);
	} else {
		tdm_emit_mov_imm(&x->e, reg, insn->opsize == 4 ? (u32)addr : addr);
	}
	return true;
}

static bool xl_callout(struct tdm_xl *x)
{
	return tdm_xl_callout(x, x->verdict.op);
}

static bool xl_stop(struct tdm_xl *x)
{
	x->stop = true;
	return tdm_xl_callout(x, x->verdict.op);
}

static bool (*const by_class[TDM_NR_BTCS])(struct tdm_xl *x) = {
	[TDM_BTC_CALLOUT] = xl_callout,
	[TDM_BTC_STOP] = xl_stop,
	[TDM_BTC_IDENT] = xl_ident,
	[TDM_BTC_IDENT_STOP] = xl_ident_stop,
	[TDM_BTC_LEA] = xl_lea,
	[TDM_BTC_JMP] = tdm_xl_jmp,
	[TDM_BTC_JCC] = tdm_xl_jcc,
	[TDM_BTC_LOOP] = tdm_xl_loop,
	[TDM_BTC_CALL] = tdm_xl_call,
	[TDM_BTC_RET] = tdm_xl_ret,
	[TDM_BTC_JMP_IND] = tdm_xl_jmp_ind,
	[TDM_BTC_CALL_IND] = tdm_xl_call_ind,
	[TDM_BTC_CLI] = tdm_xl_cli,
	[TDM_BTC_STI] = tdm_xl_sti,
	[TDM_BTC_PUSHF] = tdm_xl_pushf,
	[TDM_BTC_POPF] = tdm_xl_popf,
	[TDM_BTC_SWAPGS] = tdm_xl_swapgs,
	[TDM_BTC_STAC] = tdm_xl_stac,
	[TDM_BTC_CLAC] = tdm_xl_clac,
	[TDM_BTC_CR_READ] = tdm_xl_cr_read,
	[TDM_BTC_SREG_READ] = tdm_xl_sreg_read,
	[TDM_BTC_IRET] = tdm_xl_iret,
};

/* The records of this instruction begin. @len: bytes */
static void xl_begin(struct tdm_xl *x, unsigned int len)
{
	x->rec = (struct tdm_bt_rec) {
		.goff = x->off,
		.glen = len,
		.insn = x->n,
		.flags = x->rec.flags,
	};
}

/* Emit the instruction in tr->insn, by its class or as a callout. */
static void xl_insn(struct tdm_xl *x, struct tdm_bt_verdict verdict)
{
	x->verdict = verdict;
	xl_begin(x, x->tr->insn.len);
	if (!by_class[verdict.cls](x)) {
		/* A branch that cannot be done here may lead anywhere. */
		x->stop = verdict.cls >= TDM_BTC_JMP && verdict.cls <= TDM_BTC_CALL_IND;
		tdm_xl_callout(x, TDM_BT_OP_INTERPRET);
	}
	x->rec.flags = verdict.cls == TDM_BTC_STI ? TDM_REC_F_STI_SHADOW : 0;
	x->off += x->tr->insn.len;
	x->n++;
}

/*
 * One of the instructions that most code consists of.
 * Return: false: look closer.
 */
static bool xl_quick(struct tdm_xl *x, const u8 *code, unsigned int left)
{
	struct tdm_insn *insn = &x->tr->insn;
	struct tdm_bt_quick q;
	u8 bytes[TDM_INSN_MAX_LEN];
	u64 addr;

	if (!tdm_bt_quick(&q, code, left))
		return false;
	if (q.cls != TDM_BTC_IDENT) {
		/* What the direct branches look at. */
		insn->len = q.len;
		insn->opcode = q.opcode;
		insn->opnd[0].imm = (s64)q.rel;
		xl_insn(x, (struct tdm_bt_verdict) { q.cls, TDM_BT_OP_NONE });
		return true;
	}
	if (q.modrm) {
		addr = xl_rip(x) + q.len + (s64)q.rel;
		if (!xl_fits32(addr) || q.len == TDM_INSN_MAX_LEN)
			return false;
		xl_begin(x, q.len);
		xl_before(x, 0);
		memcpy(bytes, code, sizeof(bytes));
		if (q.rex)
			bytes[q.rex - 1] &= ~3;
		emit_absolute(x, bytes, q.len, q.modrm, addr);
	} else {
		xl_begin(x, q.len);
		xl_before(x, 0);
		tdm_emit_bytes(&x->e, code, q.len);
	}
	x->tr->nr_ident++;
	x->rec.flags = 0;
	x->off += q.len;
	x->n++;
	return true;
}

/* An instruction that the decoder refuses: whoever interprets it knows why. */
static void xl_undefined(struct tdm_xl *x, unsigned int len)
{
	x->tr->insn.len = 1;
	xl_insn(x, (struct tdm_bt_verdict) { TDM_BTC_STOP, TDM_BT_OP_INTERPRET });
	x->off += len - 1;
}

/* How the TU was right before an STI, to which it goes back if that is the last. */
struct xl_mark {
	u32 off;
	u16 len;
	u16 nr_recs;
	u8 rec_flags;
};

/*
 * Translate up to the end of the TU.
 * Return: -EFAULT, 0
 */
static int xl_loop(struct tdm_xl *x, struct xl_mark *mark)
{
	struct tdm_bt_tr *tr = x->tr;
	struct tdm_bt_verdict verdict;
	u32 left;
	int ret;

	while (!x->stop && x->n < tr->max_insns && x->off < tr->page_len &&
	       x->e.max - x->e.len >= XL_ROOM_HOST &&
	       TDM_TU_MAX_RECS - tr->nr_recs >= XL_ROOM_RECS) {
		left = min_t(u32, tr->len - x->off, TDM_INSN_MAX_LEN);
		if (xl_quick(x, tr->code + x->off, left))
			continue;
		ret = tdm_insn_decode(&tr->insn, &tr->work, tr->code + x->off,
				      left, tr->mode);
		if (ret == -E2BIG && left < TDM_INSN_MAX_LEN)
			return x->n ? 0 : -EFAULT;
		if (ret) {
			xl_undefined(x, left);
			return 0;
		}
		verdict = tdm_bt_classify(&tr->insn, &tr->work);
		/* The second of two has no shadow of its own. */
		if (verdict.cls == TDM_BTC_STI && x->rec.flags)
			verdict = (struct tdm_bt_verdict) { TDM_BTC_CALLOUT,
							    TDM_BT_OP_INTERPRET };
		if (verdict.cls == TDM_BTC_STI)
			*mark = (struct xl_mark) { x->off, x->e.len, tr->nr_recs,
						   x->rec.flags };
		xl_insn(x, verdict);
	}
	return 0;
}

/* STI was the last: leave it to the next TU, or to the interpreter. */
static void xl_unsti(struct tdm_xl *x, const struct xl_mark *mark)
{
	struct tdm_bt_tr *tr = x->tr;

	tr->insn.len = x->off - mark->off;
	x->off = mark->off;
	x->e.len = mark->len;
	tr->nr_recs = mark->nr_recs;
	x->rec.flags = mark->rec_flags;
	x->n--;
	if (x->n)
		return;
	xl_insn(x, (struct tdm_bt_verdict) { TDM_BTC_CALLOUT, TDM_BT_OP_INTERPRET });
}

/* The TU was cut off: on with what follows it. */
static void xl_go_on(struct tdm_xl *x)
{
	x->rec = x->tr->recs[x->tr->nr_recs - 1];
	x->rec.op = TDM_BT_OP_NONE;
	xl_after(x, 0);
	tdm_emit_pad(&x->e, 1);
	tdm_emit_jmp(&x->e, x->tr->cont[0]);
	tdm_xl_link(x, 0, x->tr->rip + x->off, true);
}

/* tu.h has the contract. */
int tdm_bt_translate(struct tdm_bt_tr *tr)
{
	struct xl_mark mark = {};
	struct tdm_xl x;
	int ret;

	if (WARN_ON_ONCE((tr->mode & ~TDM_DECODE_AMD) != TDM_MODE_LONG64 ||
			 !tr->max_insns || tr->max_insns > TDM_TU_MAX_INSNS ||
			 !tr->page_len || tr->page_len > tr->len))
		return -EFAULT;
	tdm_xl_start(&x, tr);
	ret = xl_loop(&x, &mark);
	if (ret)
		return ret;
	if (x.rec.flags & TDM_REC_F_STI_SHADOW)
		xl_unsti(&x, &mark);
	if (!x.stop)
		xl_go_on(&x);
	if (WARN_ON_ONCE(x.e.overflow))
		return -EFAULT;
	tr->out_len = x.e.len;
	tr->nr_insns = x.n;
	tr->guest_len = x.off;
	return 0;
}
