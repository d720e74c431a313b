/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * start.S - from the multiboot-1 entry (32-bit protected mode, paging off) to
 * 64-bit C code.
 *
 * Address space of every guest (see mem.c for the window):
 *   0x00000000 + 1 GiB  identity, supervisor, 2 MiB pages
 *   0x40000000 + 1 GiB  the same memory again, user-accessible
 *   0x80000000 + 2 MiB  window: 4 KiB pages under a test's control
 *   0xc0000000 + 1 GiB  identity, supervisor (APICs)
 * and all of it once more at 0xffff800000000000.
 */
#define MB_MAGIC 0x1badb002
#define MB_FLAGS 0x3

	.section .multiboot, "a"
	.balign 4
	.long MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.section .text.start, "ax"
	.code32
	.globl _start
_start:
	cli
	cld
	mov	%eax, mb_magic
	mov	%ebx, mb_info
	mov	$boot_stack_top, %esp

	mov	$low_load, %esi
	mov	$low_start, %edi
	mov	$low_end, %ecx
	sub	%edi, %ecx
	rep movsb

	/* Both PML4 slots and all PDPT slots: P|W|U, the leaves decide. */
	movl	$boot_pdpt + 7, boot_pml4
	movl	$boot_pdpt + 7, boot_pml4 + 256 * 8
	movl	$boot_pd0 + 7, boot_pdpt
	movl	$boot_pd1 + 7, boot_pdpt + 8
	movl	$boot_pd2 + 7, boot_pdpt + 16
	movl	$boot_pd3 + 7, boot_pdpt + 24

	xor	%ecx, %ecx
1:	mov	%ecx, %eax
	shl	$21, %eax
	lea	0x83(%eax), %edx		/* P|W|PS */
	mov	%edx, boot_pd0(, %ecx, 8)
	or	$4, %edx			/* U */
	mov	%edx, boot_pd1(, %ecx, 8)
	add	$0xc0000093, %eax		/* and PCD */
	mov	%eax, boot_pd3(, %ecx, 8)
	inc	%ecx
	cmp	$512, %ecx
	jb	1b
	movl	$window_pt + 7, boot_pd2

	mov	$boot_pml4, %eax
	call	enter_long_common
	ljmp	$0x08, $start64

/*
 * Paging and long mode on with the tables at %eax, common GDT loaded. Used by
 * application processors as well.
 */
	.globl enter_long_common
enter_long_common:
	mov	%eax, %cr3
	mov	$0x20, %eax			/* CR4.PAE */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x100, %eax			/* EFER.LME */
	wrmsr
	mov	$0x80010031, %eax		/* PG WP NE ET PE */
	mov	%eax, %cr0
	lgdt	gdt_ptr
	ret

	.code64
start64:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$boot_stack_top, %rsp
	xor	%ebp, %ebp
	call	guest_start
1:	hlt
	jmp	1b

	.bss
	.balign 4096
	.globl boot_pml4, boot_pdpt, boot_pd0, boot_pd2, window_pt
boot_pml4:	.skip 4096
boot_pdpt:	.skip 4096
boot_pd0:	.skip 4096
boot_pd1:	.skip 4096
boot_pd2:	.skip 4096
boot_pd3:	.skip 4096
window_pt:	.skip 4096
boot_stack:	.skip 32768
	.globl boot_stack_top
boot_stack_top:

	.data
	.globl mb_magic, mb_info
mb_magic:	.long 0
mb_info:	.long 0

	.section .note.GNU-stack, "", @progbits
