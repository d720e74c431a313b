// SPDX-License-Identifier: GPL-2.0-only
/*
 * smpmmu.c - two processors on the same page tables: shoot-downs, tables that
 * change under a walk, accessed and dirty flags set from both sides.
 *
 * SDM vol. 3, "Propagation of Paging-Structure Changes to Multiple
 * Processors". Nothing that depends on who was first is printed.
 */
#include "irq.h"
#include "paging.h"

const char guest_name[] = "smpmmu";

#define RW (PT_P | PT_W)
#define VEC_SHOOT 0x62
#define AVL_ONE BIT(52)
#define AVL_MASK (0x7fful << 52)

enum { AP_IDLE, AP_READ, AP_WALK, AP_DIRTY, AP_WRITE, AP_UPPER };

static struct chain c;
static volatile int ap_job, ap_running, ap_started;
static volatile u64 shot_va, shots, ap_bad, ap_rounds, ap_last;
/* What the reader may see: both are bits of (1 << frame). */
static volatile u64 may_see;

static bool shoot_hook(struct frame *f)
{
	invlpg_addr(shot_va);
	apic_write(APIC_EOI, 0);
	shots++;
	return true;
}

static u64 seen_bit(u64 cell)
{
	return cell & PROBE_FAULT ? BIT(32) : BIT(cell & 15);
}

static void ap_step(void)
{
	u64 value, r = ap_rounds++;

	switch (ap_job) {
	case AP_READ:
		/* The mask is read before: it only ever grows before a shot. */
		value = may_see;
		barrier();
		if (!(seen_bit(probe_cell(c.va)) & (value | may_see)))
			ap_bad++;
		break;
	case AP_WALK:
		invlpg_addr(c.va + (r & 15) * PAGE_SIZE);
		if (!(seen_bit(probe_cell(c.va + (r & 15) * PAGE_SIZE)) &
		      (BIT(3) | BIT(9) | BIT(32))))
			ap_bad++;
		break;
	case AP_DIRTY:
		invlpg_addr(c.va);
		if (r & 1)
			probe_write(c.va + 0x100, r);
		else
			probe_cell(c.va);
		break;
	case AP_WRITE:
		if (probe_write(c.va + 0x100, r) == ACC_FINE)
			ap_last = r;
		break;
	case AP_UPPER:
		if (!(r & 7))
			write_cr3(read_cr3());
		if (!(seen_bit(probe_cell(c.va + 0x200000 + (r & 15) * PAGE_SIZE)) &
		      (BIT(r & 15) | BIT(15 - (r & 15)) | BIT(32))))
			ap_bad++;
		break;
	}
}

static void ap_main(void)
{
	load_idt(&idt_ptr);
	apic_enable();
	sti();
	ap_started++;
	for (;;) {
		if (ap_job == AP_IDLE) {
			ap_running = 0;
			pause();
			continue;
		}
		ap_running = 1;
		ap_step();
	}
}

static void ap_do(int job)
{
	ap_bad = 0;
	ap_rounds = 0;
	ap_job = job;
	while (!ap_running || ap_rounds < 2)
		pause();
}

static void ap_stop(void)
{
	ap_job = AP_IDLE;
	while (ap_running)
		pause();
}

static bool shoot(u64 va)
{
	u64 before = shots, start = rdtsc();

	shot_va = va;
	invlpg_addr(va);
	apic_icr(0, ICR_OTHERS | ICR_ASSERT | VEC_SHOOT);
	while (shots == before)
		if (rdtsc() - start > 2000000000)
			return false;
		else
			pause();
	return true;
}

/* After the acknowledgement nobody sees the old page. */
static void shootdown(void)
{
	u32 i, frame, bad = 0;

	c.table[1][0] = frame_pa(0) | RW;
	shoot(c.va);
	may_see = BIT(0);
	ap_do(AP_READ);
	for (i = 1; i < 150; i++) {
		frame = i & 15;
		may_see |= BIT(frame);
		barrier();
		c.table[1][0] = frame_pa(frame) | RW;
		bad += !shoot(c.va);
		may_see = BIT(frame);
		/* Let it look a few times. */
		ap_rounds = 0;
		while (ap_rounds < 3)
			pause();
	}
	ap_stop();
	check(!bad && !ap_bad, "shootdown", "%u %lu", bad, ap_bad);
}

/* Every state a walk may meet, and nothing in between. */
static void under_walk(void)
{
	static const u64 states[] = { 3, 9, 0, 9, 3, 0 };
	u32 i, k;
	u64 s;

	for (k = 0; k < 16; k++)
		c.table[1][k] = frame_pa(3) | RW;
	ap_do(AP_WALK);
	for (i = 0; i < 3000; i++) {
		k = i & 15;
		s = states[i % ARRAY_SIZE(states)];
		/* One store: a walk sees all of it or nothing. */
		*(volatile u64 *)&c.table[1][k] = s ? frame_pa(s) | RW : 0;
	}
	ap_stop();
	check(!ap_bad, "under_walk", "%lu", ap_bad);
}

/*
 * One processor counts in bits the other's A and D updates must not disturb,
 * and clears A and D: not one count is lost.
 */
static void flags_race(void)
{
	u32 i, n = 2000;
	u64 e;

	c.table[1][0] = frame_pa(2) | RW;
	shoot(c.va);
	ap_do(AP_DIRTY);
	for (i = 0; i < n; i++) {
		__atomic_fetch_add(&c.table[1][0], AVL_ONE, __ATOMIC_SEQ_CST);
		__atomic_fetch_and(&c.table[1][0], ~(PT_A | PT_D),
				   __ATOMIC_SEQ_CST);
	}
	ap_stop();
	e = c.table[1][0] & ~(PT_A | PT_D);
	check_eq("flags_race", e, frame_pa(2) | RW | (n * AVL_ONE & AVL_MASK));
}

/*
 * The way an OS takes a dirty page: exchange the entry with 0. If D was clear,
 * nobody writes after, flush or not.
 */
static void dirty_race(void)
{
	volatile u64 *cell = (u64 *)(frame_pa(5) + 0x100);
	u32 i, bad = 0, clean = 0;
	u64 old, now;
	int wait;

	ap_do(AP_WRITE);
	for (i = 0; i < 300; i++) {
		shoot(c.va);
		*(volatile u64 *)&c.table[1][0] = frame_pa(5) | RW;
		for (wait = i & 31; wait; wait--)
			pause();
		old = __atomic_exchange_n(&c.table[1][0], 0, __ATOMIC_SEQ_CST);
		now = *cell;
		if (old & PT_D)
			continue;
		clean++;
		for (wait = 0; wait < 20; wait++)
			pause();
		bad += *cell != now;
	}
	ap_stop();
	info("dirty_race: %u of %u were clean", clean, i);
	check_eq("dirty_race", bad, 0);
	shoot(c.va);
}

/* Directories swapped, removed and put back under the other's walks. */
static void upper_race(void)
{
	u64 *a = (u64 *)frame_pa(frame_alloc()), *b = (u64 *)frame_pa(frame_alloc());
	u32 i;

	for (i = 0; i < 16; i++) {
		a[i] = frame_pa(i) | RW;
		b[i] = frame_pa(15 - i) | RW;
	}
	c.table[2][1] = (u64)a | RW;
	ap_do(AP_UPPER);
	for (i = 0; i < 600; i++) {
		*(volatile u64 *)&c.table[2][1] =
			(u64)(i % 3 == 0 ? a : i % 3 == 1 ? b : NULL) |
			(i % 3 == 2 ? 0 : RW);
		if (i % 16 == 0)
			write_cr3(read_cr3());
	}
	ap_stop();
	check(!ap_bad, "upper_race", "%lu", ap_bad);
}

/* Both set A and D of the same entries; the result is what one would see. */
static void both_set(void)
{
	u32 i, k, bad = 0;

	for (i = 0; i < 40; i++) {
		for (k = 0; k < 16; k++)
			c.table[1][k] = frame_pa(3) | RW;
		shoot(c.va);
		write_cr3(read_cr3());
		ap_do(AP_WALK);
		for (k = 0; k < 16; k++)
			bad += probe_write(c.va + k * PAGE_SIZE + 0x100, i) !=
			       ACC_FINE;
		ap_stop();
		for (k = 0; k < 16; k++)
			bad += (c.table[1][k] & ~PT_A) !=
			       (frame_pa(3) | RW | PT_D);
	}
	check(!bad && !ap_bad, "both_set", "%u %lu", bad, ap_bad);
}

void guest_main(void)
{
	pic_init();
	apic_enable();
	probe_init();
	chain_init(&c, 1);
	exc_set_hook(VEC_SHOOT, shoot_hook);
	ap_start(ap_main);
	if (!wait_count(&ap_started, 1)) {
		skip("smpmmu", "no second processor answers");
		return;
	}
	/* It has the root it started with: the slot is in that one, too. */
	shootdown();
	under_walk();
	flags_race();
	dirty_race();
	upper_race();
	both_set();
}
