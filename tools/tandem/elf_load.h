/* SPDX-License-Identifier: GPL-2.0-only */
/* ELF executables, 32- and 64-bit x86, loaded at their physical addresses. */
#ifndef TANDEM_ELF_LOAD_H
#define TANDEM_ELF_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"
#include "util.h"

struct tdm_elf {
	bool is64;
	uint64_t entry;	     /* physical address */
	uint64_t start, end; /* lowest and highest physical address used */
};

bool tdm_elf_is(const struct tdm_blob *b);
int tdm_elf_load(const struct tdm_blob *b, const char *path,
		 const struct tdm_memory *mem, struct tdm_elf *out);

#endif
