//! Counters of both halves, and the statistics that `bitswap stat` prints.

use ipse_base::{Cid, PeerId};

use crate::{Client, Server};

/// What the client counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCounters {
    /// Blocks that arrived, duplicates included.
    pub blocks_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Blocks that arrived and were here already, or were no longer wanted.
    pub duplicate_blocks: u64,
    /// Their bytes.
    pub duplicate_bytes: u64,
    /// Blocks that did not verify, or that nobody had asked for.
    pub bad_blocks: u64,
    /// Wants sent, those asked again included.
    pub wants_sent: u64,
    /// Wants sent again because of silence or a failed send.
    pub wants_repeated: u64,
    /// Cancels sent.
    pub cancels_sent: u64,
    /// Messages sent.
    pub messages_sent: u64,
}

/// What the server counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerCounters {
    /// Messages with or without wants that arrived.
    pub messages_received: u64,
    /// Blocks written to peers.
    pub blocks_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Wants that were pushed out or refused because a peer had too many.
    pub wants_dropped: u64,
}

/// The statistics of one node's exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stat {
    /// Blocks that arrived, duplicates included.
    pub blocks_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Blocks written to peers.
    pub blocks_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Blocks that arrived more than once.
    pub duplicate_blocks: u64,
    /// Their bytes.
    pub duplicate_bytes: u64,
    /// Messages that arrived.
    pub messages_received: u64,
    /// Blocks that are wanted now.
    pub wantlist: Vec<Cid>,
    /// Peers that can be asked now.
    pub peers: Vec<PeerId>,
}

impl Stat {
    /// Takes the statistics of both halves.
    pub fn of(client: &Client, server: &Server) -> Self {
        let (fetched, served) = (client.counters(), server.counters());
        Self {
            blocks_received: fetched.blocks_received,
            bytes_received: fetched.bytes_received,
            blocks_sent: served.blocks_sent,
            bytes_sent: served.bytes_sent,
            duplicate_blocks: fetched.duplicate_blocks,
            duplicate_bytes: fetched.duplicate_bytes,
            messages_received: served.messages_received,
            wantlist: client.wantlist(),
            peers: client.peers(),
        }
    }
}
