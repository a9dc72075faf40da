//! `repo`: what is on this node's disk.

use serde::{Deserialize, Serialize};

use super::{REFS_LOCAL, REPO_BACKUP};
use crate::{Command, LinkJson, OptionDef};

pub(crate) const REPO: Command =
    Command::group("repo", "Work with the repository.", &[GC, STAT, VERIFY, VERSION, LS, REPO_BACKUP]);

const GC: Command = Command::new("gc", "Remove all blocks that nothing keeps.").options(&[
    OptionDef::bool(&["stream-errors"], "Report errors as they happen and go on."),
    OptionDef::bool(&["quiet", "q"], "Print only CIDs."),
    OptionDef::bool(&["silent"], "Print nothing."),
    OptionDef::bool(
        &["dry-run"],
        "Print what would be removed and how space would return, and remove nothing.",
    ),
]);

pub(crate) const STAT: Command = Command::new("stat", "Print the size of the repository.").options(&[
    OptionDef::bool(&["size-only", "s"], "Print only RepoSize and StorageMax."),
    OptionDef::bool(&["human", "H"], "Print sizes with units."),
]);

const VERIFY: Command = Command::new("verify", "Hash all blocks again and report those that are damaged.")
    .help(
        "Reads every record and every block, compares the log with the index, and names what is damaged with its \
CID and place. Nothing is changed unless that is asked for.

  ipse repo verify # report what is damaged
  ipse repo verify --heal # fetch damaged blocks from peers and mend everything else
  ipse repo verify --drop # delete damaged blocks and mend everything else

With --heal a daemon has to be running. A block that no peer sends stays as it is, and is tried again when it is \
next read. With --drop a pin stays though its block is gone; fetching or adding the block makes it whole.

The exit status is 0 where nothing is damaged, or nothing any more, and 1 otherwise.",
    )
    .options(&[
        OptionDef::bool(&["drop"], "Delete damaged blocks."),
        OptionDef::bool(&["heal"], "Fetch damaged blocks from peers and store them anew."),
        OptionDef::string(&["heal-timeout"], "Wait so long for each block that is fetched; 0s: without end.")
            .default("30s"),
    ]);

const VERSION: Command = Command::new("version", "Print the version of the repository.")
    .options(&[OptionDef::bool(&["quiet", "q"], "Print only the number.")]);

const LS: Command = Command { name: "ls", ..REFS_LOCAL };

/// A block that was collected, or why one was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Collected {
    /// The block; `null` where there is only an error.
    pub key: Option<LinkJson>,
    /// What went wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// What a collection would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CollectionPlan {
    /// Blocks that would go.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that stay.
    pub kept_blocks: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Large blocks that become holes in their segment.
    pub holes: u64,
    /// Bytes of the holes.
    pub hole_bytes: u64,
    /// Segments that are copied and removed.
    pub segments: u64,
    /// Bytes that are copied for that.
    pub copied_bytes: u64,
    /// Bytes of the disk that return in all.
    pub freed_bytes: u64,
}

/// The size of the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RepoStat {
    /// Bytes on the disk.
    pub repo_size: u64,
    /// Bytes it may take; the largest number where it has no bound.
    pub storage_max: u64,
    /// Blocks.
    pub num_objects: u64,
    /// Where it is.
    pub repo_path: String,
    /// The version that tools know, `fs-repo@18`.
    pub version: String,
}

/// The version of the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RepoVersion {
    /// The number that tools know.
    pub version: String,
}

/// One step of a check of all blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VerifyProgress {
    /// What was found; empty for a step of progress.
    pub msg: String,
    /// Blocks checked so far; 0 in the last line.
    pub progress: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_look_as_the_reference_node_writes_them() {
        let text = r#"{"Key":{"/":"bafk"}}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Collected>(text).unwrap()).unwrap(), text);
        let text = r#"{"Key":null,"Error":"x"}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Collected>(text).unwrap()).unwrap(), text);
        let text = r#"{"RepoSize":1,"StorageMax":2,"NumObjects":0,"RepoPath":"","Version":""}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<RepoStat>(text).unwrap()).unwrap(), text);
    }
}
