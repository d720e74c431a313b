// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMXON and VMXOFF, and which VMCSs a CPU's processor holds.
 *
 * host.c decides when (first and last VM, CPU hotplug, suspend, reboot,
 * crash); this file knows how. Before VMXOFF every VMCS the CPU may cache is
 * VMCLEARed, or its last changes would be lost or written to memory that is no
 * longer ours.
 *
 * The list of loaded VMCSs is touched only by its own CPU with interrupts off;
 * other CPUs ask by IPI. A crash may interrupt a list operation: tdm_vmx_off()
 * then walks a list whose links are consistent at every step (list_add and
 * list_del of one entry), which is enough.
 */
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "arch/x86/host.h"
#include "arch/x86/vmx/caps.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/inv.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmxon.h"

/**
 * struct vmx_cpu - a CPU in VMX operation
 * @region: its VMXON region; allocated for every possible CPU while VMs exist
 * @current_vmcs: the one VMREAD and VMWRITE act on, NULL = none
 * @loaded: VMCSs this processor may cache
 */
struct vmx_cpu {
	void *region;
	struct tdm_vmcs *current_vmcs;
	struct list_head loaded;
};

static DEFINE_PER_CPU(struct vmx_cpu, vmx_cpu);

/* ---- instructions ---- */

static bool insn_vmxon(u64 phys)
{
	asm goto("1:\tvmxon %[phys]\n\t"
		 "jbe %l[fail]\n"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [phys] "m" (phys) : "cc", "memory" : fail);
	return true;
fail:
	return false;
}

static void insn_vmxoff(void)
{
	/* Faults only when VMX is off already: nothing to do then. */
	asm volatile("1:\tvmxoff\n2:\n" _ASM_EXTABLE(1b, 2b) : : : "cc", "memory");
}

static bool insn_vmclear(u64 phys)
{
	asm goto("1:\tvmclear %[phys]\n\t"
		 "jbe %l[fail]\n"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [phys] "m" (phys) : "cc", "memory" : fail);
	return true;
fail:
	return false;
}

static bool insn_vmptrld(u64 phys)
{
	asm goto("1:\tvmptrld %[phys]\n\t"
		 "jbe %l[fail]\n"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [phys] "m" (phys) : "cc", "memory" : fail);
	return true;
fail:
	return false;
}

/* Said once, and not at all when a reboot took VMX away. */
static void insn_failed(const char *insn, u64 phys)
{
	if (!READ_ONCE(tdm_host_going_down))
		pr_err_once("tandem: %s failed for VMCS 0x%llx on CPU %d\n",
			    insn, phys, raw_smp_processor_id());
}

/* ---- VMX on and off, this CPU ---- */

static int vmx_on(struct tdm_why *why)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpu);
	int r = tdm_vmx_cpu_usable(why);

	if (r)
		return r;
	if (!tdm_vmx_cpu_matches()) {
		snprintf(why->text, sizeof(why->text),
			 "CPU %d has other VMX capabilities than the first one: take it offline, or use the bt engine",
			 smp_processor_id());
		return -ENODEV;
	}
	intel_pt_handle_vmx(1);
	tdm_host_set_vmxe(true);
	if (!insn_vmxon(virt_to_phys(vc->region))) {
		tdm_host_set_vmxe(false);
		intel_pt_handle_vmx(0);
		snprintf(why->text, sizeof(why->text),
			 "VMXON failed on CPU %d although firmware allows it: is another hypervisor in the way?",
			 smp_processor_id());
		return -EBUSY;
	}
	INIT_LIST_HEAD(&vc->loaded);
	vc->current_vmcs = NULL;
	/* Whoever had VMX before us may have left translations behind. */
	if (tdm_vmx_caps.ept_vpid & EPTCAP_INVEPT_ALL)
		tdm_invept(INV_ALL, 0);
	if (tdm_vmx_caps.ept_vpid & EPTCAP_INVVPID_ALL)
		tdm_invvpid(INV_ALL, 0);
	return 0;
}

/* Interrupts off. Its memory is up to date afterwards, any CPU may load it. */
static void clear_here(struct vmx_cpu *vc, struct tdm_vmcs *vmcs)
{
	if (!insn_vmclear(vmcs->phys))
		insn_failed("VMCLEAR", vmcs->phys);
	if (vc->current_vmcs == vmcs)
		vc->current_vmcs = NULL;
	vmcs->launched = 0;
	list_del(&vmcs->link);
	/* Pairs with smp_load_acquire() in tdm_vmcs_load(): all of it, then free for others. */
	smp_store_release(&vmcs->cpu, -1);
}

static void vmx_off(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpu);
	struct tdm_vmcs *vmcs, *next;

	list_for_each_entry_safe(vmcs, next, &vc->loaded, link)
		clear_here(vc, vmcs);
	insn_vmxoff();
	tdm_host_set_vmxe(false);
	intel_pt_handle_vmx(0);
}

const struct tdm_host_hw tdm_vmx_hw = {
	.on	= vmx_on,
	.off	= vmx_off,
};

/* ---- on demand ---- */

static DEFINE_MUTEX(regions_mutex);	/* regions, users */
static unsigned int users;

static void regions_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(vmx_cpu, cpu).region);
		per_cpu(vmx_cpu, cpu).region = NULL;
	}
}

static int regions_alloc(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

		if (!page) {
			regions_free();
			return -ENOMEM;
		}
		per_cpu(vmx_cpu, cpu).region = page_address(page);
		*(u32 *)page_address(page) = tdm_vmx_caps.basic & BASIC_REVISION_MASK;
	}
	return 0;
}

/** tdm_vmx_get() - tdm_engine_ops.get: VMXON on every CPU with the first VM */
int tdm_vmx_get(struct tdm_why *why)
{
	int r;

	r = tdm_vmx_probe(why);
	if (r)
		return r;
	mutex_lock(&regions_mutex);
	if (!users) {
		r = regions_alloc();
		if (r) {
			snprintf(why->text, sizeof(why->text), "no memory for the VMXON regions");
			goto unlock;
		}
	}
	r = tdm_host_hw_get(&tdm_vmx_hw, why);
	if (!r)
		users++;
	else if (!users)
		regions_free();
unlock:
	mutex_unlock(&regions_mutex);
	return r;
}

/** tdm_vmx_put() - tdm_engine_ops.put: VMXOFF on every CPU with the last VM */
void tdm_vmx_put(void)
{
	mutex_lock(&regions_mutex);
	tdm_host_hw_put(&tdm_vmx_hw);
	if (!--users)
		regions_free();
	mutex_unlock(&regions_mutex);
}

/* ---- VMCS regions ---- */

/**
 * tdm_vmcs_alloc() - a VMCS region, loaded nowhere
 * @vmcs: zeroed
 *
 * Return: 0 or -ENOMEM.
 */
int tdm_vmcs_alloc(struct tdm_vmcs *vmcs)
{
	vmcs->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmcs->page)
		return -ENOMEM;
	*(u32 *)vmcs->page = tdm_vmx_caps.basic & BASIC_REVISION_MASK;
	vmcs->phys = virt_to_phys(vmcs->page);
	vmcs->cpu = -1;
	/* A region must be VMCLEARed before its first VMPTRLD; load does it. */
	return 0;
}

static void clear_ipi(void *arg)
{
	struct tdm_vmcs *vmcs = arg;

	if (vmcs->cpu == raw_smp_processor_id())
		clear_here(this_cpu_ptr(&vmx_cpu), vmcs);
}

/**
 * tdm_vmcs_clear() - take a VMCS off whatever CPU holds it
 * @vmcs: not in use by a running vCPU
 *
 * Preemption on or off, interrupts on.
 */
void tdm_vmcs_clear(struct tdm_vmcs *vmcs)
{
	int cpu = READ_ONCE(vmcs->cpu);

	/* If that CPU went offline, it cleared the VMCS on its way. */
	if (cpu >= 0)
		smp_call_function_single(cpu, clear_ipi, vmcs, 1);
}

void tdm_vmcs_free(struct tdm_vmcs *vmcs)
{
	tdm_vmcs_clear(vmcs);
	free_page((unsigned long)vmcs->page);
	vmcs->page = NULL;
}

/**
 * tdm_vmcs_load() - make a VMCS this CPU's current one
 * @vmcs: from tdm_vmcs_alloc()
 *
 * Preemption off, interrupts on (it may wait for the CPU that had it).
 *
 * Return: true if it was loaded on no or another CPU before: the host state
 * in it is stale.
 */
bool tdm_vmcs_load(struct tdm_vmcs *vmcs)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpu);
	unsigned long flags;
	bool moved;

	/* Pairs with smp_store_release() in clear_here(). */
	moved = smp_load_acquire(&vmcs->cpu) != smp_processor_id();
	if (moved)
		tdm_vmcs_clear(vmcs);
	local_irq_save(flags);
	/* Not in VMX operation: only while rebooting, when entry fails cleanly. */
	if (unlikely(READ_ONCE(tdm_host_going_down)))
		goto restore;
	if (moved) {
		if (!insn_vmclear(vmcs->phys))
			insn_failed("VMCLEAR", vmcs->phys);
		vmcs->launched = 0;
		list_add(&vmcs->link, &vc->loaded);
		vmcs->cpu = smp_processor_id();
	}
	if (vc->current_vmcs != vmcs) {
		if (!insn_vmptrld(vmcs->phys))
			insn_failed("VMPTRLD", vmcs->phys);
		vc->current_vmcs = vmcs;
	}
restore:
	local_irq_restore(flags);
	return moved;
}
