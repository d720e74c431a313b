// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the launcher's other parts: number parsing, exit statuses,
 * CPUID, counters, console output, terminal handling (on a pseudo-terminal).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "console.h"
#include "cpuid.h"
#include "end.h"
#include "launcher_test.h"
#include "code.h"
#include "stats.h"
#include "term.h"

/* --- numbers --- */

static void parse_numbers(void)
{
	static const char *const bad[] = {
		"", "x", "-1", "+1", " 1", "1x", "99999999999999999999"
	};
	uint64_t v = 77;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(tdm_parse_u64(bad[i], 0, UINT64_MAX, &v), -EINVAL);
		EXPECT_EQ(tdm_parse_size(bad[i], 1, &v), -EINVAL);
	}
	EXPECT_EQ(tdm_parse_u64(NULL, 0, 1, &v), -EINVAL);
	EXPECT_EQ(tdm_parse_u64("5", 6, 9, &v), -EINVAL);
	EXPECT_EQ(tdm_parse_u64("10", 6, 9, &v), -EINVAL);
	EXPECT_EQ(v, 77);
	EXPECT(!tdm_parse_u64("0x10", 0, 99, &v));
	EXPECT_EQ(v, 16);
}

static void parse_sizes(void)
{
	uint64_t v = 0;

	EXPECT(!tdm_parse_size("512", TDM_MIB, &v));
	EXPECT_EQ(v, 512 * TDM_MIB);
	EXPECT(!tdm_parse_size("3k", TDM_MIB, &v));
	EXPECT_EQ(v, 3072);
	EXPECT(!tdm_parse_size("2G", TDM_MIB, &v));
	EXPECT_EQ(v, 2 * TDM_GIB);
	EXPECT(!tdm_parse_size("1T", TDM_MIB, &v));
	EXPECT_EQ(v, 1024 * TDM_GIB);
	EXPECT_EQ(tdm_parse_size("1GB", TDM_MIB, &v), -EINVAL);
	EXPECT_EQ(tdm_parse_size("17592186044416M", TDM_MIB, &v), -EINVAL);
	EXPECT_EQ(tdm_parse_size("18446744073709551615", TDM_MIB, &v), -EINVAL);
}

static void read_files(void)
{
	char path[] = "/tmp/launcher-test-XXXXXX";
	int fd = mkstemp(path);
	struct tdm_blob b;

	EXPECT(fd >= 0);
	EXPECT_EQ(tdm_blob_read(&b, path, 10, "test"), -EINVAL); /* empty */
	EXPECT_EQ(write(fd, "hello", 5), 5);
	EXPECT_EQ(tdm_blob_read(&b, path, 4, "test"), -EINVAL); /* too long */
	EXPECT(!tdm_blob_read(&b, path, 5, "test"));
	EXPECT(b.size == 5 && !memcmp(b.data, "hello", 5));
	tdm_blob_free(&b);
	tdm_blob_free(&b);
	close(fd);
	unlink(path);
	EXPECT_EQ(tdm_blob_read(&b, path, 5, "test"), -ENOENT);
	EXPECT_EQ(tdm_blob_read(&b, "/dev", 5, "test"), -EINVAL);
	EXPECT_EQ(tdm_blob_read(&b, "/dev/zero", 5, "test"), -EINVAL);
}

/* --- exit statuses --- */

static void statuses(void)
{
	bool seen[256] = { false };

	EXPECT_EQ(tdm_end_status(TDM_END_POWEROFF, 0), 0);
	EXPECT_EQ(tdm_end_status(TDM_END_EXITPORT, 0), 1);
	EXPECT_EQ(tdm_end_status(TDM_END_EXITPORT, 3), 7);
	EXPECT_EQ(tdm_end_status(TDM_END_EXITPORT, 0x7fffffff), 0xff);
	EXPECT_EQ(tdm_end_status(TDM_END_SIGNAL, SIGTERM), 143);
	EXPECT_EQ(tdm_end_status(TDM_END_TIMEOUT, 0), 124);
	EXPECT_EQ(tdm_end_status(TDM_END_NONE, 0), TDM_EXIT_INTERNAL);
	EXPECT_EQ(tdm_end_status(TDM_END_MAX, 0), TDM_EXIT_INTERNAL);
	for (enum tdm_end e = TDM_END_POWEROFF; e < TDM_END_MAX; e++) {
		int s = tdm_end_status(e, 1);

		EXPECT(!seen[s]); /* each ending has its own status */
		seen[s] = true;
		/* A guest's own status is odd: ours are not. */
		EXPECT(e == TDM_END_EXITPORT || e == TDM_END_SIGNAL ||
		       !(s & 1));
	}
}

/* --- CPUID --- */

static union tdm_cpuid_table table;

static void put_entry(uint32_t function, uint32_t index, uint32_t flags,
		      uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	table.table.entries[table.table.nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.flags = flags,
		.eax = a,
		.ebx = b,
		.ecx = c,
		.edx = d,
	};
}

/* A host with 16 cores whose every trace must disappear. */
static void host_cpuid(const char *vendor, uint32_t level)
{
	const uint32_t indexed = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	uint32_t id[3];

	memcpy(id, vendor, 12);
	memset(&table, 0, sizeof(table));
	put_entry(0, 0, 0, level, id[0], id[2], id[1]);
	put_entry(1, 0, 0, 0x306c3, 0x0b100800, 0x1, 0x10000000);
	put_entry(4, 0, indexed, 0x1c004121, 0, 0, 0);
	put_entry(4, 1, indexed, 0x1c03c163, 0, 0, 0);
	put_entry(4, 2, indexed, 0, 0, 0, 0);
	put_entry(0xb, 0, indexed, 1, 2, 0x100, 0x1b);
	put_entry(0xb, 1, indexed, 4, 16, 0x201, 0x1b);
	put_entry(0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	put_entry(0x80000001, 0, 0, 0, 0, 0, 0);
	put_entry(0x80000008, 0, 0, 0x3028, 0, 0x400f, 0);
}

static struct kvm_cpuid_entry2 leaf(uint32_t function, uint32_t index)
{
	struct kvm_cpuid_entry2 none = { .function = ~function };
	struct kvm_cpuid_entry2 *e = tdm_cpuid_find(&table, function, index);

	EXPECT(e);
	return e ? *e : none;
}

static void cpuid_topology(void)
{
	struct tdm_cpuid_params p = { .apic_id = 2, .cpus = 3 };

	host_cpuid("GenuineIntel", 0xd);
	tdm_cpuid_adapt(&table, &p);
	EXPECT_EQ(leaf(1, 0).ebx, 0x02040800);
	EXPECT_EQ(leaf(1, 0).edx, 0x10000000);
	EXPECT_EQ(leaf(1, 0).ecx, 0x80000001);	     /* hypervisor present */
	EXPECT_EQ(leaf(4, 0).eax, 3U << 26 | 0x121); /* L1: own; 4 cores */
	EXPECT_EQ(leaf(4, 1).eax, 3U << 26 | 3 << 14 | 0x163); /* L3: shared */
	EXPECT_EQ(leaf(4, 2).eax, 0);
	EXPECT_EQ(leaf(0xb, 0).ebx, 1);
	EXPECT_EQ(leaf(0xb, 0).edx, 2);
	EXPECT_EQ(leaf(0xb, 1).eax, 2);
	EXPECT_EQ(leaf(0xb, 1).ebx, 3);
	EXPECT_EQ(leaf(0xb, 1).ecx, 0x201);
	EXPECT_EQ(leaf(0xb, 2).ecx, 2);		    /* no further level */
	EXPECT(!tdm_cpuid_find(&table, 0x1f, 0));   /* beyond its last leaf */
	EXPECT(!tdm_cpuid_find(&table, 0x15, 0));   /* rate unknown */
	EXPECT_EQ(leaf(0x80000008, 0).ecx, 0x400f); /* not Intel's business */

	p.cpus = 1;
	p.apic_id = 0;
	host_cpuid("AuthenticAMD", 0xd);
	tdm_cpuid_adapt(&table, &p);
	EXPECT_EQ(leaf(1, 0).edx, 0);
	EXPECT_EQ(leaf(1, 0).ebx, 0x00010800);
	EXPECT_EQ(leaf(0x80000008, 0).ecx, 0);
	EXPECT_EQ(leaf(0x80000001, 0).ecx, 0);
	EXPECT_EQ(tdm_cpuid_address_bits(&table), 40);

	p.cpus = 4;
	p.apic_id = 3;
	host_cpuid("AuthenticAMD", 0xd);
	tdm_cpuid_adapt(&table, &p);
	EXPECT_EQ(leaf(0x80000008, 0).ecx, 0x2003);
	EXPECT_EQ(leaf(0x80000001, 0).ecx, 2);
}

static void cpuid_clocks(void)
{
	struct tdm_cpuid_params p = { .cpus = 1,
				      .tsc_khz = 2443002,
				      .tsc_deadline = true };

	host_cpuid("GenuineIntel", 0xd);
	tdm_cpuid_adapt(&table, &p);
	EXPECT_EQ(leaf(0, 0).eax, 0x16); /* raised, or nobody would look */
	EXPECT_EQ(leaf(0x15, 0).ecx, 1000000000);
	EXPECT_EQ(leaf(0x16, 0).eax, 2443);
	EXPECT_EQ(leaf(0x40000000, 0).eax, 0x40000010);
	EXPECT_EQ(leaf(0x40000010, 0).eax, 2443002);
	EXPECT_EQ(leaf(1, 0).ecx & 1U << 24, 1U << 24);
	host_cpuid("AuthenticAMD", 0xd);
	tdm_cpuid_adapt(&table, &p);
	EXPECT_EQ(leaf(0, 0).eax, 0xd);
	EXPECT(!tdm_cpuid_find(&table, 0x15, 0));
	host_cpuid("GenuineIntel", 0x20);
	put_entry(0x15, 0, 0, 2, 200, 24000000, 0);
	tdm_cpuid_adapt(&table, &p);
	EXPECT_EQ(leaf(0, 0).eax, 0x20);
	EXPECT_EQ(leaf(0x15, 0).ecx, 1000000000); /* the host's is replaced */
}

static void cpuid_ratio(void)
{
	unsigned int tried = 0, none = 0;
	uint32_t num, den;

	for (uint64_t khz = 20000; khz < 4290000; khz += 997, tried++) {
		uint64_t got, diff;

		tdm_cpuid_tsc_ratio((uint32_t)khz, &num, &den);
		EXPECT(!num == !den);
		EXPECT(num <= UINT32_MAX / 1000000);
		if (!num) {
			none++;
			continue;
		}
		got = 1000000000ULL * num / den; /* as a guest does, in Hz */
		diff = got > khz * 1000 ? got - khz * 1000 : khz * 1000 - got;
		EXPECT(diff * 1000000 <= (khz + 1) * 1000 * 50);
	}
	EXPECT(none * 50 < tried);
	tdm_cpuid_tsc_ratio(1000100, &num, &den); /* 100 ppm from 1:1 */
	EXPECT(!num && !den);
	tdm_cpuid_tsc_ratio(0, &num, &den);
	EXPECT(!num || den);
	tdm_cpuid_tsc_ratio(50000, &num, &den);
	EXPECT(num == 1 && den == 20);
	tdm_cpuid_tsc_ratio(1000000, &num, &den);
	EXPECT(num == 1 && den == 1);
}

/* A full table stays a table. */
static void cpuid_full(void)
{
	struct tdm_cpuid_params p = { .cpus = 2, .tsc_khz = 1000000 };

	host_cpuid("GenuineIntel", 0x1f);
	while (table.table.nent < TDM_CPUID_MAX - 64)
		put_entry(7, table.table.nent, KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			  0, 0, 0, 0);
	tdm_cpuid_adapt(&table, &p);
	EXPECT(table.table.nent <= TDM_CPUID_MAX);
	EXPECT_EQ(leaf(0x1f, 1).ebx, 2);
	EXPECT_EQ(leaf(0x15, 0).ecx, 1000000000);
}

/* --- counters --- */

static int parse_stat(const char *line, struct tdm_stat *s)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", line);
	return tdm_stat_parse(copy, s);
}

static void stat_lines(void)
{
	struct tdm_stat s;

	EXPECT(!parse_stat("exits_io   123 # port accesses\n", &s));
	EXPECT(!strcmp(s.name, "exits_io"));
	EXPECT_EQ(s.value, 123);
	EXPECT(!strcmp(s.text, "port accesses"));
	EXPECT(!parse_stat("a 18446744073709551615", &s));
	EXPECT_EQ(s.value, UINT64_MAX);
	EXPECT_EQ(*s.text, 0);
	EXPECT(parse_stat("", &s));
	EXPECT(parse_stat("\n", &s));
	EXPECT(parse_stat("name", &s));
	EXPECT(parse_stat("name text", &s));
	EXPECT(parse_stat("name -1", &s));
	EXPECT(parse_stat("name 12x", &s));
	EXPECT(parse_stat("name 99999999999999999999", &s));
	EXPECT(parse_stat("# comment 5", &s));
}

static void put_text(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	EXPECT(f);
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static void stat_directories(void)
{
	char root[] = "/tmp/launcher-test-XXXXXX", dir[TDM_STAT_DIR];
	static char names[TDM_VMS_MAX][TDM_VM_NAME];
	struct tdm_stat_list list;

	EXPECT(mkdtemp(root));
	tdm_stat_vm_dir(root, "20-5", dir, sizeof(dir));
	EXPECT(!mkdir(dir, 0700));
	put_text(dir, "exits", "42\n"); /* as KVM does it */
	put_text(dir, "tlb_flush", "7\n");
	put_text(dir, "hist", "not a number\n");
	EXPECT(!tdm_stat_read_vm(dir, &list));
	EXPECT_EQ(list.count, 2);
	EXPECT(tdm_stat_find(&list, "exits") &&
	       tdm_stat_find(&list, "exits")->value == 42);
	EXPECT(!tdm_stat_find(&list, "hist"));
	tdm_stat_free(&list);
	put_text(dir, "stats", "one 1 # first\n\nbad\ntwo 2 # second\n");
	EXPECT(!tdm_stat_read_vm(dir, &list)); /* as tandem does it */
	EXPECT_EQ(list.count, 2);
	EXPECT(tdm_stat_find(&list, "two"));
	tdm_stat_free(&list);
	tdm_stat_vm_dir(root, "3-4", dir, sizeof(dir));
	EXPECT(!mkdir(dir, 0700));
	put_text(root, "file", "");
	EXPECT_EQ(tdm_stat_vms(root, 0, names, TDM_VMS_MAX), 2);
	EXPECT(!strcmp(names[0], "20-5") && !strcmp(names[1], "3-4"));
	EXPECT_EQ(tdm_stat_vms(root, 3, names, TDM_VMS_MAX), 1);
	EXPECT(!strcmp(names[0], "3-4"));
	EXPECT_EQ(tdm_stat_vms(root, 0, names, 1), 1);
	EXPECT_EQ(tdm_stat_vms("/nonexistent", 0, names, 1), -ENOENT);
	EXPECT_EQ(tdm_stat_read_vm("/nonexistent", &list), -ENOENT);
	snprintf(dir, sizeof(dir), "rm -r %s", root);
	EXPECT(!system(dir));
}

/* --- console --- */

static int broken;

/* What tdm_code_print() writes, in text; its result. */
static int code_output(const char *dir, const char *what, const char *symbols, char *text,
		       size_t size)
{
	FILE *out = fmemopen(text, size, "w");
	int r;

	memset(text, 0, size);
	r = tdm_code_print(out, dir, what, symbols);
	fclose(out);
	return r;
}

static void stat_code(void)
{
	char dir[] = "/tmp/launcher-code-XXXXXX", map[64], text[4096];

	EXPECT(mkdtemp(dir));
	put_text(dir, "code",
		 "tu 1 rip 0xffffffff81000010 6 bytes 2 instructions (2 identical) tc 0x1000 11 bytes\n"
		 "  host  90 90\n"
		 "  link to 0xffffffff81000100 chained\n"
		 "tu 2 rip 0xffffffff81000100 1 bytes 1 instructions (0 identical) tc 0x100b 9 bytes\n"
		 "  host  c3\n");
	put_text(dir, "map",
		 "ffffffff81000100 T second\nffffffff81000000 T first\nnonsense\n");
	put_text(dir, "empty", "nothing\n");
	snprintf(map, sizeof(map), "%s/map", dir);

	/* By address, inside the unit and just behind it. */
	EXPECT_EQ(code_output(dir, "0xffffffff81000015", NULL, text, sizeof(text)), 0);
	EXPECT(strstr(text, "tu 1 ") && strstr(text, "host  90") && !strstr(text, "tu 2 "));
	EXPECT_EQ(code_output(dir, "0xffffffff81000016", NULL, text, sizeof(text)), -ENODATA);
	EXPECT(!*text);
	/* By name, and names in what is printed; the map need not be sorted. */
	EXPECT_EQ(code_output(dir, "second", map, text, sizeof(text)), 0);
	EXPECT(strstr(text, "tu 2 ") && strstr(text, "<second+0x0>") && !strstr(text, "tu 1 "));
	EXPECT_EQ(code_output(dir, "all", map, text, sizeof(text)), 0);
	EXPECT(strstr(text, "<first+0x10>") && strstr(text, "chained  <second+0x0>"));
	/* What is wrong is told apart. */
	EXPECT_EQ(code_output(dir, "third", map, text, sizeof(text)), -EINVAL);
	EXPECT_EQ(code_output("/nowhere", "all", NULL, text, sizeof(text)), -ENOENT);
	snprintf(map, sizeof(map), "%s/empty", dir);
	EXPECT_EQ(code_output(dir, "all", map, text, sizeof(text)), -EINVAL);
	snprintf(map, sizeof(map), "rm -r %s", dir);
	EXPECT_EQ(system(map), 0);
}

static void note_broken(void *ctx, int err)
{
	(void)ctx;
	broken = err;
}

static void put_string(struct tdm_console *c, const char *s)
{
	while (*s) {
		tdm_console_put(c, (uint8_t)*s++);
		tdm_console_throttle(c);
	}
}

static size_t read_for(int fd, char *buf, size_t size, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = 0;

	if (poll(&p, 1, ms) > 0)
		n = read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void console_writes(void)
{
	static struct tdm_console c;
	char buf[128];
	int fd[2];

	EXPECT(!pipe(fd));
	tdm_console_init(&c);
	EXPECT(!tdm_console_start(&c, fd[1], note_broken, NULL));
	put_string(&c, "login: "); /* a prompt, no newline */
	EXPECT(read_for(fd[0], buf, sizeof(buf), 2000));
	EXPECT(!strncmp(buf, "login: ", strlen(buf)));
	put_string(&c, "rest\n");
	EXPECT(tdm_console_stop(&c));
	close(fd[1]);
	close(fd[0]);
}

/* Far more than the buffer, to a reader that takes its time: nothing is lost.
 */
static void console_backpressure(void)
{
	static struct tdm_console c;
	const unsigned int lines = 20000;
	int fd[2], status;
	pid_t pid;

	EXPECT(!pipe(fd));
	pid = fork();
	if (!pid) {
		unsigned int n = 0;
		char b[1000];
		ssize_t got;

		close(fd[1]);
		usleep(100000);
		while ((got = read(fd[0], b, sizeof(b))) > 0)
			n += (unsigned int)got;
		_exit(n == lines * 10 ? 0 : 1);
	}
	close(fd[0]);
	tdm_console_init(&c);
	EXPECT(!tdm_console_start(&c, fd[1], note_broken, NULL));
	for (unsigned int i = 0; i < lines; i++)
		put_string(&c, "123456789\n");
	EXPECT(tdm_console_stop(&c));
	close(fd[1]);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

static void console_broken(void)
{
	static struct tdm_console c;
	int fd[2];

	signal(SIGPIPE, SIG_IGN);
	EXPECT(!pipe(fd));
	close(fd[0]);
	broken = 0;
	tdm_console_init(&c);
	EXPECT(!tdm_console_start(&c, fd[1], note_broken, NULL));
	for (unsigned int i = 0; i < 3 * TDM_CONSOLE_BUFFER; i++)
		tdm_console_put(&c, 'x');
	tdm_console_throttle(&c); /* must not wait for ever */
	EXPECT(!tdm_console_stop(&c));
	EXPECT_EQ(broken, EPIPE);
	close(fd[1]);
}

/* A reader that never reads: stop gives up, and says so. */
static void console_stuck(void)
{
	static struct tdm_console c; /* the writer keeps using it */
	int fd[2];

	EXPECT(!pipe(fd));
	fcntl(fd[1], F_SETPIPE_SZ, 4096);
	tdm_console_init(&c);
	EXPECT(!tdm_console_start(&c, fd[1], note_broken, NULL));
	for (unsigned int i = 0; i < 4 * TDM_CONSOLE_BUFFER; i++)
		tdm_console_put(&c, i % 80 ? 'x' : '\n');
	EXPECT(atomic_load(&c.tight));
	tdm_console_release(&c);
	tdm_console_throttle(&c); /* the run ends: no waiting */
	EXPECT(!tdm_console_stop(&c));
}

/* --- terminal --- */

/* What the child did to the terminal before and after it ended by @how. */
static void on_terminal(void (*child)(void), int expected_signal)
{
	struct termios before, during = { 0 }, after;
	int master, slave, status;
	char c;
	pid_t pid;

	EXPECT(!openpty(&master, &slave, NULL, NULL, NULL));
	EXPECT(!tcgetattr(slave, &before));
	pid = fork();
	if (!pid) {
		if (login_tty(dup(slave)) < 0)
			_exit(99);
		signal(SIGTTOU, SIG_IGN);
		tdm_term_init();
		child();
		_exit(98); /* not reached by a child that ends properly */
	}
	/* The child writes a byte once it is in raw mode, then ends. */
	EXPECT_EQ(read(master, &c, 1), 1);
	EXPECT_EQ(c, 'R');
	tcgetattr(slave, &during);
	EXPECT(!(during.c_lflag & (ICANON | ECHO | ISIG)));
	EXPECT(!(during.c_oflag & OPOST));
	EXPECT_EQ(write(master, "g", 1), 1); /* go on */
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	if (expected_signal)
		EXPECT(WIFSIGNALED(status) &&
		       WTERMSIG(status) == expected_signal);
	else
		EXPECT(WIFEXITED(status) && !WEXITSTATUS(status));
	EXPECT(!tcgetattr(slave, &after));
	EXPECT_EQ(after.c_lflag, before.c_lflag);
	EXPECT_EQ(after.c_iflag, before.c_iflag);
	EXPECT_EQ(after.c_oflag, before.c_oflag);
	close(master);
	close(slave);
}

static void go_raw(void)
{
	char c;

	if (!tdm_term_enter() || !tdm_term_is_raw())
		_exit(97);
	if (write(STDOUT_FILENO, "R", 1) != 1 || read(STDIN_FILENO, &c, 1) != 1)
		_exit(96);
}

static void child_leaves(void)
{
	go_raw();
	tdm_term_leave();
	tdm_term_leave();
	_exit(tdm_term_is_raw());
}

static void child_exits(void)
{
	go_raw();
	exit(0);
}

static void child_aborts(void)
{
	go_raw();
	abort();
}

static void child_crashes(void)
{
	go_raw();
	raise(SIGBUS);
}

static void terminal_leave(void)
{
	on_terminal(child_leaves, 0);
}

static void terminal_exit(void)
{
	on_terminal(child_exits, 0);
}

static void terminal_abort(void)
{
	on_terminal(child_aborts, SIGABRT);
}

static void terminal_crash(void)
{
	on_terminal(child_crashes, SIGBUS);
}

static const struct test tests[] = {
	{ "numbers", parse_numbers },
	{ "sizes", parse_sizes },
	{ "files", read_files },
	{ "exit statuses are distinct", statuses },
	{ "cpuid: topology", cpuid_topology },
	{ "cpuid: clock rates", cpuid_clocks },
	{ "cpuid: TSC ratio is close and fits", cpuid_ratio },
	{ "cpuid: a full table", cpuid_full },
	{ "stat: lines", stat_lines },
	{ "stat: directories", stat_directories },
		{ "stat --code: units by address and name", stat_code },
	{ "console: prompt and line", console_writes },
	{ "console: slow reader", console_backpressure },
	{ "console: closed reader", console_broken },
	{ "console: reader that never reads", console_stuck },
	{ "terminal: restored when left", terminal_leave },
	{ "terminal: restored by exit", terminal_exit },
	{ "terminal: restored by abort", terminal_abort },
	{ "terminal: restored by a crash", terminal_crash },
};

int main(void)
{
	/* Not through exit(): the stuck console's thread is still there. */
	_exit(run_tests(tests, ARRAY_SIZE(tests)));
}
