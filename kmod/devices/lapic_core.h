/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC's arithmetic: registers in a page, vector bitmaps, priorities,
 * destinations, timer counts. Pure functions, in the kernel and in userspace
 * tests. Source: SDM vol. 3, chapter 11.
 *
 * The register page has the layout of the xAPIC's MMIO page, which is also that
 * of the virtual-APIC page.
 */
#ifndef TDM_LAPIC_CORE_H
#define TDM_LAPIC_CORE_H

#include "arch/x86/emul/port.h"

/* Offsets in the register page */
#define TDM_APIC_ID		0x020
#define TDM_APIC_LVR		0x030	/* version */
#define TDM_APIC_TPR		0x080
#define TDM_APIC_APR		0x090
#define TDM_APIC_PPR		0x0a0
#define TDM_APIC_EOI		0x0b0
#define TDM_APIC_RRD		0x0c0
#define TDM_APIC_LDR		0x0d0
#define TDM_APIC_DFR		0x0e0
#define TDM_APIC_SVR		0x0f0
#define TDM_APIC_ISR		0x100
#define TDM_APIC_TMR		0x180
#define TDM_APIC_IRR		0x200
#define TDM_APIC_ESR		0x280
#define TDM_APIC_CMCI		0x2f0
#define TDM_APIC_ICR		0x300
#define TDM_APIC_ICR2		0x310
#define TDM_APIC_LVTT		0x320
#define TDM_APIC_LVTTHMR	0x330
#define TDM_APIC_LVTPC		0x340
#define TDM_APIC_LVT0		0x350
#define TDM_APIC_LVT1		0x360
#define TDM_APIC_LVTERR		0x370
#define TDM_APIC_TMICT		0x380
#define TDM_APIC_TMCCT		0x390
#define TDM_APIC_TDCR		0x3e0
#define TDM_APIC_SELF_IPI	0x3f0
#define TDM_APIC_REGS_END	0x400

#define TDM_APIC_SVR_ENABLED	0x100u
#define TDM_APIC_DFR_FLAT	0xfu		/* bits 31:28 */

#define TDM_APIC_LVT_MASKED	0x10000u
#define TDM_APIC_LVT_MODE	0x00700u	/* delivery mode */
#define TDM_APIC_LVTT_TYPE	0x60000u
#define TDM_APIC_LVTT_ONESHOT	0x00000u
#define TDM_APIC_LVTT_PERIODIC	0x20000u
#define TDM_APIC_LVTT_DEADLINE	0x40000u

#define TDM_APIC_ICR_BUSY	0x01000u
#define TDM_APIC_ICR_LOGICAL	0x00800u
#define TDM_APIC_ICR_ASSERT	0x04000u
#define TDM_APIC_ICR_LEVEL	0x08000u
#define TDM_APIC_ICR_SHORTHAND	0xc0000u

/* ESR bits (numbers) */
#define TDM_APIC_ESR_SEND_VECTOR	5
#define TDM_APIC_ESR_RECV_VECTOR	6
#define TDM_APIC_ESR_REGISTER		7

/* Delivery modes, of ICR, LVT, MSI and IOAPIC alike */
enum tdm_apic_mode {
	TDM_APIC_FIXED, TDM_APIC_LOWEST, TDM_APIC_SMI, TDM_APIC_REMRD,
	TDM_APIC_NMI, TDM_APIC_INIT, TDM_APIC_SIPI, TDM_APIC_EXTINT,
};

enum tdm_apic_shorthand {
	TDM_APIC_TO_DEST, TDM_APIC_TO_SELF, TDM_APIC_TO_ALL, TDM_APIC_TO_OTHERS,
};

/* First vector that is not reserved for exceptions' sake: 0-15 are illegal. */
#define TDM_APIC_MIN_VECTOR	16

static inline u32 *tdm_apic_reg(void *regs, u32 offset)
{
	return (u32 *)((u8 *)regs + offset);
}

/* The 32 bits of a vector bitmap that hold @vector. */
static inline u32 tdm_apic_vec_offset(u32 bitmap, u8 vector)
{
	return bitmap + (vector >> 5) * 0x10;
}

static inline bool tdm_apic_test_vector(void *regs, u32 bitmap, u8 vector)
{
	return *tdm_apic_reg(regs, tdm_apic_vec_offset(bitmap, vector)) >> (vector & 31) & 1;
}

/**
 * tdm_apic_highest() - highest vector in a bitmap
 * @regs: register page
 * @bitmap: TDM_APIC_ISR, TDM_APIC_TMR or TDM_APIC_IRR
 * @words: bit n: the bitmap's word n may be other than 0
 *
 * Return: vector, -1 if there is none.
 */
static inline int tdm_apic_highest(void *regs, u32 bitmap, u32 words)
{
	u32 bits;
	int w;

	while (words) {
		w = 31 - __builtin_clz(words);
		bits = *tdm_apic_reg(regs, bitmap + w * 0x10);
		if (bits)
			return w * 32 + 31 - __builtin_clz(bits);
		words &= ~(1u << w);
	}
	return -1;
}

/** tdm_apic_ppr() - processor priority of TPR and highest vector in service (-1: none) */
static inline u8 tdm_apic_ppr(u8 tpr, int isrv)
{
	u8 isr = isrv < 0 ? 0 : isrv & 0xf0;

	return (tpr & 0xf0) >= isr ? tpr : isr;
}

/** tdm_apic_beats() - may @vector (-1: none) interrupt at priority @ppr? */
static inline bool tdm_apic_beats(int vector, u8 ppr)
{
	return vector >= 0 && (vector & 0xf0) > (ppr & 0xf0);
}

/**
 * tdm_apic_tpr_threshold() - the TPR class at which a blocked interrupt goes through
 * @irrv: highest requested vector, -1 none
 * @tpr: task priority
 *
 * Return: 0 if TPR blocks nothing; else 1..15: tell us when TPR[7:4] gets below.
 */
static inline int tdm_apic_tpr_threshold(int irrv, u8 tpr)
{
	if (irrv < 0 || (irrv >> 4) > (tpr >> 4))
		return 0;
	return irrv >> 4;
}

/** tdm_apic_x2_ldr() - logical ID that x2APIC mode derives from the APIC ID */
static inline u32 tdm_apic_x2_ldr(u32 id)
{
	return (id >> 4) << 16 | 1u << (id & 15);
}

/** tdm_apic_match_flat() - logical address @mda against an xAPIC's LDR and DFR */
static inline bool tdm_apic_match_logical(u32 ldr, u32 dfr, u8 mda)
{
	u8 id = ldr >> 24;

	if (dfr >> 28 == TDM_APIC_DFR_FLAT)
		return id & mda;
	if (mda >> 4 == 0xf)
		return mda == 0xff;	/* all clusters */
	return id >> 4 == mda >> 4 && (id & mda & 0xf);
}

/** tdm_apic_divisor() - bus clocks for each count of the timer, 1..128 */
static inline u32 tdm_apic_divisor(u32 tdcr)
{
	u32 code = (tdcr & 3) | (tdcr & 8) >> 1;

	return 1u << ((code + 1) & 7);
}

/**
 * tdm_apic_timer_count() - the current count register
 * @initial: initial count, not 0
 * @divisor: tdm_apic_divisor()
 * @periodic: reloads at 0
 * @clocks: bus clocks since the initial count was written
 */
static inline u32 tdm_apic_timer_count(u32 initial, u32 divisor, bool periodic,
				       u64 clocks)
{
	u64 counts = clocks / divisor;

	if (counts < initial)
		return initial - counts;
	return periodic ? initial - counts % initial : 0;
}

#endif /* TDM_LAPIC_CORE_H */
