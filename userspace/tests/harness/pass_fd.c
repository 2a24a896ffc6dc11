// SPDX-License-Identifier: MIT
/* Passing descriptors between processes, by SCM_RIGHTS: see pass_fd.h. */
#include <string.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include "pass_fd.h"
#include "tap.h"

/* Room for one descriptor, aligned as its header must be */
union control {
	struct cmsghdr head;
	char space[CMSG_SPACE(sizeof(int))];
};

/**
 * send_fd() - send a descriptor
 * @to: a stream socket of the Unix domain
 * @fd: the descriptor
 */
void send_fd(int to, int fd)
{
	union control control = {
		.head = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	struct iovec vector = { "", 1 };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	expect(sendmsg(to, &message, 0) == 1);
}

/**
 * receive_fd() - receive a descriptor of send_fd()
 * @from: the socket's other end
 *
 * Return: the descriptor, to be closed on exec.
 */
int receive_fd(int from)
{
	union control control;
	char byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	expect(recvmsg(from, &message, MSG_CMSG_CLOEXEC) == 1);
	expect(message.msg_controllen == sizeof(control));
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}
