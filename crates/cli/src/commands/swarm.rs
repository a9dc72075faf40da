//! `swarm`: connections with peers.

use std::io::{self, Write};

use ipse_api::{AddressBook, Peers, Texts};

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "peers" => ask_each(session, peers).await,
        "addrs" => ask_each(session, addresses).await,
        _ => {
            let show = |texts: &Texts, out: &mut dyn Write| {
                texts.strings.iter().try_for_each(|text| writeln!(out, "{text}"))
            };
            ask_each(session, show).await
        }
    }
}

pub(super) fn peers(peers: &Peers, out: &mut dyn Write) -> io::Result<()> {
    for peer in &peers.peers {
        write!(out, "{}/p2p/{}", peer.addr, peer.peer)?;
        if !peer.latency.is_empty() {
            write!(out, " {}", peer.latency)?;
        }
        match peer.direction {
            1 => write!(out, " inbound")?,
            2 => write!(out, " outbound")?,
            _ => {}
        }
        writeln!(out)?;
        for stream in &peer.streams {
            let protocol = if stream.protocol.is_empty() { "<no protocol name>" } else { &stream.protocol };
            writeln!(out, "  {protocol}")?;
        }
    }
    Ok(())
}

pub(super) fn addresses(book: &AddressBook, out: &mut dyn Write) -> io::Result<()> {
    for (peer, addresses) in &book.addrs {
        writeln!(out, "{peer} ({})", addresses.len())?;
        addresses.iter().try_for_each(|address| writeln!(out, "\t{address}"))?;
    }
    Ok(())
}
