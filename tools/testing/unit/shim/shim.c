// SPDX-License-Identifier: GPL-2.0-only
/* The shim's own state: an arena of pages that knows what is in use. */
#include <sys/mman.h>

#include "kernel.h"

u8 *shim_arena;
struct page shim_page[SHIM_PAGES];
long shim_live;
unsigned int shim_fail;
const void *shim_bad_user = (void *)-1l;
typeof(boot_cpu_data) boot_cpu_data = { .x86_phys_bits = 40 };

static LIST_HEAD(free_pages);

static void arena_init(void)
{
	unsigned long i;

	shim_arena = mmap(NULL, SHIM_PAGES << PAGE_SHIFT, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(shim_arena != MAP_FAILED);
	for (i = SHIM_PAGES; i-- > 1; )		/* address 0 is never a table */
		list_add(&shim_page[i].lru, &free_pages);
}

bool shim_fails(void)
{
	static unsigned int n;

	return shim_fail && ++n % shim_fail == 0;
}

struct page *alloc_page(int gfp)
{
	struct page *page;

	(void)gfp;
	if (!shim_arena)
		arena_init();
	page = list_first_entry_or_null(&free_pages, struct page, lru);
	if (!page || shim_fails())
		return NULL;
	list_del(&page->lru);
	page->private = 0;
	memset(page_address(page), 0, PAGE_SIZE);
	shim_live++;
	return page;
}

/* Whoever still walks a freed table finds nonsense. */
void __free_page(struct page *page)
{
	memset(page_address(page), 0xa5, PAGE_SIZE);
	list_add(&page->lru, &free_pages);
	shim_live--;
}
