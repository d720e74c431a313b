// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which LAPICs does a destination mean? Tables by physical and logical ID, so
 * that an IPI or MSI costs the same in a VM of two vCPUs and of a thousand.
 *
 * Readers hold no lock: each table entry changes atomically, and a LAPIC is
 * only entered once its vCPU is complete. An entry that more than one LAPIC
 * claims (guests may give two the same xAPIC ID) reads SHARED; then all LAPICs
 * are asked one by one. IDs of 256 and more are found by vCPU ID; the eight bits
 * an xAPIC shows of one, unless written, are an address of nobody: else in a VM of
 * a thousand vCPUs, all in xAPIC mode at first, each ID would be SHARED.
 */
#include <linux/slab.h>

#include "kmod/core.h"
#include "kmod/devices/lapic.h"

#define MAP_IDS		256
#define MAP_CLUSTERS	15
#define BROADCAST_8	0xffu
#define BROADCAST_32	0xffffffffu

/**
 * struct tdm_apic_map - the tables
 * @lock: to change them
 * @nr: vCPUs with index below this are entered
 * @nr_clustered: of these, LAPICs in the cluster model
 * @x2: x2APIC-mode LAPICs by x2APIC ID
 * @xid: xAPIC-mode LAPICs by (changeable) ID
 * @flat: by bit of the logical ID, flat model
 * @cluster: by cluster and bit of the logical ID, cluster model
 */
struct tdm_apic_map {
	raw_spinlock_t lock;
	unsigned int nr;
	unsigned int nr_clustered;
	struct tdm_lapic *x2[MAP_IDS];
	struct tdm_lapic *xid[MAP_IDS];
	struct tdm_lapic *flat[8];
	struct tdm_lapic *cluster[MAP_CLUSTERS][4];
};

#define SHARED	((struct tdm_lapic *)1)

typedef void (*slot_fn)(struct tdm_apic_map *map, struct tdm_vm *vm,
			struct tdm_lapic **slot, struct tdm_lapic *lapic);

static void for_each_slot(struct tdm_vm *vm, struct tdm_lapic *lapic, slot_fn fn)
{
	const struct tdm_lapic_keys *k = &lapic->keys;
	struct tdm_apic_map *map = vm->apic_map;
	unsigned long bits;
	int i;

	if (k->x2)
		fn(map, vm, &map->x2[tdm_lapic_x2_id(lapic)], lapic);
	if (k->has_xid)
		fn(map, vm, &map->xid[k->xid], lapic);
	bits = k->flat;
	for_each_set_bit(i, &bits, 8)
		fn(map, vm, &map->flat[i], lapic);
	bits = k->members;
	for_each_set_bit(i, &bits, 4)
		fn(map, vm, &map->cluster[k->cluster][i], lapic);
}

static bool has_slot(struct tdm_apic_map *map, struct tdm_lapic *lapic,
		     struct tdm_lapic **slot)
{
	const struct tdm_lapic_keys *k = &lapic->keys;
	u32 id = tdm_lapic_x2_id(lapic);
	int i;

	if ((k->x2 && slot == &map->x2[id]) ||
	    (k->has_xid && slot == &map->xid[k->xid]))
		return true;
	for (i = 0; i < 8; i++)
		if ((k->flat & BIT(i)) && slot == &map->flat[i])
			return true;
	for (i = 0; i < 4; i++)
		if ((k->members & BIT(i)) && slot == &map->cluster[k->cluster][i])
			return true;
	return false;
}

static void put_in(struct tdm_apic_map *map, struct tdm_vm *vm,
		   struct tdm_lapic **slot, struct tdm_lapic *lapic)
{
	if (*slot != lapic)
		WRITE_ONCE(*slot, *slot ? SHARED : lapic);
}

static void take_out(struct tdm_apic_map *map, struct tdm_vm *vm,
		   struct tdm_lapic **slot, struct tdm_lapic *lapic)
{
	struct tdm_lapic *left = NULL;
	struct tdm_vcpu *vcpu;
	unsigned long i;

	if (*slot == SHARED) {
		tdm_for_each_vcpu(vm, i, vcpu) {
			if (i >= map->nr || vcpu->lapic == lapic ||
			    !has_slot(map, vcpu->lapic, slot))
				continue;
			left = left ? SHARED : vcpu->lapic;
		}
	}
	WRITE_ONCE(*slot, left);
}

/* The ID register's value, as an address; MAP_IDS: none. */
static u32 xapic_address(struct tdm_lapic *lapic)
{
	u32 id = tdm_lapic_x2_id(lapic), xid = tdm_lapic_reg(lapic, TDM_APIC_ID) >> 24;

	return id >= MAP_IDS && xid == (u8)id ? MAP_IDS : xid;
}

static void find_keys(struct tdm_lapic *lapic, struct tdm_lapic_keys *k)
{
	u32 ldr = tdm_lapic_reg(lapic, TDM_APIC_LDR), xid;
	u8 logical = ldr >> 24;

	memset(k, 0, sizeof(*k));
	if (lapic->mode == TDM_LAPIC_X2APIC)
		k->x2 = tdm_lapic_x2_id(lapic) < MAP_IDS;
	if (lapic->mode != TDM_LAPIC_XAPIC)
		return;
	xid = xapic_address(lapic);
	k->has_xid = xid < MAP_IDS;
	k->xid = xid;
	if (tdm_lapic_reg(lapic, TDM_APIC_DFR) >> 28 == TDM_APIC_DFR_FLAT) {
		k->flat = logical;
		return;
	}
	k->in_cluster = true;
	if (logical >> 4 < MAP_CLUSTERS) {
		k->cluster = logical >> 4;
		k->members = logical & 0xf;
	}
}

static void enter(struct tdm_vm *vm, struct tdm_lapic *lapic)
{
	find_keys(lapic, &lapic->keys);
	for_each_slot(vm, lapic, put_in);
	WRITE_ONCE(vm->apic_map->nr_clustered,
		   vm->apic_map->nr_clustered + lapic->keys.in_cluster);
}

static void leave(struct tdm_vm *vm, struct tdm_lapic *lapic)
{
	for_each_slot(vm, lapic, take_out);
	WRITE_ONCE(vm->apic_map->nr_clustered,
		   vm->apic_map->nr_clustered - lapic->keys.in_cluster);
}

/**
 * tdm_apic_map_update() - a LAPIC's IDs or mode changed
 * @lapic: its own vCPU's thread calls
 */
void tdm_apic_map_update(struct tdm_lapic *lapic)
{
	struct tdm_vm *vm = lapic->vcpu->vm;
	struct tdm_apic_map *map = vm->apic_map;
	unsigned long flags;

	raw_spin_lock_irqsave(&map->lock, flags);
	if (lapic->vcpu->index < map->nr) {
		leave(vm, lapic);
		enter(vm, lapic);
	}
	raw_spin_unlock_irqrestore(&map->lock, flags);
}

/* A vCPU that is no longer online; its memory is there until a grace period ends. */
static void forget(struct tdm_lapic **slots, size_t n, unsigned int nr)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (slots[i] && slots[i] != SHARED && slots[i]->vcpu->index >= nr)
			WRITE_ONCE(slots[i], NULL);
}

/**
 * tdm_lapic_map_changed() - vCPUs came online or went
 * @vm: vm->lock held
 */
void tdm_lapic_map_changed(struct tdm_vm *vm)
{
	struct tdm_apic_map *map = vm->apic_map;
	unsigned int nr = atomic_read(&vm->online_vcpus);
	struct tdm_vcpu *vcpu;
	unsigned long flags;

	if (!map)
		return;
	raw_spin_lock_irqsave(&map->lock, flags);
	for (; map->nr < nr; map->nr++) {
		vcpu = xa_load(&vm->vcpus, map->nr);
		enter(vm, vcpu->lapic);
	}
	if (map->nr > nr) {
		/* Never SHARED: a vCPU that never ran has an ID of its own. */
		map->nr = nr;
		forget(map->x2, MAP_IDS, nr);
		forget(map->xid, MAP_IDS, nr);
		forget(map->flat, ARRAY_SIZE(map->flat), nr);
		forget(map->cluster[0], MAP_CLUSTERS * 4, nr);
	}
	raw_spin_unlock_irqrestore(&map->lock, flags);
}

/* ---- lookup ---- */

static bool is_broadcast(const struct tdm_apic_msg *msg)
{
	return msg->dest == (msg->x2 ? BROADCAST_32 : BROADCAST_8);
}

/* Logical 0xff of 32 bits: to LAPICs in the cluster model, all clusters. */
static bool is_all_clusters(struct tdm_vm *vm, const struct tdm_apic_msg *msg)
{
	return msg->logical && msg->dest == BROADCAST_8 &&
	       READ_ONCE(vm->apic_map->nr_clustered);
}

static bool match_physical(struct tdm_lapic *lapic, u32 dest)
{
	u32 id = tdm_lapic_x2_id(lapic);

	if (lapic->mode == TDM_LAPIC_X2APIC)
		return dest == id;
	/* As KVM: an ID that the xAPIC cannot show is still its ID. */
	return (id >= MAP_IDS && dest == id) ||
	       (dest < MAP_IDS && dest == xapic_address(lapic));
}

static bool match_logical(struct tdm_lapic *lapic, u32 dest)
{
	u32 ldr = tdm_lapic_reg(lapic, TDM_APIC_LDR);

	if (lapic->mode == TDM_LAPIC_X2APIC)
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	return dest <= 0xff &&
	       tdm_apic_match_logical(ldr, tdm_lapic_reg(lapic, TDM_APIC_DFR), dest);
}

static void ask_all(struct tdm_vm *vm, const struct tdm_apic_msg *msg,
		    tdm_dest_visit visit, struct tdm_dest_walk *walk)
{
	bool everyone = is_broadcast(msg);
	struct tdm_vcpu *vcpu;
	unsigned long i;

	tdm_for_each_vcpu(vm, i, vcpu) {
		struct tdm_lapic *lapic = vcpu->lapic;

		if (READ_ONCE(lapic->mode) == TDM_LAPIC_DISABLED)
			continue;
		if (everyone || (msg->logical ? match_logical(lapic, msg->dest) :
						match_physical(lapic, msg->dest)))
			visit(walk, lapic);
	}
}

/* At most the 16 members of an x2APIC cluster, or 8 + 4 logical xAPIC IDs. */
#define MAX_CANDIDATES	(16 + 8 + 4)

struct candidates {
	unsigned int n;
	bool shared;
	struct tdm_lapic *lapic[MAX_CANDIDATES];
};

static void add(struct candidates *c, struct tdm_lapic *lapic)
{
	unsigned int i;

	if (!lapic)
		return;
	if (lapic == SHARED) {
		c->shared = true;
		return;
	}
	/* One LAPIC may answer to several bits of a logical address. */
	for (i = 0; i < c->n; i++)
		if (c->lapic[i] == lapic)
			return;
	c->lapic[c->n++] = lapic;
}

static void find_x2(struct tdm_vm *vm, u32 id, struct candidates *c, bool logical)
{
	struct tdm_vcpu *vcpu;

	if (id < MAP_IDS) {
		add(c, READ_ONCE(vm->apic_map->x2[id]));
		return;
	}
	if (id >= TDM_MAX_VCPU_IDS)
		return;
	vcpu = tdm_vcpu_by_id(vm, id);
	if (!vcpu || READ_ONCE(vcpu->lapic->mode) == TDM_LAPIC_DISABLED)
		return;
	if (!logical || tdm_lapic_is_x2(vcpu->lapic))
		add(c, vcpu->lapic);
}

static void find_physical(struct tdm_vm *vm, u32 dest, struct candidates *c)
{
	find_x2(vm, dest, c, false);
	if (dest < MAP_IDS)
		add(c, READ_ONCE(vm->apic_map->xid[dest]));
}

static void find_logical(struct tdm_vm *vm, u32 dest, struct candidates *c)
{
	struct tdm_apic_map *map = vm->apic_map;
	unsigned long bits = dest & 0xffff;
	u32 cluster = dest >> 16;
	int i;

	for_each_set_bit(i, &bits, 16)
		find_x2(vm, cluster << 4 | i, c, true);
	if (dest > 0xff)
		return;
	for_each_set_bit(i, &bits, 8)
		add(c, READ_ONCE(map->flat[i]));
	bits = dest & 0xf;
	cluster = dest >> 4;
	if (cluster >= MAP_CLUSTERS)
		return;
	for_each_set_bit(i, &bits, 4)
		add(c, READ_ONCE(map->cluster[cluster][i]));
}

/**
 * tdm_apic_map_walk() - visit every LAPIC a message's destination means
 * @vm: the VM; rcu_read_lock() held
 * @msg: shorthand TO_DEST; a LAPIC turned off by MSR is never visited
 * @visit: called once for each; must not sleep
 * @walk: handed to @visit
 */
void tdm_apic_map_walk(struct tdm_vm *vm, const struct tdm_apic_msg *msg,
		       tdm_dest_visit visit, struct tdm_dest_walk *walk)
{
	struct candidates c;
	unsigned int i;

	if (is_broadcast(msg) || is_all_clusters(vm, msg)) {
		ask_all(vm, msg, visit, walk);
		return;
	}
	c.n = 0;
	c.shared = false;
	if (msg->logical)
		find_logical(vm, msg->dest, &c);
	else
		find_physical(vm, msg->dest, &c);
	if (unlikely(c.shared)) {
		ask_all(vm, msg, visit, walk);
		return;
	}
	for (i = 0; i < c.n; i++)
		visit(walk, c.lapic[i]);
}

int tdm_apic_map_create(struct tdm_vm *vm)
{
	struct tdm_apic_map *map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);

	if (!map)
		return -ENOMEM;
	raw_spin_lock_init(&map->lock);
	vm->apic_map = map;
	return 0;
}

void tdm_apic_map_destroy(struct tdm_vm *vm)
{
	kfree(vm->apic_map);
	vm->apic_map = NULL;
}
