# SPDX-License-Identifier: GPL-2.0-only
# The emulator's and the decoder's fuzz targets for libFuzzer:
#	make -C tools/testing/fuzz emul && build/fuzz/emul_fuzz -max_len=2200
#	make -C tools/testing/fuzz insn && build/fuzz/insn_fuzz -max_len=15

TDM_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
TDM_ZYDIS := $(shell $(TDM_TOP)/tools/deps/fetch zydis)
include $(TDM_TOP)/arch/x86/zydis/user.mk

emul: $(TDM_TOP)/build/fuzz/emul_fuzz

$(TDM_TOP)/build/fuzz/emul_fuzz: emul_fuzz.c $(TDM_TOP)/tools/testing/unit/emul_guest.c \
		$(TDM_EMUL_SRCS) $(TDM_ZYDIS_SRCS) $(wildcard $(TDM_TOP)/arch/x86/emul/*.h \
		$(TDM_TOP)/tools/testing/unit/emul*.h)
	@mkdir -p $(@D)
	@clang -O1 -g -std=gnu11 -w -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $(TDM_EMUL_CPPFLAGS) \
		-o $@ $(filter %.c,$^)

insn: $(TDM_TOP)/build/fuzz/insn_fuzz

$(TDM_TOP)/build/fuzz/insn_fuzz: insn_fuzz.c $(TDM_TOP)/arch/x86/insn.c $(TDM_ZYDIS_SRCS)
	@mkdir -p $(@D)
	@clang -O1 -g -std=gnu11 -w -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $(TDM_EMUL_CPPFLAGS) -o $@ $^

.PHONY: emul insn
