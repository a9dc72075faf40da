//! One run of a command line: how long, how many lines, when the first of them came.

use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::guard::Guarded;
use crate::Outcome;

/// No command of a comparison takes longer; one that does hangs.
const LIMIT: Duration = Duration::from_secs(900);

/// How much of the output is kept.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// What becomes of the standard output.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Output {
    /// Thrown away by the kernel: costs nobody anything.
    Null,
    /// Read and counted.
    Counted,
    /// Read, counted and kept.
    Kept,
}

/// What a run did.
#[derive(Default)]
pub(crate) struct Ran {
    /// From the start of the process to its end.
    pub(crate) seconds: f64,
    /// From the start of the process to the first line.
    pub(crate) first_line: Option<f64>,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// When the output had reached half of its final length, by the sizes of the reads: (seconds, bytes).
    pub(crate) progress: Vec<(f64, u64)>,
    pub(crate) output: Vec<u8>,
}

impl Ran {
    /// The output as one trimmed line of text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).trim().to_owned()
    }

    /// Seconds to the first line, or to the end where there was none.
    pub(crate) fn first(&self) -> f64 {
        self.first_line.unwrap_or(self.seconds)
    }
}

/// Runs a command to its end. A bad end is a failure that carries what it said.
pub(crate) fn run(command: &mut Command, input: Option<Vec<u8>>, output: Output) -> Outcome<Ran> {
    let mut said = tempfile::tempfile()?;
    command.stderr(said.try_clone()?);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(if output == Output::Null { Stdio::null() } else { Stdio::piped() });
    let start = Instant::now();
    let mut child = Guarded::spawn(command, Some(LIMIT))?;
    let feeder = child.child().stdin.take().zip(input).map(|(mut pipe, input)| {
        // The command may end without reading everything; its exit status tells.
        std::thread::spawn(move || drop(pipe.write_all(&input)))
    });
    let mut ran = Ran::default();
    if let Some(pipe) = child.child().stdout.take() {
        drain(pipe, start, output == Output::Kept, &mut ran)?;
    }
    let status = child.wait()?;
    ran.seconds = start.elapsed().as_secs_f64();
    if let Some(feeder) = feeder {
        let _ = feeder.join();
    }
    if status.success() {
        return Ok(ran);
    }
    let mut text = String::new();
    said.seek(SeekFrom::Start(0))?;
    let _ = said.read_to_string(&mut text);
    Err(format!("{}: {status}: {}", show(command), tail(text.trim(), 600)).into())
}

fn drain(mut pipe: impl Read, start: Instant, keep: bool, ran: &mut Ran) -> Outcome<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut marked = 0;
    loop {
        let n = pipe.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        let lines = memchr::memchr_iter(b'\n', &buffer[..n]).count() as u64;
        if ran.lines == 0 && lines > 0 {
            ran.first_line = Some(start.elapsed().as_secs_f64());
        }
        ran.lines += lines;
        ran.bytes += n as u64;
        // A mark every 256 KiB is enough to tell a rate from.
        if ran.bytes - marked >= 256 << 10 {
            marked = ran.bytes;
            ran.progress.push((start.elapsed().as_secs_f64(), ran.bytes));
        }
        if keep && ran.output.len() + n <= KEPT_BYTES_MAX {
            ran.output.extend_from_slice(&buffer[..n]);
        }
    }
}

/// The command as a person would type it, cut where it gets long.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    line.chars().take(200).collect()
}

/// The last `most` characters: what a failing program says last says most.
pub(crate) fn tail(text: &str, most: usize) -> String {
    let skip = text.chars().count().saturating_sub(most);
    text.chars().skip(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_bytes_are_counted() {
        let mut cat = Command::new("cat");
        let ran = run(&mut cat, Some(b"one\ntwo\n".to_vec()), Output::Kept).unwrap();
        assert_eq!((ran.lines, ran.bytes, ran.text().as_str()), (2, 8, "one\ntwo"));
        assert!(ran.first_line.is_some());
    }

    #[test]
    fn a_bad_end_carries_what_was_said() {
        let failure = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"]), None, Output::Null);
        let Err(failure) = failure else { panic!("an exit status of 3 is no success") };
        assert!(failure.to_string().contains("why"), "{failure}");
    }
}
