// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map: from a guest page (or a shadow page) to the entries that
 * point to it. Most have none or one: a head is then 0 or the entry's address.
 * With more, its lowest bit is set and it points to a chain of blocks, of which
 * only the first may be partly filled.
 *
 * Must not allocate: blocks come from a pool (tdm_rmap_refill()), and who adds
 * asks for room first (tdm_rmap_room()). Removal searches the chain: bounded by
 * TDM_RMAP_MAX for guest pages, by the number of shadow pages for their parents.
 */
#include <linux/slab.h>

#include "shadow_mmu/shadow.h"

#define DESC_ENTRIES	13u

/**
 * struct tdm_rmap_desc - a block of a chain
 * @next: the rest of the chain, or of the pool
 * @n: entries in this block
 * @total: in the first block: of the whole chain
 * @entry: the entries
 */
struct tdm_rmap_desc {
	struct tdm_rmap_desc *next;
	u32 n;
	u32 total;
	u64 *entry[DESC_ENTRIES];
};

#define CHAIN	1ul

static struct tdm_rmap_desc *chain_of(unsigned long head)
{
	return (struct tdm_rmap_desc *)(head & ~CHAIN);
}

/** tdm_rmap_room() - are there blocks for @n additions? */
bool tdm_rmap_room(struct tdm_vm *vm, unsigned int n)
{
	return vm->mmu.shadow->nr_descs >= n;
}

static struct tdm_rmap_desc *take_desc(struct tdm_shadow *s)
{
	struct tdm_rmap_desc *d = s->descs;

	s->descs = d->next;
	s->nr_descs--;
	d->next = NULL;
	d->n = 0;
	d->total = 0;
	return d;
}

static void give_desc(struct tdm_shadow *s, struct tdm_rmap_desc *d)
{
	d->next = s->descs;
	s->descs = d;
	s->nr_descs++;
}

/**
 * tdm_rmap_add() - note that an entry points there
 * @vm: the VM; mmu.lock held; tdm_rmap_room() for one more
 * @head: of the chain
 * @spte: the entry, not in it yet
 */
void tdm_rmap_add(struct tdm_vm *vm, unsigned long *head, u64 *spte)
{
	struct tdm_rmap_desc *d, *first;

	if (!*head) {
		*head = (unsigned long)spte;
		return;
	}
	if (!(*head & CHAIN)) {
		d = take_desc(vm->mmu.shadow);
		d->entry[0] = (u64 *)*head;
		d->entry[1] = spte;
		d->n = 2;
		d->total = 2;
		*head = (unsigned long)d | CHAIN;
		return;
	}
	first = chain_of(*head);
	if (first->n == DESC_ENTRIES) {
		d = take_desc(vm->mmu.shadow);
		d->next = first;
		d->total = first->total;
		*head = (unsigned long)d | CHAIN;
		first = d;
	}
	first->entry[first->n++] = spte;
	first->total++;
}

/* The last entry of the first block takes the place of the one that goes. */
static void remove_at(struct tdm_shadow *s, unsigned long *head, u64 **at)
{
	struct tdm_rmap_desc *first = chain_of(*head), *next = first->next;

	*at = first->entry[--first->n];
	first->total--;
	if (first->total == 1) {
		/* Blocks behind the first are full, so this is the only one. */
		*head = (unsigned long)first->entry[0];
		give_desc(s, first);
		return;
	}
	if (first->n)
		return;
	next->total = first->total;
	*head = (unsigned long)next | CHAIN;
	give_desc(s, first);
}

/**
 * tdm_rmap_del() - an entry points there no more
 * @vm: the VM; mmu.lock held
 * @head: of the chain
 * @spte: the entry; it is in the chain
 */
void tdm_rmap_del(struct tdm_vm *vm, unsigned long *head, u64 *spte)
{
	struct tdm_rmap_desc *d;
	unsigned int i;

	if (*head == (unsigned long)spte) {
		*head = 0;
		return;
	}
	for (d = *head & CHAIN ? chain_of(*head) : NULL; d; d = d->next)
		for (i = 0; i < d->n; i++)
			if (d->entry[i] == spte) {
				remove_at(vm->mmu.shadow, head, &d->entry[i]);
				return;
			}
	WARN_ONCE(1, "tandem: an entry is not in its reverse map\n");
}

/** tdm_rmap_first() - any entry of the chain, NULL if there is none */
u64 *tdm_rmap_first(unsigned long head)
{
	if (!(head & CHAIN))
		return (u64 *)head;
	return chain_of(head)->entry[0];
}

/** tdm_rmap_count() - length of the chain */
unsigned int tdm_rmap_count(unsigned long head)
{
	if (!head)
		return 0;
	return head & CHAIN ? chain_of(head)->total : 1;
}

/**
 * tdm_rmap_each() - call a function for each entry
 * @head: of the chain
 * @fn: may not add or remove entries of this chain
 * @ctx: for @fn
 */
void tdm_rmap_each(unsigned long head, void (*fn)(void *ctx, u64 *spte), void *ctx)
{
	struct tdm_rmap_desc *d;
	unsigned int i;

	if (!head)
		return;
	if (!(head & CHAIN)) {
		fn(ctx, (u64 *)head);
		return;
	}
	for (d = chain_of(head); d; d = d->next)
		for (i = 0; i < d->n; i++)
			fn(ctx, d->entry[i]);
}

#define DESC_LOW	32u	/* below it makes more */
#define DESC_FILL	64u

static_assert(TDM_DESC_NEED <= DESC_LOW);

/**
 * tdm_rmap_refill() - have blocks for what one fault can add, and some more
 * @vm: the VM; no lock held, may sleep
 *
 * Return: 0; -ENOMEM.
 */
int tdm_rmap_refill(struct tdm_vm *vm)
{
	struct tdm_shadow *s = vm->mmu.shadow;

	if (READ_ONCE(s->nr_descs) >= DESC_LOW)
		return 0;
	while (READ_ONCE(s->nr_descs) < DESC_FILL) {
		struct tdm_rmap_desc *d = kmalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);

		if (!d)
			break;
		tdm_vm_stat_add(vm, mem_bytes, sizeof(*d));
		spin_lock(&vm->mmu.lock);
		give_desc(s, d);
		spin_unlock(&vm->mmu.lock);
	}
	return READ_ONCE(s->nr_descs) >= TDM_DESC_NEED ? 0 : -ENOMEM;
}

/** tdm_rmap_free_descs() - free the pool; no lock needed at the VM's end */
void tdm_rmap_free_descs(struct tdm_vm *vm)
{
	struct tdm_shadow *s = vm->mmu.shadow;

	while (s->descs) {
		struct tdm_rmap_desc *d = take_desc(s);

		tdm_vm_stat_add(vm, mem_bytes, -(s64)sizeof(*d));
		kfree(d);
	}
}
