//! A foreign peer: a process that speaks one JSON object per line, as
//! interop/README.md describes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cell::{Peer, Shape, Transport};
use super::content::{Content, Digest};
use super::side::{LIMIT, Side};
use super::tools::Tools;
use crate::{Outcome, process};

/// Longest life of a peer, in seconds, should nobody be left to end it.
const LIFE: u64 = 900;
const SHORT: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(LIMIT);

/// A running foreign peer. It ends when its input is closed, which dropping
/// this does.
pub(crate) struct Foreign {
    // Dropped before the process is waited for.
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    /// Answers that came while another was waited for.
    early: HashMap<u64, Value>,
    tag: u64,
    id: String,
    address: String,
    process: process::Guard,
}

/// A request that has been sent and not been answered yet.
#[derive(Clone, Copy)]
pub(crate) struct Pending(u64);

impl Foreign {
    pub(crate) fn start(peer: Peer, transport: Transport, tools: &Tools) -> Outcome<Self> {
        let mut command = if peer == Peer::Helia {
            let mut command = process::limited(&tools.node, LIFE);
            command.arg(tools.interop.join("helia-peer/main.js"));
            command
        } else {
            let mut command = process::limited(&tools.go_peer, LIFE);
            command.args(["-transport", if transport == Transport::Tcp { "tcp" } else { "quic" }]);
            command
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = process::Guard::spawn(&mut command)?;
        let input = process.child().stdin.take();
        let output = process.child().stdout.take().ok_or("the peer has no output")?;
        let (sender, answers) = sync_channel(16);
        // Ends with the peer's output, or when nobody listens any more.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let (id, address) = (String::new(), String::new());
        let early = HashMap::new();
        let mut peer = Self { input, answers, early, tag: 0, id, address, process };
        let hello = peer.read(SHORT)?;
        peer.id = text(&hello, "id")?;
        peer.address = hello["addrs"][0].as_str().ok_or("the peer listens nowhere")?.to_owned();
        Ok(peer)
    }

    /// Sends a request without waiting for its answer.
    pub(crate) fn send(&mut self, mut request: Value) -> Outcome<Pending> {
        self.tag += 1;
        request["tag"] = json!(self.tag);
        let input = self.input.as_mut().ok_or("the peer is gone")?;
        writeln!(input, "{request}")?;
        Ok(Pending(self.tag))
    }

    /// Waits for the answer to a request.
    pub(crate) fn wait(&mut self, pending: Pending, limit: Duration) -> Outcome<Value> {
        let start = Instant::now();
        let answer = loop {
            if let Some(answer) = self.early.remove(&pending.0) {
                break answer;
            }
            let answer = self.read(limit.saturating_sub(start.elapsed()))?;
            let tag = answer["tag"].as_u64().ok_or("an answer without a tag")?;
            self.early.insert(tag, answer);
        };
        match answer["error"].as_str() {
            Some(error) => Err(format!("the peer says: {error}").into()),
            None => Ok(answer),
        }
    }

    pub(crate) fn ask(&mut self, request: Value, limit: Duration) -> Outcome<Value> {
        let pending = self.send(request)?;
        self.wait(pending, limit)
    }

    fn read(&mut self, limit: Duration) -> Outcome<Value> {
        match self.answers.recv_timeout(limit) {
            Ok(line) => Ok(serde_json::from_str(&line)?),
            Err(RecvTimeoutError::Timeout) => Err("the peer took too long to answer".into()),
            Err(RecvTimeoutError::Disconnected) => Err("the peer has ended".into()),
        }
    }

    fn stat(&mut self, field: &str) -> Outcome<u64> {
        let answer = self.ask(json!({"op": "stat"}), SHORT)?;
        answer[field].as_u64().ok_or_else(|| format!("stat has no {field}").into())
    }

    /// Slows the peer's blockstore down, in milliseconds per block.
    pub(crate) fn pace(&mut self, millis: u64) -> Outcome<()> {
        self.ask(json!({"op": "pace", "millis": millis}), SHORT).map(drop)
    }

    /// How many bytes of blocks it has stored.
    pub(crate) fn written(&mut self) -> Outcome<u64> {
        self.stat("written")
    }

    /// Starts to fetch; the digest is in the answer.
    pub(crate) fn begin_fetch(&mut self, cid: &str) -> Outcome<Pending> {
        self.send(json!({"op": "fetch", "cid": cid}))
    }

    pub(crate) fn end_fetch(&mut self, pending: Pending) -> Outcome<Digest> {
        let answer = self.wait(pending, LONG)?;
        let bytes = answer["bytes"].as_u64().ok_or("a fetch without a length")?;
        Ok(Digest { bytes, sha256: text(&answer, "sha256")? })
    }
}

impl Side for Foreign {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn connect(&mut self, address: &str) -> Outcome<()> {
        self.ask(json!({"op": "connect", "addr": address}), SHORT).map(drop)
    }

    fn disconnect(&mut self, id: &str) -> Outcome<()> {
        self.ask(json!({"op": "disconnect", "peer": id}), SHORT).map(drop)
    }

    fn connections(&mut self) -> Outcome<usize> {
        Ok(usize::try_from(self.stat("connections")?)?)
    }

    fn opened(&mut self) -> Outcome<Option<u64>> {
        self.stat("opened").map(Some)
    }

    fn add(&mut self, content: &Content, shape: Shape) -> Outcome<String> {
        let mut request = match *content {
            Content::File { bytes, seed } => json!({"op": "add", "bytes": bytes, "seed": seed}),
            Content::Directory { entries, prefix, seed } => {
                json!({"op": "addDir", "entries": entries, "prefix": prefix, "seed": seed})
            }
        };
        request["cidVersion"] = json!(shape.cid_version);
        request["rawLeaves"] = json!(shape.raw_leaves);
        request["chunk"] = json!(shape.chunk);
        text(&self.ask(request, LONG)?, "cid")
    }

    fn fetch(&mut self, cid: &str, _: &Content) -> Outcome<Digest> {
        let pending = self.begin_fetch(cid)?;
        self.end_fetch(pending)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.input = None;
        // It goes by itself now; the guard sees to it if it does not.
        self.process.ended_within(Duration::from_secs(5));
    }
}

fn text(answer: &Value, field: &str) -> Outcome<String> {
    Ok(answer[field].as_str().ok_or_else(|| format!("no {field} in {answer}"))?.to_owned())
}
