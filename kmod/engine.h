/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registry of engines, and which one a VM gets.
 */
#ifndef TDM_KMOD_ENGINE_H
#define TDM_KMOD_ENGINE_H

#include "arch/x86/vm.h"
#include "uapi/tandem.h"

/**
 * tdm_engines_init() - module load: probe every engine, and say what was found
 *
 * An engine's probe also withdraws CPUID features it cannot run, so this comes
 * before anyone asks for KVM_GET_SUPPORTED_CPUID. Takes no hardware.
 */
void tdm_engines_init(void);

/**
 * tdm_engine_query() - can this machine run an engine?
 * @info: engine in; MMU modes, error and reason out
 *
 * Return: 0, or -EINVAL if there is no engine of that number.
 */
int tdm_engine_query(struct tdm_engine_info *info);

/** tdm_engine_any() - 0 if some engine could run here, else the first one's errno */
int tdm_engine_any(void);

/**
 * tdm_engine_set() - choose a VM's engine and MMU mode
 * @vm: VM without vCPUs; vm->lock held
 * @cfg: the choice
 *
 * An explicit engine is taken at once, so that the caller learns here whether
 * the machine can run it.
 *
 * Return: 0; -EINVAL bad numbers; -EBUSY after the first vCPU; -EOPNOTSUPP the
 * engine or mode is not in this build; else the engine's get() errno.
 */
int tdm_engine_set(struct tdm_vm *vm, const struct tdm_engine_config *cfg);

/**
 * tdm_engine_acquire() - make sure the VM has its engine (first vCPU)
 * @vm: vm->lock held
 *
 * Return: 0 or the engine's errno; the reason is in the kernel log.
 */
int tdm_engine_acquire(struct tdm_vm *vm);

/** tdm_engine_mmu() - TDM_MMU_* of a VM; TDM_MMU_AUTO while it has no engine and nothing was asked for. vm->lock held */
u32 tdm_engine_mmu(const struct tdm_vm *vm);

/** tdm_engine_release() - the VM goes away; its vCPUs are gone */
void tdm_engine_release(struct tdm_vm *vm);

#endif /* TDM_KMOD_ENGINE_H */
