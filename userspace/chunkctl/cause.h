/* SPDX-License-Identifier: MIT */
/* Why a process is not on the device, as far as others can tell. */
#ifndef CAUSE_H
#define CAUSE_H

#include <stdbool.h>

#include "process.h"

/**
 * struct cause - the cause, and what to do
 * @word:    as of chunk_backend_reason(), or one of "no-libchunk", "preload" and
 *           "unknown"
 * @why:     the same in a sentence
 * @advice:  what to do
 * @of_user: its unit is one of a user's own systemd
 * @unit:    its systemd unit, made plain; empty if there is none
 * @detail:  more about @why; may be empty
 */
struct cause {
	const char *word;
	const char *why;
	const char *advice;
	bool of_user;
	char unit[128];
	char detail[256];
};

bool module_is_loaded(void);
struct cause cause_find(const struct process *process);

#endif /* CAUSE_H */
