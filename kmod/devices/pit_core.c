// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254: modes, latches, gates, decimal counting.
 *
 * Beware: the tick that moves a written count from the register into the
 * counter is not modelled, so modes 0, 1, 4 and 5 end one tick (0.84 us) early.
 */
#include "kmod/devices/pit_core.h"

#define NSEC	1000000000ull

#define CTL_BCD			0x01
#define READBACK_NO_STATUS	0x10
#define READBACK_NO_COUNT	0x20
#define READBACK		3	/* channel number of the read-back command */

/**
 * tdm_pit_ticks() - ticks in a time span, rounded down
 * @ns: nanoseconds
 */
u64 tdm_pit_ticks(u64 ns)
{
	return ns / NSEC * TDM_PIT_HZ + ns % NSEC * TDM_PIT_HZ / NSEC;
}

/**
 * tdm_pit_ns() - earliest time at which so many ticks have passed
 * @ticks: ticks
 */
u64 tdm_pit_ns(u64 ticks)
{
	return ticks / TDM_PIT_HZ * NSEC +
	       (ticks % TDM_PIT_HZ * NSEC + TDM_PIT_HZ - 1) / TDM_PIT_HZ;
}

/** tdm_pit_core_periodic() - modes 2 and 3 */
bool tdm_pit_core_periodic(const struct tdm_pit_chan *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Started by a rising gate, not by the count? */
static bool gate_triggered(const struct tdm_pit_chan *c)
{
	return c->mode == 1 || c->mode == 5;
}

static u32 wrap(const struct tdm_pit_chan *c)
{
	return c->bcd ? 10000 : 0x10000;
}

static u16 to_bcd(u32 v)
{
	v %= 10000;
	return v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

/* Digits above 9 are not valid input; they count as their weight says. */
static u32 from_bcd(u16 v)
{
	return (v >> 12) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}

static u64 elapsed(const struct tdm_pit_chan *c, u64 now)
{
	if (!c->running)
		return c->start;	/* stopped by the gate: counted so far */
	return now > c->start ? now - c->start : 0;
}

/* A count written during a period takes its place when the period ends. */
static void settle(struct tdm_pit_chan *c, u64 now)
{
	if (!c->next_reload || !tdm_pit_core_periodic(c) || !c->running ||
	    elapsed(c, now) < c->reload)
		return;
	c->start += c->reload;
	c->reload = c->next_reload;
	c->next_reload = 0;
}

static void start_counting(struct tdm_pit_chan *c, u64 now)
{
	if (c->next_reload)
		c->reload = c->next_reload;
	c->next_reload = 0;
	c->start = now;
	c->running = true;
}

/**
 * tdm_pit_core_load() - a whole count was written
 * @c: counter
 * @now: tick
 * @count: decoded; 0, and what is beyond the counter's range, is the largest count
 */
void tdm_pit_core_load(struct tdm_pit_chan *c, u64 now, u32 count)
{
	if (!count || count > wrap(c))
		count = wrap(c);
	settle(c, now);
	if (c->armed && (tdm_pit_core_periodic(c) ? c->running : gate_triggered(c))) {
		if (tdm_pit_core_periodic(c))
			c->start += elapsed(c, now) / c->reload * c->reload;
		c->next_reload = count;
		return;
	}
	c->reload = count;
	c->next_reload = 0;
	c->armed = true;
	if (gate_triggered(c))
		return;
	c->start = c->gate ? now : 0;
	c->running = c->gate;
}

/**
 * tdm_pit_core_gate() - the gate input changes
 * @c: counter
 * @now: tick
 * @level: new level
 */
void tdm_pit_core_gate(struct tdm_pit_chan *c, u64 now, bool level)
{
	if (c->gate == level)
		return;
	settle(c, now);
	c->gate = level;
	if (!c->armed)
		return;
	if (gate_triggered(c)) {
		if (level)
			start_counting(c, now);
	} else if (!level) {
		c->start = elapsed(c, now);
		c->running = false;
	} else if (tdm_pit_core_periodic(c)) {
		start_counting(c, now);
	} else {
		c->start = now - c->start;
		c->running = true;
	}
}

/* Has a gate-triggered counter been triggered, or does it count by itself? */
static bool started(const struct tdm_pit_chan *c)
{
	return c->armed && (c->running || !gate_triggered(c));
}

/** tdm_pit_core_out() - level of the output */
bool tdm_pit_core_out(struct tdm_pit_chan *c, u64 now)
{
	u64 d;

	settle(c, now);
	if (!started(c))
		return c->mode != 0;
	d = elapsed(c, now);
	switch (c->mode) {
	case 0:
	case 1:
		return d >= c->reload;
	case 2:
		return !c->gate || d % c->reload != c->reload - 1;
	case 3:
		return !c->gate || d % c->reload < (c->reload + 1) / 2;
	default:
		return d != c->reload;
	}
}

/* Mode 3 counts in twos, once through for each half of the wave. */
static u32 square_count(const struct tdm_pit_chan *c, u64 d)
{
	u32 p = d % c->reload, high = (c->reload + 1) / 2;

	return (c->reload & ~1u) - 2 * (p < high ? p : p - high);
}

/** tdm_pit_core_count() - what the counting element holds, as it is read */
u16 tdm_pit_core_count(struct tdm_pit_chan *c, u64 now)
{
	u32 w = wrap(c), v;
	u64 d;

	settle(c, now);
	d = started(c) ? elapsed(c, now) : 0;
	if (!c->reload)
		v = 0;
	else if (c->mode == 3)
		v = square_count(c, d);
	else if (c->mode == 2)
		v = c->reload - d % c->reload;
	else
		v = (c->reload + w - d % w) % w;
	return c->bcd ? to_bcd(v) : v;
}

static void latch_count(struct tdm_pit_chan *c, u64 now)
{
	if (c->latch_bytes)
		return;
	c->latch = tdm_pit_core_count(c, now);
	c->latch_bytes = c->rw == TDM_PIT_WORD ? 2 : 1;
	c->read_msb = false;
}

static void latch_status(struct tdm_pit_chan *c, u64 now)
{
	if (c->status_latched)
		return;
	c->status = tdm_pit_core_out(c, now) << 7 |
		    (!c->armed || c->next_reload) << 6 |
		    c->rw << 4 | c->mode << 1 | c->bcd;
	c->status_latched = true;
}

static void set_mode(struct tdm_pit_chan *c, u8 val)
{
	bool gate = c->gate;

	memset(c, 0, sizeof(*c));
	c->gate = gate;
	c->rw = val >> 4 & 3;
	c->mode = val >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4;		/* the top bit is don't-care for 2 and 3 */
	c->bcd = val & CTL_BCD;
	c->reload = wrap(c);
}

/**
 * tdm_pit_core_control() - a write to the control port
 * @chans: the three counters
 * @now: tick
 * @val: control word
 *
 * Return: true if counter 0 was given a new mode.
 */
bool tdm_pit_core_control(struct tdm_pit_chan *chans, u64 now, u8 val)
{
	unsigned int n = val >> 6, i;

	if (n != READBACK) {
		if ((val >> 4 & 3) == TDM_PIT_LATCH) {
			latch_count(&chans[n], now);
			return false;
		}
		set_mode(&chans[n], val);
		return n == 0;
	}
	for (i = 0; i < TDM_PIT_CHANNELS; i++) {
		if (!(val & 2u << i))
			continue;
		if (!(val & READBACK_NO_COUNT))
			latch_count(&chans[i], now);
		if (!(val & READBACK_NO_STATUS))
			latch_status(&chans[i], now);
	}
	return false;
}

static bool load_written(struct tdm_pit_chan *c, u64 now, u16 val)
{
	tdm_pit_core_load(c, now, c->bcd ? from_bcd(val) : val);
	return true;
}

/**
 * tdm_pit_core_write() - a write to a counter's port
 * @c: counter
 * @now: tick
 * @val: byte
 *
 * Return: true if the counter's schedule changed.
 */
bool tdm_pit_core_write(struct tdm_pit_chan *c, u64 now, u8 val)
{
	switch (c->rw) {
	case TDM_PIT_LSB:
		return load_written(c, now, val);
	case TDM_PIT_MSB:
		return load_written(c, now, val << 8);
	default:
		break;
	}
	if (c->write_msb) {
		c->write_msb = false;
		return load_written(c, now, val << 8 | c->lsb);
	}
	c->write_msb = true;
	c->lsb = val;
	if (c->mode)
		return false;
	/* In mode 0 the first byte stops the counter and lowers the output. */
	c->armed = false;
	c->running = false;
	c->start = 0;
	return true;
}

/** tdm_pit_core_read() - a read of a counter's port */
u8 tdm_pit_core_read(struct tdm_pit_chan *c, u64 now)
{
	bool msb;
	u16 v;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	v = c->latch_bytes ? c->latch : tdm_pit_core_count(c, now);
	msb = c->rw == TDM_PIT_MSB || (c->rw == TDM_PIT_WORD && c->read_msb);
	if (c->rw == TDM_PIT_WORD)
		c->read_msb = !c->read_msb;
	if (c->latch_bytes)
		c->latch_bytes--;
	return msb ? v >> 8 : v;
}

/**
 * tdm_pit_core_next_edge() - when does the output rise next?
 * @c: counter
 * @after: tick
 *
 * Return: the first tick later than @after, TDM_PIT_NEVER if there is none.
 */
u64 tdm_pit_core_next_edge(struct tdm_pit_chan *c, u64 after)
{
	u64 edge;

	settle(c, after);
	if (!c->armed || !c->running)
		return TDM_PIT_NEVER;
	if (tdm_pit_core_periodic(c)) {
		/* start is itself the end of a period if a new count came in */
		if (after < c->start)
			return c->start;
		return c->start + ((after - c->start) / c->reload + 1) * c->reload;
	}
	edge = c->start + c->reload + (c->mode >= 4);	/* strobe: low for a tick */
	return edge > after ? edge : TDM_PIT_NEVER;
}

/** tdm_pit_core_reset() - after power-up: as an unused counter with the largest count */
void tdm_pit_core_reset(struct tdm_pit_chan *c)
{
	memset(c, 0, sizeof(*c));
	c->mode = 3;
	c->rw = TDM_PIT_WORD;
	c->reload = wrap(c);
}
