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
#include "opcodes.h"

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
	opcodes_each(look_at);
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
