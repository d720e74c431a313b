// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's I/O APIC: 24 pins, version 0x11 (82093AA: no EOI register).
 *
 * Level interrupts: remote IRR is set when a LAPIC accepts one and cleared by
 * that LAPIC's EOI, which comes here by vector, as the bus message did; a pin
 * whose line is still up then fires again.
 *
 * Everything may run with interrupts off; nothing sleeps. Messages are
 * delivered under the lock: LAPICs take none to accept.
 */
#include <linux/hrtimer.h>
#include <linux/slab.h>

#include "arch/x86/compat.h"
#include "kmod/devices/chips.h"
#include "kmod/devices/lapic.h"
#include "kmod/iobus.h"
#include "kmod/ioevent.h"

#define IOAPIC_ADDR	0xfec00000ull
#define IOAPIC_LEN	0x100
#define IOAPIC_VERSION	0x11u
#define NR_PINS		KVM_IOAPIC_NUM_PINS

#define IOREGSEL	0x00
#define IOWIN		0x10

#define REG_ID		0x00
#define REG_VERSION	0x01
#define REG_ARBITRATION	0x02
#define REG_REDIR	0x10

#define RTE_VECTOR	0xffull
#define RTE_LOGICAL	BIT_ULL(11)
#define RTE_STATUS	BIT_ULL(12)
#define RTE_REMOTE_IRR	BIT_ULL(14)
#define RTE_LEVEL	BIT_ULL(15)
#define RTE_MASKED	BIT_ULL(16)
#define RTE_DEST_SHIFT	56
#define RTE_LOW_RW	0x1afffull	/* all of the low half but the read-only bits */
#define RTE_HIGH_RW	0xff000000u
#define ID_RW		0x0f000000u

/*
 * A guest that ends a level interrupt without quieting its device is
 * interrupted again at once, for ever. After this many times in a row it gets
 * a while to run, as on a processor that gets some instructions done between.
 */
#define STORM_EOIS	10000
#define STORM_PAUSE_NS	(10 * NSEC_PER_MSEC)

/**
 * struct tdm_ioapic - the I/O APIC
 * @lock: everything below but @vm
 * @vm: (c)
 * @rte: redirection table
 * @id: register
 * @sel: register that IOWIN shows
 * @irr: lines that are up (level), or were when last looked at (edge)
 * @tick_vectors: edge-triggered vectors of the PIT's pins, -1 none; read without lock
 * @sources: for each pin, which TDM_IRQ_SRC_* hold it up
 * @eois: EOIs in a row that found the line still up
 * @storm: ends the pause of @stormy pins
 * @stormy: pins that wait for @storm
 * @io: MMIO range
 */
struct tdm_ioapic {
	raw_spinlock_t lock;
	struct tdm_vm *vm;
	u64 rte[NR_PINS];
	u32 id;
	u8 sel;
	u32 irr;
	s16 tick_vectors[2];
	u8 sources[NR_PINS];
	u32 eois[NR_PINS];
	struct hrtimer storm;
	u32 stormy;
	struct tdm_io_handler io;
};

/* Pins the PIT can come in at. */
static const u8 tick_pins[2] = { 0, 2 };

static_assert(TDM_PIT_IOAPIC_PINS == (BIT(0) | BIT(2)));
static_assert(TDM_NR_IRQ_SRCS <= 8);

/* The lock is held. As tdm_apic_deliver(). */
static int fire(struct tdm_ioapic *ioapic, unsigned int pin)
{
	u64 rte = ioapic->rte[pin];
	const struct tdm_apic_msg msg = {
		.dest = rte >> RTE_DEST_SHIFT,
		.vector = rte & RTE_VECTOR,
		.mode = rte >> 8 & 7,
		.logical = rte & RTE_LOGICAL,
		.level = rte & RTE_LEVEL,
		.assert = true,
	};
	int r;

	r = tdm_apic_deliver(ioapic->vm, NULL, &msg);
	/* Only what goes through an IRR has an EOI to wait for. */
	if (r >= 0 && msg.level && msg.mode <= TDM_APIC_LOWEST)
		ioapic->rte[pin] |= RTE_REMOTE_IRR;
	return r;
}

/* A level pin: fire if its line is up and nothing holds it. The lock is held. */
static int fire_level(struct tdm_ioapic *ioapic, unsigned int pin)
{
	if (!(ioapic->irr & BIT(pin)) ||
	    (ioapic->rte[pin] & (RTE_MASKED | RTE_REMOTE_IRR)))
		return 0;
	return fire(ioapic, pin);
}

static int line(struct tdm_ioapic *ioapic, unsigned int pin, bool level)
{
	bool was = ioapic->irr & BIT(pin);
	u64 rte = ioapic->rte[pin];

	if (!level) {
		ioapic->irr &= ~BIT(pin);
		ioapic->eois[pin] = 0;
		return 1;
	}
	ioapic->irr |= BIT(pin);
	if (rte & RTE_MASKED)
		return -1;
	if (rte & RTE_LEVEL)
		return fire_level(ioapic, pin);
	return was ? 0 : fire(ioapic, pin);
}

/**
 * tdm_ioapic_line() - one source's level on a pin
 * @ioapic: the I/O APIC
 * @pin: 0..23
 * @source: TDM_IRQ_SRC_*; the line is up while any source holds it up
 * @level: up or down
 *
 * Any context. Return: > 0 a new request (or the line went down), 0 coalesced,
 * -1 masked or accepted by no LAPIC.
 */
int tdm_ioapic_line(struct tdm_ioapic *ioapic, unsigned int pin, int source, bool level)
{
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	if (level)
		ioapic->sources[pin] |= BIT(source);
	else
		ioapic->sources[pin] &= ~BIT(source);
	ret = line(ioapic, pin, ioapic->sources[pin]);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	return ret;
}

/* ---- end of interrupt ---- */

/* The lock is held. */
static void refire(struct tdm_ioapic *ioapic, unsigned int pin)
{
	if (!(ioapic->irr & BIT(pin)) || (ioapic->rte[pin] & RTE_MASKED)) {
		ioapic->eois[pin] = 0;
		return;
	}
	if (++ioapic->eois[pin] < STORM_EOIS) {
		fire_level(ioapic, pin);
		return;
	}
	ioapic->eois[pin] = 0;
	ioapic->stormy |= BIT(pin);
	if (!hrtimer_active(&ioapic->storm))
		hrtimer_start(&ioapic->storm, ns_to_ktime(STORM_PAUSE_NS),
			      HRTIMER_MODE_REL_HARD);
}

static enum hrtimer_restart storm_over(struct hrtimer *timer)
{
	struct tdm_ioapic *ioapic = container_of(timer, struct tdm_ioapic, storm);
	unsigned long flags, pins;
	unsigned int pin;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	pins = ioapic->stormy;
	ioapic->stormy = 0;
	for_each_set_bit(pin, &pins, NR_PINS)
		if (ioapic->rte[pin] & RTE_LEVEL)
			fire_level(ioapic, pin);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	return HRTIMER_NORESTART;
}

/**
 * tdm_ioapic_wants_eoi() - does the end of an edge interrupt matter here?
 * @ioapic: the I/O APIC
 * @vector: that a LAPIC's EOI ended
 *
 * Yes for the PIT's: its ticks wait for each other. No lock.
 */
bool tdm_ioapic_wants_eoi(struct tdm_ioapic *ioapic, u8 vector)
{
	return READ_ONCE(ioapic->tick_vectors[0]) == vector ||
	       READ_ONCE(ioapic->tick_vectors[1]) == vector;
}

static u32 pins_of(struct tdm_ioapic *ioapic, u8 vector)
{
	unsigned long flags;
	unsigned int pin;
	u32 pins = 0;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	for (pin = 0; pin < NR_PINS; pin++)
		if ((ioapic->rte[pin] & RTE_VECTOR) == vector)
			pins |= BIT(pin);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	return pins;
}

/**
 * tdm_ioapic_eoi() - a LAPIC ended an interrupt
 * @ioapic: the I/O APIC
 * @vector: the interrupt's
 * @level: it was level-triggered
 */
void tdm_ioapic_eoi(struct tdm_ioapic *ioapic, u8 vector, bool level)
{
	struct tdm_pit *pit;
	unsigned long flags;
	unsigned int pin;
	u32 ended = 0;

	/* These lines fall before they are looked at below. */
	if (tdm_irqfd_wants_ack(ioapic->vm))
		tdm_irqfd_ack(ioapic->vm, true, pins_of(ioapic, vector));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	for (pin = 0; pin < NR_PINS; pin++) {
		if ((ioapic->rte[pin] & RTE_VECTOR) != vector)
			continue;
		ended |= BIT(pin);
		if (!level || !(ioapic->rte[pin] & RTE_LEVEL) ||
		    !(ioapic->rte[pin] & RTE_REMOTE_IRR))
			continue;
		ioapic->rte[pin] &= ~RTE_REMOTE_IRR;
		refire(ioapic, pin);
	}
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);

	pit = READ_ONCE(ioapic->vm->pit);
	if (pit && (ended & TDM_PIT_IOAPIC_PINS))
		tdm_pit_ack(pit);
}

/* ---- registers ---- */

static void note_tick_vectors(struct tdm_ioapic *ioapic)
{
	unsigned int i;
	u64 rte;

	for (i = 0; i < ARRAY_SIZE(tick_pins); i++) {
		rte = ioapic->rte[tick_pins[i]];
		WRITE_ONCE(ioapic->tick_vectors[i],
			   rte & (RTE_MASKED | RTE_LEVEL) ? -1 : rte & RTE_VECTOR);
	}
}

static u32 read_window(struct tdm_ioapic *ioapic)
{
	unsigned int pin = (ioapic->sel - REG_REDIR) >> 1;

	switch (ioapic->sel) {
	case REG_ID:
	case REG_ARBITRATION:
		return ioapic->id;
	case REG_VERSION:
		return IOAPIC_VERSION | (NR_PINS - 1) << 16;
	}
	if (ioapic->sel < REG_REDIR || pin >= NR_PINS)
		return 0xffffffff;	/* nothing drives the bus */
	return ioapic->sel & 1 ? ioapic->rte[pin] >> 32 : ioapic->rte[pin];
}

/* True if a pin of the PIT was unmasked. */
static bool write_rte(struct tdm_ioapic *ioapic, unsigned int pin, bool high, u32 val)
{
	u64 old = ioapic->rte[pin], new;

	if (high)
		new = (u32)old | (u64)(val & RTE_HIGH_RW) << 32;
	else
		new = (old & ~RTE_LOW_RW) | (val & RTE_LOW_RW);
	/* Systems without an EOI register clear remote IRR by a spell of edge mode. */
	if (!(new & RTE_LEVEL))
		new &= ~RTE_REMOTE_IRR;
	ioapic->rte[pin] = new;
	note_tick_vectors(ioapic);
	if (new & RTE_LEVEL)
		fire_level(ioapic, pin);
	return (old & ~new & RTE_MASKED) && (TDM_PIT_IOAPIC_PINS & BIT(pin));
}

static bool write_window(struct tdm_ioapic *ioapic, u32 val)
{
	unsigned int pin = (ioapic->sel - REG_REDIR) >> 1;

	if (ioapic->sel == REG_ID)
		ioapic->id = val & ID_RW;
	else if (ioapic->sel >= REG_REDIR && pin < NR_PINS)
		return write_rte(ioapic, pin, ioapic->sel & 1, val);
	return false;
}

static int ioapic_read(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
		       int len, void *data)
{
	struct tdm_ioapic *ioapic = container_of(h, struct tdm_ioapic, io);
	unsigned long flags;
	u32 val = 0;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	if ((addr & 0xff) == IOREGSEL)
		val = ioapic->sel;
	else if ((addr & 0xff) == IOWIN)
		val = read_window(ioapic);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	memset(data, 0, len);
	memcpy(data, &val, min_t(size_t, len, sizeof(val)));
	return 0;
}

static int ioapic_write(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
			int len, const void *data)
{
	struct tdm_ioapic *ioapic = container_of(h, struct tdm_ioapic, io);
	struct tdm_pit *pit = READ_ONCE(ioapic->vm->pit);
	bool unmasked = false;
	unsigned long flags;
	u32 val = 0;

	memcpy(&val, data, min_t(size_t, len, sizeof(val)));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	if ((addr & 0xff) == IOREGSEL)
		ioapic->sel = val;
	else if ((addr & 0xff) == IOWIN)
		unmasked = write_window(ioapic, val);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	if (unmasked && pit)
		tdm_pit_unmasked(pit, false);	/* no latch behind a masked pin */
	return 0;
}

static const struct tdm_io_ops ioapic_io_ops = {
	.read	= ioapic_read,
	.write	= ioapic_write,
};

/* ---- state for the caller ---- */

void tdm_ioapic_get(struct tdm_ioapic *ioapic, struct kvm_ioapic_state *s)
{
	unsigned long flags;
	unsigned int pin;

	memset(s, 0, sizeof(*s));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	s->base_address = IOAPIC_ADDR;
	s->ioregsel = ioapic->sel;
	s->id = ioapic->id >> 24;
	s->irr = ioapic->irr;
	for (pin = 0; pin < NR_PINS; pin++)
		s->redirtbl[pin].bits = ioapic->rte[pin];
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

/* Nothing of @s is trusted; the address is fixed. */
void tdm_ioapic_set(struct tdm_ioapic *ioapic, const struct kvm_ioapic_state *s)
{
	const u64 bits = RTE_LOW_RW | RTE_REMOTE_IRR | (u64)RTE_HIGH_RW << 32;
	unsigned long flags;
	unsigned int pin;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	ioapic->sel = s->ioregsel;
	ioapic->id = s->id << 24 & ID_RW;
	ioapic->irr = s->irr & GENMASK(NR_PINS - 1, 0);
	for (pin = 0; pin < NR_PINS; pin++) {
		ioapic->rte[pin] = s->redirtbl[pin].bits & bits;
		ioapic->eois[pin] = 0;
		ioapic->sources[pin] &= ~BIT(TDM_IRQ_SRC_USER);
		if (ioapic->irr & BIT(pin))
			ioapic->sources[pin] |= BIT(TDM_IRQ_SRC_USER);
	}
	note_tick_vectors(ioapic);
	for (pin = 0; pin < NR_PINS; pin++)
		if (ioapic->rte[pin] & RTE_LEVEL)
			fire_level(ioapic, pin);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

/* ---- life ---- */

/**
 * tdm_ioapic_create() - give the VM its I/O APIC
 * @vm: vm->lock held
 */
int tdm_ioapic_create(struct tdm_vm *vm)
{
	struct tdm_ioapic *ioapic;
	unsigned int pin;
	int r;

	ioapic = kzalloc(sizeof(*ioapic), GFP_KERNEL_ACCOUNT);
	if (!ioapic)
		return -ENOMEM;
	raw_spin_lock_init(&ioapic->lock);
	ioapic->vm = vm;
	for (pin = 0; pin < NR_PINS; pin++)
		ioapic->rte[pin] = RTE_MASKED;
	note_tick_vectors(ioapic);
	tdm_hrtimer_setup(&ioapic->storm, storm_over, CLOCK_MONOTONIC,
			  HRTIMER_MODE_REL_HARD);
	ioapic->io = (struct tdm_io_handler){
		.ops = &ioapic_io_ops, .addr = IOAPIC_ADDR, .len = IOAPIC_LEN,
	};
	r = tdm_iobus_add(vm, TDM_BUS_MMIO, &ioapic->io);
	if (r) {
		kfree(ioapic);
		return r;
	}
	vm->ioapic = ioapic;
	return 0;
}

/** tdm_ioapic_destroy() - no vCPU runs, nobody drives lines; vCPUs still exist */
void tdm_ioapic_destroy(struct tdm_vm *vm)
{
	struct tdm_ioapic *ioapic = vm->ioapic;

	if (!ioapic)
		return;
	tdm_iobus_del(vm, TDM_BUS_MMIO, &ioapic->io);
	hrtimer_cancel(&ioapic->storm);
	vm->ioapic = NULL;
	kfree(ioapic);
}
