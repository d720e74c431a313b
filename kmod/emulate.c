// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator wired to a vCPU: its ops in terms of canonical state, guest
 * memory, devices and events, and what becomes of its results.
 *
 * Process context, vCPU loaded: the ops sleep (guest memory may be swapped
 * out). Beware: an access that went to the caller makes the instruction run
 * again at the next KVM_RUN; arch/x86/emul keeps the log that makes each
 * access happen once.
 */
#include <asm/cpufeature.h>
#include <asm/trapnr.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "arch/x86/compat.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/fpu.h"
#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/emulate.h"
#include "kmod/devices/irq.h"
#include "kmod/event.h"
#include "kmod/iobus.h"
#include "kmod/trace.h"

static int gp(struct tdm_emul_ctxt *c)
{
	return tdm_emul_fault(c, X86_TRAP_GP, true, 0, 0);
}

/* ---- devices ---- */

static int op_mmio(struct tdm_emul_ctxt *c, struct tdm_emul_io *io)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);
	bool write = io->kind == TDM_EMUL_MMIO_WRITE;
	int r;

	tdm_emul_of(c)->look = true;
	if (write)
		r = tdm_iobus_write(vcpu, TDM_BUS_MMIO, io->addr, io->size, &io->data);
	else
		r = tdm_iobus_read(vcpu, TDM_BUS_MMIO, io->addr, io->size, &io->data);
	trace_tdm_io(vcpu, true, write, io->addr, io->size, io->data);
	return r ? TDM_EMUL_IO : TDM_EMUL_DONE;
}

static int op_pio(struct tdm_emul_ctxt *c, struct tdm_emul_io *io)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);
	bool write = io->kind == TDM_EMUL_PIO_OUT;
	u8 *p = c->pio_data;
	int i, r;

	tdm_emul_of(c)->look = true;
	for (i = 0; i < io->count; i++, p += io->size) {
		if (write)
			r = tdm_iobus_write(vcpu, TDM_BUS_PIO, io->addr, io->size, p);
		else
			r = tdm_iobus_read(vcpu, TDM_BUS_PIO, io->addr, io->size, p);
		if (r)
			break;
	}
	trace_tdm_io(vcpu, false, write, io->addr, io->size, io->count);
	if (!i)
		return TDM_EMUL_IO;
	io->count = i;
	return TDM_EMUL_DONE;
}

/* ---- segments, tables, registers ---- */

static u32 segs_ready(const struct tdm_vcpu *vcpu)
{
	const u32 cs_ss = BIT(TDM_SEG_CS) | BIT(TDM_SEG_SS);
	u32 ready = 0;

	if (vcpu->valid & TDM_ST_CS_SS)
		ready |= cs_ss;
	if (vcpu->valid & TDM_ST_SEG_REST)
		ready |= ~cs_ss;
	return ready;
}

static void op_need_segment(struct tdm_emul_ctxt *c, enum tdm_seg seg)
{
	tdm_need(vcpu_of(c), seg == TDM_SEG_CS || seg == TDM_SEG_SS ?
			     TDM_ST_CS_SS : TDM_ST_SEG_REST);
	c->segs_ready = segs_ready(vcpu_of(c));
}

static void op_set_segment(struct tdm_emul_ctxt *c, enum tdm_seg seg,
			   const struct tdm_segment *s)
{
	tdm_emul_of(c)->look = true;
	/* What is stored goes to the engine whole: have the neighbours, too. */
	tdm_need(vcpu_of(c), TDM_ST_SEG);
	vcpu_of(c)->st.seg[seg] = *s;
	tdm_touch(vcpu_of(c), TDM_ST_SEG);
}

static void op_get_table(struct tdm_emul_ctxt *c, bool idt, struct tdm_table *t)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);

	tdm_need(vcpu, TDM_ST_TABLES);
	*t = idt ? vcpu->st.idt : vcpu->st.gdt;
}

static void op_set_table(struct tdm_emul_ctxt *c, bool idt, const struct tdm_table *t)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);

	tdm_need(vcpu, TDM_ST_TABLES);
	if (idt)
		vcpu->st.idt = *t;
	else
		vcpu->st.gdt = *t;
	tdm_touch(vcpu, TDM_ST_TABLES);
}

static u64 op_get_cr(struct tdm_emul_ctxt *c, unsigned int cr)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);

	switch (cr) {
	case 0:
		return vcpu->st.cr0;
	case 2:
		return vcpu->st.cr2;
	case 3:
		return vcpu->st.cr3;
	case 4:
		return vcpu->st.cr4;
	default:
		return vcpu->lapic ? tdm_lapic_get_tpr(vcpu) : vcpu->st.cr8;
	}
}

static int op_set_cr(struct tdm_emul_ctxt *c, unsigned int cr, u64 val)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);
	int r = 0;

	tdm_emul_of(c)->look = true;
	switch (cr) {
	case 0:
		r = tdm_set_cr0(vcpu, val);
		break;
	case 2:
		vcpu->st.cr2 = val;
		break;
	case 3:
		r = tdm_set_cr3(vcpu, val);
		break;
	case 4:
		r = tdm_set_cr4(vcpu, val);
		break;
	default:
		r = tdm_set_cr8(vcpu, val);
	}
	return r ? gp(c) : TDM_EMUL_DONE;
}

/* General detect of the caller's. */
static u64 callers_gd(const struct tdm_vcpu *vcpu)
{
	return vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ? vcpu->debug_dr7 & TDM_DR7_GD : 0;
}

static u64 op_get_dr(struct tdm_emul_ctxt *c, unsigned int dr)
{
	u64 val = tdm_dr_read(vcpu_of(c), dr);

	return dr == 7 ? val | callers_gd(vcpu_of(c)) : val;
}

static int op_set_dr(struct tdm_emul_ctxt *c, unsigned int dr, u64 val)
{
	return tdm_dr_write(vcpu_of(c), dr, val) ? gp(c) : TDM_EMUL_DONE;
}

static int op_get_msr(struct tdm_emul_ctxt *c, u32 msr, u64 *val)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);

	if (tdm_msr_filtered(vcpu, msr, false) || tdm_msr_get(vcpu, msr, val, false))
		return gp(c);
	return TDM_EMUL_DONE;
}

static int op_set_msr(struct tdm_emul_ctxt *c, u32 msr, u64 val)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);

	tdm_emul_of(c)->look = true;
	if (tdm_msr_filtered(vcpu, msr, true) || tdm_msr_set(vcpu, msr, val, false))
		return gp(c);
	return TDM_EMUL_DONE;
}

static int op_get_xcr(struct tdm_emul_ctxt *c, u32 xcr, u64 *val)
{
	if (xcr)
		return gp(c);
	*val = vcpu_of(c)->st.xcr0;
	return TDM_EMUL_DONE;
}

static int op_set_xcr(struct tdm_emul_ctxt *c, u32 xcr, u64 val)
{
	return xcr || tdm_set_xcr0(vcpu_of(c), val) ? gp(c) : TDM_EMUL_DONE;
}

/* ---- instructions ---- */

static void op_cpuid(struct tdm_emul_ctxt *c, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	tdm_cpuid_exec(vcpu_of(c), eax, ebx, ecx, edx);
}

static u64 op_rdtsc(struct tdm_emul_ctxt *c)
{
	return rdtsc() + vcpu_of(c)->st.tsc_offset;
}

static void op_halt(struct tdm_emul_ctxt *c)
{
	tdm_emul_of(c)->halted = true;
	tdm_emul_of(c)->look = true;
}

/* No device writes memory behind the caches' back. */
static void op_wbinvd(struct tdm_emul_ctxt *c)
{
}

static void op_invlpg(struct tdm_emul_ctxt *c, u64 lin)
{
	tdm_mmu_guest_invlpg(vcpu_of(c), lin);
}

static int op_invpcid(struct tdm_emul_ctxt *c, u64 type, u64 pcid, u64 lin)
{
	tdm_mmu_guest_invpcid(vcpu_of(c), type, pcid, lin);
	return TDM_EMUL_DONE;
}

static int op_hypercall(struct tdm_emul_ctxt *c)
{
	tdm_hypercall(vcpu_of(c));
	return TDM_EMUL_DONE;
}

static bool op_may_monitor(struct tdm_emul_ctxt *c)
{
	return tdm_may_monitor(vcpu_of(c));
}

static void op_get_vec(struct tdm_emul_ctxt *c, unsigned int reg, void *data,
		       unsigned int size)
{
	tdm_fpu_get_vec(vcpu_of(c), reg, data, size);
}

static void op_set_vec(struct tdm_emul_ctxt *c, unsigned int reg,
		       const void *data, unsigned int size, bool zero_upper)
{
	tdm_fpu_set_vec(vcpu_of(c), reg, data, size, zero_upper);
}

static u64 op_get_mmx(struct tdm_emul_ctxt *c, unsigned int reg)
{
	return tdm_fpu_get_mmx(vcpu_of(c), reg);
}

static void op_set_mmx(struct tdm_emul_ctxt *c, unsigned int reg, u64 val)
{
	tdm_fpu_set_mmx(vcpu_of(c), reg, val);
}

/* ---- events ---- */

static bool op_irq_pending(struct tdm_emul_ctxt *c)
{
	return tdm_irq_pending(vcpu_of(c)) || tdm_work_pending();
}

static void op_nmi_unmask(struct tdm_emul_ctxt *c)
{
	struct tdm_vcpu *vcpu = vcpu_of(c);

	tdm_emul_of(c)->look = true;
	if (!vcpu->ev.nmi_masked)
		return;
	vcpu->ev.nmi_masked = false;
	tdm_touch(vcpu, TDM_ST_SHADOW);
}

static const struct tdm_emul_ops emul_ops = {
	.fetch		= tdm_emul_fetch,
	.read		= tdm_emul_read,
	.write		= tdm_emul_write,
	.probe		= tdm_emul_probe,
	.cmpxchg	= tdm_emul_cmpxchg,
	.mmio		= op_mmio,
	.pio		= op_pio,
	.need_segment	= op_need_segment,
	.set_segment	= op_set_segment,
	.get_table	= op_get_table,
	.set_table	= op_set_table,
	.get_cr		= op_get_cr,
	.set_cr		= op_set_cr,
	.get_dr		= op_get_dr,
	.set_dr		= op_set_dr,
	.get_msr	= op_get_msr,
	.set_msr	= op_set_msr,
	.get_xcr	= op_get_xcr,
	.set_xcr	= op_set_xcr,
	.cpuid		= op_cpuid,
	.rdtsc		= op_rdtsc,
	.halt		= op_halt,
	.wbinvd		= op_wbinvd,
	.invlpg		= op_invlpg,
	.invpcid	= op_invpcid,
	.hypercall	= op_hypercall,
	.may_monitor	= op_may_monitor,
	.get_vec	= op_get_vec,
	.set_vec	= op_set_vec,
	.get_mmx	= op_get_mmx,
	.set_mmx	= op_set_mmx,
	.irq_pending	= op_irq_pending,
	.nmi_unmask	= op_nmi_unmask,
};

static const struct { u32 feature; u64 flag; } feature_flags[] = {
	{ X86_FEATURE_ABM,	TDM_EMUL_F_LZCNT },
	{ X86_FEATURE_BMI1,	TDM_EMUL_F_BMI1 },
	{ X86_FEATURE_BMI2,	TDM_EMUL_F_BMI2 },
	{ X86_FEATURE_ADX,	TDM_EMUL_F_ADX },
	{ X86_FEATURE_MOVBE,	TDM_EMUL_F_MOVBE },
	{ X86_FEATURE_POPCNT,	TDM_EMUL_F_POPCNT },
	{ X86_FEATURE_CX16,	TDM_EMUL_F_CX16 },
	{ X86_FEATURE_RDTSCP,	TDM_EMUL_F_RDTSCP },
	{ X86_FEATURE_FSGSBASE,	TDM_EMUL_F_FSGSBASE },
	{ X86_FEATURE_INVPCID,	TDM_EMUL_F_INVPCID },
	{ X86_FEATURE_SMAP,	TDM_EMUL_F_SMAP },
	{ X86_FEATURE_XSAVE,	TDM_EMUL_F_XSAVE },
	{ X86_FEATURE_AVX,	TDM_EMUL_F_AVX },
	{ X86_FEATURE_AVX2,	TDM_EMUL_F_AVX2 },
	{ X86_FEATURE_SYSCALL,	TDM_EMUL_F_SYSCALL },
	{ X86_FEATURE_RDPID,	TDM_EMUL_F_RDPID },
	{ X86_FEATURE_LAHF_LM,	TDM_EMUL_F_LAHF_LM },
	{ X86_FEATURE_MOVDIRI,	TDM_EMUL_F_MOVDIRI },
	{ X86_FEATURE_XMM3,	TDM_EMUL_F_SSE3 },
	{ X86_FEATURE_XMM4_1,	TDM_EMUL_F_SSE4_1 },
	{ X86_FEATURE_XMM4_2,	TDM_EMUL_F_SSE4_2 },
	{ X86_FEATURE_SERIALIZE, TDM_EMUL_F_SERIALIZE },
	{ X86_FEATURE_CLFLUSHOPT, TDM_EMUL_F_CLFLUSHOPT },
	{ X86_FEATURE_CLWB,	TDM_EMUL_F_CLWB },
};

static u64 guest_features(struct tdm_vcpu *vcpu)
{
	u64 f = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(feature_flags); i++)
		if (tdm_guest_has(vcpu, feature_flags[i].feature))
			f |= feature_flags[i].flag;
	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD)
		f |= TDM_EMUL_F_AMD;
	return f;
}

/* ---- one step ---- */

#define EMUL_STATE (TDM_ST_RIP | TDM_ST_RSP | TDM_ST_RFLAGS | TDM_ST_CS_SS | \
		    TDM_ST_CR | TDM_ST_SHADOW)

static_assert(TDM_SHADOW_STI == TDM_EMUL_SHADOW_STI);
static_assert(TDM_SHADOW_MOV_SS == TDM_EMUL_SHADOW_MOV_SS);

/* Most vCPUs never need the emulator: what takes room is made here. */
static noinline void first_use(struct tdm_emul *e)
{
	e->c.features = guest_features(e->vcpu);
	e->features_valid = true;
	/* Without memory for it all is decoded each time, no more. */
	if (tdm_emul_cache)
		e->c.lines = kvcalloc(TDM_EMUL_LINES, sizeof(*e->c.lines),
				      GFP_KERNEL_ACCOUNT);
}

static __always_inline void state_in(struct tdm_emul *e)
{
	struct tdm_vcpu *vcpu = e->vcpu;
	struct tdm_emul_ctxt *c = &e->c;

	tdm_need(vcpu, EMUL_STATE);
	if (unlikely(!e->features_valid))
		first_use(e);
	c->cr0 = vcpu->st.cr0;
	c->cr4 = vcpu->st.cr4;
	c->efer = vcpu->st.efer;
	c->int_shadow = vcpu->ev.int_shadow;
	c->segs_ready = segs_ready(vcpu);
	tdm_softtlb_sync(&e->tlb, vcpu);
	e->rsp = vcpu->regs.gpr[TDM_RSP];
	e->rflags = vcpu->regs.rflags;
	e->shadowed = vcpu->ev.int_shadow;
	e->err = 0;
	e->halted = false;
}

static __always_inline void state_out(struct tdm_emul *e)
{
	struct tdm_vcpu *vcpu = e->vcpu;
	u32 touched = TDM_ST_RIP;

	if (vcpu->regs.gpr[TDM_RSP] != e->rsp)
		touched |= TDM_ST_RSP;
	if (vcpu->regs.rflags != e->rflags)
		touched |= TDM_ST_RFLAGS;
	tdm_touch(vcpu, touched);
	if (vcpu->ev.int_shadow != e->c.int_shadow) {
		vcpu->ev.int_shadow = e->c.int_shadow;
		tdm_touch(vcpu, TDM_ST_SHADOW);
	}
}

static void queue_event(struct tdm_vcpu *vcpu, const struct tdm_emul_event *ev)
{
	static const u8 types[] = {
		[TDM_EMUL_SOFT_INT]	= TDM_EV_SOFT_INT,
		[TDM_EMUL_SOFT_EXC]	= TDM_EV_SOFT_EXC,
		[TDM_EMUL_PRIV_EXC]	= TDM_EV_PRIV_SW,
	};

	if (ev->type == TDM_EMUL_EXC) {
		tdm_queue_exception_payload(vcpu, ev->vector, ev->has_error,
					    ev->error, ev->address);
		return;
	}
	vcpu->ev.cur = (struct tdm_event){
		.type = types[ev->type],
		.vector = ev->vector,
		.insn_len = ev->insn_len,
	};
	vcpu->ev.cur_valid = true;
}

static bool is_callers_gd(const struct tdm_emul *e)
{
	const struct tdm_emul_event *ev = &e->c.event;

	return ev->type == TDM_EMUL_EXC && ev->vector == X86_TRAP_DB &&
	       (ev->address & TDM_DR6_BD) && callers_gd(e->vcpu);
}

static int complete_emul(struct tdm_vcpu *vcpu)
{
	struct tdm_emul *e = vcpu->emul;
	const struct tdm_emul_io *io = tdm_emul_io(&e->c);

	/* New registers from the caller: the instruction is no more. */
	if (!io || vcpu->regs.rip != vcpu->io_rip) {
		tdm_emul_reset(&e->c);
		return 1;
	}
	switch (io->kind) {
	case TDM_EMUL_MMIO_READ:
		tdm_emul_io_done(&e->c, vcpu->run->mmio.data);
		break;
	case TDM_EMUL_PIO_IN:
		tdm_emul_io_done(&e->c, vcpu->pio_data);
		break;
	default:
		tdm_emul_io_done(&e->c, NULL);
	}
	return tdm_emulate(vcpu, &vcpu->exit);
}

static int io_to_user(struct tdm_emul *e)
{
	const struct tdm_emul_io *io = tdm_emul_io(&e->c);
	struct tdm_vcpu *vcpu = e->vcpu;
	struct kvm_run *run = vcpu->run;

	vcpu->io_rip = vcpu->regs.rip;
	vcpu->complete_userspace = complete_emul;
	if (io->kind == TDM_EMUL_MMIO_READ || io->kind == TDM_EMUL_MMIO_WRITE) {
		run->exit_reason = KVM_EXIT_MMIO;
		run->mmio.phys_addr = io->addr;
		run->mmio.len = io->size;
		run->mmio.is_write = io->kind == TDM_EMUL_MMIO_WRITE;
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		if (run->mmio.is_write)
			memcpy(run->mmio.data, &io->data, io->size);
		return 0;
	}
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = io->kind == TDM_EMUL_PIO_IN ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = io->size;
	run->io.port = io->addr;
	run->io.count = io->count;
	run->io.data_offset = PAGE_SIZE;
	if (io->kind == TDM_EMUL_PIO_OUT)
		memcpy(vcpu->pio_data, e->c.pio_data, (size_t)io->count * io->size);
	return 0;
}

static const char *mode_name(struct tdm_vcpu *vcpu)
{
	if (!(vcpu->st.cr0 & X86_CR0_PE))
		return "real";
	if (vcpu->regs.rflags & X86_EFLAGS_VM)
		return "vm86";
	if (tdm_64bit_code(vcpu))
		return "64-bit";
	return vcpu->st.seg[TDM_SEG_CS].ar & TDM_AR_DB ? "32-bit" : "16-bit";
}

/* The instruction's bytes, RIP and mode: to the log and to the caller. */
static int emulation_failed(struct tdm_emul *e, const struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = e->vcpu;
	struct kvm_run *run = vcpu->run;
	u8 len = min_t(u8, e->c.insn->len, sizeof(run->emulation_failure.insn_bytes));

	/* Only a trace made it ours: the processor can run it without. */
	if (exit->kind == TDM_EXIT_PAGE_FAULT &&
	    tdm_mmu_unshadow(vcpu, exit->pf.gva, exit->pf.error))
		return 1;
	tdm_stat(vcpu, emul_fail);
	pr_info_ratelimited("tandem: VM %s vCPU %u: cannot emulate %*ph at RIP 0x%llx, %s mode, gpa 0x%llx, exit 0x%x\n",
			    vcpu->vm->name, vcpu->id, len, e->c.insn->bytes,
			    vcpu->regs.rip, mode_name(vcpu), e->c.mmio_gpa,
			    exit->hw_reason);
	/*
	 * A user program of the guest must not be able to end the VM; and what
	 * neither the translator nor the interpreter knows, no CPUID offers.
	 */
	if (tdm_cpl(vcpu) == 3 || exit->kind == TDM_EXIT_INSN) {
		tdm_queue_ud(vcpu);
		return 1;
	}
	tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION, exit);
	run->emulation_failure.ndata = 4;
	run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	run->emulation_failure.insn_size = len;
	memset(run->emulation_failure.insn_bytes, 0x90, sizeof(run->emulation_failure.insn_bytes));
	memcpy(run->emulation_failure.insn_bytes, e->c.insn->bytes, len);
	return 0;
}

static int step_done(struct tdm_emul *e)
{
	struct tdm_vcpu *vcpu = e->vcpu;

	tdm_stat(vcpu, emulated);
	if (e->c.trap_dr6)
		tdm_queue_exception_payload(vcpu, X86_TRAP_DB, false, 0, e->c.trap_dr6);
	if (!e->halted)
		return 1;
	if (vcpu->vm->irqchip != TDM_IRQCHIP_NONE) {
		vcpu->mp_state = KVM_MP_STATE_HALTED;
		return 1;
	}
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

/**
 * tdm_emulate() - run the instruction at RIP in the emulator
 * @vcpu: loaded vCPU, process context
 * @exit: the exit that led here, for messages
 *
 * Return: 1 enter again; 0 to the caller; negative errno.
 */
int tdm_emulate(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	struct tdm_emul *e = vcpu->emul;
	int r;

	state_in(e);
	r = tdm_emul_step(&e->c);
	trace_tdm_emulate(vcpu, r);
	switch (r) {
	case TDM_EMUL_DONE:
		state_out(e);
		return step_done(e);
	case TDM_EMUL_FAULT:
		state_out(e);
		if (unlikely(is_callers_gd(e)))
			return tdm_interpreted_breakpoint(vcpu, TDM_DR6_BD);
		queue_event(vcpu, &e->c.event);
		return 1;
	case TDM_EMUL_IO:
		state_out(e);
		return io_to_user(e);
	case TDM_EMUL_RETRY:
		return 1;
	default:
		return e->err ? e->err : emulation_failed(e, exit);
	}
}

static enum tdm_emul_event_type emul_event_type(const struct tdm_event *ev)
{
	switch (ev->type) {
	case TDM_EV_EXC:
		return TDM_EMUL_EXC;
	case TDM_EV_SOFT_INT:
		return TDM_EMUL_SOFT_INT;
	case TDM_EV_SOFT_EXC:
		return TDM_EMUL_SOFT_EXC;
	case TDM_EV_PRIV_SW:
		return TDM_EMUL_PRIV_EXC;
	default:
		return TDM_EMUL_EXT_INT;
	}
}

/* ev.cur has been delivered: what the processor does besides. */
static void event_done(struct tdm_vcpu *vcpu)
{
	vcpu->ev.cur_valid = false;
	if (vcpu->ev.cur.type == TDM_EV_NMI) {
		vcpu->ev.nmi_masked = true;
		tdm_touch(vcpu, TDM_ST_SHADOW);
	}
}

/**
 * tdm_emulate_event() - deliver ev.cur through the guest's IDT by software
 * @vcpu: loaded vCPU, process context, ev.cur_valid set; payload and RF are
 *	already where they belong, as after tdm_inject_events()
 * @exit: the exit that led here, for messages
 *
 * A fault on the way is queued, and merged as the processor does (#DF, triple
 * fault); an interrupt then stays in ev.cur and goes in later.
 *
 * Return: 1 delivered or a fault queued; 0 to the caller; negative errno.
 */
int tdm_emulate_event(struct tdm_vcpu *vcpu, const struct tdm_exit *exit)
{
	const struct tdm_event *cur = &vcpu->ev.cur;
	const struct tdm_emul_event ev = {
		.type = emul_event_type(cur),
		.vector = cur->vector,
		.has_error = cur->has_error,
		.error = cur->error,
		.address = cur->payload,
		.insn_len = cur->insn_len,
	};
	struct tdm_emul *e = vcpu->emul;
	int r;

	state_in(e);
	r = tdm_emul_deliver(&e->c, &ev);
	trace_tdm_emulate(vcpu, r);
	switch (r) {
	case TDM_EMUL_DONE:
		state_out(e);
		event_done(vcpu);
		return 1;
	case TDM_EMUL_FAULT:
		queue_event(vcpu, &e->c.event);
		return 1;
	case TDM_EMUL_RETRY:
		return 1;
	case TDM_EMUL_IO:
		/* A stack or table in a device that only the caller knows. */
		tdm_emul_reset(&e->c);
		return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, exit);
	default:
		return e->err ? e->err :
		       tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, exit);
	}
}

/* An event that can be delivered now, or no more code to run. */
static noinline bool event_due(struct tdm_vcpu *vcpu)
{
	if (vcpu->mp_state != KVM_MP_STATE_RUNNABLE)
		return true;
	/* KVM_EXIT_IRQ_WINDOW_OPEN */
	if (tdm_userspace_wants_window(vcpu) && tdm_userspace_window_open(vcpu))
		return true;
	if (vcpu->ev.nmi_pending && vcpu->ops->nmi_allowed(vcpu))
		return true;
	return tdm_irq_pending(vcpu) && vcpu->ops->irq_allowed(vcpu);
}

/*
 * After an interpreted instruction: is there something that only the run loop can
 * do? What other threads and timers want comes with a request. What was there
 * before can be delivered from now on only if the guest did something about it.
 */
static bool interpreter_must_stop(struct tdm_vcpu *vcpu)
{
	const struct tdm_emul *e = vcpu->emul;

	if (unlikely(READ_ONCE(vcpu->requests) || vcpu->ev.exc_pending ||
		     vcpu->ev.cur_valid || tdm_work_pending()))
		return true;
	if (likely(!e->look && !e->shadowed &&
		   !((vcpu->regs.rflags ^ e->rflags) & X86_EFLAGS_IF)))
		return false;
	return event_due(vcpu);
}

/* Breakpoints on execution at the next instruction: DR6 bits (SDM vol. 3, 17.3.1.1). */
static u64 code_breakpoints(struct tdm_vcpu *vcpu)
{
	u64 dr7 = tdm_dr7_effective(vcpu), hits = 0, lin;
	int i;

	if ((vcpu->regs.rflags & X86_EFLAGS_RF) || (vcpu->ev.int_shadow & TDM_SHADOW_MOV_SS))
		return 0;
	tdm_need(vcpu, TDM_ST_CS_SS);
	lin = vcpu->st.seg[TDM_SEG_CS].base + vcpu->regs.rip;
	for (i = 0; i < 4; i++)
		if (tdm_dr_is_exec(dr7, i) && tdm_dr_effective(vcpu, i) == lin)
			hits |= BIT_ULL(i);
	return hits;
}

/**
 * tdm_interpret() - run guest code that the engine cannot run
 * @vcpu: loaded vCPU, process context
 * @exit: the exit that led here, for messages
 * @max: instructions to run at most, at least 1
 *
 * For TDM_EXIT_EMULATE. What is in ev.cur is delivered first, by software. Ends
 * early when the engine can go on by itself (must_emulate() says no), when an
 * event is to be delivered, and when there is other work for the run loop.
 *
 * Return: 1 enter again; 0 to the caller; negative errno.
 */
int tdm_interpret(struct tdm_vcpu *vcpu, const struct tdm_exit *exit, unsigned int max)
{
	struct tdm_emul *e = vcpu->emul;
	bool first = true;
	int r;

	if (vcpu->ev.cur_valid) {
		e->look = true;
		r = tdm_emulate_event(vcpu, exit);
		if (r <= 0 || interpreter_must_stop(vcpu) || !vcpu->ops->must_emulate ||
		    !vcpu->ops->must_emulate(vcpu))
			return r;
	}
	/* A caller that single-steps wants to hear of every instruction. */
	if (vcpu->guest_debug)
		max = 1;
	do {
		u64 hits = unlikely(tdm_dr_any(vcpu)) ? code_breakpoints(vcpu) : 0;

		if (unlikely(hits))
			return tdm_interpreted_breakpoint(vcpu, hits);
		e->look = false;
		r = tdm_emulate(vcpu, exit);
		e->look |= first;
		first = false;
		if (r <= 0 || interpreter_must_stop(vcpu))
			return r;
	} while (--max && (!e->look || (vcpu->ops->must_emulate &&
					vcpu->ops->must_emulate(vcpu))));
	return r;
}

int tdm_emul_create(struct tdm_vcpu *vcpu)
{
	struct tdm_emul *e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);

	if (!e)
		return -ENOMEM;
	e->vcpu = vcpu;
	tdm_softtlb_init(&e->tlb);
	tdm_emul_init(&e->c, &emul_ops, e, &vcpu->regs, vcpu->st.seg);
	vcpu->emul = e;
	return 0;
}

void tdm_emul_destroy(struct tdm_vcpu *vcpu)
{
	if (vcpu->emul)
		kvfree(vcpu->emul->c.lines);
	kfree(vcpu->emul);
	vcpu->emul = NULL;
}
