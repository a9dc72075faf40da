//! `daemon`: a node that stays, with its doors open.
//!
//! Order: repository (made on first use) → node → listeners → address files → "ready". Down the same way back:
//! doors, node, lock.

use ipse_node::{Node, OpenOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::{banner, init, version};
use crate::denylists;
use crate::error::CliError;
use crate::listen::{self, Doors};
use crate::persona::Persona;
use crate::session::Session;

pub(crate) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    greet(session)?;
    prepare(session)?;
    let options = OpenOptions {
        online: !session.invocation.bool("offline"),
        collect: session.invocation.bool("enable-gc"),
        agent_suffix: session.invocation.string("agent-version-suffix").unwrap_or_default(),
        denylists: denylists::of(&session.repository),
    };
    let mut signals = Signals::new().map_err(CliError::System)?;
    raise_open_files();
    let node = Node::open(&session.repository, options).await.map_err(CliError::inner)?;
    let served = serve(session, &node, &mut signals).await;
    let down = tokio::select! {
        down = node.shutdown() => down.map_err(CliError::inner),
        // A second signal: whoever sends it does not want to wait.
        () = signals.next() => Err(CliError::Forced),
    };
    served.and(down)
}

/// Asks for as many open files as the system allows at all. What is usual (1,024) is a limit for programs that use
/// `select`; a thousand clients beside some hundred peers are more.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

fn greet(session: &mut Session<'_>) -> Result<(), CliError> {
    let persona = session.persona;
    let out = session.console.out();
    if persona == Persona::Ipfs {
        writeln!(out, "Initializing daemon...")?;
        version::write_all(persona, &version::own(), out)?;
    } else {
        writeln!(out, "Ipse {}, compatible with Kubo {}", ipse_node::VERSION, ipse_node::COMPATIBLE_VERSION)?;
    }
    Ok(session.console.flush()?)
}

/// Makes the repository where there is none: always as ourselves, on `--init` as the reference node.
fn prepare(session: &mut Session<'_>) -> Result<(), CliError> {
    if Node::is_initialized(&session.repository) {
        return Ok(());
    }
    if session.persona == Persona::Ipfs && !session.invocation.bool("init") {
        return Err(CliError::NoRepository(session.repository.clone()));
    }
    let profiles = session.invocation.string("init-profile").unwrap_or_default();
    init::make(session.persona, &session.repository, profiles, None, session.console)?;
    Ok(())
}

/// Opens the doors and keeps them open until somebody asks for the end.
async fn serve(session: &mut Session<'_>, node: &Node, signals: &mut Signals) -> Result<(), CliError> {
    let doors = Doors::open(node).await?;
    let (api, gateway) = (doors.api_addresses(), doors.gateway_addresses());
    if let Some(address) = api.first() {
        node.write_api_file(&listen::reachable(address)).map_err(CliError::inner)?;
    }
    if let Some(url) = gateway.first().and_then(|address| listen::url(address)) {
        node.write_gateway_file(&url).map_err(CliError::inner)?;
    }
    let mut tasks: JoinSet<()> = doors.serve(node, session.log.clone())?;
    node.listeners_settled().await;
    let reached = banner::Reached {
        root: &session.repository,
        peer: node.peer_id().to_string(),
        // A node that is offline listens nowhere.
        swarm: node.listen_addresses().unwrap_or_default(),
        api,
        gateway,
        mdns: node.settings().mdns,
    };
    banner::write(session.persona, &reached, session.console.out())?;
    session.console.flush()?;
    tokio::select! {
        () = signals.next() => {}
        () = node.stop_requested() => {}
    }
    let out = session.console.out();
    writeln!(
        out,
        "Received interrupt signal, shutting down...\n(Hit ctrl-c again to force-shutdown the daemon.)"
    )?;
    session.console.flush()?;
    node.request_stop();
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => Ok(()),
        () = signals.next() => Err(CliError::Forced),
    }
}

/// The signals that ask a program to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
