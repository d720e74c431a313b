// SPDX-License-Identifier: GPL-2.0-only
/*
 * regs.c - vCPU state in and out: what is set is what is read, what makes no
 * sense is refused and changes nothing.
 */
#include "fixture.h"

TEST_F(bare, reset)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &s));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	/* SDM vol. 3, "Processor State After Reset". */
	EXPECT_EQ(0xfff0, r.rip);
	EXPECT_EQ(2, r.rflags);
	EXPECT_EQ(0xf000, s.cs.selector);
	EXPECT_EQ(0xffff0000, s.cs.base);
	EXPECT_EQ(0xffff, s.cs.limit);
	EXPECT_EQ(0x60000010, s.cr0);
	EXPECT_EQ(0, s.cr4);
	EXPECT_EQ(0, s.efer);
	EXPECT_EQ(0, s.ds.base);
	EXPECT_EQ(0xffff, s.gdt.limit);
	EXPECT_EQ(0xffff, s.idt.limit);
}

TEST_F(bare, regs)
{
	struct kvm_regs a, b;
	uint64_t *p = (uint64_t *)&a;

	for (size_t i = 0; i < sizeof(a) / 8; i++)
		p[i] = 0x0123456789abcdefULL * (i + 1);
	a.rflags = 0x246;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_REGS, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	/* Bit 1 of RFLAGS cannot be cleared. */
	a.rflags = 0;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_REGS, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &b));
	EXPECT_EQ(2, b.rflags);
}

CODE64(halt64, "hlt");

TEST_F(bare, sregs)
{
	struct kvm_sregs a, b;

	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, halt64,
				CODE_LEN(halt64)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &a));
	a.fs.base = 0x7fff12345678;
	a.gs.base = 0xffff888812345678;
	a.cr2 = 0x1234567890;
	a.gdt.base = 0xfffffe0000001000;
	a.gdt.limit = 0x7f;
	a.idt.base = 0xfffffe0000000000;
	a.idt.limit = 0xfff;
	a.ldt.unusable = 1;
	a.ldt.present = 0;
	a.tr.base = 0xfffffe0000003000;
	a.tr.selector = 0x40;
	a.ds.selector = 0;
	a.ds.unusable = 1;
	a.ds.present = 0;
	a.cr8 = 5;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_SREGS, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &b));
#define SAME(field) EXPECT_EQ(a.field, b.field)
	SAME(fs.base);
	SAME(gs.base);
	SAME(cr0);
	SAME(cr2);
	SAME(cr3);
	SAME(cr4);
	SAME(cr8);
	SAME(efer);
	SAME(gdt.base);
	SAME(gdt.limit);
	SAME(idt.base);
	SAME(idt.limit);
	SAME(tr.base);
	SAME(tr.selector);
	SAME(ds.unusable);
	SAME(ldt.unusable);
	SAME(cs.l);
	SAME(cs.type);
	SAME(ss.limit);
	SAME(apic_base);
}

TEST_F(bare, sregs_refused)
{
	struct kvm_sregs good, bad, now;

	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, halt64,
				CODE_LEN(halt64)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &good));
#define REFUSED(change)							\
	do {								\
		bad = good;						\
		change;							\
		EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_SREGS,	\
					   &bad));			\
		ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &now));	\
		EXPECT_EQ(0, memcmp(&good, &now, sizeof(good)))		\
			TH_LOG(#change);				\
	} while (0)
	REFUSED(bad.cr0 &= ~CR0_PE);
	REFUSED(bad.cr4 &= ~CR4_PAE);
	REFUSED(bad.efer &= ~EFER_LMA);
	REFUSED(bad.cr4 |= 1UL << 15);
	REFUSED(bad.cr4 |= 1UL << 40);
	REFUSED(bad.cr0 |= 1UL << 32);
	REFUSED(bad.apic_base |= 1UL << 60);
	REFUSED(bad.cr3 |= 1UL << 60);
}

TEST_F(bare, fpu)
{
	struct kvm_fpu a, b;

	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_FPU, &a));
	/* RESET leaves 0x40 (SDM vol. 3); KVM starts as after FNINIT. */
	EXPECT_EQ(tvm_is_kvm() ? 0x37f : 0x40, a.fcw);
	for (int i = 0; i < 16; i++)
		memset(a.xmm[i], 0x10 + i, 16);
	a.fcw = 0x27f;
	a.fsw = 0x3800;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_FPU, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_FPU, &b));
	EXPECT_EQ(0, memcmp(a.xmm, b.xmm, sizeof(a.xmm)));
	EXPECT_EQ(a.fcw, b.fcw);
	EXPECT_EQ(a.fsw, b.fsw);
}

TEST_F(bare, xsave)
{
	struct kvm_xsave a, b;

	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_XSAVE, &a));
	memset(&a.region[40], 0x5a, 16 * 16); /* XMM */
	a.region[128] |= 2; /* XSTATE_BV: SSE */
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_XSAVE, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_XSAVE, &b));
	EXPECT_EQ(0, memcmp(&a.region[40], &b.region[40], 16 * 16));
	/* A state component that does not exist, a compacted image. */
	b = a;
	b.region[129] |= 1U << 30;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_XSAVE, &b));
	b = a;
	b.region[6] = 0xffff0000; /* MXCSR reserved bits */
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_XSAVE, &b));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_XSAVE, &b));
	EXPECT_EQ(0, memcmp(&a.region[40], &b.region[40], 16 * 16));
}

TEST_F(bare, xcrs)
{
	struct kvm_xcrs x;

	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	if (!tvm_cap(self->vm.dev, KVM_CAP_XCRS))
		SKIP(return, "no KVM_CAP_XCRS");
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(1, x.nr_xcrs);
	EXPECT_EQ(0, x.xcrs[0].xcr);
	EXPECT_EQ(1, x.xcrs[0].value);
	x.xcrs[0].value = 3;
	EXPECT_EQ(0, ioctl(self->v.fd, KVM_SET_XCRS, &x));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(3, x.xcrs[0].value);
	x.xcrs[0].value = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_XCRS, &x));
	x.xcrs[0].value = 5;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_XCRS, &x));
	x.xcrs[0].value = 1UL << 62 | 3;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_XCRS, &x));
	x.xcrs[0].value = 3;
	x.flags = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_XCRS, &x));
	x.flags = 0;
	x.nr_xcrs = KVM_MAX_XCRS + 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_XCRS, &x));
}

TEST_F(bare, debugregs)
{
	struct kvm_debugregs a, b;

	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_DEBUGREGS, &a));
	EXPECT_EQ(0xffff0ff0, a.dr6);
	EXPECT_EQ(0x400, a.dr7);
	a.db[0] = 0x1111;
	a.db[1] = 0x2222;
	a.db[2] = 0xffff800000003333;
	a.db[3] = 0x4444;
	a.dr6 = 0xffff4ff3;
	a.dr7 = 0x33330755;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_DEBUGREGS, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_DEBUGREGS, &b));
	EXPECT_EQ(0, memcmp(a.db, b.db, sizeof(a.db)));
	EXPECT_EQ(a.dr6, b.dr6);
	EXPECT_EQ(a.dr7, b.dr7);
	b.dr7 |= 1UL << 32;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_DEBUGREGS, &b));
	b = a;
	b.dr6 |= 1UL << 32;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_DEBUGREGS, &b));
	b = a;
	b.flags = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_DEBUGREGS, &b));
}

TEST_F(bare, vcpu_events)
{
	struct kvm_vcpu_events a, b;

	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &a));
	EXPECT_EQ(0, a.exception.injected);
	EXPECT_EQ(0, a.interrupt.injected);
	EXPECT_EQ(0, a.nmi.injected | a.nmi.pending | a.nmi.masked);
	a.exception.injected = 1;
	a.exception.nr = 13;
	a.exception.has_error_code = 1;
	a.exception.error_code = 0x18;
	a.nmi.masked = 1;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &b));
	EXPECT_EQ(1, b.exception.injected);
	EXPECT_EQ(13, b.exception.nr);
	EXPECT_EQ(1, b.exception.has_error_code);
	EXPECT_EQ(0x18, b.exception.error_code);
	EXPECT_EQ(1, b.nmi.masked);
	b = a;
	b.flags = 0x80000000;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &b));
	b = a;
	b.exception.nr = 32;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &b));
	b.exception.nr = 2;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &b));
}

TEST_F(bare, mp_state)
{
	struct kvm_mp_state mp;

	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state);
	/* Without a LAPIC there is nothing to wait for. */
	mp.mp_state = KVM_MP_STATE_HALTED;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_MP_STATE, &mp));
	mp.mp_state = 77;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_MP_STATE, &mp));
	mp.mp_state = KVM_MP_STATE_RUNNABLE;
	EXPECT_EQ(0, ioctl(self->v.fd, KVM_SET_MP_STATE, &mp));
}

TEST_F(chip, mp_state)
{
	struct kvm_mp_state mp;
	struct tvcpu ap;

	ASSERT_EQ(0, tvcpu_create(&self->vm, &ap, 1));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp.mp_state);
	ASSERT_EQ(0, ioctl(ap.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, mp.mp_state);
	mp.mp_state = KVM_MP_STATE_HALTED;
	EXPECT_EQ(0, ioctl(ap.fd, KVM_SET_MP_STATE, &mp));
	mp.mp_state = 0;
	EXPECT_EQ(0, ioctl(ap.fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_HALTED, mp.mp_state);
	mp.mp_state = 77;
	EXPECT_ERRNO(EINVAL, ioctl(ap.fd, KVM_SET_MP_STATE, &mp));
	tvcpu_destroy(&self->vm, &ap);
}

TEST_F(chip, lapic)
{
	struct kvm_lapic_state a, b;

	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_LAPIC, &a));
	EXPECT_EQ(0, *(uint32_t *)(a.regs + 0x20));
	EXPECT_EQ(0xff, *(uint32_t *)(a.regs + 0xf0));
	EXPECT_EQ(0x14, *(uint32_t *)(a.regs + 0x30) & 0xff);
	*(uint32_t *)(a.regs + 0xf0) = 0x1ff;
	*(uint32_t *)(a.regs + 0x350) = 0x10700;
	*(uint32_t *)(a.regs + 0x80) = 0x30;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_LAPIC, &a));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_LAPIC, &b));
	EXPECT_EQ(0x1ff, *(uint32_t *)(b.regs + 0xf0));
	EXPECT_EQ(0x10700, *(uint32_t *)(b.regs + 0x350));
	EXPECT_EQ(0x30, *(uint32_t *)(b.regs + 0x80));
}

TEST_F(bare, no_lapic)
{
	struct kvm_lapic_state lapic;

	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_GET_LAPIC, &lapic));
	memset(&lapic, 0, sizeof(lapic));
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_LAPIC, &lapic));
}

TEST_F(bare, msrs)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[4];
	} list = { .head.nmsrs = 4 };
	uint64_t value;

	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	list.entry[0].index = 0xc0000082; /* LSTAR */
	list.entry[0].data = 0xffff800000001000;
	list.entry[1].index = 0x176; /* SYSENTER_EIP */
	list.entry[1].data = 0xffff800000002000;
	list.entry[2].index = 0x4f4f4f4f; /* none */
	list.entry[3].index = 0xc0000083; /* CSTAR */
	/* Stops at the first that cannot be done, and says how many were. */
	EXPECT_EQ(2, ioctl(self->v.fd, KVM_SET_MSRS, &list));
	EXPECT_EQ(1, tvcpu_get_msr(&self->v, 0xc0000082, &value));
	EXPECT_EQ(0xffff800000001000, value);
	EXPECT_EQ(2, ioctl(self->v.fd, KVM_GET_MSRS, &list));
	EXPECT_EQ(0, tvcpu_get_msr(&self->v, 0x4f4f4f4f, &value));
	EXPECT_EQ(0, tvcpu_set_msr(&self->v, 0xc0000082, 0x800000000000));
	EXPECT_EQ(0, tvcpu_set_msr(&self->v, 0x277, 0x0202020202020202));
	list.head.nmsrs = 100000;
	EXPECT_ERRNO(E2BIG, ioctl(self->v.fd, KVM_GET_MSRS, &list));
}

TEST_HARNESS_MAIN
