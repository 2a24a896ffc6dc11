// SPDX-License-Identifier: MIT
/* A fake operating system for tests: see fake_os.h. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "common.h"
#include "fake_os.h"
#include "os.h"

#define ARENA	(512 * MIB)
#define SMALLEST	4096

/* State of a page */
enum state { FREE, COMMITTED, DECOMMITTED };

struct fake_os fake = {
	.page = 65536,
	.partial = true,
	.most = ARENA,
	.unmap_error = -ENOMEM,
	.populate_error = -EOPNOTSUPP,
};

struct chunk_os_caps chunk_os_caps;
const char *const chunk_os_name = "fake";
const char *const chunk_os_mappings_advice = "";

static char *arena;
static unsigned char state[ARENA / SMALLEST];
static bool is_first[ARENA / SMALLEST + 1];

static size_t pages(size_t bytes)
{
	return bytes / fake.page;
}

static size_t page_of(const void *addr)
{
	return ((uintptr_t)addr - (uintptr_t)arena) / fake.page;
}

static bool in_arena(const void *addr, size_t size)
{
	uintptr_t offset = (uintptr_t)addr - (uintptr_t)arena;

	return size && size % fake.page == 0 && offset % fake.page == 0 &&
	       offset < ARENA && size <= ARENA - offset;
}

/* The arena is aligned to its size, so that all alignments occur in it. */
static void arena_start(void)
{
	char *got;

	if (arena)
		return;
	got = mmap(NULL, 2 * ARENA, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	expect(got != MAP_FAILED);
	arena = (char *)(((uintptr_t)got + ARENA - 1) & ~(uintptr_t)(ARENA - 1));
}

static bool is_all(size_t page, size_t count, enum state is)
{
	for (size_t i = 0; i < count; i++)
		if (state[page + i] != is)
			return false;
	return true;
}

static bool is_mapped(const void *addr, size_t size)
{
	if (!in_arena(addr, size))
		return false;
	for (size_t i = 0; i < pages(size); i++)
		if (state[page_of(addr) + i] == FREE)
			return false;
	return true;
}

/* Count a call, and decide if it fails. */
static bool fails(enum fake_call call, void *addr, size_t size)
{
	unsigned long nth = ++fake.calls[call];

	arena_start();
	if (fake.before)
		fake.before(call, addr, size);
	return nth == fake.fail_at[call] ||
	       (fake.fail_from[call] && nth >= fake.fail_from[call]) ||
	       (fake.odds && random_below((uint64_t *)&fake.seed, fake.odds) == 0);
}

/* Map pages anew, so that they hold nothing. */
static void renew(char *addr, size_t size, int prot)
{
	expect(mmap(addr, size, prot,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) == addr);
}

static void occupy(char *addr, size_t size)
{
	renew(addr, size, PROT_READ | PROT_WRITE);
	memset(state + page_of(addr), COMMITTED, pages(size));
	memset(is_first + page_of(addr), 0, pages(size));
	is_first[page_of(addr)] = true;
	/* The page after it begins another mapping. */
	if (page_of(addr) + pages(size) < pages(ARENA))
		is_first[page_of(addr) + pages(size)] = true;
	fake.mapped += size;
}

static char *find_place(size_t size)
{
	size_t count = pages(size), total = pages(ARENA);

	for (size_t i = 0; i + count <= total; i++) {
		size_t at = fake.bottom_up ? i : total - count - i;

		if (is_all(at, count, FREE))
			return arena + at * fake.page;
	}
	return NULL;
}

int chunk_os_map(void *addr, size_t size, void **out)
{
	char *place = addr;

	expect(size && size % fake.page == 0);
	expect((uintptr_t)addr % fake.page == 0);
	if (fails(FAKE_MAP, addr, size) || size > fake.most - fake.mapped)
		return -ENOMEM;
	if (!place)
		place = find_place(size);
	if (!place)
		return -ENOMEM;
	if (!in_arena(place, size) ||
	    !is_all(page_of(place), pages(size), FREE))
		return -EEXIST;
	occupy(place, size);
	*out = place;
	return 0;
}

static bool is_one_mapping(const void *addr, size_t size)
{
	size_t page = page_of(addr), count = pages(size);

	if (!is_first[page] || (page + count < pages(ARENA) &&
				state[page + count] != FREE &&
				!is_first[page + count]))
		return false;
	for (size_t i = 1; i < count; i++)
		if (is_first[page + i])
			return false;
	return true;
}

int chunk_os_unmap(void *addr, size_t size)
{
	bool fail = fails(FAKE_UNMAP, addr, size);

	expect(is_mapped(addr, size));
	expect(fake.partial || is_one_mapping(addr, size));
	if (fail) {
		unmap_failed = true;
		return fake.unmap_error;
	}
	fake_release(addr, size);
	return 0;
}

static void commit_pages(size_t page, size_t count)
{
	size_t end = page + count, run;

	for (; page < end; page += run) {
		for (run = 0; page + run < end &&
		     state[page + run] == DECOMMITTED; run++)
			state[page + run] = COMMITTED;
		if (run)
			renew(arena + page * fake.page, run * fake.page,
			      PROT_READ | PROT_WRITE);
		else
			run = 1;
	}
}

int chunk_os_commit(void *addr, size_t size)
{
	bool fail = fails(FAKE_COMMIT, addr, size);

	expect(is_mapped(addr, size));
	/* Real systems, too, fail half way through. */
	commit_pages(page_of(addr), pages(size) / (1 + fail));
	return fail ? -ENOMEM : 0;
}

int chunk_os_decommit(void *addr, size_t size)
{
	bool fail = fails(FAKE_DECOMMIT, addr, size);

	expect(is_mapped(addr, size));
	/* The memory is freed in any case; it does not trap after a failure. */
	renew(addr, size, fail ? PROT_READ | PROT_WRITE : PROT_NONE);
	memset(state + page_of(addr), fail ? COMMITTED : DECOMMITTED,
	       pages(size));
	return fail ? -ENOMEM : 0;
}

int chunk_os_purge(void *addr, size_t size)
{
	bool fail = fails(FAKE_PURGE, addr, size);

	expect(is_mapped(addr, size));
	expect(is_all(page_of(addr), pages(size), COMMITTED));
	if (fail)
		return -EINVAL;
	renew(addr, size, PROT_READ | PROT_WRITE);
	return 0;
}

int chunk_os_offer(void *addr, size_t size)
{
	expect(is_mapped(addr, size));
	expect(is_all(page_of(addr), pages(size), COMMITTED));
	if (fake.offer_way == OFFER_NONE)
		return -EOPNOTSUPP;
	fake.offers++;
	return 0;
}

int chunk_os_take(void *addr, size_t size)
{
	expect(is_mapped(addr, size));
	fake.takes++;
	return fake.takes == fake.take_fails_at ? -ENOMEM : fake.take_error;
}

void chunk_os_nap(void)
{
	fake.naps++;
}

unsigned int chunk_os_pid(void)
{
	return fake.no_forks ? 0 : getpid();
}

void chunk_os_wait(atomic_uint *word, unsigned int value)
{
	(void)word;
	(void)value;
	usleep(100);
}

void chunk_os_wake(atomic_uint *word)
{
	(void)word;
}

const char *chunk_os_getenv(const char *name)
{
	(void)name;
	return fake.options;
}

void chunk_os_print(const char *text, size_t length)
{
	fake.complaints++;
	if (length < sizeof(fake.message)) {
		memcpy(fake.message, text, length);
		fake.message[length] = '\0';
	}
	/* Tests in which unmapping fails would print too many of these. */
	if (!memmem(text, length, ": unmap(", 8) &&
	    write(STDERR_FILENO, text, length) < 0)
		abort();
}

int chunk_os_map_aligned(size_t size, size_t alignment, void **out)
{
	(void)size;
	(void)alignment;
	(void)out;
	return -EOPNOTSUPP;
}

int chunk_os_reserve(size_t size, size_t alignment, void **out)
{
	(void)size;
	(void)alignment;
	(void)out;
	return -EOPNOTSUPP;
}

bool chunk_os_is_mapped(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return true;
}

int chunk_os_populate(void *addr, size_t size)
{
	(void)addr;
	expect(size);
	fake.populates++;
	return fake.populate_error;
}

void chunk_os_init(bool guards)
{
	(void)guards;
	chunk_os_caps = (struct chunk_os_caps) {
		.page_size = fake.page,
		.can_unmap_partially = fake.partial,
		.has_huge_pages = !fake.no_huge,
		.zero_on_commit = true,
		.waits_for_memory = fake.stalls,
		.offer_way = fake.offer_way,
	};
}

/**
 * fake_take() - map a place as if another library did
 * @addr: first byte
 * @size: bytes
 *
 * Return: whether it was free.
 */
bool fake_take(void *addr, size_t size)
{
	if (!in_arena(addr, size) ||
	    !is_all(page_of(addr), pages(size), FREE))
		return false;
	occupy(addr, size);
	return true;
}

/**
 * fake_release() - unmap a place
 * @addr: first byte; all of it is mapped
 * @size: bytes
 */
void fake_release(void *addr, size_t size)
{
	renew(addr, size, PROT_NONE);
	memset(state + page_of(addr), FREE, pages(size));
	memset(is_first + page_of(addr), 0, pages(size));
	if (page_of(addr) + pages(size) < pages(ARENA) &&
	    state[page_of(addr) + pages(size)] != FREE)
		is_first[page_of(addr) + pages(size)] = true;
	fake.mapped -= size;
}
