/* SPDX-License-Identifier: MIT */
/*
 * Declarations of UMF 0.12 (umf/memory_provider_ops.h), as far as the example needs
 * them, so that it compiles where UMF is not installed. Members have UMF's names, types
 * and order.
 */
#ifndef DECLARED_UMF_H
#define DECLARED_UMF_H

#include <stddef.h>
#include <stdint.h>

#define UMF_MAKE_VERSION(major, minor)	((uint32_t)(major) << 16 | (uint32_t)(minor))
#define UMF_PROVIDER_OPS_VERSION_CURRENT	UMF_MAKE_VERSION(0, 12)

typedef enum umf_result_t {
	UMF_RESULT_SUCCESS = 0,
	UMF_RESULT_ERROR_OUT_OF_HOST_MEMORY = 1,
	UMF_RESULT_ERROR_INVALID_ARGUMENT = 4,
	UMF_RESULT_ERROR_INVALID_ALIGNMENT = 5,
} umf_result_t;

/* struct umf_memory_provider_ops_t - as UMF has it, up to the calls for several processes */
typedef struct umf_memory_provider_ops_t {
	uint32_t version;
	umf_result_t (*initialize)(const void *params, void **provider);
	void (*finalize)(void *provider);
	umf_result_t (*alloc)(void *provider, size_t size, size_t alignment, void **ptr);
	umf_result_t (*free)(void *provider, void *ptr, size_t size);
	void (*get_last_native_error)(void *provider, const char **message, int32_t *error);
	umf_result_t (*get_recommended_page_size)(void *provider, size_t size, size_t *page);
	umf_result_t (*get_min_page_size)(void *provider, const void *ptr, size_t *page);
	const char *(*get_name)(void *provider);
	umf_result_t (*ext_purge_lazy)(void *provider, void *ptr, size_t size);
	umf_result_t (*ext_purge_force)(void *provider, void *ptr, size_t size);
} umf_memory_provider_ops_t;

#endif /* DECLARED_UMF_H */
