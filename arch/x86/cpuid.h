/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID: what the host could offer a guest, and what a guest was given.
 */
#ifndef TDM_CPUID_H
#define TDM_CPUID_H

#include <asm/cpufeatures.h>

#include "arch/x86/cpuid_index.h"
#include "arch/x86/vcpu.h"

/**
 * struct tdm_cpuid - a vCPU's CPUID, (v)
 * @caps: feature words as the kernel numbers them, from @entries
 * @cr4_reserved: CR4 bits this guest may not set
 * @efer_reserved: EFER bits this guest may not set
 * @xcr0: XCR0 bits this guest may set
 * @maxphyaddr: guest-physical address bits
 * @leaf1: entry with OSXSAVE, APIC, MWAIT, or NULL
 * @leaf7: entry with OSPKE, or NULL
 * @leafd: leaf 0xd subleaf 0 (XSAVE size), or NULL
 * @leafd1: leaf 0xd subleaf 1 (compacted size), or NULL
 * @idx: finds entries
 * @nent: entries
 * @entries: as the caller gave them, dynamic bits kept up to date
 */
struct tdm_cpuid {
	u32 caps[NCAPINTS];
	u64 cr4_reserved, efer_reserved, xcr0;
	u8 maxphyaddr;
	struct kvm_cpuid_entry2 *leaf1, *leaf7, *leafd, *leafd1;
	struct tdm_cpuid_index idx;
	u32 nent;
	struct kvm_cpuid_entry2 entries[];
};

/* ---- the host's offer ---- */
int tdm_cpuid_init(void);			/* at module load, before engines are probed */
void tdm_cpuid_hide(unsigned int feature);	/* an engine withdraws X86_FEATURE_* */
int tdm_cpuid_supported(struct kvm_cpuid2 __user *arg, unsigned int cmd);

/* ---- a vCPU's CPUID ---- */
int tdm_cpuid_set(struct tdm_vcpu *vcpu, const struct kvm_cpuid2 *hdr,
		  struct kvm_cpuid_entry2 __user *entries);
int tdm_cpuid_set_v1(struct tdm_vcpu *vcpu, const struct kvm_cpuid *hdr,
		     struct kvm_cpuid_entry __user *entries);
int tdm_cpuid_get(struct tdm_vcpu *vcpu, struct kvm_cpuid2 *hdr,
		  struct kvm_cpuid_entry2 __user *entries);
void tdm_cpuid_free(struct tdm_vcpu *vcpu);
void tdm_cpuid_refresh(struct tdm_vcpu *vcpu);
u32 tdm_cpuid_signature(struct tdm_vcpu *vcpu);

/**
 * tdm_cpuid_exec() - CPUID as the guest sees it
 * @vcpu: the vCPU; nothing of it but its CPUID is used
 * @eax: in: leaf; out
 * @ebx: out
 * @ecx: in: subleaf; out
 * @edx: out
 *
 * Constant time, no locks, any context that owns the vCPU. A vCPU without
 * CPUID sees zeros.
 */
static inline void tdm_cpuid_exec(struct tdm_vcpu *vcpu, u32 *eax, u32 *ebx,
				  u32 *ecx, u32 *edx)
{
	const struct tdm_cpuid *c = vcpu->cpuid;

	if (likely(c)) {
		tdm_cpuid_index_exec(&c->idx, c->entries, eax, ebx, ecx, edx);
	} else {
		*eax = 0;
		*ebx = 0;
		*ecx = 0;
		*edx = 0;
	}
}

/** tdm_cpuid_faults() - CPUID must raise #GP(0): faulting is on and CPL > 0 */
static inline bool tdm_cpuid_faults(struct tdm_vcpu *vcpu)
{
	return unlikely(vcpu->st.misc_features & 1) && tdm_cpl(vcpu);
}

/* ---- facts about the guest; before KVM_SET_CPUID2: no features, 36 bits ---- */

/** tdm_guest_has() - is the feature in the guest's CPUID? X86_FEATURE_* number */
static inline bool tdm_guest_has(struct tdm_vcpu *vcpu, unsigned int feature)
{
	return vcpu->cpuid &&
	       vcpu->cpuid->caps[feature / 32] & (1u << (feature & 31));
}

u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu);
u64 tdm_cr4_reserved(struct tdm_vcpu *vcpu);
u64 tdm_efer_reserved(struct tdm_vcpu *vcpu);
u64 tdm_xcr0_supported(struct tdm_vcpu *vcpu);
bool tdm_guest_is_intel(struct tdm_vcpu *vcpu);

#endif /* TDM_CPUID_H */
