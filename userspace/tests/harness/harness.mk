# SPDX-License-Identifier: MIT
#
# What test programs are linked with besides themselves, wherever they are built:
# OUT= is where to. To be included by their Makefiles.
#
#   TAP_OBJECTS       runs cases; tap_main.o is only a suite's
#   HARNESS_OBJECTS   that, and what asks about memory
#   UAPI_OBJECTS      that, and what knows the device, root and Linux
#   COMMON_OBJECTS    what knows libchunk, besides
#   COUNTED           where lines are counted, what TAP_OBJECTS has for that

# The system, as for libchunk: windows, or one where processes fork.
OS ?= linux
ifeq ($(OS),windows)
SYSTEM := windows
else
SYSTEM := posix
endif

TAP_posix := tap tap_clock
TAP_windows := tap_windows
MEMORY_posix := smaps
COMMON_posix := common_posix

TAP_OBJECTS := $(TAP_$(SYSTEM)) tap_report tap_excuse
HARNESS_OBJECTS := $(TAP_OBJECTS) memory memory_$(SYSTEM) $(MEMORY_$(SYSTEM)) \
		   random
UAPI_OBJECTS := uapi loop_device core_file pass_fd
COMMON_OBJECTS := common $(COMMON_$(SYSTEM))

# libchunk is counted, not the tests; but they end it.
ifdef COVERAGE
override LDFLAGS += --coverage -Wl,--wrap=_exit -Wl,--wrap=abort
TAP_OBJECTS += tap_counted
HARNESS_OBJECTS += tap_counted
COUNTED := $(OUT)/tap_counted.o
endif

TAP_OBJECTS := $(TAP_OBJECTS:%=$(OUT)/%.o)
HARNESS_OBJECTS := $(HARNESS_OBJECTS:%=$(OUT)/%.o)
UAPI_OBJECTS := $(HARNESS_OBJECTS) $(UAPI_OBJECTS:%=$(OUT)/%.o)
COMMON_OBJECTS := $(COMMON_OBJECTS:%=$(OUT)/%.o)
