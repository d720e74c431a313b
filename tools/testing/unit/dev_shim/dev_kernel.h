/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kmod/devices needs of the kernel beyond shim/kernel.h: time that only
 * the test moves, host timers that fire when it does, locks that check
 * themselves. One thread.
 */
#ifndef DEV_KERNEL_H
#define DEV_KERNEL_H

#include <assert.h>
#include <stdlib.h>
#include <linux/types.h>
#undef __always_inline
#include "../shim/kernel.h"

#define __releases(x)
#undef __always_inline
#define __always_inline inline
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define GENMASK(h, l)	((~0ul >> (63 - (h))) & (~0ul << (l)))
#undef static_assert
#define static_assert(e, ...) _Static_assert(e, #e)
#define struct_size(p, m, n) (sizeof(*(p)) + sizeof((p)->m[0]) * (n))
#define NSEC_PER_SEC	1000000000ul
#define NSEC_PER_MSEC	1000000ul
#define NSEC_PER_USEC	1000ul
#define smp_mb()	do { } while (0)
#define smp_rmb()	do { } while (0)
#define __fls(x)	(63 - __builtin_clzl(x))
#define atomic_inc(a)	((void)(a)->v++)
#define atomic_dec(a)	((void)(a)->v--)
#define atomic_set(a, n) ((void)((a)->v = (n)))

/* ---- locks and RCU ---- */
#define raw_spin_lock_init(l)	spin_lock_init(l)
#define raw_spin_lock_irqsave(l, f) do { (f) = 0; spin_lock(l); } while (0)
#define raw_spin_unlock_irqrestore(l, f) do { (void)(f); spin_unlock(l); } while (0)
#define lockdep_assert_held(l)	assert((l)->held)
#define lockdep_is_held(l)	((l)->held)
struct rcu_head { int n; };
extern int dev_rcu_readers;
#define rcu_read_lock()		((void)dev_rcu_readers++)
#define rcu_read_unlock()	((void)dev_rcu_readers--)
#define synchronize_rcu()	assert(!dev_rcu_readers)
#define rcu_read_lock_sched()	rcu_read_lock()
#define rcu_read_unlock_sched()	rcu_read_unlock()
#define rcu_dereference_sched(p) (p)
#define rcu_dereference(p)	({ assert(dev_rcu_readers > 0); (p); })
#define rcu_dereference_protected(p, c) ({ assert(c); (p); })
#define rcu_assign_pointer(p, v) ((p) = (v))
#define RCU_INIT_POINTER(p, v)	((p) = (v))
#define rcu_replace_pointer(p, v, c) ({ __typeof__(p) o__ = (p); assert(c); (p) = (v); o__; })
#define kfree_rcu(p, m)		kfree(p)
#define rcu_access_pointer(p)	(p)
#define kvfree_rcu(p, m)	kvfree(p)

/* ---- memory ---- */
#define kmalloc kzalloc
/* Not from the arena: the sanitizer is to see accesses beside a page. */
#undef get_zeroed_page
#undef free_page
static inline unsigned long get_zeroed_page(int gfp)
{
	(void)gfp;
	if (shim_fails())
		return 0;
	shim_live++;
	return (unsigned long)aligned_alloc(PAGE_SIZE, PAGE_SIZE);
}
static inline void free_page(unsigned long p)
{
	shim_live -= !!p;
	free((void *)p);
}
#define virt_to_phys(p)	((u64)(p))

/* ---- time ---- */
typedef __s8 s8;
typedef s64 ktime_t;
#define CLOCK_MONOTONIC 1
extern u64 dev_ns;		/* host time, moved by dev_advance() */
extern unsigned int tsc_khz;
#define ktime_get_ns()	(dev_ns)
#define ns_to_ktime(n)	((ktime_t)(n))
#define rdtsc_ordered()	(dev_ns * (tsc_khz / 1000) / 1000 + dev_tsc_skew)
extern s64 dev_tsc_skew;

enum hrtimer_restart { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode { HRTIMER_MODE_ABS_HARD, HRTIMER_MODE_REL_HARD, HRTIMER_MODE_ABS_PINNED_HARD };
struct hrtimer {
	enum hrtimer_restart (*function)(struct hrtimer *timer);
	u64 expires;
	bool queued;
	bool known;
	struct hrtimer *next;
};
void tdm_hrtimer_setup(struct hrtimer *t, enum hrtimer_restart (*fn)(struct hrtimer *),
		       int clock, enum hrtimer_mode mode);
void hrtimer_start(struct hrtimer *t, ktime_t at, enum hrtimer_mode mode);
int hrtimer_cancel(struct hrtimer *t);
#define hrtimer_try_to_cancel(t) hrtimer_cancel(t)
#define hrtimer_active(t)	((t)->queued)
#define hrtimer_set_expires(t, at) ((void)((t)->expires = (at)))
#define hrtimer_start_expires(t, mode) hrtimer_start(t, (t)->expires, mode)
void dev_advance(u64 ns);	/* timers fire on the way */
extern unsigned int dev_timer_fires;	/* callbacks run so far */

#endif /* DEV_KERNEL_H */
