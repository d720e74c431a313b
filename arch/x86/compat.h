/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions: the ONLY file that looks at
 * LINUX_VERSION_CODE. Each wrapper says which versions differ and how.
 */
#ifndef TDM_COMPAT_H
#define TDM_COMPAT_H

#include <asm/cpufeature.h>
#include <asm/idtentry.h>
#include <linux/entry-kvm.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/module.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#include <trace/events/ipi.h>	/* smp_send_reschedule() is a macro that traces */
#endif

/**
 * tdm_work_pending() - signals, rescheduling or task work wait for this thread
 *
 * Interrupts off, or the answer may be stale.
 */
static inline bool tdm_work_pending(void)
{
	return __xfer_to_guest_mode_work_pending();
}

/* compat.c: a scratch struct for the kernel's function to write to */
struct kvm_vcpu;
extern struct kvm_vcpu *const tdm_scratch_kvm_vcpu;

/**
 * tdm_handle_work() - do that work; process context
 *
 * The kernel's function notes in KVM's struct kvm_vcpu that a signal came: it
 * must get one, although nobody reads it.
 *
 * Return: 0, or -EINTR for a signal.
 */
static inline int tdm_handle_work(void)
{
	return xfer_to_guest_mode_handle_work(tdm_scratch_kvm_vcpu);
}

/**
 * tdm_immediate_exit() - the caller asks KVM_RUN to return at once
 * @run: the shared page: may change under us
 *
 * Since 6.10 the kernel's view of the struct names the field so that KVM's
 * authors think twice; reading it once is what is wanted here.
 */
static inline bool tdm_immediate_exit(struct kvm_run *run)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return READ_ONCE(run->immediate_exit__unsafe);
#else
	return READ_ONCE(run->immediate_exit);
#endif
}

/**
 * tdm_fred_active() - does the host deliver events by FRED?
 *
 * Since 6.9. Forwarding an NMI by INT 2 is for IDT hosts only.
 */
static inline bool tdm_fred_active(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	return cpu_feature_enabled(X86_FEATURE_FRED);
#else
	return false;
#endif
}

/**
 * tdm_nmi_entry() - the host's NMI handler for an NMI that did not come just now
 *
 * INT 2 is for when NMIs are blocked: else a true one may hit its first
 * instructions and use the same stack. This entry is called as an interrupt's, on
 * any stack. Made for KVM; 6.3 renamed it.
 *
 * Return: its address; 0: this kernel is built without.
 */
static inline unsigned long tdm_nmi_entry(void)
{
#if !IS_ENABLED(CONFIG_KVM_INTEL)
	return 0;
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	return (unsigned long)asm_exc_nmi_kvm_vmx;
#else
	return (unsigned long)asm_exc_nmi_noist;
#endif
}

/*
 * The crash and emergency-reboot path. The kernel calls one registered
 * callback (mainline since 6.7, by now in 6.1.y too; before, it looked at
 * CR4.VMXE itself), and registering a second is a WARN. KVM registers its own: when kvm_intel is loaded (6.1) or when it takes the hardware (6.12).
 * Its callback leaves VMX wherever CR4.VMXE is set, so it serves us, too: ours
 * is there only while KVM is not (see the module notifier in host.c).
 */
void kvm_exit(void);	/* KVM's own; only to ask whether kvm.ko is there */

/** tdm_kvm_is_loaded() - is KVM there, and with it its emergency callback? */
static inline bool tdm_kvm_is_loaded(void)
{
	if (!symbol_get(kvm_exit))
		return false;
	symbol_put(kvm_exit);
	return true;
}

/**
 * tdm_hrtimer_setup() - initialise a host timer with its callback
 *
 * 6.13 merged the two steps and later removed hrtimer_init().
 */
static inline void tdm_hrtimer_setup(struct hrtimer *timer,
				     enum hrtimer_restart (*fn)(struct hrtimer *),
				     clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, fn, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#endif
}

/**
 * struct tdm_shrinker - a shrinker; since 6.7 the kernel allocates its own part
 * @count: pages that could be freed now
 * @scan: free some
 * @shrinker: the kernel's part
 */
struct tdm_shrinker {
	unsigned long (*count)(struct shrinker *s, struct shrink_control *sc);
	unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	struct shrinker *shrinker;
#else
	struct shrinker shrinker;
#endif
};

/** tdm_shrinker_register() - have reclaim call it. Return: 0 or -ENOMEM */
static inline int tdm_shrinker_register(struct tdm_shrinker *s, const char *name)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	s->shrinker = shrinker_alloc(0, "%s", name);
	if (!s->shrinker)
		return -ENOMEM;
	s->shrinker->count_objects = s->count;
	s->shrinker->scan_objects = s->scan;
	shrinker_register(s->shrinker);
	return 0;
#else
	s->shrinker.count_objects = s->count;
	s->shrinker.scan_objects = s->scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
	return register_shrinker(&s->shrinker, "%s", name);
#endif
}

/** tdm_shrinker_unregister() - undo it; waits for calls in progress */
static inline void tdm_shrinker_unregister(struct tdm_shrinker *s)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_free(s->shrinker);
#else
	unregister_shrinker(&s->shrinker);
#endif
}

/** tdm_eventfd_signal() - add one; any context. Since 6.8 the kernel's takes no number */
static inline void tdm_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* Since 6.10 a tracepoint's string field knows its source. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define tdm_assign_str(field, src)	__assign_str(field)
#else
#define tdm_assign_str(field, src)	__assign_str(field, src)
#endif

#endif /* TDM_COMPAT_H */
