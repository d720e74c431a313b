/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters: one X-macro gives the enum, the name and the plain-English text.
 *
 * Per-vCPU counters are written only by the thread that runs the vCPU and
 * read by anyone (torn reads are harmless: aligned u64). Per-VM counters are
 * atomic64_t. A new feature adds its counter here in the same commit.
 */
#ifndef TDM_STATS_H
#define TDM_STATS_H

#include <linux/types.h>

#define TDM_VCPU_STATS(X)						\
	X(exits,		"exits from the guest, all reasons")	\
	X(entries,		"entries into the guest")		\
	X(fast_exits,		"exits handled with interrupts off, without leaving the inner loop") \
	X(user_exits,		"returns from KVM_RUN to the caller")	\
	X(user_signals,		"of these, because of a signal or immediate_exit") \
	X(exit_host_intr,	"exits because of a host interrupt")	\
	X(exit_nmi,		"exits because of a host NMI")		\
	X(exit_io,		"port I/O exits")			\
	X(exit_mmio,		"accesses to memory that no memslot backs") \
	X(exit_mmu_fault,	"nested (EPT) page faults")		\
	X(exit_page_fault,	"guest page faults that exited (shadow paging)") \
	X(pf_true,		"true page faults: the guest's own tables forbid the access") \
	X(pf_hidden,		"hidden page faults: only the shadow tables lacked the mapping") \
	X(pf_trace,		"writes to guest page tables that were trapped (traces)") \
	X(pf_emulated,		"page faults that took the emulator: device memory, traced writes") \
	X(root_hits,		"address-space switches to a root that was still there") \
	X(root_misses,		"address-space switches for which a root was built") \
	X(invlpgs,		"INVLPG and INVPCID of the guest")	\
	X(exit_cpuid,		"CPUID exits")				\
	X(exit_rdmsr,		"RDMSR exits")				\
	X(exit_wrmsr,		"WRMSR exits")				\
	X(exit_cr,		"control register exits")		\
	X(exit_dr,		"debug register exits")			\
	X(exit_hlt,		"HLT exits")				\
	X(exit_pause,		"PAUSE-loop exits")			\
	X(exit_exception,	"guest exceptions intercepted")		\
	X(exit_irq_window,	"exits to deliver an interrupt once the guest accepts it") \
	X(exit_nmi_window,	"exits to deliver an NMI once the guest accepts it") \
	X(exit_preempt_timer,	"exits because a guest timer came due")	\
	X(exit_tpr,		"exits because the guest lowered its task priority") \
	X(exit_apic,		"APIC accesses and EOIs that exited")	\
	X(ipis,			"interrupt commands (IPIs) sent")	\
	X(apic_timer_irqs,	"APIC timer expiries delivered")	\
	X(bt_callouts,		"BT: instructions that translated code left to the monitor") \
	X(bt_continuations,	"BT: direct branches not chained yet")	\
	X(bt_lookup_misses,	"BT: indirect branches not in the lookup table") \
	X(bt_syscalls,		"BT: system calls of direct user code")	\
	X(bt_delivered,		"BT: interrupts and exceptions delivered without the interpreter") \
	X(bt_user_traps,	"BT: user instructions that direct execution cannot do") \
	X(bt_gdt_reads,		"BT: times the guest's GDT was read, since it had changed") \
	X(exit_engine,		"exits for work of the engine's own that may sleep (BT: translation)") \
	X(exit_insn,		"other instructions that exited")	\
	X(exit_unhandled,	"exits that ended the VM or went to the caller as an error") \
	X(entry_fail,		"entries the processor refused")	\
	X(inj_exception,	"exceptions injected into the guest")	\
	X(inj_irq,		"interrupts injected into the guest")	\
	X(inj_nmi,		"NMIs injected into the guest")		\
	X(emulated,		"instructions run by the emulator")	\
	X(emul_fail,		"instructions the emulator refused")	\
	X(halt_blocks,		"times the vCPU slept in HLT")		\
	X(halt_wakeups,		"times it was woken from HLT")		\
	X(halt_ns,		"nanoseconds slept in HLT")		\
	X(vmreads,		"VMREAD instructions (counted only with debug=1)") \
	X(tlb_flushes,		"guest TLB flushes done for this vCPU")	\
	X(migrations,		"times the vCPU moved to another CPU")	\
	X(fpu_switches,		"times the guest FPU state was loaded")	\
	X(msr_refused,		"MSR accesses of the guest refused with #GP") \
	X(msr_switches,		"times the guest's syscall MSRs were loaded") \
	X(bt_light_exits,	"BT: runs of guest code that ended in the monitor") \
	X(bt_full_exits,	"BT: times the monitor gave the CPU back to the host")

#define TDM_VM_STATS(X)							\
	X(mmu_pages,		"pages held for guest page tables now")	\
	X(mmu_mapped_4k,	"4 KiB guest mappings made")		\
	X(mmu_mapped_2m,	"2 MiB guest mappings made")		\
	X(mmu_mapped_1g,	"1 GiB guest mappings made")		\
	X(mmu_zapped,		"guest mappings removed")		\
	X(mmu_mapped_around,	"4 KiB mappings made beside a fault, because the host had the page") \
	X(mmu_host_faults,	"guest faults for which the host had to find or copy a page") \
	X(mmu_splits,		"large mappings split for the dirty log")	\
	X(mmu_retries,		"faults retried because the host changed the mapping meanwhile") \
	X(mmu_notifier_ranges,	"ranges the host asked to unmap")	\
	X(remote_flushes,	"TLB flushes asked of all vCPUs")	\
	X(dirty_faults,		"write faults taken for the dirty log")	\
	X(shadow_pages,		"shadow page tables held now")		\
	X(shadow_created,	"shadow page tables made")		\
	X(shadow_zapped,	"shadow page tables thrown away")	\
	X(shadow_recycled,	"of these, to stay within the bound or for the host's memory") \
	X(shadow_flooded,	"of these, because the guest wrote data there") \
	X(shadow_unshadowed,	"guest page tables whose shadow went for a write the emulator does not know") \
	X(shadow_filled,	"shadow entries made by hidden faults")	\
	X(shadow_prefetched,	"shadow entries made beside a hidden fault") \
	X(shadow_eager,		"shadow entries made by a traced not-present-to-present write") \
	X(shadow_unsyncs,	"guest page tables freed from their trace until the next flush") \
	X(shadow_syncs,		"guest page tables compared and traced again at a flush") \
	X(shadow_sync_drops,	"shadow entries found stale by that")	\
	X(shadow_split_pages,	"guest large pages mapped by small ones")	\
	X(rmap_overflows,	"pages with too many mappings, all dropped")	\
	X(code_writes,		"writes to pages traced for translated code")	\
	X(code_gens,		"changes of guest page tables that lead to translated code") \
	X(bt_mem_bytes,		"BT: bytes of kernel memory held for translations now") \
	X(bt_tc_bytes,		"BT: of these, backing the translation cache") \
	X(bt_tus,		"BT: translation units held now")	\
	X(bt_translated,	"BT: translation units made")		\
	X(bt_insns,		"BT: guest instructions translated")	\
	X(bt_ident,		"BT: of these, copied as they are")	\
	X(bt_guest_bytes,	"BT: bytes of guest code translated")	\
	X(bt_host_bytes,	"BT: bytes of code made from them")	\
	X(bt_chained,		"BT: direct branches made to lead to translated code") \
	X(bt_elided,		"BT: direct branches left out, because the target follows") \
	X(bt_unchained,		"BT: of both, undone because the target was thrown away") \
	X(bt_killed,		"BT: translation units thrown away")	\
	X(bt_flushes,		"BT: times the whole translation cache was emptied") \
	X(bt_code_pages,	"BT: pages of guest code with translations now") \
	X(bt_revalidated,	"BT: pages of code looked up again after the guest's tables changed") \
	X(bt_evicted_pages,	"BT: pages that lost their translations because data in them was written") \
	X(bt_untraced,		"BT: pages freed from their trace, no translation left") \
	X(bt_spaces_made,	"BT: address spaces with translations of their own") \
	X(bt_spaces_evicted,	"BT: of these, given up for others")	\
	X(mem_bytes,		"bytes of kernel memory held for this VM now")

enum tdm_vcpu_stat {
#define X(id, text) TDM_STAT_##id,
	TDM_VCPU_STATS(X)
#undef X
	TDM_NR_VCPU_STATS
};

enum tdm_vm_stat {
#define X(id, text) TDM_VMSTAT_##id,
	TDM_VM_STATS(X)
#undef X
	TDM_NR_VM_STATS
};

/** struct tdm_stat_desc - what a counter is called, in short and in words */
struct tdm_stat_desc {
	const char *name;
	const char *text;
};

extern const struct tdm_stat_desc tdm_vcpu_stat_desc[TDM_NR_VCPU_STATS];
extern const struct tdm_stat_desc tdm_vm_stat_desc[TDM_NR_VM_STATS];

#define tdm_stat(vcpu, id)	((vcpu)->stat[TDM_STAT_##id]++)
#define tdm_stat_add(vcpu, id, n) ((vcpu)->stat[TDM_STAT_##id] += (n))
#define tdm_vm_stat(vm, id)	atomic64_inc(&(vm)->stat[TDM_VMSTAT_##id])
#define tdm_vm_stat_add(vm, id, n) atomic64_add((n), &(vm)->stat[TDM_VMSTAT_##id])

#endif /* TDM_STATS_H */
