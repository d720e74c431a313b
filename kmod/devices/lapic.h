/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct tdm_lapic and what the LAPIC's files, the chips and the routing share.
 * The core uses kmod/devices/irq.h.
 *
 * Who writes what: the vCPU's thread owns the registers. Others set IRR and TMR
 * bits and irr_words with atomic bit operations, and read ID, LDR, DFR, mode.
 */
#ifndef TDM_LAPIC_H
#define TDM_LAPIC_H

#include <linux/hrtimer.h>

#include "kmod/devices/irq.h"
#include "kmod/devices/lapic_core.h"

enum tdm_lapic_mode {
	TDM_LAPIC_DISABLED,	/* by IA32_APIC_BASE */
	TDM_LAPIC_XAPIC,
	TDM_LAPIC_X2APIC,
};

/* One bus clock is one nanosecond: the timer runs at 1 GHz, as KVM's. */
#define TDM_APIC_BASE_ADDR	0xfee00000ull

/**
 * struct tdm_lapic_timer - the APIC timer
 * @hrt: host timer; its callback only sets @pending and kicks
 * @pending: it came due; the vCPU has not yet turned it into an interrupt
 * @start_ns: when the count began (one-shot, periodic)
 * @expiry_ns: next time it comes due; 0 = no more
 * @deadline: guest TSC at which the deadline passes, 0 = none
 * @tsc_offset: guest TSC less host TSC, for @deadline
 */
struct tdm_lapic_timer {
	struct hrtimer hrt;
	int pending;		/* (a) */
	u64 start_ns;		/* (v) */
	u64 expiry_ns;		/* (v) */
	u64 deadline;		/* (v) written only while hrt is not queued */
	u64 tsc_offset;		/* ditto */
};

/**
 * struct tdm_lapic_keys - a LAPIC's places in the destination map
 * @x2: under its x2APIC ID
 * @has_xid: under the xAPIC ID @xid
 * @flat: logical IDs, a bit each (flat model)
 * @in_cluster: cluster model
 * @cluster: cluster number, if @members is not 0
 * @members: logical IDs in the cluster, a bit each
 */
struct tdm_lapic_keys {
	bool x2;
	bool has_xid;
	u8 xid;
	u8 flat;
	bool in_cluster;
	u8 cluster;
	u8 members;
};

/**
 * struct tdm_lapic - a vCPU's local APIC
 * @regs: register page in xAPIC layout; with TPR shadow the guest itself
 *	  writes the TPR in it. In x2APIC mode ICR's 64 bits are at TDM_APIC_ICR.
 * @vcpu: its vCPU
 * @irr_words: bit n: IRR word n may be other than 0
 * @isr_words: bit n: ISR word n may be other than 0
 * @isrv: highest vector in service, -1 none
 * @mode: enum tdm_lapic_mode
 * @sw_enabled: SVR bit 8
 * @lint0_nmi: counted in vm->vapics_in_nmi_mode
 * @esr: errors since the guest last wrote ESR (bit numbers TDM_APIC_ESR_*)
 * @eoi_exit: vector whose EOI the caller has yet to hear of (split irqchip)
 * @timer: APIC timer
 * @keys: where the map has it
 */
struct tdm_lapic {
	void *regs;			/* (c) */
	struct tdm_vcpu *vcpu;		/* (c) */
	unsigned long irr_words;	/* (a) */
	u32 isr_words;			/* (v) */
	int isrv;			/* (v) written; read by arbitration */
	u8 mode;			/* (v) written; read by senders */
	bool sw_enabled;		/* ditto */
	bool lint0_nmi;			/* (v) */
	unsigned long esr;		/* (a) */
	u8 eoi_exit;			/* (v) */
	struct tdm_lapic_timer timer;
	struct tdm_lapic_keys keys;	/* map lock */
};

/**
 * struct tdm_apic_msg - one interrupt message
 * @dest: APIC ID or logical address
 * @vector: vector, page number of a SIPI
 * @mode: enum tdm_apic_mode
 * @shorthand: enum tdm_apic_shorthand; others than TO_DEST need a sender
 * @logical: @dest is a logical address
 * @level: level-triggered
 * @assert: not a level de-assert
 * @redirect: any one of the destinations (MSI's redirection hint)
 * @x2: @dest is 32 bits wide (from an x2APIC); else 8 bits (or an MSI's with
 *	the high bits given), and 0xff is everyone
 */
struct tdm_apic_msg {
	u32 dest;
	u8 vector;
	u8 mode;
	u8 shorthand;
	bool logical;
	bool level;
	bool assert;
	bool redirect;
	bool x2;
};

static inline u32 tdm_lapic_reg(struct tdm_lapic *lapic, u32 offset)
{
	return READ_ONCE(*tdm_apic_reg(lapic->regs, offset));
}

static inline void tdm_lapic_set_reg(struct tdm_lapic *lapic, u32 offset, u32 val)
{
	WRITE_ONCE(*tdm_apic_reg(lapic->regs, offset), val);
}

static inline u8 tdm_lapic_ppr(struct tdm_lapic *lapic)
{
	return tdm_apic_ppr(tdm_lapic_reg(lapic, TDM_APIC_TPR), lapic->isrv);
}

static inline bool tdm_lapic_is_x2(struct tdm_lapic *lapic)
{
	return READ_ONCE(lapic->mode) == TDM_LAPIC_X2APIC;
}

/** tdm_lapic_x2_id() - the ID that cannot be changed */
static inline u32 tdm_lapic_x2_id(struct tdm_lapic *lapic)
{
	return lapic->vcpu->id;
}

/* lapic.c */
int tdm_lapic_accept(struct tdm_lapic *lapic, const struct tdm_apic_msg *msg,
		     struct tdm_vcpu *sender);
void tdm_lapic_local(struct tdm_lapic *lapic, u32 lvt_offset);
void tdm_lapic_error(struct tdm_lapic *lapic, int esr_bit);
bool tdm_lapic_takes_pic(struct tdm_lapic *lapic);
void tdm_lapic_lint0_nmi(struct tdm_vcpu *vcpu);
void tdm_lapic_lvt0_changed(struct tdm_lapic *lapic);
void tdm_lapic_set_svr(struct tdm_lapic *lapic, u32 val);
void tdm_lapic_do_eoi(struct tdm_lapic *lapic);
void tdm_lapic_recount(struct tdm_lapic *lapic);	/* hints after the bitmaps were replaced */

/* lapic_regs.c */
int tdm_lapic_read(struct tdm_lapic *lapic, u32 offset, u32 *val);
int tdm_lapic_write(struct tdm_lapic *lapic, u32 offset, u32 val);
u32 tdm_lapic_nr_lvt(struct tdm_lapic *lapic);
u32 tdm_lapic_writable(u32 offset);

/* lapic_timer.c */
void tdm_lapic_timer_init(struct tdm_lapic *lapic);
void tdm_lapic_timer_stop(struct tdm_lapic *lapic);
u32 tdm_lapic_timer_current(struct tdm_lapic *lapic);
void tdm_lapic_timer_set_initial(struct tdm_lapic *lapic, u32 count);
void tdm_lapic_timer_set_divide(struct tdm_lapic *lapic, u32 tdcr);
void tdm_lapic_timer_set_lvt(struct tdm_lapic *lapic, u32 lvt);
void tdm_lapic_timer_restore(struct tdm_lapic *lapic, u32 current_count);

/* lapic_ipi.c */
int tdm_apic_deliver(struct tdm_vm *vm, struct tdm_vcpu *sender,
		     const struct tdm_apic_msg *msg);
void tdm_lapic_send_icr(struct tdm_lapic *lapic, u64 icr);
void tdm_lapic_self_ipi(struct tdm_lapic *lapic, u8 vector);

/* lapic_map.c */
struct tdm_dest_walk;
typedef void (*tdm_dest_visit)(struct tdm_dest_walk *walk, struct tdm_lapic *lapic);

int tdm_apic_map_create(struct tdm_vm *vm);
void tdm_apic_map_destroy(struct tdm_vm *vm);
void tdm_apic_map_update(struct tdm_lapic *lapic);
void tdm_apic_map_walk(struct tdm_vm *vm, const struct tdm_apic_msg *msg,
		       tdm_dest_visit visit, struct tdm_dest_walk *walk);

#endif /* TDM_LAPIC_H */
