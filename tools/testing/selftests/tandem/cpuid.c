// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid.c - CPUID tables: what is offered, what is taken, what the guest sees.
 */
#include "fixture.h"

struct table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[256];
};

static struct kvm_cpuid_entry2 *find(struct table *t, uint32_t function,
				     uint32_t index)
{
	for (uint32_t i = 0; i < t->head.nent; i++)
		if (t->head.entries[i].function == function &&
		    (t->head.entries[i].index == index ||
		     !(t->head.entries[i].flags &
		       KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return &t->head.entries[i];
	return NULL;
}

TEST_F(bare, supported)
{
	struct table t = { .head.nent = 0 };
	uint32_t need, a, b, c, d;

	EXPECT_ERRNO(E2BIG, ioctl(self->vm.dev, KVM_GET_SUPPORTED_CPUID, &t));
	t.head.nent = 256;
	ASSERT_EQ(0, ioctl(self->vm.dev, KVM_GET_SUPPORTED_CPUID, &t));
	need = t.head.nent;
	EXPECT_LT(5, need);
	t.head.nent = need - 1;
	EXPECT_ERRNO(E2BIG, ioctl(self->vm.dev, KVM_GET_SUPPORTED_CPUID, &t));
	t.head.nent = need;
	EXPECT_EQ(0, ioctl(self->vm.dev, KVM_GET_SUPPORTED_CPUID, &t));
	/* Offered to any guest on any CPU. */
	ASSERT_NE(NULL, find(&t, 0, 0));
	ASSERT_NE(NULL, find(&t, 1, 0));
	ASSERT_NE(NULL, find(&t, 7, 0));
	ASSERT_NE(NULL, find(&t, 0xd, 0));
	ASSERT_NE(NULL, find(&t, 0x80000008, 0));
	/* No VMX inside; no MONITOR. */
	if (!tvm_is_kvm()) {
		EXPECT_EQ(0, find(&t, 1, 0)->ecx & 1U << 5);
	}
	EXPECT_EQ(0, find(&t, 1, 0)->ecx & 1U << 3);
	/* Never more than the machine has. */
	a = 1;
	c = 0;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	EXPECT_EQ(0, find(&t, 1, 0)->edx & ~d);
	a = 0x80000001;
	c = 0;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	EXPECT_EQ(0, find(&t, 0x80000001, 0)->edx & ~d);
}

TEST_F(bare, set_get)
{
	struct table t = { .head.nent = 256 }, back;

	ASSERT_EQ(0, ioctl(self->vm.dev, KVM_GET_SUPPORTED_CPUID, &t));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
	back.head.nent = 1;
	EXPECT_ERRNO(E2BIG, ioctl(self->v.fd, KVM_GET_CPUID2, &back));
	back.head.nent = 256;
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_GET_CPUID2, &back));
	/* KVM of 6.1 leaves nent as it was. */
	if (!tvm_is_kvm()) {
		EXPECT_EQ(t.head.nent, back.head.nent);
	}
	for (uint32_t i = 0; i < t.head.nent; i++) {
		EXPECT_EQ(t.head.entries[i].function,
			  back.head.entries[i].function);
		EXPECT_EQ(t.head.entries[i].index, back.head.entries[i].index);
	}
	t.head.nent = 257;
	EXPECT_ERRNO(E2BIG, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
	t.head.nent = 0xffffffff;
	EXPECT_ERRNO(E2BIG, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
	/* A physical address width that makes no sense is the caller's. */
	t.head.nent = 0;
	EXPECT_EQ(0, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
}

CODE16(ask, "1: in $0x20, %eax; mov %eax, %edi; in $0x20, %eax\n"
	    "mov %eax, %ecx; mov %edi, %eax; cpuid\n"
	    "out %eax, $0x30; mov %ebx, %eax; out %eax, $0x31\n"
	    "mov %ecx, %eax; out %eax, $0x32; mov %edx, %eax\n"
	    "out %eax, $0x33; jmp 1b");

/* CPUID as the guest executes it. */
static int guest_cpuid(struct tvcpu *v, uint32_t leaf, uint32_t sub,
		       uint32_t out[4])
{
	uint32_t in[2] = { leaf, sub };

	for (int i = 0; i < 2; i++) {
		if (tvcpu_run(v) || !tvcpu_is_io(v, KVM_EXIT_IO_IN, 4, 0x20))
			return -1;
		tvcpu_io_answer(v, in[i]);
	}
	for (int i = 0; i < 4; i++) {
		if (tvcpu_run(v) || !tvcpu_is_io(v, KVM_EXIT_IO_OUT, 4,
						 0x30 + i))
			return -1;
		out[i] = tvcpu_io_data(v);
	}
	return 0;
}

TEST_F(bare, guest_sees)
{
	struct table t = { .head.nent = 5 };
	uint32_t r[4];

	t.head.entries[0] = (struct kvm_cpuid_entry2){
		.function = 0, .eax = 4, .ebx = 1, .ecx = 2, .edx = 3,
	};
	t.head.entries[1] = (struct kvm_cpuid_entry2){
		.function = 4, .index = 0, .eax = 0x121, .edx = 9,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
	t.head.entries[2] = (struct kvm_cpuid_entry2){
		.function = 4, .index = 1, .eax = 0x122, .edx = 8,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
	t.head.entries[3] = (struct kvm_cpuid_entry2){
		.function = 0x80000000, .eax = 0x80000000,
	};
	t.head.entries[4] = (struct kvm_cpuid_entry2){
		.function = 3, .eax = 0xaaaa, .ebx = 0xbbbb, .ecx = 0xcccc,
		.edx = 0xdddd,
	};
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, ask, CODE_LEN(ask)));
	ASSERT_EQ(0, guest_cpuid(&self->v, 0, 0, r));
	EXPECT_TRUE(r[0] == 4 && r[1] == 1 && r[2] == 2 && r[3] == 3);
	/* Without a significant index any ECX will do. */
	ASSERT_EQ(0, guest_cpuid(&self->v, 3, 99, r));
	EXPECT_TRUE(r[0] == 0xaaaa && r[1] == 0xbbbb && r[2] == 0xcccc &&
		    r[3] == 0xdddd);
	ASSERT_EQ(0, guest_cpuid(&self->v, 4, 1, r));
	EXPECT_TRUE(r[0] == 0x122 && r[3] == 8);
	ASSERT_EQ(0, guest_cpuid(&self->v, 4, 2, r));
	EXPECT_TRUE(!r[0] && !r[1] && !r[2] && !r[3]);
	/* Not there. */
	ASSERT_EQ(0, guest_cpuid(&self->v, 2, 0, r));
	EXPECT_TRUE(!r[0] && !r[1] && !r[2] && !r[3]);
}

TEST_F(bare, after_run)
{
	struct table t = { .head.nent = 256 };

	ASSERT_EQ(0, ioctl(self->vm.dev, KVM_GET_SUPPORTED_CPUID, &t));
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, ask, CODE_LEN(ask)));
	RUN_OK(&self->v);
	EXPECT_EQ(0, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
	find(&t, 7, 0)->ebx ^= 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_CPUID2, &t));
}

TEST_HARNESS_MAIN
