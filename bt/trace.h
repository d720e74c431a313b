/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the BT engine: what is translated and what is thrown away.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tandem_bt

#if !defined(TDM_BT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TDM_BT_TRACE_H

#include <linux/tracepoint.h>

#include "arch/x86/vm.h"

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

#endif /* TDM_BT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH bt
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
