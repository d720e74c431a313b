// SPDX-License-Identifier: GPL-2.0-only
/*
 * smpcode.c - one processor changes code that another one runs.
 *
 * SDM vol. 3, "Cross-Modifying Code": the other processor sees the new code after
 * it has executed a serialising instruction behind a handshake. Kernels go further
 * and put an INT3 over the first byte, change the rest and then the first byte,
 * with an interrupt that serialises between the steps; at no time may anything but
 * the old code, the trap or the new code run.
 */
#include "irq.h"

const char guest_name[] = "smpcode";

#define VEC_SYNC 0x62
#define PATIENCE 2000000000ul

static u8 *code;
static volatile int ap_up;
static volatile u32 order, done, result;
static volatile u32 synced, trapped, wrong, rounds;
static volatile bool spinning, stop;

static u32 call(const void *f)
{
	u32 r;

	asm volatile("call *%1" : "=a"(r) : "r"(f)
		     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "cc", "memory");
	return r;
}

static void put_return(u8 *at, u32 value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

static bool sync_hook(struct frame *f)
{
	apic_write(APIC_EOI, 0);
	__atomic_fetch_add(&synced, 1, __ATOMIC_SEQ_CST);
	return true; /* IRET serialises */
}

/* The other processor ran into the INT3: as if it were the old mov's end. */
static bool bp_hook(struct frame *f)
{
	__atomic_fetch_add(&trapped, 1, __ATOMIC_SEQ_CST);
	f->rax = 0;
	f->rip += 4;
	return true;
}

/*
 * What it runs while the code changes: each call has to give 0 (the trap), or a
 * value whose four bytes are alike.
 */
static void spin(void)
{
	u32 v;

	spinning = true;
	while (!stop) {
		v = call(code);
		if (v != (v & 0xff) * 0x01010101u)
			wrong++;
		rounds++;
	}
	spinning = false;
}

enum { ORDER_CALL = 1, ORDER_SPIN, ORDER_WRITE };

static void ap_main(void)
{
	u32 last = 0;

	load_idt(&idt_ptr);
	apic_enable();
	ap_up = 1;
	sti();
	for (;;) {
		while (order == last)
			pause();
		last = order;
		cpuid(0, 0);
		switch (last & 0xff) {
		case ORDER_CALL:
			result = call(code + (last >> 8 & 1) * PAGE_SIZE);
			break;
		case ORDER_WRITE:
			put_return(code, last >> 8);
			break;
		case ORDER_SPIN:
			spin();
			break;
		}
		done = last;
	}
}

static bool obey(u32 what)
{
	u64 start = rdtsc();

	order = what;
	while (done != what)
		if (rdtsc() - start > PATIENCE)
			return false;
		else
			pause();
	cpuid(0, 0);
	return true;
}

static bool sync_other(void)
{
	u32 before = synced;
	u64 start = rdtsc();

	apic_icr(0, ICR_OTHERS | ICR_ASSERT | VEC_SYNC);
	while (synced == before)
		if (rdtsc() - start > PATIENCE)
			return false;
		else
			pause();
	return true;
}

/* Taking turns: written here, runs there; written there, runs here. */
static void turns(void)
{
	u32 i, bad = 0;

	for (i = 1; i < 150 && !bad; i++) {
		put_return(code, i);
		bad += !obey(i << 16 | ORDER_CALL) || result != i;
	}
	check_eq("turns.there", bad, 0);
	for (i = 1; i < 150 && !bad; i++) {
		bad += !obey(i << 8 | ORDER_WRITE);
		bad += call(code) != i;
	}
	check_eq("turns.here", bad, 0);
	/* Through another address. */
	window_map(0, (u64)code, PT_P | PT_W);
	for (i = 1; i < 100 && !bad; i++) {
		put_return((u8 *)window_addr(0), i * 3);
		bad += !obey(i << 16 | ORDER_CALL) || result != i * 3;
	}
	check_eq("turns.alias", bad, 0);
	/* Two pages in turn, both have been run by both. */
	for (i = 1; i < 100 && !bad; i++) {
		put_return(code + (i & 1) * PAGE_SIZE, i * 5);
		bad += !obey(i << 16 | (i & 1) << 8 | ORDER_CALL);
		bad += result != i * 5;
		bad += call(code + (i & 1) * PAGE_SIZE) != i * 5;
	}
	check_eq("turns.pages", bad, 0);
}

/* INT3, a sync, the tail, a sync, the head, a sync: while it runs. */
static void live(void)
{
	u32 i, v, bad = 0, before;
	u64 start;

	put_return(code, 0);
	stop = false;
	order = 0x10000 | ORDER_SPIN;
	while (!spinning)
		pause();
	for (i = 1; i < 60 && !bad; i++) {
		v = (i & 0xff) * 0x01010101u;
		*(volatile u8 *)code = 0xcc;
		bad += !sync_other();
		memcpy(code + 1, &v, 4);
		bad += !sync_other();
		*(volatile u8 *)code = 0xb8;
		bad += !sync_other();
		/* It goes on and sees the new value. */
		before = rounds;
		start = rdtsc();
		while (rounds < before + 2 && rdtsc() - start < PATIENCE)
			pause();
		bad += rounds < before + 2;
	}
	stop = true;
	while (spinning)
		pause();
	check_eq("live.goes_on", bad, 0);
	check_eq("live.never_torn", wrong, 0);
	info("trapped %u of %u", trapped, rounds);

	/* One aligned byte, without any help: old or new. */
	wrong = 0;
	put_return(code, 0);
	stop = false;
	order = 0x20000 | ORDER_SPIN;
	while (!spinning)
		pause();
	for (i = 0; i < 3000; i++)
		*(volatile u32 *)(code + 1) = (i & 0xff) * 0x01010101u;
	stop = true;
	while (spinning)
		pause();
	info("unsynchronised: %u torn", wrong);
	check(true, "live.survives", "a storm of stores");
}

void guest_main(void)
{
	pic_init();
	apic_enable();
	exc_set_hook(VEC_SYNC, sync_hook);
	exc_set_hook(EXC_BP, bp_hook);
	code = alloc_pages(2);
	ap_start(ap_main);
	if (!wait_count(&ap_up, 1)) {
		skip("smpcode", "no second processor answers");
		return;
	}
	turns();
	live();
}
