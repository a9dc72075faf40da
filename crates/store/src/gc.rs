//! Collection: first a plan that can be printed, then its execution.
//!
//! What is kept: everything below the pins, below the roots of whoever registered (collection never knows who),
//! and what temporary pins protect. Marking reads inner nodes only.
//!
//! Nobody is stopped by it. From the start of marking on, whoever looks for a block keeps it ([`epoch`]), and what
//! is written stands behind the epoch's horizon; so marking needs no still picture. The cases, and why each is sound:
//!
//! - *A pin whose Dag was garbage, set while marking or sweeping.* The walk that comes before the pin looks for every
//!   block: it is kept from then on, or gone for the walk already, which then fails or fetches it again.
//! - *A pin whose walk began before the epoch.* Its temporary pin's roots are read after the epoch began, and
//!   everything the walk saw until then hangs below them by blocks that are here; or the pin itself is in the table.
//! - *An add that finds garbage to be there already.* The look keeps it; one from before the epoch was noted under
//!   the add's temporary pin, which looks again after noting.
//! - *A fetch.* What arrives stands behind the horizon.
//! - *Deleted and put again while sweeping.* The put looked for it first, so the sweep leaves it alone.
//! - *A reader that holds a place whose segment goes or whose payload becomes a hole* looks again, and finds the new
//!   place, or nothing if it was garbage when the epoch began.
//! - *Two at once.* The second is refused.
//! - *A crash in the middle.* Tombstones are durable before holes, copies before their source is removed, older
//!   segments go before younger ones.

mod copy;
mod epoch;
mod mark;
mod pace;
mod plan;
mod reclaim;
mod running;
mod sweep;
mod walked;
mod worth;

use ipse_base::{Cid, ErrorKind, Kind};

use crate::blocks::ReadError;
use crate::core::WriteError;
use crate::index::IndexError;
use crate::log::LogError;
use crate::options::LinksError;
use crate::pins::PinMode;
use crate::store::Store;

use epoch::Epoch;
pub(crate) use running::Running;
use worth::Effort;

/// Something that collection must keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The top.
    pub cid: Cid,
    /// Whether everything below is kept too.
    pub mode: PinMode,
    /// Whether parts of it may be missing. Where not, a missing inner node ends the collection: what hangs
    /// below it is unknown, and would be taken for garbage.
    pub may_be_partial: bool,
}

/// A party that registered roots.
pub(crate) type Roots = Box<dyn Fn() -> Vec<Root> + Send + Sync>;

/// Why a collection did not take place, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The log or the index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A block that leads to others could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The links of a block that is kept could not be read.
    #[error("the links of {cid} can't be read: {source}")]
    Links {
        /// The block.
        cid: Cid,
        /// What the codec says.
        source: LinksError,
    },
    /// A block below a pin is missing.
    #[error("{cid} is missing below {root}, which is to be kept")]
    Missing {
        /// The missing block.
        cid: Cid,
        /// The pin or root above it.
        root: Cid,
    },
    /// There is one already.
    #[error("another collection is running")]
    Busy,
}

impl From<IndexError> for CollectError {
    fn from(error: IndexError) -> Self {
        Self::Read(error.into())
    }
}

impl From<LogError> for CollectError {
    fn from(error: LogError) -> Self {
        Self::Write(error.into())
    }
}

impl ErrorKind for CollectError {
    fn kind(&self) -> Kind {
        match self {
            Self::Write(error) => error.kind(),
            Self::Read(error) => error.kind(),
            Self::Links { .. } | Self::Missing { .. } => Kind::Corrupt,
            Self::Busy => Kind::Busy,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write(error) => error.hint(),
            Self::Read(error) => error.hint(),
            Self::Links { cid, .. } => Some(format!("fetch or add what contains {cid} again, or unpin it")),
            Self::Missing { root, .. } => Some(format!("fetch {root} again, or unpin it")),
            Self::Busy => Some("try again when it is done".into()),
        }
    }
}

/// What a collection would delete and how space would return. Printable; executed by [`Store::collect`].
///
/// The collection runs from the making of the plan until the plan is dropped: what is put, looked for or pinned
/// meanwhile stays. There is one at a time.
pub struct CollectionPlan {
    /// Blocks that would go.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that stay.
    pub kept_blocks: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Large blocks that would become holes where they are.
    pub holes: u64,
    /// Bytes of these holes.
    pub hole_bytes: u64,
    /// Segments of which so little would be alive that they are copied and removed.
    pub segments: u64,
    /// Bytes that would be copied for that.
    pub copied_bytes: u64,
    /// Bytes of the disk that would return in all.
    pub freed_bytes: u64,
    effort: Effort,
    epoch: Epoch,
}

impl std::fmt::Debug for CollectionPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CollectionPlan({self})")
    }
}

impl std::fmt::Display for CollectionPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "delete {} blocks of {} bytes, keep {} blocks of {} bytes; punch {} holes of {} bytes, \
             rewrite {} segments by copying {} bytes; {} bytes of the disk return",
            self.blocks,
            self.bytes,
            self.kept_blocks,
            self.kept_bytes,
            self.holes,
            self.hole_bytes,
            self.segments,
            self.copied_bytes,
            self.freed_bytes
        )
    }
}

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Blocks deleted.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Segments rewritten or removed.
    pub segments: u64,
    /// Bytes of holes made where deleted blocks were.
    pub punched_bytes: u64,
    /// Bytes copied to rewrite segments.
    pub copied_bytes: u64,
    /// Bytes of the disk that returned in all.
    pub freed_bytes: u64,
}

impl Store {
    /// Finds what could go: all that nothing keeps. Reads, and changes nothing; readers and writers go on.
    ///
    /// # Errors
    /// [`CollectError`]: busy while another plan is held, corrupt where something that is to be kept can't be
    /// followed.
    pub fn plan_collection(&self) -> Result<CollectionPlan, CollectError> {
        self.plan(Effort::THOROUGH, None)
    }

    /// As [`Store::plan_collection`], of what was used longest ago: garbage goes segment by segment until so many
    /// bytes would return, and less is copied for it. For collections that nobody asked for.
    ///
    /// # Errors
    /// As [`Store::plan_collection`].
    pub fn plan_leaving(&self, bytes: u64) -> Result<CollectionPlan, CollectError> {
        self.plan(Effort::THRIFTY, Some(bytes))
    }

    fn plan(&self, effort: Effort, enough: Option<u64>) -> Result<CollectionPlan, CollectError> {
        let core = self.core();
        let epoch = Epoch::begin(core)?;
        mark::mark(core, &epoch)?;
        plan::plan(core, epoch, effort, enough)
    }

    /// The names of the blocks that a plan would delete, as things stand now.
    ///
    /// # Errors
    /// [`WriteError`] where the index can't be brought up to date first.
    pub fn planned<'a>(
        &'a self,
        plan: &'a CollectionPlan,
    ) -> Result<impl Iterator<Item = Result<Cid, IndexError>> + 'a, WriteError> {
        let goes = move |cid: &Cid| -> Result<bool, IndexError> {
            let place = self.core().place_quiet(cid.hash())?;
            Ok(place.is_some_and(|place| !plan.epoch.keeps(cid.hash(), place.position)))
        };
        Ok(self.iter()?.filter_map(move |cid| match cid {
            Ok(cid) => match goes(&cid) {
                Ok(goes) => goes.then_some(Ok(cid)),
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        }))
    }

    /// Executes a plan: deletes what was garbage then and was not asked for since, telling each name, and gives
    /// the space back. Nobody waits for it longer than for a small write.
    ///
    /// # Errors
    /// [`CollectError`]; what is to be kept is untouched, and what was deleted until then stays so.
    pub fn collect(
        &self,
        plan: &CollectionPlan,
        removed: &mut dyn FnMut(&Cid),
    ) -> Result<Collected, CollectError> {
        let core = self.core();
        let mut collected = Collected::default();
        let swept = sweep::sweep(core, &plan.epoch, removed, &mut collected)?;
        // Before anything is punched or removed, the tombstones must be where nothing brings them back.
        core.commit()?;
        core.checkpoint()?;
        let reclaimed = reclaim::reclaim(core, &swept, &plan.epoch, plan.effort, &mut collected);
        if collected.freed_bytes > 0 {
            // What the quota reckons with is to be measured again.
            core.quota.loosened_unknown();
        }
        reclaimed.map(|()| collected)
    }
}
