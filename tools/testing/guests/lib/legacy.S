/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * legacy.S - leave long mode for 16/32-bit protected mode, virtual-8086 mode
 * or real mode, run a snippet until an exception, and come back.
 *
 * Everything here runs below 64 KiB (section .low), where it has the same
 * address with paging off, in real mode with CS = 0, and identity-mapped. The
 * struct exec is copied to and from low_exec by exec_legacy().
 *
 * A test's GDT must keep the common selectors; its page tables must map the
 * first MiB and the snippet one to one.
 */
#include "exec.h"

	.text
	.code64
	.globl exec_legacy_asm
exec_legacy_asm:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	cli
	mov	%rsp, long_rsp
	mov	%cr0, %rax
	mov	%rax, long_cr0
	mov	%cr3, %rax
	mov	%rax, long_cr3
	mov	%cr4, %rax
	mov	%rax, long_cr4
	mov	$0xc0000080, %ecx
	rdmsr
	mov	%eax, long_efer
	ljmpl	*to_legacy32

	.section .low, "awx"
	.balign 16
	.globl low_exec
low_exec:	.skip X_PRE + 8
low_stack:	.skip 1024
low_stack_top:
long_rsp:	.quad 0
long_cr0:	.quad 0
long_cr3:	.quad 0
long_cr4:	.quad 0
long_efer:	.quad 0
to_legacy32:	.long legacy32
		.word SEL_K32
jmp_done:	.long 0
		.word 0

	.code32
legacy32:
	mov	$SEL_KD, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$low_stack_top, %esp
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	$0xc0000080, %ecx
	xor	%edx, %edx
	mov	low_exec + X_EFER, %eax
	wrmsr
	mov	low_exec + X_CR4, %eax
	mov	%eax, %cr4
	mov	low_exec + X_CR3, %eax
	mov	%eax, %cr3
	lgdtl	low_exec + X_GDTR
	lidtl	low_exec + X_IDTR
	cmpl	$0, low_exec + X_MODE
	jne	to_real

	mov	low_exec + X_CR0, %eax
	mov	%eax, %cr0
	jmp	1f
1:	mov	low_exec + X_LDTR, %eax
	lldt	%ax
	mov	low_exec + X_TR, %eax
	test	%eax, %eax
	jz	2f
	/* A TSS left busy by the last run must be available again. */
	mov	low_exec + X_GDTR + 2, %ebx
	andb	$~2, 5(%ebx, %eax)
	ltr	%ax
2:	testl	$0x20000, low_exec + X_RFLAGS
	jnz	enter_v86
	mov	low_exec + X_ES, %eax
	mov	%eax, %es
	mov	low_exec + X_FS, %eax
	mov	%eax, %fs
	mov	low_exec + X_GS, %eax
	mov	%eax, %gs
	testb	$3, low_exec + X_CS
	jnz	3f
	mov	low_exec + X_SS, %eax
	mov	%eax, %ss
	mov	low_exec + X_RSP, %esp
	jmp	4f
3:	pushl	low_exec + X_SS
	pushl	low_exec + X_RSP
4:	mov	low_exec + X_DS, %eax
	mov	%eax, %ds
	jmp	push_frame
enter_v86:
	pushl	low_exec + X_GS
	pushl	low_exec + X_FS
	pushl	low_exec + X_DS
	pushl	low_exec + X_ES
	pushl	low_exec + X_SS
	pushl	low_exec + X_RSP
push_frame:
	pushl	%cs:low_exec + X_RFLAGS
	pushl	%cs:low_exec + X_CS
	pushl	%cs:low_exec + X_RIP
	mov	%cs:low_exec + X_RAX, %eax
	mov	%cs:low_exec + X_RCX, %ecx
	mov	%cs:low_exec + X_RDX, %edx
	mov	%cs:low_exec + X_RBX, %ebx
	mov	%cs:low_exec + X_RBP, %ebp
	mov	%cs:low_exec + X_RSI, %esi
	mov	%cs:low_exec + X_RDI, %edi
	iretl

/* Real mode: through a 16-bit code segment, PE off, far jump, IRET. */
to_real:
	cmpl	$2, low_exec + X_MODE
	jne	1f
	mov	low_exec + X_PRE, %ax
	mov	low_exec + X_PRE + 2, %bx
	mov	low_exec + X_PRE + 4, %cx
	mov	low_exec + X_PRE + 6, %dx
	jmp	2f
1:	mov	$SEL_K16D, %eax
	mov	%eax, %ebx
	mov	%eax, %ecx
	mov	%eax, %edx
2:	mov	%ebx, %es
	mov	%ecx, %fs
	mov	%edx, %gs
	mov	$SEL_K16D, %ebx
	mov	%ebx, %ss
	mov	%eax, %ds
	ljmp	$SEL_K16, $pm16
	.code16
pm16:
	mov	%cs:low_exec + X_CR0, %eax
	mov	%eax, %cr0
	ljmp	$0, $real16
real16:
	cmpl	$2, %cs:low_exec + X_MODE
	je	1f
	mov	%cs:low_exec + X_ES, %ax
	mov	%ax, %es
	mov	%cs:low_exec + X_FS, %ax
	mov	%ax, %fs
	mov	%cs:low_exec + X_GS, %ax
	mov	%ax, %gs
	mov	%cs:low_exec + X_DS, %ax
	mov	%ax, %ds
1:	mov	%cs:low_exec + X_SS, %ax
	mov	%ax, %ss
	mov	%cs:low_exec + X_RSP, %esp
	pushw	%cs:low_exec + X_RFLAGS
	pushw	%cs:low_exec + X_CS
	pushw	%cs:low_exec + X_RIP
	mov	%cs:low_exec + X_RAX, %eax
	mov	%cs:low_exec + X_RCX, %ecx
	mov	%cs:low_exec + X_RDX, %edx
	mov	%cs:low_exec + X_RBX, %ebx
	mov	%cs:low_exec + X_RBP, %ebp
	mov	%cs:low_exec + X_RSI, %esi
	mov	%cs:low_exec + X_RDI, %edi
	iretw

/* Exceptions in real mode: IP, CS, FLAGS pushed, never an error code. */
	.balign 16
	.globl real_stubs
real_stubs:
	vec = 0
	.rept 256
	.balign 8
	pushw	$vec
	jmp	real_common
	vec = vec + 1
	.endr

real_common:
	mov	%eax, %cs:low_exec + X_RAX
	mov	%ecx, %cs:low_exec + X_RCX
	mov	%edx, %cs:low_exec + X_RDX
	mov	%ebx, %cs:low_exec + X_RBX
	mov	%ebp, %cs:low_exec + X_RBP
	mov	%esi, %cs:low_exec + X_RSI
	mov	%edi, %cs:low_exec + X_RDI
	xor	%eax, %eax
	pop	%ax
	mov	%eax, %cs:low_exec + X_VEC
	movl	$-1, %cs:low_exec + X_ERR
	movl	$-1, %cs:low_exec + X_ERR + 4
	mov	%esp, %cs:low_exec + X_FRAME
	pop	%ax
	mov	%eax, %cs:low_exec + X_RIP
	pop	%ax
	mov	%eax, %cs:low_exec + X_CS
	pop	%ax
	mov	%eax, %cs:low_exec + X_RFLAGS
	mov	%esp, %cs:low_exec + X_RSP
	mov	%ds, %ax
	mov	%eax, %cs:low_exec + X_DS
	mov	%es, %ax
	mov	%eax, %cs:low_exec + X_ES
	mov	%fs, %ax
	mov	%eax, %cs:low_exec + X_FS
	mov	%gs, %ax
	mov	%eax, %cs:low_exec + X_GS
	mov	%ss, %ax
	mov	%eax, %cs:low_exec + X_SS
	mov	%eax, %cs:low_exec + X_HSS
	lgdtl	%cs:gdt_ptr_low
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$SEL_K32, $back_to_long
	.code32

/* Exceptions in protected and virtual-8086 mode. */
	.balign 16
	.globl pm_stubs
pm_stubs:
	vec = 0
	.rept 256
	.balign 16
	.if (vec != 8) && (vec != 17) && ((vec < 10) || (vec > 14))
	pushl	$-1
	.endif
	pushl	$vec
	jmp	pm_common
	vec = vec + 1
	.endr

/* As above for an `int n` to an error-code vector: no error code pushed. */
	.globl pm_int_stub
pm_int_stub:
	pushl	$-1
	pushl	$VEC_DONE + 1
pm_common:
	push	%eax
	push	%ds
	mov	$SEL_KD, %eax
	mov	%eax, %ds
	popl	low_exec + X_DS
	popl	low_exec + X_RAX
	mov	%ecx, low_exec + X_RCX
	mov	%edx, low_exec + X_RDX
	mov	%ebx, low_exec + X_RBX
	mov	%ebp, low_exec + X_RBP
	mov	%esi, low_exec + X_RSI
	mov	%edi, low_exec + X_RDI
	xor	%eax, %eax
	mov	%es, %ax
	mov	%eax, low_exec + X_ES
	mov	%fs, %ax
	mov	%eax, low_exec + X_FS
	mov	%gs, %ax
	mov	%eax, low_exec + X_GS
	mov	%ss, %ax
	mov	%eax, low_exec + X_HSS
	popl	low_exec + X_VEC
	mov	%esp, low_exec + X_FRAME
	popl	%eax
	mov	%eax, low_exec + X_ERR
	xor	%edx, %edx
	cmp	$-1, %eax
	jne	1f
	mov	%eax, %edx
	addl	$4, low_exec + X_FRAME
1:	mov	%edx, low_exec + X_ERR + 4
	popl	low_exec + X_RIP
	popl	low_exec + X_CS
	andl	$0xffff, low_exec + X_CS
	popl	%eax
	mov	%eax, low_exec + X_RFLAGS
	test	$0x20000, %eax
	jnz	2f
	testb	$3, low_exec + X_CS
	jnz	3f
	mov	%esp, low_exec + X_RSP
	xor	%eax, %eax
	mov	%ss, %ax
	mov	%eax, low_exec + X_SS
	jmp	back_to_long
2:	popl	low_exec + X_RSP
	popl	low_exec + X_SS
	popl	low_exec + X_ES
	popl	low_exec + X_DS
	popl	low_exec + X_FS
	popl	low_exec + X_GS
	jmp	back_to_long
3:	popl	low_exec + X_RSP
	popl	low_exec + X_SS
	andl	$0xffff, low_exec + X_SS

	.globl back_to_long
back_to_long:
	mov	$SEL_KD, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$low_stack_top, %esp
	cld
	mov	%cr0, %eax
	mov	%eax, low_exec + X_CR0
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	%cr3, %eax
	mov	%eax, low_exec + X_CR3
	mov	%cr4, %eax
	mov	%eax, low_exec + X_CR4
	lgdtl	gdt_ptr_low
	mov	long_cr4, %eax
	mov	%eax, %cr4
	mov	long_cr3, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	xor	%edx, %edx
	mov	long_efer, %eax
	and	$~0x400, %eax
	wrmsr
	mov	long_cr0, %eax
	mov	%eax, %cr0
	jmp	1f
1:	ljmp	$SEL_K64, $legacy_back
	.code64
legacy_back:
	lidt	idt_ptr
	xor	%eax, %eax
	lldt	%ax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	long_rsp, %rsp
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
