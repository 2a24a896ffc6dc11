// SPDX-License-Identifier: MIT
/*
 * A memory provider of UMF, the Unified Memory Framework: pools of UMF on chunks.
 * With UMF: cc -DHAVE_UMF umf.c -lchunk -lumf, and give &chunk_provider to
 * umfMemoryProviderCreate(). Without it, main() calls the provider as UMF would.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <chunk.h>

#ifdef HAVE_UMF
#include <umf/memory_provider_ops.h>
#else
#include "declared/umf.h"
#endif

#define CHUNK	((size_t)1 << 20)

/* Extents are whole chunks; UMF frees with the size that it allocated. */
static size_t whole(size_t size)
{
	return (size + CHUNK - 1) & ~(CHUNK - 1);
}

/* All of a process's chunks are libchunk's, so a provider has no state. */
static umf_result_t start(const void *params, void **provider)
{
	(void)params;
	chunks_init();
	*provider = NULL;
	return UMF_RESULT_SUCCESS;
}

static void end(void *provider)
{
	(void)provider;
}

static umf_result_t allocate(void *provider, size_t size, size_t alignment, void **ptr)
{
	(void)provider;
	if (!size || size > SIZE_MAX - CHUNK)
		return UMF_RESULT_ERROR_INVALID_ARGUMENT;
	if (alignment & (alignment - 1))
		return UMF_RESULT_ERROR_INVALID_ALIGNMENT;
	*ptr = chunk_alloc(whole(size), alignment < CHUNK ? CHUNK : alignment, false);
	return *ptr ? UMF_RESULT_SUCCESS : UMF_RESULT_ERROR_OUT_OF_HOST_MEMORY;
}

static umf_result_t release(void *provider, void *ptr, size_t size)
{
	(void)provider;
	chunk_dealloc(ptr, whole(size), UNKNOWN_CHUNK);
	return UMF_RESULT_SUCCESS;
}

/* No call here fails with an error of its own. */
static void last_error(void *provider, const char **message, int32_t *error)
{
	(void)provider;
	*message = "";
	*error = 0;
}

static umf_result_t page_size(size_t *page)
{
	*page = (size_t)sysconf(_SC_PAGESIZE);
	return UMF_RESULT_SUCCESS;
}

static umf_result_t recommended_page_size(void *provider, size_t size, size_t *page)
{
	(void)provider;
	(void)size;
	return page_size(page);
}

static umf_result_t min_page_size(void *provider, const void *ptr, size_t *page)
{
	(void)provider;
	(void)ptr;
	return page_size(page);
}

static const char *name(void *provider)
{
	(void)provider;
	return "chunk";
}

static umf_result_t purge(void *ptr, size_t size, bool force_zero)
{
	size_t page;

	page_size(&page);
	if (((uintptr_t)ptr | size) & (page - 1))
		return UMF_RESULT_ERROR_INVALID_ALIGNMENT;
	pages_purge(ptr, size, force_zero);
	return UMF_RESULT_SUCCESS;
}

static umf_result_t purge_lazy(void *provider, void *ptr, size_t size)
{
	(void)provider;
	return purge(ptr, size, false);
}

static umf_result_t purge_force(void *provider, void *ptr, size_t size)
{
	(void)provider;
	return purge(ptr, size, true);
}

/* An extent goes back as it came, so it cannot be split: ext_allocation_* stay NULL. */
static const umf_memory_provider_ops_t chunk_provider = {
	.version = UMF_PROVIDER_OPS_VERSION_CURRENT,
	.initialize = start,
	.finalize = end,
	.alloc = allocate,
	.free = release,
	.get_last_native_error = last_error,
	.get_recommended_page_size = recommended_page_size,
	.get_min_page_size = min_page_size,
	.get_name = name,
	.ext_purge_lazy = purge_lazy,
	.ext_purge_force = purge_force,
};

int main(void)
{
	const umf_memory_provider_ops_t *ops = &chunk_provider;
	void *provider, *block;
	size_t page;

	if (ops->initialize(NULL, &provider) || ops->get_min_page_size(provider, NULL, &page))
		return 1;
	if (ops->alloc(provider, 3000000, 1 << 21, &block))
		return 1;
	if ((uintptr_t)block % (1 << 21) || !chunk_is_live((char *)block + 2999999))
		return 1;
	memset(block, 1, 3000000);
	if (ops->ext_purge_force(provider, block, page) || *(char *)block)
		return 1;
	if (ops->ext_purge_lazy(provider, (char *)block + 1, page) !=
	    UMF_RESULT_ERROR_INVALID_ALIGNMENT)
		return 1;
	if (ops->free(provider, block, 3000000) || chunk_is_live(block))
		return 1;
	printf("provider %s: pages of %zu bytes\n", ops->get_name(provider), page);
	ops->finalize(provider);
	return 0;
}
