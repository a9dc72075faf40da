//! A node of a program: its repository, its daemon, its commands.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::command::{self, Output, Ran, tail};
use super::guard::Guarded;
use super::program::Program;
use super::{content, http, process};
use crate::Outcome;

/// The flags of the import profile with large raw leaves.
pub(crate) const LARGE: &[&str] = &["--cid-version=1", "--raw-leaves", "--chunker=size-1048576"];

/// A node under test. Its daemon ends and its repository is emptied when it is dropped.
pub(crate) struct Node {
    program: Program,
    pub(crate) repo: PathBuf,
    daemon: Option<Guarded>,
    api: u16,
    gateway: u16,
    swarm: u16,
    /// Seconds that `init` took.
    pub(crate) init_seconds: f64,
}

impl Node {
    /// Initializes a repository for loopback only: no bootstrap, routing, multicast, telemetry.
    pub(crate) fn init(program: &Program, repo: PathBuf) -> Outcome<Self> {
        if repo.exists() {
            content::lay_aside(&repo);
        }
        fs::create_dir_all(&repo)?;
        let [api, gateway, swarm] = [http::free_port()?, http::free_port()?, http::free_port()?];
        let mut node =
            Self { program: program.clone(), repo, daemon: None, api, gateway, swarm, init_seconds: 0.0 };
        node.init_seconds = node.run(&["init", "--profile=test"])?.seconds;
        let path = node.repo.join("config");
        let mut config: Value = serde_json::from_slice(&fs::read(&path)?)?;
        node.configure(&mut config);
        fs::write(&path, serde_json::to_vec_pretty(&config)?)?;
        Ok(node)
    }

    /// Initializes and starts.
    pub(crate) fn new(program: &Program, repo: PathBuf) -> Outcome<Self> {
        let mut node = Self::init(program, repo)?;
        node.start()?;
        Ok(node)
    }

    fn configure(&self, config: &mut Value) {
        config["Addresses"]["API"] = json!(format!("/ip4/127.0.0.1/tcp/{}", self.api));
        config["Addresses"]["Gateway"] = json!(format!("/ip4/127.0.0.1/tcp/{}", self.gateway));
        config["Addresses"]["Swarm"] = json!([
            format!("/ip4/127.0.0.1/tcp/{}", self.swarm),
            format!("/ip4/127.0.0.1/udp/{}/quic-v1", self.swarm)
        ]);
        config["Bootstrap"] = json!([]);
        config["Routing"] = json!({"Type": "none"});
        config["DNS"] = json!({"Resolvers": {}});
        config["Discovery"] = json!({"MDNS": {"Enabled": false}});
        config["AutoConf"]["Enabled"] = json!(false);
        config["AutoTLS"]["Enabled"] = json!(false);
        config["Ipns"]["DelegatedPublishers"] = json!([]);
    }

    /// A command line of this node, not yet run.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program.path);
        command.args(args).env("IPFS_PATH", &self.repo).env("HOME", &self.repo).env("IPFS_TELEMETRY", "off");
        command
    }

    /// Runs a command and keeps what it prints.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome<Ran> {
        self.named(command::run(&mut self.command(args), None, Output::Kept))
    }

    /// Runs a command whose output is thrown away.
    pub(crate) fn run_quietly(&self, args: &[&str]) -> Outcome<Ran> {
        self.named(command::run(&mut self.command(args), None, Output::Null))
    }

    /// Runs a command whose output is read and counted.
    pub(crate) fn count(&self, args: &[&str]) -> Outcome<Ran> {
        self.named(command::run(&mut self.command(args), None, Output::Counted))
    }

    /// Runs a command with something to read.
    pub(crate) fn feed(&self, args: &[&str], input: Vec<u8>) -> Outcome<Ran> {
        self.named(command::run(&mut self.command(args), Some(input), Output::Counted))
    }

    /// Exports a Dag into a file.
    pub(crate) fn export(&self, root: &str, path: &Path) -> Outcome<Ran> {
        // The shell's redirection, so that nobody reads for the program.
        let parts = self.command(&["dag", "export", "--progress=false", root]);
        let mut export = Command::new("sh");
        export.args(["-c", "exec \"$0\" \"$@\" > \"$ARCHIVE\""]);
        export.arg(parts.get_program()).args(parts.get_args());
        export.envs(parts.get_envs().filter_map(|(key, value)| Some((key, value?)))).env("ARCHIVE", path);
        self.named(command::run(&mut export, None, Output::Null))
    }

    fn named<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        outcome.map_err(|failure| format!("{}: {failure}", self.program.name).into())
    }

    /// Adds a path; the root, and how long it took.
    pub(crate) fn add(&self, flags: &[&str], path: &Path) -> Outcome<(String, Ran)> {
        let path = path.to_str().ok_or("a path that is not UTF-8")?;
        let ran = self.run(&[&["add", "-Q"], flags, &[path]].concat())?;
        Ok((ran.text(), ran))
    }

    /// Starts the daemon; seconds to the first answer on the RPC.
    pub(crate) fn start(&mut self) -> Outcome<f64> {
        let log = self.repo.join("daemon.log");
        let out = File::options().create(true).append(true).open(&log)?;
        let mut command = self.command(&["daemon"]);
        command.stdin(std::process::Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let start = Instant::now();
        let mut daemon = Guarded::spawn(&mut command, None)?;
        let patience = Duration::from_secs(2);
        while !http::request("POST", self.api(), "/api/v0/id", patience).is_ok_and(|a| a.status == 200) {
            if !daemon.running() || start.elapsed() > Duration::from_secs(120) {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{}: no daemon: {}", self.program.name, tail(said.trim(), 1200)).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.daemon = Some(daemon);
        Ok(start.elapsed().as_secs_f64())
    }

    /// Asks the daemon to end; seconds until it has.
    pub(crate) fn stop(&mut self) -> Outcome<f64> {
        let start = Instant::now();
        if let Some(mut daemon) = self.daemon.take() {
            daemon.signal(Signal::TERM);
            while daemon.running() {
                if start.elapsed() > Duration::from_secs(60) {
                    return Err(format!("{} does not stop", self.program.name).into());
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Ends the daemon as a power cut would, but for the page cache.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
    }

    /// The daemon's process.
    pub(crate) fn pid(&self) -> Outcome<u32> {
        let daemon = self.daemon.as_ref().ok_or("the daemon does not run")?;
        Ok(daemon.id())
    }

    /// Runs a step and tells the daemon's peak memory in it, in MiB.
    pub(crate) fn with_peak<T>(&self, step: impl FnOnce() -> Outcome<T>) -> Outcome<(T, f64)> {
        process::reset_peak(self.pid()?)?;
        let result = step()?;
        Ok((result, process::memory_mib(self.pid()?, "VmHWM")?))
    }

    /// Where the RPC listens.
    pub(crate) fn api(&self) -> SocketAddr {
        http::here(self.api)
    }

    /// Where the gateway listens.
    pub(crate) fn gateway(&self) -> SocketAddr {
        http::here(self.gateway)
    }

    /// Where peers connect to, TCP and UDP alike.
    pub(crate) fn swarm(&self) -> SocketAddr {
        http::here(self.swarm)
    }

    /// Its name among peers.
    pub(crate) fn peer_id(&self) -> Outcome<String> {
        Ok(self.run(&["id", "--format", "<id>"])?.text().trim_matches('"').to_owned())
    }

    /// Connects to a peer that listens on TCP, perhaps behind a relay.
    pub(crate) fn connect(&self, at: SocketAddr, peer: &str) -> Outcome<()> {
        self.run(&["swarm", "connect", &format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer}", at.port())]).map(drop)
    }

    /// Connects by QUIC.
    pub(crate) fn connect_quic(&self, at: SocketAddr, peer: &str) -> Outcome<()> {
        let address = format!("/ip4/127.0.0.1/udp/{}/quic-v1/p2p/{peer}", at.port());
        self.run(&["swarm", "connect", &address]).map(drop)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A daemon that did not stop is killed, then its repository is out of the way.
        let _ = self.stop();
        self.daemon = None;
        content::lay_aside(&self.repo);
    }
}
