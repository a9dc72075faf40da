//! Session: one command being carried out: what was typed, where it is carried out, and where its results go.
//!
//! Path: `app` → here → a daemon (`remote`) or a node in this process (`local`) → [`Answer`] → `commands`.

use std::path::PathBuf;
use std::sync::Arc;

use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use hyper::http::request::Builder;
use ipse_api::{Invocation, OptionValue, Place};
use ipse_node::Node;

use crate::answer::Answer;
use crate::args::{CommandLine, Inputs};
use crate::console::Console;
use crate::error::CliError;
use crate::local::Local;
use crate::logging::Log;
use crate::persona::Persona;
use crate::remote::{ApiAddress, Connection, LocalAdd, authorization};
use crate::upload::{LocalUpload, Skipped, Upload, WalkOptions};

/// Longest address that is sent; what is longer carries its arguments in the body.
const ADDRESS_BYTES_MAX: usize = 16 * 1024;

/// One command being carried out.
pub(crate) struct Session<'a> {
    /// Who we are to the person.
    pub(crate) persona: Persona,
    /// Where results go.
    pub(crate) console: &'a mut Console,
    /// The command with all that travels.
    pub(crate) invocation: Invocation,
    /// Files to upload.
    pub(crate) inputs: Inputs,
    /// The repository's folder.
    pub(crate) repository: PathBuf,
    /// What this process logs.
    pub(crate) log: Arc<Log>,
    api: Option<String>,
    secret: Option<String>,
    door: Option<Door>,
}

/// Where a command is carried out.
enum Door {
    Daemon(Connection),
    Here(Local),
}

impl<'a> Session<'a> {
    /// Begins a command.
    pub(crate) fn new(
        persona: Persona,
        console: &'a mut Console,
        line: &CommandLine,
        mut inputs: Inputs,
        log: Arc<Log>,
    ) -> Self {
        let mut invocation = line.invocation.clone();
        // Moved: there may be a million of them.
        invocation.arguments = std::mem::take(&mut inputs.strings);
        if line.local_bool("local") {
            invocation.set("offline", OptionValue::Bool(true));
        }
        let directory = line.local_string("repo-dir").or_else(|| line.local_string("config"));
        Self {
            persona,
            console,
            invocation,
            inputs,
            repository: persona.repository(directory),
            log,
            api: line.local_string("api").map(str::to_owned),
            secret: line.local_string("api-auth").map(str::to_owned),
            door: None,
        }
    }

    /// Whether raw values were asked for instead of text.
    pub(crate) fn wants_json(&self) -> bool {
        self.invocation.string("encoding").as_deref() == Some("json")
    }

    /// Sends the command with the files that were named, and waits for the head of the answer.
    pub(crate) async fn ask(&mut self) -> Result<Answer, CliError> {
        Ok(self.ask_with_files().await?.0)
    }

    /// As [`Session::ask`], and what could not be read of the files.
    pub(crate) async fn ask_with_files(&mut self) -> Result<(Answer, Skipped), CliError> {
        if let Some(add) = self.begin_local_add().await? {
            let options = self.walk_options();
            let files = std::mem::take(&mut self.inputs.files);
            let upload = LocalUpload::files(files, options, Console::reporter()).map_err(CliError::System)?;
            let skipped = upload.skipped.clone();
            return Ok((Answer::new(add.send(upload).await?).await?, skipped));
        }
        let upload = self.upload()?;
        let skipped = upload.skipped.clone();
        Ok((self.send(upload).await?, skipped))
    }

    /// An add to the daemon of this repository goes over its local socket, where both speak the same version.
    async fn begin_local_add(&self) -> Result<Option<LocalAdd>, CliError> {
        let adds = self.invocation.path == ["add"] && !self.inputs.files.is_empty() && self.api.is_none();
        let socket = Node::local_socket(&self.repository).filter(|path| adds && path.exists());
        match socket {
            Some(socket) => {
                let request = self.request()?.body(()).map_err(CliError::Request)?;
                Ok(LocalAdd::begin(&socket, request).await)
            }
            None => Ok(None),
        }
    }

    /// The head of the request.
    fn request(&self) -> Result<Builder, CliError> {
        let mut travelling = self.invocation.clone();
        travelling.set("encoding", OptionValue::String("json".to_owned()));
        travelling.set("stream-channels", OptionValue::Bool(true));
        let mut request = Request::post(format!("/api/v0/{}", travelling.to_address()))
            .header(USER_AGENT, concat!("ipse-cli/", env!("CARGO_PKG_VERSION")))
            .header(TE, "trailers");
        if let Some(secret) = &self.secret {
            let value = HeaderValue::try_from(authorization(secret));
            request = request.header(AUTHORIZATION, value.map_err(|_| CliError::Secret)?);
        }
        Ok(request)
    }

    /// The body of the request: files that are read while it is sent, or arguments that are too many.
    pub(crate) fn upload(&mut self) -> Result<Upload, CliError> {
        if !self.inputs.files.is_empty() {
            let options = self.walk_options();
            let files = std::mem::take(&mut self.inputs.files);
            return Upload::files(files, options, Console::reporter()).map_err(CliError::System);
        }
        let from_stdin =
            self.invocation.command.arguments.last().is_some_and(|last| last.stdin && !last.file);
        if from_stdin && self.invocation.to_address().len() > ADDRESS_BYTES_MAX {
            return Ok(Upload::lines(&std::mem::take(&mut self.invocation.arguments)));
        }
        Ok(Upload::none())
    }

    /// How folders are walked.
    pub(crate) fn walk_options(&self) -> WalkOptions {
        let given = |name| self.invocation.bool(name);
        WalkOptions {
            hidden: given("hidden"),
            follow_links: given("dereference-symlinks"),
            modes: given("preserve-mode"),
            times: given("preserve-mtime"),
        }
    }

    /// Sends the command with a body.
    pub(crate) async fn send(&mut self, upload: Upload) -> Result<Answer, CliError> {
        let request = self.request()?.header(CONTENT_TYPE, &upload.content_type);
        let request = request.body(upload.body).map_err(CliError::Request)?;
        // A connection to a daemon carries one request.
        if !matches!(self.door, Some(Door::Here(_))) {
            self.door = Some(self.open_door().await?);
        }
        match &mut self.door {
            Some(Door::Daemon(connection)) => Answer::new(connection.call(request).await?).await,
            // The reference node tells whose fault it was of requests to a daemon only.
            Some(Door::Here(local)) => {
                Answer::new(local.call(request).await?).await.map_err(CliError::nobodys_fault)
            }
            None => Err(CliError::LocalOnly),
        }
    }

    /// Finds the daemon: the one that was named, else the one that wrote its address into the repository, else
    /// a node in this process.
    async fn open_door(&self) -> Result<Door, CliError> {
        let command = self.invocation.command;
        if command.place != Place::DaemonOnly && !command.needs_repository && self.api.is_none() {
            return Ok(Door::Here(Local::without_repository(self.log.clone())));
        }
        if let Some(address) = &self.api {
            return Ok(Door::Daemon(Connection::open(&address.parse()?).await?));
        }
        // The local socket is the shortest way; a file that a killed daemon left behind answers nothing.
        if let Some(path) = Node::local_socket(&self.repository).filter(|path| path.exists())
            && let Ok(connection) = Connection::open(&ApiAddress::Unix(path)).await
        {
            return Ok(Door::Daemon(connection));
        }
        if let Some(address) = Node::api_address(&self.repository) {
            let connection = match address.parse::<ApiAddress>() {
                Ok(address) => Connection::open(&address).await,
                Err(error) => Err(error),
            };
            match connection {
                Ok(connection) => return Ok(Door::Daemon(connection)),
                // A file that a killed daemon left behind, or that a power cut left half written. Where a daemon runs
                // all the same, it has the lock.
                Err(CliError::Connect { .. } | CliError::Address(_))
                    if Node::is_initialized(&self.repository) => {}
                Err(error) => return Err(error),
            }
        }
        if command.place == Place::DaemonOnly {
            return Err(CliError::DaemonOnly(self.invocation.path.join(" ")));
        }
        Ok(Door::Here(Local::open(&self.repository, self.log.clone()).await?))
    }

    /// Whether a daemon answers for this repository.
    pub(crate) async fn daemon_runs(&self) -> bool {
        let Some(address) = Node::api_address(&self.repository) else { return false };
        match address.parse() {
            Ok(address) => Connection::open(&address).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Ends the command: a node in this process makes its writes durable and lets go of the lock.
    pub(crate) async fn close(self) -> Result<(), CliError> {
        match self.door {
            Some(Door::Here(local)) => local.close().await,
            _ => Ok(()),
        }
    }
}
