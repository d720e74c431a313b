// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's 8254: ports 0x40-0x43 and 0x61, and interrupt 0 from counter 0.
 *
 * A tick goes out when the host's timer says that counter 0's output rose. The
 * next waits until the guest has ended the service of that one, however late
 * (reinjection; KVM's default), so that guests that count ticks keep time, and
 * so that a guest which asks for a million ticks a second only keeps itself
 * busy. With reinjection off, ticks missed are missed.
 *
 * Everything here may run with interrupts off; nothing sleeps.
 */
#include <linux/hrtimer.h>
#include <linux/slab.h>
#include <linux/ktime.h>

#include "arch/x86/compat.h"
#include "kmod/core.h"
#include "kmod/devices/chips.h"
#include "kmod/devices/lapic.h"
#include "kmod/devices/pit_core.h"
#include "kmod/devices/trace.h"
#include "kmod/iobus.h"

#define PIT_PORT	0x40
#define SPEAKER_PORT	0x61
#define SPEAKER_GATE	0x01
#define SPEAKER_DATA	0x02
#define SPEAKER_REFRESH	0x10
#define SPEAKER_OUT	0x20
#define REFRESH_NS	15085	/* DRAM refresh request: the bit toggles with each */

/* Without reinjection, ticks do not come closer than this. */
#define MIN_INTERVAL_NS	(200 * NSEC_PER_USEC)
/* Nobody could take the tick: how long until the next try, if nothing is unmasked before. */
#define MASKED_RETRY_NS	(20 * NSEC_PER_MSEC)
/* No end of service: the request may have been lost in a controller's reset. */
#define LOST_RETRY_NS	(100 * NSEC_PER_MSEC)

/**
 * struct tdm_pit - timer and surroundings
 * @lock: everything below but @vm
 * @vm: (c)
 * @chan: the counters
 * @flags: KVM_PIT_FLAGS_HPET_LEGACY: the HPET has interrupt 0
 * @speaker_data: port 0x61 bit 1
 * @reinject: see above
 * @acked: no tick is waiting for the end of its service
 * @masked: the last tick found every controller masked; the first to do so came
 *	    at @masked_ns
 * @edge: tick of counter 0's last rise that is accounted for
 * @sent_ns: when the last tick went out
 * @retry_ns: when to send it again, if its service has not ended by then
 * @masked_ns: when the input was last seen masked, or the last tick went out
 * @timer: for the next rise, or a retry
 * @io: ports 0x40-0x43
 * @speaker: port 0x61
 * @has_speaker: (c)
 */
struct tdm_pit {
	raw_spinlock_t lock;
	struct tdm_vm *vm;
	struct tdm_pit_chan chan[TDM_PIT_CHANNELS];
	u32 flags;
	bool speaker_data;
	bool reinject;
	bool acked;
	bool masked;
	bool has_speaker;
	u64 edge;
	u64 sent_ns;
	u64 retry_ns;
	u64 masked_ns;
	struct hrtimer timer;
	struct tdm_io_handler io;
	struct tdm_io_handler speaker;
};

static u64 pit_now(void)
{
	return tdm_pit_ticks(ktime_get_ns());
}

static u64 next_edge(struct tdm_pit *pit)
{
	if (pit->flags & KVM_PIT_FLAGS_HPET_LEGACY)
		return TDM_PIT_NEVER;
	return tdm_pit_core_next_edge(&pit->chan[0], pit->edge);
}

static void arm(struct tdm_pit *pit)
{
	u64 edge = next_edge(pit);
	u64 at;

	if (pit->reinject && !pit->acked) {
		at = pit->retry_ns;
	} else if (edge == TDM_PIT_NEVER) {
		/* A callback that runs already finds nothing to do. */
		hrtimer_try_to_cancel(&pit->timer);
		return;
	} else {
		at = tdm_pit_ns(edge);
		if (pit->masked)
			at = max(at, pit->sent_ns + MASKED_RETRY_NS);
		else if (!pit->reinject)
			at = max(at, pit->sent_ns + MIN_INTERVAL_NS);
	}
	hrtimer_start(&pit->timer, ns_to_ktime(at), HRTIMER_MODE_ABS_HARD);
}

/* Counter 0 has a new schedule, or nobody waits for old ticks. */
static void restart(struct tdm_pit *pit, u64 now)
{
	pit->edge = now;
	pit->acked = true;
	pit->masked = false;
	arm(pit);
}

/* Is a tick due? Accounts for it. */
static bool take_tick(struct tdm_pit *pit)
{
	u64 now = pit_now();
	u64 edge = next_edge(pit);

	if (edge == TDM_PIT_NEVER || edge > now)
		return false;
	pit->edge = pit->reinject && !pit->masked ? edge : now;
	pit->acked = false;
	return true;
}

static int pulse(struct tdm_pit *pit)
{
	struct tdm_vm *vm = pit->vm;
	struct tdm_vcpu *vcpu;
	unsigned long i;
	int r;

	r = tdm_irq_set(vm, TDM_IRQ_SRC_PIT, TDM_PIT_GSI, 1);
	tdm_irq_set(vm, TDM_IRQ_SRC_PIT, TDM_PIT_GSI, 0);
	/* LINT0 as NMI: the timer as a watchdog, through the PIC or not. */
	if (atomic_read(&vm->vapics_in_nmi_mode))
		tdm_for_each_vcpu(vm, i, vcpu)
			tdm_lapic_lint0_nmi(vcpu);
	return r;
}

/*
 * Should a tick go out now? @waiting: the one before has not been serviced.
 * Then it is sent again at times, in case a controller forgot it; that changes
 * nothing while it is still requested.
 */
static bool tick_due(struct tdm_pit *pit, bool waiting)
{
	u64 ns = ktime_get_ns();

	if (waiting ? ns < pit->retry_ns : !take_tick(pit))
		return false;
	pit->sent_ns = ns;
	pit->retry_ns = ns + LOST_RETRY_NS;
	return true;
}

/*
 * A masked PIC keeps the request and delivers it when unmasked (kernels mask
 * the input while they service it); a masked IOAPIC pin loses it.
 */
static void note_result(struct tdm_pit *pit, int r)
{
	if (r < 0 && !pit->masked)
		pit->masked_ns = pit->sent_ns;
	pit->masked = r < 0;
	if (pit->masked)
		pit->acked = !tdm_pic_has_tick(pit->vm->pic);
}

static void run_ticks(struct tdm_pit *pit)
{
	unsigned long flags;
	bool waiting;
	int r;

	raw_spin_lock_irqsave(&pit->lock, flags);
	waiting = pit->reinject && !pit->acked;
	if (tick_due(pit, waiting)) {
		raw_spin_unlock_irqrestore(&pit->lock, flags);
		r = pulse(pit);
		trace_tdm_pit_tick(pit->vm->name, waiting, r);
		raw_spin_lock_irqsave(&pit->lock, flags);
		note_result(pit, r);
	}
	arm(pit);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
}

static enum hrtimer_restart pit_timer(struct hrtimer *timer)
{
	run_ticks(container_of(timer, struct tdm_pit, timer));
	return HRTIMER_NORESTART;
}

void tdm_pit_ack(struct tdm_pit *pit)
{
	unsigned long flags;
	bool was_acked;

	raw_spin_lock_irqsave(&pit->lock, flags);
	was_acked = pit->acked;
	pit->acked = true;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	if (!was_acked && READ_ONCE(pit->reinject))
		run_ticks(pit);
}

/**
 * tdm_pit_unmasked() - an input that interrupt 0 comes in at was unmasked
 * @pit: the PIT
 * @requested: its controller has a tick, and will end its service
 *
 * Ticks missed while it was masked are gone, unless it was just masked for the
 * time of their service.
 */
void tdm_pit_unmasked(struct tdm_pit *pit, bool requested)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (pit->masked && tdm_pit_core_periodic(&pit->chan[0]) &&
	    ktime_get_ns() - pit->masked_ns > MASKED_RETRY_NS)
		pit->edge = pit_now();
	pit->masked = false;
	pit->acked = !requested;
	arm(pit);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
}

/* ---- ports ---- */

static u8 pit_read_byte(struct tdm_pit *pit, unsigned int reg, u64 now)
{
	/* The control port drives nothing on a read. */
	return reg < TDM_PIT_CHANNELS ?
	       tdm_pit_core_read(&pit->chan[reg], now) : 0;
}

static void pit_write_byte(struct tdm_pit *pit, unsigned int reg, u64 now, u8 val)
{
	bool changed;

	if (reg < TDM_PIT_CHANNELS)
		changed = tdm_pit_core_write(&pit->chan[reg], now, val) && !reg;
	else
		changed = tdm_pit_core_control(pit->chan, now, val);
	if (!changed)
		return;
	if (pit->chan[0].next_reload)
		arm(pit);	/* the period under way goes on */
	else
		restart(pit, now);
}

static int pit_read(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
		    int len, void *data)
{
	struct tdm_pit *pit = container_of(h, struct tdm_pit, io);
	unsigned long flags;
	u64 now = pit_now();
	u8 *p = data;
	int i;

	raw_spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < len; i++)
		p[i] = pit_read_byte(pit, (addr + i) & 3, now);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static int pit_write(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
		     int len, const void *data)
{
	struct tdm_pit *pit = container_of(h, struct tdm_pit, io);
	unsigned long flags;
	const u8 *p = data;
	u64 now;
	int i;

	/* What came due before this write is an interrupt, also if our timer is late. */
	run_ticks(pit);
	now = pit_now();
	raw_spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < len; i++)
		pit_write_byte(pit, (addr + i) & 3, now, p[i]);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static int speaker_read(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
			int len, void *data)
{
	struct tdm_pit *pit = container_of(h, struct tdm_pit, speaker);
	u64 ns = ktime_get_ns();
	unsigned long flags;
	u8 val = 0;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (pit->chan[2].gate)
		val |= SPEAKER_GATE;
	if (pit->speaker_data)
		val |= SPEAKER_DATA;
	if (tdm_pit_core_out(&pit->chan[2], tdm_pit_ticks(ns)))
		val |= SPEAKER_OUT;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	if (ns / REFRESH_NS & 1)
		val |= SPEAKER_REFRESH;
	*(u8 *)data = val;
	return 0;
}

static int speaker_write(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr,
			 int len, const void *data)
{
	struct tdm_pit *pit = container_of(h, struct tdm_pit, speaker);
	u8 val = *(const u8 *)data;
	unsigned long flags;

	raw_spin_lock_irqsave(&pit->lock, flags);
	pit->speaker_data = val & SPEAKER_DATA;
	tdm_pit_core_gate(&pit->chan[2], pit_now(), val & SPEAKER_GATE);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static const struct tdm_io_ops pit_io_ops = {
	.read	= pit_read,
	.write	= pit_write,
};

static const struct tdm_io_ops speaker_io_ops = {
	.read	= speaker_read,
	.write	= speaker_write,
};

/* ---- state for the caller ---- */

/* kvm_pit_channel_state's read_state, write_state and count_latched */
enum { KVM_RW_NONE, KVM_RW_LSB, KVM_RW_MSB, KVM_RW_WORD0, KVM_RW_WORD1 };

static u8 rw_state(const struct tdm_pit_chan *c, bool msb)
{
	if (c->rw != TDM_PIT_WORD)
		return c->rw;
	return msb ? KVM_RW_WORD1 : KVM_RW_WORD0;
}

static void get_chan(struct tdm_pit_chan *c, struct kvm_pit_channel_state *s)
{
	s->count = c->next_reload ?: c->reload;
	s->latched_count = c->latch;
	s->count_latched = c->latch_bytes ? rw_state(c, c->read_msb) : KVM_RW_NONE;
	s->status_latched = c->status_latched;
	s->status = c->status;
	s->read_state = rw_state(c, c->read_msb);
	s->write_state = rw_state(c, c->write_msb);
	s->write_latch = c->lsb;
	s->rw_mode = c->rw;
	s->mode = c->mode;
	s->bcd = c->bcd;
	s->gate = c->gate;
	s->count_load_time = tdm_pit_ns(c->start);
}

/* Nothing of @s is trusted; as with KVM the count starts anew. */
static void set_chan(struct tdm_pit_chan *c, const struct kvm_pit_channel_state *s,
		     u64 now)
{
	memset(c, 0, sizeof(*c));
	c->rw = s->rw_mode & 3 ?: TDM_PIT_WORD;
	c->bcd = !!s->bcd;
	c->gate = !!s->gate;
	c->lsb = s->write_latch;
	c->write_msb = s->write_state == KVM_RW_WORD1;
	c->read_msb = s->read_state == KVM_RW_WORD1;
	c->latch = s->latched_count;
	if (s->count_latched) {
		c->latch_bytes = s->count_latched == KVM_RW_WORD0 ? 2 : 1;
		c->read_msb = s->count_latched == KVM_RW_WORD1;
	}
	c->status_latched = !!s->status_latched;
	c->status = s->status;
	if (s->mode <= 5) {
		c->mode = s->mode;
		tdm_pit_core_load(c, now, s->count);
	} else {
		tdm_pit_core_reset(c);	/* KVM's mark of a counter never used */
		c->gate = !!s->gate;
	}
}

int tdm_pit_get(struct tdm_vm *vm, struct kvm_pit_state2 *ps)
{
	struct tdm_pit *pit = vm->pit;
	unsigned long flags;
	int i;

	if (!pit)
		return -ENXIO;
	memset(ps, 0, sizeof(*ps));
	raw_spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < TDM_PIT_CHANNELS; i++)
		get_chan(&pit->chan[i], &ps->channels[i]);
	ps->flags = pit->flags;
	if (pit->speaker_data)
		ps->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

int tdm_pit_set(struct tdm_vm *vm, const struct kvm_pit_state2 *ps)
{
	struct tdm_pit *pit = vm->pit;
	u64 now = pit_now();
	unsigned long flags;
	int i;

	if (!pit)
		return -ENXIO;
	raw_spin_lock_irqsave(&pit->lock, flags);
	for (i = 0; i < TDM_PIT_CHANNELS; i++)
		set_chan(&pit->chan[i], &ps->channels[i], now);
	pit->chan[0].gate = true;	/* wired so */
	pit->chan[1].gate = true;
	pit->flags = ps->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	pit->speaker_data = ps->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	restart(pit, now);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

int tdm_pit_reinject(struct tdm_vm *vm, const struct kvm_reinject_control *rc)
{
	struct tdm_pit *pit = vm->pit;
	unsigned long flags;

	if (!pit)
		return -ENXIO;
	raw_spin_lock_irqsave(&pit->lock, flags);
	pit->reinject = rc->pit_reinject;
	restart(pit, pit_now());
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

/* ---- life ---- */

static int add_ports(struct tdm_vm *vm, struct tdm_pit *pit)
{
	int r;

	pit->io = (struct tdm_io_handler){
		.ops = &pit_io_ops, .addr = PIT_PORT, .len = 4,
	};
	pit->speaker = (struct tdm_io_handler){
		.ops = &speaker_io_ops, .addr = SPEAKER_PORT, .len = 1,
	};
	r = tdm_iobus_add(vm, TDM_BUS_PIO, &pit->io);
	if (r || !pit->has_speaker)
		return r;
	r = tdm_iobus_add(vm, TDM_BUS_PIO, &pit->speaker);
	if (r)
		tdm_iobus_del(vm, TDM_BUS_PIO, &pit->io);
	return r;
}

/**
 * tdm_pit_create() - KVM_CREATE_PIT, KVM_CREATE_PIT2
 * @vm: vm->lock held
 * @cfg: flags: KVM_PIT_SPEAKER_DUMMY for port 0x61
 *
 * Return: 0; -EEXIST if there is one; -ENOENT without PIC and IOAPIC; -EINVAL
 * for unknown flags; -ENOMEM.
 */
int tdm_pit_create(struct tdm_vm *vm, const struct kvm_pit_config *cfg)
{
	struct tdm_pit *pit;
	int i, r;

	if (vm->pit)
		return -EEXIST;
	if (vm->irqchip != TDM_IRQCHIP_KERNEL)
		return -ENOENT;
	if (cfg->flags & ~KVM_PIT_SPEAKER_DUMMY)
		return -EINVAL;
	pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);
	if (!pit)
		return -ENOMEM;
	raw_spin_lock_init(&pit->lock);
	pit->vm = vm;
	pit->reinject = true;
	pit->acked = true;
	pit->has_speaker = cfg->flags & KVM_PIT_SPEAKER_DUMMY;
	tdm_hrtimer_setup(&pit->timer, pit_timer, CLOCK_MONOTONIC,
			  HRTIMER_MODE_ABS_HARD);
	for (i = 0; i < TDM_PIT_CHANNELS; i++) {
		tdm_pit_core_reset(&pit->chan[i]);
		pit->chan[i].gate = i != 2;
	}
	r = add_ports(vm, pit);
	if (r) {
		kfree(pit);
		return r;
	}
	WRITE_ONCE(vm->pit, pit);
	return 0;
}

/** tdm_pit_destroy() - the VM is ending: no vCPU runs, vCPUs still exist */
void tdm_pit_destroy(struct tdm_vm *vm)
{
	struct tdm_pit *pit = vm->pit;

	if (!pit)
		return;
	tdm_iobus_del(vm, TDM_BUS_PIO, &pit->io);
	if (pit->has_speaker)
		tdm_iobus_del(vm, TDM_BUS_PIO, &pit->speaker);
	hrtimer_cancel(&pit->timer);
	vm->pit = NULL;
	kfree(pit);
}
