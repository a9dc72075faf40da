//! What was acknowledged and has to be there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use crate::lab::content::Noise;

/// A file that an add has acknowledged.
pub(crate) struct Kept {
    pub(crate) cid: String,
    sha256: Vec<u8>,
}

impl Kept {
    pub(crate) fn new(cid: String, content: &[u8]) -> Self {
        Self { cid, sha256: digest(&SHA256, content).as_ref().to_vec() }
    }

    /// Whether bytes are its content.
    pub(crate) fn is(&self, content: &[u8]) -> bool {
        digest(&SHA256, content).as_ref() == self.sha256
    }
}

/// The shelf. Whoever reads a file holds it; it is forgotten only when nobody does.
#[derive(Default)]
pub(crate) struct Shelf {
    files: Mutex<VecDeque<Arc<Kept>>>,
}

impl Shelf {
    fn files(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Kept>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, kept: Kept) {
        self.files().push_back(Arc::new(kept));
    }

    /// Any file.
    pub(crate) fn any(&self, noise: &mut Noise) -> Option<Arc<Kept>> {
        let files = self.files();
        let at = (noise.unit() * files.len() as f64) as usize;
        files.get(at).cloned()
    }

    /// Takes off the oldest file beyond so many that nobody reads.
    pub(crate) fn forget(&self, beyond: usize) -> Option<Arc<Kept>> {
        let mut files = self.files();
        let spare = files.len().saturating_sub(beyond);
        let at = files.iter().take(spare).position(|file| Arc::strong_count(file) == 1)?;
        files.remove(at)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Kept>> {
        self.files().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_not_forgotten() {
        let shelf = Shelf::default();
        for name in ["a", "b", "c"] {
            shelf.put(Kept::new(name.to_owned(), name.as_bytes()));
        }
        assert!(shelf.forget(3).is_none());
        let held = shelf.all().swap_remove(0);
        assert_eq!(shelf.forget(1).unwrap().cid, "b");
        assert!(held.is(b"a") && !held.is(b"b"));
        drop(held);
        assert_eq!(shelf.forget(1).unwrap().cid, "a");
        assert_eq!(shelf.any(&mut Noise::new(1)).unwrap().cid, "c");
    }
}
