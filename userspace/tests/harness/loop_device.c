// SPDX-License-Identifier: MIT
/* A block device over a file: see loop_device.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/loop.h>

#include "loop_device.h"
#include "tap.h"

#define CONTROL	"/dev/loop-control"

/**
 * loop_open() - make a block device, and open it for O_DIRECT
 * @size: bytes, which read as zero at first
 *
 * Needs root. The device goes away with its last descriptor.
 *
 * Return: its descriptor, or -1 if the kernel has no loop devices.
 */
int loop_open(size_t size)
{
	struct loop_config config = {
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control, number, loop, file;
	char path[32];

	/* The driver may be built in, without a module to load. */
	if (access(CONTROL, F_OK) && (system("modprobe -q loop") ||
				      access(CONTROL, F_OK)))
		return -1;
	control = open(CONTROL, O_RDWR | O_CLOEXEC);
	expect(control >= 0);
	number = ioctl(control, LOOP_CTL_GET_FREE);
	expect(number >= 0);
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	file = memfd_create("backing", MFD_CLOEXEC);
	expect(file >= 0 && ftruncate(file, size) == 0);
	config.fd = file;
	loop = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	expect(loop >= 0);
	expect(ioctl(loop, LOOP_CONFIGURE, &config) == 0);
	close(control);
	close(file);
	return loop;
}
