// SPDX-License-Identifier: MIT
/* A control group with a memory limit, and other files of the kernel */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "group.h"
#include "kernel_file.h"
#include "tap.h"

#define TOP	"/sys/fs/cgroup"
#define GROUP	TOP "/chunk-stress"

/**
 * write_to() - write a setting to a file of the kernel
 * @path: the file; nothing happens if it does not exist
 * @text: text to write
 */
void write_to(const char *path, const char *text)
{
	if (access(path, F_OK))
		return;
	if (!put_text(path, text))
		tap_note("%s: %s", path, strerror(errno));
}

/* Read the beginning of a file, as text. */
static void read_from(const char *path, char *text, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(file, text, size - 1);

	close(file);
	text[got > 0 ? got : 0] = '\0';
}

/**
 * need_swap() - skip the case where memory cannot be paged out
 */
void need_swap(void)
{
	char text[512];

	read_from("/proc/swaps", text, sizeof(text));
	if (!strchr(text, '/'))
		tap_skip("there is no swap");
}

/**
 * group_make() - make a control group with memory limits, or skip the case
 * @memory: limit of its memory, as text for memory.max
 * @swap:   limit of its swap, as text for memory.swap.max
 *
 * There is one group at a time: one that an earlier case has left is replaced.
 */
void group_make(const char *memory, const char *swap)
{
	write_to(TOP "/cgroup.subtree_control", "+memory");
	rmdir(GROUP);
	mkdir(GROUP, 0755);
	if (access(GROUP "/memory.max", W_OK))
		tap_skip("no memory control group");
	write_to(GROUP "/memory.max", memory);
	write_to(GROUP "/memory.swap.max", swap);
}

/**
 * group_join() - move this process to the group
 */
void group_join(void)
{
	write_to(GROUP "/cgroup.procs", "0");
}

/**
 * group_remove() - leave the group, and remove it once it is empty
 */
void group_remove(void)
{
	write_to(TOP "/cgroup.procs", "0");
	rmdir(GROUP);
}

/**
 * group_number() - read a number from a file of the group
 * @file: name of the file, such as "memory.stat"
 * @key:  text before the number, or "" if there is none
 *
 * Return: the number; 0 if there is none.
 */
uint64_t group_number(const char *file, const char *key)
{
	char path[128], text[4096];
	const char *at = text;
	size_t length = strlen(key);

	snprintf(path, sizeof(path), GROUP "/%s", file);
	read_from(path, text, sizeof(text));
	while (at && (strncmp(at, key, length) ||
		      (length && at[length] != ' '))) {
		at = strchr(at, '\n');
		at += !!at;
	}
	return at ? strtoull(at + length, NULL, 10) : 0;
}
