/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the decoder wrapper and the emulator need from their surroundings, for
 * the kernel and for the userspace tests. The only file here that may ask
 * which of the two it is built for.
 */
#ifndef TDM_EMUL_PORT_H
#define TDM_EMUL_PORT_H

#ifdef __KERNEL__

#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>

/*
 * A state the code says cannot be. What instruction is run is up to the guest,
 * so the kernel makes no noise: the step is refused.
 */
#define EMUL_CANNOT_BE(c)	unlikely(c)

#else /* userspace tests */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define noinline		__attribute__((__noinline__))
#define fallthrough		__attribute__((__fallthrough__))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define sizeof_field(t, f)	sizeof(((t *)0)->f)
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK_ULL(h, l)	((~0ULL >> (63 - (h))) & (~0ULL << (l)))
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define max_t(t, a, b)		((t)(a) > (t)(b) ? (t)(a) : (t)(b))
/* The tests shall stop there. */
#define WARN_ON_ONCE(c)		((c) ? (abort(), 1) : 0)
#define EMUL_CANNOT_BE(c)	WARN_ON_ONCE(c)

#endif

#endif /* TDM_EMUL_PORT_H */
