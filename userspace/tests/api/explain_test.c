// SPDX-License-Identifier: MIT
/*
 * explain:on: an access that traps is explained, and the program's own handler, or the
 * system, then gets the signal as it would have without.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

static struct tap_outcome outcome;

/* Addresses that the child says on its standard error */
static void tell(const char *what, const void *addr)
{
	fprintf(stderr, "= %s %p\n", what, addr);
}

static bool said(const char *text)
{
	return strstr(outcome.text, text);
}

/* It is meant to trap, although AddressSanitizer knows that the memory is unusable. */
static __attribute__((noinline, no_sanitize("address"))) char read_byte(const char *at)
{
	return *(const volatile char *)at;
}

static __attribute__((noinline, no_sanitize("address"))) void write_byte(char *at)
{
	*(volatile char *)at = 1;
}

/* Sanitizers have handlers of their own, which report each trap. */
static void undo_handlers(void)
{
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

static void explaining_by(const char *options)
{
	undo_handlers();
	tap_setenv("CHUNK_OPTIONS", options);
}

static void explaining(void)
{
	explaining_by("explain:on");
}

/* Does the text say that this address is explained? */
static void expect_about(const char *what, size_t offset)
{
	const char *at = strstr(outcome.text, what);
	char wanted[64];
	void *addr;

	expect(at && sscanf(at + strlen(what), " %p", &addr) == 1);
	snprintf(wanted, sizeof(wanted), "libchunk: trap at %p: ",
		 (void *)((char *)addr + offset));
	expect(strstr(outcome.text, wanted));
}

static void expect_killed(void (*run)(void *))
{
	tap_child(&outcome, run, NULL);
	tap_note("%s", outcome.text);
	expect(outcome.status != 0);
	expect(!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != 9);
}

static void trap_in_decommitted(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	chunk = alloc_mib(4);
	pages_decommit(chunk + MIB, 2 * MIB);
	tell("chunk", chunk);
	read_byte(chunk + MIB + 4660);
	_exit(9);
}

static void decommitted_pages(void)
{
	expect_killed(trap_in_decommitted);
	expect_about("= chunk", MIB + 4660);
	expect(said("byte 1053236 of the live chunk at "));
	expect(said(" of 4194304 bytes, which is decommitted\n"));
	expect(said("libchunk: that was pages_decommit("));
	expect(said(", 2097152)"));
	/* The file, where the system tells */
	expect(plain_posix() || said("(explain_test+0x"));
}

static void trap_in_deallocated(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	chunk = alloc_mib(1);
	tell("chunk", chunk);
	dealloc_mib(chunk, 1);
	write_byte(chunk + 16);
	_exit(9);
}

static void deallocated(void)
{
	expect_killed(trap_in_deallocated);
	expect_about("= chunk", 16);
	expect(said("memory that was given back"));
	expect(said("libchunk: that was chunk_dealloc("));
}

static void trap_in_never_committed(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	chunk = chunk_alloc_decommitted(2 * MIB, MIB);
	tell("chunk", chunk);
	read_byte(chunk);
	_exit(9);
}

static void never_committed(void)
{
	expect_killed(trap_in_never_committed);
	expect_about("= chunk", 0);
	expect(said("libchunk: that was chunk_alloc_decommitted("));
}

static void trap_in_batch(void *arg)
{
	struct chunk_op ops[2] = { { .size = MIB }, { .size = MIB } };

	explaining();
	ops[0].addr = alloc_mib(1);
	ops[1].addr = alloc_mib(1);
	tell("chunk", ops[1].addr);
	if (arg)
		pages_decommit_batch(ops, 2);
	else
		chunk_dealloc_batch(ops, 2);
	read_byte(ops[1].addr);
	_exit(9);
}

static void batches(void)
{
	expect_killed(trap_in_batch);
	expect_about("= chunk", 0);
	expect(said("that was chunk_dealloc_batch("));
	tap_child(&outcome, trap_in_batch, "");
	expect(said("that was pages_decommit_batch("));
}

static void *dealloc_elsewhere(void *chunk)
{
	if (!plain_posix())
		fprintf(stderr, "= thread %ld\n", syscall(SYS_gettid));
	dealloc_mib(chunk, 1);
	return NULL;
}

static void trap_of_another(void *arg)
{
	pthread_t thread;
	char *chunk;

	(void)arg;
	explaining();
	chunk = alloc_mib(1);
	expect(!pthread_create(&thread, NULL, dealloc_elsewhere, chunk));
	expect(!pthread_join(thread, NULL));
	read_byte(chunk);
	_exit(9);
}

static void another_thread(void)
{
	char wanted[64];
	long thread;

	if (plain_posix())
		tap_skip("threads have no numbers there");
	expect_killed(trap_of_another);
	expect(sscanf(strstr(outcome.text, "= thread"), "= thread %ld", &thread) == 1);
	snprintf(wanted, sizeof(wanted), " in thread %ld, called at ", thread);
	expect(said(wanted));
}

static void trap_of_long_ago(void *arg)
{
	char *chunk, *other;

	(void)arg;
	explaining();
	chunk = alloc_mib(2);
	other = alloc_mib(1);
	pages_decommit(chunk, MIB);
	for (int i = 0; i < 1024; i++)
		pages_decommit(other, MIB);
	read_byte(chunk);
	_exit(9);
}

static void long_ago(void)
{
	expect_killed(trap_of_long_ago);
	expect(said("not by one of the last 1024 calls"));
}

static void trap_of_the_program(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	chunk = alloc_mib(1);
	dealloc_mib(alloc_mib(1), 1);
	expect(!mprotect(chunk, page_size(), PROT_NONE));
	read_byte(chunk);
	_exit(9);
}

static void by_the_program(void)
{
	expect_killed(trap_of_the_program);
	expect(said("which is committed: libchunk did not make it trap"));
	expect(!said("that was "));
}

static void trap_elsewhere(void *arg)
{
	(void)arg;
	explaining();
	dealloc_mib(alloc_mib(1), 1);
	read_byte((char *)(uintptr_t)page_size() + 8);
	_exit(9);
}

static void elsewhere(void)
{
	expect_killed(trap_elsewhere);
	expect(!said("libchunk"));
}

static void trap_unasked(void *arg)
{
	char *chunk = alloc_mib(1);

	(void)arg;
	undo_handlers();
	dealloc_mib(chunk, 1);
	read_byte(chunk);
	_exit(9);
}

static void unasked(void)
{
	expect_killed(trap_unasked);
	expect(!said("libchunk"));
}

static sigjmp_buf back;
static void *volatile seen;

static void with_info(int signal, siginfo_t *info, void *context)
{
	expect(signal == SIGSEGV || signal == SIGBUS);
	expect(context);
	seen = info->si_addr;
	siglongjmp(back, 1);
}

static void plain(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void handle(void (*handler)(int), int flags)
{
	struct sigaction action = {
		.sa_handler = handler,
		.sa_flags = flags,
	};

	if (flags & SA_SIGINFO)
		action.sa_sigaction = with_info;
	expect(!sigaction(SIGSEGV, &action, NULL));
	expect(!sigaction(SIGBUS, &action, NULL));
}

/* Trap, and come back by the program's handler. */
static void trap_and_return(const char *at)
{
	if (!sigsetjmp(back, 1)) {
		read_byte(at);
		_exit(8);
	}
}

/* A program that catches its traps, with a handler from before the first call */
static void catch_early(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	handle(NULL, SA_SIGINFO);
	chunk = alloc_mib(2);
	pages_decommit(chunk, MIB);
	for (int i = 0; i < 3; i++) {
		seen = NULL;
		trap_and_return(chunk + 100 * i);
		expect(seen == chunk + 100 * i);
	}
	expect(pages_commit(chunk, MIB));
	expect_equal(read_byte(chunk), 0);
	_exit(0);
}

/* And one that installs it late */
static void catch_late(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	chunk = alloc_mib(3);
	pages_decommit(chunk, MIB);
	handle(plain, 0);
	pages_decommit(chunk + MIB, MIB);
	for (int i = 0; i < 3; i++)
		trap_and_return(chunk + MIB + i);
	_exit(0);
}

static unsigned int count(const char *what)
{
	unsigned int nr = 0;

	for (const char *at = outcome.text; (at = strstr(at, what)); at++)
		nr++;
	return nr;
}

static void own_handlers(void)
{
	tap_child(&outcome, catch_early, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(count("libchunk: trap at "), 3);
	tap_child(&outcome, catch_late, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(count("libchunk: trap at "), 3);
}

/* A handler that is for one time only is used once. */
static void catch_once(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	handle(plain, SA_RESETHAND);
	chunk = alloc_mib(1);
	pages_decommit(chunk, MIB);
	trap_and_return(chunk);
	fprintf(stderr, "= once\n");
	read_byte(chunk);
	_exit(9);
}

static void one_time(void)
{
	expect_killed(catch_once);
	expect(said("= once"));
	expect_equal(count("libchunk: trap at "), 2);
}

/* A signal that somebody sends is no trap, whatever the sender says of an address. */
static void send_one(void *arg)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	explaining();
	if (arg)
		handle(SIG_IGN, 0);
	info.si_addr = alloc_mib(1);
	dealloc_mib(info.si_addr, 1);
	syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &info);
	usleep(1000);
	_exit(9);
}

static void sent(void)
{
	expect_killed(send_one);
	expect(!said("libchunk"));
	tap_child(&outcome, send_one, "");
	expect(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 9);
}

/* Not even a program that ignores the signal goes on after a trap. */
static void ignore_it(void *arg)
{
	char *chunk;

	(void)arg;
	explaining();
	handle(SIG_IGN, 0);
	chunk = alloc_mib(1);
	dealloc_mib(chunk, 1);
	read_byte(chunk);
	_exit(9);
}

static void ignored(void)
{
	expect_killed(ignore_it);
	expect(said("libchunk: trap at "));
}

static void trap_in_child(void *arg)
{
	char *chunk;
	int status;
	pid_t child;

	(void)arg;
	explaining();
	chunk = alloc_mib(2);
	pages_decommit(chunk, MIB);
	child = tap_fork();
	if (child == 0) {
		read_byte(chunk);
		_exit(9);
	}
	expect(waitpid(child, &status, 0) == child);
	expect(WIFSIGNALED(status) || WEXITSTATUS(status) != 9);
	_exit(0);
}

static void in_child(void)
{
	tap_child(&outcome, trap_in_child, NULL);
	expect_equal(outcome.status, 0);
	expect(said("which is decommitted"));
	expect(said("libchunk: that was pages_decommit("));
}

/* Where a function begins, for the parent to find it in a stack */
#define tell_function(name)	tell("function " #name, (void *)(uintptr_t)(name))

/* Larger than the functions here */
#define FAR	1024

static __attribute__((noinline)) void give_back(char *chunk)
{
	dealloc_mib(chunk, 1);
	__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void give_back_outer(char *chunk)
{
	give_back(chunk);
	__asm__ volatile("" ::: "memory");
}

/* The line about the place in the code that lies next behind a function's beginning */
static const char *line_in(const char *function)
{
	const char *at, *lines = outcome.text, *found = NULL;
	uintptr_t begin, place, nearest = FAR;
	char said_at[64];
	void *read;

	snprintf(said_at, sizeof(said_at), "= function %s ", function);
	at = strstr(outcome.text, said_at);
	expect(at && sscanf(at + strlen(said_at), "%p", &read) == 1);
	begin = (uintptr_t)read;
	while ((lines = strstr(lines, "called at "))) {
		lines += strlen("called at ");
		expect(sscanf(lines, "%p", &read) == 1);
		place = (uintptr_t)read;
		if (place - begin < nearest) {
			nearest = place - begin;
			found = lines;
		}
	}
	return found;
}

/* Lines of the stack, but for the first, which ends the line before them */
static unsigned int count_stack(void)
{
	unsigned int nr = 0;

	for (const char *at = outcome.text; (at = strstr(at, "\nlibchunk: called at ")); at++)
		nr++;
	return nr;
}

/* Does addr2line(1) find that function at the file's offset in a line? */
static void expect_resolved(const char *line, const char *function)
{
	char command[256], name[128] = "";
	unsigned long offset;
	FILE *pipe;

	expect(line && sscanf(line, "%*p (explain_test+%lx)", &offset) == 1);
	/* The address is that of the next instruction. */
	snprintf(command, sizeof(command),
		 "addr2line -f -e /proc/%d/exe 0x%lx 2>/dev/null", getpid(), offset - 1);
	pipe = popen(command, "r");
	expect(pipe);
	if (!fgets(name, sizeof(name), pipe))
		tap_note("there is no addr2line");
	pclose(pipe);
	name[strcspn(name, "\n")] = '\0';
#ifdef __arm__
	/* That of arm64 may not know programs of 32 bits. */
	if (!strcmp(name, "??"))
		*name = '\0';
#endif
	if (*name && strcmp(name, function))
		tap_note("addr2line: %s instead of %s", name, function);
	expect(!*name || !strcmp(name, function));
}

static void trap_with_stack(void *options)
{
	char *chunk;

	explaining_by(options);
	tell_function(give_back);
	tell_function(give_back_outer);
	tell_function(trap_with_stack);
	chunk = alloc_mib(1);
	give_back_outer(chunk);
	read_byte(chunk);
	_exit(9);
}

/* Elsewhere backtrace() may take locks, and is not used. */
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#define HAS_STACKS	__GLIBC_PREREQ(2, 35)
#else
#define HAS_STACKS	false
#endif

static void has_stacks(void)
{
	if (plain_posix() || !HAS_STACKS)
		tap_skip("stacks are not known there");
}

static void stack_of_dealloc(void)
{
	has_stacks();
	tap_child(&outcome, trap_with_stack, "explain:stack");
	tap_note("%s", outcome.text);
	expect(said("libchunk: that was chunk_dealloc("));
	expect_resolved(line_in("give_back_outer"), "give_back_outer");
	expect_resolved(line_in("trap_with_stack"), "trap_with_stack");
	expect(line_in("give_back_outer") < line_in("trap_with_stack"));
	tap_child(&outcome, trap_with_stack, "explain:stack,explain:on");
	expect(said("libchunk: that was chunk_dealloc("));
	expect_equal(count_stack(), 0);
	tap_child(&outcome, trap_with_stack, "explain:stack,explain:off");
	expect(!said("libchunk: "));
}

static __attribute__((noinline)) void decommit_inside(char *chunk)
{
	pages_decommit(chunk, MIB);
	__asm__ volatile("" ::: "memory");
}

static void trap_in_stack_of_decommit(void *arg)
{
	char *chunk;

	(void)arg;
	explaining_by("explain:stack");
	tell_function(trap_in_stack_of_decommit);
	chunk = alloc_mib(2);
	decommit_inside(chunk + MIB);
	read_byte(chunk + MIB);
	_exit(9);
}

static void stack_of_decommit(void)
{
	has_stacks();
	tap_child(&outcome, trap_in_stack_of_decommit, NULL);
	tap_note("%s", outcome.text);
	expect(said("libchunk: that was pages_decommit("));
	expect(line_in("trap_in_stack_of_decommit"));
}

static __attribute__((noinline)) void *give_back_in_thread(void *chunk)
{
	give_back_outer(chunk);
	return NULL;
}

static void trap_of_thread(void *arg)
{
	pthread_t threads[4];
	char *chunks[4];

	(void)arg;
	explaining_by("explain:stack");
	tell_function(give_back_in_thread);
	/* The first loads the unwinder; meanwhile other threads have no stacks. */
	give_back(alloc_mib(1));
	for (int i = 0; i < 4; i++)
		chunks[i] = alloc_mib(1);
	for (int i = 0; i < 4; i++)
		expect(!pthread_create(&threads[i], NULL, give_back_in_thread, chunks[i]));
	for (int i = 0; i < 4; i++)
		expect(!pthread_join(threads[i], NULL));
	read_byte(chunks[2]);
	_exit(9);
}

static void stack_of_thread(void)
{
	has_stacks();
	tap_child(&outcome, trap_of_thread, NULL);
	tap_note("%s", outcome.text);
	expect(said("libchunk: that was chunk_dealloc("));
	expect(line_in("give_back_in_thread"));
}

static void trap_with_old_stack(void *arg)
{
	char *chunk, *other;

	(void)arg;
	explaining_by("explain:stack");
	chunk = alloc_mib(1);
	other = alloc_mib(1);
	give_back(chunk);
	for (int i = 0; i < 1024; i++)
		pages_decommit(other, MIB);
	read_byte(chunk);
	_exit(9);
}

static void stacks_overflow(void)
{
	has_stacks();
	expect_killed(trap_with_old_stack);
	expect(said("not by one of the last 1024 calls"));
	expect_equal(count_stack(), 0);
}

static __attribute__((noinline)) void give_back_deep(char *chunk, int depth)
{
	if (depth)
		give_back_deep(chunk, depth - 1);
	else
		dealloc_mib(chunk, 1);
	__asm__ volatile("" ::: "memory");
}

static void trap_of_deep_stack(void *arg)
{
	char *chunk = NULL;

	(void)arg;
	explaining_by("explain:stack");
	chunk = alloc_mib(1);
	give_back_deep(chunk, 100);
	read_byte(chunk);
	_exit(9);
}

static void deep_stack(void)
{
	has_stacks();
	expect_killed(trap_of_deep_stack);
	expect(said("libchunk: that was chunk_dealloc("));
	expect_equal(count_stack(), 15);
}

static void trap_in_child_with_stack(void *arg)
{
	char *chunk, *own;
	pid_t child;

	explaining_by("explain:stack");
	tell_function(trap_in_child_with_stack);
	tell_function(give_back_outer);
	chunk = alloc_mib(1);
	own = alloc_mib(1);
	give_back_outer(chunk);
	child = tap_fork();
	if (child == 0) {
		pages_decommit(own, MIB);
		read_byte(arg ? own : chunk);
		_exit(9);
	}
	expect(waitpid(child, NULL, 0) == child);
	_exit(0);
}

static void stack_after_fork(void)
{
	has_stacks();
	tap_child(&outcome, trap_in_child_with_stack, NULL);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	expect(said("libchunk: that was chunk_dealloc("));
	expect(line_in("give_back_outer"));
	/* The child's own calls have stacks, too. */
	tap_child(&outcome, trap_in_child_with_stack, "");
	tap_note("%s", outcome.text);
	expect(said("libchunk: that was pages_decommit("));
	expect(line_in("trap_in_child_with_stack"));
}

static const struct tap_case cases[] = {
	{ "decommitted pages", decommitted_pages },
	{ "a deallocated chunk", deallocated },
	{ "pages that were never committed", never_committed },
	{ "batches", batches },
	{ "another thread gave it back", another_thread },
	{ "too long ago to be known", long_ago },
	{ "the program made it trap", by_the_program },
	{ "other memory is none of libchunk's business", elsewhere },
	{ "nothing is explained unasked", unasked },
	{ "the program's handler comes next", own_handlers },
	{ "a handler for one time", one_time },
	{ "a signal that is sent", sent },
	{ "a signal that is ignored", ignored },
	{ "a forked child", in_child },
	{ "the stack of who gave a chunk back", stack_of_dealloc },
	{ "the stack of who decommitted", stack_of_decommit },
	{ "the stack of another thread", stack_of_thread },
	{ "a stack too long ago to be known", stacks_overflow },
	{ "a deep stack is cut short", deep_stack },
	{ "a stack after a fork", stack_after_fork },
};

const struct tap_suite tap_suite = {
	.about = "Tests the explanation of accesses that trap",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
