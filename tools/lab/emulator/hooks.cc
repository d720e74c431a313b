// SPDX-License-Identifier: GPL-2.0-only
/*
 * hooks.cc - a Bochs that counts: instructions, VM exits by reason, exceptions
 * and interrupts between two markers, and on demand instructions by address.
 *
 * Compiled into Bochs (bochsbuild.py) in place of its instrumentation stubs.
 * A marker is PREFETCHT2 with one of the MARK_ addresses: it does nothing, may
 * be executed at any privilege, in a guest or outside, and causes no exit, so
 * that guests can delimit what is measured without the monitor's help.
 *
 * Must not change what the machine does: a run counts the same instructions
 * with and without these hooks.
 *
 * Instructions here are what the lab's time stamp counter counts (each
 * repetition of a string instruction is one), without the time spent idle.
 *
 * Files, in the emulator's working directory:
 *   events.txt    a line "window N key=value..." for each closed window
 *   profile.txt   with TANDEM_PROFILE set: "window N", then "WORLD RIP COUNT"
 *   kallsyms.txt  what the host wrote to PORT_SYMBOLS
 */
#include "bochs.h"
#include "cpu/cpu.h"
#include "pc_system.h"

#if BX_INSTRUMENTATION

#include <map>
#include <string>
#include <unordered_map>

enum {
	/*
	 * An inner window; if there was one, the outer one is not reported.
	 * What lies between a pause and a resumption does not count.
	 */
	MARK_BEGIN = 0x7a6d0001,
	MARK_END = 0x7a6d0002,
	MARK_PAUSE = 0x7a6d0005,
	MARK_RESUME = 0x7a6d0006,
	/* The whole command, as the lab runs it. */
	MARK_OUTER_BEGIN = 0x7a6d0003,
	MARK_OUTER_END = 0x7a6d0004,
	PORT_SYMBOLS = 0x8904,
	CPUS = 64,
};

typedef std::map<std::string, Bit64u> counters;
typedef std::unordered_map<Bit64u, Bit64u> histogram;

/* Where an instruction ran. */
enum world { WORLD_GUEST, WORLD_USER, WORLD_KERNEL, WORLDS };
static const char *const world_names[WORLDS] = { "guest", "user", "kernel" };

bool tdm_profiling;

static bool want_profile, is_open, is_outer, is_paused, had_inner;
static unsigned windows;
static FILE *events_file, *profile_file, *symbols_file;

/* Since power-on; at the last begin or resumption; of the window before. */
static counters total, since, window;
static Bit64u entered[CPUS];	/* clock() at the last VM entry */
static bool leaving[CPUS];	/* within a VM exit */
static Bit64u idle_since[CPUS];
static bool idle[CPUS];
/* Privilege level 1: where a monitor may run a guest's kernel. */
static Bit64u ring1_since[CPUS];
static bool in_ring1[CPUS];
/* Branches of supervisor code that a translator cannot chain. */
enum near { RETURNS, INDIRECT_CALLS, INDIRECT_JUMPS, NEARS };
static const char *const near_names[NEARS] = {
	"supervisor_returns", "supervisor_indirect_calls",
	"supervisor_indirect_jumps",
};
static Bit64u near_branches[NEARS];

static histogram profile[WORLDS];
/* The instruction whose count is not known before the next one starts. */
static struct {
	Bit64u rip, clock;
	enum world world;
	bool valid;
} last[CPUS];

static bool in_guest(unsigned cpu)
{
	return BX_CPU(cpu)->in_vmx_guest;
}

/*
 * Instructions since power-on, each repetition of a string instruction counted,
 * and idle time. With one processor this is the time stamp counter, which is
 * only brought up to date every few instructions; with several all of them
 * share one clock, and a processor's own count (which takes long repetitions
 * for one instruction) has to do.
 */
static Bit64u clock_of(unsigned cpu)
{
	BX_CPU_C *c = BX_CPU(cpu);

	if (BX_SMP_PROCESSORS > 1)
		return c->icount;
	return bx_pc_system.time_ticks() + (c->icount - c->icount_last_sync);
}

static counters now(void)
{
	counters c = total;

	for (unsigned cpu = 0; cpu < BX_SMP_PROCESSORS; cpu++) {
		c["ticks"] += clock_of(cpu);
		if (in_guest(cpu))
			c["guest_instructions"] += clock_of(cpu) - entered[cpu];
		if (in_ring1[cpu])
			c["ring1_instructions"] +=
				clock_of(cpu) - ring1_since[cpu];
	}
	for (int n = 0; n < NEARS; n++)
		c[near_names[n]] = near_branches[n];
	c["instructions"] = c["ticks"] - c["idle"];
	return c;
}

static void resume(void)
{
	is_paused = false;
	since = now();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		last[cpu].valid = false;
	tdm_profiling = want_profile;
}

static void pause_window(void)
{
	if (is_paused)
		return;
	is_paused = true;
	tdm_profiling = false;
	for (auto &entry : now())
		window[entry.first] += entry.second - since[entry.first];
}

static void begin(bool outer)
{
	is_open = true;
	is_outer = outer;
	window.clear();
	for (int w = 0; w < WORLDS; w++)
		profile[w].clear();
	resume();
}

static void write_profile(void)
{
	fprintf(profile_file, "window %u\n", windows);
	for (int w = 0; w < WORLDS; w++)
		for (auto &entry : profile[w])
			fprintf(profile_file, "%s %llx %llu\n", world_names[w],
				(unsigned long long)entry.first,
				(unsigned long long)entry.second);
	fflush(profile_file);
}

static void end(void)
{
	pause_window();
	is_open = false;
	fprintf(events_file, "window %u", windows);
	for (auto &entry : window)
		if (entry.second)
			fprintf(events_file, " %s=%llu", entry.first.c_str(),
				(unsigned long long)entry.second);
	fputc('\n', events_file);
	fflush(events_file);
	if (want_profile)
		write_profile();
	windows++;
}

void tdm_init(void)
{
	events_file = fopen("events.txt", "w");
	want_profile = getenv("TANDEM_PROFILE") != NULL;
	if (want_profile)
		profile_file = fopen("profile.txt", "w");
	if (!events_file || (want_profile && !profile_file)) {
		perror("tandem hooks: cannot write events.txt or profile.txt");
		_exit(1);
	}
}

void tdm_exit(void)
{
	/* The machine went off by itself: what was measured ends here. */
	if (is_open && !(is_outer && had_inner))
		end();
}

void tdm_mark(unsigned what, bx_address address)
{
	if (what != BX_INSTR_PREFETCH_T2)
		return;
	switch (address) {
	case MARK_BEGIN:
		had_inner = true;
		begin(false);
		break;
	case MARK_OUTER_BEGIN:
		had_inner = false;
		begin(true);
		break;
	case MARK_END:
		if (is_open && !is_outer)
			end();
		break;
	case MARK_OUTER_END:
		if (is_open && !had_inner)
			end();
		break;
	case MARK_PAUSE:
		if (is_open && !is_outer)
			pause_window();
		break;
	case MARK_RESUME:
		if (is_open && !is_outer)
			resume();
		break;
	}
}

void tdm_instruction(unsigned cpu)
{
	BX_CPU_C *c = BX_CPU(cpu);

	if (last[cpu].valid)
		profile[last[cpu].world][last[cpu].rip] +=
			clock_of(cpu) - last[cpu].clock;
	last[cpu].rip = c->gen_reg[BX_64BIT_REG_RIP].rrx;
	last[cpu].clock = clock_of(cpu);
	last[cpu].world = c->in_vmx_guest ? WORLD_GUEST :
		c->sregs[BX_SEG_REG_CS].selector.rpl == 3 ? WORLD_USER :
							    WORLD_KERNEL;
	last[cpu].valid = true;
}

static void count(const char *kind, unsigned number)
{
	total[std::string(kind) + std::to_string(number)]++;
}

void tdm_tlb(unsigned cpu, unsigned what)
{
	bool guest = in_guest(cpu);

	switch (what) {
	case BX_INSTR_CONTEXT_SWITCH:
		/* Once in each VM entry, once in each VM exit. */
		if (leaving[cpu])
			leaving[cpu] = false;
		else
			entered[cpu] = clock_of(cpu);
		break;
	case BX_INSTR_MOV_CR3:
		total[guest ? "guest_cr3_loads" : "host_cr3_loads"]++;
		break;
	case BX_INSTR_INVLPG:
		total[guest ? "guest_invlpg" : "host_invlpg"]++;
		break;
	}
}

static void awake(unsigned cpu)
{
	if (idle[cpu])
		total["idle"] += clock_of(cpu) - idle_since[cpu];
	idle[cpu] = false;
}

void tdm_vmexit(unsigned cpu, Bit32u reason)
{
	awake(cpu);
	count("exit_", reason & 0xffff);
	leaving[cpu] = true;
	if (reason >> 31)
		return;	/* a failed entry: it never was in the guest */
	total["vm_exits"]++;
	total["guest_instructions"] += clock_of(cpu) - entered[cpu];
}

static void now_in_ring(unsigned cpu, unsigned level)
{
	if (in_ring1[cpu])
		total["ring1_instructions"] += clock_of(cpu) - ring1_since[cpu];
	in_ring1[cpu] = level == 1;
	ring1_since[cpu] = clock_of(cpu);
}

void tdm_near_branch(unsigned cpu, unsigned what)
{
	if (BX_CPU(cpu)->sregs[BX_SEG_REG_CS].selector.rpl == 3)
		return;
	switch (what) {
	case BX_INSTR_IS_RET:
		near_branches[RETURNS]++;
		break;
	case BX_INSTR_IS_CALL_INDIRECT:
		near_branches[INDIRECT_CALLS]++;
		break;
	case BX_INSTR_IS_JMP_INDIRECT:
		near_branches[INDIRECT_JUMPS]++;
		break;
	}
}

/* The branch has been made. */
void tdm_far_branch(unsigned cpu, unsigned what)
{
	if (what == BX_INSTR_IS_SYSCALL || what == BX_INSTR_IS_SYSENTER)
		total["syscalls"]++;
	else if (what == BX_INSTR_IS_IRET)
		total["irets"]++;
	now_in_ring(cpu, BX_CPU(cpu)->sregs[BX_SEG_REG_CS].selector.rpl);
}

/* Leads to ring 0; a gate to another one is a far branch as well. */
void tdm_exception(unsigned cpu, unsigned vector)
{
	now_in_ring(cpu, 0);
	count(in_guest(cpu) ? "guest_exception_" : "host_exception_", vector);
}

/* Idle until the next interrupt or VM exit. */
void tdm_idle(unsigned cpu)
{
	idle_since[cpu] = clock_of(cpu);
	idle[cpu] = true;
}

void tdm_interrupt(unsigned cpu)
{
	awake(cpu);
	now_in_ring(cpu, 0);
	total[in_guest(cpu) ? "guest_interrupts" : "host_interrupts"]++;
}

/* Reached the device: was not intercepted. */
void tdm_in(void)
{
	total["port_accesses"]++;
}

void tdm_out(Bit16u port, unsigned value)
{
	total["port_accesses"]++;
	if (port != PORT_SYMBOLS)
		return;
	if (!symbols_file)
		symbols_file = fopen("kallsyms.txt", "w");
	if (symbols_file)
		fputc(value, symbols_file);
}

#endif
