// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between the host and the guest: host state, monitor state, runs.
 *
 * What is put back when:
 *	light exit (tdm_bt_run() returns)	CR3 (the monitor's), GS base, RSP
 *	full exit (tdm_bt_switch_out())		+ CR3 (the host's), CR4, CR0, GDT, IDT,
 *						TR, breakpoints
 *	tdm_bt_world_unload()			+ the rest of what only userspace and
 *						other threads need: FS and GS bases, DS,
 *						ES, LDT, system call MSRs
 *
 * In monitor state C runs with the monitor's IDT: exceptions of host code go to the
 * host's handlers by way of switch.S, NMIs and machine checks are only marked and
 * handed over by the next full exit. So nothing here may loop, sleep, or turn
 * interrupts on. Order matters everywhere; switch.S says why.
 */
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/trapnr.h>
#include <linux/hw_breakpoint.h>

#include "arch/x86/compat.h"
#include "arch/x86/dr.h"
#include "arch/x86/regs.h"
#include "bt/world.h"

static_assert(offsetof(struct tdm_bt_info, mon_cr3) == INFO_MON_CR3);
static_assert(offsetof(struct tdm_bt_info, event) == INFO_EVENT);
static_assert(offsetof(struct tdm_bt_priv, host_rsp) == PRIV_HOST_RSP);
static_assert(offsetof(struct tdm_bt_priv, regs) == PRIV_REGS);
static_assert(offsetof(struct tdm_bt_priv, bt) == PRIV_BT);
static_assert(offsetof(struct tdm_bt_priv, fatal) == PRIV_FATAL);
static_assert(offsetof(struct tdm_bt_priv, host_gs) == PRIV_HOST_GS);
static_assert(offsetof(struct tdm_bt_priv, root) == PRIV_ROOT);
static_assert(offsetof(struct tdm_bt_priv, host_root) == PRIV_HOST_ROOT);
static_assert(offsetof(struct tdm_bt_priv, gate) == PRIV_GATES);
static_assert(offsetof(struct tdm_bt, frame) == 0);
static_assert(offsetof(struct tdm_bt_frame, vector) == FRAME_VECTOR);
static_assert(offsetof(struct tdm_bt_frame, error) == FRAME_ERROR);
static_assert(offsetof(struct tdm_bt_frame, rip) == FRAME_RIP);
static_assert(offsetof(struct tdm_bt_frame, cs) == FRAME_CS);
static_assert(offsetof(struct tdm_bt_frame, rflags) == FRAME_RFLAGS);
static_assert(offsetof(struct tdm_bt_frame, rsp) == FRAME_RSP);
static_assert(offsetof(struct tdm_bt_frame, ss) == FRAME_SS);
static_assert(offsetof(struct tdm_bt_tables, switch_gdt.limit) == TABLES_SWITCH_GDT);
static_assert(offsetof(struct tdm_bt_tables, mon_gdt.limit) == TABLES_MON_GDT);
static_assert(offsetof(struct tdm_bt_tables, mon_idt.limit) == TABLES_MON_IDT);
static_assert(offsetof(struct tdm_bt_tables, host_gdt.limit) == TABLES_HOST_GDT);
static_assert(offsetof(struct tdm_bt_tables, host_idt.limit) == TABLES_HOST_IDT);
static_assert(offsetof(struct tdm_regs, gpr[TDM_RCX]) == REG_RCX);
static_assert(offsetof(struct tdm_regs, gpr[TDM_RBP]) == REG_RBP);
static_assert(offsetof(struct tdm_regs, gpr[TDM_R8]) == REG_R8);
static_assert(offsetof(struct tdm_regs, gpr[TDM_R15]) == REG_R15);

void tdm_bt_call_gate(unsigned long entry);

/* ---- control registers ---- */

#define CR0_GUEST	(X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_AM)
/* Of the guest, as far as the host has it on. */
#define CR4_GUEST	(X86_CR4_DE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE | \
			 X86_CR4_FSGSBASE | X86_CR4_SMAP | X86_CR4_PKE)
/*
 * Of the host. Not PGE: global entries of the host's TLB would show the guest its
 * kernel. Not CET: translated code has no landing pads. Whatever is not named here
 * (LAM, LASS, user interrupts, performance counters for users) is off.
 */
#define CR4_HOST	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_VMXE | \
			 X86_CR4_SMXE | X86_CR4_PCIDE | X86_CR4_SMEP)

/* Monitor state's, for what the guest has now. WP: read-only tables are so for CPL 1. */
static void make_crs(struct tdm_bt_mon *m, const struct tdm_vcpu *vcpu)
{
	m->crs.cr0 = (m->host.cr0 & ~(unsigned long)CR0_GUEST) | (vcpu->st.cr0 & CR0_GUEST) |
		     X86_CR0_WP | X86_CR0_NE;
	m->crs.cr4 = (m->host.cr4 & CR4_HOST) | (m->host.cr4 & vcpu->st.cr4 & CR4_GUEST) |
		     X86_CR4_TSD;
	if (boot_cpu_has(X86_FEATURE_UMIP))
		m->crs.cr4 |= X86_CR4_UMIP;
}

/* The MSRs among those taken that follow the guest's own. */
static void follow_msrs(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;

	if (m->msrs.ours[TDM_SYSMSR_TSC_AUX] != b->vcpu->st.tsc_aux)
		tdm_host_sysmsr_set(&m->msrs, TDM_SYSMSR_TSC_AUX, b->vcpu->st.tsc_aux);
	/* SYSCALL in user code is #UD without the guest's SCE. */
	if (unlikely((m->msrs.ours[TDM_SYSMSR_EFER] ^ b->vcpu->st.efer) & EFER_SCE))
		tdm_host_sysmsr_set(&m->msrs, TDM_SYSMSR_EFER, b->vcpu->st.efer & EFER_SCE);
}

/**
 * tdm_bt_guest_changed() - canonical CR0, CR4, DR7, TSC_AUX, EFER.SCE to the CPU
 * @b: vCPU, monitor state; vcpu->dirty says that one of them may be new
 */
void tdm_bt_guest_changed(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;
	struct tdm_host_crs was = m->crs;

	make_crs(m, b->vcpu);
	tdm_host_load_crs(&was, &m->crs);
	m->bps = tdm_dr7_effective(b->vcpu) & 0xff;
	follow_msrs(b);
}

/* ---- debug registers ---- */

/*
 * Which of the guest's breakpoints may be loaded: on data (those on code mean guest
 * addresses, not the TC: user code only), never one that touches the slot.
 */
static u64 safe_dr7(const struct tdm_bt *b, u64 *dr)
{
	static const u8 len[] = { 1, 2, 8, 4 };
	u64 dr7 = tdm_dr7_effective(b->vcpu), type, n;
	int i;

	for (i = 0; i < 4; i++) {
		dr[i] = tdm_dr_effective(b->vcpu, i);
		type = dr7 >> (16 + 4 * i) & 3;
		n = len[dr7 >> (18 + 4 * i) & 3];
		/* I/O always traps: the core checks it. */
		if (type == 2 || (type == 0 && !b->user) ||
		    dr[i] + n - b->base < TDM_BT_SLOT_SIZE + n)
			dr7 &= ~(3ull << (2 * i));
	}
	return dr7 & 0xff ? (dr7 & 0xffff03ff) | 0x400 : 0;
}

static noinline void debug_in(struct tdm_bt *b)
{
	u64 dr[4], dr7 = safe_dr7(b, dr);

	b->mon->dr7 = dr7;
	if (!dr7)
		return;
	tdm_host_debug_load(dr);
	/* Bits are sticky: none of what was before. */
	tdm_host_debug_take_dr6();
	tdm_host_debug_set_dr7(dr7);
}

/* Off at once: host code must not meet them. */
static noinline void debug_out(struct tdm_bt *b)
{
	if (b->mon->dr7)
		tdm_host_debug_set_dr7(0);
	b->mon->dr7 = 0;
}

/* ---- host state to monitor state ---- */

static void take_msrs(struct tdm_bt *b)
{
	const u64 msr[TDM_NR_SYSMSRS] = {
		[TDM_SYSMSR_STAR] = (u64)TDM_BT_SEL_K64 << 32,
		[TDM_SYSMSR_LSTAR] = tdm_bt_text_at(b, tdm_bt_text_syscall),
		[TDM_SYSMSR_CSTAR] = tdm_bt_text_at(b, tdm_bt_text_syscall32),
		[TDM_SYSMSR_SFMASK] = BT_SYSCALL_MASK,
		[TDM_SYSMSR_SYSENTER_CS] = 0,
		[TDM_SYSMSR_TSC_AUX] = b->vcpu->st.tsc_aux,
		[TDM_SYSMSR_EFER] = b->vcpu->st.efer & EFER_SCE,
	};

	tdm_host_sysmsrs_take(&b->mon->msrs, msr);
}

/* The first switch in since load: what stays the guest's over full exits. */
static noinline void take_cpu(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;
	int cpu = raw_smp_processor_id();
	struct desc_ptr idt;

	if (m->cpu != cpu) {
		m->cpu = cpu;
		memcpy(m->switch_gdt, get_cpu_gdt_ro(cpu), GDT_SIZE);
		m->tables.host_gdt.base = (u64)get_cpu_gdt_ro(cpu);
		m->tables.host_gdt.limit = GDT_SIZE - 1;
		store_idt(&idt);
		m->tables.host_idt.base = idt.address;
		m->tables.host_idt.limit = idt.size;
		m->priv->host_gs = tdm_host_gs_base();
	}
	tdm_host_segs_save(&m->segs, b->vcpu->st.seg[TDM_SEG_GS].base);
	tdm_host_ldt_off(&m->segs);
	take_msrs(b);
}

/* LTR wants an available TSS and makes it busy. */
static void make_available(u64 *desc)
{
	*desc &= ~(2ull << 40);
}

typedef void (*text_fn)(struct tdm_bt_tables *tables);

static void call_text(struct tdm_bt *b, const char *label)
{
	((text_fn)tdm_bt_text_at(b, label))(&b->mon->tables);
}

/**
 * tdm_bt_switch_in() - from host state to monitor state
 * @b: loaded vCPU; interrupts off until tdm_bt_switch_out()
 */
void tdm_bt_switch_in(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;
	bool fresh = !m->segs.loaded;

	if (likely(b->in_monitor))
		return;
	if (unlikely(fresh))
		take_cpu(b);
	else
		tdm_host_sysmsrs_check(&m->msrs);
	tdm_host_crs_read(&m->host);
	m->priv->host_root = __va(m->host.cr3 & CR3_ADDR_MASK);
	make_crs(m, b->vcpu);
	m->bps = tdm_dr7_effective(b->vcpu) & 0xff;
	make_available(&m->gdt[BT_GDT_PAGES - 1][(TDM_BT_SEL_TSS >> 3) % (PAGE_SIZE / 8)]);
	tdm_host_load_root(m->crs.cr3);
	call_text(b, tdm_bt_text_in);
	tdm_host_load_crs(&m->host, &m->crs);
	/* Not before: NMI handlers of the host turn them on again. */
	tdm_host_ds_off(&m->ds);
	m->host_bps = hw_breakpoint_active();
	if (unlikely(m->host_bps))
		tdm_host_debug_set_dr7(0);
	b->in_monitor = true;
	if (unlikely(fresh))
		tdm_bt_segs_in(b);
	follow_msrs(b);
}

/* ---- monitor state to host state ---- */

/**
 * tdm_bt_hand_over() - give the host the events that ended the guest
 * @b: loaded vCPU, host state, interrupts off, the host's FPU state in place:
 *	handlers may use it
 */
void tdm_bt_hand_over(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;
	u32 vector = m->host_vector;
	u8 event = m->info->event;
	struct desc_ptr idt;

	if (likely(!(vector | event)))
		return;
	m->host_vector = 0;
	m->info->event = 0;
	/* NMIs are blocked if one hit the guest, not if it was only marked: no INT 2. */
	if (vector == X86_TRAP_NMI || (event & BT_EVENT_NMI))
		tdm_bt_call_gate(tdm_nmi_entry());
	if (vector == X86_TRAP_MC || (event & BT_EVENT_MC))
		tdm_host_machine_check();
	if (vector >= 32) {
		store_idt(&idt);
		tdm_bt_call_gate(gate_offset((gate_desc *)idt.address + vector));
	}
}

/* Everything as switch_in() found it. */
static void restore_host(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;

	tdm_host_ds_on(&m->ds);
	tdm_host_load_crs(&m->crs, &m->host);
	make_available(&m->switch_gdt[GDT_ENTRY_TSS]);
	call_text(b, tdm_bt_text_out);
	tdm_host_load_root(m->host.cr3);
	b->in_monitor = false;
	if (unlikely(m->host_bps))
		hw_breakpoint_restore();
}

/**
 * tdm_bt_switch_out() - from monitor state to host state
 * @b: loaded vCPU; interrupts off; tdm_bt_hand_over() is to follow
 */
void tdm_bt_switch_out(struct tdm_bt *b)
{
	if (!b->in_monitor)
		return;
	tdm_stat(b->vcpu, bt_full_exits);
	restore_host(b);
}

/**
 * tdm_bt_world_unload() - the vCPU leaves the CPU, or its thread goes to userspace
 * @b: host state, preemption off. The guest's segments are canonical afterwards.
 */
void tdm_bt_world_unload(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;

	if (!m->segs.loaded)
		return;
	if (!(b->vcpu->valid & TDM_ST_SEG_REST)) {
		tdm_bt_segs_out(b);
		b->vcpu->valid |= TDM_ST_SEG_REST;
	}
	tdm_host_sysmsrs_release(&m->msrs);
	tdm_host_segs_back(&m->segs);
}

/**
 * tdm_bt_fatal() - what cannot happen: an exception in the slot's own text, or #DF
 * @b: the vCPU
 * @frame: vector, error code, RIP, CS, RFLAGS, RSP, SS
 *
 * From switch.S, on the host's stack. Nothing can be undone: say what it was, and
 * die as the kernel does.
 */
asmlinkage void tdm_bt_fatal(struct tdm_bt *b, const u64 *frame)
{
	u64 f[6];

	memcpy(f, frame, sizeof(f));
	restore_host(b);
	panic("tandem: exception %llu (error 0x%llx) in the monitor at 0x%llx (slot + 0x%llx), RSP 0x%llx",
	      f[0], f[1], f[2], f[2] - b->base, f[5]);
}

/* ---- runs ---- */

/* IF on: the host gets its interrupts. IOPL 0: the guest gets no ports, no CLI. */
#define FLAGS_FORBIDDEN	(X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_VIF | X86_EFLAGS_VIP)
#define FLAGS_FORCED	(X86_EFLAGS_IF | X86_EFLAGS_FIXED)

/* No root, or a frame for CPL 0 or 2. RPL 1 is good for C64 only: IRETQ sees to it. */
static noinline void refuse_frame(struct tdm_bt *b)
{
	b->frame.vector = X86_TRAP_GP;
	b->frame.error = b->frame.cs & 0xfffc;
}

/* Vectors that are the host's: external interrupts, NMI, machine check. */
static bool is_host_vector(u64 vector)
{
	return vector - 32 < 256 - 32 || vector == X86_TRAP_NMI || vector == X86_TRAP_MC;
}

/**
 * tdm_bt_run() - run the guest until something happens
 * @b: vCPU in monitor state; its frame, its gprs, vcpu->mmu.hw_cr3
 *
 * A frame that IRETQ refuses is an exit with that exception and the frame as it
 * was. After #DB, frame.cr2 is DR6.
 */
void tdm_bt_run(struct tdm_bt *b)
{
	struct tdm_bt_mon *m = b->mon;
	struct tdm_vcpu *vcpu = b->vcpu;
	struct tdm_bt_frame *f = &b->frame;
	u64 cr3 = vcpu->mmu.hw_cr3, vector;

	if (unlikely(m->host_vector)) {
		f->vector = m->host_vector;
		return;
	}
	f->rflags = (f->rflags & ~(u64)FLAGS_FORBIDDEN) | FLAGS_FORCED;
	if (unlikely(!(f->cs & 1) || !cr3)) {
		refuse_frame(b);
		return;
	}
	tdm_stat(vcpu, bt_light_exits);
	if (unlikely(m->bps))
		debug_in(b);
	tdm_bt_switch(b, &vcpu->regs, cr3 | m->pcid, m->enter);
	if (unlikely(m->bps))
		debug_out(b);
	vector = f->vector;
	if (likely(vector == TDM_BT_VEC_CALLOUT))
		return;
	if (vector == X86_TRAP_PF)
		f->cr2 = native_read_cr2();
	else if (is_host_vector(vector))
		m->host_vector = vector;
	else if (unlikely(vector == X86_TRAP_DB))
		f->cr2 = tdm_host_debug_take_dr6();
}

/** tdm_bt_host_event() - is there something for switch_out() to hand over? */
bool tdm_bt_host_event(const struct tdm_bt *b)
{
	return b->mon->host_vector || READ_ONCE(b->mon->info->event);
}
