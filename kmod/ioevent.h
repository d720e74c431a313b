/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the I/O bus asks beside devices: eventfds that wait for a write
 * (ioeventfd.c), writes gathered in a ring for the caller (coalesced.c). And
 * the other direction, eventfds that raise a GSI (irqfd.c).
 */
#ifndef TDM_IOEVENT_H
#define TDM_IOEVENT_H

#include "arch/x86/vcpu.h"

/* ioeventfd.c */
bool tdm_ioevent_write(struct tdm_vm *vm, enum tdm_bus bus, u64 addr, int len, const void *data);
int tdm_ioevent_set(struct tdm_vm *vm, const struct kvm_ioeventfd *args);
void tdm_ioevent_release(struct tdm_vm *vm);

/* coalesced.c */
bool tdm_coalesced_write(struct tdm_vm *vm, enum tdm_bus bus, u64 addr, int len, const void *data);
int tdm_coalesced_add(struct tdm_vm *vm, const struct kvm_coalesced_mmio_zone *zone);
int tdm_coalesced_del(struct tdm_vm *vm, const struct kvm_coalesced_mmio_zone *zone);
struct page *tdm_coalesced_page(struct tdm_vm *vm);
int tdm_coalesced_init(struct tdm_vm *vm);	/* the ring's page */
void tdm_coalesced_release(struct tdm_vm *vm);

/* irqfd.c */
int tdm_irqfd_init(void);	/* module load */
void tdm_irqfd_exit(void);
int tdm_irqfd_set(struct tdm_vm *vm, const struct kvm_irqfd *args);
void tdm_irqfd_release(struct tdm_vm *vm);	/* the VM's file is closed; sleeps */
void tdm_irqfd_ack(struct tdm_vm *vm, bool ioapic, u32 pins);	/* services of these inputs ended */

/* Does anybody want tdm_irqfd_ack()? */
static inline bool tdm_irqfd_wants_ack(const struct tdm_vm *vm)
{
	return unlikely(READ_ONCE(vm->resamplers));
}

#endif /* TDM_IOEVENT_H */
