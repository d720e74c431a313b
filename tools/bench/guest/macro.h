/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * macro.h - what the parts of a benchmark guest's process 1 share.
 */
#ifndef MACRO_H
#define MACRO_H

#include <sys/types.h>

/* Says what failed, with errno, and powers the machine off. */
void fail(const char *what) __attribute__((noreturn));
void wait_for(pid_t pid);
/* Runs a program without arguments' sake; its output goes to /dev/null. */
pid_t spawn(const char *const argv[]);

/* work.c */
void forkwait(unsigned long n);
void forkexec(unsigned long n);
void switching(unsigned long n);
void ring_10(unsigned long n);
void ring_100(unsigned long n);
void syscalls(unsigned long n);
void graphics(unsigned long n);
void largeram(unsigned long n);
void files(unsigned long n);
void compute(unsigned long n);

/* programs.c */
void perl(unsigned long n);
void compile(unsigned long n);
void web_processes_start(void);
void web_threads_start(void);
void web(unsigned long n);
void web_stop(void);

#endif
