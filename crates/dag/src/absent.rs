//! Absent: a block that a walk can't do without, and that can't be had.

use ipse_base::{AbsentReason, Cid, ErrorKind, Kind};

/// A block that a walk can't do without, and that can't be had. The texts are those of the reference node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}ipld: could not find {cid}", prefix(*reason))]
pub struct Absent {
    /// The block.
    pub cid: Cid,
    /// Why it can't be had.
    pub reason: AbsentReason,
}

const fn prefix(reason: AbsentReason) -> &'static str {
    match reason {
        AbsentReason::Offline => "block was not found locally (offline): ",
        AbsentReason::NobodyHasIt | AbsentReason::Failed => "block was not found: ",
        AbsentReason::Damaged => "block is damaged here and no peer sent it: ",
    }
}

impl ErrorKind for Absent {
    fn kind(&self) -> Kind {
        if self.reason == AbsentReason::Damaged { Kind::Corrupt } else { Kind::Unavailable }
    }

    fn hint(&self) -> Option<String> {
        Some(match self.reason {
            AbsentReason::Offline => "start the daemon and connect to a peer that has it".into(),
            AbsentReason::NobodyHasIt => "connect to a peer that has it with `ipse swarm connect`".into(),
            AbsentReason::Damaged => {
                "connect to a peer that has it; `ipse repo verify` lists what is damaged".into()
            }
            AbsentReason::Failed => "the log says which source failed, and how".into(),
        })
    }
}
