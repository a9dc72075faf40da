//! A real file system whose disk is smaller than it says: syncs fail, and go well again when there is space. Where
//! nothing can be mounted the test says so and passes.

#![allow(clippy::print_stdout, reason = "a test that can't run here says so")]
#![allow(clippy::unwrap_used, reason = "a test says what must hold")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{leaf, links};
use ipse_store::{Repo, Store, StoreOptions};

fn ran(words: &[&str]) -> bool {
    Command::new(words[0]).args(&words[1..]).output().is_ok_and(|done| done.status.success())
}

/// An ext4 in a file that has holes, on a file system in memory with less space.
struct Thin {
    folder: tempfile::TempDir,
}

impl Thin {
    fn new() -> Option<Self> {
        let thin = Self { folder: tempfile::tempdir().unwrap() };
        let (memory, image) = (thin.at("memory"), thin.at("memory/image"));
        std::fs::create_dir(&memory).unwrap();
        std::fs::create_dir(thin.at("disk")).unwrap();
        let made = ran(&["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", text(&memory)])
            && ran(&["truncate", "-s", "64M", text(&image)])
            && ran(&[
                "mkfs.ext4",
                "-q",
                "-O",
                "^has_journal",
                "-E",
                "lazy_itable_init=1,nodiscard",
                text(&image),
            ])
            && thin.mount();
        if !made {
            println!("SKIP: no file system can be made and mounted here");
        }
        made.then_some(thin)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mount(&self) -> bool {
        ran(&["mount", "-o", "loop,nodiscard", text(&self.at("memory/image")), text(&self.at("disk"))])
    }

    /// So that nothing is read from memory afterwards.
    fn mount_anew(&self) {
        assert!(ran(&["umount", text(&self.at("disk"))]) && self.mount());
    }

    fn grow(&self) {
        assert!(ran(&["mount", "-o", "remount,size=100m", text(&self.at("memory"))]));
    }
}

impl Drop for Thin {
    fn drop(&mut self) {
        for name in ["disk", "memory"] {
            ran(&["umount", "--lazy", text(&self.at(name))]);
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_is_acknowledged_after_a_failed_sync_is_on_the_disk() {
    let Some(thin) = Thin::new() else { return };
    let root = thin.at("disk/repo");
    let store = Store::open_in(Repo::init(&root, b"{}", b"{}").unwrap(), StoreOptions::new(links)).unwrap();
    let mut blocks = (0..60).map(|number| leaf(number, 700_000));
    let lost = blocks.find(|block| {
        store.put_blocks(std::slice::from_ref(block)).unwrap();
        store.commit_blocks().is_err()
    });
    let lost = lost.unwrap();
    assert!(store.commit_blocks().is_err());
    thin.grow();
    let last = leaf(1000, 700_000);
    store.put_blocks(std::slice::from_ref(&last)).unwrap();
    store.commit_blocks().unwrap();
    drop(store);
    thin.mount_anew();
    let store = Store::open(&root, StoreOptions::new(links)).unwrap();
    // What was acknowledged before is not asked for: a loop device may tell late that it had no space.
    for block in [&lost, &last] {
        assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block));
    }
    let block = leaf(2000, 700_000);
    store.put_blocks(std::slice::from_ref(&block)).unwrap();
    store.commit_blocks().unwrap();
}
