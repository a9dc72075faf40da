//! What is added and fetched: bytes that no compressor shrinks, the same for every program.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Outcome;

/// xorshift64*: fast, seeded, and good enough to not compress.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }
}

/// A file of so many bytes.
pub(crate) fn file(path: &Path, bytes: u64, seed: u64) -> Outcome<()> {
    let mut noise = Noise::new(seed);
    let mut file = File::create(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(buffer.len() as u64) as usize;
        noise.fill(&mut buffer[..part]);
        file.write_all(&buffer[..part])?;
        left -= part as u64;
    }
    Ok(())
}

/// A folder of so many files of one size, spread over `folders` folders.
pub(crate) fn folder(path: &Path, files: u64, bytes: usize, folders: u64, seed: u64) -> Outcome<()> {
    let mut noise = Noise::new(seed);
    let mut buffer = vec![0; bytes];
    for i in 0..folders {
        fs::create_dir_all(path.join(format!("{i:03}")))?;
    }
    for i in 0..files {
        noise.fill(&mut buffer);
        fs::write(path.join(format!("{:03}/f{i}", i % folders)), &buffer)?;
    }
    Ok(())
}

/// The space that a folder takes up: allocated bytes and files.
pub(crate) fn footprint(path: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let (mut bytes, mut files) = (0, 0);
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        // Files come and go under a running daemon.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            let below = footprint(&entry.path());
            (bytes, files) = (bytes + below.0, files + below.1);
        } else {
            (bytes, files) = (bytes + meta.blocks() * 512, files + 1);
        }
    }
    (bytes, files)
}

/// Gives a folder's space back and takes it out of the way; its files go with the folder of the whole run.
///
/// Why not remove it: ext4 without a journal passes over every inode that was deleted in the last minutes when it
/// looks for a free one. A program that makes a file for each block then pays for the thousands that a node before
/// it left behind, up to half of its time, and one measured after a node with few files does not.
pub(crate) fn lay_aside(folder: &Path) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // What can't be emptied or moved costs space or shows when the path is used again.
    let _ = empty(folder);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let _ = fs::rename(folder, folder.with_extension(format!("aside-{number}")));
}

fn empty(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            empty(&entry.path())?;
        } else if kind.is_file() {
            let mut mode = entry.metadata()?.permissions();
            // Kubo's blocks may be read only.
            mode.set_mode(0o600);
            fs::set_permissions(entry.path(), mode)?;
            File::options().write(true).open(entry.path())?.set_len(0)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_depends_on_the_seed_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        file(&path("a"), (1 << 20) + 3, 1).unwrap();
        file(&path("b"), (1 << 20) + 3, 1).unwrap();
        file(&path("c"), (1 << 20) + 3, 2).unwrap();
        let read = |name: &str| fs::read(path(name)).unwrap();
        assert_eq!(read("a").len(), (1 << 20) + 3);
        assert!(read("a") == read("b") && read("a") != read("c"));
    }

    #[test]
    fn folders_hold_what_was_asked_for() {
        let root = tempfile::tempdir().unwrap();
        folder(&root.path().join("many"), 10, 100, 3, 1).unwrap();
        assert_eq!(footprint(root.path()).1, 10);
        assert_eq!(fs::read(root.path().join("many/001/f4")).unwrap().len(), 100);
    }

    #[test]
    fn a_folder_laid_aside_takes_no_space_and_keeps_its_files() {
        let root = tempfile::tempdir().unwrap();
        let many = root.path().join("many");
        folder(&many, 10, 9000, 3, 1).unwrap();
        fs::set_permissions(many.join("000/f0"), fs::Permissions::from_mode(0o400)).unwrap();
        lay_aside(&many);
        assert!(!many.exists());
        assert_eq!(footprint(root.path()), (0, 10));
    }

    #[test]
    fn units_are_below_one() {
        let mut noise = Noise::new(0);
        assert!((0..1000).map(|_| noise.unit()).all(|unit| (0.0..1.0).contains(&unit)));
    }
}
