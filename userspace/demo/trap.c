// SPDX-License-Identifier: MIT
/*
 * Shows that an access to a decommitted page of a chunk raises a signal with
 * its address, while all memory around is unchanged and no mapping is split.
 * Every line printed was looked up or tried; the program exits with 1 if
 * anything differs.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/chunk.h>

#include <chunk.h>

#define SIZE	(2UL << 20)

static sigjmp_buf back;
static siginfo_t caught;
static bool caught_live;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	caught = *info;
	/* A signal handler may ask, as any crash handler: the function takes no lock. */
	caught_live = chunk_is_live(info->si_addr);
	siglongjmp(back, 1);
}

static void die(const char *what)
{
	fprintf(stderr, "trap: this should not be: %s\n", what);
	exit(1);
}

static void must(bool holds, const char *otherwise)
{
	if (!holds)
		die(otherwise);
}

/* Return whether reading the byte raises a signal. */
static bool traps(const char *addr)
{
	if (sigsetjmp(back, 1))
		return true;
	__atomic_load_n(addr, __ATOMIC_RELAXED);
	return false;
}

static int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int count = 0, c;

	must(maps, "no /proc/self/maps");
	while ((c = getc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

/* Find libchunk's own descriptor: another would be another context. */
static int find_device(void)
{
	struct stat device, file;

	if (stat(CHUNK_DEVICE_PATH, &device))
		return -1;
	for (int fd = 3; fd < 1024; fd++)
		if (!fstat(fd, &file) && S_ISCHR(file.st_mode) &&
		    file.st_rdev == device.st_rdev)
			return fd;
	return -1;
}

static void show_lookup(const char *what, int fd, const char *addr,
			bool decommitted)
{
	struct chunk_ioc_lookup at = {
		.size = sizeof(at),
		.addr = (uintptr_t)addr,
	};

	must(!ioctl(fd, CHUNK_IOC_LOOKUP, &at), strerror(errno));
	printf("    %-15s in the extent %#llx, %llu KiB:%s%s\n", what,
	       (unsigned long long)at.addr,
	       (unsigned long long)at.length >> 10,
	       at.state & CHUNK_STATE_LIVE ? " live" : "",
	       at.state & CHUNK_STATE_DECOMMITTED ? ", decommitted" : "");
	must(at.state & CHUNK_STATE_LIVE, "the extent is not live");
	must(!!(at.state & CHUNK_STATE_DECOMMITTED) == decommitted,
	     "the device has the page in another state");
}

static bool is_filled(const char *addr, size_t size, char value)
{
	for (size_t i = 0; i < size; i++)
		if (addr[i] != value)
			return false;
	return true;
}

static void catch_faults(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO,
	};

	must(!sigaction(SIGSEGV, &action, NULL), "no handler for SIGSEGV");
}

static void show_trap(const char *chunk, const char *page, size_t page_size)
{
	const char *where = page + 42;

	must(traps(where), "reading the page did not trap");
	must(caught.si_addr == where, "the signal tells another address");
	must(caught_live, "the address is not in a live chunk");
	printf("  reading byte 42 of it: SIGSEGV, %s, at %p\n",
	       caught.si_code == SEGV_MAPERR ? "not mapped" : "no access",
	       caught.si_addr);
	printf("    that is chunk %p + %#zx, page %zu of %lu\n", (void *)chunk,
	       (size_t)(where - chunk), (size_t)(where - chunk) / page_size,
	       SIZE / page_size);
}

static void show_neighbours(const char *chunk, const char *page,
			    size_t page_size)
{
	const char *behind = page + page_size;

	must(!traps(page - 1) && !traps(behind), "a neighbour traps");
	must(is_filled(chunk, page - chunk, 'c') &&
	     is_filled(behind, chunk + SIZE - behind, 'c'),
	     "a neighbour has changed");
	printf("  all %lu other pages read as written\n",
	       SIZE / page_size - 1);
}

/* Return how many mappings a decommitted page in the middle adds. */
static int count_added(void)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	char *chunk = chunk_alloc(SIZE, SIZE, false);
	int before;

	must(chunk, "no chunk to be had");
	memset(chunk, 'c', SIZE);
	before = count_mappings();
	pages_decommit(chunk + SIZE / 2, page_size);
	return count_mappings() - before;
}

static void show_recycling(char *chunk)
{
	char *again;

	chunk_dealloc(chunk, SIZE, ARENA_CHUNK);
	must(traps(chunk), "a chunk that was given back does not trap");
	printf("  the chunk given back: any access traps; %zu KiB kept for reuse\n",
	       chunk_recycled_bytes() >> 10);
	again = chunk_alloc(SIZE, SIZE, false);
	must(again == chunk, "the chunk was not recycled");
	must(is_filled(again, SIZE, 0), "the recycled chunk is not zero");
	printf("  the next request gets the same one, and it is zero\n");
}

static void show(void)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	char *chunk = chunk_alloc(SIZE, SIZE, false), *page;
	int before, after, fd = find_device();

	must(chunk, "no chunk to be had");
	must(!strcmp(chunk_backend(), "device") && fd >= 0,
	     "the chunk is not from the device");
	memset(chunk, 'c', SIZE);
	printf("  a chunk of %lu KiB at %p, aligned to its size, filled\n",
	       SIZE >> 10, (void *)chunk);
	before = count_mappings();
	page = chunk + SIZE / 2;
	pages_decommit(page, page_size);
	after = count_mappings();
	printf("  decommitted one page, in the middle\n");
	printf("  mappings of the process: %d before, %d after\n", before,
	       after);
	must(before == after, "a mapping was split");
	show_trap(chunk, page, page_size);
	printf("  what the device says (CHUNK_IOC_LOOKUP):\n");
	show_lookup("that page", fd, page, true);
	show_lookup("the one before", fd, page - 1, false);
	show_lookup("the one behind", fd, page + page_size, false);
	show_neighbours(chunk, page, page_size);
	must(pages_commit(page, page_size), "the page cannot be committed");
	must(!traps(page), "the page still traps");
	must(is_filled(page, page_size, 0), "the page is not zero");
	printf("  committed again: the page reads as zero\n");
	memset(page, 'c', page_size);
	must(is_filled(chunk, SIZE, 'c'), "the page was not written");
	must(count_mappings() == before, "mappings were added");
	printf("  and can be written; mappings of the process: %d\n",
	       count_mappings());
	show_recycling(chunk);
}

int main(int argc, char **argv)
{
	/* Output is buffered, or stdio's own mappings would change the count. */
	static char buffer[8192];

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	if (argc > 1 && !strcmp(argv[1], "--added")) {
		printf("%d\n", count_added());
		return 0;
	}
	if (argc > 1) {
		fprintf(stderr,
			"Usage: trap [--added]\n"
			"Shows that a decommitted page of a chunk traps, on the device.\n"
			"  --added   print the number of mappings it costs, on any backend\n");
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	catch_faults();
	show();
	return 0;
}
