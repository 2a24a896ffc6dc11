// SPDX-License-Identifier: MIT
/*
 * Mappings, of which allocators that punch holes run out. 65,536 alternating
 * pages are decommitted, for which two mappings each would be twice the default
 * limit.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "common.h"
#include "kernel_file.h"

#define HOLES	65536

static bool guards_are_off(void)
{
	const char *options = getenv("CHUNK_OPTIONS");

	return !on_device() && options && strstr(options, "guard:off");
}

static char *chunk_for_holes(size_t *size)
{
	char *chunk;

	need_no_mappings();
	*size = 2 * HOLES * page_size();
	if (page_size() > 16384)
		tap_skip("too much memory at %zu bytes a page", page_size());
	chunk = chunk_alloc(*size, 2 * MIB, false);
	expect(chunk);
	return chunk;
}

static size_t most_mappings(void)
{
	long most = get_number("/proc/sys/vm/max_map_count");

	expect(most > 0);
	return most;
}

/* Return whether holes cost mappings, as they do on kernels without guard pages. */
static bool make_holes(char *chunk)
{
	size_t page = page_size(), before = count_mappings(), added;

	for (size_t i = 0; i < HOLES; i++)
		pages_decommit(chunk + 2 * i * page, page);
	added = count_mappings() - before;
	tap_note("%d holes added %zu mappings", HOLES, added);
	expect(added <= 2 || (!on_device() && added > 1000));
	if (guards_are_off())
		expect(added > 2);
	return added > 2;
}

static void alternating_holes(void)
{
	size_t page = page_size(), size;
	char *chunk = chunk_for_holes(&size);
	bool cost;

	forbid_huge_pages();
	for (size_t i = 0; i < HOLES; i++)
		chunk[2 * i * page] = 1;
	chunk[page] = 7;
	chunk[size - 1] = 8;
	cost = make_holes(chunk);
	/*
	 * Some mappings are left to the program, and a line says that pages do
	 * not trap.
	 */
	if (cost && !plain_posix()) {
		expect(count_mappings() < most_mappings() * 29 / 32);
		expect(stats_now().untrapped > 0);
	} else if (!plain_posix()) {
		expect_equal(stats_now().untrapped, 0);
	}
	/* Whether all of them trap or not, no memory is behind them. */
	for (size_t i = 0; i < HOLES; i++)
		if (i % 251 == 0)
			expect_equal(resident_bytes(chunk + 2 * i * page, page),
				     0);
	if (on_device())
		for (size_t i = 0; i < HOLES; i += 97)
			expect(read_traps(chunk + 2 * i * page));
	expect(!read_traps(chunk + page) && chunk[page] == 7);
	expect(chunk[size - 1] == 8);
	expect_equal(stats_now().decommitted_bytes, HOLES * page);
}

static void all_come_back(void)
{
	size_t page = page_size(), size;
	char *chunk = chunk_for_holes(&size);

	make_holes(chunk);
	expect(pages_commit(chunk, size));
	expect_equal(stats_now().decommitted_bytes, 0);
	for (size_t i = 0; i < 2 * HOLES; i += 61) {
		expect_equal(chunk[i * page], 0);
		chunk[i * page] = 1;
	}
	make_holes(chunk);
	chunk_dealloc(chunk, size, ARENA_CHUNK);
	/* Without the device there may be no mapping left to make the page trap. */
	if (on_device()) {
		expect_trap(chunk);
		expect_trap(chunk + page);
		expect_trap(chunk + size - 1);
	}
	expect_equal(resident_bytes(chunk, size), 0);
	chunk = chunk_alloc(64 * MIB, 2 * MIB, false);
	expect(chunk);
	expect(is_zero(chunk, 64 * MIB));
	touch(chunk, 64 * MIB);
	expect_stats_consistent();
}

/* Chunks with guard pages, as an arena allocator makes them */
static void guarded_chunks(void)
{
	size_t page = page_size(), count = 256, mappings;
	char **chunks = calloc(count, sizeof(*chunks));

	chunks_init();
	mappings = count_mappings();
	for (size_t i = 0; i < count; i++) {
		chunks[i] = alloc_mib(1);
		pages_decommit(chunks[i] + page, page);
		pages_decommit(chunks[i] + MIB - page, page);
		chunks[i][2 * page] = 1;
	}
	tap_note("%zu guarded chunks took %zu mappings", count,
		 count_mappings() - mappings);
	if (on_device())
		expect(count_mappings() - mappings <= 16);
	for (size_t i = 0; i < count; i++)
		expect_trap_only(chunks[i] + page, page);
	for (size_t i = 0; i < count; i++)
		dealloc_mib(chunks[i], 1);
}

static void *run(void *arg)
{
	return arg;
}

/* Guards are given up for memory and bought back; the program keeps its own share. */
static void room_for_the_program(void)
{
	size_t page = page_size(), size;
	char *chunk = chunk_for_holes(&size);
	uint64_t untrapped;
	pthread_t thread;
	void *place;

	if (!make_holes(chunk) || plain_posix())
		tap_skip("holes do not cost mappings here");
	expect(!pthread_create(&thread, NULL, run, NULL));
	expect(!pthread_join(thread, NULL));
	place = mmap(NULL, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(place != MAP_FAILED);
	expect(chunk_alloc(8 * MIB, MIB, false));
	expect(pages_commit(chunk, size));
	expect(count_mappings() < 1000);
	/* libchunk finds out soon, though not at once, that there is room again. */
	for (size_t i = 0; i < most_mappings() / 16; i++)
		pages_decommit(chunk + 2 * i * page, page);
	untrapped = stats_now().untrapped;
	for (size_t i = HOLES - 100; i < HOLES; i++) {
		pages_decommit(chunk + 2 * i * page, page);
		expect(read_traps(chunk + 2 * i * page));
	}
	expect_equal(stats_now().untrapped, untrapped);
}

/* A range that was decommitted at once is committed page by page. */
static void page_by_page(void)
{
	size_t page = page_size(), size;
	char *chunk = chunk_for_holes(&size);

	if (plain_posix())
		tap_skip("libchunk does not know the limit of mappings here");
	pages_decommit(chunk, size);
	for (size_t i = 0; i < HOLES; i++) {
		expect(pages_commit(chunk + 2 * i * page, page));
		chunk[2 * i * page] = 1;
	}
	if (on_device())
		expect_trap(chunk + page);
	/* A write to a page that did not trap must have no effect. */
	store_traps(chunk + size - page, 1);
	for (size_t i = 0; i < HOLES; i += 97)
		expect(chunk[2 * i * page] == 1);
	expect(pages_commit(chunk, size));
	for (size_t i = 0; i < HOLES; i += 97)
		expect(chunk[2 * i * page] == 1 &&
		       chunk[(2 * i + 1) * page] == 0);
	expect(chunk[size - page] == 0);
}

/* Every readable page of a mapping is one that chunk_lookup() calls so. */
static size_t scan(const char *from, const char *to)
{
	size_t page = page_size(), read = 0;

	while (from < to) {
		struct chunk_info info = { .size = sizeof(info) };
		const char *end;

		chunk_lookup(from, &info);
		end = (const char *)info.end < to ? info.end : to;
		if (info.where == NO_CHUNK || info.committed) {
			for (; from < end; from += page, read++)
				expect(!read_traps(from));
		}
		from = end;
	}
	return read;
}

static size_t scan_readable(void)
{
	static char maps[1 << 17];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t length = 0, pages = 0;
	ssize_t got;

	/* Not by stdio, whose buffer may be a mapping that goes with the file. */
	expect(fd >= 0);
	while ((got = read(fd, maps + length, sizeof(maps) - 1 - length)) > 0)
		length += got;
	expect(got == 0 && length < sizeof(maps) - 1);
	close(fd);
	maps[length] = '\0';
	for (char *line = maps; *line; line += strcspn(line, "\n") + 1) {
		unsigned long from, to;
		char mode[8];

		expect(sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3);
		/* Pages of the kernel's own mappings may trap. */
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(mode, "rw", 2) && !strstr(line, "[v"))
			pages += scan((char *)from, (char *)to);
		line += strlen(line);
		*line = '\n';
	}
	return pages;
}

/* Scan memory as a garbage collector or a leak checker does. */
static void scanned(void)
{
	char *chunks[16];

	for (size_t i = 0; i < 16; i++) {
		chunks[i] = alloc_mib(1);
		fill(chunks[i], MIB, i);
		pages_decommit(chunks[i] + MIB - page_size(), page_size());
	}
	for (size_t i = 0; i < 16; i += 4)
		dealloc_mib(chunks[i], 1);
	expect(chunk_alloc_decommitted(64 * MIB, MIB));
	tap_note("%zu pages read", scan_readable());
}

/* Mappings that the program makes take room, and give it back. */
static void room(void)
{
	uint64_t before = stats_now().mapping_room, after;
	char *pages = pages_map(NULL, 64 * page_size());

	if (before == UINT64_MAX)
		tap_skip("this system does not tell");
	expect(pages);
	for (size_t i = 1; i < 64; i += 2)
		expect(!mprotect(pages + i * page_size(), page_size(), PROT_READ));
	after = stats_now().mapping_room;
	tap_note("%llu before, %llu after", (unsigned long long)before,
		 (unsigned long long)after);
	expect(before - after >= 63 && before - after <= 70);
	pages_unmap(pages, 64 * page_size());
	expect(stats_now().mapping_room - after >= 63);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "a large range comes back page by page", page_by_page },
	{ "mappings are left to the program", room_for_the_program },
	{ "65,536 alternating pages decommitted", alternating_holes },
	{ "all of them come back", all_come_back },
	{ "chunks with guard pages", guarded_chunks },
	{ "what /proc/self/maps calls readable, scanned without a trap",
	  scanned },
	{ "room for mappings", room },
};

const struct tap_suite tap_suite = {
	.about = "Tests the number of mappings",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
