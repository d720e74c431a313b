# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of the BT engine's translator, plain and with the sanitizers.

TDM_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
TDM_ZYDIS := $(shell $(TDM_TOP)/tools/deps/fetch zydis)
include $(TDM_TOP)/arch/x86/zydis/user.mk

BT_OUT := $(TDM_TOP)/build/unit/bt
BT_UNIT := $(TDM_TOP)/tools/testing/unit
BT_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Wno-missing-field-initializers \
	-Wno-sign-compare -Wno-override-init $(filter-out -DZYDIS_DISABLE_FORMATTER,$(TDM_EMUL_CPPFLAGS)) \
	-I$(BT_UNIT) -DBT_DIR='"$(BT_UNIT)"'
BT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
BT_DEPS := $(wildcard $(TDM_TOP)/arch/x86/*.h $(TDM_TOP)/bt/*.h $(BT_UNIT)/bt_*.h)

# The translator, of all of bt/.
BT_XL := arch/x86/insn.o $(addprefix bt/,translate.o quick.o branch.o sequence.o emit.o classify.o) \
	arch/x86/zydis/zydis.o
BT_EXACT := $(addprefix tools/testing/unit/,bt_exact_test.o bt_sandbox.o bt_gen.o bt_form.o)

BT_FUZZ := $(addprefix tools/testing/unit/,bt_gen.o bt_form.o)
BT_CLASS := $(addprefix tools/testing/unit/,bt_class_test.o bt_golden.o opcodes.o)
BT_LISTING := $(addprefix tools/testing/unit/,bt_listing_test.o bt_golden.o)
BT_FORMAT := $(addprefix $(BT_OUT)/zydis/,Formatter.o FormatterATT.o FormatterBase.o \
	FormatterBuffer.o FormatterIntel.o String.o)

bt-programs := $(BT_OUT)/plain/bt_exact_test \
	$(foreach v,plain san,$(addprefix $(BT_OUT)/$(v)/,bt_class_test bt_listing_test bt_quick_test)) \
	$(BT_OUT)/san/bt_fuzz

$(BT_OUT)/%/arch/x86/zydis/zydis.o: $(TDM_ZYDIS_SRCS)
	@mkdir -p $(@D)
	@$(CC) -O2 -w $(TDM_EMUL_CPPFLAGS) -c -o $@ $<

# The formatter, which the module does without.
$(BT_OUT)/zydis/%.o: $(TDM_ZYDIS)/zydis/src/%.c
	@mkdir -p $(@D)
	@$(CC) -O1 -w $(filter-out -DZYDIS_DISABLE_FORMATTER,$(TDM_EMUL_CPPFLAGS)) -c -o $@ $<

$(BT_OUT)/plain/%.o: $(TDM_TOP)/%.c $(BT_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(BT_CFLAGS) -c -o $@ $<

$(BT_OUT)/san/%.o: $(TDM_TOP)/%.c $(BT_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(BT_CFLAGS) $(BT_SAN) -c -o $@ $<

$(BT_OUT)/plain/bt_exact_test: $(addprefix $(BT_OUT)/plain/,$(BT_EXACT) $(BT_XL))
	@$(CC) -o $@ $^

$(BT_OUT)/plain/bt_class_test: $(addprefix $(BT_OUT)/plain/,$(BT_CLASS) $(BT_XL))
	@$(CC) -o $@ $^

$(BT_OUT)/san/bt_class_test: $(addprefix $(BT_OUT)/san/,$(BT_CLASS) $(BT_XL))
	@$(CC) $(BT_SAN) -o $@ $^

$(BT_OUT)/plain/bt_listing_test: $(addprefix $(BT_OUT)/plain/,$(BT_LISTING) $(BT_XL)) $(BT_FORMAT)
	@$(CC) -o $@ $^

$(BT_OUT)/san/bt_listing_test: $(addprefix $(BT_OUT)/san/,$(BT_LISTING) $(BT_XL)) $(BT_FORMAT)
	@$(CC) $(BT_SAN) -o $@ $^

$(BT_OUT)/plain/bt_quick_test: $(addprefix $(BT_OUT)/plain/,tools/testing/unit/bt_quick_test.o $(BT_XL))
	@$(CC) -o $@ $^

$(BT_OUT)/san/bt_quick_test: $(addprefix $(BT_OUT)/san/,tools/testing/unit/bt_quick_test.o $(BT_XL))
	@$(CC) $(BT_SAN) -o $@ $^

# The fuzz target with its own random driver; tools/testing/fuzz has libFuzzer's.
$(BT_OUT)/san/bt_fuzz: $(TDM_TOP)/tools/testing/fuzz/bt_fuzz.c $(BT_DEPS) \
		$(addprefix $(BT_OUT)/san/,$(BT_FUZZ) $(BT_XL))
	@$(CC) $(BT_CFLAGS) $(BT_SAN) -DFUZZ_MAIN -o $@ $(filter %.c %.o,$^)

$(BT_OUT)/plain/bt_measure: $(addprefix $(BT_OUT)/plain/,tools/testing/unit/bt_measure.o $(BT_XL))
	@$(CC) -o $@ $^

bt-build: $(bt-programs)

.SECONDARY:
.PHONY: bt-build
