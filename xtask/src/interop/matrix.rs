//! One cell of the matrix: a fresh node, a fresh peer, one transfer.

use std::time::Instant;

use super::cell::{Cell, Direction};
use super::node::Node;
use super::side::{self, Side};
use super::tools::Tools;
use crate::Outcome;

/// Runs a cell and says how fast it was.
pub(crate) fn run(tools: &Tools, cell: &Cell) -> Outcome<String> {
    let content = cell.content();
    let mut ipse = Node::start(&tools.ipse, cell.transport())?;
    let mut other = side::start(cell.peer(), cell.transport(), tools)?;
    let (server, client): (&mut dyn Side, &mut dyn Side) = match cell.direction() {
        Direction::IpseFetches => (other.as_mut(), &mut ipse),
        Direction::IpseServes => (&mut ipse, other.as_mut()),
    };

    let cid = server.add(&content, cell.shape())?;
    client.connect(&server.address())?;
    let start = Instant::now();
    let got = client.fetch(&cid, &content)?;
    let time = start.elapsed().as_secs_f64();
    side::same(&got, &content)?;
    drop(other);
    ipse.stop()?;
    Ok(format!("{:8.1} MiB/s", got.bytes as f64 / f64::from(1 << 20) / time))
}
