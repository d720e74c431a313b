// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254 against its data sheet, and its ticks as interrupts.
 */
#include "dev_test.h"
#include "kmod/devices/pit_core.h"

/* Time of so many PIT ticks, and a bit. */
static void ticks(unsigned int n)
{
	u64 now = tdm_pit_ticks(dev_ns);

	dev_advance(tdm_pit_ns(now + n) - dev_ns);
}

static void program(int chan, u8 control, u16 count)
{
	dev_out(0x43, chan << 6 | control);
	dev_out(0x40 + chan, count);
	dev_out(0x40 + chan, count >> 8);
}

static u16 count_of(int chan)
{
	u16 v;

	dev_out(0x43, chan << 6);
	v = dev_in(0x40 + chan);
	return v | dev_in(0x40 + chan) << 8;
}

static u8 status_of(int chan)
{
	dev_out(0x43, 0xe0 | 2 << chan);
	return dev_in(0x40 + chan);
}

static void conversions(void)
{
	u64 n;

	CHECK_EQ(tdm_pit_ticks(1000000000), TDM_PIT_HZ);
	CHECK_EQ(tdm_pit_ticks(0), 0);
	for (n = 1; n < 1ull << 50; n = n * 3 + 1) {
		CHECK_EQ(tdm_pit_ticks(tdm_pit_ns(n)), n);
		CHECK(tdm_pit_ticks(tdm_pit_ns(n) - 1) < n);
	}
}

static void mode0(void)
{
	dev_out(0x43, 0x30);
	CHECK_EQ(status_of(0), 0x70);	/* OUT low, null count, word, mode 0 */
	dev_out(0x40, 100);
	dev_out(0x40, 0);
	CHECK_EQ(status_of(0), 0x30);
	CHECK_EQ(count_of(0), 100);
	ticks(40);
	CHECK_EQ(count_of(0), 60);
	ticks(60);
	CHECK_EQ(count_of(0), 0);
	CHECK_EQ(status_of(0), 0xb0);	/* OUT high, and stays */
	ticks(1);
	CHECK_EQ(count_of(0), 0xffff);
	CHECK_EQ(status_of(0), 0xb0);
	/* The first byte of a new count lowers OUT and stops the counter. */
	dev_out(0x40, 50);
	CHECK_EQ(status_of(0) & 0x80, 0);
	ticks(1000);
	dev_out(0x40, 0);
	CHECK_EQ(count_of(0), 50);
}

static void mode2(void)
{
	program(0, 0x34, 10);
	CHECK_EQ(count_of(0), 10);
	ticks(9);
	CHECK_EQ(count_of(0), 1);
	CHECK_EQ(status_of(0), 0x34);	/* low for the last tick */
	ticks(1);
	CHECK_EQ(count_of(0), 10);
	CHECK_EQ(status_of(0), 0xb4);
	/* A new count waits for the end of the period. */
	ticks(3);
	dev_out(0x40, 20);
	dev_out(0x40, 0);
	CHECK_EQ(status_of(0) & 0x40, 0x40);
	CHECK_EQ(count_of(0), 7);
	ticks(7);
	CHECK_EQ(status_of(0) & 0x40, 0);
	CHECK_EQ(count_of(0), 20);
	ticks(25);
	CHECK_EQ(count_of(0), 15);
}

static void mode3(void)
{
	static const u16 odd[] = { 4, 2, 0, 4, 2, 4, 2, 0 };
	int i;

	program(0, 0x36, 6);
	CHECK_EQ(count_of(0), 6);
	ticks(1);
	CHECK_EQ(count_of(0), 4);
	CHECK_EQ(status_of(0) & 0x80, 0x80);
	ticks(2);
	CHECK_EQ(count_of(0), 6);
	CHECK_EQ(status_of(0) & 0x80, 0);
	ticks(3);
	CHECK_EQ(status_of(0) & 0x80, 0x80);
	/* Odd: one tick longer high than low. */
	program(0, 0x36, 5);
	for (i = 0; i < (int)ARRAY_SIZE(odd); i++) {
		CHECK_EQ(count_of(0), odd[i]);
		CHECK_EQ(status_of(0) >> 7, i % 5 < 3);
		ticks(1);
	}
	program(0, 0x3e, 0);		/* mode 7 is mode 3; 0 is 65536 */
	CHECK_EQ(status_of(0), 0xb6);
	CHECK_EQ(count_of(0), 0);
	ticks(1);
	CHECK_EQ(count_of(0), 0xfffe);
}

static void mode4(void)
{
	program(0, 0x38, 10);
	CHECK_EQ(status_of(0), 0xb8);
	ticks(10);
	CHECK_EQ(status_of(0), 0x38);
	ticks(1);
	CHECK_EQ(status_of(0), 0xb8);
	CHECK_EQ(count_of(0), 0xffff);
}

static void gate(u8 on)
{
	dev_out(0x61, on);
}

static void gated(void)
{
	gate(0);
	program(2, 0x32, 10);		/* mode 1: waits for the gate */
	CHECK_EQ(dev_in(0x61) & 0x20, 0x20);
	ticks(100);
	CHECK_EQ(dev_in(0x61) & 0x21, 0x20);
	gate(1);
	CHECK_EQ(dev_in(0x61) & 0x21, 0x01);
	ticks(5);
	gate(0);
	ticks(4);
	CHECK_EQ(dev_in(0x61) & 0x20, 0);
	ticks(1);
	CHECK_EQ(dev_in(0x61) & 0x20, 0x20);
	gate(1);			/* and again */
	ticks(9);
	gate(0);
	gate(1);			/* retriggered */
	ticks(9);
	CHECK_EQ(dev_in(0x61) & 0x20, 0);

	dev_out(0x42, 20);		/* a new count waits for the next trigger */
	dev_out(0x42, 0);
	ticks(5);
	CHECK_EQ(dev_in(0x61) & 0x20, 0x20);
	gate(0);
	gate(1);
	ticks(19);
	CHECK_EQ(dev_in(0x61) & 0x20, 0);
	ticks(1);
	CHECK_EQ(dev_in(0x61) & 0x20, 0x20);

	gate(0);
	program(2, 0x30, 100);		/* mode 0: the gate stops the count */
	ticks(50);
	CHECK_EQ(count_of(2), 100);
	gate(1);
	ticks(30);
	gate(0);
	ticks(500);
	CHECK_EQ(count_of(2), 70);
	gate(1);
	ticks(69);
	CHECK_EQ(dev_in(0x61) & 0x20, 0);
	ticks(1);
	CHECK_EQ(dev_in(0x61) & 0x20, 0x20);

	program(2, 0x34, 50);		/* mode 2: the gate's rise reloads */
	ticks(20);
	gate(0);
	ticks(7);
	gate(1);
	CHECK_EQ(count_of(2), 50);

	gate(0);
	program(2, 0x3a, 10);		/* mode 5 */
	ticks(50);
	CHECK_EQ(dev_in(0x61) & 0x20, 0x20);
	gate(1);
	ticks(10);
	CHECK_EQ(dev_in(0x61) & 0x20, 0);
	ticks(1);
	CHECK_EQ(dev_in(0x61) & 0x20, 0x20);
}

static void latches(void)
{
	program(0, 0x34, 0x1234);
	dev_out(0x43, 0x00);
	ticks(0x40);
	dev_out(0x43, 0x00);		/* ignored: one is latched */
	CHECK_EQ(dev_in(0x40), 0x34);
	CHECK_EQ(dev_in(0x40), 0x12);
	CHECK_EQ(count_of(0), 0x11f4);
	/* Read-back of both: status first. */
	dev_out(0x43, 0xc2);
	ticks(5);
	CHECK_EQ(dev_in(0x40), 0xb4);
	CHECK_EQ(dev_in(0x40), 0xf4);
	CHECK_EQ(dev_in(0x40), 0x11);
	/* Unlatched reads alternate; a control word starts them over. */
	CHECK_EQ(dev_in(0x40), 0xef);
	dev_out(0x43, 0x34);
	dev_out(0x40, 0x78);
	dev_out(0x40, 0x56);
	CHECK_EQ(dev_in(0x40), 0x78);
	CHECK_EQ(dev_in(0x40), 0x56);
	/* One byte only */
	dev_out(0x43, 0x14);
	dev_out(0x40, 0x42);
	CHECK_EQ(dev_in(0x40), 0x42);
	CHECK_EQ(dev_in(0x40), 0x42);
	dev_out(0x43, 0x24);
	dev_out(0x40, 0x42);
	CHECK_EQ(dev_in(0x40), 0x42);
	ticks(1);
	CHECK_EQ(dev_in(0x40), 0x41);
	/* Several counters in one read-back */
	program(1, 0x34, 0x2222);
	dev_out(0x43, 0xd6);
	ticks(3);
	CHECK_EQ(dev_in(0x41), 0x22);
	CHECK_EQ(dev_in(0x41), 0x22);
}

static void bcd(void)
{
	program(0, 0x35, 0x1000);
	CHECK_EQ(count_of(0), 0x1000);
	ticks(1);
	CHECK_EQ(count_of(0), 0x0999);
	ticks(999);
	CHECK_EQ(count_of(0), 0x1000);
	program(0, 0x31, 0x0000);	/* 10000 */
	CHECK_EQ(count_of(0), 0);
	ticks(1);
	CHECK_EQ(count_of(0), 0x9999);
}

static void refresh_bit(void)
{
	u8 last = dev_in(0x61) & 0x10;
	int changes = 0, i;

	for (i = 0; i < 1000; i++) {
		dev_advance(1000);
		if ((dev_in(0x61) & 0x10) != last)
			changes++;
		last = dev_in(0x61) & 0x10;
	}
	CHECK(changes >= 65 && changes <= 67);	/* 1 ms / 15.085 us */
}

static int serve(void)
{
	int n = 0;

	while (dev_take(0) == 0x20) {
		n++;
		dev_out(0x20, 0x20);
	}
	return n;
}

static void ticks_as_interrupts(void)
{
	int i, n = 0;

	dev_pic_init();
	program(0, 0x34, 11932);	/* 100 Hz */
	for (i = 0; i < 1000; i++) {
		dev_advance(1000000);
		n += serve();
	}
	CHECK_EQ(n, 99);
	dev_advance(1000000);
	CHECK_EQ(serve(), 1);		/* none lost to rounding */
}

static void reinjection(void)
{
	struct kvm_reinject_control rc = { .pit_reinject = 0 };
	unsigned int fires;

	dev_pic_init();
	program(0, 0x34, 1193);		/* 1000 Hz */
	dev_advance(500 * NSEC_PER_MSEC + 10000);
	CHECK_EQ(serve(), 500);		/* the guest slept half a second */
	CHECK_EQ(tdm_pit_reinject(&dev->vm, &rc), 0);
	dev_advance(500 * NSEC_PER_MSEC);
	CHECK_EQ(serve(), 1);
	dev_advance(3 * NSEC_PER_MSEC);
	CHECK_EQ(serve(), 1);
	/* An absurd rate costs the host no more than so much. */
	program(0, 0x34, 2);
	fires = dev_timer_fires;
	dev_advance(NSEC_PER_SEC);
	CHECK(dev_timer_fires - fires <= 5001);
	rc.pit_reinject = 1;
	CHECK_EQ(tdm_pit_reinject(&dev->vm, &rc), 0);
	fires = dev_timer_fires;
	dev_advance(NSEC_PER_SEC);
	CHECK(dev_timer_fires - fires <= 11);
}

static void one_shot(void)
{
	dev_pic_init();
	program(0, 0x30, 1193);
	dev_advance(NSEC_PER_MSEC - 1000);
	CHECK_EQ(serve(), 0);
	dev_advance(2000);
	CHECK_EQ(serve(), 1);
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(serve(), 0);
	/* Stopped by mode 0's first byte before it came due */
	program(0, 0x30, 1193);
	dev_out(0x40, 0x10);
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(serve(), 0);
	dev_out(0x40, 0);
	dev_advance(NSEC_PER_MSEC);
	CHECK_EQ(serve(), 1);
	/* Counter 0's gate is wired up: modes 1 and 5 never start. */
	program(0, 0x32, 100);
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(serve(), 0);
}

/* To the tick: when does the interrupt come? */
static void exact(void)
{
	dev_pic_init();
	program(0, 0x38, 100);		/* mode 4: OUT rises a tick after it fell */
	ticks(100);
	CHECK_EQ(serve(), 0);
	ticks(1);
	CHECK_EQ(serve(), 1);
	program(0, 0x34, 1000);
	ticks(500);
	dev_out(0x40, 400 & 0xff);
	dev_out(0x40, 400 >> 8);
	CHECK_EQ(status_of(0) & 0x40, 0x40);
	ticks(499);
	CHECK_EQ(serve(), 0);
	CHECK_EQ(count_of(0), 1);
	ticks(1);
	CHECK_EQ(count_of(0), 400);	/* the new period has begun; its start is an edge */
	CHECK_EQ(serve(), 1);
	ticks(399);
	CHECK_EQ(serve(), 0);
	ticks(1);
	CHECK_EQ(serve(), 1);
	/* The same with a tick not yet served */
	program(0, 0x34, 1000);
	ticks(1500);
	dev_out(0x40, 400 & 0xff);
	dev_out(0x40, 400 >> 8);
	ticks(500);
	CHECK_EQ(count_of(0), 400);
	CHECK_EQ(serve(), 2);
}

/* A handler that takes longer than it takes to think the tick lost */
static void slow_handler(void)
{
	int n = 0;

	dev_apic_on(0);
	dev_ioapic_rte(2, 0x40);
	dev_out(0x21, 0xff);
	program(0, 0x34, 1193);
	dev_advance(NSEC_PER_MSEC);
	CHECK_EQ(dev_take(0), 0x40);
	dev_advance(449 * NSEC_PER_MSEC + 10000);
	do {
		dev_apic_write(0, TDM_APIC_EOI, 0);
		n++;
	} while (dev_take(0) == 0x40);
	CHECK_EQ(n, 450);
}

/* A tick lost in a LAPIC's reset, where no EOI can come from */
static void lost_in_lapic(void)
{
	dev_apic_on(0);
	dev_ioapic_rte(2, 0x40);
	dev_out(0x21, 0xff);
	program(0, 0x34, 1193);
	dev_advance(2 * NSEC_PER_MSEC);
	tdm_lapic_reset(dev->cpu[0], true);
	dev_apic_on(0);
	CHECK_EQ(dev_take(0), -1);
	dev_advance(110 * NSEC_PER_MSEC);
	CHECK_EQ(dev_take(0), 0x40);
}

static void masked(void)
{
	unsigned int fires;

	dev_pic_init();
	dev_out(0x21, 0x01);
	program(0, 0x34, 1193);
	fires = dev_timer_fires;
	dev_advance(NSEC_PER_SEC);
	CHECK(dev_timer_fires - fires <= 60);
	dev_out(0x21, 0x00);
	/* What was latched comes; the ticks missed while masked do not. */
	dev_advance(10 * NSEC_PER_MSEC + 10000);
	CHECK(serve() <= 12);
	dev_advance(5 * NSEC_PER_MSEC);
	CHECK_EQ(serve(), 5);
}

/* As Linux does it: mask, end of service, handler, unmask. */
static int serve_masked(u64 handler_ns, u16 reload)
{
	int n = 0;

	while (dev_take(0) == 0x20) {
		n++;
		dev_out(0x21, dev_in(0x21) | 1);
		dev_out(0x20, 0x60);
		if (reload) {
			dev_out(0x40, reload);
			dev_out(0x40, reload >> 8);
		}
		dev_advance(handler_ns);
		dev_out(0x21, dev_in(0x21) & ~1);
		if (reload)
			break;
	}
	return n;
}

static void masked_while_served(void)
{
	int i, n = 0;

	dev_pic_init();
	program(0, 0x34, 1193);
	dev_advance(300 * NSEC_PER_MSEC + 10000);
	CHECK(serve_masked(100000, 0) >= 330);	/* backlog and all, 1.1 ms each */
	/* A one-shot that ends before its input is unmasked comes all the same. */
	program(0, 0x38, 100);
	dev_advance(NSEC_PER_MSEC);
	for (i = 0; i < 50; i++) {
		n += serve_masked(50000 + i * 10000, 100);
		dev_advance(200000);
	}
	CHECK_EQ(n, 50);
}

/* The host's timer may come late: a write finds the tick due before it. */
static void late_timer(void)
{
	dev_pic_init();
	program(0, 0x38, 100);
	dev_ns += 200000;			/* no timer fires */
	program(0, 0x38, 50000);
	CHECK_EQ(serve(), 1);
	program(0, 0x38, 100);
	dev_ns += 200000;
	dev_out(0x21, 0x01);
	dev_out(0x21, 0x00);
	dev_advance(1);
	CHECK_EQ(serve(), 1);
}

/* Reinitialisation forgets a latched tick: the next must come all the same. */
static void lost_request(void)
{
	dev_pic_init();
	program(0, 0x34, 1193);
	dev_advance(2 * NSEC_PER_MSEC);
	dev_pic_init();
	dev_advance(300 * NSEC_PER_MSEC);
	CHECK(serve() > 0);
	dev_advance(10 * NSEC_PER_MSEC);
	CHECK(serve() > 0);
}

static void by_ioapic(void)
{
	int i, n = 0;

	dev_pic_init();
	dev_out(0x21, 0xff);
	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_LVT0, 0x10700);
	dev_ioapic_rte(2, 0x40);	/* edge, fixed, CPU 0 */
	program(0, 0x34, 11932);
	for (i = 0; i < 1000; i++) {
		dev_advance(1000000);
		while (dev_take(0) == 0x40) {
			n++;
			dev_apic_write(0, TDM_APIC_EOI, 0);
		}
	}
	CHECK(n >= 99 && n <= 100);
	/* The guest sleeps; it gets all it missed. */
	dev_advance(NSEC_PER_SEC);
	for (n = 0; dev_take(0) == 0x40; n++)
		dev_apic_write(0, TDM_APIC_EOI, 0);
	CHECK(n >= 100 && n <= 101);
}

static void nmi_watchdog(void)
{
	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_LVT0, 0x400);
	dev_pic_init();
	program(0, 0x34, 11932);
	dev_advance(100 * NSEC_PER_MSEC);
	CHECK(dev->nmis[0] >= 1);
	CHECK_EQ(dev->nmis[1], 0);
	dev_apic_write(0, TDM_APIC_LVT0, 0x10400);
	dev->nmis[0] = 0;
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(dev->nmis[0], 0);
}

static void state(void)
{
	struct kvm_pit_state2 ps, again;
	int i;

	program(0, 0x34, 1000);
	program(2, 0x36, 2000);
	gate(3);
	dev_out(0x43, 0x00);		/* latched, one byte read */
	CHECK_EQ(dev_in(0x40), 1000 & 0xff);
	dev_out(0x42, 0x55);		/* half a write */
	CHECK_EQ(tdm_pit_get(&dev->vm, &ps), 0);
	CHECK_EQ(ps.channels[0].count, 1000);
	CHECK_EQ(ps.channels[0].mode, 2);
	CHECK_EQ(ps.channels[0].count_latched, 4);
	CHECK_EQ(ps.channels[2].write_state, 4);
	CHECK_EQ(ps.channels[2].gate, 1);
	CHECK_EQ(ps.flags, KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	CHECK_EQ(tdm_pit_set(&dev->vm, &ps), 0);
	CHECK_EQ(tdm_pit_get(&dev->vm, &again), 0);
	for (i = 0; i < 3; i++)
		ps.channels[i].count_load_time = again.channels[i].count_load_time;
	CHECK_EQ(memcmp(&ps, &again, sizeof(ps)), 0);
	CHECK_EQ(dev_in(0x40), 1000 >> 8);
	dev_out(0x42, 0x01);
	ticks(2000);
	CHECK_EQ(count_of(2), 0x155 & ~1u);	/* since the end of the old period */
	/* The HPET has interrupt 0. */
	ps.flags = KVM_PIT_FLAGS_HPET_LEGACY;
	CHECK_EQ(tdm_pit_set(&dev->vm, &ps), 0);
	dev_pic_init();
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(serve(), 0);
	/* Anything at all is survived. */
	memset(&ps, 0xff, sizeof(ps));
	CHECK_EQ(tdm_pit_set(&dev->vm, &ps), 0);
	for (i = 0; i < 3; i++)
		count_of(i);
	memset(&ps, 0x05, sizeof(ps));
	CHECK_EQ(tdm_pit_set(&dev->vm, &ps), 0);
	for (i = 0; i < 3; i++)
		count_of(i);
}

static const struct dev_test tests[] = {
	{ "pit ticks and nanoseconds", conversions, 0, 0 },
	{ "pit mode 0", mode0, 1, 1 },
	{ "pit mode 2", mode2, 1, 1 },
	{ "pit mode 3", mode3, 1, 1 },
	{ "pit mode 4", mode4, 1, 1 },
	{ "pit gate, modes 1, 0, 2, 5", gated, 1, 1 },
	{ "pit latches and read-back", latches, 1, 1 },
	{ "pit decimal counting", bcd, 1, 1 },
	{ "pit port 0x61 refresh bit", refresh_bit, 1, 1 },
	{ "pit ticks as interrupts", ticks_as_interrupts, 1, 1 },
	{ "pit reinjection", reinjection, 1, 1 },
	{ "pit one-shot", one_shot, 1, 1 },
	{ "pit interrupts to the tick", exact, 1, 1 },
	{ "pit slow handler", slow_handler, 1, 1 },
	{ "pit tick forgotten by a LAPIC", lost_in_lapic, 1, 1 },
	{ "pit masked", masked, 1, 1 },
	{ "pit masked while served", masked_while_served, 1, 1 },
	{ "pit host timer late", late_timer, 1, 1 },
	{ "pit tick forgotten by the PIC", lost_request, 1, 1 },
	{ "pit through the IOAPIC", by_ioapic, 1, 1 },
	{ "pit as NMI watchdog", nmi_watchdog, 2, 1 },
	{ "pit state", state, 1, 1 },
};

DEV_TEST_MAIN(tests)
