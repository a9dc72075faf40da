//! `id`: who a node is.

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, OptionDef, nullable};

pub(crate) const ID: Command = Command::new("id", "Print who this node or a peer is.")
    .arguments(&[Argument::optional("peerid", "The peer. Default: this node.").stdin()])
    .options(&[
        OptionDef::string(
            &["format", "f"],
            "Text to print, with <id>, <aver>, <pubkey>, <addrs> and <protocols> in it.",
        ),
        OptionDef::string(
            &["peerid-base"],
            "Base to print peer IDs in: b58mh, or a base for their CID form.",
        )
        .default("b58mh"),
    ]);

/// What a node says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Identity {
    /// Its peer id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its public key as protobuf, in base64.
    pub public_key: String,
    /// Its addresses with its id at the end; `null` where there is none, as Go writes it.
    #[serde(with = "nullable")]
    pub addresses: Vec<String>,
    /// Its program and version.
    pub agent_version: String,
    /// Protocols it speaks; `null` where there is none.
    #[serde(with = "nullable")]
    pub protocols: Vec<String>,
}
