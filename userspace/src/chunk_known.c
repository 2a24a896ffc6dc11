// SPDX-License-Identifier: MIT
/*
 * Memory that libchunk has mapped for its caller and that is no chunk: from
 * pages_map(), and base chunks. Only CHUNK_OPTIONS="check:on" asks for it.
 *
 * Ranges do not overlap; adjoining ranges stay apart. After a range could not be
 * noted for lack of memory, all memory counts as known.
 */
#include <linux/rbtree.h>

#include "chunk_base.h"
#include "chunk_known.h"

/**
 * struct known - one range
 * @by_addr: link in the tree
 * @next:    link in the chain of free nodes
 * @start:   first byte
 * @last:    last byte
 */
struct known {
	union {
		struct rb_node by_addr;
		struct known *next;
	};
	uintptr_t start;
	uintptr_t last;
};

/* Protected by chunk_lock() */
static struct rb_root ranges;
static struct known *free_nodes;
static bool incomplete;

static struct known *known_at(struct rb_node *node)
{
	return node ? rb_entry(node, struct known, by_addr) : NULL;
}

/* The first range that contains an address or begins behind it */
static struct known *seek(uintptr_t addr)
{
	struct rb_node *node = ranges.rb_node;
	struct known *best = NULL;

	while (node) {
		struct known *known = known_at(node);

		if (known->last < addr) {
			node = node->rb_right;
		} else {
			best = known;
			node = node->rb_left;
		}
	}
	return best;
}

static void insert(uintptr_t start, uintptr_t last)
{
	struct rb_node **link = &ranges.rb_node, *parent = NULL;
	struct known *known = free_nodes;

	if (known)
		free_nodes = known->next;
	else
		known = chunk_base_node(sizeof(*known));
	if (!known) {
		incomplete = true;
		return;
	}
	known->start = start;
	known->last = last;
	while (*link) {
		parent = *link;
		link = start < known_at(parent)->start ? &parent->rb_left :
							 &parent->rb_right;
	}
	rb_link_node(&known->by_addr, parent, link);
	rb_insert_color(&known->by_addr, &ranges);
}

static void drop(struct known *known)
{
	rb_erase(&known->by_addr, &ranges);
	known->next = free_nodes;
	free_nodes = known;
}

static void remove_range(uintptr_t start, uintptr_t last)
{
	struct known *known;

	while ((known = seek(start)) && known->start <= last) {
		uintptr_t from = known->start, to = known->last;

		drop(known);
		if (from < start)
			insert(from, start - 1);
		if (to > last)
			insert(last + 1, to);
	}
}

/**
 * chunk_known_add() - note memory that was mapped
 * @addr: first byte
 * @size: bytes
 *
 * Replaces ranges noted there before: the program has unmapped them by itself.
 *
 * Context: chunk_lock() held.
 */
void chunk_known_add(uintptr_t addr, size_t size)
{
	remove_range(addr, addr + size - 1);
	insert(addr, addr + size - 1);
}

/**
 * chunk_known_remove() - note that memory is unmapped
 * @addr: first byte
 * @size: bytes
 *
 * Context: chunk_lock() held.
 */
void chunk_known_remove(uintptr_t addr, size_t size)
{
	remove_range(addr, addr + size - 1);
}

/**
 * chunk_known_has() - is all of a range known?
 * @addr: first byte
 * @size: bytes
 *
 * Context: chunk_lock() held.
 * Return: true if it is.
 */
bool chunk_known_has(uintptr_t addr, size_t size)
{
	uintptr_t last = addr + size - 1;
	struct known *known;

	while (!incomplete) {
		known = seek(addr);
		if (!known || known->start > addr)
			return false;
		if (known->last >= last)
			return true;
		addr = known->last + 1;
	}
	return true;
}

/**
 * chunk_known_reset() - drop all ranges, and count all memory as known
 *
 * Context: in a forked child, chunk_lock() held.
 */
void chunk_known_reset(void)
{
	ranges = RB_ROOT;
	free_nodes = NULL;
	incomplete = true;
}
