/* SPDX-License-Identifier: MIT */
/* What POSIX declares, and nothing else: for building, not for running. */
struct timespec {
	long tv_sec;
	long tv_nsec;
};

int nanosleep(const struct timespec *time, struct timespec *left);
