// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the translator makes of an example of each class: guest bytes, host
 * instructions, records. Kept in bt_listing.txt: a change of any sequence shows
 * there. Also says what each class costs.
 *
 * usage: bt_listing_test [-p]	(-p prints the listing)
 */
#include "arch/x86/emul/port.h"
#include "arch/x86/insn-zydis.h"
#include "bt/tu.h"
#include "bt_golden.h"
#include "emul_ktap.h"

#include <Zydis/Formatter.h>

#ifndef BT_DIR
#error "BT_DIR must be the directory of bt_listing.txt"
#endif

#define BASE	0x700000000000ull
#define TC	(BASE + TDM_BT_TC)
#define VA	(TC + 0x1000)
#define CONT(i)	(TC + 0x8000 + 6 * (i))
#define KERNEL	0xffffffff81000000ull
#define FAR	0xffff888000100000ull	/* not in the top 2 GiB */

#define SAMPLE(title, rip, ...)	\
	{ title, rip, sizeof((const u8[]) { __VA_ARGS__ }), 1, { __VA_ARGS__ } }

/* @insns: how many of them; the cost is theirs alone, without the way out. */
static const struct sample {
	const char *title;
	u64 rip;
	u8 len;
	u8 insns;
	u8 code[16];
} samples[] = {
	SAMPLE("ident", KERNEL, 0x48, 0x01, 0xd8),
	SAMPLE("ident, memory", KERNEL, 0x65, 0x48, 0x8b, 0x04, 0x25, 0x40, 0xfc, 0x01, 0x00),
	SAMPLE("ident, RIP-relative, kernel text", KERNEL, 0x48, 0x8b, 0x05, 0x10, 0, 0, 0),
	SAMPLE("ident, RIP-relative, immediate", KERNEL, 0x81, 0x3d, 0x10, 0, 0, 0, 1, 2, 3, 4),
	SAMPLE("ident, RIP-relative, VEX", KERNEL, 0xc5, 0xfa, 0x6f, 0x0d, 0x10, 0, 0, 0),
	SAMPLE("ident, RIP-relative, EVEX", KERNEL, 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x05, 0x10, 0, 0, 0),
	SAMPLE("ident, RIP-relative, elsewhere", FAR, 0x48, 0x8b, 0x05, 0x10, 0, 0, 0),
	SAMPLE("ident, RIP-relative, elsewhere, RSI in use", FAR, 0x48, 0x01, 0x35, 0x10, 0, 0, 0),
	SAMPLE("ident, RIP-relative, 15 bytes long", KERNEL, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
	       0x66, 0x81, 0x05, 0x10, 0, 0, 0, 1, 2),
	SAMPLE("ident, ends the TU", KERNEL, 0x0f, 0x0b),
	SAMPLE("lea, RIP-relative", KERNEL, 0x48, 0x8d, 0x3d, 0x10, 0, 0, 0),
	SAMPLE("lea, RIP-relative, elsewhere", FAR, 0x4c, 0x8d, 0x3d, 0x10, 0, 0, 0),
	SAMPLE("lea, RIP-relative, 16 bits", KERNEL, 0x66, 0x8d, 0x3d, 0x10, 0, 0, 0),
	SAMPLE("jmp", KERNEL, 0xe9, 0x10, 0, 0, 0),
	SAMPLE("jcc", KERNEL, 0x74, 0x10),
	SAMPLE("loop", KERNEL, 0xe2, 0xf0),
	SAMPLE("jecxz", KERNEL, 0x67, 0xe3, 0x10),
	SAMPLE("call", KERNEL, 0xe8, 0x10, 0, 0, 0),
	SAMPLE("call, elsewhere", FAR, 0xe8, 0x10, 0, 0, 0),
	SAMPLE("ret", KERNEL, 0xc3),
	SAMPLE("ret n", KERNEL, 0xc2, 0x10, 0x00),
	SAMPLE("jmp register", KERNEL, 0xff, 0xe0),
	SAMPLE("jmp memory", KERNEL, 0x41, 0xff, 0x64, 0xc7, 0x08),
	SAMPLE("jmp RIP-relative", KERNEL, 0xff, 0x25, 0x10, 0, 0, 0),
	SAMPLE("call register", KERNEL, 0x41, 0xff, 0xd3),
	SAMPLE("call register, elsewhere", FAR, 0xff, 0xd0),
	SAMPLE("call memory", KERNEL, 0xff, 0x54, 0x24, 0x08),
	SAMPLE("call RIP-relative, elsewhere", FAR, 0xff, 0x15, 0x10, 0, 0, 0),
	SAMPLE("cli", KERNEL, 0xfa),
	{ "sti; nop", KERNEL, 2, 2, { 0xfb, 0x90 } },
	SAMPLE("sti, alone", KERNEL, 0xfb),
	SAMPLE("pushf", KERNEL, 0x9c),
	SAMPLE("popf", KERNEL, 0x9d),
	SAMPLE("popf, 16 bits", KERNEL, 0x66, 0x9d),
	SAMPLE("swapgs", KERNEL, 0x0f, 0x01, 0xf8),
	SAMPLE("stac", KERNEL, 0x0f, 0x01, 0xcb),
	SAMPLE("clac", KERNEL, 0x0f, 0x01, 0xca),
	SAMPLE("read of a control register", KERNEL, 0x0f, 0x20, 0xd8),
	SAMPLE("read of CS", KERNEL, 0x8c, 0xc8),
	SAMPLE("read of SS, 16 bits", KERNEL, 0x66, 0x41, 0x8c, 0xd1),
	SAMPLE("iretq", KERNEL, 0x48, 0xcf),
	SAMPLE("callout: cpuid", KERNEL, 0x0f, 0xa2),
	SAMPLE("callout: cr write", KERNEL, 0x41, 0x0f, 0x22, 0xdc),
	SAMPLE("callout: cr8", KERNEL, 0x44, 0x0f, 0x20, 0xc1),
	SAMPLE("callout: io", KERNEL, 0xe6, 0x80),
	SAMPLE("callout: io, DX", KERNEL, 0x66, 0xed),
	SAMPLE("callout: interpret", KERNEL, 0x8e, 0xd8),
	SAMPLE("callout, ends the TU: sysret", KERNEL, 0x48, 0x0f, 0x07),
	SAMPLE("undefined", KERNEL, 0x06),
};

static const struct {
	u16 off;
	const char *name;
} fields[] = {
	{ TDM_BTS_VIF, "vif" }, { TDM_BTS_KGS, "kernel_gs" }, { TDM_BTS_IND_RIP, "ind_rip" },
	{ TDM_BTS_IND_TC, "ind_tc" }, { TDM_BTS_SITE, "site" }, { TDM_BTS_CR0, "cr0" },
	{ TDM_BTS_CR2, "cr2" }, { TDM_BTS_CR3, "cr3" }, { TDM_BTS_CR4, "cr4" },
	{ TDM_BTS_FLAGS, "flags[0]" }, { TDM_BTS_FLAGS + 8, "flags[1]" },
	{ TDM_BTS_ARGS, "args" }, { TDM_BTS_IRET_PTR, "iret_ptr" },
	{ TDM_BTS_CS, "cs" }, { TDM_BTS_SS, "ss" }, { TDM_BTS_IRET_BAD, "iret_bad" },
	{ TDM_BTS_IRET_SAME, "iret_same" },
};

static const char *const reg_names[] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static struct tdm_bt_tr tr;
static ZydisFormatter fmt;
static struct tdm_insn insn;
static struct tdm_insn_work work;

/* What an address in the slot is called. */
static void print_name(FILE *f, u64 addr)
{
	u64 off = addr - BASE - TDM_BT_STATE, i;
	bool sti = off - 0x1000 < 0x1000;

	if (addr == TC)
		fprintf(f, " ; common");
	else if (addr == CONT(0) || addr == CONT(1))
		fprintf(f, " ; link %d", addr == CONT(1));
	else if (addr == BASE + TDM_BT_LOOKUP)
		fprintf(f, " ; lookup");
	if (sti)
		off -= 0x1000;
	if (off < 128)
		fprintf(f, " ; spill[%s]", reg_names[off / 8]);
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].off == off)
			fprintf(f, " ; %s%s", fields[i].name, sti ? ", alias" : "");
}

static void print_record(FILE *f, const struct tdm_bt_rec *rec)
{
	static const char *const kinds[] = { "before", "after", "taken", "indirect" };
	unsigned int i;

	fprintf(f, "  [%s", kinds[rec->kind]);
	for (i = 0; i < 16; i++)
		if (rec->restore & 1u << i)
			fprintf(f, " %s", reg_names[i]);
	if (rec->flags & TDM_REC_F_FLAGS)
		fprintf(f, " flags");
	if (rec->flags & TDM_REC_F_KGS)
		fprintf(f, " kernel_gs");
	if (rec->flags & TDM_REC_F_STI_SHADOW)
		fprintf(f, " shadow");
	if (rec->op)
		fprintf(f, " op=%u/%u,%u,%u,%#x", rec->op, rec->a, rec->b, rec->c, rec->imm);
	fprintf(f, "]\n");
}

static void print_insn(FILE *f, u64 va, unsigned int len)
{
	char text[160];
	unsigned int i;

	ZydisFormatterFormatInstruction(&fmt, &tdm_insn_raw(&work)->zi, tdm_insn_raw(&work)->zo,
					tdm_insn_raw(&work)->zi.operand_count_visible, text,
					sizeof(text), va, NULL);
	fprintf(f, "    %-44s", text);
	for (i = 0; i < insn.nr_opnds; i++) {
		if (insn.opnd[i].kind == TDM_OPND_MEM && insn.opnd[i].base == TDM_REG_RIP)
			print_name(f, va + len + insn.opnd[i].imm);
		if (insn.opnd[i].kind == TDM_OPND_REL)
			print_name(f, va + len + insn.opnd[i].imm);
	}
	fputc('\n', f);
}

/* Host instructions of the guest's first @insns, and bytes. */
static void count_cost(unsigned int insns, unsigned int *host, unsigned int *bytes)
{
	unsigned int off, i;

	*host = *bytes = 0;
	for (off = 0; off < tr.out_len; off += insn.len) {
		for (i = 0; i < tr.nr_recs && tr.recs[i].hoff <= off; i++)
			;
		if (tr.recs[i - 1].insn >= insns ||
		    tdm_insn_decode(&insn, &work, tr.out + off, tr.out_len - off, TDM_MODE_LONG64))
			break;
		++*host;
		*bytes += insn.len;
		if (insn.bytes[0] == 0xcd) {
			off += 4;
			*bytes += 4;
		}
	}
}

static void print_fragment(FILE *f)
{
	unsigned int off, r = 0;

	for (off = 0; off < tr.out_len; off += insn.len) {
		while (r < tr.nr_recs && tr.recs[r].hoff <= off)
			print_record(f, &tr.recs[r++]);
		if (tdm_insn_decode(&insn, &work, tr.out + off, tr.out_len - off, TDM_MODE_LONG64)) {
			fprintf(f, "    (undecodable)\n");
			return;
		}
		print_insn(f, tr.va + off, insn.len);
		if (insn.bytes[0] == 0xcd && insn.bytes[1] == TDM_BT_VEC_CALLOUT) {
			u32 id;

			memcpy(&id, tr.out + off + 2, 4);
			fprintf(f, "    .long %#x\n", id);
			off += 4;
		}
	}
}

static void print_sample(FILE *f, const struct sample *s)
{
	unsigned int i, host, bytes;

	fprintf(f, "\n%s\n  ", s->title);
	for (i = 0; i < s->len; i++)
		fprintf(f, "%02x ", s->code[i]);
	tr.rip = s->rip;
	tr.code = s->code;
	tr.len = tr.page_len = s->len;
	tr.max_insns = s->insns;
	if (tdm_bt_translate(&tr)) {
		fprintf(f, ": not translated\n");
		return;
	}
	count_cost(s->insns, &host, &bytes);
	fprintf(f, "at %llx: %u host instructions, %u bytes%s\n", (unsigned long long)s->rip,
		host, bytes, tr.nr_links ? ", way out included" : "");
	print_fragment(f);
}

static void print_stub(FILE *f, const char *name, u64 rip)
{
	fprintf(f, "\n%s of %llx\n", name, (unsigned long long)rip);
	memset(tr.out, 0xcc, TDM_BT_STUB_MAX);
	tdm_bt_emit_stub(tr.out, VA + 0x1000, BASE, rip, VA, TC);
	tr.va = VA + 0x1000;
	tr.out_len = TDM_BT_STUB_MAX;
	while (tr.out[tr.out_len - 1] == 0xcc)
		tr.out_len--;
	tr.nr_recs = 1;
	tr.recs[0] = (struct tdm_bt_rec){
		.kind = TDM_REC_INDIRECT, .restore = TDM_BT_STUB_RESTORE,
	};
	print_fragment(f);
}

static void print(FILE *f)
{
	unsigned int i;

	fprintf(f, "Translations of examples. [...]: the record from there on: where the guest is,\n"
		   "what is to be restored. Made by bt_listing_test -p.\n");
	for (i = 0; i < ARRAY_SIZE(samples); i++)
		print_sample(f, &samples[i]);
	fprintf(f, "\ncommon code\n");
	tr.va = TC;
	tdm_bt_emit_common(&tr);
	print_fragment(f);
	print_stub(f, "stub", KERNEL);
	print_stub(f, "stub, elsewhere", FAR);
	tr.va = VA;
}

int main(int argc, char **argv)
{
	ZydisFormatterInit(&fmt, ZYDIS_FORMATTER_STYLE_INTEL);
	tr.tu = 0x123;
	tr.va = VA;
	tr.base = BASE;
	tr.cont[0] = CONT(0);
	tr.cont[1] = CONT(1);
	tr.mode = TDM_MODE_LONG64;
	tr.fsgsbase = 1;
	if (argc > 1 && !strcmp(argv[1], "-p")) {
		print(stdout);
		return 0;
	}
	ktap_start(1);
	ktap_result(bt_golden(BT_DIR "/bt_listing.txt", print), "translations are as in bt_listing.txt");
	return ktap_end();
}
