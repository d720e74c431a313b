// SPDX-License-Identifier: GPL-2.0-only
/* The shim's own state: an arena of pages that knows what is in use. */
#include <sys/mman.h>

#include "kernel.h"

u8 *shim_arena;
struct page shim_page[SHIM_PAGES + SHIM_HOST_PAGES];
long shim_live;
unsigned int shim_fail;
const void *shim_bad_user = (void *)-1l;
void *(*shim_uaccess)(const void *at, bool write, bool may_fault);
int shim_no_faults;
typeof(boot_cpu_data) boot_cpu_data = { .x86_phys_bits = 40 };

static LIST_HEAD(free_pages);

/* Before anything else, where host pages are used; else with the first page. */
void shim_init(void)
{
	unsigned long i;

	if (shim_arena)
		return;
	shim_arena = mmap(NULL, (SHIM_PAGES + SHIM_HOST_PAGES) << PAGE_SHIFT,
			  PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
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
	shim_init();
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

/**
 * shim_copy_user() - copy_to_user() and copy_from_user()
 *
 * Return: bytes left over.
 */
unsigned long shim_copy_user(void *to, const void *from, unsigned long n, bool write)
{
	const void *user = write ? to : from;

	if (user == shim_bad_user)
		return n;
	while (n) {
		unsigned long now = min(n, PAGE_SIZE - PAGE_OFF(user));
		void *at = shim_uaccess ? shim_uaccess(user, write, !shim_no_faults) : (void *)user;

		if (!at)
			break;
		if (write)
			memcpy(at, from, now);
		else
			memcpy(to, at, now);
		to = (u8 *)to + now;
		from = (const u8 *)from + now;
		user = write ? to : from;
		n -= now;
	}
	return n;
}

/* For writing, and all in one page. */
bool shim_access_begin(void **at, unsigned long n)
{
	assert(PAGE_OFF(*at) + n <= PAGE_SIZE);
	if (shim_uaccess)
		*at = shim_uaccess(*at, true, !shim_no_faults);
	return *at;
}
