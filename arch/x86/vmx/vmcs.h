/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMCS: its fields, access to the current one, and which CPU holds which.
 *
 * One X-macro of fields (SDM vol. 3, appendix B) gives the enum, the names and
 * the dump. The accessors check at compile time that a field is read and
 * written with its own width.
 *
 * Beware: VMREAD and VMWRITE act on the CPU's current VMCS, whatever vCPU you
 * mean. Call them only between tdm_vmcs_load() and the unload of that vCPU
 * (preempt notifiers bring it back after a context switch). An instruction
 * that faults because VMX was switched off under it (reboot) is skipped and
 * reads as 0; any other failure is a bug and is reported once.
 */
#ifndef TDM_VMX_VMCS_H
#define TDM_VMX_VMCS_H

#include <asm/asm.h>
#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/types.h>

struct seq_file;

/* Per-segment fields follow each other in the order of enum tdm_seg. */
#define TDM_VMCS_SEG_FIELDS(X, what, base)				\
	X(GUEST_ES_##what, (base))					\
	X(GUEST_CS_##what, (base) + 2)					\
	X(GUEST_SS_##what, (base) + 4)					\
	X(GUEST_DS_##what, (base) + 6)					\
	X(GUEST_FS_##what, (base) + 8)					\
	X(GUEST_GS_##what, (base) + 10)					\
	X(GUEST_LDTR_##what, (base) + 12)				\
	X(GUEST_TR_##what, (base) + 14)

#define TDM_VMCS_FIELDS(X)						\
	/* 16 bits: controls, guest, host */				\
	X(VPID,				0x0000)				\
	TDM_VMCS_SEG_FIELDS(X, SEL,	0x0800)				\
	X(GUEST_INTR_STATUS,		0x0810)				\
	X(HOST_ES_SEL,			0x0c00)				\
	X(HOST_CS_SEL,			0x0c02)				\
	X(HOST_SS_SEL,			0x0c04)				\
	X(HOST_DS_SEL,			0x0c06)				\
	X(HOST_FS_SEL,			0x0c08)				\
	X(HOST_GS_SEL,			0x0c0a)				\
	X(HOST_TR_SEL,			0x0c0c)				\
	/* 64 bits: controls, read-only, guest, host */			\
	X(IO_BITMAP_A,			0x2000)				\
	X(IO_BITMAP_B,			0x2002)				\
	X(MSR_BITMAP,			0x2004)				\
	X(EXIT_MSR_STORE_ADDR,		0x2006)				\
	X(EXIT_MSR_LOAD_ADDR,		0x2008)				\
	X(ENTRY_MSR_LOAD_ADDR,		0x200a)				\
	X(TSC_OFFSET,			0x2010)				\
	X(VIRTUAL_APIC_ADDR,		0x2012)				\
	X(APIC_ACCESS_ADDR,		0x2014)				\
	X(EPTP,				0x201a)				\
	X(XSS_EXIT_BITMAP,		0x202c)				\
	X(ENCLS_EXIT_BITMAP,		0x202e)				\
	X(TSC_MULTIPLIER,		0x2032)				\
	X(GUEST_PHYS_ADDR,		0x2400)				\
	X(VMCS_LINK,			0x2800)				\
	X(GUEST_DEBUGCTL,		0x2802)				\
	X(GUEST_PAT,			0x2804)				\
	X(GUEST_EFER,			0x2806)				\
	X(GUEST_PERF_GLOBAL_CTRL,	0x2808)				\
	X(GUEST_PDPTE0,			0x280a)				\
	X(GUEST_PDPTE1,			0x280c)				\
	X(GUEST_PDPTE2,			0x280e)				\
	X(GUEST_PDPTE3,			0x2810)				\
	X(HOST_PAT,			0x2c00)				\
	X(HOST_EFER,			0x2c02)				\
	X(HOST_PERF_GLOBAL_CTRL,	0x2c04)				\
	/* 32 bits: controls, read-only, guest, host */			\
	X(PIN_CTLS,			0x4000)				\
	X(CPU_CTLS,			0x4002)				\
	X(EXCEPTION_BITMAP,		0x4004)				\
	X(PF_ERROR_MASK,		0x4006)				\
	X(PF_ERROR_MATCH,		0x4008)				\
	X(CR3_TARGET_COUNT,		0x400a)				\
	X(EXIT_CTLS,			0x400c)				\
	X(EXIT_MSR_STORE_COUNT,		0x400e)				\
	X(EXIT_MSR_LOAD_COUNT,		0x4010)				\
	X(ENTRY_CTLS,			0x4012)				\
	X(ENTRY_MSR_LOAD_COUNT,		0x4014)				\
	X(ENTRY_INTR_INFO,		0x4016)				\
	X(ENTRY_INTR_ERROR,		0x4018)				\
	X(ENTRY_INSN_LEN,		0x401a)				\
	X(TPR_THRESHOLD,		0x401c)				\
	X(CPU2_CTLS,			0x401e)				\
	X(PLE_GAP,			0x4020)				\
	X(PLE_WINDOW,			0x4022)				\
	X(INSN_ERROR,			0x4400)				\
	X(EXIT_REASON,			0x4402)				\
	X(EXIT_INTR_INFO,		0x4404)				\
	X(EXIT_INTR_ERROR,		0x4406)				\
	X(IDT_VECTORING_INFO,		0x4408)				\
	X(IDT_VECTORING_ERROR,		0x440a)				\
	X(EXIT_INSN_LEN,		0x440c)				\
	X(EXIT_INSN_INFO,		0x440e)				\
	TDM_VMCS_SEG_FIELDS(X, LIMIT,	0x4800)				\
	X(GUEST_GDTR_LIMIT,		0x4810)				\
	X(GUEST_IDTR_LIMIT,		0x4812)				\
	TDM_VMCS_SEG_FIELDS(X, AR,	0x4814)				\
	X(GUEST_INTERRUPTIBILITY,	0x4824)				\
	X(GUEST_ACTIVITY,		0x4826)				\
	X(GUEST_SMBASE,			0x4828)				\
	X(GUEST_SYSENTER_CS,		0x482a)				\
	X(PREEMPT_TIMER,		0x482e)				\
	X(HOST_SYSENTER_CS,		0x4c00)				\
	/* natural width: controls, read-only, guest, host */		\
	X(CR0_MASK,			0x6000)				\
	X(CR4_MASK,			0x6002)				\
	X(CR0_SHADOW,			0x6004)				\
	X(CR4_SHADOW,			0x6006)				\
	X(EXIT_QUAL,			0x6400)				\
	X(GUEST_LINEAR_ADDR,		0x640a)				\
	X(GUEST_CR0,			0x6800)				\
	X(GUEST_CR3,			0x6802)				\
	X(GUEST_CR4,			0x6804)				\
	TDM_VMCS_SEG_FIELDS(X, BASE,	0x6806)				\
	X(GUEST_GDTR_BASE,		0x6816)				\
	X(GUEST_IDTR_BASE,		0x6818)				\
	X(GUEST_DR7,			0x681a)				\
	X(GUEST_RSP,			0x681c)				\
	X(GUEST_RIP,			0x681e)				\
	X(GUEST_RFLAGS,			0x6820)				\
	X(GUEST_PENDING_DBG,		0x6822)				\
	X(GUEST_SYSENTER_ESP,		0x6824)				\
	X(GUEST_SYSENTER_EIP,		0x6826)				\
	X(HOST_CR0,			0x6c00)				\
	X(HOST_CR3,			0x6c02)				\
	X(HOST_CR4,			0x6c04)				\
	X(HOST_FS_BASE,			0x6c06)				\
	X(HOST_GS_BASE,			0x6c08)				\
	X(HOST_TR_BASE,			0x6c0a)				\
	X(HOST_GDTR_BASE,		0x6c0c)				\
	X(HOST_IDTR_BASE,		0x6c0e)				\
	X(HOST_SYSENTER_ESP,		0x6c10)				\
	X(HOST_SYSENTER_EIP,		0x6c12)				\
	X(HOST_RSP,			0x6c14)				\
	X(HOST_RIP,			0x6c16)

enum tdm_vmcs_field {
#define X(name, encoding) VMCS_##name = encoding,
	TDM_VMCS_FIELDS(X)
#undef X
};

/* Bits 14:13 of an encoding (SDM vol. 3, table 24-20) */
enum tdm_vmcs_width { VMCS_W16, VMCS_W64, VMCS_W32, VMCS_WNAT };

#define VMCS_WIDTH(field)	(((field) >> 13) & 3)

void tdm_vmcs_read_failed(unsigned long field);
void tdm_vmcs_write_failed(unsigned long field, unsigned long val);

/* Any field, width not checked: for tables and per-segment fields. */
static __always_inline unsigned long vmcs_read_raw(unsigned long field)
{
	unsigned long val;
	bool fail;

	asm volatile("1:\tvmread %[field], %[val]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_ZERO_REG, %[val])
		     : [val] "=r" (val), "=@ccbe" (fail)
		     : [field] "r" (field));
	if (unlikely(fail)) {
		tdm_vmcs_read_failed(field);
		return 0;
	}
	return val;
}

/*
 * For the hot path, right after a read that was checked: the VMCS is current,
 * and the fields below exist on every CPU, so this cannot fail.
 */
static __always_inline unsigned long vmcs_read_again(const unsigned long field)
{
	unsigned long val;

	BUILD_BUG_ON(!__builtin_constant_p(field));
	asm volatile("1:\tvmread %[field], %[val]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_ZERO_REG, %[val])
		     : [val] "=r" (val) : [field] "r" (field) : "cc");
	return val;
}

static __always_inline void vmcs_write_raw(unsigned long field, unsigned long val)
{
	asm goto("1:\tvmwrite %[val], %[field]\n\t"
		 "jbe %l[fail]\n"
		 _ASM_EXTABLE(1b, %l[fail])
		 : : [val] "rm" (val), [field] "r" (field) : "cc" : fail);
	return;
fail:
	tdm_vmcs_write_failed(field, val);
}

#define TDM_VMCS_ACCESSORS(suffix, type, width)				\
static __always_inline type vmcs_read##suffix(const unsigned long field)\
{									\
	BUILD_BUG_ON(!__builtin_constant_p(field));			\
	BUILD_BUG_ON(VMCS_WIDTH(field) != (width));			\
	return vmcs_read_raw(field);					\
}									\
static __always_inline void vmcs_write##suffix(const unsigned long field, \
					       type val)		\
{									\
	BUILD_BUG_ON(!__builtin_constant_p(field));			\
	BUILD_BUG_ON(VMCS_WIDTH(field) != (width));			\
	vmcs_write_raw(field, val);					\
}

TDM_VMCS_ACCESSORS(16, u16, VMCS_W16)
TDM_VMCS_ACCESSORS(32, u32, VMCS_W32)
TDM_VMCS_ACCESSORS(64, u64, VMCS_W64)
TDM_VMCS_ACCESSORS(n, unsigned long, VMCS_WNAT)

/**
 * struct tdm_vmcs - a VMCS region and where it is loaded
 * @host_rsp: value of its HOST_RSP field; the entry code's offset 0
 * @launched: VMRESUME, not VMLAUNCH; the entry code's offset 8
 * @cpu: CPU whose processor may cache it, -1 = none (memory is up to date)
 * @page: the region
 * @phys: its physical address, an instruction operand
 * @link: in the list of the CPU's loaded VMCSs; interrupts off on that CPU
 */
struct tdm_vmcs {
	unsigned long host_rsp;
	u32 launched;
	int cpu;
	void *page;
	u64 phys;
	struct list_head link;
};

int tdm_vmcs_alloc(struct tdm_vmcs *vmcs);
void tdm_vmcs_free(struct tdm_vmcs *vmcs);
bool tdm_vmcs_load(struct tdm_vmcs *vmcs);
void tdm_vmcs_clear(struct tdm_vmcs *vmcs);

void tdm_vmcs_dump(struct seq_file *m);

#endif /* TDM_VMX_VMCS_H */
