// SPDX-License-Identifier: MIT
/*
 * Processes in adverse conditions: all memory is locked, few files can be
 * opened, or the device's descriptor was replaced by another.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "common.h"

/* Call a bit of everything, on a chunk of 4 MiB filled with seed 1. */
static void use(char *chunk)
{
	char *fresh = alloc_mib(3);

	expect(is_zero(fresh, 3 * MIB));
	fill(fresh, 3 * MIB, 2);
	expect(is_filled(chunk, 4 * MIB, 1));
	pages_decommit(chunk + MIB, MIB);
	expect_equal(resident_bytes(chunk + MIB, MIB), 0);
	expect_trap_only(chunk + MIB, MIB);
	expect(pages_commit(chunk + MIB, MIB));
	expect(is_zero(chunk + MIB, MIB));
	fill(chunk + MIB, MIB, 3);
	expect(pages_purge(chunk + MIB, MIB, true));
	expect(is_zero(chunk + MIB, MIB));
	expect(is_filled(chunk, MIB, 1));
	dealloc_mib(chunk, 4);
	expect_trap(chunk);
	expect_trap(chunk + 4 * MIB - 1);
	chunk = alloc_mib(4);
	expect(is_zero(chunk, 4 * MIB));
	dealloc_mib(chunk, 4);
	chunk_set_recycle_limit(0);
	expect(is_filled(fresh, 3 * MIB, 2));
	dealloc_mib(fresh, 3);
	expect_stats_consistent();
}

static char *filled_chunk(void)
{
	char *chunk = alloc_mib(4);

	fill(chunk, 4 * MIB, 1);
	return chunk;
}

static void one_locked(void)
{
	char *chunk = filled_chunk();

	if (mlock(chunk, 4 * MIB))
		tap_skip("memory cannot be locked here: %s", strerror(errno));
	use(chunk);
}

static void lock_everything(int flags)
{
	if (mlockall(flags))
		tap_skip("memory cannot be locked here: %s", strerror(errno));
}

static void all_locked(void)
{
	char *chunk = filled_chunk();

	lock_everything(MCL_CURRENT | MCL_FUTURE);
	use(chunk);
}

static void locked_from_the_start(void)
{
	lock_everything(MCL_CURRENT | MCL_FUTURE);
	use(filled_chunk());
}

static void become_nobody(void)
{
	if (geteuid())
		return;
	expect(setgid(65534) == 0 && setuid(65534) == 0);
	/* The tests look into /proc/self, which only a dumpable process may do. */
	expect(prctl(PR_SET_DUMPABLE, 1) == 0);
}

/* Memory that must be locked and cannot be is refused; nothing else happens. */
static void no_more_to_be_locked(void)
{
	struct rlimit limit;
	char *chunks[32];
	size_t count = 0;

	expect(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (limit.rlim_max > 16 * MIB)
		limit.rlim_max = 16 * MIB;
	limit.rlim_cur = limit.rlim_max;
	expect(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	become_nobody();
	lock_everything(MCL_FUTURE);
	while (count < TAP_COUNT(chunks) &&
	       (chunks[count] = chunk_alloc(MIB, MIB, false))) {
		expect(is_zero(chunks[count], MIB));
		fill(chunks[count], MIB, count);
		count++;
	}
	tap_note("%zu MiB before there were no more", count);
	if (count == TAP_COUNT(chunks))
		tap_skip("RLIMIT_MEMLOCK is not obeyed here");
	expect_equal(errno, ENOMEM);
	expect(!pages_map(NULL, 32 * MIB));
	expect_equal(errno, ENOMEM);
	for (size_t i = 0; i < count; i++)
		expect(is_filled(chunks[i], MIB, i));
	expect_stats_consistent();
	expect(munlockall() == 0);
	use(filled_chunk());
}

/* Find the descriptor of the device. Return -1 if there is none. */
static int device_descriptor(void)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64];
	int found = -1;

	expect(fds);
	while ((entry = readdir(fds))) {
		ssize_t length = readlinkat(dirfd(fds), entry->d_name, target,
					    sizeof(target) - 1);

		target[length < 0 ? 0 : length] = '\0';
		if (!strcmp(target, "/dev/chunk"))
			found = atoi(entry->d_name);
	}
	closedir(fds);
	return found;
}

/* The descriptor is as high as the limit on files allows; at worst not stderr. */
static void descriptor_is_high(void)
{
	static const struct { unsigned int limit; int least; } cases[] = {
		{ 1024, 512 }, { 300, 128 }, { 100, 32 }, { 20, 3 },
	};

	for (size_t i = 0; i < TAP_COUNT(cases); i++) {
		pid_t child = tap_fork();
		struct rlimit limit;

		if (child) {
			tap_join(child);
			continue;
		}
		expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
		limit.rlim_cur = cases[i].limit;
		expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		if (!on_device())
			_exit(0);
		expect(device_descriptor() >= cases[i].least);
		expect(fcntl(device_descriptor(), F_GETFD) & FD_CLOEXEC);
		_exit(0);
	}
}

/*
 * The file looks like the device's but has none of our chunks. Memory from the
 * old file stays as it is, and so does the stranger's extent.
 */
static void descriptor_is_of_another_context(void)
{
	char *chunk = filled_chunk();
	int ours = device_descriptor(), other;

	if (ours < 0)
		tap_skip("the device is not in use");
	other = open("/dev/chunk", O_RDWR | O_CLOEXEC);
	expect(other >= 0);
	expect(dup2(other, ours) == ours);
	close(other);
	use(chunk);
	expect(fcntl(ours, F_GETFD) != -1);
}

/* A pipe can be read and written: it must still hold the bytes put into it. */
static void descriptor_is_a_pipe(void)
{
	char *chunk = filled_chunk(), text[8] = "";
	int ours = device_descriptor(), ends[2];

	if (ours < 0)
		tap_skip("the device is not in use");
	expect(pipe(ends) == 0);
	expect(dup2(ends[1], ours) == ours);
	close(ends[1]);
	use(chunk);
	expect(write(ours, "still", 5) == 5);
	expect(close(ours) == 0);
	expect(read(ends[0], text, sizeof(text)) == 5);
	expect(!strcmp(text, "still"));
	expect(read(ends[0], text, sizeof(text)) == 0);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "a chunk is locked", one_locked },
	{ "everything is locked", all_locked },
	{ "everything is locked before the first use",
	  locked_from_the_start },
	{ "everything is locked, and no more can be", no_more_to_be_locked },
	{ "the device's descriptor is high and closed on exec",
	  descriptor_is_high },
	{ "the descriptor is of another context of the device",
	  descriptor_is_of_another_context },
	{ "the descriptor is a pipe's", descriptor_is_a_pipe },
};

const struct tap_suite tap_suite = {
	.about = "Tests hostile processes",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
