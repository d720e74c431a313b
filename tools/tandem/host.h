/* SPDX-License-Identifier: GPL-2.0-only */
/* Facts about the host that decide whether a VM can run. */
#ifndef TANDEM_HOST_H
#define TANDEM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tdm_lock {
	TDM_LOCK_UNKNOWN, /* the MSR cannot be read */
	TDM_LOCK_OPEN,	  /* VMX may be used, or be enabled by the kernel */
	TDM_LOCK_OFF	  /* firmware switched VMX off and locked it */
};

bool tdm_host_cpu(char *vendor, size_t vendor_size, char *model,
		  size_t model_size, bool *vmx, bool *svm);
enum tdm_lock tdm_host_vmx_lock(void);
int tdm_host_module_users(const char *name);
bool tdm_host_lockdown(char *mode, size_t size);
int tdm_host_secure_boot(void);
bool tdm_host_sig_enforced(void);

#endif
