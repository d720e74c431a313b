// SPDX-License-Identifier: GPL-2.0-only
/*
 * desc.c - GDT, LDT, TSSs and the three kinds of interrupt tables.
 *
 * Tests may change any entry; they put it back with set_idt_default() and
 * friends. SEL_TEST0 and up are free for them. The common selectors must stay
 * as they are: legacy.S and exec64.S use them on the way back.
 */
#include "lib.h"

u64 gdt[32] __attribute__((aligned(4096))) = {
	/* Before desc_init(): for start.S. Accessed bits set. */
	[SEL_K64 / 8] = 0x00af9b000000ffff,
	[SEL_KD / 8] = 0x00cf93000000ffff,
	[SEL_K32 / 8] = 0x00cf9b000000ffff,
	[SEL_K16 / 8] = 0x00009b000000ffff,
	[SEL_K16D / 8] = 0x000093000000ffff,
	[SEL_U32 / 8] = 0x00cffb000000ffff,
	[SEL_UD / 8] = 0x00cff3000000ffff,
	[SEL_U64 / 8] = 0x00affb000000ffff,
};

u64 ldt[16] __attribute__((aligned(16)));
u64 idt[512] __attribute__((aligned(4096)));
u64 idt32[256] __attribute__((aligned(4096)));
struct tss64_io tss __attribute__((aligned(4096)));
struct tss32 tss32a __attribute__((aligned(128)));
struct tss32 tss32b __attribute__((aligned(128)));
struct dtr gdt_ptr = { SEL_LIMIT, (u64)gdt };
struct dtr gdt_ptr_low __attribute__((section(".low.data"))) = {
	SEL_LIMIT, (u64)gdt
};
struct dtr idt_ptr = { sizeof(idt) - 1, (u64)idt };
struct dtr idt32_ptr = { sizeof(idt32) - 1, (u64)idt32 };
struct dtr ivt_ptr = { 0x3ff, 0 };

_Static_assert(sizeof(struct tss64) == 104, "TSS");
_Static_assert(sizeof(gdt) == SEL_LIMIT + 1, "GDT limit");

extern char exc_stubs[], pm_stubs[], real_stubs[];

/* Sizes of one stub, from .balign in exec64.S and legacy.S. */
#define STUB_SIZE 16
#define REAL_STUB_SIZE 8

u64 make_desc(u32 base, u32 limit, u8 access, u8 flags)
{
	return (limit & 0xffff) | (base & 0xfffffful) << 16 |
	       (u64)access << 40 | (u64)((limit >> 16) & 0xf) << 48 |
	       (u64)(flags & 0xf0) << 48 | (u64)(base >> 24) << 56;
}

void set_gdt(u16 sel, u64 desc)
{
	gdt[sel / 8] = desc;
}

void set_idt(int vec, u64 handler, u16 sel, u8 type, u8 ist)
{
	idt[2 * vec] = (handler & 0xffff) | (u64)sel << 16 | (u64)ist << 32 |
		       (u64)type << 40 | ((handler >> 16) & 0xffff) << 48;
	idt[2 * vec + 1] = handler >> 32;
}

void set_idt_default(int vec)
{
	u8 dpl = vec == VEC_DONE || vec == EXC_BP || vec == EXC_OF ?
			 DESC_DPL3 : 0;

	set_idt(vec, (u64)exc_stubs + STUB_SIZE * vec, SEL_K64, DESC_INT | dpl,
		0);
}

void set_idt32(int vec, u32 handler, u16 sel, u8 type)
{
	idt32[vec] = (handler & 0xffff) | (u64)sel << 16 | (u64)type << 40 |
		     (u64)(handler >> 16) << 48;
}

void set_idt32_default(int vec)
{
	u8 dpl = vec == VEC_DONE || vec == EXC_BP || vec == EXC_OF ?
			 DESC_DPL3 : 0;

	set_idt32(vec, (u32)(u64)pm_stubs + STUB_SIZE * vec, SEL_K32,
		  DESC_INT | dpl);
}

void set_ivt(int vec, u16 seg, u16 off)
{
	u32 *ivt;

	/* Address 0 is a valid address here; gcc must not know. */
	asm("xor %k0, %k0" : "=r"(ivt));
	ivt[vec] = (u32)seg << 16 | off;
}

void load_tr(u16 sel)
{
	gdt[sel / 8] &= ~BIT(41); /* not busy */
	asm volatile("ltr %0" : : "r"(sel) : "memory");
}

void load_gdt(const struct dtr *d)
{
	asm volatile("lgdt %0" : : "m"(*d) : "memory");
}

void load_idt(const struct dtr *d)
{
	asm volatile("lidt %0" : : "m"(*d) : "memory");
}

/* All legacy interrupt lines masked until a test wants one. */
static void mask_pics(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void desc_init(void)
{
	int i;

	mask_pics();
	for (i = 0; i < 256; i++) {
		set_idt_default(i);
		set_idt32_default(i);
		set_ivt(i, 0, (u64)real_stubs + REAL_STUB_SIZE * i);
	}
	load_idt(&idt_ptr);

	tss.t.rsp[0] = (u64)rsp0_stack_top;
	tss.t.ist[1] = (u64)ist_stack_top;
	tss.t.ist[2] = (u64)ist2_stack_top;
	tss.t.iomap = sizeof(tss.t);
	memset(tss.bitmap, 0xff, sizeof(tss.bitmap));
	tss.end = 0xff;
	set_gdt(SEL_TSS64, make_desc((u64)&tss, sizeof(tss) - 1, DESC_TSS64, 0));
	set_gdt(SEL_TSS64 + 8, (u64)&tss >> 32);

	tss32a.esp0 = (u64)rsp0_stack_top;
	tss32a.ss0 = SEL_KD;
	tss32a.iomap = sizeof(tss32a);
	set_gdt(SEL_TSS32A,
		make_desc((u64)&tss32a, sizeof(tss32a) - 1, DESC_TSS32, 0));
	set_gdt(SEL_TSS32B,
		make_desc((u64)&tss32b, sizeof(tss32b) - 1, DESC_TSS32, 0));
	set_gdt(SEL_LDT, make_desc((u64)ldt, sizeof(ldt) - 1, DESC_LDT, 0));
	load_tr(SEL_TSS64);
}
