// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O buses: a sorted table of handlers per bus, replaced whole under RCU.
 *
 * Beware: readers may have interrupts off, and every port exit comes through
 * here: no locks, no allocation, a binary search.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "kmod/devices/irq.h"
#include "kmod/iobus.h"
#include "kmod/ioevent.h"

/**
 * struct tdm_io_bus - one bus's handlers
 * @rcu: frees the table when no reader is left
 * @n: number of handlers
 * @last: index of the handler found last; any value will do, several CPUs write it
 * @h: by address; ranges do not overlap
 */
struct tdm_io_bus {
	struct rcu_head rcu;
	unsigned int n;
	unsigned int last;
	struct tdm_io_handler *h[];
};

static struct tdm_io_bus *bus_locked(struct tdm_vm *vm, enum tdm_bus bus)
{
	return rcu_dereference_protected(vm->bus[bus], lockdep_is_held(&vm->lock));
}

static struct tdm_io_bus *bus_alloc(unsigned int n)
{
	struct tdm_io_bus *b;

	b = kmalloc(struct_size(b, h, n), GFP_KERNEL_ACCOUNT);
	if (b) {
		b->n = n;
		b->last = 0;
	}
	return b;
}

/* First handler that ends after @addr; b->n if there is none. */
static unsigned int bus_search(const struct tdm_io_bus *b, u64 addr)
{
	unsigned int lo = 0, hi = b->n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (b->h[mid]->addr + b->h[mid]->len <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static __always_inline bool bus_fits(const struct tdm_io_handler *h, u64 addr, int len)
{
	return addr - h->addr < h->len && (u64)len <= h->len - (addr - h->addr);
}

static noinline struct tdm_io_handler *bus_find_other(struct tdm_io_bus *b, u64 addr, int len)
{
	unsigned int i = bus_search(b, addr);

	if (i == b->n || !bus_fits(b->h[i], addr, len))
		return NULL;
	WRITE_ONCE(b->last, i);
	return b->h[i];
}

/* The handler that has all of [addr, addr + len), or NULL. */
static __always_inline struct tdm_io_handler *bus_find(struct tdm_io_bus *b, u64 addr, int len)
{
	unsigned int i = READ_ONCE(b->last);

	/* Guests come back to the same device. */
	if (likely(i < b->n && bus_fits(b->h[i], addr, len)))
		return b->h[i];
	return bus_find_other(b, addr, len);
}

int tdm_iobus_init(struct tdm_vm *vm)
{
	struct tdm_io_bus *b;
	int bus;

	for (bus = 0; bus < TDM_NR_BUSES; bus++) {
		b = bus_alloc(0);
		if (!b) {
			tdm_iobus_destroy(vm);
			return -ENOMEM;
		}
		rcu_assign_pointer(vm->bus[bus], b);
	}
	return 0;
}

/** tdm_iobus_destroy() - the VM is ending, nobody reads: release what is left */
void tdm_iobus_destroy(struct tdm_vm *vm)
{
	struct tdm_io_bus *b;
	unsigned int i;
	int bus;

	for (bus = 0; bus < TDM_NR_BUSES; bus++) {
		b = rcu_dereference_protected(vm->bus[bus], true);
		RCU_INIT_POINTER(vm->bus[bus], NULL);
		if (!b)
			continue;
		for (i = 0; i < b->n; i++)
			if (b->h[i]->ops->release)
				b->h[i]->ops->release(b->h[i]);
		kfree(b);
	}
}

/**
 * tdm_iobus_add() - a device answers a range
 * @vm: vm->lock held
 * @bus: the bus
 * @h: handler, len > 0; stays the caller's until its release is called
 *
 * Return: 0; -EEXIST if another handler has part of the range; -EINVAL for an
 * empty range or one that wraps; -ENOMEM.
 */
int tdm_iobus_add(struct tdm_vm *vm, enum tdm_bus bus, struct tdm_io_handler *h)
{
	struct tdm_io_bus *old = bus_locked(vm, bus), *new;
	unsigned int i;

	if (!h->len || h->addr + h->len < h->addr)
		return -EINVAL;
	i = bus_search(old, h->addr);
	if (i < old->n && old->h[i]->addr < h->addr + h->len)
		return -EEXIST;
	new = bus_alloc(old->n + 1);
	if (!new)
		return -ENOMEM;
	memcpy(new->h, old->h, i * sizeof(new->h[0]));
	new->h[i] = h;
	memcpy(new->h + i + 1, old->h + i, (old->n - i) * sizeof(new->h[0]));
	rcu_assign_pointer(vm->bus[bus], new);
	kfree_rcu(old, rcu);
	return 0;
}

static void bus_remove(struct tdm_vm *vm, enum tdm_bus bus, struct tdm_io_bus *old,
		       unsigned int i)
{
	struct tdm_io_bus *new = bus_alloc(old->n - 1);

	if (!new) {
		/*
		 * Taking a device away must not fail: shrink the table in place.
		 * A reader that meets the move may miss another device once.
		 */
		memmove(old->h + i, old->h + i + 1,
			(old->n - i - 1) * sizeof(old->h[0]));
		WRITE_ONCE(old->n, old->n - 1);
		synchronize_rcu();
		return;
	}
	memcpy(new->h, old->h, i * sizeof(new->h[0]));
	memcpy(new->h + i, old->h + i + 1, (old->n - i - 1) * sizeof(new->h[0]));
	rcu_assign_pointer(vm->bus[bus], new);
	synchronize_rcu();
	kfree(old);
}

/**
 * tdm_iobus_del() - a device goes
 * @vm: vm->lock held, or the VM is ending
 * @bus: the bus
 * @h: handler; nothing happens if it is not on the bus
 *
 * Waits for readers, then calls the handler's release.
 */
void tdm_iobus_del(struct tdm_vm *vm, enum tdm_bus bus, struct tdm_io_handler *h)
{
	struct tdm_io_bus *b = rcu_dereference_protected(vm->bus[bus], true);
	unsigned int i;

	if (!b)
		return;
	i = bus_search(b, h->addr);
	if (i == b->n || b->h[i] != h)
		return;
	bus_remove(vm, bus, b, i);
	if (h->ops->release)
		h->ops->release(h);
}

/* No device here takes the write: perhaps the caller need not have it at once. */
static int bus_coalesce(struct tdm_vcpu *vcpu, enum tdm_bus bus, u64 addr, int len,
			const void *data)
{
	return tdm_coalesced_write(vcpu->vm, bus, addr, len, data) ? 0 : -EOPNOTSUPP;
}

/*
 * Interrupts being off keeps tables alive like rcu_read_lock_sched() does:
 * nothing else is to be paid on the way to a port.
 */

/**
 * tdm_pio_read_irqoff() - the guest reads a port, on the fast path
 * @vcpu: its own thread calls, interrupts off
 * @port: the port
 * @len: 1, 2, 4
 * @data: out, @len bytes
 *
 * Return: 0, -EOPNOTSUPP if no device here answers.
 */
int tdm_pio_read_irqoff(struct tdm_vcpu *vcpu, u16 port, int len, void *data)
{
	struct tdm_io_handler *h;

	h = bus_find(rcu_dereference_sched(vcpu->vm->bus[TDM_BUS_PIO]), port, len);
	return h ? h->ops->read(vcpu, h, port, len, data) : -EOPNOTSUPP;
}

/** tdm_pio_write_irqoff() - as tdm_pio_read_irqoff(), the other way */
int tdm_pio_write_irqoff(struct tdm_vcpu *vcpu, u16 port, int len, const void *data)
{
	struct tdm_io_handler *h;

	if (unlikely(rcu_access_pointer(vcpu->vm->ioevents[TDM_BUS_PIO])) &&
	    tdm_ioevent_write(vcpu->vm, TDM_BUS_PIO, port, len, data))
		return 0;
	h = bus_find(rcu_dereference_sched(vcpu->vm->bus[TDM_BUS_PIO]), port, len);
	return h ? h->ops->write(vcpu, h, port, len, data) :
		   bus_coalesce(vcpu, TDM_BUS_PIO, port, len, data);
}

/**
 * tdm_iobus_read() - the guest reads a port or memory without a memslot
 * @vcpu: its own thread calls, perhaps with interrupts off
 * @bus: the bus
 * @addr: port or guest-physical address
 * @len: 1..8
 * @data: out, @len bytes
 *
 * Return: 0, -EOPNOTSUPP if no device here answers.
 */
int tdm_iobus_read(struct tdm_vcpu *vcpu, enum tdm_bus bus, u64 addr, int len, void *data)
{
	struct tdm_io_handler *h;
	int r = -EOPNOTSUPP;

	if (bus == TDM_BUS_MMIO && vcpu->lapic &&
	    !tdm_lapic_mmio(vcpu, addr, len, data, false))
		return 0;
	rcu_read_lock_sched();
	h = bus_find(rcu_dereference_sched(vcpu->vm->bus[bus]), addr, len);
	if (h)
		r = h->ops->read(vcpu, h, addr, len, data);
	rcu_read_unlock_sched();
	return r;
}

/** tdm_iobus_write() - as tdm_iobus_read(), the other way */
int tdm_iobus_write(struct tdm_vcpu *vcpu, enum tdm_bus bus, u64 addr, int len, const void *data)
{
	struct tdm_io_handler *h;
	int r = -EOPNOTSUPP;

	/* With write set, the data is only read. */
	if (bus == TDM_BUS_MMIO && vcpu->lapic &&
	    !tdm_lapic_mmio(vcpu, addr, len, (void *)data, true))
		return 0;
	if (rcu_access_pointer(vcpu->vm->ioevents[bus]) &&
	    tdm_ioevent_write(vcpu->vm, bus, addr, len, data))
		return 0;
	rcu_read_lock_sched();
	h = bus_find(rcu_dereference_sched(vcpu->vm->bus[bus]), addr, len);
	if (h)
		r = h->ops->write(vcpu, h, addr, len, data);
	rcu_read_unlock_sched();
	return r ? bus_coalesce(vcpu, bus, addr, len, data) : 0;
}
