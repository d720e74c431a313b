/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Canonical x86 register and segment structures, shared by the core, both
 * engines, the shadow MMU and the emulator.
 *
 * This header depends on nothing but the fixed-width types, so that it builds
 * in the kernel and in userspace tests alike. It holds layout only: no policy,
 * no accessors of an engine. Register and segment numbers are the encodings of
 * the instruction set; do not reorder them.
 */
#ifndef TDM_ARCH_X86_STATE_H
#define TDM_ARCH_X86_STATE_H

#include <linux/types.h>

/* General registers in instruction-encoding order. */
enum tdm_reg {
	TDM_RAX, TDM_RCX, TDM_RDX, TDM_RBX, TDM_RSP, TDM_RBP, TDM_RSI, TDM_RDI,
	TDM_R8, TDM_R9, TDM_R10, TDM_R11, TDM_R12, TDM_R13, TDM_R14, TDM_R15,
	TDM_NR_GPRS
};

/* Segment registers in instruction-encoding order, then the system ones. */
enum tdm_seg {
	TDM_SEG_ES, TDM_SEG_CS, TDM_SEG_SS, TDM_SEG_DS, TDM_SEG_FS, TDM_SEG_GS,
	TDM_SEG_LDTR, TDM_SEG_TR,
	TDM_NR_SEGS
};

/**
 * struct tdm_regs - general registers, instruction pointer and flags
 * @gpr: general registers, indexed by enum tdm_reg
 * @rip: instruction pointer (offset in CS)
 * @rflags: RFLAGS; bit 1 is always set
 */
struct tdm_regs {
	__u64 gpr[TDM_NR_GPRS];
	__u64 rip;
	__u64 rflags;
};

/**
 * struct tdm_segment - a segment register with its hidden part
 * @base: base address, linear
 * @limit: limit in bytes, granularity already applied
 * @ar: access rights in the format of the VMCS (SDM vol. 3, 25.4.1): TDM_AR_*
 * @selector: visible selector
 * @pad: zero
 */
struct tdm_segment {
	__u64 base;
	__u32 limit;
	__u32 ar;
	__u16 selector;
	__u16 pad[3];
};

/**
 * struct tdm_table - GDTR or IDTR
 * @base: base address, linear
 * @limit: limit in bytes
 * @pad: zero
 */
struct tdm_table {
	__u64 base;
	__u16 limit;
	__u16 pad[3];
};

/* Access rights: bits 0-15 as in bytes 5 and 6 of a descriptor, 8-11 zero. */
#define TDM_AR_TYPE		0x0000000fu	/* type, meaning depends on S */
#define TDM_AR_ACCESSED		0x00000001u	/* code/data: accessed */
#define TDM_AR_RW		0x00000002u	/* data: writable; code: readable */
#define TDM_AR_DC		0x00000004u	/* data: expand-down; code: conforming */
#define TDM_AR_CODE		0x00000008u	/* code segment */
#define TDM_AR_S		0x00000010u	/* code or data, not system */
#define TDM_AR_DPL_SHIFT	5
#define TDM_AR_DPL		0x00000060u
#define TDM_AR_P		0x00000080u	/* present */
#define TDM_AR_AVL		0x00001000u
#define TDM_AR_L		0x00002000u	/* 64-bit code */
#define TDM_AR_DB		0x00004000u	/* 32-bit */
#define TDM_AR_G		0x00008000u	/* limit was in pages */
#define TDM_AR_UNUSABLE		0x00010000u	/* null selector was loaded */

#endif /* TDM_ARCH_X86_STATE_H */
