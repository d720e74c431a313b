// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSI routing: which controller inputs or MSIs a GSI stands for.
 *
 * The table is replaced whole under RCU; raising a GSI is a look-up by index,
 * from any context, with no lock here.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "kmod/core.h"
#include "kmod/devices/chips.h"
#include "kmod/devices/lapic.h"
#include "kmod/devices/trace.h"

#define MSI_DEST_SHIFT	12
#define MSI_REDIRECT	BIT(3)
#define MSI_LOGICAL	BIT(2)
#define MSI_ASSERT	BIT(14)
#define MSI_LEVEL	BIT(15)

/**
 * struct tdm_irq_route - one thing a GSI does
 * @type: KVM_IRQ_ROUTING_*
 * @chip: KVM_IRQCHIP_*, for IRQCHIP
 * @pin: the chip's input; the PIC's slave has 8..15
 * @gsi: its GSI
 * @msi: for MSI, decoded
 */
struct tdm_irq_route {
	u8 type;
	u8 chip;
	u8 pin;
	u32 gsi;
	struct tdm_apic_msg msi;
};

/**
 * struct tdm_irq_routing - a VM's routes
 * @rcu: frees the table when no reader is left
 * @nr_gsis: GSIs that have routes are below this
 * @start: routes of GSI g are route[start[g]] to route[start[g + 1] - 1];
 *	   nr_gsis + 1 entries, behind the routes
 * @route: by GSI
 */
struct tdm_irq_routing {
	struct rcu_head rcu;
	u32 nr_gsis;
	u32 *start;
	struct tdm_irq_route route[];
};

/* ---- raising ---- */

static int set_msi(struct tdm_vm *vm, const struct tdm_irq_route *r, int source, int level)
{
	/* A message is sent when the line rises; its fall means nothing. */
	return level ? tdm_apic_deliver(vm, NULL, &r->msi) : -1;
}

static int set_route(struct tdm_vm *vm, const struct tdm_irq_route *r, int source, int level)
{
	if (r->type == KVM_IRQ_ROUTING_MSI)
		return set_msi(vm, r, source, level);
	if (r->chip == KVM_IRQCHIP_IOAPIC)
		return tdm_ioapic_line(vm->ioapic, r->pin, source, level);
	return tdm_pic_line(vm->pic, r->pin, source, level);
}

/**
 * tdm_irq_set() - one source's level on a GSI
 * @vm: the VM
 * @source: TDM_IRQ_SRC_*; lines are up while any source holds them up
 * @gsi: any number; without a route nothing happens
 * @level: 0 down, else up
 *
 * Any context. Return: < 0 masked everywhere or no route, 0 coalesced with a
 * request not yet taken, > 0 delivered.
 */
int tdm_irq_set(struct tdm_vm *vm, int source, u32 gsi, int level)
{
	const struct tdm_irq_routing *rt;
	int ret = -1, r;
	u32 i, end;

	rcu_read_lock();
	rt = rcu_dereference(vm->routing);
	if (rt && gsi < rt->nr_gsis) {
		end = rt->start[gsi + 1];
		for (i = rt->start[gsi]; i < end; i++) {
			r = set_route(vm, &rt->route[i], source, level);
			if (r >= 0)
				ret = max(ret, 0) + r;
		}
	}
	rcu_read_unlock();
	trace_tdm_irq_set(vm->name, source, gsi, level, ret);
	return ret;
}

static bool route_reaches(const struct tdm_irq_route *r, bool ioapic, u32 pins)
{
	return r->type == KVM_IRQ_ROUTING_IRQCHIP &&
	       (r->chip == KVM_IRQCHIP_IOAPIC) == ioapic && (pins & BIT(r->pin));
}

/**
 * tdm_irq_gsi_reaches() - does a GSI come in at one of these inputs?
 * @vm: the VM
 * @gsi: any number
 * @ioapic: the I/O APIC's inputs, else those of the PICs
 * @pins: by number; the slave PIC has 8..15
 *
 * Any context.
 */
bool tdm_irq_gsi_reaches(struct tdm_vm *vm, u32 gsi, bool ioapic, u32 pins)
{
	const struct tdm_irq_routing *rt;
	bool found = false;
	u32 i;

	rcu_read_lock();
	rt = rcu_dereference(vm->routing);
	if (rt && gsi < rt->nr_gsis)
		for (i = rt->start[gsi]; i < rt->start[gsi + 1] && !found; i++)
			found = route_reaches(&rt->route[i], ioapic, pins);
	rcu_read_unlock();
	return found;
}

/* ---- MSIs ---- */

static bool wide_msi_ids(struct tdm_vm *vm)
{
	return vm->x2apic_api & KVM_X2APIC_API_USE_32BIT_IDS;
}

/* With wide IDs, the address's high half holds ID bits 31:8 and nothing else. */
static bool msi_valid(struct tdm_vm *vm, u32 address_hi)
{
	return !wide_msi_ids(vm) || !(address_hi & 0xff);
}

static struct tdm_apic_msg decode_msi(struct tdm_vm *vm, u32 lo, u32 hi, u32 data)
{
	struct tdm_apic_msg msg = {
		.dest = lo >> MSI_DEST_SHIFT & 0xff,
		.vector = data,
		.mode = data >> 8 & 7,
		.logical = lo & MSI_LOGICAL,
		.redirect = lo & MSI_REDIRECT,
		.level = data & MSI_LEVEL,
		/* Edge messages are always asserted, whatever bit 14 says. */
		.assert = !(data & MSI_LEVEL) || (data & MSI_ASSERT),
	};

	if (wide_msi_ids(vm))
		msg.dest |= hi & 0xffffff00;
	/* Then 0xff may be an ID like others, if the caller says so. */
	msg.x2 = wide_msi_ids(vm) &&
		 ((vm->x2apic_api & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK) ||
		  msg.dest != 0xff);
	return msg;
}

/**
 * tdm_irq_msi() - KVM_SIGNAL_MSI
 * @vm: the VM
 * @msi: from the caller
 *
 * Return: > 0 delivered, 0 coalesced, -EINVAL without LAPICs in the kernel or
 * for a bad message, -EPERM (as KVM's -1) if no LAPIC accepted it.
 */
int tdm_irq_msi(struct tdm_vm *vm, const struct kvm_msi *msi)
{
	struct tdm_apic_msg msg;

	if (vm->irqchip == TDM_IRQCHIP_NONE || (msi->flags & ~KVM_MSI_VALID_DEVID) ||
	    !msi_valid(vm, msi->address_hi))
		return -EINVAL;
	msg = decode_msi(vm, msi->address_lo, msi->address_hi, msi->data);
	return tdm_apic_deliver(vm, NULL, &msg);
}

/* ---- the table ---- */

static int set_chip_route(struct tdm_vm *vm, struct tdm_irq_route *r,
			  const struct kvm_irq_routing_irqchip *c)
{
	u32 pins = c->irqchip == KVM_IRQCHIP_IOAPIC ? KVM_IOAPIC_NUM_PINS : 8;

	if (vm->irqchip == TDM_IRQCHIP_SPLIT)
		return -EINVAL;
	if (c->irqchip > KVM_IRQCHIP_IOAPIC || c->pin >= pins)
		return -EINVAL;
	r->chip = c->irqchip;
	r->pin = c->pin + (c->irqchip == KVM_IRQCHIP_PIC_SLAVE ? 8 : 0);
	return 0;
}

static int set_msi_route(struct tdm_vm *vm, struct tdm_irq_route *r,
			 const struct kvm_irq_routing_msi *m)
{
	if (!msi_valid(vm, m->address_hi))
		return -EINVAL;
	r->msi = decode_msi(vm, m->address_lo, m->address_hi, m->data);
	return 0;
}

static int convert_route(struct tdm_vm *vm, struct tdm_irq_route *r,
			 const struct kvm_irq_routing_entry *e)
{
	r->type = e->type;
	r->gsi = e->gsi;
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return e->flags ? -EINVAL : set_chip_route(vm, r, &e->u.irqchip);
	case KVM_IRQ_ROUTING_MSI:
		if (e->flags & ~KVM_MSI_VALID_DEVID)
			return -EINVAL;
		return set_msi_route(vm, r, &e->u.msi);
	default:
		return -EINVAL;
	}
}

/* KVM's rule: a GSI has one MSI, or inputs of different chips. */
static bool conflicts(const struct tdm_irq_routing *rt, u32 first, u32 n,
		      const struct tdm_irq_route *r)
{
	u32 i;

	for (i = first; i < first + n; i++)
		if (rt->route[i].type != KVM_IRQ_ROUTING_IRQCHIP ||
		    r->type != KVM_IRQ_ROUTING_IRQCHIP ||
		    rt->route[i].chip == r->chip)
			return true;
	return false;
}

static struct tdm_irq_routing *routing_alloc(u32 nr_routes, u32 nr_gsis)
{
	struct tdm_irq_routing *rt;
	size_t starts = struct_size(rt, route, nr_routes);

	rt = kvzalloc(starts + (nr_gsis + 1) * sizeof(u32), GFP_KERNEL_ACCOUNT);
	if (!rt)
		return NULL;
	rt->nr_gsis = nr_gsis;
	rt->start = (void *)rt + starts;
	return rt;
}

/* Sorted by counting: start[] holds each GSI's count, then end, then start. */
static int fill(struct tdm_vm *vm, struct tdm_irq_routing *rt,
		const struct kvm_irq_routing_entry *e, u32 n, bool check)
{
	struct tdm_irq_route r;
	u32 i, g, sum = 0;
	int err;

	for (i = 0; i < n; i++)
		rt->start[e[i].gsi]++;
	for (g = 0; g < rt->nr_gsis; g++) {
		sum += rt->start[g];
		rt->start[g] = sum;
	}
	rt->start[g] = n;
	for (i = n; i-- > 0;) {
		memset(&r, 0, sizeof(r));
		err = convert_route(vm, &r, &e[i]);
		if (err)
			return err;
		g = --rt->start[r.gsi];
		rt->route[g] = r;
	}
	for (i = 0; check && i < n; i++) {
		g = rt->start[rt->route[i].gsi];
		if (conflicts(rt, g, i - g, &rt->route[i]))
			return -EINVAL;
	}
	return 0;
}

static int replace(struct tdm_vm *vm, const struct kvm_irq_routing_entry *e, u32 n,
		   bool check)
{
	struct tdm_irq_routing *rt, *old;
	u32 i, nr_gsis = 0;
	int r;

	for (i = 0; i < n; i++) {
		if (e[i].gsi >= TDM_NR_GSIS)
			return -EINVAL;
		nr_gsis = max(nr_gsis, e[i].gsi + 1);
	}
	rt = routing_alloc(n, nr_gsis);
	if (!rt)
		return -ENOMEM;
	r = fill(vm, rt, e, n, check);
	if (r) {
		kvfree(rt);
		return r;
	}
	old = rcu_replace_pointer(vm->routing, rt, lockdep_is_held(&vm->lock));
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

/**
 * tdm_irq_set_routing() - KVM_SET_GSI_ROUTING: all routes anew
 * @vm: vm->lock held
 * @e: the routes
 * @n: how many, at most TDM_NR_GSIS
 * @flags: must be 0
 *
 * Return: 0; -EINVAL without controllers in the kernel, for a number, type or
 * input that does not exist, or a GSI routed twice to a chip; -ENOMEM.
 */
int tdm_irq_set_routing(struct tdm_vm *vm, const struct kvm_irq_routing_entry *e, u32 n, u32 flags)
{
	lockdep_assert_held(&vm->lock);
	if (vm->irqchip == TDM_IRQCHIP_NONE || n > TDM_NR_GSIS || flags)
		return -EINVAL;
	return replace(vm, e, n, true);
}

/*
 * KVM's default: GSI n is input n of the PICs and of the IOAPIC. GSI 0, the
 * PIT, reaches IOAPIC pin 2 as well: that is where PCs wire it and where
 * firmware tables (interrupt source override) say it is.
 */
#define IOAPIC_PIN(g, p)	{ .gsi = (g), .type = KVM_IRQ_ROUTING_IRQCHIP,	\
				  .u.irqchip = { KVM_IRQCHIP_IOAPIC, (p) } }
#define MASTER_PIN(g)		{ .gsi = (g), .type = KVM_IRQ_ROUTING_IRQCHIP,	\
				  .u.irqchip = { KVM_IRQCHIP_PIC_MASTER, (g) } }
#define SLAVE_PIN(g)		{ .gsi = (g), .type = KVM_IRQ_ROUTING_IRQCHIP,	\
				  .u.irqchip = { KVM_IRQCHIP_PIC_SLAVE, (g) - 8 } }
#define LOW(g)			IOAPIC_PIN(g, g), MASTER_PIN(g)
#define MIDDLE(g)		IOAPIC_PIN(g, g), SLAVE_PIN(g)
#define HIGH(g)			IOAPIC_PIN(g, g)

static const struct kvm_irq_routing_entry default_routes[] = {
	IOAPIC_PIN(TDM_PIT_GSI, 2),
	LOW(0), LOW(1), LOW(2), LOW(3), LOW(4), LOW(5), LOW(6), LOW(7),
	MIDDLE(8), MIDDLE(9), MIDDLE(10), MIDDLE(11),
	MIDDLE(12), MIDDLE(13), MIDDLE(14), MIDDLE(15),
	HIGH(16), HIGH(17), HIGH(18), HIGH(19),
	HIGH(20), HIGH(21), HIGH(22), HIGH(23),
};

/** tdm_irq_default_routing() - the routes after KVM_CREATE_IRQCHIP; vm->lock held */
int tdm_irq_default_routing(struct tdm_vm *vm)
{
	return replace(vm, default_routes, ARRAY_SIZE(default_routes), false);
}

/** tdm_irq_routing_free() - the VM is ending */
void tdm_irq_routing_free(struct tdm_vm *vm)
{
	kvfree(rcu_dereference_protected(vm->routing, true));
	RCU_INIT_POINTER(vm->routing, NULL);
}
