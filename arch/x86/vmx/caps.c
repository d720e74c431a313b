// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX capabilities: can this machine run the engine, and with which controls?
 *
 * A table per control word says what is needed and what is merely wanted; what
 * is missing is named to the user with the remedy. Reads MSRs only: switches
 * nothing on.
 */
#include <asm/cpu_device_id.h>
#include <asm/msr.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/smp.h>

#include "arch/x86/compat.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/host.h"
#include "arch/x86/vmx/caps.h"
#include "arch/x86/vmx/controls.h"
#include "arch/x86/vmx/vmxon.h"
#include "shadow_mmu/mmu.h"

struct tdm_vmx_caps tdm_vmx_caps;
static DEFINE_MUTEX(caps_mutex);	/* tdm_vmx_caps while it is filled */
static bool caps_done;			/* caps_mutex */

/**
 * struct need - a control the engine wants
 * @bit: the control
 * @name: the SDM's name, shown when it is missing; NULL = can do without
 */
struct need {
	u32 bit;
	const char *name;
};

static const struct need pin_needs[] = {
	{ PIN_EXT_INTR,		"external-interrupt exiting" },
	{ PIN_NMI,		"NMI exiting" },
	{ PIN_VIRTUAL_NMIS,	"virtual NMIs" },
	{ }
};

static const struct need cpu_needs[] = {
	{ CPU_TSC_OFFSETTING,	"TSC offsetting" },
	{ CPU_HLT,		"HLT exiting" },
	{ CPU_MWAIT,		"MWAIT exiting" },
	{ CPU_MONITOR,		"MONITOR exiting" },
	{ CPU_RDPMC,		"RDPMC exiting" },
	{ CPU_MOV_DR,		"MOV-DR exiting" },
	{ CPU_UNCOND_IO,	"unconditional I/O exiting" },
	{ CPU_MSR_BITMAPS,	"MSR bitmaps" },
	{ CPU_SECONDARY,	NULL },
	{ CPU_CR8_LOAD,		"CR8-load exiting" },
	{ CPU_CR8_STORE,	"CR8-store exiting" },
	{ }
};

static const struct need cpu2_needs[] = {
	/* Shadow paging does without these: see mmu_modes_read(). */
	{ CPU2_EPT,		NULL },
	{ CPU2_VPID,		NULL },
	{ CPU2_UNRESTRICTED,	NULL },
	{ CPU2_WBINVD,		NULL },
	{ CPU2_PAUSE_LOOP,	NULL },
	{ CPU2_ENCLS,		NULL },
	{ }
};

static const struct need exit_needs[] = {
	{ EXIT_HOST_64,		"host address-space size" },
	{ EXIT_SAVE_DEBUG,	"save debug controls" },
	{ EXIT_SAVE_PAT,	NULL },
	{ EXIT_LOAD_PAT,	NULL },
	{ EXIT_LOAD_EFER,	NULL },
	{ }
};

static const struct need entry_needs[] = {
	{ ENTRY_LOAD_DEBUG,	"load debug controls" },
	{ ENTRY_LOAD_PAT,	NULL },
	{ ENTRY_LOAD_EFER,	NULL },
	{ }
};

/**
 * struct word - one control word
 * @what: for messages
 * @msr: capability MSR: must-be-1 bits in the low half, may-be-1 in the high
 * @true_msr: the same without the default-1 class, if IA32_VMX_BASIC says so
 * @needs: what the engine wants
 * @val: where the chosen value goes
 * @may: where the allowed-1 settings go
 * @must: where the allowed-0 settings go
 */
struct word {
	const char *what;
	u32 msr, true_msr;
	const struct need *needs;
	u32 *val;
	u32 *may;
	u32 *must;
};

#define WORD(text, msr_, true_, field)					\
	{ .what = text, .msr = msr_, .true_msr = true_,			\
	  .needs = field##_needs, .val = &tdm_vmx_caps.field,		\
	  .may = &tdm_vmx_caps.field##_may,				\
	  .must = &tdm_vmx_caps.field##_must }

static const struct word words[] = {
	WORD("pin-based control", MSR_IA32_VMX_PINBASED_CTLS,
	     MSR_IA32_VMX_TRUE_PINBASED_CTLS, pin),
	WORD("processor control", MSR_IA32_VMX_PROCBASED_CTLS,
	     MSR_IA32_VMX_TRUE_PROCBASED_CTLS, cpu),
	WORD("secondary control", MSR_IA32_VMX_PROCBASED_CTLS2,
	     MSR_IA32_VMX_PROCBASED_CTLS2, cpu2),
	WORD("VM-exit control", MSR_IA32_VMX_EXIT_CTLS,
	     MSR_IA32_VMX_TRUE_EXIT_CTLS, exit),
	WORD("VM-entry control", MSR_IA32_VMX_ENTRY_CTLS,
	     MSR_IA32_VMX_TRUE_ENTRY_CTLS, entry),
};

__printf(3, 4)
static int refuse(struct tdm_why *why, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	return error;
}

static u64 read_cap(u32 msr)
{
	u64 val;

	return rdmsrl_safe(msr, &val) ? 0 : val;
}

static int choose_word(const struct word *w, struct tdm_why *why)
{
	u64 cap = read_cap(tdm_vmx_caps.basic & BASIC_TRUE_CTLS ? w->true_msr : w->msr);
	const struct need *n;

	/* A CPU without secondary controls does not have their MSR either. */
	*w->must = cap;
	*w->may = cap >> 32;
	*w->val = *w->must;
	for (n = w->needs; n->bit; n++) {
		if (*w->may & n->bit)
			*w->val |= n->bit;
		else if (n->name)
			return refuse(why, -ENODEV,
				      "this CPU's VMX lacks the %s \"%s\", which the engine needs; use the bt engine",
				      w->what, n->name);
	}
	return 0;
}

/* ---- what EPT mode needs ---- */

/**
 * struct ept_need - something that must be there to run with EPT
 * @word: where to look: what may be 1
 * @bit: what to look for
 * @name: the SDM's name
 */
struct ept_need {
	const u32 *word;
	u32 bit;
	const char *name;
};

static const struct ept_need ept_needs[] = {
	{ &tdm_vmx_caps.cpu2_may,  CPU2_EPT,		"EPT" },
	{ &tdm_vmx_caps.cpu2_may,  CPU2_VPID,		"VPID" },
	{ &tdm_vmx_caps.cpu2_may,  CPU2_UNRESTRICTED,	"unrestricted guest" },
	{ &tdm_vmx_caps.exit_may,  EXIT_SAVE_PAT,	"save IA32_PAT" },
	{ &tdm_vmx_caps.exit_may,  EXIT_LOAD_PAT,	"load IA32_PAT" },
	{ &tdm_vmx_caps.exit_may,  EXIT_LOAD_EFER,	"load IA32_EFER" },
	{ &tdm_vmx_caps.entry_may, ENTRY_LOAD_PAT,	"load IA32_PAT" },
	{ &tdm_vmx_caps.entry_may, ENTRY_LOAD_EFER,	"load IA32_EFER" },
};

static const struct {
	u64 bit;
	const char *name;
} ept_cap_needs[] = {
	{ EPTCAP_WALK4,			"4-level EPT" },
	{ EPTCAP_WB,			"write-back EPT structures" },
	{ EPTCAP_INVEPT,		"INVEPT" },
	{ EPTCAP_INVEPT_SINGLE,		"single-context INVEPT" },
	{ EPTCAP_INVEPT_ALL,		"all-context INVEPT" },
	{ EPTCAP_INVVPID,		"INVVPID" },
	{ EPTCAP_INVVPID_SINGLE,	"single-context INVVPID" },
	{ EPTCAP_INVVPID_ALL,		"all-context INVVPID" },
};

/* The first thing that is missing for EPT, or NULL. */
static const char *ept_lacks(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ept_needs); i++)
		if (!(*ept_needs[i].word & ept_needs[i].bit))
			return ept_needs[i].name;
	for (i = 0; i < ARRAY_SIZE(ept_cap_needs); i++)
		if (!(tdm_vmx_caps.ept_vpid & ept_cap_needs[i].bit))
			return ept_cap_needs[i].name;
	return NULL;
}

/* Shadow paging needs nothing more; EPT all of it, or it is not used at all. */
static void mmu_modes_read(void)
{
	struct tdm_vmx_caps *c = &tdm_vmx_caps;
	u64 cap = c->ept_vpid;

	c->mmu_modes = BIT(TDM_MMU_MODE_SHADOW);
	c->no_ept = ept_lacks();
	if (c->no_ept)
		return;
	c->mmu_modes |= BIT(TDM_MMU_MODE_EPT);
	tdm_ept_caps = (struct tdm_ept_caps){
		.ad_bits = cap & EPTCAP_AD,
		.page_2m = cap & EPTCAP_2M,
		.page_1g = cap & EPTCAP_1G,
		.exec_only = cap & EPTCAP_EXEC_ONLY,
		.wb = true,
		.levels = 4,
	};
}

/* Controls that need others, and those that come in pairs. */
static void choose_optional(void)
{
	struct tdm_vmx_caps *c = &tdm_vmx_caps;

	if (c->cpu_may & CPU_TPR_SHADOW) {
		c->cpu |= CPU_TPR_SHADOW;
		/* CR8 exits only for vCPUs without a LAPIC of ours. */
		c->cpu &= ~(CPU_CR8_LOAD | CPU_CR8_STORE) | c->cpu_must;
	}
	/* These default to 1 in old CPUs; ctrl.c sets them again for shadow paging. */
	c->cpu &= ~(CPU_CR3_LOAD | CPU_CR3_STORE | CPU_INVLPG) | c->cpu_must;
	/* In pairs: what an entry loads an exit must put back. */
	if (!(c->entry & ENTRY_LOAD_EFER) || !(c->exit & EXIT_LOAD_EFER)) {
		c->entry &= ~ENTRY_LOAD_EFER | c->entry_must;
		c->exit &= ~EXIT_LOAD_EFER | c->exit_must;
	}
	c->timer_shift = c->pin_may & PIN_PREEMPT_TIMER ?
			 c->misc & MISC_TIMER_SHIFT_MASK : 0xff;
}

/* What a guest cannot have because a control for it is missing. */
static void hide_cpuid(void)
{
	u32 may = tdm_vmx_caps.cpu2_may;

	if (!(may & CPU2_RDTSCP)) {
		tdm_cpuid_hide(X86_FEATURE_RDTSCP);
		tdm_cpuid_hide(X86_FEATURE_RDPID);
	}
	if (!(may & CPU2_INVPCID))
		tdm_cpuid_hide(X86_FEATURE_INVPCID);
	if (!(may & CPU2_XSAVES))
		tdm_cpuid_hide(X86_FEATURE_XSAVES);
	if (!(may & CPU2_USER_WAIT))
		tdm_cpuid_hide(X86_FEATURE_WAITPKG);
}

static int caps_read(struct tdm_why *why)
{
	struct tdm_vmx_caps *c = &tdm_vmx_caps;
	int i, r;

	c->basic = read_cap(MSR_IA32_VMX_BASIC);
	c->misc = read_cap(MSR_IA32_VMX_MISC);
	c->cr0_fixed0 = read_cap(MSR_IA32_VMX_CR0_FIXED0);
	c->cr0_fixed1 = read_cap(MSR_IA32_VMX_CR0_FIXED1);
	c->cr4_fixed0 = read_cap(MSR_IA32_VMX_CR4_FIXED0);
	c->cr4_fixed1 = read_cap(MSR_IA32_VMX_CR4_FIXED1);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		r = choose_word(&words[i], why);
		if (r)
			return r;
	}
	c->ept_vpid = read_cap(MSR_IA32_VMX_EPT_VPID_CAP);
	mmu_modes_read();
	if (((c->basic >> BASIC_SIZE_SHIFT) & BASIC_SIZE_MASK) > PAGE_SIZE ||
	    ((c->basic >> BASIC_MEMTYPE_SHIFT) & BASIC_MEMTYPE_MASK) != BASIC_MEMTYPE_WB ||
	    c->basic & BASIC_PA32)
		return refuse(why, -ENODEV, "this CPU wants an unusual VMCS region (IA32_VMX_BASIC 0x%llx)",
			      c->basic);
	choose_optional();
	hide_cpuid();
	return 0;
}

/**
 * tdm_vmx_caps_init() - read the capabilities, once
 * @why: the missing one, with what to do
 *
 * Return: 0 or -ENODEV.
 */
int tdm_vmx_caps_init(struct tdm_why *why)
{
	int r = 0;

	mutex_lock(&caps_mutex);
	if (!caps_done) {
		r = caps_read(why);
		caps_done = !r;
	}
	mutex_unlock(&caps_mutex);
	return r;
}

/** tdm_vmx_mmu_modes() - tdm_engine_ops.mmu_modes */
u32 tdm_vmx_mmu_modes(struct tdm_why *why)
{
	if (tdm_vmx_caps.no_ept)
		refuse(why, 0, "no EPT mode: this CPU's VMX lacks \"%s\"; shadow paging works",
		       tdm_vmx_caps.no_ept);
	return tdm_vmx_caps.mmu_modes;
}

/**
 * tdm_vmx_cpu_matches() - has this CPU the capabilities the first one had?
 */
bool tdm_vmx_cpu_matches(void)
{
	struct tdm_vmx_caps *c = &tdm_vmx_caps;
	int i;

	if (read_cap(MSR_IA32_VMX_BASIC) != c->basic ||
	    read_cap(MSR_IA32_VMX_MISC) != c->misc ||
	    read_cap(MSR_IA32_VMX_EPT_VPID_CAP) != c->ept_vpid)
		return false;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		u64 cap = read_cap(c->basic & BASIC_TRUE_CTLS ? words[i].true_msr : words[i].msr);

		if ((u32)cap != *words[i].must || cap >> 32 != *words[i].may)
			return false;
	}
	return true;
}

/**
 * tdm_vmx_cpu_usable() - could VMXON succeed on this CPU?
 * @why: why not, with the remedy
 *
 * Any context, this CPU. Return: 0; -ENODEV no VMX; -EPERM firmware forbids
 * it; -EBUSY someone else has it on.
 */
int tdm_vmx_cpu_usable(struct tdm_why *why)
{
	u64 feat;

	if (!(cpuid_ecx(1) & BIT(X86_FEATURE_VMX & 31)))
		return refuse(why, -ENODEV, boot_cpu_has(X86_FEATURE_HYPERVISOR) ?
			      "no VMX (VT-x) in this virtual machine: enable nested virtualisation in its host, or use the bt engine" :
			      "this CPU has no VMX (VT-x): use the bt engine");
	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &feat))
		feat = 0;
	if (!(feat & FEAT_CTL_LOCKED))
		return refuse(why, -EPERM,
			      "firmware left VMX undecided (IA32_FEATURE_CONTROL not locked): enable VT-x in the firmware setup, or use the bt engine");
	if (!(feat & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX))
		return refuse(why, -EPERM,
			      "firmware has switched VMX (VT-x) off: enable it in the firmware setup and power-cycle, or use the bt engine");
	if (tdm_fred_active())
		return refuse(why, -ENODEV,
			      "the host kernel uses FRED, which this engine does not know yet: boot it with fred=off");
	if (tdm_host_vmxe())
		return refuse(why, -EBUSY,
			      "VMX is in use by another hypervisor, most likely kvm_intel: stop its VMs, or 'rmmod kvm_intel' (VirtualBox, VMware: stop theirs)");
	return 0;
}

struct probe_ctx {
	atomic_t error;
	struct tdm_why *why;
};

static void probe_ipi(void *arg)
{
	struct probe_ctx *ctx = arg;
	struct tdm_why why = { };
	int r = tdm_vmx_cpu_usable(&why);

	if (r && !atomic_cmpxchg(&ctx->error, 0, r))
		*ctx->why = why;
}

/** tdm_vmx_probe() - tdm_engine_ops.probe */
int tdm_vmx_probe(struct tdm_why *why)
{
	struct probe_ctx ctx = { .error = ATOMIC_INIT(0), .why = why };
	int r;

	/* Holding it is the best proof. */
	if (!tdm_host_hw_look(&tdm_vmx_hw, probe_ipi, &ctx))
		return 0;
	r = atomic_read(&ctx.error);
	if (r == -EBUSY) {
		/* What the CPU lacks for good matters more than who has it now. */
		struct tdm_why lacks = { };
		int r2 = tdm_vmx_caps_init(&lacks);

		if (r2) {
			*why = lacks;
			return r2;
		}
	}
	return r ?: tdm_vmx_caps_init(why);
}
