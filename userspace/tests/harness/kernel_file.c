// SPDX-License-Identifier: MIT
/* Files of the kernel: settings, and figures of this process */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_file.h"

/* Windows has neither the flag nor these files. */
#ifndef O_CLOEXEC
#define O_CLOEXEC	0
#endif

/**
 * put_text() - write text to a file of the kernel
 * @path: the file
 * @text: the text
 *
 * Return: false, with errno set, if the kernel does not accept it.
 */
bool put_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	if (file < 0)
		return false;
	done = write(file, text, strlen(text)) == (ssize_t)strlen(text);
	close(file);
	return done;
}

/**
 * get_number() - read a number from a file of the kernel
 * @path: the file
 *
 * Return: the number, or -1 if there is no such file.
 */
long get_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

/**
 * overcommit_mode() - get the system's way to charge memory
 *
 * Return: vm.overcommit_memory, or -1 if the system has none.
 */
int overcommit_mode(void)
{
	return get_number("/proc/sys/vm/overcommit_memory");
}

/**
 * status_bytes() - read a figure of this process from /proc/self/status
 * @name: name of the figure, such as "VmSize"
 *
 * Return: bytes; 0 if the system does not have it.
 */
size_t status_bytes(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	size_t length = strlen(name), kib = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ':')
			kib = strtoul(line + length + 1, NULL, 10);
	fclose(file);
	return kib << 10;
}
