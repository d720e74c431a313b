/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segment and gate descriptors as they lie in memory (SDM vol. 3, 3.4.5, 5.8.3).
 */
#ifndef TDM_EMUL_DESC_H
#define TDM_EMUL_DESC_H

#include "arch/x86/segment.h"
#include "internal.h"

#define EMUL_DESC_ACCESSED	BIT_ULL(40)
#define EMUL_DESC_S		BIT_ULL(44)
#define EMUL_DESC_PRESENT	BIT_ULL(47)
#define EMUL_DESC_L		BIT_ULL(53)
#define EMUL_DESC_DB		BIT_ULL(54)

/* Types of system descriptors (S = 0). */
enum {
	EMUL_SYS_TSS16 = 1, EMUL_SYS_LDT = 2, EMUL_SYS_TSS16_BUSY = 3,
	EMUL_SYS_CALL16 = 4, EMUL_SYS_TASK = 5, EMUL_SYS_INT16 = 6,
	EMUL_SYS_TRAP16 = 7, EMUL_SYS_TSS = 9, EMUL_SYS_TSS_BUSY = 11,
	EMUL_SYS_CALL = 12, EMUL_SYS_INT = 14, EMUL_SYS_TRAP = 15,
};

/**
 * struct emul_desc - a descriptor and where it came from
 * @raw: low 8 bytes
 * @lin: linear address
 */
struct emul_desc {
	u64 raw;
	u64 lin;
};

static inline unsigned int emul_desc_dpl(const struct emul_desc *d)
{
	return d->raw >> 45 & 3;
}

static inline unsigned int emul_desc_type(const struct emul_desc *d)
{
	return d->raw >> 40 & 15;
}

bool emul_desc_linear(struct tdm_emul_ctxt *c, u16 sel, unsigned int size,
		      u64 *lin);
int emul_read_desc(struct tdm_emul_ctxt *c, u16 sel, u8 vector,
		   struct emul_desc *d);
int emul_set_accessed(struct tdm_emul_ctxt *c, struct emul_desc *d);
void emul_load_seg_real(struct tdm_emul_ctxt *c, enum tdm_seg seg, u16 sel);

/* far.c */
bool emul_desc_is_code(const struct tdm_emul_ctxt *c, const struct emul_desc *d);
int emul_load_cs(struct tdm_emul_ctxt *c, struct emul_desc *d, u16 sel,
		 unsigned int cpl, u64 rip);
int emul_inner_stack(struct tdm_emul_ctxt *c, unsigned int cpl, unsigned int ist);
int emul_outer_ss(struct tdm_emul_ctxt *c, u16 sel, const struct tdm_segment *cs);
void emul_drop_segments(struct tdm_emul_ctxt *c, unsigned int cpl);

/* op_far.c */
int emul_return_cs(struct tdm_emul_ctxt *c, u16 sel, struct emul_desc *d);
int emul_return_outer(struct tdm_emul_ctxt *c, u16 ss, u64 sp,
		      unsigned int release, unsigned int size);

#endif /* TDM_EMUL_DESC_H */
