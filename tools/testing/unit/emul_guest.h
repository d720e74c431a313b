/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest made of arrays: the surroundings the emulator's tests run it in.
 *
 * Linear addresses are looked up in a short list of regions; what is in none
 * of them is a not-present page. Devices answer from a counter, so that every
 * access is told apart, and everything done to them is kept in a journal.
 */
#ifndef EMUL_GUEST_H
#define EMUL_GUEST_H

#include "arch/x86/emul/emul.h"

#define GUEST_REGIONS	8
#define GUEST_JOURNAL	4096	/* a step does at most 1024 string elements */

/* struct region.flags */
#define REGION_READONLY	1u	/* writes are page faults */
#define REGION_SUPER	2u	/* user accesses are page faults */
#define REGION_DEVICE	4u	/* no memory: MMIO */

struct region {
	u64 base;
	u32 len;
	u32 flags;
	u8 *mem;
};

/**
 * struct guest - state behind the ops
 * @c: the emulator's context
 * @regs: general registers
 * @exit_io: device accesses go to "userspace"; else the ops do them
 * @next_data: what the next device read gives; counts up
 * @steps: emulator calls guest_step() needed for the last instruction
 * @race: the next this many cmpxchg calls fail
 */
struct guest {
	struct tdm_emul_ctxt c;
	struct tdm_regs regs;
	bool exit_io;
	u64 next_data;
	unsigned int steps;
	unsigned int race;
	/* private: what the ops keep; tests look into it all the same */
	struct region region[GUEST_REGIONS];
	unsigned int nr_regions;
	struct tdm_segment seg[TDM_NR_SEGS];
	struct tdm_table gdt, idt;
	u64 cr[9], dr[8], xcr0, tsc;
	u64 star, lstar, cstar, fmask, kernel_gs, tsc_aux;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u8 vec[16][32];
	u64 mmx[8];
	bool halted;
	bool irq;
	u64 invlpg;
	unsigned int nr_journal;
	unsigned int nr_invd;
	unsigned int nr_nmi_unmask;
	/* Not cleared, so that the next guest finds what is not its own: */
	/* Device accesses in the order they were really done. */
	struct tdm_emul_io journal[GUEST_JOURNAL];
	/* The cache of decoded instructions, if the guest has one. */
	struct tdm_emul_line lines[TDM_EMUL_LINES];
};

/* The plain programs run with the cache of decoded instructions, others without. */
#ifdef GUEST_NO_CACHE
#define GUEST_CACHE	false
#else
#define GUEST_CACHE	true
#endif

void guest_init(struct guest *g);
void guest_region(struct guest *g, u64 base, u32 len, u32 flags, u8 *mem);
void guest_real_mode(struct guest *g);
void guest_flat(struct guest *g, enum tdm_cpu_mode mode, unsigned int cpl);
int guest_step(struct guest *g);
u64 guest_cpu_features(void);

#endif /* EMUL_GUEST_H */
