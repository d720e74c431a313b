/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct tdm_segment <-> struct kvm_segment, the ABI's form.
 */
#ifndef TDM_SEGMENT_H
#define TDM_SEGMENT_H

#include <linux/kvm.h>

#include "arch/x86/state.h"

void tdm_segment_to_kvm(const struct tdm_segment *s, struct kvm_segment *k);
void tdm_segment_from_kvm(struct tdm_segment *s, const struct kvm_segment *k);

#endif /* TDM_SEGMENT_H */
