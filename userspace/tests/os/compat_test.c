// SPDX-License-Identifier: MIT
/*
 * libchunk's replacements of the kernel's rbtree and xarray, compared with brute
 * force. They are linked from the archive, since the shared library does not export
 * them.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/rbtree_augmented.h>
#include <linux/xarray.h>

#include "chunk_base.h"
#include "common.h"
#include "steps.h"

#define ITEMS	300

/**
 * struct item - item of a tree under test
 * @node:    link
 * @key:     its place in the order
 * @value:   value of which the tree keeps the maximum
 * @highest: maximum over the subtree
 * @in:      whether it is in the tree
 */
struct item {
	struct rb_node node;
	unsigned int key;
	unsigned int value;
	unsigned int highest;
	bool in;
};

#define item_of(link) rb_entry(link, struct item, node)

static unsigned int max_of(unsigned int a, unsigned int b)
{
	return a > b ? a : b;
}

static bool compute(struct item *item, bool exit)
{
	struct rb_node *node = &item->node;
	unsigned int highest = item->value;

	if (node->rb_left)
		highest = max_of(highest, item_of(node->rb_left)->highest);
	if (node->rb_right)
		highest = max_of(highest, item_of(node->rb_right)->highest);
	if (exit && item->highest == highest)
		return true;
	item->highest = highest;
	return false;
}

RB_DECLARE_CALLBACKS(static, keep_highest, struct item, node, highest, compute);

static void insert(struct rb_root *root, struct item *item)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		struct item *at = item_of(*link);

		parent = *link;
		at->highest = max_of(at->highest, item->value);
		link = item->key < at->key ? &parent->rb_left :
					     &parent->rb_right;
	}
	item->highest = item->value;
	item->in = true;
	rb_link_node(&item->node, parent, link);
	rb_insert_augmented(&item->node, root, &keep_highest);
}

static void erase(struct rb_root *root, struct item *item)
{
	rb_erase_augmented(&item->node, root, &keep_highest);
	item->in = false;
}

/* Return the number of black nodes on each path to a leaf. */
static unsigned int check_subtree(const struct rb_node *node,
				  const struct rb_node *parent)
{
	unsigned int left, right, highest;

	if (!node)
		return 0;
	expect(rb_parent(node) == parent);
	expect(!node->red || (parent && !parent->red));
	left = check_subtree(node->rb_left, node);
	right = check_subtree(node->rb_right, node);
	expect_equal(left, right);
	highest = item_of(node)->highest;
	expect(!compute(item_of(node), false) &&
	       highest == item_of(node)->highest);
	return left + !node->red;
}

/* Items are ordered by their keys, which are their indices in the array. */
static void check_order(struct rb_root *root, struct item *items, size_t count)
{
	struct rb_node *forward = rb_first(root);
	struct rb_node *backward = rb_last(root);

	for (size_t i = 0; i < count; i++) {
		if (items[i].in) {
			expect(forward == &items[i].node);
			forward = rb_next(forward);
		}
		if (items[count - 1 - i].in) {
			expect(backward == &items[count - 1 - i].node);
			backward = rb_prev(backward);
		}
	}
	expect(!forward && !backward);
}

static void check_tree(struct rb_root *root, struct item *items, size_t count)
{
	check_subtree(root->rb_node, NULL);
	check_order(root, items, count);
}

static void random_tree(void)
{
	static struct item items[ITEMS];
	struct rb_root root = RB_ROOT;
	uint64_t random = random_seed();

	for (unsigned int i = 0; i < ITEMS; i++)
		items[i].key = i;
	for (unsigned int step = 0; step < rounds(20000); step++) {
		struct item *item = &items[random_below(&random, ITEMS)];

		if (item->in) {
			erase(&root, item);
		} else {
			item->value = random_below(&random, 1000);
			insert(&root, item);
		}
		check_tree(&root, items, ITEMS);
	}
}

#define FEW	6

/* Compute the @number-th permutation of FEW items. */
static void permute(unsigned int number, unsigned int order[FEW])
{
	for (unsigned int i = 0; i < FEW; i++)
		order[i] = i;
	for (unsigned int i = FEW; i > 1; i--) {
		unsigned int other = number % i, kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
		number /= i;
	}
}

static void in_and_out(const unsigned int in[FEW], const unsigned int out[FEW])
{
	struct item items[FEW];
	struct rb_root root = RB_ROOT;

	memset(items, 0, sizeof(items));
	for (unsigned int i = 0; i < FEW; i++) {
		items[i].key = i;
		items[i].value = i * 5 % FEW;
	}
	for (unsigned int i = 0; i < FEW; i++)
		insert(&root, &items[in[i]]);
	check_tree(&root, items, FEW);
	for (unsigned int i = 0; i < FEW; i++) {
		erase(&root, &items[out[i]]);
		check_tree(&root, items, FEW);
	}
	expect(!root.rb_node);
}

static void every_order(void)
{
	unsigned int in[FEW], out[FEW];

	for (unsigned int i = 0; i < 720; i++) {
		permute(i, in);
		for (unsigned int j = 0; j < 720; j++) {
			permute(j, out);
			in_and_out(in, out);
		}
	}
}

/* The tests use three windows of indices: both ends, and one between. */
#define WINDOW	(3 * 4096)
#define WINDOWS	3

static const uintptr_t windows[WINDOWS] = {
	0, (uintptr_t)1 << 20, ~(uintptr_t)0 - WINDOW + 1,
};

static uint64_t entries[64];

/**
 * struct model - an array and its expected contents
 * @array: the array
 * @entry: expected entry for each index of the windows
 */
struct model {
	struct xarray array;
	void *entry[WINDOWS][WINDOW];
};

/**
 * struct run - indices that are written at once
 * @window: number of their window
 * @from:   first index in it
 * @to:     index after the last
 * @entry:  entry to write; may be NULL: to erase
 */
struct run {
	unsigned int window;
	size_t from;
	size_t to;
	void *entry;
};

/* Set @run to all indices that were stored together with its first. */
static void find_stored(const struct model *model, struct run *run)
{
	void *const *entry = model->entry[run->window];
	void *old = entry[run->from];

	run->entry = NULL;
	run->to = run->from + 1;
	while (run->from && entry[run->from - 1] == old)
		run->from--;
	while (run->to < WINDOW && entry[run->to] == old)
		run->to++;
}

/* Set @run to free indices; to none if the new entry would adjoin an equal one. */
static void find_free(const struct model *model, struct run *run,
		      uint64_t *random)
{
	size_t length = 1 + random_below(random, 1 + random_below(random, 9000));
	void *const *entry = model->entry[run->window];

	run->entry = &entries[random_below(random, TAP_COUNT(entries))];
	if (random_below(random, 2))
		run->from &= ~(size_t)(random_below(random, 2) ? 63 : 4095);
	for (run->to = run->from; run->to < WINDOW && !entry[run->to] &&
	     run->to - run->from < length;)
		run->to++;
	if ((run->from && entry[run->from - 1] == run->entry) ||
	    (run->to < WINDOW && entry[run->to] == run->entry))
		run->to = run->from;
}

/* Like the engine, erase exactly the indices that were stored at once. */
static void store_or_erase(struct model *model, uint64_t *random)
{
	struct run run = {
		.window = random_below(random, WINDOWS),
		.from = random_below(random, WINDOW),
	};
	uintptr_t first;
	void *result;

	if (model->entry[run.window][run.from])
		find_stored(model, &run);
	else
		find_free(model, &run, random);
	if (run.from == run.to)
		return;
	first = windows[run.window] + run.from;
	if (run.to - run.from == 1)
		result = xa_store(&model->array, first, run.entry, 0);
	else
		result = xa_store_range(&model->array, first,
					first + (run.to - run.from - 1),
					run.entry, 0);
	expect(!xa_err(result));
	for (; run.from < run.to; run.from++)
		model->entry[run.window][run.from] = run.entry;
}

static void check_loads(struct model *model, unsigned int window)
{
	for (size_t i = 0; i < WINDOW; i++)
		expect(xa_load(&model->array, windows[window] + i) ==
		       model->entry[window][i]);
}

/* A search from any index finds the next entry. */
static void check_finds(struct model *model, unsigned int window)
{
	size_t next = WINDOW;

	for (size_t i = WINDOW; i--; ) {
		unsigned long at = windows[window] + i;
		void *found;

		if (model->entry[window][i])
			next = i;
		if (i % 61)
			continue;
		found = xa_find(&model->array, &at,
				windows[window] + WINDOW - 1, XA_PRESENT);
		expect(!found == (next == WINDOW));
		if (found)
			expect(at == windows[window] + next &&
			       found == model->entry[window][next]);
	}
}

static void check_array(struct model *model)
{
	for (unsigned int window = 0; window < WINDOWS; window++) {
		check_loads(model, window);
		check_finds(model, window);
	}
}

static void random_array(void)
{
	static struct model model;
	uint64_t random = random_seed();

	chunks_init();
	xa_init_flags(&model.array, 0);
	check_array(&model);
	for (unsigned int step = 0; step < rounds(4000); step++) {
		store_or_erase(&model, &random);
		if (step % 40 == 0)
			check_array(&model);
	}
}

/* One entry over a whole address space takes hardly any memory. */
static void wide_run(void)
{
	struct xarray array;
	uintptr_t last = ~(uintptr_t)0 >> 4;
	uint64_t before;

	xa_init_flags(&array, 0);
	before = stats_now().base_bytes;
	expect(!xa_err(xa_store_range(&array, 64, last - 1, entries, 0)));
	expect(stats_now().base_bytes - before <= MIB);
	expect(!xa_load(&array, 63) && !xa_load(&array, last));
	expect(xa_load(&array, 64) == entries);
	expect(xa_load(&array, last - 1) == entries);
	expect(xa_load(&array, last / 3) == entries);
	expect(!xa_err(xa_store_range(&array, 64, last - 1, NULL, 0)));
	expect(!xa_load(&array, 64) && !xa_load(&array, last / 3));
}

/* Only the first entry at a place takes memory. */
static void nothing_grows(void)
{
	struct xarray array;
	uint64_t before;

	xa_init_flags(&array, 0);
	expect(!xa_err(xa_store(&array, 64, entries, 0)));
	before = stats_now().base_bytes;
	for (uintptr_t i = 0; i < 100000; i++) {
		expect(!xa_load(&array, i << 20 | 1));
		expect(!xa_err(xa_store(&array, i << 20 | 1, NULL, 0)));
		expect(!xa_err(xa_store_range(&array, 64, 127, NULL, 0)));
		expect(!xa_err(xa_store(&array, 64 + i % 64, entries, 0)));
		expect(!xa_err(xa_store(&array, 64 + i % 64, NULL, 0)));
		expect(!xa_err(xa_store_range(&array, 64, 127, entries, 0)));
	}
	expect_equal(stats_now().base_bytes, before);
}

static struct xarray shared;
static atomic_int reading = 2;

/* Return the entry that belongs to an index of the shared array. */
static void *entry_at(uintptr_t i)
{
	return &entries[i % TAP_COUNT(entries)];
}

static void *read_all(void *arg)
{
	unsigned long *seen = arg;

	for (unsigned int round = 0; round < rounds(2000) || !*seen; round++) {
		for (uintptr_t i = 0; i < 256; i++) {
			void *entry = xa_load(&shared, i << 14 | (i & 63));

			expect(!entry || entry == entry_at(i));
			*seen += !!entry;
		}
	}
	atomic_fetch_sub(&reading, 1);
	return NULL;
}

/* While a writer changes and grows the array, readers see the entry or nothing. */
static void readers(void)
{
	unsigned long seen[2] = { 0 };
	pthread_t threads[2];

	chunks_init();
	for (int i = 0; i < 2; i++)
		expect(!pthread_create(&threads[i], NULL, read_all, &seen[i]));
	for (uintptr_t step = 0; atomic_load(&reading); step++) {
		uintptr_t i = step * 7 % 256, first = i << 14;
		void *entry = step / 256 % 2 ? NULL : entry_at(i);

		expect(!xa_err(xa_store_range(&shared, first, first + 63, entry,
					      0)));
	}
	for (int i = 0; i < 2; i++)
		expect(!pthread_join(threads[i], NULL));
	tap_note("entries seen: %lu, %lu", seen[0], seen[1]);
	expect(seen[0] + seen[1]);
}

/* Freed nodes are reused, so memory does not grow with the number of writes. */
static void places_change(void)
{
	static struct xarray array;
	uint64_t before = 0;

	chunks_init();
	xa_init_flags(&array, 0);
	for (uintptr_t i = 0; i < 20000; i++) {
		uintptr_t at = i << 13 ^ i * 77;

		if (i == 2000)
			before = stats_now().base_bytes;
		expect(!xa_err(xa_store_range(&array, at, at + 65 + i % 700,
					      entries, 0)));
		expect(xa_load(&array, at) == entries);
		expect(!xa_err(xa_store_range(&array, at, at + 65 + i % 700,
					      NULL, 0)));
		expect(!xa_load(&array, at) && !xa_load(&array, at + 64));
	}
	expect_equal(stats_now().base_bytes, before);
}

#ifdef HAS_STEPS
/* Indices for single steps: the lowest node of one can serve the other. */
#define HERE	((uintptr_t)5 << 18 | 7)
#define THERE	((uintptr_t)9 << 18 | 7)

static struct xarray stepped;
static unsigned int step_at, step_now;

/* Before some instruction of a reader, erase the entry and store another one. */
static void change_places(int number)
{
	(void)number;
	if (++step_now != step_at)
		return;
	expect(!xa_err(xa_store(&stepped, HERE, NULL, 0)));
	expect(!xa_err(xa_store(&stepped, THERE, &entries[1], 0)));
}

/* An interrupted reader never takes another index's entry for its own. */
static void interrupted_reader(void)
{
	unsigned int found = 0;

	chunks_init();
	expect(signal(SIGTRAP, change_places) != SIG_ERR);
	do {
		void *entry;

		xa_init_flags(&stepped, 0);
		expect(!xa_err(xa_store(&stepped, HERE, &entries[0], 0)));
		step_at++;
		step_now = 0;
		steps_begin();
		entry = xa_load(&stepped, HERE);
		steps_end();
		expect(!entry || entry == &entries[0]);
		found += !!entry;
	} while (step_now >= step_at);
	tap_note("interrupted at %u instructions; it found something %u times",
		 step_at - 1, found);
	/* Emulators do not trap. */
	expect(getenv("TAP_UNDER") || (step_at > 10 && found < step_at));
}

/* Store all entries of a node, and erase all but one. */
static void use_node(uintptr_t stays)
{
	uintptr_t first = HERE & ~(uintptr_t)63;

	for (uintptr_t i = 0; i < 64; i++)
		expect(!xa_err(xa_store(&stepped, first + i, &entries[i], 0)));
	for (uintptr_t i = 0; i < 64; i++)
		if (first + i != stays)
			expect(!xa_err(xa_store(&stepped, first + i, NULL, 0)));
	expect(xa_load(&stepped, stays) == &entries[stays - first]);
	expect(!xa_err(xa_store(&stepped, stays, NULL, 0)));
}

/* Before each instruction of a writer, fork a child that uses the array. */
static void fork_here(int number)
{
	int status;
	pid_t child;

	(void)number;
	step_now++;
	child = fork();
	expect(child >= 0);
	if (!child) {
		xa_recover(&stepped);
		expect(xa_load(&stepped, THERE) == &entries[1]);
		use_node(HERE);
		use_node(HERE + 1);
		expect(xa_load(&stepped, THERE) == &entries[1]);
		expect(!xa_load(&stepped, HERE));
		_exit(0);
	}
	expect(waitpid(child, &status, 0) == child && !status);
}

static void interrupted_writer(void)
{
	chunks_init();
	expect(signal(SIGTRAP, fork_here) != SIG_ERR);
	xa_init_flags(&stepped, 0);
	expect(!xa_err(xa_store(&stepped, THERE, &entries[1], 0)));
	steps_begin();
	xa_store(&stepped, HERE, &entries[7], 0);
	xa_store(&stepped, HERE + 1, &entries[8], 0);
	xa_store(&stepped, HERE, NULL, 0);
	xa_store(&stepped, HERE + 1, NULL, 0);
	xa_store(&stepped, HERE, &entries[7], 0);
	steps_end();
	tap_note("forked at %u instructions", step_now);
	expect(getenv("TAP_UNDER") || step_now > 100);
}
#endif

static void set_address_space(rlim_t bytes)
{
	struct rlimit limit;

	expect(!getrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	expect(!setrlimit(RLIMIT_AS, &limit));
}

static void out_of_memory(void)
{
	struct xarray array;
	uintptr_t stored = 0, i;

	need_limit(RLIMIT_AS);
	chunks_init();
	xa_init_flags(&array, 0);
	/* The first chunk for nodes is mapped, and no other can be. */
	expect(!xa_err(xa_store(&array, 0, entries, 0)));
	set_address_space(MIB);
	while (!xa_err(xa_store(&array, stored << 18, entries, 0)))
		stored++;
	tap_note("%lu stores before there was no memory", (unsigned long)stored);
	expect(stored > 10);
	expect(xa_err(xa_store(&array, stored << 18, entries, 0)) == -ENOMEM);
	i = (stored + 1) << 18;
	expect(xa_err(xa_store_range(&array, i, i + 70, entries, 0)) == -ENOMEM);
	for (i = 0; i < stored; i++)
		expect(xa_load(&array, i << 18) == entries);
	/* Erasing takes no memory, whether or not there is an entry. */
	for (i = 0; i < stored + 100; i++) {
		expect(!xa_err(xa_store(&array, i << 18, NULL, 0)));
		expect(!xa_load(&array, i << 18));
	}
	set_address_space(RLIM_INFINITY);
	expect(!xa_err(xa_store(&array, stored << 18, entries, 0)));
	expect(xa_load(&array, stored << 18) == entries);
}

static const struct tap_case cases[] = {
	{ "rbtree: every order of inserting and erasing six", every_order },
	{ "rbtree: at random, balanced and in order", random_tree },
	{ "xarray: at random, at both ends of all indices", random_array },
	{ "xarray: a run of any length takes a few slots", wide_run },
	{ "xarray: only the first entry at a place takes memory",
	  nothing_grows },
	{ "xarray: readers while it is written and grows", readers },
	{ "xarray: places change for ever", places_change },
#ifdef HAS_STEPS
	{ "xarray: a reader interrupted at each instruction",
	  interrupted_reader },
	{ "xarray: a writer cut short at each instruction",
	  interrupted_writer },
#endif
	{ "xarray: out of memory", out_of_memory },
};

const struct tap_suite tap_suite = {
	.about = "Tests the kernel's trees and arrays, for user space",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
