// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host CPU's own state around guests. See host.h for the parts.
 *
 * Must not know an engine: engines hand in what to switch on (tdm_host_hw) and
 * the values they want. Beware of contexts: on()/off() run with interrupts off
 * in IPIs, off() even in NMIs; the user-return callback runs with interrupts
 * off on the way to userspace.
 */
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>
#include <linux/cpu.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <linux/user-return-notifier.h>

#include "arch/x86/compat.h"
#include "arch/x86/host.h"

/*
 * A vCPU thread can still be scheduled on a CPU that is going down until the
 * scheduler has emptied it, which is after every state a module can get
 * dynamically. This one runs on the dying CPU, interrupts off, after its last
 * task; x86 does not use it otherwise.
 */
#define TDM_CPUHP_DYING		CPUHP_AP_ARM_TWD_STARTING

static DEFINE_MUTEX(hw_mutex);
static const struct tdm_host_hw *hw_now;	/* hw_mutex + cpus_read_lock to write */
static unsigned int hw_users;			/* hw_mutex */
static DEFINE_PER_CPU(bool, hw_on);		/* own CPU, interrupts off */
static enum cpuhp_state cpuhp_online;
bool tdm_host_going_down;

/**
 * struct host_msrs - a CPU's syscall MSRs
 * @urn: puts the host's values back before this CPU returns to userspace
 * @registered: @urn is
 * @host: the host's values, read when the hardware was switched on
 * @now: what the MSRs hold
 */
struct host_msrs {
	struct user_return_notifier urn;
	bool registered;
	u64 host[TDM_NR_HOST_MSRS];
	u64 now[TDM_NR_HOST_MSRS];
};

static DEFINE_PER_CPU(struct host_msrs, host_msrs);

static const u32 host_msr_index[TDM_NR_HOST_MSRS] = {
	[TDM_HOST_STAR]		= MSR_STAR,
	[TDM_HOST_LSTAR]	= MSR_LSTAR,
	[TDM_HOST_SFMASK]	= MSR_SYSCALL_MASK,
	[TDM_HOST_TSC_AUX]	= MSR_TSC_AUX,
};

/* ---- user-return MSRs ---- */

static void host_msrs_read(void)
{
	struct host_msrs *hm = this_cpu_ptr(&host_msrs);
	int i;

	for (i = 0; i < TDM_NR_HOST_MSRS; i++) {
		/* TSC_AUX is not on every CPU; then no guest gets it either. */
		if (rdmsrl_safe(host_msr_index[i], &hm->host[i]))
			hm->host[i] = 0;
		hm->now[i] = hm->host[i];
	}
}

/* Interrupts off. */
static void host_msrs_restore(struct host_msrs *hm)
{
	int i;

	if (!hm->registered)
		return;
	hm->registered = false;
	user_return_notifier_unregister(&hm->urn);
	for (i = 0; i < TDM_NR_HOST_MSRS; i++) {
		if (hm->now[i] == hm->host[i])
			continue;
		wrmsrl(host_msr_index[i], hm->host[i]);
		hm->now[i] = hm->host[i];
	}
}

static void on_user_return(struct user_return_notifier *urn)
{
	unsigned long flags;

	/* Also called from switching off by IPI, against this very list. */
	local_irq_save(flags);
	host_msrs_restore(container_of(urn, struct host_msrs, urn));
	local_irq_restore(flags);
}

/**
 * tdm_host_msr_set() - load a guest's value until this CPU returns to userspace
 * @idx: which MSR
 * @val: the guest's value; must have passed the guest's own checks (canonical)
 *
 * Preemption off. Cheap when the MSR has that value already.
 */
void tdm_host_msr_set(enum tdm_host_msr idx, u64 val)
{
	struct host_msrs *hm = this_cpu_ptr(&host_msrs);
	unsigned long flags;

	if (likely(hm->now[idx] == val))
		return;
	local_irq_save(flags);
	if (!wrmsrl_safe(host_msr_index[idx], val)) {
		hm->now[idx] = val;
		if (!hm->registered) {
			hm->urn.on_user_return = on_user_return;
			user_return_notifier_register(&hm->urn);
			hm->registered = true;
		}
	}
	local_irq_restore(flags);
}

/* ---- CR4.VMXE ---- */

/** tdm_host_vmxe() - is VMX enabled on this CPU, by anyone? */
bool tdm_host_vmxe(void)
{
	return native_read_cr4() & X86_CR4_VMXE;
}

/** tdm_host_set_vmxe() - CR4.VMXE of this CPU, interrupts off */
void tdm_host_set_vmxe(bool on)
{
	if (on)
		cr4_set_bits(X86_CR4_VMXE);
	else
		cr4_clear_bits(X86_CR4_VMXE);
}

/* ---- hardware on and off ---- */

static int hw_on_here(struct tdm_why *why)
{
	int r;

	if (__this_cpu_read(hw_on))
		return 0;
	r = hw_now->on(why);
	if (r)
		return r;
	host_msrs_read();
	__this_cpu_write(hw_on, true);
	return 0;
}

static void hw_off_here(void *unused)
{
	if (!__this_cpu_read(hw_on))
		return;
	host_msrs_restore(this_cpu_ptr(&host_msrs));
	hw_now->off();
	__this_cpu_write(hw_on, false);
}

/* The first CPU that fails leaves its reason. */
struct on_ctx {
	atomic_t error;
	struct tdm_why *why;
};

static void hw_on_ipi(void *arg)
{
	struct on_ctx *ctx = arg;
	struct tdm_why why = { };
	int r = hw_on_here(&why);

	if (r && !atomic_cmpxchg(&ctx->error, 0, r))
		*ctx->why = why;
}

static void emergency_callback(void)
{
	tdm_host_hw_emergency_off();
}

/* hw_mutex. One callback for the whole kernel: see compat.h. */
static bool emergency_registered;

static void emergency_register(void)
{
	if (emergency_registered)
		return;
	cpu_emergency_register_virt_callback(emergency_callback);
	emergency_registered = true;
}

static void emergency_unregister(void)
{
	if (!emergency_registered)
		return;
	cpu_emergency_unregister_virt_callback(emergency_callback);
	emergency_registered = false;
}

static int hw_on_everywhere(const struct tdm_host_hw *hw, struct tdm_why *why)
{
	struct on_ctx ctx = { .error = ATOMIC_INIT(0), .why = why };
	int r;

	cpus_read_lock();
	hw_now = hw;
	on_each_cpu(hw_on_ipi, &ctx, 1);
	r = atomic_read(&ctx.error);
	if (r) {
		on_each_cpu(hw_off_here, NULL, 1);
		hw_now = NULL;
	}
	cpus_read_unlock();
	return r;
}

/**
 * tdm_host_hw_get() - one more user of the hardware; the first switches it on
 * @hw: what to switch on
 * @why: filled on failure
 *
 * Process context. All CPUs or none.
 *
 * Return: 0; -EBUSY if something else holds it; what @hw->on returned.
 */
int tdm_host_hw_get(const struct tdm_host_hw *hw, struct tdm_why *why)
{
	int r = 0;

	mutex_lock(&hw_mutex);
	if (tdm_host_going_down) {
		snprintf(why->text, sizeof(why->text), "the machine is shutting down");
		r = -EBUSY;
	} else if (hw_now && hw_now != hw) {
		snprintf(why->text, sizeof(why->text), "another engine holds the hardware: end its VMs first");
		r = -EBUSY;
	} else if (!hw_users) {
		r = hw_on_everywhere(hw, why);
		if (!r && !tdm_kvm_is_loaded())
			emergency_register();
	}
	if (!r)
		hw_users++;
	mutex_unlock(&hw_mutex);
	return r;
}

/** tdm_host_hw_put() - one user less; the last switches it off everywhere */
void tdm_host_hw_put(const struct tdm_host_hw *hw)
{
	mutex_lock(&hw_mutex);
	if (!WARN_ON_ONCE(!hw_users || hw_now != hw) && !--hw_users) {
		emergency_unregister();
		cpus_read_lock();
		on_each_cpu(hw_off_here, NULL, 1);
		hw_now = NULL;
		cpus_read_unlock();
	}
	mutex_unlock(&hw_mutex);
}

/**
 * tdm_host_hw_look() - look at every CPU unless we have @hw on ourselves
 * @hw: the hardware
 * @look: called on each online CPU, interrupts off
 * @arg: for @look
 *
 * Waits for a get or put in progress: on half of the CPUs the hardware is
 * ours then, and would look like somebody else's.
 *
 * Return: false if @hw is on, by us, and nobody was asked.
 */
bool tdm_host_hw_look(const struct tdm_host_hw *hw, smp_call_func_t look, void *arg)
{
	bool ours;

	mutex_lock(&hw_mutex);
	ours = hw_now == hw;
	if (!ours)
		on_each_cpu(look, arg, 1);
	mutex_unlock(&hw_mutex);
	return !ours;
}

/** tdm_host_hw_emergency_off() - crash path: this CPU, any context */
void tdm_host_hw_emergency_off(void)
{
	if (!__this_cpu_read(hw_on))
		return;
	WRITE_ONCE(tdm_host_going_down, true);
	hw_now->off();
	__this_cpu_write(hw_on, false);
}

/* ---- CPU hotplug, suspend, reboot ---- */

/*
 * hw_now is stable here: hw_on_everywhere() holds cpus_read_lock, hotplug the
 * write side.
 */
static int cpu_online_cb(unsigned int cpu)
{
	struct tdm_why why = { };
	int r = 0;

	local_irq_disable();
	if (hw_now && !tdm_host_going_down)
		r = hw_on_here(&why);
	local_irq_enable();
	if (r)
		pr_err("tandem: CPU %u cannot come online while VMs run: %s\n", cpu, why.text);
	return r;
}

static int cpu_dying_cb(unsigned int cpu)
{
	hw_off_here(NULL);
	return 0;
}

/* One CPU, interrupts off; the others went through cpu_dying_cb(). */
static int suspend_cb(void)
{
	hw_off_here(NULL);
	return 0;
}

static void resume_cb(void)
{
	struct tdm_why why = { };

	if (hw_now && hw_on_here(&why))
		pr_err("tandem: virtualisation did not come back after suspend: %s\n", why.text);
}

/* The firmware, or the next kernel, must find every CPU as it left it. */
static void shutdown_cb(void)
{
	WRITE_ONCE(tdm_host_going_down, true);
	on_each_cpu(hw_off_here, NULL, 1);
}

static struct syscore_ops syscore = {
	.suspend	= suspend_cb,
	.resume		= resume_cb,
	.shutdown	= shutdown_cb,
};

/* kexec of older kernels does not call syscore's shutdown. */
static int reboot_cb(struct notifier_block *nb, unsigned long action, void *data)
{
	shutdown_cb();
	return NOTIFY_OK;
}

static struct notifier_block reboot_nb = { .notifier_call = reboot_cb };

/*
 * kvm_intel registers an emergency callback of its own, in 6.12 even before it
 * finds out that we hold the hardware: make room while it is there.
 */
static int module_cb(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;

	if (strcmp(mod->name, "kvm_intel"))
		return NOTIFY_OK;
	mutex_lock(&hw_mutex);
	if (action == MODULE_STATE_COMING)
		emergency_unregister();
	else if (action == MODULE_STATE_GOING && hw_users)
		emergency_register();
	mutex_unlock(&hw_mutex);
	return NOTIFY_OK;
}

static struct notifier_block module_nb = { .notifier_call = module_cb };

static void l1d_flush_init(void);

int tdm_host_init(void)
{
	int r;

	l1d_flush_init();
	r = cpuhp_setup_state_nocalls(TDM_CPUHP_DYING, "tandem:dying", NULL, cpu_dying_cb);
	if (r)
		return r;
	r = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "tandem:online", cpu_online_cb, NULL);
	if (r < 0)
		goto remove_dying;
	cpuhp_online = r;
	r = register_module_notifier(&module_nb);
	if (r)
		goto remove_online;
	r = register_reboot_notifier(&reboot_nb);
	if (r)
		goto unregister_module;
	register_syscore_ops(&syscore);
	return 0;

unregister_module:
	unregister_module_notifier(&module_nb);
remove_online:
	cpuhp_remove_state_nocalls(cpuhp_online);
remove_dying:
	cpuhp_remove_state_nocalls(TDM_CPUHP_DYING);
	return r;
}

void tdm_host_exit(void)
{
	unregister_syscore_ops(&syscore);
	unregister_reboot_notifier(&reboot_nb);
	unregister_module_notifier(&module_nb);
	cpuhp_remove_state_nocalls(cpuhp_online);
	cpuhp_remove_state_nocalls(TDM_CPUHP_DYING);
}

/* ---- segments, limits ---- */

/**
 * tdm_host_segs_save() - before the guest: what VM exits do not bring back
 * @hs: filled
 * @guest_kernel_gs_base: goes into the MSR
 *
 * Preemption off, current is the vCPU's thread.
 */
void tdm_host_segs_save(struct tdm_host_segs *hs, u64 guest_kernel_gs_base)
{
	savesegment(fs, hs->fs_sel);
	savesegment(gs, hs->gs_sel);
	/* Not current->thread's: with FSGSBASE userspace writes them itself. */
	rdmsrl(MSR_FS_BASE, hs->fs_base);
	rdmsrl(MSR_KERNEL_GS_BASE, hs->gs_base);
	savesegment(ds, hs->ds_sel);
	savesegment(es, hs->es_sel);
	store_ldt(hs->ldt_sel);
	tdm_host_set_kernel_gs_base(guest_kernel_gs_base);
	hs->loaded = true;
}

/*
 * A VM exit leaves TR.limit = 0x67 and GDTR.limit = IDTR.limit = 0xffff (SDM
 * vol. 3, 27.5.2); iopl() and ioperm() users need the real TSS limit, and
 * nobody should be able to load selectors beyond the GDT.
 */
static void restore_limits(void)
{
	struct desc_ptr idt;

	invalidate_tss_limit();
	load_fixmap_gdt(raw_smp_processor_id());
	store_idt(&idt);
	idt.size = IDT_ENTRIES * sizeof(gate_desc) - 1;
	load_idt(&idt);
}

/**
 * tdm_host_segs_restore() - after the guest, before anything else of the host
 * @hs: what tdm_host_segs_save() filled. As after a VM exit: the kernel's own GS
 *      base is back, DS, ES, FS, GS are null; the caller puts @hs->fs_base back
 *
 * Preemption off, current is still the vCPU's thread.
 *
 * Return: the guest's KERNEL_GS_BASE.
 */
u64 tdm_host_segs_restore(struct tdm_host_segs *hs)
{
	u64 guest_kernel_gs_base;

	rdmsrl(MSR_KERNEL_GS_BASE, guest_kernel_gs_base);
	hs->loaded = false;
	if (unlikely(hs->ldt_sel))
		asm volatile("lldt %0" : : "rm" (hs->ldt_sel));
	if (unlikely(hs->gs_sel & 7))
		load_gs_index(hs->gs_sel);
	if (unlikely(hs->fs_sel & 7))
		loadsegment(fs, hs->fs_sel);
	if (unlikely(hs->ds_sel | hs->es_sel)) {
		loadsegment(ds, hs->ds_sel);
		loadsegment(es, hs->es_sel);
	}
	/* After load_gs_index(), which writes it too. */
	wrmsrl(MSR_KERNEL_GS_BASE, hs->gs_base);
	restore_limits();
	/* The predictors may hold the guest's branches when userspace runs next. */
	this_cpu_write(x86_ibpb_exit_to_user, true);
	return guest_kernel_gs_base;
}

/** tdm_host_kernel_gs_base() - the guest's, while it is loaded; preemption off */
u64 tdm_host_kernel_gs_base(void)
{
	u64 val;

	rdmsrl(MSR_KERNEL_GS_BASE, val);
	return val;
}

void tdm_host_set_kernel_gs_base(u64 val)
{
	/* Fails only for a value no guest could have: not canonical. */
	wrmsrl_safe(MSR_KERNEL_GS_BASE, val);
}

/* ---- debug registers ---- */

/** tdm_host_debug_load() - a guest's DR0-3; DR7 is the engine's */
void tdm_host_debug_load(const u64 dr[4])
{
	set_debugreg(dr[0], 0);
	set_debugreg(dr[1], 1);
	set_debugreg(dr[2], 2);
	set_debugreg(dr[3], 3);
}

/** tdm_host_debug_load_dr6() - a guest's DR6; tdm_host_debug_save() must follow */
void tdm_host_debug_load_dr6(u64 dr6)
{
	set_debugreg(dr6, 6);
}

/** tdm_host_debug_save() - the opposite; the host's breakpoints are not restored here */
void tdm_host_debug_save(u64 dr[4], u64 *dr6)
{
	unsigned long val;

	get_debugreg(val, 0);
	dr[0] = val;
	get_debugreg(val, 1);
	dr[1] = val;
	get_debugreg(val, 2);
	dr[2] = val;
	get_debugreg(val, 3);
	dr[3] = val;
	get_debugreg(val, 6);
	*dr6 = val;
	/* The host's #DB handler takes sticky bits for its own. */
	set_debugreg(DR6_RESERVED, 6);
}

/* ---- L1 terminal fault ---- */

static bool l1d_flush;		/* constant after tdm_host_init() */

static void l1d_flush_init(void)
{
	u64 caps = 0;

	if (!boot_cpu_has_bug(X86_BUG_L1TF) || l1tf_mitigation == L1TF_MITIGATION_OFF)
		return;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl_safe(MSR_IA32_ARCH_CAPABILITIES, &caps);
	if (caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH)
		return;
	l1d_flush = boot_cpu_has(X86_FEATURE_FLUSH_L1D);
	if (!l1d_flush)
		pr_warn("tandem: this CPU has the L1TF bug and no way to flush its L1 cache: update its microcode, or run only trusted guests\n");
}

/**
 * tdm_host_l1d_flush() - before entering a guest after host code ran freely
 *
 * A guest may read what is in the L1 data cache on CPUs with the L1TF bug.
 */
void tdm_host_l1d_flush(void)
{
	if (unlikely(l1d_flush))
		wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

/* ---- NMI, machine check ---- */

/**
 * tdm_host_nmi() - run the host's NMI handler for an NMI that ended the guest
 *
 * Interrupts off; NMIs are still blocked and the handler's IRET unblocks them,
 * so no other IRET may happen between the exit and this call.
 *
 * INT 2, not a call: the handler's entry code wants its IST stack.
 */
void tdm_host_nmi(void)
{
	asm volatile("int $2");
}
NOKPROBE_SYMBOL(tdm_host_nmi);

/**
 * tdm_host_machine_check() - hand over a machine check that hit in the guest
 *
 * Interrupts off. The faked frame says "user mode": the host can survive the
 * loss of a guest's page, as it can of a process's.
 */
void tdm_host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}
