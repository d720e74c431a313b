// SPDX-License-Identifier: GPL-2.0-only
/*
 * The main thread's loop: signals, keyboard, device deadlines, the time-out.
 *
 * It sleeps in ppoll() until something happens; nothing here is polled. The
 * vCPU threads wake it through the machine's eventfd.
 *
 * Keys: Ctrl-A is the escape key, only when standard input is a terminal. It
 * works even when the guest reads nothing, so keys are always read. Other input
 * (pipes, files) is read no faster than the guest takes it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "mainloop.h"
#include "stats.h"
#include "term.h"
#include "util.h"

#define CTRL_A 0x01
#define NS_PER_S 1000000000ULL

struct loop {
	struct tdm_machine *m;
	int signal_fd;
	uint64_t timeout_ns; /* absolute, or TDM_NEVER */
	bool tty, readable, at_eof, escape;
};

static void fill_signals(sigset_t *set)
{
	static const int handled[] = { SIGINT,	SIGTERM, SIGHUP,
				       SIGQUIT, SIGTSTP, SIGCONT };

	sigemptyset(set);
	for (unsigned int i = 0; i < ARRAY_SIZE(handled); i++)
		sigaddset(set, handled[i]);
}

/**
 * tdm_mainloop_block_signals() - before any thread is made.
 *
 * The handled signals arrive through a signalfd; SIGUSR1 is unblocked by vCPU
 * threads alone; a closed stdout is an error return of write(), not a signal.
 */
int tdm_mainloop_block_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	fill_signals(&set);
	sigaddset(&set, SIGUSR1);
	sigaction(SIGPIPE, &ignore, NULL);
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void on_broken_console(void *ctx, int err)
{
	struct tdm_machine *m = ctx;

	tdm_note("standard output: %s", strerror(err));
	tdm_machine_end(m, TDM_END_CONSOLE, 0);
}

static void escape_help(void)
{
	tdm_say("\nCtrl-A x  end the VM           Ctrl-A s  show counters\n"
		"Ctrl-A p  press power button   Ctrl-A b  send a serial break\n"
		"Ctrl-A a  send Ctrl-A          Ctrl-A h  this help");
}

static void escape_key(struct tdm_machine *m, uint8_t key)
{
	switch (key) {
	case 'x':
	case 'X':
		tdm_machine_end(m, TDM_END_USER, 0);
		break;
	case 's':
		tdm_machine_stats(m);
		break;
	case 'p':
		pthread_mutex_lock(&m->bus.lock);
		tdm_acpi_pm_button(&m->acpi_pm);
		pthread_mutex_unlock(&m->bus.lock);
		break;
	case 'b':
		pthread_mutex_lock(&m->bus.lock);
		tdm_serial_break(&m->serial);
		pthread_mutex_unlock(&m->bus.lock);
		break;
	default:
		escape_help();
		break;
	}
}

/* What does not fit was typed far ahead of a guest that does not read. */
static void send_to_guest(struct loop *l, const uint8_t *data, unsigned int len)
{
	pthread_mutex_lock(&l->m->bus.lock);
	tdm_serial_send(&l->m->serial, data, len);
	pthread_mutex_unlock(&l->m->bus.lock);
}

/* Take what was typed. Stops at end of file or an error for good. */
static void read_input(struct loop *l)
{
	uint8_t buf[TDM_SERIAL_LINE], plain[TDM_SERIAL_LINE];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	unsigned int len = 0;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		l->at_eof = true;
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		bool key = l->escape;

		l->escape = l->tty && !key && buf[i] == CTRL_A;
		if (key && (buf[i] == 'a' || buf[i] == CTRL_A))
			plain[len++] = CTRL_A;
		else if (key)
			escape_key(l->m, buf[i]);
		else if (!l->escape)
			plain[len++] = buf[i];
	}
	send_to_guest(l, plain, len);
}

/* Input from a file is taken when the last of it has arrived, keys at once. */
static bool want_input(struct loop *l)
{
	bool waiting;

	if (!l->readable || l->at_eof || l->tty)
		return l->readable && !l->at_eof;
	pthread_mutex_lock(&l->m->bus.lock);
	waiting = l->m->serial.line_count;
	pthread_mutex_unlock(&l->m->bus.lock);
	return !waiting;
}

static void read_signal(struct loop *l)
{
	struct signalfd_siginfo si;

	if (read(l->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGTSTP:
		tdm_term_suspend();
		l->readable = tdm_term_enter();
		break;
	case SIGCONT: /* after SIGSTOP, or brought to the foreground */
		l->readable = tdm_term_enter();
		break;
	default:
		tdm_machine_end(l->m, TDM_END_SIGNAL, (int)si.ssi_signo);
		break;
	}
}

/* Let devices raise what is due. Return: when they want to be asked next. */
static uint64_t poll_devices(struct tdm_machine *m)
{
	uint64_t now = tdm_monotonic_ns(), rtc, pm;

	pthread_mutex_lock(&m->bus.lock);
	rtc = tdm_rtc_deadline(&m->rtc);
	if (rtc <= now)
		tdm_rtc_poll(&m->rtc);
	pm = tdm_acpi_pm_deadline(&m->acpi_pm);
	if (pm <= now)
		tdm_acpi_pm_poll(&m->acpi_pm);
	rtc = tdm_rtc_deadline(&m->rtc);
	pm = tdm_acpi_pm_deadline(&m->acpi_pm);
	pthread_mutex_unlock(&m->bus.lock);
	return rtc < pm ? rtc : pm;
}

/* Sleep until @until or an event. Return: 0 or a negative errno. */
static int wait_for_event(struct loop *l, uint64_t until)
{
	struct pollfd fds[] = {
		{ .fd = l->m->wake_fd, .events = POLLIN },
		{ .fd = l->signal_fd, .events = POLLIN },
		{ .fd = want_input(l) ? STDIN_FILENO : -1, .events = POLLIN },
	};
	uint64_t now = tdm_monotonic_ns(), count;
	struct timespec ts = { 0 };

	if (until != TDM_NEVER && until > now) {
		ts.tv_sec = (time_t)((until - now) / NS_PER_S);
		ts.tv_nsec = (long)((until - now) % NS_PER_S);
	}
	if (ppoll(fds, ARRAY_SIZE(fds), until == TDM_NEVER ? NULL : &ts, NULL) <
	    0)
		return errno == EINTR ? 0 : -errno;
	/* Reading resets the eventfd; nothing to read is fine. */
	if ((fds[0].revents & POLLIN) &&
	    read(l->m->wake_fd, &count, sizeof(count)) < 0)
		count = 0;
	if (fds[1].revents & POLLIN)
		read_signal(l);
	if (fds[2].revents)
		read_input(l);
	return 0;
}

static int serve(struct loop *l)
{
	struct tdm_machine *m = l->m;
	int err = 0;

	while (!err && !atomic_load(&m->stopping)) {
		uint64_t until = poll_devices(m);

		if (l->timeout_ns < until)
			until = l->timeout_ns;
		if (tdm_monotonic_ns() >= l->timeout_ns) {
			tdm_machine_end(m, TDM_END_TIMEOUT, 0);
			break;
		}
		err = wait_for_event(l, until);
	}
	return err;
}

/**
 * tdm_mainloop() - start the vCPUs and serve them until the machine ends.
 *
 * Return: 0 once machine->stopping is set, or a negative errno, reported. vCPU
 * threads may still run either way; the terminal is as it was.
 */
int tdm_mainloop(struct tdm_machine *m)
{
	struct loop l = { .m = m,
			  .tty = isatty(STDIN_FILENO),
			  .timeout_ns = TDM_NEVER };
	sigset_t set;
	int err;

	fill_signals(&set);
	l.signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (l.signal_fd < 0) {
		err = -errno;
		tdm_error("cannot receive signals: %s", strerror(-err));
		return err;
	}
	err = tdm_console_start(&m->console, STDOUT_FILENO, on_broken_console,
				m);
	if (err) {
		tdm_error("no thread for the console: %s", strerror(-err));
		goto close_signals;
	}
	m->start_ns = tdm_monotonic_ns();
	if (m->config.timeout_s)
		l.timeout_ns = m->start_ns + m->config.timeout_s * NS_PER_S;
	l.readable = tdm_term_enter();
	for (unsigned int i = 0; !err && i < m->config.cpus; i++)
		err = tdm_vcpu_start(&m->vcpu[i]);
	if (!err) {
		err = serve(&l);
		if (err)
			tdm_error("waiting for events: %s", strerror(-err));
	}
	tdm_term_leave();
close_signals:
	close(l.signal_fd);
	return err;
}
