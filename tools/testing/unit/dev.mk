# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of the devices in kmod/devices and of the I/O buses and routing: the
# module's own code on a fake core (dev_machine.c) with a clock the tests move.
# Always with the sanitizers.

DEV_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)
DEV_OUT := $(DEV_TOP)/build/unit/dev
DEV_TESTS := dev_pic_test dev_pit_test dev_lapic_test dev_ioapic_test dev_random_test
DEV_SRCS := $(wildcard $(DEV_TOP)/kmod/devices/*.c) $(DEV_TOP)/kmod/iobus.c \
	$(DEV_TOP)/kmod/irq_routing.c
DEV_OBJS := $(addprefix $(DEV_OUT)/,$(notdir $(DEV_SRCS:.c=.o))) $(DEV_OUT)/dev_machine.o
DEV_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-override-init -Wno-unused-variable -Wno-unused-value -D__KERNEL__ \
	-include dev_shim/dev_kernel.h \
	-Idev_shim -I$(DEV_TOP) -Ishim -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
DEV_DEPS := $(wildcard $(DEV_TOP)/kmod/*.h $(DEV_TOP)/kmod/devices/*.h \
	$(DEV_TOP)/arch/x86/*.h *.h dev_shim/*.h dev_shim/*/*.h shim/*.h)

dev-programs := $(addprefix $(DEV_OUT)/,$(DEV_TESTS))

$(DEV_OUT)/%.o: $(DEV_TOP)/kmod/devices/%.c $(DEV_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(DEV_CFLAGS) -c -o $@ $<

$(DEV_OUT)/%.o: $(DEV_TOP)/kmod/%.c $(DEV_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(DEV_CFLAGS) -c -o $@ $<

$(DEV_OUT)/%.o: %.c $(DEV_DEPS)
	@mkdir -p $(@D)
	@$(CC) $(DEV_CFLAGS) -c -o $@ $<

$(dev-programs): $(DEV_OUT)/%: $(DEV_OUT)/%.o $(DEV_OBJS)
	@$(CC) $(DEV_CFLAGS) -o $@ $^

dev-build: $(dev-programs)

.PHONY: dev-build
