// SPDX-License-Identifier: MIT
/*
 * Batches: many operations of one kind in one call. The device serves as many as it
 * can take in one call of its own; the single operation serves extents that are not
 * the device's, and elements that it refuses.
 */
#include <errno.h>

#include "chunk.h"
#include "chunk_annotate.h"
#include "chunk_check.h"
#include "chunk_explain.h"
#include "chunk_internal.h"
#include "chunk_state.h"

/* Elements at a time; their bookkeeping lies on the stack. */
#define GROUP	CHUNK_BATCH_GROUP

#define DEALLOC_BATCH	"chunk_dealloc_batch"
#define COMMIT_BATCH	"pages_commit_batch"
#define DECOMMIT_BATCH	"pages_decommit_batch"

static size_t group_of(size_t left)
{
	return left < GROUP ? left : GROUP;
}

static size_t count_good(const struct chunk_op *ops, size_t count)
{
	size_t good = 0, i;

	for (i = 0; i < count; i++)
		good += !ops[i].error;
	return good;
}

/* Get an extent; not by chunk_obtain_any() where nothing is kept, which takes longer. */
static void *obtain(size_t size, size_t alignment)
{
	bool zero = true;

	if (chunk_has_kept())
		return chunk_obtain_any(size, alignment, BORN_COMMITTED, &zero);
	return chunk_obtain(size, alignment, BORN_COMMITTED);
}

static void alloc_each(struct chunk_op *ops, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		ops[i].addr = obtain(ops[i].size, ops[i].alignment);
		ops[i].error = ops[i].addr ? 0 : ENOMEM;
	}
}

/* Give an extent back that the registry had no memory for. */
static void give_back(struct chunk_op *op)
{
	chunk_device_dealloc(op->addr, op->size, ZEROED_CHUNK);
	op->error = ENOMEM;
}

static void enlist(struct chunk_op *ops, size_t count, uintptr_t generation)
{
	bool listed[GROUP];
	size_t i;

	chunk_lock();
	for (i = 0; i < count; i++)
		listed[i] = ops[i].error ||
			    chunk_registry_add(ops[i].addr, ops[i].size,
					       generation);
	chunk_unlock();
	for (i = 0; i < count; i++) {
		if (!listed[i])
			give_back(&ops[i]);
		if (ops[i].error) {
			ops[i].addr = NULL;
			ops[i].error = ENOMEM;
		}
	}
}

/* Returns false if the device cannot, or if there is none. */
static bool alloc_by_device(struct chunk_op *ops, size_t count)
{
	uintptr_t generation;
	unsigned int tries;
	int err;

	for (tries = 0; tries < CHUNK_DEVICE_TRIES; tries++) {
		generation = chunk_device_generation();
		if (!generation)
			return false;
		err = chunk_device_batch(BATCH_ALLOC, ops, count);
		if (!err) {
			enlist(ops, count, generation);
			return true;
		}
		if (err != -ENODEV)
			return false;
		chunk_device_lost(generation);
	}
	return false;
}

/**
 * chunk_alloc_batch() - get many extents
 * @ops:   elements: @size and @alignment are given, as to chunk_alloc(); @addr and
 *         @error are set, to NULL and ENOMEM when out of memory
 * @count: number of elements
 *
 * Return: how many extents there are.
 */
size_t chunk_alloc_batch(struct chunk_op *ops, size_t count)
{
	size_t good = 0, done, group, i;
	int saved = errno;

	for (i = 0; i < count; i++) {
		const struct chunk_call call = { "chunk_alloc_batch", i };

		chunk_check_alloc(&call, ops[i].size, ops[i].alignment);
	}
	chunk_enter();
	for (done = 0; done < count; done += group) {
		group = group_of(count - done);
		/* Kept extents go first, one by one. */
		if (chunk_has_kept() ||
		    !alloc_by_device(ops + done, group))
			alloc_each(ops + done, group);
		good += count_good(ops + done, group);
	}
	errno = good == count ? saved : ENOMEM;
	return good;
}

static void dealloc_one(struct chunk_op *op, struct chunk_leaving *leaving)
{
	chunk_return_end(DEALLOC_BATCH, op->addr, op->size, op->type, leaving);
	op->error = 0;
}

/* How many elements, from the first on, are of the generation in use */
static size_t run_leaving(const struct chunk_leaving *leaving, size_t count)
{
	uintptr_t generation = atomic_load_explicit(&chunk_state.generation,
						    memory_order_relaxed);
	size_t run = 0;

	while (generation && run < count &&
	       leaving[run].generation == generation)
		run++;
	return run;
}

/* Deallocate the first elements. Returns how many, at least one. */
static size_t dealloc_run(struct chunk_op *ops, struct chunk_leaving *leaving,
			  size_t count)
{
	size_t run = run_leaving(leaving, count), i;
	int err = -EOPNOTSUPP;

	for (i = 0; i < run; i++)
		chunk_annotate_usable(ops[i].addr, ops[i].size);
	if (run)
		err = chunk_device_batch(BATCH_DEALLOC, ops, run);
	else
		run = 1;
	if (err == -ENODEV)
		chunk_device_lost(leaving->generation);
	for (i = 0; i < run; i++) {
		/* Failed elements once more, singly: each by its own error. */
		if (err || ops[i].error)
			dealloc_one(&ops[i], &leaving[i]);
	}
	return run;
}

/* Deallocate a group; @first: index of its first element in the batch */
static void dealloc_group(struct chunk_op *ops, size_t count, size_t first)
{
	struct chunk_leaving leaving[GROUP];
	size_t i;

	chunk_lock();
	for (i = 0; i < count; i++) {
		const struct chunk_call call = { DEALLOC_BATCH, first + i };

		chunk_return_begin(&call, ops[i].addr, ops[i].size, ops[i].type,
				   &leaving[i]);
	}
	chunk_unlock();
	for (i = 0; i < count;)
		i += dealloc_run(ops + i, leaving + i, count - i);
}

/**
 * chunk_dealloc_batch() - give many extents back
 * @ops:   elements: @addr, @size and @type are given, as to chunk_dealloc(); @error
 *         is set to 0
 * @count: number of elements
 */
void chunk_dealloc_batch(struct chunk_op *ops, size_t count)
{
	size_t done, group, i;
	int saved = errno;

	for (i = 0; i < count; i++) {
		const struct chunk_call call = { DEALLOC_BATCH, i };

		chunk_check_dealloc(&call, ops[i].addr, ops[i].size,
				    ops[i].type);
		chunk_explain_note(DEALLOC_BATCH, ops[i].addr, ops[i].size);
	}
	chunk_enter();
	for (done = 0; done < count; done += group) {
		group = group_of(count - done);
		dealloc_group(ops + done, group, done);
	}
	errno = saved;
}

/* The ranges of a decommit are checked already; those of a commit are here. */
static void range_one(enum chunk_batch what, struct chunk_op *op, size_t index)
{
	const struct chunk_call call = { COMMIT_BATCH, index };

	op->error = 0;
	if (what == BATCH_DECOMMIT)
		chunk_decommit_range(op->addr, op->size);
	else
		op->error = -chunk_commit_checked(&call, op->addr, op->size,
						  false);
}

/* Is all of a range from the generation in use? */
static bool is_of_device(const struct chunk_op *op)
{
	struct chunk_part part = { .at = op->addr };

	chunk_part_next(&part, (uintptr_t)op->addr + op->size);
	return part.generation && !part.lost && part.size == op->size;
}

/* Count elements that the device did; the single operation counts the others. */
static void count_ranges(enum chunk_batch what, size_t count)
{
	chunk_lock();
	if (what == BATCH_COMMIT)
		chunk_state.counts.commits += count;
	else
		chunk_state.counts.decommits += count;
	chunk_unlock();
}

/*
 * Commit or decommit the first elements; @first: index of the first in the batch.
 * Returns how many, at least one.
 */
static size_t range_run(enum chunk_batch what, struct chunk_op *ops,
			size_t count, size_t first)
{
	uintptr_t generation = chunk_device_generation();
	int err = -EOPNOTSUPP;
	size_t run = 0, i;

	while (generation && run < count && is_of_device(&ops[run]))
		run++;
	for (i = 0; i < run && what == BATCH_COMMIT; i++)
		chunk_annotate_usable(ops[i].addr, ops[i].size);
	if (run)
		err = chunk_device_batch(what, ops, run);
	else
		run = 1;
	if (err == -ENODEV)
		chunk_device_lost(generation);
	if (!err)
		count_ranges(what, count_good(ops, run));
	for (i = 0; i < run; i++) {
		if (err || ops[i].error)
			range_one(what, &ops[i], first + i);
		else if (what == BATCH_DECOMMIT)
			chunk_annotate_unusable(ops[i].addr, ops[i].size);
	}
	return run;
}

static size_t range_batch(enum chunk_batch what, struct chunk_op *ops,
			  size_t count)
{
	size_t done;

	for (done = 0; done < count;)
		done += range_run(what, ops + done, group_of(count - done),
				  done);
	return count_good(ops, count);
}

/* Check all ranges, before anything is done. */
static void check_ranges(enum chunk_batch what, const struct chunk_op *ops,
			 size_t count)
{
	struct chunk_call call = {
		.name = what == BATCH_COMMIT ? COMMIT_BATCH : DECOMMIT_BATCH,
	};

	for (; call.index < count; call.index++, ops++) {
		chunk_check_range(&call, ops->addr, ops->size, false);
		if (what == BATCH_DECOMMIT)
			chunk_check_pages(&call, ops->addr, ops->size);
		else
			chunk_may_commit(&call, ops->addr, ops->size);
	}
}

/**
 * pages_commit_batch() - make many ranges readable and writable again
 * @ops:   elements: @addr and @size are given, as to pages_commit(); @error is set
 *         to ENOMEM when out of memory, to EINVAL if it is not live, else to 0
 * @count: number of elements
 *
 * Return: how many ranges were committed.
 */
size_t pages_commit_batch(struct chunk_op *ops, size_t count)
{
	int saved = errno;
	size_t good;

	check_ranges(BATCH_COMMIT, ops, count);
	good = range_batch(BATCH_COMMIT, ops, count);
	errno = good == count ? saved : ENOMEM;
	return good;
}

/**
 * pages_decommit_batch() - free the memory of many ranges; accesses trap
 * @ops:   elements: @addr and @size are given, as to pages_decommit(); @error is
 *         set to 0
 * @count: number of elements
 */
void pages_decommit_batch(struct chunk_op *ops, size_t count)
{
	int saved = errno;
	size_t i;

	check_ranges(BATCH_DECOMMIT, ops, count);
	for (i = 0; READ_ONCE(chunk_state.note_decommits) && i < count; i++)
		chunk_note_decommit(DECOMMIT_BATCH, ops[i].addr, ops[i].size,
				    __builtin_return_address(0));
	range_batch(BATCH_DECOMMIT, ops, count);
	errno = saved;
}
