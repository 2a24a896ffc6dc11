// SPDX-License-Identifier: MIT
/*
 * Arrays with indices of any size: a tree of 64-way nodes, as high as the
 * largest index needs. A new topmost node is put above the old, so that a
 * reader who still starts at the old one finds what was there.
 *
 * An aligned run of 64, 4096, ... indices with one entry takes a single slot
 * above the lowest nodes, if no node was ever below that slot: for a node once
 * linked stays linked.
 */
#include <linux/errno.h>
#include <linux/xarray.h>

#include "../chunk_base.h"

#define SLOT_BITS	6
#define SLOTS		(1 << SLOT_BITS)

/* Marks a slot above the lowest nodes that is an entry, not a node. */
#define RUN		1

/**
 * struct xa_node - part of the tree
 * @shift: how many bits of the index the slots' subtrees distinguish; 0: the
 *         slots are entries
 * @slots: nodes or entries, these marked as RUN if @shift is not 0; or NULL
 */
struct xa_node {
	unsigned int shift;
	void *slots[SLOTS];
};

static char no_memory;

static struct xa_node *head_of(struct xarray *xa)
{
	return __atomic_load_n(&xa->head, __ATOMIC_ACQUIRE);
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

static struct xa_node *node_new(unsigned int shift)
{
	struct xa_node *node = chunk_base_node(sizeof(*node));

	if (node)
		node->shift = shift;
	return node;
}

/* The topmost node, made high enough; NULL without memory */
static struct xa_node *head_for(struct xarray *xa, uintptr_t index,
				unsigned int shift)
{
	struct xa_node *head = head_of(xa);
	struct xa_node *above;

	while (!head || beyond(head, index) || head->shift < shift) {
		above = node_new(head ? head->shift + SLOT_BITS : 0);
		if (!above)
			return NULL;
		if (head)
			above->slots[0] = head;
		__atomic_store_n(&xa->head, above, __ATOMIC_RELEASE);
		head = above;
	}
	return head;
}

static struct xa_node *node_below(struct xa_node *node, void **slot, bool make)
{
	struct xa_node *below = slot_load(slot);

	if (below || !make)
		return below;
	below = node_new(node->shift - SLOT_BITS);
	if (below)
		slot_store(slot, below);
	return below;
}

/*
 * The slot of an index in the node of a shift, or in the one above whose slot is
 * a run; *@shift is set to that node's. NULL if there is none, and none can be
 * made.
 */
static void **find_slot(struct xarray *xa, uintptr_t index,
			unsigned int *shift, bool make)
{
	struct xa_node *node = make ? head_for(xa, index, *shift) :
				      head_of(xa);
	void **slot;

	if (!node || beyond(node, index))
		return NULL;
	for (slot = slot_of(node, index); node->shift > *shift;
	     slot = slot_of(node, index)) {
		struct xa_node *below = node_below(node, slot, make);

		if (!below)
			return NULL;
		if (is_run(below))
			break;
		node = below;
	}
	*shift = node->shift;
	return slot;
}

/* Write an entry at all indices below a slot; *@slot is in a node of @shift. */
static void fill(void **slot, unsigned int shift, void *entry)
{
	struct xa_node *below = slot_load(slot);
	unsigned int i;

	if (!shift) {
		slot_store(slot, entry);
	} else if (!below || is_run(below)) {
		slot_store(slot, entry ? (char *)entry + RUN : NULL);
	} else {
		for (i = 0; i < SLOTS; i++)
			fill(&below->slots[i], shift - SLOT_BITS, entry);
	}
}

/* Write an entry at the 1 << @shift indices from @index, which is aligned. */
static bool store(struct xarray *xa, uintptr_t index, unsigned int shift,
		  void *entry)
{
	void **slot = find_slot(xa, index, &shift, entry);

	if (slot)
		fill(slot, shift, entry);
	return slot || !entry;
}

/**
 * xa_init_flags() - make an empty array
 * @xa:    the array
 * @flags: no meaning here
 */
void xa_init_flags(struct xarray *xa, gfp_t flags)
{
	(void)flags;
	xa->head = NULL;
}

/**
 * xa_destroy() - forget all entries
 * @xa: the array; its memory stays with the process
 */
void xa_destroy(struct xarray *xa)
{
	__atomic_store_n(&xa->head, NULL, __ATOMIC_RELEASE);
}

/**
 * xa_load() - read an entry
 * @xa:    the array
 * @index: any index
 *
 * Context: any, lock-free.
 * Return: the entry or NULL.
 */
void *xa_load(struct xarray *xa, uintptr_t index)
{
	unsigned int shift = 0;
	void **slot = find_slot(xa, index, &shift, false);

	return slot ? entry_of(slot_load(slot)) : NULL;
}

/**
 * xa_store() - write an entry
 * @xa:    the array
 * @index: any index; if it is in a run, all of that is written, as in the kernel
 * @entry: the entry, an even address, or NULL, which needs no memory
 * @gfp:   no meaning here
 *
 * Context: stores are serialised by the caller.
 * Return: NULL, or what xa_err() takes for -ENOMEM.
 */
void *xa_store(struct xarray *xa, uintptr_t index, void *entry, gfp_t gfp)
{
	(void)gfp;
	return store(xa, index, 0, entry) ? NULL : &no_memory;
}

/* How large a run may begin at @index and end no later than @last? */
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
 * Return: NULL, or what xa_err() takes for -ENOMEM; then some are written.
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
		if (!store(xa, index, shift, entry))
			return &no_memory;
		if (left == rest)
			return NULL;
		left -= rest + 1;
		index += rest + 1;
	}
}

/* The entry at an index, or NULL and how many bits of the index to skip */
static void *find_at(struct xarray *xa, uintptr_t index, unsigned int *shift)
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

/**
 * xa_find() - the first entry from an index on
 * @xa:     the array
 * @index:  where to start; set to where it is
 * @max:    the last index to look at
 * @filter: XA_PRESENT
 *
 * Context: any, lock-free.
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

/**
 * xa_err() - did a store fail?
 * @entry: what it returned
 *
 * Return: 0 or -ENOMEM.
 */
int xa_err(void *entry)
{
	return entry == &no_memory ? -ENOMEM : 0;
}
