/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Harness for the launcher's unit tests: named tests, expectations that go on
 * after a failure, KTAP on stdout, and a fake machine for device models.
 *
 * The launcher's own messages and the sanitizers' go to stderr; tests provoke
 * the former, so it is worth reading only after a failure.
 */
#ifndef LAUNCHER_TEST_H
#define LAUNCHER_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "util.h"

struct test {
	const char *name;
	void (*run)(void);
};

static bool test_failed;

#define EXPECT(cond)                                                           \
	do {                                                                   \
		if (!(cond)) {                                                 \
			printf("# %s:%d: not so: %s\n", __FILE__, __LINE__,    \
			       #cond);                                         \
			test_failed = true;                                    \
		}                                                              \
	} while (0)

#define EXPECT_EQ(a, b)                                                        \
	do {                                                                   \
		unsigned long long test_a = (unsigned long long)(a);           \
		unsigned long long test_b = (unsigned long long)(b);           \
									\
		if (test_a != test_b) {                                        \
			printf("# %s:%d: %s is 0x%llx, expected 0x%llx\n",     \
			       __FILE__, __LINE__, #a, test_a, test_b);        \
			test_failed = true;                                    \
		}                                                              \
	} while (0)

static inline int run_tests(const struct test *tests, unsigned int n)
{
	unsigned int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", n);
	for (unsigned int i = 0; i < n; i++) {
		test_failed = false;
		tests[i].run();
		printf("%sok %u %s\n", test_failed ? "not " : "", i + 1,
		       tests[i].name);
		failed += test_failed;
	}
	return failed != 0;
}

/* What the devices did to the machine they think they sit in. */
struct fake_host {
	struct tdm_devhost ops;
	int level[24];		/* interrupt lines */
	unsigned int edges[24]; /* rising edges */
	enum tdm_end end;
	int end_value;
	unsigned int wakes, markers;
	char console[256];
	unsigned int console_len;
	uint64_t mono;
	int64_t wall;
};

static inline void fake_irq(void *ctx, unsigned int gsi, int level)
{
	struct fake_host *f = ctx;

	if (level && !f->level[gsi])
		f->edges[gsi]++;
	f->level[gsi] = level;
}

static inline void fake_end(void *ctx, enum tdm_end why, int value)
{
	struct fake_host *f = ctx;

	f->end = why;
	f->end_value = value;
}

static inline void fake_wake(void *ctx)
{
	((struct fake_host *)ctx)->wakes++;
}

static inline void fake_console(void *ctx, uint8_t byte)
{
	struct fake_host *f = ctx;

	if (f->console_len < sizeof(f->console) - 1)
		f->console[f->console_len++] = (char)byte;
}

static inline void fake_marker(void *ctx, uint8_t id)
{
	(void)id;
	((struct fake_host *)ctx)->markers++;
}

static inline uint64_t fake_mono(void *ctx)
{
	return ((struct fake_host *)ctx)->mono;
}

static inline int64_t fake_wall(void *ctx)
{
	return ((struct fake_host *)ctx)->wall;
}

static inline void fake_init(struct fake_host *f)
{
	memset(f, 0, sizeof(*f));
	f->ops = (struct tdm_devhost){
		.ctx = f,
		.set_irq = fake_irq,
		.end = fake_end,
		.wake = fake_wake,
		.put_console = fake_console,
		.marker = fake_marker,
		.mono_ns = fake_mono,
		.wall_ns = fake_wall,
	};
	f->mono = 1000000000000ULL;
	f->wall = 1795256099LL * 1000000000LL; /* 2026-11-21 10:14:59 UTC */
}

/* A repeatable stream of numbers (xorshift64). */
static inline uint64_t test_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

#endif
