// SPDX-License-Identifier: GPL-2.0-only
/*
 * console.c - polled output on COM1 and a small printf.
 *
 * Knows %d %u %x %lx %s %c %% with width and zero padding, nothing else.
 * Application processors print too: a line is written under a lock.
 */
#include <stdarg.h>
#include "lib.h"

#define COM1 0x3f8
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

static volatile int console_lock;

static void lock(void)
{
	while (__atomic_exchange_n(&console_lock, 1, __ATOMIC_ACQUIRE))
		pause();
}

static void unlock(void)
{
	__atomic_store_n(&console_lock, 0, __ATOMIC_RELEASE);
}

void console_init(void);

void console_init(void)
{
	outb(COM1 + 1, 0); /* no interrupts */
	outb(COM1 + 3, 0x80); /* divisor latch */
	outb(COM1 + 0, 1); /* 115200 */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3); /* 8N1 */
	outb(COM1 + 2, 7); /* FIFO on, cleared */
	outb(COM1 + 4, 3);
}

void console_drain(void);

/* The last character has left the shift register. */
void console_drain(void)
{
	while (!(inb(COM1 + 5) & LSR_TEMT))
		pause();
}

static void put_raw(char c)
{
	while (!(inb(COM1 + 5) & LSR_THRE))
		pause();
	outb(COM1, c);
}

void putch(char c)
{
	if (c == '\n')
		put_raw('\r');
	put_raw(c);
}

static void put_num(u64 v, int base, int width, char pad)
{
	char buf[24];
	int n = 0;

	do {
		buf[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n < width--)
		putch(pad);
	while (n)
		putch(buf[--n]);
}

static void put_arg(char conv, int lng, int width, char pad, va_list *ap)
{
	const char *s;
	s64 d;

	switch (conv) {
	case 'd':
		d = lng ? va_arg(*ap, s64) : va_arg(*ap, s32);
		if (d < 0)
			putch('-');
		put_num(d < 0 ? -d : d, 10, width, pad);
		break;
	case 'u':
	case 'x':
		put_num(lng ? va_arg(*ap, u64) : va_arg(*ap, u32),
			conv == 'x' ? 16 : 10, width, pad);
		break;
	case 's':
		s = va_arg(*ap, const char *);
		while (*s)
			putch(*s++);
		break;
	case 'c':
		putch(va_arg(*ap, int));
		break;
	default:
		putch(conv);
	}
}

void vprint(const char *fmt, va_list *ap);

void vprint(const char *fmt, va_list *ap)
{
	for (; *fmt; fmt++) {
		int lng = 0, width = 0;
		char pad = ' ';

		if (*fmt != '%') {
			putch(*fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = '0';
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + *fmt++ - '0';
		while (*fmt == 'l') {
			lng = 1;
			fmt++;
		}
		put_arg(*fmt, lng, width, pad, ap);
	}
}

void printf(const char *fmt, ...)
{
	va_list ap;

	lock();
	va_start(ap, fmt);
	vprint(fmt, &ap);
	va_end(ap);
	unlock();
}

/* A line the comparer ignores. */
void info(const char *fmt, ...)
{
	va_list ap;

	lock();
	putch('#');
	putch(' ');
	va_start(ap, fmt);
	vprint(fmt, &ap);
	va_end(ap);
	putch('\n');
	unlock();
}

void print_line(const char *head, const char *name, const char *fmt,
		va_list *ap);

void print_line(const char *head, const char *name, const char *fmt,
		va_list *ap)
{
	lock();
	for (; *head; head++)
		putch(*head);
	putch(' ');
	for (; *name; name++)
		putch(*name);
	putch(':');
	putch(' ');
	vprint(fmt, ap);
	putch('\n');
	unlock();
}
