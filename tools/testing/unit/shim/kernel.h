/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Enough of the kernel to build shadow_mmu/ for userspace: one thread, so locks
 * only check their own order; "physical" memory is one arena; trees are plain
 * ones. Only for tests; every header in linux/ and asm/ beside it includes this.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/types.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

#define __user
#define __rcu
#define __force
#define ERESTARTSYS 512

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ul
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGE_OFF(x)	((unsigned long)(x) & ~PAGE_MASK)
#define BITS_PER_LONG	64
#define BITS_TO_LONGS(n) (((n) + 63) / 64)
#define BIT(n)		(1ul << (n))
#define BIT_ULL(n)	(1ull << (n))
#define GENMASK_ULL(h, l) ((~0ull >> (63 - ((h) - (l)))) << (l))

#define READ_ONCE(x)	(*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define min(a, b)	((a) < (b) ? (a) : (b))
#define max(a, b)	((a) > (b) ? (a) : (b))
#define min3(a, b, c)	min(min(a, b), c)
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define swap(a, b)	do { __typeof__(a) t__ = (a); (a) = (b); (b) = t__; } while (0)
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#define likely(x)	(x)
#define unlikely(x)	(x)
#define WARN_ON_ONCE(x)	({ bool w__ = !!(x); assert(!w__); w__; })
#define WARN_ONCE(x, fmt, ...) ({ bool w__ = !!(x); if (w__) { \
	printf("# WARN: " fmt, ##__VA_ARGS__); abort(); } w__; })
#define smp_wmb()	do { } while (0)
#define smp_mb__after_atomic() do { } while (0)
#define cond_resched()	do { } while (0)
#define local_irq_save(f) ((f) = 0)
#define local_irq_restore(f) ((void)(f))
#define module_param(name, type, perm)
#define MODULE_PARM_DESC(name, text)

#define IS_ERR(p)	((unsigned long)(p) >= -4095ul)
#define ERR_PTR(e)	((void *)(long)(e))
#define PTR_ERR(p)	((long)(p))

/* ---- locks: one thread; check that they are taken and let go in pairs ---- */
typedef struct { int held; } spinlock_t;
typedef spinlock_t raw_spinlock_t;
struct mutex { int held; };
struct rw_semaphore { int held; };
static inline void spin_lock_init(spinlock_t *l) { l->held = 0; }
static inline void spin_lock(spinlock_t *l) { assert(!l->held); l->held = 1; }
static inline void spin_unlock(spinlock_t *l) { assert(l->held); l->held = 0; }
static inline void init_rwsem(struct rw_semaphore *s) { s->held = 0; }
static inline void down_read(struct rw_semaphore *s) { assert(!s->held); s->held = 1; }
static inline void up_read(struct rw_semaphore *s) { assert(s->held); s->held = 0; }
#define down_write down_read
#define up_write up_read

/* ---- atomics, bits ---- */
typedef struct { s64 v; } atomic64_t;
typedef struct { int v; } atomic_t;
typedef atomic64_t atomic_long_t;
#define atomic64_read(a) ((a)->v)
#define atomic_read(a)	((a)->v)
#define atomic64_inc(a)	((void)(a)->v++)
#define atomic64_add(n, a) ((void)((a)->v += (n)))
#define atomic_long_read(a) ((a)->v)
#define atomic_long_or(m, a) ((void)((a)->v |= (m)))
#define atomic_long_fetch_andnot(m, a) ({ s64 o__ = (a)->v; (a)->v &= ~(s64)(m); o__; })
#define xchg(p, n)	({ __typeof__(*(p)) o__ = *(p); *(p) = (n); o__; })

static inline bool test_bit(u64 n, const unsigned long *p) { return p[n / 64] >> (n % 64) & 1; }
static inline void set_bit(u64 n, unsigned long *p) { p[n / 64] |= 1ul << (n % 64); }
static inline void clear_bit(u64 n, unsigned long *p) { p[n / 64] &= ~(1ul << (n % 64)); }
static inline void bitmap_set(unsigned long *p, u64 first, u64 n) { while (n--) set_bit(first++, p); }
#define __ffs(x)	((unsigned int)__builtin_ctzl(x))
#define ffz(x)		__ffs(~(x))

/* ---- lists, red-black trees (not balanced), interval trees (a list) ---- */
struct list_head { struct list_head *next, *prev; };
#define LIST_HEAD(n)	struct list_head n = { &(n), &(n) }
static inline void INIT_LIST_HEAD(struct list_head *h) { h->next = h->prev = h; }
static inline bool list_empty(const struct list_head *h) { return h->next == h; }
static inline void list_add(struct list_head *n, struct list_head *h)
{
	n->next = h->next;
	n->prev = h;
	h->next->prev = n;
	h->next = n;
}
static inline void list_del(struct list_head *n) { n->prev->next = n->next; n->next->prev = n->prev; }
static inline void list_splice(struct list_head *l, struct list_head *h)
{
	if (list_empty(l))
		return;
	l->prev->next = h->next;
	h->next->prev = l->prev;
	h->next = l->next;
	l->next->prev = h;
}
static inline void list_splice_init(struct list_head *l, struct list_head *h)
{
	list_splice(l, h);
	INIT_LIST_HEAD(l);
}
#define list_first_entry_or_null(h, t, m) (list_empty(h) ? NULL : container_of((h)->next, t, m))
#define list_for_each_entry_safe(p, n, h, m)					\
	for (p = container_of((h)->next, __typeof__(*p), m),			\
	     n = container_of(p->m.next, __typeof__(*p), m); &p->m != (h);	\
	     p = n, n = container_of(n->m.next, __typeof__(*n), m))

struct rb_node { struct rb_node *rb_parent, *rb_left, *rb_right; };
struct rb_root { struct rb_node *rb_node; };
#define RB_ROOT		((struct rb_root){ NULL })
#define rb_entry(p, t, m) container_of(p, t, m)
static inline void rb_link_node(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	*n = (struct rb_node){ .rb_parent = parent };
	*link = n;
}
static inline void rb_insert_color(struct rb_node *n, struct rb_root *r) { (void)n; (void)r; }
static inline struct rb_node *rb_next(const struct rb_node *n)
{
	if (n->rb_right) {
		for (n = n->rb_right; n->rb_left; n = n->rb_left)
			;
		return (struct rb_node *)n;
	}
	while (n->rb_parent && n == n->rb_parent->rb_right)
		n = n->rb_parent;
	return n->rb_parent;
}
static inline void shim_rb_replace(struct rb_root *r, struct rb_node *n, struct rb_node *by)
{
	if (!n->rb_parent)
		r->rb_node = by;
	else if (n->rb_parent->rb_left == n)
		n->rb_parent->rb_left = by;
	else
		n->rb_parent->rb_right = by;
	if (by)
		by->rb_parent = n->rb_parent;
}
static inline void rb_erase(struct rb_node *n, struct rb_root *r)
{
	struct rb_node *next;

	if (!n->rb_left || !n->rb_right) {
		shim_rb_replace(r, n, n->rb_left ? n->rb_left : n->rb_right);
		return;
	}
	next = rb_next(n);
	if (next->rb_parent != n) {
		shim_rb_replace(r, next, next->rb_right);
		next->rb_right = n->rb_right;
		next->rb_right->rb_parent = next;
	}
	shim_rb_replace(r, n, next);
	next->rb_left = n->rb_left;
	next->rb_left->rb_parent = next;
}

struct interval_tree_node { struct interval_tree_node *next; unsigned long start, last; };
struct rb_root_cached { struct interval_tree_node *first; };
#define RB_ROOT_CACHED	((struct rb_root_cached){ NULL })
static inline void interval_tree_insert(struct interval_tree_node *n, struct rb_root_cached *r)
{
	n->next = r->first;
	r->first = n;
}
static inline void interval_tree_remove(struct interval_tree_node *n, struct rb_root_cached *r)
{
	struct interval_tree_node **p = &r->first;

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
}
static inline struct interval_tree_node *
shim_interval_from(struct interval_tree_node *n, unsigned long start, unsigned long last)
{
	while (n && (n->start > last || n->last < start))
		n = n->next;
	return n;
}
#define interval_tree_iter_first(r, s, l) shim_interval_from((r)->first, s, l)
#define interval_tree_iter_next(n, s, l) shim_interval_from((n)->next, s, l)

struct xarray { void *slot[65536]; };
#define xa_load(x, i)	((x)->slot[i])
#define xa_store(x, i, p, gfp) ((x)->slot[i] = (p), (void *)NULL)
#define xa_erase(x, i)	((x)->slot[i] = NULL)
#define xa_err(e)	((int)(long)(e))
#define xa_destroy(x)	memset((x)->slot, 0, sizeof((x)->slot))
#define xa_for_each(x, i, p)							\
	for ((i) = 0; (i) < 65536; (i)++)					\
		if (((p) = (x)->slot[i]) == NULL) { } else

/* ---- memory ---- */
#define GFP_KERNEL_ACCOUNT 0
#define __GFP_ZERO	0
struct page { unsigned long private; struct list_head lru; };
#define SHIM_PAGES	16384ul
extern u8 *shim_arena;
extern struct page shim_page[SHIM_PAGES];
extern long shim_live;		/* allocations not yet freed */
extern unsigned int shim_fail;	/* one in so many allocations fails; 0: none */
struct page *alloc_page(int gfp);
void __free_page(struct page *page);
bool shim_fails(void);
#define __pa(p)		((u64)((u8 *)(p) - shim_arena))
#define __va(a)		((void *)(shim_arena + (a)))
#define virt_to_page(p)	(&shim_page[__pa(p) >> PAGE_SHIFT])
#define page_address(p)	((void *)__va((u64)((p) - shim_page) << PAGE_SHIFT))
#define set_page_private(p, v) ((p)->private = (v))
#define page_private(p)	((p)->private)
static inline void *kzalloc(size_t n, int gfp)
{
	(void)gfp;
	if (shim_fails())
		return NULL;
	shim_live++;
	return calloc(1, n);
}
static inline void kfree(const void *p)
{
	shim_live -= !!p;
	free((void *)p);
}
#define kvzalloc kzalloc
#define kvfree kfree

/* ---- user memory: the same address space; faults by shim_bad_user ---- */
extern const void *shim_bad_user;	/* accesses to this pointer fault */
#define copy_to_user(to, from, n) \
	((const void *)(to) == shim_bad_user ? (n) : (memcpy(to, from, n), 0ul))
#define copy_from_user(to, from, n) \
	((const void *)(from) == shim_bad_user ? (n) : (memcpy(to, from, n), 0ul))
#define untagged_addr(a) (a)
#define access_ok(p, n)	((u64)(p) < 1ull << 47 && (n) <= (1ull << 47) - (u64)(p))

/* ---- host page tables and notifiers ---- */
#define _PAGE_PRESENT	1ull
#define _PAGE_RW	2ull
#define _PAGE_USER	4ull
#define _PAGE_DIRTY	0x40ull
#define _PAGE_CACHE_MASK 0x98ull
#define _PAGE_SPECIAL	0x200ull
#define _PAGE_PKEY_MASK	(15ull << 59)
#define PTE_PFN_MASK	0x000ffffffffff000ull

struct mm_struct { int users; };
#define mmget_not_zero(mm) (!!(mm)->users)
#define mmput(mm)	((void)(mm))
struct mmu_notifier;
struct mmu_notifier_range { unsigned long start, end; };
struct mmu_notifier_ops {
	void (*release)(struct mmu_notifier *mn, struct mm_struct *mm);
	int (*clear_flush_young)(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long s, unsigned long e);
	int (*clear_young)(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long s, unsigned long e);
	int (*test_young)(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long a);
	int (*invalidate_range_start)(struct mmu_notifier *mn, const struct mmu_notifier_range *r);
	void (*invalidate_range_end)(struct mmu_notifier *mn, const struct mmu_notifier_range *r);
};
struct mmu_notifier { const struct mmu_notifier_ops *ops; };
#define mmu_notifier_register(mn, mm) ((void)(mm), 0)
#define mmu_notifier_unregister(mn, mm) ((mn)->ops->release((mn), (mm)))

/* ---- what struct tdm_vm and tdm_vcpu name ---- */
struct kref { int n; };
struct rcuwait { int n; };
struct preempt_notifier { int n; };
extern struct { unsigned int x86_phys_bits; } boot_cpu_data;

#endif /* SHIM_KERNEL_H */
