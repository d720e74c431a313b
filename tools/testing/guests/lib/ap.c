// SPDX-License-Identifier: GPL-2.0-only
/*
 * ap.c - brings an application processor to 64-bit C code.
 *
 * One stack: one application processor at a time. It has the common GDT and
 * page tables, but no TSS: ring 0 only.
 */
#include "irq.h"

extern char ap_trampoline[], ap_trampoline_end[], ap_stack_top[];

void (*ap_entry)(void);

/* 16 bits, CS = AP_TRAMPOLINE / 16, then the same way as the boot processor. */
asm(".text\n"
    ".code16\n"
    "ap_trampoline:\n"
    "	cli\n"
    "	mov	%cs, %ax\n"
    "	mov	%ax, %ds\n"
    "	lgdtl	ap_gdt_ptr - ap_trampoline\n"
    "	mov	%cr0, %eax\n"
    "	or	$1, %al\n"
    "	and	$0x9fffffff, %eax\n"
    "	mov	%eax, %cr0\n"
    "	ljmpl	$0x18, $ap_pm\n"
    "ap_gdt_ptr:\n"
    "	.word	0xff\n"
    "	.long	gdt\n"
    "ap_trampoline_end:\n"
    ".code32\n"
    "ap_pm:\n"
    "	mov	$0x10, %eax\n"
    "	mov	%eax, %ds\n"
    "	mov	%eax, %es\n"
    "	mov	%eax, %ss\n"
    "	mov	$ap_stack_top, %esp\n"
    "	mov	$boot_pml4, %eax\n"
    "	call	enter_long_common\n"
    "	ljmp	$0x08, $1f\n"
    ".code64\n"
    "1:	mov	$ap_stack_top, %rsp\n"
    "	xor	%ebp, %ebp\n"
    "	call	*ap_entry\n"
    ".bss\n"
    ".balign 16\n"
    ".skip 8192\n"
    "ap_stack_top:\n"
    ".text\n");

/* Puts the trampoline in place; a SIPI starts it and, from it, entry(). */
void ap_prepare(void (*entry)(void))
{
	memcpy((void *)AP_TRAMPOLINE, ap_trampoline,
	       ap_trampoline_end - ap_trampoline);
	ap_entry = entry;
}

/* INIT, a while, SIPI to all others. */
void ap_start(void (*entry)(void))
{
	u64 start = rdtsc();

	ap_prepare(entry);
	apic_icr(0, ICR_OTHERS | ICR_INIT | ICR_ASSERT);
	while (rdtsc() - start < 1000000)
		pause();
	apic_icr(0, ICR_OTHERS | ICR_SIPI | ICR_ASSERT | AP_TRAMPOLINE >> 12);
}
