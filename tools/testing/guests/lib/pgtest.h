/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pgtest.h - the same questions to every paging mode: see pgtest.c.
 */
#ifndef GUEST_PGTEST_H
#define GUEST_PGTEST_H

#include "paging.h"

/* One table a level, and what is in it below the tested indices. */
struct tables {
	int mode;
	u64 root;
	u64 at[5]; /* by level; at[0] is the first data frame */
};

void tables_init(struct tables *t, int mode);
u32 test_index(int mode, int level);
/* Entries of a level tests may use, from test_index(). */
u32 test_entries(int mode, int level);
u64 test_va(int mode, const u32 *index);
u64 full_entry(int mode, int level, u64 pa);
/* Appends to the list unless it would reach memory that is no data frame. */
void add_access(const struct pgenv *env, u64 va, u32 kind);
void add_all_kinds(const struct pgenv *env, u64 va);
void start_list(void);
void check_list(const char *name, const struct pgenv *env);

void test_rights(const char *name, struct pgenv env);
void test_flips(const char *name, struct pgenv env, int level, bool large);
void test_random(const char *name, struct pgenv env, u64 seed);
#endif
