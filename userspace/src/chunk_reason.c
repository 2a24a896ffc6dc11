// SPDX-License-Identifier: MIT
/*
 * Why chunks come from where they come from: for programs that ask, on stderr with
 * CHUNK_OPTIONS=verbose:on, and in the message of a program that demands the device
 * and does not get it.
 */
#include <errno.h>

#include "chunk_reason.h"
#include "chunk_report.h"
#include "chunk_state.h"

/**
 * struct reason - a reason, in words
 * @word:   result of chunk_backend_reason(): never changes
 * @advice: the same in a sentence, and how to change it
 */
struct reason {
	const char *word;
	const char *advice;
};

static const struct reason reasons[] = {
	[REASON_OPENED] = { "opened", "/dev/chunk is open" },
	[REASON_FORKED] = {
		"forked", "this child process has opened /dev/chunk for itself",
	},
	[REASON_CLOSED] = {
		"closed", "the program closed /dev/chunk, which is open again",
	},
	[REASON_OPTION] = { "option", "CHUNK_OPTIONS says so" },
	[REASON_OVERCOMMIT] = {
		"overcommit",
		"under vm.overcommit_memory=2 the device cannot give back memory",
	},
	[REASON_NO_MODULE] = {
		"no-module", "load the module (insmod chunk.ko)",
	},
	[REASON_NO_NODE] = {
		"no-node",
		"the module is loaded; show its device to this process (PrivateDevices=no, --device /dev/chunk)",
	},
	[REASON_PERMISSION] = {
		"permission",
		"this process lacks permission to read and write it",
	},
	[REASON_FORBIDDEN] = {
		"forbidden",
		"a filter of system calls or a control group's device rules forbid it",
	},
	[REASON_FILES] = {
		"files",
		"this process has as many open files as it may (RLIMIT_NOFILE)",
	},
	[REASON_MEMORY] = {
		"memory", "the system has no memory for another context",
	},
	[REASON_VERSION] = {
		"version",
		"this version does not know it; use the module of the same version",
	},
	[REASON_UNSUPPORTED] = {
		"unsupported", "there is no module for this system",
	},
	[REASON_ERROR] = { "error", "it cannot be opened" },
};

/* The reason for an error of chunk_device_open() */
static enum chunk_reason reason_of(int err)
{
	switch (err) {
	case EACCES:
		return REASON_PERMISSION;
	case EPERM:
		return REASON_FORBIDDEN;
	case ENOENT:
		return chunk_device_is_loaded() ? REASON_NO_NODE :
						  REASON_NO_MODULE;
	case ENODEV:
	case ENXIO:
		return REASON_NO_MODULE;
	case EMFILE:
	case ENFILE:
		return REASON_FILES;
	case ENOMEM:
		return REASON_MEMORY;
	case EPROTO:
		return REASON_VERSION;
	case EOPNOTSUPP:
		return REASON_UNSUPPORTED;
	default:
		return REASON_ERROR;
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

/* Append an error of opening the device, and the advice on it. */
static void add_error(struct chunk_line *line, int err)
{
	chunk_line_text(line, "/dev/chunk: ");
	chunk_line_error(line, err);
	chunk_line_text(line, "; ");
	/* The system's limit, not the process' */
	chunk_line_text(line, err == ENFILE ?
			"the system has as many open files as it may (fs.file-max)" :
			reasons[reason_of(err)].advice);
	if (err == EACCES)
		add_owner(line);
}

/* Note a reason. Returns false unless somebody wants to read of it. */
static bool note(enum chunk_reason reason)
{
	atomic_store_explicit(&chunk_state.reason, reason,
			      memory_order_relaxed);
	return chunk_state.options.verbose;
}

static void begin(struct chunk_line *line, enum chunk_reason reason)
{
	bool device = reason <= REASON_CLOSED;
	unsigned int pid = chunk_os_pid();

	chunk_line_text(line, "libchunk: ");
	if (pid) {
		chunk_line_text(line, "process ");
		chunk_line_number(line, pid, 10);
		chunk_line_text(line, ": ");
	}
	chunk_line_text(line, "backend ");
	chunk_line_text(line, device ? "device" : chunk_os_name);
	chunk_line_text(line, " (");
	chunk_line_text(line, reasons[reason].word);
	chunk_line_text(line, "): ");
}

/**
 * chunk_reason_set() - note why the backend is what it is
 * @reason: the reason; no error
 *
 * With CHUNK_OPTIONS=verbose:on, prints a line.
 *
 * Context: chunk_lock() held, or during chunk_start().
 */
void chunk_reason_set(enum chunk_reason reason)
{
	struct chunk_line line = { 0 };

	if (!note(reason))
		return;
	begin(&line, reason);
	chunk_line_text(&line, reasons[reason].advice);
	chunk_line_write(&line);
}

/**
 * chunk_reason_set_error() - note that the device could not be opened
 * @err: error of chunk_device_open(), positive
 *
 * Context: as chunk_reason_set().
 */
void chunk_reason_set_error(int err)
{
	enum chunk_reason reason = reason_of(err);
	struct chunk_line line = { 0 };

	if (!note(reason))
		return;
	begin(&line, reason);
	add_error(&line, err);
	chunk_line_write(&line);
}

/**
 * chunk_reason_word() - name the reason that was noted last
 *
 * Context: any, after chunk_start().
 * Return: a constant string.
 */
const char *chunk_reason_word(void)
{
	return reasons[atomic_load_explicit(&chunk_state.reason,
					    memory_order_relaxed)].word;
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
			"libchunk: CHUNK_OPTIONS says backend:device, but ");
	add_error(&line, err);
	chunk_line_text(&line, ", or say backend:auto");
	chunk_line_write(&line);
	chunk_os_abort();
}
