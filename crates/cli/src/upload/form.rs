//! The entries of a walk as multipart.

use std::fs::File;
use std::io::{self, Read};

use super::channel::{Closed, Queue};
use super::multipart::{DIRECTORY, FILE, Multipart, SYMLINK, Stamp};
use super::{Form, read_some};

/// A form that goes into a queue.
pub(super) struct MultipartForm {
    form: Multipart,
    queue: Queue,
}

impl MultipartForm {
    pub(super) fn new(queue: Queue) -> Self {
        Self { form: Multipart::new(), queue }
    }

    /// The `Content-Type` of the whole body.
    pub(super) fn content_type(&self) -> String {
        self.form.content_type()
    }

    /// Sends `first` and then the rest of `input`. A failure in the middle breaks the request off: the part has
    /// begun, and ending it would make a file of what was read so far.
    fn copy(&self, input: &mut dyn Read, first: Vec<u8>) -> Result<(), Closed> {
        let mut chunk = first;
        loop {
            if !chunk.is_empty() {
                self.queue.send(chunk)?;
            }
            chunk = match read_some(input) {
                Ok(chunk) if chunk.is_empty() => return Ok(()),
                Ok(chunk) => chunk,
                Err(error) => return self.queue.fail(error),
            };
        }
    }
}

impl Form for MultipartForm {
    fn directory(&mut self, name: &[u8], stamp: Stamp) -> Result<(), Closed> {
        self.queue.send(self.form.head(name, stamp, DIRECTORY))
    }

    fn symlink(&mut self, name: &[u8], stamp: Stamp, target: &[u8]) -> Result<(), Closed> {
        let mut part = self.form.head(name, stamp, SYMLINK);
        part.extend_from_slice(target);
        self.queue.send(part)
    }

    fn file(&mut self, name: &[u8], stamp: Stamp, mut file: File) -> Result<io::Result<()>, Closed> {
        // The first bytes are read before the part begins, so that a file that can't be read leaves no part.
        match read_some(&mut file) {
            Ok(first) => {
                self.queue.send(self.form.head(name, stamp, FILE))?;
                self.copy(&mut file, first).map(Ok)
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn stream(&mut self, name: &[u8], input: &mut dyn Read) -> Result<(), Closed> {
        self.queue.send(self.form.head(name, Stamp::default(), FILE))?;
        self.copy(input, Vec::new())
    }

    fn end(&mut self) -> Result<(), Closed> {
        self.queue.send(self.form.end())
    }
}
