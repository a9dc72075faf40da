//! Extract: a TAR archive from the node becomes files, on a thread of its own.
//!
//! The archive is hostile until shown otherwise. Invariants: nothing is written outside of the path that was
//! asked for; no component below it is ever a symbolic link that is followed; what stands in the way of a file
//! is replaced, never written through; set-user bits are dropped.

mod error;
mod feed;
mod place;
mod write;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tar::Archive;

pub(crate) use error::ExtractError;
use feed::{FeedReader, Feeder};

use crate::answer::Answer;
use crate::error::CliError;

/// Unpacks an answer to `output`; `progress` hears of each chunk's length.
pub(crate) async fn extract(
    answer: &mut Answer,
    output: PathBuf,
    progress: &mut dyn FnMut(u64),
) -> Result<(), CliError> {
    let (feeder, reader) = feed::pair();
    let writing = tokio::task::spawn_blocking(move || unpack(reader, output));
    let fed = feed(answer, feeder, progress).await;
    let written = writing.await.map_err(|_| ExtractError::Stopped)?;
    // A broken answer is the cause, and what the writer made of it only the consequence.
    fed?;
    Ok(written?)
}

async fn feed(answer: &mut Answer, feeder: Feeder, progress: &mut dyn FnMut(u64)) -> Result<(), CliError> {
    while let Some(chunk) = answer.chunk().await? {
        progress(chunk.len() as u64);
        if feeder.send(chunk).await.is_err() {
            // The writer has failed or has seen the archive's end; its own result tells which.
            return Ok(());
        }
    }
    feeder.finish().await;
    Ok(())
}

/// Where what is written is gone at once.
const NOWHERE: &str = "/dev/null";

fn unpack(reader: FeedReader, output: PathBuf) -> Result<(), ExtractError> {
    if output == Path::new(NOWHERE) {
        return reader.drain().map_err(ExtractError::Archive);
    }
    let mut archive = Archive::new(reader);
    let mut writer = write::Writer::new(output);
    for entry in archive.entries().map_err(ExtractError::Archive)? {
        writer.write(&mut entry.map_err(ExtractError::Archive)?)?;
    }
    writer.finish()?;
    // What is left behind the archive's end is read, so that a failure behind it is seen by the feeder.
    archive.into_inner().drain().map_err(ExtractError::Archive)
}

/// A chunk of the archive, or its end.
type Chunk = Option<Bytes>;

#[cfg(test)]
mod tests;
