/* SPDX-License-Identifier: MIT */
/*
 * What libchunk asks of an operating system, or of the device.
 *
 * Policy is above: what is mapped how, kept, reused and counted. A primitive
 * does one thing, returns 0 or a negative error number, and never prints, aborts
 * or allocates. Policy looks at capabilities and never asks which system it is.
 *
 * Addresses and sizes are multiples of the page size unless said otherwise.
 */
#ifndef OS_H
#define OS_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"

/* Windows has no files that are served by others. */
#ifndef ESTALE
#define ESTALE	116
#endif

/**
 * struct chunk_caps - what differs between systems; constant after the start
 * @page_size:      the granularity of everything, in bytes
 * @partial_unmap:  @unmap takes any part of mappings, not only one whole one;
 *                  without it single chunks are recycled and nothing else
 * @zero_on_commit: what was decommitted reads as zero when it is committed,
 *                  unless @decommit failed
 * @huge_pages:     where memory can be in huge pages, the system sees to it
 * @most_mappings:  how many mappings @decommit and @retire may take up, at two for
 *                  each range; 0: as many as there are
 * @most_marked:    bytes up to which @guard is cheaper than @decommit
 * @charges:        memory is charged against a limit when it is mapped, and stays
 *                  so while it is decommitted, unless it was @decommit that did it
 * @stalls:         what is refused for lack of memory may be granted a little
 *                  later; @map and @commit wait for it
 */
struct chunk_caps {
	size_t page_size;
	bool partial_unmap;
	bool zero_on_commit;
	bool huge_pages;
	size_t most_mappings;
	size_t most_marked;
	bool charges;
	bool stalls;
};

/**
 * struct chunk_os - a system's primitives
 * @name:        for chunk_backend()
 * @caps:        filled by @start
 * @advice:      how a person comes by more mappings, to be appended to a line;
 *               may be NULL: nobody can say
 * @start:       get ready, once; @guards: decommitted pages may be guarded in
 *               ways that are not the system's plainest
 * @map:         a new zero-filled mapping, exactly at @addr or, if that is NULL,
 *               anywhere. Never over another. -EEXIST if the place is taken,
 *               -ENOMEM
 * @map_aligned: as @map, at a multiple of a power of two, not below the page
 *               size. -ENODEV: only @map can be had. NULL: always so
 * @map_own:     as @map, anywhere, for bookkeeping: memory that is touched at once
 *               and for good. Apart from what @map returns, where it would cost
 *               something to be one mapping with it. NULL: @map does
 * @reserve:     address space at a multiple of a power of two, not below the page
 *               size, as @decommit leaves it. -ENOMEM; -ENODEV or NULL: only @map
 *               can be had
 * @mapped:      is every page of a range mapped? NULL: nobody knows
 * @unmap:       mappings. -ENOMEM if that would split one too many
 * @commit:      readable and writable again; what is so already keeps its
 *               contents. -ENOMEM
 * @decommit:    the memory is freed and any access traps. -ENOMEM: it is freed,
 *               but the system cannot make it trap
 * @guard:       as @decommit, by marks on pages: it takes no mapping, but time for
 *               each page. -EINVAL: these pages cannot have any. NULL: there is no
 *               such thing
 * @retire:      @decommit for whole extents kept for reuse, none of which need
 *               be committed in parts. -ENOMEM: nothing was done. NULL: @decommit
 *               does
 * @revive:      undoes @retire, but no @guard. NULL: @commit does
 * @untouched:   does fresh memory at @addr take up nothing before it is touched,
 *               so that more than is needed may be mapped? NULL: no
 * @populate:    what is committed is made present and writable. -ENOMEM;
 *               -EINVAL: the system cannot. NULL as that is
 * @want_huge:   huge pages are wanted for mappings; the system may not have them.
 *               NULL: it needs no word
 * @purge:       the memory is freed and reads as zero. An error: it is not
 * @map_forked:  memory of @size bytes that reads as zero in the child after each
 *               fork, or NULL; ready before @start
 * @process:     a number, not 0, that no parent of this process has; asked for
 *               on each call where there is no @map_forked. NULL where processes
 *               do not fork
 * @wait:        sleep while @word is @value, or less long
 * @wake:        wake one who waits on @word
 * @option:      a setting from outside, constant, or NULL
 * @complain:    tell a person
 */
struct chunk_os {
	const char *name;
	struct chunk_caps caps;
	const char *advice;
	void (*start)(bool guards);
	int (*map)(void *addr, size_t size, void **out);
	int (*map_aligned)(size_t size, size_t alignment, void **out);
	int (*map_own)(size_t size, void **out);
	int (*reserve)(size_t size, size_t alignment, void **out);
	bool (*mapped)(void *addr, size_t size);
	int (*unmap)(void *addr, size_t size);
	int (*commit)(void *addr, size_t size);
	int (*decommit)(void *addr, size_t size);
	int (*guard)(void *addr, size_t size);
	int (*retire)(void *addr, size_t size);
	int (*revive)(void *addr, size_t size);
	bool (*untouched)(void *addr);
	int (*populate)(void *addr, size_t size);
	void (*want_huge)(void *addr, size_t size);
	int (*purge)(void *addr, size_t size);
	void *(*map_forked)(size_t *size);
	unsigned int (*process)(void);
	void (*wait)(atomic_uint *word, unsigned int value);
	void (*wake)(atomic_uint *word);
	const char *(*option)(const char *name);
	void (*complain)(const char *text, size_t length);
};

/**
 * struct chunk_device_stats - what the device counts
 * @mapped_bytes:      address space
 * @decommitted_bytes: decommitted pages of live extents
 * @recycled_bytes:    kept for reuse
 * @allocs_recycled:   extents handed out by reuse
 */
struct chunk_device_stats {
	uint64_t mapped_bytes;
	uint64_t decommitted_bytes;
	uint64_t recycled_bytes;
	uint64_t allocs_recycled;
};

/**
 * struct chunk_device_access - who may open the device
 * @mode:     its permission bits
 * @user:     its owner
 * @group:    its group
 * @my_user:  as whom this process opens files
 * @my_group: the same for groups, without the supplementary ones
 */
struct chunk_device_access {
	unsigned int mode;
	unsigned int user;
	unsigned int group;
	unsigned int my_user;
	unsigned int my_group;
};

/**
 * struct chunk_device_run - what the device says of an address
 * @held:      it is the present context's, live or free
 * @live:      in a live extent
 * @committed: of that, committed
 * @end:       up to here that is so; beyond it may be, too
 */
struct chunk_device_run {
	bool held;
	bool live;
	bool committed;
	uintptr_t end;
};

/* What to do with each element of a batch */
enum chunk_batch { BATCH_ALLOC, BATCH_DEALLOC, BATCH_COMMIT, BATCH_DECOMMIT };

/* As what an extent is handed out; @BORN_PRESENT: committed, with all its pages */
enum chunk_birth { BORN_COMMITTED, BORN_PRESENT, BORN_DECOMMITTED };

/* The most elements at a time */
#define CHUNK_BATCH_GROUP	64

/* How often to open a device that somebody keeps closing */
#define CHUNK_DEVICE_TRIES	3

/**
 * struct chunk_device - a source of aligned chunks that recycles them itself
 * @open:     -ENOENT and other errors of open(2); -EPROTO: not one we know
 * @access:   who may open it; false if that cannot be found out. May be NULL
 * @close:    forget it; what came from it stays mapped
 * @configure: before the first @alloc: what backs its memory, and how much address
 *            space to map at a time, 0 for as it likes. -EBUSY, -EOPNOTSUPP
 * @traps:    does decommitted memory trap, as it is configured?
 * @alloc:    committed, zero; as @state says
 * @dealloc:  exactly what @alloc returned
 * @commit:   as in struct chunk_os; @populate: and present
 * @decommit: as in struct chunk_os; -ENOMEM: nothing was done
 * @batch:    up to CHUNK_BATCH_GROUP of them; each @error becomes 0 or an error
 *            number, and each @addr what @alloc returns. -EOPNOTSUPP: nothing
 *            was done, and nothing can be but one by one
 * @limit:    bound what is kept
 * @lookup:   what is at an address? Changes nothing, and may be called whenever
 *            there is a context
 * @keeps:    is any of a range free, and the present context's?
 * @stats:    counters
 *
 * -ENODEV from any of them: the context is not ours any more, since the process
 * forked or closed the descriptor. What came from it is then commit_lost()'s and
 * decommit_lost()'s, and unmapped when it is given back. So is what the context
 * answers -ENOENT for: it is another than the one that it came from.
 *
 * -ESTALE from @dealloc: somebody has unmapped it already.
 *
 * @traps_at:      does a page of it trap? Of any memory
 * @commit_lost:   as @commit
 * @decommit_lost: as @decommit of struct chunk_os
 */
struct chunk_device {
	int (*open)(void);
	bool (*access)(struct chunk_device_access *access);
	void (*close)(void);
	int (*configure)(enum chunk_backing backing, size_t grow);
	bool (*traps)(void);
	int (*alloc)(size_t size, size_t alignment, enum chunk_birth birth,
		     void **out);
	int (*dealloc)(void *addr, size_t size, enum chunk_type type);
	int (*commit)(void *addr, size_t size, bool populate);
	int (*decommit)(void *addr, size_t size);
	int (*batch)(enum chunk_batch what, struct chunk_op *ops, size_t count);
	int (*limit)(size_t bytes);
	int (*stats)(struct chunk_device_stats *stats);
	int (*lookup)(void *addr, struct chunk_device_run *run);
	bool (*keeps)(void *addr, size_t size);
	bool (*traps_at)(void *page);
	int (*commit_lost)(void *addr, size_t size);
	int (*decommit_lost)(void *addr, size_t size);
};

/* One of each is linked in: see the Makefile. No device: its open() fails. */
extern struct chunk_os chunk_os;
extern const struct chunk_device chunk_device;

_Noreturn void chunk_os_abort(void);

#endif /* OS_H */
