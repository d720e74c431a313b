// SPDX-License-Identifier: GPL-2.0-only
/*
 * transfers.c - far control transfers in long mode: IRET, far CALL, RET and
 * JMP, call gates, SYSCALL/SYSRET, SYSENTER/SYSEXIT, SWAPGS and the bases.
 *
 * SDM vol. 2, the pages of these instructions; vol. 3, "Fast System Calls in
 * 64-Bit Mode", "Call Gates". Task switches of legacy mode are in tasks.c.
 */
#include "lib.h"

const char guest_name[] = "transfers";

#define IRET_FRAME(ss, rsp, fl, cs, rip)				\
	"pushq $" #ss "; push " rsp "; pushq $" #fl "; pushq $" #cs "; lea " rip "(%rip), %rax; push %rax"

static void iret(void)
{
	struct exec x;
	struct snip s;

	/* To the same level: RSP and SS are popped in 64-bit mode always. */
	s = SNIP("mov %rsp, %rbx; sub $64, %rbx\n"
		 IRET_FRAME(0x10, "%rbx", 0xcd7, 8, "1f"), "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("iret.same", &x, &s);
	check(x.rsp == x.rbx && x.rflags == 0xcd7, "iret.same.state",
	      "rsp %lx fl %lx", (u64)test_stack_top - x.rsp, x.rflags);
	/* Null SS at CPL 0 is fine. */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0, "%rbx", 2, 8, "1f"),
		 "iretq; 1: mov %ss, %ecx", "mov $0x10, %eax; mov %eax, %ss");
	exec_init(&x, &s);
	exec64(&x);
	check_done("iret.null_ss", &x, &s);
	check_eq("iret.null_ss.ss", x.rcx, 0);
	/* Compatibility mode at CPL 0 wants a real SS. */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0, "%rbx", 2, 0x18, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.null_ss_compat", &x, &s, EXC_GP, 0, s.at);
	/* Null SS to CPL 3 is #GP(0). */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(3, "%rbx", 2, 0x33, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.null_ss_user_compat", &x, &s, EXC_GP, 0, s.at);
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(3, "%rbx", 2, 0x43, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.null_ss_user", &x, &s, EXC_GP, 0, s.at);
	/* SS: RPL, type, presence. */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x38, "%rbx", 2, 0x43, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.ss_rpl", &x, &s, EXC_GP, 0x38, s.at);
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x43, "%rbx", 2, 0x43, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.ss_code", &x, &s, EXC_GP, 0x40, s.at);
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, 0x73, DESC_G | DESC_D));
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x7b, "%rbx", 2, 0x43, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.ss_not_present", &x, &s, EXC_NP, 0x78, s.at);
	/* CS: null, data, beyond, not present, inner, RPL. */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x10, "%rbx", 2, 0, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.cs_null", &x, &s, EXC_GP, 0, s.at);
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x10, "%rbx", 2, 0x10, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.cs_data", &x, &s, EXC_GP, 0x10, s.at);
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x10, "%rbx", 2, 0x100, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.cs_beyond", &x, &s, EXC_GP, 0x100, s.at);
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, 0x1b, DESC_G | DESC_L));
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x10, "%rbx", 2, 0x78, "1f"),
		 "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.cs_not_present", &x, &s, EXC_NP, 0x78, s.at);
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x3b, "%rbx", 2, 8, "1f"),
		 "iretq; 1: nop", "");
	exec_user(&x, &s);
	exec64(&x);
	check_exc("iret.user_to_kernel", &x, &s, EXC_GP, 8, s.at);
	s = SNIP("mov %rsp, %rbx; pushq $0x10; push %rbx; pushq $2; pushq $8; mov $1, %eax; shl $47, %rax; push %rax",
		 "iretq", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.noncanonical_rip", &x, &s, EXC_GP, 0, s.at);
	/* NT in long mode: #GP(0). */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x10, "%rbx", 2, 8, "1f")
		 "; pushq $0x4002; popfq", "iretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("iret.nt", &x, &s, EXC_GP, 0, s.at);
	/* Reserved and VM bits in the frame's flags are dropped. */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x10, "%rbx", 0x7ffe002a, 8, "1f"),
		 "iretq; 1: pushfq; pop %rcx", "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("iret.flags_reserved", &x, &s);
	check_eq("iret.flags_reserved.value", x.rcx & ~(FL_VIF | FL_VIP),
		 (FL_ONE | FL_AC | FL_ID));
	/* From CPL 3: IOPL and IF stay. */
	s = SNIP("mov %rsp, %rbx\n" IRET_FRAME(0x3b, "%rbx", 0x3202, 0x43, "1f"),
		 "iretq; 1: pushfq; pop %rcx", "");
	exec_user(&x, &s);
	exec64(&x);
	check_done("iret.user_flags", &x, &s);
	check_eq("iret.user_flags.value", x.rcx, FL_ONE);
	/* IRETD: 32-bit frame from 64-bit code. */
	s = SNIP("sub $20, %rsp; lea 20(%rsp), %rbx; movl $0x10, 16(%rsp); mov %ebx, 12(%rsp); movl $2, 8(%rsp); movl $8, 4(%rsp); lea 1f(%rip), %eax; mov %eax, (%rsp)",
		 "iretl; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("iret.32", &x, &s);
	check_eq("iret.32.rsp", x.rsp, x.rbx);
	/* DS, ES, FS, GS of inner DPL are nulled on the way out. */
	s = SNIP("", "mov %ds, %eax; mov %es, %ebx; mov %fs, %ecx; mov %gs, %edx",
		 "");
	exec_user(&x, &s);
	x.ds = SEL_KD;
	x.es = SEL_UD;
	x.fs = SEL_KD;
	x.gs = 0;
	exec64(&x);
	check_done("iret.null_segments", &x, &s);
	check(!x.rax && x.rbx == SEL_UD && !x.rcx && !x.rdx,
	      "iret.null_segments.values", "%lx %lx %lx %lx", x.rax, x.rbx,
	      x.rcx, x.rdx);
}

/* 64-bit call gate in two GDT slots. */
static void set_call_gate(u16 slot, u64 off, u16 sel, u8 type)
{
	set_gdt(slot, (off & 0xffff) | (u64)sel << 16 | (u64)type << 40 |
		      ((off >> 16) & 0xffff) << 48);
	set_gdt(slot + 8, off >> 32);
}

extern char gate_target[], gate_target2[];

/* Leaves what the gate pushed in registers. */
asm(".text\n"
    "gate_target:\n"
    "	mov	%ss, %esi\n"
    "	mov	(%rsp), %rax\n"
    "	mov	8(%rsp), %rbx\n"
    "	mov	16(%rsp), %rcx\n"
    "	mov	24(%rsp), %rdx\n"
    "	mov	%cs, %edi\n"
    "	mov	%rsp, %r8\n"
    "	lretq\n");

static void call_gates(void)
{
	struct exec x;
	struct snip s;

	set_call_gate(SEL_TEST0, (u64)gate_target, SEL_K64,
		      DESC_CALL | DESC_DPL3);
	s = SNIP("sub $16, %rsp; movl $0, (%rsp); movw $0x7b, 4(%rsp)",
		 "lcall *(%rsp)", "");
	exec_user(&x, &s);
	exec64(&x);
	check_done("callgate.user", &x, &s);
	check(x.rsi == 0 && x.rdi == SEL_K64 && x.rax == UALIAS(s.after) &&
	      x.rbx == SEL_U64 && x.rcx == UALIAS(user_stack_top) - 16 &&
	      x.rdx == SEL_UD && x.r8 == (u64)rsp0_stack_top - 32,
	      "callgate.user.frame",
	      "ss %lx cs %lx rip %lx cs %lx rsp %lx ss %lx", x.rsi, x.rdi,
	      x.rax, x.rbx, x.rcx, x.rdx);
	/* From CPL 0: no stack switch. */
	exec_init(&x, &s);
	exec64(&x);
	check_done("callgate.kernel", &x, &s);
	check(x.rdi == SEL_K64 && x.rax == s.after && x.rbx == SEL_K64,
	      "callgate.kernel.frame", "cs %lx rip %lx cs %lx", x.rdi, x.rax,
	      x.rbx);
	set_call_gate(SEL_TEST0, (u64)gate_target, SEL_K64, DESC_CALL);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("callgate.dpl", &x, &s, EXC_GP, SEL_TEST0, s.at);
	set_call_gate(SEL_TEST0, (u64)gate_target, SEL_K64,
		      (DESC_CALL | DESC_DPL3) & ~DESC_P);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("callgate.not_present", &x, &s, EXC_NP, SEL_TEST0, s.at);
	set_call_gate(SEL_TEST0, (u64)gate_target, SEL_K32,
		      DESC_CALL | DESC_DPL3);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("callgate.32bit_target", &x, &s, EXC_GP, SEL_K32, s.at);
	set_call_gate(SEL_TEST0, 0x800000000000, SEL_K64, DESC_CALL | DESC_DPL3);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("callgate.noncanonical", &x, &s, EXC_GP, 0, s.at);
	set_call_gate(SEL_TEST0, (u64)gate_target, SEL_KD, DESC_CALL | DESC_DPL3);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("callgate.data_target", &x, &s, EXC_GP, SEL_KD, s.at);
	/* The upper half's type must be 0. */
	set_call_gate(SEL_TEST0, (u64)gate_target, SEL_K64,
		      DESC_CALL | DESC_DPL3);
	gdt[SEL_TEST0 / 8 + 1] |= 0x0f0000000000;
	exec_user(&x, &s);
	exec64(&x);
	check_exc("callgate.upper_type", &x, &s, EXC_GP, SEL_TEST0, s.at);
	/* A 64-bit ring-1 target whose RSP1 is outside the TSS: #TS. */
	set_gdt(SEL_TEST0 + 16, make_desc(0, 0xfffff, 0xbb, DESC_G | DESC_L));
	set_call_gate(SEL_TEST0, (u64)gate_target, SEL_TEST0 + 16 + 1,
		      DESC_CALL | DESC_DPL3);
	set_gdt(SEL_TEST0 + 24, make_desc((u64)&tss, 11, DESC_TSS64, 0));
	set_gdt(SEL_TEST0 + 32, 0);
	load_tr(SEL_TEST0 + 24);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("callgate.tss_limit", &x, &s, EXC_TS, SEL_TEST0 + 24, s.at);
	load_tr(SEL_TSS64);

	/* Plain far transfers. */
	s = SNIP("sub $16, %rsp; lea 1f(%rip), %rax; mov %eax, (%rsp); movw $8, 4(%rsp)",
		 "ljmp *(%rsp); ud2; 1: nop", "");
	expect_done("far.jmp", s);
	s = SNIP("sub $16, %rsp; lea 1f(%rip), %rax; mov %eax, (%rsp); movw $8, 4(%rsp)",
		 "lcall *(%rsp); jmp 2f; 1: lretl; 2: nop", "");
	expect_done("far.call32_ret", s);
	s = SNIP("sub $16, %rsp; lea 1f(%rip), %rax; mov %rax, (%rsp); movw $8, 8(%rsp)",
		 "rex.w lcall *(%rsp); jmp 2f; 1: lretq; 2: nop", "");
	expect_done("far.call64_ret", s);
	/* RETF to CPL 3 with a byte count: it comes off both stacks. */
	s = SNIP("pushq $0x3b; push %rdi; pushq $0x1234; pushq $0x43; push %rcx",
		 "lretq $8", "mov %cs, %eax");
	exec_init(&x, &s);
	x.rcx = UALIAS(s.after);
	x.rdi = UALIAS(user_stack_top) - 64;
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == SEL_U64 && x.rsp == x.rdi + 8,
	      "far.retf_outer", "vec %lx cs %lx rsp +%lx", x.vec, x.rax,
	      x.rsp - x.rdi);
	/* Unlike IRET's, its #NP is for CS only. */
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, 0x73, DESC_G | DESC_D));
	s = SNIP("pushq $0x7b; push %rsp; pushq $0x43; lea 1f(%rip), %rax; push %rax",
		 "lretq; 1: nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("far.retf_ss_not_present", &x, &s, EXC_SS, 0x78, s.at);
}

static u64 star_old;

extern char syscall_target[];

/* Exceptions end the snippet: INT with what SYSCALL left in registers. */
asm(".text\n"
    "syscall_target:\n"
    "	pushfq\n"
    "	pop	%rax\n"
    "	mov	%cs, %ebx\n"
    "	mov	%ss, %edx\n"
    "	mov	%rsp, %rsi\n"
    "	int	$0x81\n");

static void syscalls(void)
{
	struct exec x;
	struct snip s;
	u64 efer = rdmsr(MSR_EFER);

	if (!HAS_SYSCALL) {
		skip("syscall", "cpuid.80000001:edx.syscall not offered");
		return;
	}
	star_old = rdmsr(MSR_STAR);
	expect_user_fault("syscall.sce0", SNIP("", "syscall", ""), EXC_UD,
			  NO_ERR);
	wrmsr(MSR_EFER, efer | EFER_SCE);
	wrmsr(MSR_STAR, (u64)(SEL_U32 & ~3ul) << 48 | (u64)SEL_K64 << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_target);
	wrmsr(MSR_SFMASK, FL_IF | FL_DF | FL_TF);

	/* RSP is not switched: the handler runs on the user's value. */
	s = SNIP("", "syscall", "");
	exec_user(&x, &s);
	x.rsp = (u64)test_stack_top;
	x.rflags = 0x8d7 | FL_ID | FL_RF;
	exec64(&x);
	check(x.vec == VEC_DONE && x.rbx == SEL_K64 && x.rdx == SEL_KD &&
	      x.rcx == UALIAS(s.after) && x.rsi == (u64)test_stack_top,
	      "syscall.entry", "vec %lx cs %lx ss %lx rcx %s rsp %lx", x.vec,
	      x.rbx, x.rdx, x.rcx == UALIAS(s.after) ? "after" : "elsewhere",
	      x.rsi);
	/* R11 has RFLAGS with RF clear; the mask cleared its bits. */
	check(x.r11 == (0x8d7 | FL_ID) && x.rax == ((0x8d7 | FL_ID)),
	      "syscall.flags", "r11 %lx rflags %lx", x.r11, x.rax);
	wrmsr(MSR_SFMASK, 0xffffffff);
	exec_user(&x, &s);
	x.rsp = (u64)test_stack_top;
	x.rflags = 0xcd7 | FL_AC | FL_NT;
	exec64(&x);
	check(x.r11 == (0xcd7 | FL_AC | FL_NT) && x.rax == FL_ONE,
	      "syscall.mask_all", "r11 %lx rflags %lx", x.r11, x.rax);
	/* SYSCALL at CPL 0 is allowed. */
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == s.after && x.rbx == SEL_K64,
	      "syscall.kernel", "cs %lx", x.rbx);
	/* On Intel not out of compatibility mode. */
	s = SNIP32("", "syscall", "");
	exec_user32(&x, &s);
	exec64(&x);
	check_exc("syscall.compat", &x, &s, EXC_UD, NO_ERR, s.at);

	/* SYSRET: to 64-bit and to compatibility mode. */
	s = SNIP("mov %rdx, %rcx; mov $0x10cd7, %r11d", "sysretq",
		 "mov %cs, %eax; mov %ss, %ebx; pushfq; pop %rdi");
	exec_init(&x, &s);
	x.rdx = UALIAS(s.after);
	x.rsp = UALIAS(user_stack_top);
	exec64(&x);
	check_done("sysret.64", &x, &s);
	check(x.rax == SEL_U64 && x.rbx == SEL_UD && x.rdi == 0xcd7,
	      "sysret.64.state", "cs %lx ss %lx fl %lx", x.rax, x.rbx, x.rdi);
	s = SNIP("mov %rdx, %rcx; mov $2, %r11d", "sysretl",
		 ".code32\n mov %cs, %eax; mov %ss, %ebx; mov $9, %ecx; .byte 0x49");
	exec_init(&x, &s);
	x.rdx = UALIAS(s.after);
	x.rsp = UALIAS(user_stack_top);
	exec64(&x);
	check_done("sysret.32", &x, &s);
	check(x.rax == SEL_U32 && x.rbx == SEL_UD && x.rcx == 8,
	      "sysret.32.state", "cs %lx ss %lx ecx %lx", x.rax, x.rbx, x.rcx);
	/* Intel checks RCX at CPL 0. */
	s = SNIP("mov $1, %ecx; shl $47, %rcx; mov $2, %r11d", "sysretq", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("sysret.noncanonical", &x, &s, EXC_GP, 0, s.at);
	check_eq("sysret.noncanonical.cs", x.cs, SEL_K64);
	wrmsr(MSR_STAR, star_old);
	wrmsr(MSR_EFER, efer);
}

static void sysenter(void)
{
	struct exec x;
	struct snip s;

	if (!cpu_has(1, 0, R_EDX, 11)) {
		skip("sysenter", "cpuid.1:edx.sep not offered");
		return;
	}
	wrmsr(MSR_SYSENTER_CS, 0);
	expect_user_fault("sysenter.cs0", SNIP("", "sysenter", ""), EXC_GP, 0);
	wrmsr(MSR_SYSENTER_CS, SEL_K64);
	wrmsr(MSR_SYSENTER_EIP, (u64)syscall_target);
	wrmsr(MSR_SYSENTER_ESP, (u64)test_stack_top);
	s = SNIP("", "sysenter", "");
	exec_user(&x, &s);
	x.rflags = 0xcd7;
	exec64(&x);
	check(x.vec == VEC_DONE && x.rbx == SEL_K64 && x.rdx == SEL_KD &&
	      x.rsi == (u64)test_stack_top && x.rax == 0xcd7, "sysenter.64",
	      "vec %lx cs %lx ss %lx rsp %lx fl %lx", x.vec, x.rbx, x.rdx,
	      x.rsi, x.rax);
	s = SNIP32("", "sysenter", "");
	exec_user32(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rbx == SEL_K64 && x.rdx == SEL_KD &&
	      x.rsi == (u64)test_stack_top, "sysenter.compat",
	      "vec %lx cs %lx ss %lx rsp %lx", x.vec, x.rbx, x.rdx, x.rsi);
	/* SYSEXIT: fixed segments at SYSENTER_CS + 32/40 (64), + 16/24 (32). */
	s = SNIP("mov %rsi, %rdx; mov %rdi, %rcx", "rex.w sysexit",
		 "mov %cs, %eax; mov %ss, %ebx");
	exec_init(&x, &s);
	x.rdi = UALIAS(user_stack_top);
	x.rsi = UALIAS(s.after);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == (SEL_K64 + 32) + 3 &&
	      x.rbx == (SEL_K64 + 40) + 3, "sysexit.64", "cs %lx ss %lx",
	      x.rax, x.rbx);
	s = SNIP("mov %rsi, %rdx; mov %rdi, %rcx", "sysexitl",
		 ".code32\n mov %cs, %eax; mov %ss, %ebx; mov $9, %ecx; .byte 0x49");
	exec_init(&x, &s);
	x.rdi = UALIAS(user_stack_top);
	x.rsi = UALIAS(s.after);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == (SEL_K64 + 16) + 3 &&
	      x.rbx == (SEL_K64 + 24) + 3 && x.rcx == 8, "sysexit.32",
	      "cs %lx ss %lx ecx %lx", x.rax, x.rbx, x.rcx);
	expect_user_fault("sysexit.user", SNIP("", "sysexitl", ""), EXC_GP, 0);
	expect_fault("sysexit.noncanonical",
		     SNIP("mov $1, %edx; shl $47, %rdx", "rex.w sysexit", ""),
		     EXC_GP, 0);
	wrmsr(MSR_SYSENTER_CS, 0);
	expect_fault("sysexit.cs0", SNIP("", "sysexitl", ""), EXC_GP, 0);
	wrmsr(MSR_SYSENTER_EIP, 0);
	wrmsr(MSR_SYSENTER_ESP, 0);
}

static void bases(void)
{
	struct exec x;
	struct snip s;
	static u64 mem[4] = { 0x1111, 0x2222, 0x3333, 0x4444 };

	/* exec64() loads FS and GS: put the bases in by MSR inside. */
	s = SNIP("mov $0xc0000100, %ecx; mov %esi, %eax; xor %edx, %edx; wrmsr; inc %ecx; add $8, %eax; wrmsr; inc %ecx; add $8, %eax; wrmsr",
		 "mov %fs:0, %rax; mov %gs:0, %rbx; swapgs; mov %gs:0, %rdi; swapgs; mov %gs:16, %rdx",
		 "");
	exec_init(&x, &s);
	x.rsi = (u64)mem;
	exec64(&x);
	check_done("base.msrs", &x, &s);
	check(x.rax == 0x1111 && x.rbx == 0x2222 && x.rdi == 0x3333 &&
	      x.rdx == 0x4444, "base.values", "%lx %lx %lx %lx", x.rax, x.rbx,
	      x.rdi, x.rdx);
	/* A selector load sets the base from the descriptor (32 bits). */
	set_gdt(SEL_TEST0, make_desc((u64)mem, 0xffff, DESC_DATA, 0));
	s = SNIP("mov $0x78, %eax; mov %eax, %gs; mov $0xc0000101, %ecx",
		 "rdmsr; shl $32, %rdx; or %rdx, %rax", "");
	exec_init(&x, &s);
	exec64(&x);
	check_eq("base.selector", x.rax, (u64)mem);
	/* Through the FS/GS base, compat code sees 32 bits of it. */
	s = SNIP32("", "mov %gs:8, %eax", "");
	exec_user32(&x, &s);
	set_gdt(SEL_TEST0, make_desc(UALIAS(mem), 0xffff, DESC_DATA | DESC_DPL3,
				     DESC_D));
	x.gs = SEL_TEST0 | 3;
	exec64(&x);
	check_done("base.compat", &x, &s);
	check_eq("base.compat.value", x.rax, 0x2222);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);

	if (!HAS_FSGSBASE) {
		skip("fsgsbase", "cpuid.7:ebx.fsgsbase not offered");
		return;
	}
	expect_fault("fsgsbase.cr4_off", SNIP("", "rdfsbase %rax", ""), EXC_UD,
		     NO_ERR);
	write_cr4(read_cr4() | CR4_FSGSBASE);
	s = SNIP("mov $0x123456789abc, %rax",
		 "wrfsbase %rax; wrgsbase %rbx; rdfsbase %rcx; rdgsbase %rdx",
		 "");
	exec_user(&x, &s);
	x.rbx = 0xffff812345678000;
	exec64(&x);
	check_done("fsgsbase.user", &x, &s);
	check(x.rcx == 0x123456789abc && x.rdx == 0xffff812345678000,
	      "fsgsbase.values", "%lx %lx", x.rcx, x.rdx);
	check(rdmsr(MSR_FS_BASE) == 0x123456789abc &&
	      rdmsr(MSR_GS_BASE) == 0xffff812345678000, "fsgsbase.msrs",
	      "%lx %lx", rdmsr(MSR_FS_BASE), rdmsr(MSR_GS_BASE));
	expect_user_fault("fsgsbase.noncanonical",
			  SNIP("mov $1, %eax; shl $47, %rax", "wrfsbase %rax",
			       ""), EXC_GP, 0);
	expect_compat_fault("fsgsbase.compat",
			    SNIP32("", ".byte 0xf3, 0x0f, 0xae, 0xc0", ""),
			    EXC_UD, NO_ERR);
	write_cr4(read_cr4() & ~CR4_FSGSBASE);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
}

void guest_main(void)
{
	iret();
	call_gates();
	syscalls();
	sysenter();
	bases();
}
