// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's set of interrupt controllers: made and ended together, and their
 * state for KVM_GET_IRQCHIP and KVM_SET_IRQCHIP.
 */
#include <linux/slab.h>

#include "arch/x86/compat.h"	/* pulls in others' tracepoints: before the next line */
#include "kmod/devices/chips.h"
#include "kmod/devices/lapic.h"

#define CREATE_TRACE_POINTS
#include "kmod/devices/trace.h"

static int may_create(struct tdm_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	if (vm->irqchip != TDM_IRQCHIP_NONE)
		return -EEXIST;
	/* vCPUs made before would have no LAPIC. */
	return vm->created_vcpus ? -EINVAL : 0;
}

/**
 * tdm_irqchip_create() - KVM_CREATE_IRQCHIP: PIC, IOAPIC, LAPICs, KVM's default routes
 * @vm: vm->lock held
 *
 * Return: 0; -EEXIST if there is one; -EINVAL once there are vCPUs; -ENOMEM.
 */
int tdm_irqchip_create(struct tdm_vm *vm)
{
	int r = may_create(vm);

	if (r)
		return r;
	r = tdm_apic_map_create(vm);
	if (r)
		return r;
	r = tdm_pic_create(vm);
	if (r)
		goto destroy_map;
	r = tdm_ioapic_create(vm);
	if (r)
		goto destroy_pic;
	r = tdm_irq_default_routing(vm);
	if (r)
		goto destroy_ioapic;
	vm->irqchip = TDM_IRQCHIP_KERNEL;
	return 0;

destroy_ioapic:
	tdm_ioapic_destroy(vm);
destroy_pic:
	tdm_pic_destroy(vm);
destroy_map:
	tdm_apic_map_destroy(vm);
	return r;
}

/**
 * tdm_irqchip_create_split() - KVM_CAP_SPLIT_IRQCHIP: LAPICs only
 * @vm: vm->lock held
 * @nr_ioapic_pins: GSIs below this are the caller's IOAPIC's; not needed, as
 *	each EOI of a level interrupt goes to the caller
 *
 * Return: as tdm_irqchip_create().
 */
int tdm_irqchip_create_split(struct tdm_vm *vm, u32 nr_ioapic_pins)
{
	int r = may_create(vm);

	if (r)
		return r;
	r = tdm_apic_map_create(vm);
	if (r)
		return r;
	vm->irqchip = TDM_IRQCHIP_SPLIT;
	r = tdm_irq_set_routing(vm, NULL, 0, 0);
	if (r) {
		vm->irqchip = TDM_IRQCHIP_NONE;
		tdm_apic_map_destroy(vm);
	}
	return r;
}

/**
 * tdm_irqchip_destroy() - the VM is ending
 * @vm: no ioctl and no vCPU runs, no PIT is left; vCPUs still exist
 */
void tdm_irqchip_destroy(struct tdm_vm *vm)
{
	tdm_ioapic_destroy(vm);
	tdm_pic_destroy(vm);
	tdm_irq_routing_free(vm);
	tdm_apic_map_destroy(vm);
}

/**
 * tdm_irqchip_get() - KVM_GET_IRQCHIP
 * @vm: the VM
 * @chip: in: which; out: its state
 *
 * Return: 0; -ENXIO without PIC and IOAPIC; -EINVAL for another chip.
 */
int tdm_irqchip_get(struct tdm_vm *vm, struct kvm_irqchip *chip)
{
	if (vm->irqchip != TDM_IRQCHIP_KERNEL)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		tdm_pic_get(vm->pic, chip->chip_id == KVM_IRQCHIP_PIC_SLAVE,
			    &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		tdm_ioapic_get(vm->ioapic, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/** tdm_irqchip_set() - KVM_SET_IRQCHIP, as tdm_irqchip_get() */
int tdm_irqchip_set(struct tdm_vm *vm, const struct kvm_irqchip *chip)
{
	if (vm->irqchip != TDM_IRQCHIP_KERNEL)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		tdm_pic_set(vm->pic, chip->chip_id == KVM_IRQCHIP_PIC_SLAVE,
			    &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		tdm_ioapic_set(vm->ioapic, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}
