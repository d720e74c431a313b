// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM-execution controls of a vCPU: what exits and what does not.
 *
 * Must not let anything through that the host needs (#MC, #DB, #AC: see
 * exception_bitmap()) or that the core's state does not follow. Changes are
 * collected and written before the next entry only if they differ.
 */
#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/io.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>
#include <asm/tsc.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx/vmx.h"

/* A gap of this many TSC ticks between PAUSEs of one loop, and the patience. */
#define PLE_GAP_TICKS		128
#define PLE_WINDOW_TICKS	4096

/* ---- what the guest owns ---- */

/*
 * Bits with no meaning to the host or the MMU under EPT: never exit. With shadow
 * paging those the walk of a guest table depends on do.
 */
#define CR0_GUEST_OWNED	((u64)(X86_CR0_TS | X86_CR0_MP | X86_CR0_EM | \
			       X86_CR0_AM | X86_CR0_WP))
#define CR4_GUEST_OWNED	((u64)(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | \
			       X86_CR4_DE | X86_CR4_PGE | X86_CR4_PCE | \
			       X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | \
			       X86_CR4_FSGSBASE))
#define CR0_SHADOW_MMU	((u64)X86_CR0_WP)
#define CR4_SHADOW_MMU	((u64)X86_CR4_PGE)

static void update_cr_masks(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u64 cr0_owned = CR0_GUEST_OWNED;
	u64 cr4_owned = CR4_GUEST_OWNED & ~tdm_cr4_reserved(vcpu);

	if (v->shadow) {
		cr0_owned &= ~CR0_SHADOW_MMU;
		cr4_owned &= ~CR4_SHADOW_MMU;
	}
	/* A bit that changes hands must be right in both copies. */
	if (v->cr0_owned != cr0_owned || v->cr4_owned != cr4_owned) {
		tdm_need(vcpu, TDM_ST_CR);
		vcpu->dirty |= TDM_ST_CR;
	}
	v->cr0_owned = cr0_owned;
	v->cr4_owned = cr4_owned;
	vmcs_writen(VMCS_CR0_MASK, ~v->cr0_owned);
	vmcs_writen(VMCS_CR4_MASK, ~v->cr4_owned);
}

/**
 * tdm_vmx_update_valid_after() - which canonical parts an exit leaves valid
 * @vcpu: loaded vCPU
 */
void tdm_vmx_update_valid_after(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u32 owned = v->msr_owned | TDM_ST_RSP | TDM_ST_RFLAGS | TDM_ST_SEG |
		    TDM_ST_TABLES | TDM_ST_CR | TDM_ST_SHADOW;

	/* DR7 and DEBUGCTL change unseen only in these cases. */
	if (v->dr_granted || vcpu->st.debugctl)
		owned |= TDM_ST_DR7;
	/* RIP is read at every exit. */
	v->valid_after = TDM_ST_ALL & ~owned;
}

/* ---- MSR bitmap (SDM vol. 3, 24.6.9) ---- */

/*
 * MSRs whose value the hardware itself keeps in the VMCS or loads with the
 * guest, and the canonical part (TDM_ST_*) a write without an exit makes stale.
 * The syscall MSRs are not here: they are loaded only while the guest is, and
 * guests write them once.
 */
static const struct {
	u32 msr;
	u32 part;	/* 0: writes always exit */
} passthrough_msrs[] = {
	{ MSR_FS_BASE,			TDM_ST_SEG_REST },
	{ MSR_GS_BASE,			TDM_ST_SEG_REST },
	{ MSR_KERNEL_GS_BASE,		TDM_ST_MSRS },
	{ MSR_IA32_SYSENTER_CS,		TDM_ST_SYSENTER },
	{ MSR_IA32_SYSENTER_ESP,	TDM_ST_SYSENTER },
	{ MSR_IA32_SYSENTER_EIP,	TDM_ST_SYSENTER },
	{ MSR_IA32_CR_PAT,		TDM_ST_PAT },
	/* A write to the TSC changes the offset: the core's. */
	{ MSR_IA32_TSC,			0 },
};

static void bitmap_allow(unsigned long *bitmap, u32 msr, bool write)
{
	unsigned int bit = (write ? 2048 * 8 : 0) + (msr & 0x1fff);

	if (msr >= 0xc0000000u)
		bit += 1024 * 8;
	__clear_bit(bit, bitmap);
}

static void update_msr_bitmap(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	int i;

	memset(v->msr_bitmap, 0xff, PAGE_SIZE);
	/* SWAPGS changes KERNEL_GS_BASE anyway. */
	v->msr_owned = TDM_ST_MSRS;
	for (i = 0; i < ARRAY_SIZE(passthrough_msrs); i++) {
		u32 msr = passthrough_msrs[i].msr, part = passthrough_msrs[i].part;

		/* The host's is in the register: see sync.c. */
		if (v->shadow && msr == MSR_IA32_CR_PAT)
			continue;
		if (tdm_msr_passthrough(vcpu, msr, false))
			bitmap_allow(v->msr_bitmap, msr, false);
		if (part && tdm_msr_passthrough(vcpu, msr, true)) {
			bitmap_allow(v->msr_bitmap, msr, true);
			v->msr_owned |= part;
		}
	}
}

/* ---- exceptions ---- */

static u32 exception_bitmap(const struct tdm_vcpu *vcpu)
{
	/*
	 * #MC is the host's. #DB and #AC: a guest can arrange that delivering
	 * one raises the next, forever, with no instruction boundary at which
	 * the host would get its interrupts.
	 */
	u32 bits = BIT(X86_TRAP_MC) | BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC);

	if (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP)
		bits |= BIT(X86_TRAP_BP);
	/* All of them, true or hidden: the error-code mask and match are 0. */
	if (vcpu->vm->mmu_mode == TDM_MMU_MODE_SHADOW)
		bits |= BIT(X86_TRAP_PF);
	return bits;
}

/* ---- secondary controls by the guest's CPUID ---- */

/**
 * struct feature_ctl - a control that follows the guest's CPUID
 * @feature: X86_FEATURE_*
 * @ctl: CPU2_*
 * @exits: the control makes it exit: set it when the guest lacks the feature
 */
struct feature_ctl {
	unsigned int feature;
	u32 ctl;
	bool exits;
};

static const struct feature_ctl feature_ctls[] = {
	{ X86_FEATURE_RDTSCP,	CPU2_RDTSCP,	false },
	{ X86_FEATURE_RDPID,	CPU2_RDTSCP,	false },
	{ X86_FEATURE_INVPCID,	CPU2_INVPCID,	false },
	{ X86_FEATURE_XSAVES,	CPU2_XSAVES,	false },
	{ X86_FEATURE_WAITPKG,	CPU2_USER_WAIT,	false },
	{ X86_FEATURE_RDRAND,	CPU2_RDRAND,	true },
	{ X86_FEATURE_RDSEED,	CPU2_RDSEED,	true },
};

/* What the first processors with VMX did not have. */
#define EPT_CTLS	(CPU2_EPT | CPU2_VPID | CPU2_UNRESTRICTED)

static u32 cpu2_for_guest(struct tdm_vcpu *vcpu)
{
	u32 ctls = tdm_vmx_caps.cpu2;
	int i;

	if (to_vmx(vcpu)->shadow)
		ctls &= ~EPT_CTLS | tdm_vmx_caps.cpu2_must;
	for (i = 0; i < ARRAY_SIZE(feature_ctls); i++) {
		const struct feature_ctl *f = &feature_ctls[i];

		if (tdm_guest_has(vcpu, f->feature) != f->exits)
			ctls |= f->ctl & tdm_vmx_caps.cpu2_may;
	}
	if (!to_vmx(vcpu)->vpid)
		ctls &= ~CPU2_VPID;
	return ctls;
}

/* ---- TPR shadow ---- */

/* The LAPIC's register page doubles as the virtual-APIC page: TPR is at 0x80. */
static void update_tpr_shadow(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	if ((tdm_vmx_caps.cpu_may & CPU_TPR_SHADOW) && vcpu->vapic) {
		vmcs_write64(VMCS_VIRTUAL_APIC_ADDR, virt_to_phys(vcpu->vapic));
		v->cpu_base |= CPU_TPR_SHADOW;
		v->cpu_base &= ~(CPU_CR8_LOAD | CPU_CR8_STORE);
	} else {
		v->cpu_base &= ~CPU_TPR_SHADOW;
		v->cpu_base |= CPU_CR8_LOAD | CPU_CR8_STORE;
	}
}

static u8 tpr_threshold(struct tdm_vcpu *vcpu)
{
	u8 want = to_vmx(vcpu)->windows >> TDM_WINDOW_TPR_SHIFT;
	u8 now;

	if (!vcpu->vapic)
		return 0;
	now = READ_ONCE(*((u8 *)vcpu->vapic + 0x80)) >> 4;
	/* Above the current class the entry would fail (26.2.1.1); nothing masks then. */
	return min(want, now);
}

/* ---- all ---- */

#define PAT_EXIT_CTLS	(EXIT_SAVE_PAT | EXIT_LOAD_PAT)
#define SHADOW_CPU_CTLS	(CPU_CR3_LOAD | CPU_CR3_STORE | CPU_INVLPG)

/* What every vCPU of this MMU mode starts with. */
static void write_controls(struct tdm_vmx *v)
{
	const struct tdm_vmx_caps *c = &tdm_vmx_caps;
	u32 exit = c->exit;

	v->pin_now = c->pin;
	v->cpu_base = c->cpu;
	v->cpu2_now = c->cpu2;
	v->entry_now = c->entry;
	if (v->shadow) {
		v->cpu_base |= SHADOW_CPU_CTLS;
		v->cpu2_now &= ~EPT_CTLS | c->cpu2_must;
		/* The host's PAT stays: sync.c. */
		v->entry_now &= ~ENTRY_LOAD_PAT | c->entry_must;
		exit &= ~PAT_EXIT_CTLS | c->exit_must;
	}
	v->cpu_now = v->cpu_base;
	vmcs_write32(VMCS_PIN_CTLS, v->pin_now);
	vmcs_write32(VMCS_CPU_CTLS, v->cpu_now);
	if (tdm_vmx_has_cpu2())
		vmcs_write32(VMCS_CPU2_CTLS, v->cpu2_now);
	vmcs_write32(VMCS_EXIT_CTLS, exit);
	vmcs_write32(VMCS_ENTRY_CTLS, v->entry_now);
}

/**
 * tdm_vmx_ctrl_init() - controls and constant guest fields of a new VMCS
 * @vcpu: its VMCS is current and empty
 */
void tdm_vmx_ctrl_init(struct tdm_vcpu *vcpu)
{
	const struct tdm_vmx_caps *c = &tdm_vmx_caps;
	struct tdm_vmx *v = to_vmx(vcpu);

	write_controls(v);
	vmcs_write32(VMCS_PF_ERROR_MASK, 0);
	vmcs_write32(VMCS_PF_ERROR_MATCH, 0);
	/*
	 * With shadow paging CR3-target values are of no use: a MOV that matches
	 * one loads the guest's own number, not the address of our root.
	 */
	vmcs_write32(VMCS_CR3_TARGET_COUNT, 0);
	vmcs_write32(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	tdm_vmx_efer_init(v);
	vmcs_write32(VMCS_ENTRY_INTR_INFO, 0);
	vmcs_write64(VMCS_MSR_BITMAP, virt_to_phys(v->msr_bitmap));
	vmcs_write64(VMCS_TSC_OFFSET, 0);
	vmcs_write64(VMCS_VMCS_LINK, ~0ull);
	vmcs_write32(VMCS_GUEST_ACTIVITY, 0);
	vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmcs_writen(VMCS_GUEST_PENDING_DBG, 0);
	vmcs_write64(VMCS_GUEST_DEBUGCTL, 0);
	vmcs_writen(VMCS_GUEST_RFLAGS, X86_EFLAGS_FIXED);
	if ((c->cpu2_may & CPU2_VPID) && v->vpid)
		vmcs_write16(VMCS_VPID, v->vpid);
	if (c->cpu2 & CPU2_PAUSE_LOOP) {
		vmcs_write32(VMCS_PLE_GAP, PLE_GAP_TICKS);
		vmcs_write32(VMCS_PLE_WINDOW, PLE_WINDOW_TICKS);
	}
	if (c->cpu2 & CPU2_ENCLS)
		vmcs_write64(VMCS_ENCLS_EXIT_BITMAP, ~0ull);
	if (c->cpu2_may & CPU2_XSAVES)
		vmcs_write64(VMCS_XSS_EXIT_BITMAP, 0);
	if (c->cpu_may & CPU_TPR_SHADOW)
		vmcs_write32(VMCS_TPR_THRESHOLD, 0);
	v->tpr_now = 0;
	v->tsc_offset = 0;
	v->deadline = ~0ull;
}

/*
 * tdm_engine_ops.intercepts_changed: CPUID, guest debugging, MSR filter or the
 * LAPIC changed: recompute all.
 */
void tdm_vmx_intercepts_changed(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u32 cpu2 = cpu2_for_guest(vcpu);

	update_cr_masks(vcpu);
	update_msr_bitmap(vcpu);
	update_tpr_shadow(vcpu);
	vmcs_write32(VMCS_EXCEPTION_BITMAP, exception_bitmap(vcpu));
	if (cpu2 != v->cpu2_now && tdm_vmx_has_cpu2()) {
		v->cpu2_now = cpu2;
		vmcs_write32(VMCS_CPU2_CTLS, cpu2);
	}
	/* The caller's single step and breakpoints live in RFLAGS.TF and DR7. */
	tdm_need(vcpu, TDM_ST_RFLAGS | TDM_ST_DR7);
	vcpu->dirty |= TDM_ST_RFLAGS | TDM_ST_DR7;
	v->plain = vcpu->guest_debug ? 0 : VMX_EXIT_INSN;
	tdm_vmx_update_valid_after(vcpu);
	v->before |= BEFORE_CTLS | BEFORE_FRESH;
}

/**
 * tdm_vmx_ctrl_apply() - write what changed since the last entry
 * @vcpu: loaded, interrupts off
 */
void tdm_vmx_ctrl_apply(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u32 cpu = v->cpu_base;
	u8 tpr;

	if (v->windows & TDM_WINDOW_IRQ)
		cpu |= CPU_INTR_WINDOW;
	if (v->windows & TDM_WINDOW_NMI)
		cpu |= CPU_NMI_WINDOW;
	if (v->dr_granted)
		cpu &= ~CPU_MOV_DR;
	if (cpu != v->cpu_now) {
		v->cpu_now = cpu;
		vmcs_write32(VMCS_CPU_CTLS, cpu);
	}
	if (cpu & CPU_TPR_SHADOW) {
		tpr = tpr_threshold(vcpu);
		if (tpr != v->tpr_now) {
			v->tpr_now = tpr;
			vmcs_write32(VMCS_TPR_THRESHOLD, tpr);
		}
	}
}

/** tdm_vmx_set_entry_ctl() - one bit of the VM-entry controls */
void tdm_vmx_set_entry_ctl(struct tdm_vmx *v, u32 bit, bool on)
{
	u32 ctls = on ? v->entry_now | bit : v->entry_now & ~bit;

	if (ctls == v->entry_now)
		return;
	v->entry_now = ctls;
	vmcs_write32(VMCS_ENTRY_CTLS, ctls);
}

/** tdm_vmx_request_window() - tdm_engine_ops.request_window */
void tdm_vmx_request_window(struct tdm_vcpu *vcpu, u32 windows)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	v->windows = windows;
	v->before |= BEFORE_CTLS;
}

/** tdm_vmx_set_timer() - tdm_engine_ops.set_timer */
void tdm_vmx_set_timer(struct tdm_vcpu *vcpu, u64 delta_tsc)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u64 now = rdtsc();
	u32 pin = v->pin_now;

	/* The core's own timers do the work then, by interrupting the host. */
	if (!tdm_vmx_has_timer())
		return;
	v->deadline = now + delta_tsc < now ? ~0ull : now + delta_tsc;
	if (v->deadline == ~0ull) {
		pin &= ~PIN_PREEMPT_TIMER;
		v->before &= ~BEFORE_TIMER;
	} else {
		pin |= PIN_PREEMPT_TIMER;
		v->before |= BEFORE_TIMER;
	}
	if (pin != v->pin_now) {
		v->pin_now = pin;
		vmcs_write32(VMCS_PIN_CTLS, pin);
	}
}
