//! `pin`: promises to keep.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef};

pub(crate) const PIN: Command =
    Command::group("pin", "Keep data from garbage collection.", &[ADD, RM, LS, UPDATE, VERIFY]);

const ADD: Command = Command::new("add", "Pin objects, fetching what is missing.")
    .help(
        "Any number of them, in their order. What is printed as pinned survives a power cut. Many are asked for in \
         several requests, each of which is acknowledged by itself: where one can't be pinned, or the command is \
         ended, those before it stay pinned.",
    )
    .arguments(&[Argument::required("ipfs-path", "Paths of the objects.").variadic().stdin()])
    .options(&[
        OptionDef::bool(&["recursive", "r"], "Pin all that is below them, too.").default("true"),
        OptionDef::string(&["name", "n"], "Name for the pins."),
        OptionDef::bool(&["progress"], "Show progress."),
    ]);

const RM: Command = Command::new("rm", "Remove pins.")
    .help(
        "Any number of them, in their order. Many are asked for in several requests: where one is not pinned, or the \
         command is ended, those before it are removed, and what is printed is.",
    )
    .arguments(&[Argument::required("ipfs-path", "Paths of the pinned objects.").variadic().stdin()])
    .options(&[OptionDef::bool(&["recursive", "r"], "The pins are recursive ones.").default("true")]);

const LS: Command = Command::new("ls", "List pins.")
    .arguments(&[Argument::optional("ipfs-path", "Objects to list pins of. Default: all.")
        .variadic()
        .stdin()])
    .options(&[
        OptionDef::string(&["type", "t"], "Which ones: direct, indirect, recursive or all.").default("all"),
        OptionDef::bool(&["quiet", "q"], "Print only CIDs."),
        OptionDef::string(&["name", "n"], "Only pins with this text in their names. Implies --names."),
        OptionDef::bool(&["stream", "s"], "Print pins as they are found."),
        OptionDef::bool(&["names"], "Print the names of pins, too."),
    ]);

const UPDATE: Command = Command::new("update", "Move a recursive pin to another object.")
    .help("What both have in common is not fetched or walked again.")
    .arguments(&[
        Argument::required("from-path", "The object that is pinned."),
        Argument::required("to-path", "The object to pin instead."),
    ])
    .options(&[OptionDef::bool(&["unpin"], "Remove the old pin.").default("true")]);

const VERIFY: Command = Command::new("verify", "Check that all that pins promise is here.").options(&[
    OptionDef::bool(&["verbose"], "Print pins that are whole, too."),
    OptionDef::bool(&["quiet", "q"], "Print only the CIDs of broken pins."),
]);

/// Objects that were pinned or unpinned, or how far that is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PinAdded {
    /// Their Cids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<String>,
    /// Blocks seen so far.
    #[serde(skip_serializing_if = "is_none_or_zero")]
    pub progress: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "is_none_or_zero")]
    pub bytes: Option<u64>,
}

/// Go leaves zeros out.
fn is_none_or_zero(value: &Option<u64>) -> bool {
    value.is_none_or(|value| value == 0)
}

/// All pins in one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Pins {
    /// By Cid.
    pub keys: BTreeMap<String, PinEntry>,
}

/// One pin of [`Pins`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PinEntry {
    /// `recursive`, `direct`, `indirect`, or `indirect through CID`.
    pub r#type: String,
    /// Its name, where names were asked for.
    pub name: String,
}

/// One pin in a stream. There may be millions, so it borrows from the text it is read from or the values it is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PinLine<'a> {
    /// Its Cid.
    #[serde(borrow)]
    pub cid: Cow<'a, str>,
    /// Its name, where names were asked for.
    #[serde(borrow, skip_serializing_if = "str::is_empty")]
    pub name: Cow<'a, str>,
    /// As in [`PinEntry`].
    #[serde(borrow)]
    pub r#type: Cow<'a, str>,
}

/// The state of one recursive pin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PinVerified {
    /// Its Cid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cid: String,
    /// What kept it from being checked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub err: String,
    /// Whether all of it is here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ok: bool,
    /// What is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bad_nodes: Vec<BadNode>,
}

/// A block that a pin misses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BadNode {
    /// Its Cid.
    pub cid: String,
    /// What is wrong with it.
    pub err: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_look_as_the_reference_node_writes_them() {
        for text in [r#"{"Pins":["QmT"]}"#, r#"{"Progress":1,"Bytes":20}"#] {
            assert_eq!(
                serde_json::to_string(&serde_json::from_str::<PinAdded>(text).unwrap()).unwrap(),
                text
            );
        }
        for text in [r#"{"Cid":"QmT","Name":"foo","Type":"recursive"}"#, r#"{"Cid":"QmT","Type":"indirect"}"#]
        {
            assert_eq!(serde_json::to_string(&serde_json::from_str::<PinLine>(text).unwrap()).unwrap(), text);
        }
        let text = r#"{"Keys":{"QmR":{"Type":"indirect","Name":""}}}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Pins>(text).unwrap()).unwrap(), text);
        let text = r#"{"Cid":"QmR","Ok":true}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<PinVerified>(text).unwrap()).unwrap(), text);
    }
}
