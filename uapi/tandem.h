/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Tandem's own ioctls: only for what the KVM ABI has no name for.
 *
 * Everything else on /dev/tandem is KVM's: numbers and structs of <linux/kvm.h>.
 * Structs are fixed-width, padded, and their sizes asserted where they are used.
 */
#ifndef _UAPI_TANDEM_H
#define _UAPI_TANDEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TDM_IOC_MAGIC		'T'
#define TDM_ABI_VERSION		1

/* Engines and MMU modes */
#define TDM_ENGINE_AUTO		0
#define TDM_ENGINE_VMX		1
#define TDM_ENGINE_BT		2

#define TDM_MMU_AUTO		0
#define TDM_MMU_EPT		1
#define TDM_MMU_SHADOW		2

/**
 * struct tdm_engine_config - engine and MMU mode of a VM
 * @engine: TDM_ENGINE_*
 * @mmu: TDM_MMU_*
 * @flags: must be 0
 */
struct tdm_engine_config {
	__u32 engine;
	__u32 mmu;
	__u32 flags;
	__u32 pad;
	__u64 reserved[4];
};

/**
 * struct tdm_engine_info - can this machine run an engine, and if not, why
 * @engine: in: TDM_ENGINE_VMX or TDM_ENGINE_BT
 * @mmu_modes: out: bit (1 << TDM_MMU_*) for each that works
 * @error: out: 0 or a positive errno
 * @why: out: the reason and the remedy, a sentence; with @error 0 why an MMU
 *	mode is missing; empty if nothing is
 */
struct tdm_engine_info {
	__u32 engine;
	__u32 mmu_modes;
	__s32 error;
	__u32 pad;
	char why[192];
};

/* on /dev/tandem */
#define TDM_GET_ABI_VERSION	_IO(TDM_IOC_MAGIC, 0x00)
#define TDM_ENGINE_INFO		_IOWR(TDM_IOC_MAGIC, 0x01, struct tdm_engine_info)
/* on a VM, before its first vCPU */
#define TDM_VM_SET_ENGINE	_IOW(TDM_IOC_MAGIC, 0x10, struct tdm_engine_config)
#define TDM_VM_GET_ENGINE	_IOR(TDM_IOC_MAGIC, 0x11, struct tdm_engine_config)

/*
 * What of the KVM ABI is here: X(ioctl, file, support, note).
 *
 *   FULL	as KVM
 *   PARTIAL	as KVM but for what the note says
 *   REFUSED	EINVAL on the device and on vCPUs, ENOTTY on VMs, as KVM answers
 *		a number it does not know
 *
 * What is not listed is refused. tools/testing/selftests/tandem compares this
 * table with behaviour; Documentation/abi.rst explains it.
 */
#define TDM_ABI_TABLE(X)						\
	X(KVM_GET_API_VERSION,		DEV,	FULL,	 "")		\
	X(KVM_CREATE_VM,		DEV,	FULL,	 "")		\
	X(KVM_CHECK_EXTENSION,		DEV,	FULL,	 "also on a VM") \
	X(KVM_GET_VCPU_MMAP_SIZE,	DEV,	FULL,	 "")		\
	X(KVM_GET_SUPPORTED_CPUID,	DEV,	FULL,	 "")		\
	X(KVM_GET_EMULATED_CPUID,	DEV,	FULL,	 "")		\
	X(KVM_GET_MSR_INDEX_LIST,	DEV,	FULL,	 "")		\
	X(KVM_GET_MSR_FEATURE_INDEX_LIST, DEV,	FULL,	 "")		\
	X(KVM_X86_GET_MCE_CAP_SUPPORTED, DEV,	FULL,	 "")		\
	X(KVM_CREATE_VCPU,		VM,	FULL,	 "")		\
	X(KVM_ENABLE_CAP,		VM,	PARTIAL, "the capabilities KVM_CHECK_EXTENSION names") \
	X(KVM_SET_USER_MEMORY_REGION,	VM,	FULL,	 "")		\
	X(KVM_GET_DIRTY_LOG,		VM,	FULL,	 "")		\
	X(KVM_SET_NR_MMU_PAGES,		VM,	FULL,	 "")		\
	X(KVM_GET_NR_MMU_PAGES,		VM,	FULL,	 "0: no bound was set")	\
	X(KVM_CLEAR_DIRTY_LOG,		VM,	FULL,	 "")		\
	X(KVM_SET_TSS_ADDR,		VM,	FULL,	 "not needed, real mode needs no help from the caller: checked, ignored") \
	X(KVM_SET_IDENTITY_MAP_ADDR,	VM,	FULL,	 "ditto")	\
	X(KVM_SET_BOOT_CPU_ID,		VM,	FULL,	 "")		\
	X(KVM_CREATE_IRQCHIP,		VM,	FULL,	 "")		\
	X(KVM_GET_IRQCHIP,		VM,	FULL,	 "")		\
	X(KVM_SET_IRQCHIP,		VM,	FULL,	 "")		\
	X(KVM_IRQ_LINE,			VM,	FULL,	 "")		\
	X(KVM_IRQ_LINE_STATUS,		VM,	FULL,	 "")		\
	X(KVM_CREATE_PIT,		VM,	FULL,	 "")		\
	X(KVM_CREATE_PIT2,		VM,	FULL,	 "")		\
	X(KVM_GET_PIT,			VM,	FULL,	 "")		\
	X(KVM_SET_PIT,			VM,	FULL,	 "")		\
	X(KVM_GET_PIT2,			VM,	FULL,	 "")		\
	X(KVM_SET_PIT2,			VM,	FULL,	 "")		\
	X(KVM_REINJECT_CONTROL,		VM,	FULL,	 "")		\
	X(KVM_SET_GSI_ROUTING,		VM,	FULL,	 "")		\
	X(KVM_SIGNAL_MSI,		VM,	FULL,	 "")		\
	X(KVM_IRQFD,			VM,	FULL,	 "")		\
	X(KVM_IOEVENTFD,		VM,	FULL,	 "no KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY, which is of another architecture") \
	X(KVM_REGISTER_COALESCED_MMIO,	VM,	FULL,	 "at most 100 zones") \
	X(KVM_UNREGISTER_COALESCED_MMIO, VM,	FULL,	 "")		\
	X(KVM_GET_STATS_FD,		VM,	FULL,	 "also on a vCPU; the counters are Tandem's own") \
	X(KVM_GET_CLOCK,		VM,	FULL,	 "")		\
	X(KVM_SET_CLOCK,		VM,	FULL,	 "")		\
	X(KVM_X86_SET_MSR_FILTER,	VM,	FULL,	 "")		\
	X(KVM_RUN,			VCPU,	FULL,	 "")		\
	X(KVM_GET_REGS,			VCPU,	FULL,	 "")		\
	X(KVM_SET_REGS,			VCPU,	FULL,	 "")		\
	X(KVM_GET_SREGS,		VCPU,	FULL,	 "")		\
	X(KVM_SET_SREGS,		VCPU,	FULL,	 "")		\
	X(KVM_GET_SREGS2,		VCPU,	FULL,	 "")		\
	X(KVM_SET_SREGS2,		VCPU,	FULL,	 "")		\
	X(KVM_GET_FPU,			VCPU,	FULL,	 "")		\
	X(KVM_SET_FPU,			VCPU,	FULL,	 "")		\
	X(KVM_GET_XSAVE,		VCPU,	FULL,	 "")		\
	X(KVM_GET_XSAVE2,		VCPU,	FULL,	 "")		\
	X(KVM_SET_XSAVE,		VCPU,	FULL,	 "")		\
	X(KVM_GET_XCRS,			VCPU,	FULL,	 "")		\
	X(KVM_SET_XCRS,			VCPU,	FULL,	 "")		\
	X(KVM_GET_DEBUGREGS,		VCPU,	FULL,	 "")		\
	X(KVM_SET_DEBUGREGS,		VCPU,	FULL,	 "")		\
	X(KVM_GET_MSRS,			VCPU,	FULL,	 "also on the device: feature MSRs") \
	X(KVM_SET_MSRS,			VCPU,	FULL,	 "")		\
	X(KVM_SET_CPUID,		VCPU,	FULL,	 "")		\
	X(KVM_SET_CPUID2,		VCPU,	FULL,	 "")		\
	X(KVM_GET_CPUID2,		VCPU,	FULL,	 "")		\
	X(KVM_GET_VCPU_EVENTS,		VCPU,	PARTIAL, "no SMM")	\
	X(KVM_SET_VCPU_EVENTS,		VCPU,	PARTIAL, "no SMM")	\
	X(KVM_GET_MP_STATE,		VCPU,	FULL,	 "")		\
	X(KVM_SET_MP_STATE,		VCPU,	FULL,	 "")		\
	X(KVM_GET_LAPIC,		VCPU,	FULL,	 "")		\
	X(KVM_SET_LAPIC,		VCPU,	FULL,	 "")		\
	X(KVM_INTERRUPT,		VCPU,	FULL,	 "")		\
	X(KVM_NMI,			VCPU,	FULL,	 "")		\
	X(KVM_TRANSLATE,		VCPU,	FULL,	 "")		\
	X(KVM_SET_SIGNAL_MASK,		VCPU,	FULL,	 "")		\
	X(KVM_SET_GUEST_DEBUG,		VCPU,	FULL,	 "")		\
	X(KVM_HAS_DEVICE_ATTR,		VCPU,	FULL,	 "the TSC offset, as KVM on a vCPU") \
	X(KVM_GET_DEVICE_ATTR,		VCPU,	FULL,	 "")		\
	X(KVM_SET_DEVICE_ATTR,		VCPU,	FULL,	 "")		\
	X(KVM_SET_TSC_KHZ,		VCPU,	PARTIAL, "only the host's frequency: no TSC scaling") \
	X(KVM_GET_TSC_KHZ,		VCPU,	FULL,	 "")		\
	X(KVM_X86_SETUP_MCE,		VCPU,	FULL,	 "")		\
	X(KVM_X86_SET_MCE,		VCPU,	FULL,	 "")		\
	X(KVM_SMI,			VCPU,	REFUSED, "no SMM")	\
	X(KVM_KVMCLOCK_CTRL,		VCPU,	FULL,	 "")		\
	X(KVM_ENABLE_CAP,		VCPU,	PARTIAL, "KVM_CAP_ENFORCE_PV_FEATURE_CPUID, which always holds") \
	X(KVM_SET_VAPIC_ADDR,		VCPU,	PARTIAL, "only 0: no help for guests that write the TPR") \
	X(KVM_TPR_ACCESS_REPORTING,	VCPU,	REFUSED, "")

#endif /* _UAPI_TANDEM_H */
