//! `cid` and `multibase list`: what CIDs say, and tables of names.

use std::io::{self, Write};

use ipse_api::{CidFormatted, CidInspected, CodeName};

use super::ask_each;
use crate::error::CliError;
use crate::session::Session;

/// Numbers that the multiformats table gives to what is compared here.
const DAG_PB: u64 = 0x70;
const SHA2_256: u64 = 0x12;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.command.name {
        "format" | "base32" => formatted(session).await,
        "inspect" => inspect(session).await,
        "bases" | "list" => bases(session).await,
        _ => codes(session).await,
    }
}

async fn formatted(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    let mut failed = false;
    while let Some(cid) = answer.item::<CidFormatted>().await? {
        if cid.error_msg.is_empty() {
            writeln!(session.console.out(), "{}", cid.formatted)?;
        } else {
            session.console.note(&format!("{}: {}", cid.cid_str, cid.error_msg));
            failed = true;
        }
    }
    if failed { Err(CliError::Some("errors while displaying some entries")) } else { Ok(()) }
}

async fn inspect(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    let cid: CidInspected = answer.only().await?;
    if !cid.error_msg.is_empty() {
        return Err(CliError::Node { message: cid.error_msg, hint: None, client: false });
    }
    Ok(explain(&cid, session.console.out())?)
}

pub(super) fn explain(cid: &CidInspected, out: &mut dyn Write) -> io::Result<()> {
    let implicit = if cid.version == 0 { ", implicit" } else { "" };
    let (base, codec, hash) = (&cid.multibase, &cid.multicodec, &cid.multihash);
    let prefix = if cid.version == 0 { "implicit" } else { &base.prefix };
    writeln!(out, "CID:        {}\nVersion:    {}", cid.cid, cid.version)?;
    writeln!(out, "Multibase:  {} ({prefix})", base.name)?;
    writeln!(out, "Multicodec: {} ({:#x}{implicit})", codec.name, codec.code)?;
    writeln!(out, "Multihash:  {} ({:#x}{implicit})", hash.name, hash.code)?;
    writeln!(out, "  Length:   {} bytes\n  Digest:   {}", hash.length, hash.digest)?;
    if !cid.cid_v0.is_empty() {
        writeln!(out, "CIDv0:      {}", cid.cid_v0)?;
    } else if codec.code != DAG_PB {
        let (name, code) = (&codec.name, codec.code);
        writeln!(out, "CIDv0:      not possible, requires dag-pb (0x70), got {name} ({code:#x})")?;
    } else if hash.code != SHA2_256 {
        let (name, code) = (&hash.name, hash.code);
        writeln!(out, "CIDv0:      not possible, requires sha2-256 (0x12), got {name} ({code:#x})")?;
    } else if hash.length != 32 {
        writeln!(out, "CIDv0:      not possible, requires 32-byte digest, got {}", hash.length)?;
    }
    writeln!(out, "CIDv1:      {}", cid.cid_v1)
}

async fn bases(session: &mut Session<'_>) -> Result<(), CliError> {
    let (prefix, numeric) = (session.invocation.bool("prefix"), session.invocation.bool("numeric"));
    ask_each(session, |bases: &Vec<CodeName>, out| {
        bases.iter().try_for_each(|base| {
            let letter = u32::try_from(base.code).ok().and_then(char::from_u32);
            let letter = letter.filter(|letter| !letter.is_control()).unwrap_or(' ');
            match (prefix, numeric) {
                (true, true) => writeln!(out, "{letter} {:7}  {}", base.code, base.name),
                (true, false) => writeln!(out, "{letter}  {}", base.name),
                (false, true) => writeln!(out, "{:7}  {}", base.code, base.name),
                (false, false) => writeln!(out, "{}", base.name),
            }
        })
    })
    .await
}

async fn codes(session: &mut Session<'_>) -> Result<(), CliError> {
    let numeric = session.invocation.bool("numeric");
    ask_each(session, |codes: &Vec<CodeName>, out| {
        codes.iter().try_for_each(|code| match numeric {
            true => writeln!(out, "{:5}  {}", code.code, code.name),
            false => writeln!(out, "{}", code.name),
        })
    })
    .await
}
