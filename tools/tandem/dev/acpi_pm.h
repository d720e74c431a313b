/* SPDX-License-Identifier: GPL-2.0-only */
/* ACPI fixed hardware: PM1a event and control blocks, PM timer, power button,
 * S5. */
#ifndef TANDEM_DEV_ACPI_PM_H
#define TANDEM_DEV_ACPI_PM_H

#include <stdint.h>

#include "bus.h"
#include "device.h"

#define TDM_PM_BASE 0x600
#define TDM_PM1_EVT (TDM_PM_BASE + 0)
#define TDM_PM1_CNT (TDM_PM_BASE + 4)
#define TDM_PM_TMR (TDM_PM_BASE + 8)
#define TDM_PM_LEN 12
#define TDM_SCI_GSI 9
#define TDM_SLP_TYP_S5 5 /* as in dsdt.asl */

struct tdm_acpi_pm {
	const struct tdm_devhost *host;
	uint16_t status, enable, control;
	uint64_t start_ns; /* when the timer read zero */
	uint64_t
		seen_half; /* timer halves (bit 31 toggles) already in status */
	int irq_level;
};

void tdm_acpi_pm_init(struct tdm_acpi_pm *pm, const struct tdm_devhost *host);
int tdm_acpi_pm_attach(struct tdm_acpi_pm *pm, struct tdm_bus *bus);
uint64_t tdm_acpi_pm_deadline(const struct tdm_acpi_pm *pm);
void tdm_acpi_pm_poll(struct tdm_acpi_pm *pm);
void tdm_acpi_pm_button(struct tdm_acpi_pm *pm);

#endif
