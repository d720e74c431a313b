# SPDX-License-Identifier: GPL-2.0-only
# Wraps build, run, test and bench; no logic of its own. `make help` lists the targets.
#
# KERNEL=running (default) builds for the kernel this machine runs, KERNEL=6.1
# and KERNEL=6.12 for Debian's, whose headers are fetched with apt.
# W=1 and C=1 (sparse) mean what they mean in the kernel.

KERNEL	?= running
B	:= $(CURDIR)/build
MOD	?= $(B)/mod-$(KERNEL)
KO	?= $(B)/tandem-$(KERNEL).ko
MIRROR	:= $(wildcard Kbuild arch kmod shadow_mmu bt uapi)

all: modules tools

help:
	@echo 'Targets:'
	@echo '  all      tandem.ko for the running kernel, and the launcher (default)'
	@echo '  modules  tandem.ko for KERNEL=running|6.1|6.12; W=1, C=1 as in the kernel'
	@echo '  tools    the launcher, build/tandem'
	@echo '  deps     install what building and testing need (apt, as root)'
	@echo '  demo     boot a stock Debian kernel as guest in an emulated host'
	@echo '  test     every test; last line "N passed, N failed, N skipped"'
	@echo '  bench    what operations and workloads cost on each runner; BENCH=--quick'
	@echo '  fuzz     random ioctls in an emulated host; FUZZ="--seconds 3600 --seed 7"'
	@echo '  check    the quick subset of test: no emulated host'
	@echo '  load     insmod build/tandem.ko here (real hardware, as root); unload'
	@echo '  clean    remove build/'

deps:
	@tools/deps/install

modules:
	@mkdir -p $(MOD)
	@rsync -a --delete --exclude='*.o' --exclude='.*' --exclude='*.mod*' \
		--exclude='*.ko' --exclude='modules.order' --exclude='Module.symvers' \
		--exclude='/zydis/' $(MIRROR) $(MOD)/
	@rsync -a $$(tools/deps/fetch zydis)/ $(MOD)/zydis/
	+@$(MAKE) --no-print-directory -C $$(tools/deps/kernel-headers $(KERNEL)) M=$(MOD) modules
	@cmp -s $(MOD)/tandem.ko $(KO) || cp $(MOD)/tandem.ko $(KO)
	@if [ $(KERNEL) = running ]; then cp $(MOD)/tandem.ko $(B)/tandem.ko; fi

tools:
	+@$(MAKE) --no-print-directory -C tools/tandem O=$(B)/tools-tandem
	@cp $(B)/tools-tandem/tandem $(B)/tandem

demo: deps
	@tools/demo

test: deps
	@tools/testing/run

bench: deps
	@tools/bench/bench $(BENCH)

fuzz: deps
	+@$(MAKE) --no-print-directory modules KERNEL=6.1
	@tools/testing/fuzz/ioctl_run --seconds 600 $(FUZZ)

check:
	@tools/testing/run --quick

load:
	@tools/load load $(B)/tandem.ko

unload:
	@tools/load unload

clean:
	rm -rf $(B)

.PHONY: all help deps modules tools demo test bench fuzz check load unload clean
