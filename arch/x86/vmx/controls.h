/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX control bits, capability MSR bits and exit reasons, by the names of the
 * SDM (vol. 3, chapters 24 to 28, appendices A and C). Numbers only.
 *
 * Own names, not the kernel's <asm/vmx.h>: that header changes between kernel
 * versions.
 */
#ifndef TDM_VMX_CONTROLS_H
#define TDM_VMX_CONTROLS_H

#include <linux/bits.h>

/* Pin-based VM-execution controls (SDM table 24-5) */
#define PIN_EXT_INTR			BIT(0)
#define PIN_NMI				BIT(3)
#define PIN_VIRTUAL_NMIS		BIT(5)
#define PIN_PREEMPT_TIMER		BIT(6)

/* Primary processor-based VM-execution controls (table 24-6) */
#define CPU_INTR_WINDOW			BIT(2)
#define CPU_TSC_OFFSETTING		BIT(3)
#define CPU_HLT				BIT(7)
#define CPU_INVLPG			BIT(9)
#define CPU_MWAIT			BIT(10)
#define CPU_RDPMC			BIT(11)
#define CPU_RDTSC			BIT(12)
#define CPU_CR3_LOAD			BIT(15)
#define CPU_CR3_STORE			BIT(16)
#define CPU_TERTIARY			BIT(17)
#define CPU_CR8_LOAD			BIT(19)
#define CPU_CR8_STORE			BIT(20)
#define CPU_TPR_SHADOW			BIT(21)
#define CPU_NMI_WINDOW			BIT(22)
#define CPU_MOV_DR			BIT(23)
#define CPU_UNCOND_IO			BIT(24)
#define CPU_IO_BITMAPS			BIT(25)
#define CPU_MTF				BIT(27)
#define CPU_MSR_BITMAPS			BIT(28)
#define CPU_MONITOR			BIT(29)
#define CPU_PAUSE			BIT(30)
#define CPU_SECONDARY			BIT(31)

/* Secondary processor-based VM-execution controls (table 24-7) */
#define CPU2_VIRT_APIC_ACCESSES		BIT(0)
#define CPU2_EPT			BIT(1)
#define CPU2_DESC_TABLE			BIT(2)
#define CPU2_RDTSCP			BIT(3)
#define CPU2_VIRT_X2APIC		BIT(4)
#define CPU2_VPID			BIT(5)
#define CPU2_WBINVD			BIT(6)
#define CPU2_UNRESTRICTED		BIT(7)
#define CPU2_APIC_REGISTER_VIRT		BIT(8)
#define CPU2_VIRT_INTR_DELIVERY		BIT(9)
#define CPU2_PAUSE_LOOP			BIT(10)
#define CPU2_RDRAND			BIT(11)
#define CPU2_INVPCID			BIT(12)
#define CPU2_VMFUNC			BIT(13)
#define CPU2_VMCS_SHADOWING		BIT(14)
#define CPU2_ENCLS			BIT(15)
#define CPU2_RDSEED			BIT(16)
#define CPU2_PML			BIT(17)
#define CPU2_EPT_VE			BIT(18)
#define CPU2_XSAVES			BIT(20)
#define CPU2_MBEC			BIT(22)
#define CPU2_TSC_SCALING		BIT(25)
#define CPU2_USER_WAIT			BIT(26)

/* VM-exit controls (table 24-13) */
#define EXIT_SAVE_DEBUG			BIT(2)
#define EXIT_HOST_64			BIT(9)
#define EXIT_LOAD_PERF_GLOBAL		BIT(12)
#define EXIT_ACK_INTR			BIT(15)
#define EXIT_SAVE_PAT			BIT(18)
#define EXIT_LOAD_PAT			BIT(19)
#define EXIT_SAVE_EFER			BIT(20)
#define EXIT_LOAD_EFER			BIT(21)
#define EXIT_SAVE_PREEMPT_TIMER		BIT(22)

/* VM-entry controls (table 24-15) */
#define ENTRY_LOAD_DEBUG		BIT(2)
#define ENTRY_IA32E			BIT(9)
#define ENTRY_SMM			BIT(10)
#define ENTRY_DUAL_MONITOR_OFF		BIT(11)
#define ENTRY_LOAD_PERF_GLOBAL		BIT(13)
#define ENTRY_LOAD_PAT			BIT(14)
#define ENTRY_LOAD_EFER			BIT(15)

/* IA32_VMX_BASIC (appendix A.1) */
#define BASIC_REVISION_MASK		GENMASK_ULL(30, 0)
#define BASIC_SIZE_SHIFT		32
#define BASIC_SIZE_MASK			0x1fffu
#define BASIC_PA32			BIT_ULL(48)	/* structures below 4 GiB */
#define BASIC_MEMTYPE_SHIFT		50
#define BASIC_MEMTYPE_MASK		0xfu
#define BASIC_MEMTYPE_WB		6
#define BASIC_TRUE_CTLS			BIT_ULL(55)

/* IA32_VMX_MISC (appendix A.6) */
#define MISC_TIMER_SHIFT_MASK		0x1fu
#define MISC_CR3_TARGETS_SHIFT		16
#define MISC_PT_IN_VMX			BIT_ULL(14)
#define MISC_ZERO_LEN_INJECT		BIT_ULL(30)

/* IA32_VMX_EPT_VPID_CAP (appendix A.10) */
#define EPTCAP_EXEC_ONLY		BIT_ULL(0)
#define EPTCAP_WALK4			BIT_ULL(6)
#define EPTCAP_WALK5			BIT_ULL(7)
#define EPTCAP_UC			BIT_ULL(8)
#define EPTCAP_WB			BIT_ULL(14)
#define EPTCAP_2M			BIT_ULL(16)
#define EPTCAP_1G			BIT_ULL(17)
#define EPTCAP_INVEPT			BIT_ULL(20)
#define EPTCAP_AD			BIT_ULL(21)
#define EPTCAP_INVEPT_SINGLE		BIT_ULL(25)
#define EPTCAP_INVEPT_ALL		BIT_ULL(26)
#define EPTCAP_INVVPID			BIT_ULL(32)
#define EPTCAP_INVVPID_SINGLE		BIT_ULL(41)
#define EPTCAP_INVVPID_ALL		BIT_ULL(42)

/* INVEPT and INVVPID types (SDM chapter 30) */
#define INV_SINGLE			1ul
#define INV_ALL				2ul

/* Guest interruptibility state (table 24-3) */
#define INTR_BLOCK_STI			BIT(0)
#define INTR_BLOCK_MOV_SS		BIT(1)
#define INTR_BLOCK_SMI			BIT(2)
#define INTR_BLOCK_NMI			BIT(3)

/* Pending debug exceptions (table 24-4) */
#define PDBG_BS				BIT(14)

/* Interruption information, entry and exit and IDT-vectoring (24.8.3, 24.9.2) */
#define INTR_VECTOR_MASK		0xffu
#define INTR_TYPE_SHIFT			8
#define INTR_TYPE_MASK			0x700u
#define INTR_ERROR_VALID		BIT(11)
#define INTR_NMI_UNBLOCKED		BIT(12)
#define INTR_VALID			BIT(31)

/* Exit qualification for EPT violations (table 27-7) */
#define EPTV_READ			BIT(0)
#define EPTV_WRITE			BIT(1)
#define EPTV_FETCH			BIT(2)
#define EPTV_PRESENT			(BIT(3) | BIT(4) | BIT(5))
#define EPTV_GVA_VALID			BIT(7)
#define EPTV_GVA_TRANSLATED		BIT(8)
#define EPTV_NMI_UNBLOCKED		BIT(12)

/* Exit reason word (24.9.1) */
#define REASON_ENTRY_FAILURE		BIT(31)
#define REASON_BASIC_MASK		0xffffu

/* Basic exit reasons (appendix C) */
#define VMX_REASONS(X)				\
	X(EXCEPTION_NMI,		0)	\
	X(EXT_INTR,			1)	\
	X(TRIPLE_FAULT,			2)	\
	X(INIT,				3)	\
	X(SIPI,				4)	\
	X(IO_SMI,			5)	\
	X(OTHER_SMI,			6)	\
	X(INTR_WINDOW,			7)	\
	X(NMI_WINDOW,			8)	\
	X(TASK_SWITCH,			9)	\
	X(CPUID,			10)	\
	X(GETSEC,			11)	\
	X(HLT,				12)	\
	X(INVD,				13)	\
	X(INVLPG,			14)	\
	X(RDPMC,			15)	\
	X(RDTSC,			16)	\
	X(RSM,				17)	\
	X(VMCALL,			18)	\
	X(VMCLEAR,			19)	\
	X(VMLAUNCH,			20)	\
	X(VMPTRLD,			21)	\
	X(VMPTRST,			22)	\
	X(VMREAD,			23)	\
	X(VMRESUME,			24)	\
	X(VMWRITE,			25)	\
	X(VMXOFF,			26)	\
	X(VMXON,			27)	\
	X(CR_ACCESS,			28)	\
	X(MOV_DR,			29)	\
	X(IO,				30)	\
	X(RDMSR,			31)	\
	X(WRMSR,			32)	\
	X(BAD_GUEST_STATE,		33)	\
	X(BAD_MSR_LOAD,			34)	\
	X(MWAIT,			36)	\
	X(MTF,				37)	\
	X(MONITOR,			39)	\
	X(PAUSE,			40)	\
	X(ENTRY_MCE,			41)	\
	X(TPR_THRESHOLD,		43)	\
	X(APIC_ACCESS,			44)	\
	X(VIRT_EOI,			45)	\
	X(GDTR_IDTR,			46)	\
	X(LDTR_TR,			47)	\
	X(EPT_VIOLATION,		48)	\
	X(EPT_MISCONFIG,		49)	\
	X(INVEPT,			50)	\
	X(RDTSCP,			51)	\
	X(PREEMPT_TIMER,		52)	\
	X(INVVPID,			53)	\
	X(WBINVD,			54)	\
	X(XSETBV,			55)	\
	X(APIC_WRITE,			56)	\
	X(RDRAND,			57)	\
	X(INVPCID,			58)	\
	X(VMFUNC,			59)	\
	X(ENCLS,			60)	\
	X(RDSEED,			61)	\
	X(PML_FULL,			62)	\
	X(XSAVES,			63)	\
	X(XRSTORS,			64)	\
	X(UMWAIT,			67)	\
	X(TPAUSE,			68)

enum vmx_reason {
#define X(name, nr) REASON_##name = nr,
	VMX_REASONS(X)
#undef X
	VMX_NR_REASONS = 69
};

#endif /* TDM_VMX_CONTROLS_H */
