// SPDX-License-Identifier: GPL-2.0-only
/*
 * msrs.c - model-specific registers: what sticks, what faults, what they do.
 *
 * SDM vol. 4 and the sections it points to. A write of a reserved bit, an
 * impossible memory type or an address that is not canonical is #GP(0) and
 * changes nothing; so is any access to a register that does not exist.
 */
#include "lib.h"

const char guest_name[] = "msrs";

static struct exec x;
static struct snip s;

static void wr(u32 msr, u64 value)
{
	s = SNIP("", "wrmsr", "");
	exec_init(&x, &s);
	x.rcx = msr;
	x.rax = (u32)value;
	x.rdx = value >> 32;
	exec64(&x);
}

static void rd(u32 msr)
{
	s = SNIP("", "rdmsr", "");
	exec_init(&x, &s);
	x.rcx = msr;
	exec64(&x);
}

static void wr_gp(const char *name, u32 msr, u64 value)
{
	u64 old = rdmsr(msr);

	wr(msr, value);
	check_exc(name, &x, &s, EXC_GP, 0, s.at);
	if (rdmsr(msr) != old) {
		check(false, name, "changed");
		wrmsr(msr, old);
	}
}

static void wr_ok(const char *name, u32 msr, u64 value)
{
	u64 old = rdmsr(msr);

	wr(msr, value);
	if (x.vec != VEC_DONE) {
		check_done(name, &x, &s);
		return;
	}
	check_eq(name, rdmsr(msr), value);
	wrmsr(msr, old);
}

#define NONCANONICAL 0x0000800000000000ul
#define HIGH 0xffff800012345678ul

static void plain(void)
{
	static const struct {
		const char *name;
		u32 msr;
	} addresses[] = {
		{ "lstar", MSR_LSTAR },
		{ "cstar", MSR_CSTAR },
		{ "fs_base", MSR_FS_BASE },
		{ "gs_base", MSR_GS_BASE },
		{ "kernel_gs_base", MSR_KERNEL_GS_BASE },
		{ "sysenter_esp", MSR_SYSENTER_ESP },
		{ "sysenter_eip", MSR_SYSENTER_EIP },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(addresses); i++) {
		wr_ok(addresses[i].name, addresses[i].msr, HIGH);
		wr_ok(addresses[i].name, addresses[i].msr, 0x7fffffffffff);
		wr_gp(addresses[i].name, addresses[i].msr, NONCANONICAL);
		wr_gp(addresses[i].name, addresses[i].msr, BIT(63));
	}
	wr_ok("star", MSR_STAR, 0x1122334455667788);
	wr_ok("sfmask", MSR_SFMASK, 0x00047700);
	wr_gp("sfmask.upper", MSR_SFMASK, BIT(32));
	wr_ok("sysenter_cs", MSR_SYSENTER_CS, 0x10);
}

static void unknown(void)
{
	static const u32 none[] = {
		0x4f4f4f4f, 0x12345678, 0xc0000fff, 0xdeadbeef, 0x40001000,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		rd(none[i]);
		check_exc("unknown.rdmsr", &x, &s, EXC_GP, 0, s.at);
		wr(none[i], 0);
		check_exc("unknown.wrmsr", &x, &s, EXC_GP, 0, s.at);
	}
	/* ECX alone selects; the upper halves of the results are cleared. */
	s = SNIP("mov $-1, %rax; mov %rax, %rdx; mov $0x123, %ecx; shl $32, %rcx; or $0x277, %rcx",
		 "rdmsr", "");
	exec_init(&x, &s);
	exec64(&x);
	check(x.vec == VEC_DONE && !(x.rax >> 32) && !(x.rdx >> 32) &&
	      (x.rax | x.rdx << 32) == rdmsr(MSR_PAT), "rdmsr.ecx_only",
	      "%lx %lx", x.rax, x.rdx);
	/* So do the upper halves of the operands not count. */
	s = SNIP("mov $-1, %r8; shl $32, %r8; mov $0x277, %ecx; rdmsr; or %r8, %rax; or %r8, %rdx; or %r8, %rcx",
		 "wrmsr", "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("wrmsr.upper_ignored", &x, &s);
}

static void efer(void)
{
	u64 old = rdmsr(MSR_EFER);

	check_eq("efer.value", old, EFER_LME | EFER_LMA);
	wr_ok("efer.sce", MSR_EFER, old | EFER_SCE);
	if (HAS_NX)
		wr_ok("efer.nxe", MSR_EFER, old | EFER_NXE);
	else
		skip("efer.nxe", "cpuid.80000001:edx.nx not offered");
	wr_gp("efer.lme_with_paging", MSR_EFER, old & ~EFER_LME);
	wr_gp("efer.bit1", MSR_EFER, old | BIT(1));
	wr_gp("efer.bit9", MSR_EFER, old | BIT(9));
	wr_gp("efer.bit16", MSR_EFER, old | BIT(16));
	wr_gp("efer.bit32", MSR_EFER, old | BIT(32));
	wr_gp("efer.bit63", MSR_EFER, old | BIT(63));
	/* LMA is read-only: a write with another value is ignored. */
	wr(MSR_EFER, old & ~EFER_LMA);
	check(x.vec == VEC_DONE && rdmsr(MSR_EFER) == old, "efer.lma_ignored",
	      "vec %lx efer %lx", x.vec, rdmsr(MSR_EFER));
}

static void pat(void)
{
	if (!HAS_PAT) {
		skip("pat", "cpuid.1:edx.pat not offered");
		return;
	}
	wr_ok("pat.all_types", MSR_PAT, 0x0007060504010006);
	wr_gp("pat.type2", MSR_PAT, 0x0007040600070402);
	wr_gp("pat.type3", MSR_PAT, 0x0307040600070406);
	wr_gp("pat.type8", MSR_PAT, 0x0007040600080406);
	wr_gp("pat.upper_bits", MSR_PAT, 0x0007040600070446);
}

static void mtrr(void)
{
	u64 cap, mask = BIT(phys_bits()) - 1;
	u32 i;

	if (!HAS_MTRR) {
		skip("mtrr", "cpuid.1:edx.mtrr not offered");
		return;
	}
	cap = rdmsr(MSR_MTRRCAP);
	info("mtrrcap %lx deftype %lx", cap, rdmsr(MSR_MTRR_DEFTYPE));
	check((cap & 0xff) && (cap & 0xff) <= 32, "mtrr.count", "some");
	wr(MSR_MTRRCAP, cap);
	check_exc("mtrr.cap_read_only", &x, &s, EXC_GP, 0, s.at);
	for (i = 0; i < (cap & 0xff); i++) {
		rd(MSR_MTRR_PHYSBASE0 + 2 * i);
		if (x.vec != VEC_DONE)
			check(false, "mtrr.variable", "base %u: vec %lx", i,
			      x.vec);
	}
	rd(MSR_MTRR_PHYSBASE0 + 2 * (cap & 0xff));
	if ((cap & 0xff) < 10)
		check_exc("mtrr.beyond_count", &x, &s, EXC_GP, 0, s.at);
	else
		skip("mtrr.beyond_count", "ten or more variable ranges");
	wr_ok("mtrr.base", MSR_MTRR_PHYSBASE0, (0x12345678000 & mask) | 6);
	wr_ok("mtrr.mask", MSR_MTRR_PHYSMASK0, (mask & ~0xffful));
	wr_gp("mtrr.base_type", MSR_MTRR_PHYSBASE0, 0x1000 | 2);
	wr_gp("mtrr.base_reserved", MSR_MTRR_PHYSBASE0, 0x1000 | 0x100 | 6);
	wr_gp("mtrr.base_above", MSR_MTRR_PHYSBASE0, BIT(phys_bits()) | 6);
	wr_gp("mtrr.mask_reserved", MSR_MTRR_PHYSMASK0, 0x400);
	wr_gp("mtrr.mask_above", MSR_MTRR_PHYSMASK0, BIT(phys_bits()));
	wr_ok("mtrr.deftype", MSR_MTRR_DEFTYPE, 0xc06);
	wr_gp("mtrr.deftype_type", MSR_MTRR_DEFTYPE, 0xc02);
	wr_gp("mtrr.deftype_reserved", MSR_MTRR_DEFTYPE, 0xd06);
	if (cap & BIT(8)) {
		wr_ok("mtrr.fixed", MSR_MTRR_FIX64K, 0x0001040506060606);
		wr_gp("mtrr.fixed_type", MSR_MTRR_FIX64K, 0x0601040502060606);
		wr_ok("mtrr.fixed_4k", 0x26f, 0x0505050505050505);
	} else {
		skip("mtrr.fixed", "mtrrcap.fix not offered");
	}
}

static void apic_base(void)
{
	u64 old = rdmsr(MSR_APIC_BASE);

	check_eq("apic_base.value", old, 0xfee00900);
	wr_gp("apic_base.bit0", MSR_APIC_BASE, old | 1);
	wr_gp("apic_base.bit9", MSR_APIC_BASE, old | BIT(9));
	wr_gp("apic_base.above", MSR_APIC_BASE, old | BIT(phys_bits()));
	/* x2APIC without the enable bit is no state. */
	wr_gp("apic_base.extd_without_en", MSR_APIC_BASE,
	      (old & ~BIT(11)) | BIT(10));
	if (!HAS_X2APIC)
		wr_gp("apic_base.no_x2apic", MSR_APIC_BASE, old | BIT(10));
	/* x2APIC registers are not there in xAPIC mode. */
	rd(MSR_X2APIC + 2);
	check_exc("x2apic.id_in_xapic", &x, &s, EXC_GP, 0, s.at);
	wr(MSR_X2APIC + 0xb, 0);
	check_exc("x2apic.eoi_in_xapic", &x, &s, EXC_GP, 0, s.at);
}

static void tsc(void)
{
	u64 a, b;

	if (!HAS_TSC) {
		skip("tsc", "cpuid.1:edx.tsc not offered");
		return;
	}
	a = rdtsc();
	b = rdtsc();
	check(b > a, "tsc.advances", "yes");
	a = rdmsr(MSR_TSC);
	b = rdtsc();
	check(b > a && b - a < BIT(30), "tsc.msr_same_clock", "yes");
	wrmsr(MSR_TSC, 0x100000000000);
	a = rdtsc();
	check(a >= 0x100000000000 && a < 0x100000000000 + BIT(30),
	      "tsc.write", "near 0x100000000000");
	wrmsr(MSR_TSC, 0);
	check(rdtsc() < BIT(30), "tsc.write_zero", "near 0");

	if (HAS_TSC_ADJUST) {
		wrmsr(MSR_TSC_ADJUST, 0);
		b = rdtsc();
		wrmsr(MSR_TSC_ADJUST, BIT(40));
		a = rdtsc();
		check(a - b > BIT(40) && a - b < BIT(40) + BIT(30),
		      "tsc_adjust.moves_tsc", "by what was written");
		check_eq("tsc_adjust.read", rdmsr(MSR_TSC_ADJUST), BIT(40));
		/* A TSC write shows in TSC_ADJUST as the same difference. */
		a = rdtsc();
		wrmsr(MSR_TSC, a + BIT(41));
		a = rdmsr(MSR_TSC_ADJUST);
		check(a >= BIT(40) + BIT(41) - BIT(30) &&
		      a <= BIT(40) + BIT(41) + BIT(30), "tsc_adjust.by_tsc",
		      "follows");
		wrmsr(MSR_TSC_ADJUST, 0);
	} else {
		skip("tsc_adjust", "cpuid.7:ebx.tsc_adjust not offered");
	}

	/* CR4.TSD keeps RDTSC from CPL 3 only. */
	write_cr4(read_cr4() | CR4_TSD);
	expect_user_fault("tsd.user", SNIP("", "rdtsc", ""), EXC_GP, 0);
	expect_done("tsd.kernel", SNIP("", "rdtsc", ""));
	write_cr4(read_cr4() & ~CR4_TSD);
	expect_user_done("tsd.off", SNIP("", "rdtsc", ""));

	if (HAS_RDTSCP) {
		wrmsr(MSR_TSC_AUX, 0x12345678);
		s = SNIP("mov $-1, %rcx", "rdtscp", "");
		exec_user(&x, &s);
		exec64(&x);
		check_eq("tsc_aux.rdtscp", x.rcx, 0x12345678);
		wr_gp("tsc_aux.upper", MSR_TSC_AUX, BIT(32));
		write_cr4(read_cr4() | CR4_TSD);
		expect_user_fault("tsd.rdtscp", SNIP("", "rdtscp", ""), EXC_GP,
				  0);
		write_cr4(read_cr4() & ~CR4_TSD);
		wrmsr(MSR_TSC_AUX, 0);
	} else {
		rd(MSR_TSC_AUX);
		check_exc("tsc_aux.not_there", &x, &s, EXC_GP, 0, s.at);
	}
}

static void others(void)
{
	rd(MSR_MISC_ENABLE);
	check_done("misc_enable.read", &x, &s);
	info("misc_enable %lx", rdmsr(MSR_MISC_ENABLE));
	if (!cpu_has(1, 0, R_ECX, 5) && !cpu_has(1, 0, R_ECX, 6)) {
		/* No VMX capability registers without VMX. */
		rd(0x480);
		check_exc("vmx_basic.not_there", &x, &s, EXC_GP, 0, s.at);
		skip("vmx", "cpuid.1:ecx.vmx not offered");
	} else {
		rd(0x480);
		check_done("vmx_basic.read", &x, &s);
	}
	if (HAS_TSC_DEADLINE) {
		rd(MSR_TSC_DEADLINE);
		check_done("tsc_deadline.read", &x, &s);
	} else {
		rd(MSR_TSC_DEADLINE);
		check_exc("tsc_deadline.not_there", &x, &s, EXC_GP, 0, s.at);
	}
}

void guest_main(void)
{
	plain();
	unknown();
	efer();
	pat();
	mtrr();
	apic_base();
	tsc();
	others();
}
