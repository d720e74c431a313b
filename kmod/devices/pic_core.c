// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8259A pair: requests, priorities, acknowledge, command words.
 *
 * Beware: an edge request stays latched when its line falls again before the
 * acknowledge. The chip would forget it (and answer with input 7); but callers
 * of KVM_IRQ_LINE pulse lines and count on the latch. The cascade line, which
 * only this file drives, does follow the chip.
 */
#include "kmod/devices/pic_core.h"

/* kvm_pic_state.init_state: the command word expected at the odd port */
enum {
	PIC_READY,		/* OCW1 */
	PIC_ICW2,
	PIC_ICW3,
	PIC_ICW4,
	PIC_ICW2_SINGLE,	/* ICW1 said single: no ICW3 will come */
};

#define ICW1_IC4	0x01
#define ICW1_SNGL	0x02
#define ICW1_INIT	0x10
#define ICW4_AEOI	0x02
#define ICW4_SFNM	0x10
#define OCW3_RIS	0x01
#define OCW3_RR		0x02
#define OCW3_POLL	0x04
#define OCW3		0x08
#define OCW3_SMM	0x20
#define OCW3_ESMM	0x40
#define POLL_PENDING	0x80

#define NO_IRQ		8	/* one below the lowest priority */

static const u8 elcr_masks[2] = { 0xf8, 0xde };	/* inputs 0, 1, 2, 8, 13 are edge */

static u16 pin_bit(const struct tdm_pic_pair *p, const struct kvm_pic_state *s,
		   unsigned int irq)
{
	return 1u << (irq + (s == &p->chip[1] ? 8 : 0));
}

/* Priority (0 highest, NO_IRQ none) of the foremost input in mask. */
static unsigned int priority(const struct kvm_pic_state *s, u8 mask)
{
	unsigned int top = s->priority_add & 7;
	unsigned int rotated = (u8)((mask >> top) | (mask << (8 - top)));

	return rotated ? __builtin_ctz(rotated) : NO_IRQ;
}

static unsigned int irq_of(const struct kvm_pic_state *s, unsigned int prio)
{
	return (prio + s->priority_add) & 7;
}

/* The input this chip asks service for, or -1. */
static int requested(const struct tdm_pic_pair *p, const struct kvm_pic_state *s)
{
	unsigned int prio = priority(s, s->irr & ~s->imr);
	u8 in_service = s->isr;

	if (prio == NO_IRQ)
		return -1;
	if (s->special_mask)
		in_service &= ~s->imr;
	/* Special fully nested: the slave may interrupt its own service. */
	if (s->special_fully_nested_mode && s == &p->chip[0])
		in_service &= ~(1u << TDM_PIC_CASCADE);
	if (prio >= priority(s, in_service))
		return -1;
	return irq_of(s, prio);
}

/* 1 new request, 0 was there already; -1 the input is masked */
static int chip_line(struct kvm_pic_state *s, unsigned int irq, bool level)
{
	u8 mask = 1u << irq;
	int ret = 1;

	if (s->elcr & mask) {
		if (level) {
			ret = !(s->irr & mask);
			s->irr |= mask;
		} else {
			s->irr &= ~mask;
		}
	} else if (level && !(s->last_irr & mask)) {
		ret = !(s->irr & mask);
		s->irr |= mask;
	}
	if (level)
		s->last_irr |= mask;
	else
		s->last_irr &= ~mask;
	return (s->imr & mask) ? -1 : ret;
}

static void update(struct tdm_pic_pair *p)
{
	struct kvm_pic_state *master = &p->chip[0];
	bool slave_int = requested(p, &p->chip[1]) >= 0;

	chip_line(master, TDM_PIC_CASCADE, slave_int);
	if (!slave_int)
		master->irr &= ~(1u << TDM_PIC_CASCADE);
	p->output = requested(p, master) >= 0;
}

static void end_service(struct tdm_pic_pair *p, struct kvm_pic_state *s,
			unsigned int irq)
{
	s->isr &= ~(1u << irq);
	p->ended |= pin_bit(p, s, irq);
}

/* The two INTA cycles, as one chip sees them. */
static void acknowledge(struct tdm_pic_pair *p, struct kvm_pic_state *s,
			unsigned int irq)
{
	u8 mask = 1u << irq;

	if (!(s->elcr & mask))
		s->irr &= ~mask;
	/* INT falls during INTA: if it rises again, the master sees an edge. */
	if (s == &p->chip[1])
		chip_line(&p->chip[0], TDM_PIC_CASCADE, false);
	if (!s->auto_eoi) {
		s->isr |= mask;
		return;
	}
	if (s->rotate_on_auto_eoi)
		s->priority_add = (irq + 1) & 7;
	end_service(p, s, irq);
}

/**
 * tdm_pic_core_intack() - the processor acknowledges INT
 * @p: the pair
 *
 * Return: the vector; the spurious one (input 7) if the request is gone.
 */
u8 tdm_pic_core_intack(struct tdm_pic_pair *p)
{
	struct kvm_pic_state *master = &p->chip[0], *slave = &p->chip[1];
	int irq = requested(p, master);
	int irq2;
	u8 vector;

	if (irq < 0) {
		vector = master->irq_base + TDM_PIC_SPURIOUS;
	} else if (irq != TDM_PIC_CASCADE) {
		acknowledge(p, master, irq);
		vector = master->irq_base + irq;
	} else {
		acknowledge(p, master, irq);
		irq2 = requested(p, slave);
		if (irq2 >= 0)
			acknowledge(p, slave, irq2);
		else
			irq2 = TDM_PIC_SPURIOUS;
		vector = slave->irq_base + irq2;
	}
	update(p);
	return vector;
}

/**
 * tdm_pic_core_line() - an input's level
 * @p: the pair
 * @pin: 0..15; the cascade input is not anyone's to drive and is ignored
 * @level: new level
 *
 * Return: 1 a new request, 0 none (already requested), -1 the input is masked.
 */
int tdm_pic_core_line(struct tdm_pic_pair *p, unsigned int pin, bool level)
{
	int ret;

	if (pin == TDM_PIC_CASCADE || pin >= TDM_PIC_PINS)
		return -1;
	ret = chip_line(&p->chip[pin >> 3], pin & 7, level);
	update(p);
	return ret;
}

/* ICW1: everything but the trigger modes and the levels on the pins goes. */
static void init_chip(struct tdm_pic_pair *p, struct kvm_pic_state *s, u8 icw1)
{
	u8 lost = (s->irr & ~s->elcr) | s->isr;
	u8 unmasked = s->imr;
	unsigned int irq;

	for (irq = 0; irq < 8; irq++) {
		if (lost & (1u << irq))
			p->ended |= pin_bit(p, s, irq);
		if (unmasked & (1u << irq))
			p->unmasked |= pin_bit(p, s, irq);
	}
	s->irr &= s->elcr;
	s->imr = 0;
	s->isr = 0;
	s->priority_add = 0;
	s->read_reg_select = 0;
	s->poll = 0;
	s->special_mask = 0;
	s->auto_eoi = 0;
	s->rotate_on_auto_eoi = 0;
	s->special_fully_nested_mode = 0;
	s->init4 = !!(icw1 & ICW1_IC4);
	s->init_state = (icw1 & ICW1_SNGL) ? PIC_ICW2_SINGLE : PIC_ICW2;
}

static void write_ocw3(struct kvm_pic_state *s, u8 val)
{
	if (val & OCW3_POLL)
		s->poll = 1;
	if (val & OCW3_RR)
		s->read_reg_select = val & OCW3_RIS;
	if (val & OCW3_ESMM)
		s->special_mask = !!(val & OCW3_SMM);
}

static void write_ocw2(struct tdm_pic_pair *p, struct kvm_pic_state *s, u8 val)
{
	bool rotate = val & 0x80, specific = val & 0x40, eoi = val & 0x20;
	unsigned int irq = val & 7, prio;

	if (!eoi) {
		if (specific && rotate)			/* set priority */
			s->priority_add = (irq + 1) & 7;
		else if (!specific)			/* rotate in AEOI mode */
			s->rotate_on_auto_eoi = rotate;
		return;
	}
	if (!specific) {
		/* In special mask mode a masked input's service does not end. */
		prio = priority(s, s->isr & ~(s->special_mask ? s->imr : 0));
		if (prio == NO_IRQ)
			return;
		irq = irq_of(s, prio);
	}
	if (rotate)
		s->priority_add = (irq + 1) & 7;
	if (s->isr & (1u << irq))
		end_service(p, s, irq);
}

static void write_odd(struct tdm_pic_pair *p, struct kvm_pic_state *s, u8 val)
{
	u8 cleared = s->imr & ~val;
	unsigned int irq;

	switch (s->init_state) {
	case PIC_READY:
		for (irq = 0; irq < 8; irq++)
			if (cleared & (1u << irq))
				p->unmasked |= pin_bit(p, s, irq);
		s->imr = val;
		break;
	case PIC_ICW2:
		s->irq_base = val & 0xf8;
		s->init_state = PIC_ICW3;
		break;
	case PIC_ICW2_SINGLE:
		s->irq_base = val & 0xf8;
		s->init_state = s->init4 ? PIC_ICW4 : PIC_READY;
		break;
	case PIC_ICW3:
		/* The wiring is fixed: what the guest says of it changes nothing. */
		s->init_state = s->init4 ? PIC_ICW4 : PIC_READY;
		break;
	case PIC_ICW4:
		s->special_fully_nested_mode = !!(val & ICW4_SFNM);
		s->auto_eoi = !!(val & ICW4_AEOI);
		s->init_state = PIC_READY;
		break;
	}
}

static void write_elcr(struct kvm_pic_state *s, u8 val)
{
	u8 old = s->elcr;
	u8 to_level, to_edge;

	s->elcr = val & s->elcr_mask;
	to_level = s->elcr & ~old;
	to_edge = old & ~s->elcr;
	s->irr &= ~(to_level | to_edge);
	s->irr |= s->last_irr & to_level;
}

/**
 * tdm_pic_core_write() - OUT to one of the pair's ports
 * @p: the pair
 * @port: 0x20, 0x21, 0xa0, 0xa1, 0x4d0 or 0x4d1
 * @val: value
 */
void tdm_pic_core_write(struct tdm_pic_pair *p, u16 port, u8 val)
{
	struct kvm_pic_state *s = tdm_pic_core_chip(p, port);

	if (port >= 0x4d0)
		write_elcr(s, val);
	else if (port & 1)
		write_odd(p, s, val);
	else if (val & ICW1_INIT)
		init_chip(p, s, val);
	else if (val & OCW3)
		write_ocw3(s, val);
	else
		write_ocw2(p, s, val);
	update(p);
}

/* A read in poll mode is an acknowledge of this chip alone. */
static u8 poll(struct tdm_pic_pair *p, struct kvm_pic_state *s)
{
	int irq = requested(p, s);

	s->poll = 0;
	if (irq < 0)
		return 0;
	acknowledge(p, s, irq);
	update(p);
	return POLL_PENDING | irq;
}

/**
 * tdm_pic_core_read() - IN from one of the pair's ports
 * @p: the pair
 * @port: as tdm_pic_core_write()
 */
u8 tdm_pic_core_read(struct tdm_pic_pair *p, u16 port)
{
	struct kvm_pic_state *s = tdm_pic_core_chip(p, port);

	if (s->poll && port < 0x4d0)
		return poll(p, s);
	return tdm_pic_core_peek(p, port);
}

/** tdm_pic_core_reset() - power-up: everything zero */
void tdm_pic_core_reset(struct tdm_pic_pair *p)
{
	memset(p, 0, sizeof(*p));
	p->chip[0].elcr_mask = elcr_masks[0];
	p->chip[1].elcr_mask = elcr_masks[1];
}

/**
 * tdm_pic_core_set() - KVM_SET_IRQCHIP: a chip's state from the caller
 * @p: the pair
 * @chip: 0 master, 1 slave
 * @s: not trusted: every field is cut to its range
 */
void tdm_pic_core_set(struct tdm_pic_pair *p, int chip, const struct kvm_pic_state *s)
{
	struct kvm_pic_state *d = &p->chip[chip];

	*d = *s;
	d->priority_add &= 7;
	d->read_reg_select = !!d->read_reg_select;
	d->poll = !!d->poll;
	d->special_mask = !!d->special_mask;
	if (d->init_state > PIC_ICW2_SINGLE)
		d->init_state = PIC_READY;
	d->auto_eoi = !!d->auto_eoi;
	d->rotate_on_auto_eoi = !!d->rotate_on_auto_eoi;
	d->special_fully_nested_mode = !!d->special_fully_nested_mode;
	d->init4 = !!d->init4;
	d->elcr_mask = elcr_masks[chip];
	d->elcr &= d->elcr_mask;
	update(p);
}
