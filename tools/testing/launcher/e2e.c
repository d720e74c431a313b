// SPDX-License-Identifier: GPL-2.0-only
/*
 * End-to-end tests of the launcher: runs the real program on a real device with
 * guests of a few instructions, and looks at its output, exit status, use of
 *the processor and what it does to the terminal. Runs inside the lab:
 *
 *	e2e TANDEM DEVICE
 *
 * Guests are multiboot images made here, loaded at 2 MiB, in 32-bit mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include "launcher_test.h"

#define CTRL_A "\x01"
#define LOAD 0x200000
#define CODE 0x40 /* offset of the code in the image */
#define ARGS_MAX 24

static const char *tandem, *device;
static char guest[] = "/tmp/e2e-guest-XXXXXX";

/* --- guests --- */

static const uint8_t g_exit5[] = {
	0xb8, 5,    0, 0, 0, /* mov $5, %eax */
	0xe7, 0xf4,	     /* out %eax, $0xf4 */
};
static const uint8_t g_spin[] = { 0xeb, 0xfe };
static const uint8_t g_halt[] = { 0xfa, 0xf4, 0xeb,
				  0xfd };	  /* cli; hlt; again */
static const uint8_t g_triple[] = { 0x0f, 0x0b }; /* ud2, without an IDT */
static const uint8_t g_reset[] = {
	0x66, 0xba, 0xf9, 0x0c, /* mov $0xcf9, %dx */
	0xb0, 0x06, 0xee,	/* mov $6, %al; out %al, %dx */
	0xeb, 0xfe,
};
static const uint8_t g_poweroff[] = {
	0x66, 0xba, 0x04, 0x06, /* mov $0x604, %dx */
	0x66, 0xb8, 0x00, 0x34, /* mov $0x3400, %ax: SLP_TYP 5, SLP_EN */
	0x66, 0xef, 0xeb, 0xfe, /* out %ax, %dx */
};
/* Echo until a 'q', then exit with 9. */
static const uint8_t g_echo[] = {
	0x66, 0xba, 0xfc, 0x03, /* mov $0x3fc, %dx */
	0xb0, 0x0b, 0xee,	/* DTR, RTS, OUT2 */
	0x66, 0xba, 0xfd, 0x03, /* next: mov $0x3fd, %dx */
	0xec, 0xa8, 0x01,	/* in %dx, %al; test $1, %al */
	0x74, 0xf7,		/* jz next */
	0x66, 0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
	0xec, 0xee,		/* in %dx, %al; out %al, %dx */
	0x3c, 'q',		/* cmp $'q', %al */
	0x75, 0xed,		/* jne next */
	0xb0, 9,    0xe6, 0xf4, /* mov $9, %al; out %al, $0xf4 */
};
/* Lines for ever. */
static const uint8_t g_chatter[] = {
	0x66, 0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
	0xb0, 'x',  0xee,	/* again: mov $'x', %al; out */
	0xb0, '\n', 0xee,	/* mov $'\n', %al; out */
	0xeb, 0xf8,		/* jmp again */
};
static const uint8_t g_markers[] = {
	0xb0, 7, 0xe6, 0xf5, /* mov $7, %al; out %al, $0xf5 */
	0xb0, 8, 0xe6, 0xf5, 0xb0, 0, 0xe6, 0xf4,
};
/* A load from where nothing is gives all ones; a store vanishes. */
static const uint8_t g_mmio[] = {
	0xc6, 0x05, 0x00, 0x00, 0xd0, 0xfe, 1, /* movb $1, 0xfed00000 */
	0xa0, 0x00, 0x00, 0xd0, 0xfe,	       /* mov 0xfed00000, %al */
	0x3c, 0xff,			       /* cmp $0xff, %al */
	0x0f, 0x94, 0xc0,		       /* sete %al */
	0xe6, 0xf4,			       /* out %al, $0xf4 */
};
static const uint8_t g_string_io[] = {
	0xbe, 0x60, 0x00, 0x20, 0x00, /* mov $0x200060, %esi */
	0xb9, 6,    0,	  0,	0,    /* mov $6, %ecx */
	0x66, 0xba, 0xe9, 0x00,	      /* mov $0xe9, %dx */
	0xfc, 0xf3, 0x6e,	      /* cld; rep outsb */
	0xb0, 3,    0xe6, 0xf4,	      /* mov $3, %al; out %al, $0xf4 */
	0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
	0x90, 0x90, 0x90, 0x90, 0x90, /* up to 0x60 */
	'o',  'u',  't',  's',	'b',  '\n',
};

#define USE(g) make_guest(g, sizeof(g))

static void make_guest(const uint8_t *code, size_t len)
{
	uint8_t image[0x100] = { 0 };
	FILE *f = fopen(guest, "wb");

	tdm_put32(image, 0x1badb002);
	tdm_put32(image + 4, 0x10000); /* address fields */
	tdm_put32(image + 8, -(0x1badb002 + 0x10000));
	tdm_put32(image + 12, LOAD);
	tdm_put32(image + 16, LOAD);
	tdm_put32(image + 28, LOAD + CODE);
	memcpy(image + CODE, code, len);
	EXPECT(f && fwrite(image, sizeof(image), 1, f) == 1);
	if (f)
		fclose(f);
}

/* --- running the launcher --- */

struct result {
	int status; /* exit status, -1 when it ended otherwise */
	char out[65536], err[16384];
	size_t out_len, err_len;
	double wall_s, cpu_s;
};

static struct result r;

static double now_s(void)
{
	return (double)tdm_monotonic_ns() / 1e9;
}

static void take(int fd, char *buf, size_t size, size_t *len)
{
	char drop[4096];
	ssize_t n;

	while ((n = read(fd, drop, sizeof(drop))) > 0) {
		size_t keep = size - 1 - *len;

		if ((size_t)n < keep)
			keep = (size_t)n;
		memcpy(buf + *len, drop, keep);
		*len += keep;
	}
	buf[*len] = '\0';
}

/* Replace this process by the launcher. Arguments are split at blanks. */
static void exec_tandem(const char *args)
{
	char copy[1024], *argv[ARGS_MAX], *save;
	int n = 0;

	snprintf(copy, sizeof(copy), "tandem %s", args);
	for (char *a = strtok_r(copy, " ", &save); a && n < ARGS_MAX - 1;
	     a = strtok_r(NULL, " ", &save))
		argv[n++] = a;
	argv[n] = NULL;
	execv(tandem, argv);
	_exit(125);
}

static void finish(pid_t pid, double start)
{
	struct rusage u;
	int status;

	EXPECT_EQ(wait4(pid, &status, 0, &u), pid);
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	r.wall_s = now_s() - start;
	r.cpu_s = (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
		  (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Files instead of pipes: nothing here has to keep up with the launcher. */
static void run_with_input(const char *input, const char *args)
{
	FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
	double start = now_s();
	pid_t pid;

	memset(&r, 0, sizeof(r));
	EXPECT(in && out && err);
	if (!in || !out || !err)
		return;
	fputs(input, in);
	rewind(in);
	pid = fork();
	if (!pid) {
		dup2(fileno(in), 0);
		dup2(fileno(out), 1);
		dup2(fileno(err), 2);
		exec_tandem(args);
	}
	finish(pid, start);
	lseek(fileno(out), 0, SEEK_SET);
	lseek(fileno(err), 0, SEEK_SET);
	take(fileno(out), r.out, sizeof(r.out), &r.out_len);
	take(fileno(err), r.err, sizeof(r.err), &r.err_len);
	fclose(in);
	fclose(out);
	fclose(err);
}

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *fmt, ...)
{
	char args[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	run_with_input("", args);
}

static void run_guest(const char *options)
{
	run("run --device %s --elf %s --mem 16 --timeout 30 %s", device, guest,
	    options);
}

static void expect_status(int status)
{
	if (r.status != status)
		printf("# out: %s\n# err: %s\n", r.out, r.err);
	EXPECT_EQ(r.status, status);
}

/* --- usage and refusals --- */

static void usage(void)
{
	static const char *const bad[] = {
		"",
		"nonsense",
		"run",
		"run --elf a --kernel b",
		"run --elf a b",
		"run --elf a --nonsense",
		"run --elf a --mem 1",
		"run --elf a --mem 1M",
		"run --elf a --mem x",
		"run --elf a --cpus 0",
		"run --elf a --cpus 255",
		"run --elf a --timeout 0",
		"run --elf a --engine kvm",
		"run --elf a --mmu none",
		"run --bios a --append x",
		"stat x",
		"top --interval 0",
		"check x",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		run("%s", bad[i]);
		if (r.status != 2)
			printf("# arguments: %s\n", bad[i]);
		expect_status(2);
		EXPECT(r.err_len > 0);
		EXPECT_EQ(r.out_len, 0);
	}
}

static void help(void)
{
	static const char *const pages[] = { "--help", "run --help",
					     "check --help", "stat --help",
					     "top --help" };

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		run("%s", pages[i]);
		expect_status(0);
		EXPECT(strstr(r.out, "usage: tandem"));
		EXPECT_EQ(r.err_len, 0);
	}
}

static void refusals(void)
{
	USE(g_exit5);
	run("run --device %s --elf /nonexistent", device);
	expect_status(4);
	run("run --device %s --kernel %s", device, guest); /* no kernel */
	expect_status(4);
	run("run --device %s --elf %s --initrd /nonexistent", device, guest);
	expect_status(4);
	run("run --device /nonexistent --elf %s", guest);
	expect_status(6);
	EXPECT(strstr(r.err, "module"));
	run("run --device /dev/null --elf %s", guest);
	expect_status(6);
	run("run --device %s --elf %s", guest, guest);
	expect_status(6);
	if (!strcmp(device, "/dev/kvm")) {
		run_guest("--engine bt");
		expect_status(6);
		EXPECT(strstr(r.err, "no engines"));
	}
}

/* --- how guests end --- */

static void ends(void)
{
	USE(g_exit5);
	run_guest("");
	expect_status(11);
	EXPECT_EQ(r.err_len, 0);
	USE(g_poweroff);
	run_guest("");
	expect_status(0);
	USE(g_reset);
	run_guest("");
	expect_status(8);
	USE(g_triple);
	run_guest("");
	expect_status(10);
	EXPECT(strstr(r.err, "rip"));
	EXPECT(strstr(r.err, "code at ")); /* of reset on AMD: SVM forgets */
}

static void times_out(void)
{
	USE(g_spin);
	run("run --device %s --elf %s --mem 16 --timeout 1", device, guest);
	expect_status(124);
	EXPECT(r.wall_s < 10);
	USE(g_halt);
	run("run --device %s --elf %s --mem 16 --timeout 1", device, guest);
	expect_status(124);
}

/* A halted guest and an exhausted standard input cost nothing. */
static void idle_is_idle(void)
{
	USE(g_halt);
	run("run --device %s --elf %s --mem 16 --timeout 3", device, guest);
	expect_status(124);
	if (r.cpu_s > r.wall_s / 4)
		printf("# %.2f s of processor in %.2f s\n", r.cpu_s, r.wall_s);
	EXPECT(r.cpu_s < r.wall_s / 4);
}

static void accesses(void)
{
	USE(g_mmio);
	run_guest("--trace-io");
	expect_status(3);
	EXPECT(strstr(r.err, "page 0x0fed00000  reads 1        writes 1"));
	USE(g_string_io);
	run_guest("");
	expect_status(7);
	EXPECT(!strcmp(r.out, "outsb\n"));
}

static void reports(void)
{
	USE(g_markers);
	run_guest("--marker --stats --count-insns --verbose --trace-io");
	expect_status(1);
	EXPECT(strstr(r.err, "marker 7 tsc "));
	EXPECT(strstr(r.err, "marker 8 tsc "));
	EXPECT(strstr(r.err, "launcher_exit_io"));
	EXPECT(strstr(r.err, "\ntsc "));
	EXPECT(strstr(r.err, "port 0x00f5"));
	EXPECT_EQ(r.out_len, 0); /* standard output is the guest's alone */
	run_guest("");		 /* without --marker the port is nobody's */
	expect_status(1);
	EXPECT(!strstr(r.err, "marker"));
}

static void machine_options(void)
{
	USE(g_exit5);
	run_guest("--cpus 3 --prealloc --no-acpi --engine auto --mmu auto");
	expect_status(11);
	run("run --device %s --elf %s --mem 4G", device, guest);
	expect_status(11);
}

static void subcommands(void)
{
	run("check --device %s", device);
	expect_status(0);
	EXPECT(strstr(r.out, "This machine can run guests."));
	run("check --device %s --engine none", device);
	expect_status(2);
	run("check --device /nonexistent");
	expect_status(1);
	EXPECT(strstr(r.out, "->"));
	run("stat --device %s", device);
	expect_status(1); /* nothing runs */
}

/* stat and top see a running VM. */
static void counters(void)
{
	char args[256];
	pid_t pid;

	USE(g_spin);
	snprintf(args, sizeof(args),
		 "run --device %s --elf %s --mem 16 --timeout 60", device,
		 guest);
	pid = fork();
	if (!pid)
		exec_tandem(args);
	sleep(1);
	run("stat --device %s %d", device, (int)pid);
	expect_status(0);
	EXPECT(strstr(r.out, "(tandem)"));
	run("stat --device %s --all", device);
	expect_status(0);
	run("top --device %s --rounds 2", device);
	expect_status(0);
	EXPECT(strstr(r.out, "per second"));
	kill(pid, SIGTERM);
	finish(pid, 0);
	EXPECT_EQ(r.status, 143);
}

/* --- console --- */

static void input(void)
{
	static char text[6000];
	char args[256];

	for (unsigned int i = 0; i < sizeof(text) - 2; i++)
		text[i] = "abcdefgh\n\x01ijklm\r"[i % 16];
	text[sizeof(text) - 2] = 'q';
	USE(g_echo);
	snprintf(args, sizeof(args),
		 "run --device %s --elf %s --mem 16 --timeout 60", device,
		 guest);
	run_with_input(text, args);
	expect_status(19);
	EXPECT_EQ(r.out_len, sizeof(text) - 1);
	EXPECT(!strcmp(r.out, text)); /* Ctrl-A is a byte like any other */
}

/* Closed descriptors are not mistaken for the device. */
static void closed_descriptors(void)
{
	double start = now_s();
	pid_t pid;

	USE(g_string_io);
	pid = fork();
	if (!pid) {
		char args[256];

		snprintf(args, sizeof(args),
			 "run --device %s --elf %s --mem 16 --timeout 30",
			 device, guest);
		close(0);
		close(1);
		close(2);
		exec_tandem(args);
	}
	finish(pid, start);
	EXPECT_EQ(r.status, 7);
}

/* Start the launcher with stdout into a pipe. */
static pid_t start_piped(int *out)
{
	char args[256];
	int fd[2];
	pid_t pid;

	EXPECT(!pipe(fd));
	fcntl(fd[1], F_SETPIPE_SZ, 4096); /* soon full */
	snprintf(args, sizeof(args),
		 "run --device %s --elf %s --mem 16 --timeout 6", device,
		 guest);
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 2);
		dup2(fd[1], 1);
		close(fd[0]);
		exec_tandem(args);
	}
	close(fd[1]);
	*out = fd[0];
	return pid;
}

static void output_lost(void)
{
	double start = now_s();
	char b[64];
	pid_t pid;
	int fd;

	USE(g_chatter);
	pid = start_piped(&fd);
	EXPECT(read(fd, b, sizeof(b)) > 0);
	close(fd); /* as `| head -1` does */
	finish(pid, start);
	EXPECT_EQ(r.status, 16);
	pid = start_piped(&fd); /* and a reader that never reads */
	start = now_s();
	finish(pid, start);
	EXPECT_EQ(r.status, 124);
	EXPECT(r.wall_s < 15);
	EXPECT(r.cpu_s < r.wall_s / 2); /* it waited for the reader */
	close(fd);
	pid = start_piped(&fd);
	start = now_s();
	sleep(3);
	kill(pid, SIGTERM);
	finish(pid, start);
	EXPECT_EQ(r.status, 143);
	EXPECT(r.wall_s < 8);
	close(fd);
}

/* --- terminal --- */

struct terminal {
	int master, slave;
	struct termios before;
	pid_t pid;
	double start;
};

static bool is_raw(const struct terminal *t)
{
	struct termios now;

	EXPECT(!tcgetattr(t->slave, &now));
	return !(now.c_lflag & (ICANON | ECHO | ISIG));
}

/* Wait until the terminal is raw or not, as the launcher makes it. */
static bool becomes_raw(const struct terminal *t, bool raw)
{
	for (unsigned int i = 0; i < 100; i++) {
		if (is_raw(t) == raw)
			return true;
		usleep(50000);
	}
	return false;
}

static void start_on_terminal(struct terminal *t, bool background)
{
	char args[256];

	snprintf(args, sizeof(args),
		 "run --device %s --elf %s --mem 16 --timeout %d", device,
		 guest, background ? 2 : 60);
	EXPECT(!openpty(&t->master, &t->slave, NULL, NULL, NULL));
	EXPECT(!tcgetattr(t->slave, &t->before));
	t->start = now_s();
	t->pid = fork();
	if (t->pid)
		return;
	login_tty(dup(t->slave));
	close(t->master);
	if (!background)
		exec_tandem(args);
	/* A shell's background job: its own group, the terminal is not ours. */
	t->pid = fork();
	if (!t->pid) {
		setpgid(0, 0);
		exec_tandem(args);
	}
	finish(t->pid, t->start);
	_exit(r.status == 124 ? 0 : 1);
}

static void type(const struct terminal *t, const char *keys)
{
	EXPECT_EQ(write(t->master, keys, strlen(keys)), strlen(keys));
}

/* Read what appears until @text does. */
static bool appears(const struct terminal *t, const char *text)
{
	struct pollfd p = { .fd = t->master, .events = POLLIN };
	char seen[4096] = "";
	size_t len = 0;

	while (len < sizeof(seen) - 1 && poll(&p, 1, 10000) > 0) {
		ssize_t n = read(t->master, seen + len, sizeof(seen) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		seen[len] = '\0';
		if (strstr(seen, text))
			return true;
	}
	printf("# waited for '%s', saw '%s'\n", text, seen);
	return false;
}

static void end_on_terminal(struct terminal *t, int status)
{
	struct termios after;

	finish(t->pid, t->start);
	EXPECT_EQ(r.status, status);
	EXPECT(!tcgetattr(t->slave, &after));
	EXPECT_EQ(after.c_lflag, t->before.c_lflag);
	EXPECT_EQ(after.c_iflag, t->before.c_iflag);
	EXPECT_EQ(after.c_oflag, t->before.c_oflag);
	close(t->master);
	close(t->slave);
}

static void keys(void)
{
	struct terminal t;

	USE(g_echo);
	start_on_terminal(&t, false);
	EXPECT(becomes_raw(&t, true));
	type(&t, "typed");
	EXPECT(appears(&t, "typed"));
	type(&t, "\x03"); /* Ctrl-C is the guest's */
	EXPECT(appears(&t, "\x03"));
	type(&t, CTRL_A "h");
	EXPECT(appears(&t, "end the VM"));
	type(&t, CTRL_A "a");
	EXPECT(appears(&t, CTRL_A));
	type(&t, CTRL_A "s");
	EXPECT(appears(&t, "launcher_exit_io"));
	type(&t, CTRL_A "x");
	end_on_terminal(&t, 18);
}

/* The escape key works on a guest that reads nothing, however much was typed.
 */
static void keys_of_a_stuck_guest(void)
{
	struct terminal t;

	USE(g_spin);
	start_on_terminal(&t, false);
	EXPECT(becomes_raw(&t, true));
	for (unsigned int i = 0; i < 100; i++) {
		type(&t, "0123456789012345678901234567890123456789"
			 "0123456789012345678901234567890123456789");
		usleep(1000);
	}
	type(&t, CTRL_A "x");
	end_on_terminal(&t, 18);
}

static void signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct terminal t;

	USE(g_spin);
	for (unsigned int i = 0; i < ARRAY_SIZE(sigs); i++) {
		start_on_terminal(&t, false);
		EXPECT(becomes_raw(&t, true));
		kill(t.pid, sigs[i]);
		end_on_terminal(&t, 128 + sigs[i]);
	}
}

static void crash(void)
{
	struct terminal t;
	int status;

	USE(g_spin);
	start_on_terminal(&t, false);
	EXPECT(becomes_raw(&t, true));
	kill(t.pid, SIGSEGV);
	EXPECT_EQ(waitpid(t.pid, &status, 0), t.pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	EXPECT(!is_raw(&t));
	close(t.master);
	close(t.slave);
}

static void suspend(void)
{
	struct terminal t;
	int status;

	USE(g_echo);
	start_on_terminal(&t, false);
	EXPECT(becomes_raw(&t, true));
	kill(t.pid, SIGTSTP);
	EXPECT_EQ(waitpid(t.pid, &status, WUNTRACED), t.pid);
	EXPECT(WIFSTOPPED(status));
	EXPECT(!is_raw(&t));
	kill(t.pid, SIGCONT);
	EXPECT(becomes_raw(&t, true));
	type(&t, "again");
	EXPECT(appears(&t, "again"));
	type(&t, "q");
	end_on_terminal(&t, 19);
}

static void background(void)
{
	struct terminal t;

	USE(g_halt);
	start_on_terminal(&t, true);
	end_on_terminal(&t, 0); /* the job ended by its time-out, not stopped */
}

static const struct test tests[] = {
	{ "wrong usage", usage },
	{ "help", help },
	{ "refusals", refusals },
	{ "exit status tells how the guest ended", ends },
	{ "time-out", times_out },
	{ "an idle guest is idle", idle_is_idle },
	{ "memory without owner, string I/O", accesses },
	{ "reports", reports },
	{ "machine options", machine_options },
	{ "check and stat", subcommands },
	{ "stat and top of a running VM", counters },
	{ "input from a file arrives whole", input },
	{ "closed standard descriptors", closed_descriptors },
	{ "output that nobody reads", output_lost },
	{ "keys on a terminal", keys },
	{ "keys when the guest does not read", keys_of_a_stuck_guest },
	{ "signals restore the terminal", signals },
	{ "a crash restores the terminal", crash },
	{ "suspend and resume", suspend },
	{ "in the background", background },
};

int main(int argc, char **argv)
{
	int fd, status;

	if (argc != 3) {
		fprintf(stderr, "usage: e2e TANDEM DEVICE\n");
		return 2;
	}
	tandem = argv[1];
	device = argv[2];
	signal(SIGTTOU, SIG_IGN);
	fd = mkstemp(guest);
	if (fd < 0) {
		perror(guest);
		return 2;
	}
	close(fd);
	status = run_tests(tests, ARRAY_SIZE(tests));
	unlink(guest);
	return status;
}
