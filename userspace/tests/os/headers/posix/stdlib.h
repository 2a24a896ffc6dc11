/* SPDX-License-Identifier: MIT */
/* Only the declarations of POSIX: for building, not for running. */
_Noreturn void abort(void);
char *getenv(const char *name);
