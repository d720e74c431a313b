// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IOEVENTFD: a guest's write to a port or address signals an eventfd, and
 * the guest goes on at once.
 *
 * One sorted table a bus, replaced whole under RCU. A write looks for at most
 * three keys (value, any value, any length), so that it costs the same with one
 * entry and with a thousand. Only writes come here: a read of the same address
 * is somebody else's.
 *
 * Beware: readers may have interrupts off. Nothing here may sleep but the ioctl.
 */
#include <linux/eventfd.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "arch/x86/compat.h"
#include "kmod/core.h"
#include "kmod/iobus.h"
#include "kmod/ioevent.h"

/* As KVM's limit on devices of a bus. */
#define MAX_IOEVENTS	1000

#define IOEVENT_FLAGS	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | \
			 KVM_IOEVENTFD_FLAG_DEASSIGN)

/**
 * struct ioevent - one write to wait for; its order in the table is that of its members
 * @addr: port or guest-physical address
 * @len: 1, 2, 4, 8; 0: any
 * @any: whatever is written
 * @match: the value, 0 with @any
 * @ctx: what to signal; referenced
 */
struct ioevent {
	u64 addr;
	u32 len;
	bool any;
	u64 match;
	struct eventfd_ctx *ctx;
};

/**
 * struct tdm_ioevents - a bus's table
 * @rcu: frees it when no reader is left
 * @n: entries
 * @e: sorted
 */
struct tdm_ioevents {
	struct rcu_head rcu;
	unsigned int n;
	struct ioevent e[];
};

static int compare(const struct ioevent *a, const struct ioevent *b)
{
	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	if (a->any != b->any)
		return a->any ? 1 : -1;
	if (a->match != b->match)
		return a->match < b->match ? -1 : 1;
	return 0;
}

/* The first entry that is not before @key. */
static unsigned int search(const struct tdm_ioevents *t, const struct ioevent *key)
{
	unsigned int lo = 0, hi = t->n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (compare(&t->e[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct ioevent *find(const struct tdm_ioevents *t, u64 addr, u32 len,
				  bool any, u64 match)
{
	const struct ioevent key = {
		.addr = addr, .len = len, .any = any, .match = match,
	};
	unsigned int i = search(t, &key);

	return i < t->n && !compare(&t->e[i], &key) ? &t->e[i] : NULL;
}

/**
 * tdm_ioevent_write() - the guest writes; signal who waits for it
 * @vm: the VM
 * @bus: the bus
 * @addr: port or guest-physical address
 * @len: 1..8 bytes
 * @data: them
 *
 * Any context in which RCU's sched readers may be. Return: was it waited for?
 */
bool tdm_ioevent_write(struct tdm_vm *vm, enum tdm_bus bus, u64 addr, int len, const void *data)
{
	const struct tdm_ioevents *t;
	const struct ioevent *e = NULL;
	u64 val = 0;

	memcpy(&val, data, len);
	rcu_read_lock_sched();
	t = rcu_dereference_sched(vm->ioevents[bus]);
	if (t) {
		e = find(t, addr, len, false, val);
		if (!e)
			e = find(t, addr, len, true, 0);
		if (!e)
			e = find(t, addr, 0, true, 0);
		if (e)
			tdm_eventfd_signal(e->ctx);
	}
	rcu_read_unlock_sched();
	return e;
}

/* ---- the ioctl ---- */

static struct tdm_ioevents *locked(struct tdm_vm *vm, enum tdm_bus bus)
{
	return rcu_dereference_protected(vm->ioevents[bus], lockdep_is_held(&vm->lock));
}

/* KVM's rule: a write must have one meaning. */
static bool collides(const struct tdm_ioevents *t, const struct ioevent *new)
{
	unsigned int i;

	for (i = 0; t && i < t->n; i++) {
		const struct ioevent *e = &t->e[i];

		if (e->addr == new->addr &&
		    (!e->len || !new->len ||
		     (e->len == new->len &&
		      (e->any || new->any || e->match == new->match))))
			return true;
	}
	return false;
}

static struct tdm_ioevents *alloc(unsigned int n)
{
	struct tdm_ioevents *t;

	t = kvmalloc(struct_size(t, e, n), GFP_KERNEL_ACCOUNT);
	if (t)
		t->n = n;
	return t;
}


static int add(struct tdm_vm *vm, enum tdm_bus bus, const struct ioevent *e)
{
	struct tdm_ioevents *old = locked(vm, bus), *new;
	unsigned int i, n = old ? old->n : 0;

	if (collides(old, e))
		return -EEXIST;
	if (n >= MAX_IOEVENTS)
		return -ENOSPC;
	new = alloc(n + 1);
	if (!new)
		return -ENOMEM;
	i = old ? search(old, e) : 0;
	if (old) {
		memcpy(new->e, old->e, i * sizeof(new->e[0]));
		memcpy(new->e + i + 1, old->e + i, (n - i) * sizeof(new->e[0]));
	}
	new->e[i] = *e;
	rcu_assign_pointer(vm->ioevents[bus], new);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

static int del(struct tdm_vm *vm, enum tdm_bus bus, const struct ioevent *e)
{
	struct tdm_ioevents *old = locked(vm, bus), *new = NULL;
	unsigned int i = old ? search(old, e) : 0;

	if (!old || i == old->n || compare(&old->e[i], e) || old->e[i].ctx != e->ctx)
		return -ENOENT;
	if (old->n > 1) {
		new = alloc(old->n - 1);
		if (!new)
			return -ENOMEM;
		memcpy(new->e, old->e, i * sizeof(new->e[0]));
		memcpy(new->e + i, old->e + i + 1, (new->n - i) * sizeof(new->e[0]));
	}
	rcu_assign_pointer(vm->ioevents[bus], new);
	/* The eventfd may go after this; programs take away hundreds in a row. */
	synchronize_rcu_expedited();
	kvfree(old);
	eventfd_ctx_put(e->ctx);
	return 0;
}

static int check(const struct kvm_ioeventfd *args)
{
	switch (args->len) {
	case 0: case 1: case 2: case 4: case 8:
		break;
	default:
		return -EINVAL;
	}
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	if (args->flags & ~IOEVENT_FLAGS)
		return -EINVAL;
	/* A value of any length is none. */
	if (!args->len && (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	return 0;
}

/**
 * tdm_ioevent_set() - KVM_IOEVENTFD
 * @vm: vm->lock not held
 * @args: from the caller
 *
 * Return: 0; -EINVAL for flags, a length or range that cannot be; -EBADF or
 * -EINVAL if the descriptor is no eventfd; -EEXIST if the write means something
 * already; -ENOENT to take away what is not there; -ENOSPC, -ENOMEM.
 */
int tdm_ioevent_set(struct tdm_vm *vm, const struct kvm_ioeventfd *args)
{
	enum tdm_bus bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? TDM_BUS_PIO : TDM_BUS_MMIO;
	bool any = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	struct ioevent e = {
		.addr = args->addr, .len = args->len, .any = any,
	};
	int r = check(args);

	if (r)
		return r;
	if (!any)
		e.match = args->datamatch;
	e.ctx = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(e.ctx))
		return PTR_ERR(e.ctx);
	mutex_lock(&vm->lock);
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		r = del(vm, bus, &e);
	else
		r = add(vm, bus, &e);
	mutex_unlock(&vm->lock);
	/* The table keeps its own reference. */
	if (r || (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN))
		eventfd_ctx_put(e.ctx);
	return r;
}

/** tdm_ioevent_release() - the VM is ending: nobody writes any more */
void tdm_ioevent_release(struct tdm_vm *vm)
{
	struct tdm_ioevents *t;
	unsigned int i;
	int bus;

	for (bus = 0; bus < TDM_NR_BUSES; bus++) {
		t = rcu_dereference_protected(vm->ioevents[bus], true);
		RCU_INIT_POINTER(vm->ioevents[bus], NULL);
		for (i = 0; t && i < t->n; i++)
			eventfd_ctx_put(t->e[i].ctx);
		kvfree(t);
	}
}
