// SPDX-License-Identifier: MIT
/*
 * Program that the suites run as a fresh process: libchunk used from a
 * constructor, with another environment, under another library, without
 * standard files.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "common.h"

/* Priorities up to 100 are the system's; libchunk must not need any earlier. */
static char *early;
static pid_t early_process;

static void __attribute__((constructor(101))) before_main(void)
{
	if (!getenv("HELPER_EARLY"))
		return;
	early = chunk_alloc(4 * MIB, 4 * MIB, false);
	if (!early)
		_exit(9);
	fill(early, 4 * MIB, 1);
	pages_decommit(early + MIB, MIB);
	early_process = getpid();
}

/*
 * Runs before any constructor, the C library's included. getenv() finds nothing
 * yet, so CHUNK_OPTIONS has no effect.
 */
static char *first;

static void before_constructors(int argc, char **argv, char **environment)
{
	(void)argv;
	if (argc != 2)
		return;
	/* Emulators run these functions in reverse order. */
	while (*environment && strncmp(*environment, "HELPER_FIRST=", 13))
		environment++;
	if (!*environment)
		return;
	first = chunk_alloc(2 * MIB, 4 * MIB, false);
	if (!first)
		_exit(9);
	fill(first, 2 * MIB, 1);
	pages_decommit(first + MIB, page_size());
}

static void (*const preinit)(int argc, char **argv, char **environment)
__attribute__((section(".preinit_array"), used)) = before_constructors;

static void __attribute__((destructor(101))) after_main(void)
{
	if (early && early_process == getpid())
		chunk_dealloc(early, 4 * MIB, UNKNOWN_CHUNK);
}

/* Call a bit of everything. */
static void use(void)
{
	char *chunk = chunk_alloc(2 * MIB, 4 * MIB, false);
	char *mapped = pages_map(NULL, MIB);

	expect(chunk && mapped);
	expect(is_zero(chunk, 2 * MIB));
	fill(chunk, 2 * MIB, 1);
	pages_decommit(chunk + MIB / 2, MIB / 2);
	expect_trap_only(chunk + MIB / 2, MIB / 2);
	pages_decommit(chunk, MIB);
	expect(pages_commit(chunk, MIB));
	expect(is_zero(chunk, MIB));
	pages_purge(chunk, 2 * MIB, true);
	dealloc_mib(chunk, 2);
	expect(is_zero(alloc_mib(2), 2 * MIB));
	chunk_set_recycle_limit(0);
	dealloc_mib(alloc_mib(3), 3);
	pages_unmap(mapped, MIB);
	expect(chunk_alloc(MIB, MIB, true));
	expect_stats_consistent();
}

static void check_early(void)
{
	expect(early);
	expect(chunk_is_live(early));
	expect(is_filled(early, MIB, 1));
	expect_trap_only(early + MIB, MIB);
	expect(is_filled(early + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
	use();
}

static void check_first(void)
{
	expect(first);
	expect(chunk_is_live(first));
	expect(is_filled(first, MIB, 1));
	expect_trap_only(first + MIB, page_size());
	dealloc_mib(first, 2);
	use();
}

/* No descriptor below 3 may come into being, and no message go anywhere. */
static void without_files(void)
{
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	use();
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
			_exit(4 + fd);
}

/* After exec, only descriptors of the device that this program has opened are open. */
static void no_device_open(void)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64];

	expect(fds);
	while ((entry = readdir(fds))) {
		ssize_t length = readlinkat(dirfd(fds), entry->d_name, target,
					    sizeof(target) - 1);

		target[length < 0 ? 0 : length] = '\0';
		expect(!strstr(target, "chunk"));
	}
	closedir(fds);
	use();
}

/* Under interpose.so: libchunk has called no function that it replaces. */
static void interposed(void)
{
	atomic_uint *calls = dlsym(RTLD_DEFAULT, "interposed_calls");
	const char **last = dlsym(RTLD_DEFAULT, "interposed_last");
	char *chunk;

	expect(calls && last);
	/* Check that calls do go to interpose.so. */
	*calls = 0;
	free(malloc(1));
	expect_equal(*calls, 2);
	*calls = 0;
	chunks_init();
	chunk = chunk_alloc(2 * MIB, 4 * MIB, false);
	pages_decommit(chunk, MIB);
	if (!pages_commit(chunk, MIB))
		_exit(5);
	pages_purge(chunk, MIB, true);
	chunk_dealloc(chunk, 2 * MIB, UNKNOWN_CHUNK);
	chunk_dealloc(chunk_alloc(MIB, MIB, false), MIB, ZEROED_CHUNK);
	chunk_set_recycle_limit(0);
	pages_unmap(pages_map(NULL, MIB), MIB);
	chunk_alloc(MIB, MIB, true);
	stats_now();
	if (*calls)
		tap_note("libchunk called %s of libc", *last);
	expect_equal(*calls, 0);
	use();
}

#define BLOCKS	200

static void *take_and_free(void *seed)
{
	uint64_t random = (uintptr_t)seed;
	char *blocks[BLOCKS] = { NULL };

	for (int i = 0; i < 20 * BLOCKS; i++) {
		char **block = &blocks[random_below(&random, BLOCKS)];
		size_t size = 1 + random_below(&random, i % 16 ? 500 : 3 * MIB);

		if (*block)
			expect(**block == (char)(uintptr_t)seed);
		free(*block);
		*block = malloc(size);
		expect(*block);
		**block = (char)(uintptr_t)seed;
	}
	return NULL;
}

/* malloc uses libchunk, and mmap calls malloc: see allocator.c. */
static void allocator(void)
{
	atomic_uint *chunks = dlsym(RTLD_DEFAULT, "allocator_chunks");
	atomic_uint *calls = dlsym(RTLD_DEFAULT, "interposed_calls");
	unsigned int before;
	pthread_t threads[4];

	expect(chunks && calls);
	before = *calls;
	expect(mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	       MAP_FAILED);
	expect(*calls > before);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(!pthread_create(&threads[i], NULL, take_and_free,
				       (void *)(i + 1)));
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(!pthread_join(threads[i], NULL));
	expect(*chunks > 10);
	use();
}

/* With many small extents libchunk needs memory for itself again and again. */
static void many(void)
{
	static void *chunks[3000];

	for (size_t i = 0; i < TAP_COUNT(chunks); i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < TAP_COUNT(chunks); i += 2)
		dealloc_mib(chunks[i], 1);
	for (size_t i = 1; i < TAP_COUNT(chunks); i += 2)
		dealloc_mib(chunks[i], 1);
}

static const struct tap_case commands[] = {
	{ "use", use }, { "early", check_early },
	{ "without-files", without_files }, { "exec", no_device_open },
	{ "interposed", interposed }, { "many", many },
	{ "first", check_first }, { "allocator", allocator },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < TAP_COUNT(commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		commands[i].run();
		return 0;
	}
	fprintf(stderr, "Usage: %s COMMAND\nRun by the test suites.\n",
		argv[0]);
	return 2;
}
