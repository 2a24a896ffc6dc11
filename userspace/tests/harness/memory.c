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
 * ThreadSanitizer would do atomic accesses itself, and a trap would leave it in
 * the middle of one.
 */
NOT_BY_TSAN NOT_BY_ASAN void access_byte(char *addr, char *value, bool write)
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
 * access_trapped() - tell whether the access under way has trapped
 * @addr: address of the trap
 *
 * The access has ended if so. Compares pages, not bytes: some machines report
 * only the page.
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
 * read_traps() - tell whether reading a byte traps
 * @addr: the byte
 */
bool read_traps(const void *addr)
{
	char value;

	return access_traps((char *)(uintptr_t)addr, &value, false);
}

/**
 * write_traps() - tell whether writing a byte its own value traps
 * @addr: the byte
 *
 * A byte that cannot be read is written as 0.
 */
bool write_traps(void *addr)
{
	char value = 0;

	access_traps(addr, &value, false);
	return access_traps(addr, &value, true);
}

/**
 * store_traps() - tell whether writing a byte that was not read before traps
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
 * @traps: whether the accesses must trap
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
 * is_zero() - tell whether every byte of a range reads as zero
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
 * @seed: number of the pattern
 *
 * No word of the pattern is zero.
 */
void fill(void *addr, size_t size, uint64_t seed)
{
	uint64_t *p = addr;

	for (size_t i = 0; i < size / sizeof(*p); i++)
		p[i] = mixed(seed + i * 8) | 1;
}

/**
 * is_filled() - tell whether a range holds the pattern of fill()
 * @addr: first byte
 * @size: bytes
 * @seed: number of the pattern; for a part of a range, plus its offset in bytes
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
