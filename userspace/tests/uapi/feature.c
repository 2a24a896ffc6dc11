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
#include "kernel_file.h"
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
