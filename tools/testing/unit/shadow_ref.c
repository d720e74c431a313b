// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference of the test machine: what guest memory should say, with the past
 * values of every entry; a walker of the guest's tables written from SDM vol. 3,
 * 4.3 to 4.7, on its own; and the rule of 4.10: a TLB may hold what a walk could
 * have found at any time since it was flushed, its entries read one after the
 * other, if they had their accessed (and for writes dirty) flags then.
 */
#include "shadow_machine.h"

#define NODES	60000
#define HEADS	4096
#define NEVER	(~0ull)

/** struct m_node - a past value of 8 bytes */
struct m_node {
	u32 key;
	int next;		/* older ones of this bucket */
	u64 ended;		/* when it was overwritten */
	u64 val;
};

static u64 truth[M_HVAS][512];
static struct m_node node[NODES];
static int head[HEADS];
static unsigned int nr_nodes;

void ref_forget(void)
{
	memset(head, 0xff, sizeof(head));
	nr_nodes = 0;
}

void ref_reset(void)
{
	unsigned int i;

	for (i = 0; i < M_HVAS; i++)
		if (m.used[i])
			memset(truth[i], 0, sizeof(truth[i]));
	ref_forget();
}

bool ref_is_full(void)
{
	return nr_nodes > NODES - 1000;
}

u64 ref_read(unsigned int page, unsigned int off)
{
	return truth[page][off / 8];
}

static u32 key_of(unsigned int page, unsigned int off)
{
	return page << 9 | off / 8;
}

static void set_truth(unsigned int page, unsigned int off, u64 val)
{
	u32 key = key_of(page, off);
	int *h = &head[hash_64(key, 12)];
	u64 *t = &truth[page][off / 8];

	m.written[page] = true;
	if (*t == val)
		return;
	m.used[page] = true;
	m_log("  gpa %llx: %llx -> %llx at %llu", (unsigned long long)m_gfn_of(page) << 12 | off,
	      (unsigned long long)*t, (unsigned long long)val, (unsigned long long)m.now + 1);
	assert(nr_nodes < NODES);
	node[nr_nodes] = (struct m_node){ key, *h, ++m.now, *t };
	*h = nr_nodes++;
	*t = val;
}

/* The guest stored there, in one page. */
void ref_store(u64 gpa, const void *data, unsigned int len)
{
	int page = m_page_at(gpa >> PAGE_SHIFT);
	unsigned int off = PAGE_OFF(gpa), end = off + len, q;

	assert(page >= 0 && end <= PAGE_SIZE);
	for (q = off & ~7u; q < end; q += 8) {
		u64 val = truth[page][q / 8];
		unsigned int from = max(q, off), to = min(q + 8, end);

		memcpy((u8 *)&val + (from - q), (const u8 *)data + (from - off), to - from);
		set_truth(page, q, val);
	}
}

/* ---- how the guest's tables are read ---- */

void ref_regs_of(struct m_vcpu *c, struct ref_regs *r)
{
	const struct tdm_state *st = &c->v.st;
	bool pg = st->cr0 >> 31 & 1, pae = st->cr4 >> 5 & 1, lma = st->efer >> 10 & 1;

	*r = (struct ref_regs){
		.mode = !pg ? M_OFF : lma ? M_64 : pae ? M_PAE : M_32,
		.pse = st->cr4 >> 4 & 1, .pse36 = m.pse36, .page_1g = m.page_1g,
		.nx = st->efer >> 11 & 1, .wp = st->cr0 >> 16 & 1,
		.smep = st->cr4 >> 20 & 1, .smap = st->cr4 >> 21 & 1,
		.pke = st->cr4 >> 22 & 1, .ac = c->v.regs.rflags >> 18 & 1,
		.maxphyaddr = m.maxphyaddr, .cr3 = st->cr3, .pkru = c->pkru,
	};
	memcpy(r->pdpte, st->pdptr, sizeof(r->pdpte));
}

static unsigned int top_level(const struct ref_regs *r)
{
	return r->mode == M_64 ? 4 : 2;
}

static unsigned int entry_size(const struct ref_regs *r)
{
	return r->mode == M_32 ? 4 : 8;
}

static unsigned int shift_of(const struct ref_regs *r, unsigned int level)
{
	return r->mode == M_32 ? 2 + 10 * level : 3 + 9 * level;
}

static u64 mask(unsigned int lo, unsigned int hi)
{
	return lo > hi ? 0 : (~0ull << lo) & (~0ull >> (63 - hi));
}

enum kind { K_ABSENT, K_RESERVED, K_TABLE, K_PAGE };

/** struct step - what one entry means */
struct step {
	enum kind kind;
	u64 base;
	unsigned int shift;
};

static struct step step_32(const struct ref_regs *r, unsigned int level, u64 e)
{
	unsigned int high = r->maxphyaddr > 40 ? 40 : r->maxphyaddr;

	if (!(e & P_P))
		return (struct step){ .kind = K_ABSENT };
	if (level == 1)
		return (struct step){ K_PAGE, e & mask(12, 31), 12 };
	if (!(e & P_PS) || !r->pse)
		return (struct step){ .kind = K_TABLE, .base = e & mask(12, 31) };
	if (!r->pse36)
		high = 32;
	if (e & mask(high - 19, 21))
		return (struct step){ .kind = K_RESERVED };
	return (struct step){ K_PAGE,
		(e & mask(22, 31)) | (e & mask(13, high - 20)) << 19, 22 };
}

static struct step step_64bit(const struct ref_regs *r, unsigned int level, u64 e)
{
	unsigned int shift = shift_of(r, level);
	u64 bad = mask(r->maxphyaddr, 51);

	if (!(e & P_P))
		return (struct step){ .kind = K_ABSENT };
	if (!r->nx)
		bad |= P_XD;
	if (r->mode == M_PAE)
		bad |= mask(52, 62);
	if (level == 4 || (level == 3 && !r->page_1g))
		bad |= P_PS;
	if (e & bad)
		return (struct step){ .kind = K_RESERVED };
	if (level == 1)
		return (struct step){ K_PAGE, e & P_ADDR, 12 };
	if (!(e & P_PS))
		return (struct step){ .kind = K_TABLE, .base = e & P_ADDR };
	if (e & mask(13, shift - 1))
		return (struct step){ .kind = K_RESERVED };
	return (struct step){ K_PAGE, e & P_ADDR & mask(shift, 51), shift };
}

static struct step take_step(const struct ref_regs *r, unsigned int level, u64 e)
{
	return r->mode == M_32 ? step_32(r, level, e) : step_64bit(r, level, e);
}

struct path_rights {
	bool w, u, x;
	u8 pkey;
};

static void add_rights(const struct ref_regs *r, struct path_rights *p, u64 e)
{
	p->w &= e >> 1 & 1;
	p->u &= e >> 2 & 1;
	if (r->mode != M_32 && r->nx && (e & P_XD))
		p->x = false;
	p->pkey = r->mode == M_64 ? e >> 59 & 15 : 0;
}

/* 0: allowed; else error-code bits that come with the fault */
static u32 forbidden(const struct ref_regs *r, const struct path_rights *p, u32 access)
{
	bool implicit = access & TDM_WALK_IMPLICIT;
	bool user = (access & TDM_ACCESS_USER) && !implicit;
	bool write = access & TDM_ACCESS_WRITE, fetch = access & TDM_ACCESS_FETCH;
	bool bad = false;
	u32 err = 0;

	if (r->mode == M_64 && r->pke && p->u && !fetch) {
		unsigned int ad = r->pkru >> (2 * p->pkey) & 1;
		unsigned int wd = r->pkru >> (2 * p->pkey + 1) & 1;

		if (ad || (wd && write && (user || r->wp)))
			err |= TDM_PF_PK;
	}
	if (user) {
		bad = !p->u || (write && !p->w) || (fetch && !p->x);
	} else if (fetch) {
		bad = !p->x || (p->u && r->smep);
	} else {
		bad = write && !p->w && r->wp;
		if (p->u && r->smap && (implicit || !r->ac))
			bad = true;
	}
	return bad || err ? err | TDM_PF_P : 0;
}

static u64 read_entry(u64 gpa, unsigned int size)
{
	int page = m_page_at(gpa >> PAGE_SHIFT);
	u64 val;

	if (page < 0)
		return size == 8 ? REF_ALL_ONES : 0xffffffff;
	val = truth[page][PAGE_OFF(gpa) / 8];
	return size == 8 ? val : (u32)(val >> (gpa & 4) * 8);
}

u64 ref_table_entry(u64 gpa)
{
	return read_entry(gpa, 8);
}

/* The first table read from memory; false: the PDPTE register is not present. */
static bool root_of(const struct ref_regs *r, u64 gva, u64 *table)
{
	u64 pdpte = r->pdpte[gva >> 30 & 3];

	if (r->mode == M_PAE) {
		*table = pdpte & P_ADDR;
		return pdpte & P_P;
	}
	*table = r->cr3 & (r->mode == M_64 ? mask(12, r->maxphyaddr - 1) : mask(12, 31));
	return true;
}

static u64 entry_at(const struct ref_regs *r, unsigned int level, u64 table, u64 gva)
{
	unsigned int bits = r->mode == M_32 ? 10 : 9;

	return table + (gva >> shift_of(r, level) & mask(0, bits - 1)) * entry_size(r);
}

void ref_translate(const struct ref_regs *r, u64 gva, u32 access, struct ref_walk *w)
{
	struct path_rights p = { .w = true, .u = true, .x = true };
	unsigned int level;
	u64 table;
	u32 err;

	*w = (struct ref_walk){ .ok = true, .gpa = gva, .esize = entry_size(r) };
	if (r->mode == M_OFF)
		return;
	w->ok = false;
	if (access & TDM_ACCESS_WRITE)
		w->error |= TDM_PF_W;
	if ((access & TDM_ACCESS_USER) && !(access & TDM_WALK_IMPLICIT))
		w->error |= TDM_PF_U;
	if ((access & TDM_ACCESS_FETCH) && (r->smep || (r->nx && r->mode != M_32)))
		w->error |= TDM_PF_I;
	if (!root_of(r, gva, &table))
		return;
	for (level = top_level(r); ; level--) {
		u64 at = entry_at(r, level, table, gva), e = read_entry(at, entry_size(r));
		struct step s = take_step(r, level, e);

		w->entry_gpa[w->nr] = at;
		w->entry[w->nr++] = e;
		if (s.kind == K_ABSENT)
			return;
		if (s.kind == K_RESERVED) {
			w->error |= TDM_PF_P | TDM_PF_RSVD;
			return;
		}
		add_rights(r, &p, e);
		table = s.base;
		if (s.kind == K_PAGE) {
			w->shift = s.shift;
			break;
		}
	}
	err = forbidden(r, &p, access);
	w->error |= err;
	w->ok = !err;
	w->gpa = table + (gva & mask(0, w->shift - 1));
}

/* ---- what a TLB may hold ---- */

/** struct past - a search through the values entries had */
struct past {
	struct m_vcpu *c;
	const struct ref_regs *r;
	u64 gva, want;
	u32 access;
	u64 from[4], to[4];	/* when each entry on the path had its value */
	unsigned int nr;
};

/* Since when may the translation have been cached? */
static u64 flushed_at(const struct past *s, unsigned int shift, bool global)
{
	const struct m_vcpu *c = s->c;
	bool pge = c->v.st.cr4 >> 7 & 1;
	unsigned int pcid = c->v.st.cr4 >> 17 & 1 ? s->r->cr3 & 0xfff : 0, i;
	u64 t;

	global = global && pge;
	t = global ? c->gflushed : c->flushed[pcid];
	for (i = 0; i < min(c->nr_invlpg, M_INVLPGS); i++) {
		const struct m_invlpg *v = &c->invlpg[i];

		if (v->gva >> shift == s->gva >> shift &&
		    (global ? v->any_pcid : v->pcid == pcid))
			t = max(t, v->time);
	}
	return t;
}

/* Can the entries have been read one after the other, after the flush? */
static bool in_order(const struct past *s, u64 t)
{
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		t = max(t, s->from[i]);
		if (t >= s->to[i])
			return false;
	}
	return true;
}

static bool search(struct past *s, unsigned int level, u64 table, struct path_rights p);

static bool try_value(struct past *s, unsigned int level, u64 at, u64 e,
		      struct path_rights p, u64 from, u64 to)
{
	struct step n = take_step(s->r, level, e);
	struct m_slot *slot = m_slot_at(at >> PAGE_SHIFT);
	u64 need = P_A | (n.kind == K_PAGE && (s->access & TDM_ACCESS_WRITE) ? P_D : 0);
	bool found;

	if (n.kind < K_TABLE)
		return false;
	if ((e & need) != need && slot && !(slot->flags & KVM_MEM_READONLY))
		return false;
	add_rights(s->r, &p, e);
	s->from[s->nr] = from;
	s->to[s->nr++] = to;
	if (n.kind == K_TABLE)
		found = search(s, level - 1, n.base, p);
	else
		found = n.base + (s->gva & mask(0, n.shift - 1)) == s->want &&
			!forbidden(s->r, &p, s->access) &&
			in_order(s, flushed_at(s, n.shift, e & P_G));
	s->nr--;
	return found;
}

/* Try every value the entry had, the present one first. */
static bool search(struct past *s, unsigned int level, u64 table, struct path_rights p)
{
	u64 at = entry_at(s->r, level, table, s->gva), to = NEVER, val;
	unsigned int size = entry_size(s->r);
	int page = m_page_at(at >> PAGE_SHIFT), n;
	u32 key;

	if (page < 0)
		return try_value(s, level, at, read_entry(at, size), p, 0, NEVER);
	key = key_of(page, PAGE_OFF(at));
	val = truth[page][PAGE_OFF(at) / 8];
	for (n = head[hash_64(key, 12)]; ; n = node[n].next) {
		while (n >= 0 && node[n].key != key)
			n = node[n].next;
		if (try_value(s, level, at, size == 8 ? val : (u32)(val >> (at & 4) * 8),
			      p, n < 0 ? 0 : node[n].ended, to))
			return true;
		if (n < 0)
			return false;
		to = node[n].ended;
		val = node[n].val;
	}
}

/* The access went through and reached @gpa: was that right? */
bool ref_may_be_cached(struct m_vcpu *c, const struct ref_regs *r, u64 gva,
		       u32 access, u64 gpa)
{
	struct past s = { .c = c, .r = r, .gva = gva, .want = gpa, .access = access };
	u64 table;

	if (r->mode == M_OFF)
		return gva == gpa;
	return root_of(r, gva, &table) &&
	       search(&s, top_level(r), table, (struct path_rights){ .w = true, .u = true, .x = true });
}

/* ---- accessed and dirty flags ---- */

static u64 real_value(int page, u64 gpa)
{
	if (!m.host[page].present)
		return truth[page][PAGE_OFF(gpa) / 8];
	return *(u64 *)(m_frame(m.host[page].pfn) + (PAGE_OFF(gpa) & ~7ul));
}

/* The entry's value of 4 or 8 bytes as mask of the 8 around it. */
static u64 widen(u64 bits, u64 gpa, unsigned int size)
{
	return size == 8 ? bits : bits << (gpa & 4) * 8;
}

/* What the access sets in the 8 bytes around an entry; an entry can be on a path twice. */
static u64 flags_set(const struct ref_walk *w, u64 at, u32 access)
{
	u64 bits = 0;
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		if ((w->entry_gpa[i] ^ at) & ~7ull)
			continue;
		bits |= widen(P_A, w->entry_gpa[i], w->esize);
		if (i == w->nr - 1 && (access & TDM_ACCESS_WRITE))
			bits |= widen(P_D, w->entry_gpa[i], w->esize);
	}
	return bits;
}

/*
 * An access along @w was made: its entries may now have A and the leaf D, and
 * if @must, they have.
 */
void ref_absorb(const struct ref_walk *w, u32 access, bool must)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		u64 at = w->entry_gpa[i], may = flags_set(w, at, access), real, old;
		struct m_slot *slot = m_slot_at(at >> PAGE_SHIFT);
		int page = m_page_at(at >> PAGE_SHIFT);

		if (page < 0)
			continue;
		real = real_value(page, at);
		old = truth[page][PAGE_OFF(at) / 8];
		m_must(!((real ^ old) & ~may) && !(old & ~real),
		       "more than A and D changed in a table",
		       "gpa %llx: %llx, was %llx", (unsigned long long)at,
		       (unsigned long long)real, (unsigned long long)old);
		if (slot->flags & KVM_MEM_READONLY) {
			m_must(real == old, "A or D set in a read-only memslot",
			       "gpa %llx", (unsigned long long)at);
			continue;
		}
		m_must(!must || (real & may) == may, "A or D is not set",
		       "gpa %llx: %llx, level %u of %u from above", (unsigned long long)at,
		       (unsigned long long)real, i + 1, w->nr);
		if (real == old)
			continue;
		m_must(!m.code[page] || m.reported[page] == m.op,
		       "A or D set in a page of code without a word", "page %d", page);
		set_truth(page, PAGE_OFF(at), real);
	}
}

/* The access did not happen: nothing may have changed. */
void ref_untouched(const struct ref_walk *w)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		u64 at = w->entry_gpa[i];
		int page = m_page_at(at >> PAGE_SHIFT);

		m_must(page < 0 || real_value(page, at) == truth[page][PAGE_OFF(at) / 8],
		       "an access that faulted changed a table", "gpa %llx",
		       (unsigned long long)at);
	}
}
