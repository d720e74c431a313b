// SPDX-License-Identifier: GPL-2.0-only
/*
 * The translation cache in words, for people: the log when something broke, a
 * debugfs file. Reads only; slow.
 */
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "bt/tc.h"
#include "shadow_mmu/mmu.h"

static const char *const kind_names[] = {
	[TDM_REC_BEFORE]	= "before",
	[TDM_REC_AFTER]		= "after",
	[TDM_REC_TAKEN]		= "taken",
	[TDM_REC_INDIRECT]	= "indirect",
};

static const char *const op_names[TDM_NR_BT_OPS] = {
	[TDM_BT_OP_NONE]	= "",
	[TDM_BT_OP_INTERPRET]	= " interpret",
	[TDM_BT_OP_CPUID]	= " cpuid",
	[TDM_BT_OP_HLT]		= " hlt",
	[TDM_BT_OP_RDMSR]	= " rdmsr",
	[TDM_BT_OP_WRMSR]	= " wrmsr",
	[TDM_BT_OP_CR_WRITE]	= " cr_write",
	[TDM_BT_OP_CR_READ]	= " cr_read",
	[TDM_BT_OP_INVLPG]	= " invlpg",
	[TDM_BT_OP_RDTSC]	= " rdtsc",
	[TDM_BT_OP_RDTSCP]	= " rdtscp",
	[TDM_BT_OP_IO]		= " io",
	[TDM_BT_OP_WBINVD]	= " wbinvd",
	[TDM_BT_OP_SREG_READ]	= " sreg_read",
	[TDM_BT_OP_IRET]	= " iret",
	[TDM_BT_OP_SYSRET]	= " sysret",
	[TDM_BT_OP_SWAPGS]	= " swapgs",
	[TDM_BT_OP_CLTS]	= " clts",
	[TDM_BT_OP_RET]		= " ret",
	[TDM_BT_OP_CALL_IND]	= " call_ind",
	[TDM_BT_OP_JMP_IND]	= " jmp_ind",
};

/**
 * struct tu_copy - a TU as it was at one moment
 * @va: address of the fragment
 * @gpa: of its guest code; ~0: dead
 * @host: bytes of the fragment
 * @guest: bytes of guest code
 * @recs: fault map
 * @tu: the rest; its pointers are not to be followed
 */
struct tu_copy {
	u64 va;
	u64 gpa;
	u8 host[TDM_TU_MAX_HOST];
	u8 guest[TDM_TC_FETCH];
	struct tdm_bt_rec recs[TDM_TU_MAX_RECS];
	struct tdm_tu tu;
};

/* Copy the first TU with a number of at least *@nr; false: none. */
static bool next_tu(struct tdm_bt_vm *tc, u32 *nr, struct tu_copy *c)
{
	struct tdm_tu *tu = NULL;

	spin_lock(&tc->lock);
	for (*nr = max(*nr, 1u); *nr < tc->nr_tus; (*nr)++) {
		tu = tdm_tc_tu(tc, *nr);
		if (tu)
			break;
	}
	if (tu) {
		c->tu = *tu;
		memcpy(c->recs, tu->recs, tu->nr_recs * sizeof(c->recs[0]));
		c->va = tdm_tc_va(tc, tu->off);
		c->gpa = tu->ref[0].page ?
			 tu->ref[0].page->gfn->gfn * PAGE_SIZE + tu->ref[0].off : ~0ull;
		tdm_tc_read(tc, tu->off, c->host, tu->len);
	}
	spin_unlock(&tc->lock);
	return tu;
}

static void line(struct seq_file *m, const char *what, const u8 *bytes, unsigned int len)
{
	unsigned int at, n;

	for (at = 0; at < len; at += n) {
		n = min(len - at, 32u);
		if (m)
			seq_printf(m, "  %s %*ph\n", what, n, bytes + at);
		else
			pr_info("tandem:   %s %*ph\n", what, n, bytes + at);
	}
}

#define say(m, fmt, ...) do {						\
	if (m)								\
		seq_printf(m, fmt, ##__VA_ARGS__);			\
	else								\
		pr_info("tandem: " fmt, ##__VA_ARGS__);			\
} while (0)

static void show_recs(struct seq_file *m, const struct tu_copy *c)
{
	const struct tdm_bt_rec *r;
	int i;

	for (i = 0; i < c->tu.nr_recs; i++) {
		r = &c->recs[i];
		say(m, "  +0x%x %s insn %u at +0x%x, %u bytes%s restore 0x%x flags 0x%x\n", r->hoff,
		    r->kind < ARRAY_SIZE(kind_names) ? kind_names[r->kind] : "?", r->insn,
		    r->goff, r->glen,
		    r->op < TDM_NR_BT_OPS && op_names[r->op] ? op_names[r->op] : " ?",
		    r->restore, r->flags);
	}
}

static void show_links(struct seq_file *m, const struct tu_copy *c)
{
	static const char *const states[] = {
		[TDM_LINK_CELL] = "not chained", [TDM_LINK_CHAINED] = "chained",
		[TDM_LINK_ELIDED] = "elided",
	};
	int i;

	for (i = 0; i < c->tu.nr_links; i++)
		say(m, "  link to 0x%llx %s\n", c->tu.links[i].target,
		    states[c->tu.links[i].state]);
}

static void show_tu(struct seq_file *m, struct tdm_bt_vm *tc, struct tu_copy *c)
{
	const struct tdm_tu *tu = &c->tu;

	say(m, "tu %u rip 0x%llx %u bytes %u instructions (%u identical) tc 0x%llx %u bytes%s\n",
	    tu->nr, tu->rip, tu->guest_len, tu->nr_insns, tu->nr_ident, c->va, tu->len,
	    tu->dead ? " dead" : "");
	/* Only the VM's own threads can read its memory. */
	if (!m && c->gpa != ~0ull && !tu->ref[1].len &&
	    !tdm_read_gpa(tc->vm, c->gpa, c->guest, tu->guest_len))
		line(m, "guest", c->guest, tu->guest_len);
	line(m, "host ", c->host, tu->len);
	show_recs(m, c);
	show_links(m, c);
}

/**
 * tdm_bt_explain() - tdm_engine_ops.explain: to the log, what was made of guest code
 * @vcpu: loaded vCPU, process context
 * @rip: guest address; all TUs of all spaces that have it are shown
 */
void tdm_bt_explain(struct tdm_vcpu *vcpu, u64 rip)
{
	struct tdm_bt_vm *tc = to_bt_vm(vcpu->vm);
	struct tu_copy *c = kvmalloc(sizeof(*c), GFP_KERNEL);
	u32 nr;

	if (!c)
		return;
	for (nr = 1; next_tu(tc, &nr, c); nr++)
		if (rip - c->tu.rip < c->tu.guest_len)
			show_tu(NULL, tc, c);
	kvfree(c);
}

/* ---- a file: all TUs, one after the other ---- */

static void *tus_start(struct seq_file *m, loff_t *pos)
{
	struct tdm_vm *vm = m->private;
	struct tu_copy *c;
	u32 nr = *pos;

	if (!to_bt_vm(vm) || *pos >= U32_MAX)
		return NULL;
	c = kvmalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return ERR_PTR(-ENOMEM);
	if (!next_tu(to_bt_vm(vm), &nr, c)) {
		kvfree(c);
		return NULL;
	}
	*pos = nr;
	return c;
}

static void *tus_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct tdm_vm *vm = m->private;
	u32 nr = *pos + 1;

	if (!next_tu(to_bt_vm(vm), &nr, v)) {
		*pos = U32_MAX;
		kvfree(v);
		return NULL;
	}
	*pos = nr;
	return v;
}

static void tus_stop(struct seq_file *m, void *v)
{
	if (!IS_ERR_OR_NULL(v))
		kvfree(v);
}

static int tus_show(struct seq_file *m, void *v)
{
	struct tdm_vm *vm = m->private;

	show_tu(m, to_bt_vm(vm), v);
	return 0;
}

const struct seq_operations tdm_bt_tc_seq = {
	.start = tus_start,
	.next = tus_next,
	.stop = tus_stop,
	.show = tus_show,
};
