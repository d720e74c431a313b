// SPDX-License-Identifier: GPL-2.0-only
/*
 * run_exits.c - KVM_RUN: each exit's fields, how an exit is completed, how a
 * run is interrupted, and who may run what from where.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "fixture.h"

CODE16(ports, "mov $0x12345678, %eax\n"
	      "out %al, $0x10\n"
	      "mov $0x1234, %dx\n"
	      "out %ax, %dx\n"
	      "out %eax, %dx\n"
	      "in $0x20, %al\n"
	      "mov %al, %bl\n"
	      "mov $0x4321, %dx\n"
	      "in %dx, %ax\n"
	      "mov %ax, %cx\n"
	      "in %dx, %eax\n"
	      "mov %eax, %esi\n"
	      "hlt");

TEST_F(bare, ports)
{
	struct kvm_regs r;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, ports, CODE_LEN(ports)));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	EXPECT_EQ(1, self->v.run->io.count);
	EXPECT_EQ(0x78, tvcpu_io_data(&self->v));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 2, 0x1234));
	EXPECT_EQ(0x5678, tvcpu_io_data(&self->v));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4, 0x1234));
	EXPECT_EQ(0x12345678, tvcpu_io_data(&self->v));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_IN, 1, 0x20));
	tvcpu_io_answer(&self->v, 0xa5);
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_IN, 2, 0x4321));
	tvcpu_io_answer(&self->v, 0xb6c7);
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_IN, 4, 0x4321));
	tvcpu_io_answer(&self->v, 0x9abcdef0);
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(0xa5, r.rbx & 0xff);
	EXPECT_EQ(0xb6c7, r.rcx & 0xffff);
	EXPECT_EQ(0x9abcdef0, r.rsi);
	/* Behind the HLT. */
	EXPECT_EQ(TVM_CODE + CODE_LEN(ports), r.rip);
}

CODE16(rep_outs, "mov $0x2000, %si; mov $300, %cx; mov $0x30, %dx; cld\n"
		 "rep outsb; mov $100, %cx; rep outsl; hlt");

TEST_F(bare, rep_outs)
{
	uint8_t got[700];
	unsigned int n = 0, exits = 0;

	for (int i = 0; i < 700; i++)
		self->vm.mem[0x2000 + i] = (uint8_t)(i * 13);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, rep_outs,
				CODE_LEN(rep_outs)));
	for (;;) {
		unsigned int len;

		RUN_OK(&self->v);
		if (self->v.run->exit_reason != KVM_EXIT_IO)
			break;
		len = self->v.run->io.size * self->v.run->io.count;
		ASSERT_GE(sizeof(got), n + len);
		memcpy(got + n, (char *)self->v.run +
				self->v.run->io.data_offset, len);
		n += len;
		ASSERT_GE(2000, ++exits);
	}
	EXPECT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);
	EXPECT_EQ(700, n);
	EXPECT_EQ(0, memcmp(got, self->vm.mem + 0x2000, 700));
}

CODE16(rep_ins, "mov $0x2000, %di; mov $5000, %cx; mov $0x30, %dx; cld\n"
		"rep insb; hlt");

TEST_F(bare, rep_ins)
{
	unsigned int n = 0;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, rep_ins,
				CODE_LEN(rep_ins)));
	for (;;) {
		RUN_OK(&self->v);
		if (self->v.run->exit_reason != KVM_EXIT_IO)
			break;
		ASSERT_EQ(KVM_EXIT_IO_IN, self->v.run->io.direction);
		for (unsigned int i = 0; i < self->v.run->io.count; i++)
			*((uint8_t *)self->v.run + self->v.run->io.data_offset +
			  i) = (uint8_t)(n++ * 7);
		ASSERT_GE(6000, n);
	}
	EXPECT_EQ(5000, n);
	for (unsigned int i = 0; i < 5000; i++)
		if (self->vm.mem[0x2000 + i] != (uint8_t)(i * 7)) {
			EXPECT_EQ((uint8_t)(i * 7), self->vm.mem[0x2000 + i])
				TH_LOG("at %u", i);
			break;
		}
}

/* 32-bit code, so that any address is within reach. */
CODE32(mmio, "mov $0xd0000000, %ebx; mov $0x11223344, %eax\n"
	     "mov %al, (%ebx); mov %ax, 2(%ebx); mov %eax, 4(%ebx)\n"
	     "movl $0x55667788, 8(%ebx)\n"
	     "mov 16(%ebx), %ecx; movzbl 17(%ebx), %edx; movswl 18(%ebx), %esi\n"
	     "addl $1, 32(%ebx)\n"
	     "push 64(%ebx)\n"
	     "xchg %eax, 128(%ebx)\n"
	     "hlt");

TEST_F(bare, mmio)
{
	static const struct {
		uint64_t addr;
		uint32_t len, is_write, data;
	} want[] = {
		{ 0xd0000000, 1, 1, 0x44 },
		{ 0xd0000002, 2, 1, 0x3344 },
		{ 0xd0000004, 4, 1, 0x11223344 },
		{ 0xd0000008, 4, 1, 0x55667788 },
		{ 0xd0000010, 4, 0, 0x89abcdef },
		{ 0xd0000011, 1, 0, 0xfe },
		{ 0xd0000012, 2, 0, 0x8001 },
		{ 0xd0000020, 4, 0, 0x41 },
		{ 0xd0000020, 4, 1, 0x42 },
		{ 0xd0000040, 4, 0, 0xcafe },
		{ 0xd0000080, 4, 0, 0x600d },
		{ 0xd0000080, 4, 1, 0x11223344 },
	};
	struct kvm_run *run = self->v.run;
	struct kvm_regs r;

	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, mmio, CODE_LEN(mmio)));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		uint32_t data = 0;

		RUN_OK(&self->v);
		ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason)
			TH_LOG("access %zu", i);
		EXPECT_EQ(want[i].addr, run->mmio.phys_addr);
		EXPECT_EQ(want[i].len, run->mmio.len)
			TH_LOG("access %zu", i);
		EXPECT_EQ(want[i].is_write, run->mmio.is_write)
			TH_LOG("access %zu", i);
		if (run->mmio.is_write) {
			memcpy(&data, run->mmio.data, run->mmio.len);
			EXPECT_EQ(want[i].data, data);
		} else {
			memcpy(run->mmio.data, &want[i].data, run->mmio.len);
		}
	}
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_HLT, run->exit_reason);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(0x89abcdef, r.rcx);
	EXPECT_EQ(0xfe, r.rdx);
	EXPECT_EQ(0xffff8001, r.rsi);
	EXPECT_EQ(0x600d, r.rax);
	EXPECT_EQ(0xcafe, *(uint32_t *)(self->vm.mem + TVM_STACK - 4));
}

CODE16(bad, "ud2");

TEST_F(bare, shutdown)
{
	struct kvm_sregs s;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, bad, CODE_LEN(bad)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &s));
	s.idt.limit = 0;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_SREGS, &s));
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_SHUTDOWN, self->v.run->exit_reason);
}

CODE16(jump_out, "ljmp $0xffff, $0");

/* Code that is not there is no memory: an error with a reason, no loop. */
TEST_F(bare, run_off_memory)
{
	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0, NULL));
	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0x40000, self->vm.mem));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, jump_out,
				CODE_LEN(jump_out)));
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_INTERNAL_ERROR, self->v.run->exit_reason);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION,
		  self->v.run->internal.suberror);
}

CODE16(count_up, "1: inc %eax; out %al, $0x10; jmp 1b");

TEST_F(bare, immediate_exit)
{
	struct kvm_regs r;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, count_up,
				CODE_LEN(count_up)));
	self->v.run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(0, r.rax);
	EXPECT_EQ(TVM_CODE, r.rip);
	self->v.run->immediate_exit = 0;
	RUN_OK(&self->v);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(1, r.rax);
	/* Completes the OUT, executes nothing more. */
	self->v.run->immediate_exit = 1;
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(1, r.rax);
	self->v.run->immediate_exit = 0;
	RUN_OK(&self->v);
	EXPECT_EQ(2, tvcpu_io_data(&self->v));
}

CODE16(spin, "1: inc %eax; jmp 1b");
CODE16(spin_sti, "sti; 1: inc %eax; jmp 1b");

TEST_F(bare, signal)
{
	struct kvm_regs r;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	tvm_kick_after(0.2);
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	EXPECT_EQ(KVM_EXIT_INTR, self->v.run->exit_reason);
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	tvm_kick_stop();
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_NE(0, r.rax);
}

/* Signals that the mask of KVM_RUN holds back do not interrupt it. */
TEST_F(bare, signal_mask)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} mask = { .head.len = 8 };
	sigset_t block;
	struct timespec zero = { 0 };

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	/* Blocked outside, open inside. */
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	memset(&mask.head.sigset, 0, 8);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_SIGNAL_MASK, &mask));
	tvm_kick_after(0.2);
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	tvm_kick_stop();
	/* Still pending: it was not delivered. */
	EXPECT_EQ(SIGALRM, sigtimedwait(&block, NULL, &zero));
	mask.head.len = 4;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_SIGNAL_MASK, &mask));
	EXPECT_EQ(0, ioctl(self->v.fd, KVM_SET_SIGNAL_MASK, NULL));
}

static void *run_thread(void *arg)
{
	struct tvcpu *v = arg;

	return (void *)(long)(tvcpu_run(v) ? errno : 0);
}

/* Made here, run elsewhere, and back. */
TEST_F(bare, other_thread)
{
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, count_up,
				CODE_LEN(count_up)));
	for (int i = 1; i < 20; i += 2) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, run_thread,
					    &self->v));
		pthread_join(thread, &result);
		EXPECT_EQ(NULL, result);
		EXPECT_EQ(i, tvcpu_io_data(&self->v));
		RUN_OK(&self->v);
		EXPECT_EQ(i + 1, tvcpu_io_data(&self->v));
	}
}

struct asker {
	struct tvcpu *v;
	volatile int asking, answered;
};

static void *ask_thread(void *arg)
{
	struct asker *a = arg;
	struct kvm_regs r;

	a->asking = 1;
	ioctl(a->v->fd, KVM_GET_REGS, &r);
	a->answered = 1;
	return (void *)(long)(r.rax != 0);
}

/* A vCPU ioctl waits until the vCPU is out of KVM_RUN. */
TEST_F(bare, ioctl_while_running)
{
	struct asker a = { .v = &self->v };
	pthread_t thread;
	sigset_t block;
	void *moved;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	/* The other thread does not take the signal. */
	sigprocmask(SIG_BLOCK, &block, NULL);
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask_thread, &a));
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	tvm_kick_after(0.3);
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	tvm_kick_stop();
	pthread_join(thread, &moved);
	EXPECT_EQ(1, a.answered);
}

/* kill -9 in the middle of a guest: gone at once, and the device lives on. */
TEST_F(bare, kill)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();
		int status;

		ASSERT_LE(0, pid);
		if (!pid) {
			struct tvm vm;
			struct tvcpu v;

			if (tvm_create(&vm, i & 1 ? TVM_IRQCHIP : 0) ||
			    tvcpu_create(&vm, &v, 0) ||
			    tvcpu_real(&vm, &v, i & 2 ? spin_sti : spin,
				       i & 2 ? CODE_LEN(spin_sti) :
					       CODE_LEN(spin)))
				_exit(1);
			tvcpu_run(&v);
			_exit(2);
		}
		usleep(200000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			TH_LOG("round %d: status %x", i, status);
	}
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, count_up,
				CODE_LEN(count_up)));
	RUN_OK(&self->v);
	EXPECT_EQ(1, tvcpu_io_data(&self->v));
}

CODE16(shared_count, "mov $2000, %cx\n"
		     "1: lock incl 0x2000; loop 1b; hlt");

/* Two vCPUs at once, and their atomic increments. */
TEST_F(bare, two_vcpus)
{
	struct tvcpu second;
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, tvcpu_create(&self->vm, &second, 1));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, shared_count,
				CODE_LEN(shared_count)));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &second, shared_count,
				CODE_LEN(shared_count)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_thread, &second));
	RUN_OK(&self->v);
	pthread_join(thread, &result);
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(KVM_EXIT_HLT, second.run->exit_reason);
	EXPECT_EQ(4000, *(uint32_t *)(self->vm.mem + 0x2000));
	tvcpu_destroy(&self->vm, &second);
}

/* The code is changed from outside between two runs. */
TEST_F(bare, code_changed)
{
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, count_up,
				CODE_LEN(count_up)));
	for (int i = 1; i <= 3; i++) {
		RUN_OK(&self->v);
		EXPECT_EQ(i, tvcpu_io_data(&self->v));
	}
	/* inc %eax (66 40) becomes dec %eax (66 48). */
	ASSERT_EQ(0x40, self->vm.mem[TVM_CODE + 1]);
	self->vm.mem[TVM_CODE + 1] = 0x48;
	for (int i = 2; i > 0; i--) {
		RUN_OK(&self->v);
		EXPECT_EQ(i, tvcpu_io_data(&self->v));
	}
}

TEST_F(bare, run_page)
{
	struct kvm_sregs s;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, count_up,
				CODE_LEN(count_up)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &s));
	RUN_OK(&self->v);
	EXPECT_EQ(0, self->v.run->if_flag);
	EXPECT_EQ(s.cr8, self->v.run->cr8);
	EXPECT_EQ(s.apic_base, self->v.run->apic_base);
	EXPECT_EQ(0, self->v.run->ready_for_interrupt_injection);
}

TEST_F(bare, single_step)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};
	struct kvm_regs r;
	CODE16(steps, "nop; inc %eax; inc %eax; hlt");
	static const uint64_t at[] = { 1, 3, 5 };

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, steps, CODE_LEN(steps)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_GUEST_DEBUG, &debug));
	for (int i = 0; i < 3; i++) {
		RUN_OK(&self->v);
		ASSERT_EQ(KVM_EXIT_DEBUG, self->v.run->exit_reason);
		EXPECT_EQ(TVM_CODE + at[i], self->v.run->debug.arch.pc);
		EXPECT_EQ(1, self->v.run->debug.arch.exception);
		EXPECT_EQ(1UL << 14, self->v.run->debug.arch.dr6 & 1UL << 14);
	}
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(2, r.rax);
	/* The guest must not see the flag. */
	EXPECT_EQ(0, r.rflags & RFLAGS_TF);
	debug.control = 0;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_GUEST_DEBUG, &debug));
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);
}

CODE64(long_code, "mov $0x1122334455667788, %rax; mov %rax, %rbx\n"
		  "mov $0x80, %edx; out %eax, %dx; hlt");

TEST_F(bare, long_mode)
{
	struct kvm_regs r;

	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, long_code,
				CODE_LEN(long_code)));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4, 0x80));
	EXPECT_EQ(0x55667788, tvcpu_io_data(&self->v));
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &r));
	EXPECT_EQ(0x1122334455667788, r.rax);
	EXPECT_EQ(r.rax, r.rbx);
}

/* State that no processor can be in: an answer, not a hang and not a guest. */
TEST_F(bare, impossible_state)
{
	struct kvm_sregs s;

	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, long_code,
				CODE_LEN(long_code)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_SREGS, &s));
	s.cs.l = 1;
	s.cs.db = 1;
	if (!ioctl(self->v.fd, KVM_SET_SREGS, &s)) {
		RUN_OK(&self->v);
		/* Where no hardware judges the state, D may count as clear. */
		EXPECT_TRUE(self->v.run->exit_reason == KVM_EXIT_FAIL_ENTRY ||
			    self->v.run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
			    (!tvm_engine_is(&self->vm, TDM_ENGINE_VMX) &&
			     self->v.run->exit_reason == KVM_EXIT_IO))
			TH_LOG("exit %u", self->v.run->exit_reason);
	}
	/* And back to a state that runs. */
	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, long_code,
				CODE_LEN(long_code)));
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_IO, self->v.run->exit_reason);
}

TEST_F(bare, translate)
{
	struct kvm_translation t = { .linear_address = 0x201234 };

	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, long_code,
				CODE_LEN(long_code)));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_TRANSLATE, &t));
	EXPECT_EQ(1, t.valid);
	EXPECT_EQ(0x201234, t.physical_address);
	t.linear_address = 0x40000000;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_TRANSLATE, &t));
	EXPECT_EQ(0, t.valid);
}

TEST_HARNESS_MAIN
