/* SPDX-License-Identifier: MIT */
/* Only the declarations of POSIX: for building, not for running. */
int *posix_errno(void);
#define errno	(*posix_errno())

#define EPERM	1
#define ENOENT	2
#define EINTR	3
#define ENOMEM	4
#define EEXIST	5
#define ENODEV	6
#define EINVAL	7
#define EBUSY	8
#define EAGAIN	9
#define ESTALE	10
#define EPROTO	11
#define EBADF	12
#define EOPNOTSUPP	13
#define EACCES	14
#define ENXIO	15
#define EMFILE	16
#define ENFILE	17
