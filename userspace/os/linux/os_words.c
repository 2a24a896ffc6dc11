// SPDX-License-Identifier: MIT
/*
 * Linux with the module: the words of offered chunks.
 *
 * The program may close the descriptor and open another file in its place at any
 * time. Nothing is written to a mapping before it is sure that the device is behind
 * it.
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <linux/chunk.h>

#include "os.h"
#include "os_linux.h"
#include "os_unix.h"

#define SAME(ours, uapi)	_Static_assert((unsigned int)(ours) == (uapi), #uapi)

SAME(WORD_IN_USE, CHUNK_WORD_IN_USE);
SAME(WORD_OFFERED, CHUNK_WORD_OFFERED);
SAME(WORD_DISCARDING, CHUNK_WORD_DISCARDING);
SAME(WORD_DISCARDED, CHUNK_WORD_DISCARDED);
SAME(WORD_STATE, CHUNK_WORD_STATE);
SAME(WORD_TAKE, CHUNK_WORD_TAKE);

#define WINDOW_BYTES	(CHUNK_WINDOW_WORDS * sizeof(atomic_uint))

static unsigned long long offset_of(size_t window)
{
	return (unsigned long long)CHUNK_WORDS_PGOFF * chunk_os_caps.page_size +
	       (unsigned long long)window * WINDOW_BYTES;
}

int chunk_device_map_words(size_t window, atomic_uint **words)
{
	int fd = chunk_linux_device();
	long got;

	if (fd < 0)
		return -ENODEV;
	got = chunk_abi_mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, offset_of(window));
	if (chunk_unix_failed(got))
		return got;
	if (chunk_linux_device() != fd) {
		sys(SYS_munmap, got, WINDOW_BYTES);
		return -ENODEV;
	}
	*words = (atomic_uint *)got;
	return 0;
}

/*
 * A system call that reads the word returns an error where an access would raise
 * SIGBUS. This one waits for no time, if at all.
 */
int chunk_device_touch_word(atomic_uint *word)
{
	static const long long no_time[2];
	long err = sys(SYS_FUTEX, word, FUTEX_WAIT_PRIVATE, ~0U, no_time, NULL,
		       0);

	return !err || err == -EAGAIN || err == -ETIMEDOUT ? 0 : -EFAULT;
}
