// SPDX-License-Identifier: GPL-2.0-only
/*
 * A keyboard controller with nothing plugged in.
 *
 * Guests use it to reset the machine (command 0xfe), to open gate A20 and to
 * look for a keyboard. Every command is answered at once; a byte sent to a
 * device is answered with a time-out, as a controller does when no device
 * drives the clock line, so probing ends quickly. Gate A20 is always open: the
 * bit is remembered and has no effect.
 */
#include <string.h>

#include "dev/i8042.h"

#define ST_OBF 0x01
#define ST_SYS 0x04
#define ST_COMMAND 0x08
#define ST_AUX 0x20
#define ST_TIMEOUT 0x40
#define ST_UNLOCKED 0x10
#define CTL_KBD_OFF 0x10
#define CTL_AUX_OFF 0x20
#define OUT_NO_RESET 0x01
#define OUT_A20 0x02
#define NO_DEVICE 0xfe

static void answer(struct tdm_i8042 *k, uint8_t value, uint8_t flags)
{
	k->out = value;
	k->status = (uint8_t)((k->status & ~(ST_AUX | ST_TIMEOUT)) | ST_OBF |
			      flags);
}

static void reset_machine(struct tdm_i8042 *k)
{
	k->host->end(k->host->ctx, TDM_END_RESET, 0);
}

static void command(struct tdm_i8042 *k, uint8_t cmd)
{
	k->status |= ST_COMMAND;
	k->command = 0;
	switch (cmd) {
	case 0x20:
		answer(k, k->control, 0);
		break;
	case 0x60: /* control byte, output port, and bytes to or as from a
		      device follow */
	case 0xd1:
	case 0xd2:
	case 0xd3:
	case 0xd4:
		k->command = cmd;
		break;
	case 0xa7:
		k->control |= CTL_AUX_OFF;
		break;
	case 0xa8:
		k->control &= (uint8_t)~CTL_AUX_OFF;
		break;
	case 0xa9: /* interface tests: lines are fine */
	case 0xab:
		answer(k, 0x00, 0);
		break;
	case 0xaa:
		answer(k, 0x55, 0);
		k->status |= ST_SYS;
		break;
	case 0xad:
		k->control |= CTL_KBD_OFF;
		break;
	case 0xae:
		k->control &= (uint8_t)~CTL_KBD_OFF;
		break;
	case 0xc0:
		answer(k, 0x80, 0); /* input port: keyboard not locked */
		break;
	case 0xd0:
		answer(k, k->outport, 0);
		break;
	default:
		/* 0xf0 to 0xff pulse output lines; line 0 is the CPU's reset.
		 */
		if (cmd >= 0xf0 && !(cmd & OUT_NO_RESET))
			reset_machine(k);
		break;
	}
}

static void data(struct tdm_i8042 *k, uint8_t v)
{
	uint8_t cmd = k->command;

	k->command = 0;
	k->status &= (uint8_t)~ST_COMMAND;
	switch (cmd) {
	case 0x60:
		k->control = v;
		break;
	case 0xd1:
		k->outport = v;
		if (!(v & OUT_NO_RESET))
			reset_machine(k);
		break;
	case 0xd2:
		answer(k, v, 0);
		break;
	case 0xd3:
		answer(k, v, ST_AUX);
		break;
	case 0xd4:
		answer(k, NO_DEVICE, ST_AUX | ST_TIMEOUT);
		break;
	default:
		answer(k, NO_DEVICE, ST_TIMEOUT);
		break;
	}
}

static uint32_t i8042_read(void *dev, uint16_t port, unsigned int size)
{
	struct tdm_i8042 *k = dev;

	(void)size;
	if (port == 0x64)
		return k->status;
	k->status &= (uint8_t) ~(ST_OBF | ST_AUX | ST_TIMEOUT);
	return k->out;
}

static void i8042_write(void *dev, uint16_t port, unsigned int size,
			uint32_t val)
{
	struct tdm_i8042 *k = dev;

	(void)size;
	if (port == 0x64)
		command(k, (uint8_t)val);
	else
		data(k, (uint8_t)val);
}

static uint32_t port92_read(void *dev, uint16_t port, unsigned int size)
{
	struct tdm_i8042 *k = dev;

	(void)port;
	(void)size;
	return k->port92;
}

static void port92_write(void *dev, uint16_t port, unsigned int size,
			 uint32_t val)
{
	struct tdm_i8042 *k = dev;

	(void)port;
	(void)size;
	if (val & ~(uint32_t)k->port92 & 1) /* a rising bit 0 resets the CPU */
		reset_machine(k);
	k->port92 = (uint8_t)val;
}

static const struct tdm_io_ops i8042_ops = { .read = i8042_read,
					     .write = i8042_write };
static const struct tdm_io_ops port92_ops = { .read = port92_read,
					      .write = port92_write };

/** tdm_i8042_init() - the controller as firmware leaves it. */
void tdm_i8042_init(struct tdm_i8042 *k, const struct tdm_devhost *host)
{
	memset(k, 0, sizeof(*k));
	k->host = host;
	k->status = ST_SYS | ST_UNLOCKED;
	k->control = CTL_KBD_OFF | CTL_AUX_OFF | 0x04;
	k->outport = OUT_NO_RESET | OUT_A20;
	k->port92 = OUT_A20;
}

/** tdm_i8042_attach() - claim ports 0x60, 0x64 and 0x92 (0x61 is the kernel's).
 */
int tdm_i8042_attach(struct tdm_i8042 *k, struct tdm_bus *bus)
{
	const struct tdm_io_region r[] = {
		{ 0x60, 1, 1, "keyboard controller data", &i8042_ops, k },
		{ 0x64, 1, 1, "keyboard controller command", &i8042_ops, k },
		{ 0x92, 1, 1, "system control port A", &port92_ops, k },
	};
	int err = 0;

	for (unsigned int i = 0; !err && i < sizeof(r) / sizeof(r[0]); i++)
		err = tdm_bus_add(bus, &r[i]);
	return err;
}
