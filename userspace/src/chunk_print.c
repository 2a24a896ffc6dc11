// SPDX-License-Identifier: MIT
/*
 * Statistics on stderr: at exit and on a signal, as CHUNK_OPTIONS asks for.
 *
 * They may be due while any thread is in libchunk, this one included. So the lock is
 * only tried; if it is not free, the counters are read without it, and may not fit
 * each other, as the output then says.
 */
#include <errno.h>
#include <stddef.h>

#include "chunk_counters.h"
#include "chunk_print.h"
#include "chunk_process.h"
#include "chunk_reason.h"
#include "chunk_report.h"
#include "chunk_state.h"

#define COUNTER(member)	{ #member, offsetof(struct chunk_stats, member) }

/* The members of struct chunk_stats, in order */
static const struct counter {
	const char *name;
	size_t offset;
} counters[] = {
	COUNTER(live_bytes),	    COUNTER(live_chunks),
	COUNTER(decommitted_bytes), COUNTER(recycled_bytes),
	COUNTER(recycle_limit),	    COUNTER(mapped_bytes),
	COUNTER(base_bytes),	    COUNTER(allocs),
	COUNTER(allocs_recycled),   COUNTER(deallocs),
	COUNTER(commits),	    COUNTER(decommits),
	COUNTER(untrapped),	    COUNTER(offered_bytes),
	COUNTER(offered_taken),	    COUNTER(offered_discarded),
	COUNTER(retained_bytes),    COUNTER(word_offered_bytes),
	COUNTER(word_discards),	    COUNTER(traps),
	COUNTER(mapping_room),
};

#define COUNTERS	(sizeof(counters) / sizeof(*counters))

_Static_assert(COUNTERS * sizeof(uint64_t) == sizeof(struct chunk_stats),
	       "a counter is missing");

/**
 * struct snapshot - what is printed
 * @stats:   the counters
 * @backend: of the process
 * @exact:   the lock was free
 */
struct snapshot {
	struct chunk_stats stats;
	const char *backend;
	bool exact;
};

static struct snapshot take_snapshot(struct chunk_process *p)
{
	struct snapshot shot = { .exact = chunk_mutex_try(&p->lock) };

	shot.stats = chunk_counters_read();
	shot.backend = chunk_state.generation ? "device" : chunk_os_name;
	if (shot.exact)
		chunk_mutex_unlock(&p->lock);
	shot.stats.mapping_room = chunk_counters_mapping_room();
	return shot;
}

/* Append a number of 64 bits: a 32-bit process has such counters, too. */
static void add_value(struct chunk_line *line, const struct chunk_stats *stats,
		      const struct counter *counter)
{
	uint64_t value = *(const uint64_t *)((const char *)stats + counter->offset);

	chunk_line_number(line, value, 10);
}

static void add_json_text(struct chunk_line *line, const char *key,
			  const char *text)
{
	chunk_line_text(line, "\"");
	chunk_line_text(line, key);
	chunk_line_text(line, "\":\"");
	chunk_line_text(line, text);
	chunk_line_text(line, "\",");
}

/* One line, which goes out in one piece */
static void print_json(const struct snapshot *shot)
{
	struct chunk_line line = { 0 };
	size_t i;

	chunk_line_text(&line, "{\"pid\":");
	chunk_line_number(&line, chunk_os_pid(), 10);
	chunk_line_text(&line, ",");
	add_json_text(&line, "backend", shot->backend);
	add_json_text(&line, "reason", chunk_reason_word());
	chunk_line_text(&line, shot->exact ? "\"exact\":true" :
					     "\"exact\":false");
	for (i = 0; i < COUNTERS; i++) {
		chunk_line_text(&line, ",\"");
		chunk_line_text(&line, counters[i].name);
		chunk_line_text(&line, "\":");
		add_value(&line, &shot->stats, &counters[i]);
	}
	chunk_line_text(&line, "}");
	chunk_line_write(&line);
}

static void print_text(const struct snapshot *shot)
{
	struct chunk_line line = { 0 };
	size_t i;

	chunk_line_text(&line, "libchunk: statistics of process ");
	chunk_line_number(&line, chunk_os_pid(), 10);
	chunk_line_text(&line, ", on ");
	chunk_line_text(&line, shot->backend);
	chunk_line_text(&line, " (");
	chunk_line_text(&line, chunk_reason_word());
	chunk_line_text(&line, shot->exact ? ")" : "), while they changed");
	chunk_line_write(&line);
	for (i = 0; i < COUNTERS; i++) {
		line.length = 0;
		chunk_line_text(&line, "libchunk: ");
		chunk_line_text(&line, counters[i].name);
		chunk_line_text(&line, " ");
		add_value(&line, &shot->stats, &counters[i]);
		chunk_line_write(&line);
	}
}

/* A child that has not used libchunk has no statistics of its own. */
static void print(void)
{
	struct chunk_process *p = chunk_process_get();
	int saved = errno;
	struct snapshot shot;

	if (!p || (p == &chunk_process_unwiped && !chunk_process_is_wiped()) ||
	    !atomic_load_explicit(&p->known, memory_order_acquire))
		return;
	shot = take_snapshot(p);
	if (chunk_state.options.stats_json)
		print_json(&shot);
	else
		print_text(&shot);
	errno = saved;
}

/* Unlike a function for atexit(), it takes no memory. */
static void __attribute__((destructor)) print_at_exit(void)
{
	if (chunk_state.options.stats_exit)
		print();
}

/**
 * chunk_print_start() - print statistics on a signal, if CHUNK_OPTIONS says so
 *
 * Context: during chunk_start().
 */
void chunk_print_start(void)
{
	struct chunk_line line = { 0 };

	if (!chunk_state.options.stats_signal || !chunk_os_on_signal(print))
		return;
	chunk_line_text(&line,
			"libchunk: stats:signal: the program has a handler for SIGUSR2, or this system has no signals");
	chunk_line_write(&line);
}
