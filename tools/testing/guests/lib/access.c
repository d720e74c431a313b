// SPDX-License-Identifier: GPL-2.0-only
/*
 * access.c - build page tables in the pool, make the processor use them, and
 * compare all that came of it with the model.
 *
 * Tables for the machine itself (identity and user alias) are put in by
 * root_init(); a test has the rest of the address space: 64-bit PML4 slots
 * from 1 to 255, otherwise addresses from 0x80000000.
 */
#include "paging.h"

struct access *const accesses = (struct access *)0x2000000;

extern char access64[], access64_end[];
extern char access32[], access32_end[], access32_fault[];

static u32 next_frame;
static u64 random_state;

u64 pg_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state >> 8;
}

void pg_seed(u64 seed)
{
	random_state = seed * 0x9e3779b97f4a7c15 | 1;
}

/* All frames empty but the data frames: code that gives their signature. */
void pool_init(void)
{
	u8 *p;
	u32 i;

	memset((void *)POOL_BASE, 0, POOL_FRAMES * PAGE_SIZE);
	for (i = 0; i < DATA_FRAMES; i++) {
		p = (u8 *)frame_pa(i);
		p[0] = 0xb8; /* mov $0x51600000 + i, %eax */
		*(u32 *)(p + 1) = 0x51600000 + i;
		p[5] = 0xff; /* jmp *%rsi */
		p[6] = 0xe6;
		*(u32 *)(p + CELL) = 0xda7a0000 + i;
	}
	next_frame = DATA_FRAMES;
}

u32 frame_alloc(void)
{
	if (next_frame == POOL_FRAMES) {
		check(false, "pool", "too small");
		guest_exit(2);
	}
	return next_frame++;
}

u64 entry_get(int mode, u64 table, u32 index)
{
	if (pgmodes[mode].entry_size == 4)
		return ((volatile u32 *)table)[index];
	return ((volatile u64 *)table)[index];
}

void entry_set(int mode, u64 table, u32 index, u64 value)
{
	if (pgmodes[mode].entry_size == 4)
		((volatile u32 *)table)[index] = value;
	else
		((volatile u64 *)table)[index] = value;
}

/* 4 KiB mappings of [pa, pa + 4 MiB) at va, all flags set beforehand. */
static void map_machine(int mode, u64 root, u64 va, u64 pa, u64 flags)
{
	u64 end = va + 0x400000, table, e;
	u32 index;
	int level;

	for (; va < end; va += PAGE_SIZE, pa += PAGE_SIZE) {
		table = root;
		for (level = pgmodes[mode].levels; level > 1; level--) {
			index = va >> level_shift(mode, level) &
				(BIT(pgmodes[mode].bits) - 1);
			e = entry_get(mode, table, index);
			if (!(e & PT_P)) {
				e = frame_pa(frame_alloc()) | PT_P;
				if (mode != PG_PAE || level != 3)
					e |= PT_W | PT_U | PT_A;
				entry_set(mode, table, index, e);
			}
			table = e & ~0xffful;
		}
		index = va >> 12 & (BIT(pgmodes[mode].bits) - 1);
		entry_set(mode, table, index, pa | flags | PT_P | PT_A | PT_D);
	}
}

/**
 * root_init() - a new root that maps what the machine needs itself
 */
u64 root_init(int mode)
{
	u64 root = frame_pa(frame_alloc()), list = (u64)accesses;

	if (mode == PG_64) {
		entry_set(mode, root, 0, (u64)boot_pdpt | PT_P | PT_W | PT_U | PT_A);
		return root;
	}
	map_machine(mode, root, 0, 0, PT_W);
	map_machine(mode, root, USER_ALIAS, 0, PT_W | PT_U);
	map_machine(mode, root, list, list, PT_W);
	map_machine(mode, root, UALIAS(list), list, PT_W | PT_U);
	map_machine(mode, root, POOL_BASE, POOL_BASE, PT_W);
	return root;
}

static bool fault64(struct frame *f)
{
	u64 at = f->cs & 3 ? f->rbx - USER_ALIAS : f->rbx;
	struct access *a = (struct access *)at;

	if (at < (u64)accesses || at >= (u64)(accesses + MAX_ACCESSES))
		return false;
	a->err = f->err;
	a->cr2 = read_cr2();
	f->rip = f->rbp;
	return true;
}

static void set_env(const struct pgenv *env, u64 *cr0, u64 *cr4, u64 *efer)
{
	*cr0 = (*cr0 & ~CR0_WP) | (env->wp ? CR0_WP : 0);
	*cr4 &= ~(CR4_SMEP | CR4_SMAP | CR4_PSE);
	*cr4 |= (env->smep ? CR4_SMEP : 0) | (env->smap ? CR4_SMAP : 0) |
		(env->pse ? CR4_PSE : 0);
	*efer = (*efer & ~EFER_NXE) | (env->nxe ? EFER_NXE : 0);
}

/* A run of accesses of one privilege level. */
static void run_run(const struct pgenv *env, struct access *a, u32 count)
{
	bool user = a->kind & ACC_U, lm = env->mode == PG_64;
	struct snip s = { (u64)access64, 0, 0, (u64)access64_end };
	struct exec x;

	if (!lm) {
		s.start = (u64)access32;
		s.end = (u64)access32_end;
		exec_init_pm(&x, &s);
		x.cr0 |= CR0_PG;
		x.cr3 = env->cr3;
		x.cr4 = env->mode == PG_PAE ? CR4_PAE : 0;
		set_env(env, &x.cr0, &x.cr4, &x.efer);
	} else {
		exec_init(&x, &s);
	}
	if (env->ac)
		x.rflags |= FL_AC;
	if (user) {
		x.rip = UALIAS(x.rip);
		x.rsp = UALIAS(user_stack_top);
		x.cs = lm ? SEL_U64 : SEL_U32;
		x.ss = SEL_UD;
		x.ds = SEL_UD;
		x.es = SEL_UD;
		x.fs = lm ? 0 : SEL_UD;
		x.gs = x.fs;
	}
	x.rbx = user ? UALIAS(a) : (u64)a;
	x.rcx = count;
	if (lm)
		exec64(&x);
	else
		exec_legacy(&x);
	if (x.vec != VEC_DONE) {
		show_exc(false, "access.stray", &x, &s);
		guest_exit(2);
	}
}

/**
 * run_accesses() - the processor makes the accesses, in order
 *
 * The TLB is empty at the start (MOV CR3; nothing is global).
 */
void run_accesses(const struct pgenv *env, struct access *list, u32 count)
{
	u64 cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	u64 efer = rdmsr(MSR_EFER), new0 = cr0, new4 = cr4, newe = efer;
	u32 i, start;

	for (i = 0; i < count; i++) {
		list[i].err = ACC_FINE;
		list[i].value = 0;
		list[i].cr2 = 0;
	}
	if (env->mode == PG_64) {
		set_env(env, &new0, &new4, &newe);
		wrmsr(MSR_EFER, newe);
		write_cr3(env->cr3);
		write_cr4(new4);
		write_cr0(new0);
		exc_set_hook(EXC_PF, fault64);
	} else {
		set_idt32(EXC_PF, (u32)(u64)access32_fault, SEL_K32, DESC_INT);
	}
	for (i = 0; i < count; i = start) {
		for (start = i; start < count &&
		     (list[start].kind & ACC_U) == (list[i].kind & ACC_U);)
			start++;
		run_run(env, &list[i], start - i);
	}
	if (env->mode == PG_64) {
		exc_set_hook(EXC_PF, NULL);
		write_cr0(cr0);
		write_cr4(cr4);
		write_cr3(cr3);
		wrmsr(MSR_EFER, efer);
	} else {
		set_idt32_default(EXC_PF);
	}
}

static void complain(const char *name, u32 n, const struct access *a,
		     const struct outcome *want, u32 value)
{
	info("%s: access %u %lx %s%s: got err %x value %x cr2 %lx, not err %x value %x",
	     name, n, a->va, a->kind & ACC_U ? "u" : "s",
	     a->kind & ACC_X ? "x" : a->kind & ACC_W ? "w" : "r", a->err,
	     a->value, a->cr2, want->err, value);
}

/* The same access on the model; how many faults there were, or complaints. */
static bool model_one(const char *name, const struct pgenv *env, u32 n,
		      const struct access *a, u32 *bad)
{
	s64 delta = COPY_BASE - POOL_BASE;
	struct outcome want = walk(env, a->va, a->kind, delta, true);
	u32 value = 0, *cell = (u32 *)(want.pa + delta + CELL);
	u64 cr2 = 0;

	if (want.fault)
		cr2 = a->va + (a->kind & ACC_X ? 0 : CELL);
	else if (a->kind & ACC_X)
		value = *(u32 *)(want.pa + delta + 1);
	else if (a->kind & ACC_W)
		*cell = a->cookie;
	else
		value = *cell;
	if ((a->err != want.err || a->cr2 != cr2 || a->value != value) &&
	    ++*bad <= 8)
		complain(name, n, a, &want, value);
	return want.fault;
}

/* Frames that do not look as in the model's copy. */
static u32 compare_pool(const char *name)
{
	u64 *got = (u64 *)POOL_BASE, *want = (u64 *)COPY_BASE;
	u32 i, bad = 0;

	for (i = 0; i < next_frame * PAGE_SIZE / 8; i++)
		if (got[i] != want[i] && ++bad <= 8)
			info("%s: frame %u entry %u is %lx, not %lx", name,
			     i / 512, i % 512, got[i], want[i]);
	return bad;
}

/**
 * check_accesses() - run the list and compare it with the model
 *
 * One result: how many accesses and faults, and a hash over all observed.
 */
void check_accesses(const char *name, const struct pgenv *env,
		    struct access *list, u32 count)
{
	u64 hash = 0xcbf29ce484222325;
	u32 i, bad = 0, faults = 0;

	memcpy((void *)COPY_BASE, (void *)POOL_BASE, next_frame * PAGE_SIZE);
	run_accesses(env, list, count);
	for (i = 0; i < count; i++) {
		faults += model_one(name, env, i, &list[i], &bad);
		hash = (hash ^ list[i].err) * 0x100000001b3;
		hash = (hash ^ list[i].cr2) * 0x100000001b3;
		hash = (hash ^ list[i].value) * 0x100000001b3;
	}
	bad += compare_pool(name);
	check(!bad, name, "%u accesses, %u faults, hash %lx", count, faults,
	      hash);
}

u64 probe_cr2;
extern char probe_return[];

static bool probe_fault(struct frame *f)
{
	u64 rip = f->rip;

	probe_cr2 = read_cr2();
	if (rip == (u64)probe_read || rip == (u64)probe_write) {
		f->rip = (u64)probe_return;
	} else if ((f->err & PF_I || rip == probe_cr2) && f->rdi == rip) {
		/* A fetch: what probe_fetch() pushed has to go. */
		f->rip = (u64)probe_return;
		f->rsp += 8;
	} else {
		return false;
	}
	f->rax = f->err;
	return true;
}

void probe_init(void)
{
	pool_init();
	exc_set_hook(EXC_PF, probe_fault);
}

u64 probe_cell(u64 va)
{
	u64 value;
	u32 err = probe_read(va + CELL, &value);

	return err == ACC_FINE ? (u32)value : PROBE_FAULT | err;
}

/* Everything allowed; entry 0 of each table; the first data frame is mapped. */
void chain_init(struct chain *c, u32 slot)
{
	int level;

	c->table[4] = boot_pml4;
	c->va = (u64)slot << 39;
	for (level = 3; level >= 1; level--)
		c->table[level] = (u64 *)frame_pa(frame_alloc());
	boot_pml4[slot] = (u64)c->table[3] | PT_P | PT_W | PT_U;
	c->table[3][0] = (u64)c->table[2] | PT_P | PT_W | PT_U;
	c->table[2][0] = (u64)c->table[1] | PT_P | PT_W | PT_U;
	c->table[1][0] = frame_pa(0) | PT_P | PT_W | PT_U;
	write_cr3(read_cr3());
}
