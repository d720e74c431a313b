// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs: creation, the vCPU file descriptor, load and unload, kicks, flushes.
 *
 * Every vCPU ioctl holds vcpu->mutex and has the vCPU loaded, so that the
 * engine's part of the state can be reached; while loaded a preempt notifier
 * follows the thread from CPU to CPU.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "arch/x86/compat.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/fpu.h"
#include "arch/x86/msr.h"
#include "kmod/core.h"
#include "kmod/verify.h"
#include "kmod/devices/irq.h"
#include "kmod/event.h"
#include "kmod/ioevent.h"
#include "kmod/stats_fd.h"
#include "shadow_mmu/mmu.h"

static DEFINE_PER_CPU(cpumask_var_t, kick_mask);
static struct preempt_ops vcpu_preempt_ops;

/* ---- on and off the CPU ---- */

/* Preemption is off. */
static void vcpu_come_to(struct tdm_vcpu *vcpu, int cpu)
{
	vcpu->cpu = cpu;
	if (vcpu->last_cpu != cpu)
		tdm_timers_migrate(vcpu);
	vcpu->ops->load(vcpu, cpu);
}

static void vcpu_sched_in(struct preempt_notifier *pn, int cpu)
{
	struct tdm_vcpu *vcpu = container_of(pn, struct tdm_vcpu, preempt_notifier);

	vcpu_come_to(vcpu, cpu);
	if (vcpu->pv.steal_time)
		tdm_request(vcpu, TDM_REQ_STEAL);
}

static void vcpu_sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct tdm_vcpu *vcpu = container_of(pn, struct tdm_vcpu, preempt_notifier);

	vcpu->ops->unload(vcpu);
	vcpu->cpu = -1;
}

void tdm_vcpu_load(struct tdm_vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt_notifier);
	vcpu->loaded = true;
	vcpu_come_to(vcpu, cpu);
	put_cpu();
}

void tdm_vcpu_unload(struct tdm_vcpu *vcpu)
{
	preempt_disable();
	vcpu->ops->unload(vcpu);
	vcpu->cpu = -1;
	vcpu->loaded = false;
	preempt_notifier_unregister(&vcpu->preempt_notifier);
	preempt_enable();
}

/* ---- kicks and flushes ---- */

void tdm_vcpu_kick(struct tdm_vcpu *vcpu)
{
	int cpu, me;

	tdm_request(vcpu, TDM_REQ_EVENT);
	rcuwait_wake_up(&vcpu->wait);
	/*
	 * Pairs with the barrier between setting TDM_IN_GUEST and reading
	 * requests in run.c: either we see IN_GUEST and interrupt it, or it
	 * sees what we asked for. A vCPU in the guest on this very CPU has
	 * already been interrupted: we run.
	 */
	smp_mb();
	me = get_cpu();
	cpu = READ_ONCE(vcpu->cpu);
	if (cpu >= 0 && cpu != me && READ_ONCE(vcpu->mode) == TDM_IN_GUEST &&
	    cpu_online(cpu))
		smp_send_reschedule(cpu);
	put_cpu();
}

void tdm_vcpu_nmi(struct tdm_vcpu *vcpu)
{
	atomic_inc(&vcpu->nmi_queued);
	tdm_request(vcpu, TDM_REQ_NMI);
	tdm_vcpu_kick(vcpu);
}

static void ack_flush(void *unused)
{
}

void tdm_flush_vcpus(struct tdm_vm *vm)
{
	struct tdm_vcpu *vcpu;
	struct cpumask *mask;
	unsigned long i;
	int cpu, me;

	tdm_vm_stat(vm, remote_flushes);
	me = get_cpu();
	mask = this_cpu_cpumask_var_ptr(kick_mask);
	cpumask_clear(mask);
	tdm_for_each_vcpu(vm, i, vcpu) {
		tdm_request(vcpu, TDM_REQ_TLB_FLUSH);
		smp_mb__after_atomic();
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu >= 0 && cpu != me &&
		    READ_ONCE(vcpu->mode) == TDM_IN_GUEST)
			cpumask_set_cpu(cpu, mask);
	}
	/* The IPI itself makes the guest exit; its answer says it has. */
	if (!cpumask_empty(mask))
		smp_call_function_many(mask, ack_flush, NULL, true);
	put_cpu();
}

struct tdm_vcpu *tdm_vcpu_by_id(struct tdm_vm *vm, u32 id)
{
	struct tdm_vcpu *vcpu;
	unsigned long i;

	vcpu = xa_load(&vm->vcpus, id);
	if (vcpu && vcpu->id == id)
		return vcpu;
	tdm_for_each_vcpu(vm, i, vcpu)
		if (vcpu->id == id)
			return vcpu;
	return NULL;
}

/* ---- reset ---- */

#define RESET_CR0	0x60000010ull	/* CD, NW, ET; SDM vol. 3, 10.1.1 */

static const struct tdm_segment reset_seg[TDM_NR_SEGS] = {
	[TDM_SEG_CS]	= { .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .ar = 0x9b },
	[TDM_SEG_DS]	= { .limit = 0xffff, .ar = 0x93 },
	[TDM_SEG_ES]	= { .limit = 0xffff, .ar = 0x93 },
	[TDM_SEG_SS]	= { .limit = 0xffff, .ar = 0x93 },
	[TDM_SEG_FS]	= { .limit = 0xffff, .ar = 0x93 },
	[TDM_SEG_GS]	= { .limit = 0xffff, .ar = 0x93 },
	[TDM_SEG_LDTR]	= { .limit = 0xffff, .ar = 0x82 },
	[TDM_SEG_TR]	= { .limit = 0xffff, .ar = 0x8b },
};

/**
 * tdm_vcpu_reset() - power-up or INIT state (SDM vol. 3, table 10-1)
 * @vcpu: loaded vCPU
 * @init: INIT: MSRs, FPU data and CR0.CD/NW stay
 */
void tdm_vcpu_reset(struct tdm_vcpu *vcpu, bool init)
{
	struct tdm_state *st = &vcpu->st;
	u64 cr0 = RESET_CR0;

	if (init) {
		tdm_need(vcpu, TDM_ST_ALL);
		cr0 = (st->cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;
	}
	memset(vcpu->regs.gpr, 0, sizeof(vcpu->regs.gpr));
	/* RDX holds the processor's signature: family 6 unless CPUID says more. */
	vcpu->regs.gpr[TDM_RDX] = tdm_cpuid_signature(vcpu);
	vcpu->regs.rip = 0xfff0;
	vcpu->regs.rflags = X86_EFLAGS_FIXED;
	memcpy(st->seg, reset_seg, sizeof(st->seg));
	st->gdt = (struct tdm_table){ .limit = 0xffff };
	st->idt = (struct tdm_table){ .limit = 0xffff };
	st->cr0 = cr0;
	st->cr2 = 0;
	st->cr3 = 0;
	st->cr4 = 0;
	st->efer = 0;
	memset(st->dr, 0, sizeof(st->dr));
	st->dr6 = DR6_RESERVED;
	st->dr7 = TDM_DR7_RESET;
	vcpu->ev = (struct tdm_events){ .user_irq = -1 };
	atomic_set(&vcpu->nmi_queued, 0);
	tdm_msr_reset(vcpu, init);
	tdm_fpu_reset(vcpu, init);
	if (vcpu->lapic)
		tdm_lapic_reset(vcpu, init);
	vcpu->valid = TDM_ST_ALL;
	vcpu->dirty = TDM_ST_ALL;
	tdm_cpuid_refresh(vcpu);
	tdm_mmu_guest_flush(vcpu, TDM_FLUSH_ALL);
	tdm_request(vcpu, TDM_REQ_INTERCEPTS);
	tdm_request(vcpu, TDM_REQ_EVENT);
}

/* ---- the vCPU's file ---- */

static vm_fault_t run_fault(struct vm_fault *vmf)
{
	struct tdm_vcpu *vcpu = vmf->vma->vm_file->private_data;
	void *addr;

	switch (vmf->pgoff) {
	case 0:
		addr = vcpu->run;
		break;
	case 1:
		addr = vcpu->pio_data;
		break;
	case TDM_RING_PAGE:
		vmf->page = tdm_coalesced_page(vcpu->vm);
		get_page(vmf->page);
		return 0;
	default:
		return VM_FAULT_SIGBUS;
	}
	vmf->page = virt_to_page(addr);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct run_vm_ops = {
	.fault = run_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &run_vm_ops;
	return 0;
}

static long vcpu_set_signal_mask(struct tdm_vcpu *vcpu, void __user *arg)
{
	struct kvm_signal_mask __user *uarg = arg;
	struct kvm_signal_mask hdr;
	sigset_t sigset;

	if (!arg) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&hdr, uarg, sizeof(hdr)))
		return -EFAULT;
	if (hdr.len != sizeof(sigset))
		return -EINVAL;
	if (copy_from_user(&sigset, uarg->sigset, sizeof(sigset)))
		return -EFAULT;
	sigdelsetmask(&sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = sigset;
	vcpu->sigset_active = true;
	return 0;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	struct tdm_vcpu *vcpu = file->private_data;
	void __user *arg = (void __user *)uarg;
	long r;

	if (vcpu->vm->mm != current->mm || READ_ONCE(vcpu->vm->dead))
		return -EIO;
	/* Not ours at all: say so without waiting for a running vCPU. */
	if (_IOC_TYPE(cmd) != KVMIO)
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	switch (cmd) {
	case KVM_RUN:
		r = uarg ? -EINVAL : tdm_run(vcpu);
		break;
	case KVM_SET_SIGNAL_MASK:
		r = vcpu_set_signal_mask(vcpu, arg);
		break;
	case KVM_GET_STATS_FD:
		r = tdm_stats_vcpu_fd(vcpu);
		break;
	default:
		tdm_vcpu_load(vcpu);
		r = tdm_vcpu_state_ioctl(vcpu, cmd, arg);
		tdm_vcpu_unload(vcpu);
		if (r == -ENOIOCTLCMD)
			r = -EINVAL;
	}
	mutex_unlock(&vcpu->mutex);
	return r;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct tdm_vcpu *vcpu = file->private_data;

	tdm_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= vcpu_ioctl,
	.mmap		= vcpu_mmap,
	.release	= vcpu_release,
	.llseek		= noop_llseek,
};

/* ---- creation ---- */

static int vcpu_check_id(struct tdm_vm *vm, u32 id)
{
	struct tdm_vcpu *vcpu;
	unsigned long i;

	if (vm->created_vcpus >= TDM_MAX_VCPUS)
		return -EINVAL;
	if (vm->max_vcpu_ids && id >= vm->max_vcpu_ids)
		return -EINVAL;
	tdm_for_each_vcpu(vm, i, vcpu)
		if (vcpu->id == id)
			return -EEXIST;
	return 0;
}

static struct tdm_vcpu *vcpu_alloc(struct tdm_vm *vm, u32 id)
{
	struct tdm_vcpu *vcpu;

	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return NULL;
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vcpu->pio_data = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->run || !vcpu->pio_data) {
		free_page((unsigned long)vcpu->pio_data);
		free_page((unsigned long)vcpu->run);
		kfree(vcpu);
		return NULL;
	}
	vcpu->vm = vm;
	vcpu->ops = vm->ops;
	vcpu->id = id;
	vcpu->index = vm->created_vcpus;
	vcpu->cpu = -1;
	vcpu->last_cpu = -1;
	vcpu->tsc_khz = vm->default_tsc_khz;
	vcpu->ev.user_irq = -1;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt_notifier, &vcpu_preempt_ops);
	vcpu->mp_state = vm->irqchip == TDM_IRQCHIP_NONE || id == vm->bsp_vcpu_id ?
			 KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED;
	return vcpu;
}

static void vcpu_free_memory(struct tdm_vcpu *vcpu)
{
	tdm_cpuid_free(vcpu);
	free_page((unsigned long)vcpu->pio_data);
	free_page((unsigned long)vcpu->run);
	kfree(vcpu);
}

void tdm_vcpu_free(struct tdm_vcpu *vcpu)
{
	if (vcpu->lapic)
		tdm_lapic_destroy(vcpu);
	tdm_verify_free(vcpu);
	vcpu->ops->vcpu_destroy(vcpu);
	tdm_mmu_vcpu_destroy(vcpu);
	tdm_emul_destroy(vcpu);
	tdm_fpu_destroy(vcpu);
	vcpu_free_memory(vcpu);
}

static int vcpu_setup(struct tdm_vcpu *vcpu)
{
	int r;

	r = tdm_fpu_create(vcpu);
	if (r)
		return r;
	r = tdm_emul_create(vcpu);
	if (r)
		goto destroy_fpu;
	r = tdm_mmu_vcpu_init(vcpu);
	if (r)
		goto destroy_emul;
	r = vcpu->ops->vcpu_create(vcpu);
	if (r)
		goto destroy_mmu;
	if (vcpu->vm->irqchip != TDM_IRQCHIP_NONE) {
		r = tdm_lapic_create(vcpu);
		if (r)
			goto destroy_engine;
	}
	/* Nobody else knows it yet: no mutex, which goes outside vm->lock. */
	tdm_vcpu_load(vcpu);
	tdm_vcpu_reset(vcpu, false);
	tdm_vcpu_unload(vcpu);
	return 0;

destroy_engine:
	vcpu->ops->vcpu_destroy(vcpu);
destroy_mmu:
	tdm_mmu_vcpu_destroy(vcpu);
destroy_emul:
	tdm_emul_destroy(vcpu);
destroy_fpu:
	tdm_fpu_destroy(vcpu);
	return r;
}

static int vcpu_make_fd(struct tdm_vcpu *vcpu)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "tandem-vcpu:%u", vcpu->id);
	kref_get(&vcpu->vm->ref);
	fd = anon_inode_getfd(name, &vcpu_fops, vcpu, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		tdm_vm_put(vcpu->vm);	/* the caller's file holds one more */
	return fd;
}

/**
 * tdm_vcpu_create() - KVM_CREATE_VCPU
 * @vm: vm->lock held, engine acquired
 * @id: vcpu_id, the APIC ID
 *
 * Return: file descriptor; -EEXIST for a used id; -EINVAL beyond the limits;
 * -ENOMEM.
 */
int tdm_vcpu_create(struct tdm_vm *vm, u32 id)
{
	struct tdm_vcpu *vcpu;
	int r, fd;

	lockdep_assert_held(&vm->lock);
	r = vcpu_check_id(vm, id);
	if (r)
		return r;
	vcpu = vcpu_alloc(vm, id);
	if (!vcpu)
		return -ENOMEM;
	r = vcpu_setup(vcpu);
	if (r)
		goto free_memory;
	r = xa_insert(&vm->vcpus, vcpu->index, vcpu, GFP_KERNEL_ACCOUNT);
	if (r)
		goto free_vcpu;
	/*
	 * The descriptor is visible to other threads at once; they may run the
	 * vCPU before we count it, which only delays flushes: so count first.
	 */
	vm->created_vcpus++;
	atomic_inc(&vm->online_vcpus);
	tdm_lapic_map_changed(vm);
	fd = vcpu_make_fd(vcpu);
	if (fd < 0) {
		r = fd;
		goto erase;
	}
	tdm_debugfs_vcpu(vcpu);
	return fd;

erase:
	atomic_dec(&vm->online_vcpus);
	vm->created_vcpus--;
	xa_erase(&vm->vcpus, vcpu->index);
	tdm_lapic_map_changed(vm);
	synchronize_rcu();
free_vcpu:
	tdm_vcpu_free(vcpu);
	return r;
free_memory:
	vcpu_free_memory(vcpu);
	return r;
}

int tdm_vcpu_init(void)
{
	int cpu;

	vcpu_preempt_ops.sched_in = vcpu_sched_in;
	vcpu_preempt_ops.sched_out = vcpu_sched_out;
	for_each_possible_cpu(cpu) {
		if (!zalloc_cpumask_var_node(&per_cpu(kick_mask, cpu),
					     GFP_KERNEL, cpu_to_node(cpu))) {
			tdm_vcpu_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void tdm_vcpu_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_cpumask_var(per_cpu(kick_mask, cpu));
}
