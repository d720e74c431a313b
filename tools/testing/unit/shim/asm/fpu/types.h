/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHIM_FPU_TYPES_H
#define SHIM_FPU_TYPES_H

#define XFEATURE_MASK_FP	(1 << 0)
#define XFEATURE_MASK_SSE	(1 << 1)
#define XFEATURE_MASK_YMM	(1 << 2)
#define XFEATURE_MASK_AVX512	(7 << 5)

#endif /* SHIM_FPU_TYPES_H */
