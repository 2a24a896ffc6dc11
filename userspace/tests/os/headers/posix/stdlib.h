/* SPDX-License-Identifier: MIT */
/* What POSIX declares, and nothing else: for building, not for running. */
_Noreturn void abort(void);
char *getenv(const char *name);
