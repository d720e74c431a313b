// SPDX-License-Identifier: GPL-2.0-only
/*
 * Enumerates opcodes, see opcodes.h. 16 bytes each; most do not decode.
 */
#include "opcodes.h"

/* Legacy encoding: prefix, REX.W or not, map, opcode, ModRM. */
static void legacy(void (*look_at)(const u8 *code))
{
	static const u8 prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
	unsigned int p, w, map, op, modrm;
	u8 code[16] = { 0 };

	for (p = 0; p < 4; p++)
	for (w = 0; w < 2; w++)
	for (map = 0; map < 5; map++)
	for (op = 0; op < 256; op++)
	for (modrm = 0; modrm < 256; modrm++) {
		unsigned int n = 0;

		if (p)
			code[n++] = prefixes[p];
		if (w)
			code[n++] = 0x48;
		if (map)
			code[n++] = 0x0f;
		if (map == 2 || map == 3)
			code[n++] = map == 2 ? 0x38 : 0x3a;
		if (map == 4) {
			/* 3DNow!: the opcode comes last */
			code[n++] = 0x0f;
			code[n++] = modrm | 0xc0;
			code[n] = op;
		} else {
			code[n++] = op;
			code[n] = modrm;
		}
		look_at(code);
	}
}

/* VEX, XOP and EVEX: map, pp, W, L, opcode; a few ModRM bytes. */
static void vector(u8 escape, unsigned int first_map, unsigned int maps,
		   void (*look_at)(const u8 *code))
{
	static const u8 modrm[] = { 0xc0, 0xc8, 0xd0, 0xd8, 0xe0, 0xe8, 0xf0, 0xf8,
				    0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38,
				    0x04 };
	unsigned int map, pp, w, l, op, m, v;
	u8 code[16] = { 0 };

	for (map = first_map; map < first_map + maps; map++)
	for (pp = 0; pp < 4; pp++)
	for (w = 0; w < 2; w++)
	for (l = 0; l < 4; l++)
	for (v = 0; v < 2; v++)
	for (op = 0; op < 256; op++)
	for (m = 0; m < ARRAY_SIZE(modrm); m++) {
		unsigned int n = 0;

		code[n++] = escape;
		if (escape == 0x62) {
			code[n++] = 0xf0 | map;
			code[n++] = w << 7 | 0x78 | 4 | pp;
			code[n++] = l << 5 | 8 | (v ? 1 : 0);
		} else {
			code[n++] = 0xe0 | map;
			code[n++] = w << 7 | (v ? 0x78 : 0x68) | (l & 1) << 2 | pp;
		}
		code[n++] = op;
		code[n++] = modrm[m];
		/* VSIB wants an index register that is not the destination. */
		code[n] = 0x20;
		look_at(code);
	}
}

/**
 * opcodes_each() - all of them
 * @look_at: called with 16 bytes of code
 */
void opcodes_each(void (*look_at)(const u8 *code))
{
	legacy(look_at);
	vector(0xc4, 1, 3, look_at);
	vector(0x8f, 8, 3, look_at);
	vector(0x62, 1, 3, look_at);
}
