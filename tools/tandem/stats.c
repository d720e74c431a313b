// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of the device, read from debugfs.
 *
 * A VM has a directory ROOT/PID-NUMBER. /dev/tandem keeps a file "stats" there,
 * lines of "name value # text"; KVM keeps one file a counter. Either is
 * understood. What lies in directories below (vCPUs) is already summed up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats.h"
#include "util.h"

/** tdm_stat_line() - print a counter on stderr. */
void tdm_stat_line(const char *name, uint64_t value, const char *text)
{
	tdm_say("%-32s %16llu%s%s", name, (unsigned long long)value,
		*text ? "  # " : "", text);
}

/**
 * tdm_stat_parse() - take a line apart.
 * @line: changed
 *
 * Return: 0, or -EINVAL when it is not "name value [text]".
 */
int tdm_stat_parse(char *line, struct tdm_stat *out)
{
	char *save, *name = strtok_r(line, " \t\n", &save), *number, *text,
		    *end;

	if (!name || *name == '#')
		return -EINVAL;
	number = strtok_r(NULL, " \t\n", &save);
	if (!number || *number < '0' || *number > '9')
		return -EINVAL;
	errno = 0;
	out->value = strtoull(number, &end, 10);
	if (errno || *end)
		return -EINVAL;
	text = strtok_r(NULL, "\n", &save);
	while (text && (*text == ' ' || *text == '\t' || *text == '#'))
		text++;
	snprintf(out->name, sizeof(out->name), "%s", name);
	snprintf(out->text, sizeof(out->text), "%s", text ? text : "");
	return 0;
}

static int put(struct tdm_stat_list *list, const struct tdm_stat *s)
{
	struct tdm_stat *bigger;
	size_t room;

	if (list->count == list->room) {
		room = list->room ? 2 * list->room : 64;
		bigger = realloc(list->stat, room * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		list->stat = bigger;
		list->room = room;
	}
	list->stat[list->count++] = *s;
	return 0;
}

/* A file of many counters ("stats"), or of one number, named after the counter.
 */
static int read_file(int dir, const char *name, struct tdm_stat_list *list)
{
	bool many = !strcmp(name, "stats");
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), err = 0;
	char line[256], one[512];
	FILE *f;

	if (fd < 0)
		return 0; /* write-only, or gone meanwhile */
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	while (!err && fgets(line, sizeof(line), f)) {
		struct tdm_stat s;

		if (!many)
			snprintf(one, sizeof(one), "%s %s", name, line);
		if (!tdm_stat_parse(many ? line : one, &s))
			err = put(list, &s);
		if (!many)
			break;
	}
	fclose(f);
	return err;
}

/**
 * tdm_stat_read_vm() - read all counters of one VM.
 * @dir: its directory
 * @list: filled; free with tdm_stat_free(), also after an error
 *
 * Return: 0 or a negative errno (-ENOENT: no such VM any more), not reported.
 */
int tdm_stat_read_vm(const char *dir, struct tdm_stat_list *list)
{
	struct dirent *e;
	int err = 0;
	DIR *d;

	memset(list, 0, sizeof(*list));
	d = opendir(dir);
	if (!d)
		return -errno;
	if (!faccessat(dirfd(d), "stats", R_OK, 0)) {
		err = read_file(dirfd(d), "stats", list);
		closedir(d);
		return err;
	}
	while (!err && (e = readdir(d))) {
		struct stat st;

		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			err = read_file(dirfd(d), e->d_name, list);
	}
	closedir(d);
	return err;
}

/** tdm_stat_find() - a counter by name, or NULL. */
const struct tdm_stat *tdm_stat_find(const struct tdm_stat_list *list,
				     const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->stat[i].name, name))
			return &list->stat[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/**
 * tdm_stat_vms() - list the VMs of a device.
 * @root: its debugfs directory
 * @pid: only VMs of this process; 0 = all
 * @names: filled with up to @max directory names, "PID-NUMBER", sorted
 *
 * Return: how many, or a negative errno, not reported.
 */
int tdm_stat_vms(const char *root, pid_t pid, char names[][TDM_VM_NAME],
		 int max)
{
	struct dirent *e;
	DIR *d = opendir(root);
	int n = 0;

	if (!d)
		return -errno;
	while (n < max && (e = readdir(d))) {
		int owner, fd, used = 0;

		if (sscanf(e->d_name, "%d-%d%n", &owner, &fd, &used) < 2 ||
		    e->d_name[used] || (pid && owner != pid))
			continue;
		snprintf(names[n++], TDM_VM_NAME, "%d-%d", owner, fd);
	}
	closedir(d);
	qsort(names, (size_t)n, TDM_VM_NAME, by_name);
	return n;
}

/** tdm_stat_vm_dir() - path of a VM's directory. */
void tdm_stat_vm_dir(const char *root, const char *vm, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%.*s", root, TDM_VM_NAME, vm);
}

/** tdm_stat_free() - free a list. */
void tdm_stat_free(struct tdm_stat_list *list)
{
	free(list->stat);
	memset(list, 0, sizeof(*list));
}

/** tdm_stat_root() - the debugfs directory of a device's VMs, by the device's
 * name. */
void tdm_stat_root(const char *device, char *buf, size_t size)
{
	const char *base = strrchr(device, '/');

	snprintf(buf, size, "/sys/kernel/debug/%s", base ? base + 1 : device);
}

static void print_list(const struct tdm_stat_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct tdm_stat *s = &list->stat[i];

		if (s->value)
			tdm_stat_line(s->name, s->value, s->text);
	}
}

/** tdm_stat_device() - print the device's counters of our VMs; silent without.
 */
void tdm_stat_device(const char *device)
{
	char root[128], dir[TDM_STAT_DIR], names[4][TDM_VM_NAME];
	struct tdm_stat_list list;
	int n;

	tdm_stat_root(device, root, sizeof(root));
	n = tdm_stat_vms(root, getpid(), names, ARRAY_SIZE(names));
	for (int i = 0; i < n; i++) {
		tdm_stat_vm_dir(root, names[i], dir, sizeof(dir));
		if (!tdm_stat_read_vm(dir, &list))
			print_list(&list);
		tdm_stat_free(&list);
	}
}
