/* SPDX-License-Identifier: MIT */
/* The names that the linker gives wrapped functions (--wrap): see tap_counted.c. */
#ifndef TAP_COUNTED_H
#define TAP_COUNTED_H

void __real__exit(int status);
void __real_abort(void);
void __wrap__exit(int status);
void __wrap_abort(void);

#endif /* TAP_COUNTED_H */
