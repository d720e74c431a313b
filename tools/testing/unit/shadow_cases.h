/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHADOW_CASES_H
#define SHADOW_CASES_H

#include "shadow_machine.h"

/** struct shadow_case - a property with a name; @run says if it holds */
struct shadow_case {
	const char *name;
	bool (*run)(void);
};

extern const struct shadow_case shadow_cases[];
extern const unsigned int nr_shadow_cases;

#endif /* SHADOW_CASES_H */
