/* SPDX-License-Identifier: GPL-2.0-only */
/* Compares what a test prints with a file that is kept with the test. */
#ifndef BT_GOLDEN_H
#define BT_GOLDEN_H

#include <stdbool.h>
#include <stdio.h>

/**
 * bt_golden() - is the output as it was?
 * @path: the kept file
 * @print: prints the output
 *
 * Says where they differ first.
 */
bool bt_golden(const char *path, void (*print)(FILE *f));

#endif /* BT_GOLDEN_H */
