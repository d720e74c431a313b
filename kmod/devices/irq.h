/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt controllers as the core sees them: LAPIC per vCPU, IOAPIC and PIC
 * per VM, routing from GSIs, PIT.
 *
 * Locking: pic/ioapic have spinlocks taken with IRQs saved (timers and irqfds
 * assert lines from interrupt context); LAPIC registers are written by their
 * vCPU, IRR by anyone with atomic bit operations.
 */
#ifndef TDM_IRQ_H
#define TDM_IRQ_H

#include "arch/x86/vcpu.h"

/* ---- VM level ---- */
int tdm_irqchip_create(struct tdm_vm *vm);		/* KVM_CREATE_IRQCHIP: PIC + IOAPIC + default routes; vm->lock */
int tdm_irqchip_create_split(struct tdm_vm *vm, u32 nr_ioapic_pins);	/* KVM_CAP_SPLIT_IRQCHIP */
void tdm_irqchip_destroy(struct tdm_vm *vm);
int tdm_irqchip_get(struct tdm_vm *vm, struct kvm_irqchip *chip);	/* KVM_GET_IRQCHIP */
int tdm_irqchip_set(struct tdm_vm *vm, const struct kvm_irqchip *chip);
int tdm_pit_create(struct tdm_vm *vm, const struct kvm_pit_config *cfg);	/* KVM_CREATE_PIT2 */
void tdm_pit_destroy(struct tdm_vm *vm);
int tdm_pit_get(struct tdm_vm *vm, struct kvm_pit_state2 *ps);
int tdm_pit_set(struct tdm_vm *vm, const struct kvm_pit_state2 *ps);
int tdm_pit_reinject(struct tdm_vm *vm, const struct kvm_reinject_control *rc);

/* ---- routing ---- */
#define TDM_IRQ_SRC_USER	0	/* KVM_IRQ_LINE */
#define TDM_IRQ_SRC_PIT		1
#define TDM_IRQ_SRC_IRQFD	2
#define TDM_IRQ_SRC_RESAMPLE	3	/* irqfds that hold a line until the end of its service */
#define TDM_NR_IRQ_SRCS		4
#define TDM_NR_GSIS		4096	/* KVM_MAX_IRQ_ROUTES: GSIs, and routes */
int tdm_irq_set(struct tdm_vm *vm, int source, u32 gsi, int level);	/* any context; <0 error, 0 coalesced/masked, >0 delivered to n */
bool tdm_irq_gsi_reaches(struct tdm_vm *vm, u32 gsi, bool ioapic, u32 pins);	/* one of these inputs */
int tdm_irq_set_routing(struct tdm_vm *vm, const struct kvm_irq_routing_entry *e, u32 n, u32 flags);	/* vm->lock */
int tdm_irq_default_routing(struct tdm_vm *vm);
void tdm_irq_routing_free(struct tdm_vm *vm);
int tdm_irq_msi(struct tdm_vm *vm, const struct kvm_msi *msi);		/* KVM_SIGNAL_MSI */

/* ---- LAPIC ---- */
int tdm_lapic_create(struct tdm_vcpu *vcpu);
void tdm_lapic_destroy(struct tdm_vcpu *vcpu);
void tdm_lapic_reset(struct tdm_vcpu *vcpu, bool init);	/* init: INIT, not power-up: base MSR kept */
int tdm_lapic_get(struct tdm_vcpu *vcpu, struct kvm_lapic_state *s);
int tdm_lapic_set(struct tdm_vcpu *vcpu, const struct kvm_lapic_state *s);
int tdm_lapic_set_base(struct tdm_vcpu *vcpu, u64 val, bool host);	/* IA32_APIC_BASE; 0 or -EINVAL (#GP) */
int tdm_lapic_msr_get(struct tdm_vcpu *vcpu, u32 msr, u64 *val);	/* x2APIC 0x800-0x8ff; 0 or -EINVAL (#GP) */
int tdm_lapic_msr_set(struct tdm_vcpu *vcpu, u32 msr, u64 val);
int tdm_lapic_mmio(struct tdm_vcpu *vcpu, u64 gpa, int len, void *data, bool write);	/* 0 or -EOPNOTSUPP when gpa is not its page/xAPIC is off */
u64 tdm_lapic_get_tpr(struct tdm_vcpu *vcpu);	/* CR8 format: 0..15 */
void tdm_lapic_set_tpr(struct tdm_vcpu *vcpu, u64 cr8);
void tdm_lapic_set_deadline(struct tdm_vcpu *vcpu, u64 tsc);		/* IA32_TSC_DEADLINE */
u64 tdm_lapic_get_deadline(struct tdm_vcpu *vcpu);
void tdm_lapic_eoi(struct tdm_vcpu *vcpu, u8 vector);			/* virtualised EOI */
u8 tdm_lapic_eoi_exit_vector(struct tdm_vcpu *vcpu);	/* of TDM_REQ_EOI_EXIT */
void tdm_lapic_tsc_changed(struct tdm_vcpu *vcpu);	/* st.tsc_offset changed: deadlines move with it */
void tdm_lapic_map_changed(struct tdm_vm *vm);		/* vm->lock; online_vcpus changed */

/* TPR shadow: the engine lets the guest write TPR in the register page (offset 0x80) */
u64 tdm_lapic_page_hpa(struct tdm_vcpu *vcpu);
int tdm_lapic_tpr_threshold(struct tdm_vcpu *vcpu);	/* 0, or exit when TPR[7:4] falls below */

/*
 * For the run loop. Pending = deliverable now with respect to priorities (PPR, PIC
 * state through LVT0/ExtINT), not to RFLAGS.IF. With no in-kernel irqchip: ev.user_irq;
 * split: ev.user_irq as ExtINT.
 */
bool tdm_irq_pending(struct tdm_vcpu *vcpu);		/* cheap: no locks when nothing is pending */
int tdm_irq_ack(struct tdm_vcpu *vcpu);			/* vector, moved to in-service; -1 if it vanished */
bool tdm_timer_pending(struct tdm_vcpu *vcpu);
void tdm_timers_inject(struct tdm_vcpu *vcpu);		/* expired timers become interrupts */
void tdm_timers_migrate(struct tdm_vcpu *vcpu);		/* vCPU moved to another CPU */

/* vcpu->apic_events bits, set by the LAPIC, consumed by kmod/run.c; NMIs raise ev through tdm_vcpu_nmi() */
#define TDM_APIC_EV_INIT	0
#define TDM_APIC_EV_SIPI	1

#endif /* TDM_IRQ_H */
