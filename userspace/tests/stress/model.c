// SPDX-License-Identifier: MIT
/*
 * A long random sequence of operations on the device's memory, by its own calls
 * and by others, against a model of every page: readable, with which contents,
 * zero, trapping, or replaced by foreign memory.
 *
 * Meanwhile another thread faults in the same extents without changing any
 * contents: by reading, and by making pages present for writing. So memory is
 * always faulted on while it is decommitted.
 *
 * A seed repeats its sequence: the address space is not randomised. Only the
 * other thread's timing differs.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "arguments.h"
#include "model.h"

#define OPERATIONS	64	/* kinds, at most */
#define CHECK_EVERY	512	/* operations between checks of everything */
#define TELL_EVERY	30	/* seconds between lines of progress */
#define STALLED		240	/* seconds after which an operation hangs */

/**
 * struct progress - progress of the model, shared with the process that reports it
 * @done:        number of operations done
 * @now:         name of the operation under way
 * @each:        number of operations of each kind
 * @nanoseconds: time that each kind has taken
 * @seen:        number of events seen, by enum seen
 */
struct progress {
	unsigned long done;
	const char *now;
	unsigned long each[OPERATIONS];
	uint64_t nanoseconds[OPERATIONS];
	unsigned long seen[SEEN_COUNT];
};

static const char *const seen_names[SEEN_COUNT] = {
	[SEEN_SWAPPED] = "pages paged out to swap",
	[SEEN_RECLAIMED] = "times the memory cgroup was under pressure",
	[SEEN_MERGED] = "pages merged by KSM",
	[SEEN_DIRECT] = "pages read or written with O_DIRECT",
	[SEEN_RING] = "pages read or written by io_uring",
	[SEEN_PINNED] = "buffers decommitted while registered with io_uring",
	[SEEN_UNPINNED] = "buffers that io_uring did not take (EOPNOTSUPP)",
	[SEEN_MOVED] = "pages moved to another node",
	[SEEN_DUMPED] = "pages found in core dumps",
	[SEEN_PEEKED] = "pages looked at by a debugger",
	[SEEN_TAKEN] = "offered chunks taken back intact",
	[SEEN_DISCARDED] = "offered chunks that were discarded",
};

struct model model;

static struct progress *progress;
static struct operation operations[OPERATIONS];
static size_t kinds;
static unsigned int total_weight;

static unsigned long most = 1000000;
static unsigned long seconds;
static uint64_t seed;

static void collect(const struct operation *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		operations[kinds++] = from[i];
		total_weight += from[i].weight;
	}
}

static void collect_all(void)
{
	collect(device_operations, device_operations_count);
	collect(offer_operations, offer_operations_count);
	collect(system_operations, system_operations_count);
	collect(kernel_operations, kernel_operations_count);
	collect(process_operations, process_operations_count);
}

/* Make operations whose name has @part as frequent as all others together. */
static void come_more_often(const char *part)
{
	unsigned int more = total_weight, matching = 0;

	for (size_t i = 0; i < kinds; i++)
		matching += !!strstr(operations[i].name, part);
	for (size_t i = 0; i < kinds; i++) {
		if (!strstr(operations[i].name, part))
			continue;
		operations[i].weight += more / matching;
		total_weight += more / matching;
	}
}

static size_t choose(struct model *m)
{
	size_t at = below(m, total_weight), i = 0;

	while (at >= operations[i].weight)
		at -= operations[i++].weight;
	return i;
}

/* Any result will do: another thread may unmap the page. */
static noreturn void *fault_elsewhere(void *arg)
{
	uint64_t state = seed + 1, word;
	struct iovec local = { &word, sizeof(word) }, remote;

	(void)arg;
	for (;;) {
		uintptr_t addr = atomic_load(&model.hot[random_below(&state,
								     EXTENTS)]);

		if (!addr) {
			usleep(100);
			continue;
		}
		addr += random_below(&state, MIB / PAGE) * PAGE;
		remote = (struct iovec) { (void *)addr, sizeof(word) };
		if (random_below(&state, 2))
			process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		else
			madvise((void *)addr, 4 * PAGE, MADV_POPULATE_WRITE);
		/* Pause, so that the sequence makes progress. */
		usleep(random_below(&state, 200));
	}
}

static bool time_is_up(time_t start)
{
	return seconds && time(NULL) - start >= (time_t)seconds;
}

static bool at_end(unsigned long done, time_t start)
{
	if (seconds)
		return done % 64 == 0 && time_is_up(start);
	return done >= most;
}

static void set_up(struct model *m)
{
	pthread_t thread;

	m->random = seed;
	m->seen = progress->seen;
	m->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	m->file = memfd_create("model", MFD_CLOEXEC);
	expect(m->pagemap >= 0 && m->file >= 0);
	expect(ftruncate(m->file, PAGE) == 0);
	prepare_kernel(m);
	spare_strangers();
	for (unsigned int i = 0; i < CONTEXTS; i++)
		open_context(m, i);
	expect(pthread_create(&thread, NULL, fault_elsewhere, NULL) == 0);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void do_one(struct model *m)
{
	size_t kind = choose(m);
	uint64_t start = now();

	progress->now = operations[kind].name;
	operations[kind].run(m);
	progress->each[kind]++;
	progress->nanoseconds[kind] += now() - start;
}

static void look_at_all(struct model *m)
{
	progress->now = "the check of everything";
	check_some(m, 8);
	check_squatters(m);
	for (unsigned int i = 0; i < CONTEXTS; i++)
		check_stats(m, i);
}

/* Give everything back, and check that nothing is left. */
static void tear_down(struct model *m)
{
	progress->now = "the end";
	for (unsigned int i = 0; i < CONTEXTS; i++)
		close(m->context[i].fd);
	check_some(m, 64);
}

static void work(struct model *m)
{
	time_t start = time(NULL);

	set_up(m);
	while (!at_end(progress->done, start)) {
		do_one(m);
		if (++progress->done % CHECK_EVERY == 0)
			look_at_all(m);
	}
	look_at_all(m);
	tear_down(m);
	_exit(0);
}

/* Wait for the child, or kill it if it makes no progress. Return its status. */
static int watch(pid_t child)
{
	unsigned long seen = 0;
	int status, still = 0;

	for (unsigned int second = 1; waitpid(child, &status, WNOHANG) == 0;
	     second++, still++) {
		sleep(1);
		if (progress->done != seen)
			still = 0;
		seen = progress->done;
		if (second % TELL_EVERY == 0) {
			printf("# %lu operations in %u s, now %s\n", seen,
			       second, progress->now);
			fflush(stdout);
		}
		if (still == STALLED) {
			printf("# %d s in one operation\n", still);
			kill(child, SIGKILL);
		}
	}
	return status;
}

static void report(int status)
{
	for (size_t i = 0; i < kinds; i++)
		printf("# %9lu in %7.3f s: %s\n", progress->each[i],
		       progress->nanoseconds[i] / 1e9, operations[i].name);
	puts("# of which:");
	for (size_t i = 0; i < SEEN_COUNT; i++)
		printf("# %9lu %s\n", progress->seen[i], seen_names[i]);
	printf("# %lu operations, --seed %llu\n", progress->done,
	       (unsigned long long)seed);
	if (status)
		printf("# failed with status %#x in operation %lu, %s\n",
		       status, progress->done, progress->now);
	printf("%sok 1 - the device is as the model says\n1..1\n",
	       status ? "not " : "");
}

static int help(int status)
{
	FILE *to = status ? stderr : stdout;

	fputs("Usage: model [--seed N] [--ops N | --duration SECONDS] [--more PART]\n"
	      "Random operations on /dev/chunk and its memory, against a model.\n\n"
	      "  --seed N            seed of the sequence; it is printed, and repeats it\n"
	      "  --ops N             number of operations (1000000)\n"
	      "  --duration SECONDS  time limit, instead of a number of operations\n"
	      "  --more PART         half of all operations have PART in their names; the\n"
	      "                      same seed then gives another sequence\n\n"
	      "Prints TAP; exits with 1 if the device is not as the model says, 2 for bad\n"
	      "arguments. Operations that the kernel or the machine does not have (swap,\n"
	      "io_uring, loop devices, several nodes of memory, KSM, a memory cgroup) are\n"
	      "left out: the counts at the end tell which were done.\n\n"
	      "The operations, and their frequencies:\n", to);
	for (size_t i = 0; i < kinds; i++)
		fprintf(to, "  %6.3f %%  %s\n", 100.0 * operations[i].weight /
			total_weight, operations[i].name);
	return status;
}

static bool parse(int argc, char **argv)
{
	uint64_t value;

	for (int i = 1; i < argc; i += 2) {
		if (!strcmp(argv[i], "--more") && argv[i + 1]) {
			come_more_often(argv[i + 1]);
			continue;
		}
		if (!argument_number(argv[i + 1], &value))
			return false;
		if (!strcmp(argv[i], "--seed"))
			seed = value;
		else if (!strcmp(argv[i], "--ops"))
			most = value;
		else if (!strcmp(argv[i], "--duration"))
			seconds = value;
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	if (argc > 1 && !strcmp(argv[1], "--inherited"))
		return inherited_main(argc, argv);
	collect_all();
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
		return help(0);
	stop_randomising(argv);
	seed = (uint64_t)time(NULL) * 1000003 + getpid();
	if (!parse(argc, argv))
		return help(2);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(progress != MAP_FAILED);
	printf("# --seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	child = tap_fork();
	if (child == 0)
		work(&model);
	status = watch(child);
	report(status);
	return status != 0;
}
