//! Where an entry of an archive goes: names are checked as bytes, and folders on the way without following links.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::ExtractError;
use crate::error::FileError;

/// The only name that an archive may start with: one component that is a real name.
pub(super) fn root_name(name: &[u8]) -> Result<Vec<u8>, ExtractError> {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.contains(&0) {
        return Err(ExtractError::Root(String::from_utf8_lossy(name).into_owned()));
    }
    Ok(name.to_vec())
}

/// The components of a name below the root.
pub(super) fn below<'a>(root: &[u8], name: &'a [u8]) -> Result<Vec<&'a OsStr>, ExtractError> {
    let refused = |part: &[u8]| ExtractError::Name {
        path: String::from_utf8_lossy(name).into_owned(),
        part: String::from_utf8_lossy(part).into_owned(),
    };
    let trimmed = name.strip_suffix(b"/").unwrap_or(name);
    let mut parts = trimmed.split(|byte| *byte == b'/');
    if parts.next() != Some(root) {
        return Err(ExtractError::Root(String::from_utf8_lossy(name).into_owned()));
    }
    let parts: Vec<&[u8]> = parts.collect();
    if parts.is_empty() {
        return Err(ExtractError::Root(String::from_utf8_lossy(name).into_owned()));
    }
    match parts.iter().find(|part| matches!(**part, b"" | b"." | b"..") || part.contains(&0)) {
        Some(part) => Err(refused(part)),
        None => Ok(parts.into_iter().map(OsStr::from_bytes).collect()),
    }
}

/// Joins components to a path, after a look at each folder on the way.
pub(super) fn checked(output: &Path, parts: &[&OsStr]) -> Result<PathBuf, ExtractError> {
    let mut path = output.to_owned();
    for (place, part) in parts.iter().enumerate() {
        path.push(part);
        if place + 1 < parts.len() {
            let metadata = fs::symlink_metadata(&path).map_err(FileError::at("lstat", &path))?;
            if metadata.is_symlink() {
                return Err(ExtractError::Symlink);
            }
            if !metadata.is_dir() {
                return Err(ExtractError::NotDirectory);
            }
        }
    }
    Ok(path)
}

/// Makes room for a file or link: removes a file, link or empty folder of that name, and nothing else, so that
/// no device is lost to a slip of the hand.
pub(super) fn clear(path: &Path) -> Result<(), ExtractError> {
    let gone = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir(path),
        Ok(metadata) if metadata.is_file() || metadata.is_symlink() => fs::remove_file(path),
        Ok(_) => return Err(ExtractError::Special(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    Ok(gone.map_err(FileError::at("remove", path))?)
}
