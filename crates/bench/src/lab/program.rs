//! A program under test.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{self, Output};
use crate::Outcome;

/// A program that speaks the reference node's command line.
#[derive(Clone)]
pub(crate) struct Program {
    /// What the table calls it.
    pub(crate) name: String,
    /// What is called; its last part is `ipfs`, because under its own name Ipse has other defaults.
    pub(crate) path: PathBuf,
    /// Whether it is Ipse, which gets work that would keep others busy for an hour.
    pub(crate) ours: bool,
}

impl Program {
    /// Reads `NAME=PATH`, and makes a link called `ipfs` to it in `folder`.
    pub(crate) fn link(text: &str, folder: &Path) -> Outcome<Self> {
        let (name, path) = split(text)?;
        let target = std::fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))?;
        let bin = folder.join("bin").join(name);
        std::fs::create_dir_all(&bin)?;
        let [link, own] = ["ipfs", "ipse"].map(|name| bin.join(name));
        std::os::unix::fs::symlink(&target, &link)?;
        std::os::unix::fs::symlink(&target, &own)?;
        // Whatever its file is called: only Ipse names itself under its own name.
        let mut version = Command::new(&own);
        version.arg("version").env("IPFS_PATH", folder.join("none"));
        let said = command::run(&mut version, None, Output::Kept)?.text();
        Ok(Self { name: name.to_owned(), path: link, ours: said.starts_with("ipse ") })
    }
}

fn split(text: &str) -> Outcome<(&str, &str)> {
    let named = text.split_once('=').filter(|(name, path)| !name.is_empty() && !path.is_empty());
    let (name, path) = named.ok_or_else(|| format!("{text:?} is not NAME=PATH"))?;
    if name.contains(|c: char| !c.is_alphanumeric() && !"-_.".contains(c)) {
        return Err(format!("{name:?}: a name has letters, digits, '-', '_' and '.'").into());
    }
    Ok((name, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_a_name_and_a_path() {
        assert_eq!(split("kubo=a/b=c").unwrap(), ("kubo", "a/b=c"));
        for bad in ["kubo", "=a", "kubo=", "a/b=c", "a b=c"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
