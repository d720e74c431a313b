// SPDX-License-Identifier: GPL-2.0-only
/*
 * enter(): the hot path.
 *
 * Everything that is not needed at every entry hides behind two words of
 * flags, tdm_vmx.before and .after; a plain exit tests them and moves on.
 * Interrupts are off throughout. No IRET may happen between a guest exit and
 * tdm_host_nmi() (exit.c), or NMIs would nest: so no probes, no faults here.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/special_insns.h>
#include <asm/tsc.h>
#include <linux/kprobes.h>

#include "arch/x86/vmx/inv.h"
#include "arch/x86/vmx/vmx.h"
#include "shadow_mmu/mmu.h"

/* ---- before ---- */

static void revoke_debug_registers(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	tdm_need(vcpu, TDM_ST_DR7);
	v->dr_granted = false;
	v->after &= ~AFTER_DR_SAVE;
	v->before |= BEFORE_CTLS;
	if (!(vcpu->st.dr7 & (DR_GLOBAL_ENABLE_MASK | DR_LOCAL_ENABLE_MASK)))
		v->before &= ~BEFORE_DR;
	tdm_vmx_update_valid_after(vcpu);
}

/* Host state that can change while interrupts are on. */
static void look_at_host(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	unsigned long cr3 = __native_read_cr3(), cr4 = native_read_cr4();

	if (unlikely(!v->segs.loaded))
		tdm_vmx_prepare(vcpu);
	if (cr3 != v->host_cr3) {
		v->host_cr3 = cr3;
		vmcs_writen(VMCS_HOST_CR3, cr3);
	}
	if (cr4 != v->host_cr4) {
		v->host_cr4 = cr4;
		vmcs_writen(VMCS_HOST_CR4, cr4);
	}
	v->host_debugctl = get_debugctlmsr();
	v->after &= ~(AFTER_DEBUGCTL | AFTER_HOST_BP);
	if (v->host_debugctl)
		v->after |= AFTER_DEBUGCTL;
	if (hw_breakpoint_active())
		v->after |= AFTER_HOST_BP;
	if (unlikely(v->dr_granted))
		revoke_debug_registers(vcpu);
	if (vcpu->st.tsc_offset != v->tsc_offset) {
		v->tsc_offset = vcpu->st.tsc_offset;
		vmcs_write64(VMCS_TSC_OFFSET, v->tsc_offset);
	}
	/* TPR may have changed: the threshold must not be above it. */
	if (v->windows >> TDM_WINDOW_TPR_SHIFT || v->tpr_now)
		v->before |= BEFORE_CTLS;
	tdm_host_l1d_flush();
}

static void flush(struct tdm_vmx *v)
{
	/* Without VPID each entry flushes. */
	if (v->shadow)
		return;
	/* All there is under EPT is derived from it; VPID tags cover reuse. */
	tdm_invept(INV_SINGLE, v->root);
	if (v->vpid)
		tdm_invvpid(INV_SINGLE, v->vpid);
}

static void load_root(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	if (v->shadow) {
		tdm_vmx_mmu_root_changed(vcpu);
		return;
	}
	v->root = tdm_mmu_eptp(vcpu->vm);
	vmcs_write64(VMCS_EPTP, v->root);
	v->before |= BEFORE_FLUSH;
}

static void arm_timer(struct tdm_vmx *v)
{
	u64 now = rdtsc();
	u64 ticks = v->deadline > now ? (v->deadline - now) >> tdm_vmx_caps.timer_shift : 0;

	/* Too far away: exit early, the core sees that nothing is due. */
	vmcs_write32(VMCS_PREEMPT_TIMER, min_t(u64, ticks, U32_MAX));
}

static noinline void before_entry(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	if (v->before & BEFORE_MOVED)
		tdm_vmx_host_moved();
	if (v->before & BEFORE_FRESH)
		look_at_host(vcpu);
	if (v->before & BEFORE_CTLS)
		tdm_vmx_ctrl_apply(vcpu);
	if ((v->before & BEFORE_ROOT) || unlikely(!v->root))
		load_root(vcpu);
	if (v->before & BEFORE_FLUSH)
		flush(v);
	if (v->before & BEFORE_TIMER)
		arm_timer(v);
	if (v->before & BEFORE_DR) {
		tdm_host_debug_load(vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ?
				    vcpu->debug_dr : vcpu->st.dr);
		if (v->dr_granted)
			tdm_host_debug_load_dr6(vcpu->st.dr6);
	}
	v->before &= BEFORE_TIMER | BEFORE_DR;
}

/* ---- after ---- */

static noinline void after_exit(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	if (v->after & AFTER_DR_SAVE)
		tdm_host_debug_save(vcpu->st.dr, &vcpu->st.dr6);
	if (v->after & AFTER_HOST_BP)
		hw_breakpoint_restore();
	if (v->after & AFTER_DEBUGCTL)
		update_debugctlmsr(v->host_debugctl);
}
NOKPROBE_SYMBOL(after_exit);

/* VMLAUNCH or VMRESUME did not even start: nothing of the guest was loaded. */
static noinline void entry_refused(struct tdm_vcpu *vcpu, struct tdm_exit *exit, u32 run)
{
	u32 error = run == VMX_RUN_FAILED ? vmcs_read32(VMCS_INSN_ERROR) : 0;

	if (to_vmx(vcpu)->after)
		after_exit(vcpu);
	exit->kind = TDM_EXIT_ENTRY_FAILED;
	exit->insn_len = 0;
	exit->hw_reason = 0;
	exit->hw_qual = 0;
	exit->fail.reason = error;
	exit->fail.insn_error = error;
	/* A reboot took VMX away: nothing to explain. */
	if (run == VMX_RUN_FAILED && !READ_ONCE(tdm_host_going_down))
		tdm_vmx_explain(vcpu, 0, error);
}

/* What the core needs to skip an instruction: without a call, it is hot. */
static __always_inline void read_insn_state(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u32 intr;

	exit->insn_len = vmcs_read_again(VMCS_EXIT_INSN_LEN);
	vcpu->regs.rflags = vmcs_read_again(VMCS_GUEST_RFLAGS);
	intr = vmcs_read_again(VMCS_GUEST_INTERRUPTIBILITY);
	if (likely(!intr)) {
		vcpu->ev.nmi_masked = false;
		vcpu->ev.int_shadow = 0;
	} else {
		vcpu->ev.nmi_masked = intr & INTR_BLOCK_NMI;
		vcpu->ev.int_shadow = intr & (INTR_BLOCK_STI | INTR_BLOCK_MOV_SS);
	}
}

/* What was to be injected goes the way of the instructions: by software. */
static noinline void leave_to_interpreter(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_vmx_cancel_injection(vcpu);
	exit->kind = TDM_EXIT_EMULATE;
	exit->insn_len = 0;
	exit->hw_reason = 0;
	exit->hw_qual = 0;
}

static noinline void enter_again(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_vmx_enter(vcpu, exit);
}

/** tdm_vmx_enter() - tdm_engine_ops.enter */
void tdm_vmx_enter(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	const struct tdm_vmx_exit_desc *d;
	unsigned long cr2;
	u32 run, reason;

	if (unlikely(vcpu->dirty & ~TDM_ST_RIP)) {
		if (unlikely(tdm_vmx_must_emulate(vcpu))) {
			leave_to_interpreter(vcpu, exit);
			return;
		}
		tdm_vmx_sync_in(vcpu, TDM_ST_ALL & ~TDM_ST_RIP);
	}
	if (vcpu->dirty & TDM_ST_RIP)
		vmcs_writen(VMCS_GUEST_RIP, vcpu->regs.rip);
	vcpu->dirty = 0;
	if (unlikely(v->before))
		before_entry(vcpu);

	cr2 = vcpu->st.cr2;
	if (unlikely(cr2 != native_read_cr2()))
		native_write_cr2(cr2);
	run = tdm_vmx_run_guest(&vcpu->regs, &v->vmcs);
	if (unlikely(run)) {
		entry_refused(vcpu, exit, run);
		return;
	}
	vcpu->st.cr2 = native_read_cr2();
	if (unlikely(v->after))
		after_exit(vcpu);

	reason = vmcs_read32(VMCS_EXIT_REASON);
	vcpu->regs.rip = vmcs_read_again(VMCS_GUEST_RIP);
	if (unlikely(reason >= VMX_NR_REASONS)) {
		vcpu->valid = v->valid_after;
		tdm_vmx_decode_odd(vcpu, exit, reason);
		return;
	}
	v->vmcs.launched = 1;
	v->injected = false;
	d = &tdm_vmx_exits[reason];
	exit->kind = d->kind;
	exit->hw_reason = reason;
	exit->hw_qual = 0;
	if (likely(d->flags & VMX_EXIT_INSN)) {
		read_insn_state(vcpu, exit);
		vcpu->valid = v->valid_after | TDM_ST_RFLAGS | TDM_ST_SHADOW;
		if (likely(d->flags == v->plain))
			return;
	} else {
		exit->insn_len = 0;
		vcpu->valid = v->valid_after;
		if (unlikely(!d->kind)) {
			tdm_vmx_decode_odd(vcpu, exit, reason);
			return;
		}
	}
	/* False: nothing to report. At most once in a row: see decode_dr(). */
	if (unlikely(!tdm_vmx_decode(vcpu, exit, reason)))
		enter_again(vcpu, exit);
}
NOKPROBE_SYMBOL(tdm_vmx_enter);

/* ---- translations ---- */

/** tdm_vmx_mmu_root_changed() - tdm_engine_ops.mmu_root_changed */
void tdm_vmx_mmu_root_changed(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	if (!v->shadow) {
		v->before |= BEFORE_ROOT;
	} else if (v->root != vcpu->mmu.hw_cr3) {
		v->root = vcpu->mmu.hw_cr3;
		vmcs_writen(VMCS_GUEST_CR3, v->root);
	}
}

/** tdm_vmx_tlb_flush() - tdm_engine_ops.tlb_flush */
void tdm_vmx_tlb_flush(struct tdm_vcpu *vcpu)
{
	to_vmx(vcpu)->before |= BEFORE_FLUSH;
}
