// SPDX-License-Identifier: GPL-2.0-only
/*
 * memslots.c - KVM_SET_USER_MEMORY_REGION: what is accepted, what refused and
 * how, and that the guest sees the result.
 */
#include "fixture.h"

FIXTURE(slots)
{
	struct tvm vm;
	uint8_t *mem;
};

#define SIZE (1UL << 20)

FIXTURE_SETUP(slots)
{
	self->vm.dev = -1;
	REQUIRE_DEVICE();
	ASSERT_EQ(0, tvm_create(&self->vm, TVM_NO_MEM));
	self->mem = mmap(NULL, 4 * SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->mem);
}

FIXTURE_TEARDOWN(slots)
{
	if (self->vm.dev < 0)
		return;
	tvm_destroy(&self->vm);
	munmap(self->mem, 4 * SIZE);
}

TEST_F(slots, refused)
{
	struct tvm *vm = &self->vm;
	void *mem = self->mem;
	int slots = tvm_cap(vm->dev, KVM_CAP_NR_MEMSLOTS);

	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0x800, SIZE, mem));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, SIZE + 0x800, mem));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, SIZE, mem + 8));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0x80, 0, SIZE, mem));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, slots, 0, 0, SIZE, mem));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0xffffffff, 0, 0, SIZE, mem));
	/* Wraps in the guest, in the process, and out of the process. */
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, -SIZE, 2 * SIZE, mem));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, SIZE, (void *)-PAGE));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, SIZE,
				      (void *)0xffff888000000000UL));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, SIZE,
				      (void *)(0x800000000000UL - PAGE)));
	/* More pages than a slot may have. */
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, 1UL << 62, mem));
	/* Nothing there to delete. */
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, 0, mem));
}

TEST_F(slots, overlap)
{
	struct tvm *vm = &self->vm;

	ASSERT_EQ(0, tvm_slot(vm, 0, 0, 0, SIZE, self->mem));
	ASSERT_EQ(0, tvm_slot(vm, 1, 0, 4 * SIZE, SIZE, self->mem + SIZE));
	EXPECT_ERRNO(EEXIST, tvm_slot(vm, 2, 0, 0, PAGE, self->mem));
	EXPECT_ERRNO(EEXIST, tvm_slot(vm, 2, 0, SIZE - PAGE, 2 * PAGE,
				      self->mem));
	EXPECT_ERRNO(EEXIST, tvm_slot(vm, 2, 0, 2 * SIZE, 4 * SIZE, self->mem));
	/* Side by side, and the same memory twice, is fine. */
	EXPECT_EQ(0, tvm_slot(vm, 2, 0, SIZE, SIZE, self->mem));
	/* A move onto another one is refused and moves nothing. */
	EXPECT_ERRNO(EEXIST, tvm_slot(vm, 1, 0, 0, SIZE, self->mem + SIZE));
	EXPECT_EQ(0, tvm_slot(vm, 1, 0, 4 * SIZE, 0, NULL));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 1, 0, 4 * SIZE, 0, NULL));
}

TEST_F(slots, change)
{
	struct tvm *vm = &self->vm;

	ASSERT_EQ(0, tvm_slot(vm, 0, 0, 0, SIZE, self->mem));
	/* Size, backing and the read-only flag of a slot are fixed. */
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, 2 * SIZE, self->mem));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, 0, 0, SIZE, self->mem + PAGE));
	EXPECT_ERRNO(EINVAL, tvm_slot(vm, 0, KVM_MEM_READONLY, 0, SIZE,
				      self->mem));
	/* Dirty logging goes on and off; moving is allowed; so is nothing. */
	EXPECT_EQ(0, tvm_slot(vm, 0, 0, 0, SIZE, self->mem));
	EXPECT_EQ(0, tvm_slot(vm, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, SIZE,
			      self->mem));
	EXPECT_EQ(0, tvm_slot(vm, 0, 0, 0, SIZE, self->mem));
	EXPECT_EQ(0, tvm_slot(vm, 0, 0, 8 * SIZE, SIZE, self->mem));
	EXPECT_EQ(0, tvm_slot(vm, 1, 0, 0, SIZE, self->mem));
}

TEST_F(slots, limit)
{
	struct tvm *vm = &self->vm;
	int slots = tvm_cap(vm->dev, KVM_CAP_NR_MEMSLOTS), i;

	if (slots > 600)
		slots = 600;
	for (i = 0; i < slots; i++) {
		ASSERT_EQ(0, tvm_slot(vm, i, 0, i * SIZE, PAGE, self->mem))
			TH_LOG("slot %d: %s", i, strerror(errno));
	}
	for (i = slots - 1; i >= 0; i--) {
		ASSERT_EQ(0, tvm_slot(vm, i, 0, 0, 0, NULL));
	}
}

TEST_F(slots, dirty_log_arguments)
{
	struct kvm_dirty_log log = { .slot = 3 };
	uint64_t bitmap[4];

	log.dirty_bitmap = bitmap;
	EXPECT_ERRNO(ENOENT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	ASSERT_EQ(0, tvm_slot(&self->vm, 3, 0, 0, SIZE, self->mem));
	/* Not logging. */
	EXPECT_ERRNO(ENOENT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	log.slot = 0x7fffffff;
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	ASSERT_EQ(0, tvm_slot(&self->vm, 3, KVM_MEM_LOG_DIRTY_PAGES, 0, SIZE,
			      self->mem));
	log.slot = 3;
	log.dirty_bitmap = (void *)-16L;
	EXPECT_ERRNO(EFAULT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
}

/* Writes a byte to ES:0 and tells what it reads back. */
CODE16(touch, "mov $0x4000, %ax; mov %ax, %es\n"
	      "1: mov %es:0, %al; out %al, $0x10; incb %es:0; jmp 1b");

TEST_F(bare, dirty_log)
{
	struct kvm_dirty_log log = { .slot = 1 };
	uint64_t bitmap[4] = { 0 };
	void *mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	log.dirty_bitmap = bitmap;
	/* Room at 0x40000 in slot 0: cut slot 0 down first. */
	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0, NULL));
	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0x40000, self->vm.mem));
	ASSERT_EQ(0, tvm_slot(&self->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x40000,
			      4 * PAGE, mem));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, touch, CODE_LEN(touch)));
	RUN_OK(&self->v);
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(0, bitmap[0]);
	for (int i = 1; i < 5; i++) {
		RUN_OK(&self->v);
		EXPECT_EQ(i, tvcpu_io_data(&self->v));
		EXPECT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
		EXPECT_EQ(1, bitmap[0]);
	}
	/* Read and cleared: nothing new without a run. */
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(0, bitmap[0]);
	munmap(mem, 4 * PAGE);
}

TEST_F(bare, move_delete)
{
	uint8_t *a = self->vm.mem + 0x100000;

	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0, NULL));
	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0x40000, self->vm.mem));
	ASSERT_EQ(0, tvm_slot(&self->vm, 1, 0, 0x40000, PAGE, a));
	ASSERT_EQ(0, tvm_slot(&self->vm, 2, 0, 0x80000, PAGE, a + PAGE));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, touch, CODE_LEN(touch)));
	a[0] = 7;
	RUN_OK(&self->v);
	EXPECT_EQ(7, tvcpu_io_data(&self->v));
	/* Another backing under the same address. */
	ASSERT_EQ(0, tvm_slot(&self->vm, 1, 0, 0, 0, NULL));
	ASSERT_EQ(0, tvm_slot(&self->vm, 2, 0, 0x40000, PAGE, a + PAGE));
	a[PAGE] = 0x55;
	RUN_OK(&self->v);
	EXPECT_EQ(0x56, tvcpu_io_data(&self->v));
	EXPECT_EQ(7, a[0]);
	/* Gone: an MMIO exit, where memory was before. */
	ASSERT_EQ(0, tvm_slot(&self->vm, 2, 0, 0, 0, NULL));
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_MMIO, self->v.run->exit_reason);
	EXPECT_EQ(0x40000, self->v.run->mmio.phys_addr);
	EXPECT_EQ(1, self->v.run->mmio.len);
}

TEST_F(bare, read_only)
{
	uint8_t *rom = self->vm.mem + 0x100000;

	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0, NULL));
	ASSERT_EQ(0, tvm_slot(&self->vm, 0, 0, 0, 0x40000, self->vm.mem));
	ASSERT_EQ(0, tvm_slot(&self->vm, 1, KVM_MEM_READONLY, 0x40000, PAGE,
			      rom));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, touch, CODE_LEN(touch)));
	rom[0] = 0x77;
	RUN_OK(&self->v);
	EXPECT_EQ(0x77, tvcpu_io_data(&self->v));
	/* The read is from memory, the write an MMIO exit. */
	RUN_OK(&self->v);
	EXPECT_EQ(KVM_EXIT_MMIO, self->v.run->exit_reason);
	EXPECT_EQ(1, self->v.run->mmio.is_write);
	EXPECT_EQ(1, self->v.run->mmio.len);
	EXPECT_EQ(0x78, self->v.run->mmio.data[0]);
	EXPECT_EQ(0x40000, self->v.run->mmio.phys_addr);
	RUN_OK(&self->v);
	EXPECT_EQ(0x77, tvcpu_io_data(&self->v));
	EXPECT_EQ(0x77, rom[0]);
}

TEST_HARNESS_MAIN
