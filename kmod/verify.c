// SPDX-License-Identifier: GPL-2.0-only
/*
 * bt_verify: before each entry into translated code the interpreter runs ahead on
 * a copy of the registers, its stores kept in a log; after it, the guest's state
 * must be one of those the interpreter came by, registers, flags and memory.
 *
 * The engine runs one fragment per entry then (no chaining, no lookups in the TC),
 * so the interpreter has to look at no more than one TU. Where it must stop (an
 * access to a device, an instruction with effects outside of registers and memory)
 * the rest of the TU is not verified, and counted as such. One vCPU only: what
 * others store would look like a difference.
 *
 * A mode to look for faults with; slow.
 */
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "arch/x86/engine.h"
#include "arch/x86/insn-zydis.h"
#include "kmod/core.h"
#include "kmod/emulate.h"
#include "kmod/verify.h"

bool tdm_bt_verify;
module_param_named(bt_verify, tdm_bt_verify, bool, 0444);
MODULE_PARM_DESC(bt_verify, "Compare what translated code does with the interpreter (BT engine, one vCPU; slow; default: off)");

#define MAX_STEPS	14u	/* more than a TU has */
#define MAX_STORES	1024u

/**
 * struct store - a store of the interpreter's
 * @lin: linear address
 * @data: bytes
 * @step: number of the instruction
 * @size: 1 to 16
 */
struct store {
	u64 lin;
	u8 data[16];
	u16 step;
	u8 size;
};

/**
 * struct tdm_verify - of one vCPU
 * @e: an emulator of its own, with ops that change nothing
 * @regs: its registers
 * @state: @state[k]: registers after k instructions
 * @unknown: flags that instructions up to there left undefined
 * @rep: the instruction after k others repeats: the guest can stop within it
 * @nr: states
 * @complete: the interpreter came as far as it wanted
 * @active: tdm_verify_begin() has run
 * @stop: an op that cannot be undone was asked for: the step does not count
 * @nr_stores: in @stores
 * @checked: entries compared
 * @skipped: of these, those that ended where the interpreter did not get to
 * @stores: in order
 */
struct tdm_verify {
	struct tdm_emul e;
	struct tdm_regs regs;
	struct tdm_regs state[MAX_STEPS + 1];
	u64 unknown[MAX_STEPS + 1];
	bool rep[MAX_STEPS + 1];
	unsigned int nr;
	bool complete;
	bool active;
	bool stop;
	unsigned int nr_stores;
	u64 checked;
	u64 skipped;
	struct store stores[MAX_STORES];
};

static struct tdm_verify *verify_of(struct tdm_emul_ctxt *c)
{
	return container_of(tdm_emul_of(c), struct tdm_verify, e);
}

/* ---- memory: the guest's, under the log ---- */

static void overlay(const struct tdm_verify *v, u64 lin, u8 *data, unsigned int size)
{
	const struct store *s;
	unsigned int i, j;

	for (i = 0; i < v->nr_stores; i++) {
		s = &v->stores[i];
		for (j = 0; j < s->size; j++)
			if (s->lin + j - lin < size)
				data[s->lin + j - lin] = s->data[j];
	}
}

static int verify_read(struct tdm_emul_ctxt *c, u64 lin, void *data, unsigned int size,
		       unsigned int acc)
{
	int r = tdm_emul_read(c, lin, data, size, acc);

	if (!r)
		overlay(verify_of(c), lin, data, size);
	return r;
}

static int verify_write(struct tdm_emul_ctxt *c, u64 lin, const void *data,
			unsigned int size, unsigned int acc)
{
	struct tdm_verify *v = verify_of(c);
	int r = tdm_emul_probe(c, lin, size, acc);
	unsigned int n, done;
	struct store *s;

	if (r)
		return r;
	for (done = 0; done < size; done += n) {
		n = min_t(unsigned int, size - done, sizeof(s->data));
		if (v->nr_stores == MAX_STORES) {
			v->stop = true;
			return TDM_EMUL_UNHANDLED;
		}
		s = &v->stores[v->nr_stores++];
		s->lin = lin + done;
		s->size = n;
		s->step = v->nr;
		memcpy(s->data, data + done, n);
	}
	return TDM_EMUL_DONE;
}

static int verify_cmpxchg(struct tdm_emul_ctxt *c, u64 lin, const void *old,
			  const void *new, unsigned int size, unsigned int acc)
{
	u8 now[16];
	int r = verify_read(c, lin, now, size, acc);

	if (r)
		return r;
	if (memcmp(now, old, size))
		return TDM_EMUL_RACED;
	return verify_write(c, lin, new, size, acc);
}

/* ---- what is not done ---- */

static int stop(struct tdm_emul_ctxt *c)
{
	verify_of(c)->stop = true;
	return TDM_EMUL_UNHANDLED;
}

static int no_io(struct tdm_emul_ctxt *c, struct tdm_emul_io *io)
{
	return stop(c);
}

static void no_need_segment(struct tdm_emul_ctxt *c, enum tdm_seg seg)
{
	tdm_need(vcpu_of(c), TDM_ST_SEG);
	c->segs_ready = ~0u;
}

static void no_set_segment(struct tdm_emul_ctxt *c, enum tdm_seg seg,
			   const struct tdm_segment *s)
{
	stop(c);
}

static void get_table(struct tdm_emul_ctxt *c, bool idt, struct tdm_table *t)
{
	*t = idt ? vcpu_of(c)->st.idt : vcpu_of(c)->st.gdt;
	stop(c);
}

static void no_set_table(struct tdm_emul_ctxt *c, bool idt, const struct tdm_table *t)
{
	stop(c);
}

static u64 get_cr(struct tdm_emul_ctxt *c, unsigned int cr)
{
	const struct tdm_state *st = &vcpu_of(c)->st;

	switch (cr) {
	case 0:
		return st->cr0;
	case 2:
		return st->cr2;
	case 3:
		return st->cr3;
	case 4:
		return st->cr4;
	default:
		stop(c);
		return 0;
	}
}

static int no_set(struct tdm_emul_ctxt *c, unsigned int reg, u64 val)
{
	return stop(c);
}

static u64 no_get_dr(struct tdm_emul_ctxt *c, unsigned int dr)
{
	stop(c);
	return 0;
}

static int no_get(struct tdm_emul_ctxt *c, u32 reg, u64 *val)
{
	return stop(c);
}

static void no_cpuid(struct tdm_emul_ctxt *c, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	stop(c);
}

static u64 no_rdtsc(struct tdm_emul_ctxt *c)
{
	stop(c);
	return 0;
}

static void no_effect(struct tdm_emul_ctxt *c)
{
	stop(c);
}

static void no_invlpg(struct tdm_emul_ctxt *c, u64 lin)
{
	stop(c);
}

static int no_invpcid(struct tdm_emul_ctxt *c, u64 type, u64 pcid, u64 lin)
{
	return stop(c);
}

static void no_get_vec(struct tdm_emul_ctxt *c, unsigned int reg, void *data, unsigned int size)
{
	memset(data, 0, size);
	stop(c);
}

static void no_set_vec(struct tdm_emul_ctxt *c, unsigned int reg, const void *data,
		       unsigned int size, bool zero_upper)
{
	stop(c);
}

static u64 no_get_mmx(struct tdm_emul_ctxt *c, unsigned int reg)
{
	stop(c);
	return 0;
}

static void no_set_mmx(struct tdm_emul_ctxt *c, unsigned int reg, u64 val)
{
	stop(c);
}

static const struct tdm_emul_ops verify_ops = {
	.fetch		= tdm_emul_fetch,
	.read		= verify_read,
	.write		= verify_write,
	.probe		= tdm_emul_probe,
	.cmpxchg	= verify_cmpxchg,
	.mmio		= no_io,
	.pio		= no_io,
	.need_segment	= no_need_segment,
	.set_segment	= no_set_segment,
	.get_table	= get_table,
	.set_table	= no_set_table,
	.get_cr		= get_cr,
	.set_cr		= no_set,
	.get_dr		= no_get_dr,
	.set_dr		= no_set,
	.get_msr	= no_get,
	.set_msr	= no_set,
	.get_xcr	= no_get,
	.set_xcr	= no_set,
	.cpuid		= no_cpuid,
	.rdtsc		= no_rdtsc,
	.halt		= no_effect,
	.wbinvd		= no_effect,
	.invlpg		= no_invlpg,
	.invpcid	= no_invpcid,
	.get_vec	= no_get_vec,
	.set_vec	= no_set_vec,
	.get_mmx	= no_get_mmx,
	.set_mmx	= no_set_mmx,
	.nmi_unmask	= no_effect,
};

/* ---- ahead ---- */

#define ARITH_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
			 X86_EFLAGS_SF | X86_EFLAGS_OF)

/* Flags whose value nobody can tell, after the instruction just decoded. */
static u64 undefined_flags(struct tdm_verify *v, u64 before)
{
	struct tdm_emul_ctxt *c = &v->e.c;
	const ZydisAccessedFlags *f;

	/* Short cuts and the cache are off, so the decoder's result is there. */
	f = tdm_insn_raw(&c->work)->zi.cpu_flags;
	if (!f)
		return before;
	before &= ~(u64)(f->modified | f->set_0 | f->set_1);
	return (before | f->undefined) & ARITH_FLAGS;
}

static void look_ahead(struct tdm_verify *v)
{
	struct tdm_vcpu *vcpu = v->e.vcpu;
	struct tdm_emul_ctxt *c = &v->e.c;
	int r;

	for (v->nr = 0; v->nr < MAX_STEPS; v->nr++) {
		v->state[v->nr] = v->regs;
		c->cr0 = vcpu->st.cr0;
		c->cr4 = vcpu->st.cr4;
		c->efer = vcpu->st.efer;
		c->segs_ready = ~0u;
		c->int_shadow = 0;
		tdm_emul_reset(c);
		tdm_softtlb_sync(&v->e.tlb, vcpu);
		r = tdm_emul_step(c);
		v->rep[v->nr] = c->insn && (c->insn->prefixes & (TDM_PFX_REPE | TDM_PFX_REPNE));
		if (r != TDM_EMUL_DONE || v->stop)
			return;
		v->unknown[v->nr + 1] = undefined_flags(v, v->unknown[v->nr]);
	}
	v->state[v->nr] = v->regs;
	v->rep[v->nr] = false;
	v->complete = true;
}

static struct tdm_verify *verify_get(struct tdm_vcpu *vcpu)
{
	struct tdm_verify *v = vcpu->verify;

	if (v)
		return v;
	v = kvzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return NULL;
	v->e.vcpu = vcpu;
	tdm_softtlb_init(&v->e.tlb);
	tdm_emul_init(&v->e.c, &verify_ops, &v->e, &v->regs, vcpu->st.seg);
	v->e.c.features = ~(u64)TDM_EMUL_F_AMD;
	vcpu->verify = v;
	return v;
}

/**
 * tdm_verify_begin() - before an entry: let the interpreter run ahead
 * @vcpu: loaded vCPU, process context
 */
void tdm_verify_begin(struct tdm_vcpu *vcpu)
{
	struct tdm_verify *v;

	if (vcpu->ops->id != tdm_bt_ops.id || vcpu->ops->must_emulate(vcpu) || tdm_cpl(vcpu))
		return;
	v = verify_get(vcpu);
	if (!v)
		return;
	tdm_need(vcpu, TDM_ST_ALL);
	v->regs = vcpu->regs;
	v->nr_stores = 0;
	v->complete = false;
	v->stop = false;
	v->unknown[0] = 0;
	v->active = true;
	look_ahead(v);
}

/* ---- afterwards ---- */

static bool regs_equal(const struct tdm_verify *v, unsigned int k, const struct tdm_regs *r)
{
	const struct tdm_regs *s = &v->state[k];

	return !memcmp(s->gpr, r->gpr, sizeof(s->gpr)) && s->rip == r->rip &&
	       !((s->rflags ^ r->rflags) & ~(v->unknown[k] | X86_EFLAGS_RF));
}

/* Bytes of a store that no later one of the first @k instructions covers. */
static bool covered(const struct tdm_verify *v, unsigned int i, u64 lin, unsigned int k)
{
	for (i++; i < v->nr_stores && v->stores[i].step < k; i++)
		if (lin - v->stores[i].lin < v->stores[i].size)
			return true;
	return false;
}

static const struct store *memory_differs(struct tdm_verify *v, unsigned int k, u8 *now)
{
	struct store *s;
	unsigned int i, j;

	for (i = 0; i < v->nr_stores && v->stores[i].step < k; i++) {
		s = &v->stores[i];
		if (tdm_emul_read(&v->e.c, s->lin, now, s->size, TDM_ACC_READ | TDM_ACC_IMPLICIT))
			continue;
		for (j = 0; j < s->size; j++)
			if (now[j] != s->data[j] && !covered(v, i, s->lin + j, k))
				return s;
	}
	return NULL;
}

static void print_regs(const char *who, const struct tdm_regs *r)
{
	pr_err("  %s rip %llx rflags %llx rax %llx rcx %llx rdx %llx rbx %llx rsp %llx rbp %llx rsi %llx rdi %llx r8 %llx r9 %llx r10 %llx r11 %llx r12 %llx r13 %llx r14 %llx r15 %llx\n",
	       who, r->rip, r->rflags, r->gpr[0], r->gpr[1], r->gpr[2], r->gpr[3], r->gpr[4],
	       r->gpr[5], r->gpr[6], r->gpr[7], r->gpr[8], r->gpr[9], r->gpr[10], r->gpr[11],
	       r->gpr[12], r->gpr[13], r->gpr[14], r->gpr[15]);
}

static int report(struct tdm_verify *v, int k, const struct store *s, const u8 *now)
{
	struct tdm_vcpu *vcpu = v->e.vcpu;
	u8 code[64] = { };

	tdm_emul_read(&v->e.c, v->state[0].rip, code,
		      min_t(u64, sizeof(code), PAGE_SIZE - offset_in_page(v->state[0].rip)),
		      TDM_ACC_READ | TDM_ACC_IMPLICIT);
	pr_err("tandem: bt_verify: VM %s vCPU %u: translated code differs from the interpreter after %llu entries; guest bytes %*ph\n",
	       vcpu->vm->name, vcpu->id, v->checked, (int)sizeof(code), code);
	print_regs("before     ", &v->state[0]);
	if (k >= 0)
		print_regs("interpreter", &v->state[k]);
	print_regs("translated ", &vcpu->regs);
	if (s)
		pr_err("  memory at %llx: interpreter %*ph, translated %*ph\n", s->lin,
		       s->size, s->data, s->size, now);
	if (vcpu->ops->explain)
		vcpu->ops->explain(vcpu, v->state[0].rip);
	return tdm_internal_error(vcpu, KVM_INTERNAL_ERROR_SIMUL_EX, &vcpu->exit);
}

/**
 * tdm_verify_end() - after the entry, before its exit is handled
 * @vcpu: loaded vCPU, process context, canonical state fresh
 *
 * Return: 1; 0: a difference: reported, KVM_EXIT_INTERNAL_ERROR.
 */
int tdm_verify_end(struct tdm_vcpu *vcpu)
{
	struct tdm_verify *v = vcpu->verify;
	const struct store *s;
	int k, near = -1;
	u8 now[16];

	if (!v || !v->active)
		return 1;
	v->active = false;
	v->checked++;
	for (k = 0; k <= (int)v->nr; k++) {
		if (v->state[k].rip != vcpu->regs.rip)
			continue;
		near = k;
		if (!regs_equal(v, k, &vcpu->regs))
			continue;
		tdm_softtlb_sync(&v->e.tlb, vcpu);
		s = memory_differs(v, k, now);
		if (!s)
			return 1;
		return report(v, k, s, now);
	}
	if ((near < 0 && !v->complete) || (near >= 0 && v->rep[near])) {
		v->skipped++;
		return 1;
	}
	return report(v, near, NULL, now);
}

void tdm_verify_free(struct tdm_vcpu *vcpu)
{
	struct tdm_verify *v = vcpu->verify;

	if (v && v->checked)
		pr_info("tandem: bt_verify: VM %s vCPU %u: %llu entries compared, %llu ended beyond the interpreter's reach, no difference\n",
			vcpu->vm->name, vcpu->id, v->checked, v->skipped);
	kvfree(v);
	vcpu->verify = NULL;
}
