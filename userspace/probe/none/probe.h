/* SPDX-License-Identifier: MIT */
/* No probes: nothing is compiled in. */
#ifndef PROBE_H
#define PROBE_H

#define HAS_PROBES	0

#define PROBE1(name, a)			((void)(a))
#define PROBE2(name, a, b)		((void)(a), (void)(b))
#define PROBE3(name, a, b, c)		((void)(a), (void)(b), (void)(c))
#define PROBE4(name, a, b, c, d)	((void)(a), (void)(b), (void)(c), (void)(d))
#define PROBE6(name, a, b, c, d, e, f)	((void)(a), (void)(b), (void)(c), (void)(d), \
					 (void)(e), (void)(f))

#endif /* PROBE_H */
