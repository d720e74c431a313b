// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID of a vCPU: what the device supports, with this machine's topology and
 * clock rates put in.
 *
 * Topology: one package of N single-threaded cores, APIC ID = vCPU number. The
 * host's own topology must not shine through: guests size APIC ID fields by it.
 *
 * Beware: Linux multiplies the crystal frequency in kHz with the ratio's
 * numerator of leaf 0x15 in 32 bits, and takes the crystal for the local APIC
 * timer's clock, which runs at 1 GHz here. tdm_cpuid_tsc_ratio() keeps both
 * right.
 */
#include <asm/kvm_para.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cpuid.h"
#include "util.h"

#define CRYSTAL_KHZ 1000000U /* the in-kernel APIC timer's clock: 1 GHz */
#define PPM 1000000
#define MAX_PPM 50 /* as much as a real crystal may be off */
#define HYPERVISOR_LEAF 0x40000000U
#define HYPERVISOR_TIMING 0x40000010U

#define L1_ECX_DEADLINE (1U << 24)
#define L1_ECX_HYPERVISOR (1U << 31)
#define L1_EDX_HTT (1U << 28)
#define X1_ECX_CMP_LEGACY (1U << 1)

/**
 * tdm_cpuid_supported() - ask the device for everything it can offer a guest.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_cpuid_supported(int fd, union tdm_cpuid_table *t)
{
	memset(t, 0, sizeof(*t));
	/* Leave room for the entries tdm_cpuid_adapt() may add. */
	t->table.nent = TDM_CPUID_MAX - 64;
	if (ioctl(fd, KVM_GET_SUPPORTED_CPUID, &t->table) < 0) {
		int err = -errno;

		tdm_error(
			"the device does not say what CPU it offers (KVM_GET_SUPPORTED_CPUID): %s",
			strerror(-err));
		return err;
	}
	if (t->table.nent > TDM_CPUID_MAX - 64) {
		tdm_error(
			"the device reports %u CPUID entries, more than asked for",
			t->table.nent);
		return -EOVERFLOW;
	}
	return 0;
}

/** tdm_cpuid_find() - an entry by function and index, or NULL. */
struct kvm_cpuid_entry2 *tdm_cpuid_find(union tdm_cpuid_table *t,
					uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < t->table.nent; i++) {
		struct kvm_cpuid_entry2 *e = &t->table.entries[i];

		if (e->function == function &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		     e->index == index))
			return e;
	}
	return NULL;
}

static void drop(union tdm_cpuid_table *t, uint32_t function)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->table.nent; i++)
		if (t->table.entries[i].function != function)
			t->table.entries[kept++] = t->table.entries[i];
	t->table.nent = kept;
}

static void add(union tdm_cpuid_table *t, const struct kvm_cpuid_entry2 *e)
{
	if (t->table.nent < TDM_CPUID_MAX)
		t->table.entries[t->table.nent++] = *e;
}

static uint32_t max_leaf(union tdm_cpuid_table *t, uint32_t base)
{
	const struct kvm_cpuid_entry2 *e = tdm_cpuid_find(t, base, 0);

	return e ? e->eax : 0;
}

/* Bits an APIC ID needs for @cpus processors. */
static unsigned int id_bits(unsigned int cpus)
{
	unsigned int bits = 0;

	while ((1U << bits) < cpus)
		bits++;
	return bits;
}

/** tdm_cpuid_address_bits() - width of a guest-physical address. */
unsigned int tdm_cpuid_address_bits(union tdm_cpuid_table *t)
{
	const struct kvm_cpuid_entry2 *e = tdm_cpuid_find(t, 0x80000008, 0);
	unsigned int bits = e ? e->eax & 0xff : 36;

	return bits < 32 || bits > 52 ? 36 : bits;
}

static bool vendor_is(union tdm_cpuid_table *t, const char vendor[12])
{
	const struct kvm_cpuid_entry2 *e = tdm_cpuid_find(t, 0, 0);

	return e && !memcmp(&e->ebx, vendor, 4) &&
	       !memcmp(&e->edx, vendor + 4, 4) &&
	       !memcmp(&e->ecx, vendor + 8, 4);
}

/* Leaf 1: APIC ID, processor count, features the caller grants. */
static void adapt_leaf1(union tdm_cpuid_table *t,
			const struct tdm_cpuid_params *p)
{
	struct kvm_cpuid_entry2 *e = tdm_cpuid_find(t, 1, 0);

	if (!e)
		return;
	e->ebx = (e->ebx & 0x0000ffff) | p->apic_id << 24 |
		 (1U << id_bits(p->cpus)) << 16;
	e->edx = p->cpus > 1 ? e->edx | L1_EDX_HTT : e->edx & ~L1_EDX_HTT;
	if (p->tsc_deadline)
		e->ecx |= L1_ECX_DEADLINE;
	if (tdm_cpuid_find(t, HYPERVISOR_LEAF, 0))
		e->ecx |= L1_ECX_HYPERVISOR;
}

/*
 * Cache leaves (Intel 4, AMD 0x8000001d): levels 1 and 2 are a core's own,
 * level 3 is the package's. Bits 31:26 of Intel's say how many cores there are.
 */
static void adapt_caches(union tdm_cpuid_table *t,
			 const struct tdm_cpuid_params *p)
{
	uint32_t last = (1U << id_bits(p->cpus)) - 1;

	for (uint32_t i = 0; i < t->table.nent; i++) {
		struct kvm_cpuid_entry2 *e = &t->table.entries[i];

		if ((e->function != 4 && e->function != 0x8000001d) ||
		    !(e->eax & 0x1f))
			continue;
		e->eax &= 0x00003fff;
		if ((e->eax >> 5 & 7) >= 3)
			e->eax |= (last & 0xfff) << 14;
		if (e->function == 4)
			e->eax |= (last < 63 ? last : 63) << 26;
	}
}

/* Extended topology: level 0 = threads (one a core), level 1 = cores. */
static void adapt_topology(union tdm_cpuid_table *t,
			   const struct tdm_cpuid_params *p, uint32_t leaf)
{
	struct kvm_cpuid_entry2 e = { .function = leaf,
				      .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
				      .edx = p->apic_id };

	drop(t, leaf);
	if (max_leaf(t, 0) < leaf)
		return;
	e.ebx = 1;
	e.ecx = 1 << 8;
	add(t, &e);
	e.index = 1;
	e.eax = id_bits(p->cpus);
	e.ebx = p->cpus;
	e.ecx = 2 << 8 | 1;
	add(t, &e);
	e.index = 2;
	e.eax = 0;
	e.ebx = 0;
	e.ecx = 2;
	add(t, &e);
}

static void adapt_amd(union tdm_cpuid_table *t,
		      const struct tdm_cpuid_params *p)
{
	struct kvm_cpuid_entry2 *e = tdm_cpuid_find(t, 0x80000001, 0);

	if (e)
		e->ecx = p->cpus > 1 ? e->ecx | X1_ECX_CMP_LEGACY
				     : e->ecx & ~X1_ECX_CMP_LEGACY;
	e = tdm_cpuid_find(t, 0x80000008, 0);
	if (e)
		e->ecx = (e->ecx & ~0xf0ffU) | id_bits(p->cpus) << 12 |
			 (p->cpus - 1);
	e = tdm_cpuid_find(t, 0x8000001e, 0);
	if (e) {
		e->eax = p->apic_id;
		e->ebx = p->apic_id & 0xff; /* core ID, one thread a core */
		e->ecx = 0;		    /* node 0 of one */
	}
}

/**
 * tdm_cpuid_tsc_ratio() - TSC frequency as a fraction of the crystal's.
 * @tsc_khz: TSC frequency
 * @num, @den: best fraction whose numerator times the crystal in kHz fits 32
 *	bits (continued fractions); 0 when even that is more than 50 ppm off, as
 *	happens close to, but not at, a simple fraction
 */
void tdm_cpuid_tsc_ratio(uint32_t tsc_khz, uint32_t *num, uint32_t *den)
{
	uint64_t a = tsc_khz, b = CRYSTAL_KHZ, p0 = 0, q0 = 1, p1 = 1, q1 = 0;
	const uint64_t limit = UINT32_MAX / CRYSTAL_KHZ;
	int64_t off;

	while (b) {
		uint64_t whole = a / b, rest = a % b;
		uint64_t p2 = whole * p1 + p0, q2 = whole * q1 + q0;

		if (p2 > limit) {
			/* The largest semiconvergent that still fits. */
			uint64_t k = (limit - p0) / p1;

			if (q1 && 2 * k >= whole) {
				p1 = k * p1 + p0;
				q1 = k * q1 + q0;
			}
			break;
		}
		p0 = p1;
		q0 = q1;
		p1 = p2;
		q1 = q2;
		a = b;
		b = rest;
	}
	*num = *den = 0;
	if (!q1)
		return;
	off = (int64_t)(CRYSTAL_KHZ * p1 / q1) - (int64_t)tsc_khz;
	if ((off < 0 ? -off : off) * PPM > (int64_t)tsc_khz * MAX_PPM)
		return;
	*num = (uint32_t)p1;
	*den = (uint32_t)q1;
}

/*
 * Clock rates, so that the guest need not measure them. Intel's leaves come in
 * even where the device's highest leaf is lower: unknown leaves between read as
 * zero.
 */
static void adapt_clocks(union tdm_cpuid_table *t,
			 const struct tdm_cpuid_params *p)
{
	struct kvm_cpuid_entry2 *hv = tdm_cpuid_find(t, HYPERVISOR_LEAF, 0);
	struct kvm_cpuid_entry2 e = { 0 };

	if (!p->tsc_khz)
		return;
	if (hv && hv->eax >= HYPERVISOR_LEAF) {
		if (hv->eax < HYPERVISOR_TIMING)
			hv->eax = HYPERVISOR_TIMING;
		drop(t, HYPERVISOR_TIMING);
		e.function = HYPERVISOR_TIMING;
		e.eax = p->tsc_khz;
		e.ebx = CRYSTAL_KHZ; /* APIC bus */
		add(t, &e);
	}
	if (!vendor_is(t, "GenuineIntel"))
		return;
	memset(&e, 0, sizeof(e));
	tdm_cpuid_tsc_ratio(p->tsc_khz, &e.ebx, &e.eax);
	drop(t, 0x15); /* the host's would be wrong for the guest */
	drop(t, 0x16);
	if (!e.ebx || !e.eax)
		return;
	e.function = 0x15;
	e.ecx = CRYSTAL_KHZ * 1000;
	add(t, &e);
	memset(&e, 0, sizeof(e));
	e.function = 0x16;
	e.eax = e.ebx = p->tsc_khz / 1000;
	e.ecx = 100;
	add(t, &e);
	if (max_leaf(t, 0) < 0x16 && tdm_cpuid_find(t, 0, 0))
		tdm_cpuid_find(t, 0, 0)->eax = 0x16;
}

/*
 * A guest of the launcher shall find a PC, not a hypervisor: the same on every
 * device, and what it measures is the processor.
 */
static void adapt_pv(union tdm_cpuid_table *t)
{
	struct kvm_cpuid_entry2 *e = tdm_cpuid_find(t, KVM_CPUID_FEATURES, 0);

	if (e)
		e->eax &= 1U << KVM_FEATURE_NOP_IO_DELAY;
}

/** tdm_cpuid_adapt() - put one vCPU's identity, the topology and the clocks in.
 */
void tdm_cpuid_adapt(union tdm_cpuid_table *t, const struct tdm_cpuid_params *p)
{
	adapt_leaf1(t, p);
	adapt_caches(t, p);
	adapt_topology(t, p, 0x0b);
	adapt_topology(t, p, 0x1f);
	if (!vendor_is(t, "GenuineIntel"))
		adapt_amd(t, p);
	adapt_clocks(t, p);
	adapt_pv(t);
}
