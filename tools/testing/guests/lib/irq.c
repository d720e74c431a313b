// SPDX-License-Identifier: GPL-2.0-only
/*
 * irq.c - see irq.h. SDM vol. 3, "Advanced Programmable Interrupt Controller";
 * Intel's data sheets for 8259A, 8254 and 82093AA.
 */
#include "irq.h"

#define LAPIC_BASE 0xfee00000ul
#define IOAPIC_BASE 0xfec00000ul
#define X2APIC_ENABLED BIT(10)

volatile int irq_count[256];
u64 irq_last_rip;

void pic_init(void)
{
	outb(PIC1, 0x11); /* ICW1: edge, cascade, ICW4 */
	outb(PIC2, 0x11);
	outb(PIC1 + 1, PIC1_VEC);
	outb(PIC2 + 1, PIC2_VEC);
	outb(PIC1 + 1, 4); /* slave on IR2 */
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1); /* 8086 mode, normal EOI */
	outb(PIC2 + 1, 1);
	pic_mask(0xffff);
}

void pic_mask(u16 mask)
{
	outb(PIC1 + 1, mask);
	outb(PIC2 + 1, mask >> 8);
}

u8 pic_irr(u16 pic)
{
	outb(pic, PIC_READ_IRR);
	return inb(pic);
}

u8 pic_isr(u16 pic)
{
	outb(pic, PIC_READ_ISR);
	return inb(pic);
}

void pic_eoi(u16 pic)
{
	if (pic == PIC2)
		outb(PIC2, PIC_EOI);
	outb(PIC1, PIC_EOI);
}

void pit_program(u8 channel, u8 mode, u16 count)
{
	outb(PIT_CMD, channel << 6 | 0x30 | mode << 1);
	outb(PIT_CH0 + channel, count);
	outb(PIT_CH0 + channel, count >> 8);
}

/* Read-back command: status latched, count not. */
u8 pit_status(u8 channel)
{
	outb(PIT_CMD, 0xe0 | 2 << channel);
	return inb(PIT_CH0 + channel);
}

u16 pit_count(u8 channel)
{
	u8 lo;

	outb(PIT_CMD, channel << 6);
	lo = inb(PIT_CH0 + channel);
	return lo | inb(PIT_CH0 + channel) << 8;
}

static bool x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & X2APIC_ENABLED;
}

u32 apic_read(u32 reg)
{
	if (x2apic())
		return rdmsr(MSR_X2APIC + (reg >> 4));
	return *(volatile u32 *)(LAPIC_BASE + reg);
}

void apic_write(u32 reg, u32 value)
{
	if (x2apic())
		wrmsr(MSR_X2APIC + (reg >> 4), value);
	else
		*(volatile u32 *)(LAPIC_BASE + reg) = value;
}

/* A vector's bit in ISR, TMR or IRR. */
bool apic_bit(u32 reg, u8 vec)
{
	return apic_read(reg + vec / 32 * 0x10) >> vec % 32 & 1;
}

u32 apic_id(void)
{
	u32 id = apic_read(APIC_ID);

	return x2apic() ? id : id >> 24;
}

void apic_enable(void)
{
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0);
}

void apic_icr(u32 dest, u32 low)
{
	if (x2apic()) {
		wrmsr(MSR_X2APIC + (APIC_ICR >> 4), (u64)dest << 32 | low);
		return;
	}
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, low);
	while (apic_read(APIC_ICR) & ICR_BUSY)
		pause();
}

u32 ioapic_read(u32 reg)
{
	*(volatile u32 *)IOAPIC_BASE = reg;
	return *(volatile u32 *)(IOAPIC_BASE + 0x10);
}

void ioapic_write(u32 reg, u32 value)
{
	*(volatile u32 *)IOAPIC_BASE = reg;
	*(volatile u32 *)(IOAPIC_BASE + 0x10) = value;
}

void ioapic_route(u32 pin, u32 low, u8 dest)
{
	ioapic_write(IOAPIC_ENTRY(pin), IOAPIC_MASKED);
	ioapic_write(IOAPIC_ENTRY(pin) + 1, (u32)dest << 24);
	ioapic_write(IOAPIC_ENTRY(pin), low);
}

/* Long on every machine: seconds on a slow one, a good part of one else. */
#define PATIENCE 300000000ul

bool wait_count(const volatile int *p, int want)
{
	u64 start = rdtsc();

	while (*p < want)
		if (rdtsc() - start > PATIENCE)
			return false;
		else
			pause();
	return true;
}

void let_pass(u64 ticks)
{
	u64 start = rdtsc();

	sti();
	while (rdtsc() - start < ticks)
		pause();
	cli();
}

bool irq_hook_count(struct frame *f)
{
	irq_count[f->vec]++;
	irq_last_rip = f->rip;
	return true;
}

bool irq_hook_lapic(struct frame *f)
{
	irq_hook_count(f);
	apic_write(APIC_EOI, 0);
	return true;
}

bool irq_hook_pic(struct frame *f)
{
	irq_hook_count(f);
	pic_eoi(f->vec >= PIC2_VEC ? PIC2 : PIC1);
	return true;
}
