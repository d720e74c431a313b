/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A monitor slot in this process: code is single-stepped through signals, and a
 * callback sees the processor before each instruction and after each fault.
 *
 * Two uses: guest code at its own address (the reference), and fragments of the
 * translator in the slot. CPL 3 differs little from CPL 1 for both: POPF changes
 * neither IF nor IOPL, INT without a gate faults.
 */
#ifndef BT_SANDBOX_H
#define BT_SANDBOX_H

#include <stdbool.h>

#include "arch/x86/emul/port.h"
#include "arch/x86/state.h"
#include "bt/tu.h"

#define SAND_BASE	0x700000000000ul	/* of the slot */
#define SAND_TC_LEN	0x10000u
#define SAND_STATE	((struct tdm_bt_state *)(SAND_BASE + TDM_BT_STATE))
#define SAND_TC		(SAND_BASE + TDM_BT_TC)

#define SAND_TF		0x100u
#define SAND_TRAP_DB	1u

/**
 * struct sand_cpu - the processor
 * @regs: general registers, RIP, flags (without TF)
 * @trapno: SAND_TRAP_DB: nothing happened; else the exception that hit
 * @error: its error code
 * @cr2: its address
 */
struct sand_cpu {
	struct tdm_regs regs;
	unsigned int trapno;
	u64 error;
	u64 cr2;
};

/* Look at @cpu, change it; true: execute one instruction; false: leave. */
typedef bool (*sand_step_fn)(struct sand_cpu *cpu, void *arg);

int sand_init(void);
void sand_run(struct sand_cpu *cpu, sand_step_fn step, void *arg);
void sand_window(bool armed);
bool sand_fsgsbase(void);
u64 sand_gs(void);
void sand_set_gs(u64 base);

#endif /* BT_SANDBOX_H */
