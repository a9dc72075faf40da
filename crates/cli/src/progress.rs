//! Progress: a bar on standard error while a person watches, and nothing at all otherwise.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ipse_api::Invocation;

use crate::console::Console;

const KNOWN: &str = "{bytes} / {total_bytes} [{bar:30}] {percent}% {bytes_per_sec} {eta}";
const UNKNOWN: &str = "{bytes} {bytes_per_sec} {elapsed}";
const TICK: Duration = Duration::from_millis(200);

/// A bar, or none.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Whether a command shows progress: as its option says, else where standard error is a terminal.
    pub(crate) fn wanted(invocation: &Invocation, console: &Console) -> bool {
        invocation.optional_bool("progress").unwrap_or_else(|| console.err_is_terminal())
    }

    /// A bar over so many bytes, if they are known. A bar that nobody can see is none.
    pub(crate) fn new(shown: bool, console: &Console, total: Option<u64>) -> Self {
        if !shown || !console.err_is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = if total.is_some() { KNOWN } else { UNKNOWN };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(TICK);
        Self(Some(bar))
    }

    /// More bytes are through.
    pub(crate) fn add(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }

    /// So many bytes are through by now.
    pub(crate) fn set(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(bytes);
        }
    }

    /// Prints in place of the bar, which comes back below.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
