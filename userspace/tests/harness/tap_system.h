/* SPDX-License-Identifier: MIT */
/* What a system does for the harness; in tap.c and in tap_windows.c. */
#ifndef TAP_SYSTEM_H
#define TAP_SYSTEM_H

#include "tap.h"

/* Exit statuses of a case. */
#define TAP_FAILED	1
#define TAP_SKIPPED	77
/* Not an exit status: it ended otherwise, as was said in a note. */
#define TAP_DIED	(-1)

/* Bytes of the reason for which a case was skipped. */
#define TAP_REASON	256

void tap_system_start(const struct tap_suite *suite);
void tap_system_write(const char *line, size_t length);
void tap_system_reason(const char *reason, size_t length);
noreturn void tap_system_exit(int status);
int tap_system_run(const struct tap_suite *suite, size_t index, char *reason);

unsigned int tap_timeout(void);

/**
 * struct tap_clock - how long a case has been running
 * @passed: seconds of the clock on the wall
 * @own:    seconds that the case had the processors for, or could have had
 * @last:   when it was last looked at
 * @had:    what a virtual machine had then
 */
struct tap_clock {
	double passed;
	double own;
	double last;
	double had;
};

void tap_clock_start(struct tap_clock *clock);
void tap_clock_tick(struct tap_clock *clock);

bool tap_excused(const char *program, const char *name, char *reason);

#endif /* TAP_SYSTEM_H */
