//! Rope: bytes as they were fed, in pieces, read from the front. What lies in one piece is taken without a copy.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use ipse_base::varint::{self, VarintError};

#[derive(Default)]
pub(super) struct Rope {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl Rope {
    pub(super) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.length += piece.len();
            self.pieces.push_back(piece);
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Takes bytes off the front, if so many are here. Allocates no more than is here.
    pub(super) fn take(&mut self, length: usize) -> Option<Bytes> {
        if length > self.length {
            return None;
        }
        self.length -= length;
        if let Some(front) = self.pieces.front_mut()
            && front.len() >= length
        {
            let taken = front.split_to(length);
            if front.is_empty() {
                self.pieces.pop_front();
            }
            return Some(taken);
        }
        let mut taken = BytesMut::with_capacity(length);
        while taken.len() < length {
            let mut piece = self.pieces.pop_front()?;
            let part = piece.split_to(piece.len().min(length - taken.len()));
            taken.extend_from_slice(&part);
            if !piece.is_empty() {
                self.pieces.push_front(piece);
            }
        }
        Some(taken.freeze())
    }

    /// Drops up to so many bytes off the front; tells how many there were.
    pub(super) fn skip(&mut self, length: u64) -> u64 {
        let mut left = usize::try_from(length).unwrap_or(usize::MAX).min(self.length);
        let skipped = left as u64;
        self.length -= left;
        while left > 0
            && let Some(front) = self.pieces.front_mut()
        {
            let part = front.len().min(left);
            left -= part;
            if part == front.len() {
                self.pieces.pop_front();
            } else {
                let _ = front.split_to(part);
            }
        }
        skipped
    }

    /// The varint at the front and the bytes it takes, left where it is; `None` until it is whole.
    pub(super) fn peek_varint(&self) -> Result<Option<(u64, usize)>, VarintError> {
        let mut front = [0; 10];
        let mut length = 0;
        for (slot, &byte) in front.iter_mut().zip(self.pieces.iter().flatten()) {
            *slot = byte;
            length += 1;
        }
        match varint::read(&front[..length]) {
            Ok((value, rest)) => Ok(Some((value, length - rest.len()))),
            Err(VarintError::Short) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
