# SPDX-License-Identifier: GPL-2.0-only
# The translator's fuzz target for libFuzzer:
#	make -C tools/testing/fuzz bt && build/fuzz/bt_fuzz -max_len=200

TDM_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
TDM_ZYDIS := $(shell $(TDM_TOP)/tools/deps/fetch zydis)
include $(TDM_TOP)/arch/x86/zydis/user.mk
BT_UNIT := $(TDM_TOP)/tools/testing/unit

bt: $(TDM_TOP)/build/fuzz/bt_fuzz

$(TDM_TOP)/build/fuzz/bt_fuzz: bt_fuzz.c $(BT_UNIT)/bt_form.c $(BT_UNIT)/bt_gen.c \
		$(addprefix $(TDM_TOP)/bt/,translate.c quick.c branch.c sequence.c emit.c classify.c) \
		$(TDM_TOP)/arch/x86/insn.c $(TDM_ZYDIS_SRCS) \
		$(wildcard $(TDM_TOP)/bt/*.h $(BT_UNIT)/bt_*.h)
	@mkdir -p $(@D)
	@clang -O1 -g -std=gnu11 -w -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined $(TDM_EMUL_CPPFLAGS) -I$(BT_UNIT) -o $@ $(filter %.c,$^)

.PHONY: bt
