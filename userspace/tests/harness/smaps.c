// SPDX-License-Identifier: MIT
/* Huge pages, as /proc/self/smaps and /sys tell of them. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "smaps.h"
#include "tap.h"

/**
 * mapping_figure() - get a figure of the mapping that contains an address
 * @addr: the address
 * @name: name of the figure in /proc/self/smaps
 *
 * Return: bytes.
 */
size_t mapping_figure(const void *addr, const char *name)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start, end, kib;
	bool here = false;
	char line[512];
	size_t bytes = 0;

	expect(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)addr &&
			       (uintptr_t)addr < end;
		else if (here && !strncmp(line, name, strlen(name)) &&
			 sscanf(line + strlen(name), ": %lu kB", &kib) == 1)
			bytes = kib * 1024;
	}
	fclose(file);
	return bytes;
}

/**
 * vm_flag() - tell whether the mapping of an address has a flag
 * @addr: the address
 * @name: name of the flag: two letters, as in /proc/self/smaps
 */
bool vm_flag(const void *addr, const char *name)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool here = false, found = false;
	char line[512], word[8];

	expect(file);
	snprintf(word, sizeof(word), " %s ", name);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)addr &&
			       (uintptr_t)addr < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, word);
	}
	fclose(file);
	return found;
}

/**
 * mapping_wants_huge() - tell whether huge pages were asked for at an address
 * @addr: the address
 */
bool mapping_wants_huge(const void *addr)
{
	return vm_flag(addr, "hg");
}

/**
 * huge_pages_always() - tell whether transparent_hugepage is set to always
 */
bool huge_pages_always(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char line[100] = "";

	if (!file)
		return false;
	expect(fgets(line, sizeof(line), file));
	fclose(file);
	return strstr(line, "[always]");
}

/**
 * huge_page_size() - get the size of a transparent huge page
 *
 * Return: bytes; 2 MiB where the kernel has none.
 */
size_t huge_page_size(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");
	size_t size = 2 * MIB;

	if (!file)
		return size;
	expect(fscanf(file, "%zu", &size) == 1);
	fclose(file);
	return size;
}

/**
 * some_huge_pages() - choose a number of huge pages to fill, or skip the case where
 *                     the kernel makes none by itself or they are too large
 *
 * Return: bytes; 16 MiB, or two huge pages if that is more.
 */
size_t some_huge_pages(void)
{
	size_t size = huge_page_size();

	if (!huge_pages_always())
		tap_skip("transparent huge pages are not set to always");
	if (size > 64 * MIB)
		tap_skip("huge pages of %zu MiB take too much memory", size / MIB);
	return size > 8 * MIB ? 2 * size : 16 * MIB;
}
