// SPDX-License-Identifier: GPL-2.0-only
/*
 * MC146818 real-time clock: time of day, alarm, periodic and update interrupts,
 * and the battery-backed bytes firmware keeps beside it.
 *
 * The clock is not stepped: the guest's time is the host's wall clock plus an
 * offset, and the interrupt flags are worked out from the time that passed
 * since they were last looked at. Only enabled interrupts need a deadline.
 *
 * Beware: registers A to D are at 10 to 13; while B.SET is set the time
 * registers are plain memory, and the clock goes on from what they hold when
 * SET clears.
 */
#include <string.h>

#include "dev/rtc.h"
#include "util.h"

#define NS_PER_S 1000000000LL
/* 1906 to 2191: beyond, guest minus host time in nanoseconds overflows. */
#define TIME_MIN_S (-2000000000LL)
#define TIME_MAX_S 7000000000LL
#define UIP_NS 244000LL /* UIP rises this long before the update */

enum {
	R_SEC = 0,
	R_SEC_ALARM,
	R_MIN,
	R_MIN_ALARM,
	R_HOUR,
	R_HOUR_ALARM,
	R_WDAY,
	R_MDAY,
	R_MONTH,
	R_YEAR,
	R_A,
	R_B,
	R_C,
	R_D,
	R_CENTURY = 0x32
};

#define A_UIP 0x80
#define A_RATE 0x0f
#define B_SET 0x80
#define B_PIE 0x40
#define B_AIE 0x20
#define B_UIE 0x10
#define B_BINARY 0x04
#define B_24H 0x02
#define C_IRQF 0x80
#define C_PF 0x40
#define C_AF 0x20
#define C_UF 0x10
#define D_VALID 0x80

struct civil {
	int64_t year;
	int month, mday, wday, hour, min,
		sec; /* month and mday from 1, wday 0 = Sunday */
};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of a proleptic Gregorian date; months count from March.
 */
static int64_t days_from_civil(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = floor_div(y, 400);
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_seconds(int64_t s, struct civil *c)
{
	int64_t days = floor_div(s, 86400), rest = s - days * 86400;
	int64_t z = days + 719468, era = floor_div(z, 146097),
		doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100),
		mp = (5 * doy + 2) / 153;

	c->mday = (int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = yoe + era * 400 + (c->month <= 2);
	c->wday = (int)(((days + 4) % 7 + 7) % 7);
	c->hour = (int)(rest / 3600);
	c->min = (int)(rest / 60 % 60);
	c->sec = (int)(rest % 60);
}

static uint8_t encode(const struct tdm_rtc *rtc, int v)
{
	return (uint8_t)(rtc->cmos[R_B] & B_BINARY
				 ? v
				 : (v / 10 % 10) << 4 | v % 10);
}

static int decode(const struct tdm_rtc *rtc, uint8_t v)
{
	return rtc->cmos[R_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct tdm_rtc *rtc, int hour)
{
	if (rtc->cmos[R_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) |
	       (hour >= 12 ? 0x80 : 0);
}

static int decode_hour(const struct tdm_rtc *rtc, uint8_t v)
{
	if (rtc->cmos[R_B] & B_24H)
		return decode(rtc, v);
	return decode(rtc, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

static int64_t guest_ns(const struct tdm_rtc *rtc)
{
	if (rtc->cmos[R_B] & B_SET)
		return rtc->frozen_s * NS_PER_S;
	return rtc->host->wall_ns(rtc->host->ctx) + rtc->offset_ns;
}

/* The time registers' contents at a guest time. */
static void fill_time(struct tdm_rtc *rtc, int64_t seconds)
{
	struct civil c;

	civil_from_seconds(seconds, &c);
	rtc->cmos[R_SEC] = encode(rtc, c.sec);
	rtc->cmos[R_MIN] = encode(rtc, c.min);
	rtc->cmos[R_HOUR] = encode_hour(rtc, c.hour);
	rtc->cmos[R_WDAY] = encode(rtc, c.wday + 1);
	rtc->cmos[R_MDAY] = encode(rtc, c.mday);
	rtc->cmos[R_MONTH] = encode(rtc, c.month);
	rtc->cmos[R_YEAR] = encode(rtc, (int)(c.year % 100));
	rtc->cmos[R_CENTURY] = encode(rtc, (int)(c.year / 100));
}

static int64_t read_time(const struct tdm_rtc *rtc)
{
	int64_t year = decode(rtc, rtc->cmos[R_CENTURY]) * 100 +
		       decode(rtc, rtc->cmos[R_YEAR]);
	int month = decode(rtc, rtc->cmos[R_MONTH]);

	int64_t s;

	if (month < 1 || month > 12) /* garbage in, some date out */
		month = 1;
	s = days_from_civil(year, month, decode(rtc, rtc->cmos[R_MDAY])) *
		    86400 +
	    decode_hour(rtc, rtc->cmos[R_HOUR]) * 3600 +
	    decode(rtc, rtc->cmos[R_MIN]) * 60 + decode(rtc, rtc->cmos[R_SEC]);
	return s > TIME_MAX_S ? TIME_MAX_S : s < TIME_MIN_S ? TIME_MIN_S : s;
}

/* Period of the periodic interrupt; 0 when the divider gives none. */
static int64_t period_ns(const struct tdm_rtc *rtc)
{
	unsigned int rate = rtc->cmos[R_A] & A_RATE;

	if (!rate || (rtc->cmos[R_A] & 0x70) != 0x20)
		return 0;
	if (rate <= 2)
		rate += 7;
	return NS_PER_S * (1LL << (rate - 1)) / 32768;
}

/* Does the alarm match at this guest second? 0xc0 and up in a register matches
 * all. */
static bool alarm_at(const struct tdm_rtc *rtc, int64_t seconds)
{
	struct civil c;

	civil_from_seconds(seconds, &c);
	return (rtc->cmos[R_SEC_ALARM] >= 0xc0 ||
		decode(rtc, rtc->cmos[R_SEC_ALARM]) == c.sec) &&
	       (rtc->cmos[R_MIN_ALARM] >= 0xc0 ||
		decode(rtc, rtc->cmos[R_MIN_ALARM]) == c.min) &&
	       (rtc->cmos[R_HOUR_ALARM] >= 0xc0 ||
		decode_hour(rtc, rtc->cmos[R_HOUR_ALARM]) == c.hour);
}

static void update_irq(struct tdm_rtc *rtc)
{
	int level = !!(rtc->flags & rtc->cmos[R_B] & (C_PF | C_AF | C_UF));

	if (level == rtc->irq_level)
		return;
	rtc->irq_level = level;
	rtc->host->set_irq(rtc->host->ctx, TDM_RTC_GSI, level);
}

/* Set the flags of everything that happened since seen_ns. */
static void catch_up(struct tdm_rtc *rtc)
{
	int64_t now = guest_ns(rtc), period = period_ns(rtc);
	int64_t from_s, to_s;

	if (rtc->cmos[R_B] & B_SET)
		return;
	if (now < rtc->seen_ns)
		rtc->seen_ns = now; /* the host's clock was set back */
	if (period && floor_div(now, period) != floor_div(rtc->seen_ns, period))
		rtc->flags |= C_PF;
	from_s = floor_div(rtc->seen_ns, NS_PER_S);
	to_s = floor_div(now, NS_PER_S);
	if (from_s != to_s)
		rtc->flags |= C_UF;
	/* A day covers every alarm: no need to look further back. */
	if (to_s - from_s > 86400)
		from_s = to_s - 86400;
	while (from_s < to_s && !(rtc->flags & C_AF))
		if (alarm_at(rtc, ++from_s))
			rtc->flags |= C_AF;
	rtc->seen_ns = now;
	update_irq(rtc);
}

static uint8_t read_register(struct tdm_rtc *rtc, uint8_t reg)
{
	int64_t now = guest_ns(rtc);
	uint8_t v;

	switch (reg) {
	case R_SEC:
	case R_MIN:
	case R_HOUR:
	case R_WDAY:
	case R_MDAY:
	case R_MONTH:
	case R_YEAR:
	case R_CENTURY:
		if (!(rtc->cmos[R_B] & B_SET))
			fill_time(rtc, floor_div(now, NS_PER_S));
		return rtc->cmos[reg];
	case R_A:
		v = rtc->cmos[R_A];
		if (!(rtc->cmos[R_B] & B_SET) &&
		    now - floor_div(now, NS_PER_S) * NS_PER_S >=
			    NS_PER_S - UIP_NS)
			v |= A_UIP;
		return v;
	case R_C:
		catch_up(rtc);
		v = rtc->flags;
		if (v & rtc->cmos[R_B] & (C_PF | C_AF | C_UF))
			v |= C_IRQF;
		rtc->flags = 0;
		update_irq(rtc);
		return v;
	case R_D:
		return D_VALID;
	default:
		return rtc->cmos[reg];
	}
}

/* Let the clock go on from what the time registers say, @ns into that second.
 */
static void set_clock(struct tdm_rtc *rtc, int64_t ns)
{
	rtc->offset_ns = read_time(rtc) * NS_PER_S + ns -
			 rtc->host->wall_ns(rtc->host->ctx);
	rtc->seen_ns = guest_ns(rtc);
}

static void write_b(struct tdm_rtc *rtc, uint8_t v)
{
	uint8_t old = rtc->cmos[R_B];

	if (v & ~old & B_SET) {
		rtc->frozen_s = floor_div(guest_ns(rtc), NS_PER_S);
		fill_time(rtc, rtc->frozen_s);
	}
	if (v & B_SET)
		v &= (uint8_t)~B_UIE;
	if (old & ~v & B_SET) {
		rtc->cmos[R_B] = v & (uint8_t)~B_SET;
		set_clock(rtc, 0);
	}
	rtc->cmos[R_B] = v;
	update_irq(rtc);
	rtc->host->wake(rtc->host->ctx);
}

static void write_register(struct tdm_rtc *rtc, uint8_t reg, uint8_t v)
{
	catch_up(rtc);
	switch (reg) {
	case R_A:
		rtc->cmos[R_A] = v & (uint8_t)~A_UIP;
		rtc->host->wake(rtc->host->ctx);
		break;
	case R_B:
		write_b(rtc, v);
		break;
	case R_C:
	case R_D:
		break;
	case R_SEC:
	case R_MIN:
	case R_HOUR:
	case R_WDAY:
	case R_MDAY:
	case R_MONTH:
	case R_YEAR:
	case R_CENTURY:
		if (rtc->cmos[R_B] & B_SET) {
			rtc->cmos[reg] = v;
			break;
		}
		/* Written while the clock runs: it goes on from there. */
		fill_time(rtc, floor_div(guest_ns(rtc), NS_PER_S));
		rtc->cmos[reg] = v;
		set_clock(rtc,
			  guest_ns(rtc) - floor_div(guest_ns(rtc), NS_PER_S) *
						  NS_PER_S);
		break;
	default:
		rtc->cmos[reg] = v;
		break;
	}
}

static uint32_t rtc_read(void *dev, uint16_t port, unsigned int size)
{
	struct tdm_rtc *rtc = dev;

	(void)size;
	if (!(port & 1))
		return 0xff; /* the index register is write-only */
	return read_register(rtc, rtc->index);
}

static void rtc_write(void *dev, uint16_t port, unsigned int size, uint32_t val)
{
	struct tdm_rtc *rtc = dev;

	(void)size;
	if (!(port & 1))
		rtc->index = val & 0x7f; /* bit 7 masks NMI on the board; no NMI
					    source here */
	else
		write_register(rtc, rtc->index, (uint8_t)val);
}

static const struct tdm_io_ops rtc_ops = { .read = rtc_read,
					   .write = rtc_write };

/* Memory sizes where firmware (SeaBIOS among them) looks for them. */
static void fill_memory_bytes(struct tdm_rtc *rtc, uint64_t mem)
{
	uint64_t low = mem < 3 * TDM_GIB ? mem : 3 * TDM_GIB, high = mem - low;
	uint64_t ext_k = low > TDM_MIB ? (low - TDM_MIB) / TDM_KIB : 0;
	uint64_t ext_64k =
		low > 16 * TDM_MIB ? (low - 16 * TDM_MIB) / 65536 : 0;

	if (ext_k > 65535)
		ext_k = 65535;
	tdm_put16(&rtc->cmos[0x15], 640);
	tdm_put16(&rtc->cmos[0x17], (uint16_t)ext_k);
	tdm_put16(&rtc->cmos[0x30], (uint16_t)ext_k);
	tdm_put16(&rtc->cmos[0x34],
		  (uint16_t)(ext_64k > 65535 ? 65535 : ext_64k));
	rtc->cmos[0x5b] = (uint8_t)(high >> 16);
	rtc->cmos[0x5c] = (uint8_t)(high >> 24);
	rtc->cmos[0x5d] = (uint8_t)(high >> 32);
}

/**
 * tdm_rtc_init() - clock at the host's time (UTC), registers as firmware leaves
 * them.
 * @mem_bytes, @cpus: what the CMOS bytes tell firmware about the machine
 */
void tdm_rtc_init(struct tdm_rtc *rtc, const struct tdm_devhost *host,
		  uint64_t mem_bytes, unsigned int cpus)
{
	memset(rtc, 0, sizeof(*rtc));
	rtc->host = host;
	rtc->cmos[R_A] = 0x26; /* 32768 Hz base, 1024 Hz periodic rate */
	rtc->cmos[R_B] = B_24H;
	rtc->cmos[0x14] =
		0x02; /* equipment: coprocessor, no floppy, no display */
	rtc->cmos[0x5f] = (uint8_t)(cpus - 1);
	fill_memory_bytes(rtc, mem_bytes);
	rtc->seen_ns = guest_ns(rtc);
}

/** tdm_rtc_attach() - claim ports 0x70 and 0x71. */
int tdm_rtc_attach(struct tdm_rtc *rtc, struct tdm_bus *bus)
{
	struct tdm_io_region r = { TDM_RTC_BASE,      2,	1,
				   "real-time clock", &rtc_ops, rtc };

	return tdm_bus_add(bus, &r);
}

/**
 * tdm_rtc_deadline() - when tdm_rtc_poll() is needed next. [bus lock]
 *
 * Return: nanoseconds on the devhost's monotonic clock, or TDM_NEVER.
 */
uint64_t tdm_rtc_deadline(const struct tdm_rtc *rtc)
{
	int64_t now = guest_ns(rtc), next = INT64_MAX, period = period_ns(rtc);
	uint8_t b = rtc->cmos[R_B];

	if ((b & B_SET) || rtc->irq_level)
		return TDM_NEVER; /* nothing changes until the guest acts */
	if ((b & B_PIE) && period)
		next = (floor_div(now, period) + 1) * period;
	if (b & (B_UIE | B_AIE)) {
		int64_t second = (floor_div(now, NS_PER_S) + 1) * NS_PER_S;

		if (second < next)
			next = second;
	}
	if (next == INT64_MAX)
		return TDM_NEVER;
	return rtc->host->mono_ns(rtc->host->ctx) + (uint64_t)(next - now);
}

/** tdm_rtc_poll() - raise what is due. [bus lock] */
void tdm_rtc_poll(struct tdm_rtc *rtc)
{
	catch_up(rtc);
}
