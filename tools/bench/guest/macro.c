// SPDX-License-Identifier: GPL-2.0-only
/*
 * macro.c - process 1 of a Linux guest that runs workloads and powers off.
 *
 * "bench=NAME:COUNT,NAME:COUNT,..." on the kernel's command line (Linux hands
 * unknown words on as environment). Each prints "# macro NAME TICKS N" and lies
 * between two markers of the lab's Bochs, as tools/testing/guests/nano.c does,
 * and between two of the launcher's, at which it may print its counters.
 *
 * Workloads run one after the other in one boot, each once in small before it
 * counts: caches are filled, code is translated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "macro.h"

#define MARK_BEGIN 0x7a6d0001ul
#define MARK_END 0x7a6d0002ul
/* Of the launcher: show the counters. Nobody's on other machines. */
#define MARKER_PORT 0xf5
enum { SHOW_BEFORE = 1, SHOW_AFTER = 2 };

void fail(const char *what)
{
	printf("macro: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

void wait_for(pid_t pid)
{
	int status;

	if (pid < 0)
		fail("fork");
	if (waitpid(pid, &status, 0) != pid || status)
		fail("child");
}

pid_t spawn(const char *const argv[])
{
	static const char *const envp[] = { "PATH=/usr/bin", NULL };
	pid_t pid = fork();

	if (!pid) {
		int fd = open("/dev/null", O_RDWR);

		dup2(fd, 0);
		dup2(fd, 1);
		execve(argv[0], (char *const *)argv, (char *const *)envp);
		_exit(127);
	}
	return pid;
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

/* Nothing is left to send while something is measured. */
static void show(unsigned char which)
{
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	outb(which, MARKER_PORT);
}

static const struct workload {
	const char *name;
	void (*run)(unsigned long n);
	unsigned long warm;	/* size of the unmeasured run before */
	void (*start)(void), (*stop)(void);
} workloads[] = {
	{ "boot", NULL, 0, NULL, NULL },
	{ "forkwait", forkwait, 10, NULL, NULL },
	{ "forkexec", forkexec, 5, NULL, NULL },
	{ "switch", switching, 10, NULL, NULL },
	{ "ring_10", ring_10, 20, NULL, NULL },
	{ "ring_100", ring_100, 200, NULL, NULL },
	{ "syscalls", syscalls, 10, NULL, NULL },
	{ "graphics", graphics, 10, NULL, NULL },
	{ "largeram", largeram, 1, NULL, NULL },
	{ "files", files, 1, NULL, NULL },
	{ "compute", compute, 1, NULL, NULL },
	{ "managed", perl, 1, NULL, NULL },
	{ "compile", compile, 1, NULL, NULL },
	{ "web_processes", web, 20, web_processes_start, web_stop },
	{ "web_threads", web, 20, web_threads_start, web_stop },
};

/* A boot began long ago: when the machine was switched on. */
static void measure_boot(void)
{
	uint64_t ticks = rdtsc();

	mark(MARK_END);
	outb(SHOW_AFTER, MARKER_PORT);
	printf("# macro boot %llu 1\n", (unsigned long long)ticks);
}

static void measure(const struct workload *w, unsigned long n)
{
	uint64_t ticks;

	if (w->start)
		w->start();
	w->run(w->warm);
	show(SHOW_BEFORE);
	mark(MARK_BEGIN);
	ticks = rdtsc();
	w->run(n);
	ticks = rdtsc() - ticks;
	mark(MARK_END);
	outb(SHOW_AFTER, MARKER_PORT);
	printf("# macro %s %llu %lu\n", w->name, (unsigned long long)ticks, n);
	fflush(stdout);
	if (w->stop)
		w->stop();
}

static void run(const char *name, unsigned long n)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (!strcmp(workloads[i].name, name)) {
			if (workloads[i].run)
				measure(&workloads[i], n);
			else
				measure_boot();
			return;
		}
	printf("macro: no workload %s\n", name);
}

int main(int argc, char **argv)
{
	char *list = getenv("bench"), *word, *n;

	if (argc > 1 && !strcmp(argv[1], "child"))
		return 0;
	if (getpid() != 1) {
		fputs("macro: this is the init of a benchmark guest\n", stderr);
		return 2;
	}
	if (ioperm(MARKER_PORT, 1, 1))
		fail("ioperm");
	for (word = list ? strtok(list, ",") : NULL; word; word = strtok(NULL, ",")) {
		n = strchr(word, ':');
		if (n)
			*n++ = 0;
		run(word, n ? strtoul(n, NULL, 10) : 1);
	}
	puts("macro: done");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
