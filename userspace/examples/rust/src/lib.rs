// SPDX-License-Identifier: MIT
//! The functions of libchunk, as `chunk.h` documents them.
#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_void};

/// Known contents of an extent, an `enum chunk_type`
pub type chunk_type = u32;
pub const UNKNOWN_CHUNK: chunk_type = 0;
pub const ZEROED_CHUNK: chunk_type = 1;
pub const ARENA_CHUNK: chunk_type = 2;
pub const HUGE_CHUNK: chunk_type = 3;
pub const RECYCLED_CHUNK: chunk_type = 4;

/// The memory behind chunks, an `enum chunk_backing`
pub type chunk_backing = u32;
pub const GUARDED_BACKING: chunk_backing = 0;
pub const HUGE_BACKING: chunk_backing = 1;

/// The memory of deallocated extents, an `enum chunk_reuse`
pub type chunk_reuse = u32;
pub const REUSE_TRAPPED: chunk_reuse = 0;
pub const REUSE_OFFERED: chunk_reuse = 1;

/// How `chunk_offer()` offers, an `enum chunk_offer_way`
pub type chunk_offer_way = u32;
pub const OFFER_NONE: chunk_offer_way = 0;
pub const OFFER_ADVICE: chunk_offer_way = 1;
pub const OFFER_CALLS: chunk_offer_way = 2;
pub const OFFER_WORDS: chunk_offer_way = 3;

/// The owner of an address, an `enum chunk_where`
pub type chunk_where = u32;
pub const NO_CHUNK: chunk_where = 0;
pub const LIVE_CHUNK: chunk_where = 1;
pub const FREE_CHUNK: chunk_where = 2;

/// Counters of this process; `chunk_get_stats_sized()` fills in as many as there are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct chunk_stats {
    pub live_bytes: u64,
    pub live_chunks: u64,
    pub decommitted_bytes: u64,
    pub recycled_bytes: u64,
    pub recycle_limit: u64,
    pub mapped_bytes: u64,
    pub base_bytes: u64,
    pub allocs: u64,
    pub allocs_recycled: u64,
    pub deallocs: u64,
    pub commits: u64,
    pub decommits: u64,
    pub untrapped: u64,
    pub offered_bytes: u64,
    pub offered_taken: u64,
    pub offered_discarded: u64,
    pub retained_bytes: u64,
    pub word_offered_bytes: u64,
    pub word_discards: u64,
    pub traps: u64,
    pub mapping_room: u64,
}

/// One element of a batch
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct chunk_op {
    pub addr: *mut c_void,
    pub size: usize,
    pub alignment: usize,
    pub type_: chunk_type,
    pub error: i32,
}

/// The state of the memory at an address; `size` is to be set before.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct chunk_info {
    pub size: usize,
    pub where_: chunk_where,
    pub committed: bool,
    pub start: *mut c_void,
    pub length: usize,
    pub end: *mut c_void,
}

/// Waiting for memory that the system refuses
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct chunk_stall {
    pub attempts: u32,
    pub delay_ms: u32,
}

extern "C" {
    pub fn chunks_init();
    pub fn chunk_configure(backing: chunk_backing, grow: usize) -> bool;
    pub fn chunk_alloc(size: usize, alignment: usize, base: bool) -> *mut c_void;
    pub fn chunk_alloc_populated(size: usize, alignment: usize) -> *mut c_void;
    pub fn chunk_alloc_decommitted(size: usize, alignment: usize) -> *mut c_void;
    pub fn chunk_alloc_dirty(size: usize, alignment: usize, zero: *mut bool) -> *mut c_void;
    pub fn chunk_set_reuse(reuse: chunk_reuse, limit: usize) -> bool;
    pub fn chunk_dealloc(chunk: *mut c_void, size: usize, kind: chunk_type);
    pub fn chunk_offer_way() -> chunk_offer_way;
    pub fn chunk_offer(chunk: *mut c_void, size: usize);
    pub fn chunk_reclaim(chunk: *mut c_void, size: usize) -> bool;
    pub fn pages_map(addr: *mut c_void, size: usize) -> *mut c_void;
    pub fn pages_unmap(addr: *mut c_void, size: usize);
    pub fn pages_commit(addr: *mut c_void, size: usize) -> bool;
    pub fn pages_populate(addr: *mut c_void, size: usize) -> bool;
    pub fn pages_decommit(addr: *mut c_void, size: usize);
    pub fn pages_purge(addr: *mut c_void, length: usize, force_zero: bool) -> bool;
    pub fn chunk_alloc_batch(ops: *mut chunk_op, count: usize) -> usize;
    pub fn chunk_dealloc_batch(ops: *mut chunk_op, count: usize);
    pub fn pages_commit_batch(ops: *mut chunk_op, count: usize) -> usize;
    pub fn pages_decommit_batch(ops: *mut chunk_op, count: usize);
    pub fn chunk_assert_zero(p: *const c_void, size: usize);
    pub fn chunk_is_live(addr: *const c_void) -> bool;
    pub fn chunk_lookup(addr: *const c_void, info: *mut chunk_info) -> bool;
    pub fn chunk_recycled_bytes() -> usize;
    pub fn chunk_set_recycle_limit(bytes: usize) -> usize;
    pub fn chunk_backend() -> *const c_char;
    pub fn chunk_backend_reason() -> *const c_char;
    pub fn chunk_get_stats_sized(stats: *mut chunk_stats, size: usize);
    pub fn chunk_get_stall(stall: *mut chunk_stall) -> bool;
    pub fn chunk_set_stall(stall: *const chunk_stall) -> bool;
    pub fn chunk_set_child(child: bool);
}
