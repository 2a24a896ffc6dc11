// SPDX-License-Identifier: MIT
/* Memory as a test sees it: see memory.h. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "memory.h"

/* The access under way in this thread, if any, and where to go if it traps. */
static __thread const char *probed;
static __thread sigjmp_buf trapped;

/**
 * page_size() - bytes in a page
 *
 * Return: what the system says at run time.
 */
size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/*
 * Only the access that was announced counts. Any other trap is the test's or
 * the library's own fault and kills, once the default is back. The page is
 * compared, not the byte: some machines report no more.
 */
static void on_trap(int signal_number, siginfo_t *info, void *context)
{
	uintptr_t mask = ~((uintptr_t)page_size() - 1);

	(void)context;
	if (probed && ((uintptr_t)info->si_addr & mask) ==
		      ((uintptr_t)probed & mask))
		siglongjmp(trapped, 1);
	signal(signal_number, SIG_DFL);
}

static void catch_traps(void)
{
	struct sigaction action = {
		.sa_sigaction = on_trap,
		/* Emulators may fail to save the mask that is to be restored. */
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	expect(sigaction(SIGSEGV, &action, NULL) == 0);
	expect(sigaction(SIGBUS, &action, NULL) == 0);
}

/* Atomic accesses, since no others are sure to happen, and exactly once. */
static bool access_traps(char *addr, bool write)
{
	char byte;

	catch_traps();
	probed = addr;
	if (sigsetjmp(trapped, 1)) {
		probed = NULL;
		return true;
	}
	atomic_signal_fence(memory_order_seq_cst);
	byte = __atomic_load_n(addr, __ATOMIC_SEQ_CST);
	if (write)
		__atomic_store_n(addr, byte, __ATOMIC_SEQ_CST);
	atomic_signal_fence(memory_order_seq_cst);
	probed = NULL;
	return false;
}

/**
 * read_traps() - does reading a byte raise SIGSEGV or SIGBUS there?
 * @addr: the byte
 *
 * Leaves its handlers for both signals installed.
 */
bool read_traps(const void *addr)
{
	return access_traps((char *)(uintptr_t)addr, false);
}

/**
 * write_traps() - does writing a byte, with its own value if it can be read,
 * raise SIGSEGV or SIGBUS there?
 * @addr: the byte
 */
bool write_traps(void *addr)
{
	return access_traps(addr, true);
}

/**
 * check_trap() - expect accesses to a byte to trap, or not to
 * @file:  source file of the expectation
 * @line:  line in it
 * @addr:  the byte
 * @traps: what is expected
 */
void check_trap(const char *file, int line, void *addr, bool traps)
{
	if (read_traps(addr) != traps)
		tap_failed(file, line, traps ? "reading to trap" :
					       "reading not to trap");
	if (write_traps(addr) != traps)
		tap_failed(file, line, traps ? "writing to trap" :
					       "writing not to trap");
}

/**
 * check_trap_only() - expect pages to trap, and those around them not to
 * @file: source file of the expectation
 * @line: line in it
 * @addr: first byte, page-aligned
 * @size: bytes
 */
void check_trap_only(const char *file, int line, void *addr, size_t size)
{
	char *p = addr;

	check_trap(file, line, p, true);
	check_trap(file, line, p + size - 1, true);
	check_trap(file, line, p - 1, false);
	check_trap(file, line, p + size, false);
}

/**
 * is_zero() - does every byte of a range read as zero?
 * @addr: first byte
 * @size: bytes
 */
bool is_zero(const void *addr, size_t size)
{
	const unsigned char *p = addr;

	return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

static uint64_t mixed(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15;
	return x ^ x >> 29;
}

/**
 * fill() - write a pattern that differs in every word and with every seed
 * @addr: first byte, 8-byte aligned
 * @size: bytes, a multiple of 8
 * @seed: which pattern
 *
 * No word of it is zero.
 */
void fill(void *addr, size_t size, uint64_t seed)
{
	uint64_t *p = addr;

	for (size_t i = 0; i < size / sizeof(*p); i++)
		p[i] = mixed(seed + i * 8) | 1;
}

/**
 * is_filled() - does a range hold what fill() wrote?
 * @addr: first byte
 * @size: bytes
 * @seed: which pattern; for a part of a range, its seed plus the offset
 */
bool is_filled(const void *addr, size_t size, uint64_t seed)
{
	const uint64_t *p = addr;

	for (size_t i = 0; i < size / sizeof(*p); i++)
		if (p[i] != (mixed(seed + i * 8) | 1))
			return false;
	return true;
}

/**
 * touch() - write to every page of a range
 * @addr: first byte
 * @size: bytes
 */
void touch(void *addr, size_t size)
{
	char *p = addr;

	for (size_t at = 0; at < size; at += page_size())
		p[at] = 1;
}

static size_t count_pages(int fd, const void *addr, size_t pages)
{
	/* Guards of MADV_GUARD_INSTALL look swapped out. */
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
 * residency_known() - can it be seen how much memory is there behind a range?
 *
 * Return: false, with a note, under an emulator: the file that says so is about
 * its own addresses.
 */
bool residency_known(void)
{
	if (!getenv("TAP_UNDER"))
		return true;
	tap_note("not checked: an emulator's pagemap is about its own memory");
	return false;
}

/**
 * resident_bytes() - how much memory is there behind a range?
 * @addr: first byte, page-aligned
 * @size: bytes
 *
 * Return: bytes in pages that are in memory or in swap; 0, with a note, where
 * that is not known.
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

/* Calls @line for each line of /proc/self/maps. No malloc, no stdio. */
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
 * count_mappings() - how many mappings has this process?
 *
 * Return: the number of lines of /proc/self/maps.
 */
size_t count_mappings(void)
{
	size_t count = 0;

	each_mapping(count_line, &count);
	return count;
}

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
	/* Permissions, offset, device and inode come before the name. */
	for (int field = 0; field < 5; field++) {
		text += strspn(text, " ");
		text += field < 4 ? strcspn(text, " ") : 0;
	}
	strncpy(want->name, text, want->size - 1);
	want->name[want->size - 1] = '\0';
}

/**
 * mapping_name() - what does /proc/self/maps call the mapping of an address?
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
