// SPDX-License-Identifier: GPL-2.0-only
/*
 * adbits.c - accessed and dirty flags: set when they should be, by every kind
 * of instruction, on every level, and nothing else of an entry touched.
 *
 * SDM vol. 3, "Accessed and Dirty Flags". What faulting accesses leave alone
 * is compared, table by table, in the paging guests.
 */
#include "paging.h"

const char guest_name[] = "adbits";

static struct chain c;

/* Flags of all levels: A of PML4E, PDPTE, PDE, PTE, then D of the PTE. */
static u32 flags(void)
{
	u32 v = 0;

	v |= boot_pml4[1] & PT_A ? 0x10000 : 0;
	v |= c.table[3][0] & PT_A ? 0x1000 : 0;
	v |= c.table[2][0] & PT_A ? 0x100 : 0;
	v |= c.table[1][0] & PT_A ? 0x10 : 0;
	v |= c.table[1][0] & PT_D ? 1 : 0;
	return v;
}

static void clear(void)
{
	boot_pml4[1] &= ~PT_A;
	c.table[3][0] &= ~(PT_A | PT_D);
	c.table[2][0] &= ~(PT_A | PT_D);
	c.table[1][0] &= ~(PT_A | PT_D);
	write_cr3(read_cr3());
}

/* The instruction runs with the page's address in all of rbx, rsi, rdi. */
static void by(const char *name, struct snip s, bool user, u32 want)
{
	struct exec x;
	u32 got;

	clear();
	if (user)
		exec_user(&x, &s);
	else
		exec_init(&x, &s);
	x.rbx = c.va + 0x100;
	x.rsi = x.rbx;
	x.rdi = x.rbx;
	x.r8 = (u64)test_stack_top - 0x1000;
	exec64(&x);
	got = flags();
	check(got == want && x.vec == VEC_DONE, name, "%x vec %lx", got, x.vec);
}

#define R 0x11110
#define W 0x11111
#define BY(name, insn, want) by(name, SNIP("", insn, ""), false, want)
#define UBY(name, insn, want) by(name, SNIP("", insn, ""), true, want)

static void instructions(void)
{
	u64 cr4 = read_cr4();

	write_cr4(cr4 | CR4_OSFXSR);
	BY("none", "nop", 0);
	BY("read", "mov (%rbx), %al", R);
	BY("write", "mov %al, (%rbx)", W);
	UBY("user_read", "mov (%rbx), %rax", R);
	UBY("user_write", "movl $1, (%rbx)", W);
	BY("add", "addl $1, (%rbx)", W);
	BY("cmp", "cmpl $1, (%rbx)", R);
	BY("xchg", "xchg %rax, (%rbx)", W);
	BY("lock_or", "lock orl $0, (%rbx)", W);
	/* The write cycle of CMPXCHG is there whatever the result. */
	BY("cmpxchg_equal", "movq $0, (%rbx); xor %eax, %eax; lock cmpxchg %rcx, (%rbx)", W);
	BY("cmpxchg_differs", "mov $0x77, %eax; lock cmpxchg %rcx, (%rbx)", W);
	BY("cmpxchg8b_differs", "mov $0x77, %eax; lock cmpxchg8b (%rbx)", W);
	BY("cmpxchg16b_differs", "mov $0x77, %eax; lock cmpxchg16b (%rbx)", W);
	BY("bt", "btl $1, (%rbx)", R);
	BY("bts", "btsl $1, (%rbx)", W);
	BY("movs_from", "mov %r8, %rdi; movsb", R);
	BY("movs_to", "mov %r8, %rsi; movsb", W);
	BY("rep_movs_none", "xor %ecx, %ecx; rep movsb", 0);
	BY("rep_stos", "mov $64, %ecx; rep stosb", W);
	BY("lods", "lodsq", R);
	BY("scas", "scasb", R);
	BY("push", "mov %rsp, %rax; mov %rbx, %rsp; push %rax; pop %rsp", W);
	BY("pop", "mov %rsp, %rax; mov %rbx, %rsp; pop %rcx; mov %rax, %rsp", R);
	BY("movnti", "movnti %rax, (%rbx)", W);
	BY("movaps_store", "movaps %xmm0, (%rbx)", W);
	BY("movups_load", "movups (%rbx), %xmm0", R);
	BY("fxsave", "fxsave (%rbx)", W);
	BY("fxrstor", "fxsave (%r8); fxrstor (%r8)", 0);
	BY("fnstcw", "fnstcw (%rbx)", W);
	BY("sgdt", "sgdt (%rbx)", W);
	BY("ins", "mov $0x61, %edx; insb", W);
	BY("verw", "movw $0x10, (%r8); verw (%r8)", 0);
	write_cr4(cr4);
}

/* A fetch, with code in the page. */
static void fetch(void)
{
	u32 got, sig = 0;

	clear();
	probe_fetch(c.va, &sig);
	got = flags();
	check(got == R && sig == 0x51600000, "fetch", "%x sig %x", got, sig);
}

/* The processor's own accesses: descriptor tables and stacks. */
static void implicit(void)
{
	struct snip s = SNIP("", "int $0x81", "");
	u64 page = c.va;
	struct dtr d = gdt_ptr;
	struct exec x;

	memcpy((void *)frame_pa(0) + 0x200, gdt, SEL_LIMIT + 1);
	d.base = page + 0x200;
	clear();
	load_gdt(&d);
	check_eq("lgdt", flags(), 0);
	asm volatile("mov %0, %%fs" : : "r"(SEL_KD));
	load_gdt(&gdt_ptr);
	check_eq("gdt", flags(), R);

	/* A descriptor whose accessed bit has to be set: that is a write. */
	((u8 *)frame_pa(0))[0x200 + SEL_UD / 8 * 8 + 5] &= ~1;
	clear();
	load_gdt(&d);
	asm volatile("mov %0, %%fs" : : "r"(SEL_UD));
	load_gdt(&gdt_ptr);
	asm volatile("mov %0, %%fs" : : "r"(0));
	check_eq("gdt.accessed", flags(), W);

	/* The frame of an interrupt from ring 3. */
	clear();
	tss.t.rsp[0] = page + 0x800;
	exec_user(&x, &s);
	exec64(&x);
	check(flags() == W && x.vec == VEC_DONE, "rsp0", "%x vec %lx", flags(),
	      x.vec);
	tss.t.rsp[0] = (u64)rsp0_stack_top;

	memcpy((void *)frame_pa(0), idt, PAGE_SIZE);
	d = idt_ptr;
	d.base = page;
	clear();
	load_idt(&d);
	exec_init(&x, &s);
	exec64(&x);
	load_idt(&idt_ptr);
	check(flags() == R && x.vec == VEC_DONE, "idt", "%x vec %lx", flags(),
	      x.vec);
	pool_init();
	chain_init(&c, 1);
}

/* Cleared and flushed, they are set again; and only they. */
static void again(void)
{
	u64 other = 0x7ff0000000000e00ul, value;
	u32 i, bad = 0;

	c.table[1][0] |= other | PT_PWT;
	for (i = 0; i < 50; i++) {
		clear();
		probe_read(c.va, &value);
		bad += flags() != R;
		probe_write(c.va + CELL, data_value(0));
		bad += flags() != W;
		/* Dirty only: accessed goes, dirty stays. */
		c.table[1][0] &= ~PT_A;
		invlpg_addr(c.va);
		probe_read(c.va, &value);
		bad += flags() != W;
		c.table[1][0] &= ~PT_D;
		invlpg_addr(c.va);
		probe_read(c.va, &value);
		bad += flags() != R;
		probe_write(c.va + CELL, data_value(0));
		bad += flags() != W;
		bad += (c.table[1][0] & ~(PT_A | PT_D)) !=
		       (frame_pa(0) | PT_P | PT_W | PT_U | PT_PWT | other);
	}
	check_eq("again", bad, 0);

	/* Upper levels: a flush of the address flushes their caches, too. */
	boot_pml4[1] &= ~PT_A;
	c.table[3][0] &= ~PT_A;
	c.table[2][0] &= ~PT_A;
	invlpg_addr(c.va);
	probe_read(c.va, &value);
	check_eq("again.upper", flags(), W);
	/* The D flag means nothing in an entry that refers to a table. */
	clear();
	probe_write(c.va + CELL, data_value(0));
	check(!(c.table[2][0] & PT_D) && !(c.table[3][0] & PT_D) &&
	      !(boot_pml4[1] & PT_D), "no_upper_dirty", "%lx %lx %lx",
	      boot_pml4[1] & PT_D, c.table[3][0] & PT_D, c.table[2][0] & PT_D);
}

/* CR0.WP = 0: a supervisor writes to a read-only page, which gets dirty. */
static void write_through(void)
{
	u64 cr0 = read_cr0();

	c.table[1][0] = frame_pa(0) | PT_P;
	clear();
	write_cr0(cr0 & ~CR0_WP);
	check_eq("wp0.err", probe_write(c.va + CELL, data_value(0)), ACC_FINE);
	check_eq("wp0", flags(), W);
	write_cr0(cr0);
	check_eq("wp1.err", probe_write(c.va + CELL, data_value(0)),
		 PF_P | PF_W);
	clear();
	check_eq("wp1.fault", probe_write(c.va + CELL, 1), PF_P | PF_W);
	check_eq("wp1.no_dirty", flags() & 1, 0);
	c.table[1][0] = frame_pa(0) | PT_P | PT_W | PT_U;
}

static void large(void)
{
	u64 value, old = c.table[2][0], flags_of[4];
	u32 got;

	c.table[2][0] = POOL_BASE | PT_P | PT_W | PT_PS;
	clear();
	probe_read(c.va + CELL, &value);
	flags_of[0] = c.table[2][0] & (PT_A | PT_D);
	probe_write(c.va + 5 * PAGE_SIZE + CELL, data_value(5));
	flags_of[1] = c.table[2][0] & (PT_A | PT_D);
	c.table[2][0] &= ~PT_D;
	invlpg_addr(c.va + 7 * PAGE_SIZE);
	probe_write(c.va + 6 * PAGE_SIZE + CELL, data_value(6));
	flags_of[2] = c.table[2][0] & (PT_A | PT_D);
	got = flags_of[0] << 16 | flags_of[1] << 8 | flags_of[2];
	check(got == 0x206060 && c.table[2][0] >> 12 == POOL_BASE >> 12,
	      "large", "%x", got);
	c.table[2][0] = old;
	invlpg_addr(c.va);
}

void guest_main(void)
{
	probe_init();
	chain_init(&c, 1);
	instructions();
	fetch();
	again();
	write_through();
	large();
	implicit();
}
