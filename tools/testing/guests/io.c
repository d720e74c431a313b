// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.c - port I/O: widths, register halves, string forms in both directions,
 * faults in the middle, and who may touch which port.
 *
 * SDM vol. 1, "Input/Output"; vol. 2, IN, OUT, INS, OUTS, REP. The PIC's mask
 * register (0x21) serves as a port that can be read back; port 0x1f3c as one
 * that nobody claims and that floats high.
 */
#include "lib.h"

const char guest_name[] = "io";

#define FLOATING "0x1f3c"
#define PIC_MASK 0x21
#define POST 0x80

static u8 *buf;

static void widths(void)
{
	struct exec x;
	struct snip s;

	outb(PIC_MASK, 0xa5);
	check_eq("in8.pic_mask", inb(PIC_MASK), 0xa5);
	outb(PIC_MASK, 0xff);
	s = SNIP("mov $" FLOATING ", %edx; mov $0x1122334455667700, %rax",
		 "in %dx, %al", "");
	exec_init(&x, &s);
	exec64(&x);
	check_eq("in8.keeps_upper", x.rax, 0x11223344556677ff);
	s = SNIP("mov $" FLOATING ", %edx; mov $0x1122334455660000, %rax",
		 "in %dx, %ax", "");
	exec_init(&x, &s);
	exec64(&x);
	check_eq("in16.keeps_upper", x.rax, 0x112233445566ffff);
	s = SNIP("mov $" FLOATING ", %edx; mov $0x1122334400000000, %rax",
		 "in %dx, %eax", "");
	exec_init(&x, &s);
	exec64(&x);
	check_eq("in32.zero_extends", x.rax, 0xffffffff);
	s = SNIP("mov $0x1122334455667700, %rax", "in $0x21, %al", "");
	exec_init(&x, &s);
	exec64(&x);
	check_eq("in8.immediate", x.rax, 0x11223344556677ff);
	/* The port is DX alone. */
	s = SNIP("mov $0xffff0021, %edx; mov $0x12340000, %eax",
		 "in %dx, %al", "");
	exec_init(&x, &s);
	exec64(&x);
	check_eq("in8.dx_only", x.rax, 0x123400ff);
	s = SNIP("mov $0x80, %edx; mov $0x12345678, %eax; stc",
		 "out %al, %dx; out %ax, %dx; out %eax, %dx", "");
	exec_init(&x, &s);
	exec64(&x);
	check_done("out.all_widths", &x, &s);
	check(x.rax == 0x12345678 && (x.rflags & FL_CF), "out.changes_nothing",
	      "%lx fl %lx", x.rax, x.rflags);
	/* A 16-bit access at 0x20/0x21 is two 8-bit accesses. */
	outw(0x20, 0x5a20); /* EOI, then mask */
	check_eq("out16.two_ports", inb(PIC_MASK), 0x5a);
	check_eq("in16.two_ports", inw(0x20) >> 8, 0x5a);
	outb(PIC_MASK, 0xff);
}

static void strings(void)
{
	struct exec x;
	struct snip s;
	u32 i, good;

	outb(PIC_MASK, 0xc3);
	memset(buf, 0, 2 * PAGE_SIZE);
	s = SNIP("", "rep insb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rdi = (u64)buf + 4;
	x.rcx = 6000;
	exec64(&x);
	check_done("ins8.run", &x, &s);
	for (i = 0, good = 0; i < 6000; i++)
		good += buf[4 + i] == 0xc3;
	check(good == 6000 && !buf[3] && !buf[6004] && !x.rcx &&
	      x.rdi == (u64)buf + 6004, "ins8.result",
	      "%u good, before %x behind %x, rcx %lx rdi +%lx", good, buf[3],
	      buf[6004], x.rcx, x.rdi - (u64)buf);

	/* Down, by words and double words. */
	memset(buf, 0, 2 * PAGE_SIZE);
	s = SNIP("std; mov $" FLOATING ", %edx", "rep insw", "cld");
	exec_init(&x, &s);
	x.rdi = (u64)buf + 100;
	x.rcx = 10;
	exec64(&x);
	for (i = 0, good = 0; i < 200; i++)
		good += buf[i] == (i >= 82 && i < 102 ? 0xff : 0);
	check(good == 200 && x.rdi == (u64)buf + 80 && !x.rcx, "ins16.down",
	      "%u good rcx %lx rdi +%lx", good, x.rcx, x.rdi - (u64)buf);
	memset(buf, 0, 2 * PAGE_SIZE);
	s = SNIP("mov $" FLOATING ", %edx", "rep insl", "");
	exec_init(&x, &s);
	x.rdi = (u64)buf + PAGE_SIZE - 6;
	x.rcx = 3;
	exec64(&x);
	for (i = 0, good = 0; i < 24; i++)
		good += buf[PAGE_SIZE - 12 + i] == (i >= 6 && i < 18 ? 0xff : 0);
	check(good == 24 && !x.rcx, "ins32.cross_page", "%u good rcx %lx", good,
	      x.rcx);
	s = SNIP("", "insb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rdi = (u64)buf;
	x.rcx = 77;
	exec64(&x);
	check(buf[0] == 0xc3 && x.rcx == 77 && x.rdi == (u64)buf + 1,
	      "ins8.single", "%x rcx %lx", buf[0], x.rcx);

	/* Nothing at all for a count of zero, bad address or not. */
	s = SNIP("xor %ecx, %ecx", "rep insb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rdi = 0x800000000000;
	exec64(&x);
	check_done("ins8.zero", &x, &s);
	check_eq("ins8.zero.rdi", x.rdi, 0x800000000000);

	/* Address size 32: ECX and EDI only, the upper halves cleared. */
	s = SNIP("", "addr32 rep insb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rdi = (u64)buf | 0xabcd00000000;
	x.rcx = 0x500000004;
	exec64(&x);
	check_done("ins8.addr32", &x, &s);
	check(x.rcx == 0 && x.rdi == (u64)buf + 4, "ins8.addr32.regs",
	      "rcx %lx rdi +%lx", x.rcx, x.rdi - (u64)buf);

	/* OUTS: the last byte is what the mask register keeps. */
	for (i = 0; i < 2 * PAGE_SIZE; i++)
		buf[i] = i * 7;
	s = SNIP("", "rep outsb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rsi = (u64)buf + 3;
	x.rcx = 5000;
	exec64(&x);
	check(inb(PIC_MASK) == buf[5002] && !x.rcx && x.rsi == (u64)buf + 5003,
	      "outs8.up", "%x rcx %lx rsi +%lx", inb(PIC_MASK), x.rcx,
	      x.rsi - (u64)buf);
	s = SNIP("std", "rep outsb", "cld");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rsi = (u64)buf + 5000;
	x.rcx = 4500;
	exec64(&x);
	check(inb(PIC_MASK) == buf[501] && !x.rcx && x.rsi == (u64)buf + 500,
	      "outs8.down", "%x rcx %lx rsi +%lx", inb(PIC_MASK), x.rcx,
	      x.rsi - (u64)buf);
	s = SNIP("mov $0x80, %edx", "rep outsw; mov $3, %ecx; rep outsl", "");
	exec_init(&x, &s);
	x.rsi = (u64)buf;
	x.rcx = 9;
	exec64(&x);
	check_eq("outs16_32.rsi", x.rsi - (u64)buf, 30);
	/* Segment override: the base of FS counts for OUTS. */
	s = SNIP("mov $0xc0000100, %ecx; mov %esi, %eax; xor %edx, %edx; wrmsr; mov $5, %esi; mov $0x21, %edx",
		 "fs outsb", "");
	exec_init(&x, &s);
	x.rsi = (u64)buf;
	exec64(&x);
	check_eq("outs8.fs", inb(PIC_MASK), buf[5]);
	outb(PIC_MASK, 0xff);
}

static bool map_and_go(struct frame *f)
{
	u64 page = (read_cr2() - WINDOW) / PAGE_SIZE;

	window_map(page, (u64)buf + page * PAGE_SIZE, PT_P | PT_W);
	return true;
}

static void faults(void)
{
	struct exec x;
	struct snip s;
	u64 w = window_addr(0);
	u32 i, good;

	outb(PIC_MASK, 0x3c);
	/* INS into a page that is not there: stops with exact counts. */
	window_map(0, (u64)buf, PT_P | PT_W);
	window_map(1, 0, 0);
	s = SNIP("", "rep insb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rdi = w + PAGE_SIZE - 10;
	x.rcx = 30;
	exec64(&x);
	check_exc("ins8.fault", &x, &s, EXC_PF, PF_W, s.at);
	check(x.rcx == 20 && x.rdi == w + PAGE_SIZE && x.cr2 == w + PAGE_SIZE,
	      "ins8.fault.regs", "rcx %lx rdi +%lx cr2 +%lx", x.rcx, x.rdi - w,
	      x.cr2 - w);
	s = SNIP("", "rep insw", "");
	exec_init(&x, &s);
	x.rdx = 0x1f3c;
	x.rdi = w + PAGE_SIZE - 5;
	x.rcx = 30;
	exec64(&x);
	check_exc("ins16.fault_cross", &x, &s, EXC_PF, PF_W, s.at);
	check(x.rcx == 28 && x.rdi == w + PAGE_SIZE - 1 &&
	      x.cr2 == w + PAGE_SIZE, "ins16.fault_cross.regs",
	      "rcx %lx rdi +%lx cr2 +%lx", x.rcx, x.rdi - w, x.cr2 - w);
	/* The handler maps the page and the instruction goes on. */
	exc_set_hook(EXC_PF, map_and_go);
	memset(buf, 0, 2 * PAGE_SIZE);
	s = SNIP("", "rep insb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rdi = w + PAGE_SIZE - 10;
	x.rcx = 30;
	exec64(&x);
	exc_set_hook(EXC_PF, NULL);
	for (i = 0, good = 0; i < 50; i++)
		good += buf[PAGE_SIZE - 20 + i] ==
			(i >= 10 && i < 40 ? 0x3c : 0);
	check_done("ins8.fault_resume", &x, &s);
	check(good == 50 && !x.rcx, "ins8.fault_resume.data", "%u good rcx %lx",
	      good, x.rcx);
	/* Read-only destination; unmapped from the start. */
	window_map(1, (u64)buf, PT_P);
	s = SNIP("", "insb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rdi = w + PAGE_SIZE;
	exec64(&x);
	check_exc("ins8.read_only", &x, &s, EXC_PF, PF_P | PF_W, s.at);

	/* OUTS: the source. */
	window_map(1, 0, 0);
	s = SNIP("", "rep outsb", "");
	exec_init(&x, &s);
	x.rdx = PIC_MASK;
	x.rsi = w + PAGE_SIZE - 7;
	x.rcx = 20;
	exec64(&x);
	check_exc("outs8.fault", &x, &s, EXC_PF, 0, s.at);
	check(x.rcx == 13 && x.rsi == w + PAGE_SIZE &&
	      inb(PIC_MASK) == buf[PAGE_SIZE - 1], "outs8.fault.regs",
	      "rcx %lx rsi +%lx", x.rcx, x.rsi - w);
	s = SNIP("mov $1, %esi; shl $47, %rsi", "outsb", "");
	exec_init(&x, &s);
	x.rdx = POST;
	exec64(&x);
	check_exc("outs8.noncanonical", &x, &s, EXC_GP, 0, s.at);
	window_map(0, 0, 0);
	outb(PIC_MASK, 0xff);
}

static void permit(u16 port, bool yes)
{
	if (yes)
		tss.bitmap[port / 8] &= ~(1 << (port % 8));
	else
		tss.bitmap[port / 8] |= 1 << (port % 8);
}

static void permissions(void)
{
	struct exec x;
	struct snip s;

	/* IOPL 3: no bitmap. */
	s = SNIP("", "in $0x21, %al; out %al, $0x80", "");
	exec_user(&x, &s);
	x.rflags |= FL_IOPL3;
	exec64(&x);
	check_done("perm.iopl3", &x, &s);
	/* IOPL 2 is not enough. */
	s = SNIP("", "in $0x21, %al", "");
	exec_user(&x, &s);
	x.rflags |= 2 * FL_IOPL;
	exec64(&x);
	check_exc("perm.iopl2", &x, &s, EXC_GP, 0, s.at);
	permit(0x21, true);
	expect_user_done("perm.bitmap_8", SNIP("", "in $0x21, %al", ""));
	/* Every port of a wider access must be permitted. */
	expect_user_fault("perm.bitmap_16", SNIP("mov $0x21, %edx",
						 "in %dx, %ax", ""), EXC_GP, 0);
	expect_user_fault("perm.bitmap_16_below", SNIP("mov $0x20, %edx",
						       "in %dx, %ax", ""),
			  EXC_GP, 0);
	permit(0x1f3c, true);
	permit(0x1f3d, true);
	permit(0x1f3e, true);
	expect_user_fault("perm.bitmap_32_three", SNIP("mov $0x1f3c, %edx",
						       "in %dx, %eax", ""),
			  EXC_GP, 0);
	permit(0x1f3f, true);
	expect_user_done("perm.bitmap_32", SNIP("mov $0x1f3c, %edx",
						"in %dx, %eax", ""));
	/* Across a byte of the bitmap. */
	permit(0x1f3f, true);
	permit(0x1f40, true);
	expect_user_done("perm.bitmap_byte_edge", SNIP("mov $0x1f3f, %edx",
						       "in %dx, %ax", ""));
	/* The check comes before the memory access. */
	permit(0x1f40, false);
	s = SNIP("mov $0x1f40, %edx; mov $0x80000000, %edi", "insb", "");
	window_map(0, 0, 0);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("perm.before_page_fault", &x, &s, EXC_GP, 0, s.at);
	permit(0x1f40, true);
	exec_user(&x, &s);
	exec64(&x);
	check_exc("perm.then_page_fault", &x, &s, EXC_PF, PF_W | PF_U, s.at);
	/* REP INSB at CPL 3 into user memory. */
	s = SNIP("mov $0x21, %edx; lea -64(%rsp), %rdi; mov $40, %ecx",
		 "rep insb", "");
	exec_user(&x, &s);
	exec64(&x);
	check_done("perm.user_rep_insb", &x, &s);
	check_eq("perm.user_rep_insb.rcx", x.rcx, 0);

	/* Beyond the TSS limit: not permitted. */
	set_gdt(SEL_TEST0, make_desc((u64)&tss, sizeof(tss.t) + 0x20, DESC_TSS64,
				     0));
	set_gdt(SEL_TEST0 + 8, 0);
	load_tr(SEL_TEST0);
	expect_user_done("perm.limit_inside", SNIP("", "in $0x21, %al", ""));
	expect_user_fault("perm.limit_beyond", SNIP("mov $0x1f3c, %edx",
						    "in %dx, %al", ""), EXC_GP,
			  0);
	set_gdt(SEL_TEST0, make_desc((u64)&tss, sizeof(tss.t) - 1, DESC_TSS64,
				     0));
	load_tr(SEL_TEST0);
	expect_user_fault("perm.no_bitmap", SNIP("", "in $0x21, %al", ""),
			  EXC_GP, 0);
	load_tr(SEL_TSS64);
	memset(tss.bitmap, 0xff, sizeof(tss.bitmap));
}

void guest_main(void)
{
	buf = alloc_pages(3);
	widths();
	strings();
	faults();
	permissions();
}
