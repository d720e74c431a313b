/* SPDX-License-Identifier: GPL-2.0-only */
/* One vCPU: its file descriptor, the page it shares with the device, its
 * thread. */
#ifndef TANDEM_VCPU_H
#define TANDEM_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "load.h"

#define TDM_EXIT_REASONS 64

struct tdm_machine;

struct tdm_vcpu {
	struct tdm_machine *machine;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started; /* main thread only */
	/* Written by the vCPU's thread, read by others for reports: relaxed
	 * atomics. */
	uint64_t exits[TDM_EXIT_REASONS];
	uint64_t runs; /* KVM_RUN calls */
};

int tdm_vcpu_create(struct tdm_vcpu *v, struct tdm_machine *m, unsigned int id);
int tdm_vcpu_set_entry(struct tdm_vcpu *v, const struct tdm_entry *entry);
int tdm_vcpu_start(struct tdm_vcpu *v);
void tdm_vcpu_kick(struct tdm_vcpu *v);
bool tdm_vcpu_join(struct tdm_vcpu *v, unsigned int ms);
void tdm_vcpu_destroy(struct tdm_vcpu *v);
uint64_t tdm_vcpu_exits(const struct tdm_vcpu *v);
const char *tdm_exit_name(uint32_t reason);
const char *tdm_exit_text(uint32_t reason);

void tdm_dump_vcpu(const struct tdm_vcpu *v);

#endif
