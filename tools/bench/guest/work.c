// SPDX-License-Identifier: GPL-2.0-only
/*
 * work.c - workloads that need nothing but the kernel and this program.
 *
 * Each must do the same work whatever runs it: no time limits, no random
 * numbers, no dependence on the clock.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "macro.h"

#define PAGE 4096ul
#define MIB (1ul << 20)

void forkwait(unsigned long n)
{
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		wait_for(pid);
	}
}

void forkexec(unsigned long n)
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
void switching(unsigned long n)
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
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
}

/* Hands bytes on from @in to @out, @n times, or for ever if that is 0. */
static void hand_on(int in, int out, unsigned long n)
{
	char byte;

	do {
		if (read(in, &byte, 1) != 1 || write(out, &byte, 1) != 1)
			return;
	} while (!n || --n);
}

/*
 * A byte goes round among @nr processes, @n hops in all. Making them is no part
 * of what is measured: they are kept for the next time.
 */
static void ring(unsigned int nr, unsigned long n, int end[2])
{
	int first[2], from[2], to[2];
	char byte = 0;

	if (!end[1]) {
		if (pipe(first))
			fail("pipe");
		from[0] = first[0];
		for (unsigned int i = 1; i < nr; i++) {
			if (pipe(to))
				fail("pipe");
			if (!fork()) {
				hand_on(from[0], to[1], 0);
				_exit(0);
			}
			close(to[1]);
			close(from[0]);
			from[0] = to[0];
		}
		end[0] = from[0];
		end[1] = first[1];
	}
	for (n /= nr; n; n--)
		if (write(end[1], &byte, 1) != 1 || read(end[0], &byte, 1) != 1)
			fail("ring");
}

void ring_10(unsigned long n)
{
	static int end[2];

	ring(10, n, end);
}

void ring_100(unsigned long n)
{
	static int end[2];

	ring(100, n, end);
}

void syscalls(unsigned long n)
{
	while (n--)
		syscall(SYS_getppid);
}

/* Lines drawn into a picture the kernel keeps: calls that do little each. */
void graphics(unsigned long n)
{
	enum { WIDTH = 640, HEIGHT = 200 };
	static char line[WIDTH];
	int fd = memfd_create("picture", 0);

	if (fd < 0 || ftruncate(fd, WIDTH * HEIGHT))
		fail("memfd");
	for (unsigned long i = 0; i < n; i++) {
		size_t length = 16 + i * 7 % 128;
		off_t at = i * 37 % HEIGHT * WIDTH + i * 13 % (WIDTH - length);

		memset(line, (int)i, length);
		if (pwrite(fd, line, length, at) != (ssize_t)length ||
		    lseek(fd, at, SEEK_SET) != at ||
		    read(fd, line, 16) != 16)
			fail("picture");
	}
	close(fd);
}

/* Files made, written, read back, renamed, removed; and one larger one. */
void files(unsigned long n)
{
	enum { SMALL = 40, BLOCKS = 4, LARGE = 256 };
	static char block[PAGE];
	char name[32], other[32];

	mkdir("/tmp", 0755);
	while (n--) {
		for (int i = 0; i <= SMALL; i++) {
			int blocks = i < SMALL ? BLOCKS : LARGE;
			int fd;

			snprintf(name, sizeof(name), "/tmp/file%d", i);
			snprintf(other, sizeof(other), "/tmp/other%d", i);
			fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
			if (fd < 0)
				fail(name);
			for (int b = 0; b < blocks; b++)
				if (write(fd, block, PAGE) != (ssize_t)PAGE)
					fail(name);
			fsync(fd);
			lseek(fd, 0, SEEK_SET);
			while (read(fd, block, PAGE) == (ssize_t)PAGE)
				;
			close(fd);
			if (rename(name, other) || unlink(other))
				fail(other);
		}
	}
}

/* Fresh memory mapped, used, given back. */
void largeram(unsigned long n)
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

/* Sorting: nothing but user code in memory it owns. */
void compute(unsigned long n)
{
	static unsigned int field[1 << 14];
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

