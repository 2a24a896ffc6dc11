// SPDX-License-Identifier: MIT
/*
 * A library to preload that replaces functions which an allocator must not
 * call. Like some real libraries, its mmap calls dlsym, which may call malloc,
 * and malloc itself: an allocator that calls mmap with a lock held hangs.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/types.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT atomic_uint interposed_calls;
EXPORT const char *interposed_last;

static void count(const char *name)
{
	atomic_fetch_add(&interposed_calls, 1);
	interposed_last = name;
}

/* Memory is never reused: the processes that load this are small. */
static max_align_t arena[(8 << 20) / sizeof(max_align_t)];
static atomic_size_t arena_used;

static void *bump(size_t size)
{
	size_t need = (size + 16 + 15) & ~(size_t)15;
	size_t at = atomic_fetch_add(&arena_used, need);
	char *piece = (char *)arena + at;

	if (size > sizeof(arena) || at + need > sizeof(arena))
		return NULL;
	*(size_t *)piece = size;
	return piece + 16;
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
	void *(*real)(void *addr, size_t size, int protection,
		      int flags, int fd, off_t offset) =
		next("mmap");

	return real(addr, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t size, int protection, int flags, int fd,
		    off_t offset)
{
	void *(*real)(void *addr, size_t size, int protection,
		      int flags, int fd, off_t offset) =
		next("mmap64");

	return real(addr, size, protection, flags, fd, offset);
}

EXPORT int munmap(void *addr, size_t size)
{
	int (*real)(void *addr, size_t size) = next("munmap");

	return real(addr, size);
}

EXPORT int mprotect(void *addr, size_t size, int protection)
{
	int (*real)(void *addr, size_t size, int how) = next("mprotect");

	return real(addr, size, protection);
}

EXPORT int madvise(void *addr, size_t size, int advice)
{
	int (*real)(void *addr, size_t size, int how) = next("madvise");

	return real(addr, size, advice);
}

static int open_by(const char *name, const char *path, int flags, mode_t mode)
{
	int (*real)(const char *path, int flags, ...) = next(name);

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
	int (*real)(int dir, const char *path, int flags, ...) =
		next("openat");
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return real(dir, path, flags, mode);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int fd, unsigned long request, ...) = next("ioctl");
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return real(fd, request, arg);
}

EXPORT int close(int fd)
{
	int (*real)(int fd) = next("close");

	return real(fd);
}

EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
	ssize_t (*real)(int fd, void *buffer, size_t size) = next("read");

	return real(fd, buffer, size);
}

EXPORT ssize_t write(int fd, const void *buffer, size_t size)
{
	ssize_t (*real)(int fd, const void *buffer, size_t size) =
		next("write");

	return real(fd, buffer, size);
}
