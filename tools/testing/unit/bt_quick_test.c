// SPDX-License-Identifier: GPL-2.0-only
/*
 * The translator's quick decoder against the real one and the classifier: on
 * all prefixes, opcodes and operands that it may accept, they must agree.
 */
#include "arch/x86/insn-zydis.h"
#include "bt/classify.h"
#include "bt/quick.h"
#include "emul_ktap.h"

static struct tdm_insn insn;
static struct tdm_insn_work work;
static struct tdm_bt_quick q;
static unsigned long accepted, wrong;

static void complain(const u8 *code, const char *why)
{
	unsigned int i;

	if (++wrong > 10)
		return;
	printf("# %s:", why);
	for (i = 0; i < 15; i++)
		printf(" %02x", code[i]);
	printf(": length %u, class %u\n", q.len, q.cls);
}

/* Where the real decoder sees a RIP-relative operand. */
static unsigned int rip_modrm(void)
{
	const ZydisDecodedInstruction *zi = &tdm_insn_raw(&work)->zi;

	if (!(zi->attributes & ZYDIS_ATTRIB_HAS_MODRM) || zi->raw.modrm.mod ||
	    zi->raw.modrm.rm != 5)
		return 0;
	return zi->raw.modrm.offset;
}

static void check_relative(const u8 *code)
{
	const ZydisDecodedInstruction *zi = &tdm_insn_raw(&work)->zi;

	if (q.modrm != (q.cls == TDM_BTC_IDENT ? rip_modrm() : 0))
		complain(code, "RIP-relative operand");
	else if (q.modrm && q.rel != zi->raw.disp.value)
		complain(code, "displacement");
	else if (q.cls != TDM_BTC_IDENT && q.cls != TDM_BTC_RET &&
		 (s64)q.rel != (s64)insn.opnd[0].imm)
		complain(code, "branch displacement");
	else if (q.modrm && (zi->attributes & ZYDIS_ATTRIB_HAS_REX) &&
		 q.rex - 1 != zi->raw.rex.offset)
		complain(code, "REX");
}

static void look_at(const u8 *code)
{
	static const unsigned int modes[] = { TDM_MODE_LONG64, TDM_MODE_LONG64 | TDM_DECODE_AMD };
	struct tdm_bt_verdict v;
	unsigned int i;

	if (!tdm_bt_quick(&q, code, 15))
		return;
	accepted++;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (tdm_insn_decode(&insn, &work, code, 15, modes[i])) {
			complain(code, "does not decode");
			return;
		}
		v = tdm_bt_classify(&insn, &work);
		/* LEA with another operand than RIP-relative is copied. */
		if (v.cls == TDM_BTC_LEA && !rip_modrm())
			v.cls = TDM_BTC_IDENT;
		if (q.len != insn.len)
			complain(code, "length");
		if (q.cls != v.cls || v.op)
			complain(code, "class");
		check_relative(code);
	}
}

static void operands(u8 *code, unsigned int n)
{
	static const u8 sibs[] = { 0x25, 0xe4, 0x8d, 0x2d };
	unsigned int modrm, i;

	for (modrm = 0; modrm < 256; modrm++) {
		code[n] = modrm;
		if ((modrm & 7) != 4 || modrm >= 0xc0) {
			code[n + 1] = 0x81;
			look_at(code);
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(sibs); i++) {
			code[n + 1] = sibs[i];
			look_at(code);
		}
	}
}

static void all(void)
{
	static const u8 rex[] = { 0, 0x40, 0x41, 0x42, 0x44, 0x48, 0x49, 0x4f };
	unsigned int p, r, map, op, n;

	for (p = 0; p < 8; p++)
	for (r = 0; r < ARRAY_SIZE(rex); r++)
	for (map = 0; map < 2; map++)
	for (op = 0; op < 256; op++) {
		u8 code[16] = { [4 ... 15] = 0x91 };

		n = 0;
		/* 65h, 66h, and one that is not for the quick decoder. */
		if (p & 1)
			code[n++] = 0x65;
		if (p & 2)
			code[n++] = 0x66;
		if (p & 4)
			code[n++] = p & 1 ? 0xf3 : 0xf0;
		if (rex[r])
			code[n++] = rex[r];
		if (map)
			code[n++] = 0x0f;
		code[n++] = op;
		operands(code, n);
	}
}

int main(void)
{
	ktap_start(2);
	all();
	printf("# %lu accepted\n", accepted);
	ktap_result(accepted > 500000, "accepts what code consists of");
	ktap_result(!wrong, "agrees with decoder and classifier");
	return ktap_end();
}
