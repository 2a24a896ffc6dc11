# SPDX-License-Identifier: GPL-2.0-only
# For people: kbuild reads Kbuild instead.

SHELL := /bin/bash

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.1
FLAVOUR ?= stock

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make run          build all, boot a virtual machine, show what chunks do
#: make check        every test: ends with "N passed, N failed"
#:                   (STEPS="lint kunit ..." for some of them, JOBS=1 for one at
#:                   a time; results as TAP in build/check/*.tap, for prove -e cat)
#: make check-loaded  the same beside LOAD=16 processes that keep processors busy,
#:                   as on a busy machine (STEPS="native kunit")
#: make check-kernels  the module on Debian 6.1, 6.12 and 7.3, stock and debug: a
#:                   matrix (KERNELS="6.12 7.3" STEPS="build kunit ..." for parts)
#: make check-machines  the module on Debian's kernels of arm64 and riscv64, by
#:                   emulation (MACHINES="arm64/6.1 ..." STEPS="device ..." for parts)
#: make check-arch   libchunk built for other machines and systems, its tests run
#:                   there: by the kernel or qemu-user (ARCHES="s390x musl ...")
#: make modules      chunk.ko for the running kernel, or for KDIR=...
#: make libchunk     the user-space library
#: make tests        its tests, which make check runs
#: make jemalloc     libchunk-jemalloc.so, to be preloaded, and its tests
#: make large        libchunk-large.so, to be preloaded into any program, and its
#:                   tests
#: make chunkctl     the program that looks at processes; see chunkctl(1)
#: make examples     the programs of userspace/examples
#: make adapters     the tests of the adapters for mimalloc and mozjemalloc
#: make check-windows  libchunk built for Windows, its tests under Wine
#: make vm CMD='...' run a command in a virtual machine with the module loaded;
#:                   KERNEL=6.1 FLAVOUR=stock|debug ICOUNT=1 MEM=2G CPUS=2
#:                   ARCH=arm64|riscv64 (KERNEL=6.1, 6.1-64k, ...: tools/versions)
#:                   TIMEOUT=seconds OUT=directory (more: tools/vm --help)
#: make kunit        the KUnit suites, on the debug kernel
#: make bench        instructions for each operation, in a virtual machine, to
#:                   build/bench (ROWS="fresh recycle" for some of them;
#:                   WAY=guarded; PROFILE=recycle: where they go; more:
#:                   userspace/bench/run --help)
#: make bench-check  fail where there are 5 % more than in docs/bench
#: make bench-save   measure all, and put the results into docs/bench; a
#:                   tree with changes is refused
#: make pressure     what becomes of offered memory when memory is short, on
#:                   fresh boots: a table, in build/bench too
#: make numpy        numpy's arrays with and without libchunk-large: processor
#:                   time, page faults, swapping; tables, in build/bench too
#: make bench-native compare libchunk without the module with the original's
#:                   system calls, by wall time, on this machine (ROUNDS=200)
#: make install      the library, headers, chunk.pc and the manual, to PREFIX=
#:                   (/usr/local; DESTDIR= in front of it), libchunk-large, and
#:                   where jemalloc's header is libchunk-jemalloc; make uninstall
#: make modules_install  chunk.ko to /lib/modules of that kernel (DESTDIR= in front)
#: make dkms         the module's source to /usr/src, built by DKMS for this kernel
#:                   (DKMS_FLAGS='-k 6.1...' for another; with DESTDIR= the source
#:                   alone) and for each later one; make dkms-remove
#: make deb          Debian's packages of all of it, to build/deb
#: make dist         the last commit as build/dist/chunkmod-VERSION.tar.gz
#: make tag          the last commit as the release that CHANGELOG.md describes
#: make check-sanitize  libchunk's tests under AddressSanitizer and
#:                   UndefinedBehaviorSanitizer, ThreadSanitizer and valgrind,
#:                   and some runs of the fuzzer (TOOLS="address" for some of
#:                   them; more: userspace/tests/sanitize --help)
#: make fuzz         the engine against random calls and a model, for DURATION=600
#:                   seconds
#: make coverage     which lines of libchunk and the engine the tests never run
#: make lint         checkpatch, coccinelle, sparse, W=1, kernel-doc, shellcheck, the
#:                   rules of prose, SPDX lines, one version, layers
#: make deps         install every package that any of these needs
#: make clean        remove what was built in this tree
#: make distclean    and the cache of kernels

BUILD_DEPS := gcc libc6-dev make
JEMALLOC_DEPS := libjemalloc-dev
REDIS_DEPS := redis-server redis-tools
MIMALLOC_DEPS := libmimalloc-dev
EXAMPLE_DEPS := g++ libgoogle-perftools-dev
# Programs to preload libchunk-large.so into, and allocators to have below it
LARGE_DEPS := libjemalloc2 libmimalloc2.0 python3-numpy xz-utils
# Sanitizers come with gcc; libc6-dbg is valgrind's.
WATCH_DEPS := clang libc6-dbg libclang-rt-14-dev llvm valgrind

deps:
	@tools/deps $(BUILD_DEPS) $(JEMALLOC_DEPS) $(REDIS_DEPS) $(MIMALLOC_DEPS) $(LARGE_DEPS) $(WATCH_DEPS) bc binutils bison \
		busybox-static ca-certificates coccinelle flex g++ gcc-12 gdb gnuplot-nox kmod \
		libelf-dev lz4 mandoc ocaml-nox git perl pkg-config python3 python3-numpy qemu-system-x86 shellcheck sparse stress-ng xz-utils \
		bpftrace linux-perf systemtap-sdt-dev trace-cmd \
		abigail-tools cargo debhelper dh-dkms dkms dpkg-dev efitools fakeroot $(EXAMPLE_DEPS) \
		lintian mmdebstrap openssl ovmf reuse rustc sbsigntool \
		gcc-12-aarch64-linux-gnu gcc-12-riscv64-linux-gnu libstdc++-12-dev-arm64-cross \
		libstdc++-12-dev-riscv64-cross opensbi qemu-system-arm qemu-system-misc \
		$$(userspace/tests/arch --packages)
	@userspace/tests/check-windows --deps

modules:
	@tools/deps $(BUILD_DEPS)
	@[ -e $(KDIR) ] || tools/deps linux-headers-$$(uname -r)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

libchunk:
	@CC="$(CC)" tools/deps $(BUILD_DEPS)
	$(MAKE) -C userspace libchunk

tests: libchunk chunkctl
	$(MAKE) -C userspace/tests programs

chunkctl:
	@CC="$(CC)" tools/deps $(BUILD_DEPS)
	$(MAKE) -C userspace chunkctl

jemalloc: libchunk
	@tools/deps $(BUILD_DEPS) $(JEMALLOC_DEPS)
	$(MAKE) -C userspace jemalloc
	$(MAKE) -C userspace/tests/adapters jemalloc

large: libchunk
	@CC="$(CC)" tools/deps $(BUILD_DEPS)
	$(MAKE) -C userspace large
	$(MAKE) -C userspace/tests/adapters large

examples: jemalloc
	@tools/deps $(BUILD_DEPS) $(JEMALLOC_DEPS) $(MIMALLOC_DEPS) $(EXAMPLE_DEPS)
	$(MAKE) -C userspace/examples plain allocators

adapters: libchunk
	@tools/deps $(BUILD_DEPS) $(MIMALLOC_DEPS)
	$(MAKE) -C userspace/tests/adapters headers

check-windows:
	@userspace/tests/check-windows

export CMD
# Kbuild has names of its own for processors, so it must not get this ARCH.
vm:
	@tools/deps python3
	@MAKEFLAGS= tools/vm $(if $(findstring command,$(origin ARCH)),--arch $(ARCH)) \
		--kernel $(KERNEL) --flavour $(FLAVOUR) $(if $(ICOUNT),--icount) \
		$(if $(MEM),--mem $(MEM)) $(if $(CPUS),--cpus $(CPUS)) \
		$(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(OUT),--out $(OUT)) \
		-- "$$CMD"

kunit:
	@tools/deps python3
	@kunit/run --kernel $(KERNEL)

run:
	@userspace/demo/run

check:
	@tools/deps python3
	@tools/check $(if $(JOBS),--jobs $(JOBS)) $(STEPS)

LOAD ?= 16
check-loaded:
	@tools/deps python3 stress-ng
	@stress-ng --quiet --cpu $(LOAD) & trap "kill $$!" EXIT; \
		tools/check $(if $(JOBS),--jobs $(JOBS)) $(STEPS)

KERNELS ?= $(shell awk '$$2 == "amd64" { print $$1 }' tools/versions)
check-kernels:
	@tools/deps python3
	@nice tools/check --kernels "$(KERNELS)" $(if $(JOBS),--jobs $(JOBS)) $(STEPS)

MACHINES ?= $(shell awk '/^[0-9]/ && $$2 != "amd64" { print $$2 "/" $$1 }' tools/versions)
check-machines:
	@tools/deps python3
	@nice tools/check --machines "$(MACHINES)" $(if $(JOBS),--jobs $(JOBS)) $(STEPS)

check-arch:
	@tools/deps $$(userspace/tests/arch --packages)
	@nice userspace/tests/arch $(ARCHES)

bench:
	@tools/deps python3
	@userspace/bench/run --kernel $(KERNEL) $(if $(WAY),--way $(WAY)) \
		$(if $(PROFILE),--profile $(PROFILE)) $(ROWS)

bench-save:
	@tools/deps python3
	@userspace/bench/run --kernel $(KERNEL) --save
	@userspace/bench/pressure/run --kernel $(KERNEL) --save
	@userspace/bench/numpy/run --kernel $(KERNEL) --save

bench-check:
	@tools/deps python3
	@userspace/bench/run --kernel $(KERNEL) --check $(ROWS)

pressure:
	@tools/deps python3
	@userspace/bench/pressure/run --kernel $(KERNEL)

numpy:
	@tools/deps python3
	@userspace/bench/numpy/run --kernel $(KERNEL)

.PHONY: pressure numpy

bench-native:
	@tools/deps $(BUILD_DEPS) $(JEMALLOC_DEPS) $(REDIS_DEPS) >&2
	@$(MAKE) -s -C userspace libchunk >&2
	@$(MAKE) -s -C userspace bench-native

install:
	@CC="$(CC)" tools/deps $(BUILD_DEPS)
	$(MAKE) -C userspace install

uninstall:
	$(MAKE) -C userspace uninstall

# An ordinary user's DESTDIR has no kernel whose dependencies depmod could list.
modules_install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) $(if $(DESTDIR),DEPMOD=true) \
		modules_install

# Its lines are assignments for make, too.
include dkms.conf
VERSION := $(patsubst "%",%,$(PACKAGE_VERSION))
DKMS_SOURCE = $(DESTDIR)/usr/src/chunk-$(VERSION)
# The top of the tree and what it includes: the same as tools/module builds, no tests
MODULE_SOURCE = Kbuild dkms.conf $(filter-out %.mod.c,$(wildcard *.c *.h))
MODULE_HEADERS = $(filter-out %malloc.h,$(wildcard include/chunk_*.h)) include/uapi/linux/chunk.h

dkms-source:
	install -d $(DKMS_SOURCE)/include/uapi/linux
	install -m 644 $(MODULE_SOURCE) $(DKMS_SOURCE)
	for header in $(MODULE_HEADERS); do \
		install -m 644 $$header $(DKMS_SOURCE)/$$header || exit; done

dkms: dkms-source
ifndef DESTDIR
	@tools/deps dkms
	dkms install $(DKMS_FLAGS) chunk/$(VERSION)
endif

dkms-remove:
	dkms remove chunk/$(VERSION) --all
	rm -r $(DKMS_SOURCE)

deb:
	@tools/deb

dist:
	@tools/dist

tag:
	@tools/tag

check-sanitize:
	@tools/deps $(BUILD_DEPS) $(JEMALLOC_DEPS) $(REDIS_DEPS) $(WATCH_DEPS) python3 >&2
	@userspace/tests/sanitize $(TOOLS)

DURATION ?= 600
fuzz:
	@tools/deps $(BUILD_DEPS) $(JEMALLOC_DEPS) $(REDIS_DEPS) $(WATCH_DEPS) python3 >&2
	@$(MAKE) -s -C userspace/tests/fuzz fuzz DURATION=$(DURATION)

coverage:
	@tools/deps $(BUILD_DEPS) $(JEMALLOC_DEPS) $(REDIS_DEPS) $(WATCH_DEPS) python3 >&2
	@userspace/tests/coverage

lint:
	@tools/lint

clean:
	rm -rf build
	[ ! -e userspace/Makefile ] || $(MAKE) -C userspace clean
	[ ! -d $(KDIR) ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

distclean: clean
	. tools/lib.sh && rm -rf "$$cache"

.PHONY: help adapters chunkctl deps bench bench-save bench-check bench-native modules libchunk tests jemalloc \
	large examples \
	check-machines \
	vm kunit run check check-loaded check-arch check-windows check-kernels check-sanitize fuzz coverage \
	install uninstall modules_install dkms-source dkms dkms-remove deb dist tag lint clean distclean
.DEFAULT_GOAL := help
