// SPDX-License-Identifier: MIT
/*
 * Users, processes and containers cannot affect each other through the device,
 * nor the machine.
 *
 * uapi_process_test.c checks that calls through an inherited or passed
 * descriptor are refused; here other users call, and with much memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "group.h"
#include "uapi.h"

#define NOBODY		65534
#define BATCH		4096
#define GROUP_MIB	24
#define FEW		1000

/**
 * struct shared - progress of processes, in memory that they share
 * @done: number of steps done
 * @stop: the process is to stop
 */
struct shared {
	atomic_ulong done;
	atomic_bool stop;
};

static struct shared *shared;

static void share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(shared != MAP_FAILED);
}

/* Allocate extents one by one, in as few calls as possible. Return how many. */
static unsigned int alloc_many(int fd, struct chunk_ioc_op *ops,
			       size_t alignment)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = CHUNK_BATCH_ALLOC,
		.count = BATCH,
		.ops = (uintptr_t)ops,
	};

	for (size_t i = 0; i < BATCH; i++)
		ops[i] = (struct chunk_ioc_op) {
			.length = MIB,
			.alignment = alignment,
		};
	return device_call(fd, CHUNK_IOC_BATCH, &args) ? 0 : args.done;
}

static unsigned int dealloc_many(int fd, struct chunk_ioc_op *ops)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = CHUNK_BATCH_DEALLOC,
		.count = BATCH,
		.ops = (uintptr_t)ops,
	};

	for (size_t i = 0; i < BATCH; i++)
		ops[i].alignment = 0;
	return device_call(fd, CHUNK_IOC_BATCH, &args) ? 0 : args.done;
}

/*
 * An attack takes memory without end, and counts its steps. The attacker is in
 * the group: a kernel that does not count, or a module that has nothing
 * counted, lets it go on until the machine is out of memory.
 */
static void many_files(void)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };

	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	while (open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC) >= 0)
		atomic_fetch_add(&shared->done, 1);
}

static void alloc_all(size_t alignment)
{
	struct chunk_ioc_op *ops = calloc(BATCH, sizeof(*ops));
	unsigned int more;
	int fd = device_open();

	do {
		more = alloc_many(fd, ops, alignment);
		atomic_fetch_add(&shared->done, more);
	} while (more == BATCH);
}

static void many_extents(void)
{
	alloc_all(MIB);
}

/* Between any two live extents there is a free one, which no later one fits in. */
static void many_fragments(void)
{
	alloc_all(2 * MIB);
}

/* Each mapping is a region, with all of its bookkeeping. */
static void many_regions(void)
{
	int fd = device_open();

	while (mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE, fd, 0) != MAP_FAILED)
		atomic_fetch_add(&shared->done, 1);
}

/* The attack must end, by refused memory or by a kill, within its own group. */
static void attack(const char *name, void (*run)(void))
{
	char *own, *more;
	int fd = device_open(), status;
	uint64_t most = 0;
	pid_t child;

	own = device_alloc(fd, 2 * MIB, MIB);
	fill(own, 2 * MIB, 3);
	atomic_store(&shared->done, 0);
	group_make("24M", "0");
	child = tap_fork();
	if (child == 0) {
		group_join();
		run();
		_exit(0);
	}
	while (!waitpid(child, &status, WNOHANG)) {
		uint64_t now = group_number("memory.current", "");

		if (now > most)
			most = now;
		/* Other processes can go on using the device. */
		more = device_alloc(fd, MIB, MIB);
		fill(more, 4 * page_size(), 5);
		expect_equal(device_dealloc(fd, more, MIB), 0);
		usleep(1000);
	}
	group_remove();
	tap_note("%s: %lu, with %llu KiB, then %s", name,
		 atomic_load(&shared->done), (unsigned long long)most >> 10,
		 WIFSIGNALED(status) ? "killed" : "refused");
	expect(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : !status);
	/* The kernel counts memory before it refuses it, 2 MiB at most. */
	expect(most <= (GROUP_MIB + 2) * MIB);
	expect(atomic_load(&shared->done) >= FEW);
	expect(is_filled(own, 2 * MIB, 3));
	expect_consistent(fd);
	close(fd);
	munmap(own, 2 * MIB);
}

static void bounded_files(void)
{
	share();
	attack("files", many_files);
}

static void bounded_extents(void)
{
	share();
	attack("extents", many_extents);
}

static void bounded_fragments(void)
{
	share();
	attack("fragments", many_fragments);
}

static void bounded_regions(void)
{
	share();
	attack("regions", many_regions);
}

static void be_nobody(void)
{
	expect(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

/* Call a bit of everything, in a process that may do so. */
static void use(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);

	expect(is_zero(extent, 4 * MIB));
	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect_trap_only(extent + MIB, MIB);
	expect_equal(device_commit(fd, extent + MIB, MIB), 0);
	expect(is_zero(extent + MIB, MIB));
	expect(is_filled(extent, MIB, 1));
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	expect_consistent(fd);
	close(fd);
}

/* Another user has inherited the descriptor, and knows every address. */
static void another_user(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);
	struct chunk_ioc_stats before, after;
	pid_t child;

	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	before = device_stats(fd);
	child = tap_fork();
	if (child == 0) {
		char *addr;

		be_nobody();
		expect_equal(device_decommit(fd, extent, MIB), EPERM);
		expect_equal(device_commit(fd, extent + MIB, MIB), EPERM);
		expect_equal(device_dealloc(fd, extent, 4 * MIB), EPERM);
		expect_equal(try_alloc(fd, MIB, MIB, &addr), EPERM);
		expect(mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_NORESERVE, fd, 0) == MAP_FAILED);
		/*
		 * Through a descriptor of the other user's own, the address is
		 * nobody's.
		 */
		close(fd);
		fd = device_open();
		expect_equal(device_decommit(fd, extent, MIB), ENOENT);
		expect_equal(device_dealloc(fd, extent, 4 * MIB), ENOENT);
		expect_equal(device_state(fd, extent), 0);
		use();
		_exit(0);
	}
	tap_join(child);
	expect_trap_only(extent + MIB, MIB);
	expect(is_filled(extent, MIB, 1));
	expect(is_filled(extent + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
	after = device_stats(fd);
	before.traps = after.traps;
	expect(same_stats(&before, &after));
	expect_consistent(fd);
}

static void in_a_container(void)
{
	pid_t child;

	be_nobody();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC))
		tap_skip("no user namespaces: %s", strerror(errno));
	use();
	/* The first process in the new namespace of processes */
	child = tap_fork();
	if (child == 0) {
		use();
		_exit(0);
	}
	tap_join(child);
}

/* Only read, write and exit are allowed: memory must work all the same. */
static void strict(void *arg)
{
	char *extent = arg;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(2);
	for (size_t at = 0; at < 2 * MIB; at += 64)
		extent[at]++;
	if (extent[0] == 1 && extent[2 * MIB - 64] == 1)
		syscall(SYS_exit, 0);
	syscall(SYS_exit, 1);
}

static void strict_call(void *arg)
{
	(void)arg;
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	ioctl(0, CHUNK_IOC_STATS, NULL);
}

static void under_strict(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);
	struct tap_outcome outcome;

	tap_child(&outcome, strict, extent);
	expect_equal(outcome.status, 0);
	tap_child(&outcome, strict_call, NULL);
	expect(WIFSIGNALED(outcome.status) &&
	       WTERMSIG(outcome.status) == SIGKILL);
	expect(is_zero(extent, 4 * MIB));
}

/* Without ioctl(2) the process keeps its memory, and cannot get any more. */
static void under_filter(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { TAP_COUNT(filter), filter };
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB), *mapped;

	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), EACCES);
	expect_trap_only(extent + MIB, MIB);
	fill(extent + 2 * MIB, 2 * MIB, 1);
	mapped = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		      MAP_NORESERVE, fd, 0);
	expect(mapped != MAP_FAILED);
	expect(is_zero(mapped, MIB) && is_filled(extent + 2 * MIB, 2 * MIB, 1));
	expect(munmap(mapped, MIB) == 0 && munmap(extent, 4 * MIB) == 0);
	expect_trap(extent);
}

/* Memory that is dirty then; it is much of a machine with 2 GiB. */
#define DIRTY	(512 * MIB)

static void leave_secrets(void *arg)
{
	int fd = device_open();
	char *extent = device_alloc(fd, DIRTY, MIB);

	(void)arg;
	fill(extent, DIRTY, 0xdeadbeef);
	_exit(0);
}

static char *populated(int fd)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = CHUNK_ALLOC_POPULATE,
		.length = DIRTY / 8,
		.alignment = MIB,
	};

	expect_equal(call(fd, CHUNK_IOC_ALLOC, &args), 0);
	return (char *)(uintptr_t)args.addr;
}

static char *huge(void)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = CHUNK_BACKING_HUGE,
	};
	int fd = device_open();

	if (call(fd, CHUNK_IOC_CONFIGURE, &args))
		return NULL;
	return device_alloc(fd, DIRTY / 8, 2 * MIB);
}

/* Extents have nothing but zeroes: read, written, both, populated, or huge. */
static void no_secrets(void)
{
	int fd = device_open();
	struct tap_outcome outcome;
	char *extent, *other;

	tap_child(&outcome, leave_secrets, NULL);
	expect_equal(outcome.status, 0);
	extent = device_alloc(fd, DIRTY / 2, MIB);
	for (size_t at = 0; at < DIRTY / 2; at += page_size()) {
		if (at % 3)
			expect_equal(extent[at + 8], 0);
		extent[at] = 1;
		expect(is_zero(extent + at + 8, page_size() - 8));
	}
	expect_equal(device_dealloc(fd, extent, DIRTY / 2), 0);
	other = populated(fd);
	expect_equal(resident_bytes(other, DIRTY / 8), DIRTY / 8);
	expect(is_zero(other, DIRTY / 8));
	other = huge();
	for (size_t at = 0; other && at < DIRTY / 8; at += page_size()) {
		other[at] = 1;
		expect(is_zero(other + at + 8, page_size() - 8));
	}
}

/* Tell whether text has sixteen digits that begin as addresses of the kernel do. */
static bool has_kernel_address(const char *text)
{
	while ((text = strstr(text, "ffff"))) {
		if (strspn(text, "0123456789abcdef") >= 16)
			return true;
		text += 4;
	}
	return false;
}

/*
 * The page for old system calls (vsyscall) is at such an address, and stacks that the
 * kernel of riscv64 itself prints consist of them.
 */
static bool has_them_anyway(const char *line)
{
#ifdef __riscv
	if (strstr(line, "[<ffff") && strstr(line, "+0x"))
		return true;
#endif
	return strstr(line, "[vsyscall]");
}

static size_t look_for_addresses(const char *path, const char *about)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	size_t lines = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (about && !strstr(line, about))
			continue;
		lines++;
		if (has_them_anyway(line))
			continue;
		if (has_kernel_address(line))
			tap_note("%s: %s", path, line);
		expect(!has_kernel_address(line));
	}
	if (file)
		fclose(file);
	return lines;
}

static void no_addresses(void)
{
	static const char *const paths[] = {
		"/proc/self/maps", "/proc/self/smaps", "/proc/self/numa_maps",
		"/sys/class/chunk/chunk/uevent", "/sys/class/chunk/chunk/dev",
		"/proc/modules", "/proc/devices",
	};
	int log = open("/tmp/chunk-log", O_RDWR | O_CREAT | O_TRUNC, 0644);
	char text[1 << 16], path[64];
	int length, fd;

	use();
	/* An administrator reads the kernel's log, and may publish it. */
	expect(has_kernel_address("chunk: ffff88800abcd000"));
	length = syscall(SYS_syslog, 3, text, sizeof(text));
	expect(length >= 0 && write(log, text, length) == length);
	expect(look_for_addresses("/tmp/chunk-log", "chunk") > 0);
	close(log);
	unlink("/tmp/chunk-log");
	be_nobody();
	fd = device_open();
	fill(device_alloc(fd, MIB, MIB), MIB, 1);
	for (size_t i = 0; i < TAP_COUNT(paths); i++)
		look_for_addresses(paths[i], NULL);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	expect(look_for_addresses(path, NULL) > 0);
	expect(access("/sys/module/chunk/sections/.text", R_OK));
}

/* One process floods the device; the other counts its own steps meanwhile. */
static void flood(void)
{
	struct chunk_ioc_op *ops = calloc(BATCH, sizeof(*ops));
	int fd = device_open();

	while (!atomic_load(&shared->stop)) {
		expect_equal(alloc_many(fd, ops, MIB), BATCH);
		expect_equal(dealloc_many(fd, ops), BATCH);
		atomic_fetch_add(&shared->done, 2);
	}
	_exit(0);
}

/* Fault all the time, reading and writing. */
static void flood_of_faults(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 8 * MIB, MIB);

	while (!atomic_load(&shared->stop)) {
		for (size_t at = 0; at < 8 * MIB; at += page_size()) {
			if (at % (2 * page_size()))
				expect_equal(extent[at], 0);
			else
				extent[at] = 1;
			atomic_fetch_add(&shared->done, 1);
		}
		expect(madvise(extent, 8 * MIB, MADV_DONTNEED) == 0);
	}
	_exit(0);
}

/* If one process waited for the other, it would make one step for each call. */
static void not_slowed(void (*run)(void), unsigned long most)
{
	int fd = device_open();
	char *own = device_alloc(fd, MIB, MIB);
	unsigned long before, during;
	pid_t child;

	share();
	child = tap_fork();
	if (child == 0)
		run();
	while (atomic_load(&shared->done) < 2)
		usleep(1000);
	before = atomic_load(&shared->done);
	for (unsigned int i = 0; i < FEW; i++) {
		char *extent = device_alloc(fd, MIB, MIB);

		*extent = 1;
		*own = 1;
		expect_equal(device_decommit(fd, own, page_size()), 0);
		expect_equal(device_commit(fd, own, page_size()), 0);
		expect_equal(device_dealloc(fd, extent, MIB), 0);
	}
	during = atomic_load(&shared->done) - before;
	atomic_store(&shared->stop, true);
	tap_join(child);
	tap_note("%lu of the other's during %u rounds", during, FEW);
	expect(during <= most);
}

static void not_slowed_by_batches(void)
{
	not_slowed(flood, FEW / 2);
}

static void not_slowed_by_faults(void)
{
	not_slowed(flood_of_faults, 200 * FEW);
}

static const struct tap_case cases[] = {
	{ "another user: EPERM, ENOENT, and nothing changes", another_user },
	{ "in user, mount and process namespaces", in_a_container },
	{ "under seccomp's strict mode", under_strict },
	{ "under a filter that refuses ioctl", under_filter },
	{ "a control group's limit bounds open files", bounded_files },
	{ "a control group's limit bounds extents", bounded_extents },
	{ "a control group's limit bounds fragmentation", bounded_fragments },
	{ "a control group's limit bounds regions", bounded_regions },
	{ "memory of others is never seen", no_secrets },
	{ "no kernel address is printed", no_addresses },
	{ "not slowed by another's batches", not_slowed_by_batches },
	{ "not slowed by another's faults", not_slowed_by_faults },
};

const struct tap_suite tap_suite = {
	.about = "Tests users of the device against each other and the machine",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
