//! Hostile peers beside an honest one that fetches small files, each of them new to it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Options, honest, tell};
use crate::Outcome;
use crate::lab::content;
use crate::lab::guard::Guarded;
use crate::lab::node::Node;
use crate::lab::process;
use crate::lab::program::Program;

/// Between two honest requests.
const EVERY: Duration = Duration::from_millis(20);
/// Bytes of a file that the honest peer fetches.
const FILE_BYTES: u64 = 16 * 1024;

pub(super) fn run(
    options: &Options,
    program: &Program,
    node: &Node,
    large: &str,
    attack: &Path,
    folder: &Path,
) -> Outcome<()> {
    let friend = Node::new(program, folder.join("friend"))?;
    friend.connect(node.swarm(), &node.peer_id()?)?;
    let files = folder.join("small");
    std::fs::create_dir_all(&files)?;
    let count = 2 * options.seconds * 1000 / EVERY.as_millis() as u64;
    for number in 0..count {
        content::file(&files.join(number.to_string()), FILE_BYTES, 100 + number)?;
    }
    let path = files.to_str().ok_or("a path that is not UTF-8")?;
    let added = node.run(&["add", "-q", "-r", path])?.text();
    let mut cids: Vec<&str> = added.lines().collect();
    cids.pop();
    let mut fresh = cids.into_iter().map(|cid| format!("/api/v0/cat?arg={cid}"));
    let mut fetch = || honest::work(options.seconds, EVERY, friend.api(), "POST", || fresh.next());
    let alone = fetch()?;
    process::reset_peak(node.pid()?)?;
    let hostile = start(options.peers, node, large, attack)?;
    let beside = fetch()?;
    let late = Node::new(program, folder.join("late"))?;
    let begun = Instant::now();
    late.connect(node.swarm(), &node.peer_id()?)?;
    let connected = begun.elapsed().as_secs_f64();
    late.run_quietly(&["block", "get", large])?;
    let first = begun.elapsed().as_secs_f64();
    drop(hostile);
    std::thread::sleep(Duration::from_secs(3));
    tell(&format!("fetch of 16 KiB beside {} hostile peers", options.peers), &alone, &beside, node)?;
    println!(
        "A newcomer among them was connected after {connected:.2} s and had a block after {first:.2} s.\n"
    );
    println!("{}", node.run(&["diag", "hot"])?.text());
    Ok(())
}

/// Starts the hostile peers, and waits until each has had its first go.
fn start(count: usize, node: &Node, large: &str, attack: &Path) -> Outcome<Guarded> {
    let blocks = node.run(&["refs", "-r", large])?.text();
    let mut command = Command::new(attack);
    let address = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", node.swarm().port(), node.peer_id()?);
    command.args([&count.to_string(), &address]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut hostile = Guarded::spawn(&mut command, None)?;
    let mut input = hostile.child().stdin.take().ok_or("the hostile peers have no input")?;
    input.write_all(blocks.as_bytes())?;
    drop(input);
    let output = hostile.child().stdout.take().ok_or("the hostile peers have no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    match line.trim() {
        "ready" => Ok(hostile),
        said => Err(format!("the hostile peers say {said:?}").into()),
    }
}
