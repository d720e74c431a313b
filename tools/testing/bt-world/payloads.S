/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Code that world.c runs at CPL 1 and CPL 3: position independent, its own
 * addresses do not matter. It ends with INT 0x18 (a callout: CPL 1 only) or the
 * exception under test.
 */
#include "payloads.h"

	.section .rodata
	.balign 16
	.globl pt_blob
pt_blob:

	.macro	payload name
	.balign 4
	.globl	p_\name
p_\name:
	.endm

	.code64
	payload basic
	mov	(%rbx), %rax
	add	$5, %rax
	mov	%rax, 8(%rbx)
	push	%rax
	pop	%rcx
	mov	%cs, %edx
	int	$0x18
	ud2
	payload callout
	int	$0x18
	.long	0x12345670
	payload calls
1:	int	$0x18
	jmp	1b
	payload ud2
	ud2
	payload in
	in	$0x60, %al
	payload out
	out	%al, $0x80
	payload rd
	mov	(%rbx), %rax
	int	$0x18
	payload wr
	mov	%rax, (%rbx)
	int	$0x18
	payload wrb
	movb	$0xa5, (%rbx)
	int	$0x18
	payload rd3		/* CPL 3: ends with #UD */
	mov	(%rbx), %rax
	ud2
	payload wr3
	mov	%rax, (%rbx)
	ud2
	payload jmp
	jmp	*%rbx
	payload cli
	cli
	payload sti
	sti
	payload hlt
	hlt
	payload popf
	pushq	$2
	popfq
	pushfq
	pop	%rax
	int	$0x18
	payload popf_iopl
	pushq	$0x3202
	popfq
	pushfq
	pop	%rax
	int	$0x18
	payload rdcr0
	mov	%cr0, %rax
	payload wrcr3
	mov	%rax, %cr3
	payload wrcr4
	mov	%rax, %cr4
	payload rddr7
	mov	%dr7, %rax
	payload rdmsr
	mov	$0xc0000080, %ecx
	rdmsr
	payload wrmsr
	mov	$0xc0000082, %ecx
	wrmsr
	payload lgdt
	lgdt	(%rbx)
	payload lidt
	lidt	(%rbx)
	payload ltr
	ltr	%ax
	payload lldt
	lldt	%ax
	payload clts
	clts
	payload invlpg
	invlpg	(%rbx)
	payload swapgs
	swapgs
	payload stac
	stac
	payload wbinvd
	wbinvd
	payload sysret
	sysretq
	payload sysexit
	sysexitq
	payload sgdt
	sgdt	(%rbx)
	int	$0x18
	payload smsw
	smsw	%ax
	int	$0x18
	payload str
	str	%ax
	int	$0x18
	payload cpuid
	xor	%eax, %eax
	cpuid
	int	$0x18
	payload rdtsc
	rdtsc
	int	$0x18
	payload rdpmc
	xor	%ecx, %ecx
	rdpmc
	int	$0x18
	payload rdgsbase
	rdgsbase %rax
	int	$0x18
	payload wrgsbase
	wrgsbase %rbx
	int	$0x18
	payload xgetbv
	xor	%ecx, %ecx
	xgetbv
	int	$0x18
	payload int20
	int	$0x20
	payload int80
	int	$0x80
	payload intff
	int	$0xff
	payload int2
	int	$2
	payload int18
	int	$18
	payload int3
	int3
	payload icebp
	.byte	0xf1
	nop
	payload tf
	pushfq
	orl	$0x100, (%rsp)
	popfq
	nop
	nop
	int	$0x18
	payload tf_syscall
	pushfq
	orl	$0x100, (%rsp)
	popfq
	syscall
	payload tf_int
	pushfq
	orl	$0x100, (%rsp)
	popfq
	int	$0x18
	payload syscall
	syscall
	ud2
	payload sysenter
	sysenter
	ud2
	payload iretq		/* a frame at RSP */
	iretq
	payload lretq
	lretq
	payload lar
	xor	%eax, %eax
	lar	%ebx, %eax
	setz	%cl
	movzbl	%cl, %ecx
	int	$0x18
	payload gs8
	mov	%gs:8, %rax
	int	$0x18
	payload fs8
	mov	%fs:8, %rax
	int	$0x18
	payload ldds
	mov	%ebx, %ds
	int	$0x18
	payload ldes
	mov	%ebx, %es
	int	$0x18
	payload ldfs
	mov	%ebx, %fs
	int	$0x18
	payload ldgs
	mov	%ebx, %gs
	int	$0x18
	payload ldss
	mov	%ebx, %ss
	int	$0x18
	payload spin
1:	incq	(%rbx)
	jmp	1b
	payload spin_syscall	/* CPL 0 stub code as often as can be */
1:	incq	(%rbx)
	int	$0x18
	jmp	1b
	payload movss_syscall	/* RBX: where SS's value and the breakpoint are */
	mov	(%rbx), %ss
	syscall
	ud2
	payload movss_int
	mov	(%rbx), %ss
	int	$0x18
	payload movss_int3
	mov	(%rbx), %ss
	int3
	payload fill		/* RDI to RDI + RCX with RAX, then RDX says how to end */
	rep stosb
	mov	%rsi, %rsp
	jmp	*%rdx
	payload sse
	movaps	%xmm0, %xmm1
	int	$0x18
	payload regs		/* all registers different */
	not	%rax
	not	%rcx
	not	%rdx
	not	%rbx
	not	%rbp
	not	%rsi
	not	%rdi
	not	%r8
	not	%r9
	not	%r10
	not	%r11
	not	%r12
	not	%r13
	not	%r14
	not	%r15
	int	$0x18
	payload user_ud
	mov	%ds, %eax
	mov	%cs, %ecx
	ud2
	payload user_gs
	mov	%ebx, %gs
	mov	%gs, %eax
	ud2
	payload user_lar
	xor	%eax, %eax
	lar	%ebx, %eax
	setz	%cl
	movzbl	%cl, %ecx
	ud2

	.code32
	payload c_basic
	mov	%cs, %eax
	mov	(%ebx), %ecx
	ud2
	payload c_sysenter
	sysenter
	payload c_syscall
	syscall
	ud2
	payload c_int80
	int	$0x80
	payload c_lcall		/* far call to a selector in BX */
	push	%ebx
	push	$0
	lret
	.code64
	.globl pt_blob_end
pt_blob_end:
	.section .note.GNU-stack, "", @progbits
