//! A folder with a backup: how it is brought up to date, and how it is read. Layout: `docs/formats/backup.md`.
//!
//! Order: segments grow or come new, each made durable; small files; then the manifest takes the place of the
//! earlier one; then what only the earlier one named is removed. Until the manifest is there, the earlier backup
//! is whole: it says how much of each segment is its own, and more of one does not matter.

mod error;
mod folder;
mod read;
mod write;

pub(crate) use error::FolderError;
pub(crate) use folder::Folder;
pub(crate) use read::{Item, read_all};
pub(crate) use write::Update;
