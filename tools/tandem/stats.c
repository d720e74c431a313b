// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of the device, read from debugfs.
 *
 * A VM has a directory ROOT/PID-FD. /dev/tandem keeps a file "stats" there,
 * lines of "name value" with a description after a '#' or further blanks; KVM
 * keeps one file a counter. Either is understood, in the directory and in the
 * directories below it (vCPUs), whose counters are added up.
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
	tdm_say("%-32s %16llu  # %s", name, (unsigned long long)value, text);
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

/* Add to the counter of that name, or append it. */
static int put(struct tdm_stat_list *list, const struct tdm_stat *s)
{
	struct tdm_stat *bigger;

	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(list->stat[i].name, s->name)) {
			list->stat[i].value += s->value;
			return 0;
		}
	}
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		bigger = realloc(list->stat, list->room * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		list->stat = bigger;
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

static int read_tree(int dir, unsigned int depth, struct tdm_stat_list *list)
{
	DIR *d = fdopendir(dir);
	struct dirent *e;
	int err = 0;

	if (!d) {
		close(dir);
		return -ENOMEM;
	}
	while (!err && (e = readdir(d))) {
		struct stat st;

		if (e->d_name[0] == '.' ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode)) {
			err = read_file(dirfd(d), e->d_name, list);
		} else if (S_ISDIR(st.st_mode) && depth) {
			int sub = openat(dirfd(d), e->d_name,
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			if (sub >= 0)
				err = read_tree(sub, depth - 1, list);
		}
	}
	closedir(d);
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
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(list, 0, sizeof(*list));
	return fd < 0 ? -errno : read_tree(fd, 1, list);
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

/** tdm_stat_device() - print the device's counters of one of our VMs; silent if
 * there are none. */
void tdm_stat_device(const char *device, pid_t pid, int vm_fd)
{
	char root[128], dir[192];
	struct tdm_stat_list list;

	tdm_stat_root(device, root, sizeof(root));
	snprintf(dir, sizeof(dir), "%s/%d-%d", root, (int)pid, vm_fd);
	if (!tdm_stat_read_vm(dir, &list))
		for (size_t i = 0; i < list.count; i++)
			tdm_stat_line(list.stat[i].name, list.stat[i].value,
				      list.stat[i].text);
	tdm_stat_free(&list);
}
