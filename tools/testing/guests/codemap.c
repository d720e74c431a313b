// SPDX-License-Identifier: GPL-2.0-only
/*
 * codemap.c - the same code address, other tables: what is fetched follows the
 * guest's page tables at every level, in every address space, and as its control
 * registers say; accessed flags are set by fetches, too.
 *
 * The bytes of code stay as they are here: that is smc.c and btcode.c. Between a
 * change and the flush nothing is asked, as the SDM (vol. 3, "Caching Translation
 * Information") promises nothing then.
 */
#include "paging.h"

const char guest_name[] = "codemap";

#define RW (PT_P | PT_W)
#define FRAMES 8
#define SPACES 12
#define SLOT 300
#define KEEP BIT(63)

static struct chain c;
static u8 *frame[FRAMES];	/* frame n returns n + 1 */

/* mov $value, %eax; ret */
static void put_return(u8 *at, u32 value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

static u64 fault_err, fault_cr2, faults;
static bool pf_hook(struct frame *f)
{
	/* Only of calls below: RBX says where to go on, R12 what RSP was. */
	fault_err = f->err;
	fault_cr2 = read_cr2();
	faults++;
	f->rax = ~0ul;
	f->rip = f->rbx;
	f->rsp = f->r12;
	return true;
}

/* What the code there returns; ~0: a #PF, see above. */
static u64 run(u64 va)
{
	u64 r;

	asm volatile("lea 1f(%%rip), %%rbx; mov %%rsp, %%r12; call *%1; 1:"
		     : "=a"(r) : "r"(va) : "rbx", "rcx", "rdx", "r12", "memory");
	return r;
}

static void flush_cr3(u64 va)
{
	write_cr3(read_cr3());
}

static void flush_pge(u64 va)
{
	write_cr4(read_cr4() ^ CR4_PGE);
	write_cr4(read_cr4() ^ CR4_PGE);
}

static const struct {
	const char *name;
	void (*flush)(u64 va);
} how[] = {
	{ "invlpg", invlpg_addr },
	{ "cr3", flush_cr3 },
	{ "pge", flush_pge },
};

static u64 *new_table(void)
{
	return alloc_pages(1);
}

/* A second tree beside the chain's: [n] is the entry for level n that leads to it. */
static u64 other_entry[5];
static void make_other(void)
{
	u64 *t1 = new_table(), *t2 = new_table(), *t3 = new_table();

	other_entry[1] = (u64)frame[1] | RW | PT_U;
	t1[0] = (u64)frame[2] | RW;
	other_entry[2] = (u64)t1 | RW;
	t2[0] = (u64)t1 | RW;
	other_entry[3] = (u64)t2 | RW;
	t3[0] = (u64)t2 | RW;
	other_entry[4] = (u64)t3 | RW;
}

/* ---- one address, an entry of each level changed ---- */

static void levels(void)
{
	u32 i, level, n;

	for (n = 0; n < sizeof(how) / sizeof(how[0]); n++)
		for (level = 1; level <= 4; level++) {
			u64 *e = &c.table[level][level == 4 ? SLOT : 0], was = *e;
			u32 want = level == 1 ? 2 : 3, bad = 0, gone = 0, none = 0;
			u64 at = c.va + 0x40;

			for (i = 0; i < 40; i++) {
				*e = was;
				how[n].flush(at);
				bad += run(at) != 1;
				*e = other_entry[level];
				how[n].flush(at);
				bad += run(at) != want;
				if (i % 4)
					continue;
				*e = i % 8 ? 0 : was & ~(u64)PT_P;
				how[n].flush(at);
				gone += run(at) != ~0ul;
				none += fault_cr2 != at || fault_err & ~(u64)PF_I;
			}
			*e = was;
			how[n].flush(at);
			check(!bad && !gone && !none, how[n].name,
			      "level %u: %u wrong, %u not gone, %u wrong faults", level,
			      bad, gone, none);
		}
}

/* The pages of a large one, the large one, other pages, another large one. */
static void sizes(void)
{
	u64 *e = &c.table[2][1], at = c.va + 0x200000 + 0x5000 + 0x40;
	u64 *small = new_table(), block = POOL_BASE;
	u32 i, n, bad = 0;

	/* The pool's two large pages: 64 MiB and 66 MiB; frame 5 of each is code. */
	put_return((u8 *)block + 0x5040, 50);
	put_return((u8 *)block + 0x200000 + 0x5040, 60);
	for (i = 0; i < 512; i++)
		small[i] = (block + i * PAGE_SIZE) | RW;
	for (n = 0; n < 3; n++)
		for (i = 0; i < 20; i++) {
			*e = block | RW | PT_PS;
			how[n].flush(at);
			bad += run(at) != 50;
			*e = (u64)small | RW;
			how[n].flush(at);
			bad += run(at) != 50;
			small[5] = (u64)frame[i % FRAMES] | RW;
			how[n].flush(at);
			bad += run(at) != i % FRAMES + 1;
			small[5] = (block + 0x5000) | RW;
			*e = (block + 0x200000) | RW | PT_PS;
			how[n].flush(at);
			bad += run(at) != 60;
		}
	check_eq("sizes", bad, 0);
	*e = 0;
	flush_cr3(0);
}

/* ---- address spaces ---- */

static u64 *root[SPACES], *leaf[SPACES];

static void make_spaces(void)
{
	u32 i;

	for (i = 0; i < SPACES; i++) {
		u64 *t3 = new_table(), *t2 = new_table();

		root[i] = new_table();
		leaf[i] = new_table();
		memcpy(root[i], boot_pml4, PAGE_SIZE);
		root[i][SLOT + 1] = (u64)t3 | RW;
		t3[0] = (u64)t2 | RW;
		t2[0] = (u64)leaf[i] | RW;
		leaf[i][0] = (u64)frame[i % FRAMES] | RW;
		leaf[i][1] = (u64)frame[(i + 1) % FRAMES] | RW;
	}
}

/* The same address, and code of all spaces that calls it. */
static void spaces(bool pcids)
{
	const u64 at = (u64)(SLOT + 1) << 39 | 0x40 | 0xffff000000000000;
	u64 old = read_cr3(), cr4 = read_cr4();
	u32 i, n, bad = 0, changed = 0, kept = 0;

	if (pcids)
		write_cr4(cr4 | CR4_PCIDE);
	for (n = 0; n < 300; n++) {
		i = n * 7 % SPACES;
		write_cr3((u64)root[i] | (pcids ? i + 1 : 0));
		bad += run(at) != i % FRAMES + 1;
		bad += run(at + PAGE_SIZE) != (i + 1) % FRAMES + 1;
	}
	/* One space's tables are changed while another is active. */
	for (n = 0; n < 200; n++) {
		u32 k = (n * 5 + 3) % SPACES;

		i = n * 7 % SPACES;
		leaf[k][0] = (u64)frame[n % FRAMES] | RW;
		write_cr3((u64)root[k] | (pcids ? k + 1 : 0));
		changed += run(at) != n % FRAMES + 1;
		write_cr3((u64)root[i] | (pcids ? i + 1 : 0));
		run(at);
		leaf[k][0] = (u64)frame[k % FRAMES] | RW;
		write_cr3((u64)root[k] | (pcids ? k + 1 : 0));
		changed += run(at) != k % FRAMES + 1;
	}
	/* Nothing changes: translations kept are as good as new ones. */
	for (n = 0; n < 200 && pcids; n++) {
		i = n * 7 % SPACES;
		write_cr3((u64)root[i] | (i + 1) | KEEP);
		kept += run(at) != i % FRAMES + 1;
	}
	write_cr3(old);
	write_cr4(cr4);
	check_eq(pcids ? "spaces.pcid" : "spaces", bad, 0);
	check_eq(pcids ? "spaces.pcid.changed" : "spaces.changed", changed, 0);
	if (pcids)
		check_eq("spaces.pcid.kept", kept, 0);
}

/* A part of all spaces, changed in one: the others have it after their flush. */
static void shared(void)
{
	const u64 at = c.va + 0x40;
	u64 old = read_cr3();
	u32 i, n, bad = 0;

	for (n = 0; n < 100; n++) {
		i = n * 5 % SPACES;
		write_cr3((u64)root[i]);
		c.table[1][0] = (u64)frame[n % FRAMES] | RW;
		invlpg_addr(at);
		bad += run(at) != n % FRAMES + 1;
		write_cr3((u64)root[(i + 1) % SPACES]);
		bad += run(at) != n % FRAMES + 1;
	}
	c.table[1][0] = (u64)frame[0] | RW;
	write_cr3(old);
	check_eq("shared", bad, 0);
}

/* ---- what a fetch may do, and leaves behind ---- */

/* Cleared at all levels; each fetch after a flush sets them again. */
static void accessed(void)
{
	u32 i, level, n, bad = 0, first = 0;
	u64 at = c.va + 0x40;

	for (n = 0; n < 3; n++)
		for (i = 0; i < 20; i++) {
			for (level = 1; level <= 4; level++)
				if (i >> (level - 1) & 1)
					c.table[level][level == 4 ? SLOT : 0] &= ~(u64)PT_A;
			how[n].flush(at);
			bad += run(at) != 1;
			for (level = 1; level <= 4; level++)
				if (!(c.table[level][level == 4 ? SLOT : 0] & PT_A))
					first = bad++ ? first : n << 12 | i << 4 | level;
		}
	check(!bad, "accessed", "%u wrong, first %x", bad, first);
	bad = 0;
	for (level = 1; level <= 4; level++)
		bad += !!(c.table[level][level == 4 ? SLOT : 0] & PT_D);
	check_eq("accessed.clean", bad, 0);
}

/* U and NX at each level, under CR4.SMEP and EFER.NXE that change meanwhile. */
static void rights(void)
{
	u64 at = c.va + 0x40, efer = rdmsr(MSR_EFER), cr4 = read_cr4();
	u32 i, level, bad = 0, smep = 0, nx = 0, rsvd = 0;

	for (i = 0; i < 64; i++) {
		bool user = true, on = i & 1;
		u64 r;

		for (level = 1; level <= 4; level++) {
			u64 *e = &c.table[level][level == 4 ? SLOT : 0];
			bool u = i % 3 == 0 || (i * 5 >> level) & 1;

			*e = u ? *e | PT_U : *e & ~(u64)PT_U;
			user = user && u;
		}
		flush_cr3(0);
		bad += run(at) != 1;
		if (!HAS_SMEP)
			continue;
		write_cr4(on ? cr4 | CR4_SMEP : cr4 & ~(u64)CR4_SMEP);
		r = run(at);
		smep += r != (on && user ? ~0ul : 1);
		smep += r == ~0ul && fault_err != (PF_P | PF_I);
		write_cr4(cr4);
		smep += run(at) != 1;
	}
	check_eq("rights.user", bad, 0);
	if (HAS_SMEP)
		check_eq("rights.smep", smep, 0);
	else
		skip("rights.smep", "no SMEP");
	if (!HAS_NX) {
		skip("rights.nx", "no NX");
		return;
	}
	for (i = 0; i < 64; i++) {
		u64 *e;

		level = i % 4 + 1;
		e = &c.table[level][level == 4 ? SLOT : 0];
		wrmsr(MSR_EFER, efer | EFER_NXE);
		bad += run(at) != 1;
		*e |= PT_NX;
		flush_cr3(0);
		nx += run(at) != ~0ul || fault_err != (PF_P | PF_I) || fault_cr2 != at;
		wrmsr(MSR_EFER, efer & ~(u64)EFER_NXE);
		flush_cr3(0);
		rsvd += run(at) != ~0ul || fault_err != (PF_P | PF_RSVD) || fault_cr2 != at;
		*e &= ~(u64)PT_NX;
		flush_cr3(0);
		bad += run(at) != 1;
	}
	wrmsr(MSR_EFER, efer);
	check(!bad && !nx && !rsvd, "rights.nx", "%u wrong, faults: %u wrong, %u reserved", bad,
	      nx, rsvd);
}

/* ---- code that changes the tables it runs by ---- */

/*
 * mov %rsi, (%rdi); invlpg (%rdx); mov $value, %eax; ret: what comes after the
 * INVLPG is from the new page.
 */
static void put_switcher(u8 *at, u32 value)
{
	static const u8 code[] = { 0x48, 0x89, 0x37, 0x0f, 0x01, 0x3a };

	memcpy(at, code, sizeof(code));
	put_return(at + sizeof(code), value);
}

static u64 run_switcher(u64 va, u64 *entry, u64 val)
{
	u64 r;

	asm volatile("call *%1" : "=a"(r) : "r"(va), "D"(entry), "S"(val), "d"(va)
		     : "rcx", "memory");
	return r;
}

static void below_itself(void)
{
	u64 *e = &c.table[1][8], at = c.va + 8 * PAGE_SIZE + 0x100;
	u32 i, bad = 0;

	for (i = 0; i < FRAMES; i++)
		put_switcher(frame[i] + 0x100, 100 + i);
	*e = (u64)frame[0] | RW;
	invlpg_addr(at);
	for (i = 0; i < 100; i++)
		bad += run_switcher(at, e, (u64)frame[i * 3 % FRAMES] | RW) != 100 + i * 3 % FRAMES;
	check_eq("itself", bad, 0);

	/* The same through the upper level, and back by the other tables' code. */
	for (i = bad = 0; i < 60; i++) {
		u64 *t = new_table();

		memcpy(t, c.table[1], PAGE_SIZE);
		t[8] = (u64)frame[i % FRAMES] | RW;
		bad += run_switcher(at, &c.table[2][0], (u64)t | RW) != 100 + i % FRAMES;
	}
	c.table[2][0] = (u64)c.table[1] | RW;
	flush_cr3(0);
	check_eq("itself.table", bad, 0);
}

/*
 * A return into a page that is another by then: call *%rsi; inc or dec %eax; ret.
 */
static u8 *returns_to;
static u64 *returns_entry, returns_val;
static u64 change_and_return(void)
{
	*returns_entry = returns_val;
	invlpg_addr((u64)returns_to);
	return 1000;
}

static void returns(void)
{
	static const u8 up[] = { 0x50, 0xff, 0xd6, 0x59, 0xff, 0xc0, 0xc3 };
	static const u8 down[] = { 0x50, 0xff, 0xd6, 0x59, 0xff, 0xc8, 0xc3 };
	u32 i, bad = 0;
	u64 r, fn;

	returns_to = (u8 *)c.va + 9 * PAGE_SIZE + 0x200;
	returns_entry = &c.table[1][9];
	memcpy(frame[0] + 0x200, up, sizeof(up));
	memcpy(frame[1] + 0x200, down, sizeof(down));
	for (i = 0; i < 100; i++) {
		*returns_entry = (u64)frame[i >> 1 & 1] | RW;
		invlpg_addr((u64)returns_to);
		returns_val = (u64)frame[i & 1] | RW;
		fn = (u64)change_and_return;
		asm volatile("mov %2, %%rbx; call *%%rbx"
			     : "=a"(r), "+S"(fn) : "r"(returns_to)
			     : "rbx", "rcx", "rdx", "rdi", "r8", "r9", "r10", "r11", "memory");
		bad += r != (i & 1 ? 999 : 1001);
	}
	check_eq("returns", bad, 0);
}

/* An instruction over a page border: each of its pages becomes another. */
static void border(void)
{
	u64 *e = &c.table[1][16], at = c.va + 16 * PAGE_SIZE + 0xffe;
	u32 i, bad = 0, gone = 0;

	/* b8 xx | xx xx xx c3: the constant's low byte from the first page. */
	for (i = 0; i < FRAMES; i++) {
		u8 *f = frame[i];
		u32 high = (i + 1) << 8;

		f[0xffe] = 0xb8;
		f[0xfff] = i;
		memcpy(f, (u8 *)&high + 1, 3);
		f[3] = 0xc3;
	}
	for (i = 0; i < 200; i++) {
		u32 a = i % FRAMES, b = i * 3 / 2 % FRAMES;

		e[0] = (u64)frame[a] | RW;
		e[1] = (u64)frame[b] | RW;
		invlpg_addr(at);
		invlpg_addr(at + 2);
		bad += run(at) != (a | (b + 1) << 8);
		e[1] = (u64)frame[a] | RW;
		invlpg_addr(at + 2);
		bad += run(at) != (a | (a + 1) << 8);
		e[1] = 0;
		invlpg_addr(at + 2);
		gone += run(at) != ~0ul || fault_cr2 != at + 2;
	}
	/* How often depends on the machine, where it goes wrong. */
	info("border: %u wrong, %u not gone", bad, gone);
	check(!bad && !gone, "border", "each page became another");
}

/* The same page at many addresses knows where it is: call 1f; 1: pop %rax; ret */
static void aliases(void)
{
	static const u8 where[] = { 0xe8, 0, 0, 0, 0, 0x58, 0xc3 };
	static const u8 lea[] = { 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3 };
	u64 *e = c.table[1];
	u32 i, n, bad = 0;

	memcpy(frame[3] + 0x300, where, sizeof(where));
	memcpy(frame[3] + 0x340, lea, sizeof(lea));
	for (i = 32; i < 64; i++)
		e[i] = (u64)frame[3] | RW;
	flush_cr3(0);
	for (n = 0; n < 4; n++)
		for (i = 32; i < 64; i++) {
			u64 at = c.va + i * PAGE_SIZE;

			bad += run(at + 0x300) != at + 0x305;
			bad += run(at + 0x340) != at + 0x347;
		}
	check_eq("aliases", bad, 0);
}

/* A table on the way to code becomes data, and a table again. */
static void reused(void)
{
	u64 *t = new_table(), at = c.va + 0x400000 + 0x40;
	u32 i, k, bad = 0, data = 0;

	for (i = 0; i < 20; i++) {
		memset(t, 0, PAGE_SIZE);
		t[0] = (u64)frame[i % FRAMES] | RW;
		c.table[2][2] = (u64)t | RW;
		flush_cr3(0);
		bad += run(at) != i % FRAMES + 1;
		c.table[2][2] = 0;
		flush_cr3(0);
		for (k = 0; k < 512; k++)
			t[k] = i * 512 + k;
		for (k = 0; k < 512; k++)
			data += t[k] != i * 512 + k;
		bad += run(at) != ~0ul;
	}
	check(!bad && !data, "reused", "%u wrong, %u data lost", bad, data);
}

void guest_main(void)
{
	u32 i;

	pool_init();
	chain_init(&c, SLOT);
	c.va |= 0xffff000000000000;
	for (i = 0; i < FRAMES; i++) {
		frame[i] = alloc_pages(1);
		put_return(frame[i] + 0x40, i + 1);
	}
	c.table[1][0] = (u64)frame[0] | RW;
	flush_cr3(0);
	exc_set_hook(EXC_PF, pf_hook);
	make_other();
	make_spaces();
	levels();
	sizes();
	spaces(false);
	if (HAS_PCID)
		spaces(true);
	else
		skip("spaces.pcid", "no PCIDs");
	shared();
	accessed();
	rights();
	below_itself();
	returns();
	border();
	aliases();
	reused();
}
