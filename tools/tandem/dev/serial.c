// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 16550A UART: all registers, FIFOs, modem lines, loop-back, interrupts.
 *
 * It has no line speed: what the guest writes is sent at once, what arrives is
 * readable at once. So the transmitter is always empty, and a receive FIFO
 * below its trigger level reports a character time-out at once instead of after
 * four character times.
 *
 * The interrupt line is gated by OUT2, as on the PC's board. Register layout
 * and interrupt priorities: National PC16550D data sheet, sections 8.1 to 8.8.
 */
#include <string.h>

#include "dev/serial.h"

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RDA 0x01
#define IER_THRE 0x02
#define IER_RLS 0x04
#define IER_MODEM 0x08
#define IIR_NONE 0x01
#define IIR_MODEM 0x00
#define IIR_THRE 0x02
#define IIR_RDA 0x04
#define IIR_RLS 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFOS 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define FCR_KEEP 0xc9 /* enable, DMA mode, trigger level */
#define LCR_DLAB 0x80
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_BI 0x10
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80

static unsigned int capacity(const struct tdm_serial *s)
{
	return s->fcr & FCR_ENABLE ? TDM_SERIAL_FIFO : 1;
}

static unsigned int trigger(const struct tdm_serial *s)
{
	static const uint8_t level[] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? level[s->fcr >> 6] : 1;
}

/* The modem inputs as MSR's high half shows them. */
static uint8_t modem_lines(const struct tdm_serial *s)
{
	uint8_t v = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (s->mcr & MCR_RTS)
		v |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		v |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		v |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		v |= MSR_DCD;
	return v;
}

/* What IIR would say now, without the FIFO bits; highest priority first. */
static uint8_t interrupt_id(const struct tdm_serial *s)
{
	if ((s->ier & IER_RLS) && s->lsr_errors)
		return IIR_RLS;
	if ((s->ier & IER_RDA) && s->rx_count)
		return s->rx_count >= trigger(s) ? IIR_RDA : IIR_TIMEOUT;
	if ((s->ier & IER_THRE) && s->thre_pending)
		return IIR_THRE;
	if ((s->ier & IER_MODEM) && s->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct tdm_serial *s)
{
	int level = interrupt_id(s) != IIR_NONE && (s->mcr & MCR_OUT2) &&
		    !(s->mcr & MCR_LOOP);

	if (level == s->irq_level)
		return;
	s->irq_level = level;
	s->host->set_irq(s->host->ctx, s->gsi, level);
}

static void push_rx(struct tdm_serial *s, uint8_t byte)
{
	if (s->rx_count == capacity(s)) {
		s->lsr_errors |= LSR_OE;
		if (!(s->fcr &
		      FCR_ENABLE)) /* without FIFOs the newer byte wins */
			s->rx[s->rx_head] = byte;
		return;
	}
	s->rx[(s->rx_head + s->rx_count) % TDM_SERIAL_FIFO] = byte;
	s->rx_count++;
}

/*
 * Let what waits on the line come in. The other end heeds RTS, and sends no
 * faster than the guest reads. So a driver that clears the FIFO as it starts
 * loses nothing (Linux raises DTR long before that, RTS after).
 */
static void pull_line(struct tdm_serial *s)
{
	bool had = s->line_count;

	if ((s->mcr & MCR_LOOP) || !(s->mcr & MCR_RTS))
		return;
	while (s->line_count && s->rx_count < capacity(s)) {
		push_rx(s, s->line[s->line_head]);
		s->line_head = (s->line_head + 1) % TDM_SERIAL_LINE;
		s->line_count--;
	}
	if (had && !s->line_count)
		s->host->wake(s->host->ctx); /* more can be sent */
}

static uint8_t pop_rx(struct tdm_serial *s)
{
	uint8_t byte;

	if (!s->rx_count)
		return 0;
	byte = s->rx[s->rx_head];
	s->rx_head = (s->rx_head + 1) % TDM_SERIAL_FIFO;
	s->rx_count--;
	pull_line(s);
	return byte;
}

static uint32_t serial_read(void *dev, uint16_t port, unsigned int size)
{
	struct tdm_serial *s = dev;
	uint8_t v = 0;

	(void)size;
	switch (port & 7) {
	case RBR_THR:
		v = s->lcr & LCR_DLAB ? s->dll : pop_rx(s);
		break;
	case IER:
		v = s->lcr & LCR_DLAB ? s->dlm : s->ier;
		break;
	case IIR_FCR:
		v = interrupt_id(s);
		if (v == IIR_THRE)
			s->thre_pending = false;
		if (s->fcr & FCR_ENABLE)
			v |= IIR_FIFOS;
		break;
	case LCR:
		v = s->lcr;
		break;
	case MCR:
		v = s->mcr;
		break;
	case LSR:
		v = LSR_THRE | LSR_TEMT | s->lsr_errors |
		    (s->rx_count ? LSR_DR : 0);
		s->lsr_errors = 0;
		break;
	case MSR:
		v = modem_lines(s) | s->msr_delta;
		s->msr_delta = 0;
		break;
	case SCR:
		v = s->scr;
		break;
	}
	update_irq(s);
	return v;
}

static void write_fcr(struct tdm_serial *s, uint8_t v)
{
	bool toggled = (v ^ s->fcr) & FCR_ENABLE;

	if (toggled || (v & FCR_CLEAR_RX)) {
		s->rx_head = 0;
		s->rx_count = 0;
	}
	/* The other bits stick only together with the enable bit. */
	s->fcr = v & FCR_ENABLE ? v & FCR_KEEP : 0;
	pull_line(s);
}

static void write_mcr(struct tdm_serial *s, uint8_t v)
{
	uint8_t before = modem_lines(s), changed;

	s->mcr = v & 0x1f;
	changed = before ^ modem_lines(s);
	/* CTS, DSR, DCD: any change; RI: the trailing edge only. */
	s->msr_delta |= (changed & (MSR_CTS | MSR_DSR | MSR_DCD)) >> 4;
	if (changed & before & MSR_RI)
		s->msr_delta |= MSR_RI >> 4;
	pull_line(s);
}

static void write_thr(struct tdm_serial *s, uint8_t v)
{
	if (s->mcr & MCR_LOOP)
		push_rx(s, v);
	else
		s->host->put_console(s->host->ctx, v);
	s->thre_pending = true; /* it left at once, so THR is empty again */
}

static void serial_write(void *dev, uint16_t port, unsigned int size,
			 uint32_t val)
{
	struct tdm_serial *s = dev;
	uint8_t v = (uint8_t)val;

	(void)size;
	switch (port & 7) {
	case RBR_THR:
		if (s->lcr & LCR_DLAB)
			s->dll = v;
		else
			write_thr(s, v);
		break;
	case IER:
		if (s->lcr & LCR_DLAB) {
			s->dlm = v;
			break;
		}
		/* Enabling the interrupt while THR is empty raises it. */
		if (v & ~s->ier & IER_THRE)
			s->thre_pending = true;
		s->ier = v & 0x0f;
		break;
	case IIR_FCR:
		write_fcr(s, v);
		break;
	case LCR:
		s->lcr = v;
		break;
	case MCR:
		write_mcr(s, v);
		break;
	case SCR:
		s->scr = v;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
	update_irq(s);
}

static const struct tdm_io_ops serial_ops = { .read = serial_read,
					      .write = serial_write };

/** tdm_serial_init() - the UART as it is after reset, with a ready modem on the
 * line. */
void tdm_serial_init(struct tdm_serial *s, const struct tdm_devhost *host,
		     unsigned int gsi)
{
	memset(s, 0, sizeof(*s));
	s->host = host;
	s->gsi = gsi;
	s->dll =
		12; /* 9600 baud; a divisor of zero would be odd to read back */
}

/** tdm_serial_attach() - claim the eight ports at @base. */
int tdm_serial_attach(struct tdm_serial *s, struct tdm_bus *bus, uint16_t base)
{
	struct tdm_io_region r = { base,	8, 1, "16550 serial port",
				   &serial_ops, s };

	return tdm_bus_add(bus, &r);
}

/**
 * tdm_serial_send() - send bytes to the guest. [bus lock]
 *
 * They wait on the line until the guest is ready; the devhost's wake() is
 * called when none is left there.
 *
 * Return: how many were taken; the line holds TDM_SERIAL_LINE.
 */
unsigned int tdm_serial_send(struct tdm_serial *s, const uint8_t *data,
			     unsigned int len)
{
	unsigned int n = 0;

	while (n < len && s->line_count < TDM_SERIAL_LINE) {
		s->line[(s->line_head + s->line_count) % TDM_SERIAL_LINE] =
			data[n++];
		s->line_count++;
	}
	pull_line(s);
	update_irq(s);
	return n;
}

/** tdm_serial_break() - the line goes into the break state for a character.
 * [bus lock] */
void tdm_serial_break(struct tdm_serial *s)
{
	if (s->mcr & MCR_LOOP)
		return;
	push_rx(s, 0);
	s->lsr_errors |= LSR_BI;
	update_irq(s);
}
