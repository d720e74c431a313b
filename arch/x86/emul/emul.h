/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instruction emulator: executes one guest instruction on canonical state.
 *
 * It is plain and exact before it is fast: MMIO, string I/O, code an engine
 * cannot run, page-table writes, and the oracle the translator is checked
 * against. It knows nothing of vCPUs, engines or memslots: memory, ports and
 * privileged state are reached through struct tdm_emul_ops, so that it also
 * builds in userspace, where it is tested against the real CPU.
 *
 * Use
 * ---
 * One struct tdm_emul_ctxt per vCPU (several KiB: allocate it), set up once
 * with tdm_emul_init(). For each instruction the caller
 *
 *   1. fills ctxt->cr0, cr4, efer, features, int_shadow and segs_ready; the
 *	registers at ctxt->regs and ctxt->sregs are its own, used in place;
 *   2. calls tdm_emul_step() (in a context where its own ops may run);
 *   3. acts on the result:
 *
 *	TDM_EMUL_DONE		ctxt->regs has the new state; int_shadow is the new
 *				interrupt shadow. If trap_dr6 is not 0 a #DB is due with these
 *				DR6 bits. A REP instruction may be DONE with RIP
 *				still on it: call again, or enter the guest.
 *	TDM_EMUL_FAULT		deliver ctxt->event, RIP on the instruction; RF in the
 *				pushed flags is the caller's to set. A REP instruction
 *				may have made progress in ctxt->regs.
 *	TDM_EMUL_IO		userspace must do the access in tdm_emul_io(ctxt);
 *				then tdm_emul_io_done(), and from 1. again. A REP
 *				instruction may have made progress in ctxt->regs. The
 *				guest must not run and no event may be delivered in
 *				between.
 *	TDM_EMUL_RETRY		nothing happened; enter the guest again.
 *	TDM_EMUL_UNHANDLED	nothing happened; the instruction is not emulated, see
 *				Documentation/emulator.rst. ctxt->insn has the bytes
 *				(insn.len is 0 if it could not even be fetched).
 *
 * State is committed all or nothing: except for completed REP iterations, a
 * step that is not DONE leaves registers and segments as they were. Guest
 * memory is written once nothing more can fault; instructions that write
 * several places probe them all first.
 *
 * MMIO and port replay
 * --------------------
 * An instruction can need several device accesses, each of which may go to
 * userspace. Every completed device access of the current instruction is kept
 * in a log in the context; after userspace has answered, the instruction runs
 * again from its start and takes what the log has instead of doing it again.
 * So each access is done exactly once, in order, and nothing but the log
 * survives between the runs. Whoever changes the vCPU's registers or loads
 * new state while an access is outstanding calls tdm_emul_reset(), which
 * drops the instruction.
 *
 * Locking: none here. A context belongs to one thread at a time; ops may sleep
 * if the caller of tdm_emul_step() may.
 */
#ifndef TDM_EMUL_H
#define TDM_EMUL_H

#include "port.h"
#include "../insn.h"
#include "../state.h"

struct tdm_emul_ctxt;

/**
 * enum tdm_emul_rc - result of a step, and of every op
 * @TDM_EMUL_DONE: success
 * @TDM_EMUL_FAULT: ctxt->event is to be delivered to the guest
 * @TDM_EMUL_IO: step: userspace must act; op: it will be asked to
 * @TDM_EMUL_RETRY: re-enter the guest
 * @TDM_EMUL_UNHANDLED: cannot be emulated
 * @TDM_EMUL_MMIO: memory ops only: no RAM there (for a write: no writable
 *		   RAM); ctxt->mmio_gpa says where. Never a step's result.
 * @TDM_EMUL_RACED: cmpxchg only: memory did not hold the old value. Never a
 *		    step's result.
 */
enum tdm_emul_rc {
	TDM_EMUL_DONE,
	TDM_EMUL_FAULT,
	TDM_EMUL_IO,
	TDM_EMUL_RETRY,
	TDM_EMUL_UNHANDLED,
	TDM_EMUL_MMIO,
	TDM_EMUL_RACED,
};

/* Kinds of a memory access (ops->read and friends). */
#define TDM_ACC_READ	 0x01
#define TDM_ACC_WRITE	 0x02	/* alone or with READ: needs write permission */
#define TDM_ACC_FETCH	 0x04
#define TDM_ACC_USER	 0x08	/* CPL 3 */
#define TDM_ACC_IMPLICIT 0x10	/* descriptor table, TSS: supervisor at any CPL */

enum tdm_emul_event_type {
	TDM_EMUL_EXC,		/* hardware exception */
	TDM_EMUL_SOFT_INT,	/* INT n */
	TDM_EMUL_SOFT_EXC,	/* INT3, INTO */
	TDM_EMUL_PRIV_EXC,	/* INT1 */
	TDM_EMUL_EXT_INT,	/* external interrupt or NMI, for tdm_emul_deliver() */
};

/**
 * struct tdm_emul_event - what TDM_EMUL_FAULT delivers
 * @address: #PF: CR2. #DB: DR6 bits to set
 * @error: error code if @has_error
 * @vector: 0-255
 * @type: enum tdm_emul_event_type
 * @has_error: an error code is pushed (false in real mode)
 * @insn_len: for software events, the length of the instruction: the pushed
 *	      RIP is regs.rip + insn_len. 0 for exceptions.
 */
struct tdm_emul_event {
	u64 address;
	u32 error;
	u8 vector;
	u8 type;
	bool has_error;
	u8 insn_len;
};

enum tdm_emul_io_kind {
	TDM_EMUL_MMIO_READ,
	TDM_EMUL_MMIO_WRITE,
	TDM_EMUL_PIO_IN,
	TDM_EMUL_PIO_OUT,
};

#define TDM_EMUL_PIO_BYTES	1024	/* most that one INS or OUTS batch moves */
#define TDM_EMUL_IO_LOG		32	/* device accesses of one instruction */

/**
 * struct tdm_emul_io - one device access
 * @addr: guest-physical address or port
 * @data: little-endian value; PIO data is in ctxt->pio_data instead
 * @count: MMIO: 1; PIO: number of elements
 * @size: MMIO: 1-8 bytes; PIO: 1, 2 or 4
 * @kind: enum tdm_emul_io_kind
 */
struct tdm_emul_io {
	u64 addr;
	u64 data;
	u16 count;
	u8 size;
	u8 kind;
};

/**
 * struct tdm_emul_ops - what the emulator needs done
 *
 * Memory ops get linear addresses, already segmented and canonical, and never
 * cross a 4 KiB page. They translate (setting A/D bits as the access asks),
 * and return DONE, FAULT (event filled by tdm_emul_fault()), MMIO, RETRY or
 * UNHANDLED. Naturally aligned accesses of 1, 2, 4 or 8 bytes must be single
 * accesses. Ops not listed as optional must be there.
 *
 * @fetch: as @read, of code, 1 to 15 bytes; the buffer has room for 16
 * @read: read @size bytes (1 to a page)
 * @write: write @size bytes
 * @probe: only check that the access would succeed
 * @cmpxchg: atomically replace @old by @new if memory holds @old, @size 1, 2, 4,
 *	     8 or 16, maybe unaligned; RACED if it does not. MMIO as above.
 * @mmio: device access in guest-physical space, at most 8 bytes; DONE if a
 *	  kernel device has done it (io->data filled for a read), IO if
 *	  userspace has to
 * @pio: port access, data in ctxt->pio_data; DONE or IO; may lower io->count
 *	 to the number done (not below 1)
 * @need_segment: bring an entry of ctxt->sregs up to date, and set its bit in
 *		  ctxt->segs_ready (and those of others that came with it)
 * @set_segment: store one in ctxt->sregs
 * @get_table: GDTR (@idt false) or IDTR
 * @set_table: store one
 * @get_cr: CR0, 2, 3, 4, 8
 * @set_cr: write with all checks of MOV to CR; FAULT (#GP(0)) if refused
 * @get_dr: DR0-7; general-detect and CR4.DE are checked by the emulator
 * @set_dr: write; FAULT (#GP(0)) if refused
 * @get_msr: RDMSR; FAULT (#GP(0)) for an unknown one, IO never
 * @set_msr: WRMSR with all checks
 * @get_xcr: XCR0 (or XCR1: XINUSE) for XGETBV; FAULT if refused
 * @set_xcr: XSETBV
 * @cpuid: as the guest's CPUID
 * @rdtsc: the guest's TSC
 * @rdpmc: optional; without it, #GP(0)
 * @halt: HLT was executed; takes effect after the step
 * @wbinvd: WBINVD, WBNOINVD, INVD
 * @invlpg: INVLPG of a linear address
 * @invpcid: INVPCID with checked descriptor; FAULT if refused
 * @hypercall: VMCALL; optional: without it, #UD
 * @may_monitor: MONITOR and MWAIT do nothing at CPL 0; optional: false, #UD
 * @get_vec: read vector register @reg, @size bytes 16 or 32
 * @set_vec: write it. With @zero_upper bytes above @size up to the maximum
 *	     vector length become 0 (VEX), else they are kept.
 * @get_mmx: read MMX register
 * @set_mmx: write it, marking the x87 stack as MMX instructions do
 * @irq_pending: true if REP should stop at the next iteration; optional
 * @nmi_unmask: IRET was executed; optional
 */
struct tdm_emul_ops {
	/* memory */
	int (*fetch)(struct tdm_emul_ctxt *c, u64 lin, void *data,
		     unsigned int size, unsigned int acc);
	int (*read)(struct tdm_emul_ctxt *c, u64 lin, void *data,
		    unsigned int size, unsigned int acc);
	int (*write)(struct tdm_emul_ctxt *c, u64 lin, const void *data,
		     unsigned int size, unsigned int acc);
	int (*probe)(struct tdm_emul_ctxt *c, u64 lin, unsigned int size,
		     unsigned int acc);
	int (*cmpxchg)(struct tdm_emul_ctxt *c, u64 lin, const void *old,
		       const void *new, unsigned int size, unsigned int acc);
	/* devices */
	int (*mmio)(struct tdm_emul_ctxt *c, struct tdm_emul_io *io);
	int (*pio)(struct tdm_emul_ctxt *c, struct tdm_emul_io *io);
	/* segments and tables */
	void (*need_segment)(struct tdm_emul_ctxt *c, enum tdm_seg seg);
	void (*set_segment)(struct tdm_emul_ctxt *c, enum tdm_seg seg,
			    const struct tdm_segment *s);
	void (*get_table)(struct tdm_emul_ctxt *c, bool idt, struct tdm_table *t);
	void (*set_table)(struct tdm_emul_ctxt *c, bool idt,
			  const struct tdm_table *t);
	/* privileged registers */
	u64 (*get_cr)(struct tdm_emul_ctxt *c, unsigned int cr);
	int (*set_cr)(struct tdm_emul_ctxt *c, unsigned int cr, u64 val);
	u64 (*get_dr)(struct tdm_emul_ctxt *c, unsigned int dr);
	int (*set_dr)(struct tdm_emul_ctxt *c, unsigned int dr, u64 val);
	int (*get_msr)(struct tdm_emul_ctxt *c, u32 msr, u64 *val);
	int (*set_msr)(struct tdm_emul_ctxt *c, u32 msr, u64 val);
	int (*get_xcr)(struct tdm_emul_ctxt *c, u32 xcr, u64 *val);
	int (*set_xcr)(struct tdm_emul_ctxt *c, u32 xcr, u64 val);
	/* instructions */
	void (*cpuid)(struct tdm_emul_ctxt *c, u32 *eax, u32 *ebx, u32 *ecx,
		      u32 *edx);
	u64 (*rdtsc)(struct tdm_emul_ctxt *c);
	int (*rdpmc)(struct tdm_emul_ctxt *c, u32 counter, u64 *val);
	void (*halt)(struct tdm_emul_ctxt *c);
	void (*wbinvd)(struct tdm_emul_ctxt *c);
	void (*invlpg)(struct tdm_emul_ctxt *c, u64 lin);
	int (*invpcid)(struct tdm_emul_ctxt *c, u64 type, u64 pcid, u64 lin);
	int (*hypercall)(struct tdm_emul_ctxt *c);
	bool (*may_monitor)(struct tdm_emul_ctxt *c);
	/* vector registers */
	void (*get_vec)(struct tdm_emul_ctxt *c, unsigned int reg, void *data,
			unsigned int size);
	void (*set_vec)(struct tdm_emul_ctxt *c, unsigned int reg,
			const void *data, unsigned int size, bool zero_upper);
	u64 (*get_mmx)(struct tdm_emul_ctxt *c, unsigned int reg);
	void (*set_mmx)(struct tdm_emul_ctxt *c, unsigned int reg, u64 val);
	/* events */
	bool (*irq_pending)(struct tdm_emul_ctxt *c);
	void (*nmi_unmask)(struct tdm_emul_ctxt *c);
};

/* ctxt->features: CPUID bits that change what an instruction does. */
#define TDM_EMUL_F_LZCNT	BIT_ULL(0)	/* else F3 0F BD is BSR */
#define TDM_EMUL_F_BMI1		BIT_ULL(1)	/* else F3 0F BC is BSF */
#define TDM_EMUL_F_BMI2		BIT_ULL(2)
#define TDM_EMUL_F_ADX		BIT_ULL(3)
#define TDM_EMUL_F_MOVBE	BIT_ULL(4)
#define TDM_EMUL_F_POPCNT	BIT_ULL(5)
#define TDM_EMUL_F_CX16		BIT_ULL(6)
#define TDM_EMUL_F_RDTSCP	BIT_ULL(7)
#define TDM_EMUL_F_FSGSBASE	BIT_ULL(8)
#define TDM_EMUL_F_INVPCID	BIT_ULL(9)
#define TDM_EMUL_F_SMAP		BIT_ULL(10)	/* CLAC, STAC */
#define TDM_EMUL_F_XSAVE	BIT_ULL(11)
#define TDM_EMUL_F_AVX		BIT_ULL(12)
#define TDM_EMUL_F_AVX2		BIT_ULL(13)
#define TDM_EMUL_F_SYSCALL	BIT_ULL(14)
#define TDM_EMUL_F_AMD		BIT_ULL(15)	/* vendor differences: SYSENTER, SYSCALL */
#define TDM_EMUL_F_RDPID	BIT_ULL(16)
#define TDM_EMUL_F_LAHF_LM	BIT_ULL(17)
#define TDM_EMUL_F_MOVDIRI	BIT_ULL(18)
#define TDM_EMUL_F_SSE3		BIT_ULL(19)
#define TDM_EMUL_F_SSE4_1	BIT_ULL(20)
#define TDM_EMUL_F_SSE4_2	BIT_ULL(21)	/* CRC32 */
#define TDM_EMUL_F_SERIALIZE	BIT_ULL(23)
#define TDM_EMUL_F_CLFLUSHOPT	BIT_ULL(24)
#define TDM_EMUL_F_CLWB		BIT_ULL(25)

struct tdm_emul_op;

#define TDM_EMUL_LINES	256	/* of the cache, a power of two */

/**
 * struct tdm_emul_line - an instruction as it was decoded once
 * @insn: the instruction
 * @op: how it is emulated; NULL: it is not
 * @fast: whether there is a short cut
 * @key: the mode it was decoded for, plus 1; 0: the line is empty
 */
struct tdm_emul_line {
	struct tdm_insn insn;
	const struct tdm_emul_op *op;
	u16 key;
	u8 fast;
};

/* ctxt->int_shadow */
#define TDM_EMUL_SHADOW_STI	1u
#define TDM_EMUL_SHADOW_MOV_SS	2u

/* ctxt->trap_dr6 */
#define TDM_EMUL_DR6_BS		0x4000u		/* single step */

/**
 * struct tdm_emul_ctxt - the emulator's state for one vCPU
 * @ops: (c) set by tdm_emul_init()
 * @priv: (c) the caller's
 * @regs: (c) in and out: the caller's general registers; unless a step is DONE
 *	  they are as before it, but for iterations of a REP instruction
 * @sregs: (c) in: the caller's segment registers
 * @lines: the cache of decoded instructions, TDM_EMUL_LINES zeroed lines of the
 *	   caller's, or NULL: do without. May be set between any two steps.
 * @cr0: in: CR0
 * @cr4: in: CR4
 * @efer: in: IA32_EFER
 * @features: in: TDM_EMUL_F_*
 * @int_shadow: in and out: TDM_EMUL_SHADOW_*
 * @segs_ready: in: bit per entry of @sregs that is up to date
 * @trap_dr6: out, with DONE: DR6 bits of a debug trap due after the instruction
 * @event: out, with FAULT
 * @mmio_gpa: set by a memory op that returns TDM_EMUL_MMIO
 * @insn: the instruction, once fetched; its len is 0 if it could not be
 * @nr_emulated: counter of steps that were DONE
 * @nr_decoded: counter of instructions decoded, that is not found in the cache
 * @pio_data: data of the port access in the log
 *
 * All else is private to arch/x86/emul/.
 */
struct tdm_emul_ctxt {
	const struct tdm_emul_ops *ops;
	void *priv;

	struct tdm_regs *regs;
	const struct tdm_segment *sregs;
	struct tdm_emul_line *lines;
	u64 cr0;
	u64 cr4;
	u64 efer;
	u64 features;
	u32 int_shadow;
	u32 segs_ready;
	u32 trap_dr6;
	struct tdm_emul_event event;
	u64 mmio_gpa;

	/* private: arch/x86/emul/ only */
	struct tdm_regs saved;		/* what a step that fails restores */
	const struct tdm_emul_op *op;	/* table entry being executed */
	u64 next_rip;			/* where execution goes on */
	u8 mode;			/* enum tdm_cpu_mode */
	u8 fast;			/* enum emul_fast, of op */
	u16 line_no;			/* with fast: the line of the cache */
	u8 cpl;
	bool keep_rf;			/* the instruction loaded RF itself */
	bool no_trap;			/* TF trap is not due after this one */
	bool rep_more;			/* REP: RIP stays on the instruction */
	u16 rep_left;			/* string elements this step may still do */
	u8 new_shadow;			/* interrupt shadow after this one */
	u8 ext;				/* EXT bit of selector error codes */
	u8 seg_dirty;			/* bit per entry of seg[] to be stored at commit */
	struct tdm_segment seg[TDM_NR_SEGS];

	/* the memory operand of the instruction, for read-modify-write */
	u64 mem_lin;
	u64 mem_old[2];			/* value read, for cmpxchg */
	u64 mem_new;			/* value to be written */
	bool mem_valid;			/* mem_lin, mem_old are those of this attempt */

	/* device access log */
	u8 io_count;			/* entries */
	u8 io_pos;			/* next to be replayed */
	bool io_pending;		/* the last entry waits for userspace */
	u64 io_rip;			/* instruction the log belongs to */
	struct tdm_emul_io io[TDM_EMUL_IO_LOG];

	const struct tdm_insn *insn;
	u64 nr_emulated;
	u64 nr_decoded;
	struct tdm_emul_line line;	/* in place of lines[] */
	struct tdm_insn_work work;
	u8 fetch[32];			/* 15 bytes, and room to read 16 behind any of them */
	u8 buf[512] __attribute__((aligned(32)));
	u8 pio_data[TDM_EMUL_PIO_BYTES] __attribute__((aligned(8)));
};

void tdm_emul_init(struct tdm_emul_ctxt *c, const struct tdm_emul_ops *ops,
		   void *priv, struct tdm_regs *regs,
		   const struct tdm_segment *sregs);
void tdm_emul_reset(struct tdm_emul_ctxt *c);
int tdm_emul_step(struct tdm_emul_ctxt *c);
int tdm_emul_deliver(struct tdm_emul_ctxt *c, const struct tdm_emul_event *ev);
int tdm_emul_fault(struct tdm_emul_ctxt *c, u8 vector, bool has_error,
		   u32 error, u64 address);

/**
 * tdm_emul_io() - the access userspace has to do after TDM_EMUL_IO
 * @c: context
 *
 * Return: the access, NULL if none is outstanding.
 */
static inline const struct tdm_emul_io *tdm_emul_io(const struct tdm_emul_ctxt *c)
{
	return c->io_pending ? &c->io[c->io_count - 1] : NULL;
}

void tdm_emul_io_done(struct tdm_emul_ctxt *c, const void *data);

#endif /* TDM_EMUL_H */
