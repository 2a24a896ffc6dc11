// SPDX-License-Identifier: MIT
/*
 * What libchunk knows, the lock over it, and how a forked child takes it over.
 *
 * Handlers of pthread_atfork() would have to take the lock before or after those
 * of the allocator above, in the same order as the allocator itself; nobody
 * controls that order. So there are none. The lock lies in a page that the
 * kernel wipes in a child, which thus finds it free. If a thread that is not in
 * the child held it at the fork, what it protects may be half changed: the child
 * gives up what cannot be trusted, some address space without memory, and starts
 * that anew. The registry can always be read. The first call of all is no
 * different from a child's first: it finds the page wiped and sets things up.
 *
 * Where the system wipes no pages each call asks who it is, and the child's first
 * does the wiping.
 */
#include <errno.h>

#include "chunk.h"
#include "chunk_base.h"
#include "chunk_backing.h"
#include "chunk_known.h"
#include "chunk_missing.h"
#include "chunk_mutex.h"
#include "chunk_report.h"
#include "chunk_stall.h"
#include "chunk_state.h"

/* As the original: at most 6.25 % of a 32-bit address space. */
#define RECYCLE_LIMIT	((size_t)128 << 20)

/**
 * struct process - what a forked child must not inherit; zero at first
 * @lock:  over chunk_state
 * @known: false in a process that has not run any of this yet
 */
struct process {
	struct chunk_mutex lock;
	atomic_bool known;
};

struct chunk_state chunk_state;

static struct process *_Atomic process;
static struct process process_unwiped;

/* Is chunk_state set up? Is somebody at work on it? Both are not wiped. */
static atomic_bool started;
static atomic_bool busy;

/* Context: chunk_lock() held, or before anybody else can be here. */
static int device_open(void)
{
	int err = chunk_device.open();

	if (err)
		return err;
	if (chunk_state.limit != RECYCLE_LIMIT)
		chunk_device.limit(chunk_state.limit);
	chunk_backing_tell_device();
	chunk_state.generation = ++chunk_state.last_generation;
	return 0;
}

static void options_start(struct chunk_options *options)
{
	*options = (struct chunk_options) {
		.backend = BACKEND_AUTO,
		.recycle_limit = RECYCLE_LIMIT,
		.guards = true,
		.backing = GUARDED_BACKING,
		.stall = { CHUNK_STALL_ATTEMPTS, CHUNK_STALL_DELAY_MS },
	};
	chunk_options_read(options);
	chunk_stall_start(&options->stall);
	if (options->child)
		chunk_set_child(true);
}

/*
 * The device cannot give back what the system charges for its mappings. Where it
 * does so whatever they hold, mmap is the better choice.
 */
static bool wants_device(const struct chunk_options *options)
{
	if (options->backend == BACKEND_AUTO)
		return !chunk_os.caps.charges;
	return options->backend == BACKEND_DEVICE;
}

static void state_start(void)
{
	struct chunk_options *options = &chunk_state.options;
	int err;

	options_start(options);
	chunk_os.start(options->guards);
	/* A child may find the beginnings of its parent's start. */
	chunk_base_reset();
	chunk_device.close();
	chunk_state.limit = options->recycle_limit;
	chunk_state.backing = options->backing;
	chunk_tree_init(&chunk_state.recycled, chunk_state.limit);
	chunk_radix_init(&chunk_state.registry);
	chunk_decommit_map_init(&chunk_state.decommit_map);
	if (wants_device(options)) {
		err = device_open();
		if (err && options->backend == BACKEND_DEVICE)
			chunk_die_without_device(-err);
	}
	chunk_backing_start();
}

static struct chunk_extent *live_next(struct chunk_extent *extent)
{
	uintptr_t from = extent ? extent->addr + extent->size : 0;

	return chunk_radix_next(&chunk_state.registry, from, UINTPTR_MAX);
}

/* Give up a context: what is live of it stays mapped, on our account. */
static void device_close(void)
{
	struct chunk_extent *extent;

	for (extent = live_next(NULL); extent; extent = live_next(extent)) {
		if (extent->owner == (void *)chunk_state.generation)
			chunk_state.counts.mapped_bytes += extent->size;
	}
	chunk_device.close();
	chunk_state.generation = 0;
	chunk_state.reopen = true;
}

/* Counting may have been cut short, and what others had in hand is lost. */
static void recount(void)
{
	struct chunk_counts *counts = &chunk_state.counts;
	struct chunk_extent *extent;

	counts->live_bytes = 0;
	counts->live_chunks = 0;
	for (extent = live_next(NULL); extent; extent = live_next(extent)) {
		counts->live_bytes += extent->size;
		counts->live_chunks++;
	}
	counts->mapped_bytes = counts->live_bytes + chunk_state.recycled.bytes +
			       chunk_state.premap.size;
}

/* Somebody else's work was cut short by the fork. */
static void state_reset(void)
{
	chunk_tree_init(&chunk_state.recycled, chunk_state.limit);
	chunk_state.premap.size = 0;
	chunk_state.free_nodes = NULL;
	xa_recover(&chunk_state.registry.chunks);
	chunk_decommit_map_reset(&chunk_state.decommit_map);
	chunk_known_reset();
	chunk_base_reset();
}

/* In a child: what the parent's threads were doing is nobody's now. */
static void state_inherit(void)
{
	if (atomic_load_explicit(&busy, memory_order_relaxed))
		state_reset();
	if (chunk_state.generation)
		device_close();
	recount();
}

/* The child of a fork at any point must not have the work without the mark. */
static void busy_set(bool is)
{
	atomic_store_explicit(&busy, is, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

static struct process *process_get(void)
{
	return atomic_load_explicit(&process, memory_order_acquire);
}

/*
 * Who uses process_unwiped: twice the number of the process, and one more while
 * a thread is wiping it.
 */
static atomic_uint unwiped_user;

/* Several threads of a child may come here at once. */
static void wipe(void)
{
	unsigned int me, user;

	if (!chunk_os.process)
		return;
	me = 2 * chunk_os.process();
	while ((user = atomic_load_explicit(&unwiped_user,
					    memory_order_acquire)) != me) {
		if (user == me + 1 ||
		    !atomic_compare_exchange_weak(&unwiped_user, &user, me + 1))
			continue;
		atomic_store_explicit(&process_unwiped.lock.state, 0,
				      memory_order_relaxed);
		atomic_store_explicit(&process_unwiped.known, false,
				      memory_order_relaxed);
		atomic_store_explicit(&unwiped_user, me, memory_order_release);
	}
}

/* The page that is wiped in children; where there is none, one that we wipe. */
static struct process *process_make(void)
{
	struct process *none = NULL;
	struct process *p;
	size_t size;

	p = chunk_os.map_forked(&size);
	if (!p)
		p = &process_unwiped;
	if (atomic_compare_exchange_strong(&process, &none, p))
		return p;
	/* Another thread was faster. */
	if (p != &process_unwiped)
		chunk_os.unmap(p, size);
	return none;
}

/* First in this process */
static void process_start(struct process *p)
{
	chunk_mutex_lock(&p->lock);
	if (!atomic_load_explicit(&p->known, memory_order_relaxed)) {
		if (atomic_load_explicit(&started, memory_order_relaxed))
			state_inherit();
		else
			state_start();
		atomic_store_explicit(&started, true, memory_order_release);
		busy_set(false);
		atomic_store_explicit(&p->known, true, memory_order_release);
	}
	chunk_mutex_unlock(&p->lock);
}

/**
 * chunk_enter() - be ready for a call
 *
 * Context: at the beginning of every function of the API that changes anything.
 * The lock is not held.
 */
void chunk_enter(void)
{
	struct process *p = process_get();

	if (!p)
		p = process_make();
	if (p == &process_unwiped)
		wipe();
	if (!atomic_load_explicit(&p->known, memory_order_acquire))
		process_start(p);
}

/**
 * chunk_lock() - take the lock over chunk_state
 *
 * Nothing but base chunks is mapped under it, and nothing of the caller's runs.
 */
void chunk_lock(void)
{
	/* What a fork cut short must be seen before anybody else is at work. */
	chunk_enter();
	chunk_mutex_lock(&process_get()->lock);
	busy_set(true);
}

/**
 * chunk_lock_try() - take the lock over chunk_state if it is free
 *
 * Context: any, signal handlers too.
 * Return: whether it was, and libchunk is set up in this process.
 */
bool chunk_lock_try(void)
{
	struct process *p = process_get();

	/* A child may not have wiped that one yet. */
	if (!p || (p == &process_unwiped && chunk_os.process) ||
	    !atomic_load_explicit(&p->known, memory_order_acquire) ||
	    !chunk_mutex_try(&p->lock))
		return false;
	busy_set(true);
	return true;
}

/**
 * chunk_unlock() - release the lock over chunk_state
 */
void chunk_unlock(void)
{
	busy_set(false);
	chunk_mutex_unlock(&process_get()->lock);
}

/**
 * chunk_free_nodes_take() - get a node for an extent
 *
 * Context: chunk_lock() held.
 * Return: a node in no use, or NULL without memory.
 */
struct chunk_extent *chunk_free_nodes_take(void)
{
	struct chunk_extent *extent =
		chunk_free_node_pop(&chunk_state.free_nodes);

	return extent ? extent : chunk_base_node(sizeof(*extent));
}

/**
 * chunk_free_nodes_prepare() - see to it that there are spare nodes
 * @count: how many
 *
 * Context: chunk_lock() held.
 * Return: whether there are.
 */
bool chunk_free_nodes_prepare(unsigned int count)
{
	struct chunk_extent *extent;

	for (extent = chunk_state.free_nodes; extent && count; count--)
		extent = extent->next;
	for (; count; count--) {
		extent = chunk_base_node(sizeof(*extent));
		if (!extent)
			return false;
		chunk_free_node_push(&chunk_state.free_nodes, extent);
	}
	return true;
}

/**
 * chunk_count_base() - count memory for bookkeeping
 * @size: bytes newly mapped
 *
 * Context: chunk_lock() held.
 */
void chunk_count_base(size_t size)
{
	chunk_state.counts.base_bytes += size;
	chunk_state.counts.base_chunks++;
}

/**
 * chunk_device_generation() - the context of the device to use
 *
 * Opens the device again if it was lost.
 *
 * Context: chunk_enter() done, lock not held.
 * Return: its number, or 0 for none.
 */
uintptr_t chunk_device_generation(void)
{
	if (atomic_load_explicit(&chunk_state.reopen, memory_order_relaxed)) {
		chunk_lock();
		if (chunk_state.reopen && !chunk_state.generation)
			device_open();
		chunk_state.reopen = false;
		chunk_unlock();
	}
	return atomic_load_explicit(&chunk_state.generation,
				    memory_order_relaxed);
}

/**
 * chunk_device_lost() - the device said -ENODEV
 * @generation: the context that was meant
 *
 * Context: lock not held.
 */
void chunk_device_lost(uintptr_t generation)
{
	chunk_lock();
	if (chunk_state.generation == generation)
		device_close();
	chunk_unlock();
}
