// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the BT engine made of guest code, by guest address. The module prints all
 * translation units (bt/explain.c); here they are chosen and addresses get the
 * names that a System.map or kallsyms file has for them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"
#include "util.h"

struct symbol {
	uint64_t addr;
	char *name;
};

struct symbols {
	struct symbol *s;
	size_t n;
};

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void symbols_free(struct symbols *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->s[i].name);
	free(t->s);
}

static int symbol_add(struct symbols *t, uint64_t addr, const char *name)
{
	/* Doubled whenever the number is a power of two. */
	if (!(t->n & (t->n - 1))) {
		struct symbol *s = realloc(t->s, (t->n ? 2 * t->n : 1) * sizeof(*s));

		if (!s)
			return -ENOMEM;
		t->s = s;
	}
	t->s[t->n].name = strdup(name);
	if (!t->s[t->n].name)
		return -ENOMEM;
	t->s[t->n++].addr = addr;
	return 0;
}

/* Lines "address type name", as nm prints them. */
static int symbols_read(const char *path, struct symbols *t)
{
	char line[512], name[256], type;
	FILE *f = fopen(path, "re");
	uint64_t addr;
	int err = 0;

	if (!f) {
		err = -errno;
		tdm_error("%s: %s", path, strerror(errno));
		return err;
	}
	while (!err && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 " %c %255s", &addr, &type, name) == 3)
			err = symbol_add(t, addr, name);
	fclose(f);
	if (!err && !t->n) {
		tdm_error("%s has no line of the form \"address type name\": give a System.map", path);
		err = -EINVAL;
	}
	if (t->n)
		qsort(t->s, t->n, sizeof(*t->s), by_addr);
	return err;
}

/* The last symbol at or before an address, or NULL. */
static const struct symbol *symbol_of(const struct symbols *t, uint64_t addr)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->s[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &t->s[low - 1] : NULL;
}

static int address_of(const struct symbols *t, const char *what, uint64_t *addr)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->s[i].name, what)) {
			*addr = t->s[i].addr;
			return 0;
		}
	return tdm_parse_u64(what, 0, UINT64_MAX, addr) ? -EINVAL : 0;
}

/* A line of the module's, and the name of the guest address in it. */
static void print_line(FILE *out, const char *line, const char *key, const struct symbols *t)
{
	const char *at = strstr(line, key);
	const struct symbol *s = NULL;
	uint64_t addr;

	if (at && sscanf(at + strlen(key), "%" SCNx64, &addr) == 1)
		s = symbol_of(t, addr);
	if (s)
		fprintf(out, "%.*s  <%s+0x%" PRIx64 ">\n", (int)strcspn(line, "\n"), line,
			s->name, addr - s->addr);
	else
		fputs(line, out);
}

/**
 * tdm_code_print() - see code.h.
 *
 * The file can be long; it is read once, and nothing of it is kept.
 */
int tdm_code_print(FILE *out, const char *dir, const char *what, const char *symbols)
{
	struct symbols t = { 0 };
	bool all = !strcmp(what, "all"), show = false;
	uint64_t addr = 0, rip;
	unsigned int len, nr;
	char line[4096];
	int err = symbols ? symbols_read(symbols, &t) : 0, found = 0;
	FILE *f = NULL;

	if (!err && !all)
		err = address_of(&t, what, &addr);
	if (!err) {
		snprintf(line, sizeof(line), "%s/code", dir);
		f = fopen(line, "re");
		err = f ? 0 : -errno;
	}
	while (!err && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "tu %u rip %" SCNx64 " %u bytes", &nr, &rip, &len) == 3) {
			show = all || addr - rip < len;
			found += show;
		}
		if (show)
			print_line(out, line, *line == 't' ? " rip " : "  link to ", &t);
	}
	if (f)
		fclose(f);
	symbols_free(&t);
	return err ? err : found ? 0 : -ENODATA;
}
