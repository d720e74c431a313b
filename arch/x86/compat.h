/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions: the ONLY file that looks at
 * LINUX_VERSION_CODE. Each wrapper says which versions differ and how.
 */
#ifndef TDM_COMPAT_H
#define TDM_COMPAT_H

#include <linux/entry-kvm.h>
#include <linux/version.h>

/**
 * tdm_work_pending() - signals, rescheduling or task work wait for this thread
 *
 * Interrupts off, or the answer may be stale.
 */
static inline bool tdm_work_pending(void)
{
	return __xfer_to_guest_mode_work_pending();
}

/**
 * tdm_handle_work() - do that work; process context
 *
 * The kernel's function takes a struct kvm_vcpu only to hand it to an
 * architecture hook that x86 does not have: NULL is fine.
 *
 * Return: 0, or -EINTR for a signal.
 */
static inline int tdm_handle_work(void)
{
	return xfer_to_guest_mode_handle_work(NULL);
}

#endif /* TDM_COMPAT_H */
