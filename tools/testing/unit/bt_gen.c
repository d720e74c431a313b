// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generator of random guest code, see bt_gen.h. Opcodes come from a table;
 * prefixes, operands and immediates are chosen. What does not decode is thrown
 * away by the caller's check of each instruction here.
 */
#include "bt_gen.h"

#include "arch/x86/insn.h"

#define IMM8	0x1
#define IMMZ	0x2	/* 16 or 32 bits by operand size */
#define IMMV	0x4	/* and 64 with REX.W */
#define MODRM	0x8
#define MEM	0x10	/* ModRM: memory only */
#define REG	0x20	/* ModRM: register only */
#define EXT(n)	((n) << 8 | 0x800 | MODRM)	/* ModRM.reg */
#define NO66	0x40
#define OP0F	0x80
#define SPAN(n)	((u32)(n) << 16)	/* the following n opcodes, too */

/* Opcode templates: the most common instructions of a kernel several times over. */
static const struct {
	u8 op;
	u32 how;
} table[] = {
	{ 0x00, MODRM | SPAN(3) }, { 0x08, MODRM | SPAN(3) }, { 0x20, MODRM | SPAN(3) },
	{ 0x28, MODRM | SPAN(3) }, { 0x30, MODRM | SPAN(3) }, { 0x38, MODRM | SPAN(3) },
	{ 0x10, MODRM | SPAN(3) }, { 0x18, MODRM | SPAN(3) },
	{ 0x04, IMM8 }, { 0x05, IMMZ }, { 0x3d, IMMZ }, { 0x0d, IMMZ },
	{ 0x50, SPAN(7) }, { 0x58, SPAN(7) }, { 0x50, SPAN(7) }, { 0x58, SPAN(7) },
	{ 0x63, MODRM }, { 0x68, IMMZ }, { 0x6a, IMM8 }, { 0x69, MODRM | IMMZ }, { 0x6b, MODRM | IMM8 },
	{ 0x80, MODRM | IMM8 }, { 0x81, MODRM | IMMZ }, { 0x83, MODRM | IMM8 },
	{ 0x84, MODRM | SPAN(7) }, { 0x88, MODRM | SPAN(3) }, { 0x88, MODRM | SPAN(3) },
	{ 0x88, MODRM | MEM | SPAN(3) }, { 0x88, MODRM | MEM | SPAN(3) }, { 0x8d, MODRM | MEM },
	{ 0x8d, MODRM | MEM }, { 0x8f, EXT(0) }, { 0x90, SPAN(9) }, { 0x9e, SPAN(1) },
	{ 0xa4, SPAN(3) }, { 0xa8, IMM8 }, { 0xa9, IMMZ }, { 0xaa, SPAN(5) },
	{ 0xb0, IMM8 | SPAN(7) }, { 0xb8, IMMV | SPAN(7) }, { 0xc0, MODRM | IMM8 | SPAN(1) },
	{ 0xc6, EXT(0) | IMM8 }, { 0xc7, EXT(0) | IMMZ }, { 0xc9, 0 }, { 0xd0, MODRM | SPAN(3) },
	{ 0xd7, 0 }, { 0xf5, 0 }, { 0xf6, EXT(0) | IMM8 }, { 0xf7, EXT(0) | IMMZ },
	{ 0xf6, EXT(2) }, { 0xf7, EXT(3) }, { 0xf7, EXT(4) }, { 0xf7, EXT(5) }, { 0xf7, EXT(6) },
	{ 0xf8, SPAN(1) }, { 0xfc, 0 }, { 0xfc, SPAN(1) }, { 0xfe, EXT(0) }, { 0xff, EXT(0) },
	{ 0xff, EXT(1) }, { 0xff, EXT(6) },
	{ 0x40, OP0F | MODRM | SPAN(15) }, { 0x90, OP0F | MODRM | SPAN(15) },
	{ 0xa3, OP0F | MODRM | REG }, { 0xa4, OP0F | MODRM | IMM8 }, { 0xab, OP0F | MODRM | REG },
	{ 0xba, OP0F | EXT(4) | IMM8 }, { 0xba, OP0F | EXT(5) | IMM8 }, { 0xaf, OP0F | MODRM },
	{ 0xb0, OP0F | MODRM | SPAN(1) }, { 0xb6, OP0F | MODRM | SPAN(1) },
	{ 0xbc, OP0F | MODRM | SPAN(3) }, { 0xc0, OP0F | MODRM | SPAN(1) },
	{ 0xc7, OP0F | EXT(1) | MEM }, { 0xc8, OP0F | SPAN(7) }, { 0x1f, OP0F | EXT(0) },
	{ 0x18, OP0F | EXT(1) | MEM }, { 0x10, OP0F | MODRM | SPAN(1) }, { 0x28, OP0F | MODRM | SPAN(1) },
	{ 0x6f, OP0F | MODRM }, { 0x7f, OP0F | MODRM }, { 0xef, OP0F | MODRM }, { 0x2a, OP0F | MODRM },
	{ 0x58, OP0F | MODRM }, { 0xd8, EXT(0) | MEM }, { 0xdd, EXT(0) | MEM }, { 0xdd, EXT(3) | MEM },
};

/* What ends up in bt_state or the monitor, whole. */
static const struct {
	u8 len;
	u8 bytes[6];
} special[] = {
	{ 1, { 0xfa } }, { 1, { 0xfb } }, { 1, { 0x9c } }, { 1, { 0x9d } },
	{ 2, { 0x48, 0xcf } }, { 2, { 0x48, 0xcf } }, { 2, { 0x48, 0xcf } }, { 2, { 0x8c, 0xc8 } },
	{ 4, { 0x66, 0x41, 0x8c, 0xd1 } }, { 3, { 0x48, 0x8c, 0xd0 } },
	{ 1, { 0xfa } }, { 1, { 0xfb } }, { 1, { 0x9c } }, { 1, { 0x9d } },
	{ 2, { 0x48, 0xcf } }, { 2, { 0x48, 0xcf } }, { 2, { 0x48, 0xcf } }, { 2, { 0x8c, 0xc8 } },
	{ 4, { 0x66, 0x41, 0x8c, 0xd1 } }, { 3, { 0x48, 0x8c, 0xd0 } },
	{ 2, { 0x66, 0x9c } }, { 2, { 0x66, 0x9d } },
	{ 3, { 0x0f, 0x01, 0xf8 } }, { 3, { 0x0f, 0x01, 0xca } }, { 3, { 0x0f, 0x01, 0xcb } },
	{ 3, { 0x0f, 0x20, 0xc0 } }, { 3, { 0x0f, 0x20, 0xd7 } }, { 4, { 0x41, 0x0f, 0x20, 0xd9 } },
	{ 3, { 0x0f, 0x20, 0xe4 } }, { 4, { 0x44, 0x0f, 0x20, 0xc0 } }, { 3, { 0x0f, 0x22, 0xd0 } },
	{ 2, { 0x0f, 0xa2 } }, { 2, { 0x0f, 0x31 } }, { 2, { 0x0f, 0x32 } }, { 2, { 0x0f, 0x30 } },
	{ 1, { 0xf4 } }, { 1, { 0xec } }, { 2, { 0xe6, 0x80 } }, { 2, { 0x8c, 0xc8 } },
	{ 2, { 0x8e, 0xd8 } }, { 2, { 0x0f, 0xa0 } }, { 3, { 0x0f, 0x01, 0x38 } },
	{ 3, { 0x0f, 0x00, 0xc8 } }, { 2, { 0x0f, 0x09 } }, { 3, { 0x0f, 0x01, 0xf9 } },
	{ 1, { 0xfb } }, { 1, { 0xfb } }, { 4, { 0xf3, 0x0f, 0x1e, 0xfa } }, { 2, { 0xf3, 0x90 } },
};

/* splitmix64 */
u64 bt_random(struct bt_gen *g)
{
	u64 z = (g->seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

u32 bt_below(struct bt_gen *g, u32 n)
{
	return bt_random(g) % n;
}

u64 bt_data_address(struct bt_gen *g)
{
	return g->data + (bt_below(g, g->data_len) & ~(bt_below(g, 8) ? 15u : 0));
}

/* An instruction in the making. */
struct making {
	struct bt_gen *g;
	u8 bytes[32];
	unsigned int n;
	unsigned int rip_at;	/* offset of a RIP-relative displacement; 0: none */
	bool opsize16, rexw;
};

static void put(struct making *m, u64 v, unsigned int bytes)
{
	memcpy(m->bytes + m->n, &v, bytes);
	m->n += bytes;
}

static void put_modrm(struct making *m, u32 how)
{
	struct bt_gen *g = m->g;
	unsigned int mod = bt_below(g, 4), rm = bt_below(g, 8), reg = bt_below(g, 8);

	if (how & 0x800)
		reg = how >> 8 & 7;
	if (how & MEM && mod == 3)
		mod = 1;
	if (how & REG)
		mod = 3;
	if (mod != 3 && !bt_below(g, 4)) {
		mod = 0;
		rm = 5;
	}
	put(m, mod << 6 | reg << 3 | rm, 1);
	if (mod == 3)
		return;
	if (rm == 4) {
		unsigned int sib = bt_below(g, 256);

		put(m, sib, 1);
		if (!mod && (sib & 7) == 5) {
			put(m, bt_data_address(g), 4);
			return;
		}
	}
	if (!mod && rm == 5) {
		m->rip_at = m->n;
		put(m, 0, 4);
	} else if (mod == 1) {
		put(m, (bt_below(g, 16) - 8) * 8, 1);
	} else if (mod == 2) {
		put(m, (s32)(bt_below(g, 256) - 128) * 8, 4);
	}
}

static u64 immediate(struct bt_gen *g)
{
	return bt_below(g, 3) ? bt_below(g, 100) - 20 : bt_random(g);
}

static void put_immediates(struct making *m, u32 how)
{
	u64 imm = immediate(m->g);

	if (how & IMM8)
		put(m, imm, 1);
	if (how & IMMZ)
		put(m, imm, m->opsize16 ? 2 : 4);
	if (how & IMMV)
		put(m, imm, m->rexw ? 8 : m->opsize16 ? 2 : 4);
}

static void put_prefixes(struct making *m, u32 how)
{
	struct bt_gen *g = m->g;
	u32 r = bt_below(g, 64);

	if (!(how & NO66) && r < 6) {
		put(m, 0x66, 1);
		m->opsize16 = true;
	}
	if (r == 8 || r == 9)
		put(m, 0x65, 1);
	if (r == 10)
		put(m, 0xf0, 1);
	if (r == 11)
		put(m, 0x67, 1);
	if (r >= 12 && r < 16)
		put(m, r & 1 ? 0xf3 : 0xf2, 1);
	if (bt_below(g, 5) < 3) {
		u8 rex = 0x40 | (bt_below(g, 3) ? 8 : 0) | bt_below(g, 8);

		put(m, rex, 1);
		m->rexw = rex & 8;
	}
}

/* VEX: loads, stores and the BMI instructions, which take two registers more. */
static void put_vex(struct making *m)
{
	static const struct {
		u8 map, pp, op;
		u32 how;
	} vex[] = {
		{ 1, 0, 0x10, MODRM }, { 1, 0, 0x11, MODRM }, { 1, 1, 0xef, MODRM },
		{ 1, 2, 0x6f, MODRM }, { 1, 2, 0x7f, MODRM }, { 2, 0, 0xf2, MODRM },
		{ 2, 0, 0xf7, MODRM }, { 2, 3, 0xf6, MODRM }, { 2, 1, 0xf7, MODRM },
		{ 3, 3, 0xf0, MODRM | IMM8 },
	};
	struct bt_gen *g = m->g;
	unsigned int i = bt_below(g, ARRAY_SIZE(vex)), v = bt_below(g, 16);

	/* These have no second source. */
	if (vex[i].op == 0x10 || vex[i].op == 0x11 || vex[i].op == 0x6f ||
	    vex[i].op == 0x7f || vex[i].op == 0xf0)
		v = 15;
	if (vex[i].map == 1 && bt_below(g, 2)) {
		put(m, 0xc5, 1);
		put(m, bt_below(g, 2) << 7 | v << 3 | vex[i].pp, 1);
	} else {
		put(m, 0xc4, 1);
		put(m, bt_below(g, 8) << 5 | vex[i].map, 1);
		put(m, bt_below(g, 2) << 7 | v << 3 | vex[i].pp, 1);
	}
	put(m, vex[i].op, 1);
	put_modrm(m, vex[i].how);
	put_immediates(m, vex[i].how);
}

static void put_branch(struct making *m)
{
	struct bt_gen *g = m->g;
	u32 kind = bt_below(g, 12), small = bt_below(g, 200) - 100;

	if (!bt_below(g, 16))
		put(m, 0x66, 1);
	switch (kind) {
	case 0: case 1:
		put(m, 0x70 | bt_below(g, 16), 1);
		put(m, small, 1);
		return;
	case 2:
		put(m, 0x0f, 1);
		put(m, 0x80 | bt_below(g, 16), 1);
		put(m, small * 1000, 4);
		return;
	case 3:
		if (bt_below(g, 2))
			put(m, 0x67, 1);
		put(m, 0xe0 | bt_below(g, 4), 1);
		put(m, small, 1);
		return;
	case 4:
		put(m, 0xeb, 1);
		put(m, small, 1);
		return;
	case 5: case 6:
		put(m, 0xe8 | bt_below(g, 2), 1);
		put(m, small * 1000, 4);
		return;
	case 7: case 8:
		put(m, 0xc3, 1);
		return;
	case 9:
		put(m, 0xc2, 1);
		put(m, bt_below(g, 40) * 8, 2);
		return;
	default:
		if (!bt_below(g, 4))
			put(m, 0x65, 1);
		if (bt_below(g, 2))
			put(m, 0x40 | bt_below(g, 16), 1);
		put(m, 0xff, 1);
		put_modrm(m, EXT(kind == 10 ? 2 : 4));
	}
}

static void put_common(struct making *m)
{
	struct bt_gen *g = m->g;
	unsigned int i = bt_below(g, ARRAY_SIZE(table));
	u32 how = table[i].how;

	put_prefixes(m, how);
	if (how & OP0F)
		put(m, 0x0f, 1);
	put(m, table[i].op + bt_below(g, (how >> 16) + 1), 1);
	if (how & MODRM)
		put_modrm(m, how);
	put_immediates(m, how);
}

/* One instruction. Return: its length, 0 if it does not decode. */
static unsigned int one(struct bt_gen *g, u8 *code, u64 rip, u32 what)
{
	static struct tdm_insn insn;
	static struct tdm_insn_work work;
	struct making m = { .g = g };
	u32 rel;

	if (what == 0) {
		put_branch(&m);
	} else if (what < 5) {
		unsigned int i = bt_below(g, ARRAY_SIZE(special));

		memcpy(m.bytes, special[i].bytes, special[i].len);
		m.n = special[i].len;
	} else if (what == 5) {
		put_vex(&m);
	} else {
		put_common(&m);
	}
	if (m.n > TDM_INSN_MAX_LEN ||
	    tdm_insn_decode(&insn, &work, m.bytes, m.n, TDM_MODE_LONG64) || insn.len != m.n)
		return 0;
	if (m.rip_at) {
		rel = bt_data_address(g) - (rip + m.n);
		memcpy(m.bytes + m.rip_at, &rel, 4);
	}
	memcpy(code, m.bytes, m.n);
	return m.n;
}

/**
 * bt_gen_code() - some instructions in a row
 * @g: generator; @rip is the first one's address
 * @code: for the bytes
 * @room: how many at most
 *
 * Return: bytes used.
 */
unsigned int bt_gen_code(struct bt_gen *g, u8 *code, unsigned int room)
{
	unsigned int n = 0, insns = 1 + bt_below(g, 12), len;

	while (insns && n + TDM_INSN_MAX_LEN < room) {
		len = one(g, code + n, g->rip + n, bt_below(g, insns == 1 ? 3 : 20));
		n += len;
		insns -= !!len;
	}
	return n;
}
