/* SPDX-License-Identifier: MIT */
/* The end of a process over a programming error */
#ifndef MISUSE_H
#define MISUSE_H

_Noreturn void misuse_die(const char *call, const void *p, const char *why);
_Noreturn void misuse_no_function(const char *name);

#endif /* MISUSE_H */
