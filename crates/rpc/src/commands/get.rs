//! `get`: a file or folder as one archive, or a file compressed.

use std::collections::VecDeque;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context as PollContext, Poll};

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use ipse_node::{NodeKind, TreeEvent};

use super::archive::Archive;
use crate::Failure;
use crate::context::Context;
use crate::reply::{ByteReply, Reply};

type Chunks = BoxStream<'static, Result<Bytes, Failure>>;

pub(super) async fn get(context: Context) -> Result<Reply, Failure> {
    let compression = compression(&context)?;
    let node = context.node()?;
    let path = context.path(0)?;
    let stat = node.unixfs_stat(&path).await?;
    let file = matches!(stat.kind, NodeKind::File | NodeKind::Raw);
    let events = node.tree(&path).await?.map(|event| event.map_err(Failure::from));
    let plain: Chunks = if context.invocation.bool("archive") || compression.is_none() {
        archived(events).boxed()
    } else if file {
        content(events).boxed()
    } else {
        return Err(Failure::invalid("file is not regular"));
    };
    let (stream, content_type) = match compression {
        Some(level) => (compressed(plain, level), "application/gzip"),
        None => (plain, "application/x-tar"),
    };
    let length = file.then_some(stat.size);
    Ok(Reply::Bytes(ByteReply { stream, content_type, length }))
}

fn compression(context: &Context) -> Result<Option<Compression>, Failure> {
    if !context.invocation.bool("compress") {
        return Ok(None);
    }
    match context.invocation.int("compression-level").map(u32::try_from) {
        None => Ok(Some(Compression::default())),
        Some(Ok(level @ 1..=9)) => Ok(Some(Compression::new(level))),
        Some(_) => Err(Failure::invalid("compression level must be between 1 and 9")),
    }
}

/// Only the bytes of the files.
fn content(
    events: impl futures::Stream<Item = Result<TreeEvent, Failure>> + Send + 'static,
) -> impl futures::Stream<Item = Result<Bytes, Failure>> + Send + 'static {
    events.filter_map(|event| {
        futures::future::ready(match event {
            Ok(TreeEvent::Bytes(bytes)) => Some(Ok(bytes)),
            Ok(_) => None,
            Err(failure) => Some(Err(failure)),
        })
    })
}

/// A TAR archive of everything, in chunks of a useful size: headers, padding and small files are gathered as long
/// as they are at hand, since each chunk costs a system call and a line of the transfer encoding.
struct Archived<S> {
    events: S,
    archive: Archive,
    gathered: BytesMut,
    /// What goes out after what is gathered.
    behind: VecDeque<Result<Bytes, Failure>>,
    over: bool,
}

/// Bytes that leave without waiting for more.
const GATHERED_BYTES: usize = 64 * 1024;
/// A piece of this length leaves by itself, uncopied.
const LARGE_BYTES: usize = 32 * 1024;

fn archived<S>(events: S) -> Archived<S> {
    let (archive, gathered, behind) = (Archive::now(), BytesMut::new(), VecDeque::new());
    Archived { events, archive, gathered, behind, over: false }
}

impl<S> Archived<S> {
    fn take(&mut self, event: Option<Result<TreeEvent, Failure>>) {
        match event.map(|event| event.and_then(|event| self.archive.event(event))) {
            Some(Ok(pieces)) => pieces.into_iter().for_each(|piece| self.push(piece)),
            Some(Err(failure)) => {
                self.behind.push_back(Err(failure));
                self.over = true;
            }
            None => {
                self.push(Archive::end());
                self.over = true;
            }
        }
    }

    fn push(&mut self, piece: Bytes) {
        if piece.len() >= LARGE_BYTES || !self.behind.is_empty() {
            self.behind.push_back(Ok(piece));
        } else {
            self.gathered.extend_from_slice(&piece);
        }
    }

    /// The next chunk, if it should leave; `idle` where nothing more is at hand.
    fn chunk(&mut self, idle: bool) -> Option<Result<Bytes, Failure>> {
        let due = idle || self.over || !self.behind.is_empty() || self.gathered.len() >= GATHERED_BYTES;
        if due && !self.gathered.is_empty() {
            return Some(Ok(self.gathered.split().freeze()));
        }
        self.behind.pop_front()
    }
}

impl<S> Stream for Archived<S>
where
    S: Stream<Item = Result<TreeEvent, Failure>> + Unpin,
{
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut PollContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(chunk) = this.chunk(false) {
                return Poll::Ready(Some(chunk));
            }
            if this.over {
                return Poll::Ready(None);
            }
            match this.events.poll_next_unpin(context) {
                Poll::Ready(event) => this.take(event),
                Poll::Pending => {
                    return this.chunk(true).map_or(Poll::Pending, |chunk| Poll::Ready(Some(chunk)));
                }
            }
        }
    }
}

/// What `plain` yields, compressed; the compressor's own buffer decides when something comes out.
fn compressed(plain: Chunks, level: Compression) -> Chunks {
    let encoder = GzEncoder::new(Vec::new(), level);
    futures::stream::try_unfold(Some((plain, encoder)), |state| async move {
        let Some((mut plain, mut encoder)) = state else { return Ok(None) };
        while let Some(chunk) = plain.next().await.transpose()? {
            encoder.write_all(&chunk).map_err(|error| broken(&error))?;
            if !encoder.get_ref().is_empty() {
                let out = std::mem::take(encoder.get_mut());
                return Ok(Some((Bytes::from(out), Some((plain, encoder)))));
            }
        }
        let rest = encoder.finish().map_err(|error| broken(&error))?;
        Ok(Some((Bytes::from(rest), None)))
    })
    .boxed()
}

/// Writing to memory does not fail; if it does, that is a mistake of ours.
fn broken(error: &std::io::Error) -> Failure {
    Failure::new(ipse_base::Kind::Internal, format!("the compressor failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[tokio::test]
    async fn small_files_leave_together_and_large_pieces_as_they_are() {
        let large = Bytes::from(vec![7; 100_000]);
        let file = |path: &str, content: &Bytes| {
            let (path, size) = (path.to_owned(), content.len() as u64);
            let head = TreeEvent::File { path, size, mode: None, mtime: None };
            [Ok(head), Ok(TreeEvent::Bytes(content.clone())), Ok(TreeEvent::FileEnd)]
        };
        let small = Bytes::from(vec![1; 600]);
        let mut events: Vec<_> = (0..200).flat_map(|n| file(&format!("f{n}"), &small)).collect();
        events.extend(file("g", &large));
        events.extend(file("h", &small));
        let chunks: Vec<Bytes> = archived(futures::stream::iter(events)).map(Result::unwrap).collect().await;
        let sizes: Vec<usize> = chunks.iter().map(Bytes::len).collect();
        // 200 files of 1,536 bytes with their headers, the large one by itself, and the rest with the end.
        assert_eq!(sizes.iter().sum::<usize>(), 201 * 1536 + 512 + 100_352 + 1024);
        assert!(sizes.len() <= 8, "{sizes:?}");
        assert!(chunks.iter().any(|chunk| chunk.as_ptr() == large.as_ptr()), "not copied");
        let names = tar::Archive::new(&chunks.concat()[..]).entries().unwrap().count();
        assert_eq!(names, 202);

        let failing = [file("a", &small)[0].clone(), Err(Failure::invalid("x"))];
        let mut cut = archived(futures::stream::iter(failing));
        assert_eq!(cut.next().await.unwrap().unwrap().len(), 512);
        assert_eq!(cut.next().await.unwrap().unwrap_err(), Failure::invalid("x"));
        assert!(cut.next().await.is_none());
    }

    #[tokio::test]
    async fn what_is_compressed_reads_back() {
        let pieces: Vec<_> = (0..200u32).map(|n| Bytes::from(vec![n.to_le_bytes()[0]; 5000])).collect();
        let plain = futures::stream::iter(pieces.clone()).map(Ok).boxed();
        let packed: Vec<Bytes> = compressed(plain, Compression::new(1)).map(Result::unwrap).collect().await;
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(packed.concat().as_slice()).read_to_end(&mut text).unwrap();
        assert_eq!(text, pieces.concat());
    }
}
