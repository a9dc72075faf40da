//! Adds files and folders.
//!
//! Path: a door pushes [`AddInput`]s in depth-first order → `add/importer` on a thread of its own → `add/cutter`
//! (steps and chunks) → `crew` (every processor reads and hashes, results in order) → `add/assembler` (layout,
//! folders) → `add/putter` (the disk, on one more thread) → events back to the door. At the end: directories, then
//! the pin, then one commit; only then the last event, so that an add that has returned survives a power cut.
//! Why messages instead of a reader: several doors feed it (multipart, the local socket), and a door that goes
//! away just drops its ends, which ends the import and leaves nothing pinned.

mod assembler;
mod buffers;
mod chunk;
mod counters;
mod cutter;
mod error;
mod folder;
mod importer;
mod putter;
mod source;

pub(crate) use counters::AddCounters;
pub use error::AddError;
pub(crate) use putter::put;
pub use source::FileSource;

use bytes::Bytes;
use ipse_base::Cid;
use ipse_unixfs::ImportOptions;
use tokio::sync::mpsc;

use crate::Node;
use importer::Importer;

/// Batches of inputs on their way to the importer: with at most about 1 MiB in each, 8 MiB.
const INPUTS_QUEUED: usize = 8;
/// Batches of events on their way to the door.
const EVENTS_QUEUED: usize = 8;

/// How to add.
#[derive(Debug, Clone)]
pub struct AddOptions {
    /// How files become Dags.
    pub import: ImportOptions,
    /// Whether what is added is wrapped in one directory.
    pub wrap: bool,
    /// Whether the roots are pinned.
    pub pin: bool,
    /// The pins' name.
    pub pin_name: Option<String>,
    /// Only tell the Cids; keep nothing.
    pub only_hash: bool,
    /// Whether events tell the progress inside files.
    pub progress: bool,
    /// Whether stored permission bits come from the inputs.
    pub preserve_mode: bool,
    /// Whether stored times come from the inputs.
    pub preserve_mtime: bool,
}

/// Mode and time of an input, as its door was told them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Seconds since 1970 and nanoseconds.
    pub mtime: Option<(i64, u32)>,
}

/// What a door pushes, in depth-first order. Paths are relative, their names joined by `/`.
pub enum AddInput {
    /// A directory; those above it need not be told.
    Directory(String, Metadata),
    /// A symbolic link: its path and where it points.
    Symlink(String, String, Metadata),
    /// A file begins. An empty path is a file without a name, such as standard input.
    File(String, Metadata),
    /// More bytes of the file that has begun.
    Data(Bytes),
    /// The file's last byte was sent.
    FileEnd,
    /// A whole file that is read where it is: its path and the file.
    Source(String, Box<dyn FileSource>, Metadata),
    /// Everything was sent. Without it nothing is pinned.
    Finish,
}

/// What an add tells, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddEvent {
    /// Bytes of a file read so far.
    Progress {
        /// The file's path.
        name: String,
        /// Bytes so far.
        bytes: u64,
    },
    /// A file, link or directory is in the store.
    Added {
        /// Its path; empty for the wrapping directory, its Cid for a file without a name.
        name: String,
        /// Its root block.
        cid: Cid,
        /// Bytes of all its blocks together.
        size: u64,
        /// What was stored of mode and time.
        metadata: Metadata,
    },
}

/// A running add: where inputs go and events come from. Dropping `input` before [`AddInput::Finish`] gives up.
#[derive(Debug)]
pub struct Adding {
    /// Where the door pushes, as many at once as it has; waits while the importer is behind.
    pub input: mpsc::Sender<Vec<AddInput>>,
    /// What the importer tells, in order; closed after the last event or the first error.
    pub events: mpsc::Receiver<Result<Vec<AddEvent>, AddError>>,
}

impl Node {
    /// Starts an add. Push inputs and take events at the same time: each waits for the other when it is full.
    ///
    /// # Errors
    /// [`AddError`] for options that contradict each other.
    pub fn add(&self, options: AddOptions) -> Result<Adding, AddError> {
        if options.pin_name.is_some() && !options.pin {
            return Err(AddError::NameWithoutPin);
        }
        let (input, inputs) = mpsc::channel(INPUTS_QUEUED);
        let (sender, events) = mpsc::channel(EVENTS_QUEUED);
        self.inner.adds.adds.one();
        let importer = Importer::new(self.clone(), options, sender);
        tokio::task::spawn_blocking(move || importer.run(inputs));
        Ok(Adding { input, events })
    }
}
