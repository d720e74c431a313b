// SPDX-License-Identifier: GPL-2.0-only
/*
 * The quick decoder, see quick.h: about a twentieth of the price of the real
 * one, for nine instructions of ten.
 *
 * It must agree with decoder and classifier on everything it accepts; the unit
 * test compares them on all prefixes, opcodes and operands there are here. So
 * the tables name what is known, opcode by opcode, and nothing else gets
 * through: no LOCK, no REP, no 67h, one prefix of 65h and 66h at most each.
 */
#include "bt/quick.h"

#include "bt/classify.h"

#define Q_IDENT	0x01
#define Q_MODRM	0x02
#define Q_IMM8	0x04
#define Q_IMMZ	0x08	/* 4 bytes; 2 with 66h */
#define Q_IMMV	0x10	/* 4 bytes; 2 with 66h; 8 with REX.W */
#define Q_GROUP	0x20	/* groups[] says which ModRM.reg, and which of them have an immediate */
#define Q_MEM	0x40	/* ModRM.mod must not be 3, and not RIP-relative */
#define Q_JUMP	0x80	/* a branch: jumps() */

#define I	Q_IDENT
#define M	(Q_IDENT | Q_MODRM)
#define ALU(n)	[n] = M, [n + 1] = M, [n + 2] = M, [n + 3] = M,	\
		[n + 4] = I | Q_IMM8, [n + 5] = I | Q_IMMZ

static const u8 map0[256] = {
	ALU(0x00), ALU(0x08), ALU(0x10), ALU(0x18), ALU(0x20), ALU(0x28), ALU(0x30), ALU(0x38),
	[0x50 ... 0x5f] = I, [0x63] = M, [0x68] = I | Q_IMMZ, [0x69] = M | Q_IMMZ,
	[0x6a] = I | Q_IMM8, [0x6b] = M | Q_IMM8, [0x70 ... 0x7f] = Q_JUMP | Q_IMM8,
	[0x80] = M | Q_IMM8, [0x81] = M | Q_IMMZ, [0x83] = M | Q_IMM8,
	[0x84 ... 0x8b] = M, [0x8d] = M | Q_MEM, [0x90 ... 0x99] = I, [0x9e ... 0x9f] = I,
	[0xa4 ... 0xa7] = I, [0xa8] = I | Q_IMM8, [0xa9] = I | Q_IMMZ, [0xaa ... 0xaf] = I,
	[0xb0 ... 0xb7] = I | Q_IMM8, [0xb8 ... 0xbf] = I | Q_IMMV,
	[0xc0 ... 0xc1] = M | Q_IMM8 | Q_GROUP, [0xc3] = Q_JUMP, [0xc6] = M | Q_IMM8 | Q_GROUP,
	[0xc7] = M | Q_IMMZ | Q_GROUP, [0xc9] = I, [0xd0 ... 0xd3] = M | Q_GROUP,
	[0xe8 ... 0xe9] = Q_JUMP | Q_IMMZ, [0xeb] = Q_JUMP | Q_IMM8, [0xf5] = I,
	[0xf6] = M | Q_IMM8 | Q_GROUP, [0xf7] = M | Q_IMMZ | Q_GROUP,
	[0xf8 ... 0xf9] = I, [0xfc ... 0xfd] = I, [0xfe ... 0xff] = M | Q_GROUP,
};

/* The second one, after 0F. */
static const u8 map1[256] = {
	[0x1f] = M | Q_GROUP, [0x40 ... 0x4f] = M, [0x80 ... 0x8f] = Q_JUMP | Q_IMMZ,
	[0x90 ... 0x9f] = M, [0xa3] = M, [0xa4] = M | Q_IMM8, [0xa5] = M, [0xab] = M,
	[0xac] = M | Q_IMM8, [0xad] = M, [0xaf] = M, [0xb0 ... 0xb1] = M, [0xb3] = M,
	[0xb6 ... 0xb7] = M, [0xba] = M | Q_IMM8 | Q_GROUP, [0xbb ... 0xbf] = M,
	[0xc0 ... 0xc1] = M, [0xc8 ... 0xcf] = I,
};

#undef I
#undef M
#undef ALU

/* Which ModRM.reg are what the opcode says; in the high byte, those with immediate. */
static u16 group(unsigned int map, u8 opcode)
{
	if (map)
		return opcode == 0x1f ? 0x01 : 0xf0f0;
	switch (opcode) {
	case 0xc6: case 0xc7:
		return 0x0101;
	case 0xf6: case 0xf7:
		return 0x01fd;
	case 0xfe:
		return 0x03;
	case 0xff:
		return 0x43;
	case 0xc0: case 0xc1:
		return 0xbfbf;
	default:
		return 0xbf;
	}
}

static u8 jump_class(unsigned int map, u8 opcode)
{
	if (map || opcode < 0x80)
		return TDM_BTC_JCC;
	return opcode == 0xe8 ? TDM_BTC_CALL : opcode == 0xc3 ? TDM_BTC_RET : TDM_BTC_JMP;
}

/* Prefixes that do not matter here but for the immediate's size. */
struct quick_prefixes {
	bool opsize;
	bool rexw;
	bool any;
};

static unsigned int prefixes(struct tdm_bt_quick *q, struct quick_prefixes *p, const u8 *code)
{
	unsigned int n = 0;

	if (code[n] == 0x65) {
		p->any = true;
		n++;
	}
	if (code[n] == 0x66) {
		p->any = true;
		p->opsize = true;
		n++;
	}
	if ((code[n] & 0xf0) == 0x40) {
		p->any = true;
		p->rexw = code[n] & 8;
		q->rex = ++n;
	}
	return n;
}

/* Bytes of ModRM, SIB and displacement. */
static unsigned int operand(struct tdm_bt_quick *q, const u8 *code, unsigned int at)
{
	u8 mod = code[at] >> 6, rm = code[at] & 7;
	unsigned int n = 1;

	if (mod == 3)
		return 1;
	if (rm == 4) {
		n = 2;
		if (!mod && (code[at + 1] & 7) == 5)
			return 6;
	} else if (!mod && rm == 5) {
		q->modrm = at;
		memcpy(&q->rel, code + at + 1, 4);
		return 5;
	}
	return n + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/**
 * tdm_bt_quick() - look at an instruction
 * @q: what it is
 * @code: its bytes
 * @len: how many there are
 *
 * Return: false: no idea.
 */
bool tdm_bt_quick(struct tdm_bt_quick *q, const u8 *code, unsigned int len)
{
	struct quick_prefixes p = {};
	unsigned int n, map = 0, reg;
	u8 how, opcode, mod;
	u16 which;

	/* All of what follows is within 15 bytes. */
	if (len < 15)
		return false;
	*q = (struct tdm_bt_quick) {};
	n = prefixes(q, &p, code);
	opcode = code[n++];
	if (opcode == 0x0f) {
		map = 1;
		opcode = code[n++];
	}
	how = map ? map1[opcode] : map0[opcode];
	if (!(how & (Q_IDENT | Q_JUMP)))
		return false;
	q->opcode = opcode;
	q->cls = TDM_BTC_IDENT;
	if (how & Q_MODRM) {
		reg = code[n] >> 3 & 7;
		mod = code[n] >> 6;
		n += operand(q, code, n);
		if ((how & Q_MEM) && (mod == 3 || q->modrm))
			return false;
		if (how & Q_GROUP) {
			which = group(map, opcode);
			if (!(which >> reg & 1))
				return false;
			if (!(which >> 8 >> reg & 1))
				how &= ~(Q_IMM8 | Q_IMMZ);
		}
	} else if (how & Q_JUMP) {
		if (p.any)
			return false;
		q->cls = jump_class(map, opcode);
		if (how & Q_IMM8)
			q->rel = (s8)code[n];
		else
			memcpy(&q->rel, code + n, 4);
	}
	if (how & Q_IMM8)
		n += 1;
	else if (how & Q_IMMZ)
		n += p.opsize && !p.rexw ? 2 : 4;
	else if (how & Q_IMMV)
		n += p.rexw ? 8 : p.opsize ? 2 : 4;
	q->len = n;
	return true;
}
