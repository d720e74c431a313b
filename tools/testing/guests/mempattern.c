// SPDX-License-Identifier: GPL-2.0-only
/*
 * mempattern.c - fills all memory with a pattern that depends on address and
 * round, and verifies it, several times over.
 *
 * Alone it says little; it is for a host that swaps, moves and compacts the
 * guest's memory meanwhile (tools/testing/torture/run).
 */
#include "lib.h"

const char guest_name[] = "mempattern";

extern u32 mb_info;

#define FROM 0x400000ul
/* A word in each 512 bytes: every page, and quick. */
#define STEP 512
#define ROUNDS 3

static u64 pattern(u64 pa, u64 round)
{
	return (pa ^ round << 40) * 0x9e3779b97f4a7c15;
}

/* mem_upper of the multiboot information: KiB from 1 MiB on, if it is there. */
static u64 memory_end(void)
{
	u32 *info = (u32 *)(u64)mb_info;
	u64 end = 0x100000 + (u64)info[2] * 1024;

	if (!(info[0] & 1))
		return 0x2000000;
	return (end < BIT(30) ? end : BIT(30)) & ~0x1ffffful;
}

static void fill(u64 end, u64 round)
{
	u64 pa;

	for (pa = FROM; pa < end; pa += STEP)
		*(volatile u64 *)pa = pattern(pa, round);
}

static u64 verify(u64 end, u64 round)
{
	u64 pa, bad = 0;

	for (pa = FROM; pa < end; pa += STEP)
		if (*(volatile u64 *)pa != pattern(pa, round) && ++bad <= 4)
			info("round %lu: %lx holds %lx", round, pa,
			     *(volatile u64 *)pa);
	return bad;
}

/* From the other side, through the user alias: other page-table entries. */
static u64 verify_alias(u64 end, u64 round)
{
	u64 pa, bad = 0;

	for (pa = end - STEP; pa >= FROM; pa -= STEP)
		bad += *(volatile u64 *)UALIAS(pa) != pattern(pa, round);
	return bad;
}

void guest_main(void)
{
	u64 end = memory_end(), round, bad;

	info("up to %lu MiB", end >> 20);
	for (round = 1; round <= ROUNDS; round++) {
		fill(end, round);
		bad = verify(end, round);
		bad += verify_alias(end, round);
		check(!bad, "round", "%lu: %lu wrong", round, bad);
	}
}
