// SPDX-License-Identifier: MIT
/* Returning address space to the system, and reporting a refusal. */
#include <errno.h>
#include <stdatomic.h>

#include "chunk_annotate.h"
#include "chunk_place.h"
#include "chunk_probe.h"
#include "chunk_report.h"
#include "chunk_unmap.h"
#include "os.h"

/**
 * chunk_unmap_used() - return address space that was in use
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Return: 0, or -ENOMEM if that takes more mappings than the process may have.
 */
int chunk_unmap_used(void *addr, size_t size)
{
	int err;

	chunk_annotate_usable(addr, size);
	err = chunk_os_unmap(addr, size);
	chunk_probe_trim(addr, size, err);
	if (err)
		return err;
	chunk_place_freed((uintptr_t)addr, size);
	return 0;
}

/**
 * chunk_report_unmap() - report once that the system did not take address space
 * @call: the function of the API that would have returned it
 * @addr: first byte
 * @size: bytes
 * @err:  the system's answer, a negative error number
 * @fate: end of the line: where the address space goes instead
 */
void chunk_report_unmap(const char *call, const void *addr, size_t size,
			int err, const char *fate)
{
	static atomic_bool said;
	struct chunk_line line = { 0 };

	if (atomic_exchange_explicit(&said, true, memory_order_relaxed))
		return;
	chunk_line_text(&line, "libchunk: ");
	chunk_line_text(&line, call);
	chunk_line_text(&line, ": unmap(");
	chunk_line_number(&line, (uintptr_t)addr, 16);
	chunk_line_text(&line, ", ");
	chunk_line_number(&line, size, 10);
	chunk_line_text(&line, "): ");
	chunk_line_error(&line, -err);
	chunk_line_text(&line, fate);
	if (err == -ENOMEM)
		chunk_line_text(&line, chunk_os_mappings_advice);
	chunk_line_text(&line, " (said once)");
	chunk_line_write(&line);
}

/**
 * chunk_unmap_or_report() - return address space, or lose it
 * @call: the function of the API that returns it
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * If the system refuses, for lack of mappings, the memory is freed, and a line on
 * stderr says that the address space is lost.
 *
 * Return: true if it was returned.
 */
bool chunk_unmap_or_report(const char *call, void *addr, size_t size)
{
	int err;

	chunk_annotate_usable(addr, size);
	err = chunk_os_unmap(addr, size);
	if (!err)
		return true;
	chunk_os_decommit(addr, size);
	chunk_report_unmap(call, addr, size, err,
			   "; the address space is lost");
	return false;
}
