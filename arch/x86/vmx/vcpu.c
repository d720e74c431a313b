// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a vCPU in the engine, and on and off the CPU.
 *
 * Two levels: load/unload bring the VMCS to the CPU; prepare/to_host switch
 * the host state that only userspace (or another thread) misses, so that it
 * stays switched over many exits.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/vmx/inv.h"
#include "arch/x86/vmx/vmx.h"

/* ---- VPIDs ---- */

#define NR_VPIDS	65536

/* Bit 0 is the host's own. Reused ones are flushed when first loaded on a CPU. */
static DECLARE_BITMAP(vpids, NR_VPIDS);
static DEFINE_SPINLOCK(vpids_lock);

/* 0 when none is left: the vCPU then runs without VPID. */
static u16 vpid_alloc(void)
{
	unsigned long vpid;

	spin_lock(&vpids_lock);
	vpid = find_next_zero_bit(vpids, NR_VPIDS, 1);
	if (vpid < NR_VPIDS)
		__set_bit(vpid, vpids);
	else
		vpid = 0;
	spin_unlock(&vpids_lock);
	return vpid;
}

static void vpid_free(u16 vpid)
{
	if (!vpid)
		return;
	spin_lock(&vpids_lock);
	__clear_bit(vpid, vpids);
	spin_unlock(&vpids_lock);
}

/* ---- VM ---- */

/** tdm_vmx_vm_init() - tdm_engine_ops.vm_init: nothing is per VM but the mode */
int tdm_vmx_vm_init(struct tdm_vm *vm)
{
	return tdm_vmx_caps.mmu_modes & BIT(vm->mmu_mode) ? 0 : -EOPNOTSUPP;
}

void tdm_vmx_vm_destroy(struct tdm_vm *vm)
{
}

/* ---- vCPU ---- */

/** tdm_vmx_vcpu_create() - tdm_engine_ops.vcpu_create */
int tdm_vmx_vcpu_create(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v;
	int r;

	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return -ENOMEM;
	v->msr_bitmap = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!v->msr_bitmap) {
		r = -ENOMEM;
		goto free_vmx;
	}
	memset(v->msr_bitmap, 0xff, PAGE_SIZE);
	r = tdm_vmcs_alloc(&v->vmcs);
	if (r)
		goto free_bitmap;
	r = tdm_vmx_efer_create(v);
	if (r)
		goto free_vmcs;
	v->shadow = vcpu->vm->mmu_mode == TDM_MMU_MODE_SHADOW;
	/* The tables change with each CR3: untagged, every entry and exit flushes. */
	if (!v->shadow)
		v->vpid = vpid_alloc();
	vcpu->engine_priv = v;
	vcpu->dirty = TDM_ST_ALL;
	vcpu->valid = TDM_ST_ALL;
	return 0;

free_vmcs:
	tdm_vmcs_free(&v->vmcs);
free_bitmap:
	free_page((unsigned long)v->msr_bitmap);
free_vmx:
	kfree(v);
	return r;
}

/** tdm_vmx_vcpu_destroy() - tdm_engine_ops.vcpu_destroy */
void tdm_vmx_vcpu_destroy(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	tdm_vmcs_free(&v->vmcs);
	vpid_free(v->vpid);
	tdm_vmx_efer_destroy(v);
	free_page((unsigned long)v->msr_bitmap);
	kfree(v);
	vcpu->engine_priv = NULL;
}

/** tdm_vmx_load() - tdm_engine_ops.load */
void tdm_vmx_load(struct tdm_vcpu *vcpu, int cpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	if (tdm_vmcs_load(&v->vmcs)) {
		v->before |= BEFORE_MOVED | BEFORE_FLUSH;
		if (vcpu->last_cpu >= 0)
			tdm_stat(vcpu, migrations);
	}
	vcpu->last_cpu = cpu;
	v->before |= BEFORE_FRESH;
	if (!v->initialised) {
		tdm_vmx_host_init();
		tdm_vmx_ctrl_init(vcpu);
		tdm_vmx_intercepts_changed(vcpu);
		v->initialised = true;
	}
}

/** tdm_vmx_unload() - tdm_engine_ops.unload: the VMCS stays cached here */
void tdm_vmx_unload(struct tdm_vcpu *vcpu)
{
	tdm_vmx_to_host(vcpu);
}

/**
 * tdm_vmx_load_msrs() - the guest's syscall MSRs, until this CPU sees userspace
 * @vcpu: loaded, preemption off
 *
 * Only a guest that can execute SYSCALL has a use for most of them.
 */
void tdm_vmx_load_msrs(struct tdm_vcpu *vcpu)
{
	const struct tdm_state *st = &vcpu->st;

	if ((st->efer & (EFER_LMA | EFER_SCE)) == (EFER_LMA | EFER_SCE)) {
		tdm_host_msr_set(TDM_HOST_STAR, st->star);
		tdm_host_msr_set(TDM_HOST_LSTAR, st->lstar);
		tdm_host_msr_set(TDM_HOST_SFMASK, st->sfmask);
	}
	if (to_vmx(vcpu)->cpu2_now & CPU2_RDTSCP)
		tdm_host_msr_set(TDM_HOST_TSC_AUX, st->tsc_aux);
}

/** tdm_vmx_prepare() - tdm_engine_ops.prepare */
void tdm_vmx_prepare(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);

	v->before |= BEFORE_FRESH;
	if (likely(v->segs.loaded))
		return;
	tdm_host_segs_save(&v->segs, vcpu->st.kernel_gs_base);
	tdm_vmx_host_segs(&v->segs);
	tdm_vmx_load_msrs(vcpu);
	tdm_stat(vcpu, msr_switches);
}

/** tdm_vmx_to_host() - tdm_engine_ops.to_host */
void tdm_vmx_to_host(struct tdm_vcpu *vcpu)
{
	struct tdm_vmx *v = to_vmx(vcpu);
	u64 kernel_gs_base;

	if (!v->segs.loaded)
		return;
	kernel_gs_base = tdm_host_segs_restore(&v->segs);
	/* A value the core has just written is newer than the hardware's. */
	if (!(vcpu->dirty & TDM_ST_MSRS))
		vcpu->st.kernel_gs_base = kernel_gs_base;
}
