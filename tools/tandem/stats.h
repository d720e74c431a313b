/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters: one line each, and the reader of those the device keeps in debugfs.
 */
#ifndef TANDEM_STATS_H
#define TANDEM_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TDM_STAT_NAME 64
#define TDM_STAT_TEXT 96
#define TDM_VM_NAME 24
#define TDM_VMS_MAX 256
#define TDM_STAT_DIR 192

struct tdm_stat {
	char name[TDM_STAT_NAME];
	char text[TDM_STAT_TEXT]; /* plain English, may be empty */
	uint64_t value;
};

struct tdm_stat_list {
	struct tdm_stat *stat;
	size_t count, room;
};

void tdm_stat_line(const char *name, uint64_t value, const char *text);
int tdm_stat_parse(char *line, struct tdm_stat *out);
int tdm_stat_read_vm(const char *dir, struct tdm_stat_list *list);
const struct tdm_stat *tdm_stat_find(const struct tdm_stat_list *list,
				     const char *name);
int tdm_stat_vms(const char *root, pid_t pid, char names[][TDM_VM_NAME],
		 int max);
void tdm_stat_vm_dir(const char *root, const char *vm, char *buf, size_t size);
void tdm_stat_free(struct tdm_stat_list *list);
void tdm_stat_root(const char *device, char *buf, size_t size);
void tdm_stat_device(const char *device);

#endif
