// SPDX-License-Identifier: MIT
/*
 * Races of calls with each other and with all other operations on memory.
 *
 * Each case goes on for STRESS_SECONDS (4) and at least a number of rounds,
 * then checks the properties that hold in any order. Defects within the kernel
 * are for its own checks to report, so the suite is best run on the debug
 * kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "group.h"
#include "random.h"
#include "uapi.h"

#define PAGES		48	/* number of contested pages; as many lie between them */
#define SPAN		(((2 * PAGES + 1) * page_size() + MIB - 1) & -MIB)
#define LEAST_ROUNDS	20

static int fd;
static atomic_bool stop;
static atomic_uint turn;

static bool go_on(unsigned int rounds)
{
	static struct timespec start;
	const char *text = getenv("STRESS_SECONDS");
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!start.tv_sec)
		start = now;
	return rounds < LEAST_ROUNDS ||
	       now.tv_sec - start.tv_sec < (text ? atoi(text) : 4);
}

/*
 * Some cases count what they are about, in all threads, and go on until there are
 * STRESS_OPERATIONS of it.
 */
static atomic_ulong operations;

static bool enough(void)
{
	const char *text = getenv("STRESS_OPERATIONS");

	return !text ||
	       atomic_load(&operations) >= strtoul(text, NULL, 10);
}

/* Return the offset of a random page of so many bytes. */
static size_t any_page(uint64_t *state, size_t size)
{
	return random_below(state, size / page_size()) * page_size();
}

static pthread_t begin(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	expect(pthread_create(&thread, NULL, run, arg) == 0);
	return thread;
}

static void end(pthread_t *threads, size_t count)
{
	atomic_store(&stop, true);
	for (size_t i = 0; i < count; i++)
		expect(pthread_join(threads[i], NULL) == 0);
}

/*
 * Decommit against faults. Every other page is decommitted and committed again;
 * the pages between are left alone and must keep their contents.
 */
static char *contested;
static struct chunk_ioc_op contested_ops[PAGES];

static char *contested_page(size_t i)
{
	return contested + (2 * i + 1) * page_size();
}

static void change_contested(unsigned int what)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.count = PAGES,
		.ops = (uintptr_t)contested_ops,
	};

	for (size_t i = 0; i < PAGES; i++)
		contested_ops[i] = (struct chunk_ioc_op) {
			.addr = (uintptr_t)contested_page(i),
			.length = page_size(),
		};
	expect_equal(device_call(fd, CHUNK_IOC_BATCH, &args), 0);
	expect_equal(args.done, PAGES);
}

/* Read, write, or have the kernel write. Return whether that was allowed. */
static bool access_page(char *page, unsigned int how)
{
	char byte = 1;
	struct iovec local = { &byte, 1 }, remote = { page, 1 };

	switch (how % 4) {
	case 0:
		return !read_traps(page);
	case 1:
		return !store_traps(page, 1);
	case 2:
		return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) ==
		       1;
	default:
		return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
		       1;
	}
}

/* In odd turns the page is decommitted, from before the turn to after it. */
static void *fault_contested(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		unsigned int before = atomic_load(&turn);
		char *page = contested_page(random_below(&state, PAGES));
		bool let = access_page(page, random_next(&state));

		if (let && before % 2)
			expect(atomic_load(&turn) != before);
	}
	return NULL;
}

/* Fault on all pages in one call, one after the other until one is refused. */
static void *sweep_contested(void *arg)
{
	char bytes[PAGES] = { 0 };
	struct iovec local = { bytes, PAGES }, remote[PAGES];
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		size_t first = random_below(&state, PAGES);

		for (size_t i = first; i < PAGES; i++)
			remote[i] = (struct iovec) { contested_page(i), 1 };
		local.iov_len = PAGES - first;
		process_vm_writev(getpid(), &local, 1, remote + first,
				  PAGES - first, 0);
	}
	return NULL;
}

static void expect_between(void)
{
	size_t page = page_size();

	for (size_t i = 0; i <= PAGES; i++)
		expect(is_filled(contested + 2 * i * page, page, i));
}

/* A decommitted range has no page, not even in swap. */
static void expect_none_resident(int pagemap)
{
	const uint64_t there = (uint64_t)3 << 62;
	uint64_t entries[2 * PAGES + 1];

	expect(pread(pagemap, entries, sizeof(entries), (uintptr_t)contested /
		     page_size() * 8) == sizeof(entries));
	for (size_t i = 0; i < PAGES; i++)
		expect_equal(entries[2 * i + 1] & there, 0);
}

static void decommit_against_faults(void)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned int rounds = 0;
	pthread_t threads[3];

	fd = device_open();
	contested = device_alloc(fd, SPAN, MIB);
	for (size_t i = 0; i <= PAGES; i++)
		fill(contested + 2 * i * page_size(), page_size(), i);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		threads[i] = begin(i ? sweep_contested : fault_contested,
				   (void *)(i + 1));
	for (; go_on(rounds) || !enough(); rounds++) {
		change_contested(CHUNK_BATCH_DECOMMIT);
		atomic_fetch_add(&operations, PAGES);
		atomic_fetch_add(&turn, 1);
		expect_none_resident(pagemap);
		if (rounds % 8 == 0)
			expect_between();
		atomic_fetch_add(&turn, 1);
		change_contested(CHUNK_BATCH_COMMIT);
		/* Mostly decommit again at once, as the threads map the pages. */
		for (size_t i = 0; rounds % 8 == 0 && i < PAGES; i += 7)
			expect(!read_traps(contested_page(i)));
	}
	end(threads, TAP_COUNT(threads));
	expect_between();
	tap_note("%lu pages decommitted, %llu traps", atomic_load(&operations),
		 (unsigned long long)device_stats(fd).traps);
}

/*
 * Dealloc against writes: extents handed out are zero, whoever wrote before.
 * From then until the check has ended, nobody may write.
 */
static pthread_rwlock_t handing_out = PTHREAD_RWLOCK_INITIALIZER;

static void *write_contested(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		char *page = contested + any_page(&state, MIB);

		pthread_rwlock_rdlock(&handing_out);
		(void)access_page(page, 1 + random_below(&state, 2));
		pthread_rwlock_unlock(&handing_out);
		if (random_below(&state, 4) == 0)
			usleep(10);
	}
	return NULL;
}

static void dealloc_against_writes(void)
{
	unsigned int rounds = 0, same = 0;
	pthread_t threads[2];
	char *extent;

	fd = device_open();
	contested = device_alloc(fd, MIB, MIB);
	extent = contested;
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		threads[i] = begin(write_contested, (void *)(i + 1));
	for (; go_on(rounds); rounds++) {
		touch(extent, MIB / 4);
		/* Else a thread could write between madvise and DEALLOC. */
		if (!has_zap(fd))
			expect_equal(device_decommit(fd, extent, MIB), 0);
		expect_equal(device_dealloc(fd, extent, MIB), 0);
		expect_equal(resident_bytes(extent, MIB), 0);
		pthread_rwlock_wrlock(&handing_out);
		extent = device_alloc(fd, MIB, MIB);
		same += extent == contested;
		expect(is_zero(extent, MIB));
		pthread_rwlock_unlock(&handing_out);
	}
	end(threads, TAP_COUNT(threads));
	expect(same);
}

/* The recycle limit is never exceeded. */
#define LIMIT	(9 * MIB)

static void *churn(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	char *held[6] = { NULL };
	size_t sizes[6] = { 0 };

	while (!atomic_load(&stop)) {
		size_t i = random_below(&state, TAP_COUNT(held));

		if (held[i]) {
			expect_equal(*(uintptr_t *)held[i], (uintptr_t)held[i]);
			expect_equal(device_dealloc(fd, held[i], sizes[i]), 0);
			held[i] = NULL;
			continue;
		}
		sizes[i] = (1 + random_below(&state, 5)) * MIB;
		held[i] = device_alloc(fd, sizes[i],
				       MIB << random_below(&state, 3));
		expect(is_zero(held[i], 64));
		*(uintptr_t *)held[i] = (uintptr_t)held[i];
	}
	for (size_t i = 0; i < TAP_COUNT(held); i++)
		if (held[i])
			expect_equal(device_dealloc(fd, held[i], sizes[i]), 0);
	return NULL;
}

static void limit_is_exact(void)
{
	unsigned int rounds = 0, full = 0;
	pthread_t threads[4];

	fd = device_open();
	device_limit(fd, LIMIT);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		threads[i] = begin(churn, (void *)(i + 1));
	for (; go_on(rounds); rounds++) {
		struct chunk_ioc_stats s = device_stats(fd);

		expect(s.recycled_bytes <= LIMIT);
		full += s.recycled_bytes == LIMIT;
	}
	end(threads, TAP_COUNT(threads));
	expect_equal(device_stats(fd).live_extents, 0);
	expect_equal(device_stats(fd).recycled_bytes, LIMIT);
	expect_consistent(fd);
	tap_note("full in %u of %u looks", full, rounds);
}

/* The limit may be exceeded while it is lowered, but not afterwards. */
static void *change_limit(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop))
		device_limit(fd, random_below(&state, 20) * MIB);
	return NULL;
}

static void limit_changes(void)
{
	unsigned int rounds = 0;
	pthread_t threads[3];

	fd = device_open();
	threads[0] = begin(change_limit, (void *)1);
	for (size_t i = 1; i < TAP_COUNT(threads); i++)
		threads[i] = begin(churn, (void *)i);
	for (; go_on(rounds); rounds++)
		usleep(1000);
	end(threads, TAP_COUNT(threads));
	expect_consistent(fd);
	device_limit(fd, 0);
	expect_equal(device_stats(fd).recycled_bytes, 0);
}

/* Dealloc against lookup, commit and decommit of the same extents */
static char *_Atomic offered[8];

static void *offer(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		size_t i = random_below(&state, TAP_COUNT(offered));
		char *extent = atomic_exchange(&offered[i], NULL);

		if (extent) {
			expect_equal(device_dealloc(fd, extent, 2 * MIB), 0);
			continue;
		}
		extent = device_alloc(fd, 2 * MIB, MIB);
		extent = atomic_exchange(&offered[i], extent);
		if (extent)
			expect_equal(device_dealloc(fd, extent, 2 * MIB), 0);
	}
	return NULL;
}

static void look_at(char *extent, uint64_t *state)
{
	char *at = extent + any_page(state, 2 * MIB);
	struct chunk_ioc_lookup l;
	int error;

	switch (random_below(state, 3)) {
	case 0:
		l = device_lookup(fd, at);
		atomic_fetch_add(&operations, 1);
		if (!(l.state & CHUNK_STATE_LIVE))
			break;
		expect(l.addr <= (uintptr_t)at);
		expect((uintptr_t)at < l.addr + l.length);
		break;
	case 1:
		error = device_decommit(fd, at, page_size());
		expect(error == 0 || error == ENOENT);
		break;
	default:
		error = device_commit(fd, extent, 2 * MIB);
		expect(error == 0 || error == ENOENT);
	}
}

static void *look(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		size_t i = random_below(&state, TAP_COUNT(offered));
		char *extent = atomic_load(&offered[i]);

		if (extent)
			look_at(extent, &state);
	}
	return NULL;
}

static void dealloc_against_lookup(void)
{
	unsigned int rounds = 0;
	pthread_t threads[4];
	char *own;

	fd = device_open();
	own = device_alloc(fd, MIB, MIB);
	fill(own, MIB, 5);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		threads[i] = begin(i % 2 ? look : offer, (void *)(i + 1));
	for (; go_on(rounds) || !enough(); rounds++)
		expect(is_filled(own, MIB, 5));
	end(threads, TAP_COUNT(threads));
	for (size_t i = 0; i < TAP_COUNT(offered); i++)
		if (offered[i])
			expect_equal(device_dealloc(fd, offered[i], 2 * MIB),
				     0);
	expect_equal(device_stats(fd).live_bytes, MIB);
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	expect_consistent(fd);
	tap_note("%lu lookups", atomic_load(&operations));
}

/* Make all calls at once; each may have any result. */
static void disturb(char *arena, uint64_t *state)
{
	char *at = arena + any_page(state, 8 * MIB);
	size_t size = page_size() + any_page(state, MIB / 4);
	char *chunk = (char *)((uintptr_t)at & -MIB), *addr;

	switch (random_below(state, 10)) {
	case 0:
		device_decommit(fd, at, size);
		break;
	case 1:
		device_commit(fd, at, size);
		break;
	case 2:
		device_dealloc(fd, chunk, MIB);
		break;
	case 3:
		mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		     MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 4:
		mmap(chunk, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		     MAP_NORESERVE | MAP_FIXED, fd, 0);
		break;
	case 5:
		if (!try_alloc(fd, MIB, MIB, &addr))
			device_dealloc(fd, addr, MIB);
		break;
	case 6:
		mprotect(at, size, random_below(state, 4));
		break;
	case 7:
		madvise(at, size, random_below(state, 26));
		break;
	case 8:
		device_limit(fd, random_below(state, 10) * MIB);
		break;
	default:
		access_page(at, random_next(state));
	}
}

static void *disturbing(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop))
		disturb(contested, &state);
	return NULL;
}

/* Reserve address space, so that no foreign memory comes to lie there. */
static char *arena(void)
{
	char *place = anonymous(10 * MIB, PROT_NONE);

	place = (char *)(((uintptr_t)place + MIB - 1) & -MIB);
	expect(mmap(place, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED, fd, 0) == place);
	return place;
}

static void everything_at_once(void)
{
	unsigned int rounds = 0;
	pthread_t threads[4];
	char *stable;
	int other;

	fd = device_open();
	other = device_open();
	stable = device_alloc(other, 2 * MIB, MIB);
	fill(stable, MIB, 6);
	expect_equal(device_decommit(other, stable + MIB, MIB), 0);
	contested = arena();
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		threads[i] = begin(disturbing, (void *)(i + 1));
	for (; go_on(rounds); rounds++) {
		expect(is_filled(stable, MIB, 6));
		expect(read_traps(stable + MIB));
	}
	end(threads, TAP_COUNT(threads));
	expect_consistent(fd);
	close(fd);
	expect(munmap(contested, 8 * MIB) == 0);
}

/* The backing is chosen while the first memory is mapped: one of both comes first. */
static int *first_fd;
static atomic_uint first_ready;

static void *choose_huge(void *arg)
{
	(void)arg;
	for (unsigned int seen = 0; !atomic_load(&stop);) {
		struct chunk_ioc_configure args = {
			.size = sizeof(args),
			.backing = CHUNK_BACKING_HUGE,
		};

		if (atomic_load(&first_ready) == seen)
			continue;
		seen++;
		first_fd[1] = call(first_fd[0], CHUNK_IOC_CONFIGURE, &args);
		atomic_store(&first_ready, ++seen);
	}
	return NULL;
}

static void first_against_configure(void)
{
	unsigned int rounds = 0, huge = 0;
	pthread_t thread;
	int pair[2];

	fd = device_open();
	if (!has_zap(fd))
		tap_skip("no huge backing here");
	first_fd = pair;
	thread = begin(choose_huge, NULL);
	for (; go_on(rounds / 10); rounds++) {
		char *extent;

		pair[0] = device_open();
		atomic_fetch_add(&first_ready, 1);
		extent = device_mmap(pair[0], MIB, 0);
		while (atomic_load(&first_ready) % 2)
			;
		expect(!pair[1] || pair[1] == EBUSY);
		huge += !pair[1];
		expect_equal(device_decommit(pair[0], extent, MIB), 0);
		expect_equal(read_traps(extent), pair[1] == EBUSY);
		close(pair[0]);
		expect(munmap(extent, MIB) == 0);
	}
	end(&thread, 1);
	tap_note("%u of %u are huge", huge, rounds);
}

/* Fork, exit and kill, in the middle of all other calls */
static noreturn void short_life(bool killed)
{
	int inherited = fd;

	fd = device_open();
	expect(device_commit(inherited, contested, MIB) == EPERM);
	/* Threads do not outlive fork: these are the child's own. */
	contested = arena();
	for (size_t i = 0; i < 3; i++)
		begin(disturbing, (void *)(i + 100));
	while (device_stats(fd).decommits < 3)
		usleep(100);
	if (killed)
		kill(getpid(), SIGKILL);
	_exit(0);
}

static void fork_against_everything(void)
{
	char *stable, *guard;
	unsigned int rounds = 0;
	pthread_t threads[2];
	int other, status;

	fd = device_open();
	other = device_open();
	stable = device_alloc(other, 2 * MIB, MIB);
	guard = stable + MIB;
	expect_equal(device_decommit(other, guard, MIB), 0);
	contested = arena();
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		threads[i] = begin(disturbing, (void *)(i + 1));
	for (; go_on(rounds); rounds++) {
		pid_t child;

		fill(stable, 4 * page_size(), rounds);
		child = tap_fork();
		if (child == 0) {
			expect(is_filled(stable, 4 * page_size(), rounds));
			expect(read_traps(guard) && write_traps(guard));
			short_life(rounds % 2);
		}
		/* Copy on write works in this direction, too. */
		fill(stable, 4 * page_size(), rounds + 1);
		expect(waitpid(child, &status, 0) == child);
		expect(rounds % 2 ? WIFSIGNALED(status) &&
		       WTERMSIG(status) == SIGKILL : status == 0);
		expect(is_filled(stable, 4 * page_size(), rounds + 1));
	}
	end(threads, TAP_COUNT(threads));
	tap_note("%u forks", rounds);
}

/*
 * A process is killed while DEALLOC is about to unmap, as another thread unmaps
 * the same memory, and the lock is waited for.
 */
static noreturn void *unmap_offered(void *arg)
{
	(void)arg;
	for (;;) {
		char *extent = atomic_load(&offered[0]);

		if (extent)
			munmap(extent, MIB);
	}
}

static noreturn void *hold_lock(void *arg)
{
	(void)arg;
	for (;;)
		munmap(mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_POPULATE, -1, 0), 4 * MIB);
}

static noreturn void give_back_and_be_killed(atomic_uint *rounds)
{
	fd = device_open();
	device_limit(fd, 0);
	begin(unmap_offered, NULL);
	begin(hold_lock, NULL);
	for (;; atomic_fetch_add(rounds, 1)) {
		char *extent = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_NORESERVE, fd, 0);

		atomic_store(&offered[0], extent);
		device_dealloc(fd, extent, MIB);
		atomic_store(&offered[0], NULL);
	}
}

static void killed_while_unmapping(void)
{
	atomic_uint *given = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int rounds = 0;

	expect(given != MAP_FAILED);
	/* Few of the kills hit that moment. */
	for (; go_on(rounds / 10); rounds++) {
		unsigned int before = atomic_load(given);
		pid_t child = tap_fork();

		if (child == 0)
			give_back_and_be_killed(given);
		while (atomic_load(given) < before + 3)
			usleep(100 + rounds * 37 % 1000);
		kill(child, SIGKILL);
		expect(waitpid(child, NULL, 0) == child);
	}
	tap_note("%u killed, %u given back", rounds, atomic_load(given));
}

/*
 * DEALLOC unmaps without a lock that would keep others from mapping in the same
 * place. Here they map another extent of the device; and at the limit of
 * mappings the unmapping fails, since it would cut the new mapping in two. In
 * any case no address may belong to two extents.
 */
#define REPLACED	(3 * MIB)

static char *given_back;
static pthread_barrier_t at_once;

static void *map_over_given_back(void *arg)
{
	uint64_t state = 3;

	for (;;) {
		pthread_barrier_wait(&at_once);
		if (atomic_load(&stop))
			return arg;
		usleep(random_below(&state, 1 + *(unsigned int *)arg));
		expect(mmap(given_back - MIB, REPLACED, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd, 0) ==
		       given_back - MIB);
		pthread_barrier_wait(&at_once);
	}
}

static void *commit_all(void *arg)
{
	atomic_uintptr_t *all = arg;

	while (!atomic_load(&stop))
		device_commit(fd, (char *)atomic_load(all), 4096 * GIB);
	return NULL;
}

/* Count the mappings, but for the kernel's own. */
static unsigned int mappings(void)
{
	unsigned int count = 0;
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512];

	expect(file);
	while (fgets(line, sizeof(line), file))
		count += !strstr(line, "[vsyscall]");
	fclose(file);
	return count;
}

static void limit_mappings(unsigned int most)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", most);
	write_to("/proc/sys/vm/max_map_count", text);
}

/* Allocate three adjoining extents of which the first has nothing below it. */
static char *alloc_lowest(void)
{
	char *lowest = NULL, *extent, *below;

	for (size_t i = 0; i < 3; i++) {
		extent = device_alloc(fd, MIB, MIB);
		if (!lowest || extent < lowest)
			lowest = extent;
	}
	below = mmap(lowest - MIB, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		     MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (below == MAP_FAILED)
		return NULL;
	expect(munmap(below, MIB) == 0);
	return lowest;
}

/* An extent handed out must not overlap another. */
static void expect_owned_once(void)
{
	struct chunk_ioc_lookup over = device_lookup(fd, given_back - MIB);
	char *again = device_alloc(fd, MIB, MIB);

	expect(over.state & CHUNK_STATE_LIVE);
	expect_equal(over.addr, (uintptr_t)given_back - MIB);
	expect_equal(over.length, REPLACED);
	expect(again + MIB <= given_back - MIB ||
	       again >= given_back - MIB + REPLACED);
	expect_equal(device_lookup(fd, given_back + MIB).addr, over.addr);
	expect_consistent(fd);
}

/* Return how many rounds ended with a hole in the new mapping. */
static unsigned int unmap_against_mmap(bool limited)
{
	unsigned int delay = 2000, rounds = 0, holes = 0;
	pthread_t threads[2];
	atomic_uintptr_t all;

	atomic_init(&all, 0);
	expect(pthread_barrier_init(&at_once, NULL, 2) == 0);
	fd = device_open();
	threads[0] = begin(map_over_given_back, &delay);
	threads[1] = begin(commit_all, &all);
	for (; go_on(rounds / 4); rounds++) {
		int before = fd, error;

		fd = device_open();
		device_limit(fd, 0);
		atomic_store(&all, (uintptr_t)device_mmap(fd, 4096 * GIB, 0));
		given_back = alloc_lowest();
		if (given_back) {
			if (limited)
				limit_mappings(mappings());
			pthread_barrier_wait(&at_once);
			error = device_dealloc(fd, given_back, MIB);
			/*
			 * EINVAL: the other thread was first, so the address
			 * was another extent's.
			 */
			expect(!error || error == EINVAL || error == ESTALE);
			pthread_barrier_wait(&at_once);
			limit_mappings(65530);
			holes += msync(given_back, page_size(), MS_ASYNC) != 0;
			expect_owned_once();
			expect(munmap(given_back - MIB, 64 * MIB) == 0);
		}
		expect(munmap((char *)atomic_load(&all), 4096 * GIB) == 0);
		close(before);
	}
	atomic_store(&stop, true);
	pthread_barrier_wait(&at_once);
	end(threads, TAP_COUNT(threads));
	tap_note("%u rounds, %u holes", rounds, holes);
	return holes;
}

static void unmap_fails_against_mmap(void)
{
	unmap_against_mmap(true);
}

static void unmap_works_against_mmap(void)
{
	unmap_against_mmap(false);
}

/* Fault by reading while the page table is freed. */
static void *drop_page_table(void *arg)
{
	while (!atomic_load(&stop))
		madvise(arg, 2 * MIB, MADV_DONTNEED);
	return NULL;
}

static void *read_pages(void *arg)
{
	uint64_t state = (uintptr_t)arg;

	while (!atomic_load(&stop))
		expect_equal(contested[any_page(&state, 2 * MIB)], 0);
	return NULL;
}

static void reads_against_page_tables(void)
{
	unsigned int rounds = 0;
	pthread_t threads[4];

	fd = device_open();
	contested = device_alloc(fd, 2 * MIB, 2 * MIB);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		threads[i] = i % 2 ? begin(read_pages, (void *)i) :
				     begin(drop_page_table, contested);
	for (; go_on(rounds); rounds++)
		usleep(1000);
	end(threads, TAP_COUNT(threads));
	expect_consistent(fd);
}

/* Reclaim as the system does, of caches and of these very pages. */
static void *reclaim(void *arg)
{
	while (!atomic_load(&stop)) {
		write_to("/proc/sys/vm/drop_caches", "3");
		write_to("/proc/sys/vm/compact_memory", "1");
		madvise(arg, 2 * MIB, MADV_PAGEOUT);
		usleep(1000);
	}
	return NULL;
}

static void reclaim_against_everything(void)
{
	unsigned int rounds = 0;
	pthread_t threads[3];
	char *extent;

	fd = device_open();
	extent = device_alloc(fd, 2 * MIB, MIB);
	fill(extent, MIB, 1);
	threads[0] = begin(reclaim, extent);
	for (size_t i = 1; i < TAP_COUNT(threads); i++)
		threads[i] = begin(churn, (void *)i);
	for (; go_on(rounds); rounds++) {
		fill(extent + MIB, MIB / 2, rounds);
		expect(is_filled(extent + MIB, MIB / 2, rounds));
		expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
		expect_equal(resident_bytes(extent + MIB, MIB), 0);
		expect(is_filled(extent, MIB, 1));
		expect_equal(device_commit(fd, extent + MIB, MIB), 0);
		expect(is_zero(extent + MIB, MIB / 4));
	}
	end(threads, TAP_COUNT(threads));
}

static void swapped(void)
{
	size_t page = page_size();
	char *extent;

	need_swap();
	group_make("16M", "max");
	group_join();
	fd = device_open();
	extent = device_alloc(fd, 40 * MIB, MIB);
	fill(extent, 40 * MIB, 9);
	for (size_t at = 0; at < 40 * MIB; at += MIB)
		expect_equal(device_decommit(fd, extent + at, page), 0);
	for (size_t at = 0; at < 40 * MIB; at += MIB) {
		expect_trap(extent + at);
		expect(is_filled(extent + at + page, MIB - page,
				 9 + at + page));
	}
	expect_equal(device_decommit(fd, extent, 20 * MIB), 0);
	expect_equal(device_commit(fd, extent, 20 * MIB), 0);
	expect(is_zero(extent, MIB));
	group_remove();
}

static void out_of_memory(void)
{
	struct tap_outcome outcome = { 0 };
	pid_t child;
	char *own;

	fd = device_open();
	own = device_alloc(fd, MIB, MIB);
	fill(own, MIB, 2);
	group_make("24M", "0");
	group_join();
	child = tap_fork();
	if (child == 0) {
		fd = device_open();
		fill(device_alloc(fd, 64 * MIB, MIB), 64 * MIB, 1);
		_exit(0);
	}
	expect(waitpid(child, &outcome.status, 0) == child);
	group_remove();
	expect(WIFSIGNALED(outcome.status) &&
	       WTERMSIG(outcome.status) == SIGKILL);
	expect(is_filled(own, MIB, 2));
	expect_consistent(fd);
}

static const struct tap_case cases[] = {
	{ "decommit against faults", decommit_against_faults },
	{ "dealloc against writes", dealloc_against_writes },
	{ "the limit is exact", limit_is_exact },
	{ "the limit is exact after it has changed", limit_changes },
	{ "dealloc against lookup, commit, decommit", dealloc_against_lookup },
	{ "the first mapping against the choice of the backing",
	  first_against_configure },
	{ "everything at once", everything_at_once },
	{ "fork, exit and kill against everything", fork_against_everything },
	{ "reads against page tables that are freed",
	  reads_against_page_tables },
	{ "killed while DEALLOC unmaps",
	  killed_while_unmapping },
	{ "mapped anew while DEALLOC unmaps, at the limit of mappings",
	  unmap_fails_against_mmap },
	{ "mapped anew while DEALLOC unmaps, below the limit",
	  unmap_works_against_mmap },
	{ "reclaim against everything", reclaim_against_everything },
	{ "swapped out and in by a control group", swapped },
	{ "killed by the OOM killer", out_of_memory },
};

const struct tap_suite tap_suite = {
	.about = "Tests calls of the device against each other and all else",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
