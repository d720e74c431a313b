/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device test: functions with checks, one result line for each function.
 */
#ifndef DEV_TEST_H
#define DEV_TEST_H

#include "dev_kernel.h"

#include <inttypes.h>

#include "dev_machine.h"
#include "emul_ktap.h"

static bool dev_test_ok;

#define CHECK(cond) do {						\
	if (!(cond)) {							\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);	\
		dev_test_ok = false;					\
	}								\
} while (0)

#define CHECK_EQ(a, b) do {						\
	s64 a__ = (s64)(a), b__ = (s64)(b);				\
	if (a__ != b__) {						\
		printf("# %s:%d: %s is 0x%" PRIx64 ", not 0x%" PRIx64 "\n", \
		       __FILE__, __LINE__, #a, (uint64_t)a__, (uint64_t)b__); \
		dev_test_ok = false;					\
	}								\
} while (0)

struct dev_test {
	const char *name;
	void (*run)(void);
	unsigned int cpus;	/* 0: no machine; else dev_start(cpus, stride) */
	unsigned int stride;
};

static inline int dev_test_main(const struct dev_test *t, unsigned int n)
{
	unsigned int i;

	ktap_start(n);
	for (i = 0; i < n; i++) {
		dev_test_ok = true;
		if (t[i].cpus)
			dev_start(t[i].cpus, t[i].stride ? t[i].stride : 1);
		t[i].run();
		if (t[i].cpus)
			dev_stop();
		ktap_result(dev_test_ok, "%s", t[i].name);
	}
	return ktap_end();
}

#define DEV_TEST_MAIN(tests)						\
int main(void)								\
{									\
	return dev_test_main(tests, ARRAY_SIZE(tests));			\
}

#endif /* DEV_TEST_H */
