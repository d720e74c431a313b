/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delivery of events; raising them is in core.h.
 */
#ifndef TDM_EVENT_H
#define TDM_EVENT_H

#include "arch/x86/vcpu.h"

void tdm_inject_events(struct tdm_vcpu *vcpu);
bool tdm_has_events(struct tdm_vcpu *vcpu);
bool tdm_userspace_wants_window(struct tdm_vcpu *vcpu);
bool tdm_userspace_window_open(struct tdm_vcpu *vcpu);
/** tdm_deliver_payload() - CR2 or DR6 of an exception into the canonical state */
void tdm_deliver_payload(struct tdm_vcpu *vcpu, struct tdm_event *ev);

#endif /* TDM_EVENT_H */
