// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traps of direct user code that may not be the guest's.
 *
 * At CPL 3 the real IOPL is 0, the real IDT has no gates for INT n, CR4.TSD and
 * UMIP are on, and the real GDT has only some of the guest's descriptors. So an
 * instruction can trap that would do its work on the guest's own processor. The
 * table names those; the interpreter runs them and finds out whether they fault.
 * All other faults are the guest's own.
 *
 * What does not trap although it should is in Documentation/bt.rst.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include <linux/mm.h>

#include "arch/x86/insn-zydis.h"
#include "bt/bt.h"
#include "shadow_mmu/mmu.h"

static const bool sensitive[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
	/* IOPL and the I/O permission bitmap */
	[ZYDIS_MNEMONIC_IN] = true,
	[ZYDIS_MNEMONIC_OUT] = true,
	[ZYDIS_MNEMONIC_INSB] = true,
	[ZYDIS_MNEMONIC_INSW] = true,
	[ZYDIS_MNEMONIC_INSD] = true,
	[ZYDIS_MNEMONIC_OUTSB] = true,
	[ZYDIS_MNEMONIC_OUTSW] = true,
	[ZYDIS_MNEMONIC_OUTSD] = true,
	[ZYDIS_MNEMONIC_CLI] = true,
	[ZYDIS_MNEMONIC_STI] = true,
	/* gates */
	[ZYDIS_MNEMONIC_INT] = true,
	[ZYDIS_MNEMONIC_INT1] = true,
	[ZYDIS_MNEMONIC_INT3] = true,
	[ZYDIS_MNEMONIC_SYSENTER] = true,
	/* EFER.SCE comes before CPL */
	[ZYDIS_MNEMONIC_SYSRET] = true,
	/* descriptors */
	[ZYDIS_MNEMONIC_MOV] = true,	/* to a segment register: see is_sensitive() */
	[ZYDIS_MNEMONIC_POP] = true,	/* ditto */
	[ZYDIS_MNEMONIC_LDS] = true,
	[ZYDIS_MNEMONIC_LES] = true,
	[ZYDIS_MNEMONIC_LFS] = true,
	[ZYDIS_MNEMONIC_LGS] = true,
	[ZYDIS_MNEMONIC_LSS] = true,
	[ZYDIS_MNEMONIC_CALL] = true,	/* far: ditto */
	[ZYDIS_MNEMONIC_JMP] = true,	/* ditto */
	[ZYDIS_MNEMONIC_RET] = true,	/* ditto */
	[ZYDIS_MNEMONIC_IRET] = true,
	[ZYDIS_MNEMONIC_IRETD] = true,
	[ZYDIS_MNEMONIC_IRETQ] = true,
	/* CR4.UMIP and TSD */
	[ZYDIS_MNEMONIC_SGDT] = true,
	[ZYDIS_MNEMONIC_SIDT] = true,
	[ZYDIS_MNEMONIC_SLDT] = true,
	[ZYDIS_MNEMONIC_SMSW] = true,
	[ZYDIS_MNEMONIC_STR] = true,
	[ZYDIS_MNEMONIC_RDTSC] = true,
	[ZYDIS_MNEMONIC_RDTSCP] = true,
};

static bool has_segment_operand(const struct tdm_insn *insn)
{
	int i;

	for (i = 0; i < insn->nr_opnds; i++)
		if (insn->opnd[i].kind == TDM_OPND_SEG)
			return true;
	return false;
}

/* The far forms: 9A and EA, CA and CB, FF /3 and FF /5. */
static bool is_far(const struct tdm_insn *insn)
{
	switch (insn->opcode) {
	case 0x9a:
	case 0xea:
	case 0xca:
	case 0xcb:
		return true;
	case 0xff:
		return (insn->modrm_reg & 7) == 3 || (insn->modrm_reg & 7) == 5;
	default:
		return false;
	}
}

static bool is_sensitive(const struct tdm_insn *insn)
{
	if (insn->mnemonic > ZYDIS_MNEMONIC_MAX_VALUE || !sensitive[insn->mnemonic])
		return false;
	switch (insn->mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_POP:
		return has_segment_operand(insn);
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_RET:
		return insn->map == 0 && is_far(insn);
	default:
		return true;
	}
}

/* The bytes at CS:RIP as CPL 3 fetches them; how many, or a negative errno: -EFAULT, *pf */
static int fetch(struct tdm_vcpu *vcpu, u8 *buf, unsigned int len, struct tdm_page_fault *pf)
{
	u64 lin = vcpu->st.seg[TDM_SEG_CS].base + vcpu->regs.rip;
	unsigned int done = 0, n;
	u64 gpa;
	int r;

	if (!(vcpu->st.seg[TDM_SEG_CS].ar & TDM_AR_L))
		lin = (u32)lin;
	while (done < len) {
		n = min_t(unsigned int, len - done, PAGE_SIZE - offset_in_page(lin + done));
		r = tdm_gva_to_gpa(vcpu, lin + done, TDM_ACCESS_FETCH | TDM_ACCESS_USER, &gpa, pf);
		if (!r)
			r = tdm_read_gpa(vcpu->vm, gpa, buf + done, n);
		/* The first page was just executed from; the second may not be there. */
		if (r)
			return done ? done : r;
		done += n;
	}
	return done;
}

static unsigned int decode_mode(const struct tdm_vcpu *vcpu)
{
	u32 ar = vcpu->st.seg[TDM_SEG_CS].ar;

	if (ar & TDM_AR_L)
		return TDM_MODE_LONG64;
	return ar & TDM_AR_DB ? TDM_MODE_PROT32 : TDM_MODE_PROT16;
}

static void reflect(const struct tdm_bt *b, struct tdm_exit *exit)
{
	tdm_bt_guest_exc(exit, b->frame.vector, b->frame.vector != X86_TRAP_UD, b->frame.error, 0);
}

/**
 * tdm_bt_user_trap() - #GP, #NP, #SS or #UD in direct user code
 * @b: the vCPU, process context; canonical state is that before the instruction
 * @exit: filled
 *
 * Return: 0: *exit is TDM_EXIT_INSN, TDM_EXIT_VMCALL or TDM_EXIT_GUEST_EXC; negative
 * errno: the host could not give the code's page.
 */
int tdm_bt_user_trap(struct tdm_bt *b, struct tdm_exit *exit)
{
	struct tdm_bt_user *u = b->scratch;
	struct tdm_page_fault pf = { };
	int n;

	n = fetch(b->vcpu, u->bytes, sizeof(u->bytes), &pf);
	/* Unmapped meanwhile: the fetch faults. */
	if (n == -EFAULT) {
		tdm_bt_guest_exc(exit, X86_TRAP_PF, true, pf.error, pf.gva);
		return 0;
	}
	if (n < 0)
		return n;
	exit->insn_len = 0;
	if (tdm_insn_decode(&u->insn, &u->work, u->bytes, n, decode_mode(b->vcpu))) {
		reflect(b, exit);
	} else if (b->frame.vector == X86_TRAP_UD) {
		reflect(b, exit);
		if (u->insn.mnemonic == ZYDIS_MNEMONIC_VMCALL) {
			exit->kind = TDM_EXIT_VMCALL;
			exit->insn_len = u->insn.len;
		}
	} else if (is_sensitive(&u->insn)) {
		tdm_stat(b->vcpu, bt_user_traps);
		/* The trap set it, not the guest. */
		b->vcpu->regs.rflags &= ~(u64)X86_EFLAGS_RF;
		exit->kind = TDM_EXIT_INSN;
	} else {
		reflect(b, exit);
	}
	return 0;
}
