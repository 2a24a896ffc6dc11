// SPDX-License-Identifier: MIT
/*
 * Processes and their contexts of the device.
 *
 * All of it comes from /proc, by the rights that its files demand: those of a
 * debugger for reading. A process may end, and its number be used again, at any
 * moment: the open folder of /proc then fails with ESRCH.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kcmp.h>
#include <sys/syscall.h>

#include "process.h"
#include "text.h"

const char *const counter_names[COUNTERS] = {
	"mapped_bytes", "live_bytes", "live_extents", "decommitted_bytes",
	"recycled_bytes", "recycle_limit", "reserved_bytes", "regions",
	"allocs", "allocs_recycled", "deallocs", "commits", "decommits",
	"traps", "offered_bytes", "discarded_bytes", "discards", "takes",
};

/**
 * counter_is_gauge() - tell whether a counter may go down
 * @counter: the counter
 */
bool counter_is_gauge(enum counter counter)
{
	return counter < ALLOCS || counter == OFFERED || counter == DISCARDED;
}

/**
 * process_open() - find a process
 * @process: filled with its number, its name and its folder
 * @pid:     the number
 *
 * Return: 0 or a negative error number; -ESRCH if there is none.
 */
int process_open(struct process *process, int pid)
{
	char path[32], *comm;

	*process = (struct process){ .pid = pid, .dir = -1 };
	snprintf(path, sizeof(path), "/proc/%d", pid);
	process->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process->dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	comm = read_whole(process->dir, "comm");
	if (!comm) {
		close(process->dir);
		process->dir = -1;
		return -ESRCH;
	}
	snprintf(process->comm, sizeof(process->comm), "%.*s",
		 (int)strcspn(comm, "\n"), comm);
	make_plain(process->comm);
	free(comm);
	return 0;
}

/**
 * process_close() - free what belongs to a process
 * @process: the process
 */
void process_close(struct process *process)
{
	if (process->dir >= 0)
		close(process->dir);
	free(process->contexts);
}

/* Are these one open file? False if the kernel does not tell. */
static bool same_file(int pid, int fd, int other_pid, int other_fd)
{
	return syscall(SYS_kcmp, pid, other_pid, KCMP_FILE, fd, other_fd) == 0;
}

static int parent_of(const struct process *process)
{
	char *status = read_whole(process->dir, "status");
	unsigned long long parent = 0;

	if (status)
		text_value(status, "PPid", &parent);
	free(status);
	return parent;
}

static bool has_context(const struct process *process, int fd)
{
	for (size_t i = 0; i < process->nr; i++) {
		if (same_file(process->pid, fd, process->pid,
			      process->contexts[i].fd))
			return true;
	}
	return false;
}

static bool parse_counters(const char *text, struct counters *counters)
{
	char key[64];

	for (size_t i = 0; i < COUNTERS; i++) {
		snprintf(key, sizeof(key), "chunk-%s", counter_names[i]);
		/* An older module lacks the last ones. */
		if (!text_value(text, key, &counters->of[i]) && i == MAPPED)
			return false;
	}
	return true;
}

static void add_context(struct process *process, const struct context *context)
{
	process->contexts = take_more(process->contexts,
				      (process->nr + 1) * sizeof(*context));
	process->contexts[process->nr++] = *context;
	if (context->inherited)
		return;
	process->own++;
	for (size_t i = 0; i < COUNTERS; i++)
		process->sum.of[i] += context->counters.of[i];
}

/* A descriptor that may be of the device, by its name in whatever namespace */
static bool looks_like_device(int dir, const char *name)
{
	char target[256], *last;
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	if (length <= 0)
		return false;
	target[length] = '\0';
	last = strrchr(target, '/');
	return last && !strncmp(last, "/chunk", 6);
}

static void look_at_descriptor(struct process *process, int fd, int parent)
{
	struct context context = { .fd = fd };
	char path[32], *text;

	if (has_context(process, fd))
		return;
	snprintf(path, sizeof(path), "fdinfo/%d", fd);
	text = read_whole(process->dir, path);
	if (text && parse_counters(text, &context.counters)) {
		/* After a fork, both have the same descriptor at the same place. */
		context.inherited = same_file(process->pid, fd, parent, fd);
		add_context(process, &context);
	}
	free(text);
}

/**
 * process_read() - find the contexts of a process
 * @process: the process
 *
 * Return: 0 or a negative error number: -EACCES, or -ESRCH if it has ended.
 */
int process_read(struct process *process)
{
	int fd = openat(process->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int parent = parent_of(process);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	dir = fdopendir(fd);
	if (!dir)
		trouble("/proc");
	errno = 0;
	while ((entry = readdir(dir))) {
		if (*entry->d_name != '.' && looks_like_device(fd, entry->d_name))
			look_at_descriptor(process, atoi(entry->d_name), parent);
		errno = 0;
	}
	closedir(dir);
	return 0;
}

/* End the program over a process that cannot be looked at. */
static void cannot(int pid, int err)
{
	if (err == ESRCH || err == ENOENT) {
		fprintf(stderr, "chunkctl: %d: no such process\n", pid);
		exit(STATUS_NO_PROCESS);
	}
	fprintf(stderr, "chunkctl: %d: %s; its user or root may look at it\n", pid,
		strerror(err));
	exit(err == EACCES || err == EPERM ? STATUS_FORBIDDEN : STATUS_TROUBLE);
}

/**
 * process_need() - read a process, or end the program
 * @process: filled
 * @pid:     its number
 */
void process_need(struct process *process, int pid)
{
	int err = process_open(process, pid);

	if (!err)
		err = process_read(process);
	if (err)
		cannot(pid, -err);
}

/**
 * process_mappings() - count the mappings of a process
 * @process: the process
 *
 * Return: their number; 0 if it is not known.
 */
size_t process_mappings(const struct process *process)
{
	char *maps = read_whole(process->dir, "maps");
	size_t count = 0;

	for (const char *at = maps; at && (at = strchr(at, '\n')); at++)
		count++;
	free(maps);
	return count;
}

/**
 * mapping_limit() - tell how many mappings a process may have
 *
 * Return: their number; 0 if it is not known.
 */
unsigned long long mapping_limit(void)
{
	char *text = read_whole(AT_FDCWD, "/proc/sys/vm/max_map_count");
	unsigned long long limit = text ? strtoull(text, NULL, 10) : 0;

	free(text);
	return limit;
}

static int by_live(const void *a, const void *b)
{
	const struct process *p = a, *q = b;

	if (p->sum.of[LIVE] != q->sum.of[LIVE])
		return p->sum.of[LIVE] < q->sum.of[LIVE] ? 1 : -1;
	return p->pid - q->pid;
}

static void add_process(struct processes *all, int pid)
{
	struct process process;
	int err = process_open(&process, pid);

	if (!err) {
		err = process_read(&process);
		/* There may be more processes than descriptors. */
		close(process.dir);
		process.dir = -1;
	}
	if (err == -EACCES || err == -EPERM) {
		all->forbidden++;
	} else if (err && err != -ESRCH) {
		errno = -err;
		trouble("/proc");
	}
	if (err || !process.own) {
		process_close(&process);
		return;
	}
	all->of = take_more(all->of, (all->nr + 1) * sizeof(process));
	all->of[all->nr++] = process;
}

/**
 * processes_read() - find all processes with contexts of their own
 *
 * Return: the processes, to be freed by processes_free().
 */
struct processes processes_read(void)
{
	struct processes all = { 0 };
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		trouble("/proc");
	while ((entry = readdir(proc))) {
		if (*entry->d_name >= '1' && *entry->d_name <= '9')
			add_process(&all, atoi(entry->d_name));
	}
	closedir(proc);
	if (all.nr)
		qsort(all.of, all.nr, sizeof(*all.of), by_live);
	return all;
}

/**
 * processes_free() - free what processes_read() returned
 * @processes: the processes
 */
void processes_free(struct processes *processes)
{
	for (size_t i = 0; i < processes->nr; i++)
		process_close(&processes->of[i]);
	free(processes->of);
}
