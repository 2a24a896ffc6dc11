// SPDX-License-Identifier: MIT
/*
 * What the chunk layer costs, in retired instructions for each operation, user
 * and kernel: the system calls of the original (mozjemalloc) against the device.
 *
 * Counts nothing itself. In a virtual machine with -icount shift=0 an
 * instruction takes a nanosecond, so the clock is the counter: see "make bench".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/chunk.h>

#include "original.h"

#define MIB	(1UL << 20)
#define OPS	1000
#define TOUCHED	64
#define PAGE	4096UL
#define PAGES	(MIB / PAGE)

static int device;

static void check(const char *what, int failed)
{
	if (!failed)
		return;
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void *device_fresh(size_t size, size_t alignment)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.length = size,
		.alignment = alignment,
	};

	check("CHUNK_IOC_ALLOC", ioctl(device, CHUNK_IOC_ALLOC, &args));
	return (void *)(uintptr_t)args.addr;
}

static void device_dealloc(void *addr, size_t size)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
		.length = size,
	};

	check("CHUNK_IOC_DEALLOC", ioctl(device, CHUNK_IOC_DEALLOC, &args));
}

static void device_range(unsigned int command, void *addr, size_t size)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
		.length = size,
	};

	check("CHUNK_IOC_*COMMIT", ioctl(device, command, &args));
}

static void device_decommit(void *addr, size_t size)
{
	device_range(CHUNK_IOC_DECOMMIT, addr, size);
}

static void device_commit(void *addr, size_t size)
{
	device_range(CHUNK_IOC_COMMIT, addr, size);
}

/**
 * struct way - one way to do it
 * @name:     for the table
 * @fresh:    get memory that was never used
 * @take:     use again what was given back
 * @give:     give back
 * @decommit: pages
 * @commit:   pages
 */
struct way {
	const char *name;
	void *(*fresh)(size_t size, size_t alignment);
	void (*take)(void *addr, size_t size);
	void (*give)(void *addr, size_t size);
	void (*decommit)(void *addr, size_t size);
	void (*commit)(void *addr, size_t size);
};

static void device_take(void *addr, size_t size)
{
	(void)addr;
	device_fresh(size, MIB);
}

static const struct way ways[] = {
	{ "original", original_map, original_commit, original_decommit,
	  original_decommit, original_commit },
	{ "device", device_fresh, device_take, device_dealloc,
	  device_decommit, device_commit },
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

enum row {
	FRESH, FRESH_4, GIVE, TAKE, GIVE_TOUCHED, PAGE_DECOMMIT, PAGE_COMMIT,
	WRITE_FAULT, READ_FAULT, ROWS,
};

static const char *const row_names[ROWS] = {
	[FRESH] = "fresh 1 MiB chunk, 1 MiB aligned",
	[FRESH_4] = "fresh 1 MiB chunk, 4 MiB aligned",
	[GIVE] = "dealloc + decommit, untouched, alternate chunks",
	[TAKE] = "recycle (take + commit)",
	[GIVE_TOUCHED] = "dealloc + decommit, fully touched",
	[PAGE_DECOMMIT] = "decommit one touched page in 1 MiB",
	[PAGE_COMMIT] = "commit one page in 1 MiB",
	[WRITE_FAULT] = "first touch of a page, write",
	[READ_FAULT] = "first touch of a page, read",
};

static uint64_t results[ROWS][WAYS];
static char *chunks[OPS];

static void touch(char *chunk, size_t from, size_t step)
{
	for (size_t page = from; page < PAGES; page += step)
		((volatile char *)chunk)[page * PAGE] = 1;
}

static void measure_chunks(const struct way *way, size_t column)
{
	uint64_t start = now();

	for (size_t i = 0; i < OPS; i++)
		chunks[i] = way->fresh(MIB, MIB);
	results[FRESH][column] = (now() - start) / OPS;

	start = now();
	for (size_t i = 0; i < OPS; i += 2)
		way->give(chunks[i], MIB);
	results[GIVE][column] = (now() - start) / (OPS / 2);

	start = now();
	for (size_t i = 0; i < OPS; i += 2)
		way->take(chunks[i], MIB);
	results[TAKE][column] = (now() - start) / (OPS / 2);

	for (size_t i = 0; i < TOUCHED; i++)
		touch(chunks[2 * i + 1], 0, 1);
	start = now();
	for (size_t i = 0; i < TOUCHED; i++)
		way->give(chunks[2 * i + 1], MIB);
	results[GIVE_TOUCHED][column] = (now() - start) / TOUCHED;

	start = now();
	for (size_t i = 0; i < OPS; i++)
		way->fresh(MIB, 4 * MIB);
	results[FRESH_4][column] = (now() - start) / OPS;
}

static void measure_pages(const struct way *way, size_t column)
{
	char *chunk = way->fresh(MIB, MIB);
	uint64_t start;

	madvise(chunk, MIB, MADV_NOHUGEPAGE);
	touch(chunk, 0, PAGES);
	start = now();
	touch(chunk, 1, 1);
	results[WRITE_FAULT][column] = (now() - start) / (PAGES - 1);

	start = now();
	for (size_t page = 0; page < PAGES; page += 2)
		way->decommit(chunk + page * PAGE, PAGE);
	results[PAGE_DECOMMIT][column] = (now() - start) / (PAGES / 2);
	start = now();
	for (size_t page = 0; page < PAGES; page += 2)
		way->commit(chunk + page * PAGE, PAGE);
	results[PAGE_COMMIT][column] = (now() - start) / (PAGES / 2);

	start = now();
	for (size_t page = 0; page < PAGES; page += 2)
		(void)((volatile char *)chunk)[page * PAGE];
	results[READ_FAULT][column] = (now() - start) / (PAGES / 2);
}

static void print_table(void)
{
	printf("| instructions for each operation |");
	for (size_t i = 0; i < WAYS; i++)
		printf(" %s |", ways[i].name);
	printf("\n| --- | ---: | ---: |\n");
	for (size_t row = 0; row < ROWS; row++) {
		printf("| %s |", row_names[row]);
		for (size_t i = 0; i < WAYS; i++)
			printf(" %llu |", (unsigned long long)results[row][i]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	struct chunk_ioc_limit limit = { .size = sizeof(limit), .limit = -1 };

	if (argc > 1) {
		printf("usage: %s\nPrints what chunk operations cost. Run it by \"make bench\".\n",
		       argv[0]);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	device = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	check(CHUNK_DEVICE_PATH, device < 0);
	check("CHUNK_IOC_LIMIT", ioctl(device, CHUNK_IOC_LIMIT, &limit));
	for (size_t i = 0; i < WAYS; i++) {
		measure_chunks(&ways[i], i);
		measure_pages(&ways[i], i);
	}
	print_table();
	return 0;
}
