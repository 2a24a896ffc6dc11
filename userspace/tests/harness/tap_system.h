/* SPDX-License-Identifier: MIT */
/* Functions that each system has for the harness, in tap.c and in tap_windows.c */
#ifndef TAP_SYSTEM_H
#define TAP_SYSTEM_H

#include "tap.h"

/* Exit statuses of a case */
#define TAP_FAILED	1
#define TAP_SKIPPED	77
/* No exit status: the case ended otherwise, and a note has told how. */
#define TAP_DIED	(-1)

/* Most bytes of a reason for skipping a case */
#define TAP_REASON	256

void tap_system_start(const struct tap_suite *suite);
void tap_system_write(const char *line, size_t length);
void tap_system_reason(const char *reason, size_t length);
noreturn void tap_system_exit(int status);
int tap_system_run(const struct tap_suite *suite, size_t index, char *reason);

unsigned int tap_timeout(void);

/**
 * struct tap_clock - time that a case has been running
 * @passed: seconds of the wall clock
 * @own:    seconds in which the case had processors, or could have had them
 * @last:   wall clock when the fields were last updated
 * @had:    seconds of the virtual machine at @last
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
