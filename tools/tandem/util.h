/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small helpers every part of the launcher uses: messages, number parsing,
 * whole-file reads and bounds-checked little-endian access.
 *
 * Messages go to stderr only: stdout belongs to the guest's console. Each error
 * says what to do next.
 */
#ifndef TANDEM_UTIL_H
#define TANDEM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TDM_KIB 1024ULL
#define TDM_MIB (1024ULL * TDM_KIB)
#define TDM_GIB (1024ULL * TDM_MIB)

/* Set by --verbose; read only after the options were parsed. */
extern bool tdm_verbose;

void tdm_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tdm_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tdm_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tdm_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

int tdm_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);
int tdm_parse_size(const char *s, uint64_t unit, uint64_t *out);

/* A file read into memory; data is never NULL after tdm_blob_read() succeeded.
 */
struct tdm_blob {
	uint8_t *data;
	size_t size; /* bytes */
};

int tdm_blob_read(struct tdm_blob *b, const char *path, uint64_t max,
		  const char *what);
void tdm_blob_free(struct tdm_blob *b);

uint64_t tdm_monotonic_ns(void);

static inline uint16_t tdm_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t tdm_le32(const uint8_t *p)
{
	return tdm_le16(p) | (uint32_t)tdm_le16(p + 2) << 16;
}

static inline uint64_t tdm_le64(const uint8_t *p)
{
	return tdm_le32(p) | (uint64_t)tdm_le32(p + 4) << 32;
}

static inline void tdm_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void tdm_put32(uint8_t *p, uint32_t v)
{
	tdm_put16(p, (uint16_t)v);
	tdm_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void tdm_put64(uint8_t *p, uint64_t v)
{
	tdm_put32(p, (uint32_t)v);
	tdm_put32(p + 4, (uint32_t)(v >> 32));
}

/* Is [off, off + len) inside an object of size bytes? Safe against wrap-around.
 */
static inline bool tdm_in_range(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

static inline uint64_t tdm_align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

#endif
