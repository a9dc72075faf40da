//! Buffers: the memory that large blocks are read into, used over and over. New memory costs the kernel as much
//! as filling it, and a stream needs only a few buffers at a time.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ipse_base::limits::READ_POOL_BYTES_MAX;

use crate::lock;

/// Shorter reads take memory of their own: the allocator is good at those.
const POOLED_BYTES_MIN: usize = 128 * 1024;
/// Buffers are multiples of this, so that blocks of nearly one size share them.
const UNIT_BYTES: usize = 64 * 1024;

/// Buffers that wait for their next use.
#[derive(Default)]
pub(crate) struct Buffers {
    free: Mutex<Free>,
}

#[derive(Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// Memory for one read. Dropped, it goes back to where it came from.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    home: Option<Arc<Buffers>>,
}

impl Buffers {
    /// Memory of `length` bytes, holding anything.
    pub(crate) fn take(self: &Arc<Self>, length: usize) -> Buffer {
        if length < POOLED_BYTES_MIN {
            return Buffer::owned(length);
        }
        let mut free = lock(&self.free);
        // Not one that is much too large: what is made of it counts as `length` bytes everywhere else.
        let fits = |buffer: &Vec<u8>| (length..=2 * length).contains(&buffer.len());
        let found = free.buffers.iter().rposition(fits);
        let bytes = found.map(|at| free.buffers.swap_remove(at));
        free.bytes -= bytes.as_ref().map_or(0, Vec::len);
        drop(free);
        let bytes = bytes.unwrap_or_else(|| vec![0; length.next_multiple_of(UNIT_BYTES)]);
        Buffer { bytes, length, home: Some(Arc::clone(self)) }
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let mut free = lock(&self.free);
        if free.bytes + bytes.len() <= READ_POOL_BYTES_MAX {
            free.bytes += bytes.len();
            free.buffers.push(bytes);
        }
    }
}

impl Buffer {
    /// Memory that belongs to its reader, exactly as much as it needs.
    pub(crate) fn owned(length: usize) -> Self {
        Self { bytes: vec![0; length], length, home: None }
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn into_bytes(mut self) -> Bytes {
        match self.home {
            None => Bytes::from(std::mem::take(&mut self.bytes)),
            Some(_) => Bytes::from_owner(self),
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_come_back_and_are_bounded() {
        let buffers = Arc::<Buffers>::default();
        let bytes = buffers.take(1 << 20).into_bytes();
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(lock(&buffers.free).bytes, 0, "a slice still uses it");
        drop(slice);
        assert_eq!(lock(&buffers.free).bytes, 1 << 20);
        let again = buffers.take((1 << 20) - 5);
        assert_eq!((again.as_slice().len(), lock(&buffers.free).bytes), ((1 << 20) - 5, 0));
        // Too large a buffer would hide what a small block really takes.
        drop(again);
        assert_eq!(buffers.take(200_000).bytes.len(), 200_000_usize.next_multiple_of(UNIT_BYTES));
        drop((0..64).map(|_| buffers.take(1 << 20)).collect::<Vec<_>>());
        assert!(lock(&buffers.free).bytes <= READ_POOL_BYTES_MAX);
    }

    #[test]
    fn small_ones_are_their_readers_own() {
        let buffers = Arc::<Buffers>::default();
        drop(buffers.take(1000).into_bytes());
        assert_eq!(lock(&buffers.free).bytes, 0);
    }
}
