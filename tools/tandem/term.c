// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raw mode of the terminal on standard input.
 *
 * The terminal is put back on every way out: normal exit (atexit), signals that
 * end the launcher (the main loop leaves raw mode before it ends), crashes
 * (handlers here) and suspension. Only SIGKILL cannot be helped.
 *
 * Beware: a process in the background must not touch the terminal (it would be
 * stopped by SIGTTOU), so tdm_term_enter() does nothing there; the main loop
 * tries again after SIGCONT.
 */
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "term.h"

static struct termios saved;
static volatile sig_atomic_t raw;

static void on_crash(int sig)
{
	/* tcsetattr is async-signal-safe; SA_RESETHAND makes the raise fatal.
	 */
	tdm_term_leave();
	raise(sig);
}

/** tdm_term_init() - arm the handlers that restore the terminal; call once. */
void tdm_term_init(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS,  SIGILL,
				     SIGFPE,  SIGABRT, SIGSYS };
	struct sigaction sa = { .sa_handler = on_crash,
				.sa_flags = SA_RESETHAND | SA_NODEFER };

	sigemptyset(&sa.sa_mask);
	for (unsigned int i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
	atexit(tdm_term_leave);
}

/**
 * tdm_term_enter() - raw mode, when standard input is our terminal.
 *
 * Return: may standard input be read? False for a terminal whose foreground
 * process group we are not in.
 */
bool tdm_term_enter(void)
{
	struct termios t;

	if (!isatty(STDIN_FILENO))
		return true;
	if (tcgetpgrp(STDIN_FILENO) != getpgrp())
		return false;
	if (raw)
		return true;
	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return true;
	t = saved;
	cfmakeraw(&t);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	/* raw before the call: a crash in between then restores too much, never
	 * too little */
	raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) < 0)
		raw = 0;
	return true;
}

/** tdm_term_leave() - put the terminal back; async-signal-safe, may be called
 * twice. */
void tdm_term_leave(void)
{
	if (!raw)
		return;
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	raw = 0;
}

/** tdm_term_is_raw() - does a newline on the terminal need a carriage return?
 */
bool tdm_term_is_raw(void)
{
	return raw;
}

/** tdm_term_suspend() - stop this process as SIGTSTP would, terminal restored
 * meanwhile. */
void tdm_term_suspend(void)
{
	tdm_term_leave();
	kill(getpid(), SIGSTOP);
}
