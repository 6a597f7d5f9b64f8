//! The allocator of this library. A run takes and gives back a score of blocks, always of the same few
//! sizes; here they are kept by thread and size, which costs a few instructions instead of a walk
//! through the C library's lists. That is possible because Rust says a block's size again when it frees
//! it. What is larger, or more than a thread keeps, is the C library's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// Sizes are rounded up to a multiple of this, which is also how blocks are aligned.
const STEP_BYTES: usize = 16;
const LARGEST_BYTES: usize = 2048;
const CLASSES: usize = LARGEST_BYTES / STEP_BYTES;
/// So many free blocks of one size a thread keeps, and no more than so many bytes of them.
const KEPT_MAX: usize = 64;
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// A free block: its first word is a link.
struct Free {
    next: *mut Free,
}

/// Free blocks of one size.
struct Shelf {
    first: Cell<*mut Free>,
    count: Cell<u32>,
}

impl Shelf {
    const EMPTY: Shelf = Shelf { first: Cell::new(ptr::null_mut()), count: Cell::new(0) };

    #[inline]
    fn take(&self) -> Option<*mut u8> {
        let block = self.first.get();
        if block.is_null() {
            return None;
        }
        self.first.set(unsafe { (*block).next });
        self.count.set(self.count.get() - 1);
        Some(block.cast())
    }

    /// False: it is full.
    #[inline]
    fn put(&self, block: *mut u8, class: usize) -> bool {
        if self.count.get() >= kept_max(class) {
            return false;
        }
        let block: *mut Free = block.cast();
        unsafe { (*block).next = self.first.get() };
        self.first.set(block);
        self.count.set(self.count.get() + 1);
        true
    }
}

struct Shelves([Shelf; CLASSES]);

/// At the end of its thread.
impl Drop for Shelves {
    fn drop(&mut self) {
        for (class, shelf) in self.0.iter().enumerate() {
            while let Some(block) = shelf.take() {
                unsafe { System.dealloc(block, class_layout(class)) };
            }
        }
    }
}

thread_local! {
    static SHELVES: Shelves = const { Shelves([Shelf::EMPTY; CLASSES]) };
}

#[inline]
fn kept_max(class: usize) -> u32 {
    KEPT_MAX.min(KEPT_BYTES_MAX / ((class + 1) * STEP_BYTES)) as u32
}

/// Of the blocks of one shelf. The first holds those of up to STEP_BYTES.
fn class_layout(class: usize) -> Layout {
    unsafe { Layout::from_size_align_unchecked((class + 1) * STEP_BYTES, STEP_BYTES) }
}

/// Which shelf, if any. Nobody asks for no bytes.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let fits = layout.size() <= LARGEST_BYTES && layout.align() <= STEP_BYTES;
    fits.then(|| layout.size().wrapping_sub(1) / STEP_BYTES).filter(|class| *class < CLASSES)
}

pub struct Allocator;

unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else { return unsafe { System.alloc(layout) } };
        // Not there any more while the thread ends.
        match SHELVES.try_with(|shelves| shelves.0[class].take()) {
            Ok(Some(block)) => block,
            _ => unsafe { System.alloc(class_layout(class)) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout) else { return unsafe { System.dealloc(block, layout) } };
        if SHELVES.try_with(|shelves| shelves.0[class].put(block, class)) != Ok(true) {
            unsafe { System.dealloc(block, class_layout(class)) };
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class_of(layout).is_none() {
            return unsafe { System.alloc_zeroed(layout) };
        }
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(wanted)) {
            (None, None) => return unsafe { System.realloc(block, layout, size) },
            (Some(now), Some(then)) if now == then => return block,
            _ => {}
        }
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            unsafe {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}
