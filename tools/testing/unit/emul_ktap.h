/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test results in the KTAP format, for the emulator's userspace tests.
 */
#ifndef EMUL_KTAP_H
#define EMUL_KTAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static unsigned int ktap_number, ktap_failed;

static inline void ktap_start(unsigned int tests)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", tests);
}

__attribute__((format(printf, 2, 3)))
static inline void ktap_result(bool ok, const char *fmt, ...)
{
	va_list ap;

	ktap_failed += !ok;
	printf("%sok %u ", ok ? "" : "not ", ++ktap_number);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static inline void ktap_skip(const char *name, const char *why)
{
	printf("ok %u %s # SKIP %s\n", ++ktap_number, name, why);
}

/* Exit status of the program. */
static inline int ktap_end(void)
{
	return ktap_failed ? 1 : 0;
}

#endif /* EMUL_KTAP_H */
