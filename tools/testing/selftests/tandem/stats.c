// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats.c - counters in debugfs: they are there, explain themselves, grow with
 * what they count, and go with the VM.
 */
#include <dirent.h>
#include <sys/syscall.h>

#include "fixture.h"

#define ROOT "/sys/kernel/debug/tandem"

CODE16(outs, "1: out %al, $0x10; jmp 1b");

/* This process's VM directory; empty if there is none. */
static void find_vm(char *path, size_t size)
{
	char want[32];
	DIR *dir = opendir(ROOT);
	struct dirent *entry;

	path[0] = 0;
	snprintf(want, sizeof(want), "%d-", getpid());
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, want, strlen(want)))
			snprintf(path, size, ROOT "/%s", entry->d_name);
	if (dir)
		closedir(dir);
}

/* The sum of all counters, and how many lines have no words. */
static long read_stats(const char *vm, const char *file, int *silent)
{
	char path[512], line[256], name[64];
	unsigned long value;
	long sum = 0;
	FILE *f;

	*silent = 0;
	snprintf(path, sizeof(path), "%s/%s", vm, file);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lu", name, &value) != 2) {
			fclose(f);
			return -2;
		}
		*silent += !strstr(line, "# ") ||
			   strlen(strstr(line, "# ")) < 8;
		sum += (long)value;
	}
	fclose(f);
	return sum;
}

TEST_F(bare, counters)
{
	char vm[300];
	long before, now;
	int silent;

	REQUIRE_TANDEM();
	if (access(ROOT, R_OK))
		SKIP(return, "no " ROOT ": debugfs is not mounted");
	find_vm(vm, sizeof(vm));
	ASSERT_NE(0, vm[0]);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, outs, CODE_LEN(outs)));
	before = read_stats(vm, "vcpu0/stats", &silent);
	ASSERT_LE(0, before);
	EXPECT_EQ(0, silent);
	for (int i = 0; i < 50; i++)
		RUN_OK(&self->v);
	now = read_stats(vm, "vcpu0/stats", &silent);
	EXPECT_LE(before + 50, now);
	EXPECT_LE(now, read_stats(vm, "stats", &silent) + 1);
	EXPECT_EQ(0, silent);
	/* Gone with the VM, while the process lives on. */
	tvcpu_destroy(&self->vm, &self->v);
	tvm_destroy(&self->vm);
	EXPECT_NE(0, access(vm, F_OK));
}

TEST_F(bare, state_readable)
{
	char vm[300], path[400], line[200];
	int lines = 0;
	FILE *f;

	REQUIRE_TANDEM();
	if (access(ROOT, R_OK))
		SKIP(return, "no " ROOT ": debugfs is not mounted");
	find_vm(vm, sizeof(vm));
	snprintf(path, sizeof(path), "%s/vcpu0/state", vm);
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f))
		lines++;
	fclose(f);
	EXPECT_LT(5, lines);
}

/* The value called @name in a binary statistics file, -1 if there is none. */
static long binary_stat(int fd, const char *name)
{
	struct kvm_stats_header head;
	struct {
		struct kvm_stats_desc d;
		char name[48];
	} desc;
	uint64_t value;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    head.name_size != sizeof(desc.name))
		return -1;
	for (uint32_t i = 0; i < head.num_desc; i++) {
		if (pread(fd, &desc, sizeof(desc),
			  head.desc_offset + (off_t)(i * sizeof(desc))) != sizeof(desc))
			return -1;
		if (strcmp(desc.name, name))
			continue;
		if (desc.d.size != 1 ||
		    pread(fd, &value, 8, head.data_offset + (off_t)desc.d.offset) != 8)
			return -1;
		return (long)value;
	}
	return -1;
}

TEST_F(bare, binary)
{
	int vm = ioctl(self->vm.fd, KVM_GET_STATS_FD, 0UL);
	int vcpu = ioctl(self->v.fd, KVM_GET_STATS_FD, 0UL);
	char c[8];

	REQUIRE_TANDEM();
	ASSERT_EQ(1, tvm_cap(self->vm.dev, KVM_CAP_BINARY_STATS_FD));
	ASSERT_LE(0, vm);
	ASSERT_LE(0, vcpu);
	ASSERT_EQ(0, tvcpu_real(&self->vm, &self->v, outs, CODE_LEN(outs)));
	for (int i = 0; i < 50; i++)
		RUN_OK(&self->v);
	EXPECT_LE(50, binary_stat(vcpu, "user_exits"));
	EXPECT_LE(1, binary_stat(vm, "mmu_pages"));
	EXPECT_EQ(-1, binary_stat(vm, "user_exits"));
	/* Beyond the end, and no other way. */
	EXPECT_EQ(0, pread(vm, c, sizeof(c), 1 << 20));
	EXPECT_ERRNO(EFAULT, syscall(SYS_pread64, vm, 8L, 24L, 0L));
	EXPECT_EQ(-1, write(vm, c, 1));
	EXPECT_EQ(-1, pread(vm, c, 1, -1));
	/* It outlives the VM's other descriptors. */
	tvcpu_destroy(&self->vm, &self->v);
	tvm_destroy(&self->vm);
	EXPECT_LE(50, binary_stat(vcpu, "user_exits"));
	close(vcpu);
	close(vm);
}

TEST_HARNESS_MAIN
