// SPDX-License-Identifier: GPL-2.0-only
/*
 * exceptions.c - each exception raised by the processor, by its simplest
 * causes: vector, error code, saved RIP and flags, CR2.
 *
 * SDM vol. 3, "Interrupt and Exception Handling: Exception and Interrupt
 * Reference". Delivery itself (gates, stacks, double faults) is in delivery.c,
 * #DB in debug.c, page faults by permission in paging.c.
 */
#include "lib.h"

const char guest_name[] = "exceptions";

static void divide(void)
{
	expect_fault("de.div8", SNIP("mov $5, %eax; xor %ecx, %ecx",
				     "div %cl", ""), EXC_DE, NO_ERR);
	expect_fault("de.div32", SNIP("mov $5, %eax; xor %edx, %edx; xor %ecx, %ecx",
				      "div %ecx", ""), EXC_DE, NO_ERR);
	expect_fault("de.div64_overflow", SNIP("mov $1, %edx; mov $1, %ecx",
					       "div %rcx", ""), EXC_DE, NO_ERR);
	expect_fault("de.idiv64_min", SNIP("mov $1, %eax; ror $1, %rax; cqo; mov $-1, %rcx",
					   "idiv %rcx", ""), EXC_DE, NO_ERR);
	expect_fault("de.idiv8_overflow", SNIP("mov $0x100, %eax; mov $1, %cl",
					       "idiv %cl", ""), EXC_DE, NO_ERR);
	expect_user_fault("de.user", SNIP("xor %ecx, %ecx", "div %ecx", ""),
			  EXC_DE, NO_ERR);
	expect_compat_fault("de.aam", SNIP32("", "aam $0", ""), EXC_DE, NO_ERR);
}

static void software(void)
{
	expect_trap("bp.int3", SNIP("", "int3", ""), EXC_BP);
	expect_trap("bp.int_3", SNIP("", ".byte 0xcd, 3", ""), EXC_BP);
	expect_user_trap("bp.user", SNIP("", "int3", ""), EXC_BP);
	expect_compat_trap("of.into", SNIP32("mov $0x7f, %al; add $1, %al",
					     "into", ""), EXC_OF);
	expect_user_trap("of.int_4", SNIP("", "int $4", ""), EXC_OF);
	expect_compat_fault("br.bound",
			    SNIP32("push $9; push $3; mov $10, %eax",
				   "bound %eax, (%esp)", ""), EXC_BR, NO_ERR);
	expect_compat_trap("br.bound_in_range_then_into",
			   SNIP32("push $9; push $3; mov $9, %eax; bound %eax, (%esp); mov $0x7f, %al; add $1, %al",
				  "into", ""), EXC_OF);
	expect_trap("int.0x40", SNIP("", "int $0x40", ""), 0x40);
	/* INT n never pushes an error code, whatever the vector. */
	expect_trap("int.13", SNIP("", "int $13", ""), 13);
	expect_trap("int.8", SNIP("", "int $8", ""), 8);
	expect_trap("int.14", SNIP("", "int $14", ""), 14);
	expect_trap("int.2", SNIP("", "int $2", ""), 2);
	/* DPL checks for INT n, not for exceptions. */
	expect_user_fault("int.user_dpl", SNIP("", "int $0x40", ""), EXC_GP,
			  0x40 * 8 + 2);
	expect_user_fault("int.user_13", SNIP("", "int $13", ""), EXC_GP,
			  13 * 8 + 2);
	expect_user_fault("int.user_ud2", SNIP("", "ud2", ""), EXC_UD, NO_ERR);
}

static void undefined(void)
{
	expect_fault("ud.ud2", SNIP("", "ud2", ""), EXC_UD, NO_ERR);
	expect_fault("ud.ud1", SNIP("", ".byte 0x0f, 0xb9, 0xc0", ""), EXC_UD,
		     NO_ERR);
	expect_fault("ud.lock_nop", SNIP("", ".byte 0xf0, 0x90", ""), EXC_UD,
		     NO_ERR);
	expect_fault("ud.lock_reg", SNIP("", ".byte 0xf0, 0x01, 0xc0", ""),
		     EXC_UD, NO_ERR);
	expect_fault("ud.lock_mov", SNIP("", ".byte 0xf0, 0x89, 0x04, 0x24", ""),
		     EXC_UD, NO_ERR);
	expect_fault("ud.pusha64", SNIP("", ".byte 0x60", ""), EXC_UD, NO_ERR);
	expect_fault("ud.daa64", SNIP("", ".byte 0x27", ""), EXC_UD, NO_ERR);
	expect_fault("ud.into64", SNIP("", ".byte 0xce", ""), EXC_UD, NO_ERR);
	expect_fault("ud.push_cs64", SNIP("", ".byte 0x0e", ""), EXC_UD, NO_ERR);
	expect_fault("ud.far_jmp64", SNIP("", ".byte 0xea, 0, 0, 0, 0, 8, 0", ""),
		     EXC_UD, NO_ERR);
	expect_fault("ud.mov_cs", SNIP("", ".byte 0x8e, 0xc8", ""), EXC_UD,
		     NO_ERR);
	expect_fault("ud.mov_seg6", SNIP("", ".byte 0x8e, 0xf0", ""), EXC_UD,
		     NO_ERR);
	expect_fault("ud.lea_reg", SNIP("", ".byte 0x8d, 0xc0", ""), EXC_UD,
		     NO_ERR);
	expect_fault("ud.vmcall_off", SNIP("", ".byte 0x0f, 0x01, 0xc2", ""),
		     EXC_UD, NO_ERR); /* vmlaunch outside VMX operation */
	expect_user_fault("ud.user", SNIP("", "ud2", ""), EXC_UD, NO_ERR);
	expect_compat_fault("ud.compat", SNIP32("", "ud2", ""), EXC_UD, NO_ERR);
	/* Fifteen bytes is the limit: more is #GP(0). */
	expect_done("gp.len15", SNIP("", ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90",
				     ""));
	expect_fault("gp.len16", SNIP("", ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90",
				      ""), EXC_GP, 0);
}

static void device_not_available(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	/* SDM vol. 3, "Control Registers": the EM/MP/TS table. */
	write_cr0((cr0 & ~(CR0_MP | CR0_EM)) | CR0_TS);
	expect_fault("nm.ts_fld", SNIP("", "fld1", ""), EXC_NM, NO_ERR);
	expect_done("nm.ts_fwait_mp0", SNIP("", "fwait", ""));
	write_cr0(cr0 | CR0_TS | CR0_MP);
	expect_fault("nm.ts_fwait_mp1", SNIP("", "fwait", ""), EXC_NM, NO_ERR);
	expect_user_fault("nm.user", SNIP("", "fld1", ""), EXC_NM, NO_ERR);
	write_cr0((cr0 & ~CR0_TS) | CR0_EM);
	expect_fault("nm.em_fld", SNIP("", "fld1", ""), EXC_NM, NO_ERR);
	write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
	expect_fault("ud.em_sse", SNIP("", "xorps %xmm0, %xmm0", ""), EXC_UD,
		     NO_ERR);
	write_cr0((cr0 & ~CR0_EM) | CR0_TS);
	expect_fault("nm.ts_sse", SNIP("", "xorps %xmm0, %xmm0", ""), EXC_NM,
		     NO_ERR);
	expect_fault("nm.ts_fxsave", SNIP("lea -512(%rsp), %rdi; and $-64, %rdi",
					  "fxsave (%rdi)", ""), EXC_NM, NO_ERR);
	expect_done("nm.ts_clts", SNIP("", "clts; fld1; fninit", ""));
	write_cr0(cr0 & ~(CR0_TS | CR0_EM));
	write_cr4(cr4 & ~CR4_OSFXSR);
	expect_fault("ud.no_osfxsr", SNIP("", "xorps %xmm0, %xmm0", ""), EXC_UD,
		     NO_ERR);
	write_cr0(cr0);
	write_cr4(cr4);
}

static void floating_point(void)
{
	u64 cr4 = read_cr4();

	/* #MF comes at the next waiting instruction, not at the culprit. */
	expect_fault("mf.zero_divide",
		     SNIP("fninit; pushq $0x37b; fldcw (%rsp); fld1; fldz; fdivrp; nop",
			  "fwait", ""), EXC_MF, NO_ERR);
	expect_fault("mf.next_fld",
		     SNIP("fninit; pushq $0x37b; fldcw (%rsp); fld1; fldz; fdivrp",
			  "fld1", ""), EXC_MF, NO_ERR);
	expect_done("mf.nonwaiting",
		    SNIP("fninit; pushq $0x37b; fldcw (%rsp); fld1; fldz; fdivrp",
			 "fnstsw %ax; fnclex", "fwait"));
	expect_done("mf.masked", SNIP("fninit; fld1; fldz; fdivrp", "fwait",
				      "fninit"));
	expect_user_fault("mf.user",
			  SNIP("fninit; pushq $0x37b; fldcw (%rsp); fld1; fldz; fdivrp",
			       "fwait", ""), EXC_MF, NO_ERR);
	asm volatile("fninit");

	write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
	expect_fault("xm.zero_divide",
		     SNIP("pushq $0x1d80; ldmxcsr (%rsp); xorps %xmm0, %xmm0; mov $0x3f800000, %eax; movd %eax, %xmm1",
			  "divss %xmm0, %xmm1", ""), EXC_XM, NO_ERR);
	expect_user_fault("xm.user",
			  SNIP("pushq $0x1d80; ldmxcsr (%rsp); xorps %xmm0, %xmm0; mov $0x3f800000, %eax; movd %eax, %xmm1",
			       "divss %xmm0, %xmm1", ""), EXC_XM, NO_ERR);
	expect_done("xm.masked",
		    SNIP("pushq $0x1f80; ldmxcsr (%rsp); xorps %xmm0, %xmm0; mov $0x3f800000, %eax; movd %eax, %xmm1",
			 "divss %xmm0, %xmm1", ""));
	write_cr4((cr4 | CR4_OSFXSR) & ~CR4_OSXMMEXCPT);
	expect_fault("xm.osxmmexcpt0_ud",
		     SNIP("pushq $0x1d80; ldmxcsr (%rsp); xorps %xmm0, %xmm0; mov $0x3f800000, %eax; movd %eax, %xmm1",
			  "divss %xmm0, %xmm1", ""), EXC_UD, NO_ERR);
	write_cr4(cr4 | CR4_OSFXSR);
	expect_fault("gp.ldmxcsr_reserved", SNIP("pushq $0x11f80", "ldmxcsr (%rsp)",
						 ""), EXC_GP, 0);
	expect_fault("gp.movaps_misaligned", SNIP("and $-16, %rsp",
						  "movaps 1(%rsp), %xmm0", ""),
		     EXC_GP, 0);
	expect_fault("gp.fxsave_misaligned", SNIP("lea -1024(%rsp), %rdi; and $-64, %rdi",
						  "fxsave 8(%rdi)", ""), EXC_GP, 0);
	asm volatile("pushq $0x1f80; ldmxcsr (%%rsp); add $8, %%rsp"
		     : : : "memory");
	write_cr4(cr4);
}

static void alignment(void)
{
	struct exec x;
	struct snip s;
	u64 cr0 = read_cr0();

	write_cr0(cr0 | CR0_AM);
	s = SNIP("sub $64, %rsp", "mov 1(%rsp), %eax", "");
	exec_user(&x, &s);
	x.rflags |= FL_AC;
	exec64(&x);
	check_exc("ac.user_read", &x, &s, EXC_AC, 0, s.at);
	s = SNIP("sub $64, %rsp", "mov %ax, 1(%rsp)", "");
	exec_user(&x, &s);
	x.rflags |= FL_AC;
	exec64(&x);
	check_exc("ac.user_write16", &x, &s, EXC_AC, 0, s.at);
	s = SNIP("sub $60, %rsp", "popq %rax", "");
	exec_user(&x, &s);
	x.rflags |= FL_AC;
	exec64(&x);
	check_exc("ac.user_pop", &x, &s, EXC_AC, 0, s.at);
	s = SNIP("sub $64, %rsp", "mov 1(%rsp), %al", "");
	exec_user(&x, &s);
	x.rflags |= FL_AC;
	exec64(&x);
	check_done("ac.byte", &x, &s);
	s = SNIP("sub $64, %rsp", "mov 1(%rsp), %eax", "");
	exec_user(&x, &s);
	exec64(&x);
	check_done("ac.flag_clear", &x, &s);
	exec_init(&x, &s);
	x.rflags |= FL_AC;
	exec64(&x);
	check_done("ac.ring0", &x, &s);
	write_cr0(cr0 & ~CR0_AM);
	exec_user(&x, &s);
	x.rflags |= FL_AC;
	exec64(&x);
	check_done("ac.am_clear", &x, &s);
	write_cr0(cr0);
}

static void segments(void)
{
	struct exec x;
	struct snip s;

	/* #NP and #SS: not-present segments. */
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, DESC_DATA & ~DESC_P,
				     DESC_G | DESC_D));
	expect_fault("np.ds", SNIP("mov $0x78, %eax", "mov %eax, %ds", ""),
		     EXC_NP, SEL_TEST0);
	expect_fault("np.gs", SNIP("mov $0x78, %eax", "mov %eax, %gs", ""),
		     EXC_NP, SEL_TEST0);
	expect_fault("ss.not_present", SNIP("mov $0x78, %eax", "mov %eax, %ss",
					    ""), EXC_SS, SEL_TEST0);
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, DESC_CODE & ~DESC_P,
				     DESC_G | DESC_L));
	expect_fault("np.lret", SNIP("push $0x78; push $0", "lretq", ""),
		     EXC_NP, SEL_TEST0);
	set_gdt(SEL_TEST0, make_desc(0, 0xffff, DESC_LDT & ~DESC_P, 0));
	set_gdt(SEL_TEST0 + 8, 0);
	expect_fault("np.lldt", SNIP("mov $0x78, %eax", "lldt %ax", ""), EXC_NP,
		     SEL_TEST0);
	set_gdt(SEL_TEST0, make_desc(0, 0xffff, DESC_TSS64 & ~DESC_P, 0));
	expect_fault("np.ltr", SNIP("mov $0x78, %eax", "ltr %ax", ""), EXC_NP,
		     SEL_TEST0);

	/* #GP(selector). */
	expect_fault("gp.sel_limit", SNIP("mov $0x100, %eax", "mov %eax, %ds",
					  ""), EXC_GP, 0x100);
	expect_fault("gp.sel_limit_rpl", SNIP("mov $0x1ab, %eax",
					      "mov %eax, %es", ""), EXC_GP,
		     0x1a8);
	expect_fault("gp.sel_ldt_null", SNIP("mov $0x7, %eax", "mov %eax, %ds",
					     ""), EXC_GP, 4);
	expect_fault("gp.ss_null", SNIP("xor %eax, %eax; mov %eax, %ss; mov $3, %eax",
					"mov %eax, %ss", ""), EXC_GP, 0);
	expect_fault("gp.ss_code", SNIP("mov $0x08, %eax", "mov %eax, %ss", ""),
		     EXC_GP, SEL_K64);
	expect_fault("gp.ss_rpl", SNIP("mov $0x13, %eax", "mov %eax, %ss", ""),
		     EXC_GP, SEL_KD);
	expect_fault("gp.ss_dpl", SNIP("mov $0x38, %eax", "mov %eax, %ss", ""),
		     EXC_GP, SEL_UD & ~3);
	expect_fault("gp.ds_tss", SNIP("mov $0x48, %eax", "mov %eax, %ds", ""),
		     EXC_GP, SEL_TSS64);
	expect_user_fault("gp.user_ds_kernel", SNIP("mov $0x10, %eax",
						    "mov %eax, %ds", ""),
			  EXC_GP, SEL_KD);
	expect_user_fault("gp.user_ss_null", SNIP("xor %eax, %eax",
						  "mov %eax, %ss", ""),
			  EXC_GP, 0);
	expect_user_done("seg.user_ds_null", SNIP("mov $3, %eax", "mov %eax, %ds",
						  ""));
	expect_done("seg.kernel_ss_null", SNIP("xor %eax, %eax", "mov %eax, %ss",
					       "mov $0x10, %eax; mov %eax, %ss"));
	expect_fault("gp.lret_null", SNIP("push $0; push $0", "lretq", ""),
		     EXC_GP, 0);
	expect_fault("gp.lret_data", SNIP("push $0x10; push $0", "lretq", ""),
		     EXC_GP, SEL_KD);
	expect_user_fault("gp.lret_inner", SNIP("push $0x08; push $0", "lretq",
						""), EXC_GP, SEL_K64);
	expect_fault("gp.lret_noncanonical",
		     SNIP("push $0x08; mov $1, %eax; shl $63, %rax; push %rax",
			  "lretq", ""), EXC_GP, 0);
	expect_fault("gp.ltr_busy", SNIP("mov $0x48, %eax", "ltr %ax", ""),
		     EXC_GP, SEL_TSS64);
	expect_fault("gp.ltr_null", SNIP("xor %eax, %eax", "ltr %ax", ""),
		     EXC_GP, 0);
	expect_fault("gp.ltr_data", SNIP("mov $0x10, %eax", "ltr %ax", ""),
		     EXC_GP, SEL_KD);
	expect_fault("gp.lldt_data", SNIP("mov $0x10, %eax", "lldt %ax", ""),
		     EXC_GP, SEL_KD);
	/* L and D both set. */
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, DESC_CODE,
				     DESC_G | DESC_L | DESC_D));
	expect_fault("gp.l_and_d", SNIP("push $0x78; push $0", "lretq", ""),
		     EXC_GP, SEL_TEST0);

	/* Accessed bit is set on load, in the table in memory. */
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, DESC_DATA & ~1,
				     DESC_G | DESC_D));
	expect_done("seg.accessed", SNIP("mov $0x78, %eax", "mov %eax, %fs",
					 "xor %eax, %eax; mov %eax, %fs"));
	check_eq("seg.accessed_set", gdt[SEL_TEST0 / 8] >> 40 & 1, 1);
	load_tr(SEL_TSS64);
	check_eq("seg.tss_busy", gdt[SEL_TSS64 / 8] >> 41 & 1, 1);

	/* LAR, LSL, VERR, VERW. */
	s = SNIP("mov $0x3b, %ecx; xor %eax, %eax; xor %ebx, %ebx",
		 "lar %ecx, %eax; setz %dl; lsl %ecx, %ebx; verr %cx; setz %sil; verw %cx; setz %dil",
		 "mov $0x100, %ecx; lar %ecx, %r8d; setz %r9b");
	exec_init(&x, &s);
	exec64(&x);
	check(x.rax == 0xcff300 && x.rbx == 0xffffffff && (x.rdx & 1) &&
	      (x.rsi & 1) && (x.rdi & 1) && !(x.r9 & 1), "seg.lar_lsl",
	      "lar %lx lsl %lx zf %lx verr %lx verw %lx beyond %lx", x.rax,
	      x.rbx, x.rdx & 1, x.rsi & 1, x.rdi & 1, x.r9 & 1);
}

static void canonical(void)
{
	expect_fault("gp.noncanonical_read",
		     SNIP("mov $1, %eax; shl $47, %rax", "mov (%rax), %ebx", ""),
		     EXC_GP, 0);
	expect_fault("gp.noncanonical_write",
		     SNIP("mov $1, %eax; shl $63, %rax", "mov %ebx, (%rax)", ""),
		     EXC_GP, 0);
	expect_fault("ss.noncanonical_rsp",
		     SNIP("mov %rsp, %rbx; mov $1, %eax; shl $47, %rax; mov %rax, %rbp",
			  "mov (%rbp), %ecx", ""), EXC_SS, 0);
	expect_user_fault("ss.noncanonical_push",
			  SNIP("mov $1, %eax; shl $48, %rax; mov %rax, %rsp",
			       "push %rax", ""), EXC_SS, 0);
	expect_fault("gp.noncanonical_jmp",
		     SNIP("mov $1, %eax; shl $47, %rax", "jmp *%rax", ""),
		     EXC_GP, 0);
	expect_fault("gp.noncanonical_ret",
		     SNIP("mov $1, %eax; shl $47, %rax; push %rax", "ret", ""),
		     EXC_GP, 0);
	/* The last canonical byte is fine, what crosses the edge is not. */
	expect_fault("gp.noncanonical_cross",
		     SNIP("mov $1, %eax; shl $47, %rax; dec %rax",
			  "mov (%rax), %bx", ""), EXC_GP, 0);
	expect_fault("gp.fs_noncanonical",
		     SNIP("mov $1, %eax; shl $47, %rax", "mov %fs:(%rax), %ebx",
			  ""), EXC_GP, 0);
}

static void page_faults(void)
{
	struct exec x;
	struct snip s;
	u8 *page = alloc_pages(2);
	u64 w = window_addr(0);

#define PF(name, user, pte, insn, error, addr) do {			\
	s = SNIP("", insn, "");						\
	if (user)							\
		exec_user(&x, &s);					\
	else								\
		exec_init(&x, &s);					\
	window_map(0, (u64)page, pte);					\
	window_map(1, (u64)page + PAGE_SIZE, 0);			\
	x.rbx = w;							\
	x.rsi = w;							\
	x.rdi = w;							\
	x.rcx = 0x1000;							\
	exec64(&x);							\
	check_exc("pf." name, &x, &s, EXC_PF, error, s.at);		\
	check_eq("pf." name ".cr2", x.cr2, addr);			\
} while (0)
#define RWX (PT_P | PT_W | PT_U)

	PF("np_read", 0, 0, "mov 8(%rbx), %eax", 0, w + 8);
	PF("np_write", 0, 0, "mov %eax, 8(%rbx)", PF_W, w + 8);
	PF("np_rmw", 0, 0, "addl $1, 8(%rbx)", PF_W, w + 8);
	PF("np_xchg", 0, 0, "xchg %eax, 8(%rbx)", PF_W, w + 8);
	PF("np_cmpxchg", 0, 0, "lock cmpxchg %ecx, 8(%rbx)", PF_W, w + 8);
	PF("np_bt", 0, 0, "btl $3, 8(%rbx)", 0, w + 8);
	PF("np_user_read", 1, 0, "mov 8(%rbx), %eax", PF_U, w + 8);
	PF("np_user_write", 1, 0, "mov %eax, 8(%rbx)", PF_U | PF_W, w + 8);
	PF("user_on_supervisor", 1, PT_P | PT_W, "mov (%rbx), %eax",
	   PF_U | PF_P, w);
	PF("user_write_supervisor", 1, PT_P | PT_W, "mov %eax, (%rbx)",
	   PF_U | PF_P | PF_W, w);
	PF("user_write_ro", 1, PT_P | PT_U, "mov %eax, (%rbx)",
	   PF_U | PF_P | PF_W, w);
	PF("wp_write_ro", 0, PT_P, "mov %eax, (%rbx)", PF_P | PF_W, w);
	PF("wp_write_user_ro", 0, PT_P | PT_U, "mov %eax, (%rbx)", PF_P | PF_W,
	   w);
	PF("reserved", 0, RWX | BIT(51), "mov (%rbx), %eax", PF_P | PF_RSVD, w);
	PF("reserved_user_write", 1, RWX | BIT(51), "mov %eax, (%rbx)",
	   PF_P | PF_RSVD | PF_U | PF_W, w);
	/* Crossing into a page that is not there: CR2 is its first byte. */
	PF("cross_read", 0, RWX, "mov 0xffe(%rbx), %eax", 0, w + PAGE_SIZE);
	PF("cross_write", 0, RWX, "mov %rax, 0xffc(%rbx)", PF_W, w + PAGE_SIZE);
	PF("cross_user", 1, RWX, "mov 0xffe(%rbx), %eax", PF_U, w + PAGE_SIZE);
	/* NX is off (EFER.NXE = 0): fetches report no I bit. */
	s = SNIP("", "jmp *%rbx", "");
	exec_init(&x, &s);
	window_map(0, (u64)page, 0);
	x.rbx = w + 0x10;
	exec64(&x);
	check(x.vec == EXC_PF && x.err == 0 && x.rip == w + 0x10 &&
	      x.cr2 == w + 0x10, "pf.fetch", "%lx(%lx) rip %lx cr2 %lx", x.vec,
	      x.err, x.rip, x.cr2);
	exec_user(&x, &s);
	x.rbx = w + 0x10;
	exec64(&x);
	check(x.vec == EXC_PF && x.err == PF_U && x.rip == w + 0x10 &&
	      x.cr2 == w + 0x10, "pf.fetch_user", "%lx(%lx) rip %lx cr2 %lx",
	      x.vec, x.err, x.rip, x.cr2);
	/* An instruction that runs over the edge of its page. */
	memset(page, 0x90, PAGE_SIZE);
	page[0xffe] = 0x48;
	page[0xfff] = 0xb8; /* movabs $..., %rax */
	exec_init(&x, &s);
	window_map(0, (u64)page, RWX);
	x.rbx = w + 0xff0;
	exec64(&x);
	check(x.vec == EXC_PF && x.rip == w + 0xffe && x.cr2 == w + PAGE_SIZE,
	      "pf.fetch_cross", "%lx(%lx) rip %lx cr2 %lx", x.vec, x.err,
	      x.rip, x.cr2);

	/* Nothing of a faulting instruction shows. */
	s = SNIP("mov $0x1111, %eax; stc", "adcl $5, (%rbx)", "");
	exec_init(&x, &s);
	window_map(0, (u64)page, PT_P);
	x.rbx = w;
	exec64(&x);
	check(x.vec == EXC_PF && x.err == (PF_P | PF_W) && (x.rflags & FL_CF),
	      "pf.no_side_effect", "%lx(%lx) fl %lx", x.vec, x.err, x.rflags);
	s = SNIP("", "push %rax", "");
	exec_user(&x, &s);
	window_map(0, (u64)page, 0);
	x.rsp = w + 8;
	exec64(&x);
	check(x.vec == EXC_PF && x.err == (PF_U | PF_W) && x.rsp == w + 8 &&
	      x.cr2 == w, "pf.push", "%lx(%lx) rsp +%lx cr2 +%lx", x.vec, x.err,
	      x.rsp - w, x.cr2 - w);
	s = SNIP("", "call 1f; 1:", "");
	exec_user(&x, &s);
	x.rsp = w + 8;
	exec64(&x);
	check_exc("pf.call", &x, &s, EXC_PF, PF_U | PF_W, s.at);
	/* REP MOVS stops in the middle with the counts as far as it got. */
	s = SNIP("", "rep movsb", "");
	exec_init(&x, &s);
	window_map(0, (u64)page, RWX);
	window_map(1, (u64)page + PAGE_SIZE, 0);
	x.rsi = w;
	x.rdi = w + 0xff0;
	x.rcx = 0x40;
	exec64(&x);
	check(x.vec == EXC_PF && x.err == PF_W && x.rcx == 0x30 &&
	      x.rsi == w + 0x10 && x.rdi == w + 0x1000 &&
	      x.cr2 == w + PAGE_SIZE && x.rip == s.at && (x.rflags & FL_RF),
	      "pf.rep_movsb", "%lx(%lx) rcx %lx rsi +%lx rdi +%lx fl %lx",
	      x.vec, x.err, x.rcx, x.rsi - w, x.rdi - w, x.rflags);

	/* CR2 belongs to software between faults. */
	write_cr2(0x123456789000);
	expect_fault("pf.cr2_kept_by_ud", SNIP("", "ud2", ""), EXC_UD, NO_ERR);
	check_eq("pf.cr2_kept", read_cr2(), 0x123456789000);
	window_map(0, 0, 0);
}

/* SDM vol. 3, "Resume Flag": pushed as 1 by faults, 0 by traps and INT n. */
static void resume_flag(void)
{
	struct exec x;
	struct snip s;

#define RF(name, insn, want) do {					\
	s = SNIP("xor %ecx, %ecx; mov $5, %eax; xor %edx, %edx", insn, ""); \
	exec_init(&x, &s);						\
	exec64(&x);							\
	check_eq("rf." name, !!(x.rflags & FL_RF), want);		\
} while (0)
	RF("div", "div %ecx", 1);
	RF("ud2", "ud2", 1);
	RF("gp", "mov %rax, %cr8; mov $0x100, %eax; mov %eax, %ds", 1);
	RF("int3", "int3", 0);
	RF("int40", "int $0x40", 0);
	/* A trap: RF was set by nobody. */
	RF("done", "nop", 0);
	write_cr8(0);
	/* RF as given to IRET is cleared by the first instruction. */
	s = SNIP("", "pushfq; pop %rax", "");
	exec_init(&x, &s);
	x.rflags |= FL_RF;
	exec64(&x);
	check_eq("rf.cleared", x.rax & FL_RF, 0);
}

void guest_main(void)
{
	divide();
	software();
	undefined();
	device_not_available();
	floating_point();
	alignment();
	segments();
	canonical();
	page_faults();
	resume_flag();
}
