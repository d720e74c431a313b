// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BT engine's table of operations, and what of it is not on the hot path:
 * probe, life of VMs and vCPUs, on and off the CPU, canonical state.
 *
 * Canonical state is whole after each enter() but for the segments other than CS
 * and SS: the guest's user code loads them unseen, and they stay in the CPU until
 * somebody wants them or the vCPU is unloaded.
 */
#include <asm/processor-flags.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "arch/x86/cpuid.h"
#include "bt/bt.h"
#include "bt/trace.h"
#include "uapi/tandem.h"

/* ---- the machine ---- */

static void bt_put(void)
{
}

static void bt_emergency_off(void)
{
}

static u32 bt_mmu_modes(struct tdm_why *why)
{
	snprintf(why->text, sizeof(why->text), "the BT engine runs on shadow paging");
	return BIT(TDM_MMU_MODE_SHADOW);
}

/* ---- VM, vCPU ---- */

static int bt_vm_init(struct tdm_vm *vm)
{
	return vm->mmu_mode == TDM_MMU_MODE_SHADOW ? tdm_bt_tc_create(vm) : -EOPNOTSUPP;
}

static int bt_vcpu_create(struct tdm_vcpu *vcpu)
{
	struct tdm_bt *b;
	int r;

	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	b->vcpu = vcpu;
	b->state = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!b->state) {
		r = -ENOMEM;
		goto free_bt;
	}
	b->scratch = kzalloc(sizeof(*b->scratch), GFP_KERNEL_ACCOUNT);
	if (!b->scratch) {
		r = -ENOMEM;
		goto free_state;
	}
	vcpu->engine_priv = b;
	r = tdm_bt_mon_create(vcpu);
	if (r)
		goto free_scratch;
	vcpu->dirty = TDM_ST_ALL;
	vcpu->valid = TDM_ST_ALL;
	return 0;

free_scratch:
	vcpu->engine_priv = NULL;
	kfree(b->scratch);
free_state:
	free_page((unsigned long)b->state);
free_bt:
	kfree(b);
	return r;
}

static void bt_vcpu_destroy(struct tdm_vcpu *vcpu)
{
	struct tdm_bt *b = to_bt(vcpu);

	tdm_bt_tc_vcpu_destroy(vcpu);
	tdm_bt_mon_destroy(vcpu);
	vcpu->engine_priv = NULL;
	kfree(b->scratch);
	free_page((unsigned long)b->state);
	kfree(b);
}

static void bt_load(struct tdm_vcpu *vcpu, int cpu)
{
	if (vcpu->last_cpu >= 0 && vcpu->last_cpu != cpu)
		tdm_stat(vcpu, migrations);
	vcpu->last_cpu = cpu;
}

static void bt_unload(struct tdm_vcpu *vcpu)
{
	tdm_bt_world_unload(to_bt(vcpu));
}

static void bt_prepare(struct tdm_vcpu *vcpu)
{
}

static void bt_to_host(struct tdm_vcpu *vcpu)
{
	tdm_bt_world_unload(to_bt(vcpu));
}

/* ---- canonical state ---- */

static void bt_sync_out(struct tdm_vcpu *vcpu, u32 mask)
{
	struct tdm_bt *b = to_bt(vcpu);

	if (mask & TDM_ST_SEG_REST)
		tdm_bt_segs_out(b);
	vcpu->valid |= mask;
}

/* enter() takes what is dirty; there is no other copy. */
static void bt_sync_in(struct tdm_vcpu *vcpu, u32 mask)
{
}

static void bt_leave(struct tdm_vcpu *vcpu)
{
	trace_tdm_bt_full_exit(vcpu->id);
	tdm_bt_switch_out(to_bt(vcpu));
}

static void bt_hand_over(struct tdm_vcpu *vcpu)
{
	tdm_bt_hand_over(to_bt(vcpu));
}

/* ---- events ---- */

static void bt_inject(struct tdm_vcpu *vcpu, const struct tdm_event *ev)
{
	struct tdm_bt *b = to_bt(vcpu);

	b->inject = *ev;
	b->inject_valid = true;
}

static void bt_cancel_injection(struct tdm_vcpu *vcpu)
{
	struct tdm_bt *b = to_bt(vcpu);

	if (!b->inject_valid)
		return;
	b->inject_valid = false;
	vcpu->ev.cur = b->inject;
	vcpu->ev.cur_valid = true;
}

static bool bt_irq_allowed(struct tdm_vcpu *vcpu)
{
	return (vcpu->regs.rflags & X86_EFLAGS_IF) && !vcpu->ev.int_shadow;
}

static bool bt_nmi_allowed(struct tdm_vcpu *vcpu)
{
	return !vcpu->ev.nmi_masked && !vcpu->ev.int_shadow;
}

/* ---- others ---- */

static void bt_mmu_root_changed(struct tdm_vcpu *vcpu)
{
	tdm_bt_space_flush(vcpu);
}

/* Each entry loads CR3, and no entry is global: that flushes. */
static void bt_tlb_flush(struct tdm_vcpu *vcpu)
{
}

/* Debug registers and control registers are compared at each full entry. */
static void bt_intercepts_changed(struct tdm_vcpu *vcpu)
{
}

static void bt_dump(struct tdm_vcpu *vcpu, struct seq_file *m)
{
	struct tdm_bt *b = to_bt(vcpu);
	const struct tdm_bt_frame *f = &b->frame;

	seq_printf(m, "bt slot 0x%llx root 0x%llx user %d windows 0x%x tc generation %llu\n",
		   b->base, vcpu->mmu.hw_cr3, b->user, b->windows, tdm_bt_tc_gen(vcpu->vm));
	seq_printf(m, "last exit: vector 0x%llx error 0x%llx rip 0x%llx cs 0x%llx rflags 0x%llx rsp 0x%llx ss 0x%llx cr2 0x%llx\n",
		   f->vector, f->error, f->rip, f->cs, f->rflags, f->rsp, f->ss, f->cr2);
	seq_printf(m, "resume: guest 0x%llx TC 0x%llx, guest 0x%llx TC 0x%llx, generation %llu\n",
		   b->resume_rip[0], b->resume_tc[0], b->resume_rip[1], b->resume_tc[1],
		   b->resume_gen);
}

const struct tdm_engine_ops tdm_bt_ops = {
	.name			= "bt",
	.id			= TDM_ENGINE_BT,
	.probe			= tdm_bt_world_probe,
	/* Nothing of the machine is taken: tables and MSRs are switched at each entry. */
	.get			= tdm_bt_world_probe,
	.put			= bt_put,
	.emergency_off		= bt_emergency_off,
	.vm_init		= bt_vm_init,
	.vm_destroy		= tdm_bt_tc_destroy,
	.vcpu_create		= bt_vcpu_create,
	.vcpu_destroy		= bt_vcpu_destroy,
	.load			= bt_load,
	.unload			= bt_unload,
	.sync_out		= bt_sync_out,
	.sync_in		= bt_sync_in,
	.prepare		= bt_prepare,
	.to_host		= bt_to_host,
	.enter			= tdm_bt_enter,
	.leave			= bt_leave,
	.hand_over		= bt_hand_over,
	.slow			= tdm_bt_slow,
	.inject			= bt_inject,
	.cancel_injection	= bt_cancel_injection,
	.request_window		= tdm_bt_request_window,
	.irq_allowed		= bt_irq_allowed,
	.nmi_allowed		= bt_nmi_allowed,
	.mmu_modes		= bt_mmu_modes,
	.must_emulate		= tdm_bt_must_emulate,
	.mmu_root_changed	= bt_mmu_root_changed,
	.tlb_flush		= bt_tlb_flush,
	.intercepts_changed	= bt_intercepts_changed,
	.code_written		= tdm_bt_code_written,
	.explain		= tdm_bt_explain,
	.code			= &tdm_bt_tc_seq,
	.dump			= bt_dump,
};
