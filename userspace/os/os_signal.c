// SPDX-License-Identifier: MIT
/* Signals, for systems that have them. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "os.h"

static void (*on_signal)(void);

static void handle_signal(int signal)
{
	(void)signal;
	on_signal();
}

/* A program without an alternate stack ignores SA_ONSTACK; Go's demand it. */
int chunk_os_on_signal(void (*handler)(void))
{
	struct sigaction action, before;

	if (sigaction(SIGUSR2, NULL, &before))
		return -errno;
	if (before.sa_handler != SIG_DFL && before.sa_handler != handle_signal)
		return -EBUSY;
	on_signal = handler;
	memset(&action, 0, sizeof(action));
	action.sa_handler = handle_signal;
	action.sa_flags = SA_RESTART | SA_ONSTACK;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGUSR2, &action, NULL) ? -errno : 0;
}

/**
 * struct trap - a signal of accesses that trap
 * @signal: its number
 * @next:   what the program does with it
 */
struct trap {
	int signal;
	struct sigaction next;
};

static struct trap traps[] = { { .signal = SIGSEGV }, { .signal = SIGBUS } };

typedef void on_trap_function(uintptr_t addr);

static on_trap_function *_Atomic on_trap;

/* Did an access raise it? A signal that somebody sent has a code of 0 or less. */
static bool is_access(const siginfo_t *info)
{
	return info->si_code > 0;
}

/* Let the system do what it does by default: to a faulting access, once more. */
static void leave_to_system(struct trap *trap, const siginfo_t *info)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	sigemptyset(&action.sa_mask);
	sigaction(trap->signal, &action, NULL);
	/* It is blocked here, so that it comes after this handler. */
	if (!is_access(info))
		raise(trap->signal);
}

static void hand_on(struct trap *trap, siginfo_t *info, void *context)
{
	struct sigaction next = trap->next;

	if (next.sa_handler == SIG_IGN && !is_access(info))
		return;
	if (next.sa_handler == SIG_DFL || next.sa_handler == SIG_IGN) {
		leave_to_system(trap, info);
		return;
	}
	if (next.sa_flags & SA_RESETHAND) {
		trap->next.sa_handler = SIG_DFL;
		trap->next.sa_flags = 0;
	}
	if (next.sa_flags & SA_SIGINFO)
		next.sa_sigaction(trap->signal, info, context);
	else
		next.sa_handler(trap->signal);
}

static void handle_trap(int signal, siginfo_t *info, void *context)
{
	struct trap *trap = &traps[signal == SIGBUS];
	int saved = errno;

	if (is_access(info))
		on_trap((uintptr_t)info->si_addr);
	errno = saved;
	hand_on(trap, info, context);
}

static int put_in_front(struct trap *trap)
{
	struct sigaction action, now;

	if (sigaction(trap->signal, NULL, &now))
		return -errno;
	if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == handle_trap)
		return 0;
	trap->next = now;
	/* The program's handler runs as it would have by itself. */
	action = now;
	action.sa_sigaction = handle_trap;
	action.sa_flags = (now.sa_flags & ~SA_RESETHAND) | SA_SIGINFO | SA_ONSTACK;
	return sigaction(trap->signal, &action, NULL) ? -errno : 0;
}

int chunk_os_on_trap(void (*handler)(uintptr_t addr))
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	int err;

	/* Another thread is about to do it. */
	if (atomic_flag_test_and_set(&busy))
		return 0;
	on_trap = handler;
	err = put_in_front(&traps[0]);
	if (!err)
		err = put_in_front(&traps[1]);
	atomic_flag_clear(&busy);
	return err;
}
