// SPDX-License-Identifier: MIT
/*
 * An ordinary program on jemalloc that needs no library preloaded. It prints
 * the cost of a job: page faults, those of a forked child, and memory in KiB.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jemalloc/jemalloc.h>

#define KIB	((size_t)1 << 10)
#define FORKS	20

static long child_faults;

static void start(void)
{
	void *volatile p = malloc(100);

	free(p);
}

static void forks(void)
{
	struct rusage usage;

	for (unsigned int i = 0; i < FORKS; i++) {
		pid_t child = fork();

		if (child == 0) {
			char *p = malloc(5000);

			_exit(!p || !memset(p, 1, 5000));
		}
		waitpid(child, NULL, 0);
	}
	getrusage(RUSAGE_CHILDREN, &usage);
	child_faults = usage.ru_minflt / FORKS;
}

static void callocs(void)
{
	static void *p[100];

	for (unsigned int round = 0; round < 20; round++) {
		for (size_t i = 0; i < 100; i++)
			p[i] = calloc(1, round % 2 ? 400 * KIB : 3000 * KIB);
		for (size_t i = 0; i < 100; i++)
			free(p[i]);
	}
}

static void work(void)
{
	static char *p[3000];

	for (unsigned int round = 0; round < 4; round++) {
		for (size_t i = 0; i < 3000; i++) {
			p[i] = malloc(i % 10 ? i : 16 * KIB);
			p[i][0] = 1;
		}
		for (size_t i = 0; i < 3000; i++)
			free(p[i]);
		mallctl("arena.0.purge", NULL, NULL, NULL, 0);
	}
}

static long mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	long count = 0;
	int c;

	while (maps && (c = getc(maps)) != EOF)
		count += c == '\n';
	if (maps)
		fclose(maps);
	return count;
}

/* Load and unload a library repeatedly, and go on after that. */
static int load(const char *path)
{
	long before = 0, after;

	for (unsigned int i = 0; i < 20; i++) {
		void *library = dlopen(path, RTLD_NOW);

		if (!library) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		work();
		dlclose(library);
		work();
		if (i == 1)
			before = mappings();
	}
	after = mappings();
	printf("mappings %ld, then %ld\n", before, after);
	return after > before + 8;
}

static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		exit(1);
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / (long)KIB);
}

/**
 * struct job - job whose cost is printed
 * @name: name on the command line
 * @run:  function that does it
 */
struct job {
	const char *name;
	void (*run)(void);
};

static const struct job jobs[] = {
	{ "start", start },
	{ "forks", forks },
	{ "callocs", callocs },
	{ "work", work },
	{ NULL, NULL }
};

int main(int argc, char **argv)
{
	struct rusage usage;

	if (argc > 2)
		return load(argv[2]);
	for (const struct job *job = jobs; argc > 1 && job->name; job++) {
		if (strcmp(argv[1], job->name))
			continue;
		job->run();
		getrusage(RUSAGE_SELF, &usage);
		printf("faults %ld, child %ld, resident %ld\n",
		       usage.ru_minflt, child_faults, resident());
		return 0;
	}
	fprintf(stderr, "Usage: probe JOB, or probe dlopen LIBRARY\n");
	return 2;
}
