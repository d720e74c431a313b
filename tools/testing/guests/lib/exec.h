/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exec.h - run a few instructions in any processor mode until they end in an
 * exception, and see everything that exception recorded.
 *
 * This is the one primitive nearly every check is built on. A snippet always
 * ends by an exception: the one under test, or the int VEC_DONE placed behind
 * it. Shared with assembly; offsets are asserted in exec.c.
 */
#ifndef GUEST_EXEC_H
#define GUEST_EXEC_H

/* Offsets into struct exec. */
#define X_RAX 0x00
#define X_RCX 0x08
#define X_RDX 0x10
#define X_RBX 0x18
#define X_RSP 0x20
#define X_RBP 0x28
#define X_RSI 0x30
#define X_RDI 0x38
#define X_R8 0x40
#define X_RIP 0x80
#define X_RFLAGS 0x88
#define X_CS 0x90
#define X_SS 0x98
#define X_DS 0xa0
#define X_ES 0xa8
#define X_FS 0xb0
#define X_GS 0xb8
#define X_VEC 0xc0
#define X_ERR 0xc8
#define X_FRAME 0xd0
#define X_CR2 0xd8
#define X_DR6 0xe0
#define X_HSS 0xe8
#define X_MODE 0xf0
#define X_CR0 0xf8
#define X_CR3 0x100
#define X_CR4 0x108
#define X_EFER 0x110
#define X_TR 0x118
#define X_LDTR 0x120
#define X_GDTR 0x128
#define X_IDTR 0x138
#define X_PRE 0x148

/* Segment selectors in the common GDT (desc.c). */
#define SEL_K64 0x08
#define SEL_KD 0x10
#define SEL_K32 0x18
#define SEL_K16 0x20
#define SEL_K16D 0x28
#define SEL_U32 0x33
#define SEL_UD 0x3b
#define SEL_U64 0x43
#define SEL_TSS64 0x48
#define SEL_TSS32A 0x58
#define SEL_TSS32B 0x60
#define SEL_LDT 0x68
#define SEL_TEST0 0x78
#define SEL_LIMIT 0xff

/* int VEC_DONE (gate DPL 3) ends a snippet that raised nothing. */
#define VEC_DONE 0x81

#ifndef __ASSEMBLER__
#include "x86.h"

/* No error code on the stack. */
#define NO_ERR (~0ul)

enum exec_mode {
	/* EXEC_LONG is exec64(); the others are for exec_legacy(). */
	EXEC_PM,
	EXEC_REAL,
	/* Real mode that keeps what @pre loaded into DS, ES, FS, GS. */
	EXEC_UNREAL,
};

struct dtr {
	u16 limit;
	u64 base;
} __attribute__((packed));

/**
 * struct exec - registers to start with; after the run, as the exception
 * found them, and what it pushed
 * @vec: vector the handler was entered through
 * @err: error code, NO_ERR if none was pushed
 * @frame: linear address of the lowest word the processor pushed
 * @cr2: read by the handler
 * @dr6: read by the handler
 * @hss: SS inside the handler
 * @mode: for exec_legacy()
 * @cr0: control registers while a legacy snippet runs; likewise below
 * @pre: DS, ES, FS, GS loaded in protected mode for EXEC_UNREAL
 */
struct exec {
	u64 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 rip, rflags, cs, ss, ds, es, fs, gs;
	u64 vec, err, frame, cr2, dr6, hss;
	u64 mode, cr0, cr3, cr4, efer, tr, ldtr;
	struct dtr gdtr;
	u8 pad0[6];
	struct dtr idtr;
	u8 pad1[6];
	u16 pre[4];
};

/**
 * struct snip - addresses inside a snippet
 * @start: first instruction (set-up)
 * @at: the instruction under test
 * @after: the one behind it
 * @end: the closing int VEC_DONE
 */
struct snip {
	u64 start, at, after, end;
};

/*
 * Two statements: only a basic asm takes the text without doubling each %.
 * Volatile asms keep their order, so the numeric labels are the right ones.
 */
#define SNIP_IN(section, code, pre, insn, post) ({			\
	struct snip _s;							\
									\
	asm volatile(".pushsection " section ", \"ax\", @progbits\n"	\
		     code "\n661:\n" pre "\n662:\n" insn "\n663:\n"	\
		     post "\n664: int $0x81\n"				\
		     ".code64\n .popsection\n");			\
	asm volatile("mov $661b, %k0\n mov $662b, %k1\n"		\
		     "mov $663b, %k2\n mov $664b, %k3\n"		\
		     : "=r"(_s.start), "=r"(_s.at), "=r"(_s.after),	\
		       "=r"(_s.end));					\
	_s; })

/* SNIP(set-up, instruction under test, what follows it). */
#define SNIP(pre, insn, post) SNIP_IN(".snip", ".code64", pre, insn, post)
#define SNIP32(pre, insn, post) SNIP_IN(".snip", ".code32", pre, insn, post)
/* Code for real mode and 16-bit segments lies below 64 KiB. */
#define SNIP16(pre, insn, post) SNIP_IN(".low", ".code16", pre, insn, post)

void exec_init(struct exec *x, const struct snip *s);
void exec_user(struct exec *x, const struct snip *s);
void exec_user32(struct exec *x, const struct snip *s);
void exec_compat(struct exec *x, const struct snip *s);
void exec_init_pm(struct exec *x, const struct snip *s);
void exec_init_real(struct exec *x, const struct snip *s);
void exec64(struct exec *x);
void exec_legacy(struct exec *x);

/* The iretq of exec64(): where faults of its own report. */
extern char exec64_iretq[];

/**
 * struct frame - what the 64-bit stubs leave on the stack for a hook
 */
struct frame {
	u64 rax, rcx, rdx, rbx, rsp_dummy, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 vec, err, rip, cs, rflags, rsp, ss;
};

/*
 * A hook sees an exception first: true resumes the interrupted code with
 * *frame as changed. Runs with interrupts off on whatever stack the gate gave.
 */
typedef bool (*exc_hook_t)(struct frame *f);
void exc_set_hook(int vec, exc_hook_t hook);

extern char user_stack_top[], test_stack_top[];
#endif
#endif
