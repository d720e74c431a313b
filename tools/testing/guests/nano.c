// SPDX-License-Identifier: GPL-2.0-only
/*
 * nano.c - the cost of single operations, in TSC ticks an iteration. In a
 * lab's counting mode a tick is an instruction.
 *
 * Prints "# nano NAME TICKS", to be compared between machines, monitors and
 * commits, never with expectations here. The loop's own few instructions are
 * in the figure.
 */
#include "irq.h"

const char guest_name[] = "nano";

#define VEC 0x51
#define LOOPS 2000

static u8 *pages;

#define NANO(name, n, what) do {					\
	u64 _start, _i;							\
									\
	for (_i = 0; _i < 4; _i++)					\
		what;							\
	_start = rdtsc();						\
	for (_i = 0; _i < (n); _i++)					\
		what;							\
	_start = rdtsc() - _start;					\
	info("nano %s %lu", name, _start / (n));			\
} while (0)

static void write_byte(u64 a)
{
	*(volatile u8 *)a = 1;
}

static bool make_present(struct frame *f)
{
	window_pt[0] |= PT_P;
	return true;
}

static u64 touched;

void guest_main(void)
{
	u64 w = window_addr(0), cr3 = read_cr3(), efer = rdmsr(MSR_EFER);
	u64 pat = rdmsr(MSR_PAT);

	pages = alloc_pages(2);
	pic_init();
	apic_enable();
	exc_set_hook(0xff, irq_hook_count);
	exc_set_hook(VEC, irq_hook_lapic);

	NANO("empty", LOOPS, barrier());
	NANO("cpuid", LOOPS, cpuid(0, 0));
	NANO("in_pic", LOOPS, inb(0x21));
	NANO("out_pic", LOOPS, outb(0x21, 0xff));
	NANO("in_pit", LOOPS, inb(0x40));
	NANO("out_userspace", LOOPS, outb(0x13, 0));
	NANO("rdtsc", LOOPS, rdtsc());
	NANO("rdmsr_efer", LOOPS, rdmsr(MSR_EFER));
	NANO("wrmsr_efer", LOOPS, wrmsr(MSR_EFER, efer));
	NANO("rdmsr_apic_base", LOOPS, rdmsr(MSR_APIC_BASE));
	NANO("wrmsr_pat", LOOPS, wrmsr(MSR_PAT, pat));
	NANO("wrmsr_lstar", LOOPS, wrmsr(MSR_LSTAR, 0));
	NANO("cr3_write", LOOPS, write_cr3(cr3));
	NANO("cr0_write", LOOPS, write_cr0(read_cr0()));
	NANO("clts", LOOPS, asm volatile("clts"));
	NANO("cr8_write", LOOPS, write_cr8(0));
	NANO("invlpg", LOOPS, invlpg_addr(w));
	NANO("apic_read", LOOPS, apic_read(APIC_TPR));
	NANO("apic_write_tpr", LOOPS, apic_write(APIC_TPR, 0));
	NANO("sti_cli", LOOPS, asm volatile("sti; cli"));
	NANO("self_ipi", LOOPS, ({ apic_icr(0, ICR_SELF | VEC);
				   sti_nop_cli(); }));
	if (HAS_TSC_DEADLINE) {
		apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VEC);
		NANO("wrmsr_tsc_deadline", LOOPS,
		     wrmsr(MSR_TSC_DEADLINE, rdtsc() + (1ul << 40)));
		wrmsr(MSR_TSC_DEADLINE, 0);
		NANO("hlt_wakeup", 50, ({
			wrmsr(MSR_TSC_DEADLINE, rdtsc() + 10000);
			sti_hlt(); }));
		apic_write(APIC_LVT_TIMER, LVT_MASKED);
	}

	/* A page-table entry flipped between two pages, flushed and used. */
	window_map(0, (u64)pages, PT_P | PT_W);
	NANO("pte_flip", LOOPS, ({ window_pt[0] ^= PAGE_SIZE;
				   invlpg_addr(w); write_byte(w); }));
	/* A fault, repaired by the guest's handler. */
	exc_set_hook(EXC_PF, make_present);
	NANO("page_fault", LOOPS, ({ window_pt[0] &= ~PT_P; invlpg_addr(w);
				     write_byte(w); }));
	exc_set_hook(EXC_PF, NULL);
	/* Memory that nobody has touched before, above what we use. */
	touched = 0x2000000;
	NANO("first_touch", 500, ({ write_byte(touched);
				    touched += PAGE_SIZE; }));
}
