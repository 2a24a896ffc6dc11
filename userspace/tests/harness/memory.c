// SPDX-License-Identifier: MIT
/* Memory as a test sees it: see memory.h. */
#include <stdatomic.h>
#include <string.h>

#include "memory.h"
#include "memory_access.h"

/* The byte that this thread is about to access, or NULL */
static __thread const char *announced;

/**
 * access_byte() - access a byte that may trap
 * @addr:  the byte
 * @value: what is written, or receives what is read; unchanged if that traps
 * @write: write, without reading
 *
 * The access is atomic, since no other is sure to happen, and exactly once.
 * ThreadSanitizer would do atomic accesses itself, and a trap would leave it in the
 * middle of one.
 */
NOT_BY_TSAN void access_byte(char *addr, char *value, bool write)
{
	announced = addr;
	atomic_signal_fence(memory_order_seq_cst);
	if (write)
		__atomic_store_n(addr, *value, __ATOMIC_SEQ_CST);
	else
		*value = __atomic_load_n(addr, __ATOMIC_SEQ_CST);
	atomic_signal_fence(memory_order_seq_cst);
	announced = NULL;
}

/**
 * access_trapped() - is this trap that of the access under way? That ends it.
 * @addr: where the trap is
 *
 * Compares pages, not bytes: some machines report no more.
 *
 * Context: The handler of traps, in the thread that trapped.
 * Return: false if the trap is a defect of the test or of the library.
 */
bool access_trapped(uintptr_t addr)
{
	uintptr_t mask = ~((uintptr_t)page_size() - 1);

	if (!announced || (addr & mask) != ((uintptr_t)announced & mask))
		return false;
	announced = NULL;
	return true;
}

/**
 * read_traps() - does reading a byte trap?
 * @addr: the byte
 */
bool read_traps(const void *addr)
{
	char value;

	return access_traps((char *)(uintptr_t)addr, &value, false);
}

/**
 * write_traps() - does writing a byte trap, with its own value if it can be read?
 * @addr: the byte
 */
bool write_traps(void *addr)
{
	char value = 0;

	access_traps(addr, &value, false);
	return access_traps(addr, &value, true);
}

/**
 * store_traps() - does writing a byte trap, where nothing was read before?
 * @addr:  the byte
 * @value: what to write
 */
bool store_traps(void *addr, char value)
{
	return access_traps(addr, &value, true);
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
