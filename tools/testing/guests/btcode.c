// SPDX-License-Identifier: GPL-2.0-only
/*
 * btcode.c - code that looks at itself: its bytes, its addresses, its return
 * addresses; instructions over page borders and into each other; RIP-relative
 * operands; and faults in the middle of all that, with exact registers.
 *
 * Nothing here changes code: that is smc.c. SDM vol. 1, "64-Bit Mode: Near
 * Branches", "RIP-Relative Addressing"; vol. 3, "Page-Fault Exceptions".
 */
#include "lib.h"

const char guest_name[] = "btcode";

#define LOW_CODE 0x1000ul	/* below real mode's parts: absolute addresses of any form */
#define TOP_SLOT 511
#define TOP 0xffffffff80000000ul

static u8 *code;

/* Error code of a fetch from where nothing is. */
static u64 fetch_error(void)
{
	return rdmsr(MSR_EFER) & EFER_NXE ? PF_I : 0;
}

static u32 checksum(const u8 *p, const u8 *end)
{
	u32 sum = 0;

	while (p < end)
		sum = (sum << 5 | sum >> 27) ^ *p++;
	return sum;
}


/* ---- what code reads of itself ---- */

extern u8 self_start[], self_end[];
asm(".pushsection .text\n"
    "self_start:\n"
    /* Sums itself, a byte at a time; all kinds of branches in it. */
    "lea self_start(%rip), %rsi\n"
    "lea self_end(%rip), %rdi\n"
    "xor %eax, %eax\n"
    "1: call 2f\n"
    "cmp %rdi, %rsi\n"
    "jb 1b\n"
    "ret\n"
    "2: rol $5, %eax\n"
    "lea 3f(%rip), %rdx\n"
    "jmp *%rdx\n"
    "3: xor (%rsi), %al\n"
    "inc %rsi\n"
    "ret\n"
    "self_end:\n"
    ".popsection");

static u32 call(const void *f)
{
	u32 r;

	asm volatile("call *%1" : "=a"(r) : "r"(f)
		     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "cc", "memory");
	return r;
}

static void reads(void)
{
	u64 a, b, c, d;
	u32 i, bad = 0;

	/* At its own place, and the model: the same in C. */
	for (i = 0; i < 5; i++)
		bad += call(self_start) != checksum(self_start, self_end);
	check_eq("self.sum", bad, 0);
	/* Copies of it elsewhere, so that all addresses differ. */
	for (i = 0; i < 20; i++) {
		u8 *copy = code + PAGE_SIZE - 10 - 3 * i;

		memcpy(copy, self_start, self_end - self_start);
		bad += call(copy) != checksum(self_start, self_end);
		bad += memcmp(copy, self_start, self_end - self_start) != 0;
	}
	check_eq("self.copies", bad, 0);

	/* Return addresses: on the stack, popped, compared with labels. */
	asm volatile("call 1f\n 1: pop %0\n lea 1b(%%rip), %1\n"
		     "call 2f\n 3: jmp 4f\n 2: mov (%%rsp), %2\n ret\n 4: lea 3b(%%rip), %3\n"
		     : "=r"(a), "=r"(b), "=r"(c), "=r"(d) : : "memory");
	check(a == b && c == d, "self.return_address", "%ld %ld", a - b, c - d);
	/* Through a register, through memory, far. */
	asm volatile("lea 2f(%%rip), %2\n call *%2\n 1: jmp 3f\n 2: mov (%%rsp), %0\n ret\n 3: lea 1b(%%rip), %1\n"
		     : "=&r"(a), "=&r"(b), "=&r"(c) : : "memory");
	asm volatile("lea 2f(%%rip), %0\n push %0\n call *(%%rsp)\n 1: pop %1\n jmp 3f\n 2: mov (%%rsp), %0\n ret\n 3: lea 1b(%%rip), %1\n"
		     : "=&r"(c), "=&r"(d) : : "memory");
	check(a == b && c == d, "self.return_indirect", "%ld %ld", a - b, c - d);
	/* Below the stack pointer it stays. */
	asm volatile("call 1f\n 2: jmp 3f\n 1: ret\n 3: mov -8(%%rsp), %0\n lea 2b(%%rip), %1\n"
		     : "=r"(a), "=r"(b) : : "memory");
	check_eq("self.return_stays", a - b, 0);
	/* RIP by LEA, by CALL and by an exception's frame agree. */
	asm volatile("lea 0(%%rip), %0\n 1: lea 1b(%%rip), %1\n" : "=r"(a), "=r"(b));
	check_eq("self.lea", a - b, 0);
}

static void returns(void)
{
	struct snip s;
	struct exec x;

	/* The callee changes where it returns to. */
	s = SNIP("", "jmp 2f; 1: addq $2, (%rsp); ret; 2: call 1b; ud2", "");
	expect_done("ret.modified", s);
	s = SNIP("xor %eax, %eax; lea 664f(%rip), %rdx",
		 "call 1f; ud2; 1: xchg %rdx, (%rsp); ret $0", "ud2");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rdx == s.at + 5, "ret.exchanged",
	      "rdx %ld", x.rdx - s.at);
	s = SNIP("push $1; push $2; push $3", "jmp 2f; 1: ret $16; 2: call 1b",
		 "pop %rax");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == 1, "ret.imm", "%lx", x.rax);
	/* Two returns to one call: the first lies on the stack again. */
	s = SNIP("xor %eax, %eax", "jmp 2f; 1: inc %eax; cmp $2, %eax; je 3f; push (%rsp); ret; 3: ret; 2: call 1b",
		 "cmp $5, %eax; jae 664f; inc %eax; call 1b");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE, "ret.twice", "rax %lx", x.rax);
	/* Operands that use RSP, before and after the push. */
	s = SNIP("lea 1f(%rip), %rax; push %rax; lea 2f(%rip), %rax; push %rax",
		 "jmp 3f; 1: inc %ecx; ret; 2: inc %edx; ret; 3: call *8(%rsp)",
		 "call *(%rsp); push %rsp; pop %rsi; sub %rsp, %rsi");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == 1 && x.rdx == 1 && !x.rsi,
	      "call.rsp_relative", "%lx %lx %lx", x.rcx, x.rdx, x.rsi);
	s = SNIP("lea 1f(%rip), %rax; push %rax", "jmp *(%rsp); ud2; 1:", "pop %rcx; pop %rdx; push %rdx; push %rsp; popq (%rsp)");
	exec_init(&x, &s);
	x.rsp -= 64;
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == x.rax, "jmp.rsp_relative", "%d",
	      x.rcx == x.rax);
	/* 16-bit operand size: on Intel ignored for near branches. */
	s = SNIP("", ".byte 0x66; jmp 1f; ud2; 1:", "");
	expect_done("jmp.prefix66_short", s);
	/* Deep recursion and back. */
	s = SNIP("mov $500, %ecx; xor %eax, %eax", "call 1f; jmp 2f; 1: dec %ecx; jz 3f; call 1b; 3: inc %eax; ret; 2:",
		 "");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == 500, "ret.recursion", "%lu", x.rax);
}

/* ---- instructions in instructions ---- */

static void overlaps(void)
{
	struct snip s;
	struct exec x;
	u32 i, bad = 0;

	/* Into the immediate of a MOV: two readings of the same bytes. */
	s = SNIP("xor %eax, %eax; xor %edx, %edx; lea 1f(%rip), %rcx; mov $2, %esi",
		 "2: nop; 1: .byte 0xb8; inc %edx; jmp 3f; 3:",
		 "dec %esi; jz 664f; inc %rcx; jmp *%rcx");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rdx == 1, "overlap.immediate",
	      "rax %lx rdx %lx", x.rax, x.rdx);
	/* Over a LOCK prefix, as libraries of old did. */
	s = SNIP("xor %eax, %eax; push $1",
		 "cmpl $0, %eax; je 1f; .byte 0xf0; 1: incl (%rsp)", "pop %rax");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == 2, "overlap.lock", "%lx", x.rax);
	/* Each byte of a page of NOPs as an entry, by an indirect jump. */
	memset(code, 0x90, PAGE_SIZE);
	memcpy(code + PAGE_SIZE, "\xb8\x2a\0\0\0\xc3", 6);
	for (i = 0; i < PAGE_SIZE; i += i < 100 || i > 4000 ? 1 : 61)
		bad += call(code + i) != 42;
	check_eq("overlap.each_byte", bad, 0);
	/* A run of one byte: 48 48 48 ... rex prefixes before the last. */
	memcpy(code, "\x31\xc0\x48\x48\x48\x48\x48\xff\xc0\xc3", 10);
	for (i = 2; i < 8; i++)
		bad += call(code) != 1;
	check_eq("overlap.prefixes", bad, 0);
	/* The longest instruction, and one byte more. */
	memset(code, 0x2e, 14);
	memcpy(code + 14, "\x90\xc3", 2);
	x.rax = call(code);
	s.start = s.at = (u64)code;
	memcpy(code + 15, "\x90\xcd\x81", 3);
	code[14] = 0x2e;
	expect_fault("overlap.too_long", s, EXC_GP, 0);
}

/* ---- page borders ---- */

static const u8 spread[] = {
	0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8,	/* movabs, %rax */
	0x48, 0x81, 0xc1, 1, 1, 1, 1,		/* add $0x01010101, %rcx */
	0xcd, 0x81,				/* int $0x81 */
};

/* The spread instructions, i bytes in the first page, at window pages n and n+1. */
static void spread_run(struct exec *x, u32 n, u32 i, u64 second)
{
	struct snip s = { 0 };

	memcpy(code + PAGE_SIZE - i, spread, i);
	memcpy(code + 3 * PAGE_SIZE, spread + i, sizeof(spread) - i);
	window_map(n, (u64)code, PT_P | PT_W);
	window_map(n + 1, second ? ((u64)code + 3 * PAGE_SIZE) | second : 0, 0);
	s.start = window_addr(n + 1) - i;
	exec_init(x, &s);
	exec64(x);
}

static bool spread_faulted(const struct exec *x, u32 n, u32 i, u64 err)
{
	u64 at = window_addr(n + 1) - i + (i < 10 ? 0 : 10);

	return x->vec == EXC_PF && x->err == err && x->rip == at &&
	       x->cr2 == window_addr(n + 1) && !x->rcx &&
	       x->rax == (i < 10 ? 0 : 0x0807060504030201);
}

static bool spread_ran(const struct exec *x)
{
	return x->vec == VEC_DONE && x->rax == 0x0807060504030201 &&
	       x->rcx == 0x01010101;
}

static void borders(void)
{
	u32 i, never = 0, bad = 0, gone = 0, back = 0, nx = 0, unmapped = 0;
	struct snip s = { 0 };
	struct exec x;

	for (i = 1; i < 17; i++) {
		/* The second page never there: #PF at it, RIP before it. */
		spread_run(&x, 20 + 2 * i, i, 0);
		never += !spread_faulted(&x, 20 + 2 * i, i, fetch_error());
		/* There; gone after it ran; back again. */
		spread_run(&x, 0, i, PT_P);
		bad += !spread_ran(&x);
		spread_run(&x, 0, i, 0);
		gone += !spread_faulted(&x, 0, i, fetch_error());
		spread_run(&x, 0, i, PT_P | PT_W);
		back += !spread_ran(&x);
		/* Gone, its bytes as they were. */
		window_map(1, 0, 0);
		s.start = window_addr(1) - i;
		exec_init(&x, &s);
		exec64(&x);
		unmapped += !spread_faulted(&x, 0, i, fetch_error());
	}
	check_eq("border.not_present", never, 0);
	check_eq("border.split", bad, 0);
	check_eq("border.gone", gone, 0);
	check_eq("border.back", back, 0);
	check_eq("border.unmapped", unmapped, 0);
	if (HAS_NX) {
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
		for (i = 1; i < 17; i++) {
			spread_run(&x, 60 + 2 * i, i, PT_P | PT_NX);
			nx += !spread_faulted(&x, 60 + 2 * i, i, PF_P | PF_I);
		}
		check_eq("border.no_execute", nx, 0);
	}

	/* Falls off the end of a page into nothing; jumps and calls there. */
	window_map(1, 0, 0);
	memcpy(code + PAGE_SIZE - 2, "\xff\xc0", 2); /* inc %eax */
	s.start = window_addr(1) - 2;
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == EXC_PF && x.rip == window_addr(1) && x.cr2 == x.rip &&
	      x.rax == 1 && x.err == fetch_error(), "border.fall_off", "%lx %lx rax %lx",
	      x.rip, x.cr2, x.rax);
}

/* ---- wild targets ---- */

static void target(const char *name, struct snip s, u64 where, int vec,
		   u64 rip, s64 rsp)
{
	struct exec x;

	exec_init(&x, &s);
	x.rbx = where;
	x.rsp -= 64;
	exec64(&x);
	check(x.vec == (u64)vec && x.rip == (rip ? rip : s.at) &&
	      x.rsp == (u64)test_stack_top - 64 + rsp &&
	      (vec != EXC_PF || x.cr2 == where) &&
	      x.err == (vec == EXC_PF ? fetch_error() : 0), name,
	      "vec %lx err %lx rip %lx rsp %ld cr2 %lx", x.vec, x.err,
	      x.rip == s.at ? 0 : x.rip,
	      (s64)(x.rsp - (u64)test_stack_top + 64),
	      x.vec == EXC_PF ? x.cr2 : 0);
}

static void wild(void)
{
	static const u64 noncanonical[] = {
		0x800000000000, 0xffff7fffffffffff, 0x1234567812345678,
		0x8000000000000000, 0x7fffffffffffffff,
	};
	u64 nowhere = window_addr(9);
	u32 i;

	window_map(9, 0, 0);
	for (i = 0; i < ARRAY_SIZE(noncanonical); i++) {
		u64 bad = noncanonical[i];

		target("wild.jmp_reg", SNIP("", "jmp *%rbx", ""), bad, EXC_GP, 0, 0);
		target("wild.jmp_mem", SNIP("mov %rbx, (%rsp)", "jmp *(%rsp)", ""),
		       bad, EXC_GP, 0, 0);
		/* The push of a CALL must not be seen. */
		target("wild.call_reg", SNIP("", "call *%rbx", ""), bad, EXC_GP, 0, 0);
		target("wild.call_mem", SNIP("mov %rbx, (%rsp)", "call *(%rsp)", ""),
		       bad, EXC_GP, 0, 0);
		target("wild.ret", SNIP("push %rbx", "ret", ""), bad, EXC_GP, 0, -8);
		target("wild.ret_imm", SNIP("push %rbx", "ret $8", ""), bad, EXC_GP, 0, -8);
	}
	target("wild.np_jmp", SNIP("", "jmp *%rbx", ""), nowhere, EXC_PF, nowhere, 0);
	target("wild.np_call", SNIP("", "call *%rbx", ""), nowhere, EXC_PF, nowhere, -8);
	target("wild.np_ret", SNIP("push %rbx", "ret", ""), nowhere, EXC_PF, nowhere, 0);
	target("wild.np_ret_imm", SNIP("push %rbx", "ret $8", ""), nowhere, EXC_PF, nowhere, 8);
	target("wild.np_low", SNIP("", "jmp *%rbx", ""), 0x7fff00000000, EXC_PF, 0x7fff00000000, 0);
	target("wild.np_high", SNIP("", "jmp *%rbx", ""), TOP - 0x1000, EXC_PF, TOP - 0x1000, 0);
	/* Into a canonical hole from the last byte below it: maps page by page. */
	target("wild.null", SNIP("xor %ebx, %ebx", "movabs $0x100000000, %rbx; jmp *%rbx", ""),
	       0x100000000, EXC_PF, 0x100000000, 0);
}

/* ---- faults of the branches' own accesses ---- */

static void stack_faults(void)
{
	u64 none = window_addr(10), edge = window_addr(12);
	struct exec x;
	struct snip s;

	window_map(10, 0, 0);
	window_map(11, 0, 0);
	window_map(12, (u64)code, PT_P | PT_W);
#define ACCESS(name, insn, reg_rsp, want_cr2, want_err) do {		\
	s = SNIP("mov %rbx, %rsp", insn, "");				\
	exec_init(&x, &s);						\
	x.rbx = reg_rsp;						\
	x.rcx = 3;							\
	x.rdi = none;							\
	set_idt(EXC_PF, (u64)exc_stubs_pf, SEL_K64, DESC_INT, 1);	\
	exec64(&x);							\
	set_idt_default(EXC_PF);					\
	check(x.vec == EXC_PF && x.rip == s.at && x.rsp == x.rbx &&	\
	      x.cr2 == (want_cr2) && x.err == (want_err), name,		\
	      "vec %lx err %lx rip %ld rsp %ld cr2 about %lx", x.vec, x.err, \
	      x.rip - s.at, x.rsp - x.rbx, x.cr2 & ~0x3ful);			\
} while (0)
	extern char exc_stubs[];
	char *exc_stubs_pf = exc_stubs + 16 * EXC_PF;

	ACCESS("fault.call", "call 1f; 1:", edge, edge - 8, PF_W);
	ACCESS("fault.call_split", "call 1f; 1:", edge + 4, edge - 4, PF_W);
	ACCESS("fault.call_reg", "call *%rcx", edge, edge - 8, PF_W);
	ACCESS("fault.call_mem_operand", "call *(%rdi)", edge + 64, none, 0);
	ACCESS("fault.jmp_mem_operand", "jmp *8(%rdi)", edge + 64, none + 8, 0);
	ACCESS("fault.call_mem_rsp", "call *-64(%rsp)", edge, edge - 64, 0);
	ACCESS("fault.ret", "ret", none + 16, none + 16, 0);
	ACCESS("fault.ret_split", "ret", edge - 4, edge - 4, 0);
	ACCESS("fault.ret_imm", "ret $32", none + 8, none + 8, 0);
	ACCESS("fault.push", "push %rcx", edge, edge - 8, PF_W);
	ACCESS("fault.push_mem", "push (%rdi)", edge + 64, none, 0);
	ACCESS("fault.push_mem_rsp", "push -256(%rsp)", edge, edge - 256, 0);
	ACCESS("fault.pop", "pop %rcx", none, none, 0);
	ACCESS("fault.pop_mem", "pop (%rdi)", edge + 64, none, PF_W);
	ACCESS("fault.pushf", "pushfq", edge, edge - 8, PF_W);
	ACCESS("fault.popf", "popfq", none, none, 0);
	ACCESS("fault.enter", "enter $16, $0", edge, edge - 8, PF_W);
	/* Which word of the frame is read first is not laid down. */
	ACCESS("fault.iret", "iretq", none, none + (x.cr2 & 0x38), 0);
	ACCESS("fault.lret", "lretq", none, none + (x.cr2 & 8), 0);
}

/* ---- RIP-relative operands ---- */

extern u64 rip_cell[];
asm(".pushsection .data\n .balign 64\n rip_cell: .quad 0x1111111122222222, 0, 0, 0\n .popsection");

#define CELL rip_cell[0]

/* Result in RAX and in the cell; both are compared. */
static void rip_case(const char *name, struct snip s, u64 rax, u64 cell)
{
	struct exec x;

	CELL = 0x1111111122222222;
	exec_init(&x, &s);
	x.rax = 0x55;
	x.rcx = 3;
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == rax && CELL == cell, name,
	      "rax %lx cell %lx", x.rax, CELL);
}

#define RIP(name, insn, rax, cell) \
	rip_case("rip." name, SNIP("", insn, ""), rax, cell)
#define V 0x1111111122222222ul

static void rip_relative(void)
{
	RIP("mov_load", "mov rip_cell(%rip), %rax", V, V);
	RIP("mov_load32", "mov rip_cell(%rip), %eax", 0x22222222, V);
	RIP("mov_load8", "mov rip_cell(%rip), %al", 0x22, V);
	RIP("mov_store", "mov %rax, rip_cell(%rip)", 0x55, 0x55);
	RIP("mov_store8", "mov %al, rip_cell+1(%rip)", 0x55, 0x1111111122225522);
	RIP("mov_imm", "movl $0x77, rip_cell(%rip)", 0x55, 0x1111111100000077);
	RIP("mov_imm64", "movq $-2, rip_cell(%rip)", 0x55, -2ul);
	RIP("add_to", "add %rax, rip_cell(%rip)", 0x55, V + 0x55);
	RIP("add_from", "add rip_cell(%rip), %rax", V + 0x55, V);
	RIP("adc_imm8", "stc; adcl $1, rip_cell(%rip)", 0x55, 0x1111111122222224);
	RIP("cmp_imm32", "cmpq $0x22222222, rip_cell(%rip); sete %al", 0, V);
	RIP("test", "testb $2, rip_cell(%rip); setnz %al", 1, V);
	RIP("lea", "lea rip_cell(%rip), %rax; sub $rip_cell, %rax", 0, V);
	RIP("xchg", "xchg %rax, rip_cell(%rip)", V, 0x55);
	RIP("xadd", "lock xadd %rax, rip_cell(%rip)", V, V + 0x55);
	RIP("cmpxchg", "mov rip_cell(%rip), %rax; lock cmpxchg %rcx, rip_cell(%rip)", V, 3);
	RIP("inc", "incl rip_cell(%rip)", 0x55, V + 1);
	RIP("neg", "negb rip_cell(%rip)", 0x55, 0x11111111222222de);
	RIP("shl_cl", "shll %cl, rip_cell(%rip)", 0x55, 0x1111111111111110);
	RIP("bts", "btsl $0, rip_cell(%rip)", 0x55, V + 1);
	RIP("bts_reg", "bts %rcx, rip_cell(%rip)", 0x55, V | 8);
	RIP("imul3", "imul $3, rip_cell(%rip), %rax", V * 3, V);
	RIP("mul", "mulq rip_cell(%rip); mov %rdx, %rax", 5, V);
	RIP("div", "xor %edx, %edx; movb $5, rip_cell(%rip); divb rip_cell(%rip)", 17, 0x1111111122222205);
	RIP("movzx", "movzwl rip_cell(%rip), %eax", 0x2222, V);
	RIP("movsx", "movb $0x80, rip_cell(%rip); movsbq rip_cell(%rip), %rax", -128ul, 0x1111111122222280);
	RIP("movsxd", "movslq rip_cell+4(%rip), %rax", 0x11111111, V);
	RIP("cmov", "test %eax, %eax; cmovnz rip_cell(%rip), %rax", V, V);
	RIP("setcc", "stc; setc rip_cell(%rip)", 0x55, 0x1111111122222201);
	RIP("push", "push rip_cell(%rip); pop %rax", V, V);
	RIP("pop", "push %rax; pop rip_cell(%rip)", 0x55, 0x55);
	RIP("bswap_movnti", "movnti %rax, rip_cell(%rip); sfence", 0x55, 0x55);
	RIP("shld", "shld $4, %rax, rip_cell(%rip)", 0x55, 0x1111111222222220);
	RIP("segment", "mov %ss, rip_cell(%rip)", 0x55, 0x1111111122220010);
	RIP("fs", "mov %fs:rip_cell(%rip), %rax", V, V);
	RIP("cs", "mov %cs:rip_cell(%rip), %rax", V, V);
	RIP("addr32", "addr32 mov rip_cell(%eip), %rax", V, V);
	RIP("invlpg", "invlpg rip_cell(%rip)", 0x55, V);
	RIP("sgdt", "sgdt rip_cell+8(%rip)", 0x55, V);
	RIP("prefetch", "prefetcht0 rip_cell(%rip)", 0x55, V);
	RIP("fild", "fninit; fildll rip_cell(%rip); fistpll rip_cell(%rip)", 0x55, V);
	RIP("fnstcw", "fninit; fnstcw rip_cell(%rip)", 0x55, 0x111111112222037f);
	RIP("cmpxchg8b", "mov $0x22222222, %eax; mov $0x11111111, %edx; push %rbx; xor %ebx, %ebx; lock cmpxchg8b rip_cell(%rip); pop %rbx",
	    0x22222222, 0x300000000);
	RIP("call", "lea 1f(%rip), %rcx; mov %rcx, rip_cell(%rip); call *rip_cell(%rip); jmp 2f; 1: mov $9, %eax; movq $0, rip_cell(%rip); ret; 2:",
	    9, 0);
	RIP("jmp", "lea 1f(%rip), %rcx; mov %rcx, rip_cell(%rip); jmp *rip_cell(%rip); ud2; 1: movq $1, rip_cell(%rip)",
	    0x55, 1);
	RIP("indexed", "lea rip_cell(%rip), %rdx; mov (%rdx,%rcx,8), %rax; mov -8(%rdx,%rcx,8), %ecx", rip_cell[3], V);
	RIP("absolute", "mov rip_cell, %rax", V, V);
	RIP("moffs", "movabs rip_cell, %rax", V, V);
}

/* The same code at low, middle and high addresses reaches its own cell. */
extern u8 moved_start[], moved_cell[], moved_end[];
asm(".pushsection .text\n"
    ".balign 16\n"
    "moved_start:\n"
    "mov moved_cell(%rip), %rax\n"
    "add %rax, moved_cell+8(%rip)\n"
    "lea moved_cell(%rip), %rcx\n"
    "add (%rcx), %rax\n"
    "incl moved_cell(%rip)\n"
    "add moved_cell(%rip), %eax\n"
    "lea moved_start(%rip), %rdx\n"
    "call 1f\n"
    "1: pop %rsi\n"
    "lea 1b(%rip), %rdi\n"
    "sub %rdi, %rsi\n"
    "int $0x81\n"
    ".balign 8\n"
    "moved_cell: .quad 5, 100\n"
    "moved_end:\n"
    ".popsection");

static void moved(const char *name, u64 at)
{
	u64 cell = at + (moved_cell - moved_start);
	struct snip s = { .start = at };
	struct exec x;
	u32 i, bad = 0;

	memcpy((void *)at, moved_start, moved_end - moved_start);
	for (i = 5; i < 9; i++) {
		exec_init(&x, &s);
		exec64(&x);
		bad += x.vec != VEC_DONE || x.rax != 3 * i + 1 || x.rcx != cell ||
		       x.rdx != at || x.rsi;
	}
	bad += *(u64 *)(cell + 8) != 100 + 5 + 6 + 7 + 8;
	check(!bad, name, "%u wrong, vec %lx rax %lx", bad, x.vec, x.rax);
}

static void places(void)
{
	u64 *pdpt = alloc_pages(1), *pd = alloc_pages(1), *pt = alloc_pages(1);

	moved("place.image", (u64)code + 0x100);
	moved("place.low", LOW_CODE);
	moved("place.border", (u64)code + 3 * PAGE_SIZE - 20);
	moved("place.middle", HIGH_ALIAS + (u64)code + 0x200);
	/* The top of the address space: -2 GiB, and its last page. */
	pt[0] = (u64)code | PT_P | PT_W;
	pt[1] = ((u64)code + PAGE_SIZE) | PT_P | PT_W;
	pt[511] = ((u64)code + 2 * PAGE_SIZE) | PT_P | PT_W;
	pd[0] = (u64)pt | PT_P | PT_W;
	pd[511] = (u64)pt | PT_P | PT_W;
	pdpt[510] = (u64)pd | PT_P | PT_W;
	pdpt[511] = (u64)pd | PT_P | PT_W;
	pdpt[0] = (u64)pd | PT_P | PT_W;
	boot_pml4[TOP_SLOT] = (u64)pdpt | PT_P | PT_W;
	boot_pml4[128] = (u64)pdpt | PT_P | PT_W;
	moved("place.top", TOP);
	moved("place.top_border", TOP + PAGE_SIZE - 15);
	moved("place.last_page", -PAGE_SIZE);
	moved("place.last_bytes", -((u64)(moved_end - moved_start + 7) & ~7ul));
	moved("place.slot128", 128ul << 39);
	boot_pml4[128] = 0;
}

/* Faults in the middle of RIP-relative instructions: all registers as before. */
static void rip_faults(void)
{
	u8 *at = code + 0x400;
	s32 distance;
	struct snip s = { 0 };
	struct exec x;
	u32 i, n, bad;
	static const struct {
		const char *name;
		u8 length, disp, insn[12];
		u32 err;
	} cases[] = {
		{ "load", 7, 3, { 0x48, 0x8b, 0x05 }, 0 },
		{ "store", 7, 3, { 0x48, 0x89, 0x0d }, PF_W },
		{ "store_imm", 10, 2, { 0xc7, 0x05, 0, 0, 0, 0, 1, 2, 3, 4 }, PF_W },
		{ "add", 6, 2, { 0x01, 0x05 }, PF_W },
		{ "xchg", 6, 2, { 0x87, 0x05 }, PF_W },
		{ "lock_inc", 7, 3, { 0xf0, 0xff, 0x05 }, PF_W },
		{ "push", 6, 2, { 0xff, 0x35 }, 0 },
		{ "pop", 6, 2, { 0x8f, 0x05 }, PF_W },
		{ "call", 6, 2, { 0xff, 0x15 }, 0 },
		{ "jmp", 6, 2, { 0xff, 0x25 }, 0 },
		{ "cmp", 7, 2, { 0x83, 0x3d, 0, 0, 0, 0, 1 }, 0 },
		{ "div", 6, 2, { 0xf7, 0x35 }, 0 },
		{ "mov_ss", 6, 2, { 0x8e, 0x15 }, 0 },
	};

	window_map(8, 0, 0);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* Alone, and behind eleven others. */
		for (n = 0, bad = 0; n < 12; n++) {
			memset(at, 0x90, n);
			memcpy(at + n, cases[i].insn, cases[i].length);
			s.at = (u64)at + n;
			distance = window_addr(8) + 0x123 - s.at - cases[i].length;
			memcpy(at + n + cases[i].disp, &distance, 4);
			s.start = (u64)at;
			exec_init(&x, &s);
			x.rax = 1;
			x.rcx = 2;
			x.rdx = 3;
			x.r11 = 4;
			x.rflags |= FL_CF | FL_ZF;
			exec64(&x);
			bad += x.vec != EXC_PF || x.rip != s.at ||
			       x.cr2 != window_addr(8) + 0x123 ||
			       x.err != cases[i].err || x.rax != 1 ||
			       x.rcx != 2 || x.rdx != 3 || x.r11 != 4 ||
			       x.rsp != (u64)test_stack_top ||
			       (x.rflags & ~FL_RF) != (FL_ONE | FL_CF | FL_ZF);
		}
		check(!bad, cases[i].name, "%u wrong, vec %lx err %lx", bad, x.vec,
		      x.err);
	}
}

/* #DE, #UD, #GP, #SS behind others in one straight piece. */
static void other_faults(void)
{
	struct exec x;
	struct snip s;

#define EXACT(name, pre, insn, vector, error) do {			\
	s = SNIP("mov $1, %eax; mov $2, %edx; push %rax; inc %esi\n" pre, \
		 insn, "inc %esi; ud2");				\
	exec_init(&x, &s);						\
	x.rbx = BIT(63);						\
	x.r8 = 8;							\
	exec64(&x);							\
	check(x.vec == (vector) && x.err == (error) && x.rip == s.at &&	\
	      x.rax == 1 && x.rdx == 2 && x.rsi == 1 && x.r8 == 8 &&	\
	      x.rsp == (u64)test_stack_top - 8, "exact." name,		\
	      "vec %lx err %lx rip %ld rax %lx rdx %lx rsi %lx", x.vec, \
	      x.err, x.rip - s.at, x.rax, x.rdx, x.rsi);		\
} while (0)
	EXACT("de", "", "div %r9", EXC_DE, NO_ERR);
	EXACT("ud", "", "ud2", EXC_UD, NO_ERR);
	EXACT("ud_lock", "", ".byte 0xf0; nop", EXC_UD, NO_ERR);
	EXACT("gp_load", "", "mov (%rbx), %rax", EXC_GP, 0);
	EXACT("gp_store", "", "mov %rax, 8(%rbx)", EXC_GP, 0);
	EXACT("gp_rmw", "", "lock incl (%rbx)", EXC_GP, 0);
	EXACT("gp_cr", "", "mov %rbx, %cr0", EXC_GP, 0);
	EXACT("gp_msr", "mov $0x12345, %ecx", "rdmsr", EXC_GP, 0);
	EXACT("gp_wrmsr", "mov $0xc0000080, %ecx", "wrmsr", EXC_GP, 0);
	EXACT("gp_seg", "mov $0x1238, %ecx", "mov %ecx, %ds", EXC_GP, 0x1238);
	EXACT("gp_int", "", "mov (%rbx), %rdx; int3", EXC_GP, 0);
	EXACT("gp_call_mem", "", "call *(%rbx)", EXC_GP, 0);
	EXACT("gp_jmp_mem", "", "jmp *(%rbx)", EXC_GP, 0);
	EXACT("gp_far", "", "ljmpl *gdt(%rip)", EXC_GP, 0);
	EXACT("np", "mov $0x70, %ecx", "mov %ecx, %fs", EXC_GP, 0x70);
	EXACT("bound_xmm", "", "movaps 1(%rsp), %xmm0", EXC_UD, NO_ERR);
}

void guest_main(void)
{
	code = alloc_pages(6);
	reads();
	returns();
	overlaps();
	borders();
	wild();
	stack_faults();
	rip_relative();
	places();
	rip_faults();
	other_faults();
}
