// SPDX-License-Identifier: GPL-2.0-only
/*
 * macro.c - process 1 of a Linux guest that runs one workload and powers off.
 *
 * "bench=NAME n=COUNT" on the kernel's command line (Linux hands unknown words
 * on as environment). Prints "# macro NAME TICKS N" and lies between two
 * markers of the lab's Bochs, as tools/testing/guests/nano.c does. Statically
 * linked, needs no files but itself as /init.
 *
 * Each workload must do the same work whatever runs it: no time limits, no
 * random numbers, no dependence on the clock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK_BEGIN 0x7a6d0001ul
#define MARK_END 0x7a6d0002ul

#define PAGE 4096ul
#define MIB (1ul << 20)

static void fail(const char *what)
{
	printf("macro: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

static void mark(unsigned long which)
{
	asm volatile("prefetcht2 (%0)" : : "r"(which) : "memory");
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid < 0)
		fail("fork");
	if (waitpid(pid, &status, 0) != pid || status)
		fail("child");
}

/* The machine came up: that is all. */
static void boot(unsigned long n)
{
	(void)n;
}

static void forkwait(unsigned long n)
{
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		wait_for(pid);
	}
}

static void forkexec(unsigned long n)
{
	static char *const argv[] = { "/init", "child", NULL };
	static char *const envp[] = { NULL };

	while (n--) {
		pid_t pid = vfork();

		if (!pid) {
			execve("/init", argv, envp);
			_exit(1);
		}
		wait_for(pid);
	}
}

/* Two processes hand a byte to and fro. */
static void switching(unsigned long n)
{
	int to[2], from[2];
	char byte = 0;
	pid_t pid;

	if (pipe(to) || pipe(from))
		fail("pipe");
	pid = fork();
	if (!pid) {
		while (n-- && read(to[0], &byte, 1) == 1)
			if (write(from[1], &byte, 1) != 1)
				_exit(1);
		_exit(0);
	}
	while (n--)
		if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1)
			fail("pipe");
	wait_for(pid);
}

static void syscalls(unsigned long n)
{
	while (n--)
		syscall(SYS_getppid);
}

/* Fresh memory mapped, used, given back. */
static void largeram(unsigned long n)
{
	const size_t size = 16 * MIB;

	while (n--) {
		char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			fail("mmap");
		madvise(p, size, MADV_NOHUGEPAGE);
		for (size_t at = 0; at < size; at += PAGE)
			*(volatile char *)(p + at) = 1;
		munmap(p, size);
	}
}

/* Sorting and sieving: nothing but user code in memory it owns. */
static void compute(unsigned long n)
{
	static unsigned int field[1 << 16];
	const unsigned int size = sizeof(field) / sizeof(*field);
	volatile unsigned int found = 0;

	while (n--) {
		unsigned int seed = 12345 + n;

		for (unsigned int i = 0; i < size; i++) {
			seed = seed * 1664525 + 1013904223;
			field[i] = seed;
		}
		for (unsigned int gap = size / 2; gap; gap /= 2)
			for (unsigned int i = gap; i < size; i++) {
				unsigned int value = field[i], at = i;

				for (; at >= gap && field[at - gap] > value;
				     at -= gap)
					field[at] = field[at - gap];
				field[at] = value;
			}
		found += field[n % size];
	}
}

static const struct workload {
	const char *name;
	void (*run)(unsigned long n);
	unsigned long warm;	/* runs before the measured ones */
} workloads[] = {
	{ "boot", boot, 0 },
	{ "forkwait", forkwait, 10 },
	{ "forkexec", forkexec, 5 },
	{ "switch", switching, 10 },
	{ "syscalls", syscalls, 10 },
	{ "largeram", largeram, 0 },
	{ "compute", compute, 0 },
};

static void measure(const struct workload *w, unsigned long n)
{
	uint64_t ticks;

	if (w->warm)
		w->run(w->warm);
	/* A boot has begun long ago, and ends here. */
	if (w->run != boot)
		mark(MARK_BEGIN);
	ticks = rdtsc();
	w->run(n);
	ticks = rdtsc() - ticks;
	mark(MARK_END);
	printf("# macro %s %llu %lu\n", w->name, (unsigned long long)ticks, n);
}

int main(int argc, char **argv)
{
	const char *name = getenv("bench"), *n = getenv("n");

	if (argc > 1 && !strcmp(argv[1], "child"))
		return 0;
	if (getpid() != 1) {
		fputs("macro: this is the init of a benchmark guest\n", stderr);
		return 2;
	}
	for (size_t i = 0; name && i < sizeof(workloads) / sizeof(*workloads); i++)
		if (!strcmp(workloads[i].name, name))
			measure(&workloads[i], n ? strtoul(n, NULL, 10) : 1);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
