// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPUID index against the rules of the ABI and the manual: chosen cases,
 * then random tables against a search written from the rule.
 */
#include "arch/x86/cpuid_index.h"

#include <stdint.h>

#include "emul_ktap.h"

#define SUB	KVM_CPUID_FLAG_SIGNIFCANT_INDEX

static struct tdm_cpuid_index idx;
static struct kvm_cpuid_entry2 table[TDM_CPUID_MAX_ENTRIES];
static unsigned int nent;

static void start(void)
{
	nent = 0;
}

/* An entry whose registers tell which one it is. */
static void add(u32 function, u32 index, u32 flags, u32 eax)
{
	table[nent] = (struct kvm_cpuid_entry2){
		.function = function, .index = index, .flags = flags,
		.eax = eax, .ebx = 0x1000 + nent, .ecx = 0x2000 + nent,
		.edx = 0x3000 + nent,
	};
	nent++;
}

static void intel(u32 max)
{
	add(0, 0, 0, max);
	table[nent - 1].ebx = 0x756e6547;
	table[nent - 1].ecx = 0x6c65746e;
	table[nent - 1].edx = 0x49656e69;
}

static void amd(u32 max)
{
	add(0, 0, 0, max);
	table[nent - 1].ebx = 0x68747541;
	table[nent - 1].ecx = 0x444d4163;
	table[nent - 1].edx = 0x69746e65;
}

static void build(void)
{
	tdm_cpuid_index_build(&idx, table, nent);
}

/* Number of the entry CPUID answers with, -1 for zeros, -2 for anything else. */
static int answer(u32 function, u32 index)
{
	u32 a = function, b = 0x55, c = index, d = 0x55;
	unsigned int i;

	tdm_cpuid_index_exec(&idx, table, &a, &b, &c, &d);
	if (!a && !b && !c && !d)
		return -1;
	for (i = 0; i < nent; i++)
		if (a == table[i].eax && b == table[i].ebx &&
		    c == table[i].ecx && d == table[i].edx)
			return i;
	return -2;
}

static bool test_plain_leaf(void)
{
	start();
	intel(7);
	add(1, 0, 0, 0x11);
	build();
	return answer(1, 0) == 1 && answer(1, 77) == 1 && answer(1, ~0u) == 1;
}

static bool test_subleaves(void)
{
	start();
	intel(0xd);
	add(4, 0, SUB, 0x40);
	add(4, 1, SUB, 0x41);
	add(0xd, 0, SUB, 0xd0);
	add(0xd, 63, SUB, 0xd63);
	build();
	return answer(4, 0) == 1 && answer(4, 1) == 2 && answer(4, 2) == -1 &&
	       answer(0xd, 63) == 4 && answer(0xd, 5) == -1 && answer(0xd, 64) == -1;
}

static bool test_first_entry_wins(void)
{
	start();
	intel(7);
	add(7, 1, SUB, 0x71);	/* before the one for any subleaf: wins for 1 */
	add(7, 0, 0, 0x70);
	add(7, 2, SUB, 0x72);	/* after it: never reached */
	add(7, 1, SUB, 0x171);	/* twice: the first counts */
	build();
	return answer(7, 1) == 1 && answer(7, 0) == 2 && answer(7, 2) == 2;
}

static bool test_intel_out_of_range(void)
{
	start();
	intel(4);
	add(1, 0, 0, 0x11);
	add(4, 0, SUB, 0x40);
	add(4, 3, SUB, 0x43);
	add(0x80000000, 0, 0, 0x80000001);
	add(0x80000001, 0, 0, 0x81);
	build();
	/* beyond the maximum: the highest basic leaf, with the same ECX */
	return answer(5, 0) == 2 && answer(5, 3) == 3 && answer(0x1000, 3) == 3 &&
	       answer(0x80000002, 0) == 2 && answer(0x40000000, 0) == 2 &&
	       answer(0xc0000000, 3) == 3 && answer(0x12345678, 9) == -1 &&
	       /* inside the range but not there: zeros */
	       answer(2, 0) == -1 && answer(0x80000001, 0) == 5;
}

static bool test_amd_out_of_range(void)
{
	start();
	amd(4);
	add(4, 0, SUB, 0x40);
	build();
	return answer(5, 0) == -1 && answer(0x80000002, 0) == -1 && answer(0, 0) == 0;
}

static bool test_no_vendor_leaf(void)
{
	start();
	add(1, 0, 0, 0x11);
	build();
	if (answer(1, 0) != 0 || answer(2, 0) != -1)
		return false;
	start();
	build();
	return answer(0, 0) == -1 && answer(0x80000000, 5) == -1;
}

static bool test_hypervisor_blocks(void)
{
	start();
	intel(2);
	add(2, 0, 0, 0x22);
	add(0x40000000, 0, 0, 0x40000001);
	add(0x40000001, 0, 0, 0x401);
	add(0x40000100, 0, 0, 0x40000101);
	add(0x40000101, 0, 0, 0x501);
	build();
	return answer(0x40000000, 0) == 2 && answer(0x40000001, 0) == 3 &&
	       answer(0x40000002, 0) == 1 && answer(0x40000100, 0) == 4 &&
	       answer(0x40000101, 0) == 5 && answer(0x40000102, 0) == 1 &&
	       answer(0x40000200, 0) == 1;
}

static bool test_topology_levels(void)
{
	u32 a = 0xb, b = 1, c = 0x105, d = 1;

	start();
	intel(0x1f);
	add(0xb, 0, SUB, 0xb0);
	add(0x1f, 0, SUB, 0x1f0);
	build();
	tdm_cpuid_index_exec(&idx, table, &a, &b, &c, &d);
	if (a || b || c != 0x05 || d != table[1].edx)
		return false;
	a = 0x1f;
	c = 3;
	tdm_cpuid_index_exec(&idx, table, &a, &b, &c, &d);
	return !a && !b && c == 3 && d == table[2].edx && answer(0xb, 0) == 1;
}

/* Functions and subleaves beyond the index are found all the same. */
static bool test_beyond_index(void)
{
	unsigned int i;

	start();
	intel(0x200);
	add(0x123, 0, 0, 0x1);
	add(0x124, 9, SUB, 0x2);
	add(4, 1000, SUB, 0x3);
	add(4, 1, SUB, 0x4);
	build();
	if (answer(0x123, 5) != 1 || answer(0x124, 9) != 2 || answer(0x124, 8) != -1 ||
	    answer(4, 1000) != 3 || answer(4, 1) != 4 || answer(4, 2) != -1)
		return false;
	/* more subleaf slots than the pool has */
	start();
	intel(0x200);
	for (i = 1; i < 60; i++) {
		add(i, 0, SUB, 0x100 + i);
		add(i, 63, SUB, 0x200 + i);
	}
	build();
	for (i = 1; i < 60; i++)
		if (answer(i, 0) != (int)(2 * i - 1) || answer(i, 63) != (int)(2 * i) ||
		    (i != 0xb && i != 0x1f && answer(i, 7) != -1))
			return false;
	return true;
}

static bool test_full_table(void)
{
	unsigned int i;

	start();
	intel(0xffff);
	for (i = 1; i < TDM_CPUID_MAX_ENTRIES; i++)
		add(i, 0, 0, 0x10000 + i);
	build();
	for (i = 1; i < TDM_CPUID_MAX_ENTRIES; i++)
		if (answer(i, i) != (int)i)
			return false;
	return true;
}

static u64 seed = 0x243f6a8885a308d3ull;

static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 20) % n;
}

static const struct kvm_cpuid_entry2 *by_rule(u32 function, u32 index)
{
	unsigned int i;

	for (i = 0; i < nent; i++)
		if (table[i].function == function &&
		    (!(table[i].flags & SUB) || table[i].index == index))
			return &table[i];
	return NULL;
}

static u32 random_function(void)
{
	static const u32 base[] = { 0, 0x40000000, 0x80000000, 0xc0000000, 0x40000100, 0x50 };

	return base[rnd(6)] + rnd(rnd(2) ? 6 : 70);
}

static u32 random_index(void)
{
	return rnd(8) ? rnd(4) : rnd(200);
}

static bool test_random_tables(void)
{
	unsigned int round, i, n;
	u32 f, x;

	for (round = 0; round < 4000; round++) {
		start();
		n = rnd(round % 16 ? 24 : TDM_CPUID_MAX_ENTRIES);
		for (i = 0; i < n; i++)
			add(random_function(), random_index(), rnd(2) ? SUB : 0, rnd(~0u));
		build();
		for (i = 0; i < 100; i++) {
			f = random_function();
			x = random_index();
			if (tdm_cpuid_index_find(&idx, table, f, x) != by_rule(f, x)) {
				printf("# round %u: function 0x%x index %u\n", round, f, x);
				return false;
			}
		}
	}
	return true;
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "cpuid.plain_leaf", test_plain_leaf },
	{ "cpuid.subleaves", test_subleaves },
	{ "cpuid.first_entry_wins", test_first_entry_wins },
	{ "cpuid.intel_out_of_range", test_intel_out_of_range },
	{ "cpuid.amd_out_of_range", test_amd_out_of_range },
	{ "cpuid.no_vendor_leaf", test_no_vendor_leaf },
	{ "cpuid.hypervisor_blocks", test_hypervisor_blocks },
	{ "cpuid.topology_levels", test_topology_levels },
	{ "cpuid.beyond_index", test_beyond_index },
	{ "cpuid.full_table", test_full_table },
	{ "cpuid.random_tables", test_random_tables },
};

int main(void)
{
	unsigned int i;

	ktap_start(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ktap_result(tests[i].run(), "%s", tests[i].name);
	return ktap_end();
}
