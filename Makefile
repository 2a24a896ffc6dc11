# SPDX-License-Identifier: GPL-2.0-only
# kbuild reads Kbuild; this is for people.

SHELL := /bin/bash

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.1
FLAVOUR ?= stock

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make run          build all, boot a virtual machine, show what chunks do
#: make check        every test: ends with "N passed, N failed"
#:                   (STEPS="lint kunit ..." for some of them)
#: make modules      chunk.ko for the running kernel, or for KDIR=...
#: make libchunk     the user-space library
#: make tests        its tests, which make check runs
#: make jemalloc     libchunk-jemalloc.so, to be preloaded, and its tests
#: make check-windows  libchunk built for Windows, its tests under Wine
#: make vm CMD='...' run a command in a virtual machine with the module loaded;
#:                   KERNEL=6.1 FLAVOUR=stock|debug ICOUNT=1 MEM=2G CPUS=2
#:                   TIMEOUT=seconds OUT=directory (more: kunit/vm --help)
#: make kunit        the KUnit suites, on the debug kernel
#: make bench        instructions for each operation, in a virtual machine
#: make lint         checkpatch, sparse, W=1, shellcheck
#: make deps         install every package that any of these needs
#: make clean        remove what was built in this tree
#: make distclean    and the cache of kernels

BUILD_DEPS := gcc libc6-dev make
JEMALLOC_DEPS := libjemalloc-dev redis-server redis-tools

deps:
	@kunit/deps $(BUILD_DEPS) $(JEMALLOC_DEPS) bc binutils bison busybox-static ca-certificates \
		flex gcc-12 kmod libelf-dev lz4 perl python3 qemu-system-x86 shellcheck \
		sparse xz-utils
	@userspace/tests/check-windows --deps

modules:
	@kunit/deps $(BUILD_DEPS)
	@[ -e $(KDIR) ] || kunit/deps linux-headers-$$(uname -r)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

libchunk:
	@kunit/deps $(BUILD_DEPS)
	$(MAKE) -C userspace libchunk

tests: libchunk
	$(MAKE) -C userspace/tests programs

jemalloc: libchunk
	@kunit/deps $(BUILD_DEPS) $(JEMALLOC_DEPS)
	$(MAKE) -C userspace jemalloc
	$(MAKE) -C userspace/jemalloc/tests programs

check-windows:
	@userspace/tests/check-windows

export CMD
vm:
	@kunit/deps python3
	@kunit/vm --kernel $(KERNEL) --flavour $(FLAVOUR) $(if $(ICOUNT),--icount) \
		$(if $(MEM),--mem $(MEM)) $(if $(CPUS),--cpus $(CPUS)) \
		$(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(OUT),--out $(OUT)) \
		-- "$$CMD"

kunit:
	@kunit/deps python3
	@kunit/run --kernel $(KERNEL)

run:
	@userspace/demo/run

check:
	@kunit/deps python3
	@kunit/check $(STEPS)

bench:
	@kunit/deps $(BUILD_DEPS) python3
	@$(MAKE) -s -C userspace bench
	@kunit/vm --kernel $(KERNEL) --icount -- userspace/build/bench/bench

lint:
	@kunit/lint

clean:
	rm -rf build
	[ ! -e userspace/Makefile ] || $(MAKE) -C userspace clean
	[ ! -d $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

distclean: clean
	. kunit/lib.sh && rm -rf "$$cache"

.PHONY: help deps bench modules libchunk tests check-windows jemalloc vm kunit run check lint clean distclean
.DEFAULT_GOAL := help
