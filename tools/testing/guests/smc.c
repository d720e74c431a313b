// SPDX-License-Identifier: GPL-2.0-only
/*
 * smc.c - code that changes: written by itself, by its neighbours, through
 * another address of the same page, by an exception handler, from user mode;
 * and code that stays while its page is mapped elsewhere.
 *
 * SDM vol. 3, "Self-Modifying Code": a store to the very address the code runs
 * at is seen by the next instruction; through another linear address only after
 * a serialising instruction, so those checks execute CPUID in between.
 */
#include "lib.h"

const char guest_name[] = "smc";

#define PAGES 8
static u8 *code;

static void serialise(void)
{
	cpuid(0, 0);
}

/* mov $value, %eax; ret: 6 bytes. */
static void *put_return(u8 *at, u32 value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
	return at;
}

static u32 call(const void *f)
{
	u32 r;

	asm volatile("call *%1" : "=a"(r) : "r"(f)
		     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "cc", "memory");
	return r;
}

/* ---- a function's immediate, by every kind of store ---- */

#define STORE(name, value, text, ...) do {				\
	put_return(code, 0x01010101);					\
	call(code);							\
	asm volatile(text : : "r"(code + 1), "r"((u64)(value)),		\
		     ##__VA_ARGS__ : "rax", "rcx", "rdx", "rsi", "rdi",	\
		     "cc", "memory");					\
	check_eq("store." name, call(code), value);			\
} while (0)

static void stores(void)
{
	u32 v, bad = 0;

	for (v = 0; v < 300; v++) {
		put_return(code, v);
		bad += call(code) != v;
	}
	check_eq("store.whole", bad, 0);
	for (v = 0; v < 300; v++) {
		*(volatile u32 *)(code + 1) = v;
		bad += call(code) != v;
	}
	check_eq("store.immediate", bad, 0);

	STORE("byte", 0x01010142, "movb %b1, (%0)");
	STORE("word", 0x01014243, "movw %w1, (%0)");
	STORE("dword", 0x40414243, "movl %k1, (%0)");
	STORE("xchg", 0x50515253, "mov %1, %%rax; xchg %%eax, (%0)");
	STORE("lock_add", 0x01010103, "mov $2, %%ecx; lock addb %%cl, (%0)");
	STORE("inc", 0x01010102, "incl (%0)");
	STORE("not", 0xfefefefe, "notl (%0)");
	STORE("bts", 0x81010101, "btsl $31, (%0)");
	STORE("shl", 0x02020202, "shll (%0)");
	STORE("setc", 0x01010100, "clc; setc (%0)");
	STORE("cmpxchg", 0x60616263,
	      "mov $0x01010101, %%eax; lock cmpxchg %k1, (%0)");
	STORE("xadd", 0x01010108, "mov $7, %%ecx; lock xaddb %%cl, (%0)");
	STORE("movnti", 0x70717273, "movnti %k1, (%0); sfence");
	STORE("stosb", 0x01010155,
	      "mov %0, %%rdi; mov $0x55, %%al; stosb");
	STORE("rep_stosb", 0x66666666,
	      "mov %0, %%rdi; mov $0x66, %%al; mov $4, %%ecx; rep stosb");
	STORE("push", 0x71727374,
	      "mov %%rsp, %%rdx; lea 8(%0), %%rsp; mov $0xc3, %%eax; shl $32, %%rax; or %1, %%rax; push %%rax; mov %%rdx, %%rsp");
	STORE("pop", 0x31323334, "pushq %1; popw (%0); popw 2(%0); add $4, %%rsp");
	STORE("fnstcw", 0x0101037f, "fninit; fnstcw (%0)");
	STORE("str", 0x01010048, "str (%0)");
	STORE("mov_seg", 0x01010010, "mov %%ss, (%0)");
	STORE("insb", 0x010101ff,
	      "mov %0, %%rdi; mov $0x21, %%edx; insb");
}

/* ---- the code that runs modifies itself ---- */

extern u8 next_insn[], next_imm[], near_insn[], near_imm[], far_insn[],
	far_imm[], loop_insn[], loop_imm[], opcode_insn[], opcode_at[],
	len_insn[], len_at[];

asm(".pushsection .text\n"
    /* The very next instruction. */
    "next_insn: mov %edi, next_imm(%rip)\n"
    ".byte 0xb8\n next_imm: .long 0x11111111\n ret\n"
    /* A few on, in what surely is one piece of code to a translator. */
    "near_insn: mov %edi, near_imm(%rip)\n"
    "inc %ecx; inc %ecx; inc %ecx\n"
    ".byte 0xb8\n near_imm: .long 0x11111111\n ret\n"
    /* Behind many others. */
    "far_insn: mov %edi, far_imm(%rip)\n"
    ".rept 40\n inc %ecx\n .endr\n"
    ".byte 0xb8\n far_imm: .long 0x11111111\n ret\n"
    /* Adds 1, 2, 3... by counting up its own operand. */
    "loop_insn: mov %edi, %ecx; xor %eax, %eax; movl $0, loop_imm(%rip)\n"
    "1: incl loop_imm(%rip)\n"
    ".byte 0x05\n loop_imm: .long 0\n"
    "dec %ecx; jnz 1b; ret\n"
    /* Another opcode: inc becomes dec. */
    "opcode_insn: mov $100, %eax; movb %dil, opcode_at+1(%rip)\n"
    "opcode_at: inc %eax\n ret\n"
    /* Another length: three bytes of add become one nop and two-byte inc. */
    "len_insn: mov $100, %eax; movb %dil, len_at(%rip); movw %si, len_at+1(%rip)\n"
    "len_at: add $7, %eax\n ret\n"
    ".popsection");

static u32 call2(const void *f, u32 a, u32 b)
{
	u32 r;

	asm volatile("call *%1" : "=a"(r) : "r"(f), "D"(a), "S"(b)
		     : "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
	return r;
}

static void itself(void)
{
	u32 i, bad[8] = { 0 };

	for (i = 1; i < 60; i++) {
		bad[0] += call2(next_insn, i * 0x1001, 0) != i * 0x1001;
		bad[1] += call2(near_insn, i * 0x1003, 0) != i * 0x1003;
		bad[2] += call2(far_insn, i * 0x1005, 0) != i * 0x1005;
		bad[3] += call2(loop_insn, i, 0) != i * (i + 1) / 2;
		bad[5] += call2(opcode_insn, i & 1 ? 0xc8 : 0xc0, 0) !=
			  (i & 1 ? 99 : 101);
		bad[6] += call2(len_insn, i & 1 ? 0x90 : 0x83,
				i & 1 ? 0xc0ff : 0x07c0) != (i & 1 ? 101 : 107);
	}
	check_eq("itself.next", bad[0], 0);
	check_eq("itself.near", bad[1], 0);
	check_eq("itself.far", bad[2], 0);
	check_eq("itself.loop", bad[3], 0);
	check_eq("itself.opcode", bad[5], 0);
	check_eq("itself.length", bad[6], 0);
}

/* A REP MOVSB copies a like one over itself, and a new immediate behind it. */
static void by_string(void)
{
	static const u8 text[] = {
		0xf3, 0xa4,		/* rep movsb */
		0xb8, 1, 0, 0, 0,	/* mov $1, %eax */
		0xc3,
	};
	u8 *copy = code + 0x200;
	u64 rcx, rdi;
	u32 v, r, bad = 0;

	memcpy(code, text, sizeof(text));
	for (v = 2; v < 40; v++) {
		memcpy(copy, text, sizeof(text));
		copy[3] = v;
		asm volatile("call *%5" : "=a"(r), "=c"(rcx), "=D"(rdi)
			     : "1"((u64)sizeof(text)), "2"(code), "r"(code),
			       "S"(copy) : "cc", "memory", "rdx", "r8");
		bad += r != v || rcx || rdi != (u64)code + sizeof(text);
	}
	check_eq("itself.rep_movsb", bad, 0);
	/* STOSB behind which an INT3 would be, were the store not seen. */
	for (v = 0; v < 10; v++) {
		static const u8 stos[] = {
			0xf3, 0xaa,		/* rep stosb: nops */
			0xcc, 0xcc, 0xcc, 0xcc,
			0x89, 0xc8, 0xc3,	/* mov %ecx, %eax; ret */
		};

		memcpy(code, stos, sizeof(stos));
		asm volatile("call *%3" : "=a"(r), "=c"(rcx), "=D"(rdi)
			     : "r"(code), "0"(0x90), "1"(4ul), "2"(code + 2)
			     : "cc", "memory");
		bad += r != 0;
	}
	check_eq("itself.rep_stosb", bad, 0);
}

/* ---- pages: borders, aliases, other pages at the same address ---- */

static void borders(void)
{
	u32 split, v, bad = 0;

	/* One instruction in two pages, each half changed alone. */
	for (split = 1; split < 6; split++) {
		u8 *f = put_return(code + PAGE_SIZE - split, 0);

		for (v = 1; v < 0x20; v++) {
			f[1 + v % 4] = v;
			bad += (call(f) >> (8 * (v % 4)) & 0xff) != v;
		}
		/* Opcode alone: mov to %eax or %ecx and %eax as it was. */
		f[0] = 0xb9;
		bad += call(f) == *(u32 *)(f + 1);
		f[0] = 0xb8;
		bad += call(f) != *(u32 *)(f + 1);
	}
	check_eq("border.halves", bad, 0);

	/* Four bytes over the border in one store. */
	for (v = 0; v < 50; v++) {
		u8 *f = code + 2 * PAGE_SIZE - 3;

		put_return(f, 0);
		call(f);
		*(volatile u32 *)(f + 1) = 0x12345600 + v;
		bad += call(f) != 0x12345600 + v;
	}
	check_eq("border.store", bad, 0);
}

static u64 probe_rip, probe_cr2;
static bool pf_hook(struct frame *f)
{
	probe_rip = f->rip;
	probe_cr2 = read_cr2();
	f->rip = f->rbx;
	return true;
}

static void aliases(void)
{
	u8 *f = put_return(code, 0);
	u32 v, bad[4] = { 0 };

	window_map(0, (u64)code, PT_P | PT_W);
	for (v = 1; v < 40; v++) {
		*(volatile u32 *)(window_addr(0) + 1) = v;
		serialise();
		bad[0] += call(f) != v;
		*(volatile u32 *)(UALIAS(f) + 1) = v + 100;
		serialise();
		bad[1] += call(f) != v + 100;
		*(volatile u32 *)(HIGH_ALIAS + (u64)f + 1) = v + 200;
		serialise();
		bad[2] += call(f) != v + 200;
		/* And the other way round: it runs at one, then the other. */
		*(volatile u32 *)(f + 1) = v + 300;
		serialise();
		bad[3] += call((void *)window_addr(0)) != v + 300;
		bad[3] += call((void *)(HIGH_ALIAS + (u64)f)) != v + 300;
	}
	check_eq("alias.window", bad[0], 0);
	check_eq("alias.user", bad[1], 0);
	check_eq("alias.high", bad[2], 0);
	check_eq("alias.runs_there", bad[3], 0);

	/* A store that faults in its second half writes nothing. */
	exc_set_hook(EXC_PF, pf_hook);
	window_map(2, 0, 0);
	window_map(1, (u64)code + PAGE_SIZE, PT_P | PT_W);
	f = put_return(code + 2 * PAGE_SIZE - 6, 0x77);
	call(f);
	asm volatile("lea 1f(%%rip), %%rbx; mov %0, (%1); 1:"
		     : : "r"(0x1122334455667788), "r"(window_addr(2) - 5)
		     : "rbx", "memory");
	check_eq("alias.half.cr2", probe_cr2 - window_addr(2), 0);
	check_eq("alias.half", call(f), 0x77);
	exc_set_hook(EXC_PF, NULL);
}

static void remaps(void)
{
	u8 *at = (u8 *)window_addr(4) + 0x40;
	u32 i, bad = 0, none = 0, nx = 0;
	u64 ret, behind;

	for (i = 0; i < 4; i++)
		put_return(code + i * PAGE_SIZE + 0x40, i + 1);
	for (i = 0; i < 200; i++) {
		window_map(4, (u64)code + (i * 7 % 4) * PAGE_SIZE, PT_P | PT_W);
		bad += call(at) != i * 7 % 4 + 1;
	}
	check_eq("remap.invlpg", bad, 0);
	for (i = 0; i < 60; i++) {
		window_pt[4] = ((u64)code + (i & 3) * PAGE_SIZE) | PT_P;
		write_cr3(read_cr3());
		bad += call(at) != (i & 3) + 1;
	}
	check_eq("remap.cr3", bad, 0);

	/* Away, no longer executable, and back. */
	exc_set_hook(EXC_PF, pf_hook);
	if (HAS_NX)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	for (i = 0; i < 20; i++) {
		window_map(4, (u64)code, PT_P | PT_W);
		bad += call(at) != 1;
		window_map(4, (u64)code, i & 1 && HAS_NX ? PT_P | PT_NX : 0);
		probe_rip = 0;
		asm volatile("lea 1f(%%rip), %%rbx; mov %%rsp, %%r12; call *%2; 1: mov (%%rsp), %0; mov %%r12, %%rsp"
			     : "=r"(ret), "=&b"(behind) : "r"(at)
			     : "rax", "r12", "memory");
		none += ret != behind;
		if (i & 1)
			nx += probe_rip != (u64)at;
		else
			none += probe_rip != (u64)at;
	}
	exc_set_hook(EXC_PF, NULL);
	check_eq("remap.back", bad, 0);
	check_eq("remap.not_present", none, 0);
	check_eq("remap.no_execute", nx, 0);
}

/* ---- as kernels do it ---- */

static u32 traps;
static u8 saved_byte;
static bool bp_restores(struct frame *f)
{
	traps++;
	f->rip--;
	*(volatile u8 *)f->rip = saved_byte;
	return true;
}

static u32 emulated;
static bool bp_emulates(struct frame *f)
{
	/* The nop5 or jmp whose first byte is an INT3 now: done as a nop. */
	emulated++;
	f->rip += 4;
	return true;
}

static void kernels_way(void)
{
	static const u8 nop5[] = { 0x0f, 0x1f, 0x44, 0, 0 };
	u8 *site = code + 0x300, *f;
	u32 i, bad = 0;
	s32 distance;

	/* A probe: INT3 that the handler takes away again. */
	exc_set_hook(EXC_BP, bp_restores);
	f = put_return(code, 5);
	for (i = 0; i < 20; i++) {
		saved_byte = f[0];
		*(volatile u8 *)f = 0xcc;
		bad += call(f) != 5;
	}
	check_eq("kernel.probe", bad, 0);
	check_eq("kernel.probe.traps", traps, 20);

	/* A static key: nop5, INT3 first, the tail, then the head. */
	exc_set_hook(EXC_BP, bp_emulates);
	memcpy(site, nop5, 5);
	put_return(site + 5, 0);
	put_return(code + 0x380, 1);
	distance = 0x380 - 0x305;
	for (i = 0; i < 20; i++) {
		bool on = !(i & 1);

		*(volatile u8 *)site = 0xcc;
		bad += call(site) != 0;
		memcpy(site + 1, on ? (u8 *)&distance : nop5 + 1, 4);
		bad += call(site) != 0;
		*(volatile u8 *)site = on ? 0xe9 : nop5[0];
		bad += call(site) != on;
	}
	check_eq("kernel.static_key", bad, 0);
	check_eq("kernel.static_key.traps", emulated, 40);
	exc_set_hook(EXC_BP, NULL);

	/* A call's target, as tracers and static calls change it. */
	f = code + 0x400;
	memcpy(f, "\xe8\0\0\0\0\xff\xc0\xc3", 8); /* call; inc %eax; ret */
	for (i = 0; i < 60; i++) {
		u8 *target = put_return(code + 0x500 + (i % 5) * 16, i);

		distance = target - (f + 5);
		memcpy(f + 1, &distance, 4);
		bad += call(f) != i + 1;
	}
	check_eq("kernel.call_target", bad, 0);

	/* Short jumps and conditional ones. */
	memcpy(f, "\x85\xff\x74\x04\x31\xc0\xc3\x90\xb8\1\0\0\0\xc3", 14);
	for (i = 0; i < 40; i++) {
		*(volatile u8 *)(f + 2) = i & 2 ? 0x75 : 0x74;
		bad += call2(f, i & 1, 0) != ((i ^ i >> 1 ^ 1) & 1);
	}
	check_eq("kernel.condition", bad, 0);
}

/* ---- much of it ---- */

/* A JIT: code written once, run once, overwritten. */
static void jit(void)
{
	u8 *arena = alloc_pages(32);
	u32 i, bad = 0, at = 0;

	for (i = 0; i < 4000; i++) {
		bad += call(put_return(arena + at, i)) != i;
		at = (at + 13 + i % 97 * 7) % (32 * PAGE_SIZE - 6);
	}
	check_eq("many.jit", bad, 0);
	/* All of them again: some survived, some were overwritten. */
	for (i = 0; i < 1000; i++) {
		put_return(arena + i * 128, i);
		bad += call(arena + i * 128) != i;
	}
	for (i = 0; i < 1000; i++)
		bad += call(arena + i * 128) != i;
	check_eq("many.again", bad, 0);
}

/* Data beside code that runs: neither disturbs the other. */
static void mixed(void)
{
	volatile u32 *data = (u32 *)(code + 0x800);
	u8 *f = put_return(code + 0x840, 3);
	u32 i, sum = 0;

	*data = 0;
	for (i = 0; i < 3000; i++) {
		*data += call(f);
		sum += *data == 3 * (i + 1);
	}
	check_eq("many.data_beside", sum, 3000);
	/* The same bytes written again. */
	for (i = 0, sum = 0; i < 300; i++) {
		put_return(f, 3);
		sum += call(f);
	}
	check_eq("many.same_bytes", sum, 900);
}

/* Code and stack in one page: push, call and interrupt frames beside it. */
static void on_the_stack(void)
{
	u8 *page = code + 5 * PAGE_SIZE;
	u32 r, i, bad = 0;

	for (i = 0; i < 100; i++) {
		put_return(page, i);
		asm volatile("mov %%rsp, %%r12; mov %2, %%rsp; push %%r12; call *%1; int3; pop %%r12; mov %%r12, %%rsp"
			     : "=a"(r) : "r"(page), "r"(page + 0x800)
			     : "r12", "rcx", "memory", "cc");
		bad += r != i;
	}
	check_eq("many.on_the_stack", bad, 0);
}

static bool bp_skips(struct frame *f)
{
	return true;
}

/* ---- user mode ---- */

static void user(void)
{
	u8 *page = code + 6 * PAGE_SIZE;
	struct exec x;
	struct snip s = { 0 };
	u32 i, bad[3] = { 0 };

	/* mov $imm, %eax; int $0x81 */
	static const u8 body[] = { 0xb8, 0, 0, 0, 0, 0xcd, 0x81 };

	s.start = (u64)page;
	for (i = 1; i < 30; i++) {
		/* Written in the kernel, runs in user mode. */
		memcpy(page, body, sizeof(body));
		page[1] = i;
		exec_user(&x, &s);
		exec64(&x);
		bad[0] += x.rax != i;
		/* The same bytes in the kernel. */
		exec_init(&x, &s);
		exec64(&x);
		bad[1] += x.rax != i;
	}
	check_eq("user.runs", bad[0], 0);
	check_eq("user.kernel_runs", bad[1], 0);

	/* User code changes itself, and what the kernel runs. */
	s = SNIP("mov %edi, (%rsi)", "mov %edi, 1+1f(%rip); 1: mov $0, %ecx", "");
	put_return(page + 0x80, 0);
	for (i = 1; i < 30; i++) {
		call(page + 0x80);
		exec_user(&x, &s);
		x.rdi = i;
		x.rsi = UALIAS(page + 0x81);
		exec64(&x);
		bad[2] += x.rcx != i || x.vec != VEC_DONE;
		bad[2] += call(page + 0x80) != i;
	}
	check_eq("user.writes", bad[2], 0);
}

void guest_main(void)
{
	code = alloc_pages(PAGES);
	stores();
	itself();
	by_string();
	borders();
	aliases();
	remaps();
	kernels_way();
	exc_set_hook(EXC_BP, bp_skips);
	jit();
	mixed();
	on_the_stack();
	user();
}
