// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments in the ABI's form: access rights taken apart bit by bit.
 *
 * Pure: also built by the unit tests. A segment that is not present counts as
 * unusable, as in KVM; the other bits survive a round trip.
 */
#include "arch/x86/emul/port.h"
#include "arch/x86/segment.h"

/** tdm_segment_to_kvm() - take a segment apart */
void tdm_segment_to_kvm(const struct tdm_segment *s, struct kvm_segment *k)
{
	*k = (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->ar & TDM_AR_TYPE,
		.s = !!(s->ar & TDM_AR_S),
		.dpl = (s->ar & TDM_AR_DPL) >> TDM_AR_DPL_SHIFT,
		.present = !(s->ar & TDM_AR_UNUSABLE) && (s->ar & TDM_AR_P),
		.avl = !!(s->ar & TDM_AR_AVL),
		.l = !!(s->ar & TDM_AR_L),
		.db = !!(s->ar & TDM_AR_DB),
		.g = !!(s->ar & TDM_AR_G),
		.unusable = !!(s->ar & TDM_AR_UNUSABLE),
	};
}

/** tdm_segment_from_kvm() - put a segment together; of each field only its bits count */
void tdm_segment_from_kvm(struct tdm_segment *s, const struct kvm_segment *k)
{
	*s = (struct tdm_segment){
		.base = k->base,
		.limit = k->limit,
		.selector = k->selector,
		.ar = (k->type & 0xf) |
		      (k->s & 1 ? TDM_AR_S : 0) |
		      (u32)(k->dpl & 3) << TDM_AR_DPL_SHIFT |
		      (k->present & 1 ? TDM_AR_P : 0) |
		      (k->avl & 1 ? TDM_AR_AVL : 0) |
		      (k->l & 1 ? TDM_AR_L : 0) |
		      (k->db & 1 ? TDM_AR_DB : 0) |
		      (k->g & 1 ? TDM_AR_G : 0) |
		      (k->unusable || !(k->present & 1) ? TDM_AR_UNUSABLE : 0),
	};
}
