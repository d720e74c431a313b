/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translation units: what the translator makes and what a fault inside a
 * fragment is mapped back with. No engine, no kernel: the translator builds for
 * userspace, too.
 *
 * A TU is at most TDM_TU_MAX_INSNS guest instructions in a row, from one page
 * (the last may reach into the next). It becomes one code fragment in the TC.
 *
 * Precise state: at *every* host instruction of a fragment the exact guest state
 * at an instruction boundary can be had without running on: either that before
 * the guest instruction (what was changed is undone from the spill slots) or that
 * after it. The fragment's records say which.
 */
#ifndef TDM_BT_TU_H
#define TDM_BT_TU_H

#include <linux/types.h>

#include "arch/x86/insn.h"
#include "bt/layout.h"

#define TDM_TU_MAX_INSNS	12
#define TDM_TU_MAX_LINKS	2
#define TDM_TU_MAX_RECS		64
#define TDM_TU_MAX_HOST		1024	/* bytes of one fragment */

/* What follows the INT of a callout: which TU, and what in it. */
#define TDM_BT_ID(tu, what)	((__u32)(tu) << 4 | (what))
#define TDM_BT_ID_TU(id)	((id) >> 4)
#define TDM_BT_ID_WHAT(id)	((id) & 15)
#define TDM_BT_WHAT_LINK0	12	/* 0..11: guest instruction; 12, 13: continuations */
#define TDM_BT_WHAT_MISS	14	/* an indirect branch's target is not in the lookup table */
#define TDM_BT_ID_COMMON	0u	/* the TU number of the common code */

/**
 * enum tdm_rec_kind - where the guest is
 * @TDM_REC_BEFORE: before the guest instruction: RIP is its address
 * @TDM_REC_AFTER: after it: RIP is that of the next one
 * @TDM_REC_TAKEN: after it: RIP is the target of link 0 (jmp, call)
 * @TDM_REC_INDIRECT: after it: RIP is tdm_bt_state.ind_rip
 */
enum tdm_rec_kind {
	TDM_REC_BEFORE,
	TDM_REC_AFTER,
	TDM_REC_TAKEN,
	TDM_REC_INDIRECT,
};

/**
 * enum tdm_bt_op - what a callout asks for; or what a record's instruction is
 *
 * INTERPRET is the general form: one instruction in the interpreter. The others
 * exist because their handling needs no decoding again; operands in @a, @b, @imm
 * of the record.
 */
enum tdm_bt_op {
	TDM_BT_OP_NONE,		/* IDENT or in-TC: a fault is the guest's own or the MMU's */
	TDM_BT_OP_INTERPRET,
	TDM_BT_OP_CPUID,
	TDM_BT_OP_HLT,
	TDM_BT_OP_RDMSR,
	TDM_BT_OP_WRMSR,
	TDM_BT_OP_CR_WRITE,	/* @a: CR, @b: enum tdm_reg */
	TDM_BT_OP_CR_READ,
	TDM_BT_OP_INVLPG,	/* memory operand: decode again */
	TDM_BT_OP_RDTSC,
	TDM_BT_OP_RDTSCP,
	TDM_BT_OP_IO,		/* @a: size, @b: 1 = in, @imm: port, @c: 1 = port in DX */
	TDM_BT_OP_WBINVD,
	TDM_BT_OP_SREG_READ,	/* to a register: @a: enum tdm_seg, @b: enum tdm_reg, @c: bytes */
	TDM_BT_OP_IRET,		/* 64-bit; operands are in tdm_bt_state.args */
	TDM_BT_OP_SYSRET,	/* 64-bit (REX.W) */
	TDM_BT_OP_SWAPGS,
	TDM_BT_OP_CLTS,
	TDM_BT_OP_RET,		/* an indirect branch: how to undo it; @imm: bytes popped besides */
	TDM_BT_OP_CALL_IND,
	TDM_BT_OP_JMP_IND,
	TDM_NR_BT_OPS
};

/**
 * struct tdm_bt_rec - one record of a fragment's fault map
 * @hoff: first byte it is for, from the fragment's start; it holds up to the
 *	next record's
 * @restore: guest registers to be taken from tdm_bt_state.spill first
 * @goff: the guest instruction, from the TU's start
 * @glen: its length
 * @kind: enum tdm_rec_kind
 * @insn: number of the guest instruction in the TU
 * @op: enum tdm_bt_op
 * @flags: TDM_REC_F_*
 * @a, @b, @c, @imm: operands of @op
 */
struct tdm_bt_rec {
	__u16 hoff;
	__u16 restore;
	__u8 goff;
	__u8 glen;
	__u8 kind;
	__u8 insn;
	__u8 op;
	__u8 flags;
	__u8 a;
	__u8 b;
	__u8 c;
	__u16 imm;
};

/*
 * In the shadow of an STI: the records of "after STI" and of "before the next
 * instruction". No TU ends with STI: it would be put off to the next TU, or be a
 * callout.
 */
#define TDM_REC_F_STI_SHADOW	0x01
/*
 * Flags of the guest are in tdm_bt_state.flags: with TDM_REC_BEFORE those of the
 * first mask in [0], with the others those of the second in [1]. The remaining
 * real flags are right.
 */
#define TDM_REC_F_FLAGS		0x02
#define TDM_REC_FLAGS_BEFORE	0x0008d5u	/* CF PF AF ZF SF OF */
#define TDM_REC_FLAGS_AFTER	0x244cd5u	/* besides DF NT AC ID */
/* SWAPGS half done: tdm_bt_state.kernel_gs is to be set to .ind_tc. */
#define TDM_REC_F_KGS		0x04

/**
 * struct tdm_bt_link - a direct way out of a fragment
 * @target: guest RIP
 * @patch: offset of the rel32 to be patched, from the fragment's start
 * @elide: the last thing in the fragment is the 5-byte JMP with this rel32: the
 *	target's fragment may be put in its place
 *
 * As translated, the rel32 leads to the link's continuation.
 */
struct tdm_bt_link {
	__u64 target;
	__u16 patch;
	__u8 elide;
};

/**
 * struct tdm_bt_tr - one run of the translator
 * @rip: in: guest address of the first instruction
 * @code: in: its bytes
 * @len: in: how many there are, from @rip
 * @page_len: in: an instruction may begin only in the first so many of them; all
 *	are in @rip's page
 * @max_insns: in: 1 to TDM_TU_MAX_INSNS
 * @tu: in: the TU's number, for callouts
 * @va: in: address of the fragment in the monitor slot's TC
 * @base: in: address of the monitor slot
 * @cont: in: addresses of the two continuations (INT and id, 6 bytes; the caller
 *	writes them)
 * @mode: in: enum tdm_cpu_mode, with TDM_DECODE_AMD or not
 * @fsgsbase: in: RDGSBASE and friends may be used in sequences
 * @out: out: the fragment's bytes
 * @out_len: out
 * @recs, @nr_recs: out: by increasing @hoff, the first with 0
 * @links, @nr_links: out
 * @guest_len: out: bytes of guest code translated
 * @nr_insns: out
 * @nr_ident: out: how many were IDENT
 * @insn, @work: scratch
 *
 * About 3 KiB: never on the stack.
 */
struct tdm_bt_tr {
	__u64 rip;
	const __u8 *code;
	__u32 len;
	__u32 page_len;
	__u32 tu;
	__u64 va;
	__u64 base;
	__u64 cont[TDM_TU_MAX_LINKS];
	__u8 max_insns;
	__u8 mode;
	__u8 fsgsbase;

	__u8 out[TDM_TU_MAX_HOST];
	__u16 out_len;
	__u16 nr_recs;
	struct tdm_bt_rec recs[TDM_TU_MAX_RECS];
	struct tdm_bt_link links[TDM_TU_MAX_LINKS];
	__u8 nr_links;
	__u8 nr_insns;
	__u8 nr_ident;
	__u16 guest_len;

	struct tdm_insn insn;
	struct tdm_insn_work work;
};

/**
 * tdm_bt_translate() - translate one TU
 * @tr: all "in" fields set
 *
 * The first instruction is always translated (as a callout, if need be). Pure:
 * no state but @tr, no lock, does not sleep.
 *
 * Return: 0; -EFAULT when @len bytes are not enough for the first instruction
 * (it reaches into bytes that could not be fetched): interpret it.
 */
int tdm_bt_translate(struct tdm_bt_tr *tr);

/**
 * tdm_bt_emit_common() - the code that all fragments share
 * @tr: @va, @base, and @out set; fills @out, @out_len, @recs
 *
 * Where indirect branches go whose target is not in the lookup table: the target is
 * in tdm_bt_state.ind_rip, site set, RAX and RCX are spilled. A callout with
 * TDM_BT_ID(TDM_BT_ID_COMMON, TDM_BT_WHAT_MISS). All records are TDM_REC_INDIRECT;
 * what the branch was tells the record of its own, by site.
 */
void tdm_bt_emit_common(struct tdm_bt_tr *tr);

#define TDM_BT_STUB_MAX		64	/* bytes of a stub */
#define TDM_BT_STUB_RESTORE	0x3	/* RAX, RCX: at any instruction of a stub */

/**
 * tdm_bt_emit_stub() - what the lookup table leads to for an indirect target
 * @out: TDM_BT_STUB_MAX bytes
 * @va: address they will run at
 * @base: address of the monitor slot
 * @rip: the target, guest's address
 * @fragment: its fragment
 * @miss: the common code
 *
 * Goes to @fragment if @rip is what tdm_bt_state.ind_rip says, else to @miss.
 */
void tdm_bt_emit_stub(__u8 *out, __u64 va, __u64 base, __u64 rip, __u64 fragment, __u64 miss);

#endif /* TDM_BT_TU_H */
