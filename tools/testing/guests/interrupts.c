// SPDX-License-Identifier: GPL-2.0-only
/*
 * interrupts.c - local APIC in xAPIC mode: registers, priorities, timer, NMI;
 * and where in the instruction stream an interrupt is taken.
 *
 * SDM vol. 3, "Advanced Programmable Interrupt Controller"; "Masking
 * Exceptions and Interrupts When Switching Stacks"; vol. 2, STI. The legacy
 * controllers are in pic.c, x2APIC mode in x2apic.c.
 */
#include "irq.h"

const char guest_name[] = "interrupts";

#define VEC_A 0x51
#define VEC_B 0x62
#define VEC_LOW 0x45
#define SPURIOUS 0xff

static void registers(void)
{
	static const struct {
		const char *name;
		u32 reg, writable;
	} lvts[] = {
		{ "lvt.timer", APIC_LVT_TIMER, 0x300ff },
		{ "lvt.perf", APIC_LVT_PERF, 0x107ff },
		{ "lvt.lint0", APIC_LVT_LINT0, 0x1a7ff },
		{ "lvt.lint1", APIC_LVT_LINT1, 0x1a7ff },
		{ "lvt.error", APIC_LVT_ERROR, 0x100ff },
	};
	u32 version = apic_read(APIC_VERSION);
	u32 i, got;

	info("lapic version %x", version);
	check((version & 0xff) >= 0x10 && (version & 0xff) < 0x20 &&
	      (version >> 16 & 0xff) >= 4, "version", "integrated");
	/* With the software enable off every LVT is masked and stays so. */
	apic_write(APIC_SVR, 0xff);
	for (i = 0; i < ARRAY_SIZE(lvts); i++) {
		apic_write(lvts[i].reg, 0x20);
		check_eq("svr.off_masks", apic_read(lvts[i].reg) & LVT_MASKED,
			 LVT_MASKED);
	}
	apic_write(APIC_SVR, 0x1ff);
	check_eq("svr.on", apic_read(APIC_SVR) & 0x1ff, 0x1ff);
	for (i = 0; i < ARRAY_SIZE(lvts); i++) {
		apic_write(lvts[i].reg, 0xfffeefff | LVT_MASKED);
		got = apic_read(lvts[i].reg) & ~0x5000u;
		/* A VMM may offer the deadline timer where the CPU has none. */
		if (lvts[i].reg == APIC_LVT_TIMER) {
			check_eq("lvt.timer.deadline",
				 !(got & BIT(18)) == !HAS_TSC_DEADLINE, 1);
			got &= ~(u32)BIT(18);
		}
		check_eq(lvts[i].name, got, lvts[i].writable);
		apic_write(lvts[i].reg, LVT_MASKED);
		check_eq(lvts[i].name, apic_read(lvts[i].reg) & ~0x4000u,
			 LVT_MASKED);
	}
	apic_write(APIC_LDR, 0xffffffff);
	check_eq("ldr", apic_read(APIC_LDR), 0xff000000);
	apic_write(APIC_LDR, 0x01000000);
	apic_write(APIC_DFR, 0);
	check_eq("dfr", apic_read(APIC_DFR), 0x0fffffff);
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_TIMER_DIV, 0xffffffff);
	check_eq("divide", apic_read(APIC_TIMER_DIV), 0xb);
	apic_write(APIC_TPR, 0xffffff5a);
	check_eq("tpr", apic_read(APIC_TPR), 0x5a);
	check_eq("tpr.cr8", read_cr8(), 5);
	check_eq("ppr.is_tpr", apic_read(APIC_PPR), 0x5a);
	write_cr8(9);
	check_eq("cr8.tpr", apic_read(APIC_TPR), 0x90);
	apic_write(APIC_TPR, 0);
	/* Read-only registers ignore writes. */
	apic_write(APIC_VERSION, 0);
	check_eq("version.read_only", apic_read(APIC_VERSION), version);
	apic_write(APIC_PPR, 0xff);
	check_eq("ppr.read_only", apic_read(APIC_PPR), 0);
	apic_write(APIC_IRR, 0xffffffff);
	check_eq("irr.read_only", apic_read(APIC_IRR), 0);
}

static bool priority_hook(struct frame *f)
{
	u8 vec = f->vec;

	irq_count[vec]++;
	if (vec == VEC_A) {
		check(apic_bit(APIC_ISR, VEC_A) && !apic_bit(APIC_IRR, VEC_A),
		      "isr.in_service", "isr %d irr %d",
		      apic_bit(APIC_ISR, VEC_A), apic_bit(APIC_IRR, VEC_A));
		check_eq("ppr.in_service", apic_read(APIC_PPR), VEC_A & 0xf0);
		/* A lower class waits, a higher one comes right away. */
		apic_icr(0, ICR_SELF | VEC_LOW);
		apic_icr(0, ICR_SELF | VEC_B);
		sti_nop_cli();
		check(irq_count[VEC_B] == 1 && !irq_count[VEC_LOW] &&
		      apic_bit(APIC_IRR, VEC_LOW), "priority.nested",
		      "high %d low %d pending %d", irq_count[VEC_B],
		      irq_count[VEC_LOW], apic_bit(APIC_IRR, VEC_LOW));
		/* Same class: waits too. */
		apic_icr(0, ICR_SELF | (VEC_A | 0xf));
		sti_nop_cli();
		check_eq("priority.same_class", irq_count[VEC_A | 0xf], 0);
	}
	apic_write(APIC_EOI, 0);
	return true;
}

static void self_ipi(void)
{
	memset((void *)irq_count, 0, sizeof(irq_count));
	exc_set_hook(VEC_A, priority_hook);
	exc_set_hook(VEC_A | 0xf, priority_hook);
	exc_set_hook(VEC_B, priority_hook);
	exc_set_hook(VEC_LOW, priority_hook);

	apic_icr(0, ICR_SELF | VEC_A);
	check(apic_bit(APIC_IRR, VEC_A) && !irq_count[VEC_A], "irr.pending",
	      "irr %d count %d", apic_bit(APIC_IRR, VEC_A), irq_count[VEC_A]);
	check_eq("tmr.edge", apic_bit(APIC_TMR, VEC_A), 0);
	sti_nop_cli();
	check(irq_count[VEC_A] == 1 && irq_count[VEC_A | 0xf] == 1 &&
	      irq_count[VEC_LOW] == 1, "priority.all_in_the_end",
	      "%d %d %d", irq_count[VEC_A], irq_count[VEC_A | 0xf],
	      irq_count[VEC_LOW]);
	check_eq("isr.clear", apic_bit(APIC_ISR, VEC_A), 0);
	/* Two of the same merge into one. */
	apic_icr(0, ICR_SELF | VEC_B);
	apic_icr(0, ICR_SELF | VEC_B);
	sti_nop_cli();
	check_eq("irr.merges", irq_count[VEC_B], 2);

	/* TPR holds back its class and below. */
	apic_write(APIC_TPR, 0x60);
	apic_icr(0, ICR_SELF | VEC_B);
	sti_nop_cli();
	check_eq("tpr.blocks", irq_count[VEC_B], 2);
	apic_write(APIC_TPR, 0x5f);
	sti_nop_cli();
	check_eq("tpr.releases", irq_count[VEC_B], 3);
	write_cr8(6);
	apic_icr(0, ICR_SELF | VEC_B);
	sti();
	asm volatile("nop");
	check_eq("cr8.blocks", irq_count[VEC_B], 3);
	write_cr8(0);
	asm volatile("nop");
	cli();
	check_eq("cr8.releases_at_once", irq_count[VEC_B], 4);

	/* To oneself by ID, physical and logical; broadcast. */
	apic_icr(apic_id(), ICR_ASSERT | VEC_B);
	sti_nop_cli();
	check_eq("ipi.physical", irq_count[VEC_B], 5);
	apic_icr(1, ICR_ASSERT | ICR_LOGICAL | VEC_B);
	sti_nop_cli();
	check_eq("ipi.logical", irq_count[VEC_B], 6);
	apic_icr(2, ICR_ASSERT | ICR_LOGICAL | VEC_B);
	sti_nop_cli();
	check_eq("ipi.logical_other", irq_count[VEC_B], 6);
	apic_icr(0, ICR_ALL | VEC_B);
	sti_nop_cli();
	check_eq("ipi.all", irq_count[VEC_B], 7);
	apic_icr(0, ICR_OTHERS | VEC_B);
	sti_nop_cli();
	check_eq("ipi.others", irq_count[VEC_B], 7);
	/* Vectors below 16 cannot be sent. */
	apic_write(APIC_ESR, 0);
	apic_icr(0, ICR_SELF | 5);
	apic_write(APIC_ESR, 0);
	/* Sent and received by the same APIC: either bit, or both. */
	check(apic_read(APIC_ESR) & 0x60, "esr.illegal_vector", "flagged");
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	check_eq("esr.cleared", apic_read(APIC_ESR), 0);
	/* Software-disabled: fixed interrupts are not accepted. */
	apic_write(APIC_SVR, 0xff);
	apic_icr(0, ICR_SELF | VEC_B);
	sti_nop_cli();
	apic_write(APIC_SVR, 0x1ff);
	sti_nop_cli();
	check_eq("svr.off_drops", irq_count[VEC_B], 7);
	/* EOI without anything in service does nothing. */
	apic_write(APIC_EOI, 0);
	check_eq("eoi.nothing", apic_read(APIC_PPR), 0);
}

static void timer(void)
{
	u32 a, b;

	memset((void *)irq_count, 0, sizeof(irq_count));
	exc_set_hook(VEC_A, irq_hook_lapic);
	apic_write(APIC_TIMER_DIV, 0xb); /* by 1 */
	check_eq("timer.stopped", apic_read(APIC_TIMER_CUR), 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_A);
	apic_write(APIC_TIMER_INIT, 0x7fffffff);
	check_eq("timer.initial", apic_read(APIC_TIMER_INIT), 0x7fffffff);
	a = apic_read(APIC_TIMER_CUR);
	b = apic_read(APIC_TIMER_CUR);
	check(b < a && a <= 0x7fffffff, "timer.counts_down", "yes");
	apic_write(APIC_TIMER_INIT, 0);
	check_eq("timer.stop_by_zero", apic_read(APIC_TIMER_CUR), 0);

	/* One-shot: once. */
	apic_write(APIC_LVT_TIMER, VEC_A);
	apic_write(APIC_TIMER_INIT, 10000);
	sti();
	check(wait_count(&irq_count[VEC_A], 1), "timer.one_shot", "fires");
	let_pass(1000000);
	check_eq("timer.one_shot_once", irq_count[VEC_A], 1);
	check_eq("timer.one_shot_zero", apic_read(APIC_TIMER_CUR), 0);
	/* Periodic: again and again, until masked. */
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VEC_A);
	/* Long enough for the slowest machine to serve one before the next. */
	apic_write(APIC_TIMER_INIT, 1000000);
	sti();
	check(wait_count(&irq_count[VEC_A], 6), "timer.periodic", "fires");
	cli();
	apic_write(APIC_LVT_TIMER, LVT_MASKED | LVT_PERIODIC | VEC_A);
	sti_nop_cli();
	a = irq_count[VEC_A];
	let_pass(1000000);
	check_eq("timer.masked", irq_count[VEC_A] - a, 0);
	apic_write(APIC_TIMER_INIT, 0);
	/* Masked one-shot sets nothing pending. */
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_A);
	apic_write(APIC_TIMER_INIT, 1000);
	let_pass(1000000);
	apic_write(APIC_LVT_TIMER, VEC_A);
	sti_nop_cli();
	check_eq("timer.masked_is_lost", irq_count[VEC_A] - a, 0);

	/* HLT wakes up; nothing is lost between STI and HLT. */
	a = irq_count[VEC_A];
	apic_write(APIC_TIMER_INIT, 100000);
	sti_hlt();
	check_eq("hlt.wakes", irq_count[VEC_A] - a, 1);
	apic_icr(0, ICR_SELF | VEC_A);
	sti_hlt();
	check_eq("hlt.pending_before", irq_count[VEC_A] - a, 2);
}

static void tsc_deadline(void)
{
	u32 a;

	if (!HAS_TSC_DEADLINE) {
		skip("tsc_deadline", "cpuid.1:ecx.tsc_deadline not offered");
		apic_write(APIC_LVT_TIMER, LVT_MASKED);
		return;
	}
	apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VEC_A);
	asm volatile("mfence" : : : "memory");
	a = irq_count[VEC_A];
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 100000);
	sti();
	check(wait_count(&irq_count[VEC_A], a + 1), "tsc_deadline", "fires");
	cli();
	check_eq("tsc_deadline.disarmed", rdmsr(MSR_TSC_DEADLINE), 0);
	/* In the past: at once. In the far future, then cancelled: never. */
	wrmsr(MSR_TSC_DEADLINE, 1);
	let_pass(100000);
	check_eq("tsc_deadline.past", irq_count[VEC_A] - a, 2);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000000);
	wrmsr(MSR_TSC_DEADLINE, 0);
	let_pass(3000000);
	check_eq("tsc_deadline.cancelled", irq_count[VEC_A] - a, 2);
	/* The counters are not for this mode. */
	apic_write(APIC_TIMER_INIT, 1000);
	check_eq("tsc_deadline.no_initial", apic_read(APIC_TIMER_CUR), 0);
	let_pass(100000);
	check_eq("tsc_deadline.no_count", irq_count[VEC_A] - a, 2);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	wrmsr(MSR_TSC_DEADLINE, 0);
}

static int nmi_depth, nmi_deepest;

static bool nmi_hook(struct frame *f)
{
	irq_count[2]++;
	nmi_depth++;
	if (nmi_depth > nmi_deepest)
		nmi_deepest = nmi_depth;
	/* Another one while this is not done: waits for IRET. */
	if (irq_count[2] == 1) {
		apic_icr(apic_id(), ICR_ASSERT | ICR_NMI);
		apic_icr(apic_id(), ICR_ASSERT | ICR_NMI);
		let_pass(10000);
	}
	nmi_depth--;
	return true;
}

/* An IRET inside the handler opens NMIs again, wherever it returns to. */
static bool nmi_iret_hook(struct frame *f)
{
	irq_count[2]++;
	nmi_depth++;
	if (nmi_depth > nmi_deepest)
		nmi_deepest = nmi_depth;
	if (irq_count[2] == 1) {
		apic_icr(apic_id(), ICR_ASSERT | ICR_NMI);
		asm volatile("mov %%ss, %%eax; mov %%rsp, %%rcx; push %%rax; push %%rcx; pushfq; mov %%cs, %%eax; push %%rax; pushq $1f; iretq; 1:"
			     : : : "rax", "rcx", "memory");
		asm volatile("nop; nop");
	}
	nmi_depth--;
	return true;
}

static void nmi(void)
{
	memset((void *)irq_count, 0, sizeof(irq_count));
	exc_set_hook(EXC_NMI, nmi_hook);
	apic_icr(apic_id(), ICR_ASSERT | ICR_NMI);
	let_pass(100000);
	/* Two that arrive while blocked are latched as one. */
	check(irq_count[2] == 2 && nmi_deepest == 1, "nmi.blocked_until_iret",
	      "count %d depth %d", irq_count[2], nmi_deepest);
	memset((void *)irq_count, 0, sizeof(irq_count));
	nmi_deepest = 0;
	exc_set_hook(EXC_NMI, nmi_iret_hook);
	cli();
	apic_icr(apic_id(), ICR_ASSERT | ICR_NMI);
	let_pass(100000);
	check(irq_count[2] == 2 && nmi_deepest == 2, "nmi.iret_unblocks",
	      "count %d depth %d", irq_count[2], nmi_deepest);
	exc_set_hook(EXC_NMI, NULL);
}

/* Where an interrupt that is pending already is taken. */
static void boundary(const char *name, struct snip s, u64 want, u64 flags)
{
	struct exec x;

	irq_last_rip = 0;
	irq_count[VEC_A] = 0;
	apic_icr(0, ICR_SELF | VEC_A);
	exec_init(&x, &s);
	x.rflags |= flags;
	exec64(&x);
	cli();
	check(x.vec == VEC_DONE && irq_last_rip == want &&
	      irq_count[VEC_A] == (want ? 1 : 0), name,
	      "%d at %s+%lx", irq_count[VEC_A], want ? "at" : "none",
	      want ? irq_last_rip - s.at : 0);
	/* Take what was left over. */
	sti_nop_cli();
}

static void boundaries(void)
{
	struct snip s;

	exc_set_hook(VEC_A, irq_hook_lapic);
	/* STI: not before the instruction behind it has run. */
	s = SNIP("", "sti; nop", "nop; cli");
	boundary("window.sti", s, s.after, 0);
	s = SNIP("", "sti; cli", "nop");
	boundary("window.sti_cli", s, 0, 0);
	/* STI with IF set already has no shadow. */
	s = SNIP("", "sti; hlt", "nop; cli");
	boundary("window.sti_hlt", s, s.after, 0);
	s = SNIP("pushfq; orq $0x200, (%rsp)", "popfq", "nop; cli");
	boundary("window.popf", s, s.after, 0);
	s = SNIP("", "nop", "cli");
	boundary("window.iretq", s, s.start, FL_IF);
	/* MOV SS: not before the instruction behind it has run. */
	s = SNIP("mov %ss, %eax; pushfq; orq $0x200, (%rsp); mov $0x10, %ecx",
		 "mov %eax, %ss; popfq", "nop; cli");
	boundary("window.mov_ss_popf", s, s.after, 0);
	s = SNIP("mov %ss, %eax; sti", "mov %eax, %ss; nop", "nop; cli");
	boundary("window.sti_mov_ss", s, s.after, 0);
	s = SNIP("", "cli", "nop");
	boundary("window.none", s, 0, 0);
	/* At CR8 with IF set: behind the MOV. */
	s = SNIP("mov $15, %eax; mov %rax, %cr8; xor %eax, %eax; sti; nop",
		 "mov %rax, %cr8", "nop; cli");
	boundary("window.cr8", s, s.after, 0);
}

void guest_main(void)
{
	pic_init();
	registers();
	apic_enable();
	/* May come when TPR is raised over an interrupt on its way. */
	exc_set_hook(SPURIOUS, irq_hook_count);
	self_ipi();
	timer();
	tsc_deadline();
	nmi();
	boundaries();
}
