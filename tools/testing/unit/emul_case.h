/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the emulator's hand-written tests share: a guest with 64 KiB of memory
 * at 0 and a device page behind it, code put where it is wanted, and checks
 * that say which line failed.
 */
#ifndef EMUL_CASE_H
#define EMUL_CASE_H

#include <asm/processor-flags.h>

#include "emul_guest.h"
#include "emul_ktap.h"

#define RAM_LEN		0x10000u
#define DEVICE		0x10000u	/* one page: MMIO */
#define READONLY	0x11000u	/* one page: writes fault */
#define HOLE		0x12000u	/* nothing */
#define CODE		0x1000u		/* where run() puts code, linear */
#define STACK		0x8000u

static struct guest g;
static u8 ram[RAM_LEN], readonly[4096];
static bool case_ok;

#define CHECK(cond) do {						\
	if (!(cond)) {							\
		printf("# line %d: %s\n", __LINE__, #cond);		\
		case_ok = false;					\
	}								\
} while (0)

#define CHECK_EQ(a, b) do {						\
	u64 a_ = (a), b_ = (b);						\
	if (a_ != b_) {							\
		printf("# line %d: %s is %llx, not %llx\n", __LINE__, #a, a_, b_); \
		case_ok = false;					\
	}								\
} while (0)

#define GPR(reg)	(g.regs.gpr[TDM_ ## reg])
#define FLAGS		(g.regs.rflags)
#define RIP		(g.regs.rip)

/* Put code at CODE and point RIP (with CS base 0) at it. */
#define CODE_AT(...) do {						\
	static const u8 code_[] = { __VA_ARGS__ };			\
	memcpy(ram + CODE, code_, sizeof(code_));			\
	RIP = CODE;							\
} while (0)

/* Execute one instruction given as bytes; value: the step's result. */
#define RUN(...) ({ CODE_AT(__VA_ARGS__); guest_step(&g); })

static inline u64 peek(unsigned int addr, unsigned int size)
{
	u64 v = 0;

	memcpy(&v, ram + addr, size);
	return v;
}

static inline void poke(unsigned int addr, u64 v, unsigned int size)
{
	memcpy(ram + addr, &v, size);
}

/* A fault with this vector and error code. */
static inline bool faulted(int rc, unsigned int vector, u32 error)
{
	return rc == TDM_EMUL_FAULT && g.c.event.vector == vector &&
	       g.c.event.error == error && g.c.event.type == TDM_EMUL_EXC;
}

static inline void fresh(void)
{
	memset(ram, 0, sizeof(ram));
	memset(readonly, 0, sizeof(readonly));
	guest_init(&g);
	guest_region(&g, 0, RAM_LEN, 0, ram);
	guest_region(&g, DEVICE, 4096, REGION_DEVICE, NULL);
	guest_region(&g, READONLY, 4096, REGION_READONLY, readonly);
	GPR(RSP) = STACK;
	case_ok = true;
}

static inline void fresh_real(void)
{
	fresh();
	guest_real_mode(&g);
}

static inline void fresh_flat(enum tdm_cpu_mode mode, unsigned int cpl)
{
	fresh();
	guest_flat(&g, mode, cpl);
}

/* A test case and its name. */
struct emul_case {
	const char *name;
	void (*fn)(void);
};

static inline int run_cases(const struct emul_case *cases, unsigned int n)
{
	unsigned int i;

	ktap_start(n);
	for (i = 0; i < n; i++) {
		case_ok = true;
		cases[i].fn();
		ktap_result(case_ok, "%s", cases[i].name);
	}
	return ktap_end();
}

#endif /* EMUL_CASE_H */
