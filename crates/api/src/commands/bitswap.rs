//! `bitswap`: the state of the block exchange.

use serde::{Deserialize, Serialize};

use crate::{Argument, Command, LinkJson, OptionDef, nullable};

pub(crate) const BITSWAP: Command =
    Command::group("bitswap", "Look into the block exchange.", &[STAT, WANTLIST, LEDGER]);

pub(crate) const STAT: Command = Command::new("stat", "Print counts of the block exchange.").options(&[
    OptionDef::bool(&["verbose", "v"], "Print the partners, too."),
    OptionDef::bool(&["human"], "Print sizes with units."),
]);

const WANTLIST: Command = Command::new("wantlist", "List the blocks that are wanted.")
    .options(&[OptionDef::string(&["peer", "p"], "Who wants them. Default: this node.")]);

const LEDGER: Command = Command::new("ledger", "Print what was exchanged with a peer.")
    .arguments(&[Argument::required("peer", "The peer's ID.")]);

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BitswapStat {
    /// Blocks that this node wants.
    #[serde(deserialize_with = "nullable::deserialize")]
    pub wantlist: Vec<LinkJson>,
    /// Partners.
    #[serde(deserialize_with = "nullable::deserialize")]
    pub peers: Vec<String>,
    /// Blocks received.
    pub blocks_received: u64,
    /// Bytes received.
    pub data_received: u64,
    /// Blocks received that were here already.
    pub dup_blks_received: u64,
    /// Their bytes.
    pub dup_data_received: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Blocks sent.
    pub blocks_sent: u64,
    /// Bytes sent.
    pub data_sent: u64,
}

/// Blocks that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Wantlist {
    /// Their Cids.
    #[serde(deserialize_with = "nullable::deserialize")]
    pub keys: Vec<LinkJson>,
}

/// What was exchanged with one peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ledger {
    /// The peer.
    pub peer: String,
    /// Bytes sent for each byte received, the debt ratio.
    #[serde(serialize_with = "crate::number::serialize")]
    pub value: f64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub recv: u64,
    /// Exchanges.
    pub exchanged: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_look_as_the_reference_node_writes_them() {
        let text = concat!(
            r#"{"Wantlist":[],"Peers":[],"BlocksReceived":0,"DataReceived":0,"DupBlksReceived":0,"#,
            r#""DupDataReceived":0,"MessagesReceived":0,"BlocksSent":0,"DataSent":0}"#
        );
        assert_eq!(serde_json::to_string(&BitswapStat::default()).unwrap(), text);
        let text = r#"{"Peer":"12D3","Value":0,"Sent":0,"Recv":0,"Exchanged":0}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Ledger>(text).unwrap()).unwrap(), text);
    }
}
