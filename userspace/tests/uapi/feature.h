/* SPDX-License-Identifier: MIT */
/*
 * The kernel's features, tried on memory of the device: one function for each,
 * which returns the result and checks the effect. uapi_features_test.c has the
 * table of all features and of the results to expect.
 */
#ifndef FEATURE_H
#define FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#include "tap.h"

/* These names belong to newer kernels than some headers. */
#define ADVICE_COLLAPSE		25
#define ADVICE_SOFT_OFFLINE	101
#define ADVICE_GUARD_INSTALL	102
#define ADVICE_GUARD_REMOVE	103

#define EXTENT_SIZE		((size_t)4 << 20)
#define HUGE_PAGE_SIZE		((size_t)2 << 20)

/**
 * struct site - where a feature is tried: a fresh extent of a fresh context
 * @fd:     the device
 * @huge:   the context has the huge backing
 * @page:   bytes in a page
 * @extent: the extent, EXTENT_SIZE bytes at a multiple of HUGE_PAGE_SIZE
 * @addr:   a range within its first chunk, filled from seed 1
 * @length: bytes in the range
 * @hole:   a decommitted page within the range, or NULL if no page is decommitted
 */
struct site {
	int fd;
	bool huge;
	size_t page;
	char *extent;
	char *addr;
	size_t length;
	char *hole;
};

/*
 * Results apart from an errno: the feature had its effect; it was accepted,
 * without any
 */
#define WORKS		0
#define IGNORED		(-1)

noreturn void __printf(1, 2) untested(const char *format, ...);
char *site_target(const struct site *site);
bool site_kept(const struct site *site);
bool site_zero(const struct site *site);
void site_small(const struct site *site);
#define expect_kept(site)	expect(site_kept(site))
#define expect_zero(site)	expect(site_zero(site))

void swap_on(void);
void swap_off(void);

/**
 * DOC: try_*()
 *
 * Each try uses one feature on the range, checks the effect on contents and on
 * the decommitted page, and leaves the range as the device expects it: without
 * locks, keys or another protection.
 *
 * Return: WORKS, IGNORED, or the errno that it was refused with. An expectation
 * that does not hold ends the process, and so does untested().
 */

/* feature_advice.c */
int try_normal(const struct site *site);
int try_access_pattern(const struct site *site);
int try_willneed(const struct site *site);
int try_dontneed(const struct site *site);
int try_dontneed_locked(const struct site *site);
int try_free(const struct site *site);
int try_remove(const struct site *site);
int try_cold(const struct site *site);
int try_pageout(const struct site *site);
int try_populate_read(const struct site *site);
int try_populate_write(const struct site *site);
int try_hugepage(const struct site *site);
int try_collapse(const struct site *site);
int try_mergeable(const struct site *site);
int try_dontfork(const struct site *site);
int try_wipeonfork(const struct site *site);
int try_keeponfork(const struct site *site);
int try_dontdump(const struct site *site);
int try_hwpoison(const struct site *site);
int try_soft_offline(const struct site *site);
int try_guard(const struct site *site);
int try_process_cold(const struct site *site);
int try_process_dontneed(const struct site *site);

/* feature_protect.c */
int try_protect_none(const struct site *site);
int try_protect_read(const struct site *site);
int try_protect_exec(const struct site *site);
int try_pkey(const struct site *site);
int try_seal(const struct site *site);
int try_lock(const struct site *site);
int try_lock_onfault(const struct site *site);
int try_lock_all(const struct site *site);
int try_move(const struct site *site);
int try_move_only(const struct site *site);
int try_grow(const struct site *site);
int try_shrink(const struct site *site);
int try_msync(const struct site *site);

/* feature_access.c */
int try_pipe(const struct site *site);
int try_direct(const struct site *site);
int try_vmsplice(const struct site *site);
int try_ring(const struct site *site);
int try_ring_fixed(const struct site *site);
int try_futex(const struct site *site);
int try_process_vm(const struct site *site);
int try_proc_mem(const struct site *site);
int try_ptrace(const struct site *site);
int try_fork(const struct site *site);
int try_core(const struct site *site);

/* feature_track.c */
int try_uffd_missing(const struct site *site);
int try_uffd_minor(const struct site *site);
int try_uffd_wp(const struct site *site);
int try_uffd_wp_async(const struct site *site);
int try_uffd_rwp(const struct site *site);
int try_pagemap(const struct site *site);
int try_pagemap_scan(const struct site *site);
int try_soft_dirty(const struct site *site);
int try_map_files(const struct site *site);
int try_smaps(const struct site *site);
int try_mincore(const struct site *site);

/* feature_nodes.c */
int try_mbind(const struct site *site);
int try_move_pages(const struct site *site);
int try_migrate_pages(const struct site *site);
int try_home_node(const struct site *site);
int try_memory_merge(const struct site *site);

#endif /* FEATURE_H */
