# SPDX-License-Identifier: MIT
# Tests of jemalloc on libchunk. See "../../adapters/run --help" for running them elsewhere.
#
#   make programs    build them
#   make check       build and run them here
#
# Needs ../ and libchunk built in $(BUILD) first.

BUILD ?= ../../build
OUT := $(BUILD)/jemalloc-tests
HARNESS := ../../tests
include $(HARNESS)/harness.mk

CC ?= gcc
CFLAGS ?= -O2 -g
override CFLAGS += -std=c11 -D_GNU_SOURCE -I../../../include -I$(HARNESS) \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -pthread -MMD -MP

all: programs

programs: $(OUT)/hooks_test $(OUT)/maps_test $(OUT)/preload_test $(OUT)/worker \
	  $(OUT)/probe $(OUT)/probe-linked $(OUT)/probe-hidden

check: programs
	../../adapters/run --build $(BUILD) jemalloc mmap mmap,guard:off

clean:
	rm -rf $(OUT)

$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(OUT)/%.o: $(HARNESS)/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

# The hooks in arenas of the program's own.
$(OUT)/hooks_test: $(OUT)/hooks_test.o $(OUT)/tap_main.o $(HARNESS_OBJECTS) \
		   $(COMMON_OBJECTS) $(BUILD)/libchunk-jemalloc.a $(BUILD)/libchunk.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljemalloc

$(OUT)/maps_test.o: CFLAGS += -I..

$(OUT)/maps_test: $(OUT)/maps_test.o $(OUT)/tap_main.o $(HARNESS_OBJECTS) \
		  $(COMMON_OBJECTS) $(BUILD)/obj/jemalloc/maps.o \
		  $(BUILD)/libchunk-jemalloc.a $(BUILD)/libchunk.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljemalloc

# Starts others and has nothing of ours in itself.
$(OUT)/preload_test: $(OUT)/preload_test.o $(OUT)/tap_main.o $(TAP_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# An ordinary program on jemalloc.
$(OUT)/worker: $(OUT)/worker.o $(COUNTED)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljemalloc

$(OUT)/probe: $(OUT)/probe.o
	$(CC) $(CFLAGS) -o $@ $^ -ljemalloc

# jemalloc in the program itself, whose mallctl() others can find, or cannot.
STATIC_JEMALLOC := -l:libjemalloc_pic.a -lstdc++ -lm -ldl

$(OUT)/probe-linked: $(OUT)/probe.o
	$(CC) $(CFLAGS) -rdynamic -o $@ $^ $(STATIC_JEMALLOC)

$(OUT)/probe-hidden: $(OUT)/probe.o
	$(CC) $(CFLAGS) -o $@ $^ $(STATIC_JEMALLOC)

.PHONY: all programs check clean
.SECONDARY:

-include $(wildcard $(OUT)/*.d)
