// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the launcher's device models, driven through the bus as a guest
 * drives them.
 */
#include "bus.h"
#include "dev/acpi_pm.h"
#include "dev/i8042.h"
#include "dev/pci.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "dev/testport.h"
#include "launcher_test.h"

#define SECOND 1000000000LL

static struct machine {
	struct fake_host host;
	struct tdm_bus bus;
	struct tdm_serial serial;
	struct tdm_rtc rtc;
	struct tdm_i8042 i8042;
	struct tdm_pci pci;
	struct tdm_acpi_pm pm;
	struct tdm_testport test;
} m;

static void setup(void)
{
	const struct tdm_devhost *ops = &m.host.ops;

	tdm_bus_destroy(&m.bus);
	fake_init(&m.host);
	EXPECT(!tdm_bus_init(&m.bus, true));
	tdm_serial_init(&m.serial, ops, TDM_COM1_GSI);
	tdm_rtc_init(&m.rtc, ops, 256 * TDM_MIB, 2);
	tdm_i8042_init(&m.i8042, ops);
	tdm_pci_init(&m.pci, ops, true);
	tdm_acpi_pm_init(&m.pm, ops);
	tdm_testport_init(&m.test, ops);
	EXPECT(!tdm_serial_attach(&m.serial, &m.bus, TDM_COM1_BASE));
	EXPECT(!tdm_rtc_attach(&m.rtc, &m.bus));
	EXPECT(!tdm_i8042_attach(&m.i8042, &m.bus));
	EXPECT(!tdm_pci_attach(&m.pci, &m.bus));
	EXPECT(!tdm_acpi_pm_attach(&m.pm, &m.bus));
	EXPECT(!tdm_testport_attach(&m.test, &m.bus, true));
}

static uint32_t in(uint16_t port, unsigned int size)
{
	uint32_t v = 0;

	tdm_bus_pio(&m.bus, port, size, false, (uint8_t *)&v);
	return v;
}

static void out(uint16_t port, unsigned int size, uint32_t v)
{
	tdm_bus_pio(&m.bus, port, size, true, (uint8_t *)&v);
}

/* --- bus --- */

static void bus_unclaimed(void)
{
	setup();
	EXPECT_EQ(in(0x2f8, 1), 0xff);
	EXPECT_EQ(in(0x2f8, 2), 0xffff);
	EXPECT_EQ(in(0x2f8, 4), 0xffffffff);
	out(0x2f8, 4, 1);
	EXPECT_EQ(m.bus.unclaimed_pio, 1 + 2 + 4 + 4);
	EXPECT_EQ(in(0xffff, 4), 0xffffffff); /* wraps, harmlessly */
	EXPECT_EQ(m.bus.port_count[0x2f8][0], 3);
	EXPECT_EQ(m.bus.port_count[0x2f8][1], 1);
}

static void bus_mmio(void)
{
	uint8_t d[8] = { 0 };

	setup();
	tdm_bus_mmio(&m.bus, 0xfed00000, 8, false, d);
	EXPECT_EQ(d[0], 0xff);
	EXPECT_EQ(d[7], 0xff);
	for (unsigned int i = 0; i < 2 * TDM_BUS_MMIO_PAGES; i++)
		tdm_bus_mmio(&m.bus, 0xd0000000 + 4096ULL * i, 4, true, d);
	EXPECT_EQ(m.bus.unclaimed_mmio, 1 + 2 * TDM_BUS_MMIO_PAGES);
	EXPECT_EQ(m.bus.mmio_elsewhere, TDM_BUS_MMIO_PAGES + 1);
}

static void bus_refuses(void)
{
	struct tdm_io_region r = { .base = TDM_COM1_BASE + 7, .len = 2 };

	setup();
	EXPECT_EQ(tdm_bus_add(&m.bus, &r), -16); /* taken */
	r.base = 0xffff;
	EXPECT_EQ(tdm_bus_add(&m.bus, &r), -22); /* beyond the last port */
	r.len = 0;
	EXPECT_EQ(tdm_bus_add(&m.bus, &r), -22);
	r.len = 1;
	for (r.base = 0x5000; m.bus.nr_regions < TDM_BUS_REGIONS; r.base++)
		EXPECT_EQ(tdm_bus_add(&m.bus, &r), 0);
	EXPECT_EQ(tdm_bus_add(&m.bus, &r), -28); /* table full */
}

/* --- serial port --- */

#define COM TDM_COM1_BASE
#define MCR_READY 0x0b /* DTR, RTS, OUT2 */

static void serial_output(void)
{
	setup();
	EXPECT_EQ(in(COM + 5, 1), 0x60); /* transmitter empty */
	out(COM, 1, 'o');
	out(COM, 1, 'k');
	EXPECT_EQ(in(COM + 5, 1), 0x60);
	EXPECT(!strcmp(m.host.console, "ok"));
}

static void serial_divisor(void)
{
	setup();
	out(COM + 3, 1, 0x83);
	out(COM, 1, 1);
	out(COM + 1, 1, 2);
	EXPECT_EQ(in(COM, 1), 1);
	EXPECT_EQ(in(COM + 1, 1), 2);
	out(COM + 3, 1, 0x03);
	EXPECT_EQ(in(COM + 1, 1), 0); /* IER untouched */
	EXPECT_EQ(m.host.console_len, 0);
}

static void serial_identify(void)
{
	setup();
	out(COM + 7, 1, 0xa5);
	EXPECT_EQ(in(COM + 7, 1), 0xa5);
	EXPECT_EQ(in(COM + 2, 1), 0x01); /* no interrupt, no FIFOs */
	out(COM + 2, 1, 0x01);
	EXPECT_EQ(in(COM + 2, 1), 0xc1); /* a 16550A */
	out(COM + 2, 1, 0x00);
	EXPECT_EQ(in(COM + 2, 1), 0x01);
	out(COM + 1, 1, 0xff);
	EXPECT_EQ(in(COM + 1, 1), 0x0f);
}

static void serial_loopback(void)
{
	setup();
	out(COM + 4, 1, 0x1a);			/* loop, OUT2, RTS */
	EXPECT_EQ(in(COM + 6, 1) & 0xf0, 0x90); /* DCD, CTS: Linux's test */
	out(COM, 1, 'x');
	EXPECT_EQ(in(COM + 5, 1) & 1, 1);
	EXPECT_EQ(in(COM, 1), 'x');
	EXPECT_EQ(in(COM + 5, 1) & 1, 0);
	EXPECT_EQ(m.host.console_len, 0);
	out(COM, 1, 'a');
	out(COM, 1, 'b'); /* one byte of buffer: the newer wins */
	EXPECT_EQ(in(COM + 5, 1) & 3, 3);
	EXPECT_EQ(in(COM + 5, 1) & 2, 0); /* overrun cleared by the read */
	EXPECT_EQ(in(COM, 1), 'b');
	EXPECT_EQ(m.host.level[4], 0); /* no interrupt leaves in loop-back */
}

static void serial_modem_delta(void)
{
	setup();
	in(COM + 6, 1);
	EXPECT_EQ(in(COM + 6, 1), 0xb0); /* ready modem, nothing changed */
	out(COM + 4, 1, 0x14); /* loop, OUT1: RI up; CTS, DSR, DCD down */
	EXPECT_EQ(in(COM + 6, 1), 0x40 | 0x0b);
	out(COM + 4, 1, 0x10); /* RI down: the trailing edge counts */
	EXPECT_EQ(in(COM + 6, 1), 0x04);
}

static void serial_thre_interrupt(void)
{
	setup();
	out(COM + 4, 1, MCR_READY);
	EXPECT_EQ(m.host.level[4], 0);
	out(COM + 1, 1, 0x02); /* enabling it while empty raises it */
	EXPECT_EQ(m.host.level[4], 1);
	EXPECT_EQ(in(COM + 2, 1), 0x02);
	EXPECT_EQ(m.host.level[4], 0); /* reading IIR took it back */
	EXPECT_EQ(in(COM + 2, 1), 0x01);
	out(COM, 1, 'x');
	EXPECT_EQ(m.host.level[4], 1);
	out(COM + 4, 1, 0x03); /* OUT2 gates the line */
	EXPECT_EQ(m.host.level[4], 0);
}

static void serial_receive(void)
{
	uint8_t data[TDM_SERIAL_FIFO + 4];

	setup();
	memset(data, 'r', sizeof(data));
	EXPECT_EQ(tdm_serial_send(&m.serial, data, 7), 7);
	out(COM + 4, 1, 0x09);		 /* DTR, OUT2 */
	EXPECT_EQ(in(COM + 5, 1), 0x60); /* nobody listens yet */
	out(COM + 1, 1, 0x05);		 /* data and line status */
	out(COM + 2, 1, 0x83);		 /* FIFOs, cleared, trigger at 8 */
	EXPECT_EQ(m.host.level[4], 0);
	out(COM + 4, 1, MCR_READY);
	EXPECT_EQ(m.host.level[4], 1);	 /* and nothing was lost */
	EXPECT_EQ(in(COM + 2, 1), 0xcc); /* below the trigger: time-out */
	tdm_serial_send(&m.serial, data, 1);
	EXPECT_EQ(in(COM + 2, 1), 0xc4);
	m.host.wakes = 0;
	tdm_serial_send(&m.serial, data, TDM_SERIAL_FIFO - 8 + 3);
	EXPECT_EQ(m.host.wakes, 0);
	for (unsigned int i = 0; i < TDM_SERIAL_FIFO + 3; i++) {
		EXPECT_EQ(in(COM, 1), 'r');
		EXPECT_EQ(m.host.wakes, i >= 2); /* the line is empty */
	}
	EXPECT_EQ(in(COM + 5, 1), 0x60); /* flow control: no overrun */
	EXPECT_EQ(m.host.level[4], 0);
	EXPECT_EQ(in(COM, 1), 0);
	tdm_serial_send(&m.serial, data, 3);
	out(COM + 2, 1, 0x03); /* clear the receive FIFO */
	EXPECT_EQ(in(COM + 5, 1), 0x60);
	out(COM + 4, 1, 0x1b); /* loop-back: the line waits */
	tdm_serial_send(&m.serial, data, 1);
	EXPECT_EQ(in(COM + 5, 1), 0x60);
	for (unsigned int i = 0; i <= TDM_SERIAL_FIFO; i++)
		out(COM, 1, 'l');	 /* one more than fits */
	EXPECT_EQ(in(COM + 2, 1), 0xc6); /* line status comes first */
	EXPECT_EQ(in(COM + 5, 1), 0x63);
	EXPECT_EQ(in(COM, 1), 'l');
	out(COM + 2, 1, 0x03);
	out(COM + 4, 1, MCR_READY);
	EXPECT_EQ(in(COM, 1), 'r');
}

static void serial_line_is_bounded(void)
{
	static uint8_t data[2 * TDM_SERIAL_LINE];

	setup();
	EXPECT_EQ(tdm_serial_send(&m.serial, data, sizeof(data)),
		  TDM_SERIAL_LINE);
	EXPECT_EQ(tdm_serial_send(&m.serial, data, 1), 0);
	out(COM + 4, 1, MCR_READY);
	EXPECT_EQ(tdm_serial_send(&m.serial, data, 2), 1); /* one came in */
}

static void serial_break(void)
{
	setup();
	out(COM + 4, 1, MCR_READY);
	out(COM + 1, 1, 0x04);
	tdm_serial_break(&m.serial);
	EXPECT_EQ(in(COM + 2, 1), 0x06);
	EXPECT_EQ(in(COM + 5, 1), 0x71);
	EXPECT_EQ(in(COM, 1), 0);
}

/* --- real-time clock --- */

static uint8_t cmos(uint8_t reg)
{
	out(0x70, 1, reg);
	return (uint8_t)in(0x71, 1);
}

static void set_cmos(uint8_t reg, uint8_t v)
{
	out(0x70, 1, reg | 0x80); /* NMI mask bit: no part of the index */
	out(0x71, 1, v);
}

static void rtc_date(void)
{
	setup();
	EXPECT_EQ(cmos(0), 0x59);
	EXPECT_EQ(cmos(2), 0x14);
	EXPECT_EQ(cmos(4), 0x10);
	EXPECT_EQ(cmos(6), 7); /* a Saturday */
	EXPECT_EQ(cmos(7), 0x21);
	EXPECT_EQ(cmos(8), 0x11);
	EXPECT_EQ(cmos(9), 0x26);
	EXPECT_EQ(cmos(0x32), 0x20);
	EXPECT_EQ(cmos(0x0d), 0x80);
	EXPECT_EQ(in(0x70, 1), 0xff); /* the index cannot be read */
	set_cmos(0x0b, 0x06);	      /* binary */
	EXPECT_EQ(cmos(0), 59);
	EXPECT_EQ(cmos(9), 26);
	set_cmos(0x0b, 0x00); /* BCD, 12 hours */
	m.host.wall += 3 * 3600 * SECOND;
	EXPECT_EQ(cmos(4), 0x81); /* 1 pm */
	m.host.wall += 11 * 3600 * SECOND;
	EXPECT_EQ(cmos(4), 0x12); /* midnight */
	EXPECT_EQ(cmos(7), 0x22);
}

static void rtc_set_date(void)
{
	setup();
	set_cmos(0x0b, 0x82); /* stop */
	set_cmos(0, 0x58);
	set_cmos(2, 0x59);
	set_cmos(4, 0x23);
	set_cmos(7, 0x28);
	set_cmos(8, 0x02);
	set_cmos(9, 0x24); /* a leap year */
	m.host.wall += 100 * SECOND;
	EXPECT_EQ(cmos(0), 0x58); /* stopped */
	set_cmos(0x0b, 0x02);
	m.host.wall += 2 * SECOND;
	EXPECT_EQ(cmos(0), 0x00);
	EXPECT_EQ(cmos(7), 0x29);
	EXPECT_EQ(cmos(8), 0x02);
	m.host.wall += 24 * 3600 * SECOND;
	EXPECT_EQ(cmos(7), 0x01);
	EXPECT_EQ(cmos(8), 0x03);
	set_cmos(4, 0x05); /* written while running */
	EXPECT_EQ(cmos(4), 0x05);
	EXPECT_EQ(cmos(7), 0x01);
}

static void rtc_update_in_progress(void)
{
	setup();
	EXPECT_EQ(cmos(0x0a), 0x26);
	m.host.wall += SECOND - 100000;
	EXPECT_EQ(cmos(0x0a), 0xa6);
	m.host.wall += 100000;
	EXPECT_EQ(cmos(0x0a), 0x26);
}

static void rtc_periodic(void)
{
	uint64_t due;

	setup();
	EXPECT_EQ(tdm_rtc_deadline(&m.rtc), TDM_NEVER);
	cmos(0x0c);
	set_cmos(0x0b, 0x42);
	EXPECT(m.host.wakes > 0);
	due = tdm_rtc_deadline(&m.rtc) - m.host.mono;
	EXPECT(due > 0 && due <= SECOND / 1024 + 1);
	m.host.mono += due;
	m.host.wall += (int64_t)due;
	tdm_rtc_poll(&m.rtc);
	EXPECT_EQ(m.host.level[8], 1);
	EXPECT_EQ(tdm_rtc_deadline(&m.rtc), TDM_NEVER); /* until acknowledged */
	EXPECT_EQ(cmos(0x0c), 0xc0);
	EXPECT_EQ(m.host.level[8], 0);
	EXPECT_EQ(cmos(0x0c), 0x00);
	EXPECT(tdm_rtc_deadline(&m.rtc) != TDM_NEVER);
	set_cmos(0x0a, 0x20); /* rate 0: no periodic interrupt */
	EXPECT_EQ(tdm_rtc_deadline(&m.rtc), TDM_NEVER);
}

static void rtc_update_and_alarm(void)
{
	setup();
	set_cmos(1, 0x02);
	set_cmos(3, 0x15);
	set_cmos(5, 0xff);    /* any hour */
	set_cmos(0x0b, 0x32); /* alarm and update interrupts */
	cmos(0x0c);
	m.host.wall += SECOND;
	tdm_rtc_poll(&m.rtc);
	EXPECT_EQ(m.host.level[8], 1);
	EXPECT_EQ(cmos(0x0c) & 0xb0, 0x90); /* update, no alarm: 10:15:00 */
	m.host.wall += 2 * SECOND;
	EXPECT_EQ(cmos(0x0c) & 0xb0, 0xb0); /* alarm at 10:15:02 */
	m.host.wall += 3600 * SECOND;
	EXPECT_EQ(cmos(0x0c) & 0xb0, 0xb0); /* an hour later again */
	m.host.wall -= 10 * SECOND;	    /* the host's clock is set back */
	EXPECT_EQ(cmos(0x0c) & 0x20, 0);
}

static void rtc_memory_bytes(void)
{
	setup();
	EXPECT_EQ(cmos(0x34) | cmos(0x35) << 8, 240 * 16);
	EXPECT_EQ(cmos(0x5f), 1);
	set_cmos(0x40, 0x99);
	EXPECT_EQ(cmos(0x40), 0x99);
	set_cmos(0x0d, 0);
	EXPECT_EQ(cmos(0x0d), 0x80);
}

static void rtc_garbage(void)
{
	setup();
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t r = test_random();

		if (r & 1)
			set_cmos((uint8_t)(r >> 8), (uint8_t)(r >> 16));
		else
			cmos((uint8_t)(r >> 8));
		m.host.wall += (int64_t)(r >> 24 & 0x3fffffff);
		m.host.mono += r >> 24 & 0x3fffffff;
		tdm_rtc_deadline(&m.rtc);
	}
	EXPECT_EQ(cmos(0x0d), 0x80);
}

/* --- keyboard controller --- */

static void i8042_probe(void)
{
	setup();
	EXPECT_EQ(in(0x64, 1) & 3, 0);
	out(0x64, 1, 0xaa);
	EXPECT_EQ(in(0x64, 1) & 1, 1);
	EXPECT_EQ(in(0x60, 1), 0x55);
	EXPECT_EQ(in(0x64, 1) & 1, 0);
	out(0x64, 1, 0x60);
	out(0x60, 1, 0x47);
	out(0x64, 1, 0x20);
	EXPECT_EQ(in(0x60, 1), 0x47);
	out(0x60, 1, 0xff); /* reset the keyboard that is not there */
	EXPECT_EQ(in(0x64, 1) & 0x41, 0x41); /* answered, with a time-out */
	EXPECT_EQ(in(0x60, 1), 0xfe);
	out(0x64, 1, 0xd4);
	out(0x60, 1, 0xf2);
	EXPECT_EQ(in(0x64, 1) & 0x61, 0x61);
	out(0x64, 1, 0xd3); /* loop a byte as from the mouse */
	out(0x60, 1, 0x5a);
	EXPECT_EQ(in(0x64, 1) & 0x61, 0x21);
	EXPECT_EQ(in(0x60, 1), 0x5a);
	out(0x64, 1, 0xd0);
	EXPECT_EQ(in(0x60, 1) & 3, 3); /* no reset, A20 open */
	EXPECT_EQ(m.host.end, TDM_END_NONE);
}

static void i8042_resets(void)
{
	setup();
	out(0x64, 1, 0xff); /* pulses nothing */
	EXPECT_EQ(m.host.end, TDM_END_NONE);
	out(0x64, 1, 0xfe);
	EXPECT_EQ(m.host.end, TDM_END_RESET);
	setup();
	out(0x64, 1, 0xd1);
	out(0x60, 1, 0x02);
	EXPECT_EQ(m.host.end, TDM_END_RESET);
	setup();
	EXPECT_EQ(in(0x92, 1), 0x02);
	out(0x92, 1, 0x02);
	EXPECT_EQ(m.host.end, TDM_END_NONE);
	out(0x92, 1, 0x03);
	EXPECT_EQ(m.host.end, TDM_END_RESET);
}

/* --- PCI --- */

static uint32_t config(uint32_t address)
{
	out(0xcf8, 4, address);
	return in(0xcfc, 4);
}

static void pci_scan(void)
{
	setup();
	out(0xcfb, 1, 1); /* Linux's probe of mechanism 1 */
	out(0xcf8, 4, 0x80000000);
	EXPECT_EQ(in(0xcf8, 4), 0x80000000);
	EXPECT_EQ(config(0x80000000), 0x12378086);
	EXPECT_EQ(config(0x80000008), 0x06000002);
	EXPECT_EQ(in(0xcfe, 2), 0x0600);
	EXPECT_EQ(in(0xcff, 1), 0x06);
	for (uint32_t dev = 1; dev < 32; dev++)
		EXPECT_EQ(config(0x80000000 | dev << 11), 0xffffffff);
	EXPECT_EQ(config(0x80000100), 0xffffffff); /* function 1 */
	EXPECT_EQ(config(0x80010000), 0xffffffff); /* bus 1 */
	EXPECT_EQ(config(0x00000000), 0xffffffff); /* not enabled */
	out(0xcf8, 4, 0xffffffff);
	EXPECT_EQ(in(0xcf8, 4), 0x80fffffc); /* reserved bits read zero */
}

static void pci_write(void)
{
	setup();
	out(0xcf8, 4, 0x80000000);
	out(0xcfc, 4, 0); /* read-only */
	EXPECT_EQ(in(0xcfc, 4), 0x12378086);
	out(0xcf8, 4, 0x80000058);
	out(0xcfc, 4, 0x11111111);
	EXPECT_EQ(in(0xcfc, 4), 0x11111100); /* PAM0-2 yes, 0x58 no */
	EXPECT_EQ(in(0xcfe, 4), 0xffff1111); /* crosses the data port's end */
}

static void pci_reset(void)
{
	setup();
	out(0xcf9, 1, 0x02);
	EXPECT_EQ(m.host.end, TDM_END_NONE);
	EXPECT_EQ(in(0xcf9, 1), 0x02);
	out(0xcf8, 4, 0x80000600); /* not the reset register */
	EXPECT_EQ(m.host.end, TDM_END_NONE);
	out(0xcf9, 1, 0x06);
	EXPECT_EQ(m.host.end, TDM_END_RESET);
}

/* --- ACPI registers --- */

static void pm_power_off(void)
{
	setup();
	EXPECT_EQ(in(0x604, 2), 0x0001); /* ACPI mode */
	out(0x604, 2, 3 << 10 | 0x2000); /* a sleep state there is not */
	EXPECT_EQ(m.host.end, TDM_END_NONE);
	out(0x604, 2, TDM_SLP_TYP_S5 << 10);
	EXPECT_EQ(m.host.end, TDM_END_NONE);
	EXPECT_EQ(in(0x604, 2), TDM_SLP_TYP_S5 << 10 | 1);
	out(0x604, 2, TDM_SLP_TYP_S5 << 10 | 0x2000);
	EXPECT_EQ(m.host.end, TDM_END_POWEROFF);
	EXPECT_EQ(in(0x604, 2) & 0x2000, 0); /* write-only */
}

static void pm_button(void)
{
	setup();
	tdm_acpi_pm_button(&m.pm);
	EXPECT_EQ(m.host.level[9], 0);
	out(0x602, 2, 0x100);
	EXPECT_EQ(m.host.level[9], 1);
	EXPECT_EQ(in(0x600, 2), 0x100);
	EXPECT_EQ(in(0x600, 4), 0x01000100);
	out(0x601, 1, 1); /* write one to clear, by byte */
	EXPECT_EQ(in(0x600, 2), 0);
	EXPECT_EQ(m.host.level[9], 0);
}

static void pm_timer(void)
{
	uint64_t due;

	setup();
	EXPECT_EQ(in(0x608, 4), 0);
	m.host.mono += SECOND;
	EXPECT_EQ(in(0x608, 4), 3579545);
	EXPECT_EQ(in(0x609, 1), 3579545 >> 8 & 0xff);
	out(0x608, 4, 0);
	EXPECT_EQ(in(0x608, 4), 3579545);
	EXPECT_EQ(tdm_acpi_pm_deadline(&m.pm), TDM_NEVER);
	out(0x602, 2, 1);
	due = tdm_acpi_pm_deadline(&m.pm);
	EXPECT(due > m.host.mono && due < m.host.mono + 600 * SECOND);
	m.host.mono = due;
	EXPECT(in(0x608, 4) >= 0x80000000);
	EXPECT_EQ(m.host.level[9], 1);
	EXPECT_EQ(tdm_acpi_pm_deadline(&m.pm), TDM_NEVER);
	out(0x600, 2, 1);
	EXPECT_EQ(m.host.level[9], 0);
	EXPECT(tdm_acpi_pm_deadline(&m.pm) > m.host.mono);
}

/* --- test ports --- */

static void test_ports(void)
{
	setup();
	out(0xf4, 4, 0x11); /* as isa-debug-exit: a 32-bit write is one write */
	EXPECT_EQ(m.host.end, TDM_END_EXITPORT);
	EXPECT_EQ(m.host.end_value, 0x11);
	EXPECT_EQ(m.host.markers, 0);
	out(0xf5, 1, 3);
	EXPECT_EQ(m.host.markers, 1);
	out(0xe9, 1, '!');
	EXPECT(!strcmp(m.host.console, "!"));
	EXPECT_EQ(in(0xe9, 1), 0xe9);
	out(0x80, 1, 0x42);
	EXPECT_EQ(in(0x80, 1), 0x42);
}

/* Anything at all from a guest leaves the launcher standing (sanitizers watch).
 */
static void random_accesses(void)
{
	static const uint8_t sizes[] = { 1, 2, 4 };
	static const uint16_t bases[] = { 0x60,	 0x70, 0x3f0, 0x600,
					  0xcf0, 0xf0, 0x80,  0xe0 };
	uint8_t byte = 0;

	setup();
	for (unsigned int i = 0; i < 500000; i++) {
		uint64_t r = test_random();
		uint16_t port = (uint16_t)(bases[r & 7] + (r >> 3 & 0x1f));
		unsigned int size = sizes[(r >> 8) % 3];

		if (r >> 16 & 1)
			out(port, size, (uint32_t)(r >> 32));
		else
			in(port, size);
		if (!(r >> 17 & 0x3f))
			tdm_serial_send(&m.serial, &byte, 1);
		m.host.wall += (int64_t)(r >> 40);
		m.host.mono += r >> 40;
	}
	EXPECT_EQ(config(0x80000000), 0x12378086);
}

static const struct test tests[] = {
	{ "bus: unclaimed ports float", bus_unclaimed },
	{ "bus: unclaimed memory floats and is counted", bus_mmio },
	{ "bus: refuses overlaps and overflow", bus_refuses },
	{ "serial: output", serial_output },
	{ "serial: divisor latch", serial_divisor },
	{ "serial: identification", serial_identify },
	{ "serial: loop-back", serial_loopback },
	{ "serial: modem status changes", serial_modem_delta },
	{ "serial: transmitter interrupt", serial_thre_interrupt },
	{ "serial: receive FIFO and interrupts", serial_receive },
	{ "serial: the line is bounded", serial_line_is_bounded },
	{ "serial: break", serial_break },
	{ "rtc: date and formats", rtc_date },
	{ "rtc: setting the date", rtc_set_date },
	{ "rtc: update in progress", rtc_update_in_progress },
	{ "rtc: periodic interrupt", rtc_periodic },
	{ "rtc: update and alarm interrupts", rtc_update_and_alarm },
	{ "rtc: firmware bytes", rtc_memory_bytes },
	{ "rtc: random register contents", rtc_garbage },
	{ "i8042: probe without devices", i8042_probe },
	{ "i8042: resets", i8042_resets },
	{ "pci: scan finds the host bridge only", pci_scan },
	{ "pci: writable registers", pci_write },
	{ "pci: reset register", pci_reset },
	{ "acpi: power off", pm_power_off },
	{ "acpi: power button", pm_button },
	{ "acpi: timer", pm_timer },
	{ "test ports", test_ports },
	{ "random accesses to every device", random_accesses },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
