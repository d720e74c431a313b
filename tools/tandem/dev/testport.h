/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports for test guests: exit 0xf4, marker 0xf5, debug console 0xe9; POST code
 * 0x80. */
#ifndef TANDEM_DEV_TESTPORT_H
#define TANDEM_DEV_TESTPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "device.h"

#define TDM_EXIT_PORT 0xf4
#define TDM_MARKER_PORT 0xf5
#define TDM_DEBUG_PORT 0xe9
#define TDM_SEABIOS_PORT 0x402
#define TDM_POST_PORT 0x80

struct tdm_testport {
	const struct tdm_devhost *host;
	uint8_t post; /* last POST code */
};

void tdm_testport_init(struct tdm_testport *t, const struct tdm_devhost *host);
int tdm_testport_attach(struct tdm_testport *t, struct tdm_bus *bus,
			bool markers);

#endif
