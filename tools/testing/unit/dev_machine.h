/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM of interrupt chips and vCPUs without an engine: the devices' own code on
 * a fake core. vCPUs "run" only when a test takes their interrupts.
 */
#ifndef DEV_MACHINE_H
#define DEV_MACHINE_H

#include "dev_kernel.h"
#include "arch/x86/vcpu.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/devices/lapic_core.h"
#include "kmod/iobus.h"

#define DEV_MAX_CPUS	40

struct dev_machine {
	struct tdm_vm vm;
	struct tdm_vcpu *cpu[DEV_MAX_CPUS];
	unsigned int cpus;
	unsigned int kicks[DEV_MAX_CPUS];
	unsigned int nmis[DEV_MAX_CPUS];
	bool x2apic, deadline;		/* CPUID */
};

extern struct dev_machine *dev;
extern unsigned int shim_fail_at;	/* the n-th allocation from now fails; 0: none */

/* chips and PIT (with port 0x61) and vCPUs with ids 0, stride, 2 * stride... */
void dev_start(unsigned int cpus, unsigned int stride);
void dev_start_split(unsigned int cpus);	/* LAPICs only */
void dev_stop(void);		/* and checks that nothing leaked */

void dev_out(u16 port, u8 val);
u8 dev_in(u16 port);
u32 dev_apic_read(int cpu, u32 offset);
void dev_apic_write(int cpu, u32 offset, u32 val);
int dev_wrmsr(int cpu, u32 msr, u64 val);
int dev_rdmsr(int cpu, u32 msr, u64 *val);
u32 dev_ioapic_read(u8 reg);
void dev_ioapic_write(u8 reg, u32 val);
void dev_ioapic_rte(int pin, u64 rte);
void dev_apic_on(int cpu);	/* software-enabled, spurious vector 0xff */
void dev_line(u32 gsi, int level);
int dev_take(int cpu);		/* vector delivered to the CPU, -1 none */
void dev_pic_init(void);	/* vectors 0x20, 0x28; all unmasked */

#endif /* DEV_MACHINE_H */
