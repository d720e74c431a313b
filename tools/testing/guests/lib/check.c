// SPDX-License-Identifier: GPL-2.0-only
/*
 * check.c - results of checks, and the end of the machine.
 *
 * A check prints what it observed whether it passed or not, so that two
 * machines that both pass can still be told apart.
 */
#include <stdarg.h>
#include "lib.h"

void console_init(void);
void console_drain(void);
void print_line(const char *head, const char *name, const char *fmt,
		va_list *ap);
void guest_start(void);

#define ISA_DEBUG_EXIT 0xf4
#define BOCHS_SHUTDOWN 0x8900

static u32 passed, failed, skipped;

void check(bool ok, const char *name, const char *fmt, ...)
{
	va_list ap;

	__atomic_fetch_add(ok ? &passed : &failed, 1, __ATOMIC_RELAXED);
	va_start(ap, fmt);
	print_line(ok ? "PASS" : "FAIL", name, fmt, &ap);
	va_end(ap);
}

void skip(const char *name, const char *why)
{
	skipped++;
	printf("SKIP %s: %s\n", name, why);
}

void check_eq(const char *name, u64 got, u64 want)
{
	if (got == want)
		check(true, name, "%lx", got);
	else
		check(false, name, "%lx, not %lx", got, want);
}

static const char *const vec_names[] = {
	"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",
	"#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
	"#VE", "#CP",
};

static u64 unalias(u64 rip)
{
	return rip >= USER_ALIAS && rip < 2 * USER_ALIAS ? rip - USER_ALIAS :
							   rip;
}

static const char *where(const struct snip *s, u64 rip)
{
	rip = unalias(rip);
	if (rip == (u64)exec64_iretq)
		return "iretq";
	if (!s)
		return NULL;
	if (rip == s->at)
		return "at";
	if (rip == s->after)
		return "after";
	if (rip == s->end + 2)
		return "done";
	if (rip == s->end)
		return "end";
	if (rip == s->start)
		return "start";
	return NULL;
}

/* One line that holds everything an exception recorded. */
void show_exc(bool ok, const char *name, const struct exec *x,
	      const struct snip *s)
{
	const char *w = where(s, x->rip);
	u64 dr6 = x->vec == EXC_DB ? x->dr6 : 0;
	u64 cr2 = x->vec == EXC_PF ? x->cr2 : 0;
	const char *v = x->vec < ARRAY_SIZE(vec_names) ? vec_names[x->vec] :
							 "int";

	if (x->err != NO_ERR && w)
		check(ok, name, "%s(%lx) %lx rip=%s cs=%lx ss=%lx fl=%lx rsp=%lx cr2=%lx dr6=%lx",
		      v, x->err, x->vec, w, x->cs, x->ss, x->rflags, x->rsp,
		      cr2, dr6);
	else if (x->err != NO_ERR)
		check(ok, name, "%s(%lx) %lx rip=%lx cs=%lx ss=%lx fl=%lx rsp=%lx cr2=%lx dr6=%lx",
		      v, x->err, x->vec, x->rip, x->cs, x->ss, x->rflags,
		      x->rsp, cr2, dr6);
	else if (w)
		check(ok, name, "%s %lx rip=%s cs=%lx ss=%lx fl=%lx rsp=%lx cr2=%lx dr6=%lx",
		      v, x->vec, w, x->cs, x->ss, x->rflags, x->rsp, cr2, dr6);
	else
		check(ok, name, "%s %lx rip=%lx cs=%lx ss=%lx fl=%lx rsp=%lx cr2=%lx dr6=%lx",
		      v, x->vec, x->rip, x->cs, x->ss, x->rflags, x->rsp, cr2,
		      dr6);
}

/**
 * check_exc() - the snippet ended in exactly this exception
 * @rip: expected return address, without the user alias
 *
 * The pushed RFLAGS, RSP, CS and SS are printed, hence compared with the bare
 * machine, but judged only by the checks that are about them.
 */
void check_exc(const char *name, const struct exec *x, const struct snip *s,
	       int vec, u64 err, u64 rip)
{
	show_exc(x->vec == (u64)vec && x->err == err && unalias(x->rip) == rip,
		 name, x, s);
}

/* The snippet ran to its end. */
void check_done(const char *name, const struct exec *x, const struct snip *s)
{
	show_exc(x->vec == VEC_DONE && unalias(x->rip) == s->end + 2, name, x,
		 s);
}

void guest_exit(int status)
{
	const char *p;

	info("%s: %u passed, %u failed, %u skipped", guest_name, passed, failed,
	     skipped);
	printf("EXIT %d\n", status);
	console_drain();
	outl(ISA_DEBUG_EXIT, status);
	for (p = "Shutdown"; *p; p++)
		outb(BOCHS_SHUTDOWN, *p);
	for (;;)
		asm volatile("cli; hlt");
}

void guest_start(void)
{
	console_init();
	info("guest %s", guest_name);
	desc_init();
	mem_init();
	guest_main();
	guest_exit(failed ? 1 : 0);
}
