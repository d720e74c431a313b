// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names and plain-English texts of the counters, from the one list in stats.h.
 */
#include "arch/x86/stats.h"

const struct tdm_stat_desc tdm_vcpu_stat_desc[TDM_NR_VCPU_STATS] = {
#define X(id, text) [TDM_STAT_##id] = { #id, text },
	TDM_VCPU_STATS(X)
#undef X
};

const struct tdm_stat_desc tdm_vm_stat_desc[TDM_NR_VM_STATS] = {
#define X(id, text) [TDM_VMSTAT_##id] = { #id, text },
	TDM_VM_STATS(X)
#undef X
};
