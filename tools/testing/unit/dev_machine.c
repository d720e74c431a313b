// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fake core and the fake kernel of the device tests, see dev_machine.h.
 */
#include "dev_machine.h"
#include "arch/x86/cpuid.h"
#include "dev_regs.h"

struct dev_machine *dev;
u64 dev_ns = 1000 * NSEC_PER_SEC;
s64 dev_tsc_skew;
unsigned int tsc_khz = 2000000;
unsigned int dev_timer_fires;
int dev_rcu_readers;
long shim_live;
unsigned int shim_fail, shim_fail_at;

/* ---- kernel ---- */

bool shim_fails(void)
{
	static unsigned int n;

	if (shim_fail_at && !--shim_fail_at)
		return true;
	return shim_fail && ++n % shim_fail == 0;
}

static struct hrtimer *timers;

void tdm_hrtimer_setup(struct hrtimer *t, enum hrtimer_restart (*fn)(struct hrtimer *),
		       int clock, enum hrtimer_mode mode)
{
	assert(clock == CLOCK_MONOTONIC);
	memset(t, 0, sizeof(*t));
	t->function = fn;
}

int hrtimer_cancel(struct hrtimer *t)
{
	struct hrtimer **p;

	if (!t->queued)
		return 0;
	for (p = &timers; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	t->queued = false;
	return 1;
}

static void enqueue(struct hrtimer *t)
{
	struct hrtimer **p = &timers;

	while (*p && (*p)->expires <= t->expires)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	t->queued = true;
}

void hrtimer_start(struct hrtimer *t, ktime_t at, enum hrtimer_mode mode)
{
	hrtimer_cancel(t);
	t->expires = at + (mode == HRTIMER_MODE_REL_HARD ? dev_ns : 0);
	enqueue(t);
}

void dev_advance(u64 ns)
{
	u64 end = dev_ns + ns;
	struct hrtimer *t;

	while (timers && timers->expires <= end) {
		t = timers;
		timers = t->next;
		t->queued = false;
		if (t->expires > dev_ns)
			dev_ns = t->expires;
		dev_timer_fires++;
		if (t->function(t) == HRTIMER_RESTART && !t->queued) {
			assert(t->expires > dev_ns);
			enqueue(t);
		}
	}
	dev_ns = end;
}

/* ---- core ---- */

/* No eventfds, no rings: the lists they would be asked for are empty. */
void tdm_irqfd_ack(struct tdm_vm *vm, bool ioapic, u32 pins)
{
}

bool tdm_ioevent_write(struct tdm_vm *vm, enum tdm_bus bus, u64 addr, int len, const void *data)
{
	return false;
}

bool tdm_coalesced_write(struct tdm_vm *vm, enum tdm_bus bus, u64 addr, int len, const void *data)
{
	return false;
}

void tdm_vcpu_kick(struct tdm_vcpu *vcpu)
{
	dev->kicks[vcpu->index]++;
}

void tdm_vcpu_nmi(struct tdm_vcpu *vcpu)
{
	dev->nmis[vcpu->index]++;
}

struct tdm_vcpu *tdm_vcpu_by_id(struct tdm_vm *vm, u32 id)
{
	unsigned int i;

	for (i = 0; i < dev->cpus; i++)
		if (dev->cpu[i]->id == id)
			return dev->cpu[i];
	return NULL;
}

bool tdm_guest_has(struct tdm_vcpu *vcpu, unsigned int feature)
{
	return feature == X86_FEATURE_X2APIC ? dev->x2apic :
	       feature == X86_FEATURE_TSC_DEADLINE_TIMER && dev->deadline;
}

u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu)
{
	return 40;
}

void tdm_cpuid_refresh(struct tdm_vcpu *vcpu)
{
}

/* ---- machine ---- */

static void add_cpu(unsigned int id)
{
	struct tdm_vcpu *vcpu = calloc(1, sizeof(*vcpu));

	vcpu->vm = &dev->vm;
	vcpu->id = id;
	vcpu->index = dev->cpus;
	vcpu->ev.user_irq = -1;
	assert(!tdm_lapic_create(vcpu));
	dev->cpu[dev->cpus++] = vcpu;
	xa_store(&dev->vm.vcpus, vcpu->index, vcpu, 0);
	dev->vm.online_vcpus.v++;
	dev->vm.created_vcpus++;
	tdm_lapic_map_changed(&dev->vm);
}

static void start(unsigned int cpus, unsigned int stride, bool split)
{
	const struct kvm_pit_config cfg = { .flags = KVM_PIT_SPEAKER_DUMMY };
	unsigned int i;

	assert(shim_live == 0 && !timers);
	dev = calloc(1, sizeof(*dev));
	dev->x2apic = true;
	dev->deadline = true;
	assert(!tdm_iobus_init(&dev->vm));
	dev->vm.lock.held = 1;
	if (split) {
		assert(!tdm_irqchip_create_split(&dev->vm, 24));
	} else {
		assert(!tdm_irqchip_create(&dev->vm));
		assert(!tdm_pit_create(&dev->vm, &cfg));
	}
	for (i = 0; i < cpus; i++)
		add_cpu(i * stride);
	dev->vm.lock.held = 0;
}

void dev_start(unsigned int cpus, unsigned int stride)
{
	start(cpus, stride, false);
}

void dev_start_split(unsigned int cpus)
{
	start(cpus, 1, true);
}

void dev_stop(void)
{
	unsigned int i;

	tdm_iobus_destroy(&dev->vm);
	tdm_pit_destroy(&dev->vm);
	tdm_irqchip_destroy(&dev->vm);
	for (i = 0; i < dev->cpus; i++) {
		tdm_lapic_destroy(dev->cpu[i]);
		free(dev->cpu[i]);
	}
	free(dev);
	dev = NULL;
	assert(shim_live == 0 && !timers && !dev_rcu_readers);
}

void dev_out(u16 port, u8 val)
{
	assert(!tdm_iobus_write(dev->cpu[0], TDM_BUS_PIO, port, 1, &val));
}

u8 dev_in(u16 port)
{
	u8 val;

	assert(!tdm_iobus_read(dev->cpu[0], TDM_BUS_PIO, port, 1, &val));
	return val;
}

u32 dev_apic_read(int cpu, u32 offset)
{
	u32 val;

	assert(!tdm_iobus_read(dev->cpu[cpu], TDM_BUS_MMIO, 0xfee00000 + offset, 4, &val));
	return val;
}

void dev_apic_write(int cpu, u32 offset, u32 val)
{
	assert(!tdm_iobus_write(dev->cpu[cpu], TDM_BUS_MMIO, 0xfee00000 + offset, 4, &val));
}

int dev_wrmsr(int cpu, u32 msr, u64 val)
{
	if (msr == 0x1b)
		return tdm_lapic_set_base(dev->cpu[cpu], val, false);
	return tdm_lapic_msr_set(dev->cpu[cpu], msr, val);
}

int dev_rdmsr(int cpu, u32 msr, u64 *val)
{
	return tdm_lapic_msr_get(dev->cpu[cpu], msr, val);
}

u32 dev_ioapic_read(u8 reg)
{
	u32 sel = reg, val;

	assert(!tdm_iobus_write(dev->cpu[0], TDM_BUS_MMIO, 0xfec00000, 4, &sel));
	assert(!tdm_iobus_read(dev->cpu[0], TDM_BUS_MMIO, 0xfec00010, 4, &val));
	return val;
}

void dev_ioapic_write(u8 reg, u32 val)
{
	u32 sel = reg;

	assert(!tdm_iobus_write(dev->cpu[0], TDM_BUS_MMIO, 0xfec00000, 4, &sel));
	assert(!tdm_iobus_write(dev->cpu[0], TDM_BUS_MMIO, 0xfec00010, 4, &val));
}

void dev_ioapic_rte(int pin, u64 rte)
{
	dev_ioapic_write(0x11 + pin * 2, rte >> 32);
	dev_ioapic_write(0x10 + pin * 2, rte);
}

void dev_apic_on(int cpu)
{
	dev_apic_write(cpu, TDM_APIC_SVR, 0x1ff);
}

void dev_line(u32 gsi, int level)
{
	tdm_irq_set(&dev->vm, TDM_IRQ_SRC_USER, gsi, level);
}

int dev_take(int cpu)
{
	struct tdm_vcpu *vcpu = dev->cpu[cpu];

	tdm_timers_inject(vcpu);
	return tdm_irq_pending(vcpu) ? tdm_irq_ack(vcpu) : -1;
}

static void init_chip(u16 port, u8 base, u8 wiring)
{
	dev_out(port, 0x11);
	dev_out(port + 1, base);
	dev_out(port + 1, wiring);
	dev_out(port + 1, 0x01);
	dev_out(port + 1, 0x00);
}

void dev_pic_init(void)
{
	init_chip(0x20, 0x20, 0x04);
	init_chip(0xa0, 0x28, 0x02);
}
