// SPDX-License-Identifier: MIT
/*
 * The kernel's other features on memory of the device: each cell of the table
 * in chunk(4) is tried, on both backings, on a range whose pages are all
 * committed and on one with a decommitted page. After each try the device must
 * be able to take the memory back and to hand it out again.
 *
 * Other suites test some features further: uapi_memory_test.c about locking,
 * pipes, O_DIRECT, debuggers and core dumps, uapi_tamper_test.c about
 * protection, moving and unmapping, stress/guarantee_test.c about swap.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "feature.h"
#include "uapi.h"

/* Result of a cell if the kernel has no such feature */
#define ABSENT		(-2)

/* Limit of a try, in seconds */
#define TRY_SECONDS	200

/* The kernels of the table, in the order of a cell's values */
static const char *const kernels[] = { "6.1.", "6.12.", "7.3." };

#define KERNELS		TAP_COUNT(kernels)

/**
 * struct cell - expected results: WORKS, IGNORED, ABSENT or an errno
 * @on: result on each kernel
 */
struct cell {
	int on[KERNELS];
};

#define ALL(value)		{ { value, value, value } }
#define EACH(first, second, third)	{ { first, second, third } }

/**
 * struct feature - a row of the table
 * @name:    name of the feature in the manual
 * @try:     function that tries the feature
 * @guarded: results on committed pages of the guarded backing
 * @hole:    results with a decommitted page in the range, guarded backing
 * @huge:    results on the huge backing, with and without a decommitted page
 * @why:     letter of the reason in the manual; "": the result needs none
 * @final:   the device cannot take the extent back afterwards
 */
struct feature {
	const char *name;
	int (*try)(const struct site *site);
	struct cell guarded;
	struct cell hole;
	struct cell huge;
	const char *why;
	bool final;
};

static const struct feature advice[] = {
	{ "MADV_NORMAL", try_normal,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_RANDOM, _SEQUENTIAL", try_access_pattern,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_WILLNEED", try_willneed,
	  ALL(IGNORED), ALL(IGNORED), ALL(IGNORED), "a", false },
	{ "MADV_DONTNEED", try_dontneed,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_DONTNEED_LOCKED", try_dontneed_locked,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_FREE", try_free,
	  ALL(EINVAL), ALL(EINVAL), ALL(WORKS), "b", false },
	{ "MADV_REMOVE", try_remove,
	  ALL(EACCES), ALL(EACCES), ALL(EACCES), "c", false },
	{ "MADV_COLD", try_cold,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_PAGEOUT", try_pageout,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_POPULATE_READ", try_populate_read,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "MADV_POPULATE_WRITE", try_populate_write,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
};

static const struct feature more_advice[] = {
	{ "MADV_HUGEPAGE, _NOHUGEPAGE", try_hugepage,
	  ALL(IGNORED), ALL(IGNORED), ALL(WORKS), "b", false },
	{ "MADV_COLLAPSE", try_collapse,
	  ALL(EINVAL), ALL(EINVAL), ALL(WORKS), "b", false },
	{ "MADV_MERGEABLE, _UNMERGEABLE", try_mergeable,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_DONTFORK, _DOFORK", try_dontfork,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_WIPEONFORK", try_wipeonfork,
	  ALL(EINVAL), ALL(EINVAL), ALL(EINVAL), "a", false },
	{ "MADV_KEEPONFORK", try_keeponfork,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_DONTDUMP, _DODUMP", try_dontdump,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "MADV_HWPOISON", try_hwpoison,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "MADV_SOFT_OFFLINE", try_soft_offline,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "MADV_GUARD_INSTALL, _REMOVE", try_guard,
	  EACH(ABSENT, ABSENT, WORKS), EACH(ABSENT, ABSENT, WORKS),
	  EACH(ABSENT, ABSENT, WORKS), "e", false },
	{ "process_madvise MADV_COLD", try_process_cold,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "process_madvise _DONTNEED", try_process_dontneed,
	  EACH(ABSENT, ABSENT, WORKS), EACH(ABSENT, ABSENT, WORKS),
	  EACH(ABSENT, ABSENT, WORKS), "", false },
};

static const struct feature protection[] = {
	{ "mprotect PROT_NONE", try_protect_none,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "mprotect PROT_READ", try_protect_read,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "mprotect PROT_EXEC", try_protect_exec,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "f", false },
	{ "pkey_mprotect", try_pkey,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "mseal", try_seal,
	  EACH(ABSENT, WORKS, WORKS), EACH(ABSENT, WORKS, WORKS),
	  EACH(ABSENT, WORKS, WORKS), "", true },
	{ "mlock", try_lock,
	  ALL(WORKS), ALL(ENOMEM), ALL(WORKS), "d", false },
	{ "mlock2 MLOCK_ONFAULT", try_lock_onfault,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "mlockall MCL_CURRENT", try_lock_all,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "mremap to another place", try_move,
	  ALL(EINVAL), ALL(EINVAL), ALL(EINVAL), "g", false },
	{ "mremap MREMAP_DONTUNMAP", try_move_only,
	  ALL(EINVAL), ALL(EINVAL), ALL(EINVAL), "g", false },
	{ "mremap to a larger size", try_grow,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "h", false },
	{ "mremap to a smaller size", try_shrink,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "h", false },
	{ "msync", try_msync,
	  ALL(IGNORED), ALL(IGNORED), ALL(IGNORED), "", false },
};

static const struct feature access_by_others[] = {
	{ "read, write", try_pipe,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "read, write with O_DIRECT", try_direct,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "vmsplice", try_vmsplice,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "io_uring read, write", try_ring,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "io_uring registered buffers", try_ring_fixed,
	  EACH(EOPNOTSUPP, WORKS, WORKS), EACH(EFAULT, EFAULT, EFAULT),
	  EACH(EOPNOTSUPP, WORKS, WORKS), "a, d", false },
	{ "futex", try_futex,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "process_vm_readv, _writev", try_process_vm,
	  ALL(WORKS), ALL(EFAULT), ALL(WORKS), "d", false },
	{ "/proc/PID/mem", try_proc_mem,
	  ALL(WORKS), ALL(EIO), ALL(WORKS), "d", false },
	{ "ptrace PEEKDATA, POKEDATA", try_ptrace,
	  ALL(WORKS), ALL(EIO), ALL(WORKS), "d", false },
	{ "fork", try_fork,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "core dumps", try_core,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
};

static const struct feature tracking[] = {
	{ "userfaultfd MISSING", try_uffd_missing,
	  ALL(EINVAL), ALL(EINVAL), EACH(WORKS, EFAULT, EFAULT), "b, i", false },
	{ "userfaultfd MINOR", try_uffd_minor,
	  ALL(EINVAL), ALL(EINVAL), ALL(EINVAL), "c", false },
	{ "userfaultfd WP", try_uffd_wp,
	  ALL(EINVAL), ALL(EINVAL), ALL(WORKS), "b", false },
	{ "userfaultfd WP, WP_ASYNC", try_uffd_wp_async,
	  EACH(ABSENT, WORKS, WORKS), EACH(ABSENT, WORKS, WORKS),
	  EACH(ABSENT, WORKS, WORKS), "", false },
	{ "userfaultfd RWP, RWP_ASYNC", try_uffd_rwp,
	  EACH(ABSENT, ABSENT, EINVAL), EACH(ABSENT, ABSENT, EINVAL),
	  EACH(ABSENT, ABSENT, WORKS), "b", false },
	{ "/proc/PID/pagemap", try_pagemap,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "PAGEMAP_SCAN", try_pagemap_scan,
	  EACH(ABSENT, WORKS, WORKS), EACH(ABSENT, WORKS, WORKS),
	  EACH(ABSENT, WORKS, WORKS), "", false },
	{ "/proc/PID/clear_refs", try_soft_dirty,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "/proc/PID/map_files", try_map_files,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "/proc/PID/smaps", try_smaps,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "mincore", try_mincore,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
};

static const struct feature placement[] = {
	{ "mbind", try_mbind,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "move_pages", try_move_pages,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "migrate_pages", try_migrate_pages,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "set_mempolicy_home_node", try_home_node,
	  ALL(WORKS), ALL(WORKS), ALL(WORKS), "", false },
	{ "PR_SET_MEMORY_MERGE", try_memory_merge,
	  EACH(ABSENT, WORKS, WORKS), EACH(ABSENT, WORKS, WORKS),
	  EACH(ABSENT, WORKS, WORKS), "", false },
};

static const struct table {
	const struct feature *rows;
	size_t count;
} tables[] = {
	{ advice, TAP_COUNT(advice) },
	{ more_advice, TAP_COUNT(more_advice) },
	{ protection, TAP_COUNT(protection) },
	{ access_by_others, TAP_COUNT(access_by_others) },
	{ tracking, TAP_COUNT(tracking) },
	{ placement, TAP_COUNT(placement) },
};

/**
 * struct outcome - result of a try, which runs in a process of its own
 * @result: WORKS, IGNORED or an errno
 * @reason: reason why the feature could not be tried, or ""
 */
static struct outcome {
	int result;
	char reason[128];
} *outcome;

/**
 * untested() - end this try: its result says nothing on this machine
 * @format: the reason, as for printf()
 */
noreturn void untested(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->reason, sizeof(outcome->reason), format, args);
	va_end(args);
	_exit(0);
}

static void site_open(struct site *site, bool huge, bool hole)
{
	/* Premap little: some features act on all mapped memory. */
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = huge ? CHUNK_BACKING_HUGE : CHUNK_BACKING_GUARDED,
		.grow = 2 * EXTENT_SIZE,
	};

	site->fd = device_open();
	expect_equal(call(site->fd, CHUNK_IOC_CONFIGURE, &args), 0);
	site->huge = huge;
	site->page = page_size();
	site->extent = device_alloc(site->fd, EXTENT_SIZE, HUGE_PAGE_SIZE);
	site->addr = site->extent + 8 * site->page;
	site->length = 16 * site->page;
	site->hole = NULL;
	fill(site->addr, site->length, 1);
	if (!hole)
		return;
	site->hole = site->addr + 5 * site->page;
	expect_equal(device_decommit(site->fd, site->hole, site->page), 0);
}

/* The device must be able to take the memory back and hand it out again. */
static void site_close(const struct site *site)
{
	expect_equal(device_decommit(site->fd, site->extent, EXTENT_SIZE), 0);
	if (!site->huge) {
		expect_trap(site->addr);
		expect_trap(site->extent + EXTENT_SIZE - 1);
	}
	expect_equal(device_commit(site->fd, site->extent, EXTENT_SIZE), 0);
	expect(is_zero(site->addr, site->length));
	fill(site->addr, site->length, 2);
	expect(is_filled(site->addr, site->length, 2));
	expect_equal(device_dealloc(site->fd, site->extent, EXTENT_SIZE), 0);
	if (!site->huge)
		expect_trap(site->addr);
	expect_equal(device_alloc(site->fd, EXTENT_SIZE, HUGE_PAGE_SIZE) -
		     site->extent, 0);
	expect(is_zero(site->addr, site->length));
	expect_consistent(site->fd);
}

static noreturn void try(const struct feature *feature, bool huge, bool hole)
{
	struct site site;

	alarm(TRY_SECONDS);
	site_open(&site, huge, hole);
	outcome->result = feature->try(&site);
	if (outcome->result || !feature->final)
		site_close(&site);
	_exit(0);
}

static const char *result_name(int result)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ WORKS, "yes" }, { IGNORED, "ignored" }, { ABSENT, "-" },
		{ EACCES, "EACCES" }, { EFAULT, "EFAULT" },
		{ EINVAL, "EINVAL" }, { EIO, "EIO" }, { ENOMEM, "ENOMEM" },
		{ EOPNOTSUPP, "EOPNOTSUPP" },
	};

	for (size_t i = 0; i < TAP_COUNT(names); i++)
		if (names[i].number == result)
			return names[i].name;
	return strerror(result);
}

/* Get the errno of calls that the kernel does not know. */
static int no_such_call(void)
{
	return syscall(-1) < 0 ? errno : 0;
}

static bool as_expected(int expected)
{
	int result = outcome->result;

	if (expected == ABSENT)
		return result == EINVAL || result == ENOTTY ||
		       result == no_such_call();
	return result == expected;
}

/* Return whether the result is the expected one. */
static bool judge(const struct feature *feature, bool huge, bool hole,
		  int expected)
{
	char where[64];
	pid_t child;
	int status;

	snprintf(where, sizeof(where), "%s%s", huge ? "huge" : "guarded",
		 hole ? ", with a decommitted page" : "");
	memset(outcome, 0, sizeof(*outcome));
	child = tap_fork();
	if (!child)
		try(feature, huge, hole);
	expect(waitpid(child, &status, 0) == child);
	if (status) {
		tap_note("%s: %s: status %#x", feature->name, where, status);
		return false;
	}
	if (*outcome->reason) {
		tap_note("%s: %s: not tried: %s", feature->name, where,
			 outcome->reason);
		return true;
	}
	if (as_expected(expected))
		return true;
	tap_note("%s: %s: expected %s, got %s", feature->name, where,
		 result_name(expected), result_name(outcome->result));
	return false;
}

static size_t this_kernel(void)
{
	struct utsname name;

	expect(uname(&name) == 0);
	for (size_t i = 0; i < KERNELS; i++)
		if (!strncmp(name.release, kernels[i], strlen(kernels[i])))
			return i;
	tap_skip("the table is not about Linux %s", name.release);
}

static void try_all(const struct table *table)
{
	size_t kernel = this_kernel(), wrong = 0;

	if (!has_zap(device_open()))
		tap_skip("this kernel exports no zap");
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(outcome != MAP_FAILED);
	for (size_t i = 0; i < table->count; i++) {
		const struct feature *row = &table->rows[i];

		wrong += !judge(row, false, false, row->guarded.on[kernel]);
		wrong += !judge(row, false, true, row->hole.on[kernel]);
		wrong += !judge(row, true, false, row->huge.on[kernel]);
		wrong += !judge(row, true, true, row->huge.on[kernel]);
	}
	expect_equal(wrong, 0);
}

static void try_advice(void)
{
	try_all(&tables[0]);
}

static void try_more_advice(void)
{
	try_all(&tables[1]);
}

static void try_protection(void)
{
	try_all(&tables[2]);
}

static void try_access(void)
{
	try_all(&tables[3]);
}

static void try_tracking(void)
{
	try_all(&tables[4]);
}

static void try_placement(void)
{
	try_all(&tables[5]);
}

static int populate(const struct site *site)
{
	return device_range(site->fd, CHUNK_IOC_COMMIT, CHUNK_COMMIT_POPULATE,
			    site->addr, site->length);
}

/* The device leaves guards alone: only their owner knows their purpose. */
static void keep_guard(bool huge)
{
	struct site site;
	char *guard;

	site_open(&site, huge, false);
	guard = site.addr + site.page;
	if (madvise(guard, site.page, ADVICE_GUARD_INSTALL))
		tap_skip("the kernel has no MADV_GUARD_INSTALL");
	expect_equal(populate(&site), ENOMEM);
	expect_trap(guard);
	expect_equal(device_dealloc(site.fd, site.extent, EXTENT_SIZE), 0);
	expect(device_alloc(site.fd, EXTENT_SIZE, HUGE_PAGE_SIZE) ==
	       site.extent);
	expect_trap(guard);
	expect(is_zero(site.addr, site.page));
	expect(madvise(guard, site.page, ADVICE_GUARD_REMOVE) == 0);
	expect_equal(populate(&site), 0);
	expect(is_zero(site.addr, site.length));
	expect_equal(device_dealloc(site.fd, site.extent, EXTENT_SIZE), 0);
	expect_consistent(site.fd);
}

static void keep_guards(void)
{
	if (!has_zap(device_open()))
		tap_skip("this kernel exports no zap");
	keep_guard(false);
	keep_guard(true);
}

static void cell_text(const struct cell *cell, char *text, size_t size)
{
	const int *on = cell->on;

	if (on[0] == on[1] && on[1] == on[2])
		snprintf(text, size, "%s", result_name(on[0]));
	else
		snprintf(text, size, "%s/%s/%s", result_name(on[0]),
			 result_name(on[1]), result_name(on[2]));
}

/* Write a row as the source of the manual has it. */
static void row_text(const struct feature *row, char *text, size_t size)
{
	char guarded[64], hole[64], huge[64];

	cell_text(&row->guarded, guarded, sizeof(guarded));
	cell_text(&row->hole, hole, sizeof(hole));
	cell_text(&row->huge, huge, sizeof(huge));
	snprintf(text, size, ".It %s Ta %s Ta %s Ta %s Ta %s", row->name,
		 guarded, hole, huge, *row->why ? row->why : "\\&");
}

/* Read the next row of the manual's tables of features, or "". */
static void next_row(FILE *manual, char *line, size_t size)
{
	while (fgets(line, size, manual)) {
		line[strcspn(line, "\n")] = '\0';
		/* Literals are in a table of other things. */
		if (!strncmp(line, ".It ", 4) && strstr(line, " Ta ") &&
		    strncmp(line, ".It Li ", 7) && !strstr(line, " Ta Sy "))
			return;
	}
	*line = '\0';
}

static void in_the_manual(void)
{
	FILE *manual = fopen(MANUAL, "r");
	char have[256], want[256];
	size_t wrong = 0;

	expect(manual);
	for (size_t t = 0; t < TAP_COUNT(tables); t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			row_text(&tables[t].rows[i], want, sizeof(want));
			next_row(manual, have, sizeof(have));
			if (!strcmp(have, want))
				continue;
			tap_note("want %s", want);
			tap_note("have %s", have);
			wrong++;
		}
	}
	next_row(manual, have, sizeof(have));
	expect(!*have);
	expect_equal(wrong, 0);
	fclose(manual);
}

static const struct tap_case cases[] = {
	{ "advice about contents", try_advice },
	{ "advice about pages, forks and dumps", try_more_advice },
	{ "protection, locks and moves", try_protection },
	{ "access by the kernel and by other processes", try_access },
	{ "userfaultfd, and what /proc tells", try_tracking },
	{ "placement on nodes", try_placement },
	{ "guards of MADV_GUARD_INSTALL stay until they are removed",
	  keep_guards },
	{ "the manual has this table", in_the_manual },
};

const struct tap_suite tap_suite = {
	.about = "Tests the kernel's other features on the device's memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
