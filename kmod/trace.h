/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the core: one per entry, exit, injection, I/O.
 *
 * Symbolic names come from TDM_EXIT_NAMES, so a trace reads without a table.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tandem

#if !defined(TDM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TDM_TRACE_H

#include <linux/tracepoint.h>

#include "arch/x86/vcpu.h"
#include "shadow_mmu/mmu.h"

#define TDM_EXIT_NAMES						\
	{ TDM_EXIT_NONE,		"none" },		\
	{ TDM_EXIT_HOST_INTR,		"host_intr" },		\
	{ TDM_EXIT_HOST_NMI,		"host_nmi" },		\
	{ TDM_EXIT_EXCEPTION,		"exception" },		\
	{ TDM_EXIT_TRIPLE_FAULT,	"triple_fault" },	\
	{ TDM_EXIT_INIT_SIGNAL,		"init_signal" },	\
	{ TDM_EXIT_IRQ_WINDOW,		"irq_window" },		\
	{ TDM_EXIT_NMI_WINDOW,		"nmi_window" },		\
	{ TDM_EXIT_TASK_SWITCH,		"task_switch" },	\
	{ TDM_EXIT_CPUID,		"cpuid" },		\
	{ TDM_EXIT_HLT,			"hlt" },		\
	{ TDM_EXIT_INVLPG,		"invlpg" },		\
	{ TDM_EXIT_RDPMC,		"rdpmc" },		\
	{ TDM_EXIT_RDTSC,		"rdtsc" },		\
	{ TDM_EXIT_RDTSCP,		"rdtscp" },		\
	{ TDM_EXIT_VMCALL,		"vmcall" },		\
	{ TDM_EXIT_UNDEFINED_INSN,	"undefined_insn" },	\
	{ TDM_EXIT_CR,			"cr" },			\
	{ TDM_EXIT_DR,			"dr" },			\
	{ TDM_EXIT_IO,			"io" },			\
	{ TDM_EXIT_RDMSR,		"rdmsr" },		\
	{ TDM_EXIT_WRMSR,		"wrmsr" },		\
	{ TDM_EXIT_MONITOR,		"monitor" },		\
	{ TDM_EXIT_MWAIT,		"mwait" },		\
	{ TDM_EXIT_PAUSE,		"pause" },		\
	{ TDM_EXIT_DESC_TABLE,		"desc_table" },		\
	{ TDM_EXIT_WBINVD,		"wbinvd" },		\
	{ TDM_EXIT_XSETBV,		"xsetbv" },		\
	{ TDM_EXIT_MMU_FAULT,		"mmu_fault" },		\
	{ TDM_EXIT_PAGE_FAULT,		"page_fault" },		\
	{ TDM_EXIT_TPR_THRESHOLD,	"tpr_threshold" },	\
	{ TDM_EXIT_APIC_ACCESS,		"apic_access" },	\
	{ TDM_EXIT_EOI,			"eoi" },		\
	{ TDM_EXIT_PREEMPT_TIMER,	"preempt_timer" },	\
	{ TDM_EXIT_SINGLE_STEP,		"single_step" },	\
	{ TDM_EXIT_EMULATE,		"emulate" },		\
	{ TDM_EXIT_INSN,		"insn" },		\
	{ TDM_EXIT_GUEST_EXC,		"guest_exc" },		\
	{ TDM_EXIT_ENGINE,		"engine" },		\
	{ TDM_EXIT_ENTRY_FAILED,	"entry_failed" },	\
	{ TDM_EXIT_INTERNAL,		"internal" }

TRACE_EVENT(tdm_enter,
	TP_PROTO(struct tdm_vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->rip = vcpu->regs.rip;
	),
	TP_printk("vcpu %u rip 0x%llx", __entry->id, __entry->rip)
);

TRACE_EVENT(tdm_exit,
	TP_PROTO(struct tdm_vcpu *vcpu, const struct tdm_exit *exit),
	TP_ARGS(vcpu, exit),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, kind)
		__field(u32, hw_reason)
		__field(u64, hw_qual)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->kind = exit->kind;
		__entry->hw_reason = exit->hw_reason;
		__entry->hw_qual = exit->hw_qual;
		__entry->rip = vcpu->regs.rip;
	),
	TP_printk("vcpu %u %s rip 0x%llx hw_reason 0x%x qual 0x%llx",
		  __entry->id, __print_symbolic(__entry->kind, TDM_EXIT_NAMES),
		  __entry->rip, __entry->hw_reason, __entry->hw_qual)
);

#define TDM_FAULT_NAMES						\
	{ TDM_MMU_RESUME,	"hidden" },			\
	{ TDM_MMU_TRUE_FAULT,	"true" },			\
	{ TDM_MMU_MMIO,		"mmio" },			\
	{ TDM_MMU_EMULATE,	"traced or emulated" }

TRACE_EVENT(tdm_page_fault,
	TP_PROTO(struct tdm_vcpu *vcpu, u64 gva, u32 error, int kind),
	TP_ARGS(vcpu, gva, error, kind),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, error)
		__field(u64, gva)
		__field(int, kind)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->error = error;
		__entry->gva = gva;
		__entry->kind = kind;
	),
	TP_printk("vcpu %u address 0x%llx error 0x%x %s", __entry->id, __entry->gva,
		  __entry->error, __print_symbolic(__entry->kind, TDM_FAULT_NAMES))
);

TRACE_EVENT(tdm_inject,
	TP_PROTO(struct tdm_vcpu *vcpu, const struct tdm_event *ev),
	TP_ARGS(vcpu, ev),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u8, type)
		__field(u8, vector)
		__field(bool, has_error)
		__field(u32, error)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->type = ev->type;
		__entry->vector = ev->vector;
		__entry->has_error = ev->has_error;
		__entry->error = ev->error;
	),
	TP_printk("vcpu %u %s vector %u%s 0x%x", __entry->id,
		  __print_symbolic(__entry->type, { TDM_EV_IRQ, "irq" },
				   { TDM_EV_NMI, "nmi" },
				   { TDM_EV_EXC, "exception" },
				   { TDM_EV_SOFT_INT, "int" },
				   { TDM_EV_PRIV_SW, "icebp" },
				   { TDM_EV_SOFT_EXC, "soft_exception" }),
		  __entry->vector, __entry->has_error ? " error" : "",
		  __entry->error)
);

TRACE_EVENT(tdm_io,
	TP_PROTO(struct tdm_vcpu *vcpu, bool mmio, bool write, u64 addr,
		 int len, u64 val),
	TP_ARGS(vcpu, mmio, write, addr, len, val),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(bool, mmio)
		__field(bool, write)
		__field(u64, addr)
		__field(int, len)
		__field(u64, val)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->mmio = mmio;
		__entry->write = write;
		__entry->addr = addr;
		__entry->len = len;
		__entry->val = val;
	),
	TP_printk("vcpu %u %s %s 0x%llx len %d val 0x%llx", __entry->id,
		  __entry->mmio ? "mmio" : "pio",
		  __entry->write ? "write" : "read", __entry->addr,
		  __entry->len, __entry->val)
);

TRACE_EVENT(tdm_msr,
	TP_PROTO(struct tdm_vcpu *vcpu, bool write, u32 msr, u64 val, int error),
	TP_ARGS(vcpu, write, msr, val, error),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(bool, write)
		__field(u32, msr)
		__field(u64, val)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->write = write;
		__entry->msr = msr;
		__entry->val = val;
		__entry->error = error;
	),
	TP_printk("vcpu %u %s 0x%x val 0x%llx%s", __entry->id,
		  __entry->write ? "wrmsr" : "rdmsr", __entry->msr, __entry->val,
		  __print_symbolic(__entry->error, { 0, "" },
				   { -EPERM, " filtered" },
				   { -ENOENT, " no such MSR" },
				   { -EINVAL, " refused" }))
);

TRACE_EVENT(tdm_emulate,
	TP_PROTO(struct tdm_vcpu *vcpu, int result),
	TP_ARGS(vcpu, result),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u64, rip)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->rip = vcpu->regs.rip;
		__entry->result = result;
	),
	TP_printk("vcpu %u rip after 0x%llx result %d", __entry->id,
		  __entry->rip, __entry->result)
);

TRACE_EVENT(tdm_halt,
	TP_PROTO(struct tdm_vcpu *vcpu, u64 ns),
	TP_ARGS(vcpu, ns),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->id = vcpu->id;
		__entry->ns = ns;
	),
	TP_printk("vcpu %u slept %llu ns", __entry->id, __entry->ns)
);

#endif /* TDM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kmod
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
