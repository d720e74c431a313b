// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/tandem/: live counters and state.
 *
 *   <pid>-<n>/stats		counters of the VM and the sum over its vCPUs
 *   <pid>-<n>/audit		reading it checks all guest mappings (slow): lies found
 *   <pid>-<n>/code		translated code (BT engine): each TU, its bytes, its fault map
 *   <pid>-<n>/vcpu<id>/stats	counters of one vCPU
 *   <pid>-<n>/vcpu<id>/state	registers, and the engine's own state
 *
 * A line of stats is: name, value, then the meaning in words after '#'.
 * Reading stats takes no lock. Reading state takes vcpu->mutex, so it does not
 * answer while the vCPU runs in the guest: it says so instead of waiting.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "bt/payload_test.h"
#include "kmod/core.h"
#include "shadow_mmu/mmu.h"

static struct dentry *root;

static void print_stat(struct seq_file *m, const struct tdm_stat_desc *d, u64 val)
{
	seq_printf(m, "%-20s %llu # %s\n", d->name, val, d->text);
}

static int vcpu_stats_show(struct seq_file *m, void *unused)
{
	struct tdm_vcpu *vcpu = m->private;
	int i;

	for (i = 0; i < TDM_NR_VCPU_STATS; i++)
		print_stat(m, &tdm_vcpu_stat_desc[i], READ_ONCE(vcpu->stat[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcpu_stats);

static int vm_stats_show(struct seq_file *m, void *unused)
{
	struct tdm_vm *vm = m->private;
	struct tdm_vcpu *vcpu;
	unsigned long idx;
	u64 sum;
	int i;

	for (i = 0; i < TDM_NR_VM_STATS; i++)
		print_stat(m, &tdm_vm_stat_desc[i], atomic64_read(&vm->stat[i]));
	for (i = 0; i < TDM_NR_VCPU_STATS; i++) {
		sum = 0;
		tdm_for_each_vcpu(vm, idx, vcpu)
			sum += READ_ONCE(vcpu->stat[i]);
		print_stat(m, &tdm_vcpu_stat_desc[i], sum);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vm_stats);

static int vm_audit_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%llu\n", tdm_mmu_audit(m->private));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vm_audit);

static int vm_code_open(struct inode *inode, struct file *file)
{
	struct tdm_vm *vm = inode->i_private;
	int r;

	if (!READ_ONCE(vm->engine_ready) || !vm->ops->code)
		return -ENODEV;
	r = seq_open(file, vm->ops->code);
	if (!r)
		((struct seq_file *)file->private_data)->private = vm;
	return r;
}

static const struct file_operations vm_code_fops = {
	.owner		= THIS_MODULE,
	.open		= vm_code_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release,
};

static void print_regs(struct seq_file *m, struct tdm_vcpu *vcpu)
{
	static const char *const names[TDM_NR_GPRS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	static const char *const segs[TDM_NR_SEGS] = {
		"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr",
	};
	struct tdm_segment *s;
	int i;

	tdm_need(vcpu, TDM_ST_ALL);
	for (i = 0; i < TDM_NR_GPRS; i++)
		seq_printf(m, "%-4s %016llx%c", names[i], vcpu->regs.gpr[i],
			   i % 4 == 3 ? '\n' : ' ');
	seq_printf(m, "rip  %016llx rflags %08llx mp_state %u\n",
		   vcpu->regs.rip, vcpu->regs.rflags, vcpu->mp_state);
	for (i = 0; i < TDM_NR_SEGS; i++) {
		s = &vcpu->st.seg[i];
		seq_printf(m, "%-4s %04x base %016llx limit %08x ar %05x\n",
			   segs[i], s->selector, s->base, s->limit, s->ar);
	}
	seq_printf(m, "cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx\n",
		   vcpu->st.cr0, vcpu->st.cr2, vcpu->st.cr3, vcpu->st.cr4,
		   vcpu->st.efer);
	seq_printf(m, "gdt %llx:%x idt %llx:%x\n", vcpu->st.gdt.base,
		   vcpu->st.gdt.limit, vcpu->st.idt.base, vcpu->st.idt.limit);
}

static int vcpu_state_show(struct seq_file *m, void *unused)
{
	struct tdm_vcpu *vcpu = m->private;

	if (!mutex_trylock(&vcpu->mutex)) {
		/* Torn values do no harm: it is to see where a guest hangs. */
		seq_printf(m, "running; last exit (%u) at rip %llx rsp %llx rflags %llx cr2 %llx cr3 %llx, hardware's reason %x, qualification %llx\n",
			   READ_ONCE(vcpu->exit.kind), READ_ONCE(vcpu->regs.rip),
			   READ_ONCE(vcpu->regs.gpr[TDM_RSP]), READ_ONCE(vcpu->regs.rflags),
			   READ_ONCE(vcpu->st.cr2), READ_ONCE(vcpu->st.cr3),
			   READ_ONCE(vcpu->exit.hw_reason), READ_ONCE(vcpu->exit.hw_qual));
		return 0;
	}
	tdm_vcpu_load(vcpu);
	print_regs(m, vcpu);
	preempt_disable();
	vcpu->ops->dump(vcpu, m);
	preempt_enable();
	tdm_vcpu_unload(vcpu);
	mutex_unlock(&vcpu->mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcpu_state);

void tdm_debugfs_vm(struct tdm_vm *vm)
{
	vm->debugfs = debugfs_create_dir(vm->name, root);
	debugfs_create_file("stats", 0444, vm->debugfs, vm, &vm_stats_fops);
	debugfs_create_file("audit", 0400, vm->debugfs, vm, &vm_audit_fops);
	debugfs_create_file("code", 0400, vm->debugfs, vm, &vm_code_fops);
}

void tdm_debugfs_vcpu(struct tdm_vcpu *vcpu)
{
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	vcpu->debugfs = debugfs_create_dir(name, vcpu->vm->debugfs);
	debugfs_create_file("stats", 0444, vcpu->debugfs, vcpu, &vcpu_stats_fops);
	debugfs_create_file("state", 0400, vcpu->debugfs, vcpu, &vcpu_state_fops);
}

/* Waits for open files' operations to end: nothing reads a VM that is gone. */
void tdm_debugfs_vm_gone(struct tdm_vm *vm)
{
	debugfs_remove(vm->debugfs);
}

void tdm_debugfs_init(void)
{
	root = debugfs_create_dir("tandem", NULL);
	tdm_bt_test_init();
}

void tdm_debugfs_exit(void)
{
	tdm_bt_test_exit();
	debugfs_remove(root);
}
