// SPDX-License-Identifier: MIT
/* Linux, apart from memory: waiting, the environment, threads and their code. */
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include "os.h"
#include "sys_linux.h"

/* About as long as it takes to discard a chunk */
#define NAP_NANOSECONDS	50000L

void chunk_os_wait(atomic_uint *word, unsigned int value)
{
	sys(SYS_FUTEX, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void chunk_os_wake(atomic_uint *word)
{
	sys(SYS_FUTEX, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* The kernel's time is a pair of longs, or of 64-bit numbers. */
void chunk_os_nap(void)
{
#ifdef SYS_futex
	long nap[2] = { 0, NAP_NANOSECONDS };
#else
	long long nap[2] = { 0, NAP_NANOSECONDS };
#endif
	atomic_uint word = 0;

	sys(SYS_FUTEX, &word, FUTEX_WAIT_PRIVATE, 0, nap, NULL, 0);
}

unsigned long chunk_os_thread(void)
{
	return sys(SYS_gettid);
}

/**
 * struct lines - a file of /proc, read line by line
 * @fd:     its descriptor
 * @length: bytes in @text
 * @at:     the next byte to take
 * @text:   part of the file
 */
struct lines {
	long fd;
	long length;
	long at;
	char text[512];
};

/* Return the next byte, or 0 at the end. */
static char next_byte(struct lines *lines)
{
	if (lines->at == lines->length) {
		lines->length = sys(SYS_read, lines->fd, lines->text,
				    sizeof(lines->text));
		lines->at = 0;
		if (lines->length <= 0) {
			lines->length = 0;
			return 0;
		}
	}
	return lines->text[lines->at++];
}

/* The constructors have begun, so that the C library knows the environment. */
static bool has_started;

static __attribute__((constructor)) void note_start(void)
{
	has_started = true;
}

/* Variables that were asked for before: "name=value", each with a NUL behind it */
static char early[4096];
static size_t early_length;

/* The value in "name=value", if it is that name; or NULL */
static const char *value_in(const char *variable, const char *name, size_t length)
{
	return !strncmp(variable, name, length) && variable[length] == '=' ?
		variable + length + 1 : NULL;
}

/* Keep the next variable if it is the one of that name. Returns its value, or NULL. */
static const char *read_variable(struct lines *lines, const char *name,
				 size_t length)
{
	char *kept = early + early_length;
	size_t room = sizeof(early) - early_length, at = 0;
	const char *value;
	char byte;

	for (; (byte = next_byte(lines)); at++) {
		if (at < room)
			kept[at] = byte;
	}
	if (at >= room)
		return NULL;
	kept[at] = '\0';
	value = value_in(kept, name, length);
	if (value)
		early_length += at + 1;
	return value;
}

/*
 * Before the C library knows the environment, .preinit_array of a program runs, and the
 * program's malloc() in it.
 *
 * Context: one thread.
 */
static const char *getenv_early(const char *name, size_t length)
{
	const char *at, *value;
	struct lines lines = { 0 };

	for (at = early; at < early + early_length; at += strlen(at) + 1) {
		value = value_in(at, name, length);
		if (value)
			return value;
	}
	lines.fd = sys(SYS_openat, AT_FDCWD, "/proc/self/environ",
		       O_RDONLY | O_CLOEXEC, 0);
	if (lines.fd < 0)
		return NULL;
	do
		value = read_variable(&lines, name, length);
	while (!value && lines.length);
	sys(SYS_close, lines.fd);
	return value;
}

/*
 * getenv() may be the program's own, and those of shells allocate. A program with
 * more rights than its user takes no options from that user.
 */
const char *chunk_os_getenv(const char *name)
{
	size_t length = strlen(name);
	const char *value;
	char **at;

	if (getauxval(AT_SECURE))
		return NULL;
	if (!environ && !has_started)
		return getenv_early(name, length);
	for (at = environ; at && *at; at++) {
		value = value_in(*at, name, length);
		if (value)
			return value;
	}
	return NULL;
}

/* Read a hexadecimal number, and the byte behind it. */
static uintptr_t read_number(struct lines *lines)
{
	uintptr_t number = 0;
	char byte;

	while ((byte = next_byte(lines))) {
		if (byte >= '0' && byte <= '9')
			number = number * 16 + (byte - '0');
		else if (byte >= 'a' && byte <= 'f')
			number = number * 16 + (byte - 'a' + 10);
		else
			break;
	}
	return number;
}

/*
 * Keep the last part of the path at the end of a line, if there is one. Returns false
 * at the end of the file.
 */
static bool read_name(struct lines *lines, char *name, size_t size)
{
	bool path = false;
	size_t length = 0;
	char byte;

	while ((byte = next_byte(lines)) && byte != '\n') {
		path |= byte == '/';
		if (byte == '/')
			length = 0;
		else if (path && length + 1 < size)
			name[length++] = byte;
	}
	name[length] = '\0';
	return byte;
}

/* Read lines of /proc/self/maps: "start-end mode offset device inode name". */
static bool locate(struct lines *lines, uintptr_t addr,
		   struct chunk_os_place *place)
{
	uintptr_t start, end, offset;
	bool more;

	do {
		start = read_number(lines);
		end = read_number(lines);
		while (next_byte(lines) > ' ')
			;
		offset = read_number(lines);
		more = read_name(lines, place->file, sizeof(place->file));
		if (addr >= start && addr < end && *place->file) {
			place->offset = addr - start + offset;
			return true;
		}
	} while (more);
	return false;
}

bool chunk_os_locate(uintptr_t addr, struct chunk_os_place *place)
{
	struct lines lines = {
		.fd = sys(SYS_openat, AT_FDCWD, "/proc/self/maps",
			  O_RDONLY | O_CLOEXEC, 0),
	};
	bool found;

	if (lines.fd < 0)
		return false;
	found = locate(&lines, addr, place);
	sys(SYS_close, lines.fd);
	return found;
}
