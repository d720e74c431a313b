/* SPDX-License-Identifier: GPL-2.0-only */
/* The tests do not look at tracepoints. */
#define trace_tdm_irq_set(...)		do { } while (0)
#define trace_tdm_pit_tick(...)		do { } while (0)
#define trace_tdm_apic_accept(...)	do { } while (0)
#define trace_tdm_apic_eoi(...)		do { } while (0)
#define trace_tdm_apic_ipi(...)		do { } while (0)
#define trace_tdm_apic_timer(...)	do { } while (0)
#define trace_tdm_apic_timer_due(...)	do { } while (0)
#define trace_tdm_apic_mode(...)	do { } while (0)
