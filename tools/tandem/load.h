/* SPDX-License-Identifier: GPL-2.0-only */
/* What a loader makes of its files: guest memory contents and the boot vCPU's
 * first state. */
#ifndef TANDEM_LOAD_H
#define TANDEM_LOAD_H

#include <stdint.h>

#include "memory.h"
#include "util.h"

#define TDM_INITRDS_MAX 16

enum tdm_entry_mode {
	TDM_ENTRY_RESET,  /* as the CPU comes out of reset */
	TDM_ENTRY_PROT32, /* flat 32-bit protected mode, no paging */
	TDM_ENTRY_LONG64, /* 64-bit mode, identity-mapped */
};

struct tdm_entry {
	enum tdm_entry_mode mode;
	uint64_t rip, rax, rbx, rsi;
};

/* Files and options a loader works from; blobs stay the caller's. */
struct tdm_load {
	struct tdm_memory *mem;
	const char *path; /* kernel file, for messages and the multiboot command
			     line */
	const struct tdm_blob *image;
	const char *cmdline;
	struct tdm_blob *initrd; /* nr_initrds of them */
	char **initrd_path;
	unsigned int nr_initrds;
	uint64_t rsdp; /* guest-physical address, 0 = no ACPI */
};

int tdm_load_linux(const struct tdm_load *load, struct tdm_entry *entry);
int tdm_load_vmlinux(const struct tdm_load *load, struct tdm_entry *entry);
int tdm_load_multiboot(const struct tdm_load *load, struct tdm_entry *entry);

/* Shared by the two Linux loaders (linux.c). */
struct tdm_linux_setup {
	uint8_t *
		params; /* boot_params in guest memory, header already copied */
	uint64_t kernel_end;  /* first byte after what the kernel needs to start
			       */
	uint64_t initrd_max;  /* highest address an initrd byte may have */
	uint32_t cmdline_max; /* without the NUL */
};

int tdm_linux_finish(const struct tdm_load *load,
		     const struct tdm_linux_setup *s);
int tdm_linux_long_mode(struct tdm_memory *mem);

#endif
