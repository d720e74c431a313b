// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's memory ops: guest-linear memory of a vCPU.
 *
 * Each op asks the software TLB first. What that does not know (-EAGAIN) goes the
 * slow way: a walk with all checks, then tdm_read_gpa() and friends. The two must
 * not differ but in speed; module parameter emul_cache=0 leaves the slow way only.
 *
 * Process context, vCPU loaded; may sleep.
 */
#include <asm/trapnr.h>
#include <linux/moduleparam.h>

#include "kmod/emulate.h"
#include "shadow_mmu/internal.h"

bool tdm_emul_cache = true;
module_param_named(emul_cache, tdm_emul_cache, bool, 0444);
MODULE_PARM_DESC(emul_cache, "Remember decoded instructions and translations in the emulator (default: on; off to look for faults)");

/* The kinds of access are the walker's; one that also writes is a write. */
static_assert(TDM_ACC_READ == TDM_ACCESS_READ && TDM_ACC_WRITE == TDM_ACCESS_WRITE &&
	      TDM_ACC_FETCH == TDM_ACCESS_FETCH && TDM_ACC_USER == TDM_ACCESS_USER);

static u32 walk_access(unsigned int acc)
{
	u32 w = acc & (TDM_ACC_READ | TDM_ACC_WRITE | TDM_ACC_FETCH | TDM_ACC_USER);

	if (acc & TDM_ACC_WRITE)
		w &= ~TDM_ACCESS_READ;
	if (acc & TDM_ACC_IMPLICIT)
		w |= TDM_WALK_IMPLICIT;
	return w;
}

static int translate(struct tdm_emul_ctxt *c, u64 lin, unsigned int acc, u64 *gpa)
{
	struct tdm_emul *e = tdm_emul_of(c);
	u32 access = walk_access(acc);
	struct tdm_page_fault pf;
	int r;

	if (tdm_emul_cache)
		r = tdm_softtlb_walk(&e->tlb, e->vcpu, lin, access, gpa, &pf);
	else
		r = tdm_gva_to_gpa(e->vcpu, lin, access, gpa, &pf);
	if (!r)
		return TDM_EMUL_DONE;
	if (r == -EFAULT)
		return tdm_emul_fault(c, X86_TRAP_PF, true, pf.error, pf.gva);
	if (r == -EBUSY)
		return TDM_EMUL_RETRY;
	e->err = r;
	return TDM_EMUL_UNHANDLED;
}

/*
 * The access failed: no memslot (a device), or the caller took its memory away,
 * or memslots were moved between two looks. The MMU knows which it is now.
 */
static int memory_error(struct tdm_emul_ctxt *c, u64 gpa, bool write)
{
	struct tdm_emul *e = tdm_emul_of(c);
	int r = tdm_mmu_fault(e->vcpu, gpa, write ? TDM_ACCESS_WRITE : TDM_ACCESS_READ);

	if (r == TDM_MMU_MMIO) {
		c->mmio_gpa = gpa;
		return TDM_EMUL_MMIO;
	}
	if (r == TDM_MMU_RESUME)
		return TDM_EMUL_RETRY;
	e->err = r;
	return TDM_EMUL_UNHANDLED;
}

static noinline int slow_read(struct tdm_emul_ctxt *c, u64 lin, void *data,
			      unsigned int size, unsigned int acc)
{
	u64 gpa;
	int r = translate(c, lin, acc, &gpa);

	if (r != TDM_EMUL_DONE)
		return r;
	r = tdm_read_gpa(vcpu_of(c)->vm, gpa, data, size);
	return r ? memory_error(c, gpa, false) : TDM_EMUL_DONE;
}

static noinline int slow_write(struct tdm_emul_ctxt *c, u64 lin, const void *data,
			       unsigned int size, unsigned int acc)
{
	u64 gpa;
	int r = translate(c, lin, acc, &gpa);

	if (r != TDM_EMUL_DONE)
		return r;
	r = tdm_write_gpa(vcpu_of(c)->vm, gpa, data, size);
	return r ? memory_error(c, gpa, true) : TDM_EMUL_DONE;
}

static noinline int slow_probe(struct tdm_emul_ctxt *c, u64 lin, unsigned int acc)
{
	u64 gpa;
	int r = translate(c, lin, acc, &gpa);

	if (r != TDM_EMUL_DONE)
		return r;
	if (tdm_gpa_is_ram(vcpu_of(c)->vm, gpa, acc & TDM_ACC_WRITE))
		return TDM_EMUL_DONE;
	c->mmio_gpa = gpa;
	return TDM_EMUL_MMIO;
}

static noinline int slow_cmpxchg(struct tdm_emul_ctxt *c, u64 lin, const void *old,
				 const void *new, unsigned int size, unsigned int acc)
{
	u8 expected[16];
	u64 gpa;
	int r = translate(c, lin, acc, &gpa);

	if (r != TDM_EMUL_DONE)
		return r;
	memcpy(expected, old, size);
	r = tdm_cmpxchg_gpa(vcpu_of(c)->vm, gpa, expected, new, size);
	if (r == -EAGAIN)
		return TDM_EMUL_RACED;
	return r ? memory_error(c, gpa, true) : TDM_EMUL_DONE;
}

static __always_inline unsigned int who(const struct tdm_vcpu *vcpu, unsigned int acc)
{
	if (unlikely(acc & TDM_ACC_IMPLICIT))
		return TDM_SOFTTLB_SUPERVISOR;
	return tdm_softtlb_who(vcpu, acc & TDM_ACC_USER);
}

int tdm_emul_fetch(struct tdm_emul_ctxt *c, u64 lin, void *data, unsigned int size,
		   unsigned int acc)
{
	struct tdm_emul *e = tdm_emul_of(c);
	unsigned int ok = TDM_SOFTTLB_FETCH(who(e->vcpu, acc));

	if (likely(!tdm_softtlb_fetch(&e->tlb, e->vcpu, lin, ok, data)))
		return TDM_EMUL_DONE;
	return slow_read(c, lin, data, size, acc);
}

int tdm_emul_read(struct tdm_emul_ctxt *c, u64 lin, void *data, unsigned int size,
		  unsigned int acc)
{
	struct tdm_emul *e = tdm_emul_of(c);
	unsigned int w = who(e->vcpu, acc);
	unsigned int ok = acc & TDM_ACC_WRITE ? TDM_SOFTTLB_WRITE(w) : TDM_SOFTTLB_READ(w);
	int r = tdm_softtlb_read(&e->tlb, e->vcpu, lin, ok, data, size, &c->mmio_gpa);

	if (likely(!r))
		return TDM_EMUL_DONE;
	return r == -ENOENT ? TDM_EMUL_MMIO : slow_read(c, lin, data, size, acc);
}

int tdm_emul_write(struct tdm_emul_ctxt *c, u64 lin, const void *data,
		   unsigned int size, unsigned int acc)
{
	struct tdm_emul *e = tdm_emul_of(c);
	unsigned int ok = TDM_SOFTTLB_WRITE(who(e->vcpu, acc));
	struct tdm_softtlb_entry *t = tdm_softtlb_lookup(&e->tlb, lin, ok, false);
	struct tdm_vm *vm = e->vcpu->vm;
	int r = -EAGAIN;

	if (unlikely(!t))
		return slow_write(c, lin, data, size, acc);
	c->mmio_gpa = t->gpa | offset_in_page(lin);
	if (unlikely(!t->hva))
		return tdm_softtlb_true(t) && !tdm_softtlb_moved(&e->tlb, e->vcpu) ?
		       TDM_EMUL_MMIO : slow_write(c, lin, data, size, acc);
	down_read(&vm->slots_sem);
	if (likely(vm->slots_generation == e->tlb.slots_generation))
		r = tdm_softtlb_store(t, lin, data, size);
	if (likely(!r))
		tdm_slot_wrote(vm, t->slot, c->mmio_gpa, size);
	up_read(&vm->slots_sem);
	return likely(!r) ? TDM_EMUL_DONE : slow_write(c, lin, data, size, acc);
}

int tdm_emul_probe(struct tdm_emul_ctxt *c, u64 lin, unsigned int size,
		   unsigned int acc)
{
	struct tdm_emul *e = tdm_emul_of(c);
	unsigned int w = who(e->vcpu, acc);
	unsigned int ok = acc & TDM_ACC_WRITE ? TDM_SOFTTLB_WRITE(w) : TDM_SOFTTLB_READ(w);
	struct tdm_softtlb_entry *t = tdm_softtlb_lookup(&e->tlb, lin, ok, false);

	if (!t || !tdm_softtlb_true(t) || tdm_softtlb_moved(&e->tlb, e->vcpu))
		return slow_probe(c, lin, acc);
	c->mmio_gpa = t->gpa | offset_in_page(lin);
	return t->hva ? TDM_EMUL_DONE : TDM_EMUL_MMIO;
}

/*
 * The value found instead of @old is of no interest: the emulator starts the
 * instruction anew.
 */
int tdm_emul_cmpxchg(struct tdm_emul_ctxt *c, u64 lin, const void *old,
		     const void *new, unsigned int size, unsigned int acc)
{
	struct tdm_emul *e = tdm_emul_of(c);
	unsigned int ok = TDM_SOFTTLB_WRITE(who(e->vcpu, acc));
	struct tdm_softtlb_entry *t = tdm_softtlb_lookup(&e->tlb, lin, ok, false);
	struct tdm_vm *vm = e->vcpu->vm;
	int r = -EINVAL;

	if (unlikely(!t || !t->hva))
		return slow_cmpxchg(c, lin, old, new, size, acc);
	memcpy(e->expected, old, size);
	down_read(&vm->slots_sem);
	if (likely(vm->slots_generation == e->tlb.slots_generation && tdm_softtlb_true(t)))
		r = tdm_slot_cmpxchg(vm, t->slot, t->gpa | offset_in_page(lin),
				     e->expected, new, size);
	up_read(&vm->slots_sem);
	if (likely(!r))
		return TDM_EMUL_DONE;
	return r == -EAGAIN ? TDM_EMUL_RACED : slow_cmpxchg(c, lin, old, new, size, acc);
}
