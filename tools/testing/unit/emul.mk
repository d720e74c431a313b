# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of the instruction decoder and emulator, plain and with the
# sanitizers.

TDM_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
TDM_ZYDIS := $(shell $(TDM_TOP)/tools/deps/fetch zydis)
include $(TDM_TOP)/arch/x86/zydis/user.mk

EMUL_OUT := $(TDM_TOP)/build/unit/emul
EMUL_TESTS := emul_insn_test emul_real_test emul_prot_test emul_io_test emul_segs_test \
	emul_random_test emul_coverage_test emul_cache_test
EMUL_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Wno-missing-field-initializers \
	-Wno-sign-compare -Wno-override-init $(TDM_EMUL_CPPFLAGS) \
	-DTDM_DOC='"$(TDM_TOP)/Documentation/emulator.rst"'
# The plain programs run with the cache of decoded instructions, these without.
EMUL_SAN := -DGUEST_NO_CACHE -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
EMUL_HELPERS := emul_guest.c emul_native.c opcodes.c
EMUL_DEPS := $(wildcard $(TDM_TOP)/arch/x86/*.h $(TDM_TOP)/arch/x86/emul/*.h *.h)

emul-objs := $(patsubst $(TDM_TOP)/%.c,%.o,$(TDM_EMUL_SRCS)) arch/x86/zydis/zydis.o \
	$(addprefix tools/testing/unit/,$(EMUL_HELPERS:.c=.o))
emul-plain := $(addprefix $(EMUL_OUT)/plain/,$(emul-objs))
emul-san := $(addprefix $(EMUL_OUT)/san/,$(emul-objs))

%/arch/x86/zydis/zydis.o: $(TDM_ZYDIS_SRCS)
	@mkdir -p $(@D)
	@$(CC) -O2 -w $(TDM_EMUL_CPPFLAGS) -c -o $@ $<

$(EMUL_OUT)/plain/%.o: $(TDM_TOP)/%.c $(EMUL_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(EMUL_CFLAGS) -c -o $@ $<

$(EMUL_OUT)/san/%.o: $(TDM_TOP)/%.c $(EMUL_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(EMUL_CFLAGS) $(EMUL_SAN) -c -o $@ $<

$(EMUL_OUT)/plain/%_test: $(EMUL_OUT)/plain/tools/testing/unit/%_test.o $(emul-plain)
	@$(CC) -o $@ $^

$(EMUL_OUT)/san/%_test: $(EMUL_OUT)/san/tools/testing/unit/%_test.o $(emul-san)
	@$(CC) $(EMUL_SAN) -o $@ $^

# The fuzz target with its own random driver; tools/testing/fuzz has libFuzzer's.
$(EMUL_OUT)/san/emul_fuzz: $(TDM_TOP)/tools/testing/fuzz/emul_fuzz.c $(emul-san) $(EMUL_DEPS)
	@$(CC) $(EMUL_CFLAGS) $(EMUL_SAN) -DFUZZ_MAIN -o $@ $< $(emul-san)

# The decoder with its assertions on; plain, as it is the decoder that is slow.
$(EMUL_OUT)/plain/insn_fuzz: $(TDM_TOP)/tools/testing/fuzz/insn_fuzz.c $(emul-plain) $(EMUL_DEPS)
	@$(CC) $(EMUL_CFLAGS) -DFUZZ_MAIN -o $@ $< $(emul-plain)

emul-programs := $(EMUL_OUT)/san/emul_fuzz $(EMUL_OUT)/plain/insn_fuzz $(foreach t,$(EMUL_TESTS),$(EMUL_OUT)/plain/$(t) $(EMUL_OUT)/san/$(t))

emul-build: $(emul-programs)

.SECONDARY:
.PHONY: emul-build
