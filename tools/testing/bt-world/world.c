// SPDX-License-Identifier: GPL-2.0-only
/*
 * The world switch by itself: raw code at CPL 1 and CPL 3, and how each run ends.
 *
 * Needs a module built with TDM_BT_TEST=1. Two halves: what the processor does for
 * well-behaved code is as the manuals say; and hostile code, which may end in any
 * way it likes as long as it ends and the host is unharmed (the lab looks at the
 * host's console). KTAP on stdout. "cost": only what exits cost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bt/layout.h"
#include "bt/payload_test.h"
#include "payloads.h"

#define FILE_NAME	"/sys/kernel/debug/tandem-bt-test"

#define ANY		(~0ull)
#define CALLOUT		0x18
#define SYSCALL		0x100
#define SYSCALL32	0x101
#define TIME_UP		0xffff

#define CR4_FSGSBASE	(1ull << 16)
#define CR4_OSXSAVE	(1ull << 18)
#define CR4_SMAP	(1ull << 21)
#define CR4_OSFXSR	(1ull << 9)
#define FLAG_AC		(1ull << 18)
#define FLAG_TF		(1ull << 8)
#define FLAG_IF		(1ull << 9)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R15 = 15 };
enum { ES, CS, SS, DS, FS, GS };

static int fd, count, failed;
static struct pt_info info;
static struct pt_run run;
static bool is_intel, is_tcg;

/* ---- KTAP ---- */

static void result(bool ok, const char *fmt, ...)
{
	va_list ap;

	count++;
	failed += !ok;
	printf("%sok %d ", ok ? "" : "not ", count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static void show(void)
{
	printf("# vector %llx error %llx rip %llx rflags %llx rsp %llx cr2 %llx cs %x ss %x rax %llx rcx %llx callouts %llu host events %llu nmis %llu\n",
	       run.vector, run.error, run.rip, run.rflags, run.gpr[RSP], run.cr2, run.sel[CS],
	       run.sel[SS], run.gpr[RAX], run.gpr[RCX], run.callouts, run.host_events, run.nmis);
	fflush(stdout);
}

/* ---- one run ---- */

static uint64_t at(const char *payload, int mode)
{
	return (mode == PT_CPL1 ? PT_CODE : PT_UCODE) + (payload - pt_blob);
}

static void prepare(const char *payload, int mode)
{
	int i;

	memset(&run, 0, sizeof(run));
	memcpy(run.code, pt_blob, pt_blob_end - pt_blob);
	for (i = 0; i < 16; i++)
		run.gpr[i] = 0x1111 * i;
	run.gpr[RSP] = 0;
	run.gpr[RBX] = mode == PT_CPL1 ? PT_SDATA : PT_UDATA;
	run.rip = at(payload, mode);
	run.rflags = 0x202;
	run.mode = mode;
	run.ms = 3000;
}

static void go(void)
{
	if (ioctl(fd, TDM_BT_TEST_RUN, &run)) {
		printf("Bail out! ioctl: %s\n", strerror(errno));
		exit(1);
	}
}

/* Ends as expected? ANY: whatever. */
static bool ends(uint64_t vector, uint64_t error, uint64_t cr2)
{
	bool ok;

	go();
	ok = run.vector == vector && (error == ANY || run.error == error) &&
	     (cr2 == ANY || run.cr2 == cr2);
	if (!ok)
		show();
	return ok;
}

/* ---- what the processor does ---- */

/**
 * struct check - one run of well-behaved code
 * @reg, @val: a register's value at the end, if @check_reg
 * @tcg: QEMU's emulator does not do it right: skip there
 */
struct check {
	const char *name;
	const char *payload;
	int mode;
	uint64_t rbx;
	uint64_t vector, error, cr2;
	bool check_reg;
	int reg;
	uint64_t val;
	uint32_t flags;
	uint64_t rflags, cr4_clear;
	bool tcg;
};

static void one_check(const struct check *c)
{
	bool ok;

	if (c->tcg && is_tcg) {
		printf("ok %d %s # SKIP QEMU's emulator differs from the manual\n", ++count, c->name);
		return;
	}
	prepare(c->payload, c->mode);
	if (c->rbx)
		run.gpr[RBX] = c->rbx;
	run.flags = c->flags;
	run.rflags |= c->rflags;
	run.cr4_clear = c->cr4_clear;
	run.base[1] = c->mode == PT_CPL1 ? PT_SDATA : PT_UDATA;
	if (c->mode == PT_COMPAT3)
		run.sel[DS] = run.sel[ES] = 0x2b;
	ok = ends(c->vector, c->error, c->cr2);
	if (ok && c->check_reg && run.gpr[c->reg] != c->val) {
		ok = false;
		show();
	}
	if (ok && !(run.rflags & FLAG_IF))
		ok = false;
	result(ok, "%s", c->name);
}

#define REG(r, v)	.check_reg = true, .reg = (r), .val = (v)
#define P(name)		.payload = PAYLOAD(name)

static void basics(void)
{
	const uint64_t slot = info.slot, smap = info.cr4 & CR4_SMAP;
	const uint64_t umip = info.has_umip ? 13 : CALLOUT;
	const struct check checks[] = {
		{ "CPL 1: load, store, push, callout", P(basic), PT_CPL1, 0, CALLOUT, 0, ANY, REG(RDX, TDM_BT_SEL_C64) },
		{ "CPL 1: UD2", P(ud2), PT_CPL1, 0, 6, 0, ANY },
		{ "CPL 1: IN", P(in), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: OUT", P(out), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: read of nothing", P(rd), PT_CPL1, PT_NOMAP + 0x123, 14, 0, PT_NOMAP + 0x123 },
		{ "CPL 1: write to nothing", P(wr), PT_CPL1, PT_NOMAP + 0x123, 14, 2, PT_NOMAP + 0x123 },
		{ "CPL 1: write to code", P(wr), PT_CPL1, PT_CODE, 14, 3, PT_CODE },
		{ "CPL 1: read of a non-canonical address", P(rd), PT_CPL1, 1ull << 63, 13, 0, ANY },
		{ "CPL 1: read of a user page, AC clear", P(rd), PT_CPL1, PT_UDATA, smap ? 14 : CALLOUT, smap ? 1 : 0, ANY },
		{ "CPL 1: read of a user page, AC set", P(rd), PT_CPL1, PT_UDATA, CALLOUT, 0, ANY, .rflags = FLAG_AC },
		{ "CPL 1: read of a user page, CR4.SMAP clear", P(rd), PT_CPL1, PT_UDATA, CALLOUT, 0, ANY, .flags = PT_NO_SMAP },
		{ "CPL 1: jump to a user page", P(jmp), PT_CPL1, PT_UCODE, 14, 0x11, PT_UCODE },
		{ "CPL 1: jump to data", P(jmp), PT_CPL1, PT_SDATA, 14, 0x11, PT_SDATA },
		{ "CPL 1: CLI", P(cli), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: STI", P(sti), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: HLT", P(hlt), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: POPF keeps IF", P(popf), PT_CPL1, 0, CALLOUT, 0, ANY, REG(RAX, 0x202) },
		{ "CPL 1: POPF keeps IOPL", P(popf_iopl), PT_CPL1, 0, CALLOUT, 0, ANY, REG(RAX, 0x202) },
		{ "CPL 1: IOPL cannot be entered with", P(cli), PT_CPL1, 0, 13, 0, ANY, .rflags = 0x3000 },
		{ "CPL 1: MOV from CR0", P(rdcr0), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: MOV to CR3", P(wrcr3), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: MOV to CR4", P(wrcr4), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: MOV from DR7", P(rddr7), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: RDMSR", P(rdmsr), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: WRMSR", P(wrmsr), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: LGDT", P(lgdt), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: LIDT", P(lidt), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: LTR", P(ltr), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: LLDT", P(lldt), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: CLTS", P(clts), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: INVLPG", P(invlpg), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: SWAPGS", P(swapgs), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: STAC", P(stac), PT_CPL1, 0, 6, 0, ANY, .tcg = !smap },
		{ "CPL 1: WBINVD", P(wbinvd), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: SYSRET", P(sysret), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: SYSEXIT", P(sysexit), PT_CPL1, 0, is_intel ? 13 : 6, 0, ANY },
		{ "CPL 1: SGDT", P(sgdt), PT_CPL1, 0, umip, ANY, ANY },
		{ "CPL 1: SMSW", P(smsw), PT_CPL1, 0, umip, ANY, ANY },
		{ "CPL 1: STR", P(str), PT_CPL1, 0, umip, ANY, ANY },
		{ "CPL 1: CPUID", P(cpuid), PT_CPL1, 0, CALLOUT, 0, ANY },
		{ "CPL 1: RDTSC", P(rdtsc), PT_CPL1, 0, 13, 0, ANY },
		{ "CPL 1: RDPMC", P(rdpmc), PT_CPL1, 0, 13, 0, ANY, .tcg = true },
		{ "CPL 1: RDGSBASE, CR4.FSGSBASE clear", P(rdgsbase), PT_CPL1, 0, 6, 0, ANY, .cr4_clear = CR4_FSGSBASE },
		{ "CPL 1: XGETBV, CR4.OSXSAVE clear", P(xgetbv), PT_CPL1, 0, 6, 0, ANY, .cr4_clear = CR4_OSXSAVE, .tcg = true },
		{ "CPL 1: SSE, CR4.OSFXSR clear", P(sse), PT_CPL1, 0, 6, 0, ANY, .cr4_clear = CR4_OSFXSR },
		{ "CPL 1: INT 0x20", P(int20), PT_CPL1, 0, 13, 0x102, ANY, .tcg = true },
		{ "CPL 1: INT 0x80", P(int80), PT_CPL1, 0, 13, 0x402, ANY, .tcg = true },
		{ "CPL 1: INT 0xff", P(intff), PT_CPL1, 0, 13, 0x7fa, ANY, .tcg = true },
		{ "CPL 1: INT 2", P(int2), PT_CPL1, 0, 13, 0x12, ANY, .tcg = true },
		{ "CPL 1: INT 18", P(int18), PT_CPL1, 0, 13, 0x92, ANY, .tcg = true },
		{ "CPL 1: INT3", P(int3), PT_CPL1, 0, 3, 0, ANY },
		{ "CPL 1: INT1", P(icebp), PT_CPL1, 0, 1, 0, ANY, .tcg = true },
		{ "CPL 1: single step", P(tf), PT_CPL1, 0, 1, 0, ANY },
		{ "CPL 1: single step at INT", P(tf_int), PT_CPL1, 0, CALLOUT, 0, ANY, .tcg = true },
		{ "CPL 1: SYSCALL", P(syscall), PT_CPL1, 0, SYSCALL, 0, ANY },
		{ "CPL 1: single step at SYSCALL", P(tf_syscall), PT_CPL1, 0, SYSCALL, 0, ANY, .tcg = true },
		{ "CPL 1: LAR of the host's selectors", P(lar), PT_CPL1, 0x10, CALLOUT, 0, ANY, REG(RCX, 0) },
		{ "CPL 1: GS base", P(gs8), PT_CPL1, 0, CALLOUT, 0, ANY, REG(RAX, 0) },
		{ "CPL 1: registers in and out", P(regs), PT_CPL1, 0x3333, CALLOUT, 0, ANY, REG(R15, ~0xffffull) },
		{ "CPL 1: DS = ring 0 data", P(ldds), PT_CPL1, TDM_BT_SEL_KDS, 13, TDM_BT_SEL_KDS & 0xfffc, ANY },
		{ "CPL 1: DS = the host's", P(ldds), PT_CPL1, 0x18, 13, 0x18, ANY },
		{ "CPL 1: SS = null", P(ldss), PT_CPL1, 1, CALLOUT, 0, ANY, .tcg = true },
		{ "CPL 3: read of its page", P(rd3), PT_CPL3, 0, 6, 0, ANY },
		{ "CPL 3: read of a supervisor page", P(rd3), PT_CPL3, PT_SDATA, 14, 5, PT_SDATA },
		{ "CPL 3: read of TEXT", P(rd3), PT_CPL3, slot, 14, 5, slot },
		{ "CPL 3: read of INFO", P(rd3), PT_CPL3, slot + TDM_BT_INFO, 14, 5, ANY },
		{ "CPL 3: write to STATE", P(wr3), PT_CPL3, slot + TDM_BT_STATE, 14, 7, ANY },
		{ "CPL 3: read of PRIV", P(rd3), PT_CPL3, slot + TDM_BT_PRIV, 14, 4, ANY },
		{ "CPL 3: callout", P(callout), PT_CPL3, 0, 13, CALLOUT * 8 + 2, ANY, .tcg = true },
		{ "CPL 3: IN", P(in), PT_CPL3, 0, 13, 0, ANY },
		{ "CPL 3: INT3", P(int3), PT_CPL3, 0, 3, 0, ANY },
		{ "CPL 3: INT 0x80", P(int80), PT_CPL3, 0, 13, 0x402, ANY, .tcg = true },
		{ "CPL 3: SYSCALL", P(syscall), PT_CPL3, 0, SYSCALL, 0, ANY },
		{ "CPL 3: SYSENTER", P(sysenter), PT_CPL3, 0, is_intel ? 13 : 6, 0, ANY },
		{ "CPL 3: RDTSC", P(rdtsc), PT_CPL3, 0, 13, 0, ANY },
		{ "CPL 3: SMSW", P(smsw), PT_CPL3, 0, 13, info.has_umip ? 0 : CALLOUT * 8 + 2, ANY },
		{ "CPL 3: selectors are its own", P(user_ud), PT_CPL3, 0, 6, 0, ANY, REG(RCX, 0x33) },
		{ "CPL 3: GS = a selector that is there", P(user_gs), PT_CPL3, 0x2b, 6, 0, ANY, REG(RAX, 0x2b) },
		{ "CPL 3: GS = one that is not", P(user_gs), PT_CPL3, 0x53, 13, 0x50, ANY },
		{ "CPL 3: GS = an LDT's", P(user_gs), PT_CPL3, 0xf, 13, 0xc, ANY },
		{ "CPL 3: GS = the monitor's ring 1 data", P(user_gs), PT_CPL3, TDM_BT_SEL_D1, 13, TDM_BT_SEL_D1 & 0xfffc, ANY },
		{ "CPL 3: LAR of the monitor's ring 1 code", P(user_lar), PT_CPL3, TDM_BT_SEL_C64, 6, 0, ANY, REG(RCX, 0) },
		{ "CPL 3: LAR of the monitor's TSS", P(user_lar), PT_CPL3, TDM_BT_SEL_TSS, 6, 0, ANY, REG(RCX, 0) },
		{ "CPL 3, 32-bit: selectors are its own", P(c_basic), PT_COMPAT3, 0, 6, 0, ANY, REG(RAX, 0x23) },
		{ "CPL 3, 32-bit: SYSENTER", P(c_sysenter), PT_COMPAT3, 0, is_intel ? 13 : 6, 0, ANY, .tcg = true },
		{ "CPL 3, 32-bit: SYSCALL", P(c_syscall), PT_COMPAT3, 0, is_intel ? 6 : SYSCALL32, 0, ANY, .tcg = true },
		{ "CPL 3, 32-bit: INT 0x80", P(c_int80), PT_COMPAT3, 0, 13, 0x402, ANY, .tcg = true },
		{ "CPL 3, 32-bit: far return to ring 1 code", P(c_lcall), PT_COMPAT3, TDM_BT_SEL_C64, 13, TDM_BT_SEL_C64 & 0xfffc, ANY, .tcg = true },
	};
	unsigned int i;

	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		one_check(&checks[i]);
}

/* All registers and flags go in and come out as they should. */
static void registers(void)
{
	bool ok;
	int i;

	prepare(PAYLOAD(regs), PT_CPL1);
	for (i = 0; i < 16; i++)
		run.gpr[i] = 0x0123456789abcdefull * (i + 1);
	run.gpr[RSP] = PT_SSTACK - 0x100;
	run.rflags = 0x202 | 0xcd5 | FLAG_AC;
	run.base[0] = 0xffff888000000123;
	run.base[1] = 0x00007fedcba98765;
	ok = ends(CALLOUT, 0, ANY);
	for (i = 0; i < 16; i++)
		if (i != RSP)
			ok &= run.gpr[i] == ~(0x0123456789abcdefull * (i + 1));
	ok &= run.gpr[RSP] == PT_SSTACK - 0x100;
	ok &= (run.rflags & 0x40ed5) == (0x40ed5 & (0x202 | 0xcd5 | FLAG_AC));
	ok &= run.base[0] == 0xffff888000000123 && run.base[1] == 0x00007fedcba98765;
	ok &= run.sel[CS] == TDM_BT_SEL_C64 && run.sel[SS] == TDM_BT_SEL_D1;
	result(ok, "all registers, flags and bases in and out");
	if (!ok)
		show();

	prepare(PAYLOAD(wrgsbase), PT_CPL1);
	run.gpr[RBX] = 0xffffffff81234567;
	if (!(info.cr4 & CR4_FSGSBASE)) {
		printf("ok %d WRGSBASE is seen # SKIP the CPU has none\n", ++count);
		return;
	}
	ok = ends(CALLOUT, 0, ANY) && run.base[1] == 0xffffffff81234567;
	result(ok, "WRGSBASE is seen");
}

/* ---- what the guest can see and write of the slot ---- */

/* From layout.h: r = 1, w = 2. */
static int allowed(uint32_t off)
{
	uint32_t page = off & ~0xfffu;

	if (page < TDM_BT_TEXT + ((info.text + 0xfff) & ~0xfffull))
		return 1;
	if (page == TDM_BT_INFO || page == TDM_BT_TSS || page == TDM_BT_IDT)
		return 1;
	if (page >= TDM_BT_GDT && page < TDM_BT_GDT + 0x10000)
		return 1;
	if (page >= TDM_BT_STACK && page < TDM_BT_STACK + 0xa000)
		return page & 0x1000 ? 3 : 0;
	if (page == TDM_BT_STATE || page == TDM_BT_STI)
		return 3;
	return 0;
}

/* Every page of the slot's small part, CPL 1 and CPL 3, read and write. */
static void slot_access(void)
{
	uint32_t off;
	int ok = 1, n = 0, can, cpl, write;
	uint64_t want;

	for (off = 0; off < 0x200000; off += 0x1000) {
		for (cpl = 1; cpl <= 3; cpl += 2) {
			for (write = 0; write < 2; write++) {
				if (cpl == 1)
					prepare(write ? PAYLOAD(wr) : PAYLOAD(rd), PT_CPL1);
				else
					prepare(write ? PAYLOAD(wr3) : PAYLOAD(rd3), PT_CPL3);
				run.gpr[RBX] = info.slot + off + 0xff8;
				can = cpl == 1 && (allowed(off) & (write ? 2 : 1));
				want = can ? CALLOUT : 14;
				n++;
				if (ends(want, ANY, can ? ANY : run.gpr[RBX]))
					continue;
				printf("# slot + %x, CPL %d, %s\n", off, cpl, write ? "write" : "read");
				ok = 0;
			}
		}
	}
	result(ok, "the slot, page by page: %d accesses", n);
}

/* Nothing of the host: every PML4 entry, and addresses known to be in use. */
static void host_access(void)
{
	uint64_t slot_index = info.slot >> 39 & 511, va;
	int i, ok = 1, n = 0, cpl;

	for (i = 1; i < 512 + 24; i++) {
		if (i < 512)
			va = (uint64_t)((int64_t)((uint64_t)i << 55) >> 16);
		else
			va = info.addr[i - 512];
		if (!va || (i < 512 && (uint64_t)i == slot_index))
			continue;
		for (cpl = 1; cpl <= 3; cpl += 2) {
			prepare(cpl == 1 ? PAYLOAD(rd) : PAYLOAD(rd3), cpl == 1 ? PT_CPL1 : PT_CPL3);
			run.gpr[RBX] = va;
			n++;
			if (ends(14, cpl == 1 ? 0 : 4, va))
				continue;
			printf("# address %llx, CPL %d\n", (unsigned long long)va, cpl);
			ok = 0;
		}
	}
	result(ok, "nothing of the host is there: %d reads", n);
}

/*
 * What is readable holds no address of the host: read TEXT to STI after runs with
 * full exits and NMIs in host code, and look for values in the kernel half outside
 * of the slot.
 */
static void no_secrets(void)
{
	uint64_t page, i, val;
	int bad = 0;

	prepare(PAYLOAD(calls), PT_CPL1);
	run.repeat = 200;
	run.flags = PT_NMI_SELF | PT_FAULTS;
	go();
	prepare(PAYLOAD(calls), PT_CPL1);
	run.repeat = 50;
	run.flags = PT_FULL;
	go();
	for (page = TDM_BT_INFO; page < TDM_BT_PRIV; page += 0x1000) {
		if (!allowed(page) || (page > TDM_BT_GDT && page < TDM_BT_GDT + 0xf000))
			continue;
		for (i = 0; i < 0x1000; i += 8) {
			prepare(PAYLOAD(rd), PT_CPL1);
			run.gpr[RBX] = info.slot + page + i;
			go();
			val = run.gpr[RAX];
			if (page != TDM_BT_GDT && page != TDM_BT_GDT + 0xf000 && page != TDM_BT_IDT &&
			    val >> 47 == 0x1ffff && val >> 39 != info.slot >> 39) {
				printf("# slot + %llx: %llx\n", (unsigned long long)(page + i),
				       (unsigned long long)val);
				bad++;
			}
		}
	}
	result(!bad, "no host address is left in what the guest can read");
}

/* ---- hostile ---- */

/* Everything it can write is junk: the monitor does not care. */
static void scribble(void)
{
	static const char *const names[] = { "callout", "UD2", "SYSCALL", "INT3", "IN" };
	const char *const end[] = { PAYLOAD(callout), PAYLOAD(ud2), PAYLOAD(syscall), PAYLOAD(int3),
				    PAYLOAD(in) };
	const uint64_t vector[] = { CALLOUT, 6, SYSCALL, 3, 13 };
	const uint64_t pages[] = { TDM_BT_STACK_RSP0, TDM_BT_STACK_NMI, TDM_BT_STACK_DB,
				   TDM_BT_STACK_DF, TDM_BT_STACK_MC, TDM_BT_STATE + 0x1000,
				   TDM_BT_STI + 0x1000 };
	unsigned int i, p, junk;
	bool ok;

	for (i = 0; i < 5; i++) {
		ok = true;
		for (p = 0; p < 7; p++) {
			for (junk = 0; junk < 256; junk += 85) {
				prepare(PAYLOAD(fill), PT_CPL1);
				run.gpr[RDI] = info.slot + pages[p] - 0x1000;
				run.gpr[RCX] = 0x1000;
				run.gpr[RAX] = junk;
				run.gpr[RSI] = i & 1 ? info.slot + pages[p] : 0x8000000000000000ull >> p;
				run.gpr[RDX] = at(end[i], PT_CPL1);
				run.flags = p & 1 ? PT_NMI_SELF : 0;
				ok &= ends(vector[i], ANY, ANY);
			}
		}
		result(ok, "junk in all it can write, then %s with a wild stack", names[i]);
	}
}

/* Fill over a page's end, or over what is read-only: a fault there. */
static void overrun(void)
{
	prepare(PAYLOAD(fill), PT_CPL1);
	run.gpr[RDI] = info.slot + TDM_BT_STATE;
	run.gpr[RCX] = 0x1000000;
	result(ends(14, 2, info.slot + TDM_BT_PRIV), "fill from STATE on ends at PRIV");
	prepare(PAYLOAD(fill), PT_CPL1);
	run.gpr[RDI] = info.slot + TDM_BT_STACK_RSP0 - 0x1000;
	run.gpr[RCX] = 0x1000000;
	result(ends(14, 2, info.slot + TDM_BT_STACK_RSP0), "fill from STACK on ends at the hole");
}

/* Every byte of TEXT is an entry point for CPL 1. */
static void jump_everywhere(void)
{
	uint64_t i, n = 0, stuck = 0;

	for (i = 0; i < ((info.text + 0xfff) & ~0xfffull); i++) {
		prepare(PAYLOAD(jmp), PT_CPL1);
		run.gpr[RBX] = info.slot + TDM_BT_TEXT + i;
		run.gpr[RDI] = info.slot + TDM_BT_STATE;
		run.gpr[RSP] = PT_SSTACK - 0x800;
		/* MOV SS: see all_selectors(). */
		run.gpr[RAX] = is_tcg ? 0x1111 : 0;
		run.ms = 20;
		go();
		n++;
		stuck += run.vector == TIME_UP;
	}
	printf("# %llu jumps, %llu looped\n", (unsigned long long)n, (unsigned long long)stuck);
	result(true, "jumps to every byte of TEXT");
}

static const uint64_t wild[] = {
	0, 1, 7, 8, PT_SSTACK, PT_NOMAP, PT_UDATA + 8, 0x00007ffffffffff8, 0x0000800000000000,
	0x8000000000000000, 0xffff7fffffffffff, 0xffff800000000000, 0xffffffff81000000,
	0xfffffffffffffff8, 0xffffffffffffffff,
};

#define NWILD	(sizeof(wild) / sizeof(wild[0]))

static uint64_t wild_value(unsigned int i)
{
	static const uint64_t rel[] = { TDM_BT_STACK_RSP0, TDM_BT_STACK_RSP0 - 40, TDM_BT_STACK_NMI,
					TDM_BT_PRIV, TDM_BT_GDT, TDM_BT_INFO + 8 };

	if (i < NWILD)
		return wild[i];
	if (i < NWILD + 6)
		return info.slot + rel[i - NWILD];
	return info.addr[i - NWILD - 6];
}

static void wild_stacks(void)
{
	const struct {
		const char *name, *payload;
		int mode;
		uint64_t vector;
	} how[] = {
		{ "callout", PAYLOAD(callout), PT_CPL1, CALLOUT },
		{ "SYSCALL at CPL 1", PAYLOAD(syscall), PT_CPL1, SYSCALL },
		{ "INT3 at CPL 1", PAYLOAD(int3), PT_CPL1, 3 },
		{ "UD2 at CPL 1", PAYLOAD(ud2), PT_CPL1, 6 },
		{ "SYSCALL at CPL 3", PAYLOAD(syscall), PT_CPL3, SYSCALL },
		{ "INT3 at CPL 3", PAYLOAD(int3), PT_CPL3, 3 },
		{ "IN at CPL 3", PAYLOAD(in), PT_CPL3, 13 },
	};
	unsigned int i, w;
	bool ok;

	for (i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		ok = true;
		for (w = 0; w < NWILD + 6 + 20; w++) {
			prepare(how[i].payload, how[i].mode);
			run.gpr[RSP] = wild_value(w);
			run.flags = w & 1 ? PT_FULL : 0;
			if (!ends(how[i].vector, ANY, ANY) ||
			    (wild_value(w) && run.gpr[RSP] != wild_value(w)))
				ok = false;
		}
		result(ok, "%s with wild stacks", how[i].name);
	}
}

/* IRETQ and far returns to all selectors. */
static void wild_frames(void)
{
	unsigned int sel, kind, n = 0;

	for (kind = 0; kind < 4; kind++) {
		for (sel = 0; sel < 0x10000; sel += kind & 1 ? 61 : sel < 0x100 || sel > 0xff00 ? 1 : 97) {
			uint64_t *f;
			uint64_t where;

			prepare(kind < 2 ? PAYLOAD(iretq) : PAYLOAD(lretq), kind & 1 ? PT_CPL3 : PT_CPL1);
			/* The frame is in the code's second page: readable for both. */
			where = (kind & 1 ? PT_UCODE : PT_CODE) + 0x1000;
			f = (uint64_t *)(run.code + 0x1000);
			f[0] = at(PAYLOAD(ud2), sel & 3 ? PT_CPL3 : PT_CPL1);
			f[1] = sel;
			f[2] = 0x3ffffff;
			f[3] = PT_USTACK;
			f[4] = sel + 8;
			run.gpr[RSP] = where;
			run.ms = 50;
			go();
			n++;
			if ((run.sel[CS] & 3) != 1 && (run.sel[CS] & 3) != 3) {
				result(false, "selector %x: ended at CPL %d", sel, run.sel[CS] & 3);
				return;
			}
		}
	}
	printf("# %u frames\n", n);
	result(true, "IRETQ and far returns to wild selectors");
}

/* The monitor's own IRETQ: frames no engine should make. */
static void bad_frames(void)
{
	bool ok = true;
	int w;

	for (w = 8; w < 11; w++) {
		prepare(PAYLOAD(callout), PT_CPL1);
		run.rip = wild[w];
		ok &= ends(13, 0, ANY) && run.rip == wild[w];
		prepare(PAYLOAD(callout), PT_CPL3);
		run.rip = wild[w];
		ok &= ends(13, 0, ANY) && run.rip == wild[w];
	}
	result(ok, "a non-canonical RIP given to the entry is #GP there");
	prepare(PAYLOAD(callout), PT_CPL1);
	result(ends(CALLOUT, 0, ANY), "and the next entry works");
}

static void all_selectors(void)
{
	const struct {
		const char *name, *payload;
	} how[] = {
		{ "DS", PAYLOAD(ldds) }, { "ES", PAYLOAD(ldes) }, { "FS", PAYLOAD(ldfs) },
		{ "GS", PAYLOAD(ldgs) }, { "SS", PAYLOAD(ldss) }, { "LAR", PAYLOAD(lar) },
	};
	unsigned int sel, i, mode;

	for (i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		unsigned int loads = 0;

		for (mode = PT_CPL1; mode <= PT_CPL3; mode++)
			for (sel = 0; sel < 0x10000; sel += sel < 0x200 || sel > 0xff00 ? 1 : 113) {
				/* QEMU's emulator: a null SS makes CPL 0 of CPL 1. */
				if (is_tcg && i == 4 && sel < 4)
					continue;
				prepare(how[i].payload, mode);
				run.gpr[RBX] = sel;
				go();
				if (run.vector != 13 || !run.error)
					loads++;
			}
		printf("# %u went through\n", loads);
		result(true, "%s with all selectors", how[i].name);
	}
}

/* Breakpoints everywhere in the slot, and at what runs: none may fire at CPL 0. */
static void breakpoints(void)
{
	static const uint64_t where[] = { TDM_BT_STACK_RSP0 - 8, TDM_BT_STACK_NMI - 8, TDM_BT_TEXT + 0x1000,
					  TDM_BT_INFO, TDM_BT_INFO + 8, TDM_BT_STATE, TDM_BT_GDT + 0xff80,
					  TDM_BT_TSS + 4, TDM_BT_IDT + 0x180, TDM_BT_PRIV };
	unsigned int i, rw;
	bool ok = true;

	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		for (rw = 0; rw < 4; rw++) {
			prepare(PAYLOAD(basic), PT_CPL1);
			run.dr[0] = info.slot + where[i];
			run.dr[1] = info.slot - 4;
			run.dr[2] = info.slot + (where[i] & ~7ull);
			run.dr[3] = info.addr[i];
			run.dr[4] = 0xff | (rw | 0xc) << 16 | (rw | 0xc) << 20 | (rw | 8) << 24 |
				    (uint64_t)(rw | 0xc) << 28;
			run.flags = PT_NMI_SELF | PT_FAULTS;
			ok &= ends(CALLOUT, 0, ANY);
		}
	}
	result(ok, "breakpoints on the slot and on host data never fire");

	prepare(PAYLOAD(basic), PT_CPL1);
	run.dr[0] = PT_SDATA + 8;
	run.dr[4] = 0x000d0003;
	/* Bits of breakpoints that are off mean nothing. */
	ok = ends(1, 0, ANY) && (run.cr2 & 1);
	result(ok, "a breakpoint on the guest's data fires");
	if (!ok)
		show();
	prepare(PAYLOAD(basic), PT_CPL1);
	result(ends(CALLOUT, 0, ANY), "and is gone in the next run");
}

/* #DB held back by MOV SS hits CPL 0's first instruction. */
static void mov_ss(void)
{
	const struct {
		const char *name, *payload;
		uint64_t vector;
	} how[] = {
		{ "SYSCALL", PAYLOAD(movss_syscall), SYSCALL },
		{ "INT 0x18", PAYLOAD(movss_int), CALLOUT },
		{ "INT3", PAYLOAD(movss_int3), 3 },
	};
	unsigned int i, mode;

	for (i = 0; i < 3; i++) {
		for (mode = PT_CPL1; mode <= PT_CPL3; mode++) {
			uint64_t want = mode == PT_CPL3 && i == 1 ? 13 : how[i].vector;

			prepare(how[i].payload, mode);
			run.gpr[RBX] = (mode == PT_CPL1 ? PT_CODE : PT_UCODE) + 0x1000;
			*(uint16_t *)(run.code + 0x1000) = mode == PT_CPL1 ? TDM_BT_SEL_D1 : 0x2b;
			run.dr[0] = run.gpr[RBX];
			run.dr[4] = 0x00070003;	/* 2 bytes, read or write */
			go();
			printf("# vector %llx\n", run.vector);
			result(run.vector == want || run.vector == 1,
			       "breakpoint, MOV SS, %s at CPL %d", how[i].name,
			       mode == PT_CPL1 ? 1 : 3);
		}
	}
}

/* ---- host events ---- */

static void spin(const char *name, const char *payload, int mode, uint32_t flags, int ms, bool nmis)
{
	bool ok;

	prepare(payload, mode);
	run.ms = ms;
	run.flags = flags;
	run.repeat = ~0u;
	ok = ends(TIME_UP, ANY, ANY) && run.host_events && run.data[mode == PT_CPL1 ? 0 : 2];
	ok &= !nmis || run.nmis;
	printf("# %llu host events, %llu NMIs, %llu callouts, %llu turns\n", run.host_events,
	       run.nmis, run.callouts, run.data[mode == PT_CPL1 ? 0 : 2]);
	result(ok, "%s", name);
}

static void events(void)
{
	int ms = 400;

	spin("host interrupts, CPL 1", PAYLOAD(spin), PT_CPL1, 0, ms, false);
	spin("host interrupts, CPL 3", PAYLOAD(spin), PT_CPL3, 0, ms, false);
	spin("host interrupts, callouts", PAYLOAD(spin_syscall), PT_CPL1, 0, ms, false);
	spin("host interrupts, full exits", PAYLOAD(spin_syscall), PT_CPL1, PT_FULL, ms, false);
	spin("an NMI at each entry", PAYLOAD(spin_syscall), PT_CPL1, PT_NMI_SELF, ms, true);
	spin("an NMI at each entry, full exits", PAYLOAD(spin_syscall), PT_CPL1, PT_NMI_SELF | PT_FULL,
	     ms, true);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("ok %d NMI storm # SKIP one CPU\n", ++count);
		return;
	}
	spin("NMI storm, CPL 1", PAYLOAD(spin), PT_CPL1, PT_NMI_OTHERS, ms * 3, true);
	spin("NMI storm, CPL 3", PAYLOAD(spin), PT_CPL3, PT_NMI_OTHERS, ms * 3, true);
	spin("NMI storm, callouts", PAYLOAD(spin_syscall), PT_CPL1, PT_NMI_OTHERS, ms * 5, true);
	spin("NMI storm, callouts, host faults", PAYLOAD(spin_syscall), PT_CPL1, PT_NMI_OTHERS | PT_FAULTS,
	     ms * 5, true);
	spin("NMI storm, full exits", PAYLOAD(spin_syscall), PT_CPL1, PT_NMI_OTHERS | PT_FULL, ms * 5, true);
}

static void faults(void)
{
	prepare(PAYLOAD(calls), PT_CPL1);
	run.repeat = 100;
	run.flags = PT_FAULTS;
	result(ends(CALLOUT, 0, ANY) && run.callouts == 100, "host code faults in monitor state and is fixed up");
}

/* ---- what it costs ---- */

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (uint64_t)hi << 32;
}

/* In the lab's counting mode a tick is an instruction. */
static void cost(void)
{
	const int turns = 100000;
	uint64_t t, base;
	int full;

	for (full = 0; full < 2; full++) {
		prepare(PAYLOAD(calls), PT_CPL1);
		run.flags = full ? PT_FULL : 0;
		base = rdtsc();
		go();
		t = rdtsc();
		base = t - base;
		prepare(PAYLOAD(calls), PT_CPL1);
		run.flags = full ? PT_FULL : 0;
		run.repeat = turns;
		run.ms = 1000000;
		go();
		t = rdtsc() - t - base;
		printf("# %s exit, all of its round: %llu.%02llu ticks; around tdm_bt_run(): %llu; %llu host events\n",
		       full ? "full" : "light", (unsigned long long)t / turns,
		       (unsigned long long)t * 100 / turns % 100, run.ticks, run.host_events);
	}
}

static void look_at_cpu(void)
{
	char line[256];
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		is_intel |= !!strstr(line, "GenuineIntel");
	if (f)
		fclose(f);
}

static void bind(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	is_tcg = argc > 1 && !strcmp(argv[1], "tcg");
	bind();
	look_at_cpu();
	fd = open(FILE_NAME, O_RDWR);
	if (fd < 0 || ioctl(fd, TDM_BT_TEST_INFO, &info)) {
		printf("Bail out! %s: %s: is this a module built with TDM_BT_TEST=1?\n", FILE_NAME,
		       strerror(errno));
		return 1;
	}
	if (argc > 1 && !strcmp(argv[1], "cost")) {
		cost();
		return 0;
	}
	printf("KTAP version 1\n");
	printf("# slot %llx, %llu bytes of text, CR4 %llx\n", info.slot, info.text, info.cr4);
	basics();
	registers();
	slot_access();
	host_access();
	no_secrets();
	faults();
	bad_frames();
	scribble();
	overrun();
	wild_stacks();
	wild_frames();
	all_selectors();
	breakpoints();
	mov_ss();
	events();
	jump_everywhere();
	printf("1..%d\n", count);
	return failed != 0;
}
