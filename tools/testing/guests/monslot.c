// SPDX-License-Identifier: GPL-2.0-only
/*
 * monslot.c - every entry of the PML4 is the guest's: read, written, mapped, used
 * for code, data and stacks, from ring 0 and from user mode, and torn down.
 *
 * A monitor without hardware help needs one of them for itself and has to move out
 * of the way. The code here lives in slot 0 and, for testing slot 0's like, in slot
 * 256; both are the library's and stay.
 */
#include "lib.h"

const char guest_name[] = "monslot";

#define FIRST 1
#define OURS 256		/* HIGH_ALIAS */

static u64 *pdpt, *pd, *pt;
static u8 *page;

static u64 slot_va(u32 slot)
{
	u64 va = (u64)slot << 39;

	return slot & 256 ? va | 0xffff000000000000 : va;
}

static void slot_map(u32 slot, u64 flags)
{
	boot_pml4[slot] = (u64)pdpt | flags;
}

static void slot_unmap(u32 slot)
{
	boot_pml4[slot] = 0;
}

static u64 hook_cr2, hook_err;
static u32 hook_count;
static bool pf_hook(struct frame *f)
{
	hook_cr2 = read_cr2();
	hook_err = f->err;
	hook_count++;
	f->rip = f->rbx;
	return true;
}

/* Error code of the #PF, or ~0 when there was none. */
static u64 touch(u64 va, bool write)
{
	u64 before = hook_count;

	if (write)
		asm volatile("lea 1f(%%rip), %%rbx; movb $1, (%0); 1:"
			     : : "r"(va) : "rbx", "memory");
	else
		asm volatile("lea 1f(%%rip), %%rbx; movb (%0), %%al; 1:"
			     : : "r"(va) : "rbx", "rax", "memory");
	if (hook_count == before)
		return ~0ul;
	return hook_cr2 == va ? hook_err : 0xbad;
}

/* Nothing mapped: #PF with this address, from writes and fetches by the kernel. */
static void unmapped(void)
{
	u32 slot, writes = 0, state = 0, reads = 0, fetches = 0, users = 0;
	u32 first = 0;
	struct snip user_read = SNIP("", "mov (%rbx), %al", "");
	struct snip user_write = SNIP("", "movb $1, (%rbx)", "");
	struct snip fetch = SNIP("", "jmp *%rbx", "");
	struct exec x;

	exc_set_hook(EXC_PF, pf_hook);
	for (slot = FIRST; slot < 512; slot++) {
		if (slot == OURS)
			continue;
		if (touch(slot_va(slot) + 0x12008, true) != PF_W ||
		    touch(slot_va(slot) + 0x40000000, true) != PF_W) {
			first = first ? first : slot;
			writes++;
		}
		state += touch(slot_va(slot) + 0x60800, true) != PF_W;
	}
	check_eq("unmapped.state", state, 0);
	check(!writes, "unmapped.write", "%u wrong, first %u", writes, first);
	for (slot = FIRST, first = 0; slot < 512; slot++) {
		if (slot == OURS)
			continue;
		if (touch(slot_va(slot) + 0x60000, false) != 0) {
			first = first ? first : slot;
			reads++;
		}
	}
	check(!reads, "unmapped.read", "%u wrong, first %u", reads, first);
	exc_set_hook(EXC_PF, NULL);
	for (slot = FIRST, first = 0; slot < 512; slot++) {
		if (slot == OURS)
			continue;
		exec_init(&x, &fetch);
		x.rbx = slot_va(slot);
		exec64(&x);
		if (x.vec != EXC_PF || x.err != 0 || x.rip != x.rbx || x.cr2 != x.rbx) {
			first = first ? first : slot;
			fetches++;
		}
		/* User mode, also at odd places. */
		exec_user(&x, &user_read);
		x.rbx = slot_va(slot) + slot * 0x1003ul;
		exec64(&x);
		users += x.vec != EXC_PF || x.err != PF_U || x.cr2 != x.rbx;
		exec_user(&x, &user_write);
		x.rbx = slot_va(slot) + 0x40000000ul + slot * 0x1001ul;
		exec64(&x);
		users += x.vec != EXC_PF || x.err != (PF_U | PF_W) ||
			 x.cr2 != x.rbx;
		exec_user(&x, &fetch);
		x.rbx = slot_va(slot) + 0x200000;
		exec64(&x);
		users += x.vec != EXC_PF || x.err != PF_U || x.rip != x.rbx;
	}
	check(!fetches, "unmapped.fetch", "%u wrong, first %u", fetches, first);
	check_eq("unmapped.user", users, 0);
}

/* mov $imm, %eax; ret */
static u32 call_at(u64 va)
{
	u32 r;

	asm volatile("call *%1" : "=a"(r) : "r"(va) : "rcx", "rdx", "memory");
	return r;
}

/* One slot after the other: data, code, a stack; gone again. */
static void one_by_one(void)
{
	u32 slot, data = 0, code = 0, stack = 0, user = 0, gone = 0, first = 0;
	struct snip run = SNIP("mov (%rbx), %rcx; mov %rcx, 8(%rbx)",
			       "push %rcx; pop %rdx", "");
	struct exec x;

	for (slot = FIRST; slot < 512; slot++) {
		u64 va = slot_va(slot), sp;
		u32 bad = data + code + stack + user + gone;

		if (slot == OURS)
			continue;
		slot_map(slot, PT_P | PT_W | PT_U);
		*(volatile u64 *)va = slot * 3;
		data += *(volatile u64 *)page != slot * 3;
		*(volatile u64 *)page = slot;
		data += *(volatile u64 *)va != slot;
		/* Its last page, by another entry of the same tables. */
		data += *(volatile u64 *)(va + 0x7ffffff000) != slot;

		page[0x100] = 0xb8;
		*(volatile u32 *)(page + 0x101) = slot;
		page[0x105] = 0xc3;
		code += call_at(va + 0x100) != slot;
		*(volatile u32 *)(va + 0x101) = slot + 1;
		code += call_at(va + 0x100) != slot + 1;

		asm volatile("mov %%rsp, %%r12; mov %1, %%rsp; call 1f; 1: pop %%rax; lea 1b(%%rip), %0; sub %%rax, %0; mov %%r12, %%rsp"
			     : "=&r"(sp) : "r"(va + 0x800) : "rax", "r12", "memory");
		stack += sp != 0;

		exec_user(&x, &run);
		x.rbx = va;
		x.rsp = va + 0xff0;
		exec64(&x);
		user += x.vec != VEC_DONE || x.rdx != slot ||
			*(volatile u64 *)(page + 8) != slot;

		slot_unmap(slot);
		write_cr3(read_cr3());
		exc_set_hook(EXC_PF, pf_hook);
		gone += touch(va, true) != PF_W;
		exc_set_hook(EXC_PF, NULL);
		if (bad != data + code + stack + user + gone && !first)
			first = slot;
	}
	check(!data, "each.data", "%u wrong, first %u", data, first);
	check(!code, "each.code", "%u wrong, first %u", code, first);
	check(!stack, "each.stack", "%u wrong, first %u", stack, first);
	check(!user, "each.user", "%u wrong, first %u", user, first);
	check(!gone, "each.gone", "%u wrong, first %u", gone, first);
}

/* All but one in turn: wherever the monitor is, it has to move to the free one. */
static void all_but_one(void)
{
	u32 free, slot, bad = 0, fault = 0;

	for (slot = FIRST; slot < 512; slot++)
		if (slot != OURS)
			slot_map(slot, PT_P | PT_W);
	exc_set_hook(EXC_PF, pf_hook);
	for (free = 255; free < 275; free++) {
		if (free == OURS)
			continue;
		slot_unmap(free);
		write_cr3(read_cr3());
		for (slot = 250; slot < 280; slot++) {
			if (slot == OURS)
				continue;
			if (slot == free) {
				fault += touch(slot_va(slot), true) != PF_W;
				continue;
			}
			*(volatile u64 *)(slot_va(slot) + 0x10) = slot + free;
			bad += *(volatile u64 *)(page + 0x10) != slot + free;
		}
		slot_map(free, PT_P | PT_W);
		bad += touch(slot_va(free), true) != ~0ul;
	}
	check_eq("all_but_one", bad, 0);
	check_eq("all_but_one.fault", fault, 0);
	/* The window where a kernel's direct map would be: all in use but 272-300. */
	for (slot = 272; slot < 300; slot++)
		slot_unmap(slot);
	write_cr3(read_cr3());
	for (slot = FIRST, bad = 0; slot < 512; slot++) {
		if (slot == OURS || (slot >= 272 && slot < 300))
			continue;
		bad += touch(slot_va(slot), true) != ~0ul;
	}
	check_eq("all_low", bad, 0);
	exc_set_hook(EXC_PF, NULL);
	for (slot = FIRST; slot < 512; slot++)
		if (slot != OURS)
			slot_unmap(slot);
	write_cr3(read_cr3());
}

/* Two address spaces that use different slots. */
static void two_spaces(void)
{
	u64 home = read_cr3(), *other = alloc_pages(1);
	u32 n, bad = 0, slot;

	for (n = 0; n < 64; n++) {
		slot = 257 + n % 15;
		memcpy(other, boot_pml4, PAGE_SIZE);
		other[slot] = (u64)pdpt | PT_P | PT_W;
		boot_pml4[slot ^ 1] = (u64)pdpt | PT_P | PT_W;
		write_cr3((u64)other);
		*(volatile u64 *)slot_va(slot) = n;
		bad += *(volatile u64 *)page != n;
		write_cr3(home);
		if ((slot ^ 1) != OURS) {
			*(volatile u64 *)slot_va(slot ^ 1) = n + 1;
			bad += *(volatile u64 *)page != n + 1;
			slot_unmap(slot ^ 1);
		} else {
			boot_pml4[OURS] = boot_pml4[0];
		}
		write_cr3(home);
	}
	check_eq("two_spaces", bad, 0);
}

void guest_main(void)
{
	u32 i;

	pdpt = alloc_pages(1);
	pd = alloc_pages(1);
	pt = alloc_pages(1);
	page = alloc_pages(1);
	/* Every page of a slot is the same one. */
	for (i = 0; i < 512; i++) {
		pdpt[i] = (u64)pd | PT_P | PT_W | PT_U;
		pd[i] = (u64)pt | PT_P | PT_W | PT_U;
		pt[i] = (u64)page | PT_P | PT_W | PT_U;
	}
	unmapped();
	one_by_one();
	all_but_one();
	two_spaces();
}
