// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's 8259A pair: ports, lines, and who is told when INT rises.
 *
 * The chips themselves are in pic_core.c. Everything here may be called with
 * interrupts off and from interrupt context, and must not sleep.
 */
#include <linux/slab.h>

#include "kmod/core.h"
#include "kmod/devices/chips.h"
#include "kmod/devices/lapic.h"
#include "kmod/devices/pic_core.h"
#include "kmod/devices/trace.h"
#include "kmod/iobus.h"
#include "kmod/ioevent.h"

#define PIC_NR_HANDLERS	3

/**
 * struct tdm_pic - the pair and its surroundings
 * @lock: everything below but @vm
 * @vm: (c)
 * @core: the chips
 * @sources: for each input, which TDM_IRQ_SRC_* hold it up
 * @output: copy of @core.output that is read without the lock
 * @io: ports of master, slave, trigger mode registers
 */
struct tdm_pic {
	raw_spinlock_t lock;
	struct tdm_vm *vm;
	struct tdm_pic_pair core;
	u8 sources[TDM_PIC_PINS];
	bool output;
	struct tdm_io_handler io[PIC_NR_HANDLERS];
};

static_assert(TDM_NR_IRQ_SRCS <= 8);

static const struct {
	u16 port, len;
} pic_ports[PIC_NR_HANDLERS] = {
	{ 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 },
};

/* The CPU whose LINT0 takes the PIC's interrupts. */
static void wake_cpu(struct tdm_vm *vm)
{
	struct tdm_vcpu *vcpu;
	unsigned long i;

	tdm_for_each_vcpu(vm, i, vcpu) {
		if (!tdm_lapic_takes_pic(vcpu->lapic))
			continue;
		tdm_request(vcpu, TDM_REQ_EVENT);
		tdm_vcpu_kick(vcpu);
		return;
	}
}

/* Drops the lock, and then does what must be done without it. */
static void pic_unlock(struct tdm_pic *pic, unsigned long flags)
	__releases(&pic->lock)
{
	bool rose = pic->core.output && !pic->output;
	u16 ended = pic->core.ended, unmasked = pic->core.unmasked;
	struct tdm_pit *pit;

	pic->core.ended = 0;
	pic->core.unmasked = 0;
	if (pic->output != pic->core.output)
		WRITE_ONCE(pic->output, pic->core.output);
	raw_spin_unlock_irqrestore(&pic->lock, flags);

	if (rose)
		wake_cpu(pic->vm);
	if (ended && tdm_irqfd_wants_ack(pic->vm))
		tdm_irqfd_ack(pic->vm, false, ended);
	if (!((ended | unmasked) & BIT(TDM_PIT_PIC_PIN)))
		return;
	pit = READ_ONCE(pic->vm->pit);
	if (!pit)
		return;
	if (unmasked & BIT(TDM_PIT_PIC_PIN))
		tdm_pit_unmasked(pit, tdm_pic_has_tick(pic));
	if (ended & BIT(TDM_PIT_PIC_PIN))
		tdm_pit_ack(pit);
}

/**
 * tdm_pic_line() - one source's level on an input
 * @pic: the PIC
 * @pin: 0..15
 * @source: TDM_IRQ_SRC_*; the input is up while any source holds it up
 * @level: up or down
 *
 * Any context. Return: 1 a new request, 0 none new, -1 masked.
 */
int tdm_pic_line(struct tdm_pic *pic, unsigned int pin, int source, bool level)
{
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&pic->lock, flags);
	if (level)
		pic->sources[pin] |= BIT(source);
	else
		pic->sources[pin] &= ~BIT(source);
	ret = tdm_pic_core_line(&pic->core, pin, pic->sources[pin]);
	pic_unlock(pic, flags);
	return ret;
}

bool tdm_pic_output(struct tdm_pic *pic)
{
	return READ_ONCE(pic->output);
}

bool tdm_pic_has_tick(struct tdm_pic *pic)
{
	const struct kvm_pic_state *master = &pic->core.chip[0];

	return (READ_ONCE(master->irr) | READ_ONCE(master->isr)) & BIT(TDM_PIT_PIC_PIN);
}

int tdm_pic_intack(struct tdm_pic *pic)
{
	unsigned long flags;
	int vector = -1;

	raw_spin_lock_irqsave(&pic->lock, flags);
	if (pic->core.output) {
		vector = tdm_pic_core_intack(&pic->core);
		/* A second request behind this one must be seen as a new rise. */
		WRITE_ONCE(pic->output, false);
	}
	pic_unlock(pic, flags);
	return vector;
}

static struct tdm_pic *pic_of(struct tdm_vcpu *vcpu)
{
	return vcpu->vm->pic;
}

/* Wider accesses reach the 8-bit chips as one cycle a byte. */
static noinline int pic_read_cycles(struct tdm_pic *pic, u16 port, int len, u8 *p)
{
	unsigned long flags;
	int i;

	raw_spin_lock_irqsave(&pic->lock, flags);
	for (i = 0; i < len; i++)
		p[i] = tdm_pic_core_read(&pic->core, port + i);
	pic_unlock(pic, flags);
	return 0;
}

static int pic_read(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
		    int len, void *data)
{
	struct tdm_pic *pic = pic_of(vcpu);

	/* Only a poll changes anything. */
	if (unlikely(len != 1 || READ_ONCE(tdm_pic_core_chip(&pic->core, addr)->poll)))
		return pic_read_cycles(pic, addr, len, data);
	*(u8 *)data = tdm_pic_core_peek(&pic->core, addr);
	return 0;
}

static int pic_write(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
		     int len, const void *data)
{
	struct tdm_pic *pic = pic_of(vcpu);
	unsigned long flags;
	const u8 *p = data;
	int i;

	raw_spin_lock_irqsave(&pic->lock, flags);
	for (i = 0; i < len; i++)
		tdm_pic_core_write(&pic->core, addr + i, p[i]);
	pic_unlock(pic, flags);
	return 0;
}

static const struct tdm_io_ops pic_io_ops = {
	.read	= pic_read,
	.write	= pic_write,
};

void tdm_pic_get(struct tdm_pic *pic, int chip, struct kvm_pic_state *s)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pic->lock, flags);
	*s = pic->core.chip[chip];
	raw_spin_unlock_irqrestore(&pic->lock, flags);
}

void tdm_pic_set(struct tdm_pic *pic, int chip, const struct kvm_pic_state *s)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pic->lock, flags);
	tdm_pic_core_set(&pic->core, chip, s);
	pic_unlock(pic, flags);
}

static void remove_ports(struct tdm_vm *vm, struct tdm_pic *pic, int n)
{
	while (n--)
		tdm_iobus_del(vm, TDM_BUS_PIO, &pic->io[n]);
}

/**
 * tdm_pic_create() - give the VM its PIC
 * @vm: vm->lock held
 *
 * Return: 0, -ENOMEM, or -EEXIST if something else answers its ports.
 */
int tdm_pic_create(struct tdm_vm *vm)
{
	struct tdm_pic *pic;
	int i, r;

	pic = kzalloc(sizeof(*pic), GFP_KERNEL_ACCOUNT);
	if (!pic)
		return -ENOMEM;
	raw_spin_lock_init(&pic->lock);
	pic->vm = vm;
	tdm_pic_core_reset(&pic->core);
	vm->pic = pic;
	for (i = 0; i < PIC_NR_HANDLERS; i++) {
		pic->io[i].ops = &pic_io_ops;
		pic->io[i].addr = pic_ports[i].port;
		pic->io[i].len = pic_ports[i].len;
		r = tdm_iobus_add(vm, TDM_BUS_PIO, &pic->io[i]);
		if (r)
			goto remove_ports;
	}
	return 0;

remove_ports:
	remove_ports(vm, pic, i);
	vm->pic = NULL;
	kfree(pic);
	return r;
}

/** tdm_pic_destroy() - the VM is ending, or creation is undone; ports may be gone already */
void tdm_pic_destroy(struct tdm_vm *vm)
{
	struct tdm_pic *pic = vm->pic;

	if (!pic)
		return;
	remove_ports(vm, pic, PIC_NR_HANDLERS);
	vm->pic = NULL;
	kfree(pic);
}
