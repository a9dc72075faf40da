//! Buffers that are used again: fresh memory of this size costs as much in page faults as a hash costs in work.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers that are kept for the next chunk; an add holds few more at a time.
const KEPT_MAX: usize = 64;

/// The buffers of one add. They go with it.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// A buffer of so many bytes, whatever they are.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Buffer {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_default();
        if memory.len() < bytes {
            memory.resize(bytes, 0);
        }
        Buffer { memory, bytes, home: Arc::clone(self) }
    }

    fn give_back(&self, memory: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(memory);
        }
    }
}

/// One buffer; it goes back when the last one who holds its bytes lets go of them.
pub(super) struct Buffer {
    memory: Vec<u8>,
    bytes: usize,
    home: Arc<Buffers>,
}

impl Buffer {
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.bytes]
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.bytes]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_with_its_last_holder() {
        let buffers = Arc::new(Buffers::default());
        let mut buffer = buffers.take(5);
        buffer.bytes_mut().copy_from_slice(b"hello");
        let address = buffer.as_ref().as_ptr();
        let bytes = buffer.freeze();
        let half = bytes.slice(2..);
        drop(bytes);
        assert_eq!(buffers.0.lock().unwrap().len(), 0);
        assert_eq!(half, "llo");
        drop(half);
        let again = buffers.take(3);
        assert_eq!((again.as_ref().as_ptr(), again.as_ref().len()), (address, 3));
    }
}
