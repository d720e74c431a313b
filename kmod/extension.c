// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CHECK_EXTENSION: what of the KVM ABI is here.
 *
 * One table. What is not in it is 0: a caller then does without. A capability
 * is added here in the commit that makes it work, and uapi/tandem.h's table
 * with it.
 */
#include <linux/cpumask.h>
#include <linux/kvm.h>
#include <asm/cpufeature.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/cpuid_offer.h"
#include "arch/x86/msr.h"
#include "arch/x86/vm.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/ioctl_state.h"

/* Behaviour kept for old VMMs that KVM_CAP_DISABLE_QUIRKS2 can switch off */
#define QUIRKS	(KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE | \
		 KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | \
		 KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

/**
 * struct extension - one capability
 * @cap: KVM_CAP_*
 * @value: what KVM_CHECK_EXTENSION returns, unless
 * @fn: computes it; @vm is NULL on the system fd
 */
struct extension {
	int cap;
	int value;
	int (*fn)(struct tdm_vm *vm);
};

static int nr_vcpus(struct tdm_vm *vm)
{
	return min_t(int, num_online_cpus(), TDM_MAX_VCPUS);
}

static int max_vcpu_id(struct tdm_vm *vm)
{
	return vm && vm->max_vcpu_ids ? vm->max_vcpu_ids : TDM_MAX_VCPU_IDS;
}

static int xcrs(struct tdm_vm *vm)
{
	return boot_cpu_has(X86_FEATURE_XSAVE);
}

static int xsave2(struct tdm_vm *vm)
{
	return max_t(u32, tdm_xsave_size(tdm_offer_xcr0(), false),
		     sizeof(struct kvm_xsave));
}

static const struct extension extensions[] = {
	/* the ABI itself */
	{ KVM_CAP_CHECK_EXTENSION_VM,		1 },
	{ KVM_CAP_ENABLE_CAP,			1 },
	{ KVM_CAP_ENABLE_CAP_VM,		1 },
	{ KVM_CAP_IMMEDIATE_EXIT,		1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA,		1 },
	{ KVM_CAP_DISABLE_QUIRKS,		1 },
	{ KVM_CAP_DISABLE_QUIRKS2,		QUIRKS },
	/* memory */
	{ KVM_CAP_USER_MEMORY,			1 },
	{ KVM_CAP_NR_MEMSLOTS,			TDM_NR_MEMSLOTS },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS,	1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,	1 },
	{ KVM_CAP_READONLY_MEM,			1 },
	{ KVM_CAP_SYNC_MMU,			1 },
	{ KVM_CAP_MMU_SHADOW_CACHE_CONTROL,	1 },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,	KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
						KVM_DIRTY_LOG_INITIALLY_SET },
	{ KVM_CAP_SET_TSS_ADDR,			1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR,	1 },
	/* vCPUs */
	{ KVM_CAP_NR_VCPUS,			.fn = nr_vcpus },
	{ KVM_CAP_MAX_VCPUS,			TDM_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID,			.fn = max_vcpu_id },
	{ KVM_CAP_SET_BOOT_CPU_ID,		1 },
	{ KVM_CAP_MP_STATE,			1 },
	{ KVM_CAP_HLT,				1 },
	/* interrupts */
	{ KVM_CAP_IRQCHIP,			1 },
	{ KVM_CAP_SPLIT_IRQCHIP,		1 },
	{ KVM_CAP_IRQ_INJECT_STATUS,		1 },
	{ KVM_CAP_IRQ_ROUTING,			TDM_NR_GSIS },
	{ KVM_CAP_SIGNAL_MSI,			1 },
	{ KVM_CAP_X2APIC_API,			KVM_X2APIC_API_USE_32BIT_IDS |
						KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK },
	{ KVM_CAP_IOAPIC_POLARITY_IGNORED,	1 },
	{ KVM_CAP_PIT,				1 },
	{ KVM_CAP_PIT2,				1 },
	{ KVM_CAP_PIT_STATE2,			1 },
	{ KVM_CAP_REINJECT_CONTROL,		1 },
	{ KVM_CAP_USER_NMI,			1 },
	{ KVM_CAP_TSC_DEADLINE_TIMER,		1 },
	/* time */
	{ KVM_CAP_GET_TSC_KHZ,			1 },
	{ KVM_CAP_ADJUST_CLOCK,			KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME |
						KVM_CLOCK_HOST_TSC },
	{ KVM_CAP_KVMCLOCK_CTRL,		1 },
	{ KVM_CAP_ENFORCE_PV_FEATURE_CPUID,	1 },
	{ KVM_CAP_NOP_IO_DELAY,			1 },
	/* without an exit */
	{ KVM_CAP_IRQFD,			1 },
	{ KVM_CAP_IRQFD_RESAMPLE,		1 },
	{ KVM_CAP_IOEVENTFD,			1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH,		1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH,		1 },
	{ KVM_CAP_COALESCED_MMIO,		TDM_RING_PAGE },
	{ KVM_CAP_COALESCED_PIO,		1 },
	{ KVM_CAP_BINARY_STATS_FD,		1 },
	/* state */
	{ KVM_CAP_EXT_CPUID,			1 },
	{ KVM_CAP_EXT_EMUL_CPUID,		1 },
	{ KVM_CAP_VCPU_EVENTS,			1 },
	{ KVM_CAP_EXCEPTION_PAYLOAD,		1 },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT,	1 },
	{ KVM_CAP_DEBUGREGS,			1 },
	{ KVM_CAP_XSAVE,			1 },
	{ KVM_CAP_XSAVE2,			.fn = xsave2 },
	{ KVM_CAP_XCRS,				.fn = xcrs },
	{ KVM_CAP_SREGS2,			1 },
	{ KVM_CAP_SYNC_REGS,			KVM_SYNC_X86_VALID_FIELDS },
	{ KVM_CAP_VCPU_ATTRIBUTES,		1 },
	{ KVM_CAP_MCE,				TDM_MCE_BANKS },
	/* MSRs */
	{ KVM_CAP_GET_MSR_FEATURES,		1 },
	{ KVM_CAP_MSR_PLATFORM_INFO,		1 },
	{ KVM_CAP_X86_USER_SPACE_MSR,		1 },
	{ KVM_CAP_X86_MSR_FILTER,		1 },
	/* debugging the guest */
	{ KVM_CAP_SET_GUEST_DEBUG,		1 },
	{ KVM_CAP_SET_GUEST_DEBUG2,		TDM_GUESTDBG_FLAGS },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP,	1 },
};

/**
 * tdm_check_extension() - KVM_CHECK_EXTENSION
 * @vm: the VM asked, NULL on the system fd
 * @ext: KVM_CAP_*
 *
 * Return: the capability's value, 0 if there is none.
 */
int tdm_check_extension(struct tdm_vm *vm, long ext)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(extensions); i++) {
		if (extensions[i].cap != ext)
			continue;
		return extensions[i].fn ? extensions[i].fn(vm) : extensions[i].value;
	}
	return 0;
}

/*
 * MONITOR and MWAIT, which CPUID does not offer: the ABI's default is that they
 * do nothing; a VMM that turned that quirk off gets what hardware does.
 */
bool tdm_may_monitor(struct tdm_vcpu *vcpu)
{
	return !(vcpu->vm->disabled_quirks & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) ||
	       tdm_guest_has(vcpu, X86_FEATURE_MWAIT);
}
