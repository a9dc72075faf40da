//! Verify: every block checked, and what is damaged dropped or healed if that is asked for.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use ipse_base::Cid;
use ipse_store::{Checked, Damage, Mended, VerifySummary};

use crate::repo::from_thread;
use crate::{Node, RepoError};

/// Damaged blocks that are fetched at the same time.
const HEALS_MAX: usize = 16;

/// What is done about damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Remedy {
    /// It is reported.
    #[default]
    Report,
    /// Damaged blocks are deleted.
    Drop,
    /// Damaged blocks are fetched from peers, each for so long at the most; zero means without end. One that
    /// nobody sends stays as it is.
    Heal(Duration),
}

/// What a verification tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyEvent {
    /// A block is as it should be.
    Sound {
        /// The block.
        cid: Cid,
        /// Blocks looked at so far.
        blocks: u64,
    },
    /// Something is not, and what became of it.
    Damaged {
        /// The block, where its name is known.
        cid: Option<Cid>,
        /// All of it as a sentence, with name and place.
        text: String,
        /// Blocks looked at so far.
        blocks: u64,
    },
    /// The end.
    Done(VerifyOutcome),
}

/// The sums of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyOutcome {
    /// Damaged blocks.
    pub corrupt: u64,
    /// Of these, those whose damaged copy is gone.
    pub removed: u64,
    /// Those that could not be deleted.
    pub remove_failed: u64,
    /// Those that are whole again.
    pub healed: u64,
    /// Those that nobody sent.
    pub heal_failed: u64,
    /// Damage of other kinds: pins, deletions, the index, headers of segments.
    pub records: u64,
    /// Whether all of that was mended; `None` where it was to be reported only.
    pub mended: Option<bool>,
}

impl VerifyOutcome {
    /// Whether nothing is damaged any more.
    pub fn is_good(&self) -> bool {
        let reported_only = self.mended.is_none() && self.corrupt + self.records > 0;
        !reported_only && self.remove_failed + self.heal_failed == 0 && self.mended != Some(false)
    }
}

impl std::fmt::Display for VerifyOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.corrupt + self.records == 0 {
            return f.write_str("verify complete, all blocks validated.");
        }
        write!(f, "verify complete, {} blocks corrupt", self.corrupt)?;
        let counts = [
            (self.removed, "removed"),
            (self.remove_failed, "failed to remove"),
            (self.healed, "healed"),
            (self.heal_failed, "failed to heal"),
            (self.records, "other records damaged"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        match self.mended {
            Some(true) if self.records > 0 => f.write_str(" and mended"),
            Some(false) => f.write_str(", not all could be mended"),
            _ => Ok(()),
        }
    }
}

/// What became of one damaged thing, for the sums.
enum Fate {
    Sound,
    Block,
    Removed,
    RemoveFailed,
    Healed,
    HealFailed,
    Record,
}

impl VerifyOutcome {
    fn count(&mut self, fate: &Fate) {
        self.corrupt += u64::from(!matches!(fate, Fate::Sound | Fate::Record));
        self.removed += u64::from(matches!(fate, Fate::Removed | Fate::Healed));
        self.remove_failed += u64::from(matches!(fate, Fate::RemoveFailed));
        self.healed += u64::from(matches!(fate, Fate::Healed));
        self.heal_failed += u64::from(matches!(fate, Fate::HealFailed));
        self.records += u64::from(matches!(fate, Fate::Record));
    }
}

type Told = Result<(VerifyEvent, Fate), RepoError>;

impl Node {
    /// Reads and hashes every block, tells of each, and does what was asked about what is damaged. The last
    /// event is [`VerifyEvent::Done`].
    pub fn verify(&self, remedy: Remedy) -> BoxStream<'static, Result<VerifyEvent, RepoError>> {
        let node = self.clone();
        let checked = from_thread(move |events| {
            let verified = node.store().verify(&mut |summary: &VerifySummary, checked| {
                // Who asked may be gone; what is left to read is read for nothing.
                let _ = events.blocking_send(Ok((summary.blocks + summary.damages, checked)));
            });
            if let Err(error) = verified {
                let _ = events.blocking_send(Err(error.into()));
            }
        });
        let node = self.clone();
        let treated = checked
            .map(move |checked| {
                let node = node.clone();
                async move {
                    let (blocks, checked) = checked?;
                    node.treat(remedy, blocks, checked).await
                }
            })
            .buffered(HEALS_MAX);
        let state = Some((treated.boxed(), VerifyOutcome::default()));
        let node = self.clone();
        stream::try_unfold(state, move |state| {
            let node = node.clone();
            async move {
                let Some((mut treated, mut outcome)) = state else { return Ok(None) };
                match treated.next().await.transpose()? {
                    Some((event, fate)) => {
                        outcome.count(&fate);
                        Ok(Some((event, Some((treated, outcome)))))
                    }
                    None => Ok(Some((VerifyEvent::Done(node.finish(remedy, outcome).await?), None))),
                }
            }
        })
        .boxed()
    }

    async fn treat(&self, remedy: Remedy, blocks: u64, checked: Checked) -> Told {
        let damage = match checked {
            Checked::Sound(cid) => return Ok((VerifyEvent::Sound { cid, blocks }, Fate::Sound)),
            Checked::Damaged(damage) => damage,
        };
        let (fate, rest) = match (damage.block(), remedy) {
            (None, _) => (Fate::Record, String::new()),
            (Some(_), Remedy::Report) => (Fate::Block, String::new()),
            (Some(cid), Remedy::Drop) => self.dropped(cid).await?,
            (Some(cid), Remedy::Heal(longest)) => match self.heal(cid, longest).await {
                Ok(()) => (Fate::Healed, ", removed, healed".to_owned()),
                Err(error) => (Fate::HealFailed, format!(", kept, failed to heal ({error})")),
            },
        };
        let text = format!("{}{rest}", sentence(&damage));
        Ok((VerifyEvent::Damaged { cid: damage.cid, text, blocks }, fate))
    }

    async fn dropped(&self, cid: &Cid) -> Result<(Fate, String), RepoError> {
        let (store, cid) = (self.store().clone(), cid.clone());
        let dropped = tokio::task::spawn_blocking(move || store.drop_damaged(&cid));
        Ok(match dropped.await.map_err(|_| RepoError::Stopping)? {
            Ok(_) => (Fate::Removed, ", removed".to_owned()),
            Err(error) => (Fate::RemoveFailed, format!(", failed to remove ({error})")),
        })
    }

    /// Mends what is no block once the blocks are seen to.
    async fn finish(&self, remedy: Remedy, mut outcome: VerifyOutcome) -> Result<VerifyOutcome, RepoError> {
        if remedy != Remedy::Report && outcome.corrupt + outcome.records > 0 {
            let store = self.store().clone();
            let mended = tokio::task::spawn_blocking(move || store.mend());
            let Mended { left, .. } = mended.await.map_err(|_| RepoError::Stopping)??;
            outcome.mended = Some(left <= outcome.heal_failed + outcome.remove_failed);
        }
        Ok(outcome)
    }
}

/// The reference node's sentence, with the place.
fn sentence(damage: &Damage) -> String {
    let Damage { cid, position, reason } = damage;
    match cid {
        Some(cid) => format!("block {cid} was corrupt ({reason} at {position})"),
        None => format!("record at {position} was corrupt ({reason})"),
    }
}
