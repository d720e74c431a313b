// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of guests for the translation cache: bt/'s cache files as they are, with
 * a translator that makes fragments of nothing but branches, and guest memory, page
 * tables, traces and vCPUs made up here. KTAP.
 *
 * Random guests write to code, change their tables, switch address spaces, branch
 * directly and indirectly, are interrupted, lose memslots. What a vCPU runs must be
 * what a processor could have fetched: bytes that are in memory now, at a page that
 * the tables led to since the vCPU's last flush. After each step all structures are
 * audited. Other vCPUs' steps are put into the middle of fills, where no lock is.
 */
#include <getopt.h>

#include "bt_tc_model.h"
#include "emul_ktap.h"
#include "shadow_mmu/mmu.h"

#define NR_INDEX	3u	/* PML4 entries in use */
#define NR_VPAGES	6u	/* pages below each */
#define NR_TABLES	4u	/* what a PML4 entry can lead to */
#define NR_ROOTS	4u
#define MAX_VCPUS	3u
#define MAX_TUS		40000u

static const u16 indexes[NR_INDEX] = { 0, 256 + 17, 511 };

/**
 * struct m_vcpu - @in: at TC offset @at; else at @rip. @last: targets of indirect
 * branches. @allowed: gfns a page may lead to
 */
struct m_vcpu {
	struct tdm_vcpu v;
	struct tdm_bt b;
	struct tdm_bt_state state;
	u64 lookup_pt;
	unsigned int root;
	bool in;
	u32 at;
	u64 rip;
	u64 last[4];
	u32 allowed[NR_INDEX][NR_VPAGES];
};

struct tdm_vm vm;
static struct m_vcpu vcpus[MAX_VCPUS];
static unsigned int nr_vcpus;
u8 memory[NR_GFNS][PAGE_SIZE];
static bool slot_there[NR_GFNS];
u32 tracks[NR_GFNS];
static signed char tables[NR_TABLES][NR_VPAGES];		/* gfn, -1: not present */
static u8 roots[NR_ROOTS][NR_INDEX];		/* table, 0: none */
struct m_tu made[MAX_TUS];
static u64 seed, steps_run, fills, runs_in, table_hits, runs_dead;
static bool injecting;
static const char *what = "";

bool tdm_bt_verify;

/* ---- chance ---- */

static u32 rnd(u32 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# FAIL in %s after %llu steps: ", what, (unsigned long long)steps_run);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	abort();
}

static struct tdm_bt_vm *tc_of(void)
{
	return to_bt_vm(&vm);
}

/* ---- addresses ---- */

static u64 va_of(unsigned int i, unsigned int page, unsigned int off)
{
	u64 va = (u64)indexes[i] << 39 | page << PAGE_SHIFT | off;

	return va & 1ull << 47 ? va | ~0ull << 48 : va;
}

/* A code address: few offsets, so that they meet. */
static u64 random_va(u64 h)
{
	h *= 0x9e3779b97f4a7c15ull;
	return va_of((h >> 20) % NR_INDEX, (h >> 30) % NR_VPAGES,
		     (h >> 41 & 15) ? (h >> 45) % 12 * 61 : PAGE_SIZE - 1 - (h >> 45) % 8);
}

static bool split_va(u64 va, unsigned int *i, unsigned int *page)
{
	*page = va >> PAGE_SHIFT & 0x7ffffff;
	for (*i = 0; *i < NR_INDEX; (*i)++)
		if ((va >> 39 & 511) == indexes[*i])
			return *page < NR_VPAGES;
	return false;
}

static int walk(unsigned int root, u64 va)
{
	unsigned int i, page;

	if (!split_va(va, &i, &page) || !roots[root][i])
		return -1;
	return tables[roots[root][i]][page];
}

/* ---- the MMU ---- */

static void interrupt(struct m_vcpu *c);
static void other_step(void);

static void flush_vcpus(struct tdm_vm *v)
{
	unsigned int n;

	for (n = 0; n < nr_vcpus; n++)
		if (vcpus[n].in)
			interrupt(&vcpus[n]);
}

static const struct tdm_mmu_client client = {
	.flush_vcpus = flush_vcpus, .code_written = tdm_bt_code_written,
};
const struct tdm_mmu_client *tdm_mmu_client = &client;

static void disturb(void)
{
	if (!injecting && !tc_of()->mutex.held && !rnd(3)) {
		injecting = true;
		other_step();
		injecting = false;
	}
}

static struct m_vcpu *of(struct tdm_vcpu *v)
{
	return container_of(v, struct m_vcpu, v);
}

int tdm_mmu_code_page(struct tdm_vcpu *v, u64 gva, u64 *gpa, struct tdm_page_fault *pf)
{
	int gfn = walk(of(v)->root, gva);

	*pf = (struct tdm_page_fault){ .gva = gva, .error = 0 };
	if (gfn >= 0)
		*gpa = (u64)gfn << PAGE_SHIFT | (gva & ~PAGE_MASK);
	disturb();
	return gfn < 0 ? -EFAULT : 0;
}

bool tdm_mmu_root_entry(struct tdm_vcpu *v, unsigned int index, u64 *entry)
{
	unsigned int i;

	*entry = 0;
	for (i = 0; i < NR_INDEX; i++)
		if (indexes[i] == index)
			*entry = roots[of(v)->root][i] * 0x1000ull;
	return true;
}

bool tdm_gpa_is_ram(struct tdm_vm *v, u64 gpa, bool write)
{
	return slot_there[gpa >> PAGE_SHIFT];
}

int tdm_read_gpa(struct tdm_vm *v, u64 gpa, void *buf, size_t len)
{
	disturb();
	if (!slot_there[gpa >> PAGE_SHIFT])
		return -ENOENT;
	memcpy(buf, &memory[gpa >> PAGE_SHIFT][gpa & ~PAGE_MASK], len);
	disturb();
	return 0;
}

int tdm_track_add(struct tdm_vm *v, u64 gfn, enum tdm_track track)
{
	must(!tc_of()->lock.held, "trace under tc->lock");
	if (!slot_there[gfn])
		return -ENOENT;
	tracks[gfn]++;
	flush_vcpus(v);
	return 0;
}

void tdm_track_del(struct tdm_vm *v, u64 gfn, enum tdm_track track)
{
	must(!tc_of()->lock.held, "trace under tc->lock");
	if (tracks[gfn])
		tracks[gfn]--;
}

void tdm_bt_set_lookup(struct tdm_bt *b, u64 pt_hpa)
{
	container_of(b, struct m_vcpu, b)->lookup_pt = pt_hpa;
}

/* ---- the translator ---- */

struct m_insn { u8 len, kind, room; };

static struct m_insn decode(u8 byte)
{
	return (struct m_insn){
		.len = 1 + (byte >> 2 & 7), .kind = byte >> 5 & 3, .room = byte % 5 ? 0 : 4,
	};
}

/* How many instructions a TU has; often it is one jump, put over another. */
static unsigned int count_of(u8 byte)
{
	return byte & 1 ? 1 : 1 + (byte >> 1 & 3);
}

static void put_jmp(struct tdm_bt_tr *tr, unsigned int nr, u64 target, bool elide)
{
	struct tdm_bt_link *link = &tr->links[nr];
	u32 rel;

	while ((tr->va + tr->out_len + 1) / 64 != (tr->va + tr->out_len + 4) / 64)
		tr->out[tr->out_len++] = 0x90;
	link->target = target;
	link->patch = tr->out_len + 1;
	link->elide = elide;
	rel = tr->cont[nr] - (tr->va + tr->out_len + 5);
	tr->out[tr->out_len] = 0xe9;
	memcpy(tr->out + tr->out_len + 1, &rel, sizeof(rel));
	tr->out_len += 5;
	tr->nr_links++;
}

int tdm_bt_translate(struct tdm_bt_tr *tr)
{
	unsigned int n = count_of(tr->code[0]), at = 0, kind = 0;
	struct m_insn insn;
	u64 h;

	tr->out_len = 0;
	tr->nr_recs = 0;
	tr->nr_links = 0;
	tr->nr_insns = 0;
	tr->nr_ident = 0;
	while (tr->nr_insns < n && at < tr->page_len) {
		insn = decode(tr->code[at]);
		if (at + insn.len > tr->len)
			break;
		tr->recs[tr->nr_recs++] = (struct tdm_bt_rec) {
			.hoff = tr->out_len, .goff = at, .glen = insn.len, .insn = tr->nr_insns,
		};
		at += insn.len;
		kind = ++tr->nr_insns == n ? insn.kind : 0;
		/* A jump can be all there is of an instruction. */
		n = tr->nr_insns == n && kind == 0 ? insn.room : 4;
		memset(tr->out + tr->out_len, 0x90, n);
		tr->out_len += n;
		n = count_of(tr->code[0]);
	}
	if (!tr->nr_insns)
		return -EFAULT;
	tr->guest_len = at;
	h = tr->rip * 31 + tr->code[0];
	if (kind == 1)
		put_jmp(tr, 0, random_va(h), false);
	if (kind < 2) {
		put_jmp(tr, kind, tr->rip + at, true);
	} else {
		/* To the common code, or a callout. */
		memset(tr->out + tr->out_len, 0x90, 5);
		tr->out_len += 5;
	}
	made[tr->tu].rip = tr->rip;
	made[tr->tu].len = at;
	memcpy(made[tr->tu].bytes, tr->code, at);
	must(tr->out_len <= sizeof(made[0].host), "fragment of %u bytes", tr->out_len);
	memcpy(made[tr->tu].host, tr->out, tr->out_len);
	disturb();
	return 0;
}

void tdm_bt_emit_common(struct tdm_bt_tr *tr)
{
	u32 id = TDM_BT_ID(TDM_BT_ID_COMMON, TDM_BT_WHAT_MISS);

	memset(tr->out, 0x90, 64);
	tr->out[32] = 0xcd;
	tr->out[33] = TDM_BT_VEC_CALLOUT;
	memcpy(tr->out + 34, &id, sizeof(id));
	tr->out_len = 64;
	tr->nr_recs = 1;
	tr->recs[0] = (struct tdm_bt_rec){ .kind = TDM_REC_INDIRECT };
}

void tdm_bt_emit_stub(u8 *out, u64 va, u64 base, u64 rip, u64 fragment, u64 miss)
{
	const struct m_stub stub = { .rip = rip, .fragment = fragment, .va = va };

	must(base == SLOT && miss == SLOT + TDM_BT_TC, "stub for another slot");
	memcpy(out, &stub, sizeof(stub));
}

/* ---- a vCPU ---- */

static struct tdm_tu *tu_at(u32 off)
{
	struct tdm_tu *tu;

	spin_lock(&tc_of()->lock);
	tu = tdm_tc_at(tc_of(), off);
	spin_unlock(&tc_of()->lock);
	return tu;
}

static void out_at(struct m_vcpu *c, const struct tdm_bt_pos *pos, u64 rip)
{
	c->in = false;
	c->rip = rip;
	c->b.resume_rip[0] = pos->rip;
	c->b.resume_tc[0] = pos->tc_this;
	c->b.resume_rip[1] = pos->rip + pos->rec.glen;
	c->b.resume_tc[1] = pos->tc_next;
	c->b.resume_gen = tdm_bt_tc_gen(&vm);
}

/* At a fragment's beginning, or a few instructions on. */
static void interrupt(struct m_vcpu *c)
{
	struct tdm_tu *tu = tu_at(c->at);
	struct tdm_bt_pos pos;
	u32 n;

	must(tu && tu->off == c->at, "vCPU at 0x%x, which is no fragment", c->at);
	n = rnd(tu->nr_insns);
	/* A jump that was elided: that is the target's beginning now. */
	while (tu->recs[n].hoff >= tu->len)
		n--;
	must(tdm_bt_locate(&c->b, SLOT + TDM_BT_TC + c->at + tu->recs[n].hoff, &pos),
	     "nothing at 0x%x", c->at);
	must(pos.rec.insn == n && pos.rip == tu->rip + tu->recs[n].goff, "wrong record");
	must(tu->dead ? !pos.tc_this : pos.tc_this == SLOT + TDM_BT_TC + tu->off + tu->recs[n].hoff,
	     "wrong place to resume at");
	out_at(c, &pos, pos.rip);
}

/* Could the processor have fetched this? */
static void check_fetch(struct m_vcpu *c, const struct tdm_tu *tu)
{
	const struct m_tu *m = &made[tu->nr];
	unsigned int i, page, g, at;
	bool good;

	for (at = 0; at < m->len; at++) {
		must(split_va(m->rip + at, &i, &page), "code at no address");
		good = false;
		for (g = 0; g < NR_GFNS; g++)
			good |= (c->allowed[i][page] >> g & 1) &&
				memory[g][(m->rip + at) & ~PAGE_MASK] == m->bytes[at];
		must(good, "vCPU %u runs TU %u at 0x%llx: byte %u is not there", c->v.index,
		     tu->nr, (unsigned long long)m->rip, at);
	}
}

static void go_indirect(struct m_vcpu *c)
{
	u64 target = rnd(4) ? c->last[rnd(4)] : random_va(rnd(1u << 30)), va;
	struct tdm_bt_pos pos;
	struct tdm_tu *tu;
	struct m_stub stub;
	u64 *pt, entry;
	u32 what_id;

	c->last[rnd(4)] = target;
	c->state.ind_rip = target;
	must(c->lookup_pt, "no lookup table");
	pt = __va(c->lookup_pt);
	entry = ((u64 *)__va(pt[(target & 0xffff) / 512] & 0xffffffffff000ull))[target & 511];
	tdm_tc_read(tc_of(), entry - SLOT - TDM_BT_TC, &stub, sizeof(stub));
	if (entry != SLOT + TDM_BT_TC) {
		must(stub.va == entry, "the lookup table leads to no stub");
		must(tdm_bt_locate(&c->b, entry + rnd(48), &pos) &&
		     pos.rec.kind == TDM_REC_INDIRECT && pos.target == target &&
		     pos.rec.restore == TDM_BT_STUB_RESTORE, "record of a stub");
	}
	if (entry != SLOT + TDM_BT_TC && stub.rip == target) {
		tu = tu_at(stub.fragment - SLOT - TDM_BT_TC);
		must(tu && tu->off == stub.fragment - SLOT - TDM_BT_TC && tu->rip == target &&
		     !tu->dead, "a stale entry of the lookup table");
		c->at = tu->off;
		table_hits++;
		return;
	}
	must(tdm_bt_callout(&c->b, SLOT + TDM_BT_TC + 34, &pos, &what_id) &&
	     what_id == TDM_BT_WHAT_MISS && pos.target == target, "miss callout");
	out_at(c, &pos, target);
	va = pos.tc_this;
	tu = va ? tu_at(va - SLOT - TDM_BT_TC) : NULL;
	must(!va || (tu && !tu->dead && tu->rip == target), "a miss leads to the wrong TU");
}

static void go_link(struct m_vcpu *c, struct tdm_tu *tu, struct tdm_tu_link *link)
{
	u32 jmp = tu->off + link->patch - 1, to, what_id;
	struct tdm_bt_pos pos;
	struct tdm_tu *next;
	u8 code[5];
	s32 rel;

	tdm_tc_read(tc_of(), jmp, code, sizeof(code));
	memcpy(&rel, code + 1, sizeof(rel));
	to = link->state == TDM_LINK_ELIDED ? jmp : jmp + 5 + rel;
	must(to == jmp || code[0] == 0xe9, "no JMP at 0x%x", jmp);
	if (to >= tc_of()->top) {
		must(tdm_bt_callout(&c->b, SLOT + TDM_BT_TC + to + 2, &pos, &what_id) &&
		     pos.target == link->target && pos.rec.kind == TDM_REC_TAKEN, "link callout");
		out_at(c, &pos, link->target);
		return;
	}
	next = tu_at(to);
	must(next && next->off == to && next->rip == link->target, "a branch leads to the wrong TU");
	must(!tu->dead, "a killed TU leads on");
	must(!next->dead, "a branch leads to a killed TU");
	c->at = to;
}

static void run(struct m_vcpu *c)
{
	struct tdm_tu *tu = tu_at(c->at);

	must(tu && tu->off == c->at, "vCPU at 0x%x, which is no fragment", c->at);
	runs_in++;
	runs_dead += tu->dead;
	if (tu->dead)
		must(tc_of()->smp, "the only vCPU is in a killed TU");
	else
		check_fetch(c, tu);
	if (tu->nr_links)
		go_link(c, tu, &tu->links[rnd(tu->nr_links)]);
	else
		go_indirect(c);
}

/* As enter_kernel() does it. */
static u64 resume_at(struct m_vcpu *c)
{
	struct tdm_bt *b = &c->b;
	int i;

	if (!tdm_bt_space_fast(b))
		return 0;
	if (b->resume_gen == tdm_bt_tc_gen(&vm))
		for (i = 0; i < 2; i++)
			if (c->rip == b->resume_rip[i] && b->resume_tc[i])
				return b->resume_tc[i];
	return tdm_bt_tc_find(b, c->rip);
}

static void fill(struct m_vcpu *c)
{
	struct tdm_exit exit = { 0 };
	int r;

	fills++;
	r = tdm_bt_tc_fill(&c->b, c->rip, &exit);
	must(r == 1 || r == 0 || (shim_fail && r == -ENOMEM), "fill: %d", r);
	if (r)
		return;
	/* Elsewhere: a handler, or past what cannot be run. */
	c->rip = random_va(rnd(1u << 30));
}

static void enter(struct m_vcpu *c)
{
	struct tdm_tu *tu;
	u64 va = resume_at(c);
	u32 off;

	if (!va) {
		fill(c);
		return;
	}
	off = va - SLOT - TDM_BT_TC;
	tu = tu_at(off);
	must(tu && !tu->dead, "entered at 0x%x", off);
	if (off != tu->off || tu->rip != c->rip) {
		/* In the middle: run on to the end, by one more exit. */
		check_fetch(c, tu);
		c->rip = random_va(rnd(1u << 30));
		return;
	}
	c->in = true;
	c->at = tu->off;
}

/* ---- what guests and the host do ---- */

static void flushed(struct m_vcpu *c)
{
	unsigned int i, page;
	int gfn;

	for (i = 0; i < NR_INDEX; i++)
		for (page = 0; page < NR_VPAGES; page++) {
			gfn = walk(c->root, va_of(i, page, 0));
			c->allowed[i][page] = gfn < 0 ? 0 : 1u << gfn;
		}
	tdm_bt_space_flush(&c->v);
}

/* The tables are another way now: until they flush, vCPUs may have both. */
static void tables_changed(void)
{
	unsigned int n, i, page;
	int gfn;

	for (n = 0; n < nr_vcpus; n++)
		for (i = 0; i < NR_INDEX; i++)
			for (page = 0; page < NR_VPAGES; page++) {
				gfn = walk(vcpus[n].root, va_of(i, page, 0));
				if (gfn >= 0)
					vcpus[n].allowed[i][page] |= 1u << gfn;
			}
}

static void op_write(struct m_vcpu *c)
{
	u32 gfn = rnd(NR_GFNS), off = rnd(4) ? rnd(14) * 61 + rnd(48) : rnd(PAGE_SIZE), len = 1 + rnd(4), i;

	if (!slot_there[gfn])
		return;
	len = min_t(u32, len, PAGE_SIZE - off);
	for (i = 0; i < len; i++)
		memory[gfn][off + i] = rnd(256);
	if (tracks[gfn])
		tdm_bt_code_written(&vm, ((u64)gfn << PAGE_SHIFT) + off, len);
}

static void op_map(struct m_vcpu *c)
{
	tables[1 + rnd(NR_TABLES - 1)][rnd(NR_VPAGES)] = (int)rnd(NR_GFNS + 4) - 4 < 0 ?
							 -1 : (int)rnd(NR_GFNS);
	vm.mmu.code_gen++;
	tables_changed();
}

static void op_root(struct m_vcpu *c)
{
	roots[rnd(NR_ROOTS)][rnd(NR_INDEX)] = rnd(NR_TABLES);
	tables_changed();
}

static void op_cr3(struct m_vcpu *c)
{
	c->root = rnd(NR_ROOTS);
	flushed(c);
}

static void op_mode(struct m_vcpu *c)
{
	c->v.st.efer ^= 1ull << 11;
	flushed(c);
}

static void op_memslot(struct m_vcpu *c)
{
	u32 gfn = rnd(NR_GFNS), i;

	if (slot_there[gfn]) {
		tracks[gfn] = 0;
		tdm_bt_code_written(&vm, (u64)gfn << PAGE_SHIFT, PAGE_SIZE);
	} else {
		for (i = 0; i < PAGE_SIZE; i++)
			memory[gfn][i] = rnd(256);
	}
	slot_there[gfn] = !slot_there[gfn];
	vm.slots_generation += 2;
}

static void op_flush_all(struct m_vcpu *c)
{
	if (tc_of()->mutex.held || rnd(8))
		return;
	mutex_lock(&tc_of()->mutex);
	tdm_tc_flush_all(tc_of());
	mutex_unlock(&tc_of()->mutex);
}

/* The guest makes an address up, at CPL 1. */
static void op_wild(struct m_vcpu *c)
{
	struct tdm_bt_pos pos;
	u32 id;

	c->state.ind_rip = random_va(rnd(1u << 30));
	tdm_bt_locate(&c->b, SLOT + TDM_BT_TC + rnd(tc_of()->size + 64), &pos);
	tdm_bt_callout(&c->b, SLOT + TDM_BT_TC + rnd(tc_of()->bottom + 64), &pos, &id);
	tdm_bt_callout(&c->b, SLOT + TDM_BT_TC + tc_of()->size - rnd(4096), &pos, &id);
	tdm_bt_callout(&c->b, rnd(1u << 30) * 0x1234567ull, &pos, &id);
	tdm_bt_site(&c->b, rnd(tc_of()->nr_tus + 2) << 4 | rnd(16), &pos);
}

static const struct { void (*fn)(struct m_vcpu *c); unsigned int weight; } ops[] = {
	{ op_write, 16 }, { op_map, 6 }, { op_root, 2 }, { op_cr3, 8 }, { op_mode, 1 },
	{ op_memslot, 2 }, { op_flush_all, 2 }, { op_wild, 4 }, { NULL, 600 },
};

static void step(struct m_vcpu *c)
{
	unsigned int i, n = 0, total = 0;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		total += ops[i].weight;
	n = rnd(total);
	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	if (ops[i].fn) {
		/* It takes an exit. */
		if (c->in)
			interrupt(c);
		ops[i].fn(c);
	} else if (!c->in) {
		enter(c);
	} else if (!rnd(6)) {
		interrupt(c);
	} else {
		run(c);
	}
}

static struct m_vcpu *filling;

static void other_step(void)
{
	struct m_vcpu *c = &vcpus[rnd(nr_vcpus)];

	if (c != filling)
		step(c);
	else
		op_write(c);
}

/* ---- a run ---- */

static void begin(unsigned int n)
{
	unsigned int i, j;

	memset(&vm, 0, sizeof(vm));
	memset(vcpus, 0, sizeof(vcpus));
	memset(tracks, 0, sizeof(tracks));
	vm.slots_generation = 2;
	must(!tdm_bt_tc_create(&vm), "no TC");
	for (i = 0; i < NR_GFNS; i++) {
		slot_there[i] = true;
		for (j = 0; j < PAGE_SIZE; j++)
			memory[i][j] = rnd(256);
	}
	for (i = 1; i < NR_TABLES; i++)
		for (j = 0; j < NR_VPAGES; j++)
			tables[i][j] = rnd(NR_GFNS);
	for (i = 0; i < NR_ROOTS; i++)
		for (j = 0; j < NR_INDEX; j++)
			roots[i][j] = j == 2 ? 1 : rnd(NR_TABLES);
	nr_vcpus = n;
	for (i = 0; i < n; i++) {
		vcpus[i].v.vm = &vm;
		vcpus[i].v.index = i;
		vcpus[i].v.engine_priv = &vcpus[i].b;
		vcpus[i].b.vcpu = &vcpus[i].v;
		vcpus[i].b.state = &vcpus[i].state;
		vcpus[i].b.base = SLOT;
		vcpus[i].b.resume_gen = ~0ull;
		vcpus[i].rip = random_va(i);
		flushed(&vcpus[i]);
	}
	atomic_set(&vm.online_vcpus, n);
}

static s64 sum[TDM_NR_VM_STATS];

static void end(void)
{
	unsigned int i;
	long live;

	for (i = 0; i < TDM_NR_VM_STATS; i++)
		sum[i] += vm.stat[i].v;

	for (i = 0; i < nr_vcpus; i++)
		tdm_bt_tc_vcpu_destroy(&vcpus[i].v);
	tdm_bt_tc_destroy(&vm);
	live = shim_live;
	must(!live, "%ld allocations left", live);
}

static void random_run(unsigned int n, u64 s, unsigned int steps, unsigned int fail_each)
{
	unsigned int i;

	seed = s;
	steps_run = 0;
	begin(n);
	shim_fail = fail_each;
	for (i = 0; i < steps; i++) {
		filling = &vcpus[rnd(nr_vcpus)];
		step(filling);
		steps_run++;
		if (!(i % 16))
			audit();
	}
	shim_fail = 0;
	audit();
	end();
}

/* A test that meets nothing shows nothing. */
static bool has_met(void)
{
	static const struct { unsigned int stat; const char *name; } stats[] = {
#define S(id) { TDM_VMSTAT_bt_##id, #id }
		S(translated), S(chained), S(elided), S(unchained), S(killed), S(flushes),
		S(revalidated), S(evicted_pages), S(untraced), S(spaces_made), S(spaces_evicted),
	};
	bool all = true;
	unsigned int i;

	printf("# fills %llu, in guest %llu, by table %llu, killed inside %llu",
	       (unsigned long long)fills, (unsigned long long)runs_in,
	       (unsigned long long)table_hits, (unsigned long long)runs_dead);
	for (i = 0; i < ARRAY_SIZE(stats); i++) {
		printf(", %s %lld", stats[i].name, (long long)sum[stats[i].stat]);
		all &= sum[stats[i].stat] > 0;
	}
	printf("\n");
	return all && table_hits && runs_dead;
}

int main(int argc, char **argv)
{
	unsigned int n, runs = 12, steps = 4000, opt;
	u64 first = 1, s;

	while ((int)(opt = getopt(argc, argv, "s:r:n:")) != -1) {
		if (opt == 's')
			first = strtoull(optarg, NULL, 0);
		else if (opt == 'r')
			runs = strtoul(optarg, NULL, 0);
		else if (opt == 'n')
			steps = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	ktap_start(2 * MAX_VCPUS + 1);
	for (n = 1; n <= MAX_VCPUS; n++) {
		static char name[64];

		what = name;
		for (s = first; s < first + runs; s++) {
			snprintf(name, sizeof(name), "%u vCPUs, seed %llu", n, (unsigned long long)s);
			random_run(n, s, steps, 0);
		}
		ktap_result(true, "random guests, %u vCPUs: %u runs of %u steps", n, runs, steps);
		for (s = first; s < first + runs; s++) {
			snprintf(name, sizeof(name), "%u vCPUs, no memory, seed %llu", n,
				 (unsigned long long)s);
			random_run(n, s, steps / 4, 7 + s % 50);
		}
		ktap_result(true, "the same, out of memory now and then, %u vCPUs", n);
	}
	ktap_result(has_met(), "everything has happened");
	return ktap_end();
}
