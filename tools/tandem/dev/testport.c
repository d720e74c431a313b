// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports through which a guest talks to whoever runs it.
 *
 * 0xf4 ends the VM with status (value << 1) | 1; 0xf5 (only with --marker)
 * notes the time and exit count; 0xe9 writes a byte to the console and reads as
 * 0xe9 so that a guest can see it is there. 0x80 is the PC's POST code latch,
 * which operating systems write to wait a microsecond.
 */
#include <string.h>

#include "dev/testport.h"

static uint32_t exit_read(void *dev, uint16_t port, unsigned int size)
{
	(void)dev;
	(void)port;
	(void)size;
	return 0;
}

static void exit_write(void *dev, uint16_t port, unsigned int size,
		       uint32_t val)
{
	struct tdm_testport *t = dev;

	(void)port;
	(void)size;
	t->host->end(t->host->ctx, TDM_END_EXITPORT, (int)(val & 0x7fffffff));
}

static uint32_t marker_read(void *dev, uint16_t port, unsigned int size)
{
	(void)dev;
	(void)port;
	(void)size;
	return 0;
}

static void marker_write(void *dev, uint16_t port, unsigned int size,
			 uint32_t val)
{
	struct tdm_testport *t = dev;

	(void)port;
	(void)size;
	t->host->marker(t->host->ctx, (uint8_t)val);
}

static uint32_t debug_read(void *dev, uint16_t port, unsigned int size)
{
	(void)dev;
	(void)port;
	(void)size;
	return TDM_DEBUG_PORT;
}

static void debug_write(void *dev, uint16_t port, unsigned int size,
			uint32_t val)
{
	struct tdm_testport *t = dev;

	(void)port;
	(void)size;
	t->host->put_console(t->host->ctx, (uint8_t)val);
}

static uint32_t post_read(void *dev, uint16_t port, unsigned int size)
{
	struct tdm_testport *t = dev;

	(void)port;
	(void)size;
	return t->post;
}

static void post_write(void *dev, uint16_t port, unsigned int size,
		       uint32_t val)
{
	struct tdm_testport *t = dev;

	(void)port;
	(void)size;
	t->post = (uint8_t)val;
}

static const struct tdm_io_ops exit_ops = { .read = exit_read,
					    .write = exit_write };
static const struct tdm_io_ops marker_ops = { .read = marker_read,
					      .write = marker_write };
static const struct tdm_io_ops debug_ops = { .read = debug_read,
					     .write = debug_write };
static const struct tdm_io_ops post_ops = { .read = post_read,
					    .write = post_write };

/** tdm_testport_init() - nothing written yet. */
void tdm_testport_init(struct tdm_testport *t, const struct tdm_devhost *host)
{
	memset(t, 0, sizeof(*t));
	t->host = host;
}

/** tdm_testport_attach() - claim the ports; 0xf5 only when @markers. */
int tdm_testport_attach(struct tdm_testport *t, struct tdm_bus *bus,
			bool markers)
{
	const struct tdm_io_region r[] = {
		{ TDM_EXIT_PORT, 1, 4, "test exit", &exit_ops, t },
		{ TDM_DEBUG_PORT, 1, 1, "debug console", &debug_ops, t },
		{ TDM_SEABIOS_PORT, 1, 1, "SeaBIOS debug console", &debug_ops,
		  t },
		{ TDM_POST_PORT, 1, 1, "POST code", &post_ops, t },
		{ TDM_MARKER_PORT, 1, 1, "marker", &marker_ops, t },
	};
	unsigned int n = sizeof(r) / sizeof(r[0]) - !markers;
	int err = 0;

	for (unsigned int i = 0; !err && i < n; i++)
		err = tdm_bus_add(bus, &r[i]);
	return err;
}
