// SPDX-License-Identifier: GPL-2.0-only
/*
 * lifecycle.c - VMs and what happens around them: CPUs of the host come and go,
 * descriptors are passed on, processes die, many VMs at once, whose memory it is.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"

#define CPU1 "/sys/devices/system/cpu/cpu1/online"
#define CGROUP "/tmp/cgroup"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -1;
	r = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return r;
}

static long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

/* ---- CPUs of the host ---- */

/* Counts in memory; never exits by itself. */
CODE32(counting, "1: incl 0x6000; jmp 1b");

struct runner {
	struct tvcpu *v;
	volatile bool stop;
	int bad;
};

static void *run_until_stopped(void *arg)
{
	struct runner *r = arg;
	cpu_set_t cpu1;

	/* Where the ground will be taken away. */
	CPU_ZERO(&cpu1);
	CPU_SET(1, &cpu1);
	sched_setaffinity(0, sizeof(cpu1), &cpu1);
	while (!r->stop)
		if (!tvcpu_run(r->v) || errno != EINTR)
			r->bad++;
	return NULL;
}

static void stop_runner(struct runner *r, pthread_t thread)
{
	r->stop = true;
	pthread_kill(thread, SIGALRM);
	pthread_join(thread, NULL);
	tvm_kick_stop();
}

static bool counts_on(struct tvm *vm)
{
	volatile uint32_t *n = (uint32_t *)(vm->mem + 0x6000);
	uint32_t before = *n;

	for (int i = 0; i < 200 && *n - before < 1000; i++)
		usleep(10000);
	return *n - before >= 1000;
}

TEST_F(bare, cpu_hotplug)
{
	struct runner r = { .v = &self->v };
	struct tvcpu other;
	pthread_t thread;

	if (access(CPU1, W_OK))
		SKIP(return, "the host has one CPU, or it cannot go: " CPU1);
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, counting, CODE_LEN(counting)));
	tvm_kick_after(0.3);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_until_stopped, &r));
	EXPECT_TRUE(counts_on(&self->vm));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, write_file(CPU1, "0"));
		EXPECT_TRUE(counts_on(&self->vm));
		/* What is made meanwhile works, too. */
		ASSERT_EQ(0, tvcpu_create(&self->vm, &other, (unsigned long)i + 1));
		tvcpu_destroy(&self->vm, &other);
		ASSERT_EQ(0, write_file(CPU1, "1"));
		EXPECT_TRUE(counts_on(&self->vm));
	}
	stop_runner(&r, thread);
	EXPECT_EQ(0, r.bad);
}

/*
 * The host sleeps with a VM running: all of a suspend but the sleep itself, other
 * CPUs off and system devices (VMX among them) suspended.
 */
TEST_F(bare, suspend)
{
	struct runner r = { .v = &self->v };
	pthread_t thread;
	int slept;

	if (access("/sys/power/pm_test", W_OK))
		SKIP(return, "the host's kernel has no /sys/power/pm_test");
	write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	ASSERT_EQ(0, write_file("/sys/power/pm_test", "core"));
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, counting, CODE_LEN(counting)));
	tvm_kick_after(0.3);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_until_stopped, &r));
	EXPECT_TRUE(counts_on(&self->vm));
	slept = write_file("/sys/power/state", "mem");
	write_file("/sys/power/pm_test", "none");
	EXPECT_TRUE(counts_on(&self->vm));
	stop_runner(&r, thread);
	EXPECT_EQ(0, r.bad);
	if (slept)
		SKIP(return, "the host cannot suspend: %s", strerror(errno));
}

/* ---- descriptors ---- */

static int send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, c = 0;
	struct iovec io = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	return sendmsg(socket, &m, 0) == 1 ? 0 : -1;
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, c;
	struct iovec io = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(socket, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/*
 * A VM's descriptors in a process that did not make it, and whose maker has died
 * in KVM_RUN or out of it: refused, and given back when they are closed.
 */
TEST(passed_on)
{
	REQUIRE_DEVICE();
	for (int killed = 0; killed < 2; killed++) {
		struct kvm_regs regs;
		int s[2], vm_fd, vcpu_fd, status;
		pid_t child;

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
		child = fork();
		ASSERT_LE(0, child);
		if (!child) {
			struct tvm vm;
			struct tvcpu v;

			if (tvm_create(&vm, 0) || tvcpu_create(&vm, &v, 0) ||
			    tvcpu_pm32(&vm, &v, counting, CODE_LEN(counting)) ||
			    send_fd(s[1], vm.fd) || send_fd(s[1], v.fd))
				_exit(1);
			if (killed)
				tvcpu_run(&v);
			_exit(0);
		}
		vm_fd = receive_fd(s[0]);
		vcpu_fd = receive_fd(s[0]);
		ASSERT_LE(0, vm_fd);
		ASSERT_LE(0, vcpu_fd);
		EXPECT_ERRNO(EIO, ioctl(vm_fd, KVM_CREATE_VCPU, 3UL));
		EXPECT_ERRNO(EIO, ioctl(vcpu_fd, KVM_GET_REGS, &regs));
		if (killed) {
			usleep(100000);
			kill(child, SIGKILL);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(killed ? WIFSIGNALED(status) :
				     WIFEXITED(status) && !WEXITSTATUS(status));
		/* The maker's memory is gone; the VM is not. */
		EXPECT_ERRNO(EIO, ioctl(vm_fd, KVM_CHECK_EXTENSION, 0UL));
		EXPECT_ERRNO(EIO, ioctl(vcpu_fd, KVM_RUN, 0UL));
		close(vm_fd);
		close(vcpu_fd);
		close(s[0]);
		close(s[1]);
	}
}

/* ---- many ---- */

#define MANY 200

CODE16(answer, "mov $0x2a, %al; out %al, $0x10; hlt");

TEST(two_hundred)
{
	static struct tvm vm[MANY];
	static struct tvcpu v[MANY];

	REQUIRE_DEVICE();
	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(0, tvm_create(&vm[i], i & 1 ? TVM_IRQCHIP : 0))
			TH_LOG("VM %d: %s", i, strerror(errno));
		ASSERT_EQ(0, tvcpu_create(&vm[i], &v[i], 0));
		ASSERT_EQ(0, tvcpu_real(&vm[i], &v[i], answer, CODE_LEN(answer)));
	}
	/* All alive at once, and each is itself. */
	for (int i = 0; i < MANY; i++) {
		vm[i].mem[TVM_CODE + 1] = (uint8_t)i;
		ASSERT_EQ(0, tvcpu_run(&v[i]));
		ASSERT_TRUE(tvcpu_is_io(&v[i], KVM_EXIT_IO_OUT, 1, 0x10));
		ASSERT_EQ((uint8_t)i, tvcpu_io_data(&v[i]));
	}
	for (int i = 0; i < MANY; i++) {
		tvcpu_destroy(&vm[i], &v[i]);
		tvm_destroy(&vm[i]);
	}
}

/* ---- whose memory ---- */

#define ACCOUNTED_VMS 8

static void made_in_cgroup(int ready, int go)
{
	struct tvm vm;
	struct tvcpu v;
	char c = 0;

	if (write_file(CGROUP "/vms/cgroup.procs", "0"))
		_exit(1);
	for (int i = 0; i < ACCOUNTED_VMS; i++) {
		if (tvm_create(&vm, TVM_IRQCHIP | TVM_PIT))
			_exit(2);
		for (unsigned long id = 0; id < 4; id++)
			if (tvcpu_create(&vm, &v, id))
				_exit(3);
	}
	if (write(ready, &c, 1) != 1 || read(go, &c, 1) < 0)
		_exit(4);
	_exit(0);
}

/*
 * What the kernel holds for a VM is its maker's. A vCPU alone has its run pages,
 * LAPIC page and FPU state: 16 KiB at least.
 */
TEST(accounting)
{
	int ready[2], go[2], status;
	long kernel;
	pid_t child;
	char c;

	REQUIRE_DEVICE();
	mkdir(CGROUP, 0755);
	if (mount("none", CGROUP, "cgroup2", 0, NULL))
		SKIP(return, "no cgroup2: %s", strerror(errno));
	write_file(CGROUP "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP "/vms", 0755) || access(CGROUP "/vms/memory.current", R_OK)) {
		rmdir(CGROUP "/vms");
		umount(CGROUP);
		SKIP(return, "no memory controller in cgroup2");
	}
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		close(go[1]);
		made_in_cgroup(ready[1], go[0]);
	}
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &c, 1));
	kernel = read_number(CGROUP "/vms/memory.current");
	TH_LOG("%ld KiB for %d VMs of 4 vCPUs", kernel >> 10, ACCOUNTED_VMS);
	EXPECT_LE(ACCOUNTED_VMS * 4 * 16384L, kernel);
	close(go[1]);
	waitpid(child, &status, 0);
	EXPECT_EQ(0, status);
	for (int i = 0; i < 50 && rmdir(CGROUP "/vms"); i++)
		usleep(100000);
	umount(CGROUP);
}

TEST_HARNESS_MAIN
