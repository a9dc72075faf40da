//! Buffers: the memory that large blocks are read or received into, used over and over. New memory costs the kernel
//! as much as filling it, and a stream needs only a few buffers at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Less takes memory of its own: the allocator is good at that.
const POOLED_BYTES_MIN: usize = 128 * 1024;
/// Buffers are multiples of this, so that blocks of nearly one size share them.
const UNIT_BYTES: usize = 64 * 1024;

/// Buffers that wait for their next use.
#[derive(Debug)]
pub struct Buffers {
    bytes_max: usize,
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// Memory for one block or message. Dropped, it goes back to where it came from.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    home: Option<Arc<Buffers>>,
}

impl Buffers {
    /// Keeps at most so many bytes for their next use.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, free: Mutex::default() })
    }

    /// Memory of `length` bytes, holding anything.
    pub fn take(self: &Arc<Self>, length: usize) -> Buffer {
        if length < POOLED_BYTES_MIN {
            return Buffer::owned(length);
        }
        self.take_free(length).unwrap_or_else(|| {
            let bytes = vec![0; length.next_multiple_of(UNIT_BYTES)];
            Buffer { bytes, length, home: Some(Arc::clone(self)) }
        })
    }

    /// The same out of what waits here, or nothing: for a length that somebody only claims.
    pub fn take_free(self: &Arc<Self>, length: usize) -> Option<Buffer> {
        let mut free = self.free();
        // Not one that is much too large: what is made of it counts as `length` bytes everywhere else.
        let fits = |buffer: &Vec<u8>| (length..=2 * length).contains(&buffer.len());
        let at = free.buffers.iter().rposition(fits)?;
        let bytes = free.buffers.swap_remove(at);
        free.bytes -= bytes.len();
        drop(free);
        Some(Buffer { bytes, length, home: Some(Arc::clone(self)) })
    }

    /// Memory that was filled elsewhere and comes here when it is dropped.
    pub fn adopt(self: &Arc<Self>, bytes: Vec<u8>) -> Bytes {
        let home = (bytes.len() >= POOLED_BYTES_MIN).then(|| Arc::clone(self));
        Buffer { length: bytes.len(), bytes, home }.into_bytes()
    }

    /// Frees all that wait; says how many bytes they were.
    pub fn clear(&self) -> u64 {
        std::mem::take(&mut *self.free()).bytes as u64
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let mut free = self.free();
        if free.bytes + bytes.len() <= self.bytes_max {
            free.bytes += bytes.len();
            free.buffers.push(bytes);
        }
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    /// Memory that belongs to its user, exactly as much as is needed.
    pub fn owned(length: usize) -> Self {
        Self { bytes: vec![0; length], length, home: None }
    }

    /// All of it.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// What is in it, shared from now on; the memory goes back with the last slice.
    pub fn into_bytes(mut self) -> Bytes {
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

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
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

    const BYTES_MAX: usize = 4 << 20;

    #[test]
    fn large_buffers_come_back_and_are_bounded() {
        let buffers = Buffers::new(BYTES_MAX);
        let bytes = buffers.take(1 << 20).into_bytes();
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(buffers.free().bytes, 0, "a slice still uses it");
        drop(slice);
        assert_eq!(buffers.free().bytes, 1 << 20);
        let again = buffers.take((1 << 20) - 5);
        assert_eq!((again.as_slice().len(), buffers.free().bytes), ((1 << 20) - 5, 0));
        // Too large a buffer would hide what a small block really takes.
        drop(again);
        assert_eq!(buffers.take(200_000).bytes.len(), 200_000_usize.next_multiple_of(UNIT_BYTES));
        drop((0..64).map(|_| buffers.take(1 << 20)).collect::<Vec<_>>());
        assert!(buffers.free().bytes <= BYTES_MAX);
    }

    #[test]
    fn small_ones_are_their_readers_own() {
        let buffers = Buffers::new(BYTES_MAX);
        drop(buffers.take(1000).into_bytes());
        assert_eq!(buffers.free().bytes, 0);
    }

    #[test]
    fn what_is_adopted_is_lent_out_and_a_mere_claim_makes_nothing() {
        let buffers = Buffers::new(BYTES_MAX);
        assert!(buffers.take_free(1 << 20).is_none());
        drop(buffers.adopt(vec![7; 1 << 20]));
        drop(buffers.adopt(vec![7; 1000]));
        assert_eq!(buffers.free().bytes, 1 << 20);
        assert!(buffers.take_free(1000).is_none());
        let mut again = buffers.take_free((1 << 20) - 3).unwrap();
        again.as_mut().fill(9);
        assert_eq!(again.into_bytes(), vec![9; (1 << 20) - 3]);
    }
}
