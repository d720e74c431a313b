// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequences of the translator that use struct tdm_bt_state: interrupt flag,
 * flags image, AC, GS base, reads of control registers.
 *
 * RSP may hold anything in a sequence: events switch stacks, so no host
 * instruction but the guest's own pushes and pops may rely on it. PUSHFQ and
 * POPFQ use a scratch stack in bt_state; the guest's stack gets one store.
 *
 * Beware of PUSHFQ and POPFQ at CPL 1 with IOPL 0: the image has the real IF,
 * always 1, and popping it changes neither IF nor IOPL.
 */
#include "bt/xlate.h"

static_assert(offsetof(struct tdm_bt_state, spill) == TDM_BTS_SPILL);
static_assert(offsetof(struct tdm_bt_state, vif) == TDM_BTS_VIF);
static_assert(offsetof(struct tdm_bt_state, kernel_gs) == TDM_BTS_KGS);
static_assert(offsetof(struct tdm_bt_state, ind_rip) == TDM_BTS_IND_RIP);
static_assert(offsetof(struct tdm_bt_state, ind_tc) == TDM_BTS_IND_TC);
static_assert(offsetof(struct tdm_bt_state, site) == TDM_BTS_SITE);
static_assert(offsetof(struct tdm_bt_state, cr0) == TDM_BTS_CR0);
static_assert(offsetof(struct tdm_bt_state, cr2) == TDM_BTS_CR2);
static_assert(offsetof(struct tdm_bt_state, cr3) == TDM_BTS_CR3);
static_assert(offsetof(struct tdm_bt_state, cr4) == TDM_BTS_CR4);
static_assert(offsetof(struct tdm_bt_state, flags) == TDM_BTS_FLAGS);
static_assert(offsetof(struct tdm_bt_state, args) == TDM_BTS_ARGS);
static_assert(offsetof(struct tdm_bt_state, iret_ptr) == TDM_BTS_IRET_PTR);
static_assert(offsetof(struct tdm_bt_state, cs) == TDM_BTS_CS);
static_assert(offsetof(struct tdm_bt_state, ss) == TDM_BTS_SS);
static_assert(offsetof(struct tdm_bt_state, iret_bad) == TDM_BTS_IRET_BAD);
static_assert(offsetof(struct tdm_bt_state, iret_same) == TDM_BTS_IRET_SAME);

#define AC		0x40000u	/* RFLAGS.AC */
/* Flags that POPFQ changes here: CF PF AF ZF SF DF OF; IF; bit 1, 3, 5, 15 are fixed. */
#define POPF_PLAIN	0x8effu
#define PUSH_RAX	0x50
#define POP_RAX		0x58
#define PUSHFQ		0x9c
#define POPFQ		0x9d

#define EMIT(x, ...)	\
	tdm_emit_bytes(&(x)->e, (const u8[]) { __VA_ARGS__ }, sizeof((const u8[]) { __VA_ARGS__ }))

bool tdm_xl_cli(struct tdm_xl *x)
{
	xl_before(x, 0);
	tdm_emit_store_imm32(&x->e, x->e.state + TDM_BTS_VIF, 0);
	return true;
}

/* Through the alias, which faults when an interrupt waits for this. */
bool tdm_xl_sti(struct tdm_xl *x)
{
	xl_before(x, 0);
	tdm_emit_store_imm32(&x->e, x->tr->base + TDM_BT_STI + TDM_BTS_VIF, TDM_BT_IF);
	return true;
}

/* RSP = end of the scratch slot flags[n]; it was spilled. */
static void flags_stack(struct tdm_xl *x, unsigned int n, bool top)
{
	tdm_emit_state(&x->e, TDM_X86_LEA, TDM_RSP, TDM_BTS_FLAGS + 8 * n + (top ? 8 : 0));
}

bool tdm_xl_pushf(struct tdm_xl *x)
{
	if (x->tr->insn.opsize != 8)
		return false;
	xl_before(x, 0);
	xl_spill(x, TDM_RAX);
	xl_spill(x, TDM_RSP);
	flags_stack(x, 0, true);
	xl_before(x, XL_BIT(TDM_RSP));
	tdm_emit_u8(&x->e, PUSHFQ);
	tdm_emit_u8(&x->e, POP_RAX);
	xl_before(x, XL_BIT(TDM_RSP) | XL_BIT(TDM_RAX));
	tdm_emit_state(&x->e, TDM_X86_LOAD32, TDM_RSP, TDM_BTS_VIF);
	/* lea rax, [rsp + rax - IF]: the real one is 1 */
	EMIT(x, 0x48, 0x8d, 0x84, 0x04, 0x00, 0xfe, 0xff, 0xff);
	xl_unspill(x, TDM_RSP);
	xl_before(x, XL_BIT(TDM_RAX));
	tdm_emit_u8(&x->e, PUSH_RAX);
	xl_after(x, XL_BIT(TDM_RAX));
	xl_unspill(x, TDM_RAX);
	return true;
}

/*
 * The way out of POPFQ for an image with anything unusual: put everything back,
 * RSP is at flags[0].
 */
static void popf_callout(struct tdm_xl *x)
{
	tdm_xl_record(x, TDM_REC_BEFORE, XL_BIT(TDM_RSP) | XL_BIT(TDM_RAX), TDM_REC_F_FLAGS);
	tdm_emit_u8(&x->e, POPFQ);
	xl_before(x, XL_BIT(TDM_RSP) | XL_BIT(TDM_RAX));
	xl_unspill(x, TDM_RSP);
	xl_unspill(x, TDM_RAX);
	xl_before(x, 0);
	x->rec.op = TDM_BT_OP_INTERPRET;
	tdm_xl_callout(x, TDM_BT_OP_INTERPRET);
	x->rec.op = TDM_BT_OP_NONE;
}

/* From the store of VIF on, POPFQ has happened: flags[1] has the new flags. */
static void popf_commit(struct tdm_xl *x)
{
	xl_unspill(x, TDM_RSP);
	tdm_emit_lea_rsp(&x->e, 8);
	/* and eax, IF */
	EMIT(x, 0x25, 0x00, 0x02, 0x00, 0x00);
	tdm_emit_rip(&x->e, TDM_X86_STORE32, TDM_RAX,
		     x->tr->base + TDM_BT_STI + TDM_BTS_VIF, 0);
	tdm_xl_record(x, TDM_REC_AFTER, XL_BIT(TDM_RAX), TDM_REC_F_FLAGS);
	xl_spill(x, TDM_RSP);
	flags_stack(x, 1, false);
	tdm_xl_record(x, TDM_REC_AFTER, XL_BIT(TDM_RAX) | XL_BIT(TDM_RSP), TDM_REC_F_FLAGS);
	tdm_emit_u8(&x->e, POPFQ);
	xl_after(x, XL_BIT(TDM_RAX) | XL_BIT(TDM_RSP));
	xl_unspill(x, TDM_RSP);
	xl_after(x, XL_BIT(TDM_RAX));
	xl_unspill(x, TDM_RAX);
}

bool tdm_xl_popf(struct tdm_xl *x)
{
	const u16 both = XL_BIT(TDM_RSP) | XL_BIT(TDM_RAX);
	unsigned int plain, done;

	if (x->tr->insn.opsize != 8)
		return false;
	xl_before(x, 0);
	xl_spill(x, TDM_RSP);
	xl_spill(x, TDM_RAX);
	/* mov rax, [rsp] */
	EMIT(x, 0x48, 0x8b, 0x04, 0x24);
	xl_before(x, XL_BIT(TDM_RAX));
	tdm_emit_state(&x->e, TDM_X86_STORE, TDM_RAX, TDM_BTS_FLAGS + 8);
	flags_stack(x, 0, true);
	xl_before(x, both);
	tdm_emit_u8(&x->e, PUSHFQ);
	/* test rax, ~PLAIN */
	EMIT(x, 0x48, 0xa9);
	tdm_emit_u32(&x->e, ~POPF_PLAIN);
	tdm_xl_record(x, TDM_REC_BEFORE, both, TDM_REC_F_FLAGS);
	/* jz */
	EMIT(x, 0x74, 0);
	plain = x->e.len;
	popf_callout(x);
	/* jmp */
	EMIT(x, 0xeb, 0);
	done = x->e.len;
	tdm_emit_short(&x->e, plain);
	tdm_xl_record(x, TDM_REC_BEFORE, both, TDM_REC_F_FLAGS);
	popf_commit(x);
	tdm_emit_short(&x->e, done);
	return true;
}

/* AC through the real flags, which are in flags[0] meanwhile. */
static bool change_ac(struct tdm_xl *x, bool set)
{
	xl_before(x, 0);
	xl_spill(x, TDM_RSP);
	flags_stack(x, 0, true);
	xl_before(x, XL_BIT(TDM_RSP));
	tdm_emit_u8(&x->e, PUSHFQ);
	/* or, and dword [rsp], imm32 */
	EMIT(x, 0x81, set ? 0x0c : 0x24, 0x24);
	tdm_emit_u32(&x->e, set ? AC : ~AC);
	tdm_xl_record(x, TDM_REC_BEFORE, XL_BIT(TDM_RSP), TDM_REC_F_FLAGS);
	tdm_emit_u8(&x->e, POPFQ);
	xl_after(x, XL_BIT(TDM_RSP));
	xl_unspill(x, TDM_RSP);
	return true;
}

bool tdm_xl_stac(struct tdm_xl *x)
{
	return change_ac(x, true);
}

bool tdm_xl_clac(struct tdm_xl *x)
{
	return change_ac(x, false);
}

bool tdm_xl_swapgs(struct tdm_xl *x)
{
	const u16 both = XL_BIT(TDM_RAX) | XL_BIT(TDM_RCX);

	if (!x->tr->fsgsbase)
		return tdm_xl_callout(x, TDM_BT_OP_SWAPGS);
	x->rec.op = TDM_BT_OP_SWAPGS;
	xl_before(x, 0);
	xl_spill(x, TDM_RAX);
	xl_spill(x, TDM_RCX);
	/* rdgsbase rax */
	EMIT(x, 0xf3, 0x48, 0x0f, 0xae, 0xc8);
	xl_before(x, XL_BIT(TDM_RAX));
	tdm_emit_state(&x->e, TDM_X86_STORE, TDM_RAX, TDM_BTS_IND_TC);
	tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RCX, TDM_BTS_KGS);
	xl_before(x, both);
	/* wrgsbase rcx */
	EMIT(x, 0xf3, 0x48, 0x0f, 0xae, 0xd9);
	tdm_xl_record(x, TDM_REC_AFTER, both, TDM_REC_F_KGS);
	tdm_emit_state(&x->e, TDM_X86_STORE, TDM_RAX, TDM_BTS_KGS);
	xl_after(x, both);
	xl_unspill(x, TDM_RCX);
	xl_unspill(x, TDM_RAX);
	return true;
}

bool tdm_xl_cr_read(struct tdm_xl *x)
{
	static const u8 fields[] = {
		[0] = TDM_BTS_CR0, [2] = TDM_BTS_CR2, [3] = TDM_BTS_CR3, [4] = TDM_BTS_CR4,
	};
	const struct tdm_insn *insn = &x->tr->insn;

	xl_before(x, 0);
	tdm_emit_state(&x->e, TDM_X86_LOAD, insn->opnd[0].reg, fields[insn->opnd[1].reg]);
	return true;
}

/* CS and SS: the real ones are the monitor's. */
bool tdm_xl_sreg_read(struct tdm_xl *x)
{
	const struct tdm_insn *insn = &x->tr->insn;
	bool cs = insn->opnd[1].reg == TDM_SEG_CS;

	xl_before(x, 0);
	if (insn->opsize == 2)
		tdm_emit_u8(&x->e, 0x66);
	tdm_emit_state(&x->e, TDM_X86_LOAD32, insn->opnd[0].reg, cs ? TDM_BTS_CS : TDM_BTS_SS);
	return true;
}

/* ---- IRETQ ---- */

#define ALL3		(XL_BIT(TDM_RSP) | XL_BIT(TDM_RAX) | XL_BIT(TDM_RCX))
#define IRET_ARG(n)	(TDM_BTS_ARGS + 8 * (n))
enum { IRET_RIP, IRET_CS, IRET_RFLAGS, IRET_RSP, IRET_SS };
/* Flags that IRETQ may load here; NT must not be set before, either. RF does nothing. */
#define IRET_PLAIN	(POPF_PLAIN | 0x10000u)
#define NT		0x4000u

/* RAX |= RCX */
static void iret_gather(struct tdm_xl *x)
{
	EMIT(x, 0x48, 0x09, 0xc8);
}

/* What stands in the way of an IRETQ that changes neither CS nor SS: RAX = 0 if nothing. */
static void iret_check(struct tdm_xl *x)
{
	unsigned int i;

	tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RAX, IRET_ARG(IRET_CS));
	tdm_emit_state(&x->e, TDM_X86_XOR, TDM_RAX, TDM_BTS_CS);
	tdm_xl_record(x, TDM_REC_BEFORE, ALL3, TDM_REC_F_FLAGS);
	tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RCX, IRET_ARG(IRET_SS));
	tdm_emit_state(&x->e, TDM_X86_XOR, TDM_RCX, TDM_BTS_SS);
	iret_gather(x);
	tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RCX, IRET_ARG(IRET_RFLAGS));
	tdm_emit_state(&x->e, TDM_X86_STORE, TDM_RCX, TDM_BTS_FLAGS + 8);
	/* and rcx, ~PLAIN */
	EMIT(x, 0x48, 0x81, 0xe1);
	tdm_emit_u32(&x->e, ~IRET_PLAIN);
	iret_gather(x);
	tdm_emit_state(&x->e, TDM_X86_LOAD32, TDM_RCX, TDM_BTS_FLAGS);
	/* and ecx, NT */
	EMIT(x, 0x81, 0xe1);
	tdm_emit_u32(&x->e, NT);
	iret_gather(x);
	/* A canonical RIP: sar rcx, 47; inc rcx; shr rcx, 1 */
	tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RCX, IRET_ARG(IRET_RIP));
	tdm_emit_state(&x->e, TDM_X86_STORE, TDM_RCX, TDM_BTS_IND_RIP);
	EMIT(x, 0x48, 0xc1, 0xf9, 47, 0x48, 0xff, 0xc1, 0x48, 0xd1, 0xe9);
	iret_gather(x);
	/* A fault at the descriptors is none of the guest's: tell them by @a. */
	x->rec.a = 1;
	tdm_xl_record(x, TDM_REC_BEFORE, ALL3, TDM_REC_F_FLAGS);
	for (i = 0; i < 2; i++) {
		tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RCX, TDM_BTS_IRET_SAME + 16 * i);
		/* mov rcx, [rcx] */
		EMIT(x, 0x48, 0x8b, 0x09);
		tdm_emit_state(&x->e, TDM_X86_XOR, TDM_RCX, TDM_BTS_IRET_SAME + 16 * i + 8);
		iret_gather(x);
	}
	x->rec.a = 0;
	tdm_xl_record(x, TDM_REC_BEFORE, ALL3, TDM_REC_F_FLAGS);
	tdm_emit_state(&x->e, TDM_X86_OR, TDM_RAX, TDM_BTS_IRET_BAD);
}

/* The monitor does it; it wants the descriptors that IRETQ is likely to load. */
static void iret_callout(struct tdm_xl *x)
{
	unsigned int i;

	flags_stack(x, 0, false);
	tdm_emit_u8(&x->e, POPFQ);
	xl_before(x, ALL3);
	xl_unspill(x, TDM_RCX);
	xl_unspill(x, TDM_RAX);
	x->rec.a = 1;
	xl_before(x, XL_BIT(TDM_RSP));
	for (i = 0; i < 4; i++) {
		tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RSP, TDM_BTS_IRET_PTR + 8 * i);
		tdm_emit_state(&x->e, TDM_X86_POP_M, 0, IRET_ARG(5 + i));
	}
	xl_unspill(x, TDM_RSP);
	x->rec.a = 0;
	tdm_xl_callout(x, TDM_BT_OP_IRET);
}

/* The store of VIF commits; flags[1] has the new flags. */
static void iret_commit(struct tdm_xl *x)
{
	const u16 both = XL_BIT(TDM_RAX) | XL_BIT(TDM_RCX);

	tdm_xl_record(x, TDM_REC_BEFORE, ALL3, TDM_REC_F_FLAGS);
	tdm_emit_state(&x->e, TDM_X86_LOAD32, TDM_RCX, TDM_BTS_FLAGS + 8);
	/* and ecx, IF */
	EMIT(x, 0x81, 0xe1, 0x00, 0x02, 0x00, 0x00);
	tdm_emit_state(&x->e, TDM_X86_LOAD, TDM_RSP, IRET_ARG(IRET_RSP));
	tdm_emit_rip(&x->e, TDM_X86_STORE32, TDM_RCX, x->tr->base + TDM_BT_STI + TDM_BTS_VIF, 0);
	tdm_xl_record(x, TDM_REC_INDIRECT, both, TDM_REC_F_FLAGS);
	xl_spill(x, TDM_RSP);
	flags_stack(x, 1, false);
	tdm_xl_record(x, TDM_REC_INDIRECT, ALL3, TDM_REC_F_FLAGS);
	tdm_emit_u8(&x->e, POPFQ);
	tdm_xl_record(x, TDM_REC_INDIRECT, ALL3, 0);
	xl_unspill(x, TDM_RSP);
	tdm_xl_go_spilled(x);
}

/*
 * IRETQ: to the same CS and SS it is done here, by the rules of SDM vol. 2, IRET,
 * IA-32e mode. Any other is the monitor's, but what it reads is read here, with the
 * guest's own tables and faults.
 */
bool tdm_xl_iret(struct tdm_xl *x)
{
	unsigned int i, same;

	x->stop = true;
	x->rec.op = TDM_BT_OP_IRET;
	xl_before(x, 0);
	xl_spill(x, TDM_RSP);
	xl_before(x, XL_BIT(TDM_RSP));
	for (i = 0; i < 5; i++)
		tdm_emit_state(&x->e, TDM_X86_POP_M, 0, IRET_ARG(i));
	xl_spill(x, TDM_RAX);
	xl_spill(x, TDM_RCX);
	flags_stack(x, 0, true);
	tdm_emit_u8(&x->e, PUSHFQ);
	xl_before(x, ALL3);
	iret_check(x);
	/* jz */
	EMIT(x, 0x74, 0);
	same = x->e.len;
	iret_callout(x);
	tdm_emit_short(&x->e, same);
	iret_commit(x);
	return true;
}
