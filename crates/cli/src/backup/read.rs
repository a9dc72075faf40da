//! Reading a backup: every byte against its hash.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ipse_api::{Manifest, PIECE_BYTES, Piece};
use ipse_base::{HashCode, Hasher};

use super::{Folder, FolderError};
use crate::error::{CliError, FileError};

/// Bytes read at once.
const READ_BYTES: usize = 1024 * 1024;
/// The small files are small.
const SMALL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What comes out of a backup, in order.
pub(crate) enum Item<'a> {
    /// A small file, checked.
    File(&'a str, &'a [u8]),
    /// A segment of this number follows.
    Segment(u32),
    /// Bytes of it. Its piece is checked only when all of it was read: an error that follows takes them back.
    Bytes(&'a [u8]),
}

/// Reads all of a backup in the order in which a repository is made.
pub(crate) fn read_all(
    folder: &Folder,
    manifest: &Manifest,
    take: &mut dyn FnMut(Item<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    for entry in &manifest.files {
        let path = folder.file(&entry.hash);
        let damaged = || FolderError::Damaged { path: path.clone(), offset: 0 };
        if entry.length > SMALL_BYTES_MAX {
            return Err(CliError::inner(damaged()));
        }
        let bytes = std::fs::read(&path).map_err(FileError::at("read", &path))?;
        if bytes.len() as u64 != entry.length || Piece::of(&bytes).as_ref() != Some(&entry.hash) {
            return Err(CliError::inner(damaged()));
        }
        take(Item::File(&entry.name, &bytes))?;
    }
    for segment in &manifest.segments {
        let held = segment.held();
        let path = folder.segment(&held);
        take(Item::Segment(held.number))?;
        let file = File::open(&path).map_err(FileError::at("open", &path))?;
        for (number, piece) in segment.pieces.iter().enumerate() {
            let start = number as u64 * PIECE_BYTES;
            let length = PIECE_BYTES.min(held.length - start);
            let mut taken = Ok(());
            let checked = check_piece(&file, &path, start, length, piece, &mut |bytes| {
                if taken.is_ok() {
                    taken = take(Item::Bytes(bytes));
                }
            });
            taken?;
            checked.map_err(CliError::inner)?;
        }
    }
    Ok(())
}

/// Reads a piece, hands its bytes on, and says whether they were the right ones.
pub(super) fn check_piece(
    file: &File,
    path: &Path,
    start: u64,
    length: u64,
    piece: &Piece,
    take: &mut dyn FnMut(&[u8]),
) -> Result<(), FolderError> {
    let damaged = || FolderError::Damaged { path: path.to_owned(), offset: start };
    let mut hasher = Hasher::new(HashCode::SHA2_256).map_err(|_| FolderError::Hash)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut at = 0;
    while at < length {
        let some = &mut buffer[..READ_BYTES.min((length - at) as usize)];
        match file.read_exact_at(some, start + at) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(damaged()),
            Err(error) => return Err(FileError::at("read", path)(error).into()),
        }
        hasher.update(some);
        take(some);
        at += some.len() as u64;
    }
    if Piece::of_hash(&hasher.finish()).as_ref() == Some(piece) { Ok(()) } else { Err(damaged()) }
}
