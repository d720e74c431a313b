/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the emulator share. Nothing outside arch/x86/emul/
 * includes this.
 *
 * Conventions: functions return enum tdm_emul_rc as int; 0 is success, so
 * `if (rc) return rc;` passes faults and I/O up. Handlers work on c->regs
 * directly: emul.c restores it unless the step is DONE, so a handler may write
 * flags and registers before its last access that can fault, but must not
 * write memory before a probe has shown that nothing later can fault.
 */
#ifndef TDM_EMUL_INTERNAL_H
#define TDM_EMUL_INTERNAL_H

#include <asm/processor-flags.h>

#include "emul.h"

/* Exception vectors. */
enum {
	EMUL_DE = 0, EMUL_DB = 1, EMUL_BP = 3, EMUL_OF = 4, EMUL_BR = 5,
	EMUL_UD = 6, EMUL_NM = 7, EMUL_DF = 8, EMUL_TS = 10, EMUL_NP = 11,
	EMUL_SS = 12, EMUL_GP = 13, EMUL_PF = 14, EMUL_AC = 17,
};

#define EMUL_EFER_SCE	0x001ull
#define EMUL_EFER_LME	0x100ull
#define EMUL_EFER_LMA	0x400ull

#define EMUL_MSR_SYSENTER_CS	0x174u
#define EMUL_MSR_SYSENTER_ESP	0x175u
#define EMUL_MSR_SYSENTER_EIP	0x176u
#define EMUL_MSR_STAR		0xc0000081u
#define EMUL_MSR_LSTAR		0xc0000082u
#define EMUL_MSR_CSTAR		0xc0000083u
#define EMUL_MSR_FMASK		0xc0000084u
#define EMUL_MSR_KERNEL_GS_BASE	0xc0000102u
#define EMUL_MSR_TSC_AUX	0xc0000103u

#define EMUL_ARITH_FLAGS (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			  X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

typedef int (*emul_fn)(struct tdm_emul_ctxt *c);

/* struct tdm_emul_op.flags */
#define OP_CPL0		0x01	/* #GP(0) unless CPL is 0 */
#define OP_PROT		0x02	/* #UD in real and virtual-8086 mode */
#define OP_LONG64	0x04	/* #UD outside 64-bit mode */
#define OP_SIMD		0x08	/* #UD or #NM unless the vector state is enabled */

/**
 * struct tdm_emul_op - how a mnemonic is emulated
 * @fn: handler; NULL: not emulated
 * @arg: tells handlers of a family apart
 * @flags: OP_*, checked before @fn is called
 * @feature: TDM_EMUL_F_* bits that must all be there, else #UD
 */
struct tdm_emul_op {
	emul_fn fn;
	u16 arg;
	u16 flags;
	u32 feature;
};

const struct tdm_emul_op *emul_lookup(const struct tdm_insn *insn);

/* ---- small helpers ---- */

static inline u64 emul_mask(unsigned int size)
{
	return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

static inline u64 emul_sign_bit(unsigned int size)
{
	return 1ull << (size * 8 - 1);
}

static inline s64 emul_sext(u64 v, unsigned int size)
{
	unsigned int shift = 64 - size * 8;

	return (s64)(v << shift) >> shift;
}

static inline bool emul_long64(const struct tdm_emul_ctxt *c)
{
	return c->mode == TDM_MODE_LONG64;
}

static inline bool emul_lma(const struct tdm_emul_ctxt *c)
{
	return c->efer & EMUL_EFER_LMA;
}

static inline bool emul_prot(const struct tdm_emul_ctxt *c)
{
	return c->cr0 & X86_CR0_PE;
}

static inline bool emul_vm86(const struct tdm_emul_ctxt *c)
{
	return emul_prot(c) && (c->regs->rflags & X86_EFLAGS_VM);
}

/* Segments are paragraphs: real or virtual-8086 mode. */
static inline bool emul_real_segs(const struct tdm_emul_ctxt *c)
{
	return !emul_prot(c) || (c->regs->rflags & X86_EFLAGS_VM);
}

static inline unsigned int emul_iopl(const struct tdm_emul_ctxt *c)
{
	return (c->regs->rflags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT;
}

/* ---- emul.c: events, commit points ---- */
int emul_exc(struct tdm_emul_ctxt *c, u8 vector);
int emul_exc_err(struct tdm_emul_ctxt *c, u8 vector, u32 error);

static inline int emul_ud(struct tdm_emul_ctxt *c)
{
	return emul_exc(c, EMUL_UD);
}

static inline int emul_gp(struct tdm_emul_ctxt *c, u32 error)
{
	return emul_exc_err(c, EMUL_GP, error);
}

void emul_checkpoint(struct tdm_emul_ctxt *c);

/* ---- fetch.c ---- */
extern const struct tdm_insn emul_no_insn;
int emul_fetch(struct tdm_emul_ctxt *c);

/* ---- fast.c ---- */
enum emul_fast {
	EMUL_FAST_NONE,
	EMUL_FAST_LOAD,
	EMUL_FAST_STORE_REG,
	EMUL_FAST_STORE_IMM,
};

u8 emul_fast_kind(const struct tdm_emul_op *op, const struct tdm_insn *insn);
bool emul_fast(struct tdm_emul_ctxt *c);

/* ---- segment.c ---- */
/**
 * emul_seg() - a segment register with its hidden part
 * @c: context
 * @seg: which
 *
 * Return: it, as changed by this instruction; valid until the end of the step.
 */
static inline const struct tdm_segment *emul_seg(struct tdm_emul_ctxt *c,
						 enum tdm_seg seg)
{
	if (unlikely(c->seg_dirty & (1u << seg)))
		return &c->seg[seg];
	if (unlikely(!(c->segs_ready & (1u << seg))))
		c->ops->need_segment(c, seg);
	return &c->sregs[seg];
}

/**
 * emul_cpl() - current privilege level at the start of the instruction
 * @c: context
 *
 * Return: 0 to 3.
 */
static inline unsigned int emul_cpl(const struct tdm_emul_ctxt *c)
{
	return c->cpl;
}

void emul_store_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg,
		    const struct tdm_segment *s);
bool emul_canonical(const struct tdm_emul_ctxt *c, u64 lin);
int emul_linear_checked(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
			unsigned int size, unsigned int acc, u64 *lin);
int emul_alignment_fault(struct tdm_emul_ctxt *c);

/**
 * emul_linear() - linear address of an access, checked
 * @c: context
 * @seg: segment
 * @ea: offset, already cut to the address size
 * @size: bytes that will be accessed, at least 1
 * @acc: TDM_ACC_*: what will be done there
 * @lin: result
 *
 * Return: DONE, or FAULT with #GP(0) or #SS(0).
 */
static inline int emul_linear(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
			      unsigned int size, unsigned int acc, u64 *lin)
{
	u64 last = ea + size - 1;

	/* 64-bit code, no base, and canonical even with 48 bits. */
	if (likely(emul_long64(c) && seg < TDM_SEG_FS &&
		   (u64)((s64)(ea << 16) >> 16) == ea &&
		   (u64)((s64)(last << 16) >> 16) == last)) {
		*lin = ea;
		return TDM_EMUL_DONE;
	}
	return emul_linear_checked(c, seg, ea, size, acc, lin);
}

/**
 * emul_check_align() - the alignment check of CPL 3 data accesses
 * @c: context
 * @lin: linear address
 * @size: bytes of the access, a power of two
 *
 * Return: DONE or FAULT, #AC(0).
 */
static inline int emul_check_align(struct tdm_emul_ctxt *c, u64 lin, unsigned int size)
{
	if (likely(!(lin & (size - 1)) || !(c->cr0 & X86_CR0_AM)))
		return TDM_EMUL_DONE;
	return emul_alignment_fault(c);
}

/* ---- memory.c ---- */
int emul_read_rest(struct tdm_emul_ctxt *c, u64 lin, void *data,
		   unsigned int size, unsigned int acc, int rc);
int emul_write_rest(struct tdm_emul_ctxt *c, u64 lin, const void *data,
		    unsigned int size, unsigned int acc, int rc);

#define EMUL_PAGE_BYTES	4096u
#define EMUL_CROSSES	(-1)	/* for emul_read_rest(), emul_write_rest() */

/* Data at CPL 3 is accessed as by a user, descriptor tables are not. */
static inline unsigned int emul_acc(const struct tdm_emul_ctxt *c, unsigned int acc)
{
	if (unlikely(c->cpl == 3) && !(acc & TDM_ACC_IMPLICIT))
		acc |= TDM_ACC_USER;
	return acc;
}

/* Linear addresses have 32 bits outside IA-32e mode; they wrap. */
static inline u64 emul_wrap(const struct tdm_emul_ctxt *c, u64 lin)
{
	return likely(emul_long64(c)) || emul_lma(c) ? lin : (u32)lin;
}

static inline unsigned int emul_to_page_end(u64 lin)
{
	return EMUL_PAGE_BYTES - (lin & (EMUL_PAGE_BYTES - 1));
}

/**
 * emul_read_lin() - read linear memory, RAM or device
 * @c: context
 * @lin: linear address; may cross a page
 * @data: buffer
 * @size: bytes, at most a page
 * @acc: TDM_ACC_*; USER is added at CPL 3
 *
 * Return: enum tdm_emul_rc.
 */
static inline int emul_read_lin(struct tdm_emul_ctxt *c, u64 lin, void *data,
				unsigned int size, unsigned int acc)
{
	int rc = EMUL_CROSSES;

	lin = emul_wrap(c, lin);
	acc = emul_acc(c, acc);
	if (likely(size <= emul_to_page_end(lin)))
		rc = c->ops->read(c, lin, data, size, acc);
	return likely(!rc) ? rc : emul_read_rest(c, lin, data, size, acc, rc);
}

/**
 * emul_write_lin() - write linear memory, RAM or device
 * @c: context
 * @lin: linear address; may cross a page
 * @data: what to write
 * @size: bytes, at most a page
 * @acc: TDM_ACC_WRITE, perhaps with READ or IMPLICIT
 *
 * Writes nothing at all if any part would fault.
 *
 * Return: enum tdm_emul_rc.
 */
static inline int emul_write_lin(struct tdm_emul_ctxt *c, u64 lin, const void *data,
				 unsigned int size, unsigned int acc)
{
	int rc = EMUL_CROSSES;

	lin = emul_wrap(c, lin);
	acc = emul_acc(c, acc);
	if (likely(size <= emul_to_page_end(lin)))
		rc = c->ops->write(c, lin, data, size, acc);
	return likely(!rc) ? rc : emul_write_rest(c, lin, data, size, acc, rc);
}

int emul_probe_lin(struct tdm_emul_ctxt *c, u64 lin, unsigned int size,
		   unsigned int acc);
int emul_cmpxchg_lin(struct tdm_emul_ctxt *c, u64 lin, const void *old,
		     const void *new, unsigned int size);
int emul_read_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
		  void *data, unsigned int size);
int emul_write_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg, u64 ea,
		   const void *data, unsigned int size);
int emul_device(struct tdm_emul_ctxt *c, const struct tdm_emul_io *want,
		struct tdm_emul_io **done);

/* ---- operand.c ---- */
int emul_get_mem(struct tdm_emul_ctxt *c, const struct tdm_operand *op);
int emul_put_mem(struct tdm_emul_ctxt *c, const struct tdm_operand *op, u64 val);

/**
 * emul_gpr() - the low bytes of a general register
 * @c: context
 * @reg: enum tdm_reg
 * @size: 1, 2, 4 or 8 bytes
 *
 * Return: the value, zero-extended.
 */
static inline u64 emul_gpr(const struct tdm_emul_ctxt *c, unsigned int reg,
			   unsigned int size)
{
	return c->regs->gpr[reg] & emul_mask(size);
}

/**
 * emul_set_gpr() - write the low bytes of a general register
 * @c: context
 * @reg: enum tdm_reg
 * @size: 1, 2, 4 or 8 bytes; 4 clears the upper half, 1 and 2 keep the rest
 * @val: value
 */
static inline void emul_set_gpr(struct tdm_emul_ctxt *c, unsigned int reg,
				unsigned int size, u64 val)
{
	u64 mask = emul_mask(size);

	if (size == 4)
		c->regs->gpr[reg] = (u32)val;
	else
		c->regs->gpr[reg] = (c->regs->gpr[reg] & ~mask) | (val & mask);
}

/**
 * emul_ea() - effective address of a memory operand
 * @c: context
 * @op: memory operand
 *
 * Return: offset in its segment, cut to the address size.
 */
static inline u64 emul_ea(const struct tdm_emul_ctxt *c, const struct tdm_operand *op)
{
	u64 ea = op->imm;

	if (likely(op->base < TDM_NR_GPRS))
		ea += c->regs->gpr[op->base];
	else if (op->base == TDM_REG_RIP)
		ea += c->regs->rip + c->insn->len;
	if (op->index != TDM_REG_NONE)
		ea += c->regs->gpr[op->index] * op->scale;
	return likely(c->insn->addrsize == 8) ? ea :
						ea & emul_mask(c->insn->addrsize);
}

int emul_mem_linear(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		    unsigned int size, unsigned int acc, u64 *lin);
unsigned int emul_string_seg(const struct tdm_emul_ctxt *c);
void emul_advance(struct tdm_emul_ctxt *c, unsigned int reg, unsigned int bytes);

/* A register as an address or count: cut to the address size. */
static inline u64 emul_addr_reg(const struct tdm_emul_ctxt *c, unsigned int reg)
{
	return emul_gpr(c, reg, c->insn->addrsize);
}

static inline bool emul_is_rep(const struct tdm_emul_ctxt *c)
{
	return c->insn->prefixes & (TDM_PFX_REPE | TDM_PFX_REPNE);
}

static inline const struct tdm_operand *emul_opnd(const struct tdm_emul_ctxt *c,
						  unsigned int i)
{
	return &c->insn->opnd[i];
}

/**
 * emul_get() - value of an operand
 * @c: context
 * @i: which visible operand
 * @val: result, zero-extended from the operand's size
 *
 * Return: enum tdm_emul_rc; UNHANDLED for operands that are no integers.
 */
static inline int emul_get(struct tdm_emul_ctxt *c, unsigned int i, u64 *val)
{
	const struct tdm_operand *op = emul_opnd(c, i);
	int rc;

	switch (op->kind) {
	case TDM_OPND_GPR:
		*val = emul_gpr(c, op->reg, op->size);
		return TDM_EMUL_DONE;
	case TDM_OPND_MEM:
		rc = emul_get_mem(c, op);
		*val = c->mem_old[0];
		return rc;
	case TDM_OPND_IMM:
	case TDM_OPND_REL:
		*val = op->imm;
		return TDM_EMUL_DONE;
	case TDM_OPND_GPR_HIGH:
		*val = (c->regs->gpr[op->reg] >> 8) & 0xff;
		return TDM_EMUL_DONE;
	case TDM_OPND_SEG:
		*val = emul_seg(c, op->reg)->selector;
		return TDM_EMUL_DONE;
	default:
		return TDM_EMUL_UNHANDLED;
	}
}

/**
 * emul_put() - store into an operand
 * @c: context
 * @i: which visible operand
 * @val: value; bits above the operand's size are ignored
 *
 * Return: enum tdm_emul_rc.
 */
static inline int emul_put(struct tdm_emul_ctxt *c, unsigned int i, u64 val)
{
	const struct tdm_operand *op = emul_opnd(c, i);

	switch (op->kind) {
	case TDM_OPND_GPR:
		emul_set_gpr(c, op->reg, op->size, val);
		return TDM_EMUL_DONE;
	case TDM_OPND_MEM:
		return emul_put_mem(c, op, val);
	case TDM_OPND_GPR_HIGH:
		c->regs->gpr[op->reg] = (c->regs->gpr[op->reg] & ~0xff00ull) |
					(val & 0xff) << 8;
		return TDM_EMUL_DONE;
	default:
		return TDM_EMUL_UNHANDLED;
	}
}

/* ---- flags.c ---- */
u64 emul_add(struct tdm_emul_ctxt *c, u64 a, u64 b, unsigned int carry,
	     unsigned int size);
u64 emul_sub(struct tdm_emul_ctxt *c, u64 a, u64 b, unsigned int borrow,
	     unsigned int size);
void emul_logic_flags(struct tdm_emul_ctxt *c, u64 res, unsigned int size);
void emul_szp_flags(struct tdm_emul_ctxt *c, u64 res, unsigned int size);
void emul_undefined_af(struct tdm_emul_ctxt *c);
bool emul_cond(const struct tdm_emul_ctxt *c, unsigned int cc);

static inline void emul_set_flags(struct tdm_emul_ctxt *c, u64 mask, u64 val)
{
	c->regs->rflags = (c->regs->rflags & ~mask) | (val & mask);
}

static inline void emul_flag(struct tdm_emul_ctxt *c, u64 flag, bool on)
{
	emul_set_flags(c, flag, on ? flag : 0);
}

/* ---- stack.c ---- */
unsigned int emul_stack_size(struct tdm_emul_ctxt *c);
int emul_push(struct tdm_emul_ctxt *c, u64 val, unsigned int size);
int emul_pop(struct tdm_emul_ctxt *c, u64 *val, unsigned int size);
int emul_push_many(struct tdm_emul_ctxt *c, const u64 *vals, unsigned int n,
		   unsigned int size);
void emul_release(struct tdm_emul_ctxt *c, unsigned int bytes);

/* ---- segload.c ---- */
int emul_load_seg(struct tdm_emul_ctxt *c, enum tdm_seg seg, u16 sel);

/* ---- far.c, op_far.c, op_branch.c, event.c ---- */
bool emul_is_far(const struct tdm_emul_ctxt *c);
int emul_read_far(struct tdm_emul_ctxt *c, const struct tdm_operand *op,
		  u16 *sel, u64 *off);
int emul_check_target(struct tdm_emul_ctxt *c, const struct tdm_segment *cs,
		      u64 rip);
int emul_far_jmp(struct tdm_emul_ctxt *c);
int emul_far_call(struct tdm_emul_ctxt *c);
int emul_far_ret(struct tdm_emul_ctxt *c);
int emul_deliver(struct tdm_emul_ctxt *c, const struct tdm_emul_event *ev,
		 u64 rip);
int emul_deliver_real(struct tdm_emul_ctxt *c, u64 table, u8 vector, u64 rip,
		      u64 flags);

/* ---- op_sys.c ---- */
int emul_mov_cr(struct tdm_emul_ctxt *c);
int emul_mov_dr(struct tdm_emul_ctxt *c);

/* ---- op_io.c ---- */
int emul_check_io(struct tdm_emul_ctxt *c, u16 port, unsigned int size);

/* ---- handlers, one family a file ---- */
#define EMUL_HANDLERS(X)						\
	/* op_alu.c */							\
	X(alu) X(unary) X(test) X(cmpxchg) X(xadd) X(cmpxchg8b)		\
	/* op_bit.c, op_bmi.c */					\
	X(bt) X(bsf) X(bsr) X(tzcnt) X(lzcnt) X(popcnt)			\
	X(andn) X(bls) X(bextr) X(bzhi) X(pdep) X(adx) X(crc32)		\
	/* op_branch.c */						\
	X(jmp) X(jcc) X(jcxz) X(loop) X(call) X(ret)			\
	/* op_desc.c */							\
	X(sgdt) X(lgdt) X(sldt) X(lldt) X(ltr) X(lar) X(verr)		\
	X(arpl) X(smsw) X(lmsw)						\
	/* op_flags.c */						\
	X(flag) X(cli) X(sti) X(lahf) X(sahf)				\
	/* op_int.c */							\
	X(int) X(int3) X(int1) X(into) X(iret)				\
	/* op_io.c */							\
	X(in) X(out) X(ins) X(outs)					\
	/* op_move.c, segload.c */					\
	X(mov) X(movzx) X(movsx) X(lea) X(xchg) X(bswap) X(movbe)	\
	X(cmov) X(setcc) X(nop) X(xlat) X(bound) X(lds) X(mov_seg)	\
	/* op_mul.c */							\
	X(mul) X(imul) X(mulx) X(div) X(idiv) X(cbw) X(cwd)		\
	X(aaa) X(daa) X(aam) X(aad) X(salc)				\
	/* op_shift.c */						\
	X(shift) X(shiftd) X(shiftx)					\
	/* op_simd.c */							\
	X(movvec) X(movd) X(movscalar) X(movhalf) X(movntq)		\
	/* op_stack.c */						\
	X(push) X(pop) X(pushf) X(popf) X(pusha) X(popa)		\
	X(enter) X(leave)						\
	/* op_string.c */						\
	X(movs) X(cmps) X(stos) X(lods) X(scas)				\
	/* op_sys.c, op_syscall.c */					\
	X(clts) X(rdmsr) X(wrmsr) X(rdtsc) X(rdpid) X(rdpmc) X(cpuid)	\
	X(hlt) X(wbinvd) X(invlpg) X(invpcid) X(xgetbv) X(xsetbv)	\
	X(clflush) X(clac) X(swapgs) X(fsbase) X(vmcall) X(monitor) X(ud)		\
	X(syscall) X(sysret) X(sysenter) X(sysexit)

#define X(name) int emul_op_ ## name(struct tdm_emul_ctxt *c);
EMUL_HANDLERS(X)
#undef X

#endif /* TDM_EMUL_INTERNAL_H */
