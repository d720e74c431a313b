/* SPDX-License-Identifier: GPL-2.0-only */
/* The 16550A UART. */
#ifndef TANDEM_DEV_SERIAL_H
#define TANDEM_DEV_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "device.h"

#define TDM_COM1_BASE 0x3f8
#define TDM_COM1_GSI 4
#define TDM_SERIAL_FIFO 16
#define TDM_SERIAL_LINE 4096

struct tdm_serial {
	const struct tdm_devhost *host;
	unsigned int gsi;
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t dll, dlm;
	uint8_t lsr_errors; /* OE, BI...: sticky until LSR is read */
	uint8_t msr_delta;  /* low half of MSR: changes since MSR was read */
	bool thre_pending;  /* THR became empty and nobody asked IIR since */
	int irq_level;
	uint8_t rx[TDM_SERIAL_FIFO];
	unsigned int rx_head, rx_count;
	uint8_t line[TDM_SERIAL_LINE]; /* held back at the other end of the line
					*/
	unsigned int line_head, line_count;
};

void tdm_serial_init(struct tdm_serial *s, const struct tdm_devhost *host,
		     unsigned int gsi);
int tdm_serial_attach(struct tdm_serial *s, struct tdm_bus *bus, uint16_t base);
unsigned int tdm_serial_send(struct tdm_serial *s, const uint8_t *data,
			     unsigned int len);
void tdm_serial_break(struct tdm_serial *s);

#endif
