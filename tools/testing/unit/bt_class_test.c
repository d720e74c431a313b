// SPDX-License-Identifier: GPL-2.0-only
/*
 * The translator's classifier: every instruction the decoder knows has a class,
 * the list of them is kept in bt_classes.txt, and none that the decoder calls
 * privileged, or that touches anything but user-level state, is copied.
 *
 * usage: bt_class_test [-p]	(-p prints the list)
 */
#include "arch/x86/insn-zydis.h"
#include "bt/classify.h"
#include "bt/tu.h"
#include "bt_golden.h"
#include "emul_ktap.h"
#include "opcodes.h"

#include <Zydis/MetaInfo.h>
#include <Zydis/Mnemonic.h>
#include <Zydis/Register.h>

#ifndef BT_DIR
#error "BT_DIR must be the directory of bt_classes.txt"
#endif

static const char *const class_names[TDM_NR_BTCS] = {
	[TDM_BTC_CALLOUT] = "callout", [TDM_BTC_STOP] = "callout, ends the TU",
	[TDM_BTC_IDENT] = "ident", [TDM_BTC_IDENT_STOP] = "ident, ends the TU",
	[TDM_BTC_LEA] = "lea", [TDM_BTC_JMP] = "jmp", [TDM_BTC_JCC] = "jcc",
	[TDM_BTC_LOOP] = "loop", [TDM_BTC_CALL] = "call", [TDM_BTC_RET] = "ret",
	[TDM_BTC_JMP_IND] = "jmp, indirect", [TDM_BTC_CALL_IND] = "call, indirect",
	[TDM_BTC_CLI] = "cli", [TDM_BTC_STI] = "sti", [TDM_BTC_PUSHF] = "pushf",
	[TDM_BTC_POPF] = "popf", [TDM_BTC_SWAPGS] = "swapgs", [TDM_BTC_STAC] = "stac",
	[TDM_BTC_CLAC] = "clac", [TDM_BTC_CR_READ] = "read of a control register",
	[TDM_BTC_SREG_READ] = "read of CS or SS", [TDM_BTC_IRET] = "iretq",
};

static const char *const op_names[TDM_NR_BT_OPS] = {
	[TDM_BT_OP_INTERPRET] = "interpret", [TDM_BT_OP_CPUID] = "cpuid",
	[TDM_BT_OP_HLT] = "hlt", [TDM_BT_OP_RDMSR] = "rdmsr", [TDM_BT_OP_WRMSR] = "wrmsr",
	[TDM_BT_OP_CR_WRITE] = "cr write", [TDM_BT_OP_CR_READ] = "cr read",
	[TDM_BT_OP_INVLPG] = "invlpg", [TDM_BT_OP_RDTSC] = "rdtsc",
	[TDM_BT_OP_RDTSCP] = "rdtscp", [TDM_BT_OP_IO] = "io", [TDM_BT_OP_WBINVD] = "wbinvd",
	[TDM_BT_OP_SYSRET] = "sysret", [TDM_BT_OP_CLTS] = "clts",
};

/* What is more than user state by name, though the decoder does not say so. */
static const ZydisMnemonic sensitive[] = {
	ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT, ZYDIS_MNEMONIC_SLDT, ZYDIS_MNEMONIC_STR,
	ZYDIS_MNEMONIC_SMSW, ZYDIS_MNEMONIC_LAR, ZYDIS_MNEMONIC_LSL, ZYDIS_MNEMONIC_VERR,
	ZYDIS_MNEMONIC_VERW, ZYDIS_MNEMONIC_PUSHFQ, ZYDIS_MNEMONIC_POPFQ, ZYDIS_MNEMONIC_PUSHF,
	ZYDIS_MNEMONIC_POPF, ZYDIS_MNEMONIC_CLI, ZYDIS_MNEMONIC_STI, ZYDIS_MNEMONIC_IN,
	ZYDIS_MNEMONIC_OUT, ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_OUTSD, ZYDIS_MNEMONIC_CPUID,
	ZYDIS_MNEMONIC_RDTSC, ZYDIS_MNEMONIC_RDTSCP, ZYDIS_MNEMONIC_RDPMC, ZYDIS_MNEMONIC_RDPID,
	ZYDIS_MNEMONIC_SYSCALL, ZYDIS_MNEMONIC_SYSRET, ZYDIS_MNEMONIC_SYSENTER,
	ZYDIS_MNEMONIC_SYSEXIT, ZYDIS_MNEMONIC_IRET, ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_IRETQ,
	ZYDIS_MNEMONIC_INT, ZYDIS_MNEMONIC_INT1, ZYDIS_MNEMONIC_INT3, ZYDIS_MNEMONIC_LFS,
	ZYDIS_MNEMONIC_LGS, ZYDIS_MNEMONIC_LSS, ZYDIS_MNEMONIC_SWAPGS, ZYDIS_MNEMONIC_XBEGIN,
	ZYDIS_MNEMONIC_XABORT, ZYDIS_MNEMONIC_VMCALL, ZYDIS_MNEMONIC_VMMCALL,
	ZYDIS_MNEMONIC_MONITOR, ZYDIS_MNEMONIC_MWAIT, ZYDIS_MNEMONIC_UMWAIT,
	ZYDIS_MNEMONIC_SENDUIPI, ZYDIS_MNEMONIC_ENCLU, ZYDIS_MNEMONIC_RSM,
};

/* Register classes and flags that only IDENT-free instructions may touch. */
#define STRANGE_FLAGS (ZYDIS_CPUFLAG_TF | ZYDIS_CPUFLAG_IF | ZYDIS_CPUFLAG_IOPL |	\
		       ZYDIS_CPUFLAG_NT | ZYDIS_CPUFLAG_RF | ZYDIS_CPUFLAG_VM |		\
		       ZYDIS_CPUFLAG_AC | ZYDIS_CPUFLAG_VIF | ZYDIS_CPUFLAG_VIP)

static struct tdm_insn insn;
static struct tdm_insn_work work;
static bool seen[ZYDIS_MNEMONIC_MAX_VALUE + 1][TDM_NR_BTCS][TDM_NR_BT_OPS];
static bool is_sensitive[ZYDIS_MNEMONIC_MAX_VALUE + 1];
static unsigned int nr_seen, nr_privileged, nr_strange, nr_sensitive, nr_ident;

static void complain(const u8 *code, const char *why)
{
	unsigned int i;

	printf("# %s: %s:", ZydisMnemonicGetString(insn.mnemonic), why);
	for (i = 0; i < insn.len; i++)
		printf(" %02x", code[i]);
	putchar('\n');
}

static bool copied(struct tdm_bt_verdict v)
{
	return v.cls == TDM_BTC_IDENT || v.cls == TDM_BTC_IDENT_STOP || v.cls == TDM_BTC_LEA;
}

static bool strange_register(ZydisRegister reg, bool write)
{
	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_TABLE:
	case ZYDIS_REGCLASS_TEST:
	case ZYDIS_REGCLASS_CONTROL:
	case ZYDIS_REGCLASS_DEBUG:
		return true;
	case ZYDIS_REGCLASS_SEGMENT:
		return true;
	default:
		/* XGETBV reads it; the guest's is the real one. */
		return reg == ZYDIS_REGISTER_XCR0 && write;
	}
}

/* All operands, the hidden ones too, and flags. */
static bool touches_strange(void)
{
	static ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	const struct tdm_insn_raw *raw = tdm_insn_raw(&work);
	const ZydisAccessedFlags *fl = raw->zi.cpu_flags;
	ZydisDecoder dec;
	unsigned int i;

	if (fl && ((fl->tested | fl->modified | fl->set_0 | fl->set_1) & STRANGE_FLAGS))
		return true;
	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&dec, &raw->zc, &raw->zi, ops,
						     raw->zi.operand_count)))
		return true;
	for (i = 0; i < raw->zi.operand_count; i++)
		if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    strange_register(ops[i].reg.value,
				     ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			return true;
	return false;
}

static void look_at(const u8 *code)
{
	struct tdm_bt_verdict v;

	if (tdm_insn_decode(&insn, &work, code, 15, TDM_MODE_LONG64))
		return;
	v = tdm_bt_classify(&insn, &work);
	if (v.cls == TDM_BTC_CALLOUT && !v.op)
		complain(code, "a callout for nothing");
	if (!seen[insn.mnemonic][v.cls][v.op])
		nr_seen++;
	seen[insn.mnemonic][v.cls][v.op] = true;
	if (!copied(v))
		return;
	nr_ident++;
	if (insn.privileged && ++nr_privileged < 10)
		complain(code, "privileged, and copied");
	if (is_sensitive[insn.mnemonic] && ++nr_sensitive < 10)
		complain(code, "sensitive, and copied");
	if (touches_strange() && ++nr_strange < 10)
		complain(code, "touches system state, and is copied");
}

/* Far, 16-bit and other odd forms of what is copied or done otherwise. */
static const u8 odd[][8] = {
	{ 0x8c, 0xd8 }, { 0x8e, 0xd8 }, { 0x8e, 0xd0 }, { 0x0f, 0xa0 }, { 0x0f, 0xa1 },
	{ 0x0f, 0xa8 }, { 0x0f, 0xa9 }, { 0xff, 0x18 }, { 0x48, 0xff, 0x28 }, { 0xcb },
	{ 0xca, 0x08, 0x00 }, { 0x0f, 0x21, 0xc0 }, { 0x0f, 0x23, 0xf8 }, { 0x0f, 0x22, 0xd8 },
	{ 0x66, 0x9c }, { 0x66, 0x9d }, { 0xcd, 0x18 }, { 0x0f, 0x07 }, { 0x0f, 0x35 },
	{ 0x0f, 0x01, 0xd1 }, { 0x0f, 0xc7, 0x28 }, { 0x0f, 0xc7, 0x18 },
};

static bool odd_forms(void)
{
	struct tdm_bt_verdict v;
	unsigned int i;
	bool ok = true;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		u8 code[16] = {};

		memcpy(code, odd[i], sizeof(odd[i]));
		if (tdm_insn_decode(&insn, &work, code, 15, TDM_MODE_LONG64)) {
			complain(code, "does not decode");
			ok = false;
			continue;
		}
		v = tdm_bt_classify(&insn, &work);
		if (v.cls != TDM_BTC_CALLOUT && v.cls != TDM_BTC_STOP) {
			complain(code, "must be a callout");
			ok = false;
		}
	}
	return ok;
}

static void print_class(FILE *f, unsigned int cls, unsigned int op)
{
	unsigned int m, col = 0;

	for (m = 0; m <= ZYDIS_MNEMONIC_MAX_VALUE; m++) {
		const char *name = ZydisMnemonicGetString(m);

		if (!seen[m][cls][op])
			continue;
		if (!col) {
			fprintf(f, "\n[%s%s%s]\n", class_names[cls], op_names[op] ? ": " : "",
				op_names[op] ? op_names[op] : "");
		} else if (col + strlen(name) > 90) {
			fputc('\n', f);
			col = 0;
		}
		col += fprintf(f, "%s%s", col ? " " : "", name);
	}
	if (col)
		fputc('\n', f);
}

static void print(FILE *f)
{
	unsigned int cls, op;

	fprintf(f, "Class of every instruction in 64-bit kernel code, by mnemonic. Those with several\n"
		   "natures (MOV, PUSH, JMP, ...) are in several lists. Made by bt_class_test -p.\n");
	for (cls = 0; cls < TDM_NR_BTCS; cls++)
		for (op = 0; op < TDM_NR_BT_OPS; op++)
			print_class(f, cls, op);
}

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sensitive); i++)
		is_sensitive[sensitive[i]] = true;
	opcodes_each(look_at);
	if (argc > 1 && !strcmp(argv[1], "-p")) {
		print(stdout);
		return 0;
	}
	ktap_start(5);
	printf("# %u pairs of mnemonic and class, %u copied encodings\n", nr_seen, nr_ident);
	ktap_result(nr_seen > 1500 && !nr_privileged, "nothing privileged is copied");
	ktap_result(!nr_sensitive, "nothing sensitive is copied");
	ktap_result(!nr_strange, "nothing that touches system state is copied");
	ktap_result(odd_forms(), "odd forms are callouts");
	ktap_result(bt_golden(BT_DIR "/bt_classes.txt", print), "classes are as in bt_classes.txt");
	return ktap_end();
}
