/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lib.h - what a bare-metal guest has: console, checks, descriptor tables,
 * the paging window, and the end of the machine.
 *
 * Output is compared line by line between the bare machine and a guest:
 *   PASS name: values / FAIL name: values / SKIP name: missing precondition
 * Print in values only what has to be the same on both; anything that may
 * differ (times, counts, APIC versions) goes into an info() line.
 */
#ifndef GUEST_LIB_H
#define GUEST_LIB_H

#include "exec.h"
#include "x86.h"

/* Each guest defines these two. */
extern const char guest_name[];
void guest_main(void);

/* console.c */
void putch(char c);
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* check.c */
void check(bool ok, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void skip(const char *name, const char *why);
void check_eq(const char *name, u64 got, u64 want);
/* Full exception check; see check.c. */
void check_exc(const char *name, const struct exec *x, const struct snip *s,
	       int vec, u64 err, u64 rip);
void check_done(const char *name, const struct exec *x, const struct snip *s);
void show_exc(bool ok, const char *name, const struct exec *x,
	      const struct snip *s);
void guest_exit(int status) __attribute__((noreturn));

/* expect.c */
void expect_fault(const char *name, struct snip s, int vec, u64 err);
void expect_trap(const char *name, struct snip s, int vec);
void expect_done(const char *name, struct snip s);
void expect_user_fault(const char *name, struct snip s, int vec, u64 err);
void expect_user_trap(const char *name, struct snip s, int vec);
void expect_user_done(const char *name, struct snip s);
void expect_compat_fault(const char *name, struct snip s, int vec, u64 err);
void expect_compat_trap(const char *name, struct snip s, int vec);

/* string.c */
void *memcpy(void *d, const void *s, u64 n);
void *memset(void *d, int c, u64 n);
int memcmp(const void *a, const void *b, u64 n);
u64 strlen(const char *s);

/* desc.c */
enum {
	DESC_DATA = 0x93, DESC_CODE = 0x9b, DESC_LDT = 0x82,
	DESC_TSS32 = 0x89, DESC_TSS64 = 0x89, DESC_TSS16 = 0x81,
	DESC_CALL16 = 0x84, DESC_TASKGATE = 0x85, DESC_CALL = 0x8c,
	DESC_INT = 0x8e, DESC_TRAP = 0x8f, DESC_INT16 = 0x86,
	DESC_DPL3 = 0x60, DESC_P = 0x80,
	/* flag bits, as in byte 6 */
	DESC_G = 0x80, DESC_D = 0x40, DESC_L = 0x20,
};

struct tss64 {
	u32 res0;
	u64 rsp[3];
	u64 ist[8]; /* ist[0]: reserved */
	u64 res1;
	u16 res2;
	u16 iomap;
} __attribute__((packed));

struct tss32 {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, iomap;
} __attribute__((packed));

extern u64 gdt[];
extern u64 idt[512];
extern u64 idt32[256];
extern u64 ldt[];
/* TSS plus a full I/O bitmap and the closing 0xff. */
extern struct tss64_io {
	struct tss64 t;
	u8 bitmap[8192];
	u8 end;
} __attribute__((packed)) tss;
extern struct tss32 tss32a, tss32b;
extern struct dtr gdt_ptr, idt_ptr, idt32_ptr, ivt_ptr;
extern char rsp0_stack_top[], ist_stack_top[], ist2_stack_top[];

u64 make_desc(u32 base, u32 limit, u8 access, u8 flags);
void set_gdt(u16 sel, u64 desc);
void set_idt(int vec, u64 handler, u16 sel, u8 type, u8 ist);
void set_idt_default(int vec);
void set_idt32(int vec, u32 handler, u16 sel, u8 type);
void set_idt32_default(int vec);
void set_ivt(int vec, u16 seg, u16 off);
void desc_init(void);
void load_tr(u16 sel);
void load_gdt(const struct dtr *d);
void load_idt(const struct dtr *d);

/* mem.c */
#define USER_ALIAS 0x40000000ul
#define WINDOW 0x80000000ul
#define WINDOW_PAGES 512
#define HIGH_ALIAS 0xffff800000000000ul
#define UALIAS(p) ((u64)(p) + USER_ALIAS)

extern u64 boot_pml4[], boot_pdpt[], boot_pd0[], boot_pd2[], window_pt[];
void *alloc_pages(u32 n);
void window_map(u32 page, u64 pa, u64 flags);
u64 window_addr(u32 page);
void mem_init(void);

/* cpu.c */
bool cpu_has(u32 leaf, u32 sub, int reg, int bit);
#define R_EAX 0
#define R_EBX 1
#define R_ECX 2
#define R_EDX 3
#define HAS_TSC cpu_has(1, 0, R_EDX, 4)
#define HAS_MTRR cpu_has(1, 0, R_EDX, 12)
#define HAS_PGE cpu_has(1, 0, R_EDX, 13)
#define HAS_PAT cpu_has(1, 0, R_EDX, 16)
#define HAS_PCID cpu_has(1, 0, R_ECX, 17)
#define HAS_X2APIC cpu_has(1, 0, R_ECX, 21)
#define HAS_TSC_DEADLINE cpu_has(1, 0, R_ECX, 24)
#define HAS_XSAVE cpu_has(1, 0, R_ECX, 26)
#define HAS_AVX cpu_has(1, 0, R_ECX, 28)
#define HAS_FSGSBASE cpu_has(7, 0, R_EBX, 0)
#define HAS_TSC_ADJUST cpu_has(7, 0, R_EBX, 1)
#define HAS_SMEP cpu_has(7, 0, R_EBX, 7)
#define HAS_INVPCID cpu_has(7, 0, R_EBX, 10)
#define HAS_SMAP cpu_has(7, 0, R_EBX, 20)
#define HAS_UMIP cpu_has(7, 0, R_ECX, 2)
#define HAS_PKU cpu_has(7, 0, R_ECX, 3)
#define HAS_LA57 cpu_has(7, 0, R_ECX, 16)
#define HAS_SYSCALL cpu_has(0x80000001, 0, R_EDX, 11)
#define HAS_NX cpu_has(0x80000001, 0, R_EDX, 20)
#define HAS_1G cpu_has(0x80000001, 0, R_EDX, 26)
#define HAS_RDTSCP cpu_has(0x80000001, 0, R_EDX, 27)
u64 virt_bits(void);
u64 phys_bits(void);

#endif
