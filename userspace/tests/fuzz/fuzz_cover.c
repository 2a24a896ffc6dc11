// SPDX-License-Identifier: MIT
/*
 * Code of the module that a program reaches, by KCOV. Only the module is
 * instrumented (KCOV_INSTRUMENT in Kbuild). See
 * Documentation/dev-tools/kcov.rst.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define PLACES	(1UL << 18)	/* the most places that a program executes */
#define TEXT	(1UL << 20)	/* the most bytes of the module */

static int kcov = -1;
static unsigned long *places;
static unsigned long text;
static bool seen[TEXT];
static size_t total;

static unsigned long module_address(void)
{
	FILE *modules = fopen("/proc/modules", "re");
	unsigned long address = 0;
	char line[256];

	while (modules && fgets(line, sizeof(line), modules)) {
		if (sscanf(line, "chunk %*s %*s %*s %*s %lx", &address) == 1)
			break;
	}
	if (modules)
		fclose(modules);
	return address;
}

/**
 * fuzz_cover_open() - prepare to record which code programs reach
 *
 * Return: false if the kernel has no KCOV.
 */
bool fuzz_cover_open(void)
{
	kcov = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (kcov < 0)
		return false;
	text = module_address();
	expect(ioctl(kcov, KCOV_INIT_TRACE, PLACES) == 0);
	places = mmap(NULL, PLACES * sizeof(*places), PROT_READ | PROT_WRITE,
		      MAP_SHARED, kcov, 0);
	expect(places != MAP_FAILED);
	return text;
}

/**
 * fuzz_cover_begin() - start to record
 *
 * Context: the process that runs a program; recording ends with it.
 */
void fuzz_cover_begin(void)
{
	if (kcov < 0)
		return;
	expect(ioctl(kcov, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
	__atomic_store_n(&places[0], 0, __ATOMIC_RELAXED);
}

/**
 * fuzz_cover_add() - add the code that a program reached to all that is known
 *
 * Context: after the process that recorded has ended.
 * Return: number of new places.
 */
size_t fuzz_cover_add(void)
{
	size_t new = 0;

	if (kcov < 0)
		return 0;
	for (unsigned long i = 1; i <= places[0]; i++) {
		unsigned long at = places[i] - text;

		if (at < TEXT && !seen[at]) {
			seen[at] = true;
			new++;
		}
	}
	total += new;
	places[0] = 0;
	return new;
}

/**
 * fuzz_cover_total() - get the number of places reached so far
 *
 * Return: basic blocks of the module, or 0 if the kernel has no KCOV.
 */
size_t fuzz_cover_total(void)
{
	return total;
}
