// SPDX-License-Identifier: GPL-2.0-only
/*
 * scaling.c - what an exit costs must not grow with how much of everything there
 * is: memslots, routes, eventfds, vCPUs. Ticks of the TSC, which the lab's Bochs
 * counts in instructions; the least of many, so that interrupts do not count.
 */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <x86intrin.h>

#include "fixture.h"

#define ROUNDS 60
#define IN_KERNEL 50 /* reads of the PIC for each exit to us */
/*
 * A binary search takes some steps more, ticks of other CPUs get in between, and
 * the thread may be on another CPU: twice as much is nothing to be seen in it, and
 * what is looked for is ten or a hundred times as much.
 */
#define MAY_GROW(cost) (2 * (cost) + 1000)

/* Reads of the PIC, a write to us; memory far up; round again. */
CODE32(exits, "1: mov $50, %ecx; 2: in $0x21, %al; loop 2b; out %al, $0x10\n"
	      "mov %eax, 0xd0000000; mov 0x40000000, %ebx; jmp 1b");

struct cost {
	uint64_t kernel; /* IN_KERNEL exits, and one to us */
	uint64_t mmio;	 /* a write for us that must be emulated */
	uint64_t msi;	 /* KVM_SIGNAL_MSI */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int measure(struct tvm *vm, struct tvcpu *v, struct cost *c)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x55 };

	*c = (struct cost){ ~0ULL, ~0ULL, ~0ULL };
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = __rdtsc(), t1, t2, t3;

		if (tvcpu_run(v) || !tvcpu_is_io(v, KVM_EXIT_IO_OUT, 1, 0x10))
			return -1;
		t1 = __rdtsc();
		if (tvcpu_run(v) || v->run->exit_reason != KVM_EXIT_MMIO)
			return -1;
		t2 = __rdtsc();
		ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
		t3 = __rdtsc();
		/* The first rounds fill caches and tables. */
		if (i < 5)
			continue;
		c->kernel = least(c->kernel, t1 - t0);
		c->mmio = least(c->mmio, t2 - t1);
		c->msi = least(c->msi, t3 - t2);
	}
	return 0;
}

#define COMPARE(what, n)							\
	do {								\
		struct cost now;					\
									\
		ASSERT_EQ(0, measure(&self->vm, &self->v, &now));	\
		TH_LOG("1 and %d " what ": %d exits in the kernel and one out %lu, %lu; MMIO %lu, %lu; MSI %lu, %lu", \
		       n, IN_KERNEL, self->one.kernel, now.kernel,	\
		       self->one.mmio, now.mmio, self->one.msi, now.msi); \
		EXPECT_GE(MAY_GROW(self->one.kernel), now.kernel);	\
		EXPECT_GE(MAY_GROW(self->one.mmio), now.mmio);		\
		EXPECT_GE(MAY_GROW(self->one.msi), now.msi);		\
	} while (0)

FIXTURE(scaling)
{
	struct tvm vm;
	struct tvcpu v;
	struct cost one;
	void *page;
};

FIXTURE_SETUP(scaling)
{
	struct rlimit files = { 8192, 8192 };

	self->vm.dev = -1;
	REQUIRE_DEVICE();
	setrlimit(RLIMIT_NOFILE, &files);
	ASSERT_EQ(0, tvm_create(&self->vm, TVM_IRQCHIP));
	ASSERT_EQ(0, tvcpu_create(&self->vm, &self->v, 0));
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, tvm_slot(&self->vm, 1, 0, 0x40000000, PAGE, self->page));
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, exits, CODE_LEN(exits)));
	ASSERT_EQ(0, measure(&self->vm, &self->v, &self->one));
}

FIXTURE_TEARDOWN(scaling)
{
	if (self->vm.dev < 0)
		return;
	tvcpu_destroy(&self->vm, &self->v);
	tvm_destroy(&self->vm);
}

TEST_F(scaling, memslots)
{
	int max = tvm_cap(self->vm.fd, KVM_CAP_NR_MEMSLOTS), i;

	for (i = 2; i < max; i++)
		ASSERT_EQ(0, tvm_slot(&self->vm, (uint32_t)i, 0,
				      (1ULL << 32) + (uint64_t)i * 2 * PAGE, PAGE,
				      self->page)) TH_LOG("%d", i);
	COMPARE("memslots", max);
}

TEST_F(scaling, routes)
{
	struct kvm_irq_routing *r;
	int max = tvm_cap(self->vm.fd, KVM_CAP_IRQ_ROUTING);

	r = calloc(1, sizeof(*r) + (size_t)max * sizeof(r->entries[0]));
	r->nr = (uint32_t)max;
	for (int i = 0; i < max; i++)
		r->entries[i] = (struct kvm_irq_routing_entry){
			.gsi = (uint32_t)i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = 0x60 },
		};
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, r));
	COMPARE("routes", max);
	free(r);
}

TEST_F(scaling, eventfds)
{
	int fd = eventfd(0, EFD_CLOEXEC), n;

	for (n = 0; n < 1000; n++) {
		struct kvm_ioeventfd io = {
			.addr = 0x100 + (uint64_t)n * 2, .len = 2, .fd = fd,
			.flags = KVM_IOEVENTFD_FLAG_PIO,
		};

		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IOEVENTFD, &io));
		io.flags = 0;
		io.addr += 0xd0001000;
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IOEVENTFD, &io));
	}
	COMPARE("ioeventfds on each bus", n);
}

TEST_F(scaling, vcpus)
{
	int max = tvm_cap(self->vm.fd, KVM_CAP_MAX_VCPUS), i, fd;

	for (i = 1; i < max; i++) {
		fd = ioctl(self->vm.fd, KVM_CREATE_VCPU, (unsigned long)i);
		ASSERT_LE(0, fd) TH_LOG("vCPU %d: %s", i, strerror(errno));
	}
	COMPARE("vCPUs", max);
}

TEST_HARNESS_MAIN
