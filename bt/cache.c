// SPDX-License-Identifier: GPL-2.0-only
/*
 * The translation cache: TUs from guest code to a fragment in the arena, and
 * their end. tc.h has the picture, Documentation/bt-tc.rst the arguments.
 *
 * Beware of who may be in a fragment. Without tc->smp nobody can while we are
 * here. With it, other vCPUs run on: so live code is changed only by 4-byte stores
 * that turn a branch, a killed TU's fragment stays as it is, and memory gets new
 * code only after every vCPU has left its guest (tdm_tc_flush_all()).
 */
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>
#include <linux/hash.h>
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "bt/tc.h"
#include "shadow_mmu/mmu.h"
#define CREATE_TRACE_POINTS
#include "bt/trace.h"

static unsigned int bt_tc_mb = 32;
module_param(bt_tc_mb, uint, 0644);
MODULE_PARM_DESC(bt_tc_mb, "MiB of translation cache a VM may have, 2 to 512 (32)");

static bool bt_elide = true;
module_param(bt_elide, bool, 0644);
MODULE_PARM_DESC(bt_elide, "Put a translation in the place of the jump that leads to it, where possible (1)");

#define FILL_TRIES	8

/* ---- TUs by number, by RIP ---- */

static struct hlist_head *tu_bucket(struct tdm_bt_vm *tc, const struct tdm_bt_space *space, u64 rip)
{
	return &tc->hash[hash_64(rip ^ (unsigned long)space, TDM_TC_HASH_BITS)];
}

/** tdm_tc_lookup() - the TU that starts at @rip in the vCPU's space; tc->lock held */
struct tdm_tu *tdm_tc_lookup(struct tdm_bt *b, u64 rip)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_tu *tu;

	if (!tdm_space_current(b) || b->base != tc->base)
		return NULL;
	hlist_for_each_entry(tu, tu_bucket(tc, b->space, rip), hash)
		if (tu->rip == rip && tu->space == b->space)
			return tu;
	return NULL;
}

/**
 * tdm_bt_tc_find() - translated code for a guest address
 * @b: the vCPU
 * @rip: where it wants to go at CPL 0
 *
 * Return: TC address; 0: none, call tdm_bt_tc_fill().
 */
u64 tdm_bt_tc_find(struct tdm_bt *b, u64 rip)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	struct tdm_tu *tu;
	u64 va;

	spin_lock(&tc->lock);
	tu = tdm_tc_lookup(b, rip);
	va = tu ? tdm_tc_va(tc, tu->off) : 0;
	spin_unlock(&tc->lock);
	return va;
}

/** tdm_bt_tc_gen() - changes when any fragment goes; any context */
u64 tdm_bt_tc_gen(struct tdm_vm *vm)
{
	return READ_ONCE(to_bt_vm(vm)->gen);
}

/** tdm_bt_tc_smp() - does another vCPU of the VM run translated code, too? any context */
bool tdm_bt_tc_smp(struct tdm_vm *vm)
{
	return READ_ONCE(to_bt_vm(vm)->smp);
}

/** tdm_bt_tc_pde_page() - physical address of the page directory that maps the TC */
u64 tdm_bt_tc_pde_page(struct tdm_vm *vm)
{
	return virt_to_phys(to_bt_vm(vm)->pd);
}

/* ---- the end of TUs ---- */

/**
 * tdm_tc_kill() - a TU does not hold any more
 * @tc: the TC; tc->lock held, perhaps mmu.lock outside of it
 * @tu: alive
 *
 * Afterwards nothing leads into its fragment: no table, no branch. A vCPU that is
 * inside leaves it at its end, for the monitor: its own links are unchained, too.
 */
void tdm_tc_kill(struct tdm_bt_vm *tc, struct tdm_tu *tu)
{
	tu->dead = true;
	tc->nr_dead++;
	hlist_del(&tu->hash);
	tdm_lookup_remove(tc, tu);
	tdm_link_cut(tc, tu);
	tdm_smc_drop_refs(tc, tu);
	WRITE_ONCE(tc->gen, tc->gen + 1);
	tdm_vm_stat(tc->vm, bt_killed);
	tdm_vm_stat_add(tc->vm, bt_tus, -1);
	trace_tdm_bt_kill(tc->vm, tu->rip, tu->nr);
}

static void free_tus(struct tdm_bt_vm *tc, u32 nr)
{
	while (--nr) {
		struct tdm_tu **slot = &tc->tu[nr / TDM_TU_CHUNK][nr % TDM_TU_CHUNK];

		tdm_vm_stat_add(tc->vm, bt_mem_bytes, -(s64)struct_size(*slot, recs, (*slot)->nr_recs));
		kfree(*slot);
		*slot = NULL;
	}
}

static void kill_all(struct tdm_bt_vm *tc)
{
	struct tdm_tu *tu;
	u32 nr;

	for (nr = 1; nr < tc->nr_tus; nr++) {
		tu = tdm_tc_tu(tc, nr);
		if (!tu->dead)
			tdm_tc_kill(tc, tu);
	}
}

/**
 * tdm_tc_flush_all() - drop all translations and begin with an empty arena
 * @tc: the TC; tc->mutex held, may sleep
 *
 * First nothing leads to a fragment any more, then all vCPUs leave the guest (where
 * they were is found by the old fragments' records), and only then memory and
 * numbers are used again. The generation changes twice: a vCPU may have noted
 * the first new one together with an address from before.
 */
void tdm_tc_flush_all(struct tdm_bt_vm *tc)
{
	u32 nr = tc->nr_tus;

	spin_lock(&tc->lock);
	kill_all(tc);
	WRITE_ONCE(tc->gen, tc->gen + 1);
	spin_unlock(&tc->lock);
	if (tc->smp)
		tdm_mmu_client->flush_vcpus(tc->vm);

	spin_lock(&tc->lock);
	tc->nr_tus = 1;
	tc->nr_dead = 0;
	tc->bottom = tc->common_len;
	tc->top = tc->size;
	tc->resets++;
	tc->elided = false;
	tc->nr_stubs = 0;
	tc->want_stubs = false;
	bitmap_zero(tc->stub_pages, tc->size / PAGE_SIZE);
	memset(tc->first, 0, tc->size / PAGE_SIZE * sizeof(*tc->first));
	tdm_lookup_clear_all(tc);
	tdm_smc_free_gfns(tc);
	WRITE_ONCE(tc->gen, tc->gen + 1);
	spin_unlock(&tc->lock);
	free_tus(tc, nr);
	tdm_vm_stat(tc->vm, bt_flushes);
	trace_tdm_bt_flush(tc->vm, nr - 1);
}

/* ---- new TUs ---- */

/* The first code, or the monitor has moved: make it for this address of the slot. */
static int set_base(struct tdm_bt_vm *tc, u64 base)
{
	struct tdm_bt_tr *tr = tc->tr;
	int r;

	r = tdm_arena_back(tc, 0, TDM_TU_MAX_HOST);
	if (r)
		return r;
	memset(tr, 0, sizeof(*tr));
	tr->base = base;
	tr->va = base + TDM_BT_TC;
	tdm_bt_emit_common(tr);
	if (WARN_ON_ONCE(tr->out_len > TDM_TU_MAX_HOST || tr->nr_recs > TDM_TU_MAX_RECS))
		return -EIO;
	tdm_tc_flush_all(tc);
	spin_lock(&tc->lock);
	tc->base = base;
	tdm_tc_write(tc, 0, tr->out, tr->out_len);
	memcpy(tc->common_recs, tr->recs, tr->nr_recs * sizeof(tr->recs[0]));
	tc->nr_common_recs = tr->nr_recs;
	tc->common_len = tr->out_len;
	tc->bottom = tr->out_len;
	tdm_lookup_clear_all(tc);
	spin_unlock(&tc->lock);
	return 0;
}

static bool is_full(const struct tdm_bt_vm *tc)
{
	return tc->bottom + TDM_TC_ALIGN + TDM_TU_MAX_HOST + TDM_TU_MAX_LINKS * TDM_TC_CELL +
	       2 * PAGE_SIZE > tc->top || tc->nr_tus == tc->max_tus;
}

/* A page for stubs. tc->mutex held; there is room, see is_full() */
static int more_stubs(struct tdm_bt_vm *tc)
{
	u32 off = (tc->top & PAGE_MASK) - PAGE_SIZE;
	int r = tdm_arena_back(tc, off, PAGE_SIZE);

	if (r)
		return r;
	spin_lock(&tc->lock);
	tc->top = off;
	__set_bit(off / PAGE_SIZE, tc->stub_pages);
	tc->stub_next = off;
	tc->nr_stubs = TDM_TC_STUBS;
	tc->want_stubs = false;
	spin_unlock(&tc->lock);
	return 0;
}

/* Memory for one TU more, whatever comes of it. */
static int make_room(struct tdm_bt_vm *tc)
{
	struct tdm_tu ***chunk;
	int r;

	if (is_full(tc))
		tdm_tc_flush_all(tc);
	if (!tc->nr_stubs) {
		r = more_stubs(tc);
		if (r)
			return r;
	}
	r = tdm_arena_back(tc, tc->bottom, TDM_TC_ALIGN + TDM_TU_MAX_HOST);
	if (r)
		return r;
	r = tdm_arena_back(tc, tc->top - TDM_TU_MAX_LINKS * TDM_TC_CELL,
			   TDM_TU_MAX_LINKS * TDM_TC_CELL);
	if (r)
		return r;
	chunk = &tc->tu[tc->nr_tus / TDM_TU_CHUNK];
	if (!*chunk) {
		*chunk = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!*chunk)
			return -ENOMEM;
		tdm_vm_stat_add(tc->vm, bt_mem_bytes, PAGE_SIZE);
	}
	return 0;
}

/*
 * Where the next fragment goes: in the place of the JMP that leads to it, if that
 * is the last thing in the arena and nobody else can be at it.
 */
static u32 place(struct tdm_bt_vm *tc, struct tdm_bt *b, u64 rip, struct tdm_tu **over)
{
	struct tdm_tu_link *link;
	struct tdm_tu *tu;

	*over = NULL;
	if (!tc->smp && READ_ONCE(bt_elide) && !tdm_bt_verify) {
		spin_lock(&tc->lock);
		link = tdm_link_pending(b, rip);
		tu = link ? tdm_link_tu(link) : NULL;
		/* What is left has room for the JMP that unelide() may write there. */
		if (link && link->elide && tu->off + tu->len == tc->bottom &&
		    link->patch + 4 == tu->len && tu->len >= 5 + 5)
			*over = tu;
		spin_unlock(&tc->lock);
	}
	return *over ? tc->bottom - 5 : round_up(tc->bottom, TDM_TC_ALIGN);
}

static int translate(struct tdm_bt_vm *tc, struct tdm_bt *b, u64 rip, u32 off)
{
	const struct tdm_bt_fetched *f = &b->tcv->fetched;
	struct tdm_bt_tr *tr = tc->tr;
	int i;

	tr->rip = rip;
	tr->code = f->bytes;
	tr->len = f->len;
	tr->page_len = f->page_len;
	tr->max_insns = TDM_TU_MAX_INSNS;
	tr->tu = tc->nr_tus;
	tr->va = tdm_tc_va(tc, off);
	tr->base = tc->base;
	for (i = 0; i < TDM_TU_MAX_LINKS; i++)
		tr->cont[i] = tdm_tc_va(tc, tc->top - (i + 1) * TDM_TC_CELL);
	tr->mode = TDM_MODE_LONG64;
	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD)
		tr->mode |= TDM_DECODE_AMD;
	tr->fsgsbase = cpu_feature_enabled(X86_FEATURE_FSGSBASE) &&
		       (b->vcpu->st.cr4 & X86_CR4_FSGSBASE);
	return tdm_bt_translate(tr);
}

/* UD2 alone is shorter than the JMP that unelide() may put over its fragment. */
static void pad(struct tdm_bt_tr *tr)
{
	while (tr->out_len < 5)
		tr->out[tr->out_len++] = 0xcc;
}

/* The translator's word is checked: what we do with it writes code. */
static bool plausible(const struct tdm_bt_tr *tr, const struct tdm_bt_fetched *f)
{
	int i;

	/* What unelide() writes over a fragment must not reach into the next. */
	if (tr->out_len < 5 || tr->out_len > TDM_TU_MAX_HOST || !tr->nr_recs ||
	    tr->nr_recs > TDM_TU_MAX_RECS || tr->recs[0].hoff ||
	    tr->nr_links > TDM_TU_MAX_LINKS || !tr->nr_insns ||
	    !tr->guest_len || tr->guest_len > f->len)
		return false;
	for (i = 0; i < tr->nr_links; i++)
		if (tr->links[i].patch + 4 > tr->out_len ||
		    (tr->va + tr->links[i].patch) / 64 != (tr->va + tr->links[i].patch + 3) / 64)
			return false;
	return true;
}

static struct tdm_tu *tu_alloc(struct tdm_bt_vm *tc, const struct tdm_bt_tr *tr, u32 off)
{
	struct tdm_tu *tu;
	int i;

	tu = kmalloc(struct_size(tu, recs, tr->nr_recs), GFP_KERNEL_ACCOUNT);
	if (!tu)
		return NULL;
	/* Links and refs that it does not have are looked at, too. */
	*tu = (struct tdm_tu) {
		.rip = tr->rip,
		.nr = tr->tu,
		.off = off,
		.len = tr->out_len,
		.guest_len = tr->guest_len,
		.nr_links = tr->nr_links,
		.nr_insns = tr->nr_insns,
		.nr_ident = tr->nr_ident,
		.nr_recs = tr->nr_recs,
	};
	memcpy(tu->recs, tr->recs, tr->nr_recs * sizeof(tr->recs[0]));
	for (i = 0; i < tr->nr_links; i++) {
		tu->links[i].target = tr->links[i].target;
		tu->links[i].patch = tr->links[i].patch;
		tu->links[i].elide = tr->links[i].elide;
		tu->links[i].cell = tc->top - (i + 1) * TDM_TC_CELL;
		tu->links[i].nr = i;
	}
	return tu;
}

static void write_cells(struct tdm_bt_vm *tc, const struct tdm_tu *tu)
{
	u8 cell[TDM_TC_CELL] = { 0xcd, TDM_BT_VEC_CALLOUT, 0, 0, 0, 0, 0xcc, 0xcc };
	u32 id;
	int i;

	for (i = 0; i < tu->nr_links; i++) {
		id = TDM_BT_ID(tu->nr, TDM_BT_WHAT_LINK0 + i);
		memcpy(cell + 2, &id, sizeof(id));
		tdm_tc_write(tc, tu->links[i].cell, cell, sizeof(cell));
	}
}

/* Pages of the arena that have no fragment yet, up to this one's end. */
static void note_first(struct tdm_bt_vm *tc, const struct tdm_tu *tu)
{
	u32 page;

	for (page = tu->off / PAGE_SIZE; page <= (tu->off + tu->len - 1) / PAGE_SIZE; page++)
		if (!tc->first[page])
			tc->first[page] = tu->nr;
}

static void add_refs(struct tdm_bt_vm *tc, struct tdm_tu *tu, const struct tdm_bt_fetched *f,
		     struct tdm_code_page **spare)
{
	u32 off = tu->rip & ~PAGE_MASK, first = min_t(u32, tu->guest_len, PAGE_SIZE - off);

	tu->ref[0].tu = tu;
	tu->ref[0].off = off;
	tu->ref[0].len = first;
	tdm_smc_add_ref(tc, &tu->ref[0], tu->space, f->page[0].va, f->page[0].gfn, &spare[0]);
	if (tu->guest_len == first)
		return;
	tu->ref[1].tu = tu;
	tu->ref[1].len = tu->guest_len - first;
	tdm_smc_add_ref(tc, &tu->ref[1], tu->space, f->page[1].va, f->page[1].gfn, &spare[1]);
}

/* The link's JMP goes, the TU's fragment comes in its place. */
static void put_over(struct tdm_bt_vm *tc, struct tdm_tu_link *link, struct tdm_tu *tu)
{
	u32 page = (tc->bottom - 1) / PAGE_SIZE;

	/* Perhaps only the JMP reached into that page. */
	if (page * PAGE_SIZE >= tu->off)
		tc->first[page] = 0;
	tdm_link_tu(link)->len -= 5;
	link->state = TDM_LINK_ELIDED;
	link->to = tu;
	hlist_add_head(&link->in, &tu->in);
	tc->elided = true;
	tdm_vm_stat(tc->vm, bt_elided);
	trace_tdm_bt_chain(tc->vm, tdm_link_tu(link)->rip, tu->rip, true);
}

/* Has the vCPU's space a page of code there already? tc->lock held */
static bool has_page(struct tdm_bt_vm *tc, struct tdm_bt *b, int nr)
{
	const struct tdm_bt_fetched *f = &b->tcv->fetched;
	struct tdm_code_page *page = tdm_smc_page(tc, b->space, f->page[nr].va);

	return page && page->gfn == f->page[nr].gfn;
}

/* What tdm_smc_add_ref() may need. 0, -ENOMEM */
static int spare_pages(struct tdm_bt_vm *tc, struct tdm_bt *b, struct tdm_code_page **spare)
{
	bool have;
	int i;

	for (i = 0; i < b->tcv->fetched.nr_pages; i++) {
		spin_lock(&tc->lock);
		have = has_page(tc, b, i);
		spin_unlock(&tc->lock);
		if (have)
			continue;
		spare[i] = kzalloc(sizeof(*spare[i]), GFP_KERNEL_ACCOUNT);
		if (!spare[i])
			return -ENOMEM;
	}
	return 0;
}

/* tc->lock held. -EAGAIN: what it was made from is not so any more. */
static int publish(struct tdm_bt_vm *tc, struct tdm_bt *b, struct tdm_tu *tu,
		   struct tdm_tu *over, struct tdm_code_page **spare)
{
	const struct tdm_bt_fetched *f = &b->tcv->fetched;
	int i;

	if (!tdm_tc_fetch_good(tc, b) || tdm_space_add_root(tc, b, f->index, f->root) ||
	    (over && over->dead))
		return -EAGAIN;
	for (i = 0; i < f->nr_pages; i++)
		if (!spare[i] && !has_page(tc, b, i))
			return -EAGAIN;
	tu->space = b->space;
	if (over)
		put_over(tc, tdm_link_pending(b, tu->rip), tu);
	tdm_tc_write(tc, tu->off, tc->tr->out, tu->len);
	write_cells(tc, tu);
	tc->tu[tu->nr / TDM_TU_CHUNK][tu->nr % TDM_TU_CHUNK] = tu;
	tc->nr_tus++;
	tc->bottom = tu->off + tu->len;
	tc->top -= tu->nr_links * TDM_TC_CELL;
	note_first(tc, tu);
	add_refs(tc, tu, f, spare);
	hlist_add_head(&tu->hash, tu_bucket(tc, tu->space, tu->rip));
	tdm_link_resolve(b, tu);
	return 0;
}

static void count(struct tdm_bt_vm *tc, const struct tdm_tu *tu)
{
	tdm_vm_stat(tc->vm, bt_translated);
	tdm_vm_stat(tc->vm, bt_tus);
	tdm_vm_stat_add(tc->vm, bt_insns, tu->nr_insns);
	tdm_vm_stat_add(tc->vm, bt_ident, tu->nr_ident);
	tdm_vm_stat_add(tc->vm, bt_guest_bytes, tu->guest_len);
	tdm_vm_stat_add(tc->vm, bt_host_bytes, tu->len);
	tdm_vm_stat_add(tc->vm, bt_mem_bytes, struct_size(tu, recs, tu->nr_recs));
	trace_tdm_bt_translate(tc->vm, tu->rip, tu->guest_len, tu->nr_insns, tdm_tc_va(tc, tu->off),
			       tu->len);
}

static int install_tu(struct tdm_bt_vm *tc, struct tdm_bt *b, u32 off, struct tdm_tu *over)
{
	struct tdm_code_page *spare[2] = { };
	struct tdm_tu *tu;
	int r;

	tu = tu_alloc(tc, tc->tr, off);
	if (!tu)
		return -ENOMEM;
	r = spare_pages(tc, b, spare);
	if (r)
		goto free;
	spin_lock(&tc->lock);
	r = publish(tc, b, tu, over, spare);
	spin_unlock(&tc->lock);
	if (!r)
		count(tc, tu);
free:
	kfree(spare[0]);
	kfree(spare[1]);
	if (r)
		kfree(tu);
	return r;
}

/*
 * Translate what was fetched. 0; -EAGAIN: begin again; -EMSGSIZE: the first
 * instruction does not end in what was fetched; -ENOMEM, -EIO
 */
static int install(struct tdm_bt_vm *tc, struct tdm_bt *b, u64 rip)
{
	struct tdm_tu *over;
	u32 off;
	int r = 0;

	mutex_lock(&tc->mutex);
	if (tc->base != b->base)
		r = set_base(tc, b->base);
	if (!r)
		r = make_room(tc);
	if (r)
		goto unlock;
	off = place(tc, b, rip, &over);
	r = -EMSGSIZE;
	if (translate(tc, b, rip, off))
		goto unlock;
	pad(tc->tr);
	r = -EIO;
	if (!WARN_ON_ONCE(!plausible(tc->tr, &b->tcv->fetched)))
		r = install_tu(tc, b, off, over);
unlock:
	mutex_unlock(&tc->mutex);
	return r;
}

/* 1 there; 0 *exit filled; -EAGAIN; -errno */
static int fill_once(struct tdm_bt_vm *tc, struct tdm_bt *b, u64 rip, struct tdm_exit *exit)
{
	struct tdm_tu *tu;
	int r;

	r = tdm_space_ensure(b);
	if (r)
		return r;
	spin_lock(&tc->lock);
	tu = tdm_tc_lookup(b, rip);
	if (tu)
		tdm_link_resolve(b, tu);
	spin_unlock(&tc->lock);
	if (tu)
		return 1;
	r = tdm_tc_fetch(b, rip, false, exit);
	if (r <= 0)
		return r;
	r = install(tc, b, rip);
	if (r == -EMSGSIZE) {
		r = tdm_tc_fetch(b, rip, true, exit);
		if (r <= 0)
			return r;
		r = install(tc, b, rip);
	}
	return r ? r : 1;
}

/* The vCPU's part, made when it first runs. */
static int join(struct tdm_bt_vm *tc, struct tdm_bt *b)
{
	struct tdm_bt_tcv *tcv;

	if (b->tcv)
		return 0;
	tcv = kzalloc(sizeof(*tcv), GFP_KERNEL_ACCOUNT);
	if (!tcv)
		return -ENOMEM;
	INIT_LIST_HEAD(&tcv->lookups);
	tcv->b = b;
	tcv->check = true;
	mutex_lock(&tc->mutex);
	/* From now on the others are somebody else's fragments' users. */
	if (tc->nr_vcpus++ && !tc->smp) {
		tc->smp = true;
		/* Either way the others leave the guest, and hear of it. */
		if (tc->elided)
			tdm_tc_flush_all(tc);
		else
			tdm_mmu_client->flush_vcpus(tc->vm);
	}
	spin_lock(&tc->lock);
	list_add(&tcv->node, &tc->vcpus);
	b->tcv = tcv;
	spin_unlock(&tc->lock);
	mutex_unlock(&tc->mutex);
	return 0;
}

/* Somebody was short of stubs. 0, -ENOMEM */
static int provide_stubs(struct tdm_bt_vm *tc)
{
	int r = 0;

	if (likely(!READ_ONCE(tc->want_stubs)))
		return 0;
	mutex_lock(&tc->mutex);
	if (is_full(tc))
		tdm_tc_flush_all(tc);
	else if (!tc->nr_stubs)
		r = more_stubs(tc);
	mutex_unlock(&tc->mutex);
	return r;
}

/**
 * tdm_bt_tc_fill() - have translated code for a guest address, and all it needs
 * @b: the vCPU, loaded; process context
 * @rip: where it wants to go at CPL 0
 * @exit: filled if 0 is returned
 *
 * Return: 1 (enter again, which looks again); 0: *exit is TDM_EXIT_GUEST_EXC (the
 * fetch faults) or TDM_EXIT_EMULATE (not from memory, or it keeps changing);
 * -ENOMEM, -EFAULT (the caller does not provide the memory), -EIO.
 */
int tdm_bt_tc_fill(struct tdm_bt *b, u64 rip, struct tdm_exit *exit)
{
	struct tdm_bt_vm *tc = to_bt_vm(b->vcpu->vm);
	int tries, r;

	r = join(tc, b);
	if (r)
		return r;
	tdm_smc_reap(tc);
	r = provide_stubs(tc);
	if (r)
		return r;
	for (tries = 0; tries < FILL_TRIES; tries++) {
		r = fill_once(tc, b, rip, exit);
		if (r == -EMSGSIZE)
			break;
		if (r == -EBUSY)
			return 1;
		if (r != -EAGAIN)
			return r;
	}
	exit->kind = TDM_EXIT_EMULATE;
	return 0;
}

/* ---- life ---- */

/**
 * tdm_bt_tc_create() - vm->engine_priv
 * @vm: the VM; may sleep
 *
 * Return: 0, -ENOMEM.
 */
int tdm_bt_tc_create(struct tdm_vm *vm)
{
	struct tdm_bt_vm *tc;

	tc = kvzalloc(sizeof(*tc), GFP_KERNEL_ACCOUNT);
	if (!tc)
		return -ENOMEM;
	tc->vm = vm;
	spin_lock_init(&tc->lock);
	mutex_init(&tc->mutex);
	INIT_LIST_HEAD(&tc->idle);
	INIT_LIST_HEAD(&tc->spaces);
	INIT_LIST_HEAD(&tc->vcpus);
	tc->size = clamp(bt_tc_mb & ~1u, 2u, TDM_BT_TC_MAX >> 20) << 20;
	tc->top = tc->size;
	tc->nr_tus = 1;
	tc->resets = 1;
	tc->max_tus = tc->size / TDM_TC_PER_TU;
	vm->engine_priv = tc;
	tc->tu = kvcalloc(DIV_ROUND_UP(tc->max_tus, TDM_TU_CHUNK), sizeof(*tc->tu),
			  GFP_KERNEL_ACCOUNT);
	tc->hash = kvcalloc(1 << TDM_TC_HASH_BITS, sizeof(*tc->hash), GFP_KERNEL_ACCOUNT);
	tc->tr = kzalloc(sizeof(*tc->tr), GFP_KERNEL_ACCOUNT);
	tc->empty = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	tc->stub_pages = kvcalloc(BITS_TO_LONGS(tc->size / PAGE_SIZE), sizeof(long),
				  GFP_KERNEL_ACCOUNT);
	if (!tc->tu || !tc->hash || !tc->tr || !tc->empty || !tc->stub_pages ||
	    tdm_arena_create(tc)) {
		tdm_bt_tc_destroy(vm);
		return -ENOMEM;
	}
	return 0;
}

/**
 * tdm_bt_tc_destroy() - undo tdm_bt_tc_create()
 * @vm: the VM; its vCPUs and its memory are gone, and the traces with it
 */
void tdm_bt_tc_destroy(struct tdm_vm *vm)
{
	struct tdm_bt_vm *tc = to_bt_vm(vm);
	u32 i;

	if (!tc)
		return;
	if (tc->hash) {
		kill_all(tc);
		free_tus(tc, tc->nr_tus);
	}
	tdm_space_destroy_all(tc);
	tdm_smc_destroy(tc);
	for (i = 0; tc->tu && i < DIV_ROUND_UP(tc->max_tus, TDM_TU_CHUNK); i++)
		free_page((unsigned long)tc->tu[i]);
	kvfree(tc->tu);
	kvfree(tc->hash);
	kfree(tc->tr);
	free_page((unsigned long)tc->empty);
	kvfree(tc->stub_pages);
	tdm_arena_destroy(tc);
	kvfree(tc);
	vm->engine_priv = NULL;
}

/** tdm_bt_tc_vcpu_destroy() - the vCPU's part; it does not run any more */
void tdm_bt_tc_vcpu_destroy(struct tdm_vcpu *vcpu)
{
	struct tdm_bt *b = to_bt(vcpu);
	struct tdm_bt_vm *tc = to_bt_vm(vcpu->vm);

	if (!b->tcv)
		return;
	mutex_lock(&tc->mutex);
	spin_lock(&tc->lock);
	list_del(&b->tcv->node);
	spin_unlock(&tc->lock);
	tdm_lookup_free_all(tc, b->tcv);
	mutex_unlock(&tc->mutex);
	kfree(b->tcv);
	b->tcv = NULL;
	b->space = NULL;
}
