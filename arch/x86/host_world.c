// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host CPU's own state, for an engine that runs its guest without VMX: it
 * replaces more of it, and must put it back by itself. The other half of host.c;
 * see host.h.
 *
 * Beware of NMIs: the host's handlers run between any two instructions until the
 * engine's own tables are in force, and they expect what the host has.
 */
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include <linux/thread_info.h>

#include "arch/x86/host.h"

/* ---- system call MSRs of a monitor ---- */

static const u32 sysmsr_index[TDM_NR_SYSMSRS] = {
	[TDM_SYSMSR_STAR]	= MSR_STAR,
	[TDM_SYSMSR_LSTAR]	= MSR_LSTAR,
	[TDM_SYSMSR_CSTAR]	= MSR_CSTAR,
	[TDM_SYSMSR_SFMASK]	= MSR_SYSCALL_MASK,
	[TDM_SYSMSR_SYSENTER_CS] = MSR_IA32_SYSENTER_CS,
	[TDM_SYSMSR_TSC_AUX]	= MSR_TSC_AUX,
	[TDM_SYSMSR_EFER]	= MSR_EFER,
};

/* Bits that stay as they were found. */
static const u64 sysmsr_keep[TDM_NR_SYSMSRS] = {
	[TDM_SYSMSR_EFER]	= ~(u64)EFER_SCE,
};

/* What the hardware has is not ours: it is somebody else's newest value. */
static void sysmsr_replace(struct tdm_host_sysmsrs *hm, int i)
{
	if (hm->absent & BIT(i))
		return;
	if (rdmsrl_safe(sysmsr_index[i], &hm->found[i])) {
		hm->absent |= BIT(i);
		return;
	}
	hm->ours[i] |= hm->found[i] & sysmsr_keep[i];
	if (hm->found[i] != hm->ours[i])
		wrmsrl_safe(sysmsr_index[i], hm->ours[i]);
}

/**
 * tdm_host_sysmsrs_take() - replace the system call MSRs until release
 * @hm: filled
 * @ours: values by enum tdm_host_sysmsr, canonical where they are addresses; EFER: SCE
 *	or 0
 *
 * Preemption off; release before anything else is scheduled or userspace runs.
 * What is found is put back, whoever it belongs to: a user-return notifier with a
 * cache of what it wrote (KVM, tdm_host_msr_set()) must not see a difference. Such
 * a notifier can fire in an IPI; then the thread has TIF_USER_RETURN_NOTIFY now.
 */
void tdm_host_sysmsrs_take(struct tdm_host_sysmsrs *hm, const u64 ours[TDM_NR_SYSMSRS])
{
	int i;

	hm->taken = true;
	hm->shared = test_thread_flag(TIF_USER_RETURN_NOTIFY);
	hm->absent = 0;
	for (i = 0; i < TDM_NR_SYSMSRS; i++) {
		hm->ours[i] = ours[i];
		sysmsr_replace(hm, i);
	}
}

/** tdm_host_sysmsrs_check() - interrupts were on: are they still ours? Interrupts off */
void tdm_host_sysmsrs_check(struct tdm_host_sysmsrs *hm)
{
	u64 val;
	int i;

	if (likely(!hm->shared))
		return;
	for (i = 0; i < TDM_NR_SYSMSRS; i++) {
		if (hm->absent & BIT(i))
			continue;
		rdmsrl(sysmsr_index[i], val);
		if (val == hm->ours[i])
			continue;
		hm->found[i] = val;
		wrmsrl_safe(sysmsr_index[i], hm->ours[i]);
	}
}

/** tdm_host_sysmsr_set() - another value for one of them, while they are taken */
void tdm_host_sysmsr_set(struct tdm_host_sysmsrs *hm, enum tdm_host_sysmsr idx, u64 val)
{
	if (hm->absent & BIT(idx))
		return;
	hm->ours[idx] = val | (hm->ours[idx] & sysmsr_keep[idx]);
	wrmsrl_safe(sysmsr_index[idx], hm->ours[idx]);
}

/** tdm_host_sysmsrs_release() - put back what was found; preemption off */
void tdm_host_sysmsrs_release(struct tdm_host_sysmsrs *hm)
{
	unsigned long flags;
	int i;

	if (!hm->taken)
		return;
	local_irq_save(flags);
	tdm_host_sysmsrs_check(hm);
	for (i = 0; i < TDM_NR_SYSMSRS; i++)
		if (!(hm->absent & BIT(i)) && hm->found[i] != hm->ours[i])
			wrmsrl_safe(sysmsr_index[i], hm->found[i]);
	hm->taken = false;
	local_irq_restore(flags);
}

/* ---- control registers of a monitor ---- */

/** tdm_host_crs_read() - what this CPU has now */
void tdm_host_crs_read(struct tdm_host_crs *crs)
{
	crs->cr0 = native_read_cr0();
	crs->cr3 = __native_read_cr3();
	crs->cr4 = native_read_cr4();
}

/**
 * tdm_host_load_root() - load CR3
 * @cr3: maps the host's kernel and this stack; interrupts are off
 *
 * With KPTI, NMIs take a root with bit 12 set for a user's.
 */
void tdm_host_load_root(unsigned long cr3)
{
	asm volatile("mov %0, %%cr3" : : "r" (cr3) : "memory");
}

/**
 * tdm_host_load_crs() - CR0 and CR4 of another world
 * @from: what is there
 * @to: what shall be; CR3 is not loaded here
 *
 * Interrupts off and no handler of the host's reachable that needs what @to lacks
 * (FSGSBASE: its NMI entry). Not the kernel's own functions: those insist on bits.
 */
void tdm_host_load_crs(const struct tdm_host_crs *from, const struct tdm_host_crs *to)
{
	if (from->cr0 != to->cr0)
		asm volatile("mov %0, %%cr0" : : "r" (to->cr0) : "memory");
	if (from->cr4 != to->cr4)
		asm volatile("mov %0, %%cr4" : : "r" (to->cr4) : "memory");
}

/* ---- what the CPU writes to memory by itself ---- */

/**
 * tdm_host_ds_off() - no PEBS and BTS records: their buffers will not be mapped
 * @ds: what was on, for tdm_host_ds_on()
 *
 * Interrupts off. perf turns them on and off in interrupts and NMIs.
 */
void tdm_host_ds_off(struct tdm_host_ds *ds)
{
	/* Emulators claim it and have no such MSR: a fault each time. */
	static bool no_pebs;

	ds->pebs = 0;
	ds->debugctl = 0;
	if (boot_cpu_has(X86_FEATURE_PEBS) && !READ_ONCE(no_pebs)) {
		if (rdmsrl_safe(MSR_IA32_PEBS_ENABLE, &ds->pebs))
			WRITE_ONCE(no_pebs, true);
		else if (unlikely(ds->pebs))
			wrmsrl(MSR_IA32_PEBS_ENABLE, 0);
	}
	if (!boot_cpu_has(X86_FEATURE_BTS))
		return;
	ds->debugctl = get_debugctlmsr();
	if (unlikely(ds->debugctl & (DEBUGCTLMSR_BTS | DEBUGCTLMSR_TR)))
		update_debugctlmsr(ds->debugctl & ~(u64)(DEBUGCTLMSR_BTS | DEBUGCTLMSR_TR));
}

/** tdm_host_ds_on() - the opposite, when the host's memory is there again */
void tdm_host_ds_on(const struct tdm_host_ds *ds)
{
	if (unlikely(ds->pebs))
		wrmsrl(MSR_IA32_PEBS_ENABLE, ds->pebs);
	if (unlikely(ds->debugctl & (DEBUGCTLMSR_BTS | DEBUGCTLMSR_TR)))
		update_debugctlmsr(ds->debugctl);
}

/* ---- segments ---- */

/**
 * tdm_host_segs_back() - tdm_host_segs_restore() for an engine without VM exits
 * @hs: what tdm_host_segs_save() filled
 *
 * A VM exit loads null selectors and the host's FS base; here the guest's are
 * still in the CPU. Preemption off, current is still the vCPU's thread.
 */
void tdm_host_segs_back(struct tdm_host_segs *hs)
{
	loadsegment(ds, 0);
	loadsegment(es, 0);
	loadsegment(fs, 0);
	load_gs_index(0);
	tdm_host_segs_restore(hs);
	wrmsrl(MSR_FS_BASE, hs->fs_base);
}

/** tdm_host_ldt_off() - no LDT until tdm_host_segs_restore(): it is not mapped in the guest */
void tdm_host_ldt_off(const struct tdm_host_segs *hs)
{
	if (unlikely(hs->ldt_sel))
		asm volatile("lldt %w0" : : "r" (0));
}

/** tdm_host_set_fs_base() - a guest's, until tdm_host_segs_restore() */
void tdm_host_set_fs_base(u64 val)
{
	wrmsrl_safe(MSR_FS_BASE, val);
}

u64 tdm_host_fs_base(void)
{
	u64 val;

	rdmsrl(MSR_FS_BASE, val);
	return val;
}

/** tdm_host_gs_base() - the host's own, of this CPU */
u64 tdm_host_gs_base(void)
{
	u64 val;

	rdmsrl(MSR_GS_BASE, val);
	return val;
}

/* ---- debug registers ---- */

/** tdm_host_debug_take_dr6() - DR6 of a guest's debug exception, left clear */
u64 tdm_host_debug_take_dr6(void)
{
	unsigned long val;

	get_debugreg(val, 6);
	if (val != DR6_RESERVED)
		set_debugreg(DR6_RESERVED, 6);
	return val;
}

/** tdm_host_debug_set_dr7() - breakpoints on or off; hw_breakpoint_restore() undoes it */
void tdm_host_debug_set_dr7(u64 dr7)
{
	set_debugreg(dr7, 7);
}
