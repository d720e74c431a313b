/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI configuration space: a host bridge on an otherwise empty bus 0; reset
 * register 0xcf9. */
#ifndef TANDEM_DEV_PCI_H
#define TANDEM_DEV_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "device.h"

struct tdm_pci {
	const struct tdm_devhost *host;
	uint32_t address;    /* 0xcf8 */
	uint8_t reset;	     /* 0xcf9 */
	uint8_t bridge[256]; /* configuration space of 00:00.0 */
};

void tdm_pci_init(struct tdm_pci *pci, const struct tdm_devhost *host,
		  bool firmware_ran);
int tdm_pci_attach(struct tdm_pci *pci, struct tdm_bus *bus);

#endif
