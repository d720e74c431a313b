// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI configuration mechanism 1 with one function, the host bridge 00:00.0.
 *
 * The bridge carries the 82441FX's identity because firmware and kernels know
 * how to leave that one alone; its PAM registers (shadowing of the BIOS area)
 * can be written and have no effect, since that area is always plain memory
 * here.
 *
 * Beware: only 32-bit accesses to 0xcf8 reach the address register. The byte at
 * 0xcf9 is the reset register, and all else in 0xcf8-0xcfb passes it by.
 */
#include <string.h>

#include "dev/pci.h"
#include "util.h"

#define CF8 0x0cf8
#define CF9 0x0cf9
#define CFC 0x0cfc
#define ADDR_ENABLE 0x80000000U
#define ADDR_KEEP 0x80fffffcU
#define RESET_CPU 0x04
#define PAM_FIRST 0x59
#define PAM_LAST 0x5f

static uint32_t float_value(unsigned int size)
{
	return size == 4 ? UINT32_MAX : (1U << (8 * size)) - 1;
}

/* The byte of configuration space an access to 0xcfc + n means; NULL: nobody
 * there. */
static uint8_t *config_byte(struct tdm_pci *pci, unsigned int lane)
{
	if (!(pci->address & ADDR_ENABLE) || (pci->address & 0x00ffff00))
		return NULL;
	return &pci->bridge[(pci->address & 0xfc) + lane];
}

static uint32_t address_read(void *dev, uint16_t port, unsigned int size)
{
	struct tdm_pci *pci = dev;

	if (port == CF8 && size == 4)
		return pci->address;
	if (port == CF9 && size == 1)
		return pci->reset;
	return float_value(size);
}

static void address_write(void *dev, uint16_t port, unsigned int size,
			  uint32_t val)
{
	struct tdm_pci *pci = dev;

	if (port == CF8 && size == 4) {
		pci->address = val & ADDR_KEEP;
		return;
	}
	if (port != CF9 || size != 1)
		return;
	/* A rising bit 2 resets; bit 1 says how hard, which makes no difference
	 * here. */
	if (val & ~(uint32_t)pci->reset & RESET_CPU)
		pci->host->end(pci->host->ctx, TDM_END_RESET, 0);
	pci->reset = val & 0x0e;
}

static uint32_t data_read(void *dev, uint16_t port, unsigned int size)
{
	uint8_t *byte = config_byte(dev, port - CFC);
	uint32_t val = 0;

	if (!byte)
		return float_value(size);
	memcpy(&val, byte, size);
	return val;
}

static void data_write(void *dev, uint16_t port, unsigned int size,
		       uint32_t val)
{
	struct tdm_pci *pci = dev;

	for (unsigned int i = 0; i < size; i++) {
		uint8_t *byte = config_byte(pci, port - CFC + i);
		unsigned int reg;

		if (!byte)
			return;
		reg = (unsigned int)(byte - pci->bridge);
		if (reg >= PAM_FIRST && reg <= PAM_LAST)
			*byte = (uint8_t)(val >> (8 * i));
	}
}

static const struct tdm_io_ops address_ops = { .read = address_read,
					       .write = address_write };
static const struct tdm_io_ops data_ops = { .read = data_read,
					    .write = data_write };

/**
 * tdm_pci_init() - a bus with the bridge on it.
 * @firmware_ran: registers as firmware leaves them (PAM open), not as after
 * reset
 */
void tdm_pci_init(struct tdm_pci *pci, const struct tdm_devhost *host,
		  bool firmware_ran)
{
	memset(pci, 0, sizeof(*pci));
	pci->host = host;
	tdm_put16(&pci->bridge[0x00], 0x8086);
	tdm_put16(&pci->bridge[0x02], 0x1237);
	tdm_put16(&pci->bridge[0x04],
		  0x0006); /* memory decode and bus master, hard-wired */
	tdm_put16(&pci->bridge[0x06],
		  0x0280);	  /* medium DEVSEL, fast back-to-back */
	pci->bridge[0x08] = 0x02; /* revision */
	pci->bridge[0x0b] = 0x06; /* class: bridge; subclass 0: host */
	if (!firmware_ran)
		return;
	pci->bridge[PAM_FIRST] = 0x30;
	memset(&pci->bridge[PAM_FIRST + 1], 0x33, PAM_LAST - PAM_FIRST);
}

/** tdm_pci_attach() - claim 0xcf8 to 0xcff. */
int tdm_pci_attach(struct tdm_pci *pci, struct tdm_bus *bus)
{
	const struct tdm_io_region address = {
		CF8, 4, 4, "PCI address, reset", &address_ops, pci
	};
	const struct tdm_io_region data = { CFC,       4,
					    4,	       "PCI configuration data",
					    &data_ops, pci };
	int err = tdm_bus_add(bus, &address);

	return err ? err : tdm_bus_add(bus, &data);
}
