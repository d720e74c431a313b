// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the architecture allows in MSRs, case by case from the manual.
 */
#include "arch/x86/msr_check.h"

#include <stdint.h>

#include "emul_ktap.h"

static bool test_canonical(void)
{
	return tdm_canonical(0, 48) && tdm_canonical(0x00007fffffffffff, 48) &&
	       !tdm_canonical(0x0000800000000000, 48) &&
	       !tdm_canonical(0xffff7fffffffffff, 48) &&
	       tdm_canonical(0xffff800000000000, 48) && tdm_canonical(~0ull, 48) &&
	       tdm_canonical(0x0000800000000000, 57) &&
	       !tdm_canonical(0x0100000000000000, 57) &&
	       tdm_canonical(0xff00000000000000, 57);
}

static bool test_pat(void)
{
	unsigned int slot, type;
	u64 base = 0x0007040600070406ull, val;

	if (!tdm_pat_valid(base) || !tdm_pat_valid(0) || tdm_pat_valid(~0ull))
		return false;
	for (slot = 0; slot < 8; slot++)
		for (type = 0; type < 256; type++) {
			val = (base & ~(0xffull << (slot * 8))) | (u64)type << (slot * 8);
			if (tdm_pat_valid(val) != (type < 8 && type != 2 && type != 3))
				return false;
		}
	return true;
}

static bool test_mtrr_fixed(void)
{
	unsigned int type;

	for (type = 0; type < 256; type++)
		if (tdm_mtrr_fixed_valid((u64)type << 56) !=
		    (type == 0 || type == 1 || type == 4 || type == 5 || type == 6))
			return false;
	return tdm_mtrr_fixed_valid(0x0606060606060606ull);
}

static bool test_mtrr_def(void)
{
	return tdm_mtrr_def_valid(0xc06) && tdm_mtrr_def_valid(0) &&
	       tdm_mtrr_def_valid(0x800) && !tdm_mtrr_def_valid(0xc07) &&
	       !tdm_mtrr_def_valid(0xc02) && !tdm_mtrr_def_valid(0x1006) &&
	       !tdm_mtrr_def_valid(0x106) && !tdm_mtrr_def_valid(1ull << 40);
}

static bool test_mtrr_var(void)
{
	return tdm_mtrr_var_valid(0x80000006, false, 40) &&
	       !tdm_mtrr_var_valid(0x80000106, false, 40) &&
	       !tdm_mtrr_var_valid(0x80000003, false, 40) &&
	       !tdm_mtrr_var_valid(1ull << 40, false, 40) &&
	       tdm_mtrr_var_valid(0xff80000800ull, true, 40) &&
	       !tdm_mtrr_var_valid(0xff80000801ull, true, 40) &&
	       !tdm_mtrr_var_valid(0x1ff80000800ull, true, 40) &&
	       tdm_mtrr_var_valid(0xfffff80000800ull, true, 52);
}

static bool test_mci_ctl(void)
{
	return tdm_mci_ctl_valid(0) && tdm_mci_ctl_valid(~0ull) &&
	       tdm_mci_ctl_valid(~0ull & ~(1ull << 10)) && tdm_mci_ctl_valid(~1ull) &&
	       !tdm_mci_ctl_valid(1) && !tdm_mci_ctl_valid(~2ull);
}

static bool test_tsc(void)
{
	const u64 hz = 1000000000;

	return tdm_tsc_synchronises(0, 123456789012, 5, hz) &&	/* a new vCPU */
	       tdm_tsc_synchronises(5000 * hz, 5000 * hz, 10, hz) &&
	       tdm_tsc_synchronises(5000 * hz, 4998 * hz, 2 * hz, hz) &&
	       !tdm_tsc_synchronises(5000 * hz, 4998 * hz, 10, hz) &&
	       !tdm_tsc_synchronises(5001 * hz, 5000 * hz, 0, hz) &&
	       !tdm_tsc_synchronises(4999 * hz, 5000 * hz, 0, hz);
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "msr.canonical", test_canonical },
	{ "msr.pat", test_pat },
	{ "msr.mtrr_fixed", test_mtrr_fixed },
	{ "msr.mtrr_def_type", test_mtrr_def },
	{ "msr.mtrr_variable", test_mtrr_var },
	{ "msr.mci_ctl", test_mci_ctl },
	{ "msr.tsc_synchronises", test_tsc },
};

int main(void)
{
	unsigned int i;

	ktap_start(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ktap_result(tests[i].run(), "%s", tests[i].name);
	return ktap_end();
}
