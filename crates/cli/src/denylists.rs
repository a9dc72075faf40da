//! Denylists: the files in which the operator names what this node is not to provide.
//!
//! They are the operator's own: `*.deny` in `/etc/ipfs/denylists`, in `$XDG_CONFIG_HOME/ipfs/denylists` and in
//! `denylists` of the repository, where the reference node looks too. They are read in the order of their names, and
//! the last rule that matches counts.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipse_base::limits::DENYLIST_LINE_BYTES_MAX;
use ipse_base::{ErrorKind, Kind};
use ipse_denylist::{Denylist, Reader, Refused};
use ipse_node::{DenylistReadError, DenylistSource};

/// Switches denylists off, as in the reference node.
const DISABLE: &str = "IPFS_CONTENT_BLOCKING_DISABLE";

/// The denylists that hold for a repository; `None` where the person wants none.
pub(crate) fn of(repository: &Path) -> Option<Arc<dyn DenylistSource>> {
    if std::env::var(DISABLE).is_ok_and(|value| value == "true") {
        return None;
    }
    let home = || std::env::home_dir().map(|home| home.join(".config"));
    let configuration = std::env::var_os("XDG_CONFIG_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(home);
    let folders =
        [Some("/etc/ipfs/denylists".into()), configuration.map(|folder| folder.join("ipfs/denylists"))];
    let folders = folders.into_iter().flatten().chain([repository.join("denylists")]).collect();
    Some(Arc::new(Folders(folders)))
}

/// The folders in which lists are looked for.
struct Folders(Vec<PathBuf>);

impl Folders {
    /// All lists, in the order in which they count. A folder that is not there holds none.
    fn files(&self) -> Result<Vec<PathBuf>, DenylistReadError> {
        let mut files = Vec::new();
        for folder in &self.0 {
            match fs::read_dir(folder) {
                Ok(entries) => {
                    for entry in entries {
                        files.push(entry.map_err(|error| unreadable(folder, &error))?.path());
                    }
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(unreadable(folder, &error)),
            }
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "deny"));
        files.sort_by(|a, b| (a.file_name(), a).cmp(&(b.file_name(), b)));
        Ok(files)
    }
}

impl DenylistSource for Folders {
    fn state(&self) -> u64 {
        let mut state = DefaultHasher::new();
        for file in self.files().unwrap_or_default() {
            let about = fs::metadata(&file).ok().map(|about| (about.len(), about.modified().ok()));
            (file, about).hash(&mut state);
        }
        state.finish()
    }

    fn read(&self) -> Result<Denylist, DenylistReadError> {
        let mut reader = Reader::default();
        for file in self.files()? {
            let refused = read_into(&mut reader, &file)?;
            if let Some((line, error)) = refused.first() {
                let (list, lines) = (file.display(), refused.len());
                tracing::error!("{list}: {lines} lines are no rules and deny nothing; line {line}: {error}");
            }
        }
        Ok(reader.finish())
    }
}

/// Reads one list.
fn read_into(reader: &mut Reader, file: &Path) -> Result<Vec<Refused>, DenylistReadError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    reader.begin(&name);
    let mut content = BufReader::new(File::open(file).map_err(|error| unreadable(file, &error))?);
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let some = (&mut content).take(DENYLIST_LINE_BYTES_MAX as u64 + 1);
        let read = { some }.read_until(b'\n', &mut line).map_err(|error| unreadable(file, &error))?;
        if read == 0 {
            break;
        }
        number += 1;
        if read > DENYLIST_LINE_BYTES_MAX && !line.ends_with(b"\n") {
            content.skip_until(b'\n').map_err(|error| unreadable(file, &error))?;
        }
        reader.line(&line).map_err(|error| DenylistReadError {
            list: file.display().to_string(),
            reason: format!("line {number}: {error}"),
            kind: error.kind(),
        })?;
    }
    reader.end().map_err(|error| DenylistReadError {
        list: file.display().to_string(),
        reason: error.to_string(),
        kind: error.kind(),
    })
}

fn unreadable(file: &Path, error: &io::Error) -> DenylistReadError {
    DenylistReadError {
        list: file.display().to_string(),
        reason: error.to_string(),
        kind: if error.kind() == io::ErrorKind::PermissionDenied { Kind::Denied } else { Kind::Internal },
    }
}
