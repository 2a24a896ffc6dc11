/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees with the kernel's interface, as far as the engine uses it.
 * The implementation, in ../rbtree.c, is not the kernel's.
 */
#ifndef COMPAT_LINUX_RBTREE_H
#define COMPAT_LINUX_RBTREE_H

#include <linux/compiler.h>
#include <linux/types.h>

/* A program may have functions of these names, too, and link the archive. */
#define rb_insert_color	chunk_rb_insert_color
#define rb_erase	chunk_rb_erase
#define rb_first	chunk_rb_first
#define rb_last	chunk_rb_last
#define rb_next	chunk_rb_next
#define rb_prev	chunk_rb_prev

/**
 * struct rb_node - link in a tree
 * @parent:   the node above, or NULL at the root
 * @rb_left:  subtree of the nodes before it, or NULL
 * @rb_right: subtree of the nodes after it, or NULL
 * @red:      colour
 */
struct rb_node {
	struct rb_node *parent;
	struct rb_node *rb_left;
	struct rb_node *rb_right;
	bool red;
};

/**
 * struct rb_root - a tree
 * @rb_node: the node at the root, or NULL if the tree is empty
 */
struct rb_root {
	struct rb_node *rb_node;
};

#define RB_ROOT	((struct rb_root) { NULL })

#define rb_parent(node)	((node)->parent)

#define rb_entry(node, type, member)					\
	((type *)((char *)(node) - offsetof(type, member)))

/**
 * rb_link_node() - add a node at its place, without balancing the tree
 * @node:   the new node
 * @parent: the node above, or NULL at the root
 * @link:   the empty link to put it in
 */
static inline void rb_link_node(struct rb_node *node, struct rb_node *parent,
				struct rb_node **link)
{
	node->parent = parent;
	node->rb_left = NULL;
	node->rb_right = NULL;
	node->red = true;
	*link = node;
}

void rb_insert_color(struct rb_node *node, struct rb_root *root);
void rb_erase(struct rb_node *node, struct rb_root *root);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#endif /* COMPAT_LINUX_RBTREE_H */
