// SPDX-License-Identifier: MIT
/* io_uring: see model_ring.h. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "model_ring.h"
#include "tap.h"

#define ENTRIES	4

static int ring = -1;
static struct io_uring_params params;
static struct io_uring_sqe *entries;
static char *submissions, *completions;

static void *map(size_t size, off_t offset)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED |
			  MAP_POPULATE, ring, offset);

	expect(addr != MAP_FAILED);
	return addr;
}

/**
 * ring_open() - make the ring
 *
 * Return: false if this kernel has no io_uring, or not for this process.
 */
bool ring_open(void)
{
	ring = syscall(SYS_io_uring_setup, ENTRIES, &params);
	if (ring < 0)
		return false;
	submissions = map(params.sq_off.array +
			  params.sq_entries * sizeof(unsigned int),
			  IORING_OFF_SQ_RING);
	completions = map(params.cq_off.cqes + params.cq_entries *
			  sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	entries = map(params.sq_entries * sizeof(*entries), IORING_OFF_SQES);
	return true;
}

/**
 * ring_is_open() - tell whether there is a ring
 */
bool ring_is_open(void)
{
	return ring >= 0;
}

static atomic_uint *counter(char *part, unsigned int offset)
{
	return (atomic_uint *)(void *)(part + offset);
}

static int complete(void)
{
	atomic_uint *head = counter(completions, params.cq_off.head);
	unsigned int at = atomic_load(head);
	struct io_uring_cqe *cqes = (void *)(completions + params.cq_off.cqes);
	int result;

	expect(atomic_load(counter(completions, params.cq_off.tail)) == at + 1);
	result = cqes[at & (params.cq_entries - 1)].res;
	atomic_store(head, at + 1);
	return result;
}

/**
 * ring_do() - submit a request, and wait for its end
 * @opcode: IORING_OP_* that reads or writes; those of FIXED buffers use buffer 0
 * @file:   the file; its beginning is read or written
 * @addr:   memory
 * @size:   bytes
 * @flags:  IOSQE_*
 *
 * Return: bytes, or a negative errno.
 */
int ring_do(unsigned int opcode, int file, void *addr, size_t size,
	    unsigned int flags)
{
	atomic_uint *tail = counter(submissions, params.sq_off.tail);
	unsigned int at = atomic_load(tail);
	unsigned int index = at & (params.sq_entries - 1);
	unsigned int *array = (void *)(submissions + params.sq_off.array);
	long done;

	entries[index] = (struct io_uring_sqe) {
		.opcode = opcode,
		.flags = flags,
		.fd = file,
		.addr = (uintptr_t)addr,
		.len = size,
	};
	array[index] = index;
	atomic_store(tail, at + 1);
	done = syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
		       NULL, 0);
	expect_equal(done, 1);
	return complete();
}

/**
 * ring_register() - register memory as the fixed buffer, which pins it
 * @addr: memory
 * @size: bytes
 *
 * Return: 0 or an errno.
 */
int ring_register(void *addr, size_t size)
{
	struct iovec vector = { addr, size };

	return syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		       &vector, 1) ? errno : 0;
}

/**
 * ring_unregister() - unregister the fixed buffer
 */
void ring_unregister(void)
{
	expect(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS,
		       NULL, 0) == 0);
}
