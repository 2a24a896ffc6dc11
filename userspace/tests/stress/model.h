/* SPDX-License-Identifier: MIT */
/*
 * A model of the device: the state that each page of each extent must have,
 * whatever was done to it. See model.c.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdatomic.h>

#include "random.h"
#include "uapi.h"

#define PAGE		page_size()
#define WORD_ROOM	(PAGE_ROOM / sizeof(uint64_t))	/* words of a page */
#define CONTEXTS	3		/* the last has the huge backing, if any has */
#define HUGE_CONTEXT	(CONTEXTS - 1)
#define EXTENTS		32
#define MOST_CHUNKS	4
#define MOST_PAGES	(MOST_CHUNKS * MIB / PAGE_LEAST)
#define SQUATTERS	6

/**
 * struct page - a page of an extent
 * @value:  value that was written into it, or 0: the page is zero
 * @prot:   PROT_*
 * @dec:    the device has the page as decommitted
 * @replaced: foreign memory has replaced the page
 * @locked: the page is locked by mlock
 */
struct page {
	uint32_t value;
	unsigned char prot;
	bool dec;
	bool replaced;
	bool locked;
};

/**
 * struct extent - a live extent
 * @addr:   its first byte, or NULL: no extent
 * @pages:  number of pages
 * @owner:  index of its context
 * @mapped: made by mmap, so that its region is its own
 * @nofork: children do not inherit the extent
 * @offered: chunks that are offered
 * @used_word: chunks whose words were set since the extent was handed out
 * @page:   state of each page
 */
struct extent {
	char *addr;
	size_t pages;
	unsigned int owner;
	bool mapped;
	bool nofork;
	bool offered[MOST_CHUNKS];
	bool used_word[MOST_CHUNKS];
	struct page page[MOST_PAGES];
};

/**
 * struct context - an open file, and the counters that it must have
 * @fd:        the device
 * @allocs:    extents handed out
 * @deallocs:  extents given back
 * @commits:   successful commits
 * @decommits: successful decommits
 * @takes:     chunks taken back intact
 * @discards:  chunks discarded when the counters were last looked at
 * @strays:    words without an extent may say OFFERED
 * @words:     all words, or NULL: the kernel has none
 */
struct context {
	int fd;
	uint64_t allocs;
	uint64_t deallocs;
	uint64_t commits;
	uint64_t decommits;
	uint64_t takes;
	uint64_t discards;
	bool strays;
	atomic_uint *words;
};

/**
 * struct squatter - foreign page in free address space of the device
 * @addr:  the page, or NULL
 * @value: value that it holds
 */
struct squatter {
	char *addr;
	uint32_t value;
};

/**
 * enum seen - events that were seen, of those that need certain conditions
 * @SEEN_SWAPPED:   pages that paging out took to swap
 * @SEEN_RECLAIMED: times that the memory cgroup was under pressure
 * @SEEN_MERGED:    pages that shared another's memory
 * @SEEN_DIRECT:    pages read or written with O_DIRECT
 * @SEEN_RING:      pages read or written by io_uring
 * @SEEN_PINNED:    buffers registered with io_uring, then decommitted
 * @SEEN_UNPINNED:  buffers that the kernel refused to register
 * @SEEN_MOVED:     pages that came from one node to another
 * @SEEN_DUMPED:    pages found in core dumps
 * @SEEN_PEEKED:    pages looked at by a debugger
 * @SEEN_TAKEN:     offered chunks taken back intact
 * @SEEN_DISCARDED: offered chunks that were discarded
 * @SEEN_COUNT:     number of kinds
 */
enum seen {
	SEEN_SWAPPED, SEEN_RECLAIMED, SEEN_MERGED, SEEN_DIRECT, SEEN_RING,
	SEEN_PINNED, SEEN_UNPINNED, SEEN_MOVED, SEEN_DUMPED, SEEN_PEEKED,
	SEEN_TAKEN, SEEN_DISCARDED,
	SEEN_COUNT,
};

/**
 * struct model - the whole model
 * @random:    state of the random sequence
 * @huge:      this kernel has the huge backing
 * @context:   the contexts
 * @extent:    the extents
 * @squatter:  pages that must stay as they are
 * @next:      index of the squatter to be replaced next
 * @hot:       address at which other threads fault meanwhile
 * @pagemap:   /proc/self/pagemap
 * @file:      a file with known contents
 * @disk:      a block device open for O_DIRECT, or -1
 * @reclaim:   memory.reclaim of the process's cgroup, or -1
 * @nodes:     number of the machine's memory nodes
 * @seen:      counters, which outlive the process
 */
struct model {
	uint64_t random;
	bool huge;
	struct context context[CONTEXTS];
	struct extent extent[EXTENTS];
	struct squatter squatter[SQUATTERS];
	unsigned int next;
	atomic_uintptr_t hot[EXTENTS];
	int pagemap;
	int file;
	int disk;
	int reclaim;
	unsigned int nodes;
	unsigned long *seen;
};

/**
 * struct run - a run of pages of an extent
 * @extent: the extent
 * @first:  index of the first page
 * @count:  number of pages
 */
struct run {
	struct extent *extent;
	size_t first;
	size_t count;
};

/**
 * struct operation - a kind of operation
 * @name:   name of the operation
 * @weight: frequency, in relation to others
 * @run:    function that does it
 */
struct operation {
	const char *name;
	unsigned int weight;
	void (*run)(struct model *model);
};

extern struct model model;

/* model_state.c */
size_t below(struct model *m, size_t bound);
bool any_run(struct model *m, size_t most, struct run *run);
char *run_addr(const struct run *run);
bool run_is_replaced(const struct run *run);
bool run_has_locked(const struct run *run);
void run_clear(const struct run *run);
struct extent *add_extent(struct model *m, char *addr, size_t pages,
			  unsigned int owner, bool mapped);
void drop_extent(struct model *m, struct extent *extent, bool reset);
void open_context(struct model *m, unsigned int index);
bool extent_is_huge(const struct extent *extent);
size_t extents_of(const struct model *m, unsigned int owner);

/* model_check.c */
bool page_hidden(const struct extent *extent, size_t i);
bool page_traps(const struct extent *extent, size_t i);
bool page_writable(const struct extent *extent, size_t i);
void check_value(const void *page, uint32_t value);
void put_value(char *page, uint32_t value);
void check_page(struct model *m, const struct extent *extent, size_t i);
void check_run(struct model *m, const struct run *run);
void check_some(struct model *m, size_t pages);
void check_stats(struct model *m, unsigned int owner);
void check_not_resident(struct model *m, const struct run *run);
void check_squatters(struct model *m);

/* model_offer.c */
void take_back_run(struct model *m, struct extent *extent, size_t first,
		   size_t count);
void take_back_all(struct model *m);
void take_back_hidden(struct model *m);
void inherit_offered(struct model *m);
void forget_offered(struct model *m, struct extent *extent, bool reset);
void check_offered(struct model *m, unsigned int owner,
		   const struct chunk_ioc_stats *s);

/* model_calls.c */
int call_range(const struct run *run, unsigned long command,
	       unsigned int flags);
void decommitted(const struct run *run);
void committed(const struct run *run);

/* model_kernel.c */
void prepare_kernel(struct model *m);
void op_numa(struct model *m);

/* model_process.c */
int inherited_main(int argc, char **argv);

extern const struct operation device_operations[];
extern const size_t device_operations_count;
extern const struct operation offer_operations[];
extern const size_t offer_operations_count;
extern const struct operation system_operations[];
extern const size_t system_operations_count;
extern const struct operation kernel_operations[];
extern const size_t kernel_operations_count;
extern const struct operation process_operations[];
extern const size_t process_operations_count;

#endif /* MODEL_H */
