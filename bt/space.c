// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which translations may be used in the current address space.
 *
 * A translation depends on the guest's page tables as a TLB entry does: it may be
 * used until the guest flushes, and after a flush only if a new walk would end at
 * the same bytes. Walking again for each CR3 load would be slow, so translations
 * are kept in spaces: what is below the PML4 entries that hold code is the same for
 * whoever has the same entries there (a kernel's half, in all processes), and the
 * MMU tells by mmu.code_gen if any table on the way to code has changed.
 *
 * A vCPU is in a space that is as it was when it last looked: the entries are
 * compared after each flush of its own (@check), and when another vCPU has added
 * one (@roots_gen).
 */
#include <asm/processor-flags.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "bt/tc.h"
#include "shadow_mmu/mmu.h"

#define EFER_NXE	(1ull << 11)

static u32 current_mode(const struct tdm_vcpu *vcpu)
{
	return (vcpu->st.cr4 & X86_CR4_SMEP ? TDM_SPACE_SMEP : 0) |
	       (vcpu->st.efer & EFER_NXE ? TDM_SPACE_NXE : 0);
}

/** tdm_space_current() - may b->space be used? tc->lock held */
bool tdm_space_current(const struct tdm_bt *b)
{
	return b->space && b->tcv && !b->tcv->check && b->tcv->roots_gen == b->space->roots_gen;
}

/**
 * tdm_bt_space_flush() - the guest flushed its TLB or changed CR0, CR3, CR4 or EFER
 * @vcpu: loaded vCPU
 */
void tdm_bt_space_flush(struct tdm_vcpu *vcpu)
{
	struct tdm_bt *b = to_bt(vcpu);

	if (!b->tcv)
		return;
	b->tcv->check = true;
	bitmap_zero(b->tcv->known, 512);
}

/* ---- finding ---- */

/*
 * Do the vCPU's PML4 entries fit? *need: the first that is not known yet, then the
 * answer is no for now.
 */
static bool roots_fit(const struct tdm_bt_space *s, const struct tdm_bt_tcv *tcv, int *need)
{
	u32 i;

	for (i = 0; i < s->nr_roots; i++) {
		if (!test_bit(s->index[i], tcv->known)) {
			*need = s->index[i];
			return false;
		}
		if (tcv->root[s->index[i]] != s->entry[i])
			return false;
	}
	return true;
}

static struct tdm_bt_space *match(struct tdm_bt_vm *tc, struct tdm_bt_tcv *tcv, u32 mode,
				  int *need)
{
	struct tdm_bt_space *s;

	*need = -1;
	list_for_each_entry(s, &tc->spaces, node) {
		if (s->mode != mode)
			continue;
		if (roots_fit(s, tcv, need))
			return s;
		if (*need >= 0)
			return NULL;
	}
	return NULL;
}

/* Known from now on; false: only in process context. */
static bool learn_root(struct tdm_bt *b, unsigned int index)
{
	struct tdm_bt_tcv *tcv = b->tcv;

	if (!tdm_mmu_root_entry(b->vcpu, index, &tcv->root[index]))
		return false;
	__set_bit(index, tcv->known);
	return true;
}

/* tc->lock held. Where the vCPU stopped is in the old space's code. */
static void enter_space(struct tdm_bt *b, struct tdm_bt_space *s)
{
	if (b->space != s)
		b->resume_gen = ~0ull;
	b->space = s;
	b->tcv->roots_gen = s->roots_gen;
}

/*
 * The space for the vCPU's root. @fast: only if nothing is to be done for it.
 * NULL: none. On success it is the vCPU's; -EFAULT in *err: guest table not there.
 */
static struct tdm_bt_space *find_space(struct tdm_bt_vm *tc, struct tdm_bt *b, bool fast, int *err)
{
	u32 mode = current_mode(b->vcpu);
	struct tdm_bt_tcv *tcv = b->tcv;
	struct tdm_bt_lookup *lookup = NULL;
	struct tdm_bt_space *s;
	int need;

	*err = 0;
	for (;;) {
		spin_lock(&tc->lock);
		s = match(tc, tcv, mode, &need);
		if (s && fast) {
			lookup = tdm_lookup_find(tcv, s);
			if (!lookup || s->code_gen != READ_ONCE(tc->vm->mmu.code_gen))
				s = NULL;
		}
		if (s) {
			list_move(&s->node, &tc->spaces);
			enter_space(b, s);
		}
		spin_unlock(&tc->lock);
		if (s || need < 0)
			break;
		if (!learn_root(b, need)) {
			*err = -EFAULT;
			return NULL;
		}
	}
	if (s && fast) {
		tcv->check = false;
		if (lookup != tcv->lookup) {
			tcv->lookup = lookup;
			tdm_bt_set_lookup(b, virt_to_phys(lookup->pt));
		}
	}
	return s;
}

/**
 * tdm_bt_space_fast() - is b->space right for what the vCPU is about to run?
 * @b: the vCPU; interrupts off, monitor state
 *
 * Return: false: tdm_bt_tc_fill() has something to do first.
 */
bool tdm_bt_space_fast(struct tdm_bt *b)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_bt_tcv *tcv = b->tcv;
	int err;

	if (unlikely(!tcv || !b->space || READ_ONCE(tc->idle_work) || !tcv->nr_spare ||
		     READ_ONCE(tc->want_stubs)))
		return false;
	if (likely(!tcv->check && tcv->roots_gen == READ_ONCE(b->space->roots_gen)))
		return true;
	return find_space(tc, b, true, &err);
}

/* ---- the guest's tables have changed ---- */

/* Does the page still lead to the same bytes? */
static bool page_good(struct tdm_bt *b, u64 va, u64 gfn)
{
	struct tdm_page_fault pf;
	u64 gpa;

	return !tdm_mmu_code_page(b->vcpu, va, &gpa, &pf) && gpa >> PAGE_SHIFT == gfn;
}

/*
 * Walk to all pages of the space again; tc->mutex held. What another vCPU adds
 * meanwhile was walked to after @reval_gen, or is refused.
 */
static void revalidate(struct tdm_bt_vm *tc, struct tdm_bt *b, struct tdm_bt_space *s)
{
	u64 gen = READ_ONCE(tc->vm->mmu.code_gen);
	struct tdm_code_page *page;
	u64 va, gfn;

	/* Tables are read after the generation. */
	smp_mb();
	spin_lock(&tc->lock);
	s->reval_gen = gen;
	while (!list_empty(&s->pages)) {
		page = list_first_entry(&s->pages, struct tdm_code_page, in_space);
		if (page->checked == gen)
			break;
		page->checked = gen;
		list_move_tail(&page->in_space, &s->pages);
		va = page->va;
		gfn = page->gfn->gfn;
		spin_unlock(&tc->lock);
		tdm_vm_stat(tc->vm, bt_revalidated);
		if (page_good(b, va, gfn)) {
			spin_lock(&tc->lock);
			continue;
		}
		spin_lock(&tc->lock);
		page = tdm_smc_page(tc, s, va);
		if (page && page->gfn->gfn == gfn)
			tdm_smc_kill_page(tc, page);
	}
	s->code_gen = gen;
	spin_unlock(&tc->lock);
}

/* ---- making and ending ---- */

static void kill_space(struct tdm_bt_vm *tc, struct tdm_bt_space *s)
{
	while (!list_empty(&s->pages))
		tdm_smc_kill_page(tc, list_first_entry(&s->pages, struct tdm_code_page, in_space));
}

static bool is_used(struct tdm_bt_vm *tc, const struct tdm_bt_space *s)
{
	struct tdm_bt_tcv *tcv;

	list_for_each_entry(tcv, &tc->vcpus, node)
		if (tcv->b->space == s)
			return true;
	return false;
}

/* The space that nobody has used for longest; each vCPU is in one at most. */
static void evict(struct tdm_bt_vm *tc)
{
	struct tdm_bt_space *s, *victim = NULL;

	spin_lock(&tc->lock);
	list_for_each_entry_reverse(s, &tc->spaces, node) {
		if (is_used(tc, s))
			continue;
		victim = s;
		kill_space(tc, s);
		list_del(&s->node);
		break;
	}
	spin_unlock(&tc->lock);
	if (!victim)
		return;
	tdm_lookup_drop_space(tc, victim);
	tc->nr_spaces--;
	tdm_vm_stat(tc->vm, bt_spaces_evicted);
	kfree(victim);
}

static int new_space(struct tdm_bt_vm *tc, struct tdm_bt *b)
{
	struct tdm_bt_space *s;

	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	INIT_LIST_HEAD(&s->pages);
	s->mode = current_mode(b->vcpu);
	s->code_gen = READ_ONCE(tc->vm->mmu.code_gen);
	s->reval_gen = s->code_gen;
	mutex_lock(&tc->mutex);
	if (tc->nr_spaces >= TDM_SPACES_MIN + tc->nr_vcpus)
		evict(tc);
	tc->nr_spaces++;
	tdm_vm_stat(tc->vm, bt_spaces_made);
	spin_lock(&tc->lock);
	list_add(&s->node, &tc->spaces);
	enter_space(b, s);
	spin_unlock(&tc->lock);
	mutex_unlock(&tc->mutex);
	return 0;
}

/**
 * tdm_space_ensure() - put the vCPU into the space that fits its root
 * @b: the vCPU; process context
 *
 * Return: 0: tdm_bt_space_fast() would say yes; -ENOMEM; -EFAULT: the caller does
 * not provide the guest's tables.
 */
int tdm_space_ensure(struct tdm_bt *b)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_bt_tcv *tcv = b->tcv;
	struct tdm_bt_space *s, *old = b->space;
	bool flushed = tcv->check;
	int r;

	if (likely(old && !flushed && tcv->roots_gen == READ_ONCE(old->roots_gen) &&
		   tcv->lookup && tcv->lookup->space == old && tcv->nr_spare))
		return 0;
	/* Until all is done. */
	tcv->check = true;
	s = find_space(tc, b, false, &r);
	if (r)
		return r;
	if (!s) {
		r = new_space(tc, b);
		if (r)
			return r;
		s = b->space;
	}
	r = tdm_lookup_ensure(tc, b, s);
	if (r)
		return r;
	if ((flushed || s != old) && s->code_gen != READ_ONCE(tc->vm->mmu.code_gen)) {
		mutex_lock(&tc->mutex);
		revalidate(tc, b, s);
		mutex_unlock(&tc->mutex);
	}
	tcv->check = false;
	return 0;
}

/* ---- the PML4 entries of a space ---- */

/**
 * tdm_space_root() - the PML4 entry above an address, as it is now
 * @b: the vCPU, in its space; process context
 * @va: guest address
 * @entry: filled
 *
 * Return: 0; -EAGAIN: it is not what the current space has: look for another;
 * -EFAULT: the caller does not provide the guest's table.
 */
int tdm_space_root(struct tdm_bt *b, u64 va, u64 *entry)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	unsigned int index = va >> 39 & 511;
	int need = -1, r = 0;

	if (!learn_root(b, index))
		return -EFAULT;
	*entry = b->tcv->root[index];
	spin_lock(&tc->lock);
	if (!tdm_space_current(b) || !roots_fit(b->space, b->tcv, &need)) {
		b->tcv->check = true;
		r = -EAGAIN;
	}
	spin_unlock(&tc->lock);
	return r;
}

/**
 * tdm_space_add_root() - the vCPU's space is to have code below a PML4 entry
 * @tc: the TC; tc->lock held
 * @b: the vCPU, in its space
 * @index: of the entry
 * @entry: what it says
 *
 * Return: 0; -EAGAIN: the space has another entry there: look for another space.
 */
int tdm_space_add_root(struct tdm_bt_vm *tc, struct tdm_bt *b, u16 index, u64 entry)
{
	struct tdm_bt_space *s = b->space;
	u32 i;

	for (i = 0; i < s->nr_roots; i++)
		if (s->index[i] == index) {
			if (s->entry[i] == entry)
				return 0;
			b->tcv->check = true;
			return -EAGAIN;
		}
	if (s->nr_roots == TDM_SPACE_ROOTS) {
		/* Code all over the place: begin again. */
		kill_space(tc, s);
		s->nr_roots = 0;
	}
	s->index[s->nr_roots] = index;
	s->entry[s->nr_roots++] = entry;
	/* Others in this space may have something else there. */
	WRITE_ONCE(s->roots_gen, s->roots_gen + 1);
	b->tcv->roots_gen = s->roots_gen;
	return 0;
}

/** tdm_space_destroy_all() - the VM ends; no TU is alive */
void tdm_space_destroy_all(struct tdm_bt_vm *tc)
{
	struct tdm_bt_space *s, *tmp;

	list_for_each_entry_safe(s, tmp, &tc->spaces, node)
		kfree(s);
}
