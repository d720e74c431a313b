/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 8254 interval timer: three counters as pure functions of time.
 *
 * Nothing counts: a counter's value and output are computed from the tick at
 * which it was loaded. No locks, no clock, no timers: the caller serialises and
 * says what time it is, in ticks of 1.193182 MHz. Builds in the kernel and in
 * userspace tests. Source: the 82C54 data sheet.
 */
#ifndef TDM_PIT_CORE_H
#define TDM_PIT_CORE_H

#include "arch/x86/emul/port.h"

#define TDM_PIT_HZ		1193182u
#define TDM_PIT_CHANNELS	3
#define TDM_PIT_NEVER		(~0ull)

/* struct kvm_pit_channel_state's rw_mode, read_state, write_state */
enum tdm_pit_rw { TDM_PIT_LATCH, TDM_PIT_LSB, TDM_PIT_MSB, TDM_PIT_WORD };

/**
 * struct tdm_pit_chan - one counter
 * @start: tick at which @reload began to count (paused: ticks already counted)
 * @reload: what is counted down, 1..65536 (BCD: 1..10000)
 * @next_reload: written during a period of mode 2 or 3, effective at its end;
 *		 0 = none
 * @latch: latched count
 * @mode: 0..5
 * @rw: enum tdm_pit_rw, never TDM_PIT_LATCH
 * @lsb: first byte of a two-byte write
 * @status: latched status
 * @bcd: counts in decimal
 * @gate: level of the gate
 * @armed: a count has been written since the control word
 * @running: counting (started by load or trigger, not stopped by the gate)
 * @write_msb: the next write is the second byte
 * @read_msb: the next read is the second byte
 * @latch_bytes: bytes of @latch left to read, 0 = none latched
 * @status_latched: the next read gives @status
 */
struct tdm_pit_chan {
	u64 start;
	u32 reload;
	u32 next_reload;
	u16 latch;
	u8 mode;
	u8 rw;
	u8 lsb;
	u8 status;
	bool bcd;
	bool gate;
	bool armed;
	bool running;
	bool write_msb;
	bool read_msb;
	u8 latch_bytes;
	bool status_latched;
};

u64 tdm_pit_ticks(u64 ns);
u64 tdm_pit_ns(u64 ticks);

void tdm_pit_core_reset(struct tdm_pit_chan *c);
void tdm_pit_core_gate(struct tdm_pit_chan *c, u64 now, bool level);
bool tdm_pit_core_out(struct tdm_pit_chan *c, u64 now);
u16 tdm_pit_core_count(struct tdm_pit_chan *c, u64 now);
bool tdm_pit_core_control(struct tdm_pit_chan *chans, u64 now, u8 val);
bool tdm_pit_core_write(struct tdm_pit_chan *c, u64 now, u8 val);
u8 tdm_pit_core_read(struct tdm_pit_chan *c, u64 now);
bool tdm_pit_core_periodic(const struct tdm_pit_chan *c);
u64 tdm_pit_core_next_edge(struct tdm_pit_chan *c, u64 after);
void tdm_pit_core_load(struct tdm_pit_chan *c, u64 now, u32 count);

#endif /* TDM_PIT_CORE_H */
