// SPDX-License-Identifier: GPL-2.0-only
/*
 * paging32.c - 32-bit paging: with and without page-size extensions, 4 MiB
 * pages and their bits for addresses beyond 4 GiB.
 *
 * SDM vol. 3, "32-Bit Paging".
 */
#include "pgtest.h"

const char guest_name[] = "paging32";

void guest_main(void)
{
	struct pgenv env = { .mode = PG_32, .wp = true };
	u64 seed;

	test_rights("rights", env);
	env.wp = false;
	test_rights("rights.wp0", env);
	if (HAS_SMEP) {
		env.smep = true;
		test_rights("rights.smep_wp0", env);
		env.wp = true;
		test_rights("rights.smep", env);
		env.smep = false;
	}
	if (HAS_SMAP) {
		env.smap = true;
		test_rights("rights.smap", env);
		env.ac = true;
		test_rights("rights.smap_ac", env);
		env.smap = env.ac = false;
	}
	env.wp = true;
	/* Without PSE the PS bit of a directory entry means nothing. */
	test_flips("flips.pte", env, 1, false);
	test_flips("flips.pde", env, 2, false);
	env.pse = true;
	test_rights("rights.pse", env);
	test_flips("flips.pse.pte", env, 1, false);
	test_flips("flips.pse.pde", env, 2, false);
	test_flips("flips.pde_4m", env, 2, true);
	for (seed = 1; seed < 13; seed++) {
		env.pse = seed & 1;
		env.wp = seed & 2;
		env.smep = HAS_SMEP && (seed & 4);
		env.smap = HAS_SMAP && (seed & 8);
		test_random("random", env, seed);
	}
}
