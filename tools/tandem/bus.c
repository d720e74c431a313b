// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dispatch of the guest's port and memory-mapped accesses.
 *
 * Ports nobody claims float: reads give all ones, writes vanish, as on an ISA
 * bus. No device here is memory-mapped (LAPIC and IOAPIC are in the kernel), so
 * every MMIO access that reaches us is unclaimed and only counted.
 *
 * Beware: a wide access to a byte-wide device becomes byte accesses to
 * consecutive ports, each looked up by itself, since the next port may belong
 * to someone else (0xcf9 sits inside the PCI address register).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "util.h"

/**
 * tdm_bus_init() - an empty bus.
 * @bus: the bus; zeroed here
 * @trace: count every access by port and page for tdm_bus_report()
 *
 * Return: 0 or -ENOMEM.
 */
int tdm_bus_init(struct tdm_bus *bus, bool trace)
{
	memset(bus, 0, sizeof(*bus));
	bus->trace = trace;
	if (trace) {
		bus->port_count = calloc(0x10000, sizeof(*bus->port_count));
		if (!bus->port_count)
			return -ENOMEM;
	}
	pthread_mutex_init(&bus->lock, NULL);
	return 0;
}

/** tdm_bus_destroy() - free what tdm_bus_init() took. No vCPU may run any more.
 */
void tdm_bus_destroy(struct tdm_bus *bus)
{
	free(bus->port_count);
	bus->port_count = NULL;
	pthread_mutex_destroy(&bus->lock);
}

/**
 * tdm_bus_add() - let a device claim a port range. Before the first vCPU runs.
 *
 * Return: 0, -EINVAL for an empty or too long range, -EBUSY when a port is
 * taken, -ENOSPC when the table is full.
 */
int tdm_bus_add(struct tdm_bus *bus, const struct tdm_io_region *region)
{
	if (!region->len || region->base + region->len > 0x10000)
		return -EINVAL;
	if (bus->nr_regions == TDM_BUS_REGIONS)
		return -ENOSPC;
	for (unsigned int i = 0; i < region->len; i++)
		if (bus->map[region->base + i])
			return -EBUSY;
	bus->region[bus->nr_regions++] = *region;
	memset(bus->map + region->base, (int)bus->nr_regions, region->len);
	return 0;
}

static uint32_t float_value(unsigned int size)
{
	return size == 4 ? UINT32_MAX : (1U << (8 * size)) - 1;
}

/* One access that fits its device, or that nobody claims. */
static void access_one(struct tdm_bus *bus, const struct tdm_io_region *r,
		       uint16_t port, unsigned int size, bool write,
		       uint8_t *data)
{
	uint32_t val = 0;

	if (!r) {
		bus->unclaimed_pio++;
		if (!write)
			memset(data, 0xff, size);
		return;
	}
	if (write) {
		memcpy(&val, data, size);
		r->ops->write(r->dev, port, size, val);
	} else {
		val = r->ops->read(r->dev, port, size) & float_value(size);
		memcpy(data, &val, size);
	}
}

static const struct tdm_io_region *lookup(const struct tdm_bus *bus,
					  uint16_t port)
{
	unsigned int i = bus->map[port];

	return i ? &bus->region[i - 1] : NULL;
}

/* A region shorter than its width takes a wide access at its base
 * (isa-debug-exit does). */
static bool takes_whole(const struct tdm_io_region *r, uint16_t port,
			unsigned int size)
{
	unsigned int span = r->len > r->width ? r->len : r->width;

	return size <= r->width &&
	       (unsigned int)(port - r->base) + size <= span;
}

/**
 * tdm_bus_pio() - carry out one port access.
 * @bus: the bus; its lock is taken here
 * @port: first port
 * @size: 1, 2 or 4 bytes (the caller has checked)
 * @write: out or in
 * @data: @size bytes to write or to fill
 */
void tdm_bus_pio(struct tdm_bus *bus, uint16_t port, unsigned int size,
		 bool write, uint8_t *data)
{
	const struct tdm_io_region *r;

	pthread_mutex_lock(&bus->lock);
	if (bus->trace)
		bus->port_count[port][write]++;
	r = lookup(bus, port);
	if (size == 1 || (r && takes_whole(r, port, size))) {
		access_one(bus, r, port, size, write, data);
	} else {
		for (unsigned int i = 0; i < size; i++) {
			uint16_t p = (uint16_t)(port + i);

			access_one(bus, lookup(bus, p), p, 1, write, data + i);
		}
	}
	pthread_mutex_unlock(&bus->lock);
}

/**
 * tdm_bus_mmio() - answer an access to guest-physical space that has no memory.
 * @bus: the bus; its lock is taken here
 * @gpa: guest-physical address
 * @size: 1 to 8 bytes (the caller has checked)
 * @write: store or load
 * @data: @size bytes; a load is filled with all ones
 */
void tdm_bus_mmio(struct tdm_bus *bus, uint64_t gpa, unsigned int size,
		  bool write, uint8_t *data)
{
	uint64_t page = gpa & ~0xfffULL;
	unsigned int i;

	pthread_mutex_lock(&bus->lock);
	bus->unclaimed_mmio++;
	if (!write)
		memset(data, 0xff, size);
	if (bus->trace) {
		for (i = 0; i < bus->nr_mmio && bus->mmio[i].page != page; i++)
			;
		if (i == TDM_BUS_MMIO_PAGES) {
			bus->mmio_elsewhere++;
		} else {
			if (i == bus->nr_mmio)
				bus->mmio[bus->nr_mmio++] =
					(struct tdm_mmio_count){ .page = page };
			if (write)
				bus->mmio[i].writes++;
			else
				bus->mmio[i].reads++;
		}
	}
	pthread_mutex_unlock(&bus->lock);
}

/** tdm_bus_report() - print what --trace-io counted, on stderr. */
void tdm_bus_report(struct tdm_bus *bus)
{
	if (!bus->trace)
		return;
	tdm_say("trace-io: ports that left the kernel (claimed = a device of the launcher)");
	for (unsigned int p = 0; p < 0x10000; p++) {
		const struct tdm_io_region *r = lookup(bus, (uint16_t)p);
		uint64_t *n = bus->port_count[p];

		if (n[0] || n[1])
			tdm_say("  port 0x%04x  reads %-8llu writes %-8llu %s",
				p, (unsigned long long)n[0],
				(unsigned long long)n[1],
				r ? r->name : "UNCLAIMED");
	}
	for (unsigned int i = 0; i < bus->nr_mmio; i++)
		tdm_say("  page 0x%09llx  reads %-8llu writes %-8llu UNCLAIMED",
			(unsigned long long)bus->mmio[i].page,
			(unsigned long long)bus->mmio[i].reads,
			(unsigned long long)bus->mmio[i].writes);
	if (bus->mmio_elsewhere)
		tdm_say("  other pages      accesses %llu UNCLAIMED",
			(unsigned long long)bus->mmio_elsewhere);
}
