// SPDX-License-Identifier: GPL-2.0-only
/*
 * tandem top: how fast the counters of running VMs grow, largest first.
 *
 * On a terminal the screen is redrawn; elsewhere each look is printed below the
 * last. Ends with Ctrl-C, after --rounds looks, or when no VM is left.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd.h"
#include "end.h"
#include "stat_opts.h"
#include "util.h"

#define DEFAULT_ROWS 1000

/* A VM between two looks. */
struct tracked {
	char name[TDM_VM_NAME];
	struct tdm_stat_list last;
	uint64_t when_ns; /* of the last look */
};

struct rate {
	const struct tdm_stat *stat;
	double per_s;
};

static int by_rate(const void *a, const void *b)
{
	const struct rate *x = a, *y = b;

	if (x->per_s != y->per_s)
		return x->per_s < y->per_s ? 1 : -1;
	return strcmp(x->stat->name, y->stat->name);
}

static int terminal_rows(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_row < 6)
		return DEFAULT_ROWS;
	return w.ws_row;
}

static void print_rates(const struct tdm_stat_opts *o, const struct tracked *t,
			const struct tdm_stat_list *now, double seconds,
			int *rows)
{
	struct rate *rate = calloc(now->count + 1, sizeof(*rate));
	char title[128];

	if (!rate)
		return;
	for (size_t i = 0; i < now->count; i++) {
		const struct tdm_stat *s = &now->stat[i];
		const struct tdm_stat *old = tdm_stat_find(&t->last, s->name);

		rate[i].stat = s;
		if (old && seconds > 0)
			rate[i].per_s =
				(double)(int64_t)(s->value - old->value) /
				seconds;
	}
	qsort(rate, now->count, sizeof(*rate), by_rate);
	tdm_stat_title(t->name, title, sizeof(title));
	printf("%s\n  %-28s %14s %16s\n", title, "counter", "per second",
	       "total");
	*rows -= 2;
	for (size_t i = 0; i<now->count && * rows> 0; i++) {
		const struct tdm_stat *s = rate[i].stat;

		if (!s->value && !o->all)
			continue;
		printf("  %-28s %14.0f %16" PRIu64 "%s%s\n", s->name,
		       rate[i].per_s, s->value, *s->text ? "  " : "", s->text);
		(*rows)--;
	}
	free(rate);
}

/* The slot of a VM seen before, or one for a new VM. */
static struct tracked *find_slot(struct tracked *vms, const char *name)
{
	struct tracked *empty = &vms[0];

	for (int i = 0; i < TDM_VMS_MAX; i++) {
		if (!strcmp(vms[i].name, name))
			return &vms[i];
		if (!*vms[i].name || vms[i].when_ns < empty->when_ns)
			empty = &vms[i];
	}
	tdm_stat_free(&empty->last);
	*empty = (struct tracked){ 0 };
	snprintf(empty->name, sizeof(empty->name), "%.*s", TDM_VM_NAME - 1,
		 name);
	return empty;
}

/* One VM's new counters against its old ones, which they replace. */
static void look(const struct tdm_stat_opts *o, struct tracked *t, int *rows)
{
	uint64_t when = tdm_monotonic_ns();
	struct tdm_stat_list now;
	char dir[TDM_STAT_DIR];

	tdm_stat_vm_dir(o->root, t->name, dir, sizeof(dir));
	if (!tdm_stat_read_vm(dir, &now))
		print_rates(o, t, &now, (double)(when - t->when_ns) / 1e9,
			    rows);
	tdm_stat_free(&t->last);
	t->last = now;
	t->when_ns = when;
}

/** tdm_cmd_top() - the subcommand. Return: 0, 1 nothing to show, 2 usage. */
int tdm_cmd_top(int argc, char **argv)
{
	static char names[TDM_VMS_MAX][TDM_VM_NAME];
	static struct tracked vms[TDM_VMS_MAX];
	bool tty = isatty(STDOUT_FILENO);
	struct tdm_stat_opts o;
	int n, parsed = tdm_stat_opts(argc, argv, true, &o);

	if (parsed)
		return parsed > 0 ? 0 : TDM_EXIT_USAGE;
	n = tdm_stat_find_vms(&o, names);
	if (!n)
		return 1;
	for (uint64_t round = 0;;) {
		int rows = tty ? terminal_rows() - 1 : DEFAULT_ROWS;

		if (tty)
			fputs("\033[H\033[J", stdout);
		for (int i = 0; i < n; i++)
			look(&o, find_slot(vms, names[i]), &rows);
		fflush(stdout);
		if (++round == o.rounds || ferror(stdout))
			return 0;
		sleep((unsigned int)o.interval_s);
		n = tdm_stat_vms(o.root, o.pid, names, TDM_VMS_MAX);
		if (n <= 0)
			return 0; /* the last VM ended */
	}
}
