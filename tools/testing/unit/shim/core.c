// SPDX-License-Identifier: GPL-2.0-only
/* What the rest of the core answers, unless the test has an answer of its own. */
#include "arch/x86/compat.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/fpu.h"
#include "kmod/devices/irq.h"

struct tdm_shrinker *shim_shrinker;

#define DEFAULT __attribute__((weak))

DEFAULT bool tdm_guest_has(struct tdm_vcpu *vcpu, unsigned int feature) { return true; }
DEFAULT u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu) { return 40; }
DEFAULT u64 tdm_cr4_reserved(struct tdm_vcpu *vcpu) { return 1ull << 12; }
DEFAULT u64 tdm_efer_reserved(struct tdm_vcpu *vcpu) { return ~0xd01ull; }
DEFAULT u64 tdm_xcr0_supported(struct tdm_vcpu *vcpu) { return 3; }
DEFAULT u32 tdm_fpu_pkru(struct tdm_vcpu *vcpu) { return 0; }
DEFAULT void tdm_cpuid_refresh(struct tdm_vcpu *vcpu) { }
DEFAULT void tdm_fpu_refresh(struct tdm_vcpu *vcpu) { }
DEFAULT void tdm_lapic_set_tpr(struct tdm_vcpu *vcpu, u64 tpr) { }
DEFAULT u64 tdm_lapic_get_tpr(struct tdm_vcpu *vcpu) { return 0; }
