//! The tour's content: a folder of large and small files that no compressor and no deduplication can shrink.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ipse_base::{HashCode, Hasher, Multihash};

use super::TourError;

/// A folder that goes away with the value.
pub(super) struct Temporary(PathBuf);

impl Temporary {
    pub(super) fn new() -> Result<Self, TourError> {
        let path = std::env::temp_dir().join(format!("ipse-tour-{}", std::process::id()));
        fs::create_dir(&path).map_err(|source| TourError::File { path: path.clone(), source })?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What can't be removed is left to the system, which empties its temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How much of what is made.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    large_files: u64,
    large_bytes: u64,
    small_files: u64,
}

/// Bytes of a small file.
const SMALL_BYTES: u64 = 4096;

impl Plan {
    /// About `mib` MiB: nearly all of it in four large files, the rest in small ones.
    pub(super) fn of_about(mib: u64) -> Self {
        let bytes = mib.max(8) << 20;
        let small_files = (bytes / 64 / SMALL_BYTES).min(2000);
        Self { large_files: 4, large_bytes: (bytes - small_files * SMALL_BYTES) / 4, small_files }
    }
}

/// Makes the folder.
pub(super) fn write(root: &Path, plan: Plan) -> Result<(), TourError> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for index in 0..plan.large_files {
        write_file(&root.join("large").join(format!("{index}.bin")), plan.large_bytes, &mut noise)?;
    }
    for index in 0..plan.small_files {
        let path = root.join("small").join(format!("{:02}", index % 20)).join(format!("{index}.bin"));
        write_file(&path, SMALL_BYTES, &mut noise)?;
    }
    write_file(&root.join("empty"), 0, &mut noise)
}

fn write_file(path: &Path, bytes: u64, noise: &mut Noise) -> Result<(), TourError> {
    let failed = |source| TourError::File { path: path.to_path_buf(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    let mut left = bytes;
    while left > 0 {
        let word = noise.next().to_le_bytes();
        let part = left.min(word.len() as u64);
        file.write_all(&word[..part as usize]).map_err(failed)?;
        left -= part;
    }
    file.flush().map_err(failed)
}

/// A small generator (xorshift64*): the same content each time, no two blocks alike.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// What a folder holds: each file's size and hash, by its path.
pub(super) struct Tree(BTreeMap<String, (u64, Multihash)>);

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self, TourError> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let failed = |source| TourError::File { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                    files.insert(name, hash_file(&path)?);
                }
            }
        }
        Ok(Self(files))
    }

    pub(super) fn files(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|(bytes, _)| bytes).sum()
    }

    /// Says where the content that a node fetched differs from this.
    pub(super) fn compare(&self, fetched: &Self, node: &str) -> Result<(), TourError> {
        let names = self.0.keys().chain(fetched.0.keys());
        match names.into_iter().find(|name| self.0.get(*name) != fetched.0.get(*name)) {
            None => Ok(()),
            Some(path) => Err(TourError::Differs { node: node.into(), path: path.clone() }),
        }
    }
}

fn hash_file(path: &Path) -> Result<(u64, Multihash), TourError> {
    let failed = |source| TourError::File { path: path.to_path_buf(), source };
    let mut hasher = Hasher::new(HashCode::BLAKE3).map_err(|_| TourError::Path(path.to_path_buf()))?;
    let mut file = File::open(path).map_err(failed)?;
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok((bytes, hasher.finish()));
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
}
