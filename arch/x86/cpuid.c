// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's CPUID: set and read by the caller, executed for the guest.
 *
 * Setting it does all the work: the entries are indexed, the feature words and
 * reserved-bit masks are derived, and the bits that follow control registers
 * are kept up to date in the entries themselves, so that executing CPUID is a
 * look-up and a copy.
 *
 * Beware: the caller may set anything, also what the host cannot do. That is
 * between it and its guest; what the guest may switch on (CR4, EFER, XCR0) is
 * limited to what host and CPUID both have.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/cpuid_offer.h"
#include "arch/x86/fpu.h"

#define DEFAULT_MAXPHYADDR	36	/* without leaf 0x80000008 */

/* CR4 bits that exist only with a feature */
static const struct {
	u64 bit;
	u16 feature;
} cr4_needs[] = {
	{ X86_CR4_UMIP,		X86_FEATURE_UMIP },
	{ X86_CR4_LA57,		X86_FEATURE_LA57 },
	{ X86_CR4_FSGSBASE,	X86_FEATURE_FSGSBASE },
	{ X86_CR4_PCIDE,	X86_FEATURE_PCID },
	{ X86_CR4_OSXSAVE,	X86_FEATURE_XSAVE },
	{ X86_CR4_SMEP,		X86_FEATURE_SMEP },
	{ X86_CR4_SMAP,		X86_FEATURE_SMAP },
	{ X86_CR4_PKE,		X86_FEATURE_PKU },
};

/*
 * ... and those every processor has that can run us. Not: VMXE, SMXE (no
 * nesting), PKS, CET, UINTR, LAM_SUP (not offered).
 */
#define CR4_ALWAYS	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | \
			 X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | \
			 X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

/* @caps NULL: what any guest on this host could be allowed */
static u64 cr4_allowed(const u32 *caps)
{
	u64 allowed = CR4_ALWAYS;
	u16 feature;
	int i;

	for (i = 0; i < ARRAY_SIZE(cr4_needs); i++) {
		feature = cr4_needs[i].feature;
		if (!tdm_offer_has(feature))
			continue;
		if (!caps || caps[feature / 32] & BIT(feature & 31))
			allowed |= cr4_needs[i].bit;
	}
	return allowed;
}

static u64 efer_allowed(const u32 *caps)
{
	u64 allowed = tdm_offer_efer();

	if (!caps)
		return allowed;
	if (!(caps[X86_FEATURE_NX / 32] & BIT(X86_FEATURE_NX & 31)))
		allowed &= ~(u64)EFER_NX;
	if (!(caps[X86_FEATURE_LM / 32] & BIT(X86_FEATURE_LM & 31)))
		allowed &= ~(u64)(EFER_LME | EFER_LMA);
	if (!(caps[X86_FEATURE_FXSR_OPT / 32] & BIT(X86_FEATURE_FXSR_OPT & 31)))
		allowed &= ~(u64)EFER_FFXSR;
	return allowed;
}

/**
 * tdm_cpuid_init() - learn what the host offers; at module load
 *
 * Return: 0, or a negative errno.
 */
int tdm_cpuid_init(void)
{
	return tdm_offer_init();
}

/* ---- KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID ---- */

/**
 * tdm_cpuid_supported() - KVM_GET_SUPPORTED_CPUID and KVM_GET_EMULATED_CPUID
 * @arg: the caller's struct kvm_cpuid2; nent says how much room there is
 * @cmd: which of the two; nothing is offered that only the emulator can run,
 *	 so the second list is empty
 *
 * Return: 0; -E2BIG when there is too little room (nothing is written);
 * -EFAULT; -ENOMEM.
 */
int tdm_cpuid_supported(struct kvm_cpuid2 __user *arg, unsigned int cmd)
{
	struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 hdr;
	int n = 0, r = 0;

	if (copy_from_user(&hdr, arg, sizeof(hdr)))
		return -EFAULT;
	if (!hdr.nent)
		return -E2BIG;
	hdr.nent = min_t(u32, hdr.nent, TDM_CPUID_MAX_ENTRIES);
	e = kvcalloc(hdr.nent, sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	if (cmd == KVM_GET_SUPPORTED_CPUID)
		n = tdm_offer_fill(e, hdr.nent);
	if (n > hdr.nent) {
		r = -E2BIG;
		goto free_entries;
	}
	hdr.nent = n;
	if (copy_to_user(arg->entries, e, n * sizeof(*e)) ||
	    copy_to_user(arg, &hdr, sizeof(hdr)))
		r = -EFAULT;
free_entries:
	kvfree(e);
	return r;
}

/* ---- deriving facts from entries ---- */

static struct kvm_cpuid_entry2 *find(struct tdm_cpuid *c, u32 function, u32 index)
{
	return (struct kvm_cpuid_entry2 *)
		tdm_cpuid_index_find(&c->idx, c->entries, function, index);
}

static u32 entry_reg(const struct kvm_cpuid_entry2 *e, u8 reg)
{
	const u32 r[4] = { e->eax, e->ebx, e->ecx, e->edx };

	return r[reg & 3];
}

static void derive_caps(struct tdm_cpuid *c)
{
	const struct tdm_cpuid_word *w;
	const struct kvm_cpuid_entry2 *e;
	unsigned int i;

	for (i = 0; i < tdm_nr_cpuid_words && i < NCAPINTS; i++) {
		w = &tdm_cpuid_words[i];
		if (!w->used)
			continue;
		e = find(c, w->function, w->index);
		if (e)
			c->caps[i] = entry_reg(e, w->reg);
	}
}

static u8 derive_maxphyaddr(struct tdm_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e = find(c, 0x80000000, 0);

	if (!e || e->eax < 0x80000008)
		return DEFAULT_MAXPHYADDR;
	e = find(c, 0x80000008, 0);
	if (!e)
		return DEFAULT_MAXPHYADDR;
	return min_t(u32, e->eax & 0xff, 52);	/* the page-table formats' limit */
}

static void derive(struct tdm_cpuid *c)
{
	tdm_cpuid_index_build(&c->idx, c->entries, c->nent);
	derive_caps(c);
	c->maxphyaddr = derive_maxphyaddr(c);
	c->cr4_reserved = ~cr4_allowed(c->caps);
	c->efer_reserved = ~efer_allowed(c->caps);
	c->leaf1 = find(c, 1, 0);
	c->leaf7 = find(c, 7, 0);
	c->leafd = find(c, 0xd, 0);
	c->leafd1 = find(c, 0xd, 1);
	if (c->leafd)
		c->xcr0 = tdm_offer_xcr0() &
			  (c->leafd->eax | (u64)c->leafd->edx << 32);
}

static void set_bit32(u32 *word, u32 bit, bool on)
{
	*word = on ? *word | bit : *word & ~bit;
}

/* Bits that follow control registers (SDM vol. 2, CPUID) */
static void update_dynamic(struct tdm_vcpu *vcpu, struct tdm_cpuid *c)
{
	const struct tdm_state *st = &vcpu->st;
	struct kvm_cpuid_entry2 *e = c->leaf1;
	const u32 compact = BIT(X86_FEATURE_XSAVES & 31) | BIT(X86_FEATURE_XSAVEC & 31);

	tdm_need(vcpu, TDM_ST_CR);
	if (e) {
		set_bit32(&e->ecx, BIT(X86_FEATURE_OSXSAVE & 31),
			  st->cr4 & X86_CR4_OSXSAVE);
		set_bit32(&e->edx, BIT(X86_FEATURE_APIC & 31),
			  st->apic_base & MSR_IA32_APICBASE_ENABLE);
		if (vcpu->vm->disabled_quirks & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)
			set_bit32(&e->ecx, BIT(X86_FEATURE_MWAIT & 31),
				  st->misc_enable & MSR_IA32_MISC_ENABLE_MWAIT);
		c->caps[CPUID_1_ECX] = e->ecx;
	}
	if (c->leaf7)
		set_bit32(&c->leaf7->ecx, BIT(X86_FEATURE_OSPKE & 31),
			  st->cr4 & X86_CR4_PKE);
	if (c->leafd)
		c->leafd->ebx = tdm_xsave_size(st->xcr0, false);
	if (c->leafd1 && c->leafd1->eax & compact)
		c->leafd1->ebx = tdm_xsave_size(st->xcr0 | st->xss, true);
}

/**
 * tdm_cpuid_refresh() - bring the bits up to date that follow other registers
 * @vcpu: loaded vCPU
 *
 * After a change of CR4, XCR0, XSS, APIC base or MISC_ENABLE.
 */
void tdm_cpuid_refresh(struct tdm_vcpu *vcpu)
{
	if (vcpu->cpuid)
		update_dynamic(vcpu, vcpu->cpuid);
}

/* ---- setting and reading it ---- */

static struct tdm_cpuid *cpuid_alloc(u32 nent)
{
	struct tdm_cpuid *c;

	c = kvzalloc(struct_size(c, entries, nent), GFP_KERNEL_ACCOUNT);
	if (c)
		c->nent = nent;
	return c;
}

/* Linear addresses are of 48 or 57 bits: canonical checks know no others. */
static int check(struct tdm_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e = find(c, 0x80000008, 0);
	u32 bits = e ? e->eax >> 8 & 0xff : 0;

	return bits == 0 || bits == 48 || bits == 57 ? 0 : -EINVAL;
}

static bool same_entries(const struct tdm_cpuid *a, const struct tdm_cpuid *b)
{
	const struct kvm_cpuid_entry2 *x, *y;
	u32 i;

	if (!b || a->nent != b->nent)
		return false;
	for (i = 0; i < a->nent; i++) {
		x = &a->entries[i];
		y = &b->entries[i];
		if (x->function != y->function || x->index != y->index ||
		    x->flags != y->flags || x->eax != y->eax ||
		    x->ebx != y->ebx || x->ecx != y->ecx || x->edx != y->edx)
			return false;
	}
	return true;
}

/* Consumes @c. */
static int cpuid_install(struct tdm_vcpu *vcpu, struct tdm_cpuid *c)
{
	int r;

	derive(c);
	update_dynamic(vcpu, c);
	/* The guest may have acted on what it saw: only the same again. */
	if (vcpu->has_run) {
		r = same_entries(c, vcpu->cpuid) ? 0 : -EINVAL;
		goto free_new;
	}
	r = check(c);
	if (r)
		goto free_new;
	swap(c, vcpu->cpuid);
	tdm_fpu_refresh(vcpu);
	tdm_request(vcpu, TDM_REQ_INTERCEPTS);
free_new:
	kvfree(c);
	return r;
}

/**
 * tdm_cpuid_set() - KVM_SET_CPUID2
 * @vcpu: loaded vCPU
 * @hdr: header, read from the caller
 * @entries: hdr->nent entries
 *
 * Return: 0; -E2BIG for more than 256 entries; -EINVAL for a linear address
 * width nobody has, or any change once the vCPU has run; -EFAULT; -ENOMEM.
 */
int tdm_cpuid_set(struct tdm_vcpu *vcpu, const struct kvm_cpuid2 *hdr,
		  struct kvm_cpuid_entry2 __user *entries)
{
	struct tdm_cpuid *c;

	if (hdr->nent > TDM_CPUID_MAX_ENTRIES)
		return -E2BIG;
	c = cpuid_alloc(hdr->nent);
	if (!c)
		return -ENOMEM;
	if (copy_from_user(c->entries, entries, hdr->nent * sizeof(*entries))) {
		kvfree(c);
		return -EFAULT;
	}
	return cpuid_install(vcpu, c);
}

/**
 * tdm_cpuid_set_v1() - KVM_SET_CPUID: entries without subleaves
 * @vcpu: loaded vCPU
 * @hdr: header, read from the caller
 * @entries: hdr->nent entries
 *
 * Return: as tdm_cpuid_set().
 */
int tdm_cpuid_set_v1(struct tdm_vcpu *vcpu, const struct kvm_cpuid *hdr,
		     struct kvm_cpuid_entry __user *entries)
{
	struct kvm_cpuid_entry old;
	struct tdm_cpuid *c;
	u32 i;

	if (hdr->nent > TDM_CPUID_MAX_ENTRIES)
		return -E2BIG;
	c = cpuid_alloc(hdr->nent);
	if (!c)
		return -ENOMEM;
	for (i = 0; i < hdr->nent; i++) {
		if (copy_from_user(&old, &entries[i], sizeof(old))) {
			kvfree(c);
			return -EFAULT;
		}
		c->entries[i] = (struct kvm_cpuid_entry2){
			.function = old.function,
			.eax = old.eax,
			.ebx = old.ebx,
			.ecx = old.ecx,
			.edx = old.edx,
		};
	}
	return cpuid_install(vcpu, c);
}

/**
 * tdm_cpuid_get() - KVM_GET_CPUID2
 * @vcpu: loaded vCPU
 * @hdr: in: room; out: entries there are, also on -E2BIG
 * @entries: where to
 *
 * Return: 0; -E2BIG when there is too little room; -EFAULT.
 */
int tdm_cpuid_get(struct tdm_vcpu *vcpu, struct kvm_cpuid2 *hdr,
		  struct kvm_cpuid_entry2 __user *entries)
{
	const struct tdm_cpuid *c = vcpu->cpuid;
	u32 room = hdr->nent;

	hdr->nent = c ? c->nent : 0;
	if (room < hdr->nent)
		return -E2BIG;
	if (c && copy_to_user(entries, c->entries, c->nent * sizeof(*entries)))
		return -EFAULT;
	return 0;
}

void tdm_cpuid_free(struct tdm_vcpu *vcpu)
{
	kvfree(vcpu->cpuid);
	vcpu->cpuid = NULL;
}

/* ---- facts ---- */

/** tdm_cpuid_signature() - leaf 1 EAX: what RDX holds after reset */
u32 tdm_cpuid_signature(struct tdm_vcpu *vcpu)
{
	if (vcpu->cpuid && vcpu->cpuid->leaf1)
		return vcpu->cpuid->leaf1->eax;
	return 0x600;	/* family 6 */
}

/** tdm_maxphyaddr() - guest-physical address bits */
u8 tdm_maxphyaddr(struct tdm_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->maxphyaddr : DEFAULT_MAXPHYADDR;
}

/** tdm_cr4_reserved() - bits of CR4 that must be 0; the host's until CPUID is set */
u64 tdm_cr4_reserved(struct tdm_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->cr4_reserved : ~cr4_allowed(NULL);
}

/** tdm_efer_reserved() - bits of EFER that must be 0; the host's until CPUID is set */
u64 tdm_efer_reserved(struct tdm_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->efer_reserved : ~efer_allowed(NULL);
}

/** tdm_xcr0_supported() - bits of XCR0 the guest may set */
u64 tdm_xcr0_supported(struct tdm_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->xcr0 : 0;
}

/** tdm_guest_is_intel() - the vendor is not AMD or Hygon, or not known */
bool tdm_guest_is_intel(struct tdm_vcpu *vcpu)
{
	return !vcpu->cpuid || vcpu->cpuid->idx.redirect;
}
