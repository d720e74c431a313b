// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the translator makes of real code: a linear sweep over a file of machine
 * code, TU after TU. Not a test; says how much is copied, how much larger the
 * code gets, and is what to profile the translator's own cost with:
 *
 *	bt_measure FILE ADDRESS [REPEAT]
 *	perf stat -e instructions:u bt_measure FILE ADDRESS 20
 */
#include <stdio.h>
#include <sys/stat.h>

#include "arch/x86/emul/port.h"
#include "arch/x86/insn-zydis.h"
#include "bt/classify.h"
#include "bt/tu.h"

#include <Zydis/Mnemonic.h>

#define BASE 0x700000000000ull

static struct tdm_bt_tr tr;
static struct tdm_insn insn;
static struct tdm_insn_work work;
static unsigned long tus, insns, ident, guest, host, links, recs, callouts, refused;
static unsigned long by_class[TDM_NR_BTCS], by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1];

static u8 *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	u8 *buf;

	if (!f || fstat(fileno(f), &st)) {
		perror(path);
		exit(1);
	}
	*len = st.st_size;
	buf = malloc(*len);
	if (!buf || fread(buf, 1, *len, f) != *len) {
		perror(path);
		exit(1);
	}
	fclose(f);
	return buf;
}

/* Classes, and which callouts there are: not part of what is measured. */
static void classify(const u8 *code, size_t len)
{
	struct tdm_bt_verdict v;
	size_t off = 0;

	while (off < len) {
		if (tdm_insn_decode(&insn, &work, code + off, len - off, TDM_MODE_LONG64)) {
			off++;
			continue;
		}
		off += insn.len;
		if (insn.mnemonic == ZYDIS_MNEMONIC_INT3)
			continue;
		v = tdm_bt_classify(&insn, &work);
		by_class[v.cls]++;
		if (v.cls <= TDM_BTC_STOP) {
			callouts++;
			by_mnemonic[insn.mnemonic]++;
		}
	}
}

static void sweep(const u8 *code, size_t len, u64 rip)
{
	size_t off = 0;

	while (off < len) {
		/* INT3 fills the gaps between functions. */
		if (code[off] == 0xcc) {
			off++;
			continue;
		}
		tr.rip = rip + off;
		tr.code = code + off;
		tr.page_len = min_t(size_t, 4096 - (tr.rip & 4095), len - off);
		tr.len = min_t(size_t, tr.page_len + 16, len - off);
		if (tdm_bt_translate(&tr)) {
			refused++;
			off++;
			continue;
		}
		off += tr.guest_len;
		tus++;
		insns += tr.nr_insns;
		ident += tr.nr_ident;
		guest += tr.guest_len;
		host += tr.out_len;
		links += tr.nr_links;
		recs += tr.nr_recs;
	}
}

int main(int argc, char **argv)
{
	unsigned long repeat = argc > 3 ? strtoul(argv[3], NULL, 0) : 1, i;
	size_t len;
	u8 *code;
	u64 rip;

	if (argc < 3) {
		fprintf(stderr, "usage: bt_measure FILE ADDRESS [REPEAT]\n");
		return 2;
	}
	code = read_file(argv[1], &len);
	rip = strtoull(argv[2], NULL, 0);
	tr.max_insns = TDM_TU_MAX_INSNS;
	tr.base = BASE;
	tr.va = BASE + TDM_BT_TC + 0x1000;
	tr.cont[0] = tr.va + 0x1000;
	tr.cont[1] = tr.cont[0] + 6;
	tr.mode = TDM_MODE_LONG64;
	tr.fsgsbase = 1;
	for (i = 0; i < repeat; i++)
		sweep(code, len, rip);
	printf("%lu TUs, %lu instructions (%.1f a TU), %lu refused\n", tus, insns,
	       (double)insns / tus, refused);
	printf("%.1f %% copied, %.2f host bytes a guest byte, %.1f records and %.2f links a TU\n",
	       100.0 * ident / insns, (double)host / guest, (double)recs / tus, (double)links / tus);
	if (repeat > 1)
		return 0;
	classify(code, len);
	for (i = 0; i < TDM_NR_BTCS; i++)
		if (by_class[i])
			printf("class %2lu: %8lu\n", i, by_class[i]);
	printf("%lu callouts:", callouts);
	for (i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++)
		if (by_mnemonic[i] > 9)
			printf(" %s %lu", ZydisMnemonicGetString(i), by_mnemonic[i]);
	putchar('\n');
	free(code);
	return 0;
}
