# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of the MMU: the guest page walker, and shadow_mmu/ on the shim.

TDM_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
MMU_OUT := $(TDM_TOP)/build/unit/mmu
MMU_UNIT := $(TDM_TOP)/tools/testing/unit
MMU_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -I$(MMU_UNIT) -I$(TDM_TOP)
MMU_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# Kernel code has unused parameters and mixed signs by custom.
MMU_SHIM := -I$(MMU_UNIT)/shim -Wno-unused-parameter -Wno-sign-compare
MMU_DEPS := $(wildcard $(TDM_TOP)/arch/x86/*.h $(TDM_TOP)/shadow_mmu/*.h \
	$(MMU_UNIT)/*.h $(MMU_UNIT)/shim/*.h $(MMU_UNIT)/shim/*/*.h $(MMU_UNIT)/shim/arch/x86/*.h)

# All but the host's page tables, which are the test's, and the emulator's TLB.
MMU_SRCS := $(filter-out %/hostmap.c %/softtlb.c,$(wildcard $(TDM_TOP)/shadow_mmu/*.c)) \
	$(TDM_TOP)/arch/x86/paging.c $(wildcard $(MMU_UNIT)/shim/*.c)
PAGING_SRCS := $(MMU_UNIT)/paging_test.c $(TDM_TOP)/arch/x86/paging.c
MEMSLOT_SRCS := $(MMU_UNIT)/memslot_test.c $(MMU_SRCS)
SHADOW_SRCS := $(MMU_UNIT)/shadow_test.c $(TDM_TOP)/arch/x86/cr.c $(MMU_SRCS) \
	$(addprefix $(MMU_UNIT)/shadow_,host.c ref.c cpu.c bt.c ops.c cases.c)

paging-programs := $(foreach v,plain san,$(addprefix $(MMU_OUT)/$(v)/,\
	paging_test memslot_test shadow_test))

$(MMU_OUT)/plain/paging_test: $(PAGING_SRCS) $(MMU_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(MMU_CFLAGS) -o $@ $(PAGING_SRCS)

$(MMU_OUT)/san/paging_test: $(PAGING_SRCS) $(MMU_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(MMU_CFLAGS) $(MMU_SAN) -o $@ $(PAGING_SRCS)

$(MMU_OUT)/plain/memslot_test: $(MEMSLOT_SRCS) $(MMU_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(MMU_SHIM) $(MMU_CFLAGS) -o $@ $(MEMSLOT_SRCS)

$(MMU_OUT)/san/memslot_test: $(MEMSLOT_SRCS) $(MMU_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(MMU_SHIM) $(MMU_CFLAGS) $(MMU_SAN) -o $@ $(MEMSLOT_SRCS)

$(MMU_OUT)/plain/shadow_test: $(SHADOW_SRCS) $(MMU_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(MMU_SHIM) $(MMU_CFLAGS) -o $@ $(SHADOW_SRCS)

$(MMU_OUT)/san/shadow_test: $(SHADOW_SRCS) $(MMU_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(MMU_SHIM) $(MMU_CFLAGS) $(MMU_SAN) -o $@ $(SHADOW_SRCS)
