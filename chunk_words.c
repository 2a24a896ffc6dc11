// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of words, in which the owner of chunks offers them.
 */
#include <linux/mm.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"
#include "chunk_words.h"

#define SPAN	CHUNK_WORDS_SPAN(PAGE_SIZE)

/* All pages of words, by NUMA node and memory control group */
struct list_lru chunk_words_lru;

static struct kmem_cache *words_cache;

/**
 * chunk_words_cache_init() - make the cache of struct chunk_words
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int chunk_words_cache_init(void)
{
	words_cache = KMEM_CACHE(chunk_words, SLAB_ACCOUNT);
	return words_cache ? 0 : -ENOMEM;
}

/**
 * chunk_words_cache_exit() - free the cache of struct chunk_words
 *
 * Context: may sleep; no context is left.
 */
void chunk_words_cache_exit(void)
{
	kmem_cache_destroy(words_cache);
}

static void words_free(struct chunk_words *words)
{
	__free_page(words->page);
	kmem_cache_free(words_cache, words);
}

/* A page of words that nobody knows yet, or NULL without memory */
static struct chunk_words *words_new(struct chunk_context *context,
				     unsigned long index)
{
	struct chunk_words *words;

	words = kmem_cache_alloc_lru(words_cache, &chunk_words_lru,
				     GFP_KERNEL);
	if (!words)
		return NULL;
	*words = (struct chunk_words){ .context = context, .index = index };
	INIT_LIST_HEAD(&words->lru);
	words->page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (words->page)
		return words;
	kmem_cache_free(words_cache, words);
	return NULL;
}

/* Is an extent live in the address space that a page of words stands for? */
static bool words_any_live(struct chunk_context *context, unsigned long index)
{
	unsigned long start = index * SPAN;
	bool any;

	spin_lock(&context->lock);
	any = chunk_radix_next(&context->live, start, start + SPAN - 1);
	spin_unlock(&context->lock);
	return any;
}

/*
 * Make a page of words, unless somebody did meanwhile. Returns NULL where no
 * extent is live, or an error pointer.
 */
static struct chunk_words *words_add(struct chunk_context *context,
				     unsigned long index)
{
	struct chunk_words *words, *other;

	if (!words_any_live(context, index))
		return NULL;
	words = words_new(context, index);
	if (!words)
		return ERR_PTR(-ENOMEM);
	other = xa_cmpxchg(&context->words, index, NULL, words,
			   GFP_KERNEL_ACCOUNT);
	if (other) {
		words_free(words);
		return xa_is_err(other) ? ERR_PTR(xa_err(other)) : other;
	}
	spin_lock(&context->lock);
	WRITE_ONCE(context->special, context->special | CHUNK_SPECIAL_WORDS);
	spin_unlock(&context->lock);
	chunk_charge(context->mm, sizeof(*words) + PAGE_SIZE);
	chunk_lru_add(&chunk_words_lru, &words->lru);
	return words;
}

static vm_fault_t words_fault(struct vm_fault *vmf)
{
	struct chunk_context *context = vmf->vma->vm_file->private_data;
	unsigned long index = vmf->pgoff - CHUNK_WORDS_PGOFF;
	struct chunk_words *words;

	words = xa_load(&context->words, index);
	if (!words)
		words = words_add(context, index);
	if (!words)
		return VM_FAULT_SIGBUS;
	if (IS_ERR(words))
		return VM_FAULT_OOM;
	get_page(words->page);
	vmf->page = words->page;
	return 0;
}

/* A moved mapping would have its words at other addresses, but no other meaning. */
static int words_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct words_vm_ops = {
	.fault = words_fault,
	.map_pages = chunk_map_none,
	.mremap = words_mremap,
};

/**
 * chunk_words_mmap() - map words
 * @context: the context, of the mapping's address space
 * @vma:     the mapping; its offset is one of words
 *
 * VM_IO keeps MADV_DOFORK from undoing VM_DONTCOPY, and others from pinning the
 * pages. Source: madvise_vma_behavior() in mm/madvise.c, check_vma_flags() in
 * mm/gup.c.
 *
 * Context: mmap_lock held for writing.
 * Return: 0, or -EINVAL if the mapping is private, executable or reaches beyond the
 * words, or if the file is open for reading only.
 */
int chunk_words_mmap(struct chunk_context *context, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff - CHUNK_WORDS_PGOFF;

	/* mm has cleared VM_SHARED if the file is open for reading only. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* The process may not have asked for VM_EXEC. */
	if (vma->vm_flags & VM_EXEC &&
	    !(current->personality & READ_IMPLIES_EXEC))
		return -EINVAL;
	if (vma_pages(vma) > CHUNK_WORDS_PAGES - first)
		return -EINVAL;
	chunk_vm_flags_set(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND |
				VM_DONTDUMP);
	chunk_vm_flags_clear(vma, VM_EXEC | VM_MAYEXEC);
	vma->vm_ops = &words_vm_ops;
	return 0;
}

/**
 * struct words_part - the words of a range that are on one page
 * @words: the page
 * @from:  the first word
 * @to:    the last word
 */
struct words_part {
	struct chunk_words *words;
	unsigned int from;
	unsigned int to;
};

/* Find the first page that has words of chunks from @addr to @last. */
static bool words_find(struct chunk_context *context, unsigned long addr,
		       unsigned long last, struct words_part *part)
{
	unsigned long index = addr / SPAN;

	part->words = xa_find(&context->words, &index, last / SPAN, XA_PRESENT);
	if (!part->words)
		return false;
	addr = max(addr, index * SPAN);
	last = min(last, index * SPAN + (SPAN - 1));
	part->from = addr % SPAN / CHUNK_SIZE;
	part->to = last % SPAN / CHUNK_SIZE;
	return true;
}

static bool words_part_clear(const struct words_part *part)
{
	const u32 *words = chunk_words_of(part->words);
	unsigned int i;

	for (i = part->from; i <= part->to; i++) {
		if (READ_ONCE(words[i]))
			return false;
	}
	return true;
}

/* Reset words; what the owner counted there goes into the context's count. */
static void words_part_reset(struct chunk_context *context,
			     const struct words_part *part)
{
	u32 *words = chunk_words_of(part->words);
	u64 takes = context->takes;
	unsigned int i;

	lockdep_assert_held(&context->discard_lock);
	for (i = part->from; i <= part->to; i++) {
		if (READ_ONCE(words[i]))
			takes += xchg(&words[i], 0) / CHUNK_WORD_TAKE;
	}
	WRITE_ONCE(context->takes, takes);
}

/**
 * chunk_words_clear() - tell whether all words of a range are 0
 * @context: the context
 * @addr:    first byte, chunk-aligned
 * @size:    bytes, chunk-aligned
 *
 * Then none of its chunks is being discarded.
 *
 * Context: any.
 * Return: whether they are.
 */
bool chunk_words_clear(struct chunk_context *context, unsigned long addr,
		       unsigned long size)
{
	unsigned long last = addr + size - 1;
	struct words_part part;

	while (addr <= last && words_find(context, addr, last, &part)) {
		if (!words_part_clear(&part))
			return false;
		addr = chunk_words_addr(part.words, part.to) + CHUNK_SIZE;
	}
	return true;
}

/**
 * chunk_words_reset() - make all words of a range 0, since its owner changes
 * @context: the context
 * @addr:    first byte, chunk-aligned
 * @size:    bytes, chunk-aligned
 *
 * Waits until the range is not being discarded any more.
 *
 * Context: may sleep; takes context->discard_lock if a word is not 0.
 */
void chunk_words_reset(struct chunk_context *context, unsigned long addr,
		       unsigned long size)
{
	unsigned long last = addr + size - 1;
	struct words_part part;

	while (addr <= last && words_find(context, addr, last, &part)) {
		if (!words_part_clear(&part)) {
			mutex_lock(&context->discard_lock);
			words_part_reset(context, &part);
			mutex_unlock(&context->discard_lock);
		}
		addr = chunk_words_addr(part.words, part.to) + CHUNK_SIZE;
		cond_resched();
	}
}

/**
 * chunk_words_count_offered() - count the chunks that a page of words offers
 * @words: the page
 *
 * Context: any.
 * Return: number of chunks.
 */
unsigned int chunk_words_count_offered(const struct chunk_words *words)
{
	const u64 *pairs = page_address(words->page);
	const u64 ones = 0x0000000100000001ULL;
	unsigned int nr = 0, i;

	/* Two words at a time; of OFFERED the lower bit is set, the upper not. */
	BUILD_BUG_ON(CHUNK_WORD_STATE != 3 || CHUNK_WORD_OFFERED != 1);
	for (i = 0; i < PAGE_SIZE / sizeof(*pairs); i++) {
		u64 pair = READ_ONCE(pairs[i]);

		nr += hweight64(pair & ~(pair >> 1) & ones);
	}
	return nr;
}

static void words_report(struct chunk_words *words,
			 struct chunk_ioc_stats *stats)
{
	const u32 *word = chunk_words_of(words);
	unsigned int i;

	for (i = 0; i < CHUNK_PAGE_WORDS; i++) {
		u32 value = READ_ONCE(word[i]);

		stats->takes += value / CHUNK_WORD_TAKE;
		if (chunk_word_state(value) == CHUNK_WORD_OFFERED)
			stats->offered_bytes += CHUNK_SIZE;
		else if (chunk_word_state(value) == CHUNK_WORD_DISCARDED)
			stats->discarded_bytes += CHUNK_SIZE;
	}
}

/**
 * chunk_words_report() - report what is offered and was discarded
 * @context: the context
 * @stats:   out: the members about offered chunks
 *
 * Looks at all words, 1,024 for each GiB of address space with offered chunks.
 *
 * Context: may sleep.
 */
void chunk_words_report(struct chunk_context *context,
			struct chunk_ioc_stats *stats)
{
	struct chunk_words *words;
	unsigned long index;

	stats->takes = READ_ONCE(context->takes);
	stats->discards = READ_ONCE(context->discards);
	xa_for_each(&context->words, index, words) {
		words_report(words, stats);
		cond_resched();
	}
}

static bool words_offered(struct chunk_context *context, unsigned long addr)
{
	struct words_part part;

	return words_find(context, addr, addr, &part) &&
	       chunk_word_state(READ_ONCE(chunk_words_of(part.words)[part.from])) ==
	       CHUNK_WORD_OFFERED;
}

/**
 * chunk_words_run() - tell whether a chunk is offered, and the following ones
 * @context: the context
 * @addr:    an address in the first chunk
 * @end:     in: end of a range; out: end of the part of it that is as the first chunk
 *
 * Context: any.
 * Return: whether they are offered.
 */
bool chunk_words_run(struct chunk_context *context, unsigned long addr,
		     unsigned long *end)
{
	unsigned long at = round_down(addr, CHUNK_SIZE) + CHUNK_SIZE;
	bool offered;

	if (!chunk_has_words(context))
		return false;
	offered = words_offered(context, addr);
	while (at < *end && words_offered(context, at) == offered)
		at += CHUNK_SIZE;
	*end = min(at, *end);
	return offered;
}

/**
 * chunk_words_unlist() - keep the shrinker from finding a context's words
 * @context: the context, whose file is closed; no VMA is left
 *
 * Context: may sleep.
 */
void chunk_words_unlist(struct chunk_context *context)
{
	struct chunk_words *words;
	unsigned long index;

	xa_for_each(&context->words, index, words) {
		chunk_lru_del(&chunk_words_lru, &words->lru);
		chunk_uncharge(context->mm, sizeof(*words) + PAGE_SIZE);
	}
}

/**
 * chunk_words_free() - free a context's words
 * @context: the context; nobody else refers to it any more
 *
 * Context: any.
 */
void chunk_words_free(struct chunk_context *context)
{
	struct chunk_words *words;
	unsigned long index;

	xa_for_each(&context->words, index, words)
		words_free(words);
	xa_destroy(&context->words);
}
