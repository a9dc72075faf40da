//! `version`: who we are, without a look at the repository.

use std::io::{self, Write};

use ipse_api::{Invocation, VersionInfo};
use ipse_node::{COMPATIBLE_REPO_VERSION, COMPATIBLE_VERSION, VERSION};

use super::ask_each;
use crate::console::Console;
use crate::error::CliError;
use crate::persona::Persona;
use crate::session::Session;

/// Prints our own versions.
pub(crate) fn local(
    persona: Persona,
    invocation: &Invocation,
    console: &mut Console,
) -> Result<(), CliError> {
    let info = own();
    if invocation.string("encoding").as_deref() == Some("json") {
        let json = serde_json::to_string(&info).map_err(CliError::Answer)?;
        return Ok(writeln!(console.out(), "{json}")?);
    }
    Ok(write(persona, &info, invocation, console.out())?)
}

/// Prints a daemon's versions.
pub(super) async fn remote(session: &mut Session<'_>) -> Result<(), CliError> {
    let invocation = session.invocation.clone();
    ask_each(session, |info: &VersionInfo, out| write(Persona::Ipfs, info, &invocation, out)).await
}

/// What this program is.
pub(crate) fn own() -> VersionInfo {
    VersionInfo {
        version: COMPATIBLE_VERSION.to_owned(),
        commit: String::new(),
        repo: COMPATIBLE_REPO_VERSION.to_string(),
        system: format!("{}/{}", processor(), std::env::consts::OS),
        golang: concat!("rust", env!("CARGO_PKG_RUST_VERSION")).to_owned(),
    }
}

/// The processor by the name that tools of this field know.
const fn processor() -> &'static str {
    match std::env::consts::ARCH.as_bytes() {
        b"x86_64" => "amd64",
        b"aarch64" => "arm64",
        b"x86" => "386",
        _ => std::env::consts::ARCH,
    }
}

fn write(
    persona: Persona,
    info: &VersionInfo,
    invocation: &Invocation,
    out: &mut dyn Write,
) -> io::Result<()> {
    let given = |name| invocation.bool(name);
    let commit = if info.commit.is_empty() { String::new() } else { format!("-{}", info.commit) };
    let version = match persona {
        Persona::Ipse => VERSION,
        Persona::Ipfs => &info.version,
    };
    if given("all") {
        return write_all(persona, info, out);
    }
    if given("repo") {
        return writeln!(out, "{}", info.repo);
    }
    let commit = if given("commit") { commit } else { String::new() };
    match persona {
        _ if given("number") => writeln!(out, "{version}{commit}"),
        Persona::Ipse => {
            writeln!(out, "ipse version {version}{commit} (compatible with Kubo {})", info.version)
        }
        Persona::Ipfs => writeln!(out, "ipfs version {version}{commit}"),
    }
}

/// The lines that a daemon starts with, too.
pub(crate) fn write_all(persona: Persona, info: &VersionInfo, out: &mut dyn Write) -> io::Result<()> {
    if persona == Persona::Ipse {
        writeln!(out, "Ipse version: {VERSION}")?;
    }
    writeln!(out, "Kubo version: {}\nRepo version: {}", info.version, info.repo)?;
    writeln!(out, "System version: {}\nGolang version: {}", info.system, info.golang)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(persona: Persona, query: &str) -> String {
        let invocation = Invocation::from_address("version", query).unwrap();
        let mut out = Vec::new();
        write(persona, &own(), &invocation, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_name_has_its_own_version() {
        assert_eq!(written(Persona::Ipfs, ""), format!("ipfs version {COMPATIBLE_VERSION}\n"));
        assert_eq!(written(Persona::Ipfs, "number=true"), format!("{COMPATIBLE_VERSION}\n"));
        assert_eq!(written(Persona::Ipfs, "repo=true"), "18\n");
        let ours = written(Persona::Ipse, "");
        assert!(ours.starts_with(&format!("ipse version {VERSION} ")) && ours.contains(COMPATIBLE_VERSION));
    }
}
