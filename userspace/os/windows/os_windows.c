// SPDX-License-Identifier: MIT
/*
 * Windows: memory by VirtualAlloc and VirtualFree.
 *
 * The system releases a mapping as a whole, and commits and decommits within one
 * mapping: a range that may lie in several is treated chunk by chunk. The system
 * may refuse to commit memory, but keeps what it has committed. So no function here
 * decommits in order to commit again.
 *
 * The thread's last-error value is never changed.
 */
#include <errno.h>
#include <stdatomic.h>

#include "chunk_stall.h"
#include "chunk_tree.h"
#include "os.h"
#include "os_windows.h"

#define UNIT	CHUNK_TREE_UNIT

/* VmOfferPriorityNormal: memory that is offered by others goes first. */
#define OFFER_PRIORITY_NORMAL	4

struct chunk_os_caps chunk_os_caps;
const char *const chunk_os_name = "windows";
const char *const chunk_os_mappings_advice = "";

struct chunk_windows chunk_windows = {
	.alloc = VirtualAlloc,
	.free = VirtualFree,
	.sleep = Sleep,
};

/* Alignment of mappings, in bytes */
static size_t granularity;

/*
 * GetProcAddress() takes the loader's lock, which must not be taken with libchunk's
 * held. A constructor holds only the loader's. Calls before it do without the
 * functions that are looked up.
 */
static void __attribute__((constructor)) look_up(void)
{
	HMODULE module = GetModuleHandleW(L"kernelbase.dll");
	void *offer, *reclaim;

	if (!module)
		return;
	chunk_windows.alloc2 = (void *)GetProcAddress(module, "VirtualAlloc2");
	offer = (void *)GetProcAddress(module, "OfferVirtualMemory");
	reclaim = (void *)GetProcAddress(module, "ReclaimVirtualMemory");
	if (!offer || !reclaim)
		return;
	chunk_windows.offer = offer;
	chunk_windows.reclaim = reclaim;
}

/**
 * struct request - a call of VirtualAlloc or VirtualAlloc2
 * @addr:      exact address; may be NULL: anywhere. Set to the result
 * @size:      bytes
 * @alignment: bytes, for VirtualAlloc2; 0: by VirtualAlloc
 * @type:      type of allocation: MEM_RESERVE, MEM_COMMIT
 */
struct request {
	void *addr;
	size_t size;
	size_t alignment;
	DWORD type;
};

static void *allocate_aligned(const struct request *request)
{
	MEM_ADDRESS_REQUIREMENTS where = { .Alignment = request->alignment };
	MEM_EXTENDED_PARAMETER parameter = {
		.Type = MemExtendedParameterAddressRequirements,
		.Pointer = &where,
	};

	return chunk_windows.alloc2(GetCurrentProcess(), NULL, request->size,
				    request->type, PAGE_READWRITE, &parameter,
				    1);
}

static int error_number(DWORD error)
{
	switch (error) {
	case ERROR_COMMITMENT_LIMIT:
	case ERROR_NOT_ENOUGH_MEMORY:
		return -ENOMEM;
	case ERROR_INVALID_ADDRESS:
		return -EEXIST;
	default:
		return -EINVAL;
	}
}

/* Return 0, -ENOMEM, -EEXIST if the place is taken, or -EINVAL. */
static int allocate(void *arg)
{
	struct request *request = arg;
	DWORD before = GetLastError();
	void *got;
	int err;

	if (request->alignment)
		got = allocate_aligned(request);
	else
		got = chunk_windows.alloc(request->addr, request->size,
					  request->type, PAGE_READWRITE);
	err = got ? 0 : error_number(GetLastError());
	SetLastError(before);
	if (got)
		request->addr = got;
	return err;
}

/* Call VirtualFree. Return 0 or -EINVAL. */
static int give_back(void *addr, size_t size, DWORD type)
{
	DWORD before = GetLastError();
	BOOL done = chunk_windows.free(addr, size, type);

	SetLastError(before);
	return done ? 0 : -EINVAL;
}

static void sleep_ms(unsigned int ms)
{
	chunk_windows.sleep(ms);
}

static int commit_stalling(void *addr, size_t size)
{
	struct request request = {
		.addr = addr, .size = size, .type = MEM_COMMIT,
	};
	int err = allocate(&request);

	if (err == -ENOMEM)
		err = chunk_stall_retry(sleep_ms, allocate, &request);
	return err;
}

/*
 * Reserve and commit in one call. Only if memory is short and address space is not
 * is it worth waiting: then the place is reserved and commits are tried again.
 */
static int map_stalling(struct request *request)
{
	int err;

	request->type = MEM_RESERVE | MEM_COMMIT;
	err = allocate(request);
	if (err != -ENOMEM)
		return err;
	request->type = MEM_RESERVE;
	err = allocate(request);
	if (err)
		return err;
	err = commit_stalling(request->addr, request->size);
	if (err)
		give_back(request->addr, 0, MEM_RELEASE);
	return err;
}

int chunk_os_map(void *addr, size_t size, void **out)
{
	struct request request = { .addr = addr, .size = size };
	int err;

	/* The system would round the address down. */
	if ((uintptr_t)addr % granularity)
		return -ENOMEM;
	err = map_stalling(&request);
	if (err)
		return err == -EEXIST ? -EEXIST : -ENOMEM;
	*out = request.addr;
	return 0;
}

int chunk_os_map_aligned(size_t size, size_t alignment, void **out)
{
	struct request request = { .size = size, .alignment = alignment };
	int err;

	if (alignment <= granularity)
		return chunk_os_map(NULL, size, out);
	if (!chunk_windows.alloc2)
		return -EOPNOTSUPP;
	err = map_stalling(&request);
	if (err)
		return err == -ENOMEM ? -ENOMEM : -EOPNOTSUPP;
	*out = request.addr;
	return 0;
}

/* Nothing frees address space, so there is no waiting for it. */
int chunk_os_reserve(size_t size, size_t alignment, void **out)
{
	struct request request = {
		.size = size, .alignment = alignment, .type = MEM_RESERVE,
	};
	int err;

	if (alignment <= granularity)
		request.alignment = 0;
	else if (!chunk_windows.alloc2)
		return -EOPNOTSUPP;
	err = allocate(&request);
	if (err)
		return -ENOMEM;
	*out = request.addr;
	return 0;
}

bool chunk_os_is_mapped(void *addr, size_t size)
{
	MEMORY_BASIC_INFORMATION info;
	char *at = addr, *end = at + size;
	DWORD before = GetLastError();

	while (at < end && VirtualQuery(at, &info, sizeof(info)) == sizeof(info) &&
	       info.State != MEM_FREE)
		at = (char *)info.BaseAddress + info.RegionSize;
	SetLastError(before);
	return at >= end;
}

/* Return the size of the mapping that begins at an address, or 0. */
static size_t mapping_size(char *addr)
{
	MEMORY_BASIC_INFORMATION info;
	char *at = addr;

	while (VirtualQuery(at, &info, sizeof(info)) == sizeof(info) &&
	       info.State != MEM_FREE && info.AllocationBase == addr)
		at = (char *)info.BaseAddress + info.RegionSize;
	return at - addr;
}

/* Does a range consist of whole mappings? */
static bool is_whole(char *addr, size_t size)
{
	DWORD before = GetLastError();
	bool whole = true;

	while (size && whole) {
		size_t one = mapping_size(addr);

		whole = one && one <= size;
		addr += one;
		size -= one;
	}
	SetLastError(before);
	return whole;
}

int chunk_os_unmap(void *addr, size_t size)
{
	char *at = addr, *end = at + size;
	int err = 0;

	/* The system would release more than the range. */
	if (!is_whole(addr, size))
		return -EINVAL;
	while (at != end && !err) {
		size_t one = mapping_size(at);

		err = one ? give_back(at, 0, MEM_RELEASE) : -EINVAL;
		at += one;
	}
	return err;
}

/* Return how much of a range lies in its first chunk. */
static size_t first_chunk(const char *addr, size_t size)
{
	size_t rest = UNIT - (uintptr_t)addr % UNIT;

	return size < rest ? size : rest;
}

int chunk_os_commit(void *addr, size_t size)
{
	char *at = addr, *end = at + size;

	for (; at != end; at += first_chunk(at, end - at)) {
		if (commit_stalling(at, first_chunk(at, end - at)))
			return -ENOMEM;
	}
	return 0;
}

int chunk_os_decommit(void *addr, size_t size)
{
	char *at = addr, *end = at + size;
	int err = 0;

	for (; at != end; at += first_chunk(at, end - at)) {
		if (give_back(at, first_chunk(at, end - at), MEM_DECOMMIT))
			err = -ENOMEM;
	}
	return err;
}

/*
 * Decommitting and committing again would make memory zero, but the system may
 * refuse the second. MEM_RESET allows it to drop the contents when it likes.
 */
int chunk_os_purge(void *addr, size_t size)
{
	char *at = addr, *end = at + size;
	DWORD before = GetLastError();

	for (; at != end; at += first_chunk(at, end - at)) {
		chunk_windows.alloc(at, first_chunk(at, end - at), MEM_RESET,
				    PAGE_READWRITE);
		/* Memory that is not locked leaves the working set. */
		VirtualUnlock(at, first_chunk(at, end - at));
	}
	SetLastError(before);
	return -EAGAIN;
}

int chunk_os_populate(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -EOPNOTSUPP;
}

/* Call OfferVirtualMemory. Return true if all of the range is offered. */
static bool offer(void *addr, size_t size)
{
	DWORD before = GetLastError();
	DWORD error = chunk_windows.offer(addr, size, OFFER_PRIORITY_NORMAL);

	SetLastError(before);
	return error == ERROR_SUCCESS;
}

/*
 * If the system refuses the first chunk, it offers no memory of this kind. One that
 * it refuses after that is merely not offered, which reclaim() finds out.
 */
int chunk_os_offer(void *addr, size_t size)
{
	char *at = addr, *end = at + size;

	if (!chunk_windows.offer)
		return -EOPNOTSUPP;
	for (; at != end; at += first_chunk(at, end - at)) {
		if (!offer(at, first_chunk(at, end - at)) && at == addr)
			return -EOPNOTSUPP;
	}
	return 0;
}

/* ERROR_BUSY: the contents are not defined any more. */
static DWORD reclaim(void *addr, size_t size)
{
	DWORD before = GetLastError();
	DWORD error = chunk_windows.reclaim(addr, size);

	SetLastError(before);
	return error;
}

/* Memory that the system does not let go has to be replaced. */
static int take(void *addr, size_t size)
{
	DWORD error = reclaim(addr, size);

	if (error == ERROR_SUCCESS)
		return 0;
	if (error == ERROR_BUSY)
		return -EAGAIN;
	give_back(addr, size, MEM_DECOMMIT);
	return commit_stalling(addr, size) ? -ENOMEM : -EAGAIN;
}

int chunk_os_take(void *addr, size_t size)
{
	char *at = addr, *end = at + size;
	int err = 0, one;

	if (!chunk_windows.offer)
		return -EAGAIN;
	for (; at != end && err != -ENOMEM; at += first_chunk(at, end - at)) {
		one = take(at, first_chunk(at, end - at));
		if (one)
			err = one;
	}
	return err;
}

unsigned int chunk_os_pid(void)
{
	return 0;
}

/* Emulators have the calls, which fail: only trying tells. */
static bool can_offer(size_t page)
{
	struct request request = {
		.size = page, .type = MEM_RESERVE | MEM_COMMIT,
	};
	bool can;

	if (!chunk_windows.offer || allocate(&request))
		return false;
	can = offer(request.addr, page) &&
	      reclaim(request.addr, page) == ERROR_SUCCESS;
	give_back(request.addr, 0, MEM_RELEASE);
	return can;
}

void chunk_os_init(bool guards)
{
	SYSTEM_INFO info;

	(void)guards;
	GetSystemInfo(&info);
	granularity = info.dwAllocationGranularity;
	/* Huge pages take a privilege, and cannot be decommitted. */
	chunk_os_caps = (struct chunk_os_caps) {
		.page_size = info.dwPageSize,
		.can_map_aligned = true,
		.can_reserve = true,
		.zero_on_commit = true,
		.waits_for_memory = true,
		.offer_way = can_offer(info.dwPageSize) ? OFFER_CALLS :
							  OFFER_NONE,
	};
}
