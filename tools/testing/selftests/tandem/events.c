// SPDX-License-Identifier: GPL-2.0-only
/*
 * events.c - interrupts, NMIs and exceptions that userspace injects, and the
 * window it asks for.
 *
 * Real-mode guests: a handler is four bytes of IVT away.
 */
#include "fixture.h"

/* The handler tells which one it is; the code counts. */
CODE16(handler_a, "mov $0xa, %al; out %al, $0x11; iret");
CODE16(handler_n, "mov $0xb, %al; out %al, $0x11; iret");
CODE16(code_sti, "sti; 1: inc %bx; out %al, $0x10; jmp 1b");
CODE16(code_cli, "cli; nop; out %al, $0x10; sti; nop; out %al, $0x12; hlt");

#define HANDLER_A 0x3000UL
#define HANDLER_N 0x3100UL
#define VEC 0x40

static int prepare(struct tvm *vm, struct tvcpu *v, const void *code,
		   size_t len)
{
	tvm_load(vm, HANDLER_A, handler_a, CODE_LEN(handler_a));
	tvm_load(vm, HANDLER_N, handler_n, CODE_LEN(handler_n));
	tvm_ivt(vm, VEC, HANDLER_A);
	tvm_ivt(vm, 2, HANDLER_N);
	tvm_ivt(vm, 13, HANDLER_A);
	return tvcpu_real(vm, v, code, len);
}

static int interrupt(struct tvcpu *v, uint32_t vec)
{
	struct kvm_interrupt irq = { .irq = vec };

	return ioctl(v->fd, KVM_INTERRUPT, &irq);
}

TEST_F(bare, interrupt)
{
	struct kvm_regs r;

	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_sti, CODE_LEN(code_sti)));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	EXPECT_EQ(1, self->v.run->if_flag);
	EXPECT_EQ(1, self->v.run->ready_for_interrupt_injection);
	ASSERT_EQ(0, interrupt(&self->v, VEC));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
	EXPECT_EQ(0xa, tvcpu_io_data(&self->v));
	EXPECT_EQ(0, self->v.run->if_flag);
	/* Back where it was. */
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(2, r.rbx);
	EXPECT_EQ(TVM_STACK, r.rsp);
	EXPECT_ERRNO(EINVAL, interrupt(&self->v, 256));
}

TEST_F(bare, window)
{
	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_cli, CODE_LEN(code_cli)));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	EXPECT_EQ(0, self->v.run->ready_for_interrupt_injection);
	self->v.run->request_interrupt_window = 1;
	RUN_OK(&self->v);
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, self->v.run->exit_reason);
	EXPECT_EQ(1, self->v.run->ready_for_interrupt_injection);
	EXPECT_EQ(1, self->v.run->if_flag);
	self->v.run->request_interrupt_window = 0;
	ASSERT_EQ(0, interrupt(&self->v, VEC));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x12));
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);
}

TEST_F(bare, interrupt_ends_hlt)
{
	CODE16(code_hlt, "sti; 1: hlt; inc %bx; jmp 1b");

	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_hlt, CODE_LEN(code_hlt)));
	for (int i = 0; i < 3; i++) {
		struct kvm_regs r;

		RUN_OK(&self->v);
		ASSERT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);
		ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
		EXPECT_EQ(i, r.rbx);
		ASSERT_EQ(0, interrupt(&self->v, VEC));
		RUN_OK(&self->v);
		EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
	}
}

/* Pending over a register round trip, as a migration does it. */
TEST_F(bare, interrupt_survives_state)
{
	struct kvm_vcpu_events ev;
	struct kvm_sregs s;

	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_sti, CODE_LEN(code_sti)));
	RUN_OK(&self->v);
	ASSERT_EQ(0, interrupt(&self->v, VEC));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &s));
	EXPECT_EQ(1UL << (VEC % 64), s.interrupt_bitmap[VEC / 64]);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	EXPECT_EQ(1, ev.interrupt.injected);
	EXPECT_EQ(VEC, ev.interrupt.nr);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_SREGS, &s));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &ev));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
}

TEST_F(bare, nmi)
{
	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_cli, CODE_LEN(code_cli)));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	/* IF is clear: an NMI does not care. */
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_NMI, 0UL));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
	EXPECT_EQ(0xb, tvcpu_io_data(&self->v));
	/* A second one waits for the handler's IRET. */
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_NMI, 0UL));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x12));
}

TEST_F(bare, nmi_masked)
{
	struct kvm_vcpu_events ev;

	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_cli, CODE_LEN(code_cli)));
	RUN_OK(&self->v);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	EXPECT_EQ(0, ev.nmi.masked);
	ev.nmi.masked = 1;
	ev.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &ev));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_NMI, 0UL));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	EXPECT_EQ(1, ev.nmi.pending);
	EXPECT_EQ(1, ev.nmi.masked);
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x12));
	/* Unmasked: it comes. */
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	ev.nmi.masked = 0;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &ev));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
}

TEST_F(bare, exception)
{
	struct kvm_vcpu_events ev;
	struct kvm_regs r;

	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_cli, CODE_LEN(code_cli)));
	RUN_OK(&self->v);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	ev.flags = 0;
	ev.exception.injected = 1;
	ev.exception.nr = 13;
	ev.exception.has_error_code = 0;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &ev));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x11));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	/* IP, CS, FLAGS on the stack. */
	EXPECT_EQ(TVM_STACK - 6, r.rsp);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	EXPECT_EQ(0, ev.exception.injected);
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x12));
}

CODE32(gp_handler, "pop %eax; out %eax, $0x30; hlt");
CODE32(idle32, "out %al, $0x10; 1: jmp 1b");

TEST_F(bare, exception_error_code)
{
	struct kvm_vcpu_events ev;

	tvm_load(&self->vm, TVM_HANDLERS, gp_handler, CODE_LEN(gp_handler));
	tvm_idt32(&self->vm, 13, TVM_HANDLERS);
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, idle32, CODE_LEN(idle32)));
	RUN_OK(&self->v);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	ev.flags = 0;
	ev.exception.injected = 1;
	ev.exception.nr = 13;
	ev.exception.has_error_code = 1;
	ev.exception.error_code = 0x1234;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &ev));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4, 0x30));
	EXPECT_EQ(0x1234, tvcpu_io_data(&self->v));
}

/* A shadow set from outside holds an interrupt back for one instruction. */
TEST_F(bare, shadow)
{
	struct kvm_vcpu_events ev;
	struct kvm_regs r;

	ASSERT_EQ(0, prepare(&self->vm, &self->v, code_sti, CODE_LEN(code_sti)));
	RUN_OK(&self->v);
	/* Complete the OUT. */
	self->v.run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	self->v.run->immediate_exit = 0;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_VCPU_EVENTS, &ev));
	ev.flags = KVM_VCPUEVENT_VALID_SHADOW;
	ev.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ev.interrupt.injected = 0;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_VCPU_EVENTS, &ev));
	self->v.run->request_interrupt_window = 1;
	RUN_OK(&self->v);
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, self->v.run->exit_reason);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	/* jmp 1b ran under the shadow. */
	EXPECT_EQ(TVM_CODE + 1, r.rip);
}

TEST_F(chip, no_direct_interrupts)
{
	struct kvm_interrupt irq = { .irq = VEC };

	EXPECT_ERRNO(ENXIO, ioctl(self->v.fd, KVM_INTERRUPT, &irq));
}

TEST_HARNESS_MAIN
