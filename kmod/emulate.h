/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator of a vCPU, shared by kmod/emulate.c (its use, its ops on
 * registers and devices) and kmod/emul_mem.c (its ops on memory).
 */
#ifndef TDM_EMULATE_H
#define TDM_EMULATE_H

#include "arch/x86/emul/emul.h"
#include "shadow_mmu/softtlb.h"

/**
 * struct tdm_emul - emulator of one vCPU
 * @c: the emulator's context
 * @vcpu: (c) its owner
 * @tlb: (v) where linear pages are
 * @expected: (v) scratch: the old value of a compare and exchange
 * @look: (v) the step may have changed what the run loop or the engine decides on
 * @shadowed: (v) interrupt shadow before the step
 * @rsp: (v) RSP before the step
 * @rflags: (v) RFLAGS before the step
 * @err: (v) errno of an op that the guest is not to blame for
 * @halted: (v) the step executed HLT
 * @features_valid: (v) c.features is computed; CPUID does not change after
 *		    the first KVM_RUN
 */
struct tdm_emul {
	struct tdm_emul_ctxt c;
	struct tdm_vcpu *vcpu;
	struct tdm_softtlb tlb;
	u64 expected[2];
	bool look;
	u8 shadowed;
	u64 rsp;
	u64 rflags;
	int err;
	bool halted;
	bool features_valid;
};

/* The emulator a context belongs to. */
static inline struct tdm_emul *tdm_emul_of(struct tdm_emul_ctxt *c)
{
	return container_of(c, struct tdm_emul, c);
}

static inline struct tdm_vcpu *vcpu_of(struct tdm_emul_ctxt *c)
{
	return tdm_emul_of(c)->vcpu;
}

/* emul_mem.c: memory ops, see struct tdm_emul_ops */
extern bool tdm_emul_cache;	/* module parameter emul_cache */
int tdm_emul_fetch(struct tdm_emul_ctxt *c, u64 lin, void *data, unsigned int size,
		   unsigned int acc);
int tdm_emul_read(struct tdm_emul_ctxt *c, u64 lin, void *data, unsigned int size,
		  unsigned int acc);
int tdm_emul_write(struct tdm_emul_ctxt *c, u64 lin, const void *data,
		   unsigned int size, unsigned int acc);
int tdm_emul_probe(struct tdm_emul_ctxt *c, u64 lin, unsigned int size,
		   unsigned int acc);
int tdm_emul_cmpxchg(struct tdm_emul_ctxt *c, u64 lin, const void *old,
		     const void *new, unsigned int size, unsigned int acc);

#endif /* TDM_EMULATE_H */
