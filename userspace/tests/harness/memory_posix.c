// SPDX-License-Identifier: MIT
/* Memory as a test sees it, by signals and /proc: see memory.h. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "memory.h"
#include "memory_access.h"

/* Where this thread goes on after a trap */
static __thread sigjmp_buf trapped;

/**
 * page_size() - get the size of a page, in bytes
 *
 * Return: the size that the system has at run time.
 */
size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* Any other trap kills the process: it happens again with the default action. */
static void on_trap(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	if (access_trapped((uintptr_t)info->si_addr))
		siglongjmp(trapped, 1);
	signal(signal_number, SIG_DFL);
}

static void catch_traps(void)
{
	struct sigaction action = {
		.sa_sigaction = on_trap,
		/* No signal mask has to be restored: some emulators fail to save it. */
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	expect(sigaction(SIGSEGV, &action, NULL) == 0);
	expect(sigaction(SIGBUS, &action, NULL) == 0);
}

/**
 * access_traps() - tell whether accessing a byte raises SIGSEGV or SIGBUS
 * @addr:  the byte
 * @value: as of access_byte()
 * @write: write, without reading
 *
 * Leaves handlers for both signals installed.
 */
NOT_BY_TSAN bool access_traps(char *addr, char *value, bool write)
{
	catch_traps();
	if (sigsetjmp(trapped, 1))
		return true;
	access_byte(addr, value, write);
	return false;
}

/**
 * unmaps_parts() - tell whether parts of mappings can be unmapped
 */
bool unmaps_parts(void)
{
	return true;
}

/**
 * foreign_mapping() - map memory that libchunk does not know
 * @size: bytes
 */
void *foreign_mapping(size_t size)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(addr != MAP_FAILED);
	return addr;
}

static size_t count_pages(int fd, const void *addr, size_t pages)
{
	/* Guards of MADV_GUARD_INSTALL look like pages in swap. */
	const uint64_t present = (uint64_t)1 << 63, swapped = (uint64_t)1 << 62;
	const uint64_t guard = (uint64_t)1 << 58;
	uint64_t entries[512];
	off_t at = (off_t)((uintptr_t)addr / page_size() * sizeof(*entries));
	size_t found = 0;

	while (pages) {
		size_t count = pages < 512 ? pages : 512;
		size_t bytes = count * sizeof(*entries);

		expect(pread(fd, entries, bytes, at) == (ssize_t)bytes);
		for (size_t i = 0; i < count; i++)
			found += (entries[i] & present) ||
				 (entries[i] & (swapped | guard)) == swapped;
		pages -= count;
		at += bytes;
	}
	return found;
}

/**
 * residency_known() - tell whether resident_bytes() can be trusted
 *
 * Return: false, with a note, under an emulator: the system's pagemap is about
 * the emulator's own addresses.
 */
bool residency_known(void)
{
	if (!getenv("TAP_UNDER"))
		return true;
	tap_note("not checked: an emulator's pagemap is about its own memory");
	return false;
}

/**
 * resident_bytes() - get the amount of memory behind a range
 * @addr: first byte, page-aligned
 * @size: bytes
 *
 * Return: bytes in pages that are in memory or in swap; 0, with a note, if that
 * cannot be known.
 */
size_t resident_bytes(const void *addr, size_t size)
{
	size_t page = page_size(), found;
	int fd;

	if (!residency_known())
		return 0;
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	expect(fd >= 0);
	found = count_pages(fd, addr, size / page);
	close(fd);
	return found * page;
}

/**
 * forbid_huge_pages() - keep the kernel from making huge pages in this process
 *
 * For tests of what is resident: khugepaged fills the holes of what it collapses.
 */
void forbid_huge_pages(void)
{
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/**
 * page_faults() - count the page faults of this process that read no file
 */
unsigned long page_faults(void)
{
	struct rusage usage;

	expect(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

/* Call @line for each line of /proc/self/maps, without malloc or stdio. */
static void each_mapping(void (*line)(const char *text, void *arg), void *arg)
{
	char buffer[8192];
	size_t used = 0;
	ssize_t got;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	expect(fd >= 0);
	while ((got = read(fd, buffer + used, sizeof(buffer) - 1 - used)) > 0) {
		char *start = buffer, *end;

		used += got;
		buffer[used] = '\0';
		while ((end = strchr(start, '\n'))) {
			*end = '\0';
			line(start, arg);
			start = end + 1;
		}
		used -= start - buffer;
		memmove(buffer, start, used);
	}
	close(fd);
}

static void count_line(const char *text, void *arg)
{
	(void)text;
	++*(size_t *)arg;
}

/**
 * count_mappings() - count the mappings of this process
 *
 * Return: the number of lines of /proc/self/maps.
 */
size_t count_mappings(void)
{
	size_t count = 0;

	each_mapping(count_line, &count);
	return count;
}

/**
 * struct name_wanted - search for the name of a mapping
 * @addr:  address in the mapping
 * @name:  receives the name
 * @size:  bytes at @name
 * @found: the mapping was found
 */
struct name_wanted {
	uintptr_t addr;
	char *name;
	size_t size;
	bool found;
};

static uintptr_t hexadecimal(const char **text)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	uintptr_t value = 0;

	while (**text && (digit = strchr(digits, **text))) {
		value = value << 4 | (uintptr_t)(digit - digits);
		++*text;
	}
	return value;
}

static void match_line(const char *text, void *arg)
{
	struct name_wanted *want = arg;
	uintptr_t start = hexadecimal(&text), end;

	text++;
	end = hexadecimal(&text);
	if (want->addr < start || want->addr >= end)
		return;
	want->found = true;
	/* The permissions, offset, device and inode stand before the name. */
	for (int field = 0; field < 5; field++) {
		text += strspn(text, " ");
		text += field < 4 ? strcspn(text, " ") : 0;
	}
	strncpy(want->name, text, want->size - 1);
	want->name[want->size - 1] = '\0';
}

/**
 * mapping_name() - get the name that /proc/self/maps has for a mapping
 * @addr: the address
 * @name: receives the name, which may be empty
 * @size: bytes there
 *
 * Return: whether the address is mapped.
 */
bool mapping_name(const void *addr, char *name, size_t size)
{
	struct name_wanted want = {
		.addr = (uintptr_t)addr, .name = name, .size = size,
	};

	each_mapping(match_line, &want);
	return want.found;
}
