// SPDX-License-Identifier: GPL-2.0-only
/*
 * nano.c - the cost of single operations, for tools/bench.
 *
 * Prints "# nano NAME TICKS N KIND", ROUNDS times for each operation: TSC ticks
 * of N operations; in a lab's counting mode a tick is an instruction. KIND says
 * what of it is overhead: that of "empty" an operation (loop) or that of
 * "empty_timed" (timed). Figures are to be compared between machines, monitors
 * and commits, never with expectations here. "op=NAME,NAME" on the command line
 * selects.
 *
 * Each round also lies between two markers for the lab's Bochs (hooks.cc in
 * tools/lab/emulator), which counts events; elsewhere they are no-ops.
 *
 * Before the first round the same code runs a while unmeasured: a monitor that
 * translates or adapts is through with that then. Of several rounds the least
 * is the one the host's clock disturbed least.
 */
#include "irq.h"

const char guest_name[] = "nano";

enum {
	MARK_BEGIN = 0x7a6d0001,
	MARK_END = 0x7a6d0002,
	MARK_PAUSE = 0x7a6d0005,
	MARK_RESUME = 0x7a6d0006,
};

#define VEC 0x51
#define VEC_USER 0x52
#define VEC_IPI 0x61
#define ROUNDS 3
/* Operations before the measured ones. */
#define WARM(n) ((n) / 16 + 4)
/* PTEs changed in one go. */
#define BATCH 64
#define PTES 512
/* Of the operations that use up the PTEs of a table. */
#define PER_TABLE 140

extern u32 mb_info;

static u64 ticks[ROUNDS];

static inline void mark(u64 which)
{
	asm volatile("prefetcht2 (%0)" : : "r"(which) : "memory");
}

/*
 * The warming round is the measured code, not a copy of it: nothing is
 * translated in a measured round. What reads the clock may be dear and lies
 * outside of the markers.
 */
#define ROUND(n, code) do {						\
	u64 _round, _n, _ticks;						\
									\
	for (_round = 0; _round <= ROUNDS; _round++) {			\
		_n = _round ? (n) : WARM(n);				\
		(void)_n;						\
		_ticks = rdtsc();					\
		mark(_round ? MARK_BEGIN : 0);				\
		code;							\
		mark(_round ? MARK_END : 0);				\
		_ticks = rdtsc() - _ticks;				\
		if (_round)						\
			ticks[_round - 1] = _ticks;			\
	}								\
} while (0)

/* N times WHAT, with a loop of two instructions. */
#define LOOP(n, what) ROUND(n, ({					\
	u64 _i;								\
									\
	for (_i = _n; _i; _i--)						\
		what;							\
}))

/* N times BEFORE and then WHAT, of which only WHAT counts. */
#define TIMED(n, before, what) do {					\
	u64 _i, _start, _sum, _round;					\
									\
	for (_round = 0; _round <= ROUNDS; _round++) {			\
		mark(_round ? MARK_BEGIN : 0);				\
		mark(MARK_PAUSE);					\
		_sum = 0;						\
		for (_i = _round ? (n) : WARM(n); _i; _i--) {		\
			before;						\
			_start = rdtsc();				\
			mark(MARK_RESUME);				\
			what;						\
			mark(MARK_PAUSE);				\
			_sum += rdtsc() - _start;			\
		}							\
		mark(_round ? MARK_END : 0);				\
		if (_round)						\
			ticks[_round - 1] = _sum;			\
	}								\
} while (0)

/* An operation of KIND whose body is MACRO's arguments. */
#define LOOP_OP(name, what) \
	static void op_##name(u64 n) { LOOP(n, what); }
#define TIMED_OP(name, before, what) \
	static void op_##name(u64 n) { TIMED(n, before, what); }

/*
 * Handlers as short as can be: the cost of an exception, not of a handler.
 * The faulting instructions are of the lengths skipped here.
 */
extern char nano_pf_skip[], nano_pf_fix[], nano_de_skip[], nano_syscall[],
	nano_int[], nano_ret[];
asm(".text\n"
    "nano_pf_skip:	add $8, %rsp\n	addq $2, (%rsp)\n	iretq\n"
    "nano_pf_fix:	add $8, %rsp\n	orq $1, (%rbx)\n	iretq\n"
    "nano_de_skip:	addq $2, (%rsp)\n	iretq\n"
    "nano_syscall:	sysretq\n"
    "nano_int:		iretq\n"
    "nano_ret:		ret\n");

static void gate(int vec, const char *handler)
{
	set_idt(vec, (u64)handler, SEL_K64, DESC_INT, 0);
}

static u64 w, pool, cr3, efer, pat;

static inline void touch(u64 a)
{
	asm volatile("mov %%al, (%0)" : : "r"(a) : "memory");
}

static inline void set_pte(u64 *pte, u64 value)
{
	*(volatile u64 *)pte = value;
}

static void flush(void)
{
	write_cr3(cr3);
}

/* A page table of its own, for 2 MiB at the address returned. */
static u64 new_table(u64 **pt)
{
	static u32 used;

	*pt = alloc_pages(1);
	used++;
	boot_pd2[used] = (u64)*pt | PT_P | PT_W | PT_U;
	return WINDOW + used * PTES * PAGE_SIZE;
}

/* Instructions by themselves. */
LOOP_OP(empty, barrier())
TIMED_OP(empty_timed, barrier(), barrier())
LOOP_OP(cpuid, cpuid(0, 0))
LOOP_OP(cli, cli())
LOOP_OP(sti_cli, asm volatile("sti; cli"))
LOOP_OP(pushf_popf, asm volatile("pushfq; popfq" : : : "memory", "cc"))
LOOP_OP(cr8wr, write_cr8(0))
LOOP_OP(swapgs, asm volatile("swapgs"))
LOOP_OP(callret, asm volatile("call nano_ret"))
LOOP_OP(indirect_call, asm volatile("call *%0" : : "r"(nano_ret)))
LOOP_OP(in, inb(0x80))
LOOP_OP(out, outb(0x80, 0))
LOOP_OP(in_pic, inb(0x21))
LOOP_OP(out_pic, outb(0x21, 0xff))
LOOP_OP(in_pit, inb(0x40))
LOOP_OP(rdtsc, asm volatile("rdtsc" : : : "rax", "rdx"))

static void op_rdtscp(u64 n)
{
	if (HAS_RDTSCP)
		LOOP(n, asm volatile("rdtscp" : : : "rax", "rcx", "rdx"));
}

LOOP_OP(rdmsr_efer, rdmsr(MSR_EFER))
LOOP_OP(wrmsr_efer, wrmsr(MSR_EFER, efer))
LOOP_OP(rdmsr_apic_base, rdmsr(MSR_APIC_BASE))
LOOP_OP(wrmsr_pat, wrmsr(MSR_PAT, pat))
LOOP_OP(wrmsr_lstar, wrmsr(MSR_LSTAR, 0))
LOOP_OP(wrmsr_fs_base, wrmsr(MSR_FS_BASE, 0))
LOOP_OP(cr0_write, write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE))
LOOP_OP(clts, asm volatile("clts"))

/* N times INSN in ring 3; the markers are there as well. */
#define USER(n, insn) do {						\
	struct snip _s = SNIP("prefetcht2 (%rbx)\n"			\
			      "rdtsc\n shl $32, %rdx\n"			\
			      "or %rdx, %rax\n mov %rax, %r12\n",	\
			      "1: " insn "\n dec %r8\n jnz 1b\n",	\
			      "rdtsc\n shl $32, %rdx\n"			\
			      "or %rdx, %rax\n prefetcht2 (%rbp)\n");	\
	struct exec _x;							\
	u64 _round;							\
									\
	for (_round = 0; _round <= ROUNDS; _round++) {			\
		exec_user(&_x, &_s);					\
		_x.r8 = _round ? (n) : WARM(n);				\
		_x.rbx = _round ? MARK_BEGIN : 0;			\
		_x.rbp = _round ? MARK_END : 0;				\
		exec64(&_x);						\
		if (_round)						\
			ticks[_round - 1] = _x.rax - _x.r12;		\
		if (_x.vec != VEC_DONE)					\
			show_exc(false, insn, &_x, &_s);		\
	}								\
} while (0)

/* Ring 3 calls ring 0 and is back. */
static void op_syscall(u64 n)
{
	wrmsr(MSR_EFER, efer | EFER_SCE);
	wrmsr(MSR_STAR, (u64)(SEL_U32) << 48 | (u64)SEL_K64 << 32);
	wrmsr(MSR_LSTAR, (u64)nano_syscall);
	wrmsr(MSR_SFMASK, 0);
	USER(n, "syscall");
	wrmsr(MSR_EFER, efer);
}

/* The same by a gate; and the clock read where no translator sees it. */
static void op_int_user(u64 n)
{
	set_idt(VEC_USER, (u64)nano_int, SEL_K64, DESC_INT | DESC_DPL3, 0);
	USER(n, "int $0x52");
	set_idt_default(VEC_USER);
}

static void op_rdtsc_user(u64 n)
{
	USER(n, "rdtsc");
}

static void op_divzero(u64 n)
{
	gate(EXC_DE, nano_de_skip);
	LOOP(n, asm volatile("div %%ecx" : : "a"(1), "c"(0), "d"(0)));
	set_idt_default(EXC_DE);
}

/* Interrupts and the local APIC. */
LOOP_OP(apic_read, apic_read(APIC_TPR))
LOOP_OP(apic_write_tpr, apic_write(APIC_TPR, 0))
LOOP_OP(interrupt, ({ apic_icr(0, ICR_SELF | VEC); sti_nop_cli(); }))

static void op_wrmsr_tsc_deadline(u64 n)
{
	if (!HAS_TSC_DEADLINE)
		return;
	apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VEC);
	LOOP(n, wrmsr(MSR_TSC_DEADLINE, rdtsc() + (1ul << 40)));
	wrmsr(MSR_TSC_DEADLINE, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

/*
 * To another processor and back, each asleep until it comes: what the second
 * processor does is in it. Without one there is nothing to measure.
 */
static volatile int ap_up;

static bool ipi_hook(struct frame *f)
{
	apic_write(APIC_EOI, 0);
	if (apic_id())
		apic_icr(0, ICR_ASSERT | VEC_IPI);
	return true;
}

static void ap_sleep(void)
{
	load_idt(&idt_ptr);
	apic_enable();
	ap_up = 1;
	for (;;)
		sti_hlt();
}

static void op_ipi(u64 n)
{
	exc_set_hook(VEC_IPI, ipi_hook);
	ap_start(ap_sleep);
	if (!wait_count(&ap_up, 1))
		return;
	LOOP(n, ({ apic_icr(1, ICR_ASSERT | VEC_IPI); sti_hlt(); cli(); }));
}

static void op_hlt_wakeup(u64 n)
{
	if (!HAS_TSC_DEADLINE)
		return;
	apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VEC);
	LOOP(n, ({ wrmsr(MSR_TSC_DEADLINE, rdtsc() + 10000); sti_hlt(); }));
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

/* Faults the guest's tables call for. */
static void op_pgfault(u64 n)
{
	gate(EXC_PF, nano_pf_skip);
	window_map(0, pool, 0);
	LOOP(n, asm volatile("mov %%al, (%0)" : : "c"(w) : "memory"));
	set_idt_default(EXC_PF);
}

static void op_pgfault_fix(u64 n)
{
	gate(EXC_PF, nano_pf_fix);
	window_map(0, pool, PT_P | PT_W);
	LOOP(n, asm volatile("andq $~1, (%%rbx)\n invlpg (%%rcx)\n"
			     "mov %%al, (%%rcx)\n"
			     : : "b"(window_pt), "c"(w) : "memory"));
	set_idt_default(EXC_PF);
}

/*
 * Page-table entries changed. Bare, no flush: what the first change of a table
 * costs is shared by all that follow, as in a kernel that unmaps a range.
 */
static void op_ptemod_unchanged(u64 n)
{
	window_map(0, pool, PT_P | PT_W);
	touch(w);
	flush();
	LOOP(n, set_pte(window_pt, pool | PT_P | PT_W));
}

/* All of the batch mapped and in use, then FLAGS, and everything flushed. */
static void batch(u64 flags)
{
	u64 i;

	for (i = 0; i < BATCH; i++)
		window_map(i, pool + i % 8 * PAGE_SIZE, PT_P | PT_W);
	for (i = 0; i < BATCH; i++)
		touch(window_addr(i));
	for (i = 0; i < BATCH; i++)
		set_pte(&window_pt[i], pool + i % 8 * PAGE_SIZE + flags);
	flush();
}

#define EACH_PTE(insn)							\
	asm volatile(".set off, 0\n .rept 64\n" insn ", off(%0)\n"	\
		     ".set off, off + 8\n .endr\n"			\
		     : : "r"(window_pt) : "memory", "cc")
TIMED_OP(ptemod_p_np, batch(PT_P | PT_W), EACH_PTE("andq $~1"))
TIMED_OP(ptemod_np_p, batch(PT_W), EACH_PTE("orq $1"))

/* The first change of a table since a flush, alone: what a trace costs. */
static void trace_again(u64 flags)
{
	window_map(0, pool, PT_P | PT_W);
	touch(w);
	set_pte(window_pt, pool | flags);
	flush();
}

TIMED_OP(traced_unchanged, trace_again(PT_P | PT_W),
	 set_pte(window_pt, pool | PT_P | PT_W))
TIMED_OP(traced_p_np, trace_again(PT_P | PT_W), set_pte(window_pt, pool | PT_W))
TIMED_OP(traced_np_p, trace_again(PT_W), set_pte(window_pt, pool | PT_P | PT_W))

/* A page table used as it is until now, and then written to. */
static u64 *used_table(void)
{
	u64 *pt, a = new_table(&pt);

	set_pte(pt, pool | PT_P | PT_W);
	flush();
	touch(a);
	return pt;
}

static void op_trace_fault(u64 n)
{
	u64 *pt;

	TIMED(n, pt = used_table(), set_pte(pt + 1, pool | PT_P | PT_W));
}

/* The first use of anything a page table maps. */
static u64 unused_table(void)
{
	u64 *pt, a = new_table(&pt);

	set_pte(pt, pool | PT_P | PT_W | PT_A | PT_D);
	flush();
	return a;
}

static void op_hidden_table(u64 n)
{
	u64 a;

	TIMED(n, a = unused_table(), touch(a));
}

/* A PTE changed, everything flushed. */
static void op_pte_flush(u64 n)
{
	window_map(0, pool, PT_P | PT_W);
	touch(w);
	LOOP(n, ({ window_pt[0] ^= PAGE_SIZE; flush(); }));
}

static void op_pte_flip(u64 n)
{
	window_map(0, pool, PT_P | PT_W);
	LOOP(n, ({ window_pt[0] ^= PAGE_SIZE; invlpg_addr(w); touch(w); }));
}

/* Mappings the guest made long ago, used for the first time. */
static void op_hidden_fault(u64 n)
{
	u64 *pt, a = new_table(&pt), i;

	for (i = 0; i < PTES; i++)
		pt[i] = (pool + i % 8 * PAGE_SIZE) | PT_P | PT_W | PT_A | PT_D;
	flush();
	LOOP(n, ({ touch(a); a += PAGE_SIZE; }));
}

/* A page the guest maps and then uses, the usual end of its own page fault. */
static void op_first_touch(u64 n)
{
	u64 *pt, a = new_table(&pt), entry = 0x2000000 | PT_P | PT_W;

	LOOP(n, ({ set_pte(pt, entry); touch(a); pt++; entry += PAGE_SIZE;
		   a += PAGE_SIZE; }));
}

/* Memory of the machine that nobody has used before, long mapped. */
static void op_new_memory(u64 n)
{
	u64 a = 0x3000000;

	LOOP(n, ({ touch(a); a += PAGE_SIZE; }));
}

TIMED_OP(invlpg, touch(w), invlpg_addr(w))
TIMED_OP(touch_after_invlpg, ({ touch(w); invlpg_addr(w); }), touch(w))

/* Address spaces that differ in nothing but their root. */
static u64 new_root(void)
{
	return (u64)memcpy(alloc_pages(1), boot_pml4, PAGE_SIZE);
}

LOOP_OP(cr3_reload, write_cr3(cr3))

/* Round robin over NR roots, all used before. */
static void switching(u64 n, u64 nr)
{
	u64 roots[8], i;

	for (i = 0; i < nr; i++)
		roots[i] = new_root();
	for (i = 0; i < 2 * nr; i++)
		write_cr3(roots[i % nr]);
	i = 0;
	LOOP(n, ({ i = (i + 1) & (nr - 1); write_cr3(roots[i]); }));
	write_cr3(cr3);
}

static void op_cr3_switch(u64 n)
{
	switching(n, 2);
}

static void op_cr3_switch_8(u64 n)
{
	switching(n, 8);
}

static void op_cr3_new(u64 n)
{
	u64 root;

	TIMED(n, root = new_root(), write_cr3(root));
	write_cr3(cr3);
}

/*
 * Blocks of four instructions, the last a jump to the next block: what a
 * translator takes for units. Made at run time, so that there can be many.
 */
#define BLOCK 32
#define CODE 0x4000000ul

static u64 write_blocks(u64 at, u64 n)
{
	/* add $1, %eax; xor %eax, %edx; lea 5(%rax), %ecx; jmp; int3... */
	static const u8 block[BLOCK] = {
		0x83, 0xc0, 0x01, 0x31, 0xc2, 0x8d, 0x48, 0x05,
		0xe9, BLOCK - 13, 0, 0, 0,
		[13 ... BLOCK - 1] = 0xcc,
	};
	u64 i;

	for (i = 0; i < n; i++)
		memcpy((void *)(at + i * BLOCK), block, BLOCK);
	*(volatile u8 *)(at + (n - 1) * BLOCK + 8) = 0xc3; /* ret */
	return at;
}

static void run_blocks(u64 at)
{
	asm volatile("call *%0" : : "r"(at) : "rax", "rcx", "rdx", "memory",
		     "cc");
}

/* Each round runs blocks that never ran before. */
static void op_translate(u64 n)
{
	u64 i;

	for (i = 0; i <= ROUNDS; i++)
		write_blocks(CODE + i * n * BLOCK, n);
	ROUND(n, run_blocks(CODE + _round * n * BLOCK));
}

/* Data stored into code that was just run. */
static void op_code_write(u64 n)
{
	u64 at = write_blocks(CODE, 1);

	TIMED(n, run_blocks(at), *(volatile u8 *)at = 0x83);
}

/* N blocks run, NR different ones in turn. */
static void blocks(u64 n, u64 nr)
{
	u64 at = write_blocks(CODE, nr);

	LOOP(n / nr, run_blocks(at));
}

static void op_code_100(u64 n)
{
	blocks(n, 100);
}

static void op_code_1000(u64 n)
{
	blocks(n, 1000);
}

static void op_code_10000(u64 n)
{
	blocks(n, 10000);
}

static void op_code_60000(u64 n)
{
	blocks(n, 60000);
}

enum kind { LOOP_KIND, TIMED_KIND, PLAIN_KIND };
/* What is overhead: see above; of the last kind nothing. */
static const char *const kind_names[] = { "loop", "timed", "plain" };

struct op {
	const char *name;
	void (*run)(u64 n);
	u64 n;			/* operations */
	enum kind kind;
	u64 batch;		/* operations are done so many at a time */
};

#define LOOPS 1000
#define L(name) { #name, op_##name, LOOPS, LOOP_KIND, 1 }
#define N(name, n) { #name, op_##name, n, LOOP_KIND, 1 }
#define P(name, n) { #name, op_##name, n, PLAIN_KIND, 1 }
#define T(name, n) { #name, op_##name, n, TIMED_KIND, 1 }

static const struct op ops[] = {
	L(empty), T(empty_timed, LOOPS),
	L(cpuid), L(cli), L(sti_cli), L(pushf_popf), L(cr8wr), L(swapgs),
	L(callret), L(indirect_call), L(in), L(out), L(in_pic), L(out_pic),
	L(in_pit), L(rdtsc), L(rdtscp), L(rdtsc_user), L(rdmsr_efer),
	L(wrmsr_efer), L(rdmsr_apic_base), L(wrmsr_pat), L(wrmsr_lstar),
	L(wrmsr_fs_base), L(cr0_write), L(clts), L(syscall), L(int_user),
	L(divzero), L(apic_read), L(apic_write_tpr), L(interrupt),
	L(wrmsr_tsc_deadline), N(hlt_wakeup, 50), N(ipi, 50),
	L(pgfault), L(pgfault_fix), L(ptemod_unchanged),
	{ "ptemod_p_np", op_ptemod_p_np, 25 * BATCH, TIMED_KIND, BATCH },
	{ "ptemod_np_p", op_ptemod_np_p, 25 * BATCH, TIMED_KIND, BATCH },
	T(traced_unchanged, 250), T(traced_p_np, 250), T(traced_np_p, 250),
	T(trace_fault, 50), T(hidden_table, 50), L(pte_flush), L(pte_flip),
	N(hidden_fault, PER_TABLE), N(first_touch, PER_TABLE),
	N(new_memory, PTES), T(invlpg, LOOPS), T(touch_after_invlpg, LOOPS),
	L(cr3_reload), L(cr3_switch), L(cr3_switch_8), T(cr3_new, 50),
	P(translate, 250), T(code_write, 100),
	P(code_100, 10000), P(code_1000, 10000), P(code_10000, 10000),
	P(code_60000, 60000),
};

static bool starts(const char *s, const char *with)
{
	return !memcmp(s, with, strlen(with));
}

/* "op=NAME,NAME" on the multiboot command line; without it everything. */
static bool wanted(const char *name)
{
	const u32 *info = (const u32 *)(u64)mb_info;
	const char *p = info[0] & 4 ? (const char *)(u64)info[4] : "";

	while (*p && !(starts(p, "op=")))
		p++;
	if (!*p)
		return true;
	do {
		p += *p == 'o' ? 3 : 1;
		if (starts(p, name) && (p[strlen(name)] == ',' ||
					p[strlen(name)] <= ' '))
			return true;
		while (*p > ' ' && *p != ',')
			p++;
	} while (*p == ',');
	return false;
}

void guest_main(void)
{
	u64 i, round;

	w = window_addr(0);
	cr3 = read_cr3();
	efer = rdmsr(MSR_EFER);
	pat = rdmsr(MSR_PAT);
	pool = (u64)alloc_pages(8);
	pic_init();
	apic_enable();
	exc_set_hook(0xff, irq_hook_count);
	exc_set_hook(VEC, irq_hook_lapic);

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!wanted(ops[i].name))
			continue;
		memset(ticks, 0, sizeof(ticks));
		window_map(0, pool, PT_P | PT_W);
		ops[i].run(ops[i].n / ops[i].batch);
		for (round = 0; round < ROUNDS && ticks[round]; round++)
			info("nano %s %lu %lu %s", ops[i].name, ticks[round],
			     ops[i].n, kind_names[ops[i].kind]);
	}
}
