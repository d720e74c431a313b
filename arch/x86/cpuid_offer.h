/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this host could offer a guest in CPUID.
 */
#ifndef TDM_CPUID_OFFER_H
#define TDM_CPUID_OFFER_H

#include <linux/kvm.h>
#include <linux/types.h>

/**
 * struct tdm_xsave_area - one XSAVE component, from the host's CPUID leaf 0xd
 * @size: bytes
 * @offset: in the standard format
 * @flags: ECX: bit 0 supervisor, bit 1 aligned to 64 bytes when compacted
 */
struct tdm_xsave_area {
	u32 size;
	u32 offset;
	u32 flags;
};

int tdm_offer_init(void);
u32 tdm_offer_word(unsigned int word);
bool tdm_offer_has(unsigned int feature);
u64 tdm_offer_xcr0(void);
u64 tdm_offer_efer(void);
u8 tdm_offer_maxphyaddr(void);
u32 tdm_xsave_size(u64 features, bool compacted);
int tdm_offer_fill(struct kvm_cpuid_entry2 *e, int room);

/* Where the kernel's feature words (X86_FEATURE_x / 32) come from */
struct tdm_cpuid_word {
	u32 function;
	u8 index;
	u8 reg;		/* 0 EAX, 1 EBX, 2 ECX, 3 EDX */
	bool used;
	u32 offer;	/* what a guest may be told, host permitting */
	u32 always;	/* emulated: offered whatever the host has */
};

extern const struct tdm_cpuid_word tdm_cpuid_words[];
extern const unsigned int tdm_nr_cpuid_words;

#endif /* TDM_CPUID_OFFER_H */
