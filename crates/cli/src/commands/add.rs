//! `add`: files go up while their CIDs come back.

use ipse_api::{AddEvent, OptionValue};

use crate::answer::Answer;
use crate::args::{FileInput, Source};
use crate::error::CliError;
use crate::progress::Progress;
use crate::session::Session;
use crate::text::escape;
use crate::upload::{announce_stdin, total_bytes};

/// How much is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Volume {
    Full,
    Cids,
    LastCid,
    Nothing,
}

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let volume = volume(session);
    let quiet = volume != Volume::Full && session.invocation.optional_bool("progress").is_none();
    let shown = !quiet && Progress::wanted(&session.invocation, session.console);
    session.invocation.set("progress", OptionValue::Bool(shown && session.console.err_is_terminal()));
    let files = session.inputs.files.clone();
    if let Some(line) = announce_stdin().filter(|_| files.iter().any(|file| file.source == Source::Stdin)) {
        session.console.note(line);
    }
    let total = if shown && session.console.err_is_terminal() { total(&files, session).await } else { None };
    let (mut answer, skipped) = session.ask_with_files().await?;
    show(session, &mut answer, volume, &Progress::new(shown, session.console, total)).await?;
    if skipped.count() > 0 { Err(CliError::Reported) } else { Ok(()) }
}

fn volume(session: &Session<'_>) -> Volume {
    let given = |name| session.invocation.bool(name);
    if given("silent") {
        Volume::Nothing
    } else if given("quieter") {
        Volume::LastCid
    } else if given("quiet") {
        Volume::Cids
    } else {
        Volume::Full
    }
}

/// Bytes that will be read; unknown for standard input.
async fn total(files: &[FileInput], session: &Session<'_>) -> Option<u64> {
    let options = session.walk_options();
    let files = files.to_vec();
    let count = move || {
        files.iter().try_fold(0, |total, file| match &file.source {
            Source::Stdin => None,
            Source::Path(path) => Some(total + total_bytes(path, &file.name, options)),
        })
    };
    tokio::task::spawn_blocking(count).await.ok()?
}

async fn show(
    session: &mut Session<'_>,
    answer: &mut Answer,
    volume: Volume,
    progress: &Progress,
) -> Result<(), CliError> {
    let console = &mut *session.console;
    let mut last = None;
    let mut counted = Counted::default();
    while let Some(event) = answer.item::<AddEvent>().await? {
        if event.hash.is_empty() {
            progress.set(counted.so_far(&event.name, event.bytes.unwrap_or_default()));
            continue;
        }
        progress.suspend(|| match volume {
            Volume::Full => writeln!(console.out(), "added {} {}", event.hash, escape(&event.name)),
            Volume::Cids => writeln!(console.out(), "{}", event.hash),
            Volume::LastCid | Volume::Nothing => Ok(()),
        })?;
        if !answer.has_line() {
            progress.suspend(|| console.flush())?;
        }
        last = Some(event.hash);
    }
    if let (Volume::LastCid, Some(cid)) = (volume, last) {
        writeln!(console.out(), "{cid}")?;
    }
    Ok(())
}

/// Sums up bytes that are told for one file at a time, each from zero.
#[derive(Default)]
struct Counted {
    file: String,
    of_file: u64,
    before: u64,
}

impl Counted {
    fn so_far(&mut self, file: &str, bytes: u64) -> u64 {
        if file != self.file || bytes < self.of_file {
            self.before += self.of_file;
            file.clone_into(&mut self.file);
        }
        self.of_file = bytes;
        self.before + bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_summed_over_files() {
        let mut counted = Counted::default();
        let steps = [("a", 5), ("a", 9), ("b", 2), ("b", 4), ("b", 1)];
        assert_eq!(steps.map(|(file, bytes)| counted.so_far(file, bytes)), [5, 9, 11, 13, 14]);
    }
}
