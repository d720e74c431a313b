/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the BT engine: what is translated, chained and thrown away, what
 * translated code leaves to the monitor, and the two kinds of exit.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tandem_bt

#if !defined(TDM_BT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TDM_BT_TRACE_H

#include <linux/tracepoint.h>

#include "arch/x86/vm.h"
#include "bt/tu.h"

TRACE_EVENT(tdm_bt_translate,
	TP_PROTO(struct tdm_vm *vm, u64 rip, u32 len, u32 insns, u64 tc, u32 tc_len),
	TP_ARGS(vm, rip, len, insns, tc, tc_len),
	TP_STRUCT__entry(
		__array(char, vm, 32)
		__field(u64, rip)
		__field(u32, len)
		__field(u32, insns)
		__field(u64, tc)
		__field(u32, tc_len)
	),
	TP_fast_assign(
		memcpy(__entry->vm, vm->name, sizeof(__entry->vm));
		__entry->rip = rip;
		__entry->len = len;
		__entry->insns = insns;
		__entry->tc = tc;
		__entry->tc_len = tc_len;
	),
	TP_printk("vm %s rip 0x%llx %u bytes %u instructions to 0x%llx %u bytes", __entry->vm,
		  __entry->rip, __entry->len, __entry->insns, __entry->tc, __entry->tc_len)
);

TRACE_EVENT(tdm_bt_kill,
	TP_PROTO(struct tdm_vm *vm, u64 rip, u32 nr),
	TP_ARGS(vm, rip, nr),
	TP_STRUCT__entry(
		__array(char, vm, 32)
		__field(u64, rip)
		__field(u32, nr)
	),
	TP_fast_assign(
		memcpy(__entry->vm, vm->name, sizeof(__entry->vm));
		__entry->rip = rip;
		__entry->nr = nr;
	),
	TP_printk("vm %s rip 0x%llx tu %u", __entry->vm, __entry->rip, __entry->nr)
);

TRACE_EVENT(tdm_bt_flush,
	TP_PROTO(struct tdm_vm *vm, u32 tus),
	TP_ARGS(vm, tus),
	TP_STRUCT__entry(
		__array(char, vm, 32)
		__field(u32, tus)
	),
	TP_fast_assign(
		memcpy(__entry->vm, vm->name, sizeof(__entry->vm));
		__entry->tus = tus;
	),
	TP_printk("vm %s %u TUs", __entry->vm, __entry->tus)
);

TRACE_EVENT(tdm_bt_written,
	TP_PROTO(struct tdm_vm *vm, u64 gpa, u32 len, u32 killed),
	TP_ARGS(vm, gpa, len, killed),
	TP_STRUCT__entry(
		__array(char, vm, 32)
		__field(u64, gpa)
		__field(u32, len)
		__field(u32, killed)
	),
	TP_fast_assign(
		memcpy(__entry->vm, vm->name, sizeof(__entry->vm));
		__entry->gpa = gpa;
		__entry->len = len;
		__entry->killed = killed;
	),
	TP_printk("vm %s gpa 0x%llx %u bytes killed %u", __entry->vm, __entry->gpa, __entry->len,
		  __entry->killed)
);

#define TDM_BT_OP_NAMES							\
	{ TDM_BT_OP_INTERPRET,	"interpret" },				\
	{ TDM_BT_OP_CPUID,	"cpuid" },				\
	{ TDM_BT_OP_HLT,	"hlt" },				\
	{ TDM_BT_OP_RDMSR,	"rdmsr" },				\
	{ TDM_BT_OP_WRMSR,	"wrmsr" },				\
	{ TDM_BT_OP_CR_WRITE,	"cr_write" },				\
	{ TDM_BT_OP_CR_READ,	"cr_read" },				\
	{ TDM_BT_OP_INVLPG,	"invlpg" },				\
	{ TDM_BT_OP_RDTSC,	"rdtsc" },				\
	{ TDM_BT_OP_RDTSCP,	"rdtscp" },				\
	{ TDM_BT_OP_IO,		"io" },					\
	{ TDM_BT_OP_WBINVD,	"wbinvd" },				\
	{ TDM_BT_OP_SREG_READ,	"sreg_read" },				\
	{ TDM_BT_OP_IRET,	"iret" },				\
	{ TDM_BT_OP_SYSRET,	"sysret" },				\
	{ TDM_BT_OP_SWAPGS,	"swapgs" },				\
	{ TDM_BT_OP_CLTS,	"clts" }

TRACE_EVENT(tdm_bt_callout,
	TP_PROTO(u32 id, u64 rip, u32 op),
	TP_ARGS(id, rip, op),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, op)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->op = op;
		__entry->rip = rip;
	),
	TP_printk("vcpu %u rip 0x%llx %s", __entry->id, __entry->rip,
		  __print_symbolic(__entry->op, TDM_BT_OP_NAMES))
);

TRACE_EVENT(tdm_bt_chain,
	TP_PROTO(struct tdm_vm *vm, u64 from, u64 to, bool elided),
	TP_ARGS(vm, from, to, elided),
	TP_STRUCT__entry(
		__array(char, vm, 32)
		__field(u64, from)
		__field(u64, to)
		__field(bool, elided)
	),
	TP_fast_assign(
		memcpy(__entry->vm, vm->name, sizeof(__entry->vm));
		__entry->from = from;
		__entry->to = to;
		__entry->elided = elided;
	),
	TP_printk("vm %s from the TU at 0x%llx to 0x%llx%s", __entry->vm, __entry->from,
		  __entry->to, __entry->elided ? " elided" : "")
);

TRACE_EVENT(tdm_bt_light_exit,
	TP_PROTO(u32 id, u32 vector, u64 tc, bool user),
	TP_ARGS(id, vector, tc, user),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, vector)
		__field(u64, tc)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->vector = vector;
		__entry->tc = tc;
		__entry->user = user;
	),
	TP_printk("vcpu %u vector 0x%x at 0x%llx CPL %u", __entry->id, __entry->vector,
		  __entry->tc, __entry->user ? 3 : 1)
);

TRACE_EVENT(tdm_bt_full_exit,
	TP_PROTO(u32 id),
	TP_ARGS(id),
	TP_STRUCT__entry(
		__field(u32, id)
	),
	TP_fast_assign(
		__entry->id = id;
	),
	TP_printk("vcpu %u", __entry->id)
);

#endif /* TDM_BT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH bt
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
