/* SPDX-License-Identifier: MIT */
/* Descriptors that are passed between processes. */
#ifndef PASS_FD_H
#define PASS_FD_H

void send_fd(int to, int fd);
int receive_fd(int from);

#endif /* PASS_FD_H */
