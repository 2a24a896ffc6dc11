// SPDX-License-Identifier: MIT
/* The calls that fail_test.c makes fail: see fail.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fail.h"

/* Unlike call(), this makes no other call that could fail in between. */
static int raw(int fd, unsigned long command, void *arg)
{
	return syscall(SYS_ioctl, fd, command, arg) ? errno : 0;
}

static int run_open(struct world *world)
{
	world->fresh = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	return world->fresh < 0 ? errno : 0;
}

static int run_info(struct world *world)
{
	struct chunk_ioc_info args = { .size = sizeof(args) };

	return raw(world->fd, CHUNK_IOC_INFO, &args);
}

static void open_fresh(struct world *world)
{
	world->fresh = device_open();
}

static int run_configure(struct world *world)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.grow = 8 * MIB,
	};

	return raw(world->fresh, CHUNK_IOC_CONFIGURE, &args);
}

static int alloc(struct world *world, int fd, size_t length, size_t alignment,
		 unsigned int flags)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = flags,
		.length = length,
		.alignment = alignment,
	};
	int error = raw(fd, CHUNK_IOC_ALLOC, &args);

	if (!error) {
		world->made = (char *)(uintptr_t)args.addr;
		world->length = length;
	}
	return error;
}

static int run_alloc_first(struct world *world)
{
	return alloc(world, world->fresh, MIB, MIB, 0);
}

static int run_alloc_recycled(struct world *world)
{
	return alloc(world, world->fd, 3 * MIB, MIB, 0);
}

static int run_alloc_cut(struct world *world)
{
	return alloc(world, world->fd, MIB, 2 * MIB, 0);
}

static int run_alloc_large(struct world *world)
{
	return alloc(world, world->fd, 300 * MIB, 64 * MIB, 0);
}

static int run_alloc_populate(struct world *world)
{
	return alloc(world, world->fd, MIB, MIB, CHUNK_ALLOC_POPULATE);
}

/* Unmap a page, so that the device has to look for mappings. */
static void unmap_something(struct world *world)
{
	expect(munmap(world->c, page_size()) == 0);
	expect_equal(device_dealloc(world->fd, world->c, MIB), ESTALE);
	world->c = NULL;
}

/* @extent is NULL afterwards if the call succeeds. */
static int dealloc(struct world *world, char **extent, size_t length)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.addr = (uintptr_t)*extent,
		.length = length,
	};
	int error = raw(world->fd, CHUNK_IOC_DEALLOC, &args);

	if (!error)
		*extent = NULL;
	return error;
}

static int run_dealloc(struct world *world)
{
	return dealloc(world, &world->a, 4 * MIB);
}

static void limit_to_part(struct world *world)
{
	device_limit(world->fd, device_stats(world->fd).recycled_bytes + MIB);
}

static void limit_to_none(struct world *world)
{
	device_limit(world->fd, 0);
}

static int run_dealloc_mmap(struct world *world)
{
	return dealloc(world, &world->b, 2 * MIB);
}

static int range(struct world *world, unsigned long command, char *addr,
		 size_t length, unsigned int flags)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.flags = flags,
		.addr = (uintptr_t)addr,
		.length = length,
	};

	return raw(world->fd, command, &args);
}

/* If the call succeeds, @a is no longer as it was. */
static int change_a(struct world *world, unsigned long command, size_t length)
{
	int error = range(world, command, world->a, length, 0);

	if (!error)
		world->a = NULL;
	return error;
}

static int run_commit(struct world *world)
{
	return change_a(world, CHUNK_IOC_COMMIT, 4 * MIB);
}

static void decommit_b(struct world *world)
{
	expect_equal(device_decommit(world->fd, world->b, 2 * MIB), 0);
}

static int run_commit_part(struct world *world)
{
	return range(world, CHUNK_IOC_COMMIT, world->b + MIB / 2, MIB, 0);
}

static int run_commit_populate(struct world *world)
{
	return range(world, CHUNK_IOC_COMMIT, world->b + MIB / 2, MIB / 4,
		     CHUNK_COMMIT_POPULATE);
}

static int run_decommit(struct world *world)
{
	return change_a(world, CHUNK_IOC_DECOMMIT, MIB);
}

static int run_decommit_part(struct world *world)
{
	return range(world, CHUNK_IOC_DECOMMIT, world->b + MIB / 2, MIB, 0);
}

static int run_lookup(struct world *world)
{
	struct chunk_ioc_lookup args = {
		.size = sizeof(args),
		.addr = (uintptr_t)world->a,
	};

	return raw(world->fd, CHUNK_IOC_LOOKUP, &args);
}

static int run_stats(struct world *world)
{
	struct chunk_ioc_stats args = { .size = sizeof(args) };

	return raw(world->fd, CHUNK_IOC_STATS, &args);
}

static int run_limit(struct world *world)
{
	struct chunk_ioc_limit args = { .size = sizeof(args), .limit = MIB };

	return raw(world->fd, CHUNK_IOC_LIMIT, &args);
}

/* The structure is longer than the kernel's, which copies it another way. */
static int run_longer(struct world *world)
{
	struct {
		struct chunk_ioc_stats stats;
		__u64 more[2];
	} args = { .stats.size = sizeof(args) };

	return raw(world->fd, CHUNK_IOC_STATS, &args);
}

static int batch(struct world *world, unsigned int what)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.count = FAIL_BATCH,
		.ops = (uintptr_t)world->ops,
	};

	return raw(world->fd, CHUNK_IOC_BATCH, &args);
}

static void ready_batch_alloc(struct world *world)
{
	for (size_t i = 0; i < FAIL_BATCH; i++)
		world->ops[i] = (struct chunk_ioc_op) {
			.length = (i + 1) * MIB,
			.alignment = MIB << i % 3,
		};
}

static void ready_batch_ranges(struct world *world)
{
	for (size_t i = 0; i < FAIL_BATCH; i++)
		world->ops[i] = (struct chunk_ioc_op) {
			.addr = (uintptr_t)(i % 2 ? world->a : world->b) +
				i * page_size(),
			.length = page_size(),
		};
}

static void ready_batch_dealloc(struct world *world)
{
	for (size_t i = 0; i < FAIL_BATCH; i++)
		world->ops[i] = (struct chunk_ioc_op) {
			.addr = (uintptr_t)device_alloc(world->fd, MIB, MIB),
			.length = MIB,
		};
	limit_to_part(world);
}

static int run_batch_alloc(struct world *world)
{
	return batch(world, CHUNK_BATCH_ALLOC);
}

static int run_batch_dealloc(struct world *world)
{
	return batch(world, CHUNK_BATCH_DEALLOC);
}

static int run_batch_commit(struct world *world)
{
	return batch(world, CHUNK_BATCH_COMMIT);
}

static int run_batch_decommit(struct world *world)
{
	return batch(world, CHUNK_BATCH_DECOMMIT);
}

static int map(struct world *world, size_t length, unsigned int log2)
{
	void *addr = mmap(NULL, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_NORESERVE, world->fd,
			  CHUNK_MMAP_ALIGN(log2, 4096));

	if (addr == MAP_FAILED)
		return errno;
	world->made = addr;
	world->length = length;
	return 0;
}

static int run_mmap(struct world *world)
{
	return map(world, 2 * MIB, 0);
}

/* The mapping takes more than one node of the registry. */
static int run_mmap_large(struct world *world)
{
	return map(world, 200 * MIB, 26);
}

static int run_munmap(struct world *world)
{
	if (munmap(world->c + MIB / 2, page_size()))
		return errno;
	world->c = NULL;
	return 0;
}

static int run_mprotect(struct world *world)
{
	return mprotect(world->c + MIB / 2, page_size(), PROT_READ) ? errno : 0;
}

static int run_madvise(struct world *world)
{
	return madvise(world->c + MIB / 2, page_size(), MADV_DONTDUMP) ?
	       errno : 0;
}

static int run_mlock(struct world *world)
{
	if (mlock(world->c, 4 * page_size()))
		return errno;
	return munlock(world->c, 4 * page_size()) ? errno : 0;
}

static int run_mremap(struct world *world)
{
	/* The call is refused in the end, and all that was done until then is undone. */
	expect(mremap(world->c, MIB, 2 * MIB, MREMAP_MAYMOVE) == MAP_FAILED);
	return errno == EINVAL ? 0 : errno;
}

/*
 * A child keeps all data and all guards. If the guards could not be copied, no
 * page becomes present any more: pages that were never written trap, too.
 */
static void as_inherited(struct world *world)
{
	size_t page = page_size();

	expect(is_filled(world->a + 2 * MIB, 2 * MIB, 3));
	expect(is_filled(world->b, 4 * page, 4));
	expect(read_traps(world->a) && write_traps(world->a));
	expect(read_traps(world->a + MIB) && write_traps(world->a + MIB));
	expect(read_traps(world->a + 2 * MIB - page));
	if (!read_traps(world->a + page))
		expect(is_zero(world->a + page, MIB - page));
	fill(world->b, 4 * page, 99);
	_exit(0);
}

static int run_fork(struct world *world)
{
	pid_t child = fork();

	if (child < 0)
		return errno;
	if (child == 0)
		as_inherited(world);
	tap_join(child);
	return 0;
}

/* A failure in a fault has no error to return: the kernel tries again. */
static int run_write(struct world *world)
{
	touch(world->c, MIB / 8);
	expect(is_zero(world->c + 1, page_size() - 1));
	world->c = NULL;
	return 0;
}

static int run_read(struct world *world)
{
	expect(is_zero(world->c, MIB / 2));
	return 0;
}

static void map_words(struct world *world)
{
	if (has_words(world->fd))
		world->words = words_page(world->fd, world->a);
}

static int run_map_words(struct world *world)
{
	atomic_uint *words = words_page(world->fd, world->a);

	if (!words)
		return errno;
	expect_equal(atomic_load(words), 0);
	return 0;
}

/* The first touch makes the page. The kernel tries again until it succeeds. */
static int run_touch_words(struct world *world)
{
	if (world->words)
		expect_equal(atomic_exchange(world->words, CHUNK_WORD_OFFERED), 0);
	return 0;
}

/* Chunks of @a are offered, but for those whose contents are checked. */
static void offer_two(struct world *world)
{
	map_words(world);
	for (size_t i = 0; world->words && i < 2; i++)
		word_offer(world->words + i);
}

static int run_dealloc_offered(struct world *world)
{
	int error = run_dealloc(world);

	for (size_t i = 0; world->words && i < 2; i++)
		expect_equal(atomic_load(world->words + i),
			     error ? CHUNK_WORD_OFFERED : 0);
	return error;
}

/* The words are set while the chunks are free. */
static void free_and_offer(struct world *world)
{
	map_words(world);
	run_touch_words(world);
	expect_equal(run_dealloc(world), 0);
	for (size_t i = 0; world->words && i < 4; i++)
		word_offer(world->words + i);
}

static int run_alloc_offered(struct world *world)
{
	size_t words = CHUNK_WORDS_SPAN(page_size()) / MIB, at;
	int error = alloc(world, world->fd, 4 * MIB, MIB, 0);
	atomic_uint *first;

	if (error || !world->words)
		return error;
	first = (atomic_uint *)((uintptr_t)world->words & -page_size());
	at = (uintptr_t)world->made / MIB % words;
	for (size_t i = at; i < at + 4 && i < words; i++)
		expect_equal(atomic_load(first + i), 0);
	return 0;
}

/* Neither chunk has contents to lose, since check() looks at both. */
static int run_discard(struct world *world)
{
	int error = drop_slab() ? 0 : errno;

	for (size_t i = 0; world->words && i < 2; i++)
		expect(word_take(world->words + i) != TAKEN_BUSY);
	return error;
}

#define HUGE(title, before, function) \
	{ "huge backing: " title, FAIL_HUGE, before, function }

const struct fail_call fail_calls[] = {
	{ "open", FAIL_CORE, NULL, run_open },
	{ "INFO", 0, NULL, run_info },
	{ "CONFIGURE", 0, open_fresh, run_configure },
	{ "ALLOC, the first", 0, open_fresh, run_alloc_first },
	{ "ALLOC of what is kept for reuse", 0, NULL, run_alloc_recycled },
	{ "ALLOC by cutting", 0, NULL, run_alloc_cut },
	{ "ALLOC of more than there is", 0, NULL, run_alloc_large },
	{ "ALLOC, populated", 0, NULL, run_alloc_populate },
	{ "ALLOC where something was unmapped", 0, unmap_something,
	  run_alloc_cut },
	{ "DEALLOC", 0, NULL, run_dealloc },
	{ "DEALLOC, cut by the limit", 0, limit_to_part, run_dealloc },
	{ "DEALLOC, to be unmapped", 0, limit_to_none, run_dealloc_mmap },
	{ "COMMIT", 0, NULL, run_commit },
	{ "COMMIT of part of a chunk", 0, decommit_b, run_commit_part },
	{ "COMMIT, populated", FAIL_PARTS, decommit_b, run_commit_populate },
	{ "DECOMMIT", 0, NULL, run_decommit },
	{ "DECOMMIT of part of a chunk", 0, NULL, run_decommit_part },
	{ "LOOKUP", 0, NULL, run_lookup },
	{ "STATS", 0, NULL, run_stats },
	{ "a longer structure", 0, NULL, run_longer },
	{ "LIMIT", 0, NULL, run_limit },
	{ "BATCH of ALLOC", FAIL_PARTS, ready_batch_alloc, run_batch_alloc },
	{ "BATCH of DEALLOC", FAIL_PARTS, ready_batch_dealloc,
	  run_batch_dealloc },
	{ "BATCH of COMMIT", FAIL_PARTS, ready_batch_ranges,
	  run_batch_commit },
	{ "BATCH of DECOMMIT", FAIL_PARTS, ready_batch_ranges,
	  run_batch_decommit },
	{ "mmap", 0, NULL, run_mmap },
	{ "mmap of much", 0, NULL, run_mmap_large },
	{ "munmap that splits", FAIL_CORE, NULL, run_munmap },
	{ "mprotect that splits", FAIL_CORE, NULL, run_mprotect },
	{ "madvise that splits", FAIL_CORE, NULL, run_madvise },
	{ "mlock that splits", FAIL_CORE, NULL, run_mlock },
	{ "mremap, refused", FAIL_CORE, NULL, run_mremap },
	{ "fork", FAIL_CORE, NULL, run_fork },
	{ "write faults", 0, NULL, run_write },
	{ "read faults", 0, NULL, run_read },
	{ "mmap of words", 0, NULL, run_map_words },
	{ "first touch of words", 0, map_words, run_touch_words },
	{ "DEALLOC of offered chunks", 0, offer_two, run_dealloc_offered },
	{ "ALLOC of chunks offered while they were free", 0, free_and_offer,
	  run_alloc_offered },
	{ "drop_caches with offered chunks", FAIL_CORE | FAIL_PARTS, offer_two,
	  run_discard },
	HUGE("ALLOC", NULL, run_alloc_cut),
	HUGE("ALLOC of more than there is", NULL, run_alloc_large),
	HUGE("ALLOC, populated", NULL, run_alloc_populate),
	HUGE("DEALLOC, cut by the limit", limit_to_part, run_dealloc),
	HUGE("COMMIT", NULL, run_commit),
	HUGE("DECOMMIT of part of a chunk", NULL, run_decommit_part),
	HUGE("mmap", NULL, run_mmap),
	HUGE("DEALLOC of offered chunks", offer_two, run_dealloc_offered),
	{ "huge backing: drop_caches with offered chunks",
	  FAIL_HUGE | FAIL_CORE | FAIL_PARTS, offer_two, run_discard },
};

const size_t fail_calls_count = TAP_COUNT(fail_calls);
