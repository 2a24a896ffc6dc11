// SPDX-License-Identifier: MIT
/*
 * An ordinary program that uses malloc(), for libchunk-large.so to be preloaded into.
 * It exits with 0 if all checks hold, or else prints the failed one.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ordinary.h"

#define KIB	((size_t)1 << 10)

/* The compiler must neither merge nor remove calls. */
static void *(*volatile alloc)(size_t size) = malloc;
static void (*volatile release)(void *p) = free;

/* Of C23: not in older headers, and only in the preloaded library. */
static void (*release_sized)(void *p, size_t size);
static void (*release_aligned_sized)(void *p, size_t alignment, size_t size);

static void find_functions(void)
{
	*(void **)&release_sized = dlsym(RTLD_DEFAULT, "free_sized");
	*(void **)&release_aligned_sized =
		dlsym(RTLD_DEFAULT, "free_aligned_sized");
}

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static sigjmp_buf trapped;

static void on_trap(int number)
{
	(void)number;
	siglongjmp(trapped, 1);
}

/* Does a read trap? */
static bool traps(const volatile char *p)
{
	struct sigaction action = { .sa_handler = on_trap };
	bool result = true;

	sigaction(SIGSEGV, &action, NULL);
	if (!sigsetjmp(trapped, 1)) {
		(void)*p;
		result = false;
	}
	signal(SIGSEGV, SIG_DFL);
	return result;
}

/* Is it a large block: does it begin where they do, with a guard behind it? */
static bool is_large(char *p)
{
	return !((uintptr_t)p & (MIB - 1) & ~(uintptr_t)0xfc0) &&
	       traps(p + malloc_usable_size(p));
}

static bool is_filled(const char *p, char byte, size_t size)
{
	return !size || (*p == byte && !memcmp(p, p + 1, size - 1));
}

/* Check a block, write all of it, and free it. */
static void use(char *p, size_t size, size_t alignment, bool large)
{
	check(p);
	check(!((uintptr_t)p & (alignment - 1)));
	check(malloc_usable_size(p) >= size);
	memset(p, 0x5a, malloc_usable_size(p));
	if (large)
		check(is_large(p));
	release(p);
}

static void use_family(size_t size, bool large)
{
	/* Smaller blocks need not be aligned to that. */
	size_t least = size < 16 ? 1 : 16;
	char *p = calloc(1, size);
	void *q = NULL;

	check(p && is_filled(p, 0, size));
	use(p, size, least, large);
	use(alloc(size), size, least, large);
	use(realloc(NULL, size), size, least, large);
	use(reallocarray(NULL, size, 1), size, least, large);
	use(aligned_alloc(32, size), size, 32, large);
	use(memalign(256, size), size, 256, large);
	use(valloc(size), size, page_size(), large);
	use(pvalloc(size), size, page_size(), false);
	check(!posix_memalign(&q, 128 * KIB, size));
	use(q, size, 128 * KIB, large);
	release_sized(alloc(size), size);
	release_aligned_sized(aligned_alloc(64, size), 64, size);
}

static void family(void)
{
	static const size_t large[] = {
		MIB, MIB + 1, 2 * MIB - 9000, 2 * MIB - 8192, 2 * MIB - 4096,
		2 * MIB, 3 * MIB - 64, 17 * MIB + 5
	};

	for (size_t size = 1; size < MIB; size = size * 3 + 1)
		use_family(size, false);
	use_family(MIB - 1, false);
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++)
			use_family(large[i], true);
	release(NULL);
	check(!malloc_usable_size(NULL));
}

static void alignments(void)
{
	char *p[10];

	for (size_t alignment = 1; alignment <= 64 * MIB; alignment *= 2) {
		for (size_t i = 0; i < 10; i++) {
			p[i] = memalign(alignment, MIB + i * 999);
			check(p[i] && is_large(p[i]));
			check(!((uintptr_t)p[i] & (alignment - 1)));
			check(!((uintptr_t)p[i] & 63));
			memset(p[i], 1, MIB + i * 999);
		}
		for (size_t i = 0; i < 10; i++)
			release(p[i]);
	}
}

/*
 * The rest of a page is all that may lie between a block and its guard. Without
 * colours, blocks begin within 4 KiB where they end next to it.
 */
static void guards(void)
{
	const char *colour = getenv("CHUNK_LARGE_COLOUR");
	size_t most = page_size() - 1;

	if (colour && *colour == '0')
		most -= 4 * KIB - 64;
	for (size_t size = MIB; size < 4 * MIB; size += 12345) {
		char *p = alloc(size);

		check(p && malloc_usable_size(p) <= size + most);
		check(!traps(p + malloc_usable_size(p) - 1));
		check(traps(p + malloc_usable_size(p)));
		check(traps(p + malloc_usable_size(p) + page_size() - 1));
		release(p);
	}
}

static void colours(void)
{
	size_t seen[64] = { 0 }, used = 0, most = 0;
	char *p[128];

	for (size_t i = 0; i < 128; i++) {
		p[i] = alloc(2 * MIB);
		check(p[i]);
		seen[(uintptr_t)p[i] / 64 % 64]++;
	}
	for (size_t i = 0; i < 64; i++) {
		used += !!seen[i];
		most = seen[i] > most ? seen[i] : most;
	}
	check(used >= 32 && most <= 8);
	for (size_t i = 0; i < 128; i++)
		release(p[i]);
}

static void zeroes(void)
{
	size_t size = 4 * MIB + 100;

	for (size_t round = 0; round < 20; round++) {
		char *p = calloc(round % 2 + 1, size + round * 8192);

		check(p && is_filled(p, 0, size + round * 8192));
		memset(p, 0xff, malloc_usable_size(p));
		release(p);
		p = alloc(size);
		check(p);
		memset(p, 0xff, malloc_usable_size(p));
		release(p);
	}
}

static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	check(file && fscanf(file, "%*d %ld", &pages) == 1);
	fclose(file);
	return pages * (long)page_size();
}

/* A program that touches little of much memory needs little memory. */
static void sparse(void)
{
	size_t size = 256 * MIB;

	/* Each would be touched as a whole. */
	check(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	for (size_t round = 0; round < 4; round++) {
		char *p = calloc(1, size);

		check(p);
		for (size_t at = 0; at < size; at += 4 * MIB) {
			check(!p[at] && !p[at + 5000]);
			p[at] = 1;
			p[at + 5000] = 1;
		}
		release(p);
	}
	check((size_t)resident() < 32 * MIB);
}

static void in_place(void)
{
	size_t size = 2 * MIB + 100 * KIB, usable;
	char *p = alloc(size), *before = p;

	check(p);
	memset(p, 7, size);
	p = realloc(p, size + 500 * KIB);
	check(p == before && is_filled(p, 7, size));
	usable = malloc_usable_size(p);
	check(usable >= size + 500 * KIB && traps(p + usable));
	memset(p, 8, usable);
	p = realloc(p, size);
	check(p == before && is_filled(p, 8, size));
	check(malloc_usable_size(p) < size + page_size());
	check(is_large(p));
	/* Its memory is gone, not only out of reach. */
	p = realloc(p, size + 500 * KIB);
	check(p == before && is_filled(p + size + page_size(), 0, 400 * KIB));
	p = realloc(p, 3 * MIB / 2);
	check(p == before && is_large(p));
	release(p);
}

static void moves(void)
{
	static const size_t sizes[] = {
		10, MIB, 3 * MIB, 40 * MIB, 2 * MIB, 100, 30 * MIB, MIB - 1,
		200 * KIB, MIB + 7, 17, 9 * MIB, MIB / 2
	};
	size_t old = 0;
	char *p = NULL;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = sizes[i];

		p = i % 2 ? reallocarray(p, size, 1) : realloc(p, size);
		check(p && malloc_usable_size(p) >= size);
		check(is_filled(p, (char)i, old < size ? old : size));
		check(size < MIB || is_large(p));
		memset(p, (char)(i + 1), size);
		old = size;
	}
	release(p);
}

/* A vector that grows step by step */
static void growth(void)
{
	size_t size = MIB / 2, copied = 0;
	char *p = alloc(size);

	for (; p && size < 100 * MIB; size += 100 * KIB) {
		char *to = realloc(p, size + 100 * KIB);

		check(to);
		if (to != p)
			copied += size;
		p = to;
		p[size + 100 * KIB - 1] = 1;
	}
	check(p);
	/* Some 5,000 MiB if it moved at each step */
	check(copied < 600 * MIB);
	release(p);
}

/* As the allocator below does it */
static void to_nothing(void)
{
	void *small = realloc(alloc(10), 0);
	void *large = realloc(alloc(5 * MIB), 0);

	check(!small == !large);
	release(small);
	release(large);
}

static void errors(void)
{
	volatile size_t most = SIZE_MAX;
	char *p = alloc(2 * MIB);
	void *q = p;

	for (size_t less = 0; less < 3 * MIB; less += MIB / 2) {
		errno = 0;
		check(!alloc(most - less) && errno == ENOMEM);
		errno = 0;
		check(!calloc(1, most - less) && errno == ENOMEM);
		errno = 0;
		check(!realloc(p, most - less) && errno == ENOMEM);
		errno = 0;
		check(!memalign(4096, most - less) && errno == ENOMEM);
		errno = 0;
		check(!valloc(most - less) && errno == ENOMEM);
		errno = 0;
		check(!pvalloc(most - less) && errno == ENOMEM);
		errno = EDOM;
		check(posix_memalign(&q, 64, most - less) == ENOMEM);
		check(q == p && is_large(p));
	}
	errno = 0;
	check(!calloc(most / 2, 3) && errno == ENOMEM);
	errno = 0;
	check(!calloc(3 * MIB, most / MIB) && errno == ENOMEM);
	errno = 0;
	check(!reallocarray(p, most / 2, 3) && errno == ENOMEM);
	check(posix_memalign(&q, 3, 2 * MIB) == EINVAL);
	check(posix_memalign(&q, 0, 2 * MIB) == EINVAL);
	check(posix_memalign(&q, 24, 2 * MIB) == EINVAL);
	check(posix_memalign(&q, 4, 2 * MIB) == EINVAL);
	check(q == p && malloc_usable_size(p) >= 2 * MIB);
	release(p);
}

static void errno_stays(void)
{
	void *p, *q;

	for (size_t i = 0; i < 40; i++) {
		errno = EDOM;
		p = alloc((i + 1) * MIB);
		check(p && errno == EDOM);
		check(!posix_memalign(&q, 4096, MIB + i) && errno == EDOM);
		p = realloc(p, (i + 1) * MIB + 200);
		check(p && errno == EDOM);
		release(p);
		release(q);
		check(errno == EDOM);
	}
}

static void double_free(void)
{
	void *p = alloc(3 * MIB);

	release(p);
	release(p);
}

/* Others were freed since, so the first has left the kept ones. */
static void double_free_late(void)
{
	void *p = alloc(3 * MIB), *others[40];

	for (size_t i = 0; i < 40; i++)
		others[i] = alloc(3 * MIB);
	release(p);
	for (size_t i = 0; i < 40; i++)
		release(others[i]);
	release(p);
}

static void free_inside(void)
{
	char *p = memalign(4096, 3 * MIB);

	release(p + 64);
}

static void free_inside_later_chunk(void)
{
	char *p = memalign(4096, 3 * MIB);

	/* Something has been there before. */
	release(p);
	p = memalign(4096, 2 * MIB);
	release((char *)memalign(4096, 8 * MIB) + 64);
}

static void realloc_free(void)
{
	char *p = alloc(3 * MIB);

	release(p);
	check(realloc(p, 4 * MIB));
}

static void usable_free(void)
{
	char *p = alloc(3 * MIB);

	release(p);
	check(malloc_usable_size(p));
}

/* Freed memory traps if the user wants that. */
static void use_after_free(void)
{
	char *p = alloc(3 * MIB);

	memset(p, 1, 3 * MIB);
	release(p);
	check(traps(p));
	check(traps(p + MIB));
	p = alloc(3 * MIB);
	check(p && is_large(p) && is_filled(p, 0, 3 * MIB));
}

/**
 * struct slot - a block of the stress
 * @p:    first byte; may be NULL: none
 * @size: bytes
 */
struct slot {
	unsigned char *p;
	size_t size;
};

/* Mark some bytes of each page and the last byte. */
static void mark(const struct slot *slot)
{
	for (size_t at = 0; at < slot->size; at += 4096)
		slot->p[at] = (unsigned char)(slot->size + at / 4096);
	slot->p[slot->size - 1] = (unsigned char)slot->size;
}

static void check_mark(const struct slot *slot, size_t size)
{
	for (size_t at = 0; at + 1 < size; at += 4096)
		check(slot->p[at] == (unsigned char)(slot->size + at / 4096));
}

static size_t random_size(uint64_t *state)
{
	if (next_random(state) % 4)
		return MIB + next_random(state) % 8 * 4096;
	return 1 + next_random(state) % (next_random(state) % 2 ? 5000 : 5 * MIB);
}

static void get(struct slot *slot, uint64_t *state)
{
	slot->size = random_size(state);
	switch (next_random(state) % 4) {
	case 0:
		slot->p = calloc(1, slot->size);
		check(slot->p && is_filled((char *)slot->p, 0, slot->size));
		break;
	case 1:
		slot->p = memalign((size_t)16 << next_random(state) % 18, slot->size);
		break;
	default:
		slot->p = alloc(slot->size);
	}
	check(slot->p);
	mark(slot);
}

static void resize(struct slot *slot, uint64_t *state)
{
	size_t size = random_size(state);

	slot->p = realloc(slot->p, size);
	check(slot->p);
	check_mark(slot, slot->size < size ? slot->size : size);
	slot->size = size;
	mark(slot);
}

static void one_round(struct slot *slot, uint64_t *state)
{
	if (!slot->p) {
		get(slot, state);
		return;
	}
	check_mark(slot, slot->size);
	if (next_random(state) % 4 == 0) {
		resize(slot, state);
		return;
	}
	release(slot->p);
	slot->p = NULL;
}

#define SLOTS	24

static size_t rounds_wanted = 2000;

/* Slots that the next thread takes over, so that another one frees them */
static atomic_uintptr_t passed_on;

static void *hammer(void *seed)
{
	struct slot *slots = calloc(SLOTS, sizeof(*slots));
	uint64_t state = (uintptr_t)seed;

	check(slots);
	for (size_t round = 0; round < rounds_wanted; round++) {
		one_round(&slots[next_random(&state) % SLOTS], &state);
		if (round % 64)
			continue;
		slots = (void *)atomic_exchange(&passed_on, (uintptr_t)slots);
		if (!slots)
			slots = calloc(SLOTS, sizeof(*slots));
		check(slots);
	}
	for (size_t i = 0; i < SLOTS; i++)
		release(slots[i].p);
	release(slots);
	return NULL;
}

#define THREADS	4

static void start(pthread_t *threads)
{
	for (size_t i = 0; i < THREADS; i++)
		check(!pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)));
}

static void join(pthread_t *threads)
{
	for (size_t i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL));
}

static void stress(void)
{
	pthread_t threads[THREADS];

	start(threads);
	join(threads);
}

static void child(char *inherited)
{
	uint64_t state = getpid();
	struct slot slots[SLOTS] = { 0 };

	check(is_filled(inherited, 3, 2 * MIB));
	release(inherited);
	for (size_t round = 0; round < 200; round++)
		one_round(&slots[next_random(&state) % SLOTS], &state);
	_exit(0);
}

static void forks(void)
{
	pthread_t threads[THREADS];
	char *p = alloc(2 * MIB);
	int status;

	memset(p, 3, 2 * MIB);
	start(threads);
	for (size_t round = 0; round < 20; round++) {
		pid_t pid = fork();

		check(pid >= 0);
		if (pid == 0)
			child(p);
		check(waitpid(pid, &status, 0) == pid && status == 0);
	}
	join(threads);
	check(is_filled(p, 3, 2 * MIB));
}

static char *early;

/*
 * Runs before any constructor, that of the preloaded library too, and before libchunk
 * can read its options: so in no other job.
 */
static void before_all(int argc, char **argv, char **environment)
{
	(void)environment;
	if (argc < 2 || strcmp(argv[1], "around_main"))
		return;
	early = alloc(3 * MIB);
	if (early)
		memset(early, 9, 3 * MIB);
}

__attribute__((section(".preinit_array"), used))
static void (*const preinit)(int, char **, char **) = before_all;

static char *late;

static void __attribute__((destructor)) after_all(void)
{
	if (!late)
		return;
	check(is_filled(late, 4, 3 * MIB));
	release(late);
	release(calloc(2, MIB));
}

static void around_main(void)
{
	check(early && is_large(early) && is_filled(early, 9, 3 * MIB));
	release(early);
	late = alloc(3 * MIB);
	check(late);
	memset(late, 4, 3 * MIB);
}

static size_t mapped(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	check(file && fscanf(file, "%ld", &pages) == 1);
	fclose(file);
	return pages * page_size();
}

/* Kept memory is given up before an allocation fails. */
static void limited(void)
{
	struct rlimit limit;
	char *p[4];

	for (size_t i = 0; i < 4; i++)
		p[i] = alloc(60 * MIB);
	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = mapped() + 16 * MIB;
	setrlimit(RLIMIT_AS, &limit);
	errno = 0;
	check(!alloc(400 * MIB) && errno == ENOMEM);
	for (size_t i = 0; i < 4; i++)
		release(p[i]);
	p[0] = alloc(200 * MIB);
	check(p[0]);
	/* libchunk may have mapped more than blocks take, as with large pages. */
	check(!alloc(mapped()));
	for (size_t i = 0; i < 1000; i++)
		check(alloc(1000));
	release(p[0]);
}

/* Freed blocks of the same size come back without a system call. */
static void warm(void)
{
	static const size_t sizes[] = { MIB, 3 * MIB + 77, 10 * MIB };
	char *p[3][4];

	for (size_t round = 0; round < 100; round++) {
		for (size_t i = 0; i < 12; i++)
			p[i % 3][i / 3] = alloc(sizes[i % 3]);
		for (size_t i = 0; i < 12; i++) {
			p[i % 3][i / 3][MIB - 1] = 1;
			release(p[i % 3][i / 3]);
		}
		/* Any further call but exit() ends the process. */
		if (round == 2)
			check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	}
	syscall(SYS_exit, 0);
}

static void threshold(void)
{
	check(is_large(alloc(100 * KIB)));
	check(is_large(alloc(64 * KIB)));
	check((uintptr_t)alloc(64 * KIB - 1) & 0xff03f);
}

/* No extent can be that large. The allocator below has something for each call. */
static void refused(void)
{
	size_t size = (size_t)5 << 40;
	void *p;

	release(alloc(MIB));
	release(alloc(size));
	check(alloc(size) && calloc(size / 8, 8) && realloc(NULL, size));
	check(aligned_alloc(64, size) && memalign(64, size));
	check(valloc(size) && pvalloc(size));
	check(!posix_memalign(&p, 64, size) && p);
}

/* Loaded late, the library replaces nothing, and does no harm. */
static void late_load(const char *library)
{
	void *p = alloc(2 * MIB), *q;

	check(!dlsym(RTLD_DEFAULT, "free_sized"));
	check(dlopen(library, RTLD_NOW));
	q = alloc(3 * MIB);
	check(p && q && realloc(p, 4 * MIB));
	release(q);
}

static int has_symbol(const char *name)
{
	return dlsym(RTLD_DEFAULT, name) ? 0 : 3;
}

static void none(void)
{
	release(alloc(1000));
}

/**
 * struct job - job that the worker can do
 * @name: name on the command line
 * @run:  function that does it
 */
struct job {
	const char *name;
	void (*run)(void);
};

#define JOB(function)	{ #function, function }

static const struct job jobs[] = {
	JOB(family), JOB(alignments), JOB(guards), JOB(colours), JOB(zeroes),
	JOB(sparse), JOB(in_place), JOB(moves), JOB(growth), JOB(to_nothing),
	JOB(errors), JOB(errno_stays), JOB(double_free), JOB(double_free_late),
	JOB(free_inside), JOB(free_inside_later_chunk), JOB(realloc_free),
	JOB(usable_free), JOB(use_after_free), JOB(stress), JOB(forks),
	JOB(around_main), JOB(limited), JOB(warm), JOB(threshold), JOB(refused),
	JOB(none),
	{ NULL, NULL }
};

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "has"))
		return has_symbol(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "late_load")) {
		late_load(argv[2]);
		return 0;
	}
	if (argc > 2)
		rounds_wanted = strtoul(argv[2], NULL, 10);
	find_functions();
	if (!release_sized || !release_aligned_sized)
		fail(__LINE__, "the library to be preloaded");
	for (const struct job *job = jobs; argc > 1 && job->name; job++) {
		if (!strcmp(argv[1], job->name)) {
			job->run();
			return 0;
		}
	}
	fprintf(stderr, "Usage: large_worker JOB [ROUNDS], preloaded\n");
	return 2;
}
