// SPDX-License-Identifier: MIT
/*
 * Arrays with indices of any size: a tree of 64-way nodes, as high as the
 * largest index needs. A new topmost node is put above the old, so that a
 * reader who still starts at the old one finds what was there.
 *
 * An aligned run of 64, 4096, ... indices with one entry takes a single slot
 * above the lowest nodes, if no node is below that slot.
 *
 * A node that becomes empty leaves the tree and is kept for reuse at the same
 * height. Readers take no lock, so a reader may still be in it. That is safe:
 *
 * - The memory of a node stays a node, and its height stays the same. A reader
 *   that is led astray therefore takes no more steps than others, and reads
 *   nothing but slots.
 * - A node leaves in four steps: its slots are all NULL; its link is cut; the
 *   array's generation is counted up; the node may be used again. A reader notes
 *   the generation, walks, and walks again if it has changed. An entry or a link
 *   in the node's next use is stored after the generation was counted up; each
 *   load acquires what each store releases, so a reader that has seen it sees the
 *   new generation, too. A reader that noted the new generation at the beginning
 *   sees that the link is cut, and never comes to the node by it.
 * - A reader that finds NULL in such a node gives the answer that was true when
 *   the node left.
 * - No reader waits: it walks again only when a node has left in between. In a
 *   signal handler that interrupts the writer, none leaves, since there is one
 *   writer at a time.
 */
#include <linux/errno.h>
#include <linux/xarray.h>

#include "chunk_base.h"

#define SLOT_BITS	6
#define SLOTS		(1 << SLOT_BITS)

/* Marks a slot above the lowest nodes that holds an entry, not a node */
#define RUN		1

/**
 * struct xa_node - part of the tree
 * @shift:  bits of the index that the slots' subtrees distinguish; 0: the slots
 *          are entries. Constant, also when the node is used again
 * @used:   number of slots that are not NULL; for writers
 * @parent: the node above, NULL for the topmost; in a free node the next one. For
 *          writers
 * @slots:  nodes; entries, marked with RUN if @shift is not 0; or NULL
 */
struct xa_node {
	unsigned int shift;
	unsigned int used;
	struct xa_node *parent;
	void *slots[SLOTS];
};

static char no_memory;

static struct xa_node *head_of(struct xarray *xa)
{
	return __atomic_load_n(&xa->head, __ATOMIC_ACQUIRE);
}

static uintptr_t generation_of(struct xarray *xa)
{
	return __atomic_load_n(&xa->generation, __ATOMIC_ACQUIRE);
}

static void **slot_of(struct xa_node *node, uintptr_t index)
{
	return &node->slots[(index >> node->shift) % SLOTS];
}

static void *slot_load(void **slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static void slot_store(void **slot, void *value)
{
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

/* As slot_store(), keeping the node's count of used slots */
static void slot_set(struct xa_node *node, void **slot, void *value)
{
	node->used += !!value;
	node->used -= !!*slot;
	slot_store(slot, value);
}

static bool is_run(const void *value)
{
	return (uintptr_t)value & RUN;
}

static void *entry_of(void *value)
{
	return (void *)((uintptr_t)value & ~(uintptr_t)RUN);
}

/* Is the index too large for the tree below this node? */
static bool beyond(const struct xa_node *node, uintptr_t index)
{
	unsigned int bits = node->shift + SLOT_BITS;

	return bits < sizeof(index) * 8 && index >> bits;
}

/* Get a node without entries, in no tree; NULL without memory. */
static struct xa_node *node_new(struct xarray *xa, unsigned int shift)
{
	struct xa_node **free = &xa->free_nodes[shift / SLOT_BITS];
	struct xa_node *node = *free;

	if (node) {
		*free = node->parent;
		node->parent = NULL;
		return node;
	}
	node = chunk_base_node(sizeof(*node));
	if (node)
		node->shift = shift;
	return node;
}

/* Keep an empty node that has left the tree for reuse. */
static void node_free(struct xarray *xa, struct xa_node *node)
{
	struct xa_node **free = &xa->free_nodes[node->shift / SLOT_BITS];

	/* To be counted up before the node is used again: see above. */
	__atomic_store_n(&xa->generation, xa->generation + 1, __ATOMIC_RELEASE);
	node->parent = *free;
	*free = node;
}

/* Take nodes without entries out of the tree, from this one upwards. */
static void prune(struct xarray *xa, struct xa_node *node, uintptr_t index)
{
	struct xa_node *parent;

	for (; !node->used && node->parent; node = parent) {
		parent = node->parent;
		slot_set(parent, slot_of(parent, index), NULL);
		node_free(xa, node);
	}
}

/* Get the topmost node, made high enough; NULL without memory. */
static struct xa_node *head_for(struct xarray *xa, uintptr_t index,
				unsigned int shift)
{
	struct xa_node *head = head_of(xa);
	struct xa_node *above;

	while (!head || beyond(head, index) || head->shift < shift) {
		above = node_new(xa, head ? head->shift + SLOT_BITS : 0);
		if (!above)
			return NULL;
		if (head) {
			slot_set(above, &above->slots[0], head);
			head->parent = above;
		}
		__atomic_store_n(&xa->head, above, __ATOMIC_RELEASE);
		head = above;
	}
	return head;
}

/* Get the node below a slot, made if @make says so; NULL if there is none. */
static struct xa_node *node_below(struct xarray *xa, struct xa_node *node,
				  void **slot, bool make)
{
	struct xa_node *below = slot_load(slot);

	if (below || !make)
		return below;
	below = node_new(xa, node->shift - SLOT_BITS);
	if (!below)
		return NULL;
	below->parent = node;
	slot_set(node, slot, below);
	return below;
}

/**
 * struct place - the position of an index
 * @node: the node of the shift asked for, or one above it whose slot is a run, or
 *        else the lowest node on the path; NULL if the path has no node
 * @full: @node is one of the first two
 */
struct place {
	struct xa_node *node;
	bool full;
};

/* Go down to a node of @shift, making nodes if @make says so. For writers. */
static struct place find_place(struct xarray *xa, uintptr_t index,
			       unsigned int shift, bool make)
{
	struct place place = {
		.node = make ? head_for(xa, index, shift) : head_of(xa),
	};
	struct xa_node *below;

	if (!place.node || beyond(place.node, index))
		return (struct place) { NULL, false };
	while (place.node->shift > shift) {
		below = node_below(xa, place.node,
				   slot_of(place.node, index), make);
		if (!below)
			return place;
		if (is_run(below))
			break;
		place.node = below;
	}
	place.full = true;
	return place;
}

/* Write an entry at all indices below a slot of a node. */
static void fill(struct xarray *xa, struct xa_node *node, void **slot,
		 void *entry)
{
	struct xa_node *below = slot_load(slot);
	unsigned int i;

	if (!node->shift) {
		slot_set(node, slot, entry);
	} else if (!below || is_run(below)) {
		slot_set(node, slot, entry ? (char *)entry + RUN : NULL);
	} else {
		for (i = 0; i < SLOTS; i++)
			fill(xa, below, &below->slots[i], entry);
		if (entry)
			return;
		slot_set(node, slot, NULL);
		node_free(xa, below);
	}
}

/* As fill() for @count slots of one of the lowest nodes. */
static void fill_lowest(struct xa_node *node, void **slot, unsigned int count,
			void *entry)
{
	unsigned int used = count == SLOTS ? node->used : 0, i;

	/* Mostly all slots are free, or all are used: then no count is needed. */
	for (i = 0; node->used > used && i < count; i++)
		used += !!slot[i];
	for (i = 0; i < count; i++)
		slot_store(&slot[i], entry);
	node->used += (entry ? count : 0) - used;
}

/*
 * Write an entry at @count times 1 << @shift indices from @index, which is
 * aligned; @count can be more than 1 if @shift is 0 and all are in one node.
 */
static bool store(struct xarray *xa, uintptr_t index, unsigned int shift,
		  unsigned int count, void *entry)
{
	struct place place = find_place(xa, index, shift, entry);

	if (place.full && !place.node->shift)
		fill_lowest(place.node, slot_of(place.node, index), count,
			    entry);
	else if (place.full)
		fill(xa, place.node, slot_of(place.node, index), entry);
	if (place.node)
		prune(xa, place.node, index);
	return place.full || !entry;
}

/**
 * xa_init_flags() - make an empty array
 * @xa:    the array
 * @flags: no meaning here
 *
 * Context: nobody else uses the array.
 */
void xa_init_flags(struct xarray *xa, gfp_t flags)
{
	(void)flags;
	*xa = (struct xarray) { 0 };
}

/**
 * xa_destroy() - drop all entries
 * @xa: the array; its memory stays with the process
 *
 * Context: nobody else stores.
 */
void xa_destroy(struct xarray *xa)
{
	__atomic_store_n(&xa->head, NULL, __ATOMIC_RELEASE);
}

/* The entry at an index; if NULL, *@shift bits of the index lead to no entry. */
static void *walk(struct xarray *xa, uintptr_t index, unsigned int *shift)
{
	struct xa_node *node = head_of(xa);
	void *value = node;

	*shift = sizeof(index) * 8;
	if (!node || beyond(node, index))
		return NULL;
	do {
		node = value;
		*shift = node->shift;
		value = slot_load(slot_of(node, index));
	} while (value && node->shift && !is_run(value));
	return entry_of(value);
}

/* The same, repeated if a node left the tree meanwhile */
static void *find_at(struct xarray *xa, uintptr_t index, unsigned int *shift)
{
	uintptr_t generation, before;
	void *entry;

	generation = generation_of(xa);
	do {
		before = generation;
		entry = walk(xa, index, shift);
		generation = generation_of(xa);
	} while (generation != before);
	return entry;
}

/**
 * xa_load() - read an entry
 * @xa:    the array
 * @index: any index
 *
 * Context: any; takes no lock.
 * Return: the entry or NULL.
 */
void *xa_load(struct xarray *xa, uintptr_t index)
{
	unsigned int shift;

	return find_at(xa, index, &shift);
}

/**
 * xa_store() - write an entry
 * @xa:    the array
 * @index: any index; if it is in a run, the whole run is written, as in the kernel
 * @entry: the entry, an even address, or NULL, which needs no memory
 * @gfp:   no meaning here
 *
 * Context: stores are serialised by the caller.
 * Return: NULL, or an entry that is -ENOMEM to xa_err().
 */
void *xa_store(struct xarray *xa, uintptr_t index, void *entry, gfp_t gfp)
{
	(void)gfp;
	return store(xa, index, 0, 1, entry) ? NULL : &no_memory;
}

/* The shift of the largest run that begins at @index and ends by @last */
static unsigned int run_shift(uintptr_t index, uintptr_t last)
{
	unsigned int shift = 0, next;

	for (next = SLOT_BITS; next < sizeof(index) * 8; next += SLOT_BITS) {
		uintptr_t rest = ((uintptr_t)1 << next) - 1;

		if (index & rest || last - index < rest)
			break;
		shift = next;
	}
	return shift;
}

/**
 * xa_store_range() - write the same entry at many indices
 * @xa:    the array
 * @first: the first index
 * @last:  the last
 * @entry: the entry, an even address, or NULL, which needs no memory
 * @gfp:   no meaning here
 *
 * Context: stores are serialised by the caller.
 * Return: NULL, or an entry that is -ENOMEM to xa_err(); then some are written.
 */
void *xa_store_range(struct xarray *xa, uintptr_t first, uintptr_t last,
		     void *entry, gfp_t gfp)
{
	uintptr_t left = last - first;
	uintptr_t index = first, rest;
	unsigned int shift;

	(void)gfp;
	for (;;) {
		shift = run_shift(index, last);
		rest = ((uintptr_t)1 << shift) - 1;
		/* Single ones, as many as are in the same node */
		if (!shift)
			rest = (~index & (SLOTS - 1)) < left ?
			       (~index & (SLOTS - 1)) : left;
		if (!store(xa, index, shift, shift ? 1 : rest + 1, entry))
			return &no_memory;
		if (left == rest)
			return NULL;
		left -= rest + 1;
		index += rest + 1;
	}
}

/**
 * xa_find() - find the first entry from an index on
 * @xa:     the array
 * @index:  first index to look at; set to that of the entry
 * @max:    the last index to look at
 * @filter: XA_PRESENT
 *
 * Context: any; takes no lock.
 * Return: the entry or NULL.
 */
void *xa_find(struct xarray *xa, uintptr_t *index, uintptr_t max,
	      unsigned int filter)
{
	uintptr_t at = *index, skip;
	unsigned int shift;
	void *entry;

	(void)filter;
	while (at <= max) {
		entry = find_at(xa, at, &shift);
		if (entry) {
			*index = at;
			return entry;
		}
		if (shift == sizeof(at) * 8)
			break;
		skip = (uintptr_t)1 << shift;
		at = (at & ~(skip - 1)) + skip;
		if (!at) /* past the largest index */
			break;
	}
	return NULL;
}

/* Count the used slots below a node anew. Empty nodes leave the tree. */
static void recount(struct xarray *xa, struct xa_node *node)
{
	unsigned int used = 0, i;

	for (i = 0; i < SLOTS; i++) {
		struct xa_node *below = slot_load(&node->slots[i]);

		if (below && node->shift && !is_run(below)) {
			below->parent = node;
			recount(xa, below);
			if (!below->used) {
				slot_store(&node->slots[i], NULL);
				node_free(xa, below);
				continue;
			}
		}
		used += !!below;
	}
	node->used = used;
}

/**
 * xa_recover() - make an array fit for stores again
 * @xa: the array, in which a store may have been cut short
 *
 * For a child that was forked during a store; the kernel has no such function.
 * Entries stay; nodes that were in no tree at that time are given up.
 *
 * Context: nobody else stores.
 */
void xa_recover(struct xarray *xa)
{
	unsigned int i;

	for (i = 0; i < XA_LEVELS; i++)
		xa->free_nodes[i] = NULL;
	if (xa->head) {
		xa->head->parent = NULL;
		recount(xa, xa->head);
	}
}

/**
 * xa_err() - did a store fail?
 * @entry: result of xa_store() or xa_store_range()
 *
 * Return: 0 or -ENOMEM.
 */
int xa_err(void *entry)
{
	return entry == &no_memory ? -ENOMEM : 0;
}
