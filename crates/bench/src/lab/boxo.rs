//! A server made of the reference node's own library: `go-peer` of the interop cells.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::guard::Guarded;
use super::http;
use crate::Outcome;

/// A peer with its blocks in memory. It speaks the lines of `interop/README.md`.
pub(crate) struct Boxo {
    child: Guarded,
    lines: BufReader<ChildStdout>,
    pub(crate) peer: String,
    pub(crate) address: SocketAddr,
    tag: u64,
}

impl Boxo {
    /// Starts one that listens on TCP.
    pub(crate) fn start(program: &Path) -> Outcome<Self> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Guarded::spawn(&mut command, None)?;
        let pipe = child.child().stdout.take().ok_or("go-peer has no output")?;
        let mut lines = BufReader::new(pipe);
        let hello = line(&mut lines)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let peer = text(&hello["id"]).ok_or("go-peer does not say who it is")?;
        let address = text(&hello["addrs"][0]).ok_or("go-peer does not say where it listens")?;
        let port = address.split('/').nth(4).and_then(|port| port.parse().ok());
        let address = http::here(port.ok_or_else(|| format!("go-peer listens on {address}"))?);
        Ok(Self { child, lines, peer, address, tag: 0 })
    }

    /// Makes it hold a file of so many bytes.
    pub(crate) fn add(&mut self, bytes: u64, chunk: u64) -> Outcome<String> {
        self.ask(json!({"op": "add", "bytes": bytes, "seed": 1, "cidVersion": 1, "rawLeaves": true, "chunk": chunk}))
    }

    /// Makes it hold a folder of so many files of up to 1 KiB.
    pub(crate) fn add_folder(&mut self, entries: u64) -> Outcome<String> {
        self.ask(json!({
            "op": "addDir", "entries": entries, "prefix": "file-of-the-bench-", "seed": 1,
            "cidVersion": 1, "rawLeaves": true, "chunk": 262_144
        }))
    }

    fn ask(&mut self, mut request: Value) -> Outcome<String> {
        self.tag += 1;
        request["tag"] = json!(self.tag);
        let pipe = self.child.child().stdin.as_mut().ok_or("go-peer has no input")?;
        writeln!(pipe, "{request}")?;
        let answer = line(&mut self.lines)?;
        let cid = answer["cid"].as_str();
        Ok(cid.ok_or_else(|| format!("go-peer answers {answer}"))?.to_owned())
    }
}

fn line(lines: &mut impl BufRead) -> Outcome<Value> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    Ok(serde_json::from_str(&line).map_err(|e| format!("go-peer says {line:?}: {e}"))?)
}
