# SPDX-License-Identifier: GPL-2.0-only
# Shadow paging's fuzz target for libFuzzer:
#	make -C tools/testing/fuzz shadow && build/fuzz/shadow_fuzz -max_len=4096

TDM_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
SHADOW_UNIT := $(TDM_TOP)/tools/testing/unit

shadow: $(TDM_TOP)/build/fuzz/shadow_fuzz

$(TDM_TOP)/build/fuzz/shadow_fuzz: shadow_fuzz.c $(TDM_TOP)/arch/x86/paging.c \
		$(TDM_TOP)/arch/x86/cr.c $(wildcard $(SHADOW_UNIT)/shim/*.c) \
		$(filter-out %/hostmap.c %/softtlb.c,$(wildcard $(TDM_TOP)/shadow_mmu/*.c)) \
		$(addprefix $(SHADOW_UNIT)/shadow_,host.c ref.c cpu.c bt.c ops.c) \
		$(wildcard $(TDM_TOP)/shadow_mmu/*.h $(SHADOW_UNIT)/*.h $(SHADOW_UNIT)/shim/*.h)
	@mkdir -p $(@D)
	@clang -O1 -g -std=gnu11 -w -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -I$(SHADOW_UNIT)/shim -I$(SHADOW_UNIT) \
		-I$(TDM_TOP) -o $@ $(filter %.c,$^)

.PHONY: shadow
