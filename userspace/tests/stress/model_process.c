// SPDX-License-Identifier: MIT
/*
 * Other processes: the device's descriptors and memory after exec, passed to
 * another process, in a debugger and in a core dump. See model.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "core_file.h"
#include "kernel_file.h"
#include "model.h"
#include "pass_fd.h"

#define CORE		"/tmp/model-core"
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define WORD		sizeof(long)

/* Every call through the descriptor is refused in this process. */
static void expect_refused(int fd)
{
	/* The argument is as long as the longest, and has no address of anything. */
	struct chunk_ioc_stats args = { .size = 24 };

	for (unsigned int nr = 0; nr <= _IOC_NR(CHUNK_IOC_BATCH); nr++)
		expect_equal(call(fd, _IO(CHUNK_IOC_MAGIC, nr), &args), EPERM);
	expect(mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE, fd, 0) == MAP_FAILED);
	expect_equal(errno, EPERM);
	expect(read(fd, &args, sizeof(args)) == -1);
}

static bool device_is_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	expect(maps);
	while (fgets(line, sizeof(line), maps))
		found |= !!strstr(line, CHUNK_DEVICE_PATH);
	fclose(maps);
	return found;
}

/**
 * inherited_main() - check, in an executed program, what it inherited
 * @argc: from main
 * @argv: from main: behind the option, descriptors, with "=" before those kept
 *
 * Return: the exit status; the process exits with 1 if a check fails.
 */
int inherited_main(int argc, char **argv)
{
	expect(!device_is_mapped());
	for (int i = 2; i < argc; i++) {
		if (*argv[i] == '=')
			expect_refused(atoi(argv[i] + 1));
		else
			expect(fcntl(atoi(argv[i]), F_GETFD) == -1);
	}
	return 0;
}

#define KEPT_SIZE	16

#define MOST_KEPT	(CONTEXTS + 1)

/**
 * struct program - arguments of the program that inherits descriptors
 * @text:  text of each argument that names a descriptor
 * @argv:  all arguments
 * @count: number of descriptors
 */
struct program {
	char text[MOST_KEPT][KEPT_SIZE];
	char *argv[MOST_KEPT + 3];
	size_t count;
};

static void add_argument(struct program *program, int fd, bool keep)
{
	char *text = program->text[program->count];

	snprintf(text, KEPT_SIZE, "%s%d", keep ? "=" : "", fd);
	program->argv[2 + program->count++] = text;
}

/* The child has used the device itself before exec. */
static noreturn void become(struct program *program)
{
	int fd = device_open();

	fill(device_alloc(fd, MIB, MIB), MIB, 1);
	add_argument(program, fd, true);
	for (size_t i = 0; i < program->count; i++)
		if (*program->text[i] == '=')
			expect(!fcntl(atoi(program->text[i] + 1), F_SETFD, 0));
	execv("/proc/self/exe", program->argv);
	_exit(TAP_COUNT(program->text));
}

/* As with vfork, the memory is this process's until the program is started. */
static pid_t spawn(struct program *program)
{
	posix_spawn_file_actions_t actions;
	pid_t child;

	expect(!posix_spawn_file_actions_init(&actions));
	for (size_t i = 0; i < program->count; i++) {
		int fd = atoi(program->text[i] + 1);

		if (*program->text[i] != '=')
			continue;
		/* dup2 of a descriptor to itself keeps it open. */
		expect(!posix_spawn_file_actions_adddup2(&actions, fd, fd));
	}
	expect(!posix_spawn(&child, "/proc/self/exe", &actions, NULL,
			    program->argv, environ));
	posix_spawn_file_actions_destroy(&actions);
	return child;
}

static void op_exec(struct model *m)
{
	struct program program = { .argv = { "model", "--inherited" } };
	pid_t child;

	for (size_t i = 0; i < CONTEXTS; i++)
		add_argument(&program, m->context[i].fd, below(m, 2));
	if (below(m, 2)) {
		child = spawn(&program);
	} else {
		child = tap_fork();
		if (child == 0)
			become(&program);
	}
	tap_join(child);
	check_some(m, 1);
	check_stats(m, below(m, CONTEXTS));
}

/* The process has only the descriptor that it is given, and gives that back. */
static noreturn void be_receiver(struct model *m, int end)
{
	int fd;

	for (size_t i = 0; i < CONTEXTS; i++)
		close(m->context[i].fd);
	fd = receive_fd(end);
	expect_refused(fd);
	send_fd(end, fd);
	_exit(0);
}

static void op_pass(struct model *m)
{
	unsigned int owner = below(m, CONTEXTS);
	struct context *context = &m->context[owner];
	int ends[2], fd;
	pid_t child;

	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	child = tap_fork();
	if (child == 0)
		be_receiver(m, ends[1]);
	/* For a while only the socket, or the other process, has the descriptor. */
	send_fd(ends[0], context->fd);
	close(context->fd);
	check_some(m, 1);
	/* If the other process has failed, reading must not hang. */
	close(ends[1]);
	fd = receive_fd(ends[0]);
	tap_join(child);
	close(ends[0]);
	context->fd = fd;
	check_stats(m, owner);
}

static noreturn void be_debugged(void)
{
	expect(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	raise(SIGSTOP);
	_exit(0);
}

/* Offset of each of the words that put_value() writes */
static size_t word_offset(unsigned int i)
{
	return i == 2 ? PAGE - WORD : i * PAGE / 2;
}

static void poke(pid_t pid, char *addr, uint32_t value)
{
	static uint64_t copy[WORD_ROOM];

	memset(copy, 0, sizeof(copy));
	if (value)
		put_value((char *)copy, value);
	for (unsigned int i = 0; i < 3; i++)
		expect(ptrace(PTRACE_POKEDATA, pid, addr + word_offset(i),
			      copy[word_offset(i) / WORD]) == 0);
}

static void peek(pid_t pid, char *addr, uint32_t value)
{
	static uint64_t copy[WORD_ROOM];

	for (unsigned int i = 0; i < 3; i++) {
		errno = 0;
		copy[word_offset(i) / WORD] =
			ptrace(PTRACE_PEEKDATA, pid, addr + word_offset(i),
			       NULL);
		expect_equal(errno, 0);
	}
	check_value(copy, value);
}

/* A debugger can access protected pages, but not decommitted ones. */
static void debug_forced(struct model *m, pid_t pid, const struct run *run)
{
	const struct extent *e = run->extent;
	uint32_t value = e->page[run->first].value;
	char *addr = run_addr(run);

	if (e->nofork || page_hidden(e, run->first)) {
		expect(ptrace(PTRACE_PEEKDATA, pid, addr, NULL) == -1);
		expect_equal(errno, EIO);
		expect(ptrace(PTRACE_POKEDATA, pid, addr, 1L) == -1);
		expect_equal(errno, EIO);
		return;
	}
	peek(pid, addr, value);
	if (below(m, 2))
		return;
	/* Change a word in the debugged process's own copy, and change it back. */
	poke(pid, addr, value ^ 0x100);
	peek(pid, addr, value ^ 0x100);
	check_page(m, e, run->first);
	poke(pid, addr, value);
}

static void debug_file(int memory, const struct run *run)
{
	static uint64_t copy[WORD_ROOM];
	const struct extent *e = run->extent;
	ssize_t got = pread(memory, copy, PAGE, (uintptr_t)run_addr(run));

	if (e->nofork || page_hidden(e, run->first)) {
		expect(got == -1);
		expect_equal(errno, EIO);
		return;
	}
	expect(got == (ssize_t)PAGE);
	check_value(copy, e->page[run->first].value);
}

static void read_remotely(pid_t pid, const struct run *run)
{
	static uint64_t copy[WORD_ROOM];
	struct iovec local = { copy, PAGE }, remote = { run_addr(run), PAGE };
	const struct extent *e = run->extent;
	ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (e->nofork || page_traps(e, run->first)) {
		expect(got == -1);
		expect_equal(errno, EFAULT);
		expect(process_vm_writev(pid, &local, 1, &remote, 1, 0) == -1);
		return;
	}
	expect(got == (ssize_t)PAGE);
	check_value(copy, e->page[run->first].value);
	/* process_vm_writev() has the same result. */
	got = process_vm_writev(pid, &local, 1, &remote, 1, 0);
	expect(got == (e->page[run->first].prot & PROT_WRITE ?
		       (ssize_t)PAGE : -1));
}

static void op_debug(struct model *m)
{
	char path[64];
	struct run run;
	pid_t child;
	int status, memory;

	take_back_all(m);
	child = tap_fork();
	if (child == 0)
		be_debugged();
	expect(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	snprintf(path, sizeof(path), "/proc/%d/mem", child);
	memory = open(path, O_RDWR | O_CLOEXEC);
	expect(memory >= 0);
	for (size_t i = 0; i < 48; i++) {
		if (!any_run(m, 1, &run))
			continue;
		debug_forced(m, child, &run);
		debug_file(memory, &run);
		read_remotely(child, &run);
		m->seen[SEEN_PEEKED]++;
	}
	close(memory);
	kill(child, SIGKILL);
	expect(waitpid(child, &status, 0) == child);
	check_some(m, 1);
}

/* Undo earlier advice: only the advice for the run shall count. */
static noreturn void be_dumped(struct model *m, const struct run *run)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		if (e->addr && !e->nofork)
			expect(!madvise(e->addr, e->pages * PAGE, MADV_DODUMP));
	}
	if (run->count && !run->extent->nofork)
		expect(!madvise(run_addr(run), run->count * PAGE,
				MADV_DONTDUMP));
	expect(setrlimit(RLIMIT_CORE, &unlimited) == 0);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void check_dumped(struct model *m, int core, const struct extent *e,
			 size_t i, bool left_out)
{
	static uint64_t copy[WORD_ROOM];
	off_t at = core_offset(core, e->addr + i * PAGE);

	if (e->nofork || left_out) {
		expect(at == -1);
		return;
	}
	/* A mapping that was never written is not in the dump. */
	if (at == -1) {
		expect_equal(e->page[i].value, 0);
		return;
	}
	if (page_hidden(e, i))
		expect(lseek(core, at, SEEK_HOLE) == at);
	expect(pread(core, copy, PAGE, at) == (ssize_t)PAGE);
	check_value(copy, e->page[i].value);
	m->seen[SEEN_DUMPED]++;
}

static void check_core(struct model *m, const struct run *run)
{
	int core = open(CORE, O_RDONLY | O_CLOEXEC);

	expect(core >= 0);
	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		for (size_t n = 0; e->addr && n < 24; n++) {
			size_t at = below(m, e->pages);

			check_dumped(m, core, e, at, e == run->extent &&
				     at >= run->first &&
				     at < run->first + run->count);
		}
	}
	close(core);
}

static void op_core(struct model *m)
{
	struct run run = { 0 };
	int status;
	pid_t child;

	if (!put_text(CORE_PATTERN, CORE))
		return;
	if (!any_run(m, 300, &run))
		run.count = 0;
	take_back_all(m);
	child = tap_fork();
	if (child == 0)
		be_dumped(m, &run);
	expect(waitpid(child, &status, 0) == child);
	expect(put_text(CORE_PATTERN, "core"));
	expect(WIFSIGNALED(status) && WCOREDUMP(status));
	check_core(m, &run);
	unlink(CORE);
}

const struct operation process_operations[] = {
	{ "exec", 4, op_exec },
	{ "SCM_RIGHTS", 8, op_pass },
	{ "ptrace, /proc/PID/mem and process_vm_* of a child", 8, op_debug },
	{ "core dump", 1, op_core },
};

const size_t process_operations_count = TAP_COUNT(process_operations);
