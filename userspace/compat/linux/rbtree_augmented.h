/* SPDX-License-Identifier: MIT */
/* Red-black trees whose nodes each keep a value that sums up their subtree. */
#ifndef COMPAT_LINUX_RBTREE_AUGMENTED_H
#define COMPAT_LINUX_RBTREE_AUGMENTED_H

#include <linux/rbtree.h>

/* A program may have functions of these names, too, and link the archive. */
#define rb_insert_augmented	chunk_rb_insert_augmented
#define rb_erase_augmented	chunk_rb_erase_augmented

/**
 * struct rb_augment_callbacks - functions that keep the values of subtrees
 * @propagate: recompute from a node upwards, until @stop or until nothing
 *             changes
 * @copy:      one node takes another's place
 * @rotate:    @new takes the place of @old, which becomes its child
 */
struct rb_augment_callbacks {
	void (*propagate)(struct rb_node *node, struct rb_node *stop);
	void (*copy)(struct rb_node *old, struct rb_node *new);
	void (*rotate)(struct rb_node *old, struct rb_node *new);
};

void rb_insert_augmented(struct rb_node *node, struct rb_root *root,
			 const struct rb_augment_callbacks *callbacks);
void rb_erase_augmented(struct rb_node *node, struct rb_root *root,
			const struct rb_augment_callbacks *callbacks);

/*
 * Define @name, the callbacks for the value @value of @type, whose node is @field.
 * @compute(entry, true) recomputes the value from the children and returns true if
 * it has not changed.
 */
#define RB_DECLARE_CALLBACKS(storage, name, type, field, value, compute)   \
static void name##_propagate(struct rb_node *node, struct rb_node *stop)  \
{									   \
	while (node != stop && !compute(rb_entry(node, type, field), true)) \
		node = rb_parent(node);					   \
}									   \
									   \
static void name##_copy(struct rb_node *old, struct rb_node *new)	   \
{									   \
	rb_entry(new, type, field)->value =				   \
		rb_entry(old, type, field)->value;			   \
}									   \
									   \
static void name##_rotate(struct rb_node *old, struct rb_node *new)	   \
{									   \
	name##_copy(old, new);						   \
	compute(rb_entry(old, type, field), false);			   \
}									   \
									   \
storage const struct rb_augment_callbacks name = {			   \
	.propagate = name##_propagate,					   \
	.copy = name##_copy,						   \
	.rotate = name##_rotate,					   \
}

#endif /* COMPAT_LINUX_RBTREE_AUGMENTED_H */
