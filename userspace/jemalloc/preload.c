// SPDX-License-Identifier: MIT
/*
 * libchunk-jemalloc.so: preloaded, it gives every arena our extent hooks.
 *
 * The arenas that jemalloc itself makes have numbers known from the start. Most
 * of them come into being when a thread first uses one; giving them hooks makes
 * that happen now, before there is anything in them. The one for large requests
 * is an exception: it has to be there before it can be given hooks.
 *
 * Arenas that the program makes get the hooks by way of mallctl(), which is ours
 * for the program, unless it says which hooks it wants.
 *
 * jemalloc is found at run time. A program without it is left alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <jemalloc/jemalloc.h>

#include "chunk.h"
#include "chunk_jemalloc.h"
#include "chunk_report.h"

/* As jemalloc says that there is no such name */
#define NO_JEMALLOC	ENOENT

/* The longest name of what makes arenas, in parts */
#define MIB_MAX	4

/**
 * struct jemalloc - the program's jemalloc
 * @ctl:       mallctl()
 * @nametomib: mallctlnametomib()
 * @bymib:     mallctlbymib()
 * @alloc:     mallocx()
 * @free:      dallocx()
 */
struct jemalloc {
	int (*ctl)(const char *name, void *oldp, size_t *oldlenp, void *newp,
		   size_t newlen);
	int (*nametomib)(const char *name, size_t *mibp, size_t *miblenp);
	int (*bymib)(const size_t *mib, size_t miblen, void *oldp,
		     size_t *oldlenp, void *newp, size_t newlen);
	void *(*alloc)(size_t size, int flags);
	void (*free)(void *p, int flags);
};

static struct jemalloc je;
static atomic_int searched;

/* What jemalloc uses for arenas that nobody gave hooks. */
static extent_hooks_t *default_hooks;

static void *find(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Returns whether the program has a jemalloc. Repeating it does no harm. */
static bool find_jemalloc(void)
{
	struct jemalloc found;

	if (!atomic_load_explicit(&searched, memory_order_acquire)) {
		found.ctl = find("mallctl");
		found.nametomib = find("mallctlnametomib");
		found.bymib = find("mallctlbymib");
		found.alloc = find("mallocx");
		found.free = find("dallocx");
		if (found.ctl && found.nametomib && found.bymib &&
		    found.alloc && found.free)
			je = found;
		atomic_store_explicit(&searched, 1, memory_order_release);
	}
	return je.ctl;
}

static void complain(const char *what, int err)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk-jemalloc: ");
	chunk_line_text(&line, what);
	chunk_line_text(&line, ": ");
	chunk_line_error(&line, err);
	chunk_line_write(&line);
}

static int set_hooks(unsigned int arena)
{
	extent_hooks_t *hooks = &chunk_jemalloc_hooks;
	size_t mib[3], length = 3;
	int err;

	err = je.nametomib("arena.0.extent_hooks", mib, &length);
	if (err)
		return err;
	mib[1] = arena;
	return je.bymib(mib, length, NULL, NULL, &hooks, sizeof(hooks));
}

static ssize_t read_decay(const char *name)
{
	size_t length = sizeof(ssize_t);
	ssize_t ms = 0;

	return je.ctl(name, &ms, &length, NULL, 0) ? 0 : ms;
}

/* Made by jemalloc itself, it would purge at once if at all. */
static void purge_at_once(unsigned int arena, const char *option,
			  const char *control)
{
	size_t mib[3], length = 3;
	ssize_t now = 0;

	if (read_decay(option) <= 0 ||
	    je.nametomib(control, mib, &length))
		return;
	mib[1] = arena;
	je.bymib(mib, length, NULL, NULL, &now, sizeof(now));
}

/*
 * The arena for large requests. A small allocation makes it, and stays jemalloc's
 * own memory, as does the little around it.
 */
static int adopt_large(unsigned int arena)
{
	int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	void *p = je.alloc(1, flags);
	int err = ENOMEM;

	if (!p)
		return err;
	purge_at_once(arena, "opt.dirty_decay_ms", "arena.0.dirty_decay_ms");
	purge_at_once(arena, "opt.muzzy_decay_ms", "arena.0.muzzy_decay_ms");
	err = set_hooks(arena);
	je.free(p, flags);
	return err;
}

static int adopt_all(void)
{
	unsigned int automatic, all;
	size_t length = sizeof(all);
	int err;

	err = je.ctl("opt.narenas", &automatic, &length, NULL, 0);
	if (!err)
		err = je.ctl("arenas.narenas", &all, &length, NULL, 0);
	for (unsigned int arena = 0; !err && arena < all; arena++) {
		err = set_hooks(arena);
		if (err == EFAULT && arena == automatic)
			err = adopt_large(arena);
		/* Destroyed by the program, already */
		if (err == EFAULT && arena > automatic)
			err = 0;
	}
	return err;
}

/* Is this a jemalloc whose hooks have the layout we know? */
static bool is_known(void)
{
	size_t length = sizeof(char *);
	const char *version;

	if (je.ctl("version", &version, &length, NULL, 0) ||
	    strncmp(version, "5.", 2))
		return false;
	length = sizeof(default_hooks);
	return !je.ctl("arena.0.extent_hooks", &default_hooks, &length, NULL,
		       0);
}

static void __attribute__((constructor)) install(void)
{
	int err;

	if (!find_jemalloc())
		return;
	if (!is_known()) {
		complain("this is no jemalloc 5 with extent hooks", ENOTSUP);
		return;
	}
	chunks_init();
	err = adopt_all();
	if (err)
		complain("not every arena could be given hooks", err);
}

/* Does a MIB name this? Only jemalloc knows how it numbers names. */
static bool is_named(const size_t *mib, size_t miblen, const char *name)
{
	size_t named[MIB_MAX], length = MIB_MAX;

	return miblen <= MIB_MAX && !je.nametomib(name, named, &length) &&
	       length == miblen &&
	       !memcmp(mib, named, length * sizeof(*mib));
}

/**
 * struct creation - of an arena, by the program: what jemalloc is told instead
 * @hooks:  of arenas.create
 * @config: of experimental.arenas_create_ext: hooks, then flags
 */
struct creation {
	extent_hooks_t *hooks;
	struct {
		extent_hooks_t *hooks;
		bool metadata_use_hooks;
	} config;
};

static void create(struct creation *creation, void **newp, size_t *newlen)
{
	if (*newp)
		return;
	creation->hooks = &chunk_jemalloc_hooks;
	*newp = &creation->hooks;
	*newlen = sizeof(creation->hooks);
}

/* Here hooks must be given: those of jemalloc itself are no choice. */
static void create_ext(struct creation *creation, void **newp, size_t *newlen)
{
	if (!*newp || *newlen != sizeof(creation->config))
		return;
	memcpy(&creation->config, *newp, *newlen);
	if (creation->config.hooks == default_hooks)
		creation->config.hooks = &chunk_jemalloc_hooks;
	*newp = &creation->config;
}

/**
 * mallctl() - as jemalloc's, but for arenas that are made without hooks
 * @name:    what is read or set
 * @oldp:    what it is
 * @oldlenp: the size of that
 * @newp:    what it becomes
 * @newlen:  the size of that
 *
 * Return: 0 or an error number.
 */
int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
	    size_t newlen)
{
	struct creation creation;

	if (!find_jemalloc())
		return NO_JEMALLOC;
	if (!strcmp(name, "arenas.create"))
		create(&creation, &newp, &newlen);
	else if (!strcmp(name, "experimental.arenas_create_ext"))
		create_ext(&creation, &newp, &newlen);
	return je.ctl(name, oldp, oldlenp, newp, newlen);
}

/**
 * mallctlnametomib() - as jemalloc's
 * @name:    a name
 * @mibp:    its numbers
 * @miblenp: how many
 *
 * Return: 0 or an error number.
 */
int mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	return find_jemalloc() ? je.nametomib(name, mibp, miblenp) : NO_JEMALLOC;
}

/**
 * mallctlbymib() - as jemalloc's, but for arenas that are made without hooks
 * @mib:     numbers of what is read or set
 * @miblen:  how many
 * @oldp:    as in mallctl()
 * @oldlenp: as in mallctl()
 * @newp:    as in mallctl()
 * @newlen:  as in mallctl()
 *
 * Return: 0 or an error number.
 */
int mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
		 void *newp, size_t newlen)
{
	struct creation creation;

	if (!find_jemalloc())
		return NO_JEMALLOC;
	if (is_named(mib, miblen, "arenas.create"))
		create(&creation, &newp, &newlen);
	else if (is_named(mib, miblen, "experimental.arenas_create_ext"))
		create_ext(&creation, &newp, &newlen);
	return je.bymib(mib, miblen, oldp, oldlenp, newp, newlen);
}

static uint64_t read_stat(const char *name)
{
	size_t value = 0, length = sizeof(value);

	return je.ctl(name, &value, &length, NULL, 0) ? 0 : value;
}

static void say_number(struct chunk_line *line, const char *what,
		       uint64_t number)
{
	chunk_line_text(line, what);
	chunk_line_number(line, number, 10);
}

static void __attribute__((destructor)) report(void)
{
	const char *wanted = getenv("CHUNK_JEMALLOC_REPORT");
	struct chunk_jemalloc_stats stats;
	struct chunk_line line = { 0 };
	uint64_t all, epoch = 1;

	if (!wanted || strcmp(wanted, "1") || !default_hooks)
		return;
	je.ctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	all = read_stat("stats.mapped") + read_stat("stats.retained");
	chunk_jemalloc_get_stats(&stats);
	chunk_line_text(&line, "libchunk-jemalloc: backend ");
	chunk_line_text(&line, chunk_backend());
	say_number(&line, ", KiB from libchunk ", stats.extent_bytes >> 10);
	say_number(&line, ", from elsewhere ",
		   (all - stats.extent_bytes) >> 10);
	say_number(&line, ", extents ", stats.allocs);
	say_number(&line, ", given back ", stats.deallocs);
	say_number(&line, ", decommits ", stats.decommits);
	say_number(&line, ", commits ", stats.commits);
	chunk_line_write(&line);
}
