// SPDX-License-Identifier: GPL-2.0-only
/*
 * fpu.c - x87, SSE and AVX state belongs to the guest: kept over everything
 * that leaves it and comes back.
 *
 * The registers are filled, then things happen that a monitor handles (port
 * I/O, CPUID, MSRs, MMIO, interrupts, HLT), then the registers are compared.
 * SDM vol. 1, "Managing State Using the XSAVE Feature Set".
 */
#include "irq.h"

const char guest_name[] = "fpu";

#define VEC 0x51

static u8 *before, *after;
static bool have_avx;

static void fill(u64 seed)
{
	u64 lane[4] = { seed, ~seed, seed * 3, seed ^ 0x5555 };

#define XMM(n) asm volatile("movdqu %0, %%xmm" #n : : "m"(lane))
#define NEXT() (lane[0] += 0x0101010101010101, lane[2]++)
	XMM(0); NEXT(); XMM(1); NEXT(); XMM(2); NEXT(); XMM(3); NEXT();
	XMM(4); NEXT(); XMM(5); NEXT(); XMM(6); NEXT(); XMM(7); NEXT();
	XMM(8); NEXT(); XMM(9); NEXT(); XMM(10); NEXT(); XMM(11); NEXT();
	XMM(12); NEXT(); XMM(13); NEXT(); XMM(14); NEXT(); XMM(15);
	if (have_avx) {
		asm volatile("vmovdqu %0, %%ymm0" : : "m"(lane));
		NEXT();
		asm volatile("vmovdqu %0, %%ymm7" : : "m"(lane));
		NEXT();
		asm volatile("vmovdqu %0, %%ymm15" : : "m"(lane));
	}
	asm volatile("fninit; fldpi; fldl2e; fld1; fldln2");
}

static void save(u8 *area)
{
	if (HAS_XSAVE)
		asm volatile("xsave64 (%0)" : : "r"(area), "a"(7), "d"(0) :
			     "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static bool same(void)
{
	u32 size = HAS_XSAVE ? cpuid(0xd, 0).ebx : 512;

	/* The bytes that software may use are not written. */
	return !memcmp(before, after, 464) &&
	       !memcmp(before + 512, after + 512, size - 512);
}

static int nmi_like;

static bool clobber_hook(struct frame *f)
{
	nmi_like++;
	apic_write(APIC_EOI, 0);
	return true;
}

#define KEPT(name, what) do {						\
	fill(0x1122334455667788 + __LINE__);				\
	save(before);							\
	what;								\
	save(after);							\
	check(same(), "kept." name, "registers");			\
} while (0)

static void kept(void)
{
	int i;

	exc_set_hook(VEC, clobber_hook);
	KEPT("nothing", barrier());
	KEPT("cpuid", for (i = 0; i < 50; i++) cpuid(i & 7, 0));
	KEPT("out", for (i = 0; i < 200; i++) outb(0x80, i));
	KEPT("out_unclaimed", for (i = 0; i < 50; i++) outb(0x1f3c, i));
	KEPT("in", for (i = 0; i < 50; i++) inb(0x21));
	KEPT("rdmsr", for (i = 0; i < 50; i++) rdmsr(MSR_APIC_BASE));
	KEPT("wrmsr", for (i = 0; i < 50; i++) wrmsr(MSR_PAT, rdmsr(MSR_PAT)));
	KEPT("mmio", for (i = 0; i < 50; i++) apic_read(APIC_VERSION));
	KEPT("mov_cr3", for (i = 0; i < 50; i++) write_cr3(read_cr3()));
	KEPT("mov_cr0", for (i = 0; i < 20; i++) write_cr0(read_cr0()));
	KEPT("wbinvd", asm volatile("wbinvd"));
	KEPT("interrupts", for (i = 0; i < 50; i++) {
		apic_icr(0, ICR_SELF | VEC);
		sti_nop_cli();
	});
	check_eq("kept.interrupts.count", nmi_like, 50);
	KEPT("hlt", for (i = 0; i < 5; i++) {
		apic_write(APIC_LVT_TIMER, VEC);
		apic_write(APIC_TIMER_INIT, 20000);
		sti_hlt();
	});
	KEPT("time", let_pass(5000000));
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

static void control(void)
{
	u16 cw = 0x27f, got_cw;
	u32 mxcsr = 0x7f80, got;
	u64 d = 0;

	asm volatile("fninit; fldcw %0; ldmxcsr %1" : : "m"(cw), "m"(mxcsr));
	cpuid(0, 0);
	outb(0x1f3c, 0);
	asm volatile("fnstcw %0; stmxcsr %1" : "=m"(got_cw), "=m"(got));
	check(got_cw == cw && got == mxcsr, "control", "fcw %x mxcsr %x",
	      got_cw, got);
	asm volatile("fninit");
	mxcsr = 0x1f80;
	asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	/* A value computed before an exit and used after it: pi squared. */
	asm volatile("fldpi; fldpi; fmulp");
	outb(0x1f3c, 0);
	asm volatile("fstpl %0" : "=m"(d));
	check_eq("computed", d, 0x4023bd3cc9be45de);
}

static void xcr0(void)
{
	struct exec x;
	struct snip s;

	if (!HAS_XSAVE) {
		skip("xcr0", "cpuid.1:ecx.xsave not offered");
		return;
	}
	if (!have_avx) {
		skip("xcr0", "avx not offered");
		return;
	}
	/* AVX needs its bit in XCR0. */
	xsetbv(0, 3);
	expect_fault("xcr0.avx_off", SNIP("", "vpxor %xmm0, %xmm0, %xmm0", ""),
		     EXC_UD, NO_ERR);
	xsetbv(0, 7);
	expect_done("xcr0.avx_on", SNIP("", "vpxor %xmm0, %xmm0, %xmm0", ""));
	/* CR0.TS: #NM, also for AVX and XSAVE. */
	write_cr0(read_cr0() | CR0_TS);
	expect_fault("ts.avx", SNIP("", "vpxor %xmm0, %xmm0, %xmm0", ""), EXC_NM,
		     NO_ERR);
	expect_fault("ts.xsave", SNIP("mov $7, %eax; xor %edx, %edx; lea -1024(%rsp), %rdi; and $-64, %rdi",
				      "xsave (%rdi)", ""), EXC_NM, NO_ERR);
	write_cr0(read_cr0() & ~CR0_TS);
	/* XRSTOR: header bits that must be zero, reserved MXCSR bits. */
	s = SNIP("mov $7, %eax; xor %edx, %edx", "xrstor (%rdi)", "");
	save(before);
	memcpy(after, before, PAGE_SIZE);
	after[519] = 0x80;
	exec_init(&x, &s);
	x.rdi = (u64)after;
	exec64(&x);
	check_exc("xrstor.header", &x, &s, EXC_GP, 0, s.at);
	memcpy(after, before, PAGE_SIZE);
	after[512] |= 2;
	after[27] = 0xff;
	exec_init(&x, &s);
	x.rdi = (u64)after;
	exec64(&x);
	check_exc("xrstor.mxcsr", &x, &s, EXC_GP, 0, s.at);
	/* XCR0 is kept over exits. */
	cpuid(0, 0);
	outb(0x1f3c, 0);
	check_eq("xcr0.kept", xgetbv(0), 7);
}

void guest_main(void)
{
	before = alloc_pages(1);
	after = alloc_pages(1);
	pic_init();
	apic_enable();
	exc_set_hook(0xff, irq_hook_count);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT |
		  (HAS_XSAVE ? CR4_OSXSAVE : 0));
	have_avx = HAS_XSAVE && HAS_AVX && (cpuid(0xd, 0).eax & 4);
	if (HAS_XSAVE)
		xsetbv(0, have_avx ? 7 : 3);
	kept();
	control();
	xcr0();
}
