//! Hostile peers beside an honest one that fetches small files, each of them new to it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Large, Options, honest, tell};
use crate::Outcome;
use crate::lab::guard::Guarded;
use crate::lab::node::Node;
use crate::lab::program::Program;
use crate::lab::{content, http, process};

/// Between two honest requests.
const EVERY: Duration = Duration::from_millis(20);
/// Bytes of a file that the honest peer fetches.
const FILE_BYTES: u64 = 16 * 1024;

/// How long a newcomer tries to get a block.
const NEWCOMER_MAX: Duration = Duration::from_secs(60);
/// How long one of its attempts may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// Three measurements: alone; beside the same attack on another node, which shows what the attackers and their
/// victim take of the machine; and beside the attack on the node that serves.
pub(super) fn run(
    options: &Options,
    program: &Program,
    node: &Node,
    large: &Large,
    attack: &Path,
    folder: &Path,
) -> Outcome<()> {
    let friend = Node::new(program, folder.join("friend"))?;
    friend.connect(node.swarm(), &node.peer_id()?)?;
    let files = folder.join("small");
    std::fs::create_dir_all(&files)?;
    let count = 3 * options.seconds * 1000 / EVERY.as_millis() as u64;
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
    let control = {
        let other = Node::new(program, folder.join("other"))?;
        other.add(&[], &large.path)?;
        let _hostile = start(options.peers, &other, large, attack)?;
        fetch()?
    };
    process::reset_peak(node.pid()?)?;
    let hostile = start(options.peers, node, large, attack)?;
    let (begun, used) = (Instant::now(), process::cpu_seconds(node.pid()?)?);
    let theirs = process::cpu_seconds(hostile.id())?;
    let beside = fetch()?;
    let seconds = begun.elapsed().as_secs_f64();
    let used = process::cpu_seconds(node.pid()?)? - used;
    let theirs = process::cpu_seconds(hostile.id())? - theirs;
    let newcomer = newcomer(program, node, large, folder)?;
    drop(hostile);
    std::thread::sleep(Duration::from_secs(3));
    tell(&format!("fetch of 16 KiB beside {} hostile peers", options.peers), &alone, &beside, node)?;
    println!(
        "\nBeside the same attack on another node of this machine: {control}. In {seconds:.1} s of the attack the node \
         used {used:.2} s of processor time, the attackers {theirs:.2} s. {newcomer}\n"
    );
    println!("{}", node.run(&["diag", "hot"])?.text());
    Ok(())
}

/// Somebody who comes while they are there, and tries again when he is turned away: how long until he has a block.
fn newcomer(program: &Program, node: &Node, large: &Large, folder: &Path) -> Outcome<String> {
    let late = Node::new(program, folder.join("late"))?;
    let address = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", node.swarm().port(), node.peer_id()?);
    let ask = |path: String| {
        http::request("POST", late.api(), &path, ATTEMPT_MAX).is_ok_and(|answer| answer.status == 200)
    };
    let (begun, mut attempts) = (Instant::now(), 0);
    while begun.elapsed() < NEWCOMER_MAX {
        attempts += 1;
        if ask(format!("/api/v0/swarm/connect?arg={address}"))
            && ask(format!("/api/v0/block/get?arg={}", large.cid))
        {
            let seconds = begun.elapsed().as_secs_f64();
            return Ok(format!("A newcomer had a block after {seconds:.2} s, in {attempts} attempts."));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(format!("A newcomer had no block after {attempts} attempts."))
}

/// Starts the hostile peers, and waits until each has had its first go. They run at the lowest priority: they are
/// elsewhere, and what they do is to be measured, not what they take of this machine.
fn start(count: usize, node: &Node, large: &Large, attack: &Path) -> Outcome<Guarded> {
    let blocks = node.run(&["refs", "-r", &large.cid])?.text();
    let mut command = Command::new("nice");
    let address = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", node.swarm().port(), node.peer_id()?);
    command.arg("-n19").arg(attack).args([&count.to_string(), &address]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
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
