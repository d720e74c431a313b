/* SPDX-License-Identifier: GPL-2.0-only */
/* --audit: the module checks its guest mappings at the end of a run. */
#ifndef TANDEM_AUDIT_H
#define TANDEM_AUDIT_H

int tdm_audit(void);

#endif
