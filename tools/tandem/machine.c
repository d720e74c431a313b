// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts the machine together, and what its devices ask of it.
 *
 * Order matters to the device: VM, engine, in-kernel devices, memory, vCPUs.
 * All of it is fixed before the first vCPU runs; afterwards only the main loop
 * (mainloop.c) and the vCPU threads touch it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "acpi.h"
#include "end.h"
#include "machine.h"
#include "mainloop.h"
#include "stats.h"
#include "util.h"

static void host_set_irq(void *ctx, unsigned int gsi, int level)
{
	struct tdm_machine *m = ctx;
	int err = tdm_kvm_irq_line(&m->kvm, gsi, level);

	if (!err)
		return;
	tdm_error("interrupt line %u cannot be set (KVM_IRQ_LINE): %s", gsi,
		  strerror(-err));
	tdm_machine_end(m, TDM_END_HOST, 0);
}

static void host_end(void *ctx, enum tdm_end why, int value)
{
	tdm_machine_end(ctx, why, value);
}

static void host_wake(void *ctx)
{
	tdm_machine_wake(ctx);
}

static void host_put_console(void *ctx, uint8_t byte)
{
	struct tdm_machine *m = ctx;

	tdm_console_put(&m->console, byte);
}

static uint64_t total_exits(const struct tdm_machine *m)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->config.cpus; i++)
		sum += tdm_vcpu_exits(&m->vcpu[i]);
	return sum;
}

static void host_marker(void *ctx, uint8_t id)
{
	uint64_t now = __rdtsc();
	struct tdm_machine *m = ctx;

	tdm_say("marker %u tsc %llu exits %llu", id,
		(unsigned long long)(now - atomic_load(&m->start_tsc)),
		(unsigned long long)total_exits(m));
	if (m->config.stats)
		tdm_machine_stats(m);
}

static uint64_t host_mono_ns(void *ctx)
{
	(void)ctx;
	return tdm_monotonic_ns();
}

static int64_t host_wall_ns(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int add_devices(struct tdm_machine *m)
{
	const struct tdm_devhost *host = &m->host;
	int err;

	tdm_serial_init(&m->serial, host, TDM_COM1_GSI);
	tdm_rtc_init(&m->rtc, host, m->config.mem, m->config.cpus);
	tdm_i8042_init(&m->i8042, host);
	tdm_pci_init(&m->pci, host, !m->config.firmware);
	tdm_acpi_pm_init(&m->acpi_pm, host);
	tdm_testport_init(&m->testport, host);
	err = tdm_serial_attach(&m->serial, &m->bus, TDM_COM1_BASE);
	if (!err)
		err = tdm_rtc_attach(&m->rtc, &m->bus);
	if (!err)
		err = tdm_i8042_attach(&m->i8042, &m->bus);
	if (!err)
		err = tdm_pci_attach(&m->pci, &m->bus);
	if (!err && m->config.acpi)
		err = tdm_acpi_pm_attach(&m->acpi_pm, &m->bus);
	if (!err)
		err = tdm_testport_attach(&m->testport, &m->bus,
					  m->config.markers);
	if (err)
		tdm_error(
			"two devices claim the same port; this is a bug in the launcher");
	return err;
}

static int open_vm(struct tdm_machine *m)
{
	int max, err = tdm_kvm_open(&m->kvm, m->config.device);

	if (err)
		return err;
	max = tdm_kvm_cap(m->kvm.fd, KVM_CAP_MAX_VCPUS);
	if (max > 0 && m->config.cpus > (unsigned int)max) {
		tdm_error("%s runs at most %d vCPUs in a VM; use --cpus %d",
			  m->config.device, max, max);
		return -EINVAL;
	}
	err = tdm_kvm_create_vm(&m->kvm, &m->config.engine);
	if (!err)
		err = tdm_kvm_add_devices(&m->kvm);
	if (!err)
		err = tdm_cpuid_supported(m->kvm.fd, &m->cpuid);
	return err;
}

/* With --trace-io the device passes unknown MSRs on, where it can. */
static void trace_msrs(struct tdm_machine *m)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args[0] =
			KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL,
	};

	if (m->config.trace_io && ioctl(m->kvm.vm, KVM_ENABLE_CAP, &cap) < 0)
		tdm_note("trace-io: the device does not pass unknown MSRs on");
}

/**
 * tdm_machine_init() - VM, memory and devices; no vCPU yet.
 * @m: zeroed and filled in
 * @config: copied
 *
 * Return: 0 or a negative errno, reported; tdm_machine_destroy() is safe either
 * way.
 */
int tdm_machine_init(struct tdm_machine *m,
		     const struct tdm_machine_config *config)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->config = *config;
	m->kvm.fd = m->kvm.vm = -1;
	pthread_mutex_init(&m->end_lock, NULL);
	tdm_console_init(&m->console);
	m->host = (struct tdm_devhost){
		.ctx = m,
		.set_irq = host_set_irq,
		.end = host_end,
		.wake = host_wake,
		.put_console = host_put_console,
		.marker = host_marker,
		.mono_ns = host_mono_ns,
		.wall_ns = host_wall_ns,
	};
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->vcpu = calloc(config->cpus, sizeof(*m->vcpu));
	if (m->wake_fd < 0 || !m->vcpu ||
	    tdm_bus_init(&m->bus, config->trace_io)) {
		tdm_error("no memory for the machine");
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < config->cpus; i++)
		m->vcpu[i].fd = -1;
	err = tdm_mem_init(&m->mem, config->mem, config->prealloc);
	if (!err)
		err = add_devices(m);
	if (!err)
		err = open_vm(m);
	if (!err)
		trace_msrs(m);
	return err;
}

/** tdm_machine_add_firmware() - what firmware leaves in memory: BIOS data, ACPI
 * tables. */
int tdm_machine_add_firmware(struct tdm_machine *m)
{
	uint8_t *area = tdm_mem_at(&m->mem, TDM_ACPI_START,
				   TDM_ACPI_END - TDM_ACPI_START);
	long used;

	tdm_mem_bios_data(&m->mem);
	if (!m->config.acpi)
		return 0;
	used = tdm_acpi_build(area, TDM_ACPI_END - TDM_ACPI_START,
			      TDM_ACPI_START, m->config.cpus);
	if (used < 0) {
		tdm_error(
			"the ACPI tables do not fit; this is a bug in the launcher");
		return (int)used;
	}
	m->rsdp = TDM_ACPI_START;
	return 0;
}

/**
 * tdm_machine_add_vcpus() - give the VM its memory, as it is now, and its
 * vCPUs.
 *
 * Number 0 starts at @entry, the others wait for it.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_machine_add_vcpus(struct tdm_machine *m, const struct tdm_entry *entry)
{
	int err = tdm_kvm_add_memory(&m->kvm, &m->mem);

	for (unsigned int i = 0; !err && i < m->config.cpus; i++)
		err = tdm_vcpu_create(&m->vcpu[i], m, i);
	return err ? err : tdm_vcpu_set_entry(&m->vcpu[0], entry);
}

/** tdm_machine_wake() - let the main loop look at everything again; any thread.
 */
void tdm_machine_wake(struct tdm_machine *m)
{
	uint64_t one = 1;

	/* Can only fail when the counter is full, and then the loop is awake.
	 */
	if (write(m->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/** tdm_machine_end() - end the run; the first call decides how. Any thread. */
void tdm_machine_end(struct tdm_machine *m, enum tdm_end why, int value)
{
	uint64_t now = __rdtsc();

	pthread_mutex_lock(&m->end_lock);
	if (m->end == TDM_END_NONE) {
		m->end = why;
		m->end_value = value;
		m->end_tsc = now;
	}
	pthread_mutex_unlock(&m->end_lock);
	atomic_store(&m->stopping, true);
	tdm_console_release(&m->console);
	tdm_machine_wake(m);
}

/**
 * tdm_machine_stop() - end all vCPU threads, once the run has been ended.
 *
 * Each stops at its next look at the flag; those in the guest are kicked.
 *
 * Return: false when one does not come back from the kernel.
 */
bool tdm_machine_stop(struct tdm_machine *m)
{
	bool all = true;

	atomic_store(&m->stopping, true);
	tdm_console_release(&m->console);
	for (unsigned int tries = 0; tries < 50; tries++) {
		all = true;
		for (unsigned int i = 0; i < m->config.cpus; i++)
			tdm_vcpu_kick(&m->vcpu[i]);
		for (unsigned int i = 0; i < m->config.cpus; i++)
			all = tdm_vcpu_join(&m->vcpu[i], 100) && all;
		if (all)
			break;
	}
	return all;
}

/**
 * tdm_machine_run() - run until the guest or the user ends it.
 *
 * Signals the main loop handles must be blocked (tdm_mainloop_block_signals()).
 *
 * Return: exit status for the process.
 */
int tdm_machine_run(struct tdm_machine *m)
{
	int status, err = tdm_mainloop(m);

	if (err)
		tdm_machine_end(m, TDM_END_HOST, 0);
	if (!tdm_machine_stop(m)) {
		tdm_error(
			"a vCPU does not leave the kernel; see dmesg. Its process stays until it does");
		tdm_console_stop(&m->console);
		_exit(TDM_EXIT_HOST);
	}
	if (!tdm_console_stop(&m->console) && m->end != TDM_END_CONSOLE)
		tdm_warn(
			"some console output was lost: standard output is not being read");
	status = tdm_end_status(m->end, m->end_value);
	tdm_bus_report(&m->bus);
	if (m->config.count)
		tdm_say("tsc %llu",
			(unsigned long long)(m->end_tsc -
					     atomic_load(&m->start_tsc)));
	tdm_end_say(m->end, m->end_value);
	return status;
}

/** tdm_machine_stats() - print the launcher's counters and the device's, on
 * stderr. */
void tdm_machine_stats(struct tdm_machine *m)
{
	uint64_t ms = (tdm_monotonic_ns() - m->start_ns) / 1000000;
	uint64_t by_reason[TDM_EXIT_REASONS] = { 0 }, runs = 0;

	for (unsigned int c = 0; c < m->config.cpus; c++) {
		runs += __atomic_load_n(&m->vcpu[c].runs, __ATOMIC_RELAXED);
		for (unsigned int r = 0; r < TDM_EXIT_REASONS; r++)
			by_reason[r] += __atomic_load_n(&m->vcpu[c].exits[r],
							__ATOMIC_RELAXED);
	}
	tdm_stat_line("launcher_ms", ms,
		      "milliseconds since the guest was started");
	tdm_stat_line("launcher_tsc",
		      (m->end_tsc ? m->end_tsc : __rdtsc()) -
			      atomic_load(&m->start_tsc),
		      "time-stamp counter ticks since the first KVM_RUN");
	tdm_stat_line("launcher_runs", runs, "KVM_RUN calls");
	for (unsigned int r = 0; r < TDM_EXIT_REASONS; r++) {
		char name[48];

		if (!by_reason[r])
			continue;
		snprintf(name, sizeof(name), "launcher_exit_%s",
			 tdm_exit_name(r));
		tdm_stat_line(name, by_reason[r], tdm_exit_text(r));
	}
	tdm_stat_line("launcher_unclaimed_pio", m->bus.unclaimed_pio,
		      "port accesses no device claims");
	tdm_stat_line("launcher_unclaimed_mmio", m->bus.unclaimed_mmio,
		      "memory accesses no device claims");
	tdm_stat_device(m->config.device);
}

/** tdm_machine_destroy() - undo tdm_machine_init() and what followed; no vCPU
 * runs. */
void tdm_machine_destroy(struct tdm_machine *m)
{
	for (unsigned int i = 0; m->vcpu && i < m->config.cpus; i++)
		tdm_vcpu_destroy(&m->vcpu[i]);
	free(m->vcpu);
	tdm_kvm_close(&m->kvm);
	tdm_mem_destroy(&m->mem);
	tdm_bus_destroy(&m->bus);
	if (m->wake_fd >= 0)
		close(m->wake_fd);
	pthread_mutex_destroy(&m->end_lock);
}
