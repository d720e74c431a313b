// SPDX-License-Identifier: GPL-2.0-only
/*
 * host_state.c - a guest leaves no trace in its host: registers, tables and
 * MSRs of the CPUs and of the process, over many exits, moves between CPUs
 * and preemption.
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <sys/io.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "fixture.h"

#define ROUNDS 300

/*
 * A guest that turns all inside out that it can reach: vector registers,
 * debug registers, FS/GS bases, syscall MSRs, TSC_AUX.
 */
CODE64(vandal,
       "mov %cr0, %rax; and $~6, %eax; mov %rax, %cr0\n"
       "mov %cr4, %rax; or $0x200, %eax; mov %rax, %cr4\n"
       "1: mov $0xdeadbeefcafebabe, %rax\n"
       "movq %rax, %xmm0; movq %rax, %xmm1; movq %rax, %xmm7\n"
       "movq %rax, %xmm15; fninit; fldpi; fldpi\n"
       "sub $8, %rsp; movl $0x1fa0, (%rsp); ldmxcsr (%rsp)\n"
       "movw $0x27f, (%rsp); fldcw (%rsp); add $8, %rsp\n"
       "mov $0x5000, %eax; mov %rax, %dr0; mov %rax, %dr3\n"
       "mov $0x400, %eax; mov %rax, %dr7\n"
       "xor %edx, %edx; mov $0x12340000, %eax\n"
       "mov $0xc0000100, %ecx; wrmsr; inc %ecx; wrmsr; inc %ecx; wrmsr\n"
       "mov $0xc0000082, %ecx; wrmsr; inc %ecx; wrmsr\n"
       "mov $0xc0000081, %ecx; wrmsr; mov $0xc0000084, %ecx; wrmsr\n"
       "mov $0x174, %ecx; wrmsr; inc %ecx; wrmsr; inc %ecx; wrmsr\n"
       "incl 0x6000; mov 0x6000, %eax; out %eax, $0x10\n"
       "movq %xmm15, %rax; mov %rax, 0x6010\n"
       "jmp 1b");

FIXTURE(guest)
{
	struct tvm vm;
	struct tvcpu v;
};

FIXTURE_SETUP(guest)
{
	self->vm.dev = -1;
	REQUIRE_DEVICE();
	ASSERT_EQ(0, tvm_create(&self->vm, 0));
	ASSERT_EQ(0, tvcpu_create(&self->vm, &self->v, 0));
	ASSERT_EQ(0, tvcpu_cpuid(&self->vm, &self->v));
	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, vandal,
				CODE_LEN(vandal)));
}

FIXTURE_TEARDOWN(guest)
{
	if (self->vm.dev < 0)
		return;
	tvcpu_destroy(&self->vm, &self->v);
	tvm_destroy(&self->vm);
}

static int cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % cpus(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* One exit further; the guest's own state came along. */
#define ROUND(i)							\
	do {								\
		move_to((i) / 3);					\
		RUN_OK(&self->v);					\
		ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4,	\
					0x10))				\
			TH_LOG("round %d: exit %u", i,			\
			       self->v.run->exit_reason);		\
		ASSERT_EQ((i) + 1, tvcpu_io_data(&self->v));		\
	} while (0)

/* Ports: a VM exit leaves TR.limit at 0x67, which cuts off the bitmap. */
TEST_F(guest, ports)
{
	ASSERT_EQ(0, ioperm(0x80, 1, 1));
	for (int i = 0; i < ROUNDS; i++) {
		ROUND(i);
		/* SIGSEGV here is the failure. */
		outb(0x55, 0x80);
	}
	ASSERT_EQ(0, iopl(3));
	for (int i = ROUNDS; i < ROUNDS + 20; i++) {
		ROUND(i);
		inb(0x80);
	}
	iopl(0);
}

struct table_reg {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* Descriptor tables of each CPU, as far as the CPU lets one see them. */
TEST_F(guest, tables)
{
	struct table_reg gdt[64], idt[64], now;
	uint16_t tr[64], ldt[64], sel;
	int n = cpus() > 64 ? 64 : cpus();

	for (int cpu = 0; cpu < n; cpu++) {
		move_to(cpu);
		asm volatile("sgdt %0" : "=m"(gdt[cpu]));
		asm volatile("sidt %0" : "=m"(idt[cpu]));
		asm volatile("str %0" : "=r"(tr[cpu]));
		asm volatile("sldt %0" : "=r"(ldt[cpu]));
	}
	for (int i = 0; i < ROUNDS; i++) {
		int cpu = i / 3 % cpus();

		ROUND(i);
		if (cpu >= n)
			continue;
		asm volatile("sgdt %0" : "=m"(now));
		ASSERT_EQ(0, memcmp(&now, &gdt[cpu], sizeof(now)))
			TH_LOG("GDT %lx:%x", now.base, now.limit);
		asm volatile("sidt %0" : "=m"(now));
		ASSERT_EQ(0, memcmp(&now, &idt[cpu], sizeof(now)))
			TH_LOG("IDT %lx:%x", now.base, now.limit);
		asm volatile("str %0" : "=r"(sel));
		ASSERT_EQ(tr[cpu], sel);
		asm volatile("sldt %0" : "=r"(sel));
		ASSERT_EQ(ldt[cpu], sel);
	}
}

/* An LDT and an FS and GS of the process's own. */
TEST_F(guest, segments)
{
	struct {
		uint32_t entry, base, limit, flags;
	} desc = { .entry = 0, .base = 0, .limit = 0xfffff, .flags = 0x51 };
	unsigned long gs = 0x123456789000, got;
	uint16_t sel;

	ASSERT_EQ(0, syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)));
	ASSERT_EQ(0, syscall(SYS_arch_prctl, 0x1001, gs));
	for (int i = 0; i < ROUNDS; i++) {
		ROUND(i);
		ASSERT_EQ(0, syscall(SYS_arch_prctl, 0x1004, &got));
		ASSERT_EQ(gs, got);
		asm volatile("mov %0, %%es" : : "r"(7));
		asm volatile("mov %%es, %0" : "=r"(sel));
		ASSERT_EQ(7, sel);
		asm volatile("mov %0, %%es" : : "r"(0));
	}
}

/* The other doors into the kernel: int 0x80, and RDTSCP's CPU number. */
TEST_F(guest, entries)
{
	uint32_t a, b, c, d, aux;
	bool rdtscp;

	a = 0x80000001;
	c = 0;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	rdtscp = d >> 27 & 1;
	for (int i = 0; i < ROUNDS; i++) {
		long pid = 20;

		ROUND(i);
		asm volatile("int $0x80" : "+a"(pid) : : "r8", "r9", "r10",
			     "r11", "memory");
		ASSERT_EQ(getpid(), pid);
		if (!rdtscp)
			continue;
		asm volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(aux));
		ASSERT_EQ(i / 3 % cpus(), aux & 0xfff);
	}
}

/* FPU and vector state over KVM_RUN, in one asm so that no C comes between. */
TEST_F(guest, vectors)
{
	uint8_t before[512] __attribute__((aligned(16)));
	uint8_t now[512] __attribute__((aligned(16)));
	uint32_t mxcsr = 0x3f80;
	uint16_t cw = 0xf7f;

	for (int i = 0; i < ROUNDS; i++) {
		long ret = SYS_ioctl;

		move_to(i / 3);
		asm volatile("ldmxcsr %[mxcsr]\n fninit\n fldcw %[cw]\n"
			     "fld1\n fldl2e\n"
			     "movq %[i], %%xmm0\n movq %[run], %%xmm5\n"
			     "pshufd $0, %%xmm0, %%xmm9\n"
			     "pcmpeqd %%xmm15, %%xmm15\n"
			     "fxsave64 %[before]\n"
			     "syscall\n"
			     "fxsave64 %[now]\n"
			     : "+a"(ret), [before] "=m"(before), [now] "=m"(now)
			     : "D"((long)self->v.fd), "S"((long)KVM_RUN),
			       "d"(0L), [mxcsr] "m"(mxcsr), [cw] "m"(cw),
			       [i] "r"((long)i), [run] "r"(self->v.run)
			     : "rcx", "r11", "memory", "xmm0", "xmm5", "xmm9",
			       "xmm15", "st", "st(1)");
		ASSERT_EQ(0, ret);
		/* All but the last opcode and pointers, which Linux may drop. */
		ASSERT_EQ(0, memcmp(before, now, 6))
			TH_LOG("round %d: x87 control", i);
		ASSERT_EQ(0, memcmp(before + 24, now + 24, 416 - 24))
			TH_LOG("round %d: registers", i);
		ASSERT_EQ(i + 1, tvcpu_io_data(&self->v));
		asm volatile("fninit");
		mxcsr = 0x1f80;
		asm volatile("ldmxcsr %0" : : "m"(mxcsr));
		mxcsr = 0x3f80;
		/* And the guest kept its own. */
		if (i) {
			ASSERT_EQ(0xdeadbeefcafebabe,
				  *(uint64_t *)(self->vm.mem + 0x6010));
		}
	}
}

TEST_F(guest, avx)
{
	uint8_t before[32], now[32];
	uint32_t a = 1, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & 1U << 28) || !(c & 1U << 27))
		SKIP(return, "no AVX");
	for (int i = 0; i < ROUNDS; i++) {
		long ret = SYS_ioctl;

		move_to(i / 3);
		asm volatile("movq %[i], %%xmm3\n"
			     "vpshufd $0, %%xmm3, %%xmm3\n"
			     "vinsertf128 $1, %%xmm3, %%ymm3, %%ymm3\n"
			     "vmovdqu %%ymm3, %[before]\n"
			     "syscall\n"
			     "vmovdqu %%ymm3, %[now]\n"
			     "vzeroupper\n"
			     : "+a"(ret), [before] "=m"(before), [now] "=m"(now)
			     : "D"((long)self->v.fd), "S"((long)KVM_RUN),
			       "d"(0L), [i] "r"(i + 0x1234L)
			     : "rcx", "r11", "memory", "xmm3");
		ASSERT_EQ(0, ret);
		ASSERT_EQ(0, memcmp(before, now, sizeof(now)))
			TH_LOG("round %d", i);
	}
}

TEST_F(guest, protection_keys)
{
	uint32_t a = 7, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & 1U << 4))
		SKIP(return, "no protection keys");
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t want = 0x55555550 ^ (uint32_t)(i & 1) << 31, got;

		asm volatile("wrpkru" : : "a"(want), "c"(0), "d"(0));
		ROUND(i);
		asm volatile("rdpkru" : "=a"(got), "=d"(d) : "c"(0));
		ASSERT_EQ(want, got);
	}
}

static volatile uint64_t watched;

static int open_breakpoint(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* A breakpoint of the process counts its writes, all of them, no others. */
TEST_F(guest, breakpoints)
{
	int fd = open_breakpoint();
	uint64_t count;

	if (fd < 0)
		SKIP(return, "no hardware breakpoints: %s", strerror(errno));
	for (int i = 0; i < ROUNDS; i++) {
		watched = (uint64_t)i;
		ROUND(i);
		watched++;
	}
	ASSERT_EQ(8, read(fd, &count, 8));
	EXPECT_EQ(2 * ROUNDS, count);
	close(fd);
}

#define MSRS 12

static const uint32_t msr_index[MSRS] = {
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0xc0000103,
	0x174, 0x175, 0x176, 0x277, 0xc0000080, 0x1d9,
};

static int read_msrs(int cpu, uint64_t *values, bool *have)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	for (int i = 0; i < MSRS; i++)
		have[i] = pread(fd, &values[i], 8, msr_index[i]) == 8;
	close(fd);
	return 0;
}

/*
 * The MSRs of each CPU, read from this CPU right after an exit. Some are
 * restored lazily, on the way to userspace: we are in userspace.
 */
TEST_F(guest, msrs)
{
	uint64_t before[64][MSRS], now[MSRS];
	bool have[MSRS];
	int n = cpus() > 64 ? 64 : cpus();

	if (access("/dev/cpu/0/msr", R_OK) && system("modprobe msr"))
		SKIP(return, "no /dev/cpu/0/msr");
	for (int cpu = 0; cpu < n; cpu++) {
		ASSERT_EQ(0, read_msrs(cpu, before[cpu], have));
	}
	for (int i = 0; i < ROUNDS / 3; i++) {
		int cpu = i / 3 % cpus();

		ROUND(i);
		if (cpu >= n)
			continue;
		ASSERT_EQ(0, read_msrs(cpu, now, have));
		for (int m = 0; m < MSRS; m++) {
			/* KERNEL_GS_BASE is the process's GS: 0 here. */
			if (!have[m])
				continue;
			ASSERT_EQ(before[cpu][m], now[m])
				TH_LOG("MSR %x on CPU %d", msr_index[m], cpu);
		}
	}
}

static volatile int stop_load;

static void *load_thread(void *arg)
{
	unsigned long n = 0;

	(void)arg;
	while (!stop_load) {
		n++;
		if (!(n % 100000))
			sched_yield();
	}
	return (void *)n;
}

CODE16(busy, "1: mov $2000, %cx; 2: loop 2b; incl 0x6000\n"
	     "mov 0x6000, %eax; out %eax, $0x10; jmp 1b");

/* The same under load on each CPU: preempted in the guest, moved, resumed. */
TEST_F(guest, preemption)
{
	pthread_t load[4];
	struct tvcpu second;
	double sum = 0;

	ASSERT_EQ(0, tvcpu_create(&self->vm, &second, 1));
	ASSERT_EQ(0, tvcpu_real(&self->vm, &second, busy, CODE_LEN(busy)));
	stop_load = 0;
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_create(&load[i], NULL, load_thread, NULL));
	}
	for (int i = 0; i < ROUNDS; i++) {
		double x = i;

		asm volatile("" : "+x"(x));
		move_to(i);
		RUN_OK(&second);
		ASSERT_TRUE(tvcpu_is_io(&second, KVM_EXIT_IO_OUT, 4, 0x10));
		ASSERT_EQ(i + 1, tvcpu_io_data(&second));
		asm volatile("" : "+x"(x));
		sum += x;
	}
	stop_load = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(load[i], NULL);
	EXPECT_EQ(ROUNDS * (ROUNDS - 1) / 2, (int)sum);
	tvcpu_destroy(&self->vm, &second);
}

TEST_HARNESS_MAIN
