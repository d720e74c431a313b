/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Debug registers: the guest's, and those a debugger of the guest set.
 */
#ifndef TDM_DR_H
#define TDM_DR_H

#include "arch/x86/vcpu.h"

u64 tdm_dr_read(struct tdm_vcpu *vcpu, int dr);
int tdm_dr_write(struct tdm_vcpu *vcpu, int dr, u64 val);
int tdm_get_dr(struct tdm_vcpu *vcpu, int dr, u64 *val);
int tdm_set_dr(struct tdm_vcpu *vcpu, int dr, u64 val);
u64 tdm_dr_io_hits(struct tdm_vcpu *vcpu, u16 port, u8 size);
u64 tdm_dr6_fixed(struct tdm_vcpu *vcpu);

/*
 * What the hardware must have while the guest runs: with
 * KVM_GUESTDBG_USE_HW_BP the debugger's breakpoints replace the guest's.
 */
static inline u64 tdm_dr_effective(const struct tdm_vcpu *vcpu, int dr)
{
	return vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ?
	       vcpu->debug_dr[dr] : vcpu->st.dr[dr];
}

static inline u64 tdm_dr7_effective(const struct tdm_vcpu *vcpu)
{
	return vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ?
	       vcpu->debug_dr7 : vcpu->st.dr7;
}

/** tdm_dr_is_exec() - is breakpoint @i of DR7 on, and one on execution? */
static inline bool tdm_dr_is_exec(u64 dr7, int i)
{
	return (dr7 >> (2 * i) & 3) && !(dr7 >> (16 + 4 * i) & 3);
}

/** tdm_dr_any() - is any breakpoint on? Costs nothing while the engine keeps DR7 fresh */
static inline bool tdm_dr_any(struct tdm_vcpu *vcpu)
{
	tdm_need(vcpu, TDM_ST_DR7);
	return tdm_dr7_effective(vcpu) & 0xff;
}

#endif /* TDM_DR_H */
