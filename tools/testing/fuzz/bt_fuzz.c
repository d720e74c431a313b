// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the translator on any guest code, at any address. Whatever comes
 * out must have the form bt/tu.h promises; above all, no instruction that must
 * not run at CPL 1. It must be the same when done again.
 *
 * With clang a libFuzzer target (make -C tools/testing/fuzz bt). Built with
 * FUZZ_MAIN it feeds itself: random bytes, and generated code.
 * bt_fuzz [-n RUNS] [-s SEED]
 */
#include <stdio.h>

#include "bt_form.h"
#include "bt_gen.h"

#define BASE	0x700000000000ull

static struct tdm_bt_tr tr, again;

/* How the code is to be translated: the first bytes of the input. */
struct setting {
	u64 rip;
	u8 where;
	u8 max_insns;
	u8 va;
	u8 page_len;
	u8 flags;
} __attribute__((packed));

static void fail(const char *what, const struct setting *s, const u8 *code, size_t len)
{
	size_t i;

	fprintf(stderr, "bt_fuzz: %s: rip %llx max %u page %u va %llx mode %x fsgsbase %u:", what,
		(unsigned long long)tr.rip, tr.max_insns, tr.page_len, (unsigned long long)tr.va,
		tr.mode, tr.fsgsbase);
	for (i = 0; i < len; i++)
		fprintf(stderr, " %02x", code[i]);
	fprintf(stderr, "\nhost:");
	for (i = 0; i < tr.out_len; i++)
		fprintf(stderr, " %02x", tr.out[i]);
	fputc('\n', stderr);
	(void)s;
	abort();
}

static u64 address(const struct setting *s)
{
	switch (s->where & 3) {
	case 0:
		return 0xffffffff80000000ull | (s->rip & 0x7fffffff);
	case 1:
		return s->rip & 0x7fffffff;
	case 2:
		return 0xffff800000000000ull | s->rip;
	default:
		return s->rip;
	}
}

static void one_input(const u8 *data, size_t size)
{
	struct setting s;
	const char *why;
	const u8 *code;
	size_t len;
	int ret;

	if (size <= sizeof(s))
		return;
	memcpy(&s, data, sizeof(s));
	code = data + sizeof(s);
	len = min_t(size_t, size - sizeof(s), 4096 + 15);
	tr.rip = address(&s);
	tr.code = code;
	tr.len = len;
	tr.page_len = s.page_len ? 1 + s.page_len % len : len;
	tr.max_insns = 1 + s.max_insns % TDM_TU_MAX_INSNS;
	tr.tu = 0xffffff;
	tr.base = BASE;
	tr.va = BASE + TDM_BT_TC + 0x1000 + s.va;
	tr.cont[0] = tr.va - 0x100;
	tr.cont[1] = tr.cont[0] + 6;
	tr.mode = TDM_MODE_LONG64 | (s.flags & 1 ? TDM_DECODE_AMD : 0);
	tr.fsgsbase = s.flags >> 1 & 1;
	again = tr;
	ret = tdm_bt_translate(&tr);
	if (ret && (ret != -EFAULT || len >= 15))
		fail("return value", &s, code, len);
	if (ret)
		return;
	why = bt_bad_form(&tr);
	if (why)
		fail(why, &s, code, len);
	if (tdm_bt_translate(&again) || again.out_len != tr.out_len ||
	    again.nr_recs != tr.nr_recs || memcmp(again.out, tr.out, tr.out_len) ||
	    memcmp(again.recs, tr.recs, tr.nr_recs * sizeof(tr.recs[0])))
		fail("another result", &s, code, len);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	one_input(data, size);
	return 0;
}

#ifdef FUZZ_MAIN

int main(int argc, char **argv)
{
	struct bt_gen g = { .seed = 1, .data = 0x20000000, .data_len = 0x1000 };
	unsigned long runs = 200000, i, n, k;
	u8 data[160];
	int arg;

	for (arg = 1; arg + 1 < argc; arg += 2) {
		if (!strcmp(argv[arg], "-n"))
			runs = strtoul(argv[arg + 1], NULL, 0);
		else if (!strcmp(argv[arg], "-s"))
			g.seed = strtoull(argv[arg + 1], NULL, 0);
	}
	printf("KTAP version 1\n1..1\n");
	for (i = 0; i < runs; i++) {
		for (k = 0; k < sizeof(data); k += 8) {
			u64 v = bt_random(&g);

			memcpy(data + k, &v, 8);
		}
		n = sizeof(data) - bt_below(&g, 100);
		if (i & 3)
			n = sizeof(struct setting) +
			    bt_gen_code(&g, data + sizeof(struct setting), sizeof(data) - 32);
		if (bt_below(&g, 2))
			((struct setting *)data)->page_len = 0;
		one_input(data, n);
	}
	printf("ok 1 translator on %lu random inputs\n", i);
	return 0;
}

#endif /* FUZZ_MAIN */
