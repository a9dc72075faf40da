//! `get`: a file or folder as one archive, or a file compressed.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use futures::stream::BoxStream;
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

/// A TAR archive of everything.
fn archived(
    events: impl futures::Stream<Item = Result<TreeEvent, Failure>> + Send + 'static,
) -> impl futures::Stream<Item = Result<Bytes, Failure>> + Send + 'static {
    let mut archive = Archive::now();
    let pieces = events.flat_map(move |event| {
        let pieces = event.and_then(|event| archive.event(event));
        futures::stream::iter(match pieces {
            Ok(pieces) => pieces.into_iter().map(Ok).collect(),
            Err(failure) => vec![Err(failure)],
        })
    });
    pieces.chain(futures::stream::once(async { Ok(Archive::end()) }))
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
    async fn what_is_compressed_reads_back() {
        let pieces: Vec<_> = (0..200u32).map(|n| Bytes::from(vec![n.to_le_bytes()[0]; 5000])).collect();
        let plain = futures::stream::iter(pieces.clone()).map(Ok).boxed();
        let packed: Vec<Bytes> = compressed(plain, Compression::new(1)).map(Result::unwrap).collect().await;
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(packed.concat().as_slice()).read_to_end(&mut text).unwrap();
        assert_eq!(text, pieces.concat());
    }
}
