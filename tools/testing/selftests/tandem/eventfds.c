// SPDX-License-Identifier: GPL-2.0-only
/*
 * eventfds.c - what passes between guest and program without an exit:
 * KVM_IOEVENTFD, KVM_IRQFD, coalesced MMIO and PIO.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "fixture.h"

#define LAPIC_EOI 0xb0
#define LAPIC_SVR 0xf0
#define PAGE_SIZE PAGE /* KVM_COALESCED_MMIO_MAX wants the word */
#define HANDLER 0x3000UL
#define VECTOR 0x60
#define GSI 20

static int make_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* How often it was signalled since the last look. */
static uint64_t count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int ioeventfd(struct tvm *vm, int fd, uint64_t addr, uint32_t len,
		     uint32_t flags, uint64_t match)
{
	struct kvm_ioeventfd args = {
		.datamatch = match,
		.addr = addr,
		.len = len,
		.fd = fd,
		.flags = flags,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &args);
}

#define PIO KVM_IOEVENTFD_FLAG_PIO
#define MATCH KVM_IOEVENTFD_FLAG_DATAMATCH
#define GONE KVM_IOEVENTFD_FLAG_DEASSIGN

CODE16(outs, "mov $1, %al; out %al, $0x50; mov $2, %al; out %al, $0x50\n"
	     "mov $0x102, %ax; out %ax, $0x50; in $0x50, %al; hlt");

/* Which writes of @outs still come out as exits, in order. */
#define EXPECT_OUT(size, value)						\
	do {								\
		RUN_OK(&self->v);					\
		EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, size, 0x50)); \
		EXPECT_EQ(value, tvcpu_io_data(&self->v));		\
	} while (0)
/* A read is never an eventfd's. */
#define EXPECT_IN_HLT()							\
	do {								\
		RUN_OK(&self->v);					\
		EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_IN, 1, 0x50)); \
		RUN_OK(&self->v);					\
		EXPECT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);	\
	} while (0)

TEST_F(bare, ioeventfd_pio)
{
	int one = make_eventfd(), any = make_eventfd(), all = make_eventfd();

	ASSERT_EQ(1, tvm_cap(self->vm.dev, KVM_CAP_IOEVENTFD));
	/* A value. */
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, outs, CODE_LEN(outs)));
	ASSERT_EQ(0, ioeventfd(&self->vm, one, 0x50, 1, PIO | MATCH, 2));
	EXPECT_OUT(1, 1);
	EXPECT_OUT(2, 0x102);
	EXPECT_IN_HLT();
	EXPECT_EQ(1, count(one));
	/* The same, and any value of a word. */
	ASSERT_EQ(0, ioeventfd(&self->vm, any, 0x50, 2, PIO, 0));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, outs, CODE_LEN(outs)));
	EXPECT_OUT(1, 1);
	EXPECT_IN_HLT();
	EXPECT_EQ(1, count(one));
	EXPECT_EQ(1, count(any));
	/* Any length. */
	ASSERT_EQ(0, ioeventfd(&self->vm, one, 0x50, 1, PIO | MATCH | GONE, 2));
	ASSERT_EQ(0, ioeventfd(&self->vm, any, 0x50, 2, PIO | GONE, 0));
	ASSERT_EQ(0, ioeventfd(&self->vm, all, 0x50, 0, PIO, 0));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, outs, CODE_LEN(outs)));
	EXPECT_IN_HLT();
	EXPECT_EQ(3, count(all));
	EXPECT_EQ(0, count(one));
	EXPECT_EQ(0, count(any));
	/* Gone: all exits again. */
	ASSERT_EQ(0, ioeventfd(&self->vm, all, 0x50, 0, PIO | GONE, 0));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, outs, CODE_LEN(outs)));
	EXPECT_OUT(1, 1);
	EXPECT_OUT(1, 2);
	EXPECT_OUT(2, 0x102);
	EXPECT_IN_HLT();
	EXPECT_EQ(0, count(all));
}

CODE32(movs, "movl $7, 0xd0000000; movb $7, 0xd0000000; movl $8, 0xd0000000\n"
	     "movl $7, 0xd0000004; mov 0xd0000000, %eax; hlt");

TEST_F(bare, ioeventfd_mmio)
{
	int fd = make_eventfd();
	static const struct {
		uint64_t addr;
		uint32_t len;
	} left[] = { { 0xd0000000, 1 }, { 0xd0000000, 4 }, { 0xd0000004, 4 } };

	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, movs, CODE_LEN(movs)));
	ASSERT_EQ(0, ioeventfd(&self->vm, fd, 0xd0000000, 4, MATCH, 7));
	for (int i = 0; i < 3; i++) {
		RUN_OK(&self->v);
		ASSERT_EQ(KVM_EXIT_MMIO, self->v.run->exit_reason);
		EXPECT_EQ(1, self->v.run->mmio.is_write);
		EXPECT_EQ(left[i].addr, self->v.run->mmio.phys_addr);
		EXPECT_EQ(left[i].len, self->v.run->mmio.len);
	}
	RUN_OK(&self->v);
	ASSERT_EQ(KVM_EXIT_MMIO, self->v.run->exit_reason);
	EXPECT_EQ(0, self->v.run->mmio.is_write);
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_HLT, self->v.run->exit_reason);
	EXPECT_EQ(1, count(fd));
}

TEST_F(bare, ioeventfd_arguments)
{
	struct tvm *vm = &self->vm;
	int fd = make_eventfd(), other = make_eventfd();

	EXPECT_ERRNO(EFAULT, ioctl(vm->fd, KVM_IOEVENTFD, -16L));
	EXPECT_ERRNO(EINVAL, ioeventfd(vm, fd, 0x50, 3, PIO, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(vm, fd, 0x50, 16, PIO, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(vm, fd, -1L, 4, 0, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(vm, fd, 0x50, 1, 0x100, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(vm, fd, 0x50, 0, PIO | MATCH, 0));
	EXPECT_ERRNO(EBADF, ioeventfd(vm, -1, 0x50, 1, PIO, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(vm, vm->fd, 0x50, 1, PIO, 0));
	EXPECT_ERRNO(ENOENT, ioeventfd(vm, fd, 0x50, 1, PIO | GONE, 0));

	ASSERT_EQ(0, ioeventfd(vm, fd, 0x50, 1, PIO | MATCH, 5));
	/* What a write means is one thing. */
	EXPECT_ERRNO(EEXIST, ioeventfd(vm, other, 0x50, 1, PIO | MATCH, 5));
	EXPECT_ERRNO(EEXIST, ioeventfd(vm, other, 0x50, 1, PIO, 0));
	EXPECT_ERRNO(EEXIST, ioeventfd(vm, other, 0x50, 0, PIO, 0));
	EXPECT_EQ(0, ioeventfd(vm, other, 0x50, 1, PIO | MATCH, 6));
	EXPECT_EQ(0, ioeventfd(vm, other, 0x50, 2, PIO, 0));
	EXPECT_EQ(0, ioeventfd(vm, other, 0x50, 1, 0, 0));
	/* Another's is not to be taken away. */
	EXPECT_ERRNO(ENOENT, ioeventfd(vm, other, 0x50, 1, PIO | MATCH | GONE, 5));
	EXPECT_ERRNO(ENOENT, ioeventfd(vm, fd, 0x50, 1, PIO | GONE, 0));
	EXPECT_EQ(0, ioeventfd(vm, fd, 0x50, 1, PIO | MATCH | GONE, 5));
	/* The rest goes with the VM; the descriptors may go before it. */
	close(fd);
	close(other);
}

/* As many as there may be, and what the first costs is found still. */
TEST_F(bare, ioeventfd_many)
{
	int fd = make_eventfd(), n = 0;

	while (n < 2000 && !ioeventfd(&self->vm, fd, 0x50, 2, PIO | MATCH, n))
		n++;
	EXPECT_EQ(1000, n);
	EXPECT_EQ(ENOSPC, errno);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, outs, CODE_LEN(outs)));
	EXPECT_OUT(1, 1);
	EXPECT_OUT(1, 2);
	EXPECT_IN_HLT();
	EXPECT_EQ(1, count(fd));
}

/* ---- coalesced writes ---- */

static int zone(struct tvm *vm, unsigned long call, uint64_t addr, uint32_t size,
		uint32_t pio)
{
	struct kvm_coalesced_mmio_zone z = {
		.addr = addr, .size = size, .pio = pio,
	};

	return ioctl(vm->fd, call, &z);
}

static struct kvm_coalesced_mmio_ring *ring_of(struct tvm *vm, struct tvcpu *v)
{
	return (void *)((char *)v->run +
			PAGE * (unsigned long)tvm_cap(vm->dev, KVM_CAP_COALESCED_MMIO));
}

TEST_F(bare, coalesced)
{
	struct kvm_coalesced_mmio_ring *ring = ring_of(&self->vm, &self->v);

	ASSERT_LT(0, tvm_cap(self->vm.dev, KVM_CAP_COALESCED_MMIO));
	ASSERT_EQ(1, tvm_cap(self->vm.dev, KVM_CAP_COALESCED_PIO));
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, movs, CODE_LEN(movs)));
	/* One byte short of the last write. */
	ASSERT_EQ(0, zone(&self->vm, KVM_REGISTER_COALESCED_MMIO, 0xd0000000, 7, 0));
	RUN_OK(&self->v);
	ASSERT_EQ(KVM_EXIT_MMIO, self->v.run->exit_reason);
	EXPECT_EQ(0xd0000004, self->v.run->mmio.phys_addr);
	ASSERT_EQ(3, ring->last - ring->first);
	EXPECT_EQ(0xd0000000, ring->coalesced_mmio[0].phys_addr);
	EXPECT_EQ(4, ring->coalesced_mmio[0].len);
	EXPECT_EQ(7, ring->coalesced_mmio[0].data[0]);
	EXPECT_EQ(1, ring->coalesced_mmio[1].len);
	EXPECT_EQ(8, ring->coalesced_mmio[2].data[0]);
	EXPECT_EQ(0, ring->coalesced_mmio[2].pio);
	/* Reads are not. */
	RUN_OK(&self->v);
	ASSERT_EQ(KVM_EXIT_MMIO, self->v.run->exit_reason);
	EXPECT_EQ(0, self->v.run->mmio.is_write);
}

CODE16(out_many, "mov $300, %cx; 1: mov %cl, %al; out %al, $0x50; loop 1b; hlt");

/* A full ring lets the write through; a broken one is not believed. */
TEST_F(bare, coalesced_pio_full)
{
	struct kvm_coalesced_mmio_ring *ring = ring_of(&self->vm, &self->v);
	unsigned int max = KVM_COALESCED_MMIO_MAX;

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, out_many, CODE_LEN(out_many)));
	ASSERT_EQ(0, zone(&self->vm, KVM_REGISTER_COALESCED_MMIO, 0x50, 1, 1));
	RUN_OK(&self->v);
	ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x50));
	ASSERT_EQ(max - 1, ring->last);
	EXPECT_EQ((300 - (max - 1)) & 0xff, tvcpu_io_data(&self->v));
	for (unsigned int i = 0; i < ring->last; i++) {
		ASSERT_EQ((300 - i) & 0xff, ring->coalesced_mmio[i].data[0]);
		ASSERT_EQ(1, ring->coalesced_mmio[i].pio);
	}
	ring->last = 0xffffffff;
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x50));
	ring->last = max;
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x50));
	ring->first = 0x80000000;
	ring->last = 0;
	RUN_OK(&self->v);
	/* Unregistered: as if it had never been. */
	ring->first = ring->last = 0;
	ASSERT_EQ(0, zone(&self->vm, KVM_UNREGISTER_COALESCED_MMIO, 0x50, 1, 1));
	RUN_OK(&self->v);
	EXPECT_EQ(0, ring->last);
}

TEST_F(bare, coalesced_arguments)
{
	struct tvm *vm = &self->vm;
	int n = 0;

	EXPECT_ERRNO(EFAULT, ioctl(vm->fd, KVM_REGISTER_COALESCED_MMIO, -16L));
	EXPECT_ERRNO(EFAULT, ioctl(vm->fd, KVM_UNREGISTER_COALESCED_MMIO, -16L));
	EXPECT_ERRNO(EINVAL, zone(vm, KVM_REGISTER_COALESCED_MMIO, 0, 1, 2));
	EXPECT_ERRNO(EINVAL, zone(vm, KVM_UNREGISTER_COALESCED_MMIO, 0, 1, 2));
	EXPECT_EQ(0, zone(vm, KVM_UNREGISTER_COALESCED_MMIO, 0x50, 1, 1));
	while (n < 5000 && !zone(vm, KVM_REGISTER_COALESCED_MMIO, 0x1000 + n, 1, 1))
		n++;
	EXPECT_LE(100, n);
	EXPECT_EQ(ENOSPC, errno);
}

/* ---- irqfds ---- */

static int irqfd(struct tvm *vm, int fd, uint32_t gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd args = {
		.fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample,
	};

	return ioctl(vm->fd, KVM_IRQFD, &args);
}

static int signal_fd(int fd)
{
	uint64_t one = 1;

	return write(fd, &one, sizeof(one)) == sizeof(one) ? 0 : -1;
}

static int lapic_on(struct tvcpu *v)
{
	struct kvm_lapic_state lapic;

	if (ioctl(v->fd, KVM_GET_LAPIC, &lapic))
		return -1;
	*(uint32_t *)(lapic.regs + LAPIC_SVR) = 0x1ff;
	return ioctl(v->fd, KVM_SET_LAPIC, &lapic);
}

/* The I/O APIC's pin GSI to VECTOR of APIC 0. */
static int open_pin(struct tvm *vm, bool level)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	if (ioctl(vm->fd, KVM_GET_IRQCHIP, &chip))
		return -1;
	chip.chip.ioapic.redirtbl[GSI].bits = VECTOR | (level ? 0x8000 : 0);
	return ioctl(vm->fd, KVM_SET_IRQCHIP, &chip);
}

/* Protected mode, for the LAPIC is far up. Handler: count, tell, EOI. */
CODE32(irq_handler, "inc %ecx; mov %ecx, %eax; out %eax, $0x14\n"
		    "movl $0, 0xfee000b0; iret");
CODE32(irq_code, "sti; 1: mov %ecx, %eax; out %eax, $0x10; jmp 1b");

static int irq_guest(struct tvm *vm, struct tvcpu *v, bool level)
{
	tvm_load(vm, HANDLER, irq_handler, CODE_LEN(irq_handler));
	if (tvcpu_pm32(vm, v, irq_code, CODE_LEN(irq_code)))
		return -1;
	tvm_idt32(vm, VECTOR, HANDLER);
	return lapic_on(v) || open_pin(vm, level) ? -1 : 0;
}

/* The handler runs now, for the nth time. */
#define EXPECT_IRQ(n)							\
	do {								\
		int _i = 0;						\
									\
		do							\
			RUN_OK(&self->v);				\
		while (tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4, 0x10) && ++_i < 50); \
		ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4, 0x14)); \
		EXPECT_EQ(n, tvcpu_io_data(&self->v));			\
	} while (0)
/* It does not. */
#define EXPECT_QUIET(n)							\
	do {								\
		for (int _i = 0; _i < 4; _i++) {			\
			RUN_OK(&self->v);				\
			ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4, 0x10)); \
			EXPECT_EQ(n, tvcpu_io_data(&self->v));		\
		}							\
	} while (0)

TEST_F(chip, irqfd)
{
	int fd = make_eventfd(), early = make_eventfd();

	ASSERT_EQ(0, irq_guest(&self->vm, &self->v, false));
	ASSERT_EQ(0, irqfd(&self->vm, fd, GSI, 0, 0));
	EXPECT_QUIET(0);
	ASSERT_EQ(0, signal_fd(fd));
	EXPECT_IRQ(1);
	EXPECT_QUIET(1);
	ASSERT_EQ(0, signal_fd(fd));
	EXPECT_IRQ(2);
	/* The signal is used up. */
	EXPECT_EQ(0, count(fd));
	ASSERT_EQ(0, irqfd(&self->vm, fd, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0));
	ASSERT_EQ(0, signal_fd(fd));
	EXPECT_QUIET(2);
	EXPECT_EQ(1, count(fd));
	/* Signalled before it was an irqfd. */
	ASSERT_EQ(0, signal_fd(early));
	ASSERT_EQ(0, irqfd(&self->vm, early, GSI, 0, 0));
	EXPECT_IRQ(3);
}

/* A route to an MSI. */
TEST_F(chip, irqfd_msi)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} routing = {
		.head.nr = 1,
		.entry = {
			.gsi = 100,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = VECTOR },
		},
	};
	int fd = make_eventfd();

	ASSERT_EQ(0, irq_guest(&self->vm, &self->v, false));
	ASSERT_EQ(0, irqfd(&self->vm, fd, 100, 0, 0));
	ASSERT_EQ(0, signal_fd(fd)); /* to nowhere yet */
	EXPECT_QUIET(0);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &routing));
	EXPECT_QUIET(0);
	ASSERT_EQ(0, signal_fd(fd));
	EXPECT_IRQ(1);
	EXPECT_QUIET(1);
}

/* Level-triggered: up until the guest's EOI, which is told. */
TEST_F(chip, irqfd_resample)
{
	int fd = make_eventfd(), ended = make_eventfd();

	ASSERT_EQ(0, irq_guest(&self->vm, &self->v, true));
	ASSERT_EQ(0, irqfd(&self->vm, fd, GSI, KVM_IRQFD_FLAG_RESAMPLE, ended));
	for (int i = 1; i <= 3; i++) {
		EXPECT_QUIET(i - 1);
		ASSERT_EQ(0, signal_fd(fd));
		EXPECT_IRQ(i);
		EXPECT_EQ(0, count(ended));
		/* Past the EOI: once, and the line is down. */
		EXPECT_QUIET(i);
		EXPECT_EQ(1, count(ended));
	}
	/* Taken away while it holds the line up: the line falls. */
	ASSERT_EQ(0, signal_fd(fd));
	EXPECT_IRQ(4);
	ASSERT_EQ(0, irqfd(&self->vm, fd, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_QUIET(4);
	EXPECT_EQ(0, count(ended));
}

TEST_F(chip, irqfd_arguments)
{
	struct tvm *vm = &self->vm, none, split;
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int fd = make_eventfd(), other = make_eventfd();

	EXPECT_ERRNO(EFAULT, ioctl(vm->fd, KVM_IRQFD, -16L));
	EXPECT_ERRNO(EINVAL, irqfd(vm, fd, GSI, 0x80, 0));
	EXPECT_ERRNO(EBADF, irqfd(vm, -1, GSI, 0, 0));
	EXPECT_ERRNO(EINVAL, irqfd(vm, vm->fd, GSI, 0, 0));
	EXPECT_ERRNO(EBADF, irqfd(vm, fd, GSI, KVM_IRQFD_FLAG_RESAMPLE, -1));
	EXPECT_ERRNO(EBADF, irqfd(vm, -1, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(vm, fd, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(vm, fd, GSI, 0, 0));
	EXPECT_ERRNO(EBUSY, irqfd(vm, fd, GSI, 0, 0));
	EXPECT_ERRNO(EBUSY, irqfd(vm, fd, GSI + 1, 0, 0));
	EXPECT_EQ(0, irqfd(vm, other, GSI, 0, 0));
	/* A GSI that cannot be raises nothing. */
	EXPECT_EQ(0, irqfd(vm, fd, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(vm, fd, 0xffffffff, 0, 0));
	EXPECT_EQ(0, signal_fd(fd));
	/* Closed first. */
	close(fd);
	close(other);

	ASSERT_EQ(0, tvm_create(&none, 0));
	fd = make_eventfd();
	EXPECT_ERRNO(EINVAL, irqfd(&none, fd, GSI, 0, 0));
	tvm_destroy(&none);
	/* Without an I/O APIC here nobody sees the end of a service. */
	ASSERT_EQ(0, tvm_create(&split, 0));
	ASSERT_EQ(0, ioctl(split.fd, KVM_ENABLE_CAP, &cap));
	EXPECT_EQ(0, irqfd(&split, fd, GSI, 0, 0));
	other = make_eventfd();
	EXPECT_ERRNO(EINVAL, irqfd(&split, other, GSI, KVM_IRQFD_FLAG_RESAMPLE, fd));
	tvm_destroy(&split);
	close(fd);
	close(other);
}

struct storm {
	struct tvm *vm;
	int fd[8];
	volatile bool stop;
	long bad;
};

static void *signaller(void *arg)
{
	struct storm *s = arg;

	for (unsigned int i = 0; !s->stop; i++)
		signal_fd(s->fd[i % 8]);
	return NULL;
}

static void *assigner(void *arg)
{
	struct storm *s = arg;

	for (unsigned int i = 0; !s->stop; i++) {
		int fd = s->fd[i % 8];

		if (irqfd(s->vm, fd, GSI, i & 8 ? KVM_IRQFD_FLAG_RESAMPLE : 0,
			  s->fd[(i + 1) % 8]) && errno != EBUSY)
			s->bad++;
		if (i % 3 && irqfd(s->vm, fd, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0))
			s->bad++;
	}
	return NULL;
}

/*
 * Signals, assignments and a running guest at once; the resample eventfds are
 * irqfds themselves. Nothing to see but that all live.
 */
TEST_F(chip, irqfd_storm)
{
	struct storm s = { .vm = &self->vm };
	pthread_t threads[3];

	for (int i = 0; i < 8; i++)
		s.fd[i] = make_eventfd();
	ASSERT_EQ(0, irq_guest(&self->vm, &self->v, true));
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, signaller, &s));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, assigner, &s));
	ASSERT_EQ(0, pthread_create(&threads[2], NULL, assigner, &s));
	for (int i = 0; i < 500; i++)
		RUN_OK(&self->v);
	s.stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, s.bad);
	EXPECT_EQ(KVM_EXIT_IO, self->v.run->exit_reason);
}

/* An eventfd that is an irqfd and an ioeventfd: the guest interrupts itself. */
TEST_F(chip, loop)
{
	int fd = make_eventfd();
	struct kvm_ioeventfd args = {
		.addr = 0x10, .len = 4, .fd = fd, .flags = PIO,
	};

	ASSERT_EQ(0, irq_guest(&self->vm, &self->v, false));
	ASSERT_EQ(0, irqfd(&self->vm, fd, GSI, 0, 0));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IOEVENTFD, &args));
	for (int i = 1; i < 20; i++) {
		RUN_OK(&self->v);
		ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4, 0x14));
		EXPECT_EQ(i, tvcpu_io_data(&self->v));
	}
}

TEST_HARNESS_MAIN
