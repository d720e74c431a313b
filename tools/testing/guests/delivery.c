// SPDX-License-Identifier: GPL-2.0-only
/*
 * delivery.c - how an exception gets to its handler, and what happens when
 * that fails on the way: gates, IST and TSS stacks, contributory faults, page
 * faults on the tables themselves.
 *
 * SDM vol. 3, "Interrupt and Exception Handling": "64-Bit Mode Stack Frame",
 * "Interrupt Stack Table", "Interrupt 8 - Double Fault" (the classes), "Error
 * Code" (EXT is set when the event came from outside the program).
 */
#include "lib.h"

const char guest_name[] = "delivery";

#define EXT 1
#define IDT_BIT 2

extern char flag_probe[], exc_stubs[];
extern u64 probed_flags, probed_ss;

/* A handler that notes RFLAGS and SS as the gate left them. */
asm(".text\n"
    "flag_probe:\n"
    "	pushfq\n"
    "	popq	probed_flags\n"
    "	mov	%ss, probed_ss\n"
    "	pushq	$0x50\n"
    "	jmp	exc_common\n"
    ".bss\n"
    ".balign 8\n"
    "probed_flags: .skip 8\n"
    "probed_ss: .skip 8\n"
    ".text\n");

static void gates(void)
{
	struct exec x;
	struct snip s;

	s = SNIP("pushq $0x4ed7; popfq", "int $0x50", "");
	set_idt(0x50, (u64)flag_probe, SEL_K64, DESC_INT, 0);
	exec_init(&x, &s);
	exec64(&x);
	check_exc("gate.interrupt", &x, &s, 0x50, NO_ERR, s.after);
	check_eq("gate.interrupt.pushed", x.rflags, 0x4ed7);
	/* IF, TF, NT, RF cleared; the rest, DF included, kept. */
	check_eq("gate.interrupt.flags", probed_flags, 0x0cd7);
	set_idt(0x50, (u64)flag_probe, SEL_K64, DESC_TRAP, 0);
	exec_init(&x, &s);
	exec64(&x);
	check_exc("gate.trap", &x, &s, 0x50, NO_ERR, s.after);
	check_eq("gate.trap.flags", probed_flags, 0x0ed7);

	/* From CPL 3: SS becomes null, RSP comes from the TSS. */
	set_idt(0x50, (u64)flag_probe, SEL_K64, DESC_INT | DESC_DPL3, 0);
	s = SNIP("", "int $0x50", "");
	exec_user(&x, &s);
	x.rsp -= 3;
	exec64(&x);
	check_exc("gate.user", &x, &s, 0x50, NO_ERR, s.after);
	check(probed_ss == 0 && x.frame == (u64)rsp0_stack_top - 40 &&
	      x.rsp == UALIAS(user_stack_top) - 3, "gate.user.stack",
	      "ss %lx frame %lx rsp %lx", probed_ss, x.frame, x.rsp);

	/* The frame is aligned to 16 bytes, the pushed RSP is not. */
	s = SNIP("sub $3, %rsp", "ud2", "");
	exec_init(&x, &s);
	exec64(&x);
	check(x.rsp == (u64)test_stack_top - 3 && !((x.frame + 40) & 15),
	      "gate.align", "rsp %lx frame %lx", x.rsp, x.frame);
	s = SNIP("sub $8, %rsp; mov $0x100, %eax", "mov %eax, %ds", "");
	exec_init(&x, &s);
	exec64(&x);
	check(x.rsp == (u64)test_stack_top - 8 && !(x.frame & 15),
	      "gate.align_error_code", "rsp %lx frame %lx", x.rsp, x.frame);

	/* IST: switches the stack without a change of CPL; SS stays. */
	set_idt(0x50, (u64)flag_probe, SEL_K64, DESC_INT | DESC_DPL3, 2);
	s = SNIP("", "int $0x50", "");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == 0x50 && x.frame == (u64)ist2_stack_top - 40 &&
	      x.rsp == (u64)test_stack_top && probed_ss == SEL_KD, "gate.ist",
	      "frame %lx rsp %lx ss %lx", x.frame, x.rsp, probed_ss);
	exec_user(&x, &s);
	exec64(&x);
	check(x.vec == 0x50 && x.frame == (u64)ist2_stack_top - 40 &&
	      probed_ss == 0, "gate.ist_user", "frame %lx ss %lx", x.frame,
	      probed_ss);
	/* IST pointers that are not aligned are rounded down. */
	tss.t.ist[2] -= 8;
	exec_init(&x, &s);
	exec64(&x);
	check(x.frame == (u64)ist2_stack_top - 16 - 40, "gate.ist_align",
	      "frame %lx", x.frame);
	tss.t.ist[2] += 8;
	set_idt_default(0x50);
}

/* Gates that cannot be used: INT n against exceptions (the EXT bit). */
static void bad_gates(void)
{
	struct exec x;
	struct snip s;
	static const struct {
		const char *name;
		u64 handler;
		u16 sel;
		u8 type;
		int vec;
		/* relative to the vector's own error code, or the selector's */
		bool selector;
	} cases[] = {
		{ "badgate.not_present", 0, SEL_K64, DESC_INT & ~DESC_P, EXC_NP, 0 },
		{ "badgate.type_0", 0, SEL_K64, 0x80, EXC_GP, 0 },
		{ "badgate.type_call", 0, SEL_K64, 0x8c, EXC_GP, 0 },
		{ "badgate.type_task", 0, SEL_K64, 0x85, EXC_GP, 0 },
		{ "badgate.type_int16", 0, SEL_K64, 0x86, EXC_GP, 0 },
		{ "badgate.sel_null", 0, 0, DESC_INT, EXC_GP, 1 },
		{ "badgate.sel_data", 0, SEL_KD, DESC_INT, EXC_GP, 1 },
		{ "badgate.sel_32bit", 0, SEL_K32, DESC_INT, EXC_GP, 1 },
		{ "badgate.sel_beyond", 0, 0x100, DESC_INT, EXC_GP, 1 },
		{ "badgate.sel_dpl3", 0, SEL_U64, DESC_INT, EXC_GP, 1 },
		{ "badgate.noncanonical", 0x800000000000, SEL_K64, DESC_INT, EXC_GP, 2 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 err;

		s = SNIP("", "int $0x50", "");
		set_idt(0x50, cases[i].handler, cases[i].sel, cases[i].type, 0);
		err = cases[i].selector ? cases[i].sel & ~3 :
					  0x50 * 8 + IDT_BIT;
		if (cases[i].handler)
			err = 0;
		exec_init(&x, &s);
		exec64(&x);
		check_exc(cases[i].name, &x, &s, cases[i].vec, err, s.at);

		/* The same for #UD: EXT = 1. */
		s = SNIP("", "ud2", "");
		set_idt(EXC_UD, cases[i].handler, cases[i].sel, cases[i].type,
			0);
		err = cases[i].selector ? cases[i].sel & ~3 :
					  EXC_UD * 8 + IDT_BIT;
		if (cases[i].handler)
			err = 0;
		exec_init(&x, &s);
		exec64(&x);
		check_exc(cases[i].name, &x, &s, cases[i].vec, err | EXT, s.at);
		set_idt_default(EXC_UD);
	}
	set_idt_default(0x50);

	/* Beyond the IDT limit. */
	s = SNIP("", "int $0xf0", "");
	idt_ptr.limit = 0xf0 * 16 - 1;
	load_idt(&idt_ptr);
	exec_init(&x, &s);
	exec64(&x);
	check_exc("badgate.limit", &x, &s, EXC_GP, 0xf0 * 8 + IDT_BIT, s.at);
	/* The last byte counts. */
	idt_ptr.limit = 0xf1 * 16 - 2;
	load_idt(&idt_ptr);
	exec_init(&x, &s);
	exec64(&x);
	check_exc("badgate.limit_last_byte", &x, &s, EXC_GP,
		  0xf0 * 8 + IDT_BIT, s.at);
	idt_ptr.limit = 0xf1 * 16 - 1;
	load_idt(&idt_ptr);
	exec_init(&x, &s);
	exec64(&x);
	check_exc("badgate.limit_ok", &x, &s, 0xf0, NO_ERR, s.after);
	idt_ptr.limit = sizeof(idt) - 1;
	load_idt(&idt_ptr);
}

/*
 * "Interrupt 8": first exception x second exception. The second one is made
 * by the first one's gate: not present (#NP), or a stack that is not mapped
 * (#PF).
 */
static void classes(void)
{
	struct exec x;
	struct snip s;
	u64 w = window_addr(4);

	window_map(3, 0, 0);
	window_map(4, 0, 0);
	tss.t.ist[3] = w;

#define SECOND(name, first, pre, insn, gate_p, ist, vec, err) do {	\
	u8 old = gate_p ? DESC_INT : (u8)(DESC_INT & ~DESC_P);		\
									\
	s = SNIP(pre, insn, "");					\
	set_idt(first, idt_default(first), SEL_K64, old, ist);		\
	set_idt(EXC_DF, idt_default(EXC_DF), SEL_K64, DESC_INT, 2);	\
	exec_init(&x, &s);						\
	exec64(&x);							\
	check_exc("class." name, &x, &s, vec, err, s.at);		\
	check_eq("class." name ".cr2", vec == EXC_PF ? x.cr2 - w : 0,	\
		 vec == EXC_PF ? -8 : 0);				\
	set_idt_default(first);						\
} while (0)
#define idt_default(v) ((u64)exc_stubs + 16 * (v))

	/* benign, then contributory or page fault: one after the other */
	SECOND("ud_np", EXC_UD, "", "ud2", 0, 0, EXC_NP,
	       EXC_UD * 8 + IDT_BIT + EXT);
	SECOND("ud_pf", EXC_UD, "", "ud2", 1, 3, EXC_PF, PF_W);
	SECOND("bp_np", EXC_BP, "", "int3", 0, 0, EXC_NP,
	       EXC_BP * 8 + IDT_BIT);
	SECOND("bp_pf", EXC_BP, "", "int3", 1, 3, EXC_PF, PF_W);
	SECOND("db_np", EXC_DB, "", ".byte 0xf1", 0, 0, EXC_NP,
	       EXC_DB * 8 + IDT_BIT + EXT);
	/* contributory, then contributory: double fault */
	SECOND("de_np", EXC_DE, "xor %ecx, %ecx", "div %ecx", 0, 0, EXC_DF, 0);
	SECOND("gp_np", EXC_GP, "mov $0x100, %eax", "mov %eax, %ds", 0, 0,
	       EXC_DF, 0);
	SECOND("np_np", EXC_NP, "movq $0, gdt + 0x78; movb $0x13, gdt + 0x7d; mov $0x78, %eax",
	       "mov %eax, %ds", 0, 0, EXC_DF, 0);
	SECOND("ss_np", EXC_SS, "mov $1, %eax; shl $47, %rax; mov %rax, %rbp",
	       "mov (%rbp), %eax", 0, 0, EXC_DF, 0);
	/* contributory, then page fault: one after the other */
	SECOND("de_pf", EXC_DE, "xor %ecx, %ecx", "div %ecx", 1, 3, EXC_PF,
	       PF_W);
	SECOND("gp_pf", EXC_GP, "mov $0x100, %eax", "mov %eax, %ds", 1, 3,
	       EXC_PF, PF_W);
	/* page fault, then contributory or page fault: double fault */
	SECOND("pf_np", EXC_PF, "mov $0x80003000, %eax", "mov (%rax), %ebx", 0,
	       0, EXC_DF, 0);
	SECOND("pf_pf", EXC_PF, "mov $0x80003000, %eax", "mov (%rax), %ebx", 1,
	       3, EXC_DF, 0);
	check_eq("class.pf_pf.second_cr2", x.cr2 - w, -8);
	/* INT n is benign whatever its vector. */
	SECOND("int13_np", 13, "", "int $13", 0, 0, EXC_NP, 13 * 8 + IDT_BIT);
	set_idt_default(EXC_DF);
}

/* As above, with CPL 3 and the stack out of the TSS. */
static void user_stacks(void)
{
	struct exec x;
	struct snip s;
	u64 w = window_addr(4), rsp0 = tss.t.rsp[0];

	window_map(3, 0, 0);
	tss.t.rsp[0] = w;
	set_idt(EXC_PF, (u64)exc_stubs + 16 * EXC_PF, SEL_K64, DESC_INT, 1);
	s = SNIP("", "int3", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("rsp0.unmapped_int3", &x, &s, EXC_PF, PF_W, s.at);
	check_eq("rsp0.unmapped_int3.cr2", x.cr2, w - 8);
	check_eq("rsp0.unmapped_int3.cs", x.cs, SEL_U64);
	s = SNIP("", "ud2", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("rsp0.unmapped_ud", &x, &s, EXC_PF, PF_W, s.at);

	/* Read-only: present, but CR0.WP holds for the frame too. */
	window_map(3, (u64)alloc_pages(1), PT_P);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("rsp0.read_only", &x, &s, EXC_PF, PF_W | PF_P, s.at);

	/* A frame across the edge: nothing of it is committed. */
	window_map(3, (u64)alloc_pages(1), PT_P | PT_W);
	window_map(2, 0, 0);
	tss.t.rsp[0] = window_addr(3) + 0x10;
	exec_user(&x, &s);
	exec64(&x);
	check_exc("rsp0.cross", &x, &s, EXC_PF, PF_W, s.at);
	check_eq("rsp0.cross.cr2", x.cr2, window_addr(3) - 8);

	/* Not canonical: #SS(0) out of the delivery, EXT as for its cause. */
	set_idt(EXC_SS, (u64)exc_stubs + 16 * EXC_SS, SEL_K64, DESC_INT, 1);
	set_idt(EXC_DF, (u64)exc_stubs + 16 * EXC_DF, SEL_K64, DESC_INT, 2);
	tss.t.rsp[0] = 0x800000000000;
	s = SNIP("", "int3", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("rsp0.noncanonical_int3", &x, &s, EXC_SS, 0, s.at);
	s = SNIP("", "ud2", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("rsp0.noncanonical_ud", &x, &s, EXC_SS, EXT, s.at);
	s = SNIP("xor %ecx, %ecx", "div %ecx", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("rsp0.noncanonical_de", &x, &s, EXC_DF, 0, s.at);
	set_idt_default(EXC_SS);
	set_idt_default(EXC_PF);
	set_idt_default(EXC_DF);
	tss.t.rsp[0] = rsp0;
}

/* The tables themselves on pages that are not there. */
static void tables(void)
{
	struct exec x;
	struct snip s;
	u8 *page = alloc_pages(2);
	u64 w = window_addr(9);
	struct dtr d;

	/* IDT: vectors 0 to 15 are mapped, the rest is not. */
	memcpy(page + 0xf00, idt, 0x100);
	window_map(8, (u64)page, PT_P | PT_W);
	window_map(9, 0, 0);
	d.base = w - 0x100;
	d.limit = 0xfff;
	load_idt(&d);
	s = SNIP("", "int $0x50", "");
	exec_init(&x, &s);
	exec64(&x);
	load_idt(&idt_ptr);
	check_exc("table.idt", &x, &s, EXC_PF, 0, s.at);
	check_eq("table.idt.cr2", x.cr2, w - 0x100 + 0x50 * 16);
	load_idt(&d);
	exec_user(&x, &s);
	exec64(&x);
	load_idt(&idt_ptr);
	check_exc("table.idt_user", &x, &s, EXC_PF, 0, s.at);

	/* GDT: selectors from 0x80 on are not mapped; an implicit access is
	 * a supervisor access even at CPL 3.
	 */
	memcpy(page + 0xf80, gdt, 0x80);
	d.base = w - 0x80;
	d.limit = SEL_LIMIT;
	load_gdt(&d);
	s = SNIP("mov $0x88, %eax", "mov %eax, %ds", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("table.gdt", &x, &s, EXC_PF, 0, s.at);
	check_eq("table.gdt.cr2", x.cr2, w + 8);
	s = SNIP("mov $0x8b, %eax", "mov %eax, %ds", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("table.gdt_user", &x, &s, EXC_PF, 0, s.at);
	/* Read-only GDT page: fine with A set, #PF for the write of A. */
	window_map(8, (u64)page, PT_P);
	s = SNIP("mov $0x10, %eax", "mov %eax, %ds", "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("table.gdt_ro_accessed", &x, &s);
	page[0xf80 + SEL_TEST0 + 5] = DESC_DATA & ~1;
	page[0xf80 + SEL_TEST0] = 0xff;
	s = SNIP("mov $0x78, %eax", "mov %eax, %ds", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("table.gdt_ro", &x, &s, EXC_PF, PF_P | PF_W, s.at);
	/* #GP for LTR of a busy TSS comes before any write. */
	load_gdt(&gdt_ptr);

	/* TSS: RSP0 mapped, the IST pointers behind it not. */
	memcpy(page + 0x1000 - 36, &tss, 36);
	window_map(8, (u64)page, PT_P | PT_W);
	set_gdt(SEL_TEST0, make_desc(w - 36, sizeof(tss.t) - 1, DESC_TSS64, 0));
	set_gdt(SEL_TEST0 + 8, 0);
	load_tr(SEL_TEST0);
	set_idt(0x50, (u64)exc_stubs + 16 * 0x50, SEL_K64, DESC_INT | DESC_DPL3,
		1);
	s = SNIP("", "int $0x50", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("table.tss_ist", &x, &s, EXC_PF, 0, s.at);
	check_eq("table.tss_ist.cr2", x.cr2, w);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("table.tss_ist_user", &x, &s, EXC_PF, 0, s.at);
	set_idt_default(0x50);

	/* TSS limit: RSP0 inside, RSP1 and IST outside: #TS(TSS selector). */
	set_gdt(SEL_TEST0, make_desc((u64)&tss, 11, DESC_TSS64, 0));
	load_tr(SEL_TEST0);
	set_idt(0x50, (u64)exc_stubs + 16 * 0x50, SEL_K64, DESC_INT | DESC_DPL3,
		1);
	exec_init(&x, &s);
	exec64(&x);
	check_exc("table.tss_limit", &x, &s, EXC_TS, SEL_TEST0, s.at);
	set_idt(EXC_UD, (u64)exc_stubs + 16 * EXC_UD, SEL_K64, DESC_INT, 1);
	s = SNIP("", "ud2", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("table.tss_limit_ext", &x, &s, EXC_TS, SEL_TEST0 | EXT, s.at);
	set_idt_default(EXC_UD);
	set_idt_default(0x50);
	load_tr(SEL_TSS64);
	window_map(8, 0, 0);
}

void guest_main(void)
{
	gates();
	bad_gates();
	classes();
	user_stacks();
	tables();
}
