// SPDX-License-Identifier: MIT
/* madvise and process_madvise on memory of the device: see feature.h. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "feature.h"
#include "kernel_file.h"
#include "smaps.h"
#include "uapi.h"

static int advise(const struct site *site, int advice)
{
	return madvise(site->addr, site->length, advice) ? errno : WORKS;
}

/* EBUSY and EAGAIN mean that a page is in use elsewhere for the moment. */
static int advise_patiently(char *addr, size_t length, int advice)
{
	for (int i = 0; i < 50; i++) {
		if (!madvise(addr, length, advice))
			return WORKS;
		if (errno != EBUSY && errno != EAGAIN)
			break;
		usleep(10000);
	}
	return errno;
}

static int advise_kept(const struct site *site, int advice)
{
	int error = advise(site, advice);

	expect_kept(site);
	return error;
}

int try_normal(const struct site *site)
{
	int error;

	expect_equal(advise(site, MADV_RANDOM), 0);
	expect(vm_flag(site->addr, "rr"));
	error = advise_kept(site, MADV_NORMAL);
	if (error)
		return error;
	expect(!vm_flag(site->addr, "rr"));
	return WORKS;
}

int try_access_pattern(const struct site *site)
{
	int error = advise(site, MADV_RANDOM);

	if (error)
		return error;
	expect(vm_flag(site->addr, "rr"));
	error = advise_kept(site, MADV_SEQUENTIAL);
	if (error)
		return error;
	expect(vm_flag(site->addr, "sr"));
	return WORKS;
}

/* Count the pages that are in memory, those in the swap cache included. */
static size_t pages_in(const char *addr, size_t length)
{
	unsigned char vector[64];
	size_t pages = length / page_size(), in = 0;

	expect(pages <= sizeof(vector));
	expect(mincore((void *)addr, length, vector) == 0);
	for (size_t i = 0; i < pages; i++)
		in += vector[i] & 1;
	return in;
}

/* Tell whether the advice brings in pages that were paged out. */
static bool brought_in(char *addr, size_t length)
{
	size_t before;

	expect(madvise(addr, length, MADV_PAGEOUT) == 0);
	before = pages_in(addr, length);
	if (before >= length / page_size() - 1)
		untested("nothing was paged out");
	expect(madvise(addr, length, MADV_WILLNEED) == 0);
	return pages_in(addr, length) > before;
}

int try_willneed(const struct site *site)
{
	char *other = anonymous(site->length, PROT_READ | PROT_WRITE);
	bool in;

	swap_on();
	fill(other, site->length, 1);
	/* Anonymous memory shows that the effect can be seen. */
	expect(brought_in(other, site->length));
	in = brought_in(site->addr, site->length);
	expect_kept(site);
	swap_off();
	return in ? WORKS : IGNORED;
}

int try_dontneed(const struct site *site)
{
	int error = advise(site, MADV_DONTNEED);

	if (!error)
		expect_zero(site);
	return error;
}

int try_dontneed_locked(const struct site *site)
{
	int error;

	expect(mlock2(site->addr, site->length, MLOCK_ONFAULT) == 0);
	expect_equal(advise_kept(site, MADV_DONTNEED), EINVAL);
	error = advise(site, MADV_DONTNEED_LOCKED);
	if (!error)
		expect_zero(site);
	expect(munlock(site->addr, site->length) == 0);
	return error;
}

/* Until it is written again, a page has its contents or is zero. */
int try_free(const struct site *site)
{
	int error = advise(site, MADV_FREE);

	if (error) {
		expect_kept(site);
		return error;
	}
	for (size_t at = 0; at < site->length; at += site->page) {
		char *page = site->addr + at;

		expect(page == site->hole ||
		       is_filled(page, site->page, 1 + at) ||
		       is_zero(page, site->page));
		*page = 9;
		expect_equal(*page, 9);
	}
	return WORKS;
}

int try_remove(const struct site *site)
{
	return advise_kept(site, MADV_REMOVE);
}

int try_cold(const struct site *site)
{
	return advise_kept(site, MADV_COLD);
}

int try_pageout(const struct site *site)
{
	int error;

	swap_on();
	error = advise(site, MADV_PAGEOUT);
	if (!error)
		expect(mapping_figure(site->addr, "Swap") > 0);
	expect_kept(site);
	swap_off();
	return error;
}

static int populate(const struct site *site, int advice)
{
	int error;

	expect_equal(advise(site, MADV_DONTNEED), 0);
	error = advise(site, advice);
	if (!error)
		expect_equal(resident_bytes(site->addr, site->length),
			     site->length);
	expect_zero(site);
	return error;
}

int try_populate_read(const struct site *site)
{
	return populate(site, MADV_POPULATE_READ);
}

int try_populate_write(const struct site *site)
{
	return populate(site, MADV_POPULATE_WRITE);
}

/* Tell whether memory that was never touched becomes a huge page when written. */
static bool becomes_huge(char *addr)
{
	touch(addr, HUGE_PAGE_SIZE);
	return mapping_figure(addr, "AnonHugePages") > 0;
}

/* No larger huge page fits into an extent here. */
static void need_huge_pages(void)
{
	if (huge_page_size() != HUGE_PAGE_SIZE)
		untested("huge pages have %zu bytes", huge_page_size());
}

static int advise_huge(char *addr, int advice)
{
	return madvise(addr, HUGE_PAGE_SIZE, advice) ? errno : WORKS;
}

/* Each half of an extent gets one of the two advices. */
int try_hugepage(const struct site *site)
{
	char *small = device_alloc(site->fd, EXTENT_SIZE, HUGE_PAGE_SIZE);
	char *large = small + HUGE_PAGE_SIZE;
	int error;

	need_huge_pages();
	if (site->hole)
		expect_equal(device_decommit(site->fd, small, site->page), 0);
	error = madvise(small, EXTENT_SIZE, MADV_NOHUGEPAGE) ? errno : WORKS;
	if (error)
		return error;
	error = advise_huge(large, MADV_HUGEPAGE);
	if (error)
		return error;
	if (site->hole)
		expect_equal(device_commit(site->fd, small, site->page), 0);
	expect(!becomes_huge(small));
	return becomes_huge(large) ? WORKS : IGNORED;
}

int try_collapse(const struct site *site)
{
	char *half = site->extent + HUGE_PAGE_SIZE;
	int error;

	need_huge_pages();
	expect_equal(advise_huge(half, MADV_NOHUGEPAGE), 0);
	fill(half, HUGE_PAGE_SIZE, 3);
	expect_equal(mapping_figure(half, "AnonHugePages"), 0);
	if (site->hole)
		expect_equal(device_decommit(site->fd, half, site->page), 0);
	expect_equal(advise_huge(half, MADV_HUGEPAGE), 0);
	error = advise_patiently(half, HUGE_PAGE_SIZE, ADVICE_COLLAPSE);
	if (!error)
		expect_equal(mapping_figure(half, "AnonHugePages"),
			     HUGE_PAGE_SIZE);
	expect(is_filled(half + site->page, HUGE_PAGE_SIZE - site->page,
			 3 + site->page));
	if (site->hole && !site->huge)
		expect_trap(half);
	expect_kept(site);
	return error;
}

#define KSM		"/sys/kernel/mm/ksm/"
/* Two scans find a page unchanged, a third finds its equal. */
#define KSM_SCANS	20

static bool wait_merged(void)
{
	long last = get_number(KSM "full_scans") + KSM_SCANS;

	while (get_number("/proc/self/ksm_merging_pages") <= 0) {
		if (get_number(KSM "full_scans") > last)
			return false;
		usleep(20000);
	}
	return true;
}

int try_mergeable(const struct site *site)
{
	char *first = site->addr, *last = first + site->length - site->page;
	int error;

	if (!put_text(KSM "sleep_millisecs", "10") ||
	    !put_text(KSM "pages_to_scan", "1000") || !put_text(KSM "run", "1"))
		untested("no merging of pages by this user, or on this kernel");
	site_small(site);
	memcpy(last, first, site->page);
	error = advise(site, MADV_MERGEABLE);
	if (error)
		return error;
	expect(wait_merged());
	expect(!memcmp(first, last, site->page));
	/* One page is given back, and the other written. */
	expect_equal(device_decommit(site->fd, last, site->page), 0);
	expect(is_filled(first, site->page, 1));
	fill(first, site->page, 5);
	expect_equal(device_commit(site->fd, last, site->page), 0);
	expect(is_zero(last, site->page));
	fill(first, site->page, 1);
	fill(last, site->page, 1 + (last - first));
	expect_equal(advise_kept(site, MADV_UNMERGEABLE), 0);
	expect(!vm_flag(site->addr, "mg"));
	put_text(KSM "run", "0");
	return WORKS;
}

static void in_child(const struct site *site,
		     void (*check)(const struct site *site))
{
	pid_t child = tap_fork();

	if (!child) {
		check(site);
		_exit(0);
	}
	tap_join(child);
}

static void check_kept(const struct site *site)
{
	expect_kept(site);
	touch(site->addr, site->page);
}

static void check_zero(const struct site *site)
{
	expect_zero(site);
}

static void check_unmapped(const struct site *site)
{
	for (size_t at = 0; at < site->length; at += site->page)
		expect_trap(site->addr + at);
	expect_no_trap(site->addr - 1);
	expect_no_trap(site->addr + site->length);
}

int try_dontfork(const struct site *site)
{
	int error = advise(site, MADV_DONTFORK);

	if (error)
		return error;
	in_child(site, check_unmapped);
	expect_equal(advise(site, MADV_DOFORK), 0);
	in_child(site, check_kept);
	expect_kept(site);
	return WORKS;
}

int try_wipeonfork(const struct site *site)
{
	int error = advise(site, MADV_WIPEONFORK);

	in_child(site, error ? check_kept : check_zero);
	expect_kept(site);
	return error;
}

int try_keeponfork(const struct site *site)
{
	int error = advise(site, MADV_KEEPONFORK);

	in_child(site, check_kept);
	expect_kept(site);
	return error;
}

/* try_core() has the dump. */
int try_dontdump(const struct site *site)
{
	int error = advise(site, MADV_DONTDUMP);

	if (error)
		return error;
	expect(vm_flag(site->addr, "dd"));
	expect_equal(advise_kept(site, MADV_DODUMP), 0);
	expect(!vm_flag(site->addr, "dd"));
	return WORKS;
}

static void on_signal(int number)
{
	(void)number;
}

/*
 * The advice takes a page from the machine for good. Some kernels tell the
 * process by a signal, some only when it accesses the page.
 */
static int give_up(const struct site *site, int advice)
{
	char *page = site_target(site);
	int error;

	if (geteuid())
		untested("not root");
	if (access("/proc/sys/vm/memory_failure_recovery", F_OK))
		untested("the kernel does not give up pages");
	signal(SIGBUS, on_signal);
	/* Do not give up the zero page, which all processes share. */
	if (site->hole && site->huge)
		*page = 1;
	error = advise_patiently(page, site->page, advice);
	if (site->hole && site->huge)
		expect_equal(device_decommit(site->fd, page, site->page), 0);
	return error;
}

int try_hwpoison(const struct site *site)
{
	char *page = site_target(site);
	int error = give_up(site, MADV_HWPOISON);

	if (error || site->hole) {
		expect_kept(site);
		return error;
	}
	expect_trap(page);
	/* After a decommit and a commit other memory is behind the page. */
	expect_equal(device_decommit(site->fd, page, site->page), 0);
	expect_equal(device_commit(site->fd, page, site->page), 0);
	expect(is_zero(page, site->page));
	fill(page, site->page, 1 + (page - site->addr));
	expect_kept(site);
	return WORKS;
}

int try_soft_offline(const struct site *site)
{
	int error = give_up(site, ADVICE_SOFT_OFFLINE);

	expect_kept(site);
	return error;
}

/* Choose a range from a page before the hole, or its place, to one behind it. */
static char *guard_range(const struct site *site, size_t *length)
{
	*length = 5 * site->page;
	return site->addr + 3 * site->page;
}

static void expect_guarded(const char *addr, size_t length)
{
	for (size_t at = 0; at < length; at += page_size())
		expect(read_traps(addr + at));
}

int try_guard(const struct site *site)
{
	size_t length;
	char *guard = guard_range(site, &length);

	if (madvise(guard, length, ADVICE_GUARD_INSTALL))
		return errno;
	expect_guarded(guard, length);
	expect(is_filled(site->addr, guard - site->addr, 1));
	expect_equal(madvise(guard, length, ADVICE_GUARD_REMOVE), 0);
	for (size_t at = 0; at < length; at += site->page)
		if (guard + at != site->hole || site->huge)
			expect(is_zero(guard + at, site->page));
	if (site->hole && !site->huge)
		expect_trap_only(site->hole, site->page);
	/* The guards stay, whatever the device does to the pages. */
	expect_equal(madvise(guard, length, ADVICE_GUARD_INSTALL), 0);
	expect_equal(device_decommit(site->fd, guard, length), 0);
	expect_guarded(guard, length);
	expect_equal(device_commit(site->fd, guard, length), 0);
	expect_guarded(guard, length);
	expect_equal(madvise(guard, length, ADVICE_GUARD_REMOVE), 0);
	expect(is_zero(guard, length));
	touch(guard, length);
	return WORKS;
}

static ssize_t process_advise(const struct site *site, int advice)
{
	struct iovec range = { site->addr, site->length };
	int process = syscall(SYS_pidfd_open, getpid(), 0);
	ssize_t done;

	expect(process >= 0);
	done = syscall(SYS_process_madvise, process, &range, 1, advice, 0);
	close(process);
	return done;
}

int try_process_cold(const struct site *site)
{
	ssize_t done = process_advise(site, MADV_COLD);

	if (done < 0)
		return errno;
	expect_equal(done, site->length);
	expect_kept(site);
	return WORKS;
}

int try_process_dontneed(const struct site *site)
{
	ssize_t done = process_advise(site, MADV_DONTNEED);

	if (done < 0) {
		expect_kept(site);
		return errno;
	}
	expect_equal(done, site->length);
	expect_zero(site);
	return WORKS;
}
