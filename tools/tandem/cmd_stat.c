// SPDX-License-Identifier: GPL-2.0-only
/* tandem stat: print the counters of running VMs once, or their translations. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "code.h"
#include "end.h"
#include "stat_opts.h"
#include "util.h"

static int print_vm(const struct tdm_stat_opts *o, const char *vm)
{
	struct tdm_stat_list list;
	char dir[TDM_STAT_DIR], title[128];
	int err;

	tdm_stat_vm_dir(o->root, vm, dir, sizeof(dir));
	err = tdm_stat_read_vm(dir, &list);
	if (err == -ENOENT) /* ended since we looked */
		err = 0;
	if (err)
		tdm_error("%s: %s", dir, strerror(-err));
	if (!err && list.count) {
		tdm_stat_title(vm, title, sizeof(title));
		printf("%s\n", title);
	}
	for (size_t i = 0; !err && i < list.count; i++) {
		const struct tdm_stat *s = &list.stat[i];

		if (s->value || o->all)
			printf("  %-28s %16" PRIu64 "%s%s\n", s->name, s->value,
			       *s->text ? "  # " : "", s->text);
	}
	tdm_stat_free(&list);
	return err;
}

static int print_code(const struct tdm_stat_opts *o, const char *vm)
{
	char dir[TDM_STAT_DIR], title[128];
	int err;

	tdm_stat_vm_dir(o->root, vm, dir, sizeof(dir));
	tdm_stat_title(vm, title, sizeof(title));
	printf("%s\n", title);
	err = tdm_code_print(stdout, dir, o->code, o->symbols);
	if (err == -ENODATA)
		tdm_error("%s has no translation of %s: it did not run there, or not on the BT engine",
			  title, o->code);
	else if (err == -EINVAL)
		tdm_error("%s is neither an address nor a name in %s", o->code,
			  o->symbols ? o->symbols : "--symbols FILE");
	else if (err)
		tdm_error("%s/code: %s", dir, strerror(-err));
	return err;
}

/** tdm_cmd_stat() - the subcommand. Return: 0, 1 nothing to show, 2 usage. */
int tdm_cmd_stat(int argc, char **argv)
{
	static char names[TDM_VMS_MAX][TDM_VM_NAME];
	struct tdm_stat_opts o;
	int n, err = 0, parsed = tdm_stat_opts(argc, argv, false, &o);

	if (parsed)
		return parsed > 0 ? 0 : TDM_EXIT_USAGE;
	n = tdm_stat_find_vms(&o, names);
	for (int i = 0; i < n; i++)
		err |= o.code ? print_code(&o, names[i]) : print_vm(&o, names[i]);
	return err || !n;
}
