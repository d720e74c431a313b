/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch's code: into the guest, out of it, events in between.
 *
 * Two kinds. tdm_bt_switch() is ordinary module text. All from tdm_bt_text to
 * tdm_bt_text_end is data to the kernel: monitor.c copies it to pages that only
 * the monitor slot maps executable (TEXT). It runs at the slot's address under
 * the guest's root or the monitor's, so it must be position independent, and
 * reaches the slot's pages by their distance (SLOT()).
 *
 * State by place, CPL 0 with interrupts off in all of them:
 *	guest's root	stubs at their beginning, entry at its end: GS base is the
 *			guest's (until/from SWAPGS); only TEXT, INFO, TSS, IDT, GDT,
 *			STACK can be reached; CPL 1 can write STACK, but not now
 *	monitor's root	GS base is the host's outside of a few instructions; the
 *			host's kernel and PRIV can be reached, too
 *
 * Beware: an NMI or a machine check can come at any instruction. At CPL 0 they
 * only leave a mark in INFO, which the entry looks at right before its IRETQ; one
 * that comes after that look is sent to .Labort by its own stub, so there is no
 * window. What interrupts land on is the IST of the TSS in the current view:
 * under the monitor's root it is a stack the guest cannot read.
 *
 * Where the guest can read, nothing of the host may be left: on its stacks lie
 * frames of the guest, slot addresses, and physical addresses of roots.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/frame.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/segment.h>

#include "arch/x86/regs.h"
#include "bt/world.h"

#define SLOT(off)	(.Ltext + (off) - TDM_BT_TEXT)(%rip)

	.section .rodata.tdm_bt_text, "a", @progbits
	.balign 4096
	.globl tdm_bt_text
tdm_bt_text:
.Ltext:

/*
 * One stub of 16 bytes a vector. They make the stack: vector, error code, RIP,
 * CS, RFLAGS, RSP, SS.
 */
	vector = 0
	.rept 256
	.balign 16, 0xcc
	.if vector == 1
	jmp	.Ldb
	.elseif vector == 2
	jmp	.Lnmi
	.elseif vector == 8
	jmp	.Ldf
	.elseif vector == 18
	jmp	.Lmc
	.elseif (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
		vector == 29 || vector == 30
	push	$vector
	jmp	.Levent
	.else
	push	$0
	push	$vector
	jmp	.Levent
	.endif
	vector = vector + 1
	.endr
	.balign 64, 0xcc

/* ---- out of the guest ---- */

.Levent:
	testb	$3, 24(%rsp)
	jz	.Lcpl0
.Lguest:
	swapgs
	push	%rax
	mov	SLOT(TDM_BT_INFO + INFO_MON_CR3), %rax
	mov	%rax, %cr3
	/* The host's kernel is there, and nobody can touch the stack any more. */
	mov	SLOT(TDM_BT_PRIV + PRIV_REGS), %rax
	pop	REG_RAX(%rax)
	mov	%rcx, REG_RCX(%rax)
	mov	%rdx, REG_RDX(%rax)
	mov	%rbx, REG_RBX(%rax)
	mov	%rbp, REG_RBP(%rax)
	mov	%rsi, REG_RSI(%rax)
	mov	%rdi, REG_RDI(%rax)
	mov	%r8,  REG_R8(%rax)
	mov	%r9,  REG_R9(%rax)
	mov	%r10, REG_R10(%rax)
	mov	%r11, REG_R11(%rax)
	mov	%r12, REG_R12(%rax)
	mov	%r13, REG_R13(%rax)
	mov	%r14, REG_R14(%rax)
	mov	%r15, REG_R15(%rax)
	mov	SLOT(TDM_BT_PRIV + PRIV_BT), %rcx
	pop	FRAME_VECTOR(%rcx)
	pop	FRAME_ERROR(%rcx)
	pop	FRAME_RIP(%rcx)
	pop	FRAME_CS(%rcx)
	pop	FRAME_RFLAGS(%rcx)
	pop	FRAME_RSP(%rcx)
	pop	FRAME_SS(%rcx)
	mov	SLOT(TDM_BT_PRIV + PRIV_HOST_RSP), %rsp
	cld
	/* monitor.c puts a NOP here if the CPU has no SMAP. */
	.globl tdm_bt_text_clac
tdm_bt_text_clac:
	clac
	/* No RET before the mitigations in tdm_bt_switch(). */
	pop	%rcx
	jmp	*%rcx

/*
 * SYSCALL comes with the guest's RSP, and says neither CS nor SS nor where from.
 * Interrupts are off, TF is clear (SFMASK).
 */
.macro FROM_SYSCALL vector
	mov	%rsp, SLOT(TDM_BT_STACK_RSP0 - 16)
	lea	SLOT(TDM_BT_STACK_RSP0 - 16), %rsp
	movq	$TDM_BT_SEL_UDS, 8(%rsp)
	push	%r11
	push	$TDM_BT_SEL_U64
	push	%rcx
	push	$0
	push	$\vector
	jmp	.Lguest
.endm

	.globl tdm_bt_text_syscall
tdm_bt_text_syscall:
	FROM_SYSCALL TDM_BT_VEC_SYSCALL

	.globl tdm_bt_text_syscall32
tdm_bt_text_syscall32:
	FROM_SYSCALL TDM_BT_VEC_SYSCALL32

/* ---- into the guest ---- */

/*
 * Called by tdm_bt_switch(), on its stack, under the monitor's root: RDI is
 * struct tdm_bt, RSI struct tdm_regs, RDX the guest's CR3.
 */
	.globl tdm_bt_text_enter
tdm_bt_text_enter:
	mov	%rsp, SLOT(TDM_BT_PRIV + PRIV_HOST_RSP)
	lea	SLOT(TDM_BT_STACK_RSP0), %rsp
	push	FRAME_SS(%rdi)
	push	FRAME_RSP(%rdi)
	push	FRAME_RFLAGS(%rdi)
	push	FRAME_CS(%rdi)
	push	FRAME_RIP(%rdi)
	push	REG_RAX(%rsi)
	mov	%rdx, %rax
	mov	REG_RCX(%rsi), %rcx
	mov	REG_RDX(%rsi), %rdx
	mov	REG_RBX(%rsi), %rbx
	mov	REG_RBP(%rsi), %rbp
	mov	REG_RDI(%rsi), %rdi
	mov	REG_R8(%rsi), %r8
	mov	REG_R9(%rsi), %r9
	mov	REG_R10(%rsi), %r10
	mov	REG_R11(%rsi), %r11
	mov	REG_R12(%rsi), %r12
	mov	REG_R13(%rsi), %r13
	mov	REG_R14(%rsi), %r14
	mov	REG_R15(%rsi), %r15
	mov	REG_RSI(%rsi), %rsi
	swapgs
	mov	%rax, %cr3
	pop	%rax
	cmpb	$0, SLOT(TDM_BT_INFO + INFO_EVENT)
.Llooked:
	jne	.Labort
.Liret:
	iretq

/* As if it had hit the guest before its first instruction. */
.Labort:
	push	$0
	push	$2
	jmp	.Lguest

/* ---- at CPL 0 ---- */

/*
 * An exception at CPL 0. At IRETQ: the frame was no good (selectors, RIP): it is
 * given back as an exit with that exception. In host code: the host's handler gets
 * it. In the slot's text: our bug.
 */
.Lcpl0:
	push	%rax
	push	%rcx
	mov	32(%rsp), %rax
	lea	.Liret(%rip), %rcx
	cmp	%rcx, %rax
	je	.Lbad_frame
	lea	.Ltext(%rip), %rcx
	sub	%rcx, %rax
	cmp	$(TDM_BT_TEXT_PAGES * 4096), %rax
	jb	.Lfatal_pop
	mov	16(%rsp), %rax
	cmp	$32, %rax
	jae	.Lfatal_pop
	cmp	$14, %eax
	je	.Lhost_pf
.Lforward:
	lea	SLOT(TDM_BT_PRIV + PRIV_GATES), %rcx
	mov	(%rcx, %rax, 8), %rcx
	/* Which of them have an error code? The stack must be as the CPU leaves it. */
	push	%rdx
	mov	$0x60227d00, %edx
	bt	%eax, %edx
	pop	%rdx
	jc	1f
	mov	%rcx, 24(%rsp)
	pop	%rcx
	pop	%rax
	lea	8(%rsp), %rsp
	ret
1:	mov	%rcx, 16(%rsp)
	pop	%rcx
	pop	%rax
	ret

/*
 * A part of the host's direct map can be younger than the monitor's root. The
 * kernel only ever adds top-level entries.
 */
.Lhost_pf:
	push	%rdx
	mov	%cr2, %rax
	shr	$39, %rax
	and	$511, %eax
	cmp	$256, %eax
	jb	1f
	mov	SLOT(TDM_BT_PRIV + PRIV_HOST_ROOT), %rcx
	mov	(%rcx, %rax, 8), %rcx
	test	$1, %cl
	jz	1f
	mov	SLOT(TDM_BT_PRIV + PRIV_ROOT), %rdx
	testb	$1, (%rdx, %rax, 8)
	jnz	1f
	mov	%rcx, (%rdx, %rax, 8)
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq
1:	pop	%rdx
	mov	$14, %eax
	jmp	.Lforward

/*
 * Vector and error code go below the frame that IRETQ was given. The exception's
 * own frame begins there (its SS, at RSP0 - 56): not needed any more.
 */
.Lbad_frame:
	mov	16(%rsp), %rax
	mov	24(%rsp), %rcx
	mov	%rax, SLOT(TDM_BT_STACK_RSP0 - 56)
	mov	%rcx, SLOT(TDM_BT_STACK_RSP0 - 48)
	pop	%rcx
	pop	%rax
	lea	SLOT(TDM_BT_STACK_RSP0 - 56), %rsp
	jmp	.Lguest

/* Interrupt stacks from here on. */

/* From the guest: its exit. At CPL 0: a mark for the way out. */
.macro MARKING vector event
	testb	$3, 8(%rsp)
	jz	1f
	push	$0
	push	$\vector
	jmp	.Lguest
1:	push	%rax
	push	%rcx
	mov	%cr3, %rcx
	mov	SLOT(TDM_BT_INFO + INFO_MON_CR3), %rax
	mov	%rax, %cr3
	orb	$\event, SLOT(TDM_BT_INFO + INFO_EVENT)
	mov	%rcx, %cr3
.endm

.Lnmi:
	MARKING 2 BT_EVENT_NMI
	jmp	.Lmarked

.Lmc:
	MARKING 18 BT_EVENT_MC

/* The entry that has looked already must not go on. */
.Lmarked:
	mov	16(%rsp), %rax
	lea	.Llooked(%rip), %rcx
	sub	%rcx, %rax
	cmp	$(.Liret - .Llooked), %rax
	ja	1f
	lea	.Labort(%rip), %rax
	mov	%rax, 16(%rsp)
1:	pop	%rcx
	pop	%rax
	iretq

/*
 * At CPL 0 a #DB can only be what the guest prepared: a data breakpoint hit by the
 * instruction before a SYSCALL or INT under MOV SS. The guest's breakpoints are
 * off in host code. It is forgotten, DR6 with it, or the guest's next #DB would
 * have its bits.
 */
.Ldb:
	testb	$3, 8(%rsp)
	jz	1f
	push	$0
	push	$1
	jmp	.Lguest
1:	push	%rax
	mov	$0xffff0ff0, %eax
	mov	%rax, %dr6
	pop	%rax
	andl	$~0x100, 16(%rsp)
	orl	$0x10000, 16(%rsp)
	iretq

.Ldf:
	push	$8
	jmp	.Lfatal
.Lfatal_pop:
	pop	%rcx
	pop	%rax
/* Our bug: nothing is known but that the monitor's root has the host's kernel. */
.Lfatal:
	mov	SLOT(TDM_BT_INFO + INFO_MON_CR3), %rax
	mov	%rax, %cr3
	mov	SLOT(TDM_BT_PRIV + PRIV_HOST_GS), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$MSR_GS_BASE, %ecx
	wrmsr
	mov	SLOT(TDM_BT_PRIV + PRIV_BT), %rdi
	mov	%rsp, %rsi
	mov	SLOT(TDM_BT_PRIV + PRIV_HOST_RSP), %rsp
	and	$-16, %rsp
	mov	SLOT(TDM_BT_PRIV + PRIV_FATAL), %rax
	call	*%rax
	ud2

/* ---- tables: host state to monitor state and back ---- */

/*
 * Called from C under the monitor's root, which maps both sides' tables; RDI is
 * struct tdm_bt_tables. An NMI may come between any two of these instructions, so
 * each pair of them must work: the GDT used meanwhile has the host's descriptors
 * and the monitor's, gates and TSSs use the same IST numbers, and the NMI handler
 * in force (the host's before LIDT, ours after) has all it needs. The monitor's
 * own GDT comes last: IRET would not find the host's selectors in it, so CS and SS
 * are the monitor's by then.
 */
	.globl tdm_bt_text_in
tdm_bt_text_in:
	lgdt	TABLES_SWITCH_GDT(%rdi)
	pushq	$TDM_BT_SEL_K64
	lea	1f(%rip), %rax
	push	%rax
	lretq
1:	mov	$TDM_BT_SEL_KDS, %eax
	mov	%eax, %ss
	lidt	TABLES_MON_IDT(%rdi)
	mov	$TDM_BT_SEL_TSS, %eax
	ltr	%ax
	lgdt	TABLES_MON_GDT(%rdi)
	ret

	.globl tdm_bt_text_out
tdm_bt_text_out:
	lgdt	TABLES_SWITCH_GDT(%rdi)
	mov	$(GDT_ENTRY_TSS * 8), %eax
	ltr	%ax
	lidt	TABLES_HOST_IDT(%rdi)
	pushq	$__KERNEL_CS
	lea	1f(%rip), %rax
	push	%rax
	lretq
1:	mov	$__KERNEL_DS, %eax
	mov	%eax, %ss
	lgdt	TABLES_HOST_GDT(%rdi)
	ret

	.balign 16, 0xcc
	.globl tdm_bt_text_end
tdm_bt_text_end:

/* ---- module text ---- */

	.text

/*
 * void tdm_bt_switch(struct tdm_bt *b, struct tdm_regs *regs, u64 cr3,
 *		      unsigned long enter)
 *
 * Monitor state. @enter: tdm_bt_text_enter in the slot. It comes back behind the
 * call with the stack as it was and garbage (the guest's values) in all other
 * registers and flags.
 */
SYM_FUNC_START(tdm_bt_switch)
	FRAME_BEGIN
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rbp

	/* Nothing of the host's may stay in the CPU's buffers (MDS and kin). */
	CLEAR_CPU_BUFFERS
	CALL_NOSPEC rcx

	/* No guest value may feed speculation; the rest is reloaded below. */
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	/* Before the first RET, as after a VM exit. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	ALTERNATIVE "jmp .Librs_done", "", X86_FEATURE_KERNEL_IBRS
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	movq	PER_CPU_VAR(x86_spec_ctrl_current), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
.Librs_done:
	CLEAR_BRANCH_HISTORY_VMEXIT

	pop	%rbp
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	FRAME_END
	RET
SYM_FUNC_END(tdm_bt_switch)

/*
 * void tdm_bt_call_gate(unsigned long entry): the host's interrupt handler, as if
 * the CPU had delivered the interrupt here. Interrupts stay off.
 */
SYM_FUNC_START(tdm_bt_call_gate)
	push	%rbp
	mov	%rsp, %rbp
	and	$-16, %rsp
	push	$__KERNEL_DS
	push	%rbp
	pushfq
	push	$__KERNEL_CS
	CALL_NOSPEC rdi
	mov	%rbp, %rsp
	pop	%rbp
	RET
SYM_FUNC_END(tdm_bt_call_gate)
