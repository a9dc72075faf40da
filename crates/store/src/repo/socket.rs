//! The local socket: the door for programs of the same user on the same machine.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::{Repo, RepoError};
use crate::disk::DiskError;
use crate::lock;

/// The socket's name in the repository.
const NAME: &str = "ipse.sock";

/// The longest path that a socket's address holds on every Unix system, in bytes.
const PATH_BYTES_MAX: usize = 103;

impl Repo {
    /// Where the local socket of a repository is; `None` where the path is too long for one.
    pub fn socket_path(root: &Path) -> Option<PathBuf> {
        let path = std::path::absolute(root).ok()?.join(NAME);
        (path.as_os_str().len() <= PATH_BYTES_MAX).then_some(path)
    }

    /// Listens on the local socket for as long as the repository is open, for its owner only; `None` where the
    /// path is too long or the repository can only be read. One that a killed process left behind is replaced: the lock says that nobody listens.
    ///
    /// # Errors
    /// What the disk says.
    pub fn listen(&self) -> Result<Option<UnixListener>, RepoError> {
        let path = Self::socket_path(self.root()).filter(|_| !self.is_read_only());
        let Some(path) = path else { return Ok(None) };
        let mut published = lock(&self.inner.published);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(DiskError::of("remove", &path)(error).into());
            }
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(DiskError::of("listen at", &path))?;
        published.push(path.clone());
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, owner_only).map_err(DiskError::of("protect", &path))?;
        Ok(Some(listener))
    }
}
