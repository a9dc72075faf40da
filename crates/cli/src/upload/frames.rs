//! The entries of a walk as frames for the local socket: large files as open descriptors, small ones together.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use ipse_api::sock::{self, Entry, EntryHead, INLINE_BYTES_MAX};
use ipse_base::limits::PATH_BYTES_MAX;
use tokio::sync::mpsc;

use super::channel::Closed;
use super::multipart::Stamp;
use super::{Form, READ_BYTES, Report, Skipped, WalkOptions, read_some, send};
use crate::args::FileInput;

/// Bytes of frames that leave together: enough to be worth a system call, little enough that the daemon begins soon.
const BATCH_BYTES: usize = 256 * 1024;
/// Messages that wait at the most.
const MESSAGES_MAX: usize = 8;

/// One message over the local socket.
pub(crate) struct Outgoing {
    /// Whole frames.
    pub(crate) bytes: Vec<u8>,
    /// The file of the first frame, if that is of its kind.
    pub(crate) file: Option<File>,
}

/// Files on their way to a daemon on this machine.
pub(crate) struct LocalUpload {
    /// The messages, or why there are no more.
    pub(crate) messages: mpsc::Receiver<io::Result<Outgoing>>,
    /// What could not be read while the rest was sent.
    pub(crate) skipped: Skipped,
}

impl LocalUpload {
    /// Files and folders, read while they are sent.
    pub(crate) fn files(files: Vec<FileInput>, options: WalkOptions, report: Report) -> io::Result<Self> {
        let (queue, messages) = mpsc::channel(MESSAGES_MAX);
        let skipped = send(files, options, report, FrameForm { queue, batch: Vec::new() })?;
        Ok(Self { messages, skipped })
    }
}

struct FrameForm {
    queue: mpsc::Sender<io::Result<Outgoing>>,
    batch: Vec<u8>,
}

impl FrameForm {
    fn write(&mut self, entry: &Entry) -> Result<(), Closed> {
        entry.write(&mut self.batch);
        if self.batch.len() >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Closed> {
        match std::mem::take(&mut self.batch) {
            bytes if bytes.is_empty() => Ok(()),
            bytes => self.send(Ok(Outgoing { bytes, file: None })),
        }
    }

    fn send(&self, message: io::Result<Outgoing>) -> Result<(), Closed> {
        self.queue.blocking_send(message).map_err(|_| Closed)
    }

    fn fail(&self, error: io::Error) -> Closed {
        // Where nobody listens there is nothing to break off.
        let _ = self.send(Err(error));
        Closed
    }

    fn head(&self, name: &[u8], stamp: Stamp) -> Result<EntryHead, Closed> {
        if name.len() > PATH_BYTES_MAX {
            return Err(self.fail(io::Error::new(io::ErrorKind::InvalidFilename, "file name too long")));
        }
        // The walk lets no other names through.
        let path = String::from_utf8_lossy(name).into_owned();
        let mtime = stamp.time.map(|(seconds, nanos)| (seconds, u32::try_from(nanos).unwrap_or_default()));
        Ok(EntryHead { path, stamp: sock::Stamp { mode: stamp.mode, mtime } })
    }

    /// Sends the rest of an input whose length nobody knows. A failure breaks the add off: ending the file would
    /// make one of what was read so far.
    fn copy(&mut self, head: EntryHead, first: Vec<u8>, input: &mut dyn Read) -> Result<(), Closed> {
        self.write(&Entry::Begin(head))?;
        let mut chunk = first;
        loop {
            if !chunk.is_empty() {
                self.write(&Entry::Data(chunk))?;
            }
            chunk = match read_some(input) {
                Ok(chunk) if chunk.is_empty() => return self.write(&Entry::End),
                Ok(chunk) => chunk,
                Err(error) => return Err(self.fail(error)),
            };
        }
    }
}

impl Form for FrameForm {
    fn directory(&mut self, name: &[u8], stamp: Stamp) -> Result<(), Closed> {
        let head = self.head(name, stamp)?;
        self.write(&Entry::Directory(head))
    }

    fn symlink(&mut self, name: &[u8], stamp: Stamp, target: &[u8]) -> Result<(), Closed> {
        let head = self.head(name, stamp)?;
        self.write(&Entry::Symlink(head, target.to_vec()))
    }

    fn file(&mut self, name: &[u8], stamp: Stamp, mut file: File) -> Result<io::Result<()>, Closed> {
        let head = self.head(name, stamp)?;
        match read_small(&mut file) {
            Ok(Small::Whole(content)) => self.write(&Entry::File(head, content))?,
            Ok(Small::Begun(first)) => self.copy(head, first, &mut file)?,
            Ok(Small::Large) => {
                self.flush()?;
                let mut bytes = Vec::new();
                Entry::Descriptor(head).write(&mut bytes);
                self.send(Ok(Outgoing { bytes, file: Some(file) }))?;
            }
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }

    fn stream(&mut self, name: &[u8], input: &mut dyn Read) -> Result<(), Closed> {
        let head = self.head(name, Stamp::default())?;
        self.copy(head, Vec::new(), input)
    }

    fn end(&mut self) -> Result<(), Closed> {
        Entry::Finish.write(&mut self.batch);
        self.flush()
    }
}

/// What a file turned out to be.
enum Small {
    /// All of it.
    Whole(Vec<u8>),
    /// The beginning of something whose end is not known.
    Begun(Vec<u8>),
    /// A regular file that is worth a descriptor. It can be read.
    Large,
}

/// Reads a small file as a whole.
fn read_small(file: &mut File) -> io::Result<Small> {
    let metadata = file.metadata()?;
    let length = metadata.len();
    if metadata.is_file() && length > INLINE_BYTES_MAX as u64 {
        // One that can't be read is told now, while it can still be left out.
        file.read_at(&mut [0], 0)?;
        return Ok(Small::Large);
    }
    if !metadata.is_file() {
        return Ok(Small::Begun(Vec::new()));
    }
    // Files that the system makes up say that they are empty.
    let expected = if length == 0 { INLINE_BYTES_MAX as u64 + 1 } else { length };
    let mut content = Vec::with_capacity(expected as usize);
    let read = file.take(expected).read_to_end(&mut content)?;
    Ok(if read > INLINE_BYTES_MAX { Small::Begun(content) } else { Small::Whole(content) })
}

const _: () = assert!(READ_BYTES <= sock::FRAME_CONTENT_BYTES_MAX && INLINE_BYTES_MAX < READ_BYTES);
