// SPDX-License-Identifier: MIT
/* Is a process on the device, or could one be, and why not? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "cause.h"
#include "chunkctl.h"
#include "text.h"

static void check_json(const struct process *process, const struct cause *cause)
{
	printf("{\"pid\":%d,\"comm\":", process->pid);
	print_json(process->comm);
	printf(",\"on_device\":%s,\"reason\":", process->own ? "true" : "false");
	print_json(cause->word);
	printf(",\"why\":");
	print_json(cause->why);
	printf(",\"detail\":");
	print_json(cause->detail);
	printf(",\"advice\":");
	print_json(cause->advice);
	printf(",\"unit\":");
	print_json(cause->unit);
	puts("}");
}

static bool hides_devices(const struct cause *cause)
{
	return !strcmp(cause->word, "no-node") || !strcmp(cause->word, "forbidden") ||
	       !strcmp(cause->word, "unknown");
}

static void print_drop_in(const struct cause *cause)
{
	printf("  or, in a drop-in (systemctl %sedit %s):\n",
	       cause->of_user ? "--user " : "", cause->unit);
	puts("    [Service]\n    PrivateDevices=no\n    DeviceAllow=/dev/chunk rw");
}

static void check_text(const struct process *process, const struct cause *cause)
{
	printf("%d (%s): %s (%s): %s\n", process->pid, process->comm,
	       process->own ? "on the device" : "not on the device", cause->word,
	       cause->why);
	if (*cause->detail)
		printf("  %s\n", cause->detail);
	if (!process->own)
		printf("  what to do: %s\n", cause->advice);
	if (!process->own && *cause->unit && hides_devices(cause))
		print_drop_in(cause);
}

static int check_process(const struct request *request)
{
	struct process process;
	struct cause cause;
	size_t own;

	process_need(&process, request->pid);
	cause = cause_find(&process);
	if (request->form == FORM_JSON)
		check_json(&process, &cause);
	else
		check_text(&process, &cause);
	own = process.own;
	process_close(&process);
	return own ? STATUS_OK : STATUS_NOT_ON_DEVICE;
}

/* Open the device as any program would. Returns 0 or an error number. */
static int try_to_open(void)
{
	int fd = open("/dev/chunk", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static const char *advice_on(int err)
{
	if (!module_is_loaded())
		return "modprobe chunk, or insmod chunk.ko";
	switch (err) {
	case ENOENT:
		return "show the device to this process: PrivateDevices=no, --device /dev/chunk";
	case EACCES:
		return "join the group of /dev/chunk, or load the module with mode=0666";
	case EPERM:
		return "a filter of system calls or a control group's device rules forbid it";
	default:
		return "none";
	}
}

static void print_version(void)
{
	char *version = read_whole(AT_FDCWD, "/sys/module/chunk/version");

	printf("module: %s", module_is_loaded() ? "loaded" : "not loaded");
	if (version)
		printf(", version %.*s", (int)strcspn(version, "\n"), version);
	putchar('\n');
	free(version);
}

static void print_node(int err)
{
	struct stat node;

	if (stat("/dev/chunk", &node))
		printf("/dev/chunk: %s\n", strerror(errno));
	else
		printf("/dev/chunk: mode 0%o, owner %u:%u\n", node.st_mode & 07777,
		       node.st_uid, node.st_gid);
	if (err)
		printf("a process of this user: cannot open it: %s\n  what to do: %s\n",
		       strerror(err), advice_on(err));
	else
		puts("a process of this user: can open it");
}

static int check_system(const struct request *request)
{
	char *mode = read_whole(AT_FDCWD, "/proc/sys/vm/overcommit_memory");
	bool strict = mode && *mode == '2', debugfs;
	int err = try_to_open();

	free(mode);
	debugfs = !access("/sys/kernel/debug/chunk/extents", R_OK);
	if (request->form == FORM_JSON) {
		printf("{\"module\":%s,\"can_open\":%s,\"error\":",
		       module_is_loaded() ? "true" : "false", err ? "false" : "true");
		print_json(err ? strerror(err) : "");
		printf(",\"strict_overcommit\":%s,\"debugfs\":%s}\n",
		       strict ? "true" : "false", debugfs ? "true" : "false");
	} else {
		print_version();
		print_node(err);
		if (strict)
			puts("vm.overcommit_memory is 2: no device without backend:device");
		printf("debugfs: %s\n", debugfs ? "can be read" : "cannot be read");
	}
	return err ? STATUS_NOT_ON_DEVICE : STATUS_OK;
}

/**
 * check() - tell whether a process is on the device, or whether one could be
 * @request: the command line
 *
 * Return: the status; STATUS_NOT_ON_DEVICE if it is not, or none could be.
 */
int check(const struct request *request)
{
	return request->pid ? check_process(request) : check_system(request);
}
