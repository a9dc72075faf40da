//! Persona: the name the program is called by, and what depends on it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Who we are to the person at the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persona {
    /// Ourselves: friendlier texts, hints, free ports.
    Ipse,
    /// The reference node's command line, to the letter.
    Ipfs,
}

impl Persona {
    /// Reads it from the first word of the command line; any name but `ipfs` is ourselves.
    pub(crate) fn of(program: Option<&OsStr>) -> Self {
        let name = program.and_then(|program| Path::new(program).file_stem());
        if name == Some(OsStr::new("ipfs")) { Self::Ipfs } else { Self::Ipse }
    }

    /// The program's name in texts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ipse => "ipse",
            Self::Ipfs => "ipfs",
        }
    }

    /// Where the repository is: the option, else `IPFS_PATH`, else a folder of our name in the home directory.
    pub(crate) fn repository(self, option: Option<&str>) -> PathBuf {
        if let Some(directory) = option.filter(|directory| !directory.is_empty()) {
            return PathBuf::from(directory);
        }
        if let Some(directory) = std::env::var_os("IPFS_PATH").filter(|directory| !directory.is_empty()) {
            return expand_home(PathBuf::from(directory));
        }
        std::env::home_dir().unwrap_or_default().join(format!(".{}", self.name()))
    }
}

/// `~/x` is the shell's business, and yet people write it into environment files where no shell sees it.
fn expand_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(below), Some(home)) => home.join(below),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_decides() {
        for (program, persona) in [
            ("ipfs", Persona::Ipfs),
            ("/usr/bin/ipfs", Persona::Ipfs),
            ("./ipse", Persona::Ipse),
            ("/opt/ipfs/anything", Persona::Ipse),
        ] {
            assert_eq!(Persona::of(Some(OsStr::new(program))), persona, "{program}");
        }
        assert_eq!(Persona::of(None), Persona::Ipse);
    }

    #[test]
    fn the_option_wins() {
        assert_eq!(Persona::Ipse.repository(Some("/elsewhere")), PathBuf::from("/elsewhere"));
    }
}
