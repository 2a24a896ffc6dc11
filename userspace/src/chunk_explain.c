// SPDX-License-Identifier: MIT
/*
 * CHUNK_OPTIONS=explain:on: an access that traps is explained on stderr.
 *
 * A ring has the last calls that made memory trap. The handler of SIGSEGV and SIGBUS
 * says which chunk the address lies in and which of these calls was the last about it,
 * then hands the signal on to the program's own handler, or to the system. It is put
 * in front of the program's handler at each such call, since the program may have
 * installed one meanwhile.
 *
 * With explain:stack each record has a stack, found by chunk_os_stack(). That is prepared
 * before any chunk is given back below malloc(), if the environment says so from the start.
 *
 * The handler takes no lock. A record that another thread is writing at that moment may
 * be read half old and half new, or be passed over.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_explain.h"
#include "chunk_probe.h"
#include "chunk_report.h"

/* Calls that are remembered; a power of two */
#define RECORDS	1024U

/**
 * struct record - a call that made memory trap
 * @call:   name of the function of the API; NULL: there was none yet
 * @addr:   first byte
 * @size:   bytes
 * @caller: address in the function that called it
 * @thread: the thread that did
 */
struct record {
	const char *call;
	uintptr_t addr;
	size_t size;
	const void *caller;
	unsigned long thread;
};

static struct record records[RECORDS];
static atomic_uint last;

/* Functions in a stack, from the caller of the API outwards */
#define FRAMES	16

/* Functions of libchunk, and of what finds the stack, that are left out */
#define INNER	16

/**
 * struct stack - the stack of the record of the same index; apart, since few want them
 * @frames: addresses in the functions, the innermost first
 * @count:  number of them
 */
struct stack {
	const void *frames[FRAMES];
	unsigned int count;
};

static struct stack stacks[RECORDS];

/* Progress of chunk_os_stack_prepare() */
enum preparation { UNPREPARED, PREPARING, PREPARED };

static atomic_uint preparation;

/* Returns false in the middle of it, which may itself give chunks back. */
static bool prepare(void)
{
	unsigned int state = UNPREPARED;

	if (atomic_compare_exchange_strong(&preparation, &state, PREPARING)) {
		chunk_os_stack_prepare();
		atomic_store(&preparation, PREPARED);
		return true;
	}
	return state == PREPARED;
}

/* At the start, before an allocator may hold its locks. */
static __attribute__((constructor)) void prepare_early(void)
{
	const char *options = chunk_os_getenv("CHUNK_OPTIONS");

	if (options && strstr(options, "explain:stack"))
		prepare();
}

/*
 * Is it the same place of the program? A return address into Thumb code, of armhf, has the
 * lowest bit set, which stacks are found without.
 */
static bool is_same_place(const void *frame, const void *caller)
{
	return ((uintptr_t)frame | 1) == ((uintptr_t)caller | 1);
}

/* Keep the stack from the caller of the API on. */
static void note_stack(struct stack *stack, const void *caller)
{
	void *frames[INNER + FRAMES];
	unsigned int count, from = 0;

	stack->count = 0;
	if (!prepare())
		return;
	count = chunk_os_stack(frames, INNER + FRAMES);
	while (from < count && !is_same_place(frames[from], caller))
		from++;
	while (from < count && stack->count < FRAMES)
		stack->frames[stack->count++] = frames[from++];
}

/* Find the last record about an address; NULL if there is none. */
static const struct record *find(uintptr_t addr)
{
	unsigned int at = atomic_load(&last), i;

	for (i = 0; i < RECORDS; i++, at--) {
		const struct record *record = &records[at % RECORDS];

		if (record->call && addr - record->addr < record->size)
			return record;
	}
	return NULL;
}

/* Append where in which file an address of code is. */
static void add_code(struct chunk_line *line, const void *addr)
{
	struct chunk_os_place place;

	chunk_line_number(line, (uintptr_t)addr, 16);
	if (!chunk_os_locate((uintptr_t)addr, &place))
		return;
	chunk_line_text(line, " (");
	chunk_line_text(line, place.file);
	chunk_line_text(line, "+");
	chunk_line_number(line, place.offset, 16);
	chunk_line_text(line, ")");
}

static void print_record(const struct record *record)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk: that was ");
	chunk_line_text(&line, record->call);
	chunk_line_text(&line, "(");
	chunk_line_number(&line, record->addr, 16);
	chunk_line_text(&line, ", ");
	chunk_line_number(&line, record->size, 10);
	chunk_line_text(&line, ")");
	if (record->thread) {
		chunk_line_text(&line, " in thread ");
		chunk_line_number(&line, record->thread, 10);
	}
	chunk_line_text(&line, ", called at ");
	add_code(&line, record->caller);
	chunk_line_write(&line);
}

/* The caller is in the record's line already. */
static void print_stack(const struct stack *stack)
{
	unsigned int i;

	for (i = 1; i < stack->count && i < FRAMES; i++) {
		struct chunk_line line = { 0 };

		chunk_line_text(&line, "libchunk: called at ");
		add_code(&line, stack->frames[i]);
		chunk_line_write(&line);
	}
}

static void add_chunk(struct chunk_line *line, const struct chunk_info *info,
		      uintptr_t addr)
{
	chunk_line_text(line, "byte ");
	chunk_line_number(line, addr - (uintptr_t)info->start, 10);
	chunk_line_text(line, " of the live chunk at ");
	chunk_line_number(line, (uintptr_t)info->start, 16);
	chunk_line_text(line, " of ");
	chunk_line_number(line, info->length, 10);
	chunk_line_text(line, " bytes, ");
	chunk_line_text(line, info->committed ?
			"which is committed: libchunk did not make it trap" :
			"which is decommitted");
}

static void print_address(const struct chunk_info *info, uintptr_t addr)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk: trap at ");
	chunk_line_number(&line, addr, 16);
	chunk_line_text(&line, ": ");
	if (info->where == LIVE_CHUNK)
		add_chunk(&line, info, addr);
	else
		chunk_line_text(&line, info->where == FREE_CHUNK ?
				"memory that was given back, or is kept for chunks to come" :
				"memory that was given back, and returned to the system");
	chunk_line_write(&line);
}

/* Explain an access that trapped, unless it has nothing to do with chunks. */
static void explain(uintptr_t addr)
{
	struct chunk_info info = { .size = sizeof(info) };
	const struct record *record = find(addr);
	struct chunk_line line = { 0 };

	chunk_lookup((void *)addr, &info);
	if (info.where == NO_CHUNK && !record)
		return;
	chunk_probe_trap(addr);
	print_address(&info, addr);
	if (info.where == LIVE_CHUNK && info.committed)
		return;
	if (record) {
		print_record(record);
		print_stack(&stacks[record - records]);
		return;
	}
	chunk_line_text(&line, "libchunk: that was not by one of the last ");
	chunk_line_number(&line, RECORDS, 10);
	chunk_line_text(&line, " calls that made memory trap");
	chunk_line_write(&line);
}

/**
 * chunk_explain_slowly() - note who makes memory trap
 * @call:   function of the API
 * @addr:   first byte
 * @size:   bytes
 * @caller: address in its caller
 *
 * Context: chunk_enter() done, lock not held.
 */
void chunk_explain_slowly(const char *call, const void *addr, size_t size,
			  const void *caller)
{
	unsigned int at = atomic_fetch_add(&last, 1) + 1;
	int saved = errno;

	if (chunk_state.options.explain_stack)
		note_stack(&stacks[at % RECORDS], caller);
	records[at % RECORDS] = (struct record) {
		.call = call,
		.addr = (uintptr_t)addr,
		.size = size,
		.caller = caller,
		.thread = chunk_os_thread(),
	};
	chunk_os_on_trap(explain);
	errno = saved;
}
