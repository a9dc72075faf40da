//! Upload: local files as the body of a request.
//!
//! Path: `commands` → [`Upload::files`] → a thread that walks the file system (`walk`) and writes multipart
//! (`multipart`) → a bounded queue → the connection.
//! Why a thread: the file system blocks, and reading ahead of the connection is what overlaps the disk with the
//! node's hashing.

mod channel;
mod multipart;
mod stdin;
mod walk;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};

pub(crate) use stdin::{announce as announce_stdin, lines as stdin_lines};
pub(crate) use walk::{WalkOptions, total_bytes};

use crate::args::{FileInput, Source};
use channel::{Closed, Queue};
use multipart::{Multipart, Stamp};
use walk::{Found, FoundKind, Walk};

/// The body of a request.
pub(crate) type UploadBody = BoxBody<Bytes, io::Error>;

/// Bytes read from a file at once.
const READ_BYTES: usize = 1024 * 1024;

/// A body with what a request has to say about it.
pub(crate) struct Upload {
    /// The `Content-Type`.
    pub(crate) content_type: String,
    /// The bytes.
    pub(crate) body: UploadBody,
    /// What could not be read while the rest was sent.
    pub(crate) skipped: Skipped,
}

/// Counts the entries that could not be read; each was reported when it was met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skipped(Arc<AtomicUsize>);

impl Skipped {
    /// How many there were so far.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Tells a person about an entry that is left out.
pub(crate) type Report = Box<dyn Fn(&str) + Send>;

impl Upload {
    /// No body.
    pub(crate) fn none() -> Self {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        Self { content_type: "application/octet-stream".to_owned(), body, skipped: Skipped::default() }
    }

    /// Arguments as a body of lines, for when they are too many for an address.
    pub(crate) fn lines(lines: &[String]) -> Self {
        let mut form = Multipart::new();
        let mut bytes = form.head(b"stdin", Stamp::default(), multipart::FILE);
        for line in lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&form.end());
        let body = Full::from(bytes).map_err(|never| match never {}).boxed();
        Self { content_type: form.content_type(), body, skipped: Skipped::default() }
    }

    /// Files and folders, read while they are sent.
    pub(crate) fn files(files: Vec<FileInput>, options: WalkOptions, report: Report) -> io::Result<Self> {
        let (queue, body) = channel::pair();
        let mut form = Multipart::new();
        let content_type = form.content_type();
        let skipped = Skipped::default();
        let counter = skipped.clone();
        let send = move || {
            let skip = |text: &str| {
                counter.add();
                report(text);
            };
            // A closed queue means that the answer is here already: nobody reads on.
            let _ = send_files(files, options, &mut form, &queue, &skip);
        };
        std::thread::Builder::new().name("upload".to_owned()).spawn(send)?;
        Ok(Self { content_type, body: body.boxed(), skipped })
    }
}

fn send_files(
    files: Vec<FileInput>,
    options: WalkOptions,
    form: &mut Multipart,
    queue: &Queue,
    skip: &dyn Fn(&str),
) -> Result<(), Closed> {
    for file in files {
        match file.source {
            Source::Stdin => {
                queue.send(form.head(file.name.as_encoded_bytes(), Stamp::default(), multipart::FILE))?;
                let mut input = io::stdin().lock();
                copy(&mut input, Vec::new(), queue)?;
            }
            Source::Path(path) => {
                for found in Walk::new(path, file.name, options) {
                    match found {
                        Err(error) => skip(&error.to_string()),
                        Ok(found) => send_found(found, form, queue, skip)?,
                    }
                }
            }
        }
    }
    queue.send(form.end())
}

fn send_found(found: Found, form: &mut Multipart, queue: &Queue, skip: &dyn Fn(&str)) -> Result<(), Closed> {
    let Found { name, stamp, kind } = found;
    match kind {
        FoundKind::Directory => queue.send(form.head(&name, stamp, multipart::DIRECTORY)),
        FoundKind::Symlink(target) => {
            let mut part = form.head(&name, stamp, multipart::SYMLINK);
            part.extend_from_slice(&target);
            queue.send(part)
        }
        // The first bytes are read before the part begins, so that a file that can't be read leaves no part.
        FoundKind::File { path, mut file } => match read_some(&mut file) {
            Ok(first) => {
                queue.send(form.head(&name, stamp, multipart::FILE))?;
                copy(&mut file, first, queue)
            }
            Err(error) => {
                skip(&format!("read {}: {}", path.display(), crate::error::system_text(&error)));
                Ok(())
            }
        },
    }
}

/// Sends `first` and then the rest of `input`. A failure in the middle breaks the request off: the part has
/// begun, and ending it would make a file of what was read so far.
fn copy(input: &mut dyn Read, first: Vec<u8>, queue: &Queue) -> Result<(), Closed> {
    let mut chunk = first;
    loop {
        if !chunk.is_empty() {
            queue.send(chunk)?;
        }
        chunk = match read_some(input) {
            Ok(chunk) if chunk.is_empty() => return Ok(()),
            Ok(chunk) => chunk,
            Err(error) => return queue.fail(error),
        };
    }
}

/// Reads until the buffer is full or the input ends.
fn read_some(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::new();
    input.take(READ_BYTES as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

#[cfg(test)]
mod tests;
