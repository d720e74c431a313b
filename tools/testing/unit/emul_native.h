/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs one instruction on the real processor, with chosen registers and
 * memory, and catches whatever it does: the reference of the emulator's tests.
 */
#ifndef EMUL_NATIVE_H
#define EMUL_NATIVE_H

#include <stdbool.h>

#include "arch/x86/emul/port.h"
#include "arch/x86/state.h"

#define NATIVE_CODE	0x10000000ul	/* two pages, then nothing */
#define NATIVE_CODE_LEN	0x2000u
#define NATIVE_DATA	0x20000000ul	/* two pages with nothing around */
#define NATIVE_DATA_LEN	0x2000u

/* native_ldt(): @bits */
#define NATIVE_LDT_32	1u	/* default size 32 */
#define NATIVE_LDT_RO	2u	/* read-only data, execute-only code */
#define NATIVE_LDT_NP	4u	/* not present */
#define NATIVE_LDT_PAGES 8u	/* limit in pages */

/* Code segments to run in. */
enum native_mode { NATIVE_64, NATIVE_32, NATIVE_16, NATIVE_MODES };

/**
 * struct native_state - what goes in and comes out
 * @regs: general registers; in 16-bit mode RIP is an offset from NATIVE_CODE
 * @vec: vector registers, 32 bytes each
 * @trapno: exception vector; 1: the instruction completed
 * @error: error code of a fault
 * @cr2: address of a page fault
 * @sel: out: segment selectors by enum tdm_seg, but for FS
 */
struct native_state {
	struct tdm_regs regs;
	u8 vec[16][32];
	unsigned int trapno;
	u64 error;
	u64 cr2;
	u16 sel[6];
};

int native_init(void);
bool native_has(enum native_mode mode);
bool native_avx(void);
void native_step(enum native_mode mode, struct native_state *s);
u64 native_ldt(unsigned int n, unsigned long base, unsigned int limit,
	       unsigned int contents, unsigned int bits);
u16 native_cs(enum native_mode mode);
u16 native_ds(enum native_mode mode);
u16 native_ss(enum native_mode mode);

#endif /* EMUL_NATIVE_H */
