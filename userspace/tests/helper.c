// SPDX-License-Identifier: MIT
/*
 * What the suites run in a fresh process: libchunk used from a constructor,
 * with another environment, under another library, without standard files.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

/* Priorities up to 100 are the system's; libchunk must not need any before. */
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

static void __attribute__((destructor(101))) after_main(void)
{
	if (early && early_process == getpid())
		chunk_dealloc(early, 4 * MIB, UNKNOWN_CHUNK);
}

/* A bit of everything */
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

/* No descriptor below 3 may come to exist, nor a message go anywhere. */
static void without_files(void)
{
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	use();
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
			_exit(4 + fd);
}

/* After exec: nothing of the device's is open here that was not opened here. */
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

/* Under interpose.so: nothing that it replaces was called. */
static void interposed(void)
{
	atomic_uint *calls = dlsym(RTLD_DEFAULT, "interposed_calls");
	const char **last = dlsym(RTLD_DEFAULT, "interposed_last");
	char *chunk;

	expect(calls && last);
	/* Proof that calls do go there. */
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

/* Many small pieces, so that libchunk needs memory for itself again and again */
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
