// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes the guest's console output to stdout from a thread of its own, so that
 * a reader that is slow or stopped holds up the guest's output only, never the
 * launcher's signals and time-outs.
 *
 * A line is written as a whole when its newline comes; what has none (a prompt)
 * is written after FLUSH_MS. Devices never wait here: they hold the bus lock. A
 * vCPU waits in tdm_console_throttle(), between two accesses, while the buffer
 * is more than half full; the other half is room for what is under way.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "util.h"

#define FLUSH_MS 3
#define STOP_MS 2000 /* how long a stopped reader may hold up the end */

static struct timespec in_ms(unsigned int ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += (long)(ms % 1000) * 1000000L;
	ts.tv_sec += ms / 1000 + ts.tv_nsec / 1000000000L;
	ts.tv_nsec %= 1000000000L;
	return ts;
}

/* Wait for something worth writing. Called and returns with the lock held. */
static void wait_for_bytes(struct tdm_console *c)
{
	struct timespec until;

	while (!c->count && !c->stop)
		pthread_cond_wait(&c->changed, &c->lock);
	until = in_ms(FLUSH_MS);
	while (!c->flush && !c->stop &&
	       pthread_cond_timedwait(&c->changed, &c->lock, &until) !=
		       ETIMEDOUT)
		;
}

/* Write a piece with the lock dropped. Return: false once stdout is broken. */
static bool write_some(struct tdm_console *c)
{
	unsigned int n = TDM_CONSOLE_BUFFER - c->head;
	ssize_t r;
	int err;

	if (n > c->count)
		n = c->count;
	pthread_mutex_unlock(&c->lock);
	do {
		r = write(c->fd, c->buffer + c->head, n);
	} while (r < 0 && errno == EINTR);
	err = r < 0 ? errno : 0;
	pthread_mutex_lock(&c->lock);
	if (r < 0) {
		c->broken = true;
		c->count = 0;
		atomic_store(&c->tight, false);
		pthread_cond_broadcast(&c->changed);
		pthread_mutex_unlock(&c->lock);
		c->on_broken(c->ctx, err);
		pthread_mutex_lock(&c->lock);
		return false;
	}
	c->head = (c->head + (unsigned int)r) % TDM_CONSOLE_BUFFER;
	c->count -= (unsigned int)r;
	if (c->count < TDM_CONSOLE_HIGH)
		atomic_store(&c->tight, false);
	pthread_cond_broadcast(&c->changed);
	return true;
}

static void *writer(void *arg)
{
	struct tdm_console *c = arg;
	bool good = true;

	pthread_mutex_lock(&c->lock);
	while (good) {
		wait_for_bytes(c);
		if (!c->count && c->stop)
			break;
		while (c->count && good)
			good = write_some(c);
		c->flush = false;
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/** tdm_console_init() - nothing written, no writer; before any other call. */
void tdm_console_init(struct tdm_console *c)
{
	pthread_condattr_t attr;

	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
}

/**
 * tdm_console_start() - start the writer.
 * @fd: where to write
 * @on_broken: called from the writer thread, once, when @fd cannot be written
 *
 * Call with all signals blocked: the thread inherits that.
 *
 * Return: 0 or a negative errno.
 */
int tdm_console_start(struct tdm_console *c, int fd,
		      void (*on_broken)(void *ctx, int err), void *ctx)
{
	int err;

	c->fd = fd;
	c->on_broken = on_broken;
	c->ctx = ctx;
	err = pthread_create(&c->writer, NULL, writer, c);
	c->running = !err;
	return -err;
}

/**
 * tdm_console_put() - a byte from the guest; any thread, never waits.
 *
 * Dropped when the buffer is full: cannot happen to a caller that throttles.
 */
void tdm_console_put(struct tdm_console *c, uint8_t byte)
{
	bool wake;

	pthread_mutex_lock(&c->lock);
	if (c->broken || c->count == TDM_CONSOLE_BUFFER) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	wake = !c->count;
	c->buffer[(c->head + c->count++) % TDM_CONSOLE_BUFFER] = byte;
	if (c->count >= TDM_CONSOLE_HIGH)
		atomic_store(&c->tight, true);
	if (!c->flush && (byte == '\n' || c->count >= TDM_CONSOLE_HIGH / 2)) {
		c->flush = true;
		wake = true;
	}
	if (wake)
		pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/** tdm_console_throttle() - wait until there is room; no other lock may be
 * held. */
void tdm_console_throttle(struct tdm_console *c)
{
	if (!atomic_load(&c->tight))
		return;
	pthread_mutex_lock(&c->lock);
	while (atomic_load(&c->tight) && !c->released)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

/** tdm_console_release() - the run ends: let go whoever waits for room. */
void tdm_console_release(struct tdm_console *c)
{
	pthread_mutex_lock(&c->lock);
	c->released = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/**
 * tdm_console_stop() - write what is buffered and end the writer.
 *
 * Return: was everything written? False when stdout failed, or its reader did
 * not read for STOP_MS; the thread is left behind then, since nothing can end
 * its write, and @c must stay valid until the process exits.
 */
bool tdm_console_stop(struct tdm_console *c)
{
	struct timespec until;

	if (!c->running)
		return true;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_MS / 1000;
	if (pthread_timedjoin_np(c->writer, NULL, &until))
		return false;
	c->running = false;
	return !c->broken;
}
