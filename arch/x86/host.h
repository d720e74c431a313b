/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host CPU state: host.c is the ONLY file that touches the host's CR4.VMXE,
 * VMXON, EFER, GDT/IDT/TR limits, user-return MSRs, debug registers.
 */
#ifndef TDM_HOST_H
#define TDM_HOST_H

#include "arch/x86/vcpu.h"

int tdm_host_init(void);	/* module load: user-return MSR slots, cpuhp, reboot hook registered; takes no hardware */
void tdm_host_exit(void);

#endif /* TDM_HOST_H */
