// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's debug registers (SDM vol. 3, 17.2).
 *
 * A guest being debugged by its VMM keeps reading and writing its own values;
 * which ones the hardware has is in dr.h.
 */
#include <linux/bits.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/dr.h"
#include "kmod/core.h"

#define DR6_ALWAYS_1	0xffff0ff0ull
#define DR6_RTM_OFF	BIT_ULL(16)	/* reads 1, but for a #DB inside RTM */
#define DR6_BD		BIT_ULL(13)
#define DR7_GD		BIT_ULL(13)
#define DR6_WRITABLE	0xe00full	/* B0-B3, BD, BS, BT */
#define DR7_ALWAYS_1	BIT_ULL(10)
#define DR7_FIELDS_SHIFT	16	/* R/W and LEN, four bits a breakpoint */
#define DR7_RW_IO	2
#define DR7_RTM		BIT_ULL(11)
#define DR7_WRITABLE	0xffff23ffull	/* L, G, LE, GE, GD, R/W, LEN */

/** tdm_dr6_fixed() - bits of DR6 that read 1 in this guest */
u64 tdm_dr6_fixed(struct tdm_vcpu *vcpu)
{
	return tdm_guest_has(vcpu, X86_FEATURE_RTM) ? DR6_ALWAYS_1 & ~DR6_RTM_OFF :
						      DR6_ALWAYS_1;
}

/**
 * tdm_dr_read() - value of a debug register
 * @vcpu: loaded vCPU
 * @dr: 0..3, 6, 7 (or 4, 5, the aliases, already allowed)
 */
u64 tdm_dr_read(struct tdm_vcpu *vcpu, int dr)
{
	switch (dr) {
	case 0 ... 3:
		return vcpu->st.dr[dr];
	case 4:
	case 6:
		return vcpu->st.dr6;
	default:
		tdm_need(vcpu, TDM_ST_DR7);
		return vcpu->st.dr7;
	}
}

/**
 * tdm_dr_write() - write a debug register
 * @vcpu: loaded vCPU
 * @dr: as tdm_dr_read()
 * @val: new value
 *
 * Return: 0; -EINVAL for #GP(0): upper half of DR6 or DR7.
 */
int tdm_dr_write(struct tdm_vcpu *vcpu, int dr, u64 val)
{
	u64 writable;

	switch (dr) {
	case 0 ... 3:
		vcpu->st.dr[dr] = val;
		/* The engine's cached breakpoints go with DR7. */
		tdm_need(vcpu, TDM_ST_DR7);
		tdm_touch(vcpu, TDM_ST_DR7);
		return 0;
	case 4:
	case 6:
		if (val >> 32)
			return -EINVAL;
		writable = DR6_WRITABLE | (DR6_ALWAYS_1 & ~tdm_dr6_fixed(vcpu));
		vcpu->st.dr6 = (val & writable) | tdm_dr6_fixed(vcpu);
		return 0;
	default:
		if (val >> 32)
			return -EINVAL;
		writable = DR7_WRITABLE;
		if (tdm_guest_has(vcpu, X86_FEATURE_RTM))
			writable |= DR7_RTM;
		tdm_need(vcpu, TDM_ST_DR7);
		vcpu->st.dr7 = (val & writable) | DR7_ALWAYS_1;
		tdm_touch(vcpu, TDM_ST_DR7);
		return 0;
	}
}

/* What comes before the access itself: #UD for DR4/DR5, #DB for DR7.GD. */
static int dr_access(struct tdm_vcpu *vcpu, int dr)
{
	tdm_need(vcpu, TDM_ST_CR | TDM_ST_DR7);
	if (dr < 0 || dr > 7 ||
	    ((dr == 4 || dr == 5) && (vcpu->st.cr4 & X86_CR4_DE))) {
		tdm_queue_ud(vcpu);
		return -EINVAL;
	}
	if (vcpu->st.dr7 & DR7_GD) {
		tdm_queue_exception_payload(vcpu, X86_TRAP_DB, false, 0, DR6_BD);
		return -EINVAL;
	}
	return 0;
}

/**
 * tdm_get_dr() - MOV from a debug register at CPL 0
 * @vcpu: loaded vCPU
 * @dr: register of the instruction
 * @val: its value
 *
 * Return: 0; negative when an exception was queued (#UD, #DB).
 */
int tdm_get_dr(struct tdm_vcpu *vcpu, int dr, u64 *val)
{
	int r = dr_access(vcpu, dr);

	if (!r)
		*val = tdm_dr_read(vcpu, dr);
	return r;
}

/**
 * tdm_set_dr() - MOV to a debug register at CPL 0
 * @vcpu: loaded vCPU
 * @dr: register of the instruction
 * @val: new value
 *
 * Return: 0; negative when an exception was queued (#UD, #DB, #GP).
 */
int tdm_set_dr(struct tdm_vcpu *vcpu, int dr, u64 val)
{
	int r = dr_access(vcpu, dr);

	if (r)
		return r;
	r = tdm_dr_write(vcpu, dr, val);
	if (r)
		tdm_queue_gp(vcpu);
	return r;
}

/**
 * tdm_dr_io_hits() - I/O breakpoints that an access to a port triggers
 * @vcpu: loaded vCPU
 * @port: first port
 * @size: 1, 2 or 4
 *
 * Accesses that exit are made by software, which the processor's own check
 * does not see.
 *
 * Return: bits of DR6 (B0-B3), 0 for none.
 */
u64 tdm_dr_io_hits(struct tdm_vcpu *vcpu, u16 port, u8 size)
{
	u64 dr7 = tdm_dr7_effective(vcpu), hits = 0, first;
	u32 i, field, len;

	tdm_need(vcpu, TDM_ST_CR);
	if (!(vcpu->st.cr4 & X86_CR4_DE))
		return 0;
	for (i = 0; i < 4; i++) {
		field = dr7 >> (DR7_FIELDS_SHIFT + i * 4) & 0xf;
		if (!(dr7 & (3ull << (i * 2))) || (field & 3) != DR7_RW_IO)
			continue;
		/* LEN 00 1 byte, 01 two, 11 four; an aligned range of that size */
		len = (field >> 2) + 1;
		first = tdm_dr_effective(vcpu, i) & ~(u64)(len - 1);
		if (port < first + len && first < (u64)port + size)
			hits |= BIT_ULL(i);
	}
	return hits;
}
