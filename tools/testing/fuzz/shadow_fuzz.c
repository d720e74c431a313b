// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: shadow paging under the test machine of tools/testing/unit
 * (shadow_machine.h): any sequence of what guests, the host and the caller do
 * must end as the reference says.
 *
 * The first bytes choose the machine, the rest what happens. A failure prints
 * the broken rule; with VERBOSE set in the environment, every operation.
 */
#include "tools/testing/unit/shadow_machine.h"

static void report(void)
{
	fprintf(stderr, "shadow_fuzz: %s: %s\n", m.broken, m.detail);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct m_rules rules = { .modes = 15 };
	unsigned int i, flags, n = 0;

	if (size < 4)
		return 0;
	dice = (struct dice){ .data = data, .len = size };
	flags = pick(256);
	rules.keep_tlb = flags & 1;
	rules.host_acts = flags & 2;
	rules.few_pages = flags & 4;
	rules.no_slots = flags & 8;
	m_start(1 + flags / 16 % M_VCPUS, &rules);
	m.verbose = getenv("VERBOSE");
	m.maxphyaddr = flags & 64 ? 36 : 40;
	m.pse36 = flags & 128;
	m.page_1g = true;
	m_lay_out_slots();
	m_lay_out_tables();
	for (i = 0; i < m.nr_cpus; i++)
		m_random_mode(&m.cpu[i]);
	while (!dice_done() && !m.broken && n++ < 4000)
		m_random_op();
	if (!m.broken)
		m_check();
	if (m.broken)
		report();
	m_end();
	if (m.broken)
		report();
	return 0;
}
