// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the processor refused an entry: its checks on controls and host state
 * done again in software (SDM vol. 3, 26.2), and the report. Guest state is in
 * check_guest.c.
 *
 * For messages only; never decides anything. Rate-limited: a guest's owner can
 * fail entries as fast as the CPU goes.
 */
#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>
#include <linux/ratelimit.h>

#include "arch/x86/vmx/check.h"

static int broken;	/* rules found broken; only for "none found", races are harmless */

/**
 * tdm_vmx_broken_rule() - say that a rule does not hold
 * @field: VMCS field to blame
 * @val: its value
 * @text: the rule
 */
void tdm_vmx_broken_rule(const char *field, u64 val, const char *text)
{
	broken++;
	pr_err("tandem:   %s = 0x%llx: %s\n", field, val, text);
}

/* ---- controls (26.2.1) ---- */

/* The field does not exist on the first CPUs with VMX. */
static u32 cpu2_ctls(void)
{
	return tdm_vmx_has_cpu2() ? vmcs_read32(VMCS_CPU2_CTLS) : 0;
}

static void check_exec_controls(void)
{
	const struct tdm_vmx_caps *c = &tdm_vmx_caps;
	u32 pin = vmcs_read32(VMCS_PIN_CTLS), cpu = vmcs_read32(VMCS_CPU_CTLS);
	u32 cpu2 = cpu2_ctls();
	u64 eptp;

	RULE(check_fixed(pin, c->pin_must, c->pin_may), PIN_CTLS,
	     "a bit has a value this CPU does not allow (IA32_VMX_PINBASED_CTLS)");
	RULE(check_fixed(cpu, c->cpu_must, c->cpu_may), CPU_CTLS,
	     "a bit has a value this CPU does not allow (IA32_VMX_PROCBASED_CTLS)");
	RULE(check_fixed(cpu2, c->cpu2_must, c->cpu2_may), CPU2_CTLS,
	     "a bit has a value this CPU does not allow (IA32_VMX_PROCBASED_CTLS2)");
	RULE(vmcs_read32(VMCS_CR3_TARGET_COUNT) <=
	     ((c->misc >> MISC_CR3_TARGETS_SHIFT) & 0x1ff), CR3_TARGET_COUNT,
	     "more CR3 targets than this CPU has");
	if (cpu & CPU_MSR_BITMAPS)
		RULE(IS_ALIGNED(vmcs_read64(VMCS_MSR_BITMAP), PAGE_SIZE) &&
		     check_phys(vmcs_read64(VMCS_MSR_BITMAP)), MSR_BITMAP,
		     "must be page aligned and within the physical address width");
	RULE((pin & PIN_NMI) || !(pin & PIN_VIRTUAL_NMIS), PIN_CTLS,
	     "\"virtual NMIs\" needs \"NMI exiting\"");
	RULE((pin & PIN_VIRTUAL_NMIS) || !(cpu & CPU_NMI_WINDOW), CPU_CTLS,
	     "\"NMI-window exiting\" needs \"virtual NMIs\"");
	if (cpu2 & CPU2_VPID)
		RULE(vmcs_read16(VMCS_VPID), VPID, "must not be 0 with VPID enabled");
	RULE(!(cpu2 & CPU2_UNRESTRICTED) || (cpu2 & CPU2_EPT), CPU2_CTLS,
	     "\"unrestricted guest\" needs EPT");
	if (!(cpu2 & CPU2_EPT))
		return;
	eptp = vmcs_read64(VMCS_EPTP);
	RULE((eptp & 7) == 6 ? c->ept_vpid & EPTCAP_WB :
	     (eptp & 7) == 0 && c->ept_vpid & EPTCAP_UC, EPTP,
	     "bits 2:0: memory type not supported for EPT structures");
	RULE(((eptp >> 3) & 7) == 3, EPTP, "bits 5:3: page-walk length minus 1 must be 3");
	RULE(!(eptp & BIT(6)) || (c->ept_vpid & EPTCAP_AD), EPTP,
	     "bit 6: this CPU has no EPT accessed and dirty flags");
	RULE(!(eptp & GENMASK(11, 8)) && check_phys(eptp), EPTP, "a reserved bit is set");
}

static void check_tpr(void)
{
	u32 cpu = vmcs_read32(VMCS_CPU_CTLS), cpu2 = cpu2_ctls();
	u64 page;
	u32 threshold;

	if (!(cpu & CPU_TPR_SHADOW)) {
		RULE(!(cpu2 & (CPU2_VIRT_X2APIC | CPU2_APIC_REGISTER_VIRT |
			       CPU2_VIRT_INTR_DELIVERY)), CPU2_CTLS,
		     "APIC virtualisation needs \"use TPR shadow\"");
		return;
	}
	page = vmcs_read64(VMCS_VIRTUAL_APIC_ADDR);
	threshold = vmcs_read32(VMCS_TPR_THRESHOLD);
	RULE(IS_ALIGNED(page, PAGE_SIZE) && check_phys(page), VIRTUAL_APIC_ADDR,
	     "must be page aligned and within the physical address width");
	RULE((cpu2 & CPU2_VIRT_INTR_DELIVERY) || !(threshold >> 4), TPR_THRESHOLD,
	     "bits 31:4 must be 0");
	if (!(cpu2 & (CPU2_VIRT_APIC_ACCESSES | CPU2_VIRT_INTR_DELIVERY)) && page)
		RULE((threshold & 0xf) <= *((u8 *)phys_to_virt(page) + 0x80) >> 4,
		     TPR_THRESHOLD, "is above the virtual TPR's class");
}

static void check_exit_entry_controls(void)
{
	const struct tdm_vmx_caps *c = &tdm_vmx_caps;
	u32 exit = vmcs_read32(VMCS_EXIT_CTLS), entry = vmcs_read32(VMCS_ENTRY_CTLS);

	RULE(check_fixed(exit, c->exit_must, c->exit_may), EXIT_CTLS,
	     "a bit has a value this CPU does not allow (IA32_VMX_EXIT_CTLS)");
	RULE((vmcs_read32(VMCS_PIN_CTLS) & PIN_PREEMPT_TIMER) ||
	     !(exit & EXIT_SAVE_PREEMPT_TIMER), EXIT_CTLS,
	     "\"save VMX-preemption timer\" needs the timer");
	RULE(check_fixed(entry, c->entry_must, c->entry_may), ENTRY_CTLS,
	     "a bit has a value this CPU does not allow (IA32_VMX_ENTRY_CTLS)");
	RULE(!(entry & (ENTRY_SMM | ENTRY_DUAL_MONITOR_OFF)), ENTRY_CTLS,
	     "the SMM bits must be 0 outside SMM");
}

/* Vectors that push an error code in protected mode */
#define ERROR_CODE_VECTORS						\
	(BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) |	\
	 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) | BIT(X86_TRAP_AC))

static void check_injection(void)
{
	u32 info = vmcs_read32(VMCS_ENTRY_INTR_INFO);
	u8 type = (info & INTR_TYPE_MASK) >> INTR_TYPE_SHIFT, vector = info;
	bool error = info & INTR_ERROR_VALID, wants_error;
	u32 len;

	if (!(info & INTR_VALID))
		return;
	RULE(type != 1 && type != 7, ENTRY_INTR_INFO, "reserved event type");
	RULE(type != TDM_EV_NMI || vector == X86_TRAP_NMI, ENTRY_INTR_INFO,
	     "an NMI has vector 2");
	RULE(type != TDM_EV_EXC || vector < 32, ENTRY_INTR_INFO,
	     "a hardware exception has a vector below 32");
	RULE(!(info & GENMASK(30, 12)), ENTRY_INTR_INFO, "bits 30:12 must be 0");
	wants_error = type == TDM_EV_EXC && vector < 32 &&
		      (BIT(vector) & ERROR_CODE_VECTORS) &&
		      (vmcs_readn(VMCS_GUEST_CR0) & X86_CR0_PE);
	RULE(error == wants_error, ENTRY_INTR_INFO, error ?
	     "this event has no error code (or the guest is in real mode)" :
	     "this exception needs an error code");
	if (error)
		RULE(!(vmcs_read32(VMCS_ENTRY_INTR_ERROR) >> 16), ENTRY_INTR_ERROR,
		     "bits 31:16 must be 0");
	if (type < TDM_EV_SOFT_INT)
		return;
	len = vmcs_read32(VMCS_ENTRY_INSN_LEN);
	RULE(len <= 15 && (len || (tdm_vmx_caps.misc & MISC_ZERO_LEN_INJECT)),
	     ENTRY_INSN_LEN, "must be the length of the instruction that raised the event");
}

/* ---- host state (26.2.2, 26.2.3) ---- */

static void check_host(void)
{
	const struct tdm_vmx_caps *c = &tdm_vmx_caps;
	u32 exit = vmcs_read32(VMCS_EXIT_CTLS);

	RULE(check_fixed(vmcs_readn(VMCS_HOST_CR0), c->cr0_fixed0, c->cr0_fixed1),
	     HOST_CR0, "a bit has a value VMX operation does not allow");
	RULE(check_fixed(vmcs_readn(VMCS_HOST_CR4), c->cr4_fixed0, c->cr4_fixed1) &&
	     (vmcs_readn(VMCS_HOST_CR4) & X86_CR4_PAE),
	     HOST_CR4, "a bit has a value VMX operation does not allow");
	RULE(check_phys(vmcs_readn(VMCS_HOST_CR3)), HOST_CR3, "beyond the physical address width");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_SYSENTER_ESP)), HOST_SYSENTER_ESP, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_SYSENTER_EIP)), HOST_SYSENTER_EIP, "not canonical");
	if (exit & EXIT_LOAD_PAT)
		RULE(check_pat(vmcs_read64(VMCS_HOST_PAT)), HOST_PAT, "invalid memory type");
	if (exit & EXIT_LOAD_EFER)
		RULE((vmcs_read64(VMCS_HOST_EFER) & (EFER_LMA | EFER_LME)) == (EFER_LMA | EFER_LME),
		     HOST_EFER, "LMA and LME must be 1 for a 64-bit host");
	RULE(vmcs_read16(VMCS_HOST_CS_SEL) && !(vmcs_read16(VMCS_HOST_CS_SEL) & 7),
	     HOST_CS_SEL, "must not be 0; RPL and TI must be 0");
	RULE(vmcs_read16(VMCS_HOST_TR_SEL) && !(vmcs_read16(VMCS_HOST_TR_SEL) & 7),
	     HOST_TR_SEL, "must not be 0; RPL and TI must be 0");
	RULE(!((vmcs_read16(VMCS_HOST_SS_SEL) | vmcs_read16(VMCS_HOST_DS_SEL) |
		vmcs_read16(VMCS_HOST_ES_SEL) | vmcs_read16(VMCS_HOST_FS_SEL) |
		vmcs_read16(VMCS_HOST_GS_SEL)) & 7), HOST_SS_SEL,
	     "RPL and TI of SS, DS, ES, FS, GS must be 0");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_FS_BASE)), HOST_FS_BASE, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_GS_BASE)), HOST_GS_BASE, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_TR_BASE)), HOST_TR_BASE, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_GDTR_BASE)), HOST_GDTR_BASE, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_IDTR_BASE)), HOST_IDTR_BASE, "not canonical");
	RULE(check_canonical(vmcs_readn(VMCS_HOST_RIP)), HOST_RIP, "not canonical");
	RULE(exit & EXIT_HOST_64, EXIT_CTLS,
	     "a 64-bit host needs \"host address-space size\"");
}

/* ---- the report ---- */

/* VM-instruction errors an entry can give (SDM vol. 3, 30.4) */
static const char *const insn_errors[] = {
	[4]	= "VMLAUNCH of a VMCS that was launched",
	[5]	= "VMRESUME of a VMCS that was not launched",
	[6]	= "VMRESUME after VMXOFF",
	[7]	= "invalid control fields",
	[8]	= "invalid host-state fields",
	[26]	= "entry with events blocked by MOV SS",
};

static void explain_refusal(u32 reason, u32 insn_error)
{
	if (insn_error) {
		pr_err("tandem: VM entry failed: VM-instruction error %u: %s\n", insn_error,
		       insn_error < ARRAY_SIZE(insn_errors) && insn_errors[insn_error] ?
		       insn_errors[insn_error] : "?");
		check_exec_controls();
		check_tpr();
		check_exit_entry_controls();
		check_injection();
		check_host();
		return;
	}
	pr_err("tandem: VM entry failed: exit reason 0x%x %s, qualification 0x%lx\n",
	       reason, tdm_vmx_reason_name(reason), vmcs_readn(VMCS_EXIT_QUAL));
	if ((reason & REASON_BASIC_MASK) == REASON_BAD_GUEST_STATE)
		tdm_vmx_check_guest();
}

/**
 * tdm_vmx_explain() - say in the log which check an entry failed
 * @vcpu: loaded, its entry was just refused
 * @reason: exit reason, or 0 for VMfail
 * @insn_error: VM-instruction error, for VMfail
 */
void tdm_vmx_explain(struct tdm_vcpu *vcpu, u32 reason, u32 insn_error)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 3);

	if (!__ratelimit(&limit))
		return;
	broken = 0;
	pr_err("tandem: VM %s vCPU %u, RIP 0x%llx:\n", vcpu->vm->name, vcpu->id, vcpu->regs.rip);
	explain_refusal(reason, insn_error);
	if (broken)
		return;
	pr_err("tandem:   no rule we know is broken; the whole VMCS:\n");
	tdm_vmcs_dump(NULL);
}
