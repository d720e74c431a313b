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
#define PMD_SIZE	(1ul << 21)
#define U8_MAX		0xff
#define U16_MAX		0xffff
#define U32_MAX		0xffffffffu
#define PAGE_OFF(x)	((unsigned long)(x) & ~PAGE_MASK)
#define BITS_PER_LONG	64
#define BITS_TO_LONGS(n) (((n) + 63) / 64)
#define BIT(n)		(1ul << (n))
#define BIT_ULL(n)	(1ull << (n))
#define GENMASK_ULL(h, l) ((~0ull >> (63 - ((h) - (l)))) << (l))

#define READ_ONCE(x)	(*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define min(a, b)	({ __auto_type a__ = (a); __auto_type b__ = (b); a__ < b__ ? a__ : b__; })
#define max(a, b)	({ __auto_type x__ = (a); __auto_type y__ = (b); x__ > y__ ? x__ : y__; })
#define min3(a, b, c)	({ __auto_type m__ = min(a, b); min(m__, c); })
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define swap(a, b)	do { __typeof__(a) t__ = (a); (a) = (b); (b) = t__; } while (0)
#define min_not_zero(a, b) (!(a) ? (b) : !(b) ? (a) : min(a, b))
#define max_t(t, a, b)	max((t)(a), (t)(b))
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define clamp_t(t, v, lo, hi) min_t(t, max_t(t, v, lo), hi)
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define round_up(n, d)	(DIV_ROUND_UP(n, d) * (d))
#define struct_size(p, m, n) (sizeof(*(p)) + sizeof((p)->m[0]) * (n))
#define offset_in_page(p) PAGE_OFF(p)
#define fallthrough	__attribute__((fallthrough))
#define noinline	__attribute__((noinline))
#define __packed	__attribute__((packed))
#define __init
#define __exit
#define pr_warn(fmt, ...) printf("# " fmt, ##__VA_ARGS__)
#define pr_warn_ratelimited pr_warn
#define likely(x)	(x)
#define unlikely(x)	(x)
#define WARN_ON_ONCE(x)	({ bool w__ = !!(x); assert(!w__); w__; })
#define WARN_ONCE(x, fmt, ...) ({ bool w__ = !!(x); if (w__) { \
	printf("# WARN: " fmt, ##__VA_ARGS__); abort(); } w__; })
#define WARN_ON(x)	WARN_ON_ONCE(x)
#define smp_wmb()	do { } while (0)
#define smp_rmb()	do { } while (0)
#define smp_mb()	do { } while (0)
#define barrier()	__asm__ volatile("" : : : "memory")
#define lockdep_assert_held(l) assert((l)->held)
#define smp_store_release(p, v) (*(p) = (v))
#define smp_load_acquire(p) (*(p))
#define irqs_disabled() 0
#define might_sleep()	do { } while (0)
#define need_resched()	0
#define smp_mb__after_atomic() do { } while (0)
#define cond_resched()	do { } while (0)
#define local_irq_save(f) ((f) = 0)
#define local_irq_restore(f) ((void)(f))
#define module_param(name, type, perm)
#define module_param_named(name, var, type, perm)
#define MODULE_PARM_DESC(name, text)

#define IS_ERR(p)	((unsigned long)(p) >= -4095ul)
#define ERR_PTR(e)	((void *)(long)(e))
#define PTR_ERR(p)	((long)(p))

/* ---- locks: one thread; check that they are taken and let go in pairs ---- */
typedef struct { int held; } spinlock_t;
typedef spinlock_t raw_spinlock_t;
struct mutex { int held; };
#define DEFINE_SPINLOCK(n) spinlock_t n
#define DEFINE_MUTEX(n)	struct mutex n
#define mutex_init(m)	((m)->held = 0)
#define mutex_lock(m)	do { assert(!(m)->held); (m)->held = 1; } while (0)
#define mutex_unlock(m)	do { assert((m)->held); (m)->held = 0; } while (0)
#define mutex_trylock(m) ((m)->held ? 0 : ((m)->held = 1))
struct rw_semaphore { int held; };
static inline void spin_lock_init(spinlock_t *l) { l->held = 0; }
static inline void spin_lock(spinlock_t *l) { assert(!l->held); l->held = 1; }
static inline void spin_unlock(spinlock_t *l) { assert(l->held); l->held = 0; }
static inline bool spin_trylock(spinlock_t *l) { return l->held ? false : (l->held = 1); }
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
#define atomic64_sub(n, a) ((void)((a)->v -= (n)))
#define atomic64_dec(a)	((void)(a)->v--)
#define atomic_inc(a)	((void)(a)->v++)
#define atomic_dec(a)	((void)(a)->v--)
#define atomic_set(a, n) ((void)((a)->v = (n)))
#define atomic_long_read(a) ((a)->v)
#define atomic_long_or(m, a) ((void)((a)->v |= (m)))
#define atomic_long_fetch_andnot(m, a) ({ s64 o__ = (a)->v; (a)->v &= ~(s64)(m); o__; })
#define cmpxchg(p, o, n) ({ __typeof__(*(p)) e__ = (o); __atomic_compare_exchange_n((p), &e__, (n), \
	false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); e__; })
#define try_cmpxchg(p, o, n) __atomic_compare_exchange_n((p), (o), (n), false, \
	__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define xchg(p, n)	({ __typeof__(*(p)) o__ = *(p); *(p) = (n); o__; })

static inline bool test_bit(u64 n, const unsigned long *p) { return p[n / 64] >> (n % 64) & 1; }
static inline void set_bit(u64 n, unsigned long *p) { p[n / 64] |= 1ul << (n % 64); }
static inline void clear_bit(u64 n, unsigned long *p) { p[n / 64] &= ~(1ul << (n % 64)); }
#define __set_bit	set_bit
#define __test_and_set_bit test_and_set_bit
#define __clear_bit	clear_bit
static inline bool test_and_set_bit(u64 n, unsigned long *p)
{
	bool was = test_bit(n, p);

	set_bit(n, p);
	return was;
}
static inline bool test_and_clear_bit(u64 n, unsigned long *p)
{
	bool was = test_bit(n, p);

	clear_bit(n, p);
	return was;
}
static inline u64 find_next_bit(const unsigned long *p, u64 size, u64 n)
{
	while (n < size && !test_bit(n, p))
		n++;
	return n;
}
#define find_first_bit(p, size) find_next_bit(p, size, 0)
#define for_each_set_bit(n, p, size) \
	for ((n) = find_first_bit(p, size); (n) < (size); (n) = find_next_bit(p, size, (n) + 1))
static inline unsigned int bitmap_weight(const unsigned long *p, u64 n)
{
	unsigned int w = 0;

	while (n--)
		w += test_bit(n, p);
	return w;
}
static inline void bitmap_zero(unsigned long *p, u64 n) { memset(p, 0, BITS_TO_LONGS(n) * 8); }
static inline bool bitmap_empty(const unsigned long *p, u64 n) { return find_first_bit(p, n) >= n; }
#define DECLARE_BITMAP(n, bits) unsigned long n[BITS_TO_LONGS(bits)]
static inline void bitmap_set(unsigned long *p, u64 first, u64 n) { while (n--) set_bit(first++, p); }
#define __ffs(x)	((unsigned int)__builtin_ctzl(x))
#define ffz(x)		__ffs(~(x))
#define hweight64(x)	((unsigned int)__builtin_popcountll(x))
#define fls64(x)	((x) ? 64 - __builtin_clzll(x) : 0)
#define ilog2(x)	(fls64(x) - 1)
#define is_power_of_2(x) ((x) && !((x) & ((x) - 1)))
#define rounddown_pow_of_two(x) (1ul << ilog2(x))
#define roundup_pow_of_two(x) ((x) <= 1 ? 1ul : 1ul << fls64((u64)(x) - 1))
static inline u32 hash_64(u64 v, unsigned int bits) { return (v * 0x61c8864680b583ebull) >> (64 - bits); }
#define hash_long hash_64

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
static inline void list_add_tail(struct list_head *n, struct list_head *h) { list_add(n, h->prev); }
static inline void list_del_init(struct list_head *n)
{
	list_del(n);
	INIT_LIST_HEAD(n);
}
static inline void list_move(struct list_head *n, struct list_head *h)
{
	list_del(n);
	list_add(n, h);
}
static inline void list_move_tail(struct list_head *n, struct list_head *h)
{
	list_del(n);
	list_add_tail(n, h);
}
static inline bool list_is_singular(const struct list_head *h) { return !list_empty(h) && h->next == h->prev; }
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
#define list_entry(p, t, m) container_of(p, t, m)
#define list_first_entry(h, t, m) container_of((h)->next, t, m)
#define list_last_entry(h, t, m) container_of((h)->prev, t, m)
static inline void list_splice_tail(struct list_head *l, struct list_head *h) { list_splice(l, h->prev); }
static inline void list_splice_tail_init(struct list_head *l, struct list_head *h) { list_splice_init(l, h->prev); }
#define list_for_each_entry(p, h, m)						\
	for (p = container_of((h)->next, __typeof__(*p), m); &p->m != (h);	\
	     p = container_of(p->m.next, __typeof__(*p), m))
#define list_for_each_entry_reverse(p, h, m)					\
	for (p = container_of((h)->prev, __typeof__(*p), m); &p->m != (h);	\
	     p = container_of(p->m.prev, __typeof__(*p), m))
#define list_for_each_entry_safe_reverse(p, n, h, m)				\
	for (p = container_of((h)->prev, __typeof__(*p), m),			\
	     n = container_of(p->m.prev, __typeof__(*p), m); &p->m != (h);	\
	     p = n, n = container_of(n->m.prev, __typeof__(*n), m))
#define list_for_each_entry_safe(p, n, h, m)					\
	for (p = container_of((h)->next, __typeof__(*p), m),			\
	     n = container_of(p->m.next, __typeof__(*p), m); &p->m != (h);	\
	     p = n, n = container_of(n->m.next, __typeof__(*n), m))

struct hlist_node { struct hlist_node *next, **pprev; };
struct hlist_head { struct hlist_node *first; };
#define INIT_HLIST_HEAD(h) ((h)->first = NULL)
static inline void INIT_HLIST_NODE(struct hlist_node *n) { n->next = NULL; n->pprev = NULL; }
static inline bool hlist_empty(const struct hlist_head *h) { return !h->first; }
static inline bool hlist_unhashed(const struct hlist_node *n) { return !n->pprev; }
static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	if (n->next)
		n->next->pprev = &n->next;
	h->first = n;
	n->pprev = &h->first;
}
static inline void hlist_del_init(struct hlist_node *n)
{
	if (!n->pprev)
		return;
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
	INIT_HLIST_NODE(n);
}
#define hlist_del hlist_del_init
#define shim_hlist_entry(n, t, m) ({ struct hlist_node *n__ = (n); n__ ? container_of(n__, t, m) : NULL; })
#define hlist_entry_safe shim_hlist_entry
#define hlist_entry container_of
#define hlist_for_each_entry(p, h, m)						\
	for (p = shim_hlist_entry((h)->first, __typeof__(*p), m); p;		\
	     p = shim_hlist_entry(p->m.next, __typeof__(*p), m))
#define hlist_for_each_entry_safe(p, n, h, m)					\
	for (p = shim_hlist_entry((h)->first, __typeof__(*p), m);		\
	     p && ((n) = p->m.next, true); p = shim_hlist_entry(n, __typeof__(*p), m))

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

struct xarray { unsigned long end; void *slot[65536]; };
static inline void *shim_xa_store(struct xarray *x, unsigned long i, void *p)
{
	x->slot[i] = p;
	x->end = max(x->end, i + 1);
	return NULL;
}
#define xa_load(x, i)	((x)->slot[i])
#define xa_store(x, i, p, gfp) shim_xa_store(x, i, p)
#define xa_erase(x, i)	((x)->slot[i] = NULL)
#define xa_err(e)	((int)(long)(e))
#define xa_destroy(x)	memset((x)->slot, 0, (x)->end * sizeof(void *))
#define xa_for_each(x, i, p)							\
	for ((i) = 0; (i) < (x)->end; (i)++)					\
		if (((p) = (x)->slot[i]) == NULL) { } else

/* ---- memory ---- */
#define GFP_KERNEL	0
#define GFP_KERNEL_ACCOUNT 0
#define __GFP_ACCOUNT	0
#define __GFP_ZERO	0
#define __GFP_DMA32	0
#define GFP_DMA32	0
#define __GFP_NOWARN	0
#define __GFP_NORETRY	0
struct page { unsigned long private; struct list_head lru; };
#define SHIM_PAGES	16384ul		/* for alloc_page() */
#define SHIM_HOST_PAGES	8192ul		/* behind them: a test's own */
extern u8 *shim_arena;
extern struct page shim_page[SHIM_PAGES + SHIM_HOST_PAGES];
void shim_init(void);
extern long shim_live;		/* allocations not yet freed */
extern unsigned int shim_fail;	/* one in so many allocations fails; 0: none */
struct page *alloc_page(int gfp);
void __free_page(struct page *page);
bool shim_fails(void);
#define __pa(p)		((u64)((u8 *)(p) - shim_arena))
#define __va(a)		((void *)(shim_arena + (a)))
#define virt_to_phys	__pa
#define virt_to_page(p)	(&shim_page[__pa(p) >> PAGE_SHIFT])
#define page_address(p)	((void *)__va((u64)((p) - shim_page) << PAGE_SHIFT))
#define PFN_PHYS(pfn)	((u64)(pfn) << PAGE_SHIFT)
#define pfn_to_page(pfn) (&shim_page[pfn])
#define page_to_pfn(p)	((u64)((p) - shim_page))
#define page_to_phys(p)	(page_to_pfn(p) << PAGE_SHIFT)
#define pfn_to_kaddr(pfn) __va((u64)(pfn) << PAGE_SHIFT)
#define pfn_valid(pfn)	((pfn) && (pfn) < SHIM_PAGES + SHIM_HOST_PAGES)
#define kmap_local_page(p) page_address(p)
#define kunmap_local(p)	((void)(p))
#define clear_page(p)	memset(p, 0, PAGE_SIZE)
#define __get_free_page(gfp) shim_get_free_page()
#define get_zeroed_page(gfp) shim_get_free_page()
#define free_page(a)	shim_free_page_at(a)
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
#define kmalloc kzalloc
#define kvzalloc kzalloc
#define kvmalloc kzalloc
#define kvfree kfree
static inline void *kcalloc(size_t n, size_t size, int gfp) { return kzalloc(n * size, gfp); }
#define kvcalloc kcalloc
static inline unsigned long shim_get_free_page(void)
{
	struct page *p = alloc_page(0);

	return p ? (unsigned long)page_address(p) : 0;
}
static inline void shim_free_page_at(unsigned long a)
{
	if (a)
		__free_page(virt_to_page(a));
}

/*
 * ---- user memory: the same address space, or what shim_uaccess says ----
 * It gives the kernel's own pointer to a byte of user memory, good to the end of
 * its page, and faults the page in if that is allowed; or NULL for a fault.
 */
extern const void *shim_bad_user;	/* accesses to this pointer fault */
extern void *(*shim_uaccess)(const void *at, bool write, bool may_fault);
extern int shim_no_faults;		/* pagefault_disable() */
unsigned long shim_copy_user(void *to, const void *from, unsigned long n, bool write);
bool shim_access_begin(void **at, unsigned long n);
#define copy_to_user(to, from, n) shim_copy_user((void *)(to), from, n, true)
#define copy_from_user(to, from, n) shim_copy_user(to, (const void *)(from), n, false)
#define __copy_to_user_inatomic copy_to_user
#define copy_from_kernel_nofault(to, from, n) (memcpy(to, from, n), 0)
#define __copy_from_user_inatomic copy_from_user
#define pagefault_disable() ((void)shim_no_faults++)
#define pagefault_enable() ((void)shim_no_faults--)
/* Afterwards the pointer is the kernel's, so that plain instructions work on it. */
#define user_access_begin(at, n) shim_access_begin((void **)&(at), n)
#define user_access_end() do { } while (0)
#define unsafe_get_user(x, p, label) do { (x) = READ_ONCE(*(p)); if (0) goto label; } while (0)
#define unsafe_put_user(x, p, label) do { WRITE_ONCE(*(p), x); if (0) goto label; } while (0)
#define unsafe_try_cmpxchg_user(p, o, n, label)					\
	({ if (0) goto label; __atomic_compare_exchange_n((p), (o), (n), false,	\
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); })
#define _ASM_EXTABLE_TYPE_REG(from, to, type, reg) ""
#define boot_cpu_has(feature) 1
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
#define mmgrab(mm)	((void)(mm))
#define mmdrop(mm)	((void)(mm))
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
extern struct { unsigned int x86_phys_bits, x86_vendor; } boot_cpu_data;
#define X86_VENDOR_AMD	2
#define cpu_feature_enabled(f) true

/* asm/processor.h: all bits from the highest that translates are equal */
static inline bool __is_canonical_address(u64 addr, u8 bits)
{
	return (u64)((s64)(addr << (64 - bits)) >> (64 - bits)) == addr;
}

#endif /* SHIM_KERNEL_H */
