//! `bitswap`: the block exchange.

use std::io::{self, Write};

use ipse_api::{BitswapStat, Ledger, Wantlist};

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;
use crate::text::size;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "stat" => stat(session).await,
        "wantlist" => {
            let show = |wants: &Wantlist, out: &mut dyn Write| {
                wants.keys.iter().try_for_each(|key| writeln!(out, "{}", key.cid))
            };
            ask_each(session, show).await
        }
        _ => ask_each(session, ledger).await,
    }
}

pub(super) async fn stat(session: &mut Session<'_>) -> Result<(), CliError> {
    let (human, verbose) = (session.invocation.bool("human"), session.invocation.bool("verbose"));
    ask_each(session, |stat: &BitswapStat, out| write_stat(stat, human, verbose, out)).await
}

pub(super) fn write_stat(
    stat: &BitswapStat,
    human: bool,
    verbose: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let bytes = |bytes: u64| if human { size(bytes) } else { bytes.to_string() };
    writeln!(out, "bitswap status")?;
    writeln!(out, "\tblocks received: {}", stat.blocks_received)?;
    writeln!(out, "\tblocks sent: {}", stat.blocks_sent)?;
    writeln!(out, "\tdata received: {}", bytes(stat.data_received))?;
    writeln!(out, "\tdata sent: {}", bytes(stat.data_sent))?;
    writeln!(out, "\tdup blocks received: {}", stat.dup_blks_received)?;
    writeln!(out, "\tdup data received: {}", bytes(stat.dup_data_received))?;
    writeln!(out, "\twantlist [{} keys]", stat.wantlist.len())?;
    stat.wantlist.iter().try_for_each(|key| writeln!(out, "\t\t{}", key.cid))?;
    writeln!(out, "\tpartners [{}]", stat.peers.len())?;
    if verbose {
        stat.peers.iter().try_for_each(|peer| writeln!(out, "\t\t{peer}"))?;
    }
    Ok(())
}

pub(super) fn ledger(ledger: &Ledger, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Ledger for {}\nDebt ratio:\t{:.6}", ledger.peer, ledger.value)?;
    writeln!(out, "Exchanges:\t{}\nBytes sent:\t{}", ledger.exchanged, ledger.sent)?;
    writeln!(out, "Bytes received:\t{}\n", ledger.recv)
}
