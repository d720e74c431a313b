/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hooks.h - what our Bochs for measuring watches (see hooks.cc).
 *
 * Bochs calls a BX_INSTR_ macro at each point of interest. bochsbuild.py makes
 * instrument.h of this file and of an empty definition for every macro that
 * is not here.
 */
#if BX_INSTRUMENTATION

class bxInstruction_c;

/* Only profiling looks at each instruction. */
extern bool tdm_profiling;

void tdm_init(void);
void tdm_exit(void);
void tdm_instruction(unsigned cpu);
void tdm_mark(unsigned what, bx_address address);
void tdm_tlb(unsigned cpu, unsigned what);
void tdm_vmexit(unsigned cpu, Bit32u reason);
void tdm_exception(unsigned cpu, unsigned vector);
void tdm_interrupt(unsigned cpu);
void tdm_idle(unsigned cpu);
void tdm_near_branch(unsigned cpu, unsigned what);
void tdm_far_branch(unsigned cpu, unsigned what);
void tdm_in(void);
void tdm_out(Bit16u port, unsigned value);

#define BX_INSTR_INIT_ENV() tdm_init()
#define BX_INSTR_EXIT_ENV() tdm_exit()
#define BX_INSTR_BEFORE_EXECUTION(cpu_id, i) \
	do { if (tdm_profiling) tdm_instruction(cpu_id); } while (0)
#define BX_INSTR_PREFETCH_HINT(cpu_id, what, seg, offset) tdm_mark(what, offset)
#define BX_INSTR_TLB_CNTRL(cpu_id, what, address) tdm_tlb(cpu_id, what)
#define BX_INSTR_VMEXIT(cpu_id, reason, qualification) tdm_vmexit(cpu_id, reason)
#define BX_INSTR_EXCEPTION(cpu_id, vector, error) tdm_exception(cpu_id, vector)
#define BX_INSTR_HWINTERRUPT(cpu_id, vector, cs, eip) tdm_interrupt(cpu_id)
#define BX_INSTR_UCNEAR_BRANCH(cpu_id, what, from, to) \
	tdm_near_branch(cpu_id, what)
#define BX_INSTR_FAR_BRANCH(cpu_id, what, cs, eip, new_cs, new_eip) \
	tdm_far_branch(cpu_id, what)
#define BX_INSTR_HLT(cpu_id) tdm_idle(cpu_id)
#define BX_INSTR_MWAIT(cpu_id, address, len, flags) tdm_idle(cpu_id)
#define BX_INSTR_INP(port, len) tdm_in()
#define BX_INSTR_OUTP(port, len, value) tdm_out(port, value)

#endif
