// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU's state ioctls: one table, one dispatcher.
 *
 * The dispatcher moves the data: the ioctl's number says how much and which
 * way. A handler works on a kernel copy; ioctls of variable length (RAW) get
 * only the caller's pointer.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/dr.h"
#include "arch/x86/fpu.h"
#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/ioctl_state.h"
#include "kmod/pv.h"
#include "shadow_mmu/mmu.h"

/**
 * struct state_ioctl - one ioctl
 * @cmd: number
 * @raw: the handler moves the data itself
 * @fn: @data is a copy of the caller's struct (zeroed if only read), @arg the
 *	caller's pointer or value
 */
struct state_ioctl {
	unsigned int cmd;
	bool raw;
	long (*fn)(struct tdm_vcpu *vcpu, void *data, void __user *arg);
};

#define HANDLER(name) \
	static long name(struct tdm_vcpu *vcpu, void *data, void __user *arg)

/* ---- registers ---- */

HANDLER(get_regs)
{
	tdm_regs_get(vcpu, data);
	return 0;
}

HANDLER(set_regs)
{
	tdm_regs_set(vcpu, data);
	return 0;
}

HANDLER(get_sregs)
{
	tdm_sregs_get(vcpu, data);
	return 0;
}

HANDLER(set_sregs)
{
	return tdm_sregs_set(vcpu, data);
}

HANDLER(get_sregs2)
{
	tdm_sregs2_get(vcpu, data);
	return 0;
}

HANDLER(set_sregs2)
{
	return tdm_sregs2_set(vcpu, data);
}

HANDLER(get_debugregs)
{
	struct kvm_debugregs *d = data;
	int i;

	for (i = 0; i < 4; i++)
		d->db[i] = tdm_dr_read(vcpu, i);
	d->dr6 = tdm_dr_read(vcpu, 6);
	d->dr7 = tdm_dr_read(vcpu, 7);
	return 0;
}

HANDLER(set_debugregs)
{
	const struct kvm_debugregs *d = data;
	int i;

	if (d->flags || d->dr6 >> 32 || d->dr7 >> 32)
		return -EINVAL;
	for (i = 0; i < 4; i++)
		tdm_dr_write(vcpu, i, d->db[i]);
	tdm_dr_write(vcpu, 6, d->dr6);
	tdm_dr_write(vcpu, 7, d->dr7);
	return 0;
}

/* ---- FPU ---- */

HANDLER(get_fpu)
{
	return tdm_fpu_get(vcpu, data);
}

HANDLER(set_fpu)
{
	return tdm_fpu_set(vcpu, data);
}

HANDLER(get_xsave)
{
	return tdm_xsave_get(vcpu, data, sizeof(struct kvm_xsave));
}

HANDLER(get_xsave2)
{
	u32 size = tdm_xsave_area_size(vcpu);
	void *buf = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	long r;

	if (!buf)
		return -ENOMEM;
	r = tdm_xsave_get(vcpu, buf, size);
	if (!r && copy_to_user(arg, buf, size))
		r = -EFAULT;
	kvfree(buf);
	return r;
}

HANDLER(set_xsave)
{
	void *buf = vmemdup_user(arg, tdm_xsave_area_size(vcpu));
	long r;

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	r = tdm_xsave_set(vcpu, buf);
	kvfree(buf);
	return r;
}

HANDLER(get_xcrs)
{
	return tdm_xcrs_get(vcpu, data);
}

HANDLER(set_xcrs)
{
	return tdm_xcrs_set(vcpu, data);
}

/* ---- CPUID and MSRs ---- */

HANDLER(set_cpuid)
{
	struct kvm_cpuid __user *user = arg;

	return tdm_cpuid_set_v1(vcpu, data, user->entries);
}

HANDLER(set_cpuid2)
{
	struct kvm_cpuid2 __user *user = arg;

	return tdm_cpuid_set(vcpu, data, user->entries);
}

HANDLER(get_cpuid2)
{
	struct kvm_cpuid2 __user *user = arg;

	return tdm_cpuid_get(vcpu, data, user->entries);
}

HANDLER(get_msrs)
{
	return tdm_msr_io(vcpu, arg, false);
}

HANDLER(set_msrs)
{
	return tdm_msr_io(vcpu, arg, true);
}

HANDLER(set_tsc_khz)
{
	unsigned long khz = (unsigned long)arg;

	return khz > U32_MAX ? -EINVAL : tdm_tsc_set_khz(vcpu, khz);
}

HANDLER(get_tsc_khz)
{
	return vcpu->tsc_khz;
}

HANDLER(kvmclock_ctrl)
{
	return tdm_pv_stopped(vcpu);
}

HANDLER(enable_cap)
{
	const struct kvm_enable_cap *cap = data;

	/* Paravirtual MSRs are there only if CPUID says so: it always holds. */
	return cap->flags || cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID ? -EINVAL : 0;
}

/* No help for guests that write the TPR: there is only nothing to set up. */
HANDLER(set_vapic_addr)
{
	const struct kvm_vapic_addr *va = data;

	return vcpu->lapic && !va->vapic_addr ? 0 : -EINVAL;
}

HANDLER(setup_mce)
{
	return tdm_mce_setup(vcpu, *(u64 *)data);
}

HANDLER(set_mce)
{
	return tdm_mce_inject(vcpu, data);
}

/* ---- events, interrupts ---- */

HANDLER(get_events)
{
	tdm_events_get(vcpu, data);
	return 0;
}

HANDLER(set_events)
{
	return tdm_events_set(vcpu, data);
}

HANDLER(get_mp_state)
{
	struct kvm_mp_state *s = data;

	s->mp_state = vcpu->mp_state;
	return 0;
}

HANDLER(set_mp_state)
{
	const struct kvm_mp_state *s = data;

	return tdm_mp_state_set(vcpu, s->mp_state);
}

HANDLER(get_lapic)
{
	return vcpu->lapic ? tdm_lapic_get(vcpu, data) : -EINVAL;
}

HANDLER(set_lapic)
{
	return vcpu->lapic ? tdm_lapic_set(vcpu, data) : -EINVAL;
}

HANDLER(interrupt)
{
	const struct kvm_interrupt *irq = data;

	return tdm_user_interrupt(vcpu, irq->irq);
}

HANDLER(nmi)
{
	tdm_vcpu_nmi(vcpu);
	return 0;
}

/* ---- debugging ---- */

HANDLER(set_guest_debug)
{
	return tdm_guest_debug_set(vcpu, data);
}

/* As a read by the guest's kernel would go, leaving no trace in its tables. */
HANDLER(translate)
{
	struct kvm_translation *t = data;
	struct tdm_page_fault pf;
	u64 gpa;
	int r;

	r = tdm_gva_to_gpa(vcpu, t->linear_address,
			   TDM_ACCESS_READ | TDM_WALK_NO_AD | TDM_WALK_IMPLICIT,
			   &gpa, &pf);
	if (r && r != -EFAULT)
		return r;
	t->valid = !r;
	t->physical_address = r ? ~0ull : gpa;
	t->writeable = 1;
	t->usermode = 0;
	return 0;
}

/* ---- attributes: the TSC offset, for migration ---- */

static long check_attr(const struct kvm_device_attr *attr)
{
	if (attr->flags || attr->group != KVM_VCPU_TSC_CTRL ||
	    attr->attr != KVM_VCPU_TSC_OFFSET)
		return -ENXIO;
	return 0;
}

HANDLER(has_attr)
{
	return check_attr(data);
}

HANDLER(get_attr)
{
	const struct kvm_device_attr *attr = data;
	long r = check_attr(attr);

	if (r)
		return r;
	return put_user(vcpu->st.tsc_offset, (u64 __user *)u64_to_user_ptr(attr->addr));
}

HANDLER(set_attr)
{
	const struct kvm_device_attr *attr = data;
	u64 offset;
	long r = check_attr(attr);

	if (r)
		return r;
	if (get_user(offset, (u64 __user *)u64_to_user_ptr(attr->addr)))
		return -EFAULT;
	tdm_tsc_set_offset(vcpu, offset);
	return 0;
}

/*
 * Not here, and so -EINVAL: KVM_SMI (no SMM), KVM_TPR_ACCESS_REPORTING (no
 * patching of guests), KVM_GET/SET_NESTED_STATE (no nesting),
 * KVM_GET_SUPPORTED_HV_CPUID (no Hyper-V interface), KVM_XEN_*.
 */
static const struct state_ioctl ioctls[] = {
	{ KVM_GET_REGS,			.fn = get_regs },
	{ KVM_SET_REGS,			.fn = set_regs },
	{ KVM_GET_SREGS,		.fn = get_sregs },
	{ KVM_SET_SREGS,		.fn = set_sregs },
	{ KVM_GET_SREGS2,		.fn = get_sregs2 },
	{ KVM_SET_SREGS2,		.fn = set_sregs2 },
	{ KVM_GET_MSRS,			.fn = get_msrs, .raw = true },
	{ KVM_SET_MSRS,			.fn = set_msrs, .raw = true },
	{ KVM_GET_VCPU_EVENTS,		.fn = get_events },
	{ KVM_SET_VCPU_EVENTS,		.fn = set_events },
	{ KVM_GET_MP_STATE,		.fn = get_mp_state },
	{ KVM_SET_MP_STATE,		.fn = set_mp_state },
	{ KVM_INTERRUPT,		.fn = interrupt },
	{ KVM_NMI,			.fn = nmi },
	{ KVM_GET_LAPIC,		.fn = get_lapic },
	{ KVM_SET_LAPIC,		.fn = set_lapic },
	{ KVM_GET_FPU,			.fn = get_fpu },
	{ KVM_SET_FPU,			.fn = set_fpu },
	{ KVM_GET_XSAVE,		.fn = get_xsave },
	{ KVM_GET_XSAVE2,		.fn = get_xsave2, .raw = true },
	{ KVM_SET_XSAVE,		.fn = set_xsave, .raw = true },
	{ KVM_GET_XCRS,			.fn = get_xcrs },
	{ KVM_SET_XCRS,			.fn = set_xcrs },
	{ KVM_GET_DEBUGREGS,		.fn = get_debugregs },
	{ KVM_SET_DEBUGREGS,		.fn = set_debugregs },
	{ KVM_SET_GUEST_DEBUG,		.fn = set_guest_debug },
	{ KVM_TRANSLATE,		.fn = translate },
	{ KVM_SET_CPUID,		.fn = set_cpuid },
	{ KVM_SET_CPUID2,		.fn = set_cpuid2 },
	{ KVM_GET_CPUID2,		.fn = get_cpuid2 },
	{ KVM_SET_TSC_KHZ,		.fn = set_tsc_khz },
	{ KVM_GET_TSC_KHZ,		.fn = get_tsc_khz },
	{ KVM_KVMCLOCK_CTRL,		.fn = kvmclock_ctrl },
	{ KVM_ENABLE_CAP,		.fn = enable_cap },
	{ KVM_SET_VAPIC_ADDR,		.fn = set_vapic_addr },
	{ KVM_X86_SETUP_MCE,		.fn = setup_mce },
	{ KVM_X86_SET_MCE,		.fn = set_mce },
	{ KVM_HAS_DEVICE_ATTR,		.fn = has_attr },
	{ KVM_GET_DEVICE_ATTR,		.fn = get_attr },
	{ KVM_SET_DEVICE_ATTR,		.fn = set_attr },
};

static const struct state_ioctl *find(unsigned int cmd)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (ioctls[i].cmd == cmd)
			return &ioctls[i];
	return NULL;
}

/**
 * tdm_vcpu_state_ioctl() - ioctls that read or write a vCPU's state
 * @vcpu: loaded, vcpu->mutex held, FPU not loaded
 * @cmd: ioctl number
 * @arg: the caller's pointer or value
 *
 * Return: the ioctl's result; -ENOIOCTLCMD if it is none of these; -EFAULT,
 * -ENOMEM.
 */
long tdm_vcpu_state_ioctl(struct tdm_vcpu *vcpu, unsigned int cmd, void __user *arg)
{
	const struct state_ioctl *io = find(cmd);
	size_t size = _IOC_SIZE(cmd);
	void *data;
	long r;

	if (!io)
		return -ENOIOCTLCMD;
	if (io->raw || !size)
		return io->fn(vcpu, NULL, arg);
	data = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	r = -EFAULT;
	if ((_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(data, arg, size))
		goto free_data;
	r = io->fn(vcpu, data, arg);
	if (r >= 0 && (_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(arg, data, size))
		r = -EFAULT;
free_data:
	kfree(data);
	return r;
}
