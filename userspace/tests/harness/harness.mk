# SPDX-License-Identifier: MIT
#
# Included by each Makefile of tests: TESTS= is the folder of all tests, OUT= is
# where to build.
#
#   TAP_OBJECTS       run cases; a suite has tap_main.o besides
#   HARNESS_OBJECTS   the same, and questions about memory
#   UAPI_OBJECTS      the same, and calls of the device
#   COMMON_OBJECTS    calls of libchunk, for suites that also have HARNESS_OBJECTS
#   COUNTED           the part of TAP_OBJECTS that a build needs to count lines

FOLDERS := harness api os uapi stress fuzz windows adapters chunkctl tracing
vpath %.c $(FOLDERS:%=$(TESTS)/%)

# The system, as for libchunk: windows, or one where processes fork.
OS ?= linux
ifeq ($(OS),windows)
SYSTEM := windows
else
SYSTEM := posix
THREADS := -pthread
endif

CC ?= gcc
CFLAGS ?= -O2 -g
# Tests may rely on extensions of the C library; libchunk must not. Offsets of words
# need more than 32 bits.
override CFLAGS += -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(THREADS) -MMD -MP \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-I$(TESTS)/harness -I$(TESTS)/uapi -I$(TESTS)/../../include \
	-I$(TESTS)/../../include/uapi

TAP_posix := tap tap_clock
TAP_windows := tap_windows
MEMORY_posix := smaps
COMMON_posix := common_posix

TAP_OBJECTS := $(TAP_$(SYSTEM)) tap_report tap_excuse
# libchunk's lines are counted, not those of the tests; but tests end the process.
ifdef COVERAGE
override LDFLAGS += --coverage -Wl,--wrap=_exit -Wl,--wrap=abort
TAP_OBJECTS += tap_counted
COUNTED := $(OUT)/tap_counted.o
endif
HARNESS_OBJECTS := $(TAP_OBJECTS) memory memory_$(SYSTEM) $(MEMORY_$(SYSTEM)) \
		   kernel_file random rounds
UAPI_OBJECTS := $(HARNESS_OBJECTS) uapi layout words loop_device core_file pass_fd \
		pagemap_scan
COMMON_OBJECTS := common $(COMMON_$(SYSTEM))

TAP_OBJECTS := $(TAP_OBJECTS:%=$(OUT)/%.o)
HARNESS_OBJECTS := $(HARNESS_OBJECTS:%=$(OUT)/%.o)
UAPI_OBJECTS := $(UAPI_OBJECTS:%=$(OUT)/%.o)
COMMON_OBJECTS := $(COMMON_OBJECTS:%=$(OUT)/%.o)

# Archives are searched after all objects, so that an object can replace a part.
define link
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.a,$^) $(filter %.a,$^) $(LIBS)
endef
