/* SPDX-License-Identifier: GPL-2.0-only */
/* One shrinker, called by the test. */
#ifndef SHIM_COMPAT_H
#define SHIM_COMPAT_H

#include "kernel.h"

#define SHRINK_STOP	(~0ul)
#define SHRINK_EMPTY	(~0ul - 1)

struct shrinker;
struct shrink_control { unsigned long nr_to_scan; };
struct tdm_shrinker {
	unsigned long (*count)(struct shrinker *s, struct shrink_control *sc);
	unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc);
};

extern struct tdm_shrinker *shim_shrinker;

static inline int tdm_shrinker_register(struct tdm_shrinker *s, const char *name)
{
	shim_shrinker = s;
	return 0;
}

static inline void tdm_shrinker_unregister(struct tdm_shrinker *s)
{
	shim_shrinker = NULL;
}

#endif /* SHIM_COMPAT_H */
