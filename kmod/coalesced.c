// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and PIO: writes to ranges that the caller named go into a ring
 * that it shares with us, and the guest goes on. The caller reads the ring at
 * the next exit of any kind. A write that finds the ring full exits as usual.
 *
 * Beware: the ring is the caller's memory, too: each index is read once and
 * checked. Writers may have interrupts off.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "kmod/core.h"
#include "kmod/ioevent.h"

/* Zones are looked through one by one, by writes that would leave for the caller. */
#define MAX_ZONES	100

#define RING_ENTRIES	KVM_COALESCED_MMIO_MAX

static_assert(sizeof(struct kvm_coalesced_mmio_ring) +
	      RING_ENTRIES * sizeof(struct kvm_coalesced_mmio) <= PAGE_SIZE);

/**
 * struct tdm_coalesced - a VM's ring and zones
 * @lock: writing to the ring
 * @ring: a page, shared with the caller
 * @zones: (r), vm->lock to change; NULL: none
 */
struct tdm_coalesced {
	raw_spinlock_t lock;
	struct kvm_coalesced_mmio_ring *ring;
	struct zones __rcu *zones;
};

struct zones {
	unsigned int n;
	struct kvm_coalesced_mmio_zone zone[];
};

static bool covers(const struct kvm_coalesced_mmio_zone *z, bool pio, u64 addr, u64 len)
{
	return !!z->pio == pio && addr >= z->addr && addr + len >= addr &&
	       addr + len <= z->addr + z->size;
}

static bool is_named(struct tdm_coalesced *c, bool pio, u64 addr, int len)
{
	const struct zones *zs;
	unsigned int i;
	bool found = false;

	rcu_read_lock_sched();
	zs = rcu_dereference_sched(c->zones);
	for (i = 0; zs && i < zs->n && !found; i++)
		found = covers(&zs->zone[i], pio, addr, len);
	rcu_read_unlock_sched();
	return found;
}

/* The lock is held. */
static bool put(struct kvm_coalesced_mmio_ring *ring, bool pio, u64 addr, int len,
		const void *data)
{
	u32 last = READ_ONCE(ring->last);
	struct kvm_coalesced_mmio *m;

	if (last >= RING_ENTRIES || (last + 1) % RING_ENTRIES == READ_ONCE(ring->first))
		return false;
	m = &ring->coalesced_mmio[last];
	m->phys_addr = addr;
	m->len = len;
	memcpy(m->data, data, len);
	m->pio = pio;
	/* The entry, then the index that says it is there. */
	smp_store_release(&ring->last, (last + 1) % RING_ENTRIES);
	return true;
}

/**
 * tdm_coalesced_write() - the guest writes where no device in the kernel is
 * @vm: the VM
 * @bus: the bus
 * @addr: port or guest-physical address
 * @len: 1..8 bytes
 * @data: them
 *
 * Any context. Return: is it in the ring? If not, it is for the caller at once.
 */
bool tdm_coalesced_write(struct tdm_vm *vm, enum tdm_bus bus, u64 addr, int len,
			 const void *data)
{
	struct tdm_coalesced *c = vm->coalesced;
	bool pio = bus == TDM_BUS_PIO, done;
	unsigned long flags;

	if (likely(!rcu_access_pointer(c->zones)) || !is_named(c, pio, addr, len))
		return false;
	raw_spin_lock_irqsave(&c->lock, flags);
	done = put(c->ring, pio, addr, len, data);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return done;
}

/* ---- the ioctls ---- */

static struct zones *zones_locked(struct tdm_vm *vm)
{
	return rcu_dereference_protected(vm->coalesced->zones, lockdep_is_held(&vm->lock));
}

static struct zones *zones_alloc(unsigned int n)
{
	struct zones *zs = kmalloc(struct_size(zs, zone, n), GFP_KERNEL_ACCOUNT);

	if (zs)
		zs->n = 0;
	return zs;
}

static void zones_replace(struct tdm_vm *vm, struct zones *new)
{
	struct zones *old = zones_locked(vm);

	rcu_assign_pointer(vm->coalesced->zones, new);
	synchronize_rcu();
	kfree(old);
}

/**
 * tdm_coalesced_add() - KVM_REGISTER_COALESCED_MMIO
 * @vm: vm->lock held
 * @zone: from the caller
 *
 * Return: 0; -EINVAL if @zone is on no bus; -ENOSPC, -ENOMEM.
 */
int tdm_coalesced_add(struct tdm_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct zones *old = zones_locked(vm), *new;
	unsigned int n = old ? old->n : 0;

	if (zone->pio > 1)
		return -EINVAL;
	if (n == MAX_ZONES)
		return -ENOSPC;
	new = zones_alloc(n + 1);
	if (!new)
		return -ENOMEM;
	if (old)
		memcpy(new->zone, old->zone, n * sizeof(new->zone[0]));
	new->zone[n] = *zone;
	new->n = n + 1;
	zones_replace(vm, new);
	return 0;
}

/**
 * tdm_coalesced_del() - KVM_UNREGISTER_COALESCED_MMIO
 * @vm: vm->lock held
 * @zone: every zone that covers it goes, as in KVM
 *
 * Return: 0, also if there was none; -EINVAL if @zone is on no bus; -ENOMEM.
 */
int tdm_coalesced_del(struct tdm_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct zones *old = zones_locked(vm), *new;
	unsigned int i;

	if (zone->pio > 1)
		return -EINVAL;
	if (!old)
		return 0;
	new = zones_alloc(old->n);
	if (!new)
		return -ENOMEM;
	for (i = 0; i < old->n; i++)
		if (!covers(&old->zone[i], zone->pio, zone->addr, zone->size))
			new->zone[new->n++] = old->zone[i];
	if (!new->n) {
		kfree(new);
		new = NULL;
	}
	zones_replace(vm, new);
	return 0;
}

/* ---- life ---- */

/** tdm_coalesced_page() - the ring, for mmap of a vCPU */
struct page *tdm_coalesced_page(struct tdm_vm *vm)
{
	return virt_to_page(vm->coalesced->ring);
}

/** tdm_coalesced_init() - a VM is made. Return: 0, -ENOMEM */
int tdm_coalesced_init(struct tdm_vm *vm)
{
	struct tdm_coalesced *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return -ENOMEM;
	c->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!c->ring) {
		kfree(c);
		return -ENOMEM;
	}
	raw_spin_lock_init(&c->lock);
	vm->coalesced = c;
	return 0;
}

/** tdm_coalesced_release() - the VM is ending: nobody writes any more */
void tdm_coalesced_release(struct tdm_vm *vm)
{
	struct tdm_coalesced *c = vm->coalesced;

	kfree(rcu_dereference_protected(c->zones, true));
	free_page((unsigned long)c->ring);
	kfree(c);
}
