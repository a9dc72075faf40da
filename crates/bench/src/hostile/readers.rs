//! Clients that ask for much and read nothing, beside one that reads.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::{Options, honest, tell};
use crate::Outcome;
use crate::lab::node::Node;
use crate::lab::{content, process};

/// Bytes of the file that the honest client reads.
const FILE_BYTES: u64 = 100 * 1024;
/// Commands of the RPC whose replies are large.
const COMMANDS: [&str; 4] = ["cat?arg=", "get?arg=", "dag/export?arg=", "refs?recursive=true&arg="];

/// What is asked of one door.
struct Door {
    address: SocketAddr,
    method: &'static str,
    honest: String,
    slow: Vec<String>,
}

pub(super) fn run(options: &Options, node: &Node, large: &str, folder: &Path) -> Outcome<()> {
    let small = folder.join("honest");
    content::file(&small, FILE_BYTES, 2)?;
    let (small, _) = node.add(&[], &small)?;
    let rpc = |commands: &[&str]| Door {
        address: node.api(),
        method: "POST",
        honest: format!("/api/v0/cat?arg={small}"),
        slow: commands.iter().map(|command| format!("/api/v0/{command}{large}")).collect(),
    };
    let gateway = Door {
        address: node.gateway(),
        method: "GET",
        honest: format!("/ipfs/{small}"),
        slow: vec![format!("/ipfs/{large}")],
    };
    beside(options, node, "gateway", &gateway)?;
    beside(options, node, "RPC, cat", &rpc(&COMMANDS[..1]))?;
    beside(options, node, "RPC, cat beside cat, get, dag export, refs", &rpc(&COMMANDS))
}

fn beside(options: &Options, node: &Node, name: &str, door: &Door) -> Outcome<()> {
    let honest = || {
        let path = || Some(door.honest.clone());
        honest::work(options.seconds, Duration::from_millis(5), door.address, door.method, path)
    };
    let alone = honest()?;
    process::reset_peak(node.pid()?)?;
    let mut slow = Vec::with_capacity(options.readers);
    for path in door.slow.iter().cycle().take(options.readers) {
        let mut stream = TcpStream::connect(door.address)?;
        let head =
            format!("{} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", door.method, door.address);
        stream.write_all(head.as_bytes())?;
        slow.push(stream);
    }
    let beside = honest()?;
    let files = process::open_files(node.pid()?)?;
    // They vanish; what was held for them has to be free again.
    drop(slow);
    std::thread::sleep(Duration::from_secs(2));
    tell(&format!("{name}: 100 KiB beside {} slow readers", options.readers), &alone, &beside, node)?;
    println!("Open files: {files} with them, {} after they vanished.\n", process::open_files(node.pid()?)?);
    Ok(())
}
