// SPDX-License-Identifier: GPL-2.0-only
/*
 * abi.c - the edges of the ioctl interface: versions, capabilities, what is
 * refused and how, pointers, file descriptors across fork and close.
 */
#include <sys/wait.h>

#include "fixture.h"

TEST(version)
{
	int fd = tvm_open();

	REQUIRE_DEVICE();
	EXPECT_EQ(12, ioctl(fd, KVM_GET_API_VERSION, 0UL));
	EXPECT_ERRNO(EINVAL, ioctl(fd, KVM_GET_API_VERSION, 1UL));
	close(fd);
}

TEST(capabilities)
{
	static const long needed[] = {
		KVM_CAP_USER_MEMORY,	KVM_CAP_IRQCHIP,
		KVM_CAP_HLT,		KVM_CAP_EXT_CPUID,
		KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_NR_VCPUS,
		KVM_CAP_MAX_VCPUS,	KVM_CAP_MAX_VCPU_ID,
		KVM_CAP_NR_MEMSLOTS,	KVM_CAP_MP_STATE,
		KVM_CAP_VCPU_EVENTS,	KVM_CAP_DEBUGREGS,
		KVM_CAP_XSAVE,		KVM_CAP_XCRS,
		KVM_CAP_SYNC_MMU,	KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
		KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
		KVM_CAP_SET_TSS_ADDR,	KVM_CAP_PIT2,
		KVM_CAP_USER_NMI,	KVM_CAP_READONLY_MEM,
		KVM_CAP_GET_TSC_KHZ,	KVM_CAP_INTERNAL_ERROR_DATA,
	};
	int fd = tvm_open();

	REQUIRE_DEVICE();
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		EXPECT_LT(0, tvm_cap(fd, needed[i]))
			TH_LOG("capability %ld", needed[i]);
	}
	EXPECT_EQ(0, tvm_cap(fd, 99999));
	EXPECT_EQ(0, tvm_cap(fd, -1));
	EXPECT_LE(tvm_cap(fd, KVM_CAP_NR_VCPUS), tvm_cap(fd, KVM_CAP_MAX_VCPUS));
	EXPECT_LE(tvm_cap(fd, KVM_CAP_MAX_VCPUS),
		  tvm_cap(fd, KVM_CAP_MAX_VCPU_ID));
	close(fd);
}

TEST_F(bare, unknown_ioctls)
{
	const unsigned long unknown = _IO(KVMIO, 0xff);

	EXPECT_ERRNO(EINVAL, ioctl(self->vm.dev, unknown, 0UL));
	EXPECT_ERRNO(ENOTTY, ioctl(self->vm.fd, unknown, 0UL));
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, unknown, 0UL));
	/* Of the wrong file. */
	EXPECT_ERRNO(ENOTTY, ioctl(self->vm.fd, KVM_RUN, 0UL));
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.dev, KVM_CREATE_VCPU, 0UL));
}

TEST_F(bare, arguments)
{
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.dev, KVM_GET_VCPU_MMAP_SIZE, 1UL));
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.dev, KVM_CREATE_VM, 77UL));
	EXPECT_LE((int)(2 * PAGE), self->vm.run_size);
	EXPECT_EQ(0, self->vm.run_size % (int)PAGE);
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_RUN, 1UL));
	EXPECT_ERRNO(EEXIST, ioctl(self->vm.fd, KVM_CREATE_VCPU, 0UL));
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, KVM_CREATE_VCPU,
				   (long)tvm_cap(self->vm.dev,
						 KVM_CAP_MAX_VCPU_ID)));
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, KVM_CREATE_VCPU, -1L));
}

TEST_F(bare, bad_pointers)
{
	static const unsigned long vcpu_calls[] = {
		KVM_GET_REGS,	    KVM_SET_REGS,	KVM_GET_SREGS,
		KVM_SET_SREGS,	    KVM_GET_FPU,	KVM_SET_FPU,
		KVM_GET_XSAVE,	    KVM_SET_XSAVE,	KVM_GET_XCRS,
		KVM_SET_XCRS,	    KVM_GET_DEBUGREGS,	KVM_SET_DEBUGREGS,
		KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_MP_STATE,
		KVM_SET_MP_STATE,   KVM_GET_MSRS,	KVM_SET_MSRS,
		KVM_SET_CPUID2,	    KVM_GET_CPUID2,	KVM_TRANSLATE,
		KVM_SET_SIGNAL_MASK, KVM_SET_GUEST_DEBUG, KVM_INTERRUPT,
	};
	static void *const bad[] = {
		(void *)8, (void *)0xffff800000000000UL,
		(void *)0x7fffffffe000UL, (void *)-16L,
	};

	for (size_t i = 0; i < sizeof(vcpu_calls) / sizeof(vcpu_calls[0]); i++)
		for (size_t j = 0; j < 4; j++)
			EXPECT_ERRNO(EFAULT, ioctl(self->v.fd, vcpu_calls[i],
						   bad[j]));
	for (size_t j = 0; j < 4; j++) {
		EXPECT_ERRNO(EFAULT, ioctl(self->vm.fd,
					   KVM_SET_USER_MEMORY_REGION, bad[j]));
		EXPECT_ERRNO(EFAULT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG,
					   bad[j]));
		EXPECT_ERRNO(EFAULT, ioctl(self->vm.fd, KVM_ENABLE_CAP,
					   bad[j]));
		EXPECT_ERRNO(EFAULT, ioctl(self->vm.dev,
					   KVM_GET_SUPPORTED_CPUID, bad[j]));
		EXPECT_ERRNO(EFAULT, ioctl(self->vm.dev,
					   KVM_GET_MSR_INDEX_LIST, bad[j]));
	}
}

/* The table in uapi/tandem.h against behaviour. */
TEST_F(bare, table)
{
	static const struct {
		unsigned long call;
		const char *name;
		int file;
		int support;
	} table[] = {
#define DEV 0
#define VM 1
#define VCPU 2
#define FULL 0
#define PARTIAL 1
#define REFUSED 2
#define ROW(call, file, support, note) { call, #call, file, support },
		TDM_ABI_TABLE(ROW)
	};
	int fds[] = { self->vm.dev, self->vm.fd, self->v.fd };

	REQUIRE_TANDEM();
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int got, bad = table[i].file == VM ? ENOTTY : EINVAL;

		/* These act without an argument to get wrong. */
		if (table[i].call == KVM_CREATE_VM ||
		    table[i].call == KVM_CREATE_VCPU ||
		    table[i].call == KVM_RUN)
			continue;
		errno = 0;
		got = ioctl(fds[table[i].file], table[i].call, -16L);
		if (table[i].support == REFUSED) {
			EXPECT_EQ(-1, got) TH_LOG("%s", table[i].name);
			EXPECT_EQ(bad, errno)
				TH_LOG("%s: %s", table[i].name,
				       strerror(errno));
		} else if (table[i].file == VM) {
			EXPECT_NE(ENOTTY, errno)
				TH_LOG("%s is said to be there",
				       table[i].name);
		}
	}
}

/* "What is not listed is refused": the rest of KVM's ioctls, as KVM does what it has not. */
TEST_F(bare, not_in_the_table)
{
	static const unsigned long vm_calls[] = {
		KVM_CREATE_DEVICE,	KVM_SET_PMU_EVENT_FILTER,
		KVM_RESET_DIRTY_RINGS,	KVM_MEMORY_ENCRYPT_OP,
		KVM_HYPERV_EVENTFD,	KVM_XEN_HVM_CONFIG,
	};
	static const unsigned long vcpu_calls[] = {
		KVM_GET_NESTED_STATE,	KVM_SET_NESTED_STATE,
		KVM_XEN_VCPU_GET_ATTR,	KVM_GET_SUPPORTED_HV_CPUID,
	};

	for (size_t i = 0; i < sizeof(vm_calls) / sizeof(vm_calls[0]); i++)
		EXPECT_ERRNO(ENOTTY, ioctl(self->vm.fd, vm_calls[i], -16L));
	for (size_t i = 0; i < sizeof(vcpu_calls) / sizeof(vcpu_calls[0]); i++)
		EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, vcpu_calls[i], -16L));
}

TEST_F(bare, mmap)
{
	void *p;

	/* The pages behind kvm_run are not ours to see. */
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->v.fd,
		 (off_t)(1UL << 30));
	if (p != MAP_FAILED) {
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(*(volatile char *)p);
		waitpid(pid, &status, 0);
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
				   self->vm.dev, 0));
	/* Two mappings are one memory. */
	p = mmap(NULL, self->vm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		 self->v.fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	((struct kvm_run *)p)->immediate_exit = 1;
	EXPECT_EQ(1, self->v.run->immediate_exit);
	munmap(p, self->vm.run_size);
}

/* A VM belongs to the address space that made it. */
TEST_F(bare, fork)
{
	struct kvm_regs regs;
	pid_t pid;
	int status;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int wrong = 0;

		if (ioctl(self->vm.fd, KVM_CREATE_VCPU, 1UL) != -1 ||
		    errno != EIO)
			wrong |= 1;
		if (ioctl(self->v.fd, KVM_GET_REGS, &regs) != -1 || errno != EIO)
			wrong |= 2;
		if (ioctl(self->v.fd, KVM_RUN, 0UL) != -1 || errno != EIO)
			wrong |= 4;
		_exit(wrong);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, ioctl(self->v.fd, KVM_GET_REGS, &regs));
}

CODE16(out_hlt, "mov $0x42, %al; out %al, $0x10; hlt");

/* A vCPU keeps its VM, a VM its module, in whatever order one closes. */
TEST_F(bare, close_order)
{
	close(self->vm.dev);
	self->vm.dev = tvm_open();
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, out_hlt,
				CODE_LEN(out_hlt)));
	close(self->vm.fd);
	self->vm.fd = -1;
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	EXPECT_EQ(0x42, tvcpu_io_data(&self->v));
}

/* Closing a VM while its vCPU fd lives elsewhere, many times. */
TEST(churn)
{
	struct tvm vm;
	struct tvcpu v[4];

	REQUIRE_DEVICE();
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, tvm_create(&vm, i & 1 ? TVM_IRQCHIP : 0));
		for (int j = 0; j < 4; j++) {
			ASSERT_EQ(0, tvcpu_create(&vm, &v[j],
						  (unsigned long)j));
		}
		for (int j = 0; j < 4; j++)
			tvcpu_destroy(&vm, &v[(j + i) % 4]);
		tvm_destroy(&vm);
	}
}

TEST(descriptor_limit)
{
	int dev = tvm_open(), fds[64], n = 0;

	REQUIRE_DEVICE();
	while (n < 64 && (fds[n] = ioctl(dev, KVM_CREATE_VM, 0UL)) >= 0)
		n++;
	EXPECT_EQ(64, n) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fds[0], F_GETFD));
	while (n)
		close(fds[--n]);
	close(dev);
}

TEST_F(bare, not_files)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->vm.fd, &c, 1));
	EXPECT_EQ(-1, write(self->v.fd, &c, 1));
	EXPECT_EQ(-1, read(self->vm.dev, &c, 1));
}

TEST_F(bare, own_ioctls)
{
	struct tdm_engine_config config = { .engine = 99 };
	struct tdm_engine_info info = { .engine = TDM_ENGINE_VMX };

	REQUIRE_TANDEM();
	EXPECT_EQ(TDM_ABI_VERSION, ioctl(self->vm.dev, TDM_GET_ABI_VERSION,
					 0UL));
	EXPECT_EQ(0, ioctl(self->vm.dev, TDM_ENGINE_INFO, &info));
	/* Without an error it may still say why an MMU mode is missing. */
	EXPECT_EQ(info.error || !(info.mmu_modes & 1U << TDM_MMU_EPT), !!info.why[0])
		TH_LOG("error %d, why '%s'", info.error, info.why);
	EXPECT_TRUE(info.error || info.mmu_modes & 1U << TDM_MMU_SHADOW);
	EXPECT_EQ(NULL, memchr(info.why, 0, sizeof(info.why)) ? NULL : "");
	info.engine = 77;
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.dev, TDM_ENGINE_INFO, &info));
	EXPECT_ERRNO(EFAULT, ioctl(self->vm.dev, TDM_ENGINE_INFO, -16L));
	/* Only before the first vCPU, and only what exists. */
	EXPECT_EQ(-1, ioctl(self->vm.fd, TDM_VM_SET_ENGINE, &config));
	EXPECT_ERRNO(EFAULT, ioctl(self->vm.fd, TDM_VM_SET_ENGINE, -16L));
	EXPECT_EQ(0, ioctl(self->vm.fd, TDM_VM_GET_ENGINE, &config));
	EXPECT_NE(TDM_ENGINE_AUTO, config.engine);
	EXPECT_NE(TDM_MMU_AUTO, config.mmu);
}

static const __u32 engines[] = { TDM_ENGINE_VMX, TDM_ENGINE_BT };

/*
 * Each engine and mode the device says it has can be had, and is the one that was
 * asked for; the others fail as it said.
 */
TEST(mmu_modes)
{
	struct tvm vm;

	REQUIRE_DEVICE();
	REQUIRE_TANDEM();
	ASSERT_EQ(0, tvm_create(&vm, TVM_NO_MEM));
	for (unsigned int i = 0; i < 2 * sizeof(engines) / sizeof(engines[0]); i++) {
		struct tdm_engine_config config = {
			.engine = engines[i / 2],
			.mmu = i % 2 ? TDM_MMU_SHADOW : TDM_MMU_EPT,
		};
		struct tdm_engine_info info = { .engine = config.engine };
		struct tdm_engine_config is;

		ASSERT_EQ(0, ioctl(vm.dev, TDM_ENGINE_INFO, &info));
		EXPECT_TRUE(!info.error == !!info.mmu_modes);
		if (!(info.mmu_modes & 1U << config.mmu)) {
			EXPECT_ERRNO(info.error ? info.error : EOPNOTSUPP,
				     ioctl(vm.fd, TDM_VM_SET_ENGINE, &config));
			continue;
		}
		EXPECT_EQ(0, ioctl(vm.fd, TDM_VM_SET_ENGINE, &config));
		EXPECT_EQ(0, ioctl(vm.fd, TDM_VM_GET_ENGINE, &is));
		EXPECT_EQ(config.engine, is.engine);
		EXPECT_EQ(config.mmu, is.mmu);
	}
	tvm_destroy(&vm);
}

TEST(engine_arguments)
{
	struct tdm_engine_config config;
	struct tvm vm;

	REQUIRE_DEVICE();
	REQUIRE_TANDEM();
	ASSERT_EQ(0, tvm_create(&vm, TVM_NO_MEM));
	config = (struct tdm_engine_config){ .engine = 99 };
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, TDM_VM_SET_ENGINE, &config));
	config = (struct tdm_engine_config){ .mmu = 99 };
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, TDM_VM_SET_ENGINE, &config));
	config = (struct tdm_engine_config){ .flags = 1 };
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, TDM_VM_SET_ENGINE, &config));
	config = (struct tdm_engine_config){ .reserved = { 0, 0, 0, 1 } };
	EXPECT_ERRNO(EINVAL, ioctl(vm.fd, TDM_VM_SET_ENGINE, &config));
	tvm_destroy(&vm);
}

TEST_HARNESS_MAIN
