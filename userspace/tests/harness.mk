# SPDX-License-Identifier: MIT
#
# What test programs are linked with besides themselves, wherever they are built:
# OUT= is where to. To be included by their Makefiles.
#
#   TAP_OBJECTS       runs cases; tap_main.o is only a suite's
#   HARNESS_OBJECTS   that, and what asks about memory
#   COMMON_OBJECTS    what knows libchunk, besides

# The system, as for libchunk: windows, or one where processes fork.
OS ?= linux
ifeq ($(OS),windows)
SYSTEM := windows
else
SYSTEM := posix
endif

TAP_posix := tap
TAP_windows := tap_windows
MEMORY_posix := smaps
COMMON_posix := common_posix

TAP_OBJECTS := $(TAP_$(SYSTEM)) tap_report tap_excuse
HARNESS_OBJECTS := $(TAP_OBJECTS) memory memory_$(SYSTEM) $(MEMORY_$(SYSTEM)) \
		   random
COMMON_OBJECTS := common $(COMMON_$(SYSTEM))

TAP_OBJECTS := $(TAP_OBJECTS:%=$(OUT)/%.o)
HARNESS_OBJECTS := $(HARNESS_OBJECTS:%=$(OUT)/%.o)
COMMON_OBJECTS := $(COMMON_OBJECTS:%=$(OUT)/%.o)
