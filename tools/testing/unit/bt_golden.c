// SPDX-License-Identifier: GPL-2.0-only
/* Comparison with a kept file, see bt_golden.h. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "bt_golden.h"

bool bt_golden(const char *path, void (*print)(FILE *f))
{
	FILE *kept = fopen(path, "r"), *made = tmpfile();
	char a[512], b[512], *la, *lb;
	unsigned int line = 0;
	bool same;

	if (!kept || !made) {
		printf("# cannot open %s\n", path);
		return false;
	}
	print(made);
	rewind(made);
	do {
		line++;
		la = fgets(a, sizeof(a), kept);
		lb = fgets(b, sizeof(b), made);
		same = la && lb ? !strcmp(a, b) : la == lb;
	} while (same && la);
	if (!same)
		printf("# %s:%u: kept: %s# made: %s# run with -p to see all of it\n", path, line,
		       la ? a : "(end)\n", lb ? b : "(end)\n");
	fclose(kept);
	fclose(made);
	return same;
}
