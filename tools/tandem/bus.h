/* SPDX-License-Identifier: GPL-2.0-only */
/* Port and memory-mapped I/O: who claims an access, and a count of what nobody
 * claimed. */
#ifndef TANDEM_BUS_H
#define TANDEM_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TDM_BUS_REGIONS 32
#define TDM_BUS_MMIO_PAGES 64

/* Values are in the low @size bytes; @size is 1, 2 or 4 and at most the
 * region's width. */
struct tdm_io_ops {
	uint32_t (*read)(void *dev, uint16_t port, unsigned int size);
	void (*write)(void *dev, uint16_t port, unsigned int size,
		      uint32_t val);
};

struct tdm_io_region {
	uint16_t base;
	uint16_t len;
	uint8_t width; /* widest access the device takes; wider ones are split
			  into bytes */
	const char *name;
	const struct tdm_io_ops *ops;
	void *dev;
};

/* Accesses to one page of guest-physical space that no device claims. */
struct tdm_mmio_count {
	uint64_t page; /* address of the page */
	uint64_t reads;
	uint64_t writes;
};

struct tdm_bus {
	pthread_mutex_t lock; /* held around every device callback */
	struct tdm_io_region
		region[TDM_BUS_REGIONS]; /* fixed before the first vCPU runs */
	unsigned int nr_regions;
	uint8_t map[0x10000]; /* port -> region index + 1, 0 = unclaimed; fixed
				 likewise */
	uint64_t unclaimed_pio;	   /* [lock] */
	uint64_t unclaimed_mmio;   /* [lock] */
	bool trace;		   /* fixed before the first vCPU runs */
	uint64_t (*port_count)[2]; /* [lock] per port: reads, writes; only when
				      trace */
	struct tdm_mmio_count
		mmio[TDM_BUS_MMIO_PAGES]; /* [lock] only when trace */
	unsigned int nr_mmio;		  /* [lock] */
	uint64_t mmio_elsewhere; /* [lock] accesses beyond the table's pages */
};

int tdm_bus_init(struct tdm_bus *bus, bool trace);
void tdm_bus_destroy(struct tdm_bus *bus);
int tdm_bus_add(struct tdm_bus *bus, const struct tdm_io_region *region);
void tdm_bus_pio(struct tdm_bus *bus, uint16_t port, unsigned int size,
		 bool write, uint8_t *data);
void tdm_bus_mmio(struct tdm_bus *bus, uint64_t gpa, unsigned int size,
		  bool write, uint8_t *data);
void tdm_bus_report(struct tdm_bus *bus);

#endif
