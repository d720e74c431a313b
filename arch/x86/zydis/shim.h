/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forced include of every object that sees Zydis in kernel mode.
 *
 * Without a C library Zydis falls back to byte loops of its own for memset and
 * friends, which make decoding several times slower, and to an endless loop
 * for "unreachable". Give it the kernel's functions instead. This must come
 * before any other use of Zycore's headers, hence the forced include.
 */
#ifndef TDM_ZYDIS_SHIM_H
#define TDM_ZYDIS_SHIM_H

#include <linux/bug.h>
#include <linux/string.h>

#include <Zycore/Defines.h>
#include <Zycore/LibC.h>

#undef ZYAN_MEMCHR
#undef ZYAN_MEMCMP
#undef ZYAN_MEMCPY
#undef ZYAN_MEMMOVE
#undef ZYAN_MEMSET
#undef ZYAN_STRCMP
#undef ZYAN_STRLEN
#undef ZYAN_ASSERT
#undef ZYAN_UNREACHABLE

#define ZYAN_MEMCHR memchr
#define ZYAN_MEMCMP memcmp
#define ZYAN_MEMCPY memcpy
#define ZYAN_MEMMOVE memmove
#define ZYAN_MEMSET memset
#define ZYAN_STRCMP strcmp
#define ZYAN_STRLEN strlen
#define ZYAN_ASSERT(condition) WARN_ON_ONCE(!(condition))
#define ZYAN_UNREACHABLE BUG()

#endif /* TDM_ZYDIS_SHIM_H */
