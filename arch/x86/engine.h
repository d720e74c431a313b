/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine seam: what the core asks of an engine, and the normalised exit
 * an engine hands back. The core cannot tell which engine ran.
 *
 * Rules of the seam:
 *  - The core owns canonical state (struct tdm_state), pending events, TSC
 *    offset, FPU, APIC and MMU roots. An engine holds only caches of it,
 *    described by vcpu->valid and vcpu->dirty (TDM_ST_*).
 *  - An engine calls up only by returning from enter(). Engines never include
 *    each other's headers, nor anything of kmod/.
 *  - Ops are coarse: per exit, never per register.
 */
#ifndef TDM_ENGINE_H
#define TDM_ENGINE_H

#include <linux/types.h>

#include "arch/x86/paging.h"	/* TDM_ACCESS_* */

struct tdm_vm;
struct tdm_vcpu;
struct seq_file;
struct seq_operations;

/* Parts of canonical state; bits of vcpu->valid, vcpu->dirty, sync masks. */
#define TDM_ST_RIP	(1u << 0)	/* regs.rip */
#define TDM_ST_RSP	(1u << 1)	/* regs.gpr[TDM_RSP] */
#define TDM_ST_RFLAGS	(1u << 2)	/* regs.rflags */
#define TDM_ST_CS_SS	(1u << 3)	/* st.seg[] of CS and SS: mode, CPL */
#define TDM_ST_SEG_REST	(1u << 11)	/* the others, FS and GS bases included */
#define TDM_ST_SEG	(TDM_ST_CS_SS | TDM_ST_SEG_REST)
#define TDM_ST_TABLES	(1u << 4)	/* st.gdt, st.idt */
/*
 * st.cr0, cr3, cr4, pdptr[]. Always valid without tdm_need(), because engines
 * exit on every change: st.efer, and PE, PG, CD and NW of st.cr0. With shadow
 * paging so is all that a walk of the guest's tables depends on: st.cr3, pdptr[],
 * WP of st.cr0, and of st.cr4 all but what says nothing about memory.
 */
#define TDM_ST_CR	(1u << 5)
#define TDM_ST_DR7	(1u << 6)	/* st.dr7, and DEBUGCTL */
#define TDM_ST_SYSENTER	(1u << 7)	/* st.sysenter_* */
#define TDM_ST_PAT	(1u << 8)	/* st.pat */
#define TDM_ST_SHADOW	(1u << 9)	/* ev.int_shadow, ev.nmi_masked */
#define TDM_ST_MSRS	(1u << 10)	/* syscall MSRs, kernel_gs_base, tsc_aux */
#define TDM_ST_ALL	((1u << 12) - 1)

/**
 * enum tdm_exit_kind - why the guest stopped, engine-independent
 *
 * Everything here is at an instruction boundary: RIP is that of the
 * instruction that exited (fault-like); tdm_exit.insn_len, when not 0, is its
 * length. Handlers in kmod/exit.c are a table indexed by this enum.
 */
enum tdm_exit_kind {
	TDM_EXIT_NONE,		/* nothing for the core to do, enter again */
	TDM_EXIT_HOST_INTR,	/* a host interrupt is pending; IRQs-on takes it */
	TDM_EXIT_HOST_NMI,	/* a host NMI came and has been handled */
	TDM_EXIT_EXCEPTION,	/* guest exception intercepted: exc */
	TDM_EXIT_TRIPLE_FAULT,
	TDM_EXIT_INIT_SIGNAL,	/* INIT reached the CPU while in the guest */
	TDM_EXIT_IRQ_WINDOW,
	TDM_EXIT_NMI_WINDOW,
	TDM_EXIT_TASK_SWITCH,	/* task */
	TDM_EXIT_CPUID,
	TDM_EXIT_HLT,
	TDM_EXIT_INVLPG,	/* mmu.gva */
	TDM_EXIT_RDPMC,
	TDM_EXIT_RDTSC,
	TDM_EXIT_RDTSCP,
	TDM_EXIT_VMCALL,	/* hypercall instruction */
	TDM_EXIT_UNDEFINED_INSN,/* e.g. VMX instructions in the guest: #UD */
	TDM_EXIT_CR,		/* cr */
	TDM_EXIT_DR,		/* dr */
	TDM_EXIT_IO,		/* io */
	TDM_EXIT_RDMSR,
	TDM_EXIT_WRMSR,
	TDM_EXIT_MONITOR,
	TDM_EXIT_MWAIT,
	TDM_EXIT_PAUSE,
	TDM_EXIT_DESC_TABLE,	/* LGDT, SIDT...: emulate */
	TDM_EXIT_WBINVD,	/* and INVD */
	TDM_EXIT_XSETBV,
	TDM_EXIT_MMU_FAULT,	/* nested page fault: mmu */
	TDM_EXIT_PAGE_FAULT,	/* shadow paging: a #PF, true or hidden: pf */
	TDM_EXIT_TPR_THRESHOLD,
	TDM_EXIT_APIC_ACCESS,
	TDM_EXIT_EOI,		/* virtualised EOI: eoi vector in exc.vector */
	TDM_EXIT_PREEMPT_TIMER,
	TDM_EXIT_SINGLE_STEP,	/* monitor trap flag */
	TDM_EXIT_EMULATE,	/* the engine cannot run here: emulate one instruction */
	TDM_EXIT_INSN,		/* emulate this one instruction */
	TDM_EXIT_GUEST_EXC,	/* an exception that is the guest's own, not yet delivered: exc */
	TDM_EXIT_ENGINE,	/* the engine needs process context: call ops->slow() */
	TDM_EXIT_ENTRY_FAILED,	/* fail: the processor refused the state */
	TDM_EXIT_INTERNAL,	/* an exit no table entry explains: fail */
	TDM_NR_EXITS
};

/**
 * struct tdm_exit - one normalised exit
 * @kind: which of the union's members is valid
 * @insn_len: length of the exiting instruction, 0 when not known
 * @hw_reason: the hardware's reason and qualification, for messages only
 * @hw_qual: ditto
 */
struct tdm_exit {
	u8 kind;
	u8 insn_len;
	u32 hw_reason;
	u64 hw_qual;
	union {
		struct {
			u16 port;
			u8 size;	/* 1, 2, 4 */
			bool in;
			bool string;	/* INS, OUTS: go to the emulator */
			bool rep;
			bool tried;	/* core: no in-kernel device answered */
		} io;
		struct {
			u64 gpa;
			u64 gva;	/* valid if gva_valid */
			u32 access;	/* TDM_ACCESS_* */
			bool gva_valid;
			bool in_walk;	/* fault while walking guest tables */
		} mmu;
		struct {
			u64 gva;	/* what would be CR2 */
			u32 error;	/* TDM_PF_*, from the shadow tables */
			bool emulate;	/* core: known to need the emulator */
		} pf;
		struct {
			u8 cr;		/* 0, 3, 4, 8 */
			u8 reg;		/* enum tdm_reg; also CLTS, LMSW below */
			enum { TDM_CR_WRITE, TDM_CR_READ, TDM_CR_CLTS,
			       TDM_CR_LMSW } op;
			u16 lmsw;	/* source operand of LMSW */
		} cr;
		struct {
			u8 dr;
			u8 reg;
			bool read;
		} dr;
		struct {
			u8 vector;
			bool has_error;
			u32 error;
			u64 payload;	/* #PF: CR2; #DB: DR6 bits */
			/* insn_len != 0: raised by INT3, INTO or ICEBP */
		} exc;
		struct {
			u16 selector;
			u8 reason;	/* 0 CALL 1 IRET 2 JMP 3 gate */
			bool has_error;
			u32 error;
			int idt_vector;	/* -1 if not through the IDT */
		} task;
		struct {
			u64 reason;	/* KVM_EXIT_FAIL_ENTRY's hardware reason */
			u32 insn_error;	/* VM-instruction error, 0 if none */
		} fail;
	};
};

/* Event types; numbers are the VMCS's and the SVM EVENTINJ's. */
enum tdm_event_type {
	TDM_EV_IRQ	= 0,
	TDM_EV_NMI	= 2,
	TDM_EV_EXC	= 3,	/* hardware exception */
	TDM_EV_SOFT_INT	= 4,	/* INT n */
	TDM_EV_PRIV_SW	= 5,	/* ICEBP */
	TDM_EV_SOFT_EXC	= 6,	/* INT3, INTO */
};

/**
 * struct tdm_event - an event to deliver to the guest
 * @type: enum tdm_event_type
 * @vector: 0..255
 * @has_error: @error is pushed
 * @insn_len: length of the instruction for software events (RIP still points
 *            at it), else 0
 * @has_payload: @payload (CR2 of a #PF, DR6 bits of a #DB) is not yet in the
 *               canonical state
 */
struct tdm_event {
	u8 type;
	u8 vector;
	bool has_error;
	u8 insn_len;
	bool has_payload;
	u32 error;
	u64 payload;
};

/*
 * What request_window() takes: windows, and in bits 7:4 a TPR class: exit
 * (TDM_EXIT_TPR_THRESHOLD) when the guest lowers its TPR below it; 0 = never.
 * The class has no effect without vcpu->vapic, where CR8 writes exit anyway.
 */
#define TDM_WINDOW_IRQ		(1u << 0)
#define TDM_WINDOW_NMI		(1u << 1)
#define TDM_WINDOW_TPR_SHIFT	4

/** struct tdm_why - a sentence for people: why something is not possible */
struct tdm_why {
	char text[192];
};

/**
 * struct tdm_engine_ops - an engine
 *
 * Context key: (p) process context, may sleep; (l) vCPU loaded on this CPU,
 * preemption off; (i) as (l) with interrupts off.
 *
 * @probe:	(p) can this machine run the engine? 0, or -ENODEV/-EBUSY/-EPERM
 *		with the reason and the remedy in *why
 * @get:	(p) take the hardware for one more VM (VMXON everywhere on the
 *		first). Errors as @probe.
 * @put:	(p) give it back. Never fails.
 * @emergency_off: any context, this CPU, crash path: leave VMX at once
 * @vm_init, @vm_destroy: (p) per-VM engine state (vm->engine_priv)
 * @vcpu_create, @vcpu_destroy: (p) per-vCPU engine state (vcpu->engine_priv).
 *		Create leaves nothing valid in the engine: all state is dirty.
 * @load:	preemption off: vCPU comes to this CPU (after migration, too)
 * @unload:	preemption off: vCPU leaves this CPU; host state put back that
 *		the host needs before it schedules anything else
 * @sync_out:	(l) write the parts in mask from the engine to canonical state
 *		and set their vcpu->valid bits. Cannot fail.
 * @sync_in:	(l) all canonical parts in vcpu->dirty & mask to the engine.
 *		enter() does it by itself; here for engine switches and tests.
 * @prepare:	(l) before interrupts are turned off: lazily switched host
 *		state (user-return MSRs, FS/GS bases) to the guest's. Must be
 *		called at every turn of the outer loop, that is whenever
 *		interrupts have been on since the last enter(): the engine
 *		then looks again at host state that can change meanwhile
 *		(CR3, CR4, DEBUGCTL, breakpoints) and at st.tsc_offset.
 * @to_host:	(l) the opposite, before returning to userspace
 * @enter:	(i) run the guest until the next exit. Applies vcpu->dirty,
 *		fills *exit, sets vcpu->valid to what is fresh (at least RIP).
 *		An event whose delivery was cut short by the exit is put in
 *		vcpu->ev.cur with ev.cur_valid. Host NMIs are handled inside.
 * @leave:	(i) the last enter() before interrupts go on is over: puts back host
 *		state that enter() left switched. NULL: nothing
 * @hand_over:	(i) after leave(), the host's FPU state in place: host events that
 *		enter() noted but could not let the host take. With @leave
 * @slow:	(p) for TDM_EXIT_ENGINE: 1 enter again; 0 *exit was filled with
 *		another kind, handle that; negative errno. NULL: never
 * @inject:	(i) deliver ev at the next enter
 * @cancel_injection: (l or i) take back what inject() queued, into ev.cur
 * @request_window: (i) exit as soon as the guest can take an IRQ/NMI:
 *		TDM_WINDOW_*; replaces the earlier request, which holds until
 *		then (an open window exits each time)
 * @irq_allowed, @nmi_allowed: (l) can the guest take one at this boundary?
 *		(RFLAGS.IF and shadows; not priorities)
 * @mmu_modes:	after a probe() that succeeded: BIT(enum tdm_mmu_mode) of what
 *		this machine can do; *why: a sentence when one is missing
 * @must_emulate: (l) the guest is in a state that the hardware cannot run (real
 *		mode without unrestricted guest, segments no entry check lets
 *		through): the core interprets instructions and delivers events
 *		by software until it says no. NULL: never.
 * @mmu_root_changed: (l or i) vm/vcpu root is new: the EPT root, or
 *		vcpu->mmu.hw_cr3 with shadow paging
 * @tlb_flush:	(i) drop every cached translation of this vCPU's guest
 * @intercepts_changed: (l) recompute controls: exception bitmap (guest
 *		debug), MSR bitmap, I/O bitmap, CR masks
 * @set_timer:	(i) exit (TDM_EXIT_PREEMPT_TIMER) after at most this many TSC
 *		ticks of the host; ~0ull = off. May be NULL.
 * @code_written: memory with a TDM_TRACK_CODE trace was or may have been written;
 *		mmu lock or slots_sem held, may not sleep. NULL: no such traces
 * @explain:	(p) to the log: what the engine made of the guest code at @rip. NULL: nothing
 * @code:	(p) translated code as text, a TU at a time; seq_file.private is the
 *		VM. Any process may ask. NULL: nothing is translated
 * @dump:	(l) engine state as text, for debugfs and failures
 */
struct tdm_engine_ops {
	const char *name;
	u32 id;			/* TDM_ENGINE_* of uapi/tandem.h */

	int  (*probe)(struct tdm_why *why);
	int  (*get)(struct tdm_why *why);
	void (*put)(void);
	void (*emergency_off)(void);

	int  (*vm_init)(struct tdm_vm *vm);
	void (*vm_destroy)(struct tdm_vm *vm);

	int  (*vcpu_create)(struct tdm_vcpu *vcpu);
	void (*vcpu_destroy)(struct tdm_vcpu *vcpu);
	void (*load)(struct tdm_vcpu *vcpu, int cpu);
	void (*unload)(struct tdm_vcpu *vcpu);
	void (*sync_out)(struct tdm_vcpu *vcpu, u32 mask);
	void (*sync_in)(struct tdm_vcpu *vcpu, u32 mask);

	void (*prepare)(struct tdm_vcpu *vcpu);
	void (*to_host)(struct tdm_vcpu *vcpu);
	void (*enter)(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
	void (*leave)(struct tdm_vcpu *vcpu);
	void (*hand_over)(struct tdm_vcpu *vcpu);
	int  (*slow)(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
	void (*inject)(struct tdm_vcpu *vcpu, const struct tdm_event *ev);
	void (*cancel_injection)(struct tdm_vcpu *vcpu);
	void (*request_window)(struct tdm_vcpu *vcpu, u32 windows);
	bool (*irq_allowed)(struct tdm_vcpu *vcpu);
	bool (*nmi_allowed)(struct tdm_vcpu *vcpu);

	u32  (*mmu_modes)(struct tdm_why *why);
	bool (*must_emulate)(struct tdm_vcpu *vcpu);
	void (*mmu_root_changed)(struct tdm_vcpu *vcpu);
	void (*tlb_flush)(struct tdm_vcpu *vcpu);
	void (*intercepts_changed)(struct tdm_vcpu *vcpu);
	void (*set_timer)(struct tdm_vcpu *vcpu, u64 delta_tsc);
	void (*code_written)(struct tdm_vm *vm, u64 gpa, u64 len);
	void (*explain)(struct tdm_vcpu *vcpu, u64 rip);
	const struct seq_operations *code;
	void (*dump)(struct tdm_vcpu *vcpu, struct seq_file *m);
};

extern const struct tdm_engine_ops tdm_vmx_ops;
extern const struct tdm_engine_ops tdm_bt_ops;

/* kmod/verify.c: the BT engine is to run one fragment per entry, and not to chain. */
extern bool tdm_bt_verify;

#endif /* TDM_ENGINE_H */
