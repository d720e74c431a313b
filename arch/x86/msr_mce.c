// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine check architecture of the guest: banks that the VMM fills.
 *
 * No machine check of the host is passed on by itself; the VMM, which gets
 * SIGBUS for the guest's memory, tells the guest with KVM_X86_SET_MCE.
 */
#include <linux/nospec.h>
#include <asm/mce.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "arch/x86/msr_check.h"
#include "arch/x86/msr_int.h"
#include "kmod/core.h"

/* Software error recovery; not CMCI and LMCE, which need LVT entries. */
#define MCE_CAP		(MCG_CTL_P | MCG_SER_P)
#define MCI_REGS	4	/* CTL, STATUS, ADDR, MISC */
#define HWCR_STATUS_WR	BIT_ULL(18)
#define DEFAULT_BANKS	10	/* a usual number; each costs the guest exits at boot */

static_assert(sizeof_field(struct tdm_state, mce) == TDM_MCE_BANKS * MCI_REGS * sizeof(u64));

/** tdm_mce_cap_supported() - KVM_X86_GET_MCE_CAP_SUPPORTED */
u64 tdm_mce_cap_supported(void)
{
	return MCE_CAP;
}

static u32 nr_banks(const struct tdm_vcpu *vcpu)
{
	return min_t(u32, vcpu->st.mcg_cap & MCG_BANKCNT_MASK, TDM_MCE_BANKS);
}

/**
 * tdm_mce_setup() - KVM_X86_SETUP_MCE
 * @vcpu: the vCPU
 * @mcg_cap: IA32_MCG_CAP the guest shall see: banks and capabilities
 *
 * Return: 0; -EINVAL for no or too many banks, or what is not supported.
 */
int tdm_mce_setup(struct tdm_vcpu *vcpu, u64 mcg_cap)
{
	struct tdm_state *st = &vcpu->st;
	u32 i, banks = mcg_cap & MCG_BANKCNT_MASK;

	if (!banks || banks > TDM_MCE_BANKS)
		return -EINVAL;
	if (mcg_cap & ~(MCE_CAP | MCG_BANKCNT_MASK | MCG_EXT_CNT_MASK))
		return -EINVAL;
	st->mcg_cap = mcg_cap;
	if (mcg_cap & MCG_CTL_P)
		st->mcg_ctl = ~0ull;
	for (i = 0; i < banks; i++)
		st->mce[i * MCI_REGS] = ~0ull;
	return 0;
}

/* Uncorrected: the guest's #MC, or its end if it is in one or wants none. */
static int inject_uncorrected(struct tdm_vcpu *vcpu, u64 *bank,
			      const struct kvm_x86_mce *mce)
{
	struct tdm_state *st = &vcpu->st;

	tdm_need(vcpu, TDM_ST_CR);
	if ((st->mcg_status & MCG_STATUS_MCIP) || !(st->cr4 & X86_CR4_MCE)) {
		tdm_request(vcpu, TDM_REQ_TRIPLE_FAULT);
		return 0;
	}
	if (bank[1] & MCI_STATUS_VAL)
		bank[1] = mce->status | MCI_STATUS_OVER;
	else
		bank[1] = mce->status;
	bank[2] = mce->addr;
	bank[3] = mce->misc;
	st->mcg_status = mce->mcg_status;
	tdm_queue_exception(vcpu, X86_TRAP_MC);
	return 0;
}

/**
 * tdm_mce_inject() - KVM_X86_SET_MCE
 * @vcpu: loaded vCPU
 * @mce: the error
 *
 * Return: 0, also when the guest has error reporting of that bank off; -EINVAL
 * for a bank that is not there or a status that is not valid.
 */
int tdm_mce_inject(struct tdm_vcpu *vcpu, const struct kvm_x86_mce *mce)
{
	struct tdm_state *st = &vcpu->st;
	u64 *bank;

	if (mce->bank >= nr_banks(vcpu) || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &st->mce[array_index_nospec(mce->bank, TDM_MCE_BANKS) * MCI_REGS];
	if (mce->status & MCI_STATUS_UC) {
		if ((st->mcg_cap & MCG_CTL_P) && st->mcg_ctl != ~0ull)
			return 0;
		if (bank[0] != ~0ull)
			return 0;
		return inject_uncorrected(vcpu, bank, mce);
	}
	/* Corrected errors are found by polling; an uncorrected one stays. */
	if ((bank[1] & MCI_STATUS_VAL) && (bank[1] & MCI_STATUS_UC)) {
		bank[1] |= MCI_STATUS_OVER;
		return 0;
	}
	bank[1] = mce->status | (bank[1] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0);
	bank[2] = mce->addr;
	bank[3] = mce->misc;
	return 0;
}

MSR_GETTER(msr_get_mcg_ctl)
{
	if (!(vcpu->st.mcg_cap & MCG_CTL_P) && !host)
		return -EINVAL;
	*val = vcpu->st.mcg_ctl;
	return 0;
}

MSR_SETTER(msr_set_mcg_ctl)
{
	if (!(vcpu->st.mcg_cap & MCG_CTL_P) && (val || !host))
		return -EINVAL;
	if (val && val != ~0ull)
		return -EINVAL;
	vcpu->st.mcg_ctl = val;
	return 0;
}

/* Slot in st.mce[], or -EINVAL for a bank the guest does not have. */
static int mci_slot(const struct tdm_vcpu *vcpu, const struct tdm_msr *m, u32 msr)
{
	u32 slot = msr - m->first;

	if (slot >= nr_banks(vcpu) * MCI_REGS)
		return -EINVAL;
	return array_index_nospec(slot, TDM_MCE_BANKS * MCI_REGS);
}

MSR_GETTER(msr_get_mci)
{
	int slot = mci_slot(vcpu, m, msr);

	if (slot < 0)
		return -EINVAL;
	*val = vcpu->st.mce[slot];
	return 0;
}

MSR_SETTER(msr_set_mci)
{
	int slot = mci_slot(vcpu, m, msr);

	if (slot < 0)
		return -EINVAL;
	if (slot % MCI_REGS == 0 && !tdm_mci_ctl_valid(val))
		return -EINVAL;
	/* Software clears STATUS; it sets it only where AMD's HWCR allows. */
	if (slot % MCI_REGS == 1 && val && !host &&
	    !(vcpu->st.hwcr & HWCR_STATUS_WR))
		return -EINVAL;
	vcpu->st.mce[slot] = val;
	return 0;
}

void msr_mce_reset(struct tdm_vcpu *vcpu)
{
	struct tdm_state *st = &vcpu->st;

	memset(st->mce, 0, sizeof(st->mce));
	st->mcg_status = 0;
	st->mcg_ctl = 0;
	st->mcg_cap = DEFAULT_BANKS;
}
