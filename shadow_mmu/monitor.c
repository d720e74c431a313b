// SPDX-License-Identifier: GPL-2.0-only
/*
 * The monitor's entry: with the BT engine one entry of every 4-level root is not
 * the guest's but leads to the engine's own tables, which are one vCPU's. So such
 * roots are per vCPU (the owner is a part of their role), and the entry is there
 * from the root's creation until no processor can walk it any more.
 *
 * No book knows of the entry: it is not filled in, not counted, not in a reverse
 * map. Whoever follows entries of a root must not meet it: faults and INVLPG ask
 * tdm_spage_monitors() first, all others go by the bitmap of filled entries.
 *
 * A guest that uses the entry itself cannot be served where the monitor is: that
 * is noticed (mon_conflict), and the engine moves. Beware: until then supervisor
 * code of the guest meets the monitor's pages there.
 */
#include <linux/mm.h>

#include "shadow_mmu/shadow.h"

/*
 * What makes a difference to a walk. The accessed bit does: where it is clear the
 * next fetch has to set it, so what was translated before is not to be used.
 */
#define ROOT_ENTRY_MASK	(TDM_GPT_P | TDM_GPT_W | TDM_GPT_U | TDM_GPT_A | TDM_GPT_LARGE | \
			 TDM_SPT_ADDR | TDM_GPT_NX)

#define MON_INDEX_MIN	(TDM_PT_ENTRIES / 2)

static void set_entry(struct tdm_vcpu *vcpu, struct tdm_spage *sp)
{
	sp->mon = vcpu->mmu.mon_index;
	WRITE_ONCE(sp->spt[sp->mon], vcpu->mmu.mon_entry);
}

/**
 * tdm_root_own() - a new root is a vCPU's own
 * @vcpu: the vCPU, with a monitor; mmu.lock held
 * @sp: without entries; its role says so
 */
void tdm_root_own(struct tdm_vcpu *vcpu, struct tdm_spage *sp)
{
	sp->owner = vcpu;
	list_add(&sp->owned, &vcpu->mmu.owned);
	set_entry(vcpu, sp);
}

/**
 * tdm_root_disown() - a shadow page is dead, and no vCPU's root; mmu.lock held
 * @sp: any. A monitor's entry stays until it is freed: it may be in use.
 */
void tdm_root_disown(struct tdm_spage *sp)
{
	if (!sp->owner)
		return;
	list_del(&sp->owned);
	sp->owner = NULL;
}

/** tdm_root_zap_owned() - a vCPU goes; it has no roots any more. mmu.lock held */
void tdm_root_zap_owned(struct tdm_vcpu *vcpu)
{
	struct list_head *owned = &vcpu->mmu.owned;

	/* What is dead and no root is not in the list. */
	while (!list_empty(owned))
		tdm_spage_zap(vcpu->vm, list_first_entry(owned, struct tdm_spage, owned));
}

/* Does the guest use the monitor's entry? sp->guest is set. */
static bool conflict(const struct tdm_spage *sp)
{
	return tdm_gpte_read(sp, sp->mon) & TDM_GPT_P;
}

/** tdm_root_written() - the guest wrote to the table behind an owned root; mmu.lock held */
void tdm_root_written(struct tdm_spage *sp)
{
	struct tdm_vcpu *vcpu = sp->owner;

	if (vcpu->mmu.root[0] != sp)
		return;
	WRITE_ONCE(vcpu->mmu.root_written, true);
	if (!conflict(sp))
		return;
	vcpu->mmu.mon_conflict = true;
	tdm_request(vcpu, TDM_REQ_MMU_ROOT);
}

/* Its root is a shadow of a PML4, and alive. */
static struct tdm_spage *long_root(struct tdm_vcpu *vcpu)
{
	struct tdm_spage *sp = vcpu->mmu.root[0];

	if ((vcpu->mmu.mode & TDM_MODE_FMT_MASK) != TDM_MODE_64)
		return NULL;
	return sp && !hlist_unhashed(&sp->hash) ? sp : NULL;
}

static int map_root(struct tdm_vm *vm, struct tdm_spage *sp, bool patient)
{
	struct tdm_memslot *slot;

	if (sp->guest)
		return 0;
	slot = tdm_memslot_find_locked(vm, sp->gfn);
	return slot ? tdm_spage_map_guest(vm, slot, sp, patient) : -EFAULT;
}

/**
 * tdm_root_look() - does the guest use the monitor's entry in the current root?
 * @vcpu: the vCPU, with a monitor; mmu.lock held
 * @patient: the caller has the host's protection-key rights
 *
 * The answer is vcpu->mmu.mon_conflict.
 *
 * Return: 0; otherwise as tdm_spage_map_guest(): the table is out of reach.
 */
int tdm_root_look(struct tdm_vcpu *vcpu, bool patient)
{
	struct tdm_spage *sp = long_root(vcpu);
	int r = sp ? map_root(vcpu->vm, sp, patient) : 0;

	vcpu->mmu.mon_conflict = sp && sp->owner && !r && conflict(sp);
	return r;
}

#define MAX_TRIES	8

/**
 * tdm_root_reach() - tdm_root_look(), having the host bring the table in
 * @vcpu: the vCPU; no lock held, may sleep
 *
 * A table that cannot be had is no error here: the guest faults on it, and what
 * is wrong is told then.
 *
 * Return: 0; -EINTR: the caller is being killed.
 */
int tdm_root_reach(struct tdm_vcpu *vcpu)
{
	struct tdm_vm *vm = vcpu->vm;
	struct tdm_memslot *slot;
	unsigned long hva = 0;
	u32 generation = 0;
	int tries, r;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		spin_lock(&vm->mmu.lock);
		r = tdm_root_look(vcpu, true);
		if (r == -ENXIO) {
			slot = tdm_memslot_find_locked(vm, vcpu->mmu.root[0]->gfn);
			hva = tdm_slot_hva(slot, vcpu->mmu.root[0]->gfn);
			generation = vm->slots_generation;
		}
		spin_unlock(&vm->mmu.lock);
		if (r == -ENXIO)
			r = tdm_mmu_host_fault(vm, hva, false, generation) ?: -EAGAIN;
		if (r != -EAGAIN)
			break;
	}
	return r == -EINTR ? r : 0;
}

/* mmu.lock held. False: the root is not the guest's any more, or out of reach. */
static bool read_root(struct tdm_vcpu *vcpu, unsigned int index, u64 *entry)
{
	struct tdm_spage *sp = long_root(vcpu);

	if (vcpu->mmu.pending)
		return false;
	if (!sp && !vcpu->mmu.root[0]) {
		/* No memory at CR3: all ones. */
		*entry = ROOT_ENTRY_MASK;
		return true;
	}
	if (!sp || map_root(vcpu->vm, sp, false))
		return false;
	*entry = tdm_gpte_read(sp, index) & ROOT_ENTRY_MASK;
	return true;
}

/**
 * tdm_mmu_root_entry() - what the guest's PML4 says
 * @vcpu: loaded vCPU in long mode
 * @index: 0 to 511
 * @entry: result, without ignored bits; 0 if the caller's memory is not there
 *
 * Any context: with interrupts off it does not sleep.
 *
 * Return: true; false: call it again in process context, interrupts on. There it
 * always returns true.
 */
bool tdm_mmu_root_entry(struct tdm_vcpu *vcpu, unsigned int index, u64 *entry)
{
	struct tdm_vm *vm = vcpu->vm;
	int tries;
	bool done;

	*entry = 0;
	for (tries = 0; tries < MAX_TRIES; tries++) {
		spin_lock(&vm->mmu.lock);
		done = read_root(vcpu, index % TDM_PT_ENTRIES, entry);
		spin_unlock(&vm->mmu.lock);
		if (done)
			return true;
		if (irqs_disabled())
			return false;
		tdm_request(vcpu, TDM_REQ_MMU_ROOT);
		if (tdm_mmu_update_root(vcpu) || tdm_root_reach(vcpu))
			break;
	}
	return true;
}

/* A root, alive or not, with the monitor elsewhere from now on. */
static void move_entry(struct tdm_vcpu *vcpu, struct tdm_spage *sp)
{
	WRITE_ONCE(sp->spt[sp->mon], 0);
	if (test_bit(vcpu->mmu.mon_index, sp->filled))
		tdm_spage_drop_entry(vcpu->vm, &sp->spt[vcpu->mmu.mon_index]);
	set_entry(vcpu, sp);
}

/**
 * tdm_mmu_move_monitor() - the monitor's entry has another index
 * @vcpu: loaded vCPU, with a monitor, not entered meanwhile; does not sleep
 * @index: 256 to 511
 *
 * In all roots of the vCPU at once; its translations have to be flushed, as
 * mmu.tlb_gen tells. vcpu->mmu.mon_conflict says afterwards if the guest uses
 * that entry as well.
 *
 * Return: 0; -EINVAL.
 */
int tdm_mmu_move_monitor(struct tdm_vcpu *vcpu, unsigned int index)
{
	struct tdm_vcpu_mmu *m = &vcpu->mmu;
	struct tdm_vm *vm = vcpu->vm;
	struct tdm_spage *sp;

	if (!m->mon_entry || index < MON_INDEX_MIN || index >= TDM_PT_ENTRIES)
		return -EINVAL;
	spin_lock(&vm->mmu.lock);
	WRITE_ONCE(m->pae[m->mon_index], 0);
	m->mon_index = index;
	list_for_each_entry(sp, &m->owned, owned)
		move_entry(vcpu, sp);
	WRITE_ONCE(m->pae[m->mon_index], m->mon_entry);
	tdm_mmu_lost(vm);
	tdm_root_look(vcpu, false);
	spin_unlock(&vm->mmu.lock);
	return 0;
}
