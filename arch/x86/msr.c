// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR table, and the ioctls that read and write MSRs.
 *
 * One entry says all about a register: who may access it, which bits are
 * reserved, where the value is, whether migration needs it, whether the
 * hardware may be given to the guest. A register not in the table does not
 * exist. Registers that do something have functions in msr_*.c.
 *
 * Beware: the table is searched by halves and must stay sorted
 * (tdm_msr_init() refuses to load otherwise).
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/kvm_para.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/cpuid_offer.h"
#include "arch/x86/cr.h"
#include "arch/x86/fpu.h"
#include "arch/x86/msr_check.h"
#include "arch/x86/msr_int.h"
#include "kmod/devices/irq.h"

/* What IA32_ARCH_CAPABILITIES may promise: immunity, and what VERW clears. */
#define ARCH_CAPS	(ARCH_CAP_RDCL_NO | ARCH_CAP_RSBA | ARCH_CAP_SSB_NO | \
			 ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO | \
			 ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | \
			 ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | \
			 ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA | ARCH_CAP_BHI_NO | \
			 ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO | \
			 ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR)

#define MISC_ENABLE_RO	(MSR_IA32_MISC_ENABLE_EMON | \
			 MSR_IA32_MISC_ENABLE_BTS_UNAVAIL | \
			 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)
#define CPUID_FAULTING	BIT_ULL(0)	/* MISC_FEATURES_ENABLES */
#define FEATURE_CONTROL_LOCKED	BIT_ULL(0)
#define HWCR_IGNORED	(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8))
#define MAX_IO_MSRS	256		/* a KVM_GET/SET_MSRS call; as KVM */

/* ---- plain registers ---- */

static u64 *plain_slot(struct tdm_vcpu *vcpu, const struct tdm_msr *m)
{
	return (u64 *)((char *)&vcpu->st + m->offset);
}

static MSR_GETTER(get_plain)
{
	*val = *plain_slot(vcpu, m);
	return 0;
}

static MSR_SETTER(set_plain)
{
	*plain_slot(vcpu, m) = val;
	tdm_touch(vcpu, m->parts);
	return 0;
}

static MSR_SETTER(set_host_only)
{
	return host ? set_plain(vcpu, m, msr, val, host) : -EINVAL;
}

static MSR_GETTER(get_zero)
{
	*val = 0;
	return 0;
}

/* Registers where software may write what it likes, to no effect. */
static MSR_SETTER(set_ignored)
{
	return 0;
}

/* ---- registers with rules of their own ---- */

static MSR_SETTER(set_apic_base)
{
	int r;

	if (vcpu->lapic) {
		r = tdm_lapic_set_base(vcpu, val, host);
		if (r)
			return r;
	} else {
		/* The interrupt controller is the VMM's; so is what this means. */
		if (val >> tdm_maxphyaddr(vcpu) || val & 0x2ff)
			return -EINVAL;
		if ((val & X2APIC_ENABLE) && !(val & MSR_IA32_APICBASE_ENABLE))
			return -EINVAL;
		vcpu->st.apic_base = val;
	}
	tdm_cpuid_refresh(vcpu);
	return 0;
}

/* Locked without VMX, as firmware leaves it where VMX is off. */
static MSR_SETTER(set_feature_control)
{
	if (!host && (vcpu->st.feature_control & FEATURE_CONTROL_LOCKED))
		return -EINVAL;
	vcpu->st.feature_control = val;
	return 0;
}

/* WRMSR asks for a new sample; what is there stays (SDM vol. 3, 9.11.7). */
static MSR_SETTER(set_ucode_rev)
{
	if (host)
		vcpu->st.ucode_rev = val;
	return 0;
}

static MSR_GETTER(get_platform_info)
{
	if (!host && vcpu->vm->platform_info_hidden)
		return -EINVAL;
	*val = vcpu->st.platform_info;
	return 0;
}

static MSR_SETTER(set_platform_info)
{
	/* Faulting that is on cannot lose its enumeration. */
	if (!host || (!(val & MSR_PLATFORM_INFO_CPUID_FAULT) &&
		      (vcpu->st.misc_features & CPUID_FAULTING)))
		return -EINVAL;
	vcpu->st.platform_info = val;
	return 0;
}

static MSR_SETTER(set_misc_features)
{
	if (val && !(vcpu->st.platform_info & MSR_PLATFORM_INFO_CPUID_FAULT))
		return -EINVAL;
	vcpu->st.misc_features = val;
	return 0;
}

static MSR_SETTER(set_sysenter_cs)
{
	/* 32 bits exist, and what is written above is lost. */
	vcpu->st.sysenter_cs = (u32)val;
	tdm_touch(vcpu, TDM_ST_SYSENTER);
	return 0;
}

static MSR_SETTER(set_misc_enable)
{
	u64 diff = val ^ vcpu->st.misc_enable;

	if (!host) {
		if (diff & (MISC_ENABLE_RO & ~MSR_IA32_MISC_ENABLE_EMON))
			return -EINVAL;
		val ^= diff & MSR_IA32_MISC_ENABLE_EMON;	/* read-only, no fault */
	}
	if ((diff & MSR_IA32_MISC_ENABLE_MWAIT) &&
	    (vcpu->vm->disabled_quirks & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT) &&
	    !tdm_guest_has(vcpu, X86_FEATURE_XMM3))
		return -EINVAL;
	vcpu->st.misc_enable = val;
	tdm_cpuid_refresh(vcpu);
	return 0;
}

static MSR_SETTER(set_xss)
{
	vcpu->st.xss = val;
	tdm_cpuid_refresh(vcpu);
	tdm_fpu_refresh(vcpu);
	return 0;
}

static MSR_GETTER(get_x2apic)
{
	return vcpu->lapic ? tdm_lapic_msr_get(vcpu, msr, val) : -EINVAL;
}

static MSR_SETTER(set_x2apic)
{
	return vcpu->lapic ? tdm_lapic_msr_set(vcpu, msr, val) : -EINVAL;
}

/* The VMM may load any EFER this guest could have; LMA only by KVM_SET_SREGS. */
static MSR_SETTER(set_efer)
{
	u64 old = vcpu->st.efer;

	if (!host)
		return tdm_set_efer(vcpu, val);
	if (val & tdm_efer_reserved(vcpu))
		return -EINVAL;
	vcpu->st.efer = (val & ~(u64)EFER_LMA) | (old & EFER_LMA);
	tdm_cr_changed(vcpu, vcpu->st.cr0, vcpu->st.cr4, old);
	return 0;
}

static MSR_GETTER(get_seg_base)
{
	*val = vcpu->st.seg[msr == MSR_FS_BASE ? TDM_SEG_FS : TDM_SEG_GS].base;
	return 0;
}

static MSR_SETTER(set_seg_base)
{
	vcpu->st.seg[msr == MSR_FS_BASE ? TDM_SEG_FS : TDM_SEG_GS].base = val;
	tdm_touch(vcpu, TDM_ST_SEG);
	return 0;
}

/* RDTSCP and RDPID both read it; either makes it exist. */
static int tsc_aux_exists(struct tdm_vcpu *vcpu, bool host)
{
	return host || tdm_guest_has(vcpu, X86_FEATURE_RDTSCP) ||
	       tdm_guest_has(vcpu, X86_FEATURE_RDPID) ? 0 : -EINVAL;
}

static MSR_GETTER(get_tsc_aux)
{
	*val = vcpu->st.tsc_aux;
	return tsc_aux_exists(vcpu, host);
}

static MSR_SETTER(set_tsc_aux)
{
	int r = tsc_aux_exists(vcpu, host);

	return r ? r : set_plain(vcpu, m, msr, val, host);
}

/* Bits Linux and Windows write and nothing depends on; status writes by bit 18. */
static MSR_SETTER(set_hwcr)
{
	val &= ~HWCR_IGNORED;
	if (val & ~BIT_ULL(18))
		return -EINVAL;
	vcpu->st.hwcr = val;
	return 0;
}

/* ---- the table ---- */

#define ONE(index, text)	.first = (index), .last = (index), .name = (text)
#define RANGE(a, b, text)	.first = (a), .last = (b), .name = (text)
#define FIELD(field)		.offset = offsetof(struct tdm_state, field), .get = get_plain
#define PLAIN(field)		FIELD(field), .set = set_plain
#define DIRECT			(MSR_F_DIRECT_R | MSR_F_DIRECT_W)

static const struct tdm_msr table[] = {
	{ RANGE(MSR_IA32_P5_MC_ADDR, MSR_IA32_P5_MC_TYPE, "P5_MC_ADDR, P5_MC_TYPE"),
	  .get = get_zero },
	{ ONE(MSR_IA32_TSC, "IA32_TIME_STAMP_COUNTER"),
	  .flags = MSR_F_SAVE | MSR_F_DIRECT_R, .get = msr_get_tsc, .set = msr_set_tsc },
	{ ONE(MSR_KVM_WALL_CLOCK, "KVM_WALL_CLOCK"),
	  .flags = MSR_F_SAVE, .get = msr_get_wall_clock, .set = msr_set_wall_clock },
	{ ONE(MSR_KVM_SYSTEM_TIME, "KVM_SYSTEM_TIME"),
	  .flags = MSR_F_SAVE, .get = msr_get_system_time, .set = msr_set_system_time },
	{ ONE(MSR_IA32_PLATFORM_ID, "IA32_PLATFORM_ID"),
	  .flags = MSR_F_INTEL, .get = get_zero },
	{ ONE(MSR_IA32_APICBASE, "IA32_APIC_BASE"),
	  FIELD(apic_base), .set = set_apic_base },
	{ ONE(MSR_IA32_EBL_CR_POWERON, "EBL_CR_POWERON"),
	  .flags = MSR_F_INTEL, .get = get_zero },
	{ ONE(MSR_SMI_COUNT, "MSR_SMI_COUNT"),
	  .flags = MSR_F_SAVE | MSR_F_INTEL, FIELD(smi_count), .set = set_host_only },
	{ ONE(MSR_IA32_FEAT_CTL, "IA32_FEATURE_CONTROL"),
	  .flags = MSR_F_SAVE | MSR_F_INTEL, .reserved = ~FEATURE_CONTROL_LOCKED,
	  FIELD(feature_control), .set = set_feature_control },
	{ ONE(MSR_IA32_TSC_ADJUST, "IA32_TSC_ADJUST"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_TSC_ADJUST,
	  FIELD(tsc_adjust), .set = msr_set_tsc_adjust },
	{ ONE(MSR_IA32_UCODE_WRITE, "IA32_BIOS_UPDT_TRIG"),
	  .set = set_ignored },
	{ ONE(MSR_IA32_UCODE_REV, "IA32_BIOS_SIGN_ID"),
	  .flags = MSR_F_SAVE | MSR_F_FEATURE, FIELD(ucode_rev), .set = set_ucode_rev },
	{ ONE(MSR_PLATFORM_INFO, "MSR_PLATFORM_INFO"),
	  .flags = MSR_F_SAVE | MSR_F_INTEL,
	  .get = get_platform_info, .set = set_platform_info },
	{ ONE(MSR_MTRRcap, "IA32_MTRRCAP"),
	  .feature = X86_FEATURE_MTRR, .get = msr_get_mtrr_cap },
	{ ONE(MSR_IA32_ARCH_CAPABILITIES, "IA32_ARCH_CAPABILITIES"),
	  .flags = MSR_F_SAVE | MSR_F_FEATURE, .feature = X86_FEATURE_ARCH_CAPABILITIES,
	  FIELD(arch_caps), .set = set_host_only },
	{ ONE(MSR_MISC_FEATURES_ENABLES, "MISC_FEATURES_ENABLES"),
	  .flags = MSR_F_SAVE | MSR_F_INTEL, .reserved = ~CPUID_FAULTING,
	  FIELD(misc_features), .set = set_misc_features },
	{ ONE(MSR_IA32_SYSENTER_CS, "IA32_SYSENTER_CS"),
	  .flags = MSR_F_SAVE | DIRECT, .parts = TDM_ST_SYSENTER,
	  FIELD(sysenter_cs), .set = set_sysenter_cs },
	{ ONE(MSR_IA32_SYSENTER_ESP, "IA32_SYSENTER_ESP"),
	  .flags = MSR_F_SAVE | DIRECT | MSR_F_CANONICAL, .parts = TDM_ST_SYSENTER,
	  PLAIN(sysenter_esp) },
	{ ONE(MSR_IA32_SYSENTER_EIP, "IA32_SYSENTER_EIP"),
	  .flags = MSR_F_SAVE | DIRECT | MSR_F_CANONICAL, .parts = TDM_ST_SYSENTER,
	  PLAIN(sysenter_eip) },
	{ ONE(MSR_IA32_MCG_CAP, "IA32_MCG_CAP"),
	  .feature = X86_FEATURE_MCA, FIELD(mcg_cap) },
	{ ONE(MSR_IA32_MCG_STATUS, "IA32_MCG_STATUS"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_MCA, PLAIN(mcg_status) },
	{ ONE(MSR_IA32_MCG_CTL, "IA32_MCG_CTL"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_MCA,
	  .get = msr_get_mcg_ctl, .set = msr_set_mcg_ctl },
	{ ONE(MSR_IA32_MISC_ENABLE, "IA32_MISC_ENABLE"),
	  .flags = MSR_F_SAVE | MSR_F_INTEL, FIELD(misc_enable), .set = set_misc_enable },
	/* Single-step on branches; no branch records, no freezing of counters. */
	{ ONE(MSR_IA32_DEBUGCTLMSR, "IA32_DEBUGCTL"),
	  .flags = MSR_F_SAVE, .parts = TDM_ST_DR7, .reserved = ~(u64)DEBUGCTLMSR_BTF,
	  PLAIN(debugctl) },
	{ ONE(MSR_IA32_POWER_CTL, "MSR_POWER_CTL"),
	  .flags = MSR_F_SAVE | MSR_F_INTEL, PLAIN(power_ctl) },
	{ RANGE(0x200, 0x20f, "IA32_MTRR_PHYSBASE0..PHYSMASK7"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_MTRR,
	  .get = msr_get_mtrr_var, .set = msr_set_mtrr_var },
	{ ONE(MSR_MTRRfix64K_00000, "IA32_MTRR_FIX64K_00000"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_MTRR,
	  .get = msr_get_mtrr_fixed, .set = msr_set_mtrr_fixed },
	{ RANGE(MSR_MTRRfix16K_80000, MSR_MTRRfix16K_A0000, "IA32_MTRR_FIX16K_*"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_MTRR,
	  .get = msr_get_mtrr_fixed, .set = msr_set_mtrr_fixed },
	{ RANGE(MSR_MTRRfix4K_C0000, MSR_MTRRfix4K_F8000, "IA32_MTRR_FIX4K_*"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_MTRR,
	  .get = msr_get_mtrr_fixed, .set = msr_set_mtrr_fixed },
	{ ONE(MSR_IA32_CR_PAT, "IA32_PAT"),
	  .flags = MSR_F_SAVE | MSR_F_DIRECT_R, .parts = TDM_ST_PAT,
	  FIELD(pat), .set = msr_set_pat },
	{ ONE(MSR_MTRRdefType, "IA32_MTRR_DEF_TYPE"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_MTRR,
	  FIELD(mtrr_def), .set = msr_set_mtrr_def },
	{ RANGE(MSR_IA32_MC0_CTL, MSR_IA32_MC0_CTL + 4 * TDM_MCE_BANKS - 1, "IA32_MCi_*"),
	  .feature = X86_FEATURE_MCA, .get = msr_get_mci, .set = msr_set_mci },
	{ ONE(MSR_IA32_TSC_DEADLINE, "IA32_TSC_DEADLINE"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_TSC_DEADLINE_TIMER,
	  .get = msr_get_tsc_deadline, .set = msr_set_tsc_deadline },
	{ RANGE(0x800, 0x8ff, "x2APIC"),
	  .get = get_x2apic, .set = set_x2apic },
	{ ONE(MSR_IA32_XSS, "IA32_XSS"),
	  .flags = MSR_F_SAVE, .feature = X86_FEATURE_XSAVES, .reserved = ~0ull,
	  FIELD(xss), .set = set_xss },
	{ ONE(MSR_KVM_WALL_CLOCK_NEW, "KVM_WALL_CLOCK_NEW"),
	  .flags = MSR_F_SAVE, .get = msr_get_wall_clock, .set = msr_set_wall_clock },
	{ ONE(MSR_KVM_SYSTEM_TIME_NEW, "KVM_SYSTEM_TIME_NEW"),
	  .flags = MSR_F_SAVE, .get = msr_get_system_time, .set = msr_set_system_time },
	{ ONE(MSR_KVM_STEAL_TIME, "KVM_STEAL_TIME"),
	  .flags = MSR_F_SAVE, .reserved = KVM_STEAL_RESERVED_MASK,
	  .get = msr_get_steal_time, .set = msr_set_steal_time },
	{ ONE(MSR_EFER, "IA32_EFER"),
	  .parts = TDM_ST_CR, FIELD(efer), .set = set_efer },
	{ ONE(MSR_STAR, "IA32_STAR"),
	  .flags = MSR_F_SAVE | DIRECT, .parts = TDM_ST_MSRS, PLAIN(star) },
	{ ONE(MSR_LSTAR, "IA32_LSTAR"),
	  .flags = MSR_F_SAVE | DIRECT | MSR_F_CANONICAL, .parts = TDM_ST_MSRS,
	  PLAIN(lstar) },
	{ ONE(MSR_CSTAR, "IA32_CSTAR"),
	  .flags = MSR_F_SAVE | DIRECT | MSR_F_CANONICAL, .parts = TDM_ST_MSRS,
	  PLAIN(cstar) },
	{ ONE(MSR_SYSCALL_MASK, "IA32_FMASK"),
	  .flags = MSR_F_SAVE | DIRECT, .parts = TDM_ST_MSRS,
	  .reserved = GENMASK_ULL(63, 32), PLAIN(sfmask) },
	{ RANGE(MSR_FS_BASE, MSR_GS_BASE, "IA32_FS_BASE, IA32_GS_BASE"),
	  .flags = DIRECT | MSR_F_CANONICAL, .parts = TDM_ST_SEG,
	  .get = get_seg_base, .set = set_seg_base },
	{ ONE(MSR_KERNEL_GS_BASE, "IA32_KERNEL_GS_BASE"),
	  .flags = MSR_F_SAVE | DIRECT | MSR_F_CANONICAL, .parts = TDM_ST_MSRS,
	  PLAIN(kernel_gs_base) },
	{ ONE(MSR_TSC_AUX, "IA32_TSC_AUX"),
	  .flags = MSR_F_SAVE | DIRECT, .parts = TDM_ST_MSRS,
	  .reserved = GENMASK_ULL(63, 32), .offset = offsetof(struct tdm_state, tsc_aux),
	  .get = get_tsc_aux, .set = set_tsc_aux },
	/* AMD: what its systems read without asking whether it is there */
	{ ONE(MSR_AMD64_SYSCFG, "SYSCFG"), .flags = MSR_F_AMD, .get = get_zero },
	{ ONE(MSR_K7_HWCR, "HWCR"), .flags = MSR_F_SAVE | MSR_F_AMD,
	  FIELD(hwcr), .set = set_hwcr },
	{ ONE(MSR_AMD64_NB_CFG, "NB_CFG"), .flags = MSR_F_AMD,
	  .get = get_zero, .set = set_ignored },
	{ ONE(MSR_K8_INT_PENDING_MSG, "IntPending"), .flags = MSR_F_AMD,
	  .get = get_zero },
	{ ONE(MSR_AMD64_DC_CFG, "DC_CFG"), .flags = MSR_F_AMD,
	  .get = get_zero, .set = set_ignored },
	{ ONE(MSR_AMD64_BU_CFG2, "BU_CFG2"), .flags = MSR_F_AMD,
	  .get = get_zero, .set = set_ignored },
};

static const struct tdm_msr *find(u32 msr)
{
	int lo = 0, hi = ARRAY_SIZE(table), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (msr > table[mid].last)
			lo = mid + 1;
		else if (msr < table[mid].first)
			hi = mid;
		else
			return &table[mid];
	}
	return NULL;
}

/* ---- access ---- */

/* 0, or why this guest does not have it; the caller has all. */
static int exists(struct tdm_vcpu *vcpu, const struct tdm_msr *m, bool host)
{
	if (!m)
		return -ENOENT;
	if (host)
		return 0;
	if (m->flags & (tdm_guest_is_intel(vcpu) ? MSR_F_AMD : MSR_F_INTEL))
		return -ENOENT;
	if (m->feature && !tdm_guest_has(vcpu, m->feature))
		return -EINVAL;
	return 0;
}

/**
 * tdm_msr_get() - RDMSR
 * @vcpu: loaded vCPU
 * @msr: index
 * @val: value
 * @host: access by the VMM: features of the guest do not matter
 *
 * Filters are not looked at.
 *
 * Return: 0; -ENOENT for a register that does not exist; -EINVAL for one that
 * refuses. Both are #GP(0) to a guest.
 */
int tdm_msr_get(struct tdm_vcpu *vcpu, u32 msr, u64 *val, bool host)
{
	const struct tdm_msr *m = find(msr);
	int r = exists(vcpu, m, host);

	if (r)
		return r;
	if (!m->get)
		return -EINVAL;
	tdm_need(vcpu, m->parts);
	return m->get(vcpu, m, msr, val, host);
}

/**
 * tdm_msr_set() - WRMSR
 * @vcpu: loaded vCPU
 * @msr: index
 * @val: value
 * @host: access by the VMM
 *
 * Return: as tdm_msr_get(); on an error nothing is changed.
 */
int tdm_msr_set(struct tdm_vcpu *vcpu, u32 msr, u64 val, bool host)
{
	const struct tdm_msr *m = find(msr);
	int r = exists(vcpu, m, host);

	if (r)
		return r;
	if (!m->set || (val & m->reserved))
		return -EINVAL;
	if ((m->flags & MSR_F_CANONICAL) && !tdm_canonical(val, 48))
		return -EINVAL;
	tdm_need(vcpu, m->parts);
	return m->set(vcpu, m, msr, val, host);
}

/**
 * tdm_msr_passthrough() - may the guest access the hardware's register?
 * @vcpu: the vCPU
 * @msr: index
 * @write: WRMSR, else RDMSR
 *
 * For engines that keep the guest's value in that register while it runs.
 */
bool tdm_msr_passthrough(struct tdm_vcpu *vcpu, u32 msr, bool write)
{
	const struct tdm_msr *m = find(msr);

	if (exists(vcpu, m, false))
		return false;
	if (!(m->flags & (write ? MSR_F_DIRECT_W : MSR_F_DIRECT_R)))
		return false;
	if (msr == MSR_TSC_AUX && tsc_aux_exists(vcpu, false))
		return false;
	return !tdm_msr_filtered(vcpu, msr, write);
}

/* ---- values the host decides ---- */

static u64 host_arch_caps(void)
{
	u64 val = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, val);
	return val & ARCH_CAPS;
}

/* The revision is in the upper half on Intel, in the lower on AMD. */
static u64 host_ucode_rev(void)
{
	u64 rev = boot_cpu_data.microcode;

	return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL ? rev << 32 : rev;
}

static int feature_msr_get(u32 msr, u64 *val)
{
	switch (msr) {
	case MSR_IA32_UCODE_REV:
		*val = host_ucode_rev();
		return 0;
	case MSR_IA32_ARCH_CAPABILITIES:
		*val = host_arch_caps();
		return 0;
	default:
		return -ENOENT;
	}
}

/**
 * tdm_msr_init() - check the table; at module load
 *
 * Return: 0; -EINVAL if the table is not sorted, which is a bug.
 */
int tdm_msr_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].first > table[i].last ||
		    (i && table[i].first <= table[i - 1].last)) {
			pr_err("tandem: MSR table out of order at %s; please report this bug\n",
			       table[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * tdm_msr_reset() - MSRs after power-up or INIT
 * @vcpu: the vCPU
 * @init: INIT, which leaves MSRs alone (SDM vol. 3, table 10-1)
 */
void tdm_msr_reset(struct tdm_vcpu *vcpu, bool init)
{
	struct tdm_state *st = &vcpu->st;

	if (init)
		return;
	st->star = 0;
	st->lstar = 0;
	st->cstar = 0;
	st->sfmask = 0;
	st->kernel_gs_base = 0;
	st->tsc_aux = 0;
	st->sysenter_cs = 0;
	st->sysenter_esp = 0;
	st->sysenter_eip = 0;
	st->debugctl = 0;
	st->xcr0 = XFEATURE_MASK_FP;
	st->xss = 0;
	st->spec_ctrl = 0;
	st->misc_enable = MSR_IA32_MISC_ENABLE_FAST_STRING |
			  MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |
			  MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL;
	st->feature_control = FEATURE_CONTROL_LOCKED;
	st->platform_info = MSR_PLATFORM_INFO_CPUID_FAULT;
	st->misc_features = 0;
	st->power_ctl = 0;
	st->smi_count = 0;
	st->hwcr = 0;
	st->arch_caps = host_arch_caps();
	st->ucode_rev = host_ucode_rev();
	st->tsc_adjust = 0;
	msr_pv_reset(vcpu);
	msr_mtrr_reset(vcpu);
	msr_mce_reset(vcpu);
	if (!vcpu->lapic)
		st->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
				(vcpu->id == vcpu->vm->bsp_vcpu_id ?
				 MSR_IA32_APICBASE_BSP : 0);
	tdm_tsc_host_write(vcpu, 0);
}

/* ---- ioctls ---- */

/* Registers of one vendor only are no part of a state on the other's hosts. */
static bool listed(const struct tdm_msr *m, bool features)
{
	bool amd = boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
		   boot_cpu_data.x86_vendor == X86_VENDOR_HYGON;

	if (m->flags & (amd ? MSR_F_INTEL : MSR_F_AMD))
		return false;
	return m->flags & (features ? MSR_F_FEATURE : MSR_F_SAVE);
}

/* Returns how many there are; writes as many as there is room for. */
static u32 fill_list(u32 *index, u32 room, bool features)
{
	const struct tdm_msr *m;
	u32 msr, n = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		m = &table[i];
		if (!listed(m, features))
			continue;
		for (msr = m->first; msr <= m->last; msr++, n++)
			if (n < room)
				index[n] = msr;
	}
	return n;
}

/**
 * tdm_msr_index_list() - KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST
 * @arg: the caller's list; nmsrs says how much room there is and is set to how
 *	 many there are, also on -E2BIG
 * @features: the second ioctl
 *
 * Return: 0; -E2BIG when there is too little room; -EFAULT; -ENOMEM.
 */
long tdm_msr_index_list(struct kvm_msr_list __user *arg, bool features)
{
	u32 n = fill_list(NULL, 0, features), room, *index;
	long r = 0;

	if (get_user(room, &arg->nmsrs) || put_user(n, &arg->nmsrs))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	index = kcalloc(n, sizeof(*index), GFP_KERNEL);
	if (!index)
		return -ENOMEM;
	fill_list(index, n, features);
	if (copy_to_user(arg->indices, index, n * sizeof(*index)))
		r = -EFAULT;
	kfree(index);
	return r;
}

static int one_msr(struct tdm_vcpu *vcpu, struct kvm_msr_entry *e, bool write)
{
	u64 val = 0;
	int r;

	if (!vcpu)
		r = write ? -EINVAL : feature_msr_get(e->index, &val);
	else if (write)
		return tdm_msr_set(vcpu, e->index, e->data, true);
	else
		r = tdm_msr_get(vcpu, e->index, &val, true);
	if (!r)
		e->data = val;
	return r;
}

/**
 * tdm_msr_io() - KVM_GET_MSRS, KVM_SET_MSRS
 * @vcpu: loaded vCPU; NULL for the feature MSRs of the system fd
 * @arg: the caller's array
 * @write: set, else get
 *
 * Return: how many were processed, the first that is refused ending it;
 * -E2BIG for more than 256; -EFAULT; -ENOMEM.
 */
long tdm_msr_io(struct tdm_vcpu *vcpu, struct kvm_msrs __user *arg, bool write)
{
	struct kvm_msr_entry *e;
	struct kvm_msrs hdr;
	size_t size;
	long r;
	u32 i;

	if (copy_from_user(&hdr, arg, sizeof(hdr)))
		return -EFAULT;
	if (hdr.nmsrs > MAX_IO_MSRS)
		return -E2BIG;
	size = array_size(hdr.nmsrs, sizeof(*e));
	e = memdup_user(arg->entries, size);
	if (IS_ERR(e))
		return PTR_ERR(e);
	for (i = 0; i < hdr.nmsrs; i++)
		if (one_msr(vcpu, &e[i], write))
			break;
	r = i;
	if (!write && copy_to_user(arg->entries, e, size))
		r = -EFAULT;
	kfree(e);
	return r;
}
