/* SPDX-License-Identifier: GPL-2.0-only */
/* The device (/dev/tandem or /dev/kvm) and a VM on it. */
#ifndef TANDEM_KVM_H
#define TANDEM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "memory.h"

#define TDM_DEFAULT_DEVICE "/dev/tandem"

struct tdm_kvm {
	const char *path;
	int fd;
	int vm;	      /* -1 until tdm_kvm_create_vm() */
	int run_size; /* bytes of the mapping a vCPU shares with us */
};

/* Wanted engine and MMU mode: TDM_ENGINE_*, TDM_MMU_* of uapi/tandem.h. */
struct tdm_engine_choice {
	uint32_t engine, mmu;
};

const char *tdm_kvm_open_hint(const char *path, int err);
int tdm_kvm_open(struct tdm_kvm *kvm, const char *path);
int tdm_kvm_create_vm(struct tdm_kvm *kvm,
		      const struct tdm_engine_choice *choice);
int tdm_kvm_add_devices(struct tdm_kvm *kvm);
int tdm_kvm_add_memory(struct tdm_kvm *kvm, const struct tdm_memory *mem);
int tdm_kvm_cap(int fd, unsigned int cap);
int tdm_kvm_irq_line(const struct tdm_kvm *kvm, unsigned int gsi, int level);
void tdm_kvm_close(struct tdm_kvm *kvm);

int tdm_engine_parse(const char *engine, const char *mmu,
		     struct tdm_engine_choice *out);
const char *tdm_engine_name(uint32_t engine);
const char *tdm_mmu_name(uint32_t mmu);
void tdm_engine_explain(const struct tdm_kvm *kvm, uint32_t engine);
int tdm_engine_set(const struct tdm_kvm *kvm,
		   const struct tdm_engine_choice *choice);

#endif
