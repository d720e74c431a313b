/* SPDX-License-Identifier: GPL-2.0-only */
/* ACPI tables of the machine. */
#ifndef TANDEM_ACPI_H
#define TANDEM_ACPI_H

#include <stddef.h>
#include <stdint.h>

long tdm_acpi_build(uint8_t *area, size_t area_size, uint64_t area_gpa,
		    unsigned int cpus);

#endif
