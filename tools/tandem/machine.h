/* SPDX-License-Identifier: GPL-2.0-only */
/* The whole machine: memory, devices, vCPUs, and the main loop that serves
 * them. */
#ifndef TANDEM_MACHINE_H
#define TANDEM_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "console.h"
#include "cpuid.h"
#include "dev/acpi_pm.h"
#include "dev/i8042.h"
#include "dev/pci.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "dev/testport.h"
#include "device.h"
#include "kvm.h"
#include "memory.h"
#include "vcpu.h"

#define TDM_CPUS_MAX 254 /* xAPIC IDs, less the broadcast ID */

struct tdm_machine_config {
	const char *device;
	struct tdm_engine_choice engine;
	uint64_t mem;
	unsigned int cpus;
	bool prealloc, acpi, trace_io, markers, stats, count;
	bool firmware;	    /* --bios: the guest starts as after power-on */
	uint64_t timeout_s; /* 0 = none */
};

struct tdm_machine {
	struct tdm_machine_config config;
	struct tdm_kvm kvm;
	struct tdm_memory mem;
	struct tdm_bus bus;
	struct tdm_devhost host;
	struct tdm_console console;
	struct tdm_serial serial; /* devices: [bus.lock] */
	struct tdm_rtc rtc;
	struct tdm_i8042 i8042;
	struct tdm_pci pci;
	struct tdm_acpi_pm acpi_pm;
	struct tdm_testport testport;
	union tdm_cpuid_table cpuid; /* as supported; fixed after init */
	uint32_t tsc_khz;	     /* 0 = unknown; set with the first vCPU */
	struct tdm_vcpu *vcpu;	     /* config.cpus of them */
	uint64_t rsdp;		     /* 0 = no ACPI tables */

	int wake_fd; /* eventfd: look at devices, stdin and the end again */
	atomic_bool stopping;
	pthread_mutex_t end_lock;
	enum tdm_end end; /* [end_lock] first one wins */
	int end_value;	  /* [end_lock] */

	atomic_uint_fast64_t
		start_tsc; /* just before the first KVM_RUN; 0 = not yet */
	uint64_t end_tsc;  /* [end_lock] */
	uint64_t start_ns; /* monotonic; fixed once running */
};

int tdm_machine_init(struct tdm_machine *m,
		     const struct tdm_machine_config *config);
int tdm_machine_add_firmware(struct tdm_machine *m);
int tdm_machine_add_vcpus(struct tdm_machine *m, const struct tdm_entry *entry);
int tdm_machine_run(struct tdm_machine *m);
bool tdm_machine_stop(struct tdm_machine *m);
void tdm_machine_end(struct tdm_machine *m, enum tdm_end why, int value);
void tdm_machine_wake(struct tdm_machine *m);
void tdm_machine_stats(struct tdm_machine *m);
void tdm_machine_destroy(struct tdm_machine *m);

#endif
