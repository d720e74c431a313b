// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqchip.c - the interrupt controllers in the kernel: state in and out, lines
 * by KVM_IRQ_LINE, edge and level, MSIs.
 */
#include <pthread.h>

#include "fixture.h"

#define LAPIC_SVR 0xf0
#define LAPIC_LVT0 0x350
#define HANDLER 0x3000UL
#define PIC_VEC 0x20

static int line(struct tvm *vm, int gsi, int level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	return ioctl(vm->fd, KVM_IRQ_LINE, &irq);
}

TEST(creation)
{
	struct kvm_irqchip chip = { 0 };
	struct kvm_pit_config pit = { 0 };
	struct tvm vm;
	struct tvcpu v;

	REQUIRE_DEVICE();
	ASSERT_EQ(0, tvm_create(&vm, 0));
	EXPECT_ERRNO(ENXIO, ioctl(vm.fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_ERRNO(ENXIO, ioctl(vm.fd, KVM_SET_IRQCHIP, &chip));
	EXPECT_ERRNO(ENXIO, line(&vm, 4, 1));
	EXPECT_EQ(0, ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0UL));
	EXPECT_ERRNO(EEXIST, ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0UL));
	EXPECT_EQ(0, ioctl(vm.fd, KVM_CREATE_PIT2, &pit));
	EXPECT_ERRNO(EEXIST, ioctl(vm.fd, KVM_CREATE_PIT2, &pit));
	tvm_destroy(&vm);

	/* Too late once there is a vCPU without a LAPIC. */
	ASSERT_EQ(0, tvm_create(&vm, 0));
	ASSERT_EQ(0, tvcpu_create(&vm, &v, 0));
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0UL));
	tvcpu_destroy(&vm, &v);
	tvm_destroy(&vm);
}

TEST_F(chip, state)
{
	for (uint32_t id = 0; id < 3; id++) {
		struct kvm_irqchip a = { .chip_id = id }, b = a;

		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_IRQCHIP, &a));
		if (id < 2) {
			a.chip.pic.irq_base = 0x50 + 8 * id;
			a.chip.pic.imr = 0xa5;
			a.chip.pic.elcr = id ? 0x02 : 0x20;
		} else {
			EXPECT_EQ(0xfec00000, a.chip.ioapic.base_address);
			EXPECT_TRUE(!!a.chip.ioapic.redirtbl[5].fields.mask);
			a.chip.ioapic.redirtbl[5].bits = 0x0100000000018055;
			a.chip.ioapic.id = 3;
		}
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_IRQCHIP, &a));
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_IRQCHIP, &b));
		EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)))
			TH_LOG("chip %u", id);
	}
}

TEST_F(chip, bad_chip)
{
	struct kvm_irqchip chip = { .chip_id = 3 };

	EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, KVM_SET_IRQCHIP, &chip));
}

TEST_F(chip, pit_state)
{
	struct kvm_pit_state2 a, b;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &a));
	a.channels[0].count = 0x1234;
	a.channels[0].mode = 2;
	a.channels[0].rw_mode = 3;
	a.channels[0].gate = 1;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_PIT2, &a));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &b));
	EXPECT_EQ(0x1234, b.channels[0].count);
	EXPECT_EQ(2, b.channels[0].mode);
	EXPECT_EQ(3, b.channels[0].rw_mode);
}

/* LAPIC on, LINT0 as ExtINT, PIC 0 at PIC_VEC with only IRQ 4 open. */
static int open_pic(struct tvm *vm, struct tvcpu *v, int level)
{
	struct kvm_lapic_state lapic;
	struct kvm_irqchip pic = { .chip_id = 0 };

	if (ioctl(v->fd, KVM_GET_LAPIC, &lapic))
		return -1;
	*(uint32_t *)(lapic.regs + LAPIC_SVR) = 0x1ff;
	*(uint32_t *)(lapic.regs + LAPIC_LVT0) = 0x700;
	if (ioctl(v->fd, KVM_SET_LAPIC, &lapic) ||
	    ioctl(vm->fd, KVM_GET_IRQCHIP, &pic))
		return -1;
	pic.chip.pic.irq_base = PIC_VEC;
	pic.chip.pic.imr = (uint8_t)~0x10;
	pic.chip.pic.elcr = level ? 0x10 : 0;
	pic.chip.pic.elcr_mask = 0xf8;
	return ioctl(vm->fd, KVM_SET_IRQCHIP, &pic);
}

CODE16(pic_handler, "inc %cx; mov $0x20, %al; out %al, $0x20; iret");
CODE16(pic_code, "sti; nop; 1: mov %cx, %ax; out %ax, $0x10; jmp 1b");

/* What the handler has counted, after some guest time. */
#define COUNT(want)							\
	do {								\
		RUN_OK(&self->v);					\
		RUN_OK(&self->v);					\
		ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 2,	\
					0x10));				\
		EXPECT_EQ(want, tvcpu_io_data(&self->v));		\
	} while (0)

TEST_F(chip, pic_edge)
{
	tvm_load(&self->vm, HANDLER, pic_handler, CODE_LEN(pic_handler));
	tvm_ivt(&self->vm, PIC_VEC + 4, HANDLER);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, pic_code,
				CODE_LEN(pic_code)));
	ASSERT_EQ(0, open_pic(&self->vm, &self->v, 0));
	COUNT(0);
	ASSERT_EQ(0, line(&self->vm, 4, 1));
	COUNT(1);
	/* Only the edge counts. */
	ASSERT_EQ(0, line(&self->vm, 4, 1));
	COUNT(1);
	ASSERT_EQ(0, line(&self->vm, 4, 0));
	COUNT(1);
	ASSERT_EQ(0, line(&self->vm, 4, 1));
	ASSERT_EQ(0, line(&self->vm, 4, 0));
	COUNT(2);
}

CODE16(level_handler, "inc %cx; mov %cx, %ax; out %ax, $0x14\n"
		      "mov $0x20, %al; out %al, $0x20; iret");

TEST_F(chip, pic_level)
{
	tvm_load(&self->vm, HANDLER, level_handler, CODE_LEN(level_handler));
	tvm_ivt(&self->vm, PIC_VEC + 4, HANDLER);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, pic_code,
				CODE_LEN(pic_code)));
	ASSERT_EQ(0, open_pic(&self->vm, &self->v, 1));
	COUNT(0);
	ASSERT_EQ(0, line(&self->vm, 4, 1));
	/* Again and again, as long as the line is up. */
	for (int i = 1; i <= 3; i++) {
		RUN_OK(&self->v);
		ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 2, 0x14));
		EXPECT_EQ(i, tvcpu_io_data(&self->v));
	}
	ASSERT_EQ(0, line(&self->vm, 4, 0));
	COUNT(3);
}

CODE16(hlt_code, "sti; 1: hlt; mov %cx, %ax; out %ax, $0x10; jmp 1b");

static void *raise_later(void *arg)
{
	usleep(300000);
	return (void *)(long)line(arg, 4, 1);
}

/* HLT waits in the kernel; a line raised elsewhere ends it. */
TEST_F(chip, hlt_wakes)
{
	pthread_t thread;
	void *result;

	tvm_load(&self->vm, HANDLER, pic_handler, CODE_LEN(pic_handler));
	tvm_ivt(&self->vm, PIC_VEC + 4, HANDLER);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, hlt_code,
				CODE_LEN(hlt_code)));
	ASSERT_EQ(0, open_pic(&self->vm, &self->v, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, raise_later, &self->vm));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 2, 0x10));
	EXPECT_EQ(1, tvcpu_io_data(&self->v));
	pthread_join(thread, &result);
	EXPECT_EQ(NULL, result);
}

/* A HLT that nothing ends is left for a signal. */
TEST_F(chip, hlt_signal)
{
	CODE16(hlt_cli, "cli; hlt");

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, hlt_cli,
				CODE_LEN(hlt_cli)));
	tvm_kick_after(0.2);
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	tvm_kick_stop();
}

TEST_F(chip, msi)
{
	struct kvm_lapic_state lapic;
	struct kvm_msi msi = {
		.address_lo = 0xfee00000,
		.data = 0x55,
	};

	if (!tvm_cap(self->vm.dev, KVM_CAP_SIGNAL_MSI))
		SKIP(return, "no KVM_CAP_SIGNAL_MSI");
	tvm_load(&self->vm, HANDLER, pic_handler, CODE_LEN(pic_handler));
	tvm_ivt(&self->vm, 0x55, HANDLER);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, pic_code,
				CODE_LEN(pic_code)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_LAPIC, &lapic));
	*(uint32_t *)(lapic.regs + LAPIC_SVR) = 0x1ff;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_LAPIC, &lapic));
	COUNT(0);
	EXPECT_EQ(1, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
	COUNT(1);
	/* In service: no EOI was given to the LAPIC. */
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_LAPIC, &lapic));
	EXPECT_EQ(1U << (0x55 % 32),
		  *(uint32_t *)(lapic.regs + 0x100 + 0x10 * (0x55 / 32)));
	/* Nobody there. */
	msi.address_lo = 0xfee7f000;
	EXPECT_GE(0, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
	msi.flags = 0x80;
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
}

TEST_F(chip, ioapic)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_lapic_state lapic;

	tvm_load(&self->vm, HANDLER, pic_handler, CODE_LEN(pic_handler));
	tvm_ivt(&self->vm, 0x66, HANDLER);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, pic_code,
				CODE_LEN(pic_code)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_LAPIC, &lapic));
	*(uint32_t *)(lapic.regs + LAPIC_SVR) = 0x1ff;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_LAPIC, &lapic));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[20].bits = 0x8066; /* level, to APIC 0 */
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_IRQCHIP, &chip));
	COUNT(0);
	ASSERT_EQ(0, line(&self->vm, 20, 1));
	COUNT(1);
	/* Remote IRR until the EOI, which this guest does not give. */
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_IRQCHIP, &chip));
	EXPECT_TRUE(!!chip.chip.ioapic.redirtbl[20].fields.remote_irr);
	COUNT(1);
	ASSERT_EQ(0, line(&self->vm, 20, 0));
}

TEST_HARNESS_MAIN
