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
 * @why: out: the reason and the remedy, a sentence; empty if @error is 0
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

#endif /* _UAPI_TANDEM_H */
