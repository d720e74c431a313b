/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fixture.h - the fixtures most test programs start from: a VM with one vCPU,
 * with and without interrupt controllers.
 *
 * Included once a program, after the harness's TESTs know nothing of it yet.
 * Without the device the tests are skipped, saying so.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "../kselftest_harness.h"
#include "tvm.h"

#define REQUIRE_DEVICE()						\
	do {								\
		int _fd = tvm_open();					\
									\
		if (_fd < 0)						\
			SKIP(return, "cannot open %s: %s", tvm_path(),	\
			     strerror(errno));				\
		close(_fd);						\
	} while (0)

#define REQUIRE_TANDEM()						\
	do {								\
		if (tvm_is_kvm())					\
			SKIP(return, "about tandem, not about KVM");	\
	} while (0)

/* No interrupt controllers: HLT and interrupts belong to userspace. */
FIXTURE(bare)
{
	struct tvm vm;
	struct tvcpu v;
};

FIXTURE_SETUP(bare)
{
	self->vm.dev = -1;
	REQUIRE_DEVICE();
	ASSERT_EQ(0, tvm_create(&self->vm, 0)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, tvcpu_create(&self->vm, &self->v, 0))
		TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(bare)
{
	if (self->vm.dev < 0)
		return;
	tvcpu_destroy(&self->vm, &self->v);
	tvm_destroy(&self->vm);
}

/* With PIC, IOAPIC, LAPIC and PIT in the kernel. */
FIXTURE(chip)
{
	struct tvm vm;
	struct tvcpu v;
};

FIXTURE_SETUP(chip)
{
	self->vm.dev = -1;
	REQUIRE_DEVICE();
	ASSERT_EQ(0, tvm_create(&self->vm, TVM_IRQCHIP | TVM_PIT))
		TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, tvcpu_create(&self->vm, &self->v, 0))
		TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(chip)
{
	if (self->vm.dev < 0)
		return;
	tvcpu_destroy(&self->vm, &self->v);
	tvm_destroy(&self->vm);
}

/* errno of a call that has to fail. */
#define EXPECT_ERRNO(code, call)					\
	do {								\
		errno = 0;						\
		EXPECT_EQ(-1, (long)(call));				\
		EXPECT_EQ(code, errno)					\
			TH_LOG(#call ": %s", strerror(errno));		\
	} while (0)

/* Runs until an exit that is not of the kicker's making. */
#define RUN_OK(v)							\
	do {								\
		ASSERT_EQ(0, tvcpu_run(v))				\
			TH_LOG("KVM_RUN: %s", strerror(errno));		\
	} while (0)

#endif
