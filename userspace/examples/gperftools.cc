// SPDX-License-Identifier: MIT
//
// tcmalloc of gperftools takes its memory from chunks. Build:
// c++ gperftools.cc -lchunk -ltcmalloc
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <gperftools/malloc_extension.h>

#include <chunk.h>

namespace
{

constexpr size_t CHUNK = size_t(1) << 20;

// tcmalloc keeps address space for good, and frees memory in it by madvise(), which
// works on chunks, too.
class ChunkAllocator : public SysAllocator {
public:
	void *Alloc(size_t size, size_t *actual_size, size_t alignment) override
	{
		if (size > SIZE_MAX - CHUNK)
			return nullptr;
		size = (size + CHUNK - 1) & ~(CHUNK - 1);
		if (actual_size)
			*actual_size = size;
		return chunk_alloc(size, alignment < CHUNK ? CHUNK : alignment, false);
	}
};

// Never destroyed, since tcmalloc goes on allocating until the process ends.
alignas(ChunkAllocator) char allocator[sizeof(ChunkAllocator)];

} // namespace

int main()
{
	MallocExtension::instance()->SetSystemAllocator(new (allocator) ChunkAllocator);

	size_t size = size_t(64) << 20;
	char *block = static_cast<char *>(std::malloc(size));

	if (!block || !chunk_is_live(block) || !chunk_is_live(block + size - 1))
		return 1;
	std::memset(block, 1, size);
	std::free(block);
	MallocExtension::instance()->ReleaseFreeMemory();

	chunk_stats stats;

	chunk_get_stats(&stats);
	std::printf("tcmalloc has %llu MiB of chunks\n",
		    static_cast<unsigned long long>(stats.live_bytes >> 20));
	return 0;
}
