// SPDX-License-Identifier: MIT
/*
 * Discardable memory: chunk_offer() and chunk_reclaim().
 *
 * A chunk is offered by its word if it has one, else by advice to the system if that
 * takes advice about it, else in name only. The last two leave a mark, so that
 * chunk_reclaim() knows what to do.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_generation.h"
#include "chunk_offer.h"
#include "chunk_offered.h"
#include "chunk_probe.h"
#include "chunk_report.h"
#include "chunk_state.h"

#define UNIT	CHUNK_TREE_UNIT

/* How often to ask the system for memory that it does not let go of */
#define TRIES	10

/* Was a chunk offered that could not be marked? Then it keeps its contents. */
static atomic_bool unmarked;

/**
 * struct range - whole chunks of one live extent
 * @call:       the function of the API that is asked
 * @at:         their first byte
 * @size:       bytes
 * @generation: device generation that they come from, or 0
 */
struct range {
	const struct chunk_call *call;
	char *at;
	size_t size;
	uintptr_t generation;
};

static struct range check_range(const struct chunk_call *call, void *chunk,
				size_t size)
{
	uintptr_t start = (uintptr_t)chunk;
	struct chunk_extent *extent;

	if (!size || size % UNIT || start % UNIT)
		chunk_die(call, chunk, size,
			  "address or size is no multiple of 1 MiB");
	chunk_enter();
	extent = chunk_radix_lookup(&chunk_state.registry, start);
	if (!extent)
		chunk_die(call, chunk, size, "this chunk is not live");
	if (size > extent->size - (start - extent->addr))
		chunk_die(call, chunk, size,
			  "this range leaves the chunk that it begins in");
	return (struct range) { call, chunk, size, (uintptr_t)extent->owner };
}

static bool is_offered(const char *chunk, uintptr_t generation)
{
	return chunk_offered_get(chunk) != MARK_NONE ||
	       chunk_word_is_offered(chunk, generation);
}

/* With check:on, end the process if some chunk is in the wrong state. */
static void check_offered(const struct range *range, bool offered,
			  const char *why)
{
	const char *at, *end = range->at + range->size;

	/* A parent may have offered chunks by words that this process lacks. */
	if (!chunk_state.options.check ||
	    chunk_words_inherited(range->generation))
		return;
	for (at = range->at; at != end; at += UNIT) {
		if (is_offered(at, range->generation) != offered)
			chunk_die(range->call, at, UNIT, why);
	}
}

/*
 * Find committed pages from *@at on. Sets *@at to the first, or to @end; returns
 * their number of bytes, or 0.
 */
static size_t committed(char **at, char *end)
{
	struct chunk_info info = { .size = sizeof(info) };

	for (; *at < end; *at = info.end) {
		chunk_lookup(*at, &info);
		if (info.committed)
			return ((char *)info.end < end ? (char *)info.end : end) -
			       *at;
	}
	*at = end;
	return 0;
}

/* Return true if the system takes any of it. */
static bool advise(char *at, char *end)
{
	bool any = false;
	size_t run;

	for (; (run = committed(&at, end)); at += run)
		any |= chunk_offer_advise(at, run);
	return any;
}

/* Does the device in use take advice about its memory, for lack of words? */
static bool device_takes_advice(void)
{
	return !chunk_device_has_words() && chunk_device_takes_advice();
}

/* Memory of a lost generation is freed at once if it takes no advice. */
static bool takes_advice(uintptr_t generation)
{
	if (chunk_os_caps.offer_way == OFFER_NONE)
		return false;
	return !generation ||
	       generation != atomic_load_explicit(&chunk_state.generation,
						  memory_order_relaxed) ||
	       device_takes_advice();
}

static bool mark(const char *chunk, enum chunk_mark as)
{
	bool done;

	chunk_lock();
	done = chunk_offered_mark(chunk, as);
	chunk_unlock();
	return done;
}

static void unmark(const char *chunk)
{
	chunk_lock();
	chunk_offered_drop((uintptr_t)chunk, UNIT);
	chunk_unlock();
}

/*
 * Offer a chunk by its word or, without one, in name. Returns true if the system is
 * to be advised about it, which is left to the caller.
 */
static bool offer(char *chunk, uintptr_t generation)
{
	if (chunk_offered_get(chunk) != MARK_NONE ||
	    chunk_offer_words(chunk, UNIT, generation))
		return false;
	if (!mark(chunk, MARK_KEPT)) {
		atomic_store_explicit(&unmarked, true, memory_order_relaxed);
		return false;
	}
	return takes_advice(generation);
}

static void mark_again(char *at, char *end, enum chunk_mark as)
{
	/* That never fails. */
	for (; at != end; at += UNIT)
		mark(at, as);
}

/*
 * Advise the system about chunks that are offered in name; about all at once, since
 * advice about a part of a huge page splits it.
 */
static void advise_chunks(char *at, char *end)
{
	/* A mark is changed before the contents may go. */
	mark_again(at, end, MARK_ADVISED);
	if (!advise(at, end))
		mark_again(at, end, MARK_KEPT);
}

/**
 * chunk_offer() - let the system drop the contents of chunks when memory is short
 * @chunk: first byte, chunk-aligned, in a live extent
 * @size:  bytes, chunk-aligned, not beyond the end of that extent
 *
 * See chunk.h. Chunks that are offered already stay as they are.
 */
void chunk_offer(void *chunk, size_t size)
{
	struct range range = check_range(CHUNK_CALL("chunk_offer"), chunk, size);
	char *at, *end = range.at + size, *from = range.at;
	int saved = errno;

	check_offered(&range, false, "this chunk is offered already");
	for (at = range.at; at != end; at += UNIT) {
		if (offer(at, range.generation))
			continue;
		if (from != at)
			advise_chunks(from, at);
		from = at + UNIT;
	}
	if (from != end)
		advise_chunks(from, end);
	chunk_probe_offer(range.at, size, false);
	errno = saved;
}

/* The kernel is done with a chunk soon after it has begun to discard it. */
static enum chunk_contents take_by_word(char *chunk, uintptr_t generation)
{
	enum chunk_contents contents;

	while ((contents = chunk_take_word(chunk, generation)) == CONTENTS_BUSY)
		chunk_os_nap();
	return contents;
}

/* Take committed pages back, at whatever price: they must be accessible. */
static enum chunk_contents take_pages(const struct chunk_call *call, char *at,
				      size_t size)
{
	enum chunk_contents contents = chunk_take_advised(at, size);
	unsigned int tries;

	for (tries = 1; contents == CONTENTS_BUSY; tries++) {
		if (tries == TRIES)
			chunk_die(call, at, size,
				  "the system does not give this memory back");
		chunk_os_nap();
		contents = chunk_take_advised(at, size);
	}
	return contents;
}

static enum chunk_contents take_by_advice(const struct chunk_call *call,
					  char *chunk)
{
	enum chunk_contents contents = CONTENTS_INTACT;
	char *at = chunk, *end = chunk + UNIT;
	size_t run;

	for (; (run = committed(&at, end)); at += run) {
		if (take_pages(call, at, run) != CONTENTS_INTACT)
			contents = CONTENTS_UNKNOWN;
	}
	return contents;
}

/* Take a chunk back that may not be offered at all: then it is intact. */
static enum chunk_contents take(const struct range *range, char *chunk)
{
	enum chunk_mark marked = chunk_offered_get(chunk);
	enum chunk_contents contents = CONTENTS_INTACT;

	if (marked == MARK_ADVISED)
		contents = take_by_advice(range->call, chunk);
	if (marked != MARK_NONE)
		unmark(chunk);
	else if (chunk_word_is_offered(chunk, range->generation))
		contents = take_by_word(chunk, range->generation);
	/* The parent may have offered it, and lost the contents before the fork. */
	if (chunk_words_inherited(range->generation))
		contents = CONTENTS_UNKNOWN;
	return contents;
}

/* Make committed pages zero. */
static void zero(const struct range *range, char *at, size_t size)
{
	char *end = at + size;
	size_t run;

	if (range->generation && !chunk_device_purge(at, size))
		return;
	for (; (run = committed(&at, end)); at += run) {
		if (range->generation || chunk_os_purge(at, run))
			memset(at, 0, run);
	}
}

/*
 * If any chunk has lost its contents, all become zero: those that follow each other
 * together, as in advise_chunks().
 */
static bool reclaim(const struct range *range)
{
	char *at = range->at, *end = at + range->size, *from = at;
	enum chunk_contents contents;
	bool intact = true;

	for (; at != end; at += UNIT) {
		contents = take(range, at);
		intact &= contents == CONTENTS_INTACT;
		if (contents != CONTENTS_ZERO)
			continue;
		if (from != at)
			zero(range, from, at - from);
		from = at + UNIT;
	}
	if (!intact && from != end)
		zero(range, from, end - from);
	return intact;
}

/**
 * chunk_reclaim() - take chunks back that were offered
 * @chunk: first byte, chunk-aligned, in a live extent
 * @size:  bytes, chunk-aligned, not beyond the end of that extent
 *
 * See chunk.h. Chunks that are not offered count as intact.
 *
 * Return: true if all contents are intact; false if all committed pages read as
 * zero.
 */
bool chunk_reclaim(void *chunk, size_t size)
{
	struct range range = check_range(CHUNK_CALL("chunk_reclaim"), chunk,
					 size);
	int saved = errno;
	bool intact;

	if (!atomic_load_explicit(&unmarked, memory_order_relaxed))
		check_offered(&range, true, "this chunk is not offered");
	intact = reclaim(&range);
	chunk_probe_reclaim(range.at, size, intact);
	errno = saved;
	return intact;
}

/**
 * chunk_offer_way() - tell what chunk_offer() does in this process
 *
 * Return: what it does to chunks that are allocated from now on.
 */
enum chunk_offer_way chunk_offer_way(void)
{
	int saved = errno;
	bool device;

	chunk_enter();
	device = chunk_device_generation();
	errno = saved;
	if (device && chunk_device_has_words())
		return OFFER_WORDS;
	if (device && !device_takes_advice())
		return OFFER_NONE;
	return chunk_os_caps.offer_way;
}
