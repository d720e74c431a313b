// SPDX-License-Identifier: GPL-2.0-only
/*
 * hello.c - the smallest guest: long mode, a line on COM1, the end.
 */
#include "lib.h"

const char guest_name[] = "hello";

void guest_main(void)
{
	check(true, "hello", "from 64-bit mode, cr0 %lx", read_cr0());
}
