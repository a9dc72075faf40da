//! Scrub: the log read again a little at a time, so that damage is found while a peer still has what it took.
//!
//! The order is that of the log, and the place is a position in it. A collection moves what it keeps to the end,
//! where the scrub comes by later; a segment that it removed is passed over. So the place stays good whatever
//! happens to the segments.

use std::io;
use std::thread::JoinHandle;

use crate::index::IndexError;
use crate::place::Position;
use crate::repo::{Repo, RepoError};
use crate::store::Store;
use crate::verify::{Checked, Damage, Ledger, Report, VerifyError, VerifySummary, index, log};

/// Where a scrub is, as the file `scrub` of the repository has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubPlace {
    /// When this cycle began, in seconds since 1970.
    pub began: u64,
    /// Where it goes on; `None` when the cycle is through.
    pub next: Option<Position>,
    /// Bytes of blocks read in this cycle.
    pub bytes: u64,
    /// Damage found in this cycle.
    pub damages: u64,
}

/// What one step of a scrub did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Where the next one goes on; `None` at the end of the log.
    pub next: Option<Position>,
    /// Bytes of blocks that were read.
    pub bytes: u64,
    /// What was found damaged.
    pub damages: Vec<Damage>,
}

impl Store {
    /// Reads, checks and hashes about so many bytes of blocks from a place in the log on; at its end also looks for
    /// blocks whose segment is gone. Damaged blocks are noted as by any read.
    ///
    /// # Errors
    /// [`VerifyError`], as [`Store::verify`].
    pub fn scrub(&self, from: Position, bytes: u64) -> Result<Scrubbed, VerifyError> {
        let core = self.core();
        let mut scrubbed = Scrubbed::default();
        let mut note = |_: &VerifySummary, checked| {
            if let Checked::Damaged(damage) = checked {
                scrubbed.damages.push(damage);
            }
        };
        let mut report = Report::new(&mut note);
        let mut ledger = Ledger::default();
        let next = log::read_some(core, from, bytes, &mut ledger, &mut report)?;
        index::name_lost(core, &mut ledger, next.is_none(), &mut report)?;
        for range in ledger.unknown() {
            report.damaged(None, range.position(), crate::RecordError::Record);
        }
        let read = report.summary.bytes;
        Ok(Scrubbed { next, bytes: read, ..scrubbed })
    }

    /// Bytes of all blocks, by the index: without those of the last moment.
    ///
    /// # Errors
    /// [`IndexError`] where it can't be read.
    pub fn block_bytes(&self) -> Result<u64, IndexError> {
        Ok(self.core().index.totals()?.bytes)
    }
}

impl Repo {
    /// Where the scrub is; `None` where it never was, or where the file can't be understood.
    ///
    /// # Errors
    /// What the disk says.
    pub fn scrub_place(&self) -> Result<Option<ScrubPlace>, RepoError> {
        Ok(self.read_optional("scrub")?.and_then(|bytes| decode(&bytes)))
    }

    /// Keeps the place, durably.
    ///
    /// # Errors
    /// What the disk says; the old one is then still there.
    pub fn write_scrub_place(&self, place: &ScrubPlace) -> Result<(), RepoError> {
        self.write("scrub", encode(place).as_bytes())
    }
}

fn encode(place: &ScrubPlace) -> String {
    let next = place.next.map_or("-".to_owned(), |next| format!("{}:{}", next.segment, next.offset));
    format!("ipse-scrub-1 {} {next} {} {}\n", place.began, place.bytes, place.damages)
}

fn decode(bytes: &[u8]) -> Option<ScrubPlace> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix("ipse-scrub-1 ")?.strip_suffix('\n')?;
    let mut words = text.split(' ');
    let number = |text: Option<&str>| text?.parse::<u64>().ok();
    let began = number(words.next())?;
    let next = match words.next()? {
        "-" => None,
        place => {
            let (segment, offset) = place.split_once(':')?;
            Some(Position { segment: segment.parse().ok()?, offset: number(Some(offset))? })
        }
    };
    let place = ScrubPlace { began, next, bytes: number(words.next())?, damages: number(words.next())? };
    words.next().is_none().then_some(place)
}

/// Starts a thread whose work yields the processor and the disk to everybody else's. Elsewhere than on Linux it is
/// a thread like any other.
///
/// # Errors
/// What the system says.
pub fn spawn_idle<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name("ipse-scrub".into()).spawn(move || {
        // On Linux this is the calling thread's own, and the disk's priority follows. A refusal changes little.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 19);
        work()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let next = Some(Position { segment: 3, offset: 4096 });
        for place in [
            ScrubPlace { began: 1_700_000_000, next, bytes: 7, damages: 1 },
            ScrubPlace { began: 1, next: None, bytes: u64::MAX, damages: 0 },
        ] {
            assert_eq!(decode(encode(&place).as_bytes()), Some(place));
        }
    }

    #[test]
    fn fuzz_places() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
            let mut text = b"ipse-scrub-1 ".to_vec();
            text.extend_from_slice(bytes);
            for bytes in [bytes, &text] {
                if let Some(place) = decode(bytes) {
                    assert_eq!(decode(encode(&place).as_bytes()), Some(place));
                }
            }
        });
    }
}
