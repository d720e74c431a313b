/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BT engine, shared by its files only. Reading order: layout.h (the monitor
 * slot), tu.h (what the translator makes), classify.c, translate.c, emit.c
 * (translator); cache.c, space.c, link.c, lookup.c, faultmap.c, smc.c (translation
 * cache); monitor.c (the slot of a vCPU), gdt.c, world.c and switch.S (world
 * switch); engine.c, enter.c, deliver.c, exit.c, light.c (the engine's ops).
 *
 * What runs how:
 *	guest at CPL 0, 64-bit code		translated, at CPL 1
 *	guest at CPL 3, long mode		directly, at CPL 3
 *	everything else				interpreter (tdm_bt_must_emulate())
 *
 * Two states of a CPU while a vCPU runs on it with interrupts off:
 *	host state	everything is the host's
 *	monitor state	IDT, GDT, TR, CR4, syscall MSRs and CR3 (the monitor's root:
 *			host kernel + monitor view of the slot) are the monitor's, GS
 *			base is the host's: C code runs, but nothing may turn
 *			interrupts on, sleep or look at userspace
 * enter() goes from host to monitor state at the first call and stays there (a
 * light exit); leave() goes back (a full exit).
 *
 * Field tags as in vcpu.h and vm.h; (t) tc->lock.
 */
#ifndef TDM_BT_H
#define TDM_BT_H

#include <linux/spinlock.h>

#include "arch/x86/engine.h"
#include "arch/x86/vcpu.h"
#include "bt/layout.h"
#include "bt/tu.h"

struct tdm_bt_vm;
struct tdm_bt_mon;
struct tdm_bt_space;
struct tdm_bt_tcv;
struct tdm_tu;

/**
 * struct tdm_bt_frame - how the CPU is (or was) in the guest, besides gprs
 * @vector: out: 0..255; TDM_BT_VEC_SYSCALL, TDM_BT_VEC_SYSCALL32
 * @error: out: error code, 0 if the vector has none
 * @rip, @cs, @rflags, @rsp, @ss: in and out: real ones, as IRETQ takes them
 * @cr2: out, after #PF
 */
struct tdm_bt_frame {
	u64 vector;
	u64 error;
	u64 rip;
	u64 cs;
	u64 rflags;
	u64 rsp;
	u64 ss;
	u64 cr2;
};

/** struct tdm_bt_user - room to decode a user instruction in */
struct tdm_bt_user {
	struct tdm_insn insn;
	struct tdm_insn_work work;
	u8 bytes[TDM_INSN_MAX_LEN];
};

#define TDM_BT_ENTRIES	16

/**
 * struct tdm_bt - a vCPU in the BT engine; vcpu->engine_priv
 * @frame: first: the entry code's offsets
 * @vcpu: back
 * @state: the bt_state page, host's address; the guest can write it
 * @mon: the slot and host state, monitor.c's
 * @base: address of the monitor slot
 * @space: current space: its TUs are what may run. NULL: to be found
 * @tcv: the translation cache's own; NULL until code is translated
 * @in_monitor: the CPU is in monitor state for this vCPU
 * @user: the guest was entered at CPL 3
 * @scratch: for user.c
 * @slow: TDM_BT_SLOW_*: what tdm_bt_slow() is to do
 * @windows: TDM_WINDOW_* asked for; with that for interrupts stores to STI fault
 * @inject: @inject_valid: event to be delivered at the next entry
 * @resume_rip, @resume_tc: [0] where the last exit stopped, [1] the next
 *	instruction: guest RIP and TC address, good while tc_gen is as then
 * @iret_at: what state->iret_ptr[] is to be: addresses in the guest's GDT
 * @resume_gen: tc_gen of that moment
 * @same: selectors of CPL 0 that IRETQ loaded, and the descriptors they stand for;
 *	cs 0: none yet
 * @iret_key: what bt_state's fields for IRETQ were made for; 0: to be made
 * @entry: by the guest's RIP: TC addresses of where system calls and events went
 *	lately; good while tc_gen is @gen
 */
struct tdm_bt {
	struct tdm_bt_frame frame;	/* (v) */
	struct tdm_vcpu *vcpu;		/* (c) */
	struct tdm_bt_state *state;	/* (c) page; contents are the guest's */
	struct tdm_bt_mon *mon;		/* (c) */
	u64 base;			/* (v) */
	struct tdm_bt_space *space;	/* (v) */
	struct tdm_bt_tcv *tcv;		/* (v) */
	bool in_monitor;		/* (v) */
	bool user;			/* (v) */
	u8 slow;			/* (v) */
	struct tdm_bt_user *scratch;	/* (c) process context only */
	u32 windows;			/* (v) */
	bool inject_valid;		/* (v) */
	struct tdm_event inject;	/* (v) */
	u64 resume_rip[2];		/* (v) */
	u64 resume_tc[2];		/* (v) */
	u64 resume_gen;			/* (v) */
	u64 iret_at[4];			/* (v) */
	struct {
		u16 cs;
		u16 ss;
		struct tdm_table gdt;
		u64 raw[2];
	} same;				/* (v) */
	u64 iret_key;			/* (v) */
	struct {
		u64 rip;
		u64 tc;
		u64 gen;
		struct tdm_bt_space *space;
	} entry[TDM_BT_ENTRIES];	/* (v) */
};

/* RFLAGS that the CPU has as the guest has them; the rest is virtual or fixed. */
#define TDM_BT_REAL_FLAGS	0x244cd5ull	/* CF PF AF ZF SF DF OF NT AC ID */

enum tdm_bt_slow {
	TDM_BT_SLOW_FILL,
	TDM_BT_SLOW_DEAD,
	TDM_BT_SLOW_USER,
	TDM_BT_SLOW_MOVE,
	TDM_BT_SLOW_GDT,
	TDM_BT_SLOW_OPERAND,
};

/* An exception that is the guest's own: *exit for the core to deliver it. */
static inline void tdm_bt_guest_exc(struct tdm_exit *exit, u8 vector, bool has_error, u32 error,
				    u64 payload)
{
	exit->kind = TDM_EXIT_GUEST_EXC;
	exit->exc.vector = vector;
	exit->exc.has_error = has_error;
	exit->exc.error = error;
	exit->exc.payload = payload;
}

static inline struct tdm_bt *to_bt(struct tdm_vcpu *vcpu)
{
	return vcpu->engine_priv;
}

static inline struct tdm_bt_vm *to_bt_vm(struct tdm_vm *vm)
{
	return vm->engine_priv;
}

/* ---- monitor.c, gdt.c, world.c, switch.S: the world switch ---- */

int tdm_bt_mon_create(struct tdm_vcpu *vcpu);	/* (p) slot of the vCPU; sets vcpu->mmu.mon_*; 0, -ENOMEM */
void tdm_bt_mon_destroy(struct tdm_vcpu *vcpu);	/* (p) */
void tdm_bt_mon_move(struct tdm_bt *b, unsigned int index);	/* slot to another PML4 entry; host state, preemption off */
bool tdm_bt_mon_index_ok(unsigned int index);	/* 256..271: elsewhere the host's kernel may be */
int tdm_bt_world_probe(struct tdm_why *why);	/* (p) can this machine do it: LA57, FRED, ... */

/* Both: interrupts off, b->vcpu loaded. In: also when it moved to another CPU. */
void tdm_bt_switch_in(struct tdm_bt *b);	/* host to monitor state; no-op if there */
/*
 * Monitor to host state. Then tdm_bt_hand_over() gives the host what ended the
 * guest: an interrupt goes through the host's IDT, an NMI or machine check to its
 * handler.
 */
void tdm_bt_switch_out(struct tdm_bt *b);	/* no-op in host state */
void tdm_bt_hand_over(struct tdm_bt *b);	/* host state */
/*
 * Host state, preemption off: what the host needs only now goes back: FS and GS
 * bases, DS, ES, LDT, system call MSRs. From ops->unload and ops->to_host.
 */
void tdm_bt_world_unload(struct tdm_bt *b);

/* Guest FS, GS bases, selectors and DR0-3/DR7 go with switch_in/out, and when vcpu->dirty says so. */
void tdm_bt_guest_changed(struct tdm_bt *b);	/* vcpu->dirty has CR, DR7 or MSRS; monitor state */
void tdm_bt_segs_in(struct tdm_bt *b);	/* canonical st.seg[] to the CPU and the monitor's GDT, monitor state */
void tdm_bt_segs_out(struct tdm_bt *b);	/* the other way: what the guest's user code changed; monitor state */
bool tdm_bt_gdt_stale(const struct tdm_bt *b);	/* read the guest's GDT before user code runs */
int tdm_bt_gdt_refresh(struct tdm_bt *b);	/* (p) do; 0 or -ENOMEM */
int tdm_bt_user_selectors(struct tdm_bt *b);	/* frame.cs, frame.ss for st.seg[CS,SS]; -EINVAL: not reversible, interpret */

/*
 * Enter the guest with vcpu->regs.gpr (but RSP) and b->frame, under
 * vcpu->mmu.hw_cr3, until the next event; both are filled again. Monitor state.
 * Host interrupts, NMIs, machine checks are noted for switch_out().
 */
void tdm_bt_run(struct tdm_bt *b);
bool tdm_bt_host_event(const struct tdm_bt *b);	/* switch_out() has something to hand over */

void tdm_bt_window(struct tdm_bt *b, bool armed);	/* STI alias read-only or not; monitor or host state */
void tdm_bt_set_lookup(struct tdm_bt *b, u64 pt_hpa);	/* the slot's LOOKUP region: page table of the current space; 0 none */

/* ---- cache.c, space.c, link.c, lookup.c, faultmap.c, smc.c: the TC ---- */

int tdm_bt_tc_create(struct tdm_vm *vm);	/* (p) vm->engine_priv */
void tdm_bt_tc_destroy(struct tdm_vm *vm);	/* (p) */
u64 tdm_bt_tc_pde_page(struct tdm_vm *vm);	/* hpa of the PD for the slot's PDPTE of TC; guest's view: r-x */
u64 tdm_bt_tc_gen(struct tdm_vm *vm);		/* changes when any fragment goes or moves */
bool tdm_bt_tc_smp(struct tdm_vm *vm);
void tdm_bt_tc_vcpu_destroy(struct tdm_vcpu *vcpu);	/* (p) lookup tables of the vCPU */

/* (i) TC address of guest code at @rip (CPL 0) in b->space; 0: call tdm_bt_tc_fill(). */
u64 tdm_bt_tc_find(struct tdm_bt *b, u64 rip);
/*
 * (p) Find the space, fetch, translate, install. Return: 1; 0: *exit is
 * TDM_EXIT_GUEST_EXC (the fetch faults) or TDM_EXIT_EMULATE (cannot be translated);
 * -errno (host memory)
 */
int tdm_bt_tc_fill(struct tdm_bt *b, u64 rip, struct tdm_exit *exit);
/*
 * (i) Before entering translated code: b->space is right for the vCPU's current
 * root and flushes. False: needs process context, tdm_bt_tc_fill() does it.
 */
bool tdm_bt_space_fast(struct tdm_bt *b);
void tdm_bt_space_flush(struct tdm_vcpu *vcpu);	/* guest flushed its TLB or changed CR3/CR0/CR4: look again */

/**
 * struct tdm_bt_pos - a place in the TC, in the guest's terms
 * @rec: copy of the record
 * @rip: of the guest instruction
 * @target: for TDM_REC_TAKEN and TDM_REC_INDIRECT
 * @tc_this, @tc_next: where the fragment has this and the next instruction; 0:
 *	not in this fragment
 */
struct tdm_bt_pos {
	struct tdm_bt_rec rec;
	u64 rip;
	u64 target;
	u64 tc_this;
	u64 tc_next;
};

/* (i) false: no fragment there (the guest jumped wildly at CPL 1) */
bool tdm_bt_locate(struct tdm_bt *b, u64 tc_va, struct tdm_bt_pos *pos);
/*
 * (i) The callout with @id, from its INT's return address: fills *pos as
 * tdm_bt_locate() for instructions. For links: pos->rec.kind AFTER or TAKEN with
 * pos->target where to go on; chains if that is translated; *what: TDM_BT_ID_WHAT. For MISS: target from
 * state->ind_rip; enters it in the lookup table if translated. False: id is bad.
 */
bool tdm_bt_callout(struct tdm_bt *b, u64 tc_va, struct tdm_bt_pos *pos, u32 *what);
/* (i) the indirect branch with that id (tdm_bt_state.site): its BEFORE record; false: none */
bool tdm_bt_site(struct tdm_bt *b, u32 id, struct tdm_bt_pos *pos);

void tdm_bt_code_written(struct tdm_vm *vm, u64 gpa, u64 len);	/* tdm_mmu_client.code_written */

extern const struct seq_operations tdm_bt_tc_seq;	/* explain.c; m->private is the VM */
void tdm_bt_explain(struct tdm_vcpu *vcpu, u64 rip);	/* (p) tdm_engine_ops.explain */

/* ---- engine.c, enter.c, deliver.c, exit.c, light.c ---- */
bool tdm_bt_must_emulate(struct tdm_vcpu *vcpu);
void tdm_bt_enter(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
int tdm_bt_slow(struct tdm_vcpu *vcpu, struct tdm_exit *exit);
void tdm_bt_request_window(struct tdm_vcpu *vcpu, u32 windows);
void tdm_bt_op_iret(struct tdm_bt *b, struct tdm_exit *exit);	/* iret.c; (i) */
void tdm_bt_iret_enter(struct tdm_bt *b);	/* iret.c; (i) */
int tdm_bt_user_trap(struct tdm_bt *b, struct tdm_exit *exit);	/* user.c; (p) */
bool tdm_bt_decode_exit(struct tdm_bt *b, struct tdm_exit *exit);	/* (i) monitor state */
bool tdm_bt_deliver(struct tdm_bt *b);	/* deliver.c; (i) */
bool tdm_bt_light(struct tdm_bt *b, const struct tdm_bt_pos *pos, u32 what);	/* light.c; (i) monitor state */

#endif /* TDM_BT_H */
