//! Frame: bytes of an answer on their way to the connection, in as many pieces as the blocks they come from,
//! so that one `writev` sends them without copying.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};
use tokio::sync::OwnedSemaphorePermit;

/// A part of a body. It gives back what it counts for when it is sent or dropped.
#[derive(Debug, Default)]
pub struct Frame {
    first: Bytes,
    rest: VecDeque<Bytes>,
    length: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Frame {
    /// A frame of no more than a few pieces takes no memory of its own.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        match self.first.is_empty() {
            true => self.first = piece,
            false => self.rest.push_back(piece),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn pieces(&self) -> usize {
        self.rest.len() + usize::from(!self.first.is_empty())
    }

    /// The frame, counted until it is sent.
    pub(crate) fn counted(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permit = Some(permit);
        self
    }
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        Self { length: bytes.len(), first: bytes, ..Self::default() }
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn advance(&mut self, mut count: usize) {
        self.length -= count;
        loop {
            let here = count.min(self.first.len());
            self.first.advance(here);
            count -= here;
            if !self.first.is_empty() {
                return;
            }
            match self.rest.pop_front() {
                Some(next) => self.first = next,
                None => return,
            }
        }
    }

    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let mut pieces = std::iter::once(&self.first).chain(&self.rest).filter(|piece| !piece.is_empty());
        let mut count = 0;
        for (slot, piece) in out.iter_mut().zip(&mut pieces) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_order_however_they_are_taken() {
        bolero::check!().with_type::<(Vec<Vec<u8>>, u8)>().for_each(|(pieces, step)| {
            let mut frame = Frame::default();
            pieces.iter().for_each(|piece| frame.push(piece.clone().into()));
            let want = pieces.concat();
            let mut slots = vec![IoSlice::new(&[]); pieces.len()];
            let filled = frame.chunks_vectored(&mut slots);
            assert_eq!(slots[..filled].iter().flat_map(|slot| slot.to_vec()).collect::<Vec<_>>(), want);
            let mut got = Vec::new();
            while frame.has_remaining() {
                let count = frame.chunk().len().min(usize::from(*step) + 1);
                assert!(count > 0);
                got.extend_from_slice(&frame.chunk()[..count]);
                frame.advance(count);
            }
            assert_eq!(got, want);
            assert!(frame.is_empty());
        });
    }
}
