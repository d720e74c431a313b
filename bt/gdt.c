// SPDX-License-Identifier: GPL-2.0-only
/*
 * The monitor's GDT, and segment registers in and out.
 *
 * The GDT covers all 8192 selectors, so that user code sees its own selector
 * values. In it are, besides the monitor's own descriptors at the top, only code
 * and data descriptors with DPL 3: those of the guest's GDT (the mirror), and over
 * them the hidden parts of what is loaded (canonical state), at the index of the
 * selector. All others are absent: loading them traps, and the core does it. There
 * is no LDT: selectors of one trap, too.
 *
 * The mirror is mirror.c's. A descriptor that is not in it is never wrong when loaded
 * (it traps), but LAR and kin say "no". Descriptors have the accessed bit set, the
 * guest's in memory is not set by loads of user code.
 *
 * Must not put anything in the GDT with another DPL, a system descriptor, or one
 * at the monitor's own indices: gdt_put() and the mirror are the only ones that write.
 */
#include <asm/desc.h>
#include <asm/segment.h>
#include <linux/mm.h>

#include "arch/x86/segment.h"
#include "bt/world.h"

/* Segments that user code loads; CS and SS come with the frame. */
static const u8 data_segs[] = { TDM_SEG_ES, TDM_SEG_DS, TDM_SEG_FS, TDM_SEG_GS };

/* ---- descriptors ---- */

static u64 flat(u32 access, u32 flags)
{
	return 0xffffull | (u64)access << 40 | 0xfull << 48 | (u64)flags << 52;
}

static u64 *own(struct tdm_bt_mon *m, u16 sel)
{
	return &m->gdt[BT_GDT_PAGES - 1][(sel >> 3) % (PAGE_SIZE / 8)];
}

/** tdm_bt_gdt_init() - the monitor's own descriptors, but the TSS's */
void tdm_bt_gdt_init(struct tdm_bt_mon *m)
{
	*own(m, TDM_BT_SEL_K64) = flat(0x9b, 0xa);
	*own(m, TDM_BT_SEL_KDS) = flat(0x93, 0xc);
	*own(m, TDM_BT_SEL_C64) = flat(0xbb, 0xa);
	*own(m, TDM_BT_SEL_D1) = flat(0xb3, 0xc);
}

/** tdm_bt_gdt_base() - the TSS's descriptor, available, for a slot at @base */
void tdm_bt_gdt_base(struct tdm_bt_mon *m, u64 base)
{
	set_tssldt_descriptor(own(m, TDM_BT_SEL_TSS), base + TDM_BT_TSS, DESC_TSS,
			      sizeof(struct x86_hw_tss) - 1);
}

static u64 seg_to_desc(const struct tdm_segment *s)
{
	u32 limit = s->ar & TDM_AR_G ? s->limit >> 12 : s->limit;

	return (limit & 0xffff) | (s->base & 0xffffff) << 16 |
	       (u64)((s->ar & 0xf0ff) | TDM_AR_ACCESSED) << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (s->base >> 24 & 0xff) << 56;
}

/* Where the descriptor of a guest's selector is; NULL: it cannot be there. */
static u64 *gdt_entry(struct tdm_bt_mon *m, u16 sel)
{
	unsigned int index = sel >> 3;
	u64 *page;

	if ((sel & 4) || !index || index >= BT_GDT_GUEST)
		return NULL;
	page = m->gdt[index / (PAGE_SIZE / 8)];
	return page ? &page[index % (PAGE_SIZE / 8)] : NULL;
}

static bool gdt_put(struct tdm_bt_mon *m, const struct tdm_segment *s)
{
	u64 *entry = gdt_entry(m, s->selector);

	if (!entry || (s->ar & TDM_AR_UNUSABLE) || (s->ar & TDM_BT_AR_MIRRORED) != TDM_BT_AR_MIRRORED)
		return false;
	WRITE_ONCE(*entry, seg_to_desc(s));
	return true;
}

/* ---- CS and SS of user code ---- */

static bool same(const struct tdm_segment *a, const struct tdm_segment *b)
{
	return a->selector == b->selector && a->ar == b->ar && a->base == b->base &&
	       a->limit == b->limit;
}

/**
 * tdm_bt_user_selectors() - frame.cs and frame.ss for user code
 * @b: vCPU; its canonical CS, SS and LDTR are fresh
 *
 * There is no LDT here, and LAR of its selectors would not even trap.
 *
 * Return: 0; -EINVAL: the state cannot be loaded by selectors (an LDT's, hidden
 * parts no descriptor can have): interpret.
 */
int tdm_bt_user_selectors(struct tdm_bt *b)
{
	const struct tdm_segment *cs = &b->vcpu->st.seg[TDM_SEG_CS];
	const struct tdm_segment *ss = &b->vcpu->st.seg[TDM_SEG_SS];
	struct tdm_bt_mon *m = b->mon;

	if (unlikely(b->vcpu->st.seg[TDM_SEG_LDTR].selector & ~3))
		return -EINVAL;
	b->frame.cs = cs->selector;
	b->frame.ss = ss->selector;
	if (likely(same(cs, &m->user_cs) && same(ss, &m->user_ss)))
		return 0;
	m->user_cs.selector = 0;
	if ((cs->selector & 3) != 3 || (ss->selector & 3) != 3 ||
	    !(cs->ar & TDM_AR_CODE) || (ss->ar & TDM_AR_CODE) || !(ss->ar & TDM_AR_RW) ||
	    (cs->selector ^ ss->selector) < 8)
		return -EINVAL;
	if (!gdt_put(m, cs) || !gdt_put(m, ss))
		return -EINVAL;
	m->user_cs = *cs;
	m->user_ss = *ss;
	return 0;
}

/* ---- ES, DS, FS, GS ---- */

/* What to load for a segment: its selector if the GDT can give it, else null. */
static u16 loadable(struct tdm_bt_mon *m, const struct tdm_segment *s)
{
	if (!(s->selector & ~3))
		return s->selector;
	if ((s->ar & (TDM_AR_CODE | TDM_AR_RW)) == TDM_AR_CODE)
		return 0;
	return gdt_put(m, s) ? s->selector : 0;
}

static void load(unsigned int seg, u16 sel)
{
	switch (seg) {
	case TDM_SEG_ES:
		loadsegment(es, sel);
		break;
	case TDM_SEG_DS:
		loadsegment(ds, sel);
		break;
	case TDM_SEG_FS:
		loadsegment(fs, sel);
		break;
	default:
		/* The guest's GS is behind SWAPGS now. */
		load_gs_index(sel);
		break;
	}
}

static u16 loaded(unsigned int seg)
{
	u16 sel;

	switch (seg) {
	case TDM_SEG_ES:
		savesegment(es, sel);
		break;
	case TDM_SEG_DS:
		savesegment(ds, sel);
		break;
	case TDM_SEG_FS:
		savesegment(fs, sel);
		break;
	default:
		savesegment(gs, sel);
		break;
	}
	return sel;
}

/**
 * tdm_bt_segs_in() - canonical ES, DS, FS, GS to the CPU
 * @b: vCPU, monitor state
 */
void tdm_bt_segs_in(struct tdm_bt *b)
{
	const struct tdm_segment *seg = b->vcpu->st.seg;
	struct tdm_bt_mon *m = b->mon;
	unsigned int i, s;
	u16 sel;

	for (i = 0; i < ARRAY_SIZE(data_segs); i++) {
		s = data_segs[i];
		sel = loadable(m, &seg[s]);
		/* A null selector stays what it is; others have new hidden parts. */
		if ((sel & ~3) || sel != loaded(s))
			load(s, sel);
		m->sel[s] = sel;
	}
	tdm_host_set_fs_base(seg[TDM_SEG_FS].base);
	tdm_host_set_kernel_gs_base(seg[TDM_SEG_GS].base);
}

/**
 * tdm_bt_segs_out() - ES, DS, FS, GS as the guest's code left them
 * @b: vCPU, loaded. No-op unless its segments are in the CPU
 *
 * A selector that is as it was loaded has the hidden part it was loaded with.
 */
void tdm_bt_segs_out(struct tdm_bt *b)
{
	struct tdm_segment *seg = b->vcpu->st.seg;
	struct tdm_bt_mon *m = b->mon;
	unsigned int i, s;
	u64 *entry;
	u16 sel;

	if (!m->segs.loaded)
		return;
	for (i = 0; i < ARRAY_SIZE(data_segs); i++) {
		s = data_segs[i];
		sel = loaded(s);
		if (likely(sel == m->sel[s]))
			continue;
		m->sel[s] = sel;
		entry = gdt_entry(m, sel);
		if (entry)
			tdm_segment_from_desc(&seg[s], *entry, sel);
		else
			seg[s] = (struct tdm_segment) { .selector = sel, .ar = TDM_AR_UNUSABLE };
	}
	seg[TDM_SEG_FS].base = tdm_host_fs_base();
	seg[TDM_SEG_GS].base = tdm_host_kernel_gs_base();
}
