//! Upload: local files as the body of a request.
//!
//! Path: `commands` → [`Upload::files`] or [`LocalUpload::files`] → a thread that walks the file system (`walk`) and
//! writes multipart (`multipart`) or frames (`frames`) → a bounded queue → the connection.
//! Why a thread: the file system blocks, and reading ahead of the connection is what overlaps the disk with the
//! node's hashing.

mod channel;
mod form;
mod frames;
mod multipart;
mod stdin;
mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};

pub(crate) use frames::{LocalUpload, Outgoing};
pub(crate) use stdin::{announce as announce_stdin, lines as stdin_lines};
pub(crate) use walk::{WalkOptions, total_bytes};

use crate::args::{FileInput, Source};
use channel::Closed;
use form::MultipartForm;
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
        let form = MultipartForm::new(queue);
        let content_type = form.content_type();
        let skipped = send(files, options, report, form)?;
        Ok(Self { content_type, body: body.boxed(), skipped })
    }
}

/// What is written of the entries of a walk.
trait Form: Send {
    fn directory(&mut self, name: &[u8], stamp: Stamp) -> Result<(), Closed>;

    fn symlink(&mut self, name: &[u8], stamp: Stamp, target: &[u8]) -> Result<(), Closed>;

    /// A file. One that can't be read at all leaves nothing behind, and the inner result says why.
    fn file(&mut self, name: &[u8], stamp: Stamp, file: File) -> Result<io::Result<()>, Closed>;

    /// A file without an end that is known, such as standard input.
    fn stream(&mut self, name: &[u8], input: &mut dyn Read) -> Result<(), Closed>;

    /// Everything was written.
    fn end(&mut self) -> Result<(), Closed>;
}

/// Walks and writes on a thread of its own.
fn send(
    files: Vec<FileInput>,
    options: WalkOptions,
    report: Report,
    mut form: impl Form + 'static,
) -> io::Result<Skipped> {
    let skipped = Skipped::default();
    let counter = skipped.clone();
    let send = move || {
        let skip = |text: &str| {
            counter.add();
            report(text);
        };
        // A closed queue means that the answer is here already: nobody reads on.
        let _ = send_files(files, options, &mut form, &skip);
    };
    std::thread::Builder::new().name("upload".to_owned()).spawn(send)?;
    Ok(skipped)
}

fn send_files(
    files: Vec<FileInput>,
    options: WalkOptions,
    form: &mut dyn Form,
    skip: &dyn Fn(&str),
) -> Result<(), Closed> {
    for file in files {
        match file.source {
            Source::Stdin => form.stream(file.name.as_encoded_bytes(), &mut io::stdin().lock())?,
            Source::Path(path) => {
                for found in Walk::new(path, file.name, options) {
                    match found {
                        Err(error) => skip(&error.to_string()),
                        Ok(found) => send_found(found, form, skip)?,
                    }
                }
            }
        }
    }
    form.end()
}

fn send_found(found: Found, form: &mut dyn Form, skip: &dyn Fn(&str)) -> Result<(), Closed> {
    let Found { name, stamp, kind } = found;
    match kind {
        FoundKind::Directory => form.directory(&name, stamp),
        FoundKind::Symlink(target) => form.symlink(&name, stamp, &target),
        FoundKind::File { path, file } => {
            if let Err(error) = form.file(&name, stamp, file)? {
                skip(&format!("read {}: {}", path.display(), crate::error::system_text(&error)));
            }
            Ok(())
        }
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
