//! The crates of the workspace, as their manifests describe them.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// The floor of what is never shipped.
pub(crate) const BESIDE: i64 = 99;

/// One crate under `crates/`.
pub(crate) struct Crate {
    /// Its folder's name: the noun it is about.
    pub(crate) noun: String,
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Table,
}

impl Crate {
    /// Every crate of the house.
    pub(crate) fn all() -> Vec<Self> {
        let mut found: Vec<Self> = fs::read_dir(root().join("crates"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|folder| folder.join("Cargo.toml").is_file())
            .map(|folder| Self::read(&folder))
            .collect();
        found.sort_by(|a, b| a.noun.cmp(&b.noun));
        assert!(found.len() > 5, "the crates are not where they were looked for");
        found
    }

    /// The crates that people get.
    pub(crate) fn shipped() -> Vec<Self> {
        Self::all().into_iter().filter(|one| one.floor() != Some(BESIDE)).collect()
    }

    pub(crate) fn read(folder: &Path) -> Self {
        let noun = folder.file_name().unwrap().to_string_lossy().into_owned();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        Self { noun, folder: folder.to_path_buf(), manifest: manifest.parse().unwrap() }
    }

    pub(crate) fn package(&self) -> &str {
        self.manifest["package"]["name"].as_str().unwrap()
    }

    /// `[package.metadata.house] floor`.
    pub(crate) fn floor(&self) -> Option<i64> {
        self.manifest["package"].get("metadata")?.get("house")?.get("floor")?.as_integer()
    }

    /// The packages that it needs where it runs or is built; for tests it may
    /// use what it likes.
    pub(crate) fn dependencies(&self) -> Vec<String> {
        let everywhere = [&self.manifest].into_iter();
        let targets = self.manifest.get("target").and_then(Value::as_table);
        let somewhere = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        everywhere
            .chain(somewhere)
            .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
            .flatten()
            .filter_map(Value::as_table)
            .flatten()
            .map(|(key, how)| {
                // A dependency can be renamed; what counts is what it is.
                how.get("package").and_then(Value::as_str).unwrap_or(key).to_owned()
            })
            .collect()
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A path as a person would write it, from the workspace down.
pub(crate) fn show(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
