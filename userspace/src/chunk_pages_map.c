// SPDX-License-Identifier: MIT
/* Mappings of pages for the caller: pages_map(), pages_unmap(). */
#include <errno.h>

#include "chunk.h"
#include "chunk_check.h"
#include "chunk_recycle.h"
#include "chunk_reuse.h"
#include "chunk_state.h"
#include "chunk_unmap.h"
#include "os.h"

/**
 * pages_map() - make a new private zero-filled mapping
 * @addr: exactly where, or NULL for anywhere; page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Never over another mapping.
 *
 * Return: the address, or NULL with errno ENOMEM, or EEXIST if the place is
 * taken.
 */
void *pages_map(void *addr, size_t size)
{
	int saved = errno;
	void *out;
	int err;

	chunk_check_range(CHUNK_CALL("pages_map"), addr, size, true);
	err = chunk_os_map(addr, size, &out);
	/* Kept memory must not make it fail. */
	if (err == -ENOMEM && chunk_has_kept() &&
	    chunk_reuse_release("pages_map")) {
		/* The device may recycle it. */
		chunk_recycle_release();
		err = chunk_os_map(addr, size, &out);
	}
	if (!err)
		chunk_check_note_mapped(out, size);
	errno = err ? -err : saved;
	return err ? NULL : out;
}

/**
 * pages_unmap() - return address space
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * A failure is reported on stderr and is not fatal.
 */
void pages_unmap(void *addr, size_t size)
{
	const struct chunk_call *call = CHUNK_CALL("pages_unmap");
	int saved = errno;

	chunk_check_range(call, addr, size, false);
	chunk_check_unmap(call, addr, size);
	chunk_check_note_unmapped(addr, size);
	chunk_unmap_or_report("pages_unmap", addr, size);
	errno = saved;
}
