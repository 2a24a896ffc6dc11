// SPDX-License-Identifier: MIT
/*
 * Arrays with indices of any size: a tree of 64-way nodes, as high as the
 * largest index needs. A new topmost node is put above the old, so that a
 * reader who still starts at the old one finds what was there.
 */
#include <linux/errno.h>
#include <linux/xarray.h>

#include "../chunk_base.h"

#define SLOT_BITS	6
#define SLOTS		(1 << SLOT_BITS)

/**
 * struct xa_node - part of the tree
 * @shift: how many bits of the index the slots' subtrees distinguish; 0: the
 *         slots are entries
 * @slots: nodes or entries, or NULL
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

/* The topmost node, made high enough for an index; NULL without memory */
static struct xa_node *head_for(struct xarray *xa, uintptr_t index)
{
	struct xa_node *head = head_of(xa);
	struct xa_node *above;

	while (!head || beyond(head, index)) {
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

/* The slot of an index; NULL if there is none, and none can be made */
static void **find_slot(struct xarray *xa, uintptr_t index, bool make)
{
	struct xa_node *node = make ? head_for(xa, index) : head_of(xa);

	if (!node || beyond(node, index))
		return NULL;
	while (node->shift) {
		void **slot = slot_of(node, index);
		struct xa_node *below = slot_load(slot);

		if (!below && make) {
			below = node_new(node->shift - SLOT_BITS);
			if (below)
				slot_store(slot, below);
		}
		if (!below)
			return NULL;
		node = below;
	}
	return slot_of(node, index);
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
	void **slot = find_slot(xa, index, false);

	return slot ? slot_load(slot) : NULL;
}

/**
 * xa_store() - write an entry
 * @xa:    the array
 * @index: any index
 * @entry: the entry, or NULL, which needs no memory
 * @gfp:   no meaning here
 *
 * Context: stores are serialised by the caller.
 * Return: the entry before, or what xa_err() takes for -ENOMEM.
 */
void *xa_store(struct xarray *xa, uintptr_t index, void *entry, gfp_t gfp)
{
	void **slot = find_slot(xa, index, entry);
	void *old;

	(void)gfp;
	if (!slot)
		return entry ? &no_memory : NULL;
	old = slot_load(slot);
	slot_store(slot, entry);
	return old;
}

/**
 * xa_store_range() - write the same entry at many indices
 * @xa:    the array
 * @first: the first index
 * @last:  the last
 * @entry: the entry, or NULL, which needs no memory
 * @gfp:   no meaning here
 *
 * Context: stores are serialised by the caller.
 * Return: NULL, or what xa_err() takes for -ENOMEM; then some are written.
 */
void *xa_store_range(struct xarray *xa, uintptr_t first, uintptr_t last,
		     void *entry, gfp_t gfp)
{
	uintptr_t index;

	for (index = first; index - first <= last - first; index++) {
		if (xa_err(xa_store(xa, index, entry, gfp)))
			return &no_memory;
	}
	return NULL;
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
void *xa_find(struct xarray *xa, unsigned long *index, uintptr_t max,
	      unsigned int filter)
{
	uintptr_t at = *index;

	(void)filter;
	while (at <= max) {
		struct xa_node *node = head_of(xa);
		void *below = node;

		if (!node || beyond(node, at))
			break;
		while (below) {
			unsigned int shift = node->shift;

			below = slot_load(slot_of(node, at));
			if (below && !shift) {
				*index = at;
				return below;
			}
			if (!below)
				at = ((at >> shift) + 1) << shift;
			node = below;
		}
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
