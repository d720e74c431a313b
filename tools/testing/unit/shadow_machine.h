/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine for testing shadow paging in userspace: the MMU's own code on the
 * shim, between a model of the guest and the host above it and a model of the
 * processor below.
 *
 *  shadow_host.c	host pages with contents, faults, notifiers, memslots
 *  shadow_ref.c	what guest memory should say, and the reference: a plain
 *			walker, and which translations a TLB may still hold
 *  shadow_cpu.c	vCPUs: the walker of the shadow tables, a TLB, accesses
 *			with all the exits they take, instructions
 *  shadow_bt.c		what the BT engine does with the MMU: a monitor in every
 *			root, code that was translated
 *  shadow_ops.c	random operations, from a generator or a fuzzer's bytes
 *
 * A broken rule ends in m_fail(), which notes the first one; the caller looks at
 * m.broken. There is one machine, m.
 */
#ifndef SHADOW_MACHINE_H
#define SHADOW_MACHINE_H

#include "shadow_mmu/internal.h"

/* ---- sizes ---- */
#define M_HVA0		0x7e0000000000ul	/* never dereferenced */
#define M_HVAS		2304u			/* host pages the slots can show */
#define M_SLOTS		6u
#define M_VCPUS		3u
#define M_TABLES	40u			/* guest tables are in gfns 0 to 39 */
#define M_PCIDS		12u
#define M_TLB		64u
#define M_INVLPGS	16u
#define M_TRIES		24u
#define M_CODE		48u	/* code pages looked after */

#define P_P		(1ull << 0)
#define P_W		(1ull << 1)
#define P_U		(1ull << 2)
#define P_A		(1ull << 5)
#define P_D		(1ull << 6)
#define P_PS		(1ull << 7)
#define P_G		(1ull << 8)
#define P_XD		(1ull << 63)
#define P_ADDR		0x000ffffffffff000ull

enum m_mode { M_OFF, M_32, M_PAE, M_64, M_NR_MODES };

/** struct m_slot - a memslot as the caller made it; each id has its own hvas */
struct m_slot {
	bool used;
	u64 base, npages;
	unsigned int hva;		/* index of its first host page */
	u32 flags;
};

/** struct m_host_page - what the host's page tables say of an hva */
struct m_host_page {
	u64 pfn;
	bool present, rw, dirty;
	u8 level;
};

/** struct m_tlb - a translation the processor holds */
struct m_tlb {
	bool valid, w, u, x, d;
	u8 pkey;
	u64 vpn, pfn;
};

struct m_invlpg {
	u64 gva, time;
	u16 pcid;
	bool any_pcid;			/* INVLPG: global pages of all PCIDs too */
};

/**
 * struct m_vcpu - a vCPU
 * @flushed: when translations of a PCID were last flushed
 * @gflushed: when global ones were
 * @pdpte: hardware's PDPTE registers
 * @stale: must be entered (requests, PDPTEs) before it runs
 * @tlb_gen: of the MMU, at the last entry
 * @mon: the monitor's table, NULL = no monitor
 * @mon_page: what it maps at the slot's first address, for supervisors to read
 * @look: the guest flushed: translated code is to be looked at, ...
 * @look_gva: ... all of it (~0), or what is in this page
 * @told: mmu.code_gen when the engine was last told that the root or code changed
 * @due: what it must have been told at the next entry
 * @told_root: the PML4 it was told of then
 * @must_tell: it must be told of another before the next entry
 */
struct m_vcpu {
	struct tdm_vcpu v;
	struct tdm_engine_ops ops;
	struct m_tlb tlb[M_TLB];
	u64 flushed[M_PCIDS], gflushed;
	struct m_invlpg invlpg[M_INVLPGS];
	unsigned int nr_invlpg;
	u64 pdpte[4];
	u64 tlb_gen;
	bool stale;
	u32 pkru;
	u64 *mon;
	u64 mon_page;
	bool look;
	u64 look_gva;
	u64 told, due;
	u64 told_root[512];
	bool must_tell;
};

/**
 * struct m_code - a page of code as the translator knows it
 * @gen: mmu.code_gen from before it was found; 0: free
 * @gva: where
 * @gpa: what was there
 * @root: the PML4's entry above
 * @smep: CR4.SMEP
 */
struct m_code {
	u64 gen;
	u64 gva, gpa, root;
	bool smep;
};

/* Rules that differ between tests. */
struct m_rules {
	bool keep_tlb;		/* exits leave the TLB alone, as with the BT engine */
	bool host_acts;		/* the host swaps, migrates, collapses, ... */
	bool few_pages;		/* the caller's bound on table pages is small */
	bool no_slots;		/* memslots stay as they are */
	bool slots_first;	/* and there are some before the first vCPU */
	bool bt;		/* vCPUs have monitors, and code is translated */
	u8 modes;		/* BIT(enum m_mode) allowed */
};

enum m_count {
	M_C_ACCESSES, M_C_OK, M_C_STALE, M_C_FAULTS, M_C_MMIO, M_C_EMULATED,
	M_C_TRACED, M_C_DIRECT_TABLE, M_C_EXITS, M_C_FAST, M_C_ERRORS, M_C_HOST,
	M_C_FLUSHES, M_C_MODES, M_C_CODE, M_C_CODE_PAGES, M_C_CODE_LOOKS, M_C_MOVES,
	M_C_MONITOR, M_NR_COUNTS
};

struct m_node;

struct machine {
	struct tdm_vm vm;
	struct m_vcpu cpu[M_VCPUS];
	unsigned int nr_cpus;
	struct m_rules rules;
	struct m_slot slot[M_SLOTS];
	struct m_host_page host[M_HVAS];
	u64 host_pte[M_HVAS];
	bool written[M_HVAS];		/* since the log was last fetched */
	bool used[M_HVAS];		/* ever non-zero: worth comparing */
	u16 code[M_HVAS];		/* holders of a code trace */
	struct m_code code_page[M_CODE];
	u64 reported[M_HVAS];		/* op in which code_written named it */
	u64 op;				/* counts what the guest and the emulator do */
	unsigned int invalidating;	/* invalidations in progress */
	u8 maxphyaddr;
	bool pse36, page_1g;
	u64 now;			/* counts stores and flushes */
	u64 count[M_NR_COUNTS];
	unsigned int fail;		/* shim_fail while the operations run */
	const char *broken;
	char detail[256];
	bool verbose;
};

extern struct machine m;

__attribute__((format(printf, 2, 3)))
void m_fail(const char *what, const char *fmt, ...);
#define m_must(ok, what, ...) do { if (!(ok)) m_fail(what, ##__VA_ARGS__); } while (0)
#define m_log(fmt, ...) do { if (m.verbose) fprintf(stderr, fmt "\n", ##__VA_ARGS__); } while (0)

/* ---- dice: where random choices come from ---- */
struct dice {
	u64 rng;
	const u8 *data;		/* NULL: the generator */
	size_t len, pos;
};
extern struct dice dice;
u32 pick(u32 n);		/* 0 to n - 1 */
u64 pick64(void);
bool one_in(u32 n);
bool dice_done(void);

/* ---- shadow_host.c ---- */
void m_host_reset(void);
unsigned long m_hva(unsigned int i);
u8 *m_frame(u64 pfn);
int m_frame_owner(u64 pfn);			/* host page, or -1 */
void m_populate(unsigned int i, bool write, bool large);
void m_invalidate(unsigned int from, unsigned int to, bool only_protect);
void m_collapse(unsigned int block);
void m_split(unsigned int block);
void m_compare_all(void);
struct m_slot *m_slot_at(u64 gfn);
int m_page_at(u64 gfn);				/* host page behind a gfn, or -1 */
u64 m_gfn_of(unsigned int i);			/* gfn a host page is shown at, or ~0 */
int m_set_slot(unsigned int id, u64 base, u64 npages, u32 flags);
void m_notify(unsigned int from, unsigned int to, bool start);
void m_get_log(unsigned int id);

/* ---- shadow_ref.c ---- */
#define REF_ALL_ONES	(~0ull)

/** struct ref_regs - what the reference translates with */
struct ref_regs {
	enum m_mode mode;
	bool pse, pse36, page_1g, nx, wp, smep, smap, ac, pke;
	u8 maxphyaddr;
	u64 cr3;
	u64 pdpte[4];
	u32 pkru;
};

/** struct ref_walk - what comes of an access with the tables as they are */
struct ref_walk {
	bool ok;
	u32 error;
	u64 gpa;
	unsigned int nr, shift;
	u64 entry_gpa[4];
	u64 entry[4];
	unsigned int esize;
};

void ref_reset(void);
void ref_regs_of(struct m_vcpu *c, struct ref_regs *r);
void ref_translate(const struct ref_regs *r, u64 gva, u32 access, struct ref_walk *w);
bool ref_may_be_cached(struct m_vcpu *c, const struct ref_regs *r, u64 gva,
		       u32 access, u64 gpa);
u64 ref_read(unsigned int page, unsigned int off);	/* 8 aligned bytes as they should be */
void ref_store(u64 gpa, const void *data, unsigned int len);
void ref_absorb(const struct ref_walk *w, u32 access, bool must);
void ref_untouched(const struct ref_walk *w);
void ref_forget(void);
bool ref_is_full(void);
u64 ref_table_entry(u64 gpa);			/* 8 bytes of a table, ~0 where no memory is */

/* ---- shadow_cpu.c ---- */
enum m_outcome { O_OK, O_FAULT, O_MMIO, O_ERROR };

void m_start(unsigned int nr_cpus, const struct m_rules *rules);
void m_end(void);
void m_check(void);
int m_enter(struct m_vcpu *c);
void m_leave(struct m_vcpu *c);
/* One access by an instruction of the guest; for a write @data is stored. */
enum m_outcome m_access(struct m_vcpu *c, u64 gva, u32 access, void *data, unsigned int len);
void m_emulated_write(struct m_vcpu *c, u64 gpa, const void *data, unsigned int len);
int m_mov_cr0(struct m_vcpu *c, u64 val);
int m_mov_cr3(struct m_vcpu *c, u64 val);
int m_mov_cr4(struct m_vcpu *c, u64 val);
int m_wrmsr_efer(struct m_vcpu *c, u64 val);
void m_invlpg(struct m_vcpu *c, u64 gva);
void m_invpcid(struct m_vcpu *c, unsigned int type, unsigned int pcid, u64 gva);
void m_set_mode(struct m_vcpu *c, enum m_mode mode, u64 root, u64 cr4, bool nx);
void m_flush_all(void);
void m_tlb_drop(struct m_vcpu *c);
u64 m_stat(enum tdm_vcpu_stat stat);		/* of all vCPUs */
#define m_vmstat(id) atomic64_read(&m.vm.stat[TDM_VMSTAT_##id])

/* ---- shadow_bt.c ---- */
void m_bt_start(struct m_vcpu *c);
void m_bt_end(struct m_vcpu *c);
void m_bt_entered(struct m_vcpu *c);		/* the root is current: is all as it must be? */
bool m_bt_settled(struct m_vcpu *c);		/* false: the monitor has moved, enter again */
bool m_bt_meets_monitor(struct m_vcpu *c, u64 gva, u32 access, u64 pfn);
void m_bt_flushed(struct m_vcpu *c, u64 gva);	/* ~0: everything */
void m_bt_tell(struct m_vcpu *c);
void m_bt_code_page(struct m_vcpu *c, u64 gva);

/* ---- shadow_ops.c ---- */
void m_lay_out_slots(void);
void m_lay_out_tables(void);
void m_random_mode(struct m_vcpu *c);
void m_random_op(void);

#endif /* SHADOW_MACHINE_H */
