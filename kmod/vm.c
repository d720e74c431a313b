// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual machines: creation, the VM file descriptor and its ioctls, the end.
 *
 * A VM lives as long as its file, any vCPU file, or an ioctl on them. It
 * belongs to the address space that made it: ioctls from another one get -EIO,
 * as in KVM, because memslots name that address space.
 *
 * Lock order (Documentation/locking.rst): vcpu->mutex > vm->lock > slots_sem >
 * mmu.lock.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/engine.h"
#include "kmod/iobus.h"
#include "kmod/ioevent.h"
#include "kmod/pv.h"
#include "kmod/stats_fd.h"
#include "shadow_mmu/mmu.h"

static atomic_t vm_serial = ATOMIC_INIT(0);

static void vm_destroy(struct kref *ref)
{
	struct tdm_vm *vm = container_of(ref, struct tdm_vm, ref);
	struct tdm_vcpu *vcpu;
	unsigned long i;

	tdm_debugfs_vm_gone(vm);
	tdm_ioevent_release(vm);
	/* The buses first: chips then leave them without waiting for readers. */
	tdm_iobus_destroy(vm);
	/* Chips before vCPUs: their timers interrupt them. */
	tdm_pit_destroy(vm);
	tdm_irqchip_destroy(vm);
	/* Before the vCPUs go: a notifier may still ask them to flush. */
	tdm_mmu_vm_release(vm);
	xa_for_each(&vm->vcpus, i, vcpu)
		tdm_vcpu_free(vcpu);
	xa_destroy(&vm->vcpus);
	tdm_msr_filter_free(vm);
	/* It may hold traces. */
	tdm_engine_release(vm);
	tdm_mmu_vm_destroy(vm);
	tdm_coalesced_release(vm);
	mmdrop(vm->mm);
	kfree(vm);
	preempt_notifier_dec();
}

void tdm_vm_put(struct tdm_vm *vm)
{
	kref_put(&vm->ref, vm_destroy);
}

void tdm_vm_kill(struct tdm_vm *vm, const char *fmt, ...)
{
	struct tdm_vcpu *vcpu;
	struct va_format vaf;
	unsigned long i;
	va_list args;

	if (xchg(&vm->dead, true))
		return;
	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	pr_err("tandem: VM %s stopped: %pV\n", vm->name, &vaf);
	va_end(args);
	tdm_for_each_vcpu(vm, i, vcpu) {
		tdm_request(vcpu, TDM_REQ_VM_DEAD);
		tdm_vcpu_kick(vcpu);
	}
}

static void vm_init_fields(struct tdm_vm *vm)
{
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	init_rwsem(&vm->slots_sem);
	xa_init(&vm->slots_by_id);
	xa_init(&vm->vcpus);
	spin_lock_init(&vm->mmu.lock);
	raw_spin_lock_init(&vm->tsc_lock);
	mutex_init(&vm->irqfd_setup);
	spin_lock_init(&vm->irqfd_lock);
	INIT_LIST_HEAD(&vm->irqfds);
	INIT_LIST_HEAD(&vm->resample_irqfds);
	vm->default_tsc_khz = tsc_khz;
	vm->clock.tsc = rdtsc_ordered();
	vm->clock.boot = ktime_get_boottime_ns();
	vm->mm = current->mm;
	mmgrab(vm->mm);
	snprintf(vm->name, sizeof(vm->name), "%d-%d", task_tgid_nr(current),
		 atomic_inc_return(&vm_serial));
}

static struct tdm_vm *vm_create(void)
{
	struct tdm_vm *vm;
	int r;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	vm_init_fields(vm);
	r = tdm_coalesced_init(vm);
	if (r)
		goto free_vm;
	r = tdm_iobus_init(vm);
	if (r)
		goto free_ring;
	r = tdm_mmu_vm_init(vm);
	if (r)
		goto destroy_bus;
	preempt_notifier_inc();
	tdm_debugfs_vm(vm);
	return vm;

destroy_bus:
	tdm_iobus_destroy(vm);
free_ring:
	tdm_coalesced_release(vm);
free_vm:
	mmdrop(vm->mm);
	kfree(vm);
	return ERR_PTR(r);
}

/* ---- the VM's ioctls ---- */

static long vm_set_memory(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_userspace_memory_region r;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	return tdm_memslot_set(vm, &r);
}

static long vm_get_dirty_log(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_dirty_log log;

	if (copy_from_user(&log, arg, sizeof(log)))
		return -EFAULT;
	return tdm_dirty_log_get(vm, &log);
}

static long vm_clear_dirty_log(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_clear_dirty_log log;

	if (copy_from_user(&log, arg, sizeof(log)))
		return -EFAULT;
	return tdm_dirty_log_clear(vm, &log);
}

static long vm_ioeventfd(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_ioeventfd args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	return tdm_ioevent_set(vm, &args);
}

static long vm_coalesced(struct tdm_vm *vm, unsigned int cmd, void __user *arg)
{
	struct kvm_coalesced_mmio_zone zone;
	long r;

	if (copy_from_user(&zone, arg, sizeof(zone)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	r = cmd == KVM_REGISTER_COALESCED_MMIO ? tdm_coalesced_add(vm, &zone) :
						 tdm_coalesced_del(vm, &zone);
	mutex_unlock(&vm->lock);
	return r;
}

static long vm_create_vcpu(struct tdm_vm *vm, unsigned long id)
{
	int r;

	if (id >= TDM_MAX_VCPU_IDS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	r = tdm_engine_acquire(vm);
	if (!r)
		r = tdm_vcpu_create(vm, id);
	mutex_unlock(&vm->lock);
	return r;
}

static long vm_cap_disable_exits(struct tdm_vm *vm, u64 arg)
{
	if (arg & ~(u64)tdm_check_extension(vm, KVM_CAP_X86_DISABLE_EXITS))
		return -EINVAL;
	if (vm->created_vcpus)
		return -EINVAL;
	vm->disabled_exits = arg;
	return 0;
}

static long vm_cap_max_vcpu_id(struct tdm_vm *vm, u64 arg)
{
	if (!arg || arg > TDM_MAX_VCPU_IDS)
		return -EINVAL;
	if (vm->max_vcpu_ids == arg)
		return 0;
	if (vm->max_vcpu_ids || vm->created_vcpus)
		return -EINVAL;
	vm->max_vcpu_ids = arg;
	return 0;
}

static long vm_cap_split_irqchip(struct tdm_vm *vm, u64 pins)
{
	if (pins > TDM_NR_GSIS)
		return -EINVAL;
	return tdm_irqchip_create_split(vm, pins);
}

static long vm_cap_dirty_protect(struct tdm_vm *vm, u64 arg)
{
	u64 allowed = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (arg & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
		allowed |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (arg & ~allowed)
		return -EINVAL;
	vm->dirty_log_caps = arg;
	return 0;
}

#define USER_MSR_REASONS (KVM_MSR_EXIT_REASON_INVAL | \
			  KVM_MSR_EXIT_REASON_UNKNOWN | \
			  KVM_MSR_EXIT_REASON_FILTER)

static long vm_enable_cap_locked(struct tdm_vm *vm, const struct kvm_enable_cap *cap)
{
	u64 arg = cap->args[0];

	switch (cap->cap) {
	case KVM_CAP_X86_DISABLE_EXITS:
		return vm_cap_disable_exits(vm, arg);
	case KVM_CAP_MAX_VCPU_ID:
		return vm_cap_max_vcpu_id(vm, arg);
	case KVM_CAP_SPLIT_IRQCHIP:
		return vm_cap_split_irqchip(vm, arg);
	case KVM_CAP_X2APIC_API:
		if (arg & ~(u64)tdm_check_extension(vm, KVM_CAP_X2APIC_API))
			return -EINVAL;
		vm->x2apic_api |= arg;
		return 0;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return vm_cap_dirty_protect(vm, arg);
	case KVM_CAP_X86_USER_SPACE_MSR:
		if (arg & ~(u64)USER_MSR_REASONS)
			return -EINVAL;
		vm->user_msr_mask = arg;
		return 0;
	case KVM_CAP_MSR_PLATFORM_INFO:
		vm->platform_info_hidden = !arg;
		return 0;
	case KVM_CAP_EXCEPTION_PAYLOAD:
		vm->exception_payload = arg;
		return 0;
	case KVM_CAP_X86_TRIPLE_FAULT_EVENT:
		vm->triple_fault_event = arg;
		return 0;
	case KVM_CAP_DISABLE_QUIRKS2:
		if (arg & ~(u64)tdm_check_extension(vm, KVM_CAP_DISABLE_QUIRKS2))
			return -EINVAL;
		fallthrough;
	case KVM_CAP_DISABLE_QUIRKS:
		vm->disabled_quirks = arg;
		return 0;
	default:
		return -EINVAL;
	}
}

static long vm_enable_cap(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_enable_cap cap;
	long r;

	if (copy_from_user(&cap, arg, sizeof(cap)))
		return -EFAULT;
	if (cap.flags)
		return -EINVAL;
	mutex_lock(&vm->lock);
	r = vm_enable_cap_locked(vm, &cap);
	mutex_unlock(&vm->lock);
	return r;
}

static long vm_set_boot_cpu(struct tdm_vm *vm, unsigned long id)
{
	long r = 0;

	mutex_lock(&vm->lock);
	if (vm->created_vcpus)
		r = -EBUSY;
	else if (id >= TDM_MAX_VCPU_IDS)
		r = -EINVAL;
	else
		vm->bsp_vcpu_id = id;
	mutex_unlock(&vm->lock);
	return r;
}

#define CLOCK_FLAGS	(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

static long vm_get_clock(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_clock_data data = { .flags = CLOCK_FLAGS };

	data.realtime = ktime_get_real_ns();
	data.clock = tdm_clock_ns(vm, &data.host_tsc);
	if (!data.host_tsc)
		data.flags = KVM_CLOCK_REALTIME;
	return copy_to_user(arg, &data, sizeof(data)) ? -EFAULT : 0;
}

static long vm_set_clock(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_clock_data data;
	u64 now;

	if (copy_from_user(&data, arg, sizeof(data)))
		return -EFAULT;
	/* As KVM_GET_CLOCK gave them; only one means anything here. */
	if (data.flags & ~CLOCK_FLAGS)
		return -EINVAL;
	if (data.flags & KVM_CLOCK_REALTIME) {
		now = ktime_get_real_ns();
		if (now > data.realtime)
			data.clock += now - data.realtime;
	}
	tdm_clock_set(vm, data.clock);
	return 0;
}

static long vm_set_tsc_khz(struct tdm_vm *vm, unsigned long khz)
{
	long r = 0;

	mutex_lock(&vm->lock);
	if (vm->created_vcpus || (khz && khz != tsc_khz))
		r = -EINVAL;	/* no TSC scaling offered */
	mutex_unlock(&vm->lock);
	return r;
}

static long vm_engine_ioctl(struct tdm_vm *vm, unsigned int cmd, void __user *arg)
{
	struct tdm_engine_config cfg = { };
	long r;

	if (cmd == TDM_VM_SET_ENGINE && copy_from_user(&cfg, arg, sizeof(cfg)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	if (cmd == TDM_VM_SET_ENGINE) {
		r = tdm_engine_set(vm, &cfg);
	} else {
		cfg.engine = vm->engine_ready ? vm->ops->id : vm->engine_id;
		cfg.mmu = tdm_engine_mmu(vm);
		r = 0;
	}
	mutex_unlock(&vm->lock);
	if (!r && cmd == TDM_VM_GET_ENGINE && copy_to_user(arg, &cfg, sizeof(cfg)))
		r = -EFAULT;
	return r;
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	struct tdm_vm *vm = file->private_data;
	void __user *arg = (void __user *)uarg;
	long r;

	if (vm->mm != current->mm || READ_ONCE(vm->dead))
		return -EIO;

	switch (cmd) {
	case KVM_CREATE_VCPU:
		return vm_create_vcpu(vm, uarg);
	case KVM_CHECK_EXTENSION:
		return tdm_check_extension(vm, uarg);
	case KVM_ENABLE_CAP:
		return vm_enable_cap(vm, arg);
	case KVM_SET_USER_MEMORY_REGION:
		return vm_set_memory(vm, arg);
	case KVM_GET_DIRTY_LOG:
		return vm_get_dirty_log(vm, arg);
	case KVM_CLEAR_DIRTY_LOG:
		return vm_clear_dirty_log(vm, arg);
	case KVM_IOEVENTFD:
		return vm_ioeventfd(vm, arg);
	case KVM_REGISTER_COALESCED_MMIO:
	case KVM_UNREGISTER_COALESCED_MMIO:
		return vm_coalesced(vm, cmd, arg);
	case KVM_GET_STATS_FD:
		return tdm_stats_vm_fd(vm);
	case KVM_SET_NR_MMU_PAGES:
		return tdm_mmu_set_max_pages(vm, uarg);
	case KVM_GET_NR_MMU_PAGES:
		return READ_ONCE(vm->mmu.max_pages);
	case KVM_SET_TSS_ADDR:
		/* Only for guests in vm86 on old hardware; the range is checked. */
		return uarg > 0xffffffffull - 3 * PAGE_SIZE ? -EINVAL : 0;
	case KVM_SET_IDENTITY_MAP_ADDR:
		return vm->created_vcpus ? -EINVAL : 0;
	case KVM_SET_BOOT_CPU_ID:
		return vm_set_boot_cpu(vm, uarg);
	case KVM_GET_CLOCK:
		return vm_get_clock(vm, arg);
	case KVM_SET_CLOCK:
		return vm_set_clock(vm, arg);
	case KVM_SET_TSC_KHZ:
		return vm_set_tsc_khz(vm, uarg);
	case KVM_GET_TSC_KHZ:
		return vm->default_tsc_khz;
	case KVM_X86_SET_MSR_FILTER:
		return tdm_msr_set_filter(vm, arg);
	case TDM_VM_SET_ENGINE:
	case TDM_VM_GET_ENGINE:
		return vm_engine_ioctl(vm, cmd, arg);
	default:
		r = tdm_vm_irq_ioctl(vm, cmd, arg);
		return r == -ENOIOCTLCMD ? -ENOTTY : r;
	}
}

static int vm_release(struct inode *inode, struct file *file)
{
	struct tdm_vm *vm = file->private_data;

	/* vCPUs may live on, but nobody can take these away any more. */
	tdm_irqfd_release(vm);
	tdm_vm_put(vm);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vm_ioctl,
	.release	= vm_release,
	.llseek		= noop_llseek,
};

/**
 * tdm_vm_create_fd() - KVM_CREATE_VM
 * @type: must be 0
 *
 * Return: the VM's file descriptor; -EINVAL for another type; -ENODEV, -EBUSY,
 * -EPERM when no engine can run here (the log says why); -ENOMEM, -EMFILE.
 */
int tdm_vm_create_fd(unsigned long type)
{
	struct tdm_vm *vm;
	struct file *file;
	int fd, r;

	if (type)
		return -EINVAL;
	r = tdm_engine_any();
	if (r)
		return r;
	vm = vm_create();
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		r = fd;
		goto put_vm;
	}
	file = anon_inode_getfile("tandem-vm", &vm_fops, vm, O_RDWR);
	if (IS_ERR(file)) {
		r = PTR_ERR(file);
		goto put_fd;
	}
	fd_install(fd, file);
	return fd;

put_fd:
	put_unused_fd(fd);
put_vm:
	tdm_vm_put(vm);
	return r;
}
