//! The page cache out of the way, and what the disk gives then.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use crate::Outcome;

/// Forgets what the page cache has of a file.
fn forget(file: &File) -> Outcome<()> {
    // Only clean pages go.
    file.sync_data()?;
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// The same of all files in a folder and below.
pub(crate) fn forget_folder(folder: &Path) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            forget_folder(&entry.path())?;
        } else if kind.is_file() {
            // What went away meanwhile is forgotten.
            let _ = File::open(entry.path()).map(|file| forget(&file));
        }
    }
    Ok(())
}

/// MiB/s at which a file is read that is in no cache.
pub(crate) fn read_mib_s(path: &Path) -> Outcome<f64> {
    let mut file = File::open(path)?;
    forget(&file)?;
    let mut buffer = vec![0; 1 << 20];
    let (start, mut bytes) = (Instant::now(), 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes as f64 / f64::from(1 << 20) / start.elapsed().as_secs_f64()),
            read => bytes += read as u64,
        }
    }
}
