/* SPDX-License-Identifier: GPL-2.0-only */
/* The MC146818 real-time clock and the PC's CMOS memory. */
#ifndef TANDEM_DEV_RTC_H
#define TANDEM_DEV_RTC_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "device.h"

#define TDM_RTC_BASE 0x70
#define TDM_RTC_GSI 8

struct tdm_rtc {
	const struct tdm_devhost *host;
	uint8_t index;
	uint8_t cmos[128]; /* time registers only while SET stops the clock */
	uint8_t flags;	   /* register C without IRQF */
	int64_t offset_ns; /* guest clock minus host clock */
	int64_t frozen_s;  /* guest seconds when SET stopped the clock */
	int64_t seen_ns;   /* guest time up to which flags are set */
	int irq_level;
};

void tdm_rtc_init(struct tdm_rtc *rtc, const struct tdm_devhost *host,
		  uint64_t mem_bytes, unsigned int cpus);
int tdm_rtc_attach(struct tdm_rtc *rtc, struct tdm_bus *bus);
uint64_t tdm_rtc_deadline(const struct tdm_rtc *rtc);
void tdm_rtc_poll(struct tdm_rtc *rtc);

#endif
