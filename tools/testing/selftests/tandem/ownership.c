// SPDX-License-Identifier: GPL-2.0-only
/*
 * ownership.c - VMX belongs to one at a time: who has it is named, the other
 * is refused with a reason, and everything works again once it is free.
 *
 * Run on a machine with VMX, with kvm_intel at hand but not loaded.
 */
#include <sys/wait.h>

#include "fixture.h"

static int modprobe(const char *args)
{
	char command[128];

	snprintf(command, sizeof(command), "modprobe %s 2>/dev/null", args);
	return system(command);
}

FIXTURE(kvm)
{
	int dev;
};

FIXTURE_SETUP(kvm)
{
	self->dev = -1;
	REQUIRE_DEVICE();
	if (modprobe("kvm_intel enable_apicv=0"))
		SKIP(return, "kvm_intel does not load");
	self->dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(kvm)
{
	if (self->dev >= 0)
		close(self->dev);
	modprobe("-r kvm_intel kvm");
}

CODE16(hello, "mov $0x42, %al; out %al, $0x10; hlt");

static bool runs(void)
{
	struct tvm vm;
	struct tvcpu v;
	bool good;

	if (tvm_create(&vm, 0))
		return false;
	good = !tvcpu_create(&vm, &v, 0) &&
	       !tvcpu_real(&vm, &v, hello, CODE_LEN(hello)) &&
	       !tvcpu_run(&v) && tvcpu_is_io(&v, KVM_EXIT_IO_OUT, 1, 0x10) &&
	       tvcpu_io_data(&v) == 0x42;
	tvcpu_destroy(&vm, &v);
	tvm_destroy(&vm);
	return good;
}

/* A VM that insists on VMX; errno when it is refused. */
static int vmx_error(void)
{
	struct tdm_engine_config config = { .engine = TDM_ENGINE_VMX };
	struct tvm vm;
	struct tvcpu v;
	int error = 0;

	if (tvm_create(&vm, TVM_NO_MEM))
		return errno;
	if (ioctl(vm.fd, TDM_VM_SET_ENGINE, &config))
		error = errno;
	else if (tvcpu_create(&vm, &v, 0))
		error = errno;
	else
		tvcpu_destroy(&vm, &v);
	tvm_destroy(&vm);
	return error;
}

TEST_F(kvm, loaded_and_idle)
{
	/* Loaded alone it may not have VMX on: then we may have it. */
	EXPECT_TRUE(runs() || vmx_error() == EBUSY);
}

TEST_F(kvm, has_a_vm)
{
	struct tdm_engine_info info = { .engine = TDM_ENGINE_VMX };
	int vm = ioctl(self->dev, KVM_CREATE_VM, 0UL), dev, vcpu;

	ASSERT_LE(0, vm);
	EXPECT_EQ(EBUSY, vmx_error());
	dev = tvm_open();
	ASSERT_EQ(0, ioctl(dev, TDM_ENGINE_INFO, &info));
	close(dev);
	EXPECT_EQ(EBUSY, info.error);
	EXPECT_NE(NULL, strstr(info.why, "kvm"))
		TH_LOG("why: '%s'", info.why);
	/* KVM is not harmed by our asking. */
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
	EXPECT_LE(0, vcpu);
	close(vcpu);
	close(vm);
	/* Free again. */
	for (int i = 0; i < 20 && vmx_error(); i++)
		usleep(100000);
	EXPECT_EQ(0, vmx_error());
	EXPECT_TRUE(runs());
}

TEST_F(kvm, we_have_a_vm)
{
	struct tvm vm;
	struct tvcpu v;
	int kvm;

	ASSERT_EQ(0, tvm_create(&vm, 0));
	ASSERT_EQ(0, tvcpu_create(&vm, &v, 0));
	/* KVM sees VMX taken; we go on. */
	kvm = ioctl(self->dev, KVM_CREATE_VM, 0UL);
	EXPECT_GT(0, kvm);
	if (kvm >= 0)
		close(kvm);
	ASSERT_EQ(0, tvcpu_real(&vm, &v, hello, CODE_LEN(hello)));
	EXPECT_EQ(0, tvcpu_run(&v));
	EXPECT_EQ(0x42, tvcpu_io_data(&v));
	tvcpu_destroy(&vm, &v);
	tvm_destroy(&vm);
	/* And back to KVM. */
	kvm = ioctl(self->dev, KVM_CREATE_VM, 0UL);
	EXPECT_LE(0, kvm) TH_LOG("%s", strerror(errno));
	if (kvm >= 0)
		close(kvm);
}

TEST_HARNESS_MAIN
