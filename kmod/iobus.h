/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O bus: which in-kernel device answers a port or MMIO address.
 *
 * Handlers run in the vCPU's context, perhaps with interrupts off (fast exits):
 * they must not sleep, and lock with raw/irqsave locks of their own.
 * The table is RCU: readers never lock, changes replace it whole.
 */
#ifndef TDM_IOBUS_H
#define TDM_IOBUS_H

#include "arch/x86/vcpu.h"

struct tdm_io_handler;

/**
 * struct tdm_io_ops - a device's accesses
 * @read, @write: @addr absolute, @len 1..8. 0 done, -EOPNOTSUPP not mine
 *	(goes on to the caller as KVM_EXIT_IO/MMIO)
 * @release: the handler is out of the table and no reader is left
 */
struct tdm_io_ops {
	int (*read)(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr, int len, void *data);
	int (*write)(struct tdm_vcpu *vcpu, struct tdm_io_handler *h, u64 addr, int len, const void *data);
	void (*release)(struct tdm_io_handler *h);
};

struct tdm_io_handler {
	const struct tdm_io_ops *ops;
	u64 addr;
	u64 len;
};

int tdm_iobus_init(struct tdm_vm *vm);
void tdm_iobus_destroy(struct tdm_vm *vm);	/* calls release of what is left */
int tdm_iobus_add(struct tdm_vm *vm, enum tdm_bus bus, struct tdm_io_handler *h);	/* vm->lock held; -EEXIST on overlap */
void tdm_iobus_del(struct tdm_vm *vm, enum tdm_bus bus, struct tdm_io_handler *h);	/* vm->lock held; waits for readers, then release */
int tdm_iobus_read(struct tdm_vcpu *vcpu, enum tdm_bus bus, u64 addr, int len, void *data);	/* 0 or -EOPNOTSUPP; the LAPIC page of *this* vCPU is asked first on the MMIO bus */
int tdm_iobus_write(struct tdm_vcpu *vcpu, enum tdm_bus bus, u64 addr, int len, const void *data);

int tdm_pio_read_irqoff(struct tdm_vcpu *vcpu, u16 port, int len, void *data);
int tdm_pio_write_irqoff(struct tdm_vcpu *vcpu, u16 port, int len, const void *data);

#endif /* TDM_IOBUS_H */
