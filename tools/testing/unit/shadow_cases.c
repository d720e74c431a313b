// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow paging, one property at a time: what may cost an exit and what may not,
 * which bounds hold, and every bug that random guests have found, as the shortest
 * sequence that shows it. The machine checks each access as always.
 */
#include <asm/processor-flags.h>

#include "shadow_cases.h"
#include "shadow_mmu/shadow.h"

#define ENTRY(gfn)	((u64)(gfn) << PAGE_SHIFT | P_P | P_W | P_U)
#define USED		(P_A | P_D)

static struct m_vcpu *const cpu = &m.cpu[0];

static void machine_with(unsigned int cpus, enum m_mode mode, const struct m_rules *rules)
{
	static const u16 roots[] = { [M_OFF] = 0, [M_32] = 12, [M_PAE] = 8, [M_64] = 0 };
	unsigned int i;

	dice = (struct dice){ .rng = 4711 };
	m_start(cpus, rules);
	m.verbose = getenv("VERBOSE");
	m_lay_out_slots();
	m_lay_out_tables();
	for (i = 0; i < cpus; i++) {
		m_set_mode(&m.cpu[i], mode, roots[mode] << PAGE_SHIFT, X86_CR4_PSE, true);
		m_mov_cr0(&m.cpu[i], m.cpu[i].v.st.cr0 | X86_CR0_WP);
	}
}

static void machine(unsigned int cpus, enum m_mode mode)
{
	static const struct m_rules rules = { .modes = 15 };

	machine_with(cpus, mode, &rules);
}

/* As the BT engine has it, in long mode. */
static void bt_machine(unsigned int cpus)
{
	static const struct m_rules rules = { .modes = BIT(M_64), .bt = true };

	machine_with(cpus, M_64, &rules);
}

static bool done(void)
{
	m_check();
	m_end();
	if (m.broken)
		printf("# %s: %s\n", m.broken, m.detail);
	return !m.broken;
}

static enum m_outcome rd(u64 gva)
{
	return m_access(cpu, gva, TDM_ACCESS_READ, NULL, 8);
}

static enum m_outcome wr(u64 gva, u64 val)
{
	return m_access(cpu, gva, TDM_ACCESS_WRITE, &val, 8);
}

/* The caller, a device or the emulator writes. */
static void poke(u64 gpa, u64 val)
{
	m_emulated_write(cpu, gpa, &val, 8);
}

static u64 exits(void)
{
	static u64 before;
	u64 n = m.count[M_C_EXITS] - before;

	before = m.count[M_C_EXITS];
	return n;
}

static void flush(void)
{
	m_mov_cr3(cpu, cpu->v.st.cr3);
	rd(0);
}

/*
 * Of the trees in m_lay_out_tables(): table 5 is reached at 2 MiB, its own page
 * at 5 << 12. Entry 100 and up of it are free.
 */
#define TABLE_VA	(1ull << 21)
#define TABLE_AT(i)	((5ull << 12) + (i) * 8)
#define VA(i)		(TABLE_VA + ((u64)(i) << 12))

static bool test_one_trap(void)
{
	unsigned int i;
	u64 n;

	machine(1, M_64);
	rd(TABLE_VA);
	m_must(wr(TABLE_AT(100), ENTRY(64) | USED) == O_OK, "a table is not written", "%s", "");
	exits();
	for (i = 101; i < 200; i++)
		wr(TABLE_AT(i), ENTRY(64 + i % 16) | USED);
	n = exits();
	m_must(!n, "writes to a table without a trace exit", "%llu", (unsigned long long)n);
	m_must(m_stat(TDM_STAT_pf_trace) == 1, "not one trap for a table's first write",
	       "%llu", (unsigned long long)m_stat(TDM_STAT_pf_trace));
	flush();
	for (i = 100; i < 200; i++)
		m_must(rd(VA(i)) == O_OK, "an entry that was written does not work", "%u", i);
	/* Prefetch: far fewer exits than pages. */
	n = exits();
	m_must(n < 40, "no prefetch", "%llu exits", (unsigned long long)n);
	return done();
}

static bool test_trace_again(void)
{
	unsigned int i;

	machine(1, M_64);
	rd(TABLE_VA);
	wr(TABLE_AT(100), ENTRY(64) | USED);
	for (i = 0; i < tdm_unsync_idle + 2; i++)
		flush();
	m_must(list_empty(&m.vm.mmu.shadow->unsync), "an idle table gets no trace again", "%s", "");
	wr(TABLE_AT(101), ENTRY(65) | USED);
	m_must(m_stat(TDM_STAT_pf_trace) == 2, "the new trace does not trap", "%llu",
	       (unsigned long long)m_stat(TDM_STAT_pf_trace));
	m_must(rd(VA(101)) == O_OK, "what was written then does not work", "%s", "");
	return done();
}

static bool test_eager(void)
{
	unsigned int was = tdm_max_unsync;
	bool ok;
	u64 n;

	machine(1, M_64);
	tdm_max_unsync = 0;
	rd(TABLE_VA);
	rd(64 << 12);		/* the host has the page */
	wr(TABLE_AT(100), ENTRY(64) | USED);
	rd(0);
	exits();
	m_must(rd(VA(100)) == O_OK, "no access after a write", "%s", "");
	n = exits();
	m_must(!n, "a traced not-present-to-present write costs a hidden fault too", "%llu",
	       (unsigned long long)n);
	m_must(m_vmstat(shadow_eager) == 1, "no eager fill", "%lld", m_vmstat(shadow_eager));
	/* Without A the access has to set it, so it must fault. */
	wr(TABLE_AT(101), ENTRY(64));
	m_must(m_vmstat(shadow_eager) == 1, "eager fill of an entry not accessed", "%s", "");
	m_must(rd(VA(101)) == O_OK, "no access after a write", "%s", "");
	/* Present to not present is seen at once. */
	wr(TABLE_AT(100), 0);
	m_must(rd(VA(100)) == O_FAULT, "an entry that went away still works", "%s", "");
	ok = done();
	tdm_max_unsync = was;
	return ok;
}

static bool test_root_cache(void)
{
	u64 hits, n;

	machine(1, M_64);
	poke(16 << 12, ENTRY(1) | USED);		/* another PML4 */
	rd(TABLE_VA);
	m_mov_cr3(cpu, 16 << 12);
	rd(TABLE_VA);
	m_mov_cr3(cpu, 0);
	rd(0);
	hits = m_stat(TDM_STAT_root_hits);
	m_mov_cr3(cpu, 16 << 12);
	exits();
	m_must(rd(TABLE_VA) == O_OK, "no access", "%s", "");
	m_must(m_stat(TDM_STAT_root_hits) == hits + 1, "a root was not kept", "%s", "");
	n = exits();
	m_must(!n, "the mappings of a root were not kept", "%llu", (unsigned long long)n);
	return done();
}

/* A CR3 load that keeps a PCID's translations compares nothing, if it is known. */
static bool test_pcids(void)
{
	const u64 keep = 1ull << 63;
	unsigned int i;
	s64 syncs;

	machine(1, M_64);
	m_mov_cr4(cpu, cpu->v.st.cr4 | X86_CR4_PCIDE);
	for (i = 1; i < 4; i++) {
		m_mov_cr3(cpu, i);
		rd(TABLE_VA);
	}
	wr(TABLE_AT(100), ENTRY(64) | USED);
	syncs = m_vmstat(shadow_syncs);
	for (i = 1; i < 4; i++) {
		m_mov_cr3(cpu, i | keep);
		rd(VA(100));
		wr(TABLE_AT(100), ENTRY(64 + i) | USED);
	}
	m_must(m_vmstat(shadow_syncs) == syncs, "a CR3 load without a flush compares tables",
	       "%lld", m_vmstat(shadow_syncs) - syncs);
	/* Flushed meanwhile, or never loaded: then it does. */
	m_invpcid(cpu, 1, 2, 0);
	m_mov_cr3(cpu, 2 | keep);
	rd(VA(100));
	m_mov_cr3(cpu, 9 | keep);
	rd(VA(100));
	m_must(m_vmstat(shadow_syncs) >= syncs + 2, "stale PCIDs are not compared", "%lld",
	       m_vmstat(shadow_syncs) - syncs);
	for (i = 0; i < 2 * M_PCIDS; i++) {
		m_mov_cr3(cpu, i % M_PCIDS | keep);
		wr(TABLE_AT(100), ENTRY(64 + i % 16) | USED);
		rd(VA(100));
	}
	return done();
}

static bool test_invlpg(void)
{
	unsigned int i;

	machine(2, M_64);
	for (i = 0; i < 64; i++) {
		wr(TABLE_AT(100), ENTRY(64 + i % 16) | (i % 3 ? USED : 0));
		wr(TABLE_AT(101), i % 2 ? ENTRY(80) | USED : 0);
		rd(VA(101));			/* old or new */
		m_invlpg(cpu, VA(100));
		m_must(rd(VA(100)) == O_OK, "no access", "%s", "");
		m_must(wr(VA(100), i) == O_OK, "no access", "%s", "");
		m_access(&m.cpu[1], VA(100), TDM_ACCESS_READ, NULL, 8);
		m_invlpg(cpu, VA(101));
		m_must(rd(VA(101)) == (i % 2 ? O_OK : O_FAULT), "not as flushed", "%u", i);
	}
	return done();
}

/*
 * A table is traced again while another vCPU still has it writable in its TLB:
 * what that one writes is seen at the next flush all the same.
 */
static bool test_traced_behind_a_tlb(void)
{
	struct m_vcpu *other = &m.cpu[1];
	u64 val = ENTRY(65) | USED;
	unsigned int i;

	machine(2, M_64);
	rd(TABLE_VA);
	wr(TABLE_AT(100), ENTRY(64) | USED);
	m_access(other, TABLE_AT(101), TDM_ACCESS_WRITE, &val, 8);
	rd(VA(100));
	for (i = 0; i < tdm_unsync_idle + 1; i++)
		flush();
	exits();
	m_access(other, TABLE_AT(100), TDM_ACCESS_WRITE, &val, 8);
	m_must(!exits(), "the other vCPU's TLB did not last: nothing is tested", "%s", "");
	flush();
	m_must(rd(VA(100)) == O_OK, "no access", "%s", "");
	return done();
}

/* INVLPG of a global page concerns all PCIDs, whatever tables they use. */
static bool test_invlpg_global(void)
{
	const u64 keep = 1ull << 63;

	machine(1, M_64);
	poke(16 << 12, ENTRY(17));
	poke(17 << 12, ENTRY(18));
	poke(18 << 12, ENTRY(4));
	poke((18 << 12) + 8, ENTRY(19));
	poke((19 << 12) + 100 * 8, ENTRY(66) | USED | P_G);
	m_mov_cr4(cpu, cpu->v.st.cr4 | X86_CR4_PCIDE | X86_CR4_PGE);
	m_mov_cr3(cpu, 1);
	rd(TABLE_VA);
	wr(TABLE_AT(100), ENTRY(64) | USED | P_G);
	rd(VA(100));
	m_mov_cr3(cpu, 16 << 12 | 2);
	rd(VA(100));
	wr((19 << 12) + 100 * 8, ENTRY(67) | USED | P_G);
	rd(VA(100));
	m_mov_cr3(cpu, 1 | keep);
	rd(VA(100));
	wr(TABLE_AT(100), ENTRY(65) | USED | P_G);
	m_mov_cr3(cpu, 16 << 12 | 2 | keep);
	rd(0);
	m_invlpg(cpu, VA(100));
	rd(VA(100));
	m_mov_cr3(cpu, 1 | keep);
	m_must(rd(VA(100)) == O_OK, "no access", "%s", "");
	return done();
}

/* Found by random guests: stale entries of a table became good for a new parent. */
static bool test_stale_table_linked(void)
{
	machine(1, M_64);
	rd(TABLE_VA);
	wr(TABLE_AT(100), ENTRY(64) | USED);
	rd(VA(100));
	flush();
	rd(VA(100));
	wr(TABLE_AT(100), ENTRY(65) | USED);	/* no exit, no flush */
	poke((3 << 12) + 5 * 8, ENTRY(5));	/* the table shows up elsewhere too */
	rd((1ull << 30) + (5ull << 21));	/* links it */
	m_must(rd((1ull << 30) + (5ull << 21) + (100 << 12)) == O_OK, "no access", "%s", "");
	return done();
}

/* Found by random guests: CR0.WP = 0 and a key that denies writes: an endless fault. */
static bool test_key_without_wp(void)
{
	machine(1, M_64);
	m_mov_cr4(cpu, cpu->v.st.cr4 | X86_CR4_PKE);
	poke((5 << 12) + 100 * 8, ENTRY(64) | 1ull << 59);
	cpu->pkru = 2 << 2;
	rd(VA(100));
	m_must(wr(VA(100), 1) == O_FAULT, "the key does not bind a supervisor", "%s", "");
	m_mov_cr0(cpu, cpu->v.st.cr0 & ~(u64)X86_CR0_WP);
	m_must(wr(VA(100), 1) == O_OK, "the key binds although WP is clear", "%s", "");
	m_must(rd(VA(100)) == O_OK, "no access", "%s", "");
	return done();
}

/* A guest large page mapped by small ones gets another key: all of them have it. */
static bool test_key_of_large(void)
{
	const u64 gva = 2ull << 21, pde = (2 << 12) + 2 * 8;
	unsigned int i;

	machine(1, M_64);
	m_mov_cr4(cpu, cpu->v.st.cr4 | X86_CR4_PKE);
	cpu->pkru = 1 << 2;		/* key 1 denies all */
	m_invalidate(512, 1024, false);
	for (i = 0; i < 8; i++) {
		m_populate(512 + i, true, false);
		m_must(rd(gva + (i << 12)) == O_OK, "no access", "%s", "");
	}
	poke(pde, ENTRY(1024) | P_PS | USED | 1ull << 59);
	m_invlpg(cpu, gva);
	for (i = 0; i < 8; i++)
		m_must(rd(gva + (i << 12)) == O_FAULT, "the new key is not obeyed", "%u", i);
	poke(pde, ENTRY(1024) | P_PS | USED);
	m_invlpg(cpu, gva);
	m_must(rd(gva) == O_OK, "the old key stays", "%s", "");
	return done();
}

/* The same, two levels further up: the table is below what gets the new parent. */
static bool test_stale_table_below(void)
{
	const u64 gva = (1ull << 39) + (1ull << 30) + TABLE_VA + (100 << 12);

	machine(1, M_64);
	poke((7 << 12) + 8, 0);			/* PML4[1], PDPT[1]: directory 2 later */
	rd(gva);
	rd(TABLE_VA);
	wr(TABLE_AT(100), ENTRY(64) | USED);
	rd(VA(100));
	flush();
	rd(VA(100));
	wr(TABLE_AT(100), ENTRY(65) | USED);	/* no exit, no flush */
	poke((7 << 12) + 8, ENTRY(2));
	rd(gva - (100 << 12));			/* links it */
	m_must(rd(gva) == O_OK, "no access", "%s", "");
	return done();
}

/* ---- ways to code ---- */

#define CODE(i)		(VA(i) + 8)

static u64 generation(void)
{
	return m.vm.mmu.code_gen;
}

/* As a translator: twice, as the first time may change something. */
static void translate(u64 gva)
{
	m_enter(cpu);
	m_bt_code_page(cpu, gva);
	m_enter(cpu);
	m_bt_code_page(cpu, gva);
}

static void must_stand(u64 gen, const char *what)
{
	m_must(generation() == gen, "a change that is none to code is told as one", "%s", what);
}

/* What goes on beside code, and what the host does to it, is no change. */
static bool test_code_stands(void)
{
	const u64 large = (2ull << 21) + 0x5008;
	unsigned int i;
	u64 gen;

	bt_machine(2);
	poke((5 << 12) + 100 * 8, ENTRY(64));
	translate(CODE(100));
	translate(large);
	gen = generation();
	for (i = 101; i < 140; i++)
		wr(TABLE_AT(i), ENTRY(64 + i % 16) | USED);
	must_stand(gen, "stores to other entries of its table");
	flush();
	for (i = 101; i < 140; i++)
		wr(TABLE_AT(i), i % 2 ? 0 : ENTRY(66));
	m_invlpg(cpu, VA(101));
	flush();
	must_stand(gen, "a flush");
	wr(TABLE_AT(100), (ENTRY(64) & ~P_W) | USED);
	flush();
	must_stand(gen, "the right to write taken away");
	rd(VA(100));
	m_invalidate(64, 65, false);
	m_invalidate(512, 600, false);
	rd(VA(100));
	rd(large);
	must_stand(gen, "the host's pages");
	m_invalidate(64, 96, false);
	flush();
	must_stand(gen, "a table of which nothing is mapped");
	m_must(!tdm_track_add(&m.vm, 1024 + 5, TDM_TRACK_CODE), "no trace", "%s", "");
	rd(large);
	tdm_track_del(&m.vm, 1024 + 5, TDM_TRACK_CODE);
	must_stand(gen, "a trace");
	m_set_slot(1, m.slot[1].base, m.slot[1].npages, KVM_MEM_LOG_DIRTY_PAGES);
	m_get_log(1);
	rd(large);
	must_stand(gen, "the dirty log");
	poke(16 << 12, ENTRY(1) | USED);		/* another PML4 */
	for (i = 0; i < 4; i++) {
		m_mov_cr3(cpu, i % 2 ? 0 : 16 << 12);
		rd(CODE(100));
	}
	poke(16 << 12, 0);
	m_mov_cr0(cpu, cpu->v.st.cr0 & ~(u64)X86_CR0_WP);
	rd(CODE(100));
	must_stand(gen, "other address spaces");
	m_must(m.count[M_C_CODE_LOOKS] > 4, "nothing was looked at", "%s", "");
	return done();
}

/* Each of these must be told: at once for a traced table, by the flush for others. */
static bool test_code_told(void)
{
	static const struct {
		const char *what;
		u64 at, val;
	} change[] = {
		{ "another page", (5 << 12) + 100 * 8, ENTRY(65) | USED },
		{ "no page", (5 << 12) + 100 * 8, 0 },
		{ "not executable", (5 << 12) + 100 * 8, ENTRY(64) | USED | P_XD },
		{ "no user's", (5 << 12) + 100 * 8, (ENTRY(64) & ~P_U) | USED },
		{ "accessed bit cleared", (5 << 12) + 100 * 8, ENTRY(64) },
		{ "another table", (2 << 12) + 8, ENTRY(6) | USED },
		{ "a table not executable", (2 << 12) + 8, ENTRY(5) | USED | P_XD },
		{ "a large page", (2 << 12) + 8, ENTRY(1024) | P_PS | USED },
		{ "another directory", 1 << 12, ENTRY(3) | USED },
		{ "no directory", 1 << 12, 0 },
	};
	unsigned int i, how;
	u64 gen;

	for (i = 0; i < 2 * ARRAY_SIZE(change) && !m.broken; i++) {
		const char *what = change[i / 2].what;
		u64 val = change[i / 2].val, at = change[i / 2].at;

		how = i % 2;
		bt_machine(1);
		poke((5 << 12) + 100 * 8, ENTRY(64) | USED);
		translate(CODE(100));
		gen = generation();
		/* Tables 1 to 5 are mapped one to one: the guest can store there. */
		m_must(wr(at, val) == O_OK, "no store", "%s", what);
		if (how)
			m_invlpg(cpu, CODE(100));
		else
			m_mov_cr3(cpu, 0);
		m_enter(cpu);
		m_must(generation() != gen, "a change of the way to code is not told",
		       "%s, %s", what, how ? "INVLPG" : "CR3");
		if (!done())
			return false;
	}
	return true;
}

/*
 * The host takes the page, and the entry with it; the guest, which may write its
 * table, names another; a fault fills that in. The flush comes too late to see it.
 */
static bool test_code_refilled(void)
{
	u64 gen;

	bt_machine(1);
	poke((5 << 12) + 100 * 8, ENTRY(64) | USED);
	translate(CODE(100));
	wr(TABLE_AT(101), ENTRY(66) | USED);	/* no trace from here on */
	rd(CODE(100));
	gen = generation();
	m_invalidate(64, 65, false);
	wr(TABLE_AT(100), ENTRY(65) | USED);
	must_stand(gen, "a store to a table without a trace");
	rd(CODE(100));
	flush();
	m_must(generation() != gen, "code went elsewhere unheard", "%s", "");
	/* Or no fault comes, but INVLPG. */
	translate(CODE(100));
	gen = generation();
	m_invalidate(65, 66, false);
	wr(TABLE_AT(100), 0);
	m_invlpg(cpu, CODE(100));
	m_must(generation() != gen, "code went unheard", "%s", "");
	return done();
}

/* A table on the way is used for something else, or its memory goes. */
static bool test_code_tables_go(void)
{
	u64 gen;

	bt_machine(1);
	poke((5 << 12) + 100 * 8, ENTRY(64) | USED);
	translate(CODE(100));
	gen = generation();
	m_invalidate(5, 6, false);
	m_must(generation() != gen, "the host took a table unheard", "%s", "");
	translate(CODE(100));
	gen = generation();
	m_set_slot(0, 0, 0, 0);
	m_must(generation() != gen, "a memslot with tables went unheard", "%s", "");
	return done();
}

/* ---- the monitor's entry ---- */

static bool test_monitor_moves(void)
{
	unsigned int i, index, other;

	bt_machine(3);
	poke(7 << 12, ENTRY(3) | USED);
	for (i = 0; i < 40 && !m.broken; i++) {
		/* The guest takes the entry of each in turn; all of them run there. */
		index = m.cpu[i % 3].v.mmu.mon_index;
		if (i % 2)
			poke(index * 8, ENTRY(7));
		else
			wr(index * 8, ENTRY(7));
		for (other = 0; other < 3; other++)
			m_must(m_access(&m.cpu[other], ((u64)index << 39 | 0xffffull << 48),
					TDM_ACCESS_READ, NULL, 8) == O_OK,
			       "no access where the monitor was", "%u", index);
	}
	m_must(m.count[M_C_MOVES] >= 40, "monitors did not move", "%llu",
	       (unsigned long long)m.count[M_C_MOVES]);
	/* To where the guest is already: said, and mended. */
	m_must(!tdm_mmu_move_monitor(&cpu->v, 511), "the monitor cannot be moved", "%s", "");
	m_must(cpu->v.mmu.mon_conflict, "a used entry is taken without a word", "%s", "");
	m_check();
	m_must(rd(511ull << 39 | 0xffffull << 48) == O_OK, "no access", "%s", "");
	m_must(tdm_mmu_move_monitor(&cpu->v, 255) == -EINVAL &&
	       tdm_mmu_move_monitor(&cpu->v, 512) == -EINVAL,
	       "the monitor goes where it cannot be", "%s", "");
	return done();
}

/* Free in one address space, used in another: seen by a CR3 load, fast or not. */
static bool test_monitor_other_root(void)
{
	unsigned int i;

	bt_machine(1);
	poke(16 << 12, ENTRY(1) | USED);
	poke((16 << 12) + 511 * 8, ENTRY(1) | USED);
	for (i = 0; i < 64 && !m.broken; i++) {
		m_mov_cr3(cpu, i % 2 ? 0 : 16 << 12);
		rd(0);
		if (i % 4 == 1)
			poke((16 << 12) + cpu->v.mmu.mon_index * 8, ENTRY(1) | USED);
		if (i % 4 == 2)
			poke(cpu->v.mmu.mon_index * 8, ENTRY(1) | USED);
	}
	m_must(m.count[M_C_MOVES] > 16, "monitors did not move", "%llu",
	       (unsigned long long)m.count[M_C_MOVES]);
	return done();
}

/* CR3 points to no memory: the monitor is there all the same. Then there is memory. */
static bool test_monitor_without_root(void)
{
	bt_machine(1);
	rd(0);
	m_mov_cr3(cpu, 3000 << 12);
	m_must(rd(0) == O_FAULT, "tables of no memory", "%s", "");
	m_must(!tdm_mmu_move_monitor(&cpu->v, 300), "the monitor cannot be moved", "%s", "");
	m_must(rd(0) == O_FAULT, "tables of no memory", "%s", "");
	m_mov_cr3(cpu, 0);
	m_must(rd(0) == O_OK, "no access", "%s", "");
	m_set_slot(0, 0, 0, 0);
	m_must(rd(0) == O_FAULT, "tables of no memory", "%s", "");
	m_set_slot(0, 0, 512, 0);
	m_lay_out_tables();
	m_must(rd(0) == O_OK, "no access after the memory came back", "%s", "");
	return done();
}

/* ---- traces of code ---- */

static bool test_track(void)
{
	const u64 gva = 70 << 12;
	const int page = 70;
	u64 n;

	machine(2, M_64);
	wr(gva, 1);
	m_access(&m.cpu[1], gva, TDM_ACCESS_WRITE, &n, 8);
	exits();
	wr(gva + 8, 2);
	m_must(!exits(), "a plain write exits", "%s", "");
	m_must(!tdm_track_add(&m.vm, 70, TDM_TRACK_CODE), "no trace", "%s", "");
	m_must(!tdm_track_add(&m.vm, 70, TDM_TRACK_CODE), "no second trace", "%s", "");
	m.code[page] = 2;
	wr(gva + 16, 3);		/* the machine looks that it is reported */
	m_must(m.count[M_C_CODE] == 1, "a write is not reported once", "%llu",
	       (unsigned long long)m.count[M_C_CODE]);
	m_access(&m.cpu[1], gva, TDM_ACCESS_WRITE, &n, 8);
	poke(70 << 12, 4);
	m_must(m.count[M_C_CODE] == 3, "a write is not reported", "%llu",
	       (unsigned long long)m.count[M_C_CODE]);
	rd(gva);
	m_must(m.count[M_C_CODE] == 3, "a read is reported", "%s", "");
	tdm_track_del(&m.vm, 70, TDM_TRACK_CODE);
	m.code[page] = 1;
	wr(gva, 5);
	m_must(m.count[M_C_CODE] == 4, "the second trace went with the first", "%s", "");
	tdm_track_del(&m.vm, 70, TDM_TRACK_CODE);
	m.code[page] = 0;
	wr(gva, 6);
	exits();
	wr(gva, 7);
	m_must(!exits() && m.count[M_C_CODE] == 4, "a write exits after the trace", "%s", "");
	m_must(tdm_track_add(&m.vm, 3000, TDM_TRACK_CODE) == -ENOENT, "traces no memslot", "%s", "");
	return done();
}

/* Code in a page that is a table, too: also what the walker writes is told. */
static bool test_track_table(void)
{
	machine(1, M_64);
	rd(TABLE_VA);
	wr(TABLE_AT(100), ENTRY(64));		/* not traced any more */
	m_must(!tdm_track_add(&m.vm, 5, TDM_TRACK_CODE), "no trace", "%s", "");
	m.code[5] = 1;
	wr(TABLE_AT(101), ENTRY(65));
	m_must(m.count[M_C_CODE] == 1, "a write is not reported", "%s", "");
	rd(VA(101));
	m_must(m.count[M_C_CODE] == 2, "an accessed bit is not reported", "%llu",
	       (unsigned long long)m.count[M_C_CODE]);
	wr(VA(101), 1);
	m_must(m.count[M_C_CODE] == 3, "a dirty bit is not reported", "%llu",
	       (unsigned long long)m.count[M_C_CODE]);
	return done();
}

/* ---- pathological guests ---- */

static void check_bounds(void)
{
	u64 limit = m.vm.mmu.max_pages ?: 512, slots = 0;
	unsigned int i;

	for (i = 0; i < M_SLOTS; i++)
		slots += m.slot[i].npages;
	m_must((u64)m_vmstat(shadow_pages) <= limit, "too many shadow pages", "%lld",
	       m_vmstat(shadow_pages));
	/* Two pages each, those that wait, links of the reverse map, the slots' arrays. */
	m_must((u64)m_vmstat(mem_bytes) < (limit + 64 + TDM_DEAD_MAX + 64) * 9000 +
	       limit * 512 * 16 + slots * 64 + 200000, "too much memory", "%lld",
	       m_vmstat(mem_bytes));
}

/* Table pages from gfn 1024: @n directories whose every entry is one leaf table. */
static void aliases(unsigned int n)
{
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		poke((1024ull << 12) + i * 8, ENTRY(1025 + i));
		for (j = 0; j < 512; j += 8)
			poke(((1025ull + i) << 12) + j * 8, ENTRY(5));
	}
	poke(2 * 8, ENTRY(1024));			/* PML4[2] */
}

static bool test_shared_table(unsigned long max_pages, unsigned int n)
{
	unsigned int i, j;

	machine(1, M_64);
	m.vm.mmu.max_pages = max_pages;
	aliases(n);
	for (i = 0; i < n && !m.broken; i++) {
		for (j = 0; j < 512; j += 8)
			m_must(rd((2ull << 39) + ((u64)i << 30) + ((u64)j << 21)) == O_OK,
			       "no access", "%u %u", i, j);
		check_bounds();
	}
	m_must(m_vmstat(rmap_overflows), "no chain was ever long", "%s", "");
	return done();
}

/* All of memory is a handful of tables that point to each other. */
static bool test_loops(void)
{
	unsigned int i;

	machine(1, M_64);
	m.vm.mmu.max_pages = 64;
	for (i = 0; i < 512; i++)
		poke((20ull << 12) + i * 8, ENTRY(20 + i % 4));
	for (i = 0; i < 3 * 512; i++)
		poke((21ull << 12) + i * 8, ENTRY(20 + (i * 7) % 4));
	m_mov_cr3(cpu, 20 << 12);
	for (i = 0; i < 3000 && !m.broken; i++) {
		u64 gva = pick64() & 0x7fffffffffffull & ~7ull;

		/* Stores here change the very tables they went by. */
		m_must(rd(gva) == O_OK, "no access", "%llx", (unsigned long long)gva);
		if (one_in(4))
			wr(gva, ENTRY(20 + pick(4)) | (one_in(2) ? USED : 0));
		if (one_in(64))
			flush();
		if (one_in(256)) {
			m_check();
			check_bounds();
		}
	}
	return done();
}

/* One page behind thousands of entries. */
static bool test_one_page(void)
{
	unsigned int i, t;

	machine(1, M_64);
	for (t = 20; t < 30; t++) {
		poke((3ull << 12) + t * 8, ENTRY(t) | USED);
		for (i = 0; i < 512; i++)
			poke(((u64)t << 12) + i * 8, ENTRY(64) | USED);
	}
	for (t = 20; t < 30; t++)
		for (i = 0; i < 512; i++)
			m_must(rd((1ull << 30) + ((u64)t << 21) + (i << 12)) == O_OK,
			       "no access", "%u %u", t, i);
	m_must(m_vmstat(rmap_overflows), "no chain was ever long", "%s", "");
	m_invalidate(64, 65, false);
	m_must(rd((1ull << 30) + (20ull << 21)) == O_OK, "no access", "%s", "");
	return done();
}

static bool test_shared_few(void) { return test_shared_table(64, 24); }
static bool test_shared_many(void) { return test_shared_table(0, 60); }

const struct shadow_case shadow_cases[] = {
	{ "a hundred entries written between two flushes trap once", test_one_trap },
	{ "a table left alone is traced again", test_trace_again },
	{ "a traced not-present-to-present write needs no second exit", test_eager },
	{ "an address space come back to is as it was left", test_root_cache },
	{ "PCIDs kept are not compared, flushed ones are", test_pcids },
	{ "INVLPG: old or new before, new after", test_invlpg },
	{ "a table traced again behind another vCPU's TLB", test_traced_behind_a_tlb },
	{ "INVLPG of a global page, for all PCIDs", test_invlpg_global },
	{ "a stale table under a new parent is fresh", test_stale_table_linked },
	{ "a stale table below a table under a new parent is fresh", test_stale_table_below },
	{ "a key that denies writes, and CR0.WP clear", test_key_without_wp },
	{ "another key for a large page mapped by small ones", test_key_of_large },
	{ "a way to code stands while all else changes", test_code_stands },
	{ "changes of a way to code are told", test_code_told },
	{ "a way to code refilled before the flush", test_code_refilled },
	{ "tables on the way to code go", test_code_tables_go },
	{ "monitors make way for the guest", test_monitor_moves },
	{ "monitors make way in another address space", test_monitor_other_root },
	{ "monitors where CR3 points to no memory", test_monitor_without_root },
	{ "writes to traced code are told of, once, by all", test_track },
	{ "code in a page table, accessed and dirty bits told of", test_track_table },
	{ "a table shared by all directories, 64 pages allowed", test_shared_few },
	{ "a table shared by all directories, no bound given", test_shared_many },
	{ "tables that point to each other, 64 pages allowed", test_loops },
	{ "one page behind thousands of entries", test_one_page },
};
const unsigned int nr_shadow_cases = ARRAY_SIZE(shadow_cases);
