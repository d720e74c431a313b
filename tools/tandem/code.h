/* SPDX-License-Identifier: GPL-2.0-only */
/* tandem stat --code: translations by guest address, with symbols. */
#ifndef TANDEM_CODE_H
#define TANDEM_CODE_H

#include <stdio.h>

/*
 * Print to out the translations of a VM (dir: its debugfs directory) that have the guest
 * instruction at "what": an address, a name of the symbols, or "all". symbols: a
 * file as System.map or /proc/kallsyms, or NULL. Return: 0, or a negative errno;
 * -ENODATA: there is none; -ENOENT: the VM has ended; -EINVAL: no such name; it has
 * said which file it could not read.
 */
int tdm_code_print(FILE *out, const char *dir, const char *what, const char *symbols);

#endif
