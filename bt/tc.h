/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The translation cache, shared by its files only: cache.c (arena, TUs, filling),
 * fetch.c (guest code, safe against writers), space.c (which translations hold in
 * an address space), link.c (chaining), lookup.c (tables for indirect branches),
 * faultmap.c (from a TC address to the guest), smc.c (writes to code).
 *
 * One TC per VM (arena.c is its memory):
 *
 *	0 ........ common code | fragments -> ... free ... <- cells, stubs .. size
 *
 * Fragments are made bottom-up and TUs are numbered in that order, so numbers and
 * addresses rise together: a TC address is found by a short binary search. Cells
 * (continuations: INT and id) are made top-down, one for each link, and stay: a
 * link can be unchained at any moment without allocating anything. Stubs are where
 * the lookup tables lead; they have pages of their own among the cells, and a TU gets
 * one when an indirect branch first goes there. Space is taken
 * back only by a full flush, which starts a new life of the TC (@resets).
 *
 * Locks, outermost first: tc->mutex (whoever adds code, revalidates a space,
 * flushes; process context, may wait for other vCPUs), mmu.lock, tc->lock.
 * tdm_track_add() and tdm_track_del() take slots_sem and mmu.lock: under
 * tc->mutex they may be called, under tc->lock never. No guest memory is touched
 * under tc->mutex: the host may take its time to provide it.
 *
 * Fields: (t) tc->lock; (x) tc->mutex to write, either to read; (v), (c) as in vcpu.h.
 */
#ifndef TDM_BT_TC_H
#define TDM_BT_TC_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include "bt/bt.h"

#define TDM_TC_CELL		8u	/* bytes of a continuation */
#define TDM_TC_ALIGN		16u	/* of a fragment that is not put over a JMP */
#define TDM_TC_HASH_BITS	14
#define TDM_TC_PAGE_HASH_BITS	10
#define TDM_TC_STUBS		(PAGE_SIZE / TDM_BT_STUB_MAX)	/* of a page */
#define TDM_TC_PER_TU		64u	/* the TU table has room for one in so many bytes */
#define TDM_TU_CHUNK		(PAGE_SIZE / sizeof(void *))
#define TDM_TC_FETCH		64u	/* bytes that a TU's instructions may begin in */

static_assert(TDM_BT_TC_MAX / TDM_TC_PER_TU <= 1u << 28);	/* what TDM_BT_ID() holds */

/* ---- translation units ---- */

enum tdm_link_state {
	TDM_LINK_CELL,		/* leads to its cell */
	TDM_LINK_CHAINED,	/* leads to the target's fragment */
	TDM_LINK_ELIDED,	/* its JMP is not there: the target's fragment is in its place */
};

/**
 * struct tdm_tu_link - a direct way out of a TU
 * @in: in the target's list, unless TDM_LINK_CELL
 * @to: the target
 * @target: its guest RIP
 * @cell: TC offset of the continuation
 * @patch: offset of the rel32 in the fragment
 * @nr: which of the TU's links this is
 * @state: enum tdm_link_state
 * @elide: the JMP is the fragment's end
 */
struct tdm_tu_link {
	struct hlist_node in;		/* (t) */
	struct tdm_tu *to;		/* (t) */
	u64 target;			/* (c) */
	u32 cell;			/* (c) */
	u16 patch;			/* (t) */
	u8 nr;				/* (c) */
	u8 state;			/* (t) */
	bool elide;			/* (t) */
};

/** struct tdm_code_ref - bytes of a TU in a code page */
struct tdm_code_ref {
	struct hlist_node node;		/* (t) in tdm_code_page.refs */
	struct tdm_tu *tu;		/* (c) */
	struct tdm_code_page *page;	/* (t) NULL: not on a list */
	u16 off;			/* (c) first byte in the page */
	u16 len;			/* (c) */
};

/**
 * struct tdm_tu - a translation unit and its fragment
 * @hash: in tc->hash by space and RIP, unless @dead
 * @in: links that lead here
 * @space: where it holds
 * @ref: the bytes it was made from, page by page
 * @links: ways out
 * @rip: guest RIP
 * @nr: its number
 * @off, @len: the fragment in the TC
 * @stub: where lookup tables lead for it; 0: none yet
 * @dead: nothing leads here any more; kept until the next full flush, because a
 *	vCPU may still be inside
 * @recs: fault map
 */
struct tdm_tu {
	struct hlist_node hash;		/* (t) */
	struct hlist_head in;		/* (t) */
	struct tdm_bt_space *space;	/* (c) not to be used when @dead */
	struct tdm_code_ref ref[2];
	struct tdm_tu_link links[TDM_TU_MAX_LINKS];
	u64 rip;			/* (c) */
	u32 nr;				/* (c) */
	u32 off;			/* (c) */
	u32 stub;			/* (t) */
	u16 len;			/* (t) shrinks by an elided JMP */
	u16 guest_len;			/* (c) */
	u8 nr_links;			/* (c) */
	u8 nr_insns;			/* (c) */
	u8 nr_ident;			/* (c) */
	u8 nr_recs;			/* (c) */
	bool dead;			/* (t) */
	struct tdm_bt_rec recs[];	/* (c) */
};

static_assert(TDM_TU_MAX_RECS <= 255);

static inline struct tdm_tu *tdm_link_tu(struct tdm_tu_link *link)
{
	return container_of(link - link->nr, struct tdm_tu, links[0]);
}

/* ---- guest code ---- */

/** struct tdm_code_page - a page of code as one space sees it; exists while it has refs */
struct tdm_code_page {
	struct hlist_node hash;		/* (t) in tc->pages by space and address */
	struct list_head in_space;	/* (t) */
	struct list_head in_gfn;	/* (t) */
	struct hlist_head refs;		/* (t) */
	struct tdm_bt_space *space;	/* (c) */
	struct tdm_code_gfn *gfn;	/* (c) */
	u64 va;				/* (c) */
	u64 checked;			/* (t) code_gen it was validated for last */
};

/**
 * struct tdm_code_gfn - a guest-physical page that has or had translated code
 * @pages: where it is seen
 * @idle_node: in tc->idle while no page of it is left but @tracked may be set
 * @seq: rises with each write
 * @blocks: which 64 bytes may have code of TUs in them
 * @slots_gen: vm->slots_generation from before it was tracked
 * @misses: writes beside all code since @blocks was last empty
 * @patience: misses that make the page lose its code
 * @tracked: we owe a tdm_track_del()
 */
struct tdm_code_gfn {
	struct hlist_node hash;		/* (t) in tc->gfns */
	struct list_head pages;		/* (t) */
	struct list_head idle_node;	/* (t) */
	u64 gfn;			/* (c) */
	u64 seq;			/* (t) */
	u64 blocks;			/* (t) */
	u32 slots_gen;			/* (x) */
	u16 misses;			/* (t) */
	u16 patience;			/* (t) */
	bool tracked;			/* (x) */
};

#define TDM_SMC_PATIENCE_MIN	16u
#define TDM_SMC_PATIENCE_MAX	4096u

/* ---- address spaces ---- */

#define TDM_SPACE_ROOTS		8u	/* PML4 entries with code below them */
#define TDM_SPACES_MIN		8u	/* spaces of a VM, besides one for each vCPU */

/* tdm_bt_space.mode */
#define TDM_SPACE_SMEP		(1u << 0)
#define TDM_SPACE_NXE		(1u << 1)

/**
 * struct tdm_bt_space - a set of translations that hold together
 * @node: in tc->spaces, most recently used first
 * @pages: code pages
 * @mode: what of the guest's mode decides on fetches
 * @nr_roots: entries of @index and @entry
 * @index, @entry: PML4 entries on which the translations depend
 * @roots_gen: changes with them: vCPUs have to look whether they still belong here
 * @code_gen: all pages were found as they are at this mmu.code_gen
 * @reval_gen: as @code_gen, but already set when the search begins
 */
struct tdm_bt_space {
	struct list_head node;			/* (t) */
	struct list_head pages;			/* (t) */
	u32 mode;				/* (c) */
	u32 nr_roots;				/* (t) */
	u16 index[TDM_SPACE_ROOTS];		/* (t) */
	u64 entry[TDM_SPACE_ROOTS];		/* (t) */
	u64 roots_gen;				/* (t) */
	u64 code_gen;				/* (t) */
	u64 reval_gen;				/* (t) */
};

/* ---- lookup tables ---- */

#define TDM_LOOKUP_PAGES	((TDM_BT_LOOKUP_SIZE << TDM_BT_LOOKUP_BITS) / PAGE_SIZE)
#define TDM_LOOKUP_SPARE	16u

static_assert(TDM_LOOKUP_PAGES <= 512);

/**
 * struct tdm_bt_lookup - the lookup table of one vCPU in one space
 * @node: in tdm_bt_tcv.lookups
 * @space: whose
 * @pt: the page table for the slot's LOOKUP region
 * @page: its pages; NULL: the empty one is mapped
 */
struct tdm_bt_lookup {
	struct list_head node;			/* (t) */
	struct tdm_bt_space *space;		/* (c) */
	u64 *pt;				/* (c) */
	u64 *page[TDM_LOOKUP_PAGES];		/* (t) */
};

/* ---- per vCPU ---- */

/**
 * struct tdm_bt_fetched - guest code that was read
 * @space: space, which has or shall have root entry @root at index @index
 * @resets: tc->resets from before
 * @code_gen: mmu.code_gen from before
 * @nr_pages: 1 or 2
 * @len, @page_len: as in struct tdm_bt_tr
 */
struct tdm_bt_fetched {
	struct tdm_bt_space *space;
	u64 root;
	u64 resets;
	u64 code_gen;
	struct {
		u64 va;
		struct tdm_code_gfn *gfn;	/* good while tc->resets is @resets */
		u64 seq;
	} page[2];
	u16 index;
	u8 nr_pages;
	u32 len;
	u32 page_len;
	u8 bytes[TDM_TC_FETCH + TDM_INSN_MAX_LEN];
};

/**
 * struct tdm_bt_tcv - a vCPU's part of the TC; tdm_bt.tcv
 * @node: in tc->vcpus
 * @b: back
 * @check: the guest flushed: look for the space again
 * @roots_gen: of the current space when we looked last
 * @known, @root: PML4 entries since the last flush
 * @lookups: tables
 * @lookup: the one of b->space
 * @spare, @nr_spare: pages for tables
 * @pend_tu, @pend_link, @pend_resets: the link that made us look for code that is
 *	not there yet; 0 = none
 * @fetched: scratch
 */
struct tdm_bt_tcv {
	struct list_head node;			/* (t) */
	struct tdm_bt *b;			/* (c) */
	bool check;				/* (v) */
	u64 roots_gen;				/* (v) */
	DECLARE_BITMAP(known, 512);		/* (v) */
	u64 root[512];				/* (v) */
	struct list_head lookups;		/* (t) */
	struct tdm_bt_lookup *lookup;		/* (v) */
	u64 *spare[TDM_LOOKUP_SPARE];		/* (v) */
	u32 nr_spare;				/* (v) */
	u32 pend_tu;				/* (v) */
	u8 pend_link;				/* (v) */
	u64 pend_resets;			/* (v) */
	struct tdm_bt_fetched fetched;		/* (v) */
};

/* ---- per VM ---- */

/**
 * struct tdm_bt_vm - the TC of a VM; vm->engine_priv
 * @size: bytes, a multiple of 2 MiB
 * @page: backing pages of the arena, written through the kernel's own mapping
 * @first: for each of these pages the first TU whose fragment reaches into it; 0 none
 * @pd, @pt: what the guest's view of the slot maps it with
 * @base: address of the slot that the code was made for; 0: nothing made yet
 * @bottom: end of the fragments
 * @top: lowest cell or stub
 * @stub_next, @nr_stubs: room for stubs in the page made for them last
 * @stub_pages: by number: these have stubs, not cells
 * @want_stubs: there was no room: for whoever is in process context next
 * @common_len, @common_recs, @nr_common_recs: the common code and its fault map
 * @tu: chunks of TDM_TU_CHUNK pointers, by number
 * @nr_tus: numbers in use; 0 is the common code's
 * @nr_dead: TUs killed since the last full flush
 * @gen: tdm_bt_tc_gen()
 * @resets: full flushes
 * @smp: more than one vCPU: code that may be running is only changed by single stores
 * @elided: JMPs have been elided since the last full flush
 * @idle: gfns without code
 * @idle_work: there are some: for whoever is in process context next
 * @spaces, @nr_spaces: spaces
 * @vcpus, @nr_vcpus: vCPUs that have run
 * @tr: scratch of the translator
 * @empty: a page of a lookup table with nothing in it
 */
struct tdm_bt_vm {
	spinlock_t lock;
	struct mutex mutex;
	struct tdm_vm *vm;			/* (c) */

	u32 size;				/* (c) */
	u8 **page;				/* (x) */
	u32 *first;				/* (t) */
	u64 *pd;				/* (x) entries */
	u64 **pt;				/* (x) */
	u64 base;				/* (t)(x) */
	u32 bottom;				/* (t)(x) */
	u32 top;				/* (t)(x) */
	u32 stub_next;				/* (t) */
	u32 nr_stubs;				/* (t) */
	unsigned long *stub_pages;		/* (t) */
	bool want_stubs;			/* (t) */
	u32 common_len;				/* (t)(x) */
	u32 nr_common_recs;			/* (t)(x) */
	struct tdm_bt_rec common_recs[TDM_TU_MAX_RECS]; /* (t)(x) */

	struct tdm_tu ***tu;			/* (t)(x) */
	u32 nr_tus;				/* (t)(x) */
	u32 max_tus;				/* (c) */
	u32 nr_dead;				/* (t) */
	struct hlist_head *hash;		/* (t) */
	struct hlist_head pages[1 << TDM_TC_PAGE_HASH_BITS]; /* (t) */
	struct hlist_head gfns[1 << TDM_TC_PAGE_HASH_BITS]; /* (t) */

	u64 gen;				/* (t) */
	u64 resets;				/* (t)(x) */
	bool smp;				/* (x) */
	bool elided;				/* (x) */
	bool idle_work;				/* (t) */
	struct list_head idle;			/* (t) */
	struct list_head spaces;		/* (t) */
	u32 nr_spaces;				/* (x) */
	struct list_head vcpus;			/* (t) */
	u32 nr_vcpus;				/* (x) */

	struct tdm_bt_tr *tr;			/* (x) */
	u64 *empty;				/* (t) */
};

/** tdm_tc_tu() - a TU by its number, dead or alive; tc->lock held; NULL: none */
static inline struct tdm_tu *tdm_tc_tu(const struct tdm_bt_vm *tc, u32 nr)
{
	if (unlikely(!nr || nr >= tc->nr_tus))
		return NULL;
	return tc->tu[nr / TDM_TU_CHUNK][nr % TDM_TU_CHUNK];
}

/** tdm_tc_va() - address in the slot of a byte of the arena */
static inline u64 tdm_tc_va(const struct tdm_bt_vm *tc, u32 off)
{
	return tc->base + TDM_BT_TC + off;
}

/* ---- arena.c ---- */
int tdm_arena_create(struct tdm_bt_vm *tc);
void tdm_arena_destroy(struct tdm_bt_vm *tc);
int tdm_arena_back(struct tdm_bt_vm *tc, u32 off, u32 len);	/* (x) may sleep */
void tdm_tc_store32(struct tdm_bt_vm *tc, u32 off, u32 val);	/* (t) code that may be running */
void tdm_tc_write(struct tdm_bt_vm *tc, u32 off, const void *buf, u32 len);	/* (t) or (x) */
void tdm_tc_read(struct tdm_bt_vm *tc, u32 off, void *buf, u32 len);

/* A rel32 is anywhere; WRITE_ONCE() promises one store for aligned ones only. */
struct tdm_unaligned32 {
	u32 val;
} __packed;

/** tdm_tc_read32() - four bytes of code at any offset below tc->size - 3 */
static inline u32 tdm_tc_read32(struct tdm_bt_vm *tc, u32 off)
{
	const u8 *page = READ_ONCE(tc->page[off / PAGE_SIZE]);
	u32 val;

	if (likely(page && off % PAGE_SIZE <= PAGE_SIZE - sizeof(val)))
		return ((const struct tdm_unaligned32 *)(page + off % PAGE_SIZE))->val;
	tdm_tc_read(tc, off, &val, sizeof(val));
	return val;
}

/* ---- cache.c ---- */
struct tdm_tu *tdm_tc_lookup(struct tdm_bt *b, u64 rip);	/* (t) alive, in b->space */
void tdm_tc_kill(struct tdm_bt_vm *tc, struct tdm_tu *tu);	/* (t) */
void tdm_tc_flush_all(struct tdm_bt_vm *tc);		/* (x) */

/* ---- fetch.c ---- */
/* (p) 1; 0: *exit filled; -EAGAIN: something changed, begin again; -errno */
int tdm_tc_fetch(struct tdm_bt *b, u64 rip, bool second, struct tdm_exit *exit);
bool tdm_tc_fetch_good(struct tdm_bt_vm *tc, struct tdm_bt *b);	/* (t) still as read? */

/* ---- space.c ---- */
int tdm_space_ensure(struct tdm_bt *b);			/* (p) b->space and its table; 0, -errno */
bool tdm_space_current(const struct tdm_bt *b);		/* (t) b->space may be used */
int tdm_space_root(struct tdm_bt *b, u64 va, u64 *entry);	/* (p) fresh; 0, -EAGAIN, -EFAULT */
int tdm_space_add_root(struct tdm_bt_vm *tc, struct tdm_bt *b, u16 index, u64 entry); /* (t) 0, -EAGAIN */
void tdm_space_destroy_all(struct tdm_bt_vm *tc);

/* ---- link.c ---- */
void tdm_link_unchain(struct tdm_bt_vm *tc, struct tdm_tu_link *link);	/* (t) not when elided */
void tdm_link_cut(struct tdm_bt_vm *tc, struct tdm_tu *tu);	/* (t) all links from and to a TU */
void tdm_link_chain(struct tdm_bt_vm *tc, struct tdm_tu_link *link, struct tdm_tu *to); /* (t) */
struct tdm_tu_link *tdm_link_pending(struct tdm_bt *b, u64 rip);	/* (t) what waits for @rip */
void tdm_link_resolve(struct tdm_bt *b, struct tdm_tu *tu);	/* (t) @tu is there now */

/* ---- lookup.c ---- */
struct tdm_bt_lookup *tdm_lookup_find(struct tdm_bt_tcv *tcv, struct tdm_bt_space *space); /* (t) */
int tdm_lookup_ensure(struct tdm_bt_vm *tc, struct tdm_bt *b, struct tdm_bt_space *space); /* (p) */
bool tdm_lookup_add(struct tdm_bt_vm *tc, struct tdm_bt *b, struct tdm_tu *tu);	/* (t) */
void tdm_lookup_remove(struct tdm_bt_vm *tc, const struct tdm_tu *tu);	/* (t) in all vCPUs' */
void tdm_lookup_clear_all(struct tdm_bt_vm *tc);	/* (t) */
void tdm_lookup_drop_space(struct tdm_bt_vm *tc, struct tdm_bt_space *space); /* (x) not current anywhere */
void tdm_lookup_free_all(struct tdm_bt_vm *tc, struct tdm_bt_tcv *tcv);
void tdm_lookup_init_page(const struct tdm_bt_vm *tc, u64 *page);	/* (t) */

/* ---- faultmap.c ---- */
struct tdm_tu *tdm_tc_at(struct tdm_bt_vm *tc, u32 off);	/* (t) the fragment there, dead or not */
bool tdm_tc_pos(struct tdm_bt_vm *tc, u32 off, struct tdm_bt_pos *pos);	/* (t) */
/* (t) a place in a fragment */
void tdm_tu_pos(struct tdm_bt_vm *tc, const struct tdm_tu *tu, u32 off, struct tdm_bt_pos *pos);

/* ---- smc.c ---- */
struct tdm_code_gfn *tdm_smc_gfn(struct tdm_bt_vm *tc, u64 gfn);	/* (t) NULL: none */
int tdm_smc_track(struct tdm_bt_vm *tc, u64 gfn);	/* (p) 0, -ENOENT no memslot, -errno */
void tdm_smc_add_ref(struct tdm_bt_vm *tc, struct tdm_code_ref *ref, struct tdm_bt_space *space,
		     u64 va, struct tdm_code_gfn *gfn, struct tdm_code_page **spare); /* (t) */
void tdm_smc_drop_refs(struct tdm_bt_vm *tc, struct tdm_tu *tu);	/* (t) */
void tdm_smc_kill_page(struct tdm_bt_vm *tc, struct tdm_code_page *page);	/* (t) frees it */
struct tdm_code_page *tdm_smc_page(struct tdm_bt_vm *tc, struct tdm_bt_space *space, u64 va); /* (t) */
void tdm_smc_reap(struct tdm_bt_vm *tc);		/* (p) traces of pages without code */
void tdm_smc_free_gfns(struct tdm_bt_vm *tc);		/* (t)(x) those without code and trace */
void tdm_smc_destroy(struct tdm_bt_vm *tc);

#endif /* TDM_BT_TC_H */
