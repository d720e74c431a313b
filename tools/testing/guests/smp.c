// SPDX-License-Identifier: GPL-2.0-only
/*
 * smp.c - application processors: INIT and SIPI, IPIs in every form, atomics
 * and a TLB shoot-down.
 *
 * SDM vol. 3, "Multiple-Processor Management". The second processor runs a
 * loop that obeys commands in memory; what it saw it leaves there.
 */
#include "irq.h"

const char guest_name[] = "smp";

#define VEC_IPI 0x61
#define VEC_AP 0x62
#define SPURIOUS 0xff

static volatile int ap_started;
static volatile int command, done, ap_ipis, ap_nmis;
static volatile u64 ap_apic_id, ap_value, ap_address;
static volatile u32 counter;

static bool ap_hook(struct frame *f)
{
	if (apic_id() != 0)
		ap_ipis++;
	else
		irq_count[f->vec]++;
	apic_write(APIC_EOI, 0);
	return true;
}

static bool nmi_hook(struct frame *f)
{
	if (apic_id() != 0)
		ap_nmis++;
	else
		irq_count[2]++;
	return true;
}

enum { CMD_NONE, CMD_COUNT, CMD_READ, CMD_FLUSH, CMD_IPI, CMD_HLT };

static void ap_main(void)
{
	int i;

	load_idt(&idt_ptr);
	apic_enable();
	ap_apic_id = apic_id();
	ap_started++;
	for (;;) {
		sti();
		while (command == CMD_NONE)
			pause();
		cli();
		switch (command) {
		case CMD_COUNT:
			for (i = 0; i < 20000; i++)
				__atomic_fetch_add(&counter, 1,
						   __ATOMIC_SEQ_CST);
			break;
		case CMD_READ:
			ap_value = *(volatile u64 *)ap_address;
			break;
		case CMD_FLUSH:
			invlpg_addr(ap_address);
			break;
		case CMD_IPI:
			apic_icr(0, ICR_ASSERT | VEC_IPI);
			break;
		case CMD_HLT:
			command = CMD_NONE;
			done = 1;
			sti_hlt();
			continue;
		}
		command = CMD_NONE;
		done = 1;
	}
}

static bool obey(int what)
{
	u64 start = rdtsc();

	done = 0;
	command = what;
	while (!done)
		if (rdtsc() - start > 2000000000)
			return false;
		else
			pause();
	return true;
}

static void wait_ticks(u64 n)
{
	u64 start = rdtsc();

	while (rdtsc() - start < n)
		pause();
}

static bool start_ap(void)
{
	ap_prepare(ap_main);
	apic_icr(0, ICR_OTHERS | ICR_INIT | ICR_ASSERT);
	wait_ticks(1000000);
	check_eq("init.waits", ap_started, 0);
	apic_icr(0, ICR_OTHERS | ICR_SIPI | ICR_ASSERT | AP_TRAMPOLINE >> 12);
	return wait_count(&ap_started, 1);
}

static void ipis(void)
{
	u32 ap = ap_apic_id;

	apic_icr(ap, ICR_ASSERT | VEC_AP);
	check(wait_count(&ap_ipis, 1), "ipi.physical", "arrives");
	apic_icr(0, ICR_OTHERS | ICR_ASSERT | VEC_AP);
	check(wait_count(&ap_ipis, 2), "ipi.others", "arrives");
	cli();
	apic_icr(0, ICR_ALL | ICR_ASSERT | VEC_AP);
	check(wait_count(&ap_ipis, 3), "ipi.all", "arrives");
	sti_nop_cli();
	check_eq("ipi.all_self", irq_count[VEC_AP], 1);
	apic_icr(ap, ICR_ASSERT | ICR_NMI);
	check(wait_count(&ap_nmis, 1), "ipi.nmi", "arrives");
	check_eq("ipi.nmi_not_here", irq_count[2], 0);
	/* From there to here. */
	sti();
	check(obey(CMD_IPI) && wait_count(&irq_count[VEC_IPI], 1),
	      "ipi.back", "arrives");
	cli();
	/* Out of HLT. */
	check(obey(CMD_HLT), "hlt.enters", "yes");
	wait_ticks(1000000);
	apic_icr(ap, ICR_ASSERT | VEC_AP);
	check(wait_count(&ap_ipis, 4), "hlt.woken", "yes");
	check(obey(CMD_READ), "hlt.goes_on", "yes");
	/* A second SIPI to a running processor does nothing. */
	apic_icr(ap, ICR_SIPI | ICR_ASSERT | AP_TRAMPOLINE >> 12);
	wait_ticks(1000000);
	check(obey(CMD_READ) && ap_started == 1, "sipi.ignored",
	      "started %d", ap_started);
}

static void memory(void)
{
	u8 *page = alloc_pages(2);
	int i;

	done = 0;
	command = CMD_COUNT;
	for (i = 0; i < 20000; i++)
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	while (!done)
		pause();
	check_eq("atomic.sum", counter, 40000);

	/* Each processor flushes its own TLB. */
	*(u64 *)page = 1;
	*(u64 *)(page + PAGE_SIZE) = 2;
	window_map(0, (u64)page, PT_P | PT_W);
	ap_address = window_addr(0);
	obey(CMD_FLUSH);
	obey(CMD_READ);
	check_eq("tlb.before", ap_value, 1);
	window_map(0, (u64)page + PAGE_SIZE, PT_P | PT_W);
	obey(CMD_FLUSH);
	obey(CMD_READ);
	check_eq("tlb.after", ap_value, 2);
}

static void again(void)
{
	u32 ap = ap_apic_id;

	/* INIT stops it wherever it is; SIPI starts it from the beginning. */
	apic_icr(ap, ICR_INIT | ICR_ASSERT);
	wait_ticks(1000000);
	done = 0;
	command = CMD_READ;
	wait_ticks(3000000);
	check_eq("init.stops", done, 0);
	command = CMD_NONE;
	apic_icr(ap, ICR_SIPI | ICR_ASSERT | AP_TRAMPOLINE >> 12);
	check(wait_count(&ap_started, 2), "sipi.again", "starts");
	check(obey(CMD_READ), "sipi.again_obeys", "yes");
}

void guest_main(void)
{
	pic_init();
	apic_enable();
	exc_set_hook(SPURIOUS, irq_hook_count);
	exc_set_hook(VEC_AP, ap_hook);
	exc_set_hook(VEC_IPI, ap_hook);
	exc_set_hook(EXC_NMI, nmi_hook);
	check_eq("bsp", rdmsr(MSR_APIC_BASE) & BIT(8), BIT(8));
	if (!start_ap()) {
		skip("smp", "no second processor answers");
		return;
	}
	check(ap_apic_id != apic_id(), "ap.id", "%lu", ap_apic_id);
	ipis();
	memory();
	again();
}
