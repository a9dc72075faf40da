//! Children and folders that are gone when we are: after a failure, a panic and Ctrl-C alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;

/// What has to go. Children by process id, with the moment at which they are overdue.
struct Kept {
    children: BTreeMap<u32, Option<Instant>>,
    folders: Vec<PathBuf>,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { children: BTreeMap::new(), folders: Vec::new() });

/// Whether an interrupt is ending everything.
static ENDING: AtomicBool = AtomicBool::new(false);

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that ends everything on Ctrl-C and SIGTERM, and each child that is overdue.
pub(crate) fn watch() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => break,
                    _ = terminate.recv() => break,
                    () = tokio::time::sleep(Duration::from_millis(200)) => end_overdue(),
                }
            }
            ENDING.store(true, Ordering::SeqCst);
            end_everything();
            std::process::exit(130);
        });
    });
}

/// Does not return while an interrupt is ending everything: that children go then is no failure.
pub(crate) fn wait_for_an_end() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

fn end_overdue() {
    let now = Instant::now();
    for (pid, _) in kept().children.iter().filter(|(_, due)| due.is_some_and(|due| due < now)) {
        kill(*pid, Signal::KILL);
    }
}

fn end_everything() {
    let kept = kept();
    for pid in kept.children.keys() {
        kill(*pid, Signal::KILL);
    }
    // A child may still be writing its last file while the folder goes.
    for folder in &kept.folders {
        for _ in 0..20 {
            if std::fs::remove_dir_all(folder).is_ok() || !folder.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

/// A child that is killed, and waited for, when its owner is dropped.
pub(crate) struct Guarded {
    child: Child,
}

impl Guarded {
    /// Starts a child; with a limit it is killed when that has passed.
    pub(crate) fn spawn(command: &mut Command, limit: Option<Duration>) -> Outcome<Self> {
        // The lock is held over the start, so that an interrupt cannot fall between start and entry.
        let mut kept = kept();
        let child = command.spawn().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
        kept.children.insert(child.id(), limit.map(|limit| Instant::now() + limit));
        Ok(Self { child })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal without waiting for what follows.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.child.id(), signal);
    }

    /// Waits for the end and says whether it was a good one.
    pub(crate) fn wait(&mut self) -> Outcome<std::process::ExitStatus> {
        let status = self.child.wait()?;
        kept().children.remove(&self.child.id());
        Ok(status)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.running() {
            let _ = self.child.kill();
        }
        let _ = self.wait();
    }
}

/// A temporary folder that goes with its owner.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A new one in `parent`, or where the system keeps such.
    pub(crate) fn new(parent: Option<&Path>) -> Outcome<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = tempfile::Builder::new().prefix("ipse-bench-").tempdir_in(parent)?.keep();
        kept().folders.push(path.clone());
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
        kept().folders.retain(|folder| *folder != self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_child_is_gone() {
        let child = Guarded::spawn(Command::new("sleep").arg("600"), None).unwrap();
        let id = child.id();
        assert!(kept().children.contains_key(&id));
        drop(child);
        assert!(!kept().children.contains_key(&id));
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn a_dropped_folder_is_gone() {
        let folder = Folder::new(None).unwrap();
        let path = folder.path().to_path_buf();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_panic_leaves_neither() {
        let seen = Mutex::new(None);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let folder = Folder::new(None).unwrap();
            let child = Guarded::spawn(Command::new("sleep").arg("600"), None).unwrap();
            *seen.lock().unwrap() = Some((folder.path().to_path_buf(), child.id()));
            panic!("planned");
        }));
        let (folder, child) = seen.lock().unwrap().take().unwrap();
        assert!(panicked.is_err() && !folder.exists());
        assert!(!Path::new(&format!("/proc/{child}")).exists());
    }
}
