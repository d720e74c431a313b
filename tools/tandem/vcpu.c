// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's life: creation, first state, the thread around KVM_RUN, and what to
 * do with each exit.
 *
 * Beware: stopping a vCPU must not race with its entering the guest. The kick
 * signal's handler sets run->immediate_exit, so a KVM_RUN begun after the
 * signal returns at once; the flag is only cleared where the stop flag is read
 * next.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "machine.h"
#include "util.h"
#include "vcpu.h"

#define KICK_SIGNAL SIGUSR1
#define LAB_MARK_BEGIN 0x7a6d0001ul

struct exit_info {
	const char *name, *text;
};

static const struct exit_info exit_infos[TDM_EXIT_REASONS] = {
	[KVM_EXIT_UNKNOWN] = { "unknown",
			       "the hardware gave a reason the device does not know" },
	[KVM_EXIT_EXCEPTION] = { "exception",
				 "exceptions the device passed on" },
	[KVM_EXIT_IO] = { "io", "port accesses for the launcher's devices" },
	[KVM_EXIT_HYPERCALL] = { "hypercall",
				 "hypercalls the device passed on" },
	[KVM_EXIT_DEBUG] = { "debug", "breakpoints and single steps" },
	[KVM_EXIT_HLT] = { "hlt", "halts the device passed on" },
	[KVM_EXIT_MMIO] = { "mmio", "accesses to addresses without memory" },
	[KVM_EXIT_IRQ_WINDOW_OPEN] = { "irq_window_open",
				       "the guest can take an interrupt now" },
	[KVM_EXIT_SHUTDOWN] = { "shutdown", "triple faults" },
	[KVM_EXIT_FAIL_ENTRY] = { "fail_entry",
				  "the hardware refused to enter the guest" },
	[KVM_EXIT_INTR] = { "intr", "interrupted by a signal" },
	[KVM_EXIT_SET_TPR] = { "set_tpr",
			       "task priority changes the device passed on" },
	[KVM_EXIT_INTERNAL_ERROR] = { "internal_error",
				      "the device could not go on" },
	[KVM_EXIT_SYSTEM_EVENT] = { "system_event",
				    "shutdown or reset asked of the device" },
	[KVM_EXIT_X86_RDMSR] = { "rdmsr",
				 "reads of MSRs the device does not know" },
	[KVM_EXIT_X86_WRMSR] = { "wrmsr",
				 "writes of MSRs the device does not know" },
};

/* The vCPU this thread runs, for the kick handler. */
static __thread struct kvm_run *this_run;

static void on_kick(int sig)
{
	(void)sig;
	if (this_run)
		this_run->immediate_exit = 1;
}

/** tdm_exit_name() - short name of a KVM_EXIT_* number. */
const char *tdm_exit_name(uint32_t reason)
{
	if (reason >= TDM_EXIT_REASONS || !exit_infos[reason].name)
		return "other";
	return exit_infos[reason].name;
}

/** tdm_exit_text() - what a KVM_EXIT_* number counts, in plain English. */
const char *tdm_exit_text(uint32_t reason)
{
	if (reason >= TDM_EXIT_REASONS || !exit_infos[reason].name)
		return "exits of a kind this launcher has no name for";
	return exit_infos[reason].text;
}

static void count(uint64_t *c)
{
	__atomic_store_n(c, *c + 1, __ATOMIC_RELAXED);
}

/** tdm_vcpu_exits() - exits to the launcher so far; any thread. */
uint64_t tdm_vcpu_exits(const struct tdm_vcpu *v)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < TDM_EXIT_REASONS; i++)
		sum += __atomic_load_n(&v->exits[i], __ATOMIC_RELAXED);
	return sum;
}

/*
 * MSRs as firmware leaves them: memory types (all write-back but the hole below
 * 4 GiB) and fast strings. The device may know none of them: then the guest
 * finds reset values and copes.
 */
static void set_firmware_msrs(const struct tdm_vcpu *v)
{
	static const uint32_t fixed[] = { 0x250, 0x258, 0x259, 0x268,
					  0x269, 0x26a, 0x26b, 0x26c,
					  0x26d, 0x26e, 0x26f };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[16];
	} msrs = { 0 };
	unsigned int n = 0;
	uint64_t mask;
	int done;

	for (unsigned int i = 0; i < ARRAY_SIZE(fixed); i++) {
		/* 0xa0000-0xbffff uncached, all else below 1 MiB write-back */
		uint64_t type = fixed[i] == 0x259 ? 0 : 0x0606060606060606ULL;

		msrs.e[n++] = (struct kvm_msr_entry){ .index = fixed[i],
						      .data = type };
	}
	/* variable range 0: 0xc0000000 to 4 GiB uncached */
	mask = ((1ULL << tdm_cpuid_address_bits(&v->machine->cpuid)) - 1) &
	       ~(TDM_GIB - 1);
	msrs.e[n++] =
		(struct kvm_msr_entry){ .index = 0x200, .data = TDM_LOW_MAX };
	msrs.e[n++] =
		(struct kvm_msr_entry){ .index = 0x201, .data = mask | 0x800 };
	msrs.e[n++] = (struct kvm_msr_entry){ .index = 0x2ff, .data = 0xc06 };
	msrs.e[n++] = (struct kvm_msr_entry){ .index = 0x1a0, .data = 0x1801 };
	msrs.head.nmsrs = n;
	done = ioctl(v->fd, KVM_SET_MSRS, &msrs);
	if (done != (int)n && !v->id)
		tdm_note("the device took %d of %u MSRs that firmware sets",
			 done < 0 ? 0 : done, n);
}

/* LINT0 passes the 8259's interrupts on the boot CPU, LINT1 is NMI. */
static void set_firmware_apic(const struct tdm_vcpu *v)
{
	struct kvm_lapic_state apic;
	const uint32_t extint = 0x700, nmi = 0x400, masked = 0x10000;

	if (ioctl(v->fd, KVM_GET_LAPIC, &apic) < 0)
		return;
	tdm_put32((uint8_t *)apic.regs + 0x350,
		  v->id ? masked | extint : extint);
	tdm_put32((uint8_t *)apic.regs + 0x360, nmi);
	if (ioctl(v->fd, KVM_SET_LAPIC, &apic) < 0)
		tdm_note("the device does not take the local APIC's state: %s",
			 strerror(errno));
}

/* CPUID for this vCPU; the TSC's rate is known once there is a vCPU. */
static int set_cpuid(struct tdm_vcpu *v)
{
	struct tdm_machine *m = v->machine;
	union tdm_cpuid_table t = m->cpuid;
	struct tdm_cpuid_params p = {
		.apic_id = v->id,
		.cpus = m->config.cpus,
		.tsc_khz = m->tsc_khz,
		.tsc_deadline =
			tdm_kvm_cap(m->kvm.vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0,
	};

	tdm_cpuid_adapt(&t, &p);
	if (ioctl(v->fd, KVM_SET_CPUID2, &t.table) < 0) {
		int err = -errno;

		tdm_error(
			"the device does not take its own CPUID back (KVM_SET_CPUID2): %s",
			strerror(-err));
		return err;
	}
	return 0;
}

/**
 * tdm_vcpu_create() - make a vCPU with the given number; its APIC ID is the
 * same.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_vcpu_create(struct tdm_vcpu *v, struct tdm_machine *m, unsigned int id)
{
	int err, khz;

	memset(v, 0, sizeof(*v));
	v->machine = m;
	v->id = id;
	v->fd = ioctl(m->kvm.vm, KVM_CREATE_VCPU, (unsigned long)id);
	if (v->fd < 0) {
		err = -errno;
		tdm_error("the device makes no vCPU %u: %s%s", id,
			  strerror(-err),
			  id ? "; try fewer --cpus" : "; run 'tandem check'");
		return err;
	}
	v->run = mmap(NULL, (size_t)m->kvm.run_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		err = -errno;
		v->run = NULL;
		tdm_error("cannot map vCPU %u: %s", id, strerror(-err));
		tdm_vcpu_destroy(v);
		return err;
	}
	khz = ioctl(v->fd, KVM_GET_TSC_KHZ, 0);
	if (khz > 0)
		m->tsc_khz = (uint32_t)khz;
	err = set_cpuid(v);
	if (err) {
		tdm_vcpu_destroy(v);
		return err;
	}
	set_firmware_msrs(v);
	set_firmware_apic(v);
	return 0;
}

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type,
				       bool code64)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = !code64,
		.l = code64,
	};
}

/* Flat segments at the selectors Linux and multiboot expect, and a GDT that
 * agrees. */
static int set_flat_segments(const struct tdm_memory *mem, struct kvm_sregs *s,
			     bool long64)
{
	const uint64_t gdt[] = { 0, 0,
				 long64 ? 0x00af9b000000ffffULL
					: 0x00cf9b000000ffffULL,
				 0x00cf93000000ffffULL };
	struct kvm_segment data = flat_segment(0x18, 3, false);
	int err = tdm_mem_write(mem, TDM_BOOT_GDT, gdt, sizeof(gdt),
				"the boot GDT");

	s->gdt = (struct kvm_dtable){ .base = TDM_BOOT_GDT,
				      .limit = sizeof(gdt) - 1 };
	s->idt = (struct kvm_dtable){ 0 };
	s->cs = flat_segment(0x10, 11, long64);
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = (struct kvm_segment){ .limit = 0xffff,
				      .type = 11,
				      .present = 1 };
	s->ldt = (struct kvm_segment){ .limit = 0xffff,
				       .type = 2,
				       .present = 1 };
	return err;
}

/**
 * tdm_vcpu_set_entry() - put the boot vCPU where the loader wants it.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_vcpu_set_entry(struct tdm_vcpu *v, const struct tdm_entry *entry)
{
	struct kvm_regs regs = { .rip = entry->rip,
				 .rax = entry->rax,
				 .rbx = entry->rbx,
				 .rsi = entry->rsi,
				 .rflags = 2 };
	bool long64 = entry->mode == TDM_ENTRY_LONG64;
	struct kvm_sregs s;
	int err;

	if (entry->mode == TDM_ENTRY_RESET)
		return 0;
	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		goto refused;
	err = set_flat_segments(&v->machine->mem, &s, long64);
	if (err)
		return err;
	s.cr0 = 0x31; /* PE, ET, NE */
	s.cr3 = s.cr4 = s.efer = 0;
	if (long64) {
		s.cr0 |= 1U << 31; /* PG */
		s.cr3 = TDM_BOOT_TABLES;
		s.cr4 = 1U << 5; /* PAE */
		s.efer = 0x500;	 /* LME, LMA */
	}
	if (ioctl(v->fd, KVM_SET_SREGS, &s) < 0 ||
	    ioctl(v->fd, KVM_SET_REGS, &regs) < 0)
		goto refused;
	return 0;
refused:
	err = -errno;
	tdm_error("the device does not take the boot vCPU's registers: %s",
		  strerror(-err));
	return err;
}

static void handle_io(struct tdm_vcpu *v)
{
	struct kvm_run *run = v->run;
	unsigned int size = run->io.size;
	uint64_t off = run->io.data_offset;

	if ((size != 1 && size != 2 && size != 4) ||
	    !tdm_in_range(off, (uint64_t)size * run->io.count,
			  (uint64_t)v->machine->kvm.run_size)) {
		tdm_error(
			"the device reported a port access outside its page (size %u, count %u)",
			size, run->io.count);
		tdm_machine_end(v->machine, TDM_END_HOST, 0);
		return;
	}
	for (uint32_t i = 0; i < run->io.count; i++) {
		tdm_bus_pio(&v->machine->bus, run->io.port, size,
			    run->io.direction == KVM_EXIT_IO_OUT,
			    (uint8_t *)run + off + i * size);
		tdm_console_throttle(&v->machine->console);
	}
}

static void handle_mmio(struct tdm_vcpu *v)
{
	struct kvm_run *run = v->run;
	unsigned int len = run->mmio.len;

	if (len > sizeof(run->mmio.data))
		len = sizeof(run->mmio.data);
	tdm_bus_mmio(&v->machine->bus, run->mmio.phys_addr, len,
		     run->mmio.is_write, run->mmio.data);
}

static void handle_system_event(struct tdm_vcpu *v)
{
	switch (v->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		tdm_machine_end(v->machine, TDM_END_POWEROFF, 0);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		tdm_machine_end(v->machine, TDM_END_RESET, 0);
		break;
	default:
		tdm_error(
			"vCPU %u: system event %u (a crash, or one this launcher does not know)",
			v->id, v->run->system_event.type);
		tdm_dump_vcpu(v);
		tdm_machine_end(v->machine, TDM_END_INTERNAL, 0);
		break;
	}
}

static void handle_fail_entry(struct tdm_vcpu *v)
{
	tdm_error(
		"vCPU %u: the hardware refused to enter the guest, reason 0x%llx on CPU %u; the kernel log (dmesg) names the failing check",
		v->id,
		(unsigned long long)
			v->run->fail_entry.hardware_entry_failure_reason,
		v->run->fail_entry.cpu);
	tdm_dump_vcpu(v);
	tdm_machine_end(v->machine, TDM_END_INTERNAL, 0);
}

static void handle_internal_error(struct tdm_vcpu *v)
{
	static const char *const why[] = {
		[0] = "unknown",
		[KVM_INTERNAL_ERROR_EMULATION] =
			"an instruction cannot be emulated",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "events collided",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] =
			"an exit came while an event was delivered",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] =
			"an unexpected hardware exit",
	};
	const struct kvm_run *run = v->run;
	uint32_t sub = run->internal.suberror, n = run->internal.ndata;

	tdm_error("vCPU %u: internal error %u: %s", v->id, sub,
		  sub < ARRAY_SIZE(why) ? why[sub] : "unknown");
	if (n > ARRAY_SIZE(run->internal.data))
		n = ARRAY_SIZE(run->internal.data);
	for (uint32_t i = 0; i < n; i++)
		tdm_say("  data[%u] 0x%016llx", i,
			(unsigned long long)run->internal.data[i]);
	if (sub == KVM_INTERNAL_ERROR_EMULATION && n >= 4 &&
	    (run->emulation_failure.flags &
	     KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
		char text[16 * 3 + 1] = "";
		unsigned int size = run->emulation_failure.insn_size;

		for (unsigned int i = 0; i < size && i < 15; i++)
			sprintf(text + 3 * i, " %02x",
				run->emulation_failure.insn_bytes[i]);
		tdm_say("  instruction bytes:%s", text);
	}
	tdm_dump_vcpu(v);
	tdm_say("  next: see dmesg and 'tandem stat'; report these lines together with the guest's kernel");
	tdm_machine_end(v->machine, TDM_END_INTERNAL, 0);
}

/* MSRs nobody knows, seen only with --trace-io: answer as without it, with #GP.
 */
static void handle_msr(struct tdm_vcpu *v)
{
	struct kvm_run *run = v->run;

	if (run->exit_reason == KVM_EXIT_X86_WRMSR)
		tdm_say("trace-io: vCPU %u wrmsr 0x%x = 0x%llx, unknown: #GP",
			v->id, run->msr.index,
			(unsigned long long)run->msr.data);
	else
		tdm_say("trace-io: vCPU %u rdmsr 0x%x, unknown: #GP", v->id,
			run->msr.index);
	run->msr.error = 1;
}

static void handle_exit(struct tdm_vcpu *v)
{
	uint32_t reason = v->run->exit_reason;

	count(&v->exits[reason < TDM_EXIT_REASONS ? reason
						  : TDM_EXIT_REASONS - 1]);
	switch (reason) {
	case KVM_EXIT_IO:
		handle_io(v);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		break;
	case KVM_EXIT_HLT: /* with an in-kernel APIC only when nothing can wake
			      it */
		tdm_dump_vcpu(v);
		tdm_machine_end(v->machine, TDM_END_HALTED, 0);
		break;
	case KVM_EXIT_SHUTDOWN:
		tdm_dump_vcpu(v);
		tdm_machine_end(v->machine, TDM_END_TRIPLE, 0);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		handle_fail_entry(v);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		handle_internal_error(v);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		handle_system_event(v);
		break;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		handle_msr(v);
		break;
	default:
		tdm_error(
			"vCPU %u: exit %u (%s), which this launcher does not handle",
			v->id, reason, tdm_exit_name(reason));
		tdm_dump_vcpu(v);
		tdm_machine_end(v->machine, TDM_END_INTERNAL, 0);
		break;
	}
}

/* KVM_RUN failed. Return: may it be tried again? */
static bool handle_run_error(struct tdm_vcpu *v, int err)
{
	/* EAGAIN: a vCPU waiting for its start-up IPI was woken. */
	if (err == EINTR || err == EAGAIN) {
		v->run->immediate_exit = 0;
		return true;
	}
	tdm_error("vCPU %u: KVM_RUN: %s; see dmesg for the device's reason",
		  v->id, strerror(err));
	tdm_dump_vcpu(v);
	tdm_machine_end(v->machine, TDM_END_HOST, 0);
	return false;
}

static void *vcpu_thread(void *arg)
{
	struct tdm_vcpu *v = arg;
	struct tdm_machine *m = v->machine;
	uint_fast64_t none = 0;
	sigset_t kick;
	char name[16];

	snprintf(name, sizeof(name), "vcpu %u", v->id);
	pthread_setname_np(pthread_self(), name);
	this_run = v->run;
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	/* Tells the lab's Bochs (tools/lab/emulator/hooks.cc) where counting
	 * begins; a hint to nobody elsewhere. */
	if (atomic_compare_exchange_strong(&m->start_tsc, &none, __rdtsc()))
		_mm_prefetch((const char *)LAB_MARK_BEGIN, _MM_HINT_T2);
	while (!atomic_load(&m->stopping)) {
		count(&v->runs);
		if (!ioctl(v->fd, KVM_RUN, 0))
			handle_exit(v);
		else if (!handle_run_error(v, errno))
			break;
	}
	this_run = NULL;
	return NULL;
}

/** tdm_vcpu_start() - let the vCPU run in a thread of its own. Return: 0 or a
 * negative errno. */
int tdm_vcpu_start(struct tdm_vcpu *v)
{
	struct sigaction sa = { .sa_handler = on_kick };
	int err;

	sigemptyset(&sa.sa_mask);
	sigaction(KICK_SIGNAL, &sa,
		  NULL); /* no SA_RESTART: KVM_RUN must return */
	err = pthread_create(&v->thread, NULL, vcpu_thread, v);
	if (err)
		tdm_error("no thread for vCPU %u: %s", v->id, strerror(err));
	v->started = !err;
	return -err;
}

/** tdm_vcpu_kick() - make the vCPU look at the machine's stop flag; main
 * thread. */
void tdm_vcpu_kick(struct tdm_vcpu *v)
{
	if (v->started)
		pthread_kill(v->thread, KICK_SIGNAL);
}

/** tdm_vcpu_join() - wait for the thread. Return: did it end within @ms? */
bool tdm_vcpu_join(struct tdm_vcpu *v, unsigned int ms)
{
	struct timespec until;

	if (!v->started)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	if (pthread_timedjoin_np(v->thread, NULL, &until))
		return false;
	v->started = false;
	return true;
}

/** tdm_vcpu_destroy() - unmap and close; the thread has ended. */
void tdm_vcpu_destroy(struct tdm_vcpu *v)
{
	if (v->run)
		munmap(v->run, (size_t)v->machine->kvm.run_size);
	if (v->fd >= 0)
		close(v->fd);
	v->run = NULL;
	v->fd = -1;
}
