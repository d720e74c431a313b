/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bt_verify: what translated code does against what the interpreter does.
 */
#ifndef TDM_VERIFY_H
#define TDM_VERIFY_H

#include "arch/x86/vcpu.h"

/* Both in process context, around one enter() of the engine. */
void tdm_verify_begin(struct tdm_vcpu *vcpu);
int tdm_verify_end(struct tdm_vcpu *vcpu);	/* 1, or 0 with KVM_EXIT_INTERNAL_ERROR: they differ */
void tdm_verify_free(struct tdm_vcpu *vcpu);

#endif /* TDM_VERIFY_H */
