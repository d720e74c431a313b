// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI fixed hardware (ACPI 6.4, section 4.8): PM1a event and control
 * registers, the 32-bit power management timer, the power button, sleep state
 * S5.
 *
 * The machine is always in ACPI mode: SCI_EN reads one and there is no SMI
 * command port. S5 is the only sleep state; SLP_EN with another type is
 * ignored, as hardware does with a state it has not.
 */
#include <string.h>

#include "dev/acpi_pm.h"

#define TMR_HZ 3579545ULL
#define NS_PER_S 1000000000ULL
#define HALF (1ULL << 31) /* TMR_STS is set whenever bit 31 changes */
#define STS_TMR 0x0001
#define STS_PWRBTN 0x0100
#define STS_WRITABLE 0x8731 /* TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK */
#define EN_WRITABLE 0x0721
#define CNT_SCI_EN 0x0001
#define CNT_SLP_EN 0x2000
#define CNT_KEEP 0x1c02 /* BM_RLD, SLP_TYP; GBL_RLS is write-only */

static uint64_t ticks(const struct tdm_acpi_pm *pm)
{
	uint64_t ns = pm->host->mono_ns(pm->host->ctx) - pm->start_ns;

	return ns / NS_PER_S * TMR_HZ + ns % NS_PER_S * TMR_HZ / NS_PER_S;
}

static void update(struct tdm_acpi_pm *pm)
{
	uint64_t half = ticks(pm) / HALF;
	int level;

	if (half != pm->seen_half) {
		pm->seen_half = half;
		pm->status |= STS_TMR;
	}
	level = !!(pm->status & pm->enable);
	if (level == pm->irq_level)
		return;
	pm->irq_level = level;
	pm->host->set_irq(pm->host->ctx, TDM_SCI_GSI, level);
}

/* The whole block as bytes, for accesses of any size. */
static void image(struct tdm_acpi_pm *pm, uint8_t b[TDM_PM_LEN])
{
	uint32_t timer = (uint32_t)ticks(pm);
	uint16_t control = pm->control | CNT_SCI_EN;

	memset(b, 0, TDM_PM_LEN);
	memcpy(b, &pm->status, 2);
	memcpy(b + 2, &pm->enable, 2);
	memcpy(b + 4, &control, 2);
	memcpy(b + 8, &timer, 4);
}

static uint32_t pm_read(void *dev, uint16_t port, unsigned int size)
{
	struct tdm_acpi_pm *pm = dev;
	uint8_t b[TDM_PM_LEN];
	uint32_t v = 0;

	update(pm);
	image(pm, b);
	memcpy(&v, b + (port - TDM_PM_BASE), size);
	return v;
}

static void write_control(struct tdm_acpi_pm *pm)
{
	if (!(pm->control & CNT_SLP_EN))
		return;
	if ((pm->control >> 10 & 7) == TDM_SLP_TYP_S5)
		pm->host->end(pm->host->ctx, TDM_END_POWEROFF, 0);
	pm->control &= (uint16_t)~CNT_SLP_EN; /* write-only */
}

static void pm_write(void *dev, uint16_t port, unsigned int size, uint32_t val)
{
	struct tdm_acpi_pm *pm = dev;

	update(pm);
	for (unsigned int i = 0; i < size; i++) {
		unsigned int reg = port - TDM_PM_BASE + i,
			     shift = 8 * (reg & 1);
		uint16_t bits = (uint16_t)((val >> (8 * i) & 0xff) << shift);
		uint16_t lane = (uint16_t)(0xff << shift);

		switch (reg / 2) {
		case 0: /* write one to clear */
			pm->status &= (uint16_t) ~(bits & STS_WRITABLE);
			break;
		case 1:
			pm->enable = (uint16_t)((pm->enable & ~lane) |
						(bits & EN_WRITABLE));
			break;
		case 2:
			pm->control =
				(uint16_t)((pm->control & ~lane) |
					   (bits & (CNT_KEEP | CNT_SLP_EN)));
			break;
		default: /* the timer is read-only */
			break;
		}
	}
	write_control(pm);
	update(pm);
	pm->host->wake(pm->host->ctx);
}

static const struct tdm_io_ops pm_ops = { .read = pm_read, .write = pm_write };

/** tdm_acpi_pm_init() - registers after firmware; the timer starts at zero. */
void tdm_acpi_pm_init(struct tdm_acpi_pm *pm, const struct tdm_devhost *host)
{
	memset(pm, 0, sizeof(*pm));
	pm->host = host;
	pm->start_ns = host->mono_ns(host->ctx);
}

/** tdm_acpi_pm_attach() - claim the block at TDM_PM_BASE. */
int tdm_acpi_pm_attach(struct tdm_acpi_pm *pm, struct tdm_bus *bus)
{
	struct tdm_io_region r = { TDM_PM_BASE,		TDM_PM_LEN, 4,
				   "ACPI PM registers", &pm_ops,    pm };

	return tdm_bus_add(bus, &r);
}

/** tdm_acpi_pm_deadline() - when tdm_acpi_pm_poll() is needed next (monotonic
 * ns). [bus lock] */
uint64_t tdm_acpi_pm_deadline(const struct tdm_acpi_pm *pm)
{
	uint64_t next;

	if (!(pm->enable & STS_TMR) || (pm->status & STS_TMR))
		return TDM_NEVER;
	next = (ticks(pm) / HALF + 1) * HALF;
	return pm->start_ns + next / TMR_HZ * NS_PER_S +
	       next % TMR_HZ * NS_PER_S / TMR_HZ + 1;
}

/** tdm_acpi_pm_poll() - raise what is due. [bus lock] */
void tdm_acpi_pm_poll(struct tdm_acpi_pm *pm)
{
	update(pm);
}

/** tdm_acpi_pm_button() - press the power button. [bus lock] */
void tdm_acpi_pm_button(struct tdm_acpi_pm *pm)
{
	pm->status |= STS_PWRBTN;
	update(pm);
}
