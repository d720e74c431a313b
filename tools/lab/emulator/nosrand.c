// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into Bochs in counting mode: srand() does nothing, so that what
 * RDRAND and RDSEED give is the same in each run.
 */
void srand(unsigned int seed);

void srand(unsigned int seed)
{
	(void)seed;
}
