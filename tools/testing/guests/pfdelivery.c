// SPDX-License-Identifier: GPL-2.0-only
/*
 * pfdelivery.c - page faults while an event is delivered: IDT, GDT, TSS and
 * stacks on pages that are missing, read-only, or met for the first time; and
 * timer interrupts while page tables change.
 *
 * SDM vol. 3, "Page-Fault Exceptions" (these accesses are supervisor accesses
 * whatever the CPL), "Interrupt 8", "Interrupt 14".
 */
#include "irq.h"
#include "paging.h"

const char guest_name[] = "pfdelivery";

#define VEC_TIMER 0x50
#define RW (PT_P | PT_W)
/* #PF and #DF get stacks of their own that are always there. */
#define IST_PF 1
#define IST_DF 2

static u8 *pages; /* behind the window pages that tests map */

static u64 page_of(u32 n)
{
	return (u64)pages + n * PAGE_SIZE;
}

static void own_stacks(bool pf)
{
	set_idt_default(EXC_PF);
	set_idt_default(EXC_DF);
	idt[2 * EXC_PF] |= (u64)(pf ? IST_PF : 0) << 32;
	idt[2 * EXC_DF] |= (u64)IST_DF << 32;
}

static void show(const char *name, struct exec *x, struct snip *s, int vec,
		 u64 err, u64 cr2)
{
	u64 rip = x->rip >= USER_ALIAS ? x->rip - USER_ALIAS : x->rip;

	check(x->vec == (u64)vec && x->err == err && x->cr2 == cr2 &&
	      rip == s->at, name, "%lx(%lx) cr2 %lx rip %s cs %lx ss %lx fl %lx rsp %lx",
	      x->vec, x->err, x->cr2, rip == s->at ? "at" : "elsewhere", x->cs,
	      x->ss, x->rflags, x->rsp);
}

/* Second half of the IDT, from vector 40 on, is on window page 11. */
static void idt_missing(void)
{
	struct snip s = SNIP("", "int $0x81", "");
	u64 base = window_addr(11) - 16 * 40;
	struct dtr d = { sizeof(idt) - 1, base };
	struct exec x;

	window_map(10, page_of(0), RW);
	window_map(11, page_of(1), RW);
	window_map(12, page_of(2), RW);
	own_stacks(true);
	memcpy((void *)base, idt, sizeof(idt));
	load_idt(&d);
	window_map(11, 0, 0);
	exec_init(&x, &s);
	exec64(&x);
	show("idt.kernel", &x, &s, EXC_PF, 0, base + 16 * VEC_DONE);
	exec_user(&x, &s);
	exec64(&x);
	show("idt.user", &x, &s, EXC_PF, 0, base + 16 * VEC_DONE);
	window_map(11, page_of(1), RW | BIT(51));
	exec_user(&x, &s);
	exec64(&x);
	show("idt.reserved", &x, &s, EXC_PF, PF_P | PF_RSVD,
	     base + 16 * VEC_DONE);
	/* Read-only and user pages are fine. */
	window_map(11, page_of(1), PT_P | PT_U);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("idt.readonly", &x, &s, VEC_DONE, NO_ERR, s.after);
	load_idt(&idt_ptr);
}

static void gdt_missing(void)
{
	struct snip s = SNIP("mov $0x78, %eax", "mov %eax, %es", "");
	u64 base = window_addr(11) - SEL_TEST0;
	struct dtr d = { SEL_LIMIT, base };
	struct exec x;

	window_map(10, page_of(0), RW);
	window_map(11, page_of(1), RW);
	memcpy((void *)base, gdt, SEL_LIMIT + 1);
	load_gdt(&d);
	window_map(11, 0, 0);
	exec_init(&x, &s);
	exec64(&x);
	show("gdt.kernel", &x, &s, EXC_PF, 0, window_addr(11));
	exec_user(&x, &s);
	exec64(&x);
	show("gdt.user", &x, &s, EXC_PF, 0, window_addr(11));
	/* The accessed bit is set by a write, which a read-only page refuses. */
	window_map(11, page_of(1), RW);
	*(u64 *)window_addr(11) = make_desc(0, 0xfffff, DESC_DATA & ~1,
					    DESC_G | DESC_D);
	window_map(11, page_of(1), PT_P);
	exec_init(&x, &s);
	exec64(&x);
	show("gdt.readonly", &x, &s, EXC_PF, PF_P | PF_W,
	     window_addr(11) + (x.cr2 & 7));
	load_gdt(&gdt_ptr);
}

/* RSP0 is on window page 14, the IST entries on 15. */
static void tss_missing(void)
{
	struct snip s = SNIP("", "int $0x81", "");
	u64 base = window_addr(15) - 36;
	struct exec x;

	window_map(14, page_of(0), RW);
	window_map(15, page_of(1), RW);
	memcpy((void *)base, &tss.t, sizeof(tss.t));
	set_gdt(SEL_TSS64, make_desc(base, sizeof(tss.t) - 1, DESC_TSS64, 0));
	load_tr(SEL_TSS64);
	window_map(14, 0, 0);
	exec_user(&x, &s);
	exec64(&x);
	show("tss.rsp0", &x, &s, EXC_PF, 0, base + 4);
	/* From ring 0 nobody looks. */
	exec_init(&x, &s);
	exec64(&x);
	check_exc("tss.kernel", &x, &s, VEC_DONE, NO_ERR, s.after);
	window_map(14, page_of(0), PT_P);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("tss.readonly", &x, &s, VEC_DONE, NO_ERR, s.after);
	set_gdt(SEL_TSS64, make_desc((u64)&tss, sizeof(tss) - 1, DESC_TSS64, 0));
	load_tr(SEL_TSS64);
}

static void stack_missing(void)
{
	struct snip s = SNIP("", "int $0x81", "");
	struct snip ud = SNIP("", "ud2", "");
	struct snip iret = SNIP("mov %rbx, %rsp", "iretq", "");
	u64 top = window_addr(21);
	struct exec x;

	window_map(20, 0, 0);
	window_map(21, page_of(1), RW);
	tss.t.rsp[0] = top;
	exec_user(&x, &s);
	exec64(&x);
	show("stack.user", &x, &s, EXC_PF, PF_W, top - 8);
	exec_user(&x, &ud);
	exec64(&x);
	show("stack.user_ud", &x, &ud, EXC_PF, PF_W, top - 8);
	exec_init(&x, &s);
	x.rsp = top;
	exec64(&x);
	show("stack.kernel", &x, &s, EXC_PF, PF_W, top - 8);
	window_map(20, page_of(0), PT_P);
	exec_user(&x, &s);
	exec64(&x);
	show("stack.readonly", &x, &s, EXC_PF, PF_P | PF_W, top - 8);
	window_map(20, page_of(0), RW | BIT(51));
	exec_user(&x, &s);
	exec64(&x);
	show("stack.reserved", &x, &s, EXC_PF, PF_P | PF_W | PF_RSVD, top - 8);
	/* Two words fit, the third does not. */
	window_map(20, 0, 0);
	tss.t.rsp[0] = top + 16;
	exec_user(&x, &s);
	exec64(&x);
	show("stack.crossing", &x, &s, EXC_PF, PF_W, top - 8);
	/* A page for users is as good, without SMAP. */
	window_map(20, page_of(0), RW | PT_U);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("stack.user_page", &x, &s, VEC_DONE, NO_ERR, s.after);

	window_map(20, 0, 0);
	exec_init(&x, &iret);
	/* Only the first word is missing: which is read first is not defined. */
	x.rbx = top - 8;
	exec64(&x);
	show("iret.missing", &x, &iret, EXC_PF, 0, top - 8);

	/* Without a stack for #PF: a double fault, with error code 0. */
	own_stacks(false);
	tss.t.rsp[0] = top;
	exec_user(&x, &s);
	exec64(&x);
	show("double.int", &x, &s, EXC_DF, 0, top - 8);
	exec_user(&x, &ud);
	exec64(&x);
	show("double.ud", &x, &ud, EXC_DF, 0, top - 8);
	exec_init(&x, &s);
	x.rsp = top;
	exec64(&x);
	show("double.kernel", &x, &s, EXC_DF, 0, top - 8);
	tss.t.rsp[0] = (u64)rsp0_stack_top;
}

/* The handler itself is missing: the frame is there, then a #PF at it. */
static void handler_missing(void)
{
	struct snip s = SNIP("", "int $0x82", "");
	struct exec x;

	own_stacks(true);
	window_map(24, 0, 0);
	set_idt(0x82, window_addr(24), SEL_K64, DESC_INT | DESC_DPL3, 0);
	exec_user(&x, &s);
	exec64(&x);
	check(x.vec == EXC_PF && x.err == 0 && x.rip == window_addr(24) &&
	      x.cs == SEL_K64 && x.rsp == (u64)rsp0_stack_top - 40, "handler",
	      "%lx(%lx) rip %lx cs %lx rsp %lx", x.vec, x.err, x.rip, x.cs,
	      x.rsp);
	set_idt_default(0x82);
}

/* Every table and stack is on a page nobody has touched through this map. */
static void fresh(void)
{
	struct snip s = SNIP("", "int $0x81", "");
	struct dtr d = { sizeof(idt) - 1, 0 };
	struct exec x;
	u32 i, bad = 0;

	memcpy((void *)page_of(3), idt, sizeof(idt));
	for (i = 0; i < 150; i++) {
		u32 w = 32 + i * 3;

		window_pt[w] = page_of(i % 3) | RW;
		window_pt[w + 1] = page_of(3) | RW;
		d.base = window_addr(w + 1);
		load_idt(&d);
		tss.t.rsp[0] = window_addr(w + 1);
		exec_user(&x, &s);
		exec64(&x);
		bad += x.vec != VEC_DONE;
		bad += (window_pt[w] & (PT_A | PT_D)) != (PT_A | PT_D);
		bad += (window_pt[w + 1] & (PT_A | PT_D)) != PT_A;
		tss.t.rsp[0] = (u64)rsp0_stack_top;
		load_idt(&idt_ptr);
		window_map(w, 0, 0);
		window_map(w + 1, 0, 0);
	}
	check_eq("fresh", bad, 0);
}

/* Interrupts at any instruction of a guest that changes its tables. */
static void timer(void)
{
	struct snip s = SNIP("mov $30000, %ecx",
			     "1: incl (%rbx); push %rcx; pop %rax; dec %ecx; jnz 1b",
			     "");
	struct chain c;
	struct exec x;
	u32 i, bad = 0;

	exc_set_hook(VEC_TIMER, irq_hook_lapic);
	chain_init(&c, 1);
	apic_write(APIC_TIMER_DIV, 0xb);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VEC_TIMER);
	/* Long enough for the slowest machine to serve one before the next. */
	apic_write(APIC_TIMER_INIT, 1000000);
	sti();
	for (i = 0; i < 2000 || (irq_count[VEC_TIMER] < 4 && i < 200000); i++) {
		u64 va = c.va + (i & 15) * PAGE_SIZE;

		c.table[1][i & 15] = frame_pa(i * 5 & 15) | RW;
		invlpg_addr(va);
		bad += probe_cell(va) != data_value(i * 5 & 15);
		c.table[1][i & 15] = 0;
		invlpg_addr(va);
		bad += probe_write(va, i) != PF_W;
	}
	cli();
	check(!bad, "timer.tables", "%u", bad);
	check(irq_count[VEC_TIMER] > 3, "timer.came", "several");

	/* In ring 3, onto stacks that come and go. */
	for (i = 0; i < 6; i++) {
		window_map(40 + i, page_of(i % 3), RW);
		tss.t.rsp[0] = window_addr(41 + i);
		exec_user(&x, &s);
		x.rbx = UALIAS(page_of(3));
		x.rflags |= FL_IF;
		*(u32 *)page_of(3) = 0;
		exec64(&x);
		bad += x.vec != VEC_DONE || *(u32 *)page_of(3) != 30000;
		tss.t.rsp[0] = (u64)rsp0_stack_top;
		window_map(40 + i, 0, 0);
	}
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	check_eq("timer.user", bad, 0);
}

void guest_main(void)
{
	pic_init();
	apic_enable();
	pages = alloc_pages(4);
	idt_missing();
	gdt_missing();
	tss_missing();
	own_stacks(true);
	stack_missing();
	handler_missing();
	own_stacks(false);
	fresh();
	probe_init();
	timer();
}
