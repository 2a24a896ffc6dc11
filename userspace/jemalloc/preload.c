// SPDX-License-Identifier: MIT
/*
 * libchunk-jemalloc.so: preloaded, it puts jemalloc's heap into chunks.
 *
 * It replaces mmap() and munmap() for the program, and passes calls on to the C
 * library unless they come from jemalloc's code. The first call, or at the latest
 * the constructor, finds out where that code is. A jemalloc that is loaded later is
 * not noticed.
 *
 * In two cases that cannot work. If jemalloc is linked into the program, its calls
 * cannot be told from the program's own, which must not get chunks. If this library
 * is loaded by dlopen(), it comes too late to replace functions for jemalloc. In
 * both cases the arenas that are in use get the extent hooks, and others stay as
 * they are.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jemalloc/jemalloc.h>

#include "chunk.h"
#include "chunk_adapter.h"
#include "chunk_jemalloc.h"
#include "extents.h"
#include "maps.h"
#include "objects.h"

/* For 64-bit offsets in 32-bit programs; elsewhere the two are the same. */
typedef int64_t offset64;

/**
 * struct around - objects and functions around this library; constant once @known
 * @known:     the rest is filled in
 * @preloaded: the program's mmap() is the one in this library
 * @start:     first byte of jemalloc's code; 0: its calls do not come here
 * @end:       byte after that
 * @ctl:       jemalloc's mallctl(); may be NULL: there is no jemalloc
 * @map:       the replaced mmap()
 * @map64:     the replaced mmap64(); may be NULL: there is none
 * @unmap:     the replaced munmap()
 * @extend:    the replaced sbrk()
 */
struct around {
	atomic_bool known;
	bool preloaded;
	uintptr_t start;
	uintptr_t end;
	int (*ctl)(const char *name, void *oldp, size_t *oldlenp, void *newp,
		   size_t newlen);
	void *(*map)(void *addr, size_t size, int prot, int flags, int fd,
		     off_t offset);
	void *(*map64)(void *addr, size_t size, int prot, int flags, int fd,
		       offset64 offset);
	int (*unmap)(void *addr, size_t size);
	void *(*extend)(intptr_t increment);
};

static struct around around;

#define EXPORTED	__attribute__((visibility("default")))

/* Memory that jemalloc has from the system itself, in bytes */
static atomic_int_least64_t elsewhere;

/* Number of arenas that were given hooks; negative: this jemalloc has no hooks */
static int hooked;

static bool find_jemalloc(struct object *object)
{
	/* A jemalloc with a prefix, as some distributions have it */
	return object_find("mallctl", object) ||
	       object_find("je_mallctl", object);
}

static void find_next(struct around *found)
{
	found->map = (void *)object_find_after("mmap");
	found->map64 = (void *)object_find_after("mmap64");
	found->unmap = (void *)object_find_after("munmap");
	found->extend = (void *)object_find_after("sbrk");
}

/*
 * The first time there is one thread, since dynamic linkers load all that a program
 * needs before any of its code runs. Repeating it does no harm.
 */
static void look_around(void)
{
	struct object jemalloc, mapper;

	if (atomic_load_explicit(&around.known, memory_order_acquire))
		return;
	find_next(&around);
	around.preloaded = object_find("mmap", &mapper) && mapper.ours;
	if (find_jemalloc(&jemalloc)) {
		around.ctl = (void *)jemalloc.symbol;
		if (around.preloaded && !jemalloc.program) {
			around.start = jemalloc.start;
			around.end = jemalloc.end;
			maps_start();
		}
	}
	atomic_store_explicit(&around.known, true, memory_order_release);
}

/* Does a call that returns to @caller come from jemalloc? */
static bool is_jemalloc(const void *caller)
{
	look_around();
	return (uintptr_t)caller >= around.start &&
	       (uintptr_t)caller < around.end;
}

#define MEMORY	(MAP_PRIVATE | MAP_ANONYMOUS)

/* Is it private anonymous memory, as jemalloc asks for it? */
static bool is_memory(int prot, int flags)
{
	return (flags & ~(MAP_FIXED | MAP_NORESERVE)) == MEMORY &&
	       (prot == (PROT_READ | PROT_WRITE) || prot == PROT_NONE);
}

static void *map(void *addr, size_t size, int prot, int flags, int fd,
		 offset64 offset)
{
	if (around.map64)
		return around.map64(addr, size, prot, flags, fd, offset);
	if (around.map && offset == (off_t)offset)
		return around.map(addr, size, prot, flags, fd, offset);
	errno = ENOMEM;
	return MAP_FAILED;
}

static void *map_for_jemalloc(void *addr, size_t size, int prot, int flags,
			      int fd, offset64 offset)
{
	int saved = errno;
	void *got = NULL;

	if (is_memory(prot, flags))
		got = maps_get(addr, size, prot, flags);
	if (got) {
		errno = saved;
		return got;
	}
	got = map(addr, size, prot, flags, fd, offset);
	if (got != MAP_FAILED && !(flags & MAP_FIXED))
		elsewhere += size;
	return got;
}

/**
 * mmap() - map memory; jemalloc gets chunks
 * @addr:   argument of mmap(2)
 * @size:   argument of mmap(2)
 * @prot:   argument of mmap(2)
 * @flags:  argument of mmap(2)
 * @fd:     argument of mmap(2)
 * @offset: argument of mmap(2)
 *
 * Return: the address, or MAP_FAILED with errno set.
 */
EXPORTED void *mmap(void *addr, size_t size, int prot, int flags, int fd,
		    off_t offset)
{
	if (is_jemalloc(__builtin_return_address(0)))
		return map_for_jemalloc(addr, size, prot, flags, fd, offset);
	return map(addr, size, prot, flags, fd, offset);
}

/* C libraries in which the two are the same may define a macro. */
#ifndef mmap64

/**
 * mmap64() - map memory, with an offset of 64 bits; jemalloc gets chunks
 * @addr:   argument of mmap(2)
 * @size:   argument of mmap(2)
 * @prot:   argument of mmap(2)
 * @flags:  argument of mmap(2)
 * @fd:     argument of mmap(2)
 * @offset: argument of mmap(2)
 *
 * Return: the address, or MAP_FAILED with errno set.
 */
EXPORTED void *mmap64(void *addr, size_t size, int prot, int flags, int fd,
		      offset64 offset)
{
	if (is_jemalloc(__builtin_return_address(0)))
		return map_for_jemalloc(addr, size, prot, flags, fd, offset);
	return map(addr, size, prot, flags, fd, offset);
}

#endif

static int unmap(void *addr, size_t size)
{
	if (around.unmap)
		return around.unmap(addr, size);
	errno = ENOMEM;
	return -1;
}

static int unmap_elsewhere(void *addr, size_t size)
{
	int err = unmap(addr, size);

	if (!err)
		elsewhere -= size;
	return err;
}

/**
 * munmap() - unmap memory; chunks go back to libchunk
 * @addr: argument of munmap(2)
 * @size: argument of munmap(2)
 *
 * Return: 0, or -1 with errno set.
 */
EXPORTED int munmap(void *addr, size_t size)
{
	bool jemalloc = is_jemalloc(__builtin_return_address(0));
	int saved = errno, result;

	/* Hooks of the program may unmap memory of jemalloc. */
	if (around.end && (jemalloc || chunk_is_live(addr)) &&
	    maps_put(addr, size, jemalloc ? unmap_elsewhere : unmap,
		     &result)) {
		if (!result)
			errno = saved;
		return result;
	}
	return jemalloc ? unmap_elsewhere(addr, size) : unmap(addr, size);
}

/**
 * sbrk() - move the end of the heap; jemalloc's share is counted
 * @increment: argument of sbrk(2)
 *
 * Return: the end of the heap before that, or (void *)-1 with errno set.
 */
EXPORTED void *sbrk(intptr_t increment)
{
	bool jemalloc = is_jemalloc(__builtin_return_address(0));
	void *before;

	if (!around.extend) {
		errno = ENOMEM;
		return (void *)-1;
	}
	before = around.extend(increment);
	if (jemalloc && before != (void *)-1)
		elsewhere += increment;
	return before;
}

static void say(const char *what)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk-jemalloc: ");
	chunk_line_text(&line, what);
	chunk_line_write(&line);
}

static int set_hooks(unsigned int arena)
{
	extent_hooks_t *hooks = &chunk_jemalloc_hooks;
	struct chunk_line name = { 0 };

	chunk_line_text(&name, "arena.");
	chunk_line_number(&name, arena, 10);
	chunk_line_text(&name, ".extent_hooks");
	name.text[name.length] = 0;
	return around.ctl(name.text, NULL, NULL, &hooks, sizeof(hooks));
}

static bool is_in_use(unsigned int arena)
{
	struct chunk_line name = { 0 };
	bool in_use = false;
	size_t length = sizeof(in_use);

	chunk_line_text(&name, "arena.");
	chunk_line_number(&name, arena, 10);
	chunk_line_text(&name, ".initialized");
	name.text[name.length] = 0;
	return !around.ctl(name.text, &in_use, &length, NULL, 0) && in_use;
}

/* Do jemalloc's hooks have the known layout, that of jemalloc 5.0? */
static bool has_hooks(void)
{
	extent_hooks_t *hooks;
	size_t length = sizeof(hooks);

	return !around.ctl("arena.0.extent_hooks", &hooks, &length, NULL, 0);
}

static void hook_arenas(void)
{
	unsigned int count = 0;
	size_t length = sizeof(count);
	uint64_t epoch = 1;

	if (!has_hooks()) {
		hooked = -1;
		say("this jemalloc has no extent hooks; it keeps its own memory");
		return;
	}
	chunks_init();
	around.ctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	around.ctl("arenas.narenas", &count, &length, NULL, 0);
	for (unsigned int arena = 0; arena < count; arena++)
		if (is_in_use(arena) && !set_hooks(arena))
			hooked++;
}

static void __attribute__((constructor)) install(void)
{
	look_around();
	if (around.ctl && !around.end)
		hook_arenas();
}

static uint64_t read_stat(const char *name)
{
	size_t value = 0, length = sizeof(value);

	return around.ctl(name, &value, &length, NULL, 0) ? 0 : value;
}

/* With hooks only jemalloc itself knows what else it has. */
static uint64_t elsewhere_by_stats(uint64_t ours)
{
	uint64_t epoch = 1, all;

	around.ctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	all = read_stat("stats.mapped") + read_stat("stats.retained");
	return all > ours ? all - ours : 0;
}

static uint64_t elsewhere_bytes(uint64_t ours)
{
	int64_t counted = elsewhere;

	if (!around.end)
		return elsewhere_by_stats(ours);
	return counted > 0 ? counted : 0;
}

static void say_number(struct chunk_line *line, const char *what,
		       uint64_t number)
{
	chunk_line_text(line, what);
	chunk_line_number(line, number, 10);
}

static void say_figures(void)
{
	struct chunk_jemalloc_stats stats;
	struct chunk_line line = { 0 };

	chunk_jemalloc_get_stats(&stats);
	chunk_line_text(&line, "libchunk-jemalloc: backend ");
	chunk_line_text(&line, chunk_backend());
	say_number(&line, ", KiB from libchunk ", stats.extent_bytes >> 10);
	say_number(&line, ", from elsewhere ",
		   elsewhere_bytes(stats.extent_bytes) >> 10);
	say_number(&line, ", extents ", stats.allocs);
	say_number(&line, ", given back ", stats.deallocs);
	say_number(&line, ", decommits ", stats.decommits);
	say_number(&line, ", commits ", stats.commits);
	if (!around.end)
		say_number(&line, ", by hooks, in arenas ", hooked);
	chunk_line_write(&line);
}

static void __attribute__((destructor)) report(void)
{
	const char *wanted = chunk_os_getenv("CHUNK_JEMALLOC_REPORT");

	if (!wanted || strcmp(wanted, "1"))
		return;
	if (!around.ctl)
		say("nothing to do: no object of this program has jemalloc's mallctl()");
	else if (hooked >= 0)
		say_figures();
}
