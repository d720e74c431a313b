// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of the translation cache: pages that the guest's view of the slot
 * maps r-x, and that only this file writes, through the kernel's own mapping,
 * which is not executable.
 *
 * Pages come as they are needed, filled with INT3, and stay until the VM ends.
 */
#include <linux/io.h>
#include <linux/slab.h>

#include "bt/tc.h"

#define PTE_RX		(BIT_ULL(0) | BIT_ULL(5))		/* P, A */
#define PTE_TABLE	(BIT_ULL(0) | BIT_ULL(5))
#define TC_TABLE_BYTES	(PAGE_SIZE * 512)

/** tdm_arena_create() - tc->size is set; 0, -ENOMEM. What was allocated is freed by tdm_arena_destroy() */
int tdm_arena_create(struct tdm_bt_vm *tc)
{
	u32 pages = tc->size / PAGE_SIZE;

	tc->page = kvcalloc(pages, sizeof(*tc->page), GFP_KERNEL_ACCOUNT);
	tc->first = kvcalloc(pages, sizeof(*tc->first), GFP_KERNEL_ACCOUNT);
	tc->pt = kvcalloc(tc->size / TC_TABLE_BYTES, sizeof(*tc->pt), GFP_KERNEL_ACCOUNT);
	tc->pd = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!tc->page || !tc->first || !tc->pt || !tc->pd)
		return -ENOMEM;
	tdm_vm_stat_add(tc->vm, bt_mem_bytes,
			pages * (sizeof(*tc->page) + sizeof(*tc->first)) + PAGE_SIZE);
	return 0;
}

/** tdm_arena_destroy() - free it all; no vCPU runs any more */
void tdm_arena_destroy(struct tdm_bt_vm *tc)
{
	u32 i;

	for (i = 0; tc->page && i < tc->size / PAGE_SIZE; i++)
		free_page((unsigned long)tc->page[i]);
	for (i = 0; tc->pt && i < tc->size / TC_TABLE_BYTES; i++)
		free_page((unsigned long)tc->pt[i]);
	free_page((unsigned long)tc->pd);
	kvfree(tc->page);
	kvfree(tc->first);
	kvfree(tc->pt);
}

static int arena_page(struct tdm_bt_vm *tc, u32 nr)
{
	u32 table = nr / 512;
	u8 *page;

	if (tc->page[nr])
		return 0;
	if (!tc->pt[table]) {
		tc->pt[table] = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!tc->pt[table])
			return -ENOMEM;
		tdm_vm_stat_add(tc->vm, bt_mem_bytes, PAGE_SIZE);
		WRITE_ONCE(tc->pd[table], virt_to_phys(tc->pt[table]) | PTE_TABLE);
	}
	page = (u8 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	memset(page, 0xcc, PAGE_SIZE);
	tdm_vm_stat_add(tc->vm, bt_mem_bytes, PAGE_SIZE);
	tdm_vm_stat_add(tc->vm, bt_tc_bytes, PAGE_SIZE);
	/* The page's contents before the entry that shows them to the guest. */
	smp_wmb();
	WRITE_ONCE(tc->pt[table][nr % 512], virt_to_phys(page) | PTE_RX);
	WRITE_ONCE(tc->page[nr], page);
	return 0;
}

/**
 * tdm_arena_back() - have memory behind a range
 * @tc: the TC; tc->mutex held, may sleep
 * @off: first byte
 * @len: how many, not 0, inside the arena
 *
 * Return: 0, -ENOMEM.
 */
int tdm_arena_back(struct tdm_bt_vm *tc, u32 off, u32 len)
{
	u32 nr;
	int r;

	for (nr = off / PAGE_SIZE; nr <= (off + len - 1) / PAGE_SIZE; nr++) {
		r = arena_page(tc, nr);
		if (r)
			return r;
	}
	return 0;
}

/** tdm_tc_write() - write code; tc->lock or tc->mutex held, the range is backed */
void tdm_tc_write(struct tdm_bt_vm *tc, u32 off, const void *buf, u32 len)
{
	while (len) {
		u32 in = off % PAGE_SIZE, n = min_t(u32, len, PAGE_SIZE - in);

		memcpy(tc->page[off / PAGE_SIZE] + in, buf, n);
		off += n;
		buf += n;
		len -= n;
	}
}

/** tdm_tc_read() - read code; what is not backed reads as INT3. Any lock, or none */
void tdm_tc_read(struct tdm_bt_vm *tc, u32 off, void *buf, u32 len)
{
	while (len) {
		u32 in = off % PAGE_SIZE, n = min_t(u32, len, PAGE_SIZE - in);
		u8 *page = off < tc->size ? READ_ONCE(tc->page[off / PAGE_SIZE]) : NULL;

		if (page)
			memcpy(buf, page + in, n);
		else
			memset(buf, 0xcc, n);
		off += n;
		buf += n;
		len -= n;
	}
}

/**
 * tdm_tc_store32() - change four bytes of code that may be running
 * @tc: the TC; tc->lock held
 * @off: with tc->smp they are within 64 bytes: processors see all of it or nothing
 * @val: little endian
 */
void tdm_tc_store32(struct tdm_bt_vm *tc, u32 off, u32 val)
{
	volatile struct tdm_unaligned32 *at;

	if (!tc->smp) {
		tdm_tc_write(tc, off, &val, sizeof(val));
		return;
	}
	if (WARN_ON_ONCE(off / 64 != (off + 3) / 64 || off + 4 > tc->size))
		return;
	at = (void *)(tc->page[off / PAGE_SIZE] + off % PAGE_SIZE);
	at->val = val;
}
