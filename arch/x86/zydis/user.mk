# SPDX-License-Identifier: GPL-2.0-only
# The same objects for userspace programs (unit tests, fuzzers). Set TDM_TOP to
# the repository and TDM_ZYDIS to what `tools/deps/fetch zydis` prints, then
# include this file: it gives TDM_EMUL_SRCS, TDM_ZYDIS_SRCS and TDM_EMUL_CPPFLAGS.

TDM_ZYDIS_SRCS := $(TDM_TOP)/arch/x86/zydis/zydis.c
TDM_EMUL_SRCS := $(TDM_TOP)/arch/x86/insn.c \
	$(sort $(wildcard $(TDM_TOP)/arch/x86/emul/*.c))
TDM_EMUL_CPPFLAGS := -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD \
	-DZYDIS_DISABLE_ENCODER -DZYDIS_DISABLE_FORMATTER \
	-I$(TDM_ZYDIS)/zydis/include -I$(TDM_ZYDIS)/zydis/src \
	-I$(TDM_ZYDIS)/zycore/include -I$(TDM_TOP)
