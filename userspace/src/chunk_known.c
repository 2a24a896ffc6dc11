// SPDX-License-Identifier: MIT
/*
 * With CHUNK_OPTIONS="check:on": memory from pages_map(), and the caller's own
 * bookkeeping. Ranges do not overlap; those that adjoin stay as they are. Where
 * there was no memory to note one, everything counts as known.
 */
#include "chunk_base.h"
#include "chunk_known.h"
#include "chunk_state.h"

/**
 * struct known - one range
 * @by_addr: link in the tree
 * @next:    in the chain of those in no use
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

/* chunk_lock() */
static struct rb_root ranges;
static struct known *spares;
static bool incomplete;

static struct known *known_at(struct rb_node *node)
{
	return node ? rb_entry(node, struct known, by_addr) : NULL;
}

/* The first range that contains an address or lies behind it */
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
	struct known *known = spares;

	if (known)
		spares = known->next;
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
	known->next = spares;
	spares = known;
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
 * What was noted there before has been unmapped by somebody else.
 */
void chunk_known_add(void *addr, size_t size)
{
	uintptr_t start = (uintptr_t)addr;

	if (!chunk_state.options.check)
		return;
	chunk_lock();
	remove_range(start, start + size - 1);
	insert(start, start + size - 1);
	chunk_unlock();
}

/**
 * chunk_known_remove() - note that memory is unmapped
 * @addr: first byte
 * @size: bytes
 */
void chunk_known_remove(void *addr, size_t size)
{
	if (!chunk_state.options.check)
		return;
	chunk_lock();
	remove_range((uintptr_t)addr, (uintptr_t)addr + size - 1);
	chunk_unlock();
}

/**
 * chunk_known_has() - is all of a range known?
 * @addr: first byte
 * @size: bytes
 *
 * Context: chunk_lock() held.
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
 * chunk_known_reset() - give up what may be half changed
 *
 * Context: in a forked child, chunk_lock() held.
 */
void chunk_known_reset(void)
{
	ranges = RB_ROOT;
	spares = NULL;
	incomplete = true;
}
