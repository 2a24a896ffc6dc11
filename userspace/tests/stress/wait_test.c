// SPDX-License-Identifier: MIT
/*
 * Faults and calls never wait for those of another user.
 *
 * Where the kernel preempts itself, a task may be preempted, or throttled with
 * its control group, in the middle of a fault, and run again much later. If it
 * held a lock that others need, they would wait as long. Time says little about
 * that on a machine that is busy, or emulated. But a thread that is alone in
 * its address space, and has memory, has nothing to wait for in a fault, a
 * decommit, open or mmap: it is preempted, which the kernel counts apart from
 * waiting.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "group.h"
#include "uapi.h"

#define NOBODY		65534
#define OTHERS		48	/* more than the machine has CPUs */
#define SIZE		MIB
#define SECONDS		4
#define LEAST_ROUNDS	8
/* A wait may have another cause, though none was seen: one try without is enough. */
#define TRIES		2

#define PREEMPT		"/sys/kernel/debug/sched/preempt"
#define GROUP		"/sys/fs/cgroup/chunk-wait"

/*
 * Skip the case if the kernel is never preempted. Preemption is chosen when the
 * kernel boots: choosing it here would patch code that other processors run,
 * and QEMU 7.2 may execute for ever a breakpoint that it has translated from
 * that code.
 */
static void need_preemption(void)
{
	char chosen[128] = "";
	struct utsname name;
	int file = open(PREEMPT, O_RDONLY | O_CLOEXEC);

	if (file >= 0) {
		expect(read(file, chosen, sizeof(chosen) - 1) > 0);
		close(file);
		if (strstr(chosen, "(full)"))
			return;
		tap_skip("this kernel was not booted with preempt=full");
	}
	expect(uname(&name) == 0);
	if (!strstr(name.version, " PREEMPT ") &&
	    !strstr(name.version, "PREEMPT_RT"))
		tap_skip("this kernel is not preempted");
}

/* Fault and decommit, on a mapping of the device or on anonymous memory. */
static void fault(bool device)
{
	static char *memory;
	static int fd = -1;
	size_t page = page_size();

	if (!memory && device) {
		fd = device_open();
		memory = device_alloc(fd, SIZE, MIB);
	} else if (!memory) {
		memory = anonymous(SIZE, PROT_READ | PROT_WRITE);
	}
	for (size_t at = 0; at < SIZE; at += 2 * page) {
		*(volatile char *)(memory + at) = 1;
		(void)*(volatile char *)(memory + at + page);
	}
	if (device)
		expect_equal(device_decommit(fd, memory, SIZE), 0);
	if (!device || !has_zap(fd))
		expect(madvise(memory, SIZE, MADV_DONTNEED) == 0);
	if (device)
		expect_equal(device_commit(fd, memory, SIZE), 0);
}

/* Change mappings, from open to close. */
static void map(bool device)
{
	int fd = device ? device_open() : open("/dev/null", O_RDWR | O_CLOEXEC);
	char *memory = device ? device_mmap(fd, SIZE, 0) :
				anonymous(SIZE, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < 16; i++) {
		expect(mprotect(memory, SIZE / 2, PROT_READ) == 0);
		expect(mprotect(memory, SIZE / 2, PROT_READ | PROT_WRITE) == 0);
	}
	*(volatile char *)memory = 1;
	expect(munmap(memory, SIZE) == 0);
	close(fd);
}

static noreturn void be_other(void (*work)(bool device))
{
	expect(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	expect(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	for (;;)
		work(true);
}

static noreturn void be_busy(void)
{
	expect(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	for (volatile unsigned long i = 0;; i++)
		;
}

/* Let the task run only on processors that are idle otherwise. */
static void idle(void)
{
	struct sched_param none = { 0 };

	expect(sched_setscheduler(0, SCHED_IDLE, &none) == 0);
}

/* Give all these tasks a tenth of a processor together. */
static void throttled(void)
{
	write_to(GROUP "/cgroup.procs", "0");
}

/* Start the tasks in a process group of its own. Return the number of the group. */
static pid_t start_others(void (*work)(bool device), void (*restrain)(void),
			  long busy)
{
	pid_t leader = tap_fork();

	if (leader)
		return leader;
	expect(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	expect(setpgid(0, 0) == 0);
	for (long i = 0; i < busy; i++)
		if (tap_fork() == 0)
			be_busy();
	for (size_t i = 0; i < OTHERS; i++) {
		if (tap_fork())
			continue;
		restrain();
		be_other(work);
	}
	for (;;)
		pause();
}

static void end_others(pid_t leader)
{
	int status;

	kill(-leader, SIGKILL);
	kill(leader, SIGKILL);
	expect(waitpid(leader, &status, 0) == leader);
}

/* Get how often this thread gave up the processor of its own accord. */
static unsigned long waits(void)
{
	struct rusage usage;

	expect(getrusage(RUSAGE_THREAD, &usage) == 0);
	return usage.ru_nvcsw;
}

static double seconds(void)
{
	struct timespec now;

	expect(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Count waits during as many rounds as time permits, on the device or beside it. */
static unsigned long count_waits(void (*work)(bool device), bool device)
{
	double start = seconds(), longest = 0, before, now = start;
	unsigned long rounds = 0, count = waits();

	while (now - start < SECONDS || rounds < LEAST_ROUNDS) {
		before = now;
		work(device);
		now = seconds();
		if (now - before > longest)
			longest = now - before;
		rounds++;
	}
	count = waits() - count;
	tap_note("%s: %lu rounds, the longest of %.3f s, %lu waits",
		 device ? "the device" : "anonymous memory", rounds, longest,
		 count);
	return count;
}

/* @busy: number of tasks that keep the processors busy */
static void beside(void (*work)(bool device), void (*restrain)(void), long busy)
{
	bool clean = false;
	pid_t leader;

	need_preemption();
	/* Code of the program comes from a file, and is waited for at first. */
	expect(mlockall(MCL_CURRENT) == 0 && munlockall() == 0);
	leader = start_others(work, restrain, busy);
	/* Page tables and the device's own memory are allocated only once. */
	work(true);
	work(false);
	for (unsigned int i = 0; i < TRIES && !clean; i++) {
		count_waits(work, false);
		clean = !count_waits(work, true);
	}
	end_others(leader);
	expect(clean);
}

static void faults_beside_idle(void)
{
	beside(fault, idle, 2 * sysconf(_SC_NPROCESSORS_ONLN));
}

static void calls_beside_idle(void)
{
	beside(map, idle, 2 * sysconf(_SC_NPROCESSORS_ONLN));
}

static void beside_throttled(void)
{
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+cpu");
	mkdir(GROUP, 0755);
	if (access(GROUP "/cpu.max", W_OK))
		tap_skip("no control group for processors");
	write_to(GROUP "/cpu.max", "4000 40000");
	beside(fault, throttled, 0);
	write_to(GROUP "/cpu.max", "max");
	for (int i = 0; i < 1000 && rmdir(GROUP); i++)
		usleep(10000);
}

static const struct tap_case cases[] = {
	{ "no fault waits for tasks of the idle policy",
	  faults_beside_idle },
	{ "no fault waits for tasks whose control group has used up its time",
	  beside_throttled },
	{ "no open, mmap, mprotect or munmap waits for such tasks' own",
	  calls_beside_idle },
};

const struct tap_suite tap_suite = {
	.about = "Tests that nobody waits for another user",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
