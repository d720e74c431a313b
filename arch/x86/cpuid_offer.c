// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest may be told by CPUID on this host.
 *
 * One table per feature word, by whitelist: a bit that is not named is not
 * offered. A bit is offered when it is whitelisted, the processor has it and
 * the host kernel has not turned it off; or when it is emulated in full. An
 * engine that cannot run a feature withdraws it with tdm_cpuid_hide().
 *
 * A bit may be added here only together with what it promises: its MSRs in the
 * MSR table, its state in XSAVE, its controls in the engines.
 */
#include <linux/kernel.h>
#include <linux/kvm_para.h>
#include <linux/sched/stat.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>
#include <asm/tsc.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/cpuid_offer.h"
#include "shadow_mmu/mmu.h"

#define F(name)	BIT((X86_FEATURE_##name) & 31)

enum { EAX, EBX, ECX, EDX };

/* Indexed by the kernel's word number: X86_FEATURE_x / 32 */
const struct tdm_cpuid_word tdm_cpuid_words[NCAPINTS] = {
	[CPUID_1_EDX] = {
		/*
		 * Not: PN (serial number), DS (needs a PMU), ACPI and ACC
		 * (thermal MSRs), HT (topology is the VMM's to say), IA64,
		 * PBE (break events).
		 */
		.used = true, .function = 1, .reg = EDX,
		.offer = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) |
			 F(PAE) | F(CX8) | F(SEP) | F(PGE) | F(CMOV) | F(PAT) |
			 F(PSE36) | F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) |
			 F(XMM2) | F(SELFSNOOP),
		.always = F(APIC) | F(MTRR) | F(MCE) | F(MCA),
	},
	[CPUID_1_ECX] = {
		/*
		 * Not: DTES64, DSCPL, PDCM (PMU), MWAIT (it would idle the
		 * host's CPU), VMX and SMX (no nesting), EST, TM2 (power
		 * management MSRs), CID, SDBG (silicon debug), XTPR, DCA
		 * (chipset), OSXSAVE (follows CR4).
		 */
		.used = true, .function = 1, .reg = ECX,
		.offer = F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) |
			 F(PCID) | F(XMM4_1) | F(XMM4_2) | F(MOVBE) |
			 F(POPCNT) | F(AES) | F(XSAVE) | F(AVX) | F(F16C) |
			 F(RDRAND),
		.always = F(X2APIC) | F(TSC_DEADLINE_TIMER) | F(HYPERVISOR),
	},
	[CPUID_7_0_EBX] = {
		/*
		 * Not: SGX (enclave page cache), CQM, RDT_A (resource control
		 * MSRs), MPX (its XSAVE state is not switched), INTEL_PT
		 * (trace MSRs).
		 */
		.used = true, .function = 7, .reg = EBX,
		.offer = F(FSGSBASE) | F(BMI1) | F(HLE) | F(AVX2) |
			 F(FDP_EXCPTN_ONLY) | F(SMEP) | F(BMI2) | F(ERMS) |
			 F(INVPCID) | F(RTM) | F(ZERO_FCS_FDS) | F(AVX512F) |
			 F(AVX512DQ) | F(RDSEED) | F(ADX) | F(SMAP) |
			 F(AVX512IFMA) | F(CLFLUSHOPT) | F(CLWB) |
			 F(AVX512PF) | F(AVX512ER) | F(AVX512CD) | F(SHA_NI) |
			 F(AVX512BW) | F(AVX512VL),
		.always = F(TSC_ADJUST),
	},
	[CPUID_7_ECX] = {
		/*
		 * Not: PREFETCHWT1 (gone), OSPKE (follows CR4), WAITPKG (waits
		 * would hold the host's CPU), LA57 (the guest page walk knows
		 * four levels), SHSTK (CET state), TME, KL (key
		 * locker), BUS_LOCK_DETECT (DEBUGCTL bit 2), ENQCMD (PASID),
		 * SGX_LC, PKS.
		 */
		.used = true, .function = 7, .reg = ECX,
		.offer = F(AVX512VBMI) | F(UMIP) | F(PKU) | F(AVX512_VBMI2) |
			 F(GFNI) | F(VAES) | F(VPCLMULQDQ) | F(AVX512_VNNI) |
			 F(AVX512_BITALG) | F(AVX512_VPOPCNTDQ) |
			 F(RDPID) | F(CLDEMOTE) | F(MOVDIRI) | F(MOVDIR64B),
	},
	[CPUID_7_EDX] = {
		/*
		 * Not: SPEC_CTRL, INTEL_STIBP, SPEC_CTRL_SSBD, FLUSH_L1D
		 * (SPEC_CTRL, PRED_CMD and FLUSH_CMD are not switched), SRBDS_CTRL,
		 * RTM_ALWAYS_ABORT, TSX_FORCE_ABORT (MSRs), HYBRID_CPU,
		 * PCONFIG, ARCH_LBR, IBT (CET state), AMX (dynamic XSAVE
		 * state), CORE_CAPABILITIES.
		 */
		.used = true, .function = 7, .reg = EDX,
		.offer = F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(FSRM) |
			 F(AVX512_VP2INTERSECT) | F(MD_CLEAR) | F(SERIALIZE) |
			 F(TSXLDTRK) | F(AVX512_FP16) | F(ARCH_CAPABILITIES),
	},
	[CPUID_7_1_EAX] = {
		/*
		 * By number where the older kernel has no name: SHA512, SM3,
		 * SM4, AVX_VNNI, AVX512_BF16, CMPCCXADD, FZLRM, FSRS, FSRC,
		 * AVX_IFMA. Not: RAO-INT (untested), LASS, LAM (CR4 bits),
		 * ARCHPERFMONEXT, FRED, LKGS, WRMSRNS, HRESET.
		 */
		.used = true, .function = 7, .index = 1, .reg = EAX,
		.offer = BIT(0) | BIT(1) | BIT(2) | F(AVX_VNNI) |
			 F(AVX512_BF16) | BIT(7) | BIT(10) | BIT(11) |
			 BIT(12) | BIT(23),
	},
	[CPUID_D_1_EAX] = {
		/* Not: XFD (no dynamic state), XSAVES (privileged, and BT has no form of it). */
		.used = true, .function = 0xd, .index = 1, .reg = EAX,
		.offer = F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1),
	},
	[CPUID_8000_0001_ECX] = {
		/*
		 * Not: CMP_LEGACY, TOPOEXT, NODEID_MSR (topology), SVM, SKINIT
		 * (no nesting), EXTAPIC, OSVW, IBS, WDT, LWP, TCE,
		 * PERFCTR_CORE, PERFCTR_NB, PERFCTR_LLC, BPEXT, PTSC (MSRs),
		 * MWAITX.
		 */
		.used = true, .function = 0x80000001, .reg = ECX,
		.offer = F(LAHF_LM) | F(CR8_LEGACY) | F(ABM) | F(SSE4A) |
			 F(MISALIGNSSE) | F(3DNOWPREFETCH) | F(XOP) | F(FMA4) |
			 F(TBM),
	},
	[CPUID_8000_0001_EDX] = {
		/* Not: MP (topology). The rest AMD repeats from leaf 1. */
		.used = true, .function = 0x80000001, .reg = EDX,
		.offer = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) |
			 F(PAE) | F(MCE) | F(CX8) | F(APIC) | F(SYSCALL) |
			 F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) |
			 F(PSE36) | F(NX) | F(MMXEXT) | F(MMX) | F(FXSR) |
			 F(FXSR_OPT) | F(GBPAGES) | F(RDTSCP) | F(LM) |
			 F(3DNOWEXT) | F(3DNOW),
	},
	[CPUID_8000_0008_EBX] = {
		/*
		 * Not: IRPERF (MSR), RDPRU (counters of the host), IBPB, IBRS,
		 * STIBP, SSBD and their variants (MSRs not switched), CPPC,
		 * PSFD, BTC_NO (a promise about the host's mitigations).
		 */
		.used = true, .function = 0x80000008, .reg = EBX,
		.offer = F(CLZERO) | F(XSAVEERPTR) | F(WBNOINVD),
	},
};

const unsigned int tdm_nr_cpuid_words = ARRAY_SIZE(tdm_cpuid_words);

/* Words that have no number in all kernels we build for */
/* AVX_VNNI_INT8, AVX_NE_CONVERT, AVX_VNNI_INT16, PREFETCHI; not AMX_COMPLEX, CET_SSS, AVX10 */
#define OFFER_7_1_EDX		(BIT(4) | BIT(5) | BIT(10) | BIT(14))
/* MCDT_NO; the others are bits of SPEC_CTRL */
#define OFFER_7_2_EDX		BIT(5)
/* Invariant TSC; the others are power management */
#define OFFER_8000_0007_EDX	BIT(8)

/* State the kernel switches with a task and guests get by default */
#define OFFER_XCR0		(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | \
				 XFEATURE_MASK_YMM | XFEATURE_MASK_AVX512 | \
				 XFEATURE_MASK_PKRU)

#define MAX_BASIC		0xdu
#define MAX_EXTENDED		0x80000008u
#define NR_XSAVE_AREAS		63

/* All set once at module load; words only lose bits later (tdm_cpuid_hide()). */
static u32 offered[NCAPINTS];
static u64 offered_xcr0;
static struct tdm_xsave_area xsave_area[NR_XSAVE_AREAS];

static u32 host_reg(u32 function, u32 index, u8 reg)
{
	u32 r[4];

	cpuid_count(function, index, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
	return r[reg];
}

static u32 host_max(u32 base)
{
	u32 max = cpuid_eax(base);

	/* No extended leaves at all: the highest basic leaf answers. */
	return (max ^ base) & 0xffff0000u ? 0 : max;
}

/* Leaf 7 lists its own highest subleaf; beyond it CPUID gives anything. */
static bool host_has_leaf(u32 function, u32 index)
{
	if (host_max(function & 0x80000000u) < function)
		return false;
	return function != 7 || !index || index <= cpuid_eax(7);
}

static void init_words(void)
{
	const struct tdm_cpuid_word *w;
	u32 have;
	int i;

	for (i = 0; i < NCAPINTS; i++) {
		w = &tdm_cpuid_words[i];
		if (!w->used)
			continue;
		have = 0;
		if (host_has_leaf(w->function, w->index))
			have = host_reg(w->function, w->index, w->reg);
		have &= boot_cpu_data.x86_capability[i];
		offered[i] = (have & w->offer) | w->always;
	}
}

static void init_xsave(void)
{
	u64 keep = OFFER_XCR0;
	int i;

	if (!boot_cpu_has(X86_FEATURE_OSXSAVE)) {
		tdm_cpuid_hide(X86_FEATURE_XSAVE);
		offered[CPUID_D_1_EAX] = 0;
		return;
	}
	if (!tdm_offer_has(X86_FEATURE_PKU))
		keep &= ~XFEATURE_MASK_PKRU;
	offered_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK) & keep;
	for (i = 2; i < NR_XSAVE_AREAS; i++) {
		xsave_area[i].size = host_reg(0xd, i, EAX);
		xsave_area[i].offset = host_reg(0xd, i, EBX);
		xsave_area[i].flags = host_reg(0xd, i, ECX);
	}
}

/**
 * tdm_offer_init() - find out what this host can offer; at module load
 *
 * Return: 0.
 */
int tdm_offer_init(void)
{
	init_words();
	/* Protection keys need the host kernel to keep CR4.PKE set. */
	if (!boot_cpu_has(X86_FEATURE_OSPKE))
		tdm_cpuid_hide(X86_FEATURE_PKU);
	init_xsave();
	return 0;
}

/**
 * tdm_cpuid_hide() - offer a feature no longer
 * @feature: X86_FEATURE_* of a word CPUID reports
 *
 * For engines, at probe, before any VM is made: a feature the engine cannot run.
 */
void tdm_cpuid_hide(unsigned int feature)
{
	if (WARN_ON_ONCE(feature / 32 >= NCAPINTS))
		return;
	offered[feature / 32] &= ~BIT(feature & 31);
}

/** tdm_offer_word() - offered bits of a feature word (X86_FEATURE_x / 32) */
u32 tdm_offer_word(unsigned int word)
{
	return offered[word];
}

bool tdm_offer_has(unsigned int feature)
{
	return offered[feature / 32] & BIT(feature & 31);
}

u64 tdm_offer_xcr0(void)
{
	return offered_xcr0;
}

/** tdm_offer_efer() - EFER bits a guest could be allowed */
u64 tdm_offer_efer(void)
{
	u64 efer = 0;

	if (tdm_offer_has(X86_FEATURE_SYSCALL))
		efer |= EFER_SCE;
	if (tdm_offer_has(X86_FEATURE_LM))
		efer |= EFER_LME | EFER_LMA;
	if (tdm_offer_has(X86_FEATURE_NX))
		efer |= EFER_NX;
	if (tdm_offer_has(X86_FEATURE_FXSR_OPT))
		efer |= EFER_FFXSR;
	return efer;
}

/** tdm_offer_maxphyaddr() - guest-physical address bits; EPT of 4 levels maps 48 */
u8 tdm_offer_maxphyaddr(void)
{
	u8 bits = boot_cpu_data.x86_phys_bits;

	return tdm_ept_caps.levels == 4 ? min_t(u8, bits, 48) : bits;
}

/**
 * tdm_xsave_size() - bytes of an XSAVE area
 * @features: components in it (XCR0, or XCR0 | XSS if @compacted)
 * @compacted: XSAVEC/XSAVES format
 */
u32 tdm_xsave_size(u64 features, bool compacted)
{
	u32 size = offsetof(struct xregs_state, extended_state_area), offset;
	const struct tdm_xsave_area *area;
	int i;

	for (i = 2; i < NR_XSAVE_AREAS; i++) {
		if (!(features & BIT_ULL(i)))
			continue;
		area = &xsave_area[i];
		if (!compacted)
			offset = area->offset;
		else
			offset = area->flags & BIT(1) ? ALIGN(size, 64) : size;
		size = max(size, offset + area->size);
	}
	return size;
}

/* ---- KVM_GET_SUPPORTED_CPUID ---- */

struct list {
	struct kvm_cpuid_entry2 *e;
	int n, room;
	struct kvm_cpuid_entry2 spare;	/* where an entry goes that has no room */
};

static struct kvm_cpuid_entry2 *add(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = l->n < l->room ? &l->e[l->n] : &l->spare;

	l->n++;
	*e = (struct kvm_cpuid_entry2){ .function = function };
	return e;
}

static struct kvm_cpuid_entry2 *add_sub(struct list *l, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *e = add(l, function);

	e->index = index;
	e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	return e;
}

static void host_leaf(struct kvm_cpuid_entry2 *e)
{
	cpuid_count(e->function, e->index, &e->eax, &e->ebx, &e->ecx, &e->edx);
}

static void fill_as_host(struct list *l, u32 function)
{
	host_leaf(add(l, function));
}


static void fill_0(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = add(l, function);

	host_leaf(e);
	e->eax = min(e->eax, MAX_BASIC);
}

static void fill_1(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = add(l, function);

	host_leaf(e);
	e->ebx &= 0xff00;	/* CLFLUSH size; APIC ID and counts are the VMM's */
	e->ecx = offered[CPUID_1_ECX];
	e->edx = offered[CPUID_1_EDX];
}

/* Caches; who shares them is topology, the VMM's to say. */
static void fill_4(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e;
	u32 i = 0, type;

	do {
		e = add_sub(l, function, i++);
		host_leaf(e);
		e->eax &= 0x3fff;
		type = e->eax & 0x1f;
	} while (type && i < 32);
}

static void fill_6(struct list *l, u32 function)
{
	add(l, function)->eax = BIT(2);	/* ARAT: our APIC timer never stops */
}

static void fill_7(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = add_sub(l, function, 0);
	u32 max = min(cpuid_eax(7), 2u);

	e->eax = max;
	e->ebx = offered[CPUID_7_0_EBX];
	e->ecx = offered[CPUID_7_ECX];
	e->edx = offered[CPUID_7_EDX];
	if (max >= 1) {
		e = add_sub(l, function, 1);
		e->eax = offered[CPUID_7_1_EAX];
		e->edx = host_reg(7, 1, EDX) & OFFER_7_1_EDX;
	}
	if (max >= 2) {
		e = add_sub(l, function, 2);
		e->edx = host_reg(7, 2, EDX) & OFFER_7_2_EDX;
	}
}

static void fill_topology(struct list *l, u32 function)
{
	add_sub(l, function, 0);
}

static void fill_d(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e;
	int i;

	if (!offered_xcr0)
		return;
	e = add_sub(l, function, 0);
	e->eax = offered_xcr0;
	e->edx = offered_xcr0 >> 32;
	e->ebx = tdm_xsave_size(offered_xcr0, false);
	e->ecx = e->ebx;
	e = add_sub(l, function, 1);
	e->eax = offered[CPUID_D_1_EAX];
	if (tdm_offer_has(X86_FEATURE_XSAVES) || tdm_offer_has(X86_FEATURE_XSAVEC))
		e->ebx = tdm_xsave_size(offered_xcr0, true);
	for (i = 2; i < NR_XSAVE_AREAS; i++) {
		if (!(offered_xcr0 & BIT_ULL(i)))
			continue;
		e = add_sub(l, function, i);
		e->eax = xsave_area[i].size;
		e->ebx = xsave_area[i].offset;
		e->ecx = xsave_area[i].flags;
	}
}

static void fill_signature(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = add(l, function);
	u32 sig[3] = {};

	BUILD_BUG_ON(sizeof(KVM_SIGNATURE) > sizeof(sig) + 1);
	memcpy(sig, KVM_SIGNATURE, sizeof(KVM_SIGNATURE) - 1);
	e->eax = KVM_CPUID_FEATURES;
	e->ebx = sig[0];
	e->ecx = sig[1];
	e->edx = sig[2];
}

/*
 * Only paravirtual features that work. Not there: async PF, PV EOI, PV unhalt,
 * PV TLB flush and IPIs, poll control, extended MSI destinations.
 */
static void fill_pv(struct list *l, u32 function)
{
	/* No emulated device needs the time an access to port 0x80 takes. */
	u32 features = BIT(KVM_FEATURE_NOP_IO_DELAY);

	/* The clock is a function of the TSC. */
	if (boot_cpu_has(X86_FEATURE_CONSTANT_TSC) && !check_tsc_unstable())
		features |= BIT(KVM_FEATURE_CLOCKSOURCE) |
			    BIT(KVM_FEATURE_CLOCKSOURCE2) |
			    BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT);
	if (sched_info_on())
		features |= BIT(KVM_FEATURE_STEAL_TIME);
	add(l, function)->eax = features;
}

static void fill_ext_0(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = add(l, function);

	host_leaf(e);
	e->eax = min(e->eax, MAX_EXTENDED);
}

static void fill_ext_1(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = add(l, function);

	host_leaf(e);
	e->ebx = 0;
	e->ecx = offered[CPUID_8000_0001_ECX];
	e->edx = offered[CPUID_8000_0001_EDX];
}

static void fill_ext_7(struct list *l, u32 function)
{
	add(l, function)->edx = host_reg(function, 0, EDX) & OFFER_8000_0007_EDX;
}

static void fill_ext_8(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e = add(l, function);
	u32 virt = cpuid_eax(function) >> 8 & 0xff;

	if (!tdm_offer_has(X86_FEATURE_LA57))
		virt = min(virt, 48u);
	e->eax = tdm_offer_maxphyaddr() | virt << 8;
	e->ebx = offered[CPUID_8000_0008_EBX];
}

/*
 * Leaves not listed read as zeros: 3 (serial number), 5 (MWAIT), 8, 9 (DCA),
 * 0xa (no PMU), 0xc. Above 0xd, and so out of range: 0xf, 0x10 (RDT), 0x12
 * (SGX), 0x14 (PT), 0x15, 0x16 (a guest would take the crystal for the clock
 * of our APIC timer), 0x17 on.
 */
static const struct {
	u32 function;
	void (*fill)(struct list *l, u32 function);
} leaves[] = {
	{ 0x00000000, fill_0 },
	{ 0x00000001, fill_1 },
	{ 0x00000002, fill_as_host },
	{ 0x00000004, fill_4 },
	{ 0x00000006, fill_6 },
	{ 0x00000007, fill_7 },
	{ 0x0000000b, fill_topology },
	{ 0x0000000d, fill_d },
	{ 0x40000000, fill_signature },
	{ 0x40000001, fill_pv },
	{ 0x80000000, fill_ext_0 },
	{ 0x80000001, fill_ext_1 },
	{ 0x80000002, fill_as_host },
	{ 0x80000003, fill_as_host },
	{ 0x80000004, fill_as_host },
	{ 0x80000005, fill_as_host },
	{ 0x80000006, fill_as_host },
	{ 0x80000007, fill_ext_7 },
	{ 0x80000008, fill_ext_8 },
};

/**
 * tdm_offer_fill() - the entries of KVM_GET_SUPPORTED_CPUID
 * @e: where to
 * @room: entries there is room for
 *
 * Return: entries there are; if more than @room, only the first were written.
 */
int tdm_offer_fill(struct kvm_cpuid_entry2 *e, int room)
{
	struct list l = { .e = e, .room = room };
	u32 function;
	int i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		function = leaves[i].function;
		if (function >> 28 != 4 && !host_has_leaf(function, 0))
			continue;
		leaves[i].fill(&l, function);
	}
	return l.n;
}
