// SPDX-License-Identifier: MIT
/* What the memory of chunks is. */
#include <errno.h>

#include "chunk.h"
#include "chunk_backing.h"
#include "chunk_internal.h"
#include "chunk_report.h"
#include "chunk_state.h"

static void say(const char *text)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk: backing:huge: ");
	chunk_line_text(&line, text);
	chunk_line_write(&line);
}

/* Who asked for huge pages is told once what they cost. */
static void say_if_weaker(void)
{
	static bool said;

	if (said || chunk_device.traps())
		return;
	said = true;
	say("this kernel has no MADV_GUARD_INSTALL, so decommitted pages do not trap");
}

/**
 * chunk_backing_tell_device() - tell a new context of the device what is wanted
 *
 * A backing that it does not have is reported, and not asked for again.
 *
 * Context: chunk_lock() held, or before anybody else can be here.
 */
void chunk_backing_tell_device(void)
{
	if (chunk_state.backing == GUARDED_BACKING && !chunk_state.grow)
		return;
	if (!chunk_device.configure(chunk_state.backing, chunk_state.grow)) {
		say_if_weaker();
		return;
	}
	if (chunk_state.backing != HUGE_BACKING)
		return;
	chunk_state.backing = GUARDED_BACKING;
	say("this kernel's device has none; chunks have small pages");
}

/**
 * chunk_backing_start() - see whether what the options say can be had
 *
 * What cannot is reported.
 *
 * Context: before anybody else can be here; the device is open, or it is not.
 */
void chunk_backing_start(void)
{
	if (chunk_state.generation || chunk_os.caps.huge_pages ||
	    chunk_state.backing != HUGE_BACKING)
		return;
	chunk_state.backing = GUARDED_BACKING;
	say("this system has none for chunks; they have small pages");
}

/**
 * chunk_backing_apply() - ask for huge pages, if huge backing is wanted
 * @addr: first byte, page-aligned, not from the device
 * @size: bytes, page-aligned
 *
 * A mapping that was replaced has to be asked for again.
 */
void chunk_backing_apply(void *addr, size_t size)
{
	if (chunk_state.backing == HUGE_BACKING && chunk_os.want_huge)
		chunk_os.want_huge(addr, size);
}

/**
 * chunk_configure_charged() - say once why the device's memory may be short
 *
 * Context: lock not held; the device has refused memory.
 */
void chunk_configure_charged(void)
{
	static atomic_bool said;
	struct chunk_device_stats stats;
	struct chunk_line line = { 0 };

	if (!chunk_os.caps.charges || chunk_device.stats(&stats) ||
	    !stats.decommitted_bytes || atomic_exchange(&said, true))
		return;
	chunk_line_text(&line,
			"libchunk: out of memory, and under vm.overcommit_memory=2 what is decommitted counts; backend:mmap gives it back");
	chunk_line_write(&line);
}

/* Context: chunk_lock() held. Returns 0 or a negative error number. */
static int configure(enum chunk_backing backing, size_t grow)
{
	int err = 0;

	if (chunk_state.counts.allocs)
		return -EBUSY;
	if (chunk_state.generation)
		err = chunk_device.configure(backing, grow);
	else if (backing == HUGE_BACKING && !chunk_os.caps.huge_pages)
		err = -EOPNOTSUPP;
	/* A context that is lost is none; the next is told when it is opened. */
	if (err && err != -ENODEV)
		return err;
	chunk_state.backing = backing;
	chunk_state.grow = grow;
	if (chunk_state.generation && !err)
		say_if_weaker();
	return 0;
}

/**
 * chunk_configure() - say what the memory of chunks shall be
 * @backing: which of the kinds
 * @grow:    bytes of address space for the device to map at a time, a multiple
 *           of the chunk size; 0: as it likes
 *
 * Before the first chunk of the process. Without the device huge pages are asked
 * for, and are the system's to give.
 *
 * Return: true, or false with errno EBUSY if there was a chunk before, or
 * EOPNOTSUPP if the device or the system has no such backing; then all is as
 * before.
 */
bool chunk_configure(enum chunk_backing backing, size_t grow)
{
	const struct chunk_call *call = CHUNK_CALL("chunk_configure");
	int saved = errno;
	int err;

	if ((unsigned int)backing > HUGE_BACKING)
		chunk_die_numbers(call, backing, grow,
				  "there is no such backing");
	if (grow % CHUNK_TREE_UNIT || grow > PTRDIFF_MAX)
		chunk_die_numbers(call, backing, grow,
				  "the growth is no multiple of 1 MiB");
	chunk_enter();
	chunk_device_generation();
	chunk_lock();
	err = configure(backing, grow);
	chunk_unlock();
	errno = err ? -err : saved;
	return !err;
}
