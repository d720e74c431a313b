// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's ioctls about interrupt controllers, lines, routes and the PIT.
 * Arguments are copied and checked here; what they do is in kmod/devices.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/ioevent.h"

static long create_irqchip(struct tdm_vm *vm, void __user *arg)
{
	long r;

	mutex_lock(&vm->lock);
	r = tdm_irqchip_create(vm);
	mutex_unlock(&vm->lock);
	return r;
}

static long get_irqchip(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_irqchip *chip = memdup_user(arg, sizeof(*chip));
	long r;

	if (IS_ERR(chip))
		return PTR_ERR(chip);
	r = tdm_irqchip_get(vm, chip);
	if (!r && copy_to_user(arg, chip, sizeof(*chip)))
		r = -EFAULT;
	kfree(chip);
	return r;
}

static long set_irqchip(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_irqchip *chip = memdup_user(arg, sizeof(*chip));
	long r;

	if (IS_ERR(chip))
		return PTR_ERR(chip);
	r = tdm_irqchip_set(vm, chip);
	kfree(chip);
	return r;
}

static long irq_line(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_irq_level l;

	if (copy_from_user(&l, arg, sizeof(l)))
		return -EFAULT;
	if (vm->irqchip == TDM_IRQCHIP_NONE)
		return -ENXIO;
	tdm_irq_set(vm, TDM_IRQ_SRC_USER, l.irq, l.level);
	return 0;
}

static long irq_line_status(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_irq_level l;

	if (copy_from_user(&l, arg, sizeof(l)))
		return -EFAULT;
	if (vm->irqchip == TDM_IRQCHIP_NONE)
		return -ENXIO;
	l.status = tdm_irq_set(vm, TDM_IRQ_SRC_USER, l.irq, l.level);
	return copy_to_user(arg, &l, sizeof(l)) ? -EFAULT : 0;
}

static long create_pit(struct tdm_vm *vm, const struct kvm_pit_config *cfg)
{
	long r;

	mutex_lock(&vm->lock);
	r = tdm_pit_create(vm, cfg);
	mutex_unlock(&vm->lock);
	return r;
}

static long create_pit1(struct tdm_vm *vm, void __user *arg)
{
	const struct kvm_pit_config cfg = { .flags = KVM_PIT_SPEAKER_DUMMY };

	return create_pit(vm, &cfg);
}

static long create_pit2(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_pit_config cfg;

	if (copy_from_user(&cfg, arg, sizeof(cfg)))
		return -EFAULT;
	return create_pit(vm, &cfg);
}

/* struct kvm_pit_state is kvm_pit_state2 without the flags. */
static_assert(sizeof(struct kvm_pit_state) == offsetof(struct kvm_pit_state2, flags));

static long get_pit_state(struct tdm_vm *vm, void __user *arg, size_t size)
{
	struct kvm_pit_state2 ps;
	long r;

	mutex_lock(&vm->lock);
	r = tdm_pit_get(vm, &ps);
	mutex_unlock(&vm->lock);
	if (!r && copy_to_user(arg, &ps, size))
		r = -EFAULT;
	return r;
}

static long get_pit(struct tdm_vm *vm, void __user *arg)
{
	return get_pit_state(vm, arg, sizeof(struct kvm_pit_state));
}

static long get_pit2(struct tdm_vm *vm, void __user *arg)
{
	return get_pit_state(vm, arg, sizeof(struct kvm_pit_state2));
}

static long set_pit_state(struct tdm_vm *vm, void __user *arg, size_t size)
{
	struct kvm_pit_state2 ps = { };
	long r;

	if (copy_from_user(&ps, arg, size))
		return -EFAULT;
	mutex_lock(&vm->lock);
	r = tdm_pit_set(vm, &ps);
	mutex_unlock(&vm->lock);
	return r;
}

static long set_pit(struct tdm_vm *vm, void __user *arg)
{
	return set_pit_state(vm, arg, sizeof(struct kvm_pit_state));
}

static long set_pit2(struct tdm_vm *vm, void __user *arg)
{
	return set_pit_state(vm, arg, sizeof(struct kvm_pit_state2));
}

static long reinject_control(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_reinject_control rc;
	long r;

	if (copy_from_user(&rc, arg, sizeof(rc)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	r = tdm_pit_reinject(vm, &rc);
	mutex_unlock(&vm->lock);
	return r;
}

static long set_gsi_routing(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_irq_routing __user *urt = arg;
	struct kvm_irq_routing_entry *e = NULL;
	struct kvm_irq_routing hdr;
	long r;

	if (copy_from_user(&hdr, urt, sizeof(hdr)))
		return -EFAULT;
	if (hdr.nr > TDM_NR_GSIS || hdr.flags)
		return -EINVAL;
	if (hdr.nr) {
		e = vmemdup_user(urt->entries, array_size(sizeof(*e), hdr.nr));
		if (IS_ERR(e))
			return PTR_ERR(e);
	}
	mutex_lock(&vm->lock);
	r = tdm_irq_set_routing(vm, e, hdr.nr, hdr.flags);
	mutex_unlock(&vm->lock);
	kvfree(e);
	return r;
}

static long signal_msi(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_msi msi;

	if (copy_from_user(&msi, arg, sizeof(msi)))
		return -EFAULT;
	return tdm_irq_msi(vm, &msi);
}

static long irqfd(struct tdm_vm *vm, void __user *arg)
{
	struct kvm_irqfd args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	return tdm_irqfd_set(vm, &args);
}

static const struct {
	unsigned int cmd;
	long (*handler)(struct tdm_vm *vm, void __user *arg);
} irq_ioctls[] = {
	{ KVM_IRQ_LINE,			irq_line },
	{ KVM_IRQ_LINE_STATUS,		irq_line_status },
	{ KVM_SIGNAL_MSI,		signal_msi },
	{ KVM_IRQFD,			irqfd },
	{ KVM_SET_GSI_ROUTING,		set_gsi_routing },
	{ KVM_CREATE_IRQCHIP,		create_irqchip },
	{ KVM_GET_IRQCHIP,		get_irqchip },
	{ KVM_SET_IRQCHIP,		set_irqchip },
	{ KVM_CREATE_PIT,		create_pit1 },
	{ KVM_CREATE_PIT2,		create_pit2 },
	{ KVM_GET_PIT,			get_pit },
	{ KVM_SET_PIT,			set_pit },
	{ KVM_GET_PIT2,			get_pit2 },
	{ KVM_SET_PIT2,			set_pit2 },
	{ KVM_REINJECT_CONTROL,		reinject_control },
};

/**
 * tdm_vm_irq_ioctl() - a VM ioctl about interrupts
 * @vm: vm->lock not held
 * @cmd: the ioctl
 * @arg: its argument
 *
 * Return: as the ioctl; -ENOIOCTLCMD if it is not one of these.
 */
long tdm_vm_irq_ioctl(struct tdm_vm *vm, unsigned int cmd, void __user *arg)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(irq_ioctls); i++)
		if (irq_ioctls[i].cmd == cmd)
			return irq_ioctls[i].handler(vm, arg);
	return -ENOIOCTLCMD;
}
