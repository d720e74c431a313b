// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOAPIC, GSI routing, MSIs and the I/O buses.
 */
#include "dev_test.h"

#define LOGICAL		0x800ull
#define LEVEL		0x8000ull
#define MASKED		0x10000ull
#define REMOTE_IRR	0x4000u
#define TO(id)		((u64)(id) << 56)

static void eoi(int cpu)
{
	dev_apic_write(cpu, TDM_APIC_EOI, 0);
}

static void on(unsigned int cpus)
{
	unsigned int i;

	for (i = 0; i < cpus; i++)
		dev_apic_on(i);
	dev_apic_write(0, TDM_APIC_LVT0, 0x10700);
}

static void registers(void)
{
	int pin;

	CHECK_EQ(dev_ioapic_read(1), 0x170011);
	dev_ioapic_write(0, 0xffffffff);
	CHECK_EQ(dev_ioapic_read(0), 0x0f000000);
	CHECK_EQ(dev_ioapic_read(2), 0x0f000000);
	for (pin = 0; pin < 24; pin++)
		CHECK_EQ(dev_ioapic_read(0x10 + pin * 2), 0x10000);
	dev_ioapic_write(0x12, 0xffffffff);
	CHECK_EQ(dev_ioapic_read(0x12), 0x1afff);	/* not status, not remote IRR */
	dev_ioapic_write(0x13, 0xffffffff);
	CHECK_EQ(dev_ioapic_read(0x13), 0xff000000);
	CHECK_EQ(dev_ioapic_read(0x40), 0xffffffff);
	dev_ioapic_write(0x40, 0);
	CHECK_EQ(dev_ioapic_read(0x05), 0xffffffff);
	CHECK_EQ(dev_ioapic_read(0xff), 0xffffffff);
}

static void edge(void)
{
	on(2);
	dev_ioapic_rte(4, TO(1) | 0x41);
	dev_line(4, 1);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(dev_take(1), 0x41);
	CHECK_EQ(dev->kicks[1], 1);
	dev_line(4, 1);			/* no edge */
	eoi(1);
	CHECK_EQ(dev_take(1), -1);
	dev_line(4, 0);
	dev_line(4, 1);
	CHECK_EQ(dev_take(1), 0x41);
	eoi(1);
	dev_line(4, 0);
	/* An edge while masked is lost. */
	dev_ioapic_rte(4, TO(1) | MASKED | 0x41);
	dev_line(4, 1);
	dev_ioapic_rte(4, TO(1) | 0x41);
	CHECK_EQ(dev_take(1), -1);
	dev_line(4, 0);
}

static void level(void)
{
	on(1);
	dev_ioapic_rte(9, LEVEL | 0x61);
	dev_line(9, 1);
	CHECK_EQ(dev_ioapic_read(0x22) & REMOTE_IRR, REMOTE_IRR);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMR + 0x30), 2);
	CHECK_EQ(dev_take(0), 0x61);
	CHECK_EQ(dev_take(0), -1);
	eoi(0);				/* still up */
	CHECK_EQ(dev_take(0), 0x61);
	dev_line(9, 0);
	eoi(0);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(dev_ioapic_read(0x22) & REMOTE_IRR, 0);
	/* Masked while up: fires when unmasked. */
	dev_ioapic_rte(9, LEVEL | MASKED | 0x61);
	dev_line(9, 1);
	CHECK_EQ(dev_take(0), -1);
	dev_ioapic_rte(9, LEVEL | 0x61);
	CHECK_EQ(dev_take(0), 0x61);
	/* Edge mode clears remote IRR; back in level mode it fires again. */
	dev_ioapic_rte(9, 0x61);
	CHECK_EQ(dev_ioapic_read(0x22) & REMOTE_IRR, 0);
	dev_ioapic_rte(9, LEVEL | 0x62);
	CHECK_EQ(dev_take(0), -1);	/* same class in service */
	eoi(0);
	CHECK_EQ(dev_take(0), 0x62);
	dev_line(9, 0);
	eoi(0);
	CHECK_EQ(dev_take(0), -1);
	/* TMR goes back with an edge interrupt of the same vector. */
	dev_apic_write(0, TDM_APIC_ICR, 0x44062);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMR + 0x30), 2);
}

/* Two pins, one vector; and the end comes from whichever CPU had it. */
static void shared_vector(void)
{
	on(2);
	dev_ioapic_rte(10, LEVEL | 0x61);
	dev_ioapic_rte(11, TO(1) | LEVEL | 0x61);
	dev_line(10, 1);
	dev_line(11, 1);
	CHECK_EQ(dev_take(0), 0x61);
	CHECK_EQ(dev_take(1), 0x61);
	dev_line(10, 0);
	eoi(0);
	CHECK_EQ(dev_ioapic_read(0x24) & REMOTE_IRR, 0);
	/* The bus message names a vector only: pin 11 fires again. */
	eoi(1);
	CHECK_EQ(dev_take(1), 0x61);
	dev_line(11, 0);
	eoi(1);
	CHECK_EQ(dev_take(1), -1);
}

static void modes(void)
{
	unsigned int i;

	on(3);
	for (i = 0; i < 3; i++)
		dev_apic_write(i, TDM_APIC_LDR, 1u << (24 + i));
	dev_ioapic_rte(5, TO(0x6) | LOGICAL | 0x41);
	dev_line(5, 1);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(dev_take(1), 0x41);
	CHECK_EQ(dev_take(2), 0x41);
	dev_ioapic_rte(6, TO(0xff) | 0x51);
	dev_line(6, 1);
	for (i = 0; i < 3; i++)
		CHECK_EQ(dev_take(i), 0x51);
	dev_apic_write(0, TDM_APIC_TPR, 0xf0);
	dev_apic_write(2, TDM_APIC_TPR, 0xf0);
	dev_ioapic_rte(7, TO(0x7) | LOGICAL | 0x100 | 0x81);
	dev_line(7, 1);
	CHECK_EQ(dev_take(1), 0x81);
	dev_ioapic_rte(8, TO(2) | 0x400 | LEVEL);
	dev_line(8, 1);
	CHECK_EQ(dev->nmis[2], 1);
	CHECK_EQ(dev_ioapic_read(0x20) & REMOTE_IRR, 0);	/* no EOI will come */
	dev_ioapic_rte(12, TO(1) | 0x500);
	dev_line(12, 1);
	CHECK_EQ(dev->cpu[1]->apic_events, BIT(TDM_APIC_EV_INIT));
	dev_ioapic_rte(13, TO(1) | 0x200);	/* SMI and ExtINT: nothing */
	dev_line(13, 1);
	dev_ioapic_rte(14, TO(1) | 0x700);
	dev_line(14, 1);
	dev_ioapic_rte(15, TO(1) | 0x05);	/* illegal vector: the receiver notes it */
	dev_line(15, 1);
	dev_apic_write(1, TDM_APIC_ESR, 0);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_ESR), 0x40);
}

static void storm(void)
{
	u64 start = dev_ns;
	int n;

	on(1);
	dev_ioapic_rte(9, LEVEL | 0x61);
	dev_line(9, 1);
	for (n = 0; n < 100000 && dev_take(0) == 0x61; n++)
		eoi(0);
	CHECK(n >= 9999 && n <= 10001);
	dev_advance(11 * NSEC_PER_MSEC);
	CHECK_EQ(dev_take(0), 0x61);
	dev_line(9, 0);
	eoi(0);
	dev_line(9, 1);			/* and again as ever */
	CHECK_EQ(dev_take(0), 0x61);
	CHECK(dev_ns > start);
}

static void sources(void)
{
	on(1);
	dev_ioapic_rte(9, LEVEL | 0x61);
	tdm_irq_set(&dev->vm, 0, 9, 1);
	tdm_irq_set(&dev->vm, 1, 9, 1);
	CHECK_EQ(dev_take(0), 0x61);
	tdm_irq_set(&dev->vm, 0, 9, 0);
	eoi(0);
	CHECK_EQ(dev_take(0), 0x61);	/* the other source holds it up */
	tdm_irq_set(&dev->vm, 1, 9, 0);
	eoi(0);
	CHECK_EQ(dev_take(0), -1);
}

static void default_routes(void)
{
	int gsi;

	on(1);
	dev_out(0x21, 0xff);
	dev_out(0xa1, 0xff);
	for (gsi = 0; gsi < 24; gsi++)
		dev_ioapic_rte(gsi, 0x40 + gsi);
	for (gsi = 3; gsi < 24; gsi++) {
		dev_line(gsi, 1);
		CHECK_EQ(dev_take(0), 0x40 + gsi);
		eoi(0);
		CHECK_EQ(dev_take(0), -1);
	}
	/* GSI 0 is where KVM has it, and where PCs have it. */
	dev_line(0, 1);
	CHECK_EQ(dev_take(0), 0x42);
	eoi(0);
	CHECK_EQ(dev_take(0), 0x40);
	CHECK_EQ(tdm_irq_set(&dev->vm, 0, 24, 1), -1);
	CHECK_EQ(tdm_irq_set(&dev->vm, 0, ~0u, 1), -1);
}

static int set_routes(const struct kvm_irq_routing_entry *e, u32 n, u32 flags)
{
	int r;

	dev->vm.lock.held = 1;
	r = tdm_irq_set_routing(&dev->vm, e, n, flags);
	dev->vm.lock.held = 0;
	return r;
}

static struct kvm_irq_routing_entry chip_route(u32 gsi, u32 chip, u32 pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { chip, pin },
	};
}

static struct kvm_irq_routing_entry msi_route(u32 gsi, u32 lo, u32 data)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = lo, .data = data },
	};
}

static void routing(void)
{
	struct kvm_irq_routing_entry e[4];

	on(2);
	dev_ioapic_rte(20, 0x71);
	e[0] = msi_route(4095, 0xfee01000, 0x82);
	e[1] = chip_route(7, KVM_IRQCHIP_IOAPIC, 20);
	e[2] = chip_route(7, KVM_IRQCHIP_PIC_SLAVE, 3);
	e[3] = msi_route(0, 0xfee00000, 0x93);
	CHECK_EQ(set_routes(e, 4, 0), 0);
	dev_line(4095, 1);
	CHECK_EQ(dev_take(1), 0x82);
	CHECK_EQ(tdm_irq_set(&dev->vm, 0, 4095, 0), -1);	/* an MSI's line has no fall */
	dev_line(7, 1);
	CHECK_EQ(dev_take(0), 0x71);
	dev_line(0, 1);
	CHECK_EQ(dev_take(0), 0x93);
	CHECK_EQ(tdm_irq_set(&dev->vm, 0, 9, 1), -1);	/* no default any more */
	CHECK_EQ(set_routes(e, 4, 1), -EINVAL);
	CHECK_EQ(set_routes(e, TDM_NR_GSIS + 1, 0), -EINVAL);
	e[0] = chip_route(4096, KVM_IRQCHIP_IOAPIC, 1);
	CHECK_EQ(set_routes(e, 1, 0), -EINVAL);
	e[0] = chip_route(1, KVM_IRQCHIP_IOAPIC, 24);
	CHECK_EQ(set_routes(e, 1, 0), -EINVAL);
	e[0] = chip_route(1, KVM_IRQCHIP_PIC_MASTER, 8);
	CHECK_EQ(set_routes(e, 1, 0), -EINVAL);
	e[0] = chip_route(1, 3, 1);
	CHECK_EQ(set_routes(e, 1, 0), -EINVAL);
	e[0] = chip_route(1, KVM_IRQCHIP_IOAPIC, 1);
	e[0].flags = 1;
	CHECK_EQ(set_routes(e, 1, 0), -EINVAL);
	e[0] = chip_route(1, KVM_IRQCHIP_IOAPIC, 1);
	e[1] = chip_route(1, KVM_IRQCHIP_IOAPIC, 2);	/* twice the same chip */
	CHECK_EQ(set_routes(e, 2, 0), -EINVAL);
	e[1] = msi_route(1, 0, 0);			/* an MSI and a pin */
	CHECK_EQ(set_routes(e, 2, 0), -EINVAL);
	e[0].type = KVM_IRQ_ROUTING_S390_ADAPTER;
	CHECK_EQ(set_routes(e, 1, 0), -EINVAL);
	dev_line(7, 0);
	dev_line(7, 1);			/* refused tables changed nothing */
	eoi(0);
	eoi(0);
	CHECK_EQ(dev_take(0), 0x71);
	CHECK_EQ(set_routes(NULL, 0, 0), 0);
	CHECK_EQ(tdm_irq_set(&dev->vm, 0, 7, 1), -1);
}

static int msi(u32 lo, u32 hi, u32 data)
{
	const struct kvm_msi m = { .address_lo = lo, .address_hi = hi, .data = data };

	return tdm_irq_msi(&dev->vm, &m);
}

static void messages(void)
{
	struct kvm_msi bad = { .flags = 2 };
	unsigned int i;

	on(3);
	for (i = 0; i < 3; i++)
		dev_apic_write(i, TDM_APIC_LDR, 1u << (24 + i));
	CHECK_EQ(msi(0xfee02000, 0, 0x41), 1);
	CHECK_EQ(msi(0xfee02000, 0, 0x41), 0);		/* coalesced */
	CHECK_EQ(dev_take(2), 0x41);
	CHECK_EQ(msi(0xfee00000 | 0x06 << 12 | 4, 0, 0x51), 2);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(dev_take(1), 0x51);
	CHECK_EQ(dev_take(2), 0x51);
	dev_apic_write(1, TDM_APIC_TPR, 0xf0);
	dev_apic_write(2, TDM_APIC_TPR, 0xf0);
	CHECK_EQ(msi(0xfee00000 | 0x07 << 12 | 12, 0, 0x61), 1);	/* redirection hint */
	CHECK_EQ(dev_take(0), 0x61);
	CHECK_EQ(msi(0xfee00000 | 0x07 << 12 | 4, 0, 0x162), 1);	/* lowest priority */
	CHECK_EQ(msi(0xfee0f000 + 0x1000, 0, 0x63), -1);	/* nobody */
	CHECK_EQ(msi(0xfeeff000, 0, 0x64), 3);
	CHECK_EQ(msi(0xfee01000, 0, 0x400), 1);
	CHECK_EQ(dev->nmis[1], 1);
	CHECK_EQ(tdm_irq_msi(&dev->vm, &bad), -EINVAL);
	/* 32-bit IDs */
	dev->vm.x2apic_api = KVM_X2APIC_API_USE_32BIT_IDS;
	CHECK_EQ(msi(0xfee02000, 0x01, 0x81), -EINVAL);
	CHECK_EQ(msi(0xfee02000, 0x100, 0x81), -1);
	CHECK_EQ(msi(0xfee02000, 0, 0x81), 1);
	CHECK_EQ(msi(0xfeeff000, 0, 0x82), 3);
	CHECK_EQ(msi(0xfeeff000, 0xffffff00, 0x83), 3);
	dev->vm.x2apic_api |= KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
	CHECK_EQ(msi(0xfeeff000, 0, 0x84), -1);
	dev->vm.x2apic_api = 0;
}

static void state(void)
{
	struct kvm_irqchip c = { .chip_id = KVM_IRQCHIP_IOAPIC };

	on(1);
	dev_ioapic_rte(9, LEVEL | 0x61);
	dev_ioapic_rte(4, TO(3) | 0x41);
	dev_line(9, 1);
	CHECK_EQ(dev_take(0), 0x61);
	CHECK_EQ(tdm_irqchip_get(&dev->vm, &c), 0);
	CHECK_EQ(c.chip.ioapic.base_address, 0xfec00000);
	CHECK_EQ(c.chip.ioapic.irr, BIT(9));
	CHECK_EQ(c.chip.ioapic.redirtbl[9].fields.remote_irr, 1);
	CHECK_EQ(c.chip.ioapic.redirtbl[4].fields.dest_id, 3);
	dev_ioapic_rte(9, MASKED);
	CHECK_EQ(tdm_irqchip_set(&dev->vm, &c), 0);
	eoi(0);
	CHECK_EQ(dev_take(0), 0x61);	/* the line was restored, too */
	dev_line(9, 0);
	eoi(0);
	CHECK_EQ(dev_take(0), -1);
	memset(&c.chip.ioapic, 0xff, sizeof(c.chip.ioapic));
	CHECK_EQ(tdm_irqchip_set(&dev->vm, &c), 0);
	CHECK_EQ(tdm_irqchip_get(&dev->vm, &c), 0);
	CHECK_EQ(c.chip.ioapic.irr, 0xffffff);
	CHECK_EQ(c.chip.ioapic.redirtbl[0].bits, 0xff0000000001efffull);
	CHECK_EQ(dev_ioapic_read(c.chip.ioapic.ioregsel), 0xffffffff);
}

/* ---- buses ---- */

static int bus_read(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr, int len,
		    void *data)
{
	memset(data, (int)h->addr, len);
	return 0;
}

static int bus_write(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr, int len,
		     const void *data)
{
	return -EOPNOTSUPP;
}

static int released;

static void bus_release(struct tdm_io_handler *h)
{
	released++;
}

static const struct tdm_io_ops bus_ops = { bus_read, bus_write, bus_release };

static int bus_add(struct tdm_io_handler *h, u64 addr, u64 len)
{
	int r;

	*h = (struct tdm_io_handler){ &bus_ops, addr, len };
	dev->vm.lock.held = 1;
	r = tdm_iobus_add(&dev->vm, TDM_BUS_MMIO, h);
	dev->vm.lock.held = 0;
	return r;
}

static int mmio_in(u64 addr, int len)
{
	u64 val = 0;
	int r = tdm_iobus_read(dev->cpu[0], TDM_BUS_MMIO, addr, len, &val);

	return r ? r : (int)(val & 0xff);
}

static void buses(void)
{
	struct tdm_io_handler h[64], behind, x;
	int i;

	released = 0;
	for (i = 0; i < 64; i++)
		CHECK_EQ(bus_add(&h[i * 37 % 64], 0x1000ull * (i * 37 % 64) + i * 37 % 64, 16), 0);
	for (i = 0; i < 64; i++) {
		CHECK_EQ(mmio_in(0x1000ull * i + i, 4), i);
		CHECK_EQ(mmio_in(0x1000ull * i + i + 12, 4), i);
		CHECK_EQ(mmio_in(0x1000ull * i + i + 13, 4), -EOPNOTSUPP);
		CHECK_EQ(mmio_in(0x1000ull * i + i - 1, 1), -EOPNOTSUPP);
	}
	CHECK_EQ(mmio_in(~0ull, 1), -EOPNOTSUPP);
	CHECK_EQ(mmio_in(~0ull, 8), -EOPNOTSUPP);
	CHECK_EQ(bus_add(&behind, 0x6016, 4), 0);	/* right behind another */
	CHECK_EQ(mmio_in(0x6016, 4), 0x16);
	CHECK_EQ(mmio_in(0x6012, 4), 6);
	CHECK_EQ(mmio_in(0x6014, 4), -EOPNOTSUPP);
	CHECK_EQ(bus_add(&x, 0x5008, 16), -EEXIST);
	CHECK_EQ(bus_add(&x, 0x4ff8, 16), -EEXIST);
	CHECK_EQ(bus_add(&x, 0x4f00, 0x1000), -EEXIST);
	CHECK_EQ(bus_add(&x, 0x4f00, 0), -EINVAL);
	CHECK_EQ(bus_add(&x, ~0ull, 2), -EINVAL);
	dev->vm.lock.held = 1;
	for (i = 0; i < 64; i += 2)
		tdm_iobus_del(&dev->vm, TDM_BUS_MMIO, &h[i]);
	tdm_iobus_del(&dev->vm, TDM_BUS_MMIO, &h[0]);	/* not there: nothing */
	shim_fail = 1;
	tdm_iobus_del(&dev->vm, TDM_BUS_MMIO, &h[1]);	/* cannot fail */
	shim_fail = 0;
	dev->vm.lock.held = 0;
	CHECK_EQ(released, 33);
	for (i = 0; i < 64; i++)
		CHECK_EQ(mmio_in(0x1000ull * i + i, 4), i % 2 && i != 1 ? i : -EOPNOTSUPP);
	CHECK_EQ(tdm_iobus_write(dev->cpu[0], TDM_BUS_MMIO, 0x3003, 1, &i), -EOPNOTSUPP);
}

/* LAPICs only: the caller has the IOAPIC and hears of EOIs. */
static void split(void)
{
	struct kvm_irq_routing_entry e[2];
	struct tdm_vcpu *v;

	dev_start_split(2);
	v = dev->cpu[1];
	dev_apic_on(1);
	CHECK_EQ(msi(0xfee01000, 0, 0xc071), 1);
	CHECK_EQ(dev_take(1), 0x71);
	CHECK_EQ(v->requests & BIT(TDM_REQ_EOI_EXIT), 0);
	eoi(1);
	CHECK(v->requests & BIT(TDM_REQ_EOI_EXIT));
	CHECK_EQ(tdm_lapic_eoi_exit_vector(v), 0x71);
	v->requests = 0;
	CHECK_EQ(msi(0xfee01000, 0, 0x72), 1);	/* edge: nobody's business */
	CHECK_EQ(dev_take(1), 0x72);
	eoi(1);
	CHECK_EQ(v->requests & BIT(TDM_REQ_EOI_EXIT), 0);
	e[0] = chip_route(1, KVM_IRQCHIP_IOAPIC, 1);
	CHECK_EQ(set_routes(e, 1, 0), -EINVAL);
	e[0] = msi_route(5, 0xfee01000, 0x81);
	CHECK_EQ(set_routes(e, 1, 0), 0);
	dev_line(5, 1);
	CHECK_EQ(dev_take(1), 0x81);
	/* The caller's PIC comes by KVM_INTERRUPT, through LINT0. */
	dev->cpu[0]->ev.user_irq = 0x21;
	CHECK_EQ(dev_take(0), 0x21);
	v->ev.user_irq = 0x22;
	CHECK_EQ(dev_take(1), -1);
	dev_stop();
}

static void creation(void)
{
	const struct kvm_pit_config cfg = { .flags = 2 };
	struct tdm_vm *vm = calloc(1, sizeof(*vm));
	struct kvm_irqchip c = { 0 };
	struct kvm_pit_state2 ps;
	struct kvm_reinject_control rc = { 0 };
	const struct kvm_msi m = { 0 };
	unsigned int n;

	vm->lock.held = 1;
	dev->vm.lock.held = 1;
	CHECK_EQ(tdm_irqchip_create(&dev->vm), -EEXIST);
	CHECK_EQ(tdm_irqchip_create_split(&dev->vm, 24), -EEXIST);
	CHECK_EQ(tdm_pit_create(&dev->vm, &cfg), -EEXIST);
	CHECK_EQ(tdm_irqchip_get(vm, &c), -ENXIO);
	CHECK_EQ(tdm_irqchip_set(vm, &c), -ENXIO);
	CHECK_EQ(tdm_pit_get(vm, &ps), -ENXIO);
	CHECK_EQ(tdm_pit_set(vm, &ps), -ENXIO);
	CHECK_EQ(tdm_pit_reinject(vm, &rc), -ENXIO);
	CHECK_EQ(tdm_irq_msi(vm, &m), -EINVAL);
	CHECK_EQ(tdm_irq_set_routing(vm, NULL, 0, 0), -EINVAL);
	CHECK_EQ(tdm_pit_create(vm, &cfg), -ENOENT);
	vm->created_vcpus = 1;
	CHECK_EQ(tdm_irqchip_create(vm), -EINVAL);
	vm->created_vcpus = 0;
	/* Every allocation fails once. */
	for (n = 1; n < 100; n++) {
		long live = shim_live;
		int r;

		shim_fail = 0;
		CHECK_EQ(tdm_iobus_init(vm), 0);
		shim_fail_at = n;
		r = tdm_irqchip_create(vm);
		shim_fail_at = 0;
		if (r)
			CHECK_EQ(r, -ENOMEM);
		tdm_iobus_destroy(vm);
		tdm_irqchip_destroy(vm);
		vm->irqchip = TDM_IRQCHIP_NONE;
		CHECK_EQ(shim_live, live);
		if (!r)
			break;
	}
	CHECK(n > 5 && n < 100);
	free(vm);
}

static const struct dev_test tests[] = {
	{ "ioapic registers", registers, 1, 1 },
	{ "ioapic edge", edge, 2, 1 },
	{ "ioapic level", level, 1, 1 },
	{ "ioapic shared vector", shared_vector, 2, 1 },
	{ "ioapic delivery modes", modes, 3, 1 },
	{ "ioapic interrupt storm", storm, 1, 1 },
	{ "ioapic sources of a line", sources, 1, 1 },
	{ "ioapic state", state, 1, 1 },
	{ "routing default", default_routes, 1, 1 },
	{ "routing tables", routing, 2, 1 },
	{ "routing MSIs", messages, 3, 1 },
	{ "iobus", buses, 1, 1 },
	{ "irqchip split", split, 0, 0 },
	{ "irqchip creation", creation, 1, 1 },
};

DEV_TEST_MAIN(tests)
