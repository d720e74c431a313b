// SPDX-License-Identifier: GPL-2.0-only
/*
 * Native single-stepping through signals: an int3 gets us into a handler, the
 * handler puts the wanted registers with TF set into the signal frame, the
 * kernel loads them, the processor executes one instruction, and the trap (or
 * fault) it ends with brings us back. No assembly needed, and the tested
 * instruction may use every register, the stack pointer included.
 *
 * Beware: an instruction that writes outside the data pages writes into this
 * process. The caller picks addresses.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "emul_native.h"

#define CS64 0x33
#define CS32 0x23
#define FLAT 0x2b
#define LDT(n) ((n) << 3 | 7)

/* Offsets in the FXSAVE/XSAVE image of a signal frame. */
#define FX_XMM		160
#define FX_SW_MAGIC	464
#define XSTATE_BV	512
#define XSAVE_YMM	576
#define XSAVE_LEN	832	/* up to and with the upper halves of YMM */

static struct native_state *current;
static enum native_mode current_mode;
static volatile sig_atomic_t phase;
static greg_t saved[NGREG];
static u8 saved_fp[XSAVE_LEN];
static bool have_16, have_32, have_avx;

static const int greg_of[TDM_NR_GPRS] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

u16 native_cs(enum native_mode mode)
{
	return mode == NATIVE_64 ? CS64 : mode == NATIVE_32 ? CS32 : LDT(0);
}

u16 native_ds(enum native_mode mode)
{
	return mode == NATIVE_16 ? LDT(1) : FLAT;
}

u16 native_ss(enum native_mode mode)
{
	return mode == NATIVE_16 ? LDT(2) : FLAT;
}

static u8 *fp_of(ucontext_t *uc)
{
	return (u8 *)uc->uc_mcontext.fpregs;
}

static bool has_ymm(const u8 *fp)
{
	u32 magic;

	memcpy(&magic, fp + FX_SW_MAGIC, 4);
	return have_avx && magic == FP_XSTATE_MAGIC1;
}

static void load_vectors(u8 *fp, const struct native_state *s)
{
	unsigned int i;

	for (i = 0; i < 16; i++) {
		memcpy(fp + FX_XMM + 16 * i, s->vec[i], 16);
		if (has_ymm(fp))
			memcpy(fp + XSAVE_YMM + 16 * i, s->vec[i] + 16, 16);
	}
	if (has_ymm(fp)) {
		u64 bv;

		memcpy(&bv, fp + XSTATE_BV, 8);
		bv |= 7;
		memcpy(fp + XSTATE_BV, &bv, 8);
	}
}

static void store_vectors(const u8 *fp, struct native_state *s)
{
	u64 bv = ~0ull;
	unsigned int i;

	if (has_ymm(fp))
		memcpy(&bv, fp + XSTATE_BV, 8);
	memset(s->vec, 0, sizeof(s->vec));
	for (i = 0; i < 16; i++) {
		if (bv & 2)
			memcpy(s->vec[i], fp + FX_XMM + 16 * i, 16);
		if (has_ymm(fp) && (bv & 4))
			memcpy(s->vec[i] + 16, fp + XSAVE_YMM + 16 * i, 16);
	}
}

static void enter(ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	unsigned int i;

	memcpy(saved, g, sizeof(saved));
	memcpy(saved_fp, fp_of(uc), have_avx ? XSAVE_LEN : 512);
	for (i = 0; i < TDM_NR_GPRS; i++)
		g[greg_of[i]] = current->regs.gpr[i];
	g[REG_RIP] = current->regs.rip;
	g[REG_EFL] = current->regs.rflags | 0x100;
	g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000ll) |
			native_cs(current_mode) |
			(greg_t)native_ss(current_mode) << 48;
	load_vectors(fp_of(uc), current);
	phase = 1;
}

static void leave(ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	unsigned int i;

	for (i = 0; i < TDM_NR_GPRS; i++)
		current->regs.gpr[i] = g[greg_of[i]];
	current->regs.rip = g[REG_RIP];
	current->regs.rflags = g[REG_EFL];
	current->trapno = g[REG_TRAPNO];
	current->error = g[REG_ERR];
	current->cr2 = g[REG_CR2];
	store_vectors(fp_of(uc), current);
	current->sel[TDM_SEG_CS] = g[REG_CSGSFS];
	current->sel[TDM_SEG_SS] = g[REG_CSGSFS] >> 48;
	asm volatile("mov %%ds, %0" : "=r" (current->sel[TDM_SEG_DS]));
	asm volatile("mov %%es, %0" : "=r" (current->sel[TDM_SEG_ES]));
	asm volatile("mov %%gs, %0" : "=r" (current->sel[TDM_SEG_GS]));
	memcpy(g, saved, sizeof(saved));
	memcpy(fp_of(uc), saved_fp, have_avx ? XSAVE_LEN : 512);
	phase = 2;
}

static void set_data_segments(u16 sel)
{
	asm volatile("mov %0, %%ds; mov %0, %%es" : : "r" (sel));
}

static void handler(int sig, siginfo_t *info, void *ctx)
{
	(void)info;
	/* AC, NT and ID of the tested code: the kernel leaves them as they are. */
	asm volatile("pushfq; andl $~0x244000, (%%rsp); popfq" : : : "cc", "memory");
	if (phase == 0) {
		enter(ctx);
	} else if (phase == 1) {
		leave(ctx);
	} else {
		/* A fault of the test program itself. */
		signal(sig, SIG_DFL);
	}
}

/**
 * native_step() - execute the instruction at regs.rip
 * @mode: code segment
 * @s: state in and out
 */
void native_step(enum native_mode mode, struct native_state *s)
{
	current = s;
	current_mode = mode;
	phase = 0;
	set_data_segments(native_ds(mode));
	asm volatile("int3" : : : "memory");
	set_data_segments(FLAT);
	asm volatile("mov %0, %%gs" : : "r" (0));
}

/**
 * native_ldt() - write an entry of this process's LDT
 * @n: which; 0 to 2 belong to 16-bit mode
 * @base: base address
 * @limit: limit, in pages with NATIVE_LDT_PAGES
 * @contents: MODIFY_LDT_CONTENTS_*: type
 * @bits: NATIVE_LDT_*
 *
 * Return: the descriptor the kernel makes of it, 0 if it refuses.
 */
u64 native_ldt(unsigned int n, unsigned long base, unsigned int limit,
	       unsigned int contents, unsigned int bits)
{
	struct user_desc d = {
		.entry_number = n, .base_addr = base, .limit = limit,
		.contents = contents, .useable = 1,
		.seg_32bit = !!(bits & NATIVE_LDT_32),
		.read_exec_only = !!(bits & NATIVE_LDT_RO),
		.seg_not_present = !!(bits & NATIVE_LDT_NP),
		.limit_in_pages = !!(bits & NATIVE_LDT_PAGES),
	};
	u64 type = contents << 2 | !d.read_exec_only << 1 | 1;

	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
		return 0;
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | type << 40 |
	       1ull << 44 | 3ull << 45 | (u64)!d.seg_not_present << 47 |
	       (u64)(limit >> 16 & 15) << 48 | 1ull << 52 |
	       (u64)d.seg_32bit << 54 | (u64)d.limit_in_pages << 55 |
	       (u64)(base >> 24) << 56;
}

bool native_has(enum native_mode mode)
{
	return mode == NATIVE_64 || (mode == NATIVE_32 ? have_32 : have_16);
}

bool native_avx(void)
{
	return have_avx;
}

static bool map(unsigned long addr, unsigned long len, int prot)
{
	void *p = mmap((void *)addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS |
		       MAP_FIXED_NOREPLACE, -1, 0);

	return p == (void *)addr;
}

/**
 * native_init() - map the pages, install the handlers
 *
 * Return: 0, or -1 if this process cannot be set up that way.
 */
int native_init(void)
{
	static const int sigs[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	static u8 stack[65536] __attribute__((aligned(64)));
	struct sigaction sa = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	unsigned int i, a, b, c, d, lar = 0;

	if (!map(NATIVE_CODE, NATIVE_CODE_LEN, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map(NATIVE_DATA, NATIVE_DATA_LEN, PROT_READ | PROT_WRITE)) {
		perror("emul: mmap");
		return -1;
	}
	sigaltstack(&ss, NULL);
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
	asm volatile("lar %1, %0" : "+r" (lar) : "r" (CS32));
	have_32 = lar;
	have_16 = native_ldt(0, NATIVE_CODE, 0xffff, MODIFY_LDT_CONTENTS_CODE, 0) &&
		  native_ldt(1, NATIVE_DATA, 0xffff, MODIFY_LDT_CONTENTS_DATA, 0) &&
		  native_ldt(2, NATIVE_DATA, 0xffff, MODIFY_LDT_CONTENTS_DATA,
			     NATIVE_LDT_32);
	if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE) && (c & bit_AVX))
		have_avx = true;
	set_data_segments(FLAT);
	return 0;
}
