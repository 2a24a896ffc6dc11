/* SPDX-License-Identifier: MIT */
/* Probes by <sys/sdt.h>: each is a nop, and a note in the file about its arguments. */
#ifndef PROBE_H
#define PROBE_H

#include <sys/sdt.h>

/* Arguments that take more than a register to find may be looked for. */
#define HAS_PROBES	1

#define PROBE1(name, a)			STAP_PROBE1(libchunk, name, a)
#define PROBE2(name, a, b)		STAP_PROBE2(libchunk, name, a, b)
#define PROBE3(name, a, b, c)		STAP_PROBE3(libchunk, name, a, b, c)
#define PROBE4(name, a, b, c, d)	STAP_PROBE4(libchunk, name, a, b, c, d)
#define PROBE6(name, a, b, c, d, e, f)	STAP_PROBE6(libchunk, name, a, b, c, d, e, f)

#endif /* PROBE_H */
