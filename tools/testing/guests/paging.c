// SPDX-License-Identifier: GPL-2.0-only
/*
 * paging.c - 4-level paging: every combination of rights at every level, kind
 * of access, and control register; every bit of every entry; random tables.
 *
 * SDM vol. 3, "4-Level Paging and 5-Level Paging", "Access Rights",
 * "Page-Fault Exceptions".
 */
#include "pgtest.h"

const char guest_name[] = "paging";

static const struct pgenv plain = { .mode = PG_64, .wp = true, .nxe = true };

static void rights(void)
{
	struct pgenv env = plain;

	test_rights("rights", env);
	env.wp = false;
	test_rights("rights.wp0", env);
	env = plain;
	env.nxe = false;
	test_rights("rights.nxe0", env);
	env = plain;
	if (HAS_SMEP) {
		env.smep = true;
		test_rights("rights.smep", env);
		env.nxe = false;
		test_rights("rights.smep_nxe0", env);
		env.wp = false;
		test_rights("rights.smep_nxe0_wp0", env);
	} else {
		skip("rights.smep", "no SMEP");
	}
	env = plain;
	if (HAS_SMAP) {
		env.smap = true;
		test_rights("rights.smap", env);
		env.wp = false;
		test_rights("rights.smap_wp0", env);
		env.ac = true;
		test_rights("rights.smap_ac_wp0", env);
		env.wp = true;
		test_rights("rights.smap_ac", env);
		env.smep = HAS_SMEP;
		test_rights("rights.smap_ac_smep", env);
	} else {
		skip("rights.smap", "no SMAP");
	}
}

static void flips(void)
{
	struct pgenv env = plain;

	test_flips("flips.pte", env, 1, false);
	test_flips("flips.pde", env, 2, false);
	test_flips("flips.pdpte", env, 3, false);
	test_flips("flips.pml4e", env, 4, false);
	test_flips("flips.pde_2m", env, 2, true);
	if (HAS_1G)
		test_flips("flips.pdpte_1g", env, 3, true);
	else
		skip("flips.pdpte_1g", "no 1 GiB pages");
	env.nxe = false;
	test_flips("flips.nxe0.pte", env, 1, false);
	test_flips("flips.nxe0.pde", env, 2, false);
	test_flips("flips.nxe0.pml4e", env, 4, false);
	test_flips("flips.nxe0.pde_2m", env, 2, true);
}

static void random(void)
{
	struct pgenv env = plain;
	u64 seed;

	test_random("random.1", env, 1);
	test_random("random.2", env, 2);
	test_random("random.3", env, 3);
	for (seed = 4; seed < 20; seed++) {
		env.wp = seed & 1;
		env.nxe = seed & 2;
		env.smep = HAS_SMEP && (seed & 4);
		env.smap = HAS_SMAP && (seed & 8);
		env.ac = pg_random() & 1;
		test_random("random", env, seed);
	}
}

void guest_main(void)
{
	rights();
	flips();
	random();
}
