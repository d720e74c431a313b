/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MMU as the core and the engines see it: memslots, guest memory access,
 * nested faults, invalidation, dirty logging.
 *
 * Today there is one builder (EPT, shadow_mmu/ept.c); shadow paging joins it
 * behind the same functions. Nothing here may call into kmod/ except through
 * struct tdm_mmu_client.
 */
#ifndef TDM_SHADOW_MMU_H
#define TDM_SHADOW_MMU_H

#include <linux/interval_tree.h>

#include "arch/x86/paging.h"
#include "arch/x86/vcpu.h"

/**
 * struct tdm_mmu_client - the MMU's upward calls, set once by the core
 * @flush_vcpus: every vCPU of @vm must drop its guest TLB before it runs guest
 *		code again; returns only when no vCPU still runs with the old
 *		translations. Called without mmu lock, may not sleep.
 * @code_written: guest memory tracked with TDM_TRACK_CODE was or may have been
 *		written, or its memslot goes: [gpa, gpa + len). Called with
 *		slots_sem held (for writing when a memslot goes), mmu lock not; may
 *		not sleep. NULL: nobody cares.
 */
struct tdm_mmu_client {
	void (*flush_vcpus)(struct tdm_vm *vm);
	void (*code_written)(struct tdm_vm *vm, u64 gpa, u64 len);
};

extern const struct tdm_mmu_client *tdm_mmu_client;

/* ---- life ---- */
int tdm_mmu_module_init(void);
void tdm_mmu_module_exit(void);
int tdm_mmu_vm_init(struct tdm_vm *vm);		/* notifier, root; current->mm == vm->mm */
void tdm_mmu_vm_release(struct tdm_vm *vm);	/* last user fd closed: unregister notifier, drop all mappings */
void tdm_mmu_vm_destroy(struct tdm_vm *vm);
int tdm_mmu_set_max_pages(struct tdm_vm *vm, unsigned long pages);	/* KVM_SET_NR_MMU_PAGES */

/* ---- memslots (shadow_mmu/memslot.c) ---- */
/**
 * struct tdm_memslot - one guest-physical range backed by the caller's memory
 *
 * Fields tagged (s) and (m) are written with slots_sem held for writing *and*
 * mmu.lock held, so that holding either is enough to read them. The notifiers
 * run under mmap_lock, which guest memory accesses take inside slots_sem: they
 * can only use mmu.lock, and find slots by hva in mmu.slots_by_hva.
 */
struct tdm_memslot {
	struct rb_node node;			/* (s)(m) in vm->slots_by_gfn[as_id] */
	struct interval_tree_node hva_node;	/* (m) in vm->mmu.slots_by_hva */
	u64 base_gfn;				/* (c) a move makes a new slot */
	u64 npages;				/* (c) */
	unsigned long hva;			/* (c) page aligned */
	u32 flags;				/* (s)(m) KVM_MEM_* */
	u16 id;					/* (c) */
	u16 as_id;				/* (c) 0; 1 = SMM, not offered */
	struct tdm_slot_shadow *shadow;		/* (s)(m) with shadow paging, else NULL */
	unsigned long *dirty;			/* (s)(m) bitmap while KVM_MEM_LOG_DIRTY_PAGES, else NULL */
};

int tdm_memslot_set(struct tdm_vm *vm, const struct kvm_userspace_memory_region *r); /* KVM_SET_USER_MEMORY_REGION */
int tdm_dirty_log_get(struct tdm_vm *vm, struct kvm_dirty_log *log);	/* KVM_GET_DIRTY_LOG */
int tdm_dirty_log_clear(struct tdm_vm *vm, struct kvm_clear_dirty_log *log); /* KVM_CLEAR_DIRTY_LOG */
struct tdm_memslot *tdm_memslot_find(struct tdm_vm *vm, u64 gfn);	/* slots_sem or mmu.lock held */

/* ---- guest-physical access; current->mm == vm->mm, may sleep; takes slots_sem ---- */
int tdm_read_gpa(struct tdm_vm *vm, u64 gpa, void *buf, size_t len);		/* 0, -ENOENT (no slot), -EFAULT (unmapped) */
int tdm_write_gpa(struct tdm_vm *vm, u64 gpa, const void *buf, size_t len);	/* 0, -ENOENT, -EFAULT, -EROFS; marks dirty */
/* atomic compare and exchange, len 1,2,4,8,16, not crossing a page; 0 done, -EAGAIN: *old has the present value, else as write */
int tdm_cmpxchg_gpa(struct tdm_vm *vm, u64 gpa, void *old, const void *new, size_t len);
bool tdm_gpa_is_ram(struct tdm_vm *vm, u64 gpa, bool write);	/* a slot backs it (and it may be written) */

/* ---- guest page tables (arch/x86/paging.c): all modes ---- */
/*
 * Guest-linear to guest-physical with exact permission checks; sets A/D bits in
 * the guest's tables atomically as hardware would (unless TDM_WALK_NO_AD).
 * access: TDM_ACCESS_*, TDM_WALK_* (USER = CPL 3 or implied); gva is canonical.
 * 0, -EFAULT (*pf filled; inject #PF), -EIO (the host could not give a table's
 * memory), -EOPNOTSUPP (5-level paging). Tables where no memslot is read as all
 * ones, as on hardware.
 */
int tdm_gva_to_gpa(struct tdm_vcpu *vcpu, u64 gva, u32 access, u64 *gpa, struct tdm_page_fault *pf);
int tdm_load_pdptrs(struct tdm_vcpu *vcpu, u64 cr3);	/* PAE: 0 or -EINVAL (reserved bits: #GP), fills st.pdptr */

/* ---- faults and roots ---- */
enum tdm_mmu_result {
	TDM_MMU_RESUME,		/* mapped (or lost a race): enter again */
	TDM_MMU_MMIO,		/* no memslot, or a write to a read-only one: emulate */
	TDM_MMU_EMULATE,	/* shadow: a traced write, or rights no entry can express: emulate */
	TDM_MMU_TRUE_FAULT,	/* shadow: the guest's own #PF; *pf filled */
};
/*
 * As tdm_mmu_fault(), but never sleeps and may be called with interrupts off;
 * -EAGAIN when it takes more than that: call tdm_mmu_fault() then.
 */
int tdm_mmu_fault_fast(struct tdm_vcpu *vcpu, u64 gpa, u32 access);
int tdm_mmu_fault(struct tdm_vcpu *vcpu, u64 gpa, u32 access);	/* tdm_mmu_result or -errno (-EFAULT, -EHWPOISON, -ENOMEM, -EINTR) */

/* ---- shadow paging: vm->mmu_mode == TDM_MMU_MODE_SHADOW ---- */
int tdm_mmu_vcpu_init(struct tdm_vcpu *vcpu);	/* any mode; the VM's mode is final; 0 or -ENOMEM */
void tdm_mmu_vcpu_destroy(struct tdm_vcpu *vcpu);

/* A #PF the engine caught. Fast: interrupts off, never sleeps, -EAGAIN: call the other. */
void *tdm_shadow_reach(const struct tdm_vcpu *vcpu, u64 gva, bool write);	/* reach.c */
int tdm_shadow_fault_fast(struct tdm_vcpu *vcpu, u64 gva, u32 error, struct tdm_page_fault *pf);
int tdm_shadow_fault(struct tdm_vcpu *vcpu, u64 gva, u32 error, struct tdm_page_fault *pf);
bool tdm_mmu_unshadow(struct tdm_vcpu *vcpu, u64 gva, u32 error);

/*
 * The processor's own TLB: an engine whose entries do not flush it must drop all
 * of the guest's translations when vm->mmu.tlb_gen is not what it was at the last
 * entry, besides TDM_REQ_TLB_FLUSH, and those of a gva at tdm_mmu_guest_invlpg()
 * (all, if large pages are in use). Entries in shadow tables are never global.
 */
/*
 * What guest instructions do to translations; EPT: TDM_REQ_TLB_FLUSH and no
 * more. Shadow: noted in vcpu->mmu.pending, with TDM_REQ_MMU_ROOT.
 */
void tdm_mmu_guest_flush(struct tdm_vcpu *vcpu, u32 what);	/* TDM_FLUSH_*; CR0, CR3, CR4, EFER were written */
void tdm_mmu_guest_invlpg(struct tdm_vcpu *vcpu, u64 gva);	/* takes mmu.lock; any context but NMI */
void tdm_mmu_guest_invpcid(struct tdm_vcpu *vcpu, u64 type, u64 pcid, u64 gva); /* operands were checked */
/*
 * Do what is pending, so that vcpu->mmu.hw_cr3 is right: before the next entry.
 * Fast: interrupts off, false: call the other. The caller then tells the engine
 * (ops->mmu_root_changed).
 */
bool tdm_mmu_update_root_fast(struct tdm_vcpu *vcpu);
int tdm_mmu_update_root(struct tdm_vcpu *vcpu);	/* may sleep; 0, -ENOMEM, -EINTR, -EFAULT */

/* Write tracking (traces): @client hears of writes to a gfn. */
enum tdm_track { TDM_TRACK_TABLE, TDM_TRACK_CODE, TDM_NR_TRACKS };
int tdm_track_add(struct tdm_vm *vm, u64 gfn, enum tdm_track client);	/* 0; -ENOENT: no memslot; flushes all vCPUs */
void tdm_track_del(struct tdm_vm *vm, u64 gfn, enum tdm_track client);

/*
 * BT engine: its translations depend on the guest's tables as a TLB entry does.
 *
 * tdm_mmu_code_page(): fetch access of CPL 0 to @gva as hardware would make it (A
 * bits set), and from then on vm->mmu.code_gen changes whenever the way to it in
 * the guest's tables below the root may have changed: a traced write, a difference
 * found when an unsync table is compared (at a flush, not before), a shadow page on
 * the way gone. Process context. 0; -EFAULT (*pf); other errnos as tdm_gva_to_gpa().
 * tdm_mmu_root_entry(): what the guest's PML4 says at an index, under the current
 * root; ignored bits masked out. Any context; false: call in process context with
 * interrupts on again (the host has to bring the page in).
 * tdm_mmu_move_monitor(): the guest uses entry mon_index: take @index in all roots
 * of the vCPU. Does not sleep. mon_conflict tells if that is used, too.
 */
int tdm_mmu_code_page(struct tdm_vcpu *vcpu, u64 gva, u64 *gpa, struct tdm_page_fault *pf);
bool tdm_mmu_root_entry(struct tdm_vcpu *vcpu, unsigned int index, u64 *entry);
int tdm_mmu_move_monitor(struct tdm_vcpu *vcpu, unsigned int index);

u64 tdm_mmu_eptp(struct tdm_vm *vm);	/* EPTP for the VMCS; features as the CPU has them */
u64 tdm_mmu_audit(struct tdm_vm *vm);	/* debug walk: every leaf against slots and host mapping; WARN_ONCE on a lie; how many */

/* CPU facts the EPT builder needs; filled by arch/x86/vmx at probe */
struct tdm_ept_caps { bool ad_bits, page_2m, page_1g, exec_only, wb; u8 levels; };
extern struct tdm_ept_caps tdm_ept_caps;

#endif /* TDM_SHADOW_MMU_H */
