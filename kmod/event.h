/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Delivery of events; raising them is in core.h.
 */
#ifndef TDM_EVENT_H
#define TDM_EVENT_H

#include <asm/debugreg.h>

#include "arch/x86/vcpu.h"

/* What <asm/debugreg.h> has no name for (SDM vol. 3, 17.2.3 and 17.2.4) */
#define TDM_DR6_BREAKPOINTS	0xfull		/* B0-B3 */
#define TDM_DR6_BD		BIT_ULL(13)
#define TDM_DR6_BS		BIT_ULL(14)
#define TDM_DR7_GD		BIT_ULL(13)
#define TDM_DR7_RESET		0x400ull

void tdm_inject_events(struct tdm_vcpu *vcpu);
bool tdm_has_events(struct tdm_vcpu *vcpu);
bool tdm_userspace_wants_window(struct tdm_vcpu *vcpu);
bool tdm_userspace_window_open(struct tdm_vcpu *vcpu);
/** tdm_deliver_payload() - CR2 or DR6 of an exception into the canonical state */
void tdm_deliver_payload(struct tdm_vcpu *vcpu, struct tdm_event *ev);

#endif /* TDM_EVENT_H */
