//! The one thread of the store: it takes what is in the log over into the index, about a second after it was
//! written, or at once when there is much. It sleeps while nothing is written.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::core::{Core, Signal};
use crate::lock;

/// How long changes are gathered, so that the index takes them in one batch.
const GATHER: Duration = Duration::from_secs(1);

pub(crate) fn start(core: &Arc<Core>) -> io::Result<JoinHandle<()>> {
    let core = Arc::clone(core);
    // What the opening replayed is waiting already.
    lock(&core.signal).dirty = !core.pending().active.is_empty();
    std::thread::Builder::new().name("ipse-index".into()).spawn(move || run(&core))
}

pub(crate) fn stop(core: &Core) {
    lock(&core.signal).stop = true;
    core.wake.notify_all();
}

fn run(core: &Core) {
    // Told when it changes, not once a second for as long as a disk is full.
    let mut failure: Option<String> = None;
    let mut signal = lock(&core.signal);
    while !signal.stop {
        if !signal.dirty {
            signal = core.wake.wait(signal).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let gathering = |signal: &mut Signal| !signal.stop && !signal.due;
        let waited = core.wake.wait_timeout_while(signal, GATHER, gathering);
        signal = waited.unwrap_or_else(PoisonError::into_inner).0;
        if signal.stop {
            return;
        }
        (signal.dirty, signal.due) = (false, false);
        drop(signal);
        let result = core.checkpoint_within();
        signal = lock(&core.signal);
        signal.dirty |= result.is_err();
        let now = result.err().map(|error| error.to_string());
        match (&failure, &now) {
            (before, Some(error)) if before.as_ref() != Some(error) => {
                tracing::warn!(%error, "the index could not be brought up to date; trying again");
            }
            (Some(_), None) => tracing::info!("the index is up to date again"),
            _ => {}
        }
        failure = now;
    }
}
