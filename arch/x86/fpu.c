// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest FPU state, on the interface the kernel exports for hypervisors.
 *
 * The kernel keeps the guest's state in a struct fpu_guest and swaps it with
 * the task's: context switches and the kernel's own use of the FPU then just
 * work. What it does not switch is done here, right around the guest with
 * interrupts off, and only when host and guest differ: XCR0, XSS and PKRU.
 *
 * Beware: the in-memory image may be compacted and lazily initialised; touch
 * it only through the kernel's conversion functions.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/pkru.h>
#include <asm/processor-flags.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/cpuid_offer.h"
#include "arch/x86/fpu.h"
#include "kmod/core.h"

/* struct tdm_fpu.differs */
#define DIFFERS_XCR0	BIT(0)
#define DIFFERS_XSS	BIT(1)
#define DIFFERS_PKRU	BIT(2)	/* the guest can change it without an exit */

/**
 * struct tdm_fpu - FPU of a vCPU, (v)
 * @guest: the kernel's container; the state itself while not loaded
 * @host_xcr0: XCR0 of the host, constant
 * @host_xss: IA32_XSS of the host, constant
 * @pkru: guest's PKRU while not in the guest
 * @host_pkru: host's while in the guest
 * @differs: what to switch around the guest: DIFFERS_*
 * @loaded: the guest's state is the task's
 */
struct tdm_fpu {
	struct fpu_guest guest;
	u64 host_xcr0;
	u64 host_xss;
	u32 pkru;
	u32 host_pkru;
	u8 differs;
	bool loaded;
};

/**
 * tdm_fpu_create() - make a vCPU's FPU, in the state after INIT of the x87
 * @vcpu: the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int tdm_fpu_create(struct tdm_vcpu *vcpu)
{
	struct tdm_fpu *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	if (!fpu_alloc_guest_fpstate(&f->guest)) {
		kfree(f);
		return -ENOMEM;
	}
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		f->host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	if (boot_cpu_has(X86_FEATURE_XSAVES))
		rdmsrl(MSR_IA32_XSS, f->host_xss);
	vcpu->fpu = f;
	return 0;
}

void tdm_fpu_destroy(struct tdm_vcpu *vcpu)
{
	fpu_free_guest_fpstate(&vcpu->fpu->guest);
	kfree(vcpu->fpu);
	vcpu->fpu = NULL;
}

/**
 * tdm_fpu_refresh() - find out what differs between host and guest
 * @vcpu: loaded vCPU
 *
 * After a change of CR4, XCR0, XSS or CPUID; not between tdm_fpu_enter() and
 * tdm_fpu_exit(), which must agree on what to switch. Without CR4.OSXSAVE the guest has
 * no instruction that could tell or use the difference in XCR0 and XSS.
 */
void tdm_fpu_refresh(struct tdm_vcpu *vcpu)
{
	const struct tdm_state *st = &vcpu->st;
	struct tdm_fpu *f = vcpu->fpu;
	u8 differs = 0;

	tdm_need(vcpu, TDM_ST_CR);
	if (st->cr4 & X86_CR4_OSXSAVE) {
		if (st->xcr0 != f->host_xcr0)
			differs |= DIFFERS_XCR0;
		if (st->xss != f->host_xss && tdm_guest_has(vcpu, X86_FEATURE_XSAVES))
			differs |= DIFFERS_XSS;
		if (st->xcr0 & XFEATURE_MASK_PKRU)
			differs |= DIFFERS_PKRU;
	}
	if (st->cr4 & X86_CR4_PKE)
		differs |= DIFFERS_PKRU;
	if (!boot_cpu_has(X86_FEATURE_OSPKE))
		differs &= ~DIFFERS_PKRU;
	f->differs = differs;
}

/** tdm_fpu_pkru() - the guest's PKRU as of the last exit; means something with CR4.PKE */
u32 tdm_fpu_pkru(struct tdm_vcpu *vcpu)
{
	return vcpu->fpu->pkru;
}

/* ---- swapping with the task ---- */

/** tdm_fpu_load() - the guest's FPU becomes the task's; preemptible, in KVM_RUN */
void tdm_fpu_load(struct tdm_vcpu *vcpu)
{
	struct tdm_fpu *f = vcpu->fpu;

	fpu_swap_kvm_fpstate(&f->guest, true);
	f->loaded = true;
	tdm_fpu_refresh(vcpu);
	tdm_stat(vcpu, fpu_switches);
}

/** tdm_fpu_unload() - the task gets its own FPU back; before returning to userspace */
void tdm_fpu_unload(struct tdm_vcpu *vcpu)
{
	struct tdm_fpu *f = vcpu->fpu;

	fpu_swap_kvm_fpstate(&f->guest, false);
	f->loaded = false;
}

static void differences_to_guest(struct tdm_vcpu *vcpu, struct tdm_fpu *f)
{
	if (f->differs & DIFFERS_XCR0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->st.xcr0);
	if (f->differs & DIFFERS_XSS)
		wrmsrl(MSR_IA32_XSS, vcpu->st.xss);
	if (f->differs & DIFFERS_PKRU) {
		f->host_pkru = read_pkru();
		write_pkru(f->pkru);
	}
}

static void differences_to_host(struct tdm_fpu *f)
{
	if (f->differs & DIFFERS_PKRU) {
		f->pkru = read_pkru();
		write_pkru(f->host_pkru);
	}
	if (f->differs & DIFFERS_XSS)
		wrmsrl(MSR_IA32_XSS, f->host_xss);
	if (f->differs & DIFFERS_XCR0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, f->host_xcr0);
}

/**
 * tdm_fpu_enter() - the guest's FPU into the registers
 * @vcpu: FPU loaded; interrupts off until tdm_fpu_exit()
 *
 * Cheap when no context switch came between and host and guest agree.
 */
void tdm_fpu_enter(struct tdm_vcpu *vcpu)
{
	struct tdm_fpu *f = vcpu->fpu;

	fpregs_assert_state_consistent();
	if (unlikely(test_thread_flag(TIF_NEED_FPU_LOAD)))
		switch_fpu_return();
	if (unlikely(f->differs))
		differences_to_guest(vcpu, f);
}

/** tdm_fpu_exit() - the host's XCR0, XSS and PKRU back; interrupts still off */
void tdm_fpu_exit(struct tdm_vcpu *vcpu)
{
	struct tdm_fpu *f = vcpu->fpu;

	if (unlikely(f->differs))
		differences_to_host(f);
}

/* ---- single registers ---- */

/*
 * The registers hold the guest's values until the FPU is unlocked: neither a
 * context switch nor the kernel's own use of the FPU, interrupts included, can
 * come between.
 */
static void regs_begin(void)
{
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

static void regs_end(void)
{
	fpregs_unlock();
}

#define EACH_REG8(X)	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH_REG16(X)	EACH_REG8(X) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

struct vec { u8 b[32]; };

static void read_xmm(unsigned int reg, struct vec *v)
{
	switch (reg) {
#define X(n) case n: asm volatile("movdqu %%xmm" #n ", %0" : "=m" (*v)); break;
	EACH_REG16(X)
#undef X
	}
}

static void read_ymm(unsigned int reg, struct vec *v)
{
	switch (reg) {
#define X(n) case n: asm volatile("vmovdqu %%ymm" #n ", %0" : "=m" (*v)); break;
	EACH_REG16(X)
#undef X
	}
}

static void write_xmm(unsigned int reg, const struct vec *v)
{
	switch (reg) {
#define X(n) case n: asm volatile("movdqu %0, %%xmm" #n : : "m" (*v)); break;
	EACH_REG16(X)
#undef X
	}
}

static void write_xmm_zero_upper(unsigned int reg, const struct vec *v)
{
	switch (reg) {
#define X(n) case n: asm volatile("vmovdqu %0, %%xmm" #n : : "m" (*v)); break;
	EACH_REG16(X)
#undef X
	}
}

static void write_ymm(unsigned int reg, const struct vec *v)
{
	switch (reg) {
#define X(n) case n: asm volatile("vmovdqu %0, %%ymm" #n : : "m" (*v)); break;
	EACH_REG16(X)
#undef X
	}
}

/**
 * tdm_fpu_get_vec() - read XMM or YMM register
 * @vcpu: FPU loaded, preemptible
 * @reg: 0..15
 * @data: where to
 * @size: 16, or 32 (then the guest used VEX, so the host has AVX)
 */
void tdm_fpu_get_vec(struct tdm_vcpu *vcpu, unsigned int reg, void *data,
		     unsigned int size)
{
	struct vec v = {};

	regs_begin();
	if (size == 32 && boot_cpu_has(X86_FEATURE_AVX))
		read_ymm(reg, &v);
	else
		read_xmm(reg, &v);
	regs_end();
	memcpy(data, &v, min_t(unsigned int, size, sizeof(v)));
}

/**
 * tdm_fpu_set_vec() - write XMM or YMM register
 * @vcpu: FPU loaded, preemptible
 * @reg: 0..15
 * @data: value
 * @size: 16 or 32
 * @zero_upper: the rest of the register becomes 0 (VEX); else it is kept
 */
void tdm_fpu_set_vec(struct tdm_vcpu *vcpu, unsigned int reg, const void *data,
		     unsigned int size, bool zero_upper)
{
	struct vec v = {};
	bool avx = boot_cpu_has(X86_FEATURE_AVX);

	memcpy(&v, data, min_t(unsigned int, size, sizeof(v)));
	regs_begin();
	if (size == 32 && avx)
		write_ymm(reg, &v);
	else if (zero_upper && avx)
		write_xmm_zero_upper(reg, &v);
	else
		write_xmm(reg, &v);
	regs_end();
}

/** tdm_fpu_get_mmx() - read MM register @reg, 0..7; FPU loaded, preemptible */
u64 tdm_fpu_get_mmx(struct tdm_vcpu *vcpu, unsigned int reg)
{
	u64 val = 0;

	regs_begin();
	switch (reg) {
#define X(n) case n: asm volatile("movq %%mm" #n ", %0" : "=m" (val)); break;
	EACH_REG8(X)
#undef X
	}
	regs_end();
	return val;
}

/** tdm_fpu_set_mmx() - write MM register @reg, 0..7; FPU loaded, preemptible */
void tdm_fpu_set_mmx(struct tdm_vcpu *vcpu, unsigned int reg, u64 val)
{
	regs_begin();
	switch (reg) {
#define X(n) case n: asm volatile("movq %0, %%mm" #n : : "m" (val)); break;
	EACH_REG8(X)
#undef X
	}
	regs_end();
}

/* ---- the caller's view ---- */

/* What the image may contain: FXSAVE state always. */
static u64 image_features(u64 xcr0)
{
	return xcr0 | XFEATURE_MASK_FPSSE;
}

/** tdm_xsave_area_size() - bytes of KVM_GET_XSAVE2's buffer */
u32 tdm_xsave_area_size(struct tdm_vcpu *vcpu)
{
	return max_t(u32, vcpu->fpu->guest.uabi_size, sizeof(struct kvm_xsave));
}

/**
 * tdm_xsave_get() - XSAVE image in the standard format
 * @vcpu: the vCPU, FPU not loaded
 * @buf: where to; zeroed by the caller
 * @size: of @buf, at least sizeof(struct kvm_xsave)
 *
 * Return: 0; -EBUSY if the FPU is loaded.
 */
int tdm_xsave_get(struct tdm_vcpu *vcpu, void *buf, u32 size)
{
	struct tdm_fpu *f = vcpu->fpu;
	u64 features = image_features(tdm_xcr0_supported(vcpu));

	if (WARN_ON_ONCE(f->loaded))
		return -EBUSY;
	fpu_copy_guest_fpstate_to_uabi(&f->guest, buf, size, features, f->pkru);
	return 0;
}

/**
 * tdm_xsave_set() - take over an XSAVE image in the standard format
 * @vcpu: the vCPU, FPU not loaded
 * @buf: tdm_xsave_area_size() bytes
 *
 * Return: 0; -EINVAL for reserved MXCSR or header bits, the compacted format,
 * or components nobody offered; -EBUSY if the FPU is loaded.
 */
int tdm_xsave_set(struct tdm_vcpu *vcpu, const void *buf)
{
	struct tdm_fpu *f = vcpu->fpu;

	if (WARN_ON_ONCE(f->loaded))
		return -EBUSY;
	return fpu_copy_uabi_to_guest_fpstate(&f->guest, buf,
					      image_features(tdm_offer_xcr0()),
					      &f->pkru);
}

static struct xregs_state *image_get(struct tdm_vcpu *vcpu)
{
	u32 size = tdm_xsave_area_size(vcpu);
	struct xregs_state *x = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	int r;

	if (!x)
		return ERR_PTR(-ENOMEM);
	r = tdm_xsave_get(vcpu, x, size);
	if (!r)
		return x;
	kvfree(x);
	return ERR_PTR(r);
}

/**
 * tdm_fpu_reset() - FPU state after power-up or INIT (SDM vol. 3, table 10-1)
 * @vcpu: the vCPU
 * @init: INIT: nothing changes
 */
void tdm_fpu_reset(struct tdm_vcpu *vcpu, bool init)
{
	struct xregs_state *x;

	if (init)
		return;
	vcpu->fpu->pkru = 0;
	x = image_get(vcpu);
	/* Without memory the state of a new FPU stays: as after FNINIT. */
	if (IS_ERR(x))
		return;
	memset(&x->i387, 0, offsetof(struct fxregs_state, mxcsr));
	memset(x->i387.st_space, 0, sizeof(x->i387.st_space));
	memset(x->i387.xmm_space, 0, sizeof(x->i387.xmm_space));
	x->i387.cwd = 0x40;
	x->i387.twd = 0xff;	/* abridged: full tags 5555H, eight times zero */
	x->i387.mxcsr = 0x1f80;
	x->header.xfeatures = XFEATURE_MASK_FPSSE;
	WARN_ON_ONCE(tdm_xsave_set(vcpu, x));
	kvfree(x);
}

/**
 * tdm_fpu_get() - KVM_GET_FPU
 * @vcpu: the vCPU, FPU not loaded
 * @fpu: where to
 *
 * Return: 0 or -ENOMEM.
 */
int tdm_fpu_get(struct tdm_vcpu *vcpu, struct kvm_fpu *fpu)
{
	struct xregs_state *x = image_get(vcpu);
	const struct fxregs_state *fx = &x->i387;

	if (IS_ERR(x))
		return PTR_ERR(x);
	BUILD_BUG_ON(sizeof(fpu->fpr) != sizeof(fx->st_space));
	BUILD_BUG_ON(sizeof(fpu->xmm) != sizeof(fx->xmm_space));
	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, fx->st_space, sizeof(fpu->fpr));
	memcpy(fpu->xmm, fx->xmm_space, sizeof(fpu->xmm));
	fpu->fcw = fx->cwd;
	fpu->fsw = fx->swd;
	fpu->ftwx = fx->twd;
	fpu->last_opcode = fx->fop;
	fpu->last_ip = fx->rip;
	fpu->last_dp = fx->rdp;
	fpu->mxcsr = fx->mxcsr;
	kvfree(x);
	return 0;
}

/**
 * tdm_fpu_set() - KVM_SET_FPU
 * @vcpu: the vCPU, FPU not loaded
 * @fpu: new x87 and SSE state; the rest stays
 *
 * Return: 0; -EINVAL for reserved bits in MXCSR; -ENOMEM.
 */
int tdm_fpu_set(struct tdm_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	struct xregs_state *x = image_get(vcpu);
	struct fxregs_state *fx = &x->i387;
	int r;

	if (IS_ERR(x))
		return PTR_ERR(x);
	memcpy(fx->st_space, fpu->fpr, sizeof(fpu->fpr));
	memcpy(fx->xmm_space, fpu->xmm, sizeof(fpu->xmm));
	fx->cwd = fpu->fcw;
	fx->swd = fpu->fsw;
	fx->twd = fpu->ftwx;
	fx->fop = fpu->last_opcode;
	fx->rip = fpu->last_ip;
	fx->rdp = fpu->last_dp;
	fx->mxcsr = fpu->mxcsr;
	x->header.xfeatures |= XFEATURE_MASK_FPSSE;
	r = tdm_xsave_set(vcpu, x);
	kvfree(x);
	return r;
}

/** tdm_xcrs_get() - KVM_GET_XCRS; -EINVAL without XSAVE */
int tdm_xcrs_get(struct tdm_vcpu *vcpu, struct kvm_xcrs *x)
{
	memset(x, 0, sizeof(*x));
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	x->nr_xcrs = 1;
	x->xcrs[0].xcr = XCR_XFEATURE_ENABLED_MASK;
	x->xcrs[0].value = vcpu->st.xcr0;
	return 0;
}

/**
 * tdm_xcrs_set() - KVM_SET_XCRS
 * @vcpu: loaded vCPU
 * @x: registers; other than XCR0 are ignored
 *
 * Return: 0; -EINVAL for flags, too many registers, or a value of XCR0 that
 * XSETBV would refuse.
 */
int tdm_xcrs_set(struct tdm_vcpu *vcpu, const struct kvm_xcrs *x)
{
	u32 i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	if (x->nr_xcrs > KVM_MAX_XCRS || x->flags)
		return -EINVAL;
	for (i = 0; i < x->nr_xcrs; i++)
		if (x->xcrs[i].xcr == XCR_XFEATURE_ENABLED_MASK)
			return tdm_set_xcr0(vcpu, x->xcrs[i].value);
	return 0;
}
