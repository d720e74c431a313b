// SPDX-License-Identifier: GPL-2.0-only
/*
 * userseg.c - what user code can see and do without a trap on most processors:
 * system registers, descriptors, flags, I/O by IOPL and bitmap, segment registers,
 * far transfers.
 *
 * User code runs directly under binary translation, with tables and selectors that
 * are not quite its own: here is where that would show. SDM vol. 2, pages of the
 * instructions; vol. 3, "Protection".
 */
#include "lib.h"

const char guest_name[] = "userseg";

enum { MODE_KERNEL, MODE_USER, MODE_USER32, NR_MODES };
static const char *const mode_names[] = { "kernel", "user", "user32" };

/*
 * User code has interrupts on, as under any operating system: a monitor may treat
 * it otherwise when they are off, which flags() tries.
 */
static void init(struct exec *x, const struct snip *s, int mode)
{
	if (mode == MODE_KERNEL)
		exec_init(x, s);
	else if (mode == MODE_USER)
		exec_user(x, s);
	else
		exec_user32(x, s);
	if (mode != MODE_KERNEL)
		x->rflags |= FL_IF;
}

/* A name of two parts; valid until the next call but three. */
static const char *name2(const char *a, const char *b)
{
	static char names[4][64];
	static u32 turn;
	char *p = names[turn++ & 3], *start = p;

	while (*a)
		*p++ = *a++;
	*p++ = '.';
	while (*b)
		*p++ = *b++;
	*p = 0;
	return start;
}

/* ---- registers that can be stored ---- */

static u8 stored[16] __attribute__((aligned(16)));

static void store(const char *name, int mode, struct snip s, u32 size,
		  const void *want)
{
	struct exec x;

	memset(stored, 0xee, sizeof(stored));
	init(&x, &s, mode);
	x.rbx = mode == MODE_KERNEL ? (u64)stored : UALIAS(stored);
	exec64(&x);
	check(x.vec == VEC_DONE && !memcmp(stored, want, size) &&
	      stored[size] == 0xee, name2(name, mode_names[mode]),
	      "vec %lx %lx %x", x.vec, *(u64 *)stored, *(u16 *)(stored + 8));
}

static void stores(void)
{
	u16 tr = SEL_TSS64, ldtr = 0, msw = read_cr0();
	struct {
		struct dtr d;
	} g = { gdt_ptr }, i = { idt_ptr };
	struct snip s64, s32;
	struct exec x;
	int mode;

#define STORED(name, insn, size, want) do {				\
	s64 = SNIP("", insn " (%rbx)", "");				\
	s32 = SNIP32("", insn " (%ebx)", "");				\
	for (mode = 0; mode < NR_MODES; mode++)				\
		store(name, mode, mode == MODE_USER32 ? s32 : s64,	\
		      mode == MODE_USER32 && (size) == 10 ? 6 : (size), want); \
} while (0)
	STORED("sgdt", "sgdt", 10, &g);
	STORED("sidt", "sidt", 10, &i);
	STORED("sldt", "sldt", 2, &ldtr);
	STORED("str", "str", 2, &tr);
	STORED("smsw", "smsw", 2, &msw);
	asm volatile("lldt %0" : : "r"((u16)SEL_LDT));
	ldtr = SEL_LDT;
	STORED("sldt_loaded", "sldt", 2, &ldtr);
	asm volatile("lldt %0" : : "r"((u16)0));
	/* Into registers: what the upper halves become. */
	for (mode = 0; mode < 2; mode++) {
		s64 = SNIP("mov $-1, %rax; mov $-1, %rcx; mov $-1, %rdx",
			   "smsw %rax; str %ecx; sldt %dx", "");
		init(&x, &s64, mode);
		exec64(&x);
		check(x.vec == VEC_DONE && x.rax == read_cr0() &&
		      x.rcx == SEL_TSS64 && x.rdx == 0xffffffffffff0000,
		      name2("store_reg", mode_names[mode]), "%lx %lx %lx",
		      x.rax, x.rcx, x.rdx);
	}
	if (!HAS_UMIP) {
		skip("umip", "cpuid.7:ecx.umip not offered");
		return;
	}
	write_cr4(read_cr4() | CR4_UMIP);
#define UMIP(name, insn) do {						\
	s64 = SNIP("", insn " (%rbx)", "");				\
	s32 = SNIP32("", insn " (%ebx)", "");				\
	for (mode = MODE_USER; mode < NR_MODES; mode++) {		\
		init(&x, mode == MODE_USER ? &s64 : &s32, mode);	\
		x.rbx = UALIAS(stored);					\
		exec64(&x);						\
		check_exc(name2("umip." name, mode_names[mode]), &x,	\
			  mode == MODE_USER ? &s64 : &s32, EXC_GP, 0,	\
			  mode == MODE_USER ? s64.at : s32.at);		\
	}								\
	init(&x, &s64, MODE_KERNEL);					\
	x.rbx = (u64)stored;						\
	exec64(&x);							\
	check_done("umip." name ".kernel", &x, &s64);			\
} while (0)
	UMIP("sgdt", "sgdt");
	UMIP("sidt", "sidt");
	UMIP("sldt", "sldt");
	UMIP("str", "str");
	UMIP("smsw", "smsw");
	write_cr4(read_cr4() & ~CR4_UMIP);
}

/* ---- descriptors ---- */

#define SEL_NOWHERE 0x1000

/*
 * Test descriptors: from SEL_TEST0 on in the GDT (as many as there is room for),
 * the same in the LDT.
 */
static const struct kind {
	const char *name;
	u8 access, flags;
} kinds[] = {
	{ "data3", DESC_DATA | DESC_DPL3, DESC_G | DESC_D },
	{ "data0", DESC_DATA, DESC_G | DESC_D },
	{ "ro3", (DESC_DATA | DESC_DPL3) & ~2, DESC_D },
	{ "down3", DESC_DATA | DESC_DPL3 | 4, DESC_D },
	{ "np3", (DESC_DATA | DESC_DPL3) & ~DESC_P, DESC_D },
	{ "code3", DESC_CODE | DESC_DPL3, DESC_L },
	{ "xcode3", (DESC_CODE | DESC_DPL3) & ~2, DESC_D },
	{ "conf0", DESC_CODE | 4, DESC_D },
	{ "code0", DESC_CODE, DESC_L },
	{ "npcode3", (DESC_CODE | DESC_DPL3) & ~DESC_P, DESC_D },
	{ "data1", DESC_DATA | 0x20, DESC_D },
	{ "sys0", DESC_P | DESC_DPL3, 0 },
	{ "tss3", DESC_TSS64 | DESC_DPL3, 0 },
	{ "gate3", DESC_CALL | DESC_DPL3, 0 },
	{ "ldt3", DESC_LDT | DESC_DPL3, 0 },
	{ "int3", DESC_INT | DESC_DPL3, 0 },
};

static u64 kind_desc(const struct kind *k, u32 i)
{
	return make_desc(0, 0x1000 + i, k->access, k->flags);
}

/* What LAR, LSL, VERR and VERW have to say: bits 0, 1, 2, 3. */
static u32 model(const struct kind *k, u32 cpl, u32 rpl)
{
	u32 dpl = k->access >> 5 & 3, type = k->access & 15;
	bool system = !(k->access & 0x10);
	bool conforming = !system && (type & 12) == 12;
	bool reach = conforming || (cpl <= dpl && rpl <= dpl);
	u32 r = 0;

	if (!reach)
		return 0;
	if (!system)
		return 3 | (!(type & 8) || type & 2 ? 4 : 0) |
		       (!(type & 8) && type & 2 ? 8 : 0);
	if (type == 2 || type == 9 || type == 11 || type == 12)
		r |= 1;
	if (type == 2 || type == 9 || type == 11)
		r |= 2;
	return r;
}

static u64 limit_of(const struct kind *k, u32 i)
{
	u32 limit = 0x1000 + i;

	return k->flags & DESC_G ? limit << 12 | 0xfff : limit;
}

static void look(int mode)
{
	/* r8 counts the bits of ZF as model() has them. */
	struct snip s64 = SNIP("xor %esi, %esi; mov $0x5555, %eax; mov %eax, %edx",
		"lar %ebx, %eax; setz %cl; or %cl, %sil; lsl %ebx, %edx; setz %cl; shl $1, %cl; or %cl, %sil; verr %bx; setz %cl; shl $2, %cl; or %cl, %sil; verw %bx; setz %cl; shl $3, %cl; or %cl, %sil",
		"");
	struct snip s32 = SNIP32("xor %esi, %esi; mov $0x5555, %eax; mov %eax, %edx",
		"lar %ebx, %eax; setz %cl; movzx %cl, %ecx; or %ecx, %esi; lsl %ebx, %edx; setz %cl; shl $1, %ecx; or %ecx, %esi; verr %bx; setz %cl; movzx %cl, %ecx; shl $2, %ecx; or %ecx, %esi; verw %bx; setz %cl; movzx %cl, %ecx; shl $3, %ecx; or %ecx, %esi",
		"");
	struct snip *s = mode == MODE_USER32 ? &s32 : &s64;
	u32 i, rpl, want, bad, cpl = mode == MODE_KERNEL ? 0 : 3;
	struct exec x;
	u64 desc, lar, lsl;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		/* Selectors above the ones this library uses, in the LDT. */
		desc = kind_desc(&kinds[i], i);
		lar = desc >> 32 & 0xf0ff00;
		lsl = limit_of(&kinds[i], i);
		for (rpl = 0, bad = 0; rpl < 4; rpl++) {
			init(&x, s, mode);
			if (kinds[i].access & 0x10) {
				ldt[i] = desc;
				x.rbx = i * 8 | 4 | rpl;
			} else {
				/* Sixteen bytes, the GDT only. */
				gdt[SEL_TEST0 / 8] = desc;
				gdt[SEL_TEST0 / 8 + 1] = 0;
				x.rbx = SEL_TEST0 | rpl;
			}
			exec64(&x);
			want = model(&kinds[i], cpl, rpl);
			if (x.vec != VEC_DONE || (x.rsi & 0xf) != want ||
			    (x.rax & 0xf0ff00) != (want & 1 ? lar : 0x5500) ||
			    x.rdx != (want & 2 ? lsl : 0x5555))
				bad = bad ? bad : 1 + rpl + (x.rsi & 0xf) * 16 +
				      want * 256;
		}
		check_eq(name2(name2("look", mode_names[mode]), kinds[i].name),
			 bad, 0);
	}
	/* Nothing: null, beyond the limit. */
	for (i = 0, bad = 0; i < 8; i++) {
		init(&x, s, mode);
		x.rbx = i < 4 ? i : SEL_NOWHERE | (i & 3);
		exec64(&x);
		bad += x.vec != VEC_DONE || x.rsi || x.rdx != 0x5555;
	}
	check_eq(name2(name2("look", mode_names[mode]), "nothing"), bad, 0);
}

/* ---- segment registers ---- */

/* Fault of a load into DS, ES, FS, GS (or SS), ~0: none. Error: the selector. */
static u64 load_model(const struct kind *k, u32 rpl, bool ss)
{
	u32 dpl = k->access >> 5 & 3, type = k->access & 15;

	if (!(k->access & 0x10))
		return EXC_GP;
	if (ss) {
		if (type & 8 || !(type & 2) || rpl != 3 || dpl != 3)
			return EXC_GP;
	} else {
		if ((type & 10) == 8)
			return EXC_GP;
		if ((type & 12) != 12 && (rpl > dpl || 3 > dpl))
			return EXC_GP;
	}
	if (!(k->access & DESC_P))
		return ss ? EXC_SS : EXC_NP;
	return ~0ul;
}

#define LOADS 5
static void load_all(int mode)
{
	static const char *const regs[LOADS] = { "ds", "es", "fs", "gs", "ss" };
	struct snip s64[LOADS] = {
		SNIP("", "mov %ebx, %ds", "mov %ds, %ecx"),
		SNIP("", "mov %ebx, %es", "mov %es, %ecx"),
		SNIP("", "mov %ebx, %fs", "mov %fs, %ecx"),
		SNIP("", "mov %ebx, %gs", "mov %gs, %ecx"),
		SNIP("", "mov %ebx, %ss", "mov %ss, %ecx"),
	};
	struct snip s32[LOADS] = {
		SNIP32("", "mov %ebx, %ds", "mov %ds, %ecx"),
		SNIP32("", "mov %ebx, %es", "mov %es, %ecx"),
		SNIP32("", "mov %ebx, %fs", "mov %fs, %ecx"),
		SNIP32("", "mov %ebx, %gs", "mov %gs, %ecx"),
		SNIP32("", "mov %ebx, %ss", "mov %ss, %ecx"),
	};
	u32 r, i, rpl, bad, first;
	struct exec x;
	u64 want, error;

	for (r = 0; r < LOADS; r++) {
		const struct snip *s = mode == MODE_USER32 ? &s32[r] : &s64[r];

		for (i = 0, bad = 0, first = 0; i < ARRAY_SIZE(kinds) + 2; i++) {
			for (rpl = 0; rpl < 4; rpl++) {
				init(&x, s, mode);
				if (i == ARRAY_SIZE(kinds)) {
					x.rbx = rpl; /* null */
					/* 64-bit user code: SS is never null. */
					want = r == 4 ? EXC_GP : ~0ul;
					error = 0;
				} else if (i > ARRAY_SIZE(kinds)) {
					x.rbx = SEL_NOWHERE | rpl;
					want = EXC_GP;
					error = SEL_NOWHERE;
				} else {
					ldt[i] = kind_desc(&kinds[i], i);
					x.rbx = i * 8 | 4 | rpl;
					error = i * 8 | 4;
					want = load_model(&kinds[i], rpl, r == 4);
				}
				exec64(&x);
				if (want == ~0ul ?
				    x.vec != VEC_DONE || x.rcx != x.rbx :
				    x.vec != want || x.err != error ||
				    (x.rip & ~USER_ALIAS) != s->at) {
					first = first ? first :
						i << 16 | rpl << 12 | x.vec;
					bad++;
				}
			}
		}
		check(!bad, name2(name2("load", mode_names[mode]), regs[r]),
		      "%u wrong, first %x", bad, first);
	}
}

/* Through what was loaded: base, limit, rights of compatibility mode. */
static void through(void)
{
	static u8 bytes[64] __attribute__((aligned(64)));
	u32 base = UALIAS(bytes), i;
	struct exec x;
	struct snip s;
	static const struct {
		const char *name;
		u8 access;
		u32 limit, offset;
		bool write, fault;
	} cases[] = {
		{ "inside", DESC_DATA, 31, 28, 0, 0 },
		{ "last", DESC_DATA, 31, 28, 1, 0 },
		{ "over", DESC_DATA, 31, 29, 0, 1 },
		{ "write_over", DESC_DATA, 31, 32, 1, 1 },
		{ "read_only", DESC_DATA & ~2, 31, 8, 0, 0 },
		{ "read_only_write", DESC_DATA & ~2, 31, 8, 1, 1 },
		{ "code_read", DESC_CODE, 31, 8, 0, 0 },
		{ "code_write", DESC_CODE, 31, 8, 1, 1 },
		{ "down", DESC_DATA | 4, 31, 32, 1, 0 },
		{ "down_below", DESC_DATA | 4, 31, 28, 0, 1 },
	};

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(bytes, i + 1, sizeof(bytes));
		ldt[1] = make_desc(base, cases[i].limit,
				   cases[i].access | DESC_DPL3, DESC_D);
		if (cases[i].write)
			s = SNIP32("mov $15, %eax; mov %eax, %es",
				   "movl $0x12345678, %es:(%ebx)", "");
		else
			s = SNIP32("mov $15, %eax; mov %eax, %es",
				   "mov %es:(%ebx), %ecx", "");
		init(&x, &s, MODE_USER32);
		x.rbx = cases[i].offset;
		exec64(&x);
		if (cases[i].fault)
			check(x.vec == EXC_GP && x.err == 0 &&
			      x.rip == UALIAS(s.at), name2("through", cases[i].name),
			      "vec %lx", x.vec);
		else
			check(x.vec == VEC_DONE && (cases[i].write ?
			      *(u32 *)(bytes + cases[i].offset) == 0x12345678 :
			      x.rcx == (i + 1) * 0x01010101u),
			      name2("through", cases[i].name), "vec %lx", x.vec);
	}
	/* A stack segment of its own: base and limit, #SS(0). */
	ldt[1] = make_desc(base, 31, DESC_DATA | DESC_DPL3, DESC_D);
	s = SNIP32("mov %esp, %esi; mov $15, %eax; mov %eax, %ss; mov $8, %esp",
		   "push $0x77; pop %ecx", "mov $0x3b, %eax; mov %eax, %ss; mov %esi, %esp");
	init(&x, &s, MODE_USER32);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == 0x77 && bytes[4] == 0x77,
	      "through.stack", "vec %lx %lx", x.vec, x.rcx);
	s = SNIP32("mov $15, %eax; mov %eax, %ss; mov $2, %esp", "push %eax", "");
	init(&x, &s, MODE_USER32);
	exec64(&x);
	check(x.vec == EXC_SS && x.err == 0 && x.rsp == 2 && x.ss == 15,
	      "through.stack_limit", "vec %lx err %lx rsp %lx ss %lx", x.vec,
	      x.err, x.rsp, x.ss);
	/* FS and GS in 64-bit code take their base from the descriptor, no limit. */
	ldt[1] = make_desc(base, 3, DESC_DATA | DESC_DPL3, DESC_D);
	bytes[40] = 0x99;
	s = SNIP("mov $15, %eax; mov %eax, %fs; mov %eax, %gs",
		 "movzbl %fs:40, %ecx; movzbl %gs:40, %edx", "");
	init(&x, &s, MODE_USER);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == 0x99 && x.rdx == 0x99 && x.fs == 15,
	      "through.fs_base", "vec %lx %lx %lx fs %lx", x.vec, x.rcx, x.rdx,
	      x.fs);
	/* A null DS: harmless in 64-bit code, #GP(0) in compatibility mode. */
	s = SNIP("xor %eax, %eax; mov %eax, %ds; mov %eax, %es",
		 "mov -8(%rsp), %ecx; mov %ds, %edx", "");
	init(&x, &s, MODE_USER);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rdx == 0, "through.null64", "%lx", x.vec);
	s = SNIP32("xor %eax, %eax; mov %eax, %ds", "mov (%ebx), %ecx", "");
	init(&x, &s, MODE_USER32);
	x.rbx = base;
	exec64(&x);
	check_exc("through.null32", &x, &s, EXC_GP, 0, s.at);
}

/* ---- flags and I/O ---- */

static void flags(void)
{
	struct exec x;
	struct snip s;
	u32 iopl, i, bad;
	/* SDM: POPF by CPL 3 leaves IOPL, and IF unless IOPL is 3. */
	static const u64 always = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_DF |
				  FL_OF | FL_NT | FL_AC | FL_ID;

	for (iopl = 0; iopl < 4; iopl += 3) {
		u64 fixed = FL_ONE | (u64)iopl << 12;
		u64 can = always | (iopl == 3 ? FL_IF : 0);
		const char *n = iopl ? "iopl3" : "iopl0";

		s = SNIP("push %rbx", "popfq", "pushfq; pop %rax; pushq $2; popfq");
		for (i = 0, bad = 0; i < 22; i++) {
			u64 start = fixed | (i & 1 ? FL_IF : 0);

			if (BIT(i) == FL_TF)
				continue;
			exec_user(&x, &s);
			x.rflags = start;
			x.rbx = BIT(i);
			exec64(&x);
			bad += x.vec != VEC_DONE ||
			       x.rax != (fixed | (BIT(i) & can) |
					 (start & FL_IF & ~can));
			exec_user(&x, &s);
			x.rflags = start;
			x.rbx = 0x3fffff & ~FL_TF & ~BIT(i);
			exec64(&x);
			bad += x.vec != VEC_DONE ||
			       x.rax != (fixed | (x.rbx & can) |
					 (start & FL_IF & ~can));
		}
		check_eq(name2("popf", n), bad, 0);
		/* PUSHF and the frame show what is. */
		s = SNIP("", "pushfq", "pop %rax");
		for (i = 0, bad = 0; i < 22; i++) {
			u64 fl = fixed | (BIT(i) & (always | FL_IF));

			exec_user(&x, &s);
			x.rflags = fl;
			exec64(&x);
			bad += x.vec != VEC_DONE || x.rax != fl || x.rflags != fl;
		}
		check_eq(name2("pushf", n), bad, 0);
	}
#define AT_IOPL(name, snippet, iopl_, vector, error) do {		\
	s = snippet;							\
	exec_user(&x, &s);						\
	x.rflags |= (u64)(iopl_) << 12;					\
	exec64(&x);							\
	if ((vector) == VEC_DONE)					\
		check_done(name, &x, &s);				\
	else								\
		check_exc(name, &x, &s, vector, error, s.at);		\
} while (0)
	AT_IOPL("cli.iopl0", SNIP("", "cli", ""), 0, EXC_GP, 0);
	AT_IOPL("sti.iopl0", SNIP("", "sti", ""), 0, EXC_GP, 0);
	AT_IOPL("cli.iopl2", SNIP("", "cli", ""), 2, EXC_GP, 0);
	AT_IOPL("cli.iopl3", SNIP("", "cli", ""), 3, VEC_DONE, 0);
	AT_IOPL("sti.iopl3", SNIP("", "sti", ""), 3, VEC_DONE, 0);
	check_eq("sti.iopl3.flags", x.rflags & (FL_IF | FL_IOPL3), FL_IF | FL_IOPL3);
	AT_IOPL("sti_cli.iopl3", SNIP("sti", "cli; pushfq; pop %rax", ""), 3, VEC_DONE, 0);
	check_eq("sti_cli.iopl3.flags", x.rax, FL_ONE | FL_IOPL3);
	AT_IOPL("in.iopl0", SNIP("", "in $0x21, %al", ""), 0, EXC_GP, 0);
	AT_IOPL("in.iopl3", SNIP("", "in $0x21, %al", ""), 3, VEC_DONE, 0);
	check_eq("in.iopl3.value", x.rax & 0xff, 0xff);
	AT_IOPL("out.iopl3", SNIP("mov $0xff, %al", "out %al, $0x21", ""), 3, VEC_DONE, 0);
	AT_IOPL("insb.iopl0", SNIP("lea -64(%rsp), %rdi; mov $0x21, %edx", "insb", ""), 0, EXC_GP, 0);
	/* The bitmap: every byte of an access. */
	tss.bitmap[0x21 / 8] &= ~(1 << 0x21 % 8);
	AT_IOPL("in.bitmap", SNIP("", "in $0x21, %al", ""), 0, VEC_DONE, 0);
	AT_IOPL("in.bitmap_dx", SNIP("mov $0x21, %edx", "in %dx, %al", ""), 0, VEC_DONE, 0);
	AT_IOPL("in.bitmap_beside", SNIP("", "in $0x20, %al", ""), 0, EXC_GP, 0);
	AT_IOPL("in.bitmap_wide", SNIP("", "in $0x21, %ax", ""), 0, EXC_GP, 0);
	AT_IOPL("outsb.bitmap", SNIP("lea -64(%rsp), %rsi; movb $0xff, (%rsi); mov $0x21, %edx", "outsb", ""), 0, VEC_DONE, 0);
	tss.bitmap[0x21 / 8] = 0xff;
	AT_IOPL("in.bitmap_back", SNIP("", "in $0x21, %al", ""), 0, EXC_GP, 0);
}

/* ---- far transfers and gates ---- */

extern char exc_stubs[];
static u64 far_ptr[2];

static void transfers(void)
{
	struct exec x;
	struct snip s;

	/* To compatibility mode and back, by each kind of far transfer. */
	s = SNIP("xor %eax, %eax; mov $0x3b, %ecx; mov %ecx, %ds",
		 "push $0x33; lea 1f(%rip), %rcx; push %rcx; lretq\n"
		 ".code32\n 1: inc %eax; .byte 0x48; nop; mov %cs, %edx\n"
		 "push $0x43; call 2f; 2: addl $3f-2b, (%esp); lret\n .code64\n"
		 "3:", "mov %cs, %esi");
	init(&x, &s, MODE_USER);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rdx == SEL_U32 && x.rsi == SEL_U64 &&
	      x.rax == 0, "far.there_and_back", "vec %lx %lx %lx rax %lx", x.vec,
	      x.rdx, x.rsi, x.rax);
	s = SNIP32("", "ljmp *(%ebx)", "");
	init(&x, &s, MODE_USER32);
	far_ptr[0] = UALIAS(s.after) | (u64)SEL_U32 << 32;
	x.rbx = UALIAS(far_ptr);
	exec64(&x);
	check_done("far.ljmp32", &x, &s);
	s = SNIP32("", "ljmp *(%ebx)", ".code64\n mov %cs, %ecx; mov $1, %r8d");
	init(&x, &s, MODE_USER32);
	far_ptr[0] = UALIAS(s.after) | (u64)SEL_U64 << 32;
	x.rbx = UALIAS(far_ptr);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == SEL_U64 && x.r8 == 1, "far.to64",
	      "vec %lx cs %lx", x.vec, x.rcx);
	s = SNIP("push $0x3b; lea 8(%rsp), %rcx; push %rcx; pushfq; push $0x43; lea 1f(%rip), %rcx; push %rcx",
		 "iretq; 1:", "");
	expect_user_done("far.iretq", s);
#define BAD_FAR(name, sel, vector) do {					\
	s = SNIP("", "ljmpl *(%rbx)", "");				\
	init(&x, &s, MODE_USER);						\
	far_ptr[0] = UALIAS(s.after) | (u64)(sel) << 32;		\
	x.rbx = UALIAS(far_ptr);					\
	exec64(&x);							\
	check_exc("far." name, &x, &s, vector, (sel) & ~3, s.at);	\
} while (0)
	BAD_FAR("null", 0, EXC_GP);
	BAD_FAR("kernel_code", SEL_K64, EXC_GP);
	BAD_FAR("data", SEL_UD, EXC_GP);
	BAD_FAR("beyond", SEL_NOWHERE, EXC_GP);
	BAD_FAR("tss", SEL_TSS64, EXC_GP);
	ldt[0] = make_desc(0, 0xfffff, (DESC_CODE | DESC_DPL3) & ~DESC_P, DESC_L | DESC_G);
	BAD_FAR("not_present", 7, EXC_NP);
	/* A code segment of the LDT: a selector the frame has to show. */
	ldt[0] = make_desc(0, 0xfffff, DESC_CODE | DESC_DPL3, DESC_L | DESC_G);
	s = SNIP("", "ljmpl *(%rbx)", "mov %cs, %ecx; mov $1, %r8d");
	init(&x, &s, MODE_USER);
	far_ptr[0] = UALIAS(s.after) | 7ul << 32;
	x.rbx = UALIAS(far_ptr);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == 7 && x.cs == 7 && x.r8 == 1,
	      "far.ldt_code", "vec %lx cs %lx %lx", x.vec, x.rcx, x.cs);
	/* A conforming code segment of ring 0: CPL stays 3. */
	set_gdt(SEL_TEST0, make_desc(0, 0xfffff, DESC_CODE | 4, DESC_L | DESC_G));
	s = SNIP("", "ljmpl *(%rbx)", "mov %cs, %ecx");
	init(&x, &s, MODE_USER);
	far_ptr[0] = UALIAS(s.after) | (u64)(SEL_TEST0 | 3) << 32;
	x.rbx = UALIAS(far_ptr);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == (SEL_TEST0 | 3), "far.conforming",
	      "vec %lx cs %lx", x.vec, x.rcx);

	/* Gates: DPL decides, for every vector alike. */
	set_idt(0x90, (u64)exc_stubs + 16 * 0x90, SEL_K64, DESC_TRAP | DESC_DPL3, 0);
	s = SNIP("", "int $0x90", "");
	init(&x, &s, MODE_USER);
	x.rflags |= FL_IF;
	exec64(&x);
	check(x.vec == 0x90 && x.rip == UALIAS(s.after) && x.rflags & FL_IF,
	      "gate.dpl3", "vec %lx rip %ld fl %lx", x.vec,
	      x.rip - UALIAS(s.after), x.rflags);
	set_idt(0x18, (u64)exc_stubs + 16 * 0x18, SEL_K64, DESC_INT | 0x20, 0);
	expect_user_fault("gate.dpl1", SNIP("", "int $0x18", ""), EXC_GP, 0x18 * 8 + 2);
	set_idt_default(0x90);
	set_idt_default(0x18);
	expect_user_fault("gate.dpl0", SNIP("", "int $0x90", ""), EXC_GP, 0x90 * 8 + 2);
	expect_user_fault("gate.int14", SNIP("", "int $14", ""), EXC_GP, 14 * 8 + 2);
	expect_user_fault("gate.int2", SNIP("", "int $2", ""), EXC_GP, 2 * 8 + 2);
	expect_compat_fault("gate.compat", SNIP32("", "int $0x20", ""), EXC_GP, 0x20 * 8 + 2);
	expect_user_trap("gate.int3", SNIP("", "int3", ""), EXC_BP);
	expect_compat_trap("gate.into", SNIP32("mov $0x7fffffff, %eax; inc %eax", "into", ""), EXC_OF);
}

/* ---- system calls, many of them ---- */

extern u8 sys_entry[];
asm(".pushsection .text\n"
    "sys_entry: mov %rsp, sys_rsp(%rip)\n"
    "lea test_stack_top(%rip), %rsp\n"
    "push %rcx; push %r11; push %rbx\n"
    "swapgs; mov %gs:0, %rbx; inc %rbx; mov %rbx, %gs:0; swapgs\n"
    "lea 1(%rax), %rax\n"
    "pop %rbx; pop %r11; pop %rcx\n"
    "mov sys_rsp(%rip), %rsp\n"
    "sysretq\n"
    ".popsection\n"
    ".pushsection .bss\n .balign 8\n sys_rsp: .skip 8\n .popsection");

static void system_calls(void)
{
	static u64 per_cpu;
	struct exec x;
	struct snip s;
	u64 efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, efer | EFER_SCE);
	/* SYSRET: SS = base + 8, 64-bit CS = base + 16, both with RPL 3. */
	wrmsr(MSR_STAR, (u64)(SEL_UD - 8) << 48 | (u64)SEL_K64 << 32);
	wrmsr(MSR_LSTAR, (u64)sys_entry);
	wrmsr(MSR_SFMASK, FL_TF | FL_IF | FL_DF | FL_AC);
	wrmsr(MSR_KERNEL_GS_BASE, (u64)&per_cpu);
	s = SNIP("xor %eax, %eax; mov $500, %r12d; mov %rsp, %r13; mov $0x123456789abcdef, %r14",
		 "1: std; stc; syscall; jnc 2f; cmp %rsp, %r13; jne 2f; dec %r12d; jnz 1b",
		 "cld; 2: mov %cs, %esi; mov %ss, %edi");
	init(&x, &s, MODE_USER);
	exec64(&x);
	check(x.vec == VEC_DONE && x.rax == 500 && !x.r12 && per_cpu == 500 &&
	      x.rsi == SEL_U64 && x.rdi == SEL_UD && x.r14 == 0x123456789abcdef,
	      "syscall.many", "vec %lx rax %lu left %lu gs %lu cs %lx ss %lx",
	      x.vec, x.rax, x.r12, per_cpu, x.rsi, x.rdi);
	wrmsr(MSR_EFER, efer);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

/* ---- and what always traps ---- */

static void privileged(void)
{
	static struct dtr d;
	struct snip list[] = {
		SNIP("", "hlt", ""), SNIP("", "clts", ""), SNIP("", "wbinvd", ""),
		SNIP("", "invd", ""), SNIP("", "invlpg (%rbx)", ""),
		SNIP("", "mov %cr0, %rax", ""), SNIP("", "mov %rax, %cr0", ""),
		SNIP("", "mov %cr3, %rax", ""), SNIP("", "mov %rax, %cr8", ""),
		SNIP("", "mov %dr7, %rax", ""), SNIP("", "mov %rax, %dr0", ""),
		SNIP("", "rdmsr", ""), SNIP("", "wrmsr", ""), SNIP("", "swapgs", ""),
		SNIP("", "lgdt (%rbx)", ""), SNIP("", "lidt (%rbx)", ""),
		SNIP("", "lldt %ax", ""), SNIP("", "ltr %ax", ""),
		SNIP("", "lmsw %ax", ""),
	};
	struct exec x;
	u32 i, bad = 0;

	for (i = 0; i < ARRAY_SIZE(list); i++) {
		init(&x, &list[i], MODE_USER);
		x.rbx = UALIAS(&d);
		exec64(&x);
		bad += x.vec != EXC_GP || x.err != 0 ||
		       x.rip != UALIAS(list[i].at);
	}
	check_eq("privileged", bad, 0);
	/* RDTSC by CR4.TSD. */
	expect_user_done("rdtsc", SNIP("", "rdtsc", ""));
	write_cr4(read_cr4() | CR4_TSD);
	expect_user_fault("rdtsc.tsd", SNIP("", "rdtsc", ""), EXC_GP, 0);
	write_cr4(read_cr4() & ~CR4_TSD);
	expect_user_done("rdtsc.again", SNIP("", "rdtsc", ""));
}

/* ---- a GDT that changes in memory ---- */

/* LSL and VERW of a descriptor that is another each time, without LGDT; then loads. */
static void changes(int mode)
{
	static const struct {
		const char *name;
		u32 limit;
		u8 access;
		bool seen, verw, alias;
	} steps[] = {
		{ "data3", 0x1000, DESC_DATA | DESC_DPL3, true, true, false },
		{ "limit", 0x2000, DESC_DATA | DESC_DPL3, true, true, false },
		{ "data0", 0x2000, DESC_DATA, false, false, false },
		{ "ro3", 0x3000, (DESC_DATA | DESC_DPL3) & ~2, true, false, false },
		{ "absent", 0, 0, false, false, false },
		{ "alias", 0x4000, DESC_DATA | DESC_DPL3, true, true, true },
	};
	struct snip s64 = SNIP("mov $0x5555, %edx", "lsl %ebx, %edx; verw %bx; setz %cl; movzx %cl, %esi", "");
	struct snip s32 = SNIP32("mov $0x5555, %edx", "lsl %ebx, %edx; verw %bx; setz %cl; movzx %cl, %esi", "");
	struct snip l64 = SNIP("", "mov %ebx, %es", "mov %es, %ecx; xor %edx, %edx; mov %edx, %es");
	struct snip l32 = SNIP32("", "mov %ebx, %es", "mov %es, %ecx; xor %edx, %edx; mov %edx, %es");
	const struct snip *s = mode == MODE_USER32 ? &s32 : &s64;
	const struct snip *l = mode == MODE_USER32 ? &l32 : &l64;
	volatile u64 *entry;
	struct exec x;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		entry = &gdt[SEL_TEST0 / 8];
		if (steps[i].alias)
			entry = (u64 *)UALIAS(entry);
		*entry = make_desc(0, steps[i].limit, steps[i].access, DESC_D);
		init(&x, s, mode);
		x.rbx = SEL_TEST0 | 3;
		exec64(&x);
		check(x.vec == VEC_DONE && x.rsi == steps[i].verw &&
		      x.rdx == (steps[i].seen ? steps[i].limit : 0x5555),
		      name2(name2("changes", mode_names[mode]), steps[i].name),
		      "vec %lx limit %lx verw %lx", x.vec, x.rdx, x.rsi);
	}
	init(&x, l, mode);
	x.rbx = SEL_TEST0 | 3;
	exec64(&x);
	check(x.vec == VEC_DONE && x.rcx == (SEL_TEST0 | 3),
	      name2(name2("changes", mode_names[mode]), "load"), "vec %lx es %lx", x.vec, x.rcx);
	gdt[SEL_TEST0 / 8] &= ~(1ull << 47);
	init(&x, l, mode);
	x.rbx = SEL_TEST0 | 3;
	exec64(&x);
	check(x.vec == EXC_NP && x.err == SEL_TEST0,
	      name2(name2("changes", mode_names[mode]), "load_absent"), "vec %lx err %lx", x.vec,
	      x.err);
}

void guest_main(void)
{
	int mode;

	stores();
	asm volatile("lldt %0" : : "r"((u16)SEL_LDT));
	for (mode = 0; mode < NR_MODES; mode++)
		look(mode);
	load_all(MODE_USER);
	load_all(MODE_USER32);
	through();
	flags();
	transfers();
	asm volatile("lldt %0" : : "r"((u16)0));
	for (mode = MODE_USER; mode < NR_MODES; mode++)
		changes(mode);
	system_calls();
	privileged();
}
