/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's tracepoints. docs/tracing.md says what they are good for. Names and
 * fields may change with the module: they are for people, not for programs.
 *
 * Addresses are the user's own; none is the kernel's.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM chunk

#if !defined(CHUNK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CHUNK_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(chunk_alloc,

	TP_PROTO(unsigned long addr, unsigned long size, unsigned long alignment,
		 bool decommitted, bool recycled, int err),

	TP_ARGS(addr, size, alignment, decommitted, recycled, err),

	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, size)
		__field(unsigned long, alignment)
		__field(bool, decommitted)
		__field(bool, recycled)
		__field(int, err)
	),

	TP_fast_assign(
		__entry->addr = addr;
		__entry->size = size;
		__entry->alignment = alignment;
		__entry->decommitted = decommitted;
		__entry->recycled = recycled;
		__entry->err = err;
	),

	TP_printk("addr=0x%lx size=0x%lx alignment=0x%lx decommitted=%d recycled=%d err=%d",
		  __entry->addr, __entry->size, __entry->alignment,
		  __entry->decommitted, __entry->recycled, __entry->err)
);

TRACE_EVENT(chunk_dealloc,

	TP_PROTO(unsigned long addr, unsigned long size, unsigned long recycled,
		 int err),

	TP_ARGS(addr, size, recycled, err),

	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, size)
		__field(unsigned long, recycled)
		__field(int, err)
	),

	TP_fast_assign(
		__entry->addr = addr;
		__entry->size = size;
		__entry->recycled = recycled;
		__entry->err = err;
	),

	TP_printk("addr=0x%lx size=0x%lx recycled=0x%lx err=%d", __entry->addr,
		  __entry->size, __entry->recycled, __entry->err)
);

DECLARE_EVENT_CLASS(chunk_range,

	TP_PROTO(unsigned long addr, unsigned long size, int err),

	TP_ARGS(addr, size, err),

	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, size)
		__field(int, err)
	),

	TP_fast_assign(
		__entry->addr = addr;
		__entry->size = size;
		__entry->err = err;
	),

	TP_printk("addr=0x%lx size=0x%lx err=%d", __entry->addr, __entry->size,
		  __entry->err)
);

DEFINE_EVENT(chunk_range, chunk_commit,
	TP_PROTO(unsigned long addr, unsigned long size, int err),
	TP_ARGS(addr, size, err)
);

DEFINE_EVENT(chunk_range, chunk_decommit,
	TP_PROTO(unsigned long addr, unsigned long size, int err),
	TP_ARGS(addr, size, err)
);

/* Address space mapped, before anybody asked for it */
DEFINE_EVENT(chunk_range, chunk_grow,
	TP_PROTO(unsigned long addr, unsigned long size, int err),
	TP_ARGS(addr, size, err)
);

/* Free address space returned to the system */
DEFINE_EVENT(chunk_range, chunk_trim,
	TP_PROTO(unsigned long addr, unsigned long size, int err),
	TP_ARGS(addr, size, err)
);

/* A free extent that became part of a larger one: both */
TRACE_EVENT(chunk_coalesce,

	TP_PROTO(unsigned long addr, unsigned long size, unsigned long into,
		 unsigned long into_size),

	TP_ARGS(addr, size, into, into_size),

	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, size)
		__field(unsigned long, into)
		__field(unsigned long, into_size)
	),

	TP_fast_assign(
		__entry->addr = addr;
		__entry->size = size;
		__entry->into = into;
		__entry->into_size = into_size;
	),

	TP_printk("addr=0x%lx size=0x%lx into=0x%lx into_size=0x%lx", __entry->addr,
		  __entry->size, __entry->into, __entry->into_size)
);

TRACE_EVENT(chunk_zap,

	TP_PROTO(unsigned long addr, unsigned long size, u64 ns, int err),

	TP_ARGS(addr, size, ns, err),

	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, size)
		__field(u64, ns)
		__field(int, err)
	),

	TP_fast_assign(
		__entry->addr = addr;
		__entry->size = size;
		__entry->ns = ns;
		__entry->err = err;
	),

	TP_printk("addr=0x%lx size=0x%lx ns=%llu err=%d", __entry->addr,
		  __entry->size, __entry->ns, __entry->err)
);

TRACE_EVENT(chunk_trap,

	TP_PROTO(unsigned long addr, bool write),

	TP_ARGS(addr, write),

	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(bool, write)
	),

	TP_fast_assign(
		__entry->addr = addr;
		__entry->write = write;
	),

	TP_printk("addr=0x%lx write=%d", __entry->addr, __entry->write)
);

/* Of any process: the current one is whoever wanted memory. */
TRACE_EVENT(chunk_discard,

	TP_PROTO(unsigned long addr, unsigned long size, pid_t owner),

	TP_ARGS(addr, size, owner),

	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, size)
		__field(pid_t, owner)
	),

	TP_fast_assign(
		__entry->addr = addr;
		__entry->size = size;
		__entry->owner = owner;
	),

	TP_printk("addr=0x%lx size=0x%lx owner=%d", __entry->addr, __entry->size,
		  __entry->owner)
);

#endif /* CHUNK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE chunk_trace
#include <trace/define_trace.h>
