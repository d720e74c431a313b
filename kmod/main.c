// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module init and exit, and /dev/tandem with its system ioctls.
 *
 * Loading the module takes no hardware: an engine is taken with the first VM
 * that needs it and released with the last. Beware: the numbers are KVM's, so
 * KVM's semantics and errnos hold (Documentation/abi.rst).
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/host.h"
#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/engine.h"
#include "kmod/ioevent.h"
#include "shadow_mmu/mmu.h"
#include "uapi/tandem.h"

#define CREATE_TRACE_POINTS
#include "kmod/trace.h"

static_assert(sizeof(struct tdm_engine_info) == 208);
static_assert(sizeof(struct tdm_engine_config) == 48);

static void code_written(struct tdm_vm *vm, u64 gpa, u64 len)
{
	if (vm->ops && vm->ops->code_written)
		vm->ops->code_written(vm, gpa, len);
}

static const struct tdm_mmu_client mmu_client = {
	.code_written = code_written,
	.flush_vcpus = tdm_flush_vcpus,
};

static long dev_engine_info(void __user *arg)
{
	struct tdm_engine_info info;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.mmu_modes || info.error || info.pad)
		return -EINVAL;
	if (tdm_engine_query(&info))
		return -EINVAL;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long dev_mce_cap(void __user *arg)
{
	u64 cap = TDM_MCG_CAP_SUPPORTED;

	return copy_to_user(arg, &cap, sizeof(cap)) ? -EFAULT : 0;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	void __user *arg = (void __user *)uarg;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return uarg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return tdm_vm_create_fd(uarg);
	case KVM_CHECK_EXTENSION:
		return tdm_check_extension(NULL, uarg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return uarg ? -EINVAL : TDM_RUN_PAGES * PAGE_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
	case KVM_GET_EMULATED_CPUID:
		return tdm_cpuid_supported(arg, cmd);
	case KVM_GET_MSR_INDEX_LIST:
		return tdm_msr_index_list(arg, false);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return tdm_msr_index_list(arg, true);
	case KVM_GET_MSRS:
		return tdm_msr_io(NULL, arg, false);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return dev_mce_cap(arg);
	case TDM_GET_ABI_VERSION:
		return uarg ? -EINVAL : TDM_ABI_VERSION;
	case TDM_ENGINE_INFO:
		return dev_engine_info(arg);
	default:
		return -EINVAL;
	}
}

static const struct file_operations dev_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= dev_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice tdm_dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "tandem",
	.fops	= &dev_fops,
};

static int __init tdm_init(void)
{
	int r;

	tdm_mmu_client = &mmu_client;
	r = tdm_host_init();
	if (r)
		return r;
	r = tdm_cpuid_init();
	if (r)
		goto out_host;
	r = tdm_msr_init();
	if (r)
		goto out_host;
	r = tdm_vcpu_init();
	if (r)
		goto out_host;
	r = tdm_irqfd_init();
	if (r)
		goto out_vcpu;
	r = tdm_mmu_module_init();
	if (r)
		goto out_irqfd;
	tdm_engines_init();
	tdm_debugfs_init();
	r = misc_register(&tdm_dev);
	if (r)
		goto out_debugfs;
	return 0;

out_debugfs:
	tdm_debugfs_exit();
	tdm_mmu_module_exit();
out_irqfd:
	tdm_irqfd_exit();
out_vcpu:
	tdm_vcpu_exit();
out_host:
	tdm_host_exit();
	return r;
}

static void __exit tdm_exit_module(void)
{
	misc_deregister(&tdm_dev);
	tdm_debugfs_exit();
	tdm_mmu_module_exit();
	tdm_irqfd_exit();
	tdm_vcpu_exit();
	tdm_host_exit();
}

module_init(tdm_init);
module_exit(tdm_exit_module);
MODULE_DESCRIPTION("Runs unmodified x86 guests: VMX exit engine and binary translation");
MODULE_AUTHOR("The Tandem authors");
MODULE_LICENSE("GPL");
