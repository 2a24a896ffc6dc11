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
#define LONG	(60 * HZ)

/**
 * struct faults - faults under way, as many as there are source pages at most
 * @pages: what they hold
 * @nr:    how many
 */
struct faults {
	struct page *pages[NR_CPUS];
	unsigned int nr;
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
	test->priv = kunit_kzalloc(test, sizeof(struct faults), GFP_KERNEL);
	return test->priv ? chunk_source_init() : -ENOMEM;
}

static void source_test_exit(struct kunit *test)
{
	struct faults *faults = test->priv;

	while (faults->nr)
		end_fault(faults);
	chunk_source_exit();
}

/**
 * struct other - what another task does meanwhile
 * @process: on whose behalf
 * @done:    it has ended
 */
struct other {
	unsigned int process;
	struct completion done;
};

static int wait_for_faults(void *data)
{
	struct other *other = data;

	chunk_source_wait(mm_of(other->process));
	complete(&other->done);
	return 0;
}

static int fault_once(void *data)
{
	struct other *other = data;

	chunk_source_unlock(chunk_source_lock(mm_of(other->process)));
	complete(&other->done);
	return 0;
}

static void start(struct kunit *test, struct other *other,
		  int (*what)(void *data), unsigned int process)
{
	struct task_struct *task;

	other->process = process;
	init_completion(&other->done);
	task = kthread_run(what, other, "chunk_source_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
}

static bool ends(struct other *other, unsigned long jiffies)
{
	return wait_for_completion_timeout(&other->done, jiffies);
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
	struct other other;
	unsigned int i, j;

	for (i = 1; i < num_possible_cpus(); i++) {
		start(test, &other, fault_once, 2);
		KUNIT_EXPECT_TRUE(test, ends(&other, LONG));
		begin_fault(faults, 1);
	}
	for (i = 0; i < faults->nr; i++) {
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_PTR_NE(test, faults->pages[i],
					    faults->pages[j]);
	}
	start(test, &other, fault_once, 2);
	KUNIT_EXPECT_TRUE(test, ends(&other, LONG));
}

static void source_waits_where_all_are_taken(struct kunit *test)
{
	struct faults *faults = test->priv;
	struct other other;

	while (faults->nr < num_possible_cpus())
		begin_fault(faults, 1);
	start(test, &other, fault_once, 2);
	KUNIT_EXPECT_FALSE(test, ends(&other, SOON));
	while (faults->nr)
		end_fault(faults);
	KUNIT_EXPECT_TRUE(test, ends(&other, LONG));
}

static void source_wait_for_own_faults(struct kunit *test)
{
	struct faults *faults = test->priv;
	struct other other;

	while (faults->nr < num_possible_cpus())
		begin_fault(faults, 1);
	start(test, &other, wait_for_faults, 1);
	while (faults->nr) {
		KUNIT_EXPECT_FALSE(test, ends(&other, SOON));
		end_fault(faults);
	}
	KUNIT_EXPECT_TRUE(test, ends(&other, LONG));
}

static void source_wait_not_for_others(struct kunit *test)
{
	struct faults *faults = test->priv;
	struct other other;

	while (faults->nr < num_possible_cpus())
		begin_fault(faults, 1);
	start(test, &other, wait_for_faults, 2);
	KUNIT_EXPECT_TRUE(test, ends(&other, LONG));
	/* Nor what the page was used for before */
	end_fault(faults);
	begin_fault(faults, 3);
	start(test, &other, wait_for_faults, 2);
	KUNIT_EXPECT_TRUE(test, ends(&other, LONG));
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
