# SPDX-License-Identifier: GPL-2.0-only
# Unit test of the translation cache: bt/'s files on the shim, with a model guest.

TDM_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
TC_OUT := $(TDM_TOP)/build/unit/tc
TC_UNIT := $(TDM_TOP)/tools/testing/unit
TC_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -I$(TC_UNIT)/shim -I$(TC_UNIT) -I$(TDM_TOP)
TC_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TC_SRCS := $(TC_UNIT)/bt_tc_test.c $(TC_UNIT)/bt_tc_audit.c $(TC_UNIT)/shim/shim.c \
	$(addprefix $(TDM_TOP)/bt/,arena.c cache.c faultmap.c fetch.c link.c lookup.c smc.c space.c)
TC_DEPS := $(wildcard $(TDM_TOP)/arch/x86/*.h $(TDM_TOP)/bt/*.h $(TDM_TOP)/shadow_mmu/*.h \
	$(TC_UNIT)/*.h $(TC_UNIT)/shim/*.h $(TC_UNIT)/shim/*/*.h)

tc-programs := $(foreach v,plain san,$(TC_OUT)/$(v)/bt_tc_test)

$(TC_OUT)/plain/bt_tc_test: $(TC_SRCS) $(TC_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(TC_CFLAGS) -o $@ $(TC_SRCS)

$(TC_OUT)/san/bt_tc_test: $(TC_SRCS) $(TC_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(TC_CFLAGS) $(TC_SAN) -o $@ $(TC_SRCS)

tc-build: $(tc-programs)

.PHONY: tc-build
