/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host CPU's own state: what virtualisation takes, changes and must put
 * back: CR4.VMXE, the syscall MSRs, GDT/IDT/TR limits, debug registers, NMI
 * and machine check forwarding.
 *
 * No file but host.c and host_world.c writes host control registers or host MSRs;
 * engines say what they want here. Exceptions: what an engine's hot path must put
 * back by itself at once (CR2, DEBUGCTL, hardware breakpoints: vmx/enter.c), and what
 * can only be done at an address of its own (GDT, IDT, TR, CR3 of light exits:
 * bt/switch.S).
 */
#ifndef TDM_HOST_H
#define TDM_HOST_H

#include <linux/smp.h>

#include "arch/x86/vcpu.h"

/**
 * tdm_host_init() - module load: register for CPU hotplug, suspend, reboot
 *
 * Takes no hardware.
 *
 * Return: 0 or a negative errno.
 */
int tdm_host_init(void);
void tdm_host_exit(void);

/* ---- virtualisation hardware, on every CPU or on none ---- */

/**
 * struct tdm_host_hw - hardware that is switched on and off as a whole
 * @on: this CPU, interrupts off: 0, or a negative errno with the reason in *why
 * @off: this CPU, interrupts off, any context (NMI and crash too); only called
 *       where @on succeeded; must not sleep or take locks
 */
struct tdm_host_hw {
	int (*on)(struct tdm_why *why);
	void (*off)(void);
};

int tdm_host_hw_get(const struct tdm_host_hw *hw, struct tdm_why *why);
void tdm_host_hw_put(const struct tdm_host_hw *hw);
bool tdm_host_hw_look(const struct tdm_host_hw *hw, smp_call_func_t look, void *arg);
void tdm_host_hw_emergency_off(void);

/*
 * True from the moment a reboot switched the hardware off under running vCPUs:
 * failing virtualisation instructions are then expected. Never goes back.
 */
extern bool tdm_host_going_down;

bool tdm_host_vmxe(void);
void tdm_host_set_vmxe(bool on);

/* ---- MSRs the host needs only when it returns to userspace ---- */

enum tdm_host_msr {
	TDM_HOST_STAR,
	TDM_HOST_LSTAR,
	TDM_HOST_SFMASK,
	TDM_HOST_TSC_AUX,
	TDM_NR_HOST_MSRS
};

void tdm_host_msr_set(enum tdm_host_msr idx, u64 val);

/* ---- MSRs of system calls, while a monitor of our own takes them ---- */

enum tdm_host_sysmsr {
	TDM_SYSMSR_STAR,
	TDM_SYSMSR_LSTAR,
	TDM_SYSMSR_CSTAR,
	TDM_SYSMSR_SFMASK,
	TDM_SYSMSR_SYSENTER_CS,
	TDM_SYSMSR_TSC_AUX,
	TDM_SYSMSR_EFER,	/* SCE: the other bits stay what they are */
	TDM_NR_SYSMSRS
};

/**
 * struct tdm_host_sysmsrs - the system call MSRs of a CPU, taken
 * @taken: they are
 * @shared: somebody (KVM, our exit engine) has values in them that a notifier of
 *	his replaces, at any time interrupts are on
 * @absent: bits of those this CPU does not have
 * @ours: what they hold now
 * @found: what to put back
 */
struct tdm_host_sysmsrs {
	bool taken, shared;
	u8 absent;
	u64 ours[TDM_NR_SYSMSRS];
	u64 found[TDM_NR_SYSMSRS];
};

void tdm_host_sysmsrs_take(struct tdm_host_sysmsrs *hm, const u64 ours[TDM_NR_SYSMSRS]);
void tdm_host_sysmsrs_check(struct tdm_host_sysmsrs *hm);
void tdm_host_sysmsr_set(struct tdm_host_sysmsrs *hm, enum tdm_host_sysmsr idx, u64 val);
void tdm_host_sysmsrs_release(struct tdm_host_sysmsrs *hm);

/* ---- control registers, for a world of our own ---- */

/** struct tdm_host_crs - control registers that a world switch changes */
struct tdm_host_crs {
	unsigned long cr0, cr3, cr4;
};

void tdm_host_crs_read(struct tdm_host_crs *crs);
void tdm_host_load_root(unsigned long cr3);
void tdm_host_load_crs(const struct tdm_host_crs *from, const struct tdm_host_crs *to);

/** struct tdm_host_ds - which records (PEBS, BTS) the CPU was writing */
struct tdm_host_ds {
	u64 pebs, debugctl;
};

void tdm_host_ds_off(struct tdm_host_ds *ds);
void tdm_host_ds_on(const struct tdm_host_ds *ds);

/* ---- around the guest ---- */

/**
 * struct tdm_host_segs - segment state of the host that VMX does not keep
 * @loaded: the guest's KERNEL_GS_BASE is in the MSR, this struct is filled
 * @fs_sel, @gs_sel, @ds_sel, @es_sel, @ldt_sel: user selectors
 * @fs_base, @gs_base: user's bases (GS: the swapped one)
 */
struct tdm_host_segs {
	bool loaded;
	u16 fs_sel, gs_sel, ds_sel, es_sel, ldt_sel;
	unsigned long fs_base, gs_base;
};

void tdm_host_segs_save(struct tdm_host_segs *hs, u64 guest_kernel_gs_base);
u64 tdm_host_segs_restore(struct tdm_host_segs *hs);
void tdm_host_segs_back(struct tdm_host_segs *hs);
void tdm_host_ldt_off(const struct tdm_host_segs *hs);
void tdm_host_set_fs_base(u64 val);
u64 tdm_host_fs_base(void);
u64 tdm_host_gs_base(void);
u64 tdm_host_kernel_gs_base(void);
void tdm_host_set_kernel_gs_base(u64 val);

void tdm_host_debug_load(const u64 dr[4]);
void tdm_host_debug_load_dr6(u64 dr6);
void tdm_host_debug_save(u64 dr[4], u64 *dr6);
u64 tdm_host_debug_take_dr6(void);
void tdm_host_debug_set_dr7(u64 dr7);

void tdm_host_l1d_flush(void);

void tdm_host_nmi(void);
void tdm_host_machine_check(void);

#endif /* TDM_HOST_H */
