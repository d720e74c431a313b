// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpu.c - what CPUID offers.
 */
#include "lib.h"

bool cpu_has(u32 leaf, u32 sub, int reg, int bit)
{
	struct cpuid c = cpuid(leaf & 0x80000000, 0);

	if (c.eax < leaf)
		return false;
	c = cpuid(leaf, sub);
	return (&c.eax)[reg] >> bit & 1;
}

u64 virt_bits(void)
{
	return HAS_LA57 && (read_cr4() & CR4_LA57) ? 57 : 48;
}

u64 phys_bits(void)
{
	if (cpuid(0x80000000, 0).eax < 0x80000008)
		return 36;
	return cpuid(0x80000008, 0).eax & 0xff;
}
