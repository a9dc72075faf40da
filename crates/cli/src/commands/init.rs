//! `init`: a new repository.

use std::path::Path;

use ipse_node::{InitOptions, Initialized, Node};

use super::ports;
use crate::console::Console;
use crate::error::{CliError, FileError};
use crate::persona::Persona;
use crate::session::Session;

/// Profile that a repository of ours starts with: the reference node's newer one, with larger blocks.
const OWN_PROFILE: &str = "unixfs-v1-2025";

/// Largest configuration file that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(crate) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    if session.daemon_runs().await {
        return Err(CliError::DaemonRunning);
    }
    let algorithm = session.invocation.string("algorithm").unwrap_or_default();
    if !algorithm.is_empty() && algorithm != "ed25519" {
        return Err(CliError::KeyKind(algorithm));
    }
    let config = match session.invocation.arguments.first() {
        Some(path) => Some(read_config(Path::new(path))?),
        None => None,
    };
    let profiles = session.invocation.string("profile").unwrap_or_default();
    let made = make(session.persona, &session.repository, profiles, config, session.console)?;
    if session.persona == Persona::Ipse {
        let out = session.console.out();
        writeln!(out, "\nThe node {} is ready. Start it with:\n\n    ipse daemon\n", made.peer_id)?;
    }
    Ok(())
}

fn read_config(path: &Path) -> Result<Vec<u8>, CliError> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(FileError::at("open", path))?;
    let mut bytes = Vec::new();
    file.take(CONFIG_BYTES_MAX).read_to_end(&mut bytes).map_err(FileError::at("read", path))?;
    Ok(bytes)
}

/// Makes a repository and tells about it.
pub(super) fn make(
    persona: Persona,
    root: &Path,
    profiles: String,
    config: Option<Vec<u8>>,
    console: &mut Console,
) -> Result<Initialized, CliError> {
    let mut options = InitOptions { profiles, config, ..InitOptions::default() };
    let mut changes = Vec::new();
    if persona == Persona::Ipse && options.config.is_none() {
        options.profiles = joined(OWN_PROFILE, &options.profiles);
        let ports = ports::free();
        changes = ports.changes();
        options.addresses = (ports != ports::USUAL).then(|| ports.addresses());
    }
    let made = Node::init(root, options).map_err(CliError::inner)?;
    let out = console.out();
    writeln!(out, "generating ED25519 keypair...done\npeer identity: {}", made.peer_id)?;
    writeln!(out, "initializing IPFS node at {}", root.display())?;
    changes.iter().try_for_each(|change| writeln!(out, "{change}"))?;
    console.flush()?;
    Ok(made)
}

/// Profiles apply in order, so that what the person asks for comes last.
fn joined(first: &str, others: &str) -> String {
    if others.is_empty() { first.to_owned() } else { format!("{first},{others}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_profiles_come_last() {
        assert_eq!(joined(OWN_PROFILE, ""), OWN_PROFILE);
        assert_eq!(joined("a", "b,c"), "a,b,c");
    }
}
