// SPDX-License-Identifier: GPL-2.0-only
/*
 * ptwrites.c - page tables written by every kind of store. After each store
 * an access must see the new mapping: at once if nothing was mapped before,
 * after INVLPG otherwise.
 *
 * Entry 8 of the table belongs to the page at c.va + 8 * PAGE_SIZE. Snippets
 * find its address in RBX, a new value in RAX, the one it has in RDX.
 */
#include "paging.h"

const char guest_name[] = "ptwrites";

#define RW (PT_P | PT_W | PT_U)
#define SLOT 8
#define OLD 2
#define NEW 9
#define PAGE_VA (c.va + SLOT * PAGE_SIZE)

static struct chain c;
static u64 table_va, table_uva;

/* Bits that a page table made to hold anything need not have. */
#define ANY_AD (PT_A | PT_D)

static u64 run_store(struct snip s, u64 before, u64 after, bool user)
{
	struct exec x;

	c.table[1][SLOT] = before;
	if (user)
		exec_user(&x, &s);
	else
		exec_init(&x, &s);
	x.rbx = (user ? table_uva : table_va) + SLOT * 8;
	x.rdi = x.rbx;
	x.rax = after;
	x.rdx = before;
	x.rcx = after >> 32;
	x.r8 = (user ? UALIAS(test_stack_top) : (u64)test_stack_top) - 0x1000;
	x.rsi = x.r8;
	exec64(&x);
	return x.vec == VEC_DONE ? 0 : x.vec << 32 | x.err | BIT(62);
}

/*
 * The store turns the entry from nothing and from another page into one that
 * maps frame NEW. @fresh: the value it makes of 0, if not RAX.
 */
static void stores(const char *name, struct snip s, bool user)
{
	u64 want = frame_pa(NEW) | RW, odd, got[4];
	u32 bad = 0;

	/* Nothing there, and the processor has seen so. */
	c.table[1][SLOT] = 0;
	invlpg_addr(PAGE_VA);
	bad += probe_cell(PAGE_VA) != PROBE_FAULT;
	odd = run_store(s, 0, want, user);
	got[0] = probe_cell(PAGE_VA);
	bad += got[0] != data_value(NEW);

	/* Another page there, in use. */
	c.table[1][SLOT] = frame_pa(OLD) | RW;
	invlpg_addr(PAGE_VA);
	bad += probe_cell(PAGE_VA) != data_value(OLD);
	bad += probe_write(PAGE_VA + 0x40, 1) != ACC_FINE;
	odd |= run_store(s, frame_pa(OLD) | RW | ANY_AD, want, user);
	invlpg_addr(PAGE_VA);
	got[1] = probe_cell(PAGE_VA);
	bad += got[1] != data_value(NEW);
	/* Neighbours are what they were. */
	got[2] = c.table[1][SLOT - 1];
	got[3] = c.table[1][SLOT + 2];
	bad += got[2] != 0x1110 || got[3] != 0x2220;
	check(!bad && !odd, name, "%lx %lx %lx %lx odd %lx", got[0], got[1],
	      got[2], got[3], odd);
	c.table[1][SLOT - 1] = 0x1110;
	c.table[1][SLOT + 2] = 0x2220;
}

#define ST(name, insn) stores(name, SNIP("", insn, ""), false)
#define UST(name, insn) stores(name, SNIP("", insn, ""), true)

static void plain(void)
{
	ST("mov8", "mov %rax, (%rbx)");
	UST("mov8.user", "mov %rax, (%rbx)");
	ST("mov4", "movl $0, 4(%rbx); mov %eax, (%rbx)");
	ST("mov2", "mov %rax, %rdx; shr $16, %rdx; mov %ecx, 4(%rbx); mov %dx, 2(%rbx); mov %ax, (%rbx)");
	ST("mov1", "mov %rax, %rdx; mov $8, %ecx; lea 7(%rbx), %rdi; bswap %rdx; 1: mov %dl, (%rdi); shr $8, %rdx; dec %rdi; loop 1b");
	ST("mov_imm", "movl $0, 4(%rbx); movl $0x4009007, (%rbx)");
	ST("xchg", "xchg %rax, (%rbx)");
	ST("lock_cmpxchg", "mov %rax, %rcx; mov (%rbx), %rax; lock cmpxchg %rcx, (%rbx)");
	ST("cmpxchg", "mov %rax, %rcx; mov (%rbx), %rax; cmpxchg %rcx, (%rbx)");
	ST("cmpxchg8b", "mov %eax, %r9d; mov %ecx, %r10d; mov %rbx, %rdi; mov (%rdi), %eax; mov 4(%rdi), %edx; mov %r9d, %ebx; mov %r10d, %ecx; lock cmpxchg8b (%rdi)");
	ST("cmpxchg16b", "mov %rax, %r9; mov %rbx, %rdi; mov (%rdi), %rax; mov 8(%rdi), %rdx; mov %r9, %rbx; mov %rdx, %rcx; lock cmpxchg16b (%rdi)");
	ST("lock_or_and", "lock andq $0, (%rbx); lock or %rax, (%rbx)");
	ST("lock_xadd", "mov (%rbx), %rdx; sub %rdx, %rax; lock xadd %rax, (%rbx)");
	ST("lock_add", "mov (%rbx), %rdx; sub %rdx, %rax; lock add %rax, (%rbx)");
	ST("sub_neg", "mov (%rbx), %rdx; sub %rax, %rdx; sub %rdx, (%rbx)");
	ST("xor", "xor (%rbx), %rax; xor %rax, (%rbx)");
	/* Present last, by one bit. */
	ST("lock_bts", "and $~1, %rax; mov %rax, (%rbx); lock btsq $0, (%rbx)");
	ST("bts_reg", "and $~1, %rax; mov %rax, (%rbx); lea -16(%rbx), %rdi; mov $128, %ecx; bts %rcx, (%rdi)");
	ST("btr_btc", "or $0x80, %rax; btc $0, %rax; mov %rax, (%rbx); lock btrq $7, (%rbx); btcq $0, (%rbx)");
	ST("inc", "dec %rax; mov %rax, (%rbx); incq (%rbx)");
	ST("not_neg", "not %rax; mov %rax, (%rbx); notq (%rbx); negq (%rbx); negq (%rbx)");
	ST("setcc", "mov %al, %dl; mov $1, %al; sub $1, %dl; mov $0, %al; mov %rax, (%rbx); cmp %eax, %eax; sete (%rbx); orb $6, (%rbx)");
	ST("shifts", "ror $4, %rax; mov %rax, (%rbx); rolq $4, (%rbx)");
	ST("shld", "mov %rax, %rdx; shr $8, %rax; mov %rax, (%rbx); shl $56, %rdx; shldq $8, %rdx, (%rbx)");
	ST("push", "mov %rsp, %rcx; lea 8(%rbx), %rsp; push %rax; mov %rcx, %rsp");
	ST("push_mem", "mov %rax, (%r8); mov %rsp, %rcx; lea 8(%rbx), %rsp; pushq (%r8); mov %rcx, %rsp");
	ST("pop_mem", "push %rax; popq (%rbx)");
	ST("enter", "mov %rsp, %rcx; mov %rax, %rbp; lea 8(%rbx), %rsp; enter $0, $0; mov %rcx, %rsp");
	ST("movnti", "movnti %rax, (%rbx)");
	ST("movbe_bswap", "bswap %rax; bswap %rax; mov %rax, (%rbx)");
}

static void strings(void)
{
	ST("stosq", "stosq");
	ST("rep_stosq", "mov $1, %ecx; rep stosq");
	ST("stosb", "mov $8, %ecx; 1: stosb; ror $8, %rax; loop 1b");
	ST("rep_stosq.down", "std; mov $1, %ecx; rep stosq; cld");
	ST("movsq", "mov %rax, (%r8); movsq");
	ST("rep_movsb", "mov %rax, (%r8); mov $8, %ecx; rep movsb");
	ST("rep_movsl", "mov %rax, (%r8); mov $2, %ecx; rep movsl");
	ST("rep_movsb.down", "std; mov %rax, (%r8); add $7, %rsi; add $7, %rdi; mov $8, %ecx; rep movsb; cld");
	UST("rep_movsb.user", "mov %rax, (%r8); mov $8, %ecx; rep movsb");
}

/* Stores of more than the entry keep what is behind it: 16 bytes. */
static void vectors(void)
{
	u64 cr4 = read_cr4();

	write_cr4(cr4 | CR4_OSFXSR);
	ST("fistp", "fninit; mov %rax, (%r8); fildll (%r8); fistpll (%rbx)");
	ST("fst", "fninit; mov %rax, (%r8); fldl (%r8); fstpl (%rbx)");
	ST("movq_mmx", "movq %rax, %mm0; movq %mm0, (%rbx); emms");
	ST("movntq", "movq %rax, %mm0; movntq %mm0, (%rbx); emms");
	ST("movq_xmm", "movq %rax, %xmm0; movq %xmm0, (%rbx)");
	ST("movlps", "movq %rax, %xmm0; movlps %xmm0, (%rbx)");
	ST("movhps", "movq %rax, %xmm0; movlhps %xmm0, %xmm0; movhps %xmm0, (%rbx)");
	ST("movsd", "movq %rax, %xmm0; movsd %xmm0, (%rbx)");
	ST("movd_movss", "movq %rax, %xmm0; movl $0, 4(%rbx); movss %xmm0, (%rbx)");
	ST("movaps", "movq %rax, %xmm0; movhps 8(%rbx), %xmm0; movaps %xmm0, (%rbx)");
	ST("movups", "movq %rax, %xmm0; movhps 8(%rbx), %xmm0; movups %xmm0, (%rbx)");
	ST("movdqa", "movq %rax, %xmm0; movhps 8(%rbx), %xmm0; movdqa %xmm0, (%rbx)");
	ST("movntdq", "movq %rax, %xmm0; movhps 8(%rbx), %xmm0; movntdq %xmm0, (%rbx)");
	/* Half of it is the entry before. */
	ST("movups.off8", "movups -8(%rbx), %xmm0; movq %rax, %xmm1; movlhps %xmm1, %xmm0; movups %xmm0, -8(%rbx)");
	ST("maskmovdqu", "movq %rax, %xmm0; pcmpeqd %xmm1, %xmm1; movq %xmm1, %xmm1; maskmovdqu %xmm1, %xmm0");
	ST("ldmxcsr_stmxcsr", "stmxcsr (%rbx); mov %rax, (%rbx)");
	write_cr4(cr4);
}

/*
 * FXSAVE over the table: XMM0 lands 160 bytes into it, on entries 20 and 21.
 * FXSAVE's other fields make whatever they make of the rest.
 */
static void fxsave_over(const char *name, u64 *table, u64 at, u64 old, u64 new, u64 step)
{
	struct snip s = SNIP("movq %rax, %xmm0; movlhps %xmm0, %xmm0",
			     "fxsave (%rbx)", "");
	u64 cr4 = read_cr4(), saved[64], va = c.va + 20 * step, got[2];
	struct exec x;

	memcpy(saved, table, sizeof(saved));
	table[20] = old;
	invlpg_addr(va);
	probe_cell(va);
	write_cr4(cr4 | CR4_OSFXSR);
	exec_init(&x, &s);
	x.rbx = at;
	x.rax = new;
	exec64(&x);
	write_cr4(cr4);
	write_cr3(read_cr3());
	got[0] = probe_cell(va);
	got[1] = probe_cell(va + step);
	check(x.vec == VEC_DONE && got[0] == data_value(NEW) && got[1] == got[0],
	      name, "vec %lx %lx %lx", x.vec, got[0], got[1]);
	memcpy(table, saved, sizeof(saved));
	write_cr3(read_cr3());
}

/* A leaf table, and a directory, whose writes a VMM may not let through. */
static void fxsave(void)
{
	u64 *old = (u64 *)frame_pa(frame_alloc());
	u64 *new = (u64 *)frame_pa(frame_alloc());

	old[0] = frame_pa(OLD) | RW;
	new[0] = frame_pa(NEW) | RW;
	fxsave_over("fxsave", c.table[1], table_va, old[0], new[0], PAGE_SIZE);
	fxsave_over("fxsave.directory", c.table[2], (u64)c.table[2],
		    (u64)old | RW, (u64)new | RW, 0x200000);
}

/* A store that begins in a page of data and ends in the table, and back. */
static void crossing(void)
{
	u64 *data = (u64 *)frame_pa(3), va = c.va + 0x200000;
	u64 want = frame_pa(NEW) | RW, *pt2 = (u64 *)frame_pa(frame_alloc());
	u32 bad = 0;

	/* data | table | data in consecutive pages of another table. */
	pt2[0] = (u64)data | RW;
	pt2[1] = (u64)c.table[1] | RW;
	pt2[2] = frame_pa(4) | RW;
	c.table[2][1] = (u64)pt2 | RW;
	c.table[1][0] = 0;
	c.table[1][511] = 0;
	write_cr3(read_cr3());
	bad += probe_cell(c.va) != PROBE_FAULT;
	/* Upper half of the store is the low half of entry 0. */
	*(volatile u64 *)(va + PAGE_SIZE - 4) = want << 32 | 0xabcd;
	bad += probe_cell(c.va) != data_value(NEW);
	bad += ((u32 *)data)[1023] != 0xabcd;
	bad += probe_cell(c.va + 511 * PAGE_SIZE) != PROBE_FAULT;
	/* Entry 511 by two stores: the last one runs over the edge. */
	*(volatile u32 *)(va + 2 * PAGE_SIZE - 8) = want;
	bad += probe_cell(c.va + 511 * PAGE_SIZE) != data_value(NEW);
	c.table[1][511] = (want & ~0xfffful) | 0xffff;
	*(volatile u64 *)(va + 2 * PAGE_SIZE - 7) = want >> 8;
	*(volatile u8 *)(va + 2 * PAGE_SIZE - 8) = want;
	invlpg_addr(c.va + 511 * PAGE_SIZE);
	bad += probe_cell(c.va + 511 * PAGE_SIZE) != data_value(NEW);
	/* Unaligned, over two entries of the table. */
	c.table[1][30] = frame_pa(5) | RW;
	c.table[1][31] = 0;
	*(volatile u64 *)(va + PAGE_SIZE + 30 * 8 + 4) = want << 32;
	bad += probe_cell(c.va + 30 * PAGE_SIZE) != data_value(5);
	bad += probe_cell(c.va + 31 * PAGE_SIZE) != data_value(NEW);
	/* A page-crossing store whose second half faults changes neither. */
	pt2[2] = 0;
	invlpg_addr(va + 2 * PAGE_SIZE);
	c.table[1][511] = frame_pa(6) | RW;
	invlpg_addr(c.va + 511 * PAGE_SIZE);
	bad += probe_write(va + 2 * PAGE_SIZE - 4, ~0ul) != PF_W;
	bad += probe_cr2 != va + 2 * PAGE_SIZE;
	bad += probe_cell(c.va + 511 * PAGE_SIZE) != data_value(6);
	check_eq("crossing", bad, 0);
	c.table[2][1] = 0;
	c.table[1][30] = c.table[1][31] = c.table[1][511] = 0;
	write_cr3(read_cr3());
}

/* CALL pushes a return address, an exception a frame: into a page table. */
static void stacks(void)
{
	struct snip call = SNIP("mov %rsp, %rcx; mov %rbx, %rsp", "call 1f",
				"1: mov %rcx, %rsp");
	struct snip far = SNIP("mov %rsp, %rcx; mov %rbx, %rsp",
			       "lcall *(%rsi)", "1: mov %rcx, %rsp");
	struct snip trap = SNIP("", "int $0x81", "");
	struct { u32 off; u16 sel; } __attribute__((packed)) ptr;
	u64 entry, old = c.table[1][SLOT];
	struct exec x;

	/* The return address is 4-byte odd or even; as a PTE it is data. */
	exec_init(&x, &call);
	x.rbx = table_va + (SLOT + 1) * 8;
	exec64(&x);
	entry = c.table[1][SLOT];
	check(x.vec == VEC_DONE && entry == call.after, "call", "vec %lx %u",
	      x.vec, entry == call.after);
	ptr.off = far.after;
	ptr.sel = SEL_K64;
	exec_init(&x, &far);
	x.rbx = table_va + (SLOT + 2) * 8;
	x.rsi = (u64)&ptr;
	c.table[1][SLOT] = 0;
	exec64(&x);
	entry = c.table[1][SLOT + 1];
	check(x.vec == VEC_DONE && entry == ((u64)SEL_K64 << 32 | far.after),
	      "far_call", "vec %lx cs %lx %u", x.vec, entry >> 32,
	      (u32)entry == (u32)far.after);

	/* User-mode exception; RSP0 is in the table, with room below. */
	tss.t.rsp[0] = table_va + 0x1000;
	exec_user(&x, &trap);
	exec64(&x);
	tss.t.rsp[0] = (u64)rsp0_stack_top;
	/* The handler has put ring 0's selectors into the frame since. */
	check(x.vec == VEC_DONE && x.ss == SEL_UD &&
	      c.table[1][511] == SEL_KD && c.table[1][508] == SEL_K64, "frame",
	      "vec %lx ss %lx %lx cs %lx", x.vec, x.ss, c.table[1][511],
	      c.table[1][508]);
	/* What lies there now is a mapping of nothing, or of odd memory. */
	memset(&c.table[1][256], 0, 2048);
	c.table[1][SLOT] = old;
	c.table[1][SLOT - 1] = 0x1110;
	c.table[1][SLOT + 1] = 0;
	c.table[1][SLOT + 2] = 0x2220;
	write_cr3(read_cr3());
}

/*
 * The stack is a page table all the time: a chain of calls and pushes runs on
 * it, and what it leaves is used as mappings.
 */
static void stack_page(void)
{
	struct snip s = SNIP("mov %rsp, %rcx; mov %rbx, %rsp; mov $60, %edx",
			     "1: push %rax; push %rax; pop (%r8); call 2f; sub $8, %rsp; mov %rax, (%rsp); dec %edx; jnz 1b; jmp 3f; 2: ret; 3:",
			     "mov %rcx, %rsp");
	u32 i, bad = 0;
	struct exec x;

	exec_init(&x, &s);
	x.rbx = table_va + 400 * 8;
	x.rax = frame_pa(NEW) | RW;
	x.r8 = (u64)test_stack_top - 0x800;
	exec64(&x);
	bad = x.vec != VEC_DONE;
	for (i = 399; i > 280; i--)
		bad += probe_cell(c.va + i * PAGE_SIZE) != data_value(NEW);
	check_eq("stack_page", bad, 0);
	memset(&c.table[1][256], 0, 2048);
	write_cr3(read_cr3());
}

/*
 * The page table is code as well: mov %rax, (%rbx) runs from entry 64 on and
 * writes entry SLOT; then code that is rewritten in the table, and run.
 */
static void code_page(void)
{
	u8 *code = (u8 *)&c.table[1][64];
	u64 want = frame_pa(NEW) | RW;
	u32 i, sig, bad = 0;

	/* At table_va + 64 * 8: mov $imm, %eax; jmp *%rsi (paging.h). */
	code[0] = 0xb8;
	code[5] = 0xff;
	code[6] = 0xe6;
	for (i = 0; i < 40; i++) {
		*(volatile u32 *)(table_va + 64 * 8 + 1) = 0x1000 + i;
		/* Serialize: a jump is enough on one processor. */
		sig = 0;
		bad += probe_fetch(table_va + 64 * 8, &sig) != ACC_FINE;
		bad += sig != 0x1000 + i;
		/* The table is still in use as one. */
		c.table[1][SLOT] = i & 1 ? want : 0;
		invlpg_addr(PAGE_VA);
		bad += probe_cell(PAGE_VA) != (i & 1 ? data_value(NEW) :
						       PROBE_FAULT);
	}
	check_eq("code_page", bad, 0);

	/* mov %rax, -0x1c0(%rip): code in the table changes the table. */
	code[0] = 0x48;
	code[1] = 0x89;
	code[2] = 0x05;
	*(s32 *)(code + 3) = -(64 - SLOT) * 8 - 7;
	code[7] = 0xff; /* jmp *%rsi */
	code[8] = 0xe6;
	for (i = 0; i < 20; i++) {
		struct snip s = SNIP("lea 1f(%rip), %rsi", "jmp *%rbx", "1:");
		struct exec x;

		c.table[1][SLOT] = 0;
		invlpg_addr(PAGE_VA);
		bad += probe_cell(PAGE_VA) != PROBE_FAULT;
		exec_init(&x, &s);
		x.rbx = table_va + 64 * 8;
		x.rax = frame_pa(i & 15) | RW;
		exec64(&x);
		bad += x.vec != VEC_DONE;
		bad += probe_cell(PAGE_VA) != data_value(i & 15);
	}
	check_eq("code_page.writes", bad, 0);
	memset(code, 0, 16);
}

/* Upper levels by a few of the forms: entry 3 of each. */
static void upper(void)
{
	u64 *other = (u64 *)frame_pa(frame_alloc());
	u32 i, bad = 0;
	u64 va;

	for (i = 0; i < 16; i++)
		other[i] = frame_pa(i) | RW;
	va = c.va + 3 * 0x200000;
	for (i = 0; i < 30; i++) {
		__atomic_exchange_n(&c.table[2][3], (u64)other | RW,
				    __ATOMIC_SEQ_CST);
		bad += probe_cell(va + (i & 15) * PAGE_SIZE) !=
		       data_value(i & 15);
		__atomic_fetch_and(&c.table[2][3], ~PT_W, __ATOMIC_SEQ_CST);
		invlpg_addr(va);
		bad += probe_write(va + 0x80, 1) != (PF_P | PF_W);
		*(volatile u8 *)&c.table[2][3] |= PT_W;
		invlpg_addr(va);
		bad += probe_write(va + 0x80, 1) != ACC_FINE;
		*(volatile u8 *)&c.table[2][3] = 0;
		write_cr3(read_cr3());
		bad += probe_cell(va) != PROBE_FAULT;
		c.table[3][3] = (u64)c.table[2] | RW;
		c.table[2][4] = (u64)other | RW;
		bad += probe_cell(c.va + 3 * 0x40000000ul + 4 * 0x200000) !=
		       data_value(0);
		*(volatile u16 *)&c.table[3][3] = 0;
		write_cr3(read_cr3());
		bad += probe_cell(c.va + 3 * 0x40000000ul + 4 * 0x200000) !=
		       PROBE_FAULT;
		boot_pml4[9] = (u64)c.table[3] | RW;
		bad += probe_cell((9ul << 39) + 4 * 0x200000) != data_value(0);
		boot_pml4[9] = 0;
		write_cr3(read_cr3());
		bad += probe_cell((9ul << 39) + 4 * 0x200000) != PROBE_FAULT;
	}
	check_eq("upper", bad, 0);
}

/* The table the stores go to is mapped twice: for ring 0 and for ring 3. */
void guest_main(void)
{
	u64 *pt = (u64 *)frame_pa(0);
	struct chain other;

	probe_init();
	chain_init(&c, 1);
	chain_init(&other, 2);
	pt = other.table[1];
	pt[0] = (u64)c.table[1] | PT_P | PT_W;
	pt[1] = (u64)c.table[1] | RW;
	table_va = other.va;
	table_uva = other.va + PAGE_SIZE;
	c.table[1][SLOT - 1] = 0x1110;
	c.table[1][SLOT + 2] = 0x2220;
	plain();
	strings();
	vectors();
	fxsave();
	crossing();
	stacks();
	stack_page();
	code_page();
	upper();
}
