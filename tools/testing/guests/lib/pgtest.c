// SPDX-License-Identifier: GPL-2.0-only
/*
 * pgtest.c - the same questions to every paging mode.
 *
 *   rights  the cross product of rights over all levels, by one table a level
 *           with an entry for each combination: every table is shared
 *   flips   every bit of an entry, one at a time, at each level
 *   random  random tables, several a level, random accesses
 *
 * Every list is run on the processor and on the model (access.c).
 */
#include "pgtest.h"

static u32 count;

/* Entry 0 of the level tests begin with. Elsewhere is the machine itself. */
u32 test_index(int mode, int level)
{
	static const u32 first[NR_PG_MODES][5] = {
		[PG_32] = { 0, 0, 0x210 },
		/* Physical 64 MiB is at index 32 of the directory of a GiB. */
		[PG_PAE] = { 0, 0, 32, 2 },
		[PG_64] = { 0, 0, 32, 0, 8 },
	};

	return first[mode][level];
}

u32 test_entries(int mode, int level)
{
	return mode == PG_PAE && level == 3 ? 2 : 128;
}

/* The address of entries index[level], counted from test_index(). */
u64 test_va(int mode, const u32 *index)
{
	u64 va = 0;
	int level;

	for (level = 1; level <= pgmodes[mode].levels; level++)
		va |= (u64)(test_index(mode, level) + index[level])
		      << level_shift(mode, level);
	return va;
}

u64 full_entry(int mode, int level, u64 pa)
{
	return mode == PG_PAE && level == 3 ? pa | PT_P : pa | PT_P | PT_W | PT_U;
}

void tables_init(struct tables *t, int mode)
{
	int level;

	t->mode = mode;
	t->root = root_init(mode);
	t->at[0] = frame_pa(0);
	for (level = 1; level < pgmodes[mode].levels; level++)
		t->at[level] = frame_pa(frame_alloc());
	t->at[level] = t->root;
}

void start_list(void)
{
	count = 0;
}

void add_access(const struct pgenv *env, u64 va, u32 kind)
{
	struct outcome o = walk(env, va, kind, 0, false);

	if (!o.fault && (o.pa < POOL_BASE || o.pa >= frame_pa(DATA_FRAMES)))
		return;
	if (count == MAX_ACCESSES) {
		check(false, "list", "too long");
		guest_exit(2);
	}
	accesses[count] = (struct access){
		.va = va, .kind = kind, .cookie = 0xc0000000 + count,
	};
	count++;
}

void add_all_kinds(const struct pgenv *env, u64 va)
{
	add_access(env, va, 0);
	add_access(env, va, ACC_X);
	add_access(env, va, ACC_W);
	add_access(env, va, ACC_U);
	add_access(env, va, ACC_U | ACC_X);
	add_access(env, va, ACC_U | ACC_W);
}

/* User accesses first: a run of one privilege level is one entry. */
void check_list(const char *name, const struct pgenv *env)
{
	check_accesses(name, env, accesses, count);
}

static const u64 rights_of[8] = {
	PT_W | PT_U, PT_U, PT_W, PT_NX | PT_W | PT_U, 0, PT_NX | PT_W,
	PT_NX | PT_U, PT_NX,
};

/* How many of rights_of[] a level gets. */
static u32 nr_rights(const struct pgenv *env, int level)
{
	if (env->mode == PG_PAE && level == 3)
		return 1;
	if (env->mode == PG_32)
		return 3;
	return level <= 2 ? 8 : 4;
}

void test_rights(const char *name, struct pgenv env)
{
	struct tables t;
	u32 i[5] = {}, k;
	int level;
	u64 e;

	pool_init();
	tables_init(&t, env.mode);
	env.cr3 = t.root;
	for (level = 1; level <= pgmodes[env.mode].levels; level++)
		for (k = 0; k < nr_rights(&env, level); k++) {
			e = full_entry(env.mode, level,
				       t.at[level - 1] +
				       (level == 1 ? k * PAGE_SIZE : 0));
			if (nr_rights(&env, level) > 1)
				e = (e & ~(PT_W | PT_U)) | rights_of[k];
			entry_set(env.mode, t.at[level],
				  test_index(env.mode, level) + k, e);
		}
	start_list();
	for (i[4] = 0; i[4] < (env.mode == PG_64 ? 4 : 1); i[4]++)
		for (i[3] = 0; i[3] < (env.mode == PG_64 ? 4 : 1); i[3]++)
			for (i[2] = 0; i[2] < nr_rights(&env, 2); i[2]++)
				for (i[1] = 0; i[1] < nr_rights(&env, 1); i[1]++)
					for (k = 0; k < 6; k++)
						add_access(&env, test_va(env.mode, i),
							   (u32[]){ 0, 2, 1, 4, 6, 5 }[(k + i[1]) % 6]);
	check_list(name, &env);
}

/* Entry k of the level has bit k changed. */
void test_flips(const char *name, struct pgenv env, int level, bool large)
{
	u32 i[5] = {}, k, width = pgmodes[env.mode].entry_size * 8;
	struct tables t;
	u64 e;
	int l;

	pool_init();
	tables_init(&t, env.mode);
	env.cr3 = t.root;
	for (l = 1; l <= pgmodes[env.mode].levels; l++)
		entry_set(env.mode, t.at[l], test_index(env.mode, l),
			  full_entry(env.mode, l, t.at[l - 1]));
	start_list();
	for (k = 0; k < width; k++) {
		e = full_entry(env.mode, level, t.at[level - 1]);
		if (large)
			e = full_entry(env.mode, level,
				       level == 3 ? 0 : POOL_BASE) | PT_PS;
		entry_set(env.mode, t.at[level],
			  test_index(env.mode, level) + k, e ^ BIT(k));
	}
	for (i[level] = 0; i[level] < width; i[level]++)
		add_all_kinds(&env, test_va(env.mode, i));
	check_list(name, &env);
}

#define RANDOM_TABLES 3
#define RANDOM_ENTRIES 12

static bool one_in(u32 n)
{
	return pg_random() % n == 0;
}

static u64 random_entry(const struct pgenv *env, int level, u64 pa)
{
	u64 r = pg_random(), e = full_entry(env->mode, level, pa);

	if (env->mode == PG_PAE && level == 3)
		return e;
	if (env->mode == PG_32 && !env->pse && level == 2) {
		/* Ignored. What is mapped then has to be a table, though. */
		e |= r >> 40 & PT_PS;
	} else if (level > 1 && one_in(level == 2 ? 4 : 6)) {
		/* In 64-bit mode at level 3: a GiB. At level 4: reserved. */
		e = full_entry(env->mode, level, level == 2 ? POOL_BASE : 0);
		e |= PT_PS | (one_in(2) ? BIT(12) : 0);
	}
	if (r % 3 == 0)
		e ^= (r >> 8) & (PT_W | PT_U);
	e |= (r >> 16) & (PT_A | PT_D | PT_PWT | PT_PCD | 0xe00);
	if (env->mode != PG_32 && one_in(6))
		e |= PT_NX;
	if (one_in(12))
		e &= ~PT_P;
	if (env->mode != PG_32 && one_in(20))
		e |= BIT(30 + pg_random() % 33);
	if (e & PT_PS && env->pse && env->mode == PG_32 && one_in(8))
		e |= BIT(12 + pg_random() % 10);
	return e;
}

void test_random(const char *name, struct pgenv env, u64 seed)
{
	u64 tables[5][RANDOM_TABLES], pa;
	int level, top = pgmodes[env.mode].levels;
	u32 i[5] = {}, k, n;

	pool_init();
	pg_seed(seed);
	tables[top][0] = root_init(env.mode);
	env.cr3 = tables[top][0];
	for (level = 1; level < top; level++)
		for (n = 0; n < RANDOM_TABLES; n++)
			tables[level][n] = frame_pa(frame_alloc());
	for (level = 1; level <= top; level++)
		for (n = 0; n < (level == top ? 1 : RANDOM_TABLES); n++)
			for (k = 0; k < RANDOM_ENTRIES && k < test_entries(env.mode, level); k++) {
				pa = level == 1 ? frame_pa(pg_random() % DATA_FRAMES) :
				     tables[level - 1][pg_random() % RANDOM_TABLES];
				entry_set(env.mode, tables[level][n],
					  test_index(env.mode, level) + k,
					  random_entry(&env, level, pa));
			}
	start_list();
	for (n = 0; n < 1500; n++) {
		for (level = 1; level <= top; level++)
			i[level] = pg_random() % (RANDOM_ENTRIES + (n % 8 == 0));
		if (env.mode == PG_PAE)
			i[3] &= 1;
		/* A page of a GiB has the pool at the first entry only. */
		if (n & 1)
			i[2] = 0;
		k = (u32[]){ 0, ACC_X, ACC_W, ACC_W }[pg_random() % 4];
		/* Runs of one privilege level: entering one takes long. */
		add_access(&env, test_va(env.mode, i), k | (n & 32 ? ACC_U : 0));
	}
	check_list(name, &env);
}
