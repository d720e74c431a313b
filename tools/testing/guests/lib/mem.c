// SPDX-License-Identifier: GPL-2.0-only
/*
 * mem.c - pages to play with, and the window of 4 KiB mappings.
 *
 * alloc_pages() only grows; a guest needs no more than it asks for at start.
 * Pages come zeroed out of the identity-mapped gigabyte, behind the image.
 */
#include "lib.h"

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

void mem_init(void)
{
	next_free = ((u64)guest_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}
