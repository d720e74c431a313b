// SPDX-License-Identifier: GPL-2.0-only
/*
 * pic.c - the legacy controllers: 8259 pair, 8254, I/O APIC, with the serial
 * port and the timer as the two sources that every machine has.
 *
 * Intel's data sheets for 8259A, 8254, 82093AA; SDM vol. 3 for LINT0 as
 * ExtINT and for level-triggered interrupts.
 */
#include "irq.h"

const char guest_name[] = "pic";

#define COM1 0x3f8
#define IRQ_PIT 0
#define IRQ_COM1 4
#define VEC_PIT (PIC1_VEC + IRQ_PIT)
#define VEC_COM1 (PIC1_VEC + IRQ_COM1)
#define SPURIOUS 0xff
#define IOAPIC_PIN_PIT 2
#define IOAPIC_VEC_PIT 0x71
#define IOAPIC_VEC_COM1 0x92

/*
 * "Transmitter empty" as a line we can raise and lower. It drops while a
 * character is on its way: nothing may be printed between raising the line
 * and what the test does with it.
 */
static void com1_line(bool on)
{
	while (!(inb(COM1 + 5) & 0x40))
		pause();
	outb(COM1 + 4, 0x0b); /* OUT2 gates the line */
	outb(COM1 + 1, on ? 2 : 0);
}

static void clear_counts(void)
{
	memset((void *)irq_count, 0, sizeof(irq_count));
}

/* Nothing pending anywhere. */
static void quiet(void)
{
	com1_line(false);
	pit_program(0, 0, 0); /* OUT low for 55 ms */
	pic_init();
	clear_counts();
}

static void pic_registers(void)
{
	u8 a, b;

	pic_init();
	pic_mask(0x5aa5);
	check_eq("imr.master", inb(PIC1 + 1), 0xa5);
	check_eq("imr.slave", inb(PIC2 + 1), 0x5a);
	/* ICW1 clears the mask and the in-service register. */
	outb(PIC1, 0x11);
	outb(PIC1 + 1, PIC1_VEC);
	outb(PIC1 + 1, 4);
	outb(PIC1 + 1, 1);
	check_eq("icw1.clears_mask", inb(PIC1 + 1), 0);
	quiet();
	check_eq("isr.none", pic_isr(PIC1) | pic_isr(PIC2), 0);
	/* The request register sees the line behind the mask. */
	com1_line(true);
	a = pic_irr(PIC1) & 0x10;
	b = inb(PIC1) & 0x10;
	com1_line(false);
	check_eq("irr.masked", a, 0x10);
	check_eq("irr.stays_selected", b, 0x10);
	quiet();
}

/* The state of the controller seen from within a handler. */
static u8 seen_isr, seen_irr;
static u8 held_irr;
static int nested_low;

static bool com1_hook(struct frame *f)
{
	irq_hook_count(f);
	seen_isr = pic_isr(PIC1);
	seen_irr = pic_irr(PIC1);
	com1_line(false);
	pic_eoi(PIC1);
	return true;
}

/* Without EOI: lower priorities wait. */
static bool pit_holds_hook(struct frame *f)
{
	irq_hook_count(f);
	com1_line(true);
	sti_nop_cli();
	nested_low = irq_count[VEC_COM1];
	held_irr = pic_irr(PIC1);
	pic_eoi(PIC1);
	return true;
}

static void pic_delivery(void)
{
	int before;
	bool fired;

	apic_enable();
	apic_write(APIC_LVT_LINT0, LVT_EXTINT);
	exc_set_hook(VEC_COM1, com1_hook);
	exc_set_hook(VEC_PIT, irq_hook_pic);

	quiet();
	pic_mask(~(1 << IRQ_COM1));
	com1_line(true);
	before = irq_count[VEC_COM1];
	sti_nop_cli();
	check_eq("com1.if_clear", before, 0);
	check_eq("com1.delivered", irq_count[VEC_COM1], 1);
	check(seen_isr == 0x10 && !(seen_irr & 0x10), "com1.in_service",
	      "isr %x irr %x", seen_isr, seen_irr & 0x10);
	check_eq("com1.eoi", pic_isr(PIC1), 0);
	sti_nop_cli();
	check_eq("com1.once", irq_count[VEC_COM1], 1);

	/* Masked, then unmasked with the line still up. */
	pic_mask(0xffff);
	com1_line(true);
	sti_nop_cli();
	before = irq_count[VEC_COM1];
	pic_mask(~(1 << IRQ_COM1));
	sti_nop_cli();
	check_eq("com1.masked", before, 1);
	check_eq("com1.unmasked", irq_count[VEC_COM1], 2);

	/* LINT0 masked: the controller is cut off. */
	apic_write(APIC_LVT_LINT0, LVT_MASKED | LVT_EXTINT);
	com1_line(true);
	sti_nop_cli();
	before = irq_count[VEC_COM1];
	apic_write(APIC_LVT_LINT0, LVT_EXTINT);
	sti_nop_cli();
	check_eq("lint0.masked", before, 2);
	check_eq("lint0.unmasked", irq_count[VEC_COM1], 3);

	/* Both pending: IRQ 0 first, IRQ 4 only behind its EOI. */
	quiet();
	exc_set_hook(VEC_PIT, pit_holds_hook);
	pic_mask(~(1 << IRQ_COM1 | 1 << IRQ_PIT));
	pit_program(0, 0, 100);
	sti();
	fired = wait_count(&irq_count[VEC_PIT], 1);
	sti_nop_cli();
	check(fired, "pit.fires", "yes");
	check(nested_low == 0 && (held_irr & 0x10) && irq_count[VEC_COM1] == 1,
	      "priority.in_service_blocks", "nested %d pending %x then %d",
	      nested_low, held_irr & 0x10, irq_count[VEC_COM1]);

	/* ExtINT does not touch the LAPIC's ISR. */
	check_eq("extint.no_lapic_isr", apic_read(APIC_PPR), 0);
	/* HLT is left for it. */
	quiet();
	exc_set_hook(VEC_PIT, irq_hook_pic);
	pic_mask(~(1 << IRQ_PIT));
	pit_program(0, 0, 200);
	sti_hlt();
	check_eq("hlt.pit", irq_count[VEC_PIT], 1);
	/* Rate generator: again and again. */
	pit_program(0, 2, 500);
	sti();
	check(wait_count(&irq_count[VEC_PIT], 5), "pit.periodic", "yes");
	cli();
	quiet();
}

static bool aeoi_hook(struct frame *f)
{
	irq_hook_count(f);
	seen_isr = pic_isr(PIC1);
	com1_line(false);
	return true;
}

static void pic_modes(void)
{
	u8 poll, isr;

	/* Automatic EOI: nothing in service inside the handler. */
	quiet();
	outb(PIC1, 0x11);
	outb(PIC1 + 1, PIC1_VEC);
	outb(PIC1 + 1, 4);
	outb(PIC1 + 1, 3);
	exc_set_hook(VEC_COM1, aeoi_hook);
	pic_mask(~(1 << IRQ_COM1));
	com1_line(true);
	sti_nop_cli();
	check(irq_count[VEC_COM1] == 1 && seen_isr == 0, "aeoi", "%d isr %x",
	      irq_count[VEC_COM1], seen_isr);
	/* The vector base is what ICW2 says, in its upper five bits. */
	quiet();
	outb(PIC1, 0x11);
	outb(PIC1 + 1, 0xa0 | 7);
	outb(PIC1 + 1, 4);
	outb(PIC1 + 1, 3);
	exc_set_hook(0xa0 + IRQ_COM1, aeoi_hook);
	pic_mask(~(1 << IRQ_COM1));
	com1_line(true);
	sti_nop_cli();
	check_eq("icw2.base", irq_count[0xa0 + IRQ_COM1], 1);
	/* Specific EOI of the right and of the wrong level. */
	quiet();
	pic_mask(~(1 << IRQ_COM1));
	com1_line(true);
	exc_set_hook(VEC_COM1, aeoi_hook);
	sti_nop_cli();
	check_eq("eoi.none", pic_isr(PIC1), 0x10);
	outb(PIC1, 0x60 | 3);
	check_eq("eoi.specific_wrong", pic_isr(PIC1), 0x10);
	outb(PIC1, 0x60 | IRQ_COM1);
	check_eq("eoi.specific", pic_isr(PIC1), 0);
	/* Poll command. */
	quiet();
	com1_line(true);
	pic_mask(~(1 << IRQ_COM1));
	outb(PIC1, 0x0c);
	poll = inb(PIC1);
	isr = pic_isr(PIC1);
	com1_line(false);
	pic_eoi(PIC1);
	check_eq("poll", poll & 0x87, 0x84);
	check_eq("poll.in_service", isr, 0x10);
	outb(PIC1, 0x0c);
	check_eq("poll.nothing", inb(PIC1) & 0x80, 0);
	quiet();
}

static void pit(void)
{
	u16 a, b;
	u64 start;

	pit_program(0, 2, 0x8000);
	check_eq("pit.status_mode2", pit_status(0) & 0x3f, 0x34);
	a = pit_count(0);
	check(a && a <= 0x8000, "pit.count_range", "yes");
	start = rdtsc();
	do
		b = pit_count(0);
	while (b == a && rdtsc() - start < 100000000);
	check(b != a, "pit.count_moves", "yes");
	/* Latched: the value stays until read, whatever passes. */
	outb(PIT_CMD, 0);
	a = inb(PIT_CH0);
	let_pass(100000);
	b = inb(PIT_CH0);
	check((a | b << 8) <= 0x8000, "pit.latched", "yes");
	pit_program(0, 3, 0x4000);
	check_eq("pit.status_mode3", pit_status(0) & 0x3f, 0x36);
	pit_program(0, 0, 0x1000);
	check_eq("pit.mode0_out_low", pit_status(0) & 0x80, 0);
	start = rdtsc();
	while (!(pit_status(0) & 0x80) && rdtsc() - start < 1000000000)
		;
	check_eq("pit.mode0_out_high", pit_status(0) & 0x80, 0x80);
	/* Low byte only, BCD. */
	outb(PIT_CMD, 0x10 | 2 << 1);
	outb(PIT_CH0, 0x40);
	check_eq("pit.status_lobyte", pit_status(0) & 0x3f, 0x14);
	outb(PIT_CMD, 0x31 | 2 << 1);
	outb(PIT_CH0, 0);
	outb(PIT_CH0, 0x10);
	check_eq("pit.status_bcd", pit_status(0) & 0x3f, 0x35);
	/* Channel 2: gate and output at port 0x61. */
	outb(PIT_GATE, (inb(PIT_GATE) & ~3) | 0);
	pit_program(2, 0, 100);
	let_pass(100000);
	check_eq("pit2.gate_off", inb(PIT_GATE) & 0x20, 0);
	outb(PIT_GATE, (inb(PIT_GATE) & ~3) | 1);
	check_eq("pit2.gate_reads_back", inb(PIT_GATE) & 3, 1);
	start = rdtsc();
	while (!(inb(PIT_GATE) & 0x20) && rdtsc() - start < 1000000000)
		;
	check_eq("pit2.out", inb(PIT_GATE) & 0x20, 0x20);
	/* Writes to the output bit are ignored. */
	pit_program(2, 0, 0xffff);
	outb(PIT_GATE, 0x21);
	check_eq("pit2.out_read_only", inb(PIT_GATE) & 0x20, 0);
	outb(PIT_GATE, 0);
	quiet();
}

static u32 seen_entry;
static bool seen_tmr;

static bool level_hook(struct frame *f)
{
	irq_hook_count(f);
	seen_entry = ioapic_read(IOAPIC_ENTRY(IRQ_COM1));
	seen_tmr = apic_bit(APIC_TMR, IOAPIC_VEC_COM1);
	/* The line stays up for the first two. */
	if (irq_count[IOAPIC_VEC_COM1] == 2)
		com1_line(false);
	apic_write(APIC_EOI, 0);
	return true;
}

static void ioapic(void)
{
	u32 version, i, entries, pending;

	version = ioapic_read(IOAPIC_VERSION);
	entries = (version >> 16 & 0xff) + 1;
	info("ioapic version %x", version);
	check_eq("ioapic.entries", entries, 24);
	ioapic_write(IOAPIC_ID, 0x0a000000);
	check_eq("ioapic.id", ioapic_read(IOAPIC_ID) & 0x0f000000, 0x0a000000);
	ioapic_write(IOAPIC_ID, 0);
	for (i = 0; i < entries; i++)
		ioapic_write(IOAPIC_ENTRY(i), IOAPIC_MASKED);
	ioapic_write(IOAPIC_ENTRY(23), 0xffffffff);
	/* Delivery status and remote IRR are read-only; 31:17 are reserved. */
	check_eq("ioapic.entry_low", ioapic_read(IOAPIC_ENTRY(23)) & 0x1efff,
		 0x1afff);
	ioapic_write(IOAPIC_ENTRY(23) + 1, 0xab000000);
	check_eq("ioapic.entry_high", ioapic_read(IOAPIC_ENTRY(23) + 1),
		 0xab000000);
	ioapic_write(IOAPIC_ENTRY(23), IOAPIC_MASKED);
	/* The index register reads back. */
	*(volatile u32 *)0xfec00000ul = 0x12;
	check_eq("ioapic.index", *(volatile u32 *)0xfec00000ul & 0xff, 0x12);

	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	pic_mask(0xffff);
	apic_enable();

	/* Edge: the timer at pin 2. */
	clear_counts();
	exc_set_hook(IOAPIC_VEC_PIT, irq_hook_lapic);
	pit_program(0, 0, 0);
	ioapic_route(IOAPIC_PIN_PIT, IOAPIC_VEC_PIT, apic_id());
	pit_program(0, 0, 100);
	sti();
	check(wait_count(&irq_count[IOAPIC_VEC_PIT], 1), "ioapic.edge", "fires");
	let_pass(200000);
	check_eq("ioapic.edge_once", irq_count[IOAPIC_VEC_PIT], 1);
	check_eq("ioapic.edge_no_remote_irr",
		 ioapic_read(IOAPIC_ENTRY(IOAPIC_PIN_PIT)) & IOAPIC_REMOTE_IRR,
		 0);
	pit_program(0, 2, 500);
	sti();
	check(wait_count(&irq_count[IOAPIC_VEC_PIT], 4), "ioapic.periodic",
	      "fires");
	cli();
	ioapic_write(IOAPIC_ENTRY(IOAPIC_PIN_PIT), IOAPIC_MASKED);
	pit_program(0, 0, 0);
	sti_nop_cli();
	clear_counts();

	/* Level: the serial line. */
	exc_set_hook(IOAPIC_VEC_COM1, level_hook);
	ioapic_route(IRQ_COM1, IOAPIC_LEVEL | IOAPIC_VEC_COM1, apic_id());
	com1_line(true);
	pending = apic_bit(APIC_IRR, IOAPIC_VEC_COM1);
	sti_nop_cli();
	sti_nop_cli();
	check_eq("ioapic.level_pending", pending, 1);
	check(irq_count[IOAPIC_VEC_COM1] == 2 &&
	      (seen_entry & IOAPIC_REMOTE_IRR) && seen_tmr, "ioapic.level",
	      "%d entry %lx tmr %d", irq_count[IOAPIC_VEC_COM1],
	      seen_entry & IOAPIC_REMOTE_IRR, seen_tmr);
	check_eq("ioapic.level_done",
		 ioapic_read(IOAPIC_ENTRY(IRQ_COM1)) & IOAPIC_REMOTE_IRR, 0);
	/* Masked: kept away, delivered when unmasked while the line is up. */
	ioapic_route(IRQ_COM1, IOAPIC_MASKED | IOAPIC_LEVEL | IOAPIC_VEC_COM1,
		     apic_id());
	clear_counts();
	com1_line(true);
	sti_nop_cli();
	pending = irq_count[IOAPIC_VEC_COM1];
	ioapic_write(IOAPIC_ENTRY(IRQ_COM1), IOAPIC_LEVEL | IOAPIC_VEC_COM1);
	sti_nop_cli();
	sti_nop_cli();
	check_eq("ioapic.level_masked", pending, 0);
	check_eq("ioapic.level_unmasked", irq_count[IOAPIC_VEC_COM1], 2);
	com1_line(false);
	ioapic_write(IOAPIC_ENTRY(IRQ_COM1), IOAPIC_MASKED);
}

void guest_main(void)
{
	exc_set_hook(SPURIOUS, irq_hook_count);
	pic_registers();
	pic_delivery();
	pic_modes();
	pit();
	ioapic();
}
