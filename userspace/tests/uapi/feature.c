// SPDX-License-Identifier: MIT
/* Common parts of all tries of features: see feature.h. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "feature.h"
#include "uapi.h"

/**
 * site_target() - get the page to use for a single access
 * @site: the site
 *
 * Return: the decommitted page, or, without one, a page with contents.
 */
char *site_target(const struct site *site)
{
	return site->hole ? site->hole : site->addr + 5 * site->page;
}

/* All pages are filled, or all are zero. Where nothing traps, the hole is, too. */
static bool site_has(const struct site *site, bool zero)
{
	for (size_t at = 0; at < site->length; at += site->page) {
		char *page = site->addr + at;

		if (page == site->hole && !site->huge) {
			if (!read_traps(page) || !write_traps(page))
				return false;
		} else if (zero || page == site->hole) {
			if (!is_zero(page, site->page))
				return false;
		} else if (!is_filled(page, site->page, 1 + at)) {
			return false;
		}
	}
	return true;
}

/**
 * site_kept() - tell whether contents are kept and the decommitted page traps
 * @site: the site
 */
bool site_kept(const struct site *site)
{
	return site_has(site, false);
}

/**
 * site_zero() - tell whether the range is zero and the decommitted page traps
 * @site: the site
 */
bool site_zero(const struct site *site)
{
	return site_has(site, true);
}

/**
 * site_small() - put the same contents into small pages, whatever the backing
 * @site: the site
 *
 * The kernel moves and merges huge pages only as a whole.
 */
void site_small(const struct site *site)
{
	expect(madvise(site->extent, EXTENT_SIZE, MADV_NOHUGEPAGE) == 0);
	expect(madvise(site->extent, EXTENT_SIZE, MADV_DONTNEED) == 0);
	for (size_t at = 0; at < site->length; at += site->page)
		if (site->addr + at != site->hole)
			fill(site->addr + at, site->page, 1 + at);
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
 * put_text() - write text to a file of the kernel
 * @path: the file
 * @text: the text
 *
 * Return: whether it was accepted.
 */
bool put_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	if (file < 0)
		return false;
	done = write(file, text, strlen(text)) == (ssize_t)strlen(text);
	close(file);
	return done;
}

/**
 * get_number() - read a number from a file of the kernel
 * @path: the file
 *
 * Return: the number, or -1 if there is no such file.
 */
long get_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

/**
 * swap_on() - turn on swap to compressed memory, as root
 */
void swap_on(void)
{
	if (geteuid())
		untested("not root");
	system("modprobe -q zram");
	if (!put_text("/sys/block/zram0/disksize", "64M") ||
	    system("mkswap /dev/zram0 >/dev/null && swapon /dev/zram0"))
		untested("no swap to be had");
}

/**
 * swap_off() - undo swap_on(), so that it does not affect other tests
 */
void swap_off(void)
{
	expect(system("swapoff /dev/zram0") == 0);
	expect(put_text("/sys/block/zram0/reset", "1"));
}
