// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC against SDM vol. 3, chapter 11.
 */
#include "dev_test.h"

#define BASE		0xfee00000ull
#define BASE_BSP	0x100ull
#define BASE_X2		0x400ull
#define BASE_ON		0x800ull
#define X2(offset)	(0x800 + ((offset) >> 4))

static void icr(int cpu, u32 dest, u32 low)
{
	dev_apic_write(cpu, TDM_APIC_ICR2, dest << 24);
	dev_apic_write(cpu, TDM_APIC_ICR, low);
}

static void eoi(int cpu)
{
	dev_apic_write(cpu, TDM_APIC_EOI, 0);
}

static void self(int cpu, u8 vector)
{
	icr(cpu, 0, 0x44000 | vector);
}

static void x2_on(int cpu)
{
	struct tdm_vcpu *v = dev->cpu[cpu];

	CHECK_EQ(tdm_lapic_set_base(v, v->st.apic_base | BASE_X2, false), 0);
	CHECK_EQ(dev_wrmsr(cpu, X2(TDM_APIC_SVR), 0x1ff), 0);
}

static void reset_state(void)
{
	u32 off;

	CHECK_EQ(dev->cpu[0]->st.apic_base, BASE | BASE_BSP | BASE_ON);
	CHECK_EQ(dev->cpu[1]->st.apic_base, BASE | BASE_ON);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_ID), 1u << 24);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_LVR), 0x50014);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_SVR), 0xff);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_DFR), 0xffffffff);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_LDR), 0);
	for (off = TDM_APIC_LVTT; off <= TDM_APIC_LVTERR; off += 0x10)
		CHECK_EQ(dev_apic_read(1, off), 0x10000);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_LVT0), 0x700);	/* KVM's quirk */
	for (off = TDM_APIC_ISR; off <= TDM_APIC_ESR; off += 0x10)
		CHECK_EQ(dev_apic_read(1, off), 0);
	/* Off by software: the LVT cannot be unmasked, and nothing is accepted. */
	dev_apic_write(1, TDM_APIC_LVTPC, 0x40);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_LVTPC), 0x10040);
	self(1, 0x40);
	CHECK_EQ(dev_take(1), -1);
	dev_apic_on(1);
	dev_apic_write(1, TDM_APIC_LVTPC, 0x40);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_LVTPC), 0x40);
	dev_apic_write(1, TDM_APIC_SVR, 0xff);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_LVTPC), 0x10040);
}

static void init_keeps(void)
{
	dev_apic_on(1);
	self(1, 0x40);
	dev_apic_write(1, TDM_APIC_TPR, 0x20);
	dev_apic_write(1, TDM_APIC_LDR, 0x02000000);
	dev->cpu[1]->st.apic_base = 0xfe000000 | BASE_ON;
	tdm_lapic_reset(dev->cpu[1], true);
	CHECK_EQ(dev->cpu[1]->st.apic_base, 0xfe000000 | BASE_ON);
	CHECK_EQ(dev_take(1), -1);
	tdm_lapic_reset(dev->cpu[1], false);
	CHECK_EQ(dev->cpu[1]->st.apic_base, BASE | BASE_ON);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_TPR), 0);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_ID), 1u << 24);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_LDR), 0);
}

static void priorities(void)
{
	dev_apic_on(0);
	self(0, 0x31);
	self(0, 0x35);
	self(0, 0x92);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_IRR + 0x10), 0x220000);
	CHECK_EQ(dev_take(0), 0x92);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_PPR), 0x90);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_ISR + 0x40), 0x40000);
	CHECK_EQ(dev_take(0), -1);
	self(0, 0x9f);			/* same class: waits */
	CHECK_EQ(dev_take(0), -1);
	self(0, 0xa0);
	CHECK_EQ(dev_take(0), 0xa0);
	eoi(0);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_PPR), 0x90);
	eoi(0);
	CHECK_EQ(dev_take(0), 0x9f);
	eoi(0);
	dev_apic_write(0, TDM_APIC_TPR, 0x35);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_PPR), 0x35);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(tdm_lapic_tpr_threshold(dev->cpu[0]), 3);
	tdm_lapic_set_tpr(dev->cpu[0], 2);
	CHECK_EQ(tdm_lapic_get_tpr(dev->cpu[0]), 2);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TPR), 0x20);
	CHECK_EQ(tdm_lapic_tpr_threshold(dev->cpu[0]), 0);
	CHECK_EQ(dev_take(0), 0x35);
	self(0, 0x35);			/* again while in service */
	eoi(0);
	CHECK_EQ(dev_take(0), 0x35);
	eoi(0);
	CHECK_EQ(dev_take(0), 0x31);
	eoi(0);
	eoi(0);				/* with nothing in service */
	CHECK_EQ(dev_take(0), -1);
}

/* Every vector, in every order of two. */
static void all_vectors(void)
{
	int a, b;

	dev_apic_on(0);
	for (a = 16; a < 256; a++) {
		for (b = 16; b < 256; b += 7) {
			self(0, a);
			self(0, b);
			CHECK_EQ(dev_take(0), max(a, b));
			eoi(0);
			CHECK_EQ(dev_take(0), a == b ? -1 : min(a, b));
			eoi(0);
		}
	}
}

static void shorthands(void)
{
	int i;

	for (i = 0; i < 4; i++)
		dev_apic_on(i);
	icr(0, 0, 0x84000 | 0x40);	/* all */
	for (i = 0; i < 4; i++)
		CHECK_EQ(dev_take(i), 0x40);
	icr(1, 0, 0xc4000 | 0x50);	/* all but self */
	for (i = 0; i < 4; i++)
		CHECK_EQ(dev_take(i), i == 1 ? -1 : 0x50);
	CHECK(dev->kicks[2] > 0);
	icr(2, 1, 0x44000 | 0x60);	/* self: the destination is ignored */
	for (i = 0; i < 4; i++)
		CHECK_EQ(dev_take(i), i == 2 ? 0x60 : -1);
}

static void physical(void)
{
	int i;

	for (i = 0; i < 4; i++)
		dev_apic_on(i);
	icr(0, 2, 0x4041);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(dev_take(2), 0x41);
	CHECK_EQ(dev->kicks[2], 1);
	CHECK_EQ(dev->kicks[1], 0);
	icr(0, 0xff, 0x4051);
	for (i = 0; i < 4; i++)
		CHECK_EQ(dev_take(i), 0x51);
	icr(0, 9, 0x4052);		/* nobody */
	for (i = 0; i < 4; i++)
		CHECK_EQ(dev_take(i), -1);
	/* The ID can be changed; two may have the same. */
	dev_apic_write(2, TDM_APIC_ID, 0x77000000);
	icr(0, 2, 0x4061);
	CHECK_EQ(dev_take(2), -1);
	icr(0, 0x77, 0x4061);
	CHECK_EQ(dev_take(2), 0x61);
	dev_apic_write(3, TDM_APIC_ID, 0x77000000);
	icr(0, 0x77, 0x4071);
	CHECK_EQ(dev_take(2), 0x71);
	CHECK_EQ(dev_take(3), 0x71);
	dev_apic_write(2, TDM_APIC_ID, 0x02000000);
	icr(0, 0x77, 0x4081);
	CHECK_EQ(dev_take(2), -1);
	CHECK_EQ(dev_take(3), 0x81);
	icr(0, 2, 0x4082);
	CHECK_EQ(dev_take(2), 0x82);
	/* Off by MSR: not there */
	CHECK_EQ(dev_wrmsr(3, 0x1b, BASE), 0);
	icr(0, 0x77, 0x4083);
	icr(0, 0xff, 0x4091);
	CHECK_EQ(dev_take(3), -1);
	CHECK_EQ(dev_take(2), 0x91);
}

static void logical_flat(void)
{
	int i;

	for (i = 0; i < 8; i++) {
		dev_apic_on(i);
		dev_apic_write(i, TDM_APIC_LDR, 1u << (24 + i));
	}
	icr(0, 0x15, 0x4840);
	for (i = 0; i < 8; i++)
		CHECK_EQ(dev_take(i), 0x15 & (1 << i) ? 0x40 : -1);
	/* Two bits of one CPU are one interrupt; shared bits reach both. */
	dev_apic_write(1, TDM_APIC_LDR, 0x06000000);
	icr(0, 0x06, 0x4850);
	CHECK_EQ(dev_take(1), 0x50);
	CHECK_EQ(dev_take(2), 0x50);
	CHECK_EQ(dev_take(1), -1);
	icr(0, 0xff, 0x4860);
	for (i = 0; i < 8; i++)
		CHECK_EQ(dev_take(i), 0x60);
	icr(0, 0x00, 0x4870);
	for (i = 0; i < 8; i++)
		CHECK_EQ(dev_take(i), -1);
}

static void logical_cluster(void)
{
	int i;

	for (i = 0; i < 8; i++) {
		dev_apic_on(i);
		dev_apic_write(i, TDM_APIC_DFR, 0x0fffffff);
		dev_apic_write(i, TDM_APIC_LDR,
			       (u32)(i / 4) << 28 | 1u << (24 + i % 4));
	}
	icr(0, 0x1a, 0x4840);
	for (i = 0; i < 8; i++)
		CHECK_EQ(dev_take(i), i == 5 || i == 7 ? 0x40 : -1);
	icr(0, 0x03, 0x4850);
	for (i = 0; i < 8; i++)
		CHECK_EQ(dev_take(i), i < 2 ? 0x50 : -1);
	icr(0, 0xff, 0x4860);
	for (i = 0; i < 8; i++)
		CHECK_EQ(dev_take(i), 0x60);
	dev_apic_write(5, TDM_APIC_DFR, 0xffffffff);
	icr(0, 0x1a, 0x4870);		/* in flat mode, LDR 0x12 & 0x1a: all the same */
	CHECK_EQ(dev_take(5), 0x70);
	CHECK_EQ(dev_take(7), 0x70);
	icr(0, 0x02, 0x4870);
	CHECK_EQ(dev_take(5), 0x70 - 0x70 - 1);	/* 0x70 is in service */
	eoi(5);
	CHECK_EQ(dev_take(5), 0x70);
}

static void lowest_priority(void)
{
	int i, seen[4] = { 0 };

	for (i = 0; i < 4; i++) {
		dev_apic_on(i);
		dev_apic_write(i, TDM_APIC_LDR, 1u << (24 + i));
	}
	dev_apic_write(0, TDM_APIC_TPR, 0x30);
	dev_apic_write(1, TDM_APIC_TPR, 0x20);
	dev_apic_write(2, TDM_APIC_TPR, 0x30);
	dev_apic_write(3, TDM_APIC_TPR, 0x40);
	icr(0, 0x0f, 0x4960);
	CHECK_EQ(dev_take(1), 0x60);
	for (i = 0; i < 4; i++)
		CHECK_EQ(dev_take(i), -1);
	icr(0, 0x0d, 0x4960);		/* 1 is not asked */
	CHECK(dev_take(0) == 0x60 || dev_take(2) == 0x60);
	CHECK_EQ(dev_take(3), -1);
	for (i = 0; i < 4; i++) {
		dev_apic_write(i, TDM_APIC_TPR, 0);
		eoi(i);
	}
	/* Among equals, vectors spread. */
	for (i = 0x40; i < 0x80; i++)
		icr(0, 0x0f, 0x4900 | i);
	for (i = 0; i < 4; i++)
		while (dev_take(i) >= 0) {
			seen[i]++;
			eoi(i);
		}
	for (i = 0; i < 4; i++)
		CHECK_EQ(seen[i], 16);
	/* Off by software: no candidate */
	dev_apic_write(1, TDM_APIC_SVR, 0xff);
	icr(0, 0x02, 0x4960);
	CHECK_EQ(dev_take(1), -1);
}

static void nmi_init_sipi(void)
{
	struct tdm_vcpu *ap = dev->cpu[1];

	icr(0, 1, 0x4400);
	CHECK_EQ(dev->nmis[1], 1);	/* even off by software */
	icr(0, 1, 0xc500);
	CHECK_EQ(ap->apic_events, BIT(TDM_APIC_EV_INIT));
	ap->apic_events = 0;
	icr(0, 1, 0x8500);		/* level de-assert: nothing */
	CHECK_EQ(ap->apic_events, 0);
	icr(0, 1, 0x4500);
	icr(0, 1, 0x469a);
	CHECK_EQ(ap->apic_events, BIT(TDM_APIC_EV_INIT) | BIT(TDM_APIC_EV_SIPI));
	CHECK_EQ(ap->sipi_vector, 0x9a);
	icr(0, 1, 0x4500);		/* voids the SIPI before it */
	CHECK_EQ(ap->apic_events, BIT(TDM_APIC_EV_INIT));
	icr(0, 1, 0x4200);		/* SMI, remote read, ExtINT: no effect */
	icr(0, 1, 0x4300);
	icr(0, 1, 0x4700);
	CHECK_EQ(ap->apic_events, BIT(TDM_APIC_EV_INIT));
	CHECK_EQ(dev_take(1), -1);
	icr(0, 0, 0xc4500);		/* all but self */
	CHECK_EQ(dev->cpu[0]->apic_events, 0);
	CHECK_EQ(dev->cpu[2]->apic_events, BIT(TDM_APIC_EV_INIT));
	CHECK_EQ(dev_apic_read(0, TDM_APIC_ICR), 0xc4500);
}

static void errors(void)
{
	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_LVTERR, 0x70);
	self(0, 5);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_ESR), 0);
	CHECK_EQ(dev_take(0), 0x70);
	eoi(0);
	self(0, 6);			/* no interrupt before ESR is written */
	CHECK_EQ(dev_take(0), -1);
	dev_apic_write(0, TDM_APIC_ESR, 0);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_ESR), 0x20);
	dev_apic_write(0, TDM_APIC_ESR, 0);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_ESR), 0);
	dev_apic_write(0, 0x3c0, 0);	/* no such register */
	CHECK_EQ(dev_take(0), 0x70);
	eoi(0);
	dev_apic_write(0, TDM_APIC_ESR, 0);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_ESR), 0x80);
	/* An error interrupt that is itself wrong */
	dev_apic_write(0, TDM_APIC_LVTERR, 0x02);
	self(0, 5);
	dev_apic_write(0, TDM_APIC_ESR, 0);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_ESR), 0x60);
	CHECK_EQ(dev_take(0), -1);
}

static void mmio_shapes(void)
{
	struct tdm_vcpu *v = dev->cpu[0];
	u8 buf[8];
	u32 val = 0x30;

	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_TPR, 0x20);
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x80, 1, &val, true), 0);	/* ignored */
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x84, 4, &val, true), 0);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TPR), 0x20);
	memset(buf, 0xaa, sizeof(buf));
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x30, 8, buf, false), 0);
	CHECK_EQ(buf[0], 0x14);
	CHECK_EQ(buf[2], 5);
	CHECK_EQ(buf[4], 0);
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x32, 1, buf, false), 0);
	CHECK_EQ(buf[0], 5);
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x3e, 4, buf, false), 0);
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0xffc, 4, buf, false), 0);
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x1000, 4, buf, false), -EOPNOTSUPP);
	CHECK_EQ(tdm_lapic_mmio(v, BASE - 1, 1, buf, false), -EOPNOTSUPP);
	/* The page moves with the base. */
	CHECK_EQ(dev_wrmsr(0, 0x1b, 0xfd000000 | BASE_ON), 0);
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x80, 4, buf, false), -EOPNOTSUPP);
	CHECK_EQ(tdm_lapic_mmio(v, 0xfd000080, 4, buf, false), 0);
	CHECK_EQ(buf[0], 0x20);
}

static void modes(void)
{
	struct tdm_vcpu *v = dev->cpu[1];
	u64 val;
	u32 ones = 0;

	CHECK_EQ(dev_wrmsr(1, X2(TDM_APIC_TPR), 0), -EINVAL);	/* xAPIC mode */
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE | BASE_X2), -EINVAL);	/* EXTD alone */
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE | BASE_ON | 1), -EINVAL);
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE | BASE_ON | 0x200), -EINVAL);
	CHECK_EQ(dev_wrmsr(1, 0x1b, 1ull << 40 | BASE_ON), -EINVAL);
	dev->x2apic = false;
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE | BASE_ON | BASE_X2), -EINVAL);
	dev->x2apic = true;

	dev_apic_on(1);
	x2_on(1);
	CHECK_EQ(dev_rdmsr(1, X2(TDM_APIC_ID), &val), 0);
	CHECK_EQ(val, 17);
	CHECK_EQ(dev_rdmsr(1, X2(TDM_APIC_LDR), &val), 0);
	CHECK_EQ(val, 0x10002);
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x30, 4, &ones, false), 0);
	CHECK_EQ(ones, 0xffffffff);
	dev->vm.disabled_quirks = KVM_X86_QUIRK_LAPIC_MMIO_HOLE;
	CHECK_EQ(tdm_lapic_mmio(v, BASE + 0x30, 4, &ones, false), -EOPNOTSUPP);
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE | BASE_ON), -EINVAL);	/* x2 to xAPIC */
	CHECK_EQ(tdm_lapic_set_base(v, BASE | BASE_ON, true), 0);	/* the caller may */
	CHECK_EQ(dev_apic_read(1, TDM_APIC_ID), 17u << 24);
	x2_on(1);
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE), 0);			/* off */
	CHECK_EQ(dev_rdmsr(1, X2(TDM_APIC_ID), &val), -EINVAL);
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE | BASE_ON | BASE_X2), -EINVAL);
	CHECK_EQ(dev_wrmsr(1, 0x1b, BASE | BASE_ON), 0);	/* on again, as new */
	CHECK_EQ(dev_apic_read(1, TDM_APIC_ID), 17u << 24);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_SVR), 0xff);
	CHECK_EQ(dev_apic_read(1, TDM_APIC_LVTT), 0x10000);
	dev_apic_on(1);
	icr(0, 17, 0x4055);
	CHECK_EQ(dev_take(1), 0x55);
}

static void x2_registers(void)
{
	static const u32 ro[] = { TDM_APIC_ID, TDM_APIC_LVR, TDM_APIC_PPR, TDM_APIC_LDR,
				  TDM_APIC_ISR, TDM_APIC_TMR, TDM_APIC_IRR, TDM_APIC_TMCCT };
	static const u32 none[] = { 0, 0x10, 0x40, TDM_APIC_APR, TDM_APIC_RRD, TDM_APIC_DFR,
				    TDM_APIC_CMCI, TDM_APIC_ICR2, 0x3a0, 0x3d0, 0x400, 0xff0 };
	unsigned int i;
	u64 val;

	x2_on(0);
	for (i = 0; i < ARRAY_SIZE(ro); i++) {
		CHECK_EQ(dev_rdmsr(0, X2(ro[i]), &val), 0);
		CHECK_EQ(dev_wrmsr(0, X2(ro[i]), 0), -EINVAL);
	}
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		CHECK_EQ(dev_rdmsr(0, X2(none[i]), &val), -EINVAL);
		CHECK_EQ(dev_wrmsr(0, X2(none[i]), 0), -EINVAL);
	}
	CHECK_EQ(dev_rdmsr(0, X2(TDM_APIC_EOI), &val), -EINVAL);
	CHECK_EQ(dev_rdmsr(0, X2(TDM_APIC_SELF_IPI), &val), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_EOI), 1), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ESR), 1), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ESR), 0), 0);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_TPR), 0x100), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_TPR), 1ull << 32), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_SVR), 0x1000), -EINVAL);	/* no EOI suppression */
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_LVTT), 0x10040), 0);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_LVTT), 0x11040), 0);		/* status: read-only */
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_LVTT), 0x10140), -EINVAL);
	dev->deadline = false;
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_LVTT), 0x50040), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_LVTERR), 0x10400), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_TDCR), 4), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR), 0x2000), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR), 0x100000), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR), 0x1234567800045040ull), 0);
	CHECK_EQ(dev_rdmsr(0, X2(TDM_APIC_ICR), &val), 0);
	CHECK_EQ(val, 0x1234567800044040ull);	/* never busy */
	CHECK_EQ(dev_take(0), 0x40);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_EOI), 0), 0);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_SELF_IPI), 0x141), -EINVAL);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_SELF_IPI), 0x41), 0);
	CHECK_EQ(dev_take(0), 0x41);
}

static void x2_destinations(void)
{
	int i;

	/* IDs 0, 13, 26 .. 507: clusters, and more than 8 bits */
	for (i = 0; i < 40; i++)
		x2_on(i);
	for (i = 0; i < 40; i++) {
		CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR), (u64)(i * 13) << 32 | 0x4041), 0);
		CHECK_EQ(dev_take(i), 0x41);
		CHECK_EQ(dev_wrmsr(i, X2(TDM_APIC_EOI), 0), 0);
		CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR),
				   (u64)tdm_apic_x2_ldr(i * 13) << 32 | 0x4842), 0);
		CHECK_EQ(dev_take(i), 0x42);
		CHECK_EQ(dev_wrmsr(i, X2(TDM_APIC_EOI), 0), 0);
	}
	/* Cluster 26 holds 416 only, cluster 0 holds 0 and 13. */
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR), 0x0000ffffull << 32 | 0x4843), 0);
	for (i = 0; i < 40; i++)
		CHECK_EQ(dev_take(i), i < 2 ? 0x43 : -1);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_EOI), 0), 0);
	CHECK_EQ(dev_wrmsr(1, X2(TDM_APIC_EOI), 0), 0);
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR), 0xffffffffull << 32 | 0x4044), 0);
	for (i = 0; i < 40; i++) {
		CHECK_EQ(dev_take(i), 0x44);
		CHECK_EQ(dev_wrmsr(i, X2(TDM_APIC_EOI), 0), 0);
	}
	/* 0xff is an ID like others here. */
	CHECK_EQ(dev_wrmsr(0, X2(TDM_APIC_ICR), 0xffull << 32 | 0x4045), 0);
	for (i = 0; i < 40; i++)
		CHECK_EQ(dev_take(i), -1);
}

/* ---- timer ---- */

static void timer_one_shot(void)
{
	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_TDCR, 0xb);		/* by 1: 1 GHz */
	dev_apic_write(0, TDM_APIC_LVTT, 0x40);
	dev_apic_write(0, TDM_APIC_TMICT, 1000000);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 1000000);
	dev_advance(400000);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 600000);
	CHECK_EQ(dev_take(0), -1);
	dev_advance(600000);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 0);
	CHECK(tdm_timer_pending(dev->cpu[0]));
	CHECK_EQ(dev->kicks[0], 1);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(dev_take(0), -1);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 0);
	/* Divided by 16; stopped by 0 */
	dev_apic_write(0, TDM_APIC_TDCR, 0x3);
	dev_apic_write(0, TDM_APIC_TMICT, 1000);
	dev_advance(8000);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 500);
	dev_apic_write(0, TDM_APIC_TDCR, 0xb);		/* faster from here on */
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 500);
	dev_advance(499);
	CHECK_EQ(dev_take(0), -1);
	dev_advance(1);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	dev_apic_write(0, TDM_APIC_TMICT, 1000);
	dev_apic_write(0, TDM_APIC_TMICT, 0);
	dev_advance(10000);
	CHECK_EQ(dev_take(0), -1);
	/* Masked: counts, but is silent, also when unmasked later */
	dev_apic_write(0, TDM_APIC_LVTT, 0x10040);
	dev_apic_write(0, TDM_APIC_TMICT, 1000);
	dev_advance(400);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 600);
	dev_advance(1000);
	dev_apic_write(0, TDM_APIC_LVTT, 0x40);
	dev_advance(10000);
	CHECK_EQ(dev_take(0), -1);
	dev_apic_write(0, TDM_APIC_LVTT, 0x10040);
	dev_apic_write(0, TDM_APIC_TMICT, 1000);
	dev_advance(400);
	dev_apic_write(0, TDM_APIC_LVTT, 0x41);
	dev_advance(600);
	CHECK_EQ(dev_take(0), 0x41);
}

static void timer_periodic(void)
{
	unsigned int fires;
	int i, n = 0;

	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_TDCR, 0xb);
	dev_apic_write(0, TDM_APIC_LVTT, 0x20040);
	dev_apic_write(0, TDM_APIC_TMICT, 1000000);
	for (i = 0; i < 10000; i++) {
		dev_advance(100000);
		if (dev_take(0) == 0x40) {
			n++;
			eoi(0);
		}
	}
	CHECK_EQ(n, 1000);
	dev_advance(250000);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 750000);
	/* A guest that does not run costs the host one timer interrupt. */
	fires = dev_timer_fires;
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(dev_timer_fires - fires, 1);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	CHECK_EQ(dev_take(0), -1);
	dev_advance(749999);
	CHECK_EQ(dev_take(0), -1);		/* in step with the first period */
	dev_advance(1);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	/* The smallest period: not so often that the guest could do nothing else. */
	dev_apic_write(0, TDM_APIC_TMICT, 1);
	fires = dev_timer_fires;
	for (i = 0, n = 0; i < 10000; i++) {
		dev_advance(1000);
		if (dev_take(0) == 0x40) {
			n++;
			eoi(0);
		}
	}
	CHECK(n >= 49 && n <= 50);
	CHECK_EQ(dev_timer_fires - fires, n);
	/* A short one in step: 70 us comes at multiples of 210. */
	dev_apic_write(0, TDM_APIC_TMICT, 70000);
	for (i = 0, n = 0; i < 210; i++) {
		dev_advance(10000);
		n += dev_take(0) == 0x40 && i % 21 == 20;
		eoi(0);
	}
	CHECK_EQ(n, 10);
	/* Periodic to one-shot in flight */
	dev_apic_write(0, TDM_APIC_TMICT, 1000000);
	dev_advance(1500000);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	dev_apic_write(0, TDM_APIC_LVTT, 0x40);
	dev_advance(499999);
	CHECK_EQ(dev_take(0), -1);
	dev_advance(1);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	dev_advance(5000000);
	CHECK_EQ(dev_take(0), -1);
}

static u64 guest_tsc(int cpu)
{
	return rdtsc_ordered() + dev->cpu[cpu]->st.tsc_offset;
}

static void timer_deadline(void)
{
	struct tdm_vcpu *v = dev->cpu[0];

	v->st.tsc_offset = 12345678901ull;
	dev_apic_on(0);
	tdm_lapic_set_deadline(v, guest_tsc(0) + 1000);	/* not in this mode */
	CHECK_EQ(tdm_lapic_get_deadline(v), 0);
	dev_apic_write(0, TDM_APIC_LVTT, 0x40040);
	tdm_lapic_set_deadline(v, guest_tsc(0) + 2000000);	/* 1 ms at 2 GHz */
	dev_advance(999000);
	CHECK_EQ(dev_take(0), -1);
	CHECK(tdm_lapic_get_deadline(v) > guest_tsc(0));
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMCCT), 0);
	dev_apic_write(0, TDM_APIC_TMICT, 5);		/* ignored */
	CHECK_EQ(dev_apic_read(0, TDM_APIC_TMICT), 0);
	dev_advance(2000);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	CHECK_EQ(tdm_lapic_get_deadline(v), 0);
	tdm_lapic_set_deadline(v, guest_tsc(0) - 5);	/* in the past: at once */
	dev_advance(1);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	tdm_lapic_set_deadline(v, guest_tsc(0) + 2000000);
	tdm_lapic_set_deadline(v, 0);
	dev_advance(10000000);
	CHECK_EQ(dev_take(0), -1);
	/* For ever is not overflow. */
	tdm_lapic_set_deadline(v, ~0ull);
	dev_advance(48 * 3600ull * NSEC_PER_SEC);
	CHECK_EQ(dev_take(0), -1);
	/* The guest's TSC jumps ahead: so does the deadline. */
	tdm_lapic_set_deadline(v, guest_tsc(0) + 2000000);
	v->st.tsc_offset += 1000000;
	tdm_lapic_tsc_changed(v);
	dev_advance(510000);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	/* The host's clock runs ahead of the TSC: never early. */
	tdm_lapic_set_deadline(v, guest_tsc(0) + 2000000);
	dev_tsc_skew = -1000;
	dev_advance(1000100);
	CHECK_EQ(dev_take(0), -1);
	dev_advance(500);
	CHECK_EQ(dev_take(0), 0x40);
	eoi(0);
	dev_tsc_skew = 0;
	/* Leaving the mode disarms. */
	tdm_lapic_set_deadline(v, guest_tsc(0) + 2000);
	dev_apic_write(0, TDM_APIC_LVTT, 0x00040);
	dev_advance(10000000);
	CHECK_EQ(dev_take(0), -1);
	/* Without the feature the mode does not exist. */
	dev->deadline = false;
	dev_apic_write(0, TDM_APIC_LVTT, 0x40040);
	CHECK_EQ(dev_apic_read(0, TDM_APIC_LVTT), 0x40);
}

/* What came due before a change is delivered by the old setting. */
static void timer_settles(void)
{
	dev_apic_on(0);
	dev_apic_write(0, TDM_APIC_TDCR, 0xb);
	dev_apic_write(0, TDM_APIC_LVTT, 0x40);
	dev_apic_write(0, TDM_APIC_TMICT, 1000);
	dev_advance(1000);
	dev_apic_write(0, TDM_APIC_LVTT, 0x50);
	dev_apic_write(0, TDM_APIC_TMICT, 1000);
	CHECK_EQ(dev_take(0), 0x40);
	dev_advance(1000);
	CHECK_EQ(dev_take(0), 0x50);
}

static void state(void)
{
	struct kvm_lapic_state s, t;
	u32 *icr2 = (u32 *)(s.regs + TDM_APIC_ICR2), *id = (u32 *)(s.regs + TDM_APIC_ID);

	dev_apic_on(1);
	dev_apic_write(1, TDM_APIC_TDCR, 0xb);
	dev_apic_write(1, TDM_APIC_LVTT, 0x20040);
	dev_apic_write(1, TDM_APIC_TMICT, 1000000);
	self(1, 0x55);
	CHECK_EQ(dev_take(1), 0x55);
	self(1, 0x33);
	dev_apic_write(1, TDM_APIC_LDR, 0x08000000);
	dev_advance(250000);
	CHECK_EQ(tdm_lapic_get(dev->cpu[1], &s), 0);
	CHECK_EQ(*(u32 *)(s.regs + TDM_APIC_TMCCT), 750000);
	CHECK_EQ(*(u32 *)(s.regs + TDM_APIC_PPR), 0x50);
	tdm_lapic_reset(dev->cpu[1], false);
	CHECK_EQ(tdm_lapic_set(dev->cpu[1], &s), 0);
	CHECK_EQ(tdm_lapic_get(dev->cpu[1], &t), 0);
	CHECK_EQ(memcmp(&s, &t, sizeof(s)), 0);
	CHECK_EQ(dev_take(1), -1);
	eoi(1);
	CHECK_EQ(dev_take(1), 0x33);
	eoi(1);
	dev_advance(750000);
	CHECK_EQ(dev_take(1), 0x40);
	eoi(1);
	icr(0, 8, 0x4860);
	CHECK_EQ(dev_take(1), 0x60);
	eoi(1);
	/* x2APIC format */
	x2_on(1);
	CHECK_EQ(dev_wrmsr(1, X2(TDM_APIC_ICR), 0xabcdef0100044070ull), 0);
	CHECK_EQ(tdm_lapic_get(dev->cpu[1], &s), 0);
	CHECK_EQ(*id, 1u << 24);
	CHECK_EQ(*icr2, 0xabcdef01);
	*icr2 = 0x11223344;
	CHECK_EQ(tdm_lapic_set(dev->cpu[1], &s), 0);
	CHECK_EQ(tdm_lapic_get(dev->cpu[1], &t), 0);
	CHECK_EQ(memcmp(&s, &t, sizeof(s)), 0);
	dev->vm.x2apic_api = KVM_X2APIC_API_USE_32BIT_IDS;
	CHECK_EQ(tdm_lapic_set(dev->cpu[1], &s), -EINVAL);
	CHECK_EQ(tdm_lapic_get(dev->cpu[1], &s), 0);
	CHECK_EQ(*id, 1);
	CHECK_EQ(tdm_lapic_set(dev->cpu[1], &s), 0);
	/* Anything at all is survived. */
	dev->vm.x2apic_api = 0;
	memset(&s, 0xff, sizeof(s));
	CHECK_EQ(tdm_lapic_set(dev->cpu[1], &s), 0);
	CHECK_EQ(dev_take(1), -1);
	dev_advance(NSEC_PER_SEC);
	memset(&s, 0, sizeof(s));
	CHECK_EQ(tdm_lapic_set(dev->cpu[1], &s), 0);
	dev_advance(NSEC_PER_SEC);
	CHECK_EQ(dev_take(1), -1);
}

/* No LAPIC in the kernel: the caller's interrupt, and CR8. */
static void without_lapic(void)
{
	struct tdm_vm *vm = calloc(1, sizeof(*vm));
	struct tdm_vcpu *v = calloc(1, sizeof(*v));
	struct kvm_lapic_state s;
	u64 val;

	v->vm = vm;
	v->ev.user_irq = -1;
	CHECK(!tdm_irq_pending(v));
	v->ev.user_irq = 0x30;
	CHECK(tdm_irq_pending(v));
	CHECK_EQ(tdm_irq_ack(v), 0x30);
	CHECK_EQ(tdm_irq_ack(v), -1);
	tdm_lapic_set_tpr(v, 9);
	CHECK_EQ(tdm_lapic_get_tpr(v), 9);
	CHECK_EQ(tdm_lapic_get(v, &s), -EINVAL);
	CHECK_EQ(tdm_lapic_set(v, &s), -EINVAL);
	CHECK_EQ(tdm_lapic_msr_get(v, 0x802, &val), -EINVAL);
	CHECK_EQ(tdm_lapic_msr_set(v, 0x80b, 0), -EINVAL);
	CHECK_EQ(tdm_lapic_set_base(v, BASE | BASE_ON, false), 0);
	CHECK_EQ(tdm_lapic_get_deadline(v), 0);
	tdm_lapic_set_deadline(v, 5);
	tdm_lapic_tsc_changed(v);
	tdm_timers_inject(v);
	tdm_timers_migrate(v);
	CHECK(!tdm_timer_pending(v));
	CHECK_EQ(tdm_lapic_tpr_threshold(v), 0);
	free(v);
	free(vm);
}

static void pure(void)
{
	unsigned int tpr, isr, code;
	static const u32 divs[] = { 2, 4, 8, 16, 32, 64, 128, 1 };

	for (tpr = 0; tpr < 256; tpr++)
		for (isr = 15; isr < 256; isr++) {
			u8 ppr = tdm_apic_ppr(tpr, isr == 15 ? -1 : (int)isr);
			unsigned int c = isr == 15 ? 0 : isr >> 4;

			/* SDM 11.8.3.1: the class is the larger; PPR[3:0] is TPR's if TPR's class is not smaller. */
			CHECK_EQ(ppr >> 4, max(tpr >> 4, c));
			CHECK_EQ(ppr & 15, tpr >> 4 >= c ? tpr & 15 : 0);
		}
	for (code = 0; code < 8; code++)
		CHECK_EQ(tdm_apic_divisor((code & 3) | (code & 4) << 1), divs[code]);
	CHECK_EQ(tdm_apic_timer_count(100, 2, false, 198), 1);
	CHECK_EQ(tdm_apic_timer_count(100, 2, false, 200), 0);
	CHECK_EQ(tdm_apic_timer_count(100, 2, true, 200), 100);
	CHECK_EQ(tdm_apic_timer_count(100, 2, true, 202), 99);
	CHECK_EQ(tdm_apic_tpr_threshold(-1, 0xff), 0);
	CHECK_EQ(tdm_apic_tpr_threshold(0x41, 0x40), 4);
	CHECK_EQ(tdm_apic_tpr_threshold(0x51, 0x40), 0);
	CHECK_EQ(tdm_apic_tpr_threshold(0x31, 0x40), 3);
}

static const struct dev_test tests[] = {
	{ "lapic arithmetic", pure, 0, 0 },
	{ "lapic state after reset", reset_state, 2, 1 },
	{ "lapic INIT", init_keeps, 2, 1 },
	{ "lapic priorities", priorities, 1, 1 },
	{ "lapic all vectors", all_vectors, 1, 1 },
	{ "lapic shorthands", shorthands, 4, 1 },
	{ "lapic physical destinations", physical, 4, 1 },
	{ "lapic logical, flat", logical_flat, 8, 1 },
	{ "lapic logical, cluster", logical_cluster, 8, 1 },
	{ "lapic lowest priority", lowest_priority, 4, 1 },
	{ "lapic NMI, INIT, SIPI", nmi_init_sipi, 3, 1 },
	{ "lapic errors", errors, 1, 1 },
	{ "lapic MMIO accesses", mmio_shapes, 1, 1 },
	{ "lapic modes", modes, 2, 17 },
	{ "lapic x2APIC registers", x2_registers, 1, 1 },
	{ "lapic x2APIC destinations", x2_destinations, 40, 13 },
	{ "lapic timer one-shot", timer_one_shot, 1, 1 },
	{ "lapic timer periodic", timer_periodic, 1, 1 },
	{ "lapic timer TSC deadline", timer_deadline, 1, 1 },
	{ "lapic timer change after expiry", timer_settles, 1, 1 },
	{ "lapic state", state, 2, 1 },
	{ "lapic absent", without_lapic, 1, 1 },
};

DEV_TEST_MAIN(tests)
