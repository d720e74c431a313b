// SPDX-License-Identifier: GPL-2.0-only
/* tsc: print the time stamp counter; in counting mode it counts instructions. */
#include <stdio.h>
#include <x86intrin.h>

int main(void)
{
	printf("%llu\n", __rdtsc());
	return 0;
}
