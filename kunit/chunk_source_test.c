// SPDX-License-Identifier: GPL-2.0-only
/*
 * Source pages: whose faults wait for whom.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "chunk_module.h"

/* What waits for nothing is done long before; what waits for ever fails. */
#define SOON	(HZ / 5)
#define LONG	(30 * HZ)

/**
 * struct other - what another task does meanwhile
 * @process: on whose behalf
 * @done:    it has ended
 */
struct other {
	unsigned int process;
	struct completion done;
};

/**
 * struct faults - faults under way, as many as there are source pages at most
 * @pages: what they hold
 * @nr:    how many
 * @other: what they may have to do with
 */
struct faults {
	struct page *pages[NR_CPUS];
	unsigned int nr;
	struct other other;
};

/* Only compared, never looked into */
static struct mm_struct *mm_of(unsigned int process)
{
	return (struct mm_struct *)((process + 1) * PAGE_SIZE);
}

/* A fault of that process begins, and is left to the core. */
static struct page *begin_fault(struct faults *faults, unsigned int process)
{
	struct page *page = chunk_source_lock(mm_of(process));

	chunk_source_give(page);
	faults->pages[faults->nr++] = page;
	return page;
}

/* As the core ends it */
static void end_fault(struct faults *faults)
{
	struct page *page = faults->pages[--faults->nr];

	unlock_page(page);
	put_page(page);
}

static int source_test_init(struct kunit *test)
{
	struct faults *faults = kunit_kzalloc(test, sizeof(*faults), GFP_KERNEL);

	if (!faults)
		return -ENOMEM;
	init_completion(&faults->other.done);
	complete_all(&faults->other.done);
	test->priv = faults;
	return chunk_source_init();
}

static void source_test_exit(struct kunit *test)
{
	struct faults *faults = test->priv;

	while (faults->nr)
		end_fault(faults);
	/* It may have gone on only now, where the test failed. */
	wait_for_completion(&faults->other.done);
	chunk_source_exit();
}

static int wait_for_faults(void *data)
{
	struct other *other = data;

	chunk_source_wait(mm_of(other->process));
	complete_all(&other->done);
	return 0;
}

static int fault_once(void *data)
{
	struct other *other = data;

	chunk_source_unlock(chunk_source_lock(mm_of(other->process)));
	complete_all(&other->done);
	return 0;
}

static void start(struct kunit *test, int (*what)(void *data),
		  unsigned int process)
{
	struct faults *faults = test->priv;
	struct task_struct *task;

	faults->other.process = process;
	reinit_completion(&faults->other.done);
	task = kthread_run(what, &faults->other, "chunk_source_test");
	if (IS_ERR(task))
		complete_all(&faults->other.done);
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
}

static bool ends(struct faults *faults, unsigned long jiffies)
{
	return wait_for_completion_timeout(&faults->other.done, jiffies);
}

static void source_is_zero_and_locked(struct kunit *test)
{
	struct faults *faults = test->priv;
	struct page *page = begin_fault(faults, 1);

	KUNIT_EXPECT_TRUE(test, PageLocked(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, PAGE_SIZE));
	end_fault(faults);
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
}

/* As many faults as there are pages need not wait for one another. */
static void source_another_where_taken(struct kunit *test)
{
	struct faults *faults = test->priv;
	unsigned int i, j;

	for (i = 1; i < num_possible_cpus(); i++) {
		start(test, fault_once, 2);
		KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
		begin_fault(faults, 1);
	}
	for (i = 0; i < faults->nr; i++) {
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_PTR_NE(test, faults->pages[i],
					    faults->pages[j]);
	}
	start(test, fault_once, 2);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static void source_waits_where_all_are_taken(struct kunit *test)
{
	struct faults *faults = test->priv;

	while (faults->nr < num_possible_cpus())
		begin_fault(faults, 1);
	start(test, fault_once, 2);
	KUNIT_EXPECT_FALSE(test, ends(faults, SOON));
	while (faults->nr)
		end_fault(faults);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static void source_wait_for_own_faults(struct kunit *test)
{
	struct faults *faults = test->priv;

	while (faults->nr < num_possible_cpus())
		begin_fault(faults, 1);
	start(test, wait_for_faults, 1);
	while (faults->nr) {
		KUNIT_EXPECT_FALSE(test, ends(faults, SOON));
		end_fault(faults);
	}
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static void source_wait_not_for_others(struct kunit *test)
{
	struct faults *faults = test->priv;

	while (faults->nr < num_possible_cpus())
		begin_fault(faults, 1);
	start(test, wait_for_faults, 2);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
	/* Nor what the page was used for before */
	end_fault(faults);
	begin_fault(faults, 3);
	start(test, wait_for_faults, 2);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static struct kunit_case source_cases[] = {
	KUNIT_CASE(source_is_zero_and_locked),
	KUNIT_CASE(source_another_where_taken),
	KUNIT_CASE(source_waits_where_all_are_taken),
	KUNIT_CASE(source_wait_for_own_faults),
	KUNIT_CASE(source_wait_not_for_others),
	{}
};

static struct kunit_suite source_suite = {
	.name = "chunk_source",
	.init = source_test_init,
	.exit = source_test_exit,
	.test_cases = source_cases,
};

kunit_test_suite(source_suite);
