// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, number parsing and whole-file reads for the launcher.
 *
 * Beware: while the terminal is in raw mode a bare newline does not return the
 * carriage, so every message passes through emit(), which adds it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "term.h"
#include "util.h"

bool tdm_verbose;

/* One write(2) a message, so that messages of several threads do not mix. */
static void emit(const char *tag, const char *fmt, va_list ap)
{
	char text[2048], out[2 * sizeof(text)];
	size_t n = 0;
	int used, more;

	used = snprintf(text, sizeof(text), "%s", tag);
	more = vsnprintf(text + used, sizeof(text) - used, fmt, ap);
	if (more < 0)
		return;
	for (const char *p = text; *p; p++) {
		if (*p == '\n' && tdm_term_is_raw())
			out[n++] = '\r';
		out[n++] = *p;
	}
	if (tdm_term_is_raw())
		out[n++] = '\r';
	out[n++] = '\n';
	for (size_t off = 0; off < n;) {
		ssize_t r = write(STDERR_FILENO, out + off, n - off);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return; /* nobody left to tell */
		off += (size_t)r;
	}
}

/** tdm_error() - report why something failed and what to do next. */
void tdm_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("tandem: error: ", fmt, ap);
	va_end(ap);
}

/** tdm_warn() - report something that may surprise, but does not stop the run.
 */
void tdm_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("tandem: warning: ", fmt, ap);
	va_end(ap);
}

/** tdm_note() - a line for --verbose only. */
void tdm_note(const char *fmt, ...)
{
	va_list ap;

	if (!tdm_verbose)
		return;
	va_start(ap, fmt);
	emit("tandem: ", fmt, ap);
	va_end(ap);
}

/** tdm_say() - a plain line on stderr, without a prefix (reports, dumps). */
void tdm_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("", fmt, ap);
	va_end(ap);
}

/**
 * tdm_parse_u64() - parse a decimal, 0x or octal number within [min, max].
 *
 * Return: 0, or -EINVAL when @s is not such a number (@out untouched).
 */
int tdm_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	if (!s || *s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || *end || v < min || v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

/**
 * tdm_parse_size() - parse a size with an optional K, M, G or T suffix.
 * @s: the text
 * @unit: what a number without a suffix counts in, in bytes
 * @out: the size in bytes
 *
 * Return: 0, or -EINVAL (no number, unknown suffix, overflow).
 */
int tdm_parse_size(const char *s, uint64_t unit, uint64_t *out)
{
	unsigned long long v;
	uint64_t bytes;
	char *end;

	if (!s || *s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno)
		return -EINVAL;
	switch (*end) {
	case 'k':
	case 'K':
		unit = TDM_KIB;
		end++;
		break;
	case 'm':
	case 'M':
		unit = TDM_MIB;
		end++;
		break;
	case 'g':
	case 'G':
		unit = TDM_GIB;
		end++;
		break;
	case 't':
	case 'T':
		unit = 1024 * TDM_GIB;
		end++;
		break;
	default:
		break;
	}
	if (*end || __builtin_mul_overflow(v, unit, &bytes))
		return -EINVAL;
	*out = bytes;
	return 0;
}

/**
 * tdm_blob_read() - read a whole regular file.
 * @b: receives the contents; free with tdm_blob_free()
 * @path: file to read
 * @max: largest size accepted, in bytes
 * @what: what the file is, for messages ("kernel")
 *
 * Return: 0, or a negative errno after saying what is wrong.
 */
int tdm_blob_read(struct tdm_blob *b, const char *path, uint64_t max,
		  const char *what)
{
	struct stat st;
	size_t got = 0;
	int fd, err;

	b->data = NULL;
	b->size = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		tdm_error("cannot open the %s '%s': %s", what, path,
			  strerror(-err));
		return err;
	}
	err = -EINVAL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		tdm_error("the %s '%s' is not a regular file", what, path);
		goto close_file;
	}
	if (st.st_size == 0 || (uint64_t)st.st_size > max) {
		tdm_error(
			"the %s '%s' has %lld bytes; between 1 and %llu can be loaded",
			what, path, (long long)st.st_size,
			(unsigned long long)max);
		goto close_file;
	}
	b->data = malloc((size_t)st.st_size);
	if (!b->data) {
		err = -ENOMEM;
		tdm_error("no memory for the %s '%s'", what, path);
		goto close_file;
	}
	while (got < (size_t)st.st_size) {
		ssize_t r = read(fd, b->data + got, (size_t)st.st_size - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			err = r < 0 ? -errno : -EIO;
			tdm_error("reading the %s '%s': %s", what, path,
				  r < 0 ? strerror(errno)
					: "the file became shorter");
			tdm_blob_free(b);
			goto close_file;
		}
		got += (size_t)r;
	}
	b->size = got;
	err = 0;
close_file:
	close(fd);
	return err;
}

/** tdm_blob_free() - free what tdm_blob_read() made; fine on an empty blob. */
void tdm_blob_free(struct tdm_blob *b)
{
	free(b->data);
	b->data = NULL;
	b->size = 0;
}

/** tdm_monotonic_ns() - the monotonic clock in nanoseconds. */
uint64_t tdm_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}
