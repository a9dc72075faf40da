//! Processes that end: every child has a time limit, and dies with its owner.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;

/// What `timeout` of the coreutils exits with when the limit has passed.
const TIMED_OUT: i32 = 124;

/// A command that is ended after `seconds`, even when this program is gone by
/// then: the limit is kept by `timeout`, not by us. In the foreground, so that
/// an interrupt from the keyboard reaches it too.
pub(crate) fn limited(program: impl AsRef<OsStr>, seconds: u64) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--foreground", "-k", "5"]).arg(seconds.to_string()).arg(program);
    command
}

/// Runs a command to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let done = command.stdin(Stdio::null()).output().map_err(|e| format!("{}: {e}", show(command)))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let why = match done.status.code() {
        Some(TIMED_OUT) => "took too long".to_owned(),
        _ => done.status.to_string(),
    };
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("{}: {why}: {}", show(command), tail(said.trim(), 600)).into())
}

/// Runs a command whose output goes straight to the terminal.
pub(crate) fn stream(command: &mut Command) -> Outcome<()> {
    let status = command.stdin(Stdio::null()).status().map_err(|e| format!("{}: {e}", show(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", show(command)).into()) }
}

/// Whether a program of this name can be called.
pub(crate) fn exists(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
    found.is_ok_and(|done| done.status.success())
}

/// A child that is asked to end, and waited for, when its owner is dropped.
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn spawn(command: &mut Command) -> Outcome<Self> {
        Ok(Self(command.spawn().map_err(|e| format!("{}: {e}", show(command)))?))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    pub(crate) fn running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Waits for the child to end by itself; false if it did not.
    pub(crate) fn ended_within(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        while self.running() {
            if start.elapsed() > limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Asks the child to end. SIGTERM, because `timeout` passes it on to the
    /// process that it watches; SIGKILL would leave that one behind.
    pub(crate) fn terminate(&self) {
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.running() {
            self.terminate();
        }
        // `timeout -k 5` turns a deaf child's SIGTERM into a SIGKILL.
        if !self.ended_within(Duration::from_secs(10)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    line.chars().take(300).collect()
}

/// The last `most` characters: what a failing program says last says most.
pub(crate) fn tail(text: &str, most: usize) -> String {
    let skip = text.chars().count().saturating_sub(most);
    text.chars().skip(skip).collect()
}
