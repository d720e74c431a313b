// SPDX-License-Identifier: GPL-2.0-only
/*
 * labtest: a module that misbehaves on request, to see that the lab notices.
 * Only for `tools/lab/selftest`; it never loads anywhere but in an emulated
 * host.
 */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <asm/desc.h>

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "nothing, warn, bug, oops, atomic, triple, hang, tr or refuse");

/* An interrupt table without entries and an exception: the machine resets. */
static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed none = { 0, 0 };

	asm volatile("lidt %0\n\tint3" : : "m"(none));
}

/* What a VM exit does: TR.limit is left at 0x67, short of the I/O bitmap. */
static void shorten_tss(void)
{
	struct desc_struct *gdt = get_cpu_gdt_rw(smp_processor_id());
	tss_desc tss;

	memcpy(&tss, &gdt[GDT_ENTRY_TSS], sizeof(tss));
	tss.limit0 = 0x67;
	tss.limit1 = 0;
	tss.type = DESC_TSS;
	write_gdt_entry(gdt, GDT_ENTRY_TSS, &tss, DESC_TSS);
	load_direct_gdt(smp_processor_id());
	asm volatile("ltr %w0" : : "q"(GDT_ENTRY_TSS * 8));
	load_fixmap_gdt(smp_processor_id());
}

static void hang(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static int misbehave(const char *how)
{
	if (!strcmp(how, "warn")) {
		WARN(1, "labtest was asked to warn\n");
	} else if (!strcmp(how, "bug")) {
		BUG();
	} else if (!strcmp(how, "oops")) {
		WRITE_ONCE(*(int *)0x10, 1);
	} else if (!strcmp(how, "atomic")) {
		preempt_disable();
		schedule();
		preempt_enable();
	} else if (!strcmp(how, "triple")) {
		triple_fault();
	} else if (!strcmp(how, "hang")) {
		hang();
	} else if (!strcmp(how, "tr")) {
		shorten_tss();
	} else if (!strcmp(how, "refuse")) {
		return -ENODEV;
	}
	return 0;
}

/* Writing a word to /sys/module/labtest/parameters/now acts at once. */
static int now_set(const char *value, const struct kernel_param *param)
{
	char word[16];

	strscpy(word, value, sizeof(word));
	return misbehave(strim(word));
}

static const struct kernel_param_ops now_ops = { .set = now_set };
module_param_cb(now, &now_ops, NULL, 0200);

static int __init labtest_init(void)
{
	return misbehave(what);
}

static void __exit labtest_exit(void)
{
}

module_init(labtest_init);
module_exit(labtest_exit);
MODULE_DESCRIPTION("Misbehaves on request, to test the lab");
MODULE_LICENSE("GPL");
