// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit of the translation cache's model: what must hold between any two steps.
 */
#include "bt_tc_model.h"

static void audit_links(struct tdm_bt_vm *tc, struct tdm_tu *tu)
{
	struct tdm_tu_link *link;
	u8 code[5];
	s32 rel;
	int i;

	for (i = 0; i < tu->nr_links; i++) {
		link = &tu->links[i];
		tdm_tc_read(tc, tu->off + link->patch - 1, code, sizeof(code));
		memcpy(&rel, code + 1, sizeof(rel));
		rel += tu->off + link->patch + 4;
		if (link->state == TDM_LINK_ELIDED) {
			must(link->to->off == tu->off + tu->len, "elided, but not behind");
		} else {
			must(tu->dead || (code[0] == 0xe9 &&
			     (u32)rel == (link->state == TDM_LINK_CELL ? link->cell : link->to->off)),
			     "TU %u: branch %u leads to 0x%x", tu->nr, i, rel);
		}
		must(link->state == TDM_LINK_CELL ||
		     (!tu->dead && !link->to->dead && link->to->space == tu->space &&
		      link->to->rip == link->target), "TU %u: bad link %u", tu->nr, i);
	}
}

/* The fragment is as it was made, but for where its branches lead. */
static void audit_host(struct tdm_bt_vm *tc, const struct tdm_tu *tu)
{
	const struct m_tu *m = &made[tu->nr];
	u8 code[sizeof(m->host)];
	unsigned int i, j;
	bool branch;

	tdm_tc_read(tc, tu->off, code, tu->len);
	for (i = 0; i < tu->len; i++) {
		branch = false;
		for (j = 0; j < tu->nr_links; j++)
			branch |= i - tu->links[j].patch < 4;
		must(branch || code[i] == m->host[i],
		     "TU %u at 0x%x: byte %u of its fragment is %02x", tu->nr, tu->off, i, code[i]);
	}
}

static void audit_bytes(const struct tdm_tu *tu)
{
	const struct m_tu *m = &made[tu->nr];
	const struct tdm_code_ref *ref;
	unsigned int i, at = 0;

	for (i = 0; i < 2; i++) {
		ref = &tu->ref[i];
		if (!ref->len)
			continue;
		must(ref->page && ref->page->space == tu->space, "TU %u has no page", tu->nr);
		must(tracks[ref->page->gfn->gfn], "TU %u in a page without a trace", tu->nr);
		must(!memcmp(&memory[ref->page->gfn->gfn][ref->off], m->bytes + at, ref->len),
		     "TU %u: memory says otherwise", tu->nr);
		at += ref->len;
	}
	must(at == m->len && m->rip == tu->rip, "TU %u: bytes without a page", tu->nr);
}

static void audit_tus(struct tdm_bt_vm *tc)
{
	u32 nr, alive = 0, end = tc->common_len;
	struct tdm_tu *tu;

	for (nr = 1; nr < tc->nr_tus; nr++) {
		tu = tdm_tc_tu(tc, nr);
		must(tu && tu->nr == nr && tu->off >= end, "TU %u out of order", nr);
		end = tu->off + tu->len;
		must(tdm_tc_at(tc, tu->off) == tu && tdm_tc_at(tc, end - 1) == tu,
		     "TU %u is not found at its address", nr);
		audit_links(tc, tu);
		if (!tu->dead) {
			audit_bytes(tu);
			audit_host(tc, tu);
			alive++;
		}
	}
	must(alive == (u64)vm.stat[TDM_VMSTAT_bt_tus].v, "%u TUs counted as %lld", alive,
	     (long long)vm.stat[TDM_VMSTAT_bt_tus].v);
	must(tc->nr_tus - 1 - alive == tc->nr_dead, "dead TUs are not counted right");
}

static void audit_lookups(struct tdm_bt_vm *tc)
{
	const u64 miss = SLOT + TDM_BT_TC;
	struct tdm_bt_lookup *l;
	struct tdm_bt_tcv *tcv;
	struct m_stub stub;
	struct tdm_tu *tu;
	unsigned int i, e;
	u64 entry;

	list_for_each_entry(tcv, &tc->vcpus, node)
		list_for_each_entry(l, &tcv->lookups, node)
			for (i = 0; i < TDM_LOOKUP_PAGES; i++)
				for (e = 0; l->page[i] && e < 512; e++) {
					entry = l->page[i][e];
					if (entry == miss)
						continue;
					tdm_tc_read(tc, entry - miss, &stub, sizeof(stub));
					tu = tdm_tc_at(tc, stub.fragment - miss);
					must(stub.va == entry && tu && !tu->dead &&
					     tu->rip == stub.rip && tu->space == l->space &&
					     (stub.rip & 0xffff) == i * 512 + e,
					     "bad lookup entry");
				}
}

static void audit_gfns(struct tdm_bt_vm *tc)
{
	struct tdm_code_gfn *gfn;
	struct tdm_code_page *page;
	struct tdm_code_ref *ref;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tc->gfns); i++)
		hlist_for_each_entry(gfn, &tc->gfns[i], hash) {
			must(tracks[gfn->gfn] <= gfn->tracked, "a trace nobody owes");
			must(gfn->tracked || list_empty(&gfn->pages), "code without a trace");
			list_for_each_entry(page, &gfn->pages, in_gfn) {
				must(!hlist_empty(&page->refs), "a page without code");
				hlist_for_each_entry(ref, &page->refs, node)
					must(gfn->blocks >> (ref->off / 64) & 1, "blocks");
			}
		}
}

void audit(void)
{
	struct tdm_bt_vm *tc = to_bt_vm(&vm);

	audit_tus(tc);
	audit_lookups(tc);
	audit_gfns(tc);
}
