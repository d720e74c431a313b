// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8259A pair against its data sheet.
 */
#include "dev_test.h"

/* CPU 0's LINT0 takes the PIC's interrupts, as after reset. */
static void up(u32 gsi)
{
	dev_line(gsi, 1);
}

static void down(u32 gsi)
{
	dev_line(gsi, 0);
}

static void pulse(u32 gsi)
{
	up(gsi);
	down(gsi);
}

static u8 isr(u16 port)
{
	dev_out(port, 0x0b);
	return dev_in(port);
}

static u8 irr(u16 port)
{
	dev_out(port, 0x0a);
	return dev_in(port);
}

static void before_init(void)
{
	CHECK_EQ(dev_take(0), -1);
	pulse(4);	/* vectors at 0, nothing masked: as the chip powers up */
	CHECK_EQ(dev_take(0), 4);
}

static void priorities(void)
{
	dev_pic_init();
	pulse(4);
	CHECK_EQ(dev_take(0), 0x24);
	CHECK_EQ(isr(0x20), 0x10);
	pulse(5);			/* lower: waits */
	CHECK_EQ(dev_take(0), -1);
	pulse(3);			/* higher: nests */
	CHECK_EQ(dev_take(0), 0x23);
	pulse(12);			/* by the cascade, IRQ 2: nests too */
	CHECK_EQ(dev_take(0), 0x2c);
	CHECK_EQ(isr(0x20), 0x1c);
	CHECK_EQ(isr(0xa0), 0x10);
	dev_out(0xa0, 0x20);
	dev_out(0x20, 0x20);
	dev_out(0x20, 0x20);		/* IRQ 3 */
	CHECK_EQ(dev_take(0), -1);
	dev_out(0x20, 0x20);		/* IRQ 4 */
	CHECK_EQ(dev_take(0), 0x25);
	dev_out(0x20, 0x65);		/* specific */
	CHECK_EQ(isr(0x20), 0);
	CHECK_EQ(dev_take(0), -1);
}

static void masks(void)
{
	dev_pic_init();
	dev_out(0x21, 0x10);
	CHECK_EQ(dev_in(0x21), 0x10);
	pulse(4);
	CHECK_EQ(irr(0x20), 0x10);
	CHECK_EQ(dev_take(0), -1);
	dev_out(0x21, 0x00);
	CHECK_EQ(dev_take(0), 0x24);
}

static void edge(void)
{
	dev_pic_init();
	up(6);
	CHECK_EQ(dev_take(0), 0x26);
	dev_out(0x20, 0x20);
	up(6);				/* still up: no new edge */
	CHECK_EQ(dev_take(0), -1);
	down(6);
	up(6);
	CHECK_EQ(dev_take(0), 0x26);
	dev_out(0x20, 0x20);
	/* ICW1 resets the edge sense: the line must fall and rise again. */
	down(6);
	up(6);
	dev_pic_init();
	CHECK_EQ(dev_take(0), -1);
	up(6);
	CHECK_EQ(dev_take(0), -1);
	down(6);
	up(6);
	CHECK_EQ(dev_take(0), 0x26);
}

static void level(void)
{
	dev_pic_init();
	dev_out(0x4d0, 0xff);
	CHECK_EQ(dev_in(0x4d0), 0xf8);	/* 0, 1, 2 are edge for good */
	dev_out(0x4d1, 0xff);
	CHECK_EQ(dev_in(0x4d1), 0xde);	/* so are 8 and 13 */
	up(5);
	CHECK_EQ(dev_take(0), 0x25);
	CHECK_EQ(dev_take(0), -1);
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_take(0), 0x25);	/* still up */
	down(5);
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_take(0), -1);
	up(11);
	down(11);			/* gone before the acknowledge */
	CHECK_EQ(dev_take(0), -1);
	up(10);
	CHECK_EQ(dev_take(0), 0x2a);
	dev_out(0xa0, 0x20);
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_take(0), 0x2a);
	down(10);
}

/* Poll acknowledges without the processor's INTA. */
static void poll(void)
{
	dev_pic_init();
	dev_out(0x20, 0x0c);
	CHECK_EQ(dev_in(0x20), 0);
	pulse(3);
	pulse(14);
	dev_out(0x20, 0x0c);
	CHECK_EQ(dev_in(0x20), 0x82);	/* the cascade */
	dev_out(0xa0, 0x0c);
	CHECK_EQ(dev_in(0xa0), 0x86);
	CHECK_EQ(isr(0xa0), 0x40);
	dev_out(0xa0, 0x20);
	dev_out(0x20, 0x20);
	dev_out(0x20, 0x0c);
	CHECK_EQ(dev_in(0x20), 0x83);
	CHECK_EQ(dev_in(0x20), 0);	/* one read only: IRR again */
	CHECK_EQ(isr(0x20), 0x08);
}

static void rotation(void)
{
	dev_pic_init();
	pulse(2 + 2);
	CHECK_EQ(dev_take(0), 0x24);
	dev_out(0x20, 0xa0);		/* rotate on non-specific EOI: 4 is lowest */
	pulse(4);
	pulse(3);
	pulse(6);
	CHECK_EQ(dev_take(0), 0x26);
	dev_out(0x20, 0xe6);		/* rotate on specific EOI: 6 is lowest */
	CHECK_EQ(dev_take(0), 0x23);
	CHECK_EQ(dev_take(0), -1);
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_take(0), 0x24);
	dev_out(0x20, 0x20);
	dev_out(0x20, 0xc7);		/* 7 is lowest again: the normal order */
	pulse(7);
	pulse(1);
	CHECK_EQ(dev_take(0), 0x21);
}

static void auto_eoi(void)
{
	dev_out(0x20, 0x11);
	dev_out(0x21, 0x20);
	dev_out(0x21, 0x04);
	dev_out(0x21, 0x03);		/* AEOI */
	pulse(4);
	pulse(1);
	CHECK_EQ(dev_take(0), 0x21);
	CHECK_EQ(isr(0x20), 0);
	CHECK_EQ(dev_take(0), 0x24);
	dev_out(0x20, 0x80);		/* rotate in AEOI mode */
	pulse(0);
	CHECK_EQ(dev_take(0), 0x20);	/* 0 is lowest now */
	pulse(0);
	pulse(6);
	CHECK_EQ(dev_take(0), 0x26);	/* 6 is lowest now, 7 and 0 follow */
	CHECK_EQ(dev_take(0), 0x20);
}

static void special_mask(void)
{
	dev_pic_init();
	pulse(3);
	CHECK_EQ(dev_take(0), 0x23);
	pulse(5);
	CHECK_EQ(dev_take(0), -1);
	dev_out(0x21, 0x08);
	dev_out(0x20, 0x68);		/* special mask mode */
	CHECK_EQ(dev_take(0), 0x25);	/* lower, but only 3 is inhibited */
	dev_out(0x20, 0x20);		/* ends 5; masked 3 is passed over */
	CHECK_EQ(isr(0x20), 0x08);
	dev_out(0x20, 0x20);
	CHECK_EQ(isr(0x20), 0x08);
	dev_out(0x20, 0x48);		/* mode off */
	dev_out(0x20, 0x20);
	CHECK_EQ(isr(0x20), 0);
}

static void special_fully_nested(void)
{
	dev_pic_init();
	dev_out(0x20, 0x11);
	dev_out(0x21, 0x20);
	dev_out(0x21, 0x04);
	dev_out(0x21, 0x11);		/* SFNM in the master */
	pulse(14);
	CHECK_EQ(dev_take(0), 0x2e);
	pulse(9);			/* higher in the same slave */
	CHECK_EQ(dev_take(0), 0x29);
	dev_out(0xa0, 0x20);
	CHECK_EQ(isr(0xa0), 0x40);
}

static void cascade_without_sfnm(void)
{
	dev_pic_init();
	pulse(14);
	CHECK_EQ(dev_take(0), 0x2e);
	pulse(9);
	CHECK_EQ(dev_take(0), -1);	/* the master blocks its input 2 */
	dev_out(0xa0, 0x20);
	CHECK_EQ(dev_take(0), -1);
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_take(0), 0x29);
}

static void slave_request_vanishes(void)
{
	dev_pic_init();
	pulse(12);
	dev_out(0xa1, 0x10);		/* masked before the acknowledge */
	CHECK_EQ(irr(0x20), 0);
	CHECK_EQ(dev_take(0), -1);
	dev_out(0xa1, 0);
	CHECK_EQ(dev_take(0), 0x2c);
}

/* INT falls during INTA, or the master would not see the second request. */
static void slave_int_pulses(void)
{
	dev_pic_init();
	dev_out(0xa0, 0x11);
	dev_out(0xa1, 0x28);
	dev_out(0xa1, 0x02);
	dev_out(0xa1, 0x03);		/* AEOI in the slave: it asks again at once */
	pulse(12);
	pulse(9);
	CHECK_EQ(dev_take(0), 0x29);
	CHECK_EQ(irr(0x20), 0x04);
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_take(0), 0x2c);
}

/* The chip's answer when a request goes between INT and INTA. */
static void spurious(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };

	dev_pic_init();
	dev_out(0xa1, 0x00);
	/* A state where the slave withdrew: only possible from outside. */
	CHECK_EQ(tdm_irqchip_get(&dev->vm, &chip), 0);
	chip.chip.pic.irr = 0;
	CHECK_EQ(tdm_irqchip_set(&dev->vm, &chip), 0);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(isr(0x20), 0);
}

static void single_and_no_icw4(void)
{
	dev_out(0x20, 0x12);		/* single, no ICW4 */
	dev_out(0x21, 0x40);
	dev_out(0x21, 0xfb);		/* already OCW1 */
	CHECK_EQ(dev_in(0x21), 0xfb);
	dev_out(0x20, 0x10);		/* cascaded, no ICW4 */
	dev_out(0x21, 0x48);
	dev_out(0x21, 0x04);
	dev_out(0x21, 0x55);
	CHECK_EQ(dev_in(0x21), 0x55);
}

static void state(void)
{
	struct kvm_irqchip m = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_irqchip s = { .chip_id = KVM_IRQCHIP_PIC_SLAVE };
	struct kvm_irqchip bad = { .chip_id = 3 };

	dev_pic_init();
	pulse(4);
	pulse(12);
	CHECK_EQ(dev_take(0), 0x2c);
	CHECK_EQ(tdm_irqchip_get(&dev->vm, &m), 0);
	CHECK_EQ(tdm_irqchip_get(&dev->vm, &s), 0);
	CHECK_EQ(m.chip.pic.irr, 0x10);
	CHECK_EQ(m.chip.pic.isr, 0x04);
	CHECK_EQ(s.chip.pic.isr, 0x10);
	CHECK_EQ(s.chip.pic.irq_base, 0x28);
	dev_pic_init();
	CHECK_EQ(tdm_irqchip_set(&dev->vm, &m), 0);
	CHECK_EQ(tdm_irqchip_set(&dev->vm, &s), 0);
	CHECK_EQ(dev_take(0), -1);
	dev_out(0xa0, 0x20);
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_take(0), 0x24);
	CHECK_EQ(tdm_irqchip_get(&dev->vm, &bad), -EINVAL);
	CHECK_EQ(tdm_irqchip_set(&dev->vm, &bad), -EINVAL);
	/* Out of range: cut, not believed. */
	memset(&m.chip.pic, 0xff, sizeof(m.chip.pic));
	CHECK_EQ(tdm_irqchip_set(&dev->vm, &m), 0);
	CHECK_EQ(tdm_irqchip_get(&dev->vm, &m), 0);
	CHECK_EQ(m.chip.pic.priority_add, 7);
	CHECK_EQ(m.chip.pic.elcr, 0xf8);
	CHECK_EQ(m.chip.pic.init_state, 0);
}

static void through_lint0(void)
{
	dev_pic_init();
	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_LVT0, 0x10700);
	pulse(4);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(dev->kicks[0], 0);
	dev_apic_write(0, TDM_APIC_LVT0, 0x700);
	CHECK_EQ(dev_take(0), 0x24);
	dev_out(0x20, 0x20);
	pulse(5);
	CHECK_EQ(dev->kicks[0], 1);
	CHECK_EQ(dev->kicks[1], 0);
	CHECK_EQ(dev_take(1), -1);
	dev_apic_write(0, TDM_APIC_LVT0, 0x10700);
	dev_apic_on(1);
	dev_apic_write(1, TDM_APIC_LVT0, 0x700);
	CHECK_EQ(dev_take(1), 0x25);
	dev_out(0x20, 0x20);
	pulse(6);
	CHECK_EQ(dev->kicks[1], 1);
	/* TPR does not hold back external interrupts. */
	dev_apic_write(1, TDM_APIC_TPR, 0xff);
	CHECK_EQ(dev_take(1), 0x26);
	/* APIC off: LINT0 is INTR. */
	dev_out(0x20, 0x20);
	CHECK_EQ(dev_wrmsr(0, 0x1b, 0xfee00100), 0);
	pulse(7);
	CHECK_EQ(dev_take(0), 0x27);
}

static void word_access(void)
{
	u8 icw[2] = { 0x11, 0x30 };
	u16 val;

	/* One cycle a byte: ICW1 and ICW2. */
	CHECK_EQ(tdm_iobus_write(dev->cpu[0], TDM_BUS_PIO, 0x20, 2, icw), 0);
	dev_out(0x21, 4);
	dev_out(0x21, 1);
	pulse(1);
	CHECK_EQ(dev_take(0), 0x31);
	dev_out(0x21, 0xaa);
	CHECK_EQ(tdm_iobus_read(dev->cpu[0], TDM_BUS_PIO, 0x20, 2, &val), 0);
	CHECK_EQ(val >> 8, 0xaa);
	CHECK_EQ(tdm_iobus_read(dev->cpu[0], TDM_BUS_PIO, 0x21, 2, &val), -EOPNOTSUPP);
	CHECK_EQ(tdm_iobus_read(dev->cpu[0], TDM_BUS_PIO, 0x1f, 1, &val), -EOPNOTSUPP);
}

static const struct dev_test tests[] = {
	{ "pic before initialisation", before_init, 1, 1 },
	{ "pic priorities and cascade", priorities, 1, 1 },
	{ "pic masks", masks, 1, 1 },
	{ "pic edge triggering", edge, 1, 1 },
	{ "pic level triggering", level, 1, 1 },
	{ "pic poll", poll, 1, 1 },
	{ "pic rotation", rotation, 1, 1 },
	{ "pic automatic EOI", auto_eoi, 1, 1 },
	{ "pic special mask mode", special_mask, 1, 1 },
	{ "pic special fully nested mode", special_fully_nested, 1, 1 },
	{ "pic slave blocked by its own service", cascade_without_sfnm, 1, 1 },
	{ "pic slave request masked again", slave_request_vanishes, 1, 1 },
	{ "pic slave asks twice", slave_int_pulses, 1, 1 },
	{ "pic withdrawn request", spurious, 1, 1 },
	{ "pic single mode, no ICW4", single_and_no_icw4, 1, 1 },
	{ "pic state", state, 1, 1 },
	{ "pic through LINT0", through_lint0, 2, 1 },
	{ "pic word accesses", word_access, 1, 1 },
};

DEV_TEST_MAIN(tests)
