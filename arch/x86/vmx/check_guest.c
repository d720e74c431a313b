// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor's checks on guest state at VM entry, done again in software to
 * name the field and the rule (SDM vol. 3, 26.3.1).
 *
 * Order and grouping are the manual's. For messages only.
 */
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>

#include "arch/x86/vmx/check.h"

/** struct guest - what many rules ask for */
struct guest {
	bool ia32e, v86, unrestricted, ept, pe;
	u64 rflags;
	u32 cs_ar, ss_ar;
	u8 cs_type, ss_dpl;
};

static bool usable(u32 ar)
{
	return !(ar & TDM_AR_UNUSABLE);
}

static u8 dpl(u32 ar)
{
	return (ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT;
}

/* ---- control registers, debug registers, MSRs (26.3.1.1) ---- */

static void check_cr(const struct guest *g)
{
	const struct tdm_vmx_caps *c = &tdm_vmx_caps;
	u64 cr0 = vmcs_readn(VMCS_GUEST_CR0), cr4 = vmcs_readn(VMCS_GUEST_CR4);
	u64 must = c->cr0_fixed0;

	if (g->unrestricted)
		must &= ~(u64)(X86_CR0_PE | X86_CR0_PG);
	RULE(check_fixed(cr0, must, c->cr0_fixed1), GUEST_CR0,
	     "a bit has a value VMX operation does not allow");
	RULE(!(cr0 & X86_CR0_PG) || (cr0 & X86_CR0_PE), GUEST_CR0, "PG needs PE");
	RULE(check_fixed(cr4, c->cr4_fixed0, c->cr4_fixed1), GUEST_CR4,
	     "a bit has a value this CPU does not allow");
	RULE(!g->ia32e || (cr0 & X86_CR0_PG), GUEST_CR0, "IA-32e mode needs PG");
	RULE(!g->ia32e || (cr4 & X86_CR4_PAE), GUEST_CR4, "IA-32e mode needs PAE");
	RULE(g->ia32e || !(cr4 & X86_CR4_PCIDE), GUEST_CR4, "PCIDE needs IA-32e mode");
	RULE(check_phys(vmcs_readn(VMCS_GUEST_CR3)), GUEST_CR3, "beyond the physical address width");
	RULE(!(vmcs_readn(VMCS_GUEST_DR7) >> 32), GUEST_DR7, "bits 63:32 must be 0");
	RULE(check_canonical(vmcs_readn(VMCS_GUEST_SYSENTER_ESP)), GUEST_SYSENTER_ESP, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_GUEST_SYSENTER_EIP)), GUEST_SYSENTER_EIP, "not canonical");
	RULE(!(vmcs_read64(VMCS_GUEST_DEBUGCTL) & ~0xdfc7ull), GUEST_DEBUGCTL,
	     "a reserved bit is set");
}

/* Where the entry loads them. */
static void check_loaded_msrs(const struct guest *g)
{
	u32 entry = vmcs_read32(VMCS_ENTRY_CTLS);
	u64 cr0 = vmcs_readn(VMCS_GUEST_CR0), efer;

	if (entry & ENTRY_LOAD_PAT)
		RULE(check_pat(vmcs_read64(VMCS_GUEST_PAT)), GUEST_PAT, "invalid memory type");
	if (!(entry & ENTRY_LOAD_EFER))
		return;
	efer = vmcs_read64(VMCS_GUEST_EFER);
	RULE(!(efer & ~(u64)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)), GUEST_EFER,
	     "a reserved bit is set");
	RULE(!!(efer & EFER_LMA) == g->ia32e, GUEST_EFER,
	     "LMA must equal the VM-entry control \"IA-32e mode guest\"");
	RULE(!(cr0 & X86_CR0_PG) || !!(efer & EFER_LMA) == !!(efer & EFER_LME), GUEST_EFER,
	     "LMA must equal LME while paging is on");
}

/* ---- segments (26.3.1.2) ---- */

static void seg_rule(bool holds, int i, unsigned long first, const char *what, const char *text)
{
	static const char *const names[TDM_NR_SEGS] = {
		"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"
	};
	char field[24];

	if (holds)
		return;
	snprintf(field, sizeof(field), "GUEST_%s_%s", names[i], what);
	tdm_vmx_broken_rule(field, vmcs_read_raw(first + 2 * i), text);
}

#define SEG_RULE(holds, i, what, text) \
	seg_rule(holds, i, VMCS_GUEST_ES_##what, #what, text)

static void check_limit(int i, u32 limit, u32 ar)
{
	SEG_RULE((limit & 0xfff) == 0xfff || !(ar & TDM_AR_G), i, AR,
		 "G must be 0 as the limit's bits 11:0 are not all 1");
	SEG_RULE(!(limit >> 20) || (ar & TDM_AR_G), i, AR,
		 "G must be 1 as the limit has bits above 19");
}

static void check_v86_segs(void)
{
	int i;

	for (i = TDM_SEG_ES; i <= TDM_SEG_GS; i++) {
		u64 base = vmcs_read_raw(VMCS_GUEST_ES_BASE + 2 * i);
		u16 sel = vmcs_read_raw(VMCS_GUEST_ES_SEL + 2 * i);

		SEG_RULE(base == (u64)sel << 4, i, BASE, "in virtual-8086 mode must be selector * 16");
		SEG_RULE(vmcs_read_raw(VMCS_GUEST_ES_LIMIT + 2 * i) == 0xffff, i, LIMIT,
			 "in virtual-8086 mode must be 0xffff");
		SEG_RULE(vmcs_read_raw(VMCS_GUEST_ES_AR + 2 * i) == 0xf3, i, AR,
			 "in virtual-8086 mode must be 0xf3");
	}
}

static void check_cs_dpl(const struct guest *g)
{
	u8 cs_dpl = dpl(g->cs_ar);

	switch (g->cs_type) {
	case 3:
		RULE(g->unrestricted, GUEST_CS_AR, "a data segment in CS needs an unrestricted guest");
		RULE(!cs_dpl, GUEST_CS_AR, "DPL must be 0 for type 3");
		break;
	case 9:
	case 11:
		RULE(cs_dpl == g->ss_dpl, GUEST_CS_AR, "DPL must equal SS.DPL (nonconforming)");
		break;
	case 13:
	case 15:
		RULE(cs_dpl <= g->ss_dpl, GUEST_CS_AR, "DPL must not be above SS.DPL (conforming)");
		break;
	default:
		RULE(false, GUEST_CS_AR, "type must be 9, 11, 13 or 15 (accessed code), or 3");
	}
}

static void check_seg(const struct guest *g, int i)
{
	u32 ar = vmcs_read_raw(VMCS_GUEST_ES_AR + 2 * i);
	u16 sel = vmcs_read_raw(VMCS_GUEST_ES_SEL + 2 * i);
	u8 type = ar & TDM_AR_TYPE;

	if (i != TDM_SEG_CS && !usable(ar))
		return;
	SEG_RULE(ar & TDM_AR_S, i, AR, "S must be 1");
	SEG_RULE(ar & TDM_AR_P, i, AR, "P must be 1");
	SEG_RULE(!(ar & 0xfffe0f00u), i, AR, "a reserved bit is set");
	check_limit(i, vmcs_read_raw(VMCS_GUEST_ES_LIMIT + 2 * i), ar);
	if (i == TDM_SEG_FS || i == TDM_SEG_GS)
		SEG_RULE(check_canonical(vmcs_read_raw(VMCS_GUEST_ES_BASE + 2 * i)), i, BASE,
			 "not canonical");
	else
		SEG_RULE(!(vmcs_read_raw(VMCS_GUEST_ES_BASE + 2 * i) >> 32), i, BASE,
			 "bits 63:32 must be 0");
	if (i == TDM_SEG_CS) {
		check_cs_dpl(g);
		SEG_RULE(!g->ia32e || !(ar & TDM_AR_L) || !(ar & TDM_AR_DB), i, AR,
			 "L and D/B must not both be 1");
	} else if (i == TDM_SEG_SS) {
		SEG_RULE(type == 3 || type == 7, i, AR, "type must be 3 or 7 (writable, accessed)");
		SEG_RULE(g->unrestricted || dpl(ar) == (sel & 3), i, AR, "DPL must equal RPL");
		SEG_RULE((g->cs_type != 3 && g->pe) || !dpl(ar), i, AR,
			 "DPL must be 0 in real mode or with CS of type 3");
	} else {
		SEG_RULE(type & TDM_AR_ACCESSED, i, AR, "must be accessed");
		SEG_RULE(!(type & TDM_AR_CODE) || (type & TDM_AR_RW), i, AR, "code must be readable");
		SEG_RULE(g->unrestricted || type > 11 || dpl(ar) >= (sel & 3), i, AR,
			 "DPL must not be below RPL");
	}
}

static void check_system_segs(const struct guest *g)
{
	u32 tr = vmcs_read32(VMCS_GUEST_TR_AR), ldtr = vmcs_read32(VMCS_GUEST_LDTR_AR);
	u8 type = tr & TDM_AR_TYPE;

	RULE(!(vmcs_read16(VMCS_GUEST_TR_SEL) & 4), GUEST_TR_SEL, "TI must be 0");
	RULE(check_canonical(vmcs_readn(VMCS_GUEST_TR_BASE)), GUEST_TR_BASE, "not canonical");
	RULE(type == 11 || (type == 3 && !g->ia32e), GUEST_TR_AR,
	     "type must be 11 (busy TSS), or 3 outside IA-32e mode");
	RULE(!(tr & TDM_AR_S) && (tr & TDM_AR_P) && usable(tr) && !(tr & 0xfffe0f00u),
	     GUEST_TR_AR, "must be a present, usable system segment");
	check_limit(TDM_SEG_TR, vmcs_read32(VMCS_GUEST_TR_LIMIT), tr);
	if (!usable(ldtr))
		return;
	RULE(!(vmcs_read16(VMCS_GUEST_LDTR_SEL) & 4), GUEST_LDTR_SEL, "TI must be 0");
	RULE(check_canonical(vmcs_readn(VMCS_GUEST_LDTR_BASE)), GUEST_LDTR_BASE, "not canonical");
	RULE((ldtr & TDM_AR_TYPE) == 2 && !(ldtr & TDM_AR_S) && (ldtr & TDM_AR_P) &&
	     !(ldtr & 0xfffe0f00u), GUEST_LDTR_AR, "must be a present LDT (type 2), or unusable");
	check_limit(TDM_SEG_LDTR, vmcs_read32(VMCS_GUEST_LDTR_LIMIT), ldtr);
}

static void check_segs(const struct guest *g)
{
	int i;

	if (g->v86) {
		check_v86_segs();
	} else {
		RULE(g->unrestricted || !((vmcs_read16(VMCS_GUEST_SS_SEL) ^
					   vmcs_read16(VMCS_GUEST_CS_SEL)) & 3),
		     GUEST_SS_SEL, "RPL must equal that of CS");
		for (i = TDM_SEG_ES; i <= TDM_SEG_GS; i++)
			check_seg(g, i);
	}
	check_system_segs(g);
}

/* ---- descriptor tables (26.3.1.3), RIP and RFLAGS (26.3.1.4) ---- */

static void check_tables(void)
{
	RULE(check_canonical(vmcs_readn(VMCS_GUEST_GDTR_BASE)), GUEST_GDTR_BASE, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_GUEST_IDTR_BASE)), GUEST_IDTR_BASE, "not canonical");
	RULE(!(vmcs_read32(VMCS_GUEST_GDTR_LIMIT) >> 16), GUEST_GDTR_LIMIT, "bits 31:16 must be 0");
	RULE(!(vmcs_read32(VMCS_GUEST_IDTR_LIMIT) >> 16), GUEST_IDTR_LIMIT, "bits 31:16 must be 0");
}

static bool injecting(u8 type)
{
	u32 info = vmcs_read32(VMCS_ENTRY_INTR_INFO);

	return (info & INTR_VALID) && (info & INTR_TYPE_MASK) >> INTR_TYPE_SHIFT == type;
}

static void check_rip(const struct guest *g)
{
	u64 rip = vmcs_readn(VMCS_GUEST_RIP);

	if (g->ia32e && (g->cs_ar & TDM_AR_L))
		RULE(check_canonical(rip), GUEST_RIP, "not canonical");
	else
		RULE(!(rip >> 32), GUEST_RIP, "bits 63:32 must be 0 outside 64-bit code");
	RULE((g->rflags & 2) && !(g->rflags & ~0x3f7fd7ull), GUEST_RFLAGS,
	     "bit 1 must be 1, reserved bits 0");
	RULE(!g->v86 || (!g->ia32e && g->pe), GUEST_RFLAGS,
	     "VM must be 0 in IA-32e mode and in real mode");
	RULE(!injecting(TDM_EV_IRQ) || (g->rflags & X86_EFLAGS_IF), GUEST_RFLAGS,
	     "IF must be 1 to inject an external interrupt");
}

/* ---- non-register state (26.3.1.5) ---- */

static void check_interruptibility(const struct guest *g)
{
	u32 intr = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
	u64 pdbg = vmcs_readn(VMCS_GUEST_PENDING_DBG);
	bool shadow = intr & (INTR_BLOCK_STI | INTR_BLOCK_MOV_SS);
	bool step = (g->rflags & X86_EFLAGS_TF) &&
		    !(vmcs_read64(VMCS_GUEST_DEBUGCTL) & DEBUGCTLMSR_BTF);

	RULE(vmcs_read32(VMCS_GUEST_ACTIVITY) == 0, GUEST_ACTIVITY, "this engine uses 0 (active) only");
	RULE(!(intr >> 5) && !(intr & INTR_BLOCK_SMI), GUEST_INTERRUPTIBILITY, "a reserved bit is set");
	RULE((intr & 3) != 3, GUEST_INTERRUPTIBILITY, "blocking by STI and by MOV SS exclude each other");
	RULE(!(intr & INTR_BLOCK_STI) || (g->rflags & X86_EFLAGS_IF), GUEST_INTERRUPTIBILITY,
	     "blocking by STI needs RFLAGS.IF");
	RULE(!injecting(TDM_EV_IRQ) || !shadow, GUEST_INTERRUPTIBILITY,
	     "an external interrupt cannot be injected in a shadow");
	RULE(!injecting(TDM_EV_NMI) || !shadow, GUEST_INTERRUPTIBILITY,
	     "an NMI cannot be injected in a shadow");
	RULE(!injecting(TDM_EV_NMI) || !(intr & INTR_BLOCK_NMI), GUEST_INTERRUPTIBILITY,
	     "an NMI cannot be injected while NMIs are blocked");
	RULE(!(pdbg & ~0x1500full), GUEST_PENDING_DBG, "a reserved bit is set");
	RULE(!shadow || !!(pdbg & PDBG_BS) == step, GUEST_PENDING_DBG,
	     "in a shadow, BS must equal RFLAGS.TF and not DEBUGCTL.BTF");
	RULE(vmcs_read64(VMCS_VMCS_LINK) == ~0ull, VMCS_LINK, "must be all ones");
}

/* ---- page-directory pointers (26.3.1.6) ---- */

static void check_pdptes(const struct guest *g)
{
	u64 reserved = 0x1e6 | ~((1ull << boot_cpu_data.x86_phys_bits) - 1);
	int i;

	if (g->ia32e || !(vmcs_readn(VMCS_GUEST_CR0) & X86_CR0_PG) ||
	    !(vmcs_readn(VMCS_GUEST_CR4) & X86_CR4_PAE))
		return;
	/* Without EPT they come from memory, and are ours. */
	if (!g->ept)
		return;
	for (i = 0; i < 4; i++) {
		u64 e = vmcs_read_raw(VMCS_GUEST_PDPTE0 + 2 * i);

		if ((e & 1) && (e & reserved))
			tdm_vmx_broken_rule("GUEST_PDPTE", e, "present with a reserved bit set");
	}
}

/**
 * tdm_vmx_check_guest() - report every broken rule about guest state
 */
void tdm_vmx_check_guest(void)
{
	struct guest g = {
		.ia32e = vmcs_read32(VMCS_ENTRY_CTLS) & ENTRY_IA32E,
		.pe = vmcs_readn(VMCS_GUEST_CR0) & X86_CR0_PE,
		.rflags = vmcs_readn(VMCS_GUEST_RFLAGS),
		.cs_ar = vmcs_read32(VMCS_GUEST_CS_AR),
		.ss_ar = vmcs_read32(VMCS_GUEST_SS_AR),
	};

	if (tdm_vmx_has_cpu2()) {
		g.unrestricted = vmcs_read32(VMCS_CPU2_CTLS) & CPU2_UNRESTRICTED;
		g.ept = vmcs_read32(VMCS_CPU2_CTLS) & CPU2_EPT;
	}
	g.v86 = g.rflags & X86_EFLAGS_VM;
	g.cs_type = g.cs_ar & TDM_AR_TYPE;
	g.ss_dpl = dpl(g.ss_ar);
	check_cr(&g);
	check_loaded_msrs(&g);
	check_segs(&g);
	check_tables();
	check_rip(&g);
	check_interruptibility(&g);
	check_pdptes(&g);
}
