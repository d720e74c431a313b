// SPDX-License-Identifier: GPL-2.0-only
/*
 * expect.c - one-line checks: run a snippet from the default state, expect one
 * outcome.
 *
 * Registers a snippet needs beyond the default it loads itself; a test that
 * has to see more than the frame uses exec_init() and exec64() directly.
 */
#include "lib.h"

/* Ring 0, 64 bits: faults at the instruction under test. */
void expect_fault(const char *name, struct snip s, int vec, u64 err)
{
	struct exec x;

	exec_init(&x, &s);
	exec64(&x);
	check_exc(name, &x, &s, vec, err, s.at);
}

/* Ring 0, 64 bits: raises a trap; the saved RIP is behind it. */
void expect_trap(const char *name, struct snip s, int vec)
{
	struct exec x;

	exec_init(&x, &s);
	exec64(&x);
	check_exc(name, &x, &s, vec, NO_ERR, s.after);
}

/* Ring 0, 64 bits: runs to the end. */
void expect_done(const char *name, struct snip s)
{
	struct exec x;

	exec_init(&x, &s);
	exec64(&x);
	check_done(name, &x, &s);
}

/* Ring 3, 64 bits. */
void expect_user_fault(const char *name, struct snip s, int vec, u64 err)
{
	struct exec x;

	exec_user(&x, &s);
	exec64(&x);
	check_exc(name, &x, &s, vec, err, s.at);
}

void expect_user_trap(const char *name, struct snip s, int vec)
{
	struct exec x;

	exec_user(&x, &s);
	exec64(&x);
	check_exc(name, &x, &s, vec, NO_ERR, s.after);
}

void expect_user_done(const char *name, struct snip s)
{
	struct exec x;

	exec_user(&x, &s);
	exec64(&x);
	check_done(name, &x, &s);
}

/* Ring 3, compatibility mode (SNIP32). */
void expect_compat_fault(const char *name, struct snip s, int vec, u64 err)
{
	struct exec x;

	exec_user32(&x, &s);
	exec64(&x);
	check_exc(name, &x, &s, vec, err, s.at);
}

void expect_compat_trap(const char *name, struct snip s, int vec)
{
	struct exec x;

	exec_user32(&x, &s);
	exec64(&x);
	check_exc(name, &x, &s, vec, NO_ERR, s.after);
}
