// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCS fields by name: dump, and reports of failing accesses.
 */
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/smp.h>

#include "arch/x86/host.h"
#include "arch/x86/vmx/inv.h"
#include "arch/x86/vmx/vmcs.h"

static const struct {
	u16 encoding;
	const char *name;
} fields[] = {
#define X(name, encoding) { encoding, #name },
	TDM_VMCS_FIELDS(X)
#undef X
};

static const char *field_name(unsigned long field)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].encoding == field)
			return fields[i].name;
	return "?";
}

/* VM-instruction error; reading it can itself fail, without a current VMCS. */
static u32 insn_error(void)
{
	unsigned long val = 0;

	asm volatile("1:\tvmread %[field], %[val]\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : [val] "+r" (val)
		     : [field] "r" ((unsigned long)VMCS_INSN_ERROR) : "cc");
	return val;
}

void tdm_vmcs_read_failed(unsigned long field)
{
	if (!READ_ONCE(tdm_host_going_down))
		pr_err_ratelimited("tandem: VMREAD of %s (0x%lx) failed, error %u\n",
				   field_name(field), field, insn_error());
}

void tdm_vmcs_write_failed(unsigned long field, unsigned long val)
{
	if (!READ_ONCE(tdm_host_going_down))
		pr_err_ratelimited("tandem: VMWRITE of 0x%lx to %s (0x%lx) failed, error %u\n",
				   val, field_name(field), field, insn_error());
}

void tdm_inv_failed(const char *insn, unsigned long type, u64 context)
{
	if (!READ_ONCE(tdm_host_going_down))
		pr_err_ratelimited("tandem: %s type %lu of 0x%llx failed, error %u\n",
				   insn, type, context, insn_error());
}

/* False if this CPU has no such field. */
static bool try_read(unsigned long field, unsigned long *val)
{
	bool fail = true;

	asm volatile("1:\tvmread %[field], %[val]\n\t"
		     "setbe %[fail]\n"
		     "2:\n" _ASM_EXTABLE(1b, 2b)
		     : [val] "=r" (*val), [fail] "+qm" (fail)
		     : [field] "r" (field) : "cc");
	return !fail;
}

/**
 * tdm_vmcs_dump() - all fields of the current VMCS
 * @m: where to; NULL = the kernel log
 */
void tdm_vmcs_dump(struct seq_file *m)
{
	unsigned long val;
	int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!try_read(fields[i].encoding, &val))
			continue;
		if (m)
			seq_printf(m, "%-24s 0x%lx\n", fields[i].name, val);
		else
			pr_info("tandem:   %-24s 0x%lx\n", fields[i].name, val);
	}
}
