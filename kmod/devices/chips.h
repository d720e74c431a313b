/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VM's interrupt chips (PIC, IOAPIC, PIT) offer each other, the LAPIC
 * and the routing. The core uses kmod/devices/irq.h.
 *
 * Lock order: a chip's lock is innermost and never held while another chip or
 * a LAPIC's slow paths are called, except that the IOAPIC delivers to LAPICs
 * under its own lock (LAPICs take none to accept).
 */
#ifndef TDM_CHIPS_H
#define TDM_CHIPS_H

#include "kmod/devices/irq.h"

/* PIC */
int tdm_pic_create(struct tdm_vm *vm);
void tdm_pic_destroy(struct tdm_vm *vm);
int tdm_pic_line(struct tdm_pic *pic, unsigned int pin, int source, bool level);
bool tdm_pic_output(struct tdm_pic *pic);	/* INT is up; no lock */
bool tdm_pic_has_tick(struct tdm_pic *pic);	/* the PIT's request is latched or in service; no lock */
int tdm_pic_intack(struct tdm_pic *pic);	/* vector, -1: INT is not up */
void tdm_pic_get(struct tdm_pic *pic, int chip, struct kvm_pic_state *s);
void tdm_pic_set(struct tdm_pic *pic, int chip, const struct kvm_pic_state *s);

/* IOAPIC */
int tdm_ioapic_create(struct tdm_vm *vm);
void tdm_ioapic_destroy(struct tdm_vm *vm);
int tdm_ioapic_line(struct tdm_ioapic *ioapic, unsigned int pin, int source, bool level);
bool tdm_ioapic_wants_eoi(struct tdm_ioapic *ioapic, u8 vector);	/* of an edge interrupt; no lock */
void tdm_ioapic_eoi(struct tdm_ioapic *ioapic, u8 vector, bool level);
void tdm_ioapic_get(struct tdm_ioapic *ioapic, struct kvm_ioapic_state *s);
void tdm_ioapic_set(struct tdm_ioapic *ioapic, const struct kvm_ioapic_state *s);

/* PIT: its interrupt was serviced; its input at a controller was unmasked */
void tdm_pit_ack(struct tdm_pit *pit);
void tdm_pit_unmasked(struct tdm_pit *pit, bool requested);

#define TDM_PIT_GSI	0
#define TDM_PIT_PIC_PIN	0
/* IOAPIC pins the PIT reaches by default, see kmod/irq_routing.c */
#define TDM_PIT_IOAPIC_PINS	(BIT(0) | BIT(2))

#endif /* TDM_CHIPS_H */
