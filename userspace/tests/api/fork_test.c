// SPDX-License-Identifier: MIT
/*
 * After fork, parent and child own everything independently, and the child may
 * use the library whatever other threads were doing in it.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

/**
 * struct gate - a pipe by which one process waits for another
 * @ends: both ends, which stay open in both processes
 */
struct gate {
	int ends[2];
};

static struct gate to_child, to_parent;

static void gates_init(void)
{
	expect(pipe(to_child.ends) == 0);
	expect(pipe(to_parent.ends) == 0);
}

static void gate_open(const struct gate *gate)
{
	expect(write(gate->ends[1], "", 1) == 1);
}

static void gate_wait(const struct gate *gate)
{
	char byte;

	expect(read(gate->ends[0], &byte, 1) == 1);
}

static void child_allocates(void)
{
	char *inherited = alloc_mib(2), *chunk;
	pid_t child;

	fill(inherited, 2 * MIB, 1);
	child = tap_fork();
	if (child == 0) {
		expect(chunk_is_live(inherited));
		chunk = chunk_alloc(4 * MIB, 4 * MIB, false);
		expect(chunk);
		expect(chunk_is_live(chunk));
		expect(is_zero(chunk, 4 * MIB));
		fill(chunk, 4 * MIB, 2);
		pages_decommit(chunk + MIB, MIB);
		expect_trap_only(chunk + MIB, MIB);
		expect(pages_commit(chunk + MIB, MIB));
		expect(is_zero(chunk + MIB, MIB));
		dealloc_mib(chunk, 4);
		expect_trap(chunk);
		expect(is_filled(inherited, 2 * MIB, 1));
		check_backend();
		_exit(0);
	}
	tap_join(child);
	chunk = alloc_mib(4);
	expect(is_zero(chunk, 4 * MIB));
	expect(is_filled(inherited, 2 * MIB, 1));
	expect_stats_consistent();
}

/* The child decommits, commits and frees inherited chunks; the parent sees nothing. */
static void child_frees_inherited(void)
{
	char *chunks = adjoining_chunks(4);
	pid_t child;

	fill(chunks, 4 * MIB, 1);
	pages_decommit(chunks + 3 * MIB, MIB / 2);
	child = tap_fork();
	if (child == 0) {
		struct chunk_info info = { .size = sizeof(info) };
		size_t page = page_size();

		expect_trap_only(chunks + 3 * MIB, MIB / 2);
		/* Inherited chunks are looked up before anything else is done. */
		expect(chunk_lookup(chunks, &info) && info.committed);
		expect((char *)info.end > chunks);
		expect(chunk_lookup(chunks + 3 * MIB, &info));
		expect(!info.committed && (char *)info.end > chunks + 3 * MIB);
		pages_decommit(chunks + page, page);
		expect_trap_only(chunks + page, page);
		expect_equal(resident_bytes(chunks + page, page), 0);
		expect(pages_commit(chunks + page, page));
		expect(is_zero(chunks + page, page));
		expect(pages_commit(chunks + 3 * MIB, MIB / 2));
		expect(is_zero(chunks + 3 * MIB, MIB / 2));
		fill(chunks + 3 * MIB, MIB, 9);
		pages_purge(chunks + MIB, MIB / 2, true);
		expect(is_zero(chunks + MIB, MIB / 2));
		dealloc_mib(chunks + MIB, 1);
		expect_trap_only(chunks + MIB, MIB);
		expect(!chunk_is_live(chunks + MIB));
		dealloc_mib(chunks, 1);
		dealloc_mib(chunks + 3 * MIB, 1);
		expect(is_filled(chunks + 2 * MIB, MIB, 1 + 2 * MIB));
		for (int i = 0; i < 8; i++) {
			char *chunk = alloc_mib(1);

			expect(is_zero(chunk, MIB));
			fill(chunk, MIB, 3);
		}
		expect_stats_consistent();
		_exit(0);
	}
	tap_join(child);
	expect(is_filled(chunks, 3 * MIB, 1));
	expect(is_filled(chunks + 3 * MIB + MIB / 2, MIB / 2,
			 1 + 3 * MIB + MIB / 2));
	expect_trap_only(chunks + 3 * MIB, MIB / 2);
	for (size_t i = 0; i < 4; i++) {
		expect(chunk_is_live(chunks + i * MIB));
		dealloc_mib(chunks + i * MIB, 1);
	}
	expect_equal(chunk_recycled_bytes(), 4 * MIB);
}

/* Memory that the parent had given back is not live in the child, either. */
static void dead_is_not_inherited(void)
{
	char *kept = alloc_mib(1), *freed = alloc_mib(4);
	pid_t child;

	fill(kept, MIB, 1);
	dealloc_mib(freed, 4);
	child = tap_fork();
	if (child == 0) {
		expect(!chunk_is_live(freed));
		expect(!pages_commit(freed, MIB));
		expect(!pages_commit(freed + 3 * MIB, page_size()));
		expect_trap(freed);
		/* The same holds once the child has a context of its own. */
		fill(alloc_mib(1), MIB, 2);
		if (!chunk_is_live(freed + MIB)) {
			expect(!pages_commit(freed + MIB, MIB));
			expect_trap(freed + MIB);
		}
		expect(pages_commit(kept, MIB));
		expect(is_filled(kept, MIB, 1));
		_exit(0);
	}
	tap_join(child);
}

/* Calls of the parent after fork do not change the child. */
static void parent_frees(void)
{
	char *chunks = adjoining_chunks(4);
	pid_t child;

	gates_init();
	fill(chunks, 4 * MIB, 1);
	pages_decommit(chunks + 3 * MIB, MIB / 2);
	child = tap_fork();
	if (child == 0) {
		gate_wait(&to_child);
		expect(is_filled(chunks, 3 * MIB, 1));
		expect_trap_only(chunks + 3 * MIB, MIB / 2);
		for (size_t i = 0; i < 4; i++)
			expect(chunk_is_live(chunks + i * MIB));
		dealloc_mib(chunks + 2 * MIB, 1);
		expect_trap(chunks + 2 * MIB);
		expect(is_filled(chunks, 2 * MIB, 1));
		_exit(0);
	}
	dealloc_mib(chunks, 1);
	pages_decommit(chunks + MIB, MIB);
	fill(chunks + 2 * MIB, MIB, 5);
	expect(pages_commit(chunks + 3 * MIB, MIB / 2));
	expect(is_zero(chunks + 3 * MIB, MIB / 2));
	gate_open(&to_child);
	tap_join(child);
	expect(is_filled(chunks + 2 * MIB, MIB, 5));
	expect_trap(chunks);
	expect_trap(chunks + 2 * MIB - 1);
	expect_no_trap(chunks + 2 * MIB);
}

static void copy_on_write(void)
{
	char *chunk = alloc_mib(2);
	pid_t child;

	gates_init();
	fill(chunk, MIB, 1);
	child = tap_fork();
	if (child == 0) {
		fill(chunk, 2 * MIB, 2);
		gate_open(&to_parent);
		gate_wait(&to_child);
		expect(is_filled(chunk, 2 * MIB, 2));
		_exit(0);
	}
	gate_wait(&to_parent);
	expect(is_filled(chunk, MIB, 1));
	expect(is_zero(chunk + MIB, MIB));
	fill(chunk, 2 * MIB, 3);
	gate_open(&to_child);
	tap_join(child);
	expect(is_filled(chunk, 2 * MIB, 3));
}

/* Recycled address space is inherited as well, and no page of it is shared. */
static void recycled_after_fork(void)
{
	char *chunk = alloc_mib(4), *again;
	pid_t child;

	fill(chunk, 4 * MIB, 1);
	dealloc_mib(chunk, 4);
	child = tap_fork();
	expect_trap(chunk);
	again = alloc_mib(4);
	expect(is_zero(again, 4 * MIB));
	fill(again, 4 * MIB, child);
	for (int i = 0; i < 4; i++) {
		char *more = alloc_mib(2);

		expect(is_zero(more, 2 * MIB));
		fill(more, 2 * MIB, child + i);
	}
	expect(is_filled(again, 4 * MIB, child));
	expect_stats_consistent();
	if (child == 0)
		_exit(0);
	tap_join(child);
}

static void generation(char *chunk, int depth)
{
	char *own = alloc_mib(1);
	pid_t child;

	fill(own, MIB, depth);
	pages_decommit(chunk + depth * MIB, MIB);
	if (depth < 4) {
		child = tap_fork();
		if (child == 0) {
			generation(chunk, depth + 1);
			_exit(0);
		}
		tap_join(child);
	}
	expect(is_filled(own, MIB, depth));
	for (int i = 0; i <= depth; i++)
		expect_trap(chunk + i * MIB);
	expect(is_filled(chunk + (depth + 1) * MIB, MIB,
			 7 + (depth + 1) * MIB));
	expect(pages_commit(chunk, (depth + 1) * MIB));
	expect(is_zero(chunk, (depth + 1) * MIB));
	dealloc_mib(own, 1);
	dealloc_mib(chunk, 6);
	expect_trap(chunk + 5 * MIB);
}

static void grandchildren(void)
{
	char *chunk = alloc_mib(6);

	fill(chunk, 6 * MIB, 7);
	generation(chunk, 0);
}

/* fork() past the C library. The order of clone()'s arguments depends on the machine. */
static pid_t clone_raw(void)
{
#if defined(__sparc__)
	tap_skip("a raw fork answers in two registers on this machine");
#elif defined(__s390__)
	return syscall(SYS_clone, 0, SIGCHLD, 0, 0, 0);
#else
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

/* No handler of pthread_atfork() runs. */
static void raw_fork(void)
{
	char *chunk = alloc_mib(2), *fresh;
	long child;

	fill(chunk, 2 * MIB, 1);
	child = clone_raw();
	expect(child >= 0);
	if (child == 0) {
		expect(is_filled(chunk, 2 * MIB, 1));
		pages_decommit(chunk + MIB / 2, MIB / 2);
		expect_trap_only(chunk + MIB / 2, MIB / 2);
		pages_decommit(chunk, MIB);
		expect(pages_commit(chunk, MIB));
		expect(is_zero(chunk, MIB));
		dealloc_mib(chunk, 2);
		expect_trap(chunk);
		fresh = alloc_mib(3);
		expect(is_zero(fresh, 3 * MIB));
		fill(fresh, 3 * MIB, 2);
		dealloc_mib(fresh, 3);
		_exit(0);
	}
	tap_join(child);
	expect(is_filled(chunk, 2 * MIB, 1));
	dealloc_mib(chunk, 2);
}

static void fork_before_first_use(void)
{
	pid_t child = tap_fork();
	char *chunk = alloc_mib(2);

	expect(is_zero(chunk, 2 * MIB));
	fill(chunk, 2 * MIB, child);
	expect(is_filled(chunk, 2 * MIB, child));
	if (child == 0)
		_exit(0);
	tap_join(child);
}

static void parent_exits_first(void)
{
	int status;
	pid_t child;

	gates_init();
	child = tap_fork();
	if (child == 0) {
		char *chunk = alloc_mib(3);
		pid_t parent = getpid(), orphan;

		fill(chunk, 3 * MIB, 1);
		pages_decommit(chunk + MIB, MIB);
		orphan = tap_fork();
		if (orphan)
			_exit(0);
		while (getppid() == parent)
			sched_yield();
		expect_trap_only(chunk + MIB, MIB);
		expect(is_filled(chunk, MIB, 1));
		dealloc_mib(chunk, 3);
		chunk = alloc_mib(2);
		expect(is_zero(chunk, 2 * MIB));
		gate_open(&to_parent);
		_exit(0);
	}
	expect(waitpid(child, &status, 0) == child && status == 0);
	/* If the orphan fails no writer is left, and the read ends. */
	close(to_parent.ends[1]);
	gate_wait(&to_parent);
}

static atomic_bool stop;

static void *busy(void *arg)
{
	uint64_t random = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		size_t mib = 1 + random_below(&random, 3);
		char *chunk = alloc_mib(mib);

		*chunk = 1;
		pages_decommit(chunk, page_size());
		expect(pages_commit(chunk, page_size()));
		dealloc_mib(chunk, mib);
		if (random_below(&random, 8) == 0)
			chunk_set_recycle_limit((2 + mib) * MIB);
	}
	return NULL;
}

static void use_in_child(char *kept)
{
	char *chunk = alloc_mib(2);

	expect(is_zero(chunk, 2 * MIB));
	fill(chunk, 2 * MIB, 1);
	pages_decommit(chunk, MIB);
	expect(pages_commit(chunk, MIB));
	dealloc_mib(chunk, 2);
	chunk_set_recycle_limit(MIB);
	expect(chunk_is_live(kept));
	expect(is_filled(kept, MIB, 1));
	dealloc_mib(kept, 1);
	expect_stats_consistent();
	chunk_set_recycle_limit(0);
	expect_equal(chunk_recycled_bytes(), 0);
	for (size_t mib = 1; mib <= 4; mib++)
		expect(is_zero(alloc_mib(mib), page_size()));
}

/* An emulator forks itself, and its child may wait for a lock of its own. */
static void need_fork_with_threads(void)
{
	if (getenv("TAP_UNDER"))
		tap_skip("the emulator's own locks may hang after such a fork");
}

/* Whichever lock was held and whatever change was half-done, the child must not hang. */
static pid_t raw_or_not(bool raw)
{
	pid_t child = raw ? clone_raw() : fork();

	expect(child >= 0);
	return child;
}

static void fork_under_fire(bool raw)
{
	char *kept = alloc_mib(1);
	pthread_t threads[4];

	need_fork_with_threads();
	fill(kept, MIB, 1);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_create(&threads[i], NULL, busy,
				      (void *)(i + 1)) == 0);
	for (unsigned int i = 0; i < rounds(150); i++) {
		pid_t child = raw_or_not(raw);

		if (child == 0) {
			alarm(60);
			use_in_child(kept);
			_exit(0);
		}
		tap_join(child);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect(is_filled(kept, MIB, 1));
	expect_stats_consistent();
}

static void fork_with_threads(void)
{
	fork_under_fire(false);
}

static void raw_fork_with_threads(void)
{
	fork_under_fire(true);
}

static atomic_uint ready;

static void *first_call(void *arg)
{
	atomic_store(&ready, 1);
	chunks_init();
	return arg;
}

/* Steps without effect, so that each fork comes a little later */
static void delay(unsigned int steps)
{
	while (steps--)
		atomic_fetch_add(&ready, 1);
}

static void fork_in_first_call(unsigned int steps)
{
	pthread_t thread;
	pid_t child;

	expect(pthread_create(&thread, NULL, first_call, NULL) == 0);
	while (!atomic_load(&ready))
		;
	delay(steps);
	child = tap_fork();
	if (child == 0) {
		alarm(20);
		expect(is_zero(alloc_mib(1), MIB));
		_exit(0);
	}
	tap_join(child);
	expect(pthread_join(thread, NULL) == 0);
}

/* The fork may come in the midst of libchunk's initialisation. */
static void fork_in_first_calls(void)
{
	need_fork_with_threads();
	for (unsigned int i = 0; i < rounds(300); i++) {
		pid_t child = tap_fork();

		if (child == 0) {
			fork_in_first_call(i * 7 % 3000);
			_exit(0);
		}
		tap_join(child);
	}
}

/* Threads fork, too, and their children use threads. */
static void *fork_and_use(void *arg)
{
	char *kept = alloc_mib(1);

	fill(kept, MIB, 1);
	for (int i = 0; i < 20; i++) {
		pid_t child = tap_fork();

		if (child == 0) {
			use_in_child(kept);
			_exit(0);
		}
		tap_join(child);
	}
	dealloc_mib(kept, 1);
	return arg;
}

static void threads_fork(void)
{
	pthread_t threads[6];

	need_fork_with_threads();
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_create(&threads[i], NULL, fork_and_use,
				      NULL) == 0);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect_stats_consistent();
}

/* vfork shares the memory, so the child does nothing but exec. */
static void vfork_and_exec(void)
{
	static char *const argv[] = { "/bin/true", NULL };
	char *chunk = alloc_mib(1);
	pid_t child;

	fill(chunk, MIB, 1);
	child = vfork();
	if (child == 0) {
		execv(argv[0], argv);
		_exit(1);
	}
	tap_join(child);
	expect(is_filled(chunk, MIB, 1));
	dealloc_mib(chunk, 1);
	expect(is_zero(alloc_mib(1), MIB));
}

/* The threads go on in the memory that the child borrows. */
static void vfork_with_threads(void)
{
	static char *const argv[] = { "/bin/true", NULL };
	pthread_t threads[4];

	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_create(&threads[i], NULL, busy,
				      (void *)(i + 1)) == 0);
	for (unsigned int i = 0; i < rounds(100); i++) {
		pid_t child = vfork();

		if (child == 0) {
			execv(argv[0], argv);
			_exit(1);
		}
		expect(child > 0);
		tap_join(child);
		dealloc_mib(alloc_mib(1), 1);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "the child allocates, the parent is unaffected", child_allocates },
	{ "the child frees what it inherited, the parent is unaffected",
	  child_frees_inherited },
	{ "the parent frees, the child is unaffected", parent_frees },
	{ "chunks that were free at the fork are refused",
	  dead_is_not_inherited },
	{ "copy on write both ways", copy_on_write },
	{ "both reuse what was recycled", recycled_after_fork },
	{ "five generations", grandchildren },
	{ "a child of the raw system call", raw_fork },
	{ "fork before the first use", fork_before_first_use },
	{ "the parent exits first", parent_exits_first },
	{ "fork while other threads are inside the library",
	  fork_with_threads },
	{ "a raw fork while other threads are inside the library",
	  raw_fork_with_threads },
	{ "fork while another thread makes the first call",
	  fork_in_first_calls },
	{ "several threads fork", threads_fork },
	{ "vfork and exec", vfork_and_exec },
	{ "vfork and exec while other threads are inside the library",
	  vfork_with_threads },
};

const struct tap_suite tap_suite = {
	.about = "Tests fork",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
