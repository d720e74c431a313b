// SPDX-License-Identifier: GPL-2.0-only
/*
 * msr.c - the lists of MSRs: each listed one can be read and written back, and
 * what is not there faults in the guest.
 */
#include "fixture.h"

static struct kvm_msr_list *msr_list(int dev, unsigned long call)
{
	struct kvm_msr_list head = { 0 }, *list;

	if (ioctl(dev, call, &head) != -1 || errno != E2BIG)
		return NULL;
	list = calloc(1, sizeof(*list) + 4 * head.nmsrs);
	list->nmsrs = head.nmsrs;
	if (ioctl(dev, call, list)) {
		free(list);
		return NULL;
	}
	return list;
}

TEST_F(bare, list)
{
	static const uint32_t needed[] = {
		0x10, 0x1b, 0x174, 0x175, 0x176, 0x277, 0xc0000081, 0xc0000082,
		0xc0000083, 0xc0000084, 0xc0000102,
	};
	struct kvm_msr_list *list = msr_list(self->vm.dev,
					     KVM_GET_MSR_INDEX_LIST);
	uint64_t value;

	ASSERT_NE(NULL, list);
	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		EXPECT_EQ(1, tvcpu_get_msr(&self->v, list->indices[i], &value))
			TH_LOG("reading %x", list->indices[i]);
		/* Some of KVM's own cannot be written before they are set up. */
		if (list->indices[i] >> 8 != 0x4b564d) {
			EXPECT_EQ(1, tvcpu_set_msr(&self->v, list->indices[i],
						   value))
				TH_LOG("writing back %lx to %x", value,
				       list->indices[i]);
		}
		for (uint32_t j = 0; j < i; j++) {
			EXPECT_NE(list->indices[i], list->indices[j]);
		}
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		bool found = needed[i] == 0x1b; /* by KVM_SET_SREGS */

		for (uint32_t j = 0; j < list->nmsrs; j++)
			found |= list->indices[j] == needed[i];
		EXPECT_TRUE(found) TH_LOG("%x is not listed", needed[i]);
	}
	free(list);
}

TEST_F(bare, features)
{
	struct kvm_msr_list *list = msr_list(self->vm.dev,
					     KVM_GET_MSR_FEATURE_INDEX_LIST);
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1 };

	ASSERT_NE(NULL, list);
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		one.entry.index = list->indices[i];
		EXPECT_EQ(1, ioctl(self->vm.dev, KVM_GET_MSRS, &one))
			TH_LOG("feature %x", list->indices[i]);
	}
	one.entry.index = 0x4f4f4f4f;
	EXPECT_EQ(0, ioctl(self->vm.dev, KVM_GET_MSRS, &one));
	free(list);
}

CODE16(gp, "mov $0xee, %al; out %al, $0x11; hlt");
CODE16(msr_access, "in $0x20, %eax; mov %eax, %ecx; in $0x20, %eax\n"
	       "test %eax, %eax; jz 1f; xor %eax, %eax; xor %edx, %edx\n"
	       "wrmsr; jmp 2f; 1: rdmsr; 2: mov $0x77, %al; out %al, $0x11; hlt");

/* What became of a guest's access: 0x77 done, 0xee #GP. */
static int guest_access(struct tvm *vm, struct tvcpu *v, uint32_t msr,
			bool write)
{
	uint32_t in[2] = { msr, write };

	tvm_load(vm, 0x3000, gp, CODE_LEN(gp));
	tvm_ivt(vm, 13, 0x3000);
	if (tvcpu_real(vm, v, msr_access, CODE_LEN(msr_access)))
		return -1;
	for (int i = 0; i < 2; i++) {
		if (tvcpu_run(v) || v->run->exit_reason != KVM_EXIT_IO)
			return -2;
		tvcpu_io_answer(v, in[i]);
	}
	if (tvcpu_run(v) || !tvcpu_is_io(v, KVM_EXIT_IO_OUT, 1, 0x11))
		return -3;
	return tvcpu_io_data(v);
}

TEST_F(bare, guest)
{
	static const uint32_t none[] = { 0x4f4f4f4f, 0xdeadbeef, 0xc0001fff };
	uint64_t value;

	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	EXPECT_EQ(0x77, guest_access(&self->vm, &self->v, 0x277, false));
	EXPECT_EQ(0x77, guest_access(&self->vm, &self->v, 0xc0000084, true));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0xee, guest_access(&self->vm, &self->v, none[i],
					     false));
		EXPECT_EQ(0xee, guest_access(&self->vm, &self->v, none[i],
					     true));
	}
	/* The host's own are none of the guest's business. */
	if (!tvm_is_kvm()) {
		EXPECT_EQ(0xee, guest_access(&self->vm, &self->v, 0x480,
					     false));
	}
	EXPECT_EQ(0xee, guest_access(&self->vm, &self->v, 0x1a2, true));
	/* No trace of the host's values. */
	ASSERT_EQ(1, tvcpu_get_msr(&self->v, 0xc0000082, &value));
	EXPECT_EQ(0, value);
	ASSERT_EQ(1, tvcpu_get_msr(&self->v, 0x176, &value));
	EXPECT_EQ(0, value);
	ASSERT_EQ(1, tvcpu_get_msr(&self->v, 0xc0000102, &value));
	EXPECT_EQ(0, value);
}

TEST_F(bare, tsc)
{
	uint64_t a, b;

	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	ASSERT_EQ(1, tvcpu_get_msr(&self->v, 0x10, &a));
	ASSERT_EQ(1, tvcpu_get_msr(&self->v, 0x10, &b));
	EXPECT_LT(a, b);
	ASSERT_EQ(1, tvcpu_set_msr(&self->v, 0x10, 1UL << 50));
	ASSERT_EQ(1, tvcpu_get_msr(&self->v, 0x10, &a));
	EXPECT_LE(1UL << 50, a);
	EXPECT_GT((1UL << 50) + (1UL << 36), a);
	EXPECT_LT(0, ioctl(self->v.fd, KVM_GET_TSC_KHZ, 0UL));
}

TEST_HARNESS_MAIN
