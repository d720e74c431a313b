/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device model may ask of the machine it sits in.
 *
 * Device models know nothing of KVM, threads or files: they see this table and
 * their registers. That is what lets the unit tests drive them alone. All entry
 * points of a device are called with the bus lock held (bus.h).
 */
#ifndef TANDEM_DEVICE_H
#define TANDEM_DEVICE_H

#include <stdint.h>

/* How a guest's run ended. The order is that of the texts in end.c. */
enum tdm_end {
	TDM_END_NONE,
	TDM_END_POWEROFF, /* ACPI S5 */
	TDM_END_RESET,	  /* a reset register or the keyboard controller */
	TDM_END_EXITPORT, /* port 0xf4; the value written goes along */
	TDM_END_TRIPLE,	  /* triple fault */
	TDM_END_HALTED,	  /* HLT with nothing that could wake the vCPU */
	TDM_END_INTERNAL, /* the device could not go on, or an exit nobody knows
			   */
	TDM_END_TIMEOUT,  /* --timeout */
	TDM_END_USER,	  /* Ctrl-A x */
	TDM_END_SIGNAL,	  /* SIGINT, SIGTERM...; the signal goes along */
	TDM_END_CONSOLE,  /* standard output cannot be written any more */
	TDM_END_HOST,	  /* an ioctl failed while the guest ran */
	TDM_END_MAX
};

#define TDM_NEVER UINT64_MAX

struct tdm_devhost {
	void *ctx;
	void (*set_irq)(void *ctx, unsigned int gsi, int level);
	void (*end)(void *ctx, enum tdm_end why, int value);
	void (*wake)(void *ctx); /* a deadline moved: ask the devices again */
	void (*put_console)(void *ctx, uint8_t byte);
	void (*marker)(void *ctx, uint8_t id);
	uint64_t (*mono_ns)(void *ctx); /* monotonic nanoseconds */
	int64_t (*wall_ns)(void *ctx);	/* nanoseconds since 1970, UTC */
};

#endif
