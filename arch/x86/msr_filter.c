// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_X86_SET_MSR_FILTER: which MSRs a guest may access at all.
 *
 * A filter is a handful of ranges with a bitmap each, and a default for what
 * is in none. It is replaced as a whole and read under RCU, also by exits
 * handled with interrupts off.
 */
#include <linux/bitmap.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "arch/x86/msr.h"
#include "kmod/core.h"

#define FILTER_FLAGS	KVM_MSR_FILTER_DEFAULT_DENY
#define RANGE_FLAGS	(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)

/* x2APIC registers are the interrupt controller's, not to be filtered (as KVM). */
#define X2APIC_FIRST	0x800
#define X2APIC_LAST	0x8ff

/**
 * struct tdm_msr_filter - a VM's filter; const once published
 * @default_allow: what is in no range is allowed
 * @count: ranges
 * @range: base MSR, number, KVM_MSR_FILTER_READ/WRITE, bits set = allowed
 */
struct tdm_msr_filter {
	bool default_allow;
	u8 count;
	struct {
		u32 base;
		u32 nmsrs;
		u32 flags;
		unsigned long *bitmap;
	} range[KVM_MSR_FILTER_MAX_RANGES];
};

static void filter_free(struct tdm_msr_filter *f)
{
	int i;

	if (!f)
		return;
	for (i = 0; i < f->count; i++)
		kfree(f->range[i].bitmap);
	kfree(f);
}

static int filter_add(struct tdm_msr_filter *f, const struct kvm_msr_filter_range *r)
{
	unsigned long *bitmap;
	size_t size;

	if (!r->nmsrs)
		return 0;
	if (r->flags & ~RANGE_FLAGS || !r->flags)
		return -EINVAL;
	size = BITS_TO_LONGS((u64)r->nmsrs) * sizeof(long);
	if (size > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	bitmap = memdup_user((__u8 __user *)r->bitmap, size);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	f->range[f->count].base = r->base;
	f->range[f->count].nmsrs = r->nmsrs;
	f->range[f->count].flags = r->flags;
	f->range[f->count].bitmap = bitmap;
	f->count++;
	return 0;
}

static struct tdm_msr_filter *filter_make(const struct kvm_msr_filter *user)
{
	struct tdm_msr_filter *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	int i, r;

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->default_allow = !(user->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < ARRAY_SIZE(user->ranges); i++) {
		r = filter_add(f, &user->ranges[i]);
		if (r) {
			filter_free(f);
			return ERR_PTR(r);
		}
	}
	/* "Deny all" would be a guest that cannot run. */
	if (!f->count && !f->default_allow) {
		filter_free(f);
		return ERR_PTR(-EINVAL);
	}
	return f;
}

/**
 * tdm_msr_set_filter() - KVM_X86_SET_MSR_FILTER
 * @vm: the VM; vm->lock not held
 * @arg: the caller's filter, which replaces the one there is
 *
 * Return: 0; -EINVAL for unknown flags, a bitmap of more than 12288 MSRs, or a
 * filter that denies everything; -EFAULT; -ENOMEM.
 */
int tdm_msr_set_filter(struct tdm_vm *vm, struct kvm_msr_filter __user *arg)
{
	struct tdm_msr_filter *f, *old;
	struct kvm_msr_filter user;
	struct tdm_vcpu *vcpu;
	unsigned long i;

	if (copy_from_user(&user, arg, sizeof(user)))
		return -EFAULT;
	if (user.flags & ~FILTER_FLAGS)
		return -EINVAL;
	f = filter_make(&user);
	if (IS_ERR(f))
		return PTR_ERR(f);
	mutex_lock(&vm->lock);
	old = rcu_replace_pointer(vm->msr_filter, f, lockdep_is_held(&vm->lock));
	/* Engines cache in their MSR bitmaps what needs no exit. */
	tdm_for_each_vcpu(vm, i, vcpu) {
		tdm_request(vcpu, TDM_REQ_INTERCEPTS);
		tdm_vcpu_kick(vcpu);
	}
	mutex_unlock(&vm->lock);
	synchronize_rcu();
	filter_free(old);
	return 0;
}

/** tdm_msr_filter_free() - at the end of a VM: nobody reads any more */
void tdm_msr_filter_free(struct tdm_vm *vm)
{
	filter_free(rcu_dereference_protected(vm->msr_filter, true));
	RCU_INIT_POINTER(vm->msr_filter, NULL);
}

static bool filter_allows(const struct tdm_msr_filter *f, u32 msr, u32 access)
{
	int i;

	for (i = 0; i < f->count; i++) {
		if (!(f->range[i].flags & access) || msr < f->range[i].base ||
		    msr - f->range[i].base >= f->range[i].nmsrs)
			continue;
		return test_bit(msr - f->range[i].base, f->range[i].bitmap);
	}
	return f->default_allow;
}

/**
 * tdm_msr_filtered() - does the VM's filter forbid this access?
 * @vcpu: the vCPU; any context
 * @msr: index
 * @write: WRMSR, else RDMSR
 */
bool tdm_msr_filtered(struct tdm_vcpu *vcpu, u32 msr, bool write)
{
	const struct tdm_msr_filter *f;
	bool allowed = true;

	if (likely(!rcu_access_pointer(vcpu->vm->msr_filter)))
		return false;
	if (msr >= X2APIC_FIRST && msr <= X2APIC_LAST)
		return false;
	rcu_read_lock();
	f = rcu_dereference(vcpu->vm->msr_filter);
	if (f)
		allowed = filter_allows(f, msr, write ? KVM_MSR_FILTER_WRITE :
							KVM_MSR_FILTER_READ);
	rcu_read_unlock();
	return !allowed;
}
