/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shadow paging, shared by its files only. Reading order: spage.c (shadow
 * pages), rmap.c (from a gfn to the entries that map it), track.c (traces),
 * entry.c (what an entry says), sfault.c (faults), sync.c (tables without a
 * trace), root.c (address spaces, flushes), monitor.c and code.c (for the BT
 * engine), range.c (what the host and the caller change), saudit.c.
 *
 * A shadow page is what the processor walks in place of one guest page table.
 * Its entries carry that table's own rights and no more: the processor combines
 * the levels as it does for the guest's. So a shadow page depends only on the
 * table's gfn and on its role, never on how it was reached, and is shared by
 * all address spaces that share the table.
 *
 * Everything here is under mmu.lock, tagged (m), which may be taken with
 * interrupts off; nothing sleeps or allocates under it: pages, structs and
 * reverse-map links come from pools that tdm_shadow_refill() fills before.
 *
 * Invariants, checked by saudit.c:
 *  - a table whose shadow page is not unsync cannot be written by the guest
 *    without an exit: all its mappings lack W, and what the entries were made
 *    from (gpte[]) is what the table says;
 *  - an entry never says more than the table's entry, the memslot and the
 *    host's own page tables say together;
 *  - every leaf entry is in the reverse map of its gfn, every other one among
 *    the parents of the shadow page it points to.
 */
#ifndef TDM_SHADOW_H
#define TDM_SHADOW_H

#include <linux/list.h>

#include "shadow_mmu/internal.h"

/* ---- roles ---- */

/* How the guest's tables are read: tdm_vcpu_mmu.mode, and a part of the role. */
#define TDM_MODE_FMT_MASK	3u
#define TDM_MODE_OFF		0u	/* CR0.PG = 0 */
#define TDM_MODE_32		1u
#define TDM_MODE_PAE		2u
#define TDM_MODE_64		3u
#define TDM_MODE_PSE		(1u << 2)	/* CR4.PSE, 32-bit only */
#define TDM_MODE_PSE36		(1u << 3)
#define TDM_MODE_1G		(1u << 4)
#define TDM_MODE_NX		(1u << 5)	/* EFER.NXE */
#define TDM_MODE_WP		(1u << 6)	/* CR0.WP */
#define TDM_MODE_MAXPHY_SHIFT	8		/* guest's physical-address width */

#define TDM_ROLE_MODE_MASK	0x3fffu
#define TDM_ROLE_LEVEL_SHIFT	16		/* 1 to 4 */
#define TDM_ROLE_LEVEL_MASK	(7u << TDM_ROLE_LEVEL_SHIFT)
#define TDM_ROLE_QUAD_SHIFT	20		/* which part of a 32-bit table */
#define TDM_ROLE_QUAD_MASK	(3u << TDM_ROLE_QUAD_SHIFT)
#define TDM_ROLE_DIRECT		(1u << 24)	/* no table behind it: gfns in a row */
#define TDM_ROLE_PKEY_SHIFT	25		/* direct: protection key of its pages */
#define TDM_ROLE_OWNER_SHIFT	32		/* root with a monitor's entry: vCPU index + 1 */

static_assert(TDM_ROLE_MODE_MASK >> TDM_MODE_MAXPHY_SHIFT == 63);

static inline u64 tdm_role(u32 mode, int level, unsigned int quad)
{
	return mode | (u32)level << TDM_ROLE_LEVEL_SHIFT | quad << TDM_ROLE_QUAD_SHIFT;
}

static inline u64 tdm_role_direct(int level, unsigned int pkey)
{
	return TDM_ROLE_DIRECT | (u32)level << TDM_ROLE_LEVEL_SHIFT |
	       pkey << TDM_ROLE_PKEY_SHIFT;
}

/* ---- shadow pages ---- */

/**
 * struct tdm_spage - a shadow page table
 * @hash: in tdm_shadow.hash by gfn; unhashed = dead: nothing may be filled in
 * @lru: in tdm_shadow.active, .orphans, .dead or .free
 * @unsync_node: in tdm_shadow.unsync while @unsync
 * @gfn: the guest's table; direct: the first gfn mapped
 * @role: mode, level, quadrant, direct, owner
 * @spt: the table the processor walks
 * @gpte: the guest's entries that spt's were made from, where @filled says so;
 *	not for direct ones
 * @guest: the guest's table (its page) in the kernel's own mapping, NULL = to be
 *	looked up; the host has it present for as long as this is set
 * @guest_w: and the host's entry is writable and dirty, the memslot writable
 * @unsync: the guest may write the table without an exit: compare at flushes
 * @closing: traced again since TLB generation @prot_gen, still to be compared
 *	once every vCPU has flushed
 * @parents: reverse map of the entries that point here
 * @owner: the vCPU whose monitor has entry @mon of this root, NULL = none. That
 *	entry is in none of the books: not filled, not counted, no parent of anything
 * @mon: index of that entry, 0 = none
 * @owned: in tdm_vcpu_mmu.owned of @owner
 * @level: of the role
 * @eshift: bytes of the guest's entries, as a power of two
 * @gshift: entries of ours for one of the guest's, as a power of two
 * @gbase: the guest's entry behind our first
 * @rsvd: bits that must be 0 in the table's entries: [0] a table's or a 4 KiB
 *	page's, [1] a large page's
 * @prot_gen: nothing may be filled in before mmu.tlb_done reaches this
 * @present: entries present
 * @roots: vCPUs that have it as a root
 * @floods: writes to the table since a fault last used it
 * @idle: flushes that found nothing changed
 * @filled: which entries of spt are present
 * @nr_code: bits set in @code
 * @code: entries that were on the way to translated code: gpte[] says what the
 *	guest's were then, whether @filled or not (code.c)
 */
struct tdm_spage {
	struct hlist_node hash;		/* (m) */
	struct list_head lru;		/* (m) */
	struct list_head unsync_node;	/* (m) */
	u64 gfn;			/* (m) */
	u64 role;			/* (m) */
	struct tdm_vcpu *owner;		/* (m) */
	u16 mon;			/* (m) */
	struct list_head owned;		/* (m) */
	u8 level;			/* (m) */
	u8 eshift;			/* (m) */
	u8 gshift;			/* (m) */
	u16 gbase;			/* (m) */
	u64 *spt;			/* (c) */
	u64 *gpte;			/* (c) */
	void *guest;			/* (m) */
	bool guest_w;			/* (m) */
	bool unsync;			/* (m) */
	bool closing;			/* (m) */
	u8 floods;			/* (m) */
	u8 idle;			/* (m) */
	bool orphan;			/* (m) on the orphans list */
	u16 present;			/* (m) */
	u32 roots;			/* (m) */
	unsigned long parents;		/* (m) */
	u64 rsvd[2];			/* (m) */
	u64 prot_gen;			/* (m) */
	unsigned long filled[BITS_TO_LONGS(TDM_PT_ENTRIES)]; /* (m) */
	u16 nr_code;			/* (m) */
	unsigned long code[BITS_TO_LONGS(TDM_PT_ENTRIES)]; /* (m) */
};

void tdm_code_changed(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i, u64 gpte);

static inline int tdm_spage_level(const struct tdm_spage *sp)
{
	return sp->level;
}

static inline unsigned int tdm_spage_quad(const struct tdm_spage *sp)
{
	return (sp->role & TDM_ROLE_QUAD_MASK) >> TDM_ROLE_QUAD_SHIFT;
}

static inline bool tdm_spage_direct(const struct tdm_spage *sp)
{
	return sp->role & TDM_ROLE_DIRECT;
}

static inline u32 tdm_spage_fmt(const struct tdm_spage *sp)
{
	return sp->role & TDM_MODE_FMT_MASK;
}

/* Bytes of the guest's entries. */
static inline unsigned int tdm_spage_esize(const struct tdm_spage *sp)
{
	return 1u << sp->eshift;
}

/* Where the guest's entry behind the shadow's @i is; sp->guest is set. */
static inline void *tdm_gpte_at(const struct tdm_spage *sp, unsigned int i)
{
	return sp->guest + ((sp->gbase + (i >> sp->gshift)) << sp->eshift);
}

/* What the guest's table says now; sp->guest is set. */
static inline u64 tdm_gpte_read(const struct tdm_spage *sp, unsigned int i)
{
	/* Only 32-bit tables come in parts. */
	if (likely(sp->eshift == 3))
		return READ_ONCE(((u64 *)sp->guest)[i]);
	return READ_ONCE(*(u32 *)tdm_gpte_at(sp, i));
}

/* The guest's entry behind one of ours is to be taken for another: does that concern code? */
static inline void tdm_code_note(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i, u64 gpte)
{
	if (unlikely(sp->nr_code) && test_bit(i, sp->code) && gpte != sp->gpte[i])
		tdm_code_changed(vm, sp, i, gpte);
}

/* Is an address in the part of a root that is the monitor's? */
static inline bool tdm_spage_monitors(const struct tdm_spage *root, u64 gva)
{
	return root->owner && tdm_level_index(gva >> PAGE_SHIFT, TDM_PT_LEVELS) == root->mon;
}

/* The shadow page an entry is in. */
static inline struct tdm_spage *tdm_spage_of(const u64 *spte)
{
	return (struct tdm_spage *)page_private(virt_to_page(spte));
}

static inline unsigned int tdm_spte_index(const u64 *spte)
{
	return ((unsigned long)spte & ~PAGE_MASK) / sizeof(*spte);
}

/* ---- entries: hardware's format, with what the processor ignores used by us ---- */
#define TDM_SPT_P		BIT_ULL(0)
#define TDM_SPT_W		BIT_ULL(1)
#define TDM_SPT_U		BIT_ULL(2)
#define TDM_SPT_A		BIT_ULL(5)
#define TDM_SPT_D		BIT_ULL(6)
#define TDM_SPT_LARGE		BIT_ULL(7)
#define TDM_SPT_HOST_W		BIT_ULL(10)	/* leaf: the host's entry is writable and dirty */
#define TDM_SPT_MAY_W		BIT_ULL(11)	/* leaf: the guest's entry and the memslot allow writes */
#define TDM_SPT_ADDR		GENMASK_ULL(51, 12)
#define TDM_SPT_PKEY_SHIFT	59
#define TDM_SPT_PKEY		GENMASK_ULL(62, 59)
#define TDM_SPT_NX		BIT_ULL(63)

/* Of the guest's entries; the same places in all formats, but bit 63. */
#define TDM_GPT_P		BIT_ULL(0)
#define TDM_GPT_W		BIT_ULL(1)
#define TDM_GPT_U		BIT_ULL(2)
#define TDM_GPT_A		BIT_ULL(5)
#define TDM_GPT_D		BIT_ULL(6)
#define TDM_GPT_LARGE		BIT_ULL(7)
#define TDM_GPT_G		BIT_ULL(8)
#define TDM_GPT_NX		BIT_ULL(63)

/* Does the guest's entry map a large page by itself? */
static inline bool tdm_gpte_large(const struct tdm_spage *sp, u64 gpte)
{
	if (likely(!(gpte & TDM_GPT_LARGE)) || sp->level == TDM_LEVEL_4K)
		return false;
	if (tdm_spage_fmt(sp) == TDM_MODE_32)
		return sp->role & TDM_MODE_PSE;
	return sp->level == TDM_LEVEL_2M ||
	       (sp->level == TDM_LEVEL_1G && (sp->role & TDM_MODE_1G));
}

/* Has a present entry reserved bits set? */
static inline bool tdm_gpte_bad(const struct tdm_spage *sp, u64 gpte)
{
	return gpte & sp->rsvd[tdm_gpte_large(sp, gpte)];
}

static inline bool tdm_spte_leaf(u64 val, int level)
{
	return level == TDM_LEVEL_4K || (val & TDM_SPT_LARGE);
}

static inline u64 tdm_spte_pfn(u64 val)
{
	return (val & TDM_SPT_ADDR) >> PAGE_SHIFT;
}

static inline struct tdm_spage *tdm_spte_child(u64 val)
{
	return (struct tdm_spage *)page_private(pfn_to_page(tdm_spte_pfn(val)));
}

/* ---- per memslot ---- */

/**
 * struct tdm_gfn_info - what shadow paging knows of a guest page
 * @rmap: reverse map of the 4 KiB leaves
 * @tables: shadow pages made from it as a guest page table
 * @code: holders of a TDM_TRACK_CODE trace
 * @unsync: it may be written although it is a table
 */
struct tdm_gfn_info {
	unsigned long rmap;		/* (m) */
	u32 tables;			/* (m) */
	u16 code;			/* (m) */
	bool unsync;			/* (m) */
};

/**
 * struct tdm_block_info - the same of an aligned 2 MiB
 * @rmap: reverse map of the 2 MiB leaves
 * @traced: pages in it with a trace, or that are tables: no 2 MiB leaf then
 * @mapped: 4 KiB leaves in it
 */
struct tdm_block_info {
	unsigned long rmap;		/* (m) */
	u32 traced;			/* (m) */
	u32 mapped;			/* (m) */
};

struct tdm_slot_shadow {
	struct tdm_gfn_info *gfns;	/* (c) npages of them */
	struct tdm_block_info *blocks;	/* (c) */
	size_t bytes;			/* (c) both arrays and this */
};

static inline struct tdm_gfn_info *tdm_gfn_info(const struct tdm_memslot *slot, u64 gfn)
{
	return &slot->shadow->gfns[gfn - slot->base_gfn];
}

static inline struct tdm_block_info *tdm_block_info(const struct tdm_memslot *slot, u64 gfn)
{
	return &slot->shadow->blocks[(gfn >> 9) - (slot->base_gfn >> 9)];
}

/* A write there has to be seen, so no entry may allow it. */
static inline bool tdm_gfn_traced(const struct tdm_gfn_info *info)
{
	return info->code || (info->tables && !info->unsync);
}

/* ---- per VM ---- */

#define TDM_SHADOW_HASH_BITS	11

struct tdm_rmap_desc;

/**
 * struct tdm_shadow - shadow paging of a VM
 * @hash: shadow pages by gfn
 * @active: alive, in order of creation or last recycling scan; oldest last
 * @orphans: alive, but no entry points there and no vCPU has it as root
 * @dead: unlinked; processors may still walk them: free after a TLB flush
 * @free: ready for use, entries all zero
 * @descs: free links of the reverse map
 * @unsync: shadow pages of tables without a trace
 */
struct tdm_shadow {
	struct hlist_head hash[1 << TDM_SHADOW_HASH_BITS]; /* (m) */
	struct list_head active;	/* (m) */
	struct list_head orphans;	/* (m) */
	struct list_head dead;		/* (m) */
	struct list_head free;		/* (m) */
	struct list_head unsync;	/* (m) */
	struct tdm_rmap_desc *descs;	/* (m) */
	unsigned int nr_descs;		/* (m) on @descs */
	unsigned int nr_dead;		/* (m) */
	unsigned int nr_free;		/* (m) */
	unsigned int nr_live;		/* (m) */
	unsigned int nr_unsync;		/* (m) */
	struct list_head vms;		/* in the shrinker's list, its lock */
	struct tdm_vm *vm;		/* (c) */
};

/* What one fault can use up: a path of tables, one of them split. */
#define TDM_SHADOW_NEED		6u
#define TDM_DESC_NEED		16u
#define TDM_SHADOW_MIN		64u	/* shadow pages any guest can run with */
#define TDM_DEAD_MAX		128u	/* then somebody flushes and frees them */

/*
 * A vCPU alone has no stale translations while it is here: its own are dropped
 * before it runs again, by each entry or because mmu.tlb_gen has changed.
 */
static inline bool tdm_vcpu_alone(struct tdm_vm *vm)
{
	return atomic_read(&vm->online_vcpus) == 1;
}

/* ---- knobs (module parameters) ---- */
extern unsigned int tdm_max_unsync, tdm_unsync_idle, tdm_flood, tdm_prefetch;
extern bool tdm_eager_fill;

/* ---- spage.c ---- */
int tdm_shadow_refill(struct tdm_vm *vm);	/* no lock; may sleep */
struct tdm_spage *tdm_spage_find(struct tdm_vm *vm, u64 gfn, u64 role);
struct tdm_spage *tdm_spage_create(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn, u64 role);
void tdm_spage_link(struct tdm_vm *vm, u64 *spte, struct tdm_spage *child, u64 val);
void tdm_spage_drop_entry(struct tdm_vm *vm, u64 *spte);
bool tdm_spage_drop_chain(struct tdm_vm *vm, const unsigned long *head);
void tdm_spage_bound_chain(struct tdm_vm *vm, const unsigned long *head);
void tdm_spage_zap(struct tdm_vm *vm, struct tdm_spage *sp);
void tdm_spage_zap_all(struct tdm_vm *vm);
void tdm_spage_drop_unused(struct tdm_vm *vm, u64 gfn);
void tdm_spage_hold(struct tdm_vm *vm, struct tdm_spage *sp);
void tdm_spage_release(struct tdm_vm *vm, struct tdm_spage *sp);
void tdm_spage_reap(struct tdm_vm *vm, unsigned int budget);
unsigned long tdm_spage_recycle(struct tdm_vm *vm, unsigned long n);
void tdm_shadow_free_dead(struct tdm_vm *vm, struct list_head *dead); /* after a flush */
unsigned long tdm_shadow_drain(struct tdm_vm *vm);	/* no lock */

/* All shadow pages made from the table at a gfn; safe against zapping @sp. */
struct hlist_head *tdm_spage_bucket(struct tdm_vm *vm, u64 gfn);
#define tdm_for_each_spage(vm, gfn_, sp, tmp)					\
	hlist_for_each_entry_safe(sp, tmp, tdm_spage_bucket(vm, gfn_), hash)	\
		if ((sp)->gfn != (gfn_) || tdm_spage_direct(sp)) {} else

/* ---- rmap.c ---- */
bool tdm_rmap_room(struct tdm_vm *vm, unsigned int n);
void tdm_rmap_add(struct tdm_vm *vm, unsigned long *head, u64 *spte);
void tdm_rmap_del(struct tdm_vm *vm, unsigned long *head, u64 *spte);
u64 *tdm_rmap_first(unsigned long head);
unsigned int tdm_rmap_count(unsigned long head);
void tdm_rmap_each(unsigned long head, void (*fn)(void *ctx, u64 *spte), void *ctx);
int tdm_rmap_refill(struct tdm_vm *vm);		/* no lock; may sleep */
void tdm_rmap_free_descs(struct tdm_vm *vm);
#define TDM_RMAP_MAX		1000u	/* mappings of one page; then all are dropped */

/* ---- track.c ---- */
int tdm_slot_shadow_alloc(struct tdm_vm *vm, struct tdm_memslot *slot);
void tdm_slot_shadow_free(struct tdm_vm *vm, struct tdm_memslot *slot);
void tdm_table_track(struct tdm_vm *vm, struct tdm_memslot *slot, struct tdm_spage *sp);
void tdm_table_untrack(struct tdm_vm *vm, struct tdm_spage *sp);
bool tdm_mmu_forget_code(struct tdm_vm *vm, u64 gfn);	/* no lock; may sleep */
void tdm_write_protect(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn);

/* ---- entry.c ---- */
int tdm_spage_map_guest(struct tdm_vm *vm, struct tdm_memslot *slot, struct tdm_spage *sp,
			bool patient);
u64 tdm_gpte_gfn_odd(const struct tdm_spage *sp, u64 gpte, unsigned int i);

/**
 * tdm_gpte_gfn() - what an entry points to
 * @sp: of the table
 * @gpte: present, no reserved bits
 * @i: the shadow's entry: the two halves of a 4 MiB page differ
 *
 * Return: the gfn of the next table, or of the first page mapped.
 */
static inline u64 tdm_gpte_gfn(const struct tdm_spage *sp, u64 gpte, unsigned int i)
{
	if (likely(sp->eshift == 3 && !tdm_gpte_large(sp, gpte)))
		return (gpte & TDM_SPT_ADDR) >> PAGE_SHIFT;
	return tdm_gpte_gfn_odd(sp, gpte, i);
}

/* What a present entry points to: gpte[] tells, but direct pages map gfns in a row. */
static inline u64 tdm_spte_gfn(const struct tdm_spage *sp, unsigned int i)
{
	if (tdm_spage_direct(sp))
		return sp->gfn + i * tdm_level_pages(sp->level);
	return tdm_gpte_gfn(sp, sp->gpte[i], i);
}

/* The reverse map that a leaf of a level is in. */
static inline unsigned long *tdm_leaf_head(const struct tdm_memslot *slot, u64 gfn, int level)
{
	return level == TDM_LEVEL_4K ? &tdm_gfn_info(slot, gfn)->rmap :
				       &tdm_block_info(slot, gfn)->rmap;
}

u64 tdm_spte_link_val(const struct tdm_spage *sp, u64 gpte, const struct tdm_spage *child);
u64 tdm_spte_rights(const struct tdm_spage *sp, u64 gpte);
void tdm_spage_describe(struct tdm_spage *sp);

/**
 * struct tdm_sfill - a leaf to be made
 * @vm: the VM
 * @sp: where
 * @i: which entry
 * @gpte: the guest's entry, for the rights; direct: all rights
 * @gfn: what it maps
 * @level: TDM_LEVEL_4K or TDM_LEVEL_2M
 * @write: a write is to be done there
 * @slow: may take what needs a fault by the host, and the caller's key rights
 * @hva: out: where the host has to bring a page in (-ENXIO)
 * @generation: out: of the memslots @hva comes from
 */
struct tdm_sfill {
	struct tdm_vm *vm;
	struct tdm_spage *sp;
	unsigned int i;
	u64 gpte;
	u64 gfn;
	int level;
	bool write;
	bool slow;
	unsigned long hva;
	u32 generation;
};

int tdm_spte_fill(struct tdm_sfill *f, struct tdm_memslot *slot);
void tdm_spte_fill_around(struct tdm_sfill *f, struct tdm_memslot *slot);
int tdm_block_level(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn);
bool tdm_spte_fill_eagerly(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i, u64 gpte);
void tdm_spte_refresh(struct tdm_vm *vm, struct tdm_spage *sp, unsigned int i, u64 gpte);

/* ---- sync.c ---- */
bool tdm_unsync(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn);
void tdm_unsync_join(struct tdm_vm *vm, struct tdm_spage *sp);
void tdm_unsync_close(struct tdm_vm *vm, struct tdm_memslot *slot, u64 gfn);
void tdm_unsync_forget(struct tdm_vm *vm, struct tdm_spage *sp);
void tdm_sync_link(struct tdm_vm *vm, struct tdm_spage *sp);
void tdm_sync_all(struct tdm_vm *vm);
bool tdm_sync_gva(struct tdm_vm *vm, struct tdm_spage *root, u64 gva);

/* ---- root.c ---- */
void tdm_shadow_vm_destroy(struct tdm_vm *vm);
struct tdm_spage *tdm_shadow_root(struct tdm_vcpu *vcpu, u64 gva);
bool tdm_root_is_old(struct tdm_vcpu *vcpu);

/* ---- monitor.c ---- */
void tdm_root_own(struct tdm_vcpu *vcpu, struct tdm_spage *sp);
void tdm_root_disown(struct tdm_spage *sp);
void tdm_root_zap_owned(struct tdm_vcpu *vcpu);
void tdm_root_written(struct tdm_spage *sp);
int tdm_root_look(struct tdm_vcpu *vcpu, bool patient);
int tdm_root_reach(struct tdm_vcpu *vcpu);	/* no lock; may sleep */

/* ---- code.c ---- */
void tdm_code_gone(struct tdm_vm *vm, struct tdm_spage *sp);

/* ---- sfault.c ---- */
int tdm_shadow_make(struct tdm_vcpu *vcpu, u64 gva, u32 error, struct tdm_page_fault *pf);

/* ---- saudit.c ---- */
u64 tdm_shadow_audit(struct tdm_vm *vm, bool mm_alive);

/* ---- shrink.c ---- */
void tdm_shrink_add(struct tdm_vm *vm);
void tdm_shrink_del(struct tdm_vm *vm);

#endif /* TDM_SHADOW_H */
