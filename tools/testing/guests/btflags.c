// SPDX-License-Identifier: GPL-2.0-only
/*
 * btflags.c - flags, and what comes at instruction boundaries: interrupts, single
 * steps, breakpoints.
 *
 * A translator that rewrites branches must keep every flag over them, show the
 * guest's own RFLAGS wherever they can be seen, and stop exactly between two of the
 * guest's instructions. SDM vol. 1, "EFLAGS Register"; vol. 2, PUSHF, POPF, STI,
 * MOV; vol. 3, "Masking Exceptions and Interrupts When Switching Stacks",
 * "Debug Exceptions".
 */
#include "irq.h"

const char guest_name[] = "btflags";

#define STATUS (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)
#define VEC_IRQ 0x62
#define VEC_TIMER 0x63
#define SPURIOUS 0xff

/* ---- flags over branches ---- */

/* Pattern number to flags: the six status flags and DF, AC, ID. */
static u64 pattern(u32 n)
{
	static const u64 bits[] = {
		FL_CF, FL_PF, FL_AF, FL_ZF, FL_SF, FL_OF, FL_DF, FL_AC, FL_ID,
	};
	u64 flags = FL_ONE;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bits); i++)
		if (n & 1 << i)
			flags |= bits[i];
	return flags;
}

static u64 target_rip;

/* Flags in, flags out: by PUSHF behind the branch and in the frame. */
static void keeps(const char *name, struct snip s)
{
	u32 n, bad = 0;
	u64 first = 0;
	struct exec x;

	for (n = 0; n < 512; n += n & 64 ? 7 : 1) {
		exec_init(&x, &s);
		x.rflags = pattern(n);
		x.rbx = (u64)&target_rip;
		x.rsi = s.after;
		target_rip = s.after;
		exec64(&x);
		if (x.vec != VEC_DONE || x.rax != pattern(n) ||
		    x.rflags != pattern(n)) {
			first = first ? first : x.rax ^ pattern(n);
			bad++;
		}
	}
	check(!bad, name, "%u wrong, %lx", bad, first);
}

#define KEEPS(name, insn) keeps("keeps." name, SNIP("", insn, "pushfq; pop %rax"))

static void over_branches(void)
{
	KEEPS("nop", "nop");
	KEEPS("jmp", "jmp 1f; ud2; 1:");
	KEEPS("jmp_near", "jmp 1f; .skip 300, 0xcc; 1:");
	KEEPS("jz", "jz 1f; nop; 1:");
	KEEPS("jnz", "jnz 1f; nop; 1:");
	KEEPS("jc", "jc 1f; nop; 1:");
	KEEPS("jbe", "jbe 1f; .skip 200, 0x90; 1:");
	KEEPS("jo", "jo 1f; nop; 1:");
	KEEPS("js", "js 1f; nop; 1:");
	KEEPS("jp", "jp 1f; nop; 1:");
	KEEPS("jl", "jl 1f; nop; 1:");
	KEEPS("jle", "jle 1f; nop; 1:");
	KEEPS("jrcxz", "jrcxz 1f; ud2; 1:");
	KEEPS("loop", "mov $3, %ecx; 1: loop 1b");
	KEEPS("loopne", "mov $3, %ecx; 1: loopne 1b");
	KEEPS("loope", "mov $3, %ecx; 1: loope 1b");
	KEEPS("call_ret", "jmp 2f; 1: ret; 2: call 1b");
	KEEPS("call_ret_imm", "push %rax; jmp 2f; 1: ret $8; 2: call 1b");
	KEEPS("call_pop", "call 1f; 1: pop %rcx");
	KEEPS("jmp_reg", "jmp *%rsi");
	KEEPS("jmp_mem", "jmp *(%rbx)");
	KEEPS("call_reg", "jmp 2f; 1: ret; 2: lea 1b(%rip), %rcx; call *%rcx");
	KEEPS("call_mem", "jmp 2f; 1: ret; 2: lea 1b(%rip), %rcx; mov %rcx, (%rbx); call *(%rbx)");
	KEEPS("push_ret", "push %rsi; ret");
	KEEPS("lret", "mov %cs, %ecx; push %rcx; push %rsi; lretq");
	KEEPS("ljmp", "mov %esi, (%rbx); mov %cs, 4(%rbx); ljmpl *(%rbx)");
	KEEPS("iret", "mov %rsp, %rdx; mov %ss, %ecx; push %rcx; push %rdx; pushfq; mov %cs, %ecx; push %rcx; push %rsi; iretq");
	KEEPS("pushf_popf", "pushfq; popfq");
	KEEPS("popf_again", "pushfq; popfq; pushfq; popfq; pushfq; pop %rcx");
	KEEPS("cli", "cli");
	KEEPS("rip_lea", "lea 0x7fffff(%rip), %rcx");
	KEEPS("rip_load", "mov gdt(%rip), %rcx; mov %cs:gdt, %edx");
	KEEPS("swapgs", "swapgs; swapgs");
	KEEPS("cpuid", "mov $0, %eax; push %rbx; cpuid; pop %rbx");
	KEEPS("mov_cr", "mov %cr3, %rcx; mov %rcx, %cr3; mov %cr0, %rcx; clts");
	KEEPS("rdmsr", "mov $0xc0000080, %ecx; rdmsr; wrmsr");
	KEEPS("io", "in $0x21, %al; out %al, $0x21");
	KEEPS("invlpg", "invlpg (%rbx)");
	KEEPS("rdtsc", "rdtsc");
	KEEPS("sgdt", "lea -32(%rsp), %rsp; sgdt (%rsp); lgdt (%rsp); sidt (%rsp); lidt (%rsp); lea 32(%rsp), %rsp");
	KEEPS("mov_seg", "mov %ds, %ecx; mov %ecx, %ds; mov %ss, %ecx; mov %ecx, %ss; mov %ecx, %es");
	KEEPS("mov_dr", "mov %dr7, %rcx; mov %rcx, %dr7");
	KEEPS("cr8", "mov %cr8, %rcx; mov %rcx, %cr8");
}

/* ---- flags as seen ---- */

static void seen(void)
{
	/* Not TF; IF is fine, all lines are masked. */
	static const u64 settable = STATUS | FL_IF | FL_DF | FL_IOPL3 | FL_NT |
				    FL_AC | FL_ID;
	struct snip pop = SNIP("", "push %rbx; popfq", "pushfq; pop %rax; pushq $2; popfq");
	struct snip pop16 = SNIP("push %rcx; popfq", "push %bx; popfw",
				 "pushfq; pop %rax; pushq $2; popfq");
	struct snip push16 = SNIP("push %rbx; popfq; mov $0x1122334455667788, %rax; push %rax",
				  "pushfw", "pop %rax; pushq $2; popfq");
	struct snip ud = SNIP("push %rbx; popfq", "ud2", "");
	struct snip ud_iret = SNIP("", "ud2", "");
	struct exec x;
	u32 bit, bad = 0;

	for (bit = 0; bit < 22; bit++) {
		if (BIT(bit) == FL_TF)
			continue;
		exec_init(&x, &pop);
		x.rbx = BIT(bit);
		exec64(&x);
		bad += x.rax != (FL_ONE | (BIT(bit) & settable));
		exec_init(&x, &pop);
		x.rbx = 0x3fffff & ~FL_TF & ~BIT(bit);
		exec64(&x);
		bad += x.rax != (FL_ONE | (settable & ~BIT(bit)));
		/* In the frame of an exception. */
		exec_init(&x, &ud);
		x.rbx = BIT(bit);
		exec64(&x);
		bad += (x.rflags & ~FL_RF) != (FL_ONE | (BIT(bit) & settable));
		exec_init(&x, &ud_iret);
		x.rflags = FL_ONE | (BIT(bit) & settable);
		exec64(&x);
		bad += (x.rflags & ~FL_RF) != (FL_ONE | (BIT(bit) & settable));
		/* 16 bits leave the others alone. */
		exec_init(&x, &pop16);
		x.rcx = FL_AC | FL_ID | FL_CF;
		x.rbx = bit < 16 ? BIT(bit) : 0;
		exec64(&x);
		bad += x.rax != (FL_ONE | FL_AC | FL_ID | (x.rbx & settable));
	}
	check_eq("seen.each_bit", bad, 0);
	exec_init(&x, &push16);
	x.rbx = settable;
	exec64(&x);
	check_eq("seen.pushfw", x.rax, 0x3344556677880000 >> 0 | 0x7ed7);

	exec_init(&x, &pop);
	x.rbx = ~FL_TF;
	exec64(&x);
	check_eq("seen.all", x.rax, settable | FL_ONE);

#define VALUE(name, pre, insn, want) do {				\
	struct snip s = SNIP(pre, insn, "");				\
									\
	exec_init(&x, &s);						\
	exec64(&x);							\
	check_eq("seen." name, x.rax, want);				\
} while (0)
	VALUE("cli", "sti", "cli; pushfq; pop %rax", FL_ONE);
	VALUE("sti", "", "sti; pushfq; pop %rax; cli", FL_ONE | FL_IF);
	VALUE("sti_sti", "", "sti; sti; pushfq; cli; pop %rax", FL_ONE | FL_IF);
	VALUE("iopl3_cli", "pushq $0x3202; popfq", "cli; pushfq; pop %rax; pushq $2; popfq", FL_ONE | FL_IOPL3);
	VALUE("lahf", "xor %eax, %eax; stc", "lahf; and $0xffff, %eax", 0x4700);
	VALUE("sahf", "xor %eax, %eax; mov $0xff, %ah", "sahf; pushfq; pop %rax; cld",
	      FL_ONE | FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF);
	VALUE("setcc", "xor %eax, %eax; stc", "jmp 1f; 1: setc %al; adc $0, %al", 1 + 1);
}

/* ---- interrupts at exact boundaries ---- */

/*
 * An interrupt is pending with IF = 0; the snippet opens the window. It has to
 * come exactly at s.after.
 */
static void pending(const char *name, struct snip s, u64 tpr, bool comes)
{
	struct exec x;
	int before = irq_count[VEC_IRQ];

	irq_last_rip = 0;
	write_cr8(tpr);
	apic_icr(0, ICR_SELF | ICR_ASSERT | VEC_IRQ);
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && irq_count[VEC_IRQ] - before == comes &&
	      (!comes || irq_last_rip == s.after), name,
	      "vec %lx, came %d, off by %ld", x.vec, irq_count[VEC_IRQ] - before,
	      comes ? (s64)(irq_last_rip - s.after) : 0);
	/* What is left goes before the next one. */
	write_cr8(0);
	sti_nop_cli();
}

#define PENDING(name, pre, insn, post) \
	pending("pending." name, SNIP(pre, insn, post), 0, true)
#define NOT_PENDING(name, pre, insn, post) \
	pending("pending." name, SNIP(pre, insn, post), 0, false)

static void windows(void)
{
	exc_set_hook(VEC_IRQ, irq_hook_lapic);
	exc_set_hook(SPURIOUS, irq_hook_count);
	PENDING("sti", "inc %eax; sti", "inc %eax", "inc %eax; cli");
	PENDING("sti_jmp", "sti", "jmp 1f; ud2; 1:", "inc %eax; cli");
	PENDING("sti_call", "sti", "call 1f; ud2; 1:", "cli");
	PENDING("sti_ret", "lea 1f(%rip), %rax; push %rax; sti", "ret; ud2; 1:",
		"cli");
	PENDING("sti_rip", "sti", "mov gdt(%rip), %rax", "cli");
	PENDING("sti_sti", "sti", "sti", "inc %eax; cli");
	PENDING("sti_pushf", "sti", "pushfq", "popfq; cli");
	PENDING("sti_in", "sti", "in $0x21, %al", "cli");
	PENDING("sti_cpuid", "push %rbx; xor %eax, %eax; sti", "cpuid", "cli");
	PENDING("sti_mov_cr3", "mov %cr3, %rax; sti", "mov %rax, %cr3", "cli");
	PENDING("sti_hlt", "sti", "hlt", "cli");
	NOT_PENDING("sti_cli", "sti", "cli", "inc %eax; inc %eax");
	NOT_PENDING("sti_popf_off", "pushfq; sti", "popfq", "inc %eax");
	PENDING("popf", "pushfq; orq $0x200, (%rsp)", "popfq", "inc %eax; cli");
	PENDING("popfw", "pushfw; orw $0x200, (%rsp)", "popfw", "inc %eax; cli");
	PENDING("iret", "mov %rsp, %rcx; pushq $0x10; push %rcx; pushq $0x202; pushq $8; lea 1f(%rip), %rax; push %rax",
		"iretq; 1:", "inc %eax; cli");
	/* The window opens with IF set all the time: by the TPR. */
	pending("pending.cr8", SNIP("sti; nop; nop; xor %eax, %eax",
				    "mov %rax, %cr8", "inc %eax; cli"), 0xf, true);
	pending("pending.cr8_stays", SNIP("sti; nop; nop", "nop", "cli"), 0xf,
		false);
	/* Nothing pending: no event, whatever comes. */
	NOT_PENDING("cli_only", "", "cli", "inc %eax");
}

/* ---- interrupts anywhere ---- */

/* Each boundary of the loop: address, bytes pushed there, RBX's low bits. */
struct boundary {
	u64 rip, pushed, rbx;
};

extern const struct boundary storm_table[], storm_table_end[];
void storm_loop(void);

asm(".pushsection .rodata\n .balign 8\n storm_table:\n .popsection\n"
    ".macro B text, pushed, rbx\n"
    "992: .pushsection .rodata; .quad 992b, \\pushed, \\rbx; .popsection\n"
    "\\text\n"
    ".endm\n"
    ".pushsection .text\n"
    ".globl storm_loop\n"
    "storm_loop:\n"
    "push %rbx; push %r12; push %r13\n"
    "mov %rsp, storm_rsp(%rip)\n"
    "xor %ebx, %ebx\n"
    "sti\n"
    "1:\n"
    "B \"inc %ebx\", 0, 0\n"
    "B \"push %rbx\", 0, 1\n"
    "B \"pop %r12\", 8, 1\n"
    "B \"call 2f\", 0, 1\n"
    "4:\n"
    "B \"lea 5f(%rip), %r12\", 0, 3\n"
    "B \"push %r12\", 0, 3\n"
    "B \"ret\", 8, 3\n"
    "2:\n"
    "B \"inc %ebx\", 8, 1\n"
    "B \"call *storm_ptr(%rip)\", 8, 2\n"
    "B \"ret\", 8, 3\n"
    "3:\n"
    "B \"inc %ebx\", 16, 2\n"
    "B \"ret\", 16, 3\n"
    "5:\n"
    "B \"pushfq\", 0, 3\n"
    "B \"popfq\", 8, 3\n"
    "B \"mov storm_ptr(%rip), %r13\", 0, 3\n"
    "B \"lea 6f(%rip), %r12\", 0, 3\n"
    "B \"jmp *%r12\", 0, 3\n"
    "ud2\n"
    "6:\n"
    "B \"jrcxz 7f\", 0, 3\n"
    "7:\n"
    "B \"inc %ebx\", 0, 3\n"
    "B \"cmpl $0, storm_stop(%rip)\", 0, 0\n"
    "B \"je 1b\", 0, 0\n"
    "storm_end: cli\n"
    "mov %ebx, %eax; pop %r13; pop %r12; pop %rbx; ret\n"
    ".popsection\n"
    ".pushsection .rodata\n storm_table_end:\n .popsection\n"
    ".pushsection .data\n .balign 8\n storm_ptr: .quad 3b\n .popsection");

extern u8 storm_end[];
volatile u32 storm_stop;
u64 storm_rsp;
static u32 storm_bad, storm_seen, storm_count;
static u64 storm_first, storm_last;
static u8 storm_hit[64];

static bool storm_hook(struct frame *f)
{
	static u32 wait = 40;
	const struct boundary *b;

	irq_count[f->vec]++;
	for (b = storm_table; b < storm_table_end; b++)
		if (b->rip == f->rip)
			break;
	if (b < storm_table_end) {
		if (f->rsp != storm_rsp - b->pushed || (f->rbx & 3) != b->rbx ||
		    !(f->rflags & FL_IF)) {
			storm_bad++;
			storm_first = storm_first ? storm_first : f->rip;
		}
		storm_seen += !storm_hit[b - storm_table];
		storm_hit[b - storm_table] = 1;
	} else if (f->rip >= storm_table[0].rip && f->rip < (u64)storm_end) {
		storm_bad++;
		storm_first = storm_first ? storm_first : f->rip;
	}
	/* The next after a time that is different each time, and not too soon. */
	if ((f->rip << 32 | f->rbx) == storm_last && wait < 1000000)
		wait *= 2;
	storm_last = f->rip << 32 | f->rbx;
	if (++storm_count >= 400)
		storm_stop = 1;
	else
		apic_write(APIC_TIMER_INIT, wait + storm_count * 7 % 997);
	apic_write(APIC_EOI, 0);
	return true;
}

static void storm(void)
{
	exc_set_hook(VEC_TIMER, storm_hook);
	apic_write(APIC_TIMER_DIV, 0xb);
	apic_write(APIC_LVT_TIMER, VEC_TIMER);
	apic_write(APIC_TIMER_INIT, 1000);
	storm_loop();
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_TIMER_INIT, 0);
	check(!storm_bad && irq_count[VEC_TIMER] >= 400, "storm.boundaries",
	      "%u wrong, first %lx", storm_bad, storm_first);
	info("%u of %lu boundaries hit", storm_seen,
	     (u64)(storm_table_end - storm_table));
}

/* ---- single steps over all kinds of transfers ---- */

extern const u64 step_table[], step_table_end[];
extern u8 step_code[];
static u32 step_count, step_bad;
static u64 step_first;

asm(".pushsection .rodata\n .balign 8\n step_table:\n .popsection\n"
    ".macro S text\n"
    "\\text\n"
    "993: .pushsection .rodata; .quad 993b; .popsection\n"
    ".endm\n"
    ".pushsection .text\n"
    /* Each S: executed in this order; its label is where the step traps. */
    "step_code:\n"
    "pushfq; orl $0x100, (%rsp); popfq\n"
    "S \"nop\"\n"
    "S \"mov step_table(%rip), %rax\"\n"
    "jmp 1f; ud2\n"
    "1: .pushsection .rodata; .quad 1b; .popsection\n"
    "call 2f\n"
    "3: jmp 4f\n"
    "2: .pushsection .rodata; .quad 2b; .popsection\n"
    "S \"push %rbx\"\n"
    "S \"pop %rbx\"\n"
    "ret\n"
    ".pushsection .rodata; .quad 3b, 4f; .popsection\n"
    "4: S \"lea 5f(%rip), %rcx\"\n"
    "jmp *%rcx; ud2\n"
    "5: .pushsection .rodata; .quad 5b; .popsection\n"
    "S \"stc\"\n"
    "jnc 5b\n"
    "6: .pushsection .rodata; .quad 6b; .popsection\n"
    "jc 7f; ud2\n"
    "7: .pushsection .rodata; .quad 7b; .popsection\n"
    "S \"mov $2, %ecx\"\n"
    "8: loop 8b\n"
    "9: .pushsection .rodata; .quad 8b, 9b; .popsection\n"
    "S \"lea gdt(%rip), %rsi\"\n"
    "S \"lea step_buf(%rip), %rdi\"\n"
    "S \"mov $3, %ecx\"\n"
    "10: rep movsb\n"
    "11: .pushsection .rodata; .quad 10b, 10b, 11b; .popsection\n"
    "S \"mov %ss, %eax\"\n"
    "mov %eax, %ss\n" /* no trap behind it */
    "S \"nop\"\n"
    "S \"pushfq\"\n"
    "S \"pop %rdx\"\n"
    "S \"cli\"\n"
    "S \"pushq $0x102\"\n"
    "S \"popfq\"\n"
    "S \"lea 12f(%rip), %rax\"\n"
    "S \"push %rax\"\n"
    "ret; ud2\n"
    "12: .pushsection .rodata; .quad 12b; .popsection\n"
    "S \"pushq $2\"\n"
    "S \"popfq\"\n" /* stepped, and the last */
    "nop; nop\n"
    "mov %edx, %eax\n"
    "ret\n"
    ".popsection\n"
    ".pushsection .rodata\n step_table_end:\n .popsection\n"
    ".pushsection .bss\n step_buf: .skip 16\n .popsection");

static bool step_hook(struct frame *f)
{
	u32 n = step_count++;
	u64 want = n < step_table_end - step_table ? step_table[n] : 0;

	if (f->rip != want || !(f->rflags & FL_TF) ==
	    (n + 1 < step_table_end - step_table)) {
		step_bad++;
		step_first = step_first ? step_first : (u64)n << 32 | f->rip;
	}
	return true;
}

static void steps(void)
{
	u64 image;

	exc_set_hook(EXC_DB, step_hook);
	asm volatile("call step_code" : "=a"(image)
		     : : "rcx", "rdx", "rsi", "rdi", "cc", "memory");
	exc_set_hook(EXC_DB, NULL);
	check(!step_bad, "steps.order", "%u wrong, first %lx", step_bad,
	      step_first);
	check_eq("steps.count", step_count, step_table_end - step_table);
	check_eq("steps.pushed_tf", image & (FL_TF | FL_IF), FL_TF);
}

/* ---- breakpoints in code that goes on ---- */

u64 bp_cell __attribute__((aligned(8)));
static u32 bp_hits;
static u64 bp_rip, bp_wrong;

static bool bp_hook(struct frame *f)
{
	bp_hits++;
	if (f->rip != bp_rip)
		bp_wrong = f->rip;
	f->rflags |= FL_RF;
	write_dr6(0xffff0ff0);
	return true;
}

/* A loop of 10 with the breakpoint on s.at, a fault each time, then ended by RF. */
static void code_bp(const char *name, struct snip s)
{
	struct exec x;

	bp_hits = 0;
	bp_wrong = 0;
	bp_rip = s.at;
	exec_init(&x, &s);
	write_dr0(s.at);
	write_dr7(0x402);
	exec64(&x);
	write_dr7(0x400);
	check(x.vec == VEC_DONE && bp_hits == 10 && !bp_wrong && x.rax == 10,
	      name, "hits %u rax %lu elsewhere %lx", bp_hits, x.rax, bp_wrong);
}

/* Away from where frames of exceptions are. */
#define DOWN "lea -0x800(%rsp), %rsp;"
#define UP "lea 0x800(%rsp), %rsp"
#define STACK ((u64)test_stack_top - 0x800)

static void data_bp(const char *name, struct snip s, u64 at, u32 rw)
{
	struct exec x;

	bp_hits = 0;
	bp_wrong = 0;
	bp_rip = s.after;
	bp_cell = s.after;
	*(volatile u64 *)(STACK - 8) = s.after; /* what RET pops */
	exec_init(&x, &s);
	write_dr1(at);
	write_dr7(0x408 | (u64)rw << 20 | 3ul << 22);
	exec64(&x);
	write_dr7(0x400);
	check(x.vec == VEC_DONE && bp_hits == 1 && !bp_wrong, name,
	      "hits %u elsewhere %lx", bp_hits, bp_wrong);
}

static void breakpoints(void)
{
	exc_set_hook(EXC_DB, bp_hook);
	/* A stack of its own: its frame must not hit the breakpoint again. */
	idt[2 * EXC_DB] |= 1ul << 32;
	code_bp("bp.middle", SNIP("xor %eax, %eax; mov $10, %ecx; 1: nop; nop",
				  "inc %eax", "nop; dec %ecx; jnz 1b"));
	code_bp("bp.head", SNIP("xor %eax, %eax; mov $10, %ecx; 1:",
				"inc %eax", "dec %ecx; jnz 1b"));
	code_bp("bp.branch", SNIP("xor %eax, %eax; mov $10, %ecx; 1: inc %eax; dec %ecx",
				  "jnz 1b", "nop"));
	code_bp("bp.call", SNIP("xor %eax, %eax; mov $10, %ecx; jmp 1f; 2: inc %eax; ret; 1:",
				"call 2b", "dec %ecx; jnz 1b"));
	code_bp("bp.ret", SNIP("xor %eax, %eax; mov $10, %ecx; jmp 1f; 2: inc %eax",
			       "ret", "1: call 2b; dec %ecx; jnz 1b"));
	code_bp("bp.rip_relative", SNIP("xor %eax, %eax; mov $10, %ecx; 1:",
					"addl $1, 3f(%rip)", "inc %eax; dec %ecx; jnz 1b; jmp 2f; 3: .long 0; 2:"));
	code_bp("bp.callout", SNIP("xor %eax, %eax; mov $10, %ecx; 1: inc %eax",
				   "mov %cr3, %rdx", "dec %ecx; jnz 1b"));
	code_bp("bp.sti", SNIP("xor %eax, %eax; mov $10, %ecx; 1: inc %eax",
			       "cli", "dec %ecx; jnz 1b"));

	data_bp("bp.push", SNIP(DOWN, "push %rax", "pop %rax;" UP), STACK - 8, 1);
	data_bp("bp.call_pushes", SNIP(DOWN, "call 1f; 1:", "pop %rax;" UP),
		STACK - 8, 1);
	data_bp("bp.ret_pops", SNIP(DOWN "mov bp_cell(%rip), %rax; lea -8(%rsp), %rsp",
				    "ret; ud2", UP), STACK - 8, 3);
	data_bp("bp.rip_store", SNIP("xor %eax, %eax", "mov %eax, bp_cell(%rip)",
				     "nop"), (u64)&bp_cell, 1);
	data_bp("bp.jmp_mem", SNIP("", "jmp *bp_cell(%rip); ud2", "nop"),
		(u64)&bp_cell, 3);
	exc_set_hook(EXC_DB, NULL);
	set_idt_default(EXC_DB);
	write_dr0(0);
	write_dr1(0);
}

void guest_main(void)
{
	pic_init();
	apic_enable();
	over_branches();
	seen();
	windows();
	storm();
	steps();
	breakpoints();
}
