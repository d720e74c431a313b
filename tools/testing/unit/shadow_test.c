// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow paging against the test machine (shadow_machine.h): random guests under
 * different rules. A failing run prints its seed; run it alone with
 *	shadow_test SEED STEPS NAME
 */
#include "emul_ktap.h"
#include "shadow_cases.h"

static void print_counts(void)
{
	static const char *const names[M_NR_COUNTS] = {
		[M_C_ACCESSES] = "accesses", [M_C_OK] = "ok", [M_C_STALE] = "stale",
		[M_C_FAULTS] = "faults", [M_C_MMIO] = "mmio", [M_C_EMULATED] = "emulated",
		[M_C_DIRECT_TABLE] = "table stores", [M_C_EXITS] = "exits",
		[M_C_FAST] = "fast", [M_C_ERRORS] = "errors", [M_C_HOST] = "host",
		[M_C_FLUSHES] = "flushes", [M_C_MODES] = "modes", [M_C_CODE] = "code writes",
		[M_C_CODE_PAGES] = "code pages", [M_C_CODE_LOOKS] = "good after a flush",
		[M_C_MOVES] = "moves", [M_C_MONITOR] = "monitor met",
	};
	unsigned int i;

	printf("#");
	for (i = 0; i < M_NR_COUNTS; i++)
		if (names[i])
			printf(" %s %llu", names[i], (unsigned long long)m.count[i]);
	printf("\n# code generations %llu, hidden %llu, unsyncs %lld, syncs %lld, dropped %lld, eager %lld, pages %lld\n",
	       (unsigned long long)m.vm.mmu.code_gen,
	       (unsigned long long)m_stat(TDM_STAT_pf_hidden), m_vmstat(shadow_unsyncs),
	       m_vmstat(shadow_syncs), m_vmstat(shadow_sync_drops), m_vmstat(shadow_eager),
	       m_vmstat(shadow_created));
}

static const struct setting {
	const char *name;
	unsigned int cpus, fail;
	struct m_rules rules;
} settings[] = {
	{ "no paging", 1, 0, { .modes = BIT(M_OFF), .host_acts = true } },
	{ "32-bit", 1, 0, { .modes = BIT(M_32), .no_slots = true } },
	{ "PAE", 1, 0, { .modes = BIT(M_PAE), .no_slots = true } },
	{ "4-level", 1, 0, { .modes = BIT(M_64), .no_slots = true } },
	{ "all modes, a busy host", 1, 0, { .modes = 15, .host_acts = true } },
	{ "three vCPUs", 3, 0, { .modes = 15, .no_slots = true, .slots_first = true } },
	{ "three vCPUs, a busy host", 3, 0, { .modes = 15, .host_acts = true } },
	{ "three vCPUs, TLBs kept across exits", 3, 0,
	  { .modes = 15, .keep_tlb = true, .host_acts = true } },
	{ "few table pages", 2, 0,
	  { .modes = 15, .few_pages = true, .host_acts = true } },
	{ "allocations fail", 2, 3, { .modes = 15, .host_acts = true } },
	{ "BT, one vCPU", 1, 0, { .modes = BIT(M_64), .no_slots = true, .bt = true } },
	{ "BT, three vCPUs, TLBs kept", 3, 0,
	  { .modes = BIT(M_64), .keep_tlb = true, .host_acts = true, .bt = true } },
	{ "BT, all modes, few table pages", 3, 0,
	  { .modes = 15, .few_pages = true, .host_acts = true, .bt = true } },
	{ "BT, allocations fail", 2, 3,
	  { .modes = BIT(M_64) | BIT(M_PAE), .host_acts = true, .bt = true } },
};

static bool run(const struct setting *s, u64 seed, unsigned int steps)
{
	unsigned int i;

	dice = (struct dice){ .rng = seed * 0x9e3779b97f4a7c15ull | 1 };
	m_start(s->cpus, &s->rules);
	m.verbose = getenv("VERBOSE");
	if (one_in(2))
		m.maxphyaddr = 36;
	m.pse36 = !one_in(4);
	m.page_1g = one_in(2);
	if (s->rules.few_pages)
		m.vm.mmu.max_pages = 64;
	m_lay_out_slots();
	m_lay_out_tables();
	m.fail = s->fail;
	shim_fail = s->fail;
	for (i = 0; i < s->cpus; i++)
		m_set_mode(&m.cpu[i], __ffs(s->rules.modes), s->rules.modes == BIT(M_32) ?
			   12 << 12 : s->rules.modes == BIT(M_PAE) ? 8 << 12 : 0, 0x10, true);
	for (i = 0; i < steps && !m.broken; i++) {
		m_log("# op %u", i);
		m_random_op();
		if (i % 64 == 63)
			m_check();
	}
	m_check();
	if (m.broken)
		printf("# seed %llu, op %u: %s: %s\n", (unsigned long long)seed, i,
		       m.broken, m.detail);
	if (getenv("COUNTS"))
		print_counts();
	m_end();
	if (m.broken && i == steps)
		printf("# seed %llu, at the end: %s: %s\n", (unsigned long long)seed,
		       m.broken, m.detail);
	return !m.broken;
}

static void random_guests(const struct setting *s, unsigned int runs, unsigned int steps)
{
	unsigned int i;

	for (i = 0; i < runs; i++)
		if (!run(s, i + 1, steps))
			break;
	ktap_result(i == runs, "shadow: random guests: %s", s->name);
}

int main(int argc, char **argv)
{
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 3) {
		for (i = 0; i < ARRAY_SIZE(settings); i++)
			if (!strcmp(settings[i].name, argv[3]))
				return !run(&settings[i], strtoull(argv[1], NULL, 0), atoi(argv[2]));
		return 2;
	}
	ktap_start(nr_shadow_cases + ARRAY_SIZE(settings));
	for (i = 0; i < nr_shadow_cases; i++)
		ktap_result(shadow_cases[i].run(), "shadow: %s", shadow_cases[i].name);
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		random_guests(&settings[i], argc > 1 ? atoi(argv[1]) : 20, argc > 2 ? atoi(argv[2]) : 1000);
	return ktap_end();
}
