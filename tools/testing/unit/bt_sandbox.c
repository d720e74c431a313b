// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single-stepping sandbox for translated code, see bt_sandbox.h.
 *
 * Beware: what the stepped code writes, it writes into this process. PUSHF and
 * POPF see the trap flag that steps them: the image is mended around them.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "bt_sandbox.h"

#define FX_MXCSR	24
#define FX_ST		32
#define FX_XMM		160
#define FX_SW_MAGIC	464
#define XSTATE_BV	512
#define HWCAP2_FSGS	2u

static const int greg_of[TDM_NR_GPRS] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static struct sand_cpu *cpu;
static sand_step_fn step_fn;
static void *step_arg;
static volatile sig_atomic_t phase;
static greg_t saved[NGREG];
static u64 popf_image;	/* where TF was put into memory */

/* The same x87 and vector registers at each start. */
static void init_fp(u8 *fp)
{
	u32 mxcsr = 0x1f80, fcw = 0x37f, magic;
	u64 bv = 3;
	unsigned int i;

	memset(fp, 0, FX_MXCSR);
	memset(fp + FX_ST, 0, FX_XMM - FX_ST);
	memcpy(fp, &fcw, 4);
	for (i = 0; i < 256; i++)
		fp[FX_XMM + i] = i * 7;
	memcpy(fp + FX_MXCSR, &mxcsr, 4);
	memcpy(&magic, fp + FX_SW_MAGIC, 4);
	if (magic == FP_XSTATE_MAGIC1)
		memcpy(fp + XSTATE_BV, &bv, 8);
}

static void load(greg_t *g)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_GPRS; i++)
		g[greg_of[i]] = cpu->regs.gpr[i];
	g[REG_RIP] = cpu->regs.rip;
	g[REG_EFL] = cpu->regs.rflags | SAND_TF;
}

static void store(const greg_t *g)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_GPRS; i++)
		cpu->regs.gpr[i] = g[greg_of[i]];
	cpu->regs.rip = g[REG_RIP];
	cpu->regs.rflags = g[REG_EFL] & ~(SAND_TF | 0x10000ll);
	cpu->trapno = g[REG_TRAPNO];
	cpu->error = g[REG_ERR];
	cpu->cr2 = g[REG_CR2];
}

/* Opcode of an instruction, behind its legacy and REX prefixes. */
static u8 opcode_at(u64 rip)
{
	const u8 *p = (const u8 *)rip;

	while (*p == 0x66 || *p == 0x67 || *p == 0x64 || *p == 0x65 || *p == 0x2e ||
	       *p == 0x3e || *p == 0x26 || *p == 0x36 || *p == 0xf2 || *p == 0xf3 ||
	       (*p & 0xf0) == 0x40)
		p++;
	return *p;
}

static bool plain_opcode(u8 first, u64 rip)
{
	return opcode_at(rip) == first;
}

/* About to execute: POPF shall go on stepping. */
static void before_step(void)
{
	popf_image = 0;
	if (!plain_opcode(0x9d, cpu->regs.rip))
		return;
	popf_image = cpu->regs.gpr[TDM_RSP];
	if (msync((void *)(popf_image & ~4095ul), 4096, MS_ASYNC))
		popf_image = 0;
	else
		*(u8 *)(popf_image + 1) |= SAND_TF >> 8;
}

/* Executed: what PUSHF wrote, and what POPF read, is as without stepping. */
static void after_step(u64 from)
{
	if (popf_image)
		*(u8 *)(popf_image + 1) &= ~(SAND_TF >> 8);
	if (cpu->trapno == SAND_TRAP_DB && plain_opcode(0x9c, from))
		*(u8 *)(cpu->regs.gpr[TDM_RSP] + 1) &= ~(SAND_TF >> 8);
}

static void handler(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;
	static u64 from;

	(void)info;
	/* AC and NT of the code under test, and DF by the kernel. */
	asm volatile("pushfq; andl $~0x244000, (%%rsp); popfq" : : : "cc", "memory");
	if (phase == 2) {
		signal(sig, SIG_DFL);
		return;
	}
	if (phase == 0) {
		memcpy(saved, g, sizeof(saved));
		init_fp((u8 *)uc->uc_mcontext.fpregs);
		cpu->trapno = SAND_TRAP_DB;
		phase = 1;
	} else {
		store(g);
		after_step(from);
	}
	phase = 2;
	if (step_fn(cpu, step_arg)) {
		before_step();
		from = cpu->regs.rip;
		load(g);
		phase = 1;
		return;
	}
	memcpy(g, saved, sizeof(saved));
}

/**
 * sand_run() - step code
 * @c: start; afterwards what the callback left there
 * @step: called before each instruction, also the first
 * @arg: for it
 */
void sand_run(struct sand_cpu *c, sand_step_fn step, void *arg)
{
	u32 mxcsr = 0x1f80;

	cpu = c;
	step_fn = step;
	step_arg = arg;
	phase = 0;
	asm volatile("int3" : : : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
		     "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
		     "xmm13", "xmm14", "xmm15");
	asm volatile("fninit; ldmxcsr %0" : : "m" (mxcsr));
}

/**
 * sand_window() - stores to the STI alias fault, or not
 * @armed: they do
 */
void sand_window(bool armed)
{
	mprotect((void *)(SAND_BASE + TDM_BT_STI), 4096, armed ? PROT_READ : PROT_READ | PROT_WRITE);
}

bool sand_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGS;
}

u64 sand_gs(void)
{
	u64 base = 0;

	if (sand_fsgsbase())
		asm volatile("rdgsbase %0" : "=r" (base));
	return base;
}

void sand_set_gs(u64 base)
{
	if (sand_fsgsbase())
		asm volatile("wrgsbase %0" : : "r" (base));
}

static bool map_fixed(u64 addr, size_t len, int prot, int fd)
{
	int flags = MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);

	return mmap((void *)addr, len, prot, flags, fd, 0) == (void *)addr;
}

/**
 * sand_init() - map the slot, install the handlers
 *
 * Return: 0, or -1 with a message.
 */
int sand_init(void)
{
	static const int sigs[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	static u8 stack[262144] __attribute__((aligned(64)));
	struct sigaction sa = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	int fd = memfd_create("bt_state", 0);
	unsigned int i;

	if (fd < 0 || ftruncate(fd, 4096) ||
	    !map_fixed(SAND_BASE + TDM_BT_STATE, 4096, PROT_READ | PROT_WRITE, fd) ||
	    !map_fixed(SAND_BASE + TDM_BT_STI, 4096, PROT_READ | PROT_WRITE, fd) ||
	    !map_fixed(SAND_BASE + TDM_BT_LOOKUP,
		       (size_t)TDM_BT_LOOKUP_SIZE << TDM_BT_LOOKUP_BITS,
		       PROT_READ | PROT_WRITE, -1) ||
	    !map_fixed(SAND_TC, SAND_TC_LEN, PROT_READ | PROT_WRITE | PROT_EXEC, -1)) {
		perror("bt_sandbox: cannot map the monitor slot");
		return -1;
	}
	sigaltstack(&ss, NULL);
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
	return 0;
}
