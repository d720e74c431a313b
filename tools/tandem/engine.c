// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choice of engine and MMU mode: names, and the ioctl that asks for them.
 *
 * A device that knows no engines (/dev/kvm) is fine as long as nothing special
 * was asked for; otherwise the user learns what is not to be had, and why.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm.h"
#include "uapi/tandem.h"
#include "util.h"

/* The module's side of the structs must be laid out as ours is. */
static_assert(sizeof(struct tdm_engine_config) == 48, "tdm_engine_config");
static_assert(sizeof(struct tdm_engine_info) == 208, "tdm_engine_info");

static const char *const engine_names[] = {
	[TDM_ENGINE_AUTO] = "auto",
	[TDM_ENGINE_VMX] = "vmx",
	[TDM_ENGINE_BT] = "bt",
};

static const char *const mmu_names[] = {
	[TDM_MMU_AUTO] = "auto",
	[TDM_MMU_EPT] = "ept",
	[TDM_MMU_SHADOW] = "shadow",
};

static int find(const char *const *names, unsigned int n, const char *name,
		uint32_t *out)
{
	for (unsigned int i = 0; i < n; i++) {
		if (!strcmp(names[i], name)) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

/**
 * tdm_engine_parse() - turn --engine and --mmu into numbers.
 * @engine, @mmu: the options' words, or NULL for "auto"
 *
 * Return: 0 or -EINVAL, reported.
 */
int tdm_engine_parse(const char *engine, const char *mmu,
		     struct tdm_engine_choice *out)
{
	*out = (struct tdm_engine_choice){ TDM_ENGINE_AUTO, TDM_MMU_AUTO };
	if (engine && find(engine_names, ARRAY_SIZE(engine_names), engine,
			   &out->engine)) {
		tdm_error("--engine is bt, vmx or auto, not '%s'", engine);
		return -EINVAL;
	}
	if (mmu && find(mmu_names, ARRAY_SIZE(mmu_names), mmu, &out->mmu)) {
		tdm_error("--mmu is shadow, ept or auto, not '%s'", mmu);
		return -EINVAL;
	}
	return 0;
}

/** tdm_engine_name() - word for a TDM_ENGINE_* number. */
const char *tdm_engine_name(uint32_t engine)
{
	return engine < ARRAY_SIZE(engine_names) ? engine_names[engine]
						 : "unknown";
}

/** tdm_mmu_name() - word for a TDM_MMU_* number. */
const char *tdm_mmu_name(uint32_t mmu)
{
	return mmu < ARRAY_SIZE(mmu_names) ? mmu_names[mmu] : "unknown";
}

static void explain_one(const struct tdm_kvm *kvm, uint32_t engine)
{
	struct tdm_engine_info info = { .engine = engine };

	if (ioctl(kvm->fd, TDM_ENGINE_INFO, &info) < 0)
		return;
	info.why[sizeof(info.why) - 1] = '\0';
	if (info.why[0])
		tdm_error("engine %s: %s", tdm_engine_name(engine), info.why);
}

/** tdm_engine_explain() - why an engine, or any, is not to be had; the module's
 * words. */
void tdm_engine_explain(const struct tdm_kvm *kvm, uint32_t engine)
{
	if (engine != TDM_ENGINE_AUTO) {
		explain_one(kvm, engine);
		return;
	}
	explain_one(kvm, TDM_ENGINE_VMX);
	explain_one(kvm, TDM_ENGINE_BT);
}

/**
 * tdm_engine_set() - ask for an engine; before the VM's first vCPU.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_engine_set(const struct tdm_kvm *kvm,
		   const struct tdm_engine_choice *choice)
{
	struct tdm_engine_config config = { .engine = choice->engine,
					    .mmu = choice->mmu };
	bool any = choice->engine == TDM_ENGINE_AUTO &&
		   choice->mmu == TDM_MMU_AUTO;
	int err;

	if (!ioctl(kvm->vm, TDM_VM_SET_ENGINE, &config))
		return 0;
	err = -errno;
	if (err == -ENOTTY || err == -EINVAL) {
		/* KVM answers EINVAL or ENOTTY to an ioctl it does not know. */
		if (any)
			return 0;
		if (ioctl(kvm->fd, TDM_GET_ABI_VERSION, 0) < 0) {
			tdm_error(
				"%s has no engines to choose from; leave out --engine and --mmu, or use %s",
				kvm->path, TDM_DEFAULT_DEVICE);
			return err;
		}
	}
	tdm_error(
		"engine %s with MMU mode %s is not available: %s; 'tandem check' lists what is",
		tdm_engine_name(choice->engine), tdm_mmu_name(choice->mmu),
		strerror(-err));
	tdm_engine_explain(kvm, choice->engine);
	return err;
}
