/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exec64.S - enter a snippet by IRETQ, come back by whatever exception ends
 * it; and the 256 entry stubs of the 64-bit IDT.
 *
 * In 64-bit mode the processor aligns RSP to 16 before it pushes, so bit 3 of
 * RSP tells whether there is an error code, whatever the vector: no table to
 * get wrong when `int n` enters the gate of an error-code vector.
 */
#include "exec.h"

	.text
	.globl exec64
exec64:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	mov	%rsp, exec_host_rsp
	mov	%rdi, exec_current
	mov	X_DS(%rdi), %eax
	mov	%eax, %ds
	mov	X_ES(%rdi), %eax
	mov	%eax, %es
	mov	X_FS(%rdi), %eax
	mov	%eax, %fs
	mov	X_GS(%rdi), %eax
	mov	%eax, %gs
	pushq	X_SS(%rdi)
	pushq	X_RSP(%rdi)
	pushq	X_RFLAGS(%rdi)
	pushq	X_CS(%rdi)
	pushq	X_RIP(%rdi)
	mov	X_RAX(%rdi), %rax
	mov	X_RCX(%rdi), %rcx
	mov	X_RDX(%rdi), %rdx
	mov	X_RBX(%rdi), %rbx
	mov	X_RBP(%rdi), %rbp
	mov	X_RSI(%rdi), %rsi
	mov	X_R8(%rdi), %r8
	mov	X_R8+8(%rdi), %r9
	mov	X_R8+16(%rdi), %r10
	mov	X_R8+24(%rdi), %r11
	mov	X_R8+32(%rdi), %r12
	mov	X_R8+40(%rdi), %r13
	mov	X_R8+48(%rdi), %r14
	mov	X_R8+56(%rdi), %r15
	mov	X_RDI(%rdi), %rdi
	.globl exec64_iretq
exec64_iretq:
	iretq

/* exc_dispatch() returns here, through an iretq that also unblocks NMIs. */
	.globl exec64_done
exec64_done:
	mov	$SEL_KD, %eax
	mov	%eax, %ds
	mov	%eax, %es
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.balign 16
	.globl exc_stubs
exc_stubs:
	vec = 0
	.rept 256
	.balign 16
	pushq	$vec
	jmp	exc_common
	vec = vec + 1
	.endr

	.globl exc_common
exc_common:
	cld
	testb	$8, %spl
	jnz	1f
	pushq	(%rsp)
	movq	$-1, 8(%rsp)
1:	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	%rsp
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$~15, %rsp
	call	exc_dispatch
	mov	%rbp, %rsp
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	add	$8, %rsp
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	iretq

	.bss
	.balign 16
	.globl exec_host_rsp, exec_current
exec_host_rsp:	.skip 8
exec_current:	.skip 8
	.balign 4096
	.skip 8192
	.globl rsp0_stack_top
rsp0_stack_top:
	.skip 4096
	.globl ist_stack_top
ist_stack_top:
	.skip 4096
	.globl ist2_stack_top
ist2_stack_top:
	.skip 8192
	.globl test_stack_top
test_stack_top:
	.skip 8192
	.globl user_stack_top
user_stack_top:

	.section .note.GNU-stack, "", @progbits
