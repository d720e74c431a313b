// SPDX-License-Identifier: GPL-2.0-only
/*
 * Branches of the translator, and the code all fragments share.
 *
 * Return addresses on the guest's stack are the guest's: a RET is an indirect
 * branch like any other, looked up by guest address: a jump through a table by the
 * address' low bits, to a stub of the target's that compares the rest with a
 * constant. Beware: everything here keeps the flags, so no compares: LEA and JRCXZ
 * take their place.
 */
#include "bt/xlate.h"

#include "arch/x86/insn-zydis.h"

#define PUSH_IMM32	0x68
#define PUSH_RAX	0x50
#define JRCXZ		0xe3
#define MOV_LOAD	0x8b
#define GROUP5		0xff	/* /6: PUSH */

/* Where a direct branch leads. */
static u64 branch_target(const struct tdm_xl *x)
{
	return xl_next(x) + x->tr->insn.opnd[0].imm;
}

/* jmp to a link; the last instruction of the fragment if @elide */
static void jmp_link(struct tdm_xl *x, unsigned int n, u64 target, bool elide)
{
	tdm_emit_pad(&x->e, 1);
	tdm_emit_jmp(&x->e, x->tr->cont[n]);
	tdm_xl_link(x, n, target, elide);
}

bool tdm_xl_jmp(struct tdm_xl *x)
{
	xl_before(x, 0);
	jmp_link(x, 0, branch_target(x), true);
	x->stop = true;
	return true;
}

bool tdm_xl_jcc(struct tdm_xl *x)
{
	xl_before(x, 0);
	tdm_emit_pad(&x->e, 2);
	tdm_emit_jcc(&x->e, x->tr->insn.opcode, x->tr->cont[0]);
	tdm_xl_link(x, 0, branch_target(x), false);
	xl_after(x, 0);
	jmp_link(x, 1, xl_next(x), true);
	x->stop = true;
	return true;
}

/* LOOPcc, JRCXZ, JECXZ: there is only a short form, so around a jmp. */
bool tdm_xl_loop(struct tdm_xl *x)
{
	const struct tdm_insn *insn = &x->tr->insn;
	unsigned int at;

	xl_before(x, 0);
	if (insn->addrsize == 4)
		tdm_emit_u8(&x->e, 0x67);
	tdm_emit_u8(&x->e, insn->opcode);
	tdm_emit_u8(&x->e, 0);
	at = x->e.len;
	xl_after(x, 0);
	jmp_link(x, 1, xl_next(x), false);
	tdm_emit_short(&x->e, at);
	tdm_xl_record(x, TDM_REC_TAKEN, 0, 0);
	jmp_link(x, 0, branch_target(x), true);
	x->stop = true;
	return true;
}

/* Push the guest's return address; RAX is spilled if it does not fit 32 bits. */
static void push_return(struct tdm_xl *x)
{
	u64 ret = xl_next(x);

	if (xl_fits32(ret)) {
		tdm_emit_u8(&x->e, PUSH_IMM32);
		tdm_emit_u32(&x->e, ret);
		return;
	}
	tdm_emit_mov_imm(&x->e, TDM_RAX, ret);
	tdm_emit_u8(&x->e, PUSH_RAX);
}

bool tdm_xl_call(struct tdm_xl *x)
{
	xl_before(x, 0);
	if (xl_fits32(xl_next(x))) {
		push_return(x);
	} else {
		xl_spill(x, TDM_RAX);
		xl_before(x, XL_BIT(TDM_RAX));
		push_return(x);
		tdm_xl_record(x, TDM_REC_TAKEN, XL_BIT(TDM_RAX), 0);
		xl_unspill(x, TDM_RAX);
	}
	tdm_xl_record(x, TDM_REC_TAKEN, 0, 0);
	jmp_link(x, 0, branch_target(x), true);
	x->stop = true;
	return true;
}

/*
 * The target is in ind_rip, RAX and RCX are spilled: to where the lookup table says
 * for the target's low 16 bits. What is there checks the rest. The TU ends here.
 */
void tdm_xl_go_spilled(struct tdm_xl *x)
{
	static_assert(TDM_BT_LOOKUP_BITS == 16 && TDM_BT_LOOKUP_SIZE == 8);
	tdm_xl_record(x, TDM_REC_INDIRECT, TDM_BT_STUB_RESTORE, 0);
	tdm_emit_rip(&x->e, TDM_X86_LEA, TDM_RAX, x->tr->base + TDM_BT_LOOKUP, 0);
	tdm_emit_state(&x->e, TDM_X86_MOVZX16, TDM_RCX, TDM_BTS_IND_RIP);
	/* jmp [rax + rcx * 8] */
	tdm_emit_bytes(&x->e, (const u8[]) { 0xff, 0x24, 0xc8 }, 3);
	x->stop = true;
}

/* The same, nothing spilled. */
static void go_indirect(struct tdm_xl *x)
{
	xl_spill(x, TDM_RAX);
	xl_spill(x, TDM_RCX);
	tdm_xl_go_spilled(x);
}

static void store_site(struct tdm_xl *x)
{
	tdm_emit_store_imm32(&x->e, x->e.state + TDM_BTS_SITE,
			     TDM_BT_ID(x->tr->tu, x->n));
}

bool tdm_xl_ret(struct tdm_xl *x)
{
	const struct tdm_insn *insn = &x->tr->insn;

	x->rec.op = TDM_BT_OP_RET;
	x->rec.imm = insn->opcode == 0xc2 ? (u16)insn->opnd[0].imm : 0;
	xl_before(x, 0);
	store_site(x);
	if (!x->rec.imm) {
		/* All of it in one instruction. */
		tdm_emit_state(&x->e, TDM_X86_POP_M, 0, TDM_BTS_IND_RIP);
		tdm_xl_record(x, TDM_REC_INDIRECT, 0, 0);
		go_indirect(x);
		return true;
	}
	xl_spill(x, TDM_RAX);
	tdm_emit_bytes(&x->e, (const u8[]) { 0x48, 0x8b, 0x04, 0x24 }, 4);
	xl_before(x, XL_BIT(TDM_RAX));
	tdm_emit_state(&x->e, TDM_X86_STORE, TDM_RAX, TDM_BTS_IND_RIP);
	xl_unspill(x, TDM_RAX);
	xl_before(x, 0);
	tdm_emit_lea_rsp(&x->e, 8 + x->rec.imm);
	tdm_xl_record(x, TDM_REC_INDIRECT, 0, 0);
	go_indirect(x);
	return true;
}

/* Address of a RIP-relative operand. */
static u64 rip_operand(const struct tdm_xl *x)
{
	u64 addr = xl_next(x) + x->tr->insn.opnd[0].imm;

	return x->tr->insn.addrsize == 4 ? (u32)addr : addr;
}

/* Is the operand RIP-relative, and too far for 32 bits? */
static bool far_operand(const struct tdm_xl *x)
{
	const struct tdm_insn *insn = &x->tr->insn;

	return insn->opnd[0].base == TDM_REG_RIP && insn->addrsize == 8 &&
	       !xl_fits32(rip_operand(x));
}

/*
 * Another instruction with the memory operand of this indirect branch: the same
 * prefixes and address. @w: REX.W. Not for a far operand.
 */
static void emit_with_operand(struct tdm_xl *x, u8 opcode, unsigned int reg, bool w)
{
	const struct tdm_insn *insn = &x->tr->insn;
	const ZydisDecodedInstruction *zi = &tdm_insn_raw(&x->tr->work)->zi;
	unsigned int modrm = zi->raw.modrm.offset, i;
	bool abs = insn->opnd[0].base == TDM_REG_RIP;
	u8 rex = w ? 0x48 : 0;

	for (i = 0; i < zi->raw.prefix_count; i++)
		switch (insn->bytes[i]) {
		case 0x64: case 0x65: case 0x67:
			tdm_emit_u8(&x->e, insn->bytes[i]);
		}
	if (!abs && (zi->attributes & ZYDIS_ATTRIB_HAS_REX))
		rex |= 0x40 | (insn->bytes[zi->raw.rex.offset] & 3);
	if (rex)
		tdm_emit_u8(&x->e, rex);
	tdm_emit_u8(&x->e, opcode);
	if (abs) {
		tdm_emit_u8(&x->e, reg << 3 | 4);
		tdm_emit_u8(&x->e, 0x25);
		tdm_emit_u32(&x->e, rip_operand(x));
	} else {
		tdm_emit_u8(&x->e, (insn->bytes[modrm] & 0xc7) | reg << 3);
		tdm_emit_bytes(&x->e, insn->bytes + modrm + 1, insn->len - modrm - 1);
	}
}

/* RAX = memory operand of an indirect branch. RAX is spilled. */
static void load_target(struct tdm_xl *x)
{
	if (!far_operand(x)) {
		emit_with_operand(x, MOV_LOAD, TDM_RAX, true);
		return;
	}
	tdm_emit_mov_imm(&x->e, TDM_RAX, rip_operand(x));
	xl_before(x, XL_BIT(TDM_RAX));
	/* mov rax, [rax]; the branch's segment may be FS or GS */
	if (x->tr->insn.opnd[0].seg == TDM_SEG_FS || x->tr->insn.opnd[0].seg == TDM_SEG_GS)
		tdm_emit_u8(&x->e, x->tr->insn.opnd[0].seg == TDM_SEG_FS ? 0x64 : 0x65);
	tdm_emit_bytes(&x->e, (const u8[]) { 0x48, 0x8b, 0x00 }, 3);
}

/* ind_rip = the operand of an indirect branch. */
static void store_target(struct tdm_xl *x)
{
	const struct tdm_operand *op = &x->tr->insn.opnd[0];

	xl_before(x, 0);
	store_site(x);
	if (op->kind == TDM_OPND_GPR) {
		tdm_emit_state(&x->e, TDM_X86_STORE, op->reg, TDM_BTS_IND_RIP);
		return;
	}
	xl_spill(x, TDM_RAX);
	load_target(x);
	xl_before(x, XL_BIT(TDM_RAX));
	tdm_emit_state(&x->e, TDM_X86_STORE, TDM_RAX, TDM_BTS_IND_RIP);
}

/*
 * The memory operand to ind_rip in one instruction, a PUSH: it is after the
 * branch as soon as memory was read. Matters to data breakpoints.
 */
static void push_target(struct tdm_xl *x)
{
	xl_before(x, 0);
	store_site(x);
	xl_spill(x, TDM_RSP);
	tdm_emit_state(&x->e, TDM_X86_LEA, TDM_RSP, TDM_BTS_IND_RIP + 8);
	xl_before(x, XL_BIT(TDM_RSP));
	emit_with_operand(x, GROUP5, 6, false);
	tdm_xl_record(x, TDM_REC_INDIRECT, XL_BIT(TDM_RSP), 0);
	xl_unspill(x, TDM_RSP);
}

bool tdm_xl_jmp_ind(struct tdm_xl *x)
{
	const struct tdm_operand *op = &x->tr->insn.opnd[0];

	x->rec.op = TDM_BT_OP_JMP_IND;
	if (op->kind == TDM_OPND_GPR) {
		store_target(x);
	} else if (op->base != TDM_RSP && !far_operand(x)) {
		push_target(x);
	} else {
		store_target(x);
		xl_unspill(x, TDM_RAX);
	}
	tdm_xl_record(x, TDM_REC_INDIRECT, 0, 0);
	go_indirect(x);
	return true;
}

bool tdm_xl_call_ind(struct tdm_xl *x)
{
	bool spilled = x->tr->insn.opnd[0].kind != TDM_OPND_GPR;
	bool wide = !xl_fits32(xl_next(x));

	x->rec.op = TDM_BT_OP_CALL_IND;
	store_target(x);
	if (wide && !spilled) {
		xl_spill(x, TDM_RAX);
		xl_before(x, XL_BIT(TDM_RAX));
	}
	if (!wide && spilled) {
		xl_unspill(x, TDM_RAX);
		xl_before(x, 0);
	}
	push_return(x);
	if (wide) {
		tdm_xl_record(x, TDM_REC_INDIRECT, XL_BIT(TDM_RAX), 0);
		xl_unspill(x, TDM_RAX);
	}
	tdm_xl_record(x, TDM_REC_INDIRECT, 0, 0);
	go_indirect(x);
	return true;
}

/* tu.h has the contract. */
void tdm_bt_emit_common(struct tdm_bt_tr *tr)
{
	struct tdm_xl x;

	tdm_xl_start(&x, tr);
	tdm_xl_record(&x, TDM_REC_INDIRECT, TDM_BT_STUB_RESTORE, 0);
	xl_unspill(&x, TDM_RCX);
	xl_unspill(&x, TDM_RAX);
	tdm_xl_record(&x, TDM_REC_INDIRECT, 0, 0);
	tdm_emit_callout(&x.e, TDM_BT_ID(TDM_BT_ID_COMMON, TDM_BT_WHAT_MISS));
	if (WARN_ON_ONCE(x.e.overflow))
		x.e.len = 0;
	tr->out_len = x.e.len;
}

/* tu.h has the contract. */
void tdm_bt_emit_stub(u8 *out, u64 va, u64 base, u64 rip, u64 fragment, u64 miss)
{
	struct tdm_emit e = {
		.buf = out, .va = va, .state = base + TDM_BT_STATE, .max = TDM_BT_STUB_MAX,
	};
	unsigned int same;

	static_assert(TDM_BT_STUB_RESTORE == (XL_BIT(TDM_RAX) | XL_BIT(TDM_RCX)));
	tdm_emit_state(&e, TDM_X86_LOAD, TDM_RCX, TDM_BTS_IND_RIP);
	if (xl_fits32(-rip)) {
		/* lea rcx, [rcx - rip] */
		tdm_emit_bytes(&e, (const u8[]) { 0x48, 0x8d, 0x89 }, 3);
		tdm_emit_u32(&e, -rip);
	} else {
		tdm_emit_mov_imm(&e, TDM_RAX, -rip);
		/* lea rcx, [rcx + rax] */
		tdm_emit_bytes(&e, (const u8[]) { 0x48, 0x8d, 0x0c, 0x01 }, 4);
	}
	tdm_emit_bytes(&e, (const u8[]) { JRCXZ, 0 }, 2);
	same = e.len;
	tdm_emit_jmp(&e, miss);
	tdm_emit_short(&e, same);
	tdm_emit_state(&e, TDM_X86_LOAD, TDM_RCX, TDM_BTS_SPILL + 8 * TDM_RCX);
	tdm_emit_state(&e, TDM_X86_LOAD, TDM_RAX, TDM_BTS_SPILL + 8 * TDM_RAX);
	tdm_emit_jmp(&e, fragment);
	WARN_ON_ONCE(e.overflow);
}
