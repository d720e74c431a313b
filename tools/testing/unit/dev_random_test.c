// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random guests and callers on the devices: nothing may be touched out of
 * range, nothing may loop, and what is cached must stay true.
 *
 *   dev_random_test [SEED [STEPS]]
 */
#include "dev_test.h"
#include "kmod/devices/lapic.h"

#define CPUS	5

static u64 rnd_state;

static u32 rnd(void)
{
	rnd_state = rnd_state * 6364136223846793005ull + 1442695040888963407ull;
	return rnd_state >> 32;
}

static u32 pick(u32 n)
{
	return rnd() % n;
}

/* Values that mean something more often than chance would have it. */
static u32 value(void)
{
	static const u32 some[] = {
		0, 1, 2, 0x10, 0xff, 0x100, 0x1ff, 0x700, 0x400, 0x8000, 0xc000, 0x4000,
		0x10000, 0x20000, 0x40000, 0x60000, 0x80000, 0xc0000, 0xffffffff, 0x0fffffff,
		0x01000000, 0x02000000, 0xff000000,
	};

	switch (pick(4)) {
	case 0:
		return some[pick(ARRAY_SIZE(some))];
	case 1:
		return some[pick(ARRAY_SIZE(some))] | (rnd() & 0xff);
	case 2:
		return some[pick(ARRAY_SIZE(some))] | some[pick(ARRAY_SIZE(some))] | (rnd() & 0xff);
	default:
		return rnd();
	}
}

static const u16 ports[] = {
	0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61,
};

static void do_port(struct tdm_vcpu *v)
{
	u16 port = ports[pick(ARRAY_SIZE(ports))];
	u64 val = value();
	int len = 1 << pick(3);

	if (pick(2))
		tdm_iobus_read(v, TDM_BUS_PIO, port, len, &val);
	else
		tdm_iobus_write(v, TDM_BUS_PIO, port, len, &val);
}

static void do_mmio(struct tdm_vcpu *v)
{
	u64 addr = pick(2) ? v->st.apic_base & ~0xfffull : 0xfec00000;
	u64 val = value();
	int len = pick(8) ? 4 : 1 + pick(8);

	addr += pick(8) ? pick(0x40) * 0x10 : pick(0x1000);
	if (pick(3))
		tdm_iobus_write(v, TDM_BUS_MMIO, addr, len, &val);
	else
		tdm_iobus_read(v, TDM_BUS_MMIO, addr, len, &val);
}

static void do_ioapic(struct tdm_vcpu *v)
{
	dev_ioapic_write(pick(8) ? 0x10 + pick(48) : pick(256), value());
}

static void do_msr(struct tdm_vcpu *v)
{
	u64 val = value() | (pick(2) ? (u64)value() << 32 : 0);

	switch (pick(8)) {
	case 0:
		tdm_lapic_set_base(v, (val & 0xfff00fff) | (u64)pick(4) << 10 |
				   (pick(4) ? 0xfee00000 : 0), pick(2));
		break;
	case 1:
		tdm_lapic_set_deadline(v, pick(2) ? rdtsc_ordered() + v->st.tsc_offset +
				       pick(1000000) : val);
		break;
	case 2:
		v->st.tsc_offset = val;
		tdm_lapic_tsc_changed(v);
		break;
	case 3:
		tdm_lapic_msr_get(v, 0x800 + pick(0x100), &val);
		break;
	default:
		tdm_lapic_msr_set(v, 0x800 + pick(0x40), pick(2) ? val : (u32)val);
	}
}

static void do_line(struct tdm_vcpu *v)
{
	tdm_irq_set(&dev->vm, pick(2), pick(8) ? pick(26) : rnd(), pick(2));
}

static void do_msi(struct tdm_vcpu *v)
{
	const struct kvm_msi m = {
		.address_lo = 0xfee00000 | pick(0x100) << 12 | (value() & 0xfff),
		.address_hi = pick(4) ? 0 : value(), .data = value(),
	};

	tdm_irq_msi(&dev->vm, &m);
}

static void do_take(struct tdm_vcpu *v)
{
	int vector = dev_take(v->index);

	CHECK(vector >= -1 && vector < 256);
	if (vector >= 0 && pick(4))
		tdm_lapic_set_tpr(v, pick(16));
}

static void do_eoi(struct tdm_vcpu *v)
{
	u32 zero = 0;

	tdm_iobus_write(v, TDM_BUS_MMIO, (v->st.apic_base & ~0xfffull) + TDM_APIC_EOI, 4, &zero);
	tdm_lapic_msr_set(v, 0x80b, 0);
	dev_out(0xa0, 0x20);
	dev_out(0x20, 0x20);
}

static void do_time(struct tdm_vcpu *v)
{
	unsigned int fires = dev_timer_fires;
	u64 ns = pick(3) ? pick(100000) : pick(100000000);

	dev_advance(ns);
	/* Hardly more than the chips' own limits: vCPUs that do not run need nothing. */
	CHECK(dev_timer_fires - fires <= CPUS * 2 + ns / 200000 + 10);
}

static void do_state(struct tdm_vcpu *v)
{
	struct kvm_irqchip c = { .chip_id = pick(4) };
	struct kvm_lapic_state s;
	struct kvm_pit_state2 ps;
	unsigned int i;
	u8 *p;

	switch (pick(3)) {
	case 0:
		p = (u8 *)&c.chip;
		if (tdm_irqchip_get(&dev->vm, &c))
			return;
		for (i = pick(4); i; i--)
			p[pick(sizeof(c.chip))] = rnd();
		tdm_irqchip_set(&dev->vm, &c);
		break;
	case 1:
		p = (u8 *)&ps;
		tdm_pit_get(&dev->vm, &ps);
		for (i = pick(4); i; i--)
			p[pick(sizeof(ps))] = rnd();
		tdm_pit_set(&dev->vm, &ps);
		break;
	default:
		p = (u8 *)&s;
		tdm_lapic_get(v, &s);
		for (i = pick(16); i; i--)
			p[pick(sizeof(s))] = rnd();
		tdm_lapic_set(v, &s);
	}
}

static void do_reset(struct tdm_vcpu *v)
{
	const struct kvm_reinject_control rc = { .pit_reinject = pick(2) };

	if (!pick(10))
		tdm_lapic_reset(v, pick(2));
	if (!pick(10))
		tdm_pit_reinject(&dev->vm, &rc);
	if (!pick(20))
		dev->vm.x2apic_api = pick(4);
	tdm_timers_migrate(v);
}

static void do_routes(struct tdm_vcpu *v)
{
	struct kvm_irq_routing_entry e[40];
	unsigned int i, n = pick(ARRAY_SIZE(e));

	if (pick(10))
		return;
	memset(e, 0, sizeof(e));
	for (i = 0; i < n; i++) {
		e[i].gsi = pick(16) ? i : pick(5000);
		e[i].type = KVM_IRQ_ROUTING_IRQCHIP + !pick(4);
		if (e[i].type == KVM_IRQ_ROUTING_MSI) {
			e[i].u.msi.address_lo = 0xfee00000 | (value() & 0xfffff);
			e[i].u.msi.data = value();
		} else {
			e[i].u.irqchip.irqchip = pick(3);
			e[i].u.irqchip.pin = pick(8);
		}
	}
	dev->vm.lock.held = 1;
	tdm_irq_set_routing(&dev->vm, e, n, 0);
	dev->vm.lock.held = 0;
}

static void (*const actions[])(struct tdm_vcpu *v) = {
	do_port, do_port, do_mmio, do_mmio, do_mmio, do_ioapic, do_msr, do_msr, do_line, do_line,
	do_msi, do_take, do_take, do_eoi, do_eoi, do_time, do_time, do_state, do_reset, do_routes,
};

/* What is cached is what the bitmaps say. */
static void check_lapic(struct tdm_lapic *l)
{
	int w;

	for (w = 0; w < 8; w++)
		if (tdm_lapic_reg(l, TDM_APIC_IRR + w * 0x10))
			CHECK(l->irr_words & BIT(w));
	CHECK_EQ(l->isrv, tdm_apic_highest(l->regs, TDM_APIC_ISR, 0xff));
	CHECK_EQ(l->mode, l->vcpu->st.apic_base & 0x800 ?
		 (l->vcpu->st.apic_base & 0x400 ? TDM_LAPIC_X2APIC : TDM_LAPIC_XAPIC) :
		 TDM_LAPIC_DISABLED);
	CHECK_EQ(l->sw_enabled, !!(tdm_lapic_reg(l, TDM_APIC_SVR) & TDM_APIC_SVR_ENABLED));
}

static bool x2_matches(struct tdm_lapic *l, const struct tdm_apic_msg *m)
{
	u32 ldr = tdm_lapic_reg(l, TDM_APIC_LDR);

	if (m->logical)
		return ldr >> 16 == m->dest >> 16 && (ldr & m->dest & 0xffff);
	return l->vcpu->id == m->dest;
}

static bool xapic_matches(struct tdm_lapic *l, const struct tdm_apic_msg *m)
{
	if (m->dest > 0xff)
		return false;
	if (m->logical)
		return tdm_apic_match_logical(tdm_lapic_reg(l, TDM_APIC_LDR),
					      tdm_lapic_reg(l, TDM_APIC_DFR), m->dest);
	return tdm_lapic_reg(l, TDM_APIC_ID) >> 24 == m->dest;
}

static unsigned int visited;

static void visit(struct tdm_dest_walk *walk, struct tdm_lapic *l)
{
	CHECK(!(visited & BIT(l->vcpu->index)));
	visited |= BIT(l->vcpu->index);
}

/* The tables find just those that asking each LAPIC finds. */
static void check_map(void)
{
	const struct tdm_apic_msg m = {
		.dest = pick(3) ? pick(256) : value(), .logical = pick(2), .x2 = pick(2),
	};
	bool all = m.dest == (m.x2 ? 0xffffffff : 0xff);
	unsigned int i, want = 0;

	for (i = 0; i < CPUS; i++) {
		struct tdm_lapic *l = dev->cpu[i]->lapic;

		if (l->mode != TDM_LAPIC_DISABLED &&
		    (all || (l->mode == TDM_LAPIC_X2APIC ? x2_matches(l, &m) : xapic_matches(l, &m))))
			want |= BIT(i);
	}
	visited = 0;
	tdm_apic_map_walk(&dev->vm, &m, visit, NULL);
	CHECK_EQ(visited, want);
	if (visited == want)
		return;
	printf("# dest 0x%x%s%s\n", m.dest, m.logical ? " logical" : "", m.x2 ? " x2" : "");
	for (i = 0; i < CPUS; i++)
		printf("# cpu %u id %u mode %u ID 0x%x LDR 0x%x DFR 0x%x\n", i, dev->cpu[i]->id,
		       dev->cpu[i]->lapic->mode, tdm_lapic_reg(dev->cpu[i]->lapic, TDM_APIC_ID),
		       tdm_lapic_reg(dev->cpu[i]->lapic, TDM_APIC_LDR),
		       tdm_lapic_reg(dev->cpu[i]->lapic, TDM_APIC_DFR));
}

static bool run(u64 seed, unsigned int steps)
{
	unsigned int i, c;

	rnd_state = seed * 0x9e3779b97f4a7c15ull + 1;
	dev_test_ok = true;
	dev_start(CPUS, 1 + seed % 3);
	dev_pic_init();
	for (i = 0; i < CPUS; i++)
		dev_apic_on(i);
	for (i = 0; i < steps && dev_test_ok; i++) {
		actions[pick(ARRAY_SIZE(actions))](dev->cpu[pick(CPUS)]);
		for (c = 0; c < CPUS; c++)
			check_lapic(dev->cpu[c]->lapic);
		check_map();
	}
	if (!dev_test_ok)
		printf("# seed %" PRIu64 ", step %u\n", (uint64_t)seed, i);
	dev_stop();
	return dev_test_ok;
}

int main(int argc, char **argv)
{
	u64 first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned int steps = argc > 2 ? strtoul(argv[2], NULL, 0) : 4000;
	unsigned int runs = argc > 1 ? 1 : 60, i;
	bool ok = true;

	ktap_start(1);
	for (i = 0; i < runs; i++)
		ok &= run(first + i, steps);
	ktap_result(ok, "devices under random use (%u runs of %u steps)", runs, steps);
	return ktap_end();
}
