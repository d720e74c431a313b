// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test builds only (make modules TDM_BT_TEST=1): runs raw code with the world
 * switch alone, no translator and no shadow MMU, and says how it ended.
 *
 * The payload may be hostile: whatever it does, the host must be unharmed and the
 * run must end, at the latest when its time is up. Never part of a module that
 * somebody uses: everyone who can open the file runs code at CPL 1.
 */
#ifdef TDM_BT_TEST
#include <asm/apic.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/nmi.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bt/payload_test.h"
#include "bt/world.h"

#define PT_MAX_PAGES	32

/*
 * struct payload - an open file
 *
 * The VM and vCPU are not registered anywhere; root is what the payload runs under.
 */
struct payload {
	struct tdm_vm *vm;
	struct tdm_vcpu *vcpu;
	u64 *root;
	u8 *code[2], *sdata[4], *udata[4];
	unsigned long pages[PT_MAX_PAGES];
	int nr_pages;
	struct task_struct *nmis;
	struct pt_run run;
};

static struct dentry *file;
static atomic64_t nmis_seen;

/* ---- the address space ---- */

static void *new_page(struct payload *p)
{
	unsigned long page = 0;

	if (p->nr_pages < PT_MAX_PAGES)
		page = get_zeroed_page(GFP_KERNEL);
	if (page)
		p->pages[p->nr_pages++] = page;
	return (void *)page;
}

static bool map(struct payload *p, u64 va, void *page, u64 flags)
{
	u64 *table = p->root, *e, next;
	int level;

	if (!page)
		return false;
	for (level = 4; level > 1; level--) {
		e = &table[va >> (3 + 9 * level) & 511];
		if (!*e) {
			next = (u64)new_page(p);
			if (!next)
				return false;
			*e = __pa(next) | _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED;
		}
		table = __va(*e & PTE_PFN_MASK);
	}
	table[va >> 12 & 511] = __pa(page) | flags | _PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_DIRTY;
	return true;
}

static bool make_space(struct payload *p)
{
	const u64 rw = _PAGE_RW | _PAGE_NX;
	bool ok = true;
	int i;

	p->root = new_page(p);
	if (!p->root)
		return false;
	for (i = 0; i < 2; i++) {
		p->code[i] = new_page(p);
		ok &= map(p, PT_CODE + i * PAGE_SIZE, p->code[i], 0);
		ok &= map(p, PT_UCODE + i * PAGE_SIZE, p->code[i], _PAGE_USER);
	}
	for (i = 0; i < 4; i++) {
		p->sdata[i] = new_page(p);
		p->udata[i] = new_page(p);
		ok &= map(p, PT_SDATA + i * PAGE_SIZE, p->sdata[i], rw);
		ok &= map(p, PT_UDATA + i * PAGE_SIZE, p->udata[i], rw | _PAGE_USER);
	}
	ok &= map(p, PT_SSTACK - PAGE_SIZE, new_page(p), rw);
	ok &= map(p, PT_USTACK - PAGE_SIZE, new_page(p), rw | _PAGE_USER);
	return ok;
}

/* ---- a vCPU that nobody knows ---- */

static int make_vcpu(struct payload *p)
{
	struct tdm_bt *b;
	int r;

	p->vm = kzalloc(sizeof(*p->vm), GFP_KERNEL);
	p->vcpu = kzalloc(sizeof(*p->vcpu), GFP_KERNEL);
	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!p->vm || !p->vcpu || !b) {
		kfree(b);
		return -ENOMEM;
	}
	p->vcpu->engine_priv = b;
	p->vcpu->vm = p->vm;
	p->vcpu->valid = TDM_ST_ALL;
	b->vcpu = p->vcpu;
	b->state = new_page(p);
	if (!b->state)
		return -ENOMEM;
	r = tdm_bt_tc_create(p->vm);
	if (r)
		return r;
	r = tdm_bt_mon_create(p->vcpu);
	if (r)
		return r;
	p->root[p->vcpu->mmu.mon_index] = p->vcpu->mmu.mon_entry;
	p->vcpu->mmu.hw_cr3 = __pa(p->root);
	return 0;
}

static void free_payload(struct payload *p)
{
	if (p->vcpu && p->vcpu->engine_priv) {
		tdm_bt_mon_destroy(p->vcpu);
		kfree(p->vcpu->engine_priv);
	}
	if (p->vm && p->vm->engine_priv)
		tdm_bt_tc_destroy(p->vm);
	while (p->nr_pages)
		free_page(p->pages[--p->nr_pages]);
	kfree(p->vcpu);
	kfree(p->vm);
	kvfree(p);
}

static int pt_open(struct inode *inode, struct file *f)
{
	struct payload *p = kvzalloc(sizeof(*p), GFP_KERNEL);
	struct tdm_why why;
	int r = tdm_bt_world_probe(&why);

	if (!p)
		return -ENOMEM;
	if (!r)
		r = make_space(p) ? make_vcpu(p) : -ENOMEM;
	if (r) {
		free_payload(p);
		return r;
	}
	f->private_data = p;
	return 0;
}

static int pt_release(struct inode *inode, struct file *f)
{
	free_payload(f->private_data);
	return 0;
}

/* ---- state ---- */

static void set_seg(struct tdm_segment *s, u16 sel, u32 ar)
{
	s->selector = sel;
	s->ar = ar;
	s->limit = ~0u;
	s->base = 0;
}

#define AR_CODE64	0xa0fb
#define AR_CODE32	0xc0fb
#define AR_DATA		0xc0f3

static void set_segments(struct payload *p)
{
	struct tdm_segment *seg = p->vcpu->st.seg;
	struct pt_run *run = &p->run;
	static const u8 data[] = { TDM_SEG_ES, TDM_SEG_DS, TDM_SEG_FS, TDM_SEG_GS };
	int i;

	set_seg(&seg[TDM_SEG_CS], run->sel[TDM_SEG_CS] ?: run->mode == PT_COMPAT3 ? 0x23 : 0x33,
		run->mode == PT_COMPAT3 ? AR_CODE32 : AR_CODE64);
	set_seg(&seg[TDM_SEG_SS], run->sel[TDM_SEG_SS] ?: 0x2b, AR_DATA);
	for (i = 0; i < ARRAY_SIZE(data); i++)
		set_seg(&seg[data[i]], run->sel[data[i]],
			run->sel[data[i]] ? AR_DATA : TDM_AR_UNUSABLE);
	seg[TDM_SEG_FS].base = run->base[0];
	seg[TDM_SEG_GS].base = run->base[1];
}

static int set_state(struct payload *p)
{
	struct tdm_vcpu *vcpu = p->vcpu;
	struct tdm_bt *b = to_bt(vcpu);
	struct pt_run *run = &p->run;
	bool user = run->mode != PT_CPL1;
	int i, r;

	for (i = 0; i < 2; i++)
		memcpy(p->code[i], run->code + i * PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < 4; i++) {
		memset(p->sdata[i], 0, PAGE_SIZE);
		memset(p->udata[i], 0, PAGE_SIZE);
	}
	set_segments(p);
	memcpy(vcpu->regs.gpr, run->gpr, sizeof(run->gpr));
	vcpu->st.cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG;
	vcpu->st.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
	vcpu->st.cr4 = ((native_read_cr4() & ~run->cr4_clear) | run->cr4_set);
	if (run->flags & PT_NO_SMAP)
		vcpu->st.cr4 &= ~X86_CR4_SMAP;
	for (i = 0; i < 4; i++)
		vcpu->st.dr[i] = run->dr[i];
	vcpu->st.dr7 = run->dr[4] | 0x400;
	b->user = user;
	b->frame.cs = TDM_BT_SEL_C64;
	b->frame.ss = TDM_BT_SEL_D1;
	if (user) {
		r = tdm_bt_user_selectors(b);
		if (r)
			return r;
	}
	b->frame.rip = run->rip;
	b->frame.rflags = run->rflags;
	b->frame.rsp = run->gpr[TDM_RSP] ?: user ? PT_USTACK : PT_SSTACK;
	run->callouts = 0;
	run->host_events = 0;
	run->ticks = 0;
	vcpu->dirty = TDM_ST_SEG_REST;
	return 0;
}

static void get_state(struct payload *p)
{
	struct tdm_vcpu *vcpu = p->vcpu;
	const struct tdm_bt_frame *f = &to_bt(vcpu)->frame;
	const struct tdm_segment *seg = vcpu->st.seg;
	struct pt_run *run = &p->run;
	int i;

	memcpy(run->gpr, vcpu->regs.gpr, sizeof(run->gpr));
	run->gpr[TDM_RSP] = f->rsp;
	run->rip = f->rip;
	run->rflags = f->rflags;
	run->vector = f->vector;
	run->error = f->error;
	run->cr2 = f->cr2;
	for (i = 0; i < 6; i++)
		run->sel[i] = seg[i].selector;
	run->sel[TDM_SEG_CS] = f->cs;
	run->sel[TDM_SEG_SS] = f->ss;
	run->base[0] = seg[TDM_SEG_FS].base;
	run->base[1] = seg[TDM_SEG_GS].base;
	memcpy(run->data, p->sdata[0], 16);
	memcpy(run->data + 2, p->udata[0], 16);
}

/* ---- running ---- */

static int on_nmi(unsigned int cmd, struct pt_regs *regs)
{
	atomic64_inc(&nmis_seen);
	return NMI_HANDLED;
}

static int nmi_thread(void *arg)
{
	int target = (long)arg;
	u32 n = 1;

	while (!kthread_should_stop()) {
		apic->send_IPI(target, NMI_VECTOR);
		n = n * 1103515245 + 12345;
		udelay(n >> 28);
		cond_resched();
	}
	return 0;
}

/* What host code in monitor state may meet: faults that the exception table fixes up. */
static void host_faults(struct tdm_bt *b)
{
	unsigned int lo, hi;
	u64 val;

	/* No such MSR (QEMU's emulator does not mind); not mapped; no user half here. */
	rdmsr_safe(0x00dead00, &lo, &hi);
	WARN_ON_ONCE(!copy_from_kernel_nofault(&val, (void *)(b->base + TDM_BT_LOOKUP), sizeof(val)));
	WARN_ON_ONCE(!copy_from_user_nofault(&val, (void __user *)PT_SDATA, sizeof(val)));
}

/* False: the run is over. */
static bool one_run(struct payload *p, unsigned long end)
{
	struct tdm_vcpu *vcpu = p->vcpu;
	struct tdm_bt *b = to_bt(vcpu);
	struct pt_run *run = &p->run;
	bool again = false, host;
	u64 t;

	tdm_bt_switch_in(b);
	if (vcpu->dirty) {
		tdm_bt_segs_in(b);
		tdm_bt_guest_changed(b);
		vcpu->dirty = 0;
	}
	/* Not each time: the guest would never get anywhere. */
	if ((run->flags & PT_NMI_SELF) && !(run->host_events & 1))
		apic->send_IPI(raw_smp_processor_id(), NMI_VECTOR);
	if (run->flags & PT_FAULTS)
		host_faults(b);
	t = rdtsc();
	tdm_bt_run(b);
	t = rdtsc() - t;
	vcpu->valid &= ~TDM_ST_SEG_REST;
	host = tdm_bt_host_event(b);
	if (host) {
		run->host_events++;
		again = !run->ms || time_before(jiffies, end);
		if (!again)
			b->frame.vector = 0xffff;
	} else if (b->frame.vector == TDM_BT_VEC_CALLOUT && run->callouts < run->repeat) {
		run->callouts++;
		/* Not the first: caches of the emulator. */
		run->ticks = t;
		again = true;
	}
	if (host || !again || (run->flags & PT_FULL)) {
		tdm_bt_switch_out(b);
		tdm_bt_hand_over(b);
	}
	return again;
}

static void run_payload(struct payload *p)
{
	unsigned long end = jiffies + msecs_to_jiffies(p->run.ms);
	bool again;

	preempt_disable();
	do {
		local_irq_disable();
		again = one_run(p, end);
		if (!to_bt(p->vcpu)->in_monitor) {
			local_irq_enable();
			if (need_resched()) {
				tdm_bt_world_unload(to_bt(p->vcpu));
				preempt_enable();
				cond_resched();
				preempt_disable();
			}
		}
	} while (again);
	local_irq_enable();
	tdm_bt_world_unload(to_bt(p->vcpu));
	preempt_enable();
}

static long pt_run(struct payload *p, void __user *arg)
{
	struct pt_run *run = &p->run;
	u64 nmis;
	int r;

	if (copy_from_user(run, arg, sizeof(*run)))
		return -EFAULT;
	r = set_state(p);
	if (r)
		return r;
	nmis = atomic64_read(&nmis_seen);
	if (run->flags & PT_NMI_OTHERS) {
		/* The caller is bound to one CPU. */
		p->nmis = kthread_create(nmi_thread, (void *)(long)raw_smp_processor_id(), "pt-nmis");
		if (IS_ERR(p->nmis))
			return PTR_ERR(p->nmis);
		kthread_bind(p->nmis, raw_smp_processor_id() ? 0 : 1);
		wake_up_process(p->nmis);
	}
	run_payload(p);
	if (run->flags & PT_NMI_OTHERS)
		kthread_stop(p->nmis);
	get_state(p);
	run->nmis = atomic64_read(&nmis_seen) - nmis;
	return copy_to_user(arg, run, sizeof(*run)) ? -EFAULT : 0;
}

static long pt_info(struct payload *p, void __user *arg)
{
	struct tdm_bt *b = to_bt(p->vcpu);
	int cpu = raw_smp_processor_id();
	struct desc_ptr idt;
	struct pt_info info = {
		.slot = b->base,
		.text = tdm_bt_text_end - tdm_bt_text,
		.cr4 = native_read_cr4(),
		.has_umip = boot_cpu_has(X86_FEATURE_UMIP),
	};
	u64 *a = info.addr;

	store_idt(&idt);
	*a++ = (u64)&pt_info;			/* module text */
	*a++ = (u64)&nmis_seen;			/* module data */
	*a++ = (u64)&panic;			/* kernel text */
	*a++ = (u64)&jiffies;			/* kernel data */
	*a++ = (u64)&info;			/* this stack */
	*a++ = (u64)b;				/* the heap */
	*a++ = (u64)b->mon;
	*a++ = (u64)b->mon->priv;		/* direct map */
	*a++ = (u64)b->mon->root;
	*a++ = (u64)current;
	*a++ = (u64)virt_to_page(b->state);	/* vmemmap */
	*a++ = idt.address;
	*a++ = (u64)get_cpu_gdt_ro(cpu);
	*a++ = (u64)get_cpu_entry_area(cpu);
	*a++ = (u64)&get_cpu_entry_area(cpu)->tss;
	*a++ = (u64)this_cpu_ptr(&cpu_tss_rw);	/* per-CPU area */
	*a++ = fix_to_virt(FIX_APIC_BASE);
	*a++ = PAGE_OFFSET;
	*a++ = VMALLOC_START;
	*a++ = (u64)p;				/* vmalloc or heap */
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long pt_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case TDM_BT_TEST_RUN:
		return pt_run(f->private_data, (void __user *)arg);
	case TDM_BT_TEST_INFO:
		return pt_info(f->private_data, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations pt_fops = {
	.owner		= THIS_MODULE,
	.open		= pt_open,
	.release	= pt_release,
	.unlocked_ioctl	= pt_ioctl,
};

void tdm_bt_test_init(void)
{
	file = debugfs_create_file("tandem-bt-test", 0600, NULL, NULL, &pt_fops);
	register_nmi_handler(NMI_LOCAL, on_nmi, 0, "tandem-bt-test");
	pr_warn("tandem: this is a test build: root can run code at CPL 1\n");
}

void tdm_bt_test_exit(void)
{
	debugfs_remove(file);
	unregister_nmi_handler(NMI_LOCAL, "tandem-bt-test");
}
#endif /* TDM_BT_TEST */
