// SPDX-License-Identifier: GPL-2.0-only
/*
 * mem.c - pages to play with, and the window of 4 KiB mappings.
 *
 * alloc_pages() only grows; a guest needs no more than it asks for at start.
 * Pages come zeroed out of the identity-mapped gigabyte, behind the image.
 */
#include "lib.h"

#define LOW_TOP 0x9f000ul
#define IMAGE 0x100000ul
/* More than any guest allocates. */
#define POOL 0x200000ul

extern char guest_end[];
static u64 next_free;

void *alloc_pages(u32 n)
{
	void *p = (void *)next_free;

	next_free += n * PAGE_SIZE;
	return memset(p, 0, n * PAGE_SIZE);
}

/* Window page @page shows physical page @pa with exactly @flags. */
void window_map(u32 page, u64 pa, u64 flags)
{
	window_pt[page] = pa | flags;
	invlpg_addr(window_addr(page));
}

u64 window_addr(u32 page)
{
	return WINDOW + page * PAGE_SIZE;
}

/*
 * A monitor maps a page when it is first touched, and a fault it takes for
 * that leaves RF set for the instruction that runs again: visible in frames
 * on some processors. Write to all we will use before the first check.
 */
static void touch_all(void)
{
	u64 a;

	for (a = PAGE_SIZE; a < next_free + POOL; a += PAGE_SIZE)
		if (a < LOW_TOP || a >= IMAGE)
			*(volatile u8 *)a = *(volatile u8 *)a;
}

void mem_init(void)
{
	next_free = ((u64)guest_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	touch_all();
}
