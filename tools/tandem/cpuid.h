/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest's CPUs say of themselves. */
#ifndef TANDEM_CPUID_H
#define TANDEM_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#define TDM_CPUID_MAX 512

struct tdm_cpuid_params {
	unsigned int apic_id;
	unsigned int cpus;
	uint32_t tsc_khz;  /* 0 = unknown */
	bool tsc_deadline; /* the local APIC has a TSC-deadline timer */
};

/* Room for every entry a device may report and those added here. */
union tdm_cpuid_table {
	struct kvm_cpuid2 table;
	uint8_t room[sizeof(struct kvm_cpuid2) +
		     TDM_CPUID_MAX * sizeof(struct kvm_cpuid_entry2)];
};

int tdm_cpuid_supported(int fd, union tdm_cpuid_table *t);
void tdm_cpuid_adapt(union tdm_cpuid_table *t,
		     const struct tdm_cpuid_params *p);
struct kvm_cpuid_entry2 *tdm_cpuid_find(union tdm_cpuid_table *t,
					uint32_t function, uint32_t index);
unsigned int tdm_cpuid_address_bits(union tdm_cpuid_table *t);
void tdm_cpuid_tsc_ratio(uint32_t tsc_khz, uint32_t *num, uint32_t *den);

#endif
