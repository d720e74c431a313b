/* SPDX-License-Identifier: GPL-2.0-only */
/* The payloads of payloads.S, for C. */
#ifndef TDM_PAYLOADS_H
#define TDM_PAYLOADS_H

#ifndef __ASSEMBLER__
#define PAYLOAD(name)	({ extern const char p_##name[]; p_##name; })
extern const char pt_blob[], pt_blob_end[];
#endif

#endif /* TDM_PAYLOADS_H */
