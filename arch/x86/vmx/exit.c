// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware exits to normalised exits: one table by basic exit reason.
 *
 * Reads from the VMCS only what the kind of exit needs; the rest comes lazily
 * through sync_out. A reason without an entry becomes TDM_EXIT_INTERNAL.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include <linux/indirect_call_wrapper.h>
#include <linux/kprobes.h>

#include "arch/x86/vmx/vmx.h"

#define INSN	VMX_EXIT_INSN
#define QUAL	VMX_EXIT_QUAL
#define VECT	VMX_EXIT_VECT

/* ---- port I/O (SDM table 27-5) ---- */

static bool decode_io(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u32 q = exit->hw_qual;

	exit->io.port = q >> 16;
	exit->io.size = (q & 7) + 1;
	exit->io.in = q & BIT(3);
	exit->io.string = q & BIT(4);
	exit->io.rep = q & BIT(5);
	return true;
}

/* ---- EPT violation (table 27-7) ---- */

static bool decode_ept_violation(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u32 q = exit->hw_qual;
	u32 access = 0;

	if (q & EPTV_READ)
		access |= TDM_ACCESS_READ;
	if (q & EPTV_WRITE)
		access |= TDM_ACCESS_WRITE;
	if (q & EPTV_FETCH)
		access |= TDM_ACCESS_FETCH;
	if (q & EPTV_PRESENT)
		access |= TDM_ACCESS_PRESENT;
	exit->mmu.access = access;
	exit->mmu.gpa = vmcs_read64(VMCS_GUEST_PHYS_ADDR);
	exit->mmu.gva_valid = q & EPTV_GVA_VALID;
	exit->mmu.gva = q & EPTV_GVA_VALID ? vmcs_readn(VMCS_GUEST_LINEAR_ADDR) : 0;
	exit->mmu.in_walk = (q & (EPTV_GVA_VALID | EPTV_GVA_TRANSLATED)) == EPTV_GVA_VALID;
	if (unlikely((q & EPTV_NMI_UNBLOCKED) && !vcpu->ev.cur_valid))
		tdm_vmx_nmi_reblock(vcpu);
	return true;
}

/* ---- exceptions, NMI ---- */

/* Only with shadow paging do these exit. CR2 is as the guest left it. */
static bool decode_page_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit, u32 info)
{
	exit->kind = TDM_EXIT_PAGE_FAULT;
	exit->pf.gva = exit->hw_qual;
	exit->pf.emulate = false;
	exit->pf.error = vmcs_read_again(VMCS_EXIT_INTR_ERROR);
	if (unlikely(vcpu->ev.cur_valid))
		tdm_vmx_restore_rf(vcpu);
	else if (unlikely(info & INTR_NMI_UNBLOCKED))
		tdm_vmx_nmi_reblock(vcpu);
	return true;
}

static bool decode_exception(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u32 info = vmcs_read32(VMCS_EXIT_INTR_INFO);
	u8 type = (info & INTR_TYPE_MASK) >> INTR_TYPE_SHIFT;
	u8 vector = info;

	if (type == TDM_EV_NMI) {
		tdm_host_nmi();
		exit->kind = TDM_EXIT_HOST_NMI;
		return true;
	}
	if (vector == X86_TRAP_MC) {
		tdm_host_machine_check();
		exit->kind = TDM_EXIT_HOST_NMI;
		return true;
	}
	exit->hw_qual = vmcs_readn(VMCS_EXIT_QUAL);
	if (likely(vector == X86_TRAP_PF))
		return decode_page_fault(vcpu, exit, info);
	exit->exc.vector = vector;
	exit->exc.has_error = info & INTR_ERROR_VALID;
	exit->exc.error = info & INTR_ERROR_VALID ? vmcs_read32(VMCS_EXIT_INTR_ERROR) : 0;
	exit->exc.payload = 0;
	if (type >= TDM_EV_SOFT_INT)
		exit->insn_len = vmcs_read32(VMCS_EXIT_INSN_LEN);
	if (vector == X86_TRAP_DB)
		exit->exc.payload = exit->hw_qual & (DR_TRAP_BITS | DR_STEP | BIT(13));
	if (unlikely((info & INTR_NMI_UNBLOCKED) && !vcpu->ev.cur_valid &&
		     vector != X86_TRAP_DF))
		tdm_vmx_nmi_reblock(vcpu);
	return true;
}

/* ---- task switch (table 27-2) ---- */

static bool decode_task_switch(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u32 idt = vmcs_read32(VMCS_IDT_VECTORING_INFO);

	exit->task.selector = exit->hw_qual;
	exit->task.reason = (exit->hw_qual >> 30) & 3;
	exit->task.idt_vector = idt & INTR_VALID ? (int)(idt & INTR_VECTOR_MASK) : -1;
	exit->task.has_error = (idt & INTR_VALID) && (idt & INTR_ERROR_VALID);
	exit->task.error = exit->task.has_error ? vmcs_read32(VMCS_IDT_VECTORING_ERROR) : 0;
	return true;
}

/* ---- control and debug registers (tables 27-3, 27-4) ---- */

static bool decode_cr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	static const u8 ops[] = { TDM_CR_WRITE, TDM_CR_READ, TDM_CR_CLTS, TDM_CR_LMSW };
	u64 q = exit->hw_qual;

	exit->cr.cr = q & 0xf;
	exit->cr.op = ops[(q >> 4) & 3];
	exit->cr.reg = (q >> 8) & 0xf;
	exit->cr.lmsw = q >> 16;
	return true;
}

/*
 * The first access to a debug register: give the guest the registers and let
 * it do the access itself. Taken back when interrupts have been on.
 */
static bool decode_dr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u64 q = exit->hw_qual;

	if (!(vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)) {
		tdm_stat(vcpu, exit_dr);
		v->dr_granted = true;
		v->before |= BEFORE_CTLS | BEFORE_DR;
		v->after |= AFTER_DR_SAVE;
		tdm_vmx_update_valid_after(vcpu);
		return false;
	}
	exit->dr.dr = q & 7;
	exit->dr.read = q & BIT(4);
	exit->dr.reg = (q >> 8) & 0xf;
	return true;
}

/* ---- small ones ---- */

static bool decode_invlpg(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	exit->mmu.gva = exit->hw_qual;
	exit->mmu.gva_valid = true;
	return true;
}

static bool decode_eoi(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	exit->exc.vector = exit->hw_qual;
	return true;
}

static bool decode_internal(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	exit->fail.reason = exit->hw_reason;
	exit->fail.insn_error = 0;
	return true;
}

static bool decode_ept_misconfig(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	exit->hw_qual = vmcs_read64(VMCS_GUEST_PHYS_ADDR);
	pr_err_ratelimited("tandem: EPT misconfiguration at guest-physical 0x%llx: a bug in the page tables we built\n",
			   exit->hw_qual);
	return decode_internal(vcpu, exit);
}

/* ---- the table ---- */

const struct tdm_vmx_exit_desc tdm_vmx_exits[VMX_NR_REASONS] = {
	[REASON_EXCEPTION_NMI]	= { TDM_EXIT_EXCEPTION,	VECT },
	[REASON_EXT_INTR]	= { TDM_EXIT_HOST_INTR },
	[REASON_TRIPLE_FAULT]	= { TDM_EXIT_TRIPLE_FAULT },
	[REASON_INIT]		= { TDM_EXIT_INIT_SIGNAL },
	[REASON_INTR_WINDOW]	= { TDM_EXIT_IRQ_WINDOW },
	[REASON_NMI_WINDOW]	= { TDM_EXIT_NMI_WINDOW },
	[REASON_TASK_SWITCH]	= { TDM_EXIT_TASK_SWITCH,	INSN | QUAL },
	[REASON_CPUID]		= { TDM_EXIT_CPUID,		INSN },
	[REASON_GETSEC]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_HLT]		= { TDM_EXIT_HLT,		INSN },
	[REASON_INVD]		= { TDM_EXIT_WBINVD,		INSN },
	[REASON_INVLPG]		= { TDM_EXIT_INVLPG,	INSN | QUAL },
	[REASON_RDPMC]		= { TDM_EXIT_RDPMC,		INSN },
	[REASON_RDTSC]		= { TDM_EXIT_RDTSC,		INSN },
	[REASON_RSM]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMCALL]		= { TDM_EXIT_VMCALL,		INSN },
	[REASON_VMCLEAR]	= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMLAUNCH]	= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMPTRLD]	= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMPTRST]	= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMREAD]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMRESUME]	= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMWRITE]	= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMXOFF]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMXON]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_CR_ACCESS]	= { TDM_EXIT_CR,		INSN | QUAL },
	[REASON_MOV_DR]		= { TDM_EXIT_DR,		INSN | QUAL },
	[REASON_IO]		= { TDM_EXIT_IO,		INSN | QUAL },
	[REASON_RDMSR]		= { TDM_EXIT_RDMSR,		INSN },
	[REASON_WRMSR]		= { TDM_EXIT_WRMSR,		INSN },
	[REASON_MWAIT]		= { TDM_EXIT_MWAIT,		INSN },
	[REASON_MTF]		= { TDM_EXIT_SINGLE_STEP },
	[REASON_MONITOR]	= { TDM_EXIT_MONITOR,		INSN },
	[REASON_PAUSE]		= { TDM_EXIT_PAUSE,		INSN },
	[REASON_TPR_THRESHOLD]	= { TDM_EXIT_TPR_THRESHOLD },
	[REASON_APIC_ACCESS]	= { TDM_EXIT_APIC_ACCESS,	QUAL | VECT },
	[REASON_VIRT_EOI]	= { TDM_EXIT_EOI,		QUAL },
	[REASON_GDTR_IDTR]	= { TDM_EXIT_DESC_TABLE,	INSN | QUAL },
	[REASON_LDTR_TR]	= { TDM_EXIT_DESC_TABLE,	INSN | QUAL },
	[REASON_EPT_VIOLATION]	= { TDM_EXIT_MMU_FAULT,	QUAL | VECT },
	[REASON_EPT_MISCONFIG]	= { TDM_EXIT_INTERNAL,	VECT },
	[REASON_INVEPT]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_RDTSCP]		= { TDM_EXIT_RDTSCP,		INSN },
	[REASON_PREEMPT_TIMER]	= { TDM_EXIT_PREEMPT_TIMER },
	[REASON_INVVPID]	= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_WBINVD]		= { TDM_EXIT_WBINVD,		INSN },
	[REASON_XSETBV]		= { TDM_EXIT_XSETBV,		INSN },
	/* These exit only for guests whose CPUID lacks the instruction. */
	[REASON_RDRAND]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_RDSEED]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	[REASON_VMFUNC]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
	/* The emulator reads the descriptor. */
	[REASON_INVPCID]	= { TDM_EXIT_EMULATE,		INSN },
	[REASON_ENCLS]		= { TDM_EXIT_UNDEFINED_INSN,	INSN },
};

/*
 * What fills the union; may change exit->kind; returns false to enter the guest
 * again at once.
 */
static const tdm_vmx_decoder decoders[VMX_NR_REASONS] = {
	[REASON_EXCEPTION_NMI]	= decode_exception,
	[REASON_TASK_SWITCH]	= decode_task_switch,
	[REASON_INVLPG]		= decode_invlpg,
	[REASON_CR_ACCESS]	= decode_cr,
	[REASON_MOV_DR]		= decode_dr,
	[REASON_IO]		= decode_io,
	[REASON_VIRT_EOI]	= decode_eoi,
	[REASON_EPT_VIOLATION]	= decode_ept_violation,
	[REASON_EPT_MISCONFIG]	= decode_ept_misconfig,
};

static const char *const reason_names[VMX_NR_REASONS] = {
#define X(name, nr) [nr] = #name,
	VMX_REASONS(X)
#undef X
};

/** tdm_vmx_reason_name() - exit reason in words, for messages */
const char *tdm_vmx_reason_name(u32 reason)
{
	reason &= REASON_BASIC_MASK;
	return reason < VMX_NR_REASONS && reason_names[reason] ? reason_names[reason] : "?";
}

/**
 * tdm_vmx_decode_odd() - no entry in the table, or the entry into the guest failed
 * @vcpu: just exited
 * @exit: filled
 * @reason: the exit reason field
 */
void tdm_vmx_decode_odd(struct tdm_vcpu *vcpu, struct tdm_exit *exit, u32 reason)
{
	exit->kind = TDM_EXIT_INTERNAL;
	exit->insn_len = 0;
	exit->hw_reason = reason;
	exit->hw_qual = vmcs_readn(VMCS_EXIT_QUAL);
	decode_internal(vcpu, exit);
	if (!(reason & REASON_ENTRY_FAILURE))
		return;
	if ((reason & REASON_BASIC_MASK) == REASON_ENTRY_MCE) {
		tdm_host_machine_check();
		exit->kind = TDM_EXIT_HOST_NMI;
		return;
	}
	exit->kind = TDM_EXIT_ENTRY_FAILED;
	tdm_vmx_explain(vcpu, reason, 0);
}

/**
 * tdm_vmx_decode() - the rest of an exit that is not just an instruction
 * @vcpu: just exited, interrupts off
 * @exit: kind, hw_reason and insn_len are filled
 * @reason: below VMX_NR_REASONS
 *
 * Return: true; false if there is nothing to report: enter the guest again.
 */
bool tdm_vmx_decode(struct tdm_vcpu *vcpu, struct tdm_exit *exit, u32 reason)
{
	u8 flags = tdm_vmx_exits[reason].flags;
	tdm_vmx_decoder decode = decoders[reason];

	/* The caller's single step put TF there. */
	if ((flags & INSN) && unlikely(vcpu->guest_debug))
		tdm_vmx_sync_out(vcpu, TDM_ST_RFLAGS);
	if (flags & VECT)
		tdm_vmx_requeue(vcpu, vmcs_read32(VMCS_IDT_VECTORING_INFO));
	if (flags & QUAL)
		exit->hw_qual = vmcs_readn(VMCS_EXIT_QUAL);
	if (!decode)
		return true;
	return INDIRECT_CALL_2(decode, decode_ept_violation, decode_io, vcpu, exit);
}
NOKPROBE_SYMBOL(tdm_vmx_decode);
