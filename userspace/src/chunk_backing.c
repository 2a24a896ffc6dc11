// SPDX-License-Identifier: MIT
/* The backing of chunks: small pages that are guarded, or huge pages. */
#include <errno.h>

#include "chunk_backing.h"
#include "chunk_report.h"
#include "chunk_state.h"

static void say(const char *text)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk: backing:huge: ");
	chunk_line_text(&line, text);
	chunk_line_write(&line);
}

/* A program that asked for huge pages is told once which guarantee they cost. */
static void say_if_weaker(void)
{
	static bool said;

	if (said || chunk_device_traps())
		return;
	said = true;
	say("this kernel has no MADV_GUARD_INSTALL, so decommitted pages do not trap");
}

/**
 * chunk_backing_tell_device() - ask a new device generation for the backing
 *
 * A backing that the device does not have is reported, and not asked for again.
 *
 * Context: chunk_lock() held, or during chunk_start().
 */
void chunk_backing_tell_device(void)
{
	if (chunk_state.backing == GUARDED_BACKING && !chunk_state.grow)
		return;
	if (!chunk_device_configure(chunk_state.backing, chunk_state.grow)) {
		say_if_weaker();
		return;
	}
	if (chunk_state.backing != HUGE_BACKING)
		return;
	chunk_state.backing = GUARDED_BACKING;
	say("this kernel's device has none; chunks have small pages");
}

/**
 * chunk_backing_start() - give huge pages up where the system has none
 *
 * That is reported.
 *
 * Context: during chunk_start(), after the attempt to open the device.
 */
void chunk_backing_start(void)
{
	if (chunk_state.generation || chunk_os_caps.has_huge_pages ||
	    chunk_state.backing != HUGE_BACKING)
		return;
	chunk_state.backing = GUARDED_BACKING;
	say("this system has none for chunks; they have small pages");
}

/**
 * chunk_backing_apply() - ask the system for huge pages, if they are wanted
 * @addr: first byte, page-aligned, not from the device
 * @size: bytes, page-aligned
 *
 * A mapping that replaced another needs to be asked for anew.
 */
void chunk_backing_apply(void *addr, size_t size)
{
	if (chunk_state.backing == HUGE_BACKING)
		chunk_os_want_huge(addr, size);
}

/**
 * chunk_backing_set() - choose the backing of all chunks
 * @backing: the backing
 * @grow:    bytes of address space for the device to map at a time; 0: as it likes
 *
 * Context: chunk_lock() held.
 * Return: 0; -EBUSY if there was a chunk before; -EOPNOTSUPP if the device or the
 * system has no such backing. After an error nothing has changed.
 */
int chunk_backing_set(enum chunk_backing backing, size_t grow)
{
	int err = 0;

	if (chunk_state.counts.allocs)
		return -EBUSY;
	if (chunk_state.generation)
		err = chunk_device_configure(backing, grow);
	else if (backing == HUGE_BACKING && !chunk_os_caps.has_huge_pages)
		err = -EOPNOTSUPP;
	/* A lost generation has no backing; the next is told when it begins. */
	if (err && err != -ENODEV)
		return err;
	chunk_state.backing = backing;
	chunk_state.grow = grow;
	if (chunk_state.generation && !err)
		say_if_weaker();
	return 0;
}
