/* SPDX-License-Identifier: MIT */
/* Why chunks come from where they come from. */
#ifndef CHUNK_REASON_H
#define CHUNK_REASON_H

/**
 * enum chunk_reason - why libchunk has the backend that it has
 * @REASON_OPENED:      the device opened
 * @REASON_FORKED:      the device was opened again, after a fork
 * @REASON_CLOSED:      the device was opened again, after the program closed it
 * @REASON_OPTION:      CHUNK_OPTIONS says backend:mmap
 * @REASON_OVERCOMMIT:  the system charges for mappings, whatever they hold
 * @REASON_NO_MODULE:   the module is not loaded
 * @REASON_NO_NODE:     the module is loaded, but this process sees no node
 * @REASON_PERMISSION:  the node may not be opened
 * @REASON_FORBIDDEN:   a filter of system calls or a control group forbids it
 * @REASON_FILES:       a limit on open files
 * @REASON_MEMORY:      no memory
 * @REASON_VERSION:     the module is of another version
 * @REASON_UNSUPPORTED: this system has no device
 * @REASON_ERROR:       another error
 *
 * From @REASON_NO_MODULE on, they are errors of opening the device.
 */
enum chunk_reason {
	REASON_OPENED,
	REASON_FORKED,
	REASON_CLOSED,
	REASON_OPTION,
	REASON_OVERCOMMIT,
	REASON_NO_MODULE,
	REASON_NO_NODE,
	REASON_PERMISSION,
	REASON_FORBIDDEN,
	REASON_FILES,
	REASON_MEMORY,
	REASON_VERSION,
	REASON_UNSUPPORTED,
	REASON_ERROR,
};

void chunk_reason_set(enum chunk_reason reason);
void chunk_reason_set_error(int err);
const char *chunk_reason_word(void);
_Noreturn void chunk_die_without_device(int err);

#endif /* CHUNK_REASON_H */
