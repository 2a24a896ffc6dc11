// SPDX-License-Identifier: MIT
/* Program for chunkctl to look at: it has chunks in a known state, and waits. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <chunk.h>

#define KIB	((size_t)1 << 10)
#define MIB	((size_t)1 << 20)

static char *alloc(size_t mib)
{
	char *chunk = chunk_alloc(mib * MIB, MIB, false);

	if (!chunk)
		exit(3);
	return chunk;
}

/* For gdb: the first chunk */
char *volatile hold_first;

static void wait_for_signal(void)
{
	printf("ready %d\n", getpid());
	fflush(stdout);
	pause();
}

/* 12 MiB live, 4 of them touched, 2 decommitted, 2 offered; and 4 MiB recycled */
static void states(void)
{
	char *live = alloc(12), *recycled = alloc(4);

	hold_first = live;
	memset(live, 1, 4 * MIB);
	pages_decommit(live + 6 * MIB, 2 * MIB);
	memset(live + 8 * MIB, 1, 2 * MIB);
	chunk_offer(live + 8 * MIB, 2 * MIB);
	chunk_dealloc(recycled, 4 * MIB, UNKNOWN_CHUNK);
	wait_for_signal();
}

/*
 * 1 MiB, of which parts of cells of 64 KiB are decommitted, three quarters and one, or
 * touched, three quarters and one
 */
static void mixed(void)
{
	char *live = alloc(1);

	pages_decommit(live + 128 * KIB, 48 * KIB);
	pages_decommit(live + 256 * KIB, 16 * KIB);
	memset(live + 384 * KIB, 1, 48 * KIB);
	memset(live + 512 * KIB, 1, 16 * KIB);
	wait_for_signal();
}

static void busy(void)
{
	chunk_dealloc(alloc(1), MIB, UNKNOWN_CHUNK);
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (;;) {
		chunk_dealloc(alloc(1), MIB, UNKNOWN_CHUNK);
		usleep(2000);
	}
}

static void closed(void)
{
	alloc(4);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	wait_for_signal();
}

/* Only the child waits to be looked at; it ends with its parent. */
static void forked(void)
{
	alloc(4);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		wait_for_signal();
	}
	wait(NULL);
}

static void filtered(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		exit(4);
	alloc(4);
	wait_for_signal();
}

static const struct command {
	const char *name;
	void (*run)(void);
} commands[] = {
	{ "states", states }, { "mixed", mixed }, { "busy", busy },
	{ "closed", closed }, { "forked", forked }, { "filtered", filtered },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			commands[i].run();
	}
	fprintf(stderr,
		"Usage: %s states|mixed|busy|closed|forked|filtered\n"
		"Run by chunkctl's tests.\n", argv[0]);
	return 2;
}
