/* SPDX-License-Identifier: MIT */
/* Only the declarations of POSIX: for building, not for running. */
#define INT_MAX		__INT_MAX__
#define UINT_MAX	(2U * INT_MAX + 1)
#define LONG_MAX	__LONG_MAX__
#define ULONG_MAX	(2UL * LONG_MAX + 1)
