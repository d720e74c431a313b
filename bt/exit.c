// SPDX-License-Identifier: GPL-2.0-only
/*
 * From what the CPU says after a run to canonical state and a normalised exit.
 *
 * Everything in b->frame, the gprs and bt_state is the guest's word: at CPL 1 it
 * can make any of it up. What cannot be made sense of ends this VM with
 * TDM_EXIT_INTERNAL, and is said in the log with RIP and mode.
 */
#include <asm/msr.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include <linux/kernel.h>

#include "arch/x86/host.h"
#include "bt/bt.h"
#include "bt/trace.h"
#include "shadow_mmu/mmu.h"

#define ERROR_VECTORS	(BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | \
			 BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) | \
			 BIT(X86_TRAP_AC) | BIT(X86_TRAP_CP))

/* ---- the guest did what no guest can do through us ---- */

static void give_up(struct tdm_bt *b, struct tdm_exit *exit, const char *what)
{
	const struct tdm_bt_frame *f = &b->frame;

	pr_info_ratelimited("tandem: VM %s vCPU %u: %s: vector 0x%llx error 0x%llx at RIP 0x%llx (guest RIP 0x%llx), CPL %llu, address 0x%llx; last indirect branch to 0x%llx, TC 0x%llx, from 0x%x\n",
			    b->vcpu->vm->name, b->vcpu->id, what, f->vector, f->error, f->rip,
			    b->vcpu->regs.rip, f->cs & 3, f->cr2, READ_ONCE(b->state->ind_rip),
			    READ_ONCE(b->state->ind_tc), READ_ONCE(b->state->site));
	b->slow = TDM_BT_SLOW_DEAD;
	exit->kind = TDM_EXIT_ENGINE;
}

static void page_fault(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	u64 gva = b->frame.cr2;
	u32 error = b->frame.error;

	/* The slot is not the guest's: where it maps nothing, it must find nothing. */
	if (unlikely(gva - b->base < TDM_BT_SLOT_SIZE))
		error &= ~(u32)TDM_PF_P;
	exit->kind = TDM_EXIT_PAGE_FAULT;
	exit->pf.gva = gva;
	exit->pf.error = error;
	exit->pf.emulate = false;
	vcpu->ev.int_shadow = 0;
}

/* ---- CPL 3 ---- */

static void user_state(struct tdm_bt *b)
{
	const u64 virtual = X86_EFLAGS_IF | X86_EFLAGS_IOPL | X86_EFLAGS_VIF | X86_EFLAGS_VIP;
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_regs *regs = &vcpu->regs;
	u64 step = vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP ? X86_EFLAGS_TF : 0;

	regs->rip = b->frame.rip;
	regs->gpr[TDM_RSP] = b->frame.rsp;
	regs->rflags = (b->frame.rflags & ~(virtual | step)) | (regs->rflags & (virtual | step));
}

/* Does the trap belong to one of the instructions that direct execution cannot do? */
static void ask_decoder(struct tdm_bt *b, struct tdm_exit *exit)
{
	b->slow = TDM_BT_SLOW_USER;
	exit->kind = TDM_EXIT_ENGINE;
}

static void user_exit(struct tdm_bt *b, struct tdm_exit *exit)
{
	const struct tdm_bt_frame *f = &b->frame;
	struct tdm_vcpu *vcpu = b->vcpu;

	user_state(b);
	if (f->vector >= 32) {
		give_up(b, exit, "unexpected interrupt in user code");
		return;
	}
	switch (f->vector) {
	case X86_TRAP_PF:
		page_fault(b, exit);
		break;
	case X86_TRAP_GP:
	case X86_TRAP_UD:
	case X86_TRAP_NP:
	case X86_TRAP_SS:
		ask_decoder(b, exit);
		break;
	case X86_TRAP_DB:
		exit->kind = TDM_EXIT_EXCEPTION;
		exit->exc.vector = X86_TRAP_DB;
		exit->exc.has_error = false;
		exit->exc.payload = f->cr2;
		break;
	case X86_TRAP_BP:
	case X86_TRAP_OF:
		/* INT3 (CC) and INTO; CD 03 goes through #GP: its gate's check comes first */
		exit->kind = TDM_EXIT_EXCEPTION;
		exit->exc.vector = f->vector;
		exit->exc.has_error = false;
		exit->insn_len = 1;
		vcpu->regs.rip -= 1;
		break;
	default:
		tdm_bt_guest_exc(exit, f->vector, BIT(f->vector) & ERROR_VECTORS, f->error, 0);
	}
}

/* What SYSCALL and SYSRET load without looking at descriptors. */
#define FLAT_DATA	(TDM_AR_P | TDM_AR_S | TDM_AR_RW | TDM_AR_ACCESSED | TDM_AR_DB | TDM_AR_G)
#define FLAT_CODE	(TDM_AR_P | TDM_AR_S | TDM_AR_CODE | TDM_AR_RW | TDM_AR_ACCESSED | \
			 TDM_AR_L | TDM_AR_G)
#define USER_DPL		(3u << TDM_AR_DPL_SHIFT)

static void set_flat(struct tdm_segment *s, u16 selector, u32 ar)
{
	s->selector = selector;
	s->base = 0;
	s->limit = 0xffffffff;
	s->ar = ar;
}

/* SYSCALL from CPL 3, in long mode (SDM vol. 2, SYSCALL): the target is CPL 0. */
static void user_syscall(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_regs *regs = &vcpu->regs;
	struct tdm_segment *cs = &vcpu->st.seg[TDM_SEG_CS], *ss = &vcpu->st.seg[TDM_SEG_SS];
	bool compat = b->frame.vector == TDM_BT_VEC_SYSCALL32;
	u64 flags;

	regs->rip = b->frame.rip;
	b->frame.rflags = regs->gpr[TDM_R11];
	user_state(b);
	flags = regs->rflags & ~(u64)X86_EFLAGS_RF;
	regs->gpr[TDM_RCX] = regs->rip;
	regs->gpr[TDM_R11] = flags;
	regs->rflags = (flags & ~vcpu->st.sfmask) | X86_EFLAGS_FIXED;
	regs->rip = compat ? vcpu->st.cstar : vcpu->st.lstar;
	set_flat(cs, (vcpu->st.star >> 32) & 0xfffc, FLAT_CODE);
	set_flat(ss, ((vcpu->st.star >> 32) & 0xfffc) + 8, FLAT_DATA);
	vcpu->dirty |= TDM_ST_CS_SS;
	tdm_stat(vcpu, bt_syscalls);
	exit->kind = TDM_EXIT_NONE;
}

/* ---- CPL 1: the guest's kernel ---- */

/* WRGSBASE of translated SWAPGS has faulted on other values. */
static void set_kernel_gs(struct tdm_vcpu *vcpu, u64 val)
{
	if (likely(__is_canonical_address(val, 48)))
		vcpu->st.kernel_gs_base = val;
}

static void apply_half_done(struct tdm_bt *b, const struct tdm_bt_rec *rec)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	bool before = rec->kind == TDM_REC_BEFORE;
	u64 mask = before ? TDM_REC_FLAGS_BEFORE : TDM_REC_FLAGS_AFTER;
	u64 flags = READ_ONCE(b->state->flags[!before]);

	if (rec->flags & TDM_REC_F_FLAGS)
		vcpu->regs.rflags = (vcpu->regs.rflags & ~mask) | (flags & mask);
	if (rec->flags & TDM_REC_F_KGS)
		set_kernel_gs(vcpu, READ_ONCE(b->state->ind_tc));
}

static void apply_record(struct tdm_bt *b, const struct tdm_bt_pos *pos)
{
	struct tdm_regs *regs = &b->vcpu->regs;
	u32 restore = pos->rec.restore;
	int reg;

	while (restore) {
		reg = __ffs(restore);
		regs->gpr[reg] = READ_ONCE(b->state->spill[reg]);
		restore &= restore - 1;
	}
	if (unlikely(pos->rec.flags & (TDM_REC_F_FLAGS | TDM_REC_F_KGS)))
		apply_half_done(b, &pos->rec);
	switch (pos->rec.kind) {
	case TDM_REC_BEFORE:
		regs->rip = pos->rip;
		break;
	case TDM_REC_AFTER:
		regs->rip = pos->rip + pos->rec.glen;
		break;
	case TDM_REC_TAKEN:
		regs->rip = pos->target;
		break;
	default:
		regs->rip = pos->target;
	}
	b->resume_rip[0] = pos->rip;
	b->resume_tc[0] = pos->tc_this;
	b->resume_rip[1] = pos->rip + pos->rec.glen;
	b->resume_tc[1] = pos->tc_next;
	b->resume_gen = tdm_bt_tc_gen(b->vcpu->vm);
}

/* What the guest could change without us, but RIP and what a record restores. */
static void kernel_state(struct tdm_bt *b)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_regs *regs = &vcpu->regs;

	regs->gpr[TDM_RSP] = b->frame.rsp;
	regs->rflags = (b->frame.rflags & TDM_BT_REAL_FLAGS) | X86_EFLAGS_FIXED |
		       (READ_ONCE(b->state->vif) & TDM_BT_IF);
	set_kernel_gs(vcpu, READ_ONCE(b->state->kernel_gs));
	vcpu->ev.int_shadow = 0;
}

/* The branch to an impossible address never was (SDM vol. 2, RET, CALL, JMP). */
static void undo_indirect(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_regs *regs = &b->vcpu->regs;
	struct tdm_bt_pos pos;

	if (!tdm_bt_site(b, READ_ONCE(b->state->site), &pos)) {
		give_up(b, exit, "an indirect branch from nowhere");
		return;
	}
	switch (pos.rec.op) {
	case TDM_BT_OP_RET:
		regs->gpr[TDM_RSP] -= 8 + pos.rec.imm;
		break;
	case TDM_BT_OP_CALL_IND:
		regs->gpr[TDM_RSP] += 8;
		break;
	}
	regs->rip = pos.rip;
	tdm_bt_guest_exc(exit, X86_TRAP_GP, true, 0, 0);
}

static void op_cr(struct tdm_exit *exit, const struct tdm_bt_rec *rec, bool read)
{
	/* No processor exits for CR2, so the core does not know it. */
	exit->kind = rec->a == 2 ? TDM_EXIT_INSN : TDM_EXIT_CR;
	exit->cr.cr = rec->a;
	exit->cr.reg = rec->b & 15;
	exit->cr.op = read ? TDM_CR_READ : TDM_CR_WRITE;
}

static void op_io(struct tdm_vcpu *vcpu, struct tdm_exit *exit, const struct tdm_bt_rec *rec)
{
	exit->kind = TDM_EXIT_IO;
	exit->io.port = rec->c ? (u16)vcpu->regs.gpr[TDM_RDX] : rec->imm;
	exit->io.size = rec->a;
	exit->io.in = rec->b;
	exit->io.string = false;
	exit->io.rep = false;
	exit->io.tried = false;
}

/* SDM vol. 2, SYSRET, 64-bit operand size; what can fault goes to the interpreter. */
static void op_sysret(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_segment *cs = &vcpu->st.seg[TDM_SEG_CS], *ss = &vcpu->st.seg[TDM_SEG_SS];
	u64 *gpr = vcpu->regs.gpr;

	if (!(vcpu->st.efer & EFER_SCE) || !__is_canonical_address(gpr[TDM_RCX], 48)) {
		exit->kind = TDM_EXIT_INSN;
		return;
	}
	vcpu->regs.rip = gpr[TDM_RCX];
	vcpu->regs.rflags = (gpr[TDM_R11] & 0x3c7fd7) | X86_EFLAGS_FIXED;
	set_flat(cs, (((vcpu->st.star >> 48) + 16) | 3) & 0xffff, FLAT_CODE | USER_DPL);
	set_flat(ss, (((vcpu->st.star >> 48) + 8) | 3) & 0xffff, FLAT_DATA | USER_DPL);
	vcpu->dirty |= TDM_ST_CS_SS;
	exit->kind = TDM_EXIT_NONE;
}

static const u8 op_kinds[TDM_NR_BT_OPS] = {
	[TDM_BT_OP_CPUID]	= TDM_EXIT_CPUID,
	[TDM_BT_OP_HLT]		= TDM_EXIT_HLT,
	[TDM_BT_OP_RDMSR]	= TDM_EXIT_RDMSR,
	[TDM_BT_OP_WRMSR]	= TDM_EXIT_WRMSR,
	[TDM_BT_OP_WBINVD]	= TDM_EXIT_WBINVD,
};

static void callout_op(struct tdm_bt *b, struct tdm_exit *exit, const struct tdm_bt_pos *pos)
{
	const struct tdm_bt_rec *rec = &pos->rec;
	u8 op = rec->op < TDM_NR_BT_OPS ? rec->op : TDM_BT_OP_INTERPRET;

	tdm_stat(b->vcpu, bt_callouts);
	trace_tdm_bt_callout(b->vcpu->id, pos->rip, rec->op);
	exit->insn_len = rec->glen;
	exit->kind = op_kinds[op];
	if (exit->kind)
		return;
	switch (op) {
	case TDM_BT_OP_CR_WRITE:
	case TDM_BT_OP_CR_READ:
		op_cr(exit, rec, op == TDM_BT_OP_CR_READ);
		break;
	case TDM_BT_OP_IRET:
		tdm_bt_op_iret(b, exit);
		break;
	case TDM_BT_OP_SYSRET:
		op_sysret(b, exit);
		break;
	case TDM_BT_OP_CLTS:
		exit->kind = TDM_EXIT_CR;
		exit->cr.op = TDM_CR_CLTS;
		exit->cr.cr = 0;
		break;
	case TDM_BT_OP_IO:
		op_io(b->vcpu, exit, rec);
		break;
	default:
		exit->kind = TDM_EXIT_INSN;
	}
}

/*
 * Is there a reason to come back to the core, whatever the guest wants? Not that a
 * window is awaited: no light callout opens one.
 */
static bool must_look(struct tdm_bt *b)
{
	return tdm_bt_verify || READ_ONCE(b->vcpu->requests);
}

/* True: done, tdm_bt_run() may be called again. */
static bool kernel_callout(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_bt_pos pos;
	u32 what;

	if (!tdm_bt_callout(b, b->frame.rip, &pos, &what)) {
		give_up(b, exit, "a callout from nowhere");
		return false;
	}
	if (likely(!must_look(b)) && exit->kind == TDM_EXIT_NONE && tdm_bt_light(b, &pos, what))
		return true;
	kernel_state(b);
	apply_record(b, &pos);
	if (what < TDM_BT_WHAT_LINK0) {
		callout_op(b, exit, &pos);
		return false;
	}
	b->resume_rip[1] = b->vcpu->regs.rip;
	exit->kind = TDM_EXIT_NONE;
	if (what != TDM_BT_WHAT_MISS) {
		tdm_stat(b->vcpu, bt_continuations);
		return false;
	}
	tdm_stat(b->vcpu, bt_lookup_misses);
	if (unlikely(!__is_canonical_address(b->vcpu->regs.rip, 48)))
		undo_indirect(b, exit);
	return false;
}

static bool is_sti_store(const struct tdm_bt *b)
{
	return b->frame.vector == X86_TRAP_PF &&
	       (b->frame.cr2 & PAGE_MASK) == b->base + TDM_BT_STI;
}

/*
 * Translated IRETQ could not read a descriptor where it was last time. If only the
 * shadow lacks it, it will be there now; else the interpreter finds out.
 */
static void iret_operand_fault(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_page_fault pf;

	if (tdm_shadow_fault_fast(b->vcpu, b->frame.cr2, b->frame.error, &pf) == TDM_MMU_RESUME) {
		exit->kind = TDM_EXIT_NONE;
		return;
	}
	b->slow = TDM_BT_SLOW_OPERAND;
	exit->kind = TDM_EXIT_ENGINE;
}

static void kernel_exit(struct tdm_bt *b, struct tdm_exit *exit)
{
	const struct tdm_bt_frame *f = &b->frame;
	struct tdm_bt_pos pos;

	if (!tdm_bt_locate(b, f->rip, &pos)) {
		give_up(b, exit, "code outside of the translation cache");
		return;
	}
	kernel_state(b);
	apply_record(b, &pos);
	if (pos.rec.flags & TDM_REC_F_STI_SHADOW)
		b->vcpu->ev.int_shadow = TDM_SHADOW_STI;
	if (exit->kind == TDM_EXIT_HOST_INTR)
		return;
	if (f->vector >= 32) {
		give_up(b, exit, "unexpected interrupt in translated code");
		return;
	}
	if (f->vector == X86_TRAP_PF) {
		if (is_sti_store(b))
			exit->kind = TDM_EXIT_INSN;
		else if (pos.rec.op == TDM_BT_OP_IRET && pos.rec.a)
			iret_operand_fault(b, exit);
		else
			page_fault(b, exit);
	} else if (f->vector == X86_TRAP_DB) {
		/* Between two iterations of REP it is set. */
		b->vcpu->regs.rflags |= f->rflags & X86_EFLAGS_RF;
		exit->kind = TDM_EXIT_EXCEPTION;
		exit->exc.vector = X86_TRAP_DB;
		exit->exc.has_error = false;
		exit->exc.payload = f->cr2;
	} else {
		tdm_bt_guest_exc(exit, f->vector, BIT(f->vector) & ERROR_VECTORS, f->error, 0);
	}
}

/**
 * tdm_bt_decode_exit() - what a run ended with
 * @b: the vCPU, monitor state, interrupts off
 * @exit: filled; TDM_EXIT_NONE: nothing for the core, go on
 *
 * Return: true: canonical state was not needed and is stale; run again at once.
 */
bool tdm_bt_decode_exit(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_vcpu *vcpu = b->vcpu;
	bool syscall = b->frame.vector >= TDM_BT_VEC_SYSCALL;

	/* CS and SS change only through us; the guest may load the others, or their bases. */
	vcpu->valid = TDM_ST_ALL & ~TDM_ST_SEG_REST;
	if (unlikely(tdm_bt_host_event(b)))
		exit->kind = TDM_EXIT_HOST_INTR;
	if (syscall ? !b->user : ((b->frame.cs & 3) == 3) != b->user) {
		give_up(b, exit, "a privilege level it was not given");
		return false;
	}
	if (!b->user) {
		if (b->frame.vector == TDM_BT_VEC_CALLOUT)
			return kernel_callout(b, exit);
		kernel_exit(b, exit);
		return false;
	}
	if (syscall)
		user_syscall(b, exit);
	else if (exit->kind == TDM_EXIT_HOST_INTR)
		user_state(b);
	else
		user_exit(b, exit);
	return false;
}
