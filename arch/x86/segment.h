/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct tdm_segment from a descriptor; to and from struct kvm_segment, the ABI's
 * form.
 */
#ifndef TDM_SEGMENT_H
#define TDM_SEGMENT_H

#include <linux/kvm.h>

#include "arch/x86/state.h"

void tdm_segment_to_kvm(const struct tdm_segment *s, struct kvm_segment *k);
void tdm_segment_from_kvm(struct tdm_segment *s, const struct kvm_segment *k);

/**
 * tdm_segment_from_desc() - what a segment register holds after a load
 * @s: result
 * @desc: code, data or system descriptor, its low 8 bytes (SDM vol. 3, 3.4.5)
 * @sel: selector
 *
 * Nothing is checked. Inline: the BT engine's IRETQ loads two.
 */
static inline void tdm_segment_from_desc(struct tdm_segment *s, __u64 desc, __u16 sel)
{
	__u32 limit = (desc & 0xffff) | (desc >> 32 & 0xf0000);
	__u32 ar = desc >> 40 & 0xf0ff;

	*s = (struct tdm_segment){
		.base = (desc >> 16 & 0xffffff) | (desc >> 32 & 0xff000000),
		.limit = ar & TDM_AR_G ? limit << 12 | 0xfff : limit,
		.ar = ar,
		.selector = sel,
	};
}

#endif /* TDM_SEGMENT_H */
