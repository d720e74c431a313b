/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * paging.h - page tables under test: a pool of frames to build them in, lists
 * of accesses the processor makes through them, and a model that says what
 * has to come of each.
 *
 * The model (walk.c) is written from the SDM, not from any monitor. It works
 * on a copy of the pool, so one comparison at the end shows every accessed and
 * dirty flag that should not, or should, have been set.
 */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include "lib.h"

enum pg_mode { PG_32, PG_PAE, PG_64, NR_PG_MODES };

/* The pool: 2 MiB of frames at 64 MiB, and behind it the model's copy. */
#define POOL_BASE 0x4000000ul
#define POOL_FRAMES 512
#define COPY_BASE (POOL_BASE + 0x400000ul)
#define DATA_FRAMES 16
/* Offset in a data frame that reads and writes use; its start is code. */
#define CELL 8

/**
 * struct pgenv - all a translation depends on but the tables
 * @mode: enum pg_mode
 * @cr3: with the root in the pool
 * @ac: RFLAGS.AC during supervisor accesses
 */
struct pgenv {
	int mode;
	u64 cr3;
	bool wp, smep, smap, ac, nxe, pse;
};

#define ACC_W 1
#define ACC_X 2
#define ACC_U 4
/* access.err when there was no fault. */
#define ACC_FINE 0xffffffffu

/**
 * struct access - one access; layout known to access.S
 * @cookie: what a write stores
 * @value: what a read found, or the signature of the frame a fetch ran in
 * @err: error code of the #PF, ACC_FINE without one
 */
struct access {
	u64 va;
	u32 kind, cookie;
	u32 value, pad0;
	u32 err, pad1;
	u64 cr2;
};

/* What has to come of an access. */
struct outcome {
	bool fault;
	u32 err;
	u64 pa;
};

struct pgmode {
	int levels;
	int entry_size;
	int bits; /* of index a level */
};

extern const struct pgmode pgmodes[NR_PG_MODES];

static inline u64 frame_pa(u32 n)
{
	return POOL_BASE + n * PAGE_SIZE;
}

/* Shift of the index at level (1: the tables that map 4 KiB). */
static inline int level_shift(int mode, int level)
{
	return 12 + (level - 1) * pgmodes[mode].bits;
}

void pool_init(void);
u32 frame_alloc(void);
u64 entry_get(int mode, u64 table, u32 index);
void entry_set(int mode, u64 table, u32 index, u64 value);

/* walk.c: the model. delta: added to physical addresses to reach the copy. */
struct outcome walk(const struct pgenv *env, u64 va, u32 kind, s64 delta,
		    bool commit);
u64 reserved_mask(const struct pgenv *env, int level, bool large);

/* access.c */
u64 root_init(int mode);
void run_accesses(const struct pgenv *env, struct access *list, u32 count);
void check_accesses(const char *name, const struct pgenv *env,
		    struct access *list, u32 count);
u64 pg_random(void);
void pg_seed(u64 seed);
#define MAX_ACCESSES 16384
extern struct access *const accesses;

/*
 * One supervisor access at a time, in the address space that is active: the
 * #PF's error code or ACC_FINE; probe_cr2 tells the rest. probe_init() first.
 */
void probe_init(void);
u32 probe_read(u64 va, u64 *value);
u32 probe_write(u64 va, u64 value);
u32 probe_fetch(u64 va, u32 *signature);
extern u64 probe_cr2;
/* What the cell of the page at va holds, or PROBE_FAULT | error code. */
u64 probe_cell(u64 va);
#define PROBE_FAULT BIT(63)

/* A chain of tables of its own below slot of the boot PML4; by level. */
struct chain {
	u64 *table[5]; /* [4]: boot_pml4 */
	u64 va;
};
void chain_init(struct chain *c, u32 slot);
static inline u64 data_value(u32 frame)
{
	return 0xda7a0000 + frame;
}
#endif
