// SPDX-License-Identifier: MIT
/*
 * Red-black trees: no red node has a red child, and all paths from a node down to a
 * missing child have the same number of black nodes. A missing child counts as
 * black.
 */
#include <linux/rbtree_augmented.h>

static void no_propagate(struct rb_node *node, struct rb_node *stop)
{
	(void)node;
	(void)stop;
}

static void no_copy(struct rb_node *old, struct rb_node *new)
{
	(void)old;
	(void)new;
}

static const struct rb_augment_callbacks no_callbacks = {
	.propagate = no_propagate,
	.copy = no_copy,
	.rotate = no_copy,
};

static bool is_red(const struct rb_node *node)
{
	return node && node->red;
}

/* The link of the tree to a node */
static struct rb_node **link_of(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent = node->parent;

	if (!parent)
		return &root->rb_node;
	return parent->rb_left == node ? &parent->rb_left : &parent->rb_right;
}

/* Put @child, which may be missing, in the place of @node. */
static void replace(struct rb_node *node, struct rb_node *child,
		    struct rb_root *root)
{
	*link_of(node, root) = child;
	if (child)
		child->parent = node->parent;
}

/* @node goes down on one side and its child on the other takes its place. */
static void rotate(struct rb_node *node, bool to_left, struct rb_root *root,
		   const struct rb_augment_callbacks *callbacks)
{
	struct rb_node *up = to_left ? node->rb_right : node->rb_left;
	struct rb_node *inner = to_left ? up->rb_left : up->rb_right;

	replace(node, up, root);
	if (to_left) {
		up->rb_left = node;
		node->rb_right = inner;
	} else {
		up->rb_right = node;
		node->rb_left = inner;
	}
	node->parent = up;
	if (inner)
		inner->parent = node;
	callbacks->rotate(node, up);
}

/**
 * rb_insert_augmented() - balance a tree after rb_link_node()
 * @node:      the new node; values on the path to it are up to date
 * @root:      the tree
 * @callbacks: functions that keep the values of subtrees
 */
void rb_insert_augmented(struct rb_node *node, struct rb_root *root,
			 const struct rb_augment_callbacks *callbacks)
{
	struct rb_node *parent, *grand, *uncle;

	while (is_red(parent = node->parent)) {
		bool left;

		/* The root is black, so a red node has a parent. */
		grand = parent->parent;
		left = parent == grand->rb_left;
		uncle = left ? grand->rb_right : grand->rb_left;
		if (is_red(uncle)) {
			parent->red = false;
			uncle->red = false;
			grand->red = true;
			node = grand;
			continue;
		}
		if (node == (left ? parent->rb_right : parent->rb_left)) {
			rotate(parent, left, root, callbacks);
			parent = node;
		}
		parent->red = false;
		grand->red = true;
		rotate(grand, !left, root, callbacks);
		break;
	}
	root->rb_node->red = false;
}

/*
 * Balance the tree where the paths through @node, a child of @parent that may be
 * missing, lack a black node.
 */
static void fix_black(struct rb_node *node, struct rb_node *parent,
		      struct rb_root *root,
		      const struct rb_augment_callbacks *callbacks)
{
	while (parent && !is_red(node)) {
		bool left = node == parent->rb_left;
		struct rb_node *sibling = left ? parent->rb_right :
						 parent->rb_left;
		struct rb_node *inner, *outer;

		if (sibling->red) {
			sibling->red = false;
			parent->red = true;
			rotate(parent, left, root, callbacks);
			sibling = left ? parent->rb_right : parent->rb_left;
		}
		inner = left ? sibling->rb_left : sibling->rb_right;
		outer = left ? sibling->rb_right : sibling->rb_left;
		if (!is_red(inner) && !is_red(outer)) {
			sibling->red = true;
			node = parent;
			parent = node->parent;
			continue;
		}
		if (!is_red(outer)) {
			inner->red = false;
			sibling->red = true;
			rotate(sibling, !left, root, callbacks);
			outer = sibling;
			sibling = inner;
		}
		sibling->red = parent->red;
		parent->red = false;
		outer->red = false;
		rotate(parent, left, root, callbacks);
		return;
	}
	if (node)
		node->red = false;
}

/**
 * rb_erase_augmented() - take a node out of a tree
 * @node:      the node
 * @root:      the tree
 * @callbacks: functions that keep the values of subtrees
 */
void rb_erase_augmented(struct rb_node *node, struct rb_root *root,
			const struct rb_augment_callbacks *callbacks)
{
	struct rb_node *child, *parent;
	struct rb_node *next;
	bool red = node->red;

	if (!node->rb_left || !node->rb_right) {
		child = node->rb_left ? node->rb_left : node->rb_right;
		parent = node->parent;
		replace(node, child, root);
		callbacks->propagate(parent, NULL);
	} else {
		/* The next node, which has no left child, takes the place. */
		for (next = node->rb_right; next->rb_left;)
			next = next->rb_left;
		red = next->red;
		child = next->rb_right;
		parent = next->parent;
		if (parent == node) {
			parent = next;
		} else {
			replace(next, child, root);
			next->rb_right = node->rb_right;
			next->rb_right->parent = next;
		}
		replace(node, next, root);
		next->rb_left = node->rb_left;
		next->rb_left->parent = next;
		next->red = node->red;
		callbacks->copy(node, next);
		callbacks->propagate(parent, next);
		callbacks->propagate(next, NULL);
	}
	if (!red)
		fix_black(child, parent, root, callbacks);
}

/**
 * rb_insert_color() - balance a tree without values after rb_link_node()
 * @node: the new node
 * @root: the tree
 */
void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	rb_insert_augmented(node, root, &no_callbacks);
}

/**
 * rb_erase() - take a node out of a tree without values
 * @node: the node
 * @root: the tree
 */
void rb_erase(struct rb_node *node, struct rb_root *root)
{
	rb_erase_augmented(node, root, &no_callbacks);
}

/**
 * rb_first() - find the first node in order
 * @root: the tree
 *
 * Return: the node, or NULL if the tree is empty.
 */
struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *node = root->rb_node;

	while (node && node->rb_left)
		node = node->rb_left;
	return node;
}

/**
 * rb_last() - find the last node in order
 * @root: the tree
 *
 * Return: the node, or NULL if the tree is empty.
 */
struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *node = root->rb_node;

	while (node && node->rb_right)
		node = node->rb_right;
	return node;
}

/**
 * rb_next() - find the node after a node in order
 * @node: a node in a tree
 *
 * Return: the node, or NULL if @node is the last.
 */
struct rb_node *rb_next(const struct rb_node *node)
{
	const struct rb_root right = { node->rb_right };

	if (right.rb_node)
		return rb_first(&right);
	while (node->parent && node == node->parent->rb_right)
		node = node->parent;
	return node->parent;
}

/**
 * rb_prev() - find the node before a node in order
 * @node: a node in a tree
 *
 * Return: the node, or NULL if @node is the first.
 */
struct rb_node *rb_prev(const struct rb_node *node)
{
	const struct rb_root left = { node->rb_left };

	if (left.rb_node)
		return rb_last(&left);
	while (node->parent && node == node->parent->rb_left)
		node = node->parent;
	return node->parent;
}
