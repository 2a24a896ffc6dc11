/* SPDX-License-Identifier: MIT */
/* Only the declarations of POSIX: for building, not for running. */
struct timespec {
	long tv_sec;
	long tv_nsec;
};

int nanosleep(const struct timespec *time, struct timespec *left);
