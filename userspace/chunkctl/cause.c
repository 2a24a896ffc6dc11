// SPDX-License-Identifier: MIT
/*
 * Why a process is not on the device, as far as others can tell.
 *
 * Each function looks for one cause, in the order in which libchunk would meet them:
 * the first one found is the answer. libchunk opens the device at its first call, and
 * in a child at the first call there; a cause may have gone since.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "cause.h"
#include "text.h"

#define NODE	"root/dev/chunk"

/**
 * struct subject - what is known of the process
 * @process: the process
 * @maps:    /proc/PID/maps
 * @environ: /proc/PID/environ, a variable on each line
 * @status:  /proc/PID/status
 * @secure:  it has more rights than its user: the environment does not count
 */
struct subject {
	const struct process *process;
	char *maps;
	char *environ;
	char *status;
	bool secure;
};

static const struct cause found_opened = {
	.word = "opened", .why = "it has the device open", .advice = "nothing",
};

/**
 * module_is_loaded() - tell whether this system has the device
 */
bool module_is_loaded(void)
{
	return !access("/sys/class/chunk", F_OK);
}

static char *read_or_empty(const struct process *process, const char *name)
{
	char *text = read_whole(process->dir, name);

	return text ? text : take(1);
}

/* The value of a variable of the process' environment, to the end of the line */
static const char *variable(const struct subject *subject, const char *name)
{
	size_t length = strlen(name);
	const char *line = subject->environ;

	for (; line; line = next_line(line)) {
		if (!strncmp(line, name, length) && line[length] == '=')
			return line + length + 1;
	}
	return NULL;
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), last = strlen(end);

	return length > last && !strcmp(text + length - last, end);
}

static bool has_word(const char *line, const char *word)
{
	const char *at = line ? strstr(line, word) : NULL;

	return at && at < line + strcspn(line, "\n");
}

/* AT_SECURE, by the auxiliary vector of the process; of a 64-bit one only */
static bool is_secure(const struct process *process)
{
	int fd = openat(process->dir, "auxv", O_RDONLY | O_CLOEXEC);
	Elf64_auxv_t entry;
	bool secure = false;

	if (fd < 0)
		return false;
	while (read(fd, &entry, sizeof(entry)) == sizeof(entry) &&
	       entry.a_type != AT_NULL) {
		if (entry.a_type == AT_SECURE)
			secure = entry.a_un.a_val;
	}
	close(fd);
	return secure;
}

/* Is libchunk linked into the program? A message of it shows that. */
static bool is_linked(const struct process *process)
{
	static const char message[] = "libchunk: CHUNK_OPTIONS: ignoring ";
	int fd = openat(process->dir, "exe", O_RDONLY | O_CLOEXEC);
	bool linked = false;
	struct stat stat;
	char *program;

	if (fd < 0)
		return false;
	if (!fstat(fd, &stat) && stat.st_size > 0) {
		program = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (program != MAP_FAILED) {
			linked = memmem(program, stat.st_size, message,
					sizeof(message) - 1);
			munmap(program, stat.st_size);
		}
	}
	close(fd);
	return linked;
}

static bool uses_libchunk(const struct subject *subject)
{
	return strstr(subject->maps, "/libchunk") ||
	       strstr(subject->maps, "[anon:chunk") ||
	       is_linked(subject->process);
}

/* Does the program load libraries at all? A program that cannot be read does. */
static bool is_static(const struct process *process)
{
	int fd = openat(process->dir, "exe", O_RDONLY | O_CLOEXEC);
	Elf64_Phdr header;
	Elf64_Ehdr elf;
	bool loads = false;

	if (fd < 0)
		return false;
	if (read(fd, &elf, sizeof(elf)) != sizeof(elf) ||
	    elf.e_ident[EI_CLASS] != ELFCLASS64)
		loads = true;
	for (int i = 0; !loads && i < elf.e_phnum; i++)
		loads = pread(fd, &header, sizeof(header), elf.e_phoff + i *
			      sizeof(header)) != sizeof(header) ||
			header.p_type == PT_INTERP;
	close(fd);
	return !loads;
}

/* Is the library that LD_PRELOAD names there, for the process? */
static bool preload_exists(const struct subject *subject, const char *list)
{
	const char *at = strstr(list, "libchunk");
	char path[512] = "root";
	size_t length;

	while (at > list && at[-1] != ':' && at[-1] != ' ')
		at--;
	length = strcspn(at, "\n: ");
	/* A name without a slash is looked for in many places. */
	if (*at != '/' || length > sizeof(path) - 8)
		return true;
	memcpy(path + 4, at, length);
	return !faccessat(subject->process->dir, path, R_OK, 0);
}

static bool find_preload(const struct subject *subject, struct cause *cause)
{
	const char *list = variable(subject, "LD_PRELOAD");

	if (!has_word(list, "libchunk"))
		return false;
	*cause = (struct cause) {
		.word = "preload",
		.why = "LD_PRELOAD names libchunk, which is not loaded",
		.advice = "start the program anew, and look for a message of ld.so",
	};
	if (subject->secure)
		cause->advice = "it has more rights than its user: use /etc/ld.so.preload";
	else if (is_static(subject->process))
		cause->advice = "the program is static: link it with libchunk";
	else if (!preload_exists(subject, list))
		cause->advice = "it cannot read that file: correct the path";
	return true;
}

/*
 * Programs that change their title write over the environment that others see: by text,
 * spaces, or zeroes. An environment that is empty has not even these.
 */
static bool wrote_over_environment(const struct subject *subject)
{
	int fd = openat(subject->process->dir, "environ", O_RDONLY | O_CLOEXEC);
	ssize_t got;
	char first;

	if (fd < 0)
		return false;
	got = read(fd, &first, 1);
	close(fd);
	return got == 1 && (!first || !strchr(subject->environ, '='));
}

static bool find_no_library(const struct subject *subject, struct cause *cause)
{
	if (uses_libchunk(subject))
		return false;
	if (find_preload(subject, cause))
		return true;
	*cause = (struct cause) {
		.word = "no-libchunk",
		.why = "nothing shows that it uses libchunk",
		.advice = "preload libchunk-jemalloc.so or libchunk-large.so, or link libchunk",
	};
	if (wrote_over_environment(subject))
		snprintf(cause->detail, sizeof(cause->detail),
			 "it wrote over its environment, so LD_PRELOAD cannot be seen; "
			 "if that is set, look for a message of ld.so");
	return true;
}

static bool find_option(const struct subject *subject, struct cause *cause)
{
	if (subject->secure ||
	    !has_word(variable(subject, "CHUNK_OPTIONS"), "backend:mmap"))
		return false;
	*cause = (struct cause) {
		.word = "option",
		.why = "CHUNK_OPTIONS says backend:mmap",
		.advice = "start it without that option",
	};
	return true;
}

static bool find_overcommit(const struct subject *subject, struct cause *cause)
{
	char *mode = read_whole(AT_FDCWD, "/proc/sys/vm/overcommit_memory");
	bool strict = mode && *mode == '2';

	free(mode);
	if (!strict || has_word(variable(subject, "CHUNK_OPTIONS"), "backend:device"))
		return false;
	*cause = (struct cause) {
		.word = "overcommit",
		.why = "vm.overcommit_memory is 2, where the device cannot give back memory",
		.advice = "leave it so, or start it with CHUNK_OPTIONS=backend:device",
	};
	return true;
}

static bool find_no_module(const struct subject *subject, struct cause *cause)
{
	(void)subject;
	if (module_is_loaded())
		return false;
	*cause = (struct cause) {
		.word = "no-module",
		.why = "the module is not loaded",
		.advice = "modprobe chunk (or insmod chunk.ko), then start the program anew",
	};
	return true;
}

static bool find_no_node(const struct subject *subject, struct cause *cause)
{
	struct stat stat;

	if (!fstatat(subject->process->dir, NODE, &stat, 0) || errno != ENOENT)
		return false;
	*cause = (struct cause) {
		.word = "no-node",
		.why = "the module is loaded, but the process has a /dev without chunk",
		.advice = "of a container, start it with --device /dev/chunk",
	};
	return true;
}

static bool has_group(const char *groups, unsigned int group)
{
	char *end;

	for (;;) {
		unsigned long value = strtoul(groups, &end, 10);

		if (end == groups || memchr(groups, '\n', end - groups))
			return false;
		if (value == group)
			return true;
		groups = end;
	}
}

/* Does the process's user namespace have a user (uid_map) or group (gid_map)? */
static bool has_id(const struct process *process, const char *map, unsigned int id)
{
	char *text = read_whole(process->dir, map);
	unsigned int first, nr;
	const char *at = text;
	bool has = !text;
	int length;

	/* First number there, first number here, and how many */
	while (!has && at &&
	       sscanf(at, " %*u %u %u%n", &first, &nr, &length) == 2) {
		has = id >= first && id - first < nr;
		at += length;
	}
	free(text);
	return has;
}

/* CAP_DAC_OVERRIDE overrides the mode of what the process's user namespace has. */
static bool may_override(const struct subject *subject, const struct stat *stat)
{
	const char *caps = strstr(subject->status, "\nCapEff:");

	return caps && strtoull(caps + 8, NULL, 16) & 2 &&
	       has_id(subject->process, "uid_map", stat->st_uid) &&
	       has_id(subject->process, "gid_map", stat->st_gid);
}

/* The effective user and group, and the supplementary groups, of status */
static bool may_open(const struct subject *subject, const struct stat *stat)
{
	const char *user = strstr(subject->status, "\nUid:");
	const char *group = strstr(subject->status, "\nGid:");
	const char *groups = strstr(subject->status, "\nGroups:");
	unsigned int uid, gid;

	if (!user || !group || !groups ||
	    sscanf(user + 5, "%*u %u", &uid) != 1 ||
	    sscanf(group + 5, "%*u %u", &gid) != 1)
		return true;
	if (may_override(subject, stat))
		return true;
	if (uid == stat->st_uid)
		return (stat->st_mode & 0600) == 0600;
	if (gid == stat->st_gid || has_group(groups + 8, stat->st_gid))
		return (stat->st_mode & 0060) == 0060;
	return (stat->st_mode & 0006) == 0006;
}

static bool find_permission(const struct subject *subject, struct cause *cause)
{
	struct stat stat;

	if (fstatat(subject->process->dir, NODE, &stat, 0) ||
	    may_open(subject, &stat))
		return false;
	*cause = (struct cause) {
		.word = "permission",
		.why = "its user may not read and write /dev/chunk",
		.advice = "add its user to the group of /dev/chunk, or load chunk with mode=0666",
	};
	snprintf(cause->detail, sizeof(cause->detail),
		 "/dev/chunk has mode 0%o, owner %u:%u", stat.st_mode & 07777,
		 stat.st_uid, stat.st_gid);
	return true;
}

static bool find_seccomp(const struct subject *subject, struct cause *cause)
{
	unsigned long long mode;

	if (!text_value(subject->status, "Seccomp", &mode) || mode != 2)
		return false;
	*cause = (struct cause) {
		.word = "forbidden",
		.why = "it has a filter of system calls (seccomp), which may forbid the device",
		.advice = "allow openat and ioctl for /dev/chunk there",
	};
	return true;
}

/* The device is or was open, so that libchunk is right to go on without. */
static bool find_lost(const struct subject *subject, struct cause *cause)
{
	if (subject->process->nr) {
		*cause = (struct cause) {
			.word = "forked",
			.why = "it has the device only as its parent opened it",
			.advice = "nothing: libchunk opens it at the next call of this process",
		};
		return true;
	}
	if (!strstr(subject->maps, " /dev/chunk"))
		return false;
	*cause = (struct cause) {
		.word = "closed",
		.why = "it has chunks of the device, and no descriptor: it was closed",
		.advice = "nothing: libchunk opens it at the next call of this process",
	};
	return true;
}

static void find_unknown(struct cause *cause)
{
	*cause = (struct cause) {
		.word = "unknown",
		.why = "nothing is in the way now",
		.advice = "start it anew with CHUNK_OPTIONS=verbose:on: it may have been too early",
	};
}

/*
 * The unit is the last service in the path of the control group: below one that is
 * named user@UID.service, it is one of that user's own.
 */
static void find_unit(const struct process *process, struct cause *cause)
{
	char *groups = read_whole(process->dir, "cgroup"), *at = groups, *part;

	while (at) {
		part = strsep(&at, "/\n");
		if (!ends_in(part, ".service"))
			continue;
		cause->of_user = !strncmp(cause->unit, "user@", 5);
		snprintf(cause->unit, sizeof(cause->unit), "%s", part);
	}
	make_plain(cause->unit);
	free(groups);
}

/**
 * cause_find() - find out why a process is not on the device
 * @process: the process
 *
 * Return: the cause; with @word "opened" if it is.
 */
struct cause cause_find(const struct process *process)
{
	static bool (*const finders[])(const struct subject *subject,
				       struct cause *cause) = {
		find_no_library, find_option, find_overcommit, find_no_module,
		find_no_node, find_permission, find_lost, find_seccomp,
	};
	struct subject subject = {
		.process = process,
		.maps = read_or_empty(process, "maps"),
		.environ = read_or_empty(process, "environ"),
		.status = read_or_empty(process, "status"),
		.secure = is_secure(process),
	};
	struct cause cause = found_opened;
	bool found = process->own;

	for (size_t i = 0; !found && i < sizeof(finders) / sizeof(*finders); i++)
		found = finders[i](&subject, &cause);
	if (!found)
		find_unknown(&cause);
	find_unit(process, &cause);
	free(subject.maps);
	free(subject.environ);
	free(subject.status);
	return cause;
}
