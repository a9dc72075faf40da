//! `swarm`: connections with peers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Identity;
use crate::{Argument, Command, OptionDef, nullable};

pub(crate) const SWARM: Command =
    Command::group("swarm", "Work with connections to peers.", &[CONNECT, DISCONNECT, PEERS, ADDRS]);

const CONNECT: Command = Command::new("connect", "Connect to peers.").arguments(&[Argument::required(
    "address",
    "Addresses that end in /p2p/PEER.",
)
.variadic()
.stdin()]);

const DISCONNECT: Command = Command::new("disconnect", "Close connections to peers.")
    .arguments(&[Argument::required("address", "Addresses that end in /p2p/PEER.").variadic().stdin()]);

const PEERS: Command = Command::new("peers", "List the peers that are connected.").options(&[
    OptionDef::bool(&["verbose", "v"], "Print all that is known."),
    OptionDef::bool(&["streams"], "Print the protocols of open streams."),
    OptionDef::bool(&["latency"], "Print round-trip times."),
    OptionDef::bool(&["direction"], "Print who opened the connection."),
    OptionDef::bool(&["identify"], "Print what the peers say about themselves."),
]);

const ADDRS: Command =
    Command::new("addrs", "List the addresses of peers that this node knows.").subcommands(&[LOCAL, LISTEN]);

const LOCAL: Command = Command::new("local", "List the addresses that this node tells others.")
    .options(&[OptionDef::bool(&["id"], "Print them with the peer ID at the end.")]);

const LISTEN: Command = Command::new("listen", "List the addresses that this node listens on.");

/// Connected peers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Peers {
    /// One item for each connection; `null` where there is none, as Go writes it.
    #[serde(with = "nullable")]
    pub peers: Vec<Connection>,
}

/// One connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Connection {
    /// The peer's address, without its id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub addr: String,
    /// The peer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub peer: String,
    /// Its round-trip time, or `n/a`; where it was asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub latency: String,
    /// How streams share the connection.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub muxer: String,
    /// 1 where the peer opened it, 2 where we did; 0 where that was not asked for.
    #[serde(skip_serializing_if = "is_zero")]
    pub direction: u8,
    /// Its open streams, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "nullable")]
    pub streams: Vec<Protocol>,
    /// What the peer says about itself; empty where that was not asked for.
    pub identify: Identity,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(value: &u8) -> bool {
    *value == 0
}

/// One stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Protocol {
    /// Its protocol.
    pub protocol: String,
}

/// Known addresses by peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddressBook {
    /// By peer.
    pub addrs: BTreeMap<String, Vec<String>>,
}

/// Lines of text, such as one for each peer that was connected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Texts {
    /// The lines; `null` where there is none, as Go writes it.
    #[serde(with = "nullable")]
    pub strings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_look_as_the_reference_node_writes_them() {
        assert_eq!(serde_json::to_string(&Peers::default()).unwrap(), r#"{"Peers":null}"#);
        assert_eq!(serde_json::from_str::<Peers>(r#"{"Peers":null}"#).unwrap(), Peers::default());
        let text = concat!(
            r#"{"Peers":[{"Addr":"/ip4/1.2.3.4/tcp/1","Peer":"12D3","Identify":{"ID":"","PublicKey":"","#,
            r#""Addresses":null,"AgentVersion":"","Protocols":null}}]}"#
        );
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Peers>(text).unwrap()).unwrap(), text);
    }
}
