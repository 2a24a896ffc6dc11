// SPDX-License-Identifier: MIT
/*
 * The two programs of the pressure table: "hold" owns memory that it does not
 * need at the moment, "fill" wants more than there is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <linux/chunk.h>

#include "../words.h"

#define ANONYMOUS	(MAP_PRIVATE | MAP_ANONYMOUS)

size_t bench_page;

static const char usage[] =
	"Usage: pressure hold kept|offered|free MIB\n"
	"       pressure fill MIB\n"
	"\"hold\" fills memory, says \"ready\", waits for a line, and takes the memory\n"
	"back: it prints how many MiB of it have survived. The memory is kept as it\n"
	"is, offered by the device's words, or freed lazily (MADV_FREE). \"fill\"\n"
	"writes to as much memory and prints how long that took, and the processor's\n"
	"time, in seconds.\n";

static void need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static uint64_t tag_of(const char *page)
{
	return (uintptr_t)page | 1;
}

static void fill_pages(char *memory, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		*(volatile uint64_t *)(memory + at) = tag_of(memory + at);
}

/* Count the pages that are as they were written. Others must read as zero. */
static size_t count_pages(const char *memory, size_t size)
{
	size_t count = 0;

	for (size_t at = 0; at < size; at += PAGE) {
		uint64_t tag = *(volatile uint64_t *)(memory + at);

		if (tag == tag_of(memory + at))
			count++;
		else if (tag)
			need(false, "a page has changed");
	}
	return count;
}

static char *map_anonymous(size_t size)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);

	need(at != MAP_FAILED, "mmap");
	return at;
}

static char *get_chunks(size_t size)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.length = size,
		.alignment = MIB,
	};
	int device = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	need(device >= 0, CHUNK_DEVICE_PATH);
	need(!ioctl(device, CHUNK_IOC_ALLOC, &args), "CHUNK_IOC_ALLOC");
	need(words_map(device), "words");
	return (char *)(uintptr_t)args.addr;
}

static void wait_for_line(void)
{
	char byte;

	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n')
		;
}

/* A chunk is intact as a whole, or zero as a whole. */
static size_t take_chunks(char *memory, size_t size)
{
	size_t pages = 0;

	for (size_t at = 0; at < size; at += MIB) {
		bool intact = words_take(memory + at, MIB);
		size_t found = count_pages(memory + at, MIB);

		need(found == (intact ? PAGES : 0), "a chunk is not as its word says");
		pages += found;
	}
	return pages;
}

static void hold(const char *how, size_t size)
{
	bool lazily = !strcmp(how, "free"), offered = !strcmp(how, "offered");
	char *memory = lazily ? map_anonymous(size) : get_chunks(size);
	size_t pages;

	fill_pages(memory, size);
	if (lazily)
		need(!madvise(memory, size, MADV_FREE), "MADV_FREE");
	if (offered)
		words_offer(memory, size);
	wait_for_line();
	pages = offered ? take_chunks(memory, size) : count_pages(memory, size);
	printf("%zu\n", pages * PAGE / MIB);
}

static double seconds(const struct timespec *t)
{
	return t->tv_sec + t->tv_nsec / 1e9;
}

static void fill(size_t size)
{
	struct timespec before, after, used;
	char *memory = map_anonymous(size);

	clock_gettime(CLOCK_MONOTONIC, &before);
	fill_pages(memory, size);
	clock_gettime(CLOCK_MONOTONIC, &after);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	printf("%.4f %.4f\n", seconds(&after) - seconds(&before), seconds(&used));
}

int main(int argc, char **argv)
{
	bench_page = sysconf(_SC_PAGESIZE);
	if (argc == 4 && !strcmp(argv[1], "hold")) {
		hold(argv[2], strtoul(argv[3], NULL, 10) * MIB);
	} else if (argc == 3 && !strcmp(argv[1], "fill")) {
		fill(strtoul(argv[2], NULL, 10) * MIB);
	} else {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}
