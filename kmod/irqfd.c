// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IRQFD: an eventfd that is signalled raises a GSI, from whatever context
 * signals it.
 *
 * Plain: the GSI goes up and down, an edge. With a resample eventfd: the GSI
 * goes up and stays; when the guest ends the interrupt's service the GSI goes
 * down and the resample eventfd is signalled: whoever has the device looks at
 * it again and may raise the GSI anew.
 *
 * Life of an irqfd: on the list, and on the eventfd's wait queue; off the list
 * (by the ioctl, by the VM's end, or because the eventfd is closed, which is
 * told under the wait queue's lock); then a work takes it off the queue and
 * frees it. Being on the list decides who queues the work.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "arch/x86/compat.h"
#include "kmod/core.h"
#include "kmod/devices/irq.h"
#include "kmod/ioevent.h"

/* Ends irqfds: shared, so that a VM's end waits for its own by a flush. */
static struct workqueue_struct *shutdown_wq;

/**
 * struct tdm_irqfd - one
 * @vm: (c)
 * @gsi: (c)
 * @eventfd: (c) referenced
 * @resamplefd: (c) referenced; NULL: plain
 * @wait: on @eventfd's wait queue
 * @poll: puts it there
 * @list: vm->irqfds; irqfd_lock
 * @resample: vm->resample_irqfds; irqfd_lock to change, RCU to read
 * @shutdown: ends it
 */
struct tdm_irqfd {
	struct tdm_vm *vm;
	u32 gsi;
	struct eventfd_ctx *eventfd;
	struct eventfd_ctx *resamplefd;
	wait_queue_entry_t wait;
	poll_table poll;
	struct list_head list;
	struct list_head resample;
	struct work_struct shutdown;
};

/* ---- raising ---- */

/* Any context. */
static void raise_gsi(struct tdm_irqfd *irqfd)
{
	if (irqfd->resamplefd) {
		tdm_irq_set(irqfd->vm, TDM_IRQ_SRC_RESAMPLE, irqfd->gsi, 1);
		return;
	}
	tdm_irq_set(irqfd->vm, TDM_IRQ_SRC_IRQFD, irqfd->gsi, 1);
	tdm_irq_set(irqfd->vm, TDM_IRQ_SRC_IRQFD, irqfd->gsi, 0);
}

/* The VM's irqfd_lock is held. */
static void deactivate(struct tdm_irqfd *irqfd)
{
	list_del_init(&irqfd->list);
	queue_work(shutdown_wq, &irqfd->shutdown);
}

/* The eventfd was signalled or closed; its wait queue's lock is held, interrupts off. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct tdm_irqfd *irqfd = container_of(wait, struct tdm_irqfd, wait);
	__poll_t what = key_to_poll(key);
	struct tdm_vm *vm = irqfd->vm;
	int taken = 0;
	u64 count;

	if (what & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		raise_gsi(irqfd);
		taken = 1;
	}
	if (what & EPOLLHUP) {
		spin_lock(&vm->irqfd_lock);
		if (!list_empty(&irqfd->list))
			deactivate(irqfd);
		spin_unlock(&vm->irqfd_lock);
	}
	return taken;
}

static void irqfd_queue(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	struct tdm_irqfd *irqfd = container_of(poll, struct tdm_irqfd, poll);

	/* Before readers in user space: what raised an interrupt is not for them. */
	add_wait_queue_priority(head, &irqfd->wait);
}

/* ---- resampling ---- */

static bool gsi_is_resampled(struct tdm_vm *vm, u32 gsi)
{
	struct tdm_irqfd *irqfd;

	list_for_each_entry(irqfd, &vm->resample_irqfds, resample)
		if (irqfd->gsi == gsi)
			return true;
	return false;
}

/**
 * tdm_irqfd_ack() - the guest ended services
 * @vm: the VM
 * @ioapic: at the I/O APIC, not at the PICs
 * @pins: of these inputs (PICs: 0..15)
 *
 * Any context, no chip's lock held: who is told may raise the GSI again at once.
 * So all lines fall before the first is told.
 */
void tdm_irqfd_ack(struct tdm_vm *vm, bool ioapic, u32 pins)
{
	struct tdm_irqfd *irqfd;

	rcu_read_lock();
	list_for_each_entry_rcu(irqfd, &vm->resample_irqfds, resample)
		if (tdm_irq_gsi_reaches(vm, irqfd->gsi, ioapic, pins))
			tdm_irq_set(vm, TDM_IRQ_SRC_RESAMPLE, irqfd->gsi, 0);
	list_for_each_entry_rcu(irqfd, &vm->resample_irqfds, resample)
		if (tdm_irq_gsi_reaches(vm, irqfd->gsi, ioapic, pins))
			tdm_eventfd_signal(irqfd->resamplefd);
	rcu_read_unlock();
}

static void resample_add(struct tdm_irqfd *irqfd)
{
	struct tdm_vm *vm = irqfd->vm;

	list_add_rcu(&irqfd->resample, &vm->resample_irqfds);
	WRITE_ONCE(vm->resamplers, vm->resamplers + 1);
}

static void resample_del(struct tdm_irqfd *irqfd)
{
	struct tdm_vm *vm = irqfd->vm;
	bool last;

	spin_lock_irq(&vm->irqfd_lock);
	list_del_rcu(&irqfd->resample);
	WRITE_ONCE(vm->resamplers, vm->resamplers - 1);
	last = !gsi_is_resampled(vm, irqfd->gsi);
	spin_unlock_irq(&vm->irqfd_lock);
	synchronize_rcu();
	/* Nobody would lower it any more. */
	if (last)
		tdm_irq_set(vm, TDM_IRQ_SRC_RESAMPLE, irqfd->gsi, 0);
}

/* ---- life ---- */

static void irqfd_free(struct tdm_irqfd *irqfd)
{
	if (irqfd->resamplefd)
		eventfd_ctx_put(irqfd->resamplefd);
	eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
}

static void irqfd_shutdown(struct work_struct *work)
{
	struct tdm_irqfd *irqfd = container_of(work, struct tdm_irqfd, shutdown);
	u64 count;

	/* Nothing wakes it behind this. */
	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	if (irqfd->resamplefd)
		resample_del(irqfd);
	irqfd_free(irqfd);
}

static struct tdm_irqfd *irqfd_alloc(struct tdm_vm *vm, const struct kvm_irqfd *args,
				     struct file *file)
{
	struct tdm_irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	void *err;

	if (!irqfd)
		return ERR_PTR(-ENOMEM);
	irqfd->vm = vm;
	irqfd->gsi = args->gsi;
	INIT_LIST_HEAD(&irqfd->list);
	INIT_WORK(&irqfd->shutdown, irqfd_shutdown);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->poll, irqfd_queue);
	irqfd->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(irqfd->eventfd)) {
		err = irqfd->eventfd;
		kfree(irqfd);
		return err;
	}
	if (!(args->flags & KVM_IRQFD_FLAG_RESAMPLE))
		return irqfd;
	irqfd->resamplefd = eventfd_ctx_fdget(args->resamplefd);
	if (IS_ERR(irqfd->resamplefd)) {
		err = irqfd->resamplefd;
		irqfd->resamplefd = NULL;
		irqfd_free(irqfd);
		return err;
	}
	return irqfd;
}

/* An eventfd raises one GSI of a VM. */
static int publish(struct tdm_irqfd *irqfd)
{
	struct tdm_vm *vm = irqfd->vm;
	struct tdm_irqfd *other;
	int r = 0;

	spin_lock_irq(&vm->irqfd_lock);
	list_for_each_entry(other, &vm->irqfds, list) {
		if (other->eventfd == irqfd->eventfd) {
			r = -EBUSY;
			break;
		}
	}
	if (!r) {
		list_add_tail(&irqfd->list, &vm->irqfds);
		if (irqfd->resamplefd)
			resample_add(irqfd);
	}
	spin_unlock_irq(&vm->irqfd_lock);
	return r;
}

static int assign(struct tdm_vm *vm, const struct kvm_irqfd *args)
{
	bool resample = args->flags & KVM_IRQFD_FLAG_RESAMPLE;
	struct tdm_irqfd *irqfd;
	struct file *file;
	int r;

	/* The end of a service is seen here only by controllers in the kernel. */
	if (vm->irqchip == TDM_IRQCHIP_NONE ||
	    (resample && vm->irqchip != TDM_IRQCHIP_KERNEL))
		return -EINVAL;
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	irqfd = irqfd_alloc(vm, args, file);
	if (IS_ERR(irqfd)) {
		r = PTR_ERR(irqfd);
		goto put_file;
	}
	r = publish(irqfd);
	if (r) {
		irqfd_free(irqfd);
		goto put_file;
	}
	/*
	 * On the list before it is on the wait queue: a close cannot come in
	 * between, we hold the file. Signalled before it was watched?
	 */
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN)
		raise_gsi(irqfd);
put_file:
	fput(file);
	return r;
}

static int deassign(struct tdm_vm *vm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
	struct tdm_irqfd *irqfd, *next;

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	spin_lock_irq(&vm->irqfd_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, list)
		if (irqfd->eventfd == eventfd && irqfd->gsi == args->gsi)
			deactivate(irqfd);
	spin_unlock_irq(&vm->irqfd_lock);
	eventfd_ctx_put(eventfd);
	/* The caller may rely on it: no interrupt after this. */
	flush_workqueue(shutdown_wq);
	return 0;
}

/**
 * tdm_irqfd_set() - KVM_IRQFD
 * @vm: vm->irqfd_setup is taken here
 * @args: from the caller
 *
 * Return: 0; -EINVAL for flags, without a LAPIC in the kernel, to resample
 * without an I/O APIC there, or if a descriptor is no eventfd; -EBADF; -EBUSY if
 * the eventfd raises a GSI already; -ENOMEM. To take away what is not there is
 * no error.
 */
int tdm_irqfd_set(struct tdm_vm *vm, const struct kvm_irqfd *args)
{
	int r;

	if (args->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	/* One at a time: to end an irqfd that is not watched yet would free it too early. */
	mutex_lock(&vm->irqfd_setup);
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		r = deassign(vm, args);
	else
		r = assign(vm, args);
	mutex_unlock(&vm->irqfd_setup);
	return r;
}

/**
 * tdm_irqfd_release() - the VM's file is closed: end all irqfds
 * @vm: no ioctl runs any more; vCPUs may
 */
void tdm_irqfd_release(struct tdm_vm *vm)
{
	struct tdm_irqfd *irqfd, *next;

	spin_lock_irq(&vm->irqfd_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, list)
		deactivate(irqfd);
	spin_unlock_irq(&vm->irqfd_lock);
	flush_workqueue(shutdown_wq);
}

/** tdm_irqfd_init() - the module is loaded. Return: 0, -ENOMEM */
int tdm_irqfd_init(void)
{
	shutdown_wq = alloc_workqueue("tandem-irqfd", 0, 0);
	return shutdown_wq ? 0 : -ENOMEM;
}

void tdm_irqfd_exit(void)
{
	destroy_workqueue(shutdown_wq);
}
