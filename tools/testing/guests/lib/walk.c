// SPDX-License-Identifier: GPL-2.0-only
/*
 * walk.c - the model: what the SDM says of one access through page tables.
 *
 * SDM vol. 3, "Paging": reserved bits are reported where the walk meets them,
 * rights are judged over the whole walk, and only an access that is let
 * through sets accessed and dirty flags. (The manual allows a processor to
 * set accessed flags of the entries in front of a fault; none of the machines
 * compared here does.)
 */
#include "paging.h"

const struct pgmode pgmodes[NR_PG_MODES] = {
	[PG_32] = { 2, 4, 10 },
	[PG_PAE] = { 3, 8, 9 },
	[PG_64] = { 4, 8, 9 },
};

static u64 bits(int high, int low)
{
	return high < low ? 0 : (~0ul >> (63 - high)) & ~(BIT(low) - 1);
}

static bool is_large(const struct pgenv *env, int level, u64 e)
{
	if (!(e & PT_PS) || level == 1)
		return false;
	if (env->mode == PG_32)
		return env->pse;
	return level == 2 || (level == 3 && env->mode == PG_64 && HAS_1G);
}

/* Bits that have to be 0 in a present entry. */
u64 reserved_mask(const struct pgenv *env, int level, bool large)
{
	int width = phys_bits();
	u64 mask;

	if (env->mode == PG_32) {
		if (!large)
			return 0;
		/* PSE-36: bits 13 and up are address bits 32 and up. */
		if (!cpu_has(1, 0, R_EDX, 17))
			return bits(21, 13);
		return bits(21, (width < 40 ? width : 40) - 19);
	}
	if (env->mode == PG_PAE && level == 3) /* looked at by MOV CR3 */
		return bits(63, width) | bits(8, 5) | bits(2, 1);
	mask = bits(51, width);
	if (!env->nxe)
		mask |= PT_NX;
	if (env->mode == PG_PAE)
		mask |= bits(62, 52);
	if (large)
		mask |= bits(level_shift(env->mode, level) - 1, 13);
	else if (level == 4 || (level == 3 && !HAS_1G))
		mask |= PT_PS;
	return mask;
}

static u64 large_base(const struct pgenv *env, int level, u64 e)
{
	u64 low = bits(level_shift(env->mode, level) - 1, 0);

	if (env->mode == PG_32)
		return (e & 0xffc00000) | (e >> 13 & 0xff) << 32;
	return e & bits(51, 12) & ~low;
}

/* Rights along the walk: all have to give them. */
struct rights {
	bool w, u, nx;
};

static bool allowed(const struct pgenv *env, const struct rights *r, u32 kind)
{
	if ((kind & ACC_X) && r->nx)
		return false;
	if (kind & ACC_U)
		return r->u && (!(kind & ACC_W) || r->w);
	if (r->u && (kind & ACC_X) && env->smep)
		return false;
	if (r->u && !(kind & ACC_X) && env->smap && !env->ac)
		return false;
	return !(kind & ACC_W) || r->w || !env->wp;
}

static struct outcome refused(const struct pgenv *env, u32 kind, u32 why)
{
	if (kind & ACC_W)
		why |= PF_W;
	if (kind & ACC_U)
		why |= PF_U;
	if ((kind & ACC_X) &&
	    (env->smep || (env->mode != PG_32 && env->nxe)))
		why |= PF_I;
	return (struct outcome){ .fault = true, .err = why };
}

static void add_rights(const struct pgenv *env, struct rights *r, u64 e)
{
	r->w &= !!(e & PT_W);
	r->u &= !!(e & PT_U);
	r->nx |= env->mode != PG_32 && env->nxe && (e & PT_NX);
}

/**
 * walk() - translate and judge one access
 * @delta: added to an entry's physical address to read (and change) it
 * @commit: set accessed and dirty flags
 */
struct outcome walk(const struct pgenv *env, u64 va, u32 kind, s64 delta,
		    bool commit)
{
	const struct pgmode *m = &pgmodes[env->mode];
	u64 table = env->cr3 & bits(51, env->mode == PG_PAE ? 5 : 12), e;
	struct rights r = { true, true, false };
	u64 at[4] = {}, low, index;
	bool large = false;
	int level, leaf;

	for (level = m->levels; level >= 1 && !large; level--) {
		index = va >> level_shift(env->mode, level) & (BIT(m->bits) - 1);
		if (env->mode == PG_PAE && level == 3)
			index &= 3;
		/* A test does not follow pointers out of the pool. */
		if (table < POOL_BASE || table >= frame_pa(POOL_FRAMES))
			return (struct outcome){ .err = ACC_FINE };
		at[level - 1] = table + index * m->entry_size;
		e = entry_get(env->mode, table + delta, index);
		if (!(e & PT_P))
			return refused(env, kind, 0);
		if (env->mode == PG_PAE && level == 3) {
			table = e & bits(51, 12);
			continue;
		}
		large = is_large(env, level, e);
		if (e & reserved_mask(env, level, large))
			return refused(env, kind, PF_P | PF_RSVD);
		add_rights(env, &r, e);
		table = large ? large_base(env, level, e) : e & bits(51, 12);
	}
	leaf = level + 1;
	if (!allowed(env, &r, kind))
		return refused(env, kind, PF_P);
	for (level = m->levels; commit && level >= leaf; level--) {
		if (env->mode == PG_PAE && level == 3)
			continue;
		*(u8 *)(at[level - 1] + delta) |= PT_A;
		if (level == leaf && (kind & ACC_W))
			*(u8 *)(at[level - 1] + delta) |= PT_D;
	}
	low = BIT(level_shift(env->mode, leaf)) - 1;
	return (struct outcome){ .err = ACC_FINE, .pa = table | (va & low) };
}
