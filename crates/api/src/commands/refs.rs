//! `refs` and `refs local`: the edges of a Dag, and the Cids of everything this node holds.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef};

pub(crate) const REFS: Command = Command::new("refs", "List the links of objects.")
    .arguments(&[Argument::required("ipfs-path", "Paths of the objects.").variadic().stdin()])
    .options(&[
        OptionDef::string(&["format"], "Text for each link, with <src>, <dst> and <linkname> in it.")
            .default("<dst>"),
        OptionDef::bool(&["edges", "e"], "Print links as `from -> to`."),
        OptionDef::bool(&["unique", "u"], "Print each CID once."),
        OptionDef::bool(&["recursive", "r"], "Follow the links."),
        OptionDef::int(&["max-depth"], "How far to follow them; -1 for all the way.").default("-1"),
    ])
    .subcommands(&[LOCAL]);

pub(crate) const LOCAL: Command = Command::new("local", "List the CIDs of all blocks that this node holds.");

/// One line of the reply. There may be millions, so it borrows from the text it is read from or the values it is made
/// of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reference<'a> {
    /// A Cid, or what the format made of a link.
    #[serde(borrow)]
    pub r#ref: Cow<'a, str>,
    /// Why a link could not be listed.
    #[serde(borrow)]
    pub err: Cow<'a, str>,
}
