// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault gates: which faults wait for which others, and how many source pages a
 * gate has.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "chunk_kunit.h"
#include "chunk_module.h"

/* A task that need not wait is done before SOON; one that waits for LONG fails. */
#define SOON	(HZ / 5)
#define LONG	(30 * HZ)

/* One gate each */
#define PROCESSES	3U

/* Room for every page that a gate may have */
#define FAULTS		(NR_CPUS + 4U)

/**
 * struct other - another task at work meanwhile
 * @gate: gate of the process on whose behalf it works
 * @done: it has ended
 */
struct other {
	struct chunk_gate *gate;
	struct completion done;
};

/**
 * struct faults - faults under way
 * @gates: gates of the processes
 * @pages: source pages that the faults hold
 * @nr:    number of faults
 * @other: a task that may have to wait for them
 */
struct faults {
	struct chunk_gate *gates[PROCESSES];
	struct page *pages[FAULTS];
	unsigned int nr;
	struct other other;
};

/* Begin a fault of a process, and leave its end to mm. */
static struct page *begin_fault(struct faults *faults, unsigned int process)
{
	struct page *page = chunk_gate_enter(faults->gates[process]);

	if (page) {
		chunk_gate_give(page);
		faults->pages[faults->nr++] = page;
	}
	return page;
}

/* End the last fault, as mm does. */
static void end_fault(struct faults *faults)
{
	struct page *page = faults->pages[--faults->nr];

	unlock_page(page);
	put_page(page);
}

/* Begin faults until all pages of the gate are taken. */
static void take_all(struct faults *faults, unsigned int process)
{
	while (faults->nr < max(nr_cpu_ids, 4U))
		if (!begin_fault(faults, process))
			break;
}

static void gate_test_exit(struct kunit *test)
{
	struct faults *faults = test->priv;
	unsigned int i;

	if (!faults)
		return;
	chunk_kunit_broken = NULL;
	while (faults->nr)
		end_fault(faults);
	/* If the test failed, the other task may have continued only now. */
	wait_for_completion(&faults->other.done);
	for (i = 0; i < PROCESSES; i++)
		if (faults->gates[i])
			chunk_gate_free(faults->gates[i]);
}

static int gate_test_init(struct kunit *test)
{
	struct faults *faults = kunit_kzalloc(test, sizeof(*faults), GFP_KERNEL);
	unsigned int i;

	if (!faults)
		return -ENOMEM;
	init_completion(&faults->other.done);
	complete_all(&faults->other.done);
	for (i = 0; i < PROCESSES; i++) {
		faults->gates[i] = chunk_gate_new(NULL);
		KUNIT_EXPECT_NOT_NULL(test, faults->gates[i]);
	}
	test->priv = faults;
	return 0;
}

static int wait_for_faults(void *data)
{
	struct other *other = data;

	chunk_gate_synchronize(other->gate);
	complete_all(&other->done);
	return 0;
}

static int fault_once(void *data)
{
	struct other *other = data;
	struct page *page = chunk_gate_enter(other->gate);

	if (page)
		chunk_gate_exit(page);
	complete_all(&other->done);
	return 0;
}

static void start(struct kunit *test, int (*what)(void *data),
		  unsigned int process)
{
	struct faults *faults = test->priv;
	struct task_struct *task;

	faults->other.gate = faults->gates[process];
	reinit_completion(&faults->other.done);
	task = kthread_create(what, &faults->other, "chunk_gate_test");
	if (IS_ERR(task))
		complete_all(&faults->other.done);
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	/* So its first choice is the first page. */
	kthread_bind(task, 0);
	wake_up_process(task);
}

static bool ends(struct faults *faults, unsigned long jiffies)
{
	return wait_for_completion_timeout(&faults->other.done, jiffies);
}

static void gate_is_zero_and_locked(struct kunit *test)
{
	struct faults *faults = test->priv;
	struct page *page = begin_fault(faults, 1);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, PageLocked(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, PAGE_SIZE));
	end_fault(faults);
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
}

/* One fault at a time needs one page, on any CPU. */
static void gate_one_for_one_task(struct kunit *test)
{
	struct faults *faults = test->priv;
	struct page *page = begin_fault(faults, 1);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	for (i = 0; i < 100; i++) {
		end_fault(faults);
		KUNIT_ASSERT_PTR_EQ(test, begin_fault(faults, 1), page);
	}
}

/* One fault for each CPU: none has to wait for another. */
static void gate_another_where_taken(struct kunit *test)
{
	struct faults *faults = test->priv;
	unsigned int i, j;

	for (i = 1; i < num_possible_cpus(); i++) {
		start(test, fault_once, 1);
		KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
		KUNIT_ASSERT_NOT_NULL(test, begin_fault(faults, 1));
	}
	for (i = 0; i < faults->nr; i++) {
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_PTR_NE(test, faults->pages[i],
					    faults->pages[j]);
	}
	start(test, fault_once, 1);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

/* A process that keeps all its pages for ever delays no other process. */
static void gate_not_for_another_process(struct kunit *test)
{
	struct faults *faults = test->priv;

	take_all(faults, 1);
	start(test, fault_once, 2);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static void gate_waits_where_all_are_taken(struct kunit *test)
{
	struct faults *faults = test->priv;

	take_all(faults, 1);
	start(test, fault_once, 1);
	KUNIT_EXPECT_FALSE(test, ends(faults, SOON));
	while (faults->nr)
		end_fault(faults);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static void gate_wait_for_own_faults(struct kunit *test)
{
	struct faults *faults = test->priv;

	take_all(faults, 1);
	start(test, wait_for_faults, 1);
	while (faults->nr) {
		KUNIT_EXPECT_FALSE(test, ends(faults, SOON));
		end_fault(faults);
	}
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static void gate_wait_not_for_others(struct kunit *test)
{
	struct faults *faults = test->priv;

	take_all(faults, 1);
	start(test, wait_for_faults, 2);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

/* A page whose memory is broken is not offered again. */
static void gate_not_broken(struct kunit *test)
{
	struct faults *faults = test->priv;
	struct page *page;
	unsigned int i;

	chunk_kunit_broken = begin_fault(faults, 1);
	KUNIT_ASSERT_NOT_NULL(test, chunk_kunit_broken);
	end_fault(faults);
	for (i = 0; i < 100; i++) {
		page = begin_fault(faults, 1);
		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_EXPECT_PTR_NE(test, page, chunk_kunit_broken);
		end_fault(faults);
	}
}

/* Faults do not wait for a broken page whose last fault never ends. */
static void gate_broken_is_not_waited_for(struct kunit *test)
{
	struct faults *faults = test->priv;

	take_all(faults, 1);
	chunk_kunit_broken = faults->pages[0];
	start(test, fault_once, 1);
	KUNIT_EXPECT_FALSE(test, ends(faults, SOON));
	while (faults->nr > 1)
		end_fault(faults);
	KUNIT_ASSERT_TRUE(test, ends(faults, LONG));
}

static struct kunit_case gate_cases[] = {
	KUNIT_CASE(gate_is_zero_and_locked),
	KUNIT_CASE(gate_one_for_one_task),
	KUNIT_CASE(gate_another_where_taken),
	KUNIT_CASE(gate_not_for_another_process),
	KUNIT_CASE(gate_waits_where_all_are_taken),
	KUNIT_CASE(gate_wait_for_own_faults),
	KUNIT_CASE(gate_wait_not_for_others),
	KUNIT_CASE(gate_not_broken),
	KUNIT_CASE(gate_broken_is_not_waited_for),
	{}
};

static struct kunit_suite gate_suite = {
	.name = "chunk_gate",
	.init = gate_test_init,
	.exit = gate_test_exit,
	.test_cases = gate_cases,
};

kunit_test_suite(gate_suite);
