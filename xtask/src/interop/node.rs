//! An Ipse node, driven as a person drives it: the binary, its command line,
//! its configuration file.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::cell::{Shape, Transport};
use super::content::{Content, Digest, hash, hash_folder};
use super::side::{LIMIT, Side};
use crate::{Outcome, process};

/// Longest life of a daemon, in seconds: it ends then even if nobody is left
/// to end it.
const LIFE: u64 = 900;
/// Longest time for a command that carries no content, in seconds.
const SHORT: u64 = 30;
const READY: Duration = Duration::from_secs(60);

/// A running node in a temporary folder. Dropping it ends the daemon and
/// removes the folder.
pub(crate) struct Node {
    // Dropped first: the daemon must be gone before its folder is.
    daemon: process::Guard,
    ipse: PathBuf,
    home: TempDir,
    api: u16,
    address: String,
    id: String,
}

impl Node {
    /// Initialises and starts a node that listens on loopback, on one
    /// transport, and knows nobody.
    pub(crate) fn start(ipse: &Path, transport: Transport) -> Outcome<Self> {
        let home = TempDir::with_prefix("ipse-interop-")?;
        process::output(command(ipse, home.path(), SHORT).args(["init", "--profile=test"]))?;
        configure(&repo(home.path()).join("config"), transport)?;

        let log = home.path().join("daemon.log");
        let file = std::fs::File::create(&log)?;
        let mut daemon = command(ipse, home.path(), LIFE);
        daemon.arg("daemon").stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let mut daemon = process::Guard::spawn(&mut daemon)?;
        let api = until_ready(&mut daemon, &repo(home.path()).join("api"), &log)?;

        let id = process::output(command(ipse, home.path(), SHORT).args(["id", "--format", "<id>"]))?;
        let id = id.trim().trim_matches('"').to_owned();
        let listen = process::output(command(ipse, home.path(), SHORT).args(["swarm", "addrs", "listen"]))?;
        let listen = listen.lines().next().ok_or("the daemon listens nowhere")?;
        let address = format!("{listen}/p2p/{id}");
        Ok(Self { daemon, ipse: ipse.to_path_buf(), home, api, address, id })
    }

    /// The base of the RPC's URLs.
    pub(crate) fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    /// Runs one command of the node and returns what it printed.
    pub(crate) fn run(&self, seconds: u64, arguments: &[&str]) -> Outcome<String> {
        process::output(self.command(seconds).args(arguments))
    }

    pub(crate) fn command(&self, seconds: u64) -> Command {
        command(&self.ipse, self.home.path(), seconds)
    }

    /// Ends the daemon politely and says whether it went.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        self.daemon.terminate();
        if self.daemon.ended_within(Duration::from_secs(20)) {
            return Ok(());
        }
        Err("the daemon did not end within 20 seconds of SIGTERM".into())
    }

    fn get(&self, cid: &str) -> Outcome<Digest> {
        let folder = self.home.path().join("got");
        self.run(LIMIT, &["get", "-o", &folder.to_string_lossy(), cid])?;
        let digest = hash_folder(&folder);
        std::fs::remove_dir_all(&folder)?;
        digest
    }

    fn cat(&self, cid: &str) -> Outcome<Digest> {
        let log = self.home.path().join("cat.log");
        let mut cat = self.command(LIMIT);
        cat.args(["cat", cid]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut cat = process::Guard::spawn(cat.stderr(std::fs::File::create(&log)?))?;
        let stdout = cat.child().stdout.take().ok_or("cat has no output")?;
        let digest = hash(stdout, std::io::sink())?;
        let status = cat.child().wait()?;
        if status.success() {
            return Ok(digest);
        }
        let said = std::fs::read_to_string(&log)?;
        Err(format!("cat {cid}: {status} after {} bytes: {}", digest.bytes, said.trim()).into())
    }
}

impl Side for Node {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn connect(&mut self, address: &str) -> Outcome<()> {
        self.run(SHORT, &["swarm", "connect", address]).map(drop)
    }

    fn disconnect(&mut self, id: &str) -> Outcome<()> {
        self.run(SHORT, &["swarm", "disconnect", &format!("/p2p/{id}")]).map(drop)
    }

    fn connections(&mut self) -> Outcome<usize> {
        Ok(self.run(SHORT, &["swarm", "peers"])?.lines().count())
    }

    fn opened(&mut self) -> Outcome<Option<u64>> {
        Ok(None)
    }

    fn add(&mut self, content: &Content, shape: Shape) -> Outcome<String> {
        let source = self.home.path().join("source");
        content.write(&source)?;
        let cid = format!("--cid-version={}", shape.cid_version);
        let raw = format!("--raw-leaves={}", shape.raw_leaves);
        let chunk = format!("--chunker=size-{}", shape.chunk);
        let source = source.to_string_lossy();
        let mut arguments = vec!["add", "-Q", &cid, &raw, &chunk];
        arguments.extend(content.is_directory().then_some("-r"));
        arguments.push(&source);
        Ok(self.run(LIMIT, &arguments)?.trim().to_owned())
    }

    fn fetch(&mut self, cid: &str, content: &Content) -> Outcome<Digest> {
        if content.is_directory() { self.get(cid) } else { self.cat(cid) }
    }
}

fn repo(home: &Path) -> PathBuf {
    home.join("repo")
}

fn command(ipse: &Path, home: &Path, seconds: u64) -> Command {
    let mut command = process::limited(ipse, seconds);
    // Any node of this family can be put in Ipse's place; some of them would
    // phone home.
    command.env("IPFS_PATH", repo(home)).env("IPFS_TELEMETRY", "off");
    command
}

/// Edits the configuration file so that the node meets only whom the cell
/// lets it meet. Everything else in the file stays as `init` wrote it.
///
/// The node picks its ports: one that was free a moment ago may be another
/// peer's by the time the node listens.
fn configure(file: &Path, transport: Transport) -> Outcome<()> {
    let swarm = match transport {
        Transport::Tcp => "/ip4/127.0.0.1/tcp/0",
        Transport::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
    };
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let settings = [
        (["Addresses", "API"], json!("/ip4/127.0.0.1/tcp/0")),
        (["Addresses", "Gateway"], json!("/ip4/127.0.0.1/tcp/0")),
        (["Addresses", "Swarm"], json!([swarm])),
        (["Discovery", "MDNS"], json!({"Enabled": false})),
        (["Routing", "Type"], json!("none")),
        (["DNS", "Resolvers"], json!({})),
        (["AutoConf", "Enabled"], json!(false)),
        (["AutoTLS", "Enabled"], json!(false)),
        (["Ipns", "DelegatedPublishers"], json!([])),
        (["Routing", "DelegatedRouters"], json!([])),
    ];
    config["Bootstrap"] = json!([]);
    for ([section, key], value) in settings {
        // A section may be absent or null.
        if !config[section].is_object() {
            config[section] = json!({});
        }
        config[section][key] = value;
    }
    Ok(std::fs::write(file, serde_json::to_string_pretty(&config)?)?)
}

/// Waits until the RPC answers and says on which port, as the daemon wrote it
/// to its file `api`.
fn until_ready(daemon: &mut process::Guard, file: &Path, log: &Path) -> Outcome<u16> {
    let start = Instant::now();
    loop {
        if let Some(api) = port_in(file).filter(|&api| answers(api)) {
            return Ok(api);
        }
        let wrong = match (daemon.running(), start.elapsed() < READY) {
            (true, true) => {
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
            (true, false) => "is not ready after a minute",
            (false, _) => "ended instead of serving",
        };
        let said = std::fs::read_to_string(log).unwrap_or_default();
        return Err(format!("the daemon {wrong}: {}", process::tail(said.trim(), 600)).into());
    }
}

/// The port at the end of the address in this file; None while it is not
/// written.
fn port_in(file: &Path) -> Option<u16> {
    std::fs::read_to_string(file).ok()?.trim().rsplit('/').next()?.parse().ok()
}

fn answers(api: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, api))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "POST /api/v0/id HTTP/1.1\r\nHost: 127.0.0.1:{api}\r\nContent-Length: 0\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
