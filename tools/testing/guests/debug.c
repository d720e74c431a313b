// SPDX-License-Identifier: GPL-2.0-only
/*
 * debug.c - #DB: single step, the four breakpoints, ICEBP, general detect, and
 * the debug registers themselves.
 *
 * SDM vol. 3, "Debug, Branch Profile, TSC..": debug registers, debug
 * exceptions. Stepping over instructions that a monitor emulates (CPUID, I/O,
 * MSRs, control registers) is where guests and machines come apart.
 */
#include "lib.h"

const char guest_name[] = "debug";

#define DR6_INIT 0xffff0ff0ul
#define DR6_BS BIT(14)
#define DR6_BD BIT(13)
#define DR7_INIT 0x400ul
#define DR7_GD BIT(13)
/* L<n>, R/W<n>, LEN<n> */
#define DR7_ON(n, rw, len) (BIT(2 * (n)) | (u64)(rw) << (16 + 4 * (n)) | \
			    (u64)(len) << (18 + 4 * (n)))
#define RW_X 0
#define RW_W 1
#define RW_IO 2
#define RW_RW 3
#define LEN1 0
#define LEN2 1
#define LEN4 3
#define LEN8 2

static u64 watched[4] __attribute__((aligned(64)));

static void check_db(const char *name, const struct exec *x,
		     const struct snip *s, u64 rip, u64 dr6_bits)
{
	u64 at = x->rip >= USER_ALIAS ? x->rip - USER_ALIAS : x->rip;

	show_exc(x->vec == EXC_DB && x->err == NO_ERR && at == rip &&
		 x->dr6 == (DR6_INIT | dr6_bits), name, x, s);
	/* B0-B3 may report a disabled breakpoint's match: leave none behind. */
	write_dr7(DR7_INIT);
	write_dr6(DR6_INIT);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
}

#define SET_TF "pushfq; orq $0x100, (%rsp); popfq"

static void step(const char *name, struct snip s)
{
	struct exec x;

	exec_init(&x, &s);
	x.rbx = (u64)watched;
	exec64(&x);
	check_db(name, &x, &s, s.after, DR6_BS);
	check_eq(name, x.rflags & (FL_TF | FL_RF), FL_TF);
}

static void single_step(void)
{
	struct exec x;
	struct snip s;

	step("tf.nop", SNIP(SET_TF, "nop", "nop"));
	step("tf.add", SNIP(SET_TF, "add $1, %rax", "nop"));
	step("tf.store", SNIP(SET_TF, "mov %rax, (%rbx)", "nop"));
	step("tf.pushf", SNIP(SET_TF, "pushfq", "popfq"));
	step("tf.cpuid", SNIP("xor %eax, %eax; push %rbx\n" SET_TF, "cpuid",
			      "nop"));
	step("tf.in", SNIP(SET_TF, "in $0x21, %al", "nop"));
	step("tf.out", SNIP("mov $0xff, %al\n" SET_TF, "out %al, $0x21", "nop"));
	step("tf.out_unclaimed", SNIP(SET_TF, "out %al, $0xed", "nop"));
	step("tf.rdmsr", SNIP("mov $0xc0000080, %ecx\n" SET_TF, "rdmsr", "nop"));
	step("tf.wrmsr", SNIP("mov $0xc0000080, %ecx; rdmsr\n" SET_TF, "wrmsr",
			      "nop"));
	step("tf.rdtsc", SNIP(SET_TF, "rdtsc", "nop"));
	step("tf.mov_from_cr0", SNIP(SET_TF, "mov %cr0, %rax", "nop"));
	step("tf.mov_to_cr0", SNIP("mov %cr0, %rax\n" SET_TF, "mov %rax, %cr0",
				   "nop"));
	step("tf.mov_to_cr3", SNIP("mov %cr3, %rax\n" SET_TF, "mov %rax, %cr3",
				   "nop"));
	step("tf.mov_to_cr4", SNIP("mov %cr4, %rax\n" SET_TF, "mov %rax, %cr4",
				   "nop"));
	step("tf.mov_cr8", SNIP("mov %cr8, %rax\n" SET_TF, "mov %rax, %cr8",
				"nop"));
	step("tf.clts", SNIP(SET_TF, "clts", "nop"));
	step("tf.invlpg", SNIP(SET_TF, "invlpg (%rbx)", "nop"));
	step("tf.wbinvd", SNIP(SET_TF, "wbinvd", "nop"));
	step("tf.mov_from_dr7", SNIP(SET_TF, "mov %dr7, %rax", "nop"));
	step("tf.mov_to_dr0", SNIP("xor %eax, %eax\n" SET_TF, "mov %rax, %dr0",
				   "nop"));
	step("tf.sgdt", SNIP(SET_TF, "sgdt (%rbx)", "nop"));
	step("tf.lidt", SNIP("sidt (%rbx)\n" SET_TF, "lidt (%rbx)", "nop"));

	/* The second instruction is not reached before the trap. */
	s = SNIP("xor %eax, %eax\n" SET_TF, "inc %eax", "inc %eax");
	exec_init(&x, &s);
	exec64(&x);
	check_db("tf.one_at_a_time", &x, &s, s.after, DR6_BS);
	check_eq("tf.count", x.rax, 1);

	/* TF from IRETQ: the instruction it returns to runs first. */
	s = SNIP("", "inc %eax", "inc %eax");
	exec_init(&x, &s);
	x.rflags |= FL_TF;
	exec64(&x);
	check_db("tf.iretq", &x, &s, s.after, DR6_BS);
	exec_user(&x, &s);
	x.rflags |= FL_TF;
	exec64(&x);
	check_db("tf.user", &x, &s, s.after, DR6_BS);
	exec_user(&x, &s);
	x.rflags |= FL_TF;
	s = SNIP("", "xor %eax, %eax; .byte 0x0f, 0xa2", "nop");
	s.after = s.at + 2;
	x.rip = UALIAS(s.start);
	exec64(&x);
	check_db("tf.user_before_cpuid", &x, &s, s.after, DR6_BS);
	x.rflags |= FL_TF;
	x.vec = 0;
	exec64(&x);
	check_db("tf.user_cpuid", &x, &s, s.at + 4, DR6_BS);

	/* A step per iteration of a string instruction. */
	s = SNIP("mov %rbx, %rsi; lea 8(%rbx), %rdi; mov $3, %ecx\n" SET_TF,
		 "rep movsb", "nop");
	exec_init(&x, &s);
	x.rbx = (u64)watched;
	exec64(&x);
	check_db("tf.rep_movsb", &x, &s, s.at, DR6_BS);
	check_eq("tf.rep_movsb.rcx", x.rcx, 2);
	s = SNIP("mov %rbx, %rdi; mov $0x21, %edx; mov $3, %ecx\n" SET_TF,
		 "rep insb", "nop");
	exec_init(&x, &s);
	x.rbx = (u64)watched;
	exec64(&x);
	check_db("tf.rep_insb", &x, &s, s.at, DR6_BS);
	check_eq("tf.rep_insb.rcx", x.rcx, 2);

	/* MOV SS holds the trap back for one instruction. */
	s = SNIP("mov %ss, %eax\n" SET_TF, "mov %eax, %ss; inc %ecx", "nop");
	exec_init(&x, &s);
	exec64(&x);
	check_db("tf.mov_ss", &x, &s, s.after, DR6_BS);

	/* A fault wins over the step; BS is not set by it. */
	s = SNIP(SET_TF, "ud2", "");
	exec_init(&x, &s);
	exec64(&x);
	check_exc("tf.ud2", &x, &s, EXC_UD, NO_ERR, s.at);
	check_eq("tf.ud2.dr6", x.dr6, DR6_INIT);

	/* POPF that clears TF is itself still stepped. */
	s = SNIP("pushfq; pushfq; orq $0x100, (%rsp); popfq", "popfq", "nop");
	exec_init(&x, &s);
	exec64(&x);
	check_db("tf.popf_clearing", &x, &s, s.after, DR6_BS);
}

static void breakpoints(void)
{
	struct exec x;
	struct snip s;
	static u8 other[64] __attribute__((aligned(64)));

	/* Instruction breakpoint: a fault, RF pushed as it was (0). */
	s = SNIP("mov $1, %eax", "mov $2, %eax", "");
	exec_init(&x, &s);
	write_dr0(s.at);
	write_dr7(DR7_INIT | DR7_ON(0, RW_X, LEN1));
	exec64(&x);
	check_db("bp.exec", &x, &s, s.at, BIT(0));
	check_eq("bp.exec.rax", x.rax, 1);
	exec_init(&x, &s);
	write_dr3(s.at);
	write_dr7(DR7_INIT | BIT(7)); /* G3 */
	exec64(&x);
	check_db("bp.exec_dr3_global", &x, &s, s.at, BIT(3));
	exec_user(&x, &s);
	write_dr1(UALIAS(s.at));
	write_dr7(DR7_INIT | DR7_ON(1, RW_X, LEN1));
	exec64(&x);
	check_db("bp.exec_user", &x, &s, s.at, BIT(1));
	/* RF suppresses it for one instruction. */
	s = SNIP("", "mov $2, %eax", "");
	exec_init(&x, &s);
	write_dr0(s.at);
	write_dr7(DR7_INIT | DR7_ON(0, RW_X, LEN1));
	x.rflags |= FL_RF;
	exec64(&x);
	check_done("bp.exec_rf", &x, &s);
	write_dr7(DR7_INIT);
	/* Not on the first byte: never hits. */
	exec_init(&x, &s);
	write_dr0(s.at + 1);
	write_dr7(DR7_INIT | DR7_ON(0, RW_X, LEN1));
	exec64(&x);
	check_done("bp.exec_inside", &x, &s);
	write_dr7(DR7_INIT);
	/* On an instruction that a monitor emulates. */
	s = SNIP("push %rbx; xor %eax, %eax", "cpuid", "");
	exec_init(&x, &s);
	write_dr0(s.at);
	write_dr7(DR7_INIT | DR7_ON(0, RW_X, LEN1));
	exec64(&x);
	check_db("bp.exec_cpuid", &x, &s, s.at, BIT(0));
	s = SNIP("", "in $0x21, %al", "nop");
	exec_init(&x, &s);
	write_dr0(s.after);
	write_dr7(DR7_INIT | DR7_ON(0, RW_X, LEN1));
	exec64(&x);
	check_db("bp.exec_after_in", &x, &s, s.after, BIT(0));

#define DATA(name, insn, addr, rw, len, hit) do {			\
	s = SNIP("", insn, "nop");					\
	exec_init(&x, &s);						\
	x.rbx = (u64)watched;						\
	x.rdi = (u64)watched;						\
	x.rsi = (u64)other;						\
	x.rcx = 4;							\
	write_dr2(addr);						\
	write_dr7(DR7_INIT | DR7_ON(2, rw, len));			\
	exec64(&x);							\
	if (hit)							\
		check_db("bp." name, &x, &s, s.after, BIT(2));		\
	else								\
		check_done("bp." name, &x, &s);				\
	write_dr7(DR7_INIT);						\
	write_dr6(DR6_INIT);						\
} while (0)
	u64 w = (u64)watched;

	DATA("write4", "mov %eax, (%rbx)", w, RW_W, LEN4, 1);
	DATA("write_not_read", "mov (%rbx), %eax", w, RW_W, LEN4, 0);
	DATA("rw_read", "mov (%rbx), %eax", w, RW_RW, LEN4, 1);
	DATA("rw_write", "mov %eax, (%rbx)", w, RW_RW, LEN4, 1);
	DATA("rmw", "incl (%rbx)", w, RW_W, LEN4, 1);
	DATA("len1_hit", "mov %al, 3(%rbx)", w + 3, RW_W, LEN1, 1);
	DATA("len1_beside", "mov %al, 2(%rbx)", w + 3, RW_W, LEN1, 0);
	DATA("len2_overlap", "mov %ax, 1(%rbx)", w, RW_W, LEN2, 1);
	DATA("len2_beside", "mov %ax, 2(%rbx)", w, RW_W, LEN2, 0);
	DATA("len4_inside", "mov %al, 2(%rbx)", w, RW_W, LEN4, 1);
	DATA("len8_tail", "mov %al, 7(%rbx)", w, RW_W, LEN8, 1);
	DATA("len8_beside", "mov %al, 8(%rbx)", w, RW_W, LEN8, 0);
	DATA("wide_access_over", "mov %rax, (%rbx)", w + 6, RW_W, LEN1, 1);
	DATA("push", "lea 8(%rbx), %rsp; push %rax", w, RW_W, LEN8, 1);
	DATA("other_address", "mov %eax, 16(%rbx)", w, RW_W, LEN4, 0);
	DATA("no_fetch", "mov (%rsi), %eax", w, RW_RW, LEN4, 0);

	/* REP: the trap comes after the iteration that hit. */
	s = SNIP("", "rep stosb", "nop");
	exec_init(&x, &s);
	x.rdi = w;
	x.rcx = 8;
	write_dr2(w + 2);
	write_dr7(DR7_INIT | DR7_ON(2, RW_W, LEN1));
	exec64(&x);
	check_eq("bp.rep_stosb.rcx", x.rcx, 5);
	check_db("bp.rep_stosb", &x, &s, s.at, BIT(2));

	/* Two at once. */
	s = SNIP("", "mov %rax, (%rbx)", "nop");
	exec_init(&x, &s);
	x.rbx = w;
	write_dr0(w);
	write_dr1(w + 4);
	write_dr7(DR7_INIT | DR7_ON(0, RW_W, LEN4) | DR7_ON(1, RW_RW, LEN4));
	exec64(&x);
	check_db("bp.two", &x, &s, s.after, BIT(0) | BIT(1));

	/* With a single step: both causes in DR6. */
	s = SNIP("", "mov %rax, (%rbx)", "nop");
	exec_init(&x, &s);
	x.rbx = w;
	x.rflags |= FL_TF;
	write_dr0(w);
	write_dr7(DR7_INIT | DR7_ON(0, RW_W, LEN4));
	exec64(&x);
	check_db("bp.and_step", &x, &s, s.after, BIT(0) | DR6_BS);

	/* Data breakpoint by MOV SS: held back for one instruction. */
	watched[0] = SEL_KD;
	s = SNIP("", "mov (%rbx), %ss; inc %eax", "inc %eax");
	exec_init(&x, &s);
	x.rbx = w;
	write_dr0(w);
	write_dr7(DR7_INIT | DR7_ON(0, RW_RW, LEN4));
	exec64(&x);
	check_db("bp.mov_ss_deferred", &x, &s, s.after, BIT(0));
	/* Instruction breakpoint in the shadow of MOV SS: suppressed. */
	s = SNIP("mov %ss, %eax; mov %eax, %ss", "inc %eax", "");
	exec_init(&x, &s);
	write_dr0(s.at);
	write_dr7(DR7_INIT | DR7_ON(0, RW_X, LEN1));
	exec64(&x);
	check_done("bp.exec_mov_ss_shadow", &x, &s);
	write_dr7(DR7_INIT);
	write_dr6(DR6_INIT);

	/* I/O breakpoints need CR4.DE. */
	write_cr4(read_cr4() | CR4_DE);
	s = SNIP("", "in $0x21, %al", "nop");
	exec_init(&x, &s);
	write_dr0(0x21);
	write_dr7(DR7_INIT | DR7_ON(0, RW_IO, LEN1));
	exec64(&x);
	check_db("bp.io_in", &x, &s, s.after, BIT(0));
	s = SNIP("mov $0xed, %edx", "out %al, %dx", "nop");
	exec_init(&x, &s);
	write_dr0(0xec);
	write_dr7(DR7_INIT | DR7_ON(0, RW_IO, LEN2));
	exec64(&x);
	check_db("bp.io_out", &x, &s, s.after, BIT(0));
	s = SNIP("", "in $0x20, %al", "nop");
	exec_init(&x, &s);
	write_dr0(0x21);
	write_dr7(DR7_INIT | DR7_ON(0, RW_IO, LEN1));
	exec64(&x);
	check_done("bp.io_beside", &x, &s);
	write_dr7(DR7_INIT);
	write_cr4(read_cr4() & ~CR4_DE);
}

static void others(void)
{
	struct exec x;
	struct snip s;

	/* ICEBP: no DPL check, no DR6 bit. INT 1: an ordinary INT n. */
	s = SNIP("", ".byte 0xf1", "");
	exec_init(&x, &s);
	exec64(&x);
	check_db("icebp", &x, &s, s.after, 0);
	exec_user(&x, &s);
	exec64(&x);
	check_db("icebp.user", &x, &s, s.after, 0);
	s = SNIP("", "int $1", "");
	exec_init(&x, &s);
	exec64(&x);
	check_db("int1", &x, &s, s.after, 0);
	expect_user_fault("int1.user", SNIP("", "int $1", ""), EXC_GP,
			  1 * 8 + 2);

	/* General detect. */
	s = SNIP("", "mov %dr0, %rax", "");
	exec_init(&x, &s);
	write_dr7(DR7_INIT | DR7_GD);
	exec64(&x);
	check_eq("gd.cleared_on_entry", read_dr7(), DR7_INIT);
	check_db("gd.read", &x, &s, s.at, DR6_BD);
	s = SNIP("", "mov %rax, %dr7", "");
	exec_init(&x, &s);
	write_dr7(DR7_INIT | DR7_GD);
	exec64(&x);
	check_db("gd.write_dr7", &x, &s, s.at, DR6_BD);
}

static void registers(void)
{
	write_dr6(0);
	check_eq("dr6.fixed_ones", read_dr6() & ~(BIT(11) | BIT(16)),
		 0xfffe07f0);
	write_dr6(0xffffffff);
	check_eq("dr6.fixed_zero", read_dr6() & BIT(12), 0);
	write_dr6(DR6_INIT);
	write_dr7(0);
	check_eq("dr7.fixed_one", read_dr7(), 0x400);
	/* GD and the breakpoints themselves left off. */
	write_dr0(0x1000);
	write_dr1(0x1000);
	write_dr2(0x1000);
	write_dr3(0x1000);
	write_dr7(0x33330755);
	check_eq("dr7.value", read_dr7(), 0x33330755);
	write_dr7(DR7_INIT);
	write_dr0(0xffff888812345678);
	write_dr3(0x7fff87654321);
	check_eq("dr0.64bit", read_dr0(), 0xffff888812345678);
	check_eq("dr3.64bit", read_dr3(), 0x7fff87654321);

	expect_fault("dr6.upper", SNIP("mov $1, %eax; shl $32, %rax",
				       "mov %rax, %dr6", ""), EXC_GP, 0);
	expect_fault("dr7.upper", SNIP("mov $1, %eax; shl $32, %rax",
				       "mov %rax, %dr7", ""), EXC_GP, 0);
	/* DR4/DR5 alias DR6/DR7 unless CR4.DE. */
	expect_done("dr4.alias", SNIP("", ".byte 0x0f, 0x21, 0xe0", ""));
	expect_done("dr5.alias", SNIP("", ".byte 0x0f, 0x21, 0xe8", ""));
	write_cr4(read_cr4() | CR4_DE);
	expect_fault("dr4.ud", SNIP("", ".byte 0x0f, 0x21, 0xe0", ""), EXC_UD,
		     NO_ERR);
	expect_fault("dr5.ud", SNIP("", ".byte 0x0f, 0x23, 0xe8", ""), EXC_UD,
		     NO_ERR);
	write_cr4(read_cr4() & ~CR4_DE);
	expect_fault("dr8.ud", SNIP("", ".byte 0x44, 0x0f, 0x21, 0xc0", ""),
		     EXC_UD, NO_ERR);
}

void guest_main(void)
{
	write_dr6(DR6_INIT);
	single_step();
	breakpoints();
	others();
	registers();
}
