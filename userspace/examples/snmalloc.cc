// SPDX-License-Identifier: MIT
//
// A platform of snmalloc on chunks: memory that snmalloc does not use traps. With
// snmalloc: c++ -std=c++20 -DHAVE_SNMALLOC, and PALChunk as the Pal of a configuration.
// Without it, main() calls the platform as snmalloc would.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <chunk.h>

#ifdef HAVE_SNMALLOC
#include <snmalloc/snmalloc_core.h>
#else
#include "declared/snmalloc.hh"
#endif

struct PALChunk {
	static constexpr uint64_t pal_features = snmalloc::AlignedAllocation | snmalloc::LazyCommit;
	// That of the system, which differs on some processors.
	static constexpr size_t page_size = 4096;
	static constexpr size_t address_bits = 48;
	// Sizes are powers of two; snmalloc rounds smaller ones up to this.
	static constexpr size_t minimum_alloc_size = size_t(1) << 20;

	[[noreturn]] static void error(const char *text) noexcept
	{
		std::fprintf(stderr, "snmalloc: %s\n", text);
		std::abort();
	}

	static void notify_not_using(void *p, size_t size) noexcept
	{
		pages_decommit(p, size);
	}

	// Committed pages keep their contents, so zeroes take a second call.
	template <snmalloc::ZeroMem zero_mem> static void notify_using(void *p, size_t size) noexcept
	{
		if (!pages_commit(p, size))
			error("out of memory");
		if constexpr (zero_mem == snmalloc::YesZero)
			zero<true>(p, size);
	}

	template <bool page_aligned = false> static void zero(void *p, size_t size) noexcept
	{
		if constexpr (page_aligned)
			pages_purge(p, size, true);
		else
			std::memset(p, 0, size);
	}

	template <bool state_using> static void *reserve_aligned(size_t size) noexcept
	{
		return state_using ? chunk_alloc(size, size, false) : chunk_alloc_decommitted(size, size);
	}

	static void *reserve(size_t size) noexcept
	{
		return reserve_aligned<false>(size);
	}
};

static_assert(snmalloc::IsPAL<PALChunk>);

int main()
{
	size_t size = 4 * PALChunk::minimum_alloc_size;
	auto *block = static_cast<char *>(PALChunk::reserve_aligned<false>(size));

	if (!block || reinterpret_cast<uintptr_t>(block) % size)
		return 1;
	PALChunk::notify_using<snmalloc::NoZero>(block, 1 << 16);
	std::memset(block, 1, 1 << 16);
	PALChunk::notify_using<snmalloc::YesZero>(block, 1 << 16);
	if (block[0] || block[(1 << 16) - 1])
		return 1;
	PALChunk::notify_not_using(block, 1 << 16);

	chunk_stats stats;

	chunk_get_stats(&stats);
	if (stats.decommitted_bytes != size)
		return 1;
	std::printf("%zu bytes at a multiple of their size\n", size);
	return 0;
}
