// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ops of the test guest, and the driver that plays userspace for its
 * device accesses.
 */
#include <asm/processor-flags.h>
#include <cpuid.h>

#include "emul_guest.h"

static struct guest *of(struct tdm_emul_ctxt *c)
{
	return c->priv;
}

static int page_fault(struct tdm_emul_ctxt *c, u64 lin, unsigned int acc,
		      bool present)
{
	u32 err = present;

	if (acc & TDM_ACC_WRITE)
		err |= 2;
	if (acc & TDM_ACC_USER)
		err |= 4;
	if (acc & TDM_ACC_FETCH)
		err |= 16;
	return tdm_emul_fault(c, 14, true, err, lin);
}

/* Find the memory of an access; the whole of it is in one page. */
static int find(struct tdm_emul_ctxt *c, u64 lin, unsigned int size,
		unsigned int acc, u8 **mem)
{
	struct guest *g = of(c);
	unsigned int i;

	if (size > 4096 || (lin & 4095) + size > 4096)
		abort();	/* the emulator promised not to */
	for (i = 0; i < g->nr_regions; i++) {
		struct region *r = &g->region[i];

		if (lin < r->base || lin - r->base >= r->len)
			continue;
		if (((acc & TDM_ACC_WRITE) && (r->flags & REGION_READONLY)) ||
		    ((acc & TDM_ACC_USER) && (r->flags & REGION_SUPER)))
			return page_fault(c, lin, acc, true);
		if (r->flags & REGION_DEVICE) {
			c->mmio_gpa = lin;
			return TDM_EMUL_MMIO;
		}
		if (lin - r->base + size > r->len)
			abort();	/* regions are whole pages */
		*mem = r->mem + (lin - r->base);
		return TDM_EMUL_DONE;
	}
	return page_fault(c, lin, acc, false);
}

static int op_read(struct tdm_emul_ctxt *c, u64 lin, void *data,
		   unsigned int size, unsigned int acc)
{
	u8 *mem;
	int rc = find(c, lin, size, acc, &mem);

	if (!rc)
		memcpy(data, mem, size);
	return rc;
}

static int op_write(struct tdm_emul_ctxt *c, u64 lin, const void *data,
		    unsigned int size, unsigned int acc)
{
	u8 *mem;
	int rc = find(c, lin, size, acc, &mem);

	if (!rc)
		memcpy(mem, data, size);
	return rc;
}

static int op_probe(struct tdm_emul_ctxt *c, u64 lin, unsigned int size,
		    unsigned int acc)
{
	u8 *mem;

	return find(c, lin, size, acc, &mem);
}

static int op_cmpxchg(struct tdm_emul_ctxt *c, u64 lin, const void *old,
		      const void *new, unsigned int size, unsigned int acc)
{
	struct guest *g = of(c);
	u8 *mem;
	int rc = find(c, lin, size, acc, &mem);

	if (rc)
		return rc;
	if (g->race) {
		/* Another CPU was faster. */
		g->race--;
		mem[0]++;
		return TDM_EMUL_RACED;
	}
	if (memcmp(mem, old, size))
		return TDM_EMUL_RACED;
	memcpy(mem, new, size);
	return TDM_EMUL_DONE;
}

/* The device itself: reads count up, everything is written down. */
static void device(struct guest *g, struct tdm_emul_io *io, u8 *pio)
{
	unsigned int i;

	if (g->nr_journal == GUEST_JOURNAL)
		abort();
	if (io->kind == TDM_EMUL_MMIO_READ) {
		io->data = g->next_data++;
		if (io->size < 8)
			io->data &= (1ull << (io->size * 8)) - 1;
	}
	if (io->kind == TDM_EMUL_PIO_IN)
		for (i = 0; i < io->count; i++) {
			u64 v = g->next_data++;

			memcpy(pio + i * io->size, &v, io->size);
		}
	if (io->kind == TDM_EMUL_PIO_OUT)
		memcpy(&io->data, pio, io->size);
	g->journal[g->nr_journal++] = *io;
}

static int op_mmio(struct tdm_emul_ctxt *c, struct tdm_emul_io *io)
{
	if (of(c)->exit_io)
		return TDM_EMUL_IO;
	device(of(c), io, NULL);
	return TDM_EMUL_DONE;
}

static int op_pio(struct tdm_emul_ctxt *c, struct tdm_emul_io *io)
{
	if (of(c)->exit_io)
		return TDM_EMUL_IO;
	device(of(c), io, c->pio_data);
	return TDM_EMUL_DONE;
}

static void op_need_segment(struct tdm_emul_ctxt *c, enum tdm_seg seg)
{
	c->segs_ready |= 1u << seg;
}

static void op_set_segment(struct tdm_emul_ctxt *c, enum tdm_seg seg,
			   const struct tdm_segment *s)
{
	of(c)->seg[seg] = *s;
}

static void op_get_table(struct tdm_emul_ctxt *c, bool idt, struct tdm_table *t)
{
	*t = idt ? of(c)->idt : of(c)->gdt;
}

static void op_set_table(struct tdm_emul_ctxt *c, bool idt,
			 const struct tdm_table *t)
{
	*(idt ? &of(c)->idt : &of(c)->gdt) = *t;
}

static u64 op_get_cr(struct tdm_emul_ctxt *c, unsigned int cr)
{
	return of(c)->cr[cr];
}

static int op_set_cr(struct tdm_emul_ctxt *c, unsigned int cr, u64 val)
{
	/* One rule stands for all: CR0.PG without PE is refused. */
	if (cr == 0 && (val & X86_CR0_PG) && !(val & X86_CR0_PE))
		return tdm_emul_fault(c, 13, true, 0, 0);
	of(c)->cr[cr] = val;
	return TDM_EMUL_DONE;
}

static u64 op_get_dr(struct tdm_emul_ctxt *c, unsigned int dr)
{
	return of(c)->dr[dr];
}

static int op_set_dr(struct tdm_emul_ctxt *c, unsigned int dr, u64 val)
{
	if (dr >= 6 && val >> 32)
		return tdm_emul_fault(c, 13, true, 0, 0);
	of(c)->dr[dr] = val;
	return TDM_EMUL_DONE;
}

static u64 *msr(struct guest *g, u32 index)
{
	switch (index) {
	case 0x174:
		return &g->sysenter_cs;
	case 0x175:
		return &g->sysenter_esp;
	case 0x176:
		return &g->sysenter_eip;
	case 0xc0000081:
		return &g->star;
	case 0xc0000082:
		return &g->lstar;
	case 0xc0000083:
		return &g->cstar;
	case 0xc0000084:
		return &g->fmask;
	case 0xc0000102:
		return &g->kernel_gs;
	case 0xc0000103:
		return &g->tsc_aux;
	default:
		return NULL;
	}
}

static int op_get_msr(struct tdm_emul_ctxt *c, u32 index, u64 *val)
{
	u64 *p = msr(of(c), index);

	if (!p)
		return tdm_emul_fault(c, 13, true, 0, 0);
	*val = *p;
	return TDM_EMUL_DONE;
}

static int op_set_msr(struct tdm_emul_ctxt *c, u32 index, u64 val)
{
	u64 *p = msr(of(c), index);

	if (!p)
		return tdm_emul_fault(c, 13, true, 0, 0);
	*p = val;
	return TDM_EMUL_DONE;
}

static int op_get_xcr(struct tdm_emul_ctxt *c, u32 xcr, u64 *val)
{
	if (xcr)
		return tdm_emul_fault(c, 13, true, 0, 0);
	*val = of(c)->xcr0;
	return TDM_EMUL_DONE;
}

static int op_set_xcr(struct tdm_emul_ctxt *c, u32 xcr, u64 val)
{
	if (xcr || !(val & 1))
		return tdm_emul_fault(c, 13, true, 0, 0);
	of(c)->xcr0 = val;
	return TDM_EMUL_DONE;
}

static void op_cpuid(struct tdm_emul_ctxt *c, u32 *a, u32 *b, u32 *cx, u32 *d)
{
	(void)c;
	*b = *a + 1;
	*d = *cx + 2;
	*a = 0x55;
	*cx = 0x66;
}

static u64 op_rdtsc(struct tdm_emul_ctxt *c)
{
	return of(c)->tsc++;
}

static void op_halt(struct tdm_emul_ctxt *c)
{
	of(c)->halted = true;
}

static void op_wbinvd(struct tdm_emul_ctxt *c)
{
	of(c)->nr_invd++;
}

static void op_invlpg(struct tdm_emul_ctxt *c, u64 lin)
{
	of(c)->invlpg = lin;
}

static int op_invpcid(struct tdm_emul_ctxt *c, u64 type, u64 pcid, u64 lin)
{
	(void)type;
	(void)pcid;
	of(c)->invlpg = lin;
	return TDM_EMUL_DONE;
}

static void op_get_vec(struct tdm_emul_ctxt *c, unsigned int reg, void *data,
		       unsigned int size)
{
	memcpy(data, of(c)->vec[reg], size);
}

static void op_set_vec(struct tdm_emul_ctxt *c, unsigned int reg,
		       const void *data, unsigned int size, bool zero_upper)
{
	memcpy(of(c)->vec[reg], data, size);
	if (zero_upper)
		memset(of(c)->vec[reg] + size, 0, 32 - size);
}

static u64 op_get_mmx(struct tdm_emul_ctxt *c, unsigned int reg)
{
	return of(c)->mmx[reg];
}

static void op_set_mmx(struct tdm_emul_ctxt *c, unsigned int reg, u64 val)
{
	of(c)->mmx[reg] = val;
}

static bool op_irq_pending(struct tdm_emul_ctxt *c)
{
	return of(c)->irq;
}

static void op_nmi_unmask(struct tdm_emul_ctxt *c)
{
	of(c)->nr_nmi_unmask++;
}

static const struct tdm_emul_ops guest_ops = {
	.fetch = op_read,
	.read = op_read,
	.write = op_write,
	.probe = op_probe,
	.cmpxchg = op_cmpxchg,
	.mmio = op_mmio,
	.pio = op_pio,
	.need_segment = op_need_segment,
	.set_segment = op_set_segment,
	.get_table = op_get_table,
	.set_table = op_set_table,
	.get_cr = op_get_cr,
	.set_cr = op_set_cr,
	.get_dr = op_get_dr,
	.set_dr = op_set_dr,
	.get_msr = op_get_msr,
	.set_msr = op_set_msr,
	.get_xcr = op_get_xcr,
	.set_xcr = op_set_xcr,
	.cpuid = op_cpuid,
	.rdtsc = op_rdtsc,
	.halt = op_halt,
	.wbinvd = op_wbinvd,
	.invlpg = op_invlpg,
	.invpcid = op_invpcid,
	.get_vec = op_get_vec,
	.set_vec = op_set_vec,
	.get_mmx = op_get_mmx,
	.set_mmx = op_set_mmx,
	.irq_pending = op_irq_pending,
	.nmi_unmask = op_nmi_unmask,
};

/**
 * guest_init() - an empty guest
 * @g: the guest; all that was in it is gone
 */
void guest_init(struct guest *g)
{
	memset(g, 0, offsetof(struct guest, journal));
	tdm_emul_init(&g->c, &guest_ops, g, &g->regs, g->seg);
	g->c.lines = GUEST_CACHE ? g->lines : NULL;
	g->c.features = ~0ull & ~TDM_EMUL_F_AMD;
	g->regs.rflags = 2;
}

/**
 * guest_region() - give the guest memory or a device
 * @g: the guest
 * @base: linear address, page aligned
 * @len: bytes, whole pages
 * @flags: REGION_*
 * @mem: memory behind it, NULL for devices
 */
void guest_region(struct guest *g, u64 base, u32 len, u32 flags, u8 *mem)
{
	if (g->nr_regions == GUEST_REGIONS)
		abort();
	g->region[g->nr_regions++] = (struct region) {
		.base = base, .len = len, .flags = flags, .mem = mem,
	};
}

/**
 * guest_real_mode() - segments and control registers as after reset
 * @g: the guest; all segment bases are 0
 */
void guest_real_mode(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_SEGS; i++)
		g->seg[i] = (struct tdm_segment) { .limit = 0xffff, .ar = 0x93 };
	g->idt.limit = 0x3ff;
	g->c.cr0 = g->cr[0] = X86_CR0_ET;
	g->c.cr4 = 0;
	g->c.efer = 0;
}

/**
 * guest_flat() - flat segments, paging on
 * @g: the guest
 * @mode: not TDM_MODE_REAL
 * @cpl: privilege level
 */
void guest_flat(struct guest *g, enum tdm_cpu_mode mode, unsigned int cpl)
{
	u32 dpl = cpl << TDM_AR_DPL_SHIFT;
	u32 width = mode == TDM_MODE_LONG64 ? TDM_AR_L :
		    mode == TDM_MODE_PROT32 ? TDM_AR_DB : 0;
	unsigned int i;

	for (i = 0; i < TDM_NR_SEGS; i++)
		g->seg[i] = (struct tdm_segment) {
			.selector = 0x10 | cpl,
			.limit = 0xffffffff,
			.ar = 0x93 | dpl | TDM_AR_G | TDM_AR_DB,
		};
	g->seg[TDM_SEG_CS].ar = 0x9b | dpl | TDM_AR_G | width;
	g->seg[TDM_SEG_CS].selector = 8 | cpl;
	g->seg[TDM_SEG_LDTR] = (struct tdm_segment) { .ar = TDM_AR_UNUSABLE };
	g->seg[TDM_SEG_TR] = (struct tdm_segment) { .ar = 0x8b, .limit = 103 };
	g->c.cr0 = g->cr[0] = X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_NE |
			      X86_CR0_WP;
	g->c.cr4 = g->cr[4] = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXSAVE |
			      X86_CR4_FSGSBASE;
	g->c.efer = mode == TDM_MODE_LONG64 ? 0xd01 : 0;
	g->xcr0 = 7;
}

/**
 * guest_step() - one instruction, playing userspace for its device accesses
 * @g: the guest
 *
 * Return: DONE, FAULT, RETRY or UNHANDLED.
 */
int guest_step(struct guest *g)
{
	u8 pio[TDM_EMUL_PIO_BYTES];
	int rc;

	g->steps = 0;
	for (;;) {
		const struct tdm_emul_io *io;
		struct tdm_emul_io copy;

		g->steps++;
		rc = tdm_emul_step(&g->c);
		if (rc != TDM_EMUL_IO)
			return rc;
		/* Asking again without an answer must change nothing. */
		if (tdm_emul_step(&g->c) != TDM_EMUL_IO)
			abort();
		io = tdm_emul_io(&g->c);
		copy = *io;
		memcpy(pio, g->c.pio_data, sizeof(pio));
		device(g, &copy, pio);
		tdm_emul_io_done(&g->c, copy.kind == TDM_EMUL_PIO_IN ?
				 (void *)pio : (void *)&copy.data);
	}
}

/**
 * guest_cpu_features() - the emulator's feature bits of this machine's CPU
 *
 * Return: TDM_EMUL_F_*.
 */
u64 guest_cpu_features(void)
{
	unsigned int a, b = 0, c = 0, d = 0;
	static u64 f;

	if (f)
		return f;	/* CPUID is slow under a hypervisor */
	__get_cpuid(0, &a, &b, &c, &d);
	if (c == 0x444d4163)		/* "cAMD" */
		f |= TDM_EMUL_F_AMD;
	__get_cpuid(1, &a, &b, &c, &d);
	f |= c & bit_SSE3 ? TDM_EMUL_F_SSE3 : 0;
	f |= c & bit_SSE4_1 ? TDM_EMUL_F_SSE4_1 : 0;
	f |= c & bit_SSE4_2 ? TDM_EMUL_F_SSE4_2 : 0;
	f |= c & bit_CMPXCHG16B ? TDM_EMUL_F_CX16 : 0;
	f |= c & bit_MOVBE ? TDM_EMUL_F_MOVBE : 0;
	f |= c & bit_POPCNT ? TDM_EMUL_F_POPCNT : 0;
	f |= c & bit_AVX ? TDM_EMUL_F_AVX : 0;
	b = c = d = 0;
	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	f |= b & bit_BMI ? TDM_EMUL_F_BMI1 : 0;
	f |= b & bit_BMI2 ? TDM_EMUL_F_BMI2 : 0;
	f |= b & bit_ADX ? TDM_EMUL_F_ADX : 0;
	f |= b & bit_CLFLUSHOPT ? TDM_EMUL_F_CLFLUSHOPT : 0;
	f |= b & bit_CLWB ? TDM_EMUL_F_CLWB : 0;
	f |= d & (1u << 14) ? TDM_EMUL_F_SERIALIZE : 0;
	f |= c & (1u << 27) ? TDM_EMUL_F_MOVDIRI : 0;
	c = d = 0;
	__get_cpuid(0x80000001, &a, &b, &c, &d);
	f |= c & bit_LAHF_LM ? TDM_EMUL_F_LAHF_LM : 0;
	f |= c & bit_ABM ? TDM_EMUL_F_LZCNT : 0;
	return f;
}
