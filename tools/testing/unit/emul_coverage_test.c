// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the emulator does not emulate, by instruction set extension, against the
 * table in Documentation/emulator.rst: the dispatch table and the document
 * cannot drift apart.
 *
 * Every opcode is decoded with every kind of prefix and operand, so that each
 * instruction is met at least once.
 *
 * usage: emul_coverage_test [-p]	(-p prints the table for the document)
 */
#include "arch/x86/emul/internal.h"
#include "arch/x86/insn-zydis.h"
#include "emul_ktap.h"

#include <Zydis/MetaInfo.h>
#include <Zydis/Mnemonic.h>

#ifndef TDM_DOC
#error "TDM_DOC must be the path of Documentation/emulator.rst"
#endif

/* How much of an extension is emulated. */
struct coverage {
	unsigned int emulated;
	unsigned int not;
};

static struct tdm_insn insn;
static struct tdm_insn_work work;
static struct coverage ext[ZYDIS_ISA_EXT_MAX_VALUE + 1];
static enum { UNSEEN, EMULATED, LEFT_OUT }
	seen[ZYDIS_ISA_EXT_MAX_VALUE + 1][ZYDIS_MNEMONIC_MAX_VALUE + 1];

static void look_at(const u8 *code)
{
	static const unsigned int modes[] = { TDM_MODE_LONG64, TDM_MODE_PROT32 };
	const ZydisDecodedInstruction *zi;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (tdm_insn_decode(&insn, &work, code, 15, modes[i]))
			continue;
		zi = &tdm_insn_raw(&work)->zi;
		if (seen[zi->meta.isa_ext][zi->mnemonic])
			continue;
		seen[zi->meta.isa_ext][zi->mnemonic] =
			emul_lookup(&insn) ? EMULATED : LEFT_OUT;
		if (emul_lookup(&insn))
			ext[zi->meta.isa_ext].emulated++;
		else
			ext[zi->meta.isa_ext].not++;
	}
}

/* Legacy encoding: prefix, REX.W or not, map, opcode, ModRM. */
static void legacy(void)
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
static void vector(u8 escape, unsigned int first_map, unsigned int maps)
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

static const char *status(const struct coverage *c)
{
	return !c->not ? "all" : c->emulated ? "some" : "none";
}

static void print_table(FILE *f)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ext); i++)
		if (ext[i].emulated || ext[i].not)
			fprintf(f, "%-16s %-6s %4u of %u\n", ZydisISAExtGetString(i),
				status(&ext[i]), ext[i].emulated,
				ext[i].emulated + ext[i].not);
}

/* The instructions that are emulated of extensions that are not as a whole. */
static void print_some(FILE *f)
{
	unsigned int i, m;

	for (i = 0; i < ARRAY_SIZE(ext); i++) {
		if (!ext[i].emulated || !ext[i].not)
			continue;
		for (m = 0; m < ARRAY_SIZE(seen[i]); m++)
			if (seen[i][m] == EMULATED)
				fprintf(f, "%s %s\n", ZydisISAExtGetString(i),
					ZydisMnemonicGetString(m));
	}
}

/* Is every line we would print in the document? */
static bool documented(void)
{
	static char doc[65536], table[65536];
	FILE *f = fopen(TDM_DOC, "r"), *t;
	char *line, *save = NULL;
	bool ok = true;
	size_t n;

	if (!f) {
		printf("# cannot open %s\n", TDM_DOC);
		return false;
	}
	n = fread(doc, 1, sizeof(doc) - 1, f);
	fclose(f);
	doc[n] = 0;
	t = fmemopen(table, sizeof(table), "w");
	print_table(t);
	print_some(t);
	fclose(t);
	for (line = strtok_r(table, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strstr(doc, line))
			continue;
		printf("# not in the document: %s\n", line);
		ok = false;
	}
	return ok;
}

int main(int argc, char **argv)
{
	legacy();
	vector(0xc4, 1, 3);
	vector(0x8f, 8, 3);
	vector(0x62, 1, 3);
	if (argc > 1 && !strcmp(argv[1], "-p")) {
		print_table(stdout);
		putchar('\n');
		print_some(stdout);
		return 0;
	}
	ktap_start(1);
	ktap_result(documented(), "Documentation/emulator.rst says what is not emulated");
	return ktap_end();
}
