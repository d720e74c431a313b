// SPDX-License-Identifier: GPL-2.0-only
/*
 * pv.c - kvmclock and steal time: what the guest finds in its memory, where it
 * may have it, and who has the registers at all.
 */
#include <asm/kvm_para.h>
#include <pthread.h>
#include <sched.h>
#include <x86intrin.h>

#include "fixture.h"

#define INFO 0x10000UL
#define STEAL 0x11000UL
#define WALL 0x12000UL

/* As the kernel's pvclock-abi.h has it, which is not for programs. */
struct time_info {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t pad[2];
};

struct wall {
	uint32_t version;
	uint32_t sec;
	uint32_t nsec;
};

#define STABLE 1
#define STOPPED 2

static struct time_info *info_of(struct tvm *vm)
{
	return (struct time_info *)(vm->mem + INFO);
}

/* As a guest reads it. */
static uint64_t read_clock(const struct time_info *t, uint64_t tsc)
{
	uint64_t ticks = tsc - t->tsc_timestamp;

	ticks = t->shift < 0 ? ticks >> -t->shift : ticks << t->shift;
	return t->system_time + (uint64_t)((unsigned __int128)ticks * t->mul >> 32);
}

static uint64_t vm_clock(struct tvm *vm)
{
	struct kvm_clock_data data = { 0 };

	return ioctl(vm->fd, KVM_GET_CLOCK, &data) ? 0 : data.clock;
}

/* The guest's TSC now. */
static uint64_t guest_tsc(struct tvcpu *v)
{
	uint64_t tsc = 0;

	tvcpu_get_msr(v, 0x10, &tsc);
	return tsc;
}

CODE16(spin, "1: out %al, $0x10; jmp 1b");

static bool offered(struct tvm *vm, unsigned int feature)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} table = { .head.nent = 256 };

	if (ioctl(vm->dev, KVM_GET_SUPPORTED_CPUID, &table))
		return false;
	for (unsigned int i = 0; i < table.head.nent; i++)
		if (table.entries[i].function == KVM_CPUID_FEATURES)
			return table.entries[i].eax & 1U << feature;
	return false;
}

TEST_F(chip, clock)
{
	struct time_info *t = info_of(&self->vm);
	struct kvm_clock_data data = { .clock = 1000000000000ULL };
	uint64_t before, now, after;
	uint32_t version;

	if (!offered(&self->vm, KVM_FEATURE_CLOCKSOURCE2))
		SKIP(return, "no kvmclock: the host's TSC is not stable");
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	ASSERT_EQ(1, tvcpu_set_msr(&self->v, MSR_KVM_SYSTEM_TIME_NEW, INFO | 1));
	RUN_OK(&self->v);
	version = t->version;
	EXPECT_EQ(0, version & 1);
	EXPECT_LT(0, version);
	EXPECT_EQ(STABLE, t->flags);
	/* Guest and caller read one clock. */
	for (int i = 0; i < 20; i++) {
		before = vm_clock(&self->vm);
		now = read_clock(t, guest_tsc(&self->v));
		after = vm_clock(&self->vm);
		EXPECT_LE(before, now + 2);
		EXPECT_LE(now, after + 2);
	}
	/* Set: the guest has it when it runs again. */
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK, &data));
	RUN_OK(&self->v);
	EXPECT_LT(version, t->version);
	now = read_clock(t, guest_tsc(&self->v));
	EXPECT_LE(data.clock, now);
	EXPECT_GE(data.clock + 5000000000ULL, now);
	data.flags = 0x100;
	EXPECT_ERRNO(EINVAL, ioctl(self->vm.fd, KVM_SET_CLOCK, &data));
	/* Stopped by its user: said once. */
	ASSERT_EQ(0, ioctl(self->v.fd, KVM_KVMCLOCK_CTRL, 0UL));
	RUN_OK(&self->v);
	EXPECT_EQ(STABLE | STOPPED, t->flags);
	ASSERT_EQ(1, tvcpu_set_msr(&self->v, MSR_KVM_SYSTEM_TIME, INFO | 1));
	RUN_OK(&self->v);
	EXPECT_EQ(STABLE, t->flags);
	/* Off: nothing more is written. */
	ASSERT_EQ(1, tvcpu_set_msr(&self->v, MSR_KVM_SYSTEM_TIME_NEW, 0));
	version = t->version;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK,
			   &(struct kvm_clock_data){ .clock = 1 }));
	RUN_OK(&self->v);
	EXPECT_EQ(version, t->version);
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_KVMCLOCK_CTRL, 0UL));
}

/* TSCs that differ make each vCPU's reading its own. */
TEST_F(chip, clock_unstable)
{
	struct time_info *t = info_of(&self->vm);
	struct tvcpu other;
	uint64_t now;

	if (!offered(&self->vm, KVM_FEATURE_CLOCKSOURCE2))
		SKIP(return, "no kvmclock: the host's TSC is not stable");
	ASSERT_EQ(0, tvcpu_create(&self->vm, &other, 1));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	ASSERT_EQ(1, tvcpu_set_msr(&self->v, MSR_KVM_SYSTEM_TIME_NEW, INFO | 1));
	/* Far from the other's. */
	ASSERT_EQ(1, tvcpu_set_msr(&other, 0x10, 1ULL << 50));
	RUN_OK(&self->v);
	EXPECT_EQ(0, t->flags & STABLE);
	now = read_clock(t, guest_tsc(&self->v));
	EXPECT_GE(vm_clock(&self->vm), now);
	tvcpu_destroy(&self->vm, &other);
}

TEST_F(chip, wall_clock)
{
	struct wall *w = (struct wall *)(self->vm.mem + WALL);
	time_t now = time(NULL);

	if (!offered(&self->vm, KVM_FEATURE_CLOCKSOURCE2))
		SKIP(return, "no kvmclock: the host's TSC is not stable");
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	ASSERT_EQ(1, tvcpu_set_msr(&self->v, MSR_KVM_WALL_CLOCK_NEW, WALL));
	RUN_OK(&self->v);
	EXPECT_EQ(0, w->version & 1);
	/* When the VM's clock was 0: a moment ago. */
	EXPECT_LE((uint64_t)now - 60, w->sec);
	EXPECT_GE((uint64_t)now + 2, w->sec);
	EXPECT_GT(1000000000U, w->nsec);
}

/* Places that are none: the guest's loss, and nobody else's. */
TEST_F(chip, bad_places)
{
	static const uint64_t places[] = {
		0xd0000000, TVM_MEM - 4, ~0xfffULL, 1ULL << 46,
	};

	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		tvcpu_set_msr(&self->v, MSR_KVM_SYSTEM_TIME_NEW, places[i] | 1);
		tvcpu_set_msr(&self->v, MSR_KVM_WALL_CLOCK_NEW, places[i]);
		tvcpu_set_msr(&self->v, MSR_KVM_STEAL_TIME, (places[i] & ~63ULL) | 1);
		RUN_OK(&self->v);
		EXPECT_EQ(KVM_EXIT_IO, self->v.run->exit_reason);
	}
	/* Misaligned. */
	EXPECT_EQ(0, tvcpu_set_msr(&self->v, MSR_KVM_STEAL_TIME, STEAL | 0x20 | 1));
}

static volatile bool stop_hog;

static void *hog(void *arg)
{
	while (!stop_hog)
		;
	return NULL;
}

/* Somebody else wants the CPU as well: the guest is told of the wait. */
TEST_F(chip, steal)
{
	struct kvm_steal_time *s = (struct kvm_steal_time *)(self->vm.mem + STEAL);
	cpu_set_t one;
	pthread_t thread;
	uint64_t before;

	if (!offered(&self->vm, KVM_FEATURE_STEAL_TIME))
		SKIP(return, "the host's kernel does not count run delay");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, spin, CODE_LEN(spin)));
	ASSERT_EQ(1, tvcpu_set_msr(&self->v, MSR_KVM_STEAL_TIME, STEAL | 1));
	RUN_OK(&self->v);
	before = s->steal;
	EXPECT_EQ(0, s->version & 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, hog, NULL));
	for (int i = 0; i < 20000 && s->steal < before + 1000000; i++)
		RUN_OK(&self->v);
	stop_hog = true;
	pthread_join(thread, NULL);
	EXPECT_LE(before + 1000000, s->steal);
	EXPECT_EQ(0, s->preempted);
}

CODE16(rdmsr_new, "mov $0x4b564d01, %ecx; rdmsr; out %al, $0x10; hlt");
CODE16(gp, "out %al, $0x13; hlt");

/* To a guest that was not given them these are no registers. */
TEST_F(bare, only_with_cpuid)
{
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, rdmsr_new, CODE_LEN(rdmsr_new)));
	tvm_load(&self->vm, 0x3000, gp, CODE_LEN(gp));
	tvm_ivt(&self->vm, 13, 0x3000);
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x13));
}

TEST_F(bare, with_cpuid)
{
	if (!offered(&self->vm, KVM_FEATURE_CLOCKSOURCE2))
		SKIP(return, "no kvmclock: the host's TSC is not stable");
	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, rdmsr_new, CODE_LEN(rdmsr_new)));
	RUN_OK(&self->v);
	EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	EXPECT_EQ(0, tvcpu_io_data(&self->v));
}

TEST_F(bare, caps)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
				      .args = { 1 } };
	struct kvm_vapic_addr vapic = { 0 };

	EXPECT_EQ(0, ioctl(self->v.fd, KVM_ENABLE_CAP, &cap));
	cap.flags = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_ENABLE_CAP, &cap));
	cap = (struct kvm_enable_cap){ .cap = 9999 };
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_ENABLE_CAP, &cap));
	EXPECT_ERRNO(EFAULT, ioctl(self->v.fd, KVM_ENABLE_CAP, -16L));
	/* Without a LAPIC here. */
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_SET_VAPIC_ADDR, &vapic));
	EXPECT_ERRNO(EINVAL, ioctl(self->v.fd, KVM_KVMCLOCK_CTRL, 0UL));
}

TEST_HARNESS_MAIN
