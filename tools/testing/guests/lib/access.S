/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * access.S - run a list of struct access (paging.h), in 64-bit and in 32-bit
 * code, at any privilege level.
 *
 * The loops are position independent: supervisor lists run where they are
 * linked, user lists through the user alias. (R)BX is the current access, ECX
 * how many are left, (R)BP where to go on after a fault.
 */
#include "exec.h"

#define A_KIND 8
#define A_COOKIE 12
#define A_VALUE 16
#define A_ERR 24
#define A_CR2 32
#define A_SIZE 40
#define A_CELL 8

	.text
	.code64
	.globl access64, access64_end
access64:
1:	lea	5f(%rip), %rbp
	mov	(%rbx), %rdi
	mov	A_KIND(%rbx), %edx
	test	$2, %dl
	jnz	3f
	test	$1, %dl
	jnz	2f
	mov	A_CELL(%rdi), %eax
	mov	%eax, A_VALUE(%rbx)
	jmp	5f
2:	mov	A_COOKIE(%rbx), %eax
	mov	%eax, A_CELL(%rdi)
	jmp	5f
3:	lea	4f(%rip), %rsi
	jmp	*%rdi			/* mov $signature, %eax; jmp *%rsi */
4:	mov	%eax, A_VALUE(%rbx)
5:	add	$A_SIZE, %rbx
	dec	%ecx
	jnz	1b
access64_end:
	int	$VEC_DONE

	.code32
	.globl access32, access32_end, access32_fault
access32:
	call	0f
0:	pop	%ebp
1:	mov	(%ebx), %edi
	mov	A_KIND(%ebx), %edx
	lea	5f - 0b(%ebp), %esi
	push	%ebp
	mov	%esi, %ebp
	test	$2, %dl
	jnz	3f
	test	$1, %dl
	jnz	2f
	mov	A_CELL(%edi), %eax
	mov	%eax, A_VALUE(%ebx)
	jmp	5f
2:	mov	A_COOKIE(%ebx), %eax
	mov	%eax, A_CELL(%edi)
	jmp	5f
3:	lea	4f - 5f(%ebp), %esi
	jmp	*%edi
4:	mov	%eax, A_VALUE(%ebx)
5:	pop	%ebp
	add	$A_SIZE, %ebx
	dec	%ecx
	jnz	1b
access32_end:
	int	$VEC_DONE

/* #PF in 32-bit code: the 64-bit one is a hook in C. */
access32_fault:
	push	%eax
	push	%ebx
	testb	$3, 16(%esp)		/* CS */
	jz	1f
	sub	$0x40000000, %ebx
1:	mov	8(%esp), %eax
	mov	%eax, A_ERR(%ebx)
	mov	%cr2, %eax
	mov	%eax, A_CR2(%ebx)
	pop	%ebx
	pop	%eax
	add	$4, %esp
	mov	%ebp, (%esp)
	iret

/*
 * One access each, for C: the error code of a #PF, or ACC_FINE. The stack is
 * the caller's; probe_fault() in access.c resumes at probe_return.
 */
	.code64
	.globl probe_read, probe_write, probe_fetch, probe_return
probe_read:				/* (va, u64 *value) */
	mov	(%rdi), %rax
	mov	%rax, (%rsi)
	mov	$-1, %eax
probe_return:
	ret
probe_write:				/* (va, u64 value) */
	mov	%rsi, (%rdi)
	mov	$-1, %eax
	ret
probe_fetch:				/* (va, u32 *signature) */
	push	%rsi
	lea	1f(%rip), %rsi
	jmp	*%rdi
1:	pop	%rsi
	mov	%eax, (%rsi)
	mov	$-1, %eax
	ret

	.section .note.GNU-stack, "", @progbits
