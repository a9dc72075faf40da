//! A home of its own for each test: the real program, its repository, and a daemon that never outlives the test.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long any command may take.
const COMMAND_MAX: Duration = Duration::from_secs(60);

/// A temporary home.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) ok: bool,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// What was printed, of a command that must succeed.
    pub(crate) fn good(self) -> String {
        assert!(self.ok, "failed: {}{}", self.text(), self.err);
        self.text()
    }

    /// What standard error says, of a command that must fail.
    pub(crate) fn bad(self) -> String {
        assert!(!self.ok, "succeeded: {}", self.text());
        self.err
    }
}

impl Home {
    /// A home without a repository.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ipse"), folder.path().join("ipfs")).unwrap();
        Self { folder }
    }

    /// A home with a repository as the reference node makes them, on loopback and without peers.
    pub(crate) fn new() -> Self {
        let home = Self::empty();
        home.ipfs(&["init", "--profile=test"]).good();
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Writes a file into the working folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs the program as `ipfs`.
    pub(crate) fn ipfs(&self, words: &[&str]) -> Done {
        self.run("ipfs", words, b"")
    }

    /// Runs the program as `ipse`.
    pub(crate) fn ipse(&self, words: &[&str]) -> Done {
        self.run("ipse", words, b"")
    }

    /// Runs the program as `ipfs` with standard input.
    pub(crate) fn ipfs_with(&self, words: &[&str], input: &[u8]) -> Done {
        self.run("ipfs", words, input)
    }

    fn command(&self, name: &str, words: &[&str]) -> Command {
        let program = match name {
            "ipfs" => self.folder.path().join("ipfs"),
            _ => PathBuf::from(env!("CARGO_BIN_EXE_ipse")),
        };
        let mut command = Command::new(program);
        command.args(words).current_dir(self.folder.path().join("work"));
        command.env("HOME", self.folder.path()).env("IPFS_PATH", self.repository());
        command
    }

    fn run(&self, name: &str, words: &[&str], input: &[u8]) -> Done {
        let scratch = tempfile::tempdir().unwrap();
        let place = |name: &str| scratch.path().join(name);
        File::create(place("in")).unwrap().write_all(input).unwrap();
        let mut command = self.command(name, words);
        command.stdin(File::open(place("in")).unwrap());
        command.stdout(File::create(place("out")).unwrap()).stderr(File::create(place("err")).unwrap());
        let mut child = command.spawn().unwrap();
        let ok = wait(&mut child, COMMAND_MAX).unwrap_or_else(|| panic!("{words:?} took too long"));
        let err = String::from_utf8_lossy(&fs::read(place("err")).unwrap()).into_owned();
        Done { ok, out: fs::read(place("out")).unwrap(), err }
    }

    /// Starts the program under a name, without waiting for it or hearing what it prints.
    pub(crate) fn start(&self, name: &str, words: &[&str]) -> Child {
        let mut command = self.command(name, words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Starts a daemon and waits until its doors are open.
    pub(crate) fn daemon(&self) -> Daemon {
        self.daemon_as("ipfs", &["daemon"])
    }

    /// Starts a daemon under a name with more words.
    pub(crate) fn daemon_as(&self, name: &str, words: &[&str]) -> Daemon {
        let log = self.folder.path().join("daemon.out");
        let mut command = self.command(name, words);
        let out = File::create(&log).unwrap();
        let child =
            command.stdin(Stdio::null()).stderr(out.try_clone().unwrap()).stdout(out).spawn().unwrap();
        let mut daemon = Daemon { child, log };
        let deadline = Instant::now() + COMMAND_MAX;
        while !daemon.printed().contains("Daemon is ready") {
            assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended: {}", daemon.printed());
            assert!(Instant::now() < deadline, "the daemon is not ready: {}", daemon.printed());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }
}

/// A running daemon; killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// All that it has printed so far.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end; whether it ended well.
    pub(crate) fn ended(&mut self) -> bool {
        wait(&mut self.child, COMMAND_MAX).unwrap_or_else(|| panic!("it does not end: {}", self.printed()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a child's end, and kills it where that takes too long.
fn wait(child: &mut Child, longest: Duration) -> Option<bool> {
    let deadline = Instant::now() + longest;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.success());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Every path below a folder with its content, sorted.
pub(crate) fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
