// SPDX-License-Identifier: MIT
/*
 * chunk_backend_reason() and verbose:on: why chunks come from where they come from.
 * Each case is a process to which the real thing happens: a node that it does not
 * see, or may not open, a limit, a fork, a closed descriptor. filter_test has the
 * errors that only a filter of system calls can bring about.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common.h"
#include "kernel_file.h"

#define NOBODY	65534

/**
 * struct setting - a process, and the reason that it must find
 * @prepare: called before the first use of libchunk; may be NULL: nothing
 * @options: CHUNK_OPTIONS besides verbose:on
 * @device:  it is on the device
 * @word:    result of chunk_backend_reason()
 * @says:    part of the line on stderr
 */
struct setting {
	void (*prepare)(void);
	const char *options;
	bool device;
	const char *word;
	const char *says;
};

static bool has_module(void)
{
	return !access("/sys/class/chunk", F_OK) && !plain_posix();
}

static void need_module(void)
{
	if (!has_module())
		tap_skip("the module is not loaded");
	if (overcommit_mode() == 2)
		tap_skip("the device is not even tried");
}

static void set_options(const char *options)
{
	char text[64];

	snprintf(text, sizeof(text), "verbose:on,%s", options);
	tap_setenv("CHUNK_OPTIONS", text);
}

static void expect_reason(bool device, const char *word)
{
	const char *reason = chunk_backend_reason();

	if (strcmp(reason, word))
		tap_note("the reason is %s, not %s", reason, word);
	expect(!strcmp(reason, word));
	expect_equal(on_device(), device);
	/* Asking changes nothing. */
	expect(chunk_backend_reason() == reason);
}

static void look(void *arg)
{
	const struct setting *setting = arg;

	if (setting->prepare)
		setting->prepare();
	set_options(setting->options);
	dealloc_mib(alloc_mib(1), 1);
	expect_reason(setting->device, setting->word);
}

static void check(const struct setting *setting)
{
	struct tap_outcome outcome;

	tap_child(&outcome, look, (void *)setting);
	tap_note("%.*s", (int)strcspn(outcome.text, "\n"), outcome.text);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, setting->says));
}

static void asked_for(void)
{
	check(&(struct setting) {
		.options = "backend:mmap",
		.word = "option",
		.says = "backend mmap (option): CHUNK_OPTIONS says so",
	});
}

static void device_opens(void)
{
	need_module();
	check(&(struct setting) {
		.options = "backend:auto",
		.device = true,
		.word = "opened",
		.says = "backend device (opened): /dev/chunk is open",
	});
}

static void no_module(void)
{
	if (has_module())
		tap_skip("the module is loaded");
	if (plain_posix())
		tap_skip("there is no module for plain POSIX");
	if (overcommit_mode() == 2)
		tap_skip("the device is not even tried");
	check(&(struct setting) {
		.options = "backend:auto",
		.word = "no-module",
		.says = "backend mmap (no-module): /dev/chunk: ",
	});
}

static void strict_overcommit(void)
{
	if (overcommit_mode() != 2)
		tap_skip("vm.overcommit_memory is not 2");
	check(&(struct setting) {
		.options = "backend:auto",
		.word = "overcommit",
		.says = "backend mmap (overcommit): under vm.overcommit_memory=2",
	});
}

/* Let the mounts of this process be its own. */
static void leave_mounts(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		tap_skip("no mounts of its own here");
}

/* As PrivateDevices= does */
static void empty_dev(void)
{
	leave_mounts();
	expect(!mount("none", "/dev", "tmpfs", 0, NULL));
}

static void no_node(void)
{
	need_module();
	if (getuid())
		tap_skip("only root can mount");
	check(&(struct setting) {
		.prepare = empty_dev,
		.options = "backend:auto",
		.word = "no-node",
		.says = "PrivateDevices=no",
	});
}

/* A node of the device's that is root's alone, seen by this process only */
static void other_mode(void)
{
	struct stat stat_of;

	leave_mounts();
	expect(!stat("/dev/chunk", &stat_of));
	expect(!mount("none", "/dev", "tmpfs", 0, NULL));
	expect(!mknod("/dev/chunk", S_IFCHR | 0600, stat_of.st_rdev));
	expect(!setgid(NOBODY) && !setuid(NOBODY));
}

static void permission(void)
{
	need_module();
	if (getuid())
		tap_skip("only root can mount");
	check(&(struct setting) {
		.prepare = other_mode,
		.options = "backend:auto",
		.word = "permission",
		.says = "(mode 0600, owner 0:0; the process is 65534:65534)",
	});
}

static void no_descriptors(void)
{
	expect(!setrlimit(RLIMIT_NOFILE, &(struct rlimit) { 0, 0 }));
}

static void files(void)
{
	need_module();
	check(&(struct setting) {
		.prepare = no_descriptors,
		.options = "backend:auto",
		.word = "files",
		.says = "RLIMIT_NOFILE",
	});
}

static void quiet(void *arg)
{
	tap_setenv("CHUNK_OPTIONS", arg);
	expect(*chunk_backend_reason());
}

static void silent(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, quiet, "");
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 0);
	tap_child(&outcome, quiet, "verbose:off");
	expect_equal(outcome.lines, 0);
	tap_child(&outcome, quiet, "verbose:loud");
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "ignoring the bad value of"));
}

static void fork_once(void *arg)
{
	pid_t child;

	(void)arg;
	set_options("backend:auto");
	alloc_mib(1);
	expect_reason(true, "opened");
	child = tap_fork();
	if (child == 0) {
		alloc_mib(1);
		expect_reason(true, "forked");
		_exit(0);
	}
	tap_join(child);
	expect_reason(true, "opened");
}

static void fork_reopens(void)
{
	struct tap_outcome outcome;

	need_module();
	tap_child(&outcome, fork_once, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 2);
	expect(strstr(outcome.text, "backend device (forked): "));
}

/* The child may not open the device any more. */
static void fork_into_less(void *arg)
{
	pid_t child;

	(void)arg;
	set_options("backend:auto");
	alloc_mib(1);
	child = tap_fork();
	if (child == 0) {
		no_descriptors();
		expect_reason(false, "files");
		alloc_mib(1);
		_exit(0);
	}
	tap_join(child);
}

static void forked_into_less(void)
{
	struct tap_outcome outcome;

	need_module();
	tap_child(&outcome, fork_into_less, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 2);
	expect(strstr(outcome.text, "backend mmap (files): "));
}

static void close_all(void *arg)
{
	(void)arg;
	set_options("backend:auto");
	alloc_mib(1);
	for (int fd = 3; fd < TAP_FD; fd++)
		close(fd);
	/* The second notices that the first found no device. */
	alloc_mib(1);
	alloc_mib(1);
	expect_reason(true, "closed");
}

static void close_reopens(void)
{
	struct tap_outcome outcome;

	need_module();
	tap_child(&outcome, close_all, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 2);
	expect(strstr(outcome.text, "backend device (closed): "));
}

static void unsupported(void)
{
	if (!plain_posix())
		tap_skip("not built for plain POSIX");
	check(&(struct setting) {
		.options = "backend:auto",
		.word = "unsupported",
		.says = "there is no module for this system",
	});
}

static const struct tap_case cases[] = {
	{ "the backend that was asked for", asked_for },
	{ "the device opens", device_opens },
	{ "no module", no_module },
	{ "strict overcommit", strict_overcommit },
	{ "a /dev without the node", no_node },
	{ "no permission", permission },
	{ "no descriptor left", files },
	{ "nothing is said unless it is asked for", silent },
	{ "a forked child opens the device for itself", fork_reopens },
	{ "a forked child cannot open the device", forked_into_less },
	{ "the descriptor is closed", close_reopens },
	{ "a system without a module", unsupported },
};

const struct tap_suite tap_suite = {
	.about = "Tests why chunks come from where they come from",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
