//! Collection: first a plan that can be printed, then its execution.
//!
//! What is kept: everything below the pins, below the roots of whoever registered (collection never knows who),
//! and what temporary pins protect. Marking reads inner nodes only. While a plan is executed nobody writes;
//! readers go on. A block goes only if it was garbage when the plan was made and still is.

mod mark;
mod reclaim;
mod sweep;

use ipse_base::{Cid, ErrorKind, Kind};

use crate::blocks::ReadError;
use crate::core::WriteError;
use crate::index::IndexError;
use crate::list::Places;
use crate::log::LogError;
use crate::options::LinksError;
use crate::pins::PinMode;
use crate::place::Position;
use crate::store::Store;

use mark::Live;

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
    /// Running writes protect more than can be remembered.
    #[error("too many blocks are in use by running writes")]
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
            Self::Busy => Some("try again when they are done".into()),
        }
    }
}

/// What a collection would delete. Printable; executed by [`Store::collect`].
#[derive(Debug)]
pub struct CollectionPlan {
    /// Blocks that would go.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that stay.
    pub kept_blocks: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// What was reachable.
    live: Live,
    /// Blocks written from here on are newer than the plan.
    horizon: Position,
}

impl std::fmt::Display for CollectionPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "delete {} blocks of {} bytes, keep {} blocks of {} bytes",
            self.blocks, self.bytes, self.kept_blocks, self.kept_bytes
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
}

impl Store {
    /// Finds what could go. Reads, and changes nothing; writers wait meanwhile.
    ///
    /// # Errors
    /// [`CollectError`]: corrupt where something that is to be kept can't be followed.
    pub fn plan_collection(&self) -> Result<CollectionPlan, CollectError> {
        let core = self.core();
        let _alone = core.shut();
        core.checkpoint()?;
        let protected = core.guards.protected();
        let live = mark::mark(core, &protected)?;
        let horizon = core.log.written();
        let mut plan = CollectionPlan { blocks: 0, bytes: 0, kept_blocks: 0, kept_bytes: 0, live, horizon };
        let mut places = Places::new(core);
        while let Some((hash, place)) = places.next()? {
            let keep = plan.live.contains(&hash) || protected.keeps(&hash, place.position);
            let (blocks, bytes) = match keep {
                true => (&mut plan.kept_blocks, &mut plan.kept_bytes),
                false => (&mut plan.blocks, &mut plan.bytes),
            };
            *blocks += 1;
            *bytes += u64::from(place.length);
        }
        Ok(plan)
    }

    /// The names of the blocks that a plan would delete, as things stand now.
    ///
    /// # Errors
    /// [`WriteError`] where the index can't be brought up to date first.
    pub fn planned<'a>(
        &'a self,
        plan: &'a CollectionPlan,
    ) -> Result<impl Iterator<Item = Result<Cid, IndexError>> + 'a, WriteError> {
        let protected = self.core().guards.protected();
        let goes = move |cid: &Cid| -> Result<bool, IndexError> {
            let Some(place) = self.core().place(cid.hash())? else { return Ok(false) };
            Ok(!plan.live.contains(cid.hash())
                && place.position < plan.horizon
                && !protected.keeps(cid.hash(), place.position))
        };
        Ok(self.iter()?.filter_map(move |cid| match cid {
            Ok(cid) => match goes(&cid) {
                Ok(goes) => goes.then_some(Ok(cid)),
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        }))
    }

    /// Executes a plan: deletes what was garbage then and is so still, telling each name, and gives the space
    /// back. Writers wait until it is done; readers go on.
    ///
    /// # Errors
    /// [`CollectError`]; what is to be kept is untouched, and what was deleted until then stays so.
    pub fn collect(
        &self,
        plan: &CollectionPlan,
        removed: &mut dyn FnMut(&Cid),
    ) -> Result<Collected, CollectError> {
        let core = self.core();
        let _alone = core.shut();
        core.checkpoint()?;
        let protected = core.guards.protected();
        if protected.overflow {
            return Err(CollectError::Busy);
        }
        let live = mark::mark(core, &protected)?;
        let mut appender = core.log.appender();
        let mut collected = Collected::default();
        let stays = |hash: &_, position| {
            live.contains(hash)
                || plan.live.contains(hash)
                || position >= plan.horizon
                || protected.keeps(hash, position)
        };
        let touched = sweep::sweep(core, &mut appender, &stays, removed, &mut collected)?;
        // Before anything is punched or removed, the tombstones must be where nothing brings them back.
        core.commit()?;
        core.checkpoint()?;
        reclaim::reclaim(core, &mut appender, &touched, &mut collected)?;
        Ok(collected)
    }
}
