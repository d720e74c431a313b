// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid.c - CPUID agrees with itself and with what the processor does.
 *
 * SDM vol. 2, CPUID. The values differ between a machine and a guest by
 * design (a monitor hides features), so checks are about consistency: what is
 * claimed works, what is not claimed faults where that can be enforced, sizes
 * and identifiers match the registers they describe.
 */
#include "lib.h"

const char guest_name[] = "cpuid";

static void basics(void)
{
	struct exec x;
	struct snip s;
	struct cpuid c = cpuid(0, 0), d;
	u32 max = c.eax;

	info("max leaf %x, vendor %x %x %x, hypervisor bit %d", max, c.ebx,
	     c.edx, c.ecx, cpu_has(1, 0, R_ECX, 31));
	info("1: %x %x %x %x", cpuid(1, 0).eax, cpuid(1, 0).ebx, cpuid(1, 0).ecx,
	     cpuid(1, 0).edx);
	info("7: %x %x %x", cpuid(7, 0).ebx, cpuid(7, 0).ecx, cpuid(7, 0).edx);
	info("80000001: %x %x", cpuid(0x80000001, 0).ecx,
	     cpuid(0x80000001, 0).edx);
	check(max >= 0xd, "leaf.max", "at least d: %d", max >= 0xd);
	d = cpuid(0x80000000, 0);
	check(d.eax >= 0x80000008 && d.eax < 0x80001000, "leaf.ext_max",
	      "at least 80000008: %d", d.eax >= 0x80000008);
	/* Beyond the last basic leaf an Intel CPU repeats that one. */
	c = cpuid(max, 0);
	d = cpuid(max + 1, 0);
	check(!memcmp(&c, &d, sizeof(c)), "leaf.beyond_max", "repeats the last");
	c = cpuid(max, 1);
	d = cpuid(max + 0x100, 1);
	check(!memcmp(&c, &d, sizeof(c)), "leaf.beyond_max_sub",
	      "repeats the last");

	s = SNIP("mov $-1, %rax; mov %rax, %rcx; mov %rax, %rdx; mov %rax, %rbx; mov $1, %al; shl $32, %rax; inc %rax; stc",
		 "cpuid", "");
	exec_init(&x, &s);
	exec64(&x);
	check(!(x.rax >> 32) && !(x.rbx >> 32) && !(x.rcx >> 32) &&
	      !(x.rdx >> 32) && (x.rflags & FL_CF), "leaf.upper_halves",
	      "cleared, flags kept");
	check_eq("leaf.eax_only", x.rax, cpuid(1, 0).eax);
	s = SNIP("mov $1, %eax", "cpuid", "");
	exec_user(&x, &s);
	exec64(&x);
	check_eq("leaf.user", x.rax, cpuid(1, 0).eax);
	s = SNIP32("mov $1, %eax", "cpuid", "");
	exec_user32(&x, &s);
	exec64(&x);
	check_eq("leaf.compat", x.rax, cpuid(1, 0).eax);
	s = SNIP16("mov $1, %eax", "cpuid", "");
	exec_init_real(&x, &s);
	exec_legacy(&x);
	check_eq("leaf.real", x.rax, cpuid(1, 0).eax);
	/* Bit ID of RFLAGS can be toggled. */
	s = SNIP("pushfq; xorq $0x200000, (%rsp); popfq; pushfq; pop %rax",
		 "nop", "");
	exec_init(&x, &s);
	exec64(&x);
	check_eq("flag.id", x.rax & FL_ID, FL_ID);
}

/* A claimed instruction must run. */
static void claimed(const char *name, bool offered, struct snip s,
		    bool must_ud)
{
	struct exec x;
	u8 *page = alloc_pages(1);

	if (!offered && !must_ud) {
		skip(name, "not offered");
		return;
	}
	exec_init(&x, &s);
	x.rbx = (u64)page;
	x.rdi = (u64)page;
	exec64(&x);
	if (offered)
		check(x.vec == VEC_DONE, name, "runs");
	else if (x.vec == EXC_UD)
		skip(name, "not offered, and #UD as it should be");
	else
		check(false, name, "not offered, yet vector %lx", x.vec);
}

static void features(void)
{
	u64 cr4 = read_cr4();
	bool xsave = HAS_XSAVE;
	bool avx;

	write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT |
		  (xsave ? CR4_OSXSAVE : 0));
	avx = xsave && HAS_AVX && (cpuid(0xd, 0).eax & 4);
	if (xsave)
		xsetbv(0, avx ? 7 : 3);

#define LEAF1C(bit) cpu_has(1, 0, R_ECX, bit)
#define LEAF1D(bit) cpu_has(1, 0, R_EDX, bit)
#define LEAF7B(bit) cpu_has(7, 0, R_EBX, bit)
#define EXTC(bit) cpu_has(0x80000001, 0, R_ECX, bit)
#define EXTD(bit) cpu_has(0x80000001, 0, R_EDX, bit)
	claimed("has.fpu", LEAF1D(0), SNIP("", "fninit; fld1", "fninit"), 0);
	claimed("has.tsc", LEAF1D(4), SNIP("", "rdtsc", ""), 0);
	claimed("has.cx8", LEAF1D(8), SNIP("", "lock cmpxchg8b (%rdi)", ""), 0);
	claimed("has.cmov", LEAF1D(15), SNIP("", "cmovz %eax, %ecx", ""), 0);
	claimed("has.clflush", LEAF1D(19), SNIP("", "clflush (%rdi)", ""), 0);
	claimed("has.mmx", LEAF1D(23), SNIP("", "pxor %mm0, %mm0", "emms"), 0);
	claimed("has.fxsr", LEAF1D(24), SNIP("", "fxsave (%rdi)", ""), 0);
	claimed("has.sse", LEAF1D(25), SNIP("", "xorps %xmm0, %xmm0", ""), 0);
	claimed("has.sse2", LEAF1D(26), SNIP("", "pxor %xmm0, %xmm0", ""), 0);
	claimed("has.sse3", LEAF1C(0), SNIP("", "lddqu (%rdi), %xmm0", ""), 0);
	claimed("has.pclmul", LEAF1C(1), SNIP("", "pclmulqdq $0, %xmm0, %xmm1",
					      ""), 0);
	claimed("has.monitor", LEAF1C(3), SNIP("mov %rdi, %rax; xor %ecx, %ecx; xor %edx, %edx",
					       "monitor", ""), 1);
	claimed("has.ssse3", LEAF1C(9), SNIP("", "pabsb %xmm0, %xmm1", ""), 0);
	claimed("has.fma", avx && LEAF1C(12),
		SNIP("", "vfmadd132ps %xmm0, %xmm1, %xmm2", ""), 0);
	claimed("has.cx16", LEAF1C(13), SNIP("", "lock cmpxchg16b (%rdi)", ""),
		0);
	claimed("has.sse41", LEAF1C(19), SNIP("", "pminsb %xmm0, %xmm1", ""), 0);
	claimed("has.sse42", LEAF1C(20), SNIP("", "pcmpgtq %xmm0, %xmm1", ""),
		0);
	claimed("has.movbe", LEAF1C(22), SNIP("", "movbe (%rdi), %eax", ""), 0);
	claimed("has.popcnt", LEAF1C(23), SNIP("", "popcnt %eax, %eax", ""), 0);
	claimed("has.aes", LEAF1C(25), SNIP("", "aesenc %xmm0, %xmm1", ""), 0);
	claimed("has.xsave", xsave, SNIP("xor %ecx, %ecx", "xgetbv", ""), 1);
	claimed("has.avx", avx, SNIP("", "vpxor %xmm0, %xmm0, %xmm0", ""), 0);
	claimed("has.f16c", avx && LEAF1C(29),
		SNIP("", "vcvtph2ps %xmm0, %xmm1", ""), 0);
	claimed("has.rdrand", LEAF1C(30), SNIP("", "rdrand %eax", ""), 0);
	claimed("has.bmi1", LEAF7B(3), SNIP("", "andn %eax, %ecx, %edx", ""), 0);
	claimed("has.avx2", avx && LEAF7B(5),
		SNIP("", "vpxor %ymm0, %ymm0, %ymm0", ""), 0);
	claimed("has.bmi2", LEAF7B(8), SNIP("", "pdep %eax, %ecx, %edx", ""), 0);
	claimed("has.invpcid", HAS_INVPCID,
		SNIP("mov $2, %eax", "invpcid (%rdi), %rax", ""), 1);
	claimed("has.rdseed", LEAF7B(18), SNIP("", "rdseed %eax", ""), 0);
	claimed("has.adx", LEAF7B(19), SNIP("", "adcx %eax, %ecx", ""), 0);
	claimed("has.clflushopt", LEAF7B(23), SNIP("", "clflushopt (%rdi)", ""),
		0);
	claimed("has.sha", LEAF7B(29), SNIP("", "sha1msg1 %xmm0, %xmm1", ""), 0);
	claimed("has.rdpid", cpu_has(7, 0, R_ECX, 22),
		SNIP("", ".byte 0xf3, 0x0f, 0xc7, 0xf8", ""), 1);
	claimed("has.lahf", EXTC(0), SNIP("", "lahf; sahf", ""), 0);
	claimed("has.lzcnt", EXTC(5), SNIP("", "lzcnt %eax, %eax", ""), 0);
	claimed("has.prefetchw", EXTC(8), SNIP("", "prefetchw (%rdi)", ""), 0);
	claimed("has.rdtscp", HAS_RDTSCP, SNIP("", "rdtscp", ""), 1);
	claimed("has.xsaveopt", xsave && cpu_has(0xd, 1, R_EAX, 0),
		SNIP("mov $3, %eax; xor %edx, %edx", "xsaveopt (%rdi)", ""), 0);
	claimed("has.xsavec", xsave && cpu_has(0xd, 1, R_EAX, 1),
		SNIP("mov $3, %eax; xor %edx, %edx", "xsavec (%rdi)", ""), 0);
	claimed("has.xgetbv1", xsave && cpu_has(0xd, 1, R_EAX, 2),
		SNIP("mov $1, %ecx", "xgetbv", ""), 0);
	claimed("has.xsaves", xsave && cpu_has(0xd, 1, R_EAX, 3),
		SNIP("mov $3, %eax; xor %edx, %edx", "xsaves (%rdi)", ""), 1);
	write_cr4(cr4);
}

/* A CR4 bit can be set if and only if its feature is offered. */
static void cr4_bits(void)
{
	struct exec x;
	struct snip s;
	u64 cr4 = read_cr4();
	static const struct {
		const char *name;
		u64 bit;
		u32 leaf;
		int reg, shift;
	} bits[] = {
		{ "cr4.vme", CR4_VME, 1, R_EDX, 1 },
		{ "cr4.de", CR4_DE, 1, R_EDX, 2 },
		{ "cr4.pse", CR4_PSE, 1, R_EDX, 3 },
		{ "cr4.mce", CR4_MCE, 1, R_EDX, 7 },
		{ "cr4.pge", CR4_PGE, 1, R_EDX, 13 },
		{ "cr4.umip", CR4_UMIP, 7, R_ECX, 2 },
		{ "cr4.vmxe", CR4_VMXE, 1, R_ECX, 5 },
		{ "cr4.smxe", BIT(14), 1, R_ECX, 6 },
		{ "cr4.fsgsbase", CR4_FSGSBASE, 7, R_EBX, 0 },
		{ "cr4.pcide", CR4_PCIDE, 1, R_ECX, 17 },
		{ "cr4.osxsave", CR4_OSXSAVE, 1, R_ECX, 26 },
		{ "cr4.smep", CR4_SMEP, 7, R_EBX, 7 },
		{ "cr4.smap", CR4_SMAP, 7, R_EBX, 20 },
		{ "cr4.pke", CR4_PKE, 7, R_ECX, 3 },
		{ "cr4.cet", BIT(23), 7, R_ECX, 7 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		bool offered = cpu_has(bits[i].leaf, 0, bits[i].reg,
				       bits[i].shift);

		s = SNIP("", "mov %rax, %cr4", "mov %cr4, %rbx");
		exec_init(&x, &s);
		x.rax = cr4 | bits[i].bit;
		exec64(&x);
		write_cr4(cr4);
		if (offered)
			check(x.vec == VEC_DONE && x.rbx == (cr4 | bits[i].bit),
			      bits[i].name, "vec %lx", x.vec);
		else if (x.vec == EXC_GP)
			skip(bits[i].name, "not offered, and #GP as it should be");
		else
			check(false, bits[i].name, "not offered, yet vec %lx",
			      x.vec);
	}
}

static void xsave(void)
{
	struct exec x;
	struct snip s;
	u64 cr4 = read_cr4();
	struct cpuid c;
	u32 supported;

	check_eq("osxsave.clear", cpu_has(1, 0, R_ECX, 27), 0);
	if (!HAS_XSAVE) {
		skip("xsave", "cpuid.1:ecx.xsave not offered");
		return;
	}
	expect_fault("xgetbv.osxsave0", SNIP("xor %ecx, %ecx", "xgetbv", ""),
		     EXC_UD, NO_ERR);
	write_cr4(cr4 | CR4_OSXSAVE | CR4_OSFXSR);
	check_eq("osxsave.set", cpu_has(1, 0, R_ECX, 27), 1);
	c = cpuid(0xd, 0);
	supported = c.eax;
	info("xcr0 supported %x, size %u of %u", supported, c.ebx, c.ecx);
	check((supported & 3) == 3 && !c.edx, "xcr0.supported", "x87 and sse");
	xsetbv(0, 1);
	check_eq("xcr0.size_1", cpuid(0xd, 0).ebx, 576);
	xsetbv(0, 3);
	check_eq("xcr0.size_3", cpuid(0xd, 0).ebx, 576);
	if (supported & 4) {
		xsetbv(0, 7);
		check_eq("xcr0.size_7", cpuid(0xd, 0).ebx, 832);
		c = cpuid(0xd, 2);
		check(c.eax == 256 && c.ebx == 576, "xcr0.avx_component",
		      "%u at %u", c.eax, c.ebx);
	} else {
		skip("xcr0.size_7", "avx state not offered");
	}
	check_eq("xgetbv.readback", xgetbv(0), supported & 4 ? 7 : 3);
	/* The largest size belongs to everything supported. */
	xsetbv(0, supported);
	c = cpuid(0xd, 0);
	check(c.ebx == c.ecx, "xcr0.size_all", "equal");
	check_eq("xgetbv.all", xgetbv(0), supported);
	/* XSAVE writes that much and no more. */
	{
		u8 *area = alloc_pages(2);

		memset(area, 0xee, 2 * PAGE_SIZE);
		memset(area + 512, 0, 64);
		s = SNIP("mov $-1, %eax; mov $-1, %edx", "xsave (%rdi)", "");
		exec_init(&x, &s);
		x.rdi = (u64)area;
		exec64(&x);
		check_done("xsave.run", &x, &s);
		check(area[c.ebx] == 0xee && area[c.ebx + 63] == 0xee,
		      "xsave.size", "nothing behind it");
		check_eq("xsave.xcomp_bv", *(u64 *)(area + 520), 0);
	}
	xsetbv(0, 3);

#define XSETBV_GP(name, reg, value) do {				\
	s = SNIP("mov %rsi, %rdx; shr $32, %rdx; mov %esi, %eax; mov %edi, %ecx", \
		 "xsetbv", "");						\
	exec_init(&x, &s);						\
	x.rsi = value;							\
	x.rdi = reg;							\
	exec64(&x);							\
	check_exc("xsetbv." name, &x, &s, EXC_GP, 0, s.at);		\
} while (0)
	XSETBV_GP("zero", 0, 0);
	XSETBV_GP("no_x87", 0, 2);
	XSETBV_GP("avx_without_sse", 0, 5);
	XSETBV_GP("bit63", 0, 3 | BIT(63));
	XSETBV_GP("bit62", 0, 3 | BIT(62));
	XSETBV_GP("xcr1", 1, 3);
	check_eq("xsetbv.unchanged", xgetbv(0), 3);
	expect_fault("xgetbv.xcr2", SNIP("mov $2, %ecx", "xgetbv", ""), EXC_GP,
		     0);
	expect_user_fault("xsetbv.user", SNIP("xor %ecx, %ecx; xor %edx, %edx; mov $3, %eax",
					      "xsetbv", ""), EXC_GP, 0);
	expect_user_done("xgetbv.user", SNIP("xor %ecx, %ecx", "xgetbv", ""));
	xsetbv(0, 1);
	write_cr4(cr4);
}

static void identity(void)
{
	volatile u32 *apic_id = (u32 *)0xfee00020ul;
	struct cpuid c;
	u32 i;

	check_eq("apic_id.leaf1", cpuid(1, 0).ebx >> 24, *apic_id >> 24);
	if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx)
		check_eq("apic_id.leaf_b", cpuid(0xb, 0).edx, *apic_id >> 24);
	else
		skip("apic_id.leaf_b", "no topology leaf");
	/* The topology leaf ends with type 0 and echoes ECX. */
	if (cpuid(0, 0).eax >= 0xb) {
		for (i = 0; i < 8; i++) {
			c = cpuid(0xb, i);
			if (!(c.ecx >> 8 & 0xff))
				break;
		}
		check(i < 8 && (c.ecx & 0xff) == i, "topology.ends",
		      "echoes its index");
	}
	/* Leaf 4 ends. */
	for (i = 0; i < 16; i++)
		if (!(cpuid(4, i).eax & 0x1f))
			break;
	check(i < 16, "cache.ends", "with type 0");
	check_eq("brand.max", cpuid(0x80000000, 0).eax >= 0x80000004, 1);
	check_eq("virt_bits", cpuid(0x80000008, 0).eax >> 8 & 0xff,
		 HAS_LA57 ? 57 : 48);

	/* CPUID.APIC follows the enable bit of the base MSR. */
	{
		u64 base = rdmsr(MSR_APIC_BASE);

		check_eq("apic.bsp_enabled", base & 0xd00, 0x900);
		check_eq("apic.cpuid", cpu_has(1, 0, R_EDX, 9), 1);
	}
}

/* Widths and features that page tables show. */
static void paging(void)
{
	struct exec x;
	struct snip s;
	u8 *page = alloc_pages(1);
	u64 old = boot_pdpt[2];

	s = SNIP("", "mov (%rbx), %eax", "");
	if (phys_bits() < 52) {
		window_map(0, (u64)page, PT_P | BIT(phys_bits()));
		exec_init(&x, &s);
		x.rbx = window_addr(0);
		exec64(&x);
		check_exc("maxphyaddr.reserved", &x, &s, EXC_PF, PF_P | PF_RSVD,
			  s.at);
	} else {
		skip("maxphyaddr.reserved", "52 bits");
	}
	window_map(0, 0, 0);
	info("maxphyaddr %lu", phys_bits());

	/* 1 GiB pages: work when offered, reserved when not. */
	boot_pdpt[2] = PT_P | PT_W | PT_PS;
	write_cr3(read_cr3());
	exec_init(&x, &s);
	x.rbx = WINDOW + (u64)page;
	*(u32 *)page = 0x600d;
	exec64(&x);
	boot_pdpt[2] = old;
	write_cr3(read_cr3());
	if (HAS_1G)
		check(x.vec == VEC_DONE && x.rax == 0x600d, "page_1g",
		      "vec %lx %lx", x.vec, x.rax);
	else if (x.vec == EXC_PF && x.err == (PF_P | PF_RSVD))
		skip("page_1g", "not offered, and reserved as it should be");
	else
		check(false, "page_1g", "not offered, yet vec %lx err %lx",
		      x.vec, x.err);

	/* NX without EFER.NXE is a reserved bit. */
	window_map(0, (u64)page, PT_P | PT_NX);
	exec_init(&x, &s);
	x.rbx = window_addr(0);
	exec64(&x);
	check_exc("nx.reserved_without_nxe", &x, &s, EXC_PF, PF_P | PF_RSVD,
		  s.at);
	window_map(0, 0, 0);
}

void guest_main(void)
{
	basics();
	features();
	cr4_bits();
	xsave();
	identity();
	paging();
}
