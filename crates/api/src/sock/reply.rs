//! The reply: a status, bytes, and an end that is told, so that a reply that breaks off never looks whole.

use super::FRAME_CONTENT_BYTES_MAX;

/// Bytes of a header before the content.
const HEADER_BYTES: usize = 8;

const HEAD: u8 = 1;
const DATA: u8 = 2;
const END: u8 = 3;
const FAILURE: u8 = 4;

/// One frame towards the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyFrame {
    /// The status, as HTTP has it, and the content's type. Always first.
    Head(u16, String),
    /// More of the content.
    Data(Vec<u8>),
    /// It is complete.
    End,
    /// It ends here, for this reason.
    Failure(String),
}

/// Why bytes are not a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// No frame is of this kind.
    #[error("reply frame of unknown kind {0}")]
    Kind(u8),
    /// The content is longer than any that is sent.
    #[error("reply frame of {0} bytes")]
    Content(u32),
}

impl ReplyFrame {
    /// Appends the bytes of the frame. Content is at most a mebibyte.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Head(status, kind) => write(HEAD, *status, kind.as_bytes(), out),
            Self::Data(content) => write(DATA, 0, content, out),
            Self::End => write(END, 0, &[], out),
            Self::Failure(message) => write(FAILURE, 0, message.as_bytes(), out),
        }
    }
}

fn write(kind: u8, status: u16, content: &[u8], out: &mut Vec<u8>) {
    let content = &content[..content.len().min(FRAME_CONTENT_BYTES_MAX)];
    out.extend_from_slice(&[kind, 0]);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&(content.len() as u32).to_le_bytes());
    out.extend_from_slice(content);
}

/// Finds frames in bytes that come in pieces of any size.
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    pending: Vec<u8>,
    /// Bytes at the front that were handed on.
    done: usize,
}

impl ReplyDecoder {
    /// Takes bytes in.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.drain(..std::mem::take(&mut self.done));
        self.pending.extend_from_slice(bytes);
    }

    /// The next frame, or `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`ReplyError`]; nothing that follows means anything then.
    #[allow(clippy::should_implement_trait, reason = "an end here is no end of the stream")]
    pub fn next(&mut self) -> Result<Option<ReplyFrame>, ReplyError> {
        let bytes = &self.pending[self.done..];
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let (kind, status) = (header[0], u16::from_le_bytes([header[2], header[3]]));
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        if !(HEAD..=FAILURE).contains(&kind) {
            return Err(ReplyError::Kind(kind));
        }
        if length as usize > FRAME_CONTENT_BYTES_MAX {
            return Err(ReplyError::Content(length));
        }
        let total = HEADER_BYTES + length as usize;
        let Some(content) = bytes.get(HEADER_BYTES..total) else { return Ok(None) };
        let text = || String::from_utf8_lossy(content).into_owned();
        let frame = match kind {
            HEAD => ReplyFrame::Head(status, text()),
            DATA => ReplyFrame::Data(content.to_vec()),
            END => ReplyFrame::End,
            _ => ReplyFrame::Failure(text()),
        };
        self.done += total;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Result<Vec<ReplyFrame>, ReplyError> {
        let mut decoder = ReplyDecoder::default();
        let mut found = Vec::new();
        for bytes in bytes.chunks(piece.max(1)) {
            decoder.feed(bytes);
            while let Some(frame) = decoder.next()? {
                found.push(frame);
            }
        }
        Ok(found)
    }

    #[test]
    fn what_is_written_is_read() {
        let frames = [
            ReplyFrame::Head(200, "application/json".into()),
            ReplyFrame::Data(b"{}\n".to_vec()),
            ReplyFrame::Data(Vec::new()),
            ReplyFrame::Failure("the disk is full".into()),
            ReplyFrame::End,
        ];
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        for piece in [1, 7, 8, 9, bytes.len()] {
            assert_eq!(all(&bytes, piece).unwrap(), frames);
        }
        assert_eq!(all(&[0, 0, 0, 0, 0, 0, 0, 0], 8), Err(ReplyError::Kind(0)));
        assert_eq!(all(&[2, 0, 0, 0, 0, 0, 0, 1], 8), Err(ReplyError::Content(1 << 24)));
    }

    #[test]
    fn hostile_bytes_never_panic() {
        bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(piece, bytes)| {
            let _ = all(bytes, usize::from(*piece));
        });
    }
}
