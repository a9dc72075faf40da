//! A node of the tour: this very program as a child, with a repository of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::TourError;

/// How long a node may take to come up or go down.
const READY_MAX: Duration = Duration::from_secs(30);

/// A node of the tour. Dropping it kills its process.
pub(super) struct Process {
    name: String,
    program: PathBuf,
    repository: PathBuf,
    daemon: Option<Child>,
}

/// A command of the tour that runs beside it. Dropping it kills its process.
pub(super) struct Running(Child);

impl Process {
    /// Makes a repository that listens on loopback only, and starts its node.
    pub(super) fn start(place: &Path, name: &str) -> Result<Self, TourError> {
        let program =
            std::env::current_exe().map_err(|source| TourError::Start { command: "ipse".into(), source })?;
        let repository = place.join(name);
        let mut node = Self { name: name.into(), program, repository, daemon: None };
        node.run(&["init", "--profile=test,unixfs-v1-2025"])?;
        node.restart()?;
        Ok(node)
    }

    /// Starts the node's process and waits until it answers.
    pub(super) fn restart(&mut self) -> Result<(), TourError> {
        let log_path = self.repository.join("daemon.log");
        let log = std::fs::File::create(&log_path)
            .map_err(|source| TourError::File { path: log_path.clone(), source })?;
        let mut command = self.command(&["daemon"]);
        let child = command.stdin(Stdio::null()).stderr(Stdio::from(log)).stdout(Stdio::null()).spawn();
        self.daemon =
            Some(child.map_err(|source| TourError::Start { command: "ipse daemon".into(), source })?);
        let deadline = Instant::now() + READY_MAX;
        while self.run(&["--api", &self.api()?, "id"]).is_err() {
            let ended = self.daemon.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                return Err(TourError::NotReady(self.name.clone(), log));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Where the node's RPC listens, once it says so.
    fn api(&self) -> Result<String, TourError> {
        let path = self.repository.join("api");
        let deadline = Instant::now() + READY_MAX;
        loop {
            match std::fs::read_to_string(&path) {
                Ok(address) => return Ok(address),
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
                Err(source) => return Err(TourError::File { path, source }),
            }
        }
    }

    /// Runs a command of this node and returns what it prints.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String, TourError> {
        let text = arguments.join(" ");
        let output = self.command(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|source| TourError::Start { command: text.clone(), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(TourError::Command { command: text, output: said })
    }

    /// Starts a command of this node.
    pub(super) fn spawn(&self, arguments: &[&str]) -> Result<Running, TourError> {
        let mut command = self.command(arguments);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let started = child.map_err(|source| TourError::Start { command: arguments.join(" "), source })?;
        Ok(Running(started))
    }

    /// Connects to another node of the tour.
    pub(super) fn connect(&self, other: &Self) -> Result<(), TourError> {
        let identity = other.ask(&["id"])?;
        let address = identity["Addresses"].as_array().and_then(|list| list.first()).and_then(Value::as_str);
        let address = address.ok_or_else(|| TourError::Answer("id".into()))?;
        self.run(&["swarm", "connect", address])?;
        Ok(())
    }

    /// Bytes of blocks received from peers since the process started.
    pub(super) fn received(&self) -> Result<u64, TourError> {
        let stat = self.ask(&["bitswap", "stat"])?;
        stat["DataReceived"].as_u64().ok_or_else(|| TourError::Answer("bitswap stat".into()))
    }

    /// Bytes of all blocks of a Dag.
    pub(super) fn dag_bytes(&self, root: &str) -> Result<u64, TourError> {
        let stat = self.ask(&["dag", "stat", "--progress=false", root])?;
        stat["TotalSize"].as_u64().ok_or_else(|| TourError::Answer("dag stat".into()))
    }

    /// Ends the node's process as a power cut would.
    pub(super) fn kill(&mut self) -> Result<(), TourError> {
        if let Some(mut child) = self.daemon.take() {
            let failed = |source| TourError::Start { command: "kill".into(), source };
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            // The address that it wrote down is nobody's now.
            let _ = std::fs::remove_file(self.repository.join("api"));
        }
        Ok(())
    }

    /// Asks the node to stop and waits until its process has ended.
    pub(super) fn stop(&mut self) -> Result<(), TourError> {
        self.run(&["shutdown"])?;
        if let Some(mut child) = self.daemon.take() {
            child.wait().map_err(|source| TourError::Start { command: "shutdown".into(), source })?;
        }
        Ok(())
    }

    fn ask(&self, arguments: &[&str]) -> Result<Value, TourError> {
        let mut all = vec!["--enc=json"];
        all.extend(arguments);
        let text = self.run(&all)?;
        let line = text.lines().next_back().unwrap_or_default();
        serde_json::from_str(line).map_err(|_| TourError::Answer(arguments.join(" ")))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("IPFS_PATH", &self.repository);
        command
    }
}

impl Running {
    pub(super) fn has_ended(&mut self) -> Result<bool, TourError> {
        let state = self.0.try_wait();
        Ok(state.map_err(|source| TourError::Start { command: "get".into(), source })?.is_some())
    }

    pub(super) fn wait(&mut self) -> Result<(), TourError> {
        self.0.wait().map_err(|source| TourError::Start { command: "get".into(), source })?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.daemon {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
