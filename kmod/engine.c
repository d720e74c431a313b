// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registry of engines, and which one a VM gets.
 *
 * An engine's hardware is taken (get) with the first VM that uses it and given
 * back (put) with the last; a VM holds exactly one get. The reason why an
 * engine cannot run goes to the kernel log once per attempt, and to whoever
 * asks with TDM_ENGINE_INFO.
 *
 * The MMU mode is final once the engine is taken: what was asked for, else what
 * the module parameter "mmu" says, else EPT where the engine has it. Likewise the
 * engine: what was asked for, else what the parameter "engine" says, else the first
 * that can run.
 */
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "kmod/core.h"
#include "kmod/engine.h"

/* By preference: what TDM_ENGINE_AUTO tries first comes first. */
static const struct tdm_engine_ops *const engines[] = {
	&tdm_vmx_ops,
	&tdm_bt_ops,
};

/* ---- what VMs get whose maker does not choose ---- */

static const char *const engine_names[] = {
	[TDM_ENGINE_AUTO]	= "auto",
	[TDM_ENGINE_VMX]	= "vmx",
	[TDM_ENGINE_BT]		= "bt",
};

static const char *const mmu_names[] = {
	[TDM_MMU_AUTO]		= "auto",
	[TDM_MMU_EPT]		= "ept",
	[TDM_MMU_SHADOW]	= "shadow",
};

/* A module parameter that takes a word. @value: (once) index into @names */
struct word_param {
	const char *const *names;
	unsigned int nr;
	u32 value;
};

static struct word_param default_engine = { engine_names, ARRAY_SIZE(engine_names) };
static struct word_param default_mmu = { mmu_names, ARRAY_SIZE(mmu_names) };

static int word_param_set(const char *val, const struct kernel_param *kp)
{
	struct word_param *p = kp->arg;
	int i = __sysfs_match_string(p->names, p->nr, val);

	if (i < 0)
		return i;
	WRITE_ONCE(p->value, i);
	return 0;
}

static int word_param_get(char *buf, const struct kernel_param *kp)
{
	const struct word_param *p = kp->arg;

	return sysfs_emit(buf, "%s\n", p->names[READ_ONCE(p->value)]);
}

static const struct kernel_param_ops word_param_ops = {
	.set	= word_param_set,
	.get	= word_param_get,
};

module_param_cb(engine, &word_param_ops, &default_engine, 0644);
MODULE_PARM_DESC(engine, "engine of VMs whose maker does not choose: auto (vmx where the CPU has it, else bt), vmx, bt");
module_param_cb(mmu, &word_param_ops, &default_mmu, 0644);
MODULE_PARM_DESC(mmu, "MMU of VMs whose maker does not choose: auto (EPT where the CPU has it), ept, shadow");

/* ---- the MMU mode ---- */

static enum tdm_mmu_mode mode_of(u32 mmu)
{
	return mmu == TDM_MMU_EPT ? TDM_MMU_MODE_EPT : TDM_MMU_MODE_SHADOW;
}

/* enum tdm_mmu_mode, or -EOPNOTSUPP. @modes: what the engine can do */
static int choose_mode(u32 mmu, u32 modes)
{
	if (mmu == TDM_MMU_AUTO)
		mmu = READ_ONCE(default_mmu.value);
	if (mmu == TDM_MMU_AUTO)
		mmu = modes & BIT(TDM_MMU_MODE_EPT) ? TDM_MMU_EPT : TDM_MMU_SHADOW;
	return modes & BIT(mode_of(mmu)) ? (int)mode_of(mmu) : -EOPNOTSUPP;
}

u32 tdm_engine_mmu(const struct tdm_vm *vm)
{
	if (!vm->engine_ready)
		return vm->mmu_id;
	return vm->mmu_mode == TDM_MMU_MODE_EPT ? TDM_MMU_EPT : TDM_MMU_SHADOW;
}

/* ---- the engines ---- */

static const struct tdm_engine_ops *engine_by_id(u32 id)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(engines); i++)
		if (engines[i]->id == id)
			return engines[i];
	return NULL;
}

void tdm_engines_init(void)
{
	struct tdm_why why = { };
	int i;

	for (i = 0; i < ARRAY_SIZE(engines); i++) {
		if (engines[i]->probe(&why))
			pr_info("tandem: engine %s: %s\n", engines[i]->name, why.text);
		else
			pr_info("tandem: engine %s: ready\n", engines[i]->name);
	}
}

int tdm_engine_query(struct tdm_engine_info *info)
{
	const struct tdm_engine_ops *ops;
	struct tdm_why why = { };
	u32 modes;

	if (info->engine != TDM_ENGINE_VMX && info->engine != TDM_ENGINE_BT)
		return -EINVAL;
	memset(info->why, 0, sizeof(info->why));
	info->mmu_modes = 0;
	ops = engine_by_id(info->engine);
	if (!ops) {
		info->error = EOPNOTSUPP;
		strscpy(info->why, "this build of tandem.ko does not have that engine yet", sizeof(info->why));
		return 0;
	}
	info->error = -ops->probe(&why);
	if (!info->error) {
		modes = ops->mmu_modes(&why);
		if (modes & BIT(TDM_MMU_MODE_EPT))
			info->mmu_modes |= 1u << TDM_MMU_EPT;
		if (modes & BIT(TDM_MMU_MODE_SHADOW))
			info->mmu_modes |= 1u << TDM_MMU_SHADOW;
	}
	strscpy(info->why, why.text, sizeof(info->why));
	return 0;
}

int tdm_engine_any(void)
{
	struct tdm_why why = { };
	int i, r, first = -ENODEV;

	for (i = 0; i < ARRAY_SIZE(engines); i++) {
		r = engines[i]->probe(&why);
		if (!r)
			return 0;
		if (!i)
			first = r;
		pr_info_ratelimited("tandem: engine %s: %s\n", engines[i]->name, why.text);
	}
	return first;
}

static int engine_take(struct tdm_vm *vm, const struct tdm_engine_ops *ops)
{
	struct tdm_why why = { };
	int r, mode;

	r = ops->get(&why);
	if (r)
		goto say_why;
	mode = choose_mode(vm->mmu_id, ops->mmu_modes(&why));
	if (mode < 0) {
		r = mode;
		goto put_engine;
	}
	vm->mmu_mode = mode;
	vm->ops = ops;
	r = ops->vm_init(vm);
	if (r) {
		vm->ops = NULL;
		goto put_engine;
	}
	vm->engine_ready = true;
	return 0;

put_engine:
	ops->put();
say_why:
	pr_info_ratelimited("tandem: engine %s: %s\n", ops->name, why.text);
	return r;
}

int tdm_engine_set(struct tdm_vm *vm, const struct tdm_engine_config *cfg)
{
	const struct tdm_engine_ops *ops = NULL;
	int i;

	lockdep_assert_held(&vm->lock);
	if (cfg->flags || cfg->pad || cfg->engine > TDM_ENGINE_BT ||
	    cfg->mmu > TDM_MMU_SHADOW)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(cfg->reserved); i++)
		if (cfg->reserved[i])
			return -EINVAL;
	if (vm->created_vcpus)
		return -EBUSY;
	if (cfg->engine != TDM_ENGINE_AUTO) {
		ops = engine_by_id(cfg->engine);
		if (!ops)
			return -EOPNOTSUPP;
	}
	if (vm->engine_ready && (ops != vm->ops || cfg->mmu != vm->mmu_id))
		tdm_engine_release(vm);
	vm->engine_id = cfg->engine;
	vm->mmu_id = cfg->mmu;
	if (ops && !vm->engine_ready)
		return engine_take(vm, ops);
	return 0;
}

int tdm_engine_acquire(struct tdm_vm *vm)
{
	u32 wanted = READ_ONCE(default_engine.value);
	int i, r = -ENODEV;

	lockdep_assert_held(&vm->lock);
	if (vm->engine_ready)
		return 0;
	for (i = 0; i < ARRAY_SIZE(engines); i++) {
		if (wanted != TDM_ENGINE_AUTO && engines[i]->id != wanted)
			continue;
		r = engine_take(vm, engines[i]);
		if (!r)
			break;
	}
	return r;
}

void tdm_engine_release(struct tdm_vm *vm)
{
	if (!vm->engine_ready)
		return;
	vm->ops->vm_destroy(vm);
	vm->ops->put();
	vm->ops = NULL;
	vm->engine_ready = false;
}
