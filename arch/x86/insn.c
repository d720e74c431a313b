// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoder wrapper: runs Zydis and turns its result into the compact form of
 * insn.h. No policy: what an instruction does, and whether it is allowed, is
 * the business of the callers.
 *
 * Beware: guest bytes come in here unchecked. Zydis bounds every read by @len;
 * this file must not look past it either.
 */
#include "emul/port.h"

#include "insn-zydis.h"

#include <Zydis/Register.h>

static_assert(sizeof(struct tdm_insn_raw) <=
	      sizeof(struct tdm_insn_work));
static_assert(TDM_INSN_MAX_OPERANDS == ZYDIS_MAX_OPERAND_COUNT_VISIBLE);
static_assert(TDM_INSN_MAX_LEN == ZYDIS_MAX_INSTRUCTION_LENGTH);

/*
 * CET and MPX are off: no guest is offered them, and without them their
 * opcodes are NOPs or undefined, as on hardware that lacks them. LZCNT and
 * TZCNT are on: the emulator turns them into BSR and BSF where the guest's
 * CPUID says so, because the bytes are the same.
 */
#define DECODER(machine, stack, amd) {				\
	.machine_mode = ZYDIS_MACHINE_MODE_ ## machine,		\
	.stack_width = ZYDIS_STACK_WIDTH_ ## stack,		\
	.decoder_mode = {					\
		[ZYDIS_DECODER_MODE_AMD_BRANCHES] = (amd),	\
		[ZYDIS_DECODER_MODE_LZCNT] = ZYAN_TRUE,		\
		[ZYDIS_DECODER_MODE_TZCNT] = ZYAN_TRUE,		\
	},							\
}

#define DECODERS(amd) {						\
	[TDM_MODE_REAL] = DECODER(REAL_16, 16, amd),		\
	[TDM_MODE_PROT16] = DECODER(LEGACY_16, 16, amd),	\
	[TDM_MODE_PROT32] = DECODER(LEGACY_32, 32, amd),	\
	[TDM_MODE_LONG64] = DECODER(LONG_64, 64, amd),		\
}

static const ZydisDecoder decoders[2][TDM_NR_MODES] = {
	DECODERS(ZYAN_FALSE), DECODERS(ZYAN_TRUE),
};

static u8 gpr_number(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15)
		return reg - ZYDIS_REGISTER_RAX;
	if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D)
		return reg - ZYDIS_REGISTER_EAX;
	if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W)
		return reg - ZYDIS_REGISTER_AX;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP ||
	    reg == ZYDIS_REGISTER_IP)
		return TDM_REG_RIP;
	return TDM_REG_NONE;
}

/* Zydis numbers AL..BL, AH..BH, SPL..DIL, R8B..R15B. */
static void byte_register(struct tdm_operand *op, ZydisRegister reg)
{
	unsigned int n = reg - ZYDIS_REGISTER_AL;

	op->kind = TDM_OPND_GPR;
	if (n < 4) {
		op->reg = n;
	} else if (n < 8) {
		op->kind = TDM_OPND_GPR_HIGH;
		op->reg = n - 4;
	} else {
		op->reg = n - 4;
	}
}

static void register_operand(struct tdm_operand *op, ZydisRegister reg)
{
	op->reg = gpr_number(reg);
	if (op->reg < TDM_NR_GPRS) {
		op->kind = TDM_OPND_GPR;
		return;
	}

	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_GPR8:
		byte_register(op, reg);
		return;
	case ZYDIS_REGCLASS_SEGMENT:
		op->kind = TDM_OPND_SEG;
		op->reg = reg - ZYDIS_REGISTER_ES;
		return;
	case ZYDIS_REGCLASS_CONTROL:
		op->kind = TDM_OPND_CR;
		op->reg = reg - ZYDIS_REGISTER_CR0;
		return;
	case ZYDIS_REGCLASS_DEBUG:
		op->kind = TDM_OPND_DR;
		op->reg = reg - ZYDIS_REGISTER_DR0;
		return;
	case ZYDIS_REGCLASS_XMM:
		op->kind = TDM_OPND_VEC;
		op->reg = reg - ZYDIS_REGISTER_XMM0;
		return;
	case ZYDIS_REGCLASS_YMM:
		op->kind = TDM_OPND_VEC;
		op->reg = reg - ZYDIS_REGISTER_YMM0;
		return;
	case ZYDIS_REGCLASS_ZMM:
		op->kind = TDM_OPND_VEC;
		op->reg = reg - ZYDIS_REGISTER_ZMM0;
		return;
	case ZYDIS_REGCLASS_MMX:
		op->kind = TDM_OPND_MMX;
		op->reg = reg - ZYDIS_REGISTER_MM0;
		return;
	default:
		op->kind = TDM_OPND_OTHER;
		op->reg = TDM_REG_NONE;
	}
}

static void memory_operand(struct tdm_operand *op,
			   const ZydisDecodedOperandMem *mem)
{
	op->kind = TDM_OPND_MEM;
	op->seg = TDM_SEG_DS;
	if (mem->segment >= ZYDIS_REGISTER_ES && mem->segment <= ZYDIS_REGISTER_GS)
		op->seg = mem->segment - ZYDIS_REGISTER_ES;
	op->base = gpr_number(mem->base);
	op->index = gpr_number(mem->index);
	op->scale = mem->scale;
	op->imm = mem->disp.has_displacement ? mem->disp.value : 0;
	op->no_access = mem->type == ZYDIS_MEMOP_TYPE_AGEN ||
			mem->type == ZYDIS_MEMOP_TYPE_MIB;
	/* Vector indices are out of reach of everything that uses this form. */
	if (mem->type == ZYDIS_MEMOP_TYPE_VSIB)
		op->kind = TDM_OPND_OTHER;
}

static void translate_operand(struct tdm_operand *op,
			      const ZydisDecodedOperand *zo)
{
	memset(op, 0, sizeof(*op));
	op->size = zo->size / 8;
	if (zo->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
		op->actions |= TDM_OPND_READ;
	if (zo->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		op->actions |= TDM_OPND_WRITE;

	switch (zo->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		register_operand(op, zo->reg.value);
		return;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		memory_operand(op, &zo->mem);
		return;
	case ZYDIS_OPERAND_TYPE_POINTER:
		op->kind = TDM_OPND_FAR;
		op->imm = zo->ptr.offset;
		op->sel = zo->ptr.segment;
		return;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		op->kind = zo->imm.is_relative ? TDM_OPND_REL : TDM_OPND_IMM;
		op->imm = zo->imm.value.u;
		return;
	default:
		op->kind = TDM_OPND_NONE;
	}
}

static u8 translate_prefixes(const ZydisDecodedInstruction *zi)
{
	u8 pfx = 0;
	unsigned int i;

	for (i = 0; i < zi->raw.prefix_count; i++) {
		switch (zi->raw.prefixes[i].value) {
		case 0xf3:
			pfx = (pfx & ~TDM_PFX_REPNE) | TDM_PFX_REPE;
			break;
		case 0xf2:
			pfx = (pfx & ~TDM_PFX_REPE) | TDM_PFX_REPNE;
			break;
		case 0x66:
			pfx |= TDM_PFX_OPSIZE;
			break;
		case 0x67:
			pfx |= TDM_PFX_ADDRSIZE;
			break;
		case 0xf0:
			pfx |= TDM_PFX_LOCK;
			break;
		}
	}
	switch (zi->encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
		if ((zi->attributes & ZYDIS_ATTRIB_HAS_REX) && zi->raw.rex.W)
			pfx |= TDM_PFX_REX_W;
		break;
	case ZYDIS_INSTRUCTION_ENCODING_VEX:
		pfx |= TDM_PFX_VEX;
		if (zi->raw.vex.W)
			pfx |= TDM_PFX_REX_W;
		break;
	default:
		pfx |= TDM_PFX_EVEX;
	}
	return pfx;
}

static u8 translate_override(ZydisInstructionAttributes attr)
{
	static const struct {
		ZydisInstructionAttributes attr;
		u8 seg;
	} map[] = {
		{ ZYDIS_ATTRIB_HAS_SEGMENT_ES, TDM_SEG_ES },
		{ ZYDIS_ATTRIB_HAS_SEGMENT_CS, TDM_SEG_CS },
		{ ZYDIS_ATTRIB_HAS_SEGMENT_SS, TDM_SEG_SS },
		{ ZYDIS_ATTRIB_HAS_SEGMENT_DS, TDM_SEG_DS },
		{ ZYDIS_ATTRIB_HAS_SEGMENT_FS, TDM_SEG_FS },
		{ ZYDIS_ATTRIB_HAS_SEGMENT_GS, TDM_SEG_GS },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (attr & map[i].attr)
			return map[i].seg;
	return TDM_REG_NONE;
}

/* AMD's 16-bit near branches in 64-bit mode; the decoder leaves some out. */
static bool branch16(const ZydisDecodedInstruction *zi, u8 prefixes)
{
	return zi->machine_mode == ZYDIS_MACHINE_MODE_LONG_64 &&
	       (prefixes & (TDM_PFX_OPSIZE | TDM_PFX_REX_W)) == TDM_PFX_OPSIZE &&
	       (zi->meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT ||
		zi->meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR);
}

static void translate_insn(struct tdm_insn *insn,
			   const ZydisDecodedInstruction *zi, bool amd)
{
	insn->mnemonic = zi->mnemonic;
	insn->len = zi->length;
	insn->opsize = zi->operand_width / 8;
	insn->addrsize = zi->address_width / 8;
	insn->map = zi->opcode_map;
	insn->opcode = zi->opcode;
	insn->modrm_mod = TDM_REG_NONE;
	insn->modrm_reg = TDM_REG_NONE;
	if (zi->attributes & ZYDIS_ATTRIB_HAS_MODRM) {
		insn->modrm_mod = zi->raw.modrm.mod;
		insn->modrm_reg = zi->raw.modrm.reg;
	}
	insn->prefixes = translate_prefixes(zi);
	if (amd && branch16(zi, insn->prefixes))
		insn->opsize = 2;
	insn->seg_override = translate_override(zi->attributes);
	insn->privileged = !!(zi->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED);
	insn->nr_opnds = zi->operand_count_visible;
}

/*
 * A SIB byte without base (ModRM.mod 0, base 5) has a 32-bit displacement
 * instead, whatever REX.B says. Zydis 4.0.0 takes R13D for the base with 32-bit
 * addresses. Mended in the raw result, for both views.
 */
static void fix_sib(struct tdm_insn_raw *raw)
{
	const ZydisDecodedInstruction *zi = &raw->zi;
	unsigned int i;

	if (!(zi->attributes & ZYDIS_ATTRIB_HAS_SIB) || zi->raw.modrm.mod ||
	    zi->raw.sib.base != 5)
		return;
	for (i = 0; i < zi->operand_count_visible; i++) {
		ZydisDecodedOperand *zo = &raw->zo[i];

		if (zo->type != ZYDIS_OPERAND_TYPE_MEMORY ||
		    zo->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM)
			continue;
		zo->mem.base = ZYDIS_REGISTER_NONE;
		zo->mem.disp.has_displacement = ZYAN_TRUE;
		zo->mem.disp.value = zi->raw.disp.value;
	}
}

/*
 * F3 90 is PAUSE, but with REX.B it is XCHG with R8 on every processor; the
 * decoder does not look at REX.B there.
 */
static void fix_pause(struct tdm_insn *insn, const ZydisDecodedInstruction *zi)
{
	unsigned int i;

	if (insn->mnemonic != ZYDIS_MNEMONIC_PAUSE ||
	    !(zi->attributes & ZYDIS_ATTRIB_HAS_REX) || !zi->raw.rex.B)
		return;
	insn->mnemonic = ZYDIS_MNEMONIC_XCHG;
	insn->nr_opnds = 2;
	for (i = 0; i < 2; i++)
		insn->opnd[i] = (struct tdm_operand) {
			.kind = TDM_OPND_GPR,
			.reg = i ? TDM_RAX : TDM_R8,
			.size = insn->opsize,
			.actions = TDM_OPND_READ | TDM_OPND_WRITE,
		};
}

/**
 * tdm_insn_decode() - decode one instruction
 * @insn: result; fully valid only if 0 is returned
 * @work: room for the decoder; afterwards its own result (insn-zydis.h)
 * @bytes: code bytes
 * @len: how many bytes there are; more than 15 are not looked at
 * @mode: enum tdm_cpu_mode, perhaps with TDM_DECODE_AMD
 *
 * Return: 0; -EINVAL for an undefined instruction or an illegal prefix (#UD);
 * -E2BIG if the instruction does not end within @len bytes: with fewer than
 * 15 fetch more, with 15 it is too long (#GP).
 */
int tdm_insn_decode(struct tdm_insn *insn, struct tdm_insn_work *work,
		    const __u8 *bytes, size_t len, unsigned int mode)
{
	struct tdm_insn_raw *raw = (struct tdm_insn_raw *)work->raw;
	bool amd = mode & TDM_DECODE_AMD;
	const ZydisDecoder *dec;
	ZyanStatus status;
	unsigned int i;

	mode &= ~TDM_DECODE_AMD;
	if (WARN_ON_ONCE(mode >= TDM_NR_MODES))
		return -EINVAL;
	dec = &decoders[amd][mode];

	if (len > TDM_INSN_MAX_LEN)
		len = TDM_INSN_MAX_LEN;
	insn->mode = mode;
	if (!len)
		return -E2BIG;

	status = ZydisDecoderDecodeInstruction(dec, &raw->zc, bytes, len, &raw->zi);
	if (status == ZYDIS_STATUS_NO_MORE_DATA ||
	    status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
		return -E2BIG;
	if (!ZYAN_SUCCESS(status))
		return -EINVAL;
	/* Of a coprocessor; its mode is off, but some encodings get through. */
	if (raw->zi.meta.isa_ext == ZYDIS_ISA_EXT_KNC ||
	    raw->zi.meta.isa_ext == ZYDIS_ISA_EXT_KNCV)
		return -EINVAL;
	status = ZydisDecoderDecodeOperands(dec, &raw->zc, &raw->zi, raw->zo,
					    raw->zi.operand_count_visible);
	if (!ZYAN_SUCCESS(status))
		return -EINVAL;

	fix_sib(raw);
	translate_insn(insn, &raw->zi, amd);
	for (i = 0; i < insn->nr_opnds; i++)
		translate_operand(&insn->opnd[i], &raw->zo[i]);
	fix_pause(insn, &raw->zi);
	memcpy(insn->bytes, bytes, insn->len);
	return 0;
}

/**
 * tdm_insn_name() - the mnemonic in words
 * @insn: successfully decoded instruction
 *
 * Return: a constant string, for messages.
 */
const char *tdm_insn_name(const struct tdm_insn *insn)
{
	const char *name = ZydisMnemonicGetString(insn->mnemonic);

	return name ? name : "?";
}
