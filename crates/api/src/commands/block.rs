//! `block`: single blocks, without a look at what they mean.

use serde::{Deserialize, Serialize};

use crate::{ALLOW_BIG_BLOCK, Argument, Command, OptionDef};

pub(crate) const BLOCK: Command = Command::group("block", "Work with single blocks.", &[GET, PUT, STAT, RM]);

const GET: Command = Command::new("get", "Print the bytes of a block.").arguments(&[Argument::required(
    "cid",
    "CID of the block.",
)
.stdin()]);

const PUT: Command = Command::new("put", "Store data as blocks and print their CIDs.")
    .arguments(&[Argument::file("data", "Files, each of which becomes a block.").variadic().stdin()])
    .options(&[
        OptionDef::string(&["cid-codec"], "Codec of the block.").default("raw"),
        OptionDef::string(&["mhtype"], "Hash function. Default: as the repository is set."),
        OptionDef::bool(&["pin"], "Pin the blocks with all that is below them.").default("false"),
        ALLOW_BIG_BLOCK,
    ]);

const STAT: Command = Command::new("stat", "Print a block's CID and size.").arguments(&[Argument::required(
    "cid",
    "CID of the block.",
)
.stdin()]);

const RM: Command = Command::new("rm", "Remove blocks from this node.")
    .help("Blocks that a pin needs stay.")
    .arguments(&[Argument::required("cid", "CIDs of the blocks.").variadic().stdin()])
    .options(&[
        OptionDef::bool(&["force", "f"], "Take a block that is not there as removed."),
        OptionDef::bool(&["quiet", "q"], "Print only what went wrong."),
    ]);

/// A block and its size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BlockStat {
    /// Its Cid.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
}

/// One block of a removal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RemovedBlock {
    /// Its Cid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// Why it is still there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}
