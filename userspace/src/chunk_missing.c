// SPDX-License-Identifier: MIT
/* The message of a program that demands the device and does not get it. */
#include <errno.h>

#include "chunk_missing.h"
#include "chunk_report.h"
#include "os.h"

/* The advice for an error of open(2) */
static const char *advice_on(int err)
{
	switch (err) {
	case EACCES:
		return "this process lacks permission to read and write it";
	case EPERM:
		return "a filter of system calls or a control group's device rules forbid it";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "load the module (insmod chunk.ko)";
	case EMFILE:
		return "this process has as many open files as it may (RLIMIT_NOFILE)";
	case ENFILE:
		return "the system has as many open files as it may (fs.file-max)";
	case ENOMEM:
		return "the system has no memory for another context";
	case EPROTO:
		return "this version does not know it; use the module of the same version";
	default:
		return "it cannot be opened";
	}
}

static void add_ids(struct chunk_line *line, const char *text,
		    unsigned int user, unsigned int group)
{
	chunk_line_text(line, text);
	chunk_line_number(line, user, 10);
	chunk_line_text(line, ":");
	chunk_line_number(line, group, 10);
}

/* Append the owner of the device and the user of this process. */
static void add_owner(struct chunk_line *line)
{
	struct chunk_device_access access;

	if (!chunk_device_access(&access))
		return;
	chunk_line_text(line, " (mode 0");
	chunk_line_number(line, access.mode, 8);
	add_ids(line, ", owner ", access.user, access.group);
	add_ids(line, "; the process is ", access.my_user, access.my_group);
	chunk_line_text(line, ")");
}

/**
 * chunk_die_without_device() - end a process that demands the device
 * @err: the error of opening it, a positive error number
 *
 * Context: during chunk_start().
 */
void chunk_die_without_device(int err)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line,
			"libchunk: CHUNK_OPTIONS says backend:device, but /dev/chunk: ");
	chunk_line_error(&line, err);
	chunk_line_text(&line, "; ");
	chunk_line_text(&line, advice_on(err));
	if (err == EACCES)
		add_owner(&line);
	chunk_line_text(&line, ", or say backend:auto");
	chunk_line_write(&line);
	chunk_os_abort();
}
