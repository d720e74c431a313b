/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the interrupt controllers and timers.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tandem_irq

#if !defined(TDM_DEVICES_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TDM_DEVICES_TRACE_H

#include <linux/tracepoint.h>

#include "arch/x86/compat.h"

#define TDM_APIC_MODE_NAMES						\
	{ 0, "fixed" }, { 1, "lowest" }, { 2, "smi" }, { 3, "remrd" },	\
	{ 4, "nmi" }, { 5, "init" }, { 6, "sipi" }, { 7, "extint" }

TRACE_EVENT(tdm_irq_set,
	TP_PROTO(const char *vm, int source, u32 gsi, int level, int result),
	TP_ARGS(vm, source, gsi, level, result),
	TP_STRUCT__entry(
		__string(vm, vm)
		__field(int, source)
		__field(u32, gsi)
		__field(int, level)
		__field(int, result)
	),
	TP_fast_assign(
		tdm_assign_str(vm, vm);
		__entry->source = source;
		__entry->gsi = gsi;
		__entry->level = level;
		__entry->result = result;
	),
	TP_printk("vm %s source %d gsi %u level %d: %d", __get_str(vm),
		  __entry->source, __entry->gsi, __entry->level, __entry->result)
);

TRACE_EVENT(tdm_pit_tick,
	TP_PROTO(const char *vm, bool again, int result),
	TP_ARGS(vm, again, result),
	TP_STRUCT__entry(
		__string(vm, vm)
		__field(bool, again)
		__field(int, result)
	),
	TP_fast_assign(
		tdm_assign_str(vm, vm);
		__entry->again = again;
		__entry->result = result;
	),
	TP_printk("vm %s%s: %d", __get_str(vm),
		  __entry->again ? " sent again" : "", __entry->result)
);

TRACE_EVENT(tdm_apic_accept,
	TP_PROTO(u32 vcpu, u8 mode, u8 vector, bool level, int result),
	TP_ARGS(vcpu, mode, vector, level, result),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u8, mode)
		__field(u8, vector)
		__field(bool, level)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->mode = mode;
		__entry->vector = vector;
		__entry->level = level;
		__entry->result = result;
	),
	TP_printk("vcpu %u %s vector 0x%02x %s: %d", __entry->vcpu,
		  __print_symbolic(__entry->mode, TDM_APIC_MODE_NAMES),
		  __entry->vector, __entry->level ? "level" : "edge",
		  __entry->result)
);

TRACE_EVENT(tdm_apic_eoi,
	TP_PROTO(u32 vcpu, u8 vector),
	TP_ARGS(vcpu, vector),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u8, vector)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->vector = vector;
	),
	TP_printk("vcpu %u vector 0x%02x", __entry->vcpu, __entry->vector)
);

TRACE_EVENT(tdm_apic_ipi,
	TP_PROTO(u32 vcpu, u64 icr),
	TP_ARGS(vcpu, icr),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, icr)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->icr = icr;
	),
	TP_printk("vcpu %u icr 0x%016llx %s vector 0x%02llx", __entry->vcpu,
		  __entry->icr,
		  __print_symbolic(__entry->icr >> 8 & 7, TDM_APIC_MODE_NAMES),
		  __entry->icr & 0xff)
);

TRACE_EVENT(tdm_apic_timer,
	TP_PROTO(u32 vcpu, u32 count, u32 type),
	TP_ARGS(vcpu, count, type),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, count)
		__field(u32, type)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->count = count;
		__entry->type = type;
	),
	TP_printk("vcpu %u initial count %u type 0x%x", __entry->vcpu,
		  __entry->count, __entry->type)
);

TRACE_EVENT(tdm_apic_timer_due,
	TP_PROTO(u32 vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(u32, vcpu)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
	),
	TP_printk("vcpu %u", __entry->vcpu)
);

TRACE_EVENT(tdm_apic_mode,
	TP_PROTO(u32 vcpu, int from, int to),
	TP_ARGS(vcpu, from, to),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("vcpu %u mode %d to %d (0 off, 1 xAPIC, 2 x2APIC)",
		  __entry->vcpu, __entry->from, __entry->to)
);

#endif /* TDM_DEVICES_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kmod/devices
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

#include <trace/define_trace.h>
