/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test builds only: what tools/testing/bt-world asks of bt/payload_test.c.
 *
 * <debugfs>/tandem-bt-test: ioctl(TDM_BT_TEST_RUN) runs raw machine code at CPL 1
 * or 3 in a throw-away address space with the monitor slot of a throw-away vCPU.
 */
#ifndef TDM_BT_PAYLOAD_TEST_H
#define TDM_BT_PAYLOAD_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The address space: two pages of code, supervisor's and user's alias of it. */
#define PT_CODE		0x00400000ull	/* supervisor, r-x, 2 pages */
#define PT_UCODE	0x00500000ull	/* user, r-x, the same pages */
#define PT_SDATA	0x00600000ull	/* supervisor, rw-, 4 pages, zeroed by each run */
#define PT_UDATA	0x00610000ull	/* user, rw-, 4 pages, zeroed by each run */
#define PT_SSTACK	0x00700000ull	/* top of a page */
#define PT_USTACK	0x00710000ull	/* top of a page */
#define PT_NOMAP	0x00900000ull	/* not present */

#define PT_CODE_SIZE	8192

enum { PT_CPL1, PT_CPL3, PT_COMPAT3 };

#define PT_FULL		1	/* a full exit after each run */
#define PT_NMI_SELF	2	/* an NMI to this CPU in monitor state before each run */
#define PT_NMI_OTHERS	4	/* NMIs to this CPU from others all the time */
#define PT_FAULTS	8	/* host code in monitor state takes exceptions before each run */
#define PT_NO_SMAP	16
#define PT_TSC		32	/* measure: see struct pt_run.ticks */

/**
 * struct pt_run - one run
 * @gpr, @rip, @rflags: in and out; gpr[RSP]: 0 in = the stack's top
 * @mode: in, PT_CPL1...
 * @flags: in
 * @repeat: in: go on after this many callouts (TDM_BT_VEC_CALLOUT), behind them
 * @ms: in: end after so much time
 * @cr4_set, @cr4_clear: in: change the guest's CR4
 * @dr: in: DR0-3, DR7
 * @sel: in and out: ES, CS, SS, DS, FS, GS; 0 in CS and SS: the default ones
 * @base: in: FS, GS base; out
 * @vector, @error, @cr2: out; @vector 0xffff: time is up
 * @callouts, @host_events: out
 * @nmis: out: NMIs the host's handler saw meanwhile
 * @ticks: out: TSC ticks of one light exit in the middle, in counting mode
 */
struct pt_run {
	__u64 gpr[16];
	__u64 rip, rflags;
	__u32 mode, flags;
	__u32 repeat, ms;
	__u64 cr4_set, cr4_clear;
	__u64 dr[5];
	__u16 sel[6];
	__u16 pad[2];
	__u64 base[2];
	__u64 vector, error, cr2;
	__u64 callouts, host_events, nmis, ticks;
	__u64 data[4];		/* out: first words of SDATA and UDATA */
	__u8 code[PT_CODE_SIZE];
};

/**
 * struct pt_info - about the host
 * @slot: address of the monitor slot
 * @text: bytes of code in TEXT
 * @cr4: the host's
 * @addr: host addresses that code and data of all kinds is at; 0: none
 * @has_umip: the CPU has it
 */
struct pt_info {
	__u64 slot, text, cr4;
	__u64 addr[24];
	__u64 has_umip;
};

#ifdef __KERNEL__
#ifdef TDM_BT_TEST
void tdm_bt_test_init(void);
void tdm_bt_test_exit(void);
#else
static inline void tdm_bt_test_init(void) { }
static inline void tdm_bt_test_exit(void) { }
#endif
#endif

#define TDM_BT_TEST_RUN		_IOWR('T', 0xf0, struct pt_run)
#define TDM_BT_TEST_INFO	_IOR('T', 0xf1, struct pt_info)

#endif /* TDM_BT_PAYLOAD_TEST_H */
