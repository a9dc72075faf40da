//! `multibase`: bytes as text and back.

use bytes::Bytes;
use ipse_base::Base;

use crate::Failure;
use crate::context::{Context, base_named};
use crate::reply::Reply;

/// A file to convert, in bytes at the most: bases that are no power of two take time that grows with its square.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

async fn file(context: &mut Context) -> Result<Bytes, Failure> {
    let too_large = || Failure::invalid(format!("only files up to {FILE_BYTES_MAX} bytes are converted"));
    Ok(context.upload()?.next_file(FILE_BYTES_MAX, too_large).await?.unwrap_or_default())
}

fn base(context: &Context) -> Result<Base, Failure> {
    base_named(&context.invocation.string("b").unwrap_or_default())
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::invalid(format!("failed to decode multibase: {error}"));
    let text = std::str::from_utf8(text).map_err(|error| failed(&error))?;
    let (_, bytes) = Base::decode(text).map_err(|error| failed(&error))?;
    Ok(bytes)
}

pub(super) async fn encode(mut context: Context) -> Result<Reply, Failure> {
    let base = base(&context)?;
    let content = file(&mut context).await?;
    Ok(Reply::text(base.encode(&content)))
}

pub(super) async fn decode(mut context: Context) -> Result<Reply, Failure> {
    Ok(Reply::text(decoded(&file(&mut context).await?)?))
}

pub(super) async fn transcode(mut context: Context) -> Result<Reply, Failure> {
    let base = base(&context)?;
    Ok(Reply::text(base.encode(&decoded(&file(&mut context).await?)?)))
}
