/* SPDX-License-Identifier: MIT */
/*
 * Declarations of snmalloc (snmalloc/pal/pal_consts.h), which Debian 12 does not have,
 * as far as the example needs them, and the demands that snmalloc makes on a platform.
 */
#ifndef DECLARED_SNMALLOC_H
#define DECLARED_SNMALLOC_H

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace snmalloc
{

enum PalFeatures : uint64_t {
	AlignedAllocation = 1 << 1,
	LazyCommit = 1 << 2,
};

enum ZeroMem { NoZero, YesZero };

template <typename PAL>
concept IsPAL = requires(void *p, size_t size, const char *text) {
	{ PAL::pal_features } -> std::convertible_to<uint64_t>;
	{ PAL::page_size } -> std::convertible_to<size_t>;
	{ PAL::address_bits } -> std::convertible_to<size_t>;
	{ PAL::error(text) } -> std::same_as<void>;
	{ PAL::notify_not_using(p, size) } noexcept -> std::same_as<void>;
	{ PAL::template notify_using<NoZero>(p, size) } noexcept -> std::same_as<void>;
	{ PAL::template notify_using<YesZero>(p, size) } noexcept -> std::same_as<void>;
	{ PAL::template zero<false>(p, size) } noexcept -> std::same_as<void>;
	{ PAL::template zero<true>(p, size) } noexcept -> std::same_as<void>;
	{ PAL::template reserve_aligned<true>(size) } noexcept -> std::same_as<void *>;
	{ PAL::template reserve_aligned<false>(size) } noexcept -> std::same_as<void *>;
	{ PAL::reserve(size) } noexcept -> std::same_as<void *>;
};

} // namespace snmalloc

#endif // DECLARED_SNMALLOC_H
