//! What a comparison works with: the programs, a folder, content made once, and helpers where they exist.

use std::path::{Path, PathBuf};

use super::Options;
use crate::Outcome;
use crate::lab::boxo::Boxo;
use crate::lab::guard::Folder;
use crate::lab::nginx::Nginx;
use crate::lab::program::Program;
use crate::lab::raw::RawStream;
use crate::lab::{content, wrk};

/// The bench.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) programs: Vec<Program>,
    folder: Folder,
    /// The probe of a raw stream, where it was built.
    pub(crate) raw: Option<RawStream>,
    go_peer: Option<PathBuf>,
    /// A peer that answers with blocks nobody asked for, where it was built.
    pub(crate) liar: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Outcome<Self> {
        let folder = Folder::new(options.work.as_deref())?;
        let link = |text: &String| Program::link(text, folder.path());
        let programs = options.programs.iter().map(link).collect::<Outcome<Vec<_>>>()?;
        let found = |given: &Option<PathBuf>, usual: Option<PathBuf>| {
            given.clone().or(usual).filter(|path| path.is_file())
        };
        let raw = found(&options.probe_stream, built("examples/probe_stream")).map(RawStream);
        let go_peer = found(&options.go_peer, Some(workspace().join("interop/bin/go-peer")));
        let liar = found(&options.liar, built("examples/liar_peer"));
        Ok(Self { options, programs, folder, raw, go_peer, liar })
    }

    /// What is missing here, and so not measured.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut miss = |there: bool, text: &str| {
            if !there {
                println!("SKIP: {text}");
                notes.push(text.to_owned());
            }
        };
        miss(self.raw.is_some(), "no probe_stream, so no raw libp2p stream to compare with");
        miss(self.go_peer.is_some(), "no go-peer, so no fetch from a boxo server");
        miss(self.liar.is_some(), "no liar_peer, so no peer that lies");
        miss(wrk::present(), "no wrk, so no load on gateways");
        miss(Nginx::present(), "no nginx to compare gateways with");
        if self.options.size != 1024 {
            notes.push(format!("the file of 1 GiB had {} MiB", self.options.size));
        }
        notes
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A place for a node's repository.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.folder().join("nodes").join(name)
    }

    /// A file of so many bytes, made at its first use.
    pub(crate) fn file(&self, bytes: u64) -> Outcome<PathBuf> {
        let path = self.folder().join(format!("file-{bytes}"));
        if !path.exists() {
            content::file(&path, bytes, bytes)?;
        }
        Ok(path)
    }

    /// A folder of so many files of one size, made at its first use.
    pub(crate) fn files(&self, files: u64, bytes: usize, folders: u64) -> Outcome<PathBuf> {
        let path = self.folder().join(format!("files-{files}-{bytes}"));
        if !path.exists() {
            content::folder(&path, files, bytes, folders, files)?;
        }
        Ok(path)
    }

    /// A server on boxo, where it was built.
    pub(crate) fn boxo(&self) -> Outcome<Option<Boxo>> {
        self.go_peer.as_deref().map(Boxo::start).transpose()
    }
}

/// The folder of the workspace that this was built from.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

/// Something built beside this program.
fn built(path: &str) -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.join(path))
}
