//! `repo backup`: segments as a stream of frames.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use ipse_api::{BackupBegin, BackupEnd, BackupFrame, BackupSegment, Held, Marker};
use ipse_node::{BackupPart, HeldSegment};

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

pub(super) async fn backup(context: Context) -> Result<Reply, Failure> {
    let have = context.invocation.arguments.iter().map(|text| {
        let Held { number, marker, length } = text.parse()?;
        Ok(HeldSegment { number, marker: marker.0, length })
    });
    let have = have.collect::<Result<Vec<_>, Failure>>()?;
    let node = context.node()?;
    let peer = node.peer_id().to_string();
    let parts = node.backup(have).map(move |part| -> Result<_, Failure> {
        let (head, content) = frame(part?, &peer).encode()?;
        let pieces = [head, content].into_iter().filter(|piece| !piece.is_empty());
        Ok(stream::iter(pieces.map(Ok)))
    });
    let magic = stream::iter([Ok(Bytes::from_static(&BackupFrame::MAGIC))]);
    Ok(Reply::bytes(magic.chain(parts.try_flatten()), "application/octet-stream"))
}

fn frame(part: BackupPart, peer: &str) -> BackupFrame {
    match part {
        BackupPart::Begin { bytes } => BackupFrame::Begin(BackupBegin { peer: peer.to_owned(), bytes }),
        BackupPart::Segment { number, marker, from } => {
            BackupFrame::Segment(BackupSegment { number, marker: Marker(marker), from })
        }
        BackupPart::Data(bytes) => BackupFrame::Data(bytes.into()),
        BackupPart::Zeros(count) => BackupFrame::Zeros(count),
        BackupPart::End { segments, blocks } => {
            let held = |held: HeldSegment| Held {
                number: held.number,
                marker: Marker(held.marker),
                length: held.length,
            };
            BackupFrame::End(BackupEnd { segments: segments.into_iter().map(held).collect(), blocks })
        }
    }
}
