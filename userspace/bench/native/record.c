// SPDX-License-Identifier: MIT
/*
 * A library that is preloaded into a program with a shared jemalloc. It records
 * the requests of jemalloc to the layer below: the extents that its arenas map
 * and unmap.
 *
 * The library has extent hooks in front of jemalloc's own. jemalloc cuts and
 * merges extents and unmaps them in parts; a mapping counts as given back with
 * its last part. Mappings are not merged, and each is made for its own request.
 * One line for each event goes to the file that CHUNK_TRACE names:
 *
 *   a NUMBER BYTES ALIGNMENT     mapped
 *   f NUMBER                     given back
 *
 * Nothing here may allocate: it is called by the allocator.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jemalloc/jemalloc.h>

#define MAX_LIVE	16384

/**
 * struct mapping - a mapping that is not wholly given back
 * @addr:   first byte
 * @size:   bytes
 * @left:   bytes that are not given back yet
 * @number: number in the trace
 */
struct mapping {
	uintptr_t addr;
	size_t size;
	size_t left;
	unsigned int number;
};

static struct mapping live[MAX_LIVE];
static size_t nr_live;
static unsigned int next_number;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static extent_hooks_t *inner;
static int trace = -1;

static void die(const char *what)
{
	fprintf(stderr, "record: %s\n", what);
	_exit(125);
}

static void write_line(const char *format, ...)
{
	char line[80];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (write(trace, line, length) != length)
		die("the trace cannot be written");
}

/* Context: the lock is held. */
static struct mapping *find(const void *addr)
{
	for (size_t i = 0; i < nr_live; i++)
		if ((uintptr_t)addr - live[i].addr < live[i].size)
			return &live[i];
	return NULL;
}

static void add(void *addr, size_t size, size_t alignment)
{
	pthread_mutex_lock(&lock);
	if (nr_live == MAX_LIVE)
		die("too many mappings");
	live[nr_live++] = (struct mapping) {
		(uintptr_t)addr, size, size, next_number,
	};
	write_line("a %u %zu %zu\n", next_number++, size, alignment);
	pthread_mutex_unlock(&lock);
}

/* Return whether the memory is a recorded mapping's, which then may be unmapped. */
static bool give_back(void *addr, size_t size)
{
	struct mapping *mapping;

	pthread_mutex_lock(&lock);
	mapping = find(addr);
	if (mapping) {
		mapping->left -= size;
		if (!mapping->left) {
			write_line("f %u\n", mapping->number);
			*mapping = live[--nr_live];
		}
	}
	pthread_mutex_unlock(&lock);
	return mapping;
}

static void *hook_alloc(extent_hooks_t *hooks, void *new_addr, size_t size,
			size_t alignment, bool *zero, bool *commit,
			unsigned int arena)
{
	void *addr;

	(void)hooks;
	if (new_addr)
		return NULL;
	addr = inner->alloc(inner, NULL, size, alignment, zero, commit, arena);
	if (addr)
		add(addr, size, alignment);
	return addr;
}

static bool hook_dalloc(extent_hooks_t *hooks, void *addr, size_t size,
			bool committed, unsigned int arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	if (!give_back(addr, size))
		return true;
	munmap(addr, size);
	return false;
}

static void hook_destroy(extent_hooks_t *hooks, void *addr, size_t size,
			 bool committed, unsigned int arena)
{
	hook_dalloc(hooks, addr, size, committed, arena);
}

static bool hook_split(extent_hooks_t *hooks, void *addr, size_t size,
		       size_t a, size_t b, bool committed, unsigned int arena)
{
	(void)hooks;
	return inner->split(inner, addr, size, a, b, committed, arena);
}

static bool hook_merge(extent_hooks_t *hooks, void *a, size_t size_a, void *b,
		       size_t size_b, bool committed, unsigned int arena)
{
	bool apart;

	(void)hooks;
	pthread_mutex_lock(&lock);
	apart = find(a) != find(b);
	pthread_mutex_unlock(&lock);
	return apart || inner->merge(inner, a, size_a, b, size_b, committed,
				     arena);
}

/* jemalloc works without the hooks that are missing here. */
static extent_hooks_t outer = {
	.alloc = hook_alloc,
	.dalloc = hook_dalloc,
	.destroy = hook_destroy,
	.split = hook_split,
	.merge = hook_merge,
};

/* jemalloc maps ever more at once; with a limit it maps only the size of a request. */
static void adopt(unsigned int arena)
{
	extent_hooks_t *hooks = &outer;
	size_t grow = 2 << 20, size = sizeof(inner);
	char name[60];

	snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	if (mallctl(name, inner ? NULL : &inner, inner ? NULL : &size, &hooks,
		    sizeof(hooks)))
		die("jemalloc does not take extent hooks");
	snprintf(name, sizeof(name), "arena.%u.retain_grow_limit", arena);
	if (mallctl(name, NULL, NULL, &grow, sizeof(grow)))
		die("jemalloc has no retain_grow_limit");
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("CHUNK_TRACE");
	size_t size = sizeof(unsigned int);
	unsigned int arenas, arena;

	if (!path)
		return;
	trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (trace < 0)
		die("CHUNK_TRACE names no file that can be written");
	if (mallctl("opt.narenas", &arenas, &size, NULL, 0))
		die("there is no jemalloc here");
	for (arena = 0; arena < arenas; arena++)
		adopt(arena);
}
