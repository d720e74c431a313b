// SPDX-License-Identifier: GPL-2.0-only
/*
 * The LAPIC's registers as the guest reaches them: by MMIO in xAPIC mode, by
 * MSR in x2APIC mode. One table says what exists; the rest is refused.
 */
#include <asm/cpufeatures.h>

#include "arch/x86/cpuid.h"
#include "kmod/core.h"
#include "kmod/devices/lapic.h"
#include "kmod/devices/trace.h"

#define MSR_X2APIC_FIRST	0x800
#define X2APIC_ICR_RESERVED	0xfff32000ull

enum {
	R = 1,		/* readable */
	W = 2,		/* writable */
	RW = R | W,
	X2R = 4,	/* readable by MSR */
	X2W = 8,	/* writable by MSR */
	X2RW = X2R | X2W,
};

/**
 * struct apic_reg - one register
 * @access: R, W, X2R, X2W
 * @bits: bits that can be written; by MSR, writing others is #GP
 * @ro: bits that are ignored in writes by MSR
 * @write: does more than store; gets @bits only
 * @read: value is computed
 */
struct apic_reg {
	u8 access;
	u32 bits;
	u32 ro;
	void (*write)(struct tdm_lapic *lapic, u32 val);
	u32 (*read)(struct tdm_lapic *lapic);
};

static void write_id(struct tdm_lapic *lapic, u32 val)
{
	tdm_lapic_set_reg(lapic, TDM_APIC_ID, val);
	tdm_apic_map_update(lapic);
}

static void write_ldr(struct tdm_lapic *lapic, u32 val)
{
	tdm_lapic_set_reg(lapic, TDM_APIC_LDR, val);
	tdm_apic_map_update(lapic);
}

static void write_dfr(struct tdm_lapic *lapic, u32 val)
{
	tdm_lapic_set_reg(lapic, TDM_APIC_DFR, val | 0x0fffffff);
	tdm_apic_map_update(lapic);
}

static u32 read_ppr(struct tdm_lapic *lapic)
{
	return tdm_lapic_ppr(lapic);
}

static void write_eoi(struct tdm_lapic *lapic, u32 val)
{
	tdm_lapic_do_eoi(lapic);
}

/* A write shows the errors found since the last one, and arms the interrupt again. */
static void write_esr(struct tdm_lapic *lapic, u32 val)
{
	tdm_lapic_set_reg(lapic, TDM_APIC_ESR, xchg(&lapic->esr, 0));
}

static void write_icr(struct tdm_lapic *lapic, u32 val)
{
	val &= ~TDM_APIC_ICR_BUSY;
	tdm_lapic_set_reg(lapic, TDM_APIC_ICR, val);
	tdm_lapic_send_icr(lapic, (u64)tdm_lapic_reg(lapic, TDM_APIC_ICR2) << 32 | val);
}

/* While the APIC is off by software, the LVT stays masked. */
static u32 lvt_value(struct tdm_lapic *lapic, u32 val)
{
	return lapic->sw_enabled ? val : val | TDM_APIC_LVT_MASKED;
}

static void write_lvtt(struct tdm_lapic *lapic, u32 val)
{
	if (!tdm_guest_has(lapic->vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
		val &= ~TDM_APIC_LVTT_DEADLINE;
	tdm_lapic_timer_set_lvt(lapic, lvt_value(lapic, val));
}

static void write_lvt0(struct tdm_lapic *lapic, u32 val)
{
	tdm_lapic_set_reg(lapic, TDM_APIC_LVT0, lvt_value(lapic, val));
	tdm_lapic_lvt0_changed(lapic);
}

#define WRITE_LVT(name, offset)						\
static void write_##name(struct tdm_lapic *lapic, u32 val)		\
{									\
	tdm_lapic_set_reg(lapic, offset, lvt_value(lapic, val));	\
}
WRITE_LVT(lvt1, TDM_APIC_LVT1)
WRITE_LVT(lvtpc, TDM_APIC_LVTPC)
WRITE_LVT(lvtthmr, TDM_APIC_LVTTHMR)
WRITE_LVT(lvterr, TDM_APIC_LVTERR)

static void write_self_ipi(struct tdm_lapic *lapic, u32 val)
{
	tdm_lapic_self_ipi(lapic, val);
}

#define LVT_VECTOR	0x000000ffu
#define LVT_STATUS	0x00001000u	/* always idle */
#define LVT_PINS	0x0000a000u	/* polarity, trigger mode */
#define LVT_RIRR	0x00004000u

#define REG(offset)	[(offset) >> 4]
#define BITMAP(offset)							\
	[(offset) >> 4 ... ((offset) >> 4) + 7] = { .access = R | X2R }

static const struct apic_reg apic_regs[TDM_APIC_REGS_END >> 4] = {
	REG(TDM_APIC_ID)	= { RW | X2R, 0xff000000, .write = write_id },
	REG(TDM_APIC_LVR)	= { R | X2R },
	REG(TDM_APIC_TPR)	= { RW | X2RW, 0xff },
	REG(TDM_APIC_APR)	= { R },
	REG(TDM_APIC_PPR)	= { R | X2R, .read = read_ppr },
	REG(TDM_APIC_EOI)	= { W | X2W, 0, .write = write_eoi },
	REG(TDM_APIC_RRD)	= { R },
	REG(TDM_APIC_LDR)	= { RW | X2R, 0xff000000, .write = write_ldr },
	REG(TDM_APIC_DFR)	= { RW, 0xf0000000, .write = write_dfr },
	/* Focus checking is long gone; EOI suppression needs an IOAPIC with an EOI register. */
	REG(TDM_APIC_SVR)	= { RW | X2RW, 0x1ff, .write = tdm_lapic_set_svr },
	BITMAP(TDM_APIC_ISR),
	BITMAP(TDM_APIC_TMR),
	BITMAP(TDM_APIC_IRR),
	REG(TDM_APIC_ESR)	= { RW | X2RW, 0, .write = write_esr },
	REG(TDM_APIC_ICR)	= { RW, 0xffffffff, .write = write_icr },
	REG(TDM_APIC_ICR2)	= { RW, 0xff000000 },
	REG(TDM_APIC_LVTT)	= { RW | X2RW,
				    LVT_VECTOR | TDM_APIC_LVT_MASKED | TDM_APIC_LVTT_TYPE,
				    LVT_STATUS, .write = write_lvtt },
	REG(TDM_APIC_LVTTHMR)	= { RW | X2RW,
				    LVT_VECTOR | TDM_APIC_LVT_MASKED | TDM_APIC_LVT_MODE,
				    LVT_STATUS, .write = write_lvtthmr },
	REG(TDM_APIC_LVTPC)	= { RW | X2RW,
				    LVT_VECTOR | TDM_APIC_LVT_MASKED | TDM_APIC_LVT_MODE,
				    LVT_STATUS, .write = write_lvtpc },
	REG(TDM_APIC_LVT0)	= { RW | X2RW,
				    LVT_VECTOR | TDM_APIC_LVT_MASKED | TDM_APIC_LVT_MODE | LVT_PINS,
				    LVT_STATUS | LVT_RIRR, .write = write_lvt0 },
	REG(TDM_APIC_LVT1)	= { RW | X2RW,
				    LVT_VECTOR | TDM_APIC_LVT_MASKED | TDM_APIC_LVT_MODE | LVT_PINS,
				    LVT_STATUS | LVT_RIRR, .write = write_lvt1 },
	REG(TDM_APIC_LVTERR)	= { RW | X2RW, LVT_VECTOR | TDM_APIC_LVT_MASKED,
				    LVT_STATUS, .write = write_lvterr },
	REG(TDM_APIC_TMICT)	= { RW | X2RW, 0xffffffff,
				    .write = tdm_lapic_timer_set_initial },
	REG(TDM_APIC_TMCCT)	= { R | X2R, .read = tdm_lapic_timer_current },
	REG(TDM_APIC_TDCR)	= { RW | X2RW, 0xb,
				    .write = tdm_lapic_timer_set_divide },
	REG(TDM_APIC_SELF_IPI)	= { X2W, 0xff, .write = write_self_ipi },
};

/** tdm_lapic_nr_lvt() - LVT registers from TDM_APIC_LVTT on: no CMCI */
u32 tdm_lapic_nr_lvt(struct tdm_lapic *lapic)
{
	return (TDM_APIC_LVTERR - TDM_APIC_LVTT) / 0x10 + 1;
}

static const struct apic_reg *find_reg(u32 offset, u8 access)
{
	const struct apic_reg *reg;

	if (offset >= TDM_APIC_REGS_END)
		return NULL;
	reg = &apic_regs[offset >> 4];
	return (reg->access & access) == access ? reg : NULL;
}

static u32 read_reg(struct tdm_lapic *lapic, const struct apic_reg *reg, u32 offset)
{
	return reg->read ? reg->read(lapic) : tdm_lapic_reg(lapic, offset);
}

static void write_reg(struct tdm_lapic *lapic, const struct apic_reg *reg,
		      u32 offset, u32 val)
{
	if (reg->write)
		reg->write(lapic, val & reg->bits);
	else
		tdm_lapic_set_reg(lapic, offset, val & reg->bits);
}

/**
 * tdm_lapic_read() - a register by its xAPIC offset
 * @lapic: its own thread calls
 * @offset: multiple of 16
 * @val: out
 *
 * Return: 0, -EINVAL if there is no such register to read.
 */
int tdm_lapic_read(struct tdm_lapic *lapic, u32 offset, u32 *val)
{
	const struct apic_reg *reg = find_reg(offset, R);

	if (!reg)
		return -EINVAL;
	*val = read_reg(lapic, reg, offset);
	return 0;
}

/** tdm_lapic_write() - as tdm_lapic_read(); bits that do not exist are dropped */
int tdm_lapic_write(struct tdm_lapic *lapic, u32 offset, u32 val)
{
	const struct apic_reg *reg = find_reg(offset, W);

	if (!reg)
		return -EINVAL;
	write_reg(lapic, reg, offset, val);
	return 0;
}

/** tdm_lapic_writable() - bits of a register that can be other than fixed; 0 for none */
u32 tdm_lapic_writable(u32 offset)
{
	const struct apic_reg *reg = find_reg(offset, W);

	return reg ? reg->bits : 0;
}

/* ---- MMIO ---- */

static void mmio_read(struct tdm_lapic *lapic, u32 offset, int len, void *data)
{
	u32 shift = offset & 0xf, val = 0;

	memset(data, 0, len);
	if (tdm_lapic_read(lapic, offset & ~0xfu, &val))
		tdm_lapic_error(lapic, TDM_APIC_ESR_REGISTER);
	if (shift < sizeof(val))
		memcpy(data, (u8 *)&val + shift,
		       min_t(size_t, len, sizeof(val) - shift));
}

static void mmio_write(struct tdm_lapic *lapic, u32 offset, int len, const void *data)
{
	/* SDM vol. 3, 11.4.1: other accesses are undefined; here they do nothing. */
	if (len != 4 || (offset & 0xf))
		return;
	if (tdm_lapic_write(lapic, offset, *(const u32 *)data))
		tdm_lapic_error(lapic, TDM_APIC_ESR_REGISTER);
}

/**
 * tdm_lapic_mmio() - an access to guest-physical memory that may be the APIC page
 * @vcpu: its own thread calls, perhaps with interrupts off
 * @gpa: address
 * @len: 1..8
 * @data: read or to write
 * @write: direction
 *
 * Return: 0 done, -EOPNOTSUPP not its page, or the APIC is not in xAPIC mode.
 */
int tdm_lapic_mmio(struct tdm_vcpu *vcpu, u64 gpa, int len, void *data, bool write)
{
	struct tdm_lapic *lapic = vcpu->lapic;

	if (gpa >> PAGE_SHIFT != vcpu->st.apic_base >> PAGE_SHIFT)
		return -EOPNOTSUPP;
	if (lapic->mode != TDM_LAPIC_XAPIC) {
		/* KVM's quirk: a hole that reads as ones. */
		if (vcpu->vm->disabled_quirks & KVM_X86_QUIRK_LAPIC_MMIO_HOLE)
			return -EOPNOTSUPP;
		if (!write)
			memset(data, 0xff, len);
		return 0;
	}
	tdm_stat(vcpu, exit_apic);
	if (write)
		mmio_write(lapic, gpa & ~PAGE_MASK, len, data);
	else
		mmio_read(lapic, gpa & ~PAGE_MASK, len, data);
	return 0;
}

/* ---- MSRs ---- */

static u32 msr_offset(u32 msr)
{
	return (msr - MSR_X2APIC_FIRST) << 4;
}

/**
 * tdm_lapic_msr_get() - RDMSR of 0x800-0x8ff
 * @vcpu: its own thread calls
 * @msr: number
 * @val: out
 *
 * Return: 0, -EINVAL (#GP): not in x2APIC mode, no such register, write-only.
 */
int tdm_lapic_msr_get(struct tdm_vcpu *vcpu, u32 msr, u64 *val)
{
	struct tdm_lapic *lapic = vcpu->lapic;
	u32 offset = msr_offset(msr);
	const struct apic_reg *reg;

	if (!lapic || lapic->mode != TDM_LAPIC_X2APIC)
		return -EINVAL;
	if (offset == TDM_APIC_ICR) {
		*val = tdm_lapic_reg(lapic, TDM_APIC_ICR) |
		       (u64)tdm_lapic_reg(lapic, TDM_APIC_ICR + 4) << 32;
		return 0;
	}
	reg = find_reg(offset, X2R);
	if (!reg)
		return -EINVAL;
	*val = read_reg(lapic, reg, offset);
	return 0;
}

static int write_x2_icr(struct tdm_lapic *lapic, u64 val)
{
	if (val & X2APIC_ICR_RESERVED)
		return -EINVAL;
	val &= ~(u64)TDM_APIC_ICR_BUSY;
	tdm_lapic_set_reg(lapic, TDM_APIC_ICR, val);
	tdm_lapic_set_reg(lapic, TDM_APIC_ICR + 4, val >> 32);
	tdm_lapic_send_icr(lapic, val);
	return 0;
}

/**
 * tdm_lapic_msr_set() - WRMSR of 0x800-0x8ff
 * @vcpu: its own thread calls
 * @msr: number
 * @val: value
 *
 * Return: 0, -EINVAL (#GP): not in x2APIC mode, no such register, read-only,
 * reserved bits.
 */
int tdm_lapic_msr_set(struct tdm_vcpu *vcpu, u32 msr, u64 val)
{
	struct tdm_lapic *lapic = vcpu->lapic;
	u32 offset = msr_offset(msr);
	const struct apic_reg *reg;
	u64 reserved;

	if (!lapic || lapic->mode != TDM_LAPIC_X2APIC)
		return -EINVAL;
	if (offset == TDM_APIC_ICR)
		return write_x2_icr(lapic, val);
	reg = find_reg(offset, X2W);
	if (!reg)
		return -EINVAL;
	reserved = ~(u64)(reg->bits | reg->ro);
	if (offset == TDM_APIC_LVTT &&
	    !tdm_guest_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
		reserved |= TDM_APIC_LVTT_DEADLINE;
	if (val & reserved)
		return -EINVAL;
	write_reg(lapic, reg, offset, val);
	return 0;
}
