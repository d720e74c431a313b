/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * INVEPT and INVVPID (SDM vol. 3, chapter 30).
 */
#ifndef TDM_VMX_INV_H
#define TDM_VMX_INV_H

#include <asm/asm.h>
#include <linux/types.h>

void tdm_inv_failed(const char *insn, unsigned long type, u64 context);

/**
 * tdm_invept() - drop translations derived from EPT on this CPU
 * @type: INV_SINGLE (all of @eptp's tables) or INV_ALL
 * @eptp: as in the VMCS
 */
static inline void tdm_invept(unsigned long type, u64 eptp)
{
	struct { u64 eptp, zero; } desc = { eptp, 0 };

	asm goto("1:\tinvept %[desc], %[type]\n\t"
		 "jbe %l[fail]\n"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [desc] "m" (desc), [type] "r" (type) : "cc", "memory" : fail);
	return;
fail:
	tdm_inv_failed("INVEPT", type, eptp);
}

/**
 * tdm_invvpid() - drop linear and combined translations on this CPU
 * @type: INV_SINGLE (all of @vpid's) or INV_ALL
 * @vpid: not 0 for INV_SINGLE
 */
static inline void tdm_invvpid(unsigned long type, u16 vpid)
{
	struct { u64 vpid, gva; } desc = { vpid, 0 };

	asm goto("1:\tinvvpid %[desc], %[type]\n\t"
		 "jbe %l[fail]\n"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [desc] "m" (desc), [type] "r" (type) : "cc", "memory" : fail);
	return;
fail:
	tdm_inv_failed("INVVPID", type, vpid);
}

#endif /* TDM_VMX_INV_H */
