//! One side of a transfer, whoever it is.

use super::cell::{Peer, Shape, Transport};
use super::content::{Content, Digest};
use super::foreign::Foreign;
use super::node::Node;
use super::tools::Tools;
use crate::Outcome;

/// Longest time that a transfer may take, in seconds.
pub(crate) const LIMIT: u64 = 180;

/// What a cell asks of either side.
pub(crate) trait Side {
    /// Its address with its identity at the end, ready to be dialled.
    fn address(&self) -> String;
    /// Its identity.
    fn id(&self) -> String;
    fn connect(&mut self, address: &str) -> Outcome<()>;
    fn disconnect(&mut self, id: &str) -> Outcome<()>;
    /// How many connections it has now.
    fn connections(&mut self) -> Outcome<usize>;
    /// How many connections it has had since it started; None if it does not
    /// count them.
    fn opened(&mut self) -> Outcome<Option<u64>>;
    /// Makes content its own and says its Cid.
    fn add(&mut self, content: &Content, shape: Shape) -> Outcome<String>;
    /// Reads all of it, from wherever it is.
    fn fetch(&mut self, cid: &str, content: &Content) -> Outcome<Digest>;
}

/// Starts the other side of an Ipse node.
pub(crate) fn start(peer: Peer, transport: Transport, tools: &Tools) -> Outcome<Box<dyn Side>> {
    Ok(match peer {
        Peer::Ipse => Box::new(Node::start(&tools.ipse, transport)?),
        Peer::Boxo | Peer::Helia => Box::new(Foreign::start(peer, transport, tools)?),
    })
}

/// Compares what arrived with what should have.
pub(crate) fn same(got: &Digest, content: &Content) -> Outcome<()> {
    let expected = content.digest()?;
    if *got == expected {
        return Ok(());
    }
    Err(format!(
        "the content differs: {} bytes with hash {}, expected {} with {}",
        got.bytes, got.sha256, expected.bytes, expected.sha256
    )
    .into())
}
