// SPDX-License-Identifier: GPL-2.0-only
/*
 * What to do about an exit: one table by enum tdm_exit_kind, engine-independent.
 *
 * A handler returns 1 (enter again), 0 (to the caller, run->exit_reason is
 * set) or a negative errno. The fast table holds what can be done with
 * interrupts off, without sleeping. An exit without
 * an entry is an internal error of this VM, never of the host.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include <linux/kvm_para.h>
#include <linux/sched.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/event.h"
#include "kmod/iobus.h"
#include "kmod/trace.h"
#include "shadow_mmu/mmu.h"

/* The rare parts of skip_insn(). */
static noinline void skip_rare(struct tdm_vcpu *vcpu, u64 old)
{
	/* Outside 64-bit code RIP wraps at 4 GiB; look only when it crosses. */
	if (((old ^ vcpu->regs.rip) >> 32) && !tdm_64bit_code(vcpu))
		vcpu->regs.rip = (u32)vcpu->regs.rip;
	if (vcpu->ev.int_shadow) {
		vcpu->ev.int_shadow = 0;
		tdm_touch(vcpu, TDM_ST_SHADOW);
	}
	tdm_insn_done_flags(vcpu, vcpu->regs.rflags);
}

static __always_inline void skip_insn(struct tdm_vcpu *vcpu, u8 len)
{
	u64 old = vcpu->regs.rip;

	tdm_need(vcpu, TDM_ST_RFLAGS | TDM_ST_SHADOW);
	vcpu->regs.rip = old + len;
	tdm_touch(vcpu, TDM_ST_RIP);
	if (unlikely(((old ^ vcpu->regs.rip) >> 32) || vcpu->ev.int_shadow ||
		     (vcpu->regs.rflags & (X86_EFLAGS_RF | X86_EFLAGS_TF))))
		skip_rare(vcpu, old);
}

/**
 * tdm_skip_insn() - the exiting instruction is done: go to the next
 * @vcpu: loaded vCPU
 * @len: its length in bytes
 *
 * Ends an STI or MOV SS shadow, clears RF, raises the single-step trap of
 * RFLAGS.TF (SDM vol. 3, 17.3.1.4).
 */
void tdm_skip_insn(struct tdm_vcpu *vcpu, u8 len)
{
	skip_insn(vcpu, len);
}

/**
 * tdm_insn_done_flags() - RF and TF at the end of an instruction
 * @vcpu: loaded vCPU, RFLAGS valid
 * @before: RFLAGS when the instruction began: its TF counts
 */
void tdm_insn_done_flags(struct tdm_vcpu *vcpu, u64 before)
{
	if (vcpu->regs.rflags & X86_EFLAGS_RF) {
		vcpu->regs.rflags &= ~(u64)X86_EFLAGS_RF;
		tdm_touch(vcpu, TDM_ST_RFLAGS);
	}
	/* A step the caller asked for is noticed by tdm_debug_step(). */
	if ((before & X86_EFLAGS_TF) && !(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		tdm_queue_exception_payload(vcpu, X86_TRAP_DB, false, 0, TDM_DR6_BS);
}

/* What the caller watches for came: KVM_EXIT_DEBUG. */
static int debug_exit(struct tdm_vcpu *vcpu, u32 vector, u64 dr6)
{
	struct kvm_run *run = vcpu->run;

	tdm_need(vcpu, TDM_ST_SEG | TDM_ST_DR7 | TDM_ST_SHADOW);
	/*
	 * After STI or MOV SS the guest's own trap would wait for the shadow's
	 * end; the step has been taken already, so end the shadow.
	 */
	if ((vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP) && vcpu->ev.int_shadow) {
		vcpu->ev.int_shadow = 0;
		tdm_touch(vcpu, TDM_ST_SHADOW);
	}
	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = vector;
	run->debug.arch.pc = vcpu->st.seg[TDM_SEG_CS].base + vcpu->regs.rip;
	run->debug.arch.dr6 = dr6;
	run->debug.arch.dr7 = vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ?
			      vcpu->debug_dr7 : vcpu->st.dr7;
	return 0;
}

/**
 * tdm_interpreted_breakpoint() - the interpreter came to a breakpoint on execution
 * @vcpu: loaded vCPU, before the instruction
 * @hits: DR6 bits
 *
 * Return: as a handler.
 */
int tdm_interpreted_breakpoint(struct tdm_vcpu *vcpu, u64 hits)
{
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		return debug_exit(vcpu, X86_TRAP_DB, hits | DR6_RESERVED);
	tdm_queue_exception_payload(vcpu, X86_TRAP_DB, false, 0, hits);
	return 1;
}

/**
 * tdm_debug_step() - does a step the caller asked for end here?
 * @vcpu: loaded vCPU, about to go on
 * @old_rip: RIP before the last instruction was handled by software
 *
 * Steps the processor makes end in #DB; those made by exit handlers and by the
 * emulator show only in RIP.
 *
 * Return: 1 go on; 0 with KVM_EXIT_DEBUG.
 */
int tdm_debug_step(struct tdm_vcpu *vcpu, u64 old_rip)
{
	if (likely(!(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)) ||
	    vcpu->regs.rip == old_rip)
		return 1;
	return debug_exit(vcpu, X86_TRAP_DB, TDM_DR6_BS | DR6_RESERVED);
}

static int skip_and_resume(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	tdm_skip_insn(vcpu, exit->insn_len);
	return 1;
}

/**
 * tdm_internal_error() - KVM_EXIT_INTERNAL_ERROR with what a person needs
 * @vcpu: loaded vCPU
 * @suberror: KVM_INTERNAL_ERROR_*
 * @exit: the exit it is about; hw_reason, hw_qual and RIP go to the caller
 *
 * Return: 0, for the handler to return.
 */
int tdm_internal_error(struct tdm_vcpu *vcpu, u32 suberror, const struct tdm_exit *exit)
{
	struct kvm_run *run = vcpu->run;

	tdm_stat(vcpu, exit_unhandled);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = 4;
	run->internal.data[0] = exit->hw_reason;
	run->internal.data[1] = exit->hw_qual;
	run->internal.data[2] = vcpu->regs.rip;
	run->internal.data[3] = vcpu->last_cpu;
	return 0;
}

static int handle_unexpected(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, exit);
}

/* ---- port I/O ---- */

/* Its breakpoints found something: a trap, together with TF's if there is one. */
static noinline int io_breakpoint(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	u64 hits = tdm_dr_io_hits(vcpu, exit->io.port, exit->io.size);

	if (!hits)
		return 1;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		return debug_exit(vcpu, X86_TRAP_DB, hits | DR6_RESERVED);
	if (vcpu->ev.exc_pending && vcpu->ev.exc.vector == X86_TRAP_DB)
		vcpu->ev.exc.payload |= hits;
	else
		tdm_queue_exception_payload(vcpu, X86_TRAP_DB, false, 0, hits);
	return 1;
}

/* IN or OUT is done. */
static __always_inline int io_done(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	skip_insn(vcpu, exit->insn_len);
	return likely(!tdm_dr_any(vcpu)) ? 1 : io_breakpoint(vcpu, exit);
}

/* IN's destination: AL and AX leave the rest alone, EAX clears the upper half. */
static __always_inline void set_in(u64 *rax, u32 val, u8 size)
{
	if (size == 1)
		*(u8 *)rax = val;
	else if (size == 2)
		*(u16 *)rax = val;
	else
		*rax = val;
}

static int complete_in(struct tdm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 *rax = &vcpu->regs.gpr[TDM_RAX];
	u32 val = 0;

	memcpy(&val, vcpu->pio_data, vcpu->exit.io.size);
	/* The page is the caller's: only what the instruction asked for counts. */
	set_in(rax, val, vcpu->exit.io.size);
	run->io.count = 0;
	return io_done(vcpu, &vcpu->exit);
}

static int complete_out(struct tdm_vcpu *vcpu)
{
	/* The caller may have set new registers meanwhile (a reset): keep them. */
	if (vcpu->regs.rip != vcpu->io_rip)
		return 1;
	return io_done(vcpu, &vcpu->exit);
}

static int io_to_user(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = exit->io.in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = exit->io.size;
	run->io.port = exit->io.port;
	run->io.count = 1;
	run->io.data_offset = PAGE_SIZE;
	if (!exit->io.in)
		memcpy(vcpu->pio_data, &vcpu->regs.gpr[TDM_RAX], exit->io.size);
	vcpu->io_rip = vcpu->regs.rip;
	vcpu->complete_userspace = exit->io.in ? complete_in : complete_out;
	return 0;
}

/* Tries the devices in the kernel: true if one answered. Interrupts are off. */
static __always_inline bool io_in_kernel(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	u64 *rax = &vcpu->regs.gpr[TDM_RAX];
	u32 val = 0;

	if (exit->io.in) {
		if (tdm_pio_read_irqoff(vcpu, exit->io.port, exit->io.size, &val))
			return false;
		set_in(rax, val, exit->io.size);
	} else {
		val = *rax;
		if (tdm_pio_write_irqoff(vcpu, exit->io.port, exit->io.size, &val))
			return false;
	}
	trace_tdm_io(vcpu, false, !exit->io.in, exit->io.port, exit->io.size, val);
	return true;
}

static bool io_in_kernel_irqon(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	bool done;

	local_irq_disable();
	done = io_in_kernel(vcpu, exit);
	local_irq_enable();
	return done;
}

static enum tdm_fast fast_io(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	if (exit->io.string || !io_in_kernel(vcpu, exit)) {
		exit->io.tried = true;
		return TDM_FAST_NO;
	}
	tdm_stat(vcpu, exit_io);
	io_done(vcpu, exit);
	/* A read raises nothing by itself; what comes later kicks. */
	return exit->io.in && !vcpu->ev.exc_pending ? TDM_FAST_DONE : TDM_FAST_EVENTS;
}

static int handle_io(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_io);
	if (exit->io.string)
		return tdm_emulate(vcpu, exit);
	if (!exit->io.tried && io_in_kernel_irqon(vcpu, exit))
		return io_done(vcpu, exit);
	trace_tdm_io(vcpu, false, !exit->io.in, exit->io.port, exit->io.size,
		     vcpu->regs.gpr[TDM_RAX]);
	return io_to_user(vcpu, exit);
}

/* ---- address spaces with shadow paging: memory faults are in mem_exit.c ---- */

/* MOV to and from CR3 exit only with shadow paging. */
static enum tdm_fast fast_cr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	if (exit->cr.cr != 3 || vcpu->vm->mmu_mode != TDM_MMU_MODE_SHADOW)
		return TDM_FAST_NO;
	if (exit->cr.op == TDM_CR_READ) {
		tdm_set_reg(vcpu, exit->cr.reg, vcpu->st.cr3);
	} else {
		/* PDPTRs come from memory that may have to be brought in; #GP is rare. */
		if (tdm_pae_paging(&vcpu->st) ||
		    tdm_set_cr3(vcpu, tdm_reg(vcpu, exit->cr.reg)))
			return TDM_FAST_NO;
		/* Before the update: what comes meanwhile is to be done again. */
		tdm_take_request(vcpu, TDM_REQ_MMU_ROOT);
		if (tdm_mmu_update_root_fast(vcpu))
			vcpu->ops->mmu_root_changed(vcpu);
		else
			tdm_request(vcpu, TDM_REQ_MMU_ROOT);
	}
	tdm_stat(vcpu, exit_cr);
	skip_insn(vcpu, exit->insn_len);
	return vcpu->ev.exc_pending ? TDM_FAST_EVENTS : TDM_FAST_DONE;
}

static enum tdm_fast fast_invlpg(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_mmu_guest_invlpg(vcpu, exit->mmu.gva);
	skip_insn(vcpu, exit->insn_len);
	return vcpu->ev.exc_pending ? TDM_FAST_EVENTS : TDM_FAST_DONE;
}

/* ---- instructions ---- */

/* A leaf the index does not hold: beyond the tables, or not there at all. */
static noinline void cpuid_miss(struct tdm_vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 eax = gpr[TDM_RAX], ecx = gpr[TDM_RCX], ebx, edx;

	tdm_cpuid_exec(vcpu, &eax, &ebx, &ecx, &edx);
	gpr[TDM_RAX] = eax;
	gpr[TDM_RBX] = ebx;
	gpr[TDM_RCX] = ecx;
	gpr[TDM_RDX] = edx;
}

static __always_inline void do_cpuid(struct tdm_vcpu *vcpu)
{
	const struct tdm_cpuid *c = vcpu->cpuid;
	const struct kvm_cpuid_entry2 *e = NULL;
	u64 *gpr = vcpu->regs.gpr;

	tdm_stat(vcpu, exit_cpuid);
	if (likely(c))
		e = tdm_cpuid_index_hit(&c->idx, c->entries, gpr[TDM_RAX], gpr[TDM_RCX]);
	if (unlikely(!e)) {
		cpuid_miss(vcpu);
		return;
	}
	gpr[TDM_RAX] = e->eax;
	gpr[TDM_RBX] = e->ebx;
	gpr[TDM_RCX] = e->ecx;
	gpr[TDM_RDX] = e->edx;
}

static enum tdm_fast fast_cpuid(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	if (unlikely(tdm_cpuid_faults(vcpu)))
		return TDM_FAST_NO;
	do_cpuid(vcpu);
	skip_insn(vcpu, exit->insn_len);
	return vcpu->ev.exc_pending ? TDM_FAST_EVENTS : TDM_FAST_DONE;
}

static int handle_cpuid(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	if (tdm_cpuid_faults(vcpu)) {
		tdm_queue_gp(vcpu);
		return 1;
	}
	do_cpuid(vcpu);
	return skip_and_resume(vcpu, exit);
}

static int handle_hlt(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	int r;

	tdm_stat(vcpu, exit_hlt);
	r = skip_and_resume(vcpu, exit);
	if (!r)
		return r;
	if (vcpu->vm->irqchip != TDM_IRQCHIP_NONE) {
		vcpu->mp_state = KVM_MP_STATE_HALTED;
		return 1;
	}
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

static int handle_invlpg(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_mmu_guest_invlpg(vcpu, exit->mmu.gva);
	return skip_and_resume(vcpu, exit);
}

/* No performance counters are offered: every index is invalid. */
static int handle_rdpmc(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_insn);
	tdm_queue_gp(vcpu);
	return 1;
}

void tdm_hypercall(struct tdm_vcpu *vcpu)
{
	/* No hypercalls yet; KVM's answers, so that guests that probe can tell. */
	tdm_set_reg(vcpu, TDM_RAX, tdm_cpl(vcpu) ? -KVM_EPERM : -KVM_ENOSYS);
}

static int handle_vmcall(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_insn);
	tdm_hypercall(vcpu);
	return skip_and_resume(vcpu, exit);
}

static int handle_undefined(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_insn);
	tdm_queue_ud(vcpu);
	return 1;
}

static int handle_emulate(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_insn);
	return tdm_emulate(vcpu, exit);
}

/* INT3 of the caller's, come to by the interpreter. */
static bool is_soft_breakpoint(const struct tdm_vcpu *vcpu)
{
	return (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP) && vcpu->ev.cur_valid &&
	       vcpu->ev.cur.type == TDM_EV_SOFT_EXC && vcpu->ev.cur.vector == X86_TRAP_BP;
}

static int handle_interpret(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_insn);
	if (unlikely(is_soft_breakpoint(vcpu))) {
		vcpu->ev.cur_valid = false;
		return debug_exit(vcpu, X86_TRAP_BP, 0);
	}
	return tdm_interpret(vcpu, exit, TDM_INTERPRET_MAX);
}

static int handle_skip(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_insn);
	return skip_and_resume(vcpu, exit);
}

static int handle_mwait(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	if (!tdm_may_monitor(vcpu))
		return handle_undefined(vcpu, exit);
	return handle_skip(vcpu, exit);
}

static int handle_pause(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_pause);
	cond_resched();
	return skip_and_resume(vcpu, exit);
}

static int handle_rdmsr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_rdmsr);
	return tdm_rdmsr_exit(vcpu);
}

static int handle_wrmsr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_wrmsr);
	return tdm_wrmsr_exit(vcpu);
}

static enum tdm_fast fast_wrmsr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u64 *gpr = vcpu->regs.gpr;
	u64 val = (u32)gpr[TDM_RAX] | gpr[TDM_RDX] << 32;

	if (!tdm_wrmsr_fast(vcpu, gpr[TDM_RCX], val))
		return TDM_FAST_NO;
	tdm_stat(vcpu, exit_wrmsr);
	skip_insn(vcpu, exit->insn_len);
	return TDM_FAST_EVENTS;
}

/* ---- control and debug registers ---- */

static int cr_write(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	u64 val = tdm_reg(vcpu, exit->cr.reg);
	u64 old_tpr;
	int r;

	switch (exit->cr.cr) {
	case 0:
		r = tdm_set_cr0(vcpu, val);
		break;
	case 3:
		r = tdm_set_cr3(vcpu, val);
		break;
	case 4:
		r = tdm_set_cr4(vcpu, val);
		break;
	case 8:
		old_tpr = vcpu->lapic ? 0 : vcpu->st.cr8;
		r = tdm_set_cr8(vcpu, val);
		/* Without a LAPIC of ours the caller must see TPR go down. */
		if (!r && !vcpu->lapic && val < old_tpr) {
			tdm_skip_insn(vcpu, exit->insn_len);
			vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
			return 0;
		}
		break;
	default:
		return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, exit);
	}
	if (r) {
		tdm_queue_gp(vcpu);
		return 1;
	}
	return skip_and_resume(vcpu, exit);
}

static int cr_read(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	u64 val;

	tdm_need(vcpu, TDM_ST_CR);
	switch (exit->cr.cr) {
	case 0:
		val = vcpu->st.cr0;
		break;
	case 3:
		val = vcpu->st.cr3;
		break;
	case 4:
		val = vcpu->st.cr4;
		break;
	case 8:
		val = vcpu->lapic ? tdm_lapic_get_tpr(vcpu) : vcpu->st.cr8;
		break;
	default:
		return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, exit);
	}
	tdm_set_reg(vcpu, exit->cr.reg, val);
	return skip_and_resume(vcpu, exit);
}

static int handle_cr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u64 cr0;

	tdm_stat(vcpu, exit_cr);
	tdm_need(vcpu, TDM_ST_CR);
	switch (exit->cr.op) {
	case TDM_CR_WRITE:
		return cr_write(vcpu, exit);
	case TDM_CR_READ:
		return cr_read(vcpu, exit);
	case TDM_CR_CLTS:
		cr0 = vcpu->st.cr0 & ~(u64)X86_CR0_TS;
		break;
	default:
		/* LMSW sets PE, never clears it (SDM vol. 2, LMSW). */
		cr0 = (vcpu->st.cr0 & ~0xeull) | (exit->cr.lmsw & 0xf);
	}
	if (tdm_set_cr0(vcpu, cr0)) {
		tdm_queue_gp(vcpu);
		return 1;
	}
	return skip_and_resume(vcpu, exit);
}

static int handle_dr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u64 val = 0;
	int r;

	tdm_stat(vcpu, exit_dr);
	/* The MOV DR exit comes before the CPL check (SDM vol. 3, 25.1.3). */
	if (tdm_cpl(vcpu)) {
		tdm_queue_gp(vcpu);
		return 1;
	}
	/* General detect of the caller's, not of the guest's. */
	if ((vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP) &&
	    (vcpu->debug_dr7 & TDM_DR7_GD))
		return debug_exit(vcpu, X86_TRAP_DB, TDM_DR6_BD | DR6_RESERVED);
	if (exit->dr.read) {
		r = tdm_get_dr(vcpu, exit->dr.dr, &val);
		if (!r)
			tdm_set_reg(vcpu, exit->dr.reg, val);
	} else {
		r = tdm_set_dr(vcpu, exit->dr.dr, tdm_reg(vcpu, exit->dr.reg));
	}
	/* Those two raise what is due (#UD, #GP, #DB by DR7.GD). */
	return r ? 1 : skip_and_resume(vcpu, exit);
}

/* ---- events ---- */

static int handle_exception(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	u8 vector = exit->exc.vector;

	tdm_stat(vcpu, exit_exception);
	if (vector == X86_TRAP_DB &&
	    (vcpu->guest_debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP)))
		return debug_exit(vcpu, vector, exit->exc.payload | DR6_RESERVED);
	if (vector == X86_TRAP_BP && (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP))
		return debug_exit(vcpu, vector, 0);
	/* INT3, INTO and ICEBP are delivered behind their instruction. */
	if (exit->insn_len) {
		vcpu->ev.cur = (struct tdm_event){
			.type = vector == X86_TRAP_DB ? TDM_EV_PRIV_SW : TDM_EV_SOFT_EXC,
			.vector = vector, .insn_len = exit->insn_len };
		vcpu->ev.cur_valid = true;
		return 1;
	}
	tdm_queue_exception_payload(vcpu, vector, exit->exc.has_error,
				    exit->exc.error, exit->exc.payload);
	return 1;
}

static enum tdm_fast fast_window(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	if (exit->kind == TDM_EXIT_IRQ_WINDOW)
		tdm_stat(vcpu, exit_irq_window);
	else
		tdm_stat(vcpu, exit_nmi_window);
	return tdm_userspace_wants_window(vcpu) ? TDM_FAST_NO : TDM_FAST_EVENTS;
}

static int handle_resume(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	return 1;
}

static enum tdm_fast fast_tpr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_tpr);
	return TDM_FAST_EVENTS;
}

static int handle_preempt_timer(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_preempt_timer);
	return 1;
}

static int handle_triple_fault(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static int handle_host_intr(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_host_intr);
	return 1;
}

static int handle_host_nmi(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, exit_nmi);
	return 1;
}

static int handle_entry_failed(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_stat(vcpu, entry_fail);
	vcpu->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry.hardware_entry_failure_reason = exit->fail.reason;
	vcpu->run->fail_entry.cpu = vcpu->last_cpu;
	return 0;
}

static int handle_task_switch(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	/* Hardware task switches are not emulated yet (Documentation/abi.rst). */
	return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION, exit);
}

typedef int (*exit_handler)(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
typedef enum tdm_fast (*fast_handler)(struct tdm_vcpu *vcpu, struct tdm_exit *exit);

static const exit_handler handlers[TDM_NR_EXITS] = {
	[TDM_EXIT_NONE]			= handle_resume,
	[TDM_EXIT_HOST_INTR]		= handle_host_intr,
	[TDM_EXIT_HOST_NMI]		= handle_host_nmi,
	[TDM_EXIT_EXCEPTION]		= handle_exception,
	[TDM_EXIT_TRIPLE_FAULT]		= handle_triple_fault,
	[TDM_EXIT_INIT_SIGNAL]		= handle_resume,
	[TDM_EXIT_IRQ_WINDOW]		= handle_resume,
	[TDM_EXIT_NMI_WINDOW]		= handle_resume,
	[TDM_EXIT_TASK_SWITCH]		= handle_task_switch,
	[TDM_EXIT_CPUID]		= handle_cpuid,
	[TDM_EXIT_HLT]			= handle_hlt,
	[TDM_EXIT_INVLPG]		= handle_invlpg,
	[TDM_EXIT_RDPMC]		= handle_rdpmc,
	[TDM_EXIT_VMCALL]		= handle_vmcall,
	[TDM_EXIT_UNDEFINED_INSN]	= handle_undefined,
	[TDM_EXIT_CR]			= handle_cr,
	[TDM_EXIT_DR]			= handle_dr,
	[TDM_EXIT_IO]			= handle_io,
	[TDM_EXIT_RDMSR]		= handle_rdmsr,
	[TDM_EXIT_WRMSR]		= handle_wrmsr,
	[TDM_EXIT_MONITOR]		= handle_mwait,
	[TDM_EXIT_MWAIT]		= handle_mwait,
	[TDM_EXIT_PAUSE]		= handle_pause,
	[TDM_EXIT_DESC_TABLE]		= handle_emulate,
	/* No device writes memory behind the caches' back: nothing to write back. */
	[TDM_EXIT_WBINVD]		= handle_skip,
	[TDM_EXIT_XSETBV]		= tdm_xsetbv_exit,
	[TDM_EXIT_MMU_FAULT]		= tdm_handle_mmu_fault,
	[TDM_EXIT_PAGE_FAULT]		= tdm_handle_page_fault,
	[TDM_EXIT_TPR_THRESHOLD]	= handle_resume,
	[TDM_EXIT_PREEMPT_TIMER]	= handle_preempt_timer,
	[TDM_EXIT_EMULATE]		= handle_interpret,
	[TDM_EXIT_INSN]			= handle_emulate,
	[TDM_EXIT_GUEST_EXC]		= tdm_handle_guest_exc,
	[TDM_EXIT_ENGINE]		= tdm_handle_engine,
	[TDM_EXIT_ENTRY_FAILED]		= handle_entry_failed,
	[TDM_EXIT_INTERNAL]		= handle_unexpected,
};

static const fast_handler fast_handlers[TDM_NR_EXITS] = {
	[TDM_EXIT_IRQ_WINDOW]		= fast_window,
	[TDM_EXIT_NMI_WINDOW]		= fast_window,
	[TDM_EXIT_CPUID]		= fast_cpuid,
	[TDM_EXIT_IO]			= fast_io,
	[TDM_EXIT_WRMSR]		= fast_wrmsr,
	[TDM_EXIT_TPR_THRESHOLD]	= fast_tpr,
	[TDM_EXIT_MMU_FAULT]		= tdm_fast_mmu_fault,
	[TDM_EXIT_PAGE_FAULT]		= tdm_fast_page_fault,
	[TDM_EXIT_CR]			= fast_cr,
	[TDM_EXIT_INVLPG]		= fast_invlpg,
	[TDM_EXIT_GUEST_EXC]		= tdm_fast_guest_exc,
};

/**
 * tdm_fast_exit() - handle an exit with interrupts off, if that can be
 * @vcpu: loaded, interrupts off, just exited
 * @exit: the exit
 *
 * Return: see enum tdm_fast.
 */
enum tdm_fast tdm_fast_exit(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	enum tdm_fast r = TDM_FAST_NO;
	fast_handler h;

	/* A caller that single-steps wants to hear of every instruction. */
	if (unlikely(exit->kind >= TDM_NR_EXITS || vcpu->guest_debug))
		return r;
	h = fast_handlers[exit->kind];
	if (h)
		r = h(vcpu, exit);
	if (r != TDM_FAST_NO)
		tdm_stat(vcpu, fast_exits);
	return r;
}

/**
 * tdm_handle_exit() - handle an exit, interrupts and preemption on
 * @vcpu: loaded vCPU
 * @exit: the exit, not handled by tdm_fast_exit()
 *
 * Return: 1 enter again; 0 to the caller; negative errno.
 */
int tdm_handle_exit(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	exit_handler h = exit->kind < TDM_NR_EXITS ? handlers[exit->kind] : NULL;
	u64 rip = vcpu->regs.rip;
	int r;

	if (!h)
		return handle_unexpected(vcpu, exit);
	r = h(vcpu, exit);
	return r == 1 ? tdm_debug_step(vcpu, rip) : r;
}
