// SPDX-License-Identifier: GPL-2.0-only
/*
 * labrun: process 1 of an emulated host, after init has set it up.
 *
 * Runs the command in /lab/argv (words ended by NUL), sends what it writes out
 * of the machine through port 0xe9, then a trailer with its exit status, and
 * switches the machine off. With an argument it only reports that as status.
 *
 * Must not rely on anything the module under test may have broken. In
 * particular a VM exit leaves TR.limit at 0x67, and a module that forgets to
 * restore it makes every later user of the I/O permission bitmap fault. We
 * notice, say so in the kernel's log (where the lab takes it as a complaint),
 * and go on through /dev/port, which needs no permission bitmap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PORT_OUTPUT	0xe9	/* Bochs' port_e9_hack, QEMU's isa-debugcon */
#define PORT_BOCHS_OFF	0x8900
#define PORT_SYMBOLS	0x8904	/* emulator/hooks.cc writes it to a file */
#define PORT_QEMU_OFF	0x501

/* What the host side (lablib/channel.py) looks for. */
#define MARK_START	"\0\x1elab-start\x1e"
#define MARK_ALIVE	"\0\x1elab-alive\x1e"
#define MARK_EXIT	"\0\x1elab-exit:%03d\x1e"
#define send_mark(mark)	out_all(PORT_OUTPUT, mark, sizeof(mark) - 1)

/* What is measured; see emulator/hooks.cc. Does nothing elsewhere. */
#define MARK_OUTER_BEGIN	0x7a6d0003ul
#define MARK_OUTER_END		0x7a6d0004ul

/* Guest seconds between signs of life, so that a hang shows as such. */
#define ALIVE_SECONDS	1

static int port_fd = -1;
static volatile sig_atomic_t have_ioperm;

/* The one instruction that may fault. */
static const char *out_fast(unsigned int port, const char *data, size_t len)
{
	asm volatile(".globl rep_outsb\nrep_outsb:\trep outsb"
		     : "+S"(data), "+c"(len) : "d"(port) : "memory");
	return data;
}

extern const char rep_outsb[];
#define REP_OUTSB_SIZE	2

/* Step over out_fast's instruction; it leaves in RSI how far it came. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	if (uc->uc_mcontext.gregs[REG_RIP] != (greg_t)rep_outsb) {
		signal(sig, SIG_DFL);
		return;
	}
	have_ioperm = 0;
	uc->uc_mcontext.gregs[REG_RIP] += REP_OUTSB_SIZE;
}

static void complain(const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY);

	if (fd < 0)
		return;
	/* A failure to complain has nowhere left to go. */
	if (write(fd, text, strlen(text)) < 0)
		_exit(126);
	close(fd);
}

/* One byte to PORT through the kernel: slow, but always possible. */
static void out_slow(unsigned int port, unsigned char value)
{
	if (pwrite(port_fd, &value, 1, port) != 1)
		complain("<2>lab: cannot write to /dev/port\n");
}

static void out_all(unsigned int port, const char *data, size_t len)
{
	const char *end = data + len;

	if (have_ioperm) {
		data = out_fast(port, data, len);
		if (!have_ioperm)
			complain("<2>lab: I/O permission bitmap is gone (was TR.limit not restored after a VM exit?)\n");
	}
	for (; data < end; data++)
		out_slow(port, *data);
}

static void measured(unsigned long mark)
{
	asm volatile("prefetcht2 (%0)" : : "r"(mark) : "memory");
}

/* Send the kernel's symbols, by which a profile is read. */
static void send_symbols(void)
{
	static char data[65536];
	int fd = open("/proc/kallsyms", O_RDONLY);
	ssize_t len;

	if (fd < 0 || ioperm(PORT_SYMBOLS, 1, 1)) {
		complain("<2>lab: cannot send /proc/kallsyms\n");
		return;
	}
	while ((len = read(fd, data, sizeof(data))) > 0)
		out_all(PORT_SYMBOLS, data, len);
	close(fd);
}

static void power_off(void)
{
	const char *word = "Shutdown";

	while (*word)
		out_slow(PORT_BOCHS_OFF, *word++);
	out_slow(PORT_QEMU_OFF, 0);
	for (;;)
		pause();
}

static void finish(int status)
{
	char text[32];
	int len;

	len = snprintf(text + 1, sizeof(text) - 1, &MARK_EXIT[1], status);
	text[0] = 0;
	out_all(PORT_OUTPUT, text, len + 1);
	power_off();
}

/* The words of /lab/argv as an argument vector; never freed. */
static char **read_argv(void)
{
	static char text[65536];
	static char *argv[4096];
	ssize_t len, at = 0;
	int fd, n = 0;

	fd = open("/lab/argv", O_RDONLY);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0) {
		complain("<2>lab: cannot read /lab/argv\n");
		finish(126);
	}
	close(fd);
	while (at < len && n < 4095) {
		argv[n++] = text + at;
		at += strlen(text + at) + 1;
	}
	return argv;
}

static pid_t start(char **argv, int out)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	dup2(out, 1);
	dup2(out, 2);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	unsetenv("LAB_QUIET");
	unsetenv("LAB_SYMBOLS");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir("/root"))
		perror("lab: /root");
	execvp(argv[0], argv);
	fprintf(stderr, "lab: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Send what is in the pipe FD: one buffer, or all of it without waiting. */
static ssize_t forward(int fd)
{
	static char data[65536];
	ssize_t len = read(fd, data, sizeof(data));

	if (len > 0)
		out_all(PORT_OUTPUT, data, len);
	return len;
}

static void on_child(int sig)
{
	(void)sig;
}

/*
 * Pass output on until CHILD ends, and return its exit status. What it left
 * running may hold the pipe open, so the pipe's end is not waited for. SIGCHLD
 * is blocked but within ppoll, so no end of a child is missed. A sign of life
 * goes out every second, unless ALIVE is NULL (counting mode).
 */
static int pump(int fd, pid_t child, const struct timespec *alive)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };
	sigset_t none;
	int status, n;
	pid_t pid;

	sigemptyset(&none);
	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid != child)
				continue;
			fcntl(fd, F_SETFL, O_NONBLOCK);
			while (forward(fd) > 0)
				;
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
						     WEXITSTATUS(status);
		}
		n = ppoll(&in, 1, alive, &none);
		if (!n)
			send_mark(MARK_ALIVE);
		else if (n > 0 && forward(fd) <= 0)
			in.fd = -1;
	}
}

int main(int argc, char **argv)
{
	struct sigaction fault = { .sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO };
	struct sigaction child_gone = { .sa_handler = on_child };
	const struct timespec second = { .tv_sec = ALIVE_SECONDS };
	const struct sched_param first = { .sched_priority = 50 };
	sigset_t block;
	int out[2], status;

	port_fd = open("/dev/port", O_WRONLY | O_CLOEXEC);
	if (port_fd < 0) {
		complain("<2>lab: no /dev/port\n");
		for (;;)
			pause();
	}
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGCHLD, &child_gone, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	have_ioperm = !ioperm(PORT_OUTPUT, 1, 1);
	if (pipe2(out, O_CLOEXEC)) {
		complain("<2>lab: no pipe\n");
		finish(126);
	}
	send_mark(MARK_START);
	if (argc > 1)
		finish(atoi(argv[1]));
	/* Ahead of all user programs, or a busy host would look hung. */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
	measured(MARK_OUTER_BEGIN);
	status = pump(out[0], start(read_argv(), out[1]),
		      getenv("LAB_QUIET") ? NULL : &second);
	measured(MARK_OUTER_END);
	if (getenv("LAB_SYMBOLS"))
		send_symbols();
	finish(status);
}
