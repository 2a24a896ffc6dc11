// SPDX-License-Identifier: MIT
/*
 * The library in processes of all kinds: before main, after exec, without
 * standard files, with all files closed, under libraries that replace libc's
 * functions, as another user, in a thread that is not the first.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

/* Some C libraries' headers are older than this. */
#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

/* On these machines the C library has to be asked. */
#ifdef __alpha__
#define LIBC_MMAP	true
#else
#define LIBC_MMAP	plain_posix()
#endif

/* Get the path of a file beside this program, in memory that is not freed. */
static char *beside(const char *name)
{
	char *path = calloc(1, PATH_MAX);
	ssize_t length;

	expect(path);
	length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	expect(length > 0);
	path[length] = '\0';
	dirname(path);
	strncat(path, "/", PATH_MAX - 1 - strlen(path));
	strncat(path, name, PATH_MAX - 1 - strlen(path));
	return path;
}

static void run_helper(const char *command, const char *variable)
{
	char options[256] = "";
	char *const argv[] = { beside("helper"), (char *)command, NULL };
	char *const environment[] = { (char *)variable, options, NULL };
	struct tap_outcome outcome;

	if (getenv("CHUNK_OPTIONS"))
		snprintf(options, sizeof(options), "CHUNK_OPTIONS=%s",
			 getenv("CHUNK_OPTIONS"));
	tap_exec(&outcome, argv, environment);
	if (*outcome.text)
		tap_note("stderr: %s", outcome.text);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 0);
}

static void before_main(void)
{
	run_helper("early", "HELPER_EARLY=1");
}

static void before_constructors(void)
{
#ifndef __GLIBC__
	tap_skip("glibc calls functions that early, others may not");
#endif
	run_helper("first", "HELPER_FIRST=1");
}

static void be_nobody(void)
{
	expect(setgid(65534) == 0 && setuid(65534) == 0);
}

/*
 * Make a copy of the helper, without a name, that anyone can execute. Take the
 * one that needs no library, whose folder may not be readable for everyone.
 */
static int copy_helper(mode_t mode)
{
	char name[] = "/tmp/chunk-helper.XXXXXX";
	int from = open(beside("../static/helper"), O_RDONLY | O_CLOEXEC);
	int to = mkstemp(name);
	int copy;
	char buffer[4096];
	ssize_t length;

	expect(from >= 0 && to >= 0);
	while ((length = read(from, buffer, sizeof(buffer))) > 0)
		expect(write(to, buffer, length) == length);
	expect(!fchmod(to, mode));
	close(to);
	copy = open(name, O_RDONLY);
	expect(copy >= 0 && !unlink(name));
	return copy;
}

/* Tell whether libchunk reads the options. */
static bool knows_options(int copy)
{
	char path[32];
	char *const argv[] = { path, "many", NULL };
	char *const environment[] = { "CHUNK_OPTIONS=nonsense:1", NULL };
	struct tap_outcome outcome;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	tap_exec(&outcome, argv, environment);
	expect_equal(outcome.status, 0);
	return strstr(outcome.text, "nonsense");
}

static void with_rights(void)
{
	struct statvfs system;
	int plain, privileged;

	if (geteuid())
		tap_skip("needs to be root");
	if (plain_posix())
		tap_skip("POSIX has no such rights");
	if (getenv("TAP_UNDER"))
		tap_skip("the emulator would get the rights, not the program");
	expect(!statvfs("/tmp", &system));
	if (system.f_flag & (ST_NOSUID | ST_NOEXEC))
		tap_skip("/tmp is mounted nosuid or noexec");
	plain = copy_helper(0755);
	privileged = copy_helper(04755);
	be_nobody();
	/* Otherwise root would own /proc/self/fd. */
	expect(!prctl(PR_SET_DUMPABLE, 1));
	expect(knows_options(plain));
	expect(!knows_options(privileged));
}

static void after_exec(void)
{
	char *chunk = alloc_mib(2);

	fill(chunk, 2 * MIB, 1);
	run_helper("exec", "A=");
	expect(is_filled(chunk, 2 * MIB, 1));
}

/* Keep extents, or skip the case where none can be. */
static void reuse(void)
{
	if (!chunk_set_reuse(REUSE_OFFERED, 64 * MIB))
		tap_skip("no memory can be offered here");
}

/* Kept extents are neither passed on nor lost when a child executes a program. */
static void exec_with_kept_extents(void)
{
	char *chunk = alloc_mib(2);
	bool zero;

	reuse();
	fill(chunk, 2 * MIB, 1);
	dealloc_mib(chunk, 2);
	run_helper("exec", "A=");
	expect_equal(stats_now().offered_bytes, 2 * MIB);
	expect(chunk_alloc_dirty(2 * MIB, MIB, &zero) == chunk);
	expect(is_filled(chunk, 2 * MIB, 1) || is_zero(chunk, 2 * MIB));
	dealloc_mib(chunk, 2);
	expect(alloc_mib(2) == chunk);
	expect(is_zero(chunk, 2 * MIB));
	expect_stats_consistent();
}

static void without_files(void)
{
	run_helper("without-files", "A=");
}

static void with_many(void)
{
	run_helper("many", "A=");
}

static void under_interposition(void)
{
	char preload[PATH_MAX + 16];

	if (LIBC_MMAP)
		tap_skip("libchunk calls libc's mmap here");
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
		 beside("interpose.so"));
	run_helper("interposed", preload);
}

static void interposed_and_early(void)
{
	char preload[PATH_MAX + 16];

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s",
		 beside("interpose.so"));
	setenv("HELPER_EARLY", "1", 1);
	run_helper("many", preload);
}

static bool leads_to_device(int dir, const char *name)
{
	char target[64];
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	target[length < 0 ? 0 : length] = '\0';
	return !strcmp(target, "/dev/chunk");
}

/* Count the descriptors of the device, all of which exec must close. */
static size_t device_descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t found = 0;

	expect(fds);
	while ((entry = readdir(fds))) {
		int flags;

		if (!leads_to_device(dirfd(fds), entry->d_name))
			continue;
		flags = fcntl(atoi(entry->d_name), F_GETFD);
		expect(flags >= 0 && (flags & FD_CLOEXEC));
		found++;
	}
	closedir(fds);
	return found;
}

static void close_on_exec(void)
{
	pid_t child;

	alloc_mib(1);
	expect_equal(device_descriptors(), on_device() ? 1 : 0);
	child = tap_fork();
	if (child == 0) {
		alloc_mib(1);
		device_descriptors();
		_exit(0);
	}
	tap_join(child);
}

static void use_after_closing(char *chunk)
{
	char *fresh;

	expect(is_filled(chunk, 4 * MIB, 1));
	pages_decommit(chunk, MIB);
	expect_equal(resident_bytes(chunk, MIB), 0);
	expect(pages_commit(chunk, MIB));
	expect(is_zero(chunk, MIB));
	expect(is_filled(chunk + MIB, MIB, 1 + MIB));
	fresh = alloc_mib(2);
	expect(is_zero(fresh, 2 * MIB));
	fill(fresh, 2 * MIB, 2);
	dealloc_mib(chunk, 4);
	dealloc_mib(fresh, 2);
	expect(is_zero(alloc_mib(3), 3 * MIB));
}

/* The allocator holds a lock that the interposed mmap wants, too. */
static void allocator_under_interposition(void)
{
	char preload[2 * PATH_MAX + 16];

	if (LIBC_MMAP)
		tap_skip("libchunk calls libc's mmap here");
	/* Here the loader's second openat() fails with EFAULT, for its own string. */
	if (getenv("TAP_UNDER") && page_size() == 65536)
		tap_skip("the emulator cannot load two libraries with such pages");
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s:%s",
		 beside("allocator.so"), beside("interpose.so"));
	run_helper("allocator", preload);
}

/* Daemons close all files. */
static void all_files_closed(void)
{
	char *chunk = alloc_mib(4);

	fill(chunk, 4 * MIB, 1);
	expect(syscall(SYS_close_range, 3, TAP_FD - 1, 0) == 0);
	expect(syscall(SYS_close_range, TAP_FD + TAP_FDS, ~0U, 0) == 0);
	use_after_closing(chunk);
}

/* The soft limit is 1024; some descriptors are left for the test itself. */
#define MOST_FILES	1000

/* Worse than closed: the numbers now belong to other files. */
static void all_files_replaced(void)
{
	char *chunk = alloc_mib(4);
	int null = open("/dev/null", O_RDWR);

	fill(chunk, 4 * MIB, 1);
	for (int fd = 3; fd < MOST_FILES; fd++)
		if (fd < TAP_FD || fd >= TAP_FD + TAP_FDS)
			expect(fd == null || dup2(null, fd) == fd);
	use_after_closing(chunk);
	/* libchunk has left the other files alone. */
	for (int fd = 3; fd < MOST_FILES; fd++)
		expect(fcntl(fd, F_GETFD) != -1);
}

static void no_files_left(void)
{
	char *chunk;

	while (dup(STDIN_FILENO) >= 0)
		;
	expect_equal(errno, EMFILE);
	if (getenv("CHUNK_OPTIONS") && strstr(getenv("CHUNK_OPTIONS"),
					      "device"))
		tap_skip("the device was demanded and cannot be opened");
	chunk = alloc_mib(2);
	expect(is_zero(chunk, 2 * MIB));
	fill(chunk, 2 * MIB, 1);
	dealloc_mib(chunk, 2);
}

static void another_user(void)
{
	char *chunk;

	if (geteuid())
		tap_skip("not root");
	be_nobody();
	chunk = alloc_mib(2);
	check_backend();
	fill(chunk, 2 * MIB, 1);
	pages_decommit(chunk + MIB / 2, MIB / 2);
	expect_trap_only(chunk + MIB / 2, MIB / 2);
	dealloc_mib(chunk, 2);
}

static void *leave_open(void *arg)
{
	char *chunk = alloc_mib(2);

	fill(chunk, 2 * MIB, (uintptr_t)arg);
	return chunk;
}

/* Chunks must outlive the thread that used the library first. */
static void first_user_is_gone(void)
{
	pthread_t thread;
	void *chunk;

	expect(pthread_create(&thread, NULL, leave_open, (void *)5) == 0);
	expect(pthread_join(thread, &chunk) == 0);
	expect(is_filled(chunk, 2 * MIB, 5));
	pages_decommit(chunk, MIB);
	expect_trap(chunk);
	dealloc_mib(chunk, 2);
	expect(is_zero(alloc_mib(2), 2 * MIB));
}

/* The mapping has a name for readers of /proc/PID/maps. */
static void named_mapping(void)
{
	char *chunk = alloc_mib(1);
	char name[128];

	if (plain_posix())
		tap_skip("no names in POSIX");
	*chunk = 1;
	expect(mapping_name(chunk, name, sizeof(name)));
	tap_note("the mapping is called \"%s\"", name);
	if (!on_device() &&
	    prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, chunk, page_size(), NULL))
		tap_skip("this kernel names no anonymous mappings");
	expect(strstr(name, "chunk"));
}

/*
 * A plug-in is loaded and unloaded, and libchunk with it. Return the chunk that it
 * had and gave back; with @keep its memory is kept, if that can be.
 */
static char *load_and_unload(const char *path, bool keep)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	bool (*set_reuse)(enum chunk_reuse reuse, size_t limit);
	void *(*alloc)(size_t size, size_t alignment, bool base);
	void (*dealloc)(void *chunk, size_t size, enum chunk_type type);
	char *chunk;

	if (!library)
		tap_note("%s", dlerror());
	expect(library);
	/* ISO C has no conversion of a data pointer into a function pointer. */
	*(void **)&set_reuse = dlsym(library, "chunk_set_reuse");
	*(void **)&alloc = dlsym(library, "chunk_alloc");
	*(void **)&dealloc = dlsym(library, "chunk_dealloc");
	expect(set_reuse && alloc && dealloc);
	if (keep && !set_reuse(REUSE_OFFERED, 64 * MIB))
		tap_skip("no memory can be offered here");
	chunk = alloc(4 * MIB, MIB, false);
	expect(chunk && is_zero(chunk, 4 * MIB));
	fill(chunk, 4 * MIB, 1);
	dealloc(chunk, 4 * MIB, UNKNOWN_CHUNK);
	expect(!dlclose(library));
	return chunk;
}

static size_t count_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	size_t count = 0;

	expect(all);
	while (readdir(all))
		count++;
	closedir(all);
	return count;
}

static void load_often(bool keep)
{
	char *path = beside("../../libchunk.so"), *chunk;
	size_t descriptors, mappings;

	if (access(path, R_OK))
		tap_skip("there is no %s", path);
	chunk = load_and_unload(path, keep);
	descriptors = count_descriptors();
	mappings = count_mappings();
	for (size_t i = 0; i < 8; i++)
		expect(load_and_unload(path, keep) == chunk || !keep);
	expect_equal(count_descriptors(), descriptors);
	expect_equal(count_mappings(), mappings);
}

static void loaded_again(void)
{
	load_often(false);
}

/* The library stays, so what it keeps is still known to it. */
static void loaded_with_kept_extents(void)
{
	load_often(true);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "used from a constructor before main and a destructor after",
	  before_main },
	{ "used before any constructor", before_constructors },
	{ "no options from the user of a program with more rights",
	  with_rights },
	{ "nothing of the device is open after exec", after_exec },
	{ "extents that are kept for reuse while a child executes a program",
	  exec_with_kept_extents },
	{ "descriptors of the device are closed on exec", close_on_exec },
	{ "stdin, stdout and stderr closed", without_files },
	{ "every descriptor closed behind the library's back",
	  all_files_closed },
	{ "every descriptor replaced behind the library's back",
	  all_files_replaced },
	{ "no descriptor is left", no_files_left },
	{ "libc's functions replaced: none is called", under_interposition },
	{ "libc's functions replaced, used from a constructor",
	  interposed_and_early },
	{ "a malloc on libchunk under a mmap that calls dlsym and malloc",
	  allocator_under_interposition },
	{ "thousands of chunks", with_many },
	{ "as a user without privileges", another_user },
	{ "the first thread to use libchunk has ended", first_user_is_gone },
	{ "mappings are named", named_mapping },
	{ "loaded and unloaded again and again", loaded_again },
	{ "unloaded with extents that are kept for reuse",
	  loaded_with_kept_extents },
};

const struct tap_suite tap_suite = {
	.about = "Tests processes of all kinds",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
