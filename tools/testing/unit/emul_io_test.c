// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices, string instructions and interruption: each access happens exactly
 * once, in order, and an iteration that is done stays done.
 */
#include "emul_case.h"

static struct tdm_emul_io *journal(unsigned int i)
{
	return &g.journal[i];
}

static bool did(unsigned int i, u8 kind, u64 addr, unsigned int size, u64 data)
{
	const struct tdm_emul_io *io = journal(i);

	return i < g.nr_journal && io->kind == kind && io->addr == addr &&
	       io->size == size && io->data == data;
}

static void fresh_io(bool exits)
{
	fresh_flat(TDM_MODE_LONG64, 0);
	g.exit_io = exits;
	g.next_data = 0x1122334455667788ull;
}

static void loads_and_stores(bool exits)
{
	fresh_io(exits);
	GPR(RBX) = DEVICE + 0x20;
	CHECK_EQ(RUN(0x8b, 0x03), TDM_EMUL_DONE);	/* mov eax, [rbx] */
	CHECK_EQ(GPR(RAX), 0x55667788);
	CHECK(did(0, TDM_EMUL_MMIO_READ, DEVICE + 0x20, 4, 0x55667788));
	CHECK_EQ(g.steps, exits ? 2 : 1);
	CHECK_EQ(RUN(0x66, 0x89, 0x43, 0x02), TDM_EMUL_DONE);
	CHECK(did(1, TDM_EMUL_MMIO_WRITE, DEVICE + 0x22, 2, 0x7788));
	/* movups: two accesses of 8 */
	CHECK_EQ(RUN(0x0f, 0x10, 0x0b), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 4);
	CHECK(did(2, TDM_EMUL_MMIO_READ, DEVICE + 0x20, 8, 0x1122334455667789ull));
	CHECK(did(3, TDM_EMUL_MMIO_READ, DEVICE + 0x28, 8, 0x112233445566778aull));
	CHECK_EQ(g.vec[1][0], 0x89);
	CHECK_EQ(g.vec[1][8], 0x8a);
	CHECK_EQ(g.steps, exits ? 3 : 1);
	/* vmovdqu [rbx], ymm1: four */
	CHECK_EQ(RUN(0xc5, 0xfe, 0x7f, 0x0b), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 8);
	CHECK(did(7, TDM_EMUL_MMIO_WRITE, DEVICE + 0x38, 8, 0));
}

static void loads_and_stores_kernel(void)
{
	loads_and_stores(false);
}

static void loads_and_stores_user(void)
{
	loads_and_stores(true);
}

static void read_modify_write(void)
{
	fresh_io(true);
	GPR(RBX) = DEVICE;
	GPR(RAX) = 1;
	/* add [rbx], eax: one read, one write */
	CHECK_EQ(RUN(0x01, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 2);
	CHECK(did(1, TDM_EMUL_MMIO_WRITE, DEVICE, 4, 0x55667789));
	CHECK_EQ(g.steps, 3);
	/* lock xadd and xchg too, without a cmpxchg loop on the device */
	CHECK_EQ(RUN(0xf0, 0x0f, 0xc1, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 4);
	CHECK_EQ(GPR(RAX), 0x55667789);
	CHECK_EQ(RUN(0x87, 0x03), TDM_EMUL_DONE);
	CHECK(did(5, TDM_EMUL_MMIO_WRITE, DEVICE, 4, 0x55667789));
	CHECK_EQ(GPR(RAX), 0x5566778a);
	/* push [rbx]; pop [rbx]; movsq device to device */
	CHECK_EQ(RUN(0xff, 0x33), TDM_EMUL_DONE);
	CHECK_EQ(peek(STACK - 8, 8), 0x112233445566778bull);
	CHECK_EQ(RUN(0x8f, 0x03), TDM_EMUL_DONE);
	CHECK(did(7, TDM_EMUL_MMIO_WRITE, DEVICE, 8, 0x112233445566778bull));
	CHECK_EQ(GPR(RSP), STACK);
	GPR(RSI) = DEVICE + 8;
	GPR(RDI) = DEVICE + 0x10;
	CHECK_EQ(RUN(0x48, 0xa5), TDM_EMUL_DONE);
	CHECK(did(8, TDM_EMUL_MMIO_READ, DEVICE + 8, 8, 0x112233445566778cull));
	CHECK(did(9, TDM_EMUL_MMIO_WRITE, DEVICE + 16, 8, 0x112233445566778cull));
	CHECK_EQ(g.nr_journal, 10);
}

static void across_borders(void)
{
	fresh_io(true);
	/* 8 bytes, 3 in RAM and 5 in the device */
	poke(RAM_LEN - 3, 0xccbbaa, 3);
	GPR(RBX) = RAM_LEN - 3;
	CHECK_EQ(RUN(0x48, 0x8b, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RAX), 0x4455667788ccbbaaull);
	CHECK(did(0, TDM_EMUL_MMIO_READ, DEVICE, 5, 0x4455667788ull));
	GPR(RAX) = 0x8877665544332211ull;
	CHECK_EQ(RUN(0x48, 0x89, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(peek(RAM_LEN - 3, 3), 0x332211);
	CHECK(did(1, TDM_EMUL_MMIO_WRITE, DEVICE, 5, 0x8877665544ull));
	/* device, then a page that refuses: the device must not be touched */
	GPR(RBX) = READONLY - 4;
	CHECK(faulted(RUN(0x48, 0x89, 0x03), 14, 3));
	CHECK_EQ(g.c.event.address, READONLY);
	CHECK_EQ(g.nr_journal, 2);
	/* read-only page, then nothing: first fault wins, no half write */
	GPR(RBX) = HOLE - 4;
	CHECK(faulted(RUN(0x48, 0x8b, 0x03), 14, 0));
	CHECK_EQ(g.c.event.address, HOLE);
	GPR(RBX) = 0x4000 - 4;
	g.region[0].len = 0x4000;
	CHECK(faulted(RUN(0x48, 0x89, 0x03), 14, 2));
	CHECK_EQ(peek(0x4000 - 4, 4), 0);
}

static void string_to_device(void)
{
	unsigned int i;

	fresh_io(true);
	for (i = 0; i < 5; i++)
		poke(0x2000 + 4 * i, 0x100 + i, 4);
	GPR(RSI) = 0x2000;
	GPR(RDI) = DEVICE + 0x40;
	GPR(RCX) = 5;
	CHECK_EQ(RUN(0xf3, 0xa5), TDM_EMUL_DONE);	/* rep movsd */
	CHECK_EQ(g.nr_journal, 5);
	for (i = 0; i < 5; i++)
		CHECK(did(i, TDM_EMUL_MMIO_WRITE, DEVICE + 0x40 + 4 * i, 4, 0x100 + i));
	CHECK_EQ(GPR(RCX), 0);
	CHECK_EQ(RIP, CODE + 2);
	/* From the device, into a page that ends: progress stays */
	GPR(RSI) = DEVICE;
	GPR(RDI) = READONLY - 8;
	GPR(RCX) = 5;
	g.nr_journal = 0;
	g.region[1].flags = 0;
	g.region[1].mem = readonly;	/* plain memory for once */
	g.region[2].flags = REGION_READONLY;
	CHECK(faulted(RUN(0xf3, 0xa5), 14, 3));
	CHECK_EQ(GPR(RCX), 3);
	CHECK_EQ(GPR(RDI), READONLY);
	CHECK_EQ(RIP, CODE);
}

static void string_in_ram(void)
{
	unsigned int i;

	fresh_io(false);
	/* rep movsb over an overlap of 3 repeats a pattern */
	memcpy(ram + 0x2000, "abc", 3);
	GPR(RSI) = 0x2000;
	GPR(RDI) = 0x2003;
	GPR(RCX) = 1000;
	CHECK_EQ(RUN(0xf3, 0xa4), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RCX), 0);
	for (i = 0; i < 1003 && ram[0x2000 + i] == (u8)"abc"[i % 3]; i++)
		;
	CHECK_EQ(i, 1003);
	/* downwards */
	FLAGS |= X86_EFLAGS_DF;
	GPR(RSI) = 0x2000 + 9;
	GPR(RDI) = 0x3000 + 9;
	GPR(RCX) = 10;
	CHECK_EQ(RUN(0xf3, 0xa4), TDM_EMUL_DONE);
	CHECK(!memcmp(ram + 0x2000, ram + 0x3000, 10));
	CHECK_EQ(GPR(RDI), 0x2fff);
	FLAGS &= ~(u64)X86_EFLAGS_DF;
	/* a long one is interrupted at some iteration, and resumes */
	GPR(RDI) = 0x2000;
	GPR(RCX) = 0xc000;
	GPR(RAX) = 0x5a;
	for (i = 0; GPR(RCX); i++) {
		if (i)
			CHECK_EQ(RIP, CODE);
		CHECK_EQ(RUN(0xf3, 0xaa), TDM_EMUL_DONE);
		CHECK_EQ(GPR(RDI), 0x2000 + 0xc000 - GPR(RCX));
	}
	CHECK(i > 1 && i < 100);
	CHECK_EQ(RIP, CODE + 2);
	CHECK(ram[0x1fff] != 0x5a && ram[0x2000] == 0x5a && ram[0xdfff] == 0x5a &&
	      ram[0xe000] != 0x5a);
	/* an interrupt stops it after one iteration */
	g.irq = true;
	GPR(RSI) = DEVICE;
	GPR(RDI) = 0x2000;
	GPR(RCX) = 10;
	CHECK_EQ(RUN(0xf3, 0xa4), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RCX), 9);
	CHECK_EQ(RIP, CODE);
	/* stepping traps after each iteration */
	g.irq = false;
	FLAGS |= X86_EFLAGS_TF;
	CHECK_EQ(RUN(0xf3, 0xa4), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RCX), 8);
	CHECK_EQ(g.c.trap_dr6, TDM_EMUL_DR6_BS);
}

static void compare_strings(void)
{
	fresh_io(true);
	memcpy(ram + 0x2000, "hello world", 11);
	memcpy(ram + 0x3000, "hello there", 11);
	GPR(RSI) = 0x2000;
	GPR(RDI) = 0x3000;
	GPR(RCX) = 11;
	CHECK_EQ(RUN(0xf3, 0xa6), TDM_EMUL_DONE);	/* repe cmpsb */
	CHECK_EQ(GPR(RCX), 4);
	CHECK(!(FLAGS & X86_EFLAGS_ZF) && !(FLAGS & X86_EFLAGS_CF));
	GPR(RDI) = 0x2000;
	GPR(RCX) = 11;
	GPR(RAX) = 'w';
	CHECK_EQ(RUN(0xf2, 0xae), TDM_EMUL_DONE);	/* repne scasb */
	CHECK_EQ(GPR(RCX), 4);
	CHECK(FLAGS & X86_EFLAGS_ZF);
	/* RCX = 0: no access, no flags */
	GPR(RDI) = HOLE;
	GPR(RCX) = 0;
	CHECK_EQ(RUN(0xf2, 0xae), TDM_EMUL_DONE);
	CHECK(FLAGS & X86_EFLAGS_ZF);
	/* a device in the comparison: read once an iteration */
	GPR(RSI) = DEVICE;
	GPR(RDI) = 0x4000;
	GPR(RCX) = 3;
	g.next_data = 5;
	poke(0x4000, 0x0605, 2);
	CHECK_EQ(RUN(0xf3, 0xa6), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 3);
	CHECK_EQ(GPR(RCX), 0);
}

static void ports(bool exits)
{
	fresh_io(exits);
	CHECK_EQ(RUN(0xe4, 0x60), TDM_EMUL_DONE);	/* in al, 0x60 */
	CHECK(g.nr_journal == 1 && journal(0)->addr == 0x60);
	CHECK_EQ(GPR(RAX), 0x88);
	GPR(RDX) = 0xfff0;
	GPR(RAX) = 0xaabbccdd;
	CHECK_EQ(RUN(0xef), TDM_EMUL_DONE);		/* out dx, eax */
	CHECK(did(1, TDM_EMUL_PIO_OUT, 0xfff0, 4, 0xaabbccdd));
	/* out imm8 is zero-extended */
	CHECK_EQ(RUN(0xe6, 0xf0), TDM_EMUL_DONE);
	CHECK_EQ(journal(2)->addr, 0xf0);
	/* rep insw: one access of many elements */
	g.next_data = 0x100;
	g.nr_journal = 0;
	GPR(RDI) = 0x2000;
	GPR(RCX) = 300;
	CHECK_EQ(RUN(0x66, 0xf3, 0x6d), TDM_EMUL_DONE);
	CHECK_EQ(GPR(RCX), 0);
	CHECK_EQ(g.nr_journal, 1);
	CHECK_EQ(journal(0)->count, 300);
	CHECK_EQ(peek(0x2000 + 299 * 2, 2), 0x100 + 299);
	CHECK_EQ(RIP, CODE + 3);
	/* rep outsb more than a batch takes: several steps */
	GPR(RSI) = 0x2000;
	GPR(RCX) = 1500;
	g.nr_journal = 0;
	do {
		CHECK_EQ(RUN(0xf3, 0x6e), TDM_EMUL_DONE);
	} while (RIP == CODE && case_ok);
	CHECK_EQ(GPR(RCX), 0);
	CHECK_EQ(journal(0)->count + journal(1)->count, 1500);
	CHECK_EQ(g.nr_journal, 2);
	/* insb into a page that is not writable: the port is not read */
	g.nr_journal = 0;
	GPR(RDI) = READONLY;
	GPR(RCX) = 4;
	CHECK(faulted(RUN(0xf3, 0x6c), 14, 3));
	CHECK_EQ(g.nr_journal, 0);
	/* insb to a device: element by element */
	GPR(RDI) = DEVICE;
	GPR(RCX) = 2;
	do {
		CHECK_EQ(RUN(0xf3, 0x6c), TDM_EMUL_DONE);
	} while (RIP == CODE && case_ok);
	CHECK_EQ(g.nr_journal, 4);
	CHECK_EQ(journal(2)->kind, TDM_EMUL_PIO_IN);
	CHECK_EQ(journal(3)->kind, TDM_EMUL_MMIO_WRITE);
}

static void ports_kernel(void)
{
	ports(false);
}

static void ports_user(void)
{
	ports(true);
}

static void port_permission(void)
{
	fresh_flat(TDM_MODE_LONG64, 3);
	g.seg[TDM_SEG_TR].base = 0x600;
	g.seg[TDM_SEG_TR].limit = 104 + 0x20;
	poke(0x600 + 102, 104, 2);
	poke(0x600 + 104, 0xffffffffffffffffull, 8);
	poke(0x600 + 104 + 8, 0x00000000fffffff0ull, 8);
	CHECK(faulted(RUN(0xe4, 0x10), 13, 0));
	CHECK_EQ(RUN(0xe4, 0x40), TDM_EMUL_DONE);
	CHECK_EQ(RUN(0xe5, 0x40), TDM_EMUL_DONE);	/* ports 40 to 43 */
	CHECK(faulted(RUN(0xe5, 0x41), 13, 0));		/* 44 is forbidden */
	GPR(RDX) = 0xf8;				/* last byte of the map */
	CHECK_EQ(RUN(0xec), TDM_EMUL_DONE);
	GPR(RDX) = 0x100;				/* beyond the TSS */
	CHECK(faulted(RUN(0xec), 13, 0));
	FLAGS |= X86_EFLAGS_IOPL;
	CHECK_EQ(RUN(0xec), TDM_EMUL_DONE);
	/* with a count of 0 the permission counts too */
	FLAGS &= ~(u64)X86_EFLAGS_IOPL;
	GPR(RCX) = 0;
	CHECK(faulted(RUN(0xf3, 0x6c), 13, 0));
}

static void locked(void)
{
	fresh_flat(TDM_MODE_LONG64, 0);
	GPR(RBX) = 0x2000;
	GPR(RAX) = 5;
	g.race = 3;
	/* each lost race adds 1 in op_cmpxchg; none may get lost */
	CHECK_EQ(RUN(0xf0, 0x01, 0x03), TDM_EMUL_DONE);
	CHECK_EQ(peek(0x2000, 4), 8);
	/* never winning ends in RETRY with nothing done */
	g.race = 1000000;
	GPR(RCX) = 7;
	CHECK_EQ(RUN(0x87, 0x0b), TDM_EMUL_RETRY);
	CHECK_EQ(GPR(RCX), 7);
	CHECK_EQ(RIP, CODE);
	g.race = 0;
	/* cmpxchg16b, aligned or not */
	poke(0x2000, 1, 8);
	poke(0x2008, 2, 8);
	GPR(RAX) = 1;
	GPR(RDX) = 2;
	GPR(RBX) = 0x33;
	GPR(RCX) = 0x44;
	GPR(RDI) = 0x2000;
	CHECK_EQ(RUN(0xf0, 0x48, 0x0f, 0xc7, 0x0f), TDM_EMUL_DONE);
	CHECK(FLAGS & X86_EFLAGS_ZF);
	CHECK_EQ(peek(0x2008, 8), 0x44);
	GPR(RDI) = 0x2008;
	CHECK(faulted(RUN(0x48, 0x0f, 0xc7, 0x0f), 13, 0));
	/* the written page must be writable even if the comparison fails */
	GPR(RDI) = READONLY;
	CHECK(faulted(RUN(0x0f, 0xb1, 0x0f), 14, 3));
}

static void gives_up_cleanly(void)
{
	fresh_io(true);
	GPR(RBX) = DEVICE;
	CODE_AT(0x8b, 0x03);
	CHECK_EQ(tdm_emul_step(&g.c), TDM_EMUL_IO);
	CHECK(tdm_emul_io(&g.c));
	/* new registers from outside: the instruction is forgotten */
	tdm_emul_reset(&g.c);
	CHECK(!tdm_emul_io(&g.c));
	tdm_emul_io_done(&g.c, NULL);	/* too late: ignored */
	CODE_AT(0x90);
	CHECK_EQ(guest_step(&g), TDM_EMUL_DONE);
	CHECK_EQ(g.nr_journal, 0);
	/* code in a device */
	RIP = DEVICE;
	CHECK_EQ(guest_step(&g), TDM_EMUL_UNHANDLED);
	CHECK_EQ(RIP, DEVICE);
}

static const struct emul_case cases[] = {
	{ "device loads and stores, in the kernel", loads_and_stores_kernel },
	{ "device loads and stores, by userspace", loads_and_stores_user },
	{ "read-modify-write on a device", read_modify_write },
	{ "accesses across page borders", across_borders },
	{ "rep movs to a device and into a fault", string_to_device },
	{ "string instructions in memory, interrupted", string_in_ram },
	{ "cmps and scas", compare_strings },
	{ "ports, in the kernel", ports_kernel },
	{ "ports, by userspace", ports_user },
	{ "I/O permission bitmap", port_permission },
	{ "locked instructions and lost races", locked },
	{ "reset, and code in a device", gives_up_cleanly },
};

int main(void)
{
	return run_cases(cases, ARRAY_SIZE(cases));
}
