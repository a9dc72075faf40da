//! Memory: how the system's allocator keeps what was freed.
//!
//! The C library's allocator makes up to eight heaps for each processor and hands every new thread another one. What
//! a thread frees stays in its heap. With a pool of threads that take turns, each heap grows to what the largest turn
//! needed: an import of a million blocks took two and a half times what it had in use.

/// Heaps of this process: enough that two busy threads seldom meet.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 2;
/// Allocations of this many bytes are the system's own pages, and go back to it when they are freed. Larger than any
/// block, since new pages cost as much as filling them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const PAGES_BYTES_MIN: libc::c_int = 4 * 1024 * 1024;
/// Free bytes at the end of a heap that are kept for the next allocation.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES_MAX: libc::c_int = 8 * 1024 * 1024;

/// Bounds what the allocator keeps. A program that runs a node calls it once, before it starts threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator is set up by a call into the C library, and by nothing else")]
pub fn bound_heaps() {
    // SAFETY: mallopt takes numbers, and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, PAGES_BYTES_MIN);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
    }
}

/// Gives free memory back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "only the C library knows what its allocator has free")]
pub(crate) fn give_back() {
    // SAFETY: malloc_trim takes a number, locks each heap while it looks through it, and moves nothing.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn bound_heaps() {}

/// Other allocators give back by themselves, or not.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
