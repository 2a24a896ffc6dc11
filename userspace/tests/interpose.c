// SPDX-License-Identifier: MIT
/*
 * A library to preload that replaces what an allocator must not call. Like some
 * real ones its mmap calls dlsym, which may call malloc, and malloc itself:
 * an allocator that calls mmap with a lock held hangs.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/types.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT unsigned int interposed_calls;
EXPORT const char *interposed_last;

static void count(const char *name)
{
	__atomic_fetch_add(&interposed_calls, 1, __ATOMIC_RELAXED);
	interposed_last = name;
}

/* Memory is never reused: the processes this is loaded into are small. */
static char arena[8 << 20] __attribute__((aligned(16)));
static size_t arena_used;

static void *bump(size_t size)
{
	size_t need = (size + 16 + 15) & ~(size_t)15, at;

	at = __atomic_fetch_add(&arena_used, need, __ATOMIC_RELAXED);
	if (size > sizeof(arena) || at + need > sizeof(arena))
		return NULL;
	*(size_t *)(arena + at) = size;
	return arena + at + 16;
}

EXPORT void *malloc(size_t size)
{
	count("malloc");
	return bump(size);
}

EXPORT void *calloc(size_t count_of, size_t size)
{
	count("calloc");
	return size && count_of > SIZE_MAX / size ? NULL :
						    bump(count_of * size);
}

EXPORT void *realloc(void *old, size_t size)
{
	void *new = bump(size);
	size_t had = old ? *(size_t *)((char *)old - 16) : 0;

	count("realloc");
	if (new && old)
		memcpy(new, old, had < size ? had : size);
	return new;
}

EXPORT void free(void *old)
{
	(void)old;
	count("free");
}

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	count(name);
	free(malloc(32));
	return found;
}

EXPORT void *mmap(void *addr, size_t size, int protection, int flags, int fd,
		  off_t offset)
{
	void *(*real)(void *, size_t, int, int, int, off_t) = next("mmap");

	return real(addr, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t size, int protection, int flags, int fd,
		    off_t offset)
{
	void *(*real)(void *, size_t, int, int, int, off_t) = next("mmap64");

	return real(addr, size, protection, flags, fd, offset);
}

EXPORT int munmap(void *addr, size_t size)
{
	int (*real)(void *, size_t) = next("munmap");

	return real(addr, size);
}

EXPORT int mprotect(void *addr, size_t size, int protection)
{
	int (*real)(void *, size_t, int) = next("mprotect");

	return real(addr, size, protection);
}

EXPORT int madvise(void *addr, size_t size, int advice)
{
	int (*real)(void *, size_t, int) = next("madvise");

	return real(addr, size, advice);
}

static int open_by(const char *name, const char *path, int flags, mode_t mode)
{
	int (*real)(const char *, int, ...) = next(name);

	return real(path, flags, mode);
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return open_by("open", path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return open_by("open64", path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	int (*real)(int, const char *, int, ...) = next("openat");
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return real(dir, path, flags, mode);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) = next("ioctl");
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return real(fd, request, arg);
}

EXPORT int close(int fd)
{
	int (*real)(int) = next("close");

	return real(fd);
}

EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
	ssize_t (*real)(int, void *, size_t) = next("read");

	return real(fd, buffer, size);
}

EXPORT ssize_t write(int fd, const void *buffer, size_t size)
{
	ssize_t (*real)(int, const void *, size_t) = next("write");

	return real(fd, buffer, size);
}
