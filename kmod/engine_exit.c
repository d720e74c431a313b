// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits that only engines without VM exits have: an exception that is the guest's
 * own comes back to be delivered, and work of the engine's that may sleep.
 */
#include "kmod/core.h"

/** tdm_handle_guest_exc() - TDM_EXIT_GUEST_EXC */
int tdm_handle_guest_exc(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_queue_exception_payload(vcpu, exit->exc.vector, exit->exc.has_error,
				    exit->exc.error, exit->exc.payload);
	return 1;
}

/** tdm_fast_guest_exc() - TDM_EXIT_GUEST_EXC with interrupts off */
enum tdm_fast tdm_fast_guest_exc(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	tdm_handle_guest_exc(vcpu, exit);
	return TDM_FAST_EVENTS;
}

/** tdm_handle_engine() - TDM_EXIT_ENGINE: what the engine could not do with interrupts off */
int tdm_handle_engine(struct tdm_vcpu *vcpu, struct tdm_exit *exit)
{
	int r;

	tdm_stat(vcpu, exit_engine);
	r = vcpu->ops->slow(vcpu, exit);
	if (r)
		return r;
	if (WARN_ON_ONCE(exit->kind == TDM_EXIT_ENGINE))
		return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, exit);
	return tdm_handle_exit(vcpu, exit);
}
