# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of what is pure in CPUID, MSRs and segments. Always with the sanitizers.

STATE_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
STATE_OUT := $(STATE_TOP)/build/unit/state
STATE_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Wno-sign-compare -I$(STATE_TOP) \
	-fsanitize=address,undefined -fno-sanitize-recover=all
STATE_DEPS := $(wildcard $(STATE_TOP)/arch/x86/cpuid_index.* $(STATE_TOP)/arch/x86/msr_check.h \
	$(STATE_TOP)/arch/x86/segment.* $(STATE_TOP)/arch/x86/emul/port.h) emul_ktap.h

state-programs := $(addprefix $(STATE_OUT)/,cpuid_index_test msr_check_test segment_test)

$(STATE_OUT)/%: %.c $(STATE_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(STATE_CFLAGS) -o $@ $< $(filter %.c,$(STATE_SRCS_$*))

STATE_SRCS_cpuid_index_test := $(STATE_TOP)/arch/x86/cpuid_index.c
STATE_SRCS_segment_test := $(STATE_TOP)/arch/x86/segment.c

state-build: $(state-programs)

state-run: state-build
	@set -e; for p in $(state-programs); do $$p; done

.PHONY: state-build state-run
