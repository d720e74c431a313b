// SPDX-License-Identifier: GPL-2.0-only
/*
 * exec.c - C half of exec64() and exec_legacy(): default register states and
 * the common exception entry.
 *
 * exec64() and its state belong to the boot processor alone; hooks may run on
 * any. An exception that no hook takes and that hits outside a snippet is a
 * bug of the guest: it is printed and ends the machine.
 */
#include "lib.h"

#define ASSERT_OFF(field, off)						\
	_Static_assert(offsetof(struct exec, field) == (off), #field)
ASSERT_OFF(rax, X_RAX);
ASSERT_OFF(rsp, X_RSP);
ASSERT_OFF(r8, X_R8);
ASSERT_OFF(rip, X_RIP);
ASSERT_OFF(gs, X_GS);
ASSERT_OFF(vec, X_VEC);
ASSERT_OFF(hss, X_HSS);
ASSERT_OFF(mode, X_MODE);
ASSERT_OFF(gdtr, X_GDTR);
ASSERT_OFF(idtr, X_IDTR);
ASSERT_OFF(pre, X_PRE);

extern struct exec *exec_current;
extern u64 exec_host_rsp;
extern char exec64_done[];
extern struct exec low_exec;
void exec_legacy_asm(void);
void exc_dispatch(struct frame *f);

static exc_hook_t hooks[256];

void exc_set_hook(int vec, exc_hook_t hook)
{
	hooks[vec] = hook;
}

/* 64-bit ring 0, interrupts off. */
void exec_init(struct exec *x, const struct snip *s)
{
	memset(x, 0, sizeof(*x));
	x->rip = s->start;
	x->rsp = (u64)test_stack_top;
	x->rflags = FL_ONE;
	x->cs = SEL_K64;
	x->ss = SEL_KD;
	x->ds = SEL_KD;
	x->es = SEL_KD;
}

/* 64-bit ring 3, through the user alias of code and stack. */
void exec_user(struct exec *x, const struct snip *s)
{
	exec_init(x, s);
	x->rip = UALIAS(s->start);
	x->rsp = UALIAS(user_stack_top);
	x->cs = SEL_U64;
	x->ss = SEL_UD;
	x->ds = SEL_UD;
	x->es = SEL_UD;
}

/* Compatibility mode, ring 3. */
void exec_user32(struct exec *x, const struct snip *s)
{
	exec_user(x, s);
	x->cs = SEL_U32;
	x->fs = SEL_UD;
	x->gs = SEL_UD;
}

/* Compatibility mode, ring 0. */
void exec_compat(struct exec *x, const struct snip *s)
{
	exec_init(x, s);
	x->cs = SEL_K32;
}

/* 32-bit protected mode, ring 0, paging off. */
void exec_init_pm(struct exec *x, const struct snip *s)
{
	exec_init(x, s);
	x->mode = EXEC_PM;
	x->cs = SEL_K32;
	x->fs = SEL_KD;
	x->gs = SEL_KD;
	x->cr0 = CR0_PE | CR0_ET | CR0_NE;
	x->gdtr = gdt_ptr;
	x->idtr = idt32_ptr;
	x->tr = SEL_TSS32A;
}

/* Real mode; the snippet is SNIP16, its stack just below the code. */
void exec_init_real(struct exec *x, const struct snip *s)
{
	exec_init_pm(x, s);
	x->mode = EXEC_REAL;
	x->cs = 0;
	x->ss = 0;
	x->ds = 0;
	x->es = 0;
	x->fs = 0;
	x->gs = 0;
	x->rsp = 0x7f00;
	x->cr0 = CR0_ET | CR0_NE;
	x->idtr = ivt_ptr;
}

void exec_legacy(struct exec *x)
{
	u64 tsc_dr6;

	low_exec = *x;
	exec_legacy_asm();
	asm volatile("mov %%dr6, %0" : "=r"(tsc_dr6));
	*x = low_exec;
	x->cr2 = read_cr2();
	x->dr6 = tsc_dr6;
	load_tr(SEL_TSS64);
}

static u64 read_sel(int which)
{
	u16 v = 0;

	switch (which) {
	case 0:
		asm volatile("mov %%ds, %0" : "=r"(v));
		break;
	case 1:
		asm volatile("mov %%es, %0" : "=r"(v));
		break;
	case 2:
		asm volatile("mov %%fs, %0" : "=r"(v));
		break;
	case 3:
		asm volatile("mov %%gs, %0" : "=r"(v));
		break;
	case 4:
		asm volatile("mov %%ss, %0" : "=r"(v));
		break;
	}
	return v;
}

static void __attribute__((noreturn)) stray(const struct frame *f)
{
	printf("\nFAIL stray: vec=%lu err=%lx rip=%lx cs=%lx rflags=%lx rsp=%lx ss=%lx cr2=%lx\n",
	       f->vec, f->err, f->rip, f->cs, f->rflags, f->rsp, f->ss,
	       read_cr2());
	guest_exit(2);
}

void exc_dispatch(struct frame *f)
{
	struct exec *x = exec_current;

	if (hooks[f->vec & 0xff] && hooks[f->vec & 0xff](f))
		return;
	if (!x)
		stray(f);

	memcpy(x, f, X_RIP);
	x->rsp = f->rsp;
	x->rip = f->rip;
	x->rflags = f->rflags;
	x->cs = f->cs;
	x->ss = f->ss;
	x->ds = read_sel(0);
	x->es = read_sel(1);
	x->fs = read_sel(2);
	x->gs = read_sel(3);
	x->hss = read_sel(4);
	x->vec = f->vec;
	x->err = f->err;
	x->frame = (u64)(f->err == NO_ERR ? &f->rip : &f->err);
	x->cr2 = read_cr2();
	x->dr6 = read_dr6();

	exec_current = NULL;
	f->rip = (u64)exec64_done;
	f->cs = SEL_K64;
	f->ss = SEL_KD;
	f->rflags = FL_ONE;
	f->rsp = exec_host_rsp;
}
