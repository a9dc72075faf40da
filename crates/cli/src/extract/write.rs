//! Writes the entries of an archive, the root first.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tar::{Entry, EntryType};

use super::ExtractError;
use super::place::{below, checked, clear, root_name};
use crate::error::FileError;

/// Permission bits that an archive may set.
const MODE_MASK: u32 = 0o777;
/// Bytes written at once.
const WRITE_BYTES: u64 = 1024 * 1024;

/// Writes entries to where they belong.
pub(super) struct Writer {
    output: PathBuf,
    root: Option<Root>,
    /// Folders whose permissions and times are set last, since writing into them changes both.
    folders: Vec<(PathBuf, Stamp)>,
}

struct Root {
    name: Vec<u8>,
    is_folder: bool,
}

/// Permissions and time of an entry.
struct Stamp {
    mode: u32,
    time: Option<SystemTime>,
}

impl Writer {
    pub(super) fn new(output: PathBuf) -> Self {
        Self { output, root: None, folders: Vec::new() }
    }

    pub(super) fn write<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), ExtractError> {
        let name = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        let path = match &self.root {
            None => self.begin(&name, kind)?,
            Some(root) if root.is_folder => checked(&self.output, &below(&root.name, &name)?)?,
            Some(_) => return Err(ExtractError::Root(String::from_utf8_lossy(&name).into_owned())),
        };
        let stamp = Stamp::of(entry);
        match kind {
            EntryType::Directory => self.folder(path, stamp),
            EntryType::Regular | EntryType::Continuous => {
                let size = entry.size();
                write_file(&path, entry, size, &stamp)
            }
            EntryType::Symlink => write_link(&path, entry),
            other => Err(ExtractError::Type(other.as_byte())),
        }
    }

    /// The first entry: a folder becomes the output itself; a file does, too, unless a folder is there already,
    /// in which it then keeps its own name.
    fn begin(&mut self, name: &[u8], kind: EntryType) -> Result<PathBuf, ExtractError> {
        let name = root_name(name)?;
        let is_folder = kind == EntryType::Directory;
        let mut path = self.output.clone();
        if !is_folder && fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            path = checked(&path, &[std::os::unix::ffi::OsStrExt::from_bytes(name.as_slice())])?;
        }
        self.root = Some(Root { name, is_folder });
        Ok(path)
    }

    fn folder(&mut self, path: PathBuf, stamp: Stamp) -> Result<(), ExtractError> {
        fs::create_dir_all(&path).map_err(FileError::at("mkdir", &path))?;
        let metadata = fs::symlink_metadata(&path).map_err(FileError::at("lstat", &path))?;
        if !metadata.is_dir() {
            return Err(ExtractError::Symlink);
        }
        self.folders.push((path, stamp));
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), ExtractError> {
        if self.root.is_none() {
            return Err(ExtractError::Empty);
        }
        for (path, stamp) in self.folders.iter().rev() {
            let file = File::open(path).map_err(FileError::at("open", path))?;
            stamp.apply(&file, path)?;
        }
        Ok(())
    }
}

fn write_file(path: &Path, entry: &mut impl Read, size: u64, stamp: &Stamp) -> Result<(), ExtractError> {
    // A new file or none at all: the system follows no link here.
    let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let created = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            clear(path)?;
            create()
        }
        created => created,
    };
    let mut file = created.map_err(FileError::at("open", path))?;
    let copied = copy(entry, size, &mut file, path);
    if copied.is_err() {
        // What is incomplete must not look like the file; the first error is the one to tell.
        let _ = fs::remove_file(path);
    }
    copied?;
    Ok(stamp.apply(&file, path)?)
}

/// Copies as many bytes as the entry's head promises, or fails.
fn copy(from: &mut impl Read, size: u64, to: &mut File, path: &Path) -> Result<(), ExtractError> {
    let mut buffer = Vec::new();
    let mut left = size;
    while left > 0 {
        buffer.clear();
        let read =
            from.take(WRITE_BYTES.min(left)).read_to_end(&mut buffer).map_err(ExtractError::Archive)?;
        if read == 0 {
            return Err(ExtractError::Archive(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "unexpected EOF",
            )));
        }
        io::Write::write_all(to, &buffer).map_err(FileError::at("write", path))?;
        left -= read as u64;
    }
    Ok(())
}

fn write_link<R: Read>(path: &Path, entry: &Entry<'_, R>) -> Result<(), ExtractError> {
    clear(path)?;
    let target = entry.link_name_bytes().unwrap_or_default();
    let target: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&target);
    Ok(std::os::unix::fs::symlink(target, path).map_err(FileError::at("symlink", path))?)
}

impl Stamp {
    fn of<R: Read>(entry: &Entry<'_, R>) -> Self {
        let header = entry.header();
        let seconds = header.mtime().unwrap_or_default();
        Self {
            mode: header.mode().unwrap_or_default() & MODE_MASK,
            time: (seconds > 0)
                .then(|| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
                .flatten(),
        }
    }

    fn apply(&self, file: &File, path: &Path) -> Result<(), FileError> {
        if self.mode != 0 {
            file.set_permissions(Permissions::from_mode(self.mode)).map_err(FileError::at("chmod", path))?;
        }
        match self.time {
            Some(time) => file.set_modified(time).map_err(FileError::at("chtimes", path)),
            None => Ok(()),
        }
    }
}
