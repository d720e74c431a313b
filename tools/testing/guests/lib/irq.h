/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * irq.h - the interrupt controllers and timers of a PC, as a test wants them:
 * registers by name, nothing hidden.
 */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "lib.h"

/* 8259 pair, remapped to these vectors by pic_init(). */
#define PIC1 0x20
#define PIC2 0xa0
#define PIC1_VEC 0x30
#define PIC2_VEC 0x38
#define PIC_EOI 0x20
#define PIC_READ_IRR 0x0a
#define PIC_READ_ISR 0x0b

/* 8254 */
#define PIT_CH0 0x40
#define PIT_CH2 0x42
#define PIT_CMD 0x43
#define PIT_GATE 0x61

/* Local APIC registers (xAPIC offsets). */
#define APIC_ID 0x20
#define APIC_VERSION 0x30
#define APIC_TPR 0x80
#define APIC_PPR 0xa0
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_TMR 0x180
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR2 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_CUR 0x390
#define APIC_TIMER_DIV 0x3e0
#define APIC_SELF_IPI 0x3f0

#define LVT_MASKED BIT(16)
#define LVT_PERIODIC BIT(17)
#define LVT_DEADLINE (2ul << 17)
#define LVT_NMI 0x400
#define LVT_EXTINT 0x700
#define ICR_SELF 0x40000
#define ICR_ALL 0x80000
#define ICR_OTHERS 0xc0000
#define ICR_NMI 0x400
#define ICR_INIT 0x500
#define ICR_SIPI 0x600
#define ICR_ASSERT 0x4000
#define ICR_LEVEL 0x8000
#define ICR_BUSY 0x1000
#define ICR_LOGICAL 0x800

/* I/O APIC */
#define IOAPIC_ID 0
#define IOAPIC_VERSION 1
#define IOAPIC_ENTRY(n) (0x10 + 2 * (n))
#define IOAPIC_MASKED BIT(16)
#define IOAPIC_LEVEL BIT(15)
#define IOAPIC_REMOTE_IRR BIT(14)

void pic_init(void);
void pic_mask(u16 mask);
u8 pic_irr(u16 pic);
u8 pic_isr(u16 pic);
void pic_eoi(u16 pic);
void pit_program(u8 channel, u8 mode, u16 count);
u8 pit_status(u8 channel);
u16 pit_count(u8 channel);

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
bool apic_bit(u32 reg, u8 vec);
u32 apic_id(void);
void apic_enable(void);
void apic_icr(u32 dest, u32 low);

u32 ioapic_read(u32 reg);
void ioapic_write(u32 reg, u32 value);
void ioapic_route(u32 pin, u32 low, u8 dest);

/* Waits until the int at @p is not less than @want; false after a while. */
bool wait_count(const volatile int *p, int want);
/* Lets that long pass with interrupts open. */
void let_pass(u64 ticks);

/* ap.c; the SIPI's address: below what legacy.S uses. */
#define AP_TRAMPOLINE 0x6000ul
extern void (*ap_entry)(void);
void ap_prepare(void (*entry)(void));
void ap_start(void (*entry)(void));

/* Hooks that count and give EOI to the LAPIC, or to the PIC. */
extern volatile int irq_count[256];
extern u64 irq_last_rip;
bool irq_hook_lapic(struct frame *f);
bool irq_hook_pic(struct frame *f);
bool irq_hook_count(struct frame *f);
#endif
