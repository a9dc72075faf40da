//! Index: from a block's hash to its place, and the table of pins. Derived from the log and disposable: what
//! it does not know yet is in memory ([`pending`](crate::pending)), what it lost is replayed.
//!
//! The trait is the narrow seam behind which the engine may be exchanged; redb is confined to `redb.rs`.

mod backend;
pub(crate) mod redb;
pub(crate) mod value;

use std::path::PathBuf;
use std::sync::Arc;

use ipse_base::{ErrorKind, Kind, Multihash};

use crate::disk::DiskError;
use crate::pending::Generation;
use crate::pins::Pin;
use crate::place::{Place, Position};
use crate::recover::RecoverError;
use crate::uses::UseChanges;

/// Why the index could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IndexError {
    /// The engine's own error.
    #[error("index {}: {source}", path.display())]
    Engine {
        /// The index file.
        path: PathBuf,
        /// What the engine says.
        source: Arc<::redb::Error>,
    },
    /// The file is damaged. It is being built anew; what is not on a damaged page is found meanwhile.
    #[error("index {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// The file could not be handled.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl ErrorKind for IndexError {
    fn kind(&self) -> Kind {
        match self {
            Self::Damaged(_) => Kind::Corrupt,
            Self::Disk(error) => error.kind(),
            Self::Engine { path, source } => match source.as_ref() {
                ::redb::Error::Io(error) => {
                    DiskError { action: "use", path: path.clone(), source: Arc::new(error.kind().into()) }
                        .kind()
                }
                ::redb::Error::Corrupted(_) => Kind::Corrupt,
                _ => Kind::Internal,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.kind() {
            Kind::Corrupt => {
                "try again in a while: the index is being built anew from the segments, nothing is lost"
            }
            Kind::Full => "free space on this disk",
            _ => return None,
        };
        Some(hint.into())
    }
}

/// Up to where the log is in the index, and which log that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Everything before is in the index.
    pub(crate) position: Position,
    /// The marker of that segment: an index that belongs to other segments is not believed.
    pub(crate) marker: u64,
}

/// What the index holds in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

/// The seam toward the engine. Calls may read and write the disk.
pub(crate) trait Index: Send + Sync {
    /// Up to where the log is in the index; `None` in a new one.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, IndexError>;

    /// Takes a generation of changes together with the checkpoint behind them and what was noted of the use of
    /// segments, durably and as one.
    fn apply(
        &self,
        changes: &Generation,
        checkpoint: Checkpoint,
        uses: &UseChanges,
    ) -> Result<(), IndexError>;

    /// From now on large batches go to the disk in pieces, so that what others sync meanwhile does not have to wait for
    /// all of one; or no longer.
    fn go_easy(&self, easy: bool);

    /// Forgets everything, before all is replayed.
    fn begin_anew(&self) -> Result<(), IndexError>;

    /// Whether it was found damaged while it was in use, so that it is to be built anew.
    fn is_lost(&self) -> bool;

    /// Calls this once it is lost, at any moment and from any thread.
    fn when_lost(&self, told: Box<dyn Fn() + Send + Sync>);

    /// Takes the place of a lost one: an empty index that `fill` puts everything in. Until that is done the lost one
    /// answers what it can; if it fails, it is to be done again.
    fn build_anew(
        &self,
        fill: &mut dyn FnMut(&dyn Index) -> Result<(), RecoverError>,
    ) -> Result<(), RecoverError>;

    /// Where blocks are, in the order in which they are asked for.
    fn places_of(&self, hashes: &[&Multihash]) -> Result<Vec<Option<Place>>, IndexError>;

    /// Up to `limit` blocks in the order of their keys, behind `after`.
    fn places(&self, after: Option<&Multihash>, limit: usize) -> Result<Vec<(Multihash, Place)>, IndexError>;

    /// Pins in the order of their keys, from `from` on (exclusive), at most `limit`.
    fn pins(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<Pin>, IndexError>;

    /// The pins with these keys, in the order in which they are asked for.
    fn pins_at(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Pin>>, IndexError>;

    /// All pins of the block of this hash, whatever their version and codec.
    fn pins_of(&self, hash: &Multihash) -> Result<Vec<Pin>, IndexError>;

    /// When segments were used last, as far as that was noted.
    fn uses(&self) -> Result<Vec<(u32, u64)>, IndexError>;

    /// What it holds in all.
    fn totals(&self) -> Result<Totals, IndexError>;

    /// Bytes of the index file.
    fn file_bytes(&self) -> Result<u64, IndexError>;
}
