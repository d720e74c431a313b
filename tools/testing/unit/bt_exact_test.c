// SPDX-License-Identifier: GPL-2.0-only
/*
 * The translator against the processor: random guest code is run as it is and
 * translated, both in single steps. At every host instruction of the fragment
 * the guest's state is made from the fragment's records; it must be a state of
 * the untranslated run, and these must come in order. Faults must be the same.
 *
 * What cannot run here is modelled (CLI, STI, SWAPGS, ...) or, for callouts,
 * replaced by something made up that both runs do.
 *
 * usage: bt_exact_test [-n TUS] [-s SEED] [-v]
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/x86/insn-zydis.h"
#include "bt/classify.h"
#include "bt_form.h"
#include "bt_gen.h"
#include "bt_sandbox.h"
#include "emul_ktap.h"

#define MEM_LEN		0x3000u
#define CODE_LEN	0x2000u
#define MAX_TRACE	160
#define FLAGS		0x244cd5u	/* CF PF AF ZF SF DF OF NT AC ID */
#define AC		0x40000u
#define NT		0x4000u
#define POPF_USUAL	0x8effull
#define IRET_USUAL	(POPF_USUAL | 0x10000)
#define GUEST_CS	0x10
#define GUEST_SS	0x18
#define FRAGMENT	(SAND_TC + 0x1000)
#define CONT(i)		(SAND_TC + 0x4000 + 6 * (i))
#define LANDING		(SAND_TC + 0x5000)
#define STUB		(SAND_TC + 0x5040)
#define TU		0x1234u

/* Where code and data are: below 2 GiB, and where 32 bits do not reach. */
static const struct place {
	const char *name;
	u64 code;
	u64 mem;
} places[] = {
	{ "low addresses", 0x10000000, 0x20000000 },
	{ "high addresses", 0x600000000000, 0x600000100000 },
};

/* The guest, at an instruction boundary. */
struct gstate {
	struct tdm_regs regs;
	u64 vif;
	u64 kgs;
	u64 gs;
	u8 mem[MEM_LEN];
};

static struct gstate trace[MAX_TRACE + 1], now;
static unsigned int nr_trace;
static struct sand_cpu end;	/* how the untranslated run ended: trapno, cr2, error */
static struct tdm_bt_tr tr, common;
static const struct place *place;
static const char *why;
static unsigned int mode = TDM_MODE_LONG64;
static bool verbose, lookup_hit, ended_by_branch, iret_bad, at_iret;

static struct {
	unsigned long tus, insns, host, faults, callouts, window, hits, misses, skipped, irets;
} count;

static u64 kgs_now, vif_now;	/* of the untranslated run */
/* PUSHF shows IF, POPF changes it: the virtual one. */
static u64 popf_image;
static bool was_pushf, was_popf, was_branch;
static u64 stepped_from;

static void fail(const char *what)
{
	if (!why)
		why = what;
}

static bool in_mem(u64 addr, unsigned int len)
{
	return addr >= place->mem && addr - place->mem <= MEM_LEN - len;
}

/* ---- the untranslated run ---- */

static bool take_trace(const struct sand_cpu *cpu)
{
	struct gstate *s = &trace[nr_trace];

	if (nr_trace == MAX_TRACE)
		return false;
	s->regs = cpu->regs;
	s->vif = vif_now;
	s->kgs = kgs_now;
	s->gs = sand_gs();
	memcpy(s->mem, (void *)place->mem, MEM_LEN);
	nr_trace++;
	return true;
}

/* What both runs do for a callout. */
static void made_up(struct sand_cpu *cpu, unsigned int len)
{
	cpu->regs.gpr[TDM_RAX] ^= cpu->regs.rip * 0x9e3779b97f4a7c15;
	cpu->regs.rip += len;
}

static u64 *cr_field(unsigned int cr)
{
	struct tdm_bt_state *s = SAND_STATE;

	return (u64 *)(cr == 0 ? &s->cr0 : cr == 2 ? &s->cr2 : cr == 3 ? &s->cr3 : &s->cr4);
}

static bool popf_unusual(const struct sand_cpu *cpu)
{
	u64 rsp = cpu->regs.gpr[TDM_RSP];

	/* With AC set, what is not aligned faults here, though not at CPL 1. */
	if ((cpu->regs.rflags & AC) && (rsp & 7))
		return false;
	return in_mem(rsp, 8) && (*(u64 *)rsp & ~POPF_USUAL);
}

static void read_selector(struct sand_cpu *cpu, const struct tdm_insn *insn)
{
	u64 *reg = &cpu->regs.gpr[insn->opnd[0].reg];
	u64 sel = insn->opnd[1].reg == TDM_SEG_CS ? GUEST_CS : GUEST_SS;

	if (insn->opsize == 2)
		*(u16 *)reg = sel;
	else
		*reg = sel;
	cpu->regs.rip += insn->len;
}

/* An IRETQ that translated code does alone: the guest's next state. */
static bool iret_same(struct sand_cpu *cpu)
{
	u64 rsp = cpu->regs.gpr[TDM_RSP];
	const u64 *frame = (u64 *)rsp;

	if (!in_mem(rsp, 40) || frame[1] != GUEST_CS || frame[4] != GUEST_SS ||
	    (frame[2] & ~IRET_USUAL) || (cpu->regs.rflags & NT) || iret_bad ||
	    (s64)(frame[0] << 16) >> 16 != (s64)frame[0])
		return false;
	vif_now = frame[2] & TDM_BT_IF;
	cpu->regs.rip = frame[0];
	cpu->regs.rflags = (cpu->regs.rflags & ~(u64)FLAGS) | (frame[2] & FLAGS);
	cpu->regs.gpr[TDM_RSP] = frame[3];
	count.irets++;
	return true;
}

/* Execute what must not run natively. */
static bool model(struct sand_cpu *cpu, const struct tdm_insn *insn,
		  struct tdm_bt_verdict v, bool *stop)
{
	u64 gs;

	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_CLI:
	case ZYDIS_MNEMONIC_STI:
		vif_now = insn->mnemonic == ZYDIS_MNEMONIC_STI ? TDM_BT_IF : 0;
		cpu->regs.rip += insn->len;
		return true;
	case ZYDIS_MNEMONIC_STAC:
		cpu->regs.rflags |= AC;
		cpu->regs.rip += insn->len;
		return true;
	case ZYDIS_MNEMONIC_CLAC:
		cpu->regs.rflags &= ~(u64)AC;
		cpu->regs.rip += insn->len;
		return true;
	case ZYDIS_MNEMONIC_SWAPGS:
		gs = sand_gs();
		sand_set_gs(kgs_now);
		kgs_now = gs;
		cpu->regs.rip += insn->len;
		return true;
	case ZYDIS_MNEMONIC_POPFQ:
		if (!popf_unusual(cpu))
			return false;
		made_up(cpu, insn->len);
		return true;
	}
	if (v.cls == TDM_BTC_CR_READ) {
		cpu->regs.gpr[insn->opnd[0].reg] = *cr_field(insn->opnd[1].reg);
		cpu->regs.rip += insn->len;
		return true;
	}
	if (v.cls == TDM_BTC_SREG_READ) {
		read_selector(cpu, insn);
		return true;
	}
	at_iret = v.cls == TDM_BTC_IRET;
	if (at_iret && iret_same(cpu)) {
		was_branch = true;
		return true;
	}
	*stop = v.cls == TDM_BTC_STOP || v.cls == TDM_BTC_IRET;
	if (v.cls == TDM_BTC_CALLOUT)
		made_up(cpu, insn->len);
	return *stop || v.cls == TDM_BTC_CALLOUT;
}

static void after_native(struct sand_cpu *cpu)
{
	u64 rsp = cpu->regs.gpr[TDM_RSP];

	if (was_pushf)
		*(u8 *)(rsp + 1) = (*(u8 *)(rsp + 1) & ~2) | vif_now >> 8;
	if (was_popf)
		vif_now = popf_image & TDM_BT_IF;
}

static bool native_step(struct sand_cpu *cpu, void *arg)
{
	static struct tdm_insn insn;
	static struct tdm_insn_work work;
	struct tdm_bt_verdict v;
	bool stop;

	(void)arg;
	if (cpu->trapno != SAND_TRAP_DB) {
		end = *cpu;
		return false;
	}
	if (nr_trace)
		after_native(cpu);
	for (;;) {
		if (!take_trace(cpu))
			return false;
		if (was_branch || cpu->regs.rip - tr.rip >= tr.guest_len)
			break;
		if (tdm_insn_decode(&insn, &work, (u8 *)cpu->regs.rip, 15, mode))
			break;
		v = tdm_bt_classify(&insn, &work);
		was_pushf = was_popf = false;
		stop = false;
		if (model(cpu, &insn, v, &stop)) {
			if (stop)
				break;
			continue;
		}
		stepped_from = cpu->regs.rip;
		was_pushf = insn.mnemonic == ZYDIS_MNEMONIC_PUSHFQ ||
			    insn.mnemonic == ZYDIS_MNEMONIC_PUSHF;
		was_popf = insn.mnemonic == ZYDIS_MNEMONIC_POPFQ ||
			   insn.mnemonic == ZYDIS_MNEMONIC_POPF;
		if (was_popf && in_mem(cpu->regs.gpr[TDM_RSP], 8))
			popf_image = *(u64 *)cpu->regs.gpr[TDM_RSP];
		was_branch = v.cls >= TDM_BTC_JMP && v.cls <= TDM_BTC_CALL_IND;
		return true;
	}
	end = *cpu;
	ended_by_branch = was_branch;
	return false;
}

/* ---- the translated run ---- */

static unsigned int cur;	/* the fragment is in trace[cur] */
static unsigned int last_insn;

static const struct tdm_bt_rec *find_rec(const struct tdm_bt_tr *t, u64 va)
{
	const struct tdm_bt_rec *rec = NULL;
	unsigned int i;

	for (i = 0; i < t->nr_recs && t->recs[i].hoff <= va - t->va; i++)
		rec = &t->recs[i];
	return rec;
}

/* The guest's state by the record: what the engine does. */
static void reconstruct(const struct sand_cpu *cpu, const struct tdm_bt_rec *rec)
{
	const struct tdm_bt_state *s = SAND_STATE;
	unsigned int i;

	now.regs = cpu->regs;
	for (i = 0; i < TDM_NR_GPRS; i++)
		if (rec->restore & 1u << i)
			now.regs.gpr[i] = s->spill[i];
	now.vif = s->vif;
	now.kgs = rec->flags & TDM_REC_F_KGS ? s->ind_tc : s->kernel_gs;
	now.gs = sand_gs();
	if (rec->flags & TDM_REC_F_FLAGS) {
		bool after = rec->kind != TDM_REC_BEFORE;
		u64 mask = after ? TDM_REC_FLAGS_AFTER : TDM_REC_FLAGS_BEFORE;

		now.regs.rflags = (cpu->regs.rflags & ~mask) | (s->flags[after] & mask);
	}
	switch (rec->kind) {
	case TDM_REC_BEFORE:
		now.regs.rip = tr.rip + rec->goff;
		break;
	case TDM_REC_AFTER:
		now.regs.rip = tr.rip + rec->goff + rec->glen;
		break;
	case TDM_REC_TAKEN:
		now.regs.rip = tr.links[0].target;
		break;
	default:
		now.regs.rip = s->ind_rip;
	}
}

static const char *difference(const struct gstate *s)
{
	static char msg[64];
	unsigned int i;

	for (i = 0; i < TDM_NR_GPRS; i++)
		if (now.regs.gpr[i] != s->regs.gpr[i]) {
			snprintf(msg, sizeof(msg), "gpr %u", i);
			return msg;
		}
	if (now.regs.rip != s->regs.rip)
		return "rip";
	if ((now.regs.rflags ^ s->regs.rflags) & FLAGS)
		return "flags";
	if (now.vif != s->vif)
		return "vif";
	if (now.kgs != s->kgs || now.gs != s->gs)
		return "gs bases";
	if (memcmp((void *)place->mem, s->mem, MEM_LEN))
		return "memory";
	return NULL;
}

/* now must be the state the guest is in, or the next one. */
static bool follow(void)
{
	if (!difference(&trace[cur]))
		return true;
	if (cur + 1 < nr_trace && !difference(&trace[cur + 1])) {
		cur++;
		return true;
	}
	printf("# not state %u: %s\n", cur, difference(&trace[cur]));
	if (cur + 1 < nr_trace)
		printf("# nor state %u: %s\n", cur + 1, difference(&trace[cur + 1]));
	fail("not a state of the guest");
	return false;
}

/* The monitor did the instruction: the guest is in the next state. */
static bool advance(struct sand_cpu *cpu)
{
	const struct gstate *s = &trace[++cur];
	struct tdm_bt_state *state = SAND_STATE;

	if (cur >= nr_trace)
		return false;
	memcpy(cpu->regs.gpr, s->regs.gpr, sizeof(cpu->regs.gpr));
	cpu->regs.rflags = s->regs.rflags;
	memcpy((void *)place->mem, s->mem, MEM_LEN);
	state->vif = s->vif;
	state->kernel_gs = s->kgs;
	sand_set_gs(s->gs);
	return true;
}

/* Fragment address of guest instruction @n; 0: not in it. */
static u64 tc_of(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < tr.nr_recs; i++)
		if (tr.recs[i].insn == n)
			return tr.va + tr.recs[i].hoff;
	return 0;
}

static void at_end(void)
{
	/* A jump to itself changes nothing. */
	if (cur + 1 < nr_trace && !difference(&trace[cur + 1]))
		cur++;
	if (cur != nr_trace - 1)
		fail("the fragment ends too early");
}

/* An instruction of the fragment faulted. */
static bool fragment_fault(struct sand_cpu *cpu, const struct tdm_bt_rec *rec)
{
	bool sti = cpu->trapno == 14 && (cpu->cr2 & ~4095ull) == SAND_BASE + TDM_BT_STI;
	u64 next;

	if (sti) {
		count.window++;
		if (rec->kind != TDM_REC_BEFORE)
			fail("window fault is not before the instruction");
		next = tc_of(rec->insn + 1);
		if (!advance(cpu) || !next) {
			at_end();
			return false;
		}
		cpu->regs.rip = next;
		return true;
	}
	count.faults++;
	at_end();
	/* IRETQ does not run natively, so neither does what it reads. */
	if (at_iret && rec->op == TDM_BT_OP_IRET)
		return false;
	if (end.trapno == SAND_TRAP_DB)
		fail("fault in the translated run only");
	else if (end.trapno != cpu->trapno || end.error != cpu->error ||
		 (cpu->trapno == 14 && end.cr2 != cpu->cr2))
		fail("another fault");
	return false;
}

static bool callout(struct sand_cpu *cpu, const struct tdm_bt_rec *rec)
{
	u32 id;

	count.callouts++;
	memcpy(&id, (u8 *)cpu->regs.rip + 2, 4);
	if (id != TDM_BT_ID(TU, rec->insn))
		fail("id of a callout");
	if (rec->kind != TDM_REC_BEFORE || rec->restore || rec->op == TDM_BT_OP_NONE)
		fail("record of a callout");
	cpu->regs.rip += 6;
	if (cur + 1 >= nr_trace) {
		/* It ends the TU, or the interpreter would meet the fault. */
		return false;
	}
	return advance(cpu) && cpu->regs.rip < tr.va + tr.out_len;
}

/* Outside of the fragment: continuations, a stub, common code, the landing place. */
static bool outside(struct sand_cpu *cpu)
{
	static const struct tdm_bt_rec indirect = { .kind = TDM_REC_INDIRECT };
	static const struct tdm_bt_rec stub = {
		.kind = TDM_REC_INDIRECT, .restore = TDM_BT_STUB_RESTORE,
	};
	unsigned int i;
	u32 id;

	if (cpu->regs.rip - STUB < TDM_BT_STUB_MAX) {
		reconstruct(cpu, &stub);
		return follow();
	} else if (cpu->regs.rip - common.va < common.out_len) {
		reconstruct(cpu, find_rec(&common, cpu->regs.rip));
		if (!follow())
			return false;
		if (*(u8 *)cpu->regs.rip != 0xcd)
			return true;
		memcpy(&id, (u8 *)cpu->regs.rip + 2, 4);
		if (id != TDM_BT_ID(TDM_BT_ID_COMMON, TDM_BT_WHAT_MISS))
			fail("id of a miss");
		if (lookup_hit)
			fail("lookup missed");
		count.misses++;
	} else if (cpu->regs.rip == LANDING) {
		reconstruct(cpu, &indirect);
		follow();
		if (!lookup_hit)
			fail("lookup hit");
		count.hits++;
	} else {
		for (i = 0; i < tr.nr_links && cpu->regs.rip != CONT(i); i++)
			;
		if (i == tr.nr_links) {
			fail("left the fragment");
			return false;
		}
		reconstruct(cpu, &indirect);
		now.regs.rip = tr.links[i].target;
		follow();
	}
	at_end();
	return false;
}

/* A branch to a non-canonical address can be undone. */
static void check_undo(const struct tdm_bt_rec *rec)
{
	u64 rsp = now.regs.gpr[TDM_RSP];

	/* Looks before it leaps. */
	if (rec->op == TDM_BT_OP_IRET)
		return;
	if (rec->op == TDM_BT_OP_RET)
		rsp -= 8 + rec->imm;
	else if (rec->op == TDM_BT_OP_CALL_IND)
		rsp += 8;
	else if (rec->op != TDM_BT_OP_JMP_IND)
		fail("op of an indirect branch");
	if (cur && rsp != trace[cur - 1].regs.gpr[TDM_RSP])
		fail("indirect branch cannot be undone");
}

static bool fragment_step(struct sand_cpu *cpu, void *arg)
{
	u64 off = cpu->regs.rip - tr.va;
	const struct tdm_bt_rec *rec;

	(void)arg;
	count.host++;
	if (off >= tr.out_len) {
		if (cpu->trapno != SAND_TRAP_DB) {
			fail("fault outside of the fragment");
			return false;
		}
		return outside(cpu);
	}
	rec = find_rec(&tr, cpu->regs.rip);
	last_insn = rec->insn;
	reconstruct(cpu, rec);
	if (!follow())
		return false;
	if (rec->kind == TDM_REC_INDIRECT)
		check_undo(rec);
	if (cpu->trapno != SAND_TRAP_DB && !fragment_fault(cpu, rec))
		return false;
	rec = find_rec(&tr, cpu->regs.rip);
	while (((u8 *)cpu->regs.rip)[0] == 0xcd && ((u8 *)cpu->regs.rip)[1] == TDM_BT_VEC_CALLOUT) {
		if (!callout(cpu, rec))
			return false;
		rec = find_rec(&tr, cpu->regs.rip);
	}
	return true;
}

/* ---- one TU ---- */

static void dump(struct bt_gen *g, u64 seed)
{
	unsigned int i;

	(void)g;
	printf("# seed %#llx, %s, guest instruction %u:", (unsigned long long)seed, place->name,
	       last_insn);
	for (i = 0; i < tr.guest_len; i++)
		printf(" %02x", tr.code[i]);
	printf("\n# host:");
	for (i = 0; i < tr.out_len; i++)
		printf(" %02x", tr.out[i]);
	putchar('\n');
	for (i = 0; i < tr.nr_recs; i++) {
		const struct tdm_bt_rec *r = &tr.recs[i];

		printf("# record %03x: insn %u kind %u restore %x flags %x op %u\n", r->hoff,
		       r->insn, r->kind, r->restore, r->flags, r->op);
	}
	printf("# trace %u of %u, end by %u, rip %llx\n", cur, nr_trace, end.trapno,
	       (unsigned long long)now.regs.rip);
}

/* What POPF finds: mostly the usual flags, or one more: TF IOPL NT AC ID, unknown ones. */
static u64 flags_image(struct bt_gen *g)
{
	static const u8 unusual[] = { 8, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 63 };
	u64 image = bt_random(g) & 0xed7;

	return bt_below(g, 2) ? image :
	       image | 1ull << unusual[bt_below(g, ARRAY_SIZE(unusual))];
}

/* Where RSP mostly is: frames for IRETQ, most of them to the same CS and SS. */
static void iret_frames(struct bt_gen *g, struct gstate *s)
{
	u64 *q = (u64 *)(s->mem + MEM_LEN / 2), *end = q + 200;

	for (; q < end; q += 5) {
		q[0] = bt_below(g, 8) ? place->code + bt_below(g, 0x100000) : bt_random(g);
		q[1] = bt_below(g, 8) ? GUEST_CS : bt_below(g, 64);
		q[2] = flags_image(g);
		q[3] = bt_data_address(g);
		q[4] = bt_below(g, 8) ? GUEST_SS : bt_below(g, 64);
	}
}

static void random_state(struct bt_gen *g, struct gstate *s)
{
	u64 *q = (u64 *)s->mem;
	unsigned int i;

	for (i = 0; i < TDM_NR_GPRS; i++) {
		u32 r = bt_below(g, 10);

		s->regs.gpr[i] = r < 6 ? bt_data_address(g) : r < 9 ? bt_below(g, 64) : bt_random(g);
	}
	if (bt_below(g, 4))
		s->regs.gpr[TDM_RCX] = bt_below(g, 6);
	if (bt_below(g, 10))
		s->regs.gpr[TDM_RSP] = place->mem + MEM_LEN / 2 + 8 * bt_below(g, 200);
	s->regs.rflags = 0x202 | (bt_random(g) & 0xcd5);
	for (i = 0; i < MEM_LEN / 8; i++) {
		u32 r = bt_below(g, 8);

		/* Flags images, numbers, pointers, code addresses, anything. */
		q[i] = r < 3 ? flags_image(g) : r < 4 ? bt_below(g, 64) :
		       r < 6 ? bt_data_address(g) : r < 7 ? place->code + bt_below(g, 0x100000) :
		       bt_random(g) >> 20;
	}
	if (!bt_below(g, 3))
		iret_frames(g, s);
	s->vif = bt_below(g, 2) ? TDM_BT_IF : 0;
	s->gs = place->mem - (bt_below(g, 2) ? 0 : 64);
	s->kgs = bt_data_address(g);
}

/* The guest and the processor into a state. */
static void set_state(struct sand_cpu *cpu, const struct gstate *s)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->regs = s->regs;
	memcpy((void *)place->mem, s->mem, MEM_LEN);
	sand_set_gs(s->gs);
	vif_now = s->vif;
	kgs_now = s->kgs;
	SAND_STATE->vif = s->vif;
	SAND_STATE->kernel_gs = s->kgs;
}

static void set_lookup(struct bt_gen *g)
{
	u64 target = trace[nr_trace - 1].regs.rip;
	u64 *entry = (u64 *)(SAND_BASE + TDM_BT_LOOKUP + (target & 0xffff) * TDM_BT_LOOKUP_SIZE);
	bool other = bt_below(g, 2);

	lookup_hit = bt_below(g, 2);
	/* Free, or the stub of another address with the same low bits. */
	tdm_bt_emit_stub((u8 *)STUB, STUB, SAND_BASE, lookup_hit ? target : target + 0x10000,
			 LANDING, common.va);
	*entry = lookup_hit || other ? STUB : common.va;
}

static void translated_run(struct bt_gen *g, const struct gstate *start)
{
	u64 old_gs = sand_gs();
	struct sand_cpu cpu;
	unsigned int i;

	set_lookup(g);
	for (i = 0; i < 16; i++)
		SAND_STATE->spill[i] = bt_random(g);
	sand_window(!bt_below(g, 4));
	set_state(&cpu, start);
	cpu.regs.rip = tr.va;
	cur = 0;
	sand_run(&cpu, fragment_step, NULL);
	sand_window(false);
	sand_set_gs(old_gs);
}

static bool one_tu(u64 seed)
{
	static struct gstate start;
	struct bt_gen g = { .seed = seed, .rip = place->code + 0x100, .data = place->mem + 0x400,
			    .data_len = MEM_LEN - 0x800 };
	u8 *code = (u8 *)g.rip;
	u64 old_gs = sand_gs();
	struct sand_cpu cpu;
	unsigned int len;

	why = NULL;
	memset(code, 0x90, 512);
	len = bt_gen_code(&g, code, 256);
	random_state(&g, &start);
	tr.rip = g.rip;
	tr.code = code;
	tr.len = len + bt_below(&g, 2) * 32;
	tr.page_len = bt_below(&g, 8) ? tr.len : 1 + bt_below(&g, tr.len);
	tr.max_insns = bt_below(&g, 8) ? TDM_TU_MAX_INSNS : 1 + bt_below(&g, TDM_TU_MAX_INSNS);
	tr.tu = TU;
	tr.va = FRAGMENT + bt_below(&g, 64);
	tr.fsgsbase = sand_fsgsbase();
	if (tdm_bt_translate(&tr)) {
		/* Only when the first instruction is cut off. */
		count.skipped++;
		return true;
	}
	if (bt_bad_form(&tr))
		fail(bt_bad_form(&tr));
	memcpy((void *)tr.va, tr.out, tr.out_len);

	start.regs.rip = tr.rip;
	set_state(&cpu, &start);
	nr_trace = 0;
	was_branch = was_pushf = was_popf = ended_by_branch = at_iret = false;
	iret_bad = !bt_below(&g, 8);
	SAND_STATE->iret_bad = iret_bad;
	last_insn = 0;
	sand_run(&cpu, native_step, NULL);
	sand_set_gs(old_gs);
	if (nr_trace == MAX_TRACE || (was_branch && end.trapno == 13)) {
		/* too long; or to a non-canonical address */
		count.skipped++;
		return !why;
	}
	translated_run(&g, &start);
	count.tus++;
	count.insns += tr.nr_insns;
	if (why || verbose)
		dump(&g, seed);
	return !why;
}

static void init_slot(void)
{
	struct tdm_bt_state *s = SAND_STATE;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		memset((void *)CONT(i), 0xcc, 6);
		tr.cont[i] = CONT(i);
	}
	common.va = SAND_TC;
	common.base = SAND_BASE;
	tdm_bt_emit_common(&common);
	memcpy((void *)common.va, common.out, common.out_len);
	tr.base = SAND_BASE;
	tr.mode = mode;
	s->cr0 = 0x80050033;
	s->cr2 = 0x123456789abc;
	s->cr3 = 0x1a2b3000;
	s->cr4 = 0x3706f0;
	for (i = 0; i < 4; i++)
		s->iret_ptr[i] = (u64)&SAND_STATE->args[8];
	s->cs = GUEST_CS;
	s->ss = GUEST_SS;
	for (i = 0; i < 2; i++)
		s->iret_same[i].ptr = (u64)&SAND_STATE->iret_same[0].raw;
}

static bool map_place(const struct place *p)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	return mmap((void *)p->code, CODE_LEN, prot | PROT_EXEC, flags, -1, 0) == (void *)p->code &&
	       mmap((void *)p->mem, MEM_LEN, prot, flags, -1, 0) == (void *)p->mem;
}

int main(int argc, char **argv)
{
	unsigned long n = 6000, i, bad;
	u64 seed = 1;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:v")) != -1) {
		if (opt == 'n')
			n = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			verbose = true;
	}
	ktap_start(ARRAY_SIZE(places));
	if (sand_init() || !map_place(&places[0]) || !map_place(&places[1])) {
		printf("Bail out! cannot map the sandbox\n");
		return 1;
	}
	if (__builtin_cpu_is("amd"))
		mode |= TDM_DECODE_AMD;
	init_slot();
	for (place = places; place < places + ARRAY_SIZE(places); place++) {
		memset(&count, 0, sizeof(count));
		for (i = bad = 0; i < n && bad < 5; i++)
			if (!one_tu(seed + i * 0x9e3779b9)) {
				printf("# %s\n", why);
				bad++;
			}
		printf("# %lu TUs, %lu guest and %lu host instructions, %lu faults, %lu callouts, %lu windows, %lu hits, %lu misses, %lu irets, %lu skipped\n",
		       count.tus, count.insns, count.host, count.faults, count.callouts,
		       count.window, count.hits, count.misses, count.irets, count.skipped);
		ktap_result(!bad, "state is precise at every host instruction, %s", place->name);
	}
	return ktap_end();
}
