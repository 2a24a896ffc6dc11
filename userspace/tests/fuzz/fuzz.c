// SPDX-License-Identifier: MIT
/*
 * A fuzzer of the device's interface: random programs of calls, each in a
 * process of its own. A program is kept and changed further if it has outcomes
 * that no earlier one had, or reaches new code of the module, as far as the
 * kernel tells (KCOV). A program that fails is made as short as possible and
 * printed.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "arguments.h"
#include "fuzz.h"
#include "random.h"
#include "uapi.h"

#define CORPUS		1024
#define SAY_EVERY	100000	/* calls between lines of progress */

static struct fuzz_program corpus[CORPUS];
static size_t corpus_size;
static bool outcomes_seen[64][FUZZ_ERRORS];
static struct fuzz_shared *shared;
static struct fuzz_run run;
/* Memory of this process, which no program may change */
static char *own;

static uint64_t most = 1000000;
static uint64_t seconds;
static const char *replay;
static uint64_t seed;

static void set_up(void)
{
	int fd = device_open();

	own = device_alloc(fd, MIB, MIB);
	fill(own, MIB, 7);
	fuzz_set_up(&run);
	run.fds[FUZZ_FD_FOREIGN] = fd;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(shared != MAP_FAILED);
}

/* Tell whether all checks hold after the program has ended with that status. */
static bool is_well(int status)
{
	if (WIFSIGNALED(status) && !shared->why[0])
		snprintf(shared->why, sizeof(shared->why), "killed by %s",
			 strsignal(WTERMSIG(status)));
	if (status && !shared->why[0])
		snprintf(shared->why, sizeof(shared->why), "status %#x", status);
	if (!is_filled(own, MIB, 7))
		strcpy(shared->why, "another process' memory was changed");
	return !shared->why[0];
}

static bool run_program(const struct fuzz_program *program)
{
	pid_t child;
	int status;

	shared->why[0] = 0;
	child = fork();
	expect(child >= 0);
	if (child == 0) {
		fuzz_cover_begin();
		fuzz_run(&run, program, shared);
	}
	expect(waitpid(child, &status, 0) == child);
	return is_well(status);
}

/* Count the outcomes and places that no earlier program has reached. */
static size_t news(void)
{
	size_t new = fuzz_cover_add();

	for (size_t i = 0; i < fuzz_kinds_count(); i++) {
		for (unsigned int err = 0; err < FUZZ_ERRORS; err++) {
			if (!shared->outcomes[i][err] || outcomes_seen[i][err])
				continue;
			outcomes_seen[i][err] = true;
			new++;
		}
	}
	return new;
}

static void keep(const struct fuzz_program *program, uint64_t *random)
{
	size_t at = corpus_size < CORPUS ? corpus_size++ :
		    random_below(random, CORPUS);

	corpus[at] = *program;
}

static void make(struct fuzz_program *program, uint64_t *random)
{
	if (!corpus_size || random_below(random, 3) == 0) {
		fuzz_program_new(program, random);
		return;
	}
	*program = corpus[random_below(random, corpus_size)];
	fuzz_program_mutate(program,
			    &corpus[random_below(random, corpus_size)], random);
}

/* Leave out each call in turn, as long as the program still fails. */
static void minimise(struct fuzz_program *program)
{
	struct fuzz_program less;
	unsigned int i = program->calls;

	while (i-- > 0 && program->calls > 1) {
		less = *program;
		less.calls--;
		memmove(&less.call[i], &less.call[i + 1],
			(less.calls - i) * sizeof(less.call[0]));
		if (!run_program(&less))
			*program = less;
	}
	/* Run it again for the message of the shorter program. */
	run_program(program);
}

static void report_failure(struct fuzz_program *program)
{
	printf("# %s, in call %u of this program, which is being made shorter\n",
	       shared->why, shared->at + 1);
	fuzz_program_print(program, stdout);
	fflush(stdout);
	minimise(program);
	printf("# %s, in call %u of this one; --replay FILE runs it\n",
	       shared->why[0] ? shared->why : "not again", shared->at + 1);
	fuzz_program_print(program, stdout);
}

static void report_counts(bool covers)
{
	for (size_t i = 0; i < fuzz_kinds_count(); i++) {
		printf("# %-10s", fuzz_kind(i)->name);
		for (unsigned int err = 0; err < FUZZ_ERRORS; err++) {
			if (!shared->outcomes[i][err])
				continue;
			printf(" %s %u", err ? strerrorname_np(err) : "ok",
			       shared->outcomes[i][err]);
		}
		printf("\n");
	}
	if (covers)
		printf("# %zu basic blocks of the module were reached\n",
		       fuzz_cover_total());
	printf("# %lu calls, %zu programs kept, --seed %llu\n", shared->done,
	       corpus_size, (unsigned long long)seed);
}

static bool at_end(time_t start)
{
	if (seconds)
		return time(NULL) - start >= (time_t)seconds;
	return shared->done >= most;
}

static bool fuzz(bool covers)
{
	unsigned long said = 0;
	uint64_t random = seed;
	time_t start = time(NULL);
	struct fuzz_program program;

	while (!at_end(start)) {
		make(&program, &random);
		if (!run_program(&program)) {
			report_failure(&program);
			return false;
		}
		if (news())
			keep(&program, &random);
		if (shared->done - said >= SAY_EVERY) {
			said = shared->done;
			printf("# %lu calls, %zu programs kept, %zu blocks\n",
			       said, corpus_size, fuzz_cover_total());
			fflush(stdout);
		}
	}
	report_counts(covers);
	return true;
}

static bool run_again(void)
{
	struct fuzz_program program;
	FILE *file = fopen(replay, "re");
	bool well;

	if (!file || !fuzz_program_read(&program, file)) {
		fprintf(stderr, "fuzz: %s: %s\n", replay,
			file ? "no program" : strerror(errno));
		exit(2);
	}
	fclose(file);
	well = run_program(&program);
	if (!well)
		printf("# %s, in call %u\n", shared->why, shared->at + 1);
	return well;
}

static int help(int status)
{
	fputs("Usage: fuzz [--seed N] [--calls N | --duration SECONDS] | --replay FILE\n"
	      "Random programs of calls on /dev/chunk and its memory.\n\n"
	      "  --seed N            seed of all programs; it is printed, and repeats them\n"
	      "  --calls N           number of calls (1000000)\n"
	      "  --duration SECONDS  time limit, instead of a number of calls\n"
	      "  --replay FILE       run one program, as it was printed\n\n"
	      "Later programs depend on the code that earlier ones have reached: with the\n"
	      "same kernel, module and seed they are the same, but for threads.\n"
	      "Prints TAP; exits with 1 if a check fails, 2 for bad arguments.\n",
	      status ? stderr : stdout);
	return status;
}

static bool parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		bool good = false;

		if (!strcmp(argv[i], "--replay"))
			good = (replay = argv[i + 1]);
		else if (!strcmp(argv[i], "--seed"))
			good = argument_number(argv[i + 1], &seed);
		else if (!strcmp(argv[i], "--calls"))
			good = argument_number(argv[i + 1], &most);
		else if (!strcmp(argv[i], "--duration"))
			good = argument_number(argv[i + 1], &seconds) && seconds;
		if (!good)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	bool covers, well;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
		return help(0);
	stop_randomising(argv);
	seed = (uint64_t)time(NULL) * 1000003 + getpid();
	if (!parse(argc, argv))
		return help(2);
	fuzz_kinds_collect();
	set_up();
	covers = fuzz_cover_open();
	printf("# --seed %llu%s\n", (unsigned long long)seed,
	       covers ? ", led by what is reached" : "");
	fflush(stdout);
	well = replay ? run_again() : fuzz(covers);
	printf("%sok 1 - calls behave as documented, with any arguments\n1..1\n",
	       well ? "" : "not ");
	return !well;
}
