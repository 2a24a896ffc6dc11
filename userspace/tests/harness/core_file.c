// SPDX-License-Identifier: MIT
/* Core dumps: see core_file.h. */
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "core_file.h"
#include "tap.h"

#define SEGMENTS	8192

/**
 * core_offset() - find the memory of an address in a core dump
 * @core: the file
 * @addr: the address
 *
 * Return: the offset in the file, or -1 if the dump does not have that memory.
 */
off_t core_offset(int core, const char *addr)
{
	static ElfW(Phdr) segments[SEGMENTS];
	static ElfW(Ehdr) header;
	uintptr_t at = (uintptr_t)addr;
	size_t size;

	expect(pread(core, &header, sizeof(header), 0) == sizeof(header));
	expect(!memcmp(header.e_ident, ELFMAG, SELFMAG));
	expect(header.e_phnum <= SEGMENTS);
	size = header.e_phnum * sizeof(*segments);
	expect(pread(core, segments, size, header.e_phoff) == (ssize_t)size);
	for (size_t i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD &&
		    at >= segments[i].p_vaddr &&
		    at < segments[i].p_vaddr + segments[i].p_filesz)
			return segments[i].p_offset + at - segments[i].p_vaddr;
	return -1;
}
