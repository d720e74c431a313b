/* SPDX-License-Identifier: GPL-2.0-only */
/* Output side of the guest's console: a buffer and a thread that writes it to
 * stdout. */
#ifndef TANDEM_CONSOLE_H
#define TANDEM_CONSOLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TDM_CONSOLE_BUFFER 4096

struct tdm_console {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* bytes came or went, or stop */
	pthread_t writer;
	bool running; /* the writer thread exists; main thread only */
	uint8_t buffer[TDM_CONSOLE_BUFFER]; /* [lock] ring */
	unsigned int head, count;	    /* [lock] */
	bool flush;  /* [lock] a newline is in the buffer, or it is half full */
	bool stop;   /* [lock] write what is there, then end */
	bool broken; /* [lock] stdout failed: bytes are dropped */
	int fd;
	void (*on_broken)(void *ctx,
			  int err); /* called once, from the writer thread */
	void *ctx;
};

int tdm_console_start(struct tdm_console *c, int fd,
		      void (*on_broken)(void *ctx, int err), void *ctx);
void tdm_console_put(struct tdm_console *c, uint8_t byte);
bool tdm_console_stop(struct tdm_console *c);

#endif
