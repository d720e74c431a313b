/* SPDX-License-Identifier: GPL-2.0-only */
/* A keyboard controller without keyboard or mouse, and the PC's port 0x92. */
#ifndef TANDEM_DEV_I8042_H
#define TANDEM_DEV_I8042_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "device.h"

struct tdm_i8042 {
	const struct tdm_devhost *host;
	uint8_t status;
	uint8_t out;	 /* output buffer, valid while status has OBF */
	uint8_t command; /* command whose data byte comes next, 0 = none */
	uint8_t control; /* controller command byte */
	uint8_t outport; /* output port: bit 0 = no reset, bit 1 = A20 */
	uint8_t port92;
};

void tdm_i8042_init(struct tdm_i8042 *k, const struct tdm_devhost *host);
int tdm_i8042_attach(struct tdm_i8042 *k, struct tdm_bus *bus);

#endif
