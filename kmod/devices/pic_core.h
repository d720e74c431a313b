/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two cascaded 8259A interrupt controllers as a PC wires them: state and
 * transitions only.
 *
 * No locks, no memory, no clock: the caller serialises. Builds in the kernel
 * and in userspace tests. Source: the 8259A data sheet; for the edge/level
 * registers the PIIX's. The state of a chip is struct kvm_pic_state, so that
 * the ABI's format is the state itself.
 */
#ifndef TDM_PIC_CORE_H
#define TDM_PIC_CORE_H

#include <linux/kvm.h>

#include "arch/x86/emul/port.h"

#define TDM_PIC_PINS		16
#define TDM_PIC_CASCADE		2	/* master input the slave's INT is on */
#define TDM_PIC_SPURIOUS	7	/* input reported when the request is gone */

/**
 * struct tdm_pic_pair - master (chip[0]) and slave (chip[1])
 * @chip: the two 8259As
 * @output: level of the master's INT pin
 * @ended: inputs whose service ended (EOI, automatic EOI, or a latched request
 *	   dropped by reinitialisation) since the caller last cleared it
 * @unmasked: inputs whose mask bit went to 0 since the caller last cleared it
 */
struct tdm_pic_pair {
	struct kvm_pic_state chip[2];
	bool output;
	u16 ended;
	u16 unmasked;
};

/* Ports 0x20, 0x21; 0xa0, 0xa1; 0x4d0, 0x4d1: the chip they are of */
static inline struct kvm_pic_state *tdm_pic_core_chip(struct tdm_pic_pair *p, u16 port)
{
	return &p->chip[port >= 0x4d0 ? port & 1 : port >> 7 & 1];
}

/**
 * tdm_pic_core_peek() - what a read gives unless the chip is being polled
 * @p: the pair
 * @port: as tdm_pic_core_read()
 *
 * Changes nothing and reads single bytes: needs no lock.
 */
static inline u8 tdm_pic_core_peek(struct tdm_pic_pair *p, u16 port)
{
	const struct kvm_pic_state *s = tdm_pic_core_chip(p, port);

	if (port >= 0x4d0)
		return s->elcr;
	if (port & 1)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

void tdm_pic_core_reset(struct tdm_pic_pair *p);
int tdm_pic_core_line(struct tdm_pic_pair *p, unsigned int pin, bool level);
u8 tdm_pic_core_intack(struct tdm_pic_pair *p);
u8 tdm_pic_core_read(struct tdm_pic_pair *p, u16 port);
void tdm_pic_core_write(struct tdm_pic_pair *p, u16 port, u8 val);
void tdm_pic_core_set(struct tdm_pic_pair *p, int chip, const struct kvm_pic_state *s);

#endif /* TDM_PIC_CORE_H */
