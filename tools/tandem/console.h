/* SPDX-License-Identifier: GPL-2.0-only */
/* Output side of the guest's console: a buffer and a thread that writes it to
 * stdout. */
#ifndef TANDEM_CONSOLE_H
#define TANDEM_CONSOLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TDM_CONSOLE_BUFFER 8192
#define TDM_CONSOLE_HIGH 4096 /* from here on vCPUs wait, between accesses */

struct tdm_console {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* bytes came or went, or stop */
	pthread_t writer;
	bool running; /* the writer thread exists; main thread only */
	uint8_t buffer[TDM_CONSOLE_BUFFER]; /* [lock] ring */
	unsigned int head, count;	    /* [lock] */
	bool flush; /* [lock] a newline is in the buffer, or it is half full */
	bool stop;  /* [lock] write what is there, then end */
	bool released;	   /* [lock] the run ends: nobody waits any more */
	atomic_bool tight; /* the buffer is filled to TDM_CONSOLE_HIGH */
	bool broken;	   /* [lock] stdout failed: bytes are dropped */
	int fd;
	void (*on_broken)(void *ctx,
			  int err); /* called once, from the writer thread */
	void *ctx;
};

void tdm_console_init(struct tdm_console *c);
int tdm_console_start(struct tdm_console *c, int fd,
		      void (*on_broken)(void *ctx, int err), void *ctx);
void tdm_console_put(struct tdm_console *c, uint8_t byte);
void tdm_console_throttle(struct tdm_console *c);
void tdm_console_release(struct tdm_console *c);
bool tdm_console_stop(struct tdm_console *c);

#endif
