// SPDX-License-Identifier: GPL-2.0-only
/*
 * x2apic.c - the local APIC by MSRs, and the ways between its modes.
 *
 * SDM vol. 3, "Extended XAPIC (x2APIC)": registers, state transitions,
 * CPUID. A guest of its own: it disables the APIC on the way.
 */
#include "irq.h"

const char guest_name[] = "x2apic";

#define VEC_A 0x51
#define SPURIOUS 0xff
#define EN BIT(11)
#define EXTD BIT(10)
#define X2(reg) (MSR_X2APIC + ((reg) >> 4))

static struct exec x;
static struct snip s;

static void rd_gp(const char *name, u32 msr)
{
	s = SNIP("", "rdmsr", "");
	exec_init(&x, &s);
	x.rcx = msr;
	exec64(&x);
	check_exc(name, &x, &s, EXC_GP, 0, s.at);
}

static void wr_gp(const char *name, u32 msr, u64 value)
{
	s = SNIP("", "wrmsr", "");
	exec_init(&x, &s);
	x.rcx = msr;
	x.rax = (u32)value;
	x.rdx = value >> 32;
	exec64(&x);
	check_exc(name, &x, &s, EXC_GP, 0, s.at);
}

static void registers(u32 id)
{
	check_eq("id", rdmsr(X2(APIC_ID)), id);
	check_eq("ldr", rdmsr(X2(APIC_LDR)),
		 (id >> 4) << 16 | 1u << (id & 15));
	wr_gp("id.read_only", X2(APIC_ID), 0);
	wr_gp("ldr.read_only", X2(APIC_LDR), 0);
	wr_gp("version.read_only", X2(APIC_VERSION), 0);
	wr_gp("ppr.read_only", X2(APIC_PPR), 0);
	wr_gp("current.read_only", X2(APIC_TIMER_CUR), 0);
	rd_gp("dfr.gone", X2(APIC_DFR));
	wr_gp("dfr.gone_write", X2(APIC_DFR), 0xffffffff);
	rd_gp("icr2.gone", X2(APIC_ICR2));
	rd_gp("eoi.write_only", X2(APIC_EOI));
	rd_gp("self_ipi.write_only", X2(APIC_SELF_IPI));
	rd_gp("reserved.801", MSR_X2APIC + 1);
	rd_gp("reserved.8ff", MSR_X2APIC + 0xff);
	wr_gp("eoi.nonzero", X2(APIC_EOI), 1);
	wr_gp("esr.nonzero", X2(APIC_ESR), 1);
	wr_gp("tpr.reserved", X2(APIC_TPR), 0x100);
	wr_gp("tpr.upper", X2(APIC_TPR), BIT(32));
	wr_gp("svr.reserved", X2(APIC_SVR), BIT(16));
	wr_gp("lvt.reserved", X2(APIC_LVT_TIMER), BIT(20));
	wr_gp("self_ipi.reserved", X2(APIC_SELF_IPI), 0x151);
	wrmsr(X2(APIC_TPR), 0x70);
	check_eq("tpr.cr8", read_cr8(), 7);
	wrmsr(X2(APIC_TPR), 0);
}

static void delivery(u32 id)
{
	exc_set_hook(VEC_A, irq_hook_lapic);
	exc_set_hook(SPURIOUS, irq_hook_count);
	apic_enable();
	wrmsr(X2(APIC_SELF_IPI), VEC_A);
	check_eq("self_ipi.pending", apic_bit(APIC_IRR, VEC_A), 1);
	sti_nop_cli();
	check_eq("self_ipi", irq_count[VEC_A], 1);
	apic_icr(0, ICR_SELF | VEC_A);
	sti_nop_cli();
	check_eq("icr.self", irq_count[VEC_A], 2);
	apic_icr(id, VEC_A);
	sti_nop_cli();
	check_eq("icr.physical", irq_count[VEC_A], 3);
	apic_icr((id >> 4) << 16 | 1u << (id & 15), ICR_LOGICAL | VEC_A);
	sti_nop_cli();
	check_eq("icr.logical", irq_count[VEC_A], 4);
	apic_icr(0xffffffff, VEC_A);
	sti_nop_cli();
	check_eq("icr.broadcast", irq_count[VEC_A], 5);
	apic_icr(id + 77, VEC_A);
	sti_nop_cli();
	check_eq("icr.nobody", irq_count[VEC_A], 5);
	apic_write(APIC_TIMER_DIV, 0xb);
	apic_write(APIC_LVT_TIMER, VEC_A);
	apic_write(APIC_TIMER_INIT, 10000);
	sti();
	check(wait_count(&irq_count[VEC_A], 6), "timer", "fires");
	cli();
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

void guest_main(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);
	u32 id;

	pic_init();
	if (!HAS_X2APIC) {
		skip("x2apic", "cpuid.1:ecx.x2apic not offered");
		return;
	}
	id = apic_id();
	wrmsr(MSR_APIC_BASE, base | EXTD);
	check_eq("mode.x2apic", rdmsr(MSR_APIC_BASE), base | EXTD);
	registers(id);
	delivery(id);
	/* There is no way straight back to xAPIC mode. */
	wr_gp("mode.back", MSR_APIC_BASE, base);
	wr_gp("mode.extd_alone", MSR_APIC_BASE, (base | EXTD) & ~EN);
	check_eq("mode.still", rdmsr(MSR_APIC_BASE), base | EXTD);
	/* Off: CPUID.APIC goes, the registers are no more. */
	wrmsr(MSR_APIC_BASE, base & ~(EN | EXTD));
	check_eq("mode.off", rdmsr(MSR_APIC_BASE), base & ~(EN | EXTD));
	check_eq("mode.off_cpuid", cpu_has(1, 0, R_EDX, 9), 0);
	rd_gp("mode.off_rdmsr", X2(APIC_ID));
	wr_gp("mode.off_to_x2apic", MSR_APIC_BASE, base | EXTD);
	/* And on again, fresh from reset. */
	wrmsr(MSR_APIC_BASE, base);
	check_eq("mode.on", rdmsr(MSR_APIC_BASE), base);
	check_eq("mode.on_cpuid", cpu_has(1, 0, R_EDX, 9), 1);
	check_eq("mode.on_svr", apic_read(APIC_SVR), 0xff);
	check_eq("mode.on_lvt", apic_read(APIC_LVT_TIMER), LVT_MASKED);
	check_eq("mode.on_id", apic_id(), id);
}
