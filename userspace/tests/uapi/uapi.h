/* SPDX-License-Identifier: MIT */
/*
 * /dev/chunk itself, without libchunk. Functions return 0 or an errno, not -1,
 * so that a test can name the error that it expects.
 */
#ifndef UAPI_H
#define UAPI_H

#include <linux/chunk.h>

#include "memory.h"
#include "tap.h"

int device_open(void);
int device_open_huge(void);

int call(int fd, unsigned long command, void *arg);
int device_call(int fd, unsigned long command, void *arg);
void free_before(int fd, unsigned long command, const void *arg);
void free_after(int fd, unsigned long command, const void *arg);

int try_alloc(int fd, __u64 length, __u64 alignment, char **addr);
char *device_alloc(int fd, size_t length, size_t alignment);
int device_dealloc(int fd, const void *addr, __u64 length);
int device_range(int fd, unsigned long command, unsigned int flags,
		 const void *addr, __u64 length);
int device_commit(int fd, const void *addr, __u64 length);
int device_decommit(int fd, const void *addr, __u64 length);
__u64 device_limit(int fd, __u64 limit);
struct chunk_ioc_stats device_stats(int fd);
struct chunk_ioc_lookup device_lookup(int fd, const void *addr);
__u32 device_state(int fd, const void *addr);
bool has_zap(int fd);
void spare_strangers(void);
unsigned int address_bits(void);

char *device_mmap(int fd, size_t length, unsigned int log2);

bool same_stats(const struct chunk_ioc_stats *a,
		const struct chunk_ioc_stats *b);
void expect_consistent(int fd);

void *anonymous(size_t size, int protection);
char *page_before_hole(void);

/* The call must fail with this errno and change no counter. */
#define expect_refusal(fd, error, expression)				\
do {									\
	int refusal_fd = (fd);						\
	struct chunk_ioc_stats refusal_a = device_stats(refusal_fd);	\
	struct chunk_ioc_stats refusal_b;				\
									\
	expect_equal(expression, error);				\
	refusal_b = device_stats(refusal_fd);				\
	if (!same_stats(&refusal_a, &refusal_b))			\
		tap_failed(__FILE__, __LINE__,				\
			   "nothing to change: " #expression);		\
} while (0)

#endif /* UAPI_H */
