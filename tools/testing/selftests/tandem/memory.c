// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory.c - guest memory is the process's memory: whatever happens to the
 * process's pages happens to the guest's, at once, also while it runs.
 *
 * These are the promises behind KVM_CAP_SYNC_MMU (MMU notifiers).
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fixture.h"

#define DATA 0x100000UL
#define DATA_PAGES 4UL

/* Reports and bumps the double word at DATA, for ever. */
CODE32(bump, "1: mov 0x100000, %eax; out %eax, $0x10; incl 0x100000; jmp 1b");
/* Waits until DATA changes, then reports it. */
CODE32(watch, "mov 0x100000, %ebx; out %al, $0x11\n"
	      "1: mov 0x100000, %eax; cmp %eax, %ebx; je 1b\n"
	      "out %eax, $0x10; mov %eax, %ebx; jmp 1b");
/* Writes DATA without end. */
CODE32(store, "out %al, $0x11; 1: inc %eax; mov %eax, 0x100000; jmp 1b");

static uint32_t *data(struct tvm *vm)
{
	return (uint32_t *)(vm->mem + DATA);
}

/* The data pages as a private mapping of their own. */
static int private_pages(struct tvm *vm)
{
	void *p = mmap(vm->mem + DATA, DATA_PAGES * PAGE,
		       PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

#define EXPECT_NEXT(value)						\
	do {								\
		RUN_OK(&self->v);					\
		ASSERT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 4,	\
					0x10));				\
		EXPECT_EQ(value, tvcpu_io_data(&self->v));		\
	} while (0)

TEST_F(bare, dontneed)
{
	ASSERT_EQ(0, private_pages(&self->vm));
	*data(&self->vm) = 100;
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, bump, CODE_LEN(bump)));
	EXPECT_NEXT(100);
	EXPECT_NEXT(101);
	ASSERT_EQ(0, madvise(self->vm.mem + DATA, PAGE, MADV_DONTNEED));
	/* A new page of zeroes; one increment may have come before. */
	RUN_OK(&self->v);
	EXPECT_GE(1, tvcpu_io_data(&self->v));
	RUN_OK(&self->v);
	EXPECT_EQ(tvcpu_io_data(&self->v), *data(&self->vm));
}

CODE64(say64, "1: out %al, $0x10; jmp 1b");

/* Page tables in memory that the host's kernel itself cannot reach. */
TEST_F(bare, secret_tables)
{
	int fd = syscall(447 /* memfd_secret */, 0), r;

	if (fd < 0)
		SKIP(return, "no memfd_secret(2): boot with secretmem.enable=1");
	ASSERT_EQ(0, ftruncate(fd, 4 * PAGE));
	ASSERT_NE(MAP_FAILED,
		  mmap(self->vm.mem + TVM_PML4, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, tvcpu_long(&self->vm, &self->v, say64, CODE_LEN(say64)));
	r = tvcpu_run(&self->v);
	if (r) {
		EXPECT_EQ(EFAULT, errno);
	} else {
		EXPECT_TRUE(tvcpu_is_io(&self->v, KVM_EXIT_IO_OUT, 1, 0x10));
	}
	close(fd);
}

TEST_F(bare, mapped_over)
{
	ASSERT_EQ(0, private_pages(&self->vm));
	*data(&self->vm) = 100;
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, bump, CODE_LEN(bump)));
	EXPECT_NEXT(100);
	EXPECT_NEXT(101);
	ASSERT_EQ(0, private_pages(&self->vm));
	*data(&self->vm) = 500;
	EXPECT_NEXT(501);
	EXPECT_EQ(501, *data(&self->vm));
}

/* Nothing there any more: EFAULT, and the guest goes on once there is. */
TEST_F(bare, unmapped)
{
	ASSERT_EQ(0, private_pages(&self->vm));
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, bump, CODE_LEN(bump)));
	EXPECT_NEXT(0);
	ASSERT_EQ(0, munmap(self->vm.mem + DATA, PAGE));
	EXPECT_ERRNO(EFAULT, tvcpu_run(&self->v));
	EXPECT_ERRNO(EFAULT, tvcpu_run(&self->v));
	ASSERT_EQ(0, private_pages(&self->vm));
	*data(&self->vm) = 41;
	EXPECT_NEXT(42);
}

TEST_F(bare, protected)
{
	ASSERT_EQ(0, private_pages(&self->vm));
	*data(&self->vm) = 5;
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, bump, CODE_LEN(bump)));
	EXPECT_NEXT(5);
	/* Read-only for the process is read-only for the guest. */
	ASSERT_EQ(0, mprotect(self->vm.mem + DATA, PAGE, PROT_READ));
	EXPECT_ERRNO(EFAULT, tvcpu_run(&self->v));
	EXPECT_EQ(5, *data(&self->vm));
	ASSERT_EQ(0, mprotect(self->vm.mem + DATA, PAGE,
			      PROT_READ | PROT_WRITE));
	EXPECT_NEXT(6);
	ASSERT_EQ(0, mprotect(self->vm.mem + DATA, PAGE, PROT_NONE));
	EXPECT_ERRNO(EFAULT, tvcpu_run(&self->v));
	ASSERT_EQ(0, mprotect(self->vm.mem + DATA, PAGE,
			      PROT_READ | PROT_WRITE));
	EXPECT_NEXT(7);
}

/* After a fork the pages are shared until one side writes. */
TEST_F(bare, fork)
{
	int up[2], down[2], status;
	char c;
	pid_t pid;

	ASSERT_EQ(0, private_pages(&self->vm));
	*data(&self->vm) = 30;
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, bump, CODE_LEN(bump)));
	EXPECT_NEXT(30);
	ASSERT_EQ(0, pipe(up) | pipe(down));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		uint32_t before = *data(&self->vm);

		if (write(up[1], "", 1) != 1 || read(down[0], &c, 1) != 1)
			_exit(1);
		_exit(*data(&self->vm) == before ? 0 : 2);
	}
	ASSERT_EQ(1, read(up[0], &c, 1));
	/* The guest's writes are the parent's, not the child's. */
	EXPECT_NEXT(31);
	EXPECT_NEXT(32);
	*data(&self->vm) = 60;
	EXPECT_NEXT(61);
	EXPECT_EQ(61, *data(&self->vm));
	ASSERT_EQ(1, write(down[1], "", 1));
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status))
		TH_LOG("1: no answer, 2: the child saw the guest's write");
}

struct changer {
	struct tvm *vm;
	int how;
};

static void *change_thread(void *arg)
{
	struct changer *c = arg;
	uint8_t *page = c->vm->mem + DATA;
	uint32_t *copy;

	usleep(200000);
	switch (c->how) {
	case 0: /* plain store */
		*(volatile uint32_t *)page = 77;
		break;
	case 1: /* thrown away: zeroes */
		madvise(page, PAGE, MADV_DONTNEED);
		break;
	case 2: /* another page in its place */
		copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		copy[0] = 88;
		mremap(copy, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page);
		break;
	}
	return NULL;
}

/* Changes under a guest that runs without any exit of its own. */
static const uint32_t after[] = { 77, 0, 88 };

#define WHILE_RUNNING(name, n)						\
	TEST_F(bare, name)						\
	{								\
		struct changer c = { .vm = &self->vm, .how = n };	\
		pthread_t thread;					\
		sigset_t block;						\
									\
		ASSERT_EQ(0, private_pages(&self->vm));			\
		*data(&self->vm) = 9;					\
		ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, watch,	\
					CODE_LEN(watch)));		\
		RUN_OK(&self->v);					\
		sigemptyset(&block);					\
		sigaddset(&block, SIGALRM);				\
		sigprocmask(SIG_BLOCK, &block, NULL);			\
		ASSERT_EQ(0, pthread_create(&thread, NULL,		\
					    change_thread, &c));	\
		sigprocmask(SIG_UNBLOCK, &block, NULL);			\
		tvm_kick_after(5);					\
		EXPECT_NEXT(after[n]);					\
		tvm_kick_stop();					\
		pthread_join(thread, NULL);				\
	}
WHILE_RUNNING(running_store, 0)
WHILE_RUNNING(running_dontneed, 1)
WHILE_RUNNING(running_mremap, 2)

/* Remapped over and over while the guest writes: no write goes astray. */
static void *remap_thread(void *arg)
{
	struct tvm *vm = arg;

	for (int i = 0; i < 200; i++) {
		if (private_pages(vm))
			return "mmap failed";
		usleep(1000);
	}
	return NULL;
}

TEST_F(bare, running_remaps)
{
	pthread_t thread;
	sigset_t block;
	void *result;
	uint32_t now;

	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, store, CODE_LEN(store)));
	RUN_OK(&self->v);
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	ASSERT_EQ(0, pthread_create(&thread, NULL, remap_thread, &self->vm));
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	tvm_kick_after(1);
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	tvm_kick_stop();
	pthread_join(thread, &result);
	EXPECT_EQ(NULL, result);
	/* The page that is there now gets the writes. */
	tvm_kick_after(0.1);
	EXPECT_ERRNO(EINTR, tvcpu_run(&self->v));
	tvm_kick_stop();
	now = *data(&self->vm);
	EXPECT_NE(0, now);
}

/* A file is one memory, whoever writes it. */
TEST_F(bare, shared_file)
{
	char name[] = "/tmp/tandem-memory-XXXXXX";
	int fd = mkstemp(name);
	uint32_t *other;

	ASSERT_LE(0, fd);
	unlink(name);
	ASSERT_EQ(0, ftruncate(fd, (off_t)(DATA_PAGES * PAGE)));
	ASSERT_NE(MAP_FAILED, mmap(self->vm.mem + DATA, DATA_PAGES * PAGE,
				   PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0));
	other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)other);
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, bump, CODE_LEN(bump)));
	EXPECT_NEXT(0);
	*other = 200;
	EXPECT_NEXT(201);
	EXPECT_EQ(201, *other);
	/* Cut off under the guest: no page, no access. */
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_ERRNO(EFAULT, tvcpu_run(&self->v));
	close(fd);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), got;

	if (fd < 0)
		return -1;
	got = (int)write(fd, text, strlen(text));
	close(fd);
	return got > 0 ? 0 : -1;
}

/* Merged with an identical page, then written: the other stays as it was. */
TEST_F(bare, ksm)
{
	uint32_t *twin;
	char text[32] = "";
	int fd;

	if (write_file("/sys/kernel/mm/ksm/run", "1"))
		SKIP(return, "no kernel samepage merging");
	write_file("/sys/kernel/mm/ksm/sleep_millisecs", "10");
	write_file("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	ASSERT_EQ(0, private_pages(&self->vm));
	twin = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(self->vm.mem + DATA, 0x5a, PAGE);
	memset(twin, 0x5a, PAGE);
	ASSERT_EQ(0, tvcpu_pm32(&self->vm, &self->v, bump, CODE_LEN(bump)));
	/* The guest has the page mapped, but has not changed it yet. */
	EXPECT_NEXT(0x5a5a5a5a);
	ASSERT_EQ(0, madvise(self->vm.mem + DATA, PAGE, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(twin, PAGE, MADV_MERGEABLE));
	for (int i = 0; i < 100 && atoi(text) == 0; i++) {
		usleep(50000);
		fd = open("/sys/kernel/mm/ksm/pages_sharing", O_RDONLY);
		ASSERT_LT(0, read(fd, text, sizeof(text) - 1));
		close(fd);
	}
	EXPECT_LT(0, atoi(text)) TH_LOG("nothing was merged");
	EXPECT_NEXT(0x5a5a5a5b);
	EXPECT_EQ(0x5a5a5a5a, *twin);
	EXPECT_EQ(0x5a5a5a5b, *data(&self->vm));
	write_file("/sys/kernel/mm/ksm/run", "2");
}

TEST_HARNESS_MAIN
