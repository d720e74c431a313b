/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control registers, EFER and XCR0: what may be written, and what follows.
 *
 * The setters are for guest instructions and for the emulator; each checks as
 * the processor does and returns -EINVAL for #GP(0) with nothing changed. The
 * checks alone, for KVM_SET_SREGS, are tdm_cr0_valid() and friends.
 */
#ifndef TDM_CR_H
#define TDM_CR_H

#include "arch/x86/vcpu.h"

int tdm_set_cr0(struct tdm_vcpu *vcpu, u64 val);
int tdm_set_cr3(struct tdm_vcpu *vcpu, u64 val);
int tdm_set_cr4(struct tdm_vcpu *vcpu, u64 val);
int tdm_set_cr8(struct tdm_vcpu *vcpu, u64 val);
u64 tdm_get_cr8(struct tdm_vcpu *vcpu);
int tdm_set_efer(struct tdm_vcpu *vcpu, u64 val);
int tdm_set_xcr0(struct tdm_vcpu *vcpu, u64 val);

bool tdm_cr0_valid(u64 cr0);
bool tdm_cr4_valid(struct tdm_vcpu *vcpu, u64 cr4);
bool tdm_xcr0_valid(struct tdm_vcpu *vcpu, u64 xcr0);
void tdm_cr_changed(struct tdm_vcpu *vcpu, u64 old_cr0, u64 old_cr4, u64 old_efer);

/** tdm_pae_paging() - 32-bit PAE paging is on: PDPTRs are in use */
static inline bool tdm_pae_paging(const struct tdm_state *st)
{
	return (st->cr0 & (1u << 31)) && (st->cr4 & (1u << 5)) &&
	       !(st->efer & (1u << 10));
}

#endif /* TDM_CR_H */
