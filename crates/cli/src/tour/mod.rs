//! The tour: three nodes on this machine, in a temporary folder. A folder is added by one and fetched by the
//! others; the second one's process is killed in the middle and must fetch only what is missing.
//!
//! Everything goes through this very program, as a person would call it. Nothing is left behind.

mod error;
mod folder;
mod process;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use error::TourError;

use folder::{Plan, Tree};
use process::Process;

/// How long any single step may take.
const STEP_MAX: Duration = Duration::from_secs(120);

/// Runs the tour with about `mib` MiB of content and tells `out` what happens.
///
/// # Errors
/// [`TourError`] where a step fails or content differs; the children are ended in any case.
pub(crate) fn run(mib: u64, out: &mut dyn Write) -> Result<(), TourError> {
    let place = folder::Temporary::new()?;
    let started = Instant::now();
    let plan = Plan::of_about(mib);
    say(out, &format!("Three nodes on loopback, in {}", place.path().display()))?;
    let content = place.path().join("content");
    folder::write(&content, plan)?;
    let original = Tree::read(&content)?;
    say(out, &format!("  made a folder of {} files, {}", original.files(), size(original.bytes())))?;

    let mut ada = Process::start(place.path(), "ada")?;
    let mut bert = Process::start(place.path(), "bert")?;
    let mut clara = Process::start(place.path(), "clara")?;
    say(out, "  started the nodes ada, bert and clara")?;

    let watch = Instant::now();
    let root = ada.run(&["add", "-r", "-Q", "--progress=false", path_text(&content)?])?;
    let root = root.trim().to_owned();
    say(out, &format!("  ada added it in {}: {root}", rate(original.bytes(), watch.elapsed())))?;

    bert.connect(&ada)?;
    let received = kill_in_the_middle(&mut bert, &root, place.path(), original.bytes())?;
    say(out, &format!("  bert was killed (SIGKILL) after receiving {}", size(received)))?;

    bert.restart()?;
    bert.connect(&ada)?;
    let fetched = place.path().join("bert-content");
    let watch = Instant::now();
    bert.run(&["get", "--progress=false", "-o", path_text(&fetched)?, &root])?;
    let elapsed = watch.elapsed();
    let rest = bert.received()?;
    let whole = bert.dag_bytes(&root)?;
    say(
        out,
        &format!(
            "  bert was restarted and fetched only the missing {} of {}, {}",
            size(rest),
            size(whole),
            rate(rest, elapsed)
        ),
    )?;
    if rest >= whole {
        return Err(TourError::FetchedAgain { rest, whole });
    }
    original.compare(&Tree::read(&fetched)?, "bert")?;

    clara.connect(&ada)?;
    clara.connect(&bert)?;
    let fetched = place.path().join("clara-content");
    let watch = Instant::now();
    clara.run(&["get", "--progress=false", "-o", path_text(&fetched)?, &root])?;
    say(out, &format!("  clara fetched all of it from both, {}", rate(original.bytes(), watch.elapsed())))?;
    original.compare(&Tree::read(&fetched)?, "clara")?;

    for node in [&mut ada, &mut bert, &mut clara] {
        node.run(&["repo", "verify"])?;
        node.stop()?;
    }
    say(out, "  every file is byte-equal, every block of the three repositories verifies")?;
    drop(place);
    say(out, &format!("Done in {:.1} s; nothing is left behind.", started.elapsed().as_secs_f64()))
}

/// Lets a node fetch and kills its process when half of the bytes are there; returns what it had received.
fn kill_in_the_middle(node: &mut Process, root: &str, place: &Path, bytes: u64) -> Result<u64, TourError> {
    let out = place.join("half");
    let mut fetch = node.spawn(&["get", "--progress=false", "-o", path_text(&out)?, root])?;
    let deadline = Instant::now() + STEP_MAX;
    let received = loop {
        let received = node.received()?;
        if received >= bytes / 2 {
            break received;
        }
        if Instant::now() > deadline || fetch.has_ended()? {
            return Err(TourError::NoMiddle { received });
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    node.kill()?;
    // Its own node is gone: the fetch ends by itself, with an error.
    fetch.wait()?;
    Ok(received)
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), TourError> {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(TourError::Output)
}

fn path_text(path: &Path) -> Result<&str, TourError> {
    path.to_str().ok_or_else(|| TourError::Path(path.to_path_buf()))
}

fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn rate(bytes: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(1e-6);
    format!("{:.2} s ({:.0} MiB/s)", seconds, bytes as f64 / f64::from(1 << 20) / seconds)
}
