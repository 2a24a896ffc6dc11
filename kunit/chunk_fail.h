/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail, by the kernel's own fault injection.
 *
 * kunit/run prepares it before it loads the tests: failslab is to fail every
 * allocation, of the caches concerned, by tasks that ask for it. A task that
 * asks counts down first: its first allocations succeed.
 */
#ifndef CHUNK_FAIL_H
#define CHUNK_FAIL_H

#include <linux/sched.h>
#include <linux/slab.h>

#ifdef CONFIG_FAULT_INJECTION

/**
 * chunk_fail_from() - let the current task's allocations fail
 * @nth: number of the first that fails, from 1 on; all after it fail, too
 *
 * Context: any task.
 */
static inline void chunk_fail_from(unsigned int nth)
{
	WRITE_ONCE(current->make_it_fail, 1);
	WRITE_ONCE(current->fail_nth, nth);
}

/**
 * chunk_fail_end() - let the current task's allocations succeed again
 *
 * Context: any task.
 * Return: whether any failed.
 */
static inline bool chunk_fail_end(void)
{
	bool failed = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	WRITE_ONCE(current->make_it_fail, 0);
	return failed;
}

#else /* the kernel has no fault injection: nothing is ever prepared */

static inline void chunk_fail_from(unsigned int nth)
{
}

static inline bool chunk_fail_end(void)
{
	return false;
}

#endif /* CONFIG_FAULT_INJECTION */

/**
 * chunk_fail_ready() - tell whether allocations fail for tasks that ask
 *
 * Context: any task.
 * Return: whether all of them fail, from the number on that the task asked for.
 */
static inline bool chunk_fail_ready(void)
{
	void *first, *second;

	chunk_fail_from(1);
	first = kmalloc(16, GFP_KERNEL | __GFP_NOWARN);
	second = kmalloc(16, GFP_KERNEL | __GFP_NOWARN);
	chunk_fail_end();
	kfree(first);
	kfree(second);
	return !first && !second;
}

#endif /* CHUNK_FAIL_H */
