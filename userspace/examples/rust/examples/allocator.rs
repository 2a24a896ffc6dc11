// SPDX-License-Identifier: MIT
//! A global allocator whose large blocks are chunks: a use after free traps. Small
//! blocks are the system's.

use chunk_sys::*;
use std::alloc::{GlobalAlloc, Layout, System};

const CHUNK: usize = 1 << 20;

struct Chunks;

/// The bytes of the extent for a layout, or nothing if it is not for chunks
fn extent(layout: &Layout) -> Option<usize> {
    if layout.size() < CHUNK {
        return None;
    }
    // A layout's size is at most isize::MAX, so this does not overflow.
    Some((layout.size() + CHUNK - 1) & !(CHUNK - 1))
}

unsafe impl GlobalAlloc for Chunks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match extent(&layout) {
            Some(size) => chunk_alloc(size, layout.align().max(CHUNK), false).cast(),
            None => System.alloc(layout),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match extent(&layout) {
            // Chunks are zero.
            Some(_) => self.alloc(layout),
            None => System.alloc_zeroed(layout),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match extent(&layout) {
            Some(size) => chunk_dealloc(block.cast(), size, UNKNOWN_CHUNK),
            None => System.dealloc(block, layout),
        }
    }
}

#[global_allocator]
static CHUNKS: Chunks = Chunks;

fn stats() -> chunk_stats {
    let mut stats = chunk_stats::default();
    unsafe { chunk_get_stats_sized(&mut stats, std::mem::size_of::<chunk_stats>()) };
    stats
}

fn main() {
    let mut large = vec![0u8; 10 * CHUNK + 1];
    let address = large.as_ptr();
    assert_eq!(address as usize % CHUNK, 0);
    assert!(unsafe { chunk_is_live(address.cast()) });
    assert_eq!(stats().live_bytes - stats().base_bytes, 11 * CHUNK as u64);
    large.iter_mut().for_each(|byte| *byte = 1);
    large.resize(20 * CHUNK, 2);
    assert_eq!((large[10 * CHUNK], large[20 * CHUNK - 1]), (1, 2));
    drop(large);
    assert!(!unsafe { chunk_is_live(address.cast()) });

    let small = vec![1u8; 1000];
    assert!(!unsafe { chunk_is_live(small.as_ptr().cast()) });
    println!("{} extents allocated, {} given back", stats().allocs, stats().deallocs);
}
