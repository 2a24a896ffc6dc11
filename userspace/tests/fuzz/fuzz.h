/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer's programs: short sequences of calls on the device and its memory.
 *
 * Arguments are symbolic, so that a program keeps its meaning while it is
 * changed: a number, or an offset from an extent that an earlier call has
 * returned.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <sys/types.h>

#include "memory.h"

#define FUZZ_CALLS	128	/* the most calls of a program */
#define FUZZ_ARGS	8	/* the most arguments of a call */
#define FUZZ_EXTENTS	8	/* the most extents that a program remembers */
#define FUZZ_ERRORS	134	/* the error numbers of Linux, and 0 */
#define FUZZ_PAGE	page_size()

/**
 * enum fuzz_base - base of a value
 * @FUZZ_NUMBER: nothing
 * @FUZZ_START:  first byte of an extent
 * @FUZZ_END:    the byte after it
 * @FUZZ_LENGTH: length of an extent
 * @FUZZ_HOLE:   an inaccessible page behind accessible ones
 * @FUZZ_BASES:  number of bases
 */
enum fuzz_base {
	FUZZ_NUMBER,
	FUZZ_START,
	FUZZ_END,
	FUZZ_LENGTH,
	FUZZ_HOLE,
	FUZZ_BASES
};

/**
 * struct fuzz_value - an argument
 * @base:   enum fuzz_base
 * @slot:   slot of the extent
 * @number: number that is added to the base
 */
struct fuzz_value {
	uint8_t base;
	uint8_t slot;
	int64_t number;
};

/**
 * enum fuzz_type - types of arguments, by which they are chosen
 * @FUZZ_STRUCT:        place of the structure
 * @FUZZ_SIZE:          size of the structure, in relation to the right one
 * @FUZZ_FLAGS:         flags of the call
 * @FUZZ_PAD:           padding, which must be zero
 * @FUZZ_EXTENT_LENGTH: length of a new extent, in bytes
 * @FUZZ_WHOLE:         length of an extent that is given back, in bytes
 * @FUZZ_ALIGNMENT:     alignment of a new extent, in bytes
 * @FUZZ_ADDRESS:       address in or near an extent
 * @FUZZ_BEGIN:         first byte of an extent
 * @FUZZ_PAGES:         length in pages
 * @FUZZ_TYPE:          enum chunk_type
 * @FUZZ_COUNT:         number of elements of a batch
 * @FUZZ_LIMIT:         recycle limit, in bytes
 * @FUZZ_COMMAND:       number of an ioctl
 * @FUZZ_PROTECTION:    PROT_*
 * @FUZZ_ADVICE:        MADV_*
 * @FUZZ_MAP_FLAGS:     MAP_*
 * @FUZZ_OFFSET:        offset of mmap
 * @FUZZ_WORD:          word of a chunk
 */
enum fuzz_type {
	FUZZ_STRUCT, FUZZ_SIZE, FUZZ_FLAGS, FUZZ_PAD, FUZZ_EXTENT_LENGTH,
	FUZZ_WHOLE, FUZZ_ALIGNMENT, FUZZ_ADDRESS, FUZZ_BEGIN, FUZZ_PAGES,
	FUZZ_TYPE, FUZZ_COUNT, FUZZ_LIMIT, FUZZ_COMMAND, FUZZ_PROTECTION,
	FUZZ_ADVICE, FUZZ_MAP_FLAGS, FUZZ_OFFSET, FUZZ_WORD,
};

/**
 * enum fuzz_fd - descriptors that a call may use
 * @FUZZ_FD:         of the first context
 * @FUZZ_FD_2:       of the second context
 * @FUZZ_FD_FOREIGN: of another process's context
 * @FUZZ_FDS:        number of descriptors
 */
enum fuzz_fd { FUZZ_FD, FUZZ_FD_2, FUZZ_FD_FOREIGN, FUZZ_FDS };

/**
 * struct fuzz_call - one call of a program
 * @kind: index in fuzz_kinds
 * @fd:   enum fuzz_fd
 * @args: arguments, of the types of its kind
 */
struct fuzz_call {
	uint8_t kind;
	uint8_t fd;
	struct fuzz_value args[FUZZ_ARGS];
};

/**
 * struct fuzz_program - calls and their environment
 * @calls:  number of calls
 * @racing: two threads run the program at the same time
 * @roomy:  address space is not limited, and extents are not made present
 * @call:   the calls, in order
 */
struct fuzz_program {
	uint8_t calls;
	bool racing;
	bool roomy;
	struct fuzz_call call[FUZZ_CALLS];
};

/**
 * struct fuzz_extent - an extent that a call has returned
 * @fd:     enum fuzz_fd
 * @live:   the extent has not been given back
 * @addr:   first byte; 0: the slot is empty
 * @length: bytes
 */
struct fuzz_extent {
	uint8_t fd;
	bool live;
	uintptr_t addr;
	size_t length;
};

/**
 * struct fuzz_run - a program that is being run
 * @fds:      descriptors, by enum fuzz_fd
 * @huge:     contexts whose memory does not trap
 * @extents:  by slot
 * @next:     slot for the next extent
 * @user:     two pages, with a hole behind them
 * @constant: a page that cannot be written
 * @alias:    the same page, where it can be
 * @word:     a file with one word, to be read to where an access may trap
 * @roomy:    see struct fuzz_program
 * @racing:   likewise
 * @tampered: memory was changed behind the device's back
 */
struct fuzz_run {
	int fds[FUZZ_FDS];
	bool huge[FUZZ_FDS];
	struct fuzz_extent extents[FUZZ_EXTENTS];
	unsigned int next;
	char *user;
	char *constant;
	char *alias;
	int word;
	bool roomy;
	bool racing;
	bool tampered;
};

/**
 * struct fuzz_kind - a call that programs can make
 * @name:   name of the call
 * @weight: frequency, in relation to others
 * @size:   bytes of its structure; 0: it has none
 * @nr:     number of arguments
 * @types:  types of the arguments
 * @run:    function that makes the call; returns 0 or a negative errno
 * @errors: documented errors, up to the first 0; none: any error. A call with a
 *          structure may also fail with the errors that all calls share
 */
struct fuzz_kind {
	const char *name;
	unsigned int weight;
	size_t size;
	unsigned int nr;
	enum fuzz_type types[FUZZ_ARGS];
	int (*run)(struct fuzz_run *run, const struct fuzz_call *call,
		   const uint64_t *args);
	uint8_t errors[12];
};

/* Tables end with an entry without a name. */
extern const struct fuzz_kind fuzz_device_kinds[];
extern const struct fuzz_kind fuzz_system_kinds[];

/* fuzz_program.c */
void fuzz_kinds_collect(void);
size_t fuzz_kinds_count(void);
const struct fuzz_kind *fuzz_kind(size_t index);
void fuzz_program_new(struct fuzz_program *program, uint64_t *random);
void fuzz_program_mutate(struct fuzz_program *program,
			 const struct fuzz_program *other, uint64_t *random);
void fuzz_program_print(const struct fuzz_program *program, FILE *to);
bool fuzz_program_read(struct fuzz_program *program, FILE *from);

/**
 * struct fuzz_shared - results, which the process that runs a program
 * shares with the one that made it
 * @done:     number of calls that were made
 * @at:       index of the last call
 * @why:      description of the failure, or ""
 * @outcomes: number of outcomes of each kind, by error number
 */
struct fuzz_shared {
	unsigned long done;
	unsigned int at;
	char why[160];
	unsigned int outcomes[64][FUZZ_ERRORS];
};

/* fuzz_run.c */
void fuzz_set_up(struct fuzz_run *run);
noreturn void fuzz_run(struct fuzz_run *run, const struct fuzz_program *program,
		       struct fuzz_shared *shared);
noreturn void __printf(1, 2) fuzz_fail(const char *format, ...);
bool fuzz_quiet(const struct fuzz_run *run);
bool fuzz_read(uintptr_t addr, void *to, size_t size);
bool fuzz_write(uintptr_t addr, const void *from, size_t size);
bool fuzz_readable(uintptr_t addr);
void fuzz_remember(struct fuzz_run *run, unsigned int fd, uintptr_t addr,
		   size_t length);
void fuzz_drop_extent(struct fuzz_run *run, unsigned int fd, uintptr_t addr);

/* fuzz_cover.c */
bool fuzz_cover_open(void);
void fuzz_cover_begin(void);
size_t fuzz_cover_add(void);
size_t fuzz_cover_total(void);

#endif /* FUZZ_H */
