//! `cat`: files as one stream of bytes.

use futures::StreamExt;
use ipse_node::FileStream;

use crate::Failure;
use crate::context::Context;
use crate::reply::{ByteReply, Reply};

pub(super) async fn cat(context: Context) -> Result<Reply, Failure> {
    let number = |name: &str| match context.invocation.int(name) {
        None => Ok(None),
        Some(given) => u64::try_from(given)
            .map(Some)
            .map_err(|_| Failure::invalid(format!("cannot specify negative {name}"))),
    };
    let (mut offset, mut left) = (number("offset")?.unwrap_or(0), number("length")?);
    let node = context.node()?;
    let mut files: Vec<FileStream> = Vec::new();
    // Offset and length count over all files, as if they were one.
    for path in context.paths()? {
        if left == Some(0) {
            break;
        }
        let file = node.cat(&path, offset, left).await?;
        offset = offset.saturating_sub(file.size);
        left = left.map(|left| left.saturating_sub(file.length));
        files.push(file);
    }
    let length = files.iter().map(|file| file.length).sum();
    let bytes = files.into_iter().map(|file| file.bytes.map(|chunk| chunk.map_err(Failure::from)));
    Ok(Reply::Bytes(ByteReply {
        stream: futures::stream::iter(bytes).flatten().boxed(),
        content_type: "text/plain",
        length: Some(length),
    }))
}
